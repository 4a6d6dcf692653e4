"""Train, tune, choose and test: parts of a table that share no user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.errors import WorkbenchError, check_whole

TRAIN_SHARE, VALIDATION_SHARE = 0.6, 0.2
SMALLEST_TUNE_USERS = 200
FEWEST_USERS = 20


@dataclass(frozen=True)
class Split:
    """A table in four parts, and the card that came with it.

    ``train`` fits models and rules; ``tune`` stops and calibrates the model (empty where it would hold under 200
    users: it then belongs to train, and out-of-fold predictions serve); ``choose`` picks the best rule, smoothing
    and limits; ``test`` is read once.
    """

    train: pd.DataFrame
    tune: pd.DataFrame
    choose: pd.DataFrame
    test: pd.DataFrame
    card: Card
    how: str
    seed: int
    dropped: Mapping[str, int] = field(default_factory=dict)

    def parts(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Name and frame of each part, in the order of use."""
        for name in ("train", "tune", "choose", "test"):
            yield name, getattr(self, name)


def users_of(frame: pd.DataFrame) -> np.ndarray:
    """Who each row belongs to, as codes (rows,): the user; the row itself where there is none or it is missing."""
    if "user_id" not in frame:
        return np.arange(len(frame))
    codes = pd.factorize(frame["user_id"])[0]
    alone = codes < 0
    return np.where(alone, codes.max(initial=-1) + np.cumsum(alone), codes)


def split_by_user(frame: pd.DataFrame, seed: int = 0) -> Split:
    """Split 60 / 20 / 20 of the users by seed; no user is on two sides.

    Validation is halved by user into ``tune`` and ``choose``. Rows without a user count as users of their own.

    Parameters
    ----------
    frame : DataFrame
        From ``load`` or ``measurements``.
    seed : int

    Returns
    -------
    Split

    Raises
    ------
    WorkbenchError
        Where the frame carries no card, holds fewer than 20 users, or the seed is negative.
    """
    card = frame.attrs.get("card")
    if not isinstance(card, Card):
        raise WorkbenchError(
            "expected a frame from wb.load() or wb.measurements(), which carries its card; got a frame without one. "
            "Pass your DataFrame through wb.measurements(df)."
        )
    check_whole("seed", seed, at_least=0)
    users = users_of(frame)
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
        train=frame[np.isin(users, train)],
        tune=frame[np.isin(users, tune)],
        choose=frame[np.isin(users, choose)],
        test=frame[np.isin(users, test)],
        card=card,
        how="by user",
        seed=seed,
        dropped=frame.attrs.get("dropped", {}),
    )


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
