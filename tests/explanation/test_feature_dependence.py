"""Dependence: planted signs come back, few users are never shown, means are plain means."""

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.feature_dependence import dependence

import workbench as wb


@pytest.fixture(scope="module")
def by_system(doubled_model, doubled):
    return dependence(doubled_model, doubled.validation, "local_hour", by="os_family", bins=(17,))


def point(result, group, level):
    rows = result.points[(result.points["group"] == group) & (result.points["level"] == level)]
    return rows.iloc[0]


def test_the_planted_signs_come_back(by_system):
    """IOS is slow in the evening, Android by day."""
    assert point(by_system, "iOS", "17 or more")["push_low"] > 0 > point(by_system, "iOS", "16 or less")["push_high"]
    assert (
        point(by_system, "Android", "16 or less")["push_low"]
        > 0
        > point(by_system, "Android", "17 or more")["push_high"]
    )


def test_the_truth_stands_beside_with_the_same_signs_and_like_sizes(by_system):
    told = by_system.points[by_system.points["group"].isin(["iOS", "Android"])]
    assert (np.sign(told["push"]) == np.sign(told["true_push"])).all()
    ratio = told["push"] / told["true_push"]
    assert ratio.between(0.3, 1.7).all()
    assert by_system.sentences[0].endswith("have the planted sign.")


def test_means_are_those_of_shap_values(doubled_model, doubled, by_system):
    told = wb.shap_values(doubled_model, doubled.validation)
    push = told.values[:, told.feature_names.index("local hour")]
    rows = ((doubled.validation["os_family"] == "iOS") & (doubled.validation["local_hour"] >= 17)).to_numpy()
    found = point(by_system, "iOS", "17 or more")
    assert found["push"] == pytest.approx(push[rows].mean())
    margin = told.values.sum(axis=1) + told.base_values
    assert found["together"] == pytest.approx(margin[rows].mean() - margin.mean())
    assert (found["views"], found["users"]) == (rows.sum(), doubled.validation["user_id"][rows].nunique())
    assert found["push_low"] <= found["push"] <= found["push_high"]


def test_no_point_stands_on_fewer_than_20_users(doubled_model, doubled, by_system):
    one = dependence(doubled_model, doubled.validation, "isp")
    for result in (one, by_system):
        assert (result.points["users"] >= 20).all()
        assert result.points["views"].sum() + result.left_out == len(doubled.validation)
    assert not one.numeric and by_system.numeric
    assert one.points["level"].iloc[-1] == "other"
    assert one.points["true_push"].isna().all() and one.points["true_together"].notna().all()


def test_sentences_name_the_feature_that_splits_the_views(by_system):
    assert "operating system iOS: most at 17 or more, " in by_system.sentences[0]
    assert "operating system Android: most at 16 or less, " in by_system.sentences[0]


def test_of_images_only_views_without_a_signal_count(few_model, few):
    shown = few.validation.assign(last_age_s=np.where(np.arange(len(few.validation)) % 2, 50.0, 5000.0))
    some = dependence(few_model, shown, "local_hour", by="os_family", bins=(17,))
    free = dependence(few_model, shown[shown["last_age_s"] > 600], "local_hour", by="os_family", bins=(17,))
    pd.testing.assert_frame_equal(some.points, free.points)
    with pytest.raises(wb.WorkbenchError, match="every view shows a signal"):
        dependence(few_model, shown.assign(last_age_s=50.0), "local_hour")


def test_all_features_together_follow_the_truth(doubled_model, doubled):
    points = dependence(doubled_model, doubled.validation, "isp").points
    assert np.corrcoef(points["together"], points["true_together"])[0, 1] > 0.7


def test_of_pages_shares_are_percent_and_the_truth_is_of_all_together(small_site_model, small_site):
    result = dependence(small_site_model, small_site.train, "popularity", bins=4)
    assert (result.numeric, result.unit, len(result.points)) == (True, "%", 4)
    assert result.points["true_together"].notna().all() and result.points["true_push"].isna().all()
    assert "next page" in result.question
    told = dependence(small_site_model, small_site.train, "the person's habits")
    assert set(told.points["level"]) == {"yes", "no"} and not told.numeric


def test_real_data_have_no_truth():
    rng = np.random.default_rng(0)
    isp = rng.choice(list("ab"), 1500)
    views = pd.DataFrame({"isp": isp, "downlink_mbps": rng.lognormal(np.where(isp == "a", 0, 3), 0.5)})
    split = wb.split_by_user(wb.measurements(views.assign(rtt_ms=rng.lognormal(4, 0.1, 1500))))
    result = dependence(wb.train_network_quality(split, max_trees=20), split.validation, "provider")
    assert result.points[["true_push", "true_together"]].isna().all(axis=None)
    assert dict(zip(result.points["level"], result.points["push"] > 0, strict=True)) == {"a": True, "b": False}
    assert result.people == "views"
    assert "most at a, " in result.sentences[0] and "planted" not in result.sentences[0]


def test_what_cannot_be_told_is_said(doubled_model, doubled):
    with pytest.raises(
        wb.WorkbenchError, match=r"the model has no feature 'local_our'; it has .*Did you mean 'local hour'"
    ):
        dependence(doubled_model, doubled.validation, "local_our")
    with pytest.raises(wb.WorkbenchError, match="no level of provider has 20 users, so none can be shown"):
        dependence(doubled_model, doubled.validation.head(15), "provider")


def test_without_a_feature_the_pair_that_depends_most_on_one_another_is_shown(doubled_model, doubled):
    found = dependence(doubled_model, doubled.validation)
    assert (found.feature, found.by) == ("local hour", "operating system")
    assert found.finding == "How the answer depends on local hour, by operating system"
    with pytest.raises(wb.WorkbenchError, match="expected its name too, or neither"):
        dependence(doubled_model, doubled.validation, by="os_family")
