"""Policies that weigh chances of the network: the model, lookup tables, and the truth of the simulated world.

Whatever answers with chances decides by expected value: the scenario says what to expect of each option
(``scenario.prospects``), and the option with the largest expected value is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.columns import Column, listed
from workbench.datasets.schema import context_columns, known_context, label, measured_quantities
from workbench.datasets.splits import Split, users_of
from workbench.datasets.synthetic_network import true_chance_worse
from workbench.decisions.policy import BEST_POSSIBLE, kilobytes_of
from workbench.errors import WorkbenchError
from workbench.features.levels import bin_edges, is_number, put_in_bins
from workbench.features.network import ChanceTable, count_chances, interpolate_chance, worse_than
from workbench.models.boosting import NotFittedError

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

    def shipped(self, quantities: Sequence[str], assume: Mapping[str, float]) -> dict[str, Any]:
        """The same as numbers, for a site: the fields of :class:`workbench.decisions.option_ship.Worth`."""


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
        return kilobytes_of(self.source)

    def prospects(self, context: pd.DataFrame, scenario: OptionScenario) -> Prospects:
        """What it expects of each option."""
        return scenario.prospects(self.source, context, self.assume)

    def __call__(self, context: pd.DataFrame, scenario: OptionScenario) -> np.ndarray:
        return decide_by_value(self, context, scenario)


@dataclass(frozen=True)
class Lookup:
    """A lookup table: chances counted in training by a few keys, coarse to fine, then decided by expected value.

    ``keys`` are context columns, those of the card (``extra``) included; numbers are put in eight bins of about equally
    many rows. Each level leans on its parent by ``smoothing`` pseudo-rows. ``assume`` holds base values of quantities
    that were not measured, ``tables`` the counts of each quantity and ``edges`` the bins of each number, after
    :meth:`fit`. ``searched`` is the scenario under which the keys were searched; None where they were given.
    ``chooses`` is what one option is called, ``labels`` what readers see of the keys.
    """

    keys: tuple[str, ...]
    smoothing: float = 30.0
    limit: float = 1.0
    known_by: str = "first_request"
    assume: Mapping[str, float] = field(default_factory=dict)
    extra: tuple[Column, ...] = field(default=(), repr=False)
    searched: Any = field(default=None, repr=False)
    chooses: str = "option"
    labels: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    tables: Mapping[str, ChanceTable] = field(default_factory=dict, compare=False, repr=False)
    edges: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """What tables call it."""
        found = "" if self.searched is None else ", searched"
        labels = [self.labels.get(key, key) for key in self.keys] or ["column"]
        return f"most fitting {self.chooses} per {listed(labels)}{found}"

    @property
    def unavailable(self) -> str:
        """Why it cannot be used at all."""
        return "" if self.keys else "no column of the context varies"

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
        """Count on training rows, without groups of fewer than 20 users; returns a fitted copy."""
        known = known_context(train, self.known_by, self.extra)
        edges = {key: bin_edges(known[key].to_numpy()) for key in self.keys if is_number(known[key])}
        fitted, quantities = replace(self, edges=edges), measured_quantities(train)
        frame = fitted.context(train).join(train[quantities])
        users = users_of(train)
        counted = {quantity: count_chances(frame, self.keys, quantity, users) for quantity in quantities}
        return replace(fitted, tables=counted)

    def smooth(self, validation: pd.DataFrame) -> Self:
        """Pick the smoothing with the smallest log-loss on other users; returns a copy."""
        losses = np.mean([_log_losses(self, validation, quantity) for quantity in self.tables], axis=0)
        return replace(self, smoothing=SMOOTHINGS[int(np.argmin(losses))])

    def context(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The columns that its answers depend on, numbers as the bins that they are in."""
        known = known_context(frame, self.known_by, self.extra)[list(self.keys)]
        return known.assign(**{key: put_in_bins(known[key], edges) for key, edges in self.edges.items()})

    def chance_worse(self, context: pd.DataFrame, quantity: str, thresholds: np.ndarray) -> np.ndarray:
        """Smoothed share of training rows of the view's group that were worse, shape (rows, thresholds)."""
        self._check_fitted()
        table = self.tables[quantity]
        chance = interpolate_chance(table.grid, table.shares(self.smoothing), np.asarray(thresholds, float), quantity)
        return chance[table.rows_for(self.context(context))]

    def prospects(self, context: pd.DataFrame, scenario: OptionScenario) -> Prospects:
        """What it expects of each option."""
        self._check_fitted()
        return scenario.prospects(self, context, self.assume)

    def __call__(self, context: pd.DataFrame, scenario: OptionScenario) -> np.ndarray:
        return decide_by_value(self, context, scenario)

    def _check_fitted(self) -> None:
        if not self.tables:
            raise NotFittedError(f"{self.name} has not counted anything yet; take fit(split.train).")


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


def lookup_table(card: Card, keys: tuple[str, ...], known_by: str, chooses: str, searched: Any = None) -> Lookup:
    """A lookup table with what a card assumes, declares and calls its columns; nothing is counted yet."""
    return Lookup(
        keys,
        known_by=known_by,
        assume=base_assumptions(card),
        extra=card.context,
        searched=searched,
        chooses=chooses,
        labels={key: _own_label(key, card) for key in keys},
    )


def _own_label(key: str, card: Card) -> str:
    """The label of a column, with its name behind it where another column is called the same."""
    alike = [each for each in context_columns("never", card.context) if label(each, card) == label(key, card)]
    return f"{label(key, card)} [{key}]" if len(alike) > 1 else label(key, card)


def fit_tables(split: Split, keys: Iterable[tuple[str, ...]], known_by: str, chooses: str = "option") -> list[Lookup]:
    """Lookup tables counted on ``train`` and smoothed on ``held_out``; unfitted where a key is not known by then."""
    tables = [lookup_table(split.card, each, known_by, chooses) for each in keys]
    context = set(context_columns(known_by, split.card.context))
    return [
        table.fit(split.train).smooth(split.held_out) if context.issuperset(table.keys) else table for table in tables
    ]


class TriedTable(NamedTuple):
    """A table that was tried: its keys, its groups seen in training, its net by user held out, shape (users,)."""

    keys: tuple[str, ...]
    groups: int
    net: np.ndarray


def try_tables(
    contexts: tuple[pd.DataFrame, pd.DataFrame], nets: tuple[np.ndarray, np.ndarray], users: np.ndarray
) -> list[TriedTable]:
    """Try a table by each column of context, and by each pair of them.

    Each group takes the option with the largest mean net in training. Its mean leans on that of all rows, a pair's
    first on that of one of its columns: ``(sum + s * parent) / (rows + s)``. Which column, and ``s``, have the
    smallest squared error on held-out views. No table is fitted for that: a pair takes a count of its rows and nets.

    Parameters
    ----------
    contexts : pair of DataFrame
        Of training and held-out views, with the same columns; numbers are put in bins, columns of one value left out.
    nets : pair of ndarray of float, shape (rows, options)
        What each option is worth in these views.
    users : ndarray of int, shape (rows held out,)
        Whose each held-out view is, from 0.
    """
    levels, trials = _levels(*contexts), []
    everybody = dict.fromkeys(SMOOTHINGS, nets[0].mean(axis=0, keepdims=True))
    means = {}
    for name, level in levels.items():
        groups = _Groups(level, nets)
        means[name] = groups.means(everybody, np.zeros(level.max() + 1, int))
        trials.append(groups.trial({(name,): means[name]}, users))
    for one, other in itertools.combinations(levels, 2):
        width = levels[other].max() + 1
        group, found = pd.factorize(levels[one] * width + levels[other])
        groups = _Groups(group, nets)
        leaning: dict[tuple[str, ...], dict[float, np.ndarray]] = {
            (one, other): groups.means(means[one], found // width),
            (other, one): groups.means(means[other], found % width),
        }
        trials.append(groups.trial(leaning, users))
    return trials


def _levels(train: pd.DataFrame, held_out: pd.DataFrame) -> dict[str, np.ndarray]:
    """Number of each view's level from 0, training views first, for every column with two or more in both parts."""
    levels = {}
    for name in train:
        both = pd.concat([train[name], held_out[name]])
        if is_number(both):
            edges, numbers = bin_edges(train[name].to_numpy()), both.to_numpy()
            both = pd.Series(np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers, side="right")))
        level = pd.factorize(both, use_na_sentinel=False)[0]
        if all(len(np.unique(part)) > 1 for part in np.split(level, [len(train)])):
            levels[str(name)] = level
    return levels


class _Groups:
    """Views by group: how many, and the sum of each option's net, of training and held-out views."""

    def __init__(self, group: np.ndarray, nets: tuple[np.ndarray, np.ndarray]) -> None:
        parts, number = np.split(group, [len(nets[0])]), group.max() + 1
        self.group, self.net = parts[1], nets[1]
        self.rows = [np.bincount(part, minlength=number)[:, None] for part in parts]
        self.sums = [
            np.column_stack([np.bincount(part, each, number) for each in net.T])
            for part, net in zip(parts, nets, strict=True)
        ]

    def means(self, parents: Mapping[float, np.ndarray], parent: np.ndarray) -> dict[float, np.ndarray]:
        """Mean net of each option in training, (groups, options), leaning on a parent's, by smoothing."""
        return {s: (self.sums[0] + s * means[parent]) / (self.rows[0] + s) for s, means in parents.items()}

    def trial(self, means: Mapping[tuple[str, ...], Mapping[float, np.ndarray]], users: np.ndarray) -> TriedTable:
        """The means that are nearest to the held-out nets, and what is earned by them."""
        each = [(keys, mean) for keys, by_smoothing in means.items() for mean in by_smoothing.values()]
        errors = [(mean * (self.rows[1] * mean - 2 * self.sums[1])).sum() for _, mean in each]
        keys, mean = each[int(np.argmin(errors))]
        taken = np.argmax(mean, axis=1)[self.group]
        earned = np.bincount(users, self.net[np.arange(len(taken)), taken])
        return TriedTable(keys, int((self.rows[0] > 0).sum()), earned)


@dataclass(frozen=True)
class TrueChance:
    """The true chances of the simulated world for the context that is known, rebuilt from the world's seed."""

    seed: int
    planted: bool
    quantities: tuple[str, ...] = ("rtt_ms", "downlink_mbps")

    def context(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What is known at the first request, whatever else the frame holds."""
        return known_context(frame, "first_request")

    def chance_worse(self, context: pd.DataFrame, quantity: str, thresholds: np.ndarray) -> np.ndarray:
        """Exact chance that a quantity is worse than each threshold, shape (rows, thresholds)."""
        return true_chance_worse(context, quantity, thresholds, seed=self.seed, planted=self.planted)


def true_chance(card: Card) -> ChancePolicy[TrueChance] | None:
    """The best possible prediction on a simulated card, as a policy; None elsewhere, where nobody knows it."""
    if card.generator != "synthetic_network":
        return None
    source = TrueChance(seed=card.generate.get("seed", 0), planted=card.generate.get("planted", True))
    return ChancePolicy(source, name=BEST_POSSIBLE)
