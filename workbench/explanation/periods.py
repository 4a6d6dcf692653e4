"""Telling two parts, such as periods, apart by context alone: scores, their AUC, and what gives the part away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from scipy.sparse import csr_array
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedGroupKFold

from workbench.datasets.columns import Column
from workbench.datasets.schema import known_context, known_navigation_context
from workbench.evidence.bootstrap import LEVEL, RESAMPLES, Interval
from workbench.explanation.shap_by_feature import readable
from workbench.explanation.shap_next_page import source_of

if TYPE_CHECKING:
    import xgboost

FOLDS = 5
MOST_LEVELS = 100  # of a category, the most frequent
# What only counts views, or is a clock, tells the period by itself and is no context.
NOT_CONTEXT = ("view_id", "session_id", "viewed_at")
# What a person's history is called, column by column; an explanation has one name for all of it.
HISTORY_NAMES = {
    "earlier_views": "the person's earlier views",
    "here_before": "the person's earlier views of the page",
    "last_next": "what the person opened here the last time",
    "usual_next": "what the person usually opens here",
    "usual_share": "how usual that page is",
}
TREES, DEPTH, LEARNING_RATE, LEAST_WEIGHT = 80, 4, 0.1, 20.0  # chosen: small, for it need only see a shift
A_SIDE = round(LEAST_WEIGHT / 0.25)  # views: a view that may be either weighs a quarter at most
BINS = 256  # of the scores, equally filled; ties count as half
RESAMPLES_A_BATCH = 250


@dataclass(frozen=True)
class Scores:
    """Cross-validated scores of rows, whole, and with one feature shuffled at a time.

    Parameters
    ----------
    later : ndarray of bool, shape (rows,)
    users : ndarray of int, shape (rows,)
    whole : ndarray of float, shape (rows,)
        Places within the fold, from 0 to 1.
    shuffled : dict of str to ndarray of float, shape (rows,)
        By context column.
    """

    later: np.ndarray
    users: np.ndarray
    whole: np.ndarray
    shuffled: dict[str, np.ndarray]


def period_context(frame: pd.DataFrame, kind: str, known_by: str, extra: Sequence[Column]) -> pd.DataFrame:
    """What a model may see of each view, without clocks and running numbers: shape (rows, columns).

    Columns without a single value are left out, and so are those with one value in all rows.
    """
    known = known_navigation_context if kind == "navigations" else known_context
    context = known(frame, known_by, extra).drop(columns=list(NOT_CONTEXT), errors="ignore")
    telling = [name for name in context if context[name].nunique() + context[name].isna().any() > 1]
    return context[telling]


def column_in_words(column: str, kind: str) -> str:
    """What a reader calls a column of :func:`period_context`.

    Examples
    --------
    >>> column_in_words("os_family", "measurements"), column_in_words("page", "navigations")
    ('operating system', 'page')
    """
    if kind == "measurements":
        return readable(column)
    return "page" if column == "page" else HISTORY_NAMES.get(column) or source_of(column)


def score_periods(context: pd.DataFrame, later: np.ndarray, users: np.ndarray, seed: int) -> Scores:
    """Score each row by a classifier that has seen none of its user's rows: the higher, the later.

    In each of five folds, grouped by user and with about equal shares of both periods, a small XGBoost tells the
    periods apart. Categories are XGBoost's own, the 100 most frequent ones and all others as one: an encoding by the
    share of later rows, cross-fitted, would push the scores of what tells nothing below those of a coin. A feature is
    shuffled among the rows of the fold that is scored.
    """
    rng = np.random.default_rng(seed)
    matrix, kinds = as_matrix(context)
    whole = np.zeros(len(context))
    shuffled = {str(name): np.zeros(len(context)) for name in context}
    for known, asked in _folds(later, users, seed):
        booster = _grow(matrix[known], later[known], kinds, seed)
        whole[asked] = _places(booster, matrix[asked], kinds)
        order = rng.permutation(len(asked))
        for column, scores in enumerate(shuffled.values()):
            rows = matrix[asked]
            rows[:, column] = rows[order, column]
            scores[asked] = _places(booster, rows, kinds)
    return Scores(later, users, whole, shuffled)


def as_matrix(context: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Context as numbers, and what XGBoost calls each column: ``"q"`` for numbers, ``"c"`` for codes of categories.

    Examples
    --------
    >>> as_matrix(pd.DataFrame({"isp": ["b", "a", "b"], "os_major": [9, 8, 9]}))[0].tolist()
    [[0.0, 9.0], [1.0, 8.0], [0.0, 9.0]]
    """
    columns, kinds = [], []
    for name in context:
        values = context[name]
        if is_numeric_dtype(values) and not is_bool_dtype(values):
            columns.append(values.to_numpy(np.float32, na_value=np.nan))
            kinds.append("q")
        else:
            text = values.astype(object).where(values.notna(), None).map(str)
            frequent = {level: code for code, level in enumerate(text.value_counts().index[:MOST_LEVELS])}
            columns.append(text.map(frequent).fillna(len(frequent)).to_numpy(np.float32))
            kinds.append("c")
    return np.column_stack(columns), kinds


def auc_intervals(scores: Scores, *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[Interval, dict[str, Interval]]:
    """AUC of the scores, and by how much it falls where each feature is shuffled; users resampled with replacement.

    The area under the ROC curve is the chance that a later row scores above an earlier one, ties counting half
    (Hanley & McNeil 1982). Scores are first put into 256 equally filled bins. The classifiers are held as they are.
    """
    _, who = np.unique(scores.users, return_inverse=True)
    n = int(who.max()) + 1
    counts = {name: _counts(each, scores.later, who, n) for name, each in _named(scores)}
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in counts}
    for start in range(0, resamples, RESAMPLES_A_BATCH):
        size = min(RESAMPLES_A_BATCH, resamples - start)
        places = rng.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
        weights = np.bincount(places.ravel(), minlength=size * n).reshape(size, n).astype(float)
        for name, (early, late) in counts.items():
            drawn[name].append(_auc(weights @ early, weights @ late))
    auc = {name: np.concatenate(each) for name, each in drawn.items()}
    all_users = np.ones((1, n))
    exact = {name: float(_auc(all_users @ early, all_users @ late)[0]) for name, (early, late) in counts.items()}
    falls = {name: _interval(exact[""] - exact[name], auc[""] - auc[name], n) for name in scores.shuffled}
    return _interval(exact[""], auc[""], n), falls


def _folds(later: np.ndarray, users: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    yield from folds.split(np.zeros(len(later)), later, users)


def _grow(matrix: np.ndarray, later: np.ndarray, kinds: list[str], seed: int) -> xgboost.Booster:
    import xgboost

    settings = {
        "objective": "binary:logistic",
        "max_depth": DEPTH,
        "learning_rate": LEARNING_RATE,
        "min_child_weight": LEAST_WEIGHT,
        "seed": seed,
    }
    rows = xgboost.QuantileDMatrix(matrix, label=later, feature_types=kinds, enable_categorical=True)
    return xgboost.train(settings, rows, TREES, verbose_eval=False)


def _places(booster: xgboost.Booster, matrix: np.ndarray, kinds: list[str]) -> np.ndarray:
    """Place of each row's score in its fold, from 0 to 1: margins of different trees do not compare.

    Where all are equal, whatever the size of the fold, each is at 0.5.
    """
    import xgboost

    rows = xgboost.DMatrix(matrix, feature_types=kinds, enable_categorical=True)
    return (rankdata(booster.predict(rows, output_margin=True)) - 0.5) / len(matrix)


def _named(scores: Scores) -> Iterator[tuple[str, np.ndarray]]:
    yield "", scores.whole
    yield from scores.shuffled.items()


def _counts(score: np.ndarray, later: np.ndarray, who: np.ndarray, n: int) -> tuple[csr_array, csr_array]:
    """How many earlier, and how many later rows each user has in each bin of the score: two of shape (users, bins)."""
    edges = np.unique(np.quantile(score, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, score, side="right")
    early, late = (
        csr_array((np.ones(which.sum()), (who[which], bins[which])), shape=(n, BINS)) for which in (~later, later)
    )
    return early, late


def _auc(early: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Area under the curve from counts in rising bins, shape (resamples, bins)."""
    below = early.cumsum(axis=1) - early
    pairs = early.sum(axis=1) * late.sum(axis=1)
    return (late * (below + early / 2)).sum(axis=1) / np.maximum(pairs, 1e-9)


def _interval(estimate: float, drawn: np.ndarray, users: int) -> Interval:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(estimate, float(low), float(high), users)
