"""Who gains, who loses: levels counted by hand, intervals by another road, nobody alone in a segment."""

import numpy as np
import pandas as pd
import pytest

from workbench.decisions.decision import Situations
from workbench.decisions.images.decision import DECISION as IMAGES
from workbench.decisions.prefetch.decision import DECISION as PREFETCH
from workbench.evidence.bootstrap import cluster_interval
from workbench.evidence.segments import COLUMNS, segment_table

N = 400


def segments(views: pd.DataFrame, difference=None, users=None, *, added_wait_ms=None, slow=None, **others):
    """Of measurements, where ``slow`` views load slowest."""
    n = len(views)
    load = np.zeros((n, 1)) if slow is None else slow[:, None].astype(float)
    return of(IMAGES, views, difference, users, added_wait_ms=added_wait_ms, given={"load_ms": load}, **others)


def of(decision, views, difference, users, *, added_wait_ms=None, given=None, **others):
    n = len(views)
    users = np.arange(n) if users is None else users
    here = Situations(views, views, users, "users", None, "first_request", given)
    dimensions = decision.segments(here, None)
    if given and not given["load_ms"].any():
        dimensions.pop("speed")
    difference = np.arange(n, dtype=float) if difference is None else difference
    wait = np.zeros(n) if added_wait_ms is None else added_wait_ms
    return segment_table(dimensions, difference, wait, users, **others)


def told(table: pd.DataFrame, dimension: str) -> dict[str, int]:
    rows = table[table["dimension"] == dimension]
    return dict(zip(rows["level"], rows["users"], strict=True))


def countries(**counts: int) -> pd.DataFrame:
    return pd.DataFrame({"country": np.repeat(list(counts), list(counts.values()))})


def test_levels_under_20_users_are_merged():
    assert told(segments(countries(IN=40, US=20, NA=19, BR=5)), "country") == {"IN": 40, "US": 20, "other": 24}


def test_other_is_left_out_where_it_is_under_20_users_too():
    assert told(segments(countries(IN=40, US=20, NA=19)), "country") == {"IN": 40, "US": 20}


def test_eight_levels_stand_by_themselves_the_rest_is_other():
    names = [f"C{i:02}" for i in range(12)]
    table = segments(countries(**{name: 20 + i for i, name in enumerate(names)}))
    levels = told(table, "country")
    assert list(levels) == [*names[:3:-1], "other"]
    assert levels["other"] == 20 + 21 + 22 + 23


def test_users_are_counted_not_views():
    table = segments(countries(IN=60, US=60), users=np.r_[np.arange(30).repeat(2), np.arange(100, 110).repeat(6)])
    assert len(table) == 0, "US holds ten users, so India would stand alone"
    table = segments(countries(IN=60, US=60), users=np.r_[np.arange(30).repeat(2), np.arange(20, 50).repeat(2)])
    assert table[["users", "views"]].to_numpy().tolist() == [[30, 60], [30, 60]]


def test_a_level_that_the_data_call_other_joins_the_rest():
    assert told(segments(countries(other=30, IN=40, US=5)), "country") == {"IN": 40, "other": 35}


def test_missing_values_are_a_level_and_empty_columns_none():
    views = pd.DataFrame({"connection_type": ["wifi"] * 30 + [None] * 25, "country": [None] * 55})
    table = segments(views)
    assert told(table, "connection") == {"wifi": 30, "no value": 25}
    assert set(table["dimension"]) == {"connection"}


def test_the_network_is_the_provider_else_the_number():
    views = pd.DataFrame({"asn": ["1"] * 30 + ["2"] * 30, "isp": ["Telia"] * 40 + ["Orange"] * 20})
    assert told(segments(views), "network") == {"Telia": 40, "Orange": 20}
    assert told(segments(views.assign(isp=None)), "network") == {"1": 30, "2": 30}


def test_measured_remembered_slow_and_hours():
    views = pd.DataFrame(
        {
            "effective_type": ["4g"] * 150 + [None] * 250,
            "last_age_s": [np.nan] * 300 + [60.0] * 100,
            "local_hour": np.repeat([23.0, 0.0, 5.0, 6.0, 17.0], 80),
        }
    )
    table = segments(views, slow=np.arange(N) < 80)
    assert told(table, "NetInfo") == {"measured": 150, "not measured": 250}
    assert told(table, "history") == {"measured before": 100, "never before": 300}
    assert told(table, "speed") == {"slowest fifth": 80, "all others": 320}
    hours = table[table["dimension"] == "local hour"]
    assert list(zip(hours["level"], hours["users"], strict=True)) == [
        ("00-05 h", 160),
        ("06-11 h", 80),
        ("12-17 h", 80),
        ("18-23 h", 80),
    ]


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
    assert segments(views, net, users, seed=1)["low"].tolist() != table["low"].tolist()


def test_no_verdict_word():
    table = segments(countries(IN=40, US=20))
    words = {"better", "worse", "equivalent", "inconclusive", "harmful", "safe"}
    assert not words & {*table["level"], *table["dimension"], *table.columns}


# Page views


def page_segments(views: pd.DataFrame, difference=None, users=None) -> pd.DataFrame:
    views = pd.DataFrame({"page": "home", "position": 0}, index=views.index).assign(**views)
    return of(PREFETCH, views, difference, users)


def test_rare_pages_are_merged():
    views = pd.DataFrame({"page": pd.Categorical(["a"] * 40 + ["b"] * 30 + ["c"] * 19 + ["d"] * 5)})
    assert told(page_segments(views), "page") == {"a": 40, "b": 30, "other": 24}


def test_places_in_the_session():
    views = pd.DataFrame({"position": np.repeat([0, 1, 2, 3, 5, 6, 40], 25)})
    table = page_segments(views)
    assert list(told(table, "place in the session").items()) == [
        ("first view", 25),
        ("2nd and 3rd", 50),
        ("4th to 6th", 50),
        ("7th and later", 50),
    ]
    first = table[table["level"] == "first view"].iloc[0]
    assert first["difference"] == 12.0  # the mean of 0 to 24


def test_who_came_before_has_more_views_behind_her_than_the_session():
    views = pd.DataFrame({"position": [0, 0, 2, 2] * 25, "earlier_views": [0.0, 1.0, 2.0, 9.0] * 25})
    assert told(page_segments(views), "user") == {"came before": 50, "first session": 50}
    assert "user" not in set(page_segments(views.drop(columns="earlier_views"))["dimension"])


def test_netinfo_and_device_as_far_as_known():
    views = pd.DataFrame({"effective_type": ["4g"] * 30 + [None] * 30, "device": ["phone"] * 60, "country": None})
    table = page_segments(views)
    assert told(table, "NetInfo") == {"4g": 30, "no value": 30}
    assert set(table["dimension"]) == {"NetInfo"}


def test_intervals_of_page_views_resample_users():
    """Twenty users a page; one that differs from view to view within users says nothing."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(60), 10)
    views = pd.DataFrame({"page": np.where(users < 30, "a", "b")})
    per_user = rng.normal(0, 1, 60)[users]
    table = page_segments(views, per_user, users).set_index("level")
    alone = cluster_interval(per_user[users < 30], users[users < 30], seed=5)
    assert (table.loc["a", "low"], table.loc["a", "high"]) == pytest.approx(
        (alone.low, alone.high), abs=0.2 * alone.half_width
    )
    assert table["users"].tolist() == [30, 30]
