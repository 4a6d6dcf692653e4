"""How the ranker of next pages learns: rows whose counts come from earlier sessions, trees, and the map to chances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import xgboost
from sklearn.linear_model import LogisticRegression

from workbench.errors import WorkbenchError
from workbench.features.navigation import encode, next_codes, session_numbers
from workbench.features.navigation_counts import NavigationCounts
from workbench.features.navigation_features import Pairs, describe_pairs
from workbench.features.navigation_layout import Layout

# Where the stretches of sessions that train the ranker begin, as shares of all training sessions; the rows of each use
# the counts of all sessions before it, so that the trees meet little and much evidence. Trials on `choose` (log-loss a
# view): six from 0.4 on: eshop2008 1.984, wikispeedia 2.248; two halves: 1.988, 2.250; four from 0.3 on: 1.987, 2.247.
STRETCHES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PAIRS_A_VIEW = 20  # about; how many views make up a number of pairs
FEWEST_SESSIONS = 20
FEWEST_TUNE_SESSIONS = 10


@dataclass(frozen=True)
class Rows:
    """Described pairs and their answers.

    Parameters
    ----------
    matrix : ndarray of float32, shape (pairs, features)
    answer : ndarray of bool, shape (pairs,)
        Whether the candidate was the next page.
    names : tuple of str
        Features.
    """

    matrix: np.ndarray
    answer: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class Growing:
    """How trees are grown; ``patience`` rounds without gain on the stopping rows end the training."""

    max_depth: int
    min_child_weight: float
    learning_rate: float
    max_trees: int
    patience: int
    seed: int
    device: str

    def train(self, rows: Rows, stop: Rows) -> xgboost.Booster:
        """Grow trees and keep those up to the best round."""
        train = xgboost.QuantileDMatrix(rows.matrix, label=rows.answer)
        # A plain matrix: rounds are judged on it five times as fast as on one of quantiles.
        held = xgboost.DMatrix(stop.matrix, label=stop.answer)
        booster = xgboost.train(
            {
                "objective": "binary:logistic",
                "max_depth": self.max_depth,
                "min_child_weight": self.min_child_weight,
                "learning_rate": self.learning_rate,
                "seed": self.seed,
                "device": self.device,
            },
            train,
            self.max_trees,
            evals=[(held, "stop")],
            early_stopping_rounds=self.patience,
            verbose_eval=False,
        )
        return booster[: booster.best_iteration + 1]


def earlier_and_own(frame: pd.DataFrame, starts: tuple[float, ...]) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Cut sessions, in order, into stretches: what came before each, and the stretch itself.

    Parameters
    ----------
    frame : DataFrame
        Whole sessions in the order of their start.
    starts : tuple of float
        Where each stretch begins, as a share of the sessions; the last one ends with the frame.

    Yields
    ------
    earlier, own : DataFrame
        Counts come from ``earlier``, rows from ``own``: a count that holds a row's own next page tells the answer.
    """
    sessions = session_numbers(frame)
    bounds = np.append(np.round(np.array(starts) * (sessions[-1] + 1)), sessions[-1] + 1)
    places = np.searchsorted(sessions, bounds)
    for begin, end in pairwise(places):
        yield frame.iloc[:begin], frame.iloc[begin:end]


def honest_rows(
    frame: pd.DataFrame, layout: Layout, links: pd.DataFrame | None, pairs: int, seed: int, *, spare_last: bool
) -> tuple[Rows, Rows | None]:
    """Rows for the trees, each described by counts of earlier sessions.

    Parameters
    ----------
    frame : DataFrame
        The training part.
    layout : Layout
    links : DataFrame or None
    pairs : int
        About how many pairs to describe; whole sessions are drawn by seed.
    seed : int
    spare_last : bool
        Whether the last stretch is kept apart, for stopping and calibration.

    Returns
    -------
    rows : Rows
    last : Rows or None
        The last stretch, where it was kept apart.
    """
    stretches = list(earlier_and_own(frame, STRETCHES))
    share = pairs / (PAIRS_A_VIEW * sum(len(own) for _, own in stretches))
    parts = []
    for earlier, own in stretches:
        counts = NavigationCounts.fit(earlier, layout, links)
        parts.append(described(draw_sessions(own, share, seed), layout, counts))
    last = parts.pop() if spare_last else None
    matrix = np.concatenate([part.matrix for part in parts])
    return Rows(matrix, np.concatenate([part.answer for part in parts]), parts[0].names), last


def described(frame: pd.DataFrame, layout: Layout, counts: NavigationCounts) -> Rows:
    """Describe the candidates of a frame's views and say which of them was opened next."""
    pairs: Pairs = describe_pairs(layout, counts, frame)
    codes = encode(frame, counts.pages.pages)
    return Rows(pairs.matrix, next_codes(frame, codes)[pairs.row] == pairs.page, pairs.names)


def draw_sessions(frame: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """Draw a share of the sessions by seed, at least one; all of them from a share of 1."""
    if share >= 1:
        return frame
    sessions = session_numbers(frame)
    n = sessions[-1] + 1
    drawn = np.random.default_rng([seed, n]).permutation(n)[: max(1, round(share * n))]
    return frame[np.isin(sessions, drawn)]


def fit_platt(margin: np.ndarray, answer: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the map from margins to chances (Platt 1999), fitted on rows the trees have not seen.

    Raises
    ------
    WorkbenchError
        Where none of them, or every one, was opened.
    """
    if answer.min() == answer.max():
        raise WorkbenchError(
            "the sessions that calibrate the model hold no onward click to a page known from training; take more rows."
        )
    platt = LogisticRegression(C=np.inf).fit(margin[:, None], answer)
    return float(platt.coef_[0, 0]), float(platt.intercept_[0])


def check_views(frame: pd.DataFrame) -> None:
    """Refuse a training part from which no ranker can learn.

    Raises
    ------
    WorkbenchError
        Where there are fewer than 20 sessions, or no session has a second page.
    """
    sessions = count_sessions(frame)
    if sessions < FEWEST_SESSIONS:
        raise WorkbenchError(f"a next-page model needs at least {FEWEST_SESSIONS} sessions; got {sessions}.")
    if sessions == len(frame):
        raise WorkbenchError("every session shows one page: there is no next page to predict. Check session_id.")


def count_sessions(frame: pd.DataFrame | None) -> int:
    """How many sessions a frame holds; 0 where there is none."""
    return 0 if frame is None or not len(frame) else int(session_numbers(frame)[-1]) + 1


def as_chances(margin: np.ndarray, row: np.ndarray, platt: tuple[float, float], views: int) -> np.ndarray:
    """Chances of pairs, those of a view scaled down where they sum to more than 1: float, shape (pairs,)."""
    slope, intercept = platt
    chance = 1 / (1 + np.exp(-(slope * margin.astype(float) + intercept)))
    return chance / np.maximum(np.bincount(row, chance, views), 1)[row]
