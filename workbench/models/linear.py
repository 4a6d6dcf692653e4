"""A logistic regression in place of boosted trees: what the features do without them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from sklearn.linear_model import LogisticRegression

from workbench.errors import WorkbenchError

MOST_ROWS = 200_000  # drawn by seed; a hundred weights need no more
LOG_FLOOR = 1e-3  # is added before a logarithm is taken: a chance of one in a thousand, a count of none


@dataclass(frozen=True)
class Linear:
    """Weights of a logistic regression, asked as a booster is.

    A column that is never negative comes with its logarithm beside it (``logged``, places of columns): chances and
    counts of many sizes are no straight line. All are standardised (``mean``, ``scale``); a missing or infinite number
    counts as the mean, and there is a flag where a number is missing, of each column that missed some in training
    (``flagged``). ``weights`` has shape (columns + logged + flagged,).
    """

    logged: np.ndarray
    flagged: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    intercept: np.ndarray

    @classmethod
    def fit(cls, matrix: np.ndarray, answer: np.ndarray, seed: int) -> Self:
        """Fit on at most 200,000 rows: scikit-learn's ``LogisticRegression`` with its default ``C`` of 1.

        ``matrix`` is float, shape (rows, columns), NaN where a number is missing; ``answer`` holds 0 and 1. Newton's
        method takes a few rounds where columns say nearly the same; the default solver takes hundreds.
        """
        if len(matrix) > MOST_ROWS:
            drawn = np.sort(np.random.default_rng([seed, len(matrix)]).choice(len(matrix), MOST_ROWS, replace=False))
            matrix, answer = matrix[drawn], answer[drawn]
        missing = np.isnan(matrix)
        plain = (missing | (matrix == 0) | (matrix == 1)).all(axis=0)
        logged = np.flatnonzero(~plain & (missing | (matrix >= 0)).all(axis=0))
        flagged = np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0))
        columns = with_logs(matrix, logged)
        known = np.maximum((~np.isnan(columns)).sum(axis=0), 1)
        mean = np.nansum(columns, axis=0) / known
        scale = np.sqrt(np.nansum((columns - mean) ** 2, axis=0) / known)
        unfitted = cls(logged, flagged, mean, np.where(scale > 0, scale, 1.0), np.empty(0), np.empty(0))
        fitted = LogisticRegression(solver="newton-cholesky").fit(unfitted._standard(matrix), answer)
        return cls(logged, flagged, unfitted.mean, unfitted.scale, fitted.coef_[0], fitted.intercept_)

    def inplace_predict(self, matrix: np.ndarray, predict_type: str = "margin") -> np.ndarray:
        """Log-odds of each row: float, shape (rows,)."""
        return self._standard(matrix) @ self.weights + self.intercept

    def num_boosted_rounds(self) -> int:
        """There are no trees."""
        return 0

    def get_score(self, importance_type: str = "weight") -> dict[str, float]:
        """The columns that it uses, all of them, as a booster names them."""
        return {f"f{place}": 1.0 for place in range(len(self.mean) - len(self.logged))}

    def predict(self, *_: Any, **__: Any) -> np.ndarray:
        """Refused: SHAP values are asked for in this way."""
        raise WorkbenchError("SHAP values explain trees; a linear model has none. Explain the model with trees.")

    def shipped(self) -> dict[str, Any]:
        """The same as plain lists, for a site: ``weights`` are those of columns less their mean, not standardised."""
        weights = self.weights / np.concatenate([self.scale, np.ones(len(self.flagged))])
        lists = {"logged": self.logged, "flagged": self.flagged, "mean": self.mean, "weights": weights}
        return {name: values.tolist() for name, values in lists.items()} | {
            "intercept": self.intercept.item(),
            "floor": LOG_FLOOR,
        }

    def save_raw(self, raw_format: str = "json") -> bytes:
        """What :meth:`load` reads: JSON, whatever the format asked for."""
        saved = {name: values.tolist() for name, values in asdict(self).items()}
        return json.dumps(saved, separators=(",", ":")).encode()

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Bring back what :meth:`save_raw` wrote."""
        saved = json.loads(content)
        places = ("logged", "flagged")
        return cls(
            **{each.name: np.array(saved[each.name], int if each.name in places else float) for each in fields(cls)}
        )

    def _standard(self, matrix: np.ndarray) -> np.ndarray:
        standard = (with_logs(matrix, self.logged) - self.mean) / self.scale
        standard[~np.isfinite(standard)] = 0
        return np.hstack([standard, np.isnan(matrix[:, self.flagged])])


def with_logs(matrix: np.ndarray, logged: np.ndarray) -> np.ndarray:
    """A matrix with the logarithms of some of its columns beside it: float64, shape (rows, columns + logged)."""
    matrix = matrix.astype(float)
    return np.hstack([matrix, np.log(np.maximum(matrix[:, logged], 0) + LOG_FLOOR)])
