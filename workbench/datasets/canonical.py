"""From the columns of a source to canonical ones: rows to leave out, names, values, units, times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import Bounds, Card
from workbench.datasets.columns import (
    FLAG_WORDS,
    NUMBER,
    TEXT,
    as_text,
    check_columns,
    column_names,
    distinct,
    plain_values,
    refuse_no_numbers,
    refuse_repeated_columns,
)
from workbench.datasets.netinfo import read_hints
from workbench.datasets.numerals import as_points
from workbench.datasets.readers import decoded
from workbench.datasets.schema import LOSABLE, MEASURED
from workbench.datasets.times import read_times
from workbench.errors import WorkbenchError

EXACT = 2**53  # from here on floats skip whole numbers
PLAIN_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?"
AS_NUMBER = r"^\s*AS\s*(\d+)(?:\s.*)?$"
VERSIONS = ("os_major", "browser_major")


def to_canonical(source: pd.DataFrame, card: Card, constants: Mapping[str, object] | None = None) -> pd.DataFrame:
    """Leave out rows, rename, map values, convert units, blank missing markers, add constants; not yet checked.

    ``constants`` are a file's own: canonical column to the value for these rows. Rows to skip are left out, and so are
    those whose local time a clock showed twice or never, or whose time is that of an unset clock; ``attrs["dropped"]``
    counts them, ``attrs["warnings"]`` says what a reader should know, ``attrs["idle"]`` names the entries of ``skip``
    that fit no row. A lost probe becomes an infinite ``rtt_ms``. Raises a WorkbenchError if a column that the card
    names is not in the source, two become one, or times have another unit or form.
    """
    named = {**dict.fromkeys(card.date, "date"), **card.columns}
    named |= {name: entry for entry in ("lost", "skip", "keep") for name in getattr(card, entry)}
    source = _despaced(source, named)
    check_columns(source, named, card.name)
    refuse_repeated_columns(source, card.name)
    source = source.assign(**{name: plain_values(source[name]) for name in source if isinstance(name, str)})
    skip = {name: _is_marked(source[name], known, card) for name, known in card.skip.items()}
    keep = [_is_marked(source[name], known, card) for name, known in card.keep.items()]
    kept = source[np.all([*keep, *(~marked for marked in skip.values()), np.ones(len(source), bool)], axis=0)]
    frame, warnings = _named(kept, card, {**card.constants, **(constants or {})})
    refuse_repeated_columns(frame, card.name)
    frame = _with_exact_ids(frame, card)
    if card.missing:
        everywhere = card.missing.get("*", ())
        markers = {name: (*everywhere, *card.missing.get(name, ())) for name in frame}
        frame = frame.mask(pd.DataFrame({name: _is_one_of(frame[name], known) for name, known in markers.items()}))
    frame = _with_values(frame, card)
    refuse_no_numbers(frame, card.name, (*card.facts.columns, *card.context))
    frame = _scaled(_with_points(read_hints(frame), card), card)
    time = card.facts.time
    out: dict[str, np.ndarray] = {}
    if card.date or time in frame:
        frame[time], out, said = read_times(kept[list(card.date)] if card.date else frame[time], card)
        warnings += said
    if card.percent_encoded and "page" in frame:
        frame["page"] = decoded(frame["page"])
    for name in VERSIONS:
        if name in frame and not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = as_text(frame[name]).str.extract(r"^\s*\"?(\d+)", expand=False)
    if "asn" in frame:
        frame["asn"] = as_text(frame["asn"]).str.replace(AS_NUMBER, r"\1", case=False, regex=True)
    if card.lost:
        check_columns(frame, {LOSABLE: "lost"}, card.name)
        lost = [_is_marked(kept[name], known, card) for name, known in card.lost.items()]
        frame = _with_lost(frame, np.any(lost, axis=0))
    frame = frame.assign(**{**card.constants, **(constants or {})})
    counts = {"skipped": len(source) - len(kept), **{why: int(rows.sum()) for why, rows in out.items()}}
    frame = frame[~np.any([*out.values(), np.zeros(len(frame), bool)], axis=0)]
    frame.attrs = {"dropped": {why: count for why, count in counts.items() if count}, "warnings": tuple(warnings)}
    frame.attrs["idle"] = {name for name, marked in skip.items() if not marked.any()}
    return frame


def _despaced(source: pd.DataFrame, names: Mapping[Any, str]) -> pd.DataFrame:
    """The source with its columns named as the card names them, which may differ in spaces at the ends."""
    bare = {str(name).strip(): name for name in source}
    found = {bare.get(str(name).strip()): name for name in names if name not in source}
    return source.rename(columns={old: new for old, new in found.items() if old is not None and old not in names})


def _named(source: pd.DataFrame, card: Card, constants: Mapping[str, object]) -> tuple[pd.DataFrame, list[str]]:
    """The columns of the source by their canonical names, and what is said of those that the card does not map.

    A mapped column goes before one that has the canonical name itself; the latter is used where none is mapped.
    """
    canonical = {*(column.name for column in (*card.facts.columns, *card.context))}
    own = [name for name in source if name in canonical and name not in card.columns and name not in constants]
    beaten = [name for name in own if name in card.columns.values()]
    used = [name for name in own if name not in beaten and source[name].notna().any()]
    frame = source.drop(columns=beaten).rename(columns=dict(card.columns))
    if card.columns and card.folder is not None:
        frame = frame[[*card.columns.values(), *used]]
    declared = [column.name for column in card.context]
    told = [name for name in used if name not in declared and card.columns]
    said = {
        "Columns left out, since others are mapped to their names": beaten,
        "Columns used without being mapped": told,
    }
    return frame.copy(), [f"{what}: {', '.join(names)}." for what, names in said.items() if names]


def _with_exact_ids(frame: pd.DataFrame, card: Card) -> pd.DataFrame:
    """Ids that stay as they are where cells are blanked: whole numbers would become floats, and long ones equal."""
    names = [name for name in ("user_id", "session_id") if name in frame]
    for name in names:
        if pd.api.types.is_float_dtype(frame[name]) and frame[name].abs().ge(EXACT).any():
            raise WorkbenchError(
                f"{card.name}: column {name!r} must be text or whole numbers; got floats from 2**53 on, which cannot "
                "tell ids apart. Read or export the column as text."
            )
    return frame.astype(dict.fromkeys(names, object)) if card.missing else frame


def _with_values(frame: pd.DataFrame, card: Card) -> pd.DataFrame:
    for name, values in card.values.items():
        if name not in frame:
            raise WorkbenchError(
                f"{card.name}: values are mapped for {name!r}, which no column gives; got {column_names(frame)}. Name "
                "its source under columns."
            )
        codes, given = distinct(frame[name])
        read = np.append(given.to_numpy(object), np.array([None]))
        for old, new in values.items():
            read[:-1][_is_one_of(given, [old]).to_numpy(bool)] = None if new == "" else new
        frame[name] = pd.Series(read[codes], frame.index)
    return frame


def _scaled(frame: pd.DataFrame, card: Card) -> pd.DataFrame:
    for name, factor in card.scale.items():
        if name in frame:
            numbers = pd.to_numeric(frame[name], errors="coerce")
            # What is no finite number stays as it is, for the check to refuse.
            frame[name] = (numbers * factor).astype(object).where(np.isfinite(numbers.astype(float)), frame[name])
    return frame


def _with_points(frame: pd.DataFrame, card: Card) -> pd.DataFrame:
    """Numbers as ``pd.to_numeric`` reads them, whatever marks the source writes."""
    numbers = [column.name for column in (*card.facts.columns, *card.context) if column.dtype == NUMBER]
    named = [name for name in numbers if name in frame and name not in VERSIONS]
    try:
        return frame.assign(**{name: as_points(frame[name], card.decimal, card.thousands) for name in named})
    except WorkbenchError as err:
        raise WorkbenchError(f"{card.name}: {err}") from err


def _with_lost(frame: pd.DataFrame, lost: np.ndarray) -> pd.DataFrame:
    """An infinite round trip for probes without an answer; where they measured 0 of something else, it is missing."""
    frame[LOSABLE] = frame[LOSABLE].astype(object).mask(lost, np.inf)
    for name in MEASURED:
        if name in frame and name != LOSABLE:
            frame[name] = frame[name].mask(lost & pd.to_numeric(frame[name], errors="coerce").le(0))
    return frame


def _is_marked(values: pd.Series, known: Sequence[str] | Bounds, card: Card) -> np.ndarray:
    if not isinstance(known, Bounds):
        return _is_one_of(values, known).to_numpy(bool)
    numbers = pd.to_numeric(as_points(values, card.decimal, card.thousands), errors="coerce")
    return (numbers.gt(known.above) | numbers.lt(known.below)).to_numpy(bool)


def _is_one_of(values: pd.Series, markers: Sequence[str]) -> pd.Series:
    """Whether a cell is one of some texts; an empty text stands for no value.

    Truth values are compared as such, numbers as numbers, in text too if it is plain ("-1.0" is -1, "007" is not 7).
    """
    codes, given = distinct(values)
    texts, known = as_text(given), pd.Series([str(marker) for marker in markers], dtype=TEXT)
    found = texts.isin(known)
    if pd.api.types.is_bool_dtype(given) or given.map(lambda value: isinstance(value, bool)).any():
        flags = {FLAG_WORDS.get(marker.strip().lower()) for marker in known} - {None}
        found |= given.map(lambda value: isinstance(value, bool | np.bool_) and value in flags).astype(bool)
    numbers = pd.to_numeric(known, errors="coerce").dropna().astype(float)
    if numbers.empty:
        return pd.Series(np.append(found.to_numpy(bool), "" in set(known))[codes], values.index)
    plain = pd.Series(True, given.index) if pd.api.types.is_numeric_dtype(given) else texts.str.fullmatch(PLAIN_NUMBER)
    same = pd.to_numeric(texts, errors="coerce").astype(float).isin(numbers[numbers.abs() < EXACT])
    found |= plain.astype(bool) & same
    return pd.Series(np.append(found.to_numpy(bool), "" in set(known))[codes], values.index)


def drop_unmeasured(frame: pd.DataFrame, require: Sequence[str] = ()) -> pd.DataFrame:
    """Keep the rows in which something was measured, and all that is required, with a fresh index from 0.

    A lost probe stays: nothing else could be measured.
    """
    measured = frame[[name for name in MEASURED if name in frame]].notna().any(axis=1)
    complete = frame.reindex(columns=list(require)).notna().all(axis=1)
    lost = np.isinf(frame.get(LOSABLE, pd.Series(0.0, frame.index)))
    return frame[measured & (complete | lost)].reset_index(drop=True)


def add_local_hour(frame: pd.DataFrame, time: str = "measured_at") -> pd.DataFrame:
    """Add ``local_hour`` (0 to 23) where the frame has times in UTC and ``utc_offset_h``, and no hour yet."""
    if "local_hour" in frame or not {time, "utc_offset_h"} <= set(frame.columns):
        return frame
    utc_hour = frame[time].dt.hour + frame[time].dt.minute / 60
    return frame.assign(local_hour=np.floor((utc_hour + frame["utc_offset_h"]) % 24))
