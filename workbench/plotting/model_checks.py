"""Pictures of disagreement, redundancy, drift, ablation and ageing."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy.cluster.hierarchy import dendrogram

from workbench.checked import checked
from workbench.decisions.decision import Unit
from workbench.decisions.option_ship import by_tree_count
from workbench.errors import WorkbenchError
from workbench.explanation.ablation import Ablation
from workbench.explanation.base import net_of, percent
from workbench.explanation.disagreement import Disagreement, Leaf
from workbench.explanation.drift import Drift
from workbench.explanation.redundancy import Redundancy
from workbench.explanation.retraining import LEAD, MODEL, RULE, Retraining
from workbench.plotting.labels import (
    Row,
    clear_rows,
    colour_of,
    draw_interval,
    draw_points,
    draw_rows,
    draw_zero,
    edge_of,
    minus,
    write_right,
)
from workbench.plotting.style import (
    BLUE,
    GREY,
    INK,
    LINE,
    MUTED,
    PALETTE,
    VERMILLION,
    WORDS,
    axes_or_new,
    finish,
    style_context,
)
from workbench.studies.comparison import Comparison
from workbench.studies.report import capital, short_name

MOST_LEAVES, MOST_BARS = 6, 10
LINE_WIDTH, NOTE_WIDTH, NAME_WIDTH, COST_WIDTH = 88, 100, 30, 26  # characters
LINE_HEIGHT, MARK_HEIGHT, ROW_HEIGHT = 0.2, 0.46, 0.36  # inches
BAR, ZERO = 0.13, 0.12  # inches
LEFT, BARS = -3.4, 2.1  # where words and bars begin, and the longest bar, in parts of half the axis of intervals
LEAST_EDGE = 1.0  # of an axis of effects, in the unit of the net
BELOW: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "left", "va": "top"}


@checked
@style_context()
def disagreement(result: Disagreement, *, most: int = MOST_LEAVES, ax: Axes | None = None) -> Axes:
    """The leaves in which model and rule differ: how many views, how often they differ there, who gains.

    Bars show a leaf's share of the views, the strong part where they differ in its direction. A net whose 95 % interval
    excludes zero is blue (for the model) or vermillion (for the rule), all others grey. Exploratory; on users that the
    tree was not trained on.

    Parameters
    ----------
    result : Disagreement
        From ``wb.disagreement``.
    most : int
        Leaves drawn, those in which they differ in most views; a note counts the rest. All other views are one more
        row, if they come from 20 users or more.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: net, model minus rule, per view of the row; one row a leaf, another for the rest. Without a tree it holds a
        sentence.
    """
    if not result.leaves:
        return _say_why_not(result, ax)
    leaves, hidden = result.leaves[:most], len(result.leaves[most:])
    rest = f"Outside of all {len(result.leaves)} leaves" if hidden else "Everywhere else"
    rows = [*leaves, *([result.elsewhere] if result.elsewhere is not None else [])]
    words = [_leaf_lines(leaf, rest) for leaf in rows]
    ends = np.cumsum([LINE_HEIGHT * (len(where) + len(what)) + MARK_HEIGHT for where, what in words])
    ax = axes_or_new(ax, 1.75 + ends[-1])
    places, unit = ends - 0.6 * MARK_HEIGHT, result.unit
    low, high = (pd.Series([unit.factor * getattr(leaf.net, end) for leaf in rows]) for end in ("low", "high"))
    edge = edge_of(low, high, 0.0) or 1.0
    for y, leaf, (where, what) in zip(places, rows, words, strict=True):
        ax.plot([0, 0], [y - ZERO, y + ZERO], color=MUTED, linewidth=1, zorder=1)
        draw_interval(ax, y, Row("", leaf.net, colour_of(unit, leaf.net)), edge, unit)
        for i, line in enumerate([*what[::-1], *where[::-1]]):
            at = y - 0.35 * MARK_HEIGHT - LINE_HEIGHT * i
            ax.text(LEFT * edge, at, line, va="bottom", fontsize=10.5, color=MUTED if i < len(what) else INK)
    coverage = np.array([leaf.coverage for leaf in leaves])
    for shares, colour in ((coverage, LINE), (coverage * [leaf.precision for leaf in leaves], INK)):
        length = BARS * edge / coverage.max() * shares
        ax.barh(places[: len(leaves)], length, BAR, LEFT * edge, color=colour, zorder=3)
    _set_axes(ax, edge, ends[-1], f"Model minus rule there, {unit.per_view}")
    ax.annotate(_leaf_note(result, hidden), (0, 0), (0, -52), **BELOW, color=MUTED, fontsize=10, linespacing=1.3)
    return finish(ax, result.card, " ".join([result.sentences[0], *(leaf.sentence for leaf in rows)]))


def _leaf_lines(leaf: Leaf, rest: str) -> tuple[list[str], list[str]]:
    """Lines above a row: the leaf's conditions, or the name of the rest; and how often they differ, in which way."""
    where = capital(leaf.condition) if leaf.conditions else rest
    as_rule = f"; as a rule: {short_name(leaf.action, LINE_WIDTH // 2)}" if leaf.action else ""
    does = leaf.doing or leaf.way or "they differ"
    what = f"{percent(leaf.coverage)} of the views; in {percent(leaf.precision)} of these: {does}{as_rule}"
    return _wrapped(where, LINE_WIDTH), _wrapped(what, LINE_WIDTH)


def _wrapped(words: str, width: int) -> list[str]:
    """Lines of a width that keep each number beside its percent sign."""
    return [line.replace("\u00a0", " ") for line in textwrap.wrap(words.replace(" %", "\u00a0%"), width)]


def _set_axes(ax: Axes, edge: float, bottom: float, label: str) -> None:
    """An x axis below the intervals only; y in inches from the top."""
    ax.grid(visible=False)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_bounds(-edge, edge)
    ax.set(xlim=(LEFT * edge, edge), ylim=(bottom, 0))
    ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(-edge, edge)
    ax.set_xticks([tick for tick in ticks if abs(tick) <= edge])
    ax.set_xlabel(textwrap.fill(label, 26), x=LEFT / (LEFT - 1), fontsize=11)
    ax.annotate("Share of the views;\nstrong part: where they differ", (0, 0), (0, -8), **BELOW, color=INK, fontsize=11)


def _leaf_note(result: Disagreement, hidden: int) -> str:
    parts = [f"rule: {result.rule_name}"]
    if result.rule is not None:
        tree, model = (minus(result.unit.span(result.gains[name])) for name in ("rule over base", "model over base"))
        parts.append(f"the tree as a rule: {tree} against this rule; the model: {model}")
    if hidden:
        parts.append(f"{hidden} more {'leaf' if hidden == 1 else 'leaves'} not drawn")
    parts.append(f"on {result.people} that the tree was not trained on; exploratory")
    return "\n".join(line for part in parts for line in _wrapped(part, NOTE_WIDTH))


def _say_why_not(result: Disagreement, ax: Axes | None) -> Axes:
    ax = axes_or_new(ax, 1.6)
    words = " ".join(sentence for sentence in (result.sentences[0], result.no_tree) if sentence)
    lines = "\n".join(_wrapped(words, NOTE_WIDTH))
    ax.text(0.5, 0.5, lines, ha="center", va="center", color=MUTED, fontsize=10.5, transform=ax.transAxes)
    ax.set(xticks=[], yticks=[])
    ax.set_axis_off()
    return finish(ax, result.card, words)


@checked
@style_context()
def redundancy(result: Redundancy, *, ax: Axes | None = None) -> Axes:
    """The tree of correlated features, and beside each group what the model is worth without it.

    Returns
    -------
    Axes
        x: absolute rank correlation at which features join, from 1 on the left to 0; one row a feature.
    """
    groups = result.groups
    tree = dendrogram(groups.tree, labels=list(groups.features), no_plot=True)
    ax = axes_or_new(ax, 1.6 + ROW_HEIGHT * len(groups.features))
    row_of = {name: row for row, name in enumerate(tree["ivl"])}
    colours = {name: PALETTE[i % len(PALETTE)] for i, members in enumerate(groups.groups) for name in members}
    for across, joined in zip(tree["icoord"], tree["dcoord"], strict=True):
        rows = (np.array(across) - 5) / 10
        inside = max(joined) <= 1 - groups.alike + 1e-9
        colour = colours[tree["ivl"][round(min(rows))]] if inside else GREY
        ax.plot(1 - np.array(joined), rows, color=colour, linewidth=2.4 if inside else 1.4, zorder=3)
    ax.axvline(groups.alike, color=MUTED, linewidth=1, linestyle="--", zorder=1)
    ax.set_yticks(range(len(row_of)), [short_name(name, NAME_WIDTH) for name in row_of])
    for tick, name in zip(ax.get_yticklabels(), row_of, strict=True):
        tick.set_color(WORDS[colours.get(name, INK)])
    clear_rows(ax, len(row_of))
    ax.set(xlim=(1.01, -0.02), xlabel="Rank correlation at which features join")
    for place, members in enumerate(groups.groups):
        costs = result.costs[result.costs["group"] == place]
        y = float(np.mean([row_of[name] for name in members]))
        words = "\n".join(_cost(row, result.unit) for _, row in costs.iterrows())
        write_right(ax, y, words, colour=colours[members[0]], fontsize=10, linespacing=1.15)
    beside = f"on the right: net without, minus net with all, {result.unit.per_view}" if groups.groups else "no group"
    note = f"dashed: {groups.alike:g}, from where on features are a group\n{beside}"
    return finish(ax, result.card, " ".join(result.sentences), note=note)


def _cost(row: pd.Series, unit: Unit) -> str:
    what = textwrap.fill(f"only {', '.join(row['kept'])} kept" if row["kept"] else "none kept", COST_WIDTH)
    net = "all of it must stay" if not row["dropped"] else minus(unit.span(net_of(row)))
    return f"{what}:\n{net}"


@checked
@style_context()
def drift(result: Drift, *, ax: Axes | None = None) -> Axes:
    """Which features differ between two parts: fall in AUC when one is shuffled, with 95 % intervals over folds.

    Returns
    -------
    Axes
        x: fall in AUC; one row a feature, at most ten, the largest fall on top.
    """
    shown = result.features.head(MOST_BARS)
    ax = axes_or_new(ax, 2.1 + ROW_HEIGHT * len(shown))
    named, rows = shown["column"].isin(result.drifted["column"]), np.arange(len(shown))
    draw_zero(ax)
    for colour, those in ((BLUE, named), (GREY, ~named)):
        draw_points(ax, rows[those], shown.loc[those, ["low", "fall", "high"]], colour)
    names = [textwrap.fill(short_name(name, 2 * NAME_WIDTH), NAME_WIDTH) for name in shown["feature"]]
    ax.set_yticks(rows, names, linespacing=1.0)
    clear_rows(ax, len(rows))
    ax.set_xlabel("Fall in AUC where the feature is shuffled (line: 95 %, over folds)")
    first, second = result.views
    found = f"{' '.join(result.sentences)} {first:,} and {second:,} views of {result.users:,} {result.people}."
    return finish(ax, result.card, found, note="\n".join(_wrapped(found, 76)))


@checked
@style_context()
def ablation(result: Ablation | Sequence[Ablation], *, ax: Axes | None = None) -> Axes:
    """The effect of leaving columns out on net, with 95 % intervals, and what it saves.

    Parameters
    ----------
    result : Ablation, or a sequence of them
        From ``wb.ablation``, of one model.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: difference in net, trained without the columns minus as trained; one row a result.
    """
    results = list(result) if isinstance(result, Sequence) else [result]
    if not results:
        raise WorkbenchError(
            "plotting.ablation(result): expected one or more results of wb.ablation; got an empty list."
        )
    table, unit = pd.concat([each.to_frame() for each in results]), results[0].unit
    rows = [_ablation_row(str(columns), row, unit) for columns, row in table.iterrows()]
    ax = axes_or_new(ax, 1.6 + sum(0.4 + 0.18 * max(1, row.name.count("\n")) for row in rows))
    draw_rows(ax, rows, unit, edge_of(unit.factor * table["net_low"], unit.factor * table["net_high"], LEAST_EDGE))
    ax.set_ylim(len(rows) - 0.3, -0.5)
    ax.set_xlabel(f"Net without them minus net as trained, {unit.per_view}")
    note = f"{results[0].views:,} views of validation, 95 % intervals; only test can say what this is worth"
    return finish(ax, results[0].card, " ".join(each.sentences[0] for each in results), note=note)


def _ablation_row(columns: str, row: pd.Series, unit: Unit) -> Row:
    saved = minus(f"saved: {row['kilobytes_saved']:+,.0f} kB, {row['trees_saved']:+.0f} trees")
    net = net_of(row)
    return Row(textwrap.fill(f"without {columns}", NAME_WIDTH), net, colour_of(unit, net), under=saved)


@checked
@style_context()
def retraining(result: Retraining, *, ax: Axes | None = None) -> Axes:
    """What age costs model and best rule: net lost beside freshly trained ones, on the same views, with 95 % intervals.

    Returns
    -------
    Axes
        x: days older; y: net lost. Losses in the shaded band are too small to matter.
    """
    ax, factor = axes_or_new(ax, 4.2), result.unit.factor
    ax.axhspan(-factor * result.margin, factor * result.margin, color=LINE, alpha=0.5, linewidth=0)
    ax.axhline(0, color=MUTED, linewidth=1)
    oldest = result.table["age_days"].max()
    for policy, colour, aside in ((MODEL, BLUE, -1), (RULE, VERMILLION, 1)):
        ages = result.of(policy)
        net, low, high = (factor * ages[name] for name in ("net", "net_low", "net_high"))
        at = ages["age_days"] + 0.008 * aside * oldest  # bars beside one another
        ax.errorbar(at, net, (net - low, high - net), fmt="o-", color=colour, capsize=4, zorder=3)
        end: dict[str, Any] = {"color": WORDS[colour], "va": "center", "xytext": (20, 8 * aside)}
        ax.annotate(policy, (at.iloc[-1], net.iloc[-1]), textcoords="offset points", **end)
    ax.set_xticks(result.of(LEAD)["age_days"], [f"{days:.3g}" for days in result.of(LEAD)["age_days"]])
    ax.set_xlim(0, 1.2 * oldest)
    ax.set(xlabel="Days older than a freshly trained one", ylabel=f"Net lost, {result.unit.per_view}")
    shaded = f"shaded: too small to matter (under {factor * result.margin:g})"
    return finish(ax, result.card, f"{result.finding}. {result.sentences[0]}", note=shaded)


@checked
@style_context()
def tree_counts(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """Net on validation against size, of the compared model with fewer trees; how many :func:`export_policy` keeps.

    Returns
    -------
    Axes
        x: kB of the saved model, with its trees; y: net, its limit tuned again for each. In the shaded band, net is
        within the smallest gain that matters of that of all trees: the leftmost mark there is exported.

    Raises
    ------
    WorkbenchError
        Where the comparison has no model of boosted trees.
    """
    factor, policy = result.unit.factor, result.of("model").policy
    if policy is None or not result.model.trees:
        raise WorkbenchError("expected a comparison of a model of boosted trees; this one has none. Train one first.")
    ax = axes_or_new(ax, 4.2)
    whole = result.decision.shipped(policy, result.split, result.scenario, result.known_by).policy
    found = by_tree_count(result.decision, whole, result.split, result.scenario, result.known_by)
    trees, size, net = np.array([(each.source.trees, each.source.kilobytes, factor * net) for each, net in found]).T
    margin, everything = factor * result.margin, net[-1]
    kept = int(np.argmax(net >= everything - margin))
    ax.axhspan(everything - margin, everything + margin, color=LINE, alpha=0.5, linewidth=0)
    ax.plot(size, net, "o-", color=BLUE, zorder=3)
    ax.plot(size[kept], net[kept], "o", color=VERMILLION, markersize=11, zorder=4)
    ax.annotate("exported", (size[kept], net[kept]), (0, 10), textcoords="offset points", ha="center", color=INK)
    ax.set_xscale("log", base=2)
    ax.margins(x=0.1)
    ax.set_xticks(size, [f"{kb:,.0f} kB\n{count:.0f} trees" for kb, count in zip(size, trees, strict=True)])
    ax.set_ylim(min(net.min(), everything - margin) - 0.3 * margin, max(net.max(), everything + margin) + 0.8 * margin)
    ax.set(xlabel="Saved model", ylabel=f"Net on validation, {result.unit.per_view}")
    digits = result.unit.digits + 1
    words = f"{trees[kept]:.0f} of {trees[-1]:.0f} trees are exported: net {net[kept]:.{digits}f}"
    words += f", with all {everything:.{digits}f}."
    return finish(ax, result.split.card, words, note=f"shaded: too small to matter (under {margin:g})")
