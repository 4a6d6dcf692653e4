from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.prefetch.markov import Markov, UserHistory, popular
from workbench.decisions.prefetch.replay import trace_frontier
from workbench.decisions.prefetch.rules import smooth_rules

SCENARIO = wb.PrefetchScenario()


@pytest.fixture(scope="module")
def train(sessions):
    """After a, seen 4 times: twice b, once c, the end. After b: once c, once a, the end. After c: twice the end."""
    return sessions("abc", "aba", "b", "ac", letters="abcdef")


def test_popular_pages_are_those_that_are_opened_next(sessions, told, train):
    # 9 views: after them b twice, c twice, a once. On b itself, b is no candidate.
    top = replace(popular(), limit=0.2).fit(train).next_pages(sessions("db"), 3)
    shares = [("b", 2 / 9), ("c", 2 / 9), ("a", 1 / 9)]
    assert [page for page, _ in shares] == top["page"].tolist()[:3]
    assert top["chance"].tolist() == pytest.approx([2 / 9, 2 / 9, 1 / 9, 2 / 9, 1 / 9])
    rule = replace(popular(), limit=0.2).fit(train)
    assert told(rule(sessions("db"), SCENARIO), "view_id", "page") == [(0, "b"), (0, "c"), (1, "c")]


def test_first_order_chances_by_hand(sessions, train):
    rule = Markov(order=1, smoothing=(1.0,)).fit(train)
    top = rule.next_pages(sessions("a"), 3)
    # After a: (2 + 2/9) / 5 for b, (1 + 2/9) / 5 for c.
    assert top["page"].tolist() == ["b", "c"] and top["chance"].tolist() == pytest.approx([20 / 45, 11 / 45])


def test_second_order_backs_off_where_little_was_seen(sessions, train):
    rule = Markov(order=2, smoothing=(1.0, 2.0)).fit(train)
    top = rule.next_pages(sessions("ab", "cb"), 3)
    first = {"a": (1 + 1 / 9) / 4, "c": (1 + 2 / 9) / 4}  # after b, of 3 views
    # After a b, seen twice: once a, once c. After c b, never seen: as after b.
    chances = top[top["view_id"].isin([1, 3])].set_index(["view_id", "page"])["chance"]
    assert chances[1, "a"] == pytest.approx((1 + 2 * first["a"]) / 4)
    assert chances[1, "c"] == pytest.approx((1 + 2 * first["c"]) / 4)
    assert chances[3, "a"] == pytest.approx(first["a"])


def test_a_page_never_seen_is_followed_by_the_popular_ones(sessions, train):
    top = Markov(order=2).fit(train).next_pages(sessions("f"), 2)
    assert top["page"].tolist() == ["b", "c"] and top["chance"].tolist() == pytest.approx([2 / 9, 2 / 9])


def test_the_same_chances_for_every_view_alone_and_together(sessions, train):
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
        assert rule.chances(rule.states(test), np.zeros(len(test), int))[0] >= 0
        one = [
            rule.chances(rule.states(test), np.full(len(test), code))[view]
            for view, code in zip(row, page, strict=True)
        ]
        assert one == pytest.approx(together["chance"].tolist())


def habitual(sessions, rng, n, strength):
    """Everybody opens b, c, d or e at random after a, but for a person's own page, drawn with this strength."""
    own, free = rng.choice(list("bcde"), n), rng.choice(list("bcde"), n)
    views = sessions(*("a" + page for page in np.where(rng.random(n) < strength, own, free)))
    first = views["position"] == 0
    usual = pd.Series(None, views.index, dtype="str").mask(first, np.repeat(own, 2))
    here = pd.Series(0.0, views.index).mask(first, 5.0)
    return views.assign(usual_next=usual, last_next=usual, here_before=here, usual_share=here / 5)


def test_a_habit_is_as_strong_as_it_was_planted(sessions):
    rng = np.random.default_rng(0)
    everybody = Markov(order=1).fit(habitual(sessions, rng, 4000, 0.0))
    for strength in (0.0, 0.3, 0.7):
        rule = UserHistory(everybody).fit(habitual(sessions, rng, 20_000, strength))
        test = habitual(sessions, rng, 200, strength)
        top = rule.next_pages(test[test["position"] == 0], 4)
        usual = test.set_index("view_id")["usual_next"].reindex(top["view_id"]).to_numpy()
        chance = top.loc[top["page"].astype(str).to_numpy() == usual, "chance"]
        assert chance.to_numpy() == pytest.approx(strength + (1 - strength) / 4, abs=0.03)


def test_without_habits_everybody_decides(sessions, train):
    everybody = Markov(order=1).fit(train)
    rule = UserHistory(everybody).fit(habitual(sessions, np.random.default_rng(0), 500, 0.5))
    nobody = sessions("abc").assign(usual_next=pd.Series(None, range(3), dtype="str"), last_next=None)
    pd.testing.assert_frame_equal(rule.next_pages(nobody, 3), everybody.next_pages(nobody, 3))


def test_the_last_page_counts_beside_the_usual_one(sessions, told, train):
    rule = replace(UserHistory(Markov(order=1, smoothing=(1.0,)).fit(train)), habit=np.tile([0.4, 0.2], (50, 1)))
    view = sessions("a").assign(usual_next="c", last_next="b", here_before=3.0, usual_share=0.6)
    top = rule.next_pages(view, 3)
    # What is left of everybody's 20/45 for b and 11/45 for c is two fifths.
    assert told(top, "page") == [("c",), ("b",)]
    assert top["chance"].tolist() == pytest.approx([0.4 + 0.4 * 11 / 45, 0.2 + 0.4 * 20 / 45])


@pytest.fixture(scope="module")
def split():
    return wb.split_by_time(wb.load("synthetic_navigations", rows=5_000))


def net(rule, validation) -> float:
    return trace_frontier(rule.next_pages(validation, SCENARIO.k), validation, SCENARIO)["net"].max()


def test_no_rule_is_weaker_on_validation_than_as_it_came_and_a_badly_smoothed_one_is_mended(split):
    rules = wb.rules(split)
    second = next(rule for rule in rules if isinstance(rule, Markov) and rule.order == 2)
    bad = replace(second, smoothing=(1000.0, 1000.0))
    (mended,) = smooth_rules((bad,), split, SCENARIO)
    assert net(mended, split.validation) > net(bad, split.validation) + 0.005
    assert mended.smoothing == smooth_rules((second,), split, SCENARIO)[0].smoothing[:2]
    for before, after in zip(rules, smooth_rules(rules, split, SCENARIO), strict=True):
        if isinstance(before, Markov):
            assert net(after, split.validation) >= net(before, split.validation)


def test_habits_lean_on_the_markov_rule_that_stands_beside_them(split):
    rules = smooth_rules(wb.rules(split), split, SCENARIO)
    second = next(rule for rule in rules if isinstance(rule, Markov) and rule.order == 2)
    habits = next(rule for rule in rules if isinstance(rule, UserHistory))
    assert habits.everybody is second


def test_nothing_of_test_enters(split):
    blind = replace(split, test=split.test.iloc[:0])
    for with_test, without in zip(
        smooth_rules(wb.rules(split), split, SCENARIO), smooth_rules(wb.rules(blind), blind, SCENARIO), strict=True
    ):
        assert getattr(with_test, "smoothing", None) == getattr(without, "smoothing", None)
