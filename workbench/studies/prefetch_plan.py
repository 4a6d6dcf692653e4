"""How a study of prefetching is set up, and the walk from data to a trained model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.splits import Split, card_of, split_by_time, split_by_user
from workbench.decisions.prefetch.rules import Markov, UsualNext, prefetch_rules
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.features.page_features import SECOND
from workbench.models import NextPage, train_next_page
from workbench.studies.checks import Policy


@dataclass(frozen=True)
class PrefetchPlan:
    """Everything that a study fixes in advance; a sensitivity row changes one of these.

    Parameters
    ----------
    scenario : PrefetchScenario
    seed : int
        Of the split and the model.
    split : str
        ``"time"`` (or the order of the file, where it stands for time), or ``"user"``.
    known_by : str
        Information set.
    without : tuple of str
        What nobody has, neither model nor rules: ``"history"``, ``"second order"``, ``"context"``.
    """

    scenario: PrefetchScenario
    seed: int = 0
    split: str = "time"
    known_by: str = "client_js"
    without: tuple[str, ...] = ()


def default_plan(views: pd.DataFrame, scenario: PrefetchScenario | None, seed: int) -> PrefetchPlan:
    """The headline's plan: by time, or by the order of the file where it stands for time."""
    card = card_of(views)
    return PrefetchPlan(scenario_for(card, scenario), seed, known_by=card.known_by)


def scenario_for(card: Card, scenario: PrefetchScenario | None = None) -> PrefetchScenario:
    """A scenario on a dataset: no cache where pages are sections, and what the card assumes where nobody said else."""
    default = PrefetchScenario()
    scenario = scenario or default
    base = {name: values[1] for name, values in card.assume.items()}
    page_bytes, dwell_s = (
        base.get(name, value) if (value := getattr(scenario, name)) == getattr(default, name) else value
        for name in ("page_bytes", "dwell_s")
    )
    return replace(scenario, cache=scenario.cache and not card.sections, page_bytes=page_bytes, dwell_s=dwell_s)


def prepare(views: pd.DataFrame, plan: PrefetchPlan) -> Split:
    """Split the views as planned.

    Raises
    ------
    WorkbenchError
        Where the frame carries no card, or cannot be split that way.
    """
    return split_by_time(views, plan.seed) if plan.split == "time" else split_by_user(views, plan.seed)


def train(split: Split, plan: PrefetchPlan) -> NextPage:
    """The model of a plan."""
    return train_next_page(split, known_by=plan.known_by, seed=plan.seed, without=plan.without)


def rules_of(split: Split, plan: PrefetchPlan) -> tuple[Policy, ...]:
    """The rules of a plan: what nobody has, rules have not either.

    Without the second order, habits lean on first-order Markov; other rules that read what nobody has are left out.
    """
    every = prefetch_rules(split, known_by=plan.known_by)
    rules = tuple(rule for rule in every if getattr(rule, "reads", None) not in plan.without)
    if SECOND not in plan.without:
        return rules
    first = next(rule for rule in rules if isinstance(rule, Markov) and rule.order == 1)
    return tuple(_lean_on(first, rule, split) if isinstance(rule, UsualNext) else rule for rule in rules)


def _lean_on(everybody: Markov, rule: UsualNext, split: Split) -> UsualNext:
    return replace(rule, everybody=everybody).fit(split.train)
