"""Pictures of checks of the data: redundant features, a shift between parts, the habits of tabular work."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.cluster.hierarchy import dendrogram

from workbench.evaluation.bootstrap import Interval
from workbench.explanation.data_checks import Drift, Redundancy
from workbench.explanation.importance_words import beyond_noise
from workbench.explanation.tabular_habits import ROWS, USED_UP, Habits
from workbench.plotting.intervals import draw_interval, draw_zero, point_ticks
from workbench.plotting.style import (
    BLUE,
    DASHES,
    GREY,
    INK,
    MUTED,
    PALETTE,
    WORDS,
    axes_or_new,
    label_source,
    note_below,
    set_alt_text,
    style_context,
)
from workbench.studies.wording import short_name

ROW_HEIGHT, ROOM_AROUND = 0.36, 1.6  # inches
NAME_WIDTH, WORDS_WIDTH, UNDER_WIDTH, NOTE_WIDTH = 30, 26, 44, 76  # characters
MOST_BARS = 10
LEAST_EDGE = 1.0  # of an axis of effects, in the unit of the net


@style_context()
def redundancy(result: Redundancy, *, ax: Axes | None = None) -> Axes:
    """The tree of features that say the same, and beside each group what the model is worth without it.

    Parameters
    ----------
    result : Redundancy
        From ``wb.redundancy``.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: size of the rank correlation at which features join, from 1 on the left to 0; one row a feature.
    """
    groups = result.groups
    tree = dendrogram(groups.tree, labels=list(groups.features), no_plot=True)
    ax = axes_or_new(ax, ROOM_AROUND + ROW_HEIGHT * len(groups.features))
    row_of = {name: row for row, name in enumerate(tree["ivl"])}
    colours = {name: PALETTE[i % len(PALETTE)] for i, members in enumerate(groups.groups) for name in members}
    for across, joined in zip(tree["icoord"], tree["dcoord"], strict=True):
        rows = (np.array(across) - 5) / 10
        inside = max(joined) <= 1 - groups.alike + 1e-9
        colour = colours[tree["ivl"][round(min(rows))]] if inside else GREY
        ax.plot(1 - np.array(joined), rows, color=colour, linewidth=2.4 if inside else 1.4, zorder=3)
    ax.axvline(groups.alike, color=MUTED, linewidth=1, linestyle=DASHES, zorder=1)
    ax.set_yticks(range(len(row_of)), [short_name(name, NAME_WIDTH) for name in row_of])
    for tick, name in zip(ax.get_yticklabels(), row_of, strict=True):
        tick.set_color(WORDS.get(colours.get(name, INK), INK))
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.set(xlim=(1.01, -0.02), ylim=(len(row_of) - 0.5, -0.5))
    for place, members in enumerate(groups.groups):
        at = np.mean([row_of[name] for name in members])
        costs = [row for _, row in result.costs[result.costs["group"] == place].iterrows()]
        _write_costs(ax, float(at), "\n".join(_cost(row, result) for row in costs), colours[members[0]])
    ax.set_xlabel("Rank correlation at which features join")
    note_below(
        ax,
        f"dashed: {groups.alike:g}, from where on features are a group\n"
        + (f"on the right: net without, minus net with all, {result.unit.per_view}" if groups.groups else "no group"),
    )
    label_source(ax, result.card)
    set_alt_text(ax, " ".join(result.sentences))
    return ax


def _cost(row: pd.Series, result: Redundancy) -> str:
    kept = ", ".join(row["kept"])
    what = textwrap.fill(f"only {kept} kept", WORDS_WIDTH) if kept else "none kept"
    if not row["dropped"]:
        return f"{what}:\nall of it must stay"
    net = Interval(row["net"], row["net_low"], row["net_high"], 0)
    return f"{what}:\n{result.unit.span(net)}".replace("-", "\u2212")


def _write_costs(ax: Axes, y: float, words: str, colour: str) -> None:
    ax.annotate(
        words,
        (1, y),
        (10, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        color=WORDS.get(colour, INK),
        fontsize=10,
        linespacing=1.15,
    )


@style_context()
def drift(result: Drift, *, ax: Axes | None = None) -> Axes:
    """What gives away which part a view is from: fall in AUC where a feature is shuffled, with 95 % intervals.

    Parameters
    ----------
    result : Drift
        From ``wb.drift``.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: fall in AUC; one row a feature, at most ten, the most telling on top.
    """
    shown = result.features.head(MOST_BARS)
    ax = axes_or_new(ax, ROOM_AROUND + 0.5 + ROW_HEIGHT * len(shown))
    told = set(result.telling["column"])
    draw_zero(ax)
    for y, row in enumerate(shown.itertuples()):
        colour = BLUE if row.column in told else GREY
        ax.barh(y, row.fall, 0.62, color=colour, alpha=0.75, zorder=2)
        ax.plot([row.low, row.high], [y, y], color=INK, linewidth=1.6, zorder=3)
    names = [textwrap.fill(short_name(name, 2 * NAME_WIDTH), NAME_WIDTH) for name in shown["feature"]]
    ax.set_yticks(range(len(names)), names, linespacing=1.0)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel("Fall in AUC where the feature is shuffled")
    first, second = result.views
    note = f"{' '.join(result.sentences)} {first:,} and {second:,} views of {result.users:,} {result.people}."
    note_below(ax, textwrap.fill(note, NOTE_WIDTH))
    label_source(ax, result.card)
    set_alt_text(ax, note)
    return ax


@style_context()
def habits(result: Habits, *, ax: Axes | None = None) -> Axes:
    """What each habit of tabular work does to the net on ``choose``, with 95 % intervals and what it saves.

    Parameters
    ----------
    result : Habits
        From ``wb.try_habits``.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: difference in net, retrained minus as trained; one row a step.
    """
    steps = result.table[result.table["step"] != ROWS]
    ax = axes_or_new(ax, ROOM_AROUND + 1.0 + 0.8 * len(steps))
    unit = result.unit
    tried = steps.dropna(subset=["net"])
    ends = unit.factor * tried[["net_low", "net_high"]].abs().to_numpy(float)
    edge = 1.1 * max(float(ends.max(initial=0)), LEAST_EDGE)
    draw_zero(ax)
    for y, (_, row) in enumerate(steps.iterrows()):
        if np.isfinite(row["net"]):
            net = Interval(row["net"], row["net_low"], row["net_high"], result.users)
            beyond = beyond_noise(unit, net.low, net.high)
            draw_interval(ax, y, net, edge, unit=unit, colour=BLUE if beyond else GREY)
            what = textwrap.fill(f"without {', '.join(row['dropped'])}", UNDER_WIDTH)
            saved = f"{row['kilobytes_saved']:+,.0f} kB saved, {row['trees_saved']:+d} trees".replace("-", "\u2212")
        else:
            what, saved = textwrap.fill(row["said"], NOTE_WIDTH), ""
        _write_under(ax, y, what, saved)
    ax.set_yticks(range(len(steps)), list(steps["step"]))
    for tick in ax.get_yticklabels():
        tick.set_color(INK)
    ax.tick_params(axis="y", pad=16)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(steps) - 0.3, -0.5)
    point_ticks(ax, edge)
    ax.set_xlabel(f"Net without minus net as trained, {unit.per_view}")
    single = result.table.loc[result.table["step"] == ROWS, "said"].iloc[0]
    note_below(ax, "\n".join(textwrap.fill(each, NOTE_WIDTH) for each in (f"{ROWS}: {single}", USED_UP)))
    label_source(ax, result.card)
    set_alt_text(ax, " ".join(result.sentences))
    return ax


def _write_under(ax: Axes, y: float, what: str, saved: str) -> None:
    across = ("axes fraction", "data")
    written = [ax.annotate(what, (0, y), (4, -10), xycoords=across, textcoords="offset points", va="top")]
    if saved:
        written.append(ax.annotate(saved, (1, y), (16, -10), xycoords=across, textcoords="offset points", va="top"))
    for words in written:
        words.set(color=MUTED, fontsize=9.5, linespacing=1.15, zorder=5)
        words.set_bbox({"facecolor": "white", "linewidth": 0, "pad": 1})
