"""A first card, guessed from a file, for a person to correct."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from workbench.datasets.cards import KINDS, LOG_NAME, Card, SourceFile
from workbench.datasets.columns import LEVELS, LONGEST_SHOWN, as_text, iso_times
from workbench.datasets.loading import read_source
from workbench.datasets.log_formats import USUAL, find_format
from workbench.datasets.numerals import as_points
from workbench.datasets.plausible import RANGES, likely_unit, median_of
from workbench.datasets.readers import SEPARATORS, UTF_16, first_bytes
from workbench.datasets.schema import MEASURED, label, unit
from workbench.datasets.times import CLOCK, OFFSET, fitting_formats, fitting_unit, spread
from workbench.errors import WorkbenchError

# What tools and teams call a column, in small letters and digits only, here also in German, French and Spanish; of two
# source columns the earlier name wins.
NAMES = {
    "page": f"page url pagelocation pageurl documentlocation pagepath path uri {USUAL['target']} {USUAL['request']} "
    "seite seitenurl pagina ruta chemin",
    "session_id": "sessionid session gasessionid visitid idvisit sid sitzung sitzungsid sitzungid besuch visite "
    "idsession sesion idsesion",
    "user_id": "userid user userpseudoid visitorid visitor clientid uid fullvisitorid who nutzer nutzerid benutzer "
    "benutzerid besucher besucherid kunde utilisateur visiteur usuario visitante cliente cip clientip ipaddress ip "
    "remoteaddr clientaddress ipadresse sourceaddress",
    "time": "viewedat measuredat timestamp time at datetime eventtimestamp testtime requesttimestamp createdat date ts "
    f"starttime started startedat fetchtime testdate day {USUAL['time']} zeit zeitpunkt zeitstempel datum datumuhrzeit "
    "uhrzeit horodatage heure fechahora fecha hora",
    "netinfo_rtt_ms": "netinfortt nrtt connectionrtt mobrtt",
    "netinfo_downlink_mbps": "netinfodownlink ndl connectiondownlink mobdl",
    "rtt_ms": "rttms rtt minrtt srtt ping latency idlelatency roundtriptime networkrtt networkrttnumericvalue latenz "
    "latence latencia",
    "downlink_mbps": "downlinkmbps mbps downloadmbps download meanthroughputmbps throughput bandwidth bandwidthmbps "
    "downloadspeed kbps bps gbps bitspersecond downlink networkdownlink downloadrate durchsatz bandbreite debit "
    "debitdescendant descarga velocidad",
    "page_load_ms": "pageloadms pageload pageloadtime loadtime load plt onload loadms ladezeit tempsdechargement "
    "tiempodecarga",
    "page_bytes": "pagebytes bytes transfersize bytesin",
    "effective_type": "effectivetype ect effectiveconnectiontype networkeffectivetype mobetype",
    "connection_type": "connectiontype connection networktype ctype mobct verbindung verbindungsart netztyp",
    "save_data": "savedata save",
    "country": "country countrycode geocountry land pays pais",
    "region": "region state province bundesland",
    "city": "city town stadt ort ville ciudad",
    "asn": "asn asnumber",
    "isp": "isp provider operator carrier asname anbieter netzbetreiber netz operateur fournisseur operador proveedor",
    "os_family": "osfamily os operatingsystem operatingsystemname platform betriebssystem systemedexploitation "
    "sistemaoperativo",
    "os_major": "osmajor osversion platver platformversion",
    "browser": "browser browsername uafamily navigateur navegador",
    "browser_major": "browsermajor browserversion",
    "device": "device devicecategory devicetype model gerat geraet geratetyp appareil dispositivo",
}
# Attributes of the Network Information API, which rounds them to 25 ms and 25 kbit/s, the latter up to 10 Mbit/s (W3C
# draft): beside its classes, or so rounded, they were not measured.
BROWSERS = {"netinfo_rtt_ms": "rtt networkrtt", "netinfo_downlink_mbps": "downlink networkdownlink"}
ROUNDED = {"rtt": (25, 3_000), "downlink": (0.025, 10)}
FEW = 3  # values, of which nothing is said
# What a table of requests has beside its pages: the names of access logs, else how a name ends, and what most values
# look like.
REQUESTS = {
    "user_agent": (USUAL["agent"], r".*agent", r".*[A-Za-z].*/.*"),
    "status": (USUAL["status"], r".*(?:statut|status|response|statuscode|responsecode)", r"[1-5]\d\d(?:\.0)?"),
    "method": (USUAL["method"], r".*(?:method|methode|metodo|verb)", r"(?i:get|head|post|put|delete|options|patch)"),
    "address": (
        USUAL["address"],
        r"(?!.*(?:server|dest|target|local|host|upstream|backend)).*(?:ip|addr|address|adresse|ipv4|ipv6)",
        r"(?:\d+\.){3}\d+.*|\[?[\da-fA-F]*:[\da-fA-F]*:.*",
    ),
}
BY_FORM = ("status", "method")  # whose values alone tell what they are
NUMBERED = r"^(.+?)\.\d+\."  # of objects in an object, which stand for rows
# What no column is called: numbers and times, mail and IP addresses, UUIDs, pages.
A_VALUE = re.compile(
    r"[+-]?\d[\d.,:TZ /+-]*|[^\s@]+@[^\s@]+|(?:[\da-fA-F]*:){2,}[\da-fA-F:]*|[\da-fA-F]{8}-[\da-fA-F]{4}-\S*|https?://\S*|/\S*"
)
VALUES = "metricvalue value valuems wert"
YEARS = ("year month day", "jahr monat tag", "annee mois jour", "ano mes dia")
CLOCK_ALONE = r"\s*\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?\s*"
# Ends of names: of a rate, a prefix, bits or bytes (a capital B), and per second; of a time, its unit.
RATE = re.compile(
    r"(?P<of>kilo|mega|giga|[kmg])?(?P<what>bits?|bytes?|b)(?P<per>(?:p|/ ?|[ _-]?per[ _-]?)s(?:ec(?:onds?)?)?)?\W*$",
    re.IGNORECASE,
)
TIME = re.compile(
    r"(?:(?i:(?P<of>[mµμun])s|(?P<long>milli|micro|nano)?s(?:ec(?:ond)?s?|ekunden)|(?<=[\W_])s)|(?<=[a-z])S)\W*$"
)
RATES = {"": ("", 1e-6), "k": ("k", 1e-3), "m": ("M", 1.0), "g": ("G", 1e3)}  # in Mbit/s
TIMES = {"": ("seconds", 1e3), "milli": ("", 1.0), "micro": ("microseconds", 1e-3), "nano": ("nanoseconds", 1e-6)}
TIMES |= {"m": TIMES["milli"], "n": TIMES["nano"], **dict.fromkeys("uµμ", TIMES["micro"])}
OOKLA = {"downloadbandwidth", "downloadbytes"}  # beside these, what is called download is in bytes a second
MISSING_WORDS = ["-", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "(not set)", "undefined"]
MISSING_WORDS += ["0000-00-00", "0000-00-00 00:00:00"]  # of MySQL
# Where one of the two that image delivery is decided by was not measured; base of rtt_ms: Chromium's default for an
# unknown connection (network_quality_estimator_params).
ASSUMED = {"rtt_ms": (50, 115, 200), "downlink_mbps": (2, 10, 50)}
# What the name of a column says that holds a quantity, though in which way is unknown.
SOUNDS = {"rtt_ms": r"rtt|laten[ctz]|(?<![a-z])ping", "downlink_mbps": r"download|downlink|throughput|bandwidth"}
AHEAD, START = 2_000, 100_000  # rows, and bytes, that are looked at
TITLES = 20  # lines among which the names of columns are
ZONE = '# time_zone = "Europe/Berlin"  # of times that name none; without it they are taken for UTC'
FILL_IN = (
    "No column looks like a page or a measurement: under columns, name the one that holds the page, or any of "
    f"{', '.join(MEASURED)}"
)


def first_card(path: Path) -> str:
    """The text of a card for a file: its columns, units and times as guessed, with what to check as comments.

    Where no column looks like a page or a measurement, all are comments, under ``FILL_IN``. Raises a WorkbenchError
    where the file cannot be read.
    """
    if not path.is_file():
        raise WorkbenchError(f"no file at {path}: expected a table (CSV, JSON, Parquet) or an access log.")
    SourceFile(name=path.name)  # or the card would be refused
    if LOG_NAME.search(path.name) or _is_log(path):
        return _card_of(path, "navigations", ['reader = "access_log"'], [])
    source, draft = _read(path)
    columns = dict(_guess(source))
    vitals = _vitals(source)
    if vitals and not _is_known(columns, MEASURED):
        columns = {name: canonical for name, canonical in columns.items() if name not in vitals}
        columns[vitals[1]] = "page_load_ms"
    kind = "navigations" if "page" in columns.values() and not _is_known(columns, MEASURED) else "measurements"
    if kind == "navigations":
        requests = dict(_requests(source))
        rest = dict(_guess(source.drop(columns=[*requests])))
        columns = {**requests, **rest} if "page" in rest.values() else columns
    facts, date = KINDS[kind], _date(source)
    known = {*(column.name for column in facts.columns), *REQUESTS}
    columns = {name: facts.time if canonical == "time" else canonical for name, canonical in columns.items()}
    columns = {name: canonical for name, canonical in columns.items() if canonical in known}
    if date:
        columns = {name: held for name, held in columns.items() if held != facts.time and name not in date}
    decimal, about = _decimal(source, draft, columns)
    entries = [*_entries(source, draft, columns, date, decimal), *about]
    if not _is_known(columns, ("page", *MEASURED)):
        entries = [f"# {FILL_IN}.", '# kind = "navigations" if a row is the view of a page.', *entries]
    return _card_of(path, kind, entries, list(_columns(source, columns, date, decimal)))


def _is_known(columns: Mapping[str, str], any_of: tuple[str, ...]) -> bool:
    return bool({*any_of} & {*columns.values()})


def card_name(path: Path) -> str:
    """Name of a file's card: its own up to the first dot, with letters, digits, "_" and "-" only.

    >>> card_name(Path("my rum export.csv.gz"))
    'my_rum_export'
    """
    return re.sub(r"[^\w-]+", "_", path.name.partition(".")[0]).rstrip("_").lstrip("_-") or "mine"


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


def _read(path: Path) -> tuple[pd.DataFrame, Card]:
    """The table of a file, and how it is read: without a header where the first row holds values, and further inside
    where rows are there, and columns that are recognised.
    """
    draft = _draft(path)
    source = read_source(path, draft)
    if 2 * sum(bool(A_VALUE.fullmatch(str(name)[:LONGEST_SHOWN])) for name in source) > source.shape[1]:
        draft = replace(draft, header=False)
        return read_source(path, draft), draft
    if _tells(source):
        return source, draft
    for records in _inner_rows(source):
        inner = replace(draft, records=records)
        try:
            rows = read_source(path, inner)
        except WorkbenchError:
            continue  # a list of something else
        if _tells(rows):
            return rows, inner
    return source, draft


def _tells(source: pd.DataFrame) -> bool:
    """Whether a column looks like a page or a measurement, and is of a row, not of one of several inside it."""
    found = {name: canonical for name, canonical in _guess(source) if not re.search(NUMBERED, name)}
    return _is_known(found, ("page", *MEASURED))


def _inner_rows(source: pd.DataFrame) -> list[str]:
    """Where rows may be: objects that are numbered, and lists of objects."""
    numbered = [found[1] for name in source if (found := re.search(NUMBERED, str(name)))]
    lists = [str(name) for name in source if source[name].head(AHEAD).astype("str").str.startswith("[{").any()]
    return list(dict.fromkeys([*numbered, *lists]))


def _draft(path: Path) -> Card:
    """How the file is read: its separator, encoding and comments, which only a CSV file has."""
    start, files = first_bytes(path, START), (SourceFile(name=path.name),)
    if start.startswith(b"PAR1"):
        return Card(name=path.stem, files=files)
    utf_16 = start.startswith(UTF_16)
    encoding = "" if utf_16 or _is_utf8(start) else "latin-1"
    text = start.decode("utf-16" if utf_16 else encoding or "utf-8", "replace")
    comment = "#" if text.startswith("#") else ""
    lines = [line for line in text.splitlines()[:-1] or [text] if not comment or not line.startswith(comment)][:TITLES]
    usual = "\t" if ".tsv" in path.suffixes else ","
    best = [max("," + SEPARATORS, key=line.count) for line in lines if line[:1] not in ("{", "[")]
    places = [place for place, mark in enumerate(best) if mark in lines[place] and _titles(lines, mark) == place]
    skip_lines = places[0] if places else 0
    separator = best[skip_lines] if places and best[skip_lines] != usual else ""
    return Card(
        name=path.stem, files=files, separator=separator, encoding=encoding, comment=comment, skip_lines=skip_lines
    )


def _titles(lines: list[str], separator: str) -> int:
    """How many lines have few cells, above the first that has more than half as many as any."""
    filled = [sum(map(bool, row)) for row in csv.reader(lines, delimiter=separator)]
    return next((place for place, cells in enumerate(filled) if 2 * cells > max(filled)), 0)


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

    Of columns that could be one, that with values in most rows is taken, then that with the more usual name. Canonical
    names are themselves. Beside a class of the Network Information API, or rounded as it rounds, ``rtt`` and
    ``downlink`` are that API's, not measured.
    """
    called = _called(source)
    plains = {plain for names in called.values() for plain in names}
    own = [name for name in called if name in RANGES]
    yield from zip(own, own, strict=True)
    classes, signals = ({*NAMES[name].split()} for name in ("effective_type", "netinfo_rtt_ms"))
    of_browsers = not plains & signals and (plains & classes or _is_rounded(source))
    used = {*own}
    names_of = [*(BROWSERS.items() if of_browsers else ()), *NAMES.items()]
    for canonical, usual in [(name, usual) for name, usual in names_of if name not in own]:
        names = usual.split()
        ranked = [
            (-source[name].head(AHEAD).notna().mean().round(1), names.index(plain), name)
            for name, own in called.items()
            for plain in own
            if plain in names and name not in used
        ]
        if ranked and canonical not in used:
            used |= {canonical, name := min(ranked)[-1]}
            yield name, canonical


def _is_rounded(source: pd.DataFrame) -> bool:
    """Whether columns called as attributes of the Network Information API hold nothing but its rounded values."""
    held = {name.rpartition(".")[2].lower(): name for name in map(str, source)}
    steps = [
        (pd.to_numeric(source[held[each]].head(AHEAD), errors="coerce").dropna(), *ROUNDED[each])
        for each in ROUNDED.keys() & held
    ]
    return bool(steps) and all(
        len(cells) >= FEW and cells.between(0, most).all() and (cells / step).round(6).mod(1).eq(0).all()
        for cells, step, most in steps
    )


def _requests(source: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Columns that say what a request was and whose, by name and values, or by values alone; an address alone may be
    anything.
    """
    called = _called(source)
    found: dict[str, str] = {}
    for canonical, (usual, ending, form) in REQUESTS.items():
        cells = {name: as_text(source[name].head(AHEAD).dropna()) for name in called if name not in found}
        share = {name: each.str.fullmatch(form).mean() for name, each in cells.items()}
        fits = [
            *(name for name in cells if share[name] > 0.5 and {*usual.split()} & {*called[name]}),
            *(name for name in cells if share[name] > 0.5 and re.fullmatch(ending, called[name][-1])),
            *(name for name, each in cells.items() if canonical in BY_FORM and share[name] >= 0.95 and _is_usual(each)),
        ]
        if fits:
            found[fits[0]] = canonical
    if {"user_agent", "status", "method"} & {*found.values()}:
        yield from found.items()


def _is_usual(cells: pd.Series) -> bool:
    """Whether most requests went well, or got something."""
    return cells.mode().iloc[0].removesuffix(".0").upper() in ("200", "GET")


def _called(source: pd.DataFrame) -> dict[str, list[str]]:
    """Columns that hold anything, by what they are called in plain letters."""
    return {str(name): _plain_names(str(name)) for name in source if source[name].head(AHEAD).notna().any()}


def _vitals(source: pd.DataFrame) -> list[str]:
    """The columns of names and values of a long table of Web Vitals; empty where it is none."""
    called = _called(source)
    named = [name for name in called if source[name].head(AHEAD).eq("LCP").any()]
    values = [name for name, own in called.items() if {*VALUES.split()} & {*own}]
    return [named[0], values[0]] if named and values else []


def _date(source: pd.DataFrame) -> list[str]:
    """The columns of a day and of a time of day, or of year, month and day; empty where one column has the time."""
    called = _called(source)
    for names in YEARS:
        found = [next((name for name, own in called.items() if part in own), "") for part in names.split()]
        if all(found):
            return found
    cells = {name: as_text(source[name].head(AHEAD).dropna()) for name in called}
    times = [name for name, own in called.items() if {*NAMES["time"].split()} & {*own}]
    clocks = [name for name in times if cells[name].str.fullmatch(CLOCK_ALONE).all()]
    days = [name for name in times if name not in clocks and cells[name].str.contains(r"\d\D+\w+\D+\d").all()]
    days = [name for name in days if not cells[name].str.replace(" 00:00:00", "").str.contains(CLOCK).any()]
    return [days[0], clocks[0]] if days and clocks else []


def _plain_names(name: str) -> list[str]:
    """A name's last parts without marks: "device.web_info.browser" is also "browser"; then the same without a unit.

    Names in camel case have parts at "_" too, as exports to flat tables name what was inside.
    """
    parts = re.split(r"[._\[]" if re.search(r"[a-z][A-Z].*_|_.*[a-z][A-Z]", name) else r"[.\[]", name)
    ends = [" ".join(parts[begin:]) for begin in reversed(range(len(parts)))]
    bare = [end[: unit_of.start()] for end in ends for unit_of in (_rate(end), TIME.search(end)) if unit_of]
    return [*map(_letters, ends), *map(_letters, bare)]


def _letters(name: str) -> str:
    return re.sub("[^a-z0-9]", "", unicodedata.normalize("NFKD", name.lower().replace("ß", "ss")))


def _rate(name: str) -> re.Match[str] | None:
    """The end of a name that is a rate: bits or bytes alone are an amount."""
    found = RATE.search(name)
    return found if found and (found["per"] or (found["of"] and found["what"].lower().startswith("bit"))) else None


def _entries(
    source: pd.DataFrame, draft: Card, columns: Mapping[str, str], date: list[str], decimal: str
) -> Iterator[str]:
    """How the file is read, missing values and times, events that count, and what is assumed."""
    for entry in ("separator", "encoding", "comment", "skip_lines", "records"):
        if value := getattr(draft, entry):
            yield f"{entry} = {_text(value)}"
    if not draft.header:
        yield "header = false  # the columns are called 1, 2, 3"
    if decimal == ",":
        yield 'decimal = ","'
    missing = _missing(source, columns)
    if missing:
        pairs = ", ".join(f"{_text(name)} = {_text(words)}" for name, words in missing.items())
        yield f"missing = {_text(missing['*']) if {*missing} == {'*'} else f'{{ {pairs} }}'}"
    if date:
        yield f"date = {_text(date)}"
        if len(date) == 2:
            day, clock = (as_text(source[name]) for name in date)
            yield from _time_entry((day + " " + clock).dropna().drop_duplicates(), decimal)
    for name, canonical in columns.items():
        if canonical in ("viewed_at", "measured_at"):
            given = source[name].dropna().drop_duplicates()
            yield from _time_entry(given[~as_text(given).isin(MISSING_WORDS)], decimal)
    yield from _events(source, draft)
    if (vitals := _vitals(source)) and columns.get(vitals[1]) == "page_load_ms":
        yield f'keep = {{ {_text(vitals[0])} = ["LCP"] }}  # the largest contentful paint is taken for the load'
    if {*ASSUMED} & {*columns.values()}:
        yield from (_assumed(name, source, columns) for name in ASSUMED if name not in columns.values())


def _missing(source: pd.DataFrame, columns: Mapping[str, str]) -> dict[str, list[str]]:
    """Words for missing values, by canonical column where there are countries: there, NA is Namibia."""
    cells = {held: source[name].head(AHEAD).astype("str") for name, held in columns.items()}
    found = {held: [word for word in MISSING_WORDS if cells[held].eq(word).any()] for held in cells}
    namibia = "country" in found
    words = [word for word in MISSING_WORDS if any(word in each for each in found.values())]
    everywhere = {"*": [word for word in words if not (namibia and word == "NA")]}
    apart = {held: ["NA"] for held in found if namibia and held != "country" and "NA" in found[held]}
    return {held: words for held, words in (everywhere | apart).items() if words}


def _events(source: pd.DataFrame, draft: Card) -> Iterator[str]:
    """Which events are page views, in exports of Google and Matomo."""
    kinds = {"eventname": "page_view"} | ({"type": "action"} if draft.records else {})
    events = [
        (str(name), event)
        for name in source
        for plain, event in kinds.items()
        if _plain_names(str(name))[0] == plain and source[name].eq(event).any()
    ]
    yield from (f'keep = {{ {_text(name)} = ["{event}"] }}' for name, event in events[:1])


def _assumed(quantity: str, source: pd.DataFrame, columns: Mapping[str, str]) -> str:
    """What to assume for a quantity that was not measured, unless a column sounds as if it were."""
    held = [str(name) for name in source if name not in columns and re.search(SOUNDS[quantity], str(name).lower())]
    if held:
        named = " or ".join(map(_text, held))
        return f"# {label(quantity)}: is it in {named}? Name it under columns, with its unit under scale."
    return (
        f"assume = {{ {quantity} = {list(ASSUMED[quantity])} }}  # not measured here; low, base, high: what have yours?"
    )


def _decimal(source: pd.DataFrame, draft: Card, columns: Mapping[str, str]) -> tuple[str, list[str]]:
    """The decimal mark, and what to check about it.

    It is a comma, unless three digits stand behind each, as in 1,100, and none begins with a zero; and where all points
    have three digits behind them, as in 40.650, in a file that looks German: ";" between cells, or 31.01.2026.
    """
    cells = {
        name: as_text(source[name].head(AHEAD)).dropna()
        for name, canonical in columns.items()
        if canonical in RANGES or canonical.endswith("_at")
    }
    numbers = pd.concat([pd.Series(dtype="str"), *cells.values()])
    commas = numbers[numbers.str.fullmatch(r"[+-]?[\d.]*\d,\d+").astype(bool)]
    if len(commas):
        thousands = commas.str.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}").all()
        return (".", ['# decimal = ","  # if 1,100 is not eleven hundred here']) if thousands else (",", [])
    points = numbers[numbers.str.fullmatch(r"[+-]?\d+(?:\.\d+)+").astype(bool)]
    german = draft.separator == ";" or points.str.fullmatch(r"\d\d?\.\d\d?\.\d{4}").any()
    points = points[~points.str.fullmatch(r"\d\d?\.\d\d?\.\d{4}")]
    if german and len(points) and points.str.fullmatch(r"[1-9]\d{0,2}(?:\.\d{3})+").all():
        return ",", [f"# decimal: {points.iloc[0]} is read as a whole number; if it is not, leave decimal out"]
    return ".", []


def _as_numbers(values: pd.Series, decimal: str) -> pd.Series:
    try:
        return pd.to_numeric(as_points(values, decimal), errors="coerce")
    except WorkbenchError:  # of both marks
        return pd.Series(float("nan"), values.index)


def _time_entry(times: pd.Series, decimal: str) -> Iterator[str]:
    """How distinct times are written, and the time zone to fill in where they name none."""
    numbers = times if pd.api.types.is_numeric_dtype(times) else _as_numbers(times, decimal)
    if len(times) and numbers.notna().all():
        time_unit = fitting_unit(numbers)
        yield f'time_unit = "{time_unit}"' if time_unit else "# time_unit: the times are numbers; of what?"
        if time_unit == "excel_days":
            yield ZONE
        return
    texts = as_text(spread(times))
    if iso_times(texts).isna().any():
        forms = fitting_formats(texts)
        also = f"  # or {_text(forms[1])}, if that is the order" if len(forms) > 1 else ""
        yield f"time_format = {_text(forms[0])}{also}" if forms else '# time_format = "%d/%m/%Y %H:%M"'
    if texts[~texts.str.contains(OFFSET)].str.contains(CLOCK).any():
        yield ZONE


def _columns(source: pd.DataFrame, columns: Mapping[str, str], date: list[str], decimal: str) -> Iterator[str]:
    """The table of columns, what was left over, and scales that medians suggest."""
    yield from ("", "[columns]")
    for name, canonical in columns.items():
        of = f", in {unit(canonical)}" if unit(canonical) else ""
        rounded = f"; if it was measured, {canonical.removeprefix('netinfo_')}" if canonical in BROWSERS else ""
        yield f'{_text(name)} = "{canonical}"  # {label(canonical)}{of}{rounded}'
    rest = [str(name) for name in source if name not in columns and name not in date]
    if rest:
        yield "# What follows was not recognised: name what it is, or leave it out."
    yield from (f'# {_text(name)} = ""' for name in rest)
    in_bytes = bool(OOKLA & {plain for name in source for plain in _plain_names(str(name))})
    scales = {
        canonical: _scale(canonical, source[name], decimal)
        for name, canonical in columns.items()
        if canonical in RANGES
    }
    if in_bytes and "downlink_mbps" in scales:
        scales["downlink_mbps"] = "bytes a second", 8e-6
    if any(said for said, _ in scales.values()):
        yield from ("", "[scale]")
    for canonical, (said, factor) in scales.items():
        if said:
            yield f"{canonical} = {factor:g}  # {said} in the file{', or bytes a second: 8e-06' * (factor == 1e-6)}?"


def _scale(canonical: str, values: pd.Series, decimal: str) -> tuple[str, float]:
    """The unit that a column seems to have, with its factor; "" where it is the canonical one."""
    name = str(values.name)
    if canonical == "downlink_mbps" and (found := _rate(name)):
        prefix, factor = RATES[(found["of"] or "")[:1].lower()]
        in_bytes = found["what"].lower().startswith("byte") or (found["what"] == "B" and found["per"].islower())
        said = f"{prefix}{'byte' if in_bytes else 'bit'}/s"
        return ("", 1.0) if said == "Mbit/s" else (said, factor * (8 if in_bytes else 1))
    if canonical != "downlink_mbps" and (found := TIME.search(name)):
        return TIMES[(found["of"] or found["long"] or "").lower()]
    median = median_of(_as_numbers(values, decimal))
    low, high = RANGES[canonical].median
    return ("", 1.0) if not median or low <= median <= high else likely_unit(median, canonical)


def _text(value: str | int | list[str]) -> str:
    """A TOML string or list: JSON's escapes are TOML's too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
