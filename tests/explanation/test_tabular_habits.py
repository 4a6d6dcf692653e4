"""The habits of tabular work: each step by itself, on validation, and never on test."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.retraining import removable
from workbench.explanation.tabular_habits import REDUNDANT, ROWS, SHIFTED, USED_UP, WEAK, try_habits

import workbench as wb
from workbench.explanation import tabular_habits
from workbench.studies.comparison import POINTS


@pytest.fixture(scope="module")
def tried(few, few_model):
    return try_habits(few, few_model)


def step(tried, name):
    return tried.table.set_index("step").loc[name]


def test_every_step_is_tried_in_order(tried):
    assert tried.table["step"].tolist() == [WEAK, REDUNDANT, SHIFTED, ROWS]
    assert tried.users > 20 and tried.unit.name == "points"


def test_a_copied_column_can_go_and_what_decides_stays(tried):
    redundant = step(tried, REDUNDANT)
    assert redundant["dropped"] in (("provider",), ("region",))
    assert redundant["net_low"] <= 0 <= redundant["net_high"]


def test_a_split_by_user_has_nothing_that_tells_choose_from_train(tried):
    period = step(tried, SHIFTED)
    assert period["dropped"] == () and pd.isna(period["net"])
    assert period["said"] == "no column tells choose from train"


def test_each_step_is_a_sentence_and_the_last_warns(tried):
    sentences = tried.sentences
    assert len(sentences) == 5 and sentences[-1] == USED_UP
    assert sentences[1].startswith("Drop redundant columns (") and " kB " in sentences[1]
    assert sentences[2] == "Drop what tells choose from train: no column tells choose from train."
    assert sentences[3].startswith("Look at single rows: ")


def test_test_is_not_read(few, few_model, tried, monkeypatch):
    monkeypatch.setattr("workbench.explanation.retraining.Retraining.without", lambda self, names, seed: None)
    importance = SimpleNamespace(table=pd.DataFrame({"feature": ["provider"], "net_low": [1.0], "net_high": 2.0}))
    again = try_habits(replace(few, test=None), few_model, importance=importance)
    assert again.table["step"].tolist() == tried.table["step"].tolist()
    assert step(again, WEAK)["dropped"] == tuple(name for name in removable(few_model) if name != "provider")


def test_of_pages_kinds_of_features_go(small_site, small_site_model):
    strong = ["popularity", "the page before", "the person's habits", "device", "hour", "operating system", "browser"]
    importance = SimpleNamespace(table=pd.DataFrame({"feature": strong, "net_low": 0.01, "net_high": 0.02}))
    tried = try_habits(small_site, small_site_model, importance=importance)
    assert set(step(tried, WEAK)["dropped"]) == {"country", "Save-Data", "NetInfo class", "connection"}
    assert "the page before" in step(tried, REDUNDANT)["dropped"]
    assert tried.unit.name == "net hits per 100 views"


def test_not_every_column_is_dropped(few, few_model, monkeypatch):
    monkeypatch.setattr("workbench.explanation.retraining.Retraining.without", lambda self, names, seed: None)
    monkeypatch.setattr(tabular_habits, "_telling", lambda *arguments: ())
    importance = SimpleNamespace(table=pd.DataFrame({"feature": ["provider"], "net_low": [-1.0], "net_high": 1.0}))
    row = step(try_habits(few, few_model, importance=importance), WEAK)
    assert (row["dropped"], row["said"]) == ((), "that would be every column")


def test_a_model_of_another_split_is_refused(few_model, small_site):
    with pytest.raises(wb.WorkbenchError, match="expected a trained model"):
        try_habits(small_site, None)
    other = wb.split_by_user(wb.load("synthetic_measurements", rows=1000), seed=5)
    with pytest.raises(wb.WorkbenchError, match="other rows than this split's train part"):
        try_habits(other, few_model)


def test_the_heading_names_the_steps_that_change_something(tried):
    assert tried.finding == "No habit of tabular work changes the net beyond chance"
    table = tried.table.copy()
    table.loc[0, ["net", "net_low", "net_high"]] = [-2.0, -3.0, -1.0]
    assert replace(tried, table=table).finding == "Of the habits of tabular work, drop weak columns costs net"
    table.loc[0, ["net", "net_low", "net_high"]] = [-0.1, -0.2, -0.01]  # told as -0.0
    found = replace(tried, table=table)
    assert found.finding == "No habit of tabular work changes the net beyond chance"
    assert "(-0.2 to -0.0) points, within chance" in found.sentences[0]


def test_where_nothing_was_dropped_no_effect_is_spoken_of(tried):
    nothing = tried.table.assign(dropped=[()] * 4, net=float("nan"), net_low=float("nan"), net_high=float("nan"))
    assert replace(tried, table=nothing).finding == "No habit of tabular work had anything to drop"


def test_that_steps_are_picked_where_they_are_told_is_said():
    assert USED_UP.startswith("Steps are picked on validation and told on validation")


def test_a_column_that_a_strong_crossing_needs_is_not_weak():
    table = pd.DataFrame({"feature": ["device and hour", "device", "country"], "net_low": [1.0, -1.0, -1.0]})
    names = {"device": "device", "hour": "local_hour", "country": "country"}
    assert tabular_habits._weak(table.assign(net_high=2.0), names, POINTS) == ("country",)


def test_a_column_is_weak_where_its_interval_is_told_to_begin_at_zero():
    table = pd.DataFrame({"feature": ["device", "country"], "net_low": [0.06, 0.04], "net_high": 1.0})
    assert tabular_habits._weak(table, {"device": "device", "country": "country"}, POINTS) == ("country",)


def test_of_few_views_each_step_that_cannot_be_taken_says_why():
    split = wb.split_by_user(wb.load("synthetic_measurements", rows=300))
    found = try_habits(split, wb.train_network_quality(split, max_trees=5))
    assert step(found, WEAK)["said"].startswith("could not be tried (importance resamples whole users")
    assert step(found, SHIFTED)["said"].startswith("could not be tried (a part of fewer than 20 users says nothing")
    assert found.sentences[2].endswith("says nothing about a shift; got 5).")
    assert "nothing in common that 20 users share" in step(found, ROWS)["said"]


def test_of_one_column_and_a_budget_that_cannot_be_met_nothing_is_lost():
    rng = np.random.default_rng(0)
    views = {"user_id": (np.arange(600) // 3).astype(str), "asn": rng.choice(["1", "2"], 600)}
    views |= {"rtt_ms": rng.lognormal(5, 0.5, 600), "downlink_mbps": rng.lognormal(2, 1, 600)}
    split = wb.split_by_user(wb.measurements(pd.DataFrame(views)))
    model = wb.train_network_quality(split, max_trees=5)
    assert try_habits(split, model).finding == "No habit of tabular work had anything to drop"
    found = try_habits(split, model, wb.ImageScenario(budget_ms=1))
    late = "could not be tried (at a budget of 1 ms even the small images are late whatever downlink_mbps is"
    assert step(found, ROWS)["said"].startswith(late) and found.rows.empty
    assert step(found, REDUNDANT)["said"].startswith("could not be tried (redundancy is found among two features")
    assert found.table["step"].tolist() == [WEAK, REDUNDANT, SHIFTED, ROWS]
