"""The two tables, measurements and navigations: their columns, when each is known, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.checked import checked
from workbench.datasets.columns import (
    ANYTHING,
    CATEGORY,
    FLAG,
    LEVELS,
    NUMBER,
    TEXT,
    TIME,
    Column,
    check_table,
    column_names,
)
from workbench.errors import WorkbenchError, check_one_of

MEASURED = ("rtt_ms", "downlink_mbps", "page_load_ms")
LOSABLE = "rtt_ms"  # infinite where the probe was lost, which is worse than any threshold
# A visible value of one of these is a signal: the network is known, nothing need be predicted.
SIGNALS = ("effective_type", "netinfo_rtt_ms", "netinfo_downlink_mbps")
SIGNAL_AGE_S = 600.0  # an earlier measurement younger than this is a signal too
CELLULAR = ("2g", "3g", "4g", "5g")
LINKS = ("wifi", "ethernet", "bluetooth", "cellular", "unknown", *CELLULAR)
EFFECTIVE_TYPES = ("slow-2g", "2g", "3g", "4g")
LOST = "where the probe was lost"
FIRST, ASKED, SCRIPT, NEVER = (LEVELS[place] for place in (0, 1, 2, 4))

COLUMNS = (
    Column("country", TEXT, FIRST, "ISO 3166 code, from the address"),
    Column("asn", TEXT, FIRST, "autonomous system number, digits only, from the address", label="network (ASN)"),
    Column("isp", TEXT, FIRST, "provider, from the address", label="provider"),
    Column("region", TEXT, FIRST, "from the address"),
    Column("city", TEXT, FIRST, "from the address"),
    Column("os_family", TEXT, FIRST, "from the user agent", label="operating system"),
    Column("os_major", NUMBER, FIRST, "major version", 0, label="system version"),
    Column("browser", TEXT, FIRST, "from the user agent"),
    Column("browser_major", NUMBER, FIRST, "major version", 0, label="browser version"),
    Column("save_data", FLAG, FIRST, "Save-Data request header", label="Save-Data"),
    Column("local_hour", NUMBER, FIRST, "hour of the day where the view is", 0, 23),
    Column(
        "last_rtt_ms", NUMBER, FIRST, "history: of the last measured view", 0, label="last round-trip time", unit="ms"
    ),
    Column("last_downlink_mbps", NUMBER, FIRST, "history: of the same view", 0, label="last throughput", unit="Mbit/s"),
    Column("last_age_s", NUMBER, FIRST, "history: since then", 0, label="age of the last measurement", unit="s"),
    Column("earlier_views", NUMBER, FIRST, "history: measured views of the user before", 0),
    Column("device", TEXT, ASKED, "model, from Sec-CH-UA-Model or an app"),
    Column("effective_type", TEXT, ASKED, "from ECT", allowed=EFFECTIVE_TYPES, label="NetInfo class"),
    Column("netinfo_rtt_ms", NUMBER, ASKED, "rounded to 25 ms", 0, label="NetInfo round-trip time", unit="ms"),
    Column("netinfo_downlink_mbps", NUMBER, ASKED, "rounded, capped", 0, label="NetInfo throughput", unit="Mbit/s"),
    Column("connection_type", TEXT, SCRIPT, "an app sees the generation too", allowed=LINKS, label="connection"),
    Column("access_technology", TEXT, NEVER, "finer technology, for ablations"),
    Column("user_id", TEXT, None, "to split and to resample; never shown", label="user"),
    Column("measured_at", TIME, None, "UTC", label="time of the measurement"),
    Column("utc_offset_h", NUMBER, None, "local time minus UTC", -12, 14, label="offset from UTC", unit="h"),
    Column("simulated", FLAG, None, "drawn by a simulation"),
    Column("rtt_ms", NUMBER, None, "measured", 0, above=True, infinite=LOST, label="round-trip time", unit="ms"),
    Column("downlink_mbps", NUMBER, None, "measured", 0, above=True, label="throughput", unit="Mbit/s"),
    Column("page_load_ms", NUMBER, None, "measured", 0, above=True, label="page load time", unit="ms"),
    Column("arm", TEXT, None, "of an experiment: drawn once for each user"),
    Column("rendition_served", TEXT, None, "of an experiment: the size of the images that was sent", label="size sent"),
    Column("propensity", NUMBER, None, "chance with which what was sent was drawn", 0, 1, above=True),
    Column("lcp_ms", NUMBER, None, "measured", 0, above=True, label="largest contentful paint", unit="ms"),
    Column("page_bytes", NUMBER, None, "of what was viewed", 0, label="page size", unit="bytes"),
)
BY_NAME = {column.name: column for column in COLUMNS}


def context_columns(known_by: str, extra: Iterable[Column] = ()) -> list[str]:
    """Names of the columns known by a level, in the order of the contract.

    >>> context_columns(FIRST)[:3]
    ['country', 'asn', 'isp']
    """
    check_one_of("known_by", known_by, LEVELS)
    known = LEVELS[: LEVELS.index(known_by) + 1]
    return [column.name for column in (*COLUMNS, *extra) if column.level in known]


def has_signal(context: pd.DataFrame) -> pd.Series:
    """Whether the network's quality is visible already (boolean, shape (rows,)).

    Any NetInfo value is a signal, and so is a measurement of the same user younger than ten minutes.
    """
    signal = context[[name for name in SIGNALS if name in context]].notna().any(axis=1)
    return signal | context["last_age_s"].lt(SIGNAL_AGE_S) if "last_age_s" in context else signal


def saves_data(context: pd.DataFrame) -> np.ndarray:
    """Views that asked for less data (boolean, shape (rows,)): the Save-Data header, where it is known."""
    if "save_data" not in context:
        return np.zeros(len(context), bool)
    return context["save_data"].fillna(False).to_numpy(bool)


def measured_quantities(frame: pd.DataFrame) -> list[str]:
    """Measured columns that hold at least one value, in the order of ``MEASURED``."""
    return [name for name in MEASURED if name in frame and frame[name].notna().any()]


def count_lost(frame: pd.DataFrame) -> int:
    """How many views lost their probe: an infinite ``rtt_ms``."""
    return int(np.isinf(frame[LOSABLE].to_numpy(float)).sum()) if LOSABLE in frame else 0


def check_measurements(frame: pd.DataFrame, name: str, extra: Sequence[Column] = ()) -> pd.DataFrame:
    """Check measurements (``name`` in errors): canonical columns and ``extra`` in their order and dtypes, others go.

    Raises a WorkbenchError with the column, the number of bad values, and the first of them.
    """
    columns = [column for column in (*COLUMNS, *extra) if column.name in frame]
    if not len(frame):
        raise WorkbenchError(f"{name}: expected at least one row; got an empty table.")
    if not any(column.name in MEASURED for column in columns):
        raise WorkbenchError(
            f"{name}: expected at least one measured column of {', '.join(MEASURED)}; got {column_names(frame)}. Name "
            'yours under columns: "<yours>" = "rtt_ms".'
        )
    return check_table(frame, name, columns)


# Known from earlier measurements only, or never: no context of a page view.
NOT_OF_A_VIEW = ("last_rtt_ms", "last_downlink_mbps", "last_age_s", "earlier_views", "access_technology")
CONTEXT = tuple(column for column in COLUMNS if column.level and column.name not in NOT_OF_A_VIEW)
# Those that policies always see, all-missing where the source has none; the others only where the source has them.
EXPECTED = ("country", "os_family", "browser", "save_data", "local_hour", "device", "effective_type", "connection_type")
NAVIGATION_HISTORY = (
    Column("earlier_views", NUMBER, FIRST, "history: the user's views before", 0),
    Column("here_before", NUMBER, FIRST, "history: of the user", 0, label="earlier views of this page"),
    Column("last_next", CATEGORY, FIRST, "history: after this page", label="page opened next last time"),
    Column("usual_next", CATEGORY, FIRST, "history: after this page", label="page usually opened next"),
    Column("usual_share", NUMBER, FIRST, "history: of the views here", 0, 1, label="share of the usual next page"),
)
OF_THE_SESSION = ("view_id", "session_id", "position", "page", "viewed_at")
# What a source may say of each request, as access logs do: who is a person, and which requests are page views, is told
# from these (module page_views). A loaded table has none of them.
REQUEST_COLUMNS = (
    Column("user_agent", TEXT, None, "programs are left out; device, os_family and browser are read from it"),
    Column("status", TEXT, None, "of the answer, such as 200; redirects and errors are left out"),
    Column("method", TEXT, None, "of the request; all but GET are left out"),
    Column("address", TEXT, None, "of the client, or a forwarded list; with user_agent a user_id, where there is none"),
)
VIEW_COLUMNS = (
    Column("user_id", TEXT, None, "to split, to resample and for history; never shown", label="user"),
    Column("session_id", ANYTHING, None, "a number from 0, in order of their starts", complete=True, label="session"),
    Column("viewed_at", TIME, None, "UTC", complete=True, label="time of the view"),
    Column("position", NUMBER, None, "place within the session, from 0", complete=True, label="place in the session"),
    Column("page", CATEGORY, None, "what is viewed", complete=True),
    *CONTEXT,
    BY_NAME["utc_offset_h"],
    BY_NAME["page_bytes"],
    BY_NAME["lcp_ms"],
    BY_NAME["arm"],
    Column("prefetched", TEXT, None, "of an experiment: pages fetched ahead in this view, a JSON list"),
    Column("ttfb_ms", NUMBER, None, "of an access log, without the network", 0, label="time of the server", unit="ms"),
    BY_NAME["simulated"],
)
SOURCE_COLUMNS = (*VIEW_COLUMNS, *REQUEST_COLUMNS)
NAVIGATION_COLUMNS = (
    Column("view_id", "int64", None, "number of the view, from 0", label="view"),
    *VIEW_COLUMNS,
    *NAVIGATION_HISTORY,
)
ASSUMABLE = ("page_bytes", "page_load_ms", "dwell_s")
# What readers see; times on a page are no columns, but are assumed or shown as some.
LABELS = {column.name: column.label for column in (*COLUMNS, *NAVIGATION_COLUMNS)}
LABELS |= {"dwell_s": "time on the page", "page_before": "page before", "dwell_before_s": "time on the page before"}
UNITS = {column.name: column.unit for column in (*COLUMNS, *NAVIGATION_COLUMNS)}
UNITS |= {"dwell_s": "s", "dwell_before_s": "s"}


def check_navigations(frame: pd.DataFrame, name: str, extra: Sequence[Column] = ()) -> pd.DataFrame:
    """Check page views as a source has them: its columns and ``extra`` in order and dtypes, rows as they come.

    ``session_id`` may hold any names, and ``position`` any numbers that rise within a session. Raises a WorkbenchError
    with the column, the number of bad values, and the first of them; also if nothing separates sessions, or there is
    only one page.
    """
    if not len(frame):
        raise WorkbenchError(f"{name}: expected at least one page view; got an empty table.")
    columns = [column for column in (*VIEW_COLUMNS, *extra) if column.name in frame]
    given = f"got {column_names(frame)}"
    if "page" not in frame:
        raise WorkbenchError(f'{name}: expected a column page; {given}. Name yours under columns: "<yours>" = "page".')
    if "session_id" not in frame and not {"user_id", "viewed_at"} <= set(frame.columns):
        raise WorkbenchError(
            f"{name}: expected a column session_id, or user_id and viewed_at, from which sessions are made; {given}. "
            'Name yours under columns: "<yours>" = "session_id"; a log\'s address makes a user_id.'
        )
    checked = check_table(frame, name, columns)
    pages = checked["page"].cat.categories
    if len(pages) < 2:
        raise WorkbenchError(
            f"{name}: expected views of at least two pages, or there is nothing to predict; all are of {pages[0]!r}."
        )
    return checked


@checked
def known_context(frame: pd.DataFrame, known_by: str, extra: Iterable[Column] = ()) -> pd.DataFrame:
    """What a policy sees of each view: the context that is known by a level (one of ``columns.LEVELS``).

    ``frame`` holds canonical measurements or navigations (which have ``session_id`` and ``page``), or a context of
    either; ``extra`` is further context that the card declares. Returns a frame of the same rows and index.
    Measurements: every column known by then, all-missing if the source has none. Navigations: the view's own columns,
    context and history; the columns of ``EXPECTED`` known by then in any case, others if the source has them; never
    ``user_id``, ``page_bytes`` or what comes later. A browser script sees "cellular" where an app sees 2g to 5g. Raises
    a WorkbenchError for an unknown level.
    """
    extra = tuple(extra)
    dtypes = {column.name: column.dtype for column in (*COLUMNS, *extra)}
    if {"session_id", "page"} <= set(frame.columns):
        wanted = navigation_context_columns(known_by, extra)
        history = [column.name for column in NAVIGATION_HISTORY]
        names = [name for name in (*OF_THE_SESSION, *wanted, *history) if name in frame or name in EXPECTED]
    else:
        names = context_columns(known_by, extra)
    known = {name: frame[name] if name in frame else pd.Series(None, frame.index, dtype=dtypes[name]) for name in names}
    if known_by == SCRIPT and "connection_type" in frame:
        known["connection_type"] = frame["connection_type"].mask(frame["connection_type"].isin(CELLULAR), "cellular")
    context = pd.DataFrame(known, index=frame.index)
    context.attrs = frame.attrs
    return context


def navigation_context_columns(known_by: str, extra: Iterable[Column] = ()) -> list[str]:
    """Names of the context columns known by a level, without the session's own columns and history."""
    return [name for name in context_columns(known_by, extra) if name not in NOT_OF_A_VIEW]


@checked
def label(name: str, card: Any = None) -> str:
    """What readers see for a column: the label of its ``Card``, else the canonical one, else the name with spaces.

    >>> label("rtt_ms"), label("target_region")
    ('round-trip time', 'target region')
    """
    known = LABELS if card is None else {**LABELS, **card.labels}
    return known.get(name) or name.replace("_", " ")


def unit(name: str) -> str:
    """Unit of a column's numbers; empty if it has none or the column is unknown.

    >>> unit("downlink_mbps"), unit("country")
    ('Mbit/s', '')
    """
    return UNITS.get(name, "")
