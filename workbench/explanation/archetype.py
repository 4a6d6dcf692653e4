"""A view that stands for many: what the largest crowd has in common, and nobody in particular."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype

from workbench.datasets.splits import FEWEST_USERS, users_of
from workbench.errors import WorkbenchError
from workbench.models import NetworkQuality


def common_context(model: NetworkQuality, frame: pd.DataFrame, *, users: int = FEWEST_USERS) -> pd.DataFrame:
    """The most common context, as the model sees it: an example to explain that is no real person.

    Put together as in :func:`common_view`.

    Parameters
    ----------
    model : NetworkQuality
    frame : DataFrame, shape (rows, columns)
        Canonical measurements.
    users : int
        How many users, at least, share each value and are behind each median.

    Returns
    -------
    DataFrame, shape (1, columns)
        The model's context, with the frame's card; ``attrs["users"]`` is how many users it stands for.

    Raises
    ------
    WorkbenchError
        Where the frame has fewer users.
    """
    common = common_view(model.context(frame), users_of(frame), users=users)
    common.attrs["card"] = frame.attrs.get("card")
    return common


def common_view(
    table: pd.DataFrame, who: np.ndarray, *, users: int = FEWEST_USERS, first: Sequence[str] = ()
) -> pd.DataFrame:
    """The view that most people share, value by value.

    Starting from all users, the value that the most of them share is fixed, then among those the next one, as long as
    at least ``users`` remain. What would single out fewer stays missing. Numbers are medians of those who remain, whole
    ones rounded down; missing where half of the views or too many users have none.

    Parameters
    ----------
    table : DataFrame, shape (rows, columns)
        One row a view; float columns are numbers, all others have values to share.
    who : ndarray of int, shape (rows,)
        Codes of the users (or sessions, where there are none).
    users : int
        How many of them, at least, share each value and are behind each median.
    first : sequence of str
        Columns whose values are fixed before all others, in this order.

    Returns
    -------
    DataFrame, shape (1, columns)
        ``attrs["users"]`` is how many users it stands for.

    Raises
    ------
    WorkbenchError
        Where there are fewer users.
    """
    if len(np.unique(who)) < users:
        raise WorkbenchError(f"a common context stands for at least {users} users; got {len(np.unique(who))} in all.")
    numbers = [name for name in table if is_float_dtype(table[name].dtype)]
    left = {name: pd.factorize(table[name], use_na_sentinel=False)[0] for name in table if name not in numbers}
    crowd, turn = np.ones(len(table), bool), list(first)
    while left:
        shared = {name: _most_shared(left[name], who, crowd) for name in turn[:1] or left}
        name = max(shared, key=lambda name: shared[name][1])
        value, sharing = shared[name]
        if sharing >= users:
            crowd &= left.pop(name) == value
        elif not turn:
            break
        turn = turn[1:]
    common = table[crowd].iloc[[0]].reset_index(drop=True)
    common = common.assign(**{name: common[name].mask([True]) for name in left})
    common = common.assign(**{name: _middle(table.loc[crowd, name], who[crowd], users) for name in numbers})
    common.attrs = {"users": len(np.unique(who[crowd]))}
    return common


def _most_shared(codes: np.ndarray, who: np.ndarray, crowd: np.ndarray) -> tuple[int, int]:
    """The value that the most users of a crowd have, and how many they are."""
    users = int(who.max()) + 1
    pairs = np.unique(codes[crowd].astype(np.int64) * users + who[crowd])
    count = np.bincount(pairs // users)
    return int(np.argmax(count)), int(count.max())


def _middle(values: pd.Series, who: np.ndarray, users: int) -> float:
    """Median of those that are there, if they are the most and of enough users."""
    there = values.dropna()
    if 2 * len(there) <= len(values) or len(np.unique(who[values.notna()])) < users:
        return float("nan")
    median = float(there.median())
    return float(np.floor(median)) if (there % 1 == 0).all() else median
