"""Features that say the same fall into one group, and only those."""

import numpy as np
import pytest
from workbench.explanation.feature_groups import group_features, reader_numbers, representative

import workbench as wb


@pytest.fixture(scope="module")
def groups(few, few_model):
    return group_features(few, few_model, alike=0.95)


def test_a_column_and_its_copy_are_one_group(groups):
    assert groups.groups == (("provider", "region"),)
    one, other = (groups.features.index(name) for name in ("provider", "region"))
    assert groups.correlation[one, other] == pytest.approx(1, abs=0.01)


def test_every_two_members_are_alike_and_no_group_is_left_together_by_chance(few, few_model):
    found = group_features(few, few_model, alike=0.05)
    for members in found.groups:
        at = [found.features.index(name) for name in members]
        assert found.correlation[np.ix_(at, at)].min() >= 0.05
    assert (np.diag(found.correlation) == 1).all()
    assert (found.correlation == found.correlation.T).all()


def test_categories_count_by_what_they_say_about_the_quantity(few, few_model):
    numbers = reader_numbers(few, few_model)["downlink_mbps"]
    rows = few.train[few.train["downlink_mbps"].notna()]
    means = np.log(rows["downlink_mbps"]).groupby(rows["os_family"]).transform("mean")
    assert numbers["operating system"].to_numpy() == pytest.approx(means.to_numpy())
    assert numbers["local hour"].tolist() == rows["local_hour"].tolist()


def test_of_pages_the_numbers_are_those_of_a_readers_features(small_site, small_site_model):
    (numbers,) = reader_numbers(small_site, small_site_model).values()
    assert {"popularity", "the page before", "device", "hour"} <= set(numbers)
    assert numbers["popularity"].between(0, 1).all()
    assert numbers["device"].dropna().isin(range(4)).all()
    found = group_features(small_site, small_site_model)
    assert {"what follows this page", "the page before"} <= set(found.groups[0])


def test_bad_limits_are_refused(few, few_model):
    with pytest.raises(wb.WorkbenchError, match=r"a correlation between 0 and 1, such as 0\.7; got 1"):
        group_features(few, few_model, alike=1)


def test_the_representative_is_nearest_to_all(few, few_model):
    found = group_features(few, few_model, alike=0.95)
    assert representative(("provider", "region"), found) in ("provider", "region")
    likeness = {name: found.correlation[at].sum() for at, name in enumerate(found.features)}
    assert representative(found.features, found) == max(likeness, key=likeness.get)
