"""A logistic regression as plain lists, asked without scikit-learn, in place of trees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class Line:
    """Log-odds as a weighted sum of columns, of the logarithms of some, and of whether others are missing."""

    def __init__(self, line: Mapping[str, Any]) -> None:
        self.logged, self.flagged = (np.asarray(line[name], int) for name in ("logged", "flagged"))
        self.mean, self.weights = np.asarray(line["mean"]), np.asarray(line["weights"])
        self.intercept, self.floor = line["intercept"], line["floor"]

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Log-odds of each row: float64, (rows,); ``matrix`` is float32, (rows, columns)."""
        matrix = matrix.astype(float)
        columns = np.hstack([matrix, np.log(np.maximum(matrix[:, self.logged], 0) + self.floor)])
        centred, missing = columns - self.mean, np.isnan(matrix[:, self.flagged])
        return np.hstack([np.where(np.isfinite(centred), centred, 0), missing]) @ self.weights + self.intercept


class Lines:
    """One head of ``policy.json``: the logarithm of a threshold, its last column, adds the same in any context."""

    def __init__(self, head: Mapping[str, Any]) -> None:
        self.line, self.columns = Line(head["line"]), len(head["features"])
        nothing = np.zeros((1, self.columns))
        self.added = np.array([self._margin(nothing, log) for log in head["logs"]]).T - self._margin(nothing, np.nan)

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Log-odds of each row for each threshold: float64, (rows, asked); ``matrix`` is float32, (rows, features)."""
        return self._margin(matrix[:, : self.columns], np.nan)[:, None] + self.added

    def _margin(self, matrix: np.ndarray, log: float) -> np.ndarray:
        return self.line.margins(np.column_stack([matrix, np.full(len(matrix), log)]))
