"""Prefetch replay: a policy decides from context alone; only then do the sessions show which pages were opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.columns import Column
from workbench.datasets.navigation_schema import known_navigation_context
from workbench.delivery import PrefetchScenario
from workbench.evaluation.prefetch_answers import Proposals, ask_prefetch, check_answer
from workbench.evaluation.prefetch_cache import Offers, lay_out, settle
from workbench.evaluation.prefetch_sessions import read_visits
from workbench.evaluation.prefetch_timing import Loads, fetch_times, read_loads
from workbench.policies.calling import policy_name

# instant.page starts to fetch when a link was hovered over for 65 ms; there is then "one chance out of two" that it is
# clicked, and "on average over 300 ms" are left (the project's own site, instant.page).
HOVER_PRECISION = 0.5
HOVER_LEAD_MS = 300.0


def replay_prefetch(
    policy: Callable[..., Any] | pd.DataFrame,
    views: pd.DataFrame,
    scenario: PrefetchScenario,
    *,
    known_by: str = "client_js",
    extra: Iterable[Column] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """Replay one policy over past sessions, each with a cache of its own.

    The equivalent plain loop is shown at :func:`workbench.evaluation.prefetch_cache.settle`.

    A page that was visited or fetched is fresh until its lifetime has passed; a fresh page is not fetched. A fetched
    page's first visit within its lifetime is one hit, be it the next view or a later one; a page not visited in
    time, or by the session's end, is unused. Both are credited to the view that fetched. Without a cache a fetch
    serves the very next view only.

    Assumes that people behave the same whatever is fetched, that nothing is cached when a session starts, and what
    :mod:`workbench.evaluation.prefetch_timing` says of milliseconds.

    Parameters
    ----------
    policy : callable or DataFrame
        A policy, or what one answered: ``view_id, page, rank``.
    views : DataFrame, shape (rows, columns)
        Canonical navigations, whole sessions.
    scenario : PrefetchScenario
    known_by : str
        What the policy may see.
    extra : iterable of Column
        Further context that the card declares.
    seed : int
        Of the cuts at which the policy is asked again, to see whether it reads the future.

    Returns
    -------
    DataFrame
        Index of ``views``: ``hits, unused, fetched`` (pages), ``net`` (hits minus the price of the unused),
        ``saved_ms, contention_ms, fetched_bytes, wasted_bytes, visited_bytes`` (size of the page viewed), ``hit_next``
        (whether the very next page was a hit), ``navigation`` (whether there is a next page). ``attrs["assumed"]``
        names what was not measured.

    Raises
    ------
    WorkbenchError
        Where the policy answers wrongly, reads what it may not see, or reads the future.
    """
    name = "fetches"
    if not isinstance(policy, pd.DataFrame):
        name, context = policy_name(policy), known_navigation_context(views, known_by, tuple(extra))
        policy = ask_prefetch(policy, context, scenario, seed=seed)
    _, loads, offers = _lay_out(policy, views, scenario, name)
    return realise_fetches(offers, settle(offers), loads, scenario, views.index)


def trace_fetches(answer: pd.DataFrame, views: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
    """Tell what became of each page that was fetched.

    Parameters
    ----------
    answer : DataFrame
        ``view_id, page, rank``.
    views : DataFrame
        Canonical navigations, whole sessions.
    scenario : PrefetchScenario

    Returns
    -------
    DataFrame
        One row a page fetched, by view and rank: ``view_id, page, rank, hit_view_id`` (the view that opened it in
        time, -1 where none did).
    """
    proposals, _, offers = _lay_out(answer, views, scenario, "fetches")
    fetched = settle(offers)
    view_id, hit_row = views["view_id"].to_numpy(), offers.hit_row[fetched]
    return pd.DataFrame(
        {
            "view_id": view_id[offers.row[fetched]],
            "page": proposals.names[proposals.page[fetched]],
            "rank": proposals.rank[fetched],
            "hit_view_id": np.where(hit_row >= 0, view_id[hit_row], -1),
        }
    )


def _lay_out(
    answer: pd.DataFrame, views: pd.DataFrame, scenario: PrefetchScenario, name: str
) -> tuple[Proposals, Loads, Offers]:
    proposals = check_answer(answer, views, scenario.k, name)
    loads = read_loads(views, read_visits(views, scenario), scenario)
    offers = lay_out(loads.visits, proposals.row, proposals.codes(loads.visits.pages), scenario.cache)
    return proposals, loads, offers


def realise_fetches(
    offers: Offers, fetched: np.ndarray, loads: Loads, scenario: PrefetchScenario, index: pd.Index
) -> pd.DataFrame:
    """Outcomes of the pages fetched, one row a view (columns as in :func:`replay_prefetch`)."""
    visits = loads.visits
    row, page, hit_row = (values[fetched] for values in (offers.row, offers.page, offers.hit_row))
    hit = hit_row >= 0
    saved_ms, contention_ms = fetch_times(loads, row, page, hit_row)
    size = loads.bytes_of(page)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(row, values, minlength=len(visits))

    hits, unused = total(hit.astype(float)), total((~hit).astype(float))
    outcomes = pd.DataFrame(
        {
            "hits": hits,
            "unused": unused,
            "fetched": hits + unused,
            "net": hits - scenario.unused_price * unused,
            "saved_ms": total(saved_ms),
            "contention_ms": total(contention_ms),
            "fetched_bytes": total(size),
            "wasted_bytes": total(size * ~hit),
            "visited_bytes": loads.bytes_of(visits.page),
            "hit_next": total((hit_row == row + 1).astype(float)) > 0,
            "navigation": visits.navigates,
        },
        index=index,
    )
    outcomes.attrs["assumed"] = loads.assumed
    return outcomes


def perfect_knowledge_fetches(views: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
    """Fetch exactly what will be a hit: the very next page, unless it is fresh or opened too late.

    No policy has more hits: whatever could be a hit for a fetch made earlier can be one for a fetch made just before.

    Returns
    -------
    DataFrame
        ``view_id, page, rank``: one row for each view that fetches.
    """
    visits = read_visits(views, scenario)
    row = np.flatnonzero(visits.navigates)
    page = visits.next_page[row]
    offers = lay_out(visits, row, page, scenario.cache)
    worth = settle(offers) & (offers.hit_row == row + 1)
    names = pd.Categorical.from_codes(page[worth], categories=visits.pages)
    return pd.DataFrame({"view_id": views["view_id"].to_numpy()[row[worth]], "page": names, "rank": 1})


def hover(
    views: pd.DataFrame,
    scenario: PrefetchScenario,
    *,
    precision: float = HOVER_PRECISION,
    lead_ms: float = HOVER_LEAD_MS,
) -> pd.DataFrame:
    """What fetching on hover would bring, at the precision and lead that instant.page states. A reference.

    Every page opened that is not fresh was hovered over before, and for each of them ``1 / precision - 1`` others
    were, of the average size: no log tells which. Touch screens have no hover, so this is an upper bound.

    Parameters
    ----------
    views : DataFrame
    scenario : PrefetchScenario
    precision : float
        Share of fetched pages that are opened.
    lead_ms : float
        Time between the fetch and the click.

    Returns
    -------
    DataFrame
        As of :func:`replay_prefetch`; ``unused`` and ``fetched`` are expectations, contention is left out.
    """
    visits = read_visits(views, scenario)
    loads = read_loads(views, visits, scenario)
    row = np.flatnonzero(visits.navigates)
    row = row[~visits.fresh_already[row + 1]] if scenario.cache else row
    page = visits.next_page[row]
    offers = lay_out(visits, row, page, cache=False)
    sure = realise_fetches(offers, settle(offers), loads, scenario, views.index)
    unused = sure["hits"] * (1 / precision - 1)
    wasted_bytes = unused * sure["visited_bytes"].mean()
    return sure.assign(
        unused=unused,
        fetched=sure["hits"] + unused,
        net=sure["hits"] - scenario.unused_price * unused,
        saved_ms=np.bincount(row, np.minimum(loads.load_ms(row, page), lead_ms), minlength=len(visits)),
        contention_ms=0.0,
        fetched_bytes=sure["fetched_bytes"] + wasted_bytes,
        wasted_bytes=wasted_bytes,
    )
