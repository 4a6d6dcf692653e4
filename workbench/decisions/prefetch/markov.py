"""Rules that count what followed what: Markov chains with back-off, their smoothing, and a user's own history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.features.pages import (
    PageCounts,
    Transitions,
    as_answer,
    backoff_chances,
    encode,
    next_codes,
    rank_within,
    top_k,
)
from workbench.models.boosting import NotFittedError

FOLLOWERS = 10  # of each order, from which the likeliest are taken
BEGIN = 10.0
ORDERS = ("most popular page", "first", "second", "third", "fourth")
HIGHEST = len(ORDERS) - 1
HABITS = ("usual_next", "last_next")
HERE_BEFORE = (1.5, 2.5, 4.5, 9.5)  # earlier views of the page: 1, 2, 3 to 4, 5 to 9, 10 and more
USUAL_SHARE = (0.3, 0.5, 0.7, 0.9)
N_CELLS = (len(HERE_BEFORE) + 1) * (len(USUAL_SHARE) + 1) * 2
CELL_SMOOTHING = 20.0  # views


class NextPages(Protocol):
    """A source of chances: the likeliest next pages of each view, with their chances."""

    def next_pages(self, context: pd.DataFrame, k: int) -> pd.DataFrame:
        """``view_id, page, rank, chance``: at most k pages a view, by rank."""


@runtime_checkable
class WeighsPages(NextPages, Protocol):
    """A policy that answers with chances, and has a limit to move."""

    @property
    def limit(self) -> float | None:
        """Chance from which a page is fetched; without one, the scenario's break-even."""


def fetches_at(top: pd.DataFrame, limit: float, k: int) -> pd.DataFrame:
    """The pages to fetch, of ``view_id, page, rank, chance``: chance of at least ``limit``, at most ``k`` a view."""
    taken = (top["chance"].to_numpy() >= limit) & (top["rank"].to_numpy() <= k)
    return top.loc[taken, ["view_id", "page", "rank"]].reset_index(drop=True)


def decide_by_chance(
    source: NextPages, context: pd.DataFrame, scenario: PrefetchScenario, limit: float | None
) -> pd.DataFrame:
    """Fetch what is likely enough; without a limit, what reaches the break-even."""
    return fetches_at(
        source.next_pages(context, scenario.k), scenario.break_even if limit is None else limit, scenario.k
    )


def not_fitted(name: str) -> NotFittedError:
    """The error of a rule that was asked before it learnt anything."""
    return NotFittedError(
        f"{name} has not counted anything yet; take its fit(split.train), or the rules of wb.rules(split)."
    )


@dataclass(frozen=True)
class Markov:
    """What followed the last ``order`` pages in training, counted; where little was seen, the order below decides.

    Interpolated as in :func:`workbench.features.pages.backoff_chances`; order 0 is the most popular page, whatever the
    page. ``smoothing`` is the trust in the order below, in views, for each order from 1 on; comparisons pick it by net
    on ``validation``. ``limit`` is the chance from which a page is fetched, by default the scenario's break-even.
    """

    order: int = 1
    smoothing: tuple[float, ...] = (BEGIN,) * HIGHEST
    limit: float | None = None
    counts: PageCounts | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """What tables call it."""
        named = f"{ORDERS[self.order]}-order Markov" if self.order else ORDERS[0]
        return named + (" with back-off" if self.order > 1 else "")

    @property
    def reads(self) -> str:
        """What it reads beyond the page itself."""
        return ("", "", "second order", "session")[min(self.order, 3)]

    @property
    def pages(self) -> pd.Index:
        """Pages that it knows of."""
        return self._counts.pages

    @property
    def kilobytes(self) -> float:
        """Size of its counts at two bytes a page number, one byte a share, and the pages' names, kB."""
        orders = self._orders()
        cells = sum(3 * len(counts.page) + 2 * len(counts.states) for counts in orders)
        return (cells + sum(len(page.encode()) for page in self.pages)) / 1000

    def fit(self, train: pd.DataFrame) -> Self:
        """Count training views; returns a fitted copy."""
        return replace(self, counts=PageCounts.fit(train, highest=self.order))

    def next_pages(self, context: pd.DataFrame, k: int) -> pd.DataFrame:
        """The likeliest next pages of each view: ``view_id, page, rank, chance``.

        Chances depend on the state alone, so that each state that occurs is worked out once.
        """
        codes, states = encode(context, self.pages), self.states(context)
        first, of_row = distinct_ways(codes, states[2:])
        seen = [state[first] for state in states]
        row, page = self.followers(seen, codes[first], max(FOLLOWERS, k + 1))
        chance = self.chances([state[row] for state in seen], page)
        row, page, _, chance = top_k(row, page, chance, k)
        view, place = spread(row, of_row, len(first))
        return as_answer(context, self.pages, (view, page[place]), chance[place], k)

    def states(self, context: pd.DataFrame) -> tuple[np.ndarray, ...]:
        """State of each view in each order that it counts, from 0 on, -1 where it was never seen: int64, (rows,)."""
        return self._counts.states(context)[: self.order + 1]

    def chances(self, states: Sequence[np.ndarray], page: np.ndarray) -> np.ndarray:
        """Chance that a page, given by its code in ``pages``, is next after the states: float, shape (rows,)."""
        return backoff_chances(self._orders(), states, page, self.smoothing[: self.order])

    def followers(self, states: Sequence[np.ndarray], codes: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of row and page: the top ``m`` of each order, each pair once, without the current page."""
        found = [counts.top(state, m)[:2] for counts, state in zip(self._orders(), states, strict=True)]
        n_pages = max(len(self.pages), 1)
        row, page = np.divmod(np.unique(np.concatenate([row * n_pages + page for row, page in found])), n_pages)
        other = page != codes[row]
        return row[other], page[other]

    def __call__(self, context: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
        return decide_by_chance(self, context, scenario, self.limit)

    @property
    def _counts(self) -> PageCounts:
        if self.counts is None:
            raise not_fitted(self.name)
        return self.counts

    def _orders(self) -> tuple[Transitions, ...]:
        return self._counts.orders[: self.order + 1]


def popular() -> Markov:
    """The most popular pages, whatever the page: order 0."""
    return Markov(order=0, smoothing=())


def distinct_ways(codes: np.ndarray, others: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Views that are alike in all columns (whole numbers from -2 on): the first of each kind, and the kind of each."""
    kind = codes
    for other in others:
        kind = pd.factorize(kind * (other.max(initial=0) + 3) + other + 2)[0]
    _, first, kind = np.unique(kind, return_index=True, return_inverse=True)
    return first, kind


def spread(row: np.ndarray, of_view: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Give each view the pairs of the row that stands for it: view, and place of the pair; ``row`` is sorted."""
    size = np.bincount(row, minlength=rows)
    begin, count = (np.cumsum(size) - size)[of_view], size[of_view]
    view = np.repeat(np.arange(len(of_view)), count)
    return view, np.repeat(begin, count) + rank_within(view) - 1


@dataclass(frozen=True)
class UserHistory:
    """A user's own history on top of what everybody does.

    With some chance users open what they usually opened after this page, with another what they opened the last time;
    else they do as everybody: ``chance = habit + (1 - all habits) * chance of the other rule``. How strong the habit is
    depends on how often the user was here before, the usual page's share, and whether the last time was as usual; it is
    what, in training, such views opened the page more often than the other rule says. ``habit`` has shape (cells, 2):
    the usual page and the last one, where that is another.
    """

    everybody: Markov
    limit: float | None = None
    habit: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)), compare=False, repr=False)
    name: str = "user history, else Markov"
    needs: tuple[str, ...] = ("usual_next",)
    reads: str = "history"

    @property
    def kilobytes(self) -> float:
        """Size of the other rule and of the cells, kB; what is kept of each person is not counted."""
        return self.everybody.kilobytes + self.habit.size / 1000

    def fit(self, train: pd.DataFrame) -> Self:
        """Count how often habits held, beyond what everybody does; returns a fitted copy."""
        pages, cell = self._habits(train)
        coming = next_codes(train, encode(train, self.everybody.pages))
        held = (pages == coming[:, None]) & (pages >= 0)
        alike = self._alike(train, pages)
        has = pages[:, 0] >= 0
        seen = np.bincount(cell[has], minlength=N_CELLS)[:, None]
        held_share, alike_share = (_smooth_shares(values[has], cell[has], seen) for values in (held, alike))
        all_alike = alike_share.sum(axis=1, keepdims=True)
        rest = np.clip((1 - held_share.sum(axis=1, keepdims=True)) / np.maximum(1 - all_alike, 1e-9), 0, 1)
        habit = np.clip(held_share - rest * alike_share, 0, None)
        return replace(self, habit=habit / np.maximum(1, habit.sum(axis=1, keepdims=True)))

    def next_pages(self, context: pd.DataFrame, k: int) -> pd.DataFrame:
        """The likeliest next pages of each view: ``view_id, page, rank, chance``."""
        if not len(self.habit):
            raise not_fitted(self.name)
        pages, cell = self._habits(context)
        habit = np.where(pages >= 0, self.habit[cell], 0.0)
        rest = 1 - habit.sum(axis=1)
        chances = habit + rest[:, None] * self._alike(context, pages)
        top = self.everybody.next_pages(context, k + len(HABITS))
        row, page = pd.Index(context["view_id"]).get_indexer(top["view_id"]), encode(top, self.everybody.pages)
        other = (pages[row] != page[:, None]).all(axis=1)
        view, which = np.nonzero(pages >= 0)
        pairs = (np.concatenate([view, row[other]]), np.concatenate([pages[view, which], page[other]]))
        both = np.concatenate([chances[view, which], (top["chance"].to_numpy() * rest[row])[other]])
        return as_answer(context, self.everybody.pages, pairs, both, k)

    def __call__(self, context: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
        return decide_by_chance(self, context, scenario, self.limit)

    def _habits(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Codes of the usual and the last page, -1 where there is none, (rows, 2); how settled that is, (rows,)."""
        known = self.everybody.pages
        usual, last = (encode(frame, known, name) if name in frame else np.full(len(frame), -1) for name in HABITS)
        often = np.digitize(_numbers(frame, "here_before"), HERE_BEFORE)
        sure = np.digitize(_numbers(frame, "usual_share"), USUAL_SHARE)
        cell = (often * (len(USUAL_SHARE) + 1) + sure) * 2 + (usual == last)
        pages = np.column_stack([usual, np.where(last == usual, -1, last)])
        pages[(usual < 0) | (pages == encode(frame, known)[:, None]).any(axis=1)] = -1
        return pages, cell

    def _alike(self, frame: pd.DataFrame, pages: np.ndarray) -> np.ndarray:
        """Chances that everybody gives the habits' pages, 0 where there is none: float, shape (rows, 2)."""
        states = self.everybody.states(frame)
        return np.column_stack([np.where(page >= 0, self.everybody.chances(states, page), 0.0) for page in pages.T])


def _smooth_shares(values: np.ndarray, cell: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Mean of each column in each cell, leaning on the mean of all: float, shape (cells, columns)."""
    sums = np.column_stack([np.bincount(cell, column, minlength=N_CELLS) for column in values.T])
    overall = values.mean(axis=0) if len(values) else np.zeros(values.shape[1])
    return (sums + CELL_SMOOTHING * overall) / (seen + CELL_SMOOTHING)


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    return frame[name].fillna(0).to_numpy(float) if name in frame else np.zeros(len(frame))
