"""Pictures of disagreement, redundancy and drift."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy.cluster.hierarchy import dendrogram

from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval
from workbench.explanation.data_checks import Drift, Redundancy
from workbench.explanation.importance_words import beyond_noise
from workbench.explanation.model_vs_rule import Disagreement
from workbench.explanation.parting_leaves import Leaf
from workbench.explanation.parting_rule import action_in_words
from workbench.explanation.parting_words import capital, percent
from workbench.explanation.tabular_habits import ROWS, USED_UP, Habits
from workbench.plotting.intervals import draw_interval, draw_zero, edge_of, name_rows, point_ticks
from workbench.plotting.style import (
    BLUE,
    DASHES,
    GREY,
    INK,
    LINE,
    MUTED,
    PALETTE,
    VERMILLION,
    WORDS,
    axes_or_new,
    label_source,
    note_below,
    set_alt_text,
    style_context,
)
from workbench.studies.comparison import Unit
from workbench.studies.wording import short_name

MOST_ROWS = 6
NAME_WIDTH, NOTE_WIDTH, LINE_WIDTH = 40, 100, 88  # characters
LINE_HEIGHT, MARK_HEIGHT, ROOM_AROUND = 0.2, 0.46, 1.75  # inches
BAR, ZERO = 0.13, 0.12  # inches
LEFT, BARS = -3.4, 2.1  # where words and bars begin, and the longest bar, in parts of half the axis of intervals
BARS_BELOW, NOTE_BELOW = -8, -52  # points
BELOW: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "left", "va": "top"}
LOG_ODDS = Unit("log-odds", "log-odds", 1.0, 2)


@style_context()
def disagreement(result: Disagreement, *, most: int = MOST_ROWS, ax: Axes | None = None) -> Axes:
    """The leaves where model and rule disagree: how many views, how often they disagree there, who gains.

    Bars show a leaf's share of the views, dark where they disagree in its direction. A net whose 95 % interval leaves
    out zero is blue (for the model) or vermillion (for the rule), all others grey. Exploratory; on the users that the
    tree did not grow on.

    Parameters
    ----------
    result : Disagreement
        From ``wb.disagreement``.
    most : int
        Leaves drawn, those where they disagree in most views; a note counts those that are not. All views outside of
        the leaves, drawn or not, are one more row, where they are of 20 users and more.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: net, model minus rule, for each view of the row; one row a leaf, another for the rest. Without a tree it
        holds a sentence.
    """
    if not result.leaves:
        return _say_why_not(result, ax)
    rows = [*result.leaves[:most], *([result.elsewhere] if result.elsewhere is not None else [])]
    hidden = len(result.leaves[most:])
    words = [
        _words(leaf, f"Outside of all {len(result.leaves)} leaves" if hidden else "Everywhere else") for leaf in rows
    ]
    ends = np.cumsum([LINE_HEIGHT * (len(condition) + len(told)) + MARK_HEIGHT for condition, told in words])
    ax = axes_or_new(ax, ROOM_AROUND + ends[-1])
    places, unit = ends - 0.6 * MARK_HEIGHT, result.unit
    low, high = (pd.Series([unit.factor * getattr(leaf.net, end) for leaf in rows]) for end in ("low", "high"))
    edge = edge_of(low, high, 0.0) or 1.0
    for y, leaf in zip(places, rows, strict=True):
        ax.plot([0, 0], [y - ZERO, y + ZERO], color=MUTED, linewidth=1, zorder=1)
        draw_interval(ax, y, leaf.net, edge, unit=unit, colour=_colour(leaf.net))
    _draw_shares(ax, places, result.leaves[:most], edge)
    for y, (condition, told) in zip(places, words, strict=True):
        for i, line in enumerate([*told[::-1], *condition[::-1]]):
            at = y - 0.35 * MARK_HEIGHT - LINE_HEIGHT * i
            ax.text(LEFT * edge, at, line, va="bottom", fontsize=10.5, color=MUTED if i < len(told) else INK)
    _set_axes(ax, edge, ends[-1], f"Model minus rule there, {unit.per_view}")
    ax.annotate(_note(result, hidden), (0, 0), (0, NOTE_BELOW), **BELOW, color=MUTED, fontsize=10, linespacing=1.3)
    label_source(ax, result.card)
    set_alt_text(ax, " ".join([result.sentences[0], *(leaf.sentence for leaf in rows)]))
    return ax


def _words(leaf: Leaf, rest: str) -> tuple[list[str], list[str]]:
    """Lines over a row: the leaf's conditions, or what the rest is called, and how often they disagree so there."""
    condition = capital(leaf.condition) if leaf.conditions else rest
    does = leaf.doing or leaf.way or "they disagree"
    candidate = f"; as a rule: {short_name(action_in_words(leaf.action), LINE_WIDTH // 2)}" if leaf.action else ""
    told = f"{percent(leaf.coverage)} of the views; in {percent(leaf.precision)} of these: {does}{candidate}"
    return textwrap.wrap(condition, LINE_WIDTH), textwrap.wrap(told, LINE_WIDTH)


def _colour(net: Interval) -> str:
    return BLUE if net.low > 0 else VERMILLION if net.high < 0 else GREY


def _push(push: Interval) -> str:
    """Colours of an explanation: up is vermillion, down is blue."""
    return VERMILLION if push.low > 0 else BLUE if push.high < 0 else GREY


def _draw_shares(ax: Axes, places: np.ndarray, leaves: Sequence[Leaf], edge: float) -> None:
    """Left of the intervals a bar a leaf: its share of the views, dark where they disagree so; words tell how many."""
    coverage = np.array([leaf.coverage for leaf in leaves])
    scale = BARS * edge / coverage.max()
    for shares, colour in ((coverage, LINE), (coverage * [leaf.precision for leaf in leaves], INK)):
        ax.barh(places[: len(leaves)], scale * shares, BAR, LEFT * edge, color=colour, zorder=3)


def _set_axes(ax: Axes, edge: float, bottom: float, label: str) -> None:
    """An x axis under the intervals alone; y in inches from the top."""
    ax.grid(visible=False)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_bounds(-edge, edge)
    ax.set_ylim(bottom, 0)
    ax.set_xlim(LEFT * edge, edge)
    ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(-edge, edge)
    ax.set_xticks([tick for tick in ticks if abs(tick) <= edge])
    ax.set_xlabel(textwrap.fill(label, 26), x=LEFT / (LEFT - 1), fontsize=11)
    words = "Share of the views;\ndark: they disagree so"
    ax.annotate(words, (0, 0), (0, BARS_BELOW), **BELOW, color=INK, fontsize=11)


def _note(result: Disagreement, hidden: int) -> str:
    parts = [f"rule: {result.rule_name}"]
    if result.rule is not None:
        over_base, model = (result.unit.span(result.gains[name]) for name in ("rule over base", "model over base"))
        parts.append(f"the tree as a rule: {over_base} against this rule; the model: {model}".replace("-", "\u2212"))
    if hidden:
        parts.append(f"{hidden} more {'leaf' if hidden == 1 else 'leaves'} not drawn")
    parts.append(f"on the {result.people} that the tree did not grow on; exploratory")
    return "\n".join(textwrap.fill(part, NOTE_WIDTH) for part in parts)


def _say_why_not(result: Disagreement, ax: Axes | None) -> Axes:
    ax = axes_or_new(ax, 1.6)
    told = " ".join(sentence for sentence in (result.sentences[0], result.no_tree) if sentence)
    told_in_lines = textwrap.fill(told, NOTE_WIDTH)
    ax.text(0.5, 0.5, told_in_lines, ha="center", va="center", color=MUTED, fontsize=10.5, transform=ax.transAxes)
    ax.set(xticks=[], yticks=[])
    ax.set_axis_off()
    label_source(ax, result.card)
    set_alt_text(ax, told)
    return ax


@style_context()
def separating(result: Disagreement, *, most: int = 5, ax: Axes | None = None) -> Axes:
    """Features whose SHAP values differ most between views where they disagree and views where they do the same.

    Parameters
    ----------
    result : Disagreement
    most : int
        Features of each direction.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: difference of mean SHAP values; one row a feature, under its direction.

    Raises
    ------
    WorkbenchError
        Where too few users disagree, or there was no question to explain.
    """
    table = result.separating
    if table.empty:
        raise WorkbenchError(
            f"{result.card.name}: no SHAP values separate model and rule: they disagree for too few {result.people}, "
            "or the budget cannot be met. See result.sentences."
        )
    shown = table.groupby("direction", sort=False).head(most)
    rows: list[tuple[str, pd.Series | None]] = []
    for direction, features in shown.groupby("direction", sort=False):
        rows.append((f"where {direction}", None))
        rows += [(short_name(str(each["feature"]), NAME_WIDTH), each) for _, each in features.iterrows()]
    ax = axes_or_new(ax, 1.6 + 0.27 * len(rows))
    edge = 1.1 * float(shown[["low", "high"]].abs().to_numpy().max())
    draw_zero(ax)
    for y, (_, each) in enumerate(rows):
        if each is not None:
            interval = Interval(each["difference"], each["low"], each["high"], 0)
            draw_interval(ax, y, interval, edge, unit=LOG_ODDS, colour=_push(interval))
    name_rows(ax, [(name, each is None) for name, each in rows])
    point_ticks(ax, edge)
    ax.set_xlabel(
        textwrap.fill(f"How much more the {table.attrs['question']} is pushed than where they do the same", 60)
    )
    note_below(ax, f"rule: {result.rule_name}\nmean SHAP values, log-odds; exploratory")
    label_source(ax, result.card)
    first = shown.iloc[0]
    set_alt_text(
        ax,
        f"Difference of mean SHAP values, by direction. Most where {first['direction']}: {first['feature']} "
        f"{first['difference']:+.2f} ({first['low']:+.2f} to {first['high']:+.2f}).",
    )
    return ax


ROW_HEIGHT, ROOM_AROUND_CHECKS = 0.36, 1.6  # inches
NAME_WIDTH_CHECKS, WORDS_WIDTH, UNDER_WIDTH, NOTE_WIDTH_CHECKS = 30, 26, 44, 76  # characters
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
    ax = axes_or_new(ax, ROOM_AROUND_CHECKS + ROW_HEIGHT * len(groups.features))
    row_of = {name: row for row, name in enumerate(tree["ivl"])}
    colours = {name: PALETTE[i % len(PALETTE)] for i, members in enumerate(groups.groups) for name in members}
    for across, joined in zip(tree["icoord"], tree["dcoord"], strict=True):
        rows = (np.array(across) - 5) / 10
        inside = max(joined) <= 1 - groups.alike + 1e-9
        colour = colours[tree["ivl"][round(min(rows))]] if inside else GREY
        ax.plot(1 - np.array(joined), rows, color=colour, linewidth=2.4 if inside else 1.4, zorder=3)
    ax.axvline(groups.alike, color=MUTED, linewidth=1, linestyle=DASHES, zorder=1)
    ax.set_yticks(range(len(row_of)), [short_name(name, NAME_WIDTH_CHECKS) for name in row_of])
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
    ax = axes_or_new(ax, ROOM_AROUND_CHECKS + 0.5 + ROW_HEIGHT * len(shown))
    told = set(result.telling["column"])
    draw_zero(ax)
    for y, row in enumerate(shown.itertuples()):
        colour = BLUE if row.column in told else GREY
        ax.barh(y, row.fall, 0.62, color=colour, alpha=0.75, zorder=2)
        ax.plot([row.low, row.high], [y, y], color=INK, linewidth=1.6, zorder=3)
    names = [textwrap.fill(short_name(name, 2 * NAME_WIDTH_CHECKS), NAME_WIDTH_CHECKS) for name in shown["feature"]]
    ax.set_yticks(range(len(names)), names, linespacing=1.0)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel("Fall in AUC where the feature is shuffled")
    first, second = result.views
    note = f"{' '.join(result.sentences)} {first:,} and {second:,} views of {result.users:,} {result.people}."
    note_below(ax, textwrap.fill(note, NOTE_WIDTH_CHECKS))
    label_source(ax, result.card)
    set_alt_text(ax, note)
    return ax


@style_context()
def habits(result: Habits, *, ax: Axes | None = None) -> Axes:
    """What each habit of tabular work does to the net on ``validation``, with 95 % intervals and what it saves.

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
    ax = axes_or_new(ax, ROOM_AROUND_CHECKS + 1.0 + 0.8 * len(steps))
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
            what, saved = textwrap.fill(row["said"], NOTE_WIDTH_CHECKS), ""
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
    note_below(ax, "\n".join(textwrap.fill(each, NOTE_WIDTH_CHECKS) for each in (f"{ROWS}: {single}", USED_UP)))
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
