from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from workbench.features import pages as navigation
from workbench.features.pages import (
    PageCounts,
    backoff_chances,
    count_transitions,
    encode,
    next_codes,
    page_states,
    pair_state,
    previous_codes,
    same_session,
    session_numbers,
    vocabulary,
)

ABC = pd.Index(list("abc"), dtype="str")


def visits(*sessions: str, category: bool = True) -> pd.DataFrame:
    """One letter a page, one word a session."""
    pages = [page for session in sessions for page in session]
    return pd.DataFrame(
        {
            "view_id": np.arange(len(pages)),
            "session_id": np.repeat(np.arange(len(sessions)), [len(session) for session in sessions]),
            "position": [i for session in sessions for i in range(len(session))],
            "page": pd.Categorical(pages) if category else pd.Series(pages, dtype="str"),
        }
    )


def random_visits(sessions: int, pages: str, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return visits(*("".join(rng.choice(list(pages), rng.integers(1, 8))) for _ in range(sessions)))


# Codes.


@pytest.mark.parametrize("category", [True, False])
def test_pages_are_coded_by_their_place_in_the_vocabulary(category):
    frame = visits("axb", "c", category=category)
    assert encode(frame, ABC).tolist() == [0, -1, 1, 2]
    assert encode(frame, ABC[:0]).tolist() == [-1] * 4


def test_a_missing_page_has_no_code():
    for last_next in (pd.Categorical(["b", None]), pd.Series(["b", None], dtype="str")):
        assert encode(pd.DataFrame({"last_next": last_next}), ABC, "last_next").tolist() == [1, -1]


def test_the_vocabulary_holds_the_pages_that_occur_sorted():
    frame = visits("ca", "b")
    assert vocabulary(frame).tolist() == ["a", "b", "c"]
    assert vocabulary(frame.iloc[:2]).tolist() == ["a", "c"]
    assert vocabulary(visits("ca", category=False)).tolist() == ["a", "c"]
    assert vocabulary(frame.iloc[:0]).tolist() == []


def test_next_and_previous_pages_stop_where_sessions_do():
    frame = visits("abc", "b", "ca")
    codes = encode(frame, ABC)
    assert next_codes(frame, codes).tolist() == [1, 2, -1, -1, 0, -1]
    assert previous_codes(frame, codes).tolist() == [-1, 0, 1, -1, -1, 2]
    assert previous_codes(frame, codes, back=2).tolist() == [-1, -1, 0, -1, -1, -1]
    assert previous_codes(frame, codes, back=9).tolist() == [-1] * 6


def test_a_page_that_nobody_knows_is_not_the_end_of_a_session():
    frame = visits("axb", "x")
    codes = encode(frame, ABC)
    assert next_codes(frame, codes).tolist() == [-2, 1, -1, -1]
    assert previous_codes(frame, codes).tolist() == [-1, 0, -2, -1]


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_rows_are_fine(rows):
    frame = visits("ab").iloc[:rows]
    codes = encode(frame, ABC)
    assert next_codes(frame, codes).tolist() == previous_codes(frame, codes).tolist() == [-1] * rows
    assert len(session_numbers(frame)) == rows
    assert len(same_session(frame, 1)) == 0


def test_sessions_are_numbered_within_the_frame():
    frame = visits("ab", "c", "abc").iloc[2:]
    assert session_numbers(frame).tolist() == [0, 1, 1, 1]


def test_the_state_of_two_pages_tells_every_pair_apart_and_the_first_view_from_all():
    previous, current = (axis.ravel() for axis in np.meshgrid(np.arange(-1, 3), np.arange(3)))
    assert len(np.unique(pair_state(previous, current, 3))) == 12
    assert pair_state(np.array([-2, 0]), np.array([1, -1]), 3).tolist() == [-1, -1]


# Counts.


def test_transitions_are_counted_most_frequent_first_and_ties_by_code():
    state = np.array([5, 5, 5, 5, 5, 2, -1])
    counts = count_transitions(state, np.array([1, 0, 2, 1, -1, -2, 0]), 3)
    assert counts.states.tolist() == [2, 5]
    assert counts.start.tolist() == [0, 0, 3]
    assert (counts.page.tolist(), counts.count.tolist()) == ([1, 0, 2], [2, 1, 1])
    assert counts.total.tolist() == [1, 5]
    assert counts.find(np.array([5, 3, 2, -1, 9])).tolist() == [1, -1, 0, -1, -1]
    assert counts.total_of(np.array([5, 3])).tolist() == [5, 0]
    assert counts.count_of(np.array([5, 5, 2, 3, -1]), np.array([1, -1, 1, 1, 1])).tolist() == [2, 0, 0, 0, 0]


def test_the_top_followers_come_row_by_row():
    counts = count_transitions(np.array([5, 5, 5, 5, 7]), np.array([1, 0, 2, 1, 2]), 3)
    row, page, count = counts.top(np.array([7, 4, 5, 5]), 2)
    assert row.tolist() == [0, 2, 2, 3, 3]
    assert page.tolist() == [2, 1, 0, 1, 0]
    assert count.tolist() == [1, 2, 1, 2, 1]


def test_nothing_counted_answers_zero():
    counts = count_transitions(np.array([-1]), np.array([0]), 3)
    assert counts.find(np.array([0])).tolist() == [-1]
    assert counts.count_of(np.array([0]), np.array([1])).tolist() == [0]
    assert counts.total_of(np.array([0])).tolist() == [0]
    assert [len(part) for part in counts.top(np.array([0]), 3)] == [0, 0, 0]


@pytest.mark.parametrize("cells", [0, 8_000_000])
def test_a_table_and_a_search_count_as_a_loop_does(monkeypatch, cells):
    monkeypatch.setattr(navigation, "DENSE_CELLS", cells)
    frame = random_visits(300, "abcd")
    pages = vocabulary(frame)
    counts = PageCounts.fit(frame)
    words = frame.groupby("session_id")["page"].agg("".join)
    loop = Counter(pair for word in words for pair in pairwise(word))
    views = Counter("".join(words))
    state, page = (axis.ravel() for axis in np.meshgrid(np.arange(-1, 5), np.arange(-1, 4)))
    expected = [loop[pages[s], pages[p]] if 0 <= s < 4 and p >= 0 else 0 for s, p in zip(state, page, strict=True)]
    assert counts.orders[1].count_of(state, page).tolist() == expected
    assert counts.orders[1].total.tolist() == [views[page] for page in pages]


def test_the_orders_count_what_followed_nothing_one_page_and_two():
    frame = visits("abc", "abb", "b")
    zeroth, first, second = PageCounts.fit(frame).orders
    assert (zeroth.total.tolist(), zeroth.page.tolist(), zeroth.count.tolist()) == ([7], [1, 2], [3, 1])
    assert first.total.tolist() == [2, 4, 1]
    start, a, b = -1, 0, 1
    states = pair_state(np.array([start, a, b, start]), np.array([a, b, b, b]), 3)
    assert second.total_of(states).tolist() == [2, 2, 1, 1]
    assert second.count_of(states, np.array([1, 2, 0, 0])).tolist() == [2, 1, 0, 0]


# Chances.


def test_chances_lean_on_the_order_below_by_hand():
    counts = PageCounts.fit(visits("abc", "abb", "b"))
    states = [np.array([state]) for state in (0, 1, pair_state(np.array([0]), np.array([1]), 3)[0])]
    c = np.array([2])
    zeroth = 1 / 7
    first = (1 + 2 * zeroth) / (4 + 2)
    second = (1 + 3 * first) / (2 + 3)
    assert backoff_chances(counts.orders[:1], states[:1], c, ()) == pytest.approx(zeroth)
    assert backoff_chances(counts.orders[:2], states[:2], c, (2,)) == pytest.approx(first)
    assert backoff_chances(counts.orders, states, c, (2, 3)) == pytest.approx(second)


def test_a_state_that_was_never_seen_answers_as_the_order_below():
    counts = PageCounts.fit(visits("abc", "abb", "b"))
    never = [np.zeros(3, np.int64), np.full(3, -1), np.full(3, -1)]
    chances = backoff_chances(counts.orders, never, np.arange(3), (5.0, 5.0))
    assert chances == pytest.approx([0, 3 / 7, 1 / 7])


def test_chances_of_all_pages_and_the_end_sum_to_one():
    frame = random_visits(200, "abcde")
    counts = PageCounts.fit(frame)
    row, page = (axis.ravel() for axis in np.meshgrid(np.arange(len(frame)), np.arange(5)))
    chance = backoff_chances(counts.orders, [state[row] for state in counts.states(frame)], page, (7.0, 3.0))
    codes = encode(frame, counts.pages)
    ended = pd.DataFrame({"end": next_codes(frame, codes) == -1})
    states = pd.DataFrame(dict(enumerate(page_states(frame, codes, 5))))
    share = [ended.groupby(states[k])["end"].transform("mean") for k in range(3)]
    n = [ended.groupby(states[k])["end"].transform("size") for k in range(3)]
    first = (n[1] * share[1] + 7 * share[0]) / (n[1] + 7)
    end = (n[2] * share[2] + 3 * first) / (n[2] + 3)
    np.testing.assert_allclose(np.bincount(row, chance) + end, 1)


def test_chances_are_at_most_one_where_the_vocabulary_is_smaller_than_the_data():
    frame = random_visits(200, "abcde")
    counts = PageCounts.fit(frame, ABC)
    row, page = (axis.ravel() for axis in np.meshgrid(np.arange(len(frame)), np.arange(3)))
    chance = backoff_chances(counts.orders, [state[row] for state in counts.states(frame)], page, (7.0, 3.0))
    assert np.bincount(row, chance).max() < 1
