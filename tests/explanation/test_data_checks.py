"""Redundancy and drift: a copied column, a planted shift, shuffled labels."""

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.data_checks import ALL, ALL_BUT_SOME, drift, redundancy

import workbench as wb


@pytest.fixture(scope="module")
def redundant(few, few_model):
    return redundancy(few, few_model, alike=0.95)


def test_dropping_one_of_a_column_and_its_copy_costs_nothing_and_both_costs_much(redundant):
    assert redundant.costs["what"].tolist() == [ALL_BUT_SOME, ALL]
    one, both = (row for _, row in redundant.costs.iterrows())
    assert one["net_low"] <= 0 <= one["net_high"]
    assert abs(one["net"]) < 1.5
    assert both["net"] < one["net"]
    assert both["dropped"] == ("provider", "region") and both["kept"] == ()
    assert len(one["dropped"]) == len(one["kept"]) == 1


def test_the_cost_is_told_in_words(redundant):
    (sentence,) = redundant.sentences
    assert sentence.startswith("provider and region correlate at 0.95 or more. With ")
    assert sentence.count("within chance") + sentence.count("lost") + sentence.count("gained") == 2


def test_where_no_features_are_alike_nothing_is_trained(periods, monkeypatch):
    split = wb.split_by_user(periods[0])
    model = wb.train_network_quality(split, max_trees=5)
    monkeypatch.setattr("workbench.explanation.retraining.Retraining.without", None)
    found = redundancy(split, model)
    assert found.costs.empty
    assert found.sentences == ("No two features correlate at 0.7 or more: none stands in for another.",)


def test_of_pages_the_ground_stays_and_the_page_before_matters(small_site, small_site_model):
    found = redundancy(small_site, small_site_model)
    row = found.costs.iloc[0]
    assert row["what"] == ALL_BUT_SOME and "what follows this page" in row["kept"]
    assert row["dropped"] == ("the page before",)
    assert found.unit.name == "net hits per 100 views"


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


def test_a_planted_shift_is_found_and_named(periods):
    found = drift(*periods)
    assert found.auc.low > 0.55
    assert found.telling["column"].tolist() == ["os_family"]
    assert found.features["column"].iloc[0] == "os_family"
    assert "Most is given away by operating system." in found.sentences[0]
    assert "need not hold on the second" in found.sentences[0]
    assert (found.views, found.users, found.fewest, found.people) == ((1600, 1600), 800, 400, "users")


def test_shuffled_labels_tell_nothing(periods):
    views = pd.concat(periods)
    who = np.random.default_rng(1).permutation(800) < 400
    first = who[views["user_id"].astype(int)]
    found = drift(views[first], views[~first])
    assert found.auc.low < 0.5 < found.auc.high
    assert found.telling.empty
    assert found.sentences[0].startswith("From context alone nobody can tell the second part from the first: AUC 0.")
    assert found.finding == "The second part looks like the first"


def test_what_was_measured_is_not_looked_at(periods):
    first, second = periods
    assert drift(first, second.assign(rtt_ms=9 * second["rtt_ms"])).auc == drift(first, second).auc


def test_columns_may_be_left_aside(periods):
    found = drift(*periods, without=("os_family",))
    assert "os_family" not in set(found.features["column"])
    assert found.auc.estimate == pytest.approx(0.5, abs=0.05)


def test_a_mask_is_no_shift(periods):
    """Masked users are left out of train and kept in validation, their history and signals blank."""
    first, second = (part.assign(os_family="iOS", earlier_views=3.0, effective_type="4g") for part in periods)
    masked = second["user_id"].astype(int) % 3 == 0
    second = second.assign(
        earlier_views=np.where(masked, 0.0, 3.0), effective_type=second["effective_type"].mask(masked)
    )
    found = drift(first, second, known_by="after_accept_ch")
    assert found.finding == "The second part looks like the first"
    assert found.sentences[1] == "History and signals left aside: earlier views and NetInfo class."
    assert set(found.features["column"]) == {"os_major", "isp"}
    within = drift(first, second, known_by="after_accept_ch", history=True)
    assert within.finding == "The second part differs from the first" and within.left_aside == ()
    assert set(within.telling["column"]) <= {"earlier_views", "effective_type"}


def test_where_only_history_differs_nothing_is_left_to_compare(periods):
    first, second = (part.drop(columns=["os_family", "os_major", "isp"]) for part in periods)
    first, second = first.assign(earlier_views=np.arange(1600.0)), second.assign(earlier_views=np.arange(1600.0))
    with pytest.raises(
        wb.WorkbenchError, match="but for history and signals, which are left aside, no context differs"
    ):
        drift(first, second)
    assert drift(first, second, history=True).features["column"].tolist() == ["earlier_views"]


def test_views_too_few_for_a_tree_tell_nothing(periods):
    """35 % against 65 % of 25 users: no split leaves 20 of weight on either side, so all scores are equal."""
    rng = np.random.default_rng(0)
    parts = [part(rng, 25, share, first).groupby("user_id").head(2) for share, first in ((0.35, 0), (0.65, 25))]
    views = wb.measurements(pd.concat(parts, ignore_index=True))
    found = drift(views.iloc[:50], views.iloc[50:])
    assert (found.auc.low, found.auc.high) == (0.5, 0.5)
    assert found.finding == "Too few views to tell whether the parts differ"
    assert found.sentences == (
        "50 and 50 views are too few to tell anything: no split of a tree leaves 80 on either side.",
    )


def test_of_page_views_all_that_a_model_sees_is_tried(small_site):
    found = drift(small_site.train, small_site.validation)
    assert {"page", "device", "local_hour"} <= set(found.features["column"])
    assert "the person's earlier views" in found.left_aside
    assert found.views == (len(small_site.train), len(small_site.validation))


def test_few_users_are_warned_of(periods):
    first, second = periods
    found = drift(first, second.assign(os_major=99.0).head(400))
    (told,) = found.sentences
    assert found.finding == "The second part differs from the first"
    assert told.endswith("With 100 users in the smaller part, chance may do this more often than it says.")


def test_what_cannot_be_compared_is_said(periods, small_site):
    with pytest.raises(
        wb.WorkbenchError, match=r"two parts of one dataset, such as split\.train and split\.validation"
    ):
        drift(periods[0], small_site.train)
    with pytest.raises(wb.WorkbenchError, match="fewer than 20 users says nothing about a shift; got 10"):
        drift(periods[0], periods[1].head(40))
    with pytest.raises(wb.WorkbenchError, match="no context differs between views"):
        drift(*periods, without=("os_family", "os_major", "isp"))
    with pytest.raises(wb.WorkbenchError, match=r"expected a frame from wb\.load"):
        drift(pd.DataFrame({"a": [1]}), periods[1])


def test_the_heading_says_how_many_groups_there_are(redundant):
    assert redundant.finding == "One group of features moves together"
