"""Image policies: rules on a signal, lookup tables, the model, and the truth of the simulated world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.schema import context_columns, known_context, measured_quantities
from workbench.datasets.splits import Split
from workbench.datasets.synthetic_network import true_chance_worse
from workbench.decisions.decision import call_policy, needs
from workbench.decisions.images.expected_value import ChanceSource, Prospects, decide_by_value, image_prospects
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.load_time import load_ms
from workbench.features.network import ChanceTable, count_chances, interpolate_chance, worse_than

SMOOTHINGS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


@dataclass(frozen=True)
class Lookup:
    """A lookup table: chances counted in training by a few keys, coarse to fine, then decided by expected value.

    Parameters
    ----------
    keys : tuple of str
        Context columns; each level leans on its parent by ``smoothing`` pseudo-rows.
    smoothing : float
    limit : float
    assume : mapping
        Base values of quantities that were not measured.
    tables : mapping
        Quantity to its counts, after :meth:`fit`.
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
        losses = [_table_log_loss(replace(self, smoothing=s), validation) for s in SMOOTHINGS]
        return replace(self, smoothing=SMOOTHINGS[int(np.argmin(losses))])

    def context(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The columns that its answers depend on."""
        return known_context(frame, self.known_by)[list(self.keys)]

    def chance_worse(self, context: pd.DataFrame, quantity: str, thresholds: np.ndarray) -> np.ndarray:
        """Smoothed share of training rows of the view's group that were worse, shape (rows, thresholds)."""
        table = self.tables[quantity]
        chance = interpolate_chance(table.grid, table.shares(self.smoothing), np.asarray(thresholds, float), quantity)
        return chance[table.rows_for(context)]

    def prospects(self, context: pd.DataFrame, scenario: ImageScenario) -> Prospects:
        """What it expects of each rendition."""
        return image_prospects(self, context, scenario, self.assume)

    def __call__(self, context: pd.DataFrame, scenario: ImageScenario) -> np.ndarray:
        return decide_by_value(self, context, scenario)


def _table_log_loss(table: Lookup, validation: pd.DataFrame) -> float:
    """Mean log-loss over the table's own thresholds, all quantities together."""
    losses = []
    for quantity, counted in table.tables.items():
        rows = validation[validation[quantity].notna()]
        worse = worse_than(rows[quantity].to_numpy(float)[:, None], counted.grid, quantity)
        chance = table.chance_worse(table.context(rows), quantity, counted.grid).clip(1e-6, 1 - 1e-6)
        losses.append(-np.log(np.where(worse, chance, 1 - chance)).mean())
    return float(np.mean(losses))


# ms, Mbit/s: net/nqe/network_quality_estimator_params.cc, "default" observations by connection type.
CHROMIUM_DEFAULTS = {
    "unknown": (115.0, 1.961),
    "ethernet": (90.0, 1.456),
    "wifi": (116.0, 2.658),
    "bluetooth": (385.0, 0.476),
    "2g": (1726.0, 0.074),
    "3g": (273.0, 0.749),
    "4g": (137.0, 1.708),
    "5g": (137.0, 1.708),
    "cellular": (137.0, 1.708),
}
# Lookup tables by keys from coarse to fine; finer groups lean on coarser ones.
NETWORK_KEYS = ("country", "asn")
TABLES = (("isp", "region"), NETWORK_KEYS, ("connection_type", "isp"), ("device",))


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


@needs("connection_type")
@dataclass(frozen=True)
class ConnectionDefaults:
    """What Chromium assumes of an unmeasured connection of this type, taken as if it were measured.

    HTTP round trip in ms and throughput in Mbit/s from ``net/nqe/network_quality_estimator_params.cc``; 5g, which
    has no entry of its own there, counts as 4g, and so does "cellular", which says no more.
    """

    defaults: Mapping[str, tuple[float, float]] = field(default_factory=lambda: CHROMIUM_DEFAULTS)
    name: str = "Chromium's defaults by connection type"

    def __call__(self, context: pd.DataFrame, scenario: ImageScenario) -> np.ndarray:
        link = context["connection_type"].astype(object).where(context["connection_type"].notna(), "unknown")
        points = np.array([self.defaults[kind] for kind in link]).reshape(-1, 2)
        return best_at(scenario, points[:, 0], points[:, 1])


@needs("last_downlink_mbps")
@dataclass(frozen=True)
class ConnectionClass:
    """Facebook's connection class of the last measured throughput: large from "excellent", medium from "good".

    Edges of 150, 550 and 2,000 kbit/s from github.com/facebookarchive/network-connection-class.

    Parameters
    ----------
    otherwise : str or callable
        Rendition, or another policy, for views without an earlier measurement.
    """

    large_from_mbps: float = 2.0
    medium_from_mbps: float = 0.55
    otherwise: str | Callable[..., Any] = "medium"
    name: str = "Facebook connection class"

    def __call__(self, context: pd.DataFrame, scenario: ImageScenario) -> np.ndarray:
        last = context["last_downlink_mbps"]
        edges = [last.isna(), last >= self.large_from_mbps, last >= self.medium_from_mbps]
        return np.select(edges, [_ask(self.otherwise, context, scenario), "large", "medium"], "small")


@needs("last_age_s")
@dataclass(frozen=True)
class LastMeasurement:
    """The person's last measurement, taken as if it were now, while it is young enough.

    Parameters
    ----------
    max_age_s : float
    otherwise : str or callable
        Rendition, or another policy, for views without a young measurement.
    assume : mapping
        Base values of quantities that were not measured.
    """

    max_age_s: float = 86_400.0
    otherwise: str | Callable[..., Any] = "medium"
    assume: Mapping[str, float] = field(default_factory=dict)
    label: str = ""

    @property
    def name(self) -> str:
        """What tables call it."""
        other = self.label or (
            self.otherwise if isinstance(self.otherwise, str) else getattr(self.otherwise, "name", "")
        )
        return f"last measurement up to {self.max_age_s / 3600:g} h, else {other}"

    def __call__(self, context: pd.DataFrame, scenario: ImageScenario) -> np.ndarray:
        last = [
            context[column] if context[column].notna().any() else pd.Series(self.assume.get(quantity), context.index)
            for column, quantity in (("last_rtt_ms", "rtt_ms"), ("last_downlink_mbps", "downlink_mbps"))
        ]
        young = context["last_age_s"].le(self.max_age_s) & last[0].notna() & last[1].notna()
        known = best_at(scenario, last[0].fillna(1).to_numpy(float), last[1].fillna(1).to_numpy(float))
        return np.where(young, known, _ask(self.otherwise, context, scenario))


def best_at(scenario: ImageScenario, rtt_ms: np.ndarray, downlink_mbps: np.ndarray) -> np.ndarray:
    """Name of the rendition with the largest net, were the network known to be this; shape (rows,)."""
    load = load_ms(scenario.view_bytes, rtt_ms[:, None], downlink_mbps[:, None], scenario.connection_rtts)
    net = scenario.judge(load)[2]
    return np.asarray(scenario.ladder.names, dtype=object)[np.argmax(net, axis=1)]


def _ask(otherwise: str | Callable[..., Any], context: pd.DataFrame, scenario: ImageScenario) -> Any:
    if isinstance(otherwise, str):
        return otherwise
    return np.asarray(call_policy(otherwise, context, scenario), dtype=object)


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
        Tables are counted on ``train`` and smoothed on ``validation``.
    known_by : str, optional
        Information set; default the card's.

    Returns
    -------
    tuple of callables
        What a team would write anyway, from the plainest on. A rule whose columns are not known on this data is there
        too; comparisons print it as "not available".
    """
    known_by = known_by or split.card.known_by
    assume = base_assumptions(split.card)
    tables = [_fit_table(Lookup(keys, known_by=known_by, assume=assume), split) for keys in TABLES]
    networks = tables[TABLES.index(NETWORK_KEYS)]
    return (
        OneRendition("small"),
        OneRendition("medium"),
        OneRendition("large"),
        cast("Callable[..., Any]", EffectiveType()),
        cast("Callable[..., Any]", ConnectionDefaults()),
        cast("Callable[..., Any]", ConnectionClass()),
        cast("Callable[..., Any]", LastMeasurement(assume=assume)),
        cast("Callable[..., Any]", LastMeasurement(assume=assume, otherwise=networks)),
        *tables,
    )


def _fit_table(table: Lookup, split: Split) -> Lookup:
    """Fit and smooth, where its keys are context at all by then."""
    if not set(table.keys) <= set(context_columns(table.known_by)):
        return table
    return table.fit(split.train).smooth(split.validation)
