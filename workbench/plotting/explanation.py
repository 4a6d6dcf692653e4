"""Pictures of an explanation: shap's own plots, in the house style, with the data's name and plain axis labels."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.patches import FancyArrow
from matplotlib.typing import ColorType

from workbench.datasets.cards import Card
from workbench.errors import WorkbenchError
from workbench.plotting.style import (
    BLUE,
    MUTED,
    VERMILLION,
    WORDS,
    axes_or_new,
    figure_of,
    label_source,
    set_alt_text,
    style_context,
)

if TYPE_CHECKING:
    import shap

LOW_TO_HIGH = LinearSegmentedColormap.from_list("low_to_high", [BLUE, "#b9bec5", VERMILLION])
ROW_HEIGHT, FEWEST_ROWS = 0.42, 4
LABEL_WIDTH = 62  # characters
NAMED_IN_WORDS = 5


@style_context()
def beeswarm(
    explanation: shap.Explanation,
    *,
    max_display: int = 12,
    card: Card | None = None,
    xlabel: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Every view's SHAP values, the features with the largest mean first (``shap.plots.beeswarm``).

    Parameters
    ----------
    explanation : shap.Explanation, shape (rows, features)
        From ``shap_values``.
    max_display : int
        Rows of the picture; the last one sums up the features that are left.
    card : Card, optional
        Where the data come from; default ``explanation.card``.
    xlabel : str, optional
        What the values push; default ``explanation.output_names``.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    WorkbenchError
        Where the explanation has another shape, or nothing says where its data come from.
    """
    import shap

    card, question = _source(explanation, card, 2), xlabel or _question(explanation)
    ax = axes_or_new(ax, 1.7 + ROW_HEIGHT * max(FEWEST_ROWS, min(max_display, explanation.shape[1])))
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
    _finish(ax, card, f"Push on the {question}")
    set_alt_text(ax, f"SHAP values of {len(explanation):,} views. {_strongest_in_words(explanation, question)}")
    return ax


@style_context()
def bar(
    explanation: shap.Explanation,
    *,
    max_display: int = 12,
    card: Card | None = None,
    xlabel: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Mean size of the SHAP values of each feature (``shap.plots.bar``).

    Parameters
    ----------
    explanation : shap.Explanation, shape (rows, features)
        From ``shap_values``.
    max_display, card, xlabel, ax
        As for :func:`beeswarm`.

    Returns
    -------
    Axes

    Raises
    ------
    WorkbenchError
        As for :func:`beeswarm`.
    """
    import shap

    card, question = _source(explanation, card, 2), xlabel or _question(explanation)
    ax = axes_or_new(ax, 1.5 + ROW_HEIGHT * min(max_display, explanation.shape[1]))
    with _shap_kept_in_bounds():
        shap.plots.bar(explanation, max_display=max_display, ax=ax, show=False)
    for number in ax.texts:
        number.set(text=number.get_text().removeprefix("+"), color=BLUE)  # a mean of sizes has no sign
    for patch in ax.patches:
        patch.set_color(BLUE)
    _finish(ax, card, f"Mean push, up or down, on the {question}")
    set_alt_text(ax, f"Mean of {len(explanation):,} views. {_strongest_in_words(explanation, question)}")
    return ax


@style_context()
def waterfall(
    explanation: shap.Explanation,
    row: int | None = None,
    *,
    max_display: int = 10,
    card: Card | None = None,
    xlabel: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One view: from the mean answer, feature by feature, to its own (``shap.plots.waterfall``).

    Parameters
    ----------
    explanation : shap.Explanation, shape (rows, features) or (features,)
        From ``shap_values``; one row of it needs ``card``, which shap does not pass on.
    row : int, optional
        Which row, counted from 0; may be left out where there is one.
    max_display, card, xlabel, ax
        As for :func:`beeswarm`.

    Returns
    -------
    Axes

    Raises
    ------
    WorkbenchError
        As for :func:`beeswarm`, and where there is no such row.
    """
    import shap

    card, question = _source(explanation, card, 1 if row is None else 2), xlabel or _question(explanation)
    if row is not None:
        if not -len(explanation) <= row < len(explanation):
            raise WorkbenchError(f"row must be one of the {len(explanation):,} explained, from 0; got {row}.")
        explanation = explanation[row]
    ax = axes_or_new(ax, 1.9 + ROW_HEIGHT * min(max_display, len(explanation.values)))
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
    _finish(ax, card, f"The {question}")
    ax.xaxis.labelpad = 24  # below the mark of the mean
    set_alt_text(
        ax,
        f"One view: the {question} goes from {mean:.2f} on average to {answer:.2f}. "
        f"{_strongest_in_words(explanation, question)}",
    )
    return ax


def _source(explanation: shap.Explanation, card: Card | None, dimensions: int) -> Card:
    """The card of the data that is explained, once the explanation was found fit to be drawn."""
    if len(explanation.shape) != dimensions:
        expected = "(features,), or row= to name one of several" if dimensions == 1 else "(rows, features)"
        raise WorkbenchError(f"expected an explanation of shape {expected}; got {explanation.shape}.")
    card = card or getattr(explanation, "card", None)
    if not isinstance(card, Card):
        raise WorkbenchError(
            "nothing says where the explained data come from: pass card=split.card, or an explanation from "
            "wb.shap_values() on a frame that carries its card."
        )
    return card


def _question(explanation: shap.Explanation) -> str:
    names = explanation.output_names
    return names if isinstance(names, str) else "model's output"


def _names_in_grey(explanation: shap.Explanation) -> shap.Explanation:
    """The same without numbers where they only stand for names: neither low nor high, these have no colour."""
    import shap

    coded = np.isin(explanation.feature_names, getattr(explanation, "coded", ()))
    if not coded.any():
        return explanation
    return shap.Explanation(
        values=explanation.values,
        base_values=explanation.base_values,
        data=np.where(coded, np.nan, np.asarray(explanation.data, float)),
        feature_names=explanation.feature_names,
        output_names=explanation.output_names,
    )


@contextmanager
def _shap_kept_in_bounds() -> Iterator[None]:
    """Shap draws jitter from NumPy's global random state and may leave pyplot's interactive mode off: put both back."""
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


def _finish(ax: Axes, card: Card, xlabel: str) -> None:
    ax.set_xlabel(textwrap.fill(xlabel, LABEL_WIDTH), fontsize=12)
    ax.tick_params(labelsize=11)
    ax.grid(visible=False, axis="y")
    label_source(ax, card)


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


def _strongest_in_words(explanation: shap.Explanation, question: str) -> str:
    """The features with the largest (mean) size, with their numbers."""
    values = np.asarray(explanation.values)
    sizes = abs(values).mean(axis=0) if values.ndim > 1 else values
    order = np.argsort(-abs(sizes))[:NAMED_IN_WORDS]
    each = ", ".join(f"{explanation.feature_names[i]} {sizes[i]:.2f}" for i in order)
    return f"What pushes the {question} most: {each}."
