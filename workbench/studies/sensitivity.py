"""Sensitivity: the walk over changed assumptions, one at a time, whatever the decision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class SensitivityRow:
    """Model minus best rule under one change; missing numbers where it could not be run, and why in ``note``."""

    group: str
    change: str
    difference: float
    low: float
    high: float
    verdict: str
    best_rule: str
    note: str = ""


def one_at_a_time(
    base: SensitivityRow,
    changes: Iterable[Any],
    run: Callable[[Any], SensitivityRow],
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Run a study under every change; one that cannot be run says why.

    Parameters
    ----------
    base : SensitivityRow
        The base case.
    changes : iterable
        Each with ``group`` and ``change``, its names.
    run : callable
        Gives the row of a change.
    progress : callable, optional
        Called with each change as it begins.

    Returns
    -------
    DataFrame
        One row a change, the base case first: the fields of :class:`SensitivityRow`.
    """
    rows = [base]
    for change in changes:
        if progress:
            progress(f"{change.group}: {change.change}")
        try:
            rows.append(run(change))
        except WorkbenchError as err:
            rows.append(SensitivityRow(change.group, change.change, math.nan, math.nan, math.nan, "", "", str(err)))
    return pd.DataFrame([asdict(row) for row in rows])
