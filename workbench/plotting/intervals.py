"""Rows of intervals on a shared axis: a dot, a line, the numbers on the right; arrows for what lies beyond the edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from workbench.decisions.decision import Unit
from workbench.evidence.bootstrap import Interval
from workbench.explanation.base import beyond_noise
from workbench.plotting.style import BLUE, GREY, INK, LINE, MUTED, VERMILLION, WORDS

WIDE = 0.8  # quantile of the intervals' ends beyond which they are few


@dataclass(frozen=True)
class Row:
    """One row of a picture; ``interval`` is in net, None for a heading, or for a row that says ``why`` it has none.

    ``after`` stands behind the numbers, ``under`` in small letters below them.
    """

    name: str
    interval: Interval | None = None
    colour: str = GREY
    strong: bool = False
    after: str = ""
    under: str = ""
    why: str = ""

    @property
    def heading(self) -> bool:
        """Whether it only names the rows below it."""
        return self.interval is None and not self.why


def draw_rows(ax: Axes, rows: Sequence[Row], unit: Unit, edge: float, margin: float | None = None) -> None:
    """Draw rows from the top down on an axis from -edge to edge (in the unit); shade what is under the margin (net)."""
    draw_zero(ax, None if margin is None else unit.factor * margin)
    for y, row in enumerate(rows):
        if row.interval is not None:
            draw_interval(ax, y, row.interval, edge, unit, colour=row.colour, strong=row.strong, after=row.after)
        elif row.why:
            words = ax.text(0.01, y, row.why, transform=ax.get_yaxis_transform(), va="center", color=MUTED)
            words.set(fontsize=10, fontstyle="italic")
            words.set_bbox({"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1})
        if row.under:
            write_right(ax, y, row.under, below=10, fontsize=9.5, va="top", color=MUTED)
    name_rows(ax, [(row.name, row.heading) for row in rows])
    for tick, row in zip(ax.get_yticklabels(), rows, strict=True):
        if row.strong:
            tick.set(color=WORDS[row.colour], fontweight="bold")
    ax.set_xlim(-edge, edge)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def draw_interval(
    ax: Axes,
    y: float,
    interval: Interval,
    edge: float,
    unit: Unit,
    *,
    colour: str = GREY,
    strong: bool = False,
    after: str = "",
) -> None:
    """One row: what an axis from -edge to edge (in the unit) holds of the interval (in net), and its numbers.

    ``strong`` is thick, with a large dot and bold words; ``after`` stands behind the numbers.
    """
    bounds = unit.factor * np.array([interval.low, interval.high])
    middle = unit.factor * interval.estimate
    ax.plot(np.clip(bounds, -edge, edge), [y, y], color=colour, linewidth=3 if strong else 1.6, zorder=3)
    if abs(middle) <= edge:
        ax.plot(middle, y, "o", color=colour, markersize=10 if strong else 7, zorder=4)
    for side, marker in ((-1, "<"), (1, ">")):
        if (side * bounds > edge).any():
            ax.plot(side * edge, y, marker, color=colour, markersize=8, clip_on=False, zorder=4)
    write_right(ax, y, minus(unit.span(interval)) + after, colour=colour, strong=strong)


def minus(numbers: str) -> str:
    """The same with minus signs as long as plus signs."""
    return numbers.replace("-", "\u2212")


def write_right(
    ax: Axes, y: float, words: str, *, colour: str = GREY, strong: bool = False, below: float = 0, **style: Any
) -> None:
    """Write words beside a row, right of the axes; ``below`` is in points, ``style`` goes to the text."""
    look = {"color": WORDS.get(colour, INK), "fontsize": 11, "fontweight": "bold" if strong else "normal"}
    across: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    ax.annotate(words, (1, y), (16, -below), **(across | look | {"va": "center"} | style))


def colour_of(unit: Unit, low: float, high: float) -> str:
    """Blue where an interval of net lies above zero, vermillion where below, in the decimals shown; else grey."""
    return {1: BLUE, 0: GREY, -1: VERMILLION}[beyond_noise(unit, low, high)]


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
    ax.set_yticks(range(len(names)), [name for name, _ in names], linespacing=1.0)
    for tick, (_, heading) in zip(ax.get_yticklabels(), names, strict=True):
        tick.set(color=INK if heading else MUTED, fontweight="bold" if heading else "normal")
    ax.tick_params(axis="y", pad=16)
    clear_rows(ax, len(names))


def clear_rows(ax: Axes, rows: int) -> None:
    """Rows from the top down without a frame or lines of a grid between them."""
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(rows - 0.5, -0.7)
