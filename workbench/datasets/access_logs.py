"""Access logs: from the lines of a file to page views, with what tells people apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.datasets.account import REASONS, warn
from workbench.datasets.log_formats import (
    EXAMPLE,
    JSON_CARD,
    LogFormat,
    by_distinct,
    find_format,
    plain_addresses,
    read_clients,
)
from workbench.datasets.page_views import RULES, first_rule, split_requests, unknown_programs
from workbench.datasets.readers import opened
from workbench.datasets.times import LOCAL, log_times
from workbench.datasets.user_agents import UNKNOWN, last_agent
from workbench.errors import WorkbenchError

# Browsers say so of requests ahead of a click: Sec-Purpose (Fetch standard), before it Purpose, X-Purpose and X-Moz.
AHEAD = r"(?i)^\s*(?:prefetch|prerender|preview)\s*(?:;.*)?$"
NAMED_AHEAD = r"(?:(?:sec-|x-)?purpose=|x-moz=)?"
AHEAD_QUOTED = rf'(?i)(?:^| ){NAMED_AHEAD}"(?:prefetch|prerender|preview)(?:;[^"]*)?"(?= |$)'  # fields without names
FORWARDED_QUOTED = r'"((?:[0-9A-Fa-f.:\[\]]{3,}|unknown)(?:, *[0-9A-Fa-f.:\[\]]{3,})*)"'
BLOCK_BYTES, FIRST = 16_000_000, 10_000  # bytes; characters that tell the format
BROKEN_SHOWN, BROKEN_LENGTH, SHOWN = 3, 80, 24
HALF = 0.5  # of the lines; this and those below are ours
# Lines that another format may have: a share of them, from several on; of few lines, a tenth.
MANY_BROKEN, SEVERAL_BROKEN, TENTH = 0.01, 10, 0.1


def read_access_log(
    path: Path, log_format: str = "", client: str = "", time_zone: str = "", *, allow_empty: bool = False
) -> pd.DataFrame:
    r"""Read an access log, compressed (.gz, .bz2, .xz, .zst) or not, and keep the page views of people.

    ``log_format``, ``client`` and ``time_zone`` are a card's entries. ``page`` (str) is path and query, not decoded;
    bytes that are not UTF-8 stand as ``\xff``. ``host`` (str, in small letters, without port) is there if the format
    has it. ``address`` and, as far as the format has them, ``user_agent``, ``status`` and ``method`` (object) are for
    ``skip`` and for :func:`workbench.datasets.page_views.name_people`, which turns them into people. ``viewed_at`` is
    UTC; ``page_bytes`` (sent) is missing for status 304; ``ttfb_ms`` is how long the server took, where the format
    names it.

    ``attrs["dropped"]`` counts lines by rule and kind of program, ``attrs["broken_lines"]`` shows the shape of the
    first broken ones, ``attrs["warnings"]`` names unknown programs, and says that times name no zone, that many lines
    are broken, or that the client stands behind the server's address.
    Raises a WorkbenchError if the file cannot be unpacked, the format is none, no line has the forwarded address that
    the card asks for, or no line is a page view (unless ``allow_empty``: of one file of several).
    """
    views: list[pd.DataFrame] = []
    broken: list[str] = []
    dropped, unknown = Counter(dict.fromkeys(RULES, 0)), Counter[str]()
    blocks = _blocks(path)
    first = next(blocks, "")
    form = find_format(log_format, first[:FIRST])
    # Whether a line has a forwarded address; a time without zone; the client behind the server's address.
    forwarded, local, behind = False, False, None
    for text in chain([first], blocks):
        fields, zoneless = _fields(form, text, client, time_zone)
        local |= zoneless
        forwarded |= bool(fields["forwarded"].notna().any())
        if behind is None and len(fields):
            behind = not client and _server_first(fields)
        if behind:
            fields["address"] = fields["second"].fillna(fields["address"])
        rule = first_rule(fields, _known(fields))
        views.append(_views(fields[rule == ""]))
        if len(broken) < BROKEN_SHOWN:
            parts = ["before"] if "before" in fields else ["address"]
            shown = fields[rule == "broken"].reindex(columns=["line", *parts, "time", "between", "method", "target"])
            shown = shown.head(BROKEN_SHOWN - len(broken)).astype(object).fillna("")
            broken += [_shape(line or " ".join(filter(None, words))) for line, *words in shown.to_numpy()]
        dropped.update(rule[rule != ""].tolist())
        unknown.update(fields["agent"][rule == UNKNOWN])
    frame = pd.concat(views, ignore_index=True)
    if client and not forwarded and (len(frame) or dropped.total()):
        raise WorkbenchError(
            f'client = "forwarded" expects an address that a proxy forwarded; {form.name} names none. Write the format '
            "as a string with $http_x_forwarded_for or %{X-Forwarded-For}i in it, or leave client out."
        )
    if not allow_empty:
        _check_read(path.name, form, len(frame), dropped, broken)
    warnings = unknown_programs(unknown) + [LOCAL] * local
    if behind:
        warnings.append(
            "Each line begins with the same address, then another one, which was taken as the client's. If that is "
            f"wrong, write the format in the card, as in format = {EXAMPLE}."
        )
    lines = len(frame) + dropped.total()
    if dropped["broken"] > max(MANY_BROKEN * lines, min(SEVERAL_BROKEN, TENTH * lines)):
        warnings.append(
            f"{dropped['broken']:,} lines are not in {form.name} log format. If the file has two formats, make two "
            f"files of it. {_write_format(broken)}"
        )
    frame = frame.loc[:, frame.notna().any() | frame.columns.isin(["address", "viewed_at", "page"])]
    frame.attrs.update(dropped=dict(dropped), broken_lines=tuple(broken))
    warn(frame, warnings)
    return frame


def _blocks(path: Path) -> Iterator[str]:
    """Whole lines as text, some ten thousand at a time."""
    with opened(path) as file:
        while block := file.readlines(BLOCK_BYTES):
            yield b"".join(block).removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="backslashreplace")


def _fields(form: LogFormat, text: str, client: str, time_zone: str) -> tuple[pd.DataFrame, bool]:
    """One row per line: the format's fields, and ``address, host, moment, method, target, agent`` made of them; and
    whether times are of an unknown time zone.
    """
    fields = form.read(text)
    if "before" in fields:  # any format of the common family
        clients = read_clients(fields["before"])
        if (nobody := clients["address"].isna()).any():
            clients = clients.where(~nobody, read_clients(fields["between"].where(nobody, "")))
        fields = fields.join(clients)
        fields["forwarded"] = fields["address"].where(fields["address"].str.contains(",", na=False))
        if client:
            fields["forwarded"] = fields["more"].str.extract(FORWARDED_QUOTED, expand=False).fillna(fields["forwarded"])
        fields["second"] = plain_addresses(fields["second"])
        fields["agent"] = by_distinct(fields["agent"], lambda agent: agent[1:-1] or "-" if agent else None)
    elif "more" in fields and "agent" in fields:
        fields["agent"] = fields["agent"].replace("", "-")
    for name in ("address", "forwarded", "second", "host", "purpose", "agent", "target", "time"):
        if name not in fields:
            fields[name] = None
    if "more" in fields and (nameless := fields["agent"].isna()).any():  # quotes within the referrer, or no referrer
        fields.loc[nameless, "agent"] = by_distinct(fields["more"][nameless], last_agent)
    fields["forwarded"] = forwarded = plain_addresses(fields["forwarded"])
    own = plain_addresses(fields["address"])
    fields["address"] = forwarded.fillna(own) if client or own.isna().all() else own
    if "request" in fields:
        fields = fields.drop(columns=["method", "target"], errors="ignore").join(split_requests(fields["request"]))
    if "query" in fields:
        query = fields["query"].fillna("").replace("-", "").str.removeprefix("?")
        fields["target"] = fields["target"] + ("?" + query).where(query != "", "")
    if (absolute := _holds(fields["target"], r"^https?://[^/]")).any():  # "http://host/page", of a proxy
        parts = fields["target"][absolute].str.extract(r"(?s)^https?://(?P<host>[^/?#]+)(?P<target>.*)$")
        fields.loc[absolute, "host"] = fields["host"][absolute].where(fields["host"].notna(), parts["host"])
        fields.loc[absolute, "target"] = parts["target"].where(
            parts["target"].str.startswith("/"), "/" + parts["target"]
        )
    moments, local = log_times(fields["time"], form.strftime, time_zone)
    return fields.join(moments), local and not time_zone


def _server_first(fields: pd.DataFrame) -> bool:
    """Whether most lines begin with one and the same address, and then have another one, which differs."""
    both = fields[fields["second"].notna() & fields["address"].notna()]
    same, others = both["address"].nunique(), both["second"].nunique()
    return len(both) > HALF * fields["address"].notna().sum() and same == 1 < others


def _known(fields: pd.DataFrame) -> dict[str, pd.Series]:
    """What the line itself says, as boolean Series by rule."""
    ahead = _holds(fields["purpose"], AHEAD)
    if "before" in fields:  # where fields have no names
        ahead |= _holds(fields["more"], AHEAD_QUOTED)
    return {
        "clock_change": fields["clock_change"],
        "broken": fields["line"].fillna("").ne("") | fields["address"].isna() | fields["moment"].isna(),
        "not_get": ~_holds(fields["target"], "^/"),
        "prefetch": ahead,
    }


def _holds(cells: pd.Series, pattern: str) -> pd.Series:
    """Whether each text holds the pattern (bool); each distinct one is searched once."""
    search = re.compile(pattern).search
    return by_distinct(cells, lambda text: search(text) is not None).eq(True)


def _views(fields: pd.DataFrame) -> pd.DataFrame:
    """The columns of a source, of lines that are page views."""
    views = fields.reindex(columns=["address", "agent", "status", "method", "host", "size"])
    sent, host = views.pop("size"), views.pop("host")
    return views.rename(columns={"agent": "user_agent"}).assign(
        viewed_at=fields["moment"],
        page=fields["target"].astype("str"),
        host=by_distinct(host, lambda name: re.sub(r":\d+$", "", name).lower()).astype("str"),
        page_bytes=pd.to_numeric(sent.mask(views["status"].eq("304")), errors="coerce").astype(float),
        ttfb_ms=_took_ms(fields),
    )


def _took_ms(fields: pd.DataFrame) -> pd.Series:
    """How long the server took for each line (float, ms), missing where the format does not say."""
    took = pd.Series(np.nan, fields.index)
    for name, factor in {"took_s": 1e3, "took_ms": 1.0, "took_us": 1e-3, "took_ns": 1e-6}.items():
        if name in fields:
            took = took.fillna(factor * pd.to_numeric(fields[name], errors="coerce"))
    return took


def _shape(line: str) -> str:
    """What a broken line looks like, without what it says: letters become a, digits 0."""
    shape = re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", line))
    return re.sub(r"[^ -~]+", "?", re.sub(r"\s+", " ", shape))[:BROKEN_LENGTH]


def _check_read(name: str, form: LogFormat, kept: int, dropped: Counter[str], broken: list[str]) -> None:
    """Refuse a log without a page view."""
    if kept:
        return
    if not dropped.total():
        raise WorkbenchError(f"{name}: expected an access log; it holds no line.")
    counts = ", ".join(f"{count:,} {REASONS.get(rule, rule)}" for rule, count in dropped.items() if count)
    raise WorkbenchError(
        f"{name}: expected page views in {form.name} log format; all {dropped.total():,} lines were left out: {counts}."
        + (f" {_write_format(broken)}" if broken else "")
    )


def _write_format(broken: list[str]) -> str:
    """What to write in the card where lines have another format."""
    shape = f"A broken line has the shape {broken[0][:SHOWN]!r}; write" if broken else "Write"
    if not broken or not broken[0].startswith("{"):
        return f"{shape} its format in the card, as in format = {EXAMPLE}."
    return f"{shape} what its fields hold, as in {JSON_CARD}."
