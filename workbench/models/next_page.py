"""Next page: how likely is each candidate to be opened next?"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from workbench.datasets.columns import Column
from workbench.datasets.schema import known_navigation_context
from workbench.datasets.splits import Split, check_page_views
from workbench.errors import WorkbenchError, check_whole
from workbench.features.candidates import as_answer
from workbench.features.page_features import (
    Layout,
    NavigationCounts,
    Pairs,
    check_without,
    describe_pairs,
    fit_layout,
    session_batches,
)
from workbench.features.pages import encode, next_codes, session_numbers
from workbench.models.boosting import check_device

# Where the stretches of sessions that train the ranker begin, as shares of all training sessions; the rows of each use
# the counts of all sessions before it, so that the trees meet little and much evidence. Trials on `validation`
# (log-loss a
# view): six from 0.4 on: eshop2008 1.984, wikispeedia 2.248; two halves: 1.988, 2.250; four from 0.3 on: 1.987, 2.247.
STRETCHES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PAIRS_A_VIEW = 20  # about; how many views make up a number of pairs
FEWEST_SESSIONS = 20
FEWEST_CALIBRATION_SESSIONS = 10


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


FORMAT = 1


def model_files(model: Any) -> dict[str, bytes]:
    """Name and content of each file of a fitted :class:`~workbench.models.NextPage`."""
    described = {
        "format": FORMAT,
        "params": {**model.get_params(), "extra": [asdict(column) for column in model.extra]},
        "trained_on": model.trained_on_,
        "layout": model.layout_.to_dict(),
        "names": model.names_,
        "platt": model.platt_,
    }
    counts = json.dumps(model.counts_.to_dict(), separators=(",", ":"), sort_keys=True)
    return {
        "model.json": json.dumps(described, indent=1, sort_keys=True).encode(),
        "counts.json": counts.encode(),
        "trees.ubj": bytes(model.booster_.save_raw("ubj")),
    }


def write_files(folder: str | Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder, which is made where it is missing; returns it."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def read_model[Model](folder: str | Path, make: Callable[..., Model]) -> Model:
    """Read the files of a model; ``make`` takes the parameters and gives an unfitted model.

    Raises
    ------
    WorkbenchError
        Where the folder holds no such model.
    """
    folder = Path(folder)
    try:
        saved = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if saved["format"] != FORMAT:
            raise WorkbenchError(f"{folder}: expected model format {FORMAT}; got {saved['format']}. Train it again.")
        params = {**saved["params"], "without": tuple(saved["params"]["without"])}
        model: Any = make(**{**params, "extra": tuple(_read_column(column) for column in params["extra"])})
        model.layout_ = Layout.from_dict(saved["layout"])
        counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
        model.counts_ = NavigationCounts.from_dict(counts, model.layout_)
        model.booster_ = xgboost.Booster()
        model.booster_.load_model(bytearray((folder / "trees.ubj").read_bytes()))
        model.names_, model.platt_ = tuple(saved["names"]), tuple(saved["platt"])
        model.trained_on_, model.train_seconds_ = saved["trained_on"], None
    except (OSError, KeyError, TypeError, ValueError, AttributeError, xgboost.core.XGBoostError) as err:
        raise WorkbenchError(f"{folder} holds no saved model: expected model.json, counts.json and trees.ubj.") from err
    return model


def _read_column(saved: dict[str, Any]) -> Column:
    return Column(**{**saved, "allowed": tuple(saved["allowed"])})


PAIRS_A_BATCH = 400_000
CALIBRATION_SHARE = 0.4  # of the training pairs: so many stop the training and calibrate


class NextPage(BaseEstimator):
    """Chances of each next page, from the page, the session so far, the user's history, and the context.

    Parameters
    ----------
    known_by : str
        Information set: one of ``datasets.columns.LEVELS``.
    extra : tuple of Column
        Context columns beyond the canonical ones.
    without : tuple of str
        What to leave out (ablations): columns of context or history, or all of a kind: ``"history"``,
        ``"second order"``, ``"context"``.
    pairs : int
        About how many pairs of a view and a candidate train the trees; whole sessions are drawn by seed.
    max_depth, min_child_weight, learning_rate, max_trees, patience : numbers
        Of the boosted trees; ``patience`` rounds without gain on ``calibration`` end the training.
    seed : int
    device : str
        ``"cpu"`` or ``"cuda"``.

    Attributes
    ----------
    layout_ : Layout
        Which features there are.
    counts_ : NavigationCounts
        What followed what, over all of the training part.
    booster_ : xgboost.Booster
    names_ : tuple of str
        Features, in the order of the booster's columns.
    platt_ : tuple of float
        Slope and intercept of the map from margin to log-odds.
    train_seconds_ : float or None
        None where the model was loaded: a saved model must not depend on the clock.
    trained_on_ : str
        Hash of the rows it was fitted on; comparisons refuse a model from another split.
    """

    layout_: Layout
    counts_: NavigationCounts
    booster_: xgboost.Booster
    names_: tuple[str, ...]
    platt_: tuple[float, float]
    train_seconds_: float | None
    trained_on_: str

    def __init__(
        self,
        *,
        known_by: str = "client_js",
        extra: tuple[Column, ...] = (),
        without: tuple[str, ...] = (),
        pairs: int = 1_000_000,
        max_depth: int = 5,
        min_child_weight: float = 20,
        learning_rate: float = 0.15,
        max_trees: int = 300,
        patience: int = 15,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.known_by = known_by
        self.extra = extra
        self.without = without
        self.pairs = pairs
        self.max_depth = max_depth
        self.min_child_weight = min_child_weight
        self.learning_rate = learning_rate
        self.max_trees = max_trees
        self.patience = patience
        self.seed = seed
        self.device = device

    def fit(
        self, frame: pd.DataFrame, calibration: pd.DataFrame | None = None, links: pd.DataFrame | None = None
    ) -> NextPage:
        """Grow the trees on counts of earlier sessions, calibrate, then count all of the frame for later answers.

        Parameters
        ----------
        frame : DataFrame
            Canonical navigations, in the order of their sessions' start.
        calibration : DataFrame, optional
            Later sessions, for early stopping and calibration. Without it, or where it holds fewer than 10
            sessions, the last stretch of ``frame`` serves, and the trees grow on what came before.
        links : DataFrame, optional
            ``from_page, to_page``: further candidates.

        Returns
        -------
        NextPage
            Itself.

        Raises
        ------
        WorkbenchError
            Where the frame holds fewer than 20 sessions or no next page, ``without`` names no context, ``seed`` is
            negative, or ``device`` has no usable GPU.
        """
        check_device(self.device)
        check_whole("seed", self.seed, at_least=0)
        check_whole("pairs", self.pairs, at_least=1)
        check_without(self.without, self.extra)
        check_views(frame)
        started = time.perf_counter()
        context = self.context(frame)
        self.layout_ = fit_layout(context, self.known_by, self.extra, self.without)
        self.counts_ = NavigationCounts.fit(context, self.layout_, links)
        alone = calibration is None or count_sessions(calibration) < FEWEST_CALIBRATION_SESSIONS
        rows, stop = honest_rows(context, self.layout_, links, self.pairs, self.seed, spare_last=alone)
        if stop is None:
            later = self.context(calibration)
            share = CALIBRATION_SHARE * self.pairs / (PAIRS_A_VIEW * len(later))
            stop = described(draw_sessions(later, share, self.seed), self.layout_, self.counts_)
        self.names_ = rows.names
        self.booster_ = self._growing().train(rows, stop)
        self.platt_ = fit_platt(self.booster_.inplace_predict(stop.matrix, predict_type="margin"), stop.answer)
        self.train_seconds_ = time.perf_counter() - started
        self.trained_on_ = rows_hash(frame)
        return self

    def context(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The part of a frame that the model looks at."""
        return known_navigation_context(frame, self.known_by, self.extra)

    def describe(self, context: pd.DataFrame) -> Pairs:
        """Candidates and features of each view, as the trees see them; all at once, so for some views."""
        self._check_fitted()
        return describe_pairs(self.layout_, self.counts_, self.context(context))

    def candidate_chances(self, context: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Chance of every candidate of every view.

        Returns
        -------
        row, page : ndarray of int64, shape (pairs,)
            Place of the view in the context, and page code (place in ``layout_.pages``).
        chance : ndarray of float, shape (pairs,)
            Calibrated; those of a view sum to at most 1.
        """
        self._check_fitted()
        rows, pages, chances = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
        for start, part in session_batches(self.context(context), PAIRS_A_BATCH // PAIRS_A_VIEW):
            pairs = describe_pairs(self.layout_, self.counts_, part)
            margin = self.booster_.inplace_predict(pairs.matrix, predict_type="margin")
            rows.append(pairs.row + start)
            pages.append(pairs.page)
            chances.append(as_chances(margin, pairs.row, self.platt_, len(part)))
        return np.concatenate(rows), np.concatenate(pages), np.concatenate(chances)

    def next_pages(self, context: pd.DataFrame, k: int) -> pd.DataFrame:
        """The ``k`` likeliest next pages of each view.

        Parameters
        ----------
        context : DataFrame
            Canonical navigations or the context of some; views of a session together and in order. A view's answer
            depends on its own session up to it.
        k : int

        Returns
        -------
        DataFrame
            ``view_id, page, rank, chance``, sorted by the order of views in ``context``, then rank; never the
            current page. Chances of a view sum to at most 1.

        Raises
        ------
        WorkbenchError
            Where the model is not trained, or ``k`` is not a whole number from 1.
        """
        check_whole("k", k, at_least=1)
        row, page, chance = self.candidate_chances(context)
        return as_answer(context, self.counts_.pages.pages, (row, page), chance, k)

    @property
    def kilobytes(self) -> float:
        """Size of the saved model, kB."""
        self._check_fitted()
        return sum(map(len, model_files(self).values())) / 1000

    @property
    def fields(self) -> tuple[str, ...]:
        """TEMP."""
        return ("page", "session_id", *self.layout_.numbers, *self.layout_.levels, *self.layout_.history)

    @property
    def trees(self) -> int:
        """Number of trees."""
        self._check_fitted()
        return self.booster_.num_boosted_rounds()

    def save(self, folder: str | Path) -> Path:
        """Write ``model.json``, ``counts.json`` and ``trees.ubj`` into a folder; same model, same bytes."""
        self._check_fitted()
        return write_files(folder, model_files(self))

    @classmethod
    def load(cls, folder: str | Path) -> NextPage:
        """Read a model that :meth:`save` wrote.

        Raises
        ------
        WorkbenchError
            Where the folder holds no such model.
        """
        return read_model(folder, cls)

    def _growing(self) -> Growing:
        return Growing(
            self.max_depth,
            self.min_child_weight,
            self.learning_rate,
            self.max_trees,
            self.patience,
            self.seed,
            self.device,
        )

    def _check_fitted(self) -> None:
        if not hasattr(self, "booster_"):
            raise WorkbenchError("this model is not trained yet: call fit(frame), or wb.train_next_page(split).")

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        # scikit-learn's HTML carries a script, which a rendered proposal forbids.
        return {"text/plain": repr(self)}


def train_next_page(split: Split, *, known_by: str | None = None, **parameters: Any) -> NextPage:
    """Train the next-page model on a split.

    Parameters
    ----------
    split : Split
        ``train`` fits, ``calibration`` stops and calibrates; ``validation`` and ``test`` are not touched.
    known_by : str, optional
        Information set; default the card's.
    **parameters
        Of :class:`NextPage`.

    Returns
    -------
    NextPage

    Raises
    ------
    WorkbenchError
        Where the split holds no page views.
    """
    check_page_views(split.card)
    model = NextPage(known_by=known_by or split.card.known_by, extra=split.card.context, **parameters)
    return model.fit(split.train, split.calibration, split.links)


def rows_hash(frame: pd.DataFrame) -> str:
    """Hash of a part's index, sessions and pages: which views it holds."""
    rows = pd.util.hash_pandas_object(frame[["session_id", "page"]], index=True)
    return hashlib.sha256(rows.to_numpy().tobytes()).hexdigest()
