from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.policy import Situations
from workbench.decisions.prefetch.answers import PAGES_ASKED
from workbench.decisions.prefetch.decision import DECISION as PREFETCH
from workbench.decisions.prefetch.decision import HOVER, UNUSED_A_VIEW
from workbench.decisions.prefetch.markov import Markov, UserHistory
from workbench.decisions.prefetch.report import ALONE
from workbench.decisions.prefetch.rules import Never
from workbench.decisions.prefetch.scenario import DWELL_S
from workbench.evidence.bootstrap import Interval
from workbench.evidence.verdict import FEWEST_DIFFERING
from workbench.studies.report import findings, first_screen


def net(result, which):
    return result.of(which).figures.net


@pytest.fixture(scope="module")
def views():
    return wb.load("synthetic_navigations", rows=4000)


@pytest.fixture(scope="module")
def plan(views):
    return PREFETCH.plan(views, PREFETCH.scenario(views.attrs["card"]), 0)


def test_perfect_knowledge_wastes_nothing_and_is_the_headroom(little, ring):
    for result in (little, ring):
        perfect = result.of("oracle").figures
        assert perfect.unused_per_view == 0
        assert result.headroom == perfect.net == pytest.approx(perfect.hits_per_100 / 100)


def test_figures_agree_with_each_other(little, ring):
    for result in (little, ring):
        outcomes = result.of("model").outcomes
        figures = result.of("model").figures
        navigations = outcomes["navigation"].sum()
        assert figures.recall == pytest.approx(outcomes["hits"].sum() / navigations)
        assert figures.precision == pytest.approx(outcomes["hits"].sum() / outcomes["fetched"].sum())
        assert len(outcomes) == len(result.split.test) > navigations
        asked = result.detail.ranking["model"]
        assert (asked.top1, asked.top3, asked.navigations) == (figures.top1, figures.top3, navigations)
        views = pd.concat([part for _, part in result.split.parts()])
        assert result.detail.end_share == pytest.approx((views["position"] == 0).mean())


def test_hits_at_are_read_off_the_frontier(little):
    table = little.detail.hits_at
    assert list(table.columns) == list(UNUSED_A_VIEW)
    assert set(table.index) == {policy.name for policy in little.results if policy.frontier is not None}
    reached = table.loc["model"].dropna()
    assert reached.is_monotonic_increasing and len(reached) >= 2
    assert set(little.to_dict()["hits_per_100_at_unused"]["model"]) == {f"{at:g}" for at in UNUSED_A_VIEW}


# Hover


@pytest.fixture(scope="module")
def hovered(little):
    return wb.compare(little.split, little.model, scenario=wb.PrefetchScenario(on_hover=wb.Hover()))


def test_hover_alone_is_a_reference_below_perfect_knowledge(little):
    alone, perfect = little.of(HOVER), little.of("oracle").figures
    assert (alone.kind, alone.policy) == ("reference", None)
    assert alone.figures.precision == pytest.approx(0.5)
    assert 0 < alone.figures.hits_per_100 < perfect.hits_per_100
    assert 0 < alone.figures.ms_saved_per_view <= 300 * alone.figures.recall
    assert HOVER not in [policy.name for policy in little.results if policy.policy is not None]


def test_where_hover_is_on_it_runs_under_every_policy(little, hovered):
    assert hovered.of("never").figures == little.of(HOVER).figures
    assert HOVER not in {policy.name for policy in hovered.results}
    least = hovered.of("never").figures
    for policy in (policy for policy in hovered.results if policy.available):
        assert policy.figures.unused_per_view >= least.unused_per_view
        assert policy.figures.ms_saved_per_view >= least.ms_saved_per_view
        assert policy.figures.net <= hovered.of("oracle").figures.net
    assert hovered.headroom == pytest.approx(net(hovered, "oracle") - least.net)


def test_both_cases_stand_in_either_report(little, hovered):
    for result, own in ((little, 0), (hovered, 1)):
        assert result.detail.cases[own].difference == result.difference
        assert result.detail.cases[own].best_rule == result.of("best_rule").name
        for name, which in (("model", "model"), ("best rule", "best_rule"), ("perfect knowledge", "oracle")):
            ours = result.detail.cases[own].figures[name]
            assert ours.net == result.of(which).figures.net
        assert result.detail.cases[own].differing == result.differing
        enough = [case.differing.users >= FEWEST_DIFFERING for case in result.detail.cases]
        shown = (result.unit.span(case.difference) for case in result.detail.cases)
        said = [span if known else span.split(" (")[0] for span, known in zip(shown, enough, strict=True)]
        heading = findings(result)["hover"]
        assert f"without hover: {said[0]}" in heading and f"on hover too: {said[1]}" in heading
        assert f"model minus best rule: {said[1 - own]}. " in " ".join(str(result).split()) + " "
        told = result.to_dict()["hover"]
        for name, case in zip(("without", "with"), result.detail.cases, strict=True):
            interval = [case.difference.low, case.difference.high]
            assert told[name]["model_vs_best_rule"] == {"difference": case.difference.estimate, "interval": interval}
    assert [case.difference for case in little.detail.cases] == [case.difference for case in hovered.detail.cases]
    assert hovered.detail.hover_first == little.detail.hover_first
    shown = little.decision.report.tables(little)["hover"]
    figures = [each for case in little.detail.cases for each in case.figures.values()]
    assert shown["net"].tolist() == [little.unit.amount(each.net) for each in figures]
    assert shown.index.str.endswith(": perfect knowledge").sum() == 2


def test_hover_comes_first_where_it_saves_more_for_each_unused_page(little, hovered):
    (without, beside), first = little.detail.cases, little.detail.hover_first
    per_unused = [
        (each.ms_saved_per_view - each.contention_ms_per_view) / 1000 / each.unused_per_view
        for each in (beside.figures[ALONE], without.figures["model"])
    ]
    assert first.estimate == pytest.approx(per_unused[0] - per_unused[1])
    assert first.low < first.estimate < first.high
    for low, said in ((0.01, True), (-0.01, False)):
        detail = replace(little.detail, hover_first=Interval(0.05, low, 0.09, 100))
        told = f"Do this first: fetch on hover. It saves {per_unused[0]:.2f} s for each unused page"
        assert (told in " ".join(str(replace(little, detail=detail)).split())) is said
        assert "Do this first" not in str(replace(hovered, detail=detail))  # it is done already


def test_safety_weighs_all_that_is_waited_for(little):
    """Tolerance is a tenth of what those with the slowest pages wait under the rule, not of what it saves them."""
    split, scenario = little.split, little.scenario
    test = PREFETCH.situations(split.test, split.card, split.cluster, little.known_by, scenario)
    slow = PREFETCH.slowest(test, scenario)
    outcomes = (little.of(which).outcomes for which in ("model", "best_rule"))
    ours, theirs = (PREFETCH.wait_ms(each, test, scenario)[slow] for each in outcomes)
    assert theirs.mean() > 0 and len(np.unique(test.users[slow])) == round(0.2 * little.test_users)
    assert little.safety.tolerance_ms == pytest.approx(0.1 * theirs.mean())
    assert little.safety.added_wait.estimate == pytest.approx((ours - theirs).mean())
    assert "the fifth of users with the slowest pages" in first_screen(little)["RISK"]


def test_where_all_pages_load_alike_everybody_is_looked_at(ring):
    model, rule = (ring.of(which).figures for which in ("model", "best_rule"))
    saved = rule.ms_saved_per_view - model.ms_saved_per_view
    added = model.contention_ms_per_view - rule.contention_ms_per_view
    assert ring.safety.added_wait.estimate == pytest.approx(saved + added)
    assert ring.safety.added_wait.clusters == ring.test_users
    said = first_screen(ring)["RISK"]
    assert "all sessions" in said and "slowest" not in said


def test_rules_that_cannot_be_used_say_why(ring, little):
    reasons = {policy.name: policy.reason for policy in ring.results if policy.reason}
    assert reasons == {
        "quicklink": "these views have no page links",
        "user history, else Markov": "no user history in this data",
    }
    for name, reason in reasons.items():
        assert f"not available: {name}: {reason}" in str(ring) and ring.of(name).figures is None
    assert not [policy.reason for policy in little.results if policy.reason]


def test_where_there_are_no_users_sessions_are_resampled_and_named(ring):
    assert ring.split.cluster == "session_id"
    assert ring.test_users == ring.split.test["session_id"].nunique() and "400 sessions" in str(ring)
    assert "400 users" not in str(ring) and "of users" not in str(ring)


def test_without_times_freshness_is_counted_in_views_and_dwell_is_assumed(ring):
    assert ring.of("model").figures.assumed == ("dwell", "page bytes", "network")
    assert "A page stays fresh for 5 views" in str(ring) and "15 s on each page are assumed" in str(ring)


def test_today_is_nothing_unless_somebody_says_otherwise(little):
    assert (little.today, net(little, "today")) == (Never(), 0)
    assert little.rule_over_today.difference.estimate == pytest.approx(net(little, "best_rule"))


def test_a_rule_without_a_limit_fetches_from_the_break_even_today(little, replayed):
    second = wb.rules(little.split)[3]
    assert second.limit is None
    today = wb.compare(little.split, little.model, today=second).of("today")
    at_price = replayed(replace(second, limit=0.15), little.split.test, little)
    assert today.figures.net == pytest.approx(at_price["net"].mean())


def test_a_persons_own_source_of_chances_without_a_field_for_its_limit_is_called_as_it_is(little, replayed):
    first = next(rule for rule in wb.rules(little.split) if rule.name == "first-order Markov")

    class Ours:
        name, limit = "ours", 0.9

        def next_pages(self, context, k):
            return first.next_pages(context, k)

        def __call__(self, context, scenario):
            return replace(first, limit=0.4)(context, scenario)

    mine = wb.compare(little.split, little.model, rules=[Ours()]).of("ours")
    alone = replayed(replace(first, limit=0.4), little.split.test, little)
    assert mine.figures.net == pytest.approx(alone["net"].mean())


@pytest.mark.parametrize("k", [1, PAGES_ASKED + 4])
def test_as_many_pages_are_fetched_as_the_scenario_says(little, replayed, k):
    """A price close to nothing: everybody fetches all that may be fetched."""
    result = wb.compare(little.split, little.model, scenario=wb.PrefetchScenario(k=k, break_even=0.001))
    popular = result.of("most popular page")
    most = replayed(popular.policy, little.split.test, result)
    assert most["fetched"].max() == k and popular.figures.net == pytest.approx(most["net"].mean())
    assert result.detail.ranking["model"].recall == pytest.approx(little.detail.ranking["model"].recall)


def test_sections_are_not_cached_and_a_cards_assumptions_hold_unless_somebody_says_otherwise(views):
    card = replace(views.attrs["card"], sections=True, assume={"dwell_s": (1.0, 40.0, 60.0)})
    assert (PREFETCH.scenario(card).cache, PREFETCH.scenario(card).dwell_s) == (False, 40.0)
    said = PREFETCH.scenario(card, wb.PrefetchScenario(dwell_s=DWELL_S, k=2))
    assert (said.dwell_s, said.k, said.cache) == (DWELL_S, 2, False)


def changes(views, scenario=None):
    card = views.attrs["card"]
    listed = PREFETCH.changes(views, PREFETCH.plan(views, PREFETCH.scenario(card, scenario), 0))
    return {(change.group, change.change) for change in listed}


def test_what_the_data_do_not_have_is_not_changed():
    frame = pd.DataFrame({"session_id": np.arange(120) // 2, "page": ["a", "b", "b", "a"] * 30})
    names = changes(wb.navigations(frame, name="plain"))
    assert {name for group, name in names if group == "without"} == {"the page before", "seen in this session"}
    assert ("split", "sessions drawn at random") in names
    assert not [name for name in names if name[0] == "known"]


def test_where_no_cache_is_replayed_the_change_is_to_replay_one(views):
    without = changes(views, wb.PrefetchScenario(cache=False))
    assert [change for group, change in without if group == "cache"] == ["on"]
    assert {change for group, change in changes(views) if group == "cache"} == {"off", "6 times as long"}


def test_what_nobody_has_the_model_has_not(views, plan):
    had = {
        what: set(PREFETCH.train(PREFETCH.prepare(views, plan), replace(plan, without=(what,))).names_)
        for what in ("history", "second order", "session", "context")
    }
    assert not {"times_seen", "views_ago"} & had["session"]
    assert not {"is_usual_next", "here_before", "earlier_views"} & had["history"]
    assert not {"second_chance", "previous_page", "skipping_chance"} & had["second order"]
    assert not {"device", "local_hour", "first_chance by device"} & had["context"]
    for what, own in (("history", "second_chance"), ("second order", "device"), ("context", "is_usual_next")):
        assert own in had[what]


def test_each_group_of_context_can_be_left_out_for_model_and_rules(views, plan):
    left_out = {change.change: change.plan for change in PREFETCH.changes(views, plan) if change.group == "without"}
    assert {"user agent", "time of day", "user history", "the page before", "all context"} <= set(left_out)
    split = PREFETCH.prepare(views, left_out["user agent"])
    assert "device" not in split.test
    assert not [name for name in PREFETCH.train(split, left_out["user agent"]).names_ if "device" in name]


def test_what_nobody_has_rules_have_not_either(views, plan):
    split = PREFETCH.prepare(views, plan)
    every = {rule.name for rule in PREFETCH.rules(split)}
    kinds = "history", "second order", "session", "context"
    kept = {what: PREFETCH.rules(split, without=(what,)) for what in kinds}
    lost = {what: every - {rule.name for rule in rules} for what, rules in kept.items()}
    assert lost["history"] == {"user history, else Markov"}
    longer = {f"{order}-order Markov with back-off" for order in ("third", "fourth")}
    assert lost["session"] == longer | {"similar sessions, else Markov"}
    assert lost["second order"] == lost["session"] | {"second-order Markov with back-off"}
    assert lost["context"] == {"Guess.js", "quicklink"}
    orders = [rule.order for rule in kept["second order"] if isinstance(rule, Markov)]
    orders += [rule.everybody.order for rule in kept["second order"] if isinstance(rule, UserHistory)]
    assert sorted(orders) == [0, 1, 1]


def levels(views):
    views = pd.DataFrame({"page": "home", "position": 0}, index=views.index).assign(**views)
    here = Situations(views, views, np.arange(len(views)), "users", None, "first_request")
    return {title: found.value_counts().to_dict() for title, found in PREFETCH.segments(here, None).items()}


def test_a_card_names_pages_in_segments_and_in_the_explorer_alike(monkeypatch):
    monkeypatch.setattr("workbench.decisions.prefetch.explorer.BREAK_EVENS", (0.15,))
    views = wb.load("synthetic_navigations", rows=1500)
    raw = pd.DataFrame({name: views[name].to_numpy() for name in ("session_id", "user_id", "page", "viewed_at")})
    named = wb.navigations(raw, labels={"page": "article", "position": "step"}, pages={"static": True})
    explorer = wb.Explorer(wb.study(named))
    shown = {segment.split(":")[0] for segment in explorer.segments}
    assert {"article", "step"} <= shown and not {"page", "place in the session"} & shown


def test_places_in_the_session():
    shown = levels(pd.DataFrame({"position": np.repeat([0, 1, 2, 3, 5, 6, 40], 25)}))["place in the session"]
    assert shown == {"first view": 25, "2nd and 3rd": 50, "4th to 6th": 50, "7th and later": 50}


def test_the_truth_of_a_site_is_no_reference_where_what_it_needs_is_known_later():
    split = wb.split_by_time(wb.load("synthetic_navigations", rows=2000))
    result = wb.compare(split, wb.train_next_page(split, known_by="first_request"))
    assert "best possible prediction" not in {each.name for each in result.results}
    assert result.of("linear").available
