"""Boosted trees as flat lists, asked without XGBoost: each tree once with all thresholds, float32 as XGBoost adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

LEAF, ASKED = -1, -2  # in place of a feature
ROWS_A_BATCH = 100


class Trees:
    """The trees of one head of ``policy.json``, which answer for ``asked`` rising thresholds at once.

    A leaf answers for the thresholds from ``low`` to before ``high``, in the rows for which all conditions on features
    above it hold. A condition is a question that many nodes ask, or its opposite: number ``2 * question + right``; the
    last one holds always. Of each tree, the leaves that a row reaches lie side by side in the list of thresholds.
    """

    def __init__(self, head: Mapping[str, Any]) -> None:
        self.trees, self.start = len(head["roots"]), np.float32(head["start"])
        # Thresholds that no tree tells apart are asked about at once.
        cuts = sorted({cut for feature, cut in zip(head["feature"], head["value"], strict=True) if feature == ASKED})
        self.part, self.asked = np.searchsorted(cuts, np.arange(int(head["asked"])), side="right"), len(cuts) + 1
        place = {cut: i + 1 for i, cut in enumerate(cuts)}
        value = np.asarray(head["value"], float).astype(np.float32)
        questions: dict[tuple[int, float, int], int] = {}
        leaves: list[tuple[int, int, int, list[int]]] = []
        for root in head["roots"]:
            waiting: list[tuple[int, int, int, list[int]]] = [(root, 0, self.asked, [])]
            while waiting:
                node, low, high, above = waiting.pop()
                feature, right = head["feature"][node], head["right"][node]
                if feature == LEAF:
                    leaves.append((node, low, high, above))
                elif feature == ASKED:
                    cut = min(max(place[head["value"][node]], low), high)
                    parts = [(right, cut, high, above), (node + 1, low, cut, above)]
                    waiting += [part for part in parts if part[1] < part[2]]
                else:
                    question = (feature, float(value[node]), int(head["missing_left"][node]))
                    asked = 2 * questions.setdefault(question, len(questions))
                    waiting += [(right, low, high, [*above, asked + 1]), (node + 1, low, high, [*above, asked])]
        self.value = value[[node for node, _, _, _ in leaves]]
        self.length = np.array([high - low for _, low, high, _ in leaves])
        deepest, always = max(1, *(len(above) for _, _, _, above in leaves)), 2 * len(questions)
        self.conditions = np.array([[*above, *[always] * (deepest - len(above))] for _, _, _, above in leaves], int).T
        self.feature = np.array([feature for feature, _, _ in questions], int)
        self.threshold = np.array([threshold for _, threshold, _ in questions], np.float32)
        self.missing_left = np.array([left for _, _, left in questions], bool)

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Log-odds of each row for each threshold: float32, (rows, asked); ``matrix`` is float32, (rows, features)."""
        batches = [matrix[at : at + ROWS_A_BATCH] for at in range(0, len(matrix), ROWS_A_BATCH)]
        return np.vstack([np.empty((0, self.asked), np.float32), *map(self._margins, batches)])[:, self.part]

    def _margins(self, matrix: np.ndarray) -> np.ndarray:
        number = matrix[:, self.feature]
        right = np.where(np.isnan(number), ~self.missing_left, number >= self.threshold)
        holds = np.ones((2 * right.shape[1] + 1, len(matrix)), bool)
        holds[0:-1:2], holds[1::2] = ~right.T, right.T
        reached = holds[self.conditions[0]]
        for above in self.conditions[1:]:
            reached &= holds[above]
        leaf = np.nonzero(reached.T)[1]
        leaves = np.repeat(self.value[leaf], self.length[leaf]).reshape(len(matrix), self.trees, self.asked)
        leaves[:, 0] += self.start
        if self.asked == 1:  # NumPy adds along the innermost axis in pairs, along any other in order
            return np.add.accumulate(leaves, axis=1)[:, -1]
        return np.add.reduce(leaves, axis=1)


class PlainTrees:
    """Trees that are asked about nothing but features, of many rows at once.

    All rows take a step in all trees at a time: a leaf leads to itself, and a missing number is infinite, on the side
    on which a node wants it.
    """

    def __init__(self, trees: Mapping[str, Any], features: int) -> None:
        feature, place = np.asarray(trees["feature"]), np.arange(len(trees["feature"]))
        leaf, missing_left = feature == LEAF, np.asarray(trees["missing_left"], bool)
        self.value = np.asarray(trees["value"], float).astype(np.float32)
        self.feature = np.where(leaf, 0, feature + np.where(missing_left, 0, features))
        left, right = np.where(leaf, place, place + 1), np.where(leaf, place, np.asarray(trees["right"]))
        self.child = np.column_stack([left, right]).ravel()
        self.roots, self.leaf, self.start = np.asarray(trees["roots"]), leaf, np.float32(trees["start"])

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Log-odds of each row: float32, (rows,); ``matrix`` is float32, (rows, features)."""
        missing = np.isnan(matrix)
        low, high = (np.where(missing, np.float32(end), matrix) for end in (-np.inf, np.inf))
        numbers = np.hstack([low, high])
        begin = np.repeat(np.arange(len(matrix)) * numbers.shape[1], len(self.roots))
        numbers, node = numbers.ravel(), np.tile(self.roots, len(matrix))
        while not self.leaf[node].all():
            right = numbers[begin + self.feature[node]] >= self.value[node]
            node = self.child[2 * node + right]
        leaves = self.value[node].reshape(len(matrix), -1)
        leaves[:, 0] += self.start
        return np.add.accumulate(leaves, axis=1)[:, -1]
