"""The example session: nobody's, made of steps that many took; what rule and model fetch in it."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.prefetch.decision import DECISION as PREFETCH
from workbench.decisions.prefetch.explorer import LONGEST, RARE, example_session
from workbench.decisions.prefetch.rules import Never
from workbench.studies.study import settle

FEWEST = 20


def sessions(*paths: tuple[str, int], users: list[str] | None = None) -> pd.DataFrame:
    """So many sessions of each path, a letter a page; each of a user of its own."""
    every = [path for path, times in paths for _ in range(times)]
    rows = [(i, page) for i, path in enumerate(every) for page in path]
    frame = pd.DataFrame(rows, columns=["session_id", "page"])
    frame["user_id"] = [users[i] if users else str(i) for i in frame["session_id"]]
    return wb.navigations(frame, name="letters")


def path_of(train: pd.DataFrame, **more) -> str:
    return "".join(example_session(train, "user_id", **more)["page"].astype(str))


def test_people_are_counted_not_sessions():
    """One person took a step forty times; another was taken by twenty people."""
    users = ["one"] * 40 + [str(i) for i in range(FEWEST)]
    train = sessions(("AZ", 40), ("AB", FEWEST), users=users)
    assert {path_of(train, seed=seed) for seed in range(20)} == {"AB"}
    assert {path_of(train.drop(columns="user_id"), seed=seed)[:1] for seed in range(5)} == {"A"}


def test_frequent_steps_are_drawn_more_often():
    train = sessions(("AB", 80), ("AC", FEWEST))
    drawn = [path_of(train, seed=seed) for seed in range(100)]
    assert set(drawn) == {"AB", "AC"} and 60 < drawn.count("AB") < 95


def test_no_page_comes_twice_and_it_ends_in_time():
    train = sessions(("ABAB", FEWEST), ("ABCDEFGHIJ", FEWEST))
    for seed in range(20):
        path = path_of(train, seed=seed)
        assert len(set(path)) == len(path) <= LONGEST


def test_where_nobody_goes_together_there_is_one_view():
    train = sessions(("AB", 5), ("CA", 5))
    assert path_of(train) == "A"


def test_of_real_looking_data_no_step_was_taken_by_fewer(stage):
    train = stage.split.train
    following = train.groupby("session_id")["page"].shift(-1).astype(object)
    took = train["user_id"].groupby([train["page"].astype(object), following]).nunique()
    began = train[train["position"] == 0].groupby("page", observed=True)["user_id"].nunique()
    for seed in range(30):
        path = list(example_session(train, "user_id", seed=seed)["page"])
        assert began[path[0]] >= FEWEST and all(took[step] >= FEWEST for step in pairwise(path))


def test_it_is_a_table_of_page_views_without_a_person(stage):
    train = stage.split.train
    session = example_session(train, "user_id")
    assert "user_id" not in session
    assert session["view_id"].tolist() == session["position"].tolist() == list(range(len(session)))
    assert session["page"].cat.categories.equals(train["page"].cat.categories)
    for name in ("earlier_views", "here_before"):
        assert (session[name] == 0).all()
    assert session[["last_next", "usual_next", "usual_share"]].isna().all(axis=None)
    assert set(session["device"]) == {train["device"].mode()[0]}
    assert (session["viewed_at"].diff().dropna() > pd.Timedelta(0)).all()


def settled(split, model, rules=None):
    return settle(PREFETCH, split, model, rules, PREFETCH.scenario(split.card))


@pytest.fixture(scope="module")
def stage():
    split = wb.split_by_time(wb.load("synthetic_navigations", rows=5000))
    return settled(split, wb.train_next_page(split))


@pytest.fixture(scope="module")
def table(stage):
    return PREFETCH.example_session(stage)


def test_hits_are_pages_fetched_then_and_opened_later(table, stage):
    assert table["rule_pages"].map(len).sum() > 0
    for who in ("rule", "model"):
        for i, row in table.iterrows():
            fetched, hits, later = row[f"{who}_pages"], row[f"{who}_hits"], list(table["page"][i + 1 :])
            assert len(fetched) <= stage.scenario.k and row["page"] not in fetched
            assert set(hits) <= set(fetched) & set(later)
            assert not set(table["page"][: i + 1]) & set(fetched), "the session's cache holds them"
            if i + 1 < len(table) and later[0] in fetched:
                assert later[0] in hits


def test_what_is_fetched_is_what_the_policy_says(table, stage):
    """The same by another road: the policy is called by itself; what it adds is in the cache already."""
    train = stage.split.train
    session = example_session(train, "user_id", seed=stage.split.seed)
    assert list(session["page"].astype(str)) == list(table["page"])
    for who, policy in (("rule", stage.best_rule), ("model", stage.ours)):
        answer = policy(session, stage.scenario)
        for i, fetched in enumerate(table[f"{who}_pages"]):
            said = answer.loc[answer["view_id"] == i, "page"].astype(str).tolist()
            named = [page for page in fetched if page != RARE]
            assert [page for page in said if page in named] == named
            seen = set(table["page"][: i + 1]).union(*table[f"{who}_pages"][:i])
            assert len(fetched) >= len(set(said) - seen)


def test_pages_that_few_people_viewed_are_not_named(table, stage):
    train = stage.split.train
    users = train.groupby("page", observed=True)["user_id"].nunique()
    named = {page for who in ("rule", "model") for pages in table[f"{who}_pages"] for page in pages} - {RARE}
    assert all(users[page] >= FEWEST for page in [*named, *table["page"]])
    few = sessions(("AB", 12), ("BC", 12), ("CA", 12))
    split = wb.split_by_time(few)
    told = PREFETCH.example_session(settled(split, wb.train_next_page(split, max_trees=1)))
    shown = {*told["page"], *(page for pages in told["model_pages"] for page in pages)}
    assert shown <= {
        RARE,
        *(p for p in "ABC" if split.train.loc[split.train["page"] == p, "user_id"].nunique() >= FEWEST),
    }


def test_a_rule_that_fetches_nothing_has_empty_lists(stage):
    nothing = PREFETCH.example_session(settled(stage.split, stage.model, [Never()]))
    assert nothing["rule_pages"].map(len).sum() == 0
    assert nothing["model_pages"].tolist() == PREFETCH.example_session(stage)["model_pages"].tolist()


def test_seconds_are_told_where_times_are_known(table):
    assert table["at_s"].iloc[0] == 0 and (np.diff(table["at_s"]) > 0).all()
    split = wb.split_by_time(sessions(("ABC", 60)))
    told = PREFETCH.example_session(settled(split, wb.train_next_page(split, max_trees=1)))
    assert told["at_s"].isna().all() and "".join(told["page"]) == "ABC"
