"""Sensitivity: one assumption at a time, everything it touches refitted."""

from dataclasses import replace
from inspect import unwrap

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.decision import Change
from workbench.studies.report import robustness, trainings

DATA = {
    "images": ("mobile_bandwidth", {"budget", "delay price", "abandoned after", "assumed", "mix of technologies"}),
    "prefetch": ("synthetic_navigations", {"break-even", "cache", "pages a view", "repeats", "split"}),
}
ROWS = {"mobile_bandwidth": 4000, "synthetic_navigations": 4000}


@pytest.fixture(params=DATA)
def changed(request, studied):
    """A study with its sensitivity rows."""
    name = DATA[request.param][0]
    return studied(name, rows=ROWS[name], sensitivity=True)


@pytest.fixture
def rows(changed):
    return changed.sensitivity.set_index("change")


def test_every_change_has_a_row_and_the_base_case_comes_first(changed):
    table, interval = changed.sensitivity, changed.difference
    base = table.iloc[0]
    assert (base["group"], base["change"]) == ("base", "base case")
    assert (base["difference"], base["low"], base["high"]) == (interval.estimate, interval.low, interval.high)
    assert (base["verdict"], base["best_rule"]) == (changed.verdict, changed.of("best_rule").name)
    assert set(table["group"]) >= {"known", "without", "seed"} | DATA[changed.decision.name][1]
    assert not table.duplicated(["group", "change"]).any()


def test_every_row_holds_an_interval_and_a_verdict_or_says_why_not(changed):
    table = changed.sensitivity
    ran = table[table["verdict"] != ""]
    assert (ran["low"] <= ran["difference"]).all() and (ran["difference"] <= ran["high"]).all()
    words = {"better", "better, but too little to matter", "worse", "equivalent", "inconclusive", "too few to tell"}
    assert set(ran["verdict"]) <= words
    assert len(ran) > 10 and (ran["note"] == "").all()
    assert table.loc[table["verdict"] == "", "note"].str.len().gt(20).all()


@pytest.mark.parametrize(
    ("change", "scenario"),
    [
        ("0.5 s", wb.ImageScenario(budget_ms=500)),
        ("0.30", wb.PrefetchScenario(break_even=0.30)),
        ("6 times as long", wb.PrefetchScenario(lifetime_s=1800.0, lifetime_views=30)),
        ("up to 5", wb.PrefetchScenario(k=5)),
    ],
)
def test_under_another_scenario_limits_and_the_best_rule_are_settled_anew(studied, change, scenario):
    """The study that a person would run: limits, smoothing and the best rule anew."""
    name = DATA["images" if isinstance(scenario, wb.ImageScenario) else "prefetch"][0]
    result = studied(name, rows=ROWS[name], sensitivity=True)
    row = result.sensitivity.set_index("change").loc[change]
    again = wb.compare(result.split, result.model, scenario=scenario)
    assert row["best_rule"] == again.of("best_rule").name
    assert row["difference"] == pytest.approx(again.difference.estimate)


def test_a_seed_row_is_the_study_with_that_seed(changed, rows):
    views = wb.load(changed.split.card.name, rows=ROWS[changed.split.card.name])
    assert rows.loc["seed 1", "difference"] == pytest.approx(wb.study(views, seed=1).difference.estimate)


def test_a_training_seed_is_another_model_beside_the_same_rules(studied):
    """On the same test part; a row is the comparison that a person would run."""
    name = "mobile_bandwidth"
    result = studied(name, rows=ROWS[name], sensitivity=True)
    again = result.sensitivity[result.sensitivity["group"] == "training seed"]
    assert again["change"].tolist() == [f"training seed {seed}" for seed in range(1, 5)]
    assert again["difference"].nunique() == 4 and set(again["best_rule"]) == {result.of("best_rule").name}
    other = wb.train_network_quality(result.split, seed=3)
    compared = wb.compare(result.split, other)
    assert again["difference"].tolist()[2] == pytest.approx(compared.difference.estimate)
    assert compared.of("best_rule").figures == result.of("best_rule").figures


def test_the_range_over_trainings_is_said_with_its_words(studied):
    name = "mobile_bandwidth"
    result = studied(name, rows=ROWS[name], sensitivity=True)
    kept = result.sensitivity["group"].isin(["base", "training seed"])
    table = result.sensitivity[kept].assign(difference=[0.7, 1.0, 0.8, -0.2, 0.9])
    table["verdict"] = ["better", "better", "better", "inconclusive", "better"]
    said = trainings(replace(result, sensitivity=table))
    assert "Over 5 training seeds" in said and "-0.2 to +1.0 points" in said
    assert "better in 4 of 5 and inconclusive in 1 of 5" in said
    assert trainings(result) in " ".join(str(result).split())
    assert "same difference" in trainings(replace(result, sensitivity=table.assign(difference=0.7)))
    assert trainings(replace(result, sensitivity=None)) == ""


def test_where_all_sessions_train_the_model_a_seed_changes_nothing(studied):
    name = "synthetic_navigations"
    result = studied(name, rows=ROWS[name], sensitivity=True)
    assert "none is drawn at random" in trainings(result)


def test_a_row_of_the_split_is_that_split(studied):
    result = studied("synthetic_navigations", rows=ROWS["synthetic_navigations"], sensitivity=True)
    split = wb.split_by_user(wb.load("synthetic_navigations", rows=ROWS["synthetic_navigations"]))
    again = wb.compare(split, wb.train_next_page(split))
    row = result.sensitivity.set_index("change").loc["by user"]
    assert row["difference"] == pytest.approx(again.difference.estimate)


def test_any_mix_of_technologies_lies_between_each_alone(studied):
    """The base case is the mean of the technologies, weighted by their views: so is any other mix."""
    result = studied("mobile_bandwidth", rows=ROWS["mobile_bandwidth"], sensitivity=True)
    rows = result.sensitivity[result.sensitivity["group"] == "mix of technologies"]
    views = result.split.test["access_technology"].value_counts()
    alone = rows.set_index(rows["change"].str.removesuffix(" alone"))["difference"]
    assert set(alone.index) == set(views.index)
    assert (alone * views).sum() / views.sum() == pytest.approx(result.difference.estimate)


def test_what_the_verdict_does_not_survive_is_named(changed):
    changed = replace(changed, verdict="equivalent")
    said, table = robustness(changed), changed.sensitivity.iloc[1:]
    ran = table[table["verdict"] != ""]
    flipped = ran[ran["verdict"] != changed.verdict]
    same = (ran["best_rule"] == changed.of("best_rule").name).sum()
    assert f"The same rule is best in {same} of them." in said
    assert (f"Robust in {len(ran) - len(flipped)} of {len(ran)} checks" in said) == bool(len(flipped))
    assert all(f"{row.change}: {row.verdict}" in said for row in flipped.itertuples())
    assert said in " ".join(str(changed).split()) and "seed seed" not in said
    unsettled = replace(changed, verdict="inconclusive")
    settled = ran[~ran["verdict"].isin(["inconclusive", "too few to tell"])]
    assert f"settled in {len(settled)} of {len(ran)} checks" in robustness(unsettled)
    assert all(f"{row.change}: {row.verdict}" in robustness(unsettled) for row in settled.itertuples())
    assert "inconclusive" not in robustness(unsettled) and "too few" not in robustness(unsettled)
    assert len(changed.to_dict()["sensitivity"]) == len(changed.sensitivity)
    turned = replace(changed, sensitivity=changed.sensitivity.assign(verdict="worse"), verdict="better")
    assert "seed 2: worse" in robustness(turned)
    same = replace(changed, sensitivity=changed.sensitivity.assign(verdict="worse"), verdict="worse")
    assert f"all {len(table)} checks" in robustness(same)


def test_a_change_that_cannot_be_run_says_why(monkeypatch):
    rng = np.random.default_rng(0)
    frame = wb.make_measurements(rows=600, seed=1)[["rtt_ms", "downlink_mbps"]]
    users = rng.integers(0, 200, 600).astype(str)
    views = wb.measurements(frame.assign(asn=rng.choice(["1", "2", "3"], 600), user_id=users))
    keep_only(monkeypatch, "images", lambda plan: Change("split", "networks never seen", replace(plan, split="asn")))
    row = wb.study(views, sensitivity=True).sensitivity.iloc[1]
    assert np.isnan(row["difference"]) and (row["verdict"], row["best_rule"]) == ("", "")
    assert "at least 20 asns; got 3" in row["note"]


def keep_only(monkeypatch, name, change):
    """Leave one row to the figure of a decision."""
    from workbench.decisions import find_decision

    decision = type(find_decision(name=name))
    monkeypatch.setattr(decision, "changes", lambda self, views, plan: iter([change(plan)]))


@pytest.fixture
def views():
    return wb.load("synthetic_navigations", rows=ROWS["synthetic_navigations"])


def kept(plan):
    return Change("repeats", "kept", plan, load={"keep_repeats": True})


def test_a_frame_came_with_its_repeats_collapsed_and_says_so(views, monkeypatch):
    keep_only(monkeypatch, "prefetch", kept)
    row = wb.study(views, sensitivity=True).sensitivity.iloc[1]
    assert pd.isna(row["difference"]) and row["verdict"] == ""
    assert "the frame is loaded already; name the dataset" in row["note"]


def test_with_repeats_kept_a_reload_is_a_view(views, monkeypatch, tmp_path):
    twice = views[["session_id", "user_id", "page"]].loc[views.index.repeat(1 + (views.index % 3 == 0))]
    twice.to_csv(tmp_path / "views.csv", index=False)
    card = tmp_path / "reloads.toml"
    card.write_text('kind = "navigations"\norder = "file"\npages = { static = true }\n[[files]]\nname = "views.csv"\n')
    keep_only(monkeypatch, "prefetch", kept)
    result = wb.study(card, sensitivity=True)
    row = result.sensitivity.iloc[1]
    own = wb.study(wb.load(card, keep_repeats=True))
    assert row["note"] == ""
    assert row["difference"] == pytest.approx(own.difference.estimate)
    assert sum(len(part) for _, part in own.split.parts()) == len(twice)
    assert sum(len(part) for _, part in result.split.parts()) == len(views)
    assert "repeats of the current page" in str(result)
    assert "repeats of the current page" not in str(own)


def test_large_data_are_refitted_on_a_part_and_say_so(views, monkeypatch):
    keep_only(monkeypatch, "prefetch", lambda plan: Change("seed", "seed 0", plan))
    monkeypatch.setitem(unwrap(wb.study).__globals__, "ROWS_REFITTED", 1500)
    base, row = wb.study(views, sensitivity=True).sensitivity.itertuples()
    assert (base.note, row.note) == ("", "on about 1,500 views")
    assert row.difference != base.difference
