"""Pictures of a finding: how policies differ, what there is to win, whether chances come true."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from workbench.plotting.intervals import draw_interval, draw_zero
from workbench.plotting.labels import Mark, label_marks
from workbench.plotting.parts import name_of
from workbench.plotting.style import (
    BLUE,
    DASHES,
    GREY,
    MUTED,
    axes_or_new,
    label_source,
    note_below,
    percent,
    set_alt_text,
    style_context,
)
from workbench.studies.comparison import Comparison
from workbench.studies.sentences import findings, first_screen

FEWEST_MARGINS_SHOWN = 3.0
PREDICTED = {
    "image": ("the large images are late", "was late"),
    "prefetch": ("the page is opened next", "was opened next"),
}
NAME_WIDTH = 36  # characters


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
        x: difference in net; one row a policy, best first.
    """
    others = [policy for policy in result.results if policy.name in result.against_best_rule]
    rows = sorted(others, key=lambda policy: result.against_best_rule[policy.name].estimate)
    ax = axes_or_new(ax, 2.1 + 0.42 * len(rows))
    edge, unit = _edge(result), result.unit
    draw_zero(ax, unit.factor * result.margin)
    for y, policy in enumerate(rows):
        interval = result.against_best_rule[policy.name]
        if policy.kind == "model":
            draw_interval(ax, y, interval, edge, unit=unit, colour=BLUE, strong=True, above=result.verdict)
        else:
            draw_interval(ax, y, interval, edge, unit=unit)
    names = [textwrap.fill(name_of(result, policy), NAME_WIDTH) for policy in rows]
    ax.set_yticks(range(len(rows)), names, linespacing=1.0)
    for tick, policy in zip(ax.get_yticklabels(), rows, strict=True):
        tick.set(color=BLUE, fontweight="bold") if policy.kind == "model" else tick.set(color=MUTED)
    ax.tick_params(axis="y", pad=16)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.set(xlim=(-edge, edge), ylim=(-0.6, len(rows) - 0.3))
    ax.set_xlabel(f"Net minus that of the best rule, {unit.per_view}")
    note_below(
        ax,
        f"best rule: {result.of('best_rule').name}\n"
        f"shaded: too small to matter (under {unit.factor * result.margin:g}); grey: exploratory",
    )
    label_source(ax, result.split.card)
    set_alt_text(ax, f"{first_screen(result)['difference']} Verdict: {result.verdict}.")
    return ax


def _edge(result: Comparison) -> float:
    """Where the axis ends: the margin and the model's interval must be readable, whatever else there is."""
    model = result.difference
    return 1.25 * result.unit.factor * max(abs(model.low), abs(model.high), FEWEST_MARGINS_SHOWN * result.margin)


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
    budgets = np.array(list(result.image.headroom_by_budget)) / 1000
    nets = np.array(list(result.image.headroom_by_budget.values()))
    ax.plot(budgets, nets, "o-", color=GREY, markersize=6, zorder=3)
    base = result.scenario.budget_ms / 1000
    at = result.image.headroom_by_budget[float(result.scenario.budget_ms)]
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
    """Do chances come true? The model's chance of what it predicts, against how often it happened.

    Of images: that the large ones are late; of prefetching: that a page named is opened next.

    Parameters
    ----------
    result : Comparison
    ax : Axes, optional

    Returns
    -------
    Axes
        x: mean chance in each tenth of the views (or pages named) of test; y: share of it where it happened. On the
        diagonal, both agree.
    """
    ax = axes_or_new(ax, 5.4)
    table = result.reliability
    end = 1.08 * float(table[["chance", "share"]].to_numpy().max())
    ax.plot([0, end], [0, end], color=MUTED, linewidth=1, linestyle=DASHES)
    ax.plot(table["chance"], table["share"], "o-", color=BLUE, zorder=3)
    ax.set(xlim=(0, end), ylim=(0, end), box_aspect=1)
    what, happened = PREDICTED[result.decision]
    ax.set(xlabel=f"Chance that {what}", ylabel=f"Share that {happened}")
    ax.xaxis.set_major_formatter(percent())
    ax.yaxis.set_major_formatter(percent())
    ax.text(0.91 * end, 0.955 * end, "as predicted", ha="right", va="center", color=MUTED, fontsize=10)
    label_source(ax, result.split.card)
    lowest, highest = (
        f"{100 * row['chance']:.0f} % were predicted, {100 * row['share']:.0f} % came true"
        for row in (table.iloc[0], table.iloc[-1])
    )
    set_alt_text(
        ax,
        f"Chance that {what}: in the tenth with the lowest chances {lowest}; in the tenth with the highest {highest}. "
        f"{findings(result)['calibration']}.",
    )
    return ax
