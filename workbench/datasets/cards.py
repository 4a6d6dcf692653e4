"""Cards: what is known about a dataset, written down in one TOML file, and where cards are found."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from pathlib import Path
from typing import Any

from workbench.datasets.schema import BY_NAME, COLUMNS, FLAG, LEVELS, LOSABLE, MEASURED, NUMBER, TEXT, Column
from workbench.errors import WorkbenchError, check_whole, did_you_mean

KINDS = ("measurements",)
READERS = ("csv", "jsonl", "parquet")
TIME_UNITS = {"unix_s": "s", "unix_ms": "ms"}
GENERATORS = {"synthetic_network": ("rows", "seed", "planted")}
TEXTS = ("title", "kind", "citation", "licence", "note", "known_by", "reader", "separator", "time_unit", "generator")
FLAGS = ("simulated", "history", "mirror_only", "drop_duplicates")
TABLES = ("generate", "columns", "constants", "values", "scale", "lost", "skip", "assume", "context")
LISTS = ("files", "missing", "require")
SCALARS = (str, int, float, bool)
KINDS_IN_WORDS = {
    str: "text",
    bool: "true or false",
    dict: "a table",
    list: "a list",
    SCALARS: "one text, number, true or false",
}
SHA256 = re.compile("[0-9a-f]{64}")
CARD_NAME = re.compile(r"\w[\w.-]*")
CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class SourceFile:
    """One file of a dataset: its name, where it is published, its sha256, and columns that hold for all of it.

    ``folder`` is that of cache and mirror, where it is not the card's name: two cards may read files of one dataset.
    """

    name: str
    url: str = ""
    sha256: str = ""
    constants: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""

    def __post_init__(self) -> None:
        if not _is_plain(self.name) or (self.folder and not _is_plain(self.folder)):
            raise WorkbenchError(
                "a file name in a card is a plain name, without folders or '..'; got "
                f"{(self.folder if _is_plain(self.name) else self.name)!r}. Put the file beside the card."
            )
        if self.url and not self.url.startswith(("http://", "https://")):
            raise WorkbenchError(f"the url of {self.name} must start with http:// or https://; got {self.url!r}.")
        if self.sha256 and not SHA256.fullmatch(self.sha256):
            raise WorkbenchError(
                f"the sha256 of {self.name} must be 64 digits of 0 to 9 and a to f; got {self.sha256!r}."
            )


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
        ``"measurements"``.
    simulated : bool
        Whether the data come from a simulation; every figure then says SIMULATED.
    known_by : str
        Information set of comparisons on this data (one of ``schema.LEVELS``).
    history : bool
        Whether studies let views know what earlier views of their user measured.
    mirror_only : bool
        No public address: files come from beside the card, the cache or ``WORKBENCH_MIRROR``.
    files : tuple of SourceFile
    reader : str
        How files are read: ``csv``, ``jsonl``, ``parquet``; empty: by the ending of each file's name.
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
        How ``measured_at`` is written where it is a number: ``unix_s`` or ``unix_ms``, since 1970; empty: ISO 8601.
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
        Measured quantity to (low, base, high) for a quantity that the source does not measure.
    context : tuple of Column
        Context columns beyond the canonical ones.
    margin : float or None
        Smallest difference in net worth having, in points; None: the default of comparisons.
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
    known_by: str = "first_request"
    history: bool = True
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
    missing: tuple[str, ...] = ()
    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skip: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    require: tuple[str, ...] = ()
    drop_duplicates: bool = False
    assume: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    context: tuple[Column, ...] = ()
    margin: float | None = None
    folder: Path | None = None

    def __post_init__(self) -> None:
        _one_of(self.name, "kind", self.kind, KINDS)
        _one_of(self.name, "known_by", self.known_by, LEVELS)
        if self.reader:
            _one_of(self.name, "reader", self.reader, READERS)
        if self.time_unit:
            _one_of(self.name, "time_unit", self.time_unit, tuple(TIME_UNITS))
        if len(self.separator) > 1:
            raise WorkbenchError(f"{self.name}: separator must be one character; got {self.separator!r}.")
        if self.generator:
            _one_of(self.name, "generator", self.generator, tuple(GENERATORS))
            self._check_generate()
        self._check_columns()
        self._check_measured()
        for quantity, values in self.assume.items():
            _one_of(self.name, "assumed quantity", quantity, MEASURED)
            if len(values) != 3 or not 0 < values[0] <= values[1] <= values[2] < math.inf:
                raise _not_rising(self.name, quantity, tuple(values))
        if self.margin is not None and not (_is_number(self.margin) and 0 < self.margin < math.inf):
            raise WorkbenchError(f"{self.name}: margin must be a number above 0; got {self.margin!r}.")

    def _check_generate(self) -> None:
        for key in self.generate:
            _one_of(self.name, f"what {self.generator} takes", key, GENERATORS[self.generator])
        for key in ("rows", "seed"):
            check_whole(f"{self.name}: {key} of [generate]", self.generate.get(key, 1), at_least=0)
        _typed_as(self.name, "planted of [generate]", self.generate.get("planted", True), bool)

    def _check_columns(self) -> None:
        own = [column.name for column in self.context]
        for name in own:
            if name in BY_NAME:
                raise WorkbenchError(f"{self.name}: context column {name!r} is canonical; give yours its own name.")
        constants = [*self.constants, *(name for file in self.files for name in file.constants)]
        for name in [*self.columns.values(), *self.values, *constants]:
            _one_of(self.name, "canonical column", name, [*BY_NAME, *own])
        for name in constants:
            if name in MEASURED:
                raise WorkbenchError(f"{self.name}: {name} is measured, not constant; state it under assume.")

    def _check_measured(self) -> None:
        for name in self.require:
            _one_of(self.name, "required quantity", name, [q for q in MEASURED if q in self.columns.values()])
        if self.lost and LOSABLE not in self.columns.values():
            raise WorkbenchError(
                f"{self.name}: a lost probe is an infinite {LOSABLE}, which no column gives. Name its source under "
                "columns, or take skip."
            )
        for name, factor in self.scale.items():
            _one_of(self.name, "scaled column", name, [column.name for column in COLUMNS if column.dtype == NUMBER])
            if not (_is_number(factor) and 0 < factor < math.inf):
                raise WorkbenchError(f"{self.name}: scale.{name} must be a number above 0; got {factor!r}.")


def _is_plain(name: str) -> bool:
    return name not in ("", ".", "..") and not set(name) & set("/\\:\0")


def low_base_high(card: str, assume: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """What is assumed, as numbers.

    Raises
    ------
    WorkbenchError
        Where an entry is not a list of numbers.
    """
    for quantity, values in assume.items():
        if isinstance(values, str) or not isinstance(values, Iterable) or not all(map(_is_number, values)):
            raise _not_rising(card, quantity, values)
    return {quantity: tuple(map(float, values)) for quantity, values in assume.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _not_rising(card: str, quantity: str, values: object) -> WorkbenchError:
    return WorkbenchError(
        f"{card}: what is assumed for {quantity} must be three rising numbers above 0 (low, base, high); "
        f"got {values!r}."
    )


def _one_of(card: str, what: str, value: object, known: list[str] | tuple[str, ...]) -> None:
    if value not in known:
        hint = did_you_mean(str(value), known)
        raise WorkbenchError(f"{card}: {what} must be one of {', '.join(known)}; got {value!r}.{hint}")


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
        _one_of(path.stem, "a card's field", key, known)
    return Card(name=path.stem, folder=path.parent.resolve(), **_typed(entries, path.stem))


def _typed(entries: dict[str, Any], name: str) -> dict[str, Any]:
    for keys, kind in ((TEXTS, str), (FLAGS, bool), (TABLES, dict), (LISTS, list)):
        for key in keys:
            _typed_as(name, key, entries.get(key, kind()), kind)
    for column, values in entries.get("values", {}).items():
        _typed_as(name, f"values.{column}", values, dict)
    for column, value in entries.get("constants", {}).items():
        _typed_as(name, f"constants.{column}", value, SCALARS)
    for table in ("lost", "skip"):
        for column, markers in entries.get(table, {}).items():
            _typed_as(name, f"{table}.{column}", markers, list)
    typed = dict(entries)
    typed["files"] = tuple(_source_file(name, file) for file in entries.get("files", ()))
    typed["missing"] = tuple(map(str, entries.get("missing", ())))
    typed["require"] = tuple(entries.get("require", ()))
    for table in ("lost", "skip"):
        typed[table] = {column: tuple(map(str, markers)) for column, markers in entries.get(table, {}).items()}
    typed["assume"] = low_base_high(name, entries.get("assume", {}))
    typed["context"] = tuple(_context_column(name, key, spec) for key, spec in entries.get("context", {}).items())
    return typed


def _typed_as(card: str, what: str, value: object, kind: type | tuple[type, ...]) -> None:
    if not isinstance(value, kind):
        raise WorkbenchError(f"{card}: {what} must be {KINDS_IN_WORDS[kind]}; got {value!r}.")


def _source_file(card: str, entry: dict[str, Any]) -> SourceFile:
    _typed_as(card, "each of files", entry, dict)
    for key in entry:
        _one_of(card, "a file's field", key, [f.name for f in fields(SourceFile)])
    for key in ("name", "url", "sha256", "folder"):
        _typed_as(card, f"a file's {key}", entry.get(key, ""), str)
    _typed_as(card, "a file's constants", entry.get("constants", {}), dict)
    for column, value in entry.get("constants", {}).items():
        _typed_as(card, f"constants.{column}", value, SCALARS)
    try:
        return SourceFile(**{"name": "", **entry})
    except WorkbenchError as err:
        raise WorkbenchError(f"{card}: {err}") from err


def _context_column(card: str, name: str, spec: Mapping[str, str]) -> Column:
    _typed_as(card, f"context.{name}", spec, dict)
    dtypes = {"text": TEXT, "number": NUMBER, "flag": FLAG}
    _one_of(card, f"type of context column {name}", spec.get("type"), tuple(dtypes))
    _one_of(card, f"level of context column {name}", spec.get("level"), LEVELS)
    return Column(name, dtypes[spec["type"]], spec["level"], spec.get("meaning", ""))


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
    """Find a card by its name, or by the path of its file anywhere.

    Raises
    ------
    WorkbenchError
        Where there is no such card; it names those that exist.
    """
    text = os.fspath(name_or_path)
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
