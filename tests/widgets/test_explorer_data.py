"""The numbers of an explorer are those of a comparison, for the base case and elsewhere."""

import itertools
import json

import numpy as np
import pytest

import workbench as wb
from workbench.decisions.images.replay import typical_view
from workbench.studies.scenario_grid import PARTS, explorer_data, pick_segments

# A tile's name: field of the figures, factor, decimals.
FIGURES = {
    "images": {
        "large": ("large_share", 1000, 0),
        "late": ("late_share", 1000, 0),
        "slowest_wait": ("slowest_fifth_wait_ms", 1, 0),
        "megabytes": ("mb_per_1000", 1, 0),
    },
    "prefetch": {
        "hits": ("hits_per_100", 10, 2),
        "unused": ("unused_per_view", 1000, 2),
        "saved_ms": ("ms_saved_per_view", 1, 1),
        "slowed_ms": ("contention_ms_per_view", 1, 1),
        "wasted_mb": ("bytes_wasted_per_view", 1000 / 1e6, 1),
    },
}
ELSEWHERE = {
    "images": [{"budget_ms": 2000, "cancelling_wait_ms": 1600}, {"budget_ms": 500, "cancelling_wait_ms": 100}],
    "prefetch": [{"break_even": 0.45}],
}
# What places in the picture are of: fields of the figures and factors.
MARKS = {
    "images": (("excess_wait_ms", 1), ("quality", 1)),
    "prefetch": (("unused_per_view", 1), ("hits_per_100", 1)),
}
GREEDY = {"images": [("budget_ms", 500, 3000)], "prefetch": [("break_even", 0.6, 0.05)]}


def settings_of(data):
    """Values of the sliders that settle, setting by setting."""
    moved = [slider for slider in data["sliders"] if slider["settles"]]
    places = itertools.product(*(slider["values"] for slider in moved))
    return [{slider["name"]: value for slider, value in zip(moved, place, strict=True)} for place in places]


def cell(data, values, at=None, segment=0):
    """What a flat list holds for one segment and setting; default the base case."""
    settings = settings_of(data)
    base = {slider["name"]: slider["base"] for slider in data["sliders"] if slider["settles"]}
    width = len(values) // (len(settings) * len(data["segments"]))
    place = settings.index(base | (at or {})) + len(settings) * segment
    return values[place * width : (place + 1) * width]


def assert_same(data, other, at):
    """Hold one setting of all views against a comparison under its scenario."""
    figures = [other.of(part.replace(" ", "_") if part == "best rule" else part).figures for part in PARTS]
    for name, (field, factor, digits) in FIGURES[other.decision.name].items():
        expected = [round(factor * getattr(each, field), digits) for each in figures]
        assert cell(data, data["figures"][name], at) == pytest.approx(expected, abs=10**-digits / 1.9), name
    places = [factor * getattr(each, field) for each in figures for field, factor in MARKS[other.decision.name]]
    assert cell(data, data["marks"], at) == pytest.approx(places, abs=0.051)
    between = (other.difference.estimate, other.difference.low, other.difference.high)
    expected = [round(other.unit.factor * bound, 2) for bound in between]
    assert cell(data, data["difference"], at) == pytest.approx(expected, abs=1e-9)
    rule = data["best_rule"][settings_of(data).index(cell_values(data, at))]
    assert data["rules"][rule] == other.of("best_rule").name


def cell_values(data, at):
    return {slider["name"]: slider["base"] for slider in data["sliders"] if slider["settles"]} | (at or {})


def test_the_base_case_is_what_compare_finds(result, made):
    assert_same(made.data, result, None)
    assert (made.data["verdict"], made.data["margin"]) == (result.verdict, result.unit.factor * result.margin)
    assert made.data["today"] == result.of("today").name.removeprefix("today: ")


def test_another_setting_is_what_compare_finds_there(result, made, decision):
    for at in ELSEWHERE[decision]:
        scenario = result.decision.grid(result).scenario_at(at)
        assert_same(made.data, wb.compare(result.split, result.model, scenario=scenario), at)


def test_every_road_leads_to_the_same_numbers(results):
    base = results["prefetch"]
    today = wb.rules(base.split)[2]
    base = wb.compare(base.split, base.model, today=today)
    scenario = wb.PrefetchScenario(break_even=0.45, usd_per_second=0.002, usd_per_gb=0.06)
    other = wb.compare(base.split, base.model, today=today, scenario=scenario)
    from_base, from_other = explorer_data(base), wb.Explorer(other, usd_per_gb=5, segment="all")
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


def test_a_dearer_cost_is_borne_less(made, decision):
    data = made.data
    for name, dear, cheap in GREEDY[decision] if decision == "prefetch" else []:
        costs = [cell(data, data["marks"], {name: value})[2 * PARTS.index("model")] for value in (dear, cheap)]
        assert costs[0] < costs[1]
    for line in data["lines"]:
        assert line["cost"][0] >= line["cost"][line["points"] - 1]


def test_photographs_are_those_of_the_comparison(results, explorers):
    result, data = results["images"], explorers["images"].data
    shown = data["panels"]["photos"]["settings"][settings_of(data).index(cell_values(data, None))]
    seen = np.array(shown["seen"][:27], dtype=object).reshape(3, 3, 3)
    assert shown["budget_ms"] == 1000
    for group, members in ((0, result.detail.slow), (2, result.detail.fast)):
        for column, part in enumerate(("today", "best_rule", "model")):
            view = typical_view(result.of(part).outcomes, members)
            assert list(seen[group, column]) == [view.rendition, round(100 * view.share), round(view.load_ms)]


def test_the_session_is_that_of_the_comparison(results, explorers):
    session, data = results["prefetch"].detail.session, explorers["prefetch"].data
    shown = data["panels"]["session"]["settings"][settings_of(data).index({"break_even": 0.15})]
    for row, view in zip(session.to_dict("records"), shown, strict=True):
        assert view["page"] == row["page"]
        assert [page for page, _ in view["model"]] == row["model_pages"]
        assert [page for page, opened in view["rule"] if opened] == row["rule_hits"]


def test_nobody_is_in_it(result, made):
    written = json.dumps(made.data)
    assert not [user for user in result.split.test["user_id"].unique() if f'"{user}"' in written]


def test_the_largest_level_of_every_dimension_comes_first():
    named = [("country", f"c{i}") for i in range(9)] + [("country", "other"), ("device", "phone"), ("hour", "noon")]
    picked = pick_segments(named, ("device", "country"))
    assert picked == [*named[:9], ("country", "other"), ("device", "phone")]
    assert len(pick_segments([("a", str(i)) for i in range(30)], ("a",))) == 11
