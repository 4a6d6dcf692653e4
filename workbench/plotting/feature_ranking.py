"""The importance of features as a picture: how far each moves the answer, beside what decisions lose without it."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from workbench.errors import WorkbenchError, check_whole
from workbench.evaluation.bootstrap import Interval
from workbench.explanation.feature_importance import Importance
from workbench.explanation.importance_words import beyond_noise, ordered
from workbench.plotting.intervals import draw_zero, name_rows, write_right
from workbench.plotting.style import (
    BLUE,
    GREY,
    MUTED,
    VERMILLION,
    axes_or_new,
    figure_of,
    label_source,
    set_alt_text,
    style_context,
)
from workbench.studies.wording import short_name

ROW_HEIGHT, ROOM_AROUND = 0.3, 1.5  # inches
NOTE_HEIGHT = 0.6
NAME_WIDTH, NOTE_WIDTH, UNIT_WIDTH = 27, 72, 16  # characters
NAMED_IN_WORDS = 5


@style_context()
def importance(result: Importance, *, most: int = 12, ax: Axes | None = None) -> Axes:
    """How far each feature moves the answer, beside the net that decisions lose where it is permuted.

    Both panels have the same rows, the strongest by SHAP on top, with 95 % intervals over users. In net, grey is what
    may be nothing, blue a loss beyond noise, vermillion a gain.

    Parameters
    ----------
    result : Importance
        From ``wb.importance``.
    most : int
        Rows at most.
    ax : Axes, optional
        One of a grid of axes, such as ``plt.subplots`` gives; it is divided in two.

    Returns
    -------
    Axes
        The left one, x: mean size of the SHAP values, log-odds; the right one is the figure's last, x: net lost a
        view, as net is told.

    Raises
    ------
    WorkbenchError
        Where there is nothing to draw, or the axes have no place in a grid.
    """
    check_whole("most", most, at_least=1)
    rows = result.table.head(most)
    if rows.empty:
        raise WorkbenchError("this model has no feature: there is no importance to draw.")
    left = axes_or_new(ax, ROOM_AROUND + NOTE_HEIGHT + ROW_HEIGHT * len(rows))
    right, below = _divide(left, len(rows))
    _draw_strength(left, rows)
    _draw_cost(right, rows, result)
    name_rows(left, [(short_name(str(feature), NAME_WIDTH), False) for feature in rows["feature"]])
    left.set_xlabel("moves the answer\n(mean |SHAP|)")
    right.set_xlabel("costs, permuted\n" + textwrap.fill(f"({result.unit.per_view})", UNIT_WIDTH))
    _note(below, result)
    label_source(right, result.card)
    set_alt_text(left, _in_words(result))
    return left


def _divide(ax: Axes, rows: int) -> tuple[Axes, Axes]:
    """Leave the left half to the axes given; new axes in the right half, and a strip for a note below both."""
    place = ax.get_subplotspec()
    if place is None:
        raise WorkbenchError("this picture has two panels: pass axes from plt.subplots(), or leave ax out.")
    parts = place.subgridspec(2, 2, wspace=0.1, height_ratios=[ROW_HEIGHT * rows, NOTE_HEIGHT])
    ax.set_subplotspec(parts[0, 0])
    below = figure_of(ax).add_subplot(parts[1, :])
    below.set_axis_off()
    return figure_of(ax).add_subplot(parts[0, 1], sharey=ax), below


def _draw_strength(ax: Axes, rows: pd.DataFrame) -> None:
    at = np.arange(len(rows))
    ax.hlines(at, rows["shap_low"], rows["shap_high"], color=BLUE, linewidth=1.6, zorder=3)
    ax.plot(rows["shap"], at, "o", color=BLUE, markersize=7, zorder=4)
    draw_zero(ax)
    ax.set_xlim(left=-0.03 * ax.get_xlim()[1])
    ax.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))


def _draw_cost(ax: Axes, rows: pd.DataFrame, result: Importance) -> None:
    draw_zero(ax)
    for y, row in enumerate(rows.itertuples()):
        if np.isnan(row.net):
            write_right(ax, y, "no column to permute")
            continue
        colour = {1: BLUE, 0: GREY, -1: VERMILLION}[beyond_noise(result.unit, row.net_low, row.net_high)]
        low, middle, high = (result.unit.factor * value for value in (row.net_low, row.net, row.net_high))
        ax.plot([low, high], [y, y], color=colour, linewidth=1.6, zorder=3)
        ax.plot(middle, y, "o", color=colour, markersize=7, zorder=4)
        span = result.unit.span(Interval(row.net, row.net_low, row.net_high, result.replayed_users))
        write_right(ax, y, span.replace("-", "\u2212"), colour=colour)
    ax.tick_params(axis="y", left=False, labelleft=False)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))


def _note(ax: Axes, result: Importance) -> None:
    """A small remark under the labels of both panels: the question, and what each panel rests on."""
    order = f", order of the first {ordered(result)} {'settled' if result.settled else 'not settled'}"
    lines = [
        *textwrap.wrap(f"the answer: {result.question}", NOTE_WIDTH),
        f"SHAP: {_count(result, result.rows, result.users)}{order if ordered(result) > 1 else ''}",
        f"net: {_count(result, result.replayed, result.replayed_users)}; lines: 95 % intervals; exploratory",
    ]
    words = ax.text(0.5, 1, "\n".join(lines), ha="center", va="top", color=MUTED, fontsize=10, linespacing=1.3)
    words.set_in_layout(False)  # its axes have room for it


def _count(result: Importance, views: int, people: int) -> str:
    return f"{views:,} views" + ("" if result.people == "views" else f" of {people:,} {result.people}")


def _in_words(result: Importance) -> str:
    can = result.table[result.table["net"].notna()].head(NAMED_IN_WORDS)
    each = "; ".join(
        f"{row.feature} {row.shap:.2f}, net lost {result.unit.span(Interval(row.net, row.net_low, row.net_high, 0))}"
        for row in can.itertuples()
    )
    return f"Features by mean size of their SHAP values, and {result.unit.name} lost where each is permuted: {each}."
