"""Importance: planted effects come back in sign and order, what is not planted costs nothing, sums add up."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xgboost
from workbench.explanation.acting import act_on
from workbench.explanation.feature_importance import THE_QUESTION, Importance, importance
from workbench.explanation.importance_words import SHARED, beyond_noise
from workbench.explanation.permuted_net import Lost, net_lost

import workbench as wb
from workbench.explanation import feature_importance
from workbench.studies.comparison import NET_HITS, POINTS

ROWS = 15_000
NOTHING_LOST = Lost([], np.empty((1, 0)), np.empty((1, 0)))
PROXIES = ("isp", "country", "os_major", "browser", "browser_major", "save_data")  # of the network and the system


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with xgboost.config_context(nthread=1):
        yield


def world(planted: bool):
    """A simulated world in which region and city are drawn by lot, and a model of it."""
    rng, views = np.random.default_rng(1), wb.make_measurements(ROWS, planted=planted)
    views = views.assign(city=rng.integers(0, 30, ROWS).astype(str), region=rng.choice(["a", "b", "c"], ROWS))
    split = wb.split_by_user(wb.measurements(views, simulated=True, name="world"), history=False)
    return split, wb.train_network_quality(split, without=PROXIES)


@pytest.fixture(scope="module")
def planted():
    return world(planted=True)


@pytest.fixture(scope="module")
def found(planted) -> Importance:
    split, model = planted
    return importance(model, split.test)


@pytest.fixture(scope="module")
def site():
    split = wb.split_by_time(wb.load("synthetic_navigations", rows=15_000))
    return split, wb.train_next_page(split)


@pytest.fixture(scope="module")
def found_site(site) -> Importance:
    split, model = site
    return importance(model, split.test)


def by_feature(result: Importance) -> pd.DataFrame:
    return result.table.set_index("feature")


def surely(result: Importance, features: list[str]) -> list[int]:
    """Whether permuting costs net beyond noise (1), gains (-1), or neither (0)."""
    table = by_feature(result).loc[features]
    return [beyond_noise(result.unit, row.net_low, row.net_high) for row in table.itertuples()]


def test_planted_features_come_first_in_both_orders(found):
    table = by_feature(found)
    assert list(table.index[:3]) == ["ASN", "operating system", "local hour"]
    assert table["net"].nlargest(3).index.tolist() == ["ASN", "operating system", "local hour"]
    assert surely(found, list(table.index[:3])) == [1, 1, 1]
    assert table["shap_low"]["local hour"] > 2 * table["shap_high"][["region", "city"]].max()


def test_what_is_drawn_by_lot_costs_nothing_beyond_noise(found):
    assert surely(found, ["region", "city"]) == [0, 0]
    turned = by_feature(found)["turned"]
    assert turned[["region", "city"]].max() < 0.05 < turned["ASN"] < 1


def test_pushes_have_the_planted_signs(planted):
    """At the planted networks iOS meets congestion in the evening, Android by day."""
    split, model = planted
    told = wb.shap_values(model, split.test)
    names = ["operating system", "local hour"]
    push = told.values[:, [told.feature_names.index(name) for name in names]].sum(axis=1)
    provider = split.test["isp"].str.partition(" ")[2]
    views = split.test.assign(push=push, evening=split.test["local_hour"] >= 17)[provider.isin(["Cable", "Mobile"])]
    mean = views.groupby(["os_family", "evening"])["push"].mean()
    assert mean["iOS", True] > max(0, mean["iOS", False] + 0.2)
    assert mean["Android", False] > max(0, mean["Android", True] + 0.2)
    assert mean["Windows", True] < 0


def test_in_the_null_world_hour_and_system_cost_nothing():
    split, model = world(planted=False)
    null = importance(model, split.validation)
    assert surely(null, ["ASN", "local hour", "operating system", "region", "city"]) == [1, 0, 0, 0, 0]
    strength = by_feature(null)["shap"]
    assert strength[["local hour", "operating system", "region", "city"]].max() < 0.1 * strength["ASN"]


def test_the_simulated_site_gives_back_what_is_planted(found_site):
    planted = ["the page before", "device and hour", "time on the page before"]
    assert surely(found_site, planted) == [1, 1, 1]
    assert surely(found_site, ["country", "Save-Data"]) == [0, 0]
    assert list(found_site.table["feature"].head(3)) == planted


def test_the_question_itself_is_last_and_has_no_column(found, found_site):
    last = found.table.iloc[-1]
    assert last["feature"] == THE_QUESTION
    assert last["shap"] > 0 and last[["net", "net_low", "net_high"]].isna().all()
    assert THE_QUESTION not in set(found_site.table["feature"])
    assert found_site.table.notna().all(axis=None)


def test_means_are_those_of_shap_values(planted, found):
    """By another road: where all views are explained, the mean of the sizes."""
    split, model = planted
    told = wb.shap_values(model, split.test)
    assert found.question == told.output_names
    assert found.rows <= len(split.test)
    means = dict(zip(told.feature_names, abs(told.values).mean(axis=0), strict=True))
    table = by_feature(found)
    for name, mean in means.items():
        assert table["shap_low"][name] < mean < table["shap_high"][name]


def test_rows_are_drawn_until_the_order_is_settled(planted, monkeypatch):
    split, model = planted
    monkeypatch.setattr(feature_importance, "net_lost", lambda *_: NOTHING_LOST)
    monkeypatch.setattr(feature_importance, "FIRST_ROWS", 200)
    monkeypatch.setattr(feature_importance, "TOP", 2)
    early = importance(model, split.test)
    assert early.settled and early.open_pairs == ()
    assert early.rows < len(split.test) / 2
    monkeypatch.setattr(feature_importance, "LEVEL", 1.01)  # nothing is ever so sure
    never = importance(model, split.test)
    assert not never.settled
    assert never.rows == len(split.test)
    assert never.users == split.test["user_id"].nunique()
    assert never.open_pairs[0] == ("ASN", "operating system")
    assert f"The order of the first 5 is not settled: on all {never.rows:,} views" in " ".join(never.sentences)
    assert "ASN and operating system; nor operating system and local hour cannot be told apart" in str(never)


def test_two_features_that_say_the_same_as_much_are_not_told_apart():
    sizes, users = np.random.default_rng(0).random(400), np.arange(400)
    alike = feature_importance._Strength("q", ["a", "b"], np.column_stack([sizes, sizes[::-1]]), users)
    apart = feature_importance._Strength("q", ["a", "b"], np.column_stack([sizes, 0.5 + sizes[::-1]]), users)
    assert len(alike.open_pairs(0)) == 1
    assert apart.open_pairs(0) == ()


def test_permuting_is_worked_out_as_a_plain_loop_would(planted):
    """By another road: deal out one column, ask the policy about every view, take the difference in net."""
    split, model = planted
    views = act_on(model, split.validation.head(300))
    features, lost, turned = net_lost(views, 1, seed=5)
    place = features.index("operating system")
    rng = np.random.default_rng([5, place, 0])
    dealt = views.context["os_family"].to_numpy()[rng.permutation(len(views.context))]
    answer = views.ask(views.ours, views.context.assign(os_family=dealt))
    expected = views.net(views.ask(views.ours)) - views.net(answer)
    assert lost[:, place] == pytest.approx(expected)
    assert np.abs(expected).max() > 0
    assert (turned[:, place] == (answer != views.ask(views.ours))).all()


def test_save_data_is_heeded_as_it_is(planted):
    """Whoever asked for less data gets it, and whoever did not is not punished where the model does not care."""
    split, model = planted
    asks = pd.Series(np.arange(len(split.validation)) % 2 == 0, split.validation.index, dtype="boolean")
    views = act_on(model, split.validation.assign(save_data=asks).head(300))
    features, lost, _ = net_lost(views, 1, seed=0)
    assert "Save-Data" not in features  # this model was trained without it
    assert (lost[views.context["save_data"].to_numpy(bool)] == 0).all()
    assert (lost != 0).any()


def test_a_page_feature_is_dealt_out_whole_and_others_stay(site):
    split, model = site
    views = act_on(model, split.validation.head(400))
    from workbench.explanation.permuted_net import _Candidates
    from workbench.explanation.shap_next_page import source_of

    pairs = model.describe(views.context)
    of_view = np.array([name in {"position", "earlier_views"} for name in pairs.names])
    candidates = _Candidates(views, pairs, of_view, views.ask(views.ours))
    for feature in ("device", "time on the page before", "the page before", "place in the session"):
        dealt = candidates._dealt(feature, np.random.default_rng(0))
        moved = {source_of(pairs.names[i]) for i in np.flatnonzero((dealt != pairs.matrix).any(axis=0))}
        moved -= {source_of(n) for i, n in enumerate(pairs.names) if np.isnan(pairs.matrix[:, i]).any()} - {feature}
        assert moved == {feature}
    net, turned = candidates.decided(pairs.matrix)
    assert not turned.any() and net == pytest.approx(views.net(views.ask(views.ours)))
    assert candidates.decided(candidates._dealt("the page before", np.random.default_rng(0)))[1].any()
    dwell = pairs.names.index("previous_dwell_s")
    dealt = candidates._dealt("time on the page before", np.random.default_rng(0))
    first = np.unique(pairs.row, return_index=True)[1]
    assert np.sort(dealt[first, dwell]) == pytest.approx(np.sort(pairs.matrix[first, dwell]), nan_ok=True)


def test_one_seed_one_answer_and_a_policy_may_stand_for_its_model(planted, monkeypatch):
    split, model = planted
    monkeypatch.setattr(feature_importance, "REPLAYED_VIEWS", 300)
    monkeypatch.setattr(feature_importance, "FIRST_ROWS", 300)
    first, again = (importance(model, split.validation, seed=2) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, again.table)
    policy = act_on(model, split.validation).ours
    pd.testing.assert_frame_equal(importance(policy, split.validation, seed=2).table, first.table)
    never_waits = replace(policy, limit=0.0)
    assert (importance(never_waits, split.validation, seed=2).table["net"].dropna() == 0).all()


def test_words_hold_the_numbers(found, found_site):
    said = " ".join(found.sentences)
    top = found.table.iloc[0]
    assert f"ASN {top['shap']:.2f} ({top['shap_low']:.2f} to {top['shap_high']:.2f})" in said
    assert f"{found.replayed:,} views of {found.replayed_users:,} users, these cost net: ASN +" in said
    assert "points a view (exploratory)" in said
    assert found.sentences[-1] == SHARED
    assert "net hits per 100 views" in " ".join(found_site.sentences)
    assert "cannot be permuted" in str(found)
    assert "<table" in found._repr_html_() and "<script" not in found._repr_html_()


@pytest.fixture
def made():
    """Four features, written out: one strong in both orders, one idle, one ahead in net, one harmful."""
    rows = [
        ("strong", 1.0, 0.9, 1.1, 5.0, 4.0, 6.0, 0.3),
        ("idle", 0.8, 0.7, 0.9, 0.1, -0.5, 0.6, 0.02),
        ("harmful", 0.3, 0.2, 0.4, -2.0, -3.0, -1.0, 0.2),
        ("decisive", 0.05, 0.04, 0.06, 3.0, 2.0, 4.0, 0.1),
        (THE_QUESTION, 0.5, 0.4, 0.6, np.nan, np.nan, np.nan, np.nan),
    ]
    columns = ["feature", "shap", "shap_low", "shap_high", "net", "net_low", "net_high", "turned"]
    table = pd.DataFrame(rows, columns=columns)
    card = wb.load("synthetic_measurements", rows=10).attrs["card"]
    return Importance(table, "log-odds that it is late", 900, 90, 0, 1, True, (), 800, 80, POINTS, "users", card)


def test_where_the_orders_differ_words_say_what_that_means(made):
    said = made.sentences
    assert said[0].startswith(
        "What moves the log-odds that it is late most, up or down, in the mean over views: strong"
    )
    assert "on 900 views of 90 users each of them is ahead" in said[1]
    assert "these cost net: strong +5.0 (+4.0 to +6.0), decisive +3.0 (+2.0 to +4.0) points a view" in said[2]
    assert said[3].startswith("idle (place 2 by SHAP, 3 by net: +0.1 (-0.5 to +0.6)): strong by SHAP, no net")
    assert said[4].startswith("decisive (place 4 by SHAP, 2 by net: +3.0 (+2.0 to +4.0)): further ahead in net")
    assert said[5].startswith("harmful (place 3 by SHAP, 4 by net: -2.0 (-3.0 to -1.0)): decisions were worth more")
    agree = replace(made, table=made.table[made.table["feature"] == "strong"], unit=NET_HITS)
    assert agree.sentences[3].startswith("The two orders agree")
    nothing = replace(made, table=made.table.assign(shap=0.0, net=0.0, net_low=0.0, net_high=0.0))
    assert nothing.sentences[0] == "No feature moves the answer."
    assert "no feature costs net beyond noise" in nothing.sentences[2]


def test_names_from_data_are_escaped(made):
    odd = replace(made, table=made.table.replace({"feature": {"strong": "<b>strong</b>"}}))
    assert "<b>" not in odd._repr_html_()


def test_what_does_not_belong_together_is_refused(planted, site):
    split, model = planted
    with pytest.raises(wb.WorkbenchError, match=r"takes a wb\.ImageScenario"):
        importance(model, split.validation, scenario=wb.PrefetchScenario())
    with pytest.raises(wb.WorkbenchError, match="expected a trained model"):
        importance("model", split.validation)


def test_the_heading_names_what_decisions_need(made):
    assert made.missed == ("strong", "decisive")
    assert made.finding == "Decisions need strong and decisive most"
    nothing = replace(made, table=made.table.assign(net_low=-1.0))
    assert nothing.finding == "No feature is missed beyond noise: permuted, none costs net"
    one = made.table.assign(net_low=np.where(made.table["feature"] == "decisive", 1.0, -1.0))
    assert replace(made, table=one).finding == "Decisions need decisive, and nothing else beyond noise"


def test_heading_and_sentences_call_the_same_features_missed(made):
    """An interval that begins above zero by less than is told holds zero for a reader."""
    hair = made.table.assign(net=0.4, net_low=0.04, net_high=0.8)
    rounded = replace(made, table=hair)
    assert rounded.missed == ()
    assert rounded.finding.startswith("No feature is missed beyond noise")
    assert "no feature costs net beyond noise" in rounded.sentences[2]


def test_a_wide_interval_is_no_evidence_of_idleness(made):
    wide = made.table.assign(turned=0.2, net_low=made.table["net_low"].where(made.table["feature"] != "idle", -30.0))
    said = replace(made, table=wide).sentences[3]
    assert "strong by SHAP, no net beyond noise, though 20.0 % of the decisions turn with it permuted" in said
    assert "not shown either way" in said and "seldom" not in said
    assert "seldom past the point where the decision turns: permuted, it turns 2.0 %" in made.sentences[3]


def test_the_number_of_ordered_features_is_the_real_one(made):
    assert "The order of the first 4 is settled" in made.sentences[1]
    alone = replace(made, table=made.table[made.table["feature"] == "strong"])
    assert alone.sentences[1] == "This rests on 900 views of 90 users."


def test_words_say_at_which_look_and_on_what_the_order_rests(made):
    assert "chance to be wrong" not in made.sentences[1]
    third = replace(made, looks=3).sentences[1]
    assert third.endswith("95 % of the resamples (at look 3; each look is one more chance to be wrong).")
    open_still = replace(made, settled=False, open_pairs=(("idle", "harmful"),))
    assert "not settled: on all 900 views of 90 users, idle and harmful cannot" in open_still.sentences[1]
    capped = replace(open_still, left_out=5_000).sentences[1]
    assert "not settled: on the 900 views of 90 users looked at (5,000 more were not), idle and" in capped


def test_of_millions_of_views_only_so_many_are_explained(planted, monkeypatch):
    split, model = planted
    monkeypatch.setattr(feature_importance, "net_lost", lambda *_: NOTHING_LOST)
    monkeypatch.setattr(feature_importance, "LEVEL", 1.01)  # never settled
    monkeypatch.setattr(feature_importance, "FIRST_ROWS", 100)
    monkeypatch.setattr(feature_importance, "MOST_ROWS", 300)
    capped = importance(model, split.validation)
    assert 250 <= capped.rows <= 300
    assert capped.left_out == len(split.validation) - capped.rows
    assert capped.looks == 3 and not capped.settled


def test_few_users_have_no_importance(planted):
    split, model = planted
    one = split.validation.head(20).assign(user_id="u")
    with pytest.raises(wb.WorkbenchError, match=r"views of at least 20; got 20 views of 1\. Pass a larger part"):
        importance(model, one)


def test_twenty_users_are_drawn_even_where_one_is_heavy(monkeypatch):
    monkeypatch.setattr(feature_importance, "REPLAYED_VIEWS", 50)
    users = np.r_[np.zeros(100, int), np.arange(1, 60)]
    for seed in range(5):
        drawn = feature_importance._draw(users, seed)
        assert len(np.unique(users[drawn])) >= 20
        assert all(drawn[users == user].all() for user in users[drawn])  # whole users
    assert any(feature_importance._draw(users, seed)[0] for seed in range(5))
    many = feature_importance._draw(np.arange(1_000), 0)
    assert many.sum() == 50
