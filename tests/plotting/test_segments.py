"""Who gains: what is drawn is what the finding holds, exploratory and grey."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from workbench import plotting
from workbench.errors import WorkbenchError
from workbench.plotting.style import GREY

each_finding = pytest.mark.parametrize("finding", ["planted", "real"])


@pytest.fixture
def result(finding, request):
    return request.getfixturevalue(finding)


def drawn(result, most: int):
    named = result.segments[result.segments["level"] != "other"]
    return named[named.groupby("dimension")["users"].rank(ascending=False, method="first") <= most]


@each_finding
@pytest.mark.parametrize("most", [2, 4, 20])
def test_words_lie_apart_and_none_is_cut(result, most, faults_of):
    ax = plotting.who_gains(result, most=most)
    assert faults_of(ax.figure) == []


@each_finding
def test_rows_are_the_largest_levels_under_their_dimension(result):
    ax = plotting.who_gains(result)
    expected = []
    for dimension, levels in drawn(result, 4).groupby("dimension", sort=False):
        expected += [dimension, *(f"{row.level} ({row.users:,})" for row in levels.itertuples())]
    assert [label.get_text() for label in ax.get_yticklabels()] == expected
    numbers = [
        float(text.get_text().split(" ")[0].replace("\u2212", "-")) for text in ax.texts[: len(drawn(result, 4))]
    ]
    assert numbers == pytest.approx(drawn(result, 4)["difference"].to_list(), abs=0.051)


@each_finding
def test_every_dot_stands_where_it_belongs_and_is_grey(result):
    ax = plotting.who_gains(result)
    low, high = ax.get_xlim()
    inside = [each for each in drawn(result, 4)["difference"] if low <= each <= high]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in dots] == pytest.approx(inside)
    assert {line.get_color() for line in dots} == {GREY}
    assert low == -high
    arrows = sum(line.get_marker() in ("<", ">") for line in ax.lines)
    assert arrows == (drawn(result, 4)["low"] < low).sum() + (drawn(result, 4)["high"] > high).sum()


@each_finding
def test_no_verdict_is_told(result):
    ax = plotting.who_gains(result)
    words = " ".join([text.get_text() for text in ax.texts] + [plotting.alt_text(ax)])
    assert "exploratory" in words
    assert not any(word in words for word in ("better", "worse", "equivalent", "inconclusive"))


def test_it_goes_where_it_is_told(planted):
    ax = Figure().subplots()
    assert plotting.who_gains(planted, ax=ax) is ax
    assert plt.get_fignums() == []
    segments = planted.segments
    best = segments.loc[segments["difference"].idxmax()]
    assert f"most in {best['dimension']}, {best['level']}: {best['difference']:+.1f} " in plotting.alt_text(ax)


def test_without_segments_there_is_nothing_to_draw(planted):
    with pytest.raises(WorkbenchError, match="no segment has users enough"):
        plotting.who_gains(replace(planted, segments=planted.segments[:0]))


@each_finding
def test_segments_of_a_finding_belong_to_it(result):
    """Each dimension that holds every view adds up to the difference that is judged."""
    speed = result.segments[result.segments["dimension"] == "speed"]
    assert speed["views"].sum() == len(result.detail.slow)
    assert np.average(speed["difference"], weights=speed["views"]) == pytest.approx(result.difference.estimate)
    slow = speed.set_index("level").loc["slowest fifth"]
    assert slow["added_wait_ms"] == pytest.approx(result.safety.added_wait.estimate)
    assert (result.segments["users"] >= 20).all()
    assert result.to_dict()["segments"][0]["dimension"] == result.segments["dimension"].iloc[0]


# Prefetching


def test_of_prefetching_words_lie_apart_and_none_is_cut(site, faults_of):
    ax = plotting.who_gains(site)
    assert faults_of(ax.figure) == []
    assert ax.get_xlabel() == "Model minus best rule, net hits per 100 views"
    assert {"device", "page", "place in the session"} <= {label.get_text() for label in ax.get_yticklabels()}


def test_of_prefetching_segments_belong_to_their_finding(site):
    place = site.segments[site.segments["dimension"] == "place in the session"]
    assert place["views"].sum() == len(site.split.test)
    assert np.average(place["difference"], weights=place["views"]) == pytest.approx(site.difference.estimate)
    assert (site.segments["users"] >= 20).all()
