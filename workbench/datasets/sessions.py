"""Sessions of page views: where they begin, the order of their views, repeats, and how long a page is looked at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from workbench.datasets.columns import bad_values
from workbench.errors import WorkbenchError

GAP_MIN = 30.0  # the customary silence that ends a session: Catledge & Pitkow 1995 (25.5 min), rounded up since
MINUTE_US = 60_000_000
NEWEST_FIRST = 0.9  # of the steps in time from one row to the next lead back


def order_views(frame: pd.DataFrame, *, by_time: bool = True, gap_min: float = GAP_MIN) -> pd.DataFrame:
    """Put views in order and number their sessions: index from 0, ``session_id`` and ``position`` int64 from 0.

    Sessions come in order of their first view, views of a session together. A session is what ``session_id`` names for
    each user; without it, what a user does until ``gap_min`` minutes pass without a view. Rows of one moment stay in
    the order of ``position``, else of the rows; without ``by_time`` that order stands for time, even if there are
    times. A view without a user belongs to a user of its own session alone. Raises a WorkbenchError if
    there are neither users nor sessions, or times run backwards within a session whose order is given.
    """
    if "session_id" not in frame and "user_id" not in frame:
        raise WorkbenchError(
            "expected page views with a person or a session; no row names any. Name a column of sessions or, where "
            'each row is a person of its own, write unknown_user = "separate".'
        )
    sessions = _given_sessions(frame) if "session_id" in frame else _sessions_by_silence(frame, gap_min)
    row = np.arange(len(frame))
    place = frame["position"].to_numpy(float) if "position" in frame else row
    moment = _microseconds(frame) if by_time and "viewed_at" in frame else np.zeros(len(frame), np.int64)
    first = pd.DataFrame({"row": row, "moment": moment}).groupby(sessions).min()
    rank = np.argsort(np.lexsort((first["row"], first["moment"])))
    order = np.lexsort((row, place, moment, rank[sessions]))
    numbers = rank[sessions][order]
    if "viewed_at" in frame and (not by_time or ("position" in frame and "session_id" in frame)):
        given = order if not by_time else np.lexsort((row, place, rank[sessions]))
        _refuse_backwards(frame.iloc[given], rank[sessions][given])
    ordered = frame.iloc[order].reset_index(drop=True).assign(session_id=numbers, position=positions(numbers))
    if "user_id" in ordered and ordered["user_id"].isna().any():
        alone = "session " + ordered["session_id"].astype(str)
        ordered["user_id"] = ordered["user_id"].where(ordered["user_id"].notna(), alone)
    return ordered


def newest_first(frame: pd.DataFrame) -> bool:
    """Whether rows go back in time, as exports of many tools do: those of the table, or those of each user (without
    users, of each session), where a step that stays in one moment speaks against it.
    """
    return _go_back(frame, _steps(frame))


def _go_back(frame: pd.DataFrame, steps: np.ndarray) -> bool:
    """What :func:`newest_first` says, given the steps; one step back alone proves nothing."""
    if not len(steps):
        return False
    of_table = np.diff(_microseconds(frame))
    counted = (steps, of_table[of_table != 0])
    return any((each < 0).sum() >= max(2, NEWEST_FIRST * len(each)) for each in counted)


def about_times(frame: pd.DataFrame, *, by_time: bool = True) -> Iterator[str]:
    """Warnings about times: read backwards, too coarse, or the same for views that follow one another."""
    if "viewed_at" not in frame:
        return
    steps = _steps(frame)
    if _go_back(frame, steps):
        yield "The rows are newest first; they were read from the last to the first."
    if not has_seconds(frame):
        yield (
            "Times are of whole minutes or days: how long a page was looked at is unknown, and assumed (dwell_s). "
            "Export times with seconds if you can."
        )
    if by_time and (same := int((steps == 0).sum())):
        yield f"{same:,} views have the time of their user's view before; these stay in the order of the rows."


def _steps(frame: pd.DataFrame) -> np.ndarray:
    """Microseconds from each row of a user (else of a session) to the next one in the table: int64."""
    who = next((name for name in ("user_id", "session_id") if name in frame), None)
    if who is None or "viewed_at" not in frame:
        return np.empty(0, np.int64)
    codes = pd.factorize(frame[who])[0]
    order = np.argsort(codes, kind="stable")
    return np.diff(_microseconds(frame)[order])[np.diff(codes[order]) == 0]


def _given_sessions(frame: pd.DataFrame) -> np.ndarray:
    """Sessions as codes (rows,) in order of appearance; the same name at two users is two sessions."""
    codes = pd.factorize(frame["session_id"])[0]
    if "user_id" not in frame:
        return codes
    users = pd.factorize(frame["user_id"])[0] + 1
    return pd.factorize(codes * (users.max() + 1) + users)[0]


def _sessions_by_silence(frame: pd.DataFrame, gap_min: float) -> np.ndarray:
    users = pd.factorize(frame["user_id"])[0]
    alone = users < 0
    users = np.where(alone, users.max(initial=-1) + np.cumsum(alone), users)
    moment = _microseconds(frame)
    order = np.lexsort((moment, users))
    silent = np.diff(moment[order]) > gap_min * 60e6
    begins = np.r_[True, silent | (np.diff(users[order]) != 0)]
    sessions = np.empty(len(frame), np.int64)
    sessions[order] = np.cumsum(begins) - 1
    return sessions


def _microseconds(frame: pd.DataFrame) -> np.ndarray:
    return frame["viewed_at"].astype("datetime64[us, UTC]").astype("int64").to_numpy()


def _refuse_backwards(frame: pd.DataFrame, sessions: np.ndarray) -> None:
    moment = _microseconds(frame)
    back = np.r_[False, (np.diff(moment) < 0) & (np.diff(sessions) == 0)]
    if back.any():
        times = frame["viewed_at"][back].astype(str)
        raise WorkbenchError(bad_values("viewed_at", "in order within each session, as its rows are", times))


def collapse_repeats(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop views of the page that the session is on already (a reload is no navigation); the first of a run stays.

    Index and ``position`` count anew from 0; sessions keep their numbers, since their first view always stays.
    """
    page, sessions = frame["page"].cat.codes.to_numpy(), frame["session_id"].to_numpy()
    kept = np.r_[True, (page[1:] != page[:-1]) | (sessions[1:] != sessions[:-1])]
    if kept.all():
        return frame
    return frame[kept].reset_index(drop=True).assign(position=positions(sessions[kept]))


def positions(sessions: np.ndarray) -> np.ndarray:
    """Place of each view within its session, from 0 (int64, shape (rows,)); sessions lie together.

    >>> positions(np.array([0, 0, 0, 1, 2, 2])).tolist()
    [0, 1, 2, 0, 0, 1]
    """
    row = np.arange(len(sessions))
    begins = np.r_[True, sessions[1:] != sessions[:-1]]
    return row - np.maximum.accumulate(np.where(begins, row, 0))


def ends_session(frame: pd.DataFrame) -> np.ndarray:
    """Whether each view is the last of its session (boolean, shape (rows,)); sessions lie together."""
    sessions = frame["session_id"].to_numpy()
    return np.r_[sessions[1:] != sessions[:-1], np.ones(min(len(sessions), 1), bool)]


def share_of_session_ends(frame: pd.DataFrame) -> float:
    """Share of views after which the session ends: no page can be fetched ahead for them."""
    return float(ends_session(frame).mean())


def has_dwell(frame: pd.DataFrame) -> bool:
    """Whether times show how long a page was looked at: they are finer than a minute and differ within a session."""
    if "viewed_at" not in frame or not has_seconds(frame):
        return False
    return bool(((np.diff(_microseconds(frame)) > 0) & ~ends_session(frame)[:-1]).any())


def has_seconds(frame: pd.DataFrame) -> bool:
    """Whether times are finer than a whole minute, in more than half of the rows."""
    return bool(2 * (_microseconds(frame) % MINUTE_US != 0).sum() > len(frame))


def dwell_s(frame: pd.DataFrame) -> np.ndarray:
    """Seconds from each view to the next of its session (float64, shape (rows,)).

    NaN at a session's end, and everywhere if the source's times do not show it (:func:`has_dwell`). A view's dwell
    becomes known with the next view: only the dwell of views *before* it is context.
    """
    if not has_dwell(frame):
        return np.full(len(frame), np.nan)
    seconds = np.append(np.diff(_microseconds(frame)) / 1e6, np.nan)
    return np.where(ends_session(frame), np.nan, seconds)
