"""The size of an A/B test: by hand, by simulated experiments, and not that of a paired comparison."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import workbench as wb

EXPERIMENTS = 1000


@pytest.fixture(scope="module")
def site():
    """Users of very unequal activity, whose metric is their own: 4,000 users, each before the test and in it."""
    rng = np.random.default_rng(0)
    own, views = rng.gamma(2, 5, 4000), rng.geometric(0.3, (2, 4000))
    users = np.concatenate([np.repeat(np.arange(4000), each) for each in views])
    earlier = np.arange(len(users)) < views[0].sum()
    values = own[users] + rng.normal(0, 4, len(users))
    at = pd.Timestamp("2026-03-01") + pd.to_timedelta(rng.uniform(0, 10, len(users)) + 20 * ~earlier, unit="D")
    return values, users, earlier, pd.Series(at)


def simulate(values, users, size, effect, history=None):
    """Share of experiments on so many users, drawn again and again, in which a z test finds the effect.

    ``history`` is taken off the metric first, by regression: CUPED.
    """
    rng = np.random.default_rng(1)
    views, sums = np.bincount(users), np.bincount(users, values)
    found = 0
    for _ in range(EXPERIMENTS):
        drawn = rng.integers(0, len(views), (2, size // 2))
        sums_of, views_of = sums[drawn] + np.array([[0], [effect]]) * views[drawn], views[drawn]
        ratio = sums_of.sum() / views_of.sum()
        metric = (sums_of - ratio * views_of) / views_of.mean()
        if history is not None:
            x = history[drawn] - history[drawn].mean()
            metric = metric - (metric * x).mean() / (x**2).mean() * x
        apart = metric[1].mean() - metric[0].mean()
        found += abs(apart) > norm.ppf(0.975) * np.sqrt(metric.var(axis=1, ddof=1).sum() / (size // 2))
    return found / EXPERIMENTS


def binomial(share):
    """Two standard errors of a share of the experiments."""
    return 2 * np.sqrt(share * (1 - share) / EXPERIMENTS)


def test_a_test_of_that_size_has_the_power_asked_for_and_no_other(site):
    values, users, earlier, _ = site
    values, users = values[~earlier], users[~earlier]
    effect = 1.5
    needed = wb.sample_size(values, users, effect)
    assert simulate(values, users, needed.users, effect) == pytest.approx(0.8, abs=binomial(0.8))
    assert simulate(values, users, needed.users, 0.0) == pytest.approx(0.05, abs=binomial(0.05))
    assert simulate(values, users, needed.users // 4, effect) < 0.5
    alone = wb.sample_size(values, np.arange(len(values)), effect)  # as if each view were somebody else's
    views_a_user = len(values) / len(np.unique(users))
    assert needed.users * views_a_user > 1.5 * alone.users


def test_earlier_views_save_what_cuped_would(site):
    values, users, earlier, _ = site
    with_history = wb.sample_size(values, users, 1.5, earlier=earlier)
    now = wb.sample_size(values[~earlier], users[~earlier], 1.5)
    assert (with_history.users, now.variance_saved) == (now.users, None)
    before = np.bincount(users[earlier], values[earlier]) - values[earlier].mean() * np.bincount(users[earlier])
    reached = simulate(values[~earlier], users[~earlier], with_history.users_with_history, 1.5, before)
    assert reached == pytest.approx(0.8, abs=binomial(0.8))
    assert 0.2 < with_history.variance_saved < 0.8
    strangers = users + 4000 * earlier
    assert wb.sample_size(values, strangers, 1.5, earlier=earlier).variance_saved is None


def test_by_hand():
    # Half of the users at 0, half at 2: sd 1.005; 4 * 1.0101 * (1.96 + 0.8416)^2 / 0.25 = 126.9.
    two = wb.sample_size(np.array([0.0, 2.0] * 50), np.arange(100), 0.5)
    assert (two.users, two.mean, two.days) == (128, 1.0, None)
    assert two.sd == pytest.approx(np.sqrt(100 / 99))
    # A fifth of all users, over three calendar days.
    day = pd.Series(pd.to_datetime(["2026-01-01 00:00", "2026-01-03 12:00"] * 50))
    timed = wb.sample_size(np.array([0.0, 2.0] * 50), np.arange(100), 0.25, at=day, share=0.2)
    assert (timed.users, timed.users_a_day, timed.days) == (508, pytest.approx(500 / 3), 4)
    assert wb.sample_size(np.ones(9), np.arange(9), 1.0).users == 4


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"effect": 0}, "effect must be"),
        ({"effect": 1.0, "power": 1.0}, "power and alpha must be chances below 1; got 1.0 and 0.05"),
        ({"effect": 1.0, "users": np.zeros(3)}, "at least 2 users; got 1"),
        ({"effect": 1.0, "earlier": np.ones(3, bool)}, "at least 2 users; got 0"),
        ({"effect": 1.0, "users": np.arange(4)}, r"as in values \(3,\); got users \(4,\)"),
        ({"effect": 1.0, "at": pd.Series(pd.to_datetime(["2026-01-01"]))}, r"got at \(1,\)"),
    ],
)
def test_what_cannot_be_is_refused(given, said):
    given = {"values": np.arange(3.0), "users": np.arange(3)} | given
    with pytest.raises(wb.WorkbenchError, match=said):
        wb.sample_size(**given)


def test_an_effect_too_small_to_be_tested_is_refused():
    with pytest.raises(wb.WorkbenchError, match="too small to be tested"):
        wb.sample_size(np.arange(4.0), np.arange(4), 1e-300)
