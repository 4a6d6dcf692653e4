"""What a comparison of prefetching settles before it reads the test part: limits and the best rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.schema import NAVIGATION_HISTORY, known_navigation_context
from workbench.datasets.splits import Split, check_page_views, users_of
from workbench.decisions.prefetch.answers import ask_chances, ask_prefetch
from workbench.decisions.prefetch.ranking import PAGES_ASKED
from workbench.decisions.prefetch.replay import best_prefetch_limit, replay_prefetch, trace_frontier
from workbench.decisions.prefetch.rules import PrefetchPolicy, fetches_at, prefetch_rules
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval, cluster_interval
from workbench.models import NextPage
from workbench.models.next_page import rows_hash
from workbench.studies.checks import Policy, check_same_split, checked_rules
from workbench.studies.prefetch_smoothing import smooth_rules

HISTORY = tuple(column.name for column in NAVIGATION_HISTORY)


@dataclass(frozen=True)
class PrefetchViews:
    """The views of one part: what policies may see, whom they belong to, and what policies answered so far.

    ``pages`` is how many pages of a view are asked for: as many as ranking is judged by, more where more are fetched.
    """

    frame: pd.DataFrame
    context: pd.DataFrame
    users: np.ndarray
    pages: int = PAGES_ASKED
    answers: dict[tuple[int, ...], tuple[Any, pd.DataFrame]] = field(default_factory=dict, repr=False)

    def top(self, policy: Any) -> pd.DataFrame:
        """The likeliest next pages of each view by a policy that answers with chances; asked once, whatever its limit.

        Two policies of one name, fitted on different views, are two policies.
        """
        parts = (value for name, value in vars(policy).items() if name != "limit")
        key = (id(type(policy)), *map(id, parts))
        if key not in self.answers:
            # The policy is kept, so that no other object takes the place of its parts.
            self.answers[key] = policy, ask_chances(policy, self.context, self.pages)
        return self.answers[key][1]


@dataclass(frozen=True)
class PrefetchStage:
    """Policies as ``validation`` settled them: limits tuned, the best rule picked; nothing of test has been read.

    ``why_not`` tells by position in ``rules``, which are smoothed, why a rule is not available.
    """

    split: Split
    scenario: PrefetchScenario
    model: NextPage
    rules: tuple[Policy, ...]
    why_not: Mapping[int, str]
    tuned: tuple[Policy, ...]
    best_rule: Policy
    ours: PrefetchPolicy
    validation: PrefetchViews


def settle(
    split: Split,
    model: NextPage,
    rules: Iterable[Policy] | None = None,
    scenario: PrefetchScenario | None = None,
    validation: PrefetchViews | None = None,
) -> PrefetchStage:
    """Tune every limit and pick the best rule, on ``validation`` alone.

    ``validation`` may hold answers that were given before, where nothing but the scenario has changed.

    Raises
    ------
    WorkbenchError
        Where no rule is available, or a policy reads the future or answers wrongly.
    """
    scenario = scenario or PrefetchScenario()
    check_page_views(split.card)
    check_same_split(split, model, rows_hash, "wb.train_next_page(split)")
    if rules is None:
        rules = prefetch_rules(split, known_by=model.known_by)
    rules = checked_rules(rules, model.known_by, "wb.prefetch_rules")
    rules = smooth_rules(rules, split, scenario)
    validation = validation or views_of(split.validation, split, model.known_by, scenario)
    reasons = [why_not(rule, validation) for rule in rules]
    tuned = tuple(tune(rule, validation, scenario) for rule, reason in zip(rules, reasons, strict=True) if not reason)
    if not tuned:
        raise WorkbenchError(f"{split.card.name}: no rule is available on this data: {'; '.join(reasons)}.")
    nets = [replay(rule, validation, scenario)["net"].mean() for rule in tuned]
    return PrefetchStage(
        split=split,
        scenario=scenario,
        model=model,
        rules=rules,
        why_not={i: reason for i, reason in enumerate(reasons) if reason},
        tuned=tuned,
        best_rule=tuned[int(np.argmax(nets))],
        ours=tune(PrefetchPolicy(model), validation, scenario),
        validation=validation,
    )


def views_of(part: pd.DataFrame, split: Split, known_by: str, scenario: PrefetchScenario) -> PrefetchViews:
    """The views of a part, with what is known of them by a level."""
    context = known_navigation_context(part, known_by, split.card.context)
    return PrefetchViews(part, context, users_of(part, split.cluster), max(PAGES_ASKED, scenario.k))


def why_not(rule: Policy, views: PrefetchViews) -> str:
    """Why a rule cannot be replayed on these views; empty where it can."""
    unavailable = getattr(rule, "unavailable", "")
    if unavailable:
        return str(unavailable)
    for column in getattr(rule, "needs", ()):
        if column not in views.context or views.context[column].isna().all():
            return "nobody's earlier clicks are known" if column in HISTORY else f"these views have no {column}"
    return ""


def has_chances(policy: Any) -> bool:
    """Whether a policy answers with chances, and has a limit to move."""
    return is_dataclass(policy) and hasattr(policy, "next_pages") and hasattr(policy, "limit")


def same_policy(one: Any, other: Any) -> bool:
    """Whether two policies are one and the same: equal, and fitted on the same views."""
    if one is other or not is_dataclass(one):
        return one is other
    fitted = [each.name for each in fields(one) if not each.compare]
    return bool(one == other) and all(getattr(one, name) is getattr(other, name) for name in fitted)


def tune(policy: Any, validation: PrefetchViews, scenario: PrefetchScenario) -> Any:
    """Give a policy that has a limit the one with the largest net on ``validation``."""
    if not has_chances(policy):
        return policy
    frontier = trace_frontier(at_most(validation.top(policy), scenario.k), validation.frame, scenario)
    return replace(policy, limit=best_prefetch_limit(frontier, scenario))


def at_most(top: pd.DataFrame, k: int) -> pd.DataFrame:
    """The ``k`` likeliest pages of each view."""
    return top[top["rank"] <= k]


def replay(policy: Any, views: PrefetchViews, scenario: PrefetchScenario) -> pd.DataFrame:
    """Outcomes of a policy on views, one row a view."""
    return replay_prefetch(answer_of(policy, views, scenario), views.frame, scenario)


def answer_of(policy: Any, views: PrefetchViews, scenario: PrefetchScenario) -> pd.DataFrame:
    """The pages that a policy wants to fetch: ``view_id, page, rank``; without a limit, what reaches the break-even."""
    if has_chances(policy):
        limit = scenario.break_even if policy.limit is None else policy.limit
        return fetches_at(views.top(policy), limit, scenario.k)
    return ask_prefetch(policy, views.context, scenario)


def net_difference(one: pd.DataFrame, other: pd.DataFrame, views: PrefetchViews, seed: int) -> Interval:
    """Net of one replay minus another's on the same views, users (or sessions) resampled."""
    return cluster_interval(one["net"].to_numpy() - other["net"].to_numpy(), views.users, seed=seed)
