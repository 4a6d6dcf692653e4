"""Conditions: what is told is what is done."""

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.parting_conditions import Among, Between, belongs, in_words, simplify


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
        (Between("last throughput", above=25.2), "last throughput is above 25.2 Mbit/s", None),
    ],
)
def test_each_condition_reads_as_it_holds(facts, condition, words, holds):
    assert str(condition) == words
    if holds is not None:
        assert condition.holds(facts).tolist() == [bool(each) for each in holds]


def test_of_a_long_list_few_names_are_told_unless_all_are_asked_for():
    condition = Among("provider", ("A", "B", "C", "D", "E"))
    assert str(condition) == "provider is A, B, C or one of 2 others"
    assert in_words((condition,), None) == "provider is A, B, C, D or E"


def test_a_name_from_data_is_cut_and_made_readable():
    assert str(Among("page", ("/a_very_long" + "\n" * 3 + "x" * 60,))).startswith("page is /a very long x")
    assert len(str(Among("page", ("x" * 500,)))) < 50


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
def test_conditions_on_one_fact_are_told_as_one(path, words):
    assert in_words(simplify(path)) == words


def test_simplified_conditions_hold_for_the_same_views(facts):
    path = (Among("system", ("Android",), False), Between("hour", up_to=18), Among("system", ("iOS", "Android")))
    assert belongs(simplify(path), facts).tolist() == belongs(path, facts).tolist() == [True, False, False, False]
