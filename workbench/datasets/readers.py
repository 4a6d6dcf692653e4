"""Readers: files as they come, to a table of text; and the page links that a table of views carries."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

import pandas as pd

from workbench.checked import checked
from workbench.datasets.cards import LINK_COLUMNS, Card
from workbench.datasets.columns import COLUMNS_SHOWN, as_text, showable
from workbench.errors import WorkbenchError

NOT_WHOLE = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
RESOURCE_FORKS = "__MACOSX/"  # what macOS adds to a zip file
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UNPACK: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
# First bytes of compressed files (RFC 1952, RFC 8878, and the formats of bzip2, xz and zip).
MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\0": ".xz", b"\x28\xb5\x2f\xfd": ".zst", b"PK\x03\x04": ".zip"}
PACKED = (".tar", ".tgz", ".7z", ".rar")
SEPARATORS = ";\t|"


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file: of a compressed one unpacked (``.gz .bz2 .xz .zst``, or by its first bytes), of a zip file
    those of its one member.

    Raises a WorkbenchError if it cannot be unpacked, whether at once or while it is read.
    """
    if any(ending.lower() in PACKED for ending in path.suffixes[-2:]):
        endings = ", ".join([*UNPACK, ".zst", ".zip"])
        raise WorkbenchError(f"{path.name}: expected a file that is plain, or ends in {endings}. Unpack it.")
    with path.open("rb") as file:
        begins = file.read(6)
    ending = next((ending for mark, ending in MAGIC.items() if begins.startswith(mark)), path.suffix.lower())
    zstd = _zstd() if ending == ".zst" else None
    unpack = zstd.open if zstd else UNPACK.get(ending, open)
    damaged = (*NOT_WHOLE, zstd.ZstdError) if zstd else NOT_WHOLE
    try:
        if ending == ".zip":
            with zip_member(path) as member:
                yield member
        else:
            with unpack(path, "rb") as file:
                yield file
    except damaged as err:
        raise _not_unpacked(path, ending) from err
    except OSError as err:
        if not err.strerror:  # bz2 has no error of its own
            raise _not_unpacked(path, ending) from err
        raise WorkbenchError(f"{path.name} cannot be read: {err.strerror}. Make it a readable file.") from err


def _not_unpacked(path: Path, ending: str) -> WorkbenchError:
    return WorkbenchError(
        f"{path.name} cannot be unpacked: it is damaged, cut off or no {ending} file. Fetch it again."
    )


def _zstd() -> Any:
    try:
        return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ImportError as err:
        raise WorkbenchError(
            "reading .zst needs Python 3.14, or the package backports.zstd: pip install backports.zstd."
        ) from err


def first_bytes(path: Path, most: int = 64) -> bytes:
    """The first bytes of a file that are not blank, without a mark of UTF-8."""
    with opened(path) as file:
        return file.read(most).removeprefix(codecs.BOM_UTF8).lstrip()


@contextmanager
def _text_of(path: Path, encoding: str, what: str) -> Iterator[IO[str]]:
    """A file's text: UTF-8, or UTF-16 with a mark in front, unless an encoding is given."""
    with opened(path) as file:
        mark = file.read(2)
        file.seek(0)
        try:
            with io.TextIOWrapper(file, encoding or ("utf-16" if mark in UTF_16 else "utf-8-sig"), newline="") as text:
                yield text
        except UnicodeError as err:
            raise WorkbenchError(
                f"{path.name} is not {what} in {encoding or 'UTF-8'}{_undecoded(err)}. Write in the card how it was "
                'saved, such as encoding = "latin-1".'
            ) from err


def _undecoded(err: UnicodeError) -> str:
    return f": it holds the byte 0x{err.object[err.start]:02x}" if isinstance(err, UnicodeDecodeError) else ""


def read_csv(path: Path, card: Card) -> pd.DataFrame:
    """Read a CSV file, compressed or not, with every cell as text; only an empty cell is missing ("NA" is Namibia).

    Separator, header, encoding and comments are as the card says. Raises a WorkbenchError if the file cannot be read
    so: if it has another encoding or separator, or rows longer than its header.
    """
    separator = card.separator or ("\t" if ".tsv" in [ending.lower() for ending in path.suffixes] else ",")
    header = 0 if card.header else None
    with _text_of(path, card.encoding, "a CSV file") as text:
        lines = io.StringIO("".join(_uncommented(text, separator, card.comment))) if card.comment else text
        for _ in range(card.skip_lines):
            lines.readline()
        begins, first = lines.tell(), lines.readline()
        if first.startswith("sep="):  # Excel's own first line
            separator = first[4:].rstrip() or "\t"
            begins, first = lines.tell(), lines.readline()
        lines.seek(begins)
        try:
            table = pd.read_csv(
                lines,
                sep=separator,
                header=header,
                dtype=str,
                keep_default_na=False,
                na_values=[""],
                skipinitialspace=f'{separator} "' in first,  # a quote after a space would be part of the cell
            )
        except (ValueError, OverflowError, csv.Error) as err:
            if isinstance(err, UnicodeError):
                raise
            raise WorkbenchError(
                f"{path.name} is not a CSV file in {card.encoding or 'UTF-8'}: {_unparsed(err, card)}"
                f"{_about_comments(path)}"
            ) from err
    names = _cells_of(first, separator) if card.header else []
    twice = [name for name in card.columns if names.count(name) > 1]
    if twice:
        raise WorkbenchError(f"{path.name}: each column may come once; {twice[0]!r} came more often.")
    other = [mark for mark in SEPARATORS if table.shape[1] == 1 and mark in str(table.columns[0]) and mark != separator]
    if other:
        raise WorkbenchError(
            f"{path.name}: expected columns separated by {separator!r}; got a single one, whose name holds "
            f'{other[0]!r}. Write separator = "{other[0]}" in the card.'.replace("\t", "\\t")
        )
    if not isinstance(table.index, pd.RangeIndex):
        cells = table.shape[1] + table.index.nlevels
        raise WorkbenchError(
            f"{path.name}: expected rows as long as the first line, of {table.shape[1]} cells; they have {cells}."
            + (_about_comments(path) or " Mend the first line; does a separator end each row?")
        )
    return table if card.header else table.set_axis([str(number + 1) for number in table], axis="columns")


def _uncommented(lines: Iterable[str], separator: str, comment: str) -> Iterator[str]:
    """Lines that do not begin with a comment's character, and those that go on with a quoted cell."""
    quoted, mark, within = r'"(?:[^"]|"")*+', re.escape(separator), False
    cell = rf'(?:{quoted}"[^{mark}]*+|[^"{mark}][^{mark}]*+)?+{mark}'
    opens = re.compile(rf"(?:{cell})*+ *{quoted}\Z")
    for line in lines:
        if within or not line.startswith(comment):
            within = bool(opens.match(f'"{line}' if within else line))
            yield line


def _unparsed(err: Exception, card: Card) -> str:
    """What pandas says of a file that is no CSV file, in plain words."""
    lines = 1 + card.skip_lines
    if isinstance(err, pd.errors.EmptyDataError):
        return "expected rows under a line of names; it is empty."
    if counts := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(err)):
        expected, line, came = map(int, counts.groups())
        return f"line {line + lines - 1}: expected {expected} cells, got {came}; quote cells that hold the separator."
    if row := re.search(r"EOF inside string starting at row (\d+)", str(err)):
        return f"line {int(row[1]) + lines}: expected a closing quote before the file ends. Mend or double the quote."
    return "its rows and cells cannot be told apart. Check the separator and quotes."


def _cells_of(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:  # a name longer than any is
        return []


def _about_comments(path: Path) -> str:
    head = first_bytes(path)
    if head.startswith((b"#Version", b"#Fields")):
        return ' It begins as a W3C log does: write kind = "navigations", reader = "access_log".'
    return ' Write comment = "#" to leave out the lines that begin so.' if head.startswith(b"#") else ""


def zip_member(path: Path) -> IO[bytes]:
    """Open the one file in a zip file; what macOS adds does not count. Raises a WorkbenchError for none or several."""
    try:
        archive = zipfile.ZipFile(path)
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith(RESOURCE_FORKS)]
        if any(name.startswith("xl/") for name in names):
            raise WorkbenchError(f"{path.name} looks like an Excel workbook; expected text. Export it as CSV.")
        if len(names) != 1:
            raise WorkbenchError(
                f"{path.name}: expected one file in the zip file; got {', '.join(names[:5]) or 'none'}. Unpack it and "
                "name the file itself."
            )
        return archive.open(names[0])
    except (*NOT_WHOLE, RuntimeError) as err:
        raise WorkbenchError(
            f"{path.name} is not a zip file that can be read: it is damaged, cut off or has a password. Fetch it again."
        ) from err


def read_json(path: Path, card: Card) -> pd.DataFrame:
    """Read JSON, compressed or not: objects one after the other (JSON lines), lists of them, or one as it is printed.

    A row per object, with every value as the text that stands there; ``null`` and an empty text are missing. Inner
    objects become columns named with dots: ``{"net": {"rtt": 40}}`` is ``net.rtt``, at any depth. A list of keys and
    values, as in exports of Google Analytics, becomes a column per key: ``event_params[page_location]``. Other lists
    stay JSON. The card's ``records`` says where the rows are, as in ``"data.runs"``; an object of objects is rows too
    there, and where it is the whole file and they are alike. The fields of the objects around a row are its columns too
    (lists are not); one that rows have themselves is named ``outer.<name>``. Raises a WorkbenchError if the file is no
    JSON, or has no rows there.
    """
    with _text_of(path, card.encoding, "JSON") as file:
        text = file.read()
    values = [*_json_values(text, path.name)]
    if not card.records and len(values) == 1 and _is_keyed(values[0]):
        values = [[*values[0].values()]]
    steps = card.records.split(".") if card.records else []
    rows = _as_one([row for value in values for row in _rows_of(value, steps, card.records, path.name)])
    try:
        return pd.DataFrame(rows)
    except UnicodeEncodeError as err:
        raise WorkbenchError(f"{path.name} holds text that is no Unicode (half of a surrogate pair): mend it.") from err


def _is_keyed(value: Any) -> bool:
    """Whether an object holds rows by their ids: several objects that have most of their names in common."""
    if not isinstance(value, dict) or len(value) < 2 or not all(isinstance(row, dict) for row in value.values()):
        return False
    names = [{*row} for row in value.values()]
    return 2 * len(set.intersection(*names)) > len(set.union(*names))


def _json_values(text: str, name: str) -> Iterator[Any]:
    """The JSON values of a text, one after the other; numbers stay text."""
    read = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_constant, object_pairs_hook=_named_once)
    decode = read.raw_decode
    place = _next(text, 0)
    while place < len(text):
        try:
            value, end = decode(text, place)
        except (json.JSONDecodeError, RecursionError) as err:
            line = text.count("\n", 0, place) + 1
            what = err.msg if isinstance(err, json.JSONDecodeError) else "too deep"
            raise WorkbenchError(
                f"{name} is not JSON, or JSON lines: line {line}, where a value begins: {what}."
            ) from err
        yield value
        place = _next(text, end)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; names that come twice are refused, since only one of their values would stay."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise json.JSONDecodeError(f"expected each name once in an object; {showable(twice)!r} comes twice", "", 0)
    return made


BLANK = re.compile(r"\s*")


def _next(text: str, place: int) -> int:
    """Where the next value begins."""
    return BLANK.match(text, place).end()  # type: ignore[union-attr]  # it fits an empty text too


def _rows_of(value: Any, steps: list[str], records: str, name: str) -> Iterator[list[dict[str, Any]]]:
    """The rows of one JSON value where the card says that they are, each behind the objects that it lies within."""
    if isinstance(value, list):
        rows = [row for row in value if isinstance(row, dict) and steps[0] in row] if steps else value
        for row in rows or value[:1]:
            yield from _rows_of(row, steps, records, name) if steps else ([_flat(row, name)],)
    elif not steps:
        apart = records and isinstance(value, dict) and all(isinstance(row, dict) for row in value.values())
        yield from ([_flat(row, name)] for row in (value.values() if apart else [value]))
    elif not isinstance(value, dict) or steps[0] not in value:
        keys = ", ".join(str(showable(key)) for key in [*value][:COLUMNS_SHOWN]) if isinstance(value, dict) else ""
        got = keys or f"a {_kind(value)}"
        raise WorkbenchError(f"{name}: expected {steps[0]!r} on the way to records = {records!r}; got {got}.")
    elif value[steps[0]] is not None:
        around = {key: held for key, held in value.items() if key != steps[0] and not _is_list(held)}
        outer = _flat(around, name)
        yield from ([outer, *rows] for rows in _rows_of(value[steps[0]], steps[1:], records, name))


def _is_list(value: Any) -> bool:
    """Whether a value is a list of anything but keys with values."""
    return isinstance(value, list) and not all(map(_is_pair, value))


def _as_one(rows: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows with the fields of the objects around them; a name that rows within have too gets ``outer.`` in front."""
    joined = [row[-1] for row in rows]
    for level in range(2, max(map(len, rows), default=0) + 1):
        taken = {name for row in joined for name in row}
        around = [row[-level] if level <= len(row) else {} for row in rows]
        names = {name: _untaken(name, taken) for outer in around for name in outer}
        joined = [
            {**{names[name]: held for name, held in outer.items()}, **row}
            for outer, row in zip(around, joined, strict=True)
        ]
    return joined


def _untaken(name: str, taken: set[str]) -> str:
    return _untaken(f"outer.{name}", taken) if name in taken else name


def _flat(record: Any, name: str) -> dict[str, Any]:
    """The values of an object and of all objects within it, by their path."""
    if not isinstance(record, dict):
        raise WorkbenchError(
            f'{name}: expected an object a row, as in {{"rtt": 40}}; got a {_kind(record)}. Write records = "..." if '
            "the rows are further inside."
        )
    flat: dict[str, Any] = {}
    _flatten(record, "", flat, name)
    return flat


def _flatten(record: Mapping[str, Any], before: str, flat: dict[str, Any], name: str) -> None:
    for key, value in record.items():
        path = before + key
        if isinstance(value, dict):
            _flatten(value, path + ".", flat, name)
        elif isinstance(value, list) and value and all(map(_is_pair, value)):
            for pair in value:
                flat[f"{path}[{pair['key']}]"] = _typed(pair["value"])
        elif flat.get(path) is None:
            flat[path] = value or None if isinstance(value, str) else _cell(value)
        elif value is not None:
            raise WorkbenchError(
                f"{name}: expected one value a name; {showable(path)!r} comes twice in a row, once with the dot in its "
                "name and once as an object within another. Rename one."
            )


def _is_pair(value: Any) -> bool:
    return isinstance(value, dict) and "key" in value and "value" in value


TYPED = ("_value", "Value")  # string_value of Google Analytics, stringValue of OpenTelemetry


def _typed(value: Any) -> Any:
    """A value as it is, or as an object holds it under the name of its type; an empty object holds none."""
    if isinstance(value, dict) and all(name.endswith(TYPED) for name in value):
        value = next((each for each in value.values() if each is not None), None)
    return _cell(value)


def _cell(value: Any) -> Any:
    if isinstance(value, bool | list | dict):
        return json.dumps(value, default=str)
    return None if value == "" else value


def _kind(value: Any) -> str:
    return {list: "list", bool: "true or false"}.get(type(value), "text or number")


def _constant(word: str) -> str | None:
    return None if word == "NaN" else word


def read_parquet(path: Path, card: Card) -> pd.DataFrame:
    """Read a Parquet file; values keep their types, inner ones are named as in JSON. Needs the extra ``parquet``."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as err:
        raise WorkbenchError(
            f"{path.name}: reading Parquet needs pyarrow. Install the extra 'parquet', as in "
            "pip install 'performance-workbench[parquet]', or export the table as CSV."
        ) from err
    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as err:
        raise WorkbenchError(f"{path.name} is not a Parquet file, or is damaged or cut off. Write it again.") from err
    if any(pyarrow.types.is_nested(kind) for kind in table.schema.types):
        return pd.DataFrame([_flat(row, path.name) for row in table.to_pylist()])
    return table.to_pandas(integer_object_nulls=True)  # as floats, long ids would become one another


def as_pandas(table: Any, name: str) -> pd.DataFrame:
    """A table of pandas, polars, Arrow or any kin of theirs, as a pandas DataFrame.

    Raises a WorkbenchError if it is no table, or needs pyarrow, which is not there.
    """
    frame = table
    try:
        if hasattr(table, "__arrow_c_stream__") and not isinstance(table, pd.DataFrame):
            import pyarrow

            frame = pyarrow.table(table).to_pandas(integer_object_nulls=True)
        elif hasattr(table, "to_pandas"):
            frame = table.to_pandas()
    except ImportError as err:
        raise WorkbenchError(
            f"{name}: a {type(table).__name__} needs pyarrow. Install the extra 'parquet', as in "
            "pip install 'performance-workbench[parquet]', or give a pandas DataFrame."
        ) from err
    except (ValueError, TypeError):
        frame = None  # one column, not a table
    if not isinstance(frame, pd.DataFrame):
        raise WorkbenchError(f"{name}: expected a DataFrame of pandas, polars or Arrow; got {type(table).__name__}.")
    return frame


def in_one_line(err: BaseException) -> str:
    """The message of an error of another library, without its line breaks and last full stop."""
    return " ".join(str(err).split()).rstrip(".")


@dataclass(frozen=True, eq=False)
class PageLinks:
    """Page links in ``attrs["links"]``: pandas copies attrs at each selection, and cannot compare two frames."""

    frame: pd.DataFrame

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, PageLinks) and self.frame.equals(other.frame))

    __hash__ = None  # type: ignore[assignment]  # it compares by value, and a frame has no hash

    def __deepcopy__(self, memo: dict) -> PageLinks:
        return self


@checked
def links_of(frame: pd.DataFrame) -> pd.DataFrame | None:
    """Links between pages that a frame of navigations carries: ``from_page, to_page`` (str); None where it has none."""
    held = frame.attrs.get("links")
    return held.frame if isinstance(held, PageLinks) else held


def tidy_links(links: pd.DataFrame, name: str, percent_encoded: bool = False) -> pd.DataFrame:
    """Page links as texts, each pair once, in the order given; a page may link to itself."""
    if not isinstance(links, pd.DataFrame) or not set(LINK_COLUMNS) <= set(links.columns):
        got = ", ".join(map(str, links.columns)) if isinstance(links, pd.DataFrame) else type(links).__name__
        raise WorkbenchError(f"{name}: links must be a DataFrame with columns {' and '.join(LINK_COLUMNS)}; got {got}.")
    both = links[list(LINK_COLUMNS)].dropna()
    texts = pd.DataFrame({side: as_text(decoded(both[side]) if percent_encoded else both[side]) for side in both})
    return texts.drop_duplicates().reset_index(drop=True)


def decoded(pages: pd.Series) -> pd.Series:
    """Names of pages without percent-encoding; bytes that are no UTF-8 become the replacement character."""
    return pages.map({name: unquote(str(name)) for name in pages.dropna().unique()})
