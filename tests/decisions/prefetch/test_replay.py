"""Prefetch replay: by hand, against a plain loop over random worlds, and its properties."""

import numpy as np
import pandas as pd
import pytest

from workbench.decisions.prefetch.replay import hover, perfect_knowledge_fetches, replay_prefetch, summarise_prefetch
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError

HALF = PrefetchScenario(break_even=0.5)  # an unused page costs as much as a hit brings


def sessions(*pages, seconds=None, letters="abcdefghij", **columns):
    """One string of one-letter pages a session; seconds since each session's start where they are known."""
    views = pd.DataFrame(
        {
            "session_id": np.repeat(np.arange(len(pages)), [len(each) for each in pages]),
            "position": np.concatenate([np.arange(len(each)) for each in pages]),
            "page": pd.Categorical(list("".join(pages)), categories=list(letters)),
            **columns,
        }
    )
    if seconds is not None:
        at = pd.to_timedelta(np.concatenate(seconds), unit="s") + pd.Timestamp("2026-01-01", tz="UTC")
        views["viewed_at"] = at.as_unit("us")
    return views.assign(view_id=np.arange(len(views)))


def fetches(**by_view):
    """Pages of each view in the order of their ranks: fetches(v0="bc") fetches b, then c, at view 0."""
    rows = [(int(view[1:]), page, rank) for view, pages in by_view.items() for rank, page in enumerate(pages, 1)]
    return pd.DataFrame(rows, columns=["view_id", "page", "rank"])


def played(outcomes, *columns):
    return outcomes[list(columns)].astype(int).to_numpy().tolist()


def test_a_page_fetched_now_is_a_hit_two_views_later():
    outcomes = replay_prefetch(fetches(v0="c"), sessions("abc"), HALF)
    assert played(outcomes, "hits", "unused", "fetched", "hit_next", "navigation") == [
        [1, 0, 1, 0, 1],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0],
    ]


def test_what_is_not_opened_by_the_end_of_the_session_is_unused():
    outcomes = replay_prefetch(fetches(v0="bd", v1="e"), sessions("ab", "de"), HALF)
    assert played(outcomes, "hits", "unused", "hit_next") == [[1, 1, 1], [0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert outcomes["net"].tolist() == [0, -1, 0, 0]


def test_fresh_pages_are_not_fetched():
    # At view 1, a was visited and c fetched before; at view 2 (page c) both are fresh, and so is c itself.
    outcomes = replay_prefetch(fetches(v0="c", v1="ac", v2="ac"), sessions("abca"), HALF)
    assert outcomes["fetched"].tolist() == [1, 0, 0, 0]


def test_a_page_opened_again_from_the_cache_is_no_second_hit():
    assert replay_prefetch(fetches(v0="b", v1="b", v2="b"), sessions("abab"), HALF)["hits"].tolist() == [1, 0, 0, 0]


def test_freshness_ends_after_its_views():
    two = PrefetchScenario(lifetime_views=2)
    # Fetched at view 0: fresh in views 1 and 2; stale in view 3, where it is fetched again and then used.
    outcomes = replay_prefetch(fetches(v0="e", v1="e", v2="e", v3="e"), sessions("abcde"), two)
    assert played(outcomes, "hits", "unused") == [[0, 1], [0, 0], [0, 0], [1, 0], [0, 0]]


def test_freshness_ends_after_its_seconds_and_a_visit_renews_it():
    ten = PrefetchScenario(lifetime_s=10)
    views = sessions("ababab", seconds=[[0, 10, 15, 20, 30, 41]])
    # b at 10 s is used in time (exactly), then fresh until 20 s; opened at 20 s from there, fresh until 30 s.
    # From view 4 (30 s) b is still fresh; opened at 41 s it is not, but it was not fetched either.
    outcomes = replay_prefetch(fetches(v0="b", v2="b", v4="b"), views, ten)
    assert played(outcomes, "hits", "unused") == [[1, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]]


def test_times_that_do_not_vary_within_sessions_are_no_clock():
    views = sessions("abcdefgh", seconds=[[0.0] * 8])
    outcomes = replay_prefetch(fetches(v0="gf"), views, PrefetchScenario(lifetime_views=5))
    assert played(outcomes, "hits", "unused")[0] == [1, 1]  # f five views later, g six
    assert outcomes.attrs["assumed"] == ("dwell", "page bytes", "network")


def test_without_a_cache_a_fetch_serves_the_very_next_view():
    off = PrefetchScenario(cache=False)
    outcomes = replay_prefetch(fetches(v0="cb", v1="ac", v2="a"), sessions("abca"), off)
    assert played(outcomes, "hits", "unused") == [[1, 1], [1, 1], [1, 0], [0, 0]]


def test_sessions_do_not_share_a_cache():
    outcomes = replay_prefetch(fetches(v0="b", v2="b"), sessions("ac", "ab"), HALF)
    assert played(outcomes, "hits", "unused") == [[0, 1], [0, 0], [1, 0], [0, 0]]


def test_a_page_that_nobody_ever_views_is_fetched_for_nothing():
    outcomes = replay_prefetch(
        pd.DataFrame({"view_id": [0, 1], "page": ["new", "new"], "rank": [1, 1]}), sessions("abc"), HALF
    )
    assert played(outcomes, "hits", "unused", "fetched") == [[0, 1, 1], [0, 0, 0], [0, 0, 0]]


def test_outcomes_keep_the_index_of_the_views():
    views = sessions("abc").set_axis([7, 8, 9])
    assert replay_prefetch(fetches(v0="b"), views, HALF).index.tolist() == [7, 8, 9]


def test_sessions_in_pieces_are_refused():
    views = sessions("ab", "cd").iloc[[0, 2, 1, 3]]
    with pytest.raises(WorkbenchError, match="2 sessions lie in 4 pieces"):
        replay_prefetch(fetches(v0="b"), views, HALF)


# One view of 1 s at 8 Mbit/s is 1 MB; every page loads in 1 s, without round trips to speak of.
ONE_SECOND = PrefetchScenario(
    break_even=0.5,
    page_bytes=1e6,
    dwell_s=2.5,
    networks={name: (1e-9, 8.0) for name in ("4g", "3g", "2g", "slow-2g")},
)


def test_milliseconds_by_hand():
    # The page itself loads until 1 s; the first fetch until 2 s, the second until 3 s; the person leaves at 2.5 s.
    # d: half of it is there when she leaves; it goes on for 0.5 s, in the way of b.
    outcomes = replay_prefetch(fetches(v0="bd"), sessions("abc"), ONE_SECOND)
    assert outcomes["saved_ms"].tolist() == pytest.approx([1000, 0, 0])
    assert outcomes["contention_ms"].tolist() == pytest.approx([500, 0, 0])
    # The other way round d is there in time, and b half there; b is what she wants, so it is in nobody's way.
    outcomes = replay_prefetch(fetches(v0="db"), sessions("abc"), ONE_SECOND)
    assert outcomes["saved_ms"].tolist() == pytest.approx([500, 0, 0])
    assert outcomes["contention_ms"].tolist() == pytest.approx([0, 0, 0])


def test_a_fetch_not_begun_saves_nothing_and_a_later_hit_saves_all():
    outcomes = replay_prefetch(fetches(v0="deb"), sessions("abe"), ONE_SECOND)
    # b begins after 3 s, she leaves after 2.5 s; e is used at 5 s.
    assert outcomes["saved_ms"].tolist() == pytest.approx([1000, 0, 0])
    assert outcomes["hits"].tolist() == [2, 0, 0]


def test_what_is_fresh_is_not_in_the_queue():
    # At view 1, d is fresh already, so c is first in the queue and all of it is there after 2 s.
    outcomes = replay_prefetch(fetches(v0="d", v1="dc"), sessions("abc"), ONE_SECOND)
    assert outcomes["saved_ms"].tolist() == pytest.approx([0, 1000, 0])


def test_a_session_s_last_view_holds_nobody_up():
    assert replay_prefetch(fetches(v2="de"), sessions("abc"), ONE_SECOND)["contention_ms"].sum() == 0


def test_measured_sizes_and_times_come_before_assumptions():
    views = sessions("abab", seconds=[[0, 1.5, 10, 20]], page_bytes=[1e6, 2e6, 1e6, np.nan])
    outcomes = replay_prefetch(fetches(v0="bc"), views, ONE_SECOND)
    # a loads for 1 s, then b for 2 s, of which half a second has passed at the click. c's size is not known: 1 MB.
    assert outcomes["saved_ms"].tolist() == pytest.approx([500, 0, 0, 0])
    assert outcomes["fetched_bytes"].tolist() == [3e6, 0, 0, 0]
    assert outcomes["wasted_bytes"].tolist() == [1e6, 0, 0, 0]
    assert outcomes["visited_bytes"].tolist() == [1e6, 2e6, 1e6, 2e6]
    assert outcomes.attrs["assumed"] == ("network",)


def test_the_network_follows_the_effective_type():
    slow = PrefetchScenario(dwell_s=1000, page_bytes=1e6)
    views = sessions("ab", "ab", "ab", effective_type=["4g", "4g", "3g", "3g", None, None])
    saved = replay_prefetch(fetches(v0="b", v2="b", v4="b"), views, slow)["saved_ms"]
    assert saved[[0, 2, 4]].tolist() == pytest.approx([170 + 8e3 / 9, 300 + 8e3 / 1.6, 170 + 8e3 / 9])


# --- random worlds -----------------------------------------------------------------------------------------------


def random_world(rng):
    pages = "abcdefgh"[: rng.integers(2, 9)]
    drawn = ["".join(rng.choice(list(pages), rng.integers(1, 15))) for _ in range(rng.integers(1, 6))]
    seconds = None
    if rng.random() < 0.5:
        seconds = [np.cumsum(rng.choice([0, 1, 5, 30], len(each))).astype(float) for each in drawn]
    views = sessions(*drawn, seconds=seconds)
    if rng.random() < 0.5:
        views["page_bytes"] = rng.choice([1e5, 5e5, 2e6, np.nan], len(views))
    scenario = PrefetchScenario(
        break_even=float(rng.choice([0.15, 0.5])),
        k=int(rng.integers(1, 5)),
        lifetime_s=float(rng.choice([1, 5, 20, 300])),
        lifetime_views=int(rng.integers(1, 7)),
        cache=bool(rng.random() < 0.8),
        dwell_s=float(rng.choice([0.3, 1.0, 15.0])),
    )
    return views, scenario


def random_fetches(rng, views, k):
    drawn = [rng.choice(list("abcdefghx"), rng.integers(0, k + 1), replace=False) for _ in range(len(views))]
    rows = [(view, page, rank) for view, pages in enumerate(drawn) for rank, page in enumerate(pages, 1)]
    return pd.DataFrame(rows, columns=["view_id", "page", "rank"]).sample(frac=1, random_state=int(rng.integers(99)))


def plain_replay(answer, views, scenario):
    """The same numbers by another road: one session, one view, one page after the other."""
    names = ("hits", "unused", "hit_next", "saved_ms", "contention_ms")
    out = {name: np.zeros(len(views)) for name in names}
    proposed = answer.sort_values("rank").groupby("view_id")["page"].agg(list).to_dict()
    timed = "viewed_at" in views and views.groupby("session_id")["viewed_at"].nunique().max() > 1
    size = views.groupby("page", observed=True)["page_bytes"].median() if "page_bytes" in views else pd.Series()
    rtt_ms, mbps = scenario.networks["4g"]

    def load(page):
        known = size.get(page, np.nan)
        return scenario.connection_rtts * rtt_ms + 8 * (scenario.page_bytes if np.isnan(known) else known) / 1000 / mbps

    for _, session in views.groupby("session_id"):
        at_ms = 1000.0 * scenario.dwell_s * np.arange(len(session))
        clock, lifetime = np.arange(len(session)), scenario.lifetime_views
        if timed:
            clock = (session["viewed_at"] - session["viewed_at"].iloc[0]).dt.total_seconds().to_numpy()
            at_ms, lifetime = 1000 * clock, scenario.lifetime_s
        rows, page = session.index.tolist(), session["page"].tolist()
        fresh = {"clock": clock, "lifetime": lifetime, "cache": scenario.cache}
        play_session(rows, page, at_ms, load=load, proposed=proposed, out=out, **fresh)
    return pd.DataFrame(out)


def play_session(rows, page, at_ms, *, clock, lifetime, cache, load, proposed, out):
    fresh_until, waiting, begun = {}, {}, {}
    for i, row in enumerate(rows):
        if page[i] in waiting:
            by = waiting.pop(page[i])
            if fresh_until[page[i]] >= clock[i] if cache else by == i - 1:
                out["hits"][rows[by]] += 1
                out["hit_next"][rows[by]] += by == i - 1
                out["saved_ms"][rows[by]] += np.clip(at_ms[i] - begun[by, page[i]], 0, load(page[i]))
            else:
                out["unused"][rows[by]] += 1
        fresh_until[page[i]] = clock[i] + lifetime
        end = at_ms[i] + load(page[i])
        for offer in proposed.get(row, []):
            if cache and fresh_until.get(offer, -np.inf) >= clock[i]:
                continue
            if offer in waiting:  # fetched before, gone stale or too late, and never opened
                out["unused"][rows[waiting[offer]]] += 1
            waiting[offer], begun[i, offer], fresh_until[offer] = i, end, clock[i] + lifetime
            start, end = end, end + load(offer)
            if i + 1 < len(rows) and start < at_ms[i + 1] < end and offer != page[i + 1]:
                out["contention_ms"][row] += end - at_ms[i + 1]
    for by in waiting.values():
        out["unused"][rows[by]] += 1


@pytest.mark.parametrize("seed", range(8))
def test_replay_equals_a_plain_loop_on_random_worlds(seed):
    rng = np.random.default_rng(seed)
    for _ in range(60):
        views, scenario = random_world(rng)
        answer = random_fetches(rng, views, scenario.k)
        expected, outcomes = plain_replay(answer, views, scenario), replay_prefetch(answer, views, scenario)
        assert outcomes[["hits", "unused", "hit_next"]].astype(float).equals(expected[["hits", "unused", "hit_next"]])
        assert outcomes["saved_ms"].tolist() == pytest.approx(expected["saved_ms"].tolist(), abs=1e-6)
        assert outcomes["contention_ms"].tolist() == pytest.approx(expected["contention_ms"].tolist(), abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_nobody_beats_perfect_knowledge(seed):
    rng = np.random.default_rng(100 + seed)
    for _ in range(60):
        views, scenario = random_world(rng)
        perfect = replay_prefetch(perfect_knowledge_fetches(views, scenario), views, scenario)
        assert perfect["unused"].sum() == 0
        assert perfect["hits"].equals(perfect["fetched"])
        for _ in range(3):
            other = replay_prefetch(random_fetches(rng, views, scenario.k), views, scenario)
            assert other["hits"].sum() <= perfect["hits"].sum()
            assert other["net"].sum() <= perfect["net"].sum() + 1e-9


def test_proposing_everything_catches_every_page_that_is_not_fresh():
    rng = np.random.default_rng(5)
    for _ in range(60):
        views, _ = random_world(rng)
        forever = PrefetchScenario(k=8, lifetime_s=1e6, lifetime_views=10**6)
        letters = list("abcdefgh")
        everything = pd.DataFrame(
            [(view, page, rank) for view in range(len(views)) for rank, page in enumerate(letters, 1)],
            columns=["view_id", "page", "rank"],
        )
        first_visits = ~views.duplicated(["session_id", "page"]) & (views["position"] > 0)
        outcomes = replay_prefetch(everything, views, forever)
        assert outcomes["hits"].sum() == first_visits.sum()
        assert outcomes["fetched"].sum() == 7 * views["session_id"].nunique()


def test_fetching_nothing_brings_nothing():
    outcomes = replay_prefetch(fetches(), sessions("abc", "ab"), HALF)
    assert (outcomes.drop(columns=["visited_bytes", "navigation"]) == 0).all(axis=None)


# --- references --------------------------------------------------------------------------------------------------


def test_perfect_knowledge_by_hand():
    # a b a c: b and c are new, a is fresh.
    assert perfect_knowledge_fetches(sessions("abac"), HALF)[["view_id", "page"]].to_numpy().tolist() == [
        [0, "b"],
        [2, "c"],
    ]
    off = PrefetchScenario(cache=False)
    assert perfect_knowledge_fetches(sessions("abac"), off)["page"].tolist() == ["b", "a", "c"]


def test_perfect_knowledge_fetches_nothing_that_goes_stale_before_the_click():
    views = sessions("abc", seconds=[[0, 400, 410]])
    assert perfect_knowledge_fetches(views, PrefetchScenario(lifetime_s=300))["page"].tolist() == ["c"]


def test_hover_by_hand():
    # Of a b a c two pages are opened that are not fresh; at one half, as many again are hovered over in vain.
    outcomes = hover(sessions("abac"), HALF, precision=0.5)
    assert outcomes["hits"].tolist() == [1, 0, 1, 0]
    assert outcomes["unused"].tolist() == [1, 0, 1, 0]
    assert outcomes["net"].sum() == 0
    assert outcomes["saved_ms"].tolist() == [300, 0, 300, 0]
    figures = summarise_prefetch(hover(sessions("abac"), HALF, precision=0.8))
    assert (figures.precision, figures.byte_precision) == pytest.approx((0.8, 0.8))


def test_hover_meets_the_click_itself():
    # When b is opened again it has gone stale, although it was fresh one view before.
    views = sessions("abab", seconds=[[0, 10, 300, 320]])
    assert hover(views, PrefetchScenario(lifetime_s=300))["hits"].tolist() == [1, 0, 1, 0]


def test_hover_saves_no_more_than_the_page_takes():
    fast = PrefetchScenario(page_bytes=9000)  # 170 ms and 8 ms on 4g
    assert hover(sessions("ab"), fast)["saved_ms"].tolist() == pytest.approx([178, 0])
