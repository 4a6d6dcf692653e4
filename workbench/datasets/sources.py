"""Which reader a file gets: the one that its card names, else the one that the ending of its name tells."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.datasets.access_logs import read_access_log
from workbench.datasets.card_entries import SourceFile
from workbench.datasets.cards import Card
from workbench.datasets.navigation_readers import read_msnbc, read_wikispeedia
from workbench.datasets.page_links import tidy_links
from workbench.datasets.readers import read_csv, read_jsonl, read_parquet
from workbench.errors import WorkbenchError, did_you_mean

ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
NAMED = {
    "access_log": read_access_log,
    "jsonl": read_jsonl,
    "msnbc": read_msnbc,
    "parquet": read_parquet,
    "wikispeedia": read_wikispeedia,
}


def read_source(path: Path, card: Card) -> pd.DataFrame:
    """Read one file of a card by the reader that the card names, else by the ending of the file's name.

    Raises
    ------
    WorkbenchError
        Where the file is not what the reader expects.
    """
    reader = reader_of(path, card)
    return NAMED[reader](path) if reader in NAMED else read_csv(path, card.separator or _separator(path))


def reader_of(path: Path, card: Card) -> str:
    """Name of the reader that a file of a card gets."""
    endings = [ending.lower() for ending in path.suffixes]
    known = {**ENDINGS, ".log": "access_log"} if card.kind == "navigations" else ENDINGS
    return card.reader or next((known[ending] for ending in reversed(endings) if ending in known), "csv")


def read_links(path: Path, card: Card, file: SourceFile) -> pd.DataFrame:
    """Read a CSV file of page links: ``from_page, to_page`` (str), each pair once.

    Raises
    ------
    WorkbenchError
        Where the file lacks a column that the card names.
    """
    source = read_csv(path, card.separator or _separator(path))
    for name, purpose in file.links.items():
        if name not in source:
            raise WorkbenchError(
                f"{card.name}: expected a column {name!r} (for {purpose}) in {file.name}; got "
                f"{', '.join(map(str, list(source.columns)[:12]))}.{did_you_mean(name, list(map(str, source.columns)))}"
            )
    return tidy_links(source.rename(columns=dict(file.links)), card.name, card.percent_encoded)


def _separator(path: Path) -> str:
    return "\t" if ".tsv" in [ending.lower() for ending in path.suffixes] else ","
