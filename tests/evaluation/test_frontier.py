"""The frontier and the limit that it settles."""

import numpy as np
import pandas as pd
import pytest

from workbench.decisions.images.expected_value import Prospects
from workbench.decisions.images.replay import (
    IMAGE_LIMITS,
    RenditionOutcomes,
    best_limit,
    image_frontier,
    quality_at_wait,
    rendition_outcomes,
)
from workbench.decisions.images.scenario import ImageScenario

SCENARIO = ImageScenario()


def crowd(n, seed=0):
    """Views, and prospects that are right about each view but for one thing: how long waits are."""
    rng = np.random.default_rng(seed)
    views = pd.DataFrame({"rtt_ms": 50.0, "downlink_mbps": np.exp(rng.normal(2, 1, n))})
    outcomes = rendition_outcomes(views, SCENARIO, {})
    blur = np.exp(rng.normal(0, 1, (n, 1)))
    return outcomes, blur, pd.DataFrame(index=views.index)


def test_the_frontier_trades_quality_for_waiting():
    outcomes, blur, context = crowd(2000)
    prospects = Prospects(outcomes.late, outcomes.late * 0.0, outcomes.excess_wait_ms * blur)
    frontier = image_frontier(prospects, outcomes, context, SCENARIO)
    assert frontier["limit"].tolist() == pytest.approx(IMAGE_LIMITS.tolist())
    assert (np.diff(frontier["excess_wait_ms"]) <= 1e-9).all()
    assert (np.diff(frontier["quality"]) <= 1e-9).all()


def test_limits_include_the_price_itself():
    assert 1.0 in IMAGE_LIMITS
    assert len(IMAGE_LIMITS) == 25
    assert (IMAGE_LIMITS[0], IMAGE_LIMITS[-1]) == pytest.approx((1 / 8, 8))


def test_a_policy_that_misjudges_waits_threefold_gets_a_limit_that_mends_it():
    outcomes, _, context = crowd(4000)
    users = np.arange(4000)
    honest = Prospects(outcomes.late, outcomes.late * 0.0, outcomes.excess_wait_ms)
    assert best_limit(honest, outcomes, context, SCENARIO, users) == 1.0
    blind = Prospects(outcomes.late, outcomes.late * 0.0, outcomes.excess_wait_ms / 5)
    assert best_limit(blind, outcomes, context, SCENARIO, users) > 2


def two_people(gains):
    """Up to the price everybody gets the medium rendition, above it the small one, which gains a person so much."""
    n = len(gains)
    prospects = Prospects(np.zeros((n, 3)), np.tile([0, 0, 1.0], (n, 1)), np.tile([0, 42 * 4 / 1.05, 0], (n, 1)))
    net = np.column_stack([np.asarray(gains, float), np.zeros(n), np.zeros(n)])
    return prospects, RenditionOutcomes(net, net, net > 0, net, net), pd.DataFrame(index=range(n))


def test_a_gain_that_everybody_has_moves_the_limit_as_little_as_it_takes():
    prospects, outcomes, context = two_people([10, 10])
    settled = best_limit(prospects, outcomes, context, SCENARIO, np.arange(2))
    assert settled == IMAGE_LIMITS[IMAGE_LIMITS > 1.01][0]


def test_a_gain_within_the_noise_does_not_move_the_limit():
    # 10 and -8: a mean of 1, give or take 6.4.
    prospects, outcomes, context = two_people([10, -8])
    frontier = image_frontier(prospects, outcomes, context, SCENARIO)
    assert frontier["net"].max() == 1
    assert best_limit(prospects, outcomes, context, SCENARIO, np.arange(2)) == 1.0


def test_quality_at_wait_reads_between_points_and_not_beyond():
    frontier = pd.DataFrame({"excess_wait_ms": [10.0, 20, 30], "quality": [40.0, 60, 70]})
    assert quality_at_wait(frontier, 15) == 50
    assert quality_at_wait(frontier, 5) is None
    assert quality_at_wait(frontier, 31) is None
