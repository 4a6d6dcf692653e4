"""Sensitivity of a finding about images: model minus best rule where one assumption changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from workbench.datasets.history import Mask, has_time
from workbench.datasets.schema import LEVELS, context_columns
from workbench.datasets.splits import FEWEST_USERS, card_of
from workbench.decisions.decision import policy_name
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import cluster_interval
from workbench.evidence.verdict import judge_difference
from workbench.models import NetworkQuality
from workbench.studies.image_plan import Plan, prepare, train
from workbench.studies.image_stage import Stage, replay, settle
from workbench.studies.sensitivity import Row, one_at_a_time

NETWORK = ("asn", "isp")
USER_AGENT = ("os_family", "os_major", "browser", "browser_major", "device")
MORE_SEEDS = 2
TECHNOLOGY, MOST_TECHNOLOGIES = "access_technology", 8


@dataclass(frozen=True)
class Change:
    """One row of the figure.

    ``refit`` where the change touches the data or the model, not the scenario alone; ``only`` names the access
    technology whose views are counted, with policies as they are.
    """

    group: str
    change: str
    plan: Plan
    refit: bool = True
    only: str = ""


def changes(views: pd.DataFrame, plan: Plan) -> Iterator[Change]:
    """Every assumption that can be changed on this data, one at a time.

    Parameters
    ----------
    views : DataFrame
        From ``load`` or ``measurements``.
    plan : Plan
        The base case.
    """
    yield from _scenario_changes(plan)
    card = card_of(views)
    for quantity, values in card.assume.items():
        if quantity not in views:
            for name, value in (("low", values[0]), ("high", values[2])):
                yield Change("assumed", f"{quantity} {value:g}", replace(plan, assume=name))
    for level in LEVELS:
        fewer, more = sorted((plan.known_by, level), key=LEVELS.index)
        gained = set(context_columns(more, card.context)) - set(context_columns(fewer, card.context))
        if any(name in views and views[name].notna().any() for name in gained):
            yield Change("known by", level.replace("_", " "), replace(plan, known_by=level))
    yield from _split_changes(views, plan)
    yield from _mix_changes(views, plan)
    for title, names in (("ASN and provider", NETWORK), ("user agent", USER_AGENT)):
        if any(name in views and views[name].nunique() > 1 for name in names):
            yield Change("without", title, replace(plan, without=names))
    if plan.history and has_time(views):
        yield Change("without", "history", replace(plan, history=False))
    for seed in range(plan.seed + 1, plan.seed + 1 + MORE_SEEDS):
        yield Change("seed", f"seed {seed}", replace(plan, seed=seed))


def change_assumptions(
    views: pd.DataFrame, plan: Plan, base: Stage, *, margin: float, progress: Callable[[str], None] | None = None
) -> pd.DataFrame:
    """Change one assumption at a time; refit everything that the change touches.

    Parameters
    ----------
    views : DataFrame
    plan : Plan
        The base case.
    base : Stage
        The base case, settled.
    margin : float
    progress : callable, optional
        Told each change as it begins.

    Returns
    -------
    DataFrame
        One row a change, the base case first: the fields of ``sensitivity.Row``.
    """

    def run(change: Change) -> Row:
        stage = base if change.only else _settle(views, change, base)
        return _judge(change.group, change.change, stage, margin, change.only)

    return one_at_a_time(_judge("base", "base case", base, margin), changes(views, plan), run, progress)


def _scenario_changes(plan: Plan) -> Iterator[Change]:
    scenario = plan.scenario
    for factor in (0.5, 2.0):
        budget = factor * scenario.budget_ms
        yield Change(
            "budget", f"{budget / 1000:g} s", replace(plan, scenario=scenario.with_budget(budget)), refit=False
        )
    for factor in (0.25, 4.0):
        wait = factor * scenario.cancelling_wait_ms
        dearer = replace(scenario, cancelling_wait_ms=wait)
        yield Change("wait that cancels", f"{wait:g} ms", replace(plan, scenario=dearer), refit=False)
    for factor in (0.5, 2.0):
        capped = replace(scenario, cap_ms=factor * scenario.cap_ms)
        yield Change("abandoned after", f"{capped.cap_ms / 1000:g} s", replace(plan, scenario=capped), refit=False)


def _split_changes(views: pd.DataFrame, plan: Plan) -> Iterator[Change]:
    if has_time(views):
        other = "user" if plan.split == "time" else "time"
        yield Change("split", f"by {other}", replace(plan, split=other))
    if "asn" in views and views["asn"].nunique() > 1:
        yield Change("split", "networks never seen", replace(plan, split="asn"))
    if plan.mask is not None:
        yield Change("masking", "nobody", replace(plan, mask=None))
        yield Change("masking", "slow users more often", replace(plan, mask=_slow(plan.mask)))


def _mix_changes(views: pd.DataFrame, plan: Plan) -> Iterator[Change]:
    """Each access technology of a real source alone: its mix of them need not be a country's.

    With policies as they are, the difference under any mix of technologies is a mean of these rows, weighted by the
    mix: it lies between the least and the largest.
    """
    real = not card_of(views).simulated
    if real and TECHNOLOGY in views and 1 < views[TECHNOLOGY].nunique() <= MOST_TECHNOLOGIES:
        for technology in sorted(views[TECHNOLOGY].dropna().unique()):
            yield Change("mix of technologies", f"{technology} alone", plan, refit=False, only=technology)


def _slow(mask: Mask) -> Mask:
    return replace(mask, slow_biased=True)


def _settle(views: pd.DataFrame, change: Change, base: Stage) -> Stage:
    if not change.refit:
        return settle(base.split, base.model, base.rules, change.plan.scenario)
    split = prepare(views, change.plan)
    model: NetworkQuality = train(split, change.plan)
    return settle(split, model, None, change.plan.scenario)


def _judge(group: str, change: str, stage: Stage, margin: float, only: str = "") -> Row:
    test = stage.test()
    ours, rule = (replay(policy, test, stage.scenario) for policy in (stage.ours, stage.best_rule))
    counted = (test.frame[TECHNOLOGY] == only).to_numpy() if only else np.ones(len(test.frame), bool)
    if len(np.unique(test.users[counted])) < FEWEST_USERS:
        raise WorkbenchError(f"under {FEWEST_USERS} {stage.split.people} on {only}.")
    difference = cluster_interval(
        (ours["net"] - rule["net"]).to_numpy()[counted], test.users[counted], seed=stage.split.seed
    )
    word = judge_difference(difference, margin)
    name = policy_name(stage.best_rule)
    return Row(group, change, difference.estimate, difference.low, difference.high, word, name)
