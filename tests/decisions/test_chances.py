from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.schema import known_context
from workbench.decisions.chances import Lookup, base_assumptions, fit_tables, true_chance, try_tables
from workbench.decisions.images.decision import DECISION as IMAGES
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.options import decide
from workbench.models.boosting import NotFittedError


@pytest.fixture
def twenty_each():
    """Provider "slow" had about 1 Mbit/s 20 times, "fast" about 100 Mbit/s 20 times; one RTT is assumed."""
    speeds = np.concatenate([np.linspace(0.9, 1.1, 20), np.linspace(90, 110, 20)])
    views = pd.DataFrame({"isp": ["slow"] * 20 + ["fast"] * 20, "downlink_mbps": speeds})
    return wb.measurements(views, assume={"rtt_ms": (50, 50, 50)})


def test_a_table_counts_by_group_leans_on_its_parent_and_sends_what_groups_can_carry(twenty_each):
    table = Lookup(("isp",), 20.0, assume=base_assumptions(twenty_each.attrs["card"])).fit(twenty_each)
    asked = pd.DataFrame({"isp": ["slow", "fast", "never seen"]}, dtype="str")
    # Below 50 Mbit/s: all of slow, none of fast, half of everything: (20 + 20 / 2) / 40, (0 + 20 / 2) / 40, 1 / 2.
    chance = table.chance_worse(known_context(asked, "first_request"), "downlink_mbps", np.array([50.0]))
    assert chance[:, 0] == pytest.approx([0.75, 0.25, 0.5])
    # 1 Mbit/s: medium needs 4 * 50 + 8 * 150,528 / 1000 = 1,404 ms, small 534 ms.
    chosen = decide(replace(table, smoothing=1.0), known_context(twenty_each, "first_request"), ImageScenario())
    assert chosen.tolist() == [0] * 20 + [2] * 20
    assert true_chance(twenty_each.attrs["card"]) is None  # nature does not tell


def test_smoothing_is_what_serves_other_users_best():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60, 4000).astype(str)
    pure_noise = pd.DataFrame({"city": groups, "downlink_mbps": np.exp(rng.normal(2, 1, 4000))})
    train, validation = wb.measurements(pure_noise[:2000]), wb.measurements(pure_noise[2000:])
    assert Lookup(("city",)).fit(train).smooth(validation).smoothing == 300.0

    speed = dict(zip(np.unique(groups), np.exp(rng.normal(2, 2, len(np.unique(groups)))), strict=True))
    pure_signal = pure_noise.assign(downlink_mbps=pure_noise["city"].map(speed) * np.exp(rng.normal(0, 0.05, 4000)))
    train, validation = wb.measurements(pure_signal[:2000]), wb.measurements(pure_signal[2000:])
    assert Lookup(("city",)).fit(train).smooth(validation).smoothing == 1.0


@pytest.fixture(scope="module")
def world():
    return wb.split_by_user(wb.load("synthetic_measurements", rows=30_000))


@pytest.fixture(scope="module")
def tables(world):
    return {rule.name: rule for rule in wb.rules(world) if isinstance(rule, Lookup)}


def test_a_table_that_counted_nothing_says_so():
    for ask in (
        lambda rule: rule.chance_worse(None, "rtt_ms", [1]),
        lambda rule: rule.prospects(None, wb.ImageScenario()),
    ):
        with pytest.raises(NotFittedError, match="has not counted anything yet"):
            ask(Lookup(("country",)))


def test_a_table_is_fitted_on_train_alone_and_where_its_keys_come_later_not_at_all(world, tables):
    counts = tables["most fitting size per country and network (ASN)"].tables["downlink_mbps"]
    counted = [int(sizes.sum()) for sizes in counts.sizes]
    users = world.train.groupby(["country", "asn"], dropna=False)["user_id"].agg(["size", "nunique"])
    large = int(users.loc[users["nunique"] >= 20, "size"].sum())
    assert counted == [len(world.train), len(world.train), large] and 0 < large < len(world.train)
    assert not tables["most fitting size per connection and provider"].tables
    (later,) = fit_tables(world, [("connection_type", "isp")], "client_js", "size")
    assert later.tables


def test_true_chances_are_3_points_beyond_every_table_by_two_columns():
    """The embedded world as it comes, before any model is asked; the best of all tables is even picked on test."""
    views, scenario = wb.load("synthetic_measurements"), ImageScenario()
    plan = IMAGES.plan(views, scenario, 0)
    split = IMAGES.prepare(views, plan)
    card = split.card
    test = IMAGES.situations(split.test, card, split.cluster, plan.known_by, scenario)
    contexts = known_context(split.train, plan.known_by), test.context
    nets = IMAGES.payoffs(split.train, scenario, {})["net"], test.given["net"]
    trials = try_tables(contexts, nets, np.unique(test.users, return_inverse=True)[1])
    assert len(trials) > 100
    truth = IMAGES.outcomes(IMAGES.ask(true_chance(card), test, scenario), test, scenario)["net"]
    assert truth.mean() > max(trial.net.sum() for trial in trials) / len(test) + 3


def test_columns_that_a_card_calls_alike_are_told_apart_in_the_names_of_rules():
    raw = pd.DataFrame(wb.load("synthetic_measurements", rows=3000))
    raw.attrs = {}
    same = wb.measurements(raw, labels={"isp": "country", "region": "network (ASN)"})
    names = [rule.name for rule in wb.rules(wb.split_by_user(same)) if isinstance(rule, Lookup)]
    assert len(set(names)) == len(names)
    assert "most fitting size per country [isp] and network (ASN) [region]" in names
    with pytest.raises(wb.WorkbenchError, match="one line of printable text"):
        wb.measurements(raw, labels={"isp": "a\nb"})
