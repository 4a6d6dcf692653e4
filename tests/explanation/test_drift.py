"""Drift: a planted shift is found, shuffled labels tell nothing, users are kept together."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import workbench as wb
from workbench.datasets.cards import Card
from workbench.evidence.bootstrap import Interval
from workbench.explanation import drift
from workbench.explanation.drift import Drift, _context, _scores, auc_interval, mean_over_folds


def part(rng, users, ios, first=0):
    """Views of users, a share of whom have iOS; versions and hours are the same in every period."""
    who = np.repeat(np.arange(first, first + users), 4)
    system = np.where(rng.random(users) < ios, "iOS", "Android")[who - first]
    return pd.DataFrame(
        {
            "user_id": who.astype(str),
            "os_family": system,
            "os_major": rng.integers(8, 15, len(who)),
            "isp": rng.choice(list("abcdef"), len(who)),
            "rtt_ms": rng.lognormal(4, 0.3, len(who)),
            "downlink_mbps": rng.lognormal(2, 0.8, len(who)),
        }
    )


@pytest.fixture(scope="module")
def periods():
    rng = np.random.default_rng(0)
    views = wb.measurements(pd.concat([part(rng, 400, 0.3), part(rng, 400, 0.6, first=400)], ignore_index=True))
    return views.iloc[:1600], views.iloc[1600:]


def test_a_planted_shift_is_found_and_named_whatever_was_measured(periods):
    first, second = periods
    found = drift(first, second)
    assert found.auc.low > 0.55
    assert found.drifted["column"].tolist() == ["os_family"] == found.features["column"].head(1).tolist()
    assert "operating system" in found.sentences[0] and "may not hold" in found.sentences[0]
    assert "differs" in found.finding
    assert (found.views, found.users, found.fewest, found.people) == ((1600, 1600), 800, 400, "users")
    assert drift(first, second.assign(rtt_ms=9 * second["rtt_ms"])).auc == found.auc
    less = drift(first, second, without=("os_family",))
    assert "os_family" not in set(less.features["column"])
    assert less.auc.estimate == pytest.approx(0.5, abs=0.05)


def test_a_study_of_views_of_nobody_goes_by_time_and_sees_the_shift(periods):
    """Another provider carries the later half; where rows are drawn at random, no part differs from another."""
    later = np.arange(3200) >= 1600
    views = pd.concat(periods).drop(columns="user_id")
    times = pd.Timestamp("2026-01-01T00:00Z") + pd.to_timedelta(np.arange(3200), unit="min")
    views = wb.measurements(views.assign(measured_at=times, isp=np.where(later, "new", "old")))
    result = wb.study(views.sample(frac=1, random_state=0))
    assert (result.split.how, result.split.people) == ("by time", "views")
    assert "the split is by time" in str(result)
    assert drift(result.split.train, result.split.validation).auc.low > 0.9
    drawn = wb.split_by_user(views)
    assert drift(drawn.train, drawn.validation).auc.low < 0.55
    assert "views drawn at random" in wb.compare(drawn, wb.train_network_quality(drawn)).to_dict()["split"]["how"]


def test_shuffled_labels_tell_nothing(periods):
    views = pd.concat(periods)
    who = np.random.default_rng(1).permutation(800) < 400
    first = who[views["user_id"].astype(int)]
    found = drift(views[first], views[~first])
    assert found.auc.low < 0.5 < found.auc.high
    assert found.drifted.empty
    assert "looks like the training data" in found.finding


def test_a_mask_is_no_shift(periods):
    """Masked users are left out of train and kept in validation, their history and signals blank."""
    first, second = (each.assign(os_family="iOS", earlier_views=3.0, effective_type="4g") for each in periods)
    masked = second["user_id"].astype(int) % 3 == 0
    second = second.assign(
        earlier_views=np.where(masked, 0.0, 3.0), effective_type=second["effective_type"].mask(masked)
    )
    found = drift(first, second, known_by="after_accept_ch")
    assert "looks like" in found.finding
    assert found.sentences[1] == "Not compared: earlier views and NetInfo class."
    assert set(found.features["column"]) == {"os_major", "isp"}
    within = drift(first, second, known_by="after_accept_ch", history=True)
    assert "differs" in within.finding and within.excluded == ()
    assert set(within.drifted["column"]) <= {"earlier_views", "effective_type"}


def test_of_pages_context_alone_is_compared(small_site):
    found = drift(small_site.train, small_site.validation, rows=600)
    assert {"page", "device", "local_hour"} <= set(found.features["column"])
    assert not {"view_id", "session_id", "viewed_at", "user_id", "page_bytes"} & set(found.features["column"])
    assert found.people == "users" and max(found.views) <= 600
    assert "local_hour" not in _context(small_site.train.assign(local_hour=3.0), "client_js", small_site.card)


def test_what_cannot_be_compared_is_said(periods, small_site):
    first, second = periods
    bare = [each.drop(columns=["os_family", "os_major", "isp"]) for each in periods]
    with pytest.raises(wb.WorkbenchError, match="no context differs between views, so nothing"):
        drift(*bare)
    with pytest.raises(wb.WorkbenchError, match="besides history and signals"):
        drift(*(each.assign(earlier_views=np.arange(1600.0)) for each in bare))
    with pytest.raises(wb.WorkbenchError, match=r"at least 20 users; got .* of 10"):
        drift(first, second.head(40))
    with pytest.raises(wb.WorkbenchError, match="two parts of one dataset"):
        drift(first, small_site.train)
    with pytest.raises(wb.WorkbenchError, match="rows must be a whole number from 1"):
        drift(first, second, rows=0)


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    later = np.repeat([False, True], 300)
    return np.round(rng.normal(later * 0.8, 1), 1), later, rng.integers(0, 80, 600)  # with ties


def test_the_area_is_that_of_scikit_learn(scores):
    whole, later, users = scores
    auc = auc_interval(*scores)
    assert auc.estimate == pytest.approx(roc_auc_score(later, whole), abs=1e-9)
    assert auc.low < auc.estimate < auc.high and auc.clusters == len(np.unique(users))


def test_the_interval_of_a_fall_is_that_of_few_folds_which_share_views():
    """By hand: folds at 1, 2, 3 have a variance of 1, times 1/3 + 1/2; Student's t is 4.3027 (2 degrees of freedom)."""
    found = mean_over_folds(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]))
    assert found["fall"].tolist() == [2, 5]
    assert found.loc[0, "high"] - 2 == pytest.approx(4.3027 * np.sqrt(5 / 6), abs=1e-3)
    assert found.loc[0, "low"] == pytest.approx(4 - found.loc[0, "high"])
    assert found.loc[1, ["low", "high"]].tolist() == [5, 5]


def test_the_interval_is_that_of_resampled_users(scores):
    """By another road: a plain loop over resamples."""
    whole, later, users = scores
    rng = np.random.default_rng(1)
    rows = [np.flatnonzero(users == user) for user in np.unique(users)]
    drawn = []
    for _ in range(400):
        taken = np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])
        above = whole[taken][later[taken]][:, None] - whole[taken][~later[taken]]
        drawn.append(np.mean(above > 0) + np.mean(above == 0) / 2)
    auc = auc_interval(*scores)
    assert [auc.low, auc.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.012)


def test_no_row_is_scored_by_what_its_own_user_taught():
    """Each user has a city of their own, in one period only: a leak would tell the periods apart."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(200), 6)
    later = np.repeat(rng.random(200) < 0.5, 6)
    context = pd.DataFrame({"city": users.astype(str), "os_major": rng.integers(8, 15, 1200).astype(float)})
    auc = auc_interval(_scores(context, later, users, seed=0)[0], later, users)
    assert auc.low < 0.5 < auc.high
    alone = np.arange(1200)
    leaky = auc_interval(_scores(context, later, alone, seed=0)[0], later, alone)
    assert leaky.low > 0.8


def test_where_no_tree_splits_all_are_at_chance():
    later, users = np.repeat([False, True], [53, 50]), np.arange(103)
    whole, falls = _scores(pd.DataFrame({"os_major": np.arange(103.0)}), later, users, seed=0)
    assert (whole == 0.5).all() and (falls == 0).all()
    auc = auc_interval(whole, later, users)
    assert (auc.estimate, auc.low, auc.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("auc", "finding", "words"),
    [
        ((0.50, 0.48, 0.52), "looks like", "does not separate"),
        ((0.55, 0.52, 0.58), "hardly differs", "barely better than chance"),
        ((0.65, 0.55, 0.75), "differs", "somewhat"),
        ((0.80, 0.75, 0.85), "differs", "clearly"),
        ((0.60, 0.45, 0.75), "Not enough data to tell", "no shift and with a clear one"),
        ((0.50, 0.50, 0.50), "Too few views", "too few"),
    ],
)
def test_the_sentence_says_how_sure_it_is(auc, finding, words):
    features = pd.DataFrame([("isp", "provider", 0.1, 0.05, 0.2)], columns=["column", "feature", "fall", "low", "high"])
    found = Drift(Interval(*auc, 90), features, (500, 400), 90, 30, "users", Card("made"))
    assert finding in found.finding and words in found.sentences[0]
    assert ("provider" in found.sentences[0]) == (auc[1] > 0.5)
