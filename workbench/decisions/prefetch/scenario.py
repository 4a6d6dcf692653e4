"""What prefetching is judged by: the price of an unused page, and what is assumed where the data are silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from workbench.checked import checked
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
NUMBERS = ("lifetime_s", "connection_rtts", "usd_per_gb")
OPTIONAL = ("page_bytes", "dwell_s", "usd_per_second")
# A link hovered over for 65 ms is clicked in "one chance out of two", and "on average over 300ms" are left to the click
# (A. Dieulot, who wrote instant.page: "Instant pages with just-in-time preloading", Web Performance Calendar, 2019).
# Chromium's moderate eagerness waits for 200 ms (developer.chrome.com/docs/web-platform/prerender-pages, October 2025):
# fewer unused pages, and less time left; nobody has published how much.
HOVER_PRECISION, HOVER_LEAD_MS = 0.5, 300.0
POINTERS = {"desktop": 1.0, "phone": 0.0, "tablet": 0.0}  # touch screens have no hover
UNKNOWN_POINTER = 1.0  # the most that hover can do, so that the model is not flattered


@checked
@dataclass(frozen=True)
class Hover:
    """Pages are fetched when a pointer rests on their link: instant.page, or Speculation Rules at moderate eagerness.

    Nothing is predicted, so every site can have it, and it comes late: a page has ``lead_ms`` to arrive, where one
    fetched early has all the time on the page before.

    Parameters
    ----------
    share : float, optional
        Share of views with a pointer, 0 to 1. By default each view's ``device`` says: desktops have one, phones and
        tablets have none. Where the device is not known, every view is taken to have one.
    precision : float
        Share of the links hovered over that are then clicked, above 0 and at most 1.
    lead_ms : float
        Time from the fetch to the click, ms. The mean stands for all clicks, which overstates what hover saves where
        pages take about as long.

    Raises
    ------
    WorkbenchError
        Where a number cannot be.

    Examples
    --------
    >>> Hover(precision=0.8).unused
    0.25
    """

    share: float | None = None
    precision: float = HOVER_PRECISION
    lead_ms: float = HOVER_LEAD_MS

    def __post_init__(self) -> None:
        if self.share is not None and not _is_share(self.share):
            raise WorkbenchError(f"share of wb.Hover must be a number from 0 to 1; got {self.share!r}.")
        if not _is_share(self.precision) or self.precision == 0:
            raise WorkbenchError(f"precision of wb.Hover must be above 0 and at most 1; got {self.precision!r}.")
        check_above_0("lead_ms of wb.Hover", self.lead_ms)

    @property
    def unused(self) -> float:
        """Pages that are hovered over in vain for each one that is clicked: ``(1 - precision) / precision``."""
        return (1 - self.precision) / self.precision

    def pointer(self, views: pd.DataFrame) -> np.ndarray:
        """Chance that each view has a pointer: float, shape (rows,)."""
        if self.share is not None:
            return np.full(len(views), float(self.share))
        if "device" not in views:
            return np.full(len(views), UNKNOWN_POINTER)
        return views["device"].astype(object).map(POINTERS).fillna(UNKNOWN_POINTER).to_numpy(float)


def _is_share(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) <= 1


@checked
@dataclass(frozen=True)
class PrefetchScenario:
    """What prefetching is judged by.

    ``net = hits - unused_price * unused``, a view: a page fetched ahead of the click and then opened counts 1, a page
    fetched and not opened costs ``unused_price``. Milliseconds, bytes and money stand beside it; they need sizes, times
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
    cache : bool, optional
        Whether pages stay fresh at all. Where a "page" is a section with changing content, a fetch serves the very
        next view only, and a page visited before may be fetched again. Default: False for such data, else True.
    page_bytes : float, optional
        Size of a page where the data has none. Default: what the card assumes, else 365 KB.
    dwell_s : float, optional
        Time on a page where the data has none. Default: what the card assumes, else 15 s.
    networks : mapping
        Effective type to round trip (ms) and throughput (Mbit/s).
    connection_rtts : float
        Round trips before the first byte: 1 on a warm connection, which a further page of a visit has.
    usd_per_gb : float
        What sending costs; 1 GB is 10^9 bytes.
    usd_per_second : float, optional
        What a second saved is worth; published values disagree, so there is no default.
    on_hover : Hover, optional
        Fetching on hover, which then runs under every policy: the verdict is about what early fetching adds to it.
        Default: a site without.

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
    cache: bool | None = None
    page_bytes: float | None = None
    dwell_s: float | None = None
    networks: Mapping[str, tuple[float, float]] = field(default_factory=lambda: dict(NETWORKS), hash=False)
    connection_rtts: float = CONNECTION_RTTS_WARM
    usd_per_gb: float = USD_PER_GB
    usd_per_second: float | None = None
    on_hover: Hover | None = None

    def __post_init__(self) -> None:
        if isinstance(self.break_even, bool) or not isinstance(self.break_even, Real) or not 0 < self.break_even < 1:
            raise WorkbenchError(
                f"break_even must be a chance between 0 and 1, both excluded; got {self.break_even!r}. At 0.15 one "
                "hit is worth 5.7 unused prefetches."
            )
        check_whole("k", self.k, at_least=1)
        check_whole("lifetime_views", self.lifetime_views, at_least=1)
        if self.cache is not None and not isinstance(self.cache, (bool, np.bool_)):
            raise WorkbenchError(f"cache must be True or False; got {self.cache!r}.")
        for name in (*NUMBERS, *(name for name in OPTIONAL if getattr(self, name) is not None)):
            check_above_0(name, getattr(self, name))
        if self.on_hover is not None and not isinstance(self.on_hover, Hover):
            raise WorkbenchError(
                f"on_hover must be wb.Hover(share=, precision=, lead_ms=), or None for a site without; got "
                f"{self.on_hover!r}."
            )
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

    def completed(self, assume: Mapping[str, float], *, sections: bool = False) -> PrefetchScenario:
        """The same scenario with every default that depends on the data filled in; what was given stays as it is.

        ``assume`` is what a card assumes, by name; ``sections`` whether pages are sections with changing content.

        >>> PrefetchScenario(dwell_s=7.0).completed({"dwell_s": 40.0}, sections=True).dwell_s
        7.0
        """
        defaults: dict[str, Any] = {"page_bytes": PAGE_BYTES, "dwell_s": DWELL_S, "cache": not sections}
        defaults |= {name: value for name, value in assume.items() if name in defaults}
        return replace(self, **{name: value for name, value in defaults.items() if getattr(self, name) is None})

    def with_break_even(self, break_even: float) -> PrefetchScenario:
        """The same scenario at another break-even."""
        return replace(self, break_even=break_even)

    @property
    def caches(self) -> bool:
        """Whether pages stay fresh; they do unless it is said that they do not."""
        return self.cache is None or bool(self.cache)

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
