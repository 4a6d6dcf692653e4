"""What each policy brings about on the test part: replayed once, with its figures and its frontier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workbench.datasets.schema import known_context
from workbench.datasets.splits import Split
from workbench.decisions.decision import PERFECT_KNOWLEDGE, policy_name
from workbench.decisions.images.expected_value import Decider
from workbench.decisions.images.replay import (
    decide,
    image_frontier,
    perfect_knowledge,
    realise,
    saves_data,
    summarise_images,
)
from workbench.decisions.images.rules import EffectiveType, OneRendition, true_chance
from workbench.decisions.images.scenario import ImageScenario
from workbench.studies.comparison import PolicyResult
from workbench.studies.image_stage import Policy, Stage, Views, tune, why_not

REFERENCE_SEES = "native_app"  # references may read whatever the source tells, whenever it is known


def today_of(split: Split) -> Policy:
    """What is taken for done now: NetInfo's effective type where the data have it, else the middle rendition."""
    has_class = any("effective_type" in part and part["effective_type"].notna().any() for _, part in split.parts())
    return EffectiveType() if has_class else OneRendition("medium")


def replay_all(stage: Stage, now: Policy, test: Views, slow: np.ndarray) -> list[PolicyResult]:
    """Every policy of a settled comparison on test: rules, model, true chances where there are any, today, oracle.

    Parameters
    ----------
    stage : Stage
    now : callable
        What is done now; one of the tuned rules, or a reference of its own.
    test : Views
    slow : ndarray of bool, shape (rows,)
        Views of the slowest fifth of users.

    Returns
    -------
    list of PolicyResult
        Rules that are not available come with their reason.
    """
    scenario = stage.scenario
    results = [_replay(rule, "rule", test, slow, scenario) for rule in stage.tuned]
    results += [
        PolicyResult(policy_name(stage.rules[i]), "rule", stage.rules[i], why) for i, why in stage.why_not.items()
    ]
    results.append(_replay(stage.ours, "model", test, slow, scenario))
    truth = true_chance(stage.split.card)
    if truth is not None:
        results.append(_replay(tune(truth, stage.validation, scenario), "reference", test, slow, scenario))
    if not any(now is result.policy for result in results):
        results.append(_replay_today(now, test, slow, stage))
    results.append(_replay_perfect_knowledge(test, slow, scenario))
    return results


def _replay(policy: Policy, kind: str, views: Views, slow: np.ndarray, scenario: ImageScenario) -> PolicyResult:
    expected = frontier = None
    if isinstance(policy, Decider):
        # The same as decide(), without asking for the chances once more.
        expected = policy.prospects(views.context, scenario)
        frontier = image_frontier(expected, views.outcomes, views.context, scenario)
        action = np.where(saves_data(views.context), 0, expected.best(scenario, policy.limit))
    else:
        action = decide(policy, views.context, scenario)
    outcomes = realise(action, views.outcomes, scenario, views.frame.index)
    return PolicyResult(
        name=policy_name(policy),
        kind=kind,
        policy=policy,
        figures=summarise_images(outcomes, slow, scenario),
        outcomes=outcomes,
        expected=expected,
        frontier=frontier,
        limit=getattr(policy, "limit", None),
        kilobytes=getattr(policy, "kilobytes", None) or 0.0,
    )


def _replay_today(now: Policy, test: Views, slow: np.ndarray, stage: Stage) -> PolicyResult:
    """What is done now may read columns that are known later than the comparison's; it is marked then."""
    sees = ""
    if why_not(now, test, stage.model.known_by):
        sees = REFERENCE_SEES
        test = replace(test, context=known_context(test.frame, sees, stage.split.card.context))
    replayed = _replay(now, "reference", test, slow, stage.scenario)
    return replace(replayed, name=f"today: {policy_name(now)}", sees=sees)


def _replay_perfect_knowledge(views: Views, slow: np.ndarray, scenario: ImageScenario) -> PolicyResult:
    action = perfect_knowledge(views.context, views.outcomes)
    outcomes = realise(action, views.outcomes, scenario, views.frame.index)
    figures = summarise_images(outcomes, slow, scenario)
    return PolicyResult(PERFECT_KNOWLEDGE, "oracle", figures=figures, outcomes=outcomes)
