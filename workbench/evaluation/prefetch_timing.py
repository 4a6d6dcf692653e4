"""What fetching brings and costs in milliseconds and bytes: one connection, one fetch after the other.

Fetches of a view start when its own page has loaded, in the order of their ranks, each with the whole throughput. What
is in flight when the person leaves is finished and holds up the next page, unless it is that page. The page viewed is
taken to load in full even where it was fetched ahead, which understates what is saved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.delivery import PrefetchScenario, load_ms
from workbench.evaluation.prefetch_sessions import Visits


@dataclass(frozen=True)
class Loads:
    """Sizes of the pages visited, and the networks that carry them.

    Parameters
    ----------
    visits : Visits
    page_bytes : ndarray of float, shape (pages + 1,)
        Size of each page; the last one stands for pages that were never viewed.
    rtt_ms, downlink_mbps : ndarray of float, shape (rows,)
    connection_rtts : float
    assumed : tuple of str
        What was not measured: of ``"dwell", "page bytes", "network"``. The network is always assumed, at best from
        the effective type.
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
    """Take sizes and networks from the views, else from the scenario.

    A page's size is the median over its views; ``page_bytes`` of the scenario stands in where it has none.

    Parameters
    ----------
    views : DataFrame, shape (rows, columns)
        ``page_bytes`` and ``effective_type`` where known.
    visits : Visits
    scenario : PrefetchScenario
    """
    sizes = np.full(len(visits.pages) + 1, scenario.page_bytes)
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
    """Milliseconds that each fetch saves, and holds up the next page.

    ``saved = min(load, max(0, time from the view to the hit - load of the view's own page - queue))``, the queue being
    the loads of the view's earlier fetches: what had arrived when the person asked for it.

    Parameters
    ----------
    loads : Loads
    row, page : ndarray of int64, shape (fetches,)
        By row, then rank.
    hit_row : ndarray of int64, shape (fetches,)
        View that opens the page, -1 where none does.

    Returns
    -------
    saved_ms, contention_ms : ndarray of float, shape (fetches,)
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
