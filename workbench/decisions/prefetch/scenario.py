"""What prefetching is judged by: the price of an unused page, and what is assumed where the data are silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real

import numpy as np
import pandas as pd

from workbench.decisions.decision import USD_PER_GB
from workbench.errors import WorkbenchError, check_above_0, check_whole

# Guess.js fetches on 4g what is opened in at least 15 % of the cases (github.com/guess-js/guess, commit 043043e,
# packages/guess-webpack/src/utils.ts).
BREAK_EVEN = 0.15
# Chromium reuses a prefetched resource for five minutes without asking again (net/http/http_cache.h, prefetch reuse).
LIFETIME_S = 300.0
# What a further page of a visit adds, scripts and styles being there already: the medians of HTML (17 KB) and images
# (348 KB) of inner mobile pages, which HTTP Archive counts in 1,024 bytes (Web Almanac 2024, ch. Page Weight). The
# whole page, loaded for the first time, weighed 2,311 KB.
PAGE_BYTES = 365 * 1024.0
# "Users often leave Web pages in 10-20 seconds": the middle (Nielsen, nngroup.com, 12 September 2011).
DWELL_S = 15.0
# Round trip in ms and Mbit/s. 4g, 3g, 2g: WebPageTest's profiles of these names (www/settings/connectivity.ini.sample,
# commit a7cf6a7). slow-2g, which has none: the edge of the class in the Network Information API (table of
# effective connection types, developer.mozilla.org/docs/Glossary/Effective_connection_type).
NETWORKS = {"4g": (170.0, 9.0), "3g": (300.0, 1.6), "2g": (800.0, 0.28), "slow-2g": (2000.0, 0.05)}
# The fastest class, which saves the least: where the class is unknown, prefetching is not flattered.
UNKNOWN_NETWORK = "4g"
CONNECTION_RTTS_WARM = 1.0  # the page before came from the same place
NUMBERS = ("lifetime_s", "page_bytes", "dwell_s", "connection_rtts", "usd_per_gb")


@dataclass(frozen=True)
class PrefetchScenario:
    """What prefetching is judged by.

    ``net = hits - unused_price * unused``, a view: a page fetched ahead of the click and then opened counts 1, a page
    fetched for nothing costs ``unused_price``. Milliseconds, bytes and money stand beside it; they need sizes, times
    and networks, which are taken from the data where it has them and from here where it has not.

    Parameters
    ----------
    break_even : float
        Chance of being opened from which a page is worth fetching; between 0 and 1.
    k : int
        Pages that one view may fetch.
    lifetime_s : float
        How long a page that was visited or fetched stays fresh, in seconds.
    lifetime_views : int
        The same in views of the session, used where no times vary within sessions.
    cache : bool
        Whether pages stay fresh at all. Where a "page" is a section with changing content, a fetch serves the very
        next view only, and a page visited before may be fetched again.
    page_bytes : float
        Size of a page where the data has none.
    dwell_s : float
        Time on a page where the data has none.
    networks : mapping
        Effective type to round trip (ms) and throughput (Mbit/s).
    connection_rtts : float
        Round trips before the first byte: 1 on a warm connection, which a further page of a visit has.
    usd_per_gb : float
        What sending costs; 1 GB is 10^9 bytes.
    usd_per_second : float, optional
        What a second saved is worth; published values disagree, so there is no default.

    Raises
    ------
    WorkbenchError
        Where a number cannot be.

    Examples
    --------
    >>> scenario = PrefetchScenario(break_even=0.2)
    >>> scenario.unused_price, scenario.price_in_words
    (0.25, 'one hit is worth 4.0 unused prefetches')
    """

    break_even: float = BREAK_EVEN
    k: int = 3
    lifetime_s: float = LIFETIME_S
    lifetime_views: int = 5
    cache: bool = True
    page_bytes: float = PAGE_BYTES
    dwell_s: float = DWELL_S
    networks: Mapping[str, tuple[float, float]] = field(default_factory=lambda: dict(NETWORKS), hash=False)
    connection_rtts: float = CONNECTION_RTTS_WARM
    usd_per_gb: float = USD_PER_GB
    usd_per_second: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.break_even, bool) or not isinstance(self.break_even, Real) or not 0 < self.break_even < 1:
            raise WorkbenchError(
                f"break_even must be a chance between 0 and 1, both excluded; got {self.break_even!r}. At 0.15 one "
                "hit is worth 5.7 unused prefetches."
            )
        check_whole("k", self.k, at_least=1)
        check_whole("lifetime_views", self.lifetime_views, at_least=1)
        if not isinstance(self.cache, (bool, np.bool_)):
            raise WorkbenchError(f"cache must be True or False; got {self.cache!r}.")
        for name in NUMBERS:
            check_above_0(name, getattr(self, name))
        if self.usd_per_second is not None:
            check_above_0("usd_per_second", self.usd_per_second)
        self._check_networks()

    def _check_networks(self) -> None:
        missing = [name for name in NETWORKS if name not in self.networks]
        if missing:
            raise WorkbenchError(
                f"networks must give a round trip (ms) and a throughput (Mbit/s) for each of {', '.join(NETWORKS)}; "
                f"{', '.join(missing)} is missing."
            )
        for name, pair in self.networks.items():
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise WorkbenchError(f"networks[{name!r}] must be (round trip in ms, Mbit/s); got {pair!r}.")
            for value in pair:
                check_above_0(f"each number of networks[{name!r}]", value)

    def with_break_even(self, break_even: float) -> PrefetchScenario:
        """The same scenario at another break-even."""
        return replace(self, break_even=break_even)

    @property
    def unused_price(self) -> float:
        """Hits that one unused prefetch costs: at the break-even chance, fetching brings as much as it costs."""
        return self.break_even / (1 - self.break_even)

    @property
    def price_in_words(self) -> str:
        """The price as a sentence's half: ``one hit is worth 5.7 unused prefetches``."""
        return f"one hit is worth {1 / self.unused_price:.1f} unused prefetches"

    def network(self, effective_type: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Round trip (ms) and throughput (Mbit/s) assumed for each view, from its effective type: float, shape (rows,)
        each.

        Missing or other values count as 4g, the fastest class.
        """
        names = list(self.networks)
        kind = pd.Index(names).get_indexer(effective_type.astype(object))
        table = np.array([self.networks[name] for name in names], float)
        rtt_ms, downlink_mbps = table[np.where(kind < 0, names.index(UNKNOWN_NETWORK), kind)].T
        return rtt_ms, downlink_mbps
