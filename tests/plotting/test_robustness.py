"""Changed assumptions: rows, flips and what could not be tried."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from workbench import plotting
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval
from workbench.plotting.style import BLUE, GREY, VERMILLION

NOTE = "a split by time needs user_id and measured_at in every row; take split_by_user instead"
ROWS = [
    ("base", "base case", 3.0, 1.5, 4.5, "better", "always small", ""),
    ("budget", "0.5 s", 2.0, 0.5, 3.5, "better", "always small", ""),
    ("budget", "2 s", 0.2, -0.4, 0.8, "equivalent", "always small", ""),
    ("wait that cancels", "100 ms", -3.0, -5.0, -1.5, "worse", "always small", ""),
    ("wait that cancels", "1600 ms", 80.0, 60.0, 99.0, "better", "always small", ""),
    ("split", "by time", np.nan, np.nan, np.nan, "", "", NOTE),
    ("seed", "seed 1", 3.1, 1.4, 4.4, "better", "always small", ""),
]
CHANGES = pd.DataFrame(ROWS, columns=["group", "change", "difference", "low", "high", "verdict", "best_rule", "note"])


@pytest.fixture
def result(planted):
    base = Interval(3.0, 1.5, 4.5, 400)
    return replace(planted, difference=base, verdict="better", margin=1.0, sensitivity=CHANGES)


def labels(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_words_lie_apart_and_none_is_cut(result, faults_of):
    assert faults_of(plotting.sensitivity(result).figure) == []


def test_the_base_case_stands_on_top_and_groups_have_headings(result):
    ax = plotting.sensitivity(result)
    assert labels(ax) == [
        "base case",
        "budget",
        "0.5 s",
        "2 s",
        "wait that cancels",
        "100 ms",
        "1600 ms",
        "split: by time",
        "seed: seed 1",
    ]
    low, high = ax.get_ylim()
    assert low > high, "rows are counted from the top"
    (base,) = [line for line in ax.lines if same_color(line.get_color(), BLUE) and len(line.get_xdata()) == 2]
    assert (list(base.get_xdata()), base.get_ydata()[0]) == ([1.5, 4.5], 0)


def test_a_flip_is_said_in_words(result):
    ax = plotting.sensitivity(result)
    told = {text.xy[1]: text.get_text() for text in ax.texts if text.get_text()[0] in "+\u2212"}
    assert told[0] == "+3.0 (+1.5 to +4.5)  better"
    assert told[2] == "+2.0 (+0.5 to +3.5)"
    assert told[3] == "+0.2 (\u22120.4 to +0.8)  \u2192 equivalent"
    assert told[5] == "\u22123.0 (\u22125.0 to \u22121.5)  \u2192 worse"
    dots = {line.get_ydata()[0]: line.get_color() for line in ax.lines if line.get_marker() == "o"}
    assert dots == {0: BLUE, 2: GREY, 3: VERMILLION, 5: VERMILLION, 8: GREY}, "row 6 lies beyond the axis"


def test_what_lies_beyond_the_axis_is_an_arrow(result):
    ax = plotting.sensitivity(result)
    arrows = [(line.get_marker(), line.get_ydata()[0]) for line in ax.lines if line.get_marker() in ("<", ">")]
    assert arrows == [(">", 6)]
    assert ax.get_xlim()[1] < 20, "one row does not flatten the others"


def test_what_could_not_be_tried_says_why(result):
    ax = plotting.sensitivity(result)
    (said,) = [text for text in ax.texts if text.get_text().startswith("a split by time needs")]
    assert said.get_position()[1] == 7
    assert len(said.get_text()) <= 80 and said.get_text().endswith(" ...")


def test_margin_is_shaded(result):
    (band,) = plotting.sensitivity(result).patches
    assert (band.get_x(), band.get_width()) == (-1, 2)


def test_its_words_count_the_flips(result):
    told = plotting.alt_text(plotting.sensitivity(result))
    assert "Of 5 changed assumptions, 2 flip the verdict: budget: 2 s (equivalent), wait that" in told
    assert told.endswith("1 could not be tried.")


def test_without_flips(result):
    calm = CHANGES[CHANGES["verdict"] == "better"]
    told = plotting.alt_text(plotting.sensitivity(replace(result, sensitivity=calm)))
    assert told.endswith("0 flip the verdict.")


def test_where_it_was_not_asked_for(result):
    with pytest.raises(WorkbenchError, match=r"study_images\(\.\.\., sensitivity=True\)"):
        plotting.sensitivity(replace(result, sensitivity=None))


def test_it_goes_where_it_is_told(result):
    ax = Figure().subplots()
    assert plotting.sensitivity(result, ax=ax) is ax
    assert plt.get_fignums() == []


# Prefetching

SITE_ROWS = [
    ("base", "base case", 0.01, 0.004, 0.016, "better", "first-order Markov", ""),
    ("break-even", "0.30", 0.02, 0.012, 0.028, "better", "never", ""),
    ("break-even", "0.45", 0.001, -0.003, 0.004, "equivalent", "never", ""),
    ("repeats", "kept", np.nan, np.nan, np.nan, "", "", "the frame came with its repeats collapsed"),
    ("seed", "seed 1", -0.01, -0.02, -0.001, "worse", "first-order Markov", ""),
]


@pytest.fixture
def of_a_site(site):
    base = Interval(0.01, 0.004, 0.016, 400)
    table = pd.DataFrame(SITE_ROWS, columns=CHANGES.columns)
    return replace(site, difference=base, verdict="better", margin=0.005, sensitivity=table)


def test_of_prefetching_words_lie_apart_and_none_is_cut(of_a_site, faults_of):
    assert faults_of(plotting.sensitivity(of_a_site).figure) == []


def test_of_prefetching_rows_are_in_net_hits_per_100_views(of_a_site):
    ax = plotting.sensitivity(of_a_site)
    assert labels(ax) == ["base case", "break-even", "0.30", "0.45", "repeats: kept", "seed: seed 1"]
    words = [text.get_text() for text in ax.texts]
    assert "+1.00 (+0.40 to +1.60)  better" in words
    assert "+0.10 (\u22120.30 to +0.40)  \u2192 equivalent" in words
    assert "the frame came with its repeats collapsed" in words
    assert ax.get_xlabel() == "Model minus best rule, net hits per 100 views"
    assert plotting.alt_text(ax) == (
        "Base case +1.00 (+0.40 to +1.60) net hits per 100 views, better. Of 3 changed assumptions, 2 flip the "
        "verdict: break-even: 0.45 (equivalent), seed: seed 1 (worse). 1 could not be tried."
    )


def test_a_study_of_prefetching_that_changed_nothing_says_how_to(site):
    with pytest.raises(WorkbenchError, match=r"wb\.study_prefetch likewise"):
        plotting.sensitivity(site)
