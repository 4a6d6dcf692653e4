"""The rules of image delivery: one rendition for all, rules on a signal, lookup tables.

A rule is a callable: context frame in, one rendition name a row out. Limits are keywords.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.schema import SIGNAL_AGE_S
from workbench.datasets.splits import Split
from workbench.decisions.chances import OneOption, base_assumptions, fit_tables
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.load_time import BITS_PER_BYTE, load_ms
from workbench.decisions.option_ship import Measured, Table
from workbench.decisions.policy import Policy, call_policy, needs, policy_name, traits_of

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
# Lookup tables that teams know, by keys from coarse to fine; finer groups lean on coarser ones. Each is a rival by
# itself, beside the best by two columns of all that are known, which the decision searches.
NETWORK_KEYS = ("country", "asn")
TABLES = (("isp", "region"), NETWORK_KEYS, ("connection_type", "isp"), ("device",))


@dataclass(frozen=True)
class EffectiveType:
    """NetInfo's class, after LinkedIn's rule: large on 4g, medium on 3g, small below (W3C WebPerf WG, TPAC 2021).

    ``otherwise`` is the rendition, or another policy, for views without the signal.
    """

    large_on: tuple[str, ...] = ("4g",)
    medium_on: tuple[str, ...] = ("3g",)
    otherwise: str | Callable[..., Any] = "medium"
    name: str = "NetInfo effective type"

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns that it, or what it leaves other views to, cannot do without."""
        return ("effective_type", *_needs_of(self.otherwise))

    def __call__(self, context: pd.DataFrame, scenario: ImageScenario | None = None) -> pd.Series:
        signal = context["effective_type"]
        action = pd.Series("small", context.index)
        action = action.mask(signal.isin(self.medium_on), "medium").mask(signal.isin(self.large_on), "large")
        return action.mask(signal.isna(), _ask(self.otherwise, context, scenario))


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


@dataclass(frozen=True)
class ConnectionClass:
    """Facebook's connection class of the last measured throughput: large from "excellent", medium from "good".

    Edges of 150, 550 and 2,000 kbit/s from github.com/facebookarchive/network-connection-class. ``otherwise`` is the
    rendition, or another policy, for views without an earlier measurement.
    """

    large_from_mbps: float = 2.0
    medium_from_mbps: float = 0.55
    otherwise: str | Callable[..., Any] = "medium"
    name: str = "Facebook connection class"

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns that it, or what it leaves other views to, cannot do without."""
        return ("last_downlink_mbps", *_needs_of(self.otherwise))

    def __call__(self, context: pd.DataFrame, scenario: ImageScenario) -> np.ndarray:
        last = context["last_downlink_mbps"]
        edges = [last.isna(), last >= self.large_from_mbps, last >= self.medium_from_mbps]
        return np.select(edges, [_ask(self.otherwise, context, scenario), "large", "medium"], "small")


@dataclass(frozen=True)
class LastMeasurement:
    """The user's last measurement, taken as if it were now, while it is at most ``max_age_s`` old.

    ``otherwise`` is the rendition, or another policy, for all other views; ``assume`` has base values of quantities
    that were not measured.
    """

    max_age_s: float = 86_400.0
    otherwise: str | Callable[..., Any] = "medium"
    assume: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tables call it."""
        other = self.otherwise if isinstance(self.otherwise, str) else policy_name(self.otherwise)
        return f"last measurement up to {self.max_age_s / 3600:g} h, else {other}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns that it, or what it leaves other views to, cannot do without."""
        return ("last_age_s", *_needs_of(self.otherwise))

    def __call__(self, context: pd.DataFrame, scenario: ImageScenario) -> np.ndarray:
        last = [
            context[column].fillna(self.assume.get(quantity, np.nan))
            for column, quantity in (("last_rtt_ms", "rtt_ms"), ("last_downlink_mbps", "downlink_mbps"))
        ]
        young = context["last_age_s"].le(self.max_age_s) & last[0].notna() & last[1].notna()
        known = best_at(scenario, last[0].fillna(1).to_numpy(float), last[1].fillna(1).to_numpy(float))
        return np.where(young, known, _ask(self.otherwise, context, scenario))


def rule_table(policy: Policy, scenario: ImageScenario) -> Table | Measured | None:
    """A rule that reads one signal as a table of that signal, for a site; None where it is another.

    One that reads the last measurement is no table, but numbers that say what that is worth.
    """
    if isinstance(policy, LastMeasurement):
        worth = {
            "bits": (BITS_PER_BYTE * scenario.view_bytes).tolist(),
            "round_trips": scenario.connection_rtts,
            "budget": scenario.budget_ms,
            "longest": scenario.longest_wait_ms,
            "quality": scenario.quality.tolist(),
            "price": scenario.wait_price,
        }
        other = OneOption(policy.otherwise) if isinstance(policy.otherwise, str) else policy.otherwise
        return Measured(policy.max_age_s, policy.assume, other, worth)
    if isinstance(policy, EffectiveType):
        of = dict.fromkeys(policy.medium_on, "medium") | dict.fromkeys(policy.large_on, "large")
        return Table("effective_type", of, missing=policy.otherwise, otherwise="small")
    if isinstance(policy, ConnectionDefaults):
        link = pd.DataFrame({"connection_type": list(policy.defaults)})
        of = dict(zip(link["connection_type"], policy(link, scenario), strict=True))
        return Table("connection_type", of, missing=of["unknown"], otherwise=of["unknown"])
    if isinstance(policy, ConnectionClass):
        edges = (policy.medium_from_mbps, policy.large_from_mbps)
        of = {"0": "small", "1": "medium", "2": "large"}
        return Table("last_downlink_mbps", of, missing=policy.otherwise, otherwise="small", edges=edges)
    return None


def measured_first(otherwise: str | Policy, context: pd.DataFrame, assume: Mapping[str, float]) -> LastMeasurement:
    """What sites run: a measurement up to ten minutes old, else NetInfo's class where known, else what is given."""
    netinfo = EffectiveType(otherwise=otherwise) if "effective_type" in context else otherwise
    return LastMeasurement(SIGNAL_AGE_S, netinfo, assume)


def best_at(scenario: ImageScenario, rtt_ms: np.ndarray, downlink_mbps: np.ndarray) -> np.ndarray:
    """Name of the rendition with the largest net, were the network known to be this; shape (rows,)."""
    load = load_ms(scenario.view_bytes, rtt_ms[:, None], downlink_mbps[:, None], scenario.connection_rtts)
    net = scenario.judge(load)[2]
    return np.asarray(scenario.ladder.names, dtype=object)[np.argmax(net, axis=1)]


def _needs_of(otherwise: str | Callable[..., Any]) -> tuple[str, ...]:
    return () if isinstance(otherwise, str) else traits_of(otherwise).needs


def _ask(otherwise: str | Callable[..., Any], context: pd.DataFrame, scenario: ImageScenario | None) -> Any:
    if isinstance(otherwise, str):
        return otherwise
    return np.asarray(call_policy(otherwise, context, scenario), dtype=object)


def image_rules(split: Split, known_by: str) -> tuple[Policy, ...]:
    """The rules of image delivery, from the plainest on; add one here.

    Tables are counted on ``train`` and smoothed on all that is held out before test. A rule whose columns are not
    known on this data is listed too; comparisons print it as "not available".
    """
    assume = base_assumptions(split.card)
    tables = fit_tables(split, TABLES, known_by, "size")
    networks = tables[TABLES.index(NETWORK_KEYS)]
    signals: list[Any] = [EffectiveType(), ConnectionDefaults(), ConnectionClass()]
    last: list[Any] = [LastMeasurement(assume=assume), LastMeasurement(assume=assume, otherwise=networks)]
    return (OneOption("small"), OneOption("medium"), OneOption("large"), *signals, *last, *tables)
