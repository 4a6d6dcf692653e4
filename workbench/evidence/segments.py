"""Segments: who gains and who loses, dimension by dimension. Exploratory: no verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.schema import label
from workbench.evidence.bootstrap import HALF_WIDTH, LEVEL, bootstrap_means, clustered_error
from workbench.features.levels import level_members

NO_VALUE = "no value"
COLUMNS = (
    *("dimension", "level", "users", "views"),
    *("difference", "low", "high"),
    *("added_wait_ms", "added_wait_low", "added_wait_high"),
)

Dimensions = Mapping[str, pd.Series]


def segment_table(
    dimensions: Dimensions, difference: np.ndarray, added_wait_ms: np.ndarray, users: np.ndarray, *, seed: int = 0
) -> pd.DataFrame:
    """Model minus best rule in each segment of the views, with 95 % intervals from resampled users; means a view.

    The eight levels of a dimension with most users stand by themselves; the rest, and every level under 20 users, are
    one level "other", which is left out where it is under 20 users too. A dimension that leaves a single level is left
    out.

    ``dimensions`` hold the level of each view; ``difference`` is in net, ``added_wait_ms`` in ms, ``users`` says who
    each view belongs to: shape (rows,) each. One row a segment, dimension by dimension, most users first and "other"
    last (categoricals in their order). A user may have views in several levels.
    """
    members = segment_members(dimensions, users)
    bounds = segment_intervals(np.column_stack([difference, added_wait_ms]), users, list(members.values()), seed=seed)
    rows = [
        (*name, len(np.unique(users[inside])), int(inside.sum()), *map(float, interval))
        for (name, inside), interval in zip(members.items(), bounds, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def segment_members(dimensions: Dimensions, users: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    """Which views are in which segment (bool, shape (rows,)), by dimension and level, in the order of the table."""
    found = {dimension: level_members(column, users) for dimension, column in dimensions.items()}
    return {
        (dimension, level): inside
        for dimension, levels in found.items()
        if len(levels) > 1
        for level, inside in levels.items()
    }


def level_names(views: pd.DataFrame, columns: Iterable[str], card: Card) -> dict[str, pd.Series]:
    """Columns that hold values, as texts, by their labels; "no value" where one is missing."""
    return {
        label(name, card): views[name].astype(object).where(views[name].notna(), NO_VALUE).map(str)
        for name in columns
        if name in views and views[name].notna().any()
    }


def two_levels(answer: np.ndarray, yes: str, no: str, index: pd.Index) -> pd.Series:
    """A yes or no of each view, as levels."""
    return pd.Series(np.where(answer, yes, no), index)


def segment_intervals(values: np.ndarray, users: np.ndarray, members: list[np.ndarray], *, seed: int = 0) -> np.ndarray:
    """Mean, low and high of quantities in each segment; 95 % intervals as of ``cluster_intervals``.

    All segments are resampled together, one row a user: a segment's mean is what its views add up to over how many
    they are, and the number of users drawn cancels. ``values`` has shape (rows, columns), ``members`` hold bool, shape
    (rows,); the result is float, shape (segments, 3 * columns).
    """
    if not members:
        return np.empty((0, 3 * values.shape[1]))
    _, who = np.unique(users, return_inverse=True)
    weights = np.column_stack([values, np.ones(len(values))])
    sums = np.column_stack([np.bincount(who, column * inside) for inside in members for column in weights.T])
    drawn = bootstrap_means(sums, np.arange(len(sums)), seed=seed).reshape(-1, len(members), weights.shape[1])
    bounds = np.quantile(drawn[..., :-1] / drawn[..., -1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    means = np.array([values[inside].mean(axis=0) for inside in members])
    by_segment = sums.T.reshape(len(members), weights.shape[1], -1)
    errors = HALF_WIDTH * np.array([clustered_error(each[:-1], each[-1]) for each in by_segment])
    bounds = np.minimum(bounds[0], means - errors), np.maximum(bounds[1], means + errors)
    return np.stack([means, *bounds], axis=-1).reshape(len(members), -1)
