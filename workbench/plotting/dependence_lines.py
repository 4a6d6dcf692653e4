"""A picture of dependence: the mean push of each level of a feature, who is behind it, and the planted truth."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from workbench.explanation.feature_dependence import Dependence
from workbench.explanation.levels import OTHER, UNKNOWN
from workbench.plotting.style import (
    DASHES,
    GREEN,
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

BARS, ROOM_FOR_BARS = 0.10, 0.24  # of the height of the axes
APART = 0.22  # of the distance of levels: between groups
LABEL_WIDTH, NOTE_WIDTH = 62, 84  # characters
GROUP_WIDTH, GROUP_APART, GROUP_LINE = 20, 0.32, 17  # characters, share of the axes, points
TOGETHER = ("together_low", "together_high", "true_together")
MOST_LEVEL = 14  # numbers of users that stand beside each other; more of them are turned
AXIS_WIDTH = 84  # characters of the names of all levels


@style_context()
def dependence(result: Dependence, *, ax: Axes | None = None) -> Axes:
    """Mean push of each level, with 95 % intervals; below, how many users are behind it; dashed, the planted truth.

    Where the truth of the feature alone is not fixed by the simulation, its mean of all features together is drawn,
    beside the model's.

    Parameters
    ----------
    result : Dependence
        From ``wb.dependence``.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: levels of the feature; y: mean SHAP value, log-odds.
    """
    ax = axes_or_new(ax, 5.2)
    points = result.points
    levels, groups = list(points["level"].cat.categories), list(points["group"].cat.categories)
    heights = BARS * points["users"] / points["users"].max()
    ax.axhline(0, color=MUTED, linewidth=1, zorder=1)
    for number, group in enumerate(groups):
        rows = points[points["group"] == group].sort_values("level")
        colour = PALETTE[number % len(PALETTE)]
        xs = rows["level"].cat.codes.to_numpy() + APART * (number - (len(groups) - 1) / 2)
        _draw_push(ax, xs, rows, colour, connect=result.numeric)
        _draw_users(ax, xs, rows.assign(height=heights), colour, upright=len(points) > MOST_LEVEL)
    together = bool(points["true_push"].isna().all() and points["true_together"].notna().any() and len(groups) == 1)
    if together:
        _draw_together(ax, points, connect=result.numeric)
    columns = ["push_low", "push_high", "true_push", *(TOGETHER if together else [])]
    _set_axes(ax, levels, points[columns].to_numpy(float).ravel())
    if len(groups) > 1:
        _name_groups(ax, groups)
    unit = f", {result.unit}" if result.unit else ""
    ax.set_xlabel(f"{result.feature}{unit}{f', by {result.by}' if result.by else ''}")
    ax.set_ylabel(textwrap.fill(f"Mean push on the {result.question}", LABEL_WIDTH // 2 + 6), fontsize=11)
    note_below(ax, _note(result, together))
    label_source(ax, result.card)
    set_alt_text(ax, " ".join(result.sentences))
    return ax


def _draw_push(ax: Axes, xs: np.ndarray, rows: pd.DataFrame, colour: str, *, connect: bool) -> None:
    ax.vlines(xs, rows["push_low"], rows["push_high"], color=colour, linewidth=3, zorder=3)
    ax.plot(xs, rows["push"], "o", color=colour, markersize=7, zorder=4)
    line = _in_order(rows, connect)
    ax.plot(xs[line], rows["push"].to_numpy()[line], color=colour, linewidth=1.4, alpha=0.7, zorder=2)
    _draw_truth(ax, xs, rows["true_push"].to_numpy(float), line, colour)


def _draw_truth(ax: Axes, xs: np.ndarray, truth: np.ndarray, line: np.ndarray, colour: str) -> None:
    """Dashed where levels are in order, else a short bar a level."""
    ax.plot(xs[line], truth[line], color=colour, linestyle=DASHES, linewidth=1.8, zorder=3)
    ax.plot(xs[~line], truth[~line], "_", color=colour, markersize=16, markeredgewidth=2.2, zorder=5)


def _draw_together(ax: Axes, rows: pd.DataFrame, *, connect: bool) -> None:
    rows = rows.sort_values("level")
    xs, line = rows["level"].cat.codes.to_numpy() + APART, _in_order(rows, connect)
    ax.vlines(xs, rows["together_low"], rows["together_high"], color=GREEN, linewidth=1.6, zorder=3)
    ax.plot(xs, rows["together"], "D", color=GREEN, markersize=5, zorder=4)
    ax.plot(xs[line], rows["together"].to_numpy()[line], color=GREEN, linewidth=1.2, alpha=0.7, zorder=2)
    _draw_truth(ax, xs, rows["true_together"].to_numpy(float), line, GREEN)


def _in_order(rows: pd.DataFrame, connect: bool) -> np.ndarray:
    """Which levels are numbers in order, to be joined by a line."""
    return np.full(len(rows), connect) & ~rows["level"].isin([OTHER, UNKNOWN]).to_numpy()


def _draw_users(ax: Axes, xs: np.ndarray, rows: pd.DataFrame, colour: str, *, upright: bool) -> None:
    """Bars at the foot of the axes, and the number of users on each; upright where there are many."""
    place = blended_transform_factory(ax.transData, ax.transAxes)
    ax.bar(xs, rows["height"], 0.8 * APART, color=colour, alpha=0.45, transform=place, zorder=2)
    for x, height, count in zip(xs, rows["height"], rows["users"], strict=True):
        words = ax.text(x, height + 0.008, f"{count:,}", transform=place, ha="center", va="bottom")
        words.set(color=MUTED, fontsize=8.5, rotation=90 if upright else 0)


def _set_axes(ax: Axes, levels: list[str], drawn: np.ndarray) -> None:
    """Limits that hold all that is drawn and zero, with room for the bars below; names of the levels."""
    drawn = np.append(drawn[np.isfinite(drawn)], 0.0)
    span = max(float(np.ptp(drawn)), 0.01)
    room = span * ROOM_FOR_BARS / (1 - ROOM_FOR_BARS)
    ax.set(ylim=(drawn.min() - room - 0.04 * span, drawn.max() + 0.08 * span), xlim=(-0.6, len(levels) - 0.4))
    width = max(5, AXIS_WIDTH // len(levels) - 2)
    names = [textwrap.fill(short_name(str(level), 3 * width), width) for level in levels]
    ax.set_xticks(range(len(levels)), names, fontsize=10, linespacing=1.0)
    ax.grid(axis="x", visible=False)


def _name_groups(ax: Axes, groups: list[str]) -> None:
    """Names of the groups in their colours above the axes, two in a line: the right third is the source's."""
    lines = (len(groups) + 1) // 2
    for number, group in enumerate(groups):
        colour = PALETTE[number % len(PALETTE)]
        line, column = divmod(number, 2)
        ax.annotate(
            f"\u25cf {short_name(group, GROUP_WIDTH)}",
            (column * GROUP_APART, 1),
            (0, 4 + GROUP_LINE * (lines - 1 - line)),
            xycoords="axes fraction",
            textcoords="offset points",
            va="bottom",
            color=WORDS.get(colour, INK),
            fontsize=11,
        )


def _note(result: Dependence, together: bool) -> str:
    parts, mark = [f"bars: {result.people} behind each point"], "dashes" if result.numeric else "short bars"
    if result.points["true_push"].notna().any():
        parts.append(f"{mark}: planted truth, the feature's own share")
    if together:
        parts.append(
            f"blue: this feature; green: all features together, less their mean; {mark}: planted truth of that"
        )
    if result.left_out:
        parts.append(f"{result.left_out:,} views in levels of under 20 {result.people} are left out")
    return textwrap.fill("; ".join(parts), NOTE_WIDTH)
