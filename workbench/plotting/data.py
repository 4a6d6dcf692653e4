"""Pictures of measurements: what was measured, and what is known when."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from workbench.checked import checked
from workbench.datasets.cards import Card
from workbench.datasets.columns import WHEN_KNOWN
from workbench.datasets.schema import COLUMNS, MEASURED, Column, label, measured_quantities, unit
from workbench.datasets.splits import FEWEST_USERS, card_of, users_of
from workbench.errors import WorkbenchError, did_you_mean
from workbench.evidence.segments import NO_VALUE
from workbench.features.levels import OTHER, level_members
from workbench.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    LINE,
    MUTED,
    PALETTE,
    PURPLE,
    VERMILLION,
    WORDS,
    axes_or_new,
    finish,
    log_axis,
    percent,
    style_context,
)

GROUPED_BY = ("connection_type", "effective_type", "os_family")
MOST_GROUPS = 6
CLASSES = ("4g", "3g", "2g", "slow-2g")
BOXES: dict[str, Any] = {
    "showfliers": False,
    "patch_artist": True,
    "boxprops": {"linewidth": 0},
    "medianprops": {"color": "white", "linewidth": 2.5},
    "whiskerprops": {"color": GREY, "linewidth": 1.4},
    "capprops": {"linewidth": 0},
}
KNOWN_BY = {"first_request": BLUE, "after_accept_ch": GREEN, "client_js": VERMILLION, "native_app": PURPLE}


@checked
@style_context()
def measured(
    frame: pd.DataFrame, quantity: str | None = None, *, by: str | None = None, ax: Axes | None = None
) -> Axes:
    """How a measured quantity is distributed, one line a group of views.

    Parameters
    ----------
    frame : DataFrame
        Canonical measurements with their card. Rows without a value and lost probes are left out; a note gives the
        share that was lost.
    quantity : str, optional
        One of ``schema.MEASURED``; default throughput if it was measured, else the first that was.
    by : str, optional
        A context column; default the first of connection type, NetInfo class and operating system that is known.
        All but the six largest groups, and groups of fewer than 20 users, are "other".
    ax : Axes, optional

    Returns
    -------
    Axes
        x: the quantity, on a log scale; y: share of the group's views at or below it. The legend is in the order of
        the medians.

    Raises
    ------
    WorkbenchError
        If the frame carries no card, or lacks the quantity or the column.
    """
    card, quantity = card_of(frame), _quantity_of(frame, quantity)
    frame, lost = _with_values(frame, quantity)
    by, groups = _groups_of(frame, by)
    values = {name: frame.loc[inside, quantity] for name, inside in groups.items()}
    medians = pd.Series({name: found.median() for name, found in values.items()}).sort_values(kind="stable")
    hues = cycle(PALETTE)
    ax = axes_or_new(ax, 4.6)
    for name in medians.index:
        colour = GREY if name in (OTHER, NO_VALUE) else next(hues)
        words = f"{name}, {_percent(len(values[name]) / len(frame))} of views"
        sns.ecdfplot(x=values[name], color=colour, label=words, ax=ax)
    log_axis(ax)
    ax.set(xlabel=_measured(quantity, card), ylabel="Share of views at or below", ylim=(0, 1.02))
    ax.yaxis.set_major_formatter(percent())
    legend = ax.legend(title=label(by, card), alignment="left")
    legend.get_title().set_color(MUTED)
    about = f"Distribution of measured {label(quantity, card)} over {sum(map(len, values.values())):,} views"
    each = ", ".join(f"{name} {median:,.1f}" for name, median in medians.items())
    words = f"{about}; medians in {unit(quantity)}: {each}." + f" Left out: {lost}." * bool(lost)
    return finish(ax, card, words, note=f"left out: {lost}" * bool(lost))


def _measured(quantity: str, card: Card) -> str:
    return f"Measured {label(quantity, card)}, {unit(quantity)}, on a log scale"


def _with_values(frame: pd.DataFrame, quantity: str) -> tuple[pd.DataFrame, str]:
    """Rows with a finite value, and the share of probes that were lost in words; empty where none was."""
    frame = frame[frame[quantity].notna()]
    lost = np.isinf(frame[quantity].to_numpy(float))
    words = f"{_percent(float(lost.mean()))} of the views, whose probe was lost" if lost.any() else ""
    return frame[~lost], words


def _quantity_of(frame: pd.DataFrame, quantity: str | None) -> str:
    known = measured_quantities(frame)
    if quantity is None and known:
        return "downlink_mbps" if "downlink_mbps" in known else known[0]
    if quantity not in known:
        raise WorkbenchError(
            f"quantity must be a measured column that holds values, here {', '.join(known) or 'none'}; got "
            f"{quantity!r}.{did_you_mean(str(quantity), MEASURED)}"
        )
    return quantity


def _groups_of(frame: pd.DataFrame, by: str | None) -> tuple[str, dict[str, np.ndarray]]:
    """The column to group by, and which rows are in each group; one group if no column is known."""
    if by is None:
        by = next((name for name in GROUPED_BY if name in frame and frame[name].notna().any()), "")
    elif by not in frame:
        raise WorkbenchError(f"by must be a column of the frame; got {by!r}.{did_you_mean(by, list(frame.columns))}")
    groups = level_members(_with_no_value(frame[by]), users_of(frame), MOST_GROUPS) if by else {}
    return by, groups or {"all views": np.ones(len(frame), bool)}


def _with_no_value(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna(), NO_VALUE).map(str)


@checked
@style_context()
def known_context_shares(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """What can be known about a view before it is served, when it is known, and in how many views.

    Parameters
    ----------
    frame : DataFrame
        Canonical measurements with their card.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: share of views in which a column holds a value ("unknown" is none); one row a column of the contract or the
        card, under the time at which it is known.

    Raises
    ------
    WorkbenchError
        If the frame carries no card.
    """
    card = card_of(frame)
    columns = [column for column in (*COLUMNS, *card.context) if column.level in KNOWN_BY]
    shares = {column.name: _known_share(frame, column) for column in columns}
    groups = {level: [column.name for column in columns if column.level == level] for level in KNOWN_BY}
    groups = {level: names for level, names in groups.items() if names}
    rows = [name for level, names in groups.items() for name in (level, *names)]
    ax = axes_or_new(ax, 1.0 + 0.27 * len(rows))
    for level, names in groups.items():
        colour, top = KNOWN_BY[level], rows.index(level)
        known = f"Known {WHEN_KNOWN[level]}"
        ax.text(0, top + 0.05, known, color=WORDS[colour], fontweight="bold", fontsize=11, va="center")
        for y, name in enumerate(names, top + 1):
            ax.barh(y, 1, height=0.62, color=LINE, alpha=0.5)
            ax.barh(y, shares[name], height=0.62, color=colour, label=name)
            words = _percent(shares[name]) if name in frame else "not in this data"
            ax.annotate(words, (1, y), (8, 0), textcoords="offset points", va="center", fontsize=11, color=MUTED)
    bars = {y: label(name, card) for y, name in enumerate(rows) if name in shares}
    ax.set_yticks(list(bars), list(bars.values()))
    ax.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xlabel="Share of views in which it is known")
    ax.xaxis.set_major_formatter(percent())
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)
    never = [label(name, card) for name, share in shares.items() if share == 0]
    partly = [f"{label(name, card)} {_percent(share)}" for name, share in shares.items() if 0 < share < 0.995]
    always = f"{len(shares) - len(never) - len(partly)} of {len(shares)} context columns are known in every view"
    words = f"{always}. In part: {', '.join(partly) or 'none'}. Never: {', '.join(never) or 'none'}."
    return finish(ax, card, words)


def _known_share(frame: pd.DataFrame, column: Column) -> float:
    if column.name not in frame:
        return 0.0
    values = frame[column.name]
    return float((values.notna() & ~values.isin(["unknown"])).mean())


@checked
@style_context()
def netinfo_bluntness(frame: pd.DataFrame, quantity: str | None = None, *, ax: Axes | None = None) -> Axes:
    """How little NetInfo's class says: what was measured in each class, and how many views are in it.

    Parameters
    ----------
    frame : DataFrame
        Canonical measurements with their card and ``effective_type``.
    quantity : str, optional
        As for :func:`measured`.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: the quantity, on a log scale; one box a class of 20 users or more: median, quartiles, middle 90 %.

    Raises
    ------
    WorkbenchError
        If the frame carries no card, or no NetInfo class of 20 users.
    """
    card, quantity = card_of(frame), _quantity_of(frame, quantity)
    if "effective_type" not in frame or frame["effective_type"].isna().all():
        raise WorkbenchError(
            f"{card.name}: this data carries no NetInfo class (column effective_type), so there is nothing to show. "
            "measured() shows the quantity by another column."
        )
    frame, lost = _with_values(frame, quantity)
    members = level_members(_with_no_value(frame["effective_type"]), users_of(frame))
    shown = [name for name in (*CLASSES, NO_VALUE) if name in members]
    if not shown:
        raise WorkbenchError(f"{card.name}: no NetInfo class has {FEWEST_USERS} users; take more rows.")
    values = [frame.loc[members[name], quantity] for name in shown]
    shares = [float(members[name].mean()) for name in shown]
    ax = axes_or_new(ax, 1.6 + 0.62 * len(shown))
    names = [f"{name}\n{_percent(share)} of views" for name, share in zip(shown, shares, strict=True)]
    # Not seaborn's boxplot: 0.13 passes an argument that Matplotlib 3.11 deprecates, and 3.13 removes.
    boxes = ax.boxplot(values, tick_labels=names, orientation="horizontal", whis=(5, 95), widths=0.55, **BOXES)
    for name, box in zip(shown, boxes["boxes"], strict=True):
        box.set_facecolor(GREY if name == NO_VALUE else BLUE)
    log_axis(ax)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(_measured(quantity, card))
    each = "; ".join(
        f"{name} ({_percent(share)} of views) {np.quantile(found, 0.05):,.1f} to {np.quantile(found, 0.95):,.1f}"
        for name, share, found in zip(shown, shares, values, strict=True)
    )
    words = f"Measured {label(quantity, card)} by NetInfo class, middle 90 % in {unit(quantity)}: {each}."
    note = "box: middle half of the views, with the median; line: middle 90 %" + f"; left out: {lost}" * bool(lost)
    return finish(ax, card, words, note=note)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 or share == 0 else "under 1 %"
