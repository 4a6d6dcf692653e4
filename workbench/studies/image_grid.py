"""A comparison at other budgets and prices: limits tuned again, the best rule picked again, test replayed again.

What an explorer shows at a budget and a price is what ``compare`` would print for that scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.schema import known_context
from workbench.decisions.decision import policy_name
from workbench.decisions.images.expected_value import Decider, Prospects
from workbench.decisions.images.replay import best_limit, decide, perfect_knowledge, rendition_outcomes, saves_data
from workbench.decisions.images.rules import base_assumptions
from workbench.decisions.images.scenario import ImageScenario
from workbench.studies.comparison import Comparison
from workbench.studies.image_stage import Views, headline

PARTS = ("today", "best rule", "model", "perfect knowledge")


@dataclass(frozen=True)
class Candidate:
    """A policy at one budget, with what it expects on ``validation`` and on ``test`` where it weighs chances.

    The chances depend on the budget, not on the price, so they are asked once a budget.
    """

    policy: Callable[..., Any]
    on_validation: Prospects | None = None
    on_test: Prospects | None = None


@dataclass(frozen=True)
class Setting:
    """One budget and one price, settled on ``validation`` and replayed on ``test``.

    ``actions`` holds a rendition number a view of test for each of ``PARTS``, ``test`` what each rendition brings
    about there. ``rule`` is the position of the best rule; ``prices`` tells, for model and best rule, the price of
    waiting (points a ms) that they act by after tuning, where they weigh chances.
    """

    scenario: ImageScenario
    rule: int
    test: Views
    actions: Mapping[str, np.ndarray]
    prices: Mapping[str, float]


@dataclass(frozen=True)
class BudgetRow:
    """One budget: its candidates (rules first, the model last) and a setting for every price."""

    candidates: tuple[Candidate, ...]
    settings: tuple[Setting, ...]


def settle_budgets(
    result: Comparison, budgets_ms: Iterable[float], cancelling_waits_ms: Sequence[float]
) -> tuple[BudgetRow, ...]:
    """Settle and replay a comparison of image delivery at every budget and price.

    Parameters
    ----------
    result : Comparison
    budgets_ms, cancelling_waits_ms : iterables of float
        Budgets, and prices as the wait that cancels the largest image.

    Returns
    -------
    tuple of BudgetRow
        One a budget.
    """
    return tuple(_settle_budget(result, budget, cancelling_waits_ms) for budget in budgets_ms)


def rules_of(result: Comparison) -> list[Callable[..., Any]]:
    """The rules that were available, in the order in which ties are decided."""
    return [one.policy for one in result.results if one.kind == "rule" and one.available and one.policy is not None]


def rule_names(result: Comparison) -> list[str]:
    """What tables call them."""
    return [policy_name(rule) for rule in rules_of(result)]


def _settle_budget(result: Comparison, budget_ms: float, waits_ms: Sequence[float]) -> BudgetRow:
    scenario = result.scenario.with_budget(budget_ms)
    split = result.split
    validation, test = (headline(part, split, result.known_by, scenario) for part in (split.validation, split.test))
    model = result.of("model").policy
    assert model is not None
    candidates = tuple(_candidate(policy, validation, test, scenario) for policy in [*rules_of(result), model])
    return BudgetRow(
        candidates,
        tuple(_settle(result, candidates, validation, test, replace(scenario, cancelling_wait_ms=w)) for w in waits_ms),
    )


def _candidate(policy: Callable[..., Any], validation: Views, test: Views, scenario: ImageScenario) -> Candidate:
    if not isinstance(policy, Decider):
        return Candidate(policy)
    return Candidate(policy, *(policy.prospects(views.context, scenario) for views in (validation, test)))


def _settle(
    result: Comparison, candidates: tuple[Candidate, ...], validation: Views, test: Views, scenario: ImageScenario
) -> Setting:
    validation, test = (_at_price(views, scenario, result) for views in (validation, test))
    limits = [_limit(candidate, validation, scenario) for candidate in candidates]
    rules = range(len(candidates) - 1)
    nets = [_mean_net(_act(candidates[i], "on_validation", validation, scenario, limits[i]), validation) for i in rules]
    best = int(np.argmax(nets))  # the first of equals, as in a comparison
    taken = {"best rule": best, "model": len(candidates) - 1}
    actions = {part: _act(candidates[i], "on_test", test, scenario, limits[i]) for part, i in taken.items()}
    actions["today"] = _act_today(result, candidates, limits, test, scenario)
    actions["perfect knowledge"] = perfect_knowledge(test.context, test.outcomes)
    prices = {part: limit * scenario.wait_price for part, i in taken.items() if (limit := limits[i]) is not None}
    return Setting(scenario, best, test, actions, prices)


def _at_price(views: Views, scenario: ImageScenario, result: Comparison) -> Views:
    return replace(views, outcomes=rendition_outcomes(views.frame, scenario, base_assumptions(result.split.card)))


def _limit(candidate: Candidate, validation: Views, scenario: ImageScenario) -> float | None:
    if candidate.on_validation is None:
        return None
    return best_limit(candidate.on_validation, validation.outcomes, validation.context, scenario, validation.users)


def _act(candidate: Candidate, part: str, views: Views, scenario: ImageScenario, limit: float | None) -> np.ndarray:
    expected: Prospects | None = getattr(candidate, part)
    if expected is None or limit is None:
        return decide(candidate.policy, views.context, scenario)
    return np.where(saves_data(views.context), 0, expected.best(scenario, limit))


def _act_today(
    result: Comparison,
    candidates: tuple[Candidate, ...],
    limits: Sequence[float | None],
    test: Views,
    scenario: ImageScenario,
) -> np.ndarray:
    """What is done now: one of the rules, tuned like them, or a policy of its own, which may see later columns."""
    for candidate, limit in zip(candidates[:-1], limits[:-1], strict=True):
        if candidate.policy is result.today:
            return _act(candidate, "on_test", test, scenario, limit)
    sees = result.of("today").sees
    context = known_context(test.frame, sees, result.split.card.context) if sees else test.context
    return decide(result.today, context, scenario)


def _mean_net(action: np.ndarray, views: Views) -> float:
    # Summed as pandas sums, so that a tie is one in a comparison too.
    return float(pd.Series(views.outcomes.net[np.arange(len(action)), action]).mean())
