"""The prefetch frontier: the same numbers as single replays, its properties, and the choice of a limit."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from workbench.decisions.prefetch.markov import fetches_at
from workbench.decisions.prefetch.replay import (
    best_prefetch_limit,
    hits_at_unused,
    prefetch_limits,
    replay_prefetch,
    trace_frontier,
)
from workbench.decisions.prefetch.scenario import PrefetchScenario

PAGES = list("abcdef")


def random_views(rng, sessions=40):
    length = rng.integers(1, 12, sessions)
    n = length.sum()
    views = pd.DataFrame({"view_id": np.arange(n), "session_id": np.repeat(np.arange(sessions), length)})
    return views.assign(page=pd.Categorical(rng.choice(PAGES, n), categories=PAGES))


def random_top(rng, views, k):
    chance = -np.sort(-rng.dirichlet(np.ones(k + 1), len(views))[:, :k], axis=1)
    page = np.array([rng.permutation(PAGES)[:k] for _ in range(len(views))])
    view_id = np.repeat(views["view_id"], k).to_numpy()
    return pd.DataFrame(
        {
            "view_id": view_id,
            "page": page.ravel(),
            "rank": np.tile(np.arange(k) + 1, len(views)),
            "chance": chance.ravel(),
        }
    )


@pytest.mark.parametrize("cache", [True, False])
def test_the_frontier_is_a_replay_at_every_limit(cache):
    rng = np.random.default_rng(1)
    scenario = PrefetchScenario(cache=cache, k=3, lifetime_views=3)
    views = random_views(rng)
    top = random_top(rng, views, 5)  # more pages than a view may fetch
    for _, point in trace_frontier(top.sample(frac=1, random_state=0), views, scenario).iterrows():
        outcomes = replay_prefetch(fetches_at(top, point["limit"], 3), views, scenario)
        assert point["hits"] == pytest.approx(outcomes["hits"].mean())
        assert point["unused"] == pytest.approx(outcomes["unused"].mean())
        assert point["net"] == pytest.approx(outcomes["net"].mean())


@pytest.mark.parametrize("lifetime_views", [1, 2, 5, 100])
@pytest.mark.parametrize("cache", [True, False])
def test_a_higher_limit_never_fetches_more(cache, lifetime_views):
    scenario = PrefetchScenario(cache=cache, lifetime_views=lifetime_views)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        views = random_views(rng)
        frontier = trace_frontier(random_top(rng, views, 3), views, scenario)
        fetched = frontier["hits"] + frontier["unused"]
        assert (np.diff(fetched) <= 1e-12).all()
        # Hits may rise where pages go stale: what is fetched later is fresh at the click.
        if not cache or lifetime_views == 100:
            assert (np.diff(frontier["hits"]) <= 1e-9).all()


def test_a_higher_limit_takes_some_of_the_same_pages():
    rng = np.random.default_rng(0)
    top = random_top(rng, random_views(rng), 5)
    taken = [set(fetches_at(top, limit, 3).itertuples(index=False, name=None)) for limit in (0.8, 0.3, 0.1, 0.01)]
    assert taken == sorted(taken, key=len)
    assert all(some <= more for some, more in pairwise(taken))
    assert max(rank for _, _, rank in taken[-1]) == 3


@pytest.mark.parametrize("break_even", [0.15, 0.3, 0.005, 0.95])
def test_the_break_even_is_one_of_25_limits(break_even):
    limits = prefetch_limits(PrefetchScenario(break_even=break_even))
    assert len(limits) == 25
    assert break_even in limits
    assert (np.diff(limits) > 0).all()


def frontier(limit, unused, hits, net=None):
    return pd.DataFrame(
        {"limit": limit, "hits": np.array(hits) / 100, "unused": unused, "net": net or [0.0] * len(hits)}
    )


def test_the_limit_with_the_largest_net_is_taken_outright():
    assert (
        best_prefetch_limit(frontier([0.1, 0.2, 0.4], [0] * 3, [0] * 3, [0.1, 0.05, 0.100001]), PrefetchScenario())
        == 0.4
    )


def test_among_equals_the_limit_nearest_the_break_even_is_taken():
    # As a ratio .12 lies nearer to .15 than .2 does: .15 / .12 = 1.25, .2 / .15 = 1.33.
    equal = frontier([0.01, 0.12, 0.2, 0.8], [0] * 4, [0] * 4, [0.2, 0.3, 0.3, 0.3])
    assert best_prefetch_limit(equal, PrefetchScenario()) == 0.12


def test_hits_at_a_number_of_unused_prefetches():
    points = frontier([0.1, 0.3, 0.6], [1.0, 0.4, 0.2], [30.0, 20.0, 10.0])
    assert hits_at_unused(points, 0.4) == 20
    assert hits_at_unused(points, 0.7) == pytest.approx(25)
    assert hits_at_unused(points, 0.1) == pytest.approx(5)  # half the views as at the highest limit, half without
    assert hits_at_unused(points, 1.0) == 30
    assert hits_at_unused(points, 1.1) is None
    assert hits_at_unused(points, -0.1) is None


def test_fetching_more_for_fewer_hits_is_not_read_as_a_loss():
    points = frontier([0.1, 0.2, 0.3], [1.0, 0.5, 0.5], [15.0, 20.0, 18.0])
    assert hits_at_unused(points, 0.5) == 20
    assert hits_at_unused(points, 1.0) == 20
