"""The frontier as a picture: what is drawn is what the result holds, on the decision's own axes."""

import textwrap
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from workbench import plotting
from workbench.evidence.bootstrap import cluster_interval
from workbench.plotting.frontier import NAME_WIDTH
from workbench.plotting.labels import PARTS, name_of, part_of
from workbench.studies import report

each_finding = pytest.mark.parametrize("finding", ["planted", "real", "site", "letters"])


@pytest.fixture
def result(finding, request):
    return request.getfixturevalue(finding)


def on_axes(result, table: pd.DataFrame) -> np.ndarray:
    return np.column_stack([axis.factor * table[axis.column].to_numpy(float) for axis in result.decision.axes])


def bars_of(ax) -> list:
    return [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]


def words_of(ax) -> str:
    return " ".join("\n".join(text.get_text() for text in ax.texts).split())


@each_finding
def test_every_limit_is_drawn_and_the_chosen_one_marked(result):
    ax = plotting.frontier(result)
    assert [ax.get_xlabel(), ax.get_ylabel()] == [axis.label for axis in result.decision.axes]
    lines = {line.get_label(): line.get_xydata() for line in ax.lines}
    marks = [line.get_xydata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    for policy in result.results:
        if policy.frontier is not None and policy.name in lines:
            assert lines[policy.name] == pytest.approx(on_axes(result, policy.frontier.sort_values("limit")))
        if policy.kind in ("rule", "model") and policy.available:
            at = on_axes(result, policy.outcomes).mean(axis=0)
            assert min(np.hypot(*(mark - at)) for mark in marks) < 1e-9


@each_finding
def test_every_policy_is_named_once_or_in_the_note(result):
    ax = plotting.frontier(result)
    labels = "\n".join(["", *(text.get_text() for text in ax.texts), ""])
    for policy in result.results:
        noted = f"{policy.name}: " in words_of(ax)
        label = textwrap.fill(name_of(result, policy), NAME_WIDTH)
        assert labels.count(f"\n{label}\n") + noted == policy.available, policy.name
    assert labels.count("\nbest rule") == 1
    assert "\nbetter\n" in labels


@each_finding
def test_what_lies_far_off_is_in_the_note_with_its_numbers(result):
    ax = plotting.frontier(result)
    top, right = ax.get_ylim()[1], ax.get_xlim()[1]
    for policy in result.results:
        if policy.kind in ("reference", "oracle") and policy.available:
            cost, gain = on_axes(result, policy.outcomes).mean(axis=0)
            digits = result.decision.axes[1].digits
            noted = f"{policy.name}: {gain:,.{digits}f} at" in words_of(ax)
            assert noted == (gain > top or cost > right)


@each_finding
def test_net_is_the_same_on_the_dashed_line(result):
    """By another road: what the scenario says that cost is worth."""
    ax = plotting.frontier(result)
    (line,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    scenario, ends = result.scenario, (line.get_xy1(), line.get_xy2())
    if result.decision.name == "images":
        nets = [y - scenario.wait_price * x for x, y in ends]
    else:
        nets = [y / 100 - scenario.unused_price * x for x, y in ends]
    assert nets == pytest.approx([result.of("best_rule").figures.net] * 2)


def test_no_line_of_equal_net_where_cost_has_no_fixed_price(planted):
    results = tuple(
        replace(each, outcomes=each.outcomes.assign(net=np.sqrt(each.outcomes["quality"]))) if each.available else each
        for each in planted.results
    )
    ax = plotting.frontier(replace(planted, results=results))
    assert not [line for line in ax.lines if line.get_linestyle() == "--"]


@each_finding
def test_bars_are_intervals_of_the_distance_to_the_best_rule(result):
    """By another road: one column at a time, from the outcomes themselves."""
    ax = plotting.frontier(result)
    drawn = [bar.get_xydata() for bar in bars_of(ax)]
    rule = result.of("best_rule").outcomes
    users = result.split.test.loc[rule.index, result.split.cluster].to_numpy()
    model = result.of("model")
    at = on_axes(result, model.outcomes).mean(axis=0)
    for along, axis in enumerate(result.decision.axes):
        interval = cluster_interval(axis.factor * (model.outcomes[axis.column] - rule[axis.column]).to_numpy(), users)
        ends = axis.factor * rule[axis.column].mean() + np.array([interval.low, interval.high])
        own = [bar[:, along] for bar in drawn if bar[:, 1 - along] == pytest.approx([at[1 - along]] * 2)]
        luck = 0.1 * np.ptp(ends)  # of other draws
        assert any(bar == pytest.approx(ends, abs=luck + 1e-9) for bar in own), axis.column
    colours = {bar.get_color() for bar in bars_of(ax)}
    assert not {PARTS["best rule"]["color"], PARTS["other"]["color"]} & colours
    shown = [p for p in result.results if p.available and part_of(result, p) not in ("best rule", "other")]
    assert 2 <= len(drawn) <= 2 * len(shown)


@each_finding
def test_small_numbers_keep_their_sense_in_words(result):
    said = plotting.alt_text(plotting.frontier(result))
    for axis in result.decision.axes:
        model, rule = (axis.factor * result.of(which).outcomes[axis.column].mean() for which in ("model", "best_rule"))
        assert f"{model - rule:+.{max(1, axis.digits)}f} (" in said
    assert said.endswith(report.findings(result)["frontier"] + ".")
