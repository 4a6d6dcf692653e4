"""What a comparison settles before it reads the test part: headline views, limits, the best rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.schema import BY_NAME, has_signal, known_context, measured_quantities
from workbench.datasets.splits import Split, users_of
from workbench.decisions.images.expected_value import Decider
from workbench.decisions.images.replay import RenditionOutcomes, best_limit, decide, realise, rendition_outcomes
from workbench.decisions.images.rules import ImagePolicy, base_assumptions, image_rules
from workbench.decisions.images.scenario import ImageScenario
from workbench.errors import WorkbenchError
from workbench.models import NetworkQuality
from workbench.models.network_quality import rows_hash
from workbench.studies.checks import check_same_split, checked_rules

Policy = Callable[..., Any]


@dataclass(frozen=True)
class Views:
    """The headline views of one part: what policies may see, and what each rendition would bring about."""

    frame: pd.DataFrame
    context: pd.DataFrame
    outcomes: RenditionOutcomes
    users: np.ndarray


@dataclass(frozen=True)
class Stage:
    """Policies as ``validation`` settled them: limits tuned, the best rule picked; nothing of test has been read.

    ``why_not`` tells by position in ``rules`` why a rule is not available.
    """

    split: Split
    scenario: ImageScenario
    model: NetworkQuality
    rules: tuple[Policy, ...]
    why_not: Mapping[int, str]
    tuned: tuple[Policy, ...]
    best_rule: Policy
    ours: ImagePolicy
    validation: Views

    def test(self) -> Views:
        """The headline views of test."""
        return headline(self.split.test, self.split, self.model.known_by, self.scenario)


def settle(
    split: Split, model: NetworkQuality, rules: Iterable[Policy] | None = None, scenario: ImageScenario | None = None
) -> Stage:
    """Tune every limit and pick the best rule, on ``validation`` alone.

    Raises
    ------
    WorkbenchError
        Where no rule is available, no view is without a signal, or a policy peeks or answers wrongly.
    """
    scenario = scenario or ImageScenario()
    check_decidable(split.train)
    check_same_split(split, model, rows_hash, "wb.train_network_quality(split)")
    rules = (
        image_rules(split, known_by=model.known_by)
        if rules is None
        else checked_rules(rules, model.known_by, "wb.image_rules")
    )
    validation = headline(split.validation, split, model.known_by, scenario)
    reasons = [why_not(rule, validation, model.known_by) for rule in rules]
    tuned = tuple(tune(rule, validation, scenario) for rule, reason in zip(rules, reasons, strict=True) if not reason)
    if not tuned:
        raise WorkbenchError(f"{split.card.name}: no rule is available on this data: {'; '.join(reasons)}.")
    return Stage(
        split=split,
        scenario=scenario,
        model=model,
        rules=rules,
        why_not={i: reason for i, reason in enumerate(reasons) if reason},
        tuned=tuned,
        best_rule=max(tuned, key=lambda rule: replay(rule, validation, scenario)["net"].mean()),
        ours=tune(ImagePolicy(model, assume=base_assumptions(split.card)), validation, scenario),
        validation=validation,
    )


def check_decidable(frame: Any) -> None:
    """Refuse what images cannot be decided on.

    Raises
    ------
    WorkbenchError
        Where the frame is none, or measures neither RTT nor throughput.
    """
    if not isinstance(frame, pd.DataFrame):
        raise WorkbenchError(f"expected a dataset's name, the path of a card, or a DataFrame; got {frame!r}.")
    if not {"rtt_ms", "downlink_mbps"} & set(measured_quantities(frame)):
        raise WorkbenchError(
            "image delivery is decided by rtt_ms or downlink_mbps; neither was measured here, so images cannot be "
            "decided on this data."
        )


def headline(part: pd.DataFrame, split: Split, known_by: str, scenario: ImageScenario) -> Views:
    """The views of a part that come without a signal.

    Raises
    ------
    WorkbenchError
        Where there is none.
    """
    context = known_context(part, known_by, split.card.context)
    signal_free = ~has_signal(context)
    frame = part[signal_free]
    if not len(frame):
        raise WorkbenchError(
            f"{split.card.name}: every view shows a signal by {known_by}, so none is left to predict for. Take an "
            "earlier known_by, such as first_request."
        )
    outcomes = rendition_outcomes(frame, scenario, base_assumptions(split.card))
    return Views(frame, context[signal_free], outcomes, users_of(frame, split.cluster))


def why_not(rule: Policy, views: Views, known_by: str) -> str:
    """Why a rule cannot be replayed on these views; empty where it can."""
    for column in getattr(rule, "needs", ()):
        if column not in views.context:
            level = BY_NAME[column].level if column in BY_NAME else None
            return f"{column} is known by {level}, not by {known_by}" if level else f"{column} is not context"
        if views.context[column].isna().all():
            return f"these views have no {column}"
    return ""


def tune(policy: Policy, validation: Views, scenario: ImageScenario) -> Any:
    """Give a policy that has a limit the one that serves best on ``validation``."""
    if not isinstance(policy, Decider):
        return policy
    expected = policy.prospects(validation.context, scenario)
    return replace(
        policy, limit=best_limit(expected, validation.outcomes, validation.context, scenario, validation.users)
    )


def replay(policy: Policy, views: Views, scenario: ImageScenario) -> pd.DataFrame:
    """Outcomes of a policy on views, one row a view."""
    action = decide(policy, views.context, scenario)
    return realise(action, views.outcomes, scenario, views.frame.index)
