"""A view that stands for many: shared by enough people, and nobody's own."""

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.archetype import common_view

import workbench as wb
from workbench.explanation import common_context


def trained(views):
    split = wb.split_by_user(wb.measurements(views))
    return wb.train_network_quality(split, max_trees=3)


@pytest.fixture(scope="module")
def people():
    """100 users of two views: 60 in France, 30 of them on iOS, 19 of these in Lyon; versions 17 and 18 by turns."""
    user = np.repeat(np.arange(100), 2)
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "user_id": user.astype(str),
            "country": np.where(user < 60, "FR", "DE"),
            "os_family": np.where(user % 2 == 0, "iOS", np.where(user < 60, "Android", "Windows")),
            "city": np.where((user % 2 == 0) & (user < 38), "Lyon", ["c" + str(u) for u in user]),
            "os_major": 17.0 + np.tile([0, 1], 100),
            "downlink_mbps": rng.gamma(2, 10, 200),
            "rtt_ms": rng.gamma(2, 30, 200),
        }
    )


def test_it_holds_what_the_largest_crowd_shares(people):
    views = wb.measurements(people)
    common = common_context(trained(people), views)
    assert common.attrs["users"] == 30
    assert common.attrs["card"] is views.attrs["card"]
    assert common[["country", "os_family"]].iloc[0].tolist() == ["FR", "iOS"]
    assert common["city"].isna().all()  # 19 live in Lyon
    assert common["os_major"].item() == 17  # a version, not 17.5
    assert common["isp"].isna().all()


def test_one_more_makes_a_crowd(people):
    model = trained(people)
    assert common_context(model, wb.measurements(people), users=19)["city"].item() == "Lyon"
    with pytest.raises(wb.WorkbenchError, match="stands for at least 101 users; got 100 in all"):
        common_context(model, wb.measurements(people), users=101)


def test_a_user_who_comes_often_is_one_user(people):
    one = people.iloc[[1]].assign(country="IT", user_id="x")
    often = pd.concat([people, *[one] * 500], ignore_index=True)
    assert common_context(trained(people), wb.measurements(often))["country"].item() == "FR"


def test_a_median_has_enough_people_behind_it_or_is_missing(people):
    few = people.assign(os_major=people["os_major"].where(people["user_id"].astype(int) < 38))
    model = trained(people)
    assert common_context(model, wb.measurements(few))["os_major"].isna().all()
    assert common_context(model, wb.measurements(few), users=15)["os_major"].item() == 17


def test_it_is_no_real_view_and_can_be_explained():
    views = wb.load("synthetic_measurements", rows=6000)
    split = wb.split_by_time(views)
    model = wb.train_network_quality(split, max_trees=5)
    common = common_context(model, split.train)
    told = [name for name in common if common[name].notna().all()]
    texts = [name for name in told if common[name].dtype != float]
    same = (split.train[texts].astype(object) == common[texts].astype(object).iloc[0]).all(axis=1)
    assert split.train.loc[same, "user_id"].nunique() == common.attrs["users"] >= 20
    assert not (split.train[told].astype(object) == common[told].astype(object).iloc[0]).all(axis=1).any()
    explanation = wb.shap_values(model, common)
    assert explanation.shape[0] == 1
    assert explanation.card == split.card


def test_what_is_asked_for_first_is_fixed_first_or_stays_missing():
    who = np.arange(100)
    table = pd.DataFrame(
        {
            "device": np.select([who < 60, who < 80], ["phone", "tablet"], "desktop"),
            "page": np.select([who < 30, who < 60], ["a", "b"], "home"),
            "own": who.astype(str),
        }
    )
    freely, page_first = common_view(table, who), common_view(table, who, first=("own", "page"))
    assert freely[["device", "page"]].iloc[0].tolist() == ["phone", "a"]
    assert page_first[["device", "page"]].iloc[0].tolist() == ["tablet", "home"]
    assert (freely.attrs["users"], page_first.attrs["users"]) == (30, 20)
    assert page_first["own"].isna().all()
