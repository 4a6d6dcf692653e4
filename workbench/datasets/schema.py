"""The canonical columns of a table of measurements: dtype, unit, level and meaning, and the check against them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number

import numpy as np
import pandas as pd
import pandera.errors
import pandera.pandas as pa

from workbench.errors import WorkbenchError, did_you_mean

# Who can know a column, in the order in which it becomes known.
LEVELS = ("first_request", "after_accept_ch", "client_js", "native_app", "never")
MEASURED = ("rtt_ms", "downlink_mbps", "page_load_ms")
LOSABLE = "rtt_ms"  # infinite where the probe was lost: worse than any threshold
# A visible value of one of these is a signal: the network is known, nothing need be predicted.
SIGNALS = ("effective_type", "netinfo_rtt_ms", "netinfo_downlink_mbps")
SIGNAL_AGE_S = 600.0  # an earlier measurement younger than this is a signal too
TEXT, NUMBER, FLAG, TIME = "str", "float64", "boolean", "datetime64[us, UTC]"
CELLULAR = ("2g", "3g", "4g", "5g")
BAD_ROWS_SHOWN = 3
FLAG_WORDS = {"true": True, "false": False, "1": True, "0": False, "on": True, "off": False}  # "on": Save-Data's own
KINDS = {TEXT: "text", NUMBER: "numbers", FLAG: "true or false", TIME: "times (ISO 8601, as in 2026-01-31T18:00Z)"}


@dataclass(frozen=True)
class Column:
    """One column of the contract.

    Parameters
    ----------
    name : str
    dtype : str
        pandas dtype.
    level : str or None
        When a server or client can know it (one of ``LEVELS``); None: not context.
    meaning : str
    low, high : float or None
        Range of numbers; ``low`` of a measured quantity is exclusive.
    allowed : tuple of str
        Closed list of values, empty where open.
    """

    name: str
    dtype: str
    level: str | None
    meaning: str
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()


COLUMNS = (
    Column("country", TEXT, "first_request", "ISO 3166 code, from the address"),
    Column("asn", TEXT, "first_request", "autonomous system number, digits only, from the address"),
    Column("isp", TEXT, "first_request", "provider, from the address"),
    Column("region", TEXT, "first_request", "from the address"),
    Column("city", TEXT, "first_request", "from the address"),
    Column("os_family", TEXT, "first_request", "from the user agent"),
    Column("os_major", NUMBER, "first_request", "major version", 0),
    Column("browser", TEXT, "first_request", "from the user agent"),
    Column("browser_major", NUMBER, "first_request", "major version", 0),
    Column("save_data", FLAG, "first_request", "Save-Data request header"),
    Column("local_hour", NUMBER, "first_request", "hour of the day where the view is", 0, 23),
    Column("last_rtt_ms", NUMBER, "first_request", "history: RTT of the user's last measured view", 0),
    Column("last_downlink_mbps", NUMBER, "first_request", "history: throughput of the user's last measured view", 0),
    Column("last_age_s", NUMBER, "first_request", "history: seconds since then", 0),
    Column("earlier_views", NUMBER, "first_request", "history: measured views of the user before", 0),
    Column("device", TEXT, "after_accept_ch", "model, from Sec-CH-UA-Model or an app"),
    Column(
        "effective_type",
        TEXT,
        "after_accept_ch",
        "NetInfo class, from ECT",
        allowed=("slow-2g", "2g", "3g", "4g"),
    ),
    Column("netinfo_rtt_ms", NUMBER, "after_accept_ch", "NetInfo round trip, rounded to 25 ms", 0),
    Column("netinfo_downlink_mbps", NUMBER, "after_accept_ch", "NetInfo throughput, rounded and capped", 0),
    Column(
        "connection_type",
        TEXT,
        "client_js",
        "kind of link; an app tells the cellular generation too",
        allowed=("wifi", "ethernet", "bluetooth", "cellular", "unknown", *CELLULAR),
    ),
    Column("access_technology", TEXT, "never", "finer technology, for ablations"),
    Column("user_id", TEXT, None, "who; used to split and to resample, never shown"),
    Column("measured_at", TIME, None, "UTC"),
    Column("utc_offset_h", NUMBER, None, "local time minus UTC", -12, 14),
    Column("simulated", FLAG, None, "drawn by a simulation"),
    Column("rtt_ms", NUMBER, None, "measured round-trip time, ms; infinite where the probe was lost", 0),
    Column("downlink_mbps", NUMBER, None, "measured throughput, Mbit/s", 0),
    Column("page_load_ms", NUMBER, None, "measured load time of a page, ms", 0),
)
BY_NAME = {column.name: column for column in COLUMNS}


def context_columns(known_by: str, extra: Iterable[Column] = ()) -> list[str]:
    """Names of the columns known by a level, in the order of the contract.

    Raises
    ------
    WorkbenchError
        Where the level is not one of ``LEVELS``.

    Examples
    --------
    >>> context_columns("first_request")[:3]
    ['country', 'asn', 'isp']
    """
    if known_by not in LEVELS:
        raise WorkbenchError(
            f"known_by must be one of {', '.join(LEVELS)}; got {known_by!r}.{did_you_mean(str(known_by), LEVELS)}"
        )
    known = LEVELS[: LEVELS.index(known_by) + 1]
    return [column.name for column in (*COLUMNS, *extra) if column.level in known]


def known_context(frame: pd.DataFrame, known_by: str, extra: Iterable[Column] = ()) -> pd.DataFrame:
    """What is known about each view by a level, before the view is served.

    Parameters
    ----------
    frame : DataFrame
        Canonical measurements, or a context already cut.
    known_by : str
        One of ``LEVELS``.
    extra : iterable of Column
        Further context that the card declares.

    Returns
    -------
    DataFrame
        Same rows and index; every column known by then, all-missing where the source has none. A browser script
        sees "cellular" where an app sees 2g to 5g.
    """
    columns = {**BY_NAME, **{column.name: column for column in extra}}
    known = {
        name: frame[name] if name in frame else pd.Series(None, frame.index, dtype=columns[name].dtype)
        for name in context_columns(known_by, extra)
    }
    if known_by == "client_js":
        link = known["connection_type"]
        known["connection_type"] = link.mask(link.isin(CELLULAR), "cellular")
    return pd.DataFrame(known, index=frame.index)


def has_signal(context: pd.DataFrame) -> pd.Series:
    """Whether the network's quality is visible already, a view (boolean, shape (rows,)).

    Any NetInfo value is a signal, and so is a measurement of the same user younger than ten minutes.
    """
    signal = context[[name for name in SIGNALS if name in context]].notna().any(axis=1)
    return signal | context["last_age_s"].lt(SIGNAL_AGE_S) if "last_age_s" in context else signal


def measured_quantities(frame: pd.DataFrame) -> list[str]:
    """Measured columns that hold at least one value, in the order of ``MEASURED``."""
    return [name for name in MEASURED if name in frame and frame[name].notna().any()]


def count_lost(frame: pd.DataFrame) -> int:
    """How many views lost their probe: an infinite ``rtt_ms``."""
    return int(np.isinf(frame[LOSABLE].to_numpy(float)).sum()) if LOSABLE in frame else 0


def check_measurements(frame: pd.DataFrame, name: str, extra: Sequence[Column] = ()) -> pd.DataFrame:
    """Hold a frame against the contract and give every canonical column its dtype.

    Parameters
    ----------
    frame : DataFrame
        Canonical column names; columns outside the contract are dropped.
    name : str
        What errors call the frame.
    extra : sequence of Column
        Further context that the card declares.

    Returns
    -------
    DataFrame
        Canonical columns only, in the order of the contract.

    Raises
    ------
    WorkbenchError
        With the column, the number of bad values, and the first of them.
    """
    columns = [column for column in (*COLUMNS, *extra) if column.name in frame]
    refuse_repeated_columns(frame, name)
    if not len(frame):
        raise WorkbenchError(f"{name}: expected at least one row; got an empty table.")
    if not any(column.name in MEASURED for column in columns):
        raise WorkbenchError(
            f"{name}: expected at least one measured column of {', '.join(MEASURED)}; got "
            f"{', '.join(map(str, list(frame.columns)[:12]))}. Name yours with columns={{'<yours>': 'rtt_ms'}}."
        )
    contract = pa.DataFrameSchema({column.name: _pandera_column(column) for column in columns})
    readers = {TEXT: as_text, FLAG: _as_flag, TIME: _as_time}
    try:
        read = {column.name: readers[column.dtype](frame[column.name]) for column in columns if column.dtype in readers}
        return contract.validate(frame[[column.name for column in columns]].assign(**read), lazy=True)
    except WorkbenchError as err:
        raise WorkbenchError(f"{name}: {err}") from err
    except pandera.errors.SchemaErrors as err:
        kinds = {column.name: KINDS[column.dtype] for column in columns}
        raise WorkbenchError(f"{name}: {_first_failure(err.failure_cases, frame.index, kinds)}") from err


def refuse_repeated_columns(frame: pd.DataFrame, name: str) -> None:
    """Raise a WorkbenchError where a column name comes more than once."""
    if frame.columns.duplicated().any():
        twice = sorted(set(frame.columns[frame.columns.duplicated()]))
        raise WorkbenchError(f"{name}: each column may come once; {', '.join(map(repr, twice))} came more often.")


def as_text(values: pd.Series) -> pd.Series:
    """Text as it is, whole numbers without their ``.0`` (an ASN read beside missing values is a float).

    Examples
    --------
    >>> as_text(pd.Series([15169.0, None])).tolist()
    ['15169', nan]
    """
    if values.dtype == TEXT:
        return values
    return values.astype(object).where(values.notna(), np.nan).map(_text, na_action="ignore").astype(TEXT)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _as_flag(values: pd.Series) -> pd.Series:
    """Words for yes and no as such (every cell of a CSV file is text); other values as they are."""
    if not (pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)):
        return values
    words = values.astype(object).where(values.notna(), None)
    return words.map(lambda value: FLAG_WORDS.get(value.strip().lower(), value) if isinstance(value, str) else value)


def _as_time(values: pd.Series) -> pd.Series:
    """ISO 8601 texts as times; without an offset they are UTC.

    All else is refused: day and month may be swapped, and a bare number tells neither its unit nor where it
    counts from.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return values
    given = values.astype(object).where(values.notna(), None)
    text = given.map(lambda value: None if isinstance(value, Number) else value)
    times = pd.to_datetime(text, utc=True, format="ISO8601", errors="coerce")
    refused = times.isna() & given.notna()
    if refused.any():
        raise WorkbenchError(_sentence(str(values.name), KINDS[TIME], given[refused]))
    return times


def _pandera_column(column: Column) -> pa.Column:
    checks = []
    if column.dtype == NUMBER:
        checks.append(_range_check(column))
    if column.allowed:
        checks.append(pa.Check.isin(column.allowed, error="one of " + ", ".join(column.allowed)))
    return pa.Column(column.dtype, checks, nullable=True, coerce=True)


def _range_check(column: Column) -> pa.Check:
    low, high = -np.inf if column.low is None else column.low, np.inf if column.high is None else column.high
    if column.name == LOSABLE:
        words = f"above {low:g}, or infinite where the probe was lost"
    elif column.name in MEASURED:
        words = f"above {low:g} and finite"
    elif column.high is not None:
        words = f"from {low:g} to {high:g}"
    else:
        words = "finite" if column.low is None else f"{low:g} or above, and finite"
    from_low = np.isfinite(low) and column.name not in MEASURED
    return pa.Check.in_range(
        low, high, include_min=from_low, include_max=np.isfinite(high) or column.name == LOSABLE, error=words
    )


def _first_failure(cases: pd.DataFrame, index: pd.Index, kinds: Mapping[str, str]) -> str:
    column = cases["column"].iloc[0]
    bad = cases[cases["column"] == column]
    bad = bad[bad["check"] == bad["check"].iloc[0]]
    expected = str(bad["check"].iloc[0])
    if expected.startswith(("coerce_dtype", "dtype")):
        expected = kinds[column]
    place = {label: position for position, label in enumerate(index)}
    bad = bad.sort_values("index", key=lambda labels: labels.map(place), kind="stable")
    return _sentence(column, expected, bad.set_index("index")["failure_case"])


def _sentence(column: str, expected: str, bad: pd.Series) -> str:
    shown = "; ".join(f"row {label}: {value!r}" for label, value in bad.head(BAD_ROWS_SHOWN).items())
    count = f"{len(bad):,} values differ" if len(bad) > 1 else "1 value differs"
    return f"column {column!r} must be {expected}; {count}, first {shown}."
