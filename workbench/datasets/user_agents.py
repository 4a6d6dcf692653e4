"""User agents: which are programs, and the device, system and browser of those that people use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache

import pandas as pd

LONGEST = 1_000  # characters; browsers send some 200
# Browsers call themselves Mozilla and name an engine; text browsers and telephones of old call themselves by name.
BROWSER = re.compile(
    r"Mozilla/.*(?:AppleWebKit|KHTML|Gecko|Trident|MSIE|Presto|Chrome/|Safari|Firefox/|NetFront|Goanna|Servo)"
    r"|^(?:Opera|Lynx|w3m|E?Links|Dillo|NetSurf|Nokia|SonyEricsson|SAMSUNG|SEC-|BlackBerry|MOT-|LGE?-|HTC|ZTE|UCWEB)"
    r"|Profile/MIDP|UP\.Browser|HbbTV/|Browser/(?:WAP|AppleWebKit)",
    re.IGNORECASE,
)
# Words of programs that no list knows. Browsers do not name an address of the web.
PROGRAM = re.compile(
    r"bot\b|bot[/;_+-]|crawl|spider|slurp|archiver|scrap|scann|headless|phantomjs|lighthouse|page ?speed|monitor\b"
    r"|\bGoogle-|https?://|mailto:|netnewswire|akregator|quiterss|;\s*compatible;\s*\+?\w",
    re.IGNORECASE,
)
# Names of telephones (CUBOT, M bot 54) and browsers (SogouMobileBrowser) that read like a program's.
NAMES = re.compile(
    r"\((?:Linux|Android)[^()]*(?:\([^()]*\)[^()]*)*\)(?= *AppleWebKit)|SogouM\w+|\bcubot\b", re.IGNORECASE
)
# What a program is: tags of the list "crawler-user-agents", then words, the first that fits. A crawler is all the rest.
KINDS = {
    "bot_ai": (("ai-crawler",), r"GPT|OpenAI|Claude|anthropic|perplexity|mistral|cohere|gemini|vertex|llm\b|-User/"),
    "bot_feed": (("feed-reader",), r"feed|rss\b|rss[/ ]|news(?!paper)|podcast|overcast|akregator|reeder|liferea|atom"),
    "bot_health": (
        ("monitoring",),
        r"health|probe|uptime|monitor|nagios|check_?http|prometheus|blackbox|synthetic|zabbix|haproxy|varnish|icinga"
        r"|googlehc|envoy|cloudfront|cloudflare|dummy connection|load balancer|consul|monit\b|datadog|site24x7|ping",
    ),
    "bot_preview": (("social-preview",), r"preview|embed|unfurl|share\b|externalhit|whatsapp|skype|mastodon|prefetch"),
    "bot_library": (
        ("http-library", "browser-automation"),
        r"http(?!s?:)|curl|wget|fetch|java\b|python|perl|ruby|php|okhttp|dalvik|cfnetwork|\blib|client|request|undici"
        r"|axios|node\b|deno|bun/|guzzle|postman|faraday|typhoeus|headless|dart|rust|reqwest|hyper/|\.net\b|winhttp",
    ),
}
CRAWLER, UNKNOWN, NO_AGENT = "bot_crawler", "bot_unknown", "no_agent"
SPIDER = "Spider"  # ua-parser's device family of crawlers
DESKTOPS = {"Windows", "Mac OS X", "Linux", "Ubuntu", "Debian", "Fedora", "Chrome OS", "FreeBSD", "OpenBSD"}
COLUMNS = ("program", "device", "os_family", "browser")
PRODUCT = r"^([A-Za-z][A-Za-z_.-]{1,23})/v?\d"  # RFC 9110, section 10.1.5: product "/" version


def read_user_agents(agents: pd.Series) -> pd.DataFrame:
    """Columns ``COLUMNS`` (str) for each user agent, same index; each distinct one is parsed once.

    ``program`` is empty for the browser of a person, else the kind of the program: a key of ``KINDS``, ``CRAWLER``,
    ``UNKNOWN`` (no browser, and no known program), or ``NO_AGENT`` (missing, empty or "-", which no browser sends).
    ``device`` is "phone", "tablet", "desktop" or missing; ``os_family`` and ``browser`` are names of ua-parser, or
    missing. Programs are those of ua-parser and of the list crawler-user-agents, and whatever is not built like a
    browser's user agent: the network libraries of telephones too (Dalvik, CFNetwork), with which apps fetch no page.
    """
    codes, distinct = pd.factorize(agents, use_na_sentinel=False)
    table = pd.DataFrame([_read(agent) for agent in distinct], columns=list(COLUMNS), dtype="str")
    return table.take(codes).set_axis(agents.index)


def name_programs(agents: Mapping[str, int], shown: int = 5) -> list[str]:
    """Names of programs, the most frequent first: "Foo" of "Foo/1.2". What has no version could be a person's name."""
    found = pd.Series(agents, dtype=float).rename_axis("agent").reset_index(name="count")
    names = found["agent"].astype("str").str.extract(PRODUCT)[0]
    return found["count"].groupby(names[names != "Mozilla"]).sum().sort_values(ascending=False).index[:shown].tolist()


def last_agent(quoted: str) -> str | None:
    """The last text in quotes that is built like a user agent: a browser's, or a known program's.

    >>> last_agent(' "https://shop.example/?q="x"" "curl/8.0" "prefetch"')
    'curl/8.0'
    """
    texts = re.findall(r'(?<= )"([^"\n]*)"(?= |$)', quoted)
    return next((text for text in reversed(texts) if _is_agent(text)), None)


def _is_agent(text: str) -> bool:
    if text.startswith(("Mozilla/", "Opera/")):
        return True
    return re.match(PRODUCT, text) is not None and _read(text)[0] != UNKNOWN


@cache
def _listed() -> dict[str, re.Pattern[str]]:
    """Kind of program to the expression that finds those of the list."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA as known

    kinds = {tag: kind for kind, (tags, _) in KINDS.items() for tag in tags}
    patterns: dict[str, list[str]] = {kind: [] for kind in (*KINDS, CRAWLER)}
    for entry in known:
        tags = [kinds[tag] for tag in entry.get("tags", ()) if tag in kinds]
        patterns[tags[0] if tags else CRAWLER].append(entry["pattern"])
    return {kind: re.compile("|".join(each)) for kind, each in patterns.items() if each}


@cache
def _worded() -> dict[str, re.Pattern[str]]:
    return {kind: re.compile(words, re.IGNORECASE) for kind, (_, words) in KINDS.items()}


@lru_cache(maxsize=20_000)  # a log comes in blocks, with the same agents in each
def _read(agent: object) -> tuple[str, str | None, str | None, str | None]:
    if not isinstance(agent, str) or agent.strip() in ("", "-"):
        return NO_AGENT, None, None, None
    from ua_parser import parse

    agent = agent[:LONGEST]
    parsed = parse(agent)
    system = parsed.os.family if parsed.os else None
    family = parsed.device.family if parsed.device else ""
    browser = parsed.user_agent.family if parsed.user_agent else None
    looks = BROWSER.search(agent) is not None or (agent.startswith("Mozilla/") and system is not None)
    return _program(agent, looks, family == SPIDER), _device(agent, system, family), system, browser


def _program(agent: str, browser: bool, spider: bool) -> str:
    """Kind of program; empty: a person's browser."""
    named = NAMES.sub("", agent)
    spider &= named == agent  # ua-parser takes telephones for crawlers by their names
    listed = next((kind for kind, pattern in _listed().items() if pattern.search(named)), "")
    known = listed or spider or PROGRAM.search(named) is not None
    if browser and not known:
        return ""
    if listed in KINDS:
        return listed
    worded = next((kind for kind, pattern in _worded().items() if pattern.search(named)), "")
    return worded or (CRAWLER if known else UNKNOWN)


def _device(agent: str, system: str | None, family: str) -> str | None:
    """Kind of device. Android says "Mobile" on telephones only (Google, "Android browser user-agent", 2011)."""
    if family == "iPad" or "Tablet" in agent or (system == "Android" and "Mobile" not in agent):
        return "tablet"
    if "Mobi" in agent or family in ("iPhone", "iPod"):
        return "phone"
    return "desktop" if system in DESKTOPS else None
