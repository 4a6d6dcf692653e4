import numpy as np
import pandas as pd
import pytest

from workbench.features import pages as navigation_candidates
from workbench.features.pages import PageCounts, as_answer, candidate_pairs, encode, link_table, rank_within, top_k

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def visits(*sessions: str) -> pd.DataFrame:
    """One letter a page, one word a session."""
    return pd.DataFrame(
        {
            "view_id": np.arange(sum(map(len, sessions))),
            "session_id": np.repeat(np.arange(len(sessions)), [len(session) for session in sessions]),
            "position": [i for session in sessions for i in range(len(session))],
            "page": pd.Categorical([page for session in sessions for page in session]),
        }
    )


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
    monkeypatch.setattr(navigation_candidates, "SMALL_VOCABULARY", 2)
    monkeypatch.setattr(navigation_candidates, "POPULAR", 1)
    assert by_row(few, *candidate_pairs(few, frame), 3) == ["b", "ab", "b"]


def test_candidates_come_from_followers_session_user_popularity_and_links(counts, monkeypatch):
    monkeypatch.setattr(navigation_candidates, "POPULAR", 1)
    frame = visits("klmnopq")
    kinds = pd.CategoricalDtype(list(LETTERS))
    frame["last_next"] = pd.Series([None] * 6 + ["s"], dtype=kinds)
    frame["usual_next"] = pd.Series([None] * 6 + ["t"], dtype=kinds)
    links = link_table(pd.DataFrame({"from_page": ["q", "q", "q"], "to_page": ["v", "q", "elsewhere"]}), counts)
    assert by_row(counts, *candidate_pairs(counts, frame, links), 7)[-1] == "bmnopstv"
    assert by_row(counts, *candidate_pairs(counts, frame, links, history=False), 7)[-1] == "bmnopv"
    assert by_row(counts, *candidate_pairs(counts, frame), 7)[-1] == "bmnopst"
    assert by_row(counts, *candidate_pairs(counts, visits("a")), 1) == ["bc"]


def test_no_candidate_is_the_current_page_and_none_comes_twice(counts):
    frame = visits("abcbabcb", "zyxyxz", "?", "dcba")
    row, page = candidate_pairs(counts, frame)
    assert (page != encode(frame, counts.pages)[row]).all()
    assert (np.diff(row * 26 + page) > 0).all()
    assert (page >= 0).all()


def test_candidates_of_a_view_do_not_depend_on_later_views(counts):
    frame = visits("abcbab", "zyxyx")
    row, page = candidate_pairs(counts, frame)
    kept = frame["position"].to_numpy() < 3
    cut_row, cut_page = candidate_pairs(counts, frame[kept])
    stays = kept[row]
    np.testing.assert_array_equal(np.flatnonzero(kept)[cut_row], row[stays])
    np.testing.assert_array_equal(cut_page, page[stays])


def test_pages_that_nobody_knows_still_get_popular_candidates(counts):
    frame = visits("?!")
    assert all(len(pages) == 5 for pages in by_row(counts, *candidate_pairs(counts, frame), 2))


def test_links_are_sorted_by_how_often_the_linked_page_was_opened(counts):
    links = pd.DataFrame({"from_page": list("aaaaab"), "to_page": list("cdbzca")})
    table = link_table(links, counts)
    codes = encode(visits("ab"), counts.pages)
    row, page, opened = table.top(codes, 3)
    assert by_row(counts, row, page, 2) == ["bcd", "a"] or by_row(counts, row, page, 2) == ["cbd", "a"]
    popularity = counts.orders[0].count_of(np.zeros(26, np.int64), np.arange(26))
    np.testing.assert_array_equal(opened, popularity[page] + 1)
    assert (np.diff(opened[row == 0]) <= 0).all()
    assert table.total.tolist() == [4, 1]
    assert table.count_of(codes, encode(visits("zz"), counts.pages)).tolist() == [1, 0]
    assert link_table(links.iloc[:0], counts).find(codes).tolist() == [-1, -1]


def test_the_likeliest_pages_of_each_view_are_ranked():
    row, page = np.array([0, 0, 0, 2, 2]), np.array([0, 1, 2, 0, 1])
    chance = np.array([0.2, 0.5, 0.2, 0.0, 0.1])
    top = top_k(row, page, chance, 2)
    assert [part.tolist() for part in top] == [[0, 0, 2], [1, 0, 1], [1, 2, 1], [0.5, 0.2, 0.1]]


def test_places_within_a_view():
    assert rank_within(np.array([3, 3, 3, 5, 9, 9])).tolist() == [1, 2, 3, 1, 1, 2]
    assert rank_within(np.array([], int)).tolist() == []


def test_an_answer_names_views_and_pages():
    context = pd.DataFrame({"view_id": [70, 80, 90]})
    pairs = np.array([0, 0, 2]), np.array([1, 0, 1])
    answer = as_answer(context, pd.Index(list("ab")), pairs, np.array([0.3, 0.6, 0.2]), 5)
    assert answer.to_dict("list") == {
        "view_id": [70, 70, 90],
        "page": ["a", "b", "b"],
        "rank": [1, 2, 1],
        "chance": [0.6, 0.3, 0.2],
    }
    assert answer["view_id"].dtype == answer["rank"].dtype == np.int64
    assert answer["chance"].dtype == float
