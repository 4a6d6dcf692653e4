"""The frontier: what a policy trades, quality against waiting, as its limit moves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.delivery import ImageScenario
from workbench.evaluation.image_replay import RenditionOutcomes, saves_data
from workbench.policies.expected_value import Prospects

# How dear waiting is to a policy, as a multiple of the declared price; 1 is the price itself.
IMAGE_LIMITS = np.geomspace(1 / 8, 8, 25)


def image_frontier(
    prospects: Prospects, outcomes: RenditionOutcomes, context: pd.DataFrame, scenario: ImageScenario
) -> pd.DataFrame:
    """Replay one policy's expectations at every limit.

    Parameters
    ----------
    prospects : Prospects
        What the policy expects of each rendition.
    outcomes : RenditionOutcomes
        What each rendition brought about, same rows.
    context : DataFrame
        Same rows; tells who saves data.
    scenario : ImageScenario

    Returns
    -------
    DataFrame
        One row a limit: ``limit, quality, excess_wait_ms, net``, means over views.
    """
    frugal = saves_data(context)
    row = np.arange(len(frugal))
    points = []
    for limit in IMAGE_LIMITS:
        action = np.where(frugal, 0, prospects.best(scenario, limit))
        chosen = [values[row, action].mean() for values in (outcomes.quality, outcomes.excess_wait_ms, outcomes.net)]
        points.append((limit, *chosen))
    return pd.DataFrame(points, columns=["limit", "quality", "excess_wait_ms", "net"])


def best_limit(
    prospects: Prospects,
    outcomes: RenditionOutcomes,
    context: pd.DataFrame,
    scenario: ImageScenario,
    users: np.ndarray,
) -> float:
    """The limit with the largest net; among those that cannot be told from it, the one nearest the declared price.

    "Cannot be told" is the one-standard-error rule (Breiman et al. 1984; Hastie et al. 2009, section 7.10), with the
    error of the paired difference clustered by user. Taking the largest outright follows the noise of a few slow
    views.

    Parameters
    ----------
    prospects, outcomes, context, scenario
        As for :func:`image_frontier`.
    users : ndarray of int, shape (rows,)
        Who each view belongs to.

    Returns
    -------
    float
        One of ``IMAGE_LIMITS``.
    """
    frugal = saves_data(context)
    row = np.arange(len(frugal))
    nets = np.array([outcomes.net[row, np.where(frugal, 0, prospects.best(scenario, limit))] for limit in IMAGE_LIMITS])
    short = nets[np.argmax(nets.mean(axis=1))] - nets
    settled = [difference.mean() <= _clustered_error(difference, users) for difference in short]
    candidates = IMAGE_LIMITS[settled]
    return float(candidates[np.argmin(np.abs(np.log(candidates)))])


def _clustered_error(values: np.ndarray, users: np.ndarray) -> float:
    """Standard error of a mean over rows whose users come as wholes."""
    sums = np.bincount(users, values - values.mean())
    return float(np.sqrt(np.sum(sums**2)) / len(values))


def quality_at_wait(frontier: pd.DataFrame, wait_ms: float) -> float | None:
    """Quality that a frontier reaches at a given mean excess wait; None outside of what it covers."""
    by_wait = frontier.sort_values("excess_wait_ms")
    if not by_wait["excess_wait_ms"].iloc[0] <= wait_ms <= by_wait["excess_wait_ms"].iloc[-1]:
        return None
    return float(np.interp(wait_ms, by_wait["excess_wait_ms"], by_wait["quality"].cummax()))
