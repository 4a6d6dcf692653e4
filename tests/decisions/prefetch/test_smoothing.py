"""Smoothing of Markov rules: by net on validation, so that the rule is as strong as it can be made there."""

from dataclasses import replace

import pytest

import workbench as wb
from workbench.decisions.prefetch.markov import Markov, UserHistory, smooth_rules
from workbench.decisions.prefetch.replay import trace_frontier

SCENARIO = wb.PrefetchScenario()


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
    assert mended.smoothing == smooth_rules((second,), split, SCENARIO)[0].smoothing
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
        smooth_rules(wb.rules(split), split, SCENARIO),
        smooth_rules(wb.rules(blind), blind, SCENARIO),
        strict=True,
    ):
        assert getattr(with_test, "smoothing", None) == getattr(without, "smoothing", None)
