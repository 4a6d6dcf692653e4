"""Counts of how often a network was worse than a threshold, by groups of context, coarse to fine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.datasets.splits import FEWEST_USERS

SEPARATOR = "\x1f"
# Shared by tables and model, so that both see the tail as finely as the middle: half of the grid at quantiles of
# all rows, half at quantiles of the worst fifth, where nearly all waiting is.
GRID_POINTS = 128
WORST_SHARE = 0.2
WORSE_IS_HIGH = {"rtt_ms": True, "downlink_mbps": False, "page_load_ms": True}


def worse_than(values: np.ndarray, thresholds: np.ndarray, quantity: str) -> np.ndarray:
    """Whether a value is worse than a threshold: RTT and load time strictly above, throughput strictly below."""
    return values > thresholds if WORSE_IS_HIGH[quantity] else values < thresholds


def came_back(values: np.ndarray) -> np.ndarray:
    """Values of a sample without lost probes, which are infinite."""
    return values[np.isfinite(values)]


def worst_fifth(values: np.ndarray, quantity: str) -> np.ndarray:
    """Values of the worst fifth: those beyond the quantile."""
    share = 1 - WORST_SHARE if WORSE_IS_HIGH[quantity] else WORST_SHARE
    edge = np.quantile(values, share)
    return values[values >= edge] if WORSE_IS_HIGH[quantity] else values[values <= edge]


def threshold_grid(values: np.ndarray, quantity: str) -> np.ndarray:
    """Rising thresholds that cover a sample: half its quantiles, half those of its worst fifth; ends just outside.

    Lost probes set no threshold: they are worse than all of them.
    """
    values = came_back(values)
    levels = np.linspace(0, 1, GRID_POINTS // 2)
    both = np.concatenate([np.quantile(values, levels), np.quantile(worst_fifth(values, quantity), levels)])
    return np.unique(np.concatenate([both, [values.min() * (1 - 1e-6), values.max() * (1 + 1e-6)]]))


def interpolate_chance(grid: np.ndarray, chance: np.ndarray, thresholds: np.ndarray, quantity: str) -> np.ndarray:
    """Read chances (rows, points), known on a rising grid, at other thresholds, linearly in the logarithm.

    An infinite threshold is certain. Beyond the ends of the grid the chance is 0 or 1, except that an RTT is worse than
    the largest threshold with the chance that the probe is lost.
    """
    position = np.interp(np.log(thresholds), np.log(grid), np.arange(len(grid)))
    left = np.minimum(position.astype(int), len(grid) - 2)
    read = chance[:, left] + (position - left) * (chance[:, left + 1] - chance[:, left])
    high = WORSE_IS_HIGH[quantity]
    read[:, thresholds < grid[0]] = 1.0 if high else 0.0
    read[:, np.isinf(thresholds) if high else thresholds > grid[-1]] = 0.0 if high else 1.0
    return read


def count_users(codes: np.ndarray, users: np.ndarray) -> np.ndarray:
    """How many users are in each group, from the group and the user (both whole numbers from 0) of each row.

    >>> count_users(np.array([0, 0, 0, 1]), np.array([5, 5, 6, 5])).tolist()
    [2, 1]
    """
    width = users.max(initial=0) + 1
    return np.bincount(np.unique(codes * width + users) // width)


@dataclass(frozen=True)
class ChanceTable:
    """Shares of rows worse than each threshold of a grid, by group; an unseen group answers as its parent does.

    ``keys`` are context columns, coarse to fine; level ``k`` groups by the first ``k`` of them. For each level,
    ``groups`` maps a label to its row in ``counts`` (groups, points), how many rows were worse, and ``sizes``
    (groups,).
    """

    quantity: str
    keys: tuple[str, ...]
    grid: np.ndarray
    groups: tuple[Mapping[str, int], ...]
    counts: tuple[np.ndarray, ...]
    sizes: tuple[np.ndarray, ...]

    def shares(self, smoothing: float) -> np.ndarray:
        """Smoothed shares of all groups, coarse to fine, as float (rows of ``rows_for``, points).

        Each level leans on its parent: ``(n F_group + s F_parent) / (n + s)``.
        """
        levels = [self.counts[0] / self.sizes[0][:, None]]
        for k in range(1, len(self.groups)):
            parents = [self.groups[k - 1][label.rsplit(SEPARATOR, 1)[0]] for label in self.groups[k]]
            prior = levels[-1][parents]
            levels.append((self.counts[k] + smoothing * prior) / (self.sizes[k][:, None] + smoothing))
        return np.vstack(levels)

    def rows_for(self, context: pd.DataFrame) -> np.ndarray:
        """Row of :meth:`shares` that answers for each view: its finest group that was seen in training."""
        labels = group_labels(context, self.keys)
        answer = np.zeros(len(context), int)
        offset = 0
        for known, label in zip(self.groups, labels, strict=True):
            found = label.map(known)
            answer = np.where(found.notna(), found.fillna(0).to_numpy(int) + offset, answer)
            offset += len(known)
        return answer


def group_labels(context: pd.DataFrame, keys: tuple[str, ...]) -> list[pd.Series]:
    """Label of each view's group at every level, from "everything" to all keys joined.

    A separator within a text counts as a space, so that no text reads as two.
    """
    label = pd.Series("", context.index)
    labels = [label]
    for key in keys:
        text = context[key].astype(object).where(context[key].notna(), "").astype(str)
        label = label + SEPARATOR + text.str.replace(SEPARATOR, " ", regex=False)
        labels.append(label)
    return labels


def count_chances(frame: pd.DataFrame, keys: tuple[str, ...], quantity: str, users: np.ndarray) -> ChanceTable:
    """Count, by group and threshold, how many rows were worse; rows without the quantity do not count.

    Groups of fewer than 20 of the ``users``, whose number each row has, are none: their parent answers, as for the
    levels of a model.
    """
    measured = frame[quantity].notna().to_numpy()
    frame, users = frame[measured], users[measured]
    values = frame[quantity].to_numpy(float)
    grid = threshold_grid(values, quantity)
    # How many thresholds lie strictly below (RTT) or at or below (throughput) the value: its cell in the histogram.
    cell = np.searchsorted(grid, values, side="left" if WORSE_IS_HIGH[quantity] else "right")
    groups: list[dict[str, int]] = []
    counts, sizes = [], []
    for label in group_labels(frame, keys):
        codes, known = pd.factorize(label)
        kept = count_users(codes, users) >= (FEWEST_USERS if groups else 0)
        cells = np.bincount(codes * (len(grid) + 1) + cell, minlength=len(known) * (len(grid) + 1))
        histogram = cells.reshape(len(known), len(grid) + 1)
        cumulated = histogram.cumsum(axis=1)[:, :-1]
        size = histogram.sum(axis=1)
        worse = size[:, None] - cumulated if WORSE_IS_HIGH[quantity] else cumulated
        counts.append(worse[kept])
        sizes.append(size[kept])
        groups.append({name: i for i, name in enumerate(known[kept])})
    return ChanceTable(quantity, keys, grid, tuple(groups), tuple(counts), tuple(sizes))
