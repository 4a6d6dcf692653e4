"""Shap's own plots in the house style, from an explanation that is written out."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import shap
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrow

from workbench import plotting
from workbench.datasets.cards import Card
from workbench.errors import WorkbenchError

NAMES = ["ASN", "provider", "operating system", "local hour"]
QUESTION = "log-odds that throughput is below 6.0 Mbit/s"
CARD = Card("world", simulated=True)


@pytest.fixture
def explanation():
    rng = np.random.default_rng(0)
    values = rng.normal(0, [1.0, 0.5, 0.1, 0.002], (60, 4))
    shown = np.column_stack([[f"64{i:03}" for i in range(60)], ["Telecom"] * 60, ["iOS"] * 60, np.arange(60) % 24])
    explained = shap.Explanation(
        values=values,
        base_values=np.full(60, -1.0),
        data=np.column_stack([rng.normal(size=60), np.full((60, 2), np.nan), np.arange(60) % 24]),
        display_data=shown,
        feature_names=NAMES,
        output_names=QUESTION,
    )
    explained.card = CARD
    return explained


def pictures(explanation):
    return [
        lambda **keywords: plotting.beeswarm(explanation, **keywords),
        lambda **keywords: plotting.bar(explanation, **keywords),
        lambda **keywords: plotting.waterfall(explanation, 0, **keywords),
    ]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_pictures_can_be_read_and_say_what_they_show(explanation, which, faults_of):
    ax = pictures(explanation)[which]()
    # Shap writes the names of features twice, one text on the other.
    assert [fault for fault in faults_of(ax.figure) if not any(name in fault for name in NAMES)] == []
    assert ax.get_title("right") == "SIMULATED: world"
    assert QUESTION in ax.get_xlabel().replace("\n", " ")
    assert QUESTION in plotting.alt_text(ax)
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("which", [0, 1, 2])
def test_pictures_go_where_they_are_told(explanation, which):
    _, axes = plt.subplots(2)
    ax = pictures(explanation)[which](ax=axes[1], xlabel="chance")
    assert ax is axes[1]
    assert ax.get_xlabel().endswith("chance")
    assert list(ax.figure.get_size_inches()) == list(plt.rcParams["figure.figsize"])
    assert not axes[0].lines


def test_a_figure_outside_pyplot_will_do(explanation):
    ax = Figure().subplots()
    assert plotting.bar(explanation, ax=ax) is ax
    assert plotting.beeswarm(explanation, ax=ax) is ax
    assert plt.get_fignums() == []


@pytest.mark.parametrize("which", [0, 1, 2])
def test_neither_random_state_nor_interactive_mode_is_touched(explanation, which):
    np.random.seed(7)
    expected = np.random.random()
    np.random.seed(7)
    with plt.ion():
        pictures(explanation)[which]()
        assert plt.isinteractive()
    assert np.random.random() == expected


def test_the_same_explanation_gives_the_same_swarm(explanation):
    drawn = [plotting.beeswarm(explanation).collections for _ in range(2)]
    first, again = (np.vstack([np.asarray(dots.get_offsets()) for dots in swarm]) for swarm in drawn)
    assert first.tolist() == again.tolist()
    assert np.sort(first[:, 0]) == pytest.approx(np.sort(explanation.values.ravel()))


def test_numbers_that_only_stand_for_names_have_no_colour(explanation):
    plain = plotting.beeswarm(explanation)
    explanation.coded = ("ASN",)
    grey = plotting.beeswarm(explanation)
    swarms = ([dots.get_array() for dots in ax.collections] for ax in (plain, grey))
    assert [sum(0 if colours is None else len(colours) for colours in swarm) for swarm in swarms] == [120, 60]
    assert explanation.data[:, 0].std() > 0


def test_bars_are_means_of_sizes(explanation):
    ax = plotting.bar(explanation)
    means = np.sort(abs(explanation.values).mean(axis=0))[::-1]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx(means)
    assert [text.get_text() for text in ax.texts] == [f"{mean:.2f}".rstrip("0").rstrip(".") or "0" for mean in means]
    assert f"ASN {abs(explanation.values[:, 0]).mean():.2f}" in plotting.alt_text(ax)


def test_the_last_bar_sums_up_what_is_left(explanation):
    ax = plotting.bar(explanation, max_display=2)
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["ASN", "Sum of 3 other features"]
    assert ax.patches[1].get_width() == pytest.approx(abs(explanation.values[:, 1:]).mean(axis=0).sum())


def test_each_arrow_of_a_waterfall_is_a_value_from_tail_to_tip(explanation):
    for row in range(6):
        ax = plotting.waterfall(explanation, row)
        arrows = [patch.get_xy()[:, 0] for patch in ax.patches if isinstance(patch, FancyArrow)]
        steps = sorted(xs[0] - xs[np.argmax(abs(xs - xs[0]))] for xs in arrows)
        assert steps == pytest.approx(np.sort(explanation.values[row]), abs=1e-6)
        plt.close("all")


def test_a_waterfall_names_mean_and_answer_in_words(explanation):
    ax = plotting.waterfall(explanation, 3)
    answer = f"{-1 + explanation.values[3].sum():.2f}"
    marks = [label.get_text().strip() for twin in ax.figure.axes[1:] for label in twin.get_xticklabels()]
    assert marks == ["mean \u22121.00", f"this view {answer}".replace("-", "\u2212")]
    assert f"from -1.00 on average to {answer}" in plotting.alt_text(ax)
    assert "iOS = operating system" in [label.get_text() for label in ax.get_yticklabels()]


def test_one_row_needs_its_card(explanation):
    with pytest.raises(WorkbenchError, match=r"pass card=split\.card"):
        plotting.waterfall(explanation[0])
    assert plotting.waterfall(explanation[0], card=CARD).get_title("right") == "SIMULATED: world"


def test_what_cannot_be_drawn_is_said(explanation):
    with pytest.raises(WorkbenchError, match=r"of shape \(rows, features\); got \(4,\)"):
        plotting.beeswarm(explanation[0], card=CARD)
    with pytest.raises(WorkbenchError, match=r"or row= to name one of several; got \(60, 4\)"):
        plotting.waterfall(explanation)
    with pytest.raises(WorkbenchError, match="row must be one of the 60 explained, from 0; got 60"):
        plotting.waterfall(explanation, 60)
