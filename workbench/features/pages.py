"""What followed what: page codes, transitions counted by order, chances with back-off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

NO_PAGE, UNKNOWN_PAGE = -1, -2  # none there (session end, session start); there, but not in the vocabulary
DENSE_CELLS = 8_000_000  # a table of states x pages up to this size (32 MB) is dense, which is seven times as fast


def vocabulary(frame: pd.DataFrame) -> pd.Index:
    """Pages that occur in a frame, sorted: the pages that counts and models cover. Index of str, shape (pages,)."""
    pages = frame["page"]
    seen = pages.cat.remove_unused_categories().cat.categories if _is_category(pages) else pages.dropna().unique()
    return pd.Index(sorted(map(str, seen)), dtype="str")


def encode(frame: pd.DataFrame, pages: pd.Index, column: str = "page") -> np.ndarray:
    """Code of each row's page.

    Parameters
    ----------
    frame : DataFrame, shape (rows, columns)
    pages : Index of str, shape (pages,)
        The vocabulary; a page's place in it is its code.
    column : str
        Which column holds the page (``last_next`` and ``usual_next`` hold pages too).

    Returns
    -------
    ndarray of int64, shape (rows,)
        -1 where the page is missing or not in the vocabulary.

    Examples
    --------
    >>> encode(pd.DataFrame({"page": ["b", "x", "a"]}), pd.Index(["a", "b"])).tolist()
    [1, -1, 0]
    """
    values = frame[column]
    if not _is_category(values):
        return pages.get_indexer(values).astype(np.int64)
    codes = values.cat.codes.to_numpy()
    of_category = np.append(pages.get_indexer(values.cat.categories), NO_PAGE)  # the last one answers for code -1
    return of_category[codes].astype(np.int64)


def next_codes(frame: pd.DataFrame, codes: np.ndarray) -> np.ndarray:
    """Code of the page that each view's session opened next.

    Parameters
    ----------
    frame : DataFrame, shape (rows, columns)
        ``session_id``; views of a session together and in order.
    codes : ndarray of int64, shape (rows,)
        From :func:`encode`.

    Returns
    -------
    ndarray of int64, shape (rows,)
        -1 at the end of a session, -2 where the next page is not in the vocabulary.
    """
    answer = np.full(len(frame), NO_PAGE)
    goes_on = same_session(frame, 1)
    answer[:-1][goes_on] = np.where(codes >= 0, codes, UNKNOWN_PAGE)[1:][goes_on]
    return answer


def previous_codes(frame: pd.DataFrame, codes: np.ndarray, back: int = 1) -> np.ndarray:
    """Code of the page that the session showed ``back`` views ago.

    Returns
    -------
    ndarray of int64, shape (rows,)
        -1 where the session had not begun, -2 where that page is not in the vocabulary.
    """
    answer = np.full(len(frame), NO_PAGE)
    began = same_session(frame, back)
    answer[back:][began] = np.where(codes >= 0, codes, UNKNOWN_PAGE)[:-back][began]
    return answer


def same_session(frame: pd.DataFrame, back: int) -> np.ndarray:
    """Whether rows that lie ``back`` apart share a session: boolean, shape (max(rows - back, 0),)."""
    sessions = frame["session_id"].to_numpy()
    return sessions[back:] == sessions[:-back]


def session_numbers(frame: pd.DataFrame) -> np.ndarray:
    """Number of each row's session within the frame, from 0 in order: int64, shape (rows,)."""
    sessions = frame["session_id"].to_numpy()
    return np.cumsum(np.append(True, sessions[1:] != sessions[:-1])[: len(sessions)]) - 1


def pair_state(previous: np.ndarray, current: np.ndarray, n_pages: int) -> np.ndarray:
    """State of two pages in a row, for second-order counts.

    The first view of a session is a state of its own: what is opened after a page where people arrive differs.

    Returns
    -------
    ndarray of int64, shape (rows,)
        ``(previous + 1) * n_pages + current``; -1 where one of the two is not in the vocabulary.
    """
    known = (current >= 0) & (previous >= NO_PAGE)
    return np.where(known, (previous + 1) * n_pages + current, -1)


@dataclass(frozen=True)
class Transitions:
    """What followed each state, counted.

    Parameters
    ----------
    states : ndarray of int64, shape (states,)
        Sorted; 0 or more.
    start : ndarray of int64, shape (states + 1,)
        Followers of ``states[i]`` are ``page[start[i]:start[i + 1]]``.
    page, count : ndarray of int64, shape (transitions,)
        Follower and how often; most frequent first, ties by smaller code.
    total : ndarray of int64, shape (states,)
        Views in the state, session ends and followers outside the vocabulary included.
    n_pages : int
        Size of the vocabulary.
    """

    states: np.ndarray
    start: np.ndarray
    page: np.ndarray
    count: np.ndarray
    total: np.ndarray
    n_pages: int

    def find(self, state: np.ndarray) -> np.ndarray:
        """Place of each state in ``states``, -1 where it was never seen: int64, shape (rows,)."""
        if not len(self.states):
            return np.full(len(state), -1)
        place = np.minimum(np.searchsorted(self.states, state), len(self.states) - 1)
        return np.where(self.states[place] == state, place, -1)

    def total_of(self, state: np.ndarray) -> np.ndarray:
        """Views in each state, 0 where it was never seen: int64, shape (rows,)."""
        return self.total_at(self.find(state))

    def total_at(self, place: np.ndarray) -> np.ndarray:
        """As :meth:`total_of`, for states that were found before."""
        return np.append(self.total, 0)[place]

    def count_of(self, state: np.ndarray, page: np.ndarray) -> np.ndarray:
        """How often each page followed each state: int64, shape (rows,); 0 for what was never seen."""
        return self.count_at(self.find(state), page)

    def count_at(self, place: np.ndarray, page: np.ndarray) -> np.ndarray:
        """As :meth:`count_of`, for states that were found before: one search serves many pages of a view."""
        return self._table[np.maximum(place, -1), np.maximum(page, -1)]

    def top(self, state: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Up to ``m`` followers of each state, most frequent first.

        Returns
        -------
        row, page, count : ndarray of int64, shape (followers found,)
            ``row`` is the place in ``state``, rising.
        """
        place = self.find(state)
        begin, end = np.append(self.start[:-1], 0)[place], np.append(self.start[1:], 0)[place]
        size = np.minimum(end - begin, m)
        row = np.repeat(np.arange(len(state)), size)
        spot = np.repeat(begin - (np.cumsum(size) - size), size) + np.arange(size.sum())
        return row, self.page[spot], self.count[spot]

    @cached_property
    def _table(self) -> np.ndarray | sparse.csr_array:
        """Counts, states x pages, with an empty row and column at the end, which -1 finds; dense where it is small."""
        shape = len(self.states) + 1, self.n_pages + 1
        parts = self.count.astype(np.int32), self.page, np.append(self.start, self.start[-1])
        table = sparse.csr_array(parts, shape, copy=True)
        table.sort_indices()
        return table.toarray() if np.prod(shape) <= DENSE_CELLS else table


def count_transitions(state: np.ndarray, nxt: np.ndarray, n_pages: int) -> Transitions:
    """Count what followed each state.

    Parameters
    ----------
    state : ndarray of int64, shape (rows,)
        Any codes from 0; rows below 0 do not count.
    nxt : ndarray of int64, shape (rows,)
        Code of the next page; below 0 the view counts in ``total`` only.
    n_pages : int

    Returns
    -------
    Transitions

    Examples
    --------
    >>> counts = count_transitions(np.array([3, 3, 3, 3, 7]), np.array([1, 0, 1, -1, -1]), 2)
    >>> counts.page.tolist(), counts.count.tolist(), counts.total.tolist()
    ([1, 0], [2, 1], [4, 1])
    """
    counted = state >= 0
    states, place = np.unique(state[counted], return_inverse=True)
    total = np.bincount(place, minlength=len(states))
    goes_on = nxt[counted] >= 0
    keys, count = np.unique(place[goes_on] * n_pages + nxt[counted][goes_on], return_counts=True)
    of_state, page = np.divmod(keys, n_pages) if n_pages else (keys, keys)
    order = np.lexsort((page, -count, of_state))
    start = np.concatenate([[0], np.cumsum(np.bincount(of_state, minlength=len(states)))])
    return Transitions(states, start, page[order], count[order], total, n_pages)


def backoff_chances(
    orders: Sequence[Transitions], states: Sequence[np.ndarray], page: np.ndarray, smoothing: Sequence[float]
) -> np.ndarray:
    """Chance that a page is next, each order leaning on the one below where it has seen little.

    ``P0 = n0(page) / n0``, then ``Pk = (nk(page) + s_k P(k-1)) / (nk + s_k)``: linear interpolation whose weight grows
    with the state's count (MacKay & Peto 1995, A hierarchical Dirichlet language model). Totals include views that
    ended a session, so that the chances of all pages and of the end sum to 1.

    Parameters
    ----------
    orders : sequence of Transitions
        Lowest order first; the first one answers alone where nothing else was seen.
    states : sequence of ndarray of int64, shape (rows,)
        State of each row, an order.
    page : ndarray of int64, shape (rows,)
    smoothing : sequence of float, shape (orders - 1,)
        ``s`` of each order above the first, in views; above 0.

    Returns
    -------
    ndarray of float, shape (rows,)
    """
    lowest, *above = zip(orders, states, strict=True)
    chance = lowest[0].count_of(lowest[1], page) / np.maximum(lowest[0].total_of(lowest[1]), 1)
    for (counts, state), s in zip(above, smoothing, strict=True):
        chance = lean(counts, counts.find(state), page, chance, s)
    return chance


def lean(counts: Transitions, place: np.ndarray, page: np.ndarray, prior: np.ndarray, s: float) -> np.ndarray:
    """Share of a page after a state, leaning on a prior chance by the weight of ``s`` views.

    ``place`` is that of each state (:meth:`Transitions.find`); all arrays and the answer have shape (rows,).
    """
    return (counts.count_at(place, page) + s * prior) / (counts.total_at(place) + s)


@dataclass(frozen=True)
class PageCounts:
    """Counts of order 0 (one state, 0), 1 (state: the page) and 2 (:func:`pair_state`) over one vocabulary."""

    pages: pd.Index
    orders: tuple[Transitions, Transitions, Transitions]

    @classmethod
    def fit(cls, frame: pd.DataFrame, pages: pd.Index | None = None) -> PageCounts:
        """Count a frame; the vocabulary is the frame's own unless another is given."""
        pages = vocabulary(frame) if pages is None else pages
        codes = encode(frame, pages)
        nxt = next_codes(frame, codes)
        states = page_states(frame, codes, len(pages))
        zeroth, first, second = (count_transitions(state, nxt, len(pages)) for state in states)
        return cls(pages, (zeroth, first, second))

    def states(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """State of each view in each order, -1 where unknown: int64, each of shape (rows,)."""
        return page_states(frame, encode(frame, self.pages), len(self.pages))


def page_states(frame: pd.DataFrame, codes: np.ndarray, n_pages: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """State of each view in order 0, 1 and 2, from its page's code: int64, each of shape (rows,)."""
    return np.zeros(len(codes), np.int64), codes, pair_state(previous_codes(frame, codes), codes, n_pages)


def _is_category(values: pd.Series) -> bool:
    return isinstance(values.dtype, pd.CategoricalDtype)
