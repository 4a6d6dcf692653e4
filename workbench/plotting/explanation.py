"""Pictures of what drives a model: SHAP, importance, dependence."""

from __future__ import annotations

import copy
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.patches import FancyArrow
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory
from matplotlib.typing import ColorType

from workbench.checked import checked
from workbench.datasets.cards import Card
from workbench.decisions.decision import Unit
from workbench.errors import WorkbenchError, check_whole
from workbench.explanation.base import count_views, net_of
from workbench.explanation.dependence import Dependence
from workbench.explanation.importance import Importance
from workbench.features.levels import OTHER, UNKNOWN
from workbench.plotting.labels import (
    Row,
    clear_rows,
    colour_of,
    draw_interval,
    draw_points,
    draw_zero,
    name_rows,
    write_right,
)
from workbench.plotting.style import (
    BLUE,
    MUTED,
    PALETTE,
    VERMILLION,
    WORDS,
    axes_or_new,
    figure_of,
    finish,
    style_context,
)
from workbench.studies.report import capital, short_name

if TYPE_CHECKING:
    import shap

LOW_TO_HIGH = LinearSegmentedColormap.from_list("low_to_high", [BLUE, "#b9bec5", VERMILLION])
SHAP_ROW, RANK_ROW, NOTE_HEIGHT = 0.42, 0.3, 0.6  # inches
LABEL_WIDTH, NOTE_WIDTH, NAME_WIDTH = 62, 84, 27  # characters
NAMED = 5  # features in an alternative text
SHAP = ["shap_low", "shap", "shap_high"]
BARS, ROOM_FOR_BARS, APART = 0.10, 0.24, 0.22  # of the height of the axes; of the distance of levels: between groups
MOST_LEVEL, AXIS_WIDTH = 14, 84  # numbers side by side, more are turned; characters of the names of all levels


@checked
@style_context()
def beeswarm(
    explanation: shap.Explanation, *, max_display: int = 12, card: Card | None = None, ax: Axes | None = None
) -> Axes:
    """Every view's SHAP values, the features with the largest mean first (``shap.plots.beeswarm``).

    Parameters
    ----------
    explanation : shap.Explanation, shape (rows, features)
        From ``shap_values``.
    max_display : int
        Rows of the picture; the last one sums up the remaining features.
    card : Card, optional
        Where the data come from; default ``explanation.card``.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    WorkbenchError
        If the explanation has another shape, or nothing says where its data come from.
    """
    import shap

    card, question = _source(explanation, card, 2)
    ax = axes_or_new(ax, 1.7 + SHAP_ROW * max(4, min(max_display, explanation.shape[1])))
    with _shap_kept_in_bounds():
        shap.plots.beeswarm(
            _names_in_grey(explanation),
            max_display=max_display,
            color=LOW_TO_HIGH,
            color_bar_label="feature value; grey: none",
            s=10,
            ax=ax,
            plot_size=None,
            show=False,
        )
    _label_values(ax, f"SHAP value ({question})")
    return finish(ax, card, f"SHAP values of {len(explanation):,} views. {_strongest(explanation, question)}")


@checked
@style_context()
def bar(
    explanation: shap.Explanation, *, max_display: int = 12, card: Card | None = None, ax: Axes | None = None
) -> Axes:
    """Mean size of the SHAP values of each feature (``shap.plots.bar``).

    Parameters, result and errors are those of :func:`beeswarm`.
    """
    import shap

    card, question = _source(explanation, card, 2)
    ax = axes_or_new(ax, 1.5 + SHAP_ROW * min(max_display, explanation.shape[1]))
    with _shap_kept_in_bounds():
        shap.plots.bar(explanation, max_display=max_display, ax=ax, show=False)
    for number in ax.texts:
        number.set(text=number.get_text().removeprefix("+"), color=BLUE)  # a mean of sizes has no sign
    for patch in ax.patches:
        patch.set_color(BLUE)
    _label_values(ax, f"Mean size of SHAP values ({question})")
    return finish(ax, card, f"Mean of {len(explanation):,} views. {_strongest(explanation, question)}")


@checked
@style_context()
def waterfall(
    explanation: shap.Explanation,
    row: int | None = None,
    *,
    max_display: int = 10,
    card: Card | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One view: from the mean answer, feature by feature, to its own (``shap.plots.waterfall``).

    Parameters
    ----------
    explanation : shap.Explanation, shape (rows, features) or (features,)
        From ``shap_values``; one row of it needs ``card``, which shap does not pass on.
    row : int, optional
        Which row, counted from 0; may be left out if there is only one.
    max_display, card, ax
        As for :func:`beeswarm`.

    Returns
    -------
    Axes

    Raises
    ------
    WorkbenchError
        As for :func:`beeswarm`, and if there is no such row.
    """
    import shap

    card, question = _source(explanation, card, 1 if row is None else 2)
    if row is not None:
        if not -len(explanation) <= row < len(explanation):
            raise WorkbenchError(f"row must be one of the {len(explanation):,} explained, from 0; got {row}.")
        explanation = explanation[row]
    ax = axes_or_new(ax, 1.9 + SHAP_ROW * min(max_display, len(explanation.values)))
    figure, before = figure_of(ax), len(figure_of(ax).axes)
    width, height = figure.get_size_inches()
    plt.sca(ax)
    with _shap_kept_in_bounds():
        shap.plots.waterfall(explanation, max_display=max_display, show=False)
    figure.set_size_inches(width, height)
    mean = float(np.ravel(explanation.base_values)[0])
    answer = mean + float(explanation.values.sum())
    _mend_waterfall(ax)
    # The axes that shap laid over ours hold nothing but the marks of E[f(X)] and f(x).
    for twin, at, words, pad in zip(figure.axes[before:], (mean, answer), ("mean", "this view"), (22, 4), strict=True):
        twin.set_xticks([at], [f"{words} {at:.2f}".replace("-", "\u2212")], ha="center", color=MUTED, fontsize=11)
        twin.tick_params(axis="x", pad=pad)
    _label_values(ax, capital(question))
    ax.xaxis.labelpad = 24  # below the mark of the mean
    step = f"{question} goes from {mean:.2f} on average to {answer:.2f}"
    return finish(ax, card, f"One view: {step}. {_strongest(explanation, question)}")


def _source(explanation: shap.Explanation, card: Card | None, dimensions: int) -> tuple[Card, str]:
    """The card of the explained data and the question explained; refuses an explanation that cannot be drawn."""
    if len(explanation.shape) != dimensions:
        expected = "(features,), or row= to name one of several" if dimensions == 1 else "(rows, features)"
        raise WorkbenchError(f"expected an explanation of shape {expected}; got {explanation.shape}.")
    card = card or getattr(explanation, "card", None)
    if not isinstance(card, Card):
        raise WorkbenchError(
            "nothing says where the explained data come from: pass card=split.card, or an explanation from "
            "wb.shap_values() on a frame that carries its card."
        )
    names = explanation.output_names
    return card, names if isinstance(names, str) else "the model's output"


def _names_in_grey(explanation: shap.Explanation) -> shap.Explanation:
    """The same without the numbers that only code names: these are neither low nor high, so they get no colour."""
    coded = np.isin(explanation.feature_names, getattr(explanation, "coded", ()))
    shown = copy.copy(explanation)
    if coded.any():
        shown.data = np.where(coded, np.nan, np.asarray(explanation.data, float))
    return shown


@contextmanager
def _shap_kept_in_bounds() -> Iterator[None]:
    """Restore NumPy's global random state, from which shap draws jitter, and pyplot's interactive mode."""
    state, interactive = np.random.get_state(), plt.isinteractive()
    np.random.seed(0)
    try:
        with plt.rc_context({"axes.grid": False}), warnings.catch_warnings():
            # A feature that is never a number has no range of colours.
            warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
            yield
    finally:
        np.random.set_state(state)
        if interactive:
            plt.ion()


def _label_values(ax: Axes, xlabel: str) -> None:
    ax.set_xlabel(textwrap.fill(xlabel, LABEL_WIDTH), fontsize=12)
    ax.tick_params(labelsize=11)
    ax.grid(visible=False, axis="y")


def _mend_waterfall(ax: Axes) -> None:
    """House colours, and short arrows that point where they should.

    Shap 0.54 draws an arrow that is shorter than its head backwards from where it starts.
    """
    for arrow in (patch for patch in ax.patches if isinstance(patch, FancyArrow)):
        up = _is_shaps_red(arrow.get_facecolor())
        arrow.set_color(VERMILLION if up else BLUE)
        tip, head, tail = arrow.get_xy()[:3, 0]
        if (tip > tail) != up:
            length = abs(tip - head)
            arrow.set_data(x=tail, dx=(1 if up else -1) * 1e-6 * length, head_length=length)
    for number in ax.texts:
        if to_rgb(number.get_color()) != (1, 1, 1):  # those inside an arrow are white
            number.set_color(WORDS[VERMILLION if _is_shaps_red(number.get_color()) else BLUE])


def _is_shaps_red(colour: ColorType) -> bool:
    red, _, blue = to_rgb(colour)
    return red > blue


def _strongest(explanation: shap.Explanation, question: str) -> str:
    """The features with the largest (mean) size, with their numbers."""
    values = np.asarray(explanation.values)
    sizes = abs(values).mean(axis=0) if values.ndim > 1 else values
    order = np.argsort(-abs(sizes))[:NAMED]
    each = ", ".join(f"{explanation.feature_names[i]} {sizes[i]:.2f}" for i in order)
    return f"Largest SHAP values ({question}): {each}."


@checked
@style_context()
def importance(result: Importance, *, most: int = 12, ax: Axes | None = None) -> Axes:
    """How far each feature moves the prediction, beside the net lost when it is permuted.

    Both panels have the same rows, the largest SHAP values on top, with 95 % intervals over users. Net lost is blue
    where the interval lies above zero, vermillion where below, else grey.

    Parameters
    ----------
    result : Importance
        From ``wb.importance``.
    most : int
        Most rows.
    ax : Axes, optional
        One of a grid of axes, as from ``plt.subplots``; it is divided in two.

    Returns
    -------
    Axes
        The left one, x: mean size of the SHAP values, log-odds; the right one is the figure's last, x: net lost a
        view.

    Raises
    ------
    WorkbenchError
        If there is nothing to draw, or the axes have no place in a grid.
    """
    check_whole("most", most, at_least=1)
    rows = result.table.head(most)
    if rows.empty:
        raise WorkbenchError("this model has no feature: there is no importance to draw.")
    left = axes_or_new(ax, 1.5 + NOTE_HEIGHT + RANK_ROW * len(rows))
    right, below = _divide(left, len(rows))
    draw_points(left, range(len(rows)), rows[SHAP], BLUE)
    draw_zero(left)
    left.set_xlim(left=-0.03 * left.get_xlim()[1])
    _draw_net_lost(right, rows, result.unit)
    name_rows(left, [Row(short_name(str(row["feature"]), NAME_WIDTH), net_of(row)) for _, row in rows.iterrows()])
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    left.set_xlabel("mean size of\nSHAP values")
    right.set_xlabel("net lost when permuted\n" + textwrap.fill(f"({result.unit.per_view})", 16))
    explained, decided = (
        count_views(views, users, result.people)
        for views, users in ((result.rows, result.users), (result.replayed, result.replayed_users))
    )
    asked = textwrap.fill(f"SHAP values: {result.question}", NOTE_WIDTH)
    note = f"{asked}\nSHAP: {explained}; net: {decided}\nlines: 95 % intervals; exploratory"
    words = below.text(0.5, 1, note, ha="center", va="top", color=MUTED, fontsize=10, linespacing=1.3)
    words.set_in_layout(False)  # its axes have room for it
    finish(right, result.card, _ranking_in_words(result))
    return left


def _divide(ax: Axes, rows: int) -> tuple[Axes, Axes]:
    """Move the given axes to the left half; returns new ones: the right half, and a strip for a note below both."""
    place = ax.get_subplotspec()
    if place is None:
        raise WorkbenchError("this picture has two panels: pass axes from plt.subplots(), or leave ax out.")
    parts = place.subgridspec(2, 2, wspace=0.1, height_ratios=[RANK_ROW * rows, NOTE_HEIGHT])
    ax.set_subplotspec(parts[0, 0])
    below = figure_of(ax).add_subplot(parts[1, :])
    below.set_axis_off()
    return figure_of(ax).add_subplot(parts[0, 1], sharey=ax), below


def _draw_net_lost(ax: Axes, rows: pd.DataFrame, unit: Unit) -> None:
    draw_zero(ax)
    for y, (_, row) in enumerate(rows.iterrows()):
        if np.isnan(row["net"]):
            write_right(ax, y, "no column to permute")
        else:
            net = net_of(row)
            draw_interval(ax, y, Row("", net, colour_of(unit, net)), np.inf, unit)
    ax.tick_params(axis="y", left=False, labelleft=False)
    clear_rows(ax, len(rows))


def _ranking_in_words(result: Importance) -> str:
    each = "; ".join(
        f"{row['feature']} {row['shap']:.2f}, net lost {result.unit.span(net_of(row))}"
        for _, row in result.table[result.table["net"].notna()].head(NAMED).iterrows()
    )
    return f"Features by mean size of their SHAP values, and {result.unit.name} lost when permuted: {each}."


@checked
@style_context()
def dependence(result: Dependence, *, ax: Axes | None = None) -> Axes:
    """Mean SHAP value at each level of a feature, with 95 % intervals; below, the number of users at each level.

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
        draw_points(ax, xs, rows[SHAP], colour, orient="x", linewidth=3)
        if result.numeric:  # levels are in order, but for the last two
            line = ~rows["level"].isin([OTHER, UNKNOWN]).to_numpy()
            ax.plot(xs[line], rows["shap"].to_numpy()[line], color=colour, linewidth=1.4, alpha=0.7, zorder=2)
        _draw_users(ax, xs, rows.assign(height=heights), colour, upright=len(points) > MOST_LEVEL)
    _set_axes(ax, levels, points[["shap_low", "shap_high"]].to_numpy(float).ravel())
    if len(groups) > 1:
        _name_groups(ax, groups)
    unit = f", {result.unit}" if result.unit else ""
    ax.set_xlabel(f"{result.feature}{unit}{f', by {result.by}' if result.by else ''}")
    ax.set_ylabel(textwrap.fill(f"Mean SHAP value ({result.question})", 37), fontsize=11)
    few = f"; left out: {result.left_out:,} views in levels of under 20 {result.people}" if result.left_out else ""
    note = textwrap.fill(f"bars: {result.people} behind each point{few}", NOTE_WIDTH)
    return finish(ax, result.card, " ".join(result.sentences), note=note)


def _draw_users(ax: Axes, xs: np.ndarray, rows: pd.DataFrame, colour: str, *, upright: bool) -> None:
    """Bars at the foot of the axes, and the number of users on each; upright where there are many."""
    place = blended_transform_factory(ax.transData, ax.transAxes)
    ax.bar(xs, rows["height"], 0.8 * APART, color=colour, alpha=0.45, transform=place, zorder=2)
    for x, height, count in zip(xs, rows["height"], rows["users"], strict=True):
        words = ax.text(x, height + 0.008, f"{count:,}", transform=place, ha="center", va="bottom")
        words.set(color=MUTED, fontsize=8.5, rotation=90 if upright else 0)


def _set_axes(ax: Axes, levels: list[str], drawn: np.ndarray) -> None:
    """Limits that include zero and all that is drawn, with room for the bars below; names of the levels."""
    drawn = np.append(drawn[np.isfinite(drawn)], 0.0)
    span = max(float(np.ptp(drawn)), 0.01)
    room = span * ROOM_FOR_BARS / (1 - ROOM_FOR_BARS)
    ax.set(ylim=(drawn.min() - room - 0.04 * span, drawn.max() + 0.08 * span), xlim=(-0.6, len(levels) - 0.4))
    width = max(5, AXIS_WIDTH // len(levels) - 2)
    names = [textwrap.fill(short_name(str(level), 3 * width), width) for level in levels]
    ax.set_xticks(range(len(levels)), names, fontsize=10, linespacing=1.0)
    ax.grid(axis="x", visible=False)


def _name_groups(ax: Axes, groups: list[str]) -> None:
    """Names of the groups in their colours above the axes, two in a line; the source takes the right third."""
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    last_line = (len(groups) - 1) // 2
    for number, group in enumerate(groups):
        line, column = divmod(number, 2)
        above = (0, 4 + 17 * (last_line - line))
        colour = WORDS[PALETTE[number % len(PALETTE)]]
        name = f"\u25cf {short_name(group, 20)}"
        ax.annotate(name, (0.32 * column, 1), above, color=colour, fontsize=11, **place)
