"""Image delivery, the whole path: data, split, model and rules, replay, evidence, recommendation."""

from __future__ import annotations

import os
import time
import timeit
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from workbench.datasets.loading import load
from workbench.datasets.schema import has_signal, known_context
from workbench.datasets.splits import Split
from workbench.decisions.decision import policy_name
from workbench.decisions.images.replay import HEADROOM_BUDGETS_MS, headroom, quality_at_wait, rendition_outcomes
from workbench.decisions.images.rules import ImagePolicy, base_assumptions
from workbench.decisions.images.scenario import ImageScenario
from workbench.evidence.bootstrap import Interval, cluster_interval
from workbench.evidence.calibration import measure_calibration, reliability
from workbench.evidence.segments import image_segments
from workbench.evidence.verdict import (
    NET_MARGIN,
    judge_difference,
    judge_safety,
    recommend,
    slowest_fifth,
    users_to_settle,
)
from workbench.models import NetworkQuality
from workbench.studies.checks import checked_margin
from workbench.studies.comparison import Comparison, ImageDetail, ModelCost, PolicyResult
from workbench.studies.image_plan import default_plan, prepare, train
from workbench.studies.image_results import replay_all, today_of
from workbench.studies.image_sensitivity import change_assumptions
from workbench.studies.image_stage import Policy, Stage, Views, check_decidable, settle
from workbench.studies.provenance import trace_origin

Progress = Callable[[str], None]
ROWS_TIMED = 2_000
CALIBRATION_BUDGETS = (0.5, 1.0, 2.0)


def study_images(
    dataset: str | os.PathLike[str] | pd.DataFrame,
    *,
    rows: int | None = None,
    seed: int = 0,
    scenario: ImageScenario | None = None,
    sensitivity: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Walk the whole path on one dataset.

    The split is by time where the data have users and times, else by user; the signal is masked where there is one.

    Parameters
    ----------
    dataset : str, path or DataFrame
        A card's name, the path of a card, or a frame from ``load`` or ``measurements``.
    rows : int, optional
        About how many rows, whole users drawn by ``seed``.
    seed : int
        Of the draw, the split, the mask and the model.
    scenario : ImageScenario, optional
    sensitivity : bool
        Whether to change one assumption at a time too (``result.sensitivity``): some twenty further studies.
    progress : callable, optional
        Told the name of each step as it begins.

    Returns
    -------
    Comparison

    Raises
    ------
    WorkbenchError
        Where the data cannot be had or decided on.
    """
    started = time.perf_counter()
    tell = progress or (lambda step: None)
    tell("load")
    views = dataset if isinstance(dataset, pd.DataFrame) else load(dataset, rows=rows, seed=seed)
    check_decidable(views)
    plan = default_plan(views, scenario or ImageScenario(), seed)
    split = prepare(views, plan)
    tell("train the model")
    model = train(split, plan)
    tell("settle on validation")
    stage = settle(split, model, None, plan.scenario)
    result = _read_test(stage, started=started, tell=tell)
    if sensitivity:
        table = change_assumptions(views, plan, stage, margin=result.margin, progress=progress)
        result = replace(result, sensitivity=table)
    return replace(result, seconds=time.perf_counter() - started)


def compare_images(
    split: Split,
    model: NetworkQuality,
    rules: Iterable[Policy] | None = None,
    scenario: ImageScenario | None = None,
    *,
    today: Policy | None = None,
    margin: float | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare a trained model with rules, on the views without a signal.

    Limits and the best rule are settled on ``validation``; ``test`` is read once, at the end.

    Parameters
    ----------
    split : Split
    model : NetworkQuality
        Trained on ``split``; its ``known_by`` is what all policies may see.
    rules : iterable of callables, optional
        Default ``image_rules(split)``.
    scenario : ImageScenario, optional
    today : callable, optional
        What is done now; default NetInfo's effective type where the data have it, else the middle rendition.
    margin : float, optional
        Smallest difference in net worth having; default the card's, else 1 point.
    progress : callable, optional
        Told the name of each step as it begins.

    Returns
    -------
    Comparison

    Raises
    ------
    WorkbenchError
        Where no rule is available, no view is without a signal, or a policy peeks or answers wrongly.
    """
    started = time.perf_counter()
    tell = progress or (lambda step: None)
    tell("settle on validation")
    stage = settle(split, model, rules, scenario)
    return _read_test(stage, today=today, margin=margin, started=started, tell=tell)


def _read_test(
    stage: Stage, *, started: float, tell: Progress, today: Policy | None = None, margin: float | None = None
) -> Comparison:
    """Replay every policy on test, and weigh the evidence."""
    split, model, scenario = stage.split, stage.model, stage.scenario
    margin = checked_margin(margin, split.card.margin, NET_MARGIN)
    best_rule, ours = stage.best_rule, stage.ours
    now = today or today_of(split)
    now = next((rule for rule in stage.tuned if rule == now), now)

    tell("replay on test")
    test = stage.test()
    slow = slowest_fifth(test.outcomes.load_ms[:, 0], test.users)
    results = replay_all(stage, now, test, slow)

    tell("weigh the evidence")
    of_model, of_rule, of_now = (next(r for r in results if r.policy is p) for p in (ours, best_rule, now))
    difference = _interval(of_model, of_rule, test, split.seed)
    rule_gain = _interval(of_rule, of_now, test, split.seed)
    wait, wait_by_rule = (_column(result, "excess_wait_ms")[slow] for result in (of_model, of_rule))
    safety = judge_safety(wait, wait_by_rule, test.users[slow], seed=split.seed)
    word = judge_difference(difference, margin)
    room = headroom(test.outcomes, test.context)
    assert of_model.expected is not None
    late, chance_late = test.outcomes.late[:, -1], of_model.expected.late[:, -1]
    return Comparison(
        decision="image",
        split=split,
        model=model,
        results=tuple(results),
        best_rule=best_rule,
        today=now,
        scenario=scenario,
        known_by=model.known_by,
        difference=difference,
        rule_gain=rule_gain,
        against_best_rule=_against(of_rule, results, test, split.seed),
        margin=margin,
        verdict=word,
        safety=safety,
        users_to_settle=users_to_settle(difference, margin),
        headroom=room,
        recommendation=recommend(
            word,
            safety,
            difference=difference,
            rule_gain=rule_gain,
            headroom=room,
            margin=margin,
            rule=f'"{of_rule.name}"',
            today=f'"{policy_name(now)}"',
            all_users=split.count_people(),
            who=split.people,
        ),
        test_users=len(np.unique(test.users)),
        cost=_model_cost(model, ours, test, scenario),
        calibration=measure_calibration(late, chance_late),
        detail=ImageDetail(
            signal_free_share=_signal_free_share(split, model.known_by),
            headroom_by_budget=_headroom_by_budget(test, scenario, split),
            quality_at_rules_wait=_quality_at_rules_wait(of_model, of_rule),
            calibration_by_budget=_calibration_by_budget(ours, test, scenario, split),
            slow=slow,
            fast=slowest_fifth(-test.outcomes.load_ms[:, 0], test.users),
        ),
        reliability=reliability(late, chance_late),
        segments=_segments(of_model, of_rule, test, slow, split.seed),
        provenance=trace_origin(split),
        seconds=time.perf_counter() - started,
    )


def _signal_free_share(split: Split, known_by: str) -> float:
    signals = [has_signal(known_context(part, known_by, split.card.context)) for _, part in split.parts()]
    return float(1 - pd.concat(signals).mean())


def _headroom_by_budget(test: Views, scenario: ImageScenario, split: Split) -> dict[float, float]:
    assume = base_assumptions(split.card)
    budgets = sorted({*HEADROOM_BUDGETS_MS, float(scenario.budget_ms)})
    return {
        budget: headroom(rendition_outcomes(test.frame, scenario.with_budget(budget), assume), test.context)
        for budget in budgets
    }


def _calibration_by_budget(ours: ImagePolicy, test: Views, scenario: ImageScenario, split: Split) -> pd.DataFrame:
    """How good the model's chances are that each rendition is late, at half, once and twice the budget."""
    rows = []
    for factor in CALIBRATION_BUDGETS:
        at = scenario.with_budget(factor * scenario.budget_ms)
        late = rendition_outcomes(test.frame, at, base_assumptions(split.card)).late
        chance = ours.prospects(test.context, at).late
        for i, rendition in enumerate(at.ladder.names):
            measured = measure_calibration(late[:, i], chance[:, i])
            rows.append({"budget_ms": at.budget_ms, "rendition": rendition} | asdict(measured))
    return pd.DataFrame(rows)


def _quality_at_rules_wait(model: PolicyResult, rule: PolicyResult) -> float | None:
    """Points of quality that the model gains at the rule's own waiting, read from its frontier."""
    if model.frontier is None or rule.figures is None:
        return None
    reached = quality_at_wait(model.frontier, rule.figures.excess_wait_ms)
    return None if reached is None else reached - rule.figures.quality


def _model_cost(model: NetworkQuality, policy: ImagePolicy, test: Views, scenario: ImageScenario) -> ModelCost:
    sample = test.context.iloc[:ROWS_TIMED]
    seconds = min(timeit.repeat(lambda: policy(sample, scenario), number=1, repeat=3))
    fields = sorted({name for head in model.heads_.values() for name in head.encoding.sources})
    return ModelCost(model.trees, model.kilobytes, 1e6 * seconds / len(sample), model.train_seconds_, tuple(fields))


def _against(rule: PolicyResult, results: list[PolicyResult], test: Views, seed: int) -> dict[str, Interval]:
    """Net of every other policy minus the best rule's; exploratory but for the model's."""
    others = [result for result in results if result.outcomes is not None and result is not rule]
    return {result.name: _interval(result, rule, test, seed) for result in others}


def _interval(one: PolicyResult, other: PolicyResult, views: Views, seed: int) -> Interval:
    return cluster_interval(_column(one, "net") - _column(other, "net"), views.users, seed=seed)


def _segments(model: PolicyResult, rule: PolicyResult, test: Views, slow: np.ndarray, seed: int) -> pd.DataFrame:
    net, wait = (_column(model, name) - _column(rule, name) for name in ("net", "excess_wait_ms"))
    return image_segments(test.frame, net, test.users, added_wait_ms=wait, slow=slow, seed=seed)


def _column(result: PolicyResult, name: str) -> np.ndarray:
    assert result.outcomes is not None
    return result.outcomes[name].to_numpy()
