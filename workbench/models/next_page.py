"""Next page: how likely is each page to be opened next, given the session so far?

Candidates of each view are scored by one binary XGBoost on counts of earlier sessions; the scores become chances that
sum to at most 1 a view, since the session may end.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from sklearn.base import BaseEstimator

from workbench.datasets.columns import Column
from workbench.datasets.navigation_schema import known_navigation_context
from workbench.datasets.splits import Split, check_page_views
from workbench.errors import WorkbenchError, check_whole
from workbench.features.navigation_candidates import as_answer
from workbench.features.navigation_counts import NavigationCounts
from workbench.features.navigation_features import Pairs, describe_pairs, session_batches
from workbench.features.navigation_layout import Layout, check_without, fit_layout
from workbench.models.next_page_files import model_files, read_model, write_files
from workbench.models.next_page_training import (
    FEWEST_TUNE_SESSIONS,
    PAIRS_A_VIEW,
    Growing,
    as_chances,
    check_views,
    count_sessions,
    described,
    draw_sessions,
    fit_platt,
    honest_rows,
)
from workbench.models.threshold_trees import check_device

PAIRS_A_BATCH = 400_000
TUNE_SHARE = 0.4  # of the training pairs: so many stop the training and calibrate


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
        Of the boosted trees; ``patience`` rounds without gain on ``tune`` end the training.
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

    def fit(self, frame: pd.DataFrame, tune: pd.DataFrame | None = None, links: pd.DataFrame | None = None) -> NextPage:
        """Grow the trees on counts of earlier sessions, calibrate, then count all of the frame for later answers.

        Parameters
        ----------
        frame : DataFrame
            Canonical navigations, in the order of their sessions' start.
        tune : DataFrame, optional
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
        alone = tune is None or count_sessions(tune) < FEWEST_TUNE_SESSIONS
        rows, stop = honest_rows(context, self.layout_, links, self.pairs, self.seed, spare_last=alone)
        if stop is None:
            later = self.context(tune)
            share = TUNE_SHARE * self.pairs / (PAIRS_A_VIEW * len(later))
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
        ``train`` fits, ``tune`` stops and calibrates; ``choose`` and ``test`` are not touched.
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
    return model.fit(split.train, split.tune, split.links)


def rows_hash(frame: pd.DataFrame) -> str:
    """Hash of a part's index, sessions and pages: which views it holds."""
    rows = pd.util.hash_pandas_object(frame[["session_id", "page"]], index=True)
    return hashlib.sha256(rows.to_numpy().tobytes()).hexdigest()
