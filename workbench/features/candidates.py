"""Candidates for the next page, and answers ranked by chance."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from workbench.features.pages import PageCounts, Transitions, count_transitions, encode, previous_codes

FOLLOWERS = 10  # of each order, a view
RECENT = 4  # views of the session back; their pages are candidates to return to
POPULAR = 5
LINKED = 10
SMALL_VOCABULARY = 24  # up to so many pages every page is a candidate
REMEMBERED = ("last_next", "usual_next")


def candidate_pairs(
    counts: PageCounts, frame: pd.DataFrame, links: Transitions | None = None, *, history: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Pair each view with the pages that may come next.

    Followers of first and second order, what the user opened from here before, the session's recent pages, the most
    popular pages, and the most popular pages that the page links to; all pages where there are few.

    Parameters
    ----------
    counts : PageCounts
    frame : DataFrame, shape (views, columns)
        Context, views of a session together and in order.
    links : Transitions, optional
        From :func:`link_table`.
    history : bool
        Whether the user's history gives candidates.

    Returns
    -------
    row, page : ndarray of int64, shape (pairs,)
        Place of the view in the frame, and page code; each pair once, never the current page, sorted by row, then page.
    """
    codes, n_pages = encode(frame, counts.pages), len(counts.pages)
    rows = np.arange(len(frame))
    if n_pages <= SMALL_VOCABULARY:
        return _unite([(np.repeat(rows, n_pages), np.tile(np.arange(n_pages), len(frame)))], codes, n_pages)
    nothing, first, second = counts.states(frame)
    found = [counts.orders[1].top(first, FOLLOWERS)[:2], counts.orders[2].top(second, FOLLOWERS)[:2]]
    found.append(counts.orders[0].top(nothing, POPULAR)[:2])
    found += [(rows, previous_codes(frame, codes, back)) for back in range(1, RECENT + 1)]
    if history:
        found += [(rows, encode(frame, counts.pages, column)) for column in REMEMBERED if column in frame]
    if links is not None:
        found.append(links.top(codes, LINKED)[:2])
    return _unite(found, codes, n_pages)


def link_table(links: pd.DataFrame, counts: PageCounts) -> Transitions:
    """Pages that each page links to, the most opened first.

    Parameters
    ----------
    links : DataFrame
        ``from_page, to_page``; pages outside the vocabulary and links of a page to itself are left out.
    counts : PageCounts

    Returns
    -------
    Transitions
        ``count`` is one more than how often the linked page was opened; ``total`` is how many pages are linked.
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
    """The ``k`` likeliest pages of each view.

    Parameters
    ----------
    row, page, chance : ndarray, shape (pairs,)
        Pairs and their chances; pairs without a chance above 0 are left out.
    k : int

    Returns
    -------
    row, page, rank, chance : ndarray, shape (pairs that stay,)
        Sorted by row, then rank (from 1); equal chances as in :func:`likeliest_first`.
    """
    order = likeliest_first(row, chance)
    order = order[chance[order] > 0]
    rank = rank_within(row[order])
    stay = order[rank <= k]
    return row[stay], page[stay], rank[rank <= k], chance[stay]


def likeliest_first(row: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Order of pairs by row, then falling chance; chances that differ by less than a billionth keep their order.

    One whole number holds both, which sorts six times as fast as two keys.

    Examples
    --------
    >>> likeliest_first(np.array([0, 0, 0, 1]), np.array([0.1, 0.5, 0.5, 0.9])).tolist()
    [1, 2, 0, 3]
    """
    fallen = np.rint((1 - chance) * 2**30).astype(np.int64)
    return np.argsort((np.asarray(row, np.int64) << 31) + fallen, kind="stable")


def rank_within(row: np.ndarray) -> np.ndarray:
    """Place of each pair among the pairs of its view, from 1; ``row`` is sorted.

    Examples
    --------
    >>> rank_within(np.array([4, 4, 7])).tolist()
    [1, 2, 1]
    """
    first = np.flatnonzero(np.diff(row, prepend=-1))
    return np.arange(len(row)) - np.repeat(first, np.diff(np.append(first, len(row)))) + 1


def as_answer(
    context: pd.DataFrame, pages: pd.Index, pairs: tuple[np.ndarray, np.ndarray], chance: np.ndarray, k: int
) -> pd.DataFrame:
    """The ``k`` likeliest pages of each view, as the frame that every source of chances returns.

    Returns
    -------
    DataFrame
        ``view_id`` (int64), ``page`` (category), ``rank`` (int64, from 1) and ``chance`` (float64), sorted by the order
        of views in the context, then rank.
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
    return np.divmod(_distinct(rows[known] * n_pages + pages[known]), max(n_pages, 1))


def _distinct(keys: np.ndarray) -> np.ndarray:
    if (np.diff(keys) > 0).all():
        return keys
    keys = np.sort(keys)
    return keys[np.diff(keys, prepend=-1) > 0]
