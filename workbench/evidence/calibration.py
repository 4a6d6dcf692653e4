"""Calibration: do predicted chances come true as often as they say?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

from workbench.models.boosting import SMALLEST_CHANCE, fit_platt


@dataclass(frozen=True)
class Calibration:
    """How good chances of one event are.

    ``slope`` and ``intercept`` are those of a logistic regression of the event on the logit of its chance: 1 and 0
    for a calibrated forecast (Cox 1958). They, ``auc`` and ``log_loss`` are None where the event always or never
    happened.
    """

    share: float
    log_loss: float | None
    auc: float | None
    slope: float | None
    intercept: float | None


def measure_calibration(event: np.ndarray, chance: np.ndarray) -> Calibration:
    """Measure chances against what happened; both arrays have shape (rows,)."""
    event = np.asarray(event, int)
    share = float(event.mean())
    if share in (0.0, 1.0):
        return Calibration(share, None, None, None, None)
    chance = np.clip(chance, SMALLEST_CHANCE, 1 - SMALLEST_CHANCE)
    logit = np.log(chance / (1 - chance))
    if np.ptp(logit) == 0:
        return Calibration(share, float(log_loss(event, chance)), 0.5, None, None)
    slope, intercept = fit_platt(logit, event)
    loss, auc = float(log_loss(event, chance)), float(roc_auc_score(event, chance))
    return Calibration(share, loss, auc, slope, intercept)


def reliability(event: np.ndarray, chance: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Predicted chance against observed share in bins of equal size, one row a bin: ``chance, share, rows``."""
    ranked = pd.Series(chance).rank(method="first")
    bin_of = pd.qcut(ranked, min(bins, len(ranked)), labels=False)
    table = pd.DataFrame({"chance": chance, "share": np.asarray(event, float)}).groupby(bin_of)
    return table.mean().assign(rows=table.size()).reset_index(drop=True)
