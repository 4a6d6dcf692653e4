"""The figures of one policy: what its views add up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.delivery import ImageScenario
from workbench.evaluation.image_replay import RenditionOutcomes, saves_data

HEADROOM_BUDGETS_MS = (500.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0)


@dataclass(frozen=True)
class ImageFigures:
    """Means over views, but for the quantiles of load time.

    Points (``net, quality``), shares in [0, 1] (``large_share, late_share``), milliseconds a view
    (``excess_wait_ms``, and ``slowest_fifth_wait_ms`` among the slowest fifth of users), megabytes
    (``mb_per_1000`` views; 1 MB is 10^6 bytes). A quantile of load time is infinite where that many probes were lost.
    """

    net: float
    quality: float
    large_share: float
    excess_wait_ms: float
    late_share: float
    slowest_fifth_wait_ms: float
    mb_per_1000: float
    load_ms_p50: float
    load_ms_p75: float
    load_ms_p95: float


def summarise_images(outcomes: pd.DataFrame, slow: np.ndarray, scenario: ImageScenario) -> ImageFigures:
    """Add up one policy's outcomes.

    Parameters
    ----------
    outcomes : DataFrame
        From ``replay_images``.
    slow : ndarray of bool, shape (rows,)
        Views of the slowest fifth of users.
    scenario : ImageScenario
    """
    p50, p75, p95 = (_quantile(outcomes["load_ms"].to_numpy(), share) for share in (0.5, 0.75, 0.95))
    return ImageFigures(
        net=float(outcomes["net"].mean()),
        quality=float(outcomes["quality"].mean()),
        large_share=float((outcomes["rendition"] == len(scenario.ladder.names) - 1).mean()),
        excess_wait_ms=float(outcomes["excess_wait_ms"].mean()),
        late_share=float(outcomes["late"].mean()),
        slowest_fifth_wait_ms=float(outcomes["excess_wait_ms"][slow].mean()),
        mb_per_1000=float(outcomes["bytes"].mean()) * 1000 / 1e6,
        load_ms_p50=p50,
        load_ms_p75=p75,
        load_ms_p95=p95,
    )


def _quantile(load_ms: np.ndarray, share: float) -> float:
    """NumPy's interpolated quantile, but infinite, not undefined, between infinite values."""
    came = np.isfinite(load_ms)
    return float(np.quantile(load_ms, share)) if came.all() else float(np.quantile(load_ms, share, method="higher"))


def headroom(outcomes: RenditionOutcomes, context: pd.DataFrame) -> float:
    """Net of perfect knowledge minus net of the best constant rendition: all there is to win, in points a view."""
    net = outcomes.net[~saves_data(context)]
    if not len(net):
        return 0.0
    return float((net.max(axis=1).mean() - net.mean(axis=0).max()) * len(net) / len(context))
