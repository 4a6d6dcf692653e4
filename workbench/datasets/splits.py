"""Train, tune, choose and test: parts of a table, by user or by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.history import Mask, add_history, apply_mask, has_time
from workbench.errors import WorkbenchError, check_whole

TRAIN_SHARE, VALIDATION_SHARE = 0.6, 0.2
SMALLEST_TUNE_USERS = 200
FEWEST_USERS = 20


@dataclass(frozen=True)
class Split:
    """A table in four parts, and the card that came with it.

    ``train`` fits models and rules; ``tune`` stops and calibrates the model (empty where it would hold under 200
    users: it then belongs to train, and out-of-fold predictions serve); ``choose`` picks the best rule, smoothing
    and limits; ``test`` is read once. ``masked_rows`` were left out of ``train`` and ``tune``.
    """

    train: pd.DataFrame
    tune: pd.DataFrame
    choose: pd.DataFrame
    test: pd.DataFrame
    card: Card
    how: str
    seed: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    cluster: str = "user_id"
    mask: Mask | None = None
    masked_rows: int = 0

    def parts(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Name and frame of each part, in the order of use."""
        for name in ("train", "tune", "choose", "test"):
            yield name, getattr(self, name)


def users_of(frame: pd.DataFrame, cluster: str = "user_id") -> np.ndarray:
    """Who each row belongs to, as codes (rows,): the user; the row itself where there is none or it is missing.

    ``cluster`` may name another column, such as ``asn`` for claims about networks never seen.
    """
    if cluster not in frame:
        return np.arange(len(frame))
    codes = pd.factorize(frame[cluster])[0]
    alone = codes < 0
    return np.where(alone, codes.max(initial=-1) + np.cumsum(alone), codes)


def split_by_user(
    frame: pd.DataFrame, seed: int = 0, *, mask: Mask | None = None, cluster: str = "user_id", history: bool = True
) -> Split:
    """Split 60 / 20 / 20 of the users by seed; no user is on two sides.

    Mask first, then history, then split. Validation is halved by user into ``tune`` and ``choose``. Rows without a
    user count as users of their own.

    Parameters
    ----------
    frame : DataFrame
        From ``load`` or ``measurements``.
    seed : int
    mask : Mask, optional
        Whom the signal is taken from; rows of masked users are left out of ``train`` and ``tune``.
    cluster : str
        Column that is kept whole: ``user_id``, or ``asn`` for claims about networks never seen.
    history : bool
        Whether views know what earlier views of their user measured, where the data have users and times.

    Returns
    -------
    Split

    Raises
    ------
    WorkbenchError
        Where the frame carries no card, holds fewer than 20 users, or the seed is negative.
    """
    card = card_of(frame)
    check_whole("seed", seed, at_least=0)
    frame, hidden = _prepare(frame, mask, history)
    users = users_of(frame, cluster)
    order = np.random.default_rng(seed).permutation(np.unique(users))
    n = len(order)
    if n < FEWEST_USERS:
        raise WorkbenchError(
            f"{card.name}: a split by user needs at least {FEWEST_USERS} users; got {n}. Take more rows, or map the "
            "column that tells people apart to user_id."
        )
    ends = np.round(np.array([TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE / 2, TRAIN_SHARE + VALIDATION_SHARE]) * n)
    train, tune, choose, test = np.split(order, ends.astype(int))
    if len(tune) < SMALLEST_TUNE_USERS:
        train, tune = np.concatenate([train, tune]), tune[:0]
    return Split(
        masked_rows=int(hidden[np.isin(users, [*train, *tune])].sum()),
        train=frame[np.isin(users, train) & ~hidden],
        tune=frame[np.isin(users, tune) & ~hidden],
        choose=frame[np.isin(users, choose)],
        test=frame[np.isin(users, test)],
        card=card,
        how="by user" if cluster == "user_id" else f"by {cluster}",
        seed=seed,
        cluster=cluster,
        mask=mask,
        dropped=frame.attrs.get("dropped", {}),
    )


def split_by_time(frame: pd.DataFrame, seed: int = 0, *, mask: Mask | None = None, history: bool = True) -> Split:
    """Split 60 / 20 / 20 by time: what comes first trains, what comes last tests. Users may return.

    Mask first, then history, then split. Validation is halved by user into ``tune`` and ``choose``; a user of
    ``test`` may have been seen before, as in life.

    Parameters
    ----------
    frame : DataFrame
        From ``load`` or ``measurements``, with ``user_id`` and ``measured_at`` in every row.
    seed : int
        Of the halving.
    mask : Mask, optional
        Whom the signal is taken from; rows of masked users are left out of ``train`` and ``tune``.
    history : bool
        Whether views know what earlier views of their user measured.

    Returns
    -------
    Split

    Raises
    ------
    WorkbenchError
        Where the frame carries no card, has no times, or all at one moment.
    """
    card = card_of(frame)
    check_whole("seed", seed, at_least=0)
    if not has_time(frame):
        raise WorkbenchError(
            f"{card.name}: a split by time needs user_id and measured_at in every row. Take split_by_user instead."
        )
    frame, hidden = _prepare(frame, mask, history)
    moment = frame["measured_at"]
    first, second = moment.quantile([TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE])
    early, late = (moment < first).to_numpy(), (moment >= second).to_numpy()
    if not early.any() or (early | late).all():
        raise WorkbenchError(f"{card.name}: a split by time needs views at different times; too many share one moment.")
    users = users_of(frame)
    between = np.unique(users[~early & ~late])
    half = np.random.default_rng(seed).permutation(between)[: len(between) // 2]
    tunes = ~early & ~late & np.isin(users, half)
    joins = len(half) < SMALLEST_TUNE_USERS
    return Split(
        masked_rows=int(hidden[early | tunes].sum()),
        train=frame[(early | tunes if joins else early) & ~hidden],
        tune=frame[np.zeros(len(frame), bool) if joins else tunes & ~hidden],
        choose=frame[~early & ~late & ~tunes],
        test=frame[late],
        card=card,
        how="by time",
        seed=seed,
        mask=mask,
        dropped=frame.attrs.get("dropped", {}),
    )


def card_of(frame: pd.DataFrame) -> Card:
    """The card that a frame carries.

    Raises
    ------
    WorkbenchError
        Where it carries none.
    """
    card = frame.attrs.get("card")
    if not isinstance(card, Card):
        raise WorkbenchError(
            "expected a frame from wb.load() or wb.measurements(), which carries its card; got a frame without one. "
            "Pass your DataFrame through wb.measurements(df)."
        )
    return card


def _prepare(frame: pd.DataFrame, mask: Mask | None, history: bool) -> tuple[pd.DataFrame, np.ndarray]:
    """Mask, then history: the masked frame with its history, and the rows that nothing may be learnt from."""
    hidden = np.zeros(len(frame), bool)
    if mask is not None:
        if "user_id" not in frame:
            raise WorkbenchError("a mask takes the signal from whole users; this data has no user_id.")
        frame, hidden = apply_mask(frame, mask)
    if history and has_time(frame):
        frame = add_history(frame, hidden)
    return frame, hidden


def sample_users(frame: pd.DataFrame, rows: int, seed: int = 0) -> pd.DataFrame:
    """Draw whole users by seed until about this many rows are reached (at most, but at least one user).

    Raises
    ------
    WorkbenchError
        Where ``rows`` is not a whole number from 1, or ``seed`` not one from 0.
    """
    check_whole("rows", rows, at_least=1)
    check_whole("seed", seed, at_least=0)
    users = users_of(frame)
    order = np.random.default_rng(seed).permutation(users.max() + 1)
    total = np.cumsum(np.bincount(users)[order])
    drawn = order[: max(1, int(np.searchsorted(total, rows, side="right")))]
    return frame[np.isin(users, drawn)]
