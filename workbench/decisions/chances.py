"""Policies that weigh chances of the network: the model, lookup tables, and the truth of the simulated world.

Whatever answers with chances decides by expected value: the scenario says what to expect of each option
(``scenario.prospects``), and the option with the largest expected value is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.schema import context_columns, known_context, measured_quantities
from workbench.datasets.splits import Split
from workbench.datasets.synthetic_network import true_chance_worse
from workbench.decisions.policy import traits_of
from workbench.errors import WorkbenchError
from workbench.features.network import ChanceTable, count_chances, interpolate_chance, worse_than

SMOOTHINGS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


class ChanceSource(Protocol):
    """Whatever answers with chances: a model, a table, the truth of a simulated world."""

    @property
    def quantities(self) -> tuple[str, ...]:
        """Quantities that it answers for."""

    def context(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The columns that its answers depend on."""

    def chance_worse(self, context: pd.DataFrame, quantity: str, thresholds: np.ndarray) -> np.ndarray:
        """Chance that a quantity is worse than each threshold, shape (rows, thresholds)."""


class Prospects(Protocol):
    """What to expect of each option in each view."""

    @property
    def late(self) -> np.ndarray:
        """Chance that the option comes late (or fails), shape (rows, options)."""

    def best(self, scenario: Any, limit: float = 1.0) -> np.ndarray:
        """Number of the option with the largest expected value, ties to the smaller; shape (rows,)."""


class OptionScenario(Protocol):
    """A scenario of a decision that picks one option a view."""

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options, the least demanding first."""

    def prospects(self, source: ChanceSource, context: pd.DataFrame, assume: Mapping[str, float]) -> Prospects:
        """What to expect of each option, by a source of chances."""


@runtime_checkable
class Weighs(Protocol):
    """A policy that weighs chances by expected value: its limit can be tuned, its expectations shown."""

    @property
    def limit(self) -> float:
        """How expensive a failure is to this policy, as a multiple of the declared price."""

    def prospects(self, context: pd.DataFrame, scenario: OptionScenario) -> Prospects:
        """What it expects of each option, shape (rows, options)."""


def decide_by_value(policy: Weighs, context: pd.DataFrame, scenario: OptionScenario) -> np.ndarray:
    """Name of the option with the largest expected value at the policy's limit, shape (rows,)."""
    best = policy.prospects(context, scenario).best(scenario, policy.limit)
    return np.asarray(scenario.options, dtype=object)[best]


def ask_distinct(source: ChanceSource, context: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """The distinct contexts that a source's answers depend on, and which of them each row has, shape (rows,)."""
    shown = source.context(context)
    hashed = pd.util.hash_pandas_object(shown, index=False)
    _, first, which = np.unique(hashed, return_index=True, return_inverse=True)
    return shown.iloc[first], which


def assumed(known: Mapping[str, float], quantity: str) -> float:
    """The assumed value of a quantity; refused where nothing is assumed of it."""
    if quantity not in known:
        raise WorkbenchError(
            f"{quantity} is neither measured nor assumed: say what to assume, as in "
            f"wb.measurements(df, assume={{{quantity!r}: (low, base, high)}}), or in the card's [assume]."
        )
    return known[quantity]


def base_assumptions(card: Card) -> dict[str, float]:
    """The base values of what a card assumes."""
    return {quantity: values[1] for quantity, values in card.assume.items()}


@dataclass(frozen=True)
class OneOption:
    """The same option for everybody."""

    option: str = "medium"

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"always {self.option}"

    def __call__(self, context: pd.DataFrame) -> pd.Series:
        return pd.Series(self.option, context.index)


@dataclass(frozen=True)
class ChancePolicy[Source: ChanceSource]:
    """Any source of chances as a policy; ``assume`` holds base values of quantities that were not measured."""

    source: Source
    name: str = "model"
    limit: float = 1.0
    assume: Mapping[str, float] = field(default_factory=dict)

    @property
    def kilobytes(self) -> float:
        """Size of the source where it has one, kB."""
        return traits_of(self.source).kilobytes

    def prospects(self, context: pd.DataFrame, scenario: OptionScenario) -> Prospects:
        """What it expects of each option."""
        return scenario.prospects(self.source, context, self.assume)

    def __call__(self, context: pd.DataFrame, scenario: OptionScenario) -> np.ndarray:
        return decide_by_value(self, context, scenario)


@dataclass(frozen=True)
class Lookup:
    """A lookup table: chances counted in training by a few keys, coarse to fine, then decided by expected value.

    ``keys`` are context columns; each level leans on its parent by ``smoothing`` pseudo-rows. ``assume`` holds base
    values of quantities that were not measured, ``tables`` the counts of each quantity, after :meth:`fit`.
    """

    keys: tuple[str, ...]
    smoothing: float = 30.0
    limit: float = 1.0
    known_by: str = "first_request"
    assume: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, ChanceTable] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"table by ({', '.join(self.keys)})"

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns that it cannot do without."""
        return self.keys

    @property
    def quantities(self) -> tuple[str, ...]:
        """Quantities that were counted."""
        return tuple(self.tables)

    @property
    def kilobytes(self) -> float:
        """Size of the table as one byte a share, plus its labels, kB."""
        cells = sum(sum(map(len, t.groups)) * len(t.grid) for t in self.tables.values())
        labels = sum(len(label.encode()) for t in self.tables.values() for level in t.groups for label in level)
        return (cells + labels) / 1000

    def fit(self, train: pd.DataFrame) -> Self:
        """Count on training rows; returns a fitted copy."""
        frame = known_context(train, self.known_by).join(train[measured_quantities(train)])
        tables = {quantity: count_chances(frame, self.keys, quantity) for quantity in measured_quantities(train)}
        return replace(self, tables=tables)

    def smooth(self, validation: pd.DataFrame) -> Self:
        """Pick the smoothing with the smallest log-loss on other users; returns a copy."""
        losses = np.mean([_log_losses(self, validation, quantity) for quantity in self.tables], axis=0)
        return replace(self, smoothing=SMOOTHINGS[int(np.argmin(losses))])

    def context(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The columns that its answers depend on."""
        return known_context(frame, self.known_by)[list(self.keys)]

    def chance_worse(self, context: pd.DataFrame, quantity: str, thresholds: np.ndarray) -> np.ndarray:
        """Smoothed share of training rows of the view's group that were worse, shape (rows, thresholds)."""
        table = self.tables[quantity]
        chance = interpolate_chance(table.grid, table.shares(self.smoothing), np.asarray(thresholds, float), quantity)
        return chance[table.rows_for(context)]

    def prospects(self, context: pd.DataFrame, scenario: OptionScenario) -> Prospects:
        """What it expects of each option."""
        return scenario.prospects(self, context, self.assume)

    def __call__(self, context: pd.DataFrame, scenario: OptionScenario) -> np.ndarray:
        return decide_by_value(self, context, scenario)


def _log_losses(table: Lookup, validation: pd.DataFrame, quantity: str) -> list[float]:
    """Mean log-loss over the table's own thresholds, for each smoothing."""
    counted, rows = table.tables[quantity], validation[validation[quantity].notna()]
    worse = worse_than(rows[quantity].to_numpy(float)[:, None], counted.grid, quantity)
    place, losses = counted.rows_for(table.context(rows)), []
    for smoothing in SMOOTHINGS:
        chance = interpolate_chance(counted.grid, counted.shares(smoothing), counted.grid, quantity)
        chance = chance[place].clip(1e-6, 1 - 1e-6)
        losses.append(float(-np.log(np.where(worse, chance, 1 - chance)).mean()))
    return losses


def fit_tables(split: Split, keys: Iterable[tuple[str, ...]], known_by: str) -> list[Lookup]:
    """Lookup tables counted on ``train`` and smoothed on ``held_out``; unfitted where a key is not known by then."""
    assume = base_assumptions(split.card)
    tables = [Lookup(each, known_by=known_by, assume=assume) for each in keys]
    context = set(context_columns(known_by))
    return [
        table.fit(split.train).smooth(split.held_out) if context.issuperset(table.keys) else table for table in tables
    ]


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


def true_chance(card: Card) -> ChancePolicy[TrueChance] | None:
    """The best possible prediction on a simulated card, as a policy; None where nature does not tell."""
    if card.generator != "synthetic_network":
        return None
    source = TrueChance(seed=card.generate.get("seed", 0), planted=card.generate.get("planted", True))
    return ChancePolicy(source, name="true chances")
