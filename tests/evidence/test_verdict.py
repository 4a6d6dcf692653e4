"""Verdict, safety and recommendation: each branch, in the order of precedence."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta, binom

from workbench.evidence.bootstrap import Interval, cluster_interval
from workbench.evidence.verdict import (
    Differing,
    Judgement,
    Safety,
    count_differing,
    judge_difference,
    judge_rivals,
    judge_safety,
    recommend,
    slowest_fifth,
    users_to_settle,
)


@pytest.mark.parametrize(
    ("estimate", "low", "high", "word"),
    [
        (0.0, -0.9, 0.9, "equivalent"),
        (0.5, 0.1, 0.9, "equivalent"),  # surely above 0, and surely not worth having
        (1.0, 0.1, 1.9, "better"),
        (2.0, 1.5, 4.0, "better"),
        (0.99, 0.1, 1.9, "better, but too little to matter"),
        (-0.6, -1.1, -0.1, "worse"),
        (0.5, -0.5, 1.5, "inconclusive"),
        (-0.5, -1.5, 0.5, "inconclusive"),
        (0.0, -1.0, 1.0, "inconclusive"),
    ],
)
def test_verdict(estimate, low, high, word):
    """Where few differ the narrowest interval is no evidence, unless none of the others could turn it."""
    interval = Interval(estimate, low, high, 400)
    assert judge_difference(interval, 1.0, Differing(100, 400, 200.0)) == word
    assert judge_difference(interval, 1.0, Differing(99, 400, 1.0)) == "too few to tell"
    assert judge_difference(interval, 1.0, Differing(99, 400, 0.99)) == "equivalent"


def against(*words):
    """The model against rules, as judged in turn; one that is never asked for may be missing."""
    for word in words:
        assert word, "judged although the verdict was settled"
        yield Judgement(Interval(0.0, 0.0, 0.0, 400), Differing(400, 400, 9.0), word)


@pytest.mark.parametrize(
    ("words", "settles"),
    [
        (["better"], 0),
        (["better", "better", "better"], 0),
        (["better", "inconclusive", "inconclusive"], 1),
        (["better", "better, but too little to matter", "equivalent"], 2),
        (["better, but too little to matter", "better", "worse"], 2),
        (["better", "too few to tell"], 1),
        (["inconclusive", ""], 0),  # no gain to be shaken
        (["worse", ""], 0),
    ],
)
def test_a_gain_has_to_stand_against_every_rival(words, settles):
    verdict = judge_rivals(against(*words))
    assert (verdict.over_best.word, verdict.place) == (words[0], settles)
    assert verdict.settled.word == words[settles]


def test_users_are_counted_whose_outcomes_differ():
    users = np.array([1, 1, 2, 2, 3])
    found = count_differing(np.array([1.0, 0, 0, 0, -2]), users, 5.0)
    assert (found.users, found.of) == (2, 3)
    cancelled = np.array([0.1, -0.1, 0.3, 0.0, 0.0])  # adds up to 0 for the first
    assert count_differing(cancelled, users, 5.0).users == 1
    assert count_differing(np.zeros(5), users, 5.0).users == 0


def test_the_bound_is_that_of_clopper_and_pearson_on_those_with_most_views():
    difference = np.repeat([1.0, 0.0], [3, 997])
    found = count_differing(difference, np.arange(1000), 600.0)
    limit = beta.ppf(0.975, 4, 997)
    assert found.bound == pytest.approx(600 * np.ceil(1000 * limit) / 1000)
    active = np.repeat(np.arange(1000), np.where(np.arange(1000) < 20, 50, 1))  # twenty users have half of the views
    uneven = count_differing(np.zeros(len(active)), active, 600.0)
    assert uneven.bound == pytest.approx(600 * 4 * 50 / len(active))
    assert count_differing(np.ones(4), np.arange(4), 7.0).bound == 7.0


def test_the_bound_holds_where_the_bootstrap_does_not():
    """Of many rare large differences, what a study sees; the truth lies outside its interval far too often."""
    rng, missed, beyond = np.random.default_rng(0), 0, 0
    for _ in range(200):
        users = rng.permutation(np.repeat(np.arange(300), 2))
        values = np.where(rng.random(600) < 0.005, -rng.gamma(0.2, 100, 600).clip(max=100), 0.0)
        truth = -0.005 * rng.gamma(0.2, 100, 100_000).clip(max=100).mean()
        interval = cluster_interval(values, users)
        missed += not interval.low <= truth <= interval.high
        beyond += count_differing(values, users, 100.0).bound < abs(truth)
    assert missed > 20
    assert beyond <= 5


@pytest.mark.parametrize("d", [0.0, 0.1, 0.5, 0.8, 2.0])
def test_with_the_users_to_settle_four_studies_in_five_reach_a_verdict(d):
    """Estimates drawn around the difference, with the error that so many users would have."""
    seen = Interval(d, d - 3.0, d + 3.0, 400)
    needed = users_to_settle(seen, 1.0, Differing(400, 400, 9.0))
    rng, reached = np.random.default_rng(1), []
    for users in (needed, needed // 2):
        half = 3.0 * np.sqrt(400 / users)
        estimates = d + rng.normal(0, half / 1.959964, 20_000)
        intervals = [Interval(each, each - half, each + half, users) for each in estimates]
        words = [judge_difference(each, 1.0, Differing(users, users, 9.0)) for each in intervals]
        reached.append(np.mean([word != "inconclusive" for word in words]))
    assert reached[0] == pytest.approx(0.8, abs=0.01)
    assert reached[1] < 0.65


def test_where_nothing_is_settled_more_users_are_asked_for_than_there_were():
    assert users_to_settle(Interval(0.5, -0.01, 1.01, 400), 1.0, Differing(400, 400, 9.0)) == 401


def test_users_to_settle_are_enough_for_the_guard_too():
    narrow = Interval(5.0, 4.9, 5.1, 1000)
    needed = users_to_settle(narrow, 1.0, Differing(20, 1000, 90.0))
    reached = [binom.sf(99, users, 0.02) for users in (needed - 1, needed)]  # 100 or more differ
    assert reached[0] < 0.8 <= reached[1]
    assert users_to_settle(narrow, 1.0, Differing(1000, 1000, 90.0)) == 100
    assert users_to_settle(narrow, 1.0, Differing(0, 1000, 90.0)) is None


def test_the_slowest_fifth_is_of_users_not_of_views():
    users = np.array([0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
    load = np.array([50, 50, 50, 50, 50, 950, 300, 100, 100, 100])  # user 0 has the slowest view, user 1 the mean
    assert users[slowest_fifth(load, users)].tolist() == [1]


def test_safety_against_a_tenth_of_the_rules_wait():
    rule, noise = np.full(200, 100.0), np.random.default_rng(0).normal(0, 100, 200)
    words = [judge_safety(rule + added, rule, np.arange(200)).word for added in (40.0, 0.0, -30.0, 10 + noise)]
    assert words == ["harmful", "safe", "safe", "not_shown"]
    few = judge_safety(np.zeros(10), np.zeros(10), np.arange(10))
    assert (few.word, few.tolerance_ms) == ("not_shown", 1.0)


def test_nothing_is_called_safe_that_hardly_anybody_met():
    """With 20 users who wait alike the interval is a point; with 99 of 1,000 who do not, it is not to be trusted."""
    alike = judge_safety(np.full(20, 100.0), np.full(20, 100.0), np.arange(20))
    assert (alike.word, alike.differing.users, alike.added_wait.high) == ("not_shown", 0, 0.0)
    rule, users = np.full(1000, 100.0), np.arange(1000)
    for differing, word in ((99, "not_shown"), (100, "safe"), (0, "safe")):
        found = judge_safety(rule - np.where(users < differing, 50.0, 0.0), rule, users)
        assert (found.word, found.differing.users) == (word, differing)


SAFE = Safety("safe", Interval(0, 0, 0, 50), 5.0, Differing(50, 50, 9.0))
HARMFUL = Safety("harmful", Interval(50, 40, 60, 50), 5.0, Differing(50, 50, 9.0))


@pytest.mark.parametrize(
    ("word", "safety", "headroom", "action"),
    [
        ("better", HARMFUL, 20, "use_rule"),
        ("better", SAFE, 0.5, "little_to_win"),
        ("better", SAFE, 20, "test_model"),
        ("better, but too little to matter", SAFE, 20, "use_rule"),
        ("equivalent", SAFE, 20, "use_rule"),
        ("worse", SAFE, 20, "use_rule"),
        ("inconclusive", SAFE, 20, "collect"),
        ("too few to tell", SAFE, 20, "collect"),
        ("too few to tell", SAFE, 0.5, "little_to_win"),
    ],
)
def test_both_questions_are_answered_whatever_the_verdict(word, safety, headroom, action):
    ships = {"better": "ship_rule", "equivalent": "keep_today", "inconclusive": "keep_today", "worse": "keep_today"}
    room = Judgement(Interval(headroom - 0.2, headroom - 0.4, headroom, 400), Differing(400, 400, 9.0), "")
    (judged,) = against(word)
    for rule_word, ship in ships.items():
        answers = recommend(judged, safety, rule_word, headroom=room, margin=1.0)
        assert (answers.ship, answers.action) == (ship, action)
    alike = replace(judged, differing=Differing(0, 400, 9.0))
    assert recommend(alike, safety, "better", headroom=room, margin=1.0).action == "use_rule"
    if action == "little_to_win":  # not from an interval that few users carry
        few = replace(room, differing=Differing(99, 400, 9.0))
        assert recommend(judged, safety, "better", headroom=few, margin=1.0).action != action
