"""The tree: it finds interactions, names no small group, and parts all views among its leaves."""

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.parting_conditions import belongs, in_words
from workbench.explanation.parting_splits import grow_splits
from workbench.explanation.parting_tree import grow_leaves

ROWS = 3000


@pytest.fixture(scope="module")
def world():
    """750 people; they part where iOS meets the evening or Android the day, at providers B and D of five."""
    rng = np.random.default_rng(0)
    users = np.arange(ROWS) // 4
    facts = pd.DataFrame(
        {
            "system": rng.choice(["iOS", "Android"], ROWS).astype(object),
            "hour": rng.integers(0, 24, ROWS).astype(float),
            "provider": rng.choice(list("ABCDE"), ROWS).astype(object),
            "age": np.where(rng.random(ROWS) < 0.3, np.nan, rng.gamma(2, 100, ROWS)),
        }
    )
    evening = (facts["hour"] >= 17).to_numpy()
    slow = np.where(evening, facts["system"] == "iOS", facts["system"] == "Android") & facts["provider"].isin(
        ["B", "D"]
    )
    return facts, np.where(slow, "part", "same").astype(object), users, users % 2 == 0


def grown(world, size=20, **changes):
    facts, target, users, grows = (changes.get(name, part) for name, part in zip("ftug", world, strict=True))

    def mostly(inside):
        return pd.Series(target[inside]).mode()[0]

    return grow_leaves(facts, target, users, grows, size=size, change=mostly, same="same")


def test_an_interaction_that_neither_fact_tells_alone_is_found(world):
    parted = [leaf for leaf in grown(world) if (world[1][belongs(leaf, world[0])] == "part").mean() > 0.9]
    words = " / ".join(map(in_words, parted))
    asked = {part.replace("not Android", "iOS") for leaf in parted for part in in_words(leaf).split(" and ")}
    assert {"system is Android", "system is iOS", "hour is 16 or less", "hour is 17 or more"} <= asked
    assert "provider is B or D" in words or "provider is D or B" in words
    caught = np.logical_or.reduce([belongs(leaf, world[0]) for leaf in parted])
    assert (caught == (world[1] == "part")).mean() > 0.99


def test_leaves_part_all_views_among_them(world):
    inside = np.array([belongs(leaf, world[0]) for leaf in grown(world)])
    assert (inside.sum(axis=0) == 1).all()


def test_every_leaf_holds_20_users_in_either_half(world):
    facts, _, users, grows = world
    for size in (1, 20, 200):
        for leaf in grown(world, size):
            inside = belongs(leaf, facts)
            assert min(len(np.unique(users[inside & half])) for half in (grows, ~grows)) >= 20


def test_a_level_of_19_users_is_never_named(world):
    facts, _, users, _ = world
    rare = np.isin(users, np.flatnonzero(np.arange(750) % 2 == 0)[:19])
    odd = facts.assign(provider=facts["provider"].mask(rare, "nobody's own"))
    said = " ".join(
        in_words(leaf, None) for leaf in grown(world, f=odd, t=np.where(rare, "part", "same").astype(object))
    )
    assert "nobody" not in said


def test_neighbours_where_the_same_is_done_are_one_leaf(world):
    facts, target, users, grows = world
    leaves = grow_leaves(facts, target, users, grows, size=20, change=lambda inside: "all alike", same="same")
    assert leaves == [()]


def test_where_nothing_tells_there_is_one_leaf(world):
    facts = pd.DataFrame({"system": np.full(ROWS, "iOS", object), "hour": np.full(ROWS, 3.0)})
    assert grown(world, f=facts) == [()]
    assert grow_splits(np.zeros((100, 1)), np.array(["a", "b"] * 50), 20, 3) is None


def test_whether_there_is_a_number_can_be_asked(world):
    gone = world[0]["age"].isna().to_numpy()
    leaves = grown(world, t=np.where(gone, "part", "same").astype(object))
    assert {in_words(leaf) for leaf in leaves} == {"age is unknown", "age is known"}


def test_the_same_seed_grows_the_same_tree(world):
    assert grown(world) == grown(world)


def test_looking_ahead_beats_a_greedy_tree_on_an_interaction():
    """The guard itself: a greedy first question finds nothing to ask."""
    from sklearn.tree import DecisionTreeClassifier

    matrix = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 1]] * 50, dtype=float)
    matrix[:, 2] = np.arange(200) % 2
    target = np.where(matrix[:, 0] == matrix[:, 1], "same", "part").astype(object)
    greedy = DecisionTreeClassifier(max_depth=1, min_samples_leaf=20).fit(matrix[:, :1], target)
    assert greedy.score(matrix[:, :1], target) == 0.5
    split = grow_splits(matrix, target, 20, 2)
    assert {split.column, *(below.column for below in split.below)} == {0, 1}
