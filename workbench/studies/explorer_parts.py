"""What the counts behind every explorer share: which segments, which steps of a slider, means, and small numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from workbench.evidence.segments import OTHER

MOST_SEGMENTS = 12
ALL = "all"
Means = Callable[[np.ndarray], np.ndarray]


def values_with(base: float, usual: Sequence[float]) -> list[float]:
    """The usual values, of which the nearest gives way to the base case.

    Examples
    --------
    >>> values_with(800.0, (500.0, 1000.0, 2000.0))
    [500.0, 800.0, 2000.0]
    """
    nearest = min(usual, key=lambda value: abs(np.log(value / base)))
    return sorted({float(base), *(value for value in usual if value != nearest)})


def pick_segments(named: Sequence[tuple[str, str]], dimensions: Sequence[str]) -> list[tuple[str, str]]:
    """At most eleven levels: the largest of every dimension first; what was merged only where room is left.

    Parameters
    ----------
    named : sequence of (dimension, level)
        Those there are, the largest of each dimension first.
    dimensions : sequence of str
        In this order each gives its largest level, then its second largest, until there are enough.

    Returns
    -------
    list of (dimension, level)
        In the order of ``named``.
    """
    levels = [[each for each in named if each[0] == dimension and each[1] != OTHER] for dimension in dimensions]
    in_turn = [each for turn in itertools.zip_longest(*levels) for each in turn if each is not None]
    merged = [each for each in named if each[0] in dimensions and each[1] == OTHER]
    picked = {each for each in [*in_turn, *merged][: MOST_SEGMENTS - 1]}
    return [each for each in named if each in picked]


def means_over(groups: Sequence[np.ndarray]) -> Means:
    """Turn columns of views, shape (rows, columns), into means over groups, shape (groups, columns)."""
    members = np.array(groups, float)
    # Summed first, so that shares of views are exact and round as they do in a comparison.
    return lambda values: members @ values / members.sum(axis=1, keepdims=True)


def flat(values: np.ndarray, digits: int) -> list[float | None]:
    """Round, and write whole numbers without a point: the page is smaller by a third."""
    rounded = [round(float(value), digits) for value in values.ravel()]
    return [int(value) if value.is_integer() else value for value in rounded]
