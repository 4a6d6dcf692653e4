"""Examples stand for at least 20 users, and are nobody's own; what policies do in them is their own answer."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.splits import users_of
from workbench.decisions.inspection import Action
from workbench.decisions.prefetch.markov import Markov
from workbench.explanation import example_context
from workbench.explanation.example_context import answer_of, common_view, find_examples, inspection_of, inspector_data


@pytest.fixture(scope="module")
def people():
    """100 users of two views: 60 in France, 30 of them on iOS, 19 of these in Lyon; versions 17 and 18 by turns."""
    user = np.repeat(np.arange(100), 2)
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "user_id": user.astype(str),
            "country": np.where(user < 60, "FR", "DE"),
            "os_family": np.where(user % 2 == 0, "iOS", np.where(user < 60, "Android", "Windows")),
            "city": np.where((user % 2 == 0) & (user < 38), "Lyon", ["c" + str(u) for u in user]),
            "os_major": 17.0 + np.tile([0, 1], 100),
            "downlink_mbps": rng.gamma(2, 10, 200),
            "rtt_ms": rng.gamma(2, 30, 200),
        }
    )


@pytest.fixture(scope="module")
def model(people):
    return wb.train_network_quality(wb.split_by_user(wb.measurements(people)), max_trees=3)


def common_context(model, frame, **more):
    common = common_view(model.context(frame), users_of(frame), **more)
    common.attrs["card"] = frame.attrs["card"]
    return common


def test_it_holds_what_most_users_share(people, model):
    views = wb.measurements(people)
    common = common_context(model, views)
    assert common.attrs["users"] == 30 and common[["country", "os_family"]].iloc[0].tolist() == ["FR", "iOS"]
    assert common["city"].isna().all()  # 19 live in Lyon
    assert common["os_major"].item() == 17  # a version, not 17.5
    assert common["isp"].isna().all() and len(wb.shap_values(model, common).values) == 1


def test_so_many_users_are_behind_each_value(people, model):
    assert common_context(model, wb.measurements(people), users=19)["city"].item() == "Lyon"
    with pytest.raises(wb.WorkbenchError, match="stands for at least 101 users; got 100 in all"):
        common_context(model, wb.measurements(people), users=101)
    one = people.iloc[[1]].assign(country="IT", user_id="x")  # a user who comes often is one user
    often = pd.concat([people, *[one] * 500], ignore_index=True)
    assert common_context(model, wb.measurements(often))["country"].item() == "FR"
    few = people.assign(os_major=people["os_major"].where(people["user_id"].astype(int) < 38))
    assert common_context(model, wb.measurements(few))["os_major"].isna().all()
    assert common_context(model, wb.measurements(few), users=15)["os_major"].item() == 17


def test_what_is_asked_for_first_is_fixed_first_or_stays_missing():
    who = np.arange(100)
    table = pd.DataFrame(
        {
            "device": np.select([who < 60, who < 80], ["phone", "tablet"], "desktop"),
            "page": np.select([who < 30, who < 60], ["a", "b"], "home"),
            "own": who.astype(str),
        }
    )
    freely, page_first = common_view(table, who), common_view(table, who, first=("own", "page"))
    assert freely[["device", "page"]].iloc[0].tolist() == ["phone", "a"]
    assert page_first[["device", "page"]].iloc[0].tolist() == ["tablet", "home"]
    assert (freely.attrs["users"], page_first.attrs["users"]) == (30, 20) and page_first["own"].isna().all()


@pytest.fixture(scope="module")
def images():
    split = wb.split_by_user(wb.load("synthetic_measurements", rows=4000))
    model = wb.train_network_quality(split, known_by="first_request", max_trees=10)
    return inspection_of(model, wb.rules(split, known_by="first_request"), split.train), model, split


@pytest.fixture(scope="module")
def pages(small_site, small_site_model):
    inspection = inspection_of(small_site_model, wb.rules(small_site), small_site.train)
    return inspection, small_site_model, small_site


@pytest.mark.parametrize("decision", ["images", "pages"])
def test_examples_are_different_and_shared_by_20_users_and_the_data_are_plain(decision, request):
    inspection = request.getfixturevalue(decision)[0]
    examples = find_examples(inspection)
    assert next(iter(examples)) == "the most common view" and 2 < len(examples) <= 6
    assert len({str(view.iloc[0].to_dict()) for view in examples.values()}) == len(examples)
    for view in examples.values():
        shown = [name for name in view if view[name].notna().all() and view[name].dtype != float]
        same = (inspection.table[shown].astype(object) == view[shown].astype(object).iloc[0]).all(axis=1)
        assert len(np.unique(inspection.situations.users[same])) >= view.attrs["users"] >= 20
    data = inspector_data(inspection, examples)
    assert len(json.dumps(data, allow_nan=False)) < 100_000 and data["simulated"] is True
    assert [each["name"] for each in data["examples"]] == list(examples)
    assert all(each["low"] <= each["high"] for each in data["fields"] if "options" not in each)
    common = next(iter(examples.values()))
    changed = example_context.change_context(common, {"local_hour": 3.0, "country": None})
    assert changed["local_hour"].item() == 3 and changed["country"].isna().all()
    assert changed.dtypes.equals(common.dtypes) and changed.attrs == common.attrs
    others = [name for name in common if name not in ("local_hour", "country")]
    pd.testing.assert_frame_equal(changed[others], common[others])


def test_a_level_none_of_whose_pages_many_share_is_no_example():
    """Thirty users on phones open one page; thirty on desktops open thirty."""
    user = np.repeat(np.arange(60), 4)
    place, phone = np.tile(np.arange(4), 60), user < 30
    page = np.where(phone, np.where(place % 2, "a", "b"), np.char.add("c", (user * 2 + place % 2).astype(str)))
    frame = pd.DataFrame({"user_id": user, "session_id": user, "page": page})
    views = wb.navigations(frame.assign(device=np.where(phone, "phone", "desktop")), name="halves")
    found = find_examples(inspection_of(wb.train_next_page(wb.split_by_user(views), max_trees=2), [], views))
    assert "device: desktop" not in found and all(view["page"].notna().all() for view in found.values())


def test_the_answer_is_the_models_own_and_rules_that_differ_are_explained(images):
    inspection, model, split = images
    view = common_context(model, split.train)
    answer, policy = answer_of(inspection, view), inspection.policies["model"]
    late = policy.prospects(view, inspection.scenario).late[0]
    assert [each["percent"] for each in answer["chances"]] == [round(100 * chance) for chance in late]
    taken = [each["name"] for each in answer["chances"] if each["taken"]]
    assert f"sends {taken[0]}" in answer["finding"]
    explained = wb.shap_values(model, view)
    assert answer["shap"]["base"] == pytest.approx(explained.base_values[0], abs=1e-3)
    total = answer["shap"]["base"] + sum(each[2] for each in answer["shap"]["features"])
    assert answer["shap"]["answer"] == pytest.approx(total, abs=0.01)
    policies = {policy["name"]: policy for policy in answer["policies"]}
    assert next(iter(policies)) == "model"
    assert [policies[f"always {name}"]["does"] for name in ("small", "medium", "large")] == ["small", "medium", "large"]
    assert policies["most fitting size per country and network (ASN)"]["expects"].endswith(" %")
    assert policies["always small"]["expects"] == "fixed rule"
    assert policies["most fitting size per device"]["does"] is None  # these views have no device
    assert any('"always small"' in sentence for sentence in answer["why"])
    assert not any("device" in sentence for sentence in answer["why"])


def test_where_there_is_no_question_it_says_so(images):
    _, model, split = images
    hasty = inspection_of(model, [], split.train, wb.ImageScenario(budget_ms=1))
    answer = answer_of(hasty, common_context(model, split.train))
    assert answer["shap"]["features"] == [] and "whatever downlink_mbps is" in answer["shap"]["question"]


def example_of(inspection, rows):
    table, users = inspection.table[rows.to_numpy()], inspection.situations.users[rows.to_numpy()]
    return inspection.complete(common_view(table, users, first=inspection.first))


@pytest.fixture(scope="module")
def view(pages):
    return example_of(pages[0], pages[0].table["page_before"] == "/feed")


def test_the_table_says_what_was_known_of_each_view_and_nothing_of_a_page_before_the_first(pages):
    inspection, _, split = pages
    table, train = inspection.table, split.train
    row = np.flatnonzero(train["position"].to_numpy() == 1)[0]
    assert table["page_before"].iloc[row] == train["page"].iloc[row - 1]
    assert table["page_before"][(train["position"] == 0).to_numpy()].isna().all()
    seconds = (train["viewed_at"].iloc[row] - train["viewed_at"].iloc[row - 1]).total_seconds()
    assert table["dwell_before_s"].iloc[row] == pytest.approx(seconds, abs=1)
    assert not {"user_id", "session_id", "view_id", "viewed_at", "page_bytes"} & set(table)
    assert table.notna().any().all()
    first = example_of(inspection, table["page_before"].isna())
    assert first[["page_before", "dwell_before_s"]].isna().all(axis=None)


def test_the_chances_are_those_of_a_session_of_two_views(pages, view):
    inspection, model, _ = pages
    session = inspection.views(view)
    assert session["page"].tolist() == ["/feed", view["page"].item()]
    assert np.diff(session["viewed_at"])[0] / np.timedelta64(1, "s") == round(view["dwell_before_s"].item())
    top = model.next_pages(session, 6)
    top = top[top["view_id"] == 1]
    answer = answer_of(inspection, view)
    assert [each["percent"] for each in answer["chances"]] == [round(100 * chance, 1) for chance in top["chance"]]
    named = [page if page in inspection.named else "a rare page" for page in top["page"]]
    assert [each["name"] for each in answer["chances"]] == named
    explained = wb.shap_values(model, session)
    assert answer["shap"]["answer"] == pytest.approx(explained.base_values[1] + explained.values[1].sum(), abs=2e-3)
    assert all(each["taken"] <= (each["percent"] >= 14.9) for each in answer["chances"])
    policies = {policy["name"]: policy for policy in answer["policies"]}
    assert policies["never"]["does"] == "nothing"
    assert len(answer["why"]) == sum(policy["differs"] for policy in answer["policies"])


def test_each_policy_fetches_what_reaches_its_limit_and_is_not_cached_already(pages, view):
    _, model, split = pages

    def back(context):
        before = context["page"].shift(1).astype(object)
        return pd.DataFrame({"view_id": context["view_id"], "page": before, "rank": 1}).dropna()

    eager = Markov(order=1, limit=0.01).fit(split.train)
    for cache, does in ((True, "nothing"), (False, "/feed")):
        scenario = wb.PrefetchScenario(k=2, cache=cache)
        _, greedy, returning = answer_of(inspection_of(model, [eager, back], split.train, scenario), view)["policies"]
        assert returning["does"] == does and greedy["does"].count(" and ") == 1


def test_without_users_sessions_are_counted():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"session_id": np.repeat(np.arange(300), 4), "page": rng.choice(["a", "b", "c"], 1200)})
    split = wb.split_by_time(wb.navigations(frame))
    alone = inspection_of(wb.train_next_page(split, max_trees=3), wb.rules(split), split.train)
    assert alone.situations.people == "sessions" and "20 sessions" in alone.words["example"]
    answer = answer_of(alone, find_examples(alone)["the most common view"])
    absent = {policy["name"] for policy in answer["policies"] if policy["does"] is None}
    assert absent == {"quicklink", "user history, else Markov"}


def test_where_no_page_has_20_users_there_is_no_example(pages):
    _, model, split = pages
    few = split.train[split.train["user_id"].isin(split.train["user_id"].unique()[:15])]
    with pytest.raises(wb.WorkbenchError, match="a page that at least 20 users viewed"):
        inspection_of(model, [], few)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Action("never"), ('"never" fetches nothing', "fixed rule", "/a a chance of 40.0 %")),
        (Action("Markov", ("/a", "/b"), {"/a": 0.3, "/b": 0.2}), ("fetches /b too", "20 %, the model 10.0 %")),
        (
            Action("Markov", ("/b",), {"/b": 0.2, "/x": 0.02}, limit=0.12),
            ("fetches /b instead of /a", "under 2 %, the model 40.0 %", "It fetches from 12.0 %."),
        ),
        (Action("links", ("/a", "/rare")), ("fetches a rare page too", "a rare page a chance of 5.0 %")),
    ],
)
def test_a_rule_that_differs_is_explained_and_only_pages_that_many_viewed_are_named(pages, rule, words):
    known = replace(pages[0], named=frozenset({"/a", "/b"}))
    ours = Action("model", ("/a",), {"/a": 0.4, "/b": 0.1, "/rare": 0.05}, digits=1)
    assert rule.differs(ours)
    (sentence,) = known.describe(ours, [rule])["why"]
    assert all(each in sentence for each in words)
    assert (known.names([]), known.names(["/rare", "/a"])) == ("nothing", "/a and a rare page")
    assert known.names(["/a", "/rare", "/other"]) == "/a and 2 rare pages"
