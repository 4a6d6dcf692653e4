"""Leaves of a disagreement on planted views: where they disagree nearly everywhere, of few users, of many views."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.parting_conditions import Among, belongs, in_words
from workbench.explanation.parting_leaves import find_leaves
from workbench.explanation.parting_views import SAME, Parting

from workbench.explanation import parting_tree
from workbench.studies.comparison import POINTS

ROWS = 2000
SMALLER = "the model sends smaller images"
ALL = Among("the rule sends", ("large",))


def planted(parts, users=None, ours="small", **facts):
    """The rule sends large images to all; the model smaller ones in some views."""
    rows = len(parts)
    users = np.arange(rows) // 4 if users is None else users
    large = np.full(rows, "large", object)
    way = np.where(parts, SMALLER, SAME).astype(object)
    return Parting(
        acting=SimpleNamespace(users=users, unit=POINTS),
        net_of_model=parts.astype(float),
        net_of_rule=np.zeros(rows),
        way=way,
        direction=way,
        ours=np.where(parts, ours, large),
        theirs=large,
        options={"large": large},
        facts=pd.DataFrame({"the rule sends": large, **facts}),
        strata=(ALL,),
        rule_of=lambda branches: None,
    )


def every_other(parting):
    return parting.acting.users % 2 == 0


def test_where_they_disagree_in_most_views_a_leaf_where_they_always_do_is_told():
    """In 90 % of all views: half as often again is more than everywhere."""
    rng = np.random.default_rng(0)
    page = rng.choice(["a", "b"], ROWS).astype(object)
    parting = planted((page == "a") | (rng.random(ROWS) < 0.8), page=page)
    (leaf,), elsewhere = find_leaves(parting, every_other(parting))
    assert "page is a" in leaf.condition.replace("not b", "a")
    assert leaf.precision == 1
    assert elsewhere.precision == pytest.approx(0.8, abs=0.05)


def test_a_leaf_of_all_views_that_is_no_candidate_tells_nothing():
    parting = planted(np.ones(ROWS, bool), page=np.resize(np.array(["a", "b"], object), ROWS))
    leaves, elsewhere = find_leaves(parting, every_other(parting))
    assert leaves == ()
    assert (elsewhere.coverage, elsewhere.precision) == (1, 1)


def test_everywhere_else_is_not_told_of_fewer_than_20_users():
    users = np.arange(ROWS) // 4
    few = np.isin(users, np.arange(10))
    network = np.where(few, "satellite", np.where(np.arange(ROWS) % 4 < 2, "wifi", "cellular")).astype(object)
    parts = network != "satellite"
    strata = tuple(Among("network", (name,)) for name in ("wifi", "cellular"))
    parting = planted(parts, network=network)
    object.__setattr__(parting, "strata", strata)
    leaves, elsewhere = find_leaves(parting, every_other(parting))
    assert {in_words(leaf.conditions) for leaf in leaves} == {"network is wifi", "network is cellular"}
    assert elsewhere is None


@pytest.fixture(scope="module")
def towns():
    """Two towns that three digits of their latitude do not tell apart."""
    rng = np.random.default_rng(0)
    north = rng.random(ROWS) < 0.5
    latitude = np.where(north, 51.53, 51.51) + rng.normal(0, 0.001, ROWS)
    return planted(north, latitude=latitude), north


def test_a_threshold_is_rounded_to_as_many_digits_as_keep_both_sides(towns):
    parting, north = towns
    leaves, _ = find_leaves(parting, every_other(parting))
    caught = np.logical_or.reduce([belongs(leaf.conditions, parting.facts) for leaf in leaves])
    assert (caught == north).mean() > 0.99
    assert "latitude is above 51.52" in " ".join(leaf.condition + " " for leaf in leaves)


def test_a_leaf_without_a_view_is_no_leaf(towns, monkeypatch):
    """The guard itself: rounded as before, everybody is on one side."""
    monkeypatch.setattr(parting_tree, "_round", lambda threshold, values: round(threshold, 1))
    parting, _ = towns
    assert find_leaves(parting, every_other(parting))[0] == ()


def test_a_leaf_of_a_hundredth_is_found_however_many_views_there_are(monkeypatch):
    """A leaf of 1 % of all views is one of 1 % of those drawn."""
    monkeypatch.setattr(parting_tree, "MOST_VIEWS", 1000)
    rng = np.random.default_rng(0)
    page = rng.choice(["rare", "a", "b"], 20_000, p=[0.05, 0.55, 0.4]).astype(object)
    parting = planted(page == "rare", page=page)
    (leaf,), _ = find_leaves(parting, every_other(parting))
    assert leaf.condition == "the rule sends large and page is rare"
    assert leaf.coverage == pytest.approx(0.05, abs=0.01)
