"""The canonical columns of a table of measurements: dtype, unit, level and meaning, and the check against them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pandera.errors
import pandera.pandas as pa

from workbench.errors import WorkbenchError, did_you_mean

# Who can know a column, in the order in which it becomes known.
LEVELS = ("first_request", "after_accept_ch", "client_js", "native_app", "never")
MEASURED = ("rtt_ms", "downlink_mbps", "page_load_ms")
# A visible value of one of these is a signal: the network is known, nothing need be predicted.
SIGNALS = ("effective_type", "netinfo_rtt_ms", "netinfo_downlink_mbps")
TEXT, NUMBER, FLAG, TIME = "str", "float64", "boolean", "datetime64[us, UTC]"
CELLULAR = ("2g", "3g", "4g", "5g")
BAD_ROWS_SHOWN = 3


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
    Column("rtt_ms", NUMBER, None, "measured round-trip time, ms", 0),
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
    """Whether the network's quality is visible already, a view (boolean, shape (rows,)): any NetInfo value."""
    return context[[name for name in SIGNALS if name in context]].notna().any(axis=1)


def measured_quantities(frame: pd.DataFrame) -> list[str]:
    """Measured columns that hold at least one value, in the order of ``MEASURED``."""
    return [name for name in MEASURED if name in frame and frame[name].notna().any()]


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
    if frame.columns.duplicated().any():
        twice = sorted(set(frame.columns[frame.columns.duplicated()]))
        raise WorkbenchError(f"{name}: each column may come once; {', '.join(map(repr, twice))} came more often.")
    if not len(frame):
        raise WorkbenchError(f"{name}: expected at least one row; got an empty table.")
    if not any(column.name in MEASURED for column in columns):
        raise WorkbenchError(
            f"{name}: expected at least one measured column of {', '.join(MEASURED)}; got "
            f"{', '.join(map(str, list(frame.columns)[:12]))}. Name yours with columns={{'<yours>': 'rtt_ms'}}."
        )
    contract = pa.DataFrameSchema({column.name: _pandera_column(column) for column in columns})
    text = {column.name: _as_text(frame[column.name]) for column in columns if column.dtype == TEXT}
    try:
        return contract.validate(frame[[column.name for column in columns]].assign(**text), lazy=True)
    except pandera.errors.SchemaErrors as err:
        raise WorkbenchError(_first_failure(err.failure_cases, name)) from err


def _as_text(values: pd.Series) -> pd.Series:
    """Text as it is, whole numbers without their ``.0`` (an ASN read beside missing values is a float)."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype(object).where(values.notna(), np.nan).map(str, na_action="ignore").astype(TEXT)


def _pandera_column(column: Column) -> pa.Column:
    checks = []
    if column.name in MEASURED:
        checks.append(pa.Check.gt(0, error="above 0 and finite"))
        checks.append(pa.Check.lt(np.inf, error="above 0 and finite"))
    elif column.low is not None:
        high = np.inf if column.high is None else column.high
        checks.append(pa.Check.in_range(column.low, high, error=f"from {column.low:g} to {high:g}"))
    if column.allowed:
        checks.append(pa.Check.isin(column.allowed, error="one of " + ", ".join(column.allowed)))
    return pa.Column(column.dtype, checks, nullable=True, coerce=True)


def _first_failure(cases: pd.DataFrame, name: str) -> str:
    column = cases["column"].iloc[0]
    bad = cases[cases["column"] == column]
    bad = bad[bad["check"] == bad["check"].iloc[0]]
    expected = str(bad["check"].iloc[0])
    if expected.startswith(("coerce_dtype", "dtype")):
        kinds = {TEXT: "text", NUMBER: "numbers", FLAG: "true or false", TIME: "times"}
        expected = kinds.get(BY_NAME[column].dtype if column in BY_NAME else "", "its declared type")
    shown = "; ".join(f"row {row.index}: {row.failure_case!r}" for row in bad.head(BAD_ROWS_SHOWN).itertuples())
    count = f"{len(bad):,} values differ" if len(bad) > 1 else "1 value differs"
    return f"{name}: column {column!r} must be {expected}; {count}, first {shown}."
