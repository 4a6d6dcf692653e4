"""Sensitivity of a finding about prefetching: model minus best rule where one assumption changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pandas as pd

from workbench.datasets.schema import LEVELS, context_columns
from workbench.datasets.splits import card_of, sample_users
from workbench.decisions.decision import policy_name
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.evidence.verdict import judge_difference
from workbench.studies.prefetch_plan import PrefetchPlan, prepare, rules_of, train
from workbench.studies.prefetch_stage import PrefetchStage, PrefetchViews, net_difference, replay, settle, views_of
from workbench.studies.sensitivity import Row, one_at_a_time

BREAK_EVENS = (0.15, 0.30, 0.45, 0.60)  # Guess.js on 4g, 3g, 2g, slow-2g
PAGES_A_VIEW = (1, 5)
LONG = 6.0  # times as long a lifetime: half an hour instead of five minutes
MORE_SEEDS = 2
VIEWS_REFITTED = 400_000  # studies of their own run on at most about so many views, whole users or sessions


@dataclass(frozen=True)
class Change:
    """One row of the figure; ``refit`` where the change touches the data or the model, not the scenario alone."""

    group: str
    change: str
    plan: PrefetchPlan
    refit: bool = True
    keep_repeats: bool = False


def changes(views: pd.DataFrame, plan: PrefetchPlan) -> Iterator[Change]:
    """Every assumption that can be changed on this data, one at a time.

    Parameters
    ----------
    views : DataFrame
        From ``load`` or ``navigations``.
    plan : PrefetchPlan
        The base case.
    """
    yield from _scenario_changes(plan)
    yield Change("repeats", "kept", plan, keep_repeats=True)
    card = card_of(views)
    for level in LEVELS[: LEVELS.index("native_app")]:
        fewer, more = sorted((plan.known_by, level), key=LEVELS.index)
        gained = set(context_columns(more, card.context)) - set(context_columns(fewer, card.context))
        if any(name in views and views[name].notna().any() for name in gained):
            yield Change("known by", level.replace("_", " "), replace(plan, known_by=level))
    for what in ("history", "second order", "context"):
        if what != "history" or "user_id" in views:
            yield Change("without", what, replace(plan, without=(what,)))
    other = "user" if plan.split == "time" else "time"
    yield Change(
        "split", f"by {other}" if "user_id" in views else "sessions drawn at random", replace(plan, split=other)
    )
    for seed in range(plan.seed + 1, plan.seed + 1 + MORE_SEEDS):
        yield Change("seed", f"seed {seed}", replace(plan, seed=seed))


@dataclass(frozen=True)
class Base:
    """The base case: its views, a way to have them with repeats kept, and what was settled on them."""

    views: pd.DataFrame
    with_repeats: Callable[[], pd.DataFrame]
    plan: PrefetchPlan
    stage: PrefetchStage
    test: PrefetchViews
    margin: float


def change_assumptions(base: Base, progress: Callable[[str], None] | None = None) -> pd.DataFrame:
    """Change one assumption at a time; refit everything that the change touches.

    Parameters
    ----------
    base : Base
    progress : callable, optional
        Told each change as it begins.

    Returns
    -------
    DataFrame
        One row a change, the base case first: the fields of ``sensitivity.Row``. Rows that need a fit run on about
        400,000 views at most, whole users or sessions drawn by seed; ``note`` says so where they do.
    """

    def run(change: Change) -> Row:
        return _refit(change, base) if change.refit else _replay_again(change, base)

    first = _judge("base", "base case", base.stage, base.test, base.margin)
    return one_at_a_time(first, changes(base.views, base.plan), run, progress)


def _replay_again(change: Change, base: Base) -> Row:
    """The scenario alone differs: what policies answered serves once more."""
    stage = settle(base.stage.split, base.stage.model, base.stage.rules, change.plan.scenario, base.stage.validation)
    return _judge(change.group, change.change, stage, base.test, base.margin)


def _refit(change: Change, base: Base) -> Row:
    plan = change.plan
    frame = base.with_repeats() if change.keep_repeats else base.views
    note = ""
    if len(frame) > VIEWS_REFITTED:
        frame, note = sample_users(frame, VIEWS_REFITTED, plan.seed), f"on about {VIEWS_REFITTED:,} views"
    split = prepare(frame, plan)
    stage = settle(split, train(split, plan), rules_of(split, plan), plan.scenario)
    test = views_of(split.test, split, plan.known_by, plan.scenario)
    return replace(_judge(change.group, change.change, stage, test, base.margin), note=note)


def _scenario_changes(plan: PrefetchPlan) -> Iterator[Change]:
    def under(group: str, name: str, scenario: PrefetchScenario) -> Change:
        return Change(group, name, replace(plan, scenario=scenario), refit=False)

    scenario = plan.scenario
    for value in BREAK_EVENS:
        if value != scenario.break_even:
            yield under("break-even", f"{value:.2f}", scenario.with_break_even(value))
    yield under("cache", "off" if scenario.cache else "on", replace(scenario, cache=not scenario.cache))
    if scenario.cache:
        longer = replace(
            scenario, lifetime_s=LONG * scenario.lifetime_s, lifetime_views=round(LONG * scenario.lifetime_views)
        )
        yield under("cache", f"{LONG:g} times as long", longer)
    for k in PAGES_A_VIEW:
        if k != scenario.k:
            yield under("pages a view", f"up to {k}", replace(scenario, k=k))


def _judge(group: str, change: str, stage: PrefetchStage, test: PrefetchViews, margin: float) -> Row:
    ours, rule = (replay(policy, test, stage.scenario) for policy in (stage.ours, stage.best_rule))
    difference = net_difference(ours, rule, test, stage.split.seed)
    word = judge_difference(difference, margin)
    name = policy_name(stage.best_rule)
    return Row(group, change, difference.estimate, difference.low, difference.high, word, name)
