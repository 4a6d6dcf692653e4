from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import shap
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrow

from workbench import plotting
from workbench.datasets.cards import Card
from workbench.decisions.decision import Unit
from workbench.errors import WorkbenchError
from workbench.explanation.dependence import Dependence
from workbench.explanation.importance import Importance
from workbench.plotting.style import BLUE, GREY, VERMILLION

NAMES = ["ASN", "provider", "operating system", "local hour"]
QUESTION = "log-odds that throughput is below 6.0 Mbit/s"
CARD = Card("world", simulated=True)
POINTS = Unit("points", "points a view", 1.0, 1)
HITS = Unit("net hits per 100 views", "net hits per 100 views", 100.0, 2)


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


@pytest.mark.parametrize("picture", [plotting.beeswarm, plotting.bar, plotting.waterfall], ids=lambda p: p.__name__)
def test_pictures_can_be_read_and_leave_everything_else_alone(explanation, picture, faults_of):
    options = {"row": 0} if picture is plotting.waterfall else {}
    _, axes = plt.subplots(2)
    np.random.seed(7)
    expected = np.random.random()
    np.random.seed(7)
    with plt.ion():
        assert picture(explanation, ax=axes[1], **options) is axes[1] and plt.isinteractive()
    assert np.random.random() == expected
    assert list(axes[1].figure.get_size_inches()) == list(plt.rcParams["figure.figsize"]) and not axes[0].lines
    ax = picture(explanation, **options)
    # Shap writes the names of features twice, one text on the other.
    assert [fault for fault in faults_of(ax.figure) if not any(name in fault for name in NAMES)] == []
    assert ax.get_title("right") == "SIMULATED: world"
    assert QUESTION in ax.get_xlabel().replace("\n", " ").replace("Log", "log")
    assert QUESTION in plotting.alt_text(ax) and len(plt.get_fignums()) == 2


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
    ax = plotting.bar(explanation, max_display=2)
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["ASN", "Sum of 3 other features"]
    assert ax.patches[1].get_width() == pytest.approx(abs(explanation.values[:, 1:]).mean(axis=0).sum())


@pytest.mark.parametrize("row", [0, 1, 3])
def test_each_arrow_of_a_waterfall_is_a_value_from_tail_to_tip(explanation, row):
    ax = plotting.waterfall(explanation[row], card=CARD)
    arrows = [patch.get_xy()[:, 0] for patch in ax.patches if isinstance(patch, FancyArrow)]
    steps = sorted(xs[0] - xs[np.argmax(abs(xs - xs[0]))] for xs in arrows)
    assert steps == pytest.approx(np.sort(explanation.values[row]), abs=1e-6)
    answer = f"{-1 + explanation.values[row].sum():.2f}"
    marks = [label.get_text().strip() for twin in ax.figure.axes[1:] for label in twin.get_xticklabels()]
    assert marks == ["mean \u22121.00", f"this view {answer}".replace("-", "\u2212")]
    assert f"from -1.00 on average to {answer}" in plotting.alt_text(ax)
    assert "iOS = operating system" in [label.get_text() for label in ax.get_yticklabels()]


def test_what_cannot_be_drawn_is_said(explanation):
    with pytest.raises(WorkbenchError, match=r"pass card=split\.card"):
        plotting.waterfall(explanation[0])
    with pytest.raises(WorkbenchError, match=r"of shape \(rows, features\); got \(4,\)"):
        plotting.beeswarm(explanation[0], card=CARD)
    with pytest.raises(WorkbenchError, match=r"or row= to name one of several; got \(60, 4\)"):
        plotting.waterfall(explanation)
    with pytest.raises(WorkbenchError, match="row must be one of the 60 explained, from 0; got 60"):
        plotting.waterfall(explanation, 60)


ROWS = [
    ("ASN", 0.76, 0.71, 0.81, 9.8, 7.3, 12.5, 0.4),
    ("last throughput", 0.34, 0.32, 0.36, 0.4, -0.4, 1.2, 0.1),
    ("age of the last measurement", 0.2, 0.15, 0.25, -2.0, -3.1, -0.9, 0.1),
    ("city", 0.01, 0.0, 0.02, 0.0, 0.0, 0.0, 0.0),
]
COLUMNS = ["feature", "shap", "shap_low", "shap_high", "net", "net_low", "net_high", "turned"]


@pytest.fixture
def ranking():
    table = pd.DataFrame(ROWS, columns=COLUMNS)
    return Importance(table, QUESTION, 1_000, 494, 2_003, 967, unit=POINTS, people="users", card=CARD)


def test_rankings_can_be_read(ranking, draw):
    table = (ranking.table.set_index("feature") / 30).reset_index().replace("ASN", "<b>" + "long" * 10)
    draw(
        plotting.importance,
        replace(ranking, table=table, unit=HITS, question="log-odds that the model's first choice is the next page"),
    )
    draw(plotting.importance, replace(ranking, table=pd.concat([ranking.table] * 4, ignore_index=True)))


def test_both_panels_have_the_same_rows(ranking, draw):
    left = draw(plotting.importance, ranking)
    right = left.figure.axes[-1]
    assert [label.get_text() for label in left.get_yticklabels()] == list(ranking.table["feature"])
    assert left.get_ylim() == right.get_ylim()
    points = dots(right)
    assert [line.get_xdata()[0] for line in points] == pytest.approx(ranking.table["net"])
    assert [to_hex(line.get_color()) for line in points] == [BLUE, GREY, VERMILLION, GREY]
    strength = next(line for line in left.lines if line.get_marker() == "o")
    assert strength.get_xdata() == pytest.approx(ranking.table["shap"])
    assert right.get_title("right") == "SIMULATED: world"
    assert "ASN 0.76, net lost +9.8 (+7.3 to +12.5)" in plotting.alt_text(left)


def test_net_lost_is_in_its_unit_on_the_rows_asked_for(ranking):
    unknown = ranking.table.assign(net=[9.8, np.nan, -2.0, 0.0])
    left = plotting.importance(replace(ranking, table=unknown, unit=HITS), most=2)
    right = left.figure.axes[-1]
    assert len(left.get_yticklabels()) == 2 and dots(right)[0].get_xdata() == pytest.approx([980])
    assert right.texts[1].get_text() == "no column to permute"
    assert "net hits per 100 views" in right.get_xlabel().replace("\n", " ")


def test_a_ranking_that_cannot_be_drawn_is_refused(ranking):
    with pytest.raises(WorkbenchError, match="most must be a whole number from 1; got 0"):
        plotting.importance(ranking, most=0)
    with pytest.raises(WorkbenchError, match="no feature"):
        plotting.importance(replace(ranking, table=ranking.table.head(0)))
    figure, (above, below) = plt.subplots(2)
    assert plotting.importance(ranking, ax=below) is below and not above.lines and len(figure.axes) == 4
    with pytest.raises(WorkbenchError, match=r"two panels: pass axes from plt\.subplots\(\)"):
        plotting.importance(ranking, ax=figure.add_axes((0, 0, 1, 1)))


LEVELS = ["0 to 5", "6 to 16", "17 to 23", "other", "unknown"]


def depends(groups=("",), levels=LEVELS, **changes):
    rows = [(group, level) for group in groups for level in levels]
    rng = np.random.default_rng(0)
    shap_value = rng.normal(0, 0.3, len(rows))
    points = pd.DataFrame(rows, columns=["group", "level"]).assign(
        users=rng.integers(20, 4000, len(rows)),
        views=5000,
        shap=shap_value,
        shap_low=shap_value - 0.05,
        shap_high=shap_value + 0.05,
    )
    for name, known in (("group", groups), ("level", levels)):
        points[name] = pd.Categorical(points[name], list(known), ordered=True)
    by = "operating system" if len(groups) > 1 else ""
    words = {"feature": "local hour", "by": by, "question": QUESTION, "people": "users", "unit": "", "card": CARD}
    return Dependence(points=points, **words | {"numeric": True, "left_out": 34} | changes)


def dots(ax):
    return [line for line in ax.lines if line.get_marker() == "o"]


def test_points_are_means_and_sticks_their_intervals_above_the_users_behind_them(draw):
    found = depends()
    ax = draw(plotting.dependence, found)
    (points,) = dots(ax)
    assert points.get_ydata().tolist() == found.points["shap"].tolist()
    sticks = [line.get_ydata() for line in ax.lines if line.get_linewidth() == 3 and len(line.get_xdata()) == 2]
    assert np.array(sticks) == pytest.approx(found.points[["shap_low", "shap_high"]].to_numpy())
    assert ax.get_xlabel() == "local hour" and QUESTION in ax.get_ylabel().replace("\n", " ")
    (joined,) = (line for line in ax.lines if line.get_marker() == "None" and len(line.get_xdata()) == 3)
    assert joined.get_ydata().tolist() == found.points["shap"].tolist()[:3], "only what has an order is joined"
    assert {f"{users:,}" for users in found.points["users"]} <= {text.get_text() for text in ax.texts}
    heights = np.array([bar.get_height() for bar in ax.patches])
    assert heights == pytest.approx(heights.max() * found.points["users"] / found.points["users"].max())
    low, high = ax.get_ylim()
    assert (found.points["shap_low"].min() - low) / (high - low) > heights.max()


def test_levels_without_an_order_are_not_joined(draw):
    found = depends(numeric=False, levels=["Telecom", "Cable", "a provider with a long name", "other"], unit="%")
    ax = draw(plotting.dependence, found)
    assert not [line for line in ax.lines if line.get_marker() == "None" and len(line.get_xdata()) > 2]
    assert ax.get_xlabel() == "local hour, %"


def test_groups_have_colours_of_their_own_and_are_named(draw):
    found = depends(groups=("Android", "Windows", "iOS", "other"), levels=[f"{i} to {i + 3}" for i in range(0, 32, 4)])
    ax = draw(plotting.dependence, found)
    assert len({line.get_color() for line in dots(ax)}) == 4
    named = {text.get_text().removeprefix("\u25cf ") for text in ax.texts}
    assert {"Android", "Windows", "iOS", "other"} <= named
    assert ax.get_xlabel() == "local hour, by operating system" and "iOS: " in plotting.alt_text(ax)
