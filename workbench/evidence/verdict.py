"""From an interval to words: verdict, safety, and what to do next. Each is a rule that can be read in full here."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.evidence.bootstrap import Interval, cluster_interval

BETTER, WORSE, EQUIVALENT, INCONCLUSIVE = "better", "worse", "equivalent", "inconclusive"
SAFE, NOT_SHOWN, HARMFUL = "safe", "not_shown", "harmful"
USE_RULE, LITTLE_TO_WIN, KEEP_TODAY = "use_rule", "little_to_win", "keep_today"
TEST_MODEL, COLLECT = "test_model", "collect"
FEWEST_USERS = 100
FEWEST_SLOW_USERS = 20
SLOWEST_SHARE = 0.2
TOLERATED_SHARE, TOLERATED_MS = 0.1, 1.0
# Two-sided test at 5 % with 80 % power: (1.96 + 0.84)^2 (Cohen 1988, ch. 2).
NORMAL_97_5 = 1.959964
POWER_FACTOR = (NORMAL_97_5 + 0.841621) ** 2


def judge_difference(difference: Interval, margin: float) -> str:
    """Judge a difference in net against the smallest difference worth having.

    Fewer than 100 users: inconclusive, whatever the interval, since it cannot know of rare losses that none of them
    met. Inside the margin: equivalent. Else above 0: better; below 0: worse; else inconclusive. (Equivalence by an
    interval inside the margin: Schuirmann 1987.)

    >>> judge_difference(Interval(0.2, -0.4, 0.8, 500), margin=1.0)
    'equivalent'
    """
    if difference.clusters < FEWEST_USERS:
        return INCONCLUSIVE
    if -margin < difference.low and difference.high < margin:
        return EQUIVALENT
    if difference.low > 0:
        return BETTER
    if difference.high < 0:
        return WORSE
    return INCONCLUSIVE


def users_to_settle(difference: Interval, margin: float) -> int:
    """Users whose interval would be narrow enough for a verdict, were the difference what it seems.

    ``ceil(n * (half_width / max(|d|, margin - |d|))^2)``: an interval shrinks with the root of the users.

    >>> users_to_settle(Interval(0.5, -1.5, 2.5, 100), margin=1.0)
    1600
    """
    distance = max(abs(difference.estimate), margin - abs(difference.estimate))
    return max(FEWEST_USERS, math.ceil(difference.clusters * (difference.half_width / distance) ** 2))


def users_for_ab_test(difference: Interval, margin: float) -> int:
    """Lower bound of the users of an A/B test that would see a difference of one margin with 80 % power.

    From the paired standard error of the replay; a real test compares different people, so it needs more.
    """
    paired_variance = difference.clusters * (difference.half_width / NORMAL_97_5) ** 2
    return math.ceil(POWER_FACTOR * paired_variance / margin**2)


@dataclass(frozen=True)
class Safety:
    """What the model does to those who wait most.

    ``added_wait`` is the interval of the model's excess wait minus the best rule's (ms a view) among the slowest
    fifth of users; ``tolerance_ms`` is what may be added before it counts as harm.
    """

    word: str
    added_wait: Interval
    tolerance_ms: float


def slowest_fifth(smallest_load_ms: np.ndarray, users: np.ndarray) -> np.ndarray:
    """Views of the fifth of users whose smallest rendition takes longest on average (boolean, shape (rows,)).

    No policy enters, so the same people are looked at whatever is compared. A view whose probe was lost counts as the
    longest load of all others, so that one lost probe does not outweigh all else.
    """
    longest = smallest_load_ms[np.isfinite(smallest_load_ms)].max(initial=0.0)
    mean_load = pd.Series(np.minimum(smallest_load_ms, longest)).groupby(users).mean()
    slowest = mean_load.nlargest(max(1, round(SLOWEST_SHARE * len(mean_load)))).index
    return np.isin(users, slowest)


def judge_safety(model_wait_ms: np.ndarray, rule_wait_ms: np.ndarray, users: np.ndarray, seed: int = 0) -> Safety:
    """Compare excess waits of the slowest fifth; all arrays hold their views only, shape (rows,).

    Tolerance is a tenth of the rule's wait there, at least 1 ms. Harmful: the interval lies above it; safe: below
    it; else, and where they are fewer than 20 users, not shown.
    """
    added = cluster_interval(model_wait_ms - rule_wait_ms, users, seed=seed)
    tolerance = max(TOLERATED_SHARE * float(np.mean(rule_wait_ms)), TOLERATED_MS)
    word = HARMFUL if added.low > tolerance else SAFE if added.high < tolerance else NOT_SHOWN
    if added.clusters < FEWEST_SLOW_USERS:
        word = NOT_SHOWN  # so few resamples alike that their interval says nothing
    return Safety(word, added, tolerance)


@dataclass(frozen=True)
class Recommendation:
    """What to do next: ``action`` is one of the words above, ``text`` a sentence or two for the people who decide."""

    action: str
    text: str


def recommend(
    word: str,
    safety: Safety,
    *,
    difference: Interval,
    rule_gain: Interval,
    headroom: float,
    margin: float,
    rule: str,
    today: str,
    all_users: int,
    who: str,
    stop: str,
) -> Recommendation:
    """Say what to do next, in this order of precedence.

    Harm to the slowest; too little headroom; better; equivalent or worse (then the rule, or today's where the rule
    is no gain either); inconclusive.

    ``word`` is the verdict. In net: ``difference`` is model minus best rule, ``rule_gain`` best rule minus today's,
    ``headroom`` perfect knowledge minus the best constant. ``rule`` and ``today`` are names; ``all_users`` counts those
    of all parts of the split, ``difference`` those of test, and ``who`` is what they are called; ``stop`` would end an
    A/B test.
    """
    if safety.word == HARMFUL:
        return Recommendation(USE_RULE, f"Use {rule}. The model makes those who wait longest wait longer.")
    if headroom < margin:
        text = (
            "No rule or model can win much here: even perfect knowledge gains less than the smallest gain that matters."
        )
        return Recommendation(LITTLE_TO_WIN, text)
    if word == BETTER:
        users = users_for_ab_test(difference, margin)
        text = f"A/B test the model against {rule}, with at least {users:,} {who} (a lower bound). Stop if {stop}."
        return Recommendation(TEST_MODEL, text)
    if word in (EQUIVALENT, WORSE):
        if rule != today and rule_gain.high < margin:
            text = f"Keep today's {today}: neither the model nor {rule} gains enough over it."
            return Recommendation(KEEP_TODAY, text)
        how = "The model does as well, not better." if word == EQUIVALENT else "The model does worse."
        return Recommendation(USE_RULE, f"Use {rule}. {how}")
    users = round(users_to_settle(difference, margin) * all_users / difference.clusters)
    text = (
        f"Collect more data: {all_users:,} {who} are too few to tell the model from {rule}; about {users:,} would do."
    )
    return Recommendation(COLLECT, text)
