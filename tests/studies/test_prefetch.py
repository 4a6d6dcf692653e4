"""Prefetching, the whole path: planted and null worlds, a person's own data and rules, what is refused."""

import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.decision import call_policy
from workbench.decisions.prefetch.answers import PAGES_ASKED
from workbench.decisions.prefetch.decision import DECISION as PREFETCH
from workbench.decisions.prefetch.decision import HOVER, UNUSED_A_VIEW
from workbench.decisions.prefetch.markov import Markov
from workbench.decisions.prefetch.replay import replay_prefetch
from workbench.decisions.prefetch.rules import GuessJs, Never, PrefetchPolicy, Quicklink
from workbench.studies.report import first_screen

ROWS = 4000


@pytest.fixture(scope="module")
def planted():
    return wb.study("synthetic_navigations", rows=12_000)


@pytest.fixture(scope="module")
def little():
    """Small and quick, for tests of behaviour rather than of evidence."""
    return wb.study("synthetic_navigations", rows=ROWS)


@pytest.fixture(scope="module")
def sections():
    """Own data without users, times and context: pages that follow one another in a ring, and some strays."""
    rng = np.random.default_rng(3)
    length = rng.integers(2, 9, 400)
    session = np.repeat(np.arange(400), length)
    step = np.where(rng.random(len(session)) < 0.8, 1, rng.integers(2, 6, len(session)))
    page = (np.cumsum(step) % 7).astype(str)
    return wb.study(wb.navigations(pd.DataFrame({"session_id": session, "page": page}), name="a ring"))


def replay(policy, part, result):
    """Ask a policy about whole sessions, as a function of its own, and replay its answer."""
    here = PREFETCH.situations(part, result.split.card, result.split.cluster, result.known_by, result.scenario)
    answer = PREFETCH.ask(lambda context: call_policy(policy, context, result.scenario), here, result.scenario)
    return replay_prefetch(answer, part, result.scenario)


def net(result, which):
    return result.of(which).figures.net


def by_name(result):
    return {policy.name: policy for policy in result.results}


# What is found


def test_on_the_planted_world_the_model_is_better_and_below_perfect_knowledge(planted):
    assert planted.verdict in ("better", "inconclusive")
    assert planted.difference.estimate > planted.margin
    rules = [policy.figures.net for policy in planted.results if policy.kind == "rule" and policy.available]
    assert max(rules) < net(planted, "model") < net(planted, "oracle")


def test_true_chances_are_a_reference_that_nobody_beats_and_never_the_best_rule(planted):
    truth = planted.of("true chances")
    assert truth.kind == "reference"
    assert planted.of("best_rule").kind == "rule"
    assert net(planted, "model") < truth.figures.net < net(planted, "oracle")
    assert truth.figures.top1 > planted.of("model").figures.top1


def test_on_the_null_world_the_model_is_not_better():
    null = wb.study("synthetic_navigations_null", rows=15_000)
    assert null.verdict != "better"
    assert null.recommendation.action != "test_model"
    assert net(null, "model") > 0.5 * net(null, "best_rule") > 0


def test_perfect_knowledge_has_most_hits_wastes_nothing_and_bounds_the_headroom(little, sections):
    for result in (little, sections):
        perfect = result.of("oracle").figures
        assert perfect.unused_per_view == 0
        assert result.headroom == perfect.net == pytest.approx(perfect.hits_per_100 / 100)
        assert all(policy.figures.net <= perfect.net for policy in result.results if policy.figures)


def test_figures_are_those_of_a_plain_replay(little):
    """The same numbers by another road: each tuned policy is asked and replayed over the test part by itself."""
    for policy in little.results:
        if policy.policy is not None and policy.available:
            alone = replay(policy.policy, little.split.test, little)
            assert alone["net"].mean() == pytest.approx(policy.figures.net), policy.name
            assert alone["hits"].mean() == pytest.approx(policy.figures.hits_per_100 / 100), policy.name


def test_the_verdict_can_be_worked_out_from_the_outcomes(planted):
    model, rule = planted.of("model").outcomes, planted.of("best_rule").outcomes
    price = planted.scenario.break_even / (1 - planted.scenario.break_even)
    each = (model["hits"] - price * model["unused"]) - (rule["hits"] - price * rule["unused"])
    users = planted.split.test["user_id"]
    assert planted.difference.estimate == pytest.approx(each.mean())
    assert planted.difference.clusters == planted.test_users == users.nunique()
    sums = pd.DataFrame({"sum": each.groupby(users).sum(), "views": each.groupby(users).size()})
    rng = np.random.default_rng(99)  # other draws than the study's
    drawn = [sums.iloc[rng.integers(0, len(sums), len(sums))].sum() for _ in range(1000)]
    low, high = np.quantile([draw["sum"] / draw["views"] for draw in drawn], [0.025, 0.975])
    width = planted.difference.high - planted.difference.low
    assert (planted.difference.low, planted.difference.high) == pytest.approx((low, high), abs=0.1 * width)
    assert planted.verdict == ("better" if planted.difference.low > 0 else "inconclusive")


def test_every_other_policy_is_held_against_the_best_rule(little):
    replayed = {policy.name for policy in little.results if policy.available}
    assert set(little.against_best_rule) == replayed - {little.of("best_rule").name}
    for name, interval in little.against_best_rule.items():
        assert interval.estimate == pytest.approx(net(little, name) - net(little, "best_rule"))
        assert interval.low <= interval.estimate <= interval.high
    assert little.against_best_rule["model"] == little.difference


def test_the_same_seed_gives_the_same_study(little):
    again = wb.study("synthetic_navigations", rows=ROWS)
    one, other = (result.to_dict() for result in (little, again))
    for told in (one, other):
        for timed in ("us_per_decision", "train_seconds"):
            told["model"].pop(timed)
        told.pop("seconds")
    assert one == other
    assert wb.study("synthetic_navigations", rows=ROWS, seed=1).difference != little.difference


# Nothing of test reaches what is settled before


def garbled(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(page=part["page"].array[::-1])


def test_the_best_rule_and_the_limits_do_not_depend_on_test(little):
    split = replace(little.split, test=garbled(little.split.test))
    again = wb.compare(split, little.model)
    assert again.of("best_rule").name == little.of("best_rule").name
    assert [policy.limit for policy in again.results] == [policy.limit for policy in little.results]
    assert len({policy.limit for policy in again.results}) > 3
    assert again.difference != little.difference


def test_limits_are_those_with_the_largest_net_on_validation(little):
    split = replace(little.split, validation=garbled(little.split.validation))
    again = wb.compare(split, little.model)
    assert [policy.limit for policy in again.results] != [policy.limit for policy in little.results]
    rule = little.of("first-order Markov").policy
    tried = [
        replay(replace(rule, limit=limit), little.split.validation, little)["net"].mean()
        for limit in (rule.limit, 0.5 * rule.limit, 2 * rule.limit)
    ]
    assert max(tried) == tried[0]


def test_the_model_knows_neither_choose_nor_test(little):
    split = replace(little.split, validation=garbled(little.split.validation), test=garbled(little.split.test))
    again = wb.train_next_page(split)
    asked = little.split.validation.head(500)
    pd.testing.assert_frame_equal(again.next_pages(asked, 3), little.model.next_pages(asked, 3))


def test_history_of_the_earlier_parts_does_not_know_the_later_ones():
    views = wb.load("synthetic_navigations", rows=ROWS)
    late = (views["session_id"] >= 0.8 * views["session_id"].max()).to_numpy()
    pages = views["page"].array.copy()
    pages[late] = pages[late][::-1]
    one, other = (wb.split_by_time(frame) for frame in (views, views.assign(page=pages)))
    for name in ("train", "validation"):
        kept = (one.train if name == "train" else one.validation)["session_id"] < 0.8 * views["session_id"].max()
        pd.testing.assert_frame_equal(getattr(one, name)[kept], getattr(other, name)[kept])
    assert not one.test["last_next"].equals(other.test["last_next"])


# What people read


def test_json_holds_what_is_promised(little):
    told = json.loads(json.dumps(little.to_dict(), allow_nan=False))
    assert (told["decision"], told["dataset"], told["simulated"]) == ("prefetch", "synthetic_navigations", True)
    promised = {
        *("net", "hits_per_100", "unused_per_view", "top1", "top3", "precision", "recall", "traffic_increase"),
        *("ms_saved_per_view", "bytes_wasted_per_view", "kilobytes", "limit", "reason", "kind"),
    }
    nets = {}
    for policy in told["policies"]:
        assert promised <= set(policy), policy["name"]
        assert (policy["net"] is None) == (not policy["available"]) == (policy["reason"] is not None)
        nets[policy["name"]] = policy["net"]
    against = told["model_vs_best_rule"]
    assert against["difference"] == pytest.approx(nets["model"] - nets[told["best_rule"]])
    assert (against["metric"], against["break_even"]) == ("net", 0.15)
    assert told["policies_vs_best_rule"]["model"]["interval"] == against["interval"]
    assert set(told["hits_per_100_at_unused"]["model"]) == {f"{at:g}" for at in UNUSED_A_VIEW}
    assert {"train", "calibration", "validation", "test"} <= set(told["rows"])
    assert told["session_end_share"] == pytest.approx(1 / 6.6, abs=0.03)


def test_figures_agree_with_each_other(little, sections):
    for result in (little, sections):
        outcomes = result.of("model").outcomes
        figures = result.of("model").figures
        navigations = outcomes["navigation"].sum()
        assert figures.recall == pytest.approx(outcomes["hits"].sum() / navigations)
        assert figures.precision == pytest.approx(outcomes["hits"].sum() / outcomes["fetched"].sum())
        assert len(outcomes) == len(result.split.test) > navigations
        asked = result.detail.ranking["model"]
        assert (asked.top1, asked.top3, asked.navigations) == (figures.top1, figures.top3, navigations)
        assert result.detail.end_share == pytest.approx(
            1
            - sum((part["position"] > 0).sum() for _, part in result.split.parts())
            / sum(len(part) for _, part in result.split.parts())
        )


def test_rules_that_cannot_be_used_say_why(sections, little):
    reasons = {policy.name: policy.reason for policy in sections.results if policy.reason}
    assert reasons == {
        "quicklink": "these views have no page links",
        "user history, else Markov": "no user history in this data",
    }
    for name, reason in reasons.items():
        assert f"not available: {name}: {reason}" in str(sections)
        assert sections.of(name).figures is None
    assert not [policy.reason for policy in little.results if policy.reason]


def test_where_there_are_no_users_sessions_are_resampled_and_named(sections):
    assert sections.split.cluster == "session_id"
    assert sections.test_users == sections.split.test["session_id"].nunique()
    assert "400 users" not in str(sections) and "of users" not in str(sections)
    assert "400 sessions" in str(sections)


def test_without_times_freshness_is_counted_in_views_and_dwell_is_assumed(sections):
    assert sections.of("model").figures.assumed == ("dwell", "page bytes", "network")
    assert "A page stays fresh for 5 views" in str(sections)
    assert "15 s on each page are assumed" in str(sections)


# A person's own rules


def same_again(context):
    """Plain function: the page before the current one, within the session."""
    before = context.groupby("session_id")["page"].shift(1)
    there = before.notna()
    return pd.DataFrame({"view_id": context["view_id"][there], "page": before[there].astype(str), "rank": 1})


def peeks(context):
    coming = context.groupby("session_id")["page"].shift(-1)
    there = coming.notna()
    return pd.DataFrame({"view_id": context["view_id"][there], "page": coming[there].astype(str), "rank": 1})


def test_a_persons_own_rule_is_a_rule_like_any_other(little):
    split = little.split
    result = wb.compare(split, little.model, rules=[same_again, *wb.rules(split)])
    mine = result.of(same_again)
    assert (mine.kind, mine.name, mine.limit, mine.frontier) == ("rule", "same_again", None, None)
    assert mine.figures.unused_per_view > 0
    assert mine.figures.net == pytest.approx(replay(same_again, split.test, little)["net"].mean())
    assert result.difference == little.difference


@pytest.mark.parametrize("place", ["rules", "today"])
def test_a_policy_that_peeks_is_refused(little, place):
    given = {"rules": [peeks]} if place == "rules" else {"today": peeks}
    with pytest.raises(wb.WorkbenchError, match="peeks reads the future"):
        wb.compare(little.split, little.model, **given)


@pytest.mark.parametrize("column", ["user_id", "page_bytes"])
def test_a_rule_that_reads_what_nobody_knows_is_refused(little, column):
    def reads(context):
        return context[column]

    with pytest.raises(wb.WorkbenchError, match=f"reads reads '{column}', which is not known"):
        wb.compare(little.split, little.model, rules=[reads])


def test_a_persons_own_source_of_chances_without_a_field_for_its_limit_is_called_as_it_is(little):
    first = next(rule for rule in wb.rules(little.split) if rule.name == "first-order Markov")

    class Ours:
        name, limit = "ours", 0.9

        def next_pages(self, context, k):
            return first.next_pages(context, k)

        def __call__(self, context, scenario):
            return replace(first, limit=0.4)(context, scenario)

    mine = wb.compare(little.split, little.model, rules=[Ours()]).of("ours")
    alone = replay(replace(first, limit=0.4), little.split.test, little)
    assert mine.figures.net == pytest.approx(alone["net"].mean())


# What is done today


def test_today_is_nothing_unless_somebody_says_otherwise(little):
    assert (little.today, net(little, "today")) == (Never(), 0)
    assert little.rule_gain.estimate == pytest.approx(net(little, "best_rule"))


def test_today_may_be_any_policy_and_is_no_rule(little):
    result = wb.compare(little.split, little.model, today=same_again)
    today = result.of("today")
    assert (today.name, today.kind) == ("today: same_again", "reference")
    assert result.rule_gain.estimate == pytest.approx(net(result, "best_rule") - today.figures.net)
    assert result.difference == little.difference


def test_a_rule_without_a_limit_fetches_from_the_break_even_today(little):
    second = wb.rules(little.split)[3]
    assert second.limit is None
    today = wb.compare(little.split, little.model, today=second).of("today")
    at_price = replay(replace(second, limit=0.15), little.split.test, little)
    assert today.figures.net == pytest.approx(at_price["net"].mean())


@pytest.mark.parametrize("make", [lambda: Markov(order=2, limit=0.1), GuessJs])
def test_a_rule_fitted_elsewhere_is_not_taken_for_the_one_fitted_here(little, make):
    """Both bear one name; each is asked for itself."""
    elsewhere = make().fit(little.split.test.tail(300))
    result = wb.compare(little.split, little.model, today=elsewhere)
    alone = replay(elsewhere, little.split.test, little)
    assert result.of("today").figures.net == pytest.approx(alone["net"].mean())
    assert result.of("today").figures != result.of(elsewhere.name).figures


# Scenarios


def test_a_dearer_miss_fetches_less(little):
    dear = wb.compare(little.split, little.model, scenario=wb.PrefetchScenario(break_even=0.5))
    assert dear.of("model").figures.unused_per_view < little.of("model").figures.unused_per_view
    assert dear.of("model").limit > little.of("model").limit
    assert "one hit is worth 1.0 unused prefetches" in str(dear)


@pytest.mark.parametrize("k", [1, PAGES_ASKED + 4])
def test_as_many_pages_are_fetched_as_the_scenario_says(little, k):
    """A price close to nothing: everybody fetches all that may be fetched."""
    greedy = wb.PrefetchScenario(k=k, break_even=0.001)
    result = wb.compare(little.split, little.model, scenario=greedy)
    popular = result.of("most popular page")
    most = replay(popular.policy, little.split.test, result)
    assert most["fetched"].max() == k
    assert popular.figures.net == pytest.approx(most["net"].mean())
    assert result.detail.ranking["model"].recall == pytest.approx(little.detail.ranking["model"].recall)


def test_hits_at_are_read_off_the_frontier(little):
    table = little.detail.hits_at
    assert list(table.columns) == list(UNUSED_A_VIEW)
    assert set(table.index) == {policy.name for policy in little.results if policy.frontier is not None}
    reached = table.loc["model"].dropna()
    assert reached.is_monotonic_increasing and len(reached) >= 2


def test_safety_weighs_all_that_is_waited_for(little):
    """Tolerance is a tenth of what those with the slowest pages wait under the rule, not of what it saves them."""
    split, scenario = little.split, little.scenario
    test = PREFETCH.situations(split.test, split.card, split.cluster, little.known_by, scenario)
    slow = PREFETCH.slowest(test, scenario)
    outcomes = (little.of(which).outcomes for which in ("model", "best_rule"))
    ours, theirs = (PREFETCH.wait_ms(each, test, scenario)[slow] for each in outcomes)
    users = test.users[slow]
    assert theirs.mean() > 0
    assert len(np.unique(users)) == round(0.2 * little.test_users)
    assert little.safety.tolerance_ms == pytest.approx(0.1 * theirs.mean())
    assert little.safety.added_wait.estimate == pytest.approx((ours - theirs).mean())


def test_where_all_pages_load_alike_everybody_is_looked_at(sections, little):
    saved = sections.of("best_rule").figures.ms_saved_per_view - sections.of("model").figures.ms_saved_per_view
    added = (
        sections.of("model").figures.contention_ms_per_view - sections.of("best_rule").figures.contention_ms_per_view
    )
    assert sections.safety.added_wait.estimate == pytest.approx(saved + added)
    assert sections.safety.added_wait.clusters == sections.test_users
    said = first_screen(sections)["safety"]
    assert "all sessions" in said and "slowest" not in said
    told = first_screen(little)["safety"]
    assert "the fifth of users with the slowest pages" in told


# What is refused


def test_what_is_no_table_of_page_views_is_refused():
    speeds = wb.load("synthetic_measurements", rows=500)
    for given in (speeds, "synthetic_measurements"):
        with pytest.raises(wb.WorkbenchError, match="prefetch is decided on navigations"):
            wb.study(given, scenario=wb.PrefetchScenario())
    with pytest.raises(wb.WorkbenchError, match="expected a dataset's name, the path of a card, or a DataFrame"):
        wb.study(None)
    with pytest.raises(wb.WorkbenchError, match=r"wb\.navigations\(df\)"):
        wb.study(pd.DataFrame({"page": ["a", "b"]}))


def test_page_views_cannot_decide_images(little):
    for given in ("synthetic_navigations", wb.load("synthetic_navigations", rows=500)):
        with pytest.raises(wb.WorkbenchError, match="images is decided on measurements"):
            wb.study(given, scenario=wb.ImageScenario())


def test_a_split_of_measurements_is_refused(little):
    split = wb.split_by_user(wb.load("synthetic_measurements", rows=2000))
    with pytest.raises(wb.WorkbenchError, match=r"takes? .*trained|trained on other rows"):
        wb.compare(split, little.model)


def test_a_model_from_another_split_is_refused(little):
    views = wb.load("synthetic_navigations", rows=ROWS)
    for split in (wb.split_by_user(views), wb.split_by_time(views.head(3000))):
        with pytest.raises(wb.WorkbenchError, match=r"trained on other rows than this split.*wb.train_next_page"):
            wb.compare(split, little.model)


def test_an_untrained_model_is_refused(little):
    from workbench.models import NextPage

    with pytest.raises(wb.WorkbenchError, match=r"expected a trained model, as from wb\.train_next_page"):
        wb.compare(little.split, NextPage())


@pytest.mark.parametrize("margin", [0, -1.0, float("nan"), "half a hit"])
def test_a_margin_is_a_number_above_zero(little, margin):
    with pytest.raises(wb.WorkbenchError, match="margin must be a number above 0"):
        wb.compare(little.split, little.model, margin=margin)


def test_the_margin_given_decides_the_verdict(planted):
    wide = wb.compare(planted.split, planted.model, margin=0.5)
    assert (wide.verdict, wide.margin, planted.margin) == ("equivalent", 0.5, 0.005)
    assert wide.difference == planted.difference


def test_what_is_no_rule_is_refused(little):
    for rules in (same_again, ["never"], "never", []):
        with pytest.raises(wb.WorkbenchError, match=r"rules must be a list of callables, such as wb\.rules"):
            wb.compare(little.split, little.model, rules=rules)
    with pytest.raises(wb.WorkbenchError, match="'same_again' came more than once"):
        wb.compare(little.split, little.model, rules=[same_again, same_again])
    with pytest.raises(wb.WorkbenchError, match="expected a DataFrame with the columns view_id, page, rank"):
        wb.compare(little.split, little.model, rules=[lambda context: "home"])


def test_no_rule_may_take_the_models_name(little):
    """Two sources under one name would be told apart by nobody."""
    other = PrefetchPolicy(little.model)
    with pytest.raises(wb.WorkbenchError, match="a rule cannot be called 'model'"):
        wb.compare(little.split, little.model, rules=[other])
    result = wb.compare(little.split, little.model, rules=[replace(other, name="the old model")])
    assert result.difference.estimate == 0


def test_without_any_rule_there_is_nothing_to_compare_with(little):
    with pytest.raises(wb.WorkbenchError, match="no rule is available on this data: these views have no page links"):
        wb.compare(little.split, little.model, rules=[Quicklink()])


def test_hover_is_a_reference_with_half_of_its_pages_opened(little):
    on_hover = by_name(little)[HOVER]
    assert (on_hover.kind, on_hover.policy) == ("reference", None)
    assert on_hover.figures.precision == pytest.approx(0.5)


# Hostile names


HOSTILE = (
    "<script>alert(1)</script>",
    "\"quotes\" & 'more' <b onmouseover=alert(1)>",
    "/long/" + "x" * 10_000,
    "/bad/\ufffd\ufffd",
    "/$a$\\frac{1}",
    "tab\tand\nnew line",
    "a" * 300,
    "\x00nul",
    "\u202eright to left",
)


@pytest.fixture(scope="module")
def hostile():
    views = wb.load("synthetic_navigations", rows=3000)
    pages = dict(zip(views["page"].astype(str).value_counts().index, HOSTILE, strict=False))
    frame = views[["session_id", "user_id", "viewed_at", "device"]].assign(
        page=views["page"].astype(str).replace(pages).astype(str)
    )
    return wb.study(wb.navigations(frame, name="<img src=x onerror=alert(1)>"))


def test_hostile_names_are_escaped_wherever_they_show(hostile):
    from workbench.studies import report

    names = ("data", "model", "calibration", "rules", "frontier", "session", "saved", "verdict", "headroom")
    shown = "".join(
        [
            report.to_html(hostile),
            report.policies_html(hostile, every_column=True),
            report.segments_html(hostile, most=20),
            report.table_html(hostile, "hits"),
            report.assumptions_html(hostile),
            *(report.finding_html(hostile, about) for about in names),
        ]
    )
    for markup in ("<script", "<img", "<b ", "\x00", "\u202e"):
        assert markup not in shown.lower()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    longest = max(len(word) for word in shown.replace("<", " ").replace(">", " ").split())
    assert longest < 200
    json.dumps(hostile.to_dict(), allow_nan=False)


def test_the_first_screen_of_hostile_data_can_be_read(hostile):
    lines = str(hostile).split(os.linesep)
    assert lines[0].startswith("PREFETCH - <img src=x onerror=alert(1)> - REAL data")
    assert max(map(len, lines[:12])) < 200
    assert "\x00" not in str(hostile)
