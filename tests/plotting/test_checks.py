"""Pictures of checks, from results that are written out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform
from workbench.explanation.data_checks import ALL, ALL_BUT_SOME, Drift, Redundancy
from workbench.explanation.feature_groups import Groups
from workbench.explanation.tabular_habits import REDUNDANT, ROWS, SHIFTED, USED_UP, WEAK, Habits

from workbench import plotting
from workbench.datasets.cards import Card
from workbench.evidence.bootstrap import Interval
from workbench.studies.comparison import NET_HITS, POINTS

CARD = Card("world", simulated=True)
FEATURES = ("ASN", "provider", "operating system", "age of the last measurement")
ASIDE = ("the person's earlier views", "what the person usually opens here", "how usual that page is", "NetInfo class")
EFFECT = {"net": -0.4, "net_low": -2.1, "net_high": 1.1, "trees_saved": 12, "kilobytes_saved": 18.4}
NOTHING = {"net": np.nan, "net_low": np.nan, "net_high": np.nan, "trees_saved": pd.NA, "kilobytes_saved": np.nan}


def redundant(alike=0.7):
    correlation = np.full((4, 4), 0.1) + 0.9 * np.eye(4)
    correlation[0, 1] = correlation[1, 0] = 0.8
    tree = linkage(squareform(1 - correlation, checks=False), method="complete")
    groups = (("ASN", "provider"),) if alike < 0.8 else ()
    rows = [
        {"group": 0, "features": groups[0], "what": what, "kept": kept, "dropped": dropped} | effect
        for what, kept, dropped, effect in (
            (ALL_BUT_SOME, ("ASN",), ("provider",), EFFECT),
            (ALL, (), ("ASN", "provider"), EFFECT | {"net": -9.0, "net_low": -15.9, "net_high": -2.6}),
        )
        if groups
    ]
    columns = ["group", "features", "what", "kept", "dropped", *EFFECT]
    found = Groups(FEATURES, correlation, tree, alike, groups)
    return Redundancy(found, pd.DataFrame(rows, columns=columns), POINTS, 900, 120, CARD)


@pytest.fixture
def shifted():
    table = pd.DataFrame(
        {
            "column": ["os_family", "last_next", "isp"],
            "feature": ["operating system", "what the person opened here the last time", "provider"],
            "fall": [0.11, 0.004, -0.002],
            "low": [0.08, -0.002, -0.01],
            "high": [0.14, 0.01, 0.004],
        }
    )
    return Drift(Interval(0.66, 0.62, 0.70, 800), table, (4000, 1000), 800, 300, "users", CARD, ASIDE)


@pytest.fixture
def tried():
    many = ("system version", "browser version", "last RTT", "last throughput", "age of the last measurement", "city")
    rows = [
        {"step": WEAK, "dropped": many, **EFFECT, "said": ""},
        {"step": REDUNDANT, "dropped": ("provider",), **EFFECT, "net_high": -0.1, "said": ""},
        {"step": SHIFTED, "dropped": (), **NOTHING, "said": "no column tells choose from train"},
        {"step": ROWS, "dropped": (), **NOTHING, "said": "10 % of all views are the worst, but 24 % of those with 4g"},
    ]
    return Habits(pd.DataFrame(rows), pd.DataFrame(), NET_HITS, 900, 120, CARD)


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_the_tree_names_every_feature_and_tells_what_dropping_costs(faults_of):
    ax = plotting.redundancy(redundant())
    assert faults_of(ax.figure) == []
    assert {label.get_text() for label in ax.get_yticklabels()} == set(FEATURES)
    (costs,) = (text for text in words(ax) if "kept" in text)
    assert costs == "only ASN kept:\n\u22120.4 (\u22122.1 to +1.1)\nnone kept:\n\u22129.0 (\u221215.9 to \u22122.6)"
    assert "With provider left out: -0.4 (-2.1 to +1.1) points, within chance." in plotting.alt_text(ax)
    assert ax.get_title("right") == "SIMULATED: world"


def test_branches_join_where_features_correlate():
    ax = plotting.redundancy(redundant())
    joins = sorted(round(float(np.min(line.get_xdata())), 6) for line in ax.lines if len(line.get_xdata()) == 4)
    assert joins == [0.1, 0.1, 0.8]


def test_where_there_is_no_group_that_is_said(faults_of):
    ax = plotting.redundancy(redundant(alike=0.95))
    assert faults_of(ax.figure) == []
    assert any("no group" in text for text in words(ax))


def test_bars_are_falls_and_only_what_gives_the_period_away_is_blue(shifted, faults_of):
    ax = plotting.drift(shifted)
    assert faults_of(ax.figure) == []
    assert [bar.get_width() for bar in ax.patches] == [0.11, 0.004, -0.002]
    assert len({bar.get_facecolor() for bar in ax.patches[1:]}) == 1
    assert ax.patches[0].get_facecolor() != ax.patches[1].get_facecolor()
    assert "AUC 0.66 (0.62 to 0.70; 0.50 is a coin)" in plotting.alt_text(ax)
    assert "History and signals left aside: the person's earlier views, " in plotting.alt_text(ax)
    assert plotting.alt_text(ax).endswith("4,000 and 1,000 views of 800 users.")


def test_each_habit_is_a_row_with_its_effect_and_what_it_saves(tried, faults_of):
    ax = plotting.habits(tried)
    assert faults_of(ax.figure) == []
    assert [label.get_text() for label in ax.get_yticklabels()] == [WEAK, REDUNDANT, SHIFTED]
    assert "+18 kB saved, +12 trees" in words(ax)
    assert "no column tells choose from train" in words(ax)
    assert any("4g" in text for text in words(ax))
    assert USED_UP in plotting.alt_text(ax)
    low, high = ax.get_xlim()
    assert low < -210 and high > 110


def test_pictures_go_where_they_are_told(shifted, tried):
    for draw, result in ((plotting.redundancy, redundant()), (plotting.drift, shifted), (plotting.habits, tried)):
        _, axes = plt.subplots(2)
        assert draw(result, ax=axes[1]) is axes[1]
        assert not axes[0].lines


def test_why_a_step_could_not_be_tried_can_be_read(tried, faults_of):
    why = "could not be tried (a part of fewer than 20 users says nothing about a shift; got 14)"
    table = tried.table.assign(said=[why if step in (SHIFTED, ROWS) else "" for step in tried.table["step"]])
    ax = plotting.habits(Habits(table, tried.rows, tried.unit, tried.views, tried.users, tried.card))
    assert faults_of(ax.figure) == []
    assert why in [text.replace("\n", " ") for text in words(ax)]
