"""Features of each candidate page: which there are (layout), the counts behind them, and their values."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.columns import Column
from workbench.datasets.schema import NAVIGATION_HISTORY, navigation_context_columns
from workbench.datasets.splits import FEWEST_USERS
from workbench.features.encoding import is_numeric, read_numbers
from workbench.features.pages import (
    REMEMBERED,
    PageCounts,
    Transitions,
    candidate_pairs,
    count_transitions,
    encode,
    lean,
    likeliest_first,
    link_table,
    next_codes,
    pair_state,
    previous_codes,
    rank_within,
    same_session,
    session_numbers,
    vocabulary,
)

Bands = Mapping[str, np.ndarray]
LEVELS_KEPT = 20  # of a text column, the most frequent; all others are one level
HOUR, DWELL = "local_hour", "dwell"
HOURS_A_BAND = 6  # night, morning, afternoon, evening
DWELL_BANDS = 5
CROSSED = ("device", HOUR)  # what is opened in the evening on the phone differs from the desktop at work
HISTORY, SECOND, SESSION, CONTEXT = "history", "second order", "session", "context"
PAGE_CODES = ("page", "current_page", "previous_page")  # features that are places in the vocabulary
# What `without` may name besides columns, and what readers call it.
GROUPS_LEFT_OUT = {
    HISTORY: "user history",
    SECOND: "the page before",
    SESSION: "seen in this session",
    CONTEXT: "all context",
}


@dataclass(frozen=True)
class Layout:
    """Which features there are, fitted on the training part; it holds no count of what followed what.

    ``pages`` is the sorted vocabulary, ``numbers`` the context columns taken as numbers, ``levels`` maps each other
    context column to its most frequent levels (at most 20), ``dwell_edges`` are the bounds in seconds between bands of
    the time on the view before (empty without times), ``history`` the columns of the user's history; ``second``:
    whether the page before the current one counts; ``session``: whether it counts what the session has shown.
    """

    pages: list[str]
    numbers: list[str]
    levels: Mapping[str, list[str]]
    dwell_edges: list[float]
    history: list[str]
    second: bool
    session: bool = True

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Groups of views whose transitions are counted apart: each context column, dwell, and device by hour."""
        hour = (HOUR,) if HOUR in self.numbers else ()
        single = [*self.levels, *hour, *([DWELL] if self.dwell_edges else [])]
        crossed = [CROSSED] if set(CROSSED) <= set(single) else []
        return (*((name,) for name in single), *crossed)

    def columns(self, frame: pd.DataFrame, bands: Bands) -> Iterator[tuple[str, np.ndarray]]:
        """Name and values of each context column, dwell and history number: float, shape (views,)."""
        for name in self.numbers:
            yield name, read_numbers(frame, name)
        for name in self.levels:
            yield name, _or_missing(bands[name])
        if self.dwell_edges:
            yield "previous_dwell_s", previous_dwell(frame)
        for name in self.history:
            if name in NUMBERS_OF_HISTORY:
                yield name, read_numbers(frame, name)

    def bands(self, frame: pd.DataFrame) -> Bands:
        """Which level of each column that is counted apart a view has: int64, shape (views,), -1 where unknown."""
        names = dict.fromkeys([*self.levels, *(name for group in self.groups for name in group)])
        return {name: self._band(frame, name) for name in names}

    def group_codes(self, bands: Bands, group: tuple[str, ...]) -> np.ndarray:
        """Which group each view belongs to: int64, shape (views,), -1 where unknown."""
        first, *others = group
        code = bands[first]
        for name in others:
            code = np.where((code >= 0) & (bands[name] >= 0), code * self.count_bands(name) + bands[name], -1)
        return code

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Layout:
        """Bring back what :meth:`to_dict` wrote."""
        return cls(**saved)

    def _band(self, frame: pd.DataFrame, name: str) -> np.ndarray:
        if name == HOUR:
            hour = read_numbers(frame, HOUR)
            return np.where(np.isnan(hour), -1, np.nan_to_num(hour) // HOURS_A_BAND).astype(np.int64)
        if name == DWELL:
            dwell = previous_dwell(frame)
            return np.where(np.isnan(dwell), -1, np.searchsorted(self.dwell_edges, dwell, side="right"))
        if name not in frame:
            return np.full(len(frame), -1)
        levels = self.levels[name]
        codes, found = pd.factorize(frame[name])
        place = pd.Index(levels, dtype="object").get_indexer([str(each) for each in found])
        return np.append(np.where(place < 0, len(levels), place), -1)[codes]

    def count_bands(self, name: str) -> int:
        """How many bands a column has that is counted apart."""
        if name == HOUR:
            return 24 // HOURS_A_BAND
        return len(self.dwell_edges if name == DWELL else self.levels[name]) + 1


NUMBERS_OF_HISTORY = ("earlier_views", "here_before", "usual_share")


def fit_layout(frame: pd.DataFrame, known_by: str, extra: Sequence[Column] = (), without: Sequence[str] = ()) -> Layout:
    """Choose the features that a training part supports: no columns that are constant or all missing.

    ``without`` names columns to leave out, or all of a kind: ``GROUPS_LEFT_OUT``.
    """
    context = [] if CONTEXT in without else navigation_context_columns(known_by, extra)
    history = [] if HISTORY in without else [column.name for column in NAVIGATION_HISTORY]
    varying = [name for name in context if name in frame and name not in without and _varies(frame[name])]
    numeric = [name for name in varying if is_numeric(frame[name])]
    return Layout(
        pages=vocabulary(frame).tolist(),
        numbers=numeric,
        levels={name: _levels(frame[name]) for name in varying if name not in numeric},
        dwell_edges=_dwell_edges(frame),
        history=[name for name in history if name in frame and name not in without and frame[name].notna().any()],
        second=SECOND not in without,
        session=SESSION not in without,
    )


def previous_dwell(frame: pd.DataFrame) -> np.ndarray:
    """Whole seconds since the view before in the session; missing on first views and without times."""
    dwell = np.full(len(frame), np.nan)
    if "viewed_at" in frame:
        gap = np.diff(frame["viewed_at"].to_numpy("datetime64[us]")) / np.timedelta64(1, "s")
        began = same_session(frame, 1)
        dwell[1:][began] = np.floor(gap)[began]
    return dwell


def _dwell_edges(frame: pd.DataFrame) -> list[float]:
    dwell = previous_dwell(frame)
    dwell = dwell[~np.isnan(dwell)]
    if not (dwell > 0).any():  # sources with days, or one time a session
        return []
    return np.unique(np.quantile(dwell, np.arange(1, DWELL_BANDS) / DWELL_BANDS)).tolist()


def _levels(values: pd.Series) -> list[str]:
    counts = _text(values[values.notna()]).value_counts().sort_index()
    return counts.sort_values(ascending=False, kind="stable").index[:LEVELS_KEPT].tolist()


def _varies(values: pd.Series) -> bool:
    return values.nunique() + values.isna().any() > 1


def _text(values: pd.Series) -> pd.Series:
    return values.astype(object).astype(str)


LATEST_SHARE = 0.1  # the latest sessions, which show what is popular now
ARRAYS = ("states", "start", "page", "count", "total")


@dataclass(frozen=True)
class NavigationCounts:
    """All that is counted, over some sessions, for the features of later ones.

    ``latest`` counts what followed over the latest tenth of the sessions; ``skipping`` what was opened one view later
    than next, by the page before; ``groups`` what followed each page in a group of views; ``links`` what each page
    links to.
    """

    pages: PageCounts
    latest: Transitions
    skipping: Transitions
    groups: Mapping[str, Transitions]
    links: Transitions | None

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        layout: Layout,
        links: pd.DataFrame | None = None,
        users: np.ndarray | None = None,
    ) -> NavigationCounts:
        """Count a frame of whole sessions in the order of their start.

        With ``users``, the user of each row, states that fewer than 20 of them were in are not counted.
        """
        vocabulary = pd.Index(layout.pages, dtype="str")
        n_pages = len(vocabulary)
        codes = encode(frame, vocabulary)
        nxt, before = next_codes(frame, codes), previous_codes(frame, codes)
        pages = PageCounts.fit(frame, vocabulary)
        pages = pages if users is None else pages.merged(frame, users, FEWEST_USERS)
        sessions = session_numbers(frame)
        late = sessions >= (1 - LATEST_SHARE) * (sessions.max(initial=0) + 1)

        def count(state: np.ndarray) -> Transitions:
            counts = count_transitions(state, nxt, n_pages)
            return counts if users is None else counts.without_few(state, users, FEWEST_USERS)

        bands = layout.bands(frame)
        states = {group: group_state(layout.group_codes(bands, group), codes, n_pages) for group in layout.groups}
        return cls(
            pages=pages,
            latest=count(np.where(late, 0, -1)),
            skipping=count(before),
            groups={" x ".join(group): count(state) for group, state in states.items()},
            links=None if links is None else link_table(links, pages),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, without the vocabulary, which the layout holds."""
        return {
            "orders": [write_transitions(counts) for counts in self.pages.orders],
            "latest": write_transitions(self.latest),
            "skipping": write_transitions(self.skipping),
            "groups": {name: write_transitions(counts) for name, counts in self.groups.items()},
            "links": None if self.links is None else write_transitions(self.links),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any], layout: Layout) -> NavigationCounts:
        """Bring back what :meth:`to_dict` wrote."""
        zeroth, first, second = (read_transitions(counts) for counts in saved["orders"])
        return cls(
            pages=PageCounts(pd.Index(layout.pages, dtype="str"), (zeroth, first, second)),
            latest=read_transitions(saved["latest"]),
            skipping=read_transitions(saved["skipping"]),
            groups={name: read_transitions(counts) for name, counts in saved["groups"].items()},
            links=None if saved["links"] is None else read_transitions(saved["links"]),
        )


def write_transitions(counts: Transitions) -> dict[str, Any]:
    """Plain lists and numbers; :func:`read_transitions` brings them back."""
    return {name: getattr(counts, name).tolist() for name in ARRAYS} | {"n_pages": counts.n_pages}


def read_transitions(saved: Mapping[str, Any]) -> Transitions:
    """Bring back what :func:`write_transitions` wrote."""
    return Transitions(**{name: np.array(saved[name], np.int64) for name in ARRAYS}, n_pages=saved["n_pages"])


def group_state(of_view: np.ndarray, codes: np.ndarray, n_pages: int) -> np.ndarray:
    """State of a page within a group of views, -1 where one of them is unknown: int64, shape (views,)."""
    return np.where((of_view >= 0) & (codes >= 0), of_view * n_pages + codes, -1)


# Views by which each order leans on the one below it, and a group of views on all of them.
SMOOTHING = (20.0, 20.0)
GROUP_SMOOTHING = 20.0


@dataclass(frozen=True)
class Pairs:
    """Pairs of a view and a candidate page, sorted by both, and their features.

    ``row`` is the place of the view in its frame, ``page`` a page code (int64, (pairs,)); ``matrix`` is float32, shape
    (pairs, names), column by column in memory.
    """

    row: np.ndarray
    page: np.ndarray
    names: tuple[str, ...]
    matrix: np.ndarray


@dataclass(frozen=True)
class _Candidates:
    """Pairs to describe: ``codes`` are those of the views' pages, ``before`` of the pages before them."""

    layout: Layout
    counts: NavigationCounts
    frame: pd.DataFrame
    bands: Bands
    codes: np.ndarray
    before: np.ndarray
    row: np.ndarray
    page: np.ndarray

    @property
    def n_pages(self) -> int:
        return len(self.layout.pages)


Columns = Iterator[tuple[str, np.ndarray | bool]]  # name and values of features, each of shape (pairs,) or the same


def describe_pairs(layout: Layout, counts: NavigationCounts, frame: pd.DataFrame) -> Pairs:
    """Find the candidates of each view, and describe each pair.

    ``counts`` are over other sessions than these: counts that include a view's own next page reveal the answer.
    ``frame`` holds sessions from their beginning up to some view, in order.
    """
    row, page = candidate_pairs(counts.pages, frame, counts.links, history=bool(layout.history))
    codes = encode(frame, counts.pages.pages)
    before, bands = previous_codes(frame, codes), layout.bands(frame)
    columns = dict(_describe(_Candidates(layout, counts, frame, bands, codes, before, row, page)))
    matrix = np.empty((len(row), len(columns)), np.float32, order="F")
    for place, values in enumerate(columns.values()):
        matrix[:, place] = values
    return Pairs(row, page, tuple(columns), matrix)


def session_batches(frame: pd.DataFrame, views: int) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield whole sessions, about so many views at a time, with the place of their first view in the frame."""
    begins = np.flatnonzero(np.diff(session_numbers(frame), prepend=-1))
    wanted = np.arange(0, len(frame), max(1, views))
    cuts = np.unique(begins[np.searchsorted(begins, wanted, side="right") - 1])
    for begin, end in pairwise([*cuts, len(frame)]):
        yield begin, frame.iloc[begin:end]


def _describe(q: _Candidates) -> Columns:
    popularity = _shares(q.counts.pages.orders[0], q.n_pages)
    yield from _pages(q, popularity)
    chance = yield from _followers(q, 1, q.codes, popularity[q.page])
    if q.layout.second:
        yield from _followers(q, 2, pair_state(q.before, q.codes, q.n_pages), chance)
        before = q.counts.skipping.find(q.before)[q.row]
        yield "skipping_chance", lean(q.counts.skipping, before, q.page, popularity[q.page], SMOOTHING[0])
        yield "previous_page", _or_missing(q.before)[q.row]
    yield from _groups(q, chance)
    yield from _session(q)
    yield from _user_and_context(q)
    if q.counts.links is not None:
        yield "linked", q.counts.links.count_of(q.codes[q.row], q.page) > 0
        yield "links_back", q.counts.links.count_of(q.page, q.codes[q.row]) > 0


def _pages(q: _Candidates, popularity: np.ndarray) -> Columns:
    """Which pages they are, and how popular; the codes let trees distinguish the pages of a small vocabulary."""
    rank = np.argsort(np.argsort(-popularity, kind="stable"), kind="stable").astype(float)
    yield "page", q.page
    yield "current_page", _or_missing(q.codes)[q.row]
    yield "popularity", popularity[q.page]
    yield "popularity_rank", rank[q.page]
    yield "current_popularity_rank", np.append(rank, np.nan)[q.codes][q.row]
    yield "popularity_now", _shares(q.counts.latest, q.n_pages)[q.page]


def _followers(
    q: _Candidates, order: int, state: np.ndarray, prior: np.ndarray
) -> Generator[tuple[str, np.ndarray | bool], None, np.ndarray]:
    """What followed the state of each view; returns the smoothed chance, which Markov rules of the order use."""
    name, counts = ("", "first", "second")[order], q.counts.pages.orders[order]
    place = counts.find(state)
    views = counts.total_at(place)[q.row]
    count = counts.count_at(place[q.row], q.page)
    chance = lean(counts, place[q.row], q.page, prior, SMOOTHING[order - 1])
    likeliest = likeliest_first(q.row, chance)
    rank = np.empty(len(q.row), np.int64)
    rank[likeliest] = rank_within(q.row[likeliest])
    yield f"{name}_views", views
    yield f"{name}_count", count
    yield f"{name}_share", count / np.maximum(views, 1)
    yield f"{name}_chance", chance
    yield f"{name}_rank", rank
    return chance


def _groups(q: _Candidates, first_chance: np.ndarray) -> Columns:
    """What followed the page in views of the same group, leaning on all views: how context changes them."""
    for group in q.layout.groups:
        name = " x ".join(group)
        counts = q.counts.groups[name]
        place = counts.find(group_state(q.layout.group_codes(q.bands, group), q.codes, q.n_pages))
        yield f"first_chance by {name}", lean(counts, place[q.row], q.page, first_chance, GROUP_SMOOTHING)


def _session(q: _Candidates) -> Columns:
    """Place in the session; how often, and how many views ago, the session showed the candidate."""
    yield "position", q.frame["position"].to_numpy(float)[q.row]
    if not q.layout.session:
        return
    sessions, n = session_numbers(q.frame), len(q.frame)
    visit = np.flatnonzero(q.codes >= 0)
    visit = visit[np.lexsort((visit, q.codes[visit], sessions[visit]))]
    of_page = sessions[visit] * q.n_pages + q.codes[visit]
    # A place before all others, which answers for candidates that no session has shown.
    times, of_page, visit = (np.insert(values, 0, -1) for values in (rank_within(of_page), of_page, visit))
    wanted = sessions[q.row] * q.n_pages + q.page
    last = np.searchsorted(of_page * n + visit, wanted * n + q.row) - 1
    seen = of_page[last] == wanted
    yield "times_seen", np.where(seen, times[last], 0)
    yield "views_ago", np.where(seen, q.row - visit[last], np.nan)


def _user_and_context(q: _Candidates) -> Columns:
    for column in REMEMBERED:
        if column in q.layout.history:
            there = column in q.frame
            yield f"is_{column}", there and encode(q.frame, q.counts.pages.pages, column)[q.row] == q.page
    for name, values in q.layout.columns(q.frame, q.bands):
        yield name, values[q.row]


def _shares(zeroth: Transitions, n_pages: int) -> np.ndarray:
    """Share of views after which each page was opened, shape (pages,)."""
    nothing = np.zeros(n_pages, np.int64)
    return zeroth.count_of(nothing, np.arange(n_pages)) / np.maximum(zeroth.total_of(nothing), 1)


def _or_missing(codes: np.ndarray) -> np.ndarray:
    return np.where(codes >= 0, codes, np.nan)
