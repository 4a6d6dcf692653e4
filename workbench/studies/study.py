"""The whole path, for any decision: data, split, model and rules, replay, evidence, recommendation."""

from __future__ import annotations

import math
import os
import time
import timeit
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.checked import checked
from workbench.datasets.loading import load
from workbench.datasets.splits import FEWEST_USERS, Split, card_of, sample_users, users_of
from workbench.decisions import find_decision
from workbench.decisions.decision import Change, Decision, ModelCost, Plan, PolicyResult, Stage
from workbench.decisions.policy import (
    LINEAR,
    PERFECT_KNOWLEDGE,
    Policy,
    Situations,
    call_policy,
    kilobytes_of,
    known_rules,
    policy_name,
    same_policy,
    traits_of,
)
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import HALF_WIDTH, Interval, as_good_as_the_best, cluster_interval
from workbench.evidence.calibration import measure_calibration, reliability
from workbench.evidence.sample_size import SampleSize, sample_size
from workbench.evidence.segments import segment_table
from workbench.evidence.verdict import (
    Judgement,
    Safety,
    SlowestUsers,
    Verdict,
    judge,
    judge_rivals,
    judge_safety,
    recommend,
    users_to_settle,
)
from workbench.models.boosting import check_trained_on
from workbench.progress import Progress, showing_steps
from workbench.studies.comparison import Comparison, trace_origin

ROWS_TIMED = 2_000
ROWS_REFITTED = 400_000  # sensitivity rows that need a fit run on at most about so many views, whole users or sessions

type Dataset = str | os.PathLike[str] | pd.DataFrame


@checked
@showing_steps
def study(
    dataset: Dataset,
    *,
    scenario: Any = None,
    rows: int | None = None,
    seed: int = 0,
    sensitivity: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Walk the whole path on one dataset: load, split, train, compare.

    The decision is the scenario's, else the default of the dataset's table (measurements: images; navigations:
    prefetch). The split is by time where the data have times, else by user.

    Parameters
    ----------
    dataset : str, path or DataFrame
        A card's name, the path of a card, or a frame from ``load``, ``measurements`` or ``navigations``.
    scenario : object, optional
        ``wb.ImageScenario``, ``wb.PrefetchScenario``, or that of another decision.
    rows : int, optional
        About how many rows, whole users (else sessions) drawn by ``seed``.
    seed : int
        Random seed of the draw, the split, the mask and the model.
    sensitivity : bool
        Whether to change one assumption at a time too (``result.sensitivity``): some twenty further studies.
    progress : callable, optional
        Called with the name of each step as it begins; on a terminal and in JupyterLab the steps are shown anyway.

    Raises
    ------
    WorkbenchError
        Where the data cannot be had, or cannot be decided on.

    >>> wb.study("mobile_bandwidth", rows=10_000)  # doctest: +SKIP
    """
    started = time.perf_counter()
    say = progress or (lambda step: None)
    say("load")
    views = dataset if isinstance(dataset, pd.DataFrame) else load(dataset, rows=rows, seed=seed)
    card = card_of(views)
    decision = find_decision(scenario, card)
    decision.check(views)
    plan = decision.plan(views, decision.scenario(card, scenario), seed)
    split = decision.prepare(views, plan)
    say("train the model")
    model = decision.train(split, plan)
    say("tune on validation")
    stage = settle(decision, split, model, None, plan.scenario)
    result, test = _read_test(stage, started=started, say=say)
    if sensitivity:

        def load_again(**keywords: Any) -> pd.DataFrame:
            if isinstance(dataset, pd.DataFrame):
                raise WorkbenchError("the frame is loaded already; name the dataset to load it otherwise.")
            return load(dataset, rows=rows, seed=seed, **keywords)

        base = Base(views, load_again, stage, test, result.margin)
        result = replace(result, sensitivity=base.one_at_a_time(decision.changes(views, plan), say))
    return replace(result, seconds=time.perf_counter() - started)


@checked
@showing_steps
def compare(
    split: Split,
    model: Any,
    rules: Iterable[Policy] | None = None,
    scenario: Any = None,
    *,
    today: Policy | None = None,
    margin: float | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare a trained model with rules, on views that neither has seen.

    Limits and the best rule are picked on ``validation``, those of rules on ``calibration`` too; ``test`` is read once.

    Parameters
    ----------
    split : Split
    model : estimator
        Trained on ``split``; its ``known_by`` is what all policies may see.
    rules : iterable of callables, optional
        Default ``wb.rules(split)``.
    scenario : object, optional
        Says which decision is compared; default that of the split's table.
    today : callable, optional
        What is done now; default the decision's.
    margin : float, optional
        Smallest difference in net that matters; default the card's, else the decision's.
    progress : callable, optional
        Called with the name of each step as it begins; on a terminal and in JupyterLab the steps are shown anyway.

    Raises
    ------
    WorkbenchError
        Where no rule is available, nothing is left to decide, or a policy peeks, reads the future or answers wrongly.

    >>> wb.compare(split, model, rules=[ours, *wb.rules(split)])  # doctest: +SKIP
    """
    started = time.perf_counter()
    say = progress or (lambda step: None)
    decision = find_decision(scenario, split.card)
    margin = decision.smallest_gain(split.card, margin)
    say("tune on validation")
    stage = settle(decision, split, model, rules, decision.scenario(split.card, scenario), today=today)
    return _read_test(stage, margin=margin, started=started, say=say)[0]


@checked
def rules(split: Split, *, scenario: Any = None, known_by: str | None = None) -> tuple[Policy, ...]:
    """The rules that a model must beat: what a team would write anyway, from the plainest on.

    A rule that lacks what it needs on this data is among them; comparisons print it as "not available".

    Parameters
    ----------
    split : Split
        Rules are counted on ``train``.
    scenario : object, optional
        Says which decision they are for; default that of the split's table.
    known_by : str, optional
        What they may see; default the card's.

    >>> [rule.name for rule in wb.rules(split)]  # doctest: +SKIP
    """
    return find_decision(scenario, split.card).rules(split, known_by)


def settle(
    decision: Decision,
    split: Split,
    model: Any,
    rules: Iterable[Policy] | None,
    scenario: Any,
    *,
    today: Policy | None = None,
    parts: tuple[Situations, Situations] | None = None,
) -> Stage:
    """Tune every limit and pick the best rule, on ``validation`` and ``calibration`` alone.

    ``parts``, validation and all that is held out, may hold answers that were given before, where nothing but the
    scenario has changed. What is done ``today`` is a rival too: a rule that loses to it is not the one to compare with.
    """
    decision.check(split.train)
    check_trained_on(model, split, decision.train_call)
    every = decision.rules(split, model.known_by) if rules is None else known_rules(rules, model.known_by)
    every = decision.settle_rules(every, split, scenario)
    validation, held_out = parts or (
        decision.situations(part, split.card, split.cluster, model.known_by, scenario)
        for part in (split.validation, split.held_out)
    )
    reasons = [decision.why_unavailable(rule, held_out) for rule in every]
    available = [rule for rule, reason in zip(every, reasons, strict=True) if not reason]
    tuned = tuple(decision.tune(rule, held_out, scenario) for rule in available)
    if not tuned:
        raise WorkbenchError(f"{split.card.name}: no rule is available on this data: {'; '.join(reasons)}.")
    now = today or decision.today(split)
    now = next((rule for rule in tuned if same_policy(rule, now)), now)
    if not any(now is rule for rule in tuned) and not decision.why_unavailable(now, held_out):
        tuned = (*tuned, now)
    answers = [decision.ask(rule, held_out, scenario) for rule in tuned]
    nets = np.array([decision.outcomes(answer, held_out, scenario)["net"] for answer in answers])
    best, (_, who) = int(np.argmax(nets.mean(axis=1))), np.unique(held_out.users, return_inverse=True)
    totals = np.array([np.bincount(who, net) for net in nets])
    as_good = as_good_as_the_best(totals, np.bincount(who), HALF_WIDTH)
    return Stage(
        decision=decision,
        split=split,
        scenario=scenario,
        model=model,
        rules=every,
        unavailable={i: reason for i, reason in enumerate(reasons) if reason},
        tuned=tuned,
        today=now,
        best_rule=tuned[best],
        rivals=tuple(tuned[place] for place in np.flatnonzero(as_good) if place != best),
        ours=decision.tune(decision.model_policy(model, split.card), validation, scenario),
        validation=validation,
        held_out=held_out,
        settle_again=_settle_again,
    )


def _settle_again(stage: Stage, scenario: Any) -> Stage:
    """The same model and rules under another scenario."""
    decision = stage.decision
    parts = decision.under(stage.validation, scenario), decision.under(stage.held_out, scenario)
    return settle(decision, stage.split, stage.model, stage.rules, scenario, today=stage.today, parts=parts)


def train_again(stage: Stage, plan: Plan) -> Stage:
    """Another training of the model on the same split, its limit tuned again; rules are what they were."""
    decision, split = stage.decision, stage.split
    model = decision.train(split, plan)
    ours = decision.tune(decision.model_policy(model, split.card), stage.validation, stage.scenario)
    return replace(stage, model=model, ours=ours)


def _read_test(
    stage: Stage, *, started: float, say: Progress, margin: float | None = None
) -> tuple[Comparison, Situations]:
    """Replay every policy on test, and weigh the evidence."""
    decision, split, scenario = stage.decision, stage.split, stage.scenario
    margin, now = decision.smallest_gain(split.card, margin), stage.today
    say("replay on test")
    test = stage.test()
    results = replay_all(stage, test)
    say("weigh the evidence")
    by_model, by_rule, by_now = (_of(results, policy) for policy in (stage.ours, stage.best_rule, now))
    verdict = judge_model(stage, test.users, margin, lambda rule: _minus(by_model, _of(results, rule), "net"))
    gained, settled = verdict.over_best, verdict.settled
    rule_gained = _judge(stage, _minus(by_rule, by_now, "net"), test.users, margin)
    others = [result for result in results if result.outcomes is not None and result is not by_rule]
    against = {other.name: _interval(other, by_rule, test, split.seed) for other in others}
    outcomes = by_model.outcomes, by_rule.outcomes, by_now.outcomes
    safety, at_rule, slowest = look_at_the_slowest(stage, test, *outcomes)
    event, chance = decision.calibration_target(by_model.expected, test, scenario)
    people = split.count_people() / gained.differing.of
    room = _judge(stage, _minus(results[-1], by_rule, "net"), test.users, margin)
    needed = users_to_settle(settled.difference, margin, settled.differing)
    return Comparison(
        decision=decision,
        split=split,
        model=stage.model,
        results=tuple(results),
        best_rule=stage.best_rule,
        today=now,
        scenario=scenario,
        known_by=stage.model.known_by,
        difference=gained.difference,
        differing=gained.differing,
        rule_over_today=rule_gained,
        against_best_rule=against,
        trees_gain=_interval(by_model, next(each for each in results if each.name == LINEAR), test, split.seed),
        margin=margin,
        verdict=settled.word,
        rivals=stage.rivals,
        settled=settled,
        settled_by=(stage.best_rule, *stage.rivals)[verdict.place],
        safety=safety,
        safety_at_rule=at_rule,
        slowest=slowest,
        users_to_settle=None if needed is None else math.ceil(people * needed),
        ab_test=_size_ab_test(stage, test, by_rule, by_model, margin),
        headroom=decision.headroom(results[-1].outcomes, test, scenario),
        recommendation=recommend(settled, safety, rule_gained.word, headroom=room, margin=margin),
        test_users=gained.differing.of,
        cost=_model_cost(stage, test),
        calibration=measure_calibration(event, chance),
        detail=decision.detail(results, stage, test),
        reliability=reliability(event, chance),
        segments=segment_table(
            decision.segments(test, scenario),
            _minus(by_model, by_rule, "net"),
            _minus(by_model, by_rule, "added_wait_ms"),
            test.users,
            seed=split.seed,
        ),
        provenance=trace_origin(split),
        seconds=time.perf_counter() - started,
    ), test


def _judge(stage: Stage, gained: np.ndarray, users: np.ndarray, margin: float) -> Judgement:
    return judge(gained, users, margin, stage.decision.largest_difference(stage.scenario), stage.split.seed)


def judge_model(stage: Stage, users: np.ndarray, margin: float, gain_over: Callable[[Policy], np.ndarray]) -> Verdict:
    """Judge the model against the best rule and its rivals; ``gain_over`` a rule has shape (rows,), in net."""
    rules = stage.best_rule, *stage.rivals
    return judge_rivals(_judge(stage, gain_over(rule), users, margin) for rule in rules)


def look_at_the_slowest(
    stage: Stage, test: Situations, by_model: pd.DataFrame, by_rule: pd.DataFrame, by_now: pd.DataFrame
) -> tuple[Safety, Safety, SlowestUsers]:
    """Safety of the model as it is tuned, and at the best rule's own operating point; what each policy does to those
    who wait longest. All three frames are outcomes, one row a view of test.
    """
    decision, scenario, seed = stage.decision, stage.scenario, stage.split.seed
    slow = decision.slowest(test, scenario)
    users = test.users[slow]
    there = stage.replay(stage.best_rule, stage.validation)
    like = decision.operate_like(stage.ours, there, stage.validation, scenario)
    outcomes = by_model, by_rule, by_now, stage.replay(like, test)
    ours, rule, now, alike = (decision.wait_ms(each, test, scenario)[slow] for each in outcomes)
    slowest = SlowestUsers(
        today_ms=float(now.mean()),
        rule_ms=float(rule.mean()),
        model_ms=float(ours.mean()),
        rule_added_wait=cluster_interval(rule - now, users, seed=seed),
        gain=cluster_interval((by_model["net"] - by_rule["net"]).to_numpy()[slow], users, seed=seed),
    )
    return judge_safety(ours, rule, users, seed=seed), judge_safety(alike, rule, users, seed=seed), slowest


def _size_ab_test(
    stage: Stage, test: Situations, by_rule: PolicyResult, by_model: PolicyResult, margin: float
) -> SampleSize:
    """An A/B test of the model against the best rule, by the rule's net on test, or the model's where that does
    not vary (nothing is fetched); earlier views are those held out before.
    """
    split = stage.split
    policy, net = stage.best_rule, by_rule.outcomes["net"]
    if not net.std():
        policy, net = stage.ours, by_model.outcomes["net"]
    timed = split.card.facts.time
    if not split.how.startswith(("by time", "by order")):
        at = test.frame.get(timed)
        share = len(np.unique(test.users)) / split.count_people()
        return sample_size(net.to_numpy(), test.users, margin, at=at, share=share)
    both = pd.concat([stage.held_out.frame, test.frame])
    before = stage.replay(policy, stage.held_out)["net"]
    return sample_size(
        pd.concat([before, net]).to_numpy(),
        users_of(both, split.cluster),
        margin,
        at=both.get(timed),
        earlier=np.arange(len(both)) < len(before),
    )


def replay_all(stage: Stage, test: Situations) -> list[PolicyResult]:
    """Every policy of a settled comparison on test: rules, model, references, today's, and last perfect knowledge.

    Rules that are not available come with their reason.
    """
    decision, scenario = stage.decision, stage.scenario
    results = [_replay(stage, rule, "rule", test) for rule in stage.tuned]
    if len(stage.tuned) + len(stage.unavailable) > len(stage.rules):  # what is done today is a rival of its own
        results[-1] = replace(results[-1], name=f"today: {results[-1].name}", kind="today")
    for place, reason in stage.unavailable.items():
        results.append(PolicyResult(policy_name(stage.rules[place]), "rule", stage.rules[place], reason))
    results.append(_replay(stage, stage.ours, "model", test))
    for policy in (decision.linear(stage.split, stage.model), decision.truth(stage.split.card)):
        if policy is not None and not decision.why_unavailable(policy, test):
            tuned = decision.tune(policy, stage.validation, scenario)
            results.append(_replay(stage, tuned, "reference", test))
    if not any(stage.today is result.policy for result in results):
        results.append(_replay_today(stage, test))
    for name, outcomes in decision.references(test, scenario):
        figures = decision.figures(outcomes, test, scenario)
        results.append(PolicyResult(name, "reference", figures=figures, outcomes=outcomes))
    known = decision.outcomes(decision.hindsight(test, scenario), test, scenario)
    figures = decision.figures(known, test, scenario)
    return [*results, PolicyResult(PERFECT_KNOWLEDGE, "oracle", figures=figures, outcomes=known)]


def _replay(stage: Stage, policy: Policy, kind: str, test: Situations) -> PolicyResult:
    decision, scenario = stage.decision, stage.scenario
    outcomes, expected, traits = stage.replay(policy, test), decision.weigh(policy, test, scenario), traits_of(policy)
    return PolicyResult(
        name=traits.name,
        kind=kind,
        policy=policy,
        figures=decision.figures(outcomes, test, scenario, expected),
        outcomes=outcomes,
        expected=expected,
        frontier=None if expected is None else decision.frontier(expected, test, scenario),
        limit=traits.limit,
        kilobytes=kilobytes_of(policy),
    )


def _replay_today(stage: Stage, test: Situations) -> PolicyResult:
    """What is done now, where none of these views has what it needs, or it is known too late for a rule."""
    later = not set(traits_of(stage.today).needs) <= set(test.context)
    there = stage.decision.later_context(test) if later else test
    replayed = _replay(stage, stage.today, "reference" if later else "today", there)
    return replace(replayed, name=f"today: {replayed.name}", reads_later=later)


def _of(results: Sequence[PolicyResult], policy: Policy) -> PolicyResult:
    return next(result for result in results if result.policy is policy)


def _model_cost(stage: Stage, test: Situations) -> ModelCost:
    sample, model = test.context.iloc[:ROWS_TIMED], stage.model
    seconds = min(timeit.repeat(lambda: call_policy(stage.ours, sample, stage.scenario), number=1, repeat=3))
    return ModelCost(
        model.trees, model.kilobytes, 1e6 * seconds / len(sample), model.train_seconds_, tuple(model.fields)
    )


def _interval(one: PolicyResult, other: PolicyResult, views: Situations, seed: int) -> Interval:
    """Net of one policy minus another's on the same views, users resampled."""
    return cluster_interval(_minus(one, other, "net"), views.users, seed=seed)


def _minus(one: PolicyResult, other: PolicyResult, column: str) -> np.ndarray:
    return one.outcomes[column].to_numpy() - other.outcomes[column].to_numpy()


@dataclass(frozen=True)
class SensitivityRow:
    """Model minus best rule under one change; missing numbers where it could not be run, and why in ``note``.

    ``settled_by`` is the rule that the verdict is due to: the best one, or one that did as well before test.
    """

    group: str
    change: str
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    verdict: str = ""
    best_rule: str = ""
    settled_by: str = ""
    note: str = ""


@dataclass(frozen=True)
class Base:
    """The base case of the sensitivity figure: its views, a way to load them otherwise, and what was settled."""

    views: pd.DataFrame
    load_again: Callable[..., pd.DataFrame]
    stage: Stage
    test: Situations
    margin: float

    def one_at_a_time(self, changes: Iterable[Change], say: Progress) -> pd.DataFrame:
        """One row a change, the base case first: the fields of :class:`SensitivityRow`."""
        rows = [self._judge("base", "base case", self.stage, self.test)]
        for change in changes:
            say(f"{change.group}: {change.change}")
            try:
                rows.append(self._run(change))
            except WorkbenchError as err:
                rows.append(SensitivityRow(change.group, change.change, note=str(err)))
        return pd.DataFrame([asdict(row) for row in rows])

    def _run(self, change: Change) -> SensitivityRow:
        """Model minus best rule under one change; everything that the change touches is fitted again."""
        names = change.group, change.change
        if change.only is not None:
            return self._judge(*names, self.stage, self.test, only=change.only)
        if not change.split:
            return self._judge(*names, train_again(self.stage, change.plan), self.test)
        if not change.refit:
            stage = self.stage.under(change.plan.scenario)
            return self._judge(*names, stage, stage.decision.under(self.test, stage.scenario))
        return self._refit(change)

    def _refit(self, change: Change) -> SensitivityRow:
        decision, plan = self.stage.decision, change.plan
        frame = self.load_again(**change.load) if change.load else self.views
        note = ""
        if len(frame) > ROWS_REFITTED:
            frame, note = sample_users(frame, ROWS_REFITTED, plan.seed), f"on about {ROWS_REFITTED:,} views"
        split = decision.prepare(frame, plan)
        every = decision.rules(split, plan.known_by, plan.without)
        stage = settle(decision, split, decision.train(split, plan), every, plan.scenario)
        return replace(self._judge(change.group, change.change, stage, stage.test()), note=note)

    def _judge(
        self,
        group: str,
        change: str,
        stage: Stage,
        test: Situations,
        *,
        only: Callable[[pd.DataFrame], np.ndarray] | None = None,
    ) -> SensitivityRow:
        ours = stage.replay(stage.ours, test)["net"].to_numpy()
        counted = np.ones(len(test), bool) if only is None else only(test.frame)
        if len(np.unique(test.users[counted])) < FEWEST_USERS:
            raise WorkbenchError(f"fewer than {FEWEST_USERS} {test.people} to test on; take more rows.")
        verdict = judge_model(
            stage,
            test.users[counted],
            self.margin,
            lambda rule: (ours - stage.replay(rule, test)["net"].to_numpy())[counted],
        )
        seen, rules = verdict.over_best.difference, (stage.best_rule, *stage.rivals)
        names = policy_name(stage.best_rule), policy_name(rules[verdict.place])
        return SensitivityRow(group, change, seen.estimate, seen.low, seen.high, verdict.settled.word, *names)
