"""Pictures of a disagreement: where model and rule disagree, how often, and what it is worth."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from workbench.errors import WorkbenchError
from workbench.evaluation.bootstrap import Interval
from workbench.explanation.model_vs_rule import Disagreement
from workbench.explanation.parting_leaves import Leaf
from workbench.explanation.parting_rule import action_in_words
from workbench.explanation.parting_words import capital, percent
from workbench.plotting.intervals import draw_interval, draw_zero, edge_of, name_rows, point_ticks
from workbench.plotting.style import (
    BLUE,
    GREY,
    INK,
    LINE,
    MUTED,
    VERMILLION,
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
