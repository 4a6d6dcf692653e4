"""What followed what: page codes, transitions counted by order, chances with back-off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

NO_PAGE, UNKNOWN_PAGE = -1, -2  # none there (session end, session start); there, but not in the vocabulary
DENSE_CELLS = 8_000_000  # a table of states x pages up to this size (32 MB) is dense, which is seven times as fast


def vocabulary(frame: pd.DataFrame) -> pd.Index:
    """Pages that occur in a frame, sorted (Index of str): the pages that counts and models cover."""
    pages = frame["page"]
    seen = pages.dropna().unique()
    return pd.Index(sorted(map(str, seen)), dtype="str")


def encode(frame: pd.DataFrame, pages: pd.Index, column: str = "page") -> np.ndarray:
    """Code of each row's page, its place in the vocabulary; -1 where it is missing or unknown: int64, shape (rows,).

    >>> encode(pd.DataFrame({"page": ["b", "x", "a"]}), pd.Index(["a", "b"])).tolist()
    [1, -1, 0]
    """
    values = frame[column]
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return pages.get_indexer(values).astype(np.int64)
    codes = values.cat.codes.to_numpy()
    of_category = np.append(pages.get_indexer(values.cat.categories), NO_PAGE)  # the last one answers for code -1
    return of_category[codes].astype(np.int64)


def next_codes(frame: pd.DataFrame, codes: np.ndarray) -> np.ndarray:
    """Code of the page that the session opened next; -1 at the end of a session, -2 where the page is unknown."""
    answer = np.full(len(frame), NO_PAGE)
    goes_on = same_session(frame, 1)
    answer[:-1][goes_on] = np.where(codes >= 0, codes, UNKNOWN_PAGE)[1:][goes_on]
    return answer


def previous_codes(frame: pd.DataFrame, codes: np.ndarray, back: int = 1) -> np.ndarray:
    """Code of the page ``back`` views ago; -1 where the session had not begun, -2 where the page is unknown."""
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
    """State of two pages in a row, ``(previous + 1) * n_pages + current``; -1 where one of the two is unknown.

    The first view of a session is a state of its own: what is opened after a page where people arrive differs.
    """
    known = (current >= 0) & (previous >= NO_PAGE)
    return np.where(known, (previous + 1) * n_pages + current, -1)


@dataclass(frozen=True)
class Transitions:
    """What followed each state, counted (int64 arrays).

    Followers of ``states[i]`` (sorted, from 0) are ``page[start[i]:start[i + 1]]``, each ``count`` times, most frequent
    first, ties by smaller code. ``total`` is how many views were in the state, including session ends and followers
    outside the vocabulary of ``n_pages``.
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
        """Up to ``m`` followers of each state, most frequent first: place in ``state`` (rising), page, count."""
        place = self.find(state)
        begin, end = np.append(self.start[:-1], 0)[place], np.append(self.start[1:], 0)[place]
        size = np.minimum(end - begin, m)
        row = np.repeat(np.arange(len(state)), size)
        spot = np.repeat(begin - (np.cumsum(size) - size), size) + np.arange(size.sum())
        return row, self.page[spot], self.count[spot]

    def only(self, keep: np.ndarray, states: np.ndarray) -> Transitions:
        """Some of the states (boolean, shape (states,)), under new numbers, which rise too."""
        size = np.diff(self.start)
        stay = np.repeat(keep, size)
        start = np.concatenate([[0], np.cumsum(size[keep])])
        return Transitions(states, start, self.page[stay], self.count[stay], self.total[keep], self.n_pages)

    def met_by(self, state: np.ndarray, users: np.ndarray, fewest: int) -> np.ndarray:
        """Which states so many users were in, given state and user of each row: boolean, shape (states,)."""
        place = self.find(state)
        met = pd.Series(users)[place >= 0].groupby(place[place >= 0]).nunique()
        keep = np.zeros(len(self.states), bool)
        keep[met.index[met >= fewest]] = True
        return keep

    def without_few(self, state: np.ndarray, users: np.ndarray, fewest: int) -> Transitions:
        """The same without states that fewer users were in."""
        keep = self.met_by(state, users, fewest)
        return self.only(keep, self.states[keep])

    def to_lists(self, names: Iterable[str] = ()) -> dict[str, list[int]]:
        """Of each state, by its name or number: ``[total, page, count, page, count, ...]``, the most frequent first."""
        names = names or map(str, self.states)
        pairs = np.column_stack([self.page, self.count])
        return {
            name: [int(total), *pairs[begin:end].ravel().tolist()]
            for name, total, begin, end in zip(names, self.total, self.start[:-1], self.start[1:], strict=True)
        }

    @cached_property
    def _table(self) -> np.ndarray | sparse.csr_array:
        """Counts, states x pages, with an empty row and column at the end, which -1 finds; dense where it is small."""
        shape = len(self.states) + 1, self.n_pages + 1
        parts = self.count.astype(np.int32), self.page, np.append(self.start, self.start[-1])
        table = sparse.csr_array(parts, shape, copy=True)
        table.sort_indices()
        return table.toarray() if np.prod(shape) <= DENSE_CELLS else table


def count_transitions(state: np.ndarray, nxt: np.ndarray, n_pages: int) -> Transitions:
    """Count what followed each state (from 0; rows below 0 do not count); with ``nxt`` below 0, only in ``total``.

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
    """Chance (rows,) that a page is next, each order leaning on the one below where it has seen little.

    ``P0 = n0(page) / n0``, then ``Pk = (nk(page) + s_k P(k-1)) / (nk + s_k)``: linear interpolation whose weight grows
    with the state's count (MacKay & Peto 1995, A hierarchical Dirichlet language model). Totals include views that
    ended a session, so that the chances of all pages and of the end sum to 1. ``orders`` come lowest first, each with
    the state of each row; ``smoothing`` holds ``s`` of each order above the first, in views, above 0.
    """
    lowest, *above = zip(orders, states, strict=True)
    chance = lowest[0].count_of(lowest[1], page) / np.maximum(lowest[0].total_of(lowest[1]), 1)
    for (counts, state), s in zip(above, smoothing, strict=True):
        chance = lean(counts, counts.find(state), page, chance, s)
    return chance


def lean(counts: Transitions, place: np.ndarray, page: np.ndarray, prior: np.ndarray, s: float) -> np.ndarray:
    """Share of a page after a state (its place from :meth:`Transitions.find`), with a prior worth ``s`` views."""
    return (counts.count_at(place, page) + s * prior) / (counts.total_at(place) + s)


@dataclass(frozen=True)
class PageCounts:
    """Counts of order 0 (one state, 0), 1 (state: the page), 2 (:func:`pair_state`) and more over one vocabulary.

    The state of a higher order is the page so many views ago, and the place of the state of one order less.
    """

    pages: pd.Index
    orders: tuple[Transitions, ...]

    @classmethod
    def fit(cls, frame: pd.DataFrame, pages: pd.Index | None = None, highest: int = 2) -> PageCounts:
        """Count a frame up to an order; the vocabulary is the frame's own unless another is given."""
        pages = vocabulary(frame) if pages is None else pages
        codes = encode(frame, pages)
        nxt, counts = next_codes(frame, codes), cls(pages, ())
        for order in range(highest + 1):
            state = counts._state(frame, codes, order)
            counts = replace(counts, orders=(*counts.orders, count_transitions(state, nxt, len(pages))))
        return counts

    def merged(self, frame: pd.DataFrame, users: np.ndarray, fewest: int) -> PageCounts:
        """Counts of the same frame without pages that fewer users viewed, and without states that fewer were in."""
        viewed = pd.Series(users).groupby(frame["page"].astype(str).to_numpy()).nunique()
        pages = pd.Index([page for page in self.pages if viewed.get(page, 0) >= fewest], dtype="str")
        counts = PageCounts.fit(frame, pages, len(self.orders) - 1)
        orders, below = list(counts.orders[:1]), np.zeros(0, np.int64)  # new place of each state of the order below
        for order, (found, state) in enumerate(zip(counts.orders[1:], counts.states(frame)[1:], strict=True), start=1):
            keep, states = found.met_by(state, users, fewest), found.states
            if order > 2:
                page, old = np.divmod(states, len(below))
                states, keep = page * np.count_nonzero(below >= 0) + below[old], keep & (below[old] >= 0)
            orders.append(found.only(keep, states[keep]))
            below = np.where(keep, np.cumsum(keep) - 1, -1)
        return PageCounts(pages, tuple(orders))

    def to_keys(self) -> list[dict[str, list[int]]]:
        """For each order, what followed which pages: ``[total, page, count, page, count, ...]`` by their codes.

        A key is the codes of the last pages, joined by commas, the current one last; -1 before the session.
        """
        keys: list[list[str]] = [[""], [str(code) for code in self.orders[1].states]] if self.orders[1:] else [[""]]
        for order in range(2, len(self.orders)):
            below = keys[-1] if order > 2 else [str(code) for code in range(len(self.pages))]
            pages, places = np.divmod(self.orders[order].states, max(len(below), 1))
            keys.append([f"{page - 1},{below[place]}" for page, place in zip(pages, places, strict=True)])
        return [counts.to_lists(names) for counts, names in zip(self.orders, keys, strict=True)]

    def states(self, frame: pd.DataFrame) -> tuple[np.ndarray, ...]:
        """State of each view in each order, -1 where it was never seen: int64, each of shape (rows,)."""
        codes = encode(frame, self.pages)
        return tuple(self._state(frame, codes, order) for order in range(len(self.orders)))

    def _state(self, frame: pd.DataFrame, codes: np.ndarray, order: int) -> np.ndarray:
        if order < 2:
            return codes if order else np.zeros(len(codes), np.int64)
        if order == 2:
            return pair_state(previous_codes(frame, codes), codes, len(self.pages))
        below = self.orders[order - 1]
        return pair_state(
            previous_codes(frame, codes, order - 1), below.find(self._state(frame, codes, order - 1)), len(below.states)
        )


FOLLOWERS = 10  # of each order, a view
RECENT = 4  # views of the session back; their pages are candidates to return to
POPULAR = 5
LINKED = 10
SMALL_VOCABULARY = 24  # up to so many pages every page is a candidate
REMEMBERED = ("last_next", "usual_next")


def candidate_pairs(
    counts: PageCounts, frame: pd.DataFrame, links: Transitions | None = None, *, history: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Pair each view with the pages that may come next: view's place and page code, int64, sorted by both.

    Candidates are followers of first and second order, what the user opened from here before (``history``), the
    session's recent pages, the most popular pages, and the most popular of those that the page links to; all pages
    where there are few. Each pair comes once, and never with the current page. Views of a session lie together and in
    order.
    """
    codes, n_pages = encode(frame, counts.pages), len(counts.pages)
    rows = np.arange(len(frame))
    if n_pages <= SMALL_VOCABULARY:
        return _unite([(np.repeat(rows, n_pages), np.tile(np.arange(n_pages), len(frame)))], codes, n_pages)
    nothing, first, second = counts.states(frame)[:3]
    found = [counts.orders[1].top(first, FOLLOWERS)[:2], counts.orders[2].top(second, FOLLOWERS)[:2]]
    found.append(counts.orders[0].top(nothing, POPULAR)[:2])
    found += [(rows, previous_codes(frame, codes, back)) for back in range(1, RECENT + 1)]
    if history:
        found += [(rows, encode(frame, counts.pages, column)) for column in REMEMBERED if column in frame]
    if links is not None:
        found.append(links.top(codes, LINKED)[:2])
    return _unite(found, codes, n_pages)


def link_table(links: pd.DataFrame, counts: PageCounts) -> Transitions:
    """Pages that each page links to (``from_page, to_page``), the most opened first.

    ``count`` is one more than how often the linked page was opened; ``total`` is how many pages are linked. Pages
    outside the vocabulary and links of a page to itself are left out.
    """
    n_pages = len(counts.pages)
    ends = np.column_stack([encode(links, counts.pages, "from_page"), encode(links, counts.pages, "to_page")])
    source, target = np.unique(ends[(ends >= 0).all(axis=1) & (ends[:, 0] != ends[:, 1])], axis=0).T
    opened = counts.orders[0].count_of(np.zeros(n_pages, np.int64), np.arange(n_pages)) + 1
    once = count_transitions(source, target, n_pages)
    order = np.lexsort((once.page, -opened[once.page], np.repeat(once.states, np.diff(once.start))))
    page = once.page[order]
    return Transitions(once.states, once.start, page, opened[page], once.total, n_pages)


def top_k(
    row: np.ndarray, page: np.ndarray, chance: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The ``k`` likeliest pages of each view: row, page, rank (from 1) and chance of the pairs that stay.

    Pairs without a chance above 0 are left out; equal chances as in :func:`likeliest_first`.
    """
    order = likeliest_first(row, chance)
    order = order[chance[order] > 0]
    rank = rank_within(row[order])
    stay = order[rank <= k]
    return row[stay], page[stay], rank[rank <= k], chance[stay]


def likeliest_first(row: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Order of pairs by row, then falling chance; chances that differ by less than a billionth keep their order.

    One whole number holds both, which sorts six times as fast as two keys.
    """
    fallen = np.rint((1 - chance) * 2**30).astype(np.int64)
    return np.argsort((np.asarray(row, np.int64) << 31) + fallen, kind="stable")


def rank_within(row: np.ndarray) -> np.ndarray:
    """Place of each pair among the pairs of its view, from 1; ``row`` is sorted."""
    first = np.flatnonzero(np.diff(row, prepend=-1))
    return np.arange(len(row)) - np.repeat(first, np.diff(np.append(first, len(row)))) + 1


def as_answer(
    context: pd.DataFrame, pages: pd.Index, pairs: tuple[np.ndarray, np.ndarray], chance: np.ndarray, k: int
) -> pd.DataFrame:
    """The ``k`` likeliest pages of each view, as the frame that every source of chances returns.

    ``view_id`` (int64), ``page`` (category), ``rank`` (int64, from 1) and ``chance`` (float64), sorted by the order of
    views in the context, then rank.
    """
    row, page, rank, chance = top_k(*pairs, chance, k)
    return pd.DataFrame(
        {
            "view_id": context["view_id"].to_numpy()[row],
            "page": pd.Categorical.from_codes(page, categories=pages),
            "rank": rank,
            "chance": chance.astype(float),
        }
    )


def _unite(
    found: Iterable[tuple[np.ndarray, np.ndarray]], codes: np.ndarray, n_pages: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each pair once, sorted; without pages that are unknown or current."""
    rows, pages = (np.concatenate(each) for each in zip(*found, strict=True))
    known = (pages >= 0) & (pages != codes[rows])
    return np.divmod(np.unique(rows[known] * n_pages + pages[known]), max(n_pages, 1))
