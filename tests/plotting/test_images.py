"""The photograph as it is sent: each cell holds what the replay says, and can be read."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from workbench import plotting
from workbench.decisions.images.scenario import photo_as_sent
from workbench.errors import WorkbenchError
from workbench.plotting.images import DETAIL

each_finding = pytest.mark.parametrize("finding", ["planted", "real"])
WHICH = ("today", "best_rule", "model")


@pytest.fixture
def result(finding, request):
    return request.getfixturevalue(finding)


def captions(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


@each_finding
def test_words_lie_apart_and_none_is_cut(result, faults_of):
    ax = plotting.member_view(result)
    assert faults_of(ax.figure) == []
    name = result.split.card.name
    assert ax.get_title("right") == (f"SIMULATED: {name}" if result.split.card.simulated else name)


@each_finding
def test_each_cell_shows_what_most_views_of_the_group_get(result):
    """By another road: count renditions with NumPy, compare pixels."""
    ax = plotting.member_view(result)
    names = result.scenario.ladder.names
    policies = list(dict.fromkeys(result.of(which).name for which in WHICH))
    by_name = {result.of(which).name: result.of(which) for which in WHICH}
    cells = [(by_name[name].outcomes, group) for group in (result.detail.slow, result.detail.fast) for name in policies]
    assert len(ax.images) == len(cells)
    expected = []
    for image, (outcomes, group) in zip(ax.images, cells, strict=True):
        counts = np.bincount(outcomes["rendition"].to_numpy()[group], minlength=len(names))
        name, share = names[counts.argmax()], counts.max() / counts.sum()
        assert (image.get_array() == photo_as_sent(name)[DETAIL]).all()
        median = np.median(outcomes["load_ms"].to_numpy()[group])
        late = "late: " if median > result.scenario.budget_ms else ""
        expected += [f"{name}: {100 * share:.0f} % of views", f"{late}median {median:,.0f} ms"]
    assert captions(ax) == expected


@each_finding
def test_slow_and_fast_are_fifths_of_the_users_and_apart(result):
    frame = result.split.test.loc[result.of("model").outcomes.index]
    slow, fast = (frame.loc[group, "user_id"].nunique() for group in (result.detail.slow, result.detail.fast))
    assert slow == fast == round(0.2 * result.test_users)
    assert not (result.detail.slow & result.detail.fast).any()
    load = result.of("model").outcomes["load_ms"]
    assert load[result.detail.fast].median() < load[result.detail.slow].median()


def test_late_is_said(planted):
    tight = replace(planted, scenario=replace(planted.scenario, budget_ms=50))
    assert sum(text.startswith("late: median") for text in captions(plotting.member_view(tight))) == 6


def test_one_column_where_todays_rule_is_the_best(planted, faults_of):
    ax = plotting.member_view(replace(planted, today=planted.best_rule))
    assert len(ax.images) == 4
    assert ax.get_xticklabels()[0].get_text().replace("\n", " ").startswith("best rule and today")
    assert faults_of(ax.figure) == []


def test_a_long_name_stays_above_its_column(planted, faults_of):
    long = "last measurement up to 24 h, else table by (connection_type, isp)"
    results = tuple(replace(each, name=long) if each is planted.of("best_rule") else each for each in planted.results)
    assert faults_of(plotting.member_view(replace(planted, results=results)).figure) == []
    assert faults_of(plotting.who_gains(replace(planted, results=results)).figure) == []
    assert faults_of(plotting.frontier(replace(planted, results=results)).figure) == []


def test_a_fifth_of_a_handful_is_not_shown(planted):
    with pytest.raises(WorkbenchError, match="a fifth of the 20 users of test is under 5"):
        plotting.member_view(replace(planted, test_users=20))


def test_it_goes_where_it_is_told_and_says_what_it_shows(planted):
    ax = Figure().subplots()
    assert plotting.member_view(planted, ax=ax) is ax
    assert plt.get_fignums() == []
    assert plotting.alt_text(ax).count("median") == 6
