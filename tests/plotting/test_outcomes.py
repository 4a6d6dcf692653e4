"""Pictures of findings: what is drawn is what the finding holds, and its words can be read."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from workbench import plotting
from workbench.plotting.style import BLUE, GREY
from workbench.studies import report

PICTURES = [plotting.differences, plotting.headroom, plotting.reliability]
each_picture = pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.__name__)
each_finding = pytest.mark.parametrize("finding", ["planted", "real"])


@pytest.fixture
def result(finding, request):
    return request.getfixturevalue(finding)


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


@each_finding
@each_picture
def test_words_lie_apart_and_none_is_cut(result, picture, faults_of):
    ax = picture(result)
    assert faults_of(ax.figure) == []


@each_finding
@each_picture
def test_a_picture_names_its_data_and_says_what_it_shows(result, picture):
    ax = picture(result)
    card = result.split.card
    assert ax.get_title("right") == (f"SIMULATED: {card.name}" if card.simulated else card.name)
    assert plotting.alt_text(ax).endswith(".")
    assert any(digit.isdigit() for digit in plotting.alt_text(ax))


@each_picture
def test_a_picture_goes_where_it_is_told_and_leaves_no_figure_behind(planted, picture):
    ax = Figure().subplots()
    assert picture(planted, ax=ax) is ax
    assert plt.get_fignums() == []
    assert picture(planted).figure.number in plt.get_fignums()
    assert len(plt.get_fignums()) == 1


@each_finding
def test_differences_are_in_order_with_their_numbers(result):
    ax = plotting.differences(result)
    names = [label.get_text() for label in ax.get_yticklabels()]
    estimates = [interval.estimate for interval in result.against_best_rule.values()]
    assert len(names) == len(estimates) == len(result.results) - 1 - sum(not p.available for p in result.results)
    numbers = [float(text.split(" ")[0].replace("\u2212", "-")) for text in texts(ax) if text.endswith(")")]
    assert numbers == pytest.approx(sorted(estimates), abs=0.051)
    model = names.index("model")
    assert numbers[model] == pytest.approx(result.difference.estimate, abs=0.051)
    assert texts(ax).count(result.verdict) == 1


@each_finding
def test_margin_and_model_can_be_read_whatever_else_there_is(result):
    ax = plotting.differences(result)
    (band,) = ax.patches
    assert band.get_x() == -result.margin
    assert band.get_width() == 2 * result.margin
    low, high = ax.get_xlim()
    assert low < result.difference.low <= result.difference.high < high
    assert 2 * result.margin / (high - low) > 0.05
    (interval,) = [line for line in ax.lines if same_color(line.get_color(), BLUE) and len(line.get_xdata()) == 2]
    assert list(interval.get_xdata()) == [result.difference.low, result.difference.high]


@each_finding
def test_what_lies_beyond_the_axis_is_an_arrow(result):
    ax = plotting.differences(result)
    low, high = ax.get_xlim()
    arrows = {(line.get_marker(), int(line.get_ydata()[0])) for line in ax.lines if line.get_marker() in "<>"}
    rows = sorted(result.against_best_rule.values(), key=lambda interval: interval.estimate)
    assert arrows == {("<", y) for y, row in enumerate(rows) if row.low < low} | {
        (">", y) for y, row in enumerate(rows) if row.high > high
    }
    assert arrows, "always small is far off everywhere"


def test_only_the_model_is_judged(planted):
    ax = plotting.differences(planted)
    dots = [line.get_color() for line in ax.lines if line.get_marker() == "o"]
    assert [colour for colour in dots if colour != GREY] == [BLUE]
    assert "grey: exploratory" in texts(ax)[-1]
    assert planted.of("best_rule").name in texts(ax)[-1]


@each_finding
def test_headroom_by_budget(result):
    ax = plotting.headroom(result)
    line = ax.lines[0]
    assert dict(zip(1000 * line.get_xdata(), line.get_ydata(), strict=True)) == dict(result.detail.headroom_by_budget)
    assert list(ax.lines[1].get_xydata()[0]) == [result.scenario.budget_ms / 1000, result.headroom]
    assert set(ax.lines[2].get_ydata()) == {result.margin}
    assert f"{result.headroom:.1f} at the budget of 1 s" in texts(ax)


@each_finding
def test_reliability_by_tenths(result):
    ax = plotting.reliability(result)
    diagonal, line = ax.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata())
    chance = result.of("model").expected.late[:, -1]
    assert line.get_xdata() @ result.reliability["rows"] / len(chance) == pytest.approx(chance.mean())
    assert list(line.get_ydata()) == list(result.reliability["share"])
    assert ax.get_xlim() == ax.get_ylim()


def test_the_words_of_a_picture_are_those_of_the_report(planted):
    assert report.first_screen(planted)["difference"] in plotting.alt_text(plotting.differences(planted))


# Prefetching

each_site = pytest.mark.parametrize("finding", ["site", "letters"])
each_shared = pytest.mark.parametrize("picture", [plotting.differences, plotting.reliability])


@each_site
@each_shared
def test_of_prefetching_words_lie_apart_and_none_is_cut(result, picture, faults_of):
    ax = picture(result)
    assert faults_of(ax.figure) == []
    assert any(digit.isdigit() for digit in plotting.alt_text(ax))


@each_site
def test_of_prefetching_differences_are_told_in_net_hits_per_100_views(result):
    ax = plotting.differences(result)
    assert ax.get_xlabel() == "Net minus that of the best rule, net hits per 100 views"
    names = [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()]
    numbers = [float(text.split(" ")[0].replace("\u2212", "-")) for text in texts(ax) if text.endswith(")")]
    estimates = sorted(100 * interval.estimate for interval in result.against_best_rule.values())
    assert numbers == pytest.approx(estimates, abs=0.0051)
    assert numbers[names.index("model")] == pytest.approx(100 * result.difference.estimate, abs=0.0051)
    (band,) = ax.patches
    assert band.get_width() == pytest.approx(2 * 100 * result.margin)
    assert texts(ax).count(result.verdict) == 1


@each_site
def test_of_prefetching_reliability_is_of_the_pages_named(result):
    ax = plotting.reliability(result)
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "Chance that the page is opened next",
        "Share that was opened next",
    )
    asked = result.detail.ranking["model"]
    table = result.reliability
    assert table["rows"].sum() == asked.pairs
    assert (table["share"] * table["rows"]).sum() == pytest.approx(asked.recall * asked.navigations)
