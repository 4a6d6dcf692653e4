"""Sentences on what policies fetch, each worked out by hand."""

import pytest
from workbench.explanation.inspect_fetching import Fetching, Telling

OURS = Fetching("model", ("/a",), {"/a": 0.4, "/b": 0.1, "/rare": 0.05})
TELLING = Telling(frozenset({"/a", "/b"}), 0.15)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (Fetching("never"), '"never" fetches nothing without weighing chances; the model gives /a a chance of 40.0 %.'),
        (
            Fetching("Markov", ("/a", "/b"), {"/a": 0.3, "/b": 0.2}),
            '"Markov" fetches /b too: it gives /b a chance of 20.0 %, the model 10.0 %.',
        ),
        (
            Fetching("Markov", ("/b",), {"/b": 0.2, "/x": 0.02}, limit=0.12),
            '"Markov" fetches /b instead of /a: it gives /a a chance of under 2.0 %, the model 40.0 %. '
            "It fetches from 12.0 %.",
        ),
        (
            Fetching("links", ("/a", "/rare")),
            '"links" fetches a rare page too without weighing chances; the model gives a rare page a chance of 5.0 %.',
        ),
    ],
)
def test_a_rule_that_differs_is_explained(rule, sentence):
    assert rule.differs(OURS)
    assert TELLING.difference(rule, OURS) == sentence


def test_leaving_out_is_called_so():
    ours = Fetching("model", ("/a", "/b"), {"/a": 0.4, "/b": 0.2})
    rule = Fetching("Markov", ("/a",), {"/a": 0.4, "/b": 0.1})
    assert TELLING.difference(rule, ours).startswith('"Markov" leaves out /b: it gives /b a chance of 10.0 %')


def test_the_finding_says_what_and_from_when():
    assert TELLING.finding(OURS, "/a") == "The model fetches /a (40.0 %); fetching pays from a chance of 15 %."
    none = Fetching("model", (), {"/a": 0.1})
    assert TELLING.finding(none, "/a") == (
        "The model fetches nothing: /a, the likeliest, has a chance of 10.0 %; fetching pays from a chance of 15 %."
    )
    back = Fetching("model", (), {"/a": 0.5})
    assert "has a chance of 50.0 %, but is there already;" in TELLING.finding(back, "/a")


def test_a_rule_that_is_not_available_differs_from_none():
    absent = Fetching("links", available=False)
    assert not absent.differs(OURS)
    assert TELLING.row(absent, OURS, "/a")["does"] is None


def test_only_pages_of_a_crowd_are_named():
    assert TELLING.names([]) == "nothing"
    assert TELLING.names(["/rare", "/a"]) == "/a and a rare page"
    assert TELLING.names(["/a", "/rare", "/other"]) == "/a and 2 rare pages"
    assert [row["name"] for row in TELLING.chances(OURS, list(OURS.chances))] == ["/a", "/b", "a rare page"]
