"""Values as a few levels, each of at least 20 users: the one place where small groups are merged or left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype

from workbench.datasets.splits import FEWEST_USERS

MOST_LEVELS = 8
OTHER, UNKNOWN = "other", "unknown"


def number_levels(
    values: np.ndarray, users: np.ndarray, bins: int | Sequence[float] = MOST_LEVELS, unit: str = ""
) -> pd.Series:
    """Put numbers into bins of about equally many rows, as an ordered category (rows,); a few distinct ones stay alone.

    ``bins`` is how many, or where each begins within the range: ``(6, 12, 17)`` makes four. Names are "3", or "6 to 11"
    where all numbers are whole, else "6 to 12", and 12 is in the bin above; ``unit`` follows the last number. The first
    and last bin have open ends, "5 or less" and "17 or more": the most extreme number may be one person's. Then come
    "other" (numbers and bins under 20 users) and "unknown" (missing numbers); missing where even these are under 20
    users.
    """
    known = ~np.isnan(values)
    numbers = np.unique(values[known])
    alone = isinstance(bins, int) and len(numbers) <= bins
    if not isinstance(bins, int):
        edges = np.unique(np.asarray(bins, float))
    else:
        edges = bin_edges(values, bins)
        if not alone and len(np.unique(users[values == numbers[0]])) < FEWEST_USERS:
            edges = edges[edges > numbers[0]]
    place = np.where(known, np.searchsorted(edges, values, side="right"), -1)
    there = np.unique(place[known])
    whole = bool((numbers % 1 == 0).all())
    written = [f"{_short(number)} {unit}".strip() for number in numbers] if alone else _bounds(edges, whole, unit)
    names = {int(bin_): written[bin_] for bin_ in there}
    labels = pd.Series(place).map(names).fillna(UNKNOWN)
    return _merge_small(labels, users, list(dict.fromkeys(names.values())))


def bin_edges(values: np.ndarray, bins: int = MOST_LEVELS) -> np.ndarray:
    """Where bins of about equally many numbers begin, but the first; a few distinct numbers each have their own.

    >>> bin_edges(np.array([1.0, 1.0, 2.0, 5.0, np.nan])), bin_edges(np.arange(100.0), 4)
    (array([2., 5.]), array([25., 50., 74.]))
    """
    known = values[~np.isnan(values)]
    numbers = np.unique(known)
    if len(numbers) <= bins:
        return numbers[1:]
    return np.unique(np.quantile(known, np.arange(1, bins) / bins, method="nearest"))


def put_in_bins(values: pd.Series, edges: np.ndarray) -> pd.Series:
    """The number of each number's bin, as text, missing where it is; a column of text stays as it is."""
    if not is_number(values):
        return values
    place = np.searchsorted(edges, values.to_numpy(), side="right")
    return pd.Series(place.astype(str), values.index, dtype="str").where(values.notna())


def name_levels(values: np.ndarray, users: np.ndarray, most: int = MOST_LEVELS) -> pd.Series:
    """Keep the ``most`` levels with most users, as an ordered category (rows,), most users first.

    Then "other" (all other levels, and those under 20 users) and "unknown"; missing where even these are under 20
    users.
    """
    labels = pd.Series(values, dtype=object)
    labels = labels.where(labels.notna(), UNKNOWN).map(str)
    return _merge_small(labels, users, _largest(labels, users, (OTHER, UNKNOWN))[:most])


def level_members(column: pd.Series, users: np.ndarray, most: int = MOST_LEVELS) -> dict[str, np.ndarray]:
    """Rows (boolean) of each level that is shown: the ``most`` largest of at least 20 users, then "other".

    A categorical's levels come in the order of its categories, others by users. "other" is left out where it is under
    20 users; missing values are in none.
    """
    column = column.reset_index(drop=True)
    kept = _largest(column, users, (OTHER,))[:most]
    shown = [level for level in column.cat.categories if level in kept] if hasattr(column, "cat") else kept
    levels = {level: (column == level).to_numpy() for level in shown}
    rest = (column.notna() & ~column.isin(shown)).to_numpy()
    if len(np.unique(users[rest])) >= FEWEST_USERS:
        levels[OTHER] = rest
    return levels


def largest_levels(values: pd.Series, users: np.ndarray) -> list[Any]:
    """Levels that at least 20 users have, most users first, ties by name; none of a column of numbers."""
    return [] if is_number(values) else _largest(values.reset_index(drop=True), users)


def is_number(values: pd.Series) -> bool:
    """Whether a column of context holds numbers, which have a middle, and not values to share."""
    return is_float_dtype(values.dtype)


def _largest(column: pd.Series, users: np.ndarray, without: Sequence[str] = ()) -> list[Any]:
    """Levels of at least 20 users; by users, ties by name, so that the order of the rows does not matter."""
    count = pd.Series(users).groupby(column, observed=True).nunique().drop(list(without), errors="ignore")
    count = count[count >= FEWEST_USERS].sort_index()
    return list(count.sort_values(ascending=False, kind="stable").index)


def _merge_small(labels: pd.Series, users: np.ndarray, order: Sequence[str]) -> pd.Series:
    count = pd.Series(users).groupby(labels).nunique()
    kept = [name for name in order if count[name] >= FEWEST_USERS]
    labels = labels.where(labels.isin([*kept, UNKNOWN]), OTHER)
    count = pd.Series(users).groupby(labels).nunique()
    shown = [*kept, *(name for name in (OTHER, UNKNOWN) if count.get(name, 0) >= FEWEST_USERS)]
    return pd.Series(pd.Categorical(labels.where(labels.isin(shown)), shown, ordered=True))


def _bounds(edges: np.ndarray, whole: bool, unit: str) -> list[str]:
    """Names of the bins between edges, open at both ends.

    >>> _bounds(np.array([6.0, 7.0, 17.0]), True, "")
    ['5 or less', '6', '7 to 16', '17 or more']
    >>> _bounds(np.array([0.5, 2.5]), False, "%")
    ['0.5 % or less', '0.5 to 2.5 %', '2.5 % or more']
    """
    begins = [_short(edge) for edge in (np.ceil(edges) if whole else edges)]
    ends = [_short(edge) for edge in (np.ceil(edges) - 1 if whole else edges)]
    inner = [low if low == high else f"{low} to {high}" for low, high in zip(begins[:-1], ends[1:], strict=True)]
    if not begins:
        return ["any"]
    first, *between, last = (f"{number} {unit}".strip() for number in (ends[0], *inner, begins[-1]))
    return [f"{first} or less", *between, f"{last} or more"]


def _short(number: float) -> str:
    """A number with three figures and without trailing zeros.

    >>> _short(12.0), _short(0.03712), _short(123456.0)
    ('12', '0.0371', '123456')
    """
    return f"{number:.0f}" if abs(number) >= 100 or number == int(number) else f"{number:.3g}"
