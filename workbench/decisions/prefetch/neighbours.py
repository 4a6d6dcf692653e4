"""Similar sessions: what users did next who were on the same page and came the same way, as a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd

from workbench.decisions.prefetch.markov import Markov, decide_by_chance, not_fitted
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.features.pages import as_answer, encode, next_codes, previous_codes

BACK = 4  # pages before the current one that are compared
LATEST = 500  # views of a page that are looked at, as VMIS-kNN caps sessions an item (Kersbergen et al. 2022)
FADES = 0.5  # a page one step further back counts half
IN_PLACE = 0.5  # more, where the page right before is the same
NOT_NOTHING = 0.1  # what a view of the page counts that shares nothing else
CELLS = 8_000_000  # compared at once
ASKED_MORE = 10  # pages of the other rule, beside those voted for


@dataclass(frozen=True)
class Remembered:
    """Training views by page, the latest first; those of page ``p`` begin at ``start[p]``.

    ``path``, shape (views, BACK), has the pages before, the nearest first; ``coming`` the page opened next. Codes are
    those of :func:`workbench.features.pages.encode`.
    """

    start: np.ndarray
    path: np.ndarray
    coming: np.ndarray


@dataclass(frozen=True)
class SimilarSessions:
    """The ``neighbours`` most similar earlier views of the same page vote for the next one, and Markov fills in.

    Similar are views whose sessions share the pages before, weighted by how lately those were opened (Jannach & Ludewig
    2017, When Recurrent Neural Networks Meet the Neighborhood; Garg et al. 2019, Sequence and Time Aware Neighborhood);
    among equals the later session counts. ``chance = (votes + smoothing * chance of the other rule) / (all votes +
    smoothing)``, where a session that ended votes for no page.
    """

    everybody: Markov
    neighbours: int = 100
    smoothing: float = 10.0
    limit: float | None = None
    remembered: Remembered | None = field(default=None, compare=False, repr=False)
    name: str = "similar sessions, else Markov"
    reads: str = "second order"

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
        start = np.searchsorted(codes[order], codes[order])
        order = order[np.arange(len(order)) - start < LATEST]
        start = np.searchsorted(codes[order], np.arange(len(self.everybody.pages) + 1))
        return replace(self, remembered=Remembered(start, _paths(train, codes)[order], next_codes(train, codes)[order]))

    def next_pages(self, context: pd.DataFrame, k: int) -> pd.DataFrame:
        """The likeliest next pages of each view: ``view_id, page, rank, chance``."""
        return self.ranked(context, k)(self.smoothing)

    def ranked(self, context: pd.DataFrame, k: int) -> Callable[[float], pd.DataFrame]:
        """The same for any smoothing, the neighbours asked once."""
        pages, n_pages = self.everybody.pages, len(self.everybody.pages)
        codes = encode(context, pages)
        # Views that came the same way have the same neighbours.
        ways, of_view = np.unique(np.column_stack([codes, _paths(context, codes)]), axis=0, return_inverse=True)
        voted = np.concatenate([np.empty((0, 3)), *self._votes(ways)])
        all_votes = np.bincount(voted[:, 0].astype(np.int64), voted[:, 2], minlength=len(ways))
        voted = voted[(voted[:, 1] >= 0)]
        key = (voted[:, 0] * n_pages + voted[:, 1]).astype(np.int64)
        key, place = np.unique(key, return_inverse=True)
        votes = np.append(np.bincount(place, voted[:, 2], minlength=len(key)), 0.0)
        top = self.everybody.next_pages(context, k + ASKED_MORE)
        row, page = pd.Index(context["view_id"]).get_indexer(top["view_id"]), encode(top, pages)
        begin = np.searchsorted(key, np.arange(len(ways) + 1) * n_pages)
        size = np.diff(begin)[of_view]
        spot = np.repeat(begin[of_view] - (np.cumsum(size) - size), size) + np.arange(size.sum())
        view = np.repeat(np.arange(len(context)), size)
        pairs = np.unique(np.concatenate([view * n_pages + key[spot] % n_pages, row * n_pages + page]))
        view, page = np.divmod(pairs[pairs % n_pages != codes[pairs // n_pages]], n_pages)
        wanted = of_view[view] * n_pages + page
        found = np.searchsorted(key, wanted)
        place_of = np.where(np.append(key, -1)[found] == wanted, found, len(key))
        prior, voted_all = self.everybody.chances_of(context, view, page), all_votes[of_view[view]]

        def at(smoothing: float) -> pd.DataFrame:
            chance = (votes[place_of] + smoothing * prior) / (voted_all + smoothing)
            return as_answer(context, pages, (view, page), chance, k)

        return at

    def __call__(self, context: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
        return decide_by_chance(self, context, scenario, self.limit)

    @property
    def _memory(self) -> Remembered:
        if self.remembered is None:
            raise not_fitted(self.name)
        return self.remembered

    def _votes(self, ways: np.ndarray) -> Iterator[np.ndarray]:
        """Way, page (-1: the session ended) and weight of each neighbour, some ways at a time: shape (votes, 3)."""
        kept, current = self._memory, ways[:, 0]
        size = np.where(current >= 0, np.diff(kept.start, append=kept.start[-1:])[current], 0)
        batch = np.cumsum(size) // (CELLS // BACK)
        for rows in np.split(np.arange(len(ways)), np.flatnonzero(np.diff(batch)) + 1):
            n = size[rows]
            way = np.repeat(rows, n)
            begin = np.cumsum(n) - n
            spot = np.repeat(kept.start[current[rows]] - begin, n) + np.arange(n.sum())
            weight = np.full(len(way), NOT_NOTHING)
            for back in range(BACK):
                page = ways[way, 1 + back]
                weight += FADES**back * ((kept.path[spot] == page[:, None]).any(axis=1) & (page >= 0))
            weight += IN_PLACE * (kept.path[spot, 0] == ways[way, 1])
            nearest = np.lexsort((-weight, way))
            near = nearest[np.arange(len(way)) - np.repeat(begin, n) < self.neighbours]
            yield np.column_stack([way[near], kept.coming[spot[near]], weight[near]])


def _paths(frame: pd.DataFrame, codes: np.ndarray) -> np.ndarray:
    """Codes of the pages before, the nearest first: int64, shape (rows, BACK)."""
    return np.column_stack([previous_codes(frame, codes, back) for back in range(1, BACK + 1)])
