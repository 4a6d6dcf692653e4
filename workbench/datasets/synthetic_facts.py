"""The constants of the simulated worlds and their sources: places, networks, machines, NetInfo; pages and visits.

Sources, by the names that the comments use. "Through" names the text in which a figure was read where the
original was not at hand:

- *WICG*: Network Information API, draft, https://wicg.github.io/netinfo/ : table of effective connection types
  (also MDN, glossary, "Effective connection type"); ``rtt`` and ``downlink`` rounded to 25 ms and 25 kbps.
- *Chromium*: ``net/nqe/network_quality_estimator_params.cc``, ``ObtainDefaultObservations``: HTTP and transport
  round trip of a typical connection: Ethernet 90 and 33 ms, WiFi 116 and 66, 3G 273 and 209, 4G 137 and 80. Its
  own limits of the types are 2010, 1420 and 272 ms, with none for throughput; this world keeps WICG's.
  ``blink/renderer/platform/network/network_state_notifier.cc``: at most 3 s and 10 Mbps, rounded to 50 ms and
  50 kbps against fingerprinting; this world keeps WICG's 25.
- *MDN*: mdn/browser-compat-data, ``api/NetworkInformation.json``: which browser fills which attribute.
- *LinkedIn*: Pasumarthy, Vijayanathan: Personalizing Performance. W3C Web Performance WG, minutes of TPAC 2021,
  28 October: "80% of requests are marked as 4g"; nothing on iOS.
- *Home 2023*: Ofcom, UK Home Broadband Performance (September 2023; measured in March 2023), averages of download
  speed by technology (through techdigest.tv, lscprom.co.uk); *Panel 2023*: its published data by household, wave
  2023 (the set ``ofcom_panel``), medians and standard deviations of the log, computed for this file.
- *Mobile 2024*, *Mobile 2023*: Ofcom, Mobile Matters (Opensignal's measurements, October to March), press release
  of 2024 and its chapters on download speed (through geekabit.co.uk) and time on WiFi (2023, through
  ispreview.co.uk).
- *OECD 2023*: OECD, Broadband statistics, end of 2023: fibre 42 % and DSL 20 % of the fixed subscriptions (through
  computerweekly.com).
- *StatCounter*: Global Stats: operating systems of desktops, December 2023 (through MUI's chart examples); iOS among
  phones, United States and United Kingdom, 2022 (through neowin.net), Brazil 22 % and Indonesia 21 % in 2026.
- *Save-Data*: DebugBear, How Many Websites Support The Save-Data Header?: 1.7 % of its own views, and 4 % of the
  sessions of Tim Kadlec's site in 2019.
- *tz*: the IANA time zone database. *RFC 6996*: the AS numbers 64512 to 65534 are private: no provider is meant.
- *Dwell*: Liu, White, Dumais: Understanding Web Browsing Behaviors through Weibull Analysis of Dwell Time. SIGIR 2010:
  times on a page are Weibull, with a shape below 1 ("negative aging") on 99 % of 205,873 pages; a visit lasts a little
  under a minute on average, and leaving is likeliest in its first half minute (both through Nielsen, How Long Do Users
  Stay on Web Pages?, 2011).
- *Surfing*: Huberman, Pirolli, Pitkow, Lukose: Strong Regularities in World Wide Web Surfing. Science 280, 1998: at
  each page a person decides anew whether to go on. Theirs is a random walk of a page's value, with long paths more
  frequent than here.
- *Revisits*: Tauscher, Greenberg: How People Revisit Web Pages. IJHCS 47, 1997: 58 % of the pages that a person opens,
  that person has opened before (through Shen, Prior 2011). It is met, not set: see ``make_navigations``.
- *Weight*: HTTP Archive, Web Almanac 2024, chapter on page weight: the median mobile home page has 2,311 kB.
- *chosen*: set by hand; the comment says why. No published figure stands behind it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

DAYS = 28
FIRST_DAY = "2025-02-03"  # a Monday; no country below changes its clocks in these 28 days
# Views per user: lognormal, rounded up (chosen: about 6, skewed, so that users and not views are independent).
VIEWS_LOG_MEAN, VIEWS_LOG_SPREAD = 1.2, 1.0
EVENING_HOURS = (17, 24)  # chosen: long enough to hold half of the views, for the planted effect

# Views per local hour, relative: the peak lies in Home 2023's peak time, 8 to 10 pm; the rest is chosen (a trough
# at night, a plateau by day).
HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 7, 8, 7, 7, 7, 8, 10, 12, 14, 15, 14, 11, 6)


class Country(NamedTuple):
    """A country: its clock, its share of users, phones among their machines, iPhones among the phones."""

    code: str
    utc_offset_h: float
    user_share: float
    phone_share: float
    ios_share: float
    speed: float  # factor on every throughput of the country


# Clocks: tz, the largest city in February. iOS: StatCounter for US, GB, BR; elsewhere chosen, in the order that it
# has (Japan above one half, Germany and France between, India, Indonesia and Nigeria low). User and phone shares are
# chosen: large markets large, phones ahead where fixed lines are few. Speed is chosen: GB = 1, because Ofcom's figures
# are British; the others in the order of public speed tests, but far closer together, for a page is no speed test.
COUNTRIES = (
    Country("US", -5.0, 0.20, 0.58, 0.58, 1.2),
    Country("IN", 5.5, 0.16, 0.80, 0.08, 0.7),
    Country("BR", -3.0, 0.11, 0.68, 0.22, 0.9),
    Country("DE", 1.0, 0.09, 0.58, 0.40, 1.0),
    Country("GB", 0.0, 0.09, 0.60, 0.54, 1.0),
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


# Throughput: medians of fibre and cable from Home 2023 (149.2, 270.6); of dsl from Panel 2023 (ADSL2+, 11.9), as are
# the three spreads. Mobile medians: the 2 MB file of Mobile 2024, 16 Mbit in 0.3, 0.8 and 4.3 s; mobile spreads are set
# so that, congestion included, about 1, 5 and 22 % of the views lie below 2 Mbps, as in Mobile 2024.
# RTT: Chromium's transport round trips for 4G and 3G; 5g is 2 ms below 4g (Mobile 2024: 16.3 to 21.4 ms against 18.3
# to 23.7, by operator). A fixed line has its latency to servers in the UK (Panel 2023: 6.6, 14.2, 26.0) and what lies
# beyond the router, chosen so that the home median is Chromium's 66 ms for WiFi. Spreads of RTT are chosen: Panel
# 2023 has 0.2 to 0.5 for the line alone.
BEYOND_ROUTER_MS = 52
TECHNOLOGIES = (
    (
        Technology("fibre", 149.2, 0.81, 6.6 + BEYOND_ROUTER_MS, 0.40),
        Technology("cable", 270.6, 0.56, 14.2 + BEYOND_ROUTER_MS, 0.40),
        Technology("dsl", 11.9, 0.71, 26.0 + BEYOND_ROUTER_MS, 0.40),
    ),
    (
        Technology("5g", 53.3, 1.20, 78, 0.40),
        Technology("4g", 20.0, 1.25, 80, 0.45),
        Technology("3g", 3.7, 0.75, 209, 0.50),
    ),
)
# Beyond the access line (a full peering link or cell): it takes the place of what the technology would give. Chosen:
# too slow for a page of large images within a second, and slower than any line but 3g.
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


# Mobile technology shares: Mobile 2024: all operators (78 % 4G, 20 % 5G, 2 % 3G), Vodafone and O2, taken for every
# country. Fixed ones: chosen by provider so that all homes together have OECD 2023's mix, the rest being cable. Speed,
# congestion and sizes (1 / rank) are chosen: a slow rural network and a cheap mobile one (O2's 4G is at 0.64 of the
# mean, Mobile 2023), so that tables by network have something to learn. The two "Telecom" are one isp, two ASNs.
PROVIDERS = (
    Provider(0, 1, "Telecom", (0.60, 0.28, 0.12), 0.02, 1.0, planted=True),
    Provider(0, 2, "Cable", (0.30, 0.68, 0.02), 0.02, 1.1),
    Provider(0, 3, "Net", (0.40, 0.45, 0.15), 0.03, 0.9),
    Provider(0, 4, "Rural", (0.02, 0.03, 0.95), 0.10, 0.3),
    Provider(1, 1, "Telecom", (0.20, 0.78, 0.02), 0.03, 1.0, planted=True),
    Provider(1, 2, "Mobile", (0.15, 0.83, 0.02), 0.03, 1.1),
    Provider(1, 3, "Budget Mobile", (0.21, 0.74, 0.05), 0.10, 0.7),
)
FIRST_ASN, LAST_ASN = 64512, 65534  # RFC 6996
# Standard deviations of natural logs between networks (chosen: smaller than between technologies).
NETWORK_SIZE_JITTER, NETWORK_DOWNLINK_SPREAD, NETWORK_RTT_SPREAD = 0.15, 0.20, 0.12
# Of the spread within a technology; the rest differs from view to view (chosen: half, so that history helps).
USER_VARIANCE_SHARE = 0.5
# That a phone's view goes over the fixed line: together Mobile 2023's 62.3 % of the time on WiFi; that it is more in
# the evening is chosen.
HOME_CHANCE_EVENING_AND_DAY = (0.75, 0.50)

# The planted effect: at the planted provider iOS meets congestion in the evening, all other systems at other hours.
# No claim about the world: provider, hour and system decide together, and half of the views lie on either side of each
# of the last two, so that no table by two columns of context can hold it (a test tries them all).
PLANTED_CONGESTION = 0.65
PLANTED_EVENING_SYSTEM = "iOS"


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
# Phones first. Versions, browsers and devices are chosen, after what was sold and shipped by January 2025: nothing
# in this world depends on them but which browser has NetInfo.
SYSTEMS = (
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
DESKTOP_WEIGHTS = (72.72, 16.38, 3.83, 2.42)  # Windows, macOS, Linux, ChromeOS: StatCounter
# The versions of January 2025, by the vendors' release notes, from memory.
NEWEST_MAJOR = {"Safari": 18, "Chrome": 132, "Samsung Internet": 27, "Edge": 132, "Firefox": 134}
# Geometric chance that a browser lags no further behind the newest major (chosen: most update within a month).
BROWSER_LAG, LARGEST_BROWSER_LAG = 0.6, 6
CHROMIUM = ("Chrome", "Samsung Internet", "Edge")  # the browsers with NetInfo; Safari and Firefox have none: MDN
CONNECTION_TYPE_SYSTEMS = ("Android", "ChromeOS")  # where Chromium fills navigator.connection.type: MDN
CHROMEBOOK_ETHERNET_SHARE = 0.2  # of views at home (chosen: some, that the value occurs)
# Of users; Chromium elsewhere says no, others say nothing (chosen: all views together lie in Save-Data's 1.7 to 4 %).
SAVE_DATA_SHARE = {"Android": 0.06}

# NetInfo's estimate of an earlier moment. HTTP round trips hold server time: 116 / 66 on WiFi and 137 / 80 on 4G
# (Chromium). The noise (standard deviations of natural logs) is chosen so that LinkedIn's 80 % comes out.
NETINFO_HTTP_RTT_FACTOR = 1.75
NETINFO_RTT_NOISE, NETINFO_DOWNLINK_NOISE = 0.85, 0.70
NETINFO_RTT_STEP_MS, NETINFO_RTT_CAP_MS = 25, 3000  # WICG; Chromium
NETINFO_DOWNLINK_STEP_MBPS, NETINFO_DOWNLINK_CAP_MBPS = 0.025, 10.0  # WICG; Chromium
EFFECTIVE_TYPES = ("slow-2g", "2g", "3g", "4g")
EFFECTIVE_TYPE_RTT_MS = (2000, 1400, 270)  # WICG: at least this, or a downlink below that, is the type
EFFECTIVE_TYPE_DOWNLINK_MBPS = (0.05, 0.07, 0.7)


def shares(weights: Iterable[float]) -> np.ndarray:
    """Weights scaled to sum to 1."""
    values = np.array(list(weights), dtype=float)
    return values / values.sum()


def is_evening(local_hour: np.ndarray) -> np.ndarray:
    """Which local hours lie in the evening; whole and broken hours agree."""
    start, end = EVENING_HOURS
    return (local_hour >= start) & (local_hour < end)


def component_table(quantity: str) -> tuple[np.ndarray, np.ndarray]:
    """Medians and log spreads (kinds, 4) of one quantity: three technologies, then congestion."""
    components = [[*kind, CONGESTED] for kind in TECHNOLOGIES]
    spread = quantity.partition("_")[0] + "_spread"
    medians = [[getattr(component, quantity) for component in kind] for kind in components]
    spreads = [[getattr(component, spread) for component in kind] for kind in components]
    return np.array(medians, dtype=float), np.array(spreads, dtype=float)


class Kind(NamedTuple):
    """A kind of page: its address, how many such pages, its weight, time on it, how often a session ends there."""

    address: str
    pages: int
    kilobytes: int
    dwell_s: float  # scale of the Weibull: 63 % of the visits are shorter
    exit_chance: float


# Chosen: the parts of a professional network, hubs first, then pages to read. Weights and times are chosen in the order
# of what such pages hold, so that all views together have about the median of Weight and the mean time of Dwell.
# Chances to leave are chosen for about six views a session; that a kind has the same chance at each visit is the
# simplest reading of Surfing, and makes lengths nearly geometric.
KINDS = {
    "feed": Kind("/feed", 1, 3100, 55, 0.16),
    "notifications": Kind("/notifications", 1, 1500, 25, 0.16),
    "messages": Kind("/messages", 1, 1700, 50, 0.20),
    "network": Kind("/network", 1, 2100, 30, 0.14),
    "jobs": Kind("/jobs", 1, 2200, 40, 0.12),
    "search": Kind("/search", 1, 1200, 15, 0.06),
    "results": Kind("/search/results", 1, 2000, 30, 0.12),
    "me": Kind("/me", 1, 2300, 35, 0.14),
    "visitors": Kind("/me/visitors", 1, 1800, 25, 0.14),
    "followers": Kind("/me/followers", 1, 1800, 25, 0.14),
    "invitations": Kind("/network/invitations", 1, 1500, 25, 0.14),
    "events": Kind("/events", 1, 2400, 40, 0.16),
    "groups": Kind("/groups", 1, 2200, 40, 0.14),
    "saved": Kind("/jobs/saved", 1, 1600, 25, 0.14),
    "alerts": Kind("/jobs/alerts", 1, 1300, 25, 0.16),
    "salary": Kind("/jobs/salary", 1, 1700, 50, 0.16),
    "learning": Kind("/learning", 1, 3000, 70, 0.20),
    "settings": Kind("/settings", 1, 900, 30, 0.20),
    "privacy": Kind("/settings/privacy", 1, 800, 40, 0.20),
    "help": Kind("/help", 1, 1100, 60, 0.24),
    "person": Kind("/people/{:02}", 8, 2600, 45, 0.16),
    "job": Kind("/jobs/{:02}", 6, 2000, 70, 0.18),
    "company": Kind("/companies/{:02}", 4, 2500, 45, 0.16),
    "article": Kind("/articles/{:02}", 6, 2900, 85, 0.20),
}
# Weibull shape of the time on a page: below 1 (Dwell); the value is chosen: a tenth of the visits last two minutes.
DWELL_SHAPE = 0.8
# In ms: no page is left sooner (chosen: a second to load and look), and a pause of 30 minutes would end the session.
SHORTEST_DWELL_MS, LONGEST_DWELL_MS = 1_000, 1_740_000
SILENCE_MS = 1_800_000
# Where sessions begin (chosen: on pages that a bookmark or a mail opens, all of them hubs). What follows a hub does not
# depend on the page before it, so that a session's first view has no law of its own.
ENTRIES = {"feed": 0.50, "notifications": 0.20, "messages": 0.15, "jobs": 0.15}

# What follows a hub, relative to those who go on (chosen: each hub has one first choice, and rules have something to
# learn). In the planted cell, the first and the last page of a row change places.
HUBS = {
    "feed": {"notifications": 0.52, "article": 0.24, "person": 0.12, "search": 0.07, "groups": 0.05},
    "notifications": {"network": 0.52, "article": 0.22, "feed": 0.12, "person": 0.08, "visitors": 0.06},
    "messages": {"search": 0.52, "feed": 0.24, "person": 0.18, "me": 0.06},
    "network": {"invitations": 0.52, "person": 0.30, "feed": 0.12, "events": 0.06},
    "jobs": {"saved": 0.52, "job": 0.32, "search": 0.10, "salary": 0.06},
    "search": {"results": 0.90, "feed": 0.10},
    "results": {"person": 0.52, "job": 0.30, "search": 0.12, "company": 0.06},
    "me": {"visitors": 0.55, "settings": 0.35, "feed": 0.10},
    "visitors": {"person": 0.55, "followers": 0.35, "feed": 0.10},
    "followers": {"person": 0.60, "me": 0.40},
    "invitations": {"person": 0.55, "messages": 0.35, "network": 0.10},
    "events": {"learning": 0.60, "network": 0.40},
    "groups": {"article": 0.60, "events": 0.30, "feed": 0.10},
    "saved": {"job": 0.60, "alerts": 0.30, "jobs": 0.10},
    "alerts": {"job": 0.60, "jobs": 0.40},
    "salary": {"job": 0.60, "learning": 0.30, "jobs": 0.10},
    "learning": {"feed": 0.65, "search": 0.35},
    "settings": {"privacy": 0.60, "help": 0.30, "me": 0.10},
    "privacy": {"feed": 0.60, "settings": 0.40},
    "help": {"settings": 0.50, "feed": 0.50},
}
SWAPPED = ("feed", "notifications", "messages", "network", "jobs", "results")
# What follows a page to read depends on the page before it (chosen: some go back to where they came from, the others
# on to what that visit was for). Nobody goes from one page to read to another.
READ = {
    ("person", "feed"): {"messages": 0.62, "feed": 0.32, "network": 0.06},
    ("person", "notifications"): {"invitations": 0.62, "notifications": 0.32, "messages": 0.06},
    ("person", "messages"): {"visitors": 0.62, "messages": 0.32, "network": 0.06},
    ("person", "network"): {"messages": 0.62, "network": 0.32, "jobs": 0.06},
    ("person", "results"): {"invitations": 0.62, "results": 0.32, "messages": 0.06},
    ("person", "visitors"): {"network": 0.62, "visitors": 0.32, "messages": 0.06},
    ("person", "followers"): {"groups": 0.62, "followers": 0.38},
    ("person", "invitations"): {"network": 0.32, "jobs": 0.62, "messages": 0.06},
    ("job", "jobs"): {"salary": 0.62, "jobs": 0.32, "saved": 0.06},
    ("job", "results"): {"saved": 0.62, "results": 0.32, "alerts": 0.06},
    ("job", "saved"): {"messages": 0.62, "saved": 0.32, "salary": 0.06},
    ("job", "alerts"): {"saved": 0.62, "alerts": 0.32, "salary": 0.06},
    ("job", "salary"): {"alerts": 0.62, "salary": 0.38},
    ("company", "results"): {"jobs": 0.62, "results": 0.38},
    ("article", "feed"): {"learning": 0.32, "feed": 0.62, "groups": 0.06},
    ("article", "notifications"): {"groups": 0.62, "notifications": 0.32, "feed": 0.06},
    ("article", "groups"): {"events": 0.62, "groups": 0.38},
}
# Which page of a kind: 1 / rank to this power (chosen: the first of eight has two thirds, one worth fetching).
POPULARITY_POWER = 2.0
# The planted effect: whoever is in haste (left the page before within half a minute, or has just come), on a phone in
# the evening or on another device by day, has a hub's last choice for the first. No claim about the world: it is made
# so that no rule without the hour, the device and the time on the page before can hold it.
QUICK_MS = 30_000
# A habit: each person has one page of each kind to read, drawn by popularity. Whoever opens a page of the kind opens
# the own one with this chance, else any by popularity (chosen: large enough to be learnt from a few sessions).
HABIT = 0.5

DEVICE_OF = {"iPad": "tablet", "desktop": "desktop", "Chromebook": "desktop"}  # all other machines are phones
# Sessions a person: lognormal, rounded up (chosen: about five in the 28 days, skewed).
SESSIONS_LOG_MEAN, SESSIONS_LOG_SPREAD = 1.1, 0.9
# "4g" by the kind of link (chosen: more on WiFi, together LinkedIn's 80 %); the rest is chosen.
LINKS = ("wifi", "cellular", "ethernet")
LINK_EFFECTIVE_TYPES = {
    "wifi": {"4g": 0.85, "3g": 0.13, "2g": 0.015, "slow-2g": 0.005},
    "cellular": {"4g": 0.66, "3g": 0.29, "2g": 0.04, "slow-2g": 0.01},
    "ethernet": {"4g": 0.93, "3g": 0.06, "2g": 0.01},
}
