"""Prefetch rules by hand: what they count, what they fetch, and when they are not available."""

from dataclasses import replace

import pandas as pd
import pytest
import sklearn.exceptions

import workbench as wb
from workbench.datasets.schema import known_context
from workbench.decisions.prefetch.answers import ask_chances, ask_prefetch
from workbench.decisions.prefetch.markov import Markov, UserHistory, fetches_at, popular
from workbench.decisions.prefetch.replay import perfect_knowledge_fetches, replay_prefetch
from workbench.decisions.prefetch.rules import GuessJs, Never, PrefetchPolicy, Quicklink, true_next
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError


@pytest.fixture(scope="module")
def train(sessions):
    """After a, seen 4 times: twice b, once c, the end. After b: once c, once a, the end. After c: twice the end."""
    return sessions("abc", "aba", "b", "ac", letters="abcdef")


def test_never_fetches_nothing(train):
    assert len(ask_prefetch(Never(), train, PrefetchScenario())) == 0


def test_guess_js_counts_clicks_and_keeps_its_own_limits(sessions, train):
    # After a, of clicks: b twice, c once: 2/3 and 1/3. After b: c and a, 1/2 each. Nothing ever follows c.
    rule = GuessJs().fit(train)
    kinds = ["4g", "3g", "2g", "slow-2g", None, "4g", "slow-2g", "4g"]
    context = sessions(*"aaaaabbc", effective_type=pd.array(kinds, dtype="str"))
    answer = rule(context, PrefetchScenario())
    fetched = answer.groupby("view_id")["page"].agg("".join)
    # 1/3 reaches .15 and .30, not .45; 2/3 reaches .60; 1/2 does not.
    assert fetched.to_dict() == {0: "bc", 1: "bc", 2: "b", 3: "b", 4: "bc", 5: "ac"}
    assert "limit" not in rule.__dataclass_fields__


def test_guess_js_takes_every_network_for_3g_where_none_is_known(sessions, told, train):
    train = sessions("ab", "ac", "ac", "ac", "ac")  # b in 1 of 5: over .15, under .30
    rule = GuessJs().fit(train)
    assert told(rule(sessions("a"), PrefetchScenario()), "page") == [("c",)]
    assert told(rule(sessions("a", effective_type="4g"), PrefetchScenario()), "page") == [("c",), ("b",)]
    assert GuessJs(class_known=False).name == "Guess.js (every network counts as 3g)"


def test_guess_js_leaves_reloads_out(sessions):
    rule = GuessJs().fit(sessions("aab", "aaac"))
    assert rule(sessions("a"), PrefetchScenario())["page"].tolist() == ["b", "c"]  # 1/2 each, not 1/5


LINKS = pd.DataFrame({"from_page": list("abaaaac"), "to_page": list("dcbadce")})


def test_quicklink_takes_the_first_links_of_the_page(sessions, told):
    rule = Quicklink(LINKS)
    answer = rule(sessions("abcf"), PrefetchScenario(k=2))
    # a links to d, b, itself, d again and c.
    assert told(answer, "view_id", "page", "rank") == [(0, "d", 1), (0, "b", 2), (1, "c", 1), (2, "e", 1)]
    assert rule(sessions("a"), PrefetchScenario(k=5))["page"].tolist() == ["d", "b", "c"]


def test_quicklink_holds_back_on_2g_and_with_save_data(sessions):
    kinds = pd.array(["4g", "3g", "2g", "slow-2g", None, "4g", "4g"], dtype="str")
    saves = pd.array([None, False, False, False, None, True, False], dtype="boolean")
    answer = Quicklink(LINKS)(sessions(*"b" * 7, effective_type=kinds, save_data=saves), PrefetchScenario())
    assert answer["view_id"].tolist() == [0, 1, 4, 6]


def test_quicklink_needs_links(train):
    assert Quicklink().unavailable == "these views have no page links"
    assert Quicklink(LINKS).unavailable == ""
    with pytest.raises(WorkbenchError, match="quicklink needs the links of each page"):
        Quicklink()(train, PrefetchScenario())


@pytest.mark.parametrize("make", [popular, Markov, GuessJs, None])
def test_a_rule_that_was_never_fitted_says_so(make, train):
    rule = make() if make else UserHistory(Markov().fit(train))
    for error in (WorkbenchError, sklearn.exceptions.NotFittedError):
        with pytest.raises(error, match="has not counted anything yet; take its fit"):
            rule(train, PrefetchScenario())


@pytest.fixture(scope="module")
def world():
    return wb.split_by_time(wb.load("synthetic_navigations", rows=20_000))


def test_all_rules_answer_as_the_contract_says(world):
    context = known_context(world.test, "client_js")
    scenario = PrefetchScenario()
    perfect = replay_prefetch(perfect_knowledge_fetches(world.test, scenario), world.test, scenario)["net"].sum()
    rules = wb.rules(world)
    assert len({rule.name for rule in rules}) == len(rules) == 10
    for rule in rules:
        answer = ask_prefetch(rule, context, scenario)
        assert replay_prefetch(answer, world.test, scenario)["net"].sum() <= perfect
        if hasattr(rule, "next_pages"):
            top = ask_chances(rule, context, 5)
            shown = context.set_index("view_id").loc[top["view_id"], "page"].astype(str)
            assert (top["page"].astype(str).to_numpy() != shown.to_numpy()).all()
            at_break_even = fetches_at(top, 0.15, 3)
            pd.testing.assert_frame_equal(at_break_even, answer, check_categorical=False)
            assert len(replace(rule, limit=2.0)(context, scenario)) == 0


def test_counts_are_of_train_alone(world):
    for rule in wb.rules(world):
        if isinstance(rule, Markov):
            assert rule.counts.orders[0].total.tolist() == [len(world.train)]


def test_guess_js_says_where_no_network_is_known(world):
    by_name = {rule.name: rule for rule in wb.rules(world, known_by="first_request")}
    assert "Guess.js (every network counts as 3g)" in by_name
    assert "Guess.js" in {rule.name for rule in wb.rules(world)}


def test_the_model_s_chances_are_fetched_from_the_limit_on(sessions, told, train):
    policy = PrefetchPolicy(Markov(order=1, smoothing=(1.0,)).fit(train), limit=0.3)
    context, scenario = sessions("a"), PrefetchScenario()
    assert told(policy(context, scenario), "view_id", "page", "rank") == [(0, "b", 1)]
    assert told(replace(policy, limit=0.2)(context, scenario), "page") == [("b",), ("c",)]
    assert told(replace(policy, limit=None)(context, PrefetchScenario(break_even=0.3)), "page") == [("b",)]
    assert len(replace(policy, limit=0.0)(context, PrefetchScenario(k=1))) == 1


def test_a_simulated_site_tells_its_chances_and_nature_does_not(world):
    truth = true_next(world.card)
    assert truth.name == "best possible prediction"
    context = known_context(world.test, "client_js")
    assert len(ask_chances(truth, context, 3)) > len(context)
    assert true_next(replace(world.card, generator="")) is None
