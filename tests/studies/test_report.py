import html
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.policy import policy_name
from workbench.evidence.bootstrap import Interval
from workbench.evidence.verdict import Differing, Judgement, Recommendation
from workbench.studies.report import (
    assumptions,
    failing_checks,
    findings,
    first_screen,
    key_table,
    table_html,
    table_of,
    to_html,
    to_text,
    verdict_word,
)

PROMISED = {
    *("dataset", "decision", "simulated", "rows", "split", "known_by", "today", "best_rule", "policies"),
    *("model_vs_best_rule", "policies_vs_best_rule", "best_rule_vs_today", "recommendation", "answers", "ab_test"),
    *("decision_box", "headroom", "headroom_over_best_rule", "sensitivity", "segments", "model", "assumptions"),
    *("provenance", "seconds", "model_vs_linear"),
}
OF_A_POLICY = {"name", "kind", "available", "reason", "net", "kilobytes", "limit", "reads_later_columns"}
OF_THE_VERDICT = {"metric", "difference", "interval", "margin", "verdict", "failing_checks", "differing", "safety"} | {
    *("at_rules_operating_point", "net_of_the_slowest", "users_to_settle")
}
QUESTIONS = ["PROPOSED", "GAIN", "COST", "RISK", "ROBUST", "TEST", "RESTS ON"]
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
        ["net", "hits per 100", "unused per 100", "precision %", "saved"],
    ),
}


@pytest.fixture(params=["planted", "null", "real", "planted_pages"])
def result(request):
    return request.getfixturevalue(request.param)


def test_json_holds_what_is_promised(result):
    told = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    more, of_a_policy, of_the_verdict, of_the_model, _ = OWN[result.decision.name]
    assert set(told) >= PROMISED | more
    assert set(told["rows"]) == {"train", "calibration", "validation", "test", "masked"}
    assert told["dropped"] == dict(result.split.account["dropped"]) and isinstance(told["warnings"], list)
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
    assert [line[:12].strip() for line in lines[1:] if line[:1].isupper()][:7] == QUESTIONS
    assert "estimate until an A/B test confirms it" in plain(to_text(result))
    assert max(map(len, lines[:20])) < 130 and [*first_screen(result)] == ["title", *QUESTIONS]


def plain(shown: str) -> str:
    """Text or HTML in one line, without markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", shown)).split())


def test_text_json_html_markdown_and_explorer_say_the_same(little, counted):
    """Every sentence of the box, and the verdict, the gain, the margin and the figures of the small table."""
    result = little
    box, data = json.loads(json.dumps(result.to_dict()))["decision_box"], counted(result)
    shown = [plain(each) for each in (to_text(result), to_html(result), result.to_markdown().replace("**", ""))]
    for said in box.values():
        assert all(plain(said) in text for text in shown), said
    assert data["verdict"] == box["badge"].lower()
    unit, at = result.unit, base_setting(data)
    difference = result.to_dict()["model_vs_best_rule"]
    exact = [difference["difference"], *difference["interval"]]
    assert data["difference"][3 * at : 3 * at + 3] == [round(unit.factor * net, 2) for net in exact]
    enough = result.differing.users >= 100
    assert (unit.span(result.difference) in box["GAIN"]) == enough
    assert unit.signed(result.difference.estimate) in box["GAIN"]
    assert f"matters: {data['margin']:g}" in box["GAIN"]
    assert f"{result.differing.users:,} of {result.differing.of:,}" in box["GAIN"]
    table, tiles = key_table(result), {tile["title"]: tile for tile in data["tiles"]}
    for row in SAME_TILES[result.decision.name]:
        counted = data["figures"][tiles[row]["name"]][4 * at : 4 * at + 4]
        for cell, figure in zip(table.loc[row], counted, strict=True):
            assert float(re.sub("[^0-9.]", "", cell)) == pytest.approx(figure, abs=0.51), (row, cell, figure)
    assert table.index[-1].startswith("net (")
    nets = [float(cell) for cell in table.iloc[-1]]
    assert nets[2] - nets[1] == pytest.approx(unit.factor * exact[0], abs=1.01 * 10**-unit.digits)


# Rows of the small table, and the explorer's tiles of the same figures.
SAME_TILES = {
    "images": ("large images", "late", "wait, slowest fifth", "MB sent"),
    "prefetch": ("pages ready at the click", "unused prefetches", "waiting saved", "MB wasted"),
}


def base_setting(data) -> int:
    """Place of the base case among the settings."""
    moved = [slider for slider in data["sliders"] if slider["settles"]]
    return int(np.ravel_multi_index([s["values"].index(s["base"]) for s in moved], [len(s["values"]) for s in moved]))


@pytest.mark.parametrize("fault", ["assumption", "waiting", "net"])
def test_a_green_badge_hides_no_failing_check(little, fault):
    rows = {"group": ["base", "split"], "change": ["base case", "by user"], "verdict": ["better", "better"]}
    rows |= {"best_rule": ["ours", "ours"], "settled_by": ["ours", "theirs"]}
    safe = replace(little.safety, word="safe")
    best = replace(little, verdict="better", safety=safe, sensitivity=pd.DataFrame(rows))
    best = replace(best, slowest=replace(best.slowest, gain=Interval(1.0, -0.1, 2.0, 100)))
    assert (verdict_word(best), failing_checks(best)) == ("BETTER", [])
    assert '<section class="verdict better">' in to_html(best)
    failing = {
        "assumption": {"sensitivity": pd.DataFrame(rows | {"verdict": ["better", "inconclusive"]})},
        "waiting": {"safety": replace(safe, word="not_shown")},
        "net": {"slowest": replace(best.slowest, gain=Interval(-2.0, -3.0, -1.0, 100))},
    }
    worse = replace(best, **failing[fault])
    assert len(failing_checks(worse)) == 1
    for shown in (to_text(worse), to_html(worse), worse.to_markdown()):
        assert "BETTER, NOT IN EVERY CHECK" in plain(shown)
    assert '<section class="verdict open">' in to_html(worse)
    named = 'split by user: inconclusive against "theirs"'
    assert (named in plain(to_text(worse))) == (fault == "assumption")


def test_too_few_who_differ_get_no_interval_beside_them(little):
    few = replace(little, verdict="too few to tell", differing=Differing(12, 340, 50.0))
    few = replace(few, recommendation=Recommendation("ship_rule", "collect"))
    said = first_screen(few)
    assert "12 of 340 users met a different outcome, too few for an interval" in said["GAIN"]
    for text in (said["GAIN"], findings(few)["verdict"], repr(few)):
        assert little.unit.span(little.difference) not in text
        assert little.unit.signed(little.difference.estimate) in text
    assert "Ship" in said["PROPOSED"] and "too few to tell it from" in said["PROPOSED"]
    rows = pd.DataFrame({"group": "x", "change": list("abcd"), "verdict": "too few to tell"})
    rows = rows.assign(best_rule=policy_name(few.best_rule), settled_by=policy_name(few.best_rule))
    robust = first_screen(replace(few, sensitivity=rows))["ROBUST"]
    assert "settled in 0 of 3 checks" in robust and "The same rule is best in 3 of them." in robust
    same = replace(few, verdict="equivalent", differing=Differing(0, 340, 0.1))
    assert little.unit.amount(0.1) in first_screen(same)["GAIN"]


@pytest.mark.parametrize(("word", "action"), [("inconclusive", "collect"), ("equivalent", "use_rule")])
def test_the_rival_that_takes_a_gain_away_is_named_wherever_the_verdict_is(little, word, action):
    """In the box of all forms, in the heading of a proposal, in the JSON; elsewhere the best rule settles it."""
    rival = next(each for each in little.results if each.kind == "rule" and each.policy is not little.best_rule)
    over, many = Interval(0.25 * little.margin, -little.margin, 2 * little.margin, 340), Differing(300, 340, 1.0)
    settled = Judgement(over, many, word)
    shaken = replace(little, verdict=word, settled=settled, settled_by=rival.policy, differing=many)
    shaken = replace(shaken, recommendation=Recommendation("ship_rule", action))
    against = f'does not stand against "{rival.name}", as good before test: '
    for shown in (to_text(shaken), to_html(shaken), shaken.to_markdown()):
        assert against + shaken.unit.span(over) in plain(shown)
    few = replace(shaken, settled=replace(settled, differing=Differing(99, 340, 1.0)))
    assert shaken.unit.span(over) not in plain(to_text(few)) and f'against "{rival.name}"' in repr(few)
    box = first_screen(shaken)
    assert f'"{rival.name}"' in box["PROPOSED"] and rival.name in findings(shaken)["verdict"]
    assert shaken.to_dict()["model_vs_best_rule"]["settled_by"]["rule"] == rival.name
    own = little.to_dict()["model_vs_best_rule"]
    assert own["settled_by"].pop("rule") == policy_name(little.settled_by)
    assert (
        own["settled_by"].pop("differing").items() <= own["differing"].items()
        and own["settled_by"].items() <= own.items()
    )
    assert "as good before test" not in first_screen(little)["GAIN"]


@pytest.mark.parametrize(("rule_verdict", "said"), [("equivalent", "too little"), ("inconclusive", "not shown")])
def test_todays_is_kept_where_the_rule_gains_too_little(little, rule_verdict, said):
    gained = replace(little.rule_over_today, word=rule_verdict)
    kept = replace(little, rule_over_today=gained, recommendation=Recommendation("keep_today", "use_rule"))
    assert first_screen(kept)["PROPOSED"].startswith("Keep today's")
    assert said in first_screen(kept)["PROPOSED"]
    few = replace(gained, word="too few to tell", differing=Differing(12, 340, 9.0))
    box = first_screen(replace(kept, rule_over_today=few))
    assert "too few users met a different outcome" in box["PROPOSED"] and "only 12 of 340 users" in box["GAIN"]
    tested = first_screen(replace(kept, recommendation=Recommendation("keep_today", "test_model")))["PROPOSED"]
    assert f'A/B test the model against today\'s "{policy_name(little.today)}".' in tested  # what stays is the control


def test_where_even_perfect_knowledge_gains_too_little_no_test_is_asked_for(little):
    little = replace(little, recommendation=Recommendation("ship_rule", "little_to_win"))
    said = first_screen(little)
    assert "even perfect knowledge" in said["PROPOSED"] and said["TEST"].startswith("None needed")


def test_the_ab_test_is_said_in_full(planted):
    said, size = first_screen(planted)["TEST"], planted.ab_test
    for part in (
        "net (points a view)",
        "smallest effect 1,",
        "power 80 %",
        "alpha 5 %",
        "two groups",
        "CUPED",
        "Stop if",
    ):
        assert part in said
    for number in (size.users, size.days, size.users_with_history):
        assert f"{number:,}" in said
    assert size.users_with_history < size.users
    assert size.users_a_day * size.days >= size.users > size.users_a_day * (size.days - 1)


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
    assert result.verdict in told["verdict"] and result.of("best_rule").name in told["rules"]
    assert result.unit.amount(result.headroom) in told["headroom"]
    assert result.unit.amount(result.headroom_over_rule) in told["headroom"]
    nets = [result.of(which).figures.net for which in ("oracle", "best_rule")]
    assert result.headroom_over_rule == pytest.approx(nets[0] - nets[1])
    assert not [sentence for sentence in told.values() if sentence[0].islower() or sentence.endswith(".")]


@pytest.mark.parametrize(
    ("word", "key"), [("safe", "within the limit"), ("not_shown", "Open risk"), ("harmful", "HARMFUL:")]
)
def test_what_the_model_does_to_the_slowest_is_said_with_its_number(little, word, key):
    safety = replace(little.safety, added_wait=Interval(9.0, 6.0, 12.0, 100), tolerance_ms=7.0, word=word)
    shown = replace(little, safety=safety)
    said = first_screen(shown)["RISK"]
    assert key in said and little.decision.report.who_waits(little) in said
    assert "12 ms" in said or "+12" in said
    assert "7 ms" in said and ("BUT HARMFUL" in to_text(shown)) == (word == "harmful")


def test_harm_comes_from_the_predictions_or_from_the_operating_point_or_that_is_not_shown(little):
    harmful = replace(little.safety, added_wait=Interval(19.0, 16.0, 22.0, 100), tolerance_ms=7.0, word="harmful")
    for word, cause in (("harmful", "The predictions do it"), ("safe", "That is gone"), ("not_shown", "is not shown")):
        there = replace(harmful, word=word)
        said = first_screen(replace(little, safety=harmful, safety_at_rule=there))["RISK"]
        assert cause in said and f"at the rule's own {little.decision.operating_point}" in said


def test_an_interval_below_the_limit_is_an_open_risk_where_few_wait_otherwise(little):
    few = replace(little.safety, added_wait=Interval(1.0, 0.0, 2.0, 60), tolerance_ms=7.0, word="not_shown")
    said = first_screen(replace(little, safety=replace(few, differing=Differing(12, 60, 9.0))))["RISK"]
    assert "are only 60" in said and "7 ms" in said
    for differing, words in (
        (Differing(12, 160, 9.0), "only 12 of 160 wait otherwise"),
        (Differing(0, 60, 9.0), "none of"),
    ):
        assert words in first_screen(replace(little, safety=replace(few, differing=differing)))["RISK"]


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
    assert "\n" not in repr(result) and result.unit.signed(result.difference.estimate) in repr(result)
    assert (result.unit.span(result.difference) in repr(result)) == (result.differing.users >= 100)


def test_an_unknown_heading_or_table_names_those_there_are(little):
    with pytest.raises(wb.WorkbenchError, match=r"finding must be one of rules, verdict"):
        little.heading("verdicts")
    with pytest.raises(wb.WorkbenchError, match=r"table must be one of policies.*Did you mean 'segments'"):
        little.table("segment")
    assert little.heading("verdict")._repr_html_().startswith("<h2>")
    assert table_html(little, "segments") in little.table("segments")._repr_html_()


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
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown and "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert max(len(word) for word in shown.replace("<", " ").replace(">", " ").split()) < 200
    json.dumps(hostile.to_dict(), allow_nan=False)
    lines = str(hostile).splitlines()
    assert lines[0].startswith(f"{hostile.decision.title} - {DATASET} - REAL data")
    assert max(map(len, lines[:20])) < 200 and "\x00" not in str(hostile)


def test_names_of_rules_are_escaped(little):
    results = tuple(replace(r, name=HOSTILE[0]) if r.policy is little.best_rule else r for r in little.results)
    renamed = replace(little, results=results)
    page = to_html(renamed) + table_html(renamed, "policies")
    assert "<script" not in page and "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("features", "trees", "said"),
    [
        ((3, 2), (3, 2), "Both features and trees gain"),
        ((3, 2), (0.5, 0.2), "The features gain; the trees are not shown"),
        ((3, 2), (3, -1), "The features gain; the trees are not shown"),
        ((0.5, -1), (3, 2), "The trees gain; the features alone are not shown"),
        ((0.5, -1), (0.5, -1), "Neither"),
    ],
)
def test_the_report_says_whether_features_or_trees_gain(little_images, features, trees, said):
    """Intervals by hand; the smallest gain that matters is 1 point."""
    of_features, of_trees = (Interval(estimate, low, 2 * estimate - low, 500) for estimate, low in (features, trees))
    against = dict(little_images.against_best_rule) | {"linear": of_features}
    result = replace(little_images, against_best_rule=against, trees_gain=of_trees, differing=Differing(300, 340, 1.0))
    sentence = findings(result)["linear"]
    assert sentence.startswith(said) and sentence.endswith("exploratory")
    assert sentence in to_text(result)
    assert result.unit.span(of_features) in sentence and result.unit.span(of_trees) in sentence
    few = replace(result, differing=Differing(99, 340, 1.0))
    assert "too few users" in findings(few)["linear"] and result.unit.span(of_trees) not in findings(few)["linear"]
    told = result.to_dict()["model_vs_linear"]
    assert (told["difference"], told["interval"]) == (of_trees.estimate, [of_trees.low, of_trees.high])
