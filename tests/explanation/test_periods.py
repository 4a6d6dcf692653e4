"""Scores that tell periods apart: the same area by another road, and users kept together."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from workbench.explanation.periods import Scores, auc_intervals, column_in_words, period_context, score_periods


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    later = np.repeat([False, True], 300)
    users = rng.integers(0, 80, 600)
    whole = np.round(rng.normal(later * 0.8, 1), 1)  # with ties
    return Scores(later, users, whole, {"same": whole.copy(), "lost": rng.permutation(whole)})


def test_the_area_is_that_of_scikit_learn(scores):
    auc, falls = auc_intervals(scores)
    assert auc.estimate == pytest.approx(roc_auc_score(scores.later, scores.whole), abs=1e-9)
    expected = auc.estimate - roc_auc_score(scores.later, scores.shuffled["lost"])
    assert falls["lost"].estimate == pytest.approx(expected, abs=1e-9)
    assert auc.low < auc.estimate < auc.high and auc.clusters == 80


def test_what_changes_nothing_costs_nothing(scores):
    _, falls = auc_intervals(scores)
    assert (falls["same"].estimate, falls["same"].low, falls["same"].high) == (0, 0, 0)
    assert falls["lost"].low > 0


def test_the_interval_is_that_of_resampled_users(scores):
    """By another road: a plain loop over resamples."""
    rng = np.random.default_rng(1)
    rows = [np.flatnonzero(scores.users == user) for user in np.unique(scores.users)]
    drawn = []
    for _ in range(400):
        taken = np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])
        drawn.append(roc_auc_score(scores.later[taken], scores.whole[taken]))
    auc, _ = auc_intervals(scores)
    assert [auc.low, auc.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.012)


def test_no_row_is_scored_by_what_its_own_user_taught():
    """Each user has a city of their own, in one period only: a leak would tell the periods apart."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(200), 6)
    later = np.repeat(rng.random(200) < 0.5, 6)
    context = pd.DataFrame({"city": users.astype(str), "os_major": rng.integers(8, 15, 1200).astype(float)})
    auc, _ = auc_intervals(score_periods(context, later, users, seed=0))
    assert auc.low < 0.5 < auc.high
    leaky, _ = auc_intervals(score_periods(context, later, np.arange(1200), seed=0))
    assert leaky.low > 0.8


def test_where_no_tree_splits_every_row_is_at_the_middle_whatever_the_size_of_its_fold():
    later, users = np.repeat([False, True], [53, 50]), np.arange(103)
    scores = score_periods(pd.DataFrame({"os_major": np.arange(103.0)}), later, users, seed=0)
    assert (scores.whole == 0.5).all()
    auc, _ = auc_intervals(scores)
    assert (auc.estimate, auc.low, auc.high) == (0.5, 0.5, 0.5)


def test_context_holds_neither_clocks_nor_what_never_varies(small_site):
    context = period_context(small_site.train, "navigations", "client_js", ())
    assert {"page", "device", "local_hour", "earlier_views"} <= set(context)
    assert not {"view_id", "session_id", "viewed_at", "user_id", "page_bytes", "simulated"} & set(context)
    assert "local_hour" not in period_context(small_site.train.assign(local_hour=3.0), "navigations", "client_js", ())


def test_history_has_names_of_its_own():
    assert column_in_words("here_before", "navigations") == "the person's earlier views of the page"
    assert column_in_words("device", "navigations") == "device"
