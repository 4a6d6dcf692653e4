import itertools
import json
import sys
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.images.replay import typical_view
from workbench.decisions.images.scenario import ImageScenario, Ladder
from workbench.errors import WorkbenchError
from workbench.plotting.style import BLUE
from workbench.studies.report import difference_sentence
from workbench.studies.scenario_grid import PARTS, explorer_data, pick_segments
from workbench.widgets import explorer as explorer_module
from workbench.widgets.explorer import MODULES, check_number, module_source, style_sheet

MOST_BYTES = 300_000
OWN = ("data", "values", "segment")
BASE = {
    "images": {"budget_ms": 1000, "cancelling_wait_ms": 400},
    "prefetch": {"break_even": 0.15, "usd_per_second": 0, "usd_per_gb": 0.085},
}
VALUES = {"images": (5, 7), "prefetch": (6, 7, 7)}
MOVED = {"images": ("budget_ms", 2000), "prefetch": ("break_even", 0.3)}
REFUSED = {
    "images": [
        ({"budget_ms": 700}, "budget_ms must be one of 500, 1000, 1500, 2000, 3000; got 700."),
        ({"cancelling_wait_ms": 1}, "cancelling_wait_ms must be one of 50, 100, "),
        ({"budget_ms": "slow"}, "budget_ms must be one of .*; got 'slow'"),
        ({"budget": 500}, r"a slider must be one of budget_ms, .*; got 'budget'\. Did you mean 'budget_ms'\?"),
    ],
    "prefetch": [
        ({"break_even": 0.2}, r"break_even must be one of 0\.05, 0\.1, 0\.15, 0\.3, 0\.45, 0\.6; got 0\.2\."),
        ({"usd_per_second": 1}, r"usd_per_second must be one of 0, 0\.0001, "),
        ({"usd_per_gb": -1}, r"usd_per_gb must be one of 0\.02, .*; got -1\."),
    ],
}
MISSPELT = {"images": ("country: USA", "country: US"), "prefetch": ("page: /fed", "page: /feed")}

# A tile's name: field of the figures, factor, decimals.
FIGURES = {
    "images": {"large": ("large_share", 1000, 0), "megabytes": ("mb_per_1000", 1, 0)}
    | {"late": ("late_share", 1000, 0), "slowest_wait": ("slowest_fifth_wait_ms", 1, 0)},
    "prefetch": {"hits": ("hits_per_100", 10, 2), "unused": ("unused_per_view", 1000, 2)}
    | {"saved_ms": ("ms_saved_per_view", 1, 1), "slowed_ms": ("contention_ms_per_view", 1, 1)}
    | {"wasted_mb": ("bytes_wasted_per_view", 1000 / 1e6, 1)},
}
ELSEWHERE = {"images": {"budget_ms": 2000, "cancelling_wait_ms": 1600}, "prefetch": {"break_even": 0.45}}
# What places in the picture are of: fields of the figures.
MARKS = {"images": ("excess_wait_ms", "quality"), "prefetch": ("unused_per_view", "hits_per_100")}


def test_it_begins_at_the_base_case_and_nobody_is_in_its_small_state(explorer, result, decision):
    assert (explorer.values, explorer.segment) == (BASE[decision], "all")
    assert tuple(len(values) for values in explorer.sliders.values()) == VALUES[decision]
    assert 1 < len(explorer.segments) <= 12
    assert all(segment["users"] >= 20 for segment in explorer.data["segments"])
    state = explorer.get_state()
    written = json.dumps({name: state[name] for name in OWN}, separators=(",", ":"), allow_nan=False)
    assert len(written) < MOST_BYTES
    assert not [user for user in result.split.test["user_id"].unique() if f'"{user}"' in written]


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
    with pytest.raises(WorkbenchError, match=r"expected a comparison, as from wb\.compare .*; got 'data'"):
        wb.Explorer("data")


def test_a_number_may_be_off_by_its_last_digit():
    assert check_number("wait", 0.1 + 0.2, [0.3, 0.6]) == 0.3
    with pytest.raises(WorkbenchError, match=r"wait must be one of 0\.3, 0\.6; got 0\.31\."):
        check_number("wait", 0.31, [0.3, 0.6])


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


@pytest.fixture(scope="module")
def bare():
    """Eighty people of one country, no NetInfo, no history; two renditions that no photograph was taken of."""
    rng = np.random.default_rng(0)
    rows = {"user_id": [f"u{i % 80}" for i in range(800)], "country": "FR", "os_family": ["iOS", "Android"] * 400}
    measured = {"rtt_ms": rng.lognormal(4, 0.5, 800), "downlink_mbps": rng.lognormal(2, 1, 800)}
    split = wb.split_by_user(wb.measurements(pd.DataFrame(rows | measured)))
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
    assert bare.sliders["budget_ms"] == (700, 1000, 1500, 2000, 3000) and bare.data["rules"] == ["lean"]
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


def settings_of(data):
    """Values of the sliders that settle, setting by setting."""
    moved = [slider for slider in data["sliders"] if slider["settles"]]
    places = itertools.product(*(slider["values"] for slider in moved))
    return [{slider["name"]: value for slider, value in zip(moved, place, strict=True)} for place in places]


def cell(data, values, at=None, segment=0):
    """What a flat list holds for one segment and setting; default the base case."""
    settings = settings_of(data)
    width = len(values) // (len(settings) * len(data["segments"]))
    place = place_of(data, at) + len(settings) * segment
    return values[place * width : (place + 1) * width]


def place_of(data, at=None):
    base = {slider["name"]: slider["base"] for slider in data["sliders"] if slider["settles"]}
    return settings_of(data).index(base | (at or {}))


def assert_same(data, other, at):
    """Hold one setting of all views against a comparison under its scenario."""
    figures = [other.of(part.replace(" ", "_") if part == "best rule" else part).figures for part in PARTS]
    for name, (field, factor, digits) in FIGURES[other.decision.name].items():
        expected = [round(factor * getattr(each, field), digits) for each in figures]
        assert cell(data, data["figures"][name], at) == pytest.approx(expected, abs=10**-digits / 1.9), name
    places = [getattr(each, field) for each in figures for field in MARKS[other.decision.name]]
    assert cell(data, data["marks"], at) == pytest.approx(places, abs=0.051)
    between = (other.difference.estimate, other.difference.low, other.difference.high)
    expected = [round(other.unit.factor * bound, 2) for bound in between]
    assert cell(data, data["difference"], at) == pytest.approx(expected, abs=1e-9)
    assert data["rules"][data["best_rule"][place_of(data, at)]] == other.of("best_rule").name


def test_each_setting_is_what_compare_finds_there(result, made, decision):
    assert_same(made.data, result, None)
    assert (made.data["verdict"], made.data["margin"]) == (result.verdict, result.unit.factor * result.margin)
    assert made.data["rival"] in difference_sentence(result)
    assert made.data["today"] == result.of("today").name.removeprefix("today: ")
    scenario = result.decision.grid(result).scenario_at(ELSEWHERE[decision])
    assert_same(made.data, wb.compare(result.split, result.model, scenario=scenario), ELSEWHERE[decision])


def test_every_road_leads_to_the_same_numbers(monkeypatch):
    monkeypatch.setattr("workbench.decisions.prefetch.explorer.BREAK_EVENS", (0.15, 0.45))
    split = wb.split_by_time(wb.load("synthetic_navigations", rows=2000))
    model, today = wb.train_next_page(split), wb.rules(split)[2]
    scenario = wb.PrefetchScenario(break_even=0.45, usd_per_second=0.002, usd_per_gb=0.06)
    other = wb.compare(split, model, today=today, scenario=scenario)
    from_base = explorer_data(wb.compare(split, model, today=today))
    from_other = wb.Explorer(other, usd_per_gb=5, segment="all")
    assert_same(from_base, other, {"break_even": 0.45})
    for name in ("figures", "marks", "difference", "bars", "best_rule", "panels"):
        assert from_base[name] == from_other.data[name]
    assert from_other.values == {"break_even": 0.45, "usd_per_second": 0.002, "usd_per_gb": 5}
    assert from_other.sliders["usd_per_gb"] == (0.02, 0.06, 0.085, 0.15, 0.5, 2.0, 5.0)


def test_segments_are_those_of_the_comparison(result, made):
    table = result.segments.set_index(result.segments["dimension"] + ": " + result.segments["level"].astype(str))
    data = made.data
    assert data["segments"][0] == {"name": "all", "users": result.test_users}
    for number, segment in enumerate(data["segments"][1:], start=1):
        row = table.loc[segment["name"]]
        assert segment["users"] == row["users"] >= 20
        expected = [round(result.unit.factor * row[name], 2) for name in ("difference", "low", "high")]
        assert cell(data, data["difference"], segment=number) == pytest.approx(expected, abs=1e-9)


def test_lines_pass_through_the_marks_and_every_setting_has_those_of_model_and_best_rule(made):
    data = made.data
    settings = settings_of(data)
    for at, rule in enumerate(data["best_rule"]):
        lines = {line["rule"]: line for line in data["lines"] if at in (place for place, *_ in line["settings"])}
        chancy = {line["rule"] for line in data["lines"]}
        assert set(lines) == {None, rule} & chancy
        for by, line in lines.items():
            part = PARTS.index("model" if by is None else "best rule")
            ((begin, end),) = (ends for place, *ends in line["settings"] if place == at)
            for segment in range(len(data["segments"])):
                rows = slice(segment * line["points"] + begin, segment * line["points"] + end)
                mark = cell(data, data["marks"], settings[at], segment)[2 * part : 2 * part + 2]
                points = np.column_stack([line["cost"][rows], line["gain"][rows]])
                assert np.isclose(points, mark, atol=1e-9).all(axis=1).any()


def test_photographs_are_those_of_the_comparison(results, explorers):
    result, data = results["images"], explorers["images"].data
    shown = data["panels"]["photos"]["settings"][place_of(data)]
    seen = np.array(shown["seen"][:27], dtype=object).reshape(3, 3, 3)
    assert shown["budget_ms"] == 1000
    for group, members in ((0, result.detail.slow), (2, result.detail.fast)):
        for column, part in enumerate(("today", "best_rule", "model")):
            view = typical_view(result.of(part).outcomes, members)
            assert list(seen[group, column]) == [view.rendition, round(100 * view.share), round(view.load_ms)]


def test_the_session_is_that_of_the_comparison(results, explorers):
    session, data = results["prefetch"].detail.session, explorers["prefetch"].data
    shown = data["panels"]["session"]["settings"][place_of(data)]
    for row, view in zip(session.to_dict("records"), shown, strict=True):
        assert view["page"] == row["page"] and [page for page, _ in view["model"]] == row["model_pages"]
        assert [page for page, opened in view["rule"] if opened] == row["rule_hits"]


def test_the_largest_level_of_every_dimension_comes_first():
    named = [("country", f"c{i}") for i in range(9)] + [("country", "other"), ("device", "phone"), ("hour", "noon")]
    picked = pick_segments(named, ("device", "country"))
    assert picked == [*named[:9], ("country", "other"), ("device", "phone")]
    assert len(pick_segments([("a", str(i)) for i in range(30)], ("a",))) == 11


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_the_same_from_every_checkout_with_one_default_export(name, monkeypatch, tmp_path):
    source = module_source(name)
    assert source.index("function frontier(") < source.index("function render(")
    assert source.count("export default") == 1
    for file in explorer_module.STATIC.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    monkeypatch.setattr(explorer_module, "STATIC", tmp_path)
    assert module_source(name) == source


@pytest.mark.parametrize("mark", ["</SCRIPT", "<!--"])
def test_what_would_end_a_script_element_is_refused(monkeypatch, tmp_path, mark):
    (tmp_path / "common.js").write_text(f'const a = "{mark}";')
    monkeypatch.setattr(explorer_module, "STATIC", tmp_path)
    with pytest.raises(WorkbenchError, match=f"common.js holds '{mark.lower()}'"):
        module_source("explorer")


def test_the_colours_are_those_of_the_pictures():
    assert f"--wb-model: light-dark({BLUE}," in style_sheet()
    scripts = module_source("explorer")
    assert "#" not in "".join(line for line in scripts.splitlines() if "fill" in line or "stroke" in line)
