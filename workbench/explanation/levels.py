"""Values of a feature as a few levels, each with users enough to be shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from workbench.datasets.splits import FEWEST_USERS

MOST_LEVELS = 8
OTHER, UNKNOWN = "other", "unknown"


def number_levels(values: np.ndarray, users: np.ndarray, bins: int | Sequence[float] = MOST_LEVELS) -> pd.Series:
    """Put numbers into bins of about equally many rows; few distinct ones stand by themselves.

    Parameters
    ----------
    values : ndarray of float, shape (rows,)
        Missing ones become "unknown".
    users : ndarray of int, shape (rows,)
    bins : int or sequence of float
        How many, or where one begins within the range: ``(6, 12, 17)`` makes four.

    Returns
    -------
    Series of ordered category, shape (rows,)
        "3", or "6 to 11" after the smallest and the largest number in the bin; then "other" (bins under 20 users),
        then "unknown". Missing where even these are under 20 users.
    """
    known = values[~np.isnan(values)]
    if not isinstance(bins, int):
        edges = np.sort(np.asarray(bins, float))
    elif len(np.unique(known)) <= bins:
        edges = np.unique(known)[1:]
    else:
        edges = np.unique(np.quantile(known, np.arange(1, bins) / bins, method="nearest"))
    place = np.where(np.isnan(values), -1, np.searchsorted(edges, values, side="right"))
    names: dict[int, str] = {}
    for bin_ in np.unique(place[place >= 0]):
        low, high = (_short(end(values[place == bin_])) for end in (np.min, np.max))
        names[int(bin_)] = low if low == high else f"{low} to {high}"
    labels = pd.Series(place).map(names).fillna(UNKNOWN)
    return _enough(labels, users, list(dict.fromkeys(names.values())))


def name_levels(values: np.ndarray, users: np.ndarray, most: int = MOST_LEVELS) -> pd.Series:
    """Keep the levels with most users, the rest is "other".

    Returns
    -------
    Series of ordered category, shape (rows,)
        Most users first, then "other" (all levels but the ``most`` largest, and those under 20 users), then
        "unknown". Missing where even these are under 20 users.
    """
    labels = pd.Series(values, dtype=object)
    labels = labels.where(labels.notna(), UNKNOWN).map(str)
    crowd = pd.Series(users).groupby(labels).nunique().drop([OTHER, UNKNOWN], errors="ignore")
    # By users, ties by name, so that the order of the rows does not matter.
    return _enough(labels, users, list(crowd.sort_index().nlargest(most).index))


def _enough(labels: pd.Series, users: np.ndarray, order: list[str]) -> pd.Series:
    crowd = pd.Series(users).groupby(labels).nunique()
    kept = [name for name in order if crowd[name] >= FEWEST_USERS]
    labels = labels.where(labels.isin([*kept, UNKNOWN]), OTHER)
    crowd = pd.Series(users).groupby(labels).nunique()
    shown = [*kept, *(name for name in (OTHER, UNKNOWN) if crowd.get(name, 0) >= FEWEST_USERS)]
    return pd.Series(pd.Categorical(labels.where(labels.isin(shown)), shown, ordered=True))


def _short(number: float) -> str:
    """A number with three figures and without trailing zeros.

    Examples
    --------
    >>> _short(12.0), _short(0.03712), _short(123456.0)
    ('12', '0.0371', '123456')
    """
    return f"{number:.0f}" if abs(number) >= 100 or number == int(number) else f"{number:.3g}"
