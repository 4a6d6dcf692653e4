"""The finding: one frozen object that every report, plot and widget reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.splits import Split
from workbench.decisions.decision import policy_name
from workbench.decisions.prefetch.ranking import Ranking
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval
from workbench.evidence.calibration import Calibration
from workbench.evidence.verdict import Recommendation, Safety


@dataclass(frozen=True)
class PolicyResult:
    """One policy in a comparison.

    Parameters
    ----------
    name : str
    kind : str
        ``rule``, ``model``, ``reference`` (shown, never "best rule") or ``oracle``.
    policy : callable or None
        As it was replayed, its limit tuned; None for the oracle.
    reason : str
        Why it is not available; empty where it is.
    sees : str
        By when what it reads is known (one of ``schema.LEVELS``): later than the comparison's for some references.
    figures : ImageFigures, PrefetchFigures or None
        On the views of test that are compared.
    outcomes : DataFrame or None
        One row a view of test that is compared.
    expected : Prospects, DataFrame or None
        What it expected of each rendition, or of the next pages, where it weighs chances.
    frontier : DataFrame or None
        Where the policy has a limit to move.
    limit : float or None
    kilobytes : float
    """

    name: str
    kind: str
    policy: Callable[..., Any] | None = None
    reason: str = ""
    sees: str = ""
    figures: Any = None
    outcomes: pd.DataFrame | None = field(default=None, repr=False)
    expected: Any = field(default=None, repr=False)
    frontier: pd.DataFrame | None = field(default=None, repr=False)
    limit: float | None = None
    kilobytes: float = 0.0

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


@dataclass(frozen=True)
class Unit:
    """How a net is told to people: what it is called, its size beside the net of ``outcomes``, and its decimals."""

    name: str
    per_view: str
    factor: float
    digits: int

    def amount(self, net: float) -> str:
        """A net, without a sign where it has none: ``0.5``."""
        return f"{self.factor * net:.{self.digits}f}"

    def span(self, interval: Interval) -> str:
        """A difference and its interval: ``+0.2 (-0.4 to +0.8)``."""
        middle, low, high = (
            f"{self.factor * net:+.{self.digits}f}" for net in (interval.estimate, interval.low, interval.high)
        )
        return f"{middle} ({low} to {high})"


POINTS = Unit("points", "points a view", 1.0, 1)
NET_HITS = Unit("net hits per 100 views", "net hits per 100 views", 100.0, 2)


@dataclass(frozen=True)
class ImageDetail:
    """What only a comparison of image delivery has.

    ``calibration_by_budget`` judges the model's chances that each rendition is late, a row a budget and rendition;
    ``slow`` and ``fast`` tell which headline views of test belong to the slowest and the fastest fifth of users
    (boolean, shape (rows,)).
    """

    signal_free_share: float
    headroom_by_budget: Mapping[float, float]
    quality_at_rules_wait: float | None
    calibration_by_budget: pd.DataFrame = field(repr=False)
    slow: np.ndarray = field(repr=False)
    fast: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class PrefetchDetail:
    """What only a comparison of prefetching has.

    ``ranking`` judges each policy that answers with chances, by name; ``hits_at`` holds hits per 100 views at given
    numbers of unused prefetches a view, read from the frontiers (one row a policy, missing where a frontier does not
    reach); ``end_share`` is the share of the views that end a session; ``session`` is an example session, no person's,
    with what rule and model fetch in it, one row a view.
    """

    ranking: Mapping[str, Ranking]
    hits_at: pd.DataFrame = field(repr=False)
    end_share: float
    session: pd.DataFrame = field(repr=False)


@dataclass(frozen=True)
class Comparison:
    """Model, rules, today and perfect knowledge on the same views.

    ``best_rule`` and ``today`` are policies (callables); ``results`` holds every policy's figures, on the views of
    test that are compared (of images, those without a signal). ``difference`` is model minus best rule in net,
    ``rule_gain`` best rule minus today's, ``against_best_rule`` every other policy minus the best rule, by name.
    ``segments`` is exploratory. What only one of the two decisions has is in ``detail``; ``unit`` is how its net is
    told.
    """

    decision: str
    split: Split = field(repr=False)
    model: Any = field(repr=False)
    results: tuple[PolicyResult, ...]
    best_rule: Callable[..., Any]
    today: Callable[..., Any]
    scenario: Any
    known_by: str
    difference: Interval
    rule_gain: Interval
    against_best_rule: Mapping[str, Interval]
    margin: float
    verdict: str
    safety: Safety
    users_to_settle: int
    headroom: float
    recommendation: Recommendation
    test_users: int
    cost: ModelCost
    calibration: Calibration
    detail: ImageDetail | PrefetchDetail = field(repr=False)
    reliability: pd.DataFrame = field(repr=False)
    segments: pd.DataFrame = field(repr=False)
    provenance: Mapping[str, Any] = field(repr=False)
    seconds: float
    sensitivity: pd.DataFrame | None = field(default=None, repr=False)
    unit: Unit = POINTS

    @property
    def image(self) -> ImageDetail:
        """What only a comparison of image delivery has.

        Raises
        ------
        WorkbenchError
            Where this compares prefetching.
        """
        if not isinstance(self.detail, ImageDetail):
            raise WorkbenchError("expected a comparison of image delivery; this one compares prefetching.")
        return self.detail

    @property
    def prefetch(self) -> PrefetchDetail:
        """What only a comparison of prefetching has.

        Raises
        ------
        WorkbenchError
            Where this compares image delivery.
        """
        if not isinstance(self.detail, PrefetchDetail):
            raise WorkbenchError("expected a comparison of prefetching; this one compares image delivery.")
        return self.detail

    @property
    def policies(self) -> tuple[PolicyResult, ...]:
        """Every policy compared."""
        return self.results

    @property
    def rules(self) -> tuple[Callable[..., Any], ...]:
        """The rules that could be replayed, their limits tuned."""
        return tuple(each.policy for each in self.results if each.kind == "rule" and each.policy and each.available)

    def of(self, policy: Callable[..., Any] | str) -> PolicyResult:
        """The result of a policy, of its name, or of ``"model"``, ``"best_rule"``, ``"today"``, ``"oracle"``.

        Raises
        ------
        WorkbenchError
            Where no policy of this comparison is meant; it names those there are.
        """
        if policy in ("model", "oracle"):
            return next(result for result in self.results if result.kind == policy)
        wanted = {"best_rule": self.best_rule, "today": self.today}.get(policy, policy)  # type: ignore[arg-type]
        name = wanted if isinstance(wanted, str) else policy_name(wanted)
        same = [result for result in self.results if result.policy is wanted]
        named = [result for result in self.results if result.name == name]
        if same or named:
            return (same or named)[0]
        raise WorkbenchError(
            f"no policy {name!r} in this comparison; there are {', '.join(result.name for result in self.results)}."
        )

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` prints: plain dictionaries, lists and numbers."""
        from workbench.studies.report import to_dict

        return to_dict(self)

    def __str__(self) -> str:
        from workbench.studies.report import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from workbench.studies.report import to_html

        return to_html(self)
