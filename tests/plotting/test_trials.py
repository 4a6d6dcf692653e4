"""Pictures of many studies: what is drawn is what the table says."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from workbench.errors import WorkbenchError
from workbench.plotting import aging, alt_text, shares, verdicts

STUDIES = pd.DataFrame(
    {"dataset": list("aab"), "seed": [0, 1, 0], "margin": [1.0, 1.0, 0.005]}
    | {"value": [2.0, -1.0, 0.01], "low": [1.0, -3.0, 0.005], "high": [3.0, 1.0, 0.02]}
    | {"word": ["better", "inconclusive", "better"]}
)
SHARES = pd.DataFrame(
    {"dataset": list("aab"), "setting": ["100", "1000", "100"], "value": [0.9, 0.95, 0.5]}
    | {"low": [0.85, 0.93, 0.4], "high": [0.94, 0.97, 0.6]}
)


def bars(ax):
    """The ends of every interval that is drawn."""
    points = [line.get_xydata() for line in ax.lines if line.get_linestyle() == "-"]
    return [each for each in points if len(each) == 2 and np.isfinite(each).all()]


def test_intervals_are_drawn_in_margins_whatever_the_unit():
    ax = verdicts(STUDIES)
    ends = sorted(tuple(sorted(points[:, 0])) for points in bars(ax) if points[0, 1] == points[1, 1])
    assert ends == [pytest.approx(pair) for pair in [(-3, 1), (1, 3), (1, 4)]]
    assert "a: 1 of 2; b: 1 of 1" in alt_text(ax)
    plt.close("all")


def test_shares_are_drawn_by_users_on_a_logarithmic_axis():
    ax = shares(SHARES, "Held", aim=(0.93, 0.97))
    assert ax.get_xscale() == "log" and "a 95 % at 1,000; b 50 % at 100" in alt_text(ax)
    drawn = {tuple(point) for line in ax.lines for point in line.get_xydata()}
    assert {(100, 0.9), (1000, 0.95), (100, 0.5)} <= drawn
    plt.close("all")


def test_what_age_costs_is_drawn_in_margins_by_policy():
    aged = SHARES.assign(policy=["model", "model", "best rule"], margin=[1.0, 1.0, 0.005])
    ax = aging(aged)
    drawn = {tuple(point) for line in ax.lines for point in line.get_xydata()}
    assert {(100, 0.9), (1000, 0.95), (100, 100.0)} <= drawn
    assert "a, model 0.9" in alt_text(ax) and "b, best rule 100.0" in alt_text(ax)
    plt.close("all")


def test_no_trials_are_refused():
    for draw in (verdicts, aging, lambda none: shares(none, "Held")):
        with pytest.raises(WorkbenchError, match="there are no trials to draw"):
            draw(STUDIES.head(0))
