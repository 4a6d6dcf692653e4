"""Pictures of a comparison: differences, headroom, calibration, sensitivity, segments."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval
from workbench.evidence.segments import OTHER
from workbench.plotting.intervals import draw_interval, draw_zero, edge_of, name_rows, point_ticks
from workbench.plotting.labels import Mark, label_marks, name_of
from workbench.plotting.style import (
    BLUE,
    DASHES,
    GREY,
    MUTED,
    VERMILLION,
    axes_or_new,
    label_source,
    note_below,
    percent,
    set_alt_text,
    style_context,
)
from workbench.studies.comparison import Comparison, Unit
from workbench.studies.sentences import findings, first_screen
from workbench.studies.wording import short_name

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


BASE = "base"
ROW_HEIGHT, ROOM_AROUND = 0.3, 1.7  # inches
FEWEST_MARGINS_SHOWN_ROBUSTNESS = 3.0
NOTE_WIDTH = 76  # characters


@style_context()
def sensitivity(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """Model minus best rule where one assumption is changed at a time, with 95 % intervals.

    The base case stands on top. A change that flips its verdict says so on the right; one that could not be tried
    says why. What lies beyond the axis is an arrow at its edge.

    Parameters
    ----------
    result : Comparison
        From ``study_images`` or ``study_prefetch``, with ``sensitivity=True``.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: difference in net; one row a change, grouped by what it changes.

    Raises
    ------
    WorkbenchError
        Where the study did not change its assumptions.
    """
    changes = result.sensitivity
    if changes is None:
        raise WorkbenchError(
            "this study did not change its assumptions, which takes a while: ask for it with "
            "wb.study_images(..., sensitivity=True) or wb.study_prefetch likewise."
        )
    changes = changes[changes["group"] != BASE]
    rows = _rows(changes)
    ax = axes_or_new(ax, ROOM_AROUND + ROW_HEIGHT * (1 + len(rows)))
    base = result.difference
    unit = result.unit
    least = unit.factor * max(abs(base.low), abs(base.high), FEWEST_MARGINS_SHOWN_ROBUSTNESS * result.margin)
    edge = edge_of(unit.factor * changes["low"].astype(float), unit.factor * changes["high"].astype(float), least)
    draw_zero(ax, unit.factor * result.margin)
    draw_interval(ax, 0, base, edge, unit=unit, colour=BLUE, strong=True, after=f"  {result.verdict}")
    for y, (_, change) in enumerate(rows, start=1):
        if change is not None:
            _draw_change(ax, y, change, edge, result)
    name_rows(ax, [("base case", True), *((name, change is None) for name, change in rows)])
    ax.get_yticklabels()[0].set_color(BLUE)
    point_ticks(ax, edge)
    ax.set_xlabel(f"Model minus best rule, {unit.per_view}")
    note_below(
        ax,
        f"shaded: too small to matter (under {unit.factor * result.margin:g}); each row is a study of its own\n"
        "arrow and word: where the verdict would be another",
    )
    label_source(ax, result.split.card)
    set_alt_text(ax, _changes_in_words(result, changes))
    return ax


def _rows(changes: pd.DataFrame) -> list[tuple[str, pd.Series | None]]:
    """Name and change of each row; a group of several has a row for its name, with no change."""
    rows: list[tuple[str, pd.Series | None]] = []
    for group, members in changes.groupby("group", sort=False):
        alone = len(members) == 1
        if not alone:
            rows.append((str(group), None))
        rows += [
            (f"{group}: {each['change']}" if alone else str(each["change"]), each) for _, each in members.iterrows()
        ]
    return rows


def _draw_change(ax: Axes, y: int, change: pd.Series, edge: float, result: Comparison) -> None:
    if not np.isfinite(change["difference"]):
        words = textwrap.shorten(str(change["note"]), NOTE_WIDTH, placeholder=" ...")
        ax.text(
            0.01,
            y,
            words,
            transform=ax.get_yaxis_transform(),
            va="center",
            color=MUTED,
            fontsize=10,
            fontstyle="italic",
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1},
        )
        return
    interval = Interval(change["difference"], change["low"], change["high"], 0)
    if change["verdict"] == result.verdict:
        draw_interval(ax, y, interval, edge, unit=result.unit)
    else:
        draw_interval(ax, y, interval, edge, unit=result.unit, colour=VERMILLION, after=f"  \u2192 {change['verdict']}")


def _changes_in_words(result: Comparison, changes: pd.DataFrame) -> str:
    tried = changes[changes["difference"].notna()]
    flips = tried[tried["verdict"] != result.verdict]
    failed = len(changes) - len(tried)
    each = ", ".join(f"{row['group']}: {row['change']} ({row['verdict']})" for _, row in flips.iterrows())
    return (
        f"Base case {result.unit.span(result.difference)} {result.unit.name}, {result.verdict}. "
        f"Of {len(tried)} changed assumptions, "
        f"{len(flips)} flip the verdict{': ' * bool(each)}{each}.{f' {failed} could not be tried.' * bool(failed)}"
    )


ROW_HEIGHT_SEGMENTS, ROOM_AROUND_SEGMENTS = 0.26, 1.5  # inches
NAME_WIDTH_SEGMENTS = 30  # characters


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
    ax = axes_or_new(ax, ROOM_AROUND_SEGMENTS + ROW_HEIGHT_SEGMENTS * len(rows))
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
    return f"{short_name(str(level['level']), NAME_WIDTH_SEGMENTS)} ({level['users']:,})"


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
