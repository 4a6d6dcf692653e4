"""The prefetch frontier: hits against unused prefetches, as the chance moves from which a page is fetched."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from workbench.delivery import PrefetchScenario
from workbench.evaluation.prefetch_answers import check_answer
from workbench.evaluation.prefetch_cache import Offers, lay_out, settle
from workbench.evaluation.prefetch_sessions import read_visits

LOWEST_LIMIT, HIGHEST_LIMIT, LIMITS = 0.01, 0.8, 25


def prefetch_limits(scenario: PrefetchScenario) -> np.ndarray:
    """Chances that are tried as limits: 25 from .01 to .8, evenly spaced in their logarithm, one the break-even itself.

    Examples
    --------
    >>> prefetch_limits(PrefetchScenario()).round(3)[13:18]
    array([0.107, 0.129, 0.15 , 0.186, 0.223])
    """
    limits = np.geomspace(LOWEST_LIMIT, HIGHEST_LIMIT, LIMITS)
    limits[np.argmin(np.abs(np.log(limits / scenario.break_even)))] = scenario.break_even
    return np.sort(limits)


def trace_frontier(
    top: pd.DataFrame, views: pd.DataFrame, scenario: PrefetchScenario, limits: np.ndarray | None = None
) -> pd.DataFrame:
    """Replay one source of chances through the session cache at every limit.

    Parameters
    ----------
    top : DataFrame
        ``view_id, page, rank, chance``; the first ``scenario.k`` pages of a view count.
    views : DataFrame
        Canonical navigations, whole sessions.
    scenario : PrefetchScenario
    limits : ndarray of float, optional
        Default :func:`prefetch_limits`.

    Returns
    -------
    DataFrame
        One row a limit, from the lowest: ``limit, hits_per_100, unused_per_view, net``, means over all views.
    """
    limits = prefetch_limits(scenario) if limits is None else np.asarray(limits, float)
    points = []
    for limit, offers, fetched in _fetched_at(top, views, scenario, limits):
        hits = np.count_nonzero((offers.hit_row >= 0) & fetched) / len(views)
        unused = np.count_nonzero(fetched) / len(views) - hits
        points.append((limit, 100 * hits, unused, hits - scenario.unused_price * unused))
    return pd.DataFrame(points, columns=["limit", "hits_per_100", "unused_per_view", "net"])


def count_by_view(
    top: pd.DataFrame, views: pd.DataFrame, scenario: PrefetchScenario, limits: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same replay, view by view.

    Yields
    ------
    hits, unused : ndarray of int64, shape (views,)
        For each limit: pages opened in time, and pages fetched for nothing.
    """
    for _, offers, fetched in _fetched_at(top, views, scenario, limits):
        hit = offers.hit_row >= 0
        hits, unused = (np.bincount(offers.row[fetched & which], minlength=len(views)) for which in (hit, ~hit))
        yield hits, unused


def _fetched_at(
    top: pd.DataFrame, views: pd.DataFrame, scenario: PrefetchScenario, limits: np.ndarray
) -> Iterator[tuple[float, Offers, np.ndarray]]:
    """At each limit: the limit, the pages likely enough for any of them, and which of these are fetched."""
    visits = read_visits(views, scenario)
    top = top[top["rank"] <= scenario.k]
    proposals = check_answer(top, views, scenario.k, "the source of chances")
    chance = top["chance"].to_numpy(float)[proposals.order]
    likely = chance >= limits.min(initial=1.0)
    chance = chance[likely]
    offers = lay_out(visits, proposals.row[likely], proposals.codes(visits.pages)[likely], scenario.cache)
    for limit in limits:
        yield float(limit), offers, settle(offers, chance >= limit)


def best_prefetch_limit(frontier: pd.DataFrame, scenario: PrefetchScenario) -> float:
    """The limit with the largest net; among equals the one nearest the break-even, as a ratio.

    Taken outright, without the one-standard-error rule of the image limits: a view's net lies between one hit and the
    price of ``k`` unused pages, so that no handful of views carries the mean.
    """
    net = frontier["net"].to_numpy()
    equal = frontier["limit"].to_numpy()[np.isclose(net, net.max(), rtol=0, atol=1e-12)]
    return float(equal[np.argmin(np.abs(np.log(equal / scenario.break_even)))])


def hits_at_unused(frontier: pd.DataFrame, unused_per_view: float) -> float | None:
    """Hits per 100 views at a given number of unused prefetches a view; None outside of what the frontier covers.

    Between two limits, and between the highest limit and fetching nothing, points are joined by a line: what a coin
    thrown between the two would bring.
    """
    points = frontier[["unused_per_view", "hits_per_100"]].sort_values(["unused_per_view", "hits_per_100"])
    unused = np.append(0.0, points["unused_per_view"])
    hits = np.maximum.accumulate(np.append(0.0, points["hits_per_100"]))
    if not 0 <= unused_per_view <= unused[-1]:
        return None
    last = np.append(np.diff(unused) > 0, True)
    return float(np.interp(unused_per_view, unused[last], hits[last]))
