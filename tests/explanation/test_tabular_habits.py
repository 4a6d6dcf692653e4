"""The habits of tabular work: each step by itself, on choose, and never on test."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

import workbench as wb
from workbench.explanation import tabular_habits
from workbench.explanation.retraining import removable
from workbench.explanation.tabular_habits import PERIOD, REDUNDANT, ROWS, USED_UP, WEAK, try_habits


@pytest.fixture(scope="module")
def tried(few, few_model):
    return try_habits(few, few_model)


def step(tried, name):
    return tried.table.set_index("step").loc[name]


def test_every_step_is_tried_in_order(tried):
    assert tried.table["step"].tolist() == [WEAK, REDUNDANT, PERIOD, ROWS]
    assert tried.users > 20 and tried.unit.name == "points"


def test_a_copied_column_can_go_and_what_decides_stays(tried):
    redundant = step(tried, REDUNDANT)
    assert redundant["dropped"] in (("provider",), ("region",))
    assert redundant["net_low"] <= 0 <= redundant["net_high"]


def test_a_split_by_user_has_nothing_that_tells_the_period(tried):
    period = step(tried, PERIOD)
    assert period["dropped"] == () and pd.isna(period["net"])
    assert period["said"] == "no column tells the period"


def test_each_step_is_a_sentence_and_the_last_warns(tried):
    sentences = tried.sentences
    assert len(sentences) == 5 and sentences[-1] == USED_UP
    assert sentences[1].startswith("Drop redundant columns (") and " kB " in sentences[1]
    assert sentences[2] == "Drop what tells the period: no column tells the period."
    assert sentences[3].startswith("Look at single rows: ")


def test_test_is_not_read(few, few_model, tried, monkeypatch):
    monkeypatch.setattr("workbench.explanation.retraining.Workshop.without", lambda self, names, seed: None)
    importance = SimpleNamespace(table=pd.DataFrame({"feature": ["provider"], "net_low": [1.0]}))
    again = try_habits(replace(few, test=None), few_model, importance=importance)
    assert again.table["step"].tolist() == tried.table["step"].tolist()
    assert step(again, WEAK)["dropped"] == tuple(name for name in removable(few_model) if name != "provider")


def test_of_pages_kinds_of_features_go(small_site, small_site_model):
    strong = ["popularity", "the page before", "the person's habits", "device", "hour", "operating system", "browser"]
    importance = SimpleNamespace(table=pd.DataFrame({"feature": strong, "net_low": 0.01}))
    tried = try_habits(small_site, small_site_model, importance=importance)
    assert set(step(tried, WEAK)["dropped"]) == {"country", "Save-Data", "NetInfo class", "connection"}
    assert "the page before" in step(tried, REDUNDANT)["dropped"]
    assert tried.unit.name == "net hits per 100 views"


def test_not_every_column_is_dropped(few, few_model, monkeypatch):
    monkeypatch.setattr("workbench.explanation.retraining.Workshop.without", lambda self, names, seed: None)
    monkeypatch.setattr(tabular_habits, "_telling", lambda *arguments: ())
    importance = SimpleNamespace(table=pd.DataFrame({"feature": ["provider"], "net_low": [-1.0]}))
    row = step(try_habits(few, few_model, importance=importance), WEAK)
    assert (row["dropped"], row["said"]) == ((), "that would be every column")


def test_a_model_of_another_split_is_refused(few_model, small_site):
    with pytest.raises(wb.WorkbenchError, match="expected a trained model"):
        try_habits(small_site, None)
    other = wb.split_by_user(wb.load("synthetic_measurements", rows=1000), seed=5)
    with pytest.raises(wb.WorkbenchError, match="other rows than this split's train part"):
        try_habits(other, few_model)
