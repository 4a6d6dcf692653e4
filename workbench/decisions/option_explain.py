"""What explanations ask of decisions that pick one option a view: SHAP rows, shuffled columns, contrasts, single views.

``decision`` is the :class:`workbench.decisions.options.OptionDecision` that hands its questions on to here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

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
from workbench.features.encoding import Encoding
from workbench.features.levels import UNKNOWN

ASKED_FIRST = "downlink_mbps"
QUESTIONS = {
    "downlink_mbps": "throughput is below {:.1f} Mbit/s",
    "rtt_ms": "the round trip is above {:.0f} ms",
    "page_load_ms": "the page takes longer than {:.0f} ms",
}
FLAGS = {True: "on", False: "off"}
EXAMPLE = (
    "Not a real view: each value is shared by at least 20 users, or is their median; what fewer share is shown as "
    "unknown."
)


# --------------------------------------------------------------------------------------------- SHAP values


def explained(
    decision: Any,
    model: Any,
    frame: pd.DataFrame,
    scenario: Any,
    *,
    quantity: str | None = None,
    all_rows: bool = False,
) -> Explained:
    """Every view, asked how likely the network is too slow for the most demanding option.

    Where that option comes late whatever the quantity is, the question is about the most demanding one that does not.
    Other quantities are at their median in training, or at their assumed value.

    Parameters
    ----------
    decision : OptionDecision
    model : NetworkQuality, or a policy that holds one
    frame : DataFrame, shape (rows, columns)
        Canonical measurements or context, with their card.
    scenario : object
    quantity : str, optional
        Measured quantity asked about. Default throughput where the model knows it and some throughput is enough, else
        another that the model knows.
    all_rows : bool
        Every view is a row, whether or not all are asked for.

    Returns
    -------
    Explained

    Raises
    ------
    WorkbenchError
        Where the model does not know the quantity, or every option is late whatever the quantity is.
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
    usual = _Usual(base_assumptions(card)) | {name: float(head.levels[50]) for name, head in source.heads_.items()}
    if quantity is not None and quantity not in source.quantities:
        raise WorkbenchError(
            f"the model was trained on {', '.join(source.quantities)}; it cannot answer for {quantity!r}."
        )
    asked = [quantity] if quantity else sorted(source.quantities, key=lambda name: name != ASKED_FIRST)
    for name in asked:
        edges = decision.edges(name, _Usual(usual), scenario)
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
    if is_numeric_dtype(values.dtype) and not is_bool_dtype(values.dtype):
        return values.astype(float)
    known = encoding.means.get(f"{values.name}|log") if encoding else None
    if encoding is None or known is None:
        return values.astype(object)
    levels = sorted(values.dropna().unique(), key=lambda level: known.get(str(level), encoding.defaults["log"]))
    return values.astype(object).astype(pd.CategoricalDtype(levels, ordered=True))


# ---------------------------------------------------------------------------------- permutation importance


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
        said = _options_of(policy, pd.concat(shown, ignore_index=True), scenario, number)
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
    return {label(column, situations.card): _bound(shuffle, column) for column in columns}


def _bound(shuffle: Callable[..., Any], feature: str) -> Shuffled:
    return lambda rngs: shuffle(feature, rngs)


def _differs(values: pd.Series, other: pd.Series) -> np.ndarray:
    same = (values == other).fillna(False).astype(bool) | (values.isna() & other.isna())
    return ~same.to_numpy(bool)


def _options_of(policy: Policy, context: pd.DataFrame, scenario: Any, number: Mapping[str, int]) -> np.ndarray:
    if not len(context):
        return np.empty(0, np.int64)
    return pd.Series(call_policy(policy, context, scenario), dtype=object).map(number).to_numpy(np.int64)


def used_sources(booster: Any, sources: Iterable[str]) -> set[str]:
    """Sources of the columns that at least one tree splits on."""
    scores = booster.get_score(importance_type="weight")
    return {source for i, source in enumerate(sources) if f"f{i}" in scores}


# ------------------------------------------------------------------------------------- model against rule


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
        actions={str(name): np.full(len(ours), place) for place, name in enumerate(names)},
        entered=lambda branches: OptionTreeRule(rule, tuple(branches), situations.card, situations.known_by, decision),
    )


def _facts(decision: Any, context: pd.DataFrame, does: np.ndarray, card: Card) -> pd.DataFrame:
    """What the rule does, then the context; the number of a network that has a name is left out."""
    named = "isp" in context and context["isp"].notna().any()
    kept = context.drop(columns="asn", errors="ignore") if named else context
    facts = {f"the rule {decision.does}": pd.Series(does, dtype=object)} | context_facts(kept, card)
    return with_units(pd.DataFrame(facts), kept, card)


def context_facts(context: pd.DataFrame, card: Card) -> dict[str, pd.Series]:
    """Columns of context under their labels: numbers as float, all else as text, "unknown" where missing; no times."""
    return {
        label(str(name), card): _as_fact(values)
        for name, values in context.items()
        if not is_datetime64_any_dtype(values.dtype)
    }


def with_units(facts: pd.DataFrame, context: pd.DataFrame, card: Card) -> pd.DataFrame:
    """The same facts; ``attrs["units"]`` holds the unit of those that have one."""
    facts.attrs["units"] = {label(str(name), card): unit(str(name)) for name in context if unit(str(name))}
    return facts


def _as_fact(values: pd.Series) -> pd.Series:
    if is_numeric_dtype(values.dtype) and not is_bool_dtype(values.dtype):
        numbers = values.to_numpy(float, na_value=np.nan)
        return pd.Series(np.where(np.isinf(numbers), np.nan, numbers))  # a lost probe is no number
    texts = values.astype(object)
    texts = texts.map(FLAGS) if is_bool_dtype(values.dtype) else texts.map(str, na_action="ignore")
    return pd.Series(texts.where(values.notna(), UNKNOWN).to_numpy(object), dtype=object)


@dataclass(frozen=True)
class TreeRule:
    """Does what another rule does, except where one of the branches says what to do; each decision adds the call.

    Parameters
    ----------
    base : callable
        The rule that it starts from.
    branches : tuple of (condition, action)
        Conditions are called with facts and return bool, shape (rows,); actions are names.
    card : Card
    known_by : str
        When what it reads is known.
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


# ----------------------------------------------------------------------------------------------- one view


@dataclass(frozen=True)
class OptionInspection:
    """Policies, the model's first, to be asked about single views of a table.

    ``table`` holds what may be known of each view, ``users`` whose each is; ``first`` names columns whose values are
    fixed first in an example, ``missing`` what a missing value of a column means where that is not "unknown".
    """

    decision: Any
    policies: Mapping[str, Policy]
    table: pd.DataFrame
    users: np.ndarray
    scenario: Any
    card: Card
    people: str
    known_by: str
    first: tuple[str, ...] = ()
    missing: Mapping[str, str | None] = field(default_factory=dict)
    dimensions: tuple[str, ...] = ("connection_type", "country", "device", "os_family", "isp", "asn")

    @property
    def words(self) -> Mapping[str, str]:
        """Headings."""
        return {
            "acts": f"What each policy {self.decision.does}",
            "chances": "Predicted share late, by the model",
            "example": EXAMPLE,
        }

    def views(self, view: pd.DataFrame) -> pd.DataFrame:
        """What SHAP values are asked of; its last row is the view."""
        shown = view.copy()
        shown.attrs["card"] = self.card
        return shown

    def complete(self, view: pd.DataFrame) -> pd.DataFrame:
        """An example as it is."""
        return view

    def answer(self, view: pd.DataFrame) -> dict[str, Any]:
        """What each policy takes in one view, what it expects, and why rules differ from the model.

        The model acts at the declared price, a rule at the limit that it comes with.
        """
        names, does = self.scenario.options, self.decision.does
        everything = _situations(self.table, self.card, self.known_by)
        asked = {
            name: self._ask(policy, view)
            for name, policy in self.policies.items()
            if not self.decision.why_unavailable(policy, everything)
        }
        model = next(iter(self.policies))
        taken, late = asked[model]
        return {
            "finding": f"The model {does} {names[taken]}: predicted late in {late[taken]} % of such views.",
            "chances": [
                {"name": name, "percent": late[i], "said": f"{late[i]} % late", "taken": i == taken}
                for i, name in enumerate(names)
            ],
            "limit": None,
            "columns": [does, f"predicted share late if {names[-1]}"],
            "policies": [self._row(name, asked.get(name), taken) for name in self.policies],
            "why": list(self._differences(model, asked)),
            "about": "",
        }

    def _ask(self, policy: Policy, view: pd.DataFrame) -> tuple[int, Any]:
        """The option's number, and the share late of each option in percent; () of a fixed rule."""
        there = _situations(view, self.card, self.known_by)
        expected = self.decision.weigh(policy, there, self.scenario)
        late = () if expected is None else [round(100 * float(chance)) for chance in expected.late[0]]
        return int(self.decision.ask(policy, there, self.scenario)[0]), late

    def _row(self, name: str, asked: tuple[int, Any] | None, ours: int) -> dict[str, Any]:
        if asked is None:
            return {"name": name, "does": None, "expects": None, "differs": False}
        taken, late = asked
        expects = f"{late[-1]} %" if late else "fixed rule"
        return {"name": name, "does": self.scenario.options[taken], "expects": expects, "differs": taken != ours}

    def _differences(self, model: str, asked: Mapping[str, tuple[int, Any]]) -> Iterable[str]:
        """One sentence for each rule that differs; fixed rules that take the same together."""
        names, does = self.scenario.options, self.decision.does
        taken, expected = asked[model]
        differing = {name: each for name, each in asked.items() if each[0] != taken}
        for name, (other, late) in differing.items():
            larger = max(other, taken)
            if late:
                yield (
                    f'"{name}" {does} {names[other]}: it predicts {names[larger]} late in {late[larger]} % of such '
                    f"views, the model in {expected[larger]} %."
                )
        for other, option in enumerate(names):
            fixed = [f'"{name}"' for name, (action, late) in differing.items() if action == other and not late]
            if fixed:
                larger = max(other, taken)
                yield (
                    f"Fixed rules that take {option}: {', '.join(fixed)}; the model predicts {names[larger]} late in "
                    f"{expected[larger]} % of such views."
                )


def inspected(
    decision: Any, policies: Mapping[str, Policy], view: pd.DataFrame, card: Card, scenario: Any
) -> OptionInspection:
    """Set policies, the model's first, beside each other, to be asked about views like those of a frame."""
    ours: Any = next(iter(policies.values()))
    context = ours.source.context(view)
    return OptionInspection(
        decision=decision,
        policies=policies,
        table=context,
        users=users_of(view),
        scenario=scenario,
        card=card,
        people="users",
        known_by=ours.source.known_by,
    )
