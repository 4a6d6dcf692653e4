"""The house style of every picture, what it says of its source, and how it is saved."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from workbench.checked import checked
from workbench.datasets.cards import CHECKOUT, Card
from workbench.errors import WorkbenchError
from workbench.plotting.fonts import make_drawable
from workbench.writing import as_file_name, as_path, write_file

STYLE = Path(__file__).with_name("workbench.mplstyle")

# Okabe & Ito (2008), without its yellow, which white paper swallows.
BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY = "#e69f00", "#56b4e9"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
INK, MUTED, GREY, LINE = "#1f2328", "#59636e", "#8c959f", "#d5dae0"
# The same hues for words, dark enough on white (contrast of 4.5 and more, WCAG 2.2, 1.4.3).
WORDS = {BLUE: BLUE, VERMILLION: "#b84f00", GREEN: "#00795a", PURPLE: "#a1477b", GREY: MUTED}
WORDS |= {INK: INK, ORANGE: INK, SKY: INK}  # no orange or light blue is dark enough
SIMULATED = {"facecolor": "#fff3cd", "edgecolor": "#d9b44a", "linewidth": 0.8, "boxstyle": "round,pad=0.3"}
ENDING = re.compile(r"(?<=.)\.(png|svg)$", re.IGNORECASE)
SHOWN_AS = ("image/png", "image/svg+xml", "image/jpeg")


@contextmanager
def style_context() -> Iterator[None]:
    """Hold the house style while a block runs; also a decorator. All settings are restored afterwards.

    >>> with style_context():
    ...     plt.rcParams["font.size"]
    12.0
    """
    with plt.style.context(STYLE, after_reset=True), warnings.catch_warnings():
        # While a picture is laid out: what the house font lacks is found another one when it is finished.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield
        interactive = plt.isinteractive()
    # The first picture of a notebook loads Jupyter's backend, which turns interactive mode on; leaving the style would
    # turn it off again, and no later picture would be shown.
    matplotlib.interactive(interactive)


def axes_or_new(ax: Axes | None, height: float = 4.8) -> Axes:
    """The axes given, else those of a new figure, 8 inches wide and this high."""
    return ax if ax is not None else plt.subplots(figsize=(8, height))[1]


def figure_of(ax: Axes) -> Figure:
    """The figure that holds the axes, also through subfigures."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


@checked
def label_source(ax: Axes, card: Card) -> None:
    """Write the dataset's name above the axes, on the right, and SIMULATED where its rows are simulated."""
    _words_of(figure_of(ax)).sources[card.name] = None
    if card.simulated:
        ax.set_title(f"SIMULATED: {card.name}", loc="right", color="#5c4400", bbox=SIMULATED)
    else:
        ax.set_title(card.name, loc="right", color=MUTED)


class _Words:
    """Alternative text of a figure, handed to Jupyter with the image.

    IPython asks an object for ``_repr_mimebundle_`` first. A bundle without data leaves the drawing to Matplotlib's own
    formatter and adds metadata, ``image/png: {"alt": ...}``, which the export writes as the image's alt.
    """

    def __init__(self) -> None:
        self.sentences: dict[Axes, str] = {}
        self.sources: dict[str, None] = {}  # names of datasets, each once

    def __str__(self) -> str:
        return " ".join(self.sentences.values())

    def __call__(self, include: object = None, exclude: object = None) -> tuple[dict[str, Any], dict[str, Any]]:
        return {}, {kind: {"alt": str(self)} for kind in SHOWN_AS}


@checked
def set_alt_text(ax: Axes, sentence: str) -> Axes:
    """Attach one sentence to a picture: what it shows, with the numbers that matter; returns the axes.

    Several pictures in one figure become several sentences. Jupyter takes them along with the image,
    ``save_figure`` writes them into the file.
    """
    _words_of(figure_of(ax)).sentences[ax] = sentence
    make_drawable(figure_of(ax))
    return ax


def _words_of(figure: Any) -> _Words:
    if not isinstance(getattr(figure, "_repr_mimebundle_", None), _Words):
        figure._repr_mimebundle_ = _Words()
    return figure._repr_mimebundle_


def finish(ax: Axes, card: Card, sentence: str, *, note: str = "") -> Axes:
    """Add what every picture carries: its source, its alternative text, and a note below the x axis if there is one."""
    if note:
        note_below(ax, note)
    label_source(ax, card)
    return set_alt_text(ax, sentence)


@checked
def alt_text(picture: Axes | Figure) -> str:
    """The alternative text of a picture or of a whole figure; empty where nobody wrote one."""
    figure = figure_of(picture) if isinstance(picture, Axes) else picture
    return str(_words_of(figure))


def note_below(ax: Axes, note: str) -> None:
    """A small remark under the label of the x axis, which must be set already."""
    place: dict[str, Any] = {"xycoords": ax.xaxis.label, "textcoords": "offset points", "ha": "center", "va": "top"}
    ax.annotate(note, (0.5, 0), (0, -5), **place, color=MUTED, fontsize=10, linespacing=1.3)


def log_axis(ax: Axes) -> None:
    """A logarithmic x axis whose ticks are plain numbers; call it when all is drawn."""
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5) if high < 1000 * low else (1,)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    ax.xaxis.set_minor_locator(NullLocator())


def percent() -> PercentFormatter:
    """Shares in [0, 1] as percent."""
    return PercentFormatter(1, decimals=0, symbol=" %")


@checked
@style_context()
def save_figure(picture: Axes | Figure, name: str, *, folder: Path | str | None = None) -> list[Path]:
    """Write a picture as PNG (150 dpi) and SVG; the same picture gives the same SVG, byte for byte.

    Parameters
    ----------
    picture : Axes or Figure
        With axes, the whole figure is written.
    name : str
        File name, folders allowed: ``"image_delivery/frontier"``; an ending ``.png`` or ``.svg`` is left out.
    folder : path, optional
        Where names start, made if missing. Without it, the picture goes to ``figures/`` of the checkout, under the
        name's own folder and that of its dataset: ``figures/image_delivery/<dataset>/frontier.png``.

    Returns
    -------
    list of Path
        The PNG and the SVG, each with the alternative text as its description.

    Raises
    ------
    WorkbenchError
        If the name is absolute or leads out of the folder, or the files cannot be written; older ones stay then.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.name or path.is_absolute() or ".." in path.parts or ":" in name:
        raise WorkbenchError(
            f"a figure's name is a relative path without '..', such as 'image_delivery/frontier'; got {name!r}."
        )
    figure = figure_of(picture) if isinstance(picture, Axes) else picture
    words = {"Description": alt_text(figure)}
    ours = CHECKOUT / "figures" / path.parent / as_file_name(" ".join(_words_of(figure).sources))
    stem = (ours if folder is None else as_path(folder) / path.parent) / ENDING.sub("", path.name)
    # Not with_suffix(): a name may hold a dot.
    png, svg = (stem.with_name(stem.name + ending) for ending in (".png", ".svg"))
    figure.draw_without_rendering()  # a layout that has settled stays the same, byte for byte
    drawn = {}
    for target, metadata in ((png, words), (svg, words | {"Date": None})):
        figure.savefig(written := io.BytesIO(), format=target.suffix[1:], metadata=metadata)
        drawn[target] = written.getvalue()
    return [write_file(target, content) for target, content in drawn.items()]
