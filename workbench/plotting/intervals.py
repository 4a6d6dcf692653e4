"""Rows of intervals on a shared axis: a dot, a line, the numbers on the right; arrows for what lies beyond the edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from workbench.evidence.bootstrap import Interval
from workbench.plotting.style import GREY, INK, LINE, MUTED, WORDS
from workbench.studies.comparison import POINTS, Unit

WIDE = 0.8  # quantile of the intervals' ends beyond which they are few


def draw_interval(
    ax: Axes,
    y: float,
    interval: Interval,
    edge: float,
    *,
    unit: Unit = POINTS,
    colour: str = GREY,
    strong: bool = False,
    above: str = "",
    after: str = "",
) -> None:
    """One row: the interval, or what of it an axis from -edge to edge holds, and its numbers.

    Parameters
    ----------
    ax : Axes
    y : float
        Where the row is.
    interval : Interval
        In net.
    edge : float
        Where the axis ends, on both sides, in the unit.
    unit : Unit
        How the net is told.
    colour : str
        One of the house's colours.
    strong : bool
        Thick, with a large dot and bold words.
    above : str
        Word over the dot.
    after : str
        Words behind the numbers.
    """
    bounds = unit.factor * np.array([interval.low, interval.high])
    middle = unit.factor * interval.estimate
    ax.plot(np.clip(bounds, -edge, edge), [y, y], color=colour, linewidth=3 if strong else 1.6, zorder=3)
    if abs(middle) <= edge:
        ax.plot(middle, y, "o", color=colour, markersize=10 if strong else 7, zorder=4)
    for side, marker in ((-1, "<"), (1, ">")):
        if (side * bounds > edge).any():
            ax.plot(side * edge, y, marker, color=colour, markersize=8, clip_on=False, zorder=4)
    write_right(ax, y, unit.span(interval).replace("-", "\u2212") + after, colour=colour, strong=strong)
    if above:
        style = _words(colour, strong)
        ax.annotate(above, (middle, y), (0, 8), ha="center", va="bottom", **style)


def write_right(ax: Axes, y: float, words: str, *, colour: str = GREY, strong: bool = False) -> None:
    """Write words beside a row, right of the axes."""
    style = _words(colour, strong)
    ax.annotate(words, (1, y), (16, 0), xycoords=("axes fraction", "data"), va="center", **style)


def _words(colour: str, strong: bool) -> dict[str, Any]:
    weight = "bold" if strong else "normal"
    return {"color": WORDS[colour], "fontsize": 11, "fontweight": weight, "textcoords": "offset points"}


def edge_of(low: pd.Series, high: pd.Series, least: float) -> float:
    """Where an axis of intervals ends, on both sides: all fit, unless a few would flatten the others by half."""
    ends = np.fmax(low.astype(float).abs(), high.astype(float).abs()).dropna()
    most = min(ends.max(), 2 * ends.quantile(WIDE, interpolation="lower")) if len(ends) else 0.0
    return 1.1 * max(float(most), least)


def draw_zero(ax: Axes, margin: float | None = None) -> None:
    """The line of no difference; with a margin also, shaded, all that is too small to matter."""
    if margin is not None:
        ax.axvspan(-margin, margin, color=LINE, alpha=0.6, linewidth=0, zorder=0)
    ax.axvline(0, color=MUTED, linewidth=1, zorder=1)


def name_rows(ax: Axes, names: Sequence[tuple[str, bool]]) -> None:
    """Name rows 0, 1, ... from the top down; a name that comes with True is the heading of those below it."""
    ax.set_yticks(range(len(names)), [name for name, _ in names])
    for tick, (_, heading) in zip(ax.get_yticklabels(), names, strict=True):
        tick.set(color=INK if heading else MUTED, fontweight="bold" if heading else "normal")
    ax.tick_params(axis="y", pad=16)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(names) - 0.5, -0.7)


def point_ticks(ax: Axes, edge: float) -> None:
    """An x axis from -edge to edge with round ticks."""
    ax.set_xlim(-edge, edge)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
