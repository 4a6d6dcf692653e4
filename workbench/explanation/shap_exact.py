"""Exact SHAP values of feature rows: each distinct row once, in batches, held against the model's own margin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.features.encoding import distinct_rows

if TYPE_CHECKING:
    import xgboost

ROWS_A_BATCH = 4_000  # explained at a time: a bar moves every few seconds, and no call costs more than it brings
TOLERANCE = 1e-4  # log-odds; XGBoost sums both in float32, which on our models leaves some 1e-6
QUICK_S = 2.0  # what takes less shows no bar


@dataclass(frozen=True)
class Shares:
    """SHAP values by the feature that a reader knows.

    Parameters
    ----------
    features : tuple of str
    values : ndarray of float, shape (rows, features)
        Log-odds of the raw margin.
    base : ndarray of float, shape (rows,)
        What the values are pushes from; all of a row add up to its margin.
    """

    features: tuple[str, ...]
    values: np.ndarray
    base: np.ndarray


def unite(batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows of all batches, from those of each as :func:`workbench.features.encoding.distinct_rows` gives them.

    At least one batch. Kept meanwhile are the distinct rows of each batch, and one number a row: where all rows differ,
    all of them.
    """
    kept, places, offset = [], [], 0
    for rows, which in batches:
        kept.append(rows)
        places.append(which + offset)
        offset += len(rows)
    rows, again = distinct_rows(np.vstack(kept))
    return rows, again[np.concatenate(places)]


def exact_shap(booster: xgboost.Booster, rows: np.ndarray, sources: Sequence[str]) -> Shares:
    """Exact SHAP values (Lundberg et al. 2020, TreeSHAP, as XGBoost computes it), summed by source.

    Sums are taken in float64, and held against the margin that XGBoost itself predicts.

    Parameters
    ----------
    booster : Booster
    rows : ndarray of float32, shape (rows, columns)
    sources : sequence of str, shape (columns,)
        The feature that a reader knows, of each column.

    Returns
    -------
    Shares
        Features in the order in which they first come.

    Raises
    ------
    AssertionError
        Where values and base of a row miss its margin by more than 1e-4.
    """
    import xgboost

    features = tuple(dict.fromkeys(sources))
    summing = np.zeros((len(sources) + 1, len(features) + 1))
    summing[range(len(sources)), [features.index(source) for source in sources]] = 1
    summing[-1, -1] = 1  # the base, which XGBoost puts last
    summed = np.empty((len(rows), len(features) + 1))
    for part in with_bar(slices(len(rows), ROWS_A_BATCH), "SHAP values"):
        matrix = xgboost.DMatrix(rows[part])
        summed[part] = booster.predict(matrix, pred_contribs=True).astype(float) @ summing
        check_sum(summed[part], booster.predict(matrix, output_margin=True))
    return Shares(features, summed[:, :-1], summed[:, -1])


def as_read(values: pd.Series) -> np.ndarray:
    """Values as a reader knows them; "unknown" where there is none: object, shape (rows,).

    Examples
    --------
    >>> as_read(pd.Series(["a", None])).tolist()
    ['a', 'unknown']
    """
    return values.astype(object).where(values.notna(), "unknown").to_numpy(object)


def as_codes(shown: np.ndarray) -> np.ndarray:
    """Values as a reader knows them, numbered in the order of their names: float, shape (rows,).

    Examples
    --------
    >>> as_codes(np.array(["b", "a", "b"], dtype=object)).tolist()
    [1.0, 0.0, 1.0]
    """
    return pd.factorize(shown.astype(str), sort=True)[0].astype(float)


def check_sum(shares: np.ndarray, margin: np.ndarray) -> None:
    """Refuse shares (rows, features and base) that do not add up to the margin (rows,).

    Raises
    ------
    AssertionError
        With how far they are off.
    """
    worst = float(np.abs(shares.sum(axis=1) - margin).max(initial=0.0))
    if not worst <= TOLERANCE:
        raise AssertionError(f"SHAP values must add up to the margin; they are off by up to {worst:g}.")


def slices(total: int, size: int) -> list[slice]:
    """Slices of so many rows, the last one of those that are left."""
    return [slice(start, start + size) for start in range(0, total, size)]


def with_bar[Part](parts: Sequence[Part], what: str) -> Iterator[Part]:
    """Yield the parts of a piece of work; where it takes a while, a bar tells how far it is.

    In JupyterLab it is a widget, which leaves nothing behind; it obeys ``TQDM_DISABLE``, which is set where notebooks
    are rendered.
    """
    if len(parts) < 2:
        yield from parts
        return
    from tqdm.auto import tqdm

    yield from tqdm(parts, desc=what, unit="step", leave=False, delay=QUICK_S)
