"""The canonical columns of a table of measurements: dtype, unit, level and meaning, and the check against them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from workbench.datasets.columns import FLAG, LEVELS, NUMBER, TEXT, TIME, Column, check_table, refuse_repeated_columns
from workbench.errors import WorkbenchError, did_you_mean

MEASURED = ("rtt_ms", "downlink_mbps", "page_load_ms")
LOSABLE = "rtt_ms"  # infinite where the probe was lost: worse than any threshold
# A visible value of one of these is a signal: the network is known, nothing need be predicted.
SIGNALS = ("effective_type", "netinfo_rtt_ms", "netinfo_downlink_mbps")
SIGNAL_AGE_S = 600.0  # an earlier measurement younger than this is a signal too
CELLULAR = ("2g", "3g", "4g", "5g")

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
    Column(
        "rtt_ms",
        NUMBER,
        None,
        "measured round-trip time, ms; infinite where the probe was lost",
        low=0,
        above=True,
        infinite="where the probe was lost",
    ),
    Column("downlink_mbps", NUMBER, None, "measured throughput, Mbit/s", low=0, above=True),
    Column("page_load_ms", NUMBER, None, "measured load time of a page, ms", low=0, above=True),
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
        known["connection_type"] = blur_link(known["connection_type"])
    return pd.DataFrame(known, index=frame.index)


def blur_link(connection_type: pd.Series) -> pd.Series:
    """Kinds of link as a browser script sees them: cellular, without its generation."""
    return connection_type.mask(connection_type.isin(CELLULAR), "cellular")


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
    return check_table(frame, name, columns)
