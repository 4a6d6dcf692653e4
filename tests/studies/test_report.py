"""What people read: the first screen, the JSON, HTML that data cannot break."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.decision import policy_name
from workbench.evidence.bootstrap import Interval
from workbench.studies.report import assumptions, findings, table_html, table_of, to_html, to_text

PROMISED = [
    "dataset",
    "decision",
    "simulated",
    "rows",
    "split",
    "known_by",
    "signal_free_share",
    "today",
    "best_rule",
    "policies",
    "model_vs_best_rule",
    "recommendation",
    "headroom",
    "model",
    "assumptions",
    "provenance",
    "seconds",
]
PROMISED_OF_A_POLICY = [
    "name",
    "kind",
    "available",
    "reason",
    "net",
    "quality",
    "large_share",
    "excess_wait_ms",
    "late_share",
    "slowest_fifth_wait_ms",
    "mb_per_1000",
    "load_ms_p50",
    "load_ms_p75",
    "load_ms_p95",
    "kilobytes",
]


@pytest.fixture(params=["planted", "null", "real"])
def result(request):
    return request.getfixturevalue(request.param)


def test_json_holds_what_is_promised(result):
    told = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert set(PROMISED) <= set(told)
    assert set(told["rows"]) == {"train", "calibration", "validation", "test", "masked", "dropped"}
    assert {"metric", "difference", "interval", "margin", "verdict", "safety", "users_to_settle"} <= set(
        told["model_vs_best_rule"]
    )
    assert {"trees", "kilobytes", "us_per_decision", "train_seconds", "log_loss", "auc", "calibration"} <= set(
        told["model"]
    )
    for policy in told["policies"]:
        assert set(PROMISED_OF_A_POLICY) <= set(policy)
        assert (policy["net"] is None) == (not policy["available"]) == (policy["reason"] is not None)
    assert told["best_rule"] in [policy["name"] for policy in told["policies"] if policy["kind"] == "rule"]
    assert told["today"] in [policy["name"] for policy in told["policies"]]


def test_calibration_is_told_per_budget_and_rendition(result):
    rows = result.to_dict()["model"]["calibration_by_budget"]
    assert [(row["budget_ms"], row["rendition"]) for row in rows] == [
        (budget, name) for budget in (500, 1000, 2000) for name in ("small", "medium", "large")
    ]
    base = next(row for row in rows if row["budget_ms"] == 1000 and row["rendition"] == "large")
    assert (base["slope"], base["auc"]) == pytest.approx((result.calibration.slope, result.calibration.auc))
    shares = [row["share"] for row in rows if row["rendition"] == "large"]
    assert shares == sorted(shares, reverse=True)


def test_the_interval_holds_the_difference_of_the_nets(result):
    told = result.to_dict()
    nets = {policy["name"]: policy["net"] for policy in told["policies"]}
    against = told["model_vs_best_rule"]
    assert against["difference"] == pytest.approx(nets["model"] - nets[told["best_rule"]])
    assert against["interval"][0] < against["difference"] < against["interval"][1]


def test_the_first_screen_says_it_in_large_letters(result):
    lines = to_text(result).splitlines()
    card = result.split.card
    assert lines[0].startswith(f"IMAGE DELIVERY - {card.name} - {'SIMULATED' if card.simulated else 'REAL'}")
    assert lines[1] == f"RECOMMENDATION: {result.recommendation.text}   [{result.verdict.upper()}]"
    assert result.safety.word != "harmful"
    assert "estimate until an A/B test confirms it" in to_text(result)
    assert max(map(len, lines[:12])) < 180


def test_the_default_table_has_six_columns_and_all_shows_the_rest(result):
    assert list(table_of(result)) == ["net", "large %", "late %", "extra wait", "slowest fifth", "MB per 1,000"]
    assert {"quality", "load p95", "kB"} <= set(table_of(result, every_column=True))


def test_what_is_simulated_says_so_everywhere(planted, real):
    for text in (to_text(planted), to_html(planted), assumptions(planted)[0]):
        assert "SIMULATED" in text
    assert "SIMULATED" not in to_text(real) + to_html(real)


def test_what_was_assumed_is_said(real, planted):
    assert any("115 ms is assumed (low 50, high 200)" in sentence for sentence in assumptions(real))
    assert any("independent given the context" in sentence for sentence in assumptions(planted))
    assert not any("independent given the context" in sentence for sentence in assumptions(real))


def test_references_that_read_later_columns_are_marked(planted):
    assert any("not usable at this moment" in name for name in table_of(planted).index if name.startswith("today"))


def test_names_from_data_are_escaped(planted):
    hostile = "<script>alert(1)</script>"
    results = tuple(replace(r, name=hostile) if r.policy is planted.best_rule else r for r in planted.results)
    split = replace(planted.split, card=replace(planted.split.card, name=hostile))
    page = to_html(replace(planted, results=results, split=split))
    page += table_html(replace(planted, results=results, split=split), "policies")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_headings_state_findings(result):
    told = findings(result)
    assert result.verdict in told["verdict"]
    assert result.of("best_rule").name in told["rules"]
    assert all(sentence[0].isupper() and not sentence.endswith(".") for sentence in told.values())


@pytest.fixture(scope="module")
def nobody():
    """Measurements of which nobody knows whose they are; 8 % were lost."""
    rng = np.random.default_rng(0)
    rtt = np.exp(rng.normal(4.5, 1, 3000))
    rtt[::12] = np.inf
    isp = rng.choice(["a", "b", "c"], 3000)
    frame = pd.DataFrame({"rtt_ms": rtt, "downlink_mbps": np.exp(rng.normal(2, 1, 3000)), "isp": isp})
    return wb.study(wb.measurements(frame, name="rows"))


def test_where_nobody_is_known_views_are_counted_not_users(nobody, planted):
    assert (nobody.split.people, planted.split.people) == ("views", "users")
    said = to_text(nobody, every_column=True) + table_html(nobody, "segments") + to_html(nobody)
    assert "users" not in said
    assert "paired resamples of 600 views" in said
    assert "slowest fifth of views" in said
    assert f"paired resamples of {planted.test_users:,} users" in to_text(planted)


def test_what_never_arrives_is_no_number(nobody):
    slowest = table_of(nobody, every_column=True)["load p95"]
    assert set(slowest) == {"never"}
    assert "inf" not in to_text(nobody, every_column=True)
    assert table_of(nobody, every_column=True)["load p50"].str.endswith(" ms").all()


@pytest.mark.parametrize(
    ("word", "key"), [("safe", "within the limit"), ("not_shown", "Open risk"), ("harmful", "HARMFUL")]
)
def test_what_the_model_does_to_the_slowest_is_said_with_its_number(nobody, word, key):
    safety = replace(nobody.safety, added_wait=Interval(9.0, 6.0, 12.0, 100), tolerance_ms=7.0, word=word)
    said = next(
        line for line in to_text(replace(nobody, safety=safety)).splitlines() if "slowest fifth of views" in line
    )
    assert key in said
    assert "12 ms" in said or "+12" in said
    assert "7 ms" in said


def test_no_user_is_named(real):
    users = set(real.split.test["user_id"].head(200))
    said = to_html(real) + to_text(real) + json.dumps(real.to_dict())
    assert not any(user in said for user in users)


def test_calibration_is_told_for_each_budget_and_rendition(result):
    told = table_html(result, "calibration")
    table = result.detail.calibration_by_budget
    assert told.count("<tr>") == len(table) + 1
    first = table.iloc[0]
    assert f"{first['budget_ms'] / 1000:g} s, {first['rendition']}" in told
    assert f"{first['slope']:.2f}" in told


def test_the_table_of_policies_as_numbers(result):
    frame = result.to_frame()
    assert frame.loc["model", "net"] == result.of("model").figures.net
    assert frame["net"].dropna().is_monotonic_decreasing
    assert set(frame.index) == {policy.name for policy in result.results}
    assert frame.loc[~frame["available"].astype(bool), "net"].isna().all()


def test_markdown_holds_the_same_table(result):
    text = result.to_markdown()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == len(table_of(result)) + 2 + 4 + 2
    assert f"{result.of('model').figures.net:.2f}" in text


def test_a_result_is_one_line_to_a_programmer(result):
    assert "\n" not in repr(result)
    assert result.unit.span(result.difference) in repr(result)


def test_an_unknown_heading_or_table_names_those_there_are(planted):
    with pytest.raises(wb.WorkbenchError, match="finding must be one of rules, verdict"):
        planted.heading("verdicts")
    with pytest.raises(wb.WorkbenchError, match=r"table must be one of policies.*Did you mean 'segments'"):
        planted.table("segment")
    assert planted.heading("verdict")._repr_html_().startswith("<h2>")


def test_rules_are_those_that_were_replayed(planted):
    available = [each.name for each in planted.results if each.kind == "rule" and each.available]
    assert [policy_name(rule) for rule in planted.rules] == available
    assert planted.best_rule in planted.rules
