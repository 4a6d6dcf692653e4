"""Files to frames as the source has them: CSV, JSON lines, Parquet, and what lies alone in a zip file."""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import pandas as pd

from workbench.errors import WorkbenchError

NOT_WHOLE = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error)
RESOURCE_FORKS = "__MACOSX/"  # what macOS adds to a zip file


def read_csv(path: Path, separator: str = ",") -> pd.DataFrame:
    """Read a CSV file, compressed or not, with every cell as text; only an empty cell is missing ("NA" is Namibia)."""
    try:
        source = zip_member(path) if path.suffix.lower() == ".zip" else path
        return pd.read_csv(source, sep=separator, dtype=str, keep_default_na=False, na_values=[""])
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, *NOT_WHOLE) as err:
        raise WorkbenchError(f"{path.name} is not a CSV file in UTF-8: {in_one_line(err)}.") from err


def zip_member(path: Path) -> IO[bytes]:
    """Open the one file in a zip file; what macOS adds does not count.

    Raises
    ------
    WorkbenchError
        Where it holds none or several, or is no zip file.
    """
    try:
        archive = zipfile.ZipFile(path)
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith(RESOURCE_FORKS)]
        if len(names) != 1:
            raise WorkbenchError(
                f"{path.name}: expected one file in the zip file; got {', '.join(names[:5]) or 'none'}. Unpack it and "
                "name the file itself."
            )
        return archive.open(names[0])
    except (*NOT_WHOLE, RuntimeError) as err:
        raise WorkbenchError(f"{path.name} is not a zip file that can be read: {in_one_line(err)}.") from err


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
            f"{path.name} is not JSON lines in UTF-8 (one object a line): line {number}, {in_one_line(err)}."
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
        raise WorkbenchError(f"{path.name} is not a Parquet file: {in_one_line(err)}.") from err


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


def in_one_line(err: BaseException) -> str:
    """The message of an error of another library, without its line breaks and last full stop."""
    return " ".join(str(err).split()).rstrip(".")
