"""A first card, guessed from a file, for a person to correct."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from workbench.datasets.cards import KINDS, LOG_NAME, Card, SourceFile
from workbench.datasets.columns import LEVELS, column_names, iso_times
from workbench.datasets.loading import read_source
from workbench.datasets.log_formats import find_format
from workbench.datasets.plausible import RANGES, likely_unit, median_of
from workbench.datasets.readers import first_bytes
from workbench.datasets.schema import MEASURED, label, unit
from workbench.errors import WorkbenchError

# What tools and teams call a column, in small letters and digits only; of two source columns the earlier name wins.
NAMES = {
    "page": ("page", "url", "pagelocation", "pageurl", "documentlocation", "pagepath", "path", "uri", "csuristem"),
    "session_id": ("sessionid", "session", "gasessionid", "visitid", "sid"),
    "user_id": (
        *("userid", "user", "userpseudoid", "visitorid", "visitor", "clientid", "uid", "fullvisitorid", "who", "cip"),
        *("clientip", "ipaddress", "ip", "remoteaddr"),
    ),
    "time": (
        *("timestamp", "time", "at", "datetime", "eventtimestamp", "testtime", "viewedat", "measuredat", "createdat"),
        *("date", "ts", "starttime", "started", "startedat", "testdate", "day"),
    ),
    "rtt_ms": ("rttms", "rtt", "minrtt", "ping", "latency", "roundtriptime", "networkrtt"),
    "downlink_mbps": (
        *("downlinkmbps", "mbps", "downloadmbps", "download", "meanthroughputmbps", "throughput", "bandwidth"),
        *("bandwidthmbps", "downloadspeed", "kbps", "downlink"),
    ),
    "page_load_ms": ("pageloadms", "pageload", "pageloadtime", "loadtime", "load", "plt", "onload", "loadms"),
    "page_bytes": ("pagebytes", "bytes", "transfersize", "bytesin"),
    "effective_type": ("effectivetype", "ect", "effectiveconnectiontype"),
    "netinfo_rtt_ms": ("netinfortt", "nrtt", "connectionrtt"),
    "netinfo_downlink_mbps": ("netinfodownlink", "ndl", "connectiondownlink"),
    "connection_type": ("connectiontype", "connection", "networktype", "ctype"),
    "save_data": ("savedata", "save"),
    "country": ("country", "countrycode", "geocountry"),
    "region": ("region", "state", "province"),
    "city": ("city", "town"),
    "asn": ("asn", "asnumber"),
    "isp": ("isp", "provider", "operator", "carrier", "asname"),
    "os_family": ("osfamily", "os", "platform", "operatingsystem"),
    "os_major": ("osmajor", "osversion", "platver", "platformversion"),
    "browser": ("browser", "browsername", "uafamily"),
    "browser_major": ("browsermajor", "browserversion"),
    "device": ("device", "devicecategory", "devicetype", "model"),
}
SEPARATORS = ",;\t|"
KBIT, BIT = 1e-3, 1e-6  # in Mbit/s
MISSING_WORDS = ("-", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "(not set)", "undefined")
# Where one of the two that image delivery is decided by was not measured; base of rtt_ms: Chromium's default for an
# unknown connection (network_quality_estimator_params).
ASSUMED = {"rtt_ms": (50, 115, 200), "downlink_mbps": (2, 10, 50)}
TIME_FORMATS = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%y, %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M")
AHEAD, START = 2_000, 100_000  # rows, and bytes, that are looked at


def first_card(path: Path) -> str:
    """The text of a card for a file: its columns, units and times as guessed, with what to check as comments.

    Raises a WorkbenchError where the file cannot be read, or none of its columns looks like a page or a measurement.
    """
    if not path.is_file():
        raise WorkbenchError(f"no file at {path}: expected a table (CSV, JSON, Parquet) or an access log.")
    if LOG_NAME.search(path.name) or _is_log(path):
        return _card_of(path, "navigations", [] if LOG_NAME.search(path.name) else ['reader = "access_log"'], [])
    draft = _draft(path)
    source = read_source(path, draft)
    found = dict(_guess(source))
    kind = "navigations" if "page" in found.values() and not {*MEASURED} & {*found.values()} else "measurements"
    if kind == "measurements" and not {*MEASURED} & {*found.values()}:
        raise WorkbenchError(
            f"{path.name}: none of its columns looks like a page or a measurement; got {column_names(source)}. Write "
            "the card by hand, and name them under columns."
        )
    facts = KINDS[kind]
    known = {column.name for column in facts.columns}
    columns = {name: facts.time if canonical == "time" else canonical for name, canonical in found.items()}
    columns = {name: canonical for name, canonical in columns.items() if canonical in known}
    return _card_of(path, kind, list(_entries(source, draft, columns)), list(_columns(source, columns)))


def _card_of(path: Path, kind: str, entries: list[str], columns: list[str]) -> str:
    name = path.name.partition(".")[0]
    lines = [
        f"# A first card, guessed from {path.name}. Correct it, then: workbench check {name}.toml",
        f"title = {_text(name)}",
        f'kind = "{kind}"',
        'licence = "your own"',
        f'known_by = "{KINDS[kind].known_by}"  # when the context is known: {", ".join(LEVELS[:-1])}',
        *entries,
        "",
        "[[files]]",
        f"name = {_text(path.name)}",
        *columns,
    ]
    return "\n".join(lines) + "\n"


def _draft(path: Path) -> Card:
    """How the file is read: its separator and encoding, which only a CSV file has."""
    start = first_bytes(path, START)
    utf_16 = start[:2] in (b"\xff\xfe", b"\xfe\xff")
    encoding = "" if utf_16 or _is_utf8(start) else "latin-1"
    header = start.decode("utf-16" if utf_16 else encoding or "utf-8", "replace").partition("\n")[0]
    usual = "\t" if ".tsv" in path.suffixes else ","
    best = max(SEPARATORS, key=header.count)
    separator = best if header[:1] not in ("{", "[") and header.count(best) and best != usual else ""
    return Card(name=path.stem, files=(SourceFile(path.name),), separator=separator, encoding=encoding)


def _is_utf8(start: bytes) -> bool:
    try:
        start[: start.rfind(b"\n") + 1].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_log(path: Path) -> bool:
    """Whether the first lines are those of an access log, with a status and a user agent."""
    start = first_bytes(path, START).decode("utf-8", "replace")
    lines = start[: start.rfind("\n") + 1]
    fields = find_format("", lines.partition("\n")[0]).read(lines)
    return {"status", "agent"} <= {*fields} and bool(fields["status"].astype("str").str.fullmatch(r"\d{3}").any())


def _guess(source: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Source column and canonical one, where the name is one that tools use; each of both once."""
    called = {str(name): _plain_names(str(name)) for name in source}
    used: set[str] = set()
    for canonical, names in NAMES.items():
        ranked = [(names.index(plain), name) for name, plains in called.items() for plain in plains if plain in names]
        free = [name for _, name in sorted(ranked) if name not in used]
        if free:
            used.add(free[0])
            yield free[0], canonical


def _plain_names(name: str) -> list[str]:
    """A name without marks, and its last parts: "device.web_info.browser" is also "browser"."""
    parts = [re.sub("[^a-z0-9]", "", part.lower()) for part in re.split(r"[.\[]", name)]
    return ["".join(parts[begin:]) for begin in reversed(range(len(parts)))]


def _entries(source: pd.DataFrame, draft: Card, columns: Mapping[str, str]) -> Iterator[str]:
    """Separator, encoding, decimal mark, missing values and times, events that count, and what is assumed."""
    for entry in ("separator", "encoding"):
        if value := getattr(draft, entry):
            yield f"{entry} = {_text(value)}"
    texts = source[list(columns)].head(AHEAD).astype("str")
    if _has_decimal_comma(texts, columns):
        yield 'decimal = ","'
    words = [word for word in MISSING_WORDS if texts.eq(word).any(axis=None)]
    if words:
        yield f"missing = {_text(words)}"
    for name, canonical in columns.items():
        if canonical in ("viewed_at", "measured_at"):
            yield from _time_entry(source[name].dropna().head(AHEAD))
    events = [
        name for name in source if _plain_names(str(name))[0] == "eventname" and source[name].eq("page_view").any()
    ]
    yield from (f'keep = {{ {_text(str(name))} = ["page_view"] }}' for name in events[:1])
    for quantity, values in ASSUMED.items():
        if quantity not in columns.values() and {*ASSUMED} & {*columns.values()}:
            yield f"assume = {{ {quantity} = {list(values)} }}  # not measured here; low, base, high: what have yours?"


def _has_decimal_comma(texts: pd.DataFrame, columns: Mapping[str, str]) -> bool:
    numbers = [name for name, canonical in columns.items() if canonical in RANGES]
    return bool(numbers) and bool(texts[numbers].stack().str.fullmatch(r"\d+,\d+").any())


def _time_entry(times: pd.Series) -> Iterator[str]:
    numbers = pd.to_numeric(times, errors="coerce")
    if len(times) and numbers.notna().all():
        digits = len(str(int(numbers.median())))
        units = {10: "unix_s", 13: "unix_ms", 16: "unix_us"}
        yield f'time_unit = "{units[digits]}"' if digits in units else "# time_unit: the times are numbers; of what?"
        return
    if iso_times(times.astype("str")).notna().all():
        return
    fits = [form for form in TIME_FORMATS if pd.to_datetime(times, format=form, errors="coerce").notna().all()]
    yield f"time_format = {_text(fits[0])}  # day first?" if fits else '# time_format = "%d/%m/%Y %H:%M"'
    yield '# time_zone = "Europe/Berlin"'


def _columns(source: pd.DataFrame, columns: Mapping[str, str]) -> Iterator[str]:
    """The table of columns, what was left over, and scales that medians suggest."""
    yield from ("", "[columns]")
    for name, canonical in columns.items():
        of = f", in {unit(canonical)}" if unit(canonical) else ""
        yield f'{_text(name)} = "{canonical}"  # {label(canonical)}{of}'
    rest = [str(name) for name in source if name not in columns]
    yield from (
        (
            "# What follows was not recognised: name what it is, or leave it out.",
            *(f'# {_text(name)} = ""' for name in rest),
        )
        if rest
        else ()
    )
    scales = {canonical: _scale(canonical, source[name]) for name, canonical in columns.items() if canonical in RANGES}
    if any(said for said, _ in scales.values()):
        yield from ("", "[scale]")
    for canonical, (said, factor) in scales.items():
        if said:
            yield f"{canonical} = {factor:g}  # {said} in the file{', or bytes a second: 8e-06' * (factor == BIT)}?"


def _scale(canonical: str, values: pd.Series) -> tuple[str, float]:
    """The unit that a column seems to have, with its factor; "" where it is the canonical one."""
    if "kbps" in str(values.name).lower():
        return "kbit/s", KBIT
    median = median_of(pd.to_numeric(values.astype("str").str.replace(",", "."), errors="coerce"))
    low, high = RANGES[canonical].median
    return ("", 1.0) if not median or low <= median <= high else likely_unit(median, canonical)


def _text(value: str | list[str]) -> str:
    """A TOML string or list: JSON's escapes are TOML's too."""
    return json.dumps(value, ensure_ascii=False)
