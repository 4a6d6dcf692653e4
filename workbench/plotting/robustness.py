"""Pictures of robustness: what becomes of the finding where an assumption changes."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from workbench.errors import WorkbenchError
from workbench.evaluation.bootstrap import Interval
from workbench.plotting.intervals import draw_interval, draw_zero, edge_of, name_rows, point_ticks
from workbench.plotting.style import (
    BLUE,
    MUTED,
    VERMILLION,
    axes_or_new,
    label_source,
    note_below,
    set_alt_text,
    style_context,
)
from workbench.studies.comparison import Comparison

BASE = "base"
ROW_HEIGHT, ROOM_AROUND = 0.3, 1.7  # inches
FEWEST_MARGINS_SHOWN = 3.0
NOTE_WIDTH = 76  # characters


@style_context()
def sensitivity(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """Model minus best rule where one assumption is changed at a time, with 95 % intervals.

    The base case stands on top. A change that flips its verdict says so on the right; one that could not be tried
    says why. What lies beyond the axis is an arrow at its edge.

    Parameters
    ----------
    result : Comparison
        From ``study_images`` or ``study_prefetch``, with ``sensitivity=True``.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: difference in net; one row a change, grouped by what it changes.

    Raises
    ------
    WorkbenchError
        Where the study did not change its assumptions.
    """
    changes = result.sensitivity
    if changes is None:
        raise WorkbenchError(
            "this study did not change its assumptions, which takes a while: ask for it with "
            "wb.study_images(..., sensitivity=True) or wb.study_prefetch likewise."
        )
    changes = changes[changes["group"] != BASE]
    rows = _rows(changes)
    ax = axes_or_new(ax, ROOM_AROUND + ROW_HEIGHT * (1 + len(rows)))
    base = result.difference
    unit = result.unit
    least = unit.factor * max(abs(base.low), abs(base.high), FEWEST_MARGINS_SHOWN * result.margin)
    edge = edge_of(unit.factor * changes["low"].astype(float), unit.factor * changes["high"].astype(float), least)
    draw_zero(ax, unit.factor * result.margin)
    draw_interval(ax, 0, base, edge, unit=unit, colour=BLUE, strong=True, after=f"  {result.verdict}")
    for y, (_, change) in enumerate(rows, start=1):
        if change is not None:
            _draw_change(ax, y, change, edge, result)
    name_rows(ax, [("base case", True), *((name, change is None) for name, change in rows)])
    ax.get_yticklabels()[0].set_color(BLUE)
    point_ticks(ax, edge)
    ax.set_xlabel(f"Model minus best rule, {unit.per_view}")
    note_below(
        ax,
        f"shaded: too small to matter (under {unit.factor * result.margin:g}); each row is a study of its own\n"
        "arrow and word: where the verdict would be another",
    )
    label_source(ax, result.split.card)
    set_alt_text(ax, _changes_in_words(result, changes))
    return ax


def _rows(changes: pd.DataFrame) -> list[tuple[str, pd.Series | None]]:
    """Name and change of each row; a group of several has a row for its name, with no change."""
    rows: list[tuple[str, pd.Series | None]] = []
    for group, members in changes.groupby("group", sort=False):
        alone = len(members) == 1
        if not alone:
            rows.append((str(group), None))
        rows += [
            (f"{group}: {each['change']}" if alone else str(each["change"]), each) for _, each in members.iterrows()
        ]
    return rows


def _draw_change(ax: Axes, y: int, change: pd.Series, edge: float, result: Comparison) -> None:
    if not np.isfinite(change["difference"]):
        words = textwrap.shorten(str(change["note"]), NOTE_WIDTH, placeholder=" ...")
        ax.text(
            0.01,
            y,
            words,
            transform=ax.get_yaxis_transform(),
            va="center",
            color=MUTED,
            fontsize=10,
            fontstyle="italic",
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1},
        )
        return
    interval = Interval(change["difference"], change["low"], change["high"], 0)
    if change["verdict"] == result.verdict:
        draw_interval(ax, y, interval, edge, unit=result.unit)
    else:
        draw_interval(ax, y, interval, edge, unit=result.unit, colour=VERMILLION, after=f"  \u2192 {change['verdict']}")


def _changes_in_words(result: Comparison, changes: pd.DataFrame) -> str:
    tried = changes[changes["difference"].notna()]
    flips = tried[tried["verdict"] != result.verdict]
    failed = len(changes) - len(tried)
    each = ", ".join(f"{row['group']}: {row['change']} ({row['verdict']})" for _, row in flips.iterrows())
    return (
        f"Base case {result.unit.span(result.difference)} {result.unit.name}, {result.verdict}. "
        f"Of {len(tried)} changed assumptions, "
        f"{len(flips)} flip the verdict{': ' * bool(each)}{each}.{f' {failed} could not be tried.' * bool(failed)}"
    )
