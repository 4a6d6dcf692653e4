"""Features of a view and a candidate page: shares after each state, memory of session and user, links, context."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from workbench.features.navigation import Transitions, encode, lean, pair_state, previous_codes, session_numbers
from workbench.features.navigation_candidates import REMEMBERED, candidate_pairs, likeliest_first, rank_within
from workbench.features.navigation_counts import NavigationCounts, group_state, name_of
from workbench.features.navigation_layout import Layout

# Views by which each order leans on the one below it, and a group of views on all of them.
SMOOTHING = (20.0, 20.0)
GROUP_SMOOTHING = 20.0


@dataclass(frozen=True)
class Pairs:
    """Pairs of a view and a candidate page, and their features.

    Parameters
    ----------
    row, page : ndarray of int64, shape (pairs,)
        Place of the view in its frame, and page code; sorted by both.
    names : tuple of str
    matrix : ndarray of float32, shape (pairs, names)
        Column by column in memory.
    """

    row: np.ndarray
    page: np.ndarray
    names: tuple[str, ...]
    matrix: np.ndarray


@dataclass(frozen=True)
class _Question:
    """Pairs that are to be described: ``codes`` are those of the views' pages, ``before`` of the pages before them."""

    layout: Layout
    counts: NavigationCounts
    frame: pd.DataFrame
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

    Parameters
    ----------
    layout : Layout
    counts : NavigationCounts
        Over other sessions than these: counts that hold a view's own next page tell the answer.
    frame : DataFrame, shape (views, columns)
        Sessions from their beginning up to some view, in order.

    Returns
    -------
    Pairs
    """
    row, page = candidate_pairs(counts.pages, frame, counts.links, history=bool(layout.history))
    codes = encode(frame, counts.pages.pages)
    columns = dict(_describe(_Question(layout, counts, frame, codes, previous_codes(frame, codes), row, page)))
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


def _describe(q: _Question) -> Columns:
    yield from _pages(q)
    first_chance = yield from _first_order(q)
    if q.layout.second:
        yield from _second_order(q, first_chance)
    yield from _groups(q, first_chance)
    yield from _session(q)
    yield from _user_and_context(q)
    if q.counts.links is not None:
        yield "linked", q.counts.links.count_of(q.codes[q.row], q.page) > 0
        yield "links_back", q.counts.links.count_of(q.page, q.codes[q.row]) > 0


def _pages(q: _Question) -> Columns:
    """Which pages they are, and how popular; the codes let trees tell the pages of a small vocabulary apart."""
    popularity = _popularity(q)
    rank = np.argsort(np.argsort(-popularity, kind="stable"), kind="stable").astype(float)
    yield "page", q.page
    yield "current_page", _or_missing(q.codes)[q.row]
    yield "popularity", popularity[q.page]
    yield "popularity_rank", rank[q.page]
    yield "current_popularity_rank", np.append(rank, np.nan)[q.codes][q.row]
    yield "popularity_now", _shares(q.counts.latest, q.n_pages)[q.page]


def _first_order(q: _Question) -> Generator[tuple[str, np.ndarray | bool], None, np.ndarray]:
    """What followed the page; the smoothed chance, which first-order Markov rules use, is handed on."""
    counts = q.counts.pages.orders[1]
    place = counts.find(q.codes)
    chance = lean(counts, place[q.row], q.page, _popularity(q)[q.page], SMOOTHING[0])
    yield from _seen(q, "first", counts, place)
    yield "first_chance", chance
    yield "first_rank", _rank_in_view(q.row, chance)
    return chance


def _second_order(q: _Question, first_chance: np.ndarray) -> Columns:
    """What followed the last two pages, down to the smoothed chance that second-order Markov rules use."""
    counts = q.counts.pages.orders[2]
    place = counts.find(pair_state(q.before, q.codes, q.n_pages))
    chance = lean(counts, place[q.row], q.page, first_chance, SMOOTHING[1])
    yield from _seen(q, "second", counts, place)
    yield "second_chance", chance
    yield "second_rank", _rank_in_view(q.row, chance)
    skipping = q.counts.skipping
    yield (
        "skipping_chance",
        lean(skipping, skipping.find(q.before)[q.row], q.page, _popularity(q)[q.page], SMOOTHING[0]),
    )
    yield "previous_page", _or_missing(q.before)[q.row]


def _seen(q: _Question, order: str, counts: Transitions, place: np.ndarray) -> Columns:
    views = counts.total_at(place)[q.row]
    count = counts.count_at(place[q.row], q.page)
    yield f"{order}_views", views
    yield f"{order}_count", count
    yield f"{order}_share", count / np.maximum(views, 1)


def _groups(q: _Question, first_chance: np.ndarray) -> Columns:
    """What followed the page in views of the same group, leaning on all views: how context bends the habits."""
    for group in q.layout.groups:
        counts = q.counts.groups[name_of(group)]
        of_view, _ = q.layout.group_codes(q.frame, group)
        place = counts.find(group_state(of_view, q.codes, q.n_pages))
        yield f"first_chance by {name_of(group)}", lean(counts, place[q.row], q.page, first_chance, GROUP_SMOOTHING)


def _session(q: _Question) -> Columns:
    """Place in the session; how often, and how many views ago, it showed the candidate."""
    sessions, n = session_numbers(q.frame), len(q.frame)
    visit = np.flatnonzero(q.codes >= 0)
    visit = visit[np.lexsort((visit, q.codes[visit], sessions[visit]))]
    of_page = sessions[visit] * q.n_pages + q.codes[visit]
    # A place before all others, which answers for candidates that no session has shown.
    times, of_page, visit = (np.insert(values, 0, -1) for values in (rank_within(of_page), of_page, visit))
    wanted = sessions[q.row] * q.n_pages + q.page
    last = np.searchsorted(of_page * n + visit, wanted * n + q.row) - 1
    seen = of_page[last] == wanted
    yield "position", q.frame["position"].to_numpy(float)[q.row]
    yield "times_seen", np.where(seen, times[last], 0)
    yield "views_ago", np.where(seen, q.row - visit[last], np.nan)


def _user_and_context(q: _Question) -> Columns:
    for column in REMEMBERED:
        if column in q.layout.history:
            there = column in q.frame
            yield f"is_{column}", there and encode(q.frame, q.counts.pages.pages, column)[q.row] == q.page
    for name, values in q.layout.columns(q.frame):
        yield name, values[q.row]


def _popularity(q: _Question) -> np.ndarray:
    return _shares(q.counts.pages.orders[0], q.n_pages)


def _shares(zeroth: Transitions, n_pages: int) -> np.ndarray:
    """Share of views after which each page was opened, shape (pages,)."""
    nothing = np.zeros(n_pages, np.int64)
    return zeroth.count_of(nothing, np.arange(n_pages)) / np.maximum(zeroth.total_of(nothing), 1)


def _or_missing(codes: np.ndarray) -> np.ndarray:
    return np.where(codes >= 0, codes, np.nan)


def _rank_in_view(row: np.ndarray, chance: np.ndarray) -> np.ndarray:
    order = likeliest_first(row, chance)
    rank = np.empty(len(row), np.int64)
    rank[order] = rank_within(row[order])
    return rank
