"""How a source writes times: ISO 8601, a form of its own, numbers since 1970 or of Excel, in one column or several."""

from __future__ import annotations

import re
from numbers import Number

import numpy as np
import pandas as pd

from workbench.datasets.cards import TIME_UNITS, Card
from workbench.datasets.columns import KINDS, TIME, as_text, bad_values, distinct, iso_times, showable
from workbench.datasets.numerals import as_points
from workbench.datasets.people import no_value
from workbench.datasets.plausible import is_few
from workbench.errors import WorkbenchError

# The web has no earlier times, and a time in another unit than the card says is decades or millennia off.
FIRST_TIME, LAST_TIME = pd.Timestamp("1990-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC")
UNIX, EXCEL = pd.Timestamp("1970-01-01"), pd.Timestamp("1899-12-30")  # Excel's 1900 date system
# Behind the time of day, which the basic form of ISO 8601 writes without colons.
OFFSET = r"(?:T\d{2,6}|:\d\d)(?:[.,]\d+)?\s{0,3}(?:Z|(?:Etc/)?UTC|GMT|[+-]\d\d(?::?\d\d)?)$"
CLF = "%d/%b/%Y:%H:%M:%S %z"  # of access logs
CLOCK = r"\d:\d\d|T\d\d"  # a time of day
FEW, MANY, SOME = 50, 100, 10_000  # values that show how times are written
DAYS = ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y"]
DAYS += ["%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%Y/%m/%d", "%Y-%m-%d"]
HOURS = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M %p")
FORMATS = [*DAYS, *(f"{day}{mark} {hour}" for day in DAYS for hour in HOURS for mark in ("", ","))]
FORMATS += [CLF, "%b %d, %Y @ %H:%M:%S.%f"]  # the second is Kibana's
FORMATS += [f"%d.%m.%Y{mark} {hour} Uhr" for hour in ("%H:%M", "%H:%M:%S") for mark in ("", ",")]
LOCAL = (
    'Times name no time zone and were taken for UTC: write time_zone = "Europe/Berlin", or what they are in ("UTC" '
    "where that is right)."
)


def read_times(
    values: pd.Series | pd.DataFrame, card: Card
) -> tuple[pd.Series, dict[str, np.ndarray], tuple[str, ...]]:
    """Times as the card says that they are written, rows to leave out by reason (boolean, shape (rows,)), and warnings.

    ``values`` is the column of times, or the columns of the card's ``date``; each distinct value is read once. Times
    are ``datetime64[us, UTC]``, NaT where missing or a word for that, such as "NULL" or "-". ``clock_change`` are
    local times that clocks showed twice or never; ``implausible`` are times outside 1990 to 2100, up to 1 % (one, from
    ten rows on), as of an unset clock; ``bad_time`` are as many values that are no such times. Raises a WorkbenchError
    if more are, with what to write.
    """
    if isinstance(values, pd.DataFrame):
        values = _joined(values, card)
    codes, given = distinct(values.mask(no_value(values)))
    zone = card.time_zone
    read, clear, local = _numbers(given, card) if card.time_unit else _texts(given, card.time_format, zone)
    rows = {"clock_change": np.isin(codes, np.flatnonzero(~clear))}
    rows["bad_time"] = np.isin(codes, np.flatnonzero(read.isna() & clear))
    there = int((codes >= 0).sum())
    if not is_few(int(rows["bad_time"].sum()), there):
        raise WorkbenchError(f"{card.name}: {_refusal(values[rows['bad_time']], card)}")
    odd = read.notna() & ~read.between(FIRST_TIME, LAST_TIME)
    rows["implausible"] = np.isin(codes, np.flatnonzero(odd))
    if not is_few(int(rows["implausible"].sum()), there):
        raise WorkbenchError(f"{card.name}: {_out_of_range(values, rows['implausible'], card)}")
    times = pd.Series(read.astype(TIME).reindex(codes).array, values.index, name=values.name)
    return times, rows, (LOCAL,) if local and not zone else ()


def log_times(times: pd.Series, time_format: str, time_zone: str) -> tuple[pd.DataFrame, bool]:
    """Times of an access log (object): ``moment`` (datetime64[us, UTC], NaT where it is none) and ``clock_change``
    (bool, a local time that comes twice or never), and whether any is local.

    Without ``time_format`` each value tells by itself whether it is in the common log format, a number since 1970 (in
    the only unit that fits), or ISO 8601, which is of ``time_zone`` where it names none.
    """
    codes, given = distinct(times)
    given = given.astype("str").str.strip()
    read, clear = pd.Series(pd.NaT, given.index, dtype=TIME), pd.Series(True, given.index)
    if not time_format:
        usual = given[given.str.slice(2, 3) == "/"]
        read[usual.index] = pd.to_datetime(usual, format=CLF, utc=True, errors="coerce").astype(TIME)
        numbers = pd.to_numeric(given[~given.str.contains(":", regex=False)], errors="coerce").dropna()
        for unit in ("s", "ms", "us", "ns"):
            fit = numbers[_within(numbers, unit)]
            read[fit.index] = pd.to_datetime(fit, unit=unit, utc=True).dt.round("us").astype(TIME)
    left = given[read.isna()]
    read[left.index], clear[left.index], local = _texts(left, time_format, time_zone)
    moments = read.reindex(codes).set_axis(times.index)
    unclear = (~clear).reindex(codes, fill_value=False).set_axis(times.index)
    return pd.DataFrame({"moment": moments, "clock_change": unclear}), local


def _joined(parts: pd.DataFrame, card: Card) -> pd.Series:
    """One text of a day and a time of day, or of year, month and day; missing where any part is."""
    given = parts[~np.any([no_value(parts[name]) for name in parts], axis=0)]
    if parts.shape[1] == 3:
        digits = [pd.to_numeric(given[name], errors="coerce").fillna(0).astype(int).astype(str) for name in given]
        joined = digits[0].str.zfill(4) + "-" + digits[1].str.zfill(2) + "-" + digits[2].str.zfill(2)
    else:
        first, *rest = (as_text(given[name]).str.strip().str.removesuffix(" 00:00:00") for name in given)
        joined = first.str.cat(rest, sep=" ") if rest else first
    return joined.reindex(parts.index).rename(card.facts.time)


def _numbers(given: pd.Series, card: Card) -> tuple[pd.Series, pd.Series, bool]:
    """Distinct numbers as times; those of Excel are of a local clock."""
    numbers = pd.to_numeric(as_points(given, card.decimal), errors="coerce")
    unit = TIME_UNITS[card.time_unit]
    if unit != "D":
        moments = pd.to_datetime(numbers.where(_within(numbers, unit)), unit=unit, utc=True)
        return _with_far(moments.dt.round("us"), numbers), pd.Series(True, given.index), False
    days = pd.to_datetime(numbers.where(_within(numbers, unit)), unit=unit, origin=EXCEL).dt.round("ms")
    moments, clear = _localised(days, card.time_zone)
    return _with_far(moments, numbers), clear, bool((numbers % 1 > 0).any())


def _with_far(moments: pd.Series, numbers: pd.Series) -> pd.Series:
    """Times beside which numbers far from any are those of 1970, so that they count as implausible."""
    return moments.astype(TIME).mask(moments.isna() & numbers.notna(), UNIX.tz_localize("UTC"))


def _within(numbers: pd.Series, unit: str) -> pd.Series:
    origin = (EXCEL if unit == "D" else UNIX).tz_localize("UTC")
    return numbers.between(*((at - origin) / pd.Timedelta(1, unit) for at in (FIRST_TIME, LAST_TIME)))


def _texts(given: pd.Series, form: str, zone: str) -> tuple[pd.Series, pd.Series, bool]:
    """Distinct texts as times, whether each is clear (clocks that go back show an hour twice), and if any is local."""
    always = pd.Series(True, given.index)
    if pd.api.types.is_datetime64_any_dtype(given):
        if given.dt.tz is not None:
            return given.dt.tz_convert("UTC"), always, False
        return *_localised(given, zone), False
    texts = given.where(~given.map(lambda value: isinstance(value, Number)).astype(bool)).astype("str").str.strip()
    if "%z" in form.lower():
        return pd.to_datetime(texts, utc=True, format=form, errors="coerce"), always, False
    if form:
        local = bool(re.search("%[HIcXT]", form))
        return *_localised(pd.to_datetime(texts, format=form, errors="coerce"), zone), local
    zoned = texts.str.contains(OFFSET, regex=True).fillna(False).astype(bool)
    read = iso_times(texts)
    if (commas := read.isna() & texts.str.contains(",", regex=False).eq(True)).any():  # as Python's logging writes it
        read[commas] = iso_times(texts[commas].str.replace(r"(?<=:\d\d),(?=\d)", ".", regex=True))
    moments, clear = _localised(read.mask(zoned).dt.tz_localize(None), zone)
    return moments.fillna(read.where(zoned)), clear, bool(texts[~zoned].str.contains(CLOCK).any())


def _localised(local: pd.Series, zone: str) -> tuple[pd.Series, pd.Series]:
    moments = local.dt.tz_localize(zone or "UTC", ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC")
    return moments.astype(TIME), local.isna() | moments.notna()


def _refusal(bad: pd.Series, card: Card) -> str:
    """What a column of times must be, which values differ, and what to write."""
    if card.time_unit:
        return bad_values(card.facts.time, f"numbers, as time_unit = {card.time_unit!r} says", bad)
    if card.time_format:
        return bad_values(card.facts.time, f"times as time_format = {card.time_format!r} says", bad)
    if len(card.date) == 3:
        return bad_values(card.facts.time, "a year, month and day", bad)
    forms = fitting_formats(bad)
    write = f' Write time_format = "{forms[0]}", if that is the order.' if forms else ""
    unit = fitting_unit(pd.to_numeric(bad.head(MANY), errors="coerce"))
    return f"{bad_values(card.facts.time, KINDS[TIME], bad)}{_write_unit(unit) or write}"


def _out_of_range(values: pd.Series, out: np.ndarray, card: Card) -> str:
    bad, unit = values[out], TIME_UNITS.get(card.time_unit, "")
    since = "days since 1899-12-30" if unit == "D" else f"{unit} since 1970"
    form = f"{card.time_unit}, a number of {since}, between" if unit else "between"
    write = " Write missing for what stands for no time, or skip to leave out these rows."
    if unit and len(bad) > len(values) / 2:
        write = _write_unit(fitting_unit(pd.to_numeric(as_points(bad, card.decimal), errors="coerce"))) or write
    return (
        f"column {card.facts.time!r} must be {form} {FIRST_TIME.year} and {LAST_TIME.year}; {len(bad):,} of "
        f"{len(values):,} differ, first row {bad.index[0]}: {showable(bad.iloc[0])!r}.{write}"
    )


def _write_unit(unit: str) -> str:
    return f' Write time_unit = "{unit}".' if unit else ""


def spread(values: pd.Series) -> pd.Series:
    """At most ``SOME`` of the values, from all over the column, so that the days of a whole month are among them."""
    return values.iloc[:: -(-len(values) // SOME) or 1]


def fitting_unit(numbers: pd.Series) -> str:
    """The ``time_unit`` that numbers fit, of which there is one only; "" where they are no times.

    >>> fitting_unit(pd.Series([1769882405.5])), fitting_unit(pd.Series([46053.75])), fitting_unit(pd.Series([7]))
    ('unix_s', 'excel_days', '')
    """
    known = numbers.dropna()
    return next((name for name, unit in TIME_UNITS.items() if len(known) and _within(known, unit).mean() > 0.5), "")


def fitting_formats(times: pd.Series) -> list[str]:
    """Forms of ``strptime`` that all of some distinct texts have; that which makes the time shortest comes first.

    >>> fitting_formats(pd.Series(["01/31/2026 6:05 PM", "02/01/2026 7:15 PM"]))
    ['%m/%d/%Y %I:%M %p']
    """
    texts = spread(times.dropna().drop_duplicates()).astype(str).str.strip()
    spans = {}
    for form in FORMATS if len(texts) else ():
        if pd.to_datetime(texts.head(FEW), format=form, utc=True, errors="coerce").notna().all():
            moments = pd.to_datetime(texts, format=form, utc=True, errors="coerce")
            if moments.notna().all():
                spans[form] = moments.max() - moments.min()
    return sorted(spans, key=lambda form: (spans[form], FORMATS.index(form)))
