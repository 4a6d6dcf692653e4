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
        *("bandwidthmbps", "downloadspeed", "kbps", "bps", "downlink"),
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
    "os_family": ("osfamily", "os", "operatingsystem", "platform"),
    "os_major": ("osmajor", "osversion", "platver", "platformversion"),
    "browser": ("browser", "browsername", "uafamily"),
    "browser_major": ("browsermajor", "browserversion"),
    "device": ("device", "devicecategory", "devicetype", "model"),
}
SEPARATORS = ",;\t|"
KBIT, BIT = 1e-3, 1e-6  # in Mbit/s
# Ends of names, the longer first: of which quantity, its unit, and the factor to the canonical one.
UNITS = {
    "kbps": ("downlink_mbps", "kbit/s", KBIT),
    "mbps": ("downlink_mbps", "", 1.0),
    "bps": ("downlink_mbps", "bit/s", BIT),
    "us": ("rtt_ms", "microseconds", 1e-3),
    "ms": ("rtt_ms", "", 1.0),
}
OOKLA = {"downloadbandwidth", "downloadbytes"}  # beside these, what is called download is in bytes a second
BROWSERS = {"netinfo_rtt_ms": ("rtt",), "netinfo_downlink_mbps": ("downlink",)}
MISSING_WORDS = ("-", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "(not set)", "undefined")
# Where one of the two that image delivery is decided by was not measured; base of rtt_ms: Chromium's default for an
# unknown connection (network_quality_estimator_params).
ASSUMED = {"rtt_ms": (50, 115, 200), "downlink_mbps": (2, 10, 50)}
DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y")
TIME_FORMATS = [
    f"{day}{clock}" for day in DAYS for clock in (" %H:%M:%S", " %H:%M", ", %H:%M", " %I:%M:%S %p", " %I:%M %p")
]
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
    inner = [str(name) for name in source if re.search(r"\.\d+\.", str(name))]
    if len(source) == 1 and inner:
        raise WorkbenchError(
            f"{path.name}: expected rows; got one object, with rows deeper inside ({inner[0]}). Write a card with "
            "records, the place where they are, as in datasets/examples/webpagetest.toml."
        )
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


def card_name(path: Path) -> str:
    """Name of a file's card: its own up to the first dot, with letters, digits, "_" and "-" only.

    >>> card_name(Path("my rum export.csv.gz"))
    'my_rum_export'
    """
    return re.sub(r"^_+|[^\w-]+", "_", path.name.partition(".")[0]).strip("_") or "mine"


def _card_of(path: Path, kind: str, entries: list[str], columns: list[str]) -> str:
    name = card_name(path)
    lines = [
        f"# A first card, guessed from {_text(path.name)}. Correct it, then: workbench check {name}.toml",
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
    fields = find_format("", lines).read(lines)
    return {"status", "agent"} <= {*fields} and bool(fields["status"].astype("str").str.fullmatch(r"\d{3}").any())


def _guess(source: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Source column and canonical one, where the name is one that tools use; each of both once.

    Of columns that could be one, that with values in most rows is taken, then that with the more usual name. Beside a
    class of the Network Information API, ``rtt`` and ``downlink`` are that API's, not measured.
    """
    called = {str(name): _plain_names(str(name)) for name in source if source[name].head(AHEAD).notna().any()}
    plains = {plain for names in called.values() for plain in names}
    of_browser = bool(plains & {*NAMES["effective_type"]}) and not plains & {*NAMES["netinfo_rtt_ms"]}
    used: set[str] = set()
    for canonical, names in [*(BROWSERS.items() if of_browser else ()), *NAMES.items()]:
        ranked = [
            (-source[name].head(AHEAD).notna().mean().round(1), names.index(plain), name)
            for name, own in called.items()
            for plain in own
            if plain in names and name not in used
        ]
        if ranked:
            used.add(name := min(ranked)[-1])
            yield name, canonical


def _plain_names(name: str) -> list[str]:
    """A name without marks, and its last parts: "device.web_info.browser" is also "browser"; then without a unit."""
    parts = [re.sub("[^a-z0-9]", "", part.lower()) for part in re.split(r"[.\[]", name)]
    plain = ["".join(parts[begin:]) for begin in reversed(range(len(parts)))]
    return [*plain, *(each.removesuffix(unit_of) for each in plain for unit_of in UNITS if each.endswith(unit_of))]


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
            yield from _time_entry(source[name].dropna().drop_duplicates())
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
    read = {form: pd.to_datetime(times, format=form, errors="coerce") for form in TIME_FORMATS}
    fits = sorted((moments.max() - moments.min(), form) for form, moments in read.items() if moments.notna().all())
    also = f"  # or {_text(fits[1][1])}, which makes the time longer" if len(fits) > 1 else ""
    yield f"time_format = {_text(fits[0][1])}{also}" if fits else '# time_format = "%d/%m/%Y %H:%M"'
    yield '# time_zone = "Europe/Berlin"  # of these times; without it they are taken for UTC'


def _columns(source: pd.DataFrame, columns: Mapping[str, str]) -> Iterator[str]:
    """The table of columns, what was left over, and scales that medians suggest."""
    yield from ("", "[columns]")
    for name, canonical in columns.items():
        of = f", in {unit(canonical)}" if unit(canonical) else ""
        yield f'{_text(name)} = "{canonical}"  # {label(canonical)}{of}'
    rest = [str(name) for name in source if name not in columns]
    if rest:
        yield "# What follows was not recognised: name what it is, or leave it out."
    yield from (f'# {_text(name)} = ""' for name in rest)
    in_bytes = bool(OOKLA & {plain for name in source for plain in _plain_names(str(name))})
    scales = {canonical: _scale(canonical, source[name]) for name, canonical in columns.items() if canonical in RANGES}
    if in_bytes and "downlink_mbps" in scales:
        scales["downlink_mbps"] = "bytes a second", 8 * BIT
    if any(said for said, _ in scales.values()):
        yield from ("", "[scale]")
    for canonical, (said, factor) in scales.items():
        if said:
            yield f"{canonical} = {factor:g}  # {said} in the file{', or bytes a second: 8e-06' * (factor == BIT)}?"


def _scale(canonical: str, values: pd.Series) -> tuple[str, float]:
    """The unit that a column seems to have, with its factor; "" where it is the canonical one."""
    plain = _plain_names(str(values.name))[0]
    for unit_of, (of, said, factor) in UNITS.items():
        if plain.endswith(unit_of) and of == canonical:
            return said, factor
    median = median_of(pd.to_numeric(values.astype("str").str.replace(",", "."), errors="coerce"))
    low, high = RANGES[canonical].median
    return ("", 1.0) if not median or low <= median <= high else likely_unit(median, canonical)


def _text(value: str | list[str]) -> str:
    """A TOML string or list: JSON's escapes are TOML's too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
