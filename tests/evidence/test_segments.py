"""Who gains, who loses: levels counted by hand, intervals by another road, nobody alone in a segment."""

import numpy as np
import pandas as pd
import pytest

from workbench.evidence.bootstrap import cluster_interval
from workbench.evidence.segments import COLUMNS, level_names, segment_table, two_levels

N = 400


def segments(views: pd.DataFrame, difference=None, users=None, *, added_wait_ms=None, **others):
    """Every column of the views is a dimension of its own name."""
    n = len(views)
    users = np.arange(n) if users is None else users
    difference = np.arange(n, dtype=float) if difference is None else difference
    wait = np.zeros(n) if added_wait_ms is None else added_wait_ms
    return segment_table(level_names(views, views, None), difference, wait, users, **others)


def told(table: pd.DataFrame, dimension: str) -> dict[str, int]:
    rows = table[table["dimension"] == dimension]
    return dict(zip(rows["level"], rows["users"], strict=True))


def countries(**counts: int) -> pd.DataFrame:
    return pd.DataFrame({"country": np.repeat(list(counts), list(counts.values()))})


MANY = {f"C{i:02}": 20 + i for i in range(12)}


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"IN": 40, "US": 20, "NA": 19, "BR": 5}, {"IN": 40, "US": 20, "other": 24}),  # under 20 users: merged
        ({"IN": 40, "US": 20, "NA": 19}, {"IN": 40, "US": 20}),  # and left out, where the rest is under 20 too
        ({"other": 30, "IN": 40, "US": 5}, {"IN": 40, "other": 35}),  # what the data call other joins the rest
        (MANY, {name: MANY[name] for name in [*MANY][:3:-1]} | {"other": 20 + 21 + 22 + 23}),  # eight levels at most
    ],
)
def test_small_levels_are_merged_or_left_out(counts, shown):
    assert list(told(segments(countries(**counts)), "country").items()) == list(shown.items())


def test_users_are_counted_not_views():
    table = segments(countries(IN=60, US=60), users=np.r_[np.arange(30).repeat(2), np.arange(100, 110).repeat(6)])
    assert len(table) == 0, "US holds ten users, so India would stand alone"
    table = segments(countries(IN=60, US=60), users=np.r_[np.arange(30).repeat(2), np.arange(20, 50).repeat(2)])
    assert table[["users", "views"]].to_numpy().tolist() == [[30, 60], [30, 60]]


def test_missing_values_are_a_level_and_empty_columns_none():
    views = pd.DataFrame({"connection_type": ["wifi"] * 30 + [None] * 25, "country": [None] * 55})
    table = segments(views)
    assert told(table, "connection") == {"wifi": 30, "no value": 25}
    assert set(table["dimension"]) == {"connection"}


def test_a_planted_gain_is_found_where_it_was_planted():
    rng = np.random.default_rng(0)
    views = pd.DataFrame({"os_family": rng.choice(["iOS", "Android", "Linux"], N)})
    planted = views["os_family"].map({"iOS": 5.0, "Android": 0.0, "Linux": -5.0}).to_numpy()
    table = segments(views, planted + rng.normal(0, 1, N)).set_index("level")
    assert table.loc["iOS", "low"] > 4 and table.loc["Linux", "high"] < -4
    assert table.loc["Android", "low"] < 0 < table.loc["Android", "high"]


def test_intervals_are_those_of_each_segment_taken_alone():
    """The same by another road: cut the segment out, resample its users."""
    rng = np.random.default_rng(1)
    views = pd.DataFrame({"device": rng.choice(["a", "b"], N), "country": rng.choice(["IN", "US", "BR"], N)})
    users = rng.integers(0, 150, N)
    net, wait = rng.normal(2, 8, (2, 150))[:, users] + rng.normal(0, 3, (2, N))
    table = segments(views, net, users, added_wait_ms=wait)
    assert list(table) == list(COLUMNS)
    for row in table.itertuples():
        inside = (views[row.dimension] == row.level).to_numpy()
        for values, found in (
            (net, (row.difference, row.low, row.high)),
            (wait, (row.added_wait_ms, row.added_wait_low, row.added_wait_high)),
        ):
            alone = cluster_interval(values[inside], users[inside], seed=7)
            assert found[0] == pytest.approx(values[inside].mean())
            assert found[1:] == pytest.approx((alone.low, alone.high), abs=0.2 * alone.half_width)
        assert (row.users, row.views) == (len(set(users[inside])), inside.sum())


def test_the_parts_of_a_dimension_add_up_to_the_whole():
    rng = np.random.default_rng(2)
    views, net = (
        pd.DataFrame({"country": rng.choice(["IN", "US", "BR", "Fiji"], N, p=[0.5, 0.3, 0.1, 0.1])}),
        rng.random(N),
    )
    table = segments(views, net)
    assert (table["views"] @ table["difference"]) / N == pytest.approx(net.mean())
    assert table["views"].sum() == N


def test_order_of_rows_and_index_do_not_matter_and_the_seed_does():
    rng = np.random.default_rng(3)
    views = pd.DataFrame({"country": rng.choice(["IN", "US"], N)}, index=rng.permutation(N) // 2)
    net, users = rng.normal(0, 1, N), rng.integers(0, 90, N)
    table, turned = segments(views, net, users), segments(views[::-1], net[::-1], users[::-1])
    pd.testing.assert_frame_equal(table, turned)
    assert not segments(views, net, users, seed=1).equals(table)


def test_categories_keep_their_order_and_a_yes_or_no_is_two_levels():
    speed = pd.Series(pd.Categorical(["slow", "fast"] * 30, categories=["slow", "fast"], ordered=True))
    early = two_levels(np.arange(60) < 20, "early", "late", speed.index)
    table = segment_table({"speed": speed, "time": early}, np.arange(60.0), np.zeros(60), np.arange(60))
    assert list(told(table, "speed").items()) == [("slow", 30), ("fast", 30)]
    assert told(table, "time") == {"early": 20, "late": 40}
    assert table.set_index("level").loc["early", "difference"] == 9.5  # the mean of 0 to 19
