"""What the simulations themselves say: shares that add up, and signs that were planted."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.planted_truth import LAW, _known, _shapley, true_log_odds, true_next_log_odds, true_push

from workbench.datasets.cards import Card
from workbench.datasets.synthetic_network import true_chance_worse


@pytest.fixture(scope="module")
def rows(doubled):
    return doubled.validation


def test_the_truth_is_that_of_the_world(rows, doubled):
    found = true_log_odds(rows, doubled.card, "downlink_mbps", 6.0)
    chance = true_chance_worse(rows, "downlink_mbps", np.array([6.0]), seed=0)[:, 0]
    assert 1 / (1 + np.exp(-found)) == pytest.approx(chance.clip(0.001, 0.999))


def test_shares_add_up_to_the_value_less_its_mean():
    """Shapley's efficiency, on a table that is written out: nobody's share is lost."""
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(2, 3, 2)), rng.random((2, 3, 2))
    weights /= weights.sum()
    total = sum(_shapley(values, weights, player) for player in range(3))
    assert total == pytest.approx(values - (values * weights).sum())


def test_a_sum_of_effects_is_shared_as_it_was_made():
    first, second = np.array([0.0, 2.0]), np.array([1.0, 5.0])
    values = first[:, None] + second[None, :]
    weights = np.array([[0.4, 0.1], [0.1, 0.4]])  # they go along with each other, which changes nothing
    assert _shapley(values, weights, 0)[:, 0].tolist() == pytest.approx([-1, 1])
    assert _shapley(values, weights, 1)[0].tolist() == pytest.approx([-2, 2])


def test_what_is_left_open_is_averaged_by_its_joint_weights():
    values, weights = np.arange(8.0).reshape(2, 2, 2), np.full((2, 2, 2), 1 / 8)
    weights[1, 1, 1], weights[0, 0, 0] = 0, 2 / 8
    for first, second, third in product(range(2), repeat=3):
        joint = weights.sum(axis=0)
        expected = sum(joint[b, c] * values[first, b, c] for b, c in product(range(2), repeat=2))
        assert _known(values, weights, (0,))[first, second, third] == pytest.approx(expected)


def test_the_planted_signs_are_in_the_truth(rows, doubled):
    push = pd.Series(true_push(rows, doubled.card, "downlink_mbps", 6.0, "local_hour"), rows.index)
    evening = rows["local_hour"] >= 17
    of = {
        (system, late): push[(rows["os_family"] == system) & (evening == late)].mean()
        for system in ("iOS", "Android")
        for late in (True, False)
    }
    assert of["iOS", True] > 0.05 > -0.05 > of["iOS", False]
    assert of["Android", False] > 0.05 > -0.05 > of["Android", True]


def test_where_nothing_is_fixed_no_truth_is_told(rows, doubled, small_site, small_site_model):
    asked = (rows, doubled.card, "downlink_mbps", 6.0)
    assert true_push(*asked, "isp") is None
    assert true_push(*asked, "browser") is None
    assert true_log_odds(rows.drop(columns="asn"), *asked[1:]) is None
    assert true_log_odds(rows, Card("real"), *asked[2:]) is None
    assert true_next_log_odds(small_site.validation, Card("real"), small_site_model) is None
    assert LAW == ("asn", "local_hour", "os_family")


def test_true_chances_of_first_choices_are_as_the_site_has_them(small_site, small_site_model):
    found = true_next_log_odds(small_site_model.context(small_site.validation), small_site.card, small_site_model)
    assert len(found) == len(small_site.validation)
    chance = 1 / (1 + np.exp(-found))
    first = small_site_model.next_pages(small_site.validation, 1)["page"].astype(str).to_numpy()
    session, page = small_site.validation["session_id"].to_numpy(), small_site.validation["page"].astype(str).to_numpy()
    opened = np.append((session[1:] == session[:-1]) & (page[1:] == first[:-1]), False)
    assert opened.mean() == pytest.approx(chance.mean(), abs=0.05)
