"""Prefetching, the whole path: data, split, model and rules, cached replay, evidence, recommendation."""

from __future__ import annotations

import os
import time
import timeit
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.loading import load
from workbench.datasets.sessions import share_of_session_ends
from workbench.datasets.splits import Split, card_of, check_page_views
from workbench.decisions.decision import policy_name
from workbench.decisions.prefetch.cache import read_visits
from workbench.decisions.prefetch.ranking import PAGES_ASKED, judge_answer, pair_chances
from workbench.decisions.prefetch.replay import read_loads
from workbench.decisions.prefetch.rules import Never, PrefetchPolicy
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.evidence.calibration import measure_calibration, reliability
from workbench.evidence.segments import prefetch_segments
from workbench.evidence.verdict import judge_difference, judge_safety, recommend, slowest_fifth, users_to_settle
from workbench.models import NextPage
from workbench.studies.checks import Policy, checked_margin
from workbench.studies.comparison import NET_HITS, Comparison, ModelCost, PolicyResult, PrefetchDetail
from workbench.studies.prefetch_plan import default_plan, prepare, scenario_for, train
from workbench.studies.prefetch_results import replay_all, tabulate_hits
from workbench.studies.prefetch_sensitivity import Base, change_assumptions
from workbench.studies.prefetch_session import replay_typical_session
from workbench.studies.prefetch_stage import (
    PrefetchStage,
    PrefetchViews,
    at_most,
    net_difference,
    same_policy,
    settle,
    views_of,
)
from workbench.studies.provenance import trace_origin

Progress = Callable[[str], None]
HITS_MARGIN = 0.005  # net hits a navigation
ROWS_TIMED = 2_000


def study_prefetch(
    dataset: str | os.PathLike[str] | pd.DataFrame,
    *,
    rows: int | None = None,
    seed: int = 0,
    scenario: PrefetchScenario | None = None,
    sensitivity: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Walk the whole path on one dataset of page views.

    The split is by time (by the order of the file where it stands for time). The session cache is off where pages are
    sections.

    Parameters
    ----------
    dataset : str, path or DataFrame
        A card's name, the path of a card, or a frame from ``load`` or ``navigations``.
    rows : int, optional
        About how many views, whole users (else sessions) drawn by ``seed``.
    seed : int
        Of the draw, the split and the model.
    scenario : PrefetchScenario, optional
    sensitivity : bool
        Whether to change one assumption at a time too (``result.sensitivity``).
    progress : callable, optional
        Told the name of each step as it begins.

    Returns
    -------
    Comparison

    Raises
    ------
    WorkbenchError
        Where the data cannot be had, or are no page views.
    """
    started = time.perf_counter()
    tell = progress or (lambda step: None)
    tell("load")
    views = load(dataset, rows=rows, seed=seed) if isinstance(dataset, (str, os.PathLike)) else dataset
    check_navigations_kind(views)
    plan = default_plan(views, scenario, seed)
    split = prepare(views, plan)
    tell("train the model")
    model = train(split, plan)
    tell("settle on validation")
    stage = settle(split, model, None, plan.scenario)
    result, test = _read_test(stage, started=started, tell=tell)
    if sensitivity:

        def with_repeats() -> pd.DataFrame:
            if isinstance(dataset, pd.DataFrame):
                raise WorkbenchError("the frame came with its repeats collapsed; name the dataset to keep them.")
            return load(dataset, rows=rows, seed=seed, keep_repeats=True)

        table = change_assumptions(Base(views, with_repeats, plan, stage, test, result.margin), progress)
        result = replace(result, sensitivity=table)
    return replace(result, seconds=time.perf_counter() - started)


def compare_prefetch(
    split: Split,
    model: NextPage,
    rules: Iterable[Policy] | None = None,
    scenario: PrefetchScenario | None = None,
    *,
    today: Policy | None = None,
    margin: float | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare a trained next-page model with rules, through a session's cache.

    Limits and the best rule are settled on ``validation``; ``test`` is read once, at the end.

    Parameters
    ----------
    split : Split
    model : NextPage
        Trained on ``split``; its ``known_by`` is what all policies may see.
    rules : iterable of callables, optional
        Default ``prefetch_rules(split)``. A rule takes the context frame and returns a frame ``view_id, page, rank``.
    scenario : PrefetchScenario, optional
        Default: up to three pages a view, break-even at 0.15; no cache where the card says that pages are sections.
    today : callable, optional
        What is done now; default: nothing is fetched.
    margin : float, optional
        Smallest difference in net hits a navigation worth having; default the card's, else 0.005.
    progress : callable, optional
        Told the name of each step as it begins.

    Returns
    -------
    Comparison

    Raises
    ------
    WorkbenchError
        Where no rule is available, or a policy reads the future or answers wrongly.
    """
    started = time.perf_counter()
    tell = progress or (lambda step: None)
    tell("settle on validation")
    stage = settle(split, model, rules, scenario_for(split.card, scenario))
    return _read_test(stage, today=today, margin=margin, started=started, tell=tell)[0]


def check_navigations_kind(frame: Any) -> None:
    """Refuse what prefetching cannot be decided on.

    Raises
    ------
    WorkbenchError
        Where the frame is none, carries no card, or holds no page views.
    """
    if not isinstance(frame, pd.DataFrame):
        raise WorkbenchError(f"expected a dataset's name, the path of a card, or a DataFrame; got {frame!r}.")
    check_page_views(card_of(frame))


def _read_test(
    stage: PrefetchStage, *, started: float, tell: Progress, today: Policy | None = None, margin: float | None = None
) -> tuple[Comparison, PrefetchViews]:
    """Replay every policy on test, and weigh the evidence."""
    split, scenario, ours = stage.split, stage.scenario, stage.ours
    margin = checked_margin(margin, split.card.margin, HITS_MARGIN)
    now = today or Never()
    now = next((rule for rule in stage.tuned if same_policy(rule, now)), now)
    tell("replay on test")
    test = views_of(split.test, split, stage.model.known_by, scenario)
    results = replay_all(stage, now, test)

    tell("weigh the evidence")
    of_model, of_rule, of_now = (
        next(result for result in results if result.policy is policy) for policy in (ours, stage.best_rule, now)
    )
    seed = split.seed
    difference = net_difference(of_model.outcomes, of_rule.outcomes, test, seed)
    rule_gain = net_difference(of_rule.outcomes, of_now.outcomes, test, seed)
    safety = judge_safety(*_waits_of_the_slowest(of_model, of_rule, test, scenario), seed=seed)
    word = judge_difference(difference, margin)
    clicked, chance = pair_chances(at_most(test.top(ours), PAGES_ASKED), test.frame)
    others = [result for result in results if result.outcomes is not None and result is not of_rule]
    asked = [result for result in results if result.expected is not None]
    room = next(result for result in results if result.kind == "oracle").figures.net
    return Comparison(
        decision="prefetch",
        split=split,
        model=stage.model,
        results=tuple(results),
        best_rule=stage.best_rule,
        today=now,
        scenario=scenario,
        known_by=stage.model.known_by,
        difference=difference,
        rule_gain=rule_gain,
        against_best_rule={r.name: net_difference(r.outcomes, of_rule.outcomes, test, seed) for r in others},
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
            stop="pages load more slowly",
        ),
        test_users=len(np.unique(test.users)),
        cost=_model_cost(stage.model, ours, test, scenario),
        calibration=measure_calibration(clicked, chance),
        detail=PrefetchDetail(
            ranking={result.name: judge_answer(at_most(result.expected, PAGES_ASKED), test.frame) for result in asked},
            hits_at=tabulate_hits(results),
            end_share=share_of_session_ends(pd.concat([part for _, part in split.parts()])),
            session=replay_typical_session(stage),
        ),
        reliability=reliability(clicked, chance),
        segments=prefetch_segments(test.frame, _net(of_model) - _net(of_rule), test.users, seed=seed),
        provenance=trace_origin(split),
        seconds=time.perf_counter() - started,
        unit=NET_HITS,
    ), test


def _waits_of_the_slowest(
    model: PolicyResult, rule: PolicyResult, test: PrefetchViews, scenario: PrefetchScenario
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is waited for under model and rule (ms a view), among the fifth of users whose pages load slowest.

    A view's wait is the load of the page opened next, none where the cache holds it from an earlier visit, less what
    was saved, plus what was held up. Where all pages are taken to load alike, all views are looked at.
    """
    visits = read_visits(test.frame, scenario)
    loads = read_loads(test.frame, visits, scenario)
    load = loads.load_ms(np.arange(len(visits)), visits.page)
    slow = slowest_fifth(load, test.users) if np.ptp(load) > 0 else np.ones(len(load), bool)
    loaded = visits.navigates & ~(np.append(visits.fresh_already[1:], False) & scenario.cache)
    wait = np.zeros(len(visits))
    wait[loaded] = loads.load_ms(np.flatnonzero(loaded), visits.next_page[loaded])
    ours, theirs = (
        (wait + outcomes["contention_ms"] - outcomes["saved_ms"]).to_numpy()[slow]
        for outcomes in (model.outcomes, rule.outcomes)
        if outcomes is not None
    )
    return ours, theirs, test.users[slow]


def _model_cost(model: NextPage, policy: PrefetchPolicy, test: PrefetchViews, scenario: PrefetchScenario) -> ModelCost:
    sample = test.context.iloc[:ROWS_TIMED]
    seconds = min(timeit.repeat(lambda: policy(sample, scenario), number=1, repeat=3))
    layout = model.layout_
    fields = ("page", "session_id", *layout.numbers, *layout.levels, *layout.history)
    return ModelCost(model.trees, model.kilobytes, 1e6 * seconds / len(sample), model.train_seconds_, fields)


def _net(result: PolicyResult) -> np.ndarray:
    assert result.outcomes is not None
    return result.outcomes["net"].to_numpy()
