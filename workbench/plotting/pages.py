"""Pictures of page views alone: flows between pages, an example session."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from sklearn.isotonic import isotonic_regression

from workbench.datasets.sessions import ends_session
from workbench.datasets.splits import FEWEST_USERS, card_of, users_of
from workbench.errors import WorkbenchError
from workbench.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LINE,
    MUTED,
    WORDS,
    axes_or_new,
    label_source,
    set_alt_text,
    style_context,
)
from workbench.studies.comparison import Comparison
from workbench.studies.wording import short_name

ENDS, OTHERS = -1, -2  # beside the codes of pages
NAMES = {ENDS: "session ends", OTHERS: "other pages"}
FROM_PAGES, TO_PAGES = 8, 8
GAP = 0.022  # of the height, between two bars
BAR = 0.02  # of the width
NAME_WIDTH = 22  # characters
NAME_GAP = 0.042  # of the height, between two names
COLUMN_WIDTH = 12  # characters
TITLE_LINE = 0.4  # of the height of a page fetched
ROWS = {"rule": "best rule", "model": "model"}


@style_context()
def main_flows(views: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Where people go next from the pages viewed most: one band a step, as thick as it is frequent.

    Pages that fewer than 20 users (or sessions) viewed are not named.

    Parameters
    ----------
    views : DataFrame
        Canonical navigations, from ``load`` or ``navigations``; or a part of a split, with ``card`` in its ``attrs``.
    ax : Axes, optional

    Returns
    -------
    Axes
        Left: the eight pages viewed most; right: where their views lead to. The most frequent step of each is dark.

    Raises
    ------
    WorkbenchError
        Where the frame holds no page views.
    """
    if not isinstance(views, pd.DataFrame) or not {"page", "session_id"} <= set(views.columns):
        raise WorkbenchError(
            "expected page views, from wb.load() of a card of kind navigations, or from wb.navigations(df); this data "
            "holds none."
        )
    names = NAMES | dict(enumerate(views["page"].cat.categories))
    steps = _steps(views)
    ax = axes_or_new(ax, 5.6)
    left, right = _stack(steps.sum(axis=1)), _stack(steps.sum(axis=0))
    _draw_bands(ax, steps, left, right)
    ends = [*_bars(ax, left, names, x=0, side="right"), *_bars(ax, right, names, x=1, side="left")]
    ax.set(xlim=(0, 1), ylim=(min(ends), max(ends) + NAME_GAP))
    for x, side, words in ((0, "right", "viewed most"), (1, "left", "opened next")):
        _write_beside(ax, (x, 1), words, side=side, colour=MUTED, where="axes fraction")
    _bare(ax, "in brackets: share of the views on the left; dark: the most frequent step from each page")
    label_source(ax, card_of(views))
    set_alt_text(ax, _flows_in_words(steps, names))
    return ax


def _steps(views: pd.DataFrame) -> pd.DataFrame:
    """Share of the views of the pages viewed most (rows, by code) that lead to each page (columns), ends and others.

    Among the columns is each row's most frequent next page.
    """
    page = _crowded_pages(views)
    following = np.where(ends_session(views), ENDS, np.append(page[1:], ENDS))
    busiest = [code for code in _by_size(page) if code != OTHERS][:FROM_PAGES] or [OTHERS]
    seen = np.isin(page, busiest)
    table = pd.crosstab(page[seen], following[seen], normalize="all").loc[busiest]
    onward = table.drop(columns=[ENDS, OTHERS], errors="ignore")
    by_size = onward.columns[np.argsort(-onward.sum().to_numpy(), kind="stable")]
    firsts = onward.idxmax(axis=1) if onward.shape[1] else ()
    named = set(list(dict.fromkeys([*firsts, *by_size]))[:TO_PAGES])
    goals = [code for code in by_size if code in named]
    table[OTHERS] = table.drop(columns=[*goals, ENDS], errors="ignore").sum(axis=1)
    return table[[code for code in (*goals, OTHERS, ENDS) if code in table and table[code].any()]]


def _crowded_pages(views: pd.DataFrame) -> np.ndarray:
    """Code of the page of each view; of pages that too few people viewed, that of other pages: int64, shape (rows,)."""
    page = views["page"].cat.codes.to_numpy().astype(np.int64)
    people = users_of(views, "user_id" if "user_id" in views else "session_id")
    crowd = pd.Series(people).groupby(page).nunique()
    return np.where(np.isin(page, crowd.index[crowd >= FEWEST_USERS]), page, OTHERS)


def _by_size(page: np.ndarray) -> Iterable[int]:
    codes, views = np.unique(page, return_counts=True)
    return codes[np.argsort(-views, kind="stable")].tolist()


def _stack(sizes: pd.Series) -> pd.DataFrame:
    """Bars one above the other, the first on top: ``bottom, top``, by code."""
    upside = sizes[::-1]
    gaps = GAP * np.arange(len(upside))
    top = upside.cumsum() + gaps
    return pd.DataFrame({"bottom": top - upside, "top": top, "size": upside})


def _draw_bands(ax: Axes, steps: pd.DataFrame, left: pd.DataFrame, right: pd.DataFrame) -> None:
    pages = steps.drop(columns=[ENDS, OTHERS], errors="ignore")
    strongest = pages.idxmax(axis=1) if pages.shape[1] else {}
    begin, end = dict(left["bottom"]), dict(right["bottom"])
    for source in steps.index[::-1]:  # from the bottom up, so that bands cross as little as can be
        for target in steps.columns[::-1]:
            size = steps.loc[source, target]
            dark = target == strongest.get(source)
            if size > 0:
                _band(ax, begin[source], end[target], size, colour=BLUE if dark else GREY, alpha=0.75 if dark else 0.25)
            begin[source] += size
            end[target] += size


def _band(ax: Axes, begin: float, end: float, size: float, *, colour: str, alpha: float) -> None:
    x0, x1 = BAR, 1 - BAR
    up = [(x0, begin), (0.5, begin), (0.5, end), (x1, end)]
    down = [(x1, end + size), (0.5, end + size), (0.5, begin + size), (x0, begin + size)]
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3]
    ax.add_patch(PathPatch(Path([*up, *down], codes), facecolor=colour, alpha=alpha, linewidth=0))


def _bars(ax: Axes, bars: pd.DataFrame, names: dict[int, str], *, x: float, side: str) -> list[float]:
    """Bars at one edge, with their names beside them; returns how far down and up bars and names reach."""
    left = 0.0 if x == 0 else 1 - BAR
    middles = _spread(((bars["bottom"] + bars["top"]) / 2).to_numpy(), NAME_GAP)
    for (code, bar), y in zip(bars.iterrows(), middles, strict=True):
        colour = MUTED if code in NAMES else INK
        ax.add_patch(Rectangle((left, bar["bottom"]), BAR, bar["size"], facecolor=colour, linewidth=0))
        words = f"{short_name(names[code], NAME_WIDTH)} ({100 * bar['size']:.0f} %)"
        _write_beside(ax, (x, y), words, side=side, colour=colour)
    return [0.0, bars["top"].max(), middles[0] - NAME_GAP / 2, middles[-1] + NAME_GAP / 2]


def _write_beside(
    ax: Axes, place: tuple[float, float], words: str, *, side: str, colour: str, where: str = "data"
) -> None:
    ax.annotate(
        words,
        place,
        (-8 if side == "right" else 8, 0),
        xycoords=where,
        textcoords="offset points",
        ha=side,
        va="center",
        color=colour,
        fontsize=10,
        annotation_clip=False,
    )


def _spread(rising: np.ndarray, gap: float) -> np.ndarray:
    """Places at least ``gap`` apart, each as near as can be (by least squares) to where it was."""
    steps = gap * np.arange(len(rising))
    return isotonic_regression(rising - steps) + steps


def _bare(ax: Axes, note: str) -> None:
    """Take the frame off, and write a remark below."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set_xlabel(note, color=MUTED, fontsize=10)


def _flows_in_words(steps: pd.DataFrame, names: dict[int, str]) -> str:
    shares = steps.div(steps.sum(axis=1), axis=0).drop(columns=[ENDS, OTHERS], errors="ignore")
    each = [
        f"after {short_name(names[page], NAME_WIDTH)} {100 * pages.max():.0f} % go to "
        f"{short_name(names[pages.idxmax()], NAME_WIDTH)}"
        for page, pages in shares[:3].iterrows()
        if len(pages) and pages.max() > 0
    ]
    ends = f"{100 * steps[ENDS].sum():.0f} % of these views end the session" if ENDS in steps else ""
    return f"Where people go from the pages viewed most: {'; '.join([*each, *([ends] if ends else [])])}."


@style_context()
def session(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """What rule and model would have fetched in an example session, view by view; nobody's session.

    Parameters
    ----------
    result : Comparison
        Of prefetching.
    ax : Axes, optional

    Returns
    -------
    Axes
        A column a view; under it the pages that each policy fetches there, those opened in time with a tick.
    """
    table = result.prefetch.session
    height = max(1, *(len(pages) for who in ROWS for pages in table[f"{who}_pages"]))
    ax = axes_or_new(ax, 2.2 + 0.6 * height)
    seconds = ["" if np.isnan(at) else f"\n{at:.0f} s" for at in table["at_s"]]
    titles = [_wrapped(page) + at for page, at in zip(table["page"], seconds, strict=True)]
    for x, title in enumerate(titles):
        ax.text(x, 0.6, title, ha="center", va="bottom", color=INK, fontsize=9.5)
    for level, (who, name) in enumerate(ROWS.items()):
        top = -level * (height + 0.5)
        for x, row in table.iterrows():
            _draw_fetches(ax, x, top, row[f"{who}_pages"], row[f"{who}_hits"])
        hits, pages = _sums(table, who)
        ax.text(-0.7, top + 0.3, f"{name}\n{hits} of {pages} opened", ha="right", va="top", color=INK, fontsize=10.5)
        ax.axhline(top + 0.5, color=LINE, linewidth=1, zorder=0)
    ax.set(
        xlim=(-0.6, len(table) - 0.4),
        ylim=(-2 * height - 0.1, 0.7 + TITLE_LINE * max(1 + title.count("\n") for title in titles)),
    )
    _bare(
        ax,
        "columns: pages opened, one after the other, steps that many people took; nobody's session\n"
        "below: pages fetched then, \u2713 opened in time, \u00d7 not opened",
    )
    label_source(ax, result.split.card)
    set_alt_text(ax, _session_in_words(table))
    return ax


def _sums(table: pd.DataFrame, who: str) -> tuple[int, int]:
    """How many pages a policy fetched that were opened in time, and how many at all."""
    hits, pages = (int(table[f"{who}_{what}"].map(len).sum()) for what in ("hits", "pages"))
    return hits, pages


def _draw_fetches(ax: Axes, x: float, top: float, pages: list[str], hits: list[str]) -> None:
    for place, page in enumerate(pages):
        opened = page in hits
        ax.text(
            x,
            top - place,
            f"{'\u2713' if opened else '\u00d7'} {_wrapped(page)}",
            ha="center",
            va="center",
            color=WORDS[GREEN] if opened else MUTED,
            fontsize=9,
            linespacing=1.0,
        )


def _wrapped(page: str, lines: int = 2) -> str:
    """A page's name on a few lines, broken after slashes where that helps."""
    named = short_name(page, lines * COLUMN_WIDTH + 1).replace("/", "/ ")
    words = [line.replace("/ ", "/") for line in textwrap.wrap(named, COLUMN_WIDTH)]
    return "\n".join(words[:lines]) + ("\u2026" if len(words) > lines else "")


def _session_in_words(table: pd.DataFrame) -> str:
    told = [f"An example session: {', '.join(short_name(page, NAME_WIDTH) for page in table['page'])}."]
    for who, name in ROWS.items():
        hits, pages = _sums(table, who)
        told.append(f"The {name} fetches {pages} {'page' if pages == 1 else 'pages'}; opened in time: {hits}.")
    return " ".join(told)
