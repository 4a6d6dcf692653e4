"""Pictures of a comparison: differences, headroom, calibration, sensitivity, segments."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from workbench.checked import checked
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval
from workbench.evidence.verdict import EQUIVALENT, FEWEST_DIFFERING, TOO_FEW, TOO_LITTLE
from workbench.features.levels import OTHER
from workbench.plotting.labels import PARTS, Row, clear_rows, draw_rows, edge_of, minus, name_of, part_of, write_right
from workbench.plotting.style import BLUE, MUTED, VERMILLION, WORDS, axes_or_new, finish, percent, style_context
from workbench.studies.comparison import Comparison
from workbench.studies.experiment import Experiment
from workbench.studies.report import difference_sentence, findings, robustness, short_name, trainings

FEWEST_MARGINS = 3.0  # that an axis of differences shows on each side
BASE = "base"
CANNOT_TELL = "too few met a different outcome to tell"
NAME_WIDTH, LEVEL_WIDTH, WHY_WIDTH, LONG_WORD = 36, 30, 76, 20  # characters


@checked
@style_context()
def differences(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """Net of every other policy minus the best rule's, with 95 % intervals, on test.

    Only the model has a verdict; the others are exploratory, and grey. An arrow marks what lies beyond the axis; the
    numbers are on the right.

    Returns
    -------
    Axes
        x: difference in net; one row a policy, best first.
    """
    found = result.against_best_rule
    others = [policy for policy in result.results if policy.name in found]
    rows = [
        _row(result, textwrap.fill(name_of(result, policy), NAME_WIDTH), found[policy.name], policy.kind)
        for policy in sorted(others, key=lambda policy: -found[policy.name].estimate)
    ]
    ax = axes_or_new(ax, 2.1 + 0.42 * len(rows))
    draw_rows(ax, rows, result.unit, 1.25 * _least_edge(result), result.margin)
    ax.set_xlabel(f"Net minus that of the best rule, {result.unit.per_view}")
    note = f"best rule: {result.of('best_rule').name}\n{_shaded(result)}; grey: exploratory"
    words = f"{difference_sentence(result)} Verdict: {result.verdict}."
    return finish(ax, result.split.card, words, note=note)


def _row(result: Comparison, name: str, interval: Interval, kind: str) -> Row:
    """How a row is drawn: only the model has a verdict, and no interval where too few users tell it from the rule."""
    if kind != "model":
        return Row(name, interval)
    if result.differing.users < FEWEST_DIFFERING:
        bound = f"equivalent: within \u00b1{result.unit.amount(result.differing.bound)}"
        why = bound if result.verdict == EQUIVALENT else CANNOT_TELL
        return Row(name, why=minus(f"{result.unit.signed(interval.estimate)}, {why}"))
    beside = "  " if len(result.verdict) < LONG_WORD else "\n"
    return Row(name, interval, BLUE, strong=True, after=f"{beside}{result.verdict}")


def _least_edge(result: Comparison) -> float:
    """The shortest axis on which the margin and the model's interval can be read."""
    model = result.difference
    return result.unit.factor * max(abs(model.low), abs(model.high), FEWEST_MARGINS * result.margin)


def _shaded(result: Comparison | Experiment) -> str:
    return f"shaded: too small to matter (under {result.decision.unit.factor * result.margin:g})"


@checked
@style_context()
def arms(result: Experiment, *, ax: Axes | None = None) -> Axes:
    """Net of each arm minus control, as measured and as it had been estimated, with their intervals.

    Returns
    -------
    Axes
        x: difference in net; a row an arm, and one below it for its estimate and for the gap between both.
    """
    rows, unit = [], result.decision.unit
    for arm in result.arms:
        rows.append(Row(arm.name, arm.effects["net"].difference, BLUE, strong=True, after=f"  {arm.word}"))
        if arm.estimate and arm.gap:
            rows += [Row("  estimated offline", arm.estimate), Row("  measured minus estimated", arm.gap)]
    if not rows:
        raise WorkbenchError("a test whose users do not fit the planned shares has no differences to draw.")
    spans = [row.interval for row in rows if row.interval is not None]
    farthest = max(max(abs(each.low), abs(each.high)) for each in spans)
    ax = axes_or_new(ax, 2.1 + 0.42 * len(rows))
    draw_rows(ax, rows, unit, 1.25 * unit.factor * max(farthest, FEWEST_MARGINS * result.margin), result.margin)
    ax.set_xlabel(f"Net minus that of {result.control}, {unit.per_view}")
    words = "; ".join(f"{arm.name}: {unit.span(arm.effects['net'].difference)}, {arm.word}" for arm in result.arms)
    return finish(ax, result.card, f"Net minus that of {result.control}. {words}.", note=_shaded(result))


@checked
@style_context()
def headroom(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """The most there is to win: net of perfect knowledge over the best choice that needs no knowledge, on test.

    Returns
    -------
    Axes
        x: net over that choice; one bar each for perfect knowledge, the model, the best rule and today.
    """
    shown = [result.of(which) for which in ("oracle", "model", "best_rule", "today")]
    shown = shown[:-1] if shown[-1] is shown[-2] else shown
    nets = np.array([policy.figures.net for policy in shown])
    gains = result.unit.factor * (nets - nets[0] + result.headroom)
    margin = result.unit.factor * result.margin
    ax = axes_or_new(ax, 1.9 + 0.45 * len(shown))
    colours = [PARTS[part_of(result, policy)]["color"] for policy in shown]
    ax.barh(range(len(shown)), gains, 0.6, color=colours, zorder=2)
    ax.axvline(0, color=MUTED, linewidth=1, zorder=3)
    ax.axvline(margin, color=MUTED, linewidth=1, linestyle="--", zorder=3)
    ax.set_yticks(range(len(shown)), [textwrap.fill(name_of(result, policy), NAME_WIDTH) for policy in shown])
    numbers = [minus(f"{gain:+.{result.unit.digits}f}") for gain in gains]
    for y, (tick, colour, number) in enumerate(zip(ax.get_yticklabels(), colours, numbers, strict=True)):
        tick.set(color=WORDS[colour])
        write_right(ax, y, number, colour=colour)
    clear_rows(ax, len(shown))
    ax.set_xlabel(f"Net over the best choice that needs no knowledge,\n{result.unit.per_view}")
    each = ", ".join(f"{part_of(result, policy)} {number}" for policy, number in zip(shown, numbers, strict=True))
    words = f"{findings(result)['headroom']}. Net over the best choice that needs no knowledge: {each}."
    return finish(ax, result.split.card, words, note=f"dashed: smallest gain that matters ({margin:g})")


@checked
@style_context()
def reliability(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """Calibration: the chance that the model gave an event, against how often it happened.

    Returns
    -------
    Axes
        x: mean chance in each tenth of the predictions on test; y: share of it where the event happened. They agree
        on the diagonal.
    """
    ax = axes_or_new(ax, 5.4)
    table, event = result.reliability, result.decision.report.event
    end = 1.08 * float(table[["chance", "share"]].to_numpy().max())
    ax.plot([0, end], [0, end], color=MUTED, linewidth=1, linestyle="--")
    ax.plot(table["chance"], table["share"], "o-", color=BLUE, zorder=3)
    ax.set(xlim=(0, end), ylim=(0, end), box_aspect=1)
    ax.set(xlabel=f"Predicted chance that {event}", ylabel="Observed share")
    ax.xaxis.set_major_formatter(percent())
    ax.yaxis.set_major_formatter(percent())
    ax.text(0.91 * end, 0.955 * end, "as predicted", ha="right", va="center", color=MUTED, fontsize=10)
    lowest, highest = (
        f"{100 * row['chance']:.0f} % were predicted, {100 * row['share']:.0f} % came true"
        for row in (table.iloc[0], table.iloc[-1])
    )
    tenths = f"in the tenth with the lowest chances {lowest}; in the tenth with the highest {highest}"
    slope = f"Slope {result.calibration.slope:.2f} (1 is ideal)"
    return finish(ax, result.split.card, f"Chance that {event}: {tenths}. {slope}.")


@checked
@style_context()
def sensitivity(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """Model minus best rule where one assumption is changed at a time, with 95 % intervals.

    The base case is on top. Where a change gives another verdict, that is on the right; where it could not be tried,
    the reason. An arrow marks what lies beyond the axis.

    Parameters
    ----------
    result : Comparison
        From ``wb.study(..., sensitivity=True)``.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: difference in net; one row a change, grouped by what it changes.

    Raises
    ------
    WorkbenchError
        If the study did not change its assumptions.
    """
    if result.sensitivity is None:
        raise WorkbenchError(
            "this study did not change its assumptions, which takes a while: ask for it with "
            "wb.study(..., sensitivity=True)."
        )
    changes = result.sensitivity[result.sensitivity["group"] != BASE]
    rows = [_row(result, "base case", result.difference, "model")]
    for group, members in changes.groupby("group", sort=False):
        prefix = f"{group}: " if len(members) == 1 else ""
        rows += [] if prefix else [Row(str(group))]
        rows += [_change_row(f"{prefix}{change['change']}", change, result) for _, change in members.iterrows()]
    ax = axes_or_new(ax, 1.7 + 0.3 * len(rows))
    unit = result.unit
    edge = edge_of(unit.factor * changes["low"], unit.factor * changes["high"], _least_edge(result))
    draw_rows(ax, rows, unit, edge, result.margin)
    ax.set_xlabel(f"Model minus best rule, {unit.per_view}")
    note = f"{_shaded(result)}; each row is a study of its own\narrow and word: where the verdict would be another"
    failed = int(changes["difference"].isna().sum())
    missing = f"{failed} could not be tried." if failed else ""
    words = f"Base case {result.gain} {unit.name}, {result.verdict}."
    words = " ".join(filter(None, (words, robustness(result), trainings(result), missing)))
    return finish(ax, result.split.card, words, note=note)


def _change_row(name: str, change: pd.Series, result: Comparison) -> Row:
    if not np.isfinite(change["difference"]):
        return Row(name, why=textwrap.shorten(str(change["note"]), WHY_WIDTH, placeholder=" ..."))
    if change["verdict"] == TOO_FEW and change["settled_by"] == change["best_rule"]:
        return Row(name, why=CANNOT_TELL)
    interval = Interval(change["difference"], change["low"], change["high"], 0)
    if change["verdict"] == result.verdict:
        return Row(name, interval)
    word = "better, too little" if change["verdict"] == TOO_LITTLE else change["verdict"]
    return Row(name, interval, VERMILLION, after=f"  \u2192 {word}")


@checked
@style_context()
def who_gains(result: Comparison, *, most: int = 4, ax: Axes | None = None) -> Axes:
    """Model minus best rule in net, segment by segment, with 95 % intervals, on test.

    Exploratory, and all grey: among many segments, some differ by chance. An arrow marks what lies beyond the axis; the
    numbers are on the right.

    Parameters
    ----------
    result : Comparison
    most : int
        Levels drawn in each dimension, those with most users; ``result.segments`` holds all.
    ax : Axes, optional

    Returns
    -------
    Axes
        x: difference in net; one row a level, under its dimension.

    Raises
    ------
    WorkbenchError
        If there is no segment to draw.
    """
    segments, unit = result.segments, result.unit
    if not len(segments):
        raise WorkbenchError(
            f"{result.split.card.name}: no segment has enough {result.people} on both sides; take more rows, or name "
            "more columns of context."
        )
    named = segments[segments["level"] != OTHER]
    rank = named.groupby("dimension", sort=False)["users"].rank(ascending=False, method="first")
    shown = named[rank <= most]
    rows = []
    for dimension, levels in shown.groupby("dimension", sort=False):
        rows.append(Row(str(dimension)))
        rows += [Row(_level(level), _interval(level)) for _, level in levels.iterrows()]
    ax = axes_or_new(ax, 1.5 + 0.26 * len(rows))
    edge = edge_of(unit.factor * shown["low"], unit.factor * shown["high"], unit.factor * result.margin)
    draw_rows(ax, rows, unit, edge)
    ax.set_xlabel(f"Model minus best rule, {unit.per_view}")
    cut = "" if len(shown) == len(segments) else f"the {most} largest levels of each; "
    exploratory = "exploratory: about 1 interval in 20 misses by chance alone"
    note = f"best rule: {result.of('best_rule').name}\nin brackets: {result.people}; {cut}{exploratory}"
    ends = segments.loc[[segments["difference"].idxmin(), segments["difference"].idxmax()]]
    least, largest = (f"{row['dimension']} {row['level']}, {unit.span(_interval(row))}" for _, row in ends.iterrows())
    found = f"Net of model minus best rule in {len(segments)} segments, in {unit.name}, exploratory"
    return finish(ax, result.split.card, f"{found}: smallest in {least}; largest in {largest}.", note=note)


def _level(level: pd.Series) -> str:
    return f"{short_name(str(level['level']), LEVEL_WIDTH)} ({level['users']:,})"


def _interval(level: pd.Series) -> Interval:
    return Interval(level["difference"], level["low"], level["high"], level["users"])
