"""How many users an A/B test needs: two separate groups, the variance between users, days at the data's own traffic."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from workbench.checked import checked
from workbench.errors import WorkbenchError, check_above_0

POWER, ALPHA = 0.8, 0.05  # Cohen 1988, ch. 2; Kohavi, Tang & Xu 2020, ch. 17
MOST_USERS = 1e12  # more users than there are people: a larger test is refused


@dataclass(frozen=True)
class SampleSize:
    """An A/B test of two equal groups.

    ``users`` counts both groups; ``effect`` is the smallest difference in the metric to be found, with ``power``, by a
    two-sided test at ``alpha``. ``mean`` and ``sd`` are those of the metric, the latter between users. ``users_a_day``
    and ``days`` are None without times; ``variance_saved`` (a share) and ``users_with_history``, the same test with
    CUPED, are None where nobody has earlier views.
    """

    users: int
    effect: float
    power: float
    alpha: float
    mean: float
    sd: float
    users_a_day: float | None = None
    days: int | None = None
    variance_saved: float | None = None
    users_with_history: int | None = None


@checked
def sample_size(
    values: np.ndarray,
    users: np.ndarray,
    effect: float,
    *,
    at: pd.Series | None = None,
    share: float = 1.0,
    earlier: np.ndarray | None = None,
    power: float = POWER,
    alpha: float = ALPHA,
) -> SampleSize:
    """Users that an A/B test needs, of a metric that is a mean over views while users are assigned to groups.

    ``n = 4 sd^2 (z_(1 - alpha/2) + z_power)^2 / effect^2`` in both groups together (Cohen 1988, ch. 2; Kohavi, Tang &
    Xu 2020, Trustworthy Online Controlled Experiments, ch. 17), where ``sd`` is the standard deviation between users of
    ``(sum of values - mean * views) / mean views``: the delta method for a ratio metric (Deng, Knoblich & Lu 2018,
    Applying the Delta Method in Metric Analytics, section 3). Earlier views of the same users remove ``rho^2`` of the
    variance, ``rho`` being the correlation between a user's metric before and in the test, 0 for those who are new
    (CUPED: Deng, Xu, Kohavi & Walker 2013, Improving the Sensitivity of Online Controlled Experiments, section 3).

    Parameters
    ----------
    values : array of float, shape (rows,)
        The metric of each view, such as ``result.of("best_rule").outcomes["net"]``.
    users : array, shape (rows,)
        Whose view it is.
    effect : float
        The smallest difference worth finding, in the units of ``values``.
    at : Series of datetime, shape (rows,), optional
        When each view came: users a day are these users over the calendar days that they came in. New users are taken
        to keep coming at that rate; where many return, a long test takes longer.
    share : float
        The share of the traffic that these users are, above 0.
    earlier : array of bool, shape (rows,), optional
        Views from before the test: they are no part of the metric, and serve CUPED alone.
    power, alpha : float
        Chance to find the effect; chance to find one where there is none.

    Raises
    ------
    WorkbenchError
        Where a number cannot be, arrays are of unequal length, or fewer than two users have views.

    Examples
    --------
    >>> sample_size(np.array([0.0, 2.0] * 50), np.arange(100), effect=0.5).users
    128
    """
    for name, value in (("effect", effect), ("share", share), ("power", power), ("alpha", alpha)):
        check_above_0(name, value)
    if power >= 1 or alpha >= 1:
        raise WorkbenchError(f"power and alpha must be chances below 1; got {power!r} and {alpha!r}.")
    rows = {
        name: np.shape(each) for name, each in (("users", users), ("at", at), ("earlier", earlier)) if each is not None
    }
    if uneven := [f"{name} {shape}" for name, shape in rows.items() if shape != np.shape(values) or len(shape) != 1]:
        raise WorkbenchError(f"expected one entry a view, as in values {np.shape(values)}; got {', '.join(uneven)}.")
    _, who = np.unique(users, return_inverse=True)
    before = np.zeros(len(who), bool) if earlier is None else np.asarray(earlier, bool)
    values, people = np.asarray(values, float), len(np.unique(who[~before]))
    if people < 2:
        raise WorkbenchError(f"a sample size needs the views of at least 2 users; got {people}.")
    metric = _by_user(values, who, ~before)
    tested = np.bincount(who[~before], minlength=len(metric)) > 0
    sd = float(metric[tested].std(ddof=1))
    with np.errstate(over="ignore"):
        needed = 4 * (sd * (norm.ppf(1 - alpha / 2) + norm.ppf(power)) / effect) ** 2
    if not needed < MOST_USERS:
        raise WorkbenchError(f"an effect of {effect:g} is too small to be tested: it would take {needed:.1g} users.")
    a_day = None if at is None else people / share / _calendar_days(at[~before])
    saved = _variance_saved(metric[tested], _by_user(values, who, before)[tested]) if before.any() else None
    return SampleSize(
        users=_even(needed),
        effect=effect,
        power=power,
        alpha=alpha,
        mean=float(values[~before].mean()),
        sd=sd,
        users_a_day=a_day,
        days=None if a_day is None else math.ceil(_even(needed) / a_day),
        variance_saved=saved,
        users_with_history=None if saved is None else _even((1 - saved) * needed),
    )


def _by_user(values: np.ndarray, who: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """What each user adds to the mean over the counted views; 0 for users without one."""
    views = np.bincount(who[counted], minlength=who.max() + 1)
    return linearised(np.bincount(who[counted], values[counted], minlength=len(views)), views)


def linearised(totals: np.ndarray, views: np.ndarray) -> np.ndarray:
    """What each user adds to the mean a view, from sums by user: shape (users,); 0 for users without views."""
    return (totals - totals.sum() / views.sum() * views) / views[views > 0].mean()


def _variance_saved(metric: np.ndarray, history: np.ndarray) -> float | None:
    if not history.any() or not metric.std():
        return None
    return float(np.corrcoef(metric, history)[0, 1] ** 2)


def _calendar_days(at: pd.Series) -> int:
    return int((at.max().normalize() - at.min().normalize()).days) + 1


def _even(users: float) -> int:
    """Two whole groups of the same size."""
    return max(4, 2 * math.ceil(users / 2))
