"""A shallow tree whose leaves can be read: the questions that it may ask, and its leaves as conditions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from workbench.datasets.splits import FEWEST_USERS
from workbench.explanation.parting_conditions import Among, Between, Condition, Conditions, belongs, simplify
from workbench.explanation.parting_splits import Split, grow_splits

MAX_DEPTH = 3
MOST_LEVELS = 8  # of a text fact, those with most users, are asked for by themselves
FEWEST_IN_ORDER = 4  # levels, from which groups of them are asked for
GROWTH = 2
MOST_VIEWS = 10_000
DIGITS, MOST_DIGITS = 3, 17  # significant ones of a threshold; those that any number needs at most
MOVED = 0.01  # rows that rounding a threshold may move, as a share of the smaller side


def grow_leaves(
    facts: pd.DataFrame,
    target: np.ndarray,
    users: np.ndarray,
    grows: np.ndarray,
    *,
    size: int,
    change: Callable[[np.ndarray], Hashable],
    same: str,
    seed: int = 0,
) -> list[Conditions]:
    """Grow a tree on some views, and read its leaves as conditions; every view is in one.

    Leaves grow larger until each holds at least 20 users among the views that the tree grows on, and among the others.

    Parameters
    ----------
    facts : DataFrame, shape (rows, facts)
        From :mod:`workbench.explanation.parting_facts`.
    target : ndarray of str, shape (rows,)
        What is told apart.
    users : ndarray of int, shape (rows,)
        Who each view belongs to.
    grows : ndarray of bool, shape (rows,)
        Views that the tree grows on.
    size : int
        Views of a leaf, at least, of all that the tree grows on; of those drawn as many fewer.
    change : callable
        What is done in a leaf, given its views (bool, shape (rows,)); neighbours where the same is done are one leaf.
    same : str
        The target where model and rule do the same.
    seed : int
        Of ties, and of the users drawn where there are more than 10,000 views to grow on.

    Returns
    -------
    list of tuple of Condition
    """
    rows = _draw(users, grows, seed)
    questions = _questions(facts.iloc[rows], target[rows] != same, users[rows])
    if not questions:
        return [()]
    matrix = np.column_stack([question.encode(facts.iloc[rows]) for question in questions])
    size = max(1, round(size * len(rows) / grows.sum()))

    def change_in(leaf: Conditions) -> Hashable:
        return change(belongs(leaf, facts))

    while True:
        splits = grow_splits(matrix, pd.factorize(target[rows])[0], size, MAX_DEPTH, seed)
        leaves = [simplify(path) for path in _read(splits, (), questions, matrix, change_in)]
        inside = [belongs(leaf, facts) for leaf in leaves]
        fewest = min(len(np.unique(users[leaf & half])) for leaf in inside for half in (grows, ~grows))
        if fewest >= FEWEST_USERS or len(leaves) == 1:
            return leaves
        size *= GROWTH


def _draw(users: np.ndarray, grows: np.ndarray, seed: int) -> np.ndarray:
    """Places of the views that the tree grows on, in whole users drawn by seed where they are many."""
    rows = np.flatnonzero(grows)
    if len(rows) <= MOST_VIEWS:
        return rows
    order = np.random.default_rng(seed).permutation(np.unique(users[rows]))
    total = np.cumsum(pd.Series(users[rows]).value_counts().reindex(order).to_numpy())
    return rows[np.isin(users[rows], order[: max(1, int(np.searchsorted(total, MOST_VIEWS)))])]


@dataclass(frozen=True)
class _Question:
    """A column of the matrix: a number, or how far up a level is in ``order`` (the least first, others below it).

    One level alone is an order of one; ``crowd`` holds the levels with most users first.
    """

    fact: str
    order: tuple[str, ...] = ()
    crowd: tuple[str, ...] = ()
    whole: bool = False
    gaps: bool = False

    def encode(self, facts: pd.DataFrame) -> np.ndarray:
        """The column: float, shape (rows,)."""
        if not self.order:
            return facts[self.fact].to_numpy(float)
        return facts[self.fact].map({level: i + 1.0 for i, level in enumerate(self.order)}).fillna(0.0).to_numpy(float)

    def answers(self, threshold: float, missing_left: bool, values: np.ndarray) -> tuple[Condition, Condition]:
        """What the left and the right branch of a split say; ``values`` are those of the column there."""
        if self.order:
            above = self.order[int(np.floor(threshold)) :]
            levels = tuple(level for level in self.crowd if level in above)
            return Among(self.fact, levels, False), Among(self.fact, levels, True)
        cut = threshold if self.whole or not np.isfinite(threshold) else _round(threshold, values)
        shared = {"whole": self.whole, "gaps": self.gaps}
        left = Between(self.fact, up_to=cut, unknown=missing_left, **shared)
        return left, Between(self.fact, above=cut, unknown=not missing_left, **shared)


def _questions(facts: pd.DataFrame, parts: np.ndarray, users: np.ndarray) -> list[_Question]:
    """What may be asked: numbers that differ, levels that at least 20 users share, and groups of such levels.

    Groups are those of a list sorted by how often model and rule disagree in a level (Breiman et al. 1984,
    Classification and Regression Trees, 4.2.2).
    """
    asked = []
    for name, values in facts.items():
        fact, shown = str(name), values.to_numpy()
        if is_numeric_dtype(values.dtype):
            there = values.dropna()
            if values.nunique(dropna=False) > 1:
                whole = bool((there % 1 == 0).all())
                asked.append(_Question(fact, whole=whole, gaps=len(there) < len(values)))
            continue
        crowd = pd.Series(users).groupby(shown).nunique()
        if len(crowd) == 1:
            continue
        kept = tuple(crowd[crowd >= FEWEST_USERS].sort_index().sort_values(ascending=False, kind="stable").index)
        asked += [_Question(fact, (level,), (level,)) for level in kept[:MOST_LEVELS]]
        if len(kept) >= FEWEST_IN_ORDER:
            often = pd.Series(parts).groupby(shown).mean()[list(kept)]
            asked.append(_Question(fact, tuple(often.sort_values(kind="stable").index), kept))
    return asked


def _read(
    split: Split | None,
    path: Conditions,
    questions: Sequence[_Question],
    matrix: np.ndarray,
    changes: Callable[[Conditions], Hashable],
) -> list[Conditions]:
    """Leaves below a split, of the rows of a matrix; two where the same is done are one."""
    if split is None:
        return [path]
    left = split.goes_left(matrix)
    said = questions[split.column].answers(split.threshold, split.missing_left, matrix[:, split.column])
    below = [
        _read(further, (*path, condition), questions, matrix[side], changes)
        for condition, further, side in zip(said, split.below, (left, ~left), strict=True)
    ]
    if all(len(leaves) == 1 for leaves in below) and changes(below[0][0]) == changes(below[1][0]):
        return [path]
    return below[0] + below[1]


def _round(threshold: float, values: np.ndarray) -> float:
    """To as few digits as leave nearly all values on their side of it, and either side as good as it was."""
    below, above = values <= threshold, values > threshold
    most = MOVED * min(below.sum(), above.sum())
    middle = (threshold + values[above].min()) / 2 if above.any() else threshold
    rounded = (float(f"{middle:.{digits}g}") for digits in range(DIGITS, MOST_DIGITS))
    return next((cut for cut in rounded if ((values <= cut) != below).sum() <= most), threshold)
