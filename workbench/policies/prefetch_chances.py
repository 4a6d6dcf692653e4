"""Rules that count what followed what: next pages with their chances, fetched where the chance reaches a limit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol, Self

import numpy as np
import pandas as pd

from workbench.delivery import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.features.navigation import PageCounts, Transitions, backoff_chances, encode
from workbench.features.navigation_candidates import as_answer, rank_within, top_k

FOLLOWERS = 10  # of each order, from which the likeliest are taken


class NextPages(Protocol):
    """A source of chances: the likeliest next pages of each view, with their chances."""

    def next_pages(self, context: pd.DataFrame, k: int) -> pd.DataFrame:
        """``view_id, page, rank, chance``: at most k pages a view, by rank."""


def fetches_at(top: pd.DataFrame, limit: float, k: int) -> pd.DataFrame:
    """The pages to fetch: those with a chance of at least ``limit``, at most ``k`` a view.

    Parameters
    ----------
    top : DataFrame
        ``view_id, page, rank, chance``, as from ``next_pages``: chances fall with the rank.
    limit : float
    k : int

    Returns
    -------
    DataFrame
        ``view_id, page, rank``.
    """
    taken = (top["chance"].to_numpy() >= limit) & (top["rank"].to_numpy() <= k)
    return top.loc[taken, ["view_id", "page", "rank"]].reset_index(drop=True)


def decide_by_chance(
    source: NextPages, context: pd.DataFrame, scenario: PrefetchScenario, limit: float | None
) -> pd.DataFrame:
    """Fetch what is likely enough; without a limit, what reaches the break-even."""
    return fetches_at(
        source.next_pages(context, scenario.k), scenario.break_even if limit is None else limit, scenario.k
    )


def not_fitted(name: str) -> WorkbenchError:
    """The error of a rule that was asked before it learnt anything."""
    return WorkbenchError(
        f"{name} has not counted anything yet; take its fit(split.train), or the rules of wb.prefetch_rules(split)."
    )


@dataclass(frozen=True)
class Markov:
    """What followed the last one or two pages in training, counted; where little was seen, the order below decides.

    Interpolated as in :func:`workbench.features.navigation.backoff_chances`. Order 0 is the most popular page,
    whatever the page.

    Parameters
    ----------
    order : int
        0, 1 or 2 pages looked at.
    smoothing : tuple of float
        Views' worth of trust in the order below, for each order from 1 on; comparisons pick it by net on ``choose``.
    limit : float, optional
        Chance from which a page is fetched; without one, the scenario's break-even.
    counts : PageCounts, optional
        After :meth:`fit`.
    """

    order: int = 1
    smoothing: tuple[float, ...] = (10.0, 10.0)
    limit: float | None = None
    counts: PageCounts | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """What tables call it."""
        return ("most popular page", "first-order Markov", "second-order Markov with back-off")[self.order]

    @property
    def kind(self) -> str:
        """Rules may be the best rule."""
        return "rule"

    @property
    def reads(self) -> str:
        """What it reads beyond the page itself."""
        return "second order" if self.order == 2 else ""

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
        return replace(self, counts=PageCounts.fit(train))

    def next_pages(self, context: pd.DataFrame, k: int) -> pd.DataFrame:
        """The likeliest next pages of each view: ``view_id, page, rank, chance``.

        Chances depend on the state alone, so that each state that occurs is worked out once.
        """
        codes, states = encode(context, self.pages), self._counts.states(context)[: self.order + 1]
        n_pages = len(self.pages)
        _, first, of_row = np.unique((states[-1] + 1) * (n_pages + 1) + codes, return_index=True, return_inverse=True)
        seen = [state[first] for state in states]
        row, page = _followers(self._orders(), seen, codes[first], max(FOLLOWERS, k + 1))
        chance = backoff_chances(self._orders(), [state[row] for state in seen], page, self.smoothing[: self.order])
        row, page, _, chance = top_k(row, page, chance, k)
        view, place = _spread(row, of_row, len(first))
        return as_answer(context, self.pages, (view, page[place]), chance[place], k)

    def chance_of(self, context: pd.DataFrame, page: np.ndarray) -> np.ndarray:
        """Chance that one page, given by its code in ``pages``, is next: float, shape (rows,)."""
        states = self._counts.states(context)[: self.order + 1]
        return backoff_chances(self._orders(), states, page, self.smoothing[: self.order])

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


def _followers(
    orders: tuple[Transitions, ...], states: list[np.ndarray], codes: np.ndarray, m: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of row and page: the top followers of each order, each pair once, without the current page."""
    found = [counts.top(state, m)[:2] for counts, state in zip(orders, states, strict=True)]
    n_pages = max(orders[0].n_pages, 1)
    row, page = np.divmod(np.unique(np.concatenate([row * n_pages + page for row, page in found])), n_pages)
    other = page != codes[row]
    return row[other], page[other]


def _spread(row: np.ndarray, of_view: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Give each view the pairs of the row that stands for it: view, and place of the pair; ``row`` is sorted."""
    size = np.bincount(row, minlength=rows)
    begin, count = (np.cumsum(size) - size)[of_view], size[of_view]
    view = np.repeat(np.arange(len(of_view)), count)
    return view, np.repeat(begin, count) + rank_within(view) - 1
