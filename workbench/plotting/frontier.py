"""The frontier of every policy, each labelled where it ends."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from workbench.datasets.splits import users_of
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
from workbench.studies.sentences import findings

FURTHER = 1.8  # how far right a picture of prefetching goes beyond the mark of the policy that fetches most
LEAST_UNUSED, LEAST_HITS = 0.05, 1.0
NOTE_WIDTH = 80  # characters


@dataclass(frozen=True)
class Trade:
    """What one decision trades: a cost (x) against a gain (y).

    ``cost`` and ``gain`` name the figures and the columns of frontiers; ``columns`` those of outcomes, and ``factors``
    bring their means to the figures' units. ``price`` is how much gain one unit of cost is worth.
    """

    cost: str
    gain: str
    columns: tuple[str, str]
    factors: tuple[float, float]
    labels: tuple[str, str]
    units: tuple[str, str]
    digits: tuple[int, int]
    price: Callable[[Any], float]

    def at(self, figures: Any) -> tuple[float, float]:
        """Where a policy lies."""
        return getattr(figures, self.cost), getattr(figures, self.gain)


TRADES = {
    "image": Trade(
        "excess_wait_ms",
        "quality",
        columns=("excess_wait_ms", "quality"),
        factors=(1.0, 1.0),
        labels=("Waiting beyond the budget, ms a view", "Quality, 0 (all small) to 100 (all large)"),
        units=("ms of waiting a view", "points of quality"),
        digits=(0, 1),
        price=lambda scenario: scenario.wait_price,
    ),
    "prefetch": Trade(
        "unused_per_view",
        "hits_per_100",
        columns=("unused", "hits"),
        factors=(1.0, 100.0),
        labels=("Pages fetched for nothing, a view", "Pages there at the click, of 100 views"),
        units=("unused prefetches a view", "hits in 100 views"),
        digits=(2, 1),
        price=lambda scenario: 100 * scenario.unused_price,
    ),
}


@style_context()
def frontier(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """What each policy trades on test: mean quality against mean waiting, or hits against unused prefetches.

    A line is a policy whose limit moves, its mark the limit that was chosen on ``validation``; a lone mark has none to
    move. The bars are 95 % intervals of how far a mark lies from the best rule's, users resampled: both met the same
    views, so what they share is not in them. The dashed line joins what is worth as much as the best rule: above it,
    net is higher. Of prefetching, references that lie far off are told beneath, not drawn.

    Parameters
    ----------
    result : Comparison
    ax : Axes, optional

    Returns
    -------
    Axes
        x: excess wait, ms a view, or unused prefetches a view; y: quality, 0 (all small) to 100 (all large), or hits
        in 100 views.
    """
    ax = axes_or_new(ax, 5.6)
    trade = TRADES[result.decision]
    shown = sorted((policy for policy in result.results if policy.figures), key=lambda p: -_importance(result, p))
    far = _frame(ax, result, trade, shown)
    shown = [policy for policy in shown if policy not in far]
    for policy in reversed(shown):
        _draw_policy(ax, trade, policy, part_of(result, policy))
    bars = [bar for policy in shown if _has_bars(result, policy) for bar in _draw_bars(ax, result, policy)]
    ax.set(xlabel=trade.labels[0], ylabel=trade.labels[1])
    note_below(ax, "\n".join(["bars: how far from the best rule, 95 % intervals", *_told(trade, far)]))
    label_source(ax, result.split.card)
    lines = [p.frontier[[trade.cost, trade.gain]].to_numpy() for p in shown if p.frontier is not None]
    lines += [_equal_net(result, ax.get_xlim()), *bars]
    taken = [_draw_equal_net(ax, result), _point_to_better(ax)]
    label_marks(ax, merge_marks(ax, [_mark_of(result, policy) for policy in shown]), lines, taken)
    set_alt_text(ax, _frontier_in_words(result))
    return ax


def _frame(ax: Axes, result: Comparison, trade: Trade, shown: list[PolicyResult]) -> list[PolicyResult]:
    """Set the axes' ends; returns the references of prefetching that lie beyond them."""
    if result.decision == "image":
        ends = [line[trade.cost].max() for p in shown if (line := p.frontier) is not None]
        ax.set_xlim(0, 1.06 * max([*ends, *(trade.at(policy.figures)[0] for policy in shown)]))
        ax.set_ylim(-6, 106)
        return []
    marks = np.array([trade.at(policy.figures) for policy in shown if policy.kind in ("rule", "model")])
    ax.set_xlim(-0.02 * FURTHER * marks[:, 0].max(), max(FURTHER * marks[:, 0].max(), LEAST_UNUSED))
    line = result.of("model").frontier
    assert line is not None
    reached = line.loc[line[trade.cost] <= ax.get_xlim()[1], trade.gain]
    top = 1.15 * max(marks[:, 1].max(), reached.max(), LEAST_HITS)
    ax.set_ylim(-0.06 * top, top)
    return [policy for policy in shown if policy.kind in ("reference", "oracle") and trade.at(policy.figures)[1] > top]


def _told(trade: Trade, far: list[PolicyResult]) -> list[str]:
    each = []
    for policy in far:
        cost, gain = trade.at(policy.figures)
        each.append(f"{policy.name}: {gain:.{trade.digits[1]}f} hits at {cost:.{trade.digits[0]}f} unused")
    return [textwrap.fill(f"beyond the picture: {'; '.join(each)}", NOTE_WIDTH)] if each else []


def _importance(result: Comparison, policy: PolicyResult) -> int:
    return -list(PARTS).index(part_of(result, policy))


def _draw_policy(ax: Axes, trade: Trade, policy: PolicyResult, part: str) -> None:
    assert policy.figures is not None
    look, key = PARTS[part], part in KEY_PARTS
    if policy.frontier is not None:
        line = policy.frontier.sort_values("limit")
        ax.plot(
            line[trade.cost],
            line[trade.gain],
            color=look["color"],
            linewidth=2.2 if key else 1.0,
            zorder=3 if key else 2,
            label=policy.name,
        )
    ax.plot(*trade.at(policy.figures), linestyle="", markeredgecolor="white", zorder=5 if key else 4, **look)


def _has_bars(result: Comparison, policy: PolicyResult) -> bool:
    return part_of(result, policy) not in ("best rule", "other")


def _draw_bars(ax: Axes, result: Comparison, policy: PolicyResult) -> list[np.ndarray]:
    """Draw a mark's two intervals; returns them as lines, shape (2, 2) each."""
    trade = TRADES[result.decision]
    rule, ours = trade.at(result.of("best_rule").figures), trade.at(policy.figures)
    cost, gain = _distance(result, policy)
    across = np.array([(rule[0] + end, ours[1]) for end in (cost.low, cost.high)])
    up = np.array([(ours[0], rule[1] + end) for end in (gain.low, gain.high)])
    colour = PARTS[part_of(result, policy)]["color"]
    for bar in (across, up):
        ax.plot(*bar.T, color=colour, linewidth=1.6, solid_capstyle="butt", zorder=3.5)
    return [across, up]


def _distance(result: Comparison, policy: PolicyResult) -> tuple[Interval, Interval]:
    """Cost and gain of a policy minus those of the best rule, in the figures' units."""
    trade, rule = TRADES[result.decision], result.of("best_rule").outcomes
    assert rule is not None and policy.outcomes is not None
    users = users_of(result.split.test.loc[rule.index], result.split.cluster)
    columns = list(trade.columns)
    differences = (policy.outcomes[columns].to_numpy(float) - rule[columns].to_numpy(float)) * trade.factors
    cost, gain = cluster_intervals(differences, users, seed=result.split.seed)
    return cost, gain


def _mark_of(result: Comparison, policy: PolicyResult) -> Mark:
    assert policy.figures is not None
    part = part_of(result, policy)
    style = {"color": WORDS[PARTS[part]["color"]], "fontweight": "bold" if part in KEY_PARTS else "normal"}
    return Mark(name_of(result, policy), *TRADES[result.decision].at(policy.figures), style)


def _equal_net(result: Comparison, costs: tuple[float, float]) -> np.ndarray:
    """All that is worth as much as the best rule, as a line between two costs: shape (2, 2)."""
    trade = TRADES[result.decision]
    cost, gain = trade.at(result.of("best_rule").figures)
    return np.array([(x, gain + trade.price(result.scenario) * (x - cost)) for x in costs])


def _draw_equal_net(ax: Axes, result: Comparison) -> Bbox:
    """Draw that line, and name it; returns the pixels that its name takes."""
    (left, low), (right, high) = _equal_net(result, ax.get_xlim())
    ax.axline((left, low), (right, high), color=MUTED, linewidth=1, linestyle=DASHES, zorder=1)
    figure_of(ax).draw_without_rendering()
    (x0, y0), (x1, y1) = ax.transData.transform([(left, low), (right, high)])
    # From the left end on: there the line runs above every frontier, and nothing else is near.
    start = max(0.015, (ax.get_ylim()[0] - low) / (high - low))
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


def _frontier_in_words(result: Comparison) -> str:
    trade = TRADES[result.decision]
    parts = {"today": "today", "best rule": "best_rule", "model": "model", "perfect knowledge": "oracle"}
    each = []
    for part, which in parts.items():
        cost, gain = trade.at(result.of(which).figures)
        each.append(f"{part} {gain:.1f} at {cost:,.{trade.digits[0]}f}")
    digits_told = [max(1, digits) for digits in trade.digits]
    told = [
        f"{interval.estimate:+.{digits}f} ({interval.low:+.{digits}f} to {interval.high:+.{digits}f}) {unit}"
        for interval, unit, digits in zip(_distance(result, result.of("model")), trade.units, digits_told, strict=True)
    ]
    return (
        f"{trade.labels[1]}, against {trade.labels[0].lower()}: {', '.join(each)}. Model minus best rule: {told[1]}, "
        f"{told[0]}. {findings(result)['frontier']}."
    )
