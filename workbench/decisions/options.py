"""Decisions that pick one of a few options in each view, by predicted network quality.

Image delivery is one; the start bitrate of a video would be another. Such a decision says for itself what its options
are (``scenario.options``), what each brings about (:meth:`OptionDecision.payoffs`), what a source of chances expects of
each (``scenario.prospects``), and how that is reported; all else is written here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.history import Mask, has_past, has_time
from workbench.datasets.schema import (
    LEVELS,
    LOSABLE,
    SIGNALS,
    context_columns,
    has_signal,
    known_context,
    label,
    measured_quantities,
    saves_data,
)
from workbench.datasets.splits import Split, card_of, people_in, split_by_time, split_by_user, users_of
from workbench.decisions import option_explain, option_ship
from workbench.decisions.chances import (
    ChancePolicy,
    Lookup,
    Prospects,
    Weighs,
    assumed,
    base_assumptions,
    lookup_table,
    true_chance,
    try_tables,
)
from workbench.decisions.decision import (
    Axis,
    Change,
    Plan,
    group_changes,
    information_changes,
    other_split,
    seed_changes,
)
from workbench.decisions.policy import (
    Policy,
    Situations,
    ask_blind,
    call_policy,
    missing_columns,
    policy_name,
    takes_scenario,
    traits_of,
)
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import as_good_as_the_best, one_standard_error
from workbench.evidence.segments import level_names, two_levels
from workbench.evidence.verdict import slowest_fifth
from workbench.features.page_features import GROUPS_LEFT_OUT, HISTORY
from workbench.models.network_quality import NetworkQuality, train_network_quality

# How expensive a failure is to a policy, as a multiple of the declared price; 1 is the price itself.
LIMITS = np.geomspace(1 / 8, 8, 25)
EVERYTHING = "native_app"  # references may read whatever the source tells, whenever it is known
IMPASSABLE = 1e9  # ms, or 1 / Mbit/s: a network that carries nothing
TECHNOLOGY, MOST_TECHNOLOGIES = "access_technology", 8
HOUR_BANDS = {"00-05 h": 6, "06-11 h": 12, "12-17 h": 18, "18-23 h": 24}  # up to

Payoffs = Mapping[str, np.ndarray]


class OptionDecision(option_explain.PicksOptions):
    """What decisions about one option a view have in common; outcomes call its number ``option_column``."""

    table = "measurements"
    operating_point = "share of the most demanding option"
    train_call = "wb.train_network_quality(split)"
    option_column: str
    served = "option_served"  # its card declares it under [context], known never
    effects: tuple[Axis, ...] = (
        Axis("late", "Late, of 100 views", 100.0),
        Axis("added_wait_ms", "Waiting beyond the budget (ms a view)"),
    )
    chooses = "option"  # what rules call one of them

    @abstractmethod
    def payoffs(self, frame: pd.DataFrame, scenario: Any, assume: Mapping[str, float]) -> Payoffs:
        """What each option would bring about in each view: by name, arrays of shape (rows, options).

        ``net, added_wait_ms, quality, late`` at least; every name becomes a column of the outcomes.
        """

    @abstractmethod
    def scenario_changes(self, plan: Plan) -> Iterable[Change]:
        """Rows of the sensitivity figure that change the scenario alone."""

    def prices_aside(self, scenario: Any) -> Any:
        """The scenario without what chances do not depend on: the key under which they are remembered."""
        return scenario

    def slowness(self, given: Payoffs) -> np.ndarray:
        """What the slowest users are slowest by, a view, whatever the policy: shape (rows,)."""
        return given["added_wait_ms"][:, 0]

    def scenario(self, card: Card, scenario: Any = None) -> Any:
        """The scenario given, else the default."""
        return scenario or self.scenario_type()

    def check(self, frame: pd.DataFrame) -> None:
        """Refuse data without round-trip time and throughput."""
        if not {"rtt_ms", "downlink_mbps"} & set(measured_quantities(frame)):
            raise WorkbenchError(
                f"{self.title.lower()} is decided by rtt_ms or downlink_mbps; neither was measured here, so "
                f"{self.name} cannot be decided on this data."
            )

    def plan(self, views: pd.DataFrame, scenario: Any, seed: int) -> Plan:
        """By time where there is time, masked where there is a signal or a past to hide."""
        known_by = card_of(views).known_by
        visible = [name for name in SIGNALS if name in context_columns(known_by) and name in views]
        shows_netinfo = "user_id" in views and bool(views[visible].notna().any().any())
        return Plan(
            scenario=scenario,
            seed=seed,
            split="time" if has_time(views) else "user",
            mask=Mask(seed=seed) if has_past(views) or shows_netinfo else None,
            known_by=known_by,
        )

    def prepare(self, views: pd.DataFrame, plan: Plan) -> Split:
        """Leave out what nobody has, set what is assumed, mask, add history, split."""
        card = card_of(views)
        place = {"low": 0, "base": 1, "high": 2}[plan.assume]
        assume: dict[str, tuple[float, ...]] = {
            quantity: (values[0], values[place], values[2]) for quantity, values in card.assume.items()
        }
        frame = views.drop(columns=[name for name in plan.without if name in views])
        known: Any = plan.known_by
        history = HISTORY not in plan.without
        frame.attrs |= {"card": replace(card, assume=assume, known_by=known)}
        if plan.split == "time":
            return split_by_time(frame, plan.seed, mask=plan.mask, history=history)
        cluster = "user_id" if plan.split == "user" else plan.split
        return split_by_user(frame, plan.seed, mask=plan.mask, history=history, cluster=cluster)

    def train(self, split: Split, plan: Plan) -> NetworkQuality:
        """The network-quality model."""
        return train_network_quality(split, known_by=plan.known_by, seed=plan.model_seed)

    def best_table(self, split: Split, known_by: str, scenario: Any, before: Lookup | None = None) -> Lookup:
        """The best lookup table by one or two columns of all that are known by then.

        All are tried: counted on ``train``, weighed by net on the held-out views to decide in. Of those within one
        standard error of the best, the one with the fewest groups is fitted. Triples are not tried: they overfit.
        Where that is the table found ``before``, its counts are kept.
        """
        there = self.situations(split.held_out, split.card, split.cluster, known_by, scenario)
        assume, extra = base_assumptions(split.card), split.card.context
        earned = np.where(saves_data(there.context)[:, None], there.given["net"][:, :1], there.given["net"])
        paid = self.payoffs(split.train, scenario, assume)["net"]
        _, users = np.unique(there.users, return_inverse=True)
        contexts = known_context(split.train, known_by, extra), there.context
        trials = try_tables(contexts, (paid, earned), users)
        keys: tuple[str, ...] = ()
        if trials:
            settled = as_good_as_the_best(np.array([trial.net for trial in trials]), np.bincount(users))
            by_groups = sorted(np.flatnonzero(settled), key=lambda i: (trials[i].groups, -trials[i].net.sum()))
            keys = trials[by_groups[0]].keys
        if before is not None and keys == before.keys:
            return replace(before, searched=scenario)
        table = lookup_table(split.card, keys, known_by, self.chooses, scenario)
        return table.fit(split.train).smooth(split.held_out) if keys else table

    def settle_rules(self, rules: tuple[Policy, ...], split: Split, scenario: Any) -> tuple[Policy, ...]:
        """Search a searched table anew where it was searched under another scenario."""
        return tuple(
            self.best_table(split, rule.known_by, scenario, before=rule)
            if isinstance(rule, Lookup) and rule.searched not in (None, scenario)
            else rule
            for rule in rules
        )

    def model_policy(self, model: Any, card: Card) -> ChancePolicy[NetworkQuality]:
        """The model by expected value, at the declared price; a policy that holds one stays as it is."""
        if isinstance(model, ChancePolicy):
            return model
        if not isinstance(model, NetworkQuality):
            raise WorkbenchError(
                f"{self.name} takes a trained network-quality model, as from {self.train_call}, or its policy in a "
                f"comparison, result.of('model').policy; got {str(model)[:80]}."
            )
        model.check_fitted()
        return ChancePolicy(model, assume=base_assumptions(card))

    def truth(self, card: Card) -> Policy | None:
        """True chances of the simulated world."""
        return true_chance(card)

    def situations(self, part: pd.DataFrame, card: Card, cluster: str, known_by: str, scenario: Any) -> Situations:
        """The views of a part that come without a signal; a WorkbenchError where there is none."""
        context = known_context(part, known_by, card.context)
        signal_free = self.compared(context)
        if not signal_free.any():
            raise WorkbenchError(
                f"{card.name}: every view shows a signal by {known_by}, so none is left to predict for. Take an "
                "earlier known_by, such as first_request."
            )
        return self._situations(part[signal_free], context[signal_free], card, cluster, known_by, scenario)

    def every_view(self, part: pd.DataFrame, card: Card, cluster: str, known_by: str, scenario: Any) -> Situations:
        """All views of a part, those that show a signal too.

        What a view did not measure is replayed at the median: of an experiment's log, only views stay that are judged
        by what they measured (:meth:`judged`).
        """
        replayed = part.fillna({name: part[name].median() for name in measured_quantities(part)})
        context = known_context(part, known_by, card.context)
        return replace(self._situations(replayed, context, card, cluster, known_by, scenario), frame=part)

    def compared(self, context: pd.DataFrame) -> np.ndarray:
        """Views without a signal."""
        return (~has_signal(context)).to_numpy()

    def judged(self, log: pd.DataFrame) -> np.ndarray:
        """Views that measured all quantities that others of the log did."""
        return log[measured_quantities(log)].notna().all(axis=1).to_numpy()

    def _situations(  # noqa: PLR0917 - what situations takes, and the context
        self, frame: pd.DataFrame, context: pd.DataFrame, card: Card, cluster: str, known_by: str, scenario: Any
    ) -> Situations:
        return Situations(
            frame=frame,
            context=context,
            users=users_of(frame, cluster),
            people=people_in(frame, cluster),
            card=card,
            known_by=known_by,
            given=self.payoffs(frame, scenario, base_assumptions(card)),
        )

    def under(self, situations: Situations, scenario: Any) -> Situations:
        """The same views, every option paid under another scenario."""
        given = self.payoffs(situations.frame, scenario, base_assumptions(situations.card))
        return replace(situations, given=given)

    def later_context(self, situations: Situations) -> Situations:
        """With columns that are known later than the comparison's."""
        context = known_context(situations.frame, EVERYTHING, situations.card.context)
        return replace(situations, context=context, answers={})

    def why_unavailable(self, policy: Policy, situations: Situations) -> str:
        """A column that is not known by then, or never."""
        return traits_of(policy).unavailable or missing_columns(policy, situations.context)

    def ask(self, policy: Policy, situations: Situations, scenario: Any) -> np.ndarray:
        """Numbers of the options, 0 the least demanding: int, shape (rows,). Save-Data always gets that one."""
        expected = self.weigh(policy, situations, scenario)
        if expected is None:
            answer = partial(decide, policy, situations.context, scenario)
            return answer() if takes_scenario(policy) else situations.remember_answer(policy, answer)
        return self.at_limit(expected, situations, scenario, policy.limit)  # type: ignore[attr-defined]

    def at_limit(self, expected: Prospects, situations: Situations, scenario: Any, limit: float) -> np.ndarray:
        """Numbers of the options with the largest expected value at a limit."""
        return np.where(saves_data(situations.context), 0, expected.best(scenario, limit))

    def weigh(self, policy: Policy, situations: Situations, scenario: Any) -> Prospects | None:
        """What to expect of each option, for policies that weigh chances."""
        if not is_dataclass(policy) or not isinstance(policy, Weighs):
            return None  # what is no dataclass has no limit that could be moved: it is asked as it is
        ask = partial(policy.prospects, scenario=scenario)
        return situations.remember(
            policy, self.prices_aside(scenario), lambda: ask_blind(ask, policy_name(policy), situations.context)
        )

    def tune(self, policy: Any, situations: Situations, scenario: Any) -> Any:
        """The limit with the largest net; of those within one standard error, the one nearest the declared price.

        See :func:`workbench.evidence.bootstrap.one_standard_error`.
        """
        expected = self.weigh(policy, situations, scenario)
        if expected is None:
            return policy
        row, net = np.arange(len(situations)), situations.given["net"]
        nets = np.array([net[row, self.at_limit(expected, situations, scenario, limit)] for limit in LIMITS])
        return replace(policy, limit=float(LIMITS[one_standard_error(nets, situations.users, np.abs(np.log(LIMITS)))]))

    def outcomes(self, answer: np.ndarray, situations: Situations, scenario: Any) -> pd.DataFrame:
        """The option taken and what it brought about, one row a view."""
        row = np.arange(len(answer))
        columns = {name: values[row, answer] for name, values in situations.given.items()}
        return pd.DataFrame({self.option_column: answer, **columns}, index=situations.frame.index)

    def measured(self, situations: Situations, scenario: Any) -> pd.DataFrame:
        """What the option that was sent brought about; a WorkbenchError where a log names another."""
        sent = self.options_sent(situations.frame, scenario)
        return self.outcomes(sent, self.as_logged(situations, scenario), scenario)

    def as_sent(self, answer: np.ndarray, situations: Situations, scenario: Any) -> np.ndarray:
        """Names of the options."""
        return np.array(scenario.options, dtype=object)[answer]

    def options_sent(self, log: pd.DataFrame, scenario: Any) -> np.ndarray:
        """Number of the option that was sent in each view: int, shape (rows,)."""
        sent = pd.Index(scenario.options).get_indexer(pd.Index(log[self.served]))
        if (sent < 0).any():
            raise WorkbenchError(
                f"{self.served} must be one of {', '.join(scenario.options)}; {(sent < 0).sum():,} of {len(sent):,} "
                f"views differ. Rename them under [values.{self.served}], or pass the scenario that was in force."
            )
        return sent

    def as_logged(self, situations: Situations, scenario: Any) -> Situations:
        """The same views with what their log measured in place of what a replay works out."""
        return situations

    def hindsight(self, situations: Situations, scenario: Any) -> np.ndarray:
        """The best option at each view's measured values, ties to the smaller; Save-Data gets the smallest."""
        return np.where(saves_data(situations.context), 0, np.argmax(situations.given["net"], axis=1))

    def frontier(
        self, expected: Prospects, situations: Situations, scenario: Any, limits: np.ndarray | None = None
    ) -> pd.DataFrame:
        """Quality against waiting as the limit moves."""
        row, given = np.arange(len(situations)), situations.given
        points = []
        for limit in LIMITS if limits is None else limits:
            answer = self.at_limit(expected, situations, scenario, limit)
            points.append([limit, *(given[name][row, answer].mean() for name in ("quality", "added_wait_ms", "net"))])
        return pd.DataFrame(points, columns=["limit", "quality", "added_wait_ms", "net"])

    def trade(
        self, expected: Prospects, situations: Situations, scenario: Any, limits: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Waiting and quality of each view at each limit."""
        row, given = np.arange(len(situations)), situations.given
        for limit in limits:
            answer = self.at_limit(expected, situations, scenario, limit)
            yield given["added_wait_ms"][row, answer], given["quality"][row, answer]

    def slowest(self, situations: Situations, scenario: Any) -> np.ndarray:
        """Views of the slowest fifth of users, by the least demanding option."""
        return slowest_fifth(self.slowness(situations.given), situations.users)

    def wait_ms(self, outcomes: pd.DataFrame, situations: Situations, scenario: Any) -> np.ndarray:
        """Waiting beyond what the scenario allows."""
        return outcomes["added_wait_ms"].to_numpy()

    def headroom(self, hindsight: pd.DataFrame, situations: Situations, scenario: Any) -> float:
        """Net of the best option in each view minus net of the best option for all, a view."""
        net = situations.given["net"][~saves_data(situations.context)]
        if not len(net):
            return 0.0
        return float((net.max(axis=1).mean() - net.mean(axis=0).max()) * len(net) / len(situations))

    def largest_difference(self, scenario: Any) -> float:
        """Net of the best option on a network that carries everything at once, minus the worst's where it carries
        nothing.
        """
        extremes = pd.DataFrame({"rtt_ms": [0.0, IMPASSABLE], "downlink_mbps": [IMPASSABLE, 1 / IMPASSABLE]})
        net = self.payoffs(extremes, scenario, {})["net"]
        return float(net.max() - net.min())

    def operate_like(self, policy: Any, outcomes: pd.DataFrame, situations: Situations, scenario: Any) -> Any:
        """At the limit whose share of the most demanding option is nearest that of other outcomes here."""
        last = len(scenario.options) - 1
        share = (outcomes[self.option_column] == last).mean()
        expected = self.weigh(policy, situations, scenario)
        assert expected is not None  # the policy weighs chances
        shares = [(self.at_limit(expected, situations, scenario, limit) == last).mean() for limit in LIMITS]
        return replace(policy, limit=float(LIMITS[np.argmin(np.abs(np.array(shares) - share))]))

    def calibration_target(
        self, expected: Prospects, situations: Situations, scenario: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whether the most demanding option would have been late, and the chance of that."""
        return situations.given["late"][:, -1], expected.late[:, -1]

    def changes(self, views: pd.DataFrame, plan: Plan) -> Iterator[Change]:
        """Scenario, assumed values, information set, split, mask, mix of technologies, columns left out, seed."""
        yield from self.scenario_changes(plan)
        card = card_of(views)
        for quantity, values in card.assume.items():
            if quantity not in views:
                for name, value in (("low", values[0]), ("high", values[2])):
                    yield Change("assumed", f"{quantity} {value:g}", replace(plan, assume=name))
        yield from information_changes(views, plan, card, LEVELS)
        yield from _split_changes(views, plan)
        yield from _mix_changes(views, plan)
        yield from group_changes(views, plan, kept=SIGNALS)  # without these, other views would come without a signal
        if has_past(views):
            yield Change("without", GROUPS_LEFT_OUT[HISTORY], replace(plan, without=(HISTORY,)))
        yield from seed_changes(plan)

    def segments(self, situations: Situations, scenario: Any) -> dict[str, pd.Series]:
        """Country, device, network (provider, else ASN), connection, system, NetInfo, history, speed, local hour."""
        views = situations.frame
        network = next((name for name in ("isp", "asn") if name in views and views[name].notna().any()), "isp")
        card = situations.card
        found = level_names(views, ("country", "device", network, "connection_type", "os_family"), card)
        for column, title, yes, no in (
            ("effective_type", label("effective_type", card), "measured", "not measured"),
            ("last_age_s", "history", "measured before", "never before"),
        ):
            if column in views and views[column].notna().any():
                found[title] = two_levels(views[column].notna().to_numpy(), yes, no, views.index)
        slow = self.slowest(situations, scenario)
        found["speed"] = two_levels(slow, "slowest fifth", "all others", views.index)
        if "local_hour" in views and views["local_hour"].notna().any():
            found[label("local_hour", card)] = pd.cut(
                views["local_hour"], [0, *HOUR_BANDS.values()], right=False, labels=list(HOUR_BANDS)
            )
        return found

    explained, shuffled = option_explain.explained, option_explain.shuffled
    contrast, inspected = option_explain.contrast, option_explain.inspected
    shipped = option_ship.shipped

    def as_table(self, policy: Policy, scenario: Any) -> option_ship.Table | option_ship.Measured:
        """A rule as a table, or numbers on the last measurement, for a site; a WorkbenchError where it is neither."""
        return option_ship.as_table(policy, scenario)


def decide(policy: Policy, context: pd.DataFrame, scenario: Any) -> np.ndarray:
    """Ask a policy, from a copy of the context, and check its answer: one option's name a row, ``scenario.options``.

    Returns option numbers, 0 the least demanding, which Save-Data always gets: int, shape (rows,). Raises a
    WorkbenchError where the policy reads what the view itself measured, answers with something else than one known
    option a row, or answers otherwise when it is asked again about half of the views in another order: the user's next
    view knows what this one measured.
    """
    answer = _answer(policy, context, scenario)
    some = np.random.default_rng(len(context)).permutation(len(context))[: (len(context) + 1) // 2]
    changed = _answer(policy, context.iloc[some], scenario) != answer[some]
    if changed.any():
        raise WorkbenchError(
            f"{policy_name(policy)} reads other views: asked about half of them in another order, it answers otherwise "
            f"for {int(changed.sum()):,} of {len(some):,}. A decision may rest on its own view alone, not on other "
            "views, their order or chance."
        )
    return np.where(saves_data(context), 0, answer)


def _answer(policy: Policy, context: pd.DataFrame, scenario: Any) -> np.ndarray:
    """Option numbers as the policy says, shape (rows,)."""
    name = policy_name(policy)
    answer = ask_blind(partial(call_policy, policy, scenario=scenario), name, context)
    if isinstance(answer, pd.Series) and len(answer) == len(context) and set(answer.index) == set(range(len(context))):
        answer = answer.sort_index()  # a rule may sort or merge; its index still tells which row is meant
    flat = np.asarray(answer, dtype=object)
    expected = f"{name}: expected one of {', '.join(scenario.options)} for each of {len(context):,} views"
    if flat.ndim != 1:
        raise WorkbenchError(f"{expected}; got {answer!r}.")
    if len(flat) != len(context):
        raise WorkbenchError(f"{expected}; got {len(flat):,} answers.")
    texts = [option if isinstance(option, str) else None for option in flat]  # lists have no place in a mapping
    numbers = pd.Series(texts, dtype=object).map({option: i for i, option in enumerate(scenario.options)})
    if numbers.isna().any():
        strange = flat[numbers.isna().to_numpy()][0]
        raise WorkbenchError(f"{expected}; got {strange!r} in {int(numbers.isna().sum()):,} of them.")
    return numbers.to_numpy(int)


def measured_or_assumed(frame: pd.DataFrame, quantity: str, assume: Mapping[str, float]) -> np.ndarray:
    """A quantity of each view as it was measured, else the assumed value: float, shape (rows,).

    Where the probe was lost nothing arrives, whatever the quantity: it is then the median. A WorkbenchError where it
    is neither measured nor assumed, or missing in some other rows.
    """
    if quantity in frame and frame[quantity].notna().any():
        lost = np.isinf(frame[LOSABLE].to_numpy(float)) if LOSABLE in frame else np.zeros(len(frame), bool)
        missing = int((frame[quantity].isna() & ~lost).sum())
        if missing:
            raise WorkbenchError(
                f"{quantity} is missing in {missing:,} of {len(frame):,} views; a replay needs it in all of them. "
                f'Leave those rows out, by require = ["{quantity}"], or leave the column out and assume a value.'
            )
        return frame[quantity].fillna(frame[quantity].median()).to_numpy(float)
    return np.full(len(frame), float(assumed(assume, quantity)))


def _split_changes(views: pd.DataFrame, plan: Plan) -> Iterator[Change]:
    if has_time(views):
        yield other_split(plan, people_in(views, "user_id"))
    if "asn" in views and views["asn"].nunique() > 1:
        yield Change("split", "networks never seen", replace(plan, split="asn"))
    if plan.mask is not None:
        yield Change("masking", "no users", replace(plan, mask=None))
        biased = replace(plan.mask, slow_biased=True)
        yield Change("masking", "slow users more often", replace(plan, mask=biased))


def _mix_changes(views: pd.DataFrame, plan: Plan) -> Iterator[Change]:
    """Each access technology of a real source alone: its mix of them need not be a country's.

    With policies as they are, the difference under any mix of technologies is a mean of these rows, weighted by the
    mix: it lies between the least and the largest.
    """
    real = not card_of(views).simulated
    if real and TECHNOLOGY in views and 1 < views[TECHNOLOGY].nunique() <= MOST_TECHNOLOGIES:
        for technology in sorted(views[TECHNOLOGY].dropna().unique()):
            only = _on(technology)
            yield Change("mix of technologies", f"{technology} alone", plan, refit=False, only=only)


def _on(technology: str) -> Any:
    return lambda frame: (frame[TECHNOLOGY] == technology).to_numpy()
