"""How the policies of a comparison are drawn and named, rows with intervals, and labels that do not overlap.

adjustText 1.4 was tried: on the frontiers of four sets it wrote 9 pairs of names over one another, 5 names over marks,
and names over 1,600 pixels of lines; the search below none, none and 39.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox
from numpy.typing import ArrayLike

from workbench.decisions.decision import PolicyResult, Unit
from workbench.evidence.bootstrap import Interval
from workbench.explanation.base import beyond_noise
from workbench.plotting.style import BLUE, GREEN, GREY, INK, LINE, MUTED, PURPLE, VERMILLION, WORDS, figure_of
from workbench.studies.comparison import Comparison

# Shape and colour, so that either alone is enough; the most important first.
PARTS: dict[str, dict[str, Any]] = {
    "model": {"color": BLUE, "marker": "o", "markersize": 10},
    "best rule": {"color": VERMILLION, "marker": "s", "markersize": 9},
    "today": {"color": INK, "marker": "^", "markersize": 9},
    "perfect knowledge": {"color": GREEN, "marker": "*", "markersize": 14},
    "reference": {"color": PURPLE, "marker": "D", "markersize": 7},
    "other": {"color": GREY, "marker": "o", "markersize": 6},
}
KEY_PARTS = ("model", "best rule")
TOUCHING_PX = 7.0  # marks nearer than this look like one
MARK_PX, PADDING_PX = 6.0, 3.0
LINE_STEP_PX = 3.0
FIRST_LEADER = 20.0  # points from its mark at which a label gets a thin line to it
DISTANCES = (9.0, 20.0, 32.0, 46.0, 64.0, 86.0, 112.0, 142.0, 176.0, 214.0)  # points
# Directions from a mark to its label: right, left, above, below, then between them; the longer side is 1.
STRAIGHT = [(1, 0), (-1, 0), (0, 1), (0, -1)]
ASLANT = [(x * across, y * up) for across, up in ((1, 1), (1, 0.5), (0.5, 1)) for x in (1, -1) for y in (1, -1)]
WAYS: list[np.ndarray] = [np.array(way) for way in (*STRAIGHT, *ASLANT)]


def part_of(result: Comparison, policy: PolicyResult) -> str:
    """Which part a policy plays in a comparison: one of ``PARTS``."""
    parts = {"model": "model", "oracle": "perfect knowledge"}
    if policy.kind in parts:
        return parts[policy.kind]
    if policy.policy is result.best_rule:
        return "best rule"
    if policy.policy is result.today:
        return "today"
    return "reference" if policy.kind == "reference" else "other"


def name_of(result: Comparison, policy: PolicyResult) -> str:
    """A policy's name, after the part that it plays unless the name says so."""
    part = part_of(result, policy)
    if policy.policy is result.best_rule and result.best_rule is result.today:
        part = "best rule and today"
    return policy.name if part == "other" or policy.name.startswith(part) else f"{part}: {policy.name}"


@dataclass(frozen=True)
class Mark:
    """A point in a picture and its name; ``style`` goes to the text."""

    name: str
    x: float
    y: float
    style: dict[str, Any] = field(default_factory=dict)

    def pixels(self, ax: Axes) -> np.ndarray:
        """Where it lies in the figure: shape (2,)."""
        return ax.transData.transform((self.x, self.y))


def merge_marks(ax: Axes, marks: Sequence[Mark]) -> list[Mark]:
    """Marks that lie on one another share one label, a name a line; the first of them gives place and style."""
    merged: list[Mark] = []
    for mark in marks:
        apart = [np.hypot(*(mark.pixels(ax) - other.pixels(ax))) for other in merged]
        near = next((i for i, pixels in enumerate(apart) if pixels < TOUCHING_PX), None)
        if near is None:
            merged.append(mark)
        else:
            merged[near] = replace(merged[near], name=f"{merged[near].name}\n{mark.name}")
    return merged


def label_marks(
    ax: Axes, marks: Sequence[Mark], lines: Sequence[np.ndarray] = (), boxes: Sequence[Bbox] = ()
) -> list[Annotation]:
    """Write each mark's name beside it, inside the axes and off the other names wherever possible.

    The axes must have their final limits. The first marks choose their place first. Labels should not cross ``lines``
    (shape (points, 2), in data coordinates) and must not cover ``boxes`` (in pixels).
    """
    figure_of(ax).draw_without_rendering()  # settles the layout, so that pixels are final
    points = [mark.pixels(ax) for mark in marks]
    around = [np.concatenate([point - MARK_PX, point + MARK_PX]) for point in points]
    taken = [*(box.extents for box in boxes), *around]
    crossed = np.vstack([np.empty((0, 2)), *(_every_few_px(ax.transData.transform(line)) for line in lines)])
    labels = []
    for i, (mark, point) in enumerate(zip(marks, points, strict=True)):
        own = len(boxes) + i
        labels.append(_write_label(ax, mark, point, np.array([np.zeros(4), *taken[:own], *taken[own + 1 :]]), crossed))
        taken.append(labels[-1].get_window_extent().extents)
    return labels


def _every_few_px(line: np.ndarray) -> np.ndarray:
    steps = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.arange(0, along[-1] + LINE_STEP_PX, LINE_STEP_PX)
    return np.column_stack([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])])


def _write_label(ax: Axes, mark: Mark, point: np.ndarray, taken: np.ndarray, crossed: np.ndarray) -> Annotation:
    """Write one label at the place that costs least; ``taken`` holds boxes as (x0, y0, x1, y1), pixels."""
    style: dict[str, Any] = {"color": INK, "fontsize": 11, "zorder": 6, "linespacing": 1.15} | mark.style
    label = ax.annotate(mark.name, (mark.x, mark.y), (0, 0), textcoords="offset points", **style)
    size, px = np.array(label.get_window_extent().size), figure_of(ax).dpi / 72
    best, place = np.inf, (DISTANCES[0], WAYS[0])
    for distance, way in product(DISTANCES, WAYS):
        if distance >= best:
            break  # distance alone costs more than the place found
        end = point + px * _offset(distance, way)
        cost = distance + _cost_of_box(_box(end, size, way), np.array(ax.bbox.extents), taken, crossed)
        if distance >= FIRST_LEADER and cost < best:
            cost += _cost_of_leader(point, end, taken, crossed)
        if cost < best:
            best, place = cost, (distance, way)
    distance, way = place
    low = (_box(point + px * _offset(distance, way), size, way)[:2] - point) / px
    label.set(position=tuple(low), horizontalalignment="left", verticalalignment="bottom")
    label.set_multialignment("right" if way[0] < 0 else "left")
    if distance >= FIRST_LEADER:
        leader = {"arrowstyle": "-", "color": GREY, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 5}
        offset = tuple(_offset(distance, way))
        ax.annotate("", (mark.x, mark.y), offset, textcoords="offset points", arrowprops=leader)
    return label


def _offset(distance: float, way: np.ndarray) -> np.ndarray:
    return distance * way / np.hypot(*way)


def _box(end: np.ndarray, size: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Where a label of this size lies if its leader comes along ``way`` and ends at ``end``."""
    low = end - size * (1 - way) / 2
    return np.concatenate([low, low + size])


def _cost_of_box(box: np.ndarray, inside: np.ndarray, taken: np.ndarray, crossed: np.ndarray) -> float:
    """Leaving the axes or covering a neighbour costs most, crossing a line a little."""
    outside = float(max(0.0, *(inside[:2] - box[:2]), *(box[2:] - inside[2:])))
    low, high = box[:2] - PADDING_PX, box[2:] + PADDING_PX
    sides = np.minimum(high, taken[:, 2:]) - np.maximum(low, taken[:, :2])
    covered = float(np.prod(np.clip(sides, 0, None), axis=1).sum())
    within = ((crossed > low) & (crossed < high)).all(axis=1)
    return 3.0 * float(within.sum()) + 1000 * bool(covered) + covered + 1000 * bool(outside) + outside


def _cost_of_leader(point: np.ndarray, end: np.ndarray, taken: np.ndarray, crossed: np.ndarray) -> float:
    """Crossing lines or marks costs, but for the first pixels from its own mark."""
    way = _every_few_px(np.array([point, end]))[4:, None]
    gaps = np.hypot(*np.moveaxis(way - crossed, -1, 0))
    through = ((way > taken[:, :2]) & (way < taken[:, 2:])).all(axis=-1)
    return 4.0 * float((gaps < LINE_STEP_PX).any(axis=1).sum()) + 20.0 * float(through.sum())


WIDE = 0.8  # quantile of the intervals' ends beyond which they are few


@dataclass(frozen=True)
class Row:
    """One row of a picture; ``interval`` is in net, None for a heading or for a row that says ``why`` it has none.

    ``after`` follows the numbers, ``under`` is in small letters below them; ``strong`` is bold with a large dot.
    """

    name: str
    interval: Interval | None = None
    colour: str = GREY
    strong: bool = False
    after: str = ""
    under: str = ""
    why: str = ""


def draw_rows(ax: Axes, rows: Sequence[Row], unit: Unit, edge: float, margin: float | None = None) -> None:
    """Draw rows from the top down on an axis from -edge to edge (in the unit); shade less than the margin (in net)."""
    draw_zero(ax, None if margin is None else unit.factor * margin)
    for y, row in enumerate(rows):
        if row.interval is not None:
            draw_interval(ax, y, row, edge, unit)
        elif row.why:
            words = ax.text(0.01, y, row.why, transform=ax.get_yaxis_transform(), va="center", color=MUTED)
            words.set(fontsize=10, fontstyle="italic")
            words.set_bbox({"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1})
        if row.under:
            write_right(ax, y, row.under, below=10, fontsize=9.5, va="top", color=MUTED)
    name_rows(ax, rows)
    ax.set_xlim(-edge, edge)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def draw_points(ax: Axes, at: ArrayLike, values: ArrayLike, colour: str, *, orient: str = "y", **look: Any) -> None:
    """Draw points with intervals, a row at each place of ``at``, or with ``orient="x"`` a column.

    ``values`` are low, estimate and high, shape (points, 3): of three, the estimate is the median, and the interval is
    all that they span. ``look`` goes to seaborn's ``pointplot``.
    """
    where = {orient: np.repeat(at, 3), "yx".replace(orient, ""): np.ravel(values)}
    shown: dict[str, Any] = {"linestyle": "none", "markersize": 7, "linewidth": 1.6, "zorder": 3}
    spans: dict[str, Any] = {"estimator": "median", "errorbar": ("pi", 100), "err_kws": {"solid_capstyle": "butt"}}
    sns.pointplot(**where, **spans, **(shown | look), native_scale=True, orient=orient, color=colour, ax=ax)


def draw_interval(ax: Axes, y: float, row: Row, edge: float, unit: Unit) -> None:
    """Draw the part of a row's interval that fits on an axis from -edge to edge (in the unit), and its numbers."""
    interval, colour = row.interval, row.colour
    assert interval is not None
    values = unit.factor * np.array([interval.low, interval.estimate, interval.high])
    look: dict[str, Any] = {"markersize": 10, "linewidth": 3} if row.strong else {}
    marker = "o" if abs(values[1]) <= edge else "none"
    draw_points(ax, y, np.clip(values, -edge, edge), colour, marker=marker, **look)
    for side, marker in ((-1, "<"), (1, ">")):
        if (side * values > edge).any():
            ax.plot(side * edge, y, marker, markersize=8, clip_on=False, color=colour, zorder=4)
    write_right(ax, y, minus(unit.span(interval)) + row.after, colour=colour, strong=row.strong)


def minus(numbers: str) -> str:
    """The same with minus signs as long as plus signs."""
    return numbers.replace("-", "\u2212")


def write_right(
    ax: Axes, y: float, words: str, *, colour: str = GREY, strong: bool = False, below: float = 0, **style: Any
) -> None:
    """Write words to the right of a row, ``below`` it by so many points; ``style`` goes to the text."""
    look = {"color": WORDS[colour], "fontsize": 11, "fontweight": "bold" if strong else "normal"}
    across: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    ax.annotate(words, (1, y), (16, -below), **(across | look | {"va": "center"} | style))


def colour_of(unit: Unit, net: Interval) -> str:
    """Blue if an interval of net lies above zero, vermillion if below, in the decimals shown; else grey."""
    return {1: BLUE, 0: GREY, -1: VERMILLION}[beyond_noise(unit, net.low, net.high)]


def edge_of(low: pd.Series, high: pd.Series, least: float) -> float:
    """Where an axis of intervals ends, on both sides: all fit, unless a few would shrink the others by half."""
    ends = np.fmax(low.astype(float).abs(), high.astype(float).abs()).dropna()
    most = min(ends.max(), 2 * ends.quantile(WIDE, interpolation="lower")) if len(ends) else 0.0
    return 1.1 * max(float(most), least)


def draw_zero(ax: Axes, margin: float | None = None) -> None:
    """The line of no difference; with a margin, all that is too small to matter is shaded."""
    if margin is not None:
        ax.axvspan(-margin, margin, color=LINE, alpha=0.6, linewidth=0, zorder=0)
    ax.axvline(0, color=MUTED, linewidth=1, zorder=1)


def name_rows(ax: Axes, rows: Sequence[Row]) -> None:
    """Name rows 0, 1, ... from the top down; headings and strong rows are bold."""
    ax.set_yticks(range(len(rows)), [row.name for row in rows], linespacing=1.0)
    for tick, row in zip(ax.get_yticklabels(), rows, strict=True):
        if row.strong:
            tick.set(color=WORDS[row.colour], fontweight="bold")
        elif row.interval is None and not row.why:
            tick.set(color=INK, fontweight="bold")
    ax.tick_params(axis="y", pad=16)
    clear_rows(ax, len(rows))


def clear_rows(ax: Axes, rows: int) -> None:
    """Rows from the top down, without a frame or grid lines between them."""
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(rows - 0.5, -0.7)
