import json

import ipywidgets
import pytest

import workbench as wb
from workbench.decisions.images.scenario import ImageScenario, Ladder
from workbench.errors import WorkbenchError

MOST_BYTES = 300_000
OWN = ("data", "photos", "budget_ms", "cancelling_wait_ms", "segment")


def test_it_begins_at_the_base_case(explorer):
    assert (explorer.budget_ms, explorer.cancelling_wait_ms, explorer.segment) == (1000, 400, "all")
    assert len(explorer.data["budgets_ms"]) == 5
    assert len(explorer.data["cancelling_waits_ms"]) == 12
    assert 1 < len(explorer.segments) <= 12


def test_its_state_is_small_and_plain(explorer):
    state = explorer.get_state()
    assert len(json.dumps({name: state[name] for name in OWN}, separators=(",", ":"), allow_nan=False)) < MOST_BYTES


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("budget_ms", 700, "budget_ms must be one of 500, 1000, 1500, 2000, 3000; got 700."),
        ("cancelling_wait_ms", 1, "cancelling_wait_ms must be one of 50, 100, "),
        ("segment", "country: USA", r"got 'country: USA'\. Did you mean 'country: US'\?"),
    ],
)
def test_a_choice_that_was_not_counted_is_refused_and_nothing_changes(explorer, name, value, message):
    before = getattr(explorer, name)
    with pytest.raises(WorkbenchError, match=message):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before


def test_choices_can_be_watched_and_linked(explorer):
    seen = []
    explorer.observe(lambda change: seen.append(change["new"]), ["budget_ms", "segment"])
    people = ipywidgets.Dropdown(options=explorer.segments)
    ipywidgets.link((people, "value"), (explorer, "segment"))
    people.value = explorer.segments[1]
    explorer.budget_ms = 2000
    assert seen == [explorer.segments[1], 2000.0]
    explorer.segment = "all"
    assert people.value == "all"


def test_what_is_no_comparison_is_refused():
    with pytest.raises(WorkbenchError, match=r"expected a comparison, as from wb\.compare_images; got 'data'"):
        wb.ImageExplorer("data")


@pytest.fixture(scope="module")
def bare(tiny_world):
    """Eighty people of one country, no NetInfo, no history; two renditions that no photograph was taken of."""
    split = wb.split_by_user(wb.measurements(tiny_world))
    scenario = ImageScenario(ladder=Ladder(("lean", "rich"), (4000.0, 60_000.0), (0.5, 0.9)), budget_ms=700)
    model = wb.train_network_quality(split)

    def lean(context):
        return ["lean"] * len(context)

    result = wb.compare(split, model, rules=[lean], today=lean, scenario=scenario)
    return wb.ImageExplorer(result, segment="all")


def test_one_segment_few_people_and_no_photograph_are_no_trouble(bare):
    assert bare.segments == ["all"]
    assert bare.photos == {}
    assert set(bare.data["members"]) == {None}
    assert bare.data["budgets_ms"] == [700, 1000, 1500, 2000, 3000]
    assert bare.data["rules"] == ["lean"]
    assert bare.data["figures"]["large"][:2] == [0, 0]


def test_it_draws_in_a_page_all_the_same(bare, page_with, browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page_with(bare.get_state()), encoding="utf-8")
    page = browser.new_page()
    trouble = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(path.as_uri())
    page.locator(".wb-frontier").wait_for()
    assert page.get_by_text("What a member sees is not shown").is_visible()
    assert trouble == []
    page.close()
