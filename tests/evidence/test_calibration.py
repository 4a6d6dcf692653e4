"""Calibration on chances whose faults are planted."""

import numpy as np
import pytest

from workbench.evidence.calibration import measure_calibration, reliability


def draw(n=60_000):
    rng = np.random.default_rng(0)
    logit = rng.normal(-1, 1.5, n)
    chance = 1 / (1 + np.exp(-logit))
    return logit, chance, rng.random(n) < chance


def test_true_chances_are_calibrated():
    _, chance, event = draw()
    measured = measure_calibration(event, chance)
    assert (measured.slope, measured.intercept) == pytest.approx((1, 0), abs=0.04)
    assert measured.share == pytest.approx(chance.mean(), abs=0.01)


def test_overconfident_and_shifted_chances_are_found_out():
    logit, _, event = draw()
    measured = measure_calibration(event, 1 / (1 + np.exp(-(2 * logit + 1))))
    # The event follows logit = (forecast logit - 1) / 2.
    assert (measured.slope, measured.intercept) == pytest.approx((0.5, -0.5), abs=0.04)


def test_what_cannot_be_judged_is_none():
    never, one_for_all = (
        measure_calibration(event, np.full(4, 0.5)) for event in (np.zeros(4), np.array([0, 1, 0, 1]))
    )
    assert (never.share, never.auc, never.slope, never.log_loss) == (0, None, None, None)
    assert (one_for_all.auc, one_for_all.slope) == (0.5, None)


def test_reliability_has_bins_of_equal_size():
    _, chance, event = draw(1000)
    table = reliability(event, chance, bins=5)
    assert table["rows"].tolist() == [200] * 5
    assert (np.diff(table["chance"]) > 0).all()
