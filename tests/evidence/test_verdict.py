"""Verdict, safety and recommendation: each branch, in the order of precedence."""

import numpy as np
import pytest

from workbench.evidence.bootstrap import Interval
from workbench.evidence.verdict import (
    Safety,
    judge_difference,
    judge_safety,
    recommend,
    slowest_fifth,
    users_for_ab_test,
    users_to_settle,
)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-0.9, 0.9, "equivalent"),
        (0.1, 0.9, "equivalent"),  # surely above 0, and surely not worth having
        (0.1, 1.1, "better"),
        (1.5, 4.0, "better"),
        (-1.1, -0.1, "worse"),
        (-0.5, 1.5, "inconclusive"),
        (-1.5, 0.5, "inconclusive"),
        (-1.0, 1.0, "inconclusive"),
    ],
)
def test_verdict(low, high, word):
    """Of few users the narrowest interval is no evidence: there are rare losses that none of them met."""
    judged = [judge_difference(Interval((low + high) / 2, low, high, users), margin=1.0) for users in (100, 99)]
    assert judged == [word, "inconclusive"]


def test_users_to_settle_shrink_the_interval_to_the_nearest_verdict():
    # 400 users gave 0.2 +- 1.6; within the margin it needs to be +- 0.8: four times the users.
    assert users_to_settle(Interval(0.2, -1.4, 1.8, 400), margin=1.0) == 1600
    # 2.0 +- 4.0 is better as soon as it is +- 2.0.
    assert users_to_settle(Interval(2.0, -2.0, 6.0, 400), margin=1.0) == 1600


def test_an_ab_test_needs_the_textbook_number_of_users():
    # Standard error 0.5 from 100 users: variance 25 a user; (1.96 + 0.84)^2 * 25 / 1^2 = 196.2.
    half = 1.959964 * 0.5
    assert users_for_ab_test(Interval(3.0, 3.0 - half, 3.0 + half, 100), margin=1.0) == 197


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


SAFE = Safety("safe", Interval(0, 0, 0, 50), 5.0)
HARMFUL = Safety("harmful", Interval(50, 40, 60, 50), 5.0)
GAIN = Interval(5.0, 4.0, 6.0, 100)
NO_GAIN = Interval(0.1, -0.3, 0.5, 100)


@pytest.mark.parametrize(
    ("facts", "action", "says"),
    [
        (("better", HARMFUL, GAIN, 20), "use_rule", "wait longer"),
        (("better", SAFE, GAIN, 0.5), "little_to_win", "perfect knowledge gains less"),
        (("better", SAFE, GAIN, 20), "test_model", "A/B test the model against table"),
        (("equivalent", SAFE, GAIN, 20), "use_rule", "as well, not better"),
        (("worse", SAFE, GAIN, 20), "use_rule", "does worse"),
        (("equivalent", SAFE, NO_GAIN, 20), "keep_today", "Keep today's medium"),
        (("worse", SAFE, NO_GAIN, 20), "keep_today", "Keep today's medium"),
        (("inconclusive", SAFE, GAIN, 20), "collect", "Collect more data"),
    ],
)
def test_recommendation(facts, action, says):
    word, safety, gain, headroom = facts
    told = {
        "difference": Interval(0.5, -1.0, 2.0, 100),
        "rule_gain": gain,
        "headroom": headroom,
        "margin": 1.0,
        "rule": "table",
        "today": "medium",
        "all_users": 500,
        "stop": "late images rise",
    }
    advice = recommend(word, safety, **told, who="users")
    assert advice.action == action
    assert says in advice.text
    if action == "collect":  # 100 users of test gave 0.5 +- 1.5; +- 0.5 takes nine times as many, of all five fifths
        assert "500 users are too few to tell the model from table; about 4,500 would do" in advice.text
    assert ("users" in advice.text) == (action in ("collect", "test_model"))
    assert recommend(word, safety, **told, who="views").text == advice.text.replace("users", "views")
    assert ("A/B" in advice.text) == (action == "test_model")
