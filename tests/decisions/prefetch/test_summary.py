"""What the views of a prefetch policy add up to, by hand."""

import pandas as pd
import pytest

from workbench.decisions.prefetch.replay import replay_prefetch, summarise_prefetch, top_shares
from workbench.decisions.prefetch.scenario import PrefetchScenario

# Two sessions, a b c and a c: three navigations in five views.
VIEWS = pd.DataFrame(
    {
        "view_id": range(5),
        "session_id": [0, 0, 0, 1, 1],
        "page": pd.Categorical(list("abcac"), categories=list("abcd")),
        "page_bytes": [1000.0, 2000.0, 4000.0, 1000.0, 4000.0],
    }
)
# View 0 fetches b (hit) and d (unused, of no known size), view 3 fetches b (unused).
FETCHES = pd.DataFrame({"view_id": [0, 0, 3], "page": ["b", "d", "b"], "rank": [1, 2, 1]})
SCENARIO = PrefetchScenario(break_even=0.5, page_bytes=3000)


def test_figures_by_hand():
    figures = summarise_prefetch(replay_prefetch(FETCHES, VIEWS, SCENARIO))
    assert figures.net == pytest.approx((1 - 2) / 5)
    assert figures.hits_per_100 == pytest.approx(20)
    assert figures.unused_per_view == pytest.approx(0.4)
    assert figures.precision == pytest.approx(1 / 3)
    assert figures.recall == pytest.approx(1 / 3)
    assert figures.byte_precision == pytest.approx(2000 / 7000)
    assert figures.traffic_increase == pytest.approx(5000 / 12000)
    assert figures.bytes_fetched_per_view == pytest.approx(1400)
    assert figures.bytes_wasted_per_view == pytest.approx(1000)
    assert figures.ms_saved_per_view == pytest.approx((170 + 16 / 9) / 5)  # b is there long before the click
    assert figures.contention_ms_per_view == 0
    assert (figures.top1, figures.top3) == (None, None)
    assert figures.assumed == ("dwell", "network")


def test_fetching_nothing_has_no_precision():
    figures = summarise_prefetch(replay_prefetch(FETCHES[:0], VIEWS, SCENARIO))
    assert (figures.net, figures.recall, figures.traffic_increase) == (0, 0, 0)
    assert (figures.precision, figures.byte_precision) == (None, None)


def test_top_shares_by_hand():
    # a is followed by b (rank 1: found), b by c (rank 2), a by c (rank 4: not among three); ends do not count.
    top = pd.DataFrame(
        {"view_id": [0, 1, 1, 2, 3, 4], "page": list("bacdcb"), "rank": [1, 1, 2, 1, 4, 1], "chance": 0.2}
    )
    assert top_shares(top, VIEWS) == pytest.approx((1 / 3, 2 / 3))
    figures = summarise_prefetch(replay_prefetch(FETCHES, VIEWS, SCENARIO), top, VIEWS)
    assert (figures.top1, figures.top3) == pytest.approx((1 / 3, 2 / 3))


def test_pages_outside_the_views_are_no_matches():
    top = pd.DataFrame({"view_id": [0, 2, 9], "page": ["new", "new", "b"], "rank": 1})
    assert top_shares(top, VIEWS) == (0, 0)
