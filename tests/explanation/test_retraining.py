"""Ageing: where providers slowly change places an old model is worse, where they stay as they are it is not."""

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.splits import split_by_period
from workbench.explanation.retraining import retraining

DAYS = 80
FAST, SLOW = 30.0, 1.0  # Mbit/s


def world(*, drifts: bool, rows: int = 6000):
    """Fast and slow providers; where the world drifts, the fast ones become slow and the slow ones fast."""
    rng = np.random.default_rng(0)
    day = np.sort(rng.uniform(0, DAYS, rows))
    provider = rng.integers(0, 6, rows)
    share = day / DAYS if drifts else np.zeros(rows)
    share = np.where(provider < 3, share, 1 - share)
    return wb.measurements(
        pd.DataFrame(
            {
                "user_id": rng.integers(0, rows // 2, rows).astype(str),
                "measured_at": pd.Timestamp("2026-01-01T00:00Z") + pd.to_timedelta(day, unit="D"),
                "country": "FR",
                "asn": provider.astype(str),
                "rtt_ms": rng.lognormal(3.5, 0.2, rows),
                "downlink_mbps": FAST ** (1 - share) * SLOW**share * rng.lognormal(0, 0.4, rows),
            }
        ),
        name="world",
    )


@pytest.fixture(scope="module")
def drifting():
    return retraining(world(drifts=True))


@pytest.fixture(scope="module")
def still():
    return retraining(world(drifts=False))


def test_where_the_world_changes_an_older_model_and_an_older_table_lose(drifting):
    for policy in ("model", "best rule"):
        ages = drifting.of(policy)
        assert ages["age_days"].tolist() == pytest.approx([DAYS / 8, DAYS / 4, 3 * DAYS / 8], rel=0.01)
        assert ages["net"].is_monotonic_increasing and ages["net_low"].iloc[-1] > drifting.margin
    assert drifting.finding.startswith("Retrain the model before it is ")
    assert "30 days older, the model loses +" in drifting.sentences[0]
    assert drifting.trained_days == pytest.approx(DAYS / 2, rel=0.01)


def test_where_it_stays_as_it_is_age_costs_nothing(still):
    for policy in ("model", "best rule"):
        assert (still.of(policy)["net"].abs() < still.margin).all()
    assert not still.finding.startswith("Retrain the model before")


def test_the_intervals_say_whether_there_is_enough_data(still):
    sure = still.table.assign(net_high=0.5 * still.margin)
    unsure = still.table.assign(net_high=2 * still.margin)
    kept = type(still)(sure, still.trained_days, still.margin, still.unit, still.people, still.card)
    wide = type(still)(unsure, still.trained_days, still.margin, still.unit, still.people, still.card)
    assert kept.finding == "The model need not be retrained within 30 days"
    assert wide.finding == "Not enough data to tell how fast the model ages"


def test_a_loss_is_the_difference_of_two_models_in_the_same_views(drifting):
    """The last period, served by the model trained just before it, and by the one trained three periods earlier."""
    views = world(drifts=True)
    splits, places = split_by_period(views, 8, 4, mask=wb.Mask())
    last = places.index[places["period"] == 7]
    nets = []
    for split in (splits[3], splits[0]):
        result = wb.compare(split, wb.train_network_quality(split))
        nets.append(result.of("model").outcomes["net"].loc[lambda net: net.index.isin(last)])
    assert nets[0].index.equals(nets[1].index)
    oldest = drifting.of("model").iloc[-1]
    assert oldest["net"] == pytest.approx((nets[0] - nets[1]).mean())
    assert oldest["views"] == len(nets[0])


def test_nothing_after_an_origin_is_learnt_and_all_learn_from_as_long_a_time():
    views = wb.load("synthetic_navigations", rows=6000)
    splits, places = split_by_period(views, 6, 3)
    assert [split.how for split in splits] == [f"by period {origin} of 6" for origin in (4, 5, 6)]
    starts = views.groupby("session_id")["viewed_at"].transform("min")
    width = (starts.max() - starts.min()) / 6
    for origin, split in enumerate(splits, 3):
        cut = starts.min() + origin * width
        learnt = pd.concat([split.train, split.calibration, split.validation])
        assert starts[learnt.index].max() < cut <= starts[split.test.index].min()
        assert starts[learnt.index].min() >= cut - 3 * width
        assert sorted(set(places.loc[learnt.index, "period"])) == [origin - 3, origin - 2, origin - 1]
        assert not set(split.validation["user_id"]) & set(split.calibration["user_id"])
    of_user = pd.Series(places["user"]).groupby(views["user_id"]).nunique()
    assert of_user.eq(1).all()


def test_what_cannot_be_tested_over_time_is_refused():
    views = world(drifts=False, rows=300)
    with pytest.raises(wb.WorkbenchError, match=r"periods need measured_at in every row"):
        retraining(wb.measurements(views.drop(columns="measured_at")))
    with pytest.raises(wb.WorkbenchError, match="periods must be a whole number from 5; got 4"):
        retraining(views, periods=4)
    with pytest.raises(wb.WorkbenchError, match="a period has fewer than 20 users; ask for fewer"):
        retraining(views, periods=60)
    missing = retraining(views, periods=60, missing_ok=True)
    assert not missing and "fewer than 20" in missing.sentences[0]
