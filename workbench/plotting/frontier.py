"""The frontier of every policy, each labelled where it ends."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from workbench.datasets.splits import users_of
from workbench.decisions.decision import Axis
from workbench.evidence.bootstrap import Interval, cluster_intervals
from workbench.plotting.labels import KEY_PARTS, PARTS, Mark, label_marks, merge_marks, name_of, part_of
from workbench.plotting.style import (
    DASHES,
    MUTED,
    WORDS,
    axes_or_new,
    figure_of,
    label_source,
    note_below,
    set_alt_text,
    style_context,
)
from workbench.studies.comparison import Comparison, PolicyResult
from workbench.studies.report import findings

FURTHER = 1.8  # how far right the picture goes, in costs of the costliest rule or model
LEAST_PART = 0.05  # of the longest frontier that is drawn even where nothing costs anything
NAME_WIDTH, NOTE_WIDTH = 44, 80  # characters

Axes2 = tuple[Axis, Axis]


@style_context()
def frontier(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """What each policy trades on test: the mean gain of its decisions against their mean cost.

    A line is a policy whose limit moves, its mark the limit that was picked on ``validation``; a lone mark has none to
    move. The bars are 95 % intervals of how far a mark lies from the best rule's, users resampled: both met the same
    views, so what they share is not in them. The dashed line joins what is worth as much as the best rule (above it,
    net is higher); it is drawn where net is cost and gain at a fixed price. References that lie far off are named in a
    note, not drawn.

    Parameters
    ----------
    result : Comparison
    ax : Axes, optional

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
    bars = [bar for p in shown if part_of(result, p) not in ("best rule", "other") for bar in _draw_bars(ax, result, p)]
    ax.set(**{f"{side}label": axis.label for side, axis in zip("xy", result.decision.axes, strict=True)})
    note_below(ax, "\n".join(["bars: how far from the best rule, 95 % intervals", *_beyond(result, far)]))
    label_source(ax, result.split.card)
    lines = [_line(result, policy) for policy in shown if policy.frontier is not None] + bars
    taken = [_point_to_better(ax)]
    equal = _equal_net(result, ax.get_xlim())
    if equal is not None:
        lines.append(equal)
        taken.append(_draw_equal_net(ax, equal))
    label_marks(ax, merge_marks(ax, [_mark_of(result, policy) for policy in shown]), lines, taken)
    set_alt_text(ax, _in_words(result))
    return ax


def _in_axes(table: pd.DataFrame, axes: Axes2) -> np.ndarray:
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
    """Set the axes' ends, so that rules and model fill them; returns the references that lie beyond."""
    places = {policy.name: _at(result, policy) for policy in shown}
    marks = np.array([places[policy.name] for policy in shown if policy.kind in ("rule", "model")])
    points = np.vstack([marks, *(_line(result, policy) for policy in shown if policy.frontier is not None)])
    ends, longest = marks[:, 0].max(), points[:, 0].max()
    right = min(1.06 * longest, max(FURTHER * ends, LEAST_PART * longest)) or 1.0
    gains = points[points[:, 0] <= right, 1]
    span = np.ptp(gains) or 1.0
    ax.set(xlim=(-0.02 * right, right), ylim=(gains.min() - 0.06 * span, gains.max() + 0.15 * span))
    references = [policy for policy in shown if policy.kind in ("reference", "oracle")]
    return [policy for policy in references if not ax.viewLim.contains(*places[policy.name])]


def _beyond(result: Comparison, far: list[PolicyResult]) -> list[str]:
    each = [f"{policy.name}: {' at '.join(_as_text(result, policy))}" for policy in far]
    x, y = (axis.label[:1].lower() + axis.label[1:] for axis in result.decision.axes)
    return [textwrap.fill(f"beyond the picture ({y} at {x}): {'; '.join(each)}", NOTE_WIDTH)] if each else []


def _as_text(result: Comparison, policy: PolicyResult) -> list[str]:
    """Gain and cost in the decimals of the axes."""
    pairs = zip(_at(result, policy), result.decision.axes, strict=True)
    return [f"{value:,.{axis.digits}f}" for value, axis in pairs][::-1]


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
    """Draw a mark's two intervals; returns them as lines, shape (2, 2) each."""
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
    """All that is worth as much as the best rule, as a line between two costs: shape (2, 2).

    Net is fitted to cost and gain of all policies at all limits; None where it is not cost and gain at a fixed price.
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
    """Draw that line, and name it; returns the pixels that its name takes."""
    (left, low), (right, high) = line
    ax.axline((left, low), (right, high), color=MUTED, linewidth=1, linestyle=DASHES, zorder=1)
    figure_of(ax).draw_without_rendering()
    (x0, y0), (x1, y1) = ax.transData.transform(line)
    # From the left end on: there the line runs above every frontier, and nothing else is near.
    start = max(0.015, (ax.get_ylim()[0] - low) / (high - low)) if high != low else 0.015
    words = ax.annotate(
        "as good as the best rule",
        (left + start * (right - left), low + start * (high - low)),
        (-2, 3),
        textcoords="offset points",
        rotation=np.degrees(np.arctan2(y1 - y0, x1 - x0)),
        rotation_mode="anchor",
        va="bottom",
        color=MUTED,
        fontsize=10,
    )
    return words.get_window_extent()


def _point_to_better(ax: Axes) -> Bbox:
    """An arrow in the corner where no good policy is, towards where they are."""
    words = ax.annotate(
        "better",
        (0.86, 0.19),
        (0.97, 0.04),
        xycoords="axes fraction",
        ha="right",
        va="bottom",
        color=MUTED,
        arrowprops={"arrowstyle": "-|>", "color": MUTED, "linewidth": 1.2, "shrinkA": 2},
    )
    return words.get_window_extent()


def _in_words(result: Comparison) -> str:
    x, y = (axis.label[:1].lower() + axis.label[1:] for axis in result.decision.axes)
    parts = {"today": "today", "best rule": "best_rule", "model": "model", "perfect knowledge": "oracle"}
    each = [f"{part} {' at '.join(_as_text(result, result.of(which)))}" for part, which in parts.items()]
    cost, gain = (
        f"{interval.estimate:+.{digits}f} ({interval.low:+.{digits}f} to {interval.high:+.{digits}f})"
        for interval, digits in zip(
            _distance(result, result.of("model")), [max(1, axis.digits) for axis in result.decision.axes], strict=True
        )
    )
    found = findings(result).get("frontier", "")
    return (
        f"{y[:1].upper() + y[1:]} against {x}: {', '.join(each)}. Model minus best rule: {y} {gain}, {x} {cost}."
        + f" {found}." * bool(found)
    )
