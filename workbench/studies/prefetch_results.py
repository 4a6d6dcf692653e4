"""What each prefetch policy brings about on the test part: replayed once, with its figures and its frontier."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from workbench.decisions.decision import PERFECT_KNOWLEDGE, policy_name
from workbench.decisions.prefetch.replay import (
    hits_at_unused,
    hover,
    perfect_knowledge_fetches,
    replay_prefetch,
    summarise_prefetch,
    trace_frontier,
)
from workbench.decisions.prefetch.rules import true_next
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.studies.checks import Policy
from workbench.studies.comparison import PolicyResult
from workbench.studies.prefetch_stage import PrefetchStage, PrefetchViews, at_most, has_chances, replay, tune

HOVER = "on hover (instant.page), 1 in 2 opened"
UNUSED_A_VIEW = (0.1, 0.25, 0.5, 1.0)


def replay_all(stage: PrefetchStage, now: Policy, test: PrefetchViews) -> list[PolicyResult]:
    """Every policy of a settled comparison on test: rules, model, true chances where there are any, today, references.

    Parameters
    ----------
    stage : PrefetchStage
    now : callable
        What is done now; one of the tuned rules, or a reference of its own.
    test : PrefetchViews

    Returns
    -------
    list of PolicyResult
        Rules that are not available come with their reason.
    """
    scenario = stage.scenario
    results = [_replay(rule, "rule", test, scenario) for rule in stage.tuned]
    results += [
        PolicyResult(policy_name(stage.rules[i]), "rule", stage.rules[i], why) for i, why in stage.why_not.items()
    ]
    results.append(_replay(stage.ours, "model", test, scenario))
    truth = true_next(stage.split.card)
    if truth is not None:
        results.append(_replay(tune(truth, stage.validation, scenario), "reference", test, scenario))
    if not any(now is result.policy for result in results):
        replayed = _replay(now, "reference", test, scenario)
        results.append(replace(replayed, name=f"today: {replayed.name}"))
    on_hover = hover(test.frame, scenario)
    results.append(PolicyResult(HOVER, "reference", figures=summarise_prefetch(on_hover), outcomes=on_hover))
    known = replay_prefetch(perfect_knowledge_fetches(test.frame, scenario), test.frame, scenario)
    return [*results, PolicyResult(PERFECT_KNOWLEDGE, "oracle", figures=summarise_prefetch(known), outcomes=known)]


def _replay(policy: Policy, kind: str, views: PrefetchViews, scenario: PrefetchScenario) -> PolicyResult:
    outcomes = replay(policy, views, scenario)
    top = views.top(policy) if has_chances(policy) else None
    return PolicyResult(
        name=policy_name(policy),
        kind=kind,
        policy=policy,
        figures=summarise_prefetch(outcomes, top, views.frame),
        outcomes=outcomes,
        expected=top,
        frontier=None if top is None else trace_frontier(at_most(top, scenario.k), views.frame, scenario),
        limit=getattr(policy, "limit", None),
        kilobytes=getattr(policy, "kilobytes", None) or 0.0,
    )


def tabulate_hits(results: list[PolicyResult]) -> pd.DataFrame:
    """Hits per 100 views at 0.1 to 1 unused prefetch a view, a row a policy; missing where a frontier ends before."""
    rows = {
        result.name: [hits_at_unused(result.frontier, unused) for unused in UNUSED_A_VIEW]
        for result in results
        if result.frontier is not None
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(UNUSED_A_VIEW), dtype=float)
