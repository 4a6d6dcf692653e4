"""How far a Markov rule leans on the order below it: picked on ``validation``, by net, as its limit is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from workbench.datasets.splits import Split, sample_users
from workbench.decisions.prefetch.replay import trace_frontier
from workbench.decisions.prefetch.rules import Markov, UsualNext
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.studies.checks import Policy

SMOOTHINGS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)  # views
BEGIN = 10.0
VIEWS_TRIED = 30_000  # at most about so many views of validation, whole users or sessions


def smooth_rules(rules: tuple[Policy, ...], split: Split, scenario: PrefetchScenario) -> tuple[Policy, ...]:
    """Give each Markov rule the smoothing with the largest net on ``validation``, its limit at its best each time.

    Not by log-loss, which makes a weaker rule: it pays for the many states seen once, which a limit leaves alone.

    Parameters
    ----------
    rules : tuple of callables
    split : Split
    scenario : PrefetchScenario

    Returns
    -------
    tuple of callables
        Same order. A rule that holds a Markov rule (the person's habits) gets the smoothed one.
    """
    validation = split.validation
    if len(validation) > VIEWS_TRIED:
        validation = sample_users(validation, VIEWS_TRIED, split.seed)
    done: dict[int, Markov] = {}
    return tuple(_smoothed(rule, split, validation, scenario, done) for rule in rules)


def _smoothed(
    rule: Any, split: Split, validation: pd.DataFrame, scenario: PrefetchScenario, done: dict[int, Markov]
) -> Any:
    if isinstance(rule, UsualNext):
        everybody = _smoothed(rule.everybody, split, validation, scenario, done)
        return replace(rule, everybody=everybody).fit(split.train)
    if not isinstance(rule, Markov) or not rule.order or rule.counts is None:
        return rule
    if id(rule) not in done:
        done[id(rule)] = _smooth_by_net(rule, validation, scenario)
    return done[id(rule)]


def _smooth_by_net(rule: Markov, validation: pd.DataFrame, scenario: PrefetchScenario) -> Markov:
    """Move one order's smoothing at a time, the highest order first; the same rule where it ends as it was."""
    smoothing = (BEGIN,) * rule.order  # wherever the rule was before, so that every road leads to the same place
    for order in reversed(range(rule.order)):
        tried = [_with(smoothing, order, value) for value in SMOOTHINGS]
        smoothing = max(tried, key=lambda each: _best_net(replace(rule, smoothing=each), validation, scenario))
    return rule if smoothing == rule.smoothing[: rule.order] else replace(rule, smoothing=smoothing)


def _with(smoothing: tuple[float, ...], order: int, value: float) -> tuple[float, ...]:
    return (*smoothing[:order], value, *smoothing[order + 1 :])


def _best_net(rule: Markov, validation: pd.DataFrame, scenario: PrefetchScenario) -> float:
    top = rule.next_pages(validation, scenario.k)
    return float(trace_frontier(top, validation, scenario)["net"].max())
