"""An A/B test in arrays: by hand, against published figures, and on simulated visitors whose effect is known."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from workbench.evidence.bootstrap import HALF_WIDTH, Interval
from workbench.evidence.experiment import FAILED, HELD, OPEN, compare_estimate, measure_effect, sample_ratio

PLACE = Path(__file__).parent.parent.parent / "benchmarks" / "bench_experiment.py"
DRAWS = 400


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_experiment", PLACE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def images(bench):
    return bench.image_world(30_000)


@pytest.fixture(scope="module")
def pages(bench):
    return bench.page_world(20_000)


def test_a_difference_of_two_ratios_by_hand():
    """Arm: 6 of 3 views, by users 4 of 2 and 2 of 1; control: 2 of 4, by users 0 of 2 and 2 of 2."""
    totals, views = np.array([4.0, 2, 0, 2]), np.array([2, 1, 2, 2])
    found = measure_effect(totals, views, np.array([True, True, False, False]))
    assert found.control == 0.5 and found.difference.estimate == 1.5 and found.variance_saved is None
    # Linearised: 0 and 0 in the arm; (0 - 1) / 2 and (2 - 1) / 2 in control: variance 0.5, over 2 users.
    assert found.difference.high - 1.5 == pytest.approx(HALF_WIDTH * np.sqrt(0.5 / 2))


def test_history_takes_off_what_it_explains_and_no_more():
    """A metric that is its own history: all variance goes, and the luck of the draw with it."""
    rng = np.random.default_rng(0)
    past, treated, views = rng.gamma(2, 5, 500), np.arange(500) % 2 == 0, np.ones(500)
    found = measure_effect(past + 3 * treated, views, treated, (past, views))
    assert found.difference.estimate == pytest.approx(3.0) and found.difference.half_width == pytest.approx(0, abs=1e-9)
    assert found.variance_saved == pytest.approx(1.0)
    strangers = measure_effect(past + 3 * treated, views, treated, (rng.gamma(2, 5, 500), views))
    assert strangers.variance_saved < 0.02
    nobody = measure_effect(past, views, treated, (0 * past, 0 * views))
    assert nobody.variance_saved is None and nobody.difference == measure_effect(past, views, treated).difference


def test_the_same_as_tea_tasting_finds():
    """Figures of tea-tasting 2.0.0: RatioOfMeans(..., use_t=False), without and with covariates, absolute intervals."""
    tea_tasting = pytest.importorskip("tea_tasting")
    import pandas as pd

    rng = np.random.default_rng(3)
    own, treated = rng.gamma(2, 5, 3000), rng.random(3000) < 0.4
    views, before = rng.geometric(0.3, 3000), rng.geometric(0.5, 3000)
    table = pd.DataFrame({"views": views, "before": before, "variant": treated.astype(int)})
    table = table.assign(
        total=own * views + rng.normal(0, 5, 3000) + treated, past=own * before + rng.normal(0, 5, 3000)
    )
    for covariates, earlier in (
        ({}, None),
        ({"numer_covariate": "past", "denom_covariate": "before"}, (table["past"].to_numpy(), before)),
    ):
        metric = tea_tasting.RatioOfMeans("total", "views", use_t=False, **covariates)
        theirs = tea_tasting.Experiment(net=metric).analyze(table)["net"]
        ours = measure_effect(table["total"].to_numpy(), views, treated, earlier).difference
        assert ours.estimate == pytest.approx(theirs.effect_size, rel=5e-3)
        assert ours.low == pytest.approx(theirs.effect_size_ci_lower, rel=5e-3)


def test_a_lost_share_of_users_is_a_mismatch():
    assert sample_ratio([500, 500], [1, 1]) == 1.0
    assert sample_ratio([900, 100], [9, 1]) == pytest.approx(1.0)
    # (10^2 / 500) twice: chi-squared 0.4 with one degree of freedom.
    assert sample_ratio([510, 490], [1, 1]) == pytest.approx(0.5271, abs=1e-4)


@pytest.mark.parametrize(
    ("estimate", "half", "word"),
    [(2.1, 0.3, HELD), (9.0, 0.3, FAILED), (2.1, 5.0, OPEN)],
)
def test_whether_an_estimate_held(estimate, half, word):
    gap, found = compare_estimate(
        Interval(2.0, 1.6, 2.4, 900), Interval(estimate, estimate - half, estimate + half, 1), 1.0
    )
    assert found == word and gap.estimate == pytest.approx(2.0 - estimate)
    assert gap.half_width == pytest.approx(np.hypot(0.4, half))


@pytest.mark.parametrize(
    ("world", "column"), [("images", "net"), ("images", "bytes"), ("pages", "net"), ("pages", "hits")]
)
def test_intervals_hold_the_true_effect_on_simulated_visitors(bench, request, world, column):
    tests = bench.draw_tests(request.getfixturevalue(world), column, DRAWS)
    assert bench.near(bench.holds(tests), 0.93, 0.97, DRAWS)
    assert abs(tests["estimate"].mean() - tests["truth"][0]) < 4 * tests["estimate"].std() / np.sqrt(DRAWS)


@pytest.mark.parametrize("history", [False, True])
def test_two_arms_of_one_policy_are_told_apart_in_one_test_of_twenty(bench, images, history):
    tests = bench.draw_tests(images, "net", DRAWS, same=True, history=history)
    assert bench.near((tests["low"].gt(0) | tests["high"].lt(0)).mean(), 0, 0.05, DRAWS)


def test_history_sharpens_the_intervals_of_simulated_visitors(bench, images):
    plain, sharper = (bench.draw_tests(images, "net", DRAWS, history=history) for history in (False, True))
    assert bench.near(bench.holds(sharper), 0.93, 0.97, DRAWS)
    assert (sharper["high"] - sharper["low"]).mean() < 0.95 * (plain["high"] - plain["low"]).mean()


def test_what_the_check_of_coverage_finds(bench, images):
    """Broken on purpose: half an interval holds the truth too seldom."""
    tests = bench.draw_tests(images, "net", DRAWS)
    tests["low"], tests["high"] = (tests["estimate"] + sign * (tests["high"] - tests["low"]) / 4 for sign in (-1, 1))
    assert not bench.near(bench.holds(tests), 0.93, 0.97, DRAWS)
