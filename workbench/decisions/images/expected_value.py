"""Deciding by expected value: chances of waiting, from a model or a table, to the rendition with the largest net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.decisions.chances import ChanceSource, ask_distinct, assumed
from workbench.decisions.load_time import longest_rtt_ms, slowest_downlink_mbps
from workbench.errors import WorkbenchError

TIMES = 24  # how many load times P(load > t) is asked at, from the budget to budget + cap
RTT_QUANTILES = 15
GRID_POINTS = 64
RTT_GRID_MS = np.geomspace(1, 10_000, 64)
ROWS_A_BATCH = 4_000


@dataclass(frozen=True)
class Prospects:
    """What to expect of each rendition, a view; each array has shape (rows, renditions).

    ``late`` is the chance of missing the budget, ``abandoned`` that of reaching the cap, ``excess_wait_ms`` the
    expected excess wait.
    """

    late: np.ndarray
    abandoned: np.ndarray
    excess_wait_ms: np.ndarray

    def best(self, scenario: Any, limit: float = 1.0) -> np.ndarray:
        """Number of the rendition with the largest expected value, ties to the smaller; shape (rows,).

        ``quality * P(not abandoned) - limit * wait_price * E[excess wait]``.
        """
        gain = scenario.quality * (1 - self.abandoned)
        return np.argmax(gain - limit * scenario.wait_price * self.excess_wait_ms, axis=1)


def image_prospects(
    source: ChanceSource, context: pd.DataFrame, scenario: Any, assume: Mapping[str, float]
) -> Prospects:
    """Ask a source how long each rendition would take.

    ``P(load > t)`` is asked at 24 geometric times from the budget to budget + cap; the expected excess wait is its
    integral. Where RTT and throughput are both predicted, the chance is averaged over 15 predicted quantiles of the
    RTT, as if the two were independent given the context. A quantity that the source does not predict is the
    assumed constant.

    Parameters
    ----------
    source : ChanceSource
    context : DataFrame, shape (rows, columns)
    scenario : ImageScenario
    assume : mapping
        Base value of each quantity that the source does not predict.

    Returns
    -------
    Prospects

    Raises
    ------
    WorkbenchError
        Where neither RTT nor throughput is predicted, or the other one is neither predicted nor assumed.
    """
    distinct, which = ask_distinct(source, context)
    times = np.geomspace(scenario.budget_ms, scenario.budget_ms + scenario.cap_ms, TIMES)
    beyond = _chance_load_beyond(source, distinct, scenario, assume, times)[which]
    return Prospects(late=beyond[:, 0], abandoned=beyond[:, -1], excess_wait_ms=np.trapezoid(beyond, times, axis=1))


def _chance_load_beyond(
    source: ChanceSource,
    context: pd.DataFrame,
    scenario: Any,
    assume: Mapping[str, float],
    times: np.ndarray,
) -> np.ndarray:
    """P(load > t), shape (rows, times, renditions)."""
    shape = (len(context), len(times), len(scenario.view_bytes))
    known = {quantity: value for quantity, value in assume.items() if quantity not in source.quantities}
    if "downlink_mbps" in source.quantities:
        if "rtt_ms" in source.quantities:
            return _averaged_over_rtt(source, context, scenario, times)
        rtt_ms = assumed(known, "rtt_ms")
        slowest = slowest_downlink_mbps(scenario.view_bytes, rtt_ms, times[:, None], scenario.connection_rtts)
        return source.chance_worse(context, "downlink_mbps", slowest.ravel()).reshape(shape)
    if "rtt_ms" in source.quantities:
        downlink_mbps = assumed(known, "downlink_mbps")
        longest = longest_rtt_ms(scenario.view_bytes, downlink_mbps, times[:, None], scenario.connection_rtts).ravel()
        chance = np.ones((len(context), len(longest)))
        chance[:, longest > 0] = source.chance_worse(context, "rtt_ms", longest[longest > 0])
        return chance.reshape(shape)
    raise WorkbenchError(
        "image delivery is decided by rtt_ms or downlink_mbps; only "
        f"{', '.join(source.quantities)} was measured here, so images cannot be decided on this data."
    )


def _averaged_over_rtt(source: ChanceSource, context: pd.DataFrame, scenario: Any, times: np.ndarray) -> np.ndarray:
    rtt_ms = _quantiles(source.chance_worse(context, "rtt_ms", RTT_GRID_MS), RTT_GRID_MS)
    lowest = slowest_downlink_mbps(scenario.view_bytes[0], 0, times[-1], 1)
    highest = slowest_downlink_mbps(scenario.view_bytes[-1], 0, 1, 1)
    grid = np.geomspace(lowest, highest, GRID_POINTS)
    chance = source.chance_worse(context, "downlink_mbps", grid)
    batches = [np.empty((0, len(times), len(scenario.view_bytes)))]
    for start in range(0, len(context), ROWS_A_BATCH):
        rows = slice(start, start + ROWS_A_BATCH)
        slowest = slowest_downlink_mbps(
            scenario.view_bytes, rtt_ms[rows, :, None, None], times[:, None], scenario.connection_rtts
        )
        batches.append(_read_rows(grid, chance[rows], slowest).mean(axis=1))
    return np.concatenate(batches)


def _quantiles(chance_above: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Values at the middle of 15 equal shares, from chances of exceeding a grid; shape (rows, 15)."""
    below = np.maximum.accumulate(1 - chance_above, axis=1)
    shares = (np.arange(RTT_QUANTILES) + 0.5) / RTT_QUANTILES
    log_grid = np.log(grid)
    columns = []
    for share in shares:
        right = np.clip((below < share).sum(axis=1), 1, len(grid) - 1)
        row = np.arange(len(below))
        low, high = below[row, right - 1], below[row, right]
        part = np.clip((share - low) / np.maximum(high - low, 1e-12), 0, 1)
        columns.append(log_grid[right - 1] + part * (log_grid[right] - log_grid[right - 1]))
    return np.exp(np.column_stack(columns))


def _read_rows(grid: np.ndarray, chance: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Read each row's chances, known on an evenly geometric grid, at thresholds of its own; 1 where infinite."""
    step = np.log(grid[1] / grid[0])
    position = np.clip(np.log(np.minimum(thresholds, grid[-1]) / grid[0]) / step, 0, len(grid) - 1)
    left = np.minimum(position.astype(np.intp), len(grid) - 2)
    row = np.arange(len(chance)).reshape(-1, *[1] * (thresholds.ndim - 1))
    low, high = chance[row, left], chance[row, left + 1]
    read = low + (position - left) * (high - low)
    return np.where(np.isinf(thresholds), 1.0, read)
