import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.exceptions
import xgboost
from scipy.stats import norm
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score

from workbench.datasets.loading import measurements
from workbench.datasets.schema import Column
from workbench.datasets.splits import Split, split_by_user
from workbench.errors import WorkbenchError
from workbench.models import NetworkQuality, train_network_quality
from workbench.models.boosting import check_trained_on, rows_hash

QUANTITIES = ("rtt_ms", "downlink_mbps")
SPREAD = {"rtt_ms": 0.5, "downlink_mbps": 0.8}
OF_ISP = {"a": 0.0, "b": 0.7, "c": 1.4}
QUICK = {"max_trees": 40, "min_child_weight": 5, "learning_rate": 0.3}


def make_views(users: int, seed: int = 0) -> pd.DataFrame:
    """Two views a user; speed and round trip are lognormal about medians that three columns decide."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in range(users)],
            "isp": rng.choice(list("abc"), users),
            "city": [f"city{i}" for i in rng.integers(0, 40, users)],
            "os_major": rng.integers(5, 15, users).astype(float),
            "connection_type": rng.choice(["wifi", "3g", "4g"], users),
            "access_technology": rng.choice(["x", "y"], users),
        }
    )
    frame = pd.concat([frame, frame], ignore_index=True)
    for quantity in QUANTITIES:
        frame[quantity] = np.exp(log_median(frame, quantity) + SPREAD[quantity] * rng.normal(size=len(frame)))
    return frame


def log_median(frame: pd.DataFrame, quantity: str) -> np.ndarray:
    isp, city = frame["isp"].map(OF_ISP), frame["city"].str[4:].astype(int) / 40
    better = (isp + 0.08 * (frame["os_major"] - 10) + city).to_numpy()
    return 1.0 + better if quantity == "downlink_mbps" else 5.0 - 0.6 * better


def true_chance_worse(frame: pd.DataFrame, quantity: str, thresholds: np.ndarray) -> np.ndarray:
    below = norm.cdf((np.log(thresholds) - log_median(frame, quantity)[:, None]) / SPREAD[quantity])
    return 1 - below if quantity == "rtt_ms" else below


@dataclass(frozen=True)
class World:
    split: Split
    model: NetworkQuality
    thresholds: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def world() -> World:
    views = measurements(make_views(20_000), name="planted", known_by="first_request")
    split = split_by_user(views)
    model = train_network_quality(split)
    levels = [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98]
    return World(split, model, {name: views[name].quantile(levels).to_numpy() for name in QUANTITIES})


@pytest.fixture(scope="module")
def small() -> pd.DataFrame:
    return measurements(make_views(400, seed=5), known_by="native_app")


@pytest.fixture(scope="module")
def quick(small: pd.DataFrame) -> NetworkQuality:
    return NetworkQuality(known_by="native_app", **QUICK).fit(small)


# What it finds.


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_the_planted_chances_are_found_on_users_never_seen(world, quantity):
    test, thresholds = world.split.test, world.thresholds[quantity]
    truth = true_chance_worse(test, quantity, thresholds)
    found = world.model.chance_worse(test, quantity, thresholds)
    assert found.shape == truth.shape == (8_000, 7)
    constant = (truth.mean(axis=0) - truth).std()
    assert np.sqrt(((found - truth) ** 2).mean()) < 0.035 < constant / 4
    assert np.abs((found - truth).mean(axis=0)).max() < 0.04


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_its_log_loss_is_nearly_that_of_the_truth(world, quantity):
    test, thresholds = world.split.test, world.thresholds[quantity]
    values = test[quantity].to_numpy()[:, None]
    worse = values > thresholds if quantity == "rtt_ms" else values < thresholds

    def log_loss(chance: np.ndarray) -> float:
        chance = np.clip(chance, 1e-9, 1 - 1e-9)
        return -np.where(worse, np.log(chance), np.log(1 - chance)).mean()

    truth = log_loss(true_chance_worse(test, quantity, thresholds))
    found = log_loss(world.model.chance_worse(test, quantity, thresholds))
    ignorant = log_loss(np.broadcast_to(worse.mean(axis=0), worse.shape))
    assert found - truth < 0.08 * (ignorant - truth)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_the_chances_are_calibrated(world, quantity):
    test, thresholds = world.split.test, world.thresholds[quantity]
    values = test[quantity].to_numpy()[:, None]
    worse = (values > thresholds if quantity == "rtt_ms" else values < thresholds).ravel()
    chance = world.model.chance_worse(test, quantity, thresholds).ravel()
    fitted = LogisticRegression(C=np.inf).fit(np.log(chance / (1 - chance))[:, None], worse)
    assert fitted.coef_[0, 0] == pytest.approx(1, abs=0.07)
    assert fitted.intercept_[0] == pytest.approx(0, abs=0.12)


@pytest.mark.parametrize(("quantity", "direction"), [("rtt_ms", -1), ("downlink_mbps", 1)])
def test_a_stricter_threshold_is_never_met_more_often(world, quantity, direction):
    thresholds = np.geomspace(0.001, 1e6, 400)
    chance = world.model.chance_worse(world.split.test.head(300), quantity, thresholds)
    assert (direction * np.diff(chance, axis=1) >= 0).all()
    assert ((chance > 0) & (chance < 1)).all()
    span = np.ptp(chance, axis=1)
    assert span.min() > 0.7
    assert np.median(span) > 0.95


def test_an_infinite_threshold_is_certain(world):
    few, thresholds = world.split.test.head(5), np.array([np.inf, 50, np.inf])
    rtt, downlink = (world.model.chance_worse(few, quantity, thresholds) for quantity in QUANTITIES)
    assert (rtt[:, [0, 2]] == 0).all()
    assert (downlink[:, [0, 2]] == 1).all()
    assert ((rtt[:, 1] > 0) & (rtt[:, 1] < 1)).all()


def test_thresholds_are_answered_one_by_one_and_row_by_row(world):
    few, thresholds = world.split.test.head(40), world.thresholds["rtt_ms"]
    whole = world.model.chance_worse(few, "rtt_ms", thresholds)
    backwards = world.model.chance_worse(few.iloc[::-1], "rtt_ms", thresholds[::-1])
    single = [world.model.chance_worse(few.iloc[[i]], "rtt_ms", thresholds[[3]])[0, 0] for i in range(5)]
    np.testing.assert_array_equal(backwards[::-1, ::-1], whole)
    np.testing.assert_array_equal(single, whole[:5, 3])
    assert world.model.chance_worse(few, "rtt_ms", np.array([])).shape == (40, 0)
    assert world.model.chance_worse(few.head(0), "rtt_ms", thresholds).shape == (0, 7)


def test_unseen_and_missing_values_are_ordinary_input(world):
    unknown = pd.DataFrame({"isp": ["new", None], "city": ["new", None], "os_major": [99, np.nan]})
    for quantity in QUANTITIES:
        chance = world.model.chance_worse(unknown, quantity, world.thresholds[quantity])
        assert ((chance > 0) & (chance < 1)).all()
    nothing = world.model.chance_worse(pd.DataFrame(index=[0]), "rtt_ms", np.array([50.0]))
    np.testing.assert_array_equal(nothing, world.model.chance_worse(unknown.iloc[[1]], "rtt_ms", np.array([50.0])))


def test_without_tune_out_of_fold_predictions_serve_about_as_well(world):
    everyone = pd.concat([world.split.train, world.split.calibration]).drop(columns="rtt_ms")
    alone = NetworkQuality(learning_rate=0.3).fit(everyone)
    thresholds = world.thresholds["downlink_mbps"]
    found, with_tune = (m.chance_worse(world.split.test, "downlink_mbps", thresholds) for m in (alone, world.model))
    truth = true_chance_worse(world.split.test, "downlink_mbps", thresholds)
    assert np.abs(found - with_tune).mean() < 0.02
    assert np.sqrt(((found - truth) ** 2).mean()) < 0.035
    assert alone.heads_["downlink_mbps"].slope == pytest.approx(1, abs=0.15)


def test_a_quantity_that_hardly_anyone_of_tune_measured_is_calibrated_out_of_fold(small):
    frame = small.assign(page_load_ms=10 * small["rtt_ms"])
    calibration = measurements(make_views(100, seed=9)).assign(page_load_ms=lambda t: t["rtt_ms"].where(t.index < 3))
    for other in (calibration, calibration.drop(columns="page_load_ms")):
        model = NetworkQuality(**QUICK).fit(frame, other)
        assert model.quantities == ("rtt_ms", "downlink_mbps", "page_load_ms")
        alone = NetworkQuality(**QUICK).fit(frame)
        assert model.heads_["page_load_ms"].slope == alone.heads_["page_load_ms"].slope
        assert model.heads_["rtt_ms"].slope != alone.heads_["rtt_ms"].slope


# What it looks at.

LATER = ["device", "effective_type", "connection_type", "access_technology", "netinfo_rtt_ms"]


def with_lies(frame: pd.DataFrame) -> pd.DataFrame:
    """Other values in every column that is later than the first request, or no context."""
    return frame.assign(
        device="Pixel 9",
        effective_type="2g",
        connection_type=np.where(np.arange(len(frame)) % 2, "2g", "ethernet"),
        access_technology="zzz",
        netinfo_rtt_ms=3000.0,
        user_id="everyone",
        rtt_ms=1.0,
        downlink_mbps=1.0,
        page_load_ms=1.0,
    )


def looks_further(model: NetworkQuality, frame: pd.DataFrame) -> bool:
    asked = np.array([3.0, 30.0])
    lies = with_lies(frame)
    return any(
        not np.array_equal(model.chance_worse(frame, name, asked), model.chance_worse(lies, name, asked))
        for name in model.quantities
    )


class Peeking(NetworkQuality):
    """The guard broken on purpose: context is the whole frame."""

    def context(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame


def test_answers_do_not_change_with_later_columns_or_what_was_measured(world, small, quick):
    assert not looks_further(world.model, world.split.test.head(200))
    assert looks_further(quick, small.head(200))  # known_by="native_app": the connection type is its to know
    peeking = Peeking(**QUICK).fit(small)
    assert looks_further(peeking, small.assign(connection_type="wifi").head(200))


def saved_bytes(model: NetworkQuality, folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in model.save(folder).iterdir()}


def test_nothing_is_learnt_from_later_columns(small, tmp_path):
    lies = with_lies(small)[LATER]
    first = NetworkQuality(**QUICK).fit(small)
    other = NetworkQuality(**QUICK).fit(small.assign(**lies))
    assert saved_bytes(first, tmp_path / "a") == saved_bytes(other, tmp_path / "b")
    app = NetworkQuality(known_by="native_app", **QUICK)
    assert saved_bytes(app.fit(small), tmp_path / "c") != saved_bytes(
        clone(app).fit(small.assign(**lies)), tmp_path / "d"
    )


def test_no_row_of_another_quantity_is_needed(small):
    holes = small.assign(rtt_ms=small["rtt_ms"].where(np.arange(len(small)) % 2 == 0))
    model = NetworkQuality(**QUICK).fit(holes)
    alone = NetworkQuality(**QUICK).fit(small.iloc[::2].drop(columns="downlink_mbps"))
    asked = np.array([50.0, 200.0])
    np.testing.assert_array_equal(
        model.chance_worse(small, "rtt_ms", asked), alone.chance_worse(small, "rtt_ms", asked)
    )


def test_a_browser_script_learns_and_asks_in_its_own_words(small):
    script = NetworkQuality(known_by="client_js", **QUICK).fit(small)
    seen = {feature for head in script.heads_.values() for feature in head.encoding.features}
    assert {"connection_type=cellular", "connection_type=wifi"} <= seen
    assert not {"connection_type=3g", "connection_type=4g"} & seen
    generations = [small.assign(connection_type=link) for link in ("3g", "4g", "5g", "cellular")]
    first, *others = (script.chance_worse(frame, "rtt_ms", np.array([80.0])) for frame in generations)
    for other in others:
        np.testing.assert_array_equal(first, other)
    assert not np.array_equal(first, script.chance_worse(small.assign(connection_type="wifi"), "rtt_ms", [80.0]))


def test_columns_can_be_left_out(small):
    model = NetworkQuality(known_by="native_app", without=("isp", "city"), **QUICK).fit(small)
    sources = {name for head in model.heads_.values() for name in head.encoding.sources}
    assert sources == {"os_major", "connection_type"}
    assert not {"isp", "city"} & set(model.context(small))
    NetworkQuality(without=("device", "connection_type"), **QUICK).fit(small)  # not known yet: nothing to leave out
    with pytest.raises(WorkbenchError, match=r"without must name context columns, such as .*; got 'ips'. Did you mean"):
        NetworkQuality(without=("ips",)).fit(small)


def test_a_context_column_of_the_card_is_learnt_from(small, tmp_path):
    plan = np.where(np.arange(len(small)) % 2, "slow", "fast")
    speed = small["downlink_mbps"] * np.where(plan == "fast", 20, 1)
    frame = small.assign(plan=pd.Series(plan, dtype="str"), downlink_mbps=speed)
    extra = (Column("plan", "str", "first_request", "what is paid for"),)
    model = NetworkQuality(extra=extra, **QUICK).fit(frame)
    slow, fast = (model.chance_worse(frame.assign(plan=p), "downlink_mbps", [10.0]).mean() for p in ("slow", "fast"))
    assert slow - fast > 0.4
    read = NetworkQuality.load(model.save(tmp_path))
    assert read.extra == extra
    np.testing.assert_array_equal(
        read.chance_worse(frame, "downlink_mbps", [10.0]), model.chance_worse(frame, "downlink_mbps", [10.0])
    )
    plain = NetworkQuality(**QUICK).fit(frame)
    assert "plan" not in plain.heads_["downlink_mbps"].encoding.sources


def test_a_model_without_any_context_answers_with_the_distribution(small):
    model = NetworkQuality(**QUICK).fit(small[["user_id", "rtt_ms"]])
    asked = small["rtt_ms"].quantile([0.2, 0.5, 0.8]).to_numpy()
    chance = model.chance_worse(small.head(3), "rtt_ms", asked)
    assert chance == pytest.approx(np.tile([0.8, 0.5, 0.2], (3, 1)), abs=0.06)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_asking_distinct_rows_once_gives_what_asking_every_row_gives(quick, small, quantity):
    twice = pd.concat([small.head(60), small.tail(30), small.head(60)])
    distinct, which = quick.encode(twice, quantity)
    head = quick.heads_[quantity]
    direct = head.encoding.transform(quick.context(twice))
    np.testing.assert_array_equal(distinct[which], direct)
    assert len(distinct) == len(pd.DataFrame(direct).drop_duplicates()) <= 90
    np.testing.assert_array_equal(
        quick.chance_worse(twice, quantity, [5.0, 50.0]), head.chances(direct, np.array([5.0, 50.0]))
    )


# What it is as an estimator.


def test_it_is_an_estimator_of_scikit_learn():
    extra = (Column("plan", "str", "first_request", ""),)
    model = NetworkQuality(known_by="client_js", extra=extra, without=("asn",), seed=7)
    assert model.get_params() == {
        "known_by": "client_js",
        "extra": extra,
        "without": ("asn",),
        "max_depth": 4,
        "min_child_weight": 50,
        "learning_rate": 0.1,
        "max_trees": 1000,
        "patience": 20,
        "seed": 7,
        "device": "cpu",
    }
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(seed=8, max_depth=2) is model
    assert (model.seed, model.max_depth) == (8, 2)


def test_a_clone_is_not_trained_and_learns_the_same(quick, small, tmp_path):
    other = clone(quick)
    with pytest.raises(WorkbenchError, match="not trained yet"):
        other.chance_worse(small, "rtt_ms", [50.0])
    assert saved_bytes(other.fit(small), tmp_path / "a") == saved_bytes(quick, tmp_path / "b")


def test_the_predicted_median_is_where_the_chance_is_one_half(world, quick, small):
    few = world.split.test.head(300)
    for quantity in QUANTITIES:
        median = world.model.predict(few, quantity)
        chance = np.array([world.model.chance_worse(few.iloc[[i]], quantity, median[i])[0] for i in range(40)])
        assert np.abs(chance - 0.5).mean() < 0.02  # interpolated between percentiles
        assert np.abs(chance - 0.5).max() < 0.07
        assert np.corrcoef(np.log(median), log_median(few, quantity))[0, 1] > 0.95
    np.testing.assert_array_equal(world.model.predict(few), world.model.predict(few, "rtt_ms"))
    levels = quick.heads_["downlink_mbps"].levels
    assert np.isin(quick.predict(small), [levels[0], levels[-1]]).mean() < 0.1
    with pytest.raises(WorkbenchError, match="it cannot answer for 'page_load_ms'"):
        quick.predict(small, "page_load_ms")


def test_a_median_beyond_all_training_values_is_the_last_of_them(quick, small):
    sure = clone(quick).fit(small)
    for intercept, place in ((50.0, -1), (-50.0, 0)):
        sure.heads_ = {name: replace(head, slope=0.0, intercept=intercept) for name, head in quick.heads_.items()}
        levels = quick.heads_["rtt_ms"].levels
        np.testing.assert_allclose(sure.predict(small.head(3), "rtt_ms"), levels[place])


def test_a_single_threshold_gives_one_chance_a_row(quick, small):
    chance = quick.chance_worse(small, "rtt_ms", 50)
    np.testing.assert_array_equal(chance, quick.chance_worse(small, "rtt_ms", [50.0])[:, 0])
    assert chance.shape == (800,)


def test_its_score_is_the_mean_log_loss_of_a_loop(quick, small):
    frame = small.head(30).assign(rtt_ms=lambda t: t["rtt_ms"].where(t.index != 3).replace(t["rtt_ms"].iloc[5], np.inf))
    by_quantity = []
    for quantity in QUANTITIES:
        losses = []
        for i in range(30):
            value = frame[quantity].iloc[i]
            thresholds = quick.heads_[quantity].levels[5:100:5]
            for x, chance in zip(thresholds, quick.chance_worse(frame.iloc[[i]], quantity, thresholds)[0], strict=True):
                worse = value > x if quantity == "rtt_ms" else value < x
                if not np.isnan(value):
                    losses.append(np.log(chance if worse else 1 - chance))
        by_quantity.append(np.mean(losses))
    assert quick.score(frame) == pytest.approx(np.mean(by_quantity))
    assert quick.score(frame.drop(columns="rtt_ms")) == pytest.approx(by_quantity[1])
    with pytest.raises(WorkbenchError, match=r"expected a measured column \(rtt_ms, downlink_mbps\)"):
        quick.score(frame.drop(columns=list(QUANTITIES)))


def test_the_truth_would_score_little_better_and_ignorance_worse(world):
    test = world.split.test
    plain = NetworkQuality(without=("isp", "city", "os_major"), max_trees=20, learning_rate=0.3).fit(test)
    assert world.model.score(test) > plain.score(test) + 0.05
    truth = []
    for quantity in QUANTITIES:
        x = world.model.heads_[quantity].levels[5:100:5]
        values = test[quantity].to_numpy()[:, None]
        worse = values > x if quantity == "rtt_ms" else values < x
        chance = true_chance_worse(test, quantity, x)
        truth.append(np.log(np.where(worse, chance, 1 - chance)).mean())
    assert 0 < np.mean(truth) - world.model.score(test) < 0.01


def test_it_goes_through_cross_validation_and_grid_search(small):
    small = small.drop(columns="downlink_mbps")
    model = NetworkQuality(known_by="native_app", **{**QUICK, "max_trees": 5})
    folds = list(GroupKFold(2).split(small, groups=small["user_id"]))
    scores = cross_val_score(model, small, cv=GroupKFold(2), groups=small["user_id"])
    expected = [clone(model).fit(small.iloc[fit]).score(small.iloc[held_out]) for fit, held_out in folds]
    np.testing.assert_allclose(scores, expected)
    search = GridSearchCV(model, {"without": [(), ("isp",)]}, cv=2).fit(small)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_["without"] == ()
    assert search.best_estimator_.score(small) == search.score(small)


def test_answers_come_in_the_frame_and_not_apart(small):
    for arguments in ({"calibration": small["rtt_ms"]}, {"y": small["rtt_ms"]}, {"calibration": [1, 2]}):
        with pytest.raises(WorkbenchError, match=r"expected a second frame for calibration.*Leave y out"):
            NetworkQuality(**QUICK).fit(small, **arguments)


def test_a_model_says_what_it_reads_and_can_be_trained_without(small):
    split = split_by_user(measurements(make_views(2500), known_by="native_app"))
    model = train_network_quality(split, **QUICK)
    assert model.fields == ("city", "connection_type", "isp", "os_major")
    assert set(model.removable()) == set(model.fields)
    bare = model.refit(split, without=("isp",)).refit(split, without=["city", "isp"])
    assert (bare.fields, bare.without) == (("connection_type", "os_major"), ("isp", "city"))
    assert (model.without, bare.trained_on_) == ((), model.trained_on_)
    again = train_network_quality(split, without=("isp", "city"), **QUICK)
    assert again.heads_["rtt_ms"].slope == bare.heads_["rtt_ms"].slope


def test_only_a_model_of_this_split_belongs_to_it():
    views = measurements(make_views(400))
    split, other = split_by_user(views), split_by_user(views, seed=1)
    model = train_network_quality(split, **QUICK)
    check_trained_on(model, split, "how")
    assert model.trained_on_ == rows_hash(split.train) != rows_hash(split.test)
    with pytest.raises(WorkbenchError, match=r"trained on other rows than this split.*Train it on this split: how"):
        check_trained_on(model, other, "how")
    for untrained in (NetworkQuality(), "a model"):
        with pytest.raises(WorkbenchError, match="expected a trained model, as from how; got"):
            check_trained_on(untrained, split, "how")


def test_it_prints_in_one_line(quick):
    assert repr(NetworkQuality(extra=(Column("plan", "str", "never", ""),), seed=3)) == (
        "NetworkQuality(extra=('plan',), seed=3): not trained"
    )
    assert repr(quick).endswith(f"): {quick.trees} trees")
    assert "\n" not in repr(quick)


def test_parameters_reach_the_trees(small):
    stumps = NetworkQuality(known_by="native_app", max_depth=1, max_trees=7, patience=50).fit(small)
    assert stumps.trees == 14
    for head in stumps.heads_.values():
        trees = head.booster.trees_to_dataframe()
        assert (trees["Feature"] != "Leaf").groupby(trees["Tree"]).sum().max() == 1


def test_fitting_leaves_the_frame_as_it_was(small):
    before = small.copy(deep=True)
    NetworkQuality(**QUICK).fit(small)
    pd.testing.assert_frame_equal(small, before)


def test_train_network_quality_takes_the_cards_information_set_and_context():
    frame = make_views(400).assign(mobile=True)
    split = split_by_user(measurements(frame, known_by="native_app"))
    assert train_network_quality(split, **QUICK).known_by == "native_app"
    assert train_network_quality(split, known_by="client_js", **QUICK).known_by == "client_js"


# What it saves.


def test_a_saved_model_answers_bit_for_bit(world, tmp_path):
    read = NetworkQuality.load(world.model.save(tmp_path / "deep" / "folder"))
    for quantity in QUANTITIES:
        asked = np.append(np.geomspace(0.01, 1e4, 50), np.inf)
        first, again = (m.chance_worse(world.split.test, quantity, asked) for m in (world.model, read))
        assert first.tobytes() == again.tobytes()
        np.testing.assert_array_equal(read.heads_[quantity].levels, world.model.heads_[quantity].levels)
    assert read.get_params() == world.model.get_params()
    assert (read.trees, read.kilobytes) == (world.model.trees, world.model.kilobytes)
    assert read.train_seconds_ is None
    assert saved_bytes(read, tmp_path / "again") == saved_bytes(world.model, tmp_path / "first")


def test_its_size_is_that_of_its_files(quick, tmp_path):
    files = saved_bytes(quick, tmp_path)
    assert set(files) == {"model.json", "rtt_ms.ubj", "downlink_mbps.ubj"}
    assert quick.kilobytes == sum(map(len, files.values())) / 1000


def test_the_model_file_holds_no_user_and_no_clock(quick, small, tmp_path):
    text = (quick.save(tmp_path) / "model.json").read_text()
    assert set(json.loads(text)) == {"format", "params", "trained_on", "heads"}
    assert not any(f'"{user}"' in text for user in small["user_id"])


SECOND_PROCESS = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("tests_of_models", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
small = module.measurements(module.make_views(400, seed=5), known_by="native_app")
module.NetworkQuality(known_by="native_app", **module.QUICK).fit(small).save(sys.argv[2])
"""


def test_the_same_seed_saves_the_same_bytes_in_another_process_and_on_one_thread(quick, small, tmp_path):
    command = [sys.executable, "-c", SECOND_PROCESS, __file__, str(tmp_path / "other")]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "7"})
    here = saved_bytes(quick, tmp_path / "here")
    assert here == {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()}
    again = NetworkQuality(known_by="native_app", **QUICK).fit(small)
    assert here == saved_bytes(again, tmp_path / "again")
    other_seed = NetworkQuality(known_by="native_app", seed=1, **QUICK).fit(small)
    assert here["rtt_ms.ubj"] != saved_bytes(other_seed, tmp_path / "seed")["rtt_ms.ubj"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 1}', '{"format": 1, "params": 5, "heads": {}}', '{"format": 1, "params": {}}'],
)
def test_a_folder_without_a_model_is_refused(tmp_path, text):
    with pytest.raises(WorkbenchError, match=r"holds no saved model: expected model\.json and its \.ubj files"):
        NetworkQuality.load(tmp_path / "nowhere")
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(WorkbenchError, match=f"^{tmp_path} holds no saved model"):
        NetworkQuality.load(tmp_path)


def test_a_model_with_a_file_that_is_gone_or_spoilt_is_refused(quick, tmp_path):
    folder = quick.save(tmp_path)
    (folder / "rtt_ms.ubj").write_bytes(b"spoilt")
    with pytest.raises(WorkbenchError, match="holds no saved model"):
        NetworkQuality.load(folder)
    (folder / "rtt_ms.ubj").unlink()
    with pytest.raises(WorkbenchError, match="holds no saved model"):
        NetworkQuality.load(folder)


def test_a_model_of_another_format_is_sent_to_training(quick, tmp_path):
    path = quick.save(tmp_path) / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(WorkbenchError, match=r"expected model format 1; got 99\. Train it again"):
        NetworkQuality.load(tmp_path)


# What it refuses.


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: model.chance_worse(pd.DataFrame(), "rtt_ms", [1.0]),
        lambda model: model.encode(pd.DataFrame(), "rtt_ms"),
        lambda model: model.quantities,
        lambda model: model.predict(pd.DataFrame()),
        lambda model: model.score(pd.DataFrame()),
        lambda model: model.trees,
        lambda model: model.fields,
        lambda model: model.removable(),
        lambda model: model.kilobytes,
        lambda model: model.save("never"),
    ],
)
def test_an_untrained_model_says_so(ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for error in (WorkbenchError, sklearn.exceptions.NotFittedError):
        with pytest.raises(error, match=r"not trained yet: call fit\(frame\), or wb\.train_network_quality\("):
            ask(NetworkQuality())


def test_a_quantity_that_it_did_not_learn_is_refused(quick, small):
    with pytest.raises(WorkbenchError, match="trained on rtt_ms, downlink_mbps; it cannot answer for 'page_load_ms'"):
        quick.chance_worse(small, "page_load_ms", [1000.0])


@pytest.mark.parametrize("thresholds", [[0.0], [-1.0], [np.nan], [5.0, -np.inf], 0.0, np.nan, [[1.0, 2.0]]])
def test_a_threshold_that_cannot_be_is_refused(quick, small, thresholds):
    with pytest.raises(WorkbenchError, match="thresholds of rtt_ms must be a number above 0, or a list of them; got"):
        quick.chance_worse(small.head(2), "rtt_ms", thresholds)


def test_a_frame_that_teaches_nothing_is_refused(small):
    with pytest.raises(WorkbenchError, match=r"expected a measured column \(rtt_ms, downlink_mbps or page_load_ms\)"):
        NetworkQuality().fit(small.drop(columns=["rtt_ms", "downlink_mbps"]))
    with pytest.raises(WorkbenchError, match="rtt_ms has one value in all rows: there is nothing to predict"):
        NetworkQuality().fit(small.assign(rtt_ms=50.0))
    with pytest.raises(WorkbenchError, match="rtt_ms: a model needs at least 10 users who measured it; got 3"):
        NetworkQuality().fit(small.head(3))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"known_by": "now"}, "known_by must be one of first_request"),
        ({"seed": -1}, "seed must be a whole number from 0; got -1"),
        ({"device": "gpu"}, "device must be 'cpu' or 'cuda'; got 'gpu'"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(small, parameters, words):
    with pytest.raises(WorkbenchError, match=words):
        NetworkQuality(**parameters).fit(small)


@pytest.mark.skipif(xgboost.build_info()["USE_CUDA"], reason="This XGBoost brings CUDA.")
def test_cuda_is_an_error_and_never_a_silent_run_on_the_cpu(small):
    model = NetworkQuality(device="cuda")
    with pytest.raises(WorkbenchError, match="device='cuda' needs XGBoost with CUDA; this one has none"):
        model.fit(small)
    assert not hasattr(model, "heads_")
