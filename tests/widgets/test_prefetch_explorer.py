"""The explorer of prefetching: what may be chosen, and numbers that are those of a comparison."""

import json
from dataclasses import replace

import ipywidgets
import pytest
from workbench.studies.prefetch_explorer_data import PARTS

import workbench as wb
from workbench.errors import WorkbenchError

MOST_BYTES = 300_000
OWN = ("data", "break_even", "value_of_second", "usd_per_gb", "segment")
# A tile's name: field that `compare prefetch --json` prints, factor, decimals.
FIGURES = {
    "hits": ("hits_per_100", 10, 2),
    "unused": ("unused_per_view", 1000, 2),
    "saved_ms": ("ms_saved_per_view", 1, 1),
    "slowed_ms": ("contention_ms_per_view", 1, 1),
    "wasted_mb": ("bytes_wasted_per_view", 1000 / 1e6, 1),
}


def cell(data, values, break_even, segment=0):
    """What a flat list holds for one segment and break-even."""
    settings = len(data["break_evens"])
    width = len(values) // (settings * len(data["segments"]))
    at = settings * segment + data["break_evens"].index(break_even)
    return values[at * width : (at + 1) * width]


def assert_same(data, printed, break_even):
    """Hold one cell of all views against what ``--json`` prints for its scenario."""
    names = [printed["today"], printed["best_rule"], "model", "perfect knowledge"]
    policies = {policy["name"]: policy for policy in printed["policies"]}
    for name, (field, factor, digits) in FIGURES.items():
        expected = [round(factor * policies[policy][field], digits) for policy in names]
        assert cell(data, data["figures"][name], break_even) == pytest.approx(expected, abs=10**-digits), name
    evidence = printed["model_vs_best_rule"]
    difference = [round(100 * x, 2) for x in (evidence["difference"], *evidence["interval"])]
    assert cell(data, data["difference"], break_even) == pytest.approx(difference, abs=1e-9)
    assert data["rules"][data["best_rule"][data["break_evens"].index(break_even)]] == printed["best_rule"]


def test_it_begins_at_the_base_case(prefetch_explorer):
    it = prefetch_explorer
    assert (it.break_even, it.value_of_second, it.usd_per_gb, it.segment) == (0.15, 0, 0.085, "all")
    assert it.data["break_evens"] == [0.05, 0.1, 0.15, 0.3, 0.45, 0.6]
    assert 1 < len(it.segments) <= 12
    assert all(segment["users"] >= 20 for segment in it.data["segments"])


def test_its_state_is_small_and_plain(prefetch_explorer):
    state = prefetch_explorer.get_state()
    assert len(json.dumps({name: state[name] for name in OWN}, separators=(",", ":"), allow_nan=False)) < MOST_BYTES


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("break_even", 0.2, r"break_even must be one of 0\.05, 0\.1, 0\.15, 0\.3, 0\.45, 0\.6; got 0\.2\."),
        ("value_of_second", 1, r"value_of_second must be one of 0, 0\.0001, "),
        ("usd_per_gb", -1, r"usd_per_gb must be one of 0\.02, .*; got -1\."),
        ("segment", "page: /fed", r"got 'page: /fed'\. Did you mean 'page: /feed'\?"),
    ],
)
def test_a_choice_that_was_not_counted_is_refused_and_nothing_changes(prefetch_explorer, name, value, message):
    before = getattr(prefetch_explorer, name)
    with pytest.raises(WorkbenchError, match=message):
        setattr(prefetch_explorer, name, value)
    assert getattr(prefetch_explorer, name) == before


def test_choices_can_be_watched_and_linked(prefetch_explorer):
    seen = []
    prefetch_explorer.observe(lambda change: seen.append(change["new"]), ["break_even", "segment"])
    people = ipywidgets.Dropdown(options=prefetch_explorer.segments)
    ipywidgets.link((people, "value"), (prefetch_explorer, "segment"))
    people.value = prefetch_explorer.segments[1]
    prefetch_explorer.break_even = 0.3
    assert seen == [prefetch_explorer.segments[1], 0.3]


def test_only_a_comparison_of_prefetching_will_do(result):
    with pytest.raises(WorkbenchError, match=r"expected a comparison, as from wb\.compare_prefetch; got 'data'"):
        wb.PrefetchExplorer("data")
    with pytest.raises(WorkbenchError, match="expected a comparison of prefetching; this one compares image delivery"):
        wb.PrefetchExplorer(result)


def test_an_explorer_of_images_refuses_it_too(prefetch_result):
    with pytest.raises(WorkbenchError, match="expected a comparison of image delivery"):
        wb.ImageExplorer(prefetch_result)


def test_the_base_case_is_what_compare_prints(prefetch_result, prefetch_explorer):
    data = prefetch_explorer.data
    assert_same(data, prefetch_result.to_dict(), 0.15)
    assert (data["verdict"], data["margin"]) == (prefetch_result.verdict, 100 * prefetch_result.margin)
    session = prefetch_result.detail.session
    shown = data["sessions"][data["break_evens"].index(0.15)]
    for row, view in zip(session.to_dict("records"), shown, strict=True):
        assert view["page"] == row["page"]
        assert [page for page, _ in view["model"]] == row["model_pages"]
        assert [page for page, opened in view["rule"] if opened] == row["rule_hits"]


def test_another_break_even_and_todays_policy_are_what_compare_prints_there(prefetch_result):
    split, model = prefetch_result.split, prefetch_result.model
    today = wb.rules(split)[2]
    base = wb.compare(split, model, today=today)
    scenario = replace(base.scenario, break_even=0.45, usd_per_second=0.002, usd_per_gb=0.06)
    other = wb.compare(split, model, scenario=scenario, today=today)
    from_base, from_other = wb.PrefetchExplorer(base), wb.PrefetchExplorer(other)
    assert_same(from_base.data, other.to_dict(), 0.45)
    for name in ("figures", "difference", "bars", "best_rule", "sessions"):
        assert from_base.data[name] == from_other.data[name]
    assert from_other.data["base"] == {"break_even": 0.45, "value_of_second": 0.002, "usd_per_gb": 0.06}
    assert (from_other.value_of_second, from_other.usd_per_gb) == (0.002, 0.06)


def test_segments_are_those_of_the_comparison(prefetch_result, prefetch_explorer):
    names = prefetch_result.segments["dimension"] + ": " + prefetch_result.segments["level"].astype(str)
    table, data = prefetch_result.segments.set_index(names), prefetch_explorer.data
    assert data["segments"][0] == {"name": "all", "users": prefetch_result.test_users}
    for number, segment in enumerate(data["segments"][1:], start=1):
        row = table.loc[segment["name"]]
        assert segment["users"] == row["users"] >= 20
        expected = [round(100 * row[name], 2) for name in ("difference", "low", "high")]
        assert cell(data, data["difference"], 0.15, number) == pytest.approx(expected, abs=1e-9)


def test_lines_pass_through_the_marks(prefetch_explorer):
    data = prefetch_explorer.data
    for segment in range(len(data["segments"])):
        for curve in data["curves"]:
            of_segment = slice(segment * curve["points"], (segment + 1) * curve["points"])
            points = list(zip(curve["hits"][of_segment], curve["unused"][of_segment], strict=True))
            part = PARTS.index("model" if curve["rule"] is None else "best rule")
            for break_even in (data["break_evens"][at] for at in curve["settings"]):
                hits, unused = (cell(data, data["figures"][name], break_even, segment) for name in ("hits", "unused"))
                mark = pytest.approx((hits[part] / 10, unused[part] / 1000), abs=1e-3)
                assert any(point == mark for point in points)


def test_every_break_even_has_the_line_of_the_model_and_of_its_best_rule(prefetch_explorer):
    data = prefetch_explorer.data
    for at, rule in enumerate(data["best_rule"]):
        assert [curve["rule"] for curve in data["curves"] if at in curve["settings"]] == [None, rule]


def test_a_dearer_page_is_fetched_less_and_a_line_ends_where_little_is(prefetch_explorer):
    data = prefetch_explorer.data
    cheap, dear = (cell(data, data["figures"]["unused"], break_even)[2] for break_even in (0.05, 0.6))
    assert cheap > dear
    for curve in data["curves"]:
        assert curve["unused"][0] > curve["unused"][curve["points"] - 1]


def test_nobody_is_in_it(prefetch_result, prefetch_explorer):
    told = json.dumps(prefetch_explorer.data)
    users = prefetch_result.split.test["user_id"].unique()
    assert not [user for user in users if f'"{user}"' in told]
