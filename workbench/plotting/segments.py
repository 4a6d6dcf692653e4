"""Pictures of segments: who gains, who loses."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from workbench.errors import WorkbenchError
from workbench.evaluation.bootstrap import Interval
from workbench.evaluation.segments import OTHER
from workbench.plotting.intervals import draw_interval, draw_zero, edge_of, name_rows, point_ticks
from workbench.plotting.style import (
    axes_or_new,
    label_source,
    note_below,
    set_alt_text,
    style_context,
)
from workbench.studies.comparison import Comparison, Unit
from workbench.studies.wording import short_name

ROW_HEIGHT, ROOM_AROUND = 0.26, 1.5  # inches
NAME_WIDTH = 30  # characters


@style_context()
def who_gains(result: Comparison, *, most: int = 4, ax: Axes | None = None) -> Axes:
    """Model minus best rule in net, segment by segment, with 95 % intervals, on test.

    Exploratory, and all grey: among many segments some lie off by chance. What lies beyond the axis is an arrow at
    its edge: the numbers stand on the right.

    Parameters
    ----------
    result : Comparison
    most : int
        Levels of a dimension that are drawn, those with most users; ``result.segments`` holds all.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: difference in net; one row a level, under its dimension.

    Raises
    ------
    WorkbenchError
        Where there is no segment to draw.
    """
    if not len(result.segments):
        raise WorkbenchError(
            f"{result.split.card.name}: no segment has users enough on both sides; take more rows, or name more "
            "columns of context."
        )
    shown = result.segments.groupby("dimension", sort=False, group_keys=False)[list(result.segments)].apply(
        lambda levels: _largest(levels, most)
    )
    rows: list[tuple[str, pd.Series | None]] = []
    for dimension, levels in shown.groupby("dimension", sort=False):
        rows.append((str(dimension), None))
        rows += [(_named(level), level) for _, level in levels.iterrows()]
    ax = axes_or_new(ax, ROOM_AROUND + ROW_HEIGHT * len(rows))
    unit = result.unit
    edge = edge_of(unit.factor * shown["low"], unit.factor * shown["high"], unit.factor * result.margin)
    draw_zero(ax)
    for y, (_, level) in enumerate(rows):
        if level is not None:
            interval = Interval(level["difference"], level["low"], level["high"], level["users"])
            draw_interval(ax, y, interval, edge, unit=unit)
    name_rows(ax, [(name, level is None) for name, level in rows])
    point_ticks(ax, edge)
    ax.set_xlabel(f"Model minus best rule, {unit.per_view}")
    cut = "" if len(shown) == len(result.segments) else f"the {most} largest levels of each; "
    note_below(
        ax,
        f"best rule: {result.of('best_rule').name}\nin brackets: {result.split.people}; {cut}"
        "exploratory: about 1 interval in 20 misses by chance alone",
    )
    label_source(ax, result.split.card)
    set_alt_text(ax, _segments_in_words(result.segments, unit))
    return ax


def _named(level: pd.Series) -> str:
    return f"{short_name(str(level['level']), NAME_WIDTH)} ({level['users']:,})"


def _largest(levels: pd.DataFrame, most: int) -> pd.DataFrame:
    """The levels with most users, in the order in which they came; what was merged is no level to look at."""
    named = levels[levels["level"] != OTHER]
    return named[named["users"].rank(ascending=False, method="first") <= most]


def _segments_in_words(segments: pd.DataFrame, unit: Unit) -> str:
    worst, best = (segments.loc[pick] for pick in (segments["difference"].idxmin(), segments["difference"].idxmax()))
    least, most = (
        f"{row['dimension']}, {row['level']}: "
        + unit.span(Interval(row["difference"], row["low"], row["high"], row["users"]))
        for row in (worst, best)
    )
    count = f"{len(segments)} segments, exploratory"
    return f"Net of model minus best rule in {count}: least in {least}; most in {most} {unit.name}."
