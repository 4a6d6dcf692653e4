"""The canonical columns of a table of navigations (one row is one page view), and the check against them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from workbench.datasets.columns import (
    ANYTHING,
    CATEGORY,
    NUMBER,
    TEXT,
    TIME,
    Column,
    check_table,
    refuse_repeated_columns,
)
from workbench.datasets.schema import BY_NAME, COLUMNS, blur_link, context_columns
from workbench.errors import WorkbenchError

# What only earlier measurements tell, and what is never known: no context of a page view.
NOT_OF_A_VIEW = ("last_rtt_ms", "last_downlink_mbps", "last_age_s", "earlier_views", "access_technology")
CONTEXT = tuple(column for column in COLUMNS if column.level and column.name not in NOT_OF_A_VIEW)
# Those that policies always see, all-missing where the source has none; the others only where the source has them.
EXPECTED = (
    "country",
    "os_family",
    "browser",
    "save_data",
    "local_hour",
    "device",
    "effective_type",
    "connection_type",
)
NAVIGATION_HISTORY = (
    Column("earlier_views", NUMBER, "first_request", "history: the user's views before", 0),
    Column("here_before", NUMBER, "first_request", "history: the user's earlier views of this page", 0),
    Column("last_next", CATEGORY, "first_request", "history: what the user opened the last time after this page"),
    Column("usual_next", CATEGORY, "first_request", "history: what the user opened most often after this page"),
    Column(
        "usual_share", NUMBER, "first_request", "history: share of the earlier views of this page so followed", 0, 1
    ),
)
OF_THE_SESSION = ("view_id", "session_id", "position", "page", "viewed_at")
SOURCE_COLUMNS = (
    Column("user_id", TEXT, None, "who; used to split, to resample and for history, never shown"),
    Column("session_id", ANYTHING, None, "session, a number from 0 in order of their starts", complete=True),
    Column("viewed_at", TIME, None, "UTC", complete=True),
    Column("position", NUMBER, None, "place within the session, from 0", complete=True),
    Column("page", CATEGORY, None, "what is viewed", complete=True),
    *CONTEXT,
    Column("utc_offset_h", NUMBER, None, "local time minus UTC", -12, 14),
    Column("page_bytes", NUMBER, None, "size of the page viewed", 0),
    BY_NAME["simulated"],
)
NAVIGATION_COLUMNS = (
    Column("view_id", "int64", None, "number of the view, from 0"),
    *SOURCE_COLUMNS,
    *NAVIGATION_HISTORY,
)
ASSUMABLE = ("page_bytes", "page_load_ms", "dwell_s")


def check_navigations(frame: pd.DataFrame, name: str, extra: Sequence[Column] = ()) -> pd.DataFrame:
    """Hold a frame of page views, as a source has them, against the contract and give each column its dtype.

    Parameters
    ----------
    frame : DataFrame
        Canonical column names; columns outside the contract are dropped. ``session_id`` may hold any names and
        ``position`` any numbers that rise within a session.
    name : str
        What errors call the frame.
    extra : sequence of Column
        Further context that the card declares.

    Returns
    -------
    DataFrame
        Columns of the source only, in the order of the contract; not yet in order.

    Raises
    ------
    WorkbenchError
        With the column, the number of bad values, and the first of them; where nothing tells sessions apart, or
        there is but one page.
    """
    refuse_repeated_columns(frame, name)
    if not len(frame):
        raise WorkbenchError(f"{name}: expected at least one page view; got an empty table.")
    columns = [column for column in (*SOURCE_COLUMNS, *extra) if column.name in frame]
    given = f"got {', '.join(map(str, list(frame.columns)[:12]))}"
    if "page" not in frame:
        raise WorkbenchError(f"{name}: expected a column page; {given}. Name yours with columns={{'<yours>': 'page'}}.")
    if "session_id" not in frame and not {"user_id", "viewed_at"} <= set(frame.columns):
        raise WorkbenchError(
            f"{name}: expected a column session_id, or user_id and viewed_at, from which sessions are made; {given}. "
            "Name yours with columns={'<yours>': 'session_id'}."
        )
    checked = check_table(frame, name, columns)
    pages = checked["page"].cat.categories
    if len(pages) < 2:
        raise WorkbenchError(
            f"{name}: expected views of at least two pages, or there is nothing to predict; all are of {pages[0]!r}."
        )
    return checked


def known_navigation_context(frame: pd.DataFrame, known_by: str, extra: Iterable[Column] = ()) -> pd.DataFrame:
    """What a policy sees of each view: its page and place in the session, context known by a level, and history.

    Parameters
    ----------
    frame : DataFrame
        Canonical navigations, or a context already cut.
    known_by : str
        One of ``columns.LEVELS``.
    extra : iterable of Column
        Further context that the card declares.

    Returns
    -------
    DataFrame
        Same rows and index; never ``user_id``, ``page_bytes`` or what comes later. Every column of ``EXPECTED``
        known by then is there, all-missing where the source has none; others where the source has them. A browser
        script sees "cellular" where an app sees 2g to 5g.

    Raises
    ------
    WorkbenchError
        Where the level is not one of ``LEVELS``.
    """
    extra = tuple(extra)
    known = {*context_columns(known_by, extra)} - set(NOT_OF_A_VIEW)
    wanted = [column.name for column in (*CONTEXT, *extra) if column.name in known]
    history = [column.name for column in NAVIGATION_HISTORY]
    there = [name for name in (*OF_THE_SESSION, *wanted, *history) if name in frame]
    context = frame[there]
    absent = [name for name in wanted if name in EXPECTED and name not in frame]
    context = context.assign(**{name: pd.Series(None, frame.index, dtype=BY_NAME[name].dtype) for name in absent})
    if known_by == "client_js" and "connection_type" in frame:
        context = context.assign(connection_type=blur_link(frame["connection_type"]))
    return context[[name for name in (*OF_THE_SESSION, *wanted, *history) if name in context]]


def navigation_context_columns(known_by: str, extra: Iterable[Column] = ()) -> list[str]:
    """Names of the context columns known by a level, without the session's own columns and history."""
    known = {*context_columns(known_by, extra)} - set(NOT_OF_A_VIEW)
    return [column.name for column in (*CONTEXT, *extra) if column.name in known]
