"""The frontier of every policy, each labelled where it ends."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from workbench.checked import checked
from workbench.datasets.splits import users_of
from workbench.decisions.decision import Axis, PolicyResult, Unit
from workbench.evidence.bootstrap import Interval, cluster_intervals
from workbench.evidence.verdict import FEWEST_DIFFERING
from workbench.plotting.labels import KEY_PARTS, PARTS, Mark, label_marks, merge_marks, name_of, part_of
from workbench.plotting.style import MUTED, WORDS, axes_or_new, figure_of, finish, style_context
from workbench.studies.comparison import Comparison
from workbench.studies.report import capital, findings

FURTHER = 1.8  # how far right the picture goes, in costs of the costliest rule or model
LEAST_PART = 0.05  # of the longest frontier that is drawn even where nothing costs anything
NAME_WIDTH, NOTE_WIDTH = 44, 80  # characters


@checked
@style_context()
def frontier(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """What each policy trades on test: the mean gain of its decisions against their mean cost.

    A line is a policy at each of its limits, its mark the limit picked on ``validation``; a lone mark has no limit.
    Bars are 95 % intervals of the difference from the best rule, users resampled, paired by view. On the dashed line,
    net equals the best rule's (above it, net is higher); it is drawn if net is gain minus cost at a fixed price.
    References that lie far off are named in a note, not drawn.

    Returns
    -------
    Axes
        x, y: cost and gain, the decision's two axes.
    """
    ax = axes_or_new(ax, 5.6)
    order = list(PARTS)
    shown = sorted((p for p in result.results if p.outcomes is not None), key=lambda p: order.index(part_of(result, p)))
    far = _set_limits(ax, result, shown)
    shown = [policy for policy in shown if policy not in far]
    for policy in reversed(shown):
        _draw_policy(ax, result, policy)
    barless = {"best rule", "other"} | ({"model"} if result.differing.users < FEWEST_DIFFERING else set())
    bars = [bar for p in shown if part_of(result, p) not in barless for bar in _draw_bars(ax, result, p)]
    ax.set(**{f"{side}label": axis.label for side, axis in zip("xy", result.decision.axes, strict=True)})
    note = "\n".join(["bars: how far from the best rule, 95 % intervals", *_beyond(result, far)])
    finish(ax, result.split.card, _in_words(result), note=note)
    # Labels last: their places depend on the final layout.
    lines = [_line(result, policy) for policy in shown if policy.frontier is not None] + bars
    taken = [_point_to_better(ax)]
    equal = _equal_net(result, ax.get_xlim())
    if equal is not None:
        lines.append(equal)
        taken.append(_draw_equal_net(ax, equal))
    label_marks(ax, merge_marks(ax, [_mark_of(result, policy) for policy in shown]), lines, taken)
    return ax


def _in_axes(table: pd.DataFrame, axes: tuple[Axis, Axis]) -> np.ndarray:
    """Cost and gain of each row as the axes show them: shape (rows, 2)."""
    return table[[axis.column for axis in axes]].to_numpy(float) * [axis.factor for axis in axes]


def _line(result: Comparison, policy: PolicyResult) -> np.ndarray:
    """A policy's frontier, by its limit: shape (limits, 2)."""
    assert policy.frontier is not None
    return _in_axes(policy.frontier.sort_values("limit"), result.decision.axes)


def _at(result: Comparison, policy: PolicyResult) -> np.ndarray:
    """Where a policy lies: shape (2,)."""
    assert policy.outcomes is not None
    return _in_axes(policy.outcomes, result.decision.axes).mean(axis=0)


def _set_limits(ax: Axes, result: Comparison, shown: list[PolicyResult]) -> list[PolicyResult]:
    """Set the limits so that rules and model fill the axes; returns the references that lie beyond."""
    places = {policy.name: _at(result, policy) for policy in shown}
    marks = np.array([places[policy.name] for policy in shown if policy.kind in ("rule", "today", "model")])
    points = np.vstack([marks, *(_line(result, policy) for policy in shown if policy.frontier is not None)])
    ends, longest = marks[:, 0].max(), points[:, 0].max()
    right = min(1.06 * longest, max(FURTHER * ends, LEAST_PART * longest)) or 1.0
    gains = points[points[:, 0] <= right, 1]
    span = np.ptp(gains) or 1.0
    ax.set(xlim=(-0.02 * right, right), ylim=(gains.min() - 0.06 * span, gains.max() + 0.15 * span))
    references = [policy for policy in shown if policy.kind in ("reference", "oracle")]
    return [policy for policy in references if not ax.viewLim.contains(*places[policy.name])]


def _beyond(result: Comparison, far: list[PolicyResult]) -> list[str]:
    each = [f"{policy.name}: {_gain_at_cost(result, policy)}" for policy in far]
    x, y = _axis_names(result)
    return [textwrap.fill(f"beyond the picture ({y} at {x}): {'; '.join(each)}", NOTE_WIDTH)] if each else []


def _axis_names(result: Comparison) -> list[str]:
    """The labels of x and y, for use within a sentence."""
    return [axis.label[:1].lower() + axis.label[1:] for axis in result.decision.axes]


def _gain_at_cost(result: Comparison, policy: PolicyResult) -> str:
    """Gain and cost in the decimals of the axes, such as ``0.81 at 30``."""
    cost, gain = zip(_at(result, policy), result.decision.axes, strict=True)
    return " at ".join(f"{value:,.{axis.digits}f}" for value, axis in (gain, cost))


def _draw_policy(ax: Axes, result: Comparison, policy: PolicyResult) -> None:
    part = part_of(result, policy)
    look, key = PARTS[part], part in KEY_PARTS
    if policy.frontier is not None:
        width, order = (2.2, 3) if key else (1.0, 2)
        line = _line(result, policy)
        ax.plot(*line.T, color=look["color"], linewidth=width, zorder=order, label=policy.name)
    place = _at(result, policy)
    ax.plot(*place[:, None], linestyle="", markeredgecolor="white", zorder=5 if key else 4, **look)


def _draw_bars(ax: Axes, result: Comparison, policy: PolicyResult) -> list[np.ndarray]:
    """Draw the two intervals of a mark; returns them as lines, shape (2, 2) each."""
    rule, ours = _at(result, result.of("best_rule")), _at(result, policy)
    cost, gain = _distance(result, policy)
    across = np.array([(rule[0] + end, ours[1]) for end in (cost.low, cost.high)])
    up = np.array([(ours[0], rule[1] + end) for end in (gain.low, gain.high)])
    colour = PARTS[part_of(result, policy)]["color"]
    for bar in (across, up):
        ax.plot(*bar.T, color=colour, linewidth=1.6, solid_capstyle="butt", zorder=3.5)
    return [across, up]


def _distance(result: Comparison, policy: PolicyResult) -> tuple[Interval, Interval]:
    """Cost and gain of a policy minus those of the best rule, as the axes show them."""
    rule = result.of("best_rule").outcomes
    assert rule is not None and policy.outcomes is not None
    users = users_of(result.split.test.loc[rule.index], result.split.cluster)
    differences = _in_axes(policy.outcomes, result.decision.axes) - _in_axes(rule, result.decision.axes)
    cost, gain = cluster_intervals(differences, users, seed=result.split.seed)
    return cost, gain


def _mark_of(result: Comparison, policy: PolicyResult) -> Mark:
    part = part_of(result, policy)
    style = {"color": WORDS[PARTS[part]["color"]], "fontweight": "bold" if part in KEY_PARTS else "normal"}
    x, y = (float(place) for place in _at(result, policy))
    return Mark(textwrap.fill(name_of(result, policy), NAME_WIDTH), x, y, style)


def _equal_net(result: Comparison, costs: tuple[float, float]) -> np.ndarray | None:
    """The line on which net equals the best rule's, between two costs: shape (2, 2).

    Net is fitted to cost and gain of all policies at all limits; None if it is not gain minus cost at a fixed price.
    """
    tables = [policy.frontier for policy in result.results if policy.frontier is not None]
    outcomes = [policy.outcomes for policy in result.results if policy.outcomes is not None]
    means = [each.mean(numeric_only=True).to_frame().T for each in outcomes]
    points = np.vstack([_in_axes(table, result.decision.axes) for table in (*tables, *means)])
    net = np.concatenate([table["net"].to_numpy(float) for table in (*tables, *means)])
    terms = np.column_stack([points, np.ones(len(points))])
    weights, *_ = np.linalg.lstsq(terms, net, rcond=None)
    if not np.allclose(terms @ weights, net, atol=1e-6 * np.ptp(net)) or not weights[1] > 0:
        return None
    cost, gain = _at(result, result.of("best_rule"))
    return np.array([(x, gain - weights[0] / weights[1] * (x - cost)) for x in costs])


def _draw_equal_net(ax: Axes, line: np.ndarray) -> Bbox:
    """Draw that line and its name; returns the pixels that the name takes."""
    (left, low), (right, high) = line
    ax.axline((left, low), (right, high), color=MUTED, linewidth=1, linestyle="--", zorder=1)
    figure_of(ax).draw_without_rendering()
    (x0, y0), (x1, y1) = ax.transData.transform(line)
    # From the left end on: there the line runs above every frontier, and nothing else is near.
    start = max(0.015, (ax.get_ylim()[0] - low) / (high - low)) if high != low else 0.015
    look: dict[str, Any] = {"textcoords": "offset points", "va": "bottom", "color": MUTED, "fontsize": 10}
    look |= {"rotation": np.degrees(np.arctan2(y1 - y0, x1 - x0)), "rotation_mode": "anchor"}
    at = (left + start * (right - left), low + start * (high - low))
    words = ax.annotate("as good as the best rule", at, (-2, 3), **look)
    return words.get_window_extent()


def _point_to_better(ax: Axes) -> Bbox:
    """An arrow towards better policies, in the corner of the worst ones; returns the pixels that it takes."""
    arrow = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 1.2, "shrinkA": 2}
    corner: dict[str, Any] = {"xycoords": "axes fraction", "ha": "right", "va": "bottom"}
    words = ax.annotate("better", (0.86, 0.19), (0.97, 0.04), color=MUTED, arrowprops=arrow, **corner)
    return words.get_window_extent()


def _in_words(result: Comparison) -> str:
    x, y = _axis_names(result)
    parts = {"today": "today", "best rule": "best_rule", "model": "model", "perfect knowledge": "oracle"}
    each = [f"{part} {_gain_at_cost(result, result.of(which))}" for part, which in parts.items()]
    units = [Unit("", "", 1.0, max(1, axis.digits)) for axis in result.decision.axes]
    distances = _distance(result, result.of("model"))
    cost, gain = (unit.seen(interval, result.differing) for unit, interval in zip(units, distances, strict=True))
    found = findings(result).get("frontier", "")
    words = f"{capital(y)} against {x}: {', '.join(each)}. Model minus best rule: {y} {gain}, {x} {cost}."
    return words + f" {found}." * bool(found)
