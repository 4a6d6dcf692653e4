"""From an interval to words: verdict, safety, and what to do next. Each is a rule that can be read in full here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import beta, nbinom, norm

from workbench.evidence.bootstrap import LEVEL, Interval, cluster_interval
from workbench.evidence.sample_size import POWER

BETTER, WORSE, EQUIVALENT, INCONCLUSIVE = "better", "worse", "equivalent", "inconclusive"
TOO_LITTLE, TOO_FEW = "better, but too little to matter", "too few to tell"
UNSETTLED = (INCONCLUSIVE, TOO_FEW)
GAINS = (BETTER, TOO_LITTLE)
LEAST_FIRST = (WORSE, EQUIVALENT, TOO_FEW, INCONCLUSIVE, TOO_LITTLE, BETTER)  # to the model's favour last
SAFE, NOT_SHOWN, HARMFUL = "safe", "not_shown", "harmful"
SHIP_RULE, KEEP_TODAY = "ship_rule", "keep_today"
TEST_MODEL, USE_RULE, LITTLE_TO_WIN, COLLECT = "test_model", "use_rule", "little_to_win", "collect"
# With 50 to 100 users who met a different outcome, 95 % intervals held the truth in 43 to 74 % of simulated worlds in
# which 3 % of views differ; from 100 on in 91 to 95 %. BCa and bootstrap-t did not mend it.
FEWEST_DIFFERING = 100
FEWEST_SLOW_USERS = 20
SLOWEST_SHARE = 0.2
TOLERATED_SHARE, TOLERATED_MS = 0.1, 1.0
UPPER = (1 + LEVEL) / 2
SMALLEST_DIFFERENCE = 1e-9  # of the largest one: less is rounding


@dataclass(frozen=True)
class Differing:
    """How many users met a different outcome, and how far apart the means can be, given that.

    ``users`` of ``of`` have a difference other than 0. ``bound`` needs no resampling: however they differ, the mean
    difference a view lies between ``-bound`` and ``bound``, with 97.5 % confidence.
    """

    users: int
    of: int
    bound: float


def count_differing(difference: np.ndarray, users: np.ndarray, largest: float) -> Differing:
    """Count the users who met a different outcome, and bound the mean difference by it.

    ``difference`` is that of each view, shape (rows,), ``users`` says whose view it is, and ``largest`` is the largest
    difference that a user's mean can have in the scenario. Users who do not differ add nothing to the sum of all views'
    differences, the others at most ``largest`` a view. The share of users who differ is at most the upper 97.5 % limit
    of Clopper & Pearson 1934; those who differ are taken to be the users with most views.

    >>> count_differing(np.zeros(1000), np.arange(1000), largest=100.0)
    Differing(users=0, of=1000, bound=0.4)
    """
    _, who = np.unique(users, return_inverse=True)
    views, sums = np.bincount(who), np.abs(np.bincount(who, difference))
    differ, n = int(np.count_nonzero(sums > SMALLEST_DIFFERENCE * sums.max(initial=0.0))), len(views)
    limit = float(beta.ppf(UPPER, differ + 1, n - differ)) if differ < n else 1.0
    heaviest = np.sort(views)[::-1][: math.ceil(limit * n)]
    return Differing(differ, n, largest * float(heaviest.sum() / views.sum()))


def judge_difference(difference: Interval, margin: float, differing: Differing) -> str:
    """Judge a difference in net against the smallest difference that matters.

    With fewer than 100 users who met a different outcome the interval is not to be trusted: equivalent where the bound
    that needs none lies inside the margin, else too few to tell. Then: inside the margin: equivalent (an interval
    inside the margin: Schuirmann 1987). Above 0: better, where the estimate reaches the margin, else better, but too
    little to matter. Below 0: worse. Else inconclusive.

    >>> judge_difference(Interval(0.2, -0.4, 0.8, 500), 1.0, Differing(400, 500, 90.0))
    'equivalent'
    """
    if differing.users < FEWEST_DIFFERING:
        return EQUIVALENT if differing.bound < margin else TOO_FEW
    if -margin < difference.low and difference.high < margin:
        return EQUIVALENT
    if difference.low > 0:
        return BETTER if difference.estimate >= margin else TOO_LITTLE
    if difference.high < 0:
        return WORSE
    return INCONCLUSIVE


@dataclass(frozen=True)
class Judgement:
    """A difference in net, how many users met a different outcome, and the word for it."""

    difference: Interval
    differing: Differing
    word: str


def judge(gained: np.ndarray, users: np.ndarray, margin: float, largest: float, seed: int = 0) -> Judgement:
    """Judge what each view gained, shape (rows,); see :func:`judge_difference` and :func:`count_differing`."""
    interval, differing = cluster_interval(gained, users, seed=seed), count_differing(gained, users, largest)
    return Judgement(interval, differing, judge_difference(interval, margin, differing))


@dataclass(frozen=True)
class Verdict:
    """The model against the best rule, and against the rule that settles the verdict: its place among the rivals."""

    over_best: Judgement
    settled: Judgement
    place: int


def judge_rivals(against: Iterable[Judgement]) -> Verdict:
    """Judge a model against the best rule, and, where that shows a gain, against each of its rivals.

    ``against`` is the model against the best rule, then against the rules that cannot be told from it before test (95 %
    interval of the paired difference): which of them led there was chance. A gain stands only where it stands against
    each (intersection-union test, Berger 1982). Where it does not, the least favourable word is the verdict, of equal
    words that of the first; as a finding about that rule, one of several, it is exploratory. ``make evidence`` counts
    what that changes in worlds with nothing to find.
    """
    judged = iter(against)
    first = next(judged)
    every = [first, *judged] if first.word in GAINS else [first]
    place = min(range(len(every)), key=lambda at: LEAST_FIRST.index(every[at].word))
    return Verdict(first, every[place], place)


def users_to_settle(difference: Interval, margin: float, differing: Differing) -> int | None:
    """Users with whom a verdict is reached in 80 % of studies, were the difference what it seems.

    None where nobody met a different outcome, which says nothing of how many would.

    The estimate is taken to be normal around ``d``, its standard error to shrink with the root of the users. A verdict
    is missed where the interval holds 0 and reaches beyond the margin: ``margin - h <= |estimate| <= h`` for a
    half-width ``h``. For a large ``d`` that is the textbook's ``n (h (1.96 + 0.84) / (1.96 d))^2``. At least 100 users
    must differ, too, in 80 % of studies; and where nothing is settled yet, there were too few.

    >>> users_to_settle(Interval(2.0, -2.0, 6.0, 400), 1.0, Differing(400, 400, 9.0))
    3270
    """
    if not differing.users:
        return None
    z, d = norm.ppf(UPPER), abs(difference.estimate)
    half = np.geomspace(margin / 2, max(difference.half_width, margin, d), 20_000)  # up to margin / 2 none is missed
    error = half / z
    inner = np.maximum(margin - half, 0.0)
    missed = sum(norm.cdf((half - at) / error) - norm.cdf((inner - at) / error) for at in (d, -d))
    wide = half[: max(1, int(np.argmax(np.append(missed, 1.0) > 1 - POWER)))][-1]
    needed = difference.clusters * (difference.half_width / wide) ** 2
    share = differing.users / differing.of
    enough = FEWEST_DIFFERING + float(nbinom.ppf(POWER, FEWEST_DIFFERING, share)) if share < 1 else FEWEST_DIFFERING
    unsettled = judge_difference(difference, margin, differing) in UNSETTLED
    return math.ceil(max(needed, enough, differing.of + 1 if unsettled else 0))


@dataclass(frozen=True)
class Safety:
    """What the model does to those who wait most.

    ``added_wait`` is the interval of the model's excess wait minus the best rule's (ms a view) among the slowest
    fifth of users; ``tolerance_ms`` is what may be added before it counts as harm; ``differing`` says how many of these
    users wait otherwise.
    """

    word: str
    added_wait: Interval
    tolerance_ms: float
    differing: Differing


def slowest_fifth(smallest_load_ms: np.ndarray, users: np.ndarray) -> np.ndarray:
    """Views of the fifth of users whose smallest rendition takes longest on average (boolean, shape (rows,)).

    No policy enters, so the same people are looked at whatever is compared. A view whose probe was lost counts as the
    longest load of all others, so that one lost probe does not outweigh all else.
    """
    longest = smallest_load_ms[np.isfinite(smallest_load_ms)].max(initial=0.0)
    mean_load = pd.Series(np.minimum(smallest_load_ms, longest)).groupby(users).mean()
    slowest = mean_load.nlargest(max(1, round(SLOWEST_SHARE * len(mean_load)))).index
    return np.isin(users, slowest)


def tolerated_ms(wait_ms: float) -> float:
    """What may be added to a mean wait before it counts as harm: a tenth of it, at least 1 ms."""
    return max(TOLERATED_SHARE * wait_ms, TOLERATED_MS)


def judge_safety(model_wait_ms: np.ndarray, rule_wait_ms: np.ndarray, users: np.ndarray, seed: int = 0) -> Safety:
    """Compare excess waits of the slowest fifth; all arrays hold their views only, shape (rows,).

    Tolerance is a tenth of the rule's wait there, at least 1 ms. Harmful: the interval lies above it. Safe: below it,
    with 100 users who wait otherwise, as for a verdict, or a bound below it that needs none (the largest wait seen is
    taken to be the largest there is). Else, and where they are fewer than 20 users, not shown.
    """
    added = cluster_interval(model_wait_ms - rule_wait_ms, users, seed=seed)
    tolerance = tolerated_ms(float(np.mean(rule_wait_ms)))
    differing = count_differing(model_wait_ms - rule_wait_ms, users, max(model_wait_ms.max(), rule_wait_ms.max()))
    shown = differing.users >= FEWEST_DIFFERING or differing.bound < tolerance
    word = HARMFUL if added.low > tolerance else SAFE if added.high < tolerance and shown else NOT_SHOWN
    if added.clusters < FEWEST_SLOW_USERS:
        word = NOT_SHOWN  # so few resamples alike that their interval says nothing
    return Safety(word, added, tolerance, differing)


@dataclass(frozen=True)
class SlowestUsers:
    """What happens to those who wait longest: mean wait a view (ms) with each policy, and two paired intervals.

    ``rule_added_wait`` is the wait of the best rule minus today's (ms a view), ``gain`` the net of the model minus the
    best rule's.
    """

    today_ms: float
    rule_ms: float
    model_ms: float
    rule_added_wait: Interval
    gain: Interval


@dataclass(frozen=True)
class Recommendation:
    """Two answers: ``ship``, whether to ship the best rule in place of today's, and ``action``, what to do about the
    model. Both are among the words above.
    """

    ship: str
    action: str


def recommend(
    model: Judgement, safety: Safety, rule_word: str, *, headroom: Judgement, margin: float
) -> Recommendation:
    """Answer both questions.

    The best rule is shipped where its gain over today's (``rule_word``) is better. About the model, in this order of
    precedence: harm to the slowest, or nobody who meets another outcome; too little headroom, which is the net of
    perfect knowledge minus the best rule's; better; unsettled; else the rule serves as well.
    """
    ship, word = SHIP_RULE if rule_word == BETTER else KEEP_TODAY, model.word
    if safety.word == HARMFUL or not model.differing.users:
        return Recommendation(ship, USE_RULE)
    shown = headroom.differing.users >= FEWEST_DIFFERING or headroom.differing.bound < margin
    if headroom.difference.high < margin and shown:
        return Recommendation(ship, LITTLE_TO_WIN)
    actions = {BETTER: TEST_MODEL, INCONCLUSIVE: COLLECT, TOO_FEW: COLLECT}
    return Recommendation(ship, actions.get(word, USE_RULE))
