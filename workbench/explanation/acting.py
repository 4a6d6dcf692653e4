"""A policy at work on given views: what it does in each, and what that is worth, whichever decision it is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.schema import has_signal, known_context, known_navigation_context
from workbench.datasets.splits import card_of, check_page_views, users_of
from workbench.decisions.images.replay import RenditionOutcomes, decide, realise, rendition_outcomes
from workbench.decisions.images.rules import ImagePolicy, base_assumptions
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.prefetch.answers import ask_prefetch
from workbench.decisions.prefetch.replay import replay_prefetch
from workbench.decisions.prefetch.rules import PrefetchPolicy
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.models import NetworkQuality, NextPage
from workbench.studies.comparison import NET_HITS, POINTS, Unit
from workbench.studies.image_stage import check_decidable
from workbench.studies.prefetch_plan import scenario_for

Policy = Callable[..., Any]


@dataclass(frozen=True)
class ImagesActing:
    """Views without a signal, as in a comparison, and what each rendition would bring about in them.

    ``ours`` is the model as a policy, ``context`` what policies may see, ``users`` whose each view is (codes, shape
    (rows,)), ``people`` what those are called.
    """

    model: NetworkQuality
    ours: ImagePolicy
    frame: pd.DataFrame
    context: pd.DataFrame
    users: np.ndarray
    scenario: ImageScenario
    outcomes: RenditionOutcomes
    unit: Unit = POINTS

    @property
    def people(self) -> str:
        """What those are called who are resampled."""
        return _people(self.frame, "user")

    def ask(self, policy: Policy, context: pd.DataFrame | None = None) -> np.ndarray:
        """Numbers of the renditions that a policy sends, 0 the smallest: int, shape (rows,)."""
        return decide(policy, self.context if context is None else context, self.scenario)

    def net(self, answer: np.ndarray) -> np.ndarray:
        """Net of each view, in points: shape (rows,)."""
        return realise(answer, self.outcomes, self.scenario, self.frame.index)["net"].to_numpy()


@dataclass(frozen=True)
class PagesActing:
    """Whole sessions, replayed through their caches; fields as of :class:`ImagesActing`."""

    model: NextPage
    ours: PrefetchPolicy
    frame: pd.DataFrame
    context: pd.DataFrame
    users: np.ndarray
    scenario: PrefetchScenario
    unit: Unit = NET_HITS

    @property
    def people(self) -> str:
        """What those are called who are resampled."""
        return _people(self.frame, "user", "session")

    def ask(self, policy: Policy, context: pd.DataFrame | None = None) -> pd.DataFrame:
        """Pages that a policy wants to fetch: ``view_id, page, rank``."""
        return ask_prefetch(policy, self.context if context is None else context, self.scenario)

    def net(self, answer: pd.DataFrame) -> np.ndarray:
        """Net hits credited to each view: shape (rows,)."""
        return replay_prefetch(answer, self.frame, self.scenario)["net"].to_numpy()


def act_on(
    model: NetworkQuality | NextPage | ImagePolicy | PrefetchPolicy,
    frame: pd.DataFrame,
    scenario: ImageScenario | PrefetchScenario | None = None,
) -> ImagesActing | PagesActing:
    """Set a model to work on views.

    Parameters
    ----------
    model : NetworkQuality or NextPage, or a policy that holds one
        A model acts at the declared price; a policy, such as ``result.of("model").policy``, by its own limit.
    frame : DataFrame
        Canonical measurements or navigations (whole sessions), with their card, such as ``split.validation``.
    scenario : ImageScenario or PrefetchScenario, optional
        Default that of the decision.

    Returns
    -------
    ImagesActing or PagesActing

    Raises
    ------
    WorkbenchError
        Where model, frame and scenario do not belong to one decision, the frame carries no card, or no view is
        without a signal.
    """
    policy = model if isinstance(model, (ImagePolicy, PrefetchPolicy)) else None
    source = policy.source if policy else model
    if isinstance(source, NetworkQuality):
        return _images(source, policy, frame, _of_kind(scenario, ImageScenario, "network-quality"))
    if isinstance(source, NextPage):
        return _pages(source, policy, frame, _of_kind(scenario, PrefetchScenario, "next-page"))
    raise WorkbenchError(
        "expected a trained model, as from wb.train_network_quality(split) or wb.train_next_page(split), or its policy "
        f"in a comparison, result.of('model').policy; got {model!r}."
    )


def _people(frame: pd.DataFrame, *clusters: str) -> str:
    return next((f"{name}s" for name in clusters if f"{name}_id" in frame), "views")


def _of_kind(scenario: Any, kind: type, model: str) -> Any:
    if scenario is not None and not isinstance(scenario, kind):
        raise WorkbenchError(f"a {model} model takes a wb.{kind.__name__}; got {scenario!r}.")
    return scenario


def _images(model: NetworkQuality, policy: Any, frame: pd.DataFrame, scenario: ImageScenario | None) -> ImagesActing:
    card, plan = card_of(frame), scenario or ImageScenario()
    check_decidable(frame)
    context = known_context(frame, model.known_by, card.context)
    signal_free = ~has_signal(context)
    if not signal_free.any():
        raise WorkbenchError(
            f"{card.name}: every view shows a signal by {model.known_by}, so none is left to predict for."
        )
    views = frame[signal_free]
    assume = base_assumptions(card)
    ours = policy or ImagePolicy(model, assume=assume)
    outcomes = rendition_outcomes(views, plan, assume)
    return ImagesActing(model, ours, views, context[signal_free], users_of(views), plan, outcomes)


def _pages(model: NextPage, policy: Any, frame: pd.DataFrame, scenario: PrefetchScenario | None) -> PagesActing:
    card = card_of(frame)
    check_page_views(card)
    context = known_navigation_context(frame, model.known_by, card.context)
    who = users_of(frame, "user_id" if "user_id" in frame else "session_id")
    ours = policy or PrefetchPolicy(model)
    return PagesActing(model, ours, frame, context, who, scenario_for(card, scenario))
