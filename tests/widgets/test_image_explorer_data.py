"""The numbers of the explorer are those of a comparison, for the base case and elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
from workbench.studies.image_explorer_data import PARTS, SHOWN_TO

import workbench as wb
from workbench.evidence.segments import typical_view

FIGURES = {
    "large": ("large_share", 1000, 0),
    "late": ("late_share", 1000, 0),
    "slowest_wait": ("slowest_fifth_wait_ms", 1, 0),
    "megabytes": ("mb_per_1000", 1, 0),
    "wait": ("excess_wait_ms", 1, 1),
    "quality": ("quality", 1, 1),
}
NAMES = {"today": "today", "best rule": "best_rule", "model": "model", "perfect knowledge": "perfect knowledge"}


def cell(data, values, budget_ms, wait_ms, segment=0):
    """What a flat list holds for one segment, budget and price."""
    settings = len(data["budgets_ms"]) * len(data["cancelling_waits_ms"])
    width = len(values) // (settings * len(data["segments"]))
    at = data["budgets_ms"].index(budget_ms) * len(data["cancelling_waits_ms"])
    at += data["cancelling_waits_ms"].index(wait_ms) + settings * segment
    return values[at * width : (at + 1) * width]


def assert_same(data, printed, budget_ms, wait_ms):
    """Hold one cell of all views against what ``--json`` prints for its scenario."""
    names = [NAMES[part] if part == NAMES[part] else printed[NAMES[part]] for part in ("model", "perfect knowledge")]
    names = [printed["today"], printed["best_rule"], *names]
    policies = {policy["name"]: policy for policy in printed["policies"]}
    for name, (field, factor, digits) in FIGURES.items():
        expected = [round(factor * policies[policy][field], digits) for policy in names]
        assert cell(data, data["figures"][name], budget_ms, wait_ms) == expected, name
    evidence = printed["model_vs_best_rule"]
    difference = [round(x, 2) for x in (evidence["difference"], *evidence["interval"])]
    assert cell(data, data["difference"], budget_ms, wait_ms) == difference
    (rule,) = cell(data, data["best_rule"] * len(data["segments"]), budget_ms, wait_ms)
    assert data["rules"][rule] == printed["best_rule"]


def test_the_base_case_is_what_compare_prints(result, explorer):
    assert explorer.data["base"] == {"budget_ms": 1000, "cancelling_wait_ms": 400}
    assert_same(explorer.data, result.to_dict(), 1000, 400)
    assert explorer.data["verdict"] == result.verdict


@pytest.mark.parametrize(("budget_ms", "wait_ms"), [(2000, 1600), (500, 100)])
def test_another_setting_is_what_compare_prints_there(result, explorer, budget_ms, wait_ms):
    scenario = replace(result.scenario.with_budget(budget_ms), cancelling_wait_ms=wait_ms)
    other = wb.compare(result.split, result.model, scenario=scenario)
    assert_same(explorer.data, other.to_dict(), budget_ms, wait_ms)


def test_segments_are_those_of_the_comparison(result, explorer):
    table = result.segments.set_index(result.segments["dimension"] + ": " + result.segments["level"])
    data = explorer.data
    assert data["segments"][0] == {"name": "all", "users": result.test_users}
    for number, segment in enumerate(data["segments"][1:], start=1):
        row = table.loc[segment["name"]]
        assert segment["users"] == row["users"] >= 20
        expected = [round(row[name], 2) for name in ("difference", "low", "high")]
        assert cell(data, data["difference"], 1000, 400, number) == expected


def test_members_get_what_the_photographs_of_the_comparison_show(result, explorer):
    told = np.array(cell(explorer.data, explorer.data["members"], 1000, 400), dtype=object).reshape(3, 3, 3)
    for group, members in ((0, result.detail.slow), (2, result.detail.fast)):
        for column, part in enumerate(("today", "best_rule", "model")):
            view = typical_view(result.of(part).outcomes, members)
            assert list(told[group, column]) == [view.rendition, round(100 * view.share), round(view.load_ms)]


def test_lines_pass_through_the_marks(explorer):
    data = explorer.data
    quality, wait = (cell(data, data["figures"][name], 1000, 400) for name in ("quality", "wait"))
    (rule,) = cell(data, data["best_rule"] * len(data["segments"]), 1000, 400)
    for curve in data["curves"][data["budgets_ms"].index(1000)]:
        if curve["rule"] not in (None, rule):
            continue
        part = PARTS.index("model" if curve["rule"] is None else "best rule")
        of_all = len(curve["prices"])
        points = list(zip(curve["wait"][:of_all], curve["quality"][:of_all], strict=True))
        assert (wait[part], quality[part]) in points


def test_a_dearer_wait_never_makes_a_policy_wait_longer(explorer):
    for curve in explorer.data["curves"][1]:
        of_all = curve["wait"][: len(curve["prices"])]
        assert of_all[0] >= of_all[-1]


def test_nobody_is_in_it(result, explorer):
    told = str(explorer.data)
    users = result.split.test["user_id"].unique()
    assert not [user for user in users if str(user) in told]
    assert PARTS[:3] == SHOWN_TO
