"""Prefetch rules by hand: what they count, what they fetch, and when they are not available."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.schema import known_navigation_context
from workbench.decisions.prefetch.answers import ask_chances, ask_prefetch
from workbench.decisions.prefetch.markov import Markov, UserHistory, fetches_at, popular
from workbench.decisions.prefetch.replay import perfect_knowledge_fetches, replay_prefetch
from workbench.decisions.prefetch.rules import GuessJs, Never, PrefetchPolicy, Quicklink, true_next
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError


def sessions(*pages, letters="abcdef", **columns):
    """One string of one-letter pages a session."""
    views = pd.DataFrame(
        {
            "session_id": np.repeat(np.arange(len(pages)), [len(each) for each in pages]),
            "position": np.concatenate([np.arange(len(each)) for each in pages]),
            "page": pd.Categorical(list("".join(pages)), categories=list(letters)),
            **columns,
        }
    )
    return views.assign(view_id=np.arange(len(views)))


def told(answer, *columns):
    return list(answer[list(columns)].astype({"page": str}).itertuples(index=False, name=None))


# After a, seen 4 times: twice b, once c, once the end. After b: once c, once a, once the end. After c: twice the end.
TRAIN = sessions("abc", "aba", "b", "ac")


def test_never_fetches_nothing():
    assert len(ask_prefetch(Never(), TRAIN, PrefetchScenario())) == 0


def test_popular_pages_are_those_that_are_opened_next():
    # 9 views: after them b twice, c twice, a once. On b itself, b is no candidate.
    top = replace(popular(), limit=0.2).fit(TRAIN).next_pages(sessions("db"), 3)
    shares = [("b", 2 / 9), ("c", 2 / 9), ("a", 1 / 9)]
    assert [page for page, _ in shares] == top["page"].tolist()[:3]
    assert top["chance"].tolist() == pytest.approx([2 / 9, 2 / 9, 1 / 9, 2 / 9, 1 / 9])
    rule = replace(popular(), limit=0.2).fit(TRAIN)
    assert told(rule(sessions("db"), PrefetchScenario()), "view_id", "page") == [(0, "b"), (0, "c"), (1, "c")]


def test_first_order_chances_by_hand():
    rule = Markov(order=1, smoothing=(1.0,)).fit(TRAIN)
    top = rule.next_pages(sessions("a"), 3)
    # After a: (2 + 2/9) / 5 for b, (1 + 2/9) / 5 for c.
    assert top["page"].tolist() == ["b", "c"]
    assert top["chance"].tolist() == pytest.approx([20 / 45, 11 / 45])


def test_second_order_backs_off_where_little_was_seen():
    rule = Markov(order=2, smoothing=(1.0, 2.0)).fit(TRAIN)
    top = rule.next_pages(sessions("ab", "cb"), 3)
    first = {"a": (1 + 1 / 9) / 4, "c": (1 + 2 / 9) / 4}  # after b, of 3 views
    # After a b, seen twice: once a, once c. After c b, never seen: as after b.
    chances = top[top["view_id"].isin([1, 3])].set_index(["view_id", "page"])["chance"]
    assert chances[1, "a"] == pytest.approx((1 + 2 * first["a"]) / 4)
    assert chances[1, "c"] == pytest.approx((1 + 2 * first["c"]) / 4)
    assert chances[3, "a"] == pytest.approx(first["a"])


def test_a_page_never_seen_is_followed_by_the_popular_ones():
    top = Markov(order=2).fit(TRAIN).next_pages(sessions("f"), 2)
    assert top["page"].tolist() == ["b", "c"]
    assert top["chance"].tolist() == pytest.approx([2 / 9, 2 / 9])


def test_the_same_chances_for_every_view_alone_and_together():
    rng = np.random.default_rng(0)
    train = sessions(*("".join(rng.choice(list("abcdef"), 6)) for _ in range(50)))
    test = sessions(*("".join(rng.choice(list("abcdef"), 5)) for _ in range(8)))
    for order in (1, 2):
        rule = Markov(order=order).fit(train)
        together = rule.next_pages(test, 3)
        alone = pd.concat([rule.next_pages(session, 3) for _, session in test.groupby("session_id")])
        pd.testing.assert_frame_equal(together, alone.reset_index(drop=True))
        page = np.array([list(rule.pages).index(each) for each in together["page"]])
        row = together["view_id"].to_numpy()
        assert rule.chance_of(test, np.zeros(len(test), int))[0] >= 0
        one = [rule.chance_of(test, np.full(len(test), code))[view] for view, code in zip(row, page, strict=True)]
        assert one == pytest.approx(together["chance"].tolist())


def test_chances_of_all_pages_leave_room_for_the_session_s_end():
    rng = np.random.default_rng(2)
    train = sessions(*("".join(rng.choice(list("abcdef"), rng.integers(1, 8))) for _ in range(40)))
    context = sessions("abcdef", "fa", "d")
    for order in (0, 1, 2):
        rule = Markov(order=order, smoothing=(2.0, 5.0)[:order]).fit(train)
        every = sum(rule.chance_of(context, np.full(len(context), code)) for code in range(len(rule.pages)))
        assert (every < 1).all()
        if order == 0:
            assert every == pytest.approx(np.full(len(context), 1 - train["session_id"].nunique() / len(train)))


def test_guess_js_counts_clicks_and_keeps_its_own_limits():
    # After a, of clicks: b twice, c once: 2/3 and 1/3. After b: c and a, 1/2 each. Nothing ever follows c.
    rule = GuessJs().fit(TRAIN)
    kinds = ["4g", "3g", "2g", "slow-2g", None, "4g", "slow-2g", "4g"]
    context = sessions(*"aaaaabbc", effective_type=pd.array(kinds, dtype="str"))
    answer = rule(context, PrefetchScenario())
    fetched = answer.groupby("view_id")["page"].agg("".join)
    # 1/3 reaches .15 and .30, not .45; 2/3 reaches .60; 1/2 does not.
    assert fetched.to_dict() == {0: "bc", 1: "bc", 2: "b", 3: "b", 4: "bc", 5: "ac"}
    assert "limit" not in rule.__dataclass_fields__


def test_guess_js_takes_every_network_for_3g_where_none_is_known():
    train = sessions("ab", "ac", "ac", "ac", "ac")  # b in 1 of 5: over .15, under .30
    rule = GuessJs().fit(train)
    assert told(rule(sessions("a"), PrefetchScenario()), "page") == [("c",)]
    assert told(rule(sessions("a", effective_type="4g"), PrefetchScenario()), "page") == [("c",), ("b",)]
    assert GuessJs(class_known=False).name == "Guess.js (every network counts as 3g)"


def test_guess_js_leaves_reloads_out():
    rule = GuessJs().fit(sessions("aab", "aaac"))
    assert rule(sessions("a"), PrefetchScenario())["page"].tolist() == ["b", "c"]  # 1/2 each, not 1/5


LINKS = pd.DataFrame({"from_page": list("abaaaac"), "to_page": list("dcbadce")})


def test_quicklink_takes_the_first_links_of_the_page():
    rule = Quicklink(LINKS)
    answer = rule(sessions("abcf"), PrefetchScenario(k=2))
    # a links to d, b, itself, d again and c.
    assert told(answer, "view_id", "page", "rank") == [(0, "d", 1), (0, "b", 2), (1, "c", 1), (2, "e", 1)]
    assert rule(sessions("a"), PrefetchScenario(k=5))["page"].tolist() == ["d", "b", "c"]


def test_quicklink_holds_back_on_2g_and_with_save_data():
    kinds = pd.array(["4g", "3g", "2g", "slow-2g", None, "4g", "4g"], dtype="str")
    saves = pd.array([None, False, False, False, None, True, False], dtype="boolean")
    answer = Quicklink(LINKS)(sessions(*"b" * 7, effective_type=kinds, save_data=saves), PrefetchScenario())
    assert answer["view_id"].tolist() == [0, 1, 4, 6]


def test_quicklink_needs_links():
    assert Quicklink().unavailable == "these views have no page links"
    assert Quicklink(LINKS).unavailable == ""
    with pytest.raises(WorkbenchError, match="quicklink needs the links of each page"):
        Quicklink()(TRAIN, PrefetchScenario())


@pytest.mark.parametrize("rule", [popular(), Markov(), GuessJs(), UserHistory(Markov().fit(TRAIN))])
def test_a_rule_that_was_never_fitted_says_so(rule):
    with pytest.raises(WorkbenchError, match="has not counted anything yet; take its fit"):
        rule(TRAIN, PrefetchScenario())


# --- habits ------------------------------------------------------------------------------------------------------


def habitual(rng, n, strength):
    """Everybody opens b, c, d or e at random after a, but for a person's own page, drawn with this strength."""
    own, free = rng.choice(list("bcde"), n), rng.choice(list("bcde"), n)
    views = sessions(*("a" + page for page in np.where(rng.random(n) < strength, own, free)))
    first = views["position"] == 0
    usual = pd.Series(None, views.index, dtype="str").mask(first, np.repeat(own, 2))
    here = pd.Series(0.0, views.index).mask(first, 5.0)
    return views.assign(usual_next=usual, last_next=usual, here_before=here, usual_share=here / 5)


def test_a_habit_is_as_strong_as_it_was_planted():
    rng = np.random.default_rng(0)
    everybody = Markov(order=1).fit(habitual(rng, 4000, 0.0))
    for strength in (0.0, 0.3, 0.7):
        rule = UserHistory(everybody).fit(habitual(rng, 20_000, strength))
        test = habitual(rng, 200, strength)
        top = rule.next_pages(test[test["position"] == 0], 4)
        usual = test.set_index("view_id")["usual_next"].reindex(top["view_id"]).to_numpy()
        chance = top.loc[top["page"].astype(str).to_numpy() == usual, "chance"]
        assert chance.to_numpy() == pytest.approx(strength + (1 - strength) / 4, abs=0.03)


def test_without_habits_everybody_decides():
    everybody = Markov(order=1).fit(TRAIN)
    rule = UserHistory(everybody).fit(habitual(np.random.default_rng(0), 500, 0.5))
    nobody = sessions("abc").assign(usual_next=pd.Series(None, range(3), dtype="str"), last_next=None)
    pd.testing.assert_frame_equal(rule.next_pages(nobody, 3), everybody.next_pages(nobody, 3))


def test_the_last_page_counts_beside_the_usual_one():
    rule = replace(UserHistory(Markov(order=1, smoothing=(1.0,)).fit(TRAIN)), habit=np.tile([0.4, 0.2], (50, 1)))
    view = sessions("a").assign(usual_next="c", last_next="b", here_before=3.0, usual_share=0.6)
    top = rule.next_pages(view, 3)
    # What is left of everybody's 20/45 for b and 11/45 for c is two fifths.
    assert told(top, "page") == [("c",), ("b",)]
    assert top["chance"].tolist() == pytest.approx([0.4 + 0.4 * 11 / 45, 0.2 + 0.4 * 20 / 45])


# --- the whole list ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    return wb.split_by_time(wb.load("synthetic_navigations", rows=20_000))


def test_all_rules_answer_as_the_contract_says(world):
    context = known_navigation_context(world.test, "client_js")
    scenario = PrefetchScenario()
    perfect = replay_prefetch(perfect_knowledge_fetches(world.test, scenario), world.test, scenario)["net"].sum()
    rules = wb.rules(world)
    assert len({rule.name for rule in rules}) == len(rules) == 7
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


def test_the_model_s_chances_are_fetched_from_the_limit_on():
    policy = PrefetchPolicy(Markov(order=1, smoothing=(1.0,)).fit(TRAIN), limit=0.3)
    context, scenario = sessions("a"), PrefetchScenario()
    assert told(policy(context, scenario), "view_id", "page", "rank") == [(0, "b", 1)]
    assert told(replace(policy, limit=0.2)(context, scenario), "page") == [("b",), ("c",)]
    assert told(replace(policy, limit=None)(context, PrefetchScenario(break_even=0.3)), "page") == [("b",)]
    assert len(replace(policy, limit=0.0)(context, PrefetchScenario(k=1))) == 1


def test_a_simulated_site_tells_its_chances_and_nature_does_not(world):
    truth = true_next(world.card)
    assert truth.name == "true chances"
    context = known_navigation_context(world.test, "client_js")
    assert len(ask_chances(truth, context, 3)) > len(context)
    assert true_next(replace(world.card, generator="")) is None
