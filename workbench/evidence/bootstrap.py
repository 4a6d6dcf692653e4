"""The paired cluster bootstrap: how far off a mean could be, had other users come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95
RESAMPLES_A_BATCH, CELLS_A_BATCH = 250, 25_000_000


@dataclass(frozen=True)
class Interval:
    """An estimate and its percentile interval.

    ``low`` and ``high`` bound 95 % of the resampled estimates; ``clusters`` is how many users were resampled.
    """

    estimate: float
    low: float
    high: float
    clusters: int

    @property
    def half_width(self) -> float:
        """Half of the interval's length."""
        return (self.high - self.low) / 2


def bootstrap_means(values: np.ndarray, clusters: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Resample whole clusters with replacement; the mean over rows of each resample.

    ``values`` is a paired difference, shape (rows,), or several quantities to be resampled together, shape (rows,
    columns); ``clusters`` says who each row belongs to. Shape (resamples,) or (resamples, columns): the sum of the
    values over the number of rows (Efron & Tibshirani 1993, An Introduction to the Bootstrap, ch. 8; Cameron & Miller
    2015 for clusters of unequal size).
    """
    _, codes = np.unique(clusters, return_inverse=True)
    n = codes.max(initial=-1) + 1
    columns = values.reshape(len(values), -1).astype(float)
    sums = np.column_stack([np.bincount(codes, column, n) for column in columns.T] + [np.bincount(codes, minlength=n)])
    rng = np.random.default_rng(seed)
    means = []
    batch = max(1, min(RESAMPLES_A_BATCH, CELLS_A_BATCH // max(int(n), 1)))  # however large, the same users are drawn
    for start in range(0, RESAMPLES, batch):
        size = min(batch, RESAMPLES - start)
        drawn = rng.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
        weights = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        totals = weights @ sums
        means.append(totals[:, :-1] / totals[:, -1:])
    stacked = np.vstack(means)
    return stacked[:, 0] if values.ndim == 1 else stacked


def cluster_interval(values: np.ndarray, clusters: np.ndarray, *, seed: int = 0) -> Interval:
    """95 % percentile interval of a mean over rows, users resampled.

    >>> cluster_interval(np.ones(40), np.arange(40))
    Interval(estimate=1.0, low=1.0, high=1.0, clusters=40)
    """
    (interval,) = cluster_intervals(values[:, None], clusters, seed=seed)
    return interval


def cluster_intervals(values: np.ndarray, clusters: np.ndarray, *, seed: int = 0) -> list[Interval]:
    """The same for each column of values, shape (rows, columns); all see the same resamples."""
    means = bootstrap_means(values, clusters, seed=seed)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    users, estimates = len(np.unique(clusters)), values.mean(axis=0)
    return [Interval(float(estimates[i]), float(low[i]), float(high[i]), users) for i in range(len(estimates))]


def one_standard_error(values: np.ndarray, clusters: np.ndarray, distance: np.ndarray) -> int:
    """The candidate nearest a default, of those that cannot be told apart from the best: its place.

    ``values`` has one row a candidate and one column a row of data; ``clusters`` says who each of these belongs to;
    ``distance``, shape (candidates,), is how far each candidate is from the default, ties to the first. Apart is who
    falls short of the largest mean by more than one standard error of the paired difference, clustered (Breiman et al.
    1984; Hastie et al. 2009, section 7.10): taking the largest outright follows the noise of a few rows.

    >>> one_standard_error(np.array([[0, 1, 0, 1], [1, 0, 1, 1], [0, 0, 0, 0.0]]), np.arange(4), np.array([1, 2, 0]))
    0
    """
    short = values[np.argmax(values.mean(axis=1))] - values
    settled = np.array([difference.mean() <= _clustered_error(difference, clusters) for difference in short])
    return int(np.flatnonzero(settled)[np.argmin(distance[settled])])


def _clustered_error(values: np.ndarray, clusters: np.ndarray) -> float:
    """Standard error of a mean over rows whose users come as wholes."""
    sums = np.bincount(clusters, values - values.mean())
    return float(np.sqrt(np.sum(sums**2)) / len(values))
