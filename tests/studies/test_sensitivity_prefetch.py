"""Sensitivity of a finding about prefetching: one assumption at a time, everything it touches refitted."""

from dataclasses import replace

import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.decision import Change
from workbench.decisions.prefetch.decision import DECISION as PREFETCH
from workbench.decisions.prefetch.decision import Prefetch
from workbench.decisions.prefetch.markov import Markov, UserHistory
from workbench.studies.report import robustness

ROWS = 4000


@pytest.fixture(scope="module")
def study():
    return wb.study("synthetic_navigations", rows=ROWS, sensitivity=True)


@pytest.fixture(scope="module")
def views():
    return wb.load("synthetic_navigations", rows=ROWS)


@pytest.fixture(scope="module")
def plan(views):
    return PREFETCH.plan(views, PREFETCH.scenario(views.attrs["card"]), 0)


def rows_of(table: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(table["group"], table["change"], strict=True))


def test_every_change_has_a_row_and_the_base_case_comes_first(study):
    table = study.sensitivity
    base = table.iloc[0]
    assert (base["group"], base["change"]) == ("base", "base case")
    interval = study.difference
    assert (base["difference"], base["low"], base["high"]) == (interval.estimate, interval.low, interval.high)
    assert (base["verdict"], base["best_rule"]) == (study.verdict, study.of("best_rule").name)
    assert rows_of(table) >= {
        ("break-even", "0.30"),
        ("break-even", "0.45"),
        ("break-even", "0.60"),
        ("cache", "off"),
        ("cache", "6 times as long"),
        ("pages a view", "up to 1"),
        ("pages a view", "up to 5"),
        ("repeats", "kept"),
        ("known by", "first request"),
        ("without", "history"),
        ("without", "second order"),
        ("without", "context"),
        ("split", "by user"),
        ("seed", "seed 1"),
        ("seed", "seed 2"),
    }
    assert ("break-even", "0.15") not in rows_of(table)
    assert len(rows_of(table)) == len(table)


def test_every_row_holds_an_interval_and_a_verdict(study):
    table = study.sensitivity
    assert (table["low"] <= table["difference"]).all()
    assert (table["difference"] <= table["high"]).all()
    assert set(table["verdict"]) <= {"better", "worse", "equivalent", "inconclusive"}
    assert (table["note"] == "").all()


@pytest.mark.parametrize(
    ("change", "scenario"),
    [
        ("0.30", wb.PrefetchScenario(break_even=0.30)),
        ("off", wb.PrefetchScenario(cache=False)),
        ("6 times as long", wb.PrefetchScenario(lifetime_s=1800.0, lifetime_views=30)),
        ("up to 5", wb.PrefetchScenario(k=5)),
    ],
)
def test_under_another_scenario_limits_and_the_best_rule_are_settled_anew(study, change, scenario):
    """The study that a person would run: limits, smoothing and the best rule anew."""
    row = study.sensitivity.set_index("change").loc[change]
    again = wb.compare(study.split, study.model, scenario=scenario)
    assert row["best_rule"] == again.of("best_rule").name
    assert row["difference"] == pytest.approx(again.difference.estimate)


def test_a_seed_row_is_the_study_with_that_seed(study, views):
    again = wb.study(views, seed=1)
    assert study.sensitivity.set_index("change").loc["seed 1", "difference"] == pytest.approx(again.difference.estimate)


def test_a_row_of_the_split_is_that_split(study, views):
    split = wb.split_by_user(views)
    again = wb.compare(split, wb.train_next_page(split))
    assert study.sensitivity.set_index("change").loc["by user", "difference"] == pytest.approx(
        again.difference.estimate
    )


def test_what_the_verdict_does_not_survive_is_named(study):
    said = robustness(study)
    changed = study.sensitivity.iloc[1:]
    flipped = changed[changed["verdict"] != study.verdict]
    assert (f"Robust in {len(changed) - len(flipped)} of {len(changed)} checks" in said) == bool(len(flipped))
    assert said in str(study)
    assert "seed seed" not in said
    assert len(study.to_dict()["sensitivity"]) == len(study.sensitivity)
    table = study.sensitivity.assign(verdict="worse")
    assert "seed 2: worse" in robustness(replace(study, sensitivity=table, verdict="better"))


def test_each_change_changes_one_thing(views, plan):
    for change in PREFETCH.changes(views, plan):
        differs = [name for name in vars(plan) if getattr(plan, name) != getattr(change.plan, name)]
        assert len(differs) + len(change.load) == 1, change
        assert change.refit == (differs != ["scenario"])


def test_what_the_data_do_not_have_is_not_changed(plan):
    frame = pd.DataFrame({"session_id": [0, 0, 1, 1] * 30, "page": ["a", "b", "b", "a"] * 30})
    views = wb.navigations(frame.assign(session_id=frame.index // 2), name="plain")
    names = {
        (change.group, change.change)
        for change in PREFETCH.changes(views, PREFETCH.plan(views, PREFETCH.scenario(views.attrs["card"]), 0))
    }
    assert ("without", "history") not in names
    assert ("split", "sessions drawn at random") in names
    assert not [name for name in names if name[0] == "known by"]


def test_where_no_cache_is_replayed_the_change_is_to_replay_one(views):
    scenario = wb.PrefetchScenario(cache=False)
    told = [
        change.change
        for change in PREFETCH.changes(views, PREFETCH.plan(views, scenario, 0))
        if change.group == "cache"
    ]
    assert told == ["on"]


def test_sections_are_not_cached_and_a_cards_assumptions_hold_unless_somebody_says_otherwise(views):
    card = replace(views.attrs["card"], sections=True, assume={"dwell_s": (1.0, 40.0, 60.0)})
    assert (PREFETCH.scenario(card).cache, PREFETCH.scenario(card).dwell_s) == (False, 40.0)
    said = PREFETCH.scenario(card, wb.PrefetchScenario(dwell_s=7.0, k=2))
    assert (said.dwell_s, said.k, said.cache) == (7.0, 2, False)


def test_what_nobody_has_the_model_has_not(views, plan):
    told = {
        what: set(PREFETCH.train(PREFETCH.prepare(views, plan), replace(plan, without=(what,))).names_)
        for what in ("history", "second order", "context")
    }
    assert not {"is_usual_next", "here_before", "earlier_views"} & told["history"]
    assert not {"second_chance", "previous_page", "skipping_chance"} & told["second order"]
    assert not {"device", "local_hour", "first_chance by device"} & told["context"]
    for what, own in (("history", "second_chance"), ("second order", "device"), ("context", "is_usual_next")):
        assert own in told[what]


def test_what_nobody_has_rules_have_not_either(views, plan):
    split = PREFETCH.prepare(views, plan)
    every = {rule.name for rule in PREFETCH.rules(split)}
    kept = {what: PREFETCH.rules(split, without=(what,)) for what in ("history", "second order", "context")}
    lost = {what: every - {rule.name for rule in rules} for what, rules in kept.items()}
    assert lost["history"] == {"user history, else Markov"}
    assert lost["second order"] == {"second-order Markov with back-off"}
    assert lost["context"] == {"Guess.js", "quicklink"}
    orders = [rule.order for rule in kept["second order"] if isinstance(rule, Markov)]
    orders += [rule.everybody.order for rule in kept["second order"] if isinstance(rule, UserHistory)]
    assert sorted(orders) == [0, 1, 1]


def only(monkeypatch, **what):
    """Leave one row to the figure."""
    monkeypatch.setattr(Prefetch, "changes", lambda self, views, plan: iter([Change(plan=plan, **what)]))


def test_a_frame_came_with_its_repeats_collapsed_and_says_so(views, monkeypatch):
    only(monkeypatch, group="repeats", change="kept", load={"keep_repeats": True})
    row = wb.study(views, sensitivity=True).sensitivity.iloc[1]
    assert (row["verdict"], row["best_rule"]) == ("", "")
    assert pd.isna(row["difference"])
    assert row["note"] == "the frame is loaded already; name the dataset to load it otherwise."


def test_with_repeats_kept_a_reload_is_a_view(views, monkeypatch, tmp_path):
    twice = views[["session_id", "user_id", "page"]].loc[views.index.repeat(1 + (views.index % 3 == 0))]
    twice.to_csv(tmp_path / "views.csv", index=False)
    card = tmp_path / "reloads.toml"
    card.write_text('kind = "navigations"\norder = "file"\n[[files]]\nname = "views.csv"\n')
    only(monkeypatch, group="repeats", change="kept", load={"keep_repeats": True})
    result = wb.study(card, sensitivity=True)
    row = result.sensitivity.iloc[1]
    kept = wb.study(wb.load(card, keep_repeats=True))
    assert row["note"] == ""
    assert row["difference"] == pytest.approx(kept.difference.estimate)
    assert sum(len(part) for _, part in kept.split.parts()) == len(twice)
    assert sum(len(part) for _, part in result.split.parts()) == len(views)
    assert "repeats of the current page were collapsed" in str(result)
    assert "repeats of the current page were collapsed" not in str(kept)


def test_large_data_are_refitted_on_a_part_and_say_so(views, monkeypatch):
    only(monkeypatch, group="seed", change="seed 0")
    monkeypatch.setitem(wb.study.__globals__, "ROWS_REFITTED", 1500)
    base, row = wb.study(views, sensitivity=True).sensitivity.itertuples()
    assert (base.note, row.note) == ("", "on about 1,500 views")
    assert row.difference != base.difference
