from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.base import clone
from sklearn.model_selection import KFold

from workbench.datasets.loading import measurements
from workbench.datasets.schema import Column
from workbench.datasets.splits import split_by_user
from workbench.errors import WorkbenchError
from workbench.evidence.calibration import measure_calibration
from workbench.models import NetworkQuality, network_quality, train_network_quality
from workbench.models.network_quality import Head, ask, fit_head

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


@pytest.fixture(scope="module")
def world() -> SimpleNamespace:
    views = measurements(make_views(20_000), name="planted", known_by="first_request")
    split = split_by_user(views)
    levels = [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98]
    thresholds = {name: views[name].quantile(levels).to_numpy() for name in QUANTITIES}
    return SimpleNamespace(split=split, test=split.test, model=train_network_quality(split), thresholds=thresholds)


@pytest.fixture(scope="module")
def small() -> pd.DataFrame:
    return measurements(make_views(400, seed=5), known_by="native_app")


@pytest.fixture(scope="module")
def quick(small: pd.DataFrame) -> NetworkQuality:
    return NetworkQuality(known_by="native_app", **QUICK).fit(small)


def was_worse(frame: pd.DataFrame, quantity: str, thresholds: np.ndarray) -> np.ndarray:
    values = frame[quantity].to_numpy()[:, None]
    return values > thresholds if quantity == "rtt_ms" else values < thresholds


def log_loss(worse: np.ndarray, chance: np.ndarray) -> float:
    return -np.log(np.where(worse, chance, 1 - chance).clip(1e-9)).mean()


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_the_planted_chances_are_found_on_users_never_seen(world, quantity):
    test, thresholds = world.test, world.thresholds[quantity]
    truth, worse = true_chance_worse(test, quantity, thresholds), was_worse(test, quantity, thresholds)
    found = world.model.chance_worse(test, quantity, thresholds)
    assert found.shape == truth.shape == (len(test), 7)
    constant = (truth.mean(axis=0) - truth).std()
    assert np.sqrt(((found - truth) ** 2).mean()) < 0.035 < constant / 4
    assert np.abs((found - truth).mean(axis=0)).max() < 0.04
    ignorant = log_loss(worse, np.broadcast_to(worse.mean(axis=0), worse.shape))
    assert log_loss(worse, found) - log_loss(worse, truth) < 0.08 * (ignorant - log_loss(worse, truth))
    calibration = measure_calibration(worse.ravel(), found.ravel())
    assert calibration.slope == pytest.approx(1, abs=0.07)
    assert calibration.intercept == pytest.approx(0, abs=0.12)


@pytest.mark.parametrize(("quantity", "direction"), [("rtt_ms", -1), ("downlink_mbps", 1)])
def test_a_stricter_threshold_is_never_met_more_often(world, quantity, direction):
    thresholds = np.geomspace(0.001, 1e6, 400)
    chance = world.model.chance_worse(world.test.head(300), quantity, thresholds)
    assert (direction * np.diff(chance, axis=1) >= 0).all() and ((chance > 0) & (chance < 1)).all()
    span = np.ptp(chance, axis=1)
    assert span.min() > 0.7 and np.median(span) > 0.95


def test_thresholds_are_answered_one_by_one_and_row_by_row(world):
    few, thresholds = world.test.head(40), np.append(world.thresholds["rtt_ms"], np.inf)
    rtt, downlink = (world.model.chance_worse(few, quantity, thresholds) for quantity in QUANTITIES)
    assert ((rtt[:, :-1] > 0) & (rtt[:, :-1] < 1)).all()
    assert (rtt[:, -1] == 0).all() and (downlink[:, -1] == 1).all()
    backwards = world.model.chance_worse(few.iloc[::-1], "rtt_ms", thresholds[::-1])
    single = [world.model.chance_worse(few.iloc[[i]], "rtt_ms", thresholds[3])[0] for i in range(5)]
    np.testing.assert_array_equal(backwards[::-1, ::-1], rtt)
    np.testing.assert_array_equal(single, rtt[:5, 3])
    assert world.model.chance_worse(few, "rtt_ms", np.array([])).shape == (40, 0)
    assert world.model.chance_worse(few.head(0), "rtt_ms", thresholds).shape == (0, 8)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_many_rows_are_asked_at_once_and_answer_to_the_last_bit_as_one_by_one(quick, quantity, monkeypatch):
    head = quick.heads_[quantity]
    rng = np.random.default_rng(3)
    values = [rng.choice([-1.0, 0.0, 0.5, 1.0, 7.0, 1e30, np.nan], 600) for _ in head.encoding.features]
    matrix = np.column_stack(values).astype(np.float32)
    log_x = np.log(rng.choice(np.append(head.levels, [1e-9, 1e9]), 90))  # in no order, some twice
    at_once = head.margins(matrix, log_x)
    monkeypatch.setattr(network_quality, "FEWEST_ASKED_AT_ONCE", len(matrix) + 1)
    monkeypatch.setattr(network_quality, "Trees", None)
    by_xgboost = head.margins(matrix, log_x)
    assert at_once.dtype == by_xgboost.dtype == np.float32 and np.ptp(at_once) > 0
    np.testing.assert_array_equal(at_once, by_xgboost)


def test_unseen_and_missing_values_are_ordinary_input(world):
    unknown = pd.DataFrame({"isp": ["new", None], "city": ["new", None], "os_major": [99, np.nan]})
    for quantity in QUANTITIES:
        chance = world.model.chance_worse(unknown, quantity, world.thresholds[quantity])
        assert ((chance > 0) & (chance < 1)).all()
    nothing = world.model.chance_worse(pd.DataFrame(index=[0]), quantity, world.thresholds[quantity])
    np.testing.assert_array_equal(nothing[0], chance[1])


def test_without_tune_out_of_fold_predictions_serve_about_as_well(world):
    everyone = pd.concat([world.split.train, world.split.calibration]).drop(columns="rtt_ms")
    alone = NetworkQuality(learning_rate=0.3).fit(everyone)
    thresholds = world.thresholds["downlink_mbps"]
    found, with_tune = (m.chance_worse(world.test, "downlink_mbps", thresholds) for m in (alone, world.model))
    truth = true_chance_worse(world.test, "downlink_mbps", thresholds)
    assert np.abs(found - with_tune).mean() < 0.02 and np.sqrt(((found - truth) ** 2).mean()) < 0.035
    assert alone.heads_["downlink_mbps"].slope == pytest.approx(1, abs=0.15)


LATER = ["device", "effective_type", "connection_type", "access_technology", "netinfo_rtt_ms"]


def with_lies(frame: pd.DataFrame) -> pd.DataFrame:
    """Other values in every column that is later than the first request, or no context."""
    link = np.where(np.arange(len(frame)) % 2, "2g", "ethernet")
    later = {"device": "Pixel 9", "effective_type": "2g", "connection_type": link, "netinfo_rtt_ms": 3000.0}
    never = {
        "access_technology": "zzz",
        "user_id": "everyone",
        "rtt_ms": 1.0,
        "downlink_mbps": 1.0,
        "page_load_ms": 1.0,
    }
    return frame.assign(**later, **never)


def looks_further(model: NetworkQuality, frame: pd.DataFrame) -> bool:
    def ask(views: pd.DataFrame, name: str) -> np.ndarray:
        return model.chance_worse(views, name, [3.0, 30.0])

    lies = with_lies(frame)
    return any(not np.array_equal(ask(frame, name), ask(lies, name)) for name in model.quantities)


class Peeking(NetworkQuality):
    """The guard broken on purpose: context is the whole frame."""

    def context(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame


def test_answers_do_not_change_with_later_columns_or_what_was_measured(world, small, quick):
    assert not looks_further(world.model, world.test.head(200))
    assert looks_further(quick, small.head(200))  # known_by="native_app": the connection type is its to know
    peeking = Peeking(**QUICK).fit(small)
    assert looks_further(peeking, small.assign(connection_type="wifi").head(200))


def trees_of(model: NetworkQuality) -> list[bytes]:
    return [bytes(head.booster.save_raw()) for head in model.heads_.values()]


def test_nothing_is_learnt_from_later_columns(small, quick):
    lies = small.assign(**with_lies(small)[LATER])
    early = NetworkQuality(**QUICK)
    assert trees_of(clone(early).fit(small)) == trees_of(early.fit(lies))
    assert trees_of(clone(quick).fit(lies)) != trees_of(quick)


def test_no_row_of_another_quantity_is_needed(small):
    holes = small.assign(rtt_ms=small["rtt_ms"].where(np.arange(len(small)) % 2 == 0))
    model = NetworkQuality(**QUICK).fit(holes)
    alone = NetworkQuality(**QUICK).fit(small.iloc[::2].drop(columns="downlink_mbps"))
    np.testing.assert_array_equal(model.predict(small), alone.predict(small))


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
    np.testing.assert_array_equal(read.predict(frame), model.predict(frame))
    assert "plan" in model.fields and "plan" not in NetworkQuality(**QUICK).fit(frame).fields


def test_a_model_without_any_context_answers_with_the_distribution(small):
    model = NetworkQuality(**QUICK).fit(small[["user_id", "rtt_ms"]])
    asked = small["rtt_ms"].quantile([0.2, 0.5, 0.8]).to_numpy()
    chance = model.chance_worse(small.head(3), "rtt_ms", asked)
    assert chance == pytest.approx(np.tile([0.8, 0.5, 0.2], (3, 1)), abs=0.06)


def test_the_predicted_median_is_where_the_chance_is_one_half(world, quick, small):
    few = world.test.head(300)
    for quantity in QUANTITIES:
        median = world.model.predict(few, quantity)
        chance = np.array([world.model.chance_worse(few.iloc[[i]], quantity, median[i])[0] for i in range(40)])
        assert np.abs(chance - 0.5).mean() < 0.02  # interpolated between percentiles
        assert np.abs(chance - 0.5).max() < 0.07
        assert np.corrcoef(np.log(median), log_median(few, quantity))[0, 1] > 0.95
    np.testing.assert_array_equal(world.model.predict(few), world.model.predict(few, "rtt_ms"))
    levels = quick.heads_["downlink_mbps"].levels
    assert np.isin(quick.predict(small), [levels[0], levels[-1]]).mean() < 0.1
    with pytest.raises(WorkbenchError, match="trained on rtt_ms, downlink_mbps; it cannot answer for 'page_load_ms'"):
        quick.predict(small, "page_load_ms")


def test_a_median_beyond_all_training_values_is_the_last_of_them(quick, small):
    sure = clone(quick).fit(small)
    for intercept, place in ((50.0, -1), (-50.0, 0)):
        sure.heads_ = {name: replace(head, slope=0.0, intercept=intercept) for name, head in quick.heads_.items()}
        levels = quick.heads_["rtt_ms"].levels
        np.testing.assert_allclose(sure.predict(small.head(3), "rtt_ms"), levels[place])


def test_its_score_is_the_mean_log_loss_of_a_loop(quick, small):
    frame = small.head(30).assign(rtt_ms=lambda t: t["rtt_ms"].where(t.index != 3).replace(t["rtt_ms"].iloc[5], np.inf))
    by_quantity = []
    for quantity in QUANTITIES:
        thresholds = quick.heads_[quantity].levels[5:100:5]
        losses = []
        for i in frame.index[frame[quantity].notna()]:
            row = frame.loc[[i]]
            losses.append(log_loss(was_worse(row, quantity, thresholds), quick.chance_worse(row, quantity, thresholds)))
        by_quantity.append(-np.mean(losses))
    assert quick.score(frame) == pytest.approx(np.mean(by_quantity))
    assert quick.score(frame.drop(columns="rtt_ms")) == pytest.approx(by_quantity[1])
    with pytest.raises(WorkbenchError, match=r"expected a measured column \(rtt_ms, downlink_mbps\)"):
        quick.score(frame.drop(columns=list(QUANTITIES)))


def test_the_truth_would_score_little_better_and_ignorance_worse(world):
    plain = NetworkQuality(without=("isp", "city", "os_major"), max_trees=20, learning_rate=0.3).fit(world.test)
    levels = {name: head.levels[5:100:5] for name, head in world.model.heads_.items()}
    loss = [log_loss(was_worse(world.test, *each), true_chance_worse(world.test, *each)) for each in levels.items()]
    assert plain.score(world.test) + 0.05 < world.model.score(world.test) < -np.mean(loss)
    assert world.model.score(world.test) > -np.mean(loss) - 0.01


TREES = NetworkQuality(max_depth=3, min_child_weight=5, learning_rate=0.3, max_trees=30, patience=5)


def some_rows(users: int = 200, seed: int = 0, noise: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    isp = rng.choice(["slow", "fast"], users)
    speed = np.exp(np.where(isp == "fast", 3.0, 1.0) + noise * rng.normal(size=users))
    return pd.DataFrame({"user_id": np.arange(users).astype(str), "isp": isp, "downlink_mbps": speed})


def fit(rows: pd.DataFrame, stop: pd.DataFrame | None, model: NetworkQuality = TREES) -> Head:
    return fit_head(model, rows, stop, "downlink_mbps")


@pytest.fixture(scope="module")
def head() -> Head:
    return fit(some_rows(400), some_rows(400, seed=1))


@pytest.mark.parametrize(
    ("rows", "asked"), [(125_000, 500_000), (125_001, 3 * 125_001), (200_000, 400_000), (600_000, 600_000)]
)
def test_half_a_million_rows_are_asked_at_most_unless_there_are_more(rows, asked):
    values = np.linspace(1, 100, rows)
    assert len(ask(np.empty((rows, 0), np.float32), values, values, "rtt_ms", seed=0)[1]) == asked


def test_the_training_ends_where_other_users_gain_no_more():
    patient = clone(TREES).set_params(max_trees=500)
    head = fit(some_rows(400, noise=2), some_rows(400, seed=1, noise=2), patient)
    assert 1 <= head.booster.num_boosted_rounds() < 100


@pytest.mark.parametrize("stop", [None, some_rows(0), some_rows(9), some_rows(50).drop(columns="downlink_mbps")])
def test_without_enough_other_users_out_of_fold_predictions_serve(stop):
    rows = some_rows(100)
    alone, head = fit(rows, None), fit(rows, stop)
    assert (head.slope, head.intercept) == (alone.slope, alone.intercept)
    assert head.booster.save_raw() == alone.booster.save_raw()
    assert np.isfinite(fit(some_rows(10), stop).slope)  # ten users are enough


def people(seed: int) -> pd.DataFrame:
    """Five views each; the speed is the person's own, and the version names the person and says nothing."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(300), 5)
    speed = np.exp(rng.normal(size=300)[who] + 0.1 * rng.normal(size=len(who)))
    return pd.DataFrame({"user_id": who, "os_major": rng.random(300)[who], "downlink_mbps": speed})


def loss_from_believing_it() -> float:
    """Log-loss on strangers, beyond that of the shares that hold for everyone."""
    eager = NetworkQuality(max_depth=6, min_child_weight=1, learning_rate=0.3, max_trees=100, patience=5)
    head = fit(people(0), None, eager)
    strangers = people(1)
    edges = strangers["downlink_mbps"].quantile([0.1, 0.3, 0.5, 0.7, 0.9]).to_numpy()
    worse = strangers["downlink_mbps"].to_numpy()[:, None] < edges
    chance = head.chances(head.encoding.transform(eager.context(strangers)), edges)
    shares = np.broadcast_to(worse.mean(axis=0), worse.shape)
    return log_loss(worse, chance) - log_loss(worse, shares)


def test_out_of_fold_predictions_do_not_believe_what_is_true_of_known_people_only():
    assert loss_from_believing_it() < 0.05


@pytest.mark.parametrize("broken", ["the same person in several folds", "the rows that were fitted"])
def test_predictions_in_the_fold_would_believe_it(broken, monkeypatch):
    def leaky_folds(rows: pd.DataFrame, seed: int) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        for fit, held_out in KFold(5, shuffle=True, random_state=seed).split(rows):
            yield rows.iloc[fit], rows.iloc[fit if broken == "the rows that were fitted" else held_out]

    monkeypatch.setattr(network_quality, "_user_folds", leaky_folds)
    assert loss_from_believing_it() > 0.2


@pytest.mark.parametrize("thresholds", [[0.0], [-1.0], [np.nan], [5.0, -np.inf], 0.0, np.nan, [[1.0, 2.0]]])
def test_a_threshold_that_cannot_be_is_refused(quick, small, thresholds):
    with pytest.raises(WorkbenchError, match="thresholds of rtt_ms must be a number above 0, or a list of them; got"):
        quick.chance_worse(small.head(2), "rtt_ms", thresholds)


def test_a_frame_that_teaches_nothing_is_refused(small):
    with pytest.raises(WorkbenchError, match=r"expected a measured column \(rtt_ms, downlink_mbps or page_load_ms\)"):
        NetworkQuality().fit(small.drop(columns=["rtt_ms", "downlink_mbps"]))
    with pytest.raises(WorkbenchError, match="rtt_ms has one value in all rows: there is nothing to predict"):
        NetworkQuality().fit(small.assign(rtt_ms=50.0))
    with pytest.raises(WorkbenchError, match="rtt_ms: a model needs at least 10 users whose probes came back; got 9"):
        NetworkQuality().fit(small.head(9))


@pytest.mark.parametrize(("value", "said"), [(np.inf, "worse"), (0.5, "better")])
def test_calibration_rows_that_are_all_alike_are_refused_with_the_way_out(value, said):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"user_id": [f"u{i}" for i in range(900)], "rtt_ms": rng.uniform(20, 400, 900)})
    rows["isp"] = rng.choice(["A", "B"], 900)
    views = measurements(rows)
    outage = views.iloc[600:].assign(rtt_ms=value)
    with pytest.raises(WorkbenchError, match=f"rtt_ms: all rows that .* {said} .*Leave that time"):
        NetworkQuality().fit(views.iloc[:600], outage)
