"""The bootstrap: against theory, against another library, and on outcomes swapped at random."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from workbench.evidence.bootstrap import (
    as_good_as_the_best,
    bootstrap_means,
    cluster_interval,
    cluster_intervals,
    one_standard_error,
)
from workbench.evidence.verdict import count_differing, judge_difference


def test_one_row_a_user_agrees_with_scipy():
    values = np.random.default_rng(0).gamma(2, 3, 400)
    ours = cluster_interval(values, np.arange(400))
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=2000, rng=1).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.06)
    assert ours.estimate == pytest.approx(values.mean())


def test_rows_of_one_user_do_not_count_twice():
    values = np.random.default_rng(0).normal(size=200)
    once = cluster_interval(values, np.arange(200))
    copied = cluster_interval(np.repeat(values, 10), np.repeat(np.arange(200), 10))
    assert copied.half_width == pytest.approx(once.half_width, rel=0.01)
    assert cluster_interval(np.repeat(values, 10), np.arange(2000)).half_width < 0.5 * once.half_width


def test_columns_are_resampled_together_and_each_as_if_alone():
    rng = np.random.default_rng(0)
    users, values = np.arange(600) // 3, np.repeat(rng.normal(size=(200, 2)), 3, axis=0)
    together = cluster_intervals(values, users, seed=4)
    for one, column in zip(together, values.T, strict=True):
        own = cluster_interval(column, users, seed=4)
        assert (one.estimate, one.low, one.high) == pytest.approx((own.estimate, own.low, own.high))
    both, fixed = cluster_intervals(np.column_stack([values[:, 0], np.full(600, 2.0)]), users)
    assert (fixed.low, fixed.estimate, fixed.high) == (2, 2, 2)
    assert both.clusters == 200
    alone = cluster_intervals(values, np.arange(600))[0]
    assert together[0].half_width == pytest.approx(np.sqrt(3) * alone.half_width, rel=0.1)


def test_users_of_unequal_size_weigh_by_their_views():
    # One user with 3 views of 1, one with 1 view of 5: the mean over views is 2, whoever is drawn.
    means = bootstrap_means(np.array([1.0, 1, 1, 5]), np.array([7, 7, 7, 9]))
    assert sorted(set(means)) == [1, 2, 5]


def test_the_same_seed_gives_the_same_interval():
    values, users = np.arange(50.0), np.arange(50) // 2
    assert cluster_interval(values, users, seed=3) == cluster_interval(values, users, seed=3)
    assert cluster_interval(values, users, seed=3) != cluster_interval(values, users, seed=4)


def test_intervals_of_swapped_outcomes_exclude_zero_about_one_time_in_twenty():
    """Two policies' outcomes swapped at random per user: the true difference is 0."""
    rng = np.random.default_rng(11)
    users = np.repeat(np.arange(800), rng.integers(1, 6, 800))
    net = rng.gamma(0.5, 20, len(users)) * rng.choice([-1, 0, 1], len(users), p=[0.1, 0.7, 0.2])
    swapped = net[:, None] * rng.choice([-1.0, 1.0], (800, 1000))[users]
    means = bootstrap_means(swapped, users)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    assert 0.03 <= np.mean((low > 0) | (high < 0)) <= 0.07
    assert np.mean(low > 0) <= 0.05


def test_a_large_true_difference_is_seen():
    rng = np.random.default_rng(0)
    values, users = rng.normal(3, 5, 3000), np.arange(3000) // 3
    interval = cluster_interval(values, users)
    assert interval.low < 3 < interval.high
    assert judge_difference(interval, 1.0, count_differing(values, users, 100.0)) == "better"


# The one-standard-error rule


def test_of_candidates_alike_the_one_nearest_the_default_is_taken():
    rng = np.random.default_rng(0)
    net = rng.normal(size=400)
    values = np.array([net + rng.normal(0, 1, 400) * 0.1, net, net - 0.5])
    best = int(np.argmax(values.mean(axis=1)))
    assert best < 2
    assert one_standard_error(values, np.arange(400), np.array([1.0, 2.0, 0.0])) == 0
    assert one_standard_error(values, np.arange(400), np.array([2.0, 1.0, 0.0])) == 1


def test_a_difference_that_is_surely_there_is_taken_however_far_from_the_default():
    values = np.array([np.zeros(400), np.tile([0.9, 1.1], 200)])
    assert one_standard_error(values, np.arange(400), np.array([0.0, 9.0])) == 1


def test_the_error_counts_users_not_their_rows():
    """One user of ten has it all: by rows that is many standard errors, by users it is one."""
    users = np.repeat(np.arange(10), 1000)
    values = np.array([np.zeros(10_000), (users == 3) - 0.01])
    distance = np.array([0.0, 1.0])
    assert one_standard_error(values, np.arange(10_000), distance) == 1
    assert one_standard_error(values, users, distance) == 0


def test_as_good_as_the_best_is_a_paired_difference_by_user():
    # Two views a person. The second is 1 a view behind in every view: no noise, told apart. The third is behind by a
    # mean of 1 too, but by 4 for one person and ahead by 2 for another: 1, give or take sqrt(2 * 6^2) / 4 = 2.1.
    totals = np.array([[20.0, 20.0], [18.0, 18.0], [12.0, 24.0]])
    assert as_good_as_the_best(totals, np.array([2, 2])).tolist() == [True, False, True]
