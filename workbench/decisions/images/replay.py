"""What each rendition brings about in each view, and the figures of a policy.

Replay assumes that the rendition sent does not change the network, that a view's measured network holds for its whole
load, and that people behave the same whatever they are sent (but leave at the cap). The equivalent plain loop: for each
view, show the policy what was known before it, take its rendition, then look up how long that rendition would have
taken on the network that the view measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.load_time import load_ms
from workbench.decisions.options import Payoffs, measured_or_assumed


def rendition_payoffs(frame: pd.DataFrame, scenario: ImageScenario, assume: Mapping[str, float]) -> Payoffs:
    """Work out every rendition's outcome from what the views measured: by name, arrays of shape (rows, renditions).

    ``load_ms``; ``added_wait_ms``, the wait beyond the budget, capped; ``late``, whether there is one; ``quality``, 0
    where abandoned; ``net`` in points; ``bytes``. ``assume`` has the base value of a quantity that was not measured.
    """
    rtt_ms, downlink_mbps = (measured_or_assumed(frame, name, assume)[:, None] for name in ("rtt_ms", "downlink_mbps"))
    load = load_ms(scenario.view_bytes, rtt_ms, downlink_mbps, scenario.connection_rtts)
    excess, quality, net = scenario.judge(load)
    return {
        "load_ms": load,
        "added_wait_ms": excess,
        "late": load > scenario.budget_ms,
        "quality": quality,
        "net": net,
        "bytes": np.broadcast_to(scenario.view_bytes, load.shape),
    }


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
    """Add up one policy's outcomes, one row a view; ``slow`` (bool, shape (rows,)) marks the slowest fifth of users."""
    p50, p75, p95 = (_quantile(outcomes["load_ms"].to_numpy(), share) for share in (0.5, 0.75, 0.95))
    return ImageFigures(
        net=float(outcomes["net"].mean()),
        quality=float(outcomes["quality"].mean()),
        large_share=float((outcomes["rendition"] == len(scenario.ladder.names) - 1).mean()),
        excess_wait_ms=float(outcomes["added_wait_ms"].mean()),
        late_share=float(outcomes["late"].mean()),
        slowest_fifth_wait_ms=float(outcomes["added_wait_ms"][slow].mean()),
        mb_per_1000=float(outcomes["bytes"].mean()) * 1000 / 1e6,
        load_ms_p50=p50,
        load_ms_p75=p75,
        load_ms_p95=p95,
    )


def _quantile(load_ms: np.ndarray, share: float) -> float:
    """NumPy's interpolated quantile, but infinite, not undefined, between infinite values."""
    came = np.isfinite(load_ms)
    return float(np.quantile(load_ms, share)) if came.all() else float(np.quantile(load_ms, share, method="higher"))


def quality_at_wait(frontier: pd.DataFrame, wait_ms: float) -> float | None:
    """Quality that a frontier reaches at a given mean excess wait; None outside of what it covers."""
    by_wait = frontier.sort_values("added_wait_ms")
    if not by_wait["added_wait_ms"].iloc[0] <= wait_ms <= by_wait["added_wait_ms"].iloc[-1]:
        return None
    return float(np.interp(wait_ms, by_wait["added_wait_ms"], by_wait["quality"].cummax()))


@dataclass(frozen=True)
class TypicalView:
    """What a group of people gets: the rendition (number) of most views, its share of them, and the median load time.

    ``load_ms`` is over all views of the group as they are sent, so that policies are compared on the same views.
    """

    rendition: int
    share: float
    load_ms: float


def typical_view(outcomes: pd.DataFrame, members: np.ndarray) -> TypicalView:
    """Take the rendition that most views of a group get, the smaller in a tie; ``members``: bool, shape (rows,), one at
    least.
    """
    rendition, load_ms = (outcomes[name].to_numpy()[members] for name in ("rendition", "load_ms"))
    counts = np.bincount(rendition)
    usual = int(np.argmax(counts))
    return TypicalView(usual, float(counts[usual]) / len(rendition), float(np.median(load_ms)))
