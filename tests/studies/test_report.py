"""What people read: the first screen, the JSON, HTML that data cannot break."""

import json
from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from workbench.evidence.bootstrap import Interval
from workbench.studies.report import assumptions, findings, first_screen, table_html, table_of, to_html, to_text

PROMISED = {
    *("dataset", "decision", "simulated", "rows", "split", "known_by", "today", "best_rule", "policies"),
    *("model_vs_best_rule", "policies_vs_best_rule", "recommendation", "headroom", "sensitivity", "segments", "model"),
    *("assumptions", "provenance", "seconds", "model_vs_linear"),
}
OF_A_POLICY = {"name", "kind", "available", "reason", "net", "kilobytes", "limit", "reads_later_columns"}
OF_THE_VERDICT = {"metric", "difference", "interval", "margin", "verdict", "safety", "users_to_settle"}
OF_THE_MODEL = {"trees", "kilobytes", "us_per_decision", "train_seconds", "log_loss", "auc", "calibration"}
# What a decision adds: to all, to a policy, to the verdict, to the model; the columns of its default table.
OWN = {
    "images": (
        {"signal_free_share", "lost_probes", "headroom_by_budget"},
        {"quality", "large_share", "excess_wait_ms", "late_share", "slowest_fifth_wait_ms", "mb_per_1000"}
        | {"load_ms_p50", "load_ms_p75", "load_ms_p95"},
        {"quality_at_rules_wait"},
        {"calibration_by_budget"},
        ["net", "large %", "late %", "extra wait", "slowest fifth", "MB per 1,000"],
    ),
    "prefetch": (
        {"session_end_share", "hits_per_100_at_unused"},
        {"hits_per_100", "unused_per_view", "top1", "top3", "precision", "recall", "traffic_increase"}
        | {"ms_saved_per_view", "bytes_wasted_per_view"},
        {"break_even", "unused_price"},
        {"ranking"},
        ["net per 100", "hits per 100", "unused per 100", "precision %", "saved"],
    ),
}


@pytest.fixture(params=["planted", "null", "real", "planted_pages"])
def result(request):
    return request.getfixturevalue(request.param)


def test_json_holds_what_is_promised(result):
    told = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    more, of_a_policy, of_the_verdict, of_the_model, _ = OWN[result.decision.name]
    assert set(told) >= PROMISED | more
    assert set(told["rows"]) == {"train", "calibration", "validation", "test", "masked", "dropped"}
    assert set(told["model_vs_best_rule"]) >= OF_THE_VERDICT | of_the_verdict
    assert set(told["model"]) >= OF_THE_MODEL | of_the_model
    for policy in told["policies"]:
        assert set(policy) >= OF_A_POLICY | of_a_policy, policy["name"]
        assert (policy["net"] is None) == (not policy["available"]) == (policy["reason"] is not None)
    assert told["best_rule"] in [policy["name"] for policy in told["policies"] if policy["kind"] == "rule"]
    assert told["today"] in [policy["name"] for policy in told["policies"]]
    assert told["decision"] == result.decision.name and told["simulated"] == result.split.card.simulated


def test_the_interval_holds_the_difference_of_the_nets(result):
    told = result.to_dict()
    nets = {policy["name"]: policy["net"] for policy in told["policies"]}
    against = told["model_vs_best_rule"]
    assert against["difference"] == pytest.approx(nets["model"] - nets[told["best_rule"]])
    assert against["interval"][0] < against["difference"] < against["interval"][1]
    assert told["policies_vs_best_rule"]["model"]["interval"] == against["interval"]


def test_the_first_screen_says_it_in_large_letters(result):
    lines = to_text(result).splitlines()
    card = result.split.card
    source = "SIMULATED" if card.simulated else "REAL"
    assert lines[0].startswith(f"{result.decision.title} - {card.name} - {source}")
    assert lines[1] == f"RECOMMENDATION: {result.recommendation.text}   [{result.verdict.upper()}]"
    assert "estimate until an A/B test confirms it" in to_text(result)
    assert max(map(len, lines[:12])) < 180
    assert result.unit.span(result.difference) in first_screen(result)["difference"]


def test_the_default_table_has_few_columns_and_all_shows_the_rest(result):
    assert list(table_of(result)) == OWN[result.decision.name][-1]
    every = table_of(result, every_column=True)
    assert set(table_of(result)) | {"kind", "kB", "limit"} <= set(every)
    assert every.index.str.contains(r"best rule", regex=False).sum() == 1


def test_what_is_simulated_says_so_everywhere(planted, planted_pages, real):
    for result in (planted, planted_pages):
        for text in (to_text(result), to_html(result), assumptions(result)[0]):
            assert "SIMULATED" in text
    assert "SIMULATED" not in to_text(real) + to_html(real)


def test_headings_state_findings(result):
    told = findings(result)
    assert result.verdict in told["verdict"]
    assert result.of("best_rule").name in told["rules"]
    assert result.unit.amount(result.headroom) in told["headroom"]
    assert not [sentence for sentence in told.values() if sentence[0].islower() or sentence.endswith(".")]


@pytest.mark.parametrize(
    ("word", "key"), [("safe", "within the limit"), ("not_shown", "Open risk"), ("harmful", "HARMFUL")]
)
def test_what_the_model_does_to_the_slowest_is_said_with_its_number(little, word, key):
    safety = replace(little.safety, added_wait=Interval(9.0, 6.0, 12.0, 100), tolerance_ms=7.0, word=word)
    screen = to_text(replace(little, safety=safety))
    who = little.decision.report.who_waits(little)
    said = next(line for line in screen.splitlines() if key in line and who in line)
    assert "12 ms" in said or "+12" in said
    assert "7 ms" in said
    assert ("BUT HARMFUL" in screen) == (word == "harmful")


def test_no_user_is_named(real, planted_pages):
    for result in (real, planted_pages):
        users = set(result.split.test["user_id"].head(200))
        said = to_html(result) + to_text(result) + json.dumps(result.to_dict())
        assert min(map(len, users)) > 3 and not any(user in said for user in users)


def test_the_table_of_policies_as_numbers(result):
    frame = result.to_frame()
    assert frame.loc["model", "net"] == result.of("model").figures.net
    assert frame["net"].dropna().is_monotonic_decreasing
    assert set(frame.index) == {policy.name for policy in result.results}
    assert frame.loc[~frame["available"].astype(bool), "net"].isna().all()


def test_markdown_holds_the_same_table(result):
    text = result.to_markdown()
    shown = table_of(result)
    for name, cells in zip(shown.index, shown.to_numpy(), strict=True):
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        assert [cell.strip() for cell in row.strip("|").split("|")][1:] == list(cells)


def test_a_result_is_one_line_to_a_programmer(result):
    assert "\n" not in repr(result)
    assert result.unit.span(result.difference) in repr(result)


def test_an_unknown_heading_or_table_names_those_there_are(little):
    with pytest.raises(wb.WorkbenchError, match=r"finding must be one of rules, verdict"):
        little.heading("verdicts")
    with pytest.raises(wb.WorkbenchError, match=r"table must be one of policies.*Did you mean 'segments'"):
        little.table("segment")
    assert little.heading("verdict")._repr_html_().startswith("<h2>")
    assert table_html(little, "segments") in little.table("segments")._repr_html_()


# Hostile names


HOSTILE = (
    *("<script>alert(1)</script>", "\"quotes\" & 'more' <b onmouseover=alert(1)>", "/long/" + "x" * 10_000),
    *("/bad/\ufffd\ufffd", "/$a$\\frac{1}", "tab\tand\nnew line", "a" * 300, "\x00nul", "\u202eright to left"),
)
DATASET = "<img src=x onerror=alert(1)>"


@pytest.fixture(params=["images", "prefetch"])
def hostile(request, once):
    return once(f"hostile {request.param}", make_images if request.param == "images" else make_pages)


def make_pages():
    views = wb.load("synthetic_navigations", rows=3000)
    pages = dict(zip(views["page"].astype(str).value_counts().index, HOSTILE, strict=False))
    frame = views[["session_id", "user_id", "viewed_at", "device"]]
    return wb.study(wb.navigations(frame.assign(page=views["page"].astype(str).replace(pages)), name=DATASET))


def make_images():
    views = wb.load("synthetic_measurements", rows=6000)
    draw = np.random.default_rng(0)
    country, isp = draw.choice(HOSTILE, (2, len(views)))
    frame = views[["user_id", "measured_at", "rtt_ms", "downlink_mbps"]].assign(country=country, isp=isp)
    return wb.study(wb.measurements(frame, name=DATASET))


def test_hostile_names_are_escaped_wherever_they_show(hostile):
    every = ["policies", "segments", "assumptions", *hostile.decision.report.tables(hostile)]
    tables = [table_html(hostile, name) for name in every] + [hostile.table("policies", every_column=True)]
    shown = "".join([to_html(hostile), *tables, *(hostile.heading(about) for about in findings(hostile))])
    for markup in ("<script", "<img", "<b ", "\x00", "\u202e"):
        assert markup not in shown.lower()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert max(len(word) for word in shown.replace("<", " ").replace(">", " ").split()) < 200
    json.dumps(hostile.to_dict(), allow_nan=False)


def test_the_first_screen_of_hostile_data_can_be_read(hostile):
    lines = str(hostile).splitlines()
    assert lines[0].startswith(f"{hostile.decision.title} - {DATASET} - REAL data")
    assert max(map(len, lines[:12])) < 200
    assert "\x00" not in str(hostile)


def test_names_of_rules_are_escaped(little):
    results = tuple(replace(r, name=HOSTILE[0]) if r.policy is little.best_rule else r for r in little.results)
    renamed = replace(little, results=results)
    page = to_html(renamed) + table_html(renamed, "policies")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("features", "trees", "said"),
    [
        ((3, 2), (3, 2), "Both features and trees gain"),
        ((3, 2), (0.5, 0.2), "The features gain, not the trees"),
        ((3, 2), (3, -1), "The features gain, not the trees"),
        ((0.5, -1), (3, 2), "The trees gain, not the features alone"),
        ((0.5, -1), (0.5, -1), "Neither"),
    ],
)
def test_the_report_says_whether_features_or_trees_gain(little_images, features, trees, said):
    """Intervals by hand; the smallest gain that matters is 1 point."""
    of_features, of_trees = (Interval(estimate, low, 2 * estimate - low, 500) for estimate, low in (features, trees))
    against = dict(little_images.against_best_rule) | {"linear": of_features}
    result = replace(little_images, against_best_rule=against, trees_gain=of_trees)
    sentence = findings(result)["linear"]
    assert sentence.startswith(said) and sentence.endswith("exploratory")
    assert sentence in to_text(result)
    assert result.unit.span(of_features) in sentence and result.unit.span(of_trees) in sentence
    told = result.to_dict()["model_vs_linear"]
    assert (told["difference"], told["interval"]) == (of_trees.estimate, [of_trees.low, of_trees.high])
