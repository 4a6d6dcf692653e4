"""Files to frames: the readers that a card picks, and the steps from source columns to canonical ones."""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import TIME_UNITS, Card
from workbench.datasets.schema import LOSABLE, MEASURED, TEXT, as_text, refuse_repeated_columns
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
NOT_WHOLE = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error)
# A time in another unit than the card says is decades or millennia off.
FIRST_TIME, LAST_TIME = pd.Timestamp("1990-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC")
AS_NUMBER = r"^\s*AS\s*(\d+)(?:\s.*)?$"


def read_source(path: Path, card: Card) -> pd.DataFrame:
    """Read one file of a card by the reader that the card names, else by the ending of the file's name.

    Raises
    ------
    WorkbenchError
        Where the file is not what the reader expects.
    """
    endings = [ending.lower() for ending in path.suffixes]
    reader = card.reader or next((ENDINGS[ending] for ending in reversed(endings) if ending in ENDINGS), "csv")
    if reader == "jsonl":
        return read_jsonl(path)
    if reader == "parquet":
        return read_parquet(path)
    return read_csv(path, card.separator or ("\t" if ".tsv" in endings else ","))


def read_csv(path: Path, separator: str = ",") -> pd.DataFrame:
    """Read a CSV file, compressed or not, with every cell as text; only an empty cell is missing ("NA" is Namibia)."""
    try:
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, na_values=[""])
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, *NOT_WHOLE) as err:
        raise WorkbenchError(f"{path.name} is not a CSV file in UTF-8: {_in_one_line(err)}.") from err


def read_jsonl(path: Path) -> pd.DataFrame:
    """Read JSON lines, gzipped or not: one object a line, with every value as the text that stands there.

    Objects within a row become columns of their own, named with a dot: ``{"net": {"rtt": 40}}`` is ``net.rtt``.
    ``null`` is missing.
    """
    rows: list[dict[str, Any]] = []
    number = 1
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig") as lines:
            for line in lines:
                if line.strip():
                    rows.append(_flat_row(json.loads(line, parse_int=str, parse_float=str, parse_constant=_constant)))
                number += 1
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError, *NOT_WHOLE) as err:
        raise WorkbenchError(
            f"{path.name} is not JSON lines in UTF-8 (one object a line): line {number}, {_in_one_line(err)}."
        ) from err
    return pd.DataFrame(rows)


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file; values keep their types.

    Raises
    ------
    WorkbenchError
        Where the extra ``parquet`` is not installed, or the file is something else.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as err:
        raise WorkbenchError(
            f"{path.name}: reading Parquet needs pyarrow. Install the extra 'parquet', as in "
            "pip install 'performance-workbench[parquet]', or export the table as CSV."
        ) from err
    try:
        return pyarrow.parquet.read_table(path).to_pandas()
    except (pyarrow.ArrowException, OSError) as err:
        raise WorkbenchError(f"{path.name} is not a Parquet file: {_in_one_line(err)}.") from err


def _flat_row(record: Any) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise TypeError(f"expected an object, got {json.dumps(record)[:40]}")
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": _cell(deep) for inner, deep in value.items()}
        else:
            flat[name] = _cell(value)
    return flat


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    return json.dumps(value)


def _constant(word: str) -> str | None:
    return None if word == "NaN" else word


def _in_one_line(err: BaseException) -> str:
    return " ".join(str(err).split()).rstrip(".")


def to_canonical(source: pd.DataFrame, card: Card, constants: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Rename, map values, bring units to the contract's, blank missing markers, add what holds for every row.

    Parameters
    ----------
    source : DataFrame
        Columns as the source names them.
    card : Card
    constants : mapping, optional
        Canonical column to a value that holds for these rows (a file's own).

    Returns
    -------
    DataFrame
        Canonical names; not yet checked. A lost probe is an infinite ``rtt_ms``; a row that the card skips has
        nothing measured.

    Raises
    ------
    WorkbenchError
        Where a column that the card names is not in the source, two become one, or times are in another unit.
    """
    named = {**card.columns, **dict.fromkeys(card.lost, "lost"), **dict.fromkeys(card.skip, "skip")}
    for name, purpose in named.items():
        if name not in source:
            raise WorkbenchError(
                f"{card.name}: expected a column {name!r} (for {purpose}); got "
                f"{', '.join(map(str, list(source.columns)[:12]))}.{did_you_mean(name, list(map(str, source.columns)))}"
            )
    frame = source.rename(columns=dict(card.columns))
    if card.columns and card.folder is not None:
        frame = frame[list(card.columns.values())]
    refuse_repeated_columns(frame, card.name)
    if card.missing:
        frame = frame.mask(pd.DataFrame({name: _is_one_of(frame[name], card.missing) for name in frame}))
    frame = _scaled(_with_values(frame, card), card)
    if card.time_unit and "measured_at" in frame:
        frame["measured_at"] = _since_1970(frame["measured_at"], card)
    for name in ("os_major", "browser_major"):
        if name in frame and not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = as_text(frame[name]).str.extract(r"^\s*(\d+)", expand=False)
    if "asn" in frame:
        frame["asn"] = as_text(frame["asn"]).str.replace(AS_NUMBER, r"\1", case=False, regex=True)
    if card.lost:
        frame[LOSABLE] = frame[LOSABLE].astype(object).mask(_marked(source, card.lost), np.inf)
    if card.skip:
        skipped = _marked(source, card.skip)
        frame = frame.assign(**{name: frame[name].mask(skipped) for name in MEASURED if name in frame})
    return frame.assign(**{**card.constants, **(constants or {})})


def _with_values(frame: pd.DataFrame, card: Card) -> pd.DataFrame:
    for name, values in card.values.items():
        if name not in frame:
            raise WorkbenchError(
                f"{card.name}: values are mapped for {name!r}, which no column gives; got "
                f"{', '.join(map(str, list(frame.columns)[:12]))}. Name its source under columns."
            )
        # A card's keys are text, whatever type the source has.
        given = frame[name] if card.folder is None else as_text(frame[name])
        frame[name] = given.replace({old: None if new == "" else new for old, new in values.items()})
    return frame


def _scaled(frame: pd.DataFrame, card: Card) -> pd.DataFrame:
    for name, factor in card.scale.items():
        if name in frame:
            numbers = pd.to_numeric(frame[name], errors="coerce")
            # What is no number stays as it is, for the check to refuse.
            frame[name] = (numbers * factor).astype(object).where(numbers.notna(), frame[name])
    return frame


def _since_1970(values: pd.Series, card: Card) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    unit = TIME_UNITS[card.time_unit]
    low, high = ((at - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(1, unit) for at in (FIRST_TIME, LAST_TIME))
    bad = values[values.notna() & ~numbers.between(low, high)]
    if len(bad):
        raise WorkbenchError(
            f"{card.name}: column 'measured_at' must be {card.time_unit}, a number of {unit} since 1970, between "
            f"{FIRST_TIME.year} and {LAST_TIME.year}; {len(bad):,} differ, first row {bad.index[0]}: {bad.iloc[0]!r}."
        )
    return pd.to_datetime(numbers, unit=unit, utc=True)


def _marked(source: pd.DataFrame, markers: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Rows in which any of the columns holds one of its markers (boolean, shape (rows,))."""
    return np.any([_is_one_of(source[name], known) for name, known in markers.items()], axis=0)


def _is_one_of(values: pd.Series, markers: Sequence[str]) -> pd.Series:
    """Whether a cell is one of some texts; numbers are compared as numbers, an empty text stands for no value."""
    found = values.isna() if "" in markers else pd.Series(False, values.index)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return found | values.isin(pd.to_numeric(pd.Series(markers, dtype=TEXT), errors="coerce").dropna())
    return found | values.isin(markers)


def drop_unmeasured(frame: pd.DataFrame, require: Sequence[str] = ()) -> pd.DataFrame:
    """Keep the rows in which something was measured, and all that is required, with a fresh index from 0."""
    measured = frame[[name for name in MEASURED if name in frame]].notna().any(axis=1)
    complete = frame[list(require)].notna().all(axis=1)
    return frame[measured & complete].reset_index(drop=True)


def add_local_hour(frame: pd.DataFrame) -> pd.DataFrame:
    """Add ``local_hour`` (0 to 23) where the frame has ``measured_at`` in UTC and ``utc_offset_h``, and no hour yet."""
    if "local_hour" in frame or not {"measured_at", "utc_offset_h"} <= set(frame.columns):
        return frame
    utc_hour = frame["measured_at"].dt.hour + frame["measured_at"].dt.minute / 60
    return frame.assign(local_hour=np.floor((utc_hour + frame["utc_offset_h"]) % 24))
