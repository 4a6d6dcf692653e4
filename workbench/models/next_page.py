"""Next page: how likely is each candidate to be opened next?"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from workbench.checked import checked
from workbench.datasets.schema import NAVIGATION_HISTORY, known_context, navigation_context_columns
from workbench.datasets.splits import FEWEST_USERS, Split, check_page_views, users_of
from workbench.errors import WorkbenchError, check_whole
from workbench.features.page_features import (
    GROUPS_LEFT_OUT,
    HISTORY,
    PAGE_CODES,
    SECOND,
    SESSION,
    Layout,
    NavigationCounts,
    Pairs,
    describe_pairs,
    fit_layout,
    session_batches,
)
from workbench.features.pages import as_answer, encode, next_codes, session_numbers, top_k
from workbench.models.boosting import SMALLEST_CHANCE, BoostedModel, check_without, fit_platt, rows_hash, without_codes

# Where the stretches of sessions that train the ranker begin, as shares of all training sessions; the rows of each use
# the counts of all sessions before it, so that the trees meet little and much evidence. Trials on `validation`
# (log-loss of a view): six from 0.4 on: eshop2008 1.984, wikispeedia 2.248; two halves: 1.988, 2.250; four from 0.3
# on: 1.987, 2.247.
STRETCHES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PAIRS_A_VIEW = 20  # about; how many views make up a number of pairs
PAIRS_A_BATCH = 400_000
CALIBRATION_SHARE = 0.4  # of the training pairs: so many stop the training and calibrate
FEWEST_SESSIONS = 20
FEWEST_CALIBRATION_SESSIONS = 10
NO_CLICK = "the sessions that calibrate the model hold no onward click to a page known from training; take more rows."


@checked
@dataclass(kw_only=True, eq=False, repr=False)
class NextPage(BoostedModel):
    """Chances of each next page, from the page, the session so far, the user's history, and the context.

    Parameters
    ----------
    known_by, extra, max_depth, min_child_weight, learning_rate, max_trees, patience, seed, device, linear
        As for ``wb.NetworkQuality``.
    without : tuple of str
        What to leave out: columns of context or history, or all of a kind: ``"history"``,
        ``"second order"`` (the page before), ``"session"`` (what it has shown), ``"context"``.
    pairs : int
        About how many pairs of a view and a candidate train the trees; whole sessions are drawn by seed.

    Attributes
    ----------
    layout_, names_, counts_, booster_, platt_
        Which features there are; their names in the order of the booster's columns; what followed what, over all of the
        training part; the trees; slope and intercept of the map from their margin to log-odds.

    Notes
    -----
    It works in scikit-learn's ``cross_val_score(model, frame)`` and ``GridSearchCV(model, {...}).fit(frame)``, without
    ``y``. These split rows, which cuts sessions: pass ``cv=GroupKFold()`` and ``groups=frame["session_id"]``. Links
    between pages go in as ``params={"links": links}``.
    """

    known_by: str = "client_js"
    pairs: int = 1_000_000
    max_depth: int = 5
    min_child_weight: float = 20
    learning_rate: float = 0.15
    max_trees: int = 300
    patience: int = 15

    train_call: ClassVar[str] = "wb.train_next_page(split)"
    group_labels: ClassVar[Mapping[str, str]] = GROUPS_LEFT_OUT
    layout_: Layout = field(init=False)
    counts_: NavigationCounts = field(init=False)
    booster_: Any = field(init=False)
    names_: tuple[str, ...] = field(init=False)
    platt_: tuple[float, float] = field(init=False)

    def fit(
        self,
        frame: pd.DataFrame,
        calibration: pd.DataFrame | None = None,
        links: pd.DataFrame | None = None,
        *,
        y: None = None,
    ) -> Self:
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
        y : None
            For scikit-learn's tools: what is predicted is read from the frame.

        Raises
        ------
        WorkbenchError
            Where the frame holds fewer than 20 sessions or no next page, ``without`` names no context, ``seed`` is
            negative, or ``device`` has no usable GPU.
        """
        self._check_settings(calibration, y)
        check_whole("pairs", self.pairs, at_least=1)
        history = [column.name for column in NAVIGATION_HISTORY]
        known = [*GROUPS_LEFT_OUT, *navigation_context_columns("never", self.extra), *history]
        check_without(self.without, known, f"context columns, or {', '.join(map(repr, GROUPS_LEFT_OUT))}")
        check_views(frame)
        started = time.perf_counter()
        context = self.context(frame)
        layout = fit_layout(context, self.known_by, self.extra, self.without)
        counts = NavigationCounts.fit(context, layout, links)
        rows, stop = self._training_rows(context, calibration, layout, counts, links)
        if stop.answer.min() == stop.answer.max():
            raise WorkbenchError(NO_CLICK)
        self.booster_, margin = self._grow(rows.matrix, rows.answer, (stop.matrix, stop.answer))
        self.layout_, self.counts_, self.names_ = layout, counts, rows.names
        self.platt_ = fit_platt(margin, stop.answer, NO_CLICK)
        self.train_seconds_ = time.perf_counter() - started
        self.trained_on_ = rows_hash(frame, calibration)
        return self

    def fit_split(self, split: Split) -> Self:
        """Train on ``split.train`` and its links; ``split.calibration`` ends the training and calibrates."""
        return self.fit(split.train, split.calibration, split.links)

    def context(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The part of a frame that the model reads."""
        return known_context(frame, self.known_by, self.extra)

    def describe(self, context: pd.DataFrame) -> Pairs:
        """Candidates and features of each view, as the trees see them; all at once, so for some views."""
        self.check_fitted()
        return describe_pairs(self.layout_, self.counts_, self.context(context))

    def candidate_chances(self, context: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Chance of every candidate of every view: place of the view, page code, and calibrated chance, shape (pairs,)
        each.

        Page codes are places in ``layout_.pages``; the chances of a view sum to at most 1.
        """
        self.check_fitted()
        rows, pages, chances = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
        for start, part in session_batches(self.context(context), PAIRS_A_BATCH // PAIRS_A_VIEW):
            pairs = describe_pairs(self.layout_, self.counts_, part)
            margin = self.booster_.inplace_predict(pairs.matrix, predict_type="margin")
            rows.append(pairs.row + start)
            pages.append(pairs.page)
            chances.append(as_chances(margin, pairs.row, self.platt_, len(part)))
        return np.concatenate(rows), np.concatenate(pages), np.concatenate(chances)

    @property
    def classes_(self) -> np.ndarray:
        """Pages that the model knows, in the order of the columns of :meth:`predict_proba`."""
        return self.counts_.pages.pages.to_numpy(str)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Chance of each page of ``classes_``: float, shape (rows, pages); what is left of 1 is the session's end."""
        row, page, chance = self.candidate_chances(frame)
        chances = np.zeros((len(frame), len(self.classes_)))
        chances[row, page] = chance
        return chances

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

    def predict(self, frame: pd.DataFrame) -> pd.Series:
        """The most likely next page of each view of a frame as for :meth:`next_pages`.

        A Series of str, indexed like the frame; missing where no page is a candidate.
        """
        row, page, _, _ = top_k(*self.candidate_chances(frame), 1)
        best = np.full(len(frame), -1)
        best[row] = page
        pages = pd.Categorical.from_codes(best, categories=self.counts_.pages.pages)
        return pd.Series(pages, frame.index, name="page").astype("str")

    def score(self, frame: pd.DataFrame, y: None = None) -> float:
        """Negative log-loss of what each view led to: the higher, the better the chances fit.

        The mean over views of the logarithm of the chance of the page that was opened next; where the session ended, or
        the next page was no candidate, of the chance that is left for all of these. A chance below one in a million
        counts as that. The frame holds canonical navigations, whole sessions together and in order. Compare only models
        with the same candidates: trained on the same pages and links, all with ``"history"`` or all without.
        """
        row, page, chance = self.candidate_chances(frame)
        opened = next_codes(frame, encode(frame, self.counts_.pages.pages))
        came = 1 - np.bincount(row, chance, len(frame))
        hit = opened[row] == page
        came[row[hit]] = chance[hit]
        return float(np.log(came.clip(SMALLEST_CHANCE)).mean())

    @property
    def fields(self) -> tuple[str, ...]:
        """Columns that the model reads."""
        self.check_fitted()
        return ("page", "session_id", *self.layout_.numbers, *self.layout_.levels, *self.layout_.history)

    @property
    def trees(self) -> int:
        """Number of trees."""
        self.check_fitted()
        return self.booster_.num_boosted_rounds()

    def removable(self) -> tuple[str, ...]:
        """Columns and kinds of features that the model reads and can be trained without, as ``without`` calls them.

        The user's history, the page before, and what the session has shown go as a whole; what follows a page,
        popularity, links and places cannot be left out.
        """
        self.check_fitted()
        kinds = {HISTORY: self.layout_.history, SECOND: self.layout_.second, SESSION: self.layout_.session}
        return (*self.layout_.numbers, *self.layout_.levels, *(kind for kind, there in kinds.items() if there))

    def shortened(self, share: float, split: Split) -> Self:
        """The first trees alone, a share of them, calibrated again on ``split.calibration``."""
        rows = self._calibration_rows(split.calibration, self.layout_, self.counts_)
        other = copy.copy(self)
        other.booster_ = self.booster_[: max(1, round(share * self.trees))]
        margin = other.booster_.inplace_predict(rows.matrix, predict_type="margin")
        other.platt_ = fit_platt(margin, rows.answer, NO_CLICK)
        return other

    def merged(self, split: Split) -> Self:
        """The same trees on counts without pages, levels and states that fewer than 20 users of ``split.train`` met."""
        frame = self.context(split.train)
        users = users_of(split.train, split.cluster if split.cluster in split.train else "session_id")

        def stay(name: str, values: Sequence[str]) -> list[int]:
            met = pd.Series(users).groupby(frame[name].astype(object).map(str, na_action="ignore").to_numpy()).nunique()
            return [place for place, value in enumerate(values) if met.get(value, 0) >= FEWEST_USERS]

        old = self.layout_
        pages = stay("page", old.pages)
        levels = {name: stay(name, values) for name, values in old.levels.items()}
        kept = dict.fromkeys(PAGE_CODES, pages)
        kept |= {name: [*places, len(old.levels[name])] for name, places in levels.items()}  # the last one: all others
        other = copy.copy(self)
        other.layout_ = replace(
            old,
            pages=[old.pages[place] for place in pages],
            levels={name: [old.levels[name][place] for place in places] for name, places in levels.items()},
        )
        links = None if self.counts_.links is None else split.links
        other.counts_ = NavigationCounts.fit(frame, other.layout_, links, users)
        places = {self.names_.index(name): codes for name, codes in kept.items() if name in self.names_}
        other.booster_ = self.booster_ if self.linear else without_codes(self.booster_, places)
        return other

    def _training_rows(
        self,
        context: pd.DataFrame,
        calibration: pd.DataFrame | None,
        layout: Layout,
        counts: NavigationCounts,
        links: pd.DataFrame | None,
    ) -> tuple[Rows, Rows]:
        """Rows on which the trees grow, and those that end the training and calibrate."""
        stretches = honest_rows(context, layout, links, self.pairs, self.seed)
        if calibration is None or count_sessions(calibration) < FEWEST_CALIBRATION_SESSIONS:
            last = stretches.pop()
            return join_rows(stretches), last
        return join_rows(stretches), self._calibration_rows(calibration, layout, counts)

    def _calibration_rows(self, calibration: pd.DataFrame, layout: Layout, counts: NavigationCounts) -> Rows:
        later = self.context(calibration)
        share = CALIBRATION_SHARE * self.pairs / (PAIRS_A_VIEW * len(later))
        return described(draw_sessions(later, share, self.seed), layout, counts)

    def _state(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        counts = json.dumps(self.counts_.to_dict(), separators=(",", ":"), sort_keys=True)
        described = {"layout": self.layout_.to_dict(), "names": self.names_, "platt": self.platt_}
        return described, {"counts.json": counts.encode(), "trees.ubj": bytes(self.booster_.save_raw("ubj"))}

    def _restore(self, saved: dict[str, Any], read: Callable[[str], bytes]) -> None:
        self.layout_ = Layout.from_dict(saved["layout"])
        self.counts_ = NavigationCounts.from_dict(json.loads(read("counts.json")), self.layout_)
        self.booster_ = self._read_trees(read("trees.ubj"))
        self.names_, self.platt_ = tuple(saved["names"]), tuple(saved["platt"])


@checked
def train_next_page(split: Split, *, known_by: str | None = None, **parameters: Any) -> NextPage:
    """Train the next-page model on a split.

    Parameters
    ----------
    split : Split
        Of page views. ``train`` fits, ``calibration`` stops and calibrates; the other parts are not touched.
    known_by : str, optional
        Information set; default the card's.
    **parameters
        Of :class:`NextPage`.

    >>> model = wb.train_next_page(split, max_trees=100)  # doctest: +SKIP
    """
    check_page_views(split.card)
    model = NextPage(known_by=known_by or split.card.known_by, extra=split.card.context, **parameters)
    return model.fit_split(split)


@dataclass(frozen=True)
class Rows:
    """Described pairs, float32, shape (pairs, features); whether each candidate was the next page; feature names."""

    matrix: np.ndarray
    answer: np.ndarray
    names: tuple[str, ...]


def earlier_and_own(frame: pd.DataFrame, starts: tuple[float, ...]) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Cut sessions, in order, into stretches: what came before each, and the stretch itself.

    ``starts`` says where each stretch begins, as a share of the sessions; the last one ends with the frame. Counts come
    from what came before, rows from the stretch: a count that includes a row's own next page reveals the answer.
    """
    sessions = session_numbers(frame)
    bounds = np.append(np.round(np.array(starts) * (sessions[-1] + 1)), sessions[-1] + 1)
    places = np.searchsorted(sessions, bounds)
    for begin, end in pairwise(places):
        yield frame.iloc[:begin], frame.iloc[begin:end]


def honest_rows(frame: pd.DataFrame, layout: Layout, links: pd.DataFrame | None, pairs: int, seed: int) -> list[Rows]:
    """Rows for the trees, one item a stretch of sessions, described by counts of earlier sessions.

    About ``pairs`` pairs are described, of whole sessions drawn by seed.
    """
    stretches = list(earlier_and_own(frame, STRETCHES))
    share = pairs / (PAIRS_A_VIEW * sum(len(own) for _, own in stretches))
    return [
        described(draw_sessions(own, share, seed), layout, NavigationCounts.fit(earlier, layout, links))
        for earlier, own in stretches
    ]


def join_rows(parts: Sequence[Rows]) -> Rows:
    """All rows of some parts."""
    matrix = np.concatenate([part.matrix for part in parts])
    return Rows(matrix, np.concatenate([part.answer for part in parts]), parts[0].names)


def described(frame: pd.DataFrame, layout: Layout, counts: NavigationCounts) -> Rows:
    """Features of the candidates of a frame's views, and which of them was opened next."""
    pairs = describe_pairs(layout, counts, frame)
    opened = next_codes(frame, encode(frame, counts.pages.pages))
    return Rows(pairs.matrix, opened[pairs.row] == pairs.page, pairs.names)


def draw_sessions(frame: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """Draw a share of the sessions by seed, at least one; all of them from a share of 1."""
    if share >= 1:
        return frame
    sessions = session_numbers(frame)
    n = sessions[-1] + 1
    drawn = np.random.default_rng([seed, n]).permutation(n)[: max(1, round(share * n))]
    return frame[np.isin(sessions, drawn)]


def check_views(frame: pd.DataFrame) -> None:
    """Refuse a training part that is too small, or has no next page."""
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
