import textwrap
from dataclasses import replace
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from workbench import plotting
from workbench.evidence.bootstrap import cluster_interval
from workbench.evidence.verdict import Differing
from workbench.plotting.frontier import NAME_WIDTH
from workbench.plotting.labels import PARTS, Mark, label_marks, merge_marks, name_of, part_of
from workbench.studies import report


@pytest.fixture(scope="module")
def drawn(result, draw):
    ax = draw(plotting.frontier, result)
    plt.close("all")
    return ax


def on_axes(result, table: pd.DataFrame) -> np.ndarray:
    return np.column_stack([axis.factor * table[axis.column].to_numpy(float) for axis in result.decision.axes])


def at(result, policy) -> np.ndarray:
    return on_axes(result, policy.outcomes).mean(axis=0)


def words_of(ax) -> str:
    return " ".join("\n".join(text.get_text() for text in ax.texts).split())


def dashed(ax) -> list:
    return [line for line in ax.lines if line.get_linestyle() == "--"]


def test_every_limit_is_drawn_and_the_chosen_one_marked(result, drawn):
    assert [drawn.get_xlabel(), drawn.get_ylabel()] == [axis.label for axis in result.decision.axes]
    lines = {line.get_label(): line.get_xydata() for line in drawn.lines}
    marks = [line.get_xydata()[0] for line in drawn.lines if len(line.get_xdata()) == 1]
    for policy in result.results:
        if policy.frontier is not None and policy.name in lines:
            assert lines[policy.name] == pytest.approx(on_axes(result, policy.frontier.sort_values("limit")))
        if policy.kind in ("rule", "model") and policy.available:
            assert min(np.hypot(*(mark - at(result, policy))) for mark in marks) < 1e-9


def test_every_policy_is_named_once_or_in_the_note_if_it_lies_far_off(result, drawn):
    labels = "\n".join(["", *(text.get_text() for text in drawn.texts), ""])
    top, right = drawn.get_ylim()[1], drawn.get_xlim()[1]
    digits = result.decision.axes[1].digits
    names = [f"\n{textwrap.fill(name_of(result, policy), NAME_WIDTH)}\n" for policy in result.results]
    for policy, label in zip(result.results, names, strict=True):
        noted = f"{policy.name}: " in words_of(drawn)
        in_others = sum(label in other for other in names if other != label and other in labels)
        assert labels.count(label) - in_others + noted == policy.available, policy.name
        if policy.kind in ("reference", "oracle") and policy.available:
            cost, gain = at(result, policy)
            assert (f"{policy.name}: {gain:,.{digits}f} at" in words_of(drawn)) == (gain > top or cost > right)
    assert labels.count("\nbest rule") == 1 and "\nbetter\n" in labels


def test_net_is_the_same_on_the_dashed_line(result, drawn):
    """By another road: what the scenario says that cost is worth."""
    (line,) = dashed(drawn)
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
    assert not dashed(plotting.frontier(replace(planted, results=results)))


def bars_of(ax):
    return [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]


def test_bars_are_intervals_of_the_distance_to_the_best_rule(result, draw):
    """By another road: one column at a time, from the outcomes themselves; none of the model where few differ."""
    few = draw(plotting.frontier, replace(result, differing=Differing(99, 400, 9.0)))
    assert PARTS["model"]["color"] not in {bar.get_color() for bar in bars_of(few)}
    bars = bars_of(draw(plotting.frontier, replace(result, differing=Differing(100, 400, 9.0))))
    rule, model = result.of("best_rule").outcomes, result.of("model")
    users = result.split.test.loc[rule.index, result.split.cluster].to_numpy()
    place = at(result, model)
    for along, axis in enumerate(result.decision.axes):
        interval = cluster_interval(axis.factor * (model.outcomes[axis.column] - rule[axis.column]).to_numpy(), users)
        ends = axis.factor * rule[axis.column].mean() + np.array([interval.low, interval.high])
        across = [bar.get_xydata() for bar in bars]
        own = [bar[:, along] for bar in across if bar[:, 1 - along] == pytest.approx([place[1 - along]] * 2)]
        luck = 0.1 * np.ptp(ends)  # of other draws
        assert any(bar == pytest.approx(ends, abs=luck + 1e-9) for bar in own), axis.column
    assert not {PARTS["best rule"]["color"], PARTS["other"]["color"]} & {bar.get_color() for bar in bars}
    shown = [p for p in result.results if p.available and part_of(result, p) not in ("best rule", "other")]
    assert 2 <= len(bars) <= 2 * len(shown)


def test_small_numbers_keep_their_sense_in_words(result, drawn):
    said = plotting.alt_text(drawn)
    for axis in result.decision.axes:
        model, rule = (axis.factor * result.of(which).outcomes[axis.column].mean() for which in ("model", "best_rule"))
        assert f"{model - rule:+.{max(1, axis.digits)}f}" in said
    assert said.endswith(report.findings(result)["frontier"] + ".")


@pytest.fixture
def ax():
    figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
    ax.set(xlim=(0, 100), ylim=(0, 100))
    figure.draw_without_rendering()
    return ax


def test_marks_on_one_another_share_a_label(ax):
    marks = [Mark("a", 10, 10, {"color": "red"}), Mark("b", 50, 50), Mark("c", 10.2, 10.1)]
    assert merge_marks(ax, marks) == [Mark("a\nc", 10, 10, {"color": "red"}), marks[1]]


@pytest.mark.parametrize("seed", range(3))
def test_labels_of_many_marks_lie_apart_and_inside(ax, seed):
    rng = np.random.default_rng(seed)
    marks = merge_marks(ax, [Mark(f"policy number {i}", *rng.normal(60, 12, 2)) for i in range(9)])
    boxes = [label.get_window_extent() for label in label_marks(ax, marks)]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    for box in boxes:
        assert ax.bbox.x0 <= box.x0 <= box.x1 <= ax.bbox.x1 and ax.bbox.y0 <= box.y0 <= box.y1 <= ax.bbox.y1
        assert not any(box.contains(*mark.pixels(ax)) for mark in marks)


def test_a_label_keeps_off_lines_and_a_leader_goes_to_one_that_moved_away(ax):
    line = np.array([[0, 50], [100, 50]])
    (label,) = label_marks(ax, [Mark("on a line", 20, 50)], [line])
    box, (_, y) = label.get_window_extent(), ax.transData.transform((20, 50))
    assert not box.y0 < y < box.y1
    walls = [np.array([[0, y], [100, y]]) for y in np.arange(46, 55, 1.0)]
    label_marks(ax, [Mark("far", 60, 50)], walls)
    assert [text.get_text() for text in ax.texts] == ["on a line", "far", ""]
