from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.model_selection import KFold

from workbench.errors import WorkbenchError
from workbench.models import network_quality as threshold_trees
from workbench.models.boosting import Boosting, check_device
from workbench.models.network_quality import Head, ask, fit_head

QUICK = Boosting(max_depth=3, min_child_weight=5, learning_rate=0.3, max_trees=30, patience=5, seed=0, device="cpu")


def some_rows(users: int = 200, seed: int = 0, noise: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    isp = rng.choice(["slow", "fast"], users)
    speed = np.exp(np.where(isp == "fast", 3.0, 1.0) + noise * rng.normal(size=users))
    return pd.DataFrame({"user_id": np.arange(users).astype(str), "isp": isp, "downlink_mbps": speed})


def isp_only(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["isp"]]


@pytest.fixture(scope="module")
def head() -> Head:
    return fit_head(some_rows(400), some_rows(400, seed=1), "downlink_mbps", isp_only, QUICK)


@pytest.mark.parametrize("quantity", ["rtt_ms", "downlink_mbps"])
def test_each_row_meets_four_thresholds_half_of_them_from_the_worst_fifth(quantity):
    values = np.arange(1.0, 1001.0)
    matrix = np.column_stack([values, -values]).astype(np.float32)
    asked, answer = ask(matrix, values, values, quantity, seed=0)
    assert asked.shape == (4_000, 3)
    assert (asked.dtype, set(answer)) == (np.float32, {0.0, 1.0})
    np.testing.assert_array_equal(asked[:, :2], np.repeat(matrix, 4, axis=0))
    x, value = np.exp(asked[:, 2].astype(float)).round(), asked[:, 0]
    assert set(x) <= set(values)
    np.testing.assert_array_equal(answer == 1, value > x if quantity == "rtt_ms" else value < x)
    # Two of four come from the worst fifth alone, and a fifth of the other two: 0.5 + 0.5 * 0.2.
    worst = x > 800 if quantity == "rtt_ms" else x <= 200
    assert worst.mean() == pytest.approx(0.6, abs=0.03)
    assert worst.reshape(-1, 4).sum(axis=1).min() >= 2


@pytest.mark.parametrize(
    ("rows", "asked"), [(125_000, 500_000), (125_001, 3 * 125_001), (200_000, 400_000), (600_000, 600_000)]
)
def test_half_a_million_rows_are_asked_at_most_unless_there_are_more(rows, asked):
    values = np.linspace(1, 100, rows)
    assert len(ask(np.empty((rows, 0), np.float32), values, values, "rtt_ms", seed=0)[1]) == asked


def test_where_each_row_meets_one_threshold_half_of_the_rows_meet_the_worst_fifth():
    values = np.random.default_rng(0).permutation(np.linspace(1, 100, 300_000))
    asked, _ = ask(np.empty((300_000, 0), np.float32), values, values, "rtt_ms", seed=0)
    worst = np.exp(asked[:, 0]) > 80.2
    assert worst.mean() == pytest.approx(0.6, abs=0.01)
    assert worst[:1000].mean() == pytest.approx(0.6, abs=0.06)


def test_thresholds_follow_the_seed_and_come_from_the_sample_alone():
    values, sample = np.full(50, 10.0), np.array([1.0, 2, 3, 4, 100])
    first, again, other = (ask(np.empty((50, 0), np.float32), values, sample, "rtt_ms", s)[0] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert set(np.exp(first[:, 0]).round(3)) <= set(sample)


def test_the_trees_run_one_way_along_the_threshold(head):
    matrix = head.encoding.transform(pd.DataFrame({"isp": ["slow", "fast", "other"]}))
    margins = head.margins(matrix, np.log(np.geomspace(0.01, 1000, 500)))
    assert (np.diff(margins, axis=1) >= 0).all()
    assert (margins[0] > margins[1]).mean() > 0.5


def test_predictions_do_not_depend_on_the_size_of_batches(head, monkeypatch):
    matrix = np.repeat(head.encoding.transform(pd.DataFrame({"isp": ["slow", "fast"]})), 50, axis=0)
    log_x = np.log([1.0, 3, 10])
    whole = head.margins(matrix, log_x)
    assert whole.shape == (100, 3)
    for rows in (1, 7, 250):
        monkeypatch.setattr(threshold_trees, "ROWS_A_BATCH", rows)
        np.testing.assert_array_equal(head.margins(matrix, log_x), whole)
    assert head.margins(matrix[:0], log_x).shape == (0, 3)


def test_chances_are_the_logistic_of_the_calibrated_margin(head):
    matrix = head.encoding.transform(pd.DataFrame({"isp": ["slow", "fast"]}))
    asked = np.array([2.0, 20.0])
    rows = [[*row, np.log(x)] for row in matrix for x in asked]
    raw = head.booster.predict(xgboost.DMatrix(np.array(rows, np.float32)), output_margin=True).reshape(2, 2)
    expected = 1 / (1 + np.exp(-(head.slope * raw + head.intercept)))
    np.testing.assert_allclose(head.chances(matrix, asked), expected, rtol=1e-6)


def test_the_training_ends_where_other_users_gain_no_more():
    patient = replace(QUICK, max_trees=500)
    head = fit_head(some_rows(400, noise=2), some_rows(400, seed=1, noise=2), "downlink_mbps", isp_only, patient)
    assert 1 <= head.booster.num_boosted_rounds() < 100


def test_levels_are_the_percentiles_of_the_training_values(head):
    speeds = np.sort(some_rows(400)["downlink_mbps"])
    assert head.levels.shape == (101,)
    assert head.levels[[0, 100]].tolist() == [speeds[0], speeds[-1]]
    assert head.levels[50] == pytest.approx((speeds[199] + speeds[200]) / 2)


def test_too_few_users_are_refused_and_ten_are_enough():
    with pytest.raises(WorkbenchError, match="downlink_mbps: a model needs at least 10 users who measured it; got 9"):
        fit_head(some_rows(9), None, "downlink_mbps", isp_only, QUICK)
    assert np.isfinite(fit_head(some_rows(10), None, "downlink_mbps", isp_only, QUICK).slope)


@pytest.mark.parametrize("stop", [None, some_rows(0), some_rows(9), some_rows(50).drop(columns="downlink_mbps")])
def test_without_enough_other_users_out_of_fold_predictions_serve(stop):
    rows = some_rows(100)
    alone = fit_head(rows, None, "downlink_mbps", isp_only, QUICK)
    head = fit_head(rows, stop, "downlink_mbps", isp_only, QUICK)
    assert (head.slope, head.intercept) == (alone.slope, alone.intercept)
    assert head.booster.save_raw() == alone.booster.save_raw()


def people(seed: int) -> pd.DataFrame:
    """Five views each; the speed is the person's own, and the version names the person and says nothing."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(300), 5)
    speed = np.exp(rng.normal(size=300)[who] + 0.1 * rng.normal(size=len(who)))
    return pd.DataFrame({"user_id": who, "os_major": rng.random(300)[who], "downlink_mbps": speed})


def loss_from_believing_it() -> float:
    """Log-loss on strangers, beyond that of the shares that hold for everyone."""
    eager = Boosting(
        max_depth=6, min_child_weight=1, learning_rate=0.3, max_trees=100, patience=5, seed=0, device="cpu"
    )
    head = fit_head(people(0), None, "downlink_mbps", lambda frame: frame[["os_major"]], eager)
    strangers = people(1)
    edges = strangers["downlink_mbps"].quantile([0.1, 0.3, 0.5, 0.7, 0.9]).to_numpy()
    worse = strangers["downlink_mbps"].to_numpy()[:, None] < edges
    chance = head.chances(head.encoding.transform(strangers), edges)
    shares = np.broadcast_to(worse.mean(axis=0), worse.shape)
    believed, plain = (-np.where(worse, np.log(p), np.log(1 - p)).mean() for p in (chance, shares))
    return believed - plain


def test_out_of_fold_predictions_do_not_believe_what_is_true_of_known_people_only():
    assert loss_from_believing_it() < 0.05


@pytest.mark.parametrize("broken", ["the same person in several folds", "the rows that were fitted"])
def test_predictions_in_the_fold_would_believe_it(broken, monkeypatch):
    def leaky_folds(rows: pd.DataFrame, seed: int) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        for fit, held_out in KFold(5, shuffle=True, random_state=seed).split(rows):
            yield rows.iloc[fit], rows.iloc[fit if broken == "the rows that were fitted" else held_out]

    monkeypatch.setattr(threshold_trees, "_user_folds", leaky_folds)
    assert loss_from_believing_it() > 0.2


def test_a_device_that_does_not_exist_is_refused():
    with pytest.raises(WorkbenchError, match="device must be 'cpu' or 'cuda'; got 'gpu'"):
        check_device("gpu")


@pytest.mark.skipif(xgboost.build_info()["USE_CUDA"], reason="This XGBoost brings CUDA.")
def test_cuda_is_an_error_where_xgboost_has_none():
    with pytest.raises(WorkbenchError, match=r"this one has none\. Install the extra 'gpu' instead of 'cpu', or use"):
        check_device("cuda")


def test_cuda_is_an_error_where_there_is_no_gpu(monkeypatch):
    def fails(*args: object) -> None:
        raise xgboost.core.XGBoostError("no CUDA-capable device is detected")

    monkeypatch.setattr(xgboost, "build_info", lambda: {"USE_CUDA": True})
    monkeypatch.setattr(xgboost, "train", fails)
    with pytest.raises(WorkbenchError, match=r"device='cuda': no usable GPU was found\. Use device='cpu'"):
        check_device("cuda")
