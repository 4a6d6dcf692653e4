"""Cards: what is known about a dataset, written down in one TOML file, and where cards are found."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.datasets.schema import BY_NAME, FLAG, LEVELS, MEASURED, NUMBER, TEXT, Column
from workbench.errors import WorkbenchError, did_you_mean

KINDS = ("measurements",)
READERS = ("csv",)
GENERATORS = ("synthetic_network",)
CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class SourceFile:
    """One file of a dataset: its name, where it is published, its sha256, and columns that hold for all of it."""

    name: str
    url: str = ""
    sha256: str = ""
    constants: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        path = PurePosixPath(self.name.replace("\\", "/"))
        if not self.name or path.is_absolute() or len(path.parts) != 1 or ".." in path.parts or ":" in self.name:
            raise WorkbenchError(
                f"a file name in a card is a plain name, without folders or '..'; got {self.name!r}. "
                "Put the file beside the card."
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
    mirror_only : bool
        No public address: files come from beside the card, the cache or ``WORKBENCH_MIRROR``.
    files : tuple of SourceFile
    reader, generator : str
        How files are read, or what generates the rows.
    generate : mapping
        Arguments of the generator: ``rows, seed, planted``.
    columns : mapping
        Source column to canonical column.
    constants : mapping
        Canonical column to a value that holds for every row.
    values : mapping
        Canonical column to a mapping of source values to canonical ones.
    missing : tuple of str
        Values that mean "missing", in any column.
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
    mirror_only: bool = False
    files: tuple[SourceFile, ...] = ()
    reader: str = "csv"
    generator: str = ""
    generate: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    drop_duplicates: bool = False
    assume: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    context: tuple[Column, ...] = ()
    margin: float | None = None
    folder: Path | None = None

    def __post_init__(self) -> None:
        _one_of(self.name, "kind", self.kind, KINDS)
        _one_of(self.name, "known_by", self.known_by, LEVELS)
        _one_of(self.name, "reader", self.reader, READERS)
        if self.generator:
            _one_of(self.name, "generator", self.generator, GENERATORS)
        canonical = [*BY_NAME, *(column.name for column in self.context)]
        for name in [*self.columns.values(), *self.constants, *self.values]:
            _one_of(self.name, "canonical column", name, canonical)
        for file in self.files:
            for name in file.constants:
                _one_of(self.name, "canonical column", name, canonical)
        for quantity, values in self.assume.items():
            _one_of(self.name, "assumed quantity", quantity, MEASURED)
            if len(values) != 3 or not 0 < values[0] <= values[1] <= values[2]:
                raise WorkbenchError(
                    f"{self.name}: what is assumed for {quantity} must be three rising numbers above 0 (low, base, "
                    f"high); got {tuple(values)}."
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
        Where the file is not TOML, or holds a field, level or column that cards do not have.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise WorkbenchError(f"{path.name} is not a card: expected TOML; {err}.") from err
    known = [f.name for f in fields(Card) if f.name not in ("name", "folder")]
    for key in entries:
        _one_of(path.stem, "a card's field", key, known)
    try:
        return Card(name=path.stem, folder=path.parent.resolve(), **_typed(entries, path.stem))
    except (TypeError, ValueError, AttributeError) as err:
        raise WorkbenchError(f"{path.name}: a field has the wrong type: {err}.") from err


def _typed(entries: dict[str, Any], name: str) -> dict[str, Any]:
    typed = dict(entries)
    typed["files"] = tuple(SourceFile(**file) for file in entries.get("files", ()))
    typed["missing"] = tuple(map(str, entries.get("missing", ())))
    typed["assume"] = {key: tuple(map(float, values)) for key, values in entries.get("assume", {}).items()}
    typed["context"] = tuple(_context_column(name, key, spec) for key, spec in entries.get("context", {}).items())
    return typed


def _context_column(card: str, name: str, spec: Mapping[str, str]) -> Column:
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
