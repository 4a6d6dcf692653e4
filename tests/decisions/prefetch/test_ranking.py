import numpy as np
import pandas as pd
import pytest

from workbench.decisions.prefetch.answers import Ranking, judge_answer, pair_chances


@pytest.fixture
def views() -> pd.DataFrame:
    """Two sessions, a b c and c a: three navigations and two ends."""
    return pd.DataFrame(
        {"view_id": [10, 11, 12, 20, 21], "session_id": [0, 0, 0, 1, 1], "page": pd.Categorical(list("abcca"))}
    )


@pytest.fixture
def top() -> pd.DataFrame:
    """Right at once about view 10, right at rank 2 about 11, wrong about 20, and something about an end (21)."""
    rows = [(10, "b", 1, 0.5), (11, "a", 1, 0.4), (11, "c", 2, 0.2), (20, "b", 1, 0.1), (21, "c", 1, 0.3)]
    return pd.DataFrame(rows, columns=["view_id", "page", "rank", "chance"])


def test_every_figure_by_hand(views, top):
    brier = (0.5**2 + (0.4**2 + 0.8**2) + (0.1**2 + 1) + 0.3**2) / 5  # view 20's page was not named: chance 0
    ranking = judge_answer(top, views)
    assert ranking == Ranking(
        views=5,
        navigations=3,
        pairs=5,
        recall=pytest.approx(2 / 3),
        top1=pytest.approx(1 / 3),
        top3=pytest.approx(2 / 3),
        mrr=pytest.approx((1 + 1 / 2) / 3),
        brier=pytest.approx(brier),
        ece=pytest.approx((0.5 + 0.4 + 0.8 + 0.1 + 0.3) / 5),
    )


@pytest.mark.parametrize("dtype", ["str", "category"])
def test_pages_may_be_text_or_categories_of_another_vocabulary(views, top, dtype):
    top.loc[len(top)] = [12, "elsewhere", 1, 0.1]
    top["page"] = top["page"].astype(dtype)
    clicked, _ = pair_chances(top, views.assign(page=views["page"].astype("str")))
    assert clicked.tolist() == [True, False, True, False, False, False]


def test_nothing_named_and_nothing_to_name(views, top):
    nothing = judge_answer(top.iloc[:0], views)
    assert (nothing.recall, nothing.top1, nothing.mrr, nothing.brier, nothing.ece) == (0, 0, 0, 3 / 5, None)
    ends = judge_answer(top, views.assign(session_id=np.arange(5)))
    assert (ends.navigations, ends.recall, ends.top1, ends.top3, ends.mrr) == (0, None, None, None, None)
