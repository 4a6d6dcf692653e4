"""Redundancy and drift: a copied column, a planted shift, shuffled labels."""

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.evaluation.bootstrap import Interval
from workbench.explanation.data_checks import ALL, ALL_BUT_SOME, Drift, drift, redundancy, spokesman


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
    monkeypatch.setattr("workbench.explanation.retraining.Workshop.without", None)
    found = redundancy(split, model)
    assert found.costs.empty
    assert found.sentences == ("No two features correlate at 0.7 or more: none stands in for another.",)


def test_of_pages_the_ground_stays_and_the_page_before_matters(small_site, small_site_model):
    found = redundancy(small_site, small_site_model)
    row = found.costs.iloc[0]
    assert row["what"] == ALL_BUT_SOME and "what follows this page" in row["kept"]
    assert row["dropped"] == ("the page before",)
    assert found.unit.name == "net hits per 100 views"


def test_the_spokesman_is_nearest_to_all(redundant):
    assert spokesman(("provider", "region"), redundant.groups) in ("provider", "region")


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
    assert found.giveaways["column"].tolist() == ["os_family"]
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
    assert found.giveaways.empty
    assert found.sentences[0].startswith("From context alone nobody can tell the second part from the first: AUC 0.")


def test_what_was_measured_is_not_looked_at(periods):
    first, second = periods
    assert drift(first, second.assign(rtt_ms=9 * second["rtt_ms"])).auc == drift(first, second).auc


def test_columns_may_be_left_aside(periods):
    found = drift(*periods, without=("os_family",))
    assert "os_family" not in set(found.features["column"])
    assert found.auc.estimate == pytest.approx(0.5, abs=0.05)


def told(periods, auc, **row):
    table = pd.DataFrame([{"fall": 0.1, "low": 0.05, "high": 0.2} | row])
    return Drift(auc, table, (1, 1), 900, 400, "users", wb.split_by_user(periods[0]).card).sentences[0]


def test_history_grows_with_time_and_that_is_said(periods):
    said = told(periods, Interval(0.7, 0.6, 0.8, 90), column="earlier_views", feature="earlier views")
    assert said.endswith("earlier views. That is history, which grows with time by its nature: look again without it.")
    other = told(periods, Interval(0.7, 0.6, 0.8, 90), column="isp", feature="provider")
    assert other.endswith("Most is given away by provider.")


def test_of_page_views_all_that_a_model_sees_is_tried(small_site):
    found = drift(small_site.train, small_site.choose)
    assert {"page", "device", "local_hour", "earlier_views"} <= set(found.features["column"])
    assert found.views == (len(small_site.train), len(small_site.choose))


def test_small_shifts_are_called_small(periods):
    said = told(periods, Interval(0.54, 0.52, 0.56, 90), column="x", feature="x", low=0.0)
    assert "only a little better than a coin" in said
    assert "No single feature gives it away" in said


def test_few_users_are_warned_of(periods):
    first, second = periods
    found = drift(first, second.assign(os_major=99.0).head(400))
    (told,) = found.sentences
    assert told.endswith("With 100 users in the smaller part, chance may do this more often than it says.")


def test_what_cannot_be_compared_is_said(periods, small_site):
    with pytest.raises(wb.WorkbenchError, match=r"two periods of one dataset, such as split\.train and split\.choose"):
        drift(periods[0], small_site.train)
    with pytest.raises(wb.WorkbenchError, match="fewer than 20 users says nothing about a shift; got 10"):
        drift(periods[0], periods[1].head(40))
    with pytest.raises(wb.WorkbenchError, match="no context differs between views"):
        drift(*periods, without=("os_family", "os_major", "isp"))
    with pytest.raises(wb.WorkbenchError, match=r"expected a frame from wb\.load"):
        drift(pd.DataFrame({"a": [1]}), periods[1])
