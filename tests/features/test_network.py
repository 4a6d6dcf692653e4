import math

import numpy as np
import pandas as pd
import pytest

from workbench.features.network import ChanceTable, count_chances, interpolate_chance, threshold_grid, worst_fifth

# Two countries, two providers, and values that meet at the ends: 10, 10, 20, 40 and 20, 40, 40, 40; 20 users have each.
TIMES = 20
VIEWS = pd.DataFrame(
    {
        "country": ["DE", "DE", "DE", "DE", "FR", "FR", "FR", "FR"] * TIMES,
        "isp": ["a", "a", "b", None, "a", "a", "b", "b"] * TIMES,
        "rtt_ms": [10.0, 20, 10, 40, 40, 40, 20, 40] * TIMES,
    }
).assign(downlink_mbps=lambda frame: frame["rtt_ms"])
KEYS = ("country", "isp")


def count(frame: pd.DataFrame, quantity: str = "rtt_ms", keys: tuple[str, ...] = KEYS) -> ChanceTable:
    """Every row is of a user of its own."""
    return count_chances(frame, keys, quantity, np.arange(len(frame)))


def share_at(table: ChanceTable, threshold: float, smoothing: float, **view: str | None) -> float:
    """The table's answer for one view at the point of its grid that lies nearest."""
    point = np.abs(table.grid - threshold).argmin()
    row = table.rows_for(pd.DataFrame([view]).astype("str"))
    return table.shares(smoothing)[row[0], point]


@pytest.mark.parametrize("quantity", ["rtt_ms", "downlink_mbps"])
def test_every_share_is_the_one_that_counting_row_by_row_gives(quantity):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "country": rng.choice(["DE", "FR", "IT"], 500),
            "isp": rng.choice(["a", "b", None], 500),
            quantity: rng.lognormal(3, 1, 500).round(0) + 1,  # many ties
        }
    )
    table = count(frame, quantity)
    shares = table.shares(smoothing=0)
    rows = table.rows_for(frame)
    groups = frame.groupby(["country", "isp"], dropna=False)
    assert groups.ngroups == 9
    for _, group in groups:
        row = rows[group.index[0]]
        assert (rows[group.index] == row).all()
        for threshold, share in zip(table.grid, shares[row], strict=True):
            worse = [value > threshold if quantity == "rtt_ms" else value < threshold for value in group[quantity]]
            assert share == sum(worse) / len(worse)


def test_each_level_leans_on_its_parent_by_the_stated_formula():
    # At 30 ms: everything 4/8; Germany 1/4; Germany, a 0/2. (n F + s F_parent) / (n + s) with s = 2, 20 times each:
    germany = (4 * 1 / 4 + 2 * 4 / 8) / (4 + 2)
    german_a = (2 * 0 / 2 + 2 * germany) / (2 + 2)
    table = count(VIEWS)
    assert share_at(table, 30, 2 * TIMES, country="IT", isp="a") == 4 / 8
    assert share_at(table, 30, 2 * TIMES, country="DE", isp="zzz") == pytest.approx(germany) == pytest.approx(1 / 3)
    assert share_at(table, 30, 2 * TIMES, country="DE", isp="a") == pytest.approx(german_a) == pytest.approx(1 / 6)


def test_an_unseen_group_answers_as_its_parent_and_a_missing_value_is_a_group():
    table = count(VIEWS)
    context = pd.DataFrame({"country": ["DE", "DE", "DE", "FR", "IT", None], "isp": ["a", None, "c", None, "a", "a"]})
    rows = table.rows_for(context.astype("str"))
    sizes = np.concatenate(table.sizes)[rows].tolist()
    # Germany a: 2; Germany without a provider: 1; Germany: 4; France had no missing provider: 4; else all: 8.
    assert sizes == [TIMES * size for size in (2, 1, 4, 4, 8, 8)]


def test_a_group_of_fewer_than_20_users_is_none():
    """Germany without a provider has 20 rows, of 19 users; 19 users of France, b, have 40."""
    users = np.arange(len(VIEWS))
    users[11] = users[3]
    france_b = np.flatnonzero((VIEWS["country"] == "FR") & (VIEWS["isp"] == "b"))
    users[france_b] = france_b[0] + np.arange(len(france_b)) % 19 * 8
    table = count_chances(VIEWS, KEYS, "rtt_ms", users)
    context = pd.DataFrame({"country": ["DE", "FR", "FR"], "isp": [None, "b", "a"]}).astype("str")
    assert np.concatenate(table.sizes)[table.rows_for(context)].tolist() == [4 * TIMES, 4 * TIMES, 2 * TIMES]


def test_rows_that_were_not_measured_do_not_count():
    holes = pd.concat([VIEWS, VIEWS.assign(rtt_ms=np.nan, country="IT")], ignore_index=True)
    whole, with_holes = count(VIEWS), count(holes)
    np.testing.assert_array_equal(whole.shares(1), with_holes.shares(1))
    assert whole.groups == with_holes.groups


def test_the_grid_is_finer_in_the_worst_fifth_and_ends_just_outside():
    values = np.random.default_rng(0).lognormal(3, 1, 5_000)
    for quantity in ("rtt_ms", "downlink_mbps"):
        grid = threshold_grid(values, quantity)
        assert (np.diff(grid) > 0).all() and grid[0] < values.min() < values.max() < grid[-1]
        assert 120 <= len(grid) <= 130
        worst = worst_fifth(values, quantity)
        assert len(worst) == 1_000
        inside = (grid >= worst.min()) & (grid <= worst.max())
        assert 0.5 < inside.mean() < 0.7  # half of the points, and a fifth of the other half


@pytest.mark.parametrize(
    ("threshold", "rtt", "downlink"),
    [
        (1, 0.9, 0.1),
        (math.sqrt(10), 0.7, 0.3),  # half-way in the logarithm
        (10, 0.5, 0.5),
        (10 * 10**0.25, 0.4, 0.6),
        (100, 0.1, 0.9),
        (0.999, 1, 0),  # beyond the ends of what was ever seen
        (100.1, 0.1, 1),  # the share of lost probes is worse than any threshold
        (math.inf, 0, 1),
    ],
)
def test_chances_are_read_between_and_beyond_the_points(threshold, rtt, downlink):
    grid = np.array([1.0, 10, 100])
    falling, rising = np.array([[0.9, 0.5, 0.1], [1, 1, 1]]), np.array([[0.1, 0.5, 0.9], [0, 0, 0]])
    asked = np.array([threshold])
    assert interpolate_chance(grid, falling, asked, "rtt_ms")[0, 0] == pytest.approx(rtt)
    assert interpolate_chance(grid, rising, asked, "downlink_mbps")[0, 0] == pytest.approx(downlink)


@pytest.mark.parametrize(("quantity", "direction"), [("rtt_ms", -1), ("downlink_mbps", 1)])
def test_chances_read_anywhere_run_one_way(quantity, direction):
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"isp": rng.choice(list("abc"), 200), quantity: rng.lognormal(2, 1, 200)})
    table = count(frame, quantity, ("isp",))
    thresholds = np.concatenate([np.sort(rng.lognormal(2, 2, 500)), [np.inf]])
    read = interpolate_chance(table.grid, table.shares(2), thresholds, quantity)
    assert (direction * np.diff(read, axis=1) >= -1e-12).all() and ((read >= 0) & (read <= 1)).all()
