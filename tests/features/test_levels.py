import numpy as np
import pytest

from workbench.features.levels import OTHER, UNKNOWN, name_levels, number_levels


def test_few_numbers_stand_by_themselves():
    values = np.repeat([3.0, np.nan, 2.0], 30)
    levels = number_levels(values, np.arange(90))
    assert list(levels.cat.categories) == ["2", "3", UNKNOWN]
    assert levels.tolist() == ["3"] * 30 + [UNKNOWN] * 30 + ["2"] * 30


def test_many_numbers_are_bins_of_equally_many_rows():
    levels = number_levels(np.arange(401) / 10, np.arange(401), 4, "%")
    assert levels.value_counts(sort=False).tolist() == [100, 100, 100, 101]
    assert list(levels.cat.categories) == ["10 % or less", "10 to 20 %", "20 to 30 %", "30 % or more"]


@pytest.mark.parametrize("extreme", [987_654.0, -987_654.0])
def test_nobodys_extreme_value_is_told(extreme):
    whole = number_levels(np.append(np.arange(400.0), extreme), np.arange(401), bins=4)
    broken = number_levels(np.append(np.arange(400) / 7, extreme), np.arange(401), bins=4)
    for levels in (whole, broken):
        assert len(levels.cat.categories) == 4 and levels.notna().all()
        assert not any("987" in name for name in levels.cat.categories)
    first, last = whole.cat.categories[[0, -1]]
    assert first.endswith(" or less") and last.endswith(" or more")


def test_of_few_numbers_one_persons_is_other():
    values = np.append(np.repeat([1.0, 2.0], 30), [987_654.0] * 20)
    levels = number_levels(values, np.append(np.arange(60), [99] * 20))
    assert list(levels.cat.categories) == ["1", "2"] and levels.isna().sum() == 20


def test_a_bin_of_one_whole_number_is_that_number():
    levels = number_levels(np.append(np.zeros(200), np.arange(100)), np.arange(300), bins=4)
    assert list(levels.cat.categories) == ["0 to 23", "24 or more"]
    hours = number_levels(np.tile(np.arange(24.0), 30), np.arange(720), bins=(17, 18))
    assert list(hours.cat.categories) == ["16 or less", "17", "18 or more"]


def test_a_lowest_number_that_one_person_has_begins_no_bin():
    values, users = np.append(np.full(200, -5.0), np.arange(100)), np.append(np.zeros(200), np.arange(100))
    assert list(number_levels(values, users, bins=4).cat.categories) == ["23 or less", "24 or more"]
    assert list(number_levels(values, users, bins=2).cat.categories) == ["any"]


def test_the_largest_levels_are_kept_by_users_not_views():
    values = np.array(["a"] * 40 + ["b"] * 25 + ["c"] * 400 + ["d"] * 22, object)
    users = np.concatenate([np.arange(40), np.arange(25), np.zeros(400), np.arange(22)])
    levels = name_levels(values, users, most=2)
    assert list(levels.cat.categories) == ["a", "b", OTHER] and (levels == OTHER).sum() == 422


@pytest.mark.parametrize(("others", "shown"), [(19, ["a"]), (20, ["a", OTHER])])
def test_no_crowd_under_20_is_shown(others, shown):
    values = np.array(["a"] * 30 + [f"rare {i}" for i in range(others)], object)
    levels = name_levels(values, np.arange(len(values)))
    assert list(levels.cat.categories) == shown and levels.isna().sum() == (others if len(shown) == 1 else 0)
