"""The figure for the meeting: what is drawn is what the finding holds, readable with any names, and without a tree."""

from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure
from workbench.explanation.model_vs_rule import disagreement as find_disagreement
from workbench.explanation.parting_conditions import Among, Between

from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval
from workbench.plotting import alt_text
from workbench.plotting.model_checks import disagreement, separating
from workbench.plotting.style import BLUE, GREY, VERMILLION


def told(result):
    return find_disagreement(
        result.of("model").policy, result.best_rule, result.split.validation, scenario=result.scenario
    )


@pytest.fixture(scope="module")
def of_images(planted):
    return told(planted)


@pytest.fixture(scope="module")
def of_pages(site):
    return told(site)


@pytest.fixture(scope="module")
def of_real(real):
    return told(real)


each_finding = pytest.mark.parametrize("finding", ["of_images", "of_pages", "of_real"])


@pytest.fixture
def result(finding, request):
    return request.getfixturevalue(finding)


def with_leaves(result, nets, precision=0.8):
    """The same finding with leaves of these nets, of long names."""
    conditions = (
        Among("the rule fetches", ("one page or more",)),
        Among("provider", tuple(f"Société Générale de Télécommunications {i}" for i in range(9))),
        Between("age of the last measurement", above=1234.5, up_to=99_999.5, unknown=True, gaps=True),
    )
    leaf = replace(
        of_leaf(result), conditions=conditions, coverage=0.12, precision=precision, action="what the rule gives a " * 9
    )
    return replace(result, leaves=tuple(replace(leaf, net=net) for net in nets), no_tree="")


def of_leaf(result):
    from workbench.explanation.parting_leaves import Leaf

    return Leaf((), "they part", "", None, 0.1, 0.5, Interval(0.0, -1.0, 1.0, 50), 100, 50, result.unit)


@each_finding
def test_words_lie_apart_and_none_is_cut(result, faults_of):
    ax = disagreement(result)
    assert faults_of(ax.figure) == []


@each_finding
@pytest.mark.parametrize("leaves", [1, 6, 9])
def test_long_names_and_many_leaves_fit_too(result, leaves, faults_of):
    ax = disagreement(with_leaves(result, [Interval(0.02, -0.01 * i, 0.05, 50) for i in range(leaves)]))
    assert faults_of(ax.figure) == []
    words = [text.get_text() for text in ax.texts]
    assert sum(text.startswith("12 % of the views; in 80 % of these") for text in words) == min(leaves, 6)
    assert any("3 more leaves not drawn" in text for text in words) == (leaves == 9)
    if result.elsewhere is not None:
        assert ("Outside of all 9 leaves" in words, "Everywhere else" in words) == (leaves == 9, leaves < 9)


def test_every_leaf_is_a_row_with_its_bars_and_net(of_images):
    result = with_leaves(of_images, [Interval(5, 1, 9, 50), Interval(-5, -9, -1, 50), Interval(5, -1, 9, 50)])
    ax = disagreement(result)
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_xdata()[0] for dot in dots[:3]] == [5, -5, 5]
    assert [dot.get_color() for dot in dots[:3]] == [BLUE, VERMILLION, GREY]
    whole, dark = ([bar.get_width() for bar in bars] for bars in ax.containers)
    assert dark == pytest.approx([0.8 * width for width in whole])


@each_finding
def test_it_says_whose_figures_these_are_and_no_verdict(result):
    ax = disagreement(result)
    words = " ".join([text.get_text() for text in ax.texts] + [alt_text(ax)])
    assert "disagree in" in words
    assert not any(word in words for word in ("better", "worse", "equivalent", "inconclusive"))
    if result.leaves:
        assert "exploratory" in words and result.leaves[0].sentence in words


def test_without_a_tree_the_picture_is_a_sentence(of_images, faults_of):
    nothing = replace(of_images, leaves=(), elsewhere=None, rule=None, no_tree="They disagree for too few users.")
    ax = disagreement(nothing)
    assert faults_of(ax.figure) == []
    assert "too few users" in alt_text(ax)


def test_it_goes_where_it_is_told(of_images):
    for draw in (disagreement, separating):
        ax = Figure(layout="constrained").subplots()
        assert draw(of_images, ax=ax) is ax
    assert plt.get_fignums() == []


@each_finding
def test_features_that_separate_are_rows_under_their_direction(result, faults_of):
    if result.separating.empty:
        with pytest.raises(WorkbenchError, match="no SHAP values separate model and rule"):
            separating(result)
        return
    ax = separating(result, most=3)
    assert faults_of(ax.figure) == []
    expected = []
    for direction, features in result.separating.groupby("direction", sort=False):
        expected += [f"where {direction}", *features["feature"].head(3)]
    assert [label.get_text() for label in ax.get_yticklabels()] == expected


def test_without_shap_values_it_says_why(of_images):
    with pytest.raises(WorkbenchError, match="they disagree for too few users, or the budget cannot be met"):
        separating(replace(of_images, separating=of_images.separating[:0]))
