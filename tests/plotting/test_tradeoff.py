"""The frontier as a picture: what is drawn is what the finding holds, and its words can be read."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from workbench import plotting
from workbench.evidence.bootstrap import cluster_interval
from workbench.plotting.labels import PARTS, name_of, part_of
from workbench.studies import report

each_finding = pytest.mark.parametrize("finding", ["planted", "real"])


@pytest.fixture
def result(finding, request):
    return request.getfixturevalue(finding)


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def bars_of(ax) -> list:
    return [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]


@each_finding
def test_words_lie_apart_and_none_is_cut(result, faults_of):
    assert faults_of(plotting.frontier(result).figure) == []


@each_finding
def test_it_names_its_data_and_says_what_it_shows(result):
    ax = plotting.frontier(result)
    card = result.split.card
    assert ax.get_title("right") == (f"SIMULATED: {card.name}" if card.simulated else card.name)
    said = plotting.alt_text(ax)
    assert said.endswith(report.findings(result)["frontier"] + ".")
    assert "Model minus best rule: " in said


def test_it_goes_where_it_is_told_and_leaves_no_figure_behind(planted):
    ax = Figure().subplots()
    assert plotting.frontier(planted, ax=ax) is ax
    assert plt.get_fignums() == []


@each_finding
def test_the_frontier_draws_every_limit_and_marks_the_chosen_one(result):
    ax = plotting.frontier(result)
    lines = {line.get_label(): line for line in ax.lines}
    marks = {tuple(line.get_xydata()[0]) for line in ax.lines if len(line.get_xdata()) == 1}
    for policy in result.results:
        if policy.frontier is not None:
            drawn = lines[policy.name].get_xydata()
            assert drawn == pytest.approx(policy.frontier[["excess_wait_ms", "quality"]].to_numpy())
            (chosen,) = policy.frontier.index[policy.frontier["limit"] == policy.limit]
            assert tuple(drawn[chosen]) in marks
        if policy.available:
            at = policy.outcomes[["excess_wait_ms", "quality"]].mean()
            assert min(np.hypot(*(np.array(mark) - at.to_numpy())) for mark in marks) < 1e-6


@each_finding
def test_the_frontier_names_every_policy_once(result):
    ax = plotting.frontier(result)
    named = "\n".join(texts(ax)).split("\n")
    policies = [name_of(result, policy) for policy in result.results if policy.available]
    assert sorted(policies) == sorted(name for name in named if name in policies)
    assert sum(name.startswith("best rule") for name in named) == 1
    assert any(name.startswith("today") or "and today" in name for name in named)
    assert not any(policy.name in named for policy in result.results if not policy.available)
    assert "better" in named


@each_finding
def test_on_the_dashed_line_net_is_that_of_the_best_rule(result):
    ax = plotting.frontier(result)
    (line,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    (x0, y0), (x1, y1) = line.get_xy1(), line.get_xy2()
    nets = [y - result.scenario.wait_price * x for x, y in ((x0, y0), (x1, y1))]
    assert nets == pytest.approx([result.of("best_rule").outcomes["net"].mean()] * 2)


@each_finding
def test_bars_are_intervals_of_the_distance_to_the_best_rule(result):
    """By another road: one column at a time, from the outcomes themselves."""
    drawn = [bar.get_xydata() for bar in bars_of(plotting.frontier(result))]
    rule = result.of("best_rule").outcomes
    users = result.split.test.loc[rule.index, "user_id"].to_numpy()
    with_bars = [p for p in result.results if p.available and part_of(result, p) not in ("best rule", "other")]
    assert len(drawn) == 2 * len(with_bars) >= 4
    for policy in with_bars:
        at = policy.outcomes[["excess_wait_ms", "quality"]].mean().to_numpy()
        for along, column in enumerate(["excess_wait_ms", "quality"]):
            interval = cluster_interval((policy.outcomes[column] - rule[column]).to_numpy(), users)
            ends = rule[column].mean() + np.array([interval.low, interval.high])
            own = [bar[:, along] for bar in drawn if bar[:, 1 - along] == pytest.approx([at[1 - along]] * 2)]
            luck = 0.08 * np.ptp(ends)  # of other draws
            assert any(bar == pytest.approx(ends, abs=luck + 1e-9) for bar in own), (policy.name, column)


@each_finding
def test_the_best_rule_and_the_other_rules_have_no_bars(result):
    colours = {bar.get_color() for bar in bars_of(plotting.frontier(result))}
    assert PARTS["model"]["color"] in colours
    assert not {PARTS["best rule"]["color"], PARTS["other"]["color"]} & colours


# Prefetching


each_site = pytest.mark.parametrize("finding", ["site", "letters"])


@each_site
def test_of_prefetching_words_lie_apart_and_none_is_cut(result, faults_of):
    ax = plotting.frontier(result)
    assert faults_of(ax.figure) == []
    assert ax.get_title("right") == ("SIMULATED: synthetic_navigations" if result.split.card.simulated else "letters")


@each_site
def test_of_prefetching_hits_are_drawn_against_unused_pages(result):
    ax = plotting.frontier(result)
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "Pages fetched for nothing, a view",
        "Pages there at the click, of 100 views",
    )
    lines = {line.get_label(): line.get_xydata() for line in ax.lines}
    marks = [line.get_xydata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    for which in ("model", "best_rule", "today"):
        policy = result.of(which)
        at = [policy.outcomes["unused"].mean(), 100 * policy.outcomes["hits"].mean()]
        assert min(np.hypot(*(mark - at)) for mark in marks) < 1e-9
        if policy.frontier is not None:
            assert lines[policy.name] == pytest.approx(policy.frontier[["unused_per_view", "hits_per_100"]].to_numpy())


@each_site
def test_of_prefetching_what_lies_far_off_is_told_and_not_drawn(result):
    ax = plotting.frontier(result)
    perfect = result.of("oracle").figures
    said = " ".join("\n".join(texts(ax)).split())
    top = ax.get_ylim()[1]
    assert (f"perfect knowledge: {perfect.hits_per_100:.1f} hits at 0.00 unused" in said) == (
        perfect.hits_per_100 > top
    )
    for policy in result.results:
        if policy.available:
            assert policy.name in said
            assert policy.kind in ("reference", "oracle") or policy.figures.hits_per_100 < top


@each_site
def test_of_prefetching_net_is_the_same_on_the_dashed_line(result):
    ax = plotting.frontier(result)
    (line,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    price = 0.15 / 0.85
    nets = [y / 100 - price * x for x, y in (line.get_xy1(), line.get_xy2())]
    assert nets == pytest.approx([result.of("best_rule").figures.net] * 2)


@each_site
def test_of_prefetching_bars_are_in_hits_of_100_views_and_pages_a_view(result):
    model, rule = result.of("model"), result.of("best_rule")
    users = result.split.test[result.split.cluster].to_numpy()
    drawn = [bar.get_xydata() for bar in bars_of(plotting.frontier(result))]
    at = [model.figures.unused_per_view, model.figures.hits_per_100]
    for along, (column, factor) in enumerate([("unused", 1), ("hits", 100)]):
        interval = cluster_interval(factor * (model.outcomes[column] - rule.outcomes[column]).to_numpy(), users)
        ends = factor * rule.outcomes[column].mean() + np.array([interval.low, interval.high])
        own = [bar[:, along] for bar in drawn if bar[:, 1 - along] == pytest.approx([at[1 - along]] * 2)]
        assert any(bar == pytest.approx(ends, abs=0.1 * np.ptp(ends) + 1e-9) for bar in own), column


@each_site
def test_of_prefetching_small_numbers_keep_their_sense_in_words(result):
    said = plotting.alt_text(plotting.frontier(result))
    unused = result.of("model").figures.unused_per_view - result.of("best_rule").figures.unused_per_view
    assert f"{unused:+.2f} (" in said
    assert said.endswith(report.findings(result)["frontier"] + ".")
