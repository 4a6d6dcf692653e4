"""What is fetched and opened from the session's cache, by hand."""

import pandas as pd
import pytest

from workbench.decisions.prefetch.replay import replay_prefetch
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError

HALF = PrefetchScenario(break_even=0.5)  # an unused page costs as much as a hit brings


def test_freshness_ends_after_its_views(sessions, fetches, played):
    two = PrefetchScenario(lifetime_views=2)
    # Fetched at view 0: fresh in views 1 and 2; stale in view 3, where it is fetched again and then used.
    outcomes = replay_prefetch(fetches(v0="e", v1="e", v2="e", v3="e"), sessions("abcde"), two)
    assert played(outcomes, "hits", "unused") == [[0, 1], [0, 0], [0, 0], [1, 0], [0, 0]]


def test_freshness_ends_after_its_seconds_and_a_visit_renews_it(sessions, fetches, played):
    ten = PrefetchScenario(lifetime_s=10)
    views = sessions("ababab", seconds=[[0, 10, 15, 20, 30, 41]])
    # b at 10 s is used in time (exactly), then fresh until 20 s; opened at 20 s from there, fresh until 30 s.
    # From view 4 (30 s) b is still fresh; opened at 41 s it is not, but it was not fetched either.
    outcomes = replay_prefetch(fetches(v0="b", v2="b", v4="b"), views, ten)
    assert played(outcomes, "hits", "unused") == [[1, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]]


def test_times_that_do_not_vary_within_sessions_are_no_clock(sessions, fetches, played):
    views = sessions("abcdefgh", seconds=[[0.0] * 8])
    outcomes = replay_prefetch(fetches(v0="gf"), views, PrefetchScenario(lifetime_views=5))
    assert played(outcomes, "hits", "unused")[0] == [1, 1]  # f five views later, g six
    assert outcomes.attrs["assumed"] == ("dwell", "page bytes", "network")


def test_a_page_that_nobody_ever_views_is_fetched_for_nothing(sessions, played):
    outcomes = replay_prefetch(
        pd.DataFrame({"view_id": [0, 1], "page": ["new", "new"], "rank": [1, 1]}), sessions("abc"), HALF
    )
    assert played(outcomes, "hits", "unused", "fetched") == [[0, 1, 1], [0, 0, 0], [0, 0, 0]]


def test_sessions_in_pieces_are_refused(sessions, fetches):
    views = sessions("ab", "cd").iloc[[0, 2, 1, 3]]
    with pytest.raises(WorkbenchError, match="2 sessions lie in 4 pieces"):
        replay_prefetch(fetches(v0="b"), views, HALF)
