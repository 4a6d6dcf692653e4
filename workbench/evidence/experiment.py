"""An A/B test, from sums by user: was it drawn as planned, what did an arm change, and did an offline estimate hold?

Users are drawn, views are counted: every mean is a ratio of sums, and its error is that of whole users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chisquare

from workbench.evidence.bootstrap import HALF_WIDTH, Interval
from workbench.evidence.sample_size import linearised

# Kohavi, Tang & Xu 2020, Trustworthy Online Controlled Experiments, ch. 21.
MISMATCH = 0.001
FEWEST_USERS = 100  # in an arm
HELD, FAILED, OPEN = "held", "did not hold", "is not contradicted, and not confirmed"


@dataclass(frozen=True)
class Effect:
    """What an arm changed: ``difference`` is its mean a view minus that of the control arm, which is ``control``.

    ``variance_saved`` is the share of the variance that CUPED removed; None where nobody has earlier views.
    """

    difference: Interval
    control: float
    variance_saved: float | None


def sample_ratio(users: Sequence[int], planned: Sequence[float]) -> float:
    """Chance of a split at least this far from the planned one, were users drawn as planned: Pearson's chi-squared.

    Below ``MISMATCH``, users were lost or drawn otherwise, and no difference between arms can be trusted (Fabijan et
    al. 2019, Diagnosing Sample Ratio Mismatch in Online Controlled Experiments).

    >>> round(sample_ratio([821_588, 815_482], [1, 1]), 7)
    1.8e-06
    """
    shares = np.asarray(planned, float) / np.max(planned)
    expected = np.sum(users) * shares / shares.sum()
    return float(chisquare(users, expected).pvalue)


def count_effective(views: Sequence[float]) -> float:
    """As how many users with equally many views these count: ``(sum v)^2 / sum v^2`` (Kish 1965, Survey Sampling).

    Where a few users have most of the views, the error of a mean is theirs, and normal intervals are too short.

    >>> count_effective([2, 2, 2, 2]), count_effective([97, 1, 1, 1])
    (4.0, 1.062473438164046)
    """
    sizes = np.asarray(views, float)
    return float(sizes.sum() ** 2 / (sizes @ sizes))


def measure_effect(
    totals: np.ndarray,
    views: np.ndarray,
    treated: np.ndarray,
    earlier: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    errors: float = HALF_WIDTH,
) -> Effect:
    """Mean a view among treated users minus that among the others, with its interval.

    Arrays have shape (users,): ``totals`` adds up a metric over each user's ``views`` (at least 1), ``treated`` (bool)
    says who is in the arm; ``earlier`` is both sums over views from before the test, 0 for who has none. ``errors`` is
    how many standard errors the interval reaches to either side.

    The error is that of a ratio of sums in two independent groups (delta method: Deng, Knoblich & Lu 2018, Applying the
    Delta Method in Metric Analytics, section 3). Earlier views take off what they explain, ``theta`` times how far
    apart the arms were before (CUPED: Deng, Xu, Kohavi & Walker 2013, section 3); ``theta`` is one slope within arms.

    >>> measure_effect(np.array([2.0, 4, 1, 1]), np.array([1, 1, 1, 1]), np.array([True, True, False, False])).control
    1.0
    """
    arms = treated, ~treated
    means = [totals[arm].sum() / views[arm].sum() for arm in arms]
    own, past = np.empty(len(totals)), np.zeros(len(totals))
    for arm in arms:
        own[arm] = linearised(totals[arm], views[arm])
    if earlier is not None and earlier[1].any():
        past = linearised(*earlier)
    ahead = past[treated].mean() - past[~treated].mean()
    for arm in arms:
        past[arm] -= past[arm].mean()
    slope = (own @ past) / (past @ past) if past.any() else 0.0
    plain, adjusted = (sum(each[arm].var(ddof=1) / arm.sum() for arm in arms) for each in (own, own - slope * past))
    estimate, reach = means[0] - means[1] - slope * ahead, errors * np.sqrt(adjusted)
    return Effect(
        difference=Interval(float(estimate), float(estimate - reach), float(estimate + reach), len(totals)),
        control=float(means[1]),
        variance_saved=float(1 - adjusted / plain) if past.any() and plain else None,
    )


def compare_estimate(measured: Interval, estimate: Interval, margin: float) -> tuple[Interval, str]:
    """What was measured minus what had been estimated on other views, and a word for whether the estimate held.

    Both errors are taken to be independent. It held where the interval of the gap lies inside the margin (Schuirmann
    1987), and did not hold where that interval excludes 0 and reaches past the margin.

    >>> compare_estimate(Interval(2.0, 1.5, 2.5, 900), Interval(2.2, 1.9, 2.5, 900), margin=1.0)[1]
    'held'
    """
    gap = measured.estimate - estimate.estimate
    low = gap - np.hypot(measured.estimate - measured.low, estimate.high - estimate.estimate)
    high = gap + np.hypot(measured.high - measured.estimate, estimate.estimate - estimate.low)
    inside, apart = -margin < low and high < margin, low > 0 or high < 0
    return Interval(gap, float(low), float(high), measured.clusters), HELD if inside else FAILED if apart else OPEN
