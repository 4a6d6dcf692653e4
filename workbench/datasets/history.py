"""What the server remembers, and what it cannot see: history from earlier views, and masking.

Masking stands for browsers that tell nothing in time: it takes the signal from whole users, and from first views.
Masks come before history, history before splits, so that nothing leaks through either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.datasets.schema import MEASURED, SIGNALS
from workbench.errors import WorkbenchError, check_whole

REMEMBERED = ("rtt_ms", "downlink_mbps")
HISTORY = ("last_rtt_ms", "last_downlink_mbps", "last_age_s", "earlier_views")


@dataclass(frozen=True)
class Mask:
    """Whom the signal is taken from.

    Parameters
    ----------
    users : float
        Share of users whose network is never visible in time: no NetInfo, no history, no measurement to learn from.
        Browsers differ by user, not by view.
    first_views : bool
        Whether every user's first view comes without NetInfo.
    slow_biased : bool
        Whether slow users are masked more often: drawn at a rate in proportion to the rank of their mean slowness.
    seed : int

    Raises
    ------
    WorkbenchError
        Where ``users`` is not from 0 to below 1.
    """

    users: float = 0.3
    first_views: bool = True
    slow_biased: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("seed of a mask", self.seed, at_least=0)
        if not 0 <= self.users < 1:
            raise WorkbenchError(f"the masked share of users must be from 0 to below 1; got {self.users!r}.")


def has_time(frame: pd.DataFrame) -> bool:
    """Whether views can be put in order: a user and a time in every row."""
    return all(name in frame and frame[name].notna().all() for name in ("user_id", "measured_at"))


def masked_users(frame: pd.DataFrame, mask: Mask) -> np.ndarray:
    """Rows of masked users (boolean, shape (rows,)); whole users are drawn by the mask's seed."""
    codes, users = pd.factorize(frame["user_id"])
    rng = np.random.default_rng(mask.seed)
    order = rng.random(len(users))
    if mask.slow_biased:
        # Exponential races: who runs at twice the rate is drawn twice as often (Efraimidis & Spirakis 2006).
        order = -np.log(order) / _slowness_rank(frame, codes)
    drawn = np.argsort(order, kind="stable")[: round(mask.users * len(users))]
    return np.isin(codes, drawn)


def apply_mask(frame: pd.DataFrame, mask: Mask) -> tuple[pd.DataFrame, np.ndarray]:
    """Blank the signals of masked users and of first views.

    Returns
    -------
    frame : DataFrame
        A copy; measured columns stay, for replay.
    hidden : ndarray of bool, shape (rows,)
        Rows of masked users: nothing may be learnt from what they measured.
    """
    hidden = masked_users(frame, mask)
    blank = hidden | (_is_first_view(frame) if mask.first_views else False)
    signals = [name for name in SIGNALS if name in frame]
    return frame.assign(**{name: frame[name].mask(blank) for name in signals}), hidden


def add_history(frame: pd.DataFrame, hidden: np.ndarray | None = None) -> pd.DataFrame:
    """Add what earlier views of the same user measured: backwards only, strictly earlier in time.

    Parameters
    ----------
    frame : DataFrame
        With ``user_id`` and ``measured_at`` in every row.
    hidden : ndarray of bool, shape (rows,), optional
        Rows that leave no trace: masked users.

    Returns
    -------
    DataFrame
        A copy with ``last_rtt_ms, last_downlink_mbps`` (of the last view that measured; missing where there is
        none), ``last_age_s`` (how long ago), ``earlier_views`` (how many there were).
    """
    values = [frame[name].to_numpy(float) if name in frame else np.full(len(frame), np.nan) for name in REMEMBERED]
    seen = np.any(np.isfinite(values), axis=0) & (True if hidden is None else ~hidden)
    codes = pd.factorize(frame["user_id"])[0]
    seconds = (frame["measured_at"] - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy()
    order = np.lexsort((seconds, codes))
    codes, seconds_sorted, seen_sorted = codes[order], seconds[order], seen[order]
    position = np.arange(len(order))
    new_user = np.r_[True, codes[1:] != codes[:-1]]
    new_time = new_user | np.r_[True, seconds_sorted[1:] != seconds_sorted[:-1]]
    user_start = np.maximum.accumulate(np.where(new_user, position, 0))
    # The row before those of the same moment: what happens at once is not yet remembered.
    before = np.maximum.accumulate(np.where(new_time, position, 0)) - 1
    last_seen = np.maximum.accumulate(np.where(seen_sorted, position, -1))
    found = np.where(before >= 0, last_seen[before], -1)
    known = found >= user_start
    counted = np.concatenate([[0], np.cumsum(seen_sorted)])
    history = np.full((len(order), len(HISTORY)), np.nan)
    for column, value in enumerate(values):
        finite = np.where(np.isfinite(value), value, np.nan)[order]
        history[order, column] = np.where(known, finite[found], np.nan)
    history[order, 2] = np.where(known, seconds_sorted - seconds_sorted[found], np.nan)
    history[order, 3] = counted[before + 1] - counted[user_start]
    return frame.assign(**dict(zip(HISTORY, history.T, strict=True)))


def _is_first_view(frame: pd.DataFrame) -> np.ndarray:
    if "measured_at" not in frame:
        return ~frame["user_id"].duplicated().to_numpy()
    first = frame.groupby("user_id")["measured_at"].transform("min")
    return (frame["measured_at"] == first).to_numpy()


def _slowness_rank(frame: pd.DataFrame, codes: np.ndarray) -> np.ndarray:
    """Rank of each user's mean slowness among users, 0 to 1, summed over the measured quantities."""
    total = np.zeros(codes.max(initial=-1) + 1)
    for name in MEASURED:
        if name in frame:
            slow = -frame[name] if name == "downlink_mbps" else frame[name]
            total += slow.rank(pct=True).groupby(codes).mean().fillna(0.5).to_numpy()
    return pd.Series(total).rank(pct=True).to_numpy()
