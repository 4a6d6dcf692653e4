"""Pictures of prefetching alone: where people go from page to page, an example session."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from workbench.checked import checked
from workbench.datasets.sessions import ends_session
from workbench.datasets.splits import card_of, users_of
from workbench.decisions.prefetch.decision import PrefetchDetail
from workbench.errors import WorkbenchError
from workbench.features.levels import largest_levels
from workbench.plotting.style import BLUE, GREEN, INK, LINE, MUTED, WORDS, axes_or_new, finish, style_context
from workbench.studies.comparison import Comparison
from workbench.studies.report import short_name

ENDS, OTHERS = -1, -2  # beside the codes of pages
NAMES = {ENDS: "session ends", OTHERS: "other pages"}
FROM_PAGES, TO_PAGES = 8, 8
SHADES = LinearSegmentedColormap.from_list("shades", ["#f6f8fa", BLUE])
LEAST_SHARE = 0.005  # that is written into a cell
NAME_WIDTH, COLUMN_WIDTH = 22, 12  # characters
TITLE_LINE = 0.4  # of the height of a page fetched
ROWS = {"rule": "best rule", "model": "model"}


@checked
@style_context()
def main_flows(views: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Where people go next from the most viewed pages, per 100 views of each page.

    Pages viewed by fewer than 20 users (or sessions) are not named.

    Parameters
    ----------
    views : DataFrame
        Canonical navigations, from ``load`` or ``navigations``; or a part of a split, with ``card`` in its ``attrs``.
    ax : Axes, optional

    Returns
    -------
    Axes
        A heat map. Rows: the eight most viewed pages, with their share of the views shown; columns: the page opened
        next. A row adds up to 100, but for rounding.

    Raises
    ------
    WorkbenchError
        If the frame holds no page views.
    """
    if not isinstance(views, pd.DataFrame) or not {"page", "session_id"} <= set(views.columns):
        raise WorkbenchError(
            "expected page views, from wb.load() of a card of kind navigations, or from wb.navigations(df); this data "
            "holds none."
        )
    codes = NAMES | dict(enumerate(views["page"].cat.categories))
    names = {code: short_name(str(name), NAME_WIDTH) for code, name in codes.items()}
    steps = _steps(views)
    shares = steps.div(steps.sum(axis=1), axis=0)
    ax = axes_or_new(ax, 2.4 + 0.42 * len(steps))
    words = shares.map(lambda share: f"{100 * share:.0f}" if share >= LEAST_SHARE else "")
    sns.heatmap(shares, annot=words, fmt="", cmap=SHADES, vmin=0, cbar=False, linewidths=1, ax=ax)
    rows = [f"{names[code]} ({100 * size:.0f} %)" for code, size in steps.sum(axis=1).items()]
    ax.set_yticks(ax.get_yticks(), rows, rotation=0, color=INK, fontsize=10)
    ax.set_xticks(ax.get_xticks(), [names[code] for code in steps], rotation=35, ha="right", fontsize=10)
    ax.set(xlabel="Opened next, of 100 views of the page on the left", ylabel="")
    note = "in brackets: each page's share of the views shown"
    return finish(ax, card_of(views), _flows_in_words(steps, names), note=note)


def _steps(views: pd.DataFrame) -> pd.DataFrame:
    """Share of the views of the most viewed pages (rows, by code) that lead to each page (columns), ends and others.

    Each row's most frequent next page is among the columns.
    """
    page = _pages_named(views)
    following = np.where(ends_session(views), ENDS, np.append(page[1:], ENDS))
    by_size = pd.Series(page).value_counts().sort_index().sort_values(ascending=False, kind="stable")
    busiest = list(by_size.index.drop(OTHERS, errors="ignore")[:FROM_PAGES]) or [OTHERS]
    seen = np.isin(page, busiest)
    table = pd.crosstab(page[seen], following[seen], normalize="all").loc[busiest]
    onward = table.drop(columns=[ENDS, OTHERS], errors="ignore")
    largest = list(onward.sum().sort_values(ascending=False, kind="stable").index)
    firsts = onward.idxmax(axis=1) if largest else ()
    named = list(dict.fromkeys([*firsts, *largest]))[:TO_PAGES]
    goals = [code for code in largest if code in named]
    table[OTHERS] = table.drop(columns=[*goals, ENDS], errors="ignore").sum(axis=1)
    return table[[code for code in (*goals, OTHERS, ENDS) if code in table and table[code].any()]]


def _pages_named(views: pd.DataFrame) -> np.ndarray:
    """Code of the page of each view, or that of other pages if too few people viewed it: int64, shape (rows,)."""
    page = views["page"].cat.codes.to_numpy().astype(np.int64)
    people = users_of(views, "user_id" if "user_id" in views else "session_id")
    return np.where(np.isin(page, largest_levels(pd.Series(page), people)), page, OTHERS)


def _flows_in_words(steps: pd.DataFrame, names: dict[int, str]) -> str:
    pages = steps.div(steps.sum(axis=1), axis=0).drop(columns=[ENDS, OTHERS], errors="ignore")
    each = [
        f"after {names[page]} {100 * onward.max():.0f} % go to {names[onward.idxmax()]}"
        for page, onward in pages[:3].iterrows()
        if len(onward) and onward.max() > 0
    ]
    ends = [f"{100 * steps[ENDS].sum():.0f} % of these views end the session"] if ENDS in steps else []
    return f"Where people go from the pages viewed most: {'; '.join([*each, *ends])}."


@checked
@style_context()
def session(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """What rule and model would fetch in an example session, view by view; no real person's session.

    Returns
    -------
    Axes
        One column a view; below it the pages that each policy fetches there, those opened in time with a tick.

    Raises
    ------
    WorkbenchError
        If the comparison is not of prefetching.
    """
    if not isinstance(result.detail, PrefetchDetail):
        raise WorkbenchError(f"session draws a comparison of prefetching; this one is of {result.decision.name}.")
    table = result.detail.session
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
    head = 0.7 + TITLE_LINE * max(1 + title.count("\n") for title in titles)
    ax.set(xlim=(-0.6, len(table) - 0.4), ylim=(-2 * height - 0.1, head), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_xlabel(
        "columns: pages opened, one after the other, steps that many people took; no real session\n"
        "below: pages prefetched then, \u2713 opened in time, \u00d7 not opened",
        color=MUTED,
        fontsize=10,
    )
    return finish(ax, result.split.card, _session_in_words(table))


def _sums(table: pd.DataFrame, who: str) -> tuple[int, int]:
    """How many of a policy's fetched pages were opened in time, and how many it fetched."""
    hits, pages = (int(table[f"{who}_{what}"].map(len).sum()) for what in ("hits", "pages"))
    return hits, pages


def _draw_fetches(ax: Axes, x: float, top: float, pages: list[str], hits: list[str]) -> None:
    look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9, "linespacing": 1.0}
    for place, page in enumerate(pages):
        mark, colour = ("\u2713", WORDS[GREEN]) if page in hits else ("\u00d7", MUTED)
        ax.text(x, top - place, f"{mark} {_wrapped(page)}", color=colour, **look)


def _wrapped(page: str) -> str:
    """A page's name on two lines at most, broken after slashes if that helps."""
    named = short_name(page, 2 * COLUMN_WIDTH + 1).replace("/", "/ ")
    words = [line.replace("/ ", "/") for line in textwrap.wrap(named, COLUMN_WIDTH)]
    return "\n".join(words[:2]) + ("\u2026" if len(words) > 2 else "")


def _session_in_words(table: pd.DataFrame) -> str:
    said = [f"An example session: {', '.join(short_name(page, NAME_WIDTH) for page in table['page'])}."]
    for who, name in ROWS.items():
        hits, pages = _sums(table, who)
        said.append(f"The {name} fetches {pages} {'page' if pages == 1 else 'pages'}; opened in time: {hits}.")
    return " ".join(said)
