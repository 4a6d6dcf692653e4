"""What explanations ask of decisions that pick one option a view: SHAP rows, shuffled columns, contrasts, single views.

:class:`workbench.decisions.options.OptionDecision` hands its questions on to here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.schema import label, saves_data
from workbench.datasets.splits import card_of, users_of
from workbench.decisions.chances import ChancePolicy, Prospects, assumed, base_assumptions
from workbench.decisions.decision import Contrast, Decision, Explained, Shuffled
from workbench.decisions.inspection import EXAMPLE, Action, Inspection
from workbench.decisions.policy import ModelPolicy, Policy, Situations, TreeRule, call_policy, with_context
from workbench.errors import WorkbenchError
from workbench.features.encoding import as_shown
from workbench.models.boosting import used_sources
from workbench.models.network_quality import NetworkQuality

ASKED_FIRST = "downlink_mbps"
QUESTIONS = {
    "downlink_mbps": "throughput is below {:.1f} Mbit/s",
    "rtt_ms": "the round trip is above {:.0f} ms",
    "page_load_ms": "the page takes longer than {:.0f} ms",
}
DIMENSIONS = ("connection_type", "country", "device", "os_family", "isp", "asn")


class PicksOptions(Decision, Protocol):
    """A decision that picks one option a view, as its explanations know it.

    ``more`` and ``less`` say what the model does where it picks a more, or a less, demanding option than the rule;
    ``does`` is the verb: ``"sends"``.
    """

    does: str
    more: str
    less: str

    @abstractmethod
    def edges(self, quantity: str, usual: Mapping[str, float], scenario: Any) -> np.ndarray:
        """Value of a quantity at which each option is just in time, others at their usual values; shape (options,)."""

    @abstractmethod
    def model_policy(self, model: Any, card: Card) -> ChancePolicy[NetworkQuality]:
        """The model by expected value, at the declared price; a policy that holds one stays as it is."""

    @abstractmethod
    def weigh(self, policy: Policy, situations: Situations, scenario: Any) -> Prospects | None:
        """What to expect of each option, for policies that weigh chances."""


def explained(
    decision: PicksOptions,
    model: Any,
    frame: pd.DataFrame,
    scenario: Any,
    *,
    quantity: str | None = None,
    all_rows: bool = False,  # every view is a row anyway
) -> Explained:
    """Every view, asked how likely the network is too slow for the most demanding option.

    Where that option comes late whatever the quantity is, the question is about the most demanding one that does not.
    Other quantities are at their median in training, or at their assumed value. ``quantity`` is by default throughput,
    where the model knows it and some throughput is enough, else another that the model knows.
    """
    card = card_of(frame)
    source = decision.model_policy(model, card).source
    quantity, edge, about = _question(decision, source, card, quantity, scenario)
    distinct, which = source.encode(frame, quantity)
    head, context = source.heads_[quantity], source.context(frame)
    asked = np.column_stack([distinct, np.full(len(distinct), np.log(edge), np.float32)])
    sources = [str(name) for name in head.encoding.sources]
    shown = {label(name, card): as_shown(context[name], head.encoding) for name in dict.fromkeys(sources)}
    return Explained(
        booster=head.booster,
        matrix=asked[which],
        sources=(*(label(name, card) for name in sources), ""),
        shown=pd.DataFrame(shown, index=context.index),
        question=about,
        view=np.arange(len(frame)),
    )


def _question(
    decision: PicksOptions, source: NetworkQuality, card: Card, quantity: str | None, scenario: Any
) -> tuple[str, float, str]:
    """Quantity, the value at which an option is just in time, and the question in words."""
    if quantity is not None and quantity not in source.quantities:
        raise WorkbenchError(
            f"the model was trained on {', '.join(source.quantities)}; it cannot answer for {quantity!r}."
        )
    medians = {name: float(head.levels[50]) for name, head in source.heads_.items()}
    usual = _Usual(base_assumptions(card) | medians)
    asked = [quantity] if quantity else sorted(source.quantities, key=lambda name: name != ASKED_FIRST)
    for name in asked:
        edges = decision.edges(name, usual, scenario)
        for place in reversed(range(len(edges))):
            if 0 < edges[place] < np.inf:
                about = f"log-odds that {QUESTIONS[name].format(edges[place])}"
                smaller = "" if place == len(edges) - 1 else f", the limit of {scenario.options[place]}"
                return name, float(edges[place]), about + smaller
    raise WorkbenchError(
        f"{card.name}: under this scenario even {scenario.options[0]} is late whatever {asked[0]} is, so there is "
        "nothing to explain. Allow more time, such as a larger budget_ms."
    )


class _Usual(dict[str, float]):
    """Usual values of quantities; one that is neither measured nor assumed is an error with advice."""

    def __missing__(self, quantity: str) -> float:
        return assumed({}, quantity)


def shuffled(
    decision: PicksOptions, policy: ModelPolicy, situations: Situations, scenario: Any, answer: np.ndarray
) -> dict[str, Shuffled]:
    """Each context column that the trees use, shuffled across views; the policy is asked again where a value changed.

    Save-Data is heeded as it really is.
    """
    number = {option: place for place, option in enumerate(scenario.options)}
    saving = saves_data(situations.context)

    def shuffle(column: str, rngs: Sequence[np.random.Generator]) -> list[tuple[np.ndarray, np.ndarray]]:
        values = situations.context[column]
        drawn = [values.iloc[rng.permutation(len(values))].set_axis(values.index) for rng in rngs]
        changed = [_differs(values, other) for other in drawn]
        shown = [situations.context.assign(**{column: one})[rows] for one, rows in zip(drawn, changed, strict=True)]
        # Asked all at once: repeats have contexts in common, and each is worked out once.
        everything = pd.concat(shown, ignore_index=True)
        names = call_policy(policy, everything, scenario) if len(everything) else []
        said = pd.Series(names, dtype=object).map(number).to_numpy(np.int64)
        ends = np.cumsum([rows.sum() for rows in changed])[:-1]
        return [replayed(rows, part) for rows, part in zip(changed, np.split(said, ends), strict=True)]

    def replayed(rows: np.ndarray, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        again = answer.copy()
        again[rows] = said
        again = np.where(saving, 0, again)
        return decision.outcomes(again, situations, scenario)["net"].to_numpy(), again != answer

    heads = decision.model_policy(policy, situations.card).source.heads_.values()
    used = {source for head in heads for source in used_sources(head.booster, head.encoding.sources)}
    columns = [str(column) for column in situations.context if column in used]
    return {label(column, situations.card): partial(shuffle, column) for column in columns}


def _differs(values: pd.Series, other: pd.Series) -> np.ndarray:
    same = (values == other).fillna(False).astype(bool) | (values.isna() & other.isna())
    return ~same.to_numpy(bool)


def contrast(  # noqa: PLR0917 - the arguments of Decision.contrast, and the decision
    decision: PicksOptions, ours: np.ndarray, theirs: np.ndarray, rule: Policy, situations: Situations, scenario: Any
) -> Contrast:
    """Where the model picks a more, or a less, demanding option than the rule."""
    names = np.asarray(scenario.options, dtype=object)
    detail = np.array([[f"rule {there}, model {here}" for here in names] for there in names], dtype=object)
    return Contrast(
        way=np.select([ours > theirs, ours < theirs], [decision.more, decision.less], "").astype(object),
        detail=np.where(ours == theirs, "", detail[theirs, ours]),
        facts=_facts(decision, situations.context, names[theirs], situations.card),
        rule_does=names[theirs],
        agrees={str(name): ours == place for place, name in enumerate(names)},
        entered=lambda branches: OptionTreeRule(rule, tuple(branches), situations.card, situations.known_by, decision),
    )


def _facts(decision: PicksOptions, context: pd.DataFrame, does: np.ndarray, card: Card) -> pd.DataFrame:
    """What the rule does, then the context; the number of a network that has a name is left out."""
    named = "isp" in context and context["isp"].notna().any()
    kept = context.drop(columns="asn", errors="ignore") if named else context
    return with_context({f"the rule {decision.does}": pd.Series(does, dtype=object)}, kept, card)


@dataclass(frozen=True)
class OptionTreeRule(TreeRule):
    """Takes the option that another rule takes, except in some branches."""

    decision: PicksOptions = field(repr=False, compare=False)

    def __call__(self, context: pd.DataFrame, scenario: Any) -> np.ndarray:
        there = _situations(context, self.card, self.known_by)
        taken = np.asarray(scenario.options, dtype=object)[self.decision.ask(self.base, there, scenario)]
        facts = _facts(self.decision, context, taken, self.card)
        for condition, option in self.branches:
            taken = np.where(condition(facts), option, taken)
        return taken


def _situations(context: pd.DataFrame, card: Card, known_by: str) -> Situations:
    """Views of nobody in particular, to ask a policy about."""
    return Situations(context, context, np.arange(len(context)), "views", card, known_by)


@dataclass(frozen=True)
class OptionInspection(Inspection):
    """Policies that take one option a view; their chances are those of coming late."""

    decision: PicksOptions = field(kw_only=True)

    def views(self, view: pd.DataFrame) -> pd.DataFrame:
        """The view itself."""
        shown = view.copy()
        shown.attrs["card"] = self.situations.card
        return shown

    def act(self, name: str, policy: Policy, views: pd.DataFrame) -> Action | None:
        """The option, and the share late of each; none of a fixed rule."""
        if self.decision.why_unavailable(policy, self.situations):
            return None
        options, there = self.scenario.options, _situations(views, self.situations.card, self.situations.known_by)
        expected = self.decision.weigh(policy, there, self.scenario)
        late = {} if expected is None else dict(zip(options, map(float, expected.late[0]), strict=True))
        return Action(name, (options[self.decision.ask(policy, there, self.scenario)[0]],), late)

    def describe(self, ours: Action, others: Sequence[Action]) -> dict[str, Any]:
        """What the model takes, and how often it comes late."""
        options, does, (taken,) = self.scenario.options, self.decision.does, ours.takes
        return {
            "finding": f"The model {does} {taken}: predicted late in {ours.expects(taken)} of such views.",
            "likely": {option: f"{ours.expects(option)} late" for option in options},
            "limit": None,
            "of": options[-1],
            "columns": [does, f"predicted share late if {options[-1]}"],
            "why": list(self._differences(ours, others)),
            "about": "",
        }

    def _differences(self, ours: Action, others: Sequence[Action]) -> Iterator[str]:
        """One sentence for each rule that differs; fixed rules that take the same together."""
        options = self.scenario.options
        larger = {option: max(option, *ours.takes, key=options.index) for option in options}
        for rule in others:
            if rule.chances:
                (option,) = rule.takes
                yield (
                    f'"{rule.name}" {self.decision.does} {option}: it predicts {larger[option]} late in '
                    f"{rule.expects(larger[option])} of such views, the model in {ours.expects(larger[option])}."
                )
        for option in options:
            fixed = [f'"{rule.name}"' for rule in others if rule.takes == (option,) and not rule.chances]
            if fixed:
                yield (
                    f"Fixed rules that take {option}: {', '.join(fixed)}; the model predicts {larger[option]} late in "
                    f"{ours.expects(larger[option])} of such views."
                )


def inspected(
    decision: PicksOptions, policies: Mapping[str, Policy], view: pd.DataFrame, card: Card, scenario: Any
) -> OptionInspection:
    """Set policies, the model's first, beside each other, to be asked about views like those of a frame."""
    source = decision.model_policy(next(iter(policies.values())), card).source
    context = source.context(view)
    situations = Situations(context, context, users_of(view), "users", card, source.known_by)
    words = {
        "acts": f"What each policy {decision.does}",
        "chances": "Predicted share late, by the model",
        "example": EXAMPLE.format(people="users"),
    }
    return OptionInspection(policies, situations, context, scenario, words, DIMENSIONS, decision=decision)
