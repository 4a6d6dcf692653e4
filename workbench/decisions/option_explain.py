"""What explanations ask of decisions that pick one option a view: SHAP rows, shuffled columns, contrasts, single views.

``decision`` is the :class:`workbench.decisions.options.OptionDecision` that hands its questions on to here. Rules made
of a tree, and what an inspector shows of one view, are begun here for every decision.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype

from workbench.datasets.cards import Card
from workbench.datasets.schema import label, saves_data, unit
from workbench.datasets.splits import card_of, users_of
from workbench.decisions.chances import assumed, base_assumptions
from workbench.decisions.decision import (
    Contrast,
    Explained,
    Policy,
    Shuffled,
    Situations,
    call_policy,
    policy_name,
    traits_of,
)
from workbench.errors import WorkbenchError
from workbench.features.encoding import Encoding, is_numeric
from workbench.features.levels import UNKNOWN

ASKED_FIRST = "downlink_mbps"
QUESTIONS = {
    "downlink_mbps": "throughput is below {:.1f} Mbit/s",
    "rtt_ms": "the round trip is above {:.0f} ms",
    "page_load_ms": "the page takes longer than {:.0f} ms",
}
FLAGS = {True: "on", False: "off"}


def explained(
    decision: Any,
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


def _question(decision: Any, source: Any, card: Card, quantity: str | None, scenario: Any) -> tuple[str, float, str]:
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


def as_shown(values: pd.Series, encoding: Encoding | None = None) -> pd.Series:
    """Numbers as numbers; text in the order of what its levels measured in the past, where the model knows that."""
    if is_numeric(values):
        return values.astype(float)
    known = encoding.means.get(f"{values.name}|log") if encoding else None
    if encoding is None or known is None:
        return values.astype(object)
    levels = sorted(values.dropna().unique(), key=lambda level: known.get(str(level), encoding.defaults["log"]))
    return values.astype(object).astype(pd.CategoricalDtype(levels, ordered=True))


def shuffled(
    decision: Any, policy: Any, situations: Situations, scenario: Any, answer: np.ndarray
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

    used = {
        source for head in policy.source.heads_.values() for source in used_sources(head.booster, head.encoding.sources)
    }
    columns = [str(column) for column in situations.context if column in used]
    return {label(column, situations.card): partial(shuffle, column) for column in columns}


def _differs(values: pd.Series, other: pd.Series) -> np.ndarray:
    same = (values == other).fillna(False).astype(bool) | (values.isna() & other.isna())
    return ~same.to_numpy(bool)


def used_sources(booster: Any, sources: Iterable[str]) -> set[str]:
    """Sources of the columns that at least one tree splits on."""
    scores = booster.get_score(importance_type="weight")
    return {source for i, source in enumerate(sources) if f"f{i}" in scores}


def contrast(  # noqa: PLR0917 - the arguments of Decision.contrast, and the decision
    decision: Any, ours: np.ndarray, theirs: np.ndarray, rule: Policy, situations: Situations, scenario: Any
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


def _facts(decision: Any, context: pd.DataFrame, does: np.ndarray, card: Card) -> pd.DataFrame:
    """What the rule does, then the context; the number of a network that has a name is left out."""
    named = "isp" in context and context["isp"].notna().any()
    kept = context.drop(columns="asn", errors="ignore") if named else context
    return with_context({f"the rule {decision.does}": pd.Series(does, dtype=object)}, kept, card)


def with_context(facts: Mapping[str, pd.Series], context: pd.DataFrame, card: Card) -> pd.DataFrame:
    """Facts, then columns of context under their labels, without times; ``attrs["units"]`` holds their units.

    Numbers are float, all else is text, "unknown" where it is missing.
    """
    timeless = {name: values for name, values in context.items() if not is_datetime64_any_dtype(values.dtype)}
    found = pd.DataFrame({**facts, **{label(str(name), card): _as_fact(values) for name, values in timeless.items()}})
    found.attrs["units"] = {label(str(name), card): unit(str(name)) for name in context if unit(str(name))}
    return found


def _as_fact(values: pd.Series) -> pd.Series:
    if is_numeric(values):
        numbers = values.to_numpy(float, na_value=np.nan)
        return pd.Series(np.where(np.isinf(numbers), np.nan, numbers))  # a lost probe is no number
    texts = values.astype(object)
    texts = texts.map(FLAGS) if is_bool_dtype(values.dtype) else texts.map(str, na_action="ignore")
    return pd.Series(texts.where(values.notna(), UNKNOWN).to_numpy(object), dtype=object)


@dataclass(frozen=True)
class TreeRule:
    """Does what ``base`` does, except where one of the branches says what to do; each decision adds the call.

    Branches are pairs of a condition, which is called with facts and returns bool of shape (rows,), and the name of an
    action. ``known_by`` says when what it reads is known.
    """

    base: Policy
    branches: tuple[Any, ...]
    card: Card = field(repr=False, compare=False)
    known_by: str

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{policy_name(self.base)} + surrogate tree"

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns that the rule it starts from cannot do without."""
        return traits_of(self.base).needs

    @property
    def kilobytes(self) -> float:
        """Size of the rule that it starts from, and of the written branches, kB."""
        return traits_of(self.base).kilobytes + len(str(self).encode()) / 1000

    def __str__(self) -> str:
        lines = [f"if {condition}: {action}" for condition, action in self.branches]
        otherwise = f"as {policy_name(self.base)} does"
        return "\nel".join([*lines, f"se: {otherwise}"]) if lines else otherwise


@dataclass(frozen=True)
class OptionTreeRule(TreeRule):
    """Takes the option that another rule takes, except in some branches."""

    decision: Any = field(repr=False, compare=False)

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


EXAMPLE = (
    "Not a real view: each value is shared by at least 20 {people}, or is their median; what fewer share is shown as "
    "unknown."
)
DIMENSIONS = ("connection_type", "country", "device", "os_family", "isp", "asn")


@dataclass(frozen=True)
class Action:
    """What one policy does in one view: the options or pages that it takes.

    ``chances`` are those of options or pages, where it weighs any, shown in percent with so many ``digits``; ``limit``
    is the chance from which it acts, None where that is the scenario's.
    """

    name: str
    takes: tuple[str, ...] = ()
    chances: Mapping[str, float] = field(default_factory=dict)
    limit: float | None = None
    digits: int | None = None

    def percent(self, of: str) -> float:
        """The chance of an option or a page; of a page that is not among the likeliest, that of the last of them."""
        return round(100 * self.chances.get(of, min(self.chances.values())), self.digits)

    def expects(self, of: str) -> str:
        """The same in words."""
        if not self.chances:
            return "fixed rule"
        return f"{'' if of in self.chances else 'under '}{self.percent(of)} %"

    def differs(self, other: Action) -> bool:
        """Whether it takes something else than another policy."""
        return set(self.takes) != set(other.takes)


@dataclass(frozen=True)
class Inspection:
    """Policies, the model's first, to be asked about single views; each decision adds what it says of one.

    ``table`` holds what may be known of each of the ``situations``, one row a view: float columns are numbers, all
    others have values to share. ``words`` are headings. ``dimensions`` are the columns whose largest levels make
    examples, ``first`` those whose values are fixed first in one; ``missing`` says what a missing value of a column
    means where that is not "unknown" (None where there must be a value).
    """

    decision: Any
    policies: Mapping[str, Policy]
    situations: Situations
    table: pd.DataFrame
    scenario: Any
    words: Mapping[str, str]
    dimensions: tuple[str, ...]
    first: tuple[str, ...] = ()
    missing: Mapping[str, str | None] = field(default_factory=dict)

    def complete(self, view: pd.DataFrame) -> pd.DataFrame:
        """An example without values that mean nothing in it."""
        return view

    @abstractmethod
    def views(self, view: pd.DataFrame) -> pd.DataFrame:
        """What policies and SHAP values are asked about; its last row is the view."""

    @abstractmethod
    def act(self, name: str, policy: Policy, views: pd.DataFrame) -> Action:
        """What a policy does in the last of these views: the model at the declared price, a rule at its own limit."""

    @abstractmethod
    def describe(self, ours: Action, others: Sequence[Action]) -> dict[str, Any]:
        """What is the decision's own in an answer: ``finding, limit, columns, why, about``.

        ``others`` do something else than the model. Its chances are shown of what ``likely`` names; ``of`` is the
        option or page whose chance every policy is asked for.
        """

    def names(self, taken: Sequence[str]) -> str:
        """Options or pages as a sentence lists them."""
        return ", ".join(taken)

    def answer(self, view: pd.DataFrame) -> dict[str, Any]:
        """What each policy does in one view, what it expects, and why rules differ from the model."""
        views = self.views(view)
        acts = {
            name: self.act(name, policy, views)
            for name, policy in self.policies.items()
            if not self.decision.why_unavailable(policy, self.situations)
        }
        ours = acts[next(iter(self.policies))]
        found = self.describe(ours, [each for each in acts.values() if each.differs(ours)])
        of, likely = found.pop("of"), found.pop("likely")
        policies = [
            {
                "name": name,
                "does": self.names(acts[name].takes) if name in acts else None,
                "expects": acts[name].expects(of) if name in acts else None,
                "differs": name in acts and acts[name].differs(ours),
            }
            for name in self.policies
        ]
        chances = [
            {"name": self.names([each]), "percent": ours.percent(each), "said": said, "taken": each in ours.takes}
            for each, said in likely.items()
        ]
        return found | {"chances": chances, "policies": policies}


@dataclass(frozen=True)
class OptionInspection(Inspection):
    """Policies that take one option a view; their chances are those of coming late."""

    def views(self, view: pd.DataFrame) -> pd.DataFrame:
        """The view itself."""
        shown = view.copy()
        shown.attrs["card"] = self.situations.card
        return shown

    def act(self, name: str, policy: Policy, views: pd.DataFrame) -> Action:
        """The option, and the share late of each; none of a fixed rule."""
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
    decision: Any, policies: Mapping[str, Policy], view: pd.DataFrame, card: Card, scenario: Any
) -> OptionInspection:
    """Set policies, the model's first, beside each other, to be asked about views like those of a frame."""
    ours: Any = next(iter(policies.values()))
    context = ours.source.context(view)
    situations = Situations(context, context, users_of(view), "users", card, ours.source.known_by)
    words = {
        "acts": f"What each policy {decision.does}",
        "chances": "Predicted share late, by the model",
        "example": EXAMPLE.format(people="users"),
    }
    return OptionInspection(decision, policies, situations, context, scenario, words, DIMENSIONS)
