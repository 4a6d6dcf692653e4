"""Cards: what a dataset's file says about it, read and checked."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass as plain_dataclass
from dataclasses import field, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypedDict
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    StrictBool,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    model_validator,
    with_config,
)
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs, PydanticCustomError

from workbench.checked import checked
from workbench.datasets.columns import FLAG, LEVELS, NUMBER, TEXT, Column, Level
from workbench.datasets.schema import ASSUMABLE, COLUMNS, LABELS, LOSABLE, MEASURED, NAVIGATION_COLUMNS, SOURCE_COLUMNS
from workbench.errors import WorkbenchError, check_one_of, did_you_mean, not_one_of

READERS = ("csv", "jsonl", "parquet")
DTYPES = {"text": TEXT, "number": NUMBER, "flag": FLAG}
TIME_UNITS = {"unix_s": "s", "unix_ms": "ms", "unix_us": "us", "unix_ns": "ns", "excel_days": "D"}
LINK_COLUMNS = ("from_page", "to_page")
CARD_NAME = re.compile(r"\w[\w.-]*")
LOG_NAME = re.compile(
    r"(\.|\baccess_)log([.-]\d+)?(\.(gz|bz2|xz|zst))?$"
)  # access.log, and as logrotate names older ones
CHECKOUT = Path(__file__).resolve().parents[2]
# What was expected, by pydantic's kind of error, and by entry where a text has the wrong form.
EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    **dict.fromkeys(("dict_type", "dataclass_type"), "a table"),
    "tuple_type": "a list",
    "string_too_long": "one character",
    **dict.fromkeys(("float_type", "greater_than", "finite_number"), "a number above 0"),
    **dict.fromkeys(("int_type", "greater_than_equal"), "a whole number from 0"),
}
FORMS = {
    "name": "a plain name, without folders or '..'",
    "folder": "a plain name, without folders or '..'",
    "url": "an address that starts with http:// or https://",
    "sha256": "64 digits of 0 to 9 and a to f",
    **dict.fromkeys(("constants", "values"), "one text, number, true or false"),
}
SINGLE = {"constants": 1, "values": 2}  # steps into an entry at which single values stand
PLAIN = r"^(?!\.{0,2}$|.:)[^/\\\0]+\Z"  # of a file's name, which leads nowhere else; C: is a drive


@plain_dataclass(frozen=True)
class Kind:
    """What a card of a kind may say."""

    rows: str  # what its rows are, in words
    columns: tuple[Column, ...]  # canonical columns that a source may give
    reserved: tuple[str, ...]  # names that a card's own context columns may not take
    time: str  # the column of times
    of_a_row: tuple[str, ...]  # columns that differ from row to row, so no constants
    assumable: tuple[str, ...]  # quantities that may be assumed
    known_by: str  # information set of comparisons, where the card names none
    readers: tuple[str, ...]  # those that only this kind has
    generators: tuple[str, ...]
    fields: tuple[str, ...]  # entries of a card that only this kind has


KINDS = {
    "measurements": Kind(
        rows="measurements of the network",
        columns=COLUMNS,
        reserved=tuple(column.name for column in COLUMNS),
        time="measured_at",
        of_a_row=MEASURED,
        assumable=MEASURED,
        known_by="first_request",
        readers=(),
        generators=("synthetic_network",),
        fields=("lost", "require"),
    ),
    "navigations": Kind(
        rows="page views",
        columns=SOURCE_COLUMNS,
        reserved=tuple(dict.fromkeys(column.name for column in (*NAVIGATION_COLUMNS, *COLUMNS))),
        time="viewed_at",
        of_a_row=("page", "session_id", "user_id", "position"),
        assumable=ASSUMABLE,
        known_by="client_js",  # a page's own script does the fetching ahead
        readers=("access_log", "msnbc", "wikispeedia"),
        generators=("synthetic_site",),
        fields=("order", "sections", "session_gap_min", "percent_encoded", "pages", "format", "client"),
    ),
}


def _low_base_high(given: Any) -> tuple[float, ...]:
    values = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else []
    try:
        low, base, high = map(POSITIVE.validate_python, values)
    except ValueError:
        low, base, high = 1.0, 0.0, 0.0
    if not low <= base <= high:
        raise PydanticCustomError("unfit", "three rising numbers above 0 (low, base, high)")
    return low, base, high


def _as_columns(given: Any) -> Any:
    """Context columns, from a card's table of them."""
    if not isinstance(given, Mapping):
        return given
    for name, entry in given.items():
        if not isinstance(entry, Mapping):
            raise WorkbenchError(f"context.{name} must be a table; got {entry!r}.")
    entries = [ContextEntry(**{"name": name, **entry}) for name, entry in given.items()]
    return tuple(Column(entry.name, DTYPES[entry.type], entry.level, entry.meaning) for entry in entries)


@plain_dataclass(frozen=True)
class Bounds:
    """Numbers of cells that a rule is about: those above a number, or below one."""

    above: float = math.inf
    below: float = -math.inf


def _cells(given: Any) -> tuple[str, ...] | Bounds:
    """Values of cells: texts, or bounds of numbers."""
    if isinstance(given, Bounds):
        return given
    if isinstance(given, Mapping) and given and {*given} <= {"above", "below"}:
        if all(isinstance(bound, int | float) and not isinstance(bound, bool) for bound in given.values()):
            return Bounds(**given)
    elif not isinstance(given, Mapping | str) and isinstance(given, Iterable):
        return tuple(map(str, given))
    raise PydanticCustomError("unfit", "a list of texts, or a table such as { above = 60000 }")


def _by_column(given: Any) -> Any:
    """Texts by column; a list is for any column."""
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        return given or {}
    return {"*": [*given]}


Cells = Annotated[tuple[str, ...] | Bounds, PlainValidator(_cells)]
Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
POSITIVE = TypeAdapter(Positive)
LowBaseHigh = Annotated[tuple[float, ...], PlainValidator(_low_base_high)]
Marker = Annotated[str, BeforeValidator(str)]
Whole = Annotated[int, Strict(), Field(ge=0)]
CHECKED = ConfigDict(extra="forbid", regex_engine="python-re", use_attribute_docstrings=True)


@with_config(CHECKED)
class Generate(TypedDict, total=False):
    """Arguments of a generator."""

    rows: Whole
    seed: Whole
    planted: StrictBool


@dataclass(frozen=True, config=CHECKED)
class Entries:
    """Entries of a card, checked as they are made; an error is one sentence after ``PREFIX``."""

    PREFIX: ClassVar[str] = "{name}: "

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_sentence(cls, data: Any, handler: ValidatorFunctionWrapHandler) -> Self:
        try:
            return handler(data)
        except (ValidationError, WorkbenchError) as err:
            if isinstance(data, ArgsKwargs):
                data = {**dict(zip(("name",), data.args, strict=False)), **(data.kwargs or {})}
            if not isinstance(data, Mapping):
                raise  # no table at all, which the entry that it stands in says
            words = _in_words(err, [entry.name for entry in fields(cls)]) if isinstance(err, ValidationError) else err
            raise WorkbenchError(f"{cls.PREFIX.format(name=data.get('name', ''))}{words}") from err


def _in_words(err: ValidationError, entries: Sequence[str]) -> str:
    """The first thing that is wrong: which entry, what was expected, what came."""
    first = err.errors(include_url=False)[0]
    (whole, *inner), kind, got = first["loc"], first["type"], first["input"]
    whole = entries[whole] if isinstance(whole, int) else whole  # given by its place
    entry = ".".join(map(str, (whole, *inner)))
    if kind == "missing":
        return f"{entry} must be given."
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        known = list(Generate.__annotations__ if inner else entries)
        what, got = f"an entry{f' of [{whole}]' if inner else ''}", first["loc"][-1]
        return not_one_of(what, got, known)
    if kind == "literal_error":
        return not_one_of(entry, got, [name for name in re.findall("'([^']*)'", first["ctx"]["expected"]) if name])
    single = len(inner) >= SINGLE.get(whole, math.inf)
    if single:
        entry = ".".join(map(str, (whole, *inner[: SINGLE[whole]])))  # pydantic goes on to name each type that it tried
    form = kind == "string_pattern_mismatch" or single
    return f"{entry} must be {FORMS[whole] if form else EXPECTED.get(kind, first['msg'])}; got {got!r}."


@dataclass(frozen=True, config=CHECKED)
class SourceFile(Entries):
    """One file of a dataset: its name, where it is published, its sha256, and columns that are constant in it.

    ``folder`` names the folder in cache and mirror, if it is not the card's name: two cards may read one dataset.
    ``links`` maps columns of a file of page links, which holds no views, to ``from_page`` and ``to_page``.
    """

    PREFIX: ClassVar[str] = "file {name!r}: "

    name: Annotated[str, Field(pattern=PLAIN)]
    url: Annotated[str, Field(pattern="^(https?://.*)?$")] = ""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?\Z")] = ""
    constants: dict[str, str | bool | int | float] = field(default_factory=dict)
    folder: Annotated[str, Field(pattern=rf"^\Z|{PLAIN}")] = ""
    links: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.links and sorted(self.links.values()) != sorted(LINK_COLUMNS):
            raise WorkbenchError(
                f"links must name the columns of {' and '.join(LINK_COLUMNS)}, each once; got {self.links!r}."
            )


@dataclass(frozen=True, config=CHECKED)
class ContextEntry(Entries):
    """A context column of a card's own, as its table describes it."""

    PREFIX: ClassVar[str] = "context column {name!r}: "

    name: str
    type: Literal["text", "number", "flag"]
    level: Level
    meaning: str = ""


@dataclass(frozen=True, config=CHECKED)
class Pages(Entries):
    """What a page is, where pages are addresses (they begin with "/", or with http:// or https://)."""

    PREFIX: ClassVar[str] = "pages: "

    keep_query: tuple[str, ...] = ()
    """Names of query parameters that make another page; all others are cut. ``"*"`` keeps all. Those of tracking and of
    a visit (``utm_source``, ``gclid``, ``PHPSESSID``) never stay."""
    fragments: StrictBool = False
    """Whether ``#/route`` belongs to the page."""
    patterns: dict[str, str] = field(default_factory=dict)
    """Name of a page to the regular expression of the paths that it stands for: decoded, without query and final slash;
    the first that fits counts."""
    ids: Literal["", "auto"] = ""
    """``"auto"`` lets numbers, UUIDs and hashes in a path become ``<id>``."""
    skip: tuple[str, ...] = ()
    """Regular expressions of paths that are no pages, beyond files, feeds and the usual requests of scripts."""
    never: tuple[str, ...] = ()
    """Regular expressions of pages that exported Speculation Rules never name, beyond signing out, carts, and so on."""
    static: StrictBool = False
    """Whether files (pictures, fonts, archives), feeds and requests of scripts (``/api/``) stay."""

    def __post_init__(self) -> None:
        entries = {f"patterns.{name}": pattern for name, pattern in self.patterns.items()}
        for name in ("skip", "never"):
            entries |= {f"{name}[{place}]": pattern for place, pattern in enumerate(getattr(self, name))}
        for entry, pattern in entries.items():
            try:
                re.compile(pattern)
            except re.error as err:
                raise WorkbenchError(f"{entry} must be a regular expression; got {pattern!r} ({err}).") from err


@dataclass(frozen=True, config=CHECKED, repr=False)
class Card(Entries):
    """What a card says about a dataset. Its TOML file has these entries, except ``name`` and ``folder``."""

    name: str
    """The card's file name without ``.toml``."""
    title: str = ""
    """What it is, in a line."""
    kind: Literal["measurements", "navigations"] = "measurements"
    """What a row is: a measurement of the network, or a page view (``"navigations"``)."""
    citation: str = ""
    """Whom to cite."""
    licence: str = ""
    """Under which terms it may be used."""
    note: str = ""
    """What to beware of."""
    simulated: StrictBool = False
    """Whether the data come from a simulation; every figure then says SIMULATED."""
    known_by: str = ""
    """When the context is known: ``first_request``, ``after_accept_ch``, ``client_js``, ``native_app`` or ``never``;
    empty: ``first_request`` for measurements, ``client_js`` for page views."""
    mirror_only: StrictBool = False
    """No public address: files come from beside the card, the cache or ``WORKBENCH_MIRROR``."""
    files: tuple[SourceFile, ...] = ()
    """The source files: ``name``, ``url``, ``sha256``, ``constants``, ``folder``, and ``links`` for a file of links
    between pages."""
    reader: str = ""
    """How files are read: ``csv``, ``jsonl``, ``parquet``, and for page views ``access_log``, ``msnbc``,
    ``wikispeedia``; empty: by the ending of each file's name."""
    separator: Annotated[str, Field(max_length=1)] = ""
    """Of a CSV file; empty: a comma, or a tab in ``.tsv``."""
    header: StrictBool = True
    """Whether the first line of a CSV file names the columns; without it they are called 1, 2, 3."""
    decimal: Literal[".", ","] = "."
    """The decimal mark."""
    thousands: Literal["", ",", "."] = ""
    """The mark between thousands, where numbers such as ``1,100`` leave it open; it is not the decimal mark."""
    encoding: str = ""
    """Of a text file, such as ``"latin-1"``; empty: UTF-8, or UTF-16 with a mark in front."""
    comment: Annotated[str, Field(max_length=1)] = ""
    """The character with which lines of a CSV file begin that are left out."""
    skip_lines: Whole = 0
    """How many lines, such as titles, stand above the names of a CSV file's columns."""
    records: str = ""
    """Where in a JSON file the list of rows is, as in ``"data.runs"``; empty: the file itself. A step into a list is a
    step into each of its rows. What stands around a row is its columns too, as ``outer.<name>`` where rows have the
    name."""
    format: str = ""
    """Of an access log: ``common``, ``combined``, ``vhost_combined``, ``alb``, ``w3c``, ``caddy``, ``traefik``,
    ``nginx_json``, or nginx's ``log_format`` or Apache's ``LogFormat`` string; empty: recognised from the lines."""
    client: Literal["", "forwarded"] = ""
    """``"forwarded"`` takes the first address that a proxy forwarded for the visitor's."""
    pages: Pages = Pages()
    """What a page is, where pages are addresses; a table of its own, below."""
    generator: str = ""
    """What simulates the rows, in place of files: ``synthetic_network`` or ``synthetic_site``."""
    generate: Generate = field(default_factory=Generate)
    """Arguments of the generator: ``rows``, ``seed``, ``planted``."""
    columns: dict[Any, Any] = field(default_factory=dict)
    """Source column to canonical column. In an export of an access log, ``user_agent``, ``status``, ``method`` and
    ``address`` tell page views of people from other requests."""
    constants: dict[str, str | bool | int | float] = field(default_factory=dict)
    """Canonical column to a value for every row."""
    values: dict[str, dict[Any, str | bool | int | float | None]] = field(default_factory=dict)
    """Canonical column to a mapping of source values to canonical ones; an empty text means missing."""
    scale: dict[str, Positive] = field(default_factory=dict)
    """Canonical column to a factor that converts to its unit (``rtt_ms = 1000`` for seconds)."""
    time_unit: Literal["", "unix_s", "unix_ms", "unix_us", "unix_ns", "excel_days"] = ""
    """Of times given as numbers since 1970, or as Excel counts days; empty: they are ISO 8601, or as ``time_format``
    says."""
    time_format: str = ""
    """How times are written, as in ``"%d/%m/%y, %H:%M"`` (Python's ``strptime``)."""
    time_zone: str = ""
    """Of times without an offset, such as ``"Europe/Berlin"``; empty: UTC, with a warning."""
    date: tuple[str, ...] = ()
    """Source columns of the time where it stands in several: of the day and the time of day, which are read as one text
    with a space between; or of year, month and day."""
    missing: Annotated[dict[str, tuple[Marker, ...]], BeforeValidator(_by_column)] = field(default_factory=dict)
    """Values that mean "missing": a list for any column, or a table of lists by canonical column (``"*"``: any)."""
    lost: dict[str, Cells] = field(default_factory=dict)
    """Source column to the values that mark a lost probe (``rtt_ms`` becomes infinite): a list of texts, or bounds as
    in ``{ above = 60000 }`` and ``{ below = 1 }``."""
    skip: dict[str, Cells] = field(default_factory=dict)
    """Source column to the values of rows to leave out, as for ``lost``. Access logs have ``address``, ``user_agent``,
    ``status``, ``method`` and ``page``."""
    keep: dict[str, Cells] = field(default_factory=dict)
    """Source column to the values of the only rows to keep, as for ``lost``."""
    plausible: StrictBool = True
    """``false`` keeps numbers that no network has, such as a median round-trip time under 1 ms."""
    unknown_user: Literal["", "separate"] = ""
    """Rows without a user, where others have one: empty leaves them out; ``"separate"`` takes each session (of
    measurements: each row) for a person of its own."""
    require: tuple[str, ...] = ()
    """Measured quantities that every row needs, or it is left out and counted; empty: any one of them."""
    drop_duplicates: StrictBool = False
    """Whether a row that repeats another of its file in every column is a copy, not a second view."""
    assume: dict[str, LowBaseHigh] = field(default_factory=dict)
    """Quantity that the source does not measure to low, base and high."""
    context: Annotated[tuple[Column, ...], BeforeValidator(_as_columns)] = ()
    """Context columns beyond the canonical ones: ``type``, ``level`` (as ``known_by``) and ``meaning`` of each."""
    labels: dict[str, str] = field(default_factory=dict)
    """Column to what readers see for it."""
    margin: Positive | None = None
    """Smallest difference in net that matters, in points; without it, the decision's own."""
    order: Literal["", "file"] = ""
    """``"file"`` if the order of rows stands for time, which is missing or too coarse; empty: by time."""
    sections: StrictBool = False
    """Whether a page is a section of the site, never "already fetched", so that no cache is replayed."""
    session_gap_min: Positive = 30.0
    """Minutes without a view that end a session, where the source has no sessions."""
    percent_encoded: StrictBool = False
    """Whether names of pages are percent-encoded UTF-8, to be decoded."""
    folder: Path | None = None

    def __post_init__(self) -> None:
        if not self.known_by:
            object.__setattr__(self, "known_by", self.facts.known_by)
        check_one_of("known_by", self.known_by, LEVELS)
        self._check_kind()
        self._check_names()
        self._check_measured()
        self._check_reading()

    def __deepcopy__(self, memo: dict) -> Card:
        """Itself: it cannot change, and pandas copies ``attrs`` with every selection."""
        return self

    def __repr__(self) -> str:
        return f"Card({self.name}, {self.kind}{', simulated' if self.simulated else ''})"

    @property
    def origin(self) -> str:
        """Where the rows come from: "generated", "downloaded", or "mirror only" (no public address)."""
        return "generated" if self.generator else "mirror only" if self.mirror_only else "downloaded"

    @property
    def facts(self) -> Kind:
        """What a card of this kind may say."""
        return KINDS[self.kind]

    def _check_kind(self) -> None:
        """Refuse what cards of another kind have, and a time that is given twice."""
        empty = {entry.name: entry.default for entry in fields(self)}
        for kind, facts in KINDS.items():
            for name in facts.fields:
                value = getattr(self, name)
                if kind != self.kind and value and value != empty[name]:
                    raise WorkbenchError(f"{name} is for cards of {kind}; this one is of {self.kind}. Leave it out.")
        if self.kind != "navigations" and any(file.links for file in self.files):
            raise WorkbenchError(f"links of pages are for cards of navigations; this one is of {self.kind}.")
        if self.reader:
            check_one_of("reader", self.reader, (*READERS, *self.facts.readers))
        if self.generator:
            check_one_of("generator", self.generator, self.facts.generators)
        if len(self.date) > 3:
            raise WorkbenchError(
                f"date must be two columns (day, time of day) or three (year, month, day); got {list(self.date)!r}."
            )
        if self.date and self.facts.time in self.columns.values():
            raise WorkbenchError(f"date and a column of {self.facts.time} both give the time; name one.")

    def _check_names(self) -> None:
        """Refuse names of columns that are not canonical, and columns of the card's own that are."""
        own = [column.name for column in self.context]
        for name in own:
            if name in self.facts.reserved:
                raise WorkbenchError(f"context column {name!r} is canonical; give yours its own name.")
        constants = [*self.constants, *(name for file in self.files for name in file.constants)]
        for name in [*self.columns.values(), *self.values, *self.missing.keys() - {"*"}, *constants]:
            check_one_of("canonical column", name, [*(column.name for column in self.facts.columns), *own])
        for name in self.labels:
            check_one_of("labelled column", name, [*LABELS, *own])
            if not self.labels[name].isprintable():
                raise WorkbenchError(
                    f"the label of {name} must be one line of printable text; got {self.labels[name]!r}."
                )
        for name in constants:
            if name in MEASURED:
                raise WorkbenchError(f"{name} is measured, not constant; state it under assume.")
            if name in self.facts.of_a_row:
                raise WorkbenchError(f"{name} differs from row to row; name its column under columns.")

    def _check_measured(self) -> None:
        for name in self.scale:
            numbers = [column.name for column in self.facts.columns if column.dtype == NUMBER]
            check_one_of("scaled column", name, numbers)
        for name in self.assume:
            check_one_of("assumed quantity", name, self.facts.assumable)
        for name in self.require:
            check_one_of("required quantity", name, [name for name in MEASURED if self._may_give(name)])
        if self.lost and not self._may_give(LOSABLE):
            raise WorkbenchError(
                f"a lost probe is an infinite {LOSABLE}, which no column gives; name its source under columns, or "
                "take skip."
            )

    def _may_give(self, name: str) -> bool:
        """Whether a column gives a quantity; a frame of your own may have it under its own name."""
        return self.folder is None or name in self.columns.values()

    def _check_reading(self) -> None:
        """Refuse an encoding, a time zone and a form of times that nobody knows."""
        if self.thousands == self.decimal:
            raise WorkbenchError(f"thousands and decimal must be two marks; got {self.decimal!r} for both.")
        if self.separator in ("\n", "\r", '"'):
            raise WorkbenchError(f"separator must be one character between cells, such as ';'; got {self.separator!r}.")
        try:
            "".encode(self.encoding or "utf-8")  # base64 and rot13 are codecs too, but not of text
        except (LookupError, ValueError) as err:
            raise WorkbenchError(
                f"encoding must be one that Python knows, such as 'latin-1'; got {self.encoding!r}."
            ) from err
        try:
            ZoneInfo(self.time_zone or "UTC")
        except (KeyError, ValueError, OSError) as err:
            raise WorkbenchError(
                f"time_zone must be one of the IANA database, such as 'Europe/Berlin'; got {self.time_zone!r}."
            ) from err
        try:
            pd.to_datetime(["2026-01-31"], format=self.time_format or "ISO8601", errors="coerce")
        except ValueError as err:
            raise WorkbenchError(
                f"time_format must be one of Python's strptime, such as '%d/%m/%y, %H:%M'; got {self.time_format!r}."
            ) from err


def table_of_entries() -> str:
    """Every entry of a card, in Markdown: its name, the kind of card that has it, and what it says."""
    kind_of = {name: kind for kind, facts in KINDS.items() for name in facts.fields}
    rows = [
        (prefix + name, kind_of.get(prefix.partition(".")[0] or name, "both"), " ".join(str(entry.description).split()))
        for prefix, card in (("", Card), ("pages.", Pages))
        for name, entry in vars(card)["__pydantic_fields__"].items()
        if name not in ("name", "folder")
    ]
    lines = [f"| `{name}` | {kind} | {meaning.replace('``', '`').replace('|', '/')} |" for name, kind, meaning in rows]
    return "\n".join(["| entry | cards of | what it says |", "| --- | --- | --- |", *lines])


def read_card(path: Path) -> Card:
    """Read a card from its TOML file.

    Raises a WorkbenchError if the file is not TOML, or an entry is unknown or wrong: which, what was expected, what was
    given.
    """
    if not CARD_NAME.fullmatch(path.stem):
        raise WorkbenchError(
            f"a card's file name must begin with a letter or digit and hold no more than letters, digits, '_', '-' and "
            f"'.'; got {path.name!r}. Its downloads lie in a folder of that name."
        )
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows editors put a mark in front
    except tomllib.TOMLDecodeError as err:
        raise WorkbenchError(f"{path.name} is not a card: expected TOML; {err}.") from err
    except UnicodeDecodeError as err:
        line = err.object.count(b"\n", 0, err.start) + 1
        raise WorkbenchError(f"{path.name} is not a card: expected TOML in UTF-8, which line {line} is not.") from err
    except (RecursionError, ValueError) as err:  # Python reads no number of more than 4,300 digits
        raise WorkbenchError(
            f"{path.name} is not a card: it holds lists within lists too deep to read, or a number of thousands of "
            "digits. Leave them out."
        ) from err
    except OSError as err:
        raise WorkbenchError(f"{path.name} cannot be read: {err.strerror}. Make it readable.") from err
    known = [entry.name for entry in fields(Card) if entry.name not in ("name", "folder")]
    for name in entries:
        check_one_of(f"{path.stem}: an entry", name, known)
    return Card(name=path.stem, folder=path.parent.resolve(), **entries)


def card_folder() -> Path:
    """Folder of the cards: ``WORKBENCH_DATASETS``, else ``datasets/`` of the checkout.

    Raises a WorkbenchError if neither exists (an installed package without a checkout).
    """
    given = os.environ.get("WORKBENCH_DATASETS")
    folder = Path(given).expanduser() if given else CHECKOUT / "datasets"
    if not folder.is_dir():
        raise WorkbenchError(
            f"no dataset cards: expected a folder at {given or 'datasets/ of the checkout'}. Set WORKBENCH_DATASETS to "
            "the folder of your cards, or give the path of a card."
        )
    return folder


def list_cards() -> list[Card]:
    """All cards of :func:`card_folder`, by name."""
    return [read_card(path) for path in sorted(card_folder().glob("*.toml"))]


def list_datasets() -> pd.DataFrame:
    """The datasets whose cards are found, sorted by name.

    One row per card: ``name``, ``title``, ``kind`` ("measurements" or "navigations"), ``origin`` ("generated",
    "downloaded", or "mirror only": no public address), ``licence``, ``simulated`` (bool), ``citation``.

    Examples
    --------
    >>> list_datasets().set_index("name").loc["msnbc", ["kind", "origin"]].tolist()
    ['navigations', 'downloaded']
    """
    cards = list_cards()
    shown = ("name", "title", "kind", "origin", "licence", "simulated", "citation")
    return pd.DataFrame([{name: getattr(card, name) for name in shown} for card in cards], columns=list(shown))


@checked
def find_card(name_or_path: str | os.PathLike[str]) -> Card:
    """Find a card by its name, or by the path of its file anywhere; for an access log, a card is made.

    Raises a WorkbenchError if there is no such card; it names those that exist.
    """
    text = os.fspath(name_or_path)
    path, is_file = _at(text)
    if LOG_NAME.search(path.name):
        return _card_of_log(path)
    if text.endswith(".toml"):
        if not is_file:
            raise WorkbenchError(f"no card at {text}: expected a TOML file.")
        return read_card(path)
    names = [path.stem for path in sorted(card_folder().glob("*.toml"))]
    if text not in names and is_file:
        raise WorkbenchError(f"{text} is no card: write a first one, as in: workbench card {text}")
    if text not in names:
        raise WorkbenchError(
            f"unknown dataset {text!r}: expected one of {', '.join(names)}, or the path of a card ending in .toml."
            f"{did_you_mean(text, names)}"
        )
    return read_card(card_folder() / f"{text}.toml")


def _at(text: str) -> tuple[Path, bool]:
    """A path, and whether a file is there."""
    try:
        path = Path(text).expanduser()
        return path, path.is_file()
    except (RuntimeError, ValueError) as err:
        raise WorkbenchError(f"{text}: expected a path; no folder is called so here.") from err
    except OSError as err:
        raise WorkbenchError(f"{text}: expected a path; {err.strerror}.") from err


def _card_of_log(path: Path) -> Card:
    if not path.is_file():
        raise WorkbenchError(f"no access log at {path}: expected a file in common or combined log format.")
    return Card(
        name=path.name if CARD_NAME.fullmatch(path.name) else "access_log",
        title=f"Access log {path.name}",
        kind="navigations",
        licence="your own",
        reader="access_log",
        files=(SourceFile(name=path.name),),
        folder=path.parent.resolve(),
    )
