"""Importance as a picture: two panels with the same rows, readable, with all its intervals."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from workbench.explanation.feature_importance import Importance
from workbench.explanation.shap_by_feature import THE_QUESTION

from workbench import plotting
from workbench.datasets.cards import Card
from workbench.errors import WorkbenchError
from workbench.plotting.style import BLUE, GREY, VERMILLION
from workbench.studies.comparison import NET_HITS, POINTS

ROWS = [
    ("ASN", 0.76, 0.71, 0.81, 9.8, 7.3, 12.5, 0.4),
    ("last throughput", 0.34, 0.32, 0.36, 0.4, -0.4, 1.2, 0.1),
    ("age of the last measurement", 0.2, 0.15, 0.25, -2.0, -3.1, -0.9, 0.1),
    ("city", 0.01, 0.0, 0.02, 0.0, 0.0, 0.0, 0.0),
    (THE_QUESTION, 0.5, 0.45, 0.55, np.nan, np.nan, np.nan, np.nan),
]
COLUMNS = ["feature", "shap", "shap_low", "shap_high", "net", "net_low", "net_high", "turned"]


@pytest.fixture
def result():
    return Importance(
        table=pd.DataFrame(ROWS, columns=COLUMNS),
        question="log-odds that throughput is below 6.9 Mbit/s",
        rows=1_000,
        users=494,
        left_out=0,
        looks=1,
        settled=True,
        open_pairs=(),
        replayed=2_003,
        replayed_users=967,
        unit=POINTS,
        people="users",
        card=Card("world", simulated=True),
    )


def test_words_lie_apart_and_none_is_cut(result, faults_of):
    pages = replace(
        result,
        table=(result.table.set_index("feature") / 30).reset_index().replace("ASN", "<b>" + "long" * 10),
        unit=NET_HITS,
        question="log-odds that the model's first choice is the next page",
        settled=False,
        people="sessions",
    )
    many = replace(result, table=pd.concat([result.table] * 4, ignore_index=True))
    for shown in (result, pages, many):
        assert faults_of(plotting.importance(shown).figure) == []


def test_both_panels_have_the_same_rows(result):
    left = plotting.importance(result)
    right = left.figure.axes[-1]
    assert [label.get_text() for label in left.get_yticklabels()] == list(result.table["feature"])
    assert left.get_ylim() == right.get_ylim()
    dots = [line for line in right.lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in dots] == pytest.approx(result.table["net"].iloc[:4])
    assert [to_hex(line.get_color()) for line in dots] == [BLUE, GREY, VERMILLION, GREY]
    strength = next(line for line in left.lines if line.get_marker() == "o")
    assert strength.get_xdata() == pytest.approx(result.table["shap"])
    assert [text.get_text() for text in right.texts][-1] == "no column to permute"
    assert right.get_title("right") == "SIMULATED: world"


def test_net_is_told_in_its_unit(result):
    right = plotting.importance(replace(result, unit=NET_HITS)).figure.axes[-1]
    assert right.lines[2].get_xdata()[0] == pytest.approx(980)
    assert "net hits per 100 views" in right.get_xlabel().replace("\n", " ")


def test_no_more_rows_than_asked_for(result):
    ax = plotting.importance(result, most=2)
    assert len(ax.get_yticklabels()) == 2
    with pytest.raises(WorkbenchError, match="most must be a whole number from 1; got 0"):
        plotting.importance(result, most=0)


def test_it_goes_where_it_is_told(result):
    figure, (above, below) = plt.subplots(2)
    assert plotting.importance(result, ax=below) is below
    assert not above.lines and len(figure.axes) == 4
    alone = Figure().subplots()
    assert plotting.importance(result, ax=alone) is alone
    with pytest.raises(WorkbenchError, match=r"two panels: pass axes from plt\.subplots\(\)"):
        plotting.importance(result, ax=figure.add_axes((0, 0, 1, 1)))


def test_nothing_to_draw_is_said(result):
    with pytest.raises(WorkbenchError, match="this model has no feature"):
        plotting.importance(replace(result, table=result.table.head(0)))


def test_those_who_cannot_see_it_are_told(result):
    words = plotting.alt_text(plotting.importance(result))
    assert "ASN 0.76, net lost +9.8 (+7.3 to +12.5)" in words
    assert THE_QUESTION not in words
