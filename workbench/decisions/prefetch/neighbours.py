"""Similar sessions: what users did next who viewed the same page and came the same way, as a rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd

from workbench.decisions.prefetch.markov import (
    FOLLOWERS,
    Markov,
    decide_by_chance,
    distinct_ways,
    not_fitted,
    spread,
)
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.features.pages import as_answer, encode, next_codes, previous_codes, top_k

BACK = 4  # pages before the current one that are compared
LATEST = 500  # views of a page that are remembered, as VMIS-kNN caps the sessions of an item
# Halves and eighths, whose sums are exact: the answer for a view does not depend on which others are asked about.
FADES = 0.5  # a page one step further back counts half
IN_PLACE = 0.5  # more, where the page right before is the same
NOT_NOTHING = 0.125  # what a view of the page counts that shares nothing else
BITS = 1 << np.arange(BACK + 1)  # which of the pages before are shared, and whether the last is in its place
ALIKE = NOT_NOTHING + ((np.arange(2 ** (BACK + 1))[:, None] & BITS) > 0) @ [*(FADES ** np.arange(BACK)), IN_PLACE]
ORDER = np.unique(ALIKE, return_inverse=True)[1].astype(np.int16)
CELLS = 4_000_000  # compared at once


@dataclass(frozen=True)
class Remembered:
    """Training views by page, the latest first; those of page ``p`` begin at ``start[p]``.

    ``path``, shape (views, BACK), has the pages before, the nearest first; ``coming`` the page opened next. Codes are
    those of :func:`workbench.features.pages.previous_codes` and ``next_codes``.
    """

    start: np.ndarray
    path: np.ndarray
    coming: np.ndarray


@dataclass(frozen=True)
class SimilarSessions:
    """The ``neighbours`` most similar earlier views of the same page vote for the next one, and Markov fills in.

    Similar are views whose sessions share the pages before, weighted by how lately those were opened; among equals the
    later session counts (Jannach & Ludewig 2017, When Recurrent Neural Networks Meet the Neighborhood; Garg et al.
    2019, Sequence and Time Aware Neighborhood). Only the latest 500 views of a page are remembered, as in VMIS-kNN
    (Kersbergen et al. 2022, Serenade). ``chance = (votes + smoothing * chance of the other rule) / (all votes +
    smoothing)``, where a session that ended votes for no page.
    """

    everybody: Markov
    neighbours: int = 100
    smoothing: float = 10.0
    limit: float | None = None
    remembered: Remembered | None = field(default=None, compare=False, repr=False)
    name: str = "similar sessions, else Markov"
    reads: str = "session"

    @property
    def kilobytes(self) -> float:
        """Size of the remembered views at two bytes a page number, and of the other rule, kB."""
        kept = self._memory
        return self.everybody.kilobytes + 2 * (kept.path.size + len(kept.coming)) / 1000

    def fit(self, train: pd.DataFrame) -> Self:
        """Remember training views; returns a fitted copy."""
        codes = encode(train, self.everybody.pages)
        order = np.lexsort((-np.arange(len(train)), codes))
        order = order[codes[order] >= 0]
        order = order[np.arange(len(order)) - np.searchsorted(codes[order], codes[order]) < LATEST]
        start = np.searchsorted(codes[order], np.arange(len(self.everybody.pages) + 1))
        path = np.column_stack(_pages_before(train, codes))[order]
        return replace(self, remembered=Remembered(start, path, next_codes(train, codes)[order]))

    def next_pages(self, context: pd.DataFrame, k: int) -> pd.DataFrame:
        """The likeliest next pages of each view: ``view_id, page, rank, chance``.

        Views that came the same way have the same neighbours, so that each way is worked out once.
        """
        pages, n_pages = self.everybody.pages, max(len(self.everybody.pages), 1)
        codes = encode(context, pages)
        before = _pages_before(context, codes)
        first, of_view = distinct_ways(codes, before)
        current, path = codes[first], np.column_stack(before)[first]
        states = [state[first] for state in self.everybody.states(context)]
        found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)), *self._votes(current, path)]
        way, voted, weight = (np.concatenate(each) for each in zip(*found, strict=True))
        all_votes = np.bincount(way, weight, minlength=len(first))
        goes_on = voted >= 0
        row, page = self.everybody.followers(states, current, max(FOLLOWERS, k + 1))
        keys = np.concatenate([(way * n_pages + voted)[goes_on], row * n_pages + page])
        pairs, place = np.unique(keys, return_inverse=True)
        votes = np.bincount(place, np.concatenate([weight[goes_on], np.zeros(len(row))]), minlength=len(pairs))
        row, page = np.divmod(pairs, n_pages)
        prior = self.everybody.chances([state[row] for state in states], page)
        chance = (votes + self.smoothing * prior) / (all_votes[row] + self.smoothing)
        other = page != current[row]
        row, page, _, chance = top_k(row[other], page[other], chance[other], k)
        view, place = spread(row, of_view, len(first))
        return as_answer(context, pages, (view, page[place]), chance[place], k)

    def __call__(self, context: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
        return decide_by_chance(self, context, scenario, self.limit)

    @property
    def _memory(self) -> Remembered:
        if self.remembered is None:
            raise not_fitted(self.name)
        return self.remembered

    def _votes(self, current: np.ndarray, path: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Votes of the neighbours of each way: way, page (-1: the session ended) and weight; some ways at a time."""
        kept, n_pages = self._memory, len(self.everybody.pages)
        order = np.argsort(current, kind="stable")
        bounds = np.searchsorted(current[order], np.arange(n_pages + 1))
        for code in np.flatnonzero((np.diff(bounds) > 0) & (np.diff(kept.start) > 0)):
            visits = slice(kept.start[code], kept.start[code + 1])
            its, coming, n = kept.path[visits], kept.coming[visits], kept.start[code + 1] - kept.start[code]
            shown = np.zeros((n_pages + 2, n), bool)  # page by visit; the last two rows answer for codes below 0
            shown[its, np.arange(n)[:, None]] = True
            shown[-2:] = False
            pages, column = np.unique(coming, return_inverse=True)
            to_page = (column[:, None] == np.arange(len(pages))).astype(np.float32)
            ways = order[bounds[code] : bounds[code + 1]]
            for some in np.array_split(ways, 1 + len(ways) * n // CELLS):
                weight = self._weigh(path[some], its[:, 0], shown)
                votes = weight @ to_page
                row, place = np.nonzero(votes)
                yield some[row], pages[place], votes[row, place].astype(float)

    def _weigh(self, path: np.ndarray, nearest: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """Weight of each visit to each way, 0 where it is no neighbour: float32, shape (ways, visits)."""
        shared = (path[:, :1] == nearest).astype(np.uint8) << BACK
        for back in range(BACK):
            shared |= shown[path[:, back]].view(np.uint8) << back
        weight, n = ALIKE.astype(np.float32)[shared], len(nearest)
        if n <= self.neighbours:
            return weight
        rank = ORDER[shared] * np.int16(n) + np.arange(n, dtype=np.int16)[::-1]  # among equals the later one
        last = np.partition(rank, n - self.neighbours, axis=1)[:, n - self.neighbours]
        return np.where(rank >= last[:, None], weight, 0)


def _pages_before(frame: pd.DataFrame, codes: np.ndarray) -> list[np.ndarray]:
    """Codes of the pages before, the nearest first: int64, shape (rows,) each."""
    return [previous_codes(frame, codes, back) for back in range(1, BACK + 1)]
