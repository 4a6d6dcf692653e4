"""The session cache: what happened in the sessions, what is fetched, and what is opened while it is fresh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from workbench.datasets.sessions import has_seconds
from workbench.decisions.prefetch.scenario import DWELL_S, PrefetchScenario
from workbench.errors import WorkbenchError

US_PER_MS, MS_PER_S = 1000, 1000


@dataclass(frozen=True)
class Visits:
    """Page views as arrays of shape (rows,); views of a session lie together and in order.

    ``page`` (int64) is the page's place in ``pages``; ``first`` and ``end`` are the row of the session's first view and
    the one after its last; ``elapsed_ms`` counts from the session's start; ``expires`` is the first row of the session
    at which a page loaded in this view is stale, ``end`` where it stays fresh. ``timed`` says whether times were
    measured; else every view lasts ``dwell_s``, and freshness is counted in views.
    """

    pages: pd.Index
    page: np.ndarray
    first: np.ndarray
    end: np.ndarray
    elapsed_ms: np.ndarray
    expires: np.ndarray
    timed: bool

    def __len__(self) -> int:
        return len(self.page)

    @cached_property
    def navigates(self) -> np.ndarray:
        """Whether another view of the session follows: boolean, shape (rows,)."""
        return np.arange(len(self)) + 1 < self.end

    @cached_property
    def next_page(self) -> np.ndarray:
        """Code of the page opened next, -1 at a session's end: int64, shape (rows,)."""
        return np.where(self.navigates, np.append(self.page[1:], -1), -1)

    @cached_property
    def stay_ms(self) -> np.ndarray:
        """Time until the next view, NaN at a session's end: float, shape (rows,)."""
        return np.where(self.navigates, np.append(np.diff(self.elapsed_ms), np.nan), np.nan)

    @cached_property
    def by_page(self) -> np.ndarray:
        """``page * rows + row`` of every view, sorted: where each page was visited; int64, shape (rows,)."""
        return np.sort(self.page * len(self) + np.arange(len(self)))

    @cached_property
    def fresh_already(self) -> np.ndarray:
        """Whether an earlier visit keeps the page fresh when it is opened: boolean, shape (rows,)."""
        page, row = np.divmod(self.by_page, max(len(self), 1))
        before = np.append(-1, row[:-1])
        again = (np.diff(page, prepend=-1) == 0) & (before >= self.first[row])
        fresh = np.zeros(len(self), bool)
        fresh[row] = again & (self.expires[np.where(again, before, row)] > row)
        return fresh


def read_visits(views: pd.DataFrame, scenario: PrefetchScenario) -> Visits:
    """Read the sessions of a table of navigations; a WorkbenchError where the views of a session do not lie together.

    Times count where they vary within some session: a source with one time a session, a day or a minute has none.
    """
    pages = views["page"].astype("category")
    sessions = views["session_id"].to_numpy()
    begins = np.flatnonzero(np.append(True, sessions[1:] != sessions[:-1])[: len(views)])
    if len(begins) != len(pd.unique(sessions)):
        raise WorkbenchError(
            "expected the views of a session together and in order, as wb.load() and wb.navigations() leave them; "
            f"{len(pd.unique(sessions)):,} sessions lie in {len(begins):,} pieces. Sort by session and position."
        )
    lengths = np.diff(np.append(begins, len(views)))
    first, end = np.repeat(begins, lengths), np.repeat(begins + lengths, lengths)
    clock_ms = _clock_ms(views, first)
    row = np.arange(len(views))
    if clock_ms is None:
        elapsed_ms = (row - first) * MS_PER_S * (scenario.dwell_s or DWELL_S)
        expires = np.minimum(row + scenario.lifetime_views + 1, end)
    else:
        elapsed_ms = clock_ms.astype(float)
        expires = _expires(clock_ms, np.repeat(np.arange(len(begins)), lengths), scenario.lifetime_s * MS_PER_S)
    codes = pages.cat.codes.to_numpy().astype(np.int64)
    return Visits(pages.cat.categories, codes, first, end, elapsed_ms, expires, clock_ms is not None)


def _clock_ms(views: pd.DataFrame, first: np.ndarray) -> np.ndarray | None:
    """Whole milliseconds since each session's start; None where times, to seconds, tell no views of a session apart."""
    if "viewed_at" not in views or views["viewed_at"].isna().any() or not has_seconds(views):
        return None
    at_us = views["viewed_at"].dt.as_unit("us").astype("int64").to_numpy()
    clock = (at_us - at_us[first]) // US_PER_MS
    return clock if clock.any() else None


def _expires(clock_ms: np.ndarray, session: np.ndarray, lifetime_ms: float) -> np.ndarray:
    """First row of the session that lies more than a lifetime later: one search over all sessions on end."""
    span = clock_ms.max() + int(lifetime_ms) + 2
    key = session * span + clock_ms
    return np.searchsorted(key, key + int(lifetime_ms), side="right")


@dataclass(frozen=True)
class Offers:
    """Proposed pages, laid out so that any part of them can be settled quickly; arrays are int64.

    ``row`` and ``page``, shape (proposals,): the view that proposes, and the code of the page; ``hit_row``: the view
    that opens the page within its lifetime, were it fetched here, -1 where none does. The others have shape
    (candidates,): ``order`` lists the proposals of pages that no visit keeps fresh, by page and row; candidates of one
    page in one session between the same two visits of it share a ``stretch``; ``after`` is the place of the first
    candidate that comes when a page fetched here is stale, in any stretch.
    """

    row: np.ndarray
    page: np.ndarray
    hit_row: np.ndarray
    order: np.ndarray
    stretch: np.ndarray
    after: np.ndarray
    cache: bool


def lay_out(visits: Visits, row: np.ndarray, page: np.ndarray, cache: bool) -> Offers:
    """Find out what does not depend on which other pages are fetched; each pair of ``row`` and ``page`` comes once.

    Without a cache every proposal lives for the very next view only.
    """
    if not cache:
        hit_row = np.where(visits.next_page[row] == page, row + 1, -1)
        everything = np.arange(len(row))
        return Offers(row, page, hit_row, everything, everything, everything, cache)
    n = max(len(visits), 1)
    key = page * n + row
    fresh, hit_row, place = _meet_visits(visits, row, page)
    order = np.flatnonzero(~fresh)
    order = order[np.argsort(key[order], kind="stable")]
    together = np.stack([page[order], visits.first[row[order]], place[order]])
    stretch = np.cumsum((np.diff(together, axis=1, prepend=-1) != 0).any(axis=0))
    after = np.searchsorted(key[order], page[order] * n + visits.expires[row[order]])
    return Offers(row, page, hit_row, order, stretch, after, cache)


def _meet_visits(visits: Visits, row: np.ndarray, page: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether the last visit keeps a page fresh, the visit that would use a fetch, and where it lies among visits."""
    n = max(len(visits), 1)
    place = np.searchsorted(visits.by_page, page * n + row, side="right")
    last = np.append(-1, visits.by_page)[place] - page * n
    visited = last >= visits.first[row]
    fresh = visited & (visits.expires[np.where(visited, last, row)] > row)
    coming = np.append(visits.by_page, np.iinfo(np.int64).max)[place] - page * n
    return fresh, np.where(coming < visits.expires[row], coming, -1), place


def settle(offers: Offers, proposed: np.ndarray | None = None) -> np.ndarray:
    """Tell which proposals are fetched: those of pages that are not fresh when their turn comes.

    The equivalent plain loop, over the views of a session::

        for view in session:
            if fresh_until.get(view.page, -inf) >= view.time and view.page in waiting:
                hits[waiting.pop(view.page)] += 1  # credited to the view that fetched it
            waiting.pop(view.page, None)  # too late: it stays unused
            fresh_until[view.page] = view.time + lifetime  # a page visited is fresh, wherever it came from
            for page in proposals[view]:
                if fresh_until.get(page, -inf) < view.time:
                    fetched[view] += 1
                    waiting[page] = view
                    fresh_until[page] = view.time + lifetime

    Here, in each stretch between two visits of a page, the first proposal is fetched, then the first one after that
    fetch went stale, and so on: all stretches take their next step together, so there are as many rounds as fetches
    in the longest stretch.

    ``proposed`` (bool, shape (..., proposals)) says which proposals are made at all, in any number of cases that are
    settled side by side; so shaped is the answer.
    """
    made = np.ones(len(offers.row), bool) if proposed is None else proposed
    if not offers.cache:
        return made
    made_here = made[..., offers.order]
    place = np.flatnonzero(made_here)
    case, candidate = np.divmod(place, max(len(offers.order), 1))
    stretch = case * (len(offers.order) + 1) + offers.stretch[candidate]
    # Leaving proposals out moves the others up by as many places as are left out before them.
    following = np.append(0, np.cumsum(made_here))[place - candidate + offers.after[candidate]]
    step = np.flatnonzero(np.diff(stretch, prepend=-1))
    taken = np.zeros(len(place), bool)
    beyond = len(place)
    while len(step):
        taken[step] = True
        then = following[step]
        inside = then < beyond
        inside[inside] = stretch[then[inside]] == stretch[step[inside]]
        step = then[inside]
    fetched_here = np.zeros(made_here.shape, bool)
    fetched_here.flat[place[taken]] = True
    fetched = np.zeros(made.shape, bool)
    fetched[..., offers.order] = fetched_here
    return fetched
