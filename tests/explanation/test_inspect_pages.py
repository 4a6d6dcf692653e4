"""One decision about prefetching: the model's own chances, what each policy fetches, and nobody in it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.inspect_pages import PageInspection
from workbench.explanation.inspecting import change_context

import workbench as wb
from workbench.decisions.prefetch.rules import Markov


@pytest.fixture(scope="module")
def split():
    return wb.split_by_time(wb.load("synthetic_navigations", rows=4000))


@pytest.fixture(scope="module")
def model(split):
    return wb.train_next_page(split, max_trees=30)


@pytest.fixture(scope="module")
def inspection(split, model):
    return PageInspection.of(model, wb.rules(split), split.train, None)


@pytest.fixture(scope="module")
def view(inspection):
    return inspection.common((inspection.table["page_before"] == "/feed").to_numpy())


def session_of(view, split):
    """The same view written out by hand: the page before, then the page."""
    context = split.train.iloc[[0, 0]].reset_index(drop=True)
    same = {name: view[name].iloc[0] for name in context.columns.intersection(view.columns)}
    for name, value in same.items():
        context[name] = pd.Series([value] * 2).astype(context[name].dtype)
    pages = [view["page_before"].iloc[0], view["page"].iloc[0]]
    context["page"] = pd.Series(pages).astype(split.train["page"].dtype)
    begin = pd.Timestamp("2024-01-08 12:00", tz="UTC")
    times = [begin, begin + pd.Timedelta(seconds=view["dwell_before_s"].iloc[0])]
    return context.assign(view_id=[0, 1], session_id=0, position=[0, 1], viewed_at=times)


def test_the_table_says_what_was_known_of_each_view(inspection, split):
    table, train = inspection.table, split.train
    row = np.flatnonzero(train["position"].to_numpy() == 1)[0]
    assert table["page_before"].iloc[row] == train["page"].iloc[row - 1]
    assert table["page_before"][(train["position"] == 0).to_numpy()].isna().all()
    seconds = (train["viewed_at"].iloc[row] - train["viewed_at"].iloc[row - 1]).total_seconds()
    assert table["dwell_before_s"].iloc[row] == pytest.approx(seconds, abs=1)
    assert not {"user_id", "session_id", "view_id", "viewed_at", "page_bytes"} & set(table)
    assert table.notna().any().all()


def test_the_answer_is_the_models_own(inspection, model, split, view):
    session = session_of(view, split)
    top = model.next_pages(session, 6)
    top = top[top["view_id"] == 1]
    answer = inspection.answer(view)
    assert [each["percent"] for each in answer["chances"]] == [round(100 * chance, 1) for chance in top["chance"]]
    named = [page if page in inspection.crowded else "a rare page" for page in top["page"]]
    assert [each["name"] for each in answer["chances"]] == named
    explanation = wb.shap_values(model, session.assign())
    assert answer["push"]["base"] == pytest.approx(explanation.base_values[1], abs=1e-3)
    assert answer["push"]["answer"] == pytest.approx(explanation.base_values[1] + explanation.values[1].sum(), abs=2e-3)


def test_a_policy_fetches_what_reaches_its_limit(inspection, view, split):
    answer = inspection.answer(view)
    for each in answer["chances"]:
        assert each["taken"] <= (each["percent"] >= 14.9)
    policies = {policy["name"]: policy for policy in answer["policies"]}
    assert next(iter(policies)) == "model"
    assert policies["never"]["does"] == "nothing"
    assert len(answer["why"]) == sum(policy["differs"] for policy in answer["policies"])
    eager = replace(Markov(order=1, limit=0.01).fit(split.train))
    only = PageInspection.of(inspection.views.model, [eager], split.train, wb.PrefetchScenario(k=2)).answer(view)
    assert only["policies"][1]["does"].count(" and ") == 1
    assert only["why"][0].endswith("It fetches from 1.0 %.")


def test_what_is_there_already_is_not_fetched(inspection, view, split):
    def back(context):
        before = context["page"].shift(1).astype(object)
        return pd.DataFrame({"view_id": context["view_id"], "page": before, "rank": 1}).dropna()

    for cache, does in ((True, "nothing"), (False, "/feed")):
        scenario = wb.PrefetchScenario(cache=cache)
        asked = PageInspection.of(inspection.views.model, [back], split.train, scenario).answer(view)
        assert asked["policies"][1]["does"] == does


def test_the_page_before_and_how_long_it_was_read_move_the_prediction(inspection, view):
    answers = [
        str(inspection.answer(change_context(view, change))["chances"])
        for change in ({}, {"page_before": None}, {"dwell_before_s": 3.0}, {"device": "desktop", "local_hour": 8.0})
    ]
    assert len(set(answers)) == 4


def test_a_view_without_a_page_before_has_no_time_on_it(inspection):
    first = inspection.common(inspection.table["page_before"].isna().to_numpy())
    assert first[["page_before", "dwell_before_s"]].isna().all(axis=None)
    assert inspection.unknown("page_before") == "none: the session begins here"
    assert inspection.unknown("page") is None


def test_without_users_sessions_are_the_crowd():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"session_id": np.repeat(np.arange(300), 4), "page": rng.choice(["a", "b", "c"], 1200)})
    split = wb.split_by_time(wb.navigations(frame))
    alone = PageInspection.of(wb.train_next_page(split, max_trees=3), wb.rules(split), split.train, None)
    assert alone.people == "sessions"
    assert "20 sessions" in alone.words["example"]
    answer = alone.answer(alone.common(np.ones(len(alone.table), bool)))
    absent = [policy["name"] for policy in answer["policies"] if policy["does"] is None]
    assert absent == ["quicklink", "user history, else Markov"]


def test_where_no_page_has_a_crowd_there_is_no_archetype(split, model):
    few = split.train[split.train["user_id"].isin(split.train["user_id"].unique()[:15])]
    with pytest.raises(wb.WorkbenchError, match="a page that at least 20 users viewed; there is none here"):
        PageInspection.of(model, [], few, None)
