"""The frontier and the limit that it settles."""

import numpy as np
import pandas as pd
import pytest

from workbench.decisions.chances import ChancePolicy
from workbench.decisions.decision import Situations
from workbench.decisions.images.decision import DECISION as IMAGES
from workbench.decisions.images.expected_value import Prospects
from workbench.decisions.images.replay import quality_at_wait, rendition_payoffs
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.options import LIMITS

SCENARIO = ImageScenario()


def at(given, users=None):
    n = len(given["net"])
    frame = pd.DataFrame(index=range(n))
    return Situations(frame, frame, np.arange(n) if users is None else users, "users", None, "first_request", given)


def views(n, seed=0):
    """What each rendition brings about, and how far each view's wait is misjudged."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"rtt_ms": 50.0, "downlink_mbps": np.exp(rng.normal(2, 1, n))})
    return rendition_payoffs(frame, SCENARIO, {}), np.exp(rng.normal(0, 1, (n, 1)))


def expects(given, factor):
    return Prospects(given["late"], given["late"] * 0.0, given["added_wait_ms"] * factor)


def tuned(prospects, given):
    """The limit of a policy with these prospects."""
    policy = ChancePolicy(type("Source", (), {}))
    here = at(given)
    here.remember(policy, IMAGES.prices_aside(SCENARIO), lambda: prospects)
    return IMAGES.tune(policy, here, SCENARIO).limit


def test_the_frontier_trades_quality_for_waiting():
    given, blur = views(2000)
    frontier = IMAGES.frontier(expects(given, blur), at(given), SCENARIO)
    assert frontier["limit"].tolist() == pytest.approx(LIMITS.tolist())
    assert (np.diff(frontier["added_wait_ms"]) <= 1e-9).all()
    assert (np.diff(frontier["quality"]) <= 1e-9).all()


def test_limits_include_the_price_itself():
    assert 1.0 in LIMITS
    assert len(LIMITS) == 25
    assert (LIMITS[0], LIMITS[-1]) == pytest.approx((1 / 8, 8))


def test_a_policy_that_misjudges_waits_threefold_gets_a_limit_that_mends_it():
    given, _ = views(4000)
    assert tuned(expects(given, 1.0), given) == 1.0
    assert tuned(expects(given, 1 / 5), given) > 2


def two_people(gains):
    """Up to the price everybody gets the medium rendition, above it the small one, which gains a person so much."""
    n = len(gains)
    prospects = Prospects(np.zeros((n, 3)), np.tile([0, 0, 1.0], (n, 1)), np.tile([0, 42 * 4 / 1.05, 0], (n, 1)))
    net = np.column_stack([np.asarray(gains, float), np.zeros(n), np.zeros(n)])
    return prospects, {"net": net, "quality": net, "added_wait_ms": net}


def test_a_gain_that_everybody_has_moves_the_limit_as_little_as_it_takes():
    assert tuned(*two_people([10, 10])) == LIMITS[LIMITS > 1.01][0]


def test_a_gain_within_the_noise_does_not_move_the_limit():
    # 10 and -8: a mean of 1, give or take 6.4.
    prospects, given = two_people([10, -8])
    assert IMAGES.frontier(prospects, at(given), SCENARIO)["net"].max() == 1
    assert tuned(prospects, given) == 1.0


def test_quality_at_wait_reads_between_points_and_not_beyond():
    frontier = pd.DataFrame({"added_wait_ms": [10.0, 20, 30], "quality": [40.0, 60, 70]})
    assert quality_at_wait(frontier, 15) == 50
    assert quality_at_wait(frontier, 5) is None
    assert quality_at_wait(frontier, 31) is None
