"""The constants of the simulated site and their sources: its pages, where people go from each, what they hold.

People, countries, clocks, machines and browsers are those of ``synthetic_network_facts``. The sources of this file,
by the names that the comments use; "through" names the text in which a figure was read where the original was not at
hand:

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
- *LinkedIn*: Pasumarthy, Vijayanathan, W3C TPAC 2021: "80% of requests are marked as 4g".
- *chosen*: set by hand; the comment says why. No published figure stands behind it.
"""

from typing import NamedTuple


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
EFFECTIVE_TYPES = {
    "wifi": {"4g": 0.85, "3g": 0.13, "2g": 0.015, "slow-2g": 0.005},
    "cellular": {"4g": 0.66, "3g": 0.29, "2g": 0.04, "slow-2g": 0.01},
    "ethernet": {"4g": 0.93, "3g": 0.06, "2g": 0.01},
}
