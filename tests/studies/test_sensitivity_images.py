"""Sensitivity: one assumption at a time, everything it touches refitted."""

import numpy as np
import pytest

import workbench as wb
from workbench.decisions.images.decision import DECISION as IMAGES
from workbench.studies.report import robustness


@pytest.fixture(scope="module")
def small(mirror):
    return wb.study("mobile_bandwidth", rows=6000, sensitivity=True)


def test_every_change_has_a_row_and_the_base_case_comes_first(small):
    table = small.sensitivity
    assert table.iloc[0]["change"] == "base case"
    assert table.iloc[0]["difference"] == pytest.approx(small.difference.estimate)
    assert (table.iloc[0]["low"], table.iloc[0]["high"]) == pytest.approx((small.difference.low, small.difference.high))
    assert {"budget", "delay price", "abandoned after", "assumed", "known by", "without", "seed"} <= set(table["group"])
    ran = table[table["verdict"] != ""]
    assert (ran["low"] <= ran["difference"]).all()
    assert (ran["difference"] <= ran["high"]).all()
    assert table.loc[table["verdict"] == "", "note"].str.len().gt(20).all()


def test_a_row_is_the_study_that_a_person_would_run(small, mirror):
    """The same number by another road: the budget row against a comparison at that budget."""
    row = small.sensitivity.set_index("change").loc["0.5 s"]
    again = wb.compare(small.split, small.model, scenario=wb.ImageScenario(budget_ms=500))
    assert row["difference"] == pytest.approx(again.difference.estimate)
    assert row["best_rule"] == again.of("best_rule").name


def test_a_seed_row_is_the_study_with_that_seed(small, mirror):
    views = wb.load("mobile_bandwidth", rows=6000)
    row = small.sensitivity.set_index("change").loc["seed 1"]
    assert row["difference"] == pytest.approx(wb.study(views, seed=1).difference.estimate)


def test_any_mix_of_technologies_lies_between_each_alone(small):
    """The base case is the mean of the technologies, weighted by their views: so is any other mix."""
    rows = small.sensitivity[small.sensitivity["group"] == "mix of technologies"]
    test = small.split.test
    views = test["access_technology"].value_counts()
    alone = rows.set_index(rows["change"].str.removesuffix(" alone"))["difference"]
    assert set(alone.index) == set(test["access_technology"])
    assert (alone * views).sum() / views.sum() == pytest.approx(small.difference.estimate)


def test_what_the_verdict_does_not_survive_is_named(small):
    said = robustness(small)
    changed = small.sensitivity.iloc[1:]
    ran = changed["verdict"] != ""
    flipped = (changed["verdict"] != small.verdict) & ran
    assert (f"Robust in {ran.sum() - flipped.sum()} of {ran.sum()} checks" in said) == flipped.any()
    assert said in str(small)
    assert len(small.to_dict()["sensitivity"]) == len(small.sensitivity)


@pytest.fixture(scope="module")
def world():
    return wb.load("synthetic_measurements", rows=3000)


def test_each_change_changes_one_thing(world):
    plan = IMAGES.plan(world, wb.ImageScenario(), 0)
    listed = list(IMAGES.changes(world, plan))
    for change in listed:
        differs = [name for name in vars(plan) if getattr(plan, name) != getattr(change.plan, name)]
        assert len(differs) == 1, change
    assert len({(change.group, change.change) for change in listed}) == len(listed)
    told = {(change.group, change.change) for change in listed}
    assert {("split", "by user"), ("split", "networks never seen"), ("masking", "nobody")} <= told
    assert {("masking", "slow users more often"), ("without", "history")} <= told


def test_changes_reach_the_split(world):
    plan = IMAGES.plan(world, wb.ImageScenario(), 0)
    by_name = {change.change: change.plan for change in IMAGES.changes(world, plan)}
    assert "asn" not in IMAGES.prepare(world, by_name["ASN and provider"]).train
    assert "last_rtt_ms" not in IMAGES.prepare(world, by_name["history"]).train
    assert IMAGES.prepare(world, by_name["nobody"]).mask is None
    assert IMAGES.prepare(world, by_name["by user"]).how == "by user"
    assert IMAGES.prepare(world, by_name["networks never seen"]).cluster == "asn"
    assert IMAGES.prepare(world, by_name["client js"]).card.known_by == "client_js"


def test_what_was_assumed_low_is_assumed_low(mirror):
    views = wb.load("mobile_bandwidth", rows=500)
    plan = IMAGES.plan(views, wb.ImageScenario(), 0)
    low = next(change.plan for change in IMAGES.changes(views, plan) if change.change == "rtt_ms 50")
    assert IMAGES.prepare(views, low).card.assume["rtt_ms"] == (50, 50, 200)


def test_a_change_that_cannot_be_run_says_why():
    rng = np.random.default_rng(0)
    n = 600
    views = wb.measurements(
        wb.make_measurements(rows=n, seed=1)[["rtt_ms", "downlink_mbps", "asn"]].assign(
            asn=rng.choice(["1", "2", "3"], n), user_id=rng.integers(0, 200, n).astype(str)
        )
    )
    table = wb.study(views, sensitivity=True).sensitivity.set_index("change")
    assert np.isnan(table.loc["networks never seen", "difference"])
    assert "at least 20 asns; got 3" in table.loc["networks never seen", "note"]
