"""Boosted trees as flat lists, asked without XGBoost: each tree once with all thresholds, float32 as XGBoost adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

LEAF, ASKED = -1, -2  # in place of a feature
ROWS_A_BATCH = 100


class Trees:
    """The trees of one head of ``policy.json``, which answer for ``asked`` rising thresholds at once.

    A node that splits on the threshold cuts their list in two, a node that splits on a feature sends all of them to
    one side: what a tree says is a number for each part of the list.
    """

    def __init__(self, head: Mapping[str, Any]) -> None:
        self.asked = int(head["asked"])
        self.roots = np.asarray(head["roots"])
        self.feature = np.asarray(head["feature"])
        self.right = np.asarray(head["right"])
        self.missing_left = np.asarray(head["missing_left"], bool)
        self.value = np.asarray(head["value"], float).astype(np.float32)
        self.cut = np.where(self.feature == ASKED, np.asarray(head["value"], float), 0).astype(int)
        self.start = np.float32(head["start"])

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Log-odds of each row for each threshold: float32, (rows, asked); ``matrix`` is float32, (rows, features)."""
        batches = [matrix[at : at + ROWS_A_BATCH] for at in range(0, len(matrix), ROWS_A_BATCH)]
        return np.vstack([np.empty((0, self.asked), np.float32), *map(self._margins, batches)])

    def _margins(self, matrix: np.ndarray) -> np.ndarray:
        rows, trees = len(matrix), len(self.roots)
        row, node = np.repeat(np.arange(rows), trees), np.tile(self.roots, rows)
        low, high = np.zeros_like(node), np.full_like(node, self.asked)
        while ((feature := self.feature[node]) != LEAF).any():
            number, threshold = matrix[row, np.maximum(feature, 0)], self.value[node]
            left = np.where(np.isnan(number), self.missing_left[node], number < threshold)
            cut = np.where(feature == ASKED, np.clip(self.cut[node], low, high), np.where(left, high, low))
            cut = np.where(feature == LEAF, high, cut)
            both = (low < cut) & (cut < high)
            part = np.repeat(np.arange(len(node)), 1 + both)
            second = np.append(False, part[1:] == part[:-1]) | (cut == low)[part]
            onward = np.where(second, self.right[node][part], node[part] + 1)
            low, high = (
                np.where(both[part] & second, cut[part], low[part]),
                np.where(both[part] & ~second, cut[part], high[part]),
            )
            node, row = np.where((feature == LEAF)[part], node[part], onward), row[part]
        leaves = np.repeat(self.value[node], high - low).reshape(rows, trees, self.asked)
        leaves[:, 0] += self.start
        return np.add.accumulate(leaves, axis=1)[:, -1]


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
