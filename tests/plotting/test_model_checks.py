from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from workbench import plotting
from workbench.datasets.cards import Card
from workbench.decisions.decision import Unit
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval
from workbench.explanation.ablation import Ablation
from workbench.explanation.disagreement import disagreement as find_disagreement
from workbench.explanation.drift import Drift
from workbench.explanation.redundancy import Redundancy
from workbench.explanation.retraining import LEAD, MODEL, RULE, Retraining
from workbench.plotting.style import BLUE, GREY, VERMILLION

CARD = Card("world", simulated=True)
POINTS = Unit("points", "points a view", 1.0, 1)
FEATURES = ("ASN", "provider", "operating system", "age of the last measurement")
EFFECT = {"net": -0.4, "net_low": -2.1, "net_high": 1.1, "trees_saved": 12, "kilobytes_saved": 18.4}
MANY = ("system version", "browser version", "last RTT", "last throughput", "age of the last measurement", "city")


class Told(Redundancy):
    sentences = ("2 features correlate.",)


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def redundant(alike=0.7):
    correlation = np.full((4, 4), 0.1) + 0.9 * np.eye(4)
    correlation[0, 1] = correlation[1, 0] = 0.8
    tree = linkage(squareform(1 - correlation, checks=False), method="complete")
    groups = (("ASN", "provider"),) if alike < 0.8 else ()
    rows = [
        {"group": 0, "kept": ("ASN",), "dropped": ("provider",), **EFFECT},
        {"group": 0, "kept": (), "dropped": groups, **EFFECT, "net": -9.0, "net_low": -15.9, "net_high": -2.6},
    ]
    found = SimpleNamespace(features=FEATURES, tree=tree, alike=alike, groups=groups)
    costs = pd.DataFrame(rows)[: 2 * len(groups)]
    result = object.__new__(Told)  # of a model, which no picture shows
    vars(result).update(groups=found, costs=costs, unit=POINTS, card=CARD)
    return result


def test_the_tree_names_every_feature_and_what_dropping_costs_or_that_there_is_no_group(draw):
    ax = draw(plotting.redundancy, redundant())
    assert {label.get_text() for label in ax.get_yticklabels()} == set(FEATURES)
    (costs,) = (text for text in texts(ax) if "kept" in text)
    assert costs == "only ASN kept:\n\u22120.4 (\u22122.1 to +1.1)\nnone kept:\n\u22129.0 (\u221215.9 to \u22122.6)"
    assert ax.get_title("right") == "SIMULATED: world"
    joins = sorted(round(float(np.min(line.get_xdata())), 6) for line in ax.lines if len(line.get_xdata()) == 4)
    assert joins == [0.1, 0.1, 0.8], "branches join where features correlate"
    ax = draw(plotting.redundancy, redundant(alike=0.95))
    assert any("no group" in text for text in texts(ax))


def test_points_are_falls_and_only_what_drifted_is_blue(draw):
    rows = [
        ("os_family", "operating system", 0.11, 0.08, 0.14),
        ("last_next", "what the person opened here the last time", 0.004, -0.002, 0.01),
        ("isp", "provider", -0.002, -0.01, 0.004),
    ]
    table = pd.DataFrame(rows, columns=["column", "feature", "fall", "low", "high"])
    auc = Interval(0.66, 0.62, 0.70, 800)
    ax = draw(plotting.drift, Drift(auc, table, (4000, 1000), 800, 300, "users", CARD, ("NetInfo class",)))
    dots = [(line.get_color(), *line.get_xdata()) for line in ax.lines if line.get_marker() == "o"]
    assert dots == [(BLUE, 0.11), (GREY, 0.004, -0.002)]
    assert "0.66" in plotting.alt_text(ax) and "4,000 and 1,000 views of 800 users" in plotting.alt_text(ax)


def test_each_result_is_a_row_with_its_effect_and_what_it_saves(draw):
    worse = EFFECT | {"net": -3.0, "net_low": -4.0, "net_high": -2.0, "kilobytes_saved": -3.0}
    results = [
        Ablation(columns, effect, POINTS, 900, 120, "users", CARD)
        for columns, effect in ((MANY, EFFECT), (("provider",), worse))
    ]
    ax = draw(plotting.ablation, results)
    names = [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()]
    assert names == [f"without {', '.join(MANY)}", "without provider"]
    assert "saved: +18 kB, +12 trees" in texts(ax) and "saved: \u22123 kB, +12 trees" in texts(ax)
    dots = [(line.get_xdata()[0], line.get_color()) for line in ax.lines if line.get_marker() == "o"]
    assert dots == [(-0.4, GREY), (-3.0, VERMILLION)]
    assert "-0.4 (-2.1 to +1.1)" in plotting.alt_text(draw(plotting.ablation, results[0]))
    with pytest.raises(WorkbenchError, match=r"expected one or more results of wb\.ablation; got an empty list"):
        plotting.ablation([])


@pytest.fixture(scope="session")
def differ(result):
    return find_disagreement(result.model, result.best_rule, result.split.validation, scenario=result.scenario)


def with_leaves(result, nets, precision=0.8):
    """The same finding with leaves of these nets, of long names."""
    leaf = SimpleNamespace(
        conditions=True,
        condition="the rule fetches one page or more, provider is " + " or ".join(["Société de Télécommunication"] * 9),
        way="the model sends more",
        doing="",
        action="what the rule gives a " * 9,
        coverage=0.12,
        precision=precision,
        sentence="Somewhere they differ.",
    )
    leaves = tuple(SimpleNamespace(**vars(leaf), net=net) for net in nets)
    return replace(result, leaves=leaves, elsewhere=None, rule=None, no_tree="")


@pytest.mark.parametrize("result", ["planted", "real", "site"], indirect=True)
def test_words_lie_apart_and_no_verdict_is_told(differ, draw):
    ax = draw(plotting.disagreement, differ)
    words = " ".join([*texts(ax), plotting.alt_text(ax)])
    assert not any(word in words for word in ("better", "worse", "equivalent", "inconclusive"))
    if differ.leaves:
        assert "exploratory" in words and differ.leaves[0].sentence in words


planted_alone = pytest.mark.parametrize("result", ["planted"], indirect=True)


@planted_alone
@pytest.mark.parametrize("leaves", [1, 9])
def test_long_names_and_many_leaves_fit_too(differ, leaves, draw):
    nets = [Interval(0.02, -0.01 * i, 0.05, 50) for i in range(leaves)]
    ax = draw(plotting.disagreement, with_leaves(differ, nets))
    assert sum(text.startswith("12 % of the views; in 80 % of these") for text in texts(ax)) == min(leaves, 6)
    assert any("3 more leaves not drawn" in text for text in texts(ax)) == (leaves == 9)


@planted_alone
def test_every_leaf_is_a_row_with_its_bars_and_net(differ):
    nets = [Interval(5, 1, 9, 50), Interval(-5, -9, -1, 50), Interval(5, -1, 9, 50)]
    ax = plotting.disagreement(with_leaves(differ, nets))
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_xdata()[0] for dot in dots] == [5, -5, 5]
    assert [dot.get_color() for dot in dots] == [BLUE, VERMILLION, GREY]
    whole, dark = ([bar.get_width() for bar in bars] for bars in ax.containers)
    assert dark == pytest.approx([0.8 * width for width in whole])


@planted_alone
def test_without_a_tree_the_picture_is_a_sentence(differ, draw):
    nothing = replace(differ, leaves=(), elsewhere=None, rule=None, no_tree="They differ for too few users.")
    assert "too few users" in plotting.alt_text(draw(plotting.disagreement, nothing))


# Ageing


def test_each_age_has_its_loss_and_interval_in_the_unit_of_the_net(draw):
    unit = Unit("net hits per 100 views", "net hits per 100 views", 100.0, 2)
    rows = [(MODEL, 7.0, 0.004, 0.001, 0.007), (MODEL, 14.0, 0.012, 0.008, 0.016), (RULE, 7.0, 0.001, -0.001, 0.003)]
    rows += [(RULE, 14.0, 0.002, -0.001, 0.005), *((LEAD, age, 0.01, 0.0, 0.02) for age in (0.0, 7.0, 14.0))]
    columns = ["policy", "age_days", "net", "net_low", "net_high"]
    table = pd.DataFrame(rows, columns=columns).assign(views=500, users=80)
    ax = draw(plotting.retraining, Retraining(table, 28.0, 0.005, unit, "sessions", CARD))
    lines = {bar.lines[0].get_color(): bar.lines[0].get_ydata().tolist() for bar in ax.containers}
    assert lines[BLUE] == pytest.approx([0.4, 1.2]) and lines[VERMILLION] == pytest.approx([0.1, 0.2])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "7", "14"]
    assert {MODEL, RULE} <= set(texts(ax))
    assert "14 days older, the model loses +1.20 (+0.80 to +1.60)" in plotting.alt_text(ax)
    assert "before it is 14 days old" in plotting.alt_text(ax)


# Size


def test_as_many_trees_are_marked_as_are_exported(studied, draw):
    result = studied("synthetic_measurements", rows=6000)
    ax = draw(plotting.tree_counts, result)
    every, kept = (line.get_xdata() for line in ax.lines)
    ours = result.of("model").policy
    shipped = result.decision.shipped(ours, result.split, result.scenario, result.known_by, within=result.margin)
    assert every[-1] == ours.source.kilobytes and list(every) == sorted(every)
    assert kept == [shipped.policy.source.kilobytes]
    assert ax.get_xticklabels()[-1].get_text().endswith(f"{ours.source.trees} trees")
    with pytest.raises(WorkbenchError, match="boosted trees"):
        plotting.tree_counts(replace(result, model=SimpleNamespace(trees=0)))
