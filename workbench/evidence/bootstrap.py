"""The paired cluster bootstrap: how far off a mean could be, had other users come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

RESAMPLES = 2000
LEVEL = 0.95
HALF_WIDTH = float(norm.ppf((1 + LEVEL) / 2))  # standard errors
RESAMPLES_A_BATCH, CELLS_A_BATCH = 250, 25_000_000


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval; ``clusters`` is how many users were resampled."""

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
    """95 % interval of a mean over rows, users resampled: at each end the wider of percentile and normal.

    Where few users carry most of a difference, resamples miss its long side, and the percentile interval alone is too
    short: in a trial (600 draws of 100 to 3,000 users of mobile_bandwidth, seeds 1 and 2) it held the mean in 92 and
    93 % of draws, this one in 96 and 97 %. ``make evidence`` counts how often this one does. Where no user stands out
    both are the same within noise.

    >>> cluster_interval(np.ones(40), np.arange(40))
    Interval(estimate=1.0, low=1.0, high=1.0, clusters=40)
    """
    (interval,) = cluster_intervals(values[:, None], clusters, seed=seed)
    return interval


def cluster_intervals(values: np.ndarray, clusters: np.ndarray, *, seed: int = 0) -> list[Interval]:
    """The same for each column of values, shape (rows, columns); all see the same resamples."""
    means = bootstrap_means(values, clusters, seed=seed)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    _, who = np.unique(clusters, return_inverse=True)
    sizes, estimates = np.bincount(who), values.mean(axis=0)
    error = HALF_WIDTH * clustered_error(np.array([np.bincount(who, each) for each in values.T]), sizes)
    bounds = zip(estimates, np.minimum(low, estimates - error), np.maximum(high, estimates + error), strict=True)
    return [Interval(float(mean), float(below), float(above), len(sizes)) for mean, below, above in bounds]


def one_standard_error(values: np.ndarray, clusters: np.ndarray, distance: np.ndarray) -> int:
    """The candidate nearest a default, of those that cannot be told apart from the best: its place.

    ``values`` has one row a candidate and one column a row of data; ``clusters`` says who each of these belongs to;
    ``distance``, shape (candidates,), is how far each candidate is from the default, ties to the first. Apart is who
    falls short of the largest mean by more than one standard error of the paired difference, clustered (Breiman et al.
    1984; Hastie et al. 2009, section 7.10): taking the largest outright follows the noise of a few rows.

    >>> one_standard_error(np.array([[0, 1, 0, 1], [1, 0, 1, 1], [0, 0, 0, 0.0]]), np.arange(4), np.array([1, 2, 0]))
    0
    """
    _, who = np.unique(clusters, return_inverse=True)
    settled = as_good_as_the_best(np.array([np.bincount(who, each) for each in values]), np.bincount(who))
    return int(np.flatnonzero(settled)[np.argmin(distance[settled])])


def as_good_as_the_best(totals: np.ndarray, sizes: np.ndarray, errors: float = 1.0) -> np.ndarray:
    """Which candidates lie within so many standard errors of the one with the largest mean: bool, shape (candidates,).

    ``totals`` are values summed by cluster, shape (candidates, clusters), ``sizes`` the rows of each cluster.
    """
    short = totals[np.argmax(totals.sum(axis=1))] - totals
    return short.sum(axis=1) / sizes.sum() <= errors * clustered_error(short, sizes)


def clustered_error(totals: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Standard error of a mean over rows whose clusters come as wholes, from sums by cluster; shape (candidates,).

    Linearised ratio of sums (Cochran 1977, Sampling Techniques, section 6.4).
    """
    mean = totals.sum(axis=1, keepdims=True) / sizes.sum()
    return np.sqrt(((totals - mean * sizes) ** 2).sum(axis=1)) / sizes.sum()
