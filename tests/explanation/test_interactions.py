"""The two features whose effects depend most on one another."""

import numpy as np
import pytest
import shap

from workbench.explanation.dependence import groups_of, levels_of, strongest_interaction
from workbench.explanation.shap_values import THRESHOLD

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


def test_the_pair_is_found_though_others_weigh_more(world):
    assert strongest_interaction(*world) == (0, 1)


def test_what_follows_from_the_feature_itself_is_no_partner(world):
    explanation, users = world
    explanation.values[:, 0] = 0.3 * explanation.data[:, 0]
    assert set(strongest_interaction(explanation, users)) != {2, 3}  # within one network the country never differs


def test_a_cell_of_few_users_does_not_count(world):
    explanation, users = world
    few = users < 19
    explanation.values[:, 0] = np.where(few, 100.0 * np.where(explanation.data[:, 1] > 0, 1, -1), 0.0)
    explanation.data[:, 0], explanation.display_data[:, 0] = few, few.astype(float)
    explanation.values[:, 2] += 0.01 * explanation.data[:, 1]
    assert strongest_interaction(explanation, users)[0] == 2


def test_numbers_are_binned_and_names_are_not(world):
    explanation, users = world
    levels, numeric = levels_of(explanation, 0, users)
    assert numeric and list(levels.cat.categories) == ["0", "1", "2", "3"]
    levels, numeric = levels_of(explanation, 1, users)
    assert not numeric and set(levels.cat.categories) == {"phone", "desktop"}
    assert list(groups_of(explanation, None, users).cat.categories) == [""]


def test_the_only_feature_has_no_partner(world):
    explanation, users = world
    alone = shap.Explanation(
        values=explanation.values[:, [0, 4]],
        base_values=explanation.base_values,
        data=explanation.data[:, [0, 4]],
        display_data=explanation.display_data[:, [0, 4]],
        feature_names=["hour", THRESHOLD],
    )
    alone.units = {}
    assert strongest_interaction(alone, users) == (0, None)
