"""What another policy would have earned, from a log of options that were drawn with known chances (propensities).

Nothing is replayed: only what was sent and measured counts, so that a policy's own effect on the network is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from workbench.datasets.splits import FEWEST_USERS
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import HALF_WIDTH, Interval, clustered_error
from workbench.evidence.experiment import MISMATCH
from workbench.features.encoding import is_numeric

FEWEST_EFFECTIVE = 100.0  # views
RARE = 0.5  # of the weight that is expected
ROUNDING = 1e-9
SPAN = ["estimate", "low", "high"]
MOST_LEVELS = 254  # of a category, in scikit-learn's trees
DOUBT = float(norm.ppf(1 - MISMATCH / 2))  # standard errors


@dataclass(frozen=True)
class OffPolicy:
    """Mean reward a view of another policy, by three estimators with 95 % intervals, users as wholes.

    ``ips``: weights ``pi(taken) / propensity`` (Horvitz & Thompson 1952). ``snips``: the same over the sum of weights,
    a little biased and steadier (Swaminathan & Joachims 2015). ``doubly_robust``: expected rewards, corrected by the
    weighted errors of what was taken (Dudik, Langford & Li 2011); None without expected rewards. ``logged`` is the
    reward of the policy that ran. ``mean_weight`` is 1 where propensities are right; ``effective_views`` are as many
    equally weighted views (Kish 1965), ``heaviest`` is the largest weight, ``followed`` the share of views in which
    the policy would have sent what was sent. One chance a view cannot show all that could be sent: where the policy
    picks, in up to ``unsupported`` of the views, what had no chance, nothing here would tell. ``left_out`` are
    sentences about views of the log that do not count.
    """

    ips: Interval
    snips: Interval
    doubly_robust: Interval | None
    logged: Interval
    mean_weight: Interval
    effective_views: float
    heaviest: float
    followed: float
    unsupported: float
    left_out: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One row an estimator: ``estimate, low, high``."""
        rows = {"as logged": self.logged, "IPS": self.ips, "self-normalised": self.snips}
        rows |= {"doubly robust": self.doubly_robust} if self.doubly_robust else {}
        return pd.DataFrame([[each.estimate, each.low, each.high] for each in rows.values()], [*rows], SPAN)


def off_policy_value(  # noqa: PLR0917 - a view's columns
    reward: np.ndarray,
    taken: np.ndarray,
    wanted: np.ndarray,
    propensity: np.ndarray,
    users: np.ndarray,
    expected: np.ndarray | None = None,
    usual: np.ndarray | None = None,
) -> OffPolicy:
    """Estimate the mean reward of a policy from a log of another.

    Parameters
    ----------
    reward : array of float, shape (views,)
        Of the option that was taken.
    taken : array of int, shape (views,)
        Its number.
    wanted : array of int, shape (views,), or of float, shape (views, options)
        The option that the policy picks, or its chances of each.
    propensity : array of float, shape (views,)
        Chance with which the option taken had been drawn: above 0, up to 1.
    users : array, shape (views,)
        Whose view it is.
    expected : array of float, shape (views, options), optional
        Reward to be expected of each option, by context alone, from other users: :func:`expected_rewards`.
    usual : array of float, shape (views,), optional
        Weight to be expected in the same way: where it is small, the policy may pick what was hardly ever sent.

    Raises
    ------
    WorkbenchError
        Where the policy picks options that could not be drawn there, propensities do not fit, or too few views count.

    Examples
    --------
    >>> users, taken = np.arange(400), np.tile([0, 1], 200)
    >>> off_policy_value(3.0 * taken, taken, np.ones(400, int), np.full(400, 0.5), users).ips.estimate
    3.0
    """
    wrong = ~((propensity > 0) & (propensity <= 1))
    if wrong.any():
        raise WorkbenchError(
            f"propensity must be the chance with which what was sent was drawn, above 0 and up to 1; "
            f"{wrong.sum():,} of {len(wrong):,} views differ. Leave out views that were not drawn."
        )
    row = np.arange(len(taken))
    if wanted.ndim == 1:
        chosen, wanted = wanted, np.zeros((len(taken), int(max(taken.max(), wanted.max())) + 1))
        wanted[row, chosen] = 1.0
    _refuse_unsupported(taken, wanted, propensity)
    _, who = np.unique(users, return_inverse=True)
    views = np.bincount(who)
    if len(views) < FEWEST_USERS:
        raise WorkbenchError(f"the log must hold {FEWEST_USERS} users or more; got {len(views):,}.")

    def ratio(values: np.ndarray, over: np.ndarray | None = None, errors: float = HALF_WIDTH) -> Interval:
        totals, sizes = np.bincount(who, values), views if over is None else np.bincount(who, over)
        mean, error = float(totals.sum() / sizes.sum()), float(clustered_error(totals[None], sizes)[0])
        return Interval(mean, mean - errors * error, mean + errors * error, len(sizes))

    followed = wanted[row, taken]
    weight = followed / propensity
    if usual is not None:
        _refuse_rarely_sent(weight, usual, users)
    effective = float(weight.sum() ** 2 / (weight @ weight)) if weight.any() else 0.0
    if not effective >= FEWEST_EFFECTIVE:
        raise WorkbenchError(
            f"the log says too little of this policy: its weighted views count as {effective:,.0f} equal ones, "
            f"{FEWEST_EFFECTIVE:.0f} are needed. Log more views, or draw what it picks more often."
        )
    doubt = ratio(weight, errors=DOUBT)
    if abs(doubt.estimate - 1) > doubt.half_width + ROUNDING:
        raise WorkbenchError(
            f"propensities do not fit what was sent: the weights average {doubt.estimate:.3f}, where 1 is expected "
            f"({doubt.low:.3f} to {doubt.high:.3f}). Below 1, that is the share of views in which the policy picks "
            "what could be drawn there. Check how propensity is logged, or take a policy within what was drawn."
        )
    robust = None
    if expected is not None:
        by_policy = (wanted * expected[:, : wanted.shape[1]]).sum(axis=1)
        robust = ratio(by_policy + weight * (reward - expected[row, taken]))
    return OffPolicy(
        ips=ratio(weight * reward),
        snips=ratio(weight * reward, weight),
        doubly_robust=robust,
        logged=ratio(reward),
        mean_weight=ratio(weight),
        effective_views=effective,
        heaviest=float(weight.max()),
        followed=float(followed.mean()),
        unsupported=float(np.clip(1 - ratio(weight).low, 0, 1)),
    )


def _refuse_rarely_sent(weight: np.ndarray, usual: np.ndarray, users: np.ndarray) -> None:
    """Refuse a policy that picks, in views that context tells apart, what is sent there too rarely or never.

    ``weight`` (views,) is 1 / propensity where what was sent is what the policy picks, else 0: 1 on average wherever
    every pick had its chance. ``usual`` is the weight to be expected by context, learnt on other users. Where that is
    under a half, the mean weight may not be below 1 (p under 0.001).
    """
    rare = usual < RARE
    if len(np.unique(users[rare])) < FEWEST_USERS:
        return
    _, who = np.unique(users[rare], return_inverse=True)
    totals, views = np.bincount(who, weight[rare]), np.bincount(who)
    mean, error = totals.sum() / views.sum(), float(clustered_error(totals[None], views)[0])
    if mean + DOUBT * error < 1:
        raise WorkbenchError(
            f"the log cannot tell what this policy would earn: in {100 * rare.mean():.1f} % of the views it picks what "
            f"was sent there {mean:.2f} times as often as propensities say. Take another policy, or draw every option."
        )


def _refuse_unsupported(taken: np.ndarray, wanted: np.ndarray, propensity: np.ndarray) -> None:
    """Refuse where a policy picks what was never sent, or something else where what was sent was certain."""
    never = ~np.isin(np.arange(wanted.shape[1]), taken)
    elsewhere = np.where(propensity >= 1 - ROUNDING, 1 - wanted[np.arange(len(taken)), taken], 0.0)
    missing = np.maximum(wanted[:, never].sum(axis=1), elsewhere)
    if missing.any():
        raise WorkbenchError(
            f"the log cannot tell what this policy would earn: in {100 * missing.mean():.1f} % of the views it picks "
            "what had no chance of being sent there. Take another policy, or draw every option at times."
        )


def expected_rewards(
    context: pd.DataFrame, reward: np.ndarray, taken: np.ndarray, options: int, users: np.ndarray, *, seed: int = 0
) -> np.ndarray:
    """Reward to be expected of each option by context alone, learnt on the other half of the users: shape (views,
    options).

    One regression an option, by scikit-learn's boosted trees; an option that a half never saw has the other's mean
    reward. Halves keep a view's own outcome out of what is expected in it (cross-fitting: Chernozhukov et al. 2018).
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    _, who = np.unique(users, return_inverse=True)
    half = np.random.default_rng(seed).integers(0, 2, who.max() + 1)[who]
    features = pd.DataFrame({name: _feature(values) for name, values in context.items()}, index=context.index)
    features = features.loc[:, features.notna().any()]
    found = np.full((len(reward), options), float(reward.mean()))
    for part in (0, 1):
        learnt = half != part
        for option in range(options):
            rows = learnt & (taken == option)
            if not rows.any():
                continue
            found[~learnt, option] = reward[rows].mean()
            if features.shape[1] and rows.sum() >= FEWEST_EFFECTIVE:
                trees = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=seed)
                found[~learnt, option] = trees.fit(features[rows], reward[rows]).predict(features[~learnt])
    return found


def _feature(values: pd.Series) -> pd.Series:
    """Numbers as they are; else the commonest levels as categories."""
    if is_numeric(values):
        numbers = values.astype(float)
        return numbers.where(np.isfinite(numbers))
    texts = values.astype(object).map(str, na_action="ignore")
    common = texts.value_counts().index[:MOST_LEVELS]
    return texts.where(texts.isin(common)).astype(pd.CategoricalDtype(common))
