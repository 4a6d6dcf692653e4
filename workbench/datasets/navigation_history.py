"""What a site remembers of a returning user: made over the whole frame, before it is split, and backwards only."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.datasets.navigation_schema import NAVIGATION_HISTORY
from workbench.datasets.sessions import ends_session

NAMES = tuple(column.name for column in NAVIGATION_HISTORY)


def add_navigation_history(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what earlier views of the same user tell: how often they came, and where they went on from this page.

    A view knows the views before it in its user's time, whatever their session, and those onward clicks that had
    been made by then. Its own next page is never among them.

    Parameters
    ----------
    frame : DataFrame
        Canonical navigations with ``user_id`` in every row.

    Returns
    -------
    DataFrame
        A copy with ``earlier_views`` (the user's views before), ``here_before`` (those of this page), ``last_next``
        (where the user went on to from this page, the last time that they did), ``usual_next`` (most often so far;
        of equals the one that reached that number last) and ``usual_share`` (share of ``here_before`` that went on
        to it). Nothing is known of a page where the user never went on from it.
    """
    users, pages = pd.factorize(frame["user_id"])[0], frame["page"].cat.codes.to_numpy().astype(np.int64)
    rank = _rank_in_time(frame, users)
    here = pd.factorize(users * (pages.max(initial=0) + 1) + pages)[0].astype(np.int64)  # a user at a page
    goes_on = np.flatnonzero(~ends_session(frame))
    places, onward = here[goes_on], pages[goes_on + 1]
    order, usual, count = _most_often_so_far(places, onward, _known_at(rank, goes_on))
    # The latest onward click from the same place that had been made when the view began.
    made = places[order] * len(frame) + _known_at(rank, goes_on)[order]
    found = np.searchsorted(made, here * len(frame) + rank, side="right") - 1
    known = (found >= 0) & (places[order][found] == here) if len(order) else np.zeros(len(frame), bool)
    at = found[known]
    here_before = _earlier(here, rank)
    share = np.full(len(frame), np.nan)
    share[known] = count[at] / here_before[known]
    categories = frame["page"].cat.categories
    values = (
        _earlier(users, rank).astype(float),
        here_before.astype(float),
        _pages(len(frame), known, onward[order][at], categories),
        _pages(len(frame), known, usual[at], categories),
        share,
    )
    return frame.assign(**dict(zip(NAMES, values, strict=True)))


def _rank_in_time(frame: pd.DataFrame, users: np.ndarray) -> np.ndarray:
    """Place of each view (rows,) in the order of users, then time, then the frame."""
    row = np.arange(len(frame))
    moment = frame["viewed_at"].astype("int64").to_numpy() if "viewed_at" in frame else row
    rank = np.empty(len(frame), np.int64)
    rank[np.lexsort((row, moment, users))] = row
    return rank


def _known_at(rank: np.ndarray, goes_on: np.ndarray) -> np.ndarray:
    """When onward clicks become known: with the view that they lead to."""
    return rank[goes_on + 1]


def _most_often_so_far(
    places: np.ndarray, onward: np.ndarray, known_at: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order of onward clicks by place and time, the page most often clicked so far at each of them, and how often."""
    order = np.lexsort((known_at, places))
    place, page = places[order], onward[order]
    step = np.arange(len(order))
    # How often this page was clicked here, this click included.
    alike = np.lexsort((step, page, place))
    begins = np.r_[True, (np.diff(place[alike]) != 0) | (np.diff(page[alike]) != 0)][: len(order)]
    times = np.empty(len(order), np.int64)
    times[alike] = step - np.maximum.accumulate(np.where(begins, step, 0)) + 1
    # The most so far at a place: a running maximum that places, which rise, keep apart.
    most = np.maximum.accumulate(place * (len(order) + 1) + times) - place * (len(order) + 1)
    reached = np.maximum.accumulate(np.where(times == most, step, 0))
    return order, page[reached], most


def _earlier(groups: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """How many views of its group came before each view (int64, shape (rows,))."""
    order = np.lexsort((rank, groups))
    row = np.arange(len(order))
    begins = np.r_[True, np.diff(groups[order]) != 0][: len(order)]
    count = np.empty(len(order), np.int64)
    count[order] = row - np.maximum.accumulate(np.where(begins, row, 0))
    return count


def _pages(rows: int, known: np.ndarray, codes: np.ndarray, categories: pd.Index) -> pd.Categorical:
    every = np.full(rows, -1, np.int64)
    every[known] = codes
    return pd.Categorical.from_codes(every, categories)
