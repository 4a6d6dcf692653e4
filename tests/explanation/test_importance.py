"""Importance: planted effects come back in sign and order, what is not planted costs nothing, sums add up."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xgboost

import workbench as wb
from workbench.datasets.cards import Card
from workbench.decisions.decision import Unit
from workbench.decisions.prefetch.explain import source_of
from workbench.explanation import importance
from workbench.explanation.base import apply_model, beyond_noise
from workbench.explanation.importance import Importance, net_lost

PROXIES = ("isp", "country", "os_major", "browser", "browser_major", "save_data")  # of the network and the system
PLANTED = ["network (ASN)", "operating system", "local hour"]


def world(planted: bool, rows: int, trees: int):
    """A simulated world in which region and city are drawn by lot, and a model of it."""
    rng, views = np.random.default_rng(1), wb.make_measurements(rows, planted=planted)
    views = views.assign(city=rng.integers(0, 30, rows).astype(str), region=rng.choice(["a", "b", "c"], rows))
    split = wb.split_by_user(wb.measurements(views, simulated=True, name="world"), history=False)
    return split, wb.train_network_quality(split, without=PROXIES, max_trees=trees)


@pytest.fixture(scope="module")
def planted():
    return world(planted=True, rows=15_000, trees=150)


@pytest.fixture(scope="module")
def found(planted) -> Importance:
    return importance(planted[1], planted[0].test)


def surely(result: Importance, features: list[str]) -> list[int]:
    """Whether permuting costs net beyond noise (1), gains (-1), or neither (0)."""
    table = result.to_frame().loc[features]
    return [beyond_noise(result.unit, row.net_low, row.net_high) for row in table.itertuples()]


def test_planted_features_come_first_in_both_rankings_and_what_is_drawn_by_lot_costs_nothing(found):
    table = found.to_frame()
    assert table.index[0] == PLANTED[0] and set(table.index[:3]) == set(PLANTED)
    assert set(table["net"].nlargest(3).index) == set(PLANTED)
    assert surely(found, [*PLANTED, "region", "city"]) == [1, 1, 1, 0, 0]
    assert set(found.weak) == {"region", "city"}
    assert table["turned"][["region", "city"]].max() < 0.05 < table["turned"]["network (ASN)"] < 1
    assert table["shap_low"]["local hour"] > 2 * table["shap_high"][["region", "city"]].max()
    assert set(found.needed) >= set(PLANTED) and found.needed[0] == PLANTED[0]


def test_in_the_null_world_hour_and_system_cost_nothing():
    split, model = world(planted=False, rows=8_000, trees=40)
    null = importance(model, split.validation)
    assert surely(null, [*PLANTED, "region", "city"]) == [1, 0, 0, 0, 0]
    strength = null.to_frame()["shap"]
    assert strength[["local hour", "operating system", "region", "city"]].max() < 0.1 * strength["network (ASN)"]


def test_the_simulated_site_gives_back_what_is_planted():
    split = wb.split_by_time(wb.load("synthetic_navigations", rows=20_000))
    found_site = importance(wb.train_next_page(split, max_trees=60), split.test)
    there = ["the page before", "device and hour", "time on the page before"]
    assert surely(found_site, there) == [1, 1, 1]
    assert surely(found_site, ["country", "Save-Data"]) == [0, 0]
    assert list(found_site.table["feature"].head(3)) == there
    assert "device" not in found_site.weak  # "device and hour" needs it


def test_means_are_those_of_shap_values_and_the_threshold_is_no_feature(planted, found):
    """By another road: where all views are explained, the mean of the sizes."""
    split, model = planted
    explained = wb.shap_values(model, split.test, views=len(split.test))
    assert found.question == explained.output_names
    assert found.rows <= len(split.test) and found.table.notna().all(axis=None)
    means = dict(zip(explained.feature_names, abs(explained.values).mean(axis=0), strict=True))
    table = found.to_frame()
    assert set(table.index) == set(means) - {"threshold asked about"}
    for name in table.index:
        assert table["shap_low"][name] <= means[name] <= table["shap_high"][name]


def test_permuting_is_worked_out_as_a_plain_loop_would(planted):
    """By another road: shuffle one column, ask the policy about every view, take the difference in net."""
    split, model = planted
    views = apply_model(model, split.validation.head(300))
    features, lost, turned = net_lost(views, 1, seed=5)
    place = features.index("operating system")
    context = views.situations.context
    order = np.random.default_rng([5, place, 0]).permutation(len(context))
    shuffled = context.assign(os_family=context["os_family"].to_numpy()[order])
    answer = views.decision.ask(views.policy, replace(views.situations, context=shuffled, answers={}), views.scenario)
    expected = views.net(views.ask()) - views.net(answer)
    assert lost[:, place] == pytest.approx(expected)
    assert np.abs(expected).max() > 0
    assert (turned[:, place] == (answer != views.ask())).all()


def test_save_data_is_heeded_as_it_is(planted):
    """Whoever asked for less data gets it, and whoever did not is not punished where the model does not care."""
    split, model = planted
    asks = pd.Series(np.arange(len(split.validation)) % 2 == 0, split.validation.index, dtype="boolean")
    views = apply_model(model, split.validation.assign(save_data=asks).head(300))
    features, lost, _ = net_lost(views, 1, seed=0)
    assert "Save-Data" not in features  # this model was trained without it
    assert (lost[views.situations.context["save_data"].to_numpy(bool)] == 0).all()
    assert (lost != 0).any()


def test_a_page_feature_is_shuffled_whole_and_others_stay(small_site, small_site_model, monkeypatch):
    split, model = small_site, small_site_model
    views = apply_model(model, split.validation.head(400))
    answer = views.ask()
    as_is, seen = model.describe(views.situations.context).matrix, []
    shuffled = views.decision.shuffled(views.policy, views.situations, views.scenario, answer)
    predict = xgboost.Booster.inplace_predict

    def watching(self, matrix, **keywords):
        seen.append(matrix)
        return predict(self, matrix, **keywords)

    monkeypatch.setattr(xgboost.Booster, "inplace_predict", watching)
    gaps = {source_of(name) for i, name in enumerate(model.names_) if np.isnan(as_is[:, i]).any()}
    for feature in ("device", "time on the page before", "the page before", "place in the session"):
        ((net, turned),) = shuffled[feature]([np.random.default_rng(0)])
        moved = {source_of(model.names_[i]) for i in np.flatnonzero((seen[-1] != as_is).any(axis=0))}
        assert feature in moved and moved <= gaps | {feature}
        assert (net[~turned] == views.net(answer)[~turned]).mean() > 0.8  # others may differ by their caches
    dwell = model.names_.index("previous_dwell_s")
    shuffled["time on the page before"]([np.random.default_rng(0)])
    _, first = np.unique(model.describe(views.situations.context).row, return_index=True)
    assert np.sort(seen[-1][first, dwell]) == pytest.approx(np.sort(as_is[first, dwell]), nan_ok=True)


def test_one_seed_one_answer_and_a_policy_may_stand_for_its_model(planted):
    split, model = planted
    few = split.validation.head(200)
    policy = apply_model(model, few).policy
    pd.testing.assert_frame_equal(importance(policy, few, seed=2).table, importance(model, few, seed=2).table)
    assert (importance(replace(policy, limit=0.0), few, seed=2).table["net"] == 0).all()


@pytest.fixture(scope="module")
def made():
    """Four features, written out: one strong in both rankings, one idle, one ahead in net, one harmful."""
    rows = [
        ("strong", 1.0, 0.9, 1.1, 5.0, 4.0, 6.0, 0.3),
        ("idle", 0.8, 0.7, 0.9, 0.1, -0.5, 0.6, 0.02),
        ("harmful", 0.3, 0.2, 0.4, -2.0, -3.0, -1.0, 0.2),
        ("decisive", 0.05, 0.04, 0.06, 3.0, 2.0, 4.0, 0.1),
    ]
    columns = ["feature", "shap", "shap_low", "shap_high", "net", "net_low", "net_high", "turned"]
    points = Unit("points", "points a view", 1.0, 1)
    table = pd.DataFrame(rows, columns=columns)
    return Importance(table, "log-odds that it is late", 900, 90, 800, 80, points, "users", Card("made"))


def test_sentences_hold_the_numbers_and_say_where_the_rankings_differ(made):
    moves, loses, idle, ahead, harmful, correlated = made.sentences
    assert "log-odds that it is late" in moves and "900 views of 90 users: strong 1.00 (0.90 to 1.10)" in moves
    assert "800 views of 80 users" in loses and "strong +5.0 (+4.0 to +6.0), decisive +3.0" in loses
    assert "idle (rank 2 by SHAP, 3 by net: +0.1 (-0.5 to +0.6))" in idle and "2.0 %" in idle
    assert "decisive (rank 4 by SHAP, 2 by net" in ahead
    assert "harmful (rank 3 by SHAP, 4 by net" in harmful and "4 intervals were tested" in harmful
    assert "wb.redundancy" in correlated
    wide = made.table.assign(turned=0.2, net_low=made.table["net_low"].where(made.table["feature"] != "idle", -30.0))
    assert "20.0 %" in replace(made, table=wide).sentences[2]
    nothing = replace(made, table=made.table.assign(shap=0.0, net=0.0, net_low=0.0, net_high=0.0))
    assert nothing.sentences[0] == "No feature moves the answer." and nothing.needed == ()
    odd = replace(made, table=made.table.replace({"feature": {"strong": "<b>strong</b>"}}))
    assert "<b>" not in odd._repr_html_()
    assert made.needed == ("strong", "decisive") and "strong and decisive" in made.finding
    one = made.table.assign(net_low=np.where(made.table["feature"] == "decisive", 1.0, -1.0))
    assert replace(made, table=one).finding.endswith("decisive")
    # An interval that begins above zero by less than is shown includes zero for a reader.
    hair = replace(made, table=made.table.assign(net=0.4, net_low=0.04, net_high=0.8))
    assert hair.needed == () and "no detectable effect" in hair.finding and "no single feature" in hair.sentences[1]
