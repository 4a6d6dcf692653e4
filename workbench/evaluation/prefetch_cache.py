"""The session cache: which proposed pages are fetched, and which of those are opened while they are fresh.

All sessions and pages are settled at once; :func:`settle` shows the plain loop that gives the same answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.evaluation.prefetch_sessions import Visits


@dataclass(frozen=True)
class Offers:
    """Proposed pages, laid out so that any part of them can be settled quickly.

    Parameters
    ----------
    row, page : ndarray of int64, shape (proposals,)
        View that proposes, and code of the page.
    hit_row : ndarray of int64, shape (proposals,)
        View that opens the page within its lifetime, were it fetched here; -1 where none does.
    order : ndarray of int64, shape (candidates,)
        Proposals of pages that no visit keeps fresh, by page and row; all of them may be fetched where there is no
        cache.
    stretch : ndarray of int64, shape (candidates,)
        Candidates of one page in one session between the same two visits of it share a number.
    after : ndarray of int64, shape (candidates,)
        Place of the first candidate that comes when a page fetched here is stale, in any stretch.
    cache : bool
    """

    row: np.ndarray
    page: np.ndarray
    hit_row: np.ndarray
    order: np.ndarray
    stretch: np.ndarray
    after: np.ndarray
    cache: bool


def lay_out(visits: Visits, row: np.ndarray, page: np.ndarray, cache: bool) -> Offers:
    """Find out what does not depend on which other pages are fetched.

    Parameters
    ----------
    visits : Visits
    row, page : ndarray of int64, shape (proposals,)
        Each pair once.
    cache : bool
        False: every proposal lives for the very next view only.

    Returns
    -------
    Offers
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

    Parameters
    ----------
    offers : Offers
    proposed : ndarray of bool, shape (proposals,), optional
        Which proposals are made at all; default all.

    Returns
    -------
    ndarray of bool, shape (proposals,)
    """
    made = np.ones(len(offers.row), bool) if proposed is None else proposed
    if not offers.cache:
        return made
    made_here = made[offers.order]
    place = np.flatnonzero(made_here)
    stretch = offers.stretch[place]
    # Leaving proposals out moves the others up by as many places as are left out before them.
    following = np.append(0, np.cumsum(made_here))[offers.after[place]]
    step = np.flatnonzero(np.diff(stretch, prepend=-1))
    taken = np.zeros(len(place), bool)
    beyond = len(place)
    while len(step):
        taken[step] = True
        then = following[step]
        inside = then < beyond
        inside[inside] = stretch[then[inside]] == stretch[step[inside]]
        step = then[inside]
    fetched = np.zeros(len(made), bool)
    fetched[offers.order[place[taken]]] = True
    return fetched
