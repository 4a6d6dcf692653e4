"""The finding: one frozen object that every report, plot and widget reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.splits import Split
from workbench.delivery import ImageScenario
from workbench.errors import WorkbenchError
from workbench.evaluation.bootstrap import Interval
from workbench.evaluation.calibration import Calibration
from workbench.evaluation.image_replay import policy_name
from workbench.evaluation.image_summary import ImageFigures
from workbench.evaluation.verdict import Recommendation, Safety
from workbench.models import NetworkQuality
from workbench.policies.expected_value import Prospects


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
    figures : ImageFigures or None
        On the headline views of test.
    outcomes : DataFrame or None
        One row a headline view of test.
    expected : Prospects or None
        What it expected of each rendition, where it weighs chances.
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
    figures: ImageFigures | None = None
    outcomes: pd.DataFrame | None = field(default=None, repr=False)
    expected: Prospects | None = field(default=None, repr=False)
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
class Comparison:
    """Model, rules, today and perfect knowledge on the same views.

    ``best_rule`` and ``today`` are policies (callables); ``results`` holds every policy's figures, on the headline
    views (those without a signal) of test. ``difference`` is model minus best rule in net, ``rule_gain`` best rule
    minus today's, ``against_best_rule`` every other policy minus the best rule, by name. ``calibration_by_budget``
    judges the model's chances that each rendition is late, a row a budget and rendition. ``segments`` (see
    ``image_segments``) is exploratory; ``slow`` and ``fast`` tell which headline views of test belong to the slowest
    and the fastest fifth of users (boolean, shape (rows,)).
    """

    decision: str
    split: Split = field(repr=False)
    model: NetworkQuality = field(repr=False)
    results: tuple[PolicyResult, ...]
    best_rule: Callable[..., Any]
    today: Callable[..., Any]
    scenario: ImageScenario
    known_by: str
    difference: Interval
    rule_gain: Interval
    against_best_rule: Mapping[str, Interval]
    margin: float
    verdict: str
    safety: Safety
    users_to_settle: int
    headroom: float
    headroom_by_budget: Mapping[float, float]
    recommendation: Recommendation
    signal_free_share: float
    test_users: int
    quality_at_rules_wait: float | None
    cost: ModelCost
    calibration: Calibration
    calibration_by_budget: pd.DataFrame = field(repr=False)
    reliability: pd.DataFrame = field(repr=False)
    segments: pd.DataFrame = field(repr=False)
    slow: np.ndarray = field(repr=False)
    fast: np.ndarray = field(repr=False)
    provenance: Mapping[str, Any] = field(repr=False)
    seconds: float
    sensitivity: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def policies(self) -> tuple[PolicyResult, ...]:
        """Every policy compared."""
        return self.results

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
