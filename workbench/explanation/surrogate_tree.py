"""A shallow decision tree that can be read and written down: scikit-learn's, its leaves as conditions on facts.

A leaf is its conditions, thresholds rounded as they are printed, and whether a view belongs is worked out from these
alone: the rule that is read is the rule that runs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.tree import DecisionTreeClassifier

from workbench.datasets.splits import FEWEST_USERS
from workbench.features.levels import MOST_LEVELS, largest_levels
from workbench.studies.report import short_name

MAX_DEPTH = 3
FEWEST_IN_ORDER = 4  # levels, from which groups of them are tried
GROWTH = 2  # of the least size of a leaf, where one holds too few users
DIGITS, MOST_DIGITS = 3, 17  # significant ones of a threshold; those that any number needs at most
MOVED = 0.01  # rows that rounding a threshold may move, as a share of the smaller side
LEVELS_SHOWN = 3  # of a group of levels
NAME_WIDTH = 32  # characters of a level


@dataclass(frozen=True)
class Among:
    """A text fact is one of some levels, or none of them; those that most users share come first."""

    fact: str
    levels: tuple[str, ...]
    inside: bool = True

    def holds(self, facts: pd.DataFrame) -> np.ndarray:
        """Which views it is true of: bool, shape (rows,)."""
        return facts[self.fact].isin(self.levels).to_numpy() == self.inside

    def merge(self, other: Among) -> Among:
        """Both at once: what it is says more than what it is not."""
        if not self.inside and not other.inside:
            return replace(self, levels=tuple(dict.fromkeys((*self.levels, *other.levels))))
        first, second = (self, other) if self.inside else (other, self)
        return replace(first, levels=tuple(x for x in first.levels if (x in second.levels) == second.inside))

    def in_words(self, most: int | None = None) -> str:
        """In words, naming at most so many levels, or all of them in full."""
        if most is not None and len(self.levels) == most + 1:
            most += 1  # as long as "one of 1 others"
        width = NAME_WIDTH if most is not None else 10_000
        named = [short_name(level, width) for level in self.levels[:most]]
        more = len(self.levels) - len(named)
        named += [f"one of {more} others"] if more else []
        levels = f"{', '.join(named[:-1])} or {named[-1]}" if len(named) > 1 else named[0]
        has_verb = self.fact.endswith(" is") or self.fact.startswith("the rule ")
        return f"{self.fact} {'' if has_verb else 'is '}{'' if self.inside else 'not '}{levels}"


@dataclass(frozen=True)
class Between:
    """A number is above one bound and at most another; views without a number belong where ``unknown``.

    ``whole``, ``gaps`` and ``unit`` say whether the numbers are whole, whether some are missing, and what they are in,
    for the words only.
    """

    fact: str
    above: float = -np.inf
    up_to: float = np.inf
    unknown: bool = False
    whole: bool = False
    gaps: bool = False
    unit: str = ""

    def holds(self, facts: pd.DataFrame) -> np.ndarray:
        """Which views it is true of: bool, shape (rows,)."""
        value = facts[self.fact].to_numpy(float)
        return np.where(np.isnan(value), self.unknown, (value > self.above) & (value <= self.up_to))

    def merge(self, other: Between) -> Between:
        """Both at once."""
        above, up_to = max(self.above, other.above), min(self.up_to, other.up_to)
        return replace(self, above=above, up_to=up_to, unknown=self.unknown and other.unknown)

    def in_words(self, _most: int | None = None) -> str:
        """In words."""
        low, high = np.isfinite(self.above), np.isfinite(self.up_to)
        if self.unknown and self.above >= self.up_to:
            return f"{self.fact} is unknown"
        if not low and not high:
            return f"{self.fact} is known"
        gap = " (or unknown)" if self.unknown and self.gaps else ""
        first, last = self._bound(self.above, 1), self._bound(self.up_to, 0)
        if low and high and self.whole:
            return f"{self.fact} is {first if first == last else f'{first} to {last}'}{gap}"
        if low and high:
            return f"{self.fact} is above {first}, up to {last}{gap}"
        if high:
            return f"{self.fact} is {last} or less{gap}"
        return f"{self.fact} is {f'{first} or more' if self.whole else f'above {first}'}{gap}"

    def _bound(self, value: float, further: int) -> str:
        number = f"{np.floor(value) + further:,.0f}" if self.whole else f"{value:,g}"
        return f"{number} {self.unit}" if self.unit else number


Condition = Among | Between


@dataclass(frozen=True)
class Conditions:
    """Conditions that are all true; called with facts, which views they hold for: bool, shape (rows,).

    >>> facts = pd.DataFrame({"page": ["a", "b", "b"], "hour": [3.0, 4.0, np.nan]})
    >>> where = Conditions((Among("page", ("b",)), Between("hour", above=2, unknown=True)))
    >>> where(facts).tolist(), str(where)
    ([False, True, True], 'page is b and hour is above 2')
    """

    parts: tuple[Condition, ...] = ()

    @classmethod
    def of(cls, path: Sequence[Condition]) -> Conditions:
        """One condition a fact, in the order in which the tree asked.

        >>> path = [Between("hour", above=16.5, whole=True), Among("page", ("a",), False), Between("hour", up_to=20)]
        >>> str(Conditions.of(path))
        'hour is 17 to 20 and page is not a'
        """
        merged: dict[str, Any] = {}
        for part in path:
            merged[part.fact] = merged[part.fact].merge(part) if part.fact in merged else part
        return cls(tuple(merged.values()))

    def __call__(self, facts: pd.DataFrame) -> np.ndarray:
        return np.logical_and.reduce([part.holds(facts) for part in self.parts] or [np.ones(len(facts), bool)])

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __str__(self) -> str:
        return self.in_words(None)

    def in_words(self, most: int | None = LEVELS_SHOWN) -> str:
        """As one phrase; of a long list of names, at most so many."""
        return " and ".join(part.in_words(most) for part in self.parts) or "anywhere"


def grow_leaves(
    facts: pd.DataFrame,
    target: np.ndarray,
    users: np.ndarray,
    grows: np.ndarray,
    *,
    size: int,
    change: Callable[[np.ndarray], Hashable],
    seed: int = 0,
) -> list[tuple[Condition, ...]]:
    """Fit a tree to the views that ``grows`` names, and read its leaves as conditions; every view is in one.

    scikit-learn's ``DecisionTreeClassifier`` (entropy, depth 3) predicts ``target``, a text, "" in the usual case.
    Leaves hold ``size`` views, and grow larger until each holds at least 20 users among the views that the tree is
    fitted to, and among the others. The questions are numbers (float columns of ``facts``, ``attrs["units"]`` are their
    units), single levels of text that at least 20 users share, and groups of such levels: neighbours in a list sorted
    by how often the target is not "" (Breiman et al. 1984, Classification and Regression Trees, 4.2.2). ``change`` says
    what is done in a leaf, given its views (bool, shape (rows,)); neighbours where the same is done are one leaf.
    """
    questions = _questions(facts[grows], target[grows] != "", users[grows], facts.attrs.get("units", {}))
    if not questions:
        return [()]
    matrix = np.column_stack([question.encode(facts[grows]) for question in questions])

    def change_in(path: tuple[Condition, ...]) -> Hashable:
        return change(Conditions(path)(facts))

    while True:
        tree = DecisionTreeClassifier(
            criterion="entropy", max_depth=MAX_DEPTH, min_samples_leaf=size, random_state=seed
        ).fit(matrix, target[grows])
        leaves = [Conditions.of(path).parts for path in _read(tree.tree_, 0, (), questions, matrix, change_in)]
        inside = [Conditions(leaf)(facts) for leaf in leaves]
        fewest = min(len(np.unique(users[leaf & half])) for leaf in inside for half in (grows, ~grows))
        if fewest >= FEWEST_USERS or len(leaves) == 1:
            return leaves
        size *= GROWTH


@dataclass(frozen=True)
class _Question:
    """A column of the matrix: a number, or how far up a level is in ``order`` (the least first, others below it).

    One level alone is an order of one; ``by_users`` holds the levels with most users first, ``number`` the condition
    that any number fulfils.
    """

    fact: str
    order: tuple[str, ...] = ()
    by_users: tuple[str, ...] = ()
    number: Between | None = None

    def encode(self, facts: pd.DataFrame) -> np.ndarray:
        """The column: float, shape (rows,)."""
        if self.number:
            return facts[self.fact].to_numpy(float)
        return facts[self.fact].map({level: i + 1.0 for i, level in enumerate(self.order)}).fillna(0.0).to_numpy(float)

    def answers(self, threshold: float, missing_left: bool, values: np.ndarray) -> tuple[Condition, Condition]:
        """What the left and the right branch of a split say; ``values`` are those of the column there."""
        if self.number:
            cut = threshold if self.number.whole or not np.isfinite(threshold) else _round(threshold, values)
            left = replace(self.number, up_to=cut, unknown=missing_left)
            return left, replace(self.number, above=cut, unknown=not missing_left)
        above = self.order[int(np.floor(threshold)) :]
        levels = tuple(level for level in self.by_users if level in above)
        return Among(self.fact, levels, False), Among(self.fact, levels, True)


def _questions(facts: pd.DataFrame, often: np.ndarray, users: np.ndarray, units: Mapping[str, str]) -> list[_Question]:
    asked = []
    for name, values in facts.loc[:, facts.nunique(dropna=False) > 1].items():
        fact, there = str(name), values.dropna()
        if is_numeric_dtype(values.dtype):
            whole, gaps = bool((there % 1 == 0).all()), len(there) < len(values)
            asked.append(_Question(fact, number=Between(fact, whole=whole, gaps=gaps, unit=units.get(fact, ""))))
        else:
            kept = tuple(largest_levels(values, users))
            asked += [_Question(fact, (level,), (level,)) for level in kept[:MOST_LEVELS]]
            if len(kept) >= FEWEST_IN_ORDER:
                share = pd.Series(often).groupby(values.to_numpy()).mean()[list(kept)]
                asked.append(_Question(fact, tuple(share.sort_values(kind="stable").index), kept))
    return asked


def _read(  # noqa: PLR0917 - walks down, passing all of it on
    tree: Any,
    node: int,
    path: tuple[Condition, ...],
    questions: Sequence[_Question],
    matrix: np.ndarray,
    change: Callable[[tuple[Condition, ...]], Hashable],
) -> list[tuple[Condition, ...]]:
    """Leaves below a node, of the rows of a matrix; two where the same is done are one."""
    if tree.children_left[node] < 0:
        return [path]
    column, threshold = int(tree.feature[node]), float(tree.threshold[node])
    missing_left, value = bool(tree.missing_go_to_left[node]), matrix[:, column]
    left = np.where(np.isnan(value), missing_left, value <= threshold)
    said = questions[column].answers(threshold, missing_left, value)
    below = [
        _read(tree, int(child), (*path, condition), questions, matrix[side], change)
        for condition, child, side in zip(
            said, (tree.children_left[node], tree.children_right[node]), (left, ~left), strict=True
        )
    ]
    if all(len(leaves) == 1 for leaves in below) and change(below[0][0]) == change(below[1][0]):
        return [path]
    return below[0] + below[1]


def _round(threshold: float, values: np.ndarray) -> float:
    """To as few digits as leave nearly all values on their side of it, and either side as good as it was."""
    below, above = values <= threshold, values > threshold
    most = MOVED * min(below.sum(), above.sum())
    rounded = (float(f"{threshold:.{digits}g}") for digits in range(DIGITS, MOST_DIGITS))
    return next((cut for cut in rounded if ((values <= cut) != below).sum() <= most), threshold)
