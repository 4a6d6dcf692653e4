"""Image policies: rules on a signal, lookup tables, the model, and the truth of the simulated world.

A policy is a callable: context frame in, one rendition name a row out. Limits are keywords.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.schema import context_columns, known_context
from workbench.datasets.splits import Split
from workbench.datasets.synthetic_network import true_chance_worse
from workbench.delivery import ImageScenario
from workbench.policies.expected_value import ChanceSource, Prospects, decide_by_value, image_prospects
from workbench.policies.lookup_tables import Lookup

AnyPolicy = TypeVar("AnyPolicy", bound=Callable[..., Any])


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


@dataclass(frozen=True)
class OneRendition:
    """One rendition for everybody."""

    rendition: str = "medium"

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"always {self.rendition}"

    def __call__(self, context: pd.DataFrame) -> pd.Series:
        return pd.Series(self.rendition, context.index)


@needs("effective_type")
@dataclass(frozen=True)
class EffectiveType:
    """NetInfo's class, after LinkedIn's rule: large on 4g, medium on 3g, small below (W3C WebPerf WG, TPAC 2021).

    Parameters
    ----------
    large_on, medium_on : tuple of str
        Classes that get the rendition; any other class gets the small one.
    otherwise : str or callable
        Rendition, or another policy, for views without the signal.
    """

    large_on: tuple[str, ...] = ("4g",)
    medium_on: tuple[str, ...] = ("3g",)
    otherwise: str | Callable[[pd.DataFrame], pd.Series] = "medium"
    name: str = "NetInfo effective type"

    def __call__(self, context: pd.DataFrame) -> pd.Series:
        signal = context["effective_type"]
        action = pd.Series("small", context.index)
        action = action.mask(signal.isin(self.medium_on), "medium").mask(signal.isin(self.large_on), "large")
        other = self.otherwise(context) if callable(self.otherwise) else self.otherwise
        return action.mask(signal.isna(), other)


@dataclass(frozen=True)
class ImagePolicy:
    """Any source of chances as a policy: the model, or the truth of a simulated world.

    Parameters
    ----------
    source : ChanceSource
    name : str
    kind : str
        ``"model"`` or ``"reference"``.
    limit : float
    assume : mapping
        Base values of quantities that were not measured.
    """

    source: ChanceSource
    name: str = "model"
    kind: str = "model"
    limit: float = 1.0
    assume: Mapping[str, float] = field(default_factory=dict)

    @property
    def kilobytes(self) -> float | None:
        """Size of the source where it has one, kB."""
        return getattr(self.source, "kilobytes", None)

    def prospects(self, context: pd.DataFrame, scenario: ImageScenario) -> Prospects:
        """What it expects of each rendition."""
        return image_prospects(self.source, context, scenario, self.assume)

    def __call__(self, context: pd.DataFrame, scenario: ImageScenario) -> np.ndarray:
        return decide_by_value(self, context, scenario)


@dataclass(frozen=True)
class TrueChance:
    """The true chances of the simulated world for the context that is known, rebuilt from the world's seed."""

    seed: int
    planted: bool
    quantities: tuple[str, ...] = ("rtt_ms", "downlink_mbps")

    def context(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What a first request tells, whatever else the frame holds."""
        return known_context(frame, "first_request")

    def chance_worse(self, context: pd.DataFrame, quantity: str, thresholds: np.ndarray) -> np.ndarray:
        """Exact chance that a quantity is worse than each threshold, shape (rows, thresholds)."""
        return true_chance_worse(context, quantity, thresholds, seed=self.seed, planted=self.planted)


def base_assumptions(card: Card) -> dict[str, float]:
    """The base values of what a card assumes."""
    return {quantity: values[1] for quantity, values in card.assume.items()}


def true_chance(card: Card) -> ImagePolicy | None:
    """The reference policy of a simulated card; None where nature does not tell."""
    if card.generator != "synthetic_network":
        return None
    source = TrueChance(seed=card.generate.get("seed", 0), planted=card.generate.get("planted", True))
    return ImagePolicy(source, name="true chances", kind="reference")


def image_rules(split: Split, *, known_by: str | None = None) -> tuple[Callable[..., Any], ...]:
    """The rules that a model must beat, fitted on a split's train part.

    Parameters
    ----------
    split : Split
        Tables are counted on ``train`` and smoothed on ``choose``.
    known_by : str, optional
        Information set; default the card's.

    Returns
    -------
    tuple of callables
        See ``RECIPES`` at the foot of this module. A rule whose columns are not known on this data is there too;
        comparisons print it as "not available".
    """
    known_by = known_by or split.card.known_by
    known = set(context_columns(known_by))
    rules: list[Callable[..., Any]] = []
    for recipe in RECIPES:
        if isinstance(recipe, Lookup) and set(recipe.keys) <= known:
            table = replace(recipe, known_by=known_by, assume=base_assumptions(split.card))
            rules.append(table.fit(split.train).smooth(split.choose))
        else:
            rules.append(recipe)
    return tuple(rules)


# What a team would write anyway, from the plainest on. Tables answer for any view; finer keys lean on coarser ones.
RECIPES: tuple[Callable[..., Any], ...] = (
    OneRendition("small"),
    OneRendition("medium"),
    OneRendition("large"),
    cast("Callable[..., Any]", EffectiveType()),
    Lookup(("isp", "region")),
    Lookup(("country", "asn")),
    Lookup(("connection_type", "isp")),
)
