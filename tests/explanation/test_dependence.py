from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
import pytest
import shap

import workbench as wb
from workbench.datasets.synthetic_network import true_chance_worse
from workbench.explanation import dependence
from workbench.explanation.dependence import levels_of, strongest_interaction
from workbench.explanation.shap_values import THRESHOLD

# All that the simulated network depends on, given the first request; other columns only go along with these.
LAW = ("asn", "local_hour", "os_family")


@pytest.fixture(scope="module")
def by_system(doubled_model, doubled):
    return dependence(doubled_model, doubled.validation, "local_hour", by="os_family", bins=(17,))


@pytest.fixture(scope="module")
def explained(doubled_model, doubled):
    return wb.shap_values(doubled_model, doubled.validation)


def point(result, group, level):
    return result.to_frame().loc[(group, level) if group else level]


def test_the_planted_signs_come_back(by_system):
    """IOS is slow in the evening, all others by day."""
    assert point(by_system, "iOS", "17 or more")["shap_low"] > 0 > point(by_system, "iOS", "16 or less")["shap_high"]
    by_day, late = (point(by_system, "Android", level) for level in ("16 or less", "17 or more"))
    assert by_day["shap_low"] > 0 > late["shap_high"]
    (sentence,) = by_system.sentences
    assert "operating system iOS: largest at 17 or more, +" in sentence
    assert "operating system Android: largest at 16 or less, +" in sentence and by_system.question in sentence


def true_shares(views, edge, player):
    """Shapley value of the world's true log-odds, columns left open drawn together from the views themselves."""
    codes, values = zip(*(pd.factorize(views[name], sort=True) for name in LAW), strict=True)
    sizes = tuple(map(len, values))
    grid = pd.MultiIndex.from_product(values, names=LAW).to_frame(index=False)
    chance = true_chance_worse(grid, "downlink_mbps", np.array([edge]), seed=0)[:, 0].clip(1e-3, 1 - 1e-3)
    truth = np.log(chance / (1 - chance)).reshape(sizes)
    weights = np.bincount(np.ravel_multi_index(codes, sizes), minlength=int(np.prod(sizes))).reshape(sizes)

    def known(axes):
        left = tuple(axis for axis in range(len(LAW)) if axis not in axes)
        joint = weights.sum(axis=axes, keepdims=True) / weights.sum() if axes else weights / weights.sum()
        return np.broadcast_to((truth * joint).sum(axis=left, keepdims=True), sizes) if left else truth

    share = np.zeros(sizes)
    for order in permutations(range(len(LAW))):
        before = order[: order.index(player)]
        share += known((*before, player)) - known(before)
    return (share / factorial(len(LAW)))[codes]


def test_means_have_the_sign_and_about_the_size_of_the_planted_truth(doubled, by_system, explained):
    views = doubled.validation
    edge = float(explained.display_data[0, explained.feature_names.index(THRESHOLD)])
    truth = pd.Series(true_shares(views, edge, LAW.index("local_hour")), views.index)
    level = np.where(views["local_hour"] >= 17, "17 or more", "16 or less")
    expected = truth.groupby([views["os_family"].to_numpy(object), level]).mean()
    for (group, name), row in by_system.to_frame().iterrows():
        if group in ("iOS", "Android"):
            assert 0.3 < row["shap"] / expected[group, name] < 1.7


def test_means_are_those_of_shap_values(doubled, by_system, explained):
    values = explained.values[:, explained.feature_names.index("local hour")]
    rows = ((doubled.validation["os_family"] == "iOS") & (doubled.validation["local_hour"] >= 17)).to_numpy()
    found = point(by_system, "iOS", "17 or more")
    assert found["shap"] == pytest.approx(values[rows].mean())
    margin = explained.values.sum(axis=1) + explained.base_values
    assert found["margin"] == pytest.approx(margin[rows].mean() - margin.mean())
    assert (found["views"], found["users"]) == (rows.sum(), doubled.validation["user_id"][rows].nunique())
    assert found["shap_low"] <= found["shap"] <= found["shap_high"]


def test_no_point_stands_on_fewer_than_20_users(doubled_model, doubled, by_system):
    one = dependence(doubled_model, doubled.validation, "isp")
    for result in (one, by_system):
        assert (result.points["users"] >= 20).all()
        assert result.points["views"].sum() + result.left_out == len(doubled.validation)
    assert not one.numeric and by_system.numeric and one.points["level"].iloc[-1] == "other"


def test_of_pages_shares_are_percent(small_site_model, small_site):
    result = dependence(small_site_model, small_site.validation, "popularity", bins=4)
    assert (result.numeric, result.unit, len(result.points)) == (True, "%", 4)
    assert "next page" in result.question
    history = dependence(small_site_model, small_site.validation, "user history")
    assert set(history.points["level"]) == {"yes", "no"} and not history.numeric


@pytest.mark.parametrize(
    ("rows", "asked", "words"),
    [
        (None, {"feature": "local_our"}, "the model has no feature 'local_our'; it has .*Did you mean 'local hour'"),
        (15, {"feature": "provider"}, "no level of provider has 20 users, so none can be shown"),
        (None, {"by": "os_family"}, "expected its name too, or neither"),
    ],
)
def test_what_cannot_be_shown_is_said(doubled_model, doubled, rows, asked, words):
    with pytest.raises(wb.WorkbenchError, match=words):
        dependence(doubled_model, doubled.validation.head(rows or 1000), **asked)


def test_without_a_feature_the_pair_that_depends_most_on_one_another_is_shown(doubled_model, doubled):
    found = dependence(doubled_model, doubled.validation)
    assert {found.feature, found.by} == {"local hour", "operating system"}
    assert f"{found.feature}, by {found.by}" in found.finding


ROWS = 1200


@pytest.fixture
def world():
    """An hour that raises the answer on a phone and lowers it elsewhere; a network, and its country."""
    rng = np.random.default_rng(0)
    hour, phone, network = rng.integers(0, 4, ROWS), rng.integers(0, 2, ROWS), rng.integers(0, 3, ROWS)
    evening = np.where(hour >= 2, 1.0, -1.0)
    names = [np.where(phone, "phone", "desktop"), network.astype(str), np.array(["GB", "GB", "FR"])[network]]
    values = np.column_stack(
        [0.3 * evening * np.where(phone, 1, -1), 0.1 * phone, 2.0 * network, 1.0 * (network == 2), np.full(ROWS, 9.0)]
    )
    explanation = shap.Explanation(
        values=values,
        base_values=np.zeros(ROWS),
        data=np.column_stack([hour, phone, network, network, hour]).astype(float),
        display_data=np.column_stack([hour.astype(float).astype(object), *names, hour.astype(float).astype(object)]),
        feature_names=["hour", "device", "network", "country", THRESHOLD],
    )
    explanation.units = {}
    return explanation, np.arange(ROWS) // 3


def test_the_pair_is_found_though_others_weigh_more_and_what_follows_from_a_feature_is_no_partner(world):
    explanation, users = world
    assert strongest_interaction(explanation, users) == (0, 1)
    levels, numeric = levels_of(explanation, 0, users)
    assert numeric and list(levels.cat.categories) == ["0", "1", "2", "3"]
    levels, numeric = levels_of(explanation, 1, users)
    assert not numeric and set(levels.cat.categories) == {"phone", "desktop"}
    explanation.values[:, 0] = 0.3 * explanation.data[:, 0]
    assert set(strongest_interaction(explanation, users)) != {2, 3}  # within one network the country never differs


def test_a_cell_of_few_users_does_not_count_and_the_only_feature_has_no_partner(world):
    explanation, users = world
    few = users < 19
    explanation.values[:, 0] = np.where(few, 100.0 * np.where(explanation.data[:, 1] > 0, 1, -1), 0.0)
    explanation.data[:, 0], explanation.display_data[:, 0] = few, few.astype(float)
    explanation.values[:, 2] += 0.01 * explanation.data[:, 1]
    assert strongest_interaction(explanation, users)[0] == 2
    explanation.values, explanation.feature_names = explanation.values[:, [0, 4]], ["hour", THRESHOLD]
    assert strongest_interaction(explanation, users) == (0, None)
