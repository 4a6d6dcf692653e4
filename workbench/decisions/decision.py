"""What a decision must say for itself: the contract that every stage after the models works on.

A decision is a folder (``images``, ``prefetch``) with one class that implements :class:`Decision`. A policy is any
callable; what else one may say of itself is in :func:`traits_of`, and is read nowhere else.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.columns import LEVELS, WHEN_KNOWN
from workbench.datasets.history import Mask
from workbench.datasets.schema import BY_NAME, LABELS, MEASURED, SIGNALS, context_columns, known_context
from workbench.datasets.splits import Split, card_of
from workbench.errors import WorkbenchError, did_you_mean
from workbench.evidence.bootstrap import Interval

PERFECT_KNOWLEDGE = "perfect knowledge"
MORE_SEEDS = 2
TRAININGS = 5  # of the model, beside the same rules on the same test part, the base case among them
TRAINING_SEED = "training seed"
# Groups of context that are left out together; what else a card declares is a group too.
FEATURE_GROUPS = {
    "ASN and provider": ("asn", "isp"),
    "place": ("country", "region", "city"),
    "user agent": ("os_family", "os_major", "browser", "browser_major", "device"),
    "connection": ("connection_type", *SIGNALS),
    "time of day": ("local_hour",),
}
OWN_COLUMNS = "the source's own columns"
# List price of Amazon CloudFront, first 10 TB a month out to North America and Europe
# (aws.amazon.com/cloudfront/pricing; the copy read bears no date). Above 5 PB it is a quarter of that.
USD_PER_GB = 0.085

Policy = Callable[..., Any]
AnyPolicy = TypeVar("AnyPolicy", bound=Policy)


class Traits(NamedTuple):
    """What a policy says of itself, all of it optional: the attribute of this name, or the default.

    ``name`` is what tables call it (default: the function's own name); ``needs`` the context columns without which
    it cannot decide; ``known_by`` the information set that it was fitted on; ``reads`` the kind of knowledge that it
    rests on (``"history"``, ``"second order"``); ``unavailable`` why it cannot be used at all; ``limit`` where its
    decision turns; ``kilobytes`` its size.
    """

    name: str
    needs: tuple[str, ...] = ()
    known_by: str = ""
    reads: str = ""
    unavailable: str = ""
    limit: float | None = None
    kilobytes: float = 0.0


def traits_of(policy: Any) -> Traits:
    """Read what a policy, or its source of chances, says of itself.

    >>> def ours(context): ...
    >>> traits_of(ours).name, traits_of(ours).needs
    ('ours', ())
    """
    own = getattr(policy, "name", None) or getattr(policy, "__name__", type(policy).__name__)
    said = {name: getattr(policy, name, None) for name in Traits._fields[1:]}
    return Traits(str(own), **{name: value for name, value in said.items() if value is not None})


def needs(*columns: str) -> Callable[[AnyPolicy], AnyPolicy]:
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
    try:
        takes_scenario = "scenario" in inspect.signature(policy).parameters
    except (TypeError, ValueError):
        takes_scenario = False
    return policy(context, scenario=scenario) if takes_scenario else policy(context)


def ask_blind(question: Callable[[pd.DataFrame], Any], name: str, context: pd.DataFrame) -> Any:
    """Ask from a copy of the context, without a way back to the rows that it came from.

    A WorkbenchError (``name`` is what it calls the policy) where a canonical column is read that is not there; other
    errors are the policy's own.
    """
    shown = context.reset_index(drop=True)
    try:
        return question(shown)
    except (KeyError, AttributeError) as err:
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
        raise


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


@dataclass(frozen=True)
class Unit:
    """How a net is shown to readers: its name, its size beside the net of ``outcomes``, and its decimals."""

    name: str
    per_view: str
    factor: float
    digits: int

    def amount(self, net: float) -> str:
        """A net, without a sign where it has none: ``0.5``."""
        return f"{self.factor * net:.{self.digits}f}"

    def signed(self, net: float) -> str:
        """A difference of nets: ``+0.5``."""
        return f"{self.factor * net:+.{self.digits}f}"

    def span(self, interval: Interval) -> str:
        """A difference and its interval: ``+0.2 (-0.4 to +0.8)``."""
        return f"{self.signed(interval.estimate)} ({self.signed(interval.low)} to {self.signed(interval.high)})"


@dataclass(frozen=True)
class Plan:
    """Everything that a study fixes in advance; a row of the sensitivity figure changes one of these.

    ``seed`` is that of split, mask and model; ``train_seed``, where it is another, that of the model. ``split`` is
    ``"time"`` (or file order, where it stands for time), ``"user"``, or a column such as ``"asn"`` whose values lie on
    one side only. ``mask`` is None where no signal is taken away. ``without`` names columns, or groups of features,
    that neither model nor rules have. ``assume`` picks ``"low"``, ``"base"`` or ``"high"`` for what was not measured.
    """

    scenario: Any
    seed: int = 0
    split: str = "user"
    mask: Mask | None = None
    known_by: str = "first_request"
    without: tuple[str, ...] = ()
    assume: str = "base"
    train_seed: int | None = None

    @property
    def model_seed(self) -> int:
        """The seed of the model."""
        return self.seed if self.train_seed is None else self.train_seed


@dataclass(frozen=True)
class Change:
    """One assumption changed: a row of the sensitivity figure.

    ``refit`` where the change touches the data or the model, not the scenario alone; ``split`` whether the data are
    split, and the rules fitted, again too; ``only`` picks the views that are counted, with policies as they are (frame
    to bool, shape (rows,)); ``load`` has keywords for loading the data anew.
    """

    group: str
    change: str
    plan: Plan
    refit: bool = True
    split: bool = True
    only: Callable[[pd.DataFrame], np.ndarray] | None = None
    load: Mapping[str, Any] = field(default_factory=dict)


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
        """What a policy expects here; worked out once, whatever its limit is.

        Two policies of one name, fitted on different views, are two policies.
        """
        parts = (value for name, value in vars(policy).items() if name != "limit")
        place = (id(type(policy)), *map(_identity, parts), key)
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
class Explained:
    """Rows that trees were asked about, ready for exact SHAP values.

    ``matrix`` (float32, shape (rows, columns)) is what the trees see, and ``sources`` the feature that a reader knows
    each column by, ``""`` for the threshold asked about. ``shown`` has the same rows as a reader knows them, one column
    a feature. ``question`` says what the SHAP values are about: "log-odds that ...". ``view`` (int, shape (rows,)) is
    the place in the frame of each row's view.
    """

    booster: Any = field(repr=False)
    matrix: np.ndarray = field(repr=False)
    sources: tuple[str, ...]
    shown: pd.DataFrame = field(repr=False)
    question: str
    view: np.ndarray = field(repr=False)


# Of each random generator, one feature shuffled: the net of each view, and whether another decision is taken in it.
Shuffled = Callable[[Sequence[np.random.Generator]], list[tuple[np.ndarray, np.ndarray]]]


@dataclass(frozen=True)
class Contrast:
    """What model and rule do in each view, as a surrogate tree needs it; arrays have shape (rows,).

    ``way`` (str) is the direction in which they differ, ``""`` where they do the same: what the tree predicts;
    ``detail`` is the same more closely. ``facts`` holds what may be known of a view and what the rule does in it, never
    an outcome; ``rule_does`` says that in a few words. ``agrees`` says, by the name of each
    action that has one, in which views the model does the same (bool). ``entered(branches)`` makes a rule of
    (condition, action) pairs, where ``condition(facts)`` returns bool, shape (rows,).
    """

    way: np.ndarray = field(repr=False)
    detail: np.ndarray = field(repr=False)
    facts: pd.DataFrame = field(repr=False)
    rule_does: np.ndarray = field(repr=False)
    agrees: Mapping[str, np.ndarray] = field(repr=False)
    entered: Callable[[Sequence[tuple[Callable[[pd.DataFrame], np.ndarray], str]]], Policy] = field(repr=False)


@dataclass(frozen=True)
class Slider:
    """An assumption that the explorer moves.

    ``values`` are those that it takes, ``base`` the one of the comparison, ``texts`` what the slider writes for each.
    Where ``settles`` is False it only weighs what is shown (a price), and no decision changes.
    """

    name: str
    label: str
    values: tuple[float, ...]
    texts: tuple[str, ...]
    base: float
    settles: bool = True


def make_slider(
    name: str, label: str, values: Iterable[float], base: float, text: Callable[[float], str], *, settles: bool = True
) -> Slider:
    """A slider whose every value is written by ``text``."""
    values = tuple(values)
    return Slider(name, label, values, tuple(map(text, values)), float(base), settles)


def values_with(base: float, usual: Sequence[float]) -> tuple[float, ...]:
    """The usual values, of which the nearest gives way to the base case.

    >>> values_with(800.0, (500.0, 1000.0, 2000.0))
    (500.0, 800.0, 2000.0)
    """
    nearest = min(usual, key=lambda value: abs(np.log(value / base)))
    return tuple(sorted({float(base), *(value for value in usual if value != nearest)}))


@dataclass(frozen=True)
class Tile:
    """A number that the explorer shows for each policy: ``factor`` times the mean of ``value`` over views.

    ``value`` takes outcomes and scenario and gives a number a view; ``slowest`` takes the mean over the slowest fifth
    of users. A tile without ``value`` is a sum of other tiles, added up in the page: ``terms`` are (name of the tile,
    name of the slider whose value weighs it or ``""``, factor). ``unit``, ``digits`` and ``signed`` say how it is
    written; ``kept`` decimals more than are shown go into the page.
    """

    name: str
    label: str
    value: Callable[[pd.DataFrame, Any], np.ndarray] | None = None
    factor: float = 1.0
    digits: int = 0
    kept: int = 0
    unit: str = ""
    slowest: bool = False
    terms: tuple[tuple[str, str, float], ...] = ()
    signed: bool = False


@dataclass(frozen=True)
class Axis:
    """One axis of the trade-off: a column of the frontier (and of outcomes), its label, ``factor`` and decimals."""

    column: str
    label: str
    factor: float = 1.0
    digits: int = 1


@dataclass(frozen=True)
class Setting:
    """One place of the sliders: ``stage`` is settled for ``scenario``, ``outcomes`` are on ``test``, by who acts."""

    scenario: Any
    stage: Any = field(repr=False)
    test: Situations = field(repr=False)
    outcomes: Mapping[str, pd.DataFrame] = field(repr=False)


@dataclass(frozen=True)
class Segment:
    """Views of test that the explorer shows apart: bool, shape (rows,); ``groups`` as :attr:`Grid.groups` has them."""

    name: str
    inside: np.ndarray = field(repr=False)
    groups: Mapping[str, np.ndarray] = field(repr=False)


@dataclass(frozen=True)
class Panel:
    """A further part of the explorer: what it needs whatever is set, and what it needs for each setting, as JSON."""

    fixed: Any = None
    at: Callable[[Setting, Sequence[Segment]], Any] | None = None


@dataclass(frozen=True)
class Grid:
    """What the explorer of a decision moves and shows.

    ``scenario_at`` gives the scenario for the values of the sliders that settle. ``panels`` go by the name of the
    script's function that draws each. Segments are picked from ``dimensions``, the largest level of each first
    (default: all). ``groups(situations, inside)`` names views of users of a segment that are looked at alone (bool,
    shape (rows,)), such as ``"slow"``; it is empty where there are too few. ``price`` of a scenario is what a policy's
    limit multiplies: settings that differ in it alone share a frontier. ``slope`` of a scenario is how much of the
    second axis one of the first is worth; without it no line of equal net is drawn. ``about`` of a scenario is what a
    reader should know of it. ``gains`` are the ends of the second axis (default: as far as rules and model reach),
    ``digits`` the decimals of each axis in the page.
    """

    sliders: tuple[Slider, ...]
    tiles: tuple[Tile, ...]
    scenario_at: Callable[[Mapping[str, float]], Any]
    panels: Mapping[str, Panel] = field(default_factory=dict)
    dimensions: tuple[str, ...] = ()
    groups: Callable[[Situations, np.ndarray], Mapping[str, np.ndarray]] | None = None
    price: Callable[[Any], float] | None = None
    slope: Callable[[Any], float] | None = None
    about: Callable[[Any], str] = lambda scenario: ""
    gains: tuple[float, float] | None = None
    digits: tuple[int, int] = (2, 2)


class Report(Protocol):
    """The rows and sentences that are a decision's own; ``decisions/<name>/report.py`` is one, as a module.

    ``result`` is the study's ``Comparison``, which a decision may not import. ``event`` is what calibration is about,
    in a few words: "the large images are late".
    """

    event: str

    def headline(self, result: Any) -> str:
        """What stands behind dataset and users in the first line: the question in a few words."""

    def key_figures(self, figures: Any) -> dict[str, str]:
        """One policy of 1,000 views, in words of the person who decides."""

    def policy_row(self, figures: Any, every_column: bool) -> dict[str, str]:
        """One policy in the table of all."""

    def views_sentence(self, result: Any) -> str:
        """Which views are counted, and at what price."""

    def who_waits(self, result: Any) -> str:
        """Whose waiting the safety check looks at."""

    def findings(self, result: Any) -> dict[str, str]:
        """One sentence for each heading that is the decision's own."""

    def assumptions(self, result: Any) -> list[str]:
        """What the figures rest on, beyond what every decision says."""

    def to_dict(self, result: Any) -> dict[str, dict[str, Any]]:
        """What ``--json`` adds, under ``data``, ``evidence``, ``frontier`` and ``model``."""

    def tables(self, result: Any) -> dict[str, pd.DataFrame]:
        """Further tables of a proposal, by name; cells are text."""


class Decision(Protocol):
    """What a decision says for itself. ``situations`` hold views, ``answer`` is what a policy decided in them.

    ``name`` and ``title`` are what the command line and a report's first line call it; ``table`` is ``measurements`` or
    ``navigations``; ``margin`` is the smallest difference in net worth having where neither card nor call says another;
    the decision is found by ``scenario_type``; ``train_call`` is how a person trains its model, for errors; ``axes`` of
    the frontier are cost along x, gain along y; ``stop`` is what would end an A/B test.
    """

    name: str
    title: str
    table: str
    unit: Unit
    margin: float
    scenario_type: type
    train_call: str
    axes: tuple[Axis, Axis]
    stop: str
    report: Report

    @abstractmethod
    def scenario(self, card: Card, scenario: Any = None) -> Any:
        """The scenario on a dataset: the default, or the one given, completed by what the card says."""

    @abstractmethod
    def check(self, frame: pd.DataFrame) -> None:
        """Refuse data that cannot be decided on."""

    @abstractmethod
    def plan(self, views: pd.DataFrame, scenario: Any, seed: int) -> Plan:
        """How a study is set up by default."""

    @abstractmethod
    def prepare(self, views: pd.DataFrame, plan: Plan) -> Split:
        """Leave out, assume, mask, split: as planned."""

    @abstractmethod
    def train(self, split: Split, plan: Plan) -> Any:
        """Train the model of a plan."""

    @abstractmethod
    def situations(self, part: pd.DataFrame, card: Card, cluster: str, known_by: str, scenario: Any) -> Situations:
        """The views of a part to decide in."""

    def under(self, situations: Situations, scenario: Any) -> Situations:
        """The same views under another scenario."""
        return situations

    @abstractmethod
    def rules(self, split: Split, known_by: str | None = None, without: Sequence[str] = ()) -> tuple[Policy, ...]:
        """The rules that a model must beat, fitted on the split's train part."""

    def settle_rules(self, rules: tuple[Policy, ...], split: Split, scenario: Any) -> tuple[Policy, ...]:
        """Pick what a rule has to pick under a scenario besides its limit, such as smoothing."""
        return rules

    @abstractmethod
    def model_policy(self, model: Any, card: Card) -> Policy:
        """A trained model as a policy that acts at the declared price; a policy that holds one stays as it is."""

    @abstractmethod
    def today(self, split: Split) -> Policy:
        """What is taken for done now."""

    def truth(self, card: Card) -> Policy | None:
        """The best possible prediction, known in simulated worlds alone."""
        return None

    def references(self, situations: Situations, scenario: Any) -> Iterable[tuple[str, pd.DataFrame]]:
        """Further lines of the table that are no policies: name and outcomes."""
        return ()

    @abstractmethod
    def later_context(self, situations: Situations) -> Situations:
        """The same views with everything that the source has, whenever it is known: what a reference may read."""

    @abstractmethod
    def why_unavailable(self, policy: Policy, situations: Situations) -> str:
        """Why a policy cannot be asked here; empty where it can."""

    @abstractmethod
    def ask(self, policy: Policy, situations: Situations, scenario: Any) -> Any:
        """A policy's answer, checked: it may neither peek nor read the future."""

    @abstractmethod
    def weigh(self, policy: Policy, situations: Situations, scenario: Any) -> Any:
        """What a policy expects, where it weighs chances (it then has a ``limit``); else None."""

    @abstractmethod
    def tune(self, policy: Policy, situations: Situations, scenario: Any) -> Policy:
        """Give a policy that weighs chances the limit that serves best here."""

    @abstractmethod
    def outcomes(self, answer: Any, situations: Situations, scenario: Any) -> pd.DataFrame:
        """What an answer brings about: one row a view, with ``net``, ``added_wait_ms`` and columns of its own."""

    @abstractmethod
    def hindsight(self, situations: Situations, scenario: Any) -> Any:
        """The best answer, knowing what came."""

    @abstractmethod
    def figures(self, outcomes: pd.DataFrame, situations: Situations, scenario: Any, expected: Any = None) -> Any:
        """The numbers of the table: a frozen dataclass with ``net``."""

    @abstractmethod
    def frontier(
        self, expected: Any, situations: Situations, scenario: Any, limits: np.ndarray | None = None
    ) -> pd.DataFrame:
        """What a policy trades as its limit moves: ``limit, net`` and the columns of ``axes``, one row a limit."""

    @abstractmethod
    def trade(
        self, expected: Any, situations: Situations, scenario: Any, limits: np.ndarray
    ) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """The same view by view: for each limit, both quantities as the axes show them, shape (rows,) each."""

    @abstractmethod
    def slowest(self, situations: Situations, scenario: Any) -> np.ndarray:
        """Views of those who wait longest, whatever the policy: bool, shape (rows,)."""

    @abstractmethod
    def wait_ms(self, outcomes: pd.DataFrame, situations: Situations, scenario: Any) -> np.ndarray:
        """What is waited for in each view, ms."""

    @abstractmethod
    def headroom(self, hindsight: Any, situations: Situations, scenario: Any) -> float:
        """Net of perfect knowledge over the best that needs no knowledge: all there is to win, a view."""

    @abstractmethod
    def calibration_target(self, expected: Any, situations: Situations, scenario: Any) -> tuple[np.ndarray, np.ndarray]:
        """An event of the model's that either happened or not, and the chance that it gave."""

    def detail(self, results: Sequence[Any], settled: Any, test: Situations) -> Any:
        """What only a comparison of this decision has; ``settled`` is the study's ``Stage``."""
        return None

    @abstractmethod
    def changes(self, views: pd.DataFrame, plan: Plan) -> Iterable[Change]:
        """Every assumption that can be changed on this data, one at a time."""

    @abstractmethod
    def segments(self, situations: Situations, scenario: Any) -> dict[str, pd.Series]:
        """The level of each view in every dimension that results are shown apart by, in the order of the table."""

    @abstractmethod
    def grid(self, result: Any) -> Grid:
        """What the explorer of a comparison moves and shows."""

    @abstractmethod
    def explained(
        self, model: Any, frame: pd.DataFrame, scenario: Any, *, quantity: str | None = None, all_rows: bool = False
    ) -> Explained:
        """Rows for SHAP values: every view of measurements (asked about a quantity), or the page named first in each.

        ``all_rows`` takes every candidate where a view has several.
        """

    @abstractmethod
    def shuffled(self, policy: Policy, situations: Situations, scenario: Any, answer: Any) -> dict[str, Shuffled]:
        """For each feature that the trees use, how decisions change where it is shuffled across views."""

    @abstractmethod
    def contrast(self, ours: Any, theirs: Any, rule: Policy, situations: Situations, scenario: Any) -> Contrast:
        """Two answers side by side, for a surrogate tree."""

    @abstractmethod
    def inspected(self, policies: Mapping[str, Policy], view: pd.DataFrame, card: Card, scenario: Any) -> Any:
        """What each policy does in one view, and what it expects: for the inspector."""


def known_rules(rules: Iterable[Policy] | Policy, known_by: str) -> tuple[Policy, ...]:
    """Rules as a tuple: each callable, with a name of its own, and fitted on what the model may see too; else a
    WorkbenchError.
    """
    listed: tuple[Any, ...] = () if callable(rules) or isinstance(rules, str) else tuple(rules)
    if not listed or not all(map(callable, listed)):
        raise WorkbenchError(f"rules must be a list of callables, such as wb.rules(split); got {rules!r}.")
    names = [policy_name(rule) for rule in listed]
    taken = sorted(set(names) & {"model", "best_rule", "today", "oracle", PERFECT_KNOWLEDGE, "true chances"})
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


def information_changes(views: pd.DataFrame, plan: Plan, card: Card, levels: Sequence[str]) -> Iterator[Change]:
    """Other moments of decision, where the data have a column that is known by one and not by the other."""
    for level in levels:
        fewer, more = sorted((plan.known_by, level), key=LEVELS.index)
        gained = set(context_columns(more, card.context)) - set(context_columns(fewer, card.context))
        if any(name in views and views[name].notna().any() for name in gained):
            yield Change("known", WHEN_KNOWN[level], replace(plan, known_by=level))


def other_split(plan: Plan, people: str) -> Change:
    """The split by time where the plan's is by user, and the other way round; ``people`` is who could be split by."""
    if plan.split != "time":
        return Change("split", "by time", replace(plan, split="time"))
    drawn = "by user" if people == "users" else f"{people} drawn at random"
    return Change("split", drawn, replace(plan, split="user"))


def group_changes(views: pd.DataFrame, plan: Plan, kept: Sequence[str] = ()) -> Iterator[Change]:
    """Without each group of context that is known and differs between views; columns in ``kept`` stay."""
    card = card_of(views)
    context = known_context(views, plan.known_by, card.context)
    varying = {name for name in context if name not in kept and context[name].nunique() > 1}
    for group, names in (FEATURE_GROUPS | {OWN_COLUMNS: tuple(column.name for column in card.context)}).items():
        found = tuple(name for name in names if name in varying)
        if found:
            yield Change("without", group, replace(plan, without=found))


def seed_changes(plan: Plan) -> Iterator[Change]:
    """The model trained again with the next four seeds, all else as it was; then the next two of split and model."""
    for seed in range(plan.seed + 1, plan.seed + TRAININGS):
        yield Change(TRAINING_SEED, f"{TRAINING_SEED} {seed}", replace(plan, train_seed=seed), split=False)
    for seed in range(plan.seed + 1, plan.seed + 1 + MORE_SEEDS):
        yield Change("seed", f"seed {seed}", replace(plan, seed=seed))
