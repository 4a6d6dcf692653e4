"""Pictures of a finding: what policies trade, how they differ, what there is to win, whether chances come true."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from workbench.plotting.intervals import draw_interval, draw_zero
from workbench.plotting.labels import Mark, label_marks, merge_marks
from workbench.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    MUTED,
    PURPLE,
    VERMILLION,
    WORDS,
    axes_or_new,
    figure_of,
    label_source,
    note_below,
    percent,
    set_alt_text,
    style_context,
)
from workbench.studies.comparison import Comparison, PolicyResult
from workbench.studies.sentences import findings, first_screen

# How each part in a comparison is drawn: shape and colour, so that neither has to carry it alone.
PARTS: dict[str, dict[str, Any]] = {
    "model": {"color": BLUE, "marker": "o", "markersize": 10},
    "best rule": {"color": VERMILLION, "marker": "s", "markersize": 9},
    "today": {"color": INK, "marker": "^", "markersize": 9},
    "perfect knowledge": {"color": GREEN, "marker": "*", "markersize": 14},
    "reference": {"color": PURPLE, "marker": "D", "markersize": 7},
    "other": {"color": GREY, "marker": "o", "markersize": 6},
}
KEY_PARTS = ("model", "best rule")
DASHES = (0, (4, 4))
FEWEST_MARGINS_SHOWN = 3.0
NAME_WIDTH = 36  # characters


@style_context()
def frontier(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """What each policy trades: mean quality against mean waiting beyond the budget, on test.

    A line is a policy whose limit moves, its mark the limit that was chosen on ``choose``; a lone mark has none to
    move. The dashed line joins what is worth as much as the best rule: above it, net is higher.

    Parameters
    ----------
    result : Comparison
    ax : Axes, optional

    Returns
    -------
    Axes
        x: excess wait, ms a view; y: quality, 0 (all small) to 100 (all large).
    """
    ax = axes_or_new(ax, 5.6)
    shown = sorted((policy for policy in result.results if policy.figures), key=lambda p: -_importance(result, p))
    for policy in reversed(shown):
        _draw_policy(ax, policy, part_of(result, policy))
    ax.set(xlabel="Waiting beyond the budget, ms a view", ylabel="Quality, 0 (all small) to 100 (all large)")
    ax.set_xlim(0, 1.06 * ax.get_xlim()[1])
    ax.set_ylim(-6, 106)
    label_source(ax, result.split.card)
    lines = [p.frontier[["excess_wait_ms", "quality"]].to_numpy() for p in shown if p.frontier is not None]
    lines.append(_equal_net(result, ax.get_xlim()))
    taken = [_draw_equal_net(ax, result), _point_to_better(ax)]
    label_marks(ax, merge_marks(ax, [_mark_of(result, policy) for policy in shown]), lines, taken)
    set_alt_text(ax, _frontier_in_words(result))
    return ax


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


def _importance(result: Comparison, policy: PolicyResult) -> int:
    return -list(PARTS).index(part_of(result, policy))


def _draw_policy(ax: Axes, policy: PolicyResult, part: str) -> None:
    assert policy.figures is not None
    look, key = PARTS[part], part in KEY_PARTS
    if policy.frontier is not None:
        line = policy.frontier.sort_values("limit")
        ax.plot(
            line["excess_wait_ms"],
            line["quality"],
            color=look["color"],
            linewidth=2.2 if key else 1.0,
            zorder=3 if key else 2,
            label=policy.name,
        )
    at = policy.figures
    ax.plot(at.excess_wait_ms, at.quality, linestyle="", markeredgecolor="white", zorder=5 if key else 4, **look)


def name_of(result: Comparison, policy: PolicyResult) -> str:
    """A policy's name, with the part that it plays where the name does not tell."""
    part = part_of(result, policy)
    if policy.policy is result.best_rule and result.best_rule is result.today:
        part = "best rule and today"
    told = part == "other" or policy.name.startswith(part)
    return policy.name if told else f"{part}: {policy.name}"


def _mark_of(result: Comparison, policy: PolicyResult) -> Mark:
    assert policy.figures is not None
    part = part_of(result, policy)
    style = {"color": WORDS[PARTS[part]["color"]], "fontweight": "bold" if part in KEY_PARTS else "normal"}
    return Mark(name_of(result, policy), policy.figures.excess_wait_ms, policy.figures.quality, style)


def _equal_net(result: Comparison, waits: tuple[float, float]) -> np.ndarray:
    """All that is worth as much as the best rule, as a line between two waits: shape (2, 2)."""
    at = result.of("best_rule").figures
    assert at is not None
    return np.array([(wait, at.quality + result.scenario.wait_price * (wait - at.excess_wait_ms)) for wait in waits])


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
    parts = {"today": "today", "best rule": "best_rule", "model": "model", "perfect knowledge": "oracle"}
    each = []
    for part, which in parts.items():
        at = result.of(which).figures
        assert at is not None
        each.append(f"{part} {at.quality:.1f} at {at.excess_wait_ms:,.0f} ms")
    return f"Quality against waiting beyond the budget: {', '.join(each)}. {findings(result)['frontier']}."


@style_context()
def differences(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """Net of every other policy minus the best rule's, with 95 % intervals, on test.

    Only the model's is judged; the others are exploratory, and grey. What lies beyond the axis is an arrow at its
    edge: the numbers stand on the right.

    Parameters
    ----------
    result : Comparison
    ax : Axes, optional

    Returns
    -------
    Axes
        x: points of net a view; one row a policy, best first.
    """
    others = [policy for policy in result.results if policy.name in result.against_best_rule]
    rows = sorted(others, key=lambda policy: result.against_best_rule[policy.name].estimate)
    ax = axes_or_new(ax, 2.1 + 0.42 * len(rows))
    edge = _edge(result)
    draw_zero(ax, result.margin)
    for y, policy in enumerate(rows):
        interval = result.against_best_rule[policy.name]
        if policy.kind == "model":
            draw_interval(ax, y, interval, edge, colour=BLUE, strong=True, above=result.verdict)
        else:
            draw_interval(ax, y, interval, edge)
    names = [textwrap.fill(name_of(result, policy), NAME_WIDTH) for policy in rows]
    ax.set_yticks(range(len(rows)), names, linespacing=1.0)
    for tick, policy in zip(ax.get_yticklabels(), rows, strict=True):
        tick.set(color=BLUE, fontweight="bold") if policy.kind == "model" else tick.set(color=MUTED)
    ax.tick_params(axis="y", pad=16)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.set(xlim=(-edge, edge), ylim=(-0.6, len(rows) - 0.3))
    ax.set_xlabel("Net minus that of the best rule, points a view")
    note_below(
        ax,
        f"best rule: {result.of('best_rule').name}\n"
        f"shaded: too small to matter (under {result.margin:g}); grey: exploratory",
    )
    label_source(ax, result.split.card)
    set_alt_text(ax, f"{first_screen(result)['difference']} Verdict: {result.verdict}.")
    return ax


def _edge(result: Comparison) -> float:
    """Where the axis ends: the margin and the model's interval must be readable, whatever else there is."""
    model = result.difference
    return 1.25 * max(abs(model.low), abs(model.high), FEWEST_MARGINS_SHOWN * result.margin)


@style_context()
def headroom(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """All there is to win: net of perfect knowledge minus net of the best single rendition, by budget.

    Parameters
    ----------
    result : Comparison
    ax : Axes, optional

    Returns
    -------
    Axes
        x: budget, seconds; y: points of net a view.
    """
    ax = axes_or_new(ax, 4.2)
    budgets = np.array(list(result.headroom_by_budget)) / 1000
    nets = np.array(list(result.headroom_by_budget.values()))
    ax.plot(budgets, nets, "o-", color=GREY, markersize=6, zorder=3)
    base = result.scenario.budget_ms / 1000
    at = result.headroom_by_budget[float(result.scenario.budget_ms)]
    ax.plot(base, at, "o", color=BLUE, markersize=11, zorder=4)
    ax.axhline(result.margin, color=MUTED, linewidth=1, linestyle=DASHES)
    ax.set(xlabel="Budget, seconds", ylabel="Headroom, points of net")
    ax.set_xticks(budgets, [f"{budget:g}" for budget in budgets])
    ax.set_xlim(0, 1.04 * budgets.max())
    ax.set_ylim(0, 1.25 * max(nets.max(), result.margin))
    words = ax.annotate(
        f"worth having from {result.margin:g}",
        (1, result.margin),
        (0, 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        color=MUTED,
        fontsize=10,
    )
    label_source(ax, result.split.card)
    marks = [Mark(f"{net:.1f}", budget, net, {"color": MUTED}) for budget, net in zip(budgets, nets, strict=True)]
    ours = Mark(f"{at:.1f} at the budget of {base:g} s", base, at, {"color": BLUE, "fontweight": "bold"})
    others = [mark for mark in marks if mark.x != base]
    label_marks(ax, [ours, *others], [np.column_stack([budgets, nets])], [words.get_window_extent()])
    each = ", ".join(f"{net:.1f} at {budget:g} s" for budget, net in zip(budgets, nets, strict=True))
    set_alt_text(ax, f"{findings(result)['headroom']}. By budget: {each}.")
    return ax


@style_context()
def reliability(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """Do chances come true? The model's chance that the large images are late, against how often they were.

    Parameters
    ----------
    result : Comparison
    ax : Axes, optional

    Returns
    -------
    Axes
        x: mean chance in each tenth of the views of test; y: share of it that was late. On the diagonal, both agree.
    """
    ax = axes_or_new(ax, 5.4)
    table = result.reliability
    end = 1.08 * float(table[["chance", "share"]].to_numpy().max())
    ax.plot([0, end], [0, end], color=MUTED, linewidth=1, linestyle=DASHES)
    ax.plot(table["chance"], table["share"], "o-", color=BLUE, zorder=3)
    ax.set(xlim=(0, end), ylim=(0, end), box_aspect=1)
    ax.set(xlabel="Chance that the large images are late", ylabel="Share that was late")
    ax.xaxis.set_major_formatter(percent())
    ax.yaxis.set_major_formatter(percent())
    ax.text(0.91 * end, 0.955 * end, "as predicted", ha="right", va="center", color=MUTED, fontsize=10)
    label_source(ax, result.split.card)
    lowest, highest = (
        f"{100 * row['chance']:.0f} % were predicted late, {100 * row['share']:.0f} % were"
        for row in (table.iloc[0], table.iloc[-1])
    )
    set_alt_text(
        ax,
        f"In the tenth of the views with the lowest chances {lowest}; in the tenth with the highest {highest}. "
        f"{findings(result)['model']}.",
    )
    return ax
