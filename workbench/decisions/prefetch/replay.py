"""Prefetch replay: what became of the pages fetched, in hits, milliseconds and bytes.

One connection, one fetch after the other: fetches of a view start when its own page has loaded, in the order of their
ranks, each with the whole throughput. What is in flight when the user leaves is finished and delays the next page,
unless it is that page. The page viewed is taken to load in full even where it was fetched ahead, which understates what
is saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.decisions.load_time import load_ms
from workbench.decisions.prefetch.answers import Proposals, check_answer, share_of, top_shares
from workbench.decisions.prefetch.cache import Offers, Visits, lay_out, read_visits, settle
from workbench.decisions.prefetch.scenario import PAGE_BYTES, PrefetchScenario


@dataclass(frozen=True)
class Loads:
    """Sizes of the pages visited, and the networks that carry them.

    ``page_bytes``, shape (pages + 1,): the last one stands for pages that were never viewed. ``rtt_ms`` and
    ``downlink_mbps`` have shape (rows,). ``assumed`` names what was not measured, of ``"dwell", "page bytes",
    "network"``; the network is always assumed, at best from the effective type.
    """

    visits: Visits
    page_bytes: np.ndarray
    rtt_ms: np.ndarray
    downlink_mbps: np.ndarray
    connection_rtts: float
    assumed: tuple[str, ...]

    def bytes_of(self, page: np.ndarray) -> np.ndarray:
        """Size of each page, by its code: float, shape (pages asked,)."""
        return self.page_bytes[np.minimum(page, len(self.page_bytes) - 1)]

    def load_ms(self, row: np.ndarray, page: np.ndarray) -> np.ndarray:
        """Time that a page takes on a view's network, ms: float, shape (pairs,)."""
        return load_ms(self.bytes_of(page), self.rtt_ms[row], self.downlink_mbps[row], self.connection_rtts)


def read_loads(views: pd.DataFrame, visits: Visits, scenario: PrefetchScenario) -> Loads:
    """Take sizes (a page's median) and networks (by effective type) from the views where they have them, else from the
    scenario.
    """
    sizes = np.full(len(visits.pages) + 1, scenario.page_bytes or PAGE_BYTES)
    measured = "page_bytes" in views and views["page_bytes"].notna().any()
    if measured:
        medians = views["page_bytes"].groupby(visits.page).median().dropna()
        sizes[medians.index.to_numpy(int)] = medians.to_numpy(float)
    kind = views["effective_type"] if "effective_type" in views else pd.Series(None, views.index, dtype="str")
    rtt_ms, downlink_mbps = scenario.network(kind)
    said = {"dwell": visits.timed, "page bytes": measured, "network": False}
    assumed = tuple(name for name, known in said.items() if not known)
    return Loads(visits, sizes, rtt_ms, downlink_mbps, scenario.connection_rtts, assumed)


def fetch_times(loads: Loads, row: np.ndarray, page: np.ndarray, hit_row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Milliseconds that each fetch saves, and holds up the next page: float, shape (fetches,) each.

    ``saved = min(load, max(0, time from the view to the hit - load of the view's own page - queue))``, the queue being
    the loads of the view's earlier fetches: what had arrived when the user asked for it. Fetches come by row, then
    rank; ``hit_row`` is the view that opens the page, -1 where none does.
    """
    visits, load = loads.visits, loads.load_ms(row, page)
    through = np.cumsum(load)
    begins = np.flatnonzero(np.diff(row, prepend=-1))
    before = np.repeat((through - load)[begins], np.diff(np.append(begins, len(row))))
    start = loads.load_ms(row, visits.page[row]) + (through - load - before)
    waited = visits.elapsed_ms[np.maximum(hit_row, 0)] - visits.elapsed_ms[row]
    saved = np.where(hit_row >= 0, np.clip(waited - start, 0, load), 0.0)
    left = visits.stay_ms[row]  # NaN at a session's end: there is no next page to hold up
    in_flight = (start < left) & (left < start + load) & (visits.next_page[row] != page)
    return saved, np.where(in_flight, start + load - left, 0.0)


@dataclass(frozen=True)
class Hovers:
    """What fetching on hover brings in each view where nothing else fetched the page opened next: expectations.

    Float, shape (rows,). ``caught``: chance that the click's page was fetched on hover; ``saved_ms``: what that saves,
    and ``part`` its share of the load; ``unused``: pages hovered over in vain.
    """

    caught: np.ndarray
    saved_ms: np.ndarray
    part: np.ndarray
    unused: np.ndarray

    def beside(self, offers: Offers, fetched: np.ndarray) -> np.ndarray:
        """``caught``, without the clicks whose page was fetched early and is opened in time: float, shape (rows,)."""
        caught = self.caught.copy()
        caught[offers.hit_row[fetched & (offers.hit_row >= 0)] - 1] = 0.0
        return caught


def read_hovers(views: pd.DataFrame, loads: Loads, scenario: PrefetchScenario) -> Hovers:
    """What hover brings, worked out once for all policies; zeros on a site without.

    Every click in a view with a pointer is taken to follow a hover, and each of them costs
    :attr:`~workbench.decisions.prefetch.scenario.Hover.unused` pages that were hovered over in vain, whatever is
    fetched early. Hover looks at the cache when the page is viewed, as any policy does, so that it catches no click
    that perfect knowledge cannot; it understates hover where a page goes stale in between.
    ``saved = min(lead, load, time on the page)``.
    """
    visits, hover = loads.visits, scenario.on_hover
    caught, saved_ms, load = np.zeros(len(visits)), np.zeros(len(visits)), np.ones(len(visits))
    if hover is not None:
        row = _clicks_in_reach(visits, scenario)
        load[row] = loads.load_ms(row, visits.next_page[row])
        caught[row] = hover.pointer(views)[row]
        saved_ms[row] = np.minimum(np.minimum(load, visits.stay_ms)[row], hover.lead_ms)
    return Hovers(caught, saved_ms, saved_ms / load, caught * (hover.unused if hover else 0.0))


def _clicks_in_reach(visits: Visits, scenario: PrefetchScenario) -> np.ndarray:
    """Views at which the very next page can be fetched and will be a hit: their rows, int64."""
    row = np.flatnonzero(visits.navigates)
    offers = lay_out(visits, row, visits.next_page[row], scenario.caches)
    return row[settle(offers) & (offers.hit_row == row + 1)]


def replay_prefetch(answer: pd.DataFrame, views: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
    """Replay an answer (``view_id, page, rank``) over past sessions, each with a cache of its own.

    The equivalent plain loop is shown at :func:`workbench.decisions.prefetch.cache.settle`. A page that was visited or
    fetched is fresh until its lifetime has passed; a fresh page is not fetched. A fetched page's first visit within its
    lifetime is one hit, be it the next view or a later one; a page not visited in time, or by the session's end, is
    unused. Both are credited to the view that fetched. Without a cache a fetch serves the very next view only.

    Assumes that people behave the same whatever is fetched, that nothing is cached when a session starts, and what the
    head of this module says of milliseconds.

    With ``scenario.on_hover``, pages are fetched on hover too, and figures are expectations over who has a pointer. A
    click whose page was not fetched early is then caught with the chance of a pointer, and counts as a hit by the part
    of its load that hover saves; one whose page was fetched early counts 1, as ever, and hover saves what the early
    fetch had not saved yet, up to its own lead. The plain loop, for each view and the page opened next::

        if the page is not fresh from a visit:
            unused[view] += pointer * (1 - precision) / precision
            if it is no hit of an early fetch:
                hits[view] += pointer * min(lead, load, stay) / load
            saved[view] += pointer * max(0, min(lead, load, stay) - saved by the early fetch)

    Hover's own contention is left out.

    Returns, with the index of ``views``: ``hits, unused, fetched`` (pages), ``net`` (hits minus the price of the
    unused), ``saved_ms, contention_ms, added_wait_ms`` (contention minus what was saved), ``fetched_bytes,
    wasted_bytes, visited_bytes`` (size of the page viewed), ``hit_next`` (whether the very next page was a hit),
    ``navigation`` (whether there is a next page). ``attrs["assumed"]`` names what was not measured.
    """
    _, loads, offers = _lay_out(answer, views, scenario)
    visits, hovers = loads.visits, read_hovers(views, loads, scenario)
    fetched = settle(offers)
    row, page, hit_row = (values[fetched] for values in (offers.row, offers.page, offers.hit_row))
    hit = hit_row >= 0
    saved_ms, contention_ms = fetch_times(loads, row, page, hit_row)
    size = loads.bytes_of(page)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(row, values, minlength=len(visits))

    saved_early = np.zeros(len(visits))
    saved_early[hit_row[hit] - 1] = saved_ms[hit]
    on_hover = hovers.beside(offers, fetched)
    hits, unused = total(hit.astype(float)), total((~hit).astype(float)) + hovers.unused
    saved = total(saved_ms) + hovers.caught * np.clip(hovers.saved_ms - saved_early, 0, None)
    visited_bytes = loads.bytes_of(visits.page)
    in_vain = hovers.unused * visited_bytes.sum() / max(len(visits), 1)
    outcomes = pd.DataFrame(
        {
            "hits": hits + on_hover * hovers.part,
            "unused": unused,
            "fetched": hits + on_hover + unused,
            "net": hits + on_hover * hovers.part - scenario.unused_price * unused,
            "saved_ms": saved,
            "contention_ms": total(contention_ms),
            "added_wait_ms": total(contention_ms) - saved,
            "fetched_bytes": total(size) + on_hover * loads.bytes_of(visits.next_page) + in_vain,
            "wasted_bytes": total(size * ~hit) + in_vain,
            "visited_bytes": visited_bytes,
            "hit_next": total((hit_row == row + 1).astype(float)) > 0,
            "navigation": visits.navigates,
        },
        index=views.index,
    )
    outcomes.attrs["assumed"] = loads.assumed
    return outcomes


def trace_fetches(answer: pd.DataFrame, views: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
    """What became of each page fetched: ``view_id, page, rank, hit_view_id`` (the view that opened it in time, -1 where
    none did).
    """
    proposals, _, offers = _lay_out(answer, views, scenario)
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


def _lay_out(answer: pd.DataFrame, views: pd.DataFrame, scenario: PrefetchScenario) -> tuple[Proposals, Loads, Offers]:
    proposals = check_answer(answer, views, scenario.k, "fetches")
    loads = read_loads(views, read_visits(views, scenario), scenario)
    offers = lay_out(loads.visits, proposals.row, proposals.codes(loads.visits.pages), scenario.caches)
    return proposals, loads, offers


def perfect_knowledge_fetches(views: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
    """Fetch exactly what will be a hit: the very next page, unless it is fresh or opened too late.

    No policy has more hits: whatever could be a hit for a fetch made earlier can be one for a fetch made just before.
    Nor more net, with hover beside it or without, since no hit by hover counts more than an early one.
    """
    visits = read_visits(views, scenario)
    row = _clicks_in_reach(visits, scenario)
    names = pd.Categorical.from_codes(visits.next_page[row], categories=visits.pages)
    return pd.DataFrame({"view_id": views["view_id"].to_numpy()[row], "page": names, "rank": 1})


@dataclass(frozen=True)
class PrefetchFigures:
    """Sums over views, session ends included, divided by the number of views, where nothing else is said.

    ``net``: hits minus the price of the unused. ``hits_per_100`` views; a page fetched on hover counts by the part of
    its load that is over at the click. ``unused_per_view``. ``top1, top3``: share of
    navigations whose page was the likeliest, or among the three likeliest; None for a policy without chances.
    ``precision``: pages opened of all pages fetched. ``recall``: the same of all navigations (views with a next page).
    ``byte_precision``: bytes of hits of all bytes fetched. ``traffic_increase``: bytes of unused prefetches over the
    bytes of all pages viewed. Milliseconds and bytes a view. ``assumed`` names what those rest on that was not
    measured. Shares are None where there is nothing to divide by.
    """

    net: float
    hits_per_100: float
    unused_per_view: float
    top1: float | None
    top3: float | None
    precision: float | None
    recall: float | None
    byte_precision: float | None
    traffic_increase: float
    ms_saved_per_view: float
    contention_ms_per_view: float
    bytes_fetched_per_view: float
    bytes_wasted_per_view: float
    assumed: tuple[str, ...] = ()


def summarise_prefetch(
    outcomes: pd.DataFrame, top: pd.DataFrame | None = None, views: pd.DataFrame | None = None
) -> PrefetchFigures:
    """Add up one policy's outcomes; ``top`` has at least the three likeliest pages of each of ``views``, where the
    policy has chances.
    """
    top1, top3 = (None, None) if top is None or views is None else top_shares(top, views)
    total = outcomes.drop(columns="hit_next").sum()
    mean = total / max(len(outcomes), 1)
    opened = total["fetched"] - total["unused"]
    return PrefetchFigures(
        net=float(mean["net"]),
        hits_per_100=100 * float(mean["hits"]),
        unused_per_view=float(mean["unused"]),
        top1=top1,
        top3=top3,
        precision=share_of(opened, total["fetched"]),
        recall=share_of(opened, total["navigation"]),
        byte_precision=share_of(total["fetched_bytes"] - total["wasted_bytes"], total["fetched_bytes"]),
        traffic_increase=share_of(total["wasted_bytes"], total["visited_bytes"]) or 0.0,
        ms_saved_per_view=float(mean["saved_ms"]),
        contention_ms_per_view=float(mean["contention_ms"]),
        bytes_fetched_per_view=float(mean["fetched_bytes"]),
        bytes_wasted_per_view=float(mean["wasted_bytes"]),
        assumed=tuple(outcomes.attrs.get("assumed", ())),
    )


LOWEST_LIMIT, HIGHEST_LIMIT, LIMITS = 0.01, 0.8, 25
SETTLED_AT_ONCE = 1_000_000  # proposals, over several limits


def prefetch_limits(scenario: PrefetchScenario) -> np.ndarray:
    """Chances that are tried as limits: 25 from .01 to .8, evenly spaced in their logarithm, one the break-even itself.

    >>> prefetch_limits(PrefetchScenario()).round(3)[13:18]
    array([0.107, 0.129, 0.15 , 0.186, 0.223])
    """
    limits = np.geomspace(LOWEST_LIMIT, HIGHEST_LIMIT, LIMITS)
    limits[np.argmin(np.abs(np.log(limits / scenario.break_even)))] = scenario.break_even
    return np.sort(limits)


def trace_frontier(
    top: pd.DataFrame, views: pd.DataFrame, scenario: PrefetchScenario, limits: np.ndarray | None = None
) -> pd.DataFrame:
    """Replay one source of chances (its first ``scenario.k`` pages a view) through the session cache at every limit.

    Returns ``limit, hits, unused, net``, means over all views, from the lowest limit on; default limits:
    :func:`prefetch_limits`.
    """
    limits = prefetch_limits(scenario) if limits is None else np.asarray(limits, float)
    ground = read_ground(views, scenario)
    means = [(hits.mean(), unused.mean()) for hits, unused in count_by_view(top, ground, limits)]
    hits, unused = np.reshape(means, (-1, 2)).T
    return pd.DataFrame({"limit": limits, "hits": hits, "unused": unused, "net": hits - scenario.unused_price * unused})


@dataclass(frozen=True)
class Ground:
    """Views that many answers are replayed on, with what does not depend on the answer."""

    views: pd.DataFrame
    scenario: PrefetchScenario
    visits: Visits
    hovers: Hovers


def read_ground(views: pd.DataFrame, scenario: PrefetchScenario) -> Ground:
    """Read the sessions of a table of navigations, and what hover brings in them."""
    visits = read_visits(views, scenario)
    return Ground(views, scenario, visits, read_hovers(views, read_loads(views, visits, scenario), scenario))


def count_by_view(top: pd.DataFrame, ground: Ground, limits: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Replay one source of chances view by view: for each limit, pages opened in time and unused prefetches,
    float, shape (views,) each.
    """
    visits, hovers, scenario = ground.visits, ground.hovers, ground.scenario
    top = top[top["rank"] <= scenario.k]
    proposals = check_answer(top, ground.views, scenario.k, "the source of chances")
    chance = top["chance"].to_numpy(float)[proposals.order]
    likely = chance >= limits.min(initial=1.0)
    chance = chance[likely]
    offers = lay_out(visits, proposals.row[likely], proposals.codes(visits.pages)[likely], scenario.caches)
    at_once = max(1, SETTLED_AT_ONCE // max(len(chance), len(visits), 1))
    for some in np.split(limits, range(at_once, len(limits), at_once)):
        shape = len(some), len(visits)
        case, offer = np.nonzero(settle(offers, chance >= some[:, None]))
        hit_row, view = offers.hit_row[offer], case * len(visits) + offers.row[offer]
        hits, unused = (np.bincount(view[which], minlength=np.prod(shape)) for which in (hit_row >= 0, hit_row < 0))
        caught = np.broadcast_to(hovers.caught, shape).copy()
        caught[case[hit_row >= 0], hit_row[hit_row >= 0] - 1] = 0.0
        yield from zip(hits.reshape(shape) + caught * hovers.part, unused.reshape(shape) + hovers.unused, strict=True)


def best_prefetch_limit(frontier: pd.DataFrame, scenario: PrefetchScenario) -> float:
    """The limit with the largest net; among equals the one nearest the break-even, as a ratio.

    Without the one-standard-error rule that image delivery takes: a view's net lies between one hit and the price of
    ``k`` unused pages, so that no handful of views carries the mean.
    """
    net = frontier["net"].to_numpy()
    equal = frontier["limit"].to_numpy()[np.isclose(net, net.max(), rtol=0, atol=1e-12)]
    return float(equal[np.argmin(np.abs(np.log(equal / scenario.break_even)))])


def hits_at_unused(frontier: pd.DataFrame, unused_per_view: float) -> float | None:
    """Hits per 100 views at a given number of unused prefetches a view; None outside of what the frontier covers.

    Between two limits, and between the highest limit and fetching nothing, points are joined by a line: what a coin
    thrown between the two would bring.
    """
    points = frontier[["unused", "hits"]].sort_values(["unused", "hits"])
    unused = np.append(0.0, points["unused"])
    hits = np.maximum.accumulate(np.append(0.0, 100 * points["hits"]))
    if not 0 <= unused_per_view <= unused[-1]:
        return None
    last = np.append(np.diff(unused) > 0, True)
    return float(np.interp(unused_per_view, unused[last], hits[last]))
