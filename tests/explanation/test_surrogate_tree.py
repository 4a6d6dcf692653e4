import numpy as np
import pandas as pd
import pytest

from workbench.explanation.surrogate_tree import Among, Between, Conditions, grow_leaves

ROWS = 3000


@pytest.fixture
def facts():
    return pd.DataFrame({"system": ["iOS", "Android", "iOS", "unknown"], "hour": [3.0, 18.0, 20.0, np.nan]})


@pytest.mark.parametrize(
    ("condition", "words", "holds"),
    [
        (Among("system", ("iOS",)), "system is iOS", [1, 0, 1, 0]),
        (Among("system", ("iOS", "Android"), False), "system is not iOS or Android", [0, 0, 0, 1]),
        (Between("hour", above=16.5, whole=True), "hour is 17 or more", [0, 1, 1, 0]),
        (Between("hour", up_to=18, whole=True), "hour is 18 or less", [1, 1, 0, 0]),
        (Between("hour", above=17, up_to=18, whole=True), "hour is 18", [0, 1, 0, 0]),
        (Between("hour", above=2, up_to=18, whole=True), "hour is 3 to 18", [1, 1, 0, 0]),
        (Between("hour", above=2.5, up_to=18.5), "hour is above 2.5, up to 18.5", [1, 1, 0, 0]),
        (Between("hour", up_to=4, unknown=True, gaps=True), "hour is 4 or less (or unknown)", [1, 0, 0, 1]),
        (Between("hour", above=np.inf, unknown=True, gaps=True), "hour is unknown", [0, 0, 0, 1]),
        (Between("hour", up_to=np.inf, gaps=True), "hour is known", [1, 1, 1, 0]),
        (Among("the rule sends", ("large",)), "the rule sends large", None),
        (Among("this is", ("the first page",), False), "this is not the first page", None),
        (Between("last throughput", above=25.2, unit="Mbit/s"), "last throughput is above 25.2 Mbit/s", None),
    ],
)
def test_each_condition_reads_as_it_holds(facts, condition, words, holds):
    assert condition.in_words() == words == str(Conditions((condition,)))
    if holds is not None:
        assert condition.holds(facts).tolist() == [bool(each) for each in holds]


def test_of_a_long_list_few_names_are_shown_unless_all_are_asked_for():
    where = Conditions((Among("provider", ("A", "B", "C", "D", "E")),))
    assert where.in_words() == "provider is A, B, C or one of 2 others"
    assert str(where) == "provider is A, B, C, D or E"
    assert Among("page", ("a", "b", "c", "d")).in_words(3) == "page is a, b, c or d"
    assert len(Conditions((Among("page", ("x" * 500,)),)).in_words()) < 50


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ((Between("h", above=5, whole=True), Between("h", above=9, whole=True)), "h is 10 or more"),
        ((Between("h", above=5, unknown=True, gaps=True), Between("h", up_to=9, gaps=True)), "h is above 5, up to 9"),
        ((Among("s", ("a", "b")), Among("s", ("b", "c"))), "s is b"),
        ((Among("s", ("a",), False), Among("s", ("b", "a"))), "s is b"),
        ((Among("s", ("a",), False), Among("s", ("b",), False)), "s is not a or b"),
        ((), "anywhere"),
    ],
)
def test_conditions_on_one_fact_are_one_and_hold_for_the_same_views(path, words):
    assert str(Conditions.of(path)) == words
    facts = pd.DataFrame({"h": [3.0, 6.0, 9.0, 12.0, np.nan], "s": ["a", "b", "c", "d", "a"]})
    assert Conditions.of(path)(facts).tolist() == Conditions(path)(facts).tolist()


@pytest.fixture(scope="module")
def world():
    """750 users; model and rule differ in the evening, at providers B and D of five."""
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
    slow = (facts["hour"] >= 17) & facts["provider"].isin(["B", "D"])
    return facts, np.where(slow, "differ", "").astype(object), users, users % 2 == 0


def grown(world, size=20, **changes):
    facts, target, users, grows = (changes.get(name, part) for name, part in zip("ftug", world, strict=True))

    def mostly(inside):
        return pd.Series(target[inside]).mode()[0]

    return [Conditions(leaf) for leaf in grow_leaves(facts, target, users, grows, size=size, change=mostly)]


def test_a_number_and_a_group_of_levels_are_found(world):
    found = [leaf for leaf in grown(world) if (world[1][leaf(world[0])] == "differ").mean() > 0.9]
    words = {part for leaf in found for part in str(leaf).split(" and ")}
    assert "hour is 17 or more" in words and words & {"provider is B or D", "provider is D or B"}
    caught = np.logical_or.reduce([leaf(world[0]) for leaf in found])
    assert (caught == (world[1] == "differ")).mean() > 0.99


@pytest.mark.parametrize("size", [1, 20, 200])
def test_every_view_is_in_one_leaf_and_every_leaf_holds_20_users_in_either_half(world, size):
    facts, _, users, grows = world
    leaves = grown(world, size)
    assert leaves == grown(world, size) and (np.array([leaf(facts) for leaf in leaves]).sum(axis=0) == 1).all()
    for leaf in leaves:
        assert min(len(np.unique(users[leaf(facts) & half])) for half in (grows, ~grows)) >= 20


def test_a_level_of_19_users_is_never_named(world):
    facts, _, users, _ = world
    rare = np.isin(users, np.flatnonzero(np.arange(750) % 2 == 0)[:19])
    odd = facts.assign(provider=facts["provider"].mask(rare, "nobody's own"))
    assert "nobody" not in " ".join(map(str, grown(world, f=odd, t=np.where(rare, "differ", "").astype(object))))


def test_neighbours_where_the_same_is_done_are_one_leaf_and_so_is_all_where_no_fact_varies(world):
    facts, target, users, grows = world
    dull = pd.DataFrame({"system": np.full(ROWS, "iOS", object), "hour": np.full(ROWS, 3.0)})
    assert grown(world, f=dull) == [Conditions()]
    assert grow_leaves(facts, target, users, grows, size=20, change=lambda inside: "all alike") == [()]


def test_whether_there_is_a_number_can_be_asked(world):
    gone = world[0]["age"].isna().to_numpy()
    leaves = grown(world, t=np.where(gone, "differ", "").astype(object))
    assert set(map(str, leaves)) == {"age is unknown", "age is known"}


def test_a_threshold_has_as_many_digits_as_keep_both_sides(world):
    """Two towns that three digits of their latitude do not tell apart."""
    rng = np.random.default_rng(0)
    north = rng.random(ROWS) < 0.5
    facts = pd.DataFrame({"latitude": np.where(north, 51.53, 51.51) + rng.normal(0, 0.001, ROWS)})
    leaves = grown(world, f=facts, t=np.where(north, "differ", "").astype(object))
    assert set(map(str, leaves)) == {"latitude is above 51.52", "latitude is 51.52 or less"}
