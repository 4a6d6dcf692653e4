"""What each fetches, in words: the same as by a plain loop, written once for each set of pages."""

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.parting_views import NOTHING, pages_in_words


@pytest.fixture(scope="module")
def answer():
    """3,000 views with none to three of nine pages, in any order."""
    rng = np.random.default_rng(0)
    asked = pd.DataFrame({"view_id": np.repeat(rng.permutation(3000) * 2, 3), "page": rng.integers(8, 17, 9000)})
    fetched = asked[rng.random(9000) < 0.5].drop_duplicates().astype({"page": "str"})
    return fetched.assign(rank=fetched.groupby("view_id").cumcount() + 1).sample(frac=1, random_state=0)


def test_pages_in_words_equal_a_plain_loop(answer):
    pages = {}
    for view, page in zip(answer["view_id"], answer["page"], strict=True):
        pages.setdefault(view, []).append(page)
    view_id = np.arange(3000)[::-1] * 2
    expected = ["\n".join(sorted(pages[view])) if view in pages else NOTHING for view in view_id]
    assert pages_in_words(answer, view_id).tolist() == expected
    assert pages_in_words(answer.astype({"page": "category"}), view_id).tolist() == expected


def test_words_are_written_once_for_each_set_of_pages(answer):
    words = pages_in_words(answer, np.unique(answer["view_id"]))
    assert len({id(word) for word in words}) == len(set(words)) < 150


def test_where_nothing_is_fetched_it_says_so(answer):
    assert pages_in_words(answer[:0], np.array([4, 2])).tolist() == [NOTHING, NOTHING]
