"""Access logs in the common and the combined format, and the programs that write in them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.datasets.readers import NOT_WHOLE, in_one_line
from workbench.errors import WorkbenchError

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
    """Columns ``COLUMNS`` for each user agent, same index; each distinct one is parsed once.

    ``bot`` (bool) is also True where a user agent is empty or "-", which no browser sends; ``device`` is "phone",
    "tablet", "desktop" or missing; ``os_family`` and ``browser`` are names of ua-parser, or missing.
    """
    codes, distinct = pd.factorize(agents, use_na_sentinel=False)
    table = pd.DataFrame([_read(agent) for agent in distinct], columns=list(COLUMNS))
    known = table.astype({"bot": bool, "device": "str", "os_family": "str", "browser": "str"})
    return known.take(codes).set_axis(agents.index)


def _read(agent: object) -> tuple[bool, str | None, str | None, str | None]:
    if not isinstance(agent, str) or agent.strip() in ("", "-"):
        return True, None, None, None
    from ua_parser import parse

    parsed = parse(agent[:LONGEST])
    system = parsed.os.family if parsed.os else None
    family = parsed.device.family if parsed.device else ""
    bot = family == SPIDER or BOTS.search(agent[:LONGEST]) is not None
    return bot, _device(agent, system, family), system, parsed.user_agent.family if parsed.user_agent else None


def _device(agent: str, system: str | None, family: str) -> str | None:
    """Kind of device. Android says "Mobile" on telephones only (Google, "Android browser user-agent", 2011)."""
    if family == "iPad" or "Tablet" in agent or (system == "Android" and "Mobile" not in agent):
        return "tablet"
    if "Mobi" in agent or family in ("iPhone", "iPod"):
        return "phone"
    return "desktop" if system in DESKTOPS else None


# Apache's "common" and "combined" formats (mod_log_config, Log Format); nginx's "combined" is the same. More fields may
# follow, such as a request header: "%{Sec-Purpose}i".
INSIDE = r'[^"\\]*(?:\\.[^"\\]*)*'  # of quotes; a backslash protects what follows
LINE = (
    r"^(?P<address>\S+) \S+ \S+ \[(?P<time>[^\]]{20,30})\] "
    rf'"(?P<method>[^"\\\s]*) *(?P<target>{INSIDE})" (?P<status>\d{{3}}) (?P<size>\d+|-)'
    rf'(?: "{INSIDE}" "(?P<agent>{INSIDE})"(?P<more>(?: (?:"{INSIDE}"|[^"\s]\S*))*))?\s*$'
)
TIME = "%d/%b/%Y:%H:%M:%S %z"
# Browsers say so of requests ahead of a click: Sec-Purpose (Fetch standard), before it Purpose, X-Purpose and X-Moz.
AHEAD = r"(?i)(?:^|[\s\"=:;,])(?:prefetch|prerender|preview)\b"
STATIC = re.compile(
    r"\.(?:css|js|mjs|map|json|xml|txt|ico|png|jpe?g|gif|webp|avif|svg|bmp|woff2?|ttf|otf|eot|mp4|webm|mp3|ogg|wav"
    r"|pdf|zip|gz|wasm|webmanifest|rss|atom)$",
    re.IGNORECASE,
)
RULES = ("broken", "not_get", "prefetch", "redirect", "error", "static", "bot")  # the first that fits counts
BLOCK_BYTES = 32_000_000
BROKEN_SHOWN, BROKEN_LENGTH = 3, 80
ADDRESSES = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*")


def read_access_log(path: Path) -> pd.DataFrame:
    r"""Read an access log, gzipped or not, and keep the page views.

    Paths lose their query and fragment (they hold search words and tokens) and are not decoded; bytes that are not
    UTF-8 stand as ``\xff``. ``user_id`` is a digest of address and user agent, which :func:`number_visitors` turns
    into a number; ``viewed_at`` is UTC; ``page_bytes`` (sent) is missing for status 304; ``device``, ``os_family`` and
    ``browser`` are there if the format has user agents. ``attrs["dropped"]`` counts lines by rule,
    ``attrs["broken_lines"]`` shows the first broken ones, escaped, without addresses. Raises a WorkbenchError if the
    file cannot be unpacked or no line is a page view.
    """
    views, broken, dropped, read = [], [], dict.fromkeys(RULES, 0), 0
    for lines in _blocks(path):
        fields = lines.str.extract(LINE).assign(page=_pages)
        fields["moment"] = pd.to_datetime(fields["time"], format=TIME, utc=True, errors="coerce")
        agents = read_user_agents(fields["agent"])
        rule = _first_rule(fields, agents["bot"])
        views.append(_kept_views(fields[rule == ""], agents))
        broken += [_shown(line) for line in lines[rule == "broken"].head(BROKEN_SHOWN)]
        dropped = {name: count + int((rule == name).sum()) for name, count in dropped.items()}
        read += len(lines)
    if not read:
        raise WorkbenchError(f"{path.name}: expected an access log; it holds no line.")
    if read == sum(dropped.values()):
        counts = ", ".join(f"{count:,} {name}" for name, count in dropped.items() if count)
        examples = f" First broken line: {broken[0]!r}." if broken else ""
        raise WorkbenchError(
            f"{path.name}: expected page views in common or combined log format; all {read:,} lines were left out: "
            f"{counts}.{examples}"
        )
    frame = pd.concat(views, ignore_index=True).dropna(axis="columns", how="all")
    frame.attrs.update(dropped=dropped, broken_lines=tuple(broken[:BROKEN_SHOWN]))
    return frame


def number_visitors(digests: pd.Series) -> pd.Series:
    """Visitors by number, in order of appearance: a digest of an address can be undone by trying every address."""
    codes = pd.factorize(digests)[0]
    return "visitor " + pd.Series(codes + 1, digests.index).astype(str)


def _blocks(path: Path) -> Iterator[pd.Series]:
    """Lines that hold anything, as text (str), some hundred thousand at a time."""
    try:
        with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb") as file:
            while block := file.readlines(BLOCK_BYTES):
                text = b"".join(block).removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="backslashreplace")
                lines = pd.Series(text.split("\n"), dtype="str").str.rstrip("\r")
                yield lines[lines != ""]
    except NOT_WHOLE as err:
        raise WorkbenchError(f"{path.name} cannot be unpacked: {in_one_line(err)}.") from err


def _pages(fields: pd.DataFrame) -> pd.Series:
    """Paths without protocol, scheme, host, query and fragment; what is no path is missing."""
    path = fields["target"]
    for left_out in (r" HTTP/[0-9.]+$", r"^https?://[^/?#]*", r"[?#].*$"):
        path = path.str.replace(left_out, "", regex=True)
    return path.where(path.str.startswith("/", na=False))


def _first_rule(fields: pd.DataFrame, bot: pd.Series) -> np.ndarray:
    """Name of the first rule that fits each line (str, shape (rows,)); empty: none."""
    unchanged = fields["status"].eq("304")
    fits = {
        "broken": fields["address"].isna() | fields["moment"].isna(),  # not the format, or no possible time
        "not_get": fields["method"].ne("GET") | fields["page"].isna(),  # nothing that could be fetched ahead
        "prefetch": fields["more"].str.contains(AHEAD, regex=True, na=False),  # a field at the line's end says so
        "redirect": fields["status"].str.startswith("3", na=False) & ~unchanged,  # 304: unchanged, so it was viewed
        "error": ~fields["status"].str.startswith("2", na=False) & ~unchanged,
        "static": fields["page"].str.contains(STATIC, na=False),
        "bot": bot & fields["agent"].notna(),
    }
    return np.select([fits[name] for name in RULES], RULES, "")


def _kept_views(fields: pd.DataFrame, agents: pd.DataFrame) -> pd.DataFrame:
    sent = fields["size"].where(fields["status"].ne("304"))
    views = pd.DataFrame(
        {
            "user_id": _digests(fields["address"], fields["agent"].fillna("")),
            "viewed_at": fields["moment"],
            "page": fields["page"],
            "page_bytes": pd.to_numeric(sent, errors="coerce").astype(float),
        }
    )
    return views.join(agents[["device", "os_family", "browser"]])


def _digests(address: pd.Series, agent: pd.Series) -> pd.Series:
    codes, distinct = pd.factorize(address + "\0" + agent)
    digests = np.array([blake2b(who.encode(), digest_size=16).hexdigest() for who in distinct], dtype=object)
    return pd.Series(digests[codes], address.index, dtype="str")


def _shown(line: str) -> str:
    """A broken line as it may be shown: its first word and all addresses hidden, escaped, cut."""
    first, space, rest = line.partition(" ")
    hidden = ADDRESSES.sub("(address)", f"(visitor) {rest}" if space else first)
    return hidden.encode("unicode_escape").decode("ascii")[:BROKEN_LENGTH]
