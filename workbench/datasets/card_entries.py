"""What stands in a card's TOML, brought to the types of its fields: files, tables, lists, context columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from workbench.datasets.card_checks import SCALARS, check_one_of, check_type, is_plain, low_base_high
from workbench.datasets.columns import FLAG, LEVELS, NUMBER, TEXT, Column
from workbench.errors import WorkbenchError

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
TABLES = ("generate", "columns", "constants", "values", "scale", "lost", "skip", "assume", "context")
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
