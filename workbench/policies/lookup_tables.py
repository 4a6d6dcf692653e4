"""Lookup tables: chances counted in training by a few keys of context, then decided by expected value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd

from workbench.datasets.schema import known_context, measured_quantities
from workbench.delivery import ImageScenario
from workbench.features.network import ChanceTable, count_chances, interpolate_chance, worse_than
from workbench.policies.expected_value import Prospects, decide_by_value, image_prospects

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

    def smooth(self, choose: pd.DataFrame) -> Self:
        """Pick the smoothing with the smallest log-loss on other users; returns a copy."""
        losses = [_table_log_loss(replace(self, smoothing=s), choose) for s in SMOOTHINGS]
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


def _table_log_loss(table: Lookup, choose: pd.DataFrame) -> float:
    """Mean log-loss over the table's own thresholds, all quantities together."""
    losses = []
    for quantity, counted in table.tables.items():
        rows = choose[choose[quantity].notna()]
        worse = worse_than(rows[quantity].to_numpy(float)[:, None], counted.grid, quantity)
        chance = table.chance_worse(table.context(rows), quantity, counted.grid).clip(1e-6, 1 - 1e-6)
        losses.append(-np.log(np.where(worse, chance, 1 - chance)).mean())
    return float(np.mean(losses))
