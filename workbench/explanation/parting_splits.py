"""Growing a shallow tree that looks ahead: each question is the one after which scikit-learn's next ones find most.

A greedy tree is blind to an interaction: where iOS is slow in the evening and Android at all other hours, neither the
system nor the hour tells anything by itself, and it never asks for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

PARTS = 8  # a number's cuts that are tried first lie between so many equal parts
# Of two questions after which about as much is found, the one that tells more by itself: weight of its own answer.
SIMPLER = 0.1
TIE = 1e-9


@dataclass(frozen=True)
class Split:
    """One question: rows whose value in a column is at most the threshold go left, those without a value as told.

    ``below`` holds the left and the right branch, None where it ends.
    """

    column: int
    threshold: float
    missing_left: bool
    below: tuple[Split | None, Split | None] = (None, None)

    def goes_left(self, matrix: np.ndarray) -> np.ndarray:
        """Which rows go left: bool, shape (rows,)."""
        value = matrix[:, self.column]
        return np.where(np.isnan(value), self.missing_left, value <= self.threshold)


def grow_splits(matrix: np.ndarray, target: np.ndarray, size: int, depth: int, seed: int = 0) -> Split | None:
    """Grow a tree by entropy, each question chosen by what the tree below it finds.

    Parameters
    ----------
    matrix : ndarray of float, shape (rows, columns)
        Missing values allowed.
    target : ndarray of int or str, shape (rows,)
    size : int
        Rows of a leaf, at least.
    depth : int
        Questions above a leaf, at most.
    seed : int
        Of ties below the question that is chosen.

    Returns
    -------
    Split or None
        None where no question tells anything.

    Examples
    --------
    Neither column tells anything alone:

    >>> matrix = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 30, dtype=float)
    >>> target = np.array(["same", "part", "part", "same"] * 30)
    >>> split = grow_splits(matrix, target, size=20, depth=2)
    >>> [branch is not None for branch in split.below]
    [True, True]
    """
    if depth == 0 or len(target) < 2 * size or (target == target[0]).all():
        return None
    everything = (1 + SIMPLER) * _entropy(target) - TIE
    best, least = _best(_candidates(matrix), matrix, target, size=size, depth=depth, seed=seed)
    if best is None or least >= everything:
        return None
    finer, still = _best(_finer(best, matrix), matrix, target, size=size, depth=depth, seed=seed)
    best = finer if finer is not None and still < least - TIE else best
    left = best.goes_left(matrix)
    below = tuple(grow_splits(matrix[side], target[side], size, depth - 1, seed) for side in (left, ~left))
    return Split(best.column, best.threshold, best.missing_left, (below[0], below[1]))


def _best(
    splits: Iterable[Split], matrix: np.ndarray, target: np.ndarray, *, size: int, depth: int, seed: int
) -> tuple[Split | None, float]:
    """The split after which the least is left unexplained, and how much that is; the first of equal ones."""
    best, least = None, np.inf
    for split in splits:
        left = split.goes_left(matrix)
        if min(left.sum(), (~left).sum()) < size:
            continue
        uncertain = sum(
            _uncertainty(matrix[side], target[side], size, depth - 1, seed) + SIMPLER * _entropy(target[side])
            for side in (left, ~left)
        )
        if uncertain < least - TIE:
            best, least = split, uncertain
    return best, least


def _candidates(matrix: np.ndarray) -> Iterator[Split]:
    """Questions that are tried: is it this level, is the number at most that, is there a number."""
    for column, values in enumerate(matrix.T):
        there = values[~np.isnan(values)]
        cuts = _cuts(there, np.arange(1, PARTS) / PARTS)
        gaps = len(there) < len(values)
        for cut in cuts:
            yield from (
                Split(column, float(cut), missing_left) for missing_left in ((True, False) if gaps else (True,))
            )
        if gaps and len(there):
            yield Split(column, np.inf, False)


def _cuts(there: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Values at which a column may be cut; all of few."""
    values = np.unique(there)[:-1]
    return values if len(values) < PARTS else np.unique(np.quantile(there, quantiles, method="lower"))


def _finer(split: Split, matrix: np.ndarray) -> Iterator[Split]:
    """The same question with its threshold moved a little."""
    values = matrix[:, split.column]
    there = values[~np.isnan(values)]
    if np.isfinite(split.threshold) and len(there):
        middle = float((there <= split.threshold).mean())
        near = np.clip(middle + np.linspace(-1, 1, 2 * PARTS + 1) / PARTS, 0, 1)
        yield from (replace(split, threshold=float(cut)) for cut in _cuts(there, near))


def _uncertainty(matrix: np.ndarray, target: np.ndarray, size: int, depth: int, seed: int) -> float:
    """What a greedy tree leaves unexplained: entropy of its leaves, summed over rows."""
    if depth == 0 or len(target) < 2 * size or (target == target[0]).all():
        return _entropy(target)
    from sklearn.tree import DecisionTreeClassifier

    grown: Any = DecisionTreeClassifier(
        criterion="entropy", max_depth=depth, min_samples_leaf=size, random_state=seed
    ).fit(matrix, target)
    leaf = grown.tree_.children_left < 0
    return float((grown.tree_.impurity[leaf] * grown.tree_.n_node_samples[leaf]).sum())


def _entropy(target: np.ndarray) -> float:
    """Entropy in bits, summed over rows."""
    count = np.unique(target, return_counts=True)[1]
    return float(-(count * np.log2(count / len(target))).sum())
