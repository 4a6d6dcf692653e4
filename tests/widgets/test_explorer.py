"""The explorer of any decision: what may be chosen, watched and linked."""

import json
import sys
from pathlib import Path

import ipywidgets
import pytest

import workbench as wb
from workbench.decisions.images.scenario import ImageScenario, Ladder
from workbench.errors import WorkbenchError

MOST_BYTES = 300_000
OWN = ("data", "values", "segment")
BASE = {
    "images": {"budget_ms": 1000, "cancelling_wait_ms": 400},
    "prefetch": {"break_even": 0.15, "usd_per_second": 0, "usd_per_gb": 0.085},
}
VALUES = {"images": (5, 12), "prefetch": (6, 7, 7)}
MOVED = {"images": ("budget_ms", 2000), "prefetch": ("break_even", 0.3)}
REFUSED = {
    "images": [
        ({"budget_ms": 700}, "budget_ms must be one of 500, 1000, 1500, 2000, 3000; got 700."),
        ({"cancelling_wait_ms": 1}, "cancelling_wait_ms must be one of 50, 100, "),
        ({"budget_ms": "slow"}, "budget_ms must be one of .*; got 'slow'"),
        ({"budget": 500}, r"a slider must be one of 'budget_ms', .*; got 'budget'\. Did you mean 'budget_ms'\?"),
    ],
    "prefetch": [
        ({"break_even": 0.2}, r"break_even must be one of 0\.05, 0\.1, 0\.15, 0\.3, 0\.45, 0\.6; got 0\.2\."),
        ({"usd_per_second": 1}, r"usd_per_second must be one of 0, 0\.0001, "),
        ({"usd_per_gb": -1}, r"usd_per_gb must be one of 0\.02, .*; got -1\."),
    ],
}
MISSPELT = {"images": ("country: USA", "country: US"), "prefetch": ("page: /fed", "page: /feed")}


def test_it_begins_at_the_base_case(explorer, decision):
    assert (explorer.values, explorer.segment) == (BASE[decision], "all")
    assert tuple(len(values) for values in explorer.sliders.values()) == VALUES[decision]
    assert 1 < len(explorer.segments) <= 12
    assert all(segment["users"] >= 20 for segment in explorer.data["segments"])


def test_its_state_is_small_and_plain(explorer):
    state = explorer.get_state()
    assert len(json.dumps({name: state[name] for name in OWN}, separators=(",", ":"), allow_nan=False)) < MOST_BYTES


def test_what_was_not_counted_is_refused_and_nothing_changes(explorer, decision):
    before = dict(explorer.values)
    for values, message in REFUSED[decision]:
        with pytest.raises(WorkbenchError, match=message):
            explorer.values = values
    wrong, right = MISSPELT[decision]
    with pytest.raises(WorkbenchError, match=f"got '{wrong}'. Did you mean '{right}'"):
        explorer.set(**dict([MOVED[decision]]), segment=wrong)
    with pytest.raises(WorkbenchError, match=r"a choice must be one of .*; got 'segmnt'\. Did you mean 'segment'\?"):
        explorer.set(segmnt="all")
    assert (explorer.values, explorer.segment) == (before, "all")


def test_choices_can_be_set_watched_and_linked(explorer, decision):
    name, value = MOVED[decision]
    seen = []
    explorer.observe(lambda change: seen.append(change["new"]), ["values", "segment"])
    users = ipywidgets.Dropdown(options=explorer.segments)
    ipywidgets.link((users, "value"), (explorer, "segment"))
    users.value = explorer.segments[1]
    explorer.set(**{name: value})
    assert seen == [explorer.segments[1], BASE[decision] | {name: value}]
    explorer.values = {name: BASE[decision][name]}
    explorer.segment = "all"
    assert (explorer.values, users.value) == (BASE[decision], "all")


def test_what_is_no_comparison_is_refused():
    with pytest.raises(WorkbenchError, match=r"expected a comparison, as from wb\.compare .*; got 'data'"):
        wb.Explorer("data")


@pytest.fixture(scope="module")
def bare(tiny_world):
    """Eighty people of one country, no NetInfo, no history; two renditions that no photograph was taken of."""
    split = wb.split_by_user(wb.measurements(tiny_world))
    scenario = ImageScenario(ladder=Ladder(("lean", "rich"), (4000.0, 60_000.0), (0.5, 0.9)), budget_ms=700)
    model = wb.train_network_quality(split)

    def lean(context):
        return ["lean"] * len(context)

    result = wb.compare(split, model, rules=[lean], today=lean, scenario=scenario)
    return wb.Explorer(result, segment="all")


@pytest.fixture(scope="module")
def video(results):
    """A third decision, without panels, groups or a price of its own."""
    sys.path.append(str(Path(__file__).parents[1] / "decisions"))
    from video_start import VideoScenario

    images = results["images"]
    return wb.Explorer(wb.compare(images.split, images.model, scenario=VideoScenario()), stall_price=300)


def test_one_segment_few_users_and_no_photograph_are_no_trouble(bare):
    assert bare.segments == ["all"]
    photos = bare.data["panels"]["photos"]
    assert photos["fixed"]["photos"] == {}
    assert {seen for setting in photos["settings"] for seen in setting["seen"]} == {None}
    assert bare.sliders["budget_ms"] == (700, 1000, 1500, 2000, 3000)
    assert bare.data["rules"] == ["lean"]
    assert bare.data["figures"]["large"][:2] == [0, 0]


@pytest.mark.parametrize("name", ["bare", "video"])
def test_it_draws_in_a_page_all_the_same(name, request, page_with, open_offline, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page_with(request.getfixturevalue(name).get_state()), encoding="utf-8")
    with open_offline(path) as page:
        page.locator(".wb-frontier").wait_for()
        assert page.get_by_text("What users see is not shown").count() == (name == "bare")
        slider = page.locator(".wb-controls input").first
        before = page.locator(".wb-finding").inner_text()
        slider.press("ArrowLeft" if name == "video" else "ArrowRight")
        assert page.locator(".wb-finding").inner_text() != before
