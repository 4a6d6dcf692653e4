"""From a source's columns to canonical ones: names, values, units, times, missing markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

import numpy as np
import pandas as pd

from workbench.datasets.cards import TIME_UNITS, Card
from workbench.datasets.columns import TEXT, as_text, bad_values, check_columns, column_names, refuse_repeated_columns
from workbench.datasets.schema import LOSABLE, MEASURED
from workbench.errors import WorkbenchError

# A time in another unit than the card says is decades or millennia off.
FIRST_TIME, LAST_TIME = pd.Timestamp("1990-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC")
AS_NUMBER = r"^\s*AS\s*(\d+)(?:\s.*)?$"
DATE = ("year", "month", "day")


def to_canonical(source: pd.DataFrame, card: Card, constants: Mapping[str, object] | None = None) -> pd.DataFrame:
    """Rename, map values, bring units to the contract's, blank missing markers, add what holds for every row.

    ``constants`` are a file's own: canonical column to the value that holds for these rows. The result has canonical
    names and is not yet checked: a lost probe is an infinite ``rtt_ms``, a skipped row has nothing measured. Raises a
    WorkbenchError where a column that the card names is not in the source, two become one, or times have another unit.
    """
    named = {**dict.fromkeys(card.date, "date"), **card.columns}
    named |= {**dict.fromkeys(card.lost, "lost"), **dict.fromkeys(card.skip, "skip")}
    check_columns(source, named, card.name)
    frame = source.rename(columns=dict(card.columns))
    if card.columns and card.folder is not None:
        frame = frame[list(card.columns.values())]
    refuse_repeated_columns(frame, card.name)
    if card.missing:
        frame = frame.mask(pd.DataFrame({name: _is_one_of(frame[name], card.missing) for name in frame}))
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
    codes, names = pd.factorize(pages)
    plain = np.array([unquote(str(name)) for name in names] + [None], dtype=object)
    return pd.Series(plain[codes], pages.index, name=pages.name)


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


def add_local_hour(frame: pd.DataFrame, time: str = "measured_at") -> pd.DataFrame:
    """Add ``local_hour`` (0 to 23) where the frame has times in UTC and ``utc_offset_h``, and no hour yet."""
    if "local_hour" in frame or not {time, "utc_offset_h"} <= set(frame.columns):
        return frame
    utc_hour = frame[time].dt.hour + frame[time].dt.minute / 60
    return frame.assign(local_hour=np.floor((utc_hour + frame["utc_offset_h"]) % 24))
