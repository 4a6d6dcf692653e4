from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from workbench.features import pages as navigation
from workbench.features.pages import PageCounts, candidate_pairs, encode, link_table, next_codes, vocabulary


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


def test_transitions_are_counted_most_frequent_first_and_ties_by_code():
    state = np.array([5, 5, 5, 5, 5, 2, -1])
    counts = navigation.count_transitions(state, np.array([1, 0, 2, 1, -1, -2, 0]), 3)
    assert counts.states.tolist() == [2, 5] and counts.start.tolist() == [0, 0, 3]
    assert (counts.page.tolist(), counts.count.tolist()) == ([1, 0, 2], [2, 1, 1])
    assert counts.total.tolist() == [1, 5]
    assert counts.find(np.array([5, 3, 2, -1, 9])).tolist() == [1, -1, 0, -1, -1]
    assert counts.total_of(np.array([5, 3])).tolist() == [5, 0]
    top = counts.top(np.array([5, 4, 2, 5]), 2)
    assert [part.tolist() for part in top] == [[0, 0, 3, 3], [1, 0, 1, 0], [2, 1, 2, 1]]
    assert counts.count_of(np.array([5, 5, 2, 3, -1]), np.array([1, -1, 1, 1, 1])).tolist() == [2, 0, 0, 0, 0]


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


@pytest.mark.parametrize("smoothing", [(7.0, 3.0), (7.0, 3.0, 2.0, 5.0)])
def test_chances_of_all_pages_and_the_end_sum_to_one(smoothing):
    frame = random_visits(200, "abcde")
    counts = PageCounts.fit(frame, highest=len(smoothing))
    row, page = (axis.ravel() for axis in np.meshgrid(np.arange(len(frame)), np.arange(5)))
    chance = navigation.backoff_chances(counts.orders, [state[row] for state in counts.states(frame)], page, smoothing)
    ended = pd.DataFrame({"end": next_codes(frame, encode(frame, counts.pages)) == -1})
    states = pd.DataFrame(dict(enumerate(counts.states(frame))))
    end = ended["end"].mean()
    for order, s in enumerate(smoothing, 1):
        here = ended.groupby(states[order])["end"]
        n = here.transform("size")
        end = (n * here.transform("mean") + s * end) / (n + s)
    np.testing.assert_allclose(np.bincount(row, chance) + end, 1)


def test_a_longer_state_is_so_many_pages_in_a_row():
    frame = random_visits(300, "abc")
    for order, state in enumerate(PageCounts.fit(frame, highest=4).states(frame)):
        came = frame.groupby("session_id")["page"].agg("".join)
        path = [
            came[session][max(0, at + 1 - order) : at + 1]
            for session, at in frame[["session_id", "position"]].to_numpy()
        ]
        began = (frame["position"] < order - 1).to_numpy()
        names = pd.Series(path, dtype="str") + np.where(began, "^", "")
        assert (pd.crosstab(names, state) > 0).sum(axis=1).max() == 1
        assert (pd.crosstab(names, state) > 0).sum(axis=0).max() == 1


LETTERS = "abcdefghijklmnopqrstuvwxyz"


def by_row(counts: PageCounts, row: np.ndarray, page: np.ndarray, views: int) -> list[str]:
    return ["".join(counts.pages[page[row == i]]) for i in range(views)]


@pytest.fixture
def counts() -> PageCounts:
    """Every letter once, and after them what is asked about; popular: b, c, d, then ties by code."""
    return PageCounts.fit(visits(*LETTERS, "abcb", "abcb", "abd", "acd", "acd", "zyxw", "fb", "gb"))


def test_all_pages_where_there_are_few(monkeypatch):
    few = PageCounts.fit(visits("abc", "ab"))
    frame = visits("ax", "c")
    frame["page"] = frame["page"].cat.add_categories("b")
    assert by_row(few, *candidate_pairs(few, frame), 3) == ["bc", "abc", "ab"]
    monkeypatch.setattr(navigation, "SMALL_VOCABULARY", 2)
    monkeypatch.setattr(navigation, "POPULAR", 1)
    assert by_row(few, *candidate_pairs(few, frame), 3) == ["b", "ab", "b"]


def test_candidates_come_from_followers_session_user_popularity_and_links(counts, monkeypatch):
    monkeypatch.setattr(navigation, "POPULAR", 1)
    frame = visits("klmnopq")
    kinds = pd.CategoricalDtype(list(LETTERS))
    frame["last_next"] = pd.Series([None] * 6 + ["s"], dtype=kinds)
    frame["usual_next"] = pd.Series([None] * 6 + ["t"], dtype=kinds)
    links = link_table(pd.DataFrame({"from_page": ["q", "q", "q"], "to_page": ["v", "q", "elsewhere"]}), counts)
    assert by_row(counts, *candidate_pairs(counts, frame, links), 7)[-1] == "bmnopstv"
    assert by_row(counts, *candidate_pairs(counts, frame, links, history=False), 7)[-1] == "bmnopv"
    assert by_row(counts, *candidate_pairs(counts, frame), 7)[-1] == "bmnopst"
    assert by_row(counts, *candidate_pairs(counts, visits("a")), 1) == ["bc"]


def test_links_are_sorted_by_how_often_the_linked_page_was_opened(counts):
    links = pd.DataFrame({"from_page": list("aaaaab"), "to_page": list("cdbzca")})
    table = link_table(links, counts)
    codes = encode(visits("ab"), counts.pages)
    row, page, opened = table.top(codes, 3)
    assert by_row(counts, row, page, 2) == ["bcd", "a"] or by_row(counts, row, page, 2) == ["cbd", "a"]
    popularity = counts.orders[0].count_of(np.zeros(26, np.int64), np.arange(26))
    np.testing.assert_array_equal(opened, popularity[page] + 1)
    assert (np.diff(opened[row == 0]) <= 0).all() and table.total.tolist() == [4, 1]
    assert table.count_of(codes, encode(visits("zz"), counts.pages)).tolist() == [1, 0]
    assert link_table(links.iloc[:0], counts).find(codes).tolist() == [-1, -1]
