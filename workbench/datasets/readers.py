"""Readers: files as they come, to a table of text."""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

from workbench.datasets.cards import LINK_COLUMNS, TIME_UNITS, Bounds, Card
from workbench.datasets.columns import TEXT, as_text, bad_values, check_columns, column_names, refuse_repeated_columns
from workbench.datasets.schema import LOSABLE, MEASURED
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
    """Open the one file in a zip file; what macOS adds does not count. Raises a WorkbenchError for none or several."""
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

    Objects within a row become columns named with a dot: ``{"net": {"rtt": 40}}`` is ``net.rtt``. ``null`` is missing.
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
    """Read a Parquet file; values keep their types. Needs the extra ``parquet``."""
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


BACK = "<"
GAME_COLUMNS = ("player", "started_s", "duration_s", "path", "target", "outcome")


def read_msnbc(path: Path) -> pd.DataFrame:
    """Read msnbc.com's sequences (UCI, msnbc990928.seq), zipped or not: a line per visitor, numbers of sections from 1.

    The header names the sections, before the line "% Sequences:". A row per view: ``session`` (int64, number of the
    line from 0) and ``page`` (category).
    """
    header, mark, body = _bytes(path).partition(b"% Sequences:")
    names = [line for line in header.decode("utf-8", "replace").splitlines() if not line.startswith("%")]
    sections = " ".join(names).split()
    if not mark or len(sections) < 2 or len(set(sections)) < len(sections):
        raise WorkbenchError(
            f"{path.name} is not msnbc's file of sequences: expected names of sections, then the line '% Sequences:'."
        )
    kinds = pd.Categorical(sections)  # their codes follow the sorted names
    code_of = {str(number).encode(): code for number, code in enumerate(kinds.codes, 1)}
    place, words = pd.factorize(np.array(body.split(), object))
    codes = np.array([code_of.get(word, -1) for word in words], np.int64)[place]
    if not len(codes) or codes.min() < 0:
        raise WorkbenchError(
            f"{path.name}: expected numbers of sections from 1 to {len(sections)} after '% Sequences:'; got "
            f"{'others' if len(codes) else 'none'}."
        )
    lengths = np.array([len(line.split()) for line in body.split(b"\n")])
    lengths = lengths[lengths > 0]
    session = np.repeat(np.arange(len(lengths)), lengths)
    return pd.DataFrame({"session": session, "page": pd.Categorical.from_codes(codes, kinds.categories)})


def read_wikispeedia(path: Path) -> pd.DataFrame:
    """Read paths of the game Wikispeedia: a game a line, pages separated by ";", back clicks as "<".

    A back click is a view of the page that it returns to. A row per view: ``player``, ``started_s`` (str, Unix
    seconds), ``game`` (int64, number of the line from 0), ``page`` (str, percent-encoded).
    """
    try:
        games = pd.read_csv(path, sep="\t", header=None, dtype=str, keep_default_na=False, quoting=3, comment="#")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, *NOT_WHOLE) as err:
        raise WorkbenchError(f"{path.name} is not a file of Wikispeedia paths: {in_one_line(err)}.") from err
    if not len(GAME_COLUMNS) - 1 <= games.shape[1] <= len(GAME_COLUMNS):
        raise WorkbenchError(
            f"{path.name} is not a file of Wikispeedia paths: expected {', '.join(GAME_COLUMNS)}, separated by tabs; "
            f"got {games.shape[1]} columns."
        )
    shown = [_shown(clicks, line, path.name) for line, clicks in enumerate(games[3], 1)]
    game = np.repeat(np.arange(len(games)), list(map(len, shown)))
    page = pd.Series([page or None for pages in shown for page in pages], dtype="str")
    views = {"player": games[0].to_numpy()[game], "started_s": games[1].to_numpy()[game], "game": game, "page": page}
    return pd.DataFrame(views)


def _shown(path: str, line: int, name: str) -> list[str]:
    """The pages that a game shows: opening one puts it on a pile, going back takes it off."""
    pile: list[str] = []
    shown = []
    for click in path.split(";"):
        if click == BACK:
            del pile[-1:]
        else:
            pile.append(click)
        if not pile:
            raise WorkbenchError(f"{name}: a path cannot go back beyond its first page; line {line} does.")
        shown.append(pile[-1])
    return shown


def _bytes(path: Path) -> bytes:
    try:
        if path.suffix.lower() == ".zip":
            with zip_member(path) as member:
                return member.read()
        return gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    except NOT_WHOLE as err:
        raise WorkbenchError(f"{path.name} cannot be unpacked: {in_one_line(err)}.") from err


@dataclass(frozen=True, eq=False)
class PageLinks:
    """Page links in ``attrs["links"]``: pandas copies attrs at each selection, and cannot compare two frames."""

    frame: pd.DataFrame

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, PageLinks) and self.frame.equals(other.frame))

    __hash__ = None  # type: ignore[assignment]  # it compares by value, and a frame has no hash

    def __deepcopy__(self, memo: dict) -> PageLinks:
        return self


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


# A time in another unit than the card says is decades or millennia off.
FIRST_TIME, LAST_TIME = pd.Timestamp("1990-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC")
AS_NUMBER = r"^\s*AS\s*(\d+)(?:\s.*)?$"
DATE = ("year", "month", "day")


def to_canonical(source: pd.DataFrame, card: Card, constants: Mapping[str, object] | None = None) -> pd.DataFrame:
    """Rename, map values, convert units, blank missing markers, add what holds for every row; not yet checked.

    ``constants`` are a file's own: canonical column to the value for these rows. A lost probe becomes an infinite
    ``rtt_ms``, a skipped row has nothing measured. Raises a WorkbenchError if a column that the card names is not in
    the source, two become one, or times have another unit.
    """
    named = {**dict.fromkeys(card.date, "date"), **card.columns}
    named |= {**dict.fromkeys(card.lost, "lost"), **dict.fromkeys(card.skip, "skip")}
    check_columns(source, named, card.name)
    frame = source.rename(columns=dict(card.columns))
    if card.columns and card.folder is not None:
        frame = frame[list(card.columns.values())]
    refuse_repeated_columns(frame, card.name)
    if card.missing:
        everywhere = card.missing.get("*", ())
        markers = {name: (*everywhere, *card.missing.get(name, ())) for name in frame}
        frame = frame.mask(pd.DataFrame({name: _is_one_of(frame[name], known) for name, known in markers.items()}))
    frame = _scaled(_with_values(frame, card), card)
    time = card.facts.time
    if card.date:
        frame[time] = _days(source, card)
    if card.time_unit and time in frame:
        frame[time] = _since_1970(frame[time], card)
    if card.percent_encoded and "page" in frame:
        frame["page"] = decoded(frame["page"])
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
                f"{card.name}: values are mapped for {name!r}, which no column gives; got {column_names(frame)}. Name "
                "its source under columns."
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
            f"{card.name}: column {card.facts.time!r} must be {card.time_unit}, a number of {unit} since 1970, between "
            f"{FIRST_TIME.year} and {LAST_TIME.year}; {len(bad):,} differ, first row {bad.index[0]}: {bad.iloc[0]!r}."
        )
    return pd.to_datetime(numbers, unit=unit, utc=True)


def _days(source: pd.DataFrame, card: Card) -> pd.Series:
    """Year, month and day from three columns, as the day's first moment in UTC."""
    parts = {part: pd.to_numeric(source[name], errors="coerce") for part, name in zip(DATE, card.date, strict=True)}
    days = pd.to_datetime(pd.DataFrame(parts), utc=True, errors="coerce")
    if days.isna().any():
        bad = source.loc[days.isna(), list(card.date)].astype(str).agg("-".join, axis=1)
        raise WorkbenchError(f"{card.name}: {bad_values(card.facts.time, 'a year, month and day', bad)}")
    return days


def decoded(pages: pd.Series) -> pd.Series:
    """Names of pages without percent-encoding; bytes that are no UTF-8 become the replacement character."""
    return pages.map({name: unquote(str(name)) for name in pages.dropna().unique()})


def _marked(source: pd.DataFrame, markers: Mapping[str, Sequence[str] | Bounds]) -> np.ndarray:
    """Rows in which any of the columns holds one of its markers (boolean, shape (rows,))."""
    return np.any([_is_marked(source[name], known) for name, known in markers.items()], axis=0)


def _is_marked(values: pd.Series, known: Sequence[str] | Bounds) -> pd.Series:
    if not isinstance(known, Bounds):
        return _is_one_of(values, known)
    numbers = pd.to_numeric(values, errors="coerce")
    return numbers.gt(known.above) | numbers.lt(known.below)


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


def add_local_hour(frame: pd.DataFrame, time: str = "measured_at") -> pd.DataFrame:
    """Add ``local_hour`` (0 to 23) where the frame has times in UTC and ``utc_offset_h``, and no hour yet."""
    if "local_hour" in frame or not {time, "utc_offset_h"} <= set(frame.columns):
        return frame
    utc_hour = frame[time].dt.hour + frame[time].dt.minute / 60
    return frame.assign(local_hour=np.floor((utc_hour + frame["utc_offset_h"]) % 24))
