"""Policies: any callable is one; what else one may say of itself, how it is asked, and the views that it is asked in.

What a policy says of itself is in :func:`traits_of`, and is read nowhere else.
"""

from __future__ import annotations

import inspect
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype

from workbench.checked import checked
from workbench.datasets.cards import CHECKOUT, Card
from workbench.datasets.columns import WHEN_KNOWN
from workbench.datasets.readers import in_one_line
from workbench.datasets.schema import BY_NAME, LABELS, MEASURED, label, unit
from workbench.datasets.splits import Split
from workbench.errors import WorkbenchError, did_you_mean
from workbench.features.encoding import is_numeric
from workbench.features.levels import UNKNOWN

PERFECT_KNOWLEDGE = "perfect knowledge"
LINEAR = "linear"
BEST_POSSIBLE = "best possible prediction"  # by the true chances of a simulated world
type Policy = Callable[..., Any]
LIBRARIES = (str(CHECKOUT / "workbench"), sysconfig.get_path("stdlib"), "<frozen")  # and what was installed


class Traits(NamedTuple):
    """What a policy says of itself, all of it optional: the attribute of this name, or the default.

    ``name`` is what tables call it (default: the function's own name); ``needs`` the context columns without which
    it cannot decide; ``known_by`` the information set that it was fitted on; ``reads`` the kind of knowledge that it
    rests on (``"history"``, ``"second order"``); ``unavailable`` why it cannot be used at all; ``limit`` where its
    decision turns. Its size, :func:`kilobytes_of`, is asked for apart: it takes long to say.
    """

    name: str
    needs: tuple[str, ...] = ()
    known_by: str = ""
    reads: str = ""
    unavailable: str = ""
    limit: float | None = None


def traits_of(policy: Any) -> Traits:
    """Read what a policy, or its source of chances, says of itself.

    >>> def ours(context): ...
    >>> traits_of(ours).name, traits_of(ours).needs
    ('ours', ())
    """
    own = getattr(policy, "name", None) or getattr(policy, "__name__", type(policy).__name__)
    said = {name: getattr(policy, name, None) for name in Traits._fields[1:]}
    return Traits(str(own), **{name: value for name, value in said.items() if value is not None})


def as_rule(policy: Any) -> Callable[..., Any]:
    """A rule, as it is; of a policy that was loaded, the rule that takes a frame; a WorkbenchError for all else."""
    if callable(policy):
        return policy
    if hasattr(policy, "decide"):
        return lambda context: policy.decide(context)[policy.content["returns"]]
    raise WorkbenchError(
        "expected a policy: a rule, one of a comparison (result.of('model').policy) or wb.load_policy(folder); got "
        f"{type(policy).__name__}."
    )


def kilobytes_of(policy: Any) -> float:
    """Size of a policy, or its source of chances, kB, as its ``kilobytes`` says; 0 where it says nothing."""
    return getattr(policy, "kilobytes", None) or 0.0


@checked
def needs[AnyPolicy: Policy](*columns: str) -> Callable[[AnyPolicy], AnyPolicy]:
    """Declare the context columns that a rule cannot do without; where they are not known, it is "not available".

    Examples
    --------
    >>> @needs("os_family")
    ... def ours(context):
    ...     return context["os_family"].isin(["iOS"]).map({True: "large", False: "medium"})
    """

    def mark(policy: AnyPolicy) -> AnyPolicy:
        policy.needs = columns  # type: ignore[attr-defined]
        return policy

    return mark


def policy_name(policy: Policy) -> str:
    """What tables call a policy: its ``name``, else the function's own."""
    return traits_of(policy).name


def call_policy(policy: Policy, context: Any, scenario: Any) -> Any:
    """Ask a policy for its answer; the scenario is passed where it takes one."""
    return policy(context, scenario=scenario) if takes_scenario(policy) else policy(context)


def takes_scenario(policy: Policy) -> bool:
    """Whether a policy is called with the scenario too."""
    try:
        return "scenario" in inspect.signature(policy).parameters
    except (TypeError, ValueError):
        return False


def ask_blind(question: Callable[[pd.DataFrame], Any], name: str, context: pd.DataFrame) -> Any:
    """Ask from a copy of the context, without a way back to the rows that it came from.

    A WorkbenchError where the policy (``name`` is what it is called) fails: with its own line, and the column that it
    reads and that is not there.
    """
    shown = context.reset_index(drop=True)
    shown.attrs = {}  # pandas copies them, in depth, with every column that a policy takes
    try:
        return question(shown)
    except WorkbenchError:
        raise
    except Exception as err:  # whatever a person's own code raises
        said = repr(err.name) if isinstance(err, AttributeError) else str(err)
        read = next((column for column in LABELS if column not in shown and repr(column) in said), None)
        if read in MEASURED:
            raise WorkbenchError(
                f"{name} reads {read!r}, which the view itself measured: a decision is taken before that is known. Use "
                "context only, such as country, asn or os_family."
            ) from err
        if read:
            raise WorkbenchError(
                f"{name} reads {read!r}, which is not known when the decision is taken; known are "
                f"{', '.join(shown.columns)}.{did_you_mean(read, list(shown.columns))}"
            ) from err
        raise WorkbenchError(f"{name} failed{_own_line(err)}: {_what_failed(err, shown)}") from err


def _own_line(err: BaseException) -> str:
    """Where an error arose: the last line that is of no library."""
    frames = [frame for frame in traceback.extract_tb(err.__traceback__)[1:] if not _is_library(frame.filename)]
    return f' at line {frames[-1].lineno}, "{frames[-1].line}"' if frames else ""


def _is_library(file: str) -> bool:
    return file.startswith(LIBRARIES) or "site-packages" in file


def _what_failed(err: BaseException, shown: pd.DataFrame) -> str:
    column = err.args[0] if isinstance(err, KeyError) and err.args else getattr(err, "name", None)
    if isinstance(err, KeyError | AttributeError) and isinstance(column, str) and column not in shown:
        known = [*map(str, shown.columns)]
        return f"there is no column {column!r}; known are {', '.join(known)}.{did_you_mean(column, known)}"
    return f"{type(err).__name__}, {in_one_line(err)}."


def same_policy(one: Policy, other: Policy) -> bool:
    """Whether two policies are one and the same: equal, and fitted on the same views."""
    if one is other or not is_dataclass(one) or isinstance(one, type):
        return one is other
    fitted = [each.name for each in fields(one) if not each.compare]
    return bool(one == other) and all(getattr(one, name) is getattr(other, name) for name in fitted)


def missing_columns(policy: Policy, context: pd.DataFrame) -> str:
    """Why a policy's columns cannot be had on these views; empty where they can."""
    for column in traits_of(policy).needs:
        if column not in context:
            level = BY_NAME[column].level if column in BY_NAME else None
            return f"{column} is known only {WHEN_KNOWN[level]}" if level else f"{column} is not context"
        if context[column].isna().all():
            return f"these views have no {column}"
    return ""


def known_rules(rules: Iterable[Policy] | Policy, known_by: str) -> tuple[Policy, ...]:
    """Rules as a tuple: each callable, with a name of its own, and fitted on what the model may see too; else a
    WorkbenchError.
    """
    listed: tuple[Any, ...] = () if callable(rules) or isinstance(rules, str) else tuple(rules)
    if not listed or not all(map(callable, listed)):
        raise WorkbenchError(f"rules must be a list of callables, such as wb.rules(split); got {rules!r}.")
    names = [policy_name(rule) for rule in listed]
    taken = sorted(set(names) & {"model", "best_rule", "today", "oracle", PERFECT_KNOWLEDGE, LINEAR, BEST_POSSIBLE})
    taken += [name for name in names if name.startswith("today: ")]
    if taken:
        raise WorkbenchError(
            f"a rule cannot be called {taken[0]!r}, a name that a comparison gives to something else. Give it another "
            "name: a function's own, or the field name of a policy."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise WorkbenchError(f"each rule needs a name of its own; {', '.join(map(repr, twice))} came more than once.")
    for rule in listed:
        fitted_by = traits_of(rule).known_by or known_by
        if fitted_by != known_by:
            raise WorkbenchError(
                f"{policy_name(rule)} was fitted on what is known by {fitted_by}, the model by {known_by}. "
                "Fit both alike: wb.rules(split, known_by=model.known_by)."
            )
    return listed


class Model(Protocol):
    """A trained model, as everything after its training knows it; ``BoostedModel`` is one."""

    known_by: str
    group_labels: Mapping[str, str]
    train_seconds_: float | None

    @property
    def trees(self) -> int:
        """Number of trees."""

    @property
    def kilobytes(self) -> float:
        """Size of the saved model, kB."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Columns that it reads."""

    def removable(self) -> tuple[str, ...]:
        """What it can be trained without."""

    def refit(self, split: Split, without: Sequence[str] = ()) -> Self:
        """A new model with the same parameters, trained without some columns."""

    def fit_linear(self, split: Split) -> Self:
        """A logistic regression on the same rows and features, calibrated alike."""


class ModelPolicy(Protocol):
    """A policy that decides by a model; a comparison's acts by the ``limit`` that was tuned."""

    @property
    def source(self) -> Model:
        """The model."""

    @property
    def limit(self) -> float | None:
        """Where its decision turns; None where that is the scenario's."""

    def __call__(self, context: pd.DataFrame, scenario: Any) -> Any:
        """What it decides in each view."""


@dataclass(frozen=True)
class Situations:
    """The views of one part that are decided in, and what is known of them; all have shape (rows,) or (rows, columns).

    ``frame`` is canonical, with what was measured or opened; ``context`` is what policies may see of it. ``users``
    (int) says whose each view is, that is, who is resampled; ``people`` is what those are called: users, sessions or
    views. ``given`` is what the decision works out once for a scenario, such as the outcome of every rendition;
    ``answers`` is its memory of what policies expect here.
    """

    frame: pd.DataFrame = field(repr=False)
    context: pd.DataFrame = field(repr=False)
    users: np.ndarray = field(repr=False)
    people: str
    card: Card = field(repr=False)
    known_by: str
    given: Any = field(default=None, repr=False)
    answers: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.frame)

    def remember(self, policy: Policy, key: Any, work_out: Callable[[], Any]) -> Any:
        """What a policy expects here; worked out once, whatever its limit is, and wherever it was searched.

        Two policies of one name, fitted on different views, are two policies.
        """
        parts = (value for name, value in vars(policy).items() if name not in {"limit", "searched"})
        return self._once((id(type(policy)), *map(_identity, parts), key), policy, work_out)

    def remember_answer(self, policy: Policy, work_out: Callable[[], Any]) -> Any:
        """What this very policy answers here, whatever the scenario; worked out once."""
        return self._once(("answer", id(policy)), policy, work_out)

    def _once(self, place: tuple[Any, ...], policy: Policy, work_out: Callable[[], Any]) -> Any:
        if place not in self.answers:
            # The policy is kept, so that no other object takes the place of its parts.
            self.answers[place] = policy, work_out()
        return self.answers[place][1]


def _identity(part: Any) -> Any:
    """Plain values by what they are, all else by which object it is."""
    if part is None or isinstance(part, (str, int, float)):
        return part
    if isinstance(part, (tuple, dict)):
        return tuple(map(_identity, part.items() if isinstance(part, dict) else part))
    return id(part)


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
        return kilobytes_of(self.base) + len(str(self).encode()) / 1000

    def __str__(self) -> str:
        lines = [f"if {condition}: {action}" for condition, action in self.branches]
        otherwise = f"as {policy_name(self.base)} does"
        return "\nel".join([*lines, f"se: {otherwise}"]) if lines else otherwise


FLAGS = {True: "on", False: "off"}


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
