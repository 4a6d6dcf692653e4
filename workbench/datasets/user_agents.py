"""What a user agent string tells: kind of device, operating system, browser, and whether a person is behind it."""

from __future__ import annotations

import re

import pandas as pd

LONGEST = 1_000  # characters; browsers send some 200
# Programs that fetch without a reader; `ua-parser` knows many crawlers by name, these words catch the rest. CUBOT makes
# telephones.
BOTS = re.compile(
    r"(?<!cu)bot\b|(?<!cu)bot[/;_+-]|crawl|spider|slurp|archiver|scrap|curl|wget|python|java/|go-http|httpclient|okhttp"
    r"|libwww|perl|ruby|node-fetch|axios|headless|phantomjs|lighthouse|pagespeed|gtmetrix|pingdom|uptime|monitor"
    r"|preview|feedfetcher|scanner|validator",
    re.IGNORECASE,
)
SPIDER = "Spider"  # ua-parser's device family of crawlers
DESKTOPS = {"Windows", "Mac OS X", "Linux", "Ubuntu", "Debian", "Fedora", "Chrome OS", "FreeBSD", "OpenBSD"}
COLUMNS = ("bot", "device", "os_family", "browser")


def read_user_agents(agents: pd.Series) -> pd.DataFrame:
    """Look up each distinct user agent once.

    Parameters
    ----------
    agents : Series of str

    Returns
    -------
    DataFrame
        Same index; ``bot`` (bool; also where a user agent is empty or "-", which no browser sends), ``device``
        ("phone", "tablet", "desktop" or missing), ``os_family`` and ``browser`` (names of ua-parser, or missing).
    """
    codes, distinct = pd.factorize(agents, use_na_sentinel=False)
    table = pd.DataFrame([_read(agent) for agent in distinct], columns=list(COLUMNS))
    known = table.astype({"bot": bool, "device": "str", "os_family": "str", "browser": "str"})
    return known.take(codes).set_axis(agents.index)


def _read(agent: object) -> tuple[bool, str | None, str | None, str | None]:
    if not isinstance(agent, str) or agent.strip() in ("", "-"):
        return True, None, None, None
    from ua_parser import parse

    told = parse(agent[:LONGEST])
    system = told.os.family if told.os else None
    family = told.device.family if told.device else ""
    bot = family == SPIDER or BOTS.search(agent[:LONGEST]) is not None
    return bot, _device(agent, system, family), system, told.user_agent.family if told.user_agent else None


def _device(agent: str, system: str | None, family: str) -> str | None:
    """Kind of device. Android says "Mobile" on telephones only (Google, "Android browser user-agent", 2011)."""
    if family == "iPad" or "Tablet" in agent or (system == "Android" and "Mobile" not in agent):
        return "tablet"
    if "Mobi" in agent or family in ("iPhone", "iPod"):
        return "phone"
    return "desktop" if system in DESKTOPS else None
