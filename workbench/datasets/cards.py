"""Cards: what a dataset's file says about it, read and checked."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Real
from pathlib import Path
from typing import Any

from workbench.datasets.columns import FLAG, LEVELS, NUMBER, TEXT, Column
from workbench.datasets.schema import ASSUMABLE, COLUMNS, LABELS, LOSABLE, MEASURED, NAVIGATION_COLUMNS, SOURCE_COLUMNS
from workbench.errors import WorkbenchError, check_whole, did_you_mean

SCALARS = (str, int, float, bool)
KINDS_IN_WORDS = {
    str: "text",
    bool: "true or false",
    dict: "a table",
    list: "a list",
    SCALARS: "one text, number, true or false",
}


def check_one_of(card: str, what: str, value: object, known: Sequence[str]) -> None:
    """Refuse a value that is not one of those known, and name the nearest."""
    if value not in known:
        hint = did_you_mean(str(value), list(known))
        raise WorkbenchError(f"{card}: {what} must be one of {', '.join(known)}; got {value!r}.{hint}")


def check_type(card: str, what: str, value: object, kind: type | tuple[type, ...]) -> None:
    """Refuse a value of another type than a card's field has."""
    if not isinstance(value, kind):
        raise WorkbenchError(f"{card}: {what} must be {KINDS_IN_WORDS[kind]}; got {value!r}.")


def check_above_zero(card: str, what: str, value: object) -> None:
    """Refuse what is not a finite number above 0."""
    if not (is_number(value) and 0 < value < math.inf):  # type: ignore[operator]
        raise WorkbenchError(f"{card}: {what} must be a number above 0; got {value!r}.")


def check_assumed(card: str, quantity: str, values: tuple[float, ...]) -> None:
    """Refuse what is not three rising numbers above 0."""
    if len(values) != 3 or not 0 < values[0] <= values[1] <= values[2] < math.inf:
        raise not_rising(card, quantity, tuple(values))


def check_date(card: str, date: Sequence[str], time: str, given: Collection[str]) -> None:
    """Refuse a date that is not told by three columns, or a time that is told twice."""
    if date and len(date) != 3:
        raise WorkbenchError(f"{card}: date must name three columns (year, month, day); got {list(date)!r}.")
    if date and time in given:
        raise WorkbenchError(f"{card}: date and a column of {time} both tell the time; name one.")


def low_base_high(card: str, assume: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """What is assumed, as numbers.

    Raises
    ------
    WorkbenchError
        Where an entry is not a list of numbers.
    """
    for quantity, values in assume.items():
        if isinstance(values, str) or not isinstance(values, Iterable) or not all(map(is_number, values)):
            raise not_rising(card, quantity, values)
    return {quantity: tuple(map(float, values)) for quantity, values in assume.items()}


def not_rising(card: str, quantity: str, values: object) -> WorkbenchError:
    """The error for an assumption that is not low, base, high."""
    return WorkbenchError(
        f"{card}: what is assumed for {quantity} must be three rising numbers above 0 (low, base, high); "
        f"got {values!r}."
    )


def is_number(value: object) -> bool:
    """Whether a value is a number; true and false are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_plain(name: str) -> bool:
    """Whether a file's name leads nowhere else."""
    return name not in ("", ".", "..") and not set(name) & set("/\\:\0")


@dataclass(frozen=True)
class Kind:
    """What a card of a kind may say.

    Parameters
    ----------
    columns : tuple of Column
        Canonical columns that a source may give.
    reserved : tuple of str
        Names that a card's own context columns may not take.
    time : str
        The column of times.
    of_a_row : tuple of str
        Columns that differ from row to row and so are no constants.
    assumable : tuple of str
        Quantities that may be assumed.
    known_by : str
        Information set of comparisons, where the card names none.
    readers, generators : tuple of str
        Those that only this kind has.
    fields : tuple of str
        Fields of a card that only this kind has.
    """

    columns: tuple[Column, ...]
    reserved: tuple[str, ...]
    time: str
    of_a_row: tuple[str, ...]
    assumable: tuple[str, ...]
    known_by: str
    readers: tuple[str, ...]
    generators: tuple[str, ...]
    fields: tuple[str, ...]


KINDS = {
    "measurements": Kind(
        columns=COLUMNS,
        reserved=tuple(column.name for column in COLUMNS),
        time="measured_at",
        of_a_row=MEASURED,
        assumable=MEASURED,
        known_by="first_request",
        readers=(),
        generators=("synthetic_network",),
        fields=("lost", "skip", "require"),
    ),
    "navigations": Kind(
        columns=SOURCE_COLUMNS,
        reserved=tuple(dict.fromkeys(column.name for column in (*NAVIGATION_COLUMNS, *COLUMNS))),
        time="viewed_at",
        of_a_row=("page", "session_id", "user_id", "position"),
        assumable=ASSUMABLE,
        known_by="client_js",  # a page's own script does the fetching ahead
        readers=("access_log", "msnbc", "wikispeedia"),
        generators=("synthetic_site",),
        fields=("order", "sections", "session_gap_min", "percent_encoded"),
    ),
}
GENERATED_FROM = ("rows", "seed", "planted")


TEXTS = (
    "title",
    "kind",
    "citation",
    "licence",
    "note",
    "known_by",
    "reader",
    "separator",
    "time_unit",
    "generator",
    "order",
)
FLAGS = ("simulated", "mirror_only", "drop_duplicates", "sections", "percent_encoded")
TABLES = ("generate", "columns", "constants", "values", "scale", "lost", "skip", "assume", "context", "labels")
LISTS = ("files", "missing", "require", "date")
LINK_COLUMNS = ("from_page", "to_page")
SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class SourceFile:
    """One file of a dataset: its name, where it is published, its sha256, and columns that hold for all of it.

    ``folder`` is that of cache and mirror, where it is not the card's name: two cards may read files of one dataset.
    ``links`` maps columns of the file to ``from_page`` and ``to_page``, where it holds the links of pages, not views.
    """

    name: str
    url: str = ""
    sha256: str = ""
    constants: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    links: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not is_plain(self.name) or (self.folder and not is_plain(self.folder)):
            raise WorkbenchError(
                "a file name in a card is a plain name, without folders or '..'; got "
                f"{(self.folder if is_plain(self.name) else self.name)!r}. Put the file beside the card."
            )
        if self.url and not self.url.startswith(("http://", "https://")):
            raise WorkbenchError(f"the url of {self.name} must start with http:// or https://; got {self.url!r}.")
        if self.sha256 and not SHA256.fullmatch(self.sha256):
            raise WorkbenchError(
                f"the sha256 of {self.name} must be 64 digits of 0 to 9 and a to f; got {self.sha256!r}."
            )
        if self.links and sorted(self.links.values()) != sorted(LINK_COLUMNS):
            raise WorkbenchError(
                f"links of {self.name} must name the columns of {' and '.join(LINK_COLUMNS)}, each once; "
                f"got {dict(self.links)!r}."
            )


def typed_entries(entries: dict[str, Any], name: str) -> dict[str, Any]:
    """Fields of a card from the tables, lists, texts and numbers of its TOML.

    Raises
    ------
    WorkbenchError
        Where one is of another type than the field, or a file or context column is described wrongly.
    """
    for keys, kind in ((TEXTS, str), (FLAGS, bool), (TABLES, dict), (LISTS, list)):
        for key in keys:
            check_type(name, key, entries.get(key, kind()), kind)
    for column, values in entries.get("values", {}).items():
        check_type(name, f"values.{column}", values, dict)
    for column, value in entries.get("constants", {}).items():
        check_type(name, f"constants.{column}", value, SCALARS)
    for table in ("lost", "skip"):
        for column, markers in entries.get(table, {}).items():
            check_type(name, f"{table}.{column}", markers, list)
    for column, text in entries.get("labels", {}).items():
        check_type(name, f"labels.{column}", text, str)
    typed = dict(entries)
    typed["files"] = tuple(_source_file(name, file) for file in entries.get("files", ()))
    typed["missing"] = tuple(map(str, entries.get("missing", ())))
    for key in ("require", "date"):
        typed[key] = tuple(entries.get(key, ()))
    for table in ("lost", "skip"):
        typed[table] = {column: tuple(map(str, markers)) for column, markers in entries.get(table, {}).items()}
    typed["assume"] = low_base_high(name, entries.get("assume", {}))
    typed["context"] = tuple(_context_column(name, key, spec) for key, spec in entries.get("context", {}).items())
    return typed


def _source_file(card: str, entry: dict[str, Any]) -> SourceFile:
    check_type(card, "each of files", entry, dict)
    for key in entry:
        check_one_of(card, "a file's field", key, [f.name for f in fields(SourceFile)])
    for key in ("name", "url", "sha256", "folder"):
        check_type(card, f"a file's {key}", entry.get(key, ""), str)
    for key in ("constants", "links"):
        check_type(card, f"a file's {key}", entry.get(key, {}), dict)
    for column, value in entry.get("constants", {}).items():
        check_type(card, f"constants.{column}", value, SCALARS)
    try:
        return SourceFile(**{"name": "", **entry})
    except WorkbenchError as err:
        raise WorkbenchError(f"{card}: {err}") from err


def _context_column(card: str, name: str, spec: Mapping[str, str]) -> Column:
    check_type(card, f"context.{name}", spec, dict)
    dtypes = {"text": TEXT, "number": NUMBER, "flag": FLAG}
    check_one_of(card, f"type of context column {name}", spec.get("type"), tuple(dtypes))
    check_one_of(card, f"level of context column {name}", spec.get("level"), LEVELS)
    return Column(name, dtypes[spec["type"]], spec["level"], spec.get("meaning", ""))


READERS = ("csv", "jsonl", "parquet")
TIME_UNITS = {"unix_s": "s", "unix_ms": "ms"}
CARD_NAME = re.compile(r"\w[\w.-]*")
LOG_NAME = re.compile(r"\.log(\.\d+)?(\.gz)?$")  # access.log, and as logrotate names older ones
CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Card:
    """Facts about a dataset.

    Parameters
    ----------
    name : str
        File name of the card without ``.toml``.
    title, citation, licence, note : str
        What it is, whom to cite, under which terms, what to beware of.
    kind : str
        ``"measurements"`` or ``"navigations"``; some fields are of one kind only (``card_kinds``).
    simulated : bool
        Whether the data come from a simulation; every figure then says SIMULATED.
    known_by : str
        Information set of comparisons on this data (one of ``columns.LEVELS``); empty: the kind's own.
    mirror_only : bool
        No public address: files come from beside the card, the cache or ``WORKBENCH_MIRROR``.
    files : tuple of SourceFile
    reader : str
        How files are read: ``csv``, ``jsonl``, ``parquet``, of navigations also ``access_log``, ``msnbc``,
        ``wikispeedia``; empty: by the ending of each file's name.
    separator : str
        What stands between the cells of a CSV file; empty: a comma, or a tab in ``.tsv``.
    generator : str
        What generates the rows, where no file holds them.
    generate : mapping
        Arguments of the generator: ``rows, seed, planted``.
    columns : mapping
        Source column to canonical column.
    constants : mapping
        Canonical column to a value that holds for every row.
    values : mapping
        Canonical column to a mapping of source values to canonical ones; an empty text means missing.
    scale : mapping
        Canonical column to a factor that brings the source's unit to the contract's (``rtt_ms = 1000`` for seconds).
    time_unit : str
        How times are written where they are numbers: ``unix_s`` or ``unix_ms``, since 1970; empty: ISO 8601.
    date : tuple of str
        Source columns of year, month and day, where the time is no more than a day.
    missing : tuple of str
        Values that mean "missing", in any column.
    lost : mapping
        Source column to the values that say that the probe was lost: ``rtt_ms`` is then infinite.
    skip : mapping
        Source column to the values that say that a row measured nothing (a probe that was never sent).
    require : tuple of str
        Measured quantities that every row must have; rows that lack one are dropped and counted. Empty: any one.
    drop_duplicates : bool
        Whether a row of a file that repeats another in every source column is a copy, not a second view.
    assume : mapping
        Quantity to (low, base, high) for one that the source does not measure.
    context : tuple of Column
        Context columns beyond the canonical ones.
    labels : mapping
        Column (canonical or of ``context``) to what readers see for it, in place of the canonical label.
    margin : float or None
        Smallest difference in net worth having, in points; None: the default of comparisons.
    order : str
        ``"file"``: the order of the rows stands for time, which is missing or too coarse. Empty: sorted by time.
    sections : bool
        Whether a page is a section of the site: it is never "already fetched", so no cache is replayed.
    session_gap_min : float
        Silence that ends a session, in minutes, where the source tells no sessions.
    percent_encoded : bool
        Whether names of pages are percent-encoded UTF-8, to be decoded.
    folder : Path or None
        Where the card lies; None for a person's own frame.
    """

    name: str
    title: str = ""
    kind: str = "measurements"
    citation: str = ""
    licence: str = ""
    note: str = ""
    simulated: bool = False
    known_by: str = ""
    mirror_only: bool = False
    files: tuple[SourceFile, ...] = ()
    reader: str = ""
    separator: str = ""
    generator: str = ""
    generate: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    time_unit: str = ""
    date: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skip: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    require: tuple[str, ...] = ()
    drop_duplicates: bool = False
    assume: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    context: tuple[Column, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    margin: float | None = None
    order: str = ""
    sections: bool = False
    session_gap_min: float = 30
    percent_encoded: bool = False
    folder: Path | None = None

    def __post_init__(self) -> None:
        check_one_of(self.name, "kind", self.kind, tuple(KINDS))
        if not self.known_by:
            object.__setattr__(self, "known_by", self.facts.known_by)
        check_one_of(self.name, "known_by", self.known_by, LEVELS)
        self._check_fields_of_the_kind()
        self._check_reading()
        if self.generator:
            check_one_of(self.name, "generator", self.generator, self.facts.generators)
            self._check_generate()
        self._check_columns()
        self._check_measured()
        for quantity, values in self.assume.items():
            check_one_of(self.name, "assumed quantity", quantity, self.facts.assumable)
            check_assumed(self.name, quantity, values)
        if self.margin is not None:
            check_above_zero(self.name, "margin", self.margin)

    @property
    def facts(self) -> Kind:
        """What a card of this kind may say."""
        return KINDS[self.kind]

    def _check_fields_of_the_kind(self) -> None:
        empty = {entry.name: entry.default for entry in fields(self)}
        for kind, facts in KINDS.items():
            for name in facts.fields:
                value = getattr(self, name)
                if kind != self.kind and value and value != empty[name]:
                    raise WorkbenchError(
                        f"{self.name}: {name} is a field of cards of {kind}; this one is of {self.kind}. Leave it out."
                    )

    def _check_reading(self) -> None:
        if self.reader:
            check_one_of(self.name, "reader", self.reader, (*READERS, *self.facts.readers))
        if self.time_unit:
            check_one_of(self.name, "time_unit", self.time_unit, tuple(TIME_UNITS))
        if len(self.separator) > 1:
            raise WorkbenchError(f"{self.name}: separator must be one character; got {self.separator!r}.")
        if self.order:
            check_one_of(self.name, "order", self.order, ("file",))
        check_date(self.name, self.date, self.facts.time, self.columns.values())
        check_above_zero(self.name, "session_gap_min", self.session_gap_min)
        if self.kind != "navigations" and any(file.links for file in self.files):
            raise WorkbenchError(f"{self.name}: links of pages go with navigations; this card is of {self.kind}.")

    def _check_generate(self) -> None:
        for key in self.generate:
            check_one_of(self.name, f"what {self.generator} takes", key, GENERATED_FROM)
        for key in ("rows", "seed"):
            check_whole(f"{self.name}: {key} of [generate]", self.generate.get(key, 1), at_least=0)
        check_type(self.name, "planted of [generate]", self.generate.get("planted", True), bool)

    def _check_columns(self) -> None:
        own = [column.name for column in self.context]
        for name in own:
            if name in self.facts.reserved:
                raise WorkbenchError(f"{self.name}: context column {name!r} is canonical; give yours its own name.")
        constants = [*self.constants, *(name for file in self.files for name in file.constants)]
        for name in [*self.columns.values(), *self.values, *constants]:
            check_one_of(self.name, "canonical column", name, [*(column.name for column in self.facts.columns), *own])
        for name in self.labels:
            check_one_of(self.name, "labelled column", name, [*LABELS, *own])
        for name in constants:
            if name in MEASURED:
                raise WorkbenchError(f"{self.name}: {name} is measured, not constant; state it under assume.")
            if name in self.facts.of_a_row:
                raise WorkbenchError(f"{self.name}: {name} differs from row to row; name its column under columns.")
        numbers = [column.name for column in self.facts.columns if column.dtype == NUMBER]
        for name, factor in self.scale.items():
            check_one_of(self.name, "scaled column", name, numbers)
            check_above_zero(self.name, f"scale.{name}", factor)

    def _check_measured(self) -> None:
        for name in self.require:
            known = [quantity for quantity in MEASURED if quantity in self.columns.values()]
            check_one_of(self.name, "required quantity", name, known)
        if self.lost and LOSABLE not in self.columns.values():
            raise WorkbenchError(
                f"{self.name}: a lost probe is an infinite {LOSABLE}, which no column gives. Name its source under "
                "columns, or take skip."
            )


def read_card(path: Path) -> Card:
    """Read a card from its TOML file.

    Raises
    ------
    WorkbenchError
        Where the file is not TOML, or holds a field, level or column that cards do not have, or a field of another
        type.
    """
    if not CARD_NAME.fullmatch(path.stem):
        raise WorkbenchError(
            f"a card's file name must begin with a letter or digit and hold no more than letters, digits, '_', '-' and "
            f"'.'; got {path.name!r}. Its downloads lie in a folder of that name."
        )
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows editors put a mark in front
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise WorkbenchError(f"{path.name} is not a card: expected TOML; {err}.") from err
    known = [f.name for f in fields(Card) if f.name not in ("name", "folder")]
    for key in entries:
        check_one_of(path.stem, "a card's field", key, known)
    return Card(name=path.stem, folder=path.parent.resolve(), **typed_entries(entries, path.stem))


def card_folder() -> Path:
    """Folder that holds the cards: ``WORKBENCH_DATASETS``, else ``datasets/`` of the checkout.

    Raises
    ------
    WorkbenchError
        Where neither exists (an installed package without a checkout).
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


def find_card(name_or_path: str | os.PathLike[str]) -> Card:
    """Find a card by its name, or by the path of its file anywhere; an access log gets a card made for it.

    Raises
    ------
    WorkbenchError
        Where there is no such card; it names those that exist.
    """
    text = os.fspath(name_or_path)
    if LOG_NAME.search(Path(text).name):
        return _card_of_log(Path(text).expanduser())
    if text.endswith(".toml"):
        path = Path(text).expanduser()
        if not path.is_file():
            raise WorkbenchError(f"no card at {text}: expected a TOML file.")
        return read_card(path)
    names = [path.stem for path in sorted(card_folder().glob("*.toml"))]
    if text not in names:
        raise WorkbenchError(
            f"unknown dataset {text!r}: expected one of {', '.join(names)}, or the path of a card ending in .toml."
            f"{did_you_mean(text, names)}"
        )
    return read_card(card_folder() / f"{text}.toml")


def _card_of_log(path: Path) -> Card:
    if not path.is_file():
        raise WorkbenchError(f"no access log at {path}: expected a file in common or combined log format.")
    return Card(
        name=path.name if CARD_NAME.fullmatch(path.name) else "access_log",
        title=f"Access log {path.name}",
        kind="navigations",
        licence="your own",
        reader="access_log",
        files=(SourceFile(path.name),),
        folder=path.parent.resolve(),
    )
