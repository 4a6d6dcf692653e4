"""Requests, of a log or a table: which are page views of people, and who the people are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from workbench.datasets.account import REASONS, warn
from workbench.datasets.cards import Card
from workbench.datasets.columns import as_text
from workbench.datasets.log_formats import (
    PRIVATE,
    V4,
    V6,
    by_distinct,
    columns_by_distinct,
    plain_address,
    plain_addresses,
    spaced,
)
from workbench.datasets.people import no_value
from workbench.datasets.schema import REQUEST_COLUMNS
from workbench.datasets.user_agents import UNKNOWN, name_programs, read_user_agents
from workbench.errors import WorkbenchError

# The first that fits counts, then programs.
RULES = ("clock_change", "broken", "not_get", "prefetch", "redirect", "no_content", "error")
FROM_AGENT = ("device", "os_family", "browser")
# What most values of a column look like, in words and as an expression, and how each is read.
FORMS: dict[str, tuple[str, str, Callable[[str], str | None]]] = {
    "user_agent": (
        "user agents",
        r'(?s)"?[A-Za-z][^/]{0,60}/v?\d.*',
        lambda agent: spaced(agent.strip()) if "%20" in agent else agent,
    ),
    "status": (
        "HTTP status codes, such as 200",
        r"[1-5]\d\d(?:\.0)?(?: .*)?|0(?:\.0)?|000",
        lambda code: re.sub(r"^-$|\.0$| .*", "", code.strip()),
    ),
    "method": (
        "HTTP methods, such as GET",
        r"(?i)get|head|post|put|delete|options|patch|connect|trace|propfind",
        lambda method: method.strip().upper(),
    ),
    "address": ("IP addresses", rf'[" ]*(?:(?:unknown|-),\s*)*(?:{V4}|{V6})(?:,.*)?[" ]*', plain_address),
}
WORD = r"[^\s,]+"  # what may stand for an address where the card says so, such as its hash or a name
REQUEST = re.compile(r'^([^"\\\s]*) *(.*?)(?: HTTP/[0-9.]+)?\Z', re.DOTALL)  # it fits any text
REQUEST_LINE = r"[A-Z]+ \S.* HTTP/[0-9.]+"
# Our thresholds: share of values or views; addresses; user agents at an address of a few, of any (or views).
HALF, FEW, SEVERAL, CROWD = 0.5, 3, 3, 10
SAMPLE = 1_000  # values that show what a column holds


def first_rule(requests: pd.DataFrame, known: Mapping[str, pd.Series] | None = None) -> pd.Series:
    """Name of the first of ``RULES`` that fits each request, or the kind of its program; empty: a person's page view.

    ``requests`` may have ``status``, ``method`` and ``agent`` (object; missing: the source does not say). ``known``
    holds what else is known, as boolean Series by rule. Returns objects with the index of ``requests``.
    """
    names = requests.reindex(columns=["status", "method", "agent"]).astype(object)
    # What is unchanged (304) was viewed.
    status = by_distinct(names["status"].fillna("200"), lambda code: "2" if code in ("304", "") else code[:1])
    fits = {
        **(known or {}),
        "not_get": names["method"].fillna("GET").ne("GET"),
        "redirect": status.eq("3"),
        "no_content": names["status"].isin(["204", "205"]),  # of what a script sends
        "error": ~status.isin(["2", "3"]),
    }
    if known and "not_get" in known:
        fits["not_get"] |= known["not_get"]
    rules = [name for name in RULES if name in fits]
    programs = read_user_agents(names["agent"])["program"].where(names["agent"].notna(), "").to_numpy(object)
    return pd.Series(np.select([fits[name] for name in rules], rules, programs), requests.index, dtype=object)


def split_requests(lines: pd.Series) -> pd.DataFrame:
    """``method`` and ``target`` (object) of request lines: ``GET /page HTTP/1.1``; missing where a line is."""
    return columns_by_distinct(lines, lambda line: REQUEST.findall(line)[0], ["method", "target"])


def of_people(table: pd.DataFrame, card: Card) -> pd.DataFrame:
    """The rows of a table of requests that are page views of people; the others are counted in ``attrs["dropped"]``.

    ``table`` has canonical names. Where it has any of ``schema.REQUEST_COLUMNS``, or its pages are request lines, the
    rules of access logs apply; other tables come back as they are, except that a ``user_id`` that is an IP address has
    no port. Raises a WorkbenchError if a column that the card maps does not hold what its name says, or no row is left.
    """
    table = _without_ports(table)
    if card.kind != "navigations":
        return table
    names = [name for name in FORMS if name in table and name not in {column.name for column in card.context}]
    given = {name: as_text(table[name]).astype(object) for name in names if table[name].notna().any()}
    said = []
    for name, values in [*given.items()]:
        words, form, _ = FORMS[name]
        mapped = name in card.columns.values()
        if _share(values, f"{form}|{WORD}" if mapped and name == "address" else form) > HALF:
            continue
        if mapped:  # the values are not shown: they may be a person's
            raise WorkbenchError(f"{card.name}: column {name!r} must hold {words}; most values do not. Name another.")
        said.append(f"Column {name} holds no {words}, so it is not used.")
        del given[name]
    frame = table.drop(columns=[name for name in names if name not in given])
    texts = as_text(frame["page"]).astype(object) if "page" in frame else pd.Series(dtype=object)
    if _share(texts, REQUEST_LINE) > HALF:
        parts = split_requests(texts)
        given.setdefault("method", parts["method"])
        frame = frame.assign(page=parts["target"])
    if not given:
        warn(frame, said)
        return frame
    read = {name: by_distinct(values, FORMS[name][2]) for name, values in given.items()}
    if "user_agent" in read:  # a row without one is of a program that sends none
        read["user_agent"] = read["user_agent"].fillna("-")
    if "status" in read and "page_bytes" in frame:  # of what was unchanged, nothing was sent
        read["page_bytes"] = frame["page_bytes"].mask(read["status"].eq("304"))
    frame = frame.assign(**read)
    rule = first_rule(pd.DataFrame(read, frame.index).rename(columns={"user_agent": "agent"}))
    counts = rule[rule != ""].value_counts()
    left = frame[(rule == "").to_numpy()]
    if not len(left):
        out = ", ".join(f"{count:,} {REASONS.get(why, why)}" for why, count in counts.items())
        raise WorkbenchError(
            f"{card.name}: expected page views of people; all {len(frame):,} rows were left out: {out}."
        )
    dropped = Counter(frame.attrs.get("dropped", {}))
    dropped.update(counts.to_dict())
    left.attrs = {**frame.attrs, "dropped": dict(dropped)}
    warn(left, [*said, *unknown_programs(Counter(read["user_agent"][rule == UNKNOWN] if "user_agent" in read else ()))])
    return left


def name_people(views: pd.DataFrame, card: Card) -> pd.DataFrame:
    """Page views of people with what their ``address`` and ``user_agent`` say; the columns of requests go.

    Adds ``user_id`` (str, "visitor 1", in order of appearance: one for each address and user agent) where no row has
    a user or session, and ``device``, ``os_family``, ``browser`` (str) as far as the source has none. Warns of views
    without a user agent, and of addresses that may be those of proxies.
    """
    columns = {*(column.name for column in REQUEST_COLUMNS)} & {*views} - {*(column.name for column in card.context)}
    if not columns:
        return views
    made, said = {}, []
    agents = views["user_agent"] if "user_agent" in columns else pd.Series(None, views.index, dtype=object)
    read = read_user_agents(agents)
    for name in FROM_AGENT:
        if read[name].notna().any() and not (name in views and views[name].notna().any()):
            made[name] = read[name]
    if nameless := int(agents.isna().sum()):
        said.append(
            f"{nameless:,} of {len(views):,} page views name no user agent, so programs among them count as people: "
            "let the server log the user agent; if it is there, write the format (of a table, the column user_agent) "
            "in the card."
        )
    known = any(name in views and views[name].notna().any() for name in ("user_id", "session_id"))
    if "address" in columns and not known:
        address = pd.factorize(views["address"])[0]
        agent, kinds = pd.factorize(agents)
        people = pd.Series(np.where(address < 0, -1, address * (len(kinds) + 1) + agent + 1), views.index)
        codes, found = pd.factorize(people.where(people >= 0))
        names = pd.Series([*(f"visitor {number + 1}" for number in range(len(found))), None], dtype="str")
        made["user_id"] = names.take(codes).set_axis(views.index)
        said += _proxies(views["address"], codes)
    named = views.drop(columns=[*columns]).assign(**made)
    named.attrs = dict(views.attrs)
    warn(named, said)
    return named


def unknown_programs(agents: Mapping[str, int]) -> list[str]:
    """A sentence on programs that are neither browsers nor known, of requests by user agent; none without requests."""
    if not agents:
        return []
    names = name_programs(agents)
    return [
        f"{sum(agents.values()):,} requests of programs that are neither browsers nor known were left out"
        + (f" (most of {', '.join(names)})." if names else ".")
    ]


def _share(texts: pd.Series, form: str) -> float:
    """Share of the first texts that have a form, of those that hold a value; 0 without texts."""
    first = texts[~no_value(texts)].head(SAMPLE)
    return sum(re.fullmatch(form, text.strip()) is not None for text in first) / max(len(first), 1)


def _without_ports(table: pd.DataFrame) -> pd.DataFrame:
    """The table with addresses as ids of users in one form: a port differs from connection to connection."""
    if "user_id" not in table or pd.api.types.is_numeric_dtype(table["user_id"]):
        return table
    users = as_text(table["user_id"]).astype(object)
    if _share(users, FORMS["address"][1]) > HALF:
        return table.assign(user_id=plain_addresses(users))
    return table


def _proxies(addresses: pd.Series, people: np.ndarray) -> list[str]:
    """A warning if most views come from one address, from a few with many user agents or of a private network, or from
    crowds; ``people`` numbers address and user agent of each view.
    """
    if not len(addresses):
        return []
    agents = pd.Series(people).groupby(addresses.to_numpy()).nunique()
    shares = addresses.value_counts(normalize=True)
    few = shares.index[: int((shares.cumsum() <= HALF).sum()) + 1]
    if len(few) > FEW:
        few = agents.index[agents > CROWD]
    share = shares[few].sum()
    many = share > HALF and agents[few].sum() > SEVERAL * len(few)
    many |= len(few) == 1 and share > HALF and len(addresses) >= CROWD
    private = all(PRIVATE.match(address) for address in few) and share > HALF and len(few) <= FEW
    if not many and not private:
        return []
    return [
        f"{100 * share:.0f} % of the page views come from {len(few):,} of {len(shares):,} addresses (a proxy?), so "
        "several people may count as one. If the source has the address that the proxy forwarded, write "
        'client = "forwarded" in the card (of a table, name its column address); else let the server log '
        "X-Forwarded-For."
    ]
