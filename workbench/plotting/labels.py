"""How the policies of a comparison are drawn and named, and labels that do not overlap.

adjustText 1.4 was tried: on real frontiers, where many lines end in one corner, it wrote names over lines and marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from workbench.plotting.style import BLUE, GREEN, GREY, INK, PURPLE, VERMILLION, figure_of
from workbench.studies.comparison import Comparison, PolicyResult

# Shape and colour, so that neither has to carry it alone; the most important first.
PARTS: dict[str, dict[str, Any]] = {
    "model": {"color": BLUE, "marker": "o", "markersize": 10},
    "best rule": {"color": VERMILLION, "marker": "s", "markersize": 9},
    "today": {"color": INK, "marker": "^", "markersize": 9},
    "perfect knowledge": {"color": GREEN, "marker": "*", "markersize": 14},
    "reference": {"color": PURPLE, "marker": "D", "markersize": 7},
    "other": {"color": GREY, "marker": "o", "markersize": 6},
}
KEY_PARTS = ("model", "best rule")
TOUCHING_PX = 7.0  # marks nearer than this are one to the eye
MARK_PX, PADDING_PX = 6.0, 3.0
LINE_STEP_PX = 3.0
FIRST_LEADER = 20.0  # points from the mark at which a thin line leads to it
DISTANCES = (9.0, 20.0, 32.0, 46.0, 64.0, 86.0, 112.0)  # points
# Right, left, above, below, then between them; the longer side is 1.
STRAIGHT = [(1, 0), (-1, 0), (0, 1), (0, -1)]
ASLANT = [(x * across, y * up) for across, up in ((1, 1), (1, 0.5), (0.5, 1)) for x in (1, -1) for y in (1, -1)]
WAYS: list[np.ndarray] = [np.array(way) for way in (*STRAIGHT, *ASLANT)]


def part_of(result: Comparison, policy: PolicyResult) -> str:
    """Which part a policy plays in a comparison: one of ``PARTS``."""
    if policy.kind == "model":
        return "model"
    if policy.kind == "oracle":
        return "perfect knowledge"
    if policy.policy is result.best_rule:
        return "best rule"
    if policy.policy is result.today:
        return "today"
    return "reference" if policy.kind == "reference" else "other"


def name_of(result: Comparison, policy: PolicyResult) -> str:
    """A policy's name, with the part that it plays where the name does not say so."""
    part = part_of(result, policy)
    if policy.policy is result.best_rule and result.best_rule is result.today:
        part = "best rule and today"
    return policy.name if part == "other" or policy.name.startswith(part) else f"{part}: {policy.name}"


@dataclass(frozen=True)
class Mark:
    """A point in a picture and what to call it; ``style`` goes to its text."""

    name: str
    x: float
    y: float
    style: dict[str, Any] = field(default_factory=dict)


def merge_marks(ax: Axes, marks: Sequence[Mark], within_px: float = TOUCHING_PX) -> list[Mark]:
    """Marks that lie on one another share one label, a name a line; the first of them gives place and style."""
    merged: list[Mark] = []
    places = [ax.transData.transform((mark.x, mark.y)) for mark in marks]
    at: list[np.ndarray] = []
    for mark, place in zip(marks, places, strict=True):
        near = [i for i, other in enumerate(at) if np.hypot(*(place - other)) < within_px]
        if near:
            first = merged[near[0]]
            merged[near[0]] = Mark(f"{first.name}\n{mark.name}", first.x, first.y, first.style)
        else:
            merged.append(mark)
            at.append(place)
    return merged


def label_marks(
    ax: Axes, marks: Sequence[Mark], lines: Sequence[np.ndarray] = (), boxes: Sequence[Bbox] = ()
) -> list[Annotation]:
    """Write each mark's name beside it, the first with the free choice.

    Parameters
    ----------
    ax : Axes
        With its final limits.
    marks : sequence of Mark
        In the order in which they choose their place.
    lines : sequence of ndarray, shape (points, 2)
        Lines that a label had better not cross, in data coordinates.
    boxes : sequence of Bbox
        Places that are taken, in pixels.

    Returns
    -------
    list of Annotation
        Inside the axes and off one another wherever that is possible.
    """
    figure_of(ax).draw_without_rendering()  # settles the layout, so that pixels mean something
    points = [ax.transData.transform((mark.x, mark.y)) for mark in marks]
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
    """Where a label of this size lies that a leader reaches at ``end``, coming from ``way``."""
    low = end - size * (1 - way) / 2
    return np.concatenate([low, low + size])


def _cost_of_box(box: np.ndarray, inside: np.ndarray, taken: np.ndarray, crossed: np.ndarray) -> float:
    """Leaving the axes or covering a neighbour is out of the question, a line is unwelcome."""
    outside = float(max(0.0, *(inside[:2] - box[:2]), *(box[2:] - inside[2:])))
    low, high = box[:2] - PADDING_PX, box[2:] + PADDING_PX
    sides = np.minimum(high, taken[:, 2:]) - np.maximum(low, taken[:, :2])
    covered = float(np.prod(np.clip(sides, 0, None), axis=1).sum())
    within = ((crossed > low) & (crossed < high)).all(axis=1)
    return 3.0 * float(within.sum()) + 1000 * bool(covered) + covered + 1000 * bool(outside) + outside


def _cost_of_leader(point: np.ndarray, end: np.ndarray, taken: np.ndarray, crossed: np.ndarray) -> float:
    """A leader that crosses lines or marks names the wrong one; near its own mark it cannot help it."""
    way = _every_few_px(np.array([point, end]))[4:, None]
    gaps = np.hypot(*np.moveaxis(way - crossed, -1, 0))
    through = ((way > taken[:, :2]) & (way < taken[:, 2:])).all(axis=-1)
    return 4.0 * float((gaps < LINE_STEP_PX).any(axis=1).sum()) + 20.0 * float(through.sum())
