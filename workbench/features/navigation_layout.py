"""What a view brings along besides its page: context as codes, bands of hour and dwell, and groups of views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.columns import Column
from workbench.datasets.navigation_schema import NAVIGATION_HISTORY, navigation_context_columns
from workbench.errors import WorkbenchError, did_you_mean
from workbench.features.navigation import same_session, vocabulary

LEVELS_KEPT = 20  # of a text column, the most frequent; all others are one level
HOUR, DWELL = "local_hour", "dwell"
HOURS_A_BAND = 6  # night, morning, afternoon, evening
DWELL_BANDS = 5
CROSSED = ("device", HOUR)  # habits of the evening on the phone are not those of the desktop at work
HISTORY, SECOND, CONTEXT = "history", "second order", "context"
GROUPS_LEFT_OUT = (HISTORY, SECOND, CONTEXT)  # what `without` may name besides columns


@dataclass(frozen=True)
class Layout:
    """Which features there are, fitted on the training part; it holds no count of what followed what.

    Parameters
    ----------
    pages : tuple of str
        The vocabulary, sorted.
    numbers : tuple of str
        Context columns taken as numbers.
    levels : mapping
        Context column to its levels, the most frequent first, at most 20.
    dwell_edges : tuple of float
        Bounds, in seconds, between bands of the time spent on the view before; empty where there are no times.
    history : tuple of str
        Columns of the user's history.
    second : bool
        Whether the page before the current one counts.
    """

    pages: tuple[str, ...]
    numbers: tuple[str, ...]
    levels: Mapping[str, Sequence[str]]
    dwell_edges: tuple[float, ...]
    history: tuple[str, ...]
    second: bool = True

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Groups of views whose transitions are counted apart: each context column, dwell, and device by hour."""
        hour = (HOUR,) if HOUR in self.numbers else ()
        single = [*self.levels, *hour, *([DWELL] if self.dwell_edges else [])]
        crossed = [CROSSED] if set(CROSSED) <= set(single) else []
        return (*((name,) for name in single), *crossed)

    def columns(self, frame: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
        """Name and values of each context column, dwell and history number: float, shape (views,)."""
        for name in self.numbers:
            yield name, _numbers(frame, name)
        for name in self.levels:
            codes = self._bands(frame, name)
            yield name, np.where(codes >= 0, codes, np.nan)
        if self.dwell_edges:
            yield "previous_dwell_s", previous_dwell(frame)
        for name in self.history:
            if name in NUMBERS_OF_HISTORY:
                yield name, _numbers(frame, name)

    def group_codes(self, frame: pd.DataFrame, group: tuple[str, ...]) -> tuple[np.ndarray, int]:
        """Which group each view belongs to (int64, shape (views,), -1 where unknown), and how many there are."""
        code, size = np.zeros(len(frame), np.int64), 1
        for name in group:
            band, bands = self._bands(frame, name), self._count_bands(name)
            code, size = np.where((code >= 0) & (band >= 0), code * bands + band, -1), size * bands
        return code, size

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Layout:
        """Bring back what :meth:`to_dict` wrote."""
        tuples: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in saved.items()
        }
        return cls(**tuples)

    def _bands(self, frame: pd.DataFrame, name: str) -> np.ndarray:
        if name == HOUR:
            hour = _numbers(frame, HOUR)
            return np.where(np.isnan(hour), -1, np.nan_to_num(hour) // HOURS_A_BAND).astype(np.int64)
        if name == DWELL:
            dwell = previous_dwell(frame)
            return np.where(np.isnan(dwell), -1, np.searchsorted(self.dwell_edges, dwell, side="right"))
        if name not in frame:
            return np.full(len(frame), -1)
        place = pd.Index(self.levels[name], dtype="object").get_indexer(_text(frame[name]))
        return np.where(frame[name].isna(), -1, np.where(place < 0, len(self.levels[name]), place))

    def _count_bands(self, name: str) -> int:
        if name == HOUR:
            return 24 // HOURS_A_BAND
        return len(self.dwell_edges if name == DWELL else self.levels[name]) + 1


NUMBERS_OF_HISTORY = ("earlier_views", "here_before", "usual_share")


def fit_layout(frame: pd.DataFrame, known_by: str, extra: Sequence[Column] = (), without: Sequence[str] = ()) -> Layout:
    """Decide on the features that a training part can give.

    Parameters
    ----------
    frame : DataFrame
        Canonical navigations.
    known_by : str
        Information set.
    extra : sequence of Column
        Further context that the card declares.
    without : sequence of str
        Columns to leave out, or ``"history"``, ``"second order"``, ``"context"`` for all of a kind.

    Returns
    -------
    Layout
        Without columns that are constant or all missing.
    """
    context = [] if CONTEXT in without else navigation_context_columns(known_by, extra)
    history = [] if HISTORY in without else [column.name for column in NAVIGATION_HISTORY]
    telling = [name for name in context if name in frame and name not in without and _varies(frame[name])]
    numeric = [name for name in telling if _is_number(frame[name])]
    return Layout(
        pages=tuple(vocabulary(frame)),
        numbers=tuple(numeric),
        levels={name: _levels(frame[name]) for name in telling if name not in numeric},
        dwell_edges=_dwell_edges(frame),
        history=tuple(name for name in history if name in frame and name not in without and frame[name].notna().any()),
        second=SECOND not in without,
    )


def check_without(without: Sequence[str], extra: Sequence[Column] = ()) -> None:
    """Refuse to leave out what is no context.

    Raises
    ------
    WorkbenchError
        With the nearest name that can be left out.
    """
    history = [column.name for column in NAVIGATION_HISTORY]
    known = [*GROUPS_LEFT_OUT, *navigation_context_columns("never", extra), *history]
    for name in without:
        if name not in known:
            raise WorkbenchError(
                "without must name context columns, or 'history', 'second order' or 'context'; got "
                f"{name!r}.{did_you_mean(str(name), known)}"
            )


def previous_dwell(frame: pd.DataFrame) -> np.ndarray:
    """Seconds between the view before, in the session, and this one; missing on first views and without times.

    ``viewed_at`` is rounded to seconds: float, shape (views,).
    """
    dwell = np.full(len(frame), np.nan)
    if "viewed_at" in frame:
        moment = frame["viewed_at"].to_numpy("datetime64[s]")
        began = same_session(frame, 1)
        dwell[1:][began] = np.diff(moment).astype(float)[began]
    return dwell


def _dwell_edges(frame: pd.DataFrame) -> tuple[float, ...]:
    dwell = previous_dwell(frame)
    dwell = dwell[~np.isnan(dwell)]
    if not (dwell > 0).any():  # sources with days, or one time a session
        return ()
    return tuple(np.unique(np.quantile(dwell, np.arange(1, DWELL_BANDS) / DWELL_BANDS)).tolist())


def _levels(values: pd.Series) -> list[str]:
    counts = _text(values[values.notna()]).value_counts()
    order = np.lexsort((counts.index.to_numpy(str), -counts.to_numpy()))
    return counts.index[order][:LEVELS_KEPT].tolist()


def _varies(values: pd.Series) -> bool:
    return values.nunique() + values.isna().any() > 1


def _is_number(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    if name not in frame:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(float, na_value=np.nan)


def _text(values: pd.Series) -> pd.Series:
    return values.astype(object).astype(str)
