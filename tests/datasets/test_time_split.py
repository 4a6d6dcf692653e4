"""Split by time: the past trains, the future tests, users may return."""

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.history import HISTORY, Mask, masked_users
from workbench.datasets.splits import split_by_time, split_by_user


@pytest.fixture(scope="module")
def world():
    return wb.load("synthetic_measurements", rows=20_000)


def test_parts_follow_each_other_in_time(world):
    split = split_by_time(world)
    assert split.how == "by time"
    assert split.train["measured_at"].max() <= min(
        split.calibration["measured_at"].min(), split.validation["measured_at"].min()
    )
    assert (
        max(split.calibration["measured_at"].max(), split.validation["measured_at"].max())
        <= split.test["measured_at"].min()
    )
    sizes = np.array([len(part) for _, part in split.parts()]) / len(world)
    assert sizes == pytest.approx([0.6, 0.1, 0.1, 0.2], abs=0.02)


def test_users_return_but_not_between_tune_and_choose(world):
    split = split_by_time(world)
    assert set(split.train["user_id"]) & set(split.test["user_id"])
    assert not set(split.calibration["user_id"]) & set(split.validation["user_id"])


def test_a_returning_users_history_serves(world):
    split = split_by_time(world)
    returning = split.test["user_id"].isin(split.train["user_id"])
    assert split.test.loc[returning, "last_rtt_ms"].notna().all()
    newcomers = ~returning & ~split.test["user_id"].isin(pd.concat([split.calibration, split.validation])["user_id"])
    first = newcomers & ~split.test["user_id"].duplicated(keep=False)
    assert first.any()
    assert split.test.loc[first, "last_rtt_ms"].isna().all()


@pytest.mark.parametrize("how", [split_by_time, split_by_user])
def test_nothing_is_learnt_from_masked_users(world, how):
    mask = Mask(users=0.5)
    split = how(world, mask=mask)
    hidden = set(world["user_id"][masked_users(world, mask)])
    shown = set(split.train["user_id"]) | set(split.calibration["user_id"])
    assert shown.isdisjoint(hidden)
    tested = split.test[split.test["user_id"].isin(hidden)]
    assert 0.4 < len(tested) / len(split.test) < 0.6
    assert tested["effective_type"].isna().all()
    assert tested["last_rtt_ms"].isna().all()


def test_history_can_be_left_out(world):
    assert set(HISTORY) <= set(split_by_time(world).train)
    assert not set(HISTORY) & set(split_by_time(world, history=False).train)


def test_networks_never_seen(world):
    split = split_by_user(world, cluster="asn")
    assert split.how == "by asn"
    parts = [set(part["asn"]) for _, part in split.parts()]
    assert sum(map(len, parts)) == len(set.union(*parts)) == world["asn"].nunique()


def test_a_small_tune_joins_train(world):
    few = world[world["user_id"].isin(world["user_id"].unique()[:300])]
    split = split_by_time(few)
    assert len(split.calibration) == 0
    assert sum(len(part) for _, part in split.parts()) == len(few)
    assert split.train["measured_at"].max() < split.test["measured_at"].min()


def test_without_times_there_is_no_split_by_time(world):
    with pytest.raises(wb.WorkbenchError, match="needs user_id and measured_at in every row"):
        split_by_time(wb.measurements(world.drop(columns="measured_at")))
    with pytest.raises(wb.WorkbenchError, match="too many share one moment"):
        split_by_time(wb.measurements(world.assign(measured_at=world["measured_at"].iloc[0])))


def test_a_mask_needs_users():
    frame = wb.measurements(pd.DataFrame({"rtt_ms": np.arange(1.0, 50)}))
    with pytest.raises(wb.WorkbenchError, match="no user_id"):
        split_by_user(frame, mask=Mask())
