"""What a decision must say for itself: the contract that every stage after the models works on.

A decision is a folder (``images``, ``prefetch``) with one class that implements :class:`Decision`. What a comparison
settles (:class:`Stage`) and finds (:class:`Finding`) is here too, since a decision is asked about both.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.columns import LEVELS, WHEN_KNOWN
from workbench.datasets.history import Mask
from workbench.datasets.schema import SIGNALS, context_columns, known_context
from workbench.datasets.splits import Split, card_of
from workbench.decisions.inspection import Inspection
from workbench.decisions.policy import LINEAR, PERFECT_KNOWLEDGE, Model, ModelPolicy, Policy, Situations, policy_name
from workbench.errors import WorkbenchError, check_above_0
from workbench.evidence.bootstrap import Interval
from workbench.evidence.calibration import Calibration
from workbench.evidence.sample_size import SampleSize
from workbench.evidence.verdict import FEWEST_DIFFERING, Differing, Judgement, Recommendation, Safety, SlowestUsers

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
USD_PER_GB, MB_PER_GB = 0.085, 1000


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

    def seen(self, difference: Interval, differing: Differing) -> str:
        """The same; without an interval where too few users met a different outcome to trust one."""
        enough = differing.users >= FEWEST_DIFFERING
        return self.span(difference) if enough else self.signed(difference.estimate)


WHO = ("today", "best_rule", "model")  # whose cost is shown


def cost_sentence(what: str, megabytes: Sequence[float], usd_per_gb: float) -> str:
    """MB ``what`` ("sent", "wasted") per 1,000 views by each of ``WHO``, and what they cost."""
    today, rule, model = (f"{each:,.0f}" for each in megabytes)
    usd = ", ".join(f"{each / MB_PER_GB * usd_per_gb:.3f}" for each in megabytes)
    return (
        f"MB {what} per 1,000 views: {today} today, {rule} with the best rule, {model} with the model ({usd} USD at "
        f"{usd_per_gb:g} USD a GB)."
    )


def more_or_fewer(count: float, what: str) -> str:
    """A difference of counts: ``79 more large images``, ``3 fewer hits``.

    >>> more_or_fewer(-3.2, "hits"), more_or_fewer(0.2, "late views")
    ('3 fewer hits', 'as many late views')
    """
    whole = round(count)
    return f"{abs(whole):,} {'more' if whole > 0 else 'fewer'} {what}" if whole else f"as many {what}"


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
    stage: Stage = field(repr=False)
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


@dataclass(frozen=True)
class Stage:
    """Policies as they are settled: limits tuned, the best rule picked; nothing of test has been read.

    The model's limit is tuned on ``validation``; rules, which need no calibration, are tuned and picked on calibration
    and validation together (``held_out``). ``unavailable`` says by position in ``rules`` why one cannot be used here;
    ``tuned`` holds the others, and ``today``, what is done now, where it may be used at this moment; ``rivals`` are
    those that cannot be told there from the best rule (95 % interval of the paired difference).
    """

    decision: Decision
    split: Split = field(repr=False)
    scenario: Any
    model: Model = field(repr=False)
    rules: tuple[Policy, ...] = field(repr=False)
    unavailable: Mapping[int, str]
    tuned: tuple[Policy, ...] = field(repr=False)
    today: Policy
    best_rule: Policy
    rivals: tuple[Policy, ...] = field(repr=False)
    ours: ModelPolicy = field(repr=False)
    validation: Situations = field(repr=False)
    held_out: Situations = field(repr=False)
    settle_again: Callable[[Stage, Any], Stage] = field(repr=False)

    def under(self, scenario: Any) -> Stage:
        """The same model and rules under another scenario: limits tuned again, the best rule picked again."""
        return self.settle_again(self, scenario)

    def test(self) -> Situations:
        """The views of test that are compared."""
        known_by, split = self.model.known_by, self.split
        return self.decision.situations(split.test, split.card, split.cluster, known_by, self.scenario)

    def replay(self, policy: Policy, situations: Situations) -> pd.DataFrame:
        """Outcomes of a policy, one row a view."""
        answer = self.decision.ask(policy, situations, self.scenario)
        return self.decision.outcomes(answer, situations, self.scenario)


@dataclass(frozen=True, repr=False)
class PolicyResult:
    """One policy in a comparison.

    ``kind`` is ``rule``, ``today`` (where it is none of the rules), ``model``, ``reference`` (shown, never "best rule")
    or ``oracle``. ``policy`` is the callable as it was replayed, its limit tuned (None for the oracle). ``reason`` says
    why it is not available, and is empty where it is; ``reads_later``, whether it reads columns that are known later
    than the comparison's. ``figures`` and ``outcomes`` (a DataFrame, one row a view) are on the views of test that are
    compared. Of a policy that weighs chances, ``expected`` is what it expected, ``limit`` where its decision turns, and
    ``frontier`` what it trades as the limit moves.
    """

    name: str
    kind: str
    policy: Policy | None = None
    reason: str = ""
    reads_later: bool = False
    figures: Any = None
    outcomes: Any = field(default=None, repr=False)
    expected: Any = field(default=None, repr=False)
    frontier: pd.DataFrame | None = field(default=None, repr=False)
    limit: float | None = None
    kilobytes: float = 0.0

    def __repr__(self) -> str:
        return f"PolicyResult({self.name}, {self.kind}: {self.reason or f'net {self.figures.net:.4g}'})"

    @property
    def available(self) -> bool:
        """Whether it could be replayed."""
        return not self.reason


@dataclass(frozen=True)
class ModelCost:
    """What having the model costs: its size, the time of one decision (taken in batches), and of one training."""

    trees: int
    kilobytes: float
    us_per_decision: float
    train_seconds: float | None
    fields: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Finding:
    """Model, rules, today and perfect knowledge on the same views.

    ``best_rule`` and ``today`` are policies (callables); ``results`` holds every policy's figures, on the views of
    test that are compared (of images, those without a signal). ``difference`` is model minus best rule in net, and
    ``differing`` says how many users met another outcome; ``verdict`` is the word for it, or, where that is a gain, the
    least favourable word against the best rule and its ``rivals``, which did as well before test: ``settled_by`` is the
    rule that settles it, ``settled`` the model against that one. ``rule_over_today`` judges best rule minus today's;
    ``against_best_rule`` is every other policy minus the best rule, by name; ``trees_gain`` is the model minus a
    logistic regression on its features. ``safety`` is about the model as it is tuned, ``safety_at_rule`` about the
    model at the best rule's own operating point. ``users_to_settle`` counts users of all parts, as
    ``split.count_people()`` does; ``ab_test`` is the size of an A/B test of the model against the best rule.
    ``headroom`` is the net of perfect knowledge over the best constant. ``segments`` is exploratory.
    What only this decision has is in ``detail``.
    """

    decision: Decision
    split: Split = field(repr=False)
    model: Model = field(repr=False)
    results: tuple[PolicyResult, ...]
    best_rule: Policy
    today: Policy
    scenario: Any
    known_by: str
    difference: Interval
    differing: Differing
    rule_over_today: Judgement
    against_best_rule: Mapping[str, Interval]
    trees_gain: Interval
    margin: float
    verdict: str
    rivals: tuple[Policy, ...] = field(repr=False)
    settled: Judgement
    settled_by: Policy
    safety: Safety
    safety_at_rule: Safety
    slowest: SlowestUsers
    users_to_settle: int | None
    ab_test: SampleSize
    headroom: float
    recommendation: Recommendation
    test_users: int
    cost: ModelCost
    calibration: Calibration
    detail: Any = field(repr=False)
    reliability: pd.DataFrame = field(repr=False)
    segments: pd.DataFrame = field(repr=False)
    provenance: Mapping[str, Any] = field(repr=False)
    seconds: float
    sensitivity: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def unit(self) -> Unit:
        """How the net is shown."""
        return self.decision.unit

    @property
    def gain(self) -> str:
        """Model minus best rule as it is shown: with its interval where that is to be trusted."""
        return self.unit.seen(self.difference, self.differing)

    @property
    def people(self) -> str:
        """What those are called who are resampled: users, sessions or views."""
        return self.split.people

    @property
    def headroom_over_rule(self) -> float:
        """Net of perfect knowledge minus the best rule's: all that a model could win, a view."""
        return self.against_best_rule[PERFECT_KNOWLEDGE].estimate

    @property
    def rules(self) -> tuple[Policy, ...]:
        """The rules that could be replayed, their limits tuned."""
        return tuple(each.policy for each in self.results if each.kind == "rule" and each.policy and each.available)

    def of(self, policy: Policy | str) -> PolicyResult:
        """The result of a policy, of its name, or of ``"model"``, ``"best_rule"``, ``"today"``, ``"oracle"``.

        An unknown one is a WorkbenchError that names those there are.
        """
        if policy in ("model", "oracle"):
            return next(result for result in self.results if result.kind == policy)
        parts: dict[str, Policy] = {"best_rule": self.best_rule, "today": self.today}
        wanted = parts.get(policy, policy) if isinstance(policy, str) else policy
        name = wanted if isinstance(wanted, str) else policy_name(wanted)
        same = [result for result in self.results if result.policy is wanted]
        named = [result for result in self.results if result.name == name]
        if same or named:
            return (same or named)[0]
        raise WorkbenchError(
            f"no policy {name!r} in this comparison; there are {', '.join(result.name for result in self.results)}."
        )


class Report(Protocol):
    """The rows and sentences that are a decision's own; ``decisions/<name>/report.py`` is one, as a module.

    ``event`` is what calibration is about, in a few words: "the large images are late".
    """

    event: str

    def headline(self, result: Finding) -> str:
        """What stands behind dataset and users in the first line: the question in a few words."""

    def key_figures(self, figures: Any) -> dict[str, str]:
        """One policy of 1,000 views, in words of the person who decides."""

    def policy_row(self, figures: Any, every_column: bool) -> dict[str, str]:
        """One policy in the table of all, besides its net."""

    def views_sentence(self, result: Finding) -> str:
        """Which views are counted, and at what price."""

    def cost(self, result: Finding) -> str:
        """What today's policy, the best rule and the model cost, of 1,000 views: a sentence, or nothing."""
        return ""

    def trade_off(self, result: Finding) -> str:
        """What the model does more and less of than the best rule, of 1,000 views: a sentence, or nothing."""
        return ""

    def who_waits(self, result: Finding) -> str:
        """Whose waiting the safety check looks at."""

    def findings(self, result: Finding) -> dict[str, str]:
        """One sentence for each heading that is the decision's own."""

    def assumptions(self, result: Finding) -> list[str]:
        """What the figures rest on, beyond what every decision says."""

    def to_dict(self, result: Finding) -> dict[str, dict[str, Any]]:
        """What ``--json`` adds, under ``data``, ``evidence``, ``frontier`` and ``model``."""

    def tables(self, result: Finding) -> dict[str, pd.DataFrame]:
        """Further tables of a proposal, by name; cells are text."""


@dataclass(frozen=True)
class Shipped:
    """A policy as a site runs it: ``content`` is plain (JSON), ``policy`` the workbench's own that decides the same.

    ``answers`` says what that one decides in each context of a frame, in the words of a site: a dict or a list each.
    ``does`` and ``note`` are sentences about what comes out, ``advice`` about when a site should call it.
    ``requests`` reads from outcomes what the policy fetches a view: ``fetched`` ahead, and ``opened`` of these; empty
    where a decision fetches nothing.
    """

    policy: Policy
    content: Mapping[str, Any] = field(repr=False)
    answers: Callable[[pd.DataFrame], list[Any]] = field(repr=False)
    does: str = ""
    note: str = ""
    advice: str = ""
    requests: Callable[[pd.DataFrame], dict[str, float]] = field(default=lambda _: {}, repr=False)


class Decision(Protocol):
    """What a decision says for itself. ``situations`` hold views, ``answer`` is what a policy decided in them.

    ``name`` and ``title`` are what the command line and a report's first line call it; ``table`` is ``measurements`` or
    ``navigations``; ``margin`` is the smallest difference in net that matters where neither card nor call says another;
    the decision is found by ``scenario_type``; ``train_call`` is how a person trains its model, for errors; ``axes`` of
    the frontier are cost along x, gain along y; ``operating_point`` is what tells a policy that does much from one that
    does little, in a few words; ``stop`` is what would end an A/B test. ``served`` is the column of an experiment's log
    that says what was sent, ``effects`` are outcomes that an experiment shows besides net.
    """

    name: str
    title: str
    table: str
    unit: Unit
    margin: float
    scenario_type: type
    train_call: str
    axes: tuple[Axis, Axis]
    operating_point: str
    stop: str
    served: str
    effects: tuple[Axis, ...]
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
    def train(self, split: Split, plan: Plan) -> Model:
        """Train the model of a plan."""

    @abstractmethod
    def situations(self, part: pd.DataFrame, card: Card, cluster: str, known_by: str, scenario: Any) -> Situations:
        """The views of a part to decide in."""

    def every_view(self, part: pd.DataFrame, card: Card, cluster: str, known_by: str, scenario: Any) -> Situations:
        """All views of a part, those that are left out of a comparison too."""
        return self.situations(part, card, cluster, known_by, scenario)

    def logged(self, log: pd.DataFrame) -> np.ndarray:
        """Views of an experiment's log that say what was sent: bool, shape (rows,)."""
        return log[self.served].notna().to_numpy()

    def compared(self, context: pd.DataFrame) -> np.ndarray:
        """Views that a comparison is about, by what is known of them: bool, shape (rows,)."""
        return np.ones(len(context), bool)

    def measurements(self, log: pd.DataFrame) -> dict[str, np.ndarray]:
        """What views of an experiment's log may lack, and where it is there, which no arm may change: (rows,) each."""
        return {"a full measurement": self.judged(log)}

    def judged(self, log: pd.DataFrame) -> np.ndarray:
        """Views of an experiment's log that measured enough to say what came of them: bool, shape (rows,)."""
        return np.ones(len(log), bool)

    def options_sent(self, log: pd.DataFrame, scenario: Any) -> np.ndarray:
        """Number of the one option that was sent in each view; a WorkbenchError where a view has no such option."""
        raise WorkbenchError(
            f"{self.name}: several things are sent in one view, which weights cannot tell apart. Run an A/B test, "
            "and read it with wb.experiment."
        )

    def basis(self, log: pd.DataFrame) -> str:
        """What the measures of an experiment's log rest on, a sentence."""
        return "Waiting is worked out from the network that each view measured, and from what was sent."

    @abstractmethod
    def as_sent(self, answer: Any, situations: Situations, scenario: Any) -> Any:
        """What a policy decided, as a log says it in ``served``: one value a view."""

    @abstractmethod
    def measured(self, situations: Situations, scenario: Any) -> pd.DataFrame:
        """What came of what was sent, by an experiment's log: as :meth:`outcomes`; a log's own measures go first."""

    def smallest_gain(self, card: Card, margin: float | None = None) -> float:
        """The smallest difference in net that matters: as given, else the card's, else the decision's own."""
        found = next(each for each in (margin, card.margin, self.margin) if each is not None)
        check_above_0("margin", found)
        return found

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
    def model_policy(self, model: Any, card: Card) -> ModelPolicy:
        """A trained model as a policy that acts at the declared price; a policy that holds one stays as it is."""

    def linear(self, split: Split, model: Model) -> Policy:
        """A logistic regression on the model's own features, fitted and calibrated as the model is: a reference.

        What it gains over the best rule is the features' own; what the model gains over it is due to the trees.
        """
        policy: Any = self.model_policy(model.fit_linear(split), split.card)
        return replace(policy, name=LINEAR)

    @abstractmethod
    def today(self, split: Split) -> Policy:
        """What is taken for done now."""

    def truth(self, card: Card) -> Policy | None:
        """The best possible prediction, known in simulated worlds alone."""
        return None

    def references(self, situations: Situations, scenario: Any) -> Iterable[tuple[str, pd.DataFrame]]:
        """Further lines of the table that are no policies: name and outcomes."""
        return ()

    def first_step(self, finding: Finding) -> str:
        """What to do before either answer of a recommendation, a sentence; empty where there is nothing."""
        return ""

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
    def tune[Tuned: Policy](self, policy: Tuned, situations: Situations, scenario: Any) -> Tuned:
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
    def largest_difference(self, scenario: Any) -> float:
        """The largest difference between two policies that a user's mean net a view can have."""

    def operate_like(self, policy: Any, outcomes: pd.DataFrame, situations: Situations, scenario: Any) -> Any:
        """A policy that weighs chances, at the limit whose cost (the first axis) is nearest that of other outcomes."""
        cost = self.axes[0].column
        frontier = self.frontier(self.weigh(policy, situations, scenario), situations, scenario)
        nearest = (frontier[cost] - outcomes[cost].mean()).abs().idxmin()
        return replace(policy, limit=float(frontier["limit"][nearest]))

    @abstractmethod
    def calibration_target(self, expected: Any, situations: Situations, scenario: Any) -> tuple[np.ndarray, np.ndarray]:
        """An event of the model's that either happened or not, and the chance that it gave."""

    def detail(self, results: Sequence[PolicyResult], settled: Stage, test: Situations) -> Any:
        """What only a comparison of this decision has."""
        return None

    @abstractmethod
    def changes(self, views: pd.DataFrame, plan: Plan) -> Iterable[Change]:
        """Every assumption that can be changed on this data, one at a time."""

    @abstractmethod
    def segments(self, situations: Situations, scenario: Any) -> dict[str, pd.Series]:
        """The level of each view in every dimension that results are shown apart by, in the order of the table."""

    @abstractmethod
    def grid(self, result: Finding) -> Grid:
        """What the explorer of a comparison moves and shows."""

    @abstractmethod
    def explained(
        self, model: Any, frame: pd.DataFrame, scenario: Any, *, quantity: str | None = None, all_rows: bool = False
    ) -> Explained:
        """Rows for SHAP values: every view of measurements (asked about a quantity), or the page named first in each.

        ``all_rows`` takes every candidate where a view has several.
        """

    @abstractmethod
    def shuffled(self, policy: ModelPolicy, situations: Situations, scenario: Any, answer: Any) -> dict[str, Shuffled]:
        """For each feature that the trees use, how decisions change where it is shuffled across views."""

    @abstractmethod
    def contrast(self, ours: Any, theirs: Any, rule: Policy, situations: Situations, scenario: Any) -> Contrast:
        """Two answers side by side, for a surrogate tree."""

    def shipped(self, policy: Policy, split: Split, scenario: Any, known_by: str, *, within: float = 0.0) -> Shipped:
        """A policy as plain numbers for a site; a WorkbenchError where it is of a kind that a site cannot run.

        What can be made smaller for less than ``within`` of net, on validation, is.
        """
        raise WorkbenchError(
            f"{policy_name(policy)!r} cannot be exported yet. Take a rule that can: --policy best_rule, or the name of "
            "another in the table."
        )

    @abstractmethod
    def inspected(self, policies: Mapping[str, Policy], view: pd.DataFrame, card: Card, scenario: Any) -> Inspection:
        """Policies, the model's first, to be asked about single views like those of a frame."""


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
