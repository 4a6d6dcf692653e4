"""The constants of the simulated network world and their sources: places, networks, machines, NetInfo.

Sources, by the names that the comments use:

- *NetInfo*: the Network Information API, WICG draft, https://wicg.github.io/netinfo/ : the table of effective
  connection types, and the rounding to 25 ms and 25 kbps.
- *Chromium*: ``net/nqe/network_quality_estimator_params.cc`` (its RTT limits are 2010, 1420 and 272 ms) and
  ``third_party/blink/renderer/platform/network/network_state_notifier.cc`` (downlink is capped at 10 Mbps,
  RTT at 3 s; newer versions round to 50 ms and 50 kbps, this world keeps the specification's 25).
- *LinkedIn*: W3C Web Performance WG, minutes of TPAC 2021: effective type is "4g" for 80 % of the requests
  that carry it, and absent on iOS.
- *RFC 6996*: the AS numbers 64512 to 65534 are private, so that no real provider is meant.
- *chosen*: set by hand, to the order of magnitude of public speed tests; no single published figure stands
  behind it.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

DAYS = 28
FIRST_DAY = "2025-02-03"  # a Monday; no country below changes its clocks in these 28 days
VIEWS_LOG_MEAN, VIEWS_LOG_SPREAD = 1.2, 1.0  # views per user: lognormal, rounded up; about 6, skewed (chosen)
EVENING_HOURS = (17, 24)

# Views per local hour, relative (chosen: a trough at night, a plateau by day, the peak after work).
HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 7, 8, 7, 7, 7, 8, 10, 12, 14, 15, 14, 11, 6)


class Country(NamedTuple):
    """A country: its clock, its share of users, phones among their machines, iPhones among the phones."""

    code: str
    utc_offset_h: float
    user_share: float
    phone_share: float
    ios_share: float
    speed: float  # factor on every throughput of the country


COUNTRIES = (  # the clock of the largest cities in February; shares and speed are chosen
    Country("US", -5.0, 0.20, 0.58, 0.58, 1.2),
    Country("IN", 5.5, 0.16, 0.80, 0.08, 0.7),
    Country("BR", -3.0, 0.11, 0.68, 0.22, 0.9),
    Country("DE", 1.0, 0.09, 0.58, 0.40, 1.0),
    Country("GB", 0.0, 0.09, 0.60, 0.52, 1.0),
    Country("FR", 1.0, 0.08, 0.58, 0.38, 1.2),
    Country("JP", 9.0, 0.07, 0.60, 0.62, 1.2),
    Country("ID", 7.0, 0.06, 0.80, 0.12, 0.6),
    Country("MX", -6.0, 0.05, 0.66, 0.28, 0.8),
    Country("ZA", 2.0, 0.04, 0.68, 0.22, 0.7),
    Country("NG", 1.0, 0.03, 0.82, 0.14, 0.6),
    Country("AU", 11.0, 0.02, 0.58, 0.56, 0.9),
)
REGIONS = ("North", "East", "South", "West")  # of every country; sizes fall as 1 / rank
CITIES_PER_REGION = 3


class Technology(NamedTuple):
    """An access technology: medians, and standard deviations of the natural log across users and views."""

    name: str
    downlink_mbps: float
    downlink_spread: float
    rtt_ms: float
    rtt_spread: float


TECHNOLOGIES = (  # chosen
    (
        Technology("fibre", 60, 0.6, 32, 0.40),
        Technology("cable", 38, 0.6, 38, 0.40),
        Technology("dsl", 10, 0.6, 48, 0.40),
    ),
    (
        Technology("5g", 60, 0.8, 45, 0.40),
        Technology("4g", 26, 0.9, 62, 0.45),
        Technology("3g", 3.5, 0.8, 130, 0.50),
    ),
)
# Beyond the access line (a full peering link or cell): it takes the place of what the technology would give.
CONGESTED = Technology("congested", 2.2, 0.40, 150, 0.40)


class Provider(NamedTuple):
    """One network of each country; technology shares are in the order of TECHNOLOGIES."""

    kind: int  # 0: fixed line, 1: mobile
    rank: int  # by size, within the kind
    name: str
    technology_shares: tuple[float, float, float]
    congestion: float  # share of views that meet congestion, at any hour and on any machine
    speed: float
    planted: bool = False


PROVIDERS = (  # chosen; sizes fall as 1 / rank; the two "Telecom" are one isp with two ASNs
    Provider(0, 1, "Telecom", (0.45, 0.20, 0.35), 0.02, 1.0),
    Provider(0, 2, "Cable", (0.30, 0.65, 0.05), 0.02, 1.1, planted=True),
    Provider(0, 3, "Net", (0.40, 0.30, 0.30), 0.03, 0.9),
    Provider(0, 4, "Rural", (0.02, 0.03, 0.95), 0.10, 0.3),
    Provider(1, 1, "Telecom", (0.35, 0.60, 0.05), 0.03, 1.0),
    Provider(1, 2, "Mobile", (0.30, 0.68, 0.02), 0.03, 1.1, planted=True),
    Provider(1, 3, "Budget Mobile", (0.05, 0.70, 0.25), 0.10, 0.7),
)
FIRST_ASN, LAST_ASN = 64512, 65534  # RFC 6996
NETWORK_SIZE_JITTER = 0.15  # standard deviations of natural logs between networks (chosen)
NETWORK_DOWNLINK_SPREAD, NETWORK_RTT_SPREAD = 0.20, 0.12
USER_VARIANCE_SHARE = 0.5  # of the spread within a technology: the rest differs from view to view (chosen)
HOME_CHANCE_EVENING_AND_DAY = (0.70, 0.45)  # that a phone's view goes over the fixed line (chosen)

# The planted effect: at the planted providers iOS meets congestion in the evening, Android at other hours.
# No claim about the world: it is made so that no table without the hour and the system can hold it. With
# 60,000 rows the true chances win about 9 points of net over the best lookup table of the image rules.
PLANTED_CONGESTION = 0.65
PLANTED_EVENING_SYSTEM, PLANTED_DAY_SYSTEM = "iOS", "Android"


class System(NamedTuple):
    """An operating system: majors, browsers and devices, each with relative weights."""

    name: str
    majors: dict[float, float]  # a missing one: the user agent does not say
    browsers: dict[str, float]
    devices: dict[str, float]


ANDROID_DEVICES = (
    *("SM-A155F", "SM-A145F", "SM-A546B", "SM-S911B", "SM-S928B", "SM-G991B", "2201117TG", "23053RN02A"),
    *("23129RAA4G", "22101316G", "CPH2581", "CPH2387", "V2247", "V2322", "RMX3710", "RMX3834", "Pixel 6a"),
    *("Pixel 7", "Pixel 8", "moto g54 5G", "moto g14", "TECNO BG6", "Infinix X6525", "M2101K6G"),
)
SYSTEMS = (  # chosen; phones first
    System("iOS", {18: 60, 17: 25, 16: 10, 15: 5}, {"Safari": 1}, {"iPhone": 92, "iPad": 8}),
    System(
        "Android",
        {15: 10, 14: 35, 13: 22, 12: 15, 11: 11, 10: 7},
        {"Chrome": 86, "Samsung Internet": 12, "Firefox": 2},
        {name: 1 / rank for rank, name in enumerate(ANDROID_DEVICES, start=2)},
    ),
    System("Windows", {11: 45, 10: 55}, {"Chrome": 70, "Edge": 20, "Firefox": 10}, {"desktop": 1}),
    System("macOS", {15: 40, 14: 35, 13: 25}, {"Safari": 55, "Chrome": 40, "Firefox": 5}, {"desktop": 1}),
    System("Linux", {float("nan"): 1}, {"Chrome": 60, "Firefox": 40}, {"desktop": 1}),
    System("ChromeOS", {131: 60, 132: 40}, {"Chrome": 1}, {"Chromebook": 1}),
)
PHONE_SYSTEMS = ("iOS", "Android")
DESKTOP_WEIGHTS = (70.0, 20.0, 4.0, 6.0)  # Windows, macOS, Linux, ChromeOS (chosen)
# The versions of January 2025.
NEWEST_MAJOR = {"Safari": 18, "Chrome": 132, "Samsung Internet": 27, "Edge": 132, "Firefox": 134}
BROWSER_LAG = 0.6  # geometric chance that a browser lags no further behind the newest major version (chosen)
LARGEST_BROWSER_LAG = 6
CHROMIUM = ("Chrome", "Samsung Internet", "Edge")  # the browsers with NetInfo; Safari and Firefox have none
CHROMEBOOK_ETHERNET_SHARE = 0.2  # of views at home (chosen)
CONNECTION_TYPE_SYSTEMS = ("Android", "ChromeOS")  # where Chromium fills navigator.connection.type
SAVE_DATA_SHARE = {"Android": 0.06}  # of users; Chromium elsewhere says no, others say nothing (chosen)

# NetInfo's estimate of an earlier moment. HTTP round trips hold server time, so they are longer than the
# network's. The three are tuned to LinkedIn's 80 %.
NETINFO_HTTP_RTT_FACTOR = 3.0
NETINFO_RTT_NOISE, NETINFO_DOWNLINK_NOISE = 0.70, 0.70  # standard deviations of natural logs
NETINFO_RTT_STEP_MS, NETINFO_RTT_CAP_MS = 25, 3000  # NetInfo; Chromium
NETINFO_DOWNLINK_STEP_MBPS, NETINFO_DOWNLINK_CAP_MBPS = 0.025, 10.0  # NetInfo; Chromium
EFFECTIVE_TYPES = ("slow-2g", "2g", "3g", "4g")
EFFECTIVE_TYPE_RTT_MS = (2000, 1400, 270)  # NetInfo: at least this, or a downlink below that, is the type
EFFECTIVE_TYPE_DOWNLINK_MBPS = (0.05, 0.07, 0.7)


def shares(weights: Iterable[float]) -> np.ndarray:
    """Return weights scaled to sum to 1.

    >>> shares((1, 3)).tolist()
    [0.25, 0.75]
    """
    values = np.array(list(weights), dtype=float)
    return values / values.sum()


def is_evening(local_hour: np.ndarray) -> np.ndarray:
    """Return which local hours lie in the evening; whole and broken hours agree.

    >>> is_evening(np.array([16.99, 17, 23])).tolist()
    [False, True, True]
    """
    start, end = EVENING_HOURS
    return (local_hour >= start) & (local_hour < end)


def component_table(quantity: str) -> tuple[np.ndarray, np.ndarray]:
    """Return medians and log spreads (kinds, 4) of one quantity: three technologies, then congestion."""
    components = [[*kind, CONGESTED] for kind in TECHNOLOGIES]
    spread = quantity.partition("_")[0] + "_spread"
    medians = [[getattr(component, quantity) for component in kind] for kind in components]
    spreads = [[getattr(component, spread) for component in kind] for kind in components]
    return np.array(medians, dtype=float), np.array(spreads, dtype=float)
