from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from workbench.decisions.prefetch import replay
from workbench.decisions.prefetch.answers import top_shares
from workbench.decisions.prefetch.markov import fetches_at
from workbench.decisions.prefetch.replay import hits_at_unused, perfect_knowledge_fetches, replay_prefetch
from workbench.decisions.prefetch.scenario import Hover, PrefetchScenario
from workbench.errors import WorkbenchError

HALF = PrefetchScenario(break_even=0.5)  # an unused page costs as much as a hit brings


# One view of 1 s at 8 Mbit/s is 1 MB; every page loads in 1 s, without round trips to speak of.
ONE_SECOND = PrefetchScenario(
    break_even=0.5,
    page_bytes=1e6,
    dwell_s=2.5,
    networks={name: (1e-9, 8.0) for name in ("4g", "3g", "2g", "slow-2g")},
)


def test_milliseconds_by_hand(sessions, fetches):
    # The page itself loads until 1 s; the first fetch until 2 s, the second until 3 s; the person leaves at 2.5 s.
    # d: half of it is there when she leaves; it goes on for 0.5 s, in the way of b.
    outcomes = replay_prefetch(fetches(v0="bd"), sessions("abc"), ONE_SECOND)
    assert outcomes["saved_ms"].tolist() == pytest.approx([1000, 0, 0])
    assert outcomes["contention_ms"].tolist() == pytest.approx([500, 0, 0])
    # The other way round d is there in time, and b half there; b is what she wants, so it is in nobody's way.
    outcomes = replay_prefetch(fetches(v0="db"), sessions("abc"), ONE_SECOND)
    assert outcomes["saved_ms"].tolist() == pytest.approx([500, 0, 0])
    assert outcomes["contention_ms"].tolist() == pytest.approx([0, 0, 0])


def test_the_network_follows_the_effective_type(sessions, fetches):
    slow = PrefetchScenario(dwell_s=1000, page_bytes=1e6)
    views = sessions("ab", "ab", "ab", effective_type=["4g", "4g", "3g", "3g", None, None])
    saved = replay_prefetch(fetches(v0="b", v2="b", v4="b"), views, slow)["saved_ms"]
    assert saved[[0, 2, 4]].tolist() == pytest.approx([170 + 8e3 / 9, 300 + 8e3 / 1.6, 170 + 8e3 / 9])


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


def random_world(rng, sessions, hovers=False):
    pages = "abcdefgh"[: rng.integers(2, 9)]
    drawn = ["".join(rng.choice(list(pages), rng.integers(1, 15))) for _ in range(rng.integers(1, 6))]
    seconds = None
    if rng.random() < 0.5:
        seconds = [np.cumsum(rng.choice([0, 1, 5, 30], len(each))).astype(float) for each in drawn]
    views = sessions(*drawn, seconds=seconds)
    if rng.random() < 0.5:
        views["page_bytes"] = rng.choice([1e5, 5e5, 2e6, np.nan], len(views))
    if rng.random() < 0.5:
        views["device"] = rng.choice(["desktop", "phone", "tablet", None], len(views))
    share = None if rng.random() < 0.5 else float(rng.random())
    lead_ms, precision = float(rng.choice([50, 300, 5000])), float(rng.choice([0.2, 0.5, 1.0]))
    scenario = PrefetchScenario(
        on_hover=Hover(share, precision, lead_ms) if hovers else None,
        break_even=float(rng.choice([0.15, 0.5])),
        k=int(rng.integers(1, 5)),
        lifetime_s=float(rng.choice([1, 5, 20, 300])),
        lifetime_views=int(rng.integers(1, 7)),
        cache=bool(rng.random() < 0.8),
        dwell_s=float(rng.choice([0.3, 1.0, 15.0])),
    )
    return views, scenario.completed({})


def random_fetches(rng, views, k):
    drawn = [rng.choice(list("abcdefghx"), rng.integers(0, k + 1), replace=False) for _ in range(len(views))]
    rows = [(view, page, rank) for view, pages in enumerate(drawn) for rank, page in enumerate(pages, 1)]
    return pd.DataFrame(rows, columns=["view_id", "page", "rank"]).sample(frac=1, random_state=int(rng.integers(99)))


def plain_replay(answer, views, scenario):
    """The same numbers by another road: one session, one view, one page after the other."""
    names = ("hits", "unused", "hit_next", "saved_ms", "contention_ms")
    out = {name: np.zeros(len(views)) for name in names}
    early, hover = {}, scenario.on_hover
    has_pointer = views.get("device", pd.Series(None, views.index)).map({"phone": 0, "tablet": 0}).fillna(1)
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
        play_session(rows, page, at_ms, load=load, proposed=proposed, out=out, early=early, **fresh)
        visited = {}
        for i, row in enumerate(rows[:-1] if hover else []):
            visited[page[i]], following = clock[i], page[i + 1]
            in_time = clock[i + 1] <= clock[i] + lifetime
            if scenario.cache and not (visited.get(following, -np.inf) + lifetime < clock[i] and in_time):
                continue
            pointer = has_pointer[row] if hover.share is None else hover.share
            saves = min(hover.lead_ms, load(following), at_ms[i + 1] - at_ms[i])
            out["unused"][row] += pointer * (1 - hover.precision) / hover.precision
            out["hits"][row] += 0 if row in early else pointer * saves / load(following)
            out["saved_ms"][row] += pointer * max(0, saves - early.get(row, 0))
    return pd.DataFrame(out)


def play_session(rows, page, at_ms, *, clock, lifetime, cache, load, proposed, out, early):
    fresh_until, waiting, begun = {}, {}, {}
    for i, row in enumerate(rows):
        if page[i] in waiting:
            by = waiting.pop(page[i])
            if fresh_until[page[i]] >= clock[i] if cache else by == i - 1:
                out["hits"][rows[by]] += 1
                out["hit_next"][rows[by]] += by == i - 1
                early[rows[i - 1]] = np.clip(at_ms[i] - begun[by, page[i]], 0, load(page[i]))
                out["saved_ms"][rows[by]] += early[rows[i - 1]]
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


@pytest.mark.parametrize("hovers", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_replay_equals_a_plain_loop_on_random_worlds(seed, hovers, sessions):
    rng = np.random.default_rng(seed)
    for _ in range(30):
        views, scenario = random_world(rng, sessions, hovers)
        answer = random_fetches(rng, views, scenario.k)
        expected, outcomes = plain_replay(answer, views, scenario), replay_prefetch(answer, views, scenario)
        counted = outcomes[["hits", "unused", "hit_next"]].astype(float)
        if hovers:
            pd.testing.assert_frame_equal(counted, expected[list(counted)])
        else:
            assert counted.equals(expected[list(counted)])
        assert outcomes["saved_ms"].tolist() == pytest.approx(expected["saved_ms"].tolist(), abs=1e-6)
        assert outcomes["contention_ms"].tolist() == pytest.approx(expected["contention_ms"].tolist(), abs=1e-6)


@pytest.mark.parametrize("hovers", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_nobody_beats_perfect_knowledge(seed, hovers, sessions):
    rng = np.random.default_rng(100 + seed)
    for _ in range(30):
        views, scenario = random_world(rng, sessions, hovers)
        nothing = replay_prefetch(NOTHING, views, scenario)
        perfect = replay_prefetch(perfect_knowledge_fetches(views, scenario), views, scenario)
        assert perfect["unused"].equals(nothing["unused"])  # what is hovered over in vain, else nothing
        opened = perfect["fetched"] - perfect["unused"]
        assert perfect["hits"].tolist() == pytest.approx(opened.tolist())
        for other in (random_fetches(rng, views, scenario.k) for _ in range(3)):
            outcomes = replay_prefetch(other, views, scenario)
            assert outcomes["hits"].sum() <= perfect["hits"].sum() + 1e-9
            assert outcomes["net"].sum() <= perfect["net"].sum() + 1e-9
        assert nothing["net"].sum() <= perfect["net"].sum() + 1e-9


def test_perfect_knowledge_by_hand(sessions):
    # a b a c: b and c are new, a is fresh.
    assert perfect_knowledge_fetches(sessions("abac"), HALF)[["view_id", "page"]].to_numpy().tolist() == [
        [0, "b"],
        [2, "c"],
    ]
    off = PrefetchScenario(cache=False)
    assert perfect_knowledge_fetches(sessions("abac"), off)["page"].tolist() == ["b", "a", "c"]


def test_perfect_knowledge_fetches_nothing_that_goes_stale_before_the_click(sessions):
    views = sessions("abc", seconds=[[0, 400, 410]])
    assert perfect_knowledge_fetches(views, PrefetchScenario(lifetime_s=300))["page"].tolist() == ["c"]


NOTHING = pd.DataFrame({"view_id": np.zeros(0, np.int64), "page": pd.array([], "str"), "rank": np.zeros(0, np.int64)})


def with_hover(scenario=ONE_SECOND, **given):
    return replace(scenario, on_hover=Hover(**given))


def test_hover_alone_by_hand(sessions):
    # Of a b a c two pages are opened that are not fresh; at one half, as many again are hovered over in vain. 0.3 s of
    # one second of load have passed at the click.
    outcomes = replay_prefetch(NOTHING, sessions("abac"), with_hover())
    assert outcomes["hits"].tolist() == pytest.approx([0.3, 0, 0.3, 0])
    assert outcomes["unused"].tolist() == [1, 0, 1, 0] and outcomes["fetched"].tolist() == [2, 0, 2, 0]
    assert outcomes["net"].sum() == pytest.approx(0.6 - 2)
    assert outcomes["saved_ms"].tolist() == pytest.approx([300, 0, 300, 0])
    assert outcomes["fetched_bytes"].sum() == 2 * outcomes["wasted_bytes"].sum() == 4e6
    figures = replay.summarise_prefetch(replay_prefetch(NOTHING, sessions("abac"), with_hover(precision=0.8)))
    assert (figures.precision, figures.byte_precision, figures.recall) == pytest.approx((0.8, 0.8, 2 / 3))


def test_an_early_fetch_saves_all_and_hover_mends_a_late_one(sessions, fetches):
    # b is there early. c comes third in its queue, which begins when its view has loaded: not begun at the click.
    views, scenario = sessions("abc"), with_hover(lead_ms=400)
    outcomes = replay_prefetch(fetches(v0="b", v1="dec"), views, scenario)
    assert outcomes["hits"].tolist() == [1, 1, 0]
    assert outcomes["unused"].tolist() == [1, 3, 0]  # hovering in vain goes on, whatever was fetched early
    assert outcomes["saved_ms"].tolist() == pytest.approx([1000, 400, 0])


def test_hover_has_no_more_than_the_load_and_the_time_on_the_page(sessions):
    fast = PrefetchScenario(page_bytes=9000)  # 170 ms and 8 ms on 4g
    outcomes = replay_prefetch(NOTHING, sessions("ab"), with_hover(fast))
    assert (outcomes["saved_ms"].tolist(), outcomes["hits"].tolist()) == (pytest.approx([178, 0]), [1, 0])
    quick = sessions("ab", seconds=[[0, 0.1]])
    assert replay_prefetch(NOTHING, quick, with_hover())["saved_ms"].tolist() == pytest.approx([100, 0])


def test_who_has_a_pointer(sessions):
    views = sessions("ab", "ab", "ab", "ab", device=np.repeat(["desktop", "phone", "tablet", None], 2))

    def caught(views, **given):
        return replay_prefetch(NOTHING, views, with_hover(**given))["unused"][::2].tolist()

    assert caught(views) == [1, 0, 0, 1] and caught(views, share=0.25) == [0.25] * 4
    assert caught(views.drop(columns="device")) == [1] * 4


def test_a_site_where_nobody_has_a_pointer_is_a_site_without_hover(sessions):
    rng = np.random.default_rng(7)
    for _ in range(20):
        views, scenario = random_world(rng, sessions)
        answer = random_fetches(rng, views, scenario.k)
        without = replay_prefetch(answer, views, scenario)
        pd.testing.assert_frame_equal(
            replay_prefetch(answer, views, with_hover(scenario, share=0)), without, check_exact=True
        )


def test_hover_alone_does_not_beat_perfect_knowledge_on_a_site_without(sessions):
    rng = np.random.default_rng(8)
    for _ in range(60):
        views, scenario = random_world(rng, sessions)
        hover = replay_prefetch(NOTHING, views, with_hover(scenario, precision=1.0, lead_ms=1e9))
        perfect = replay_prefetch(perfect_knowledge_fetches(views, scenario), views, scenario)
        assert hover["net"].sum() <= perfect["net"].sum() + 1e-9


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
    figures = replay.summarise_prefetch(replay_prefetch(FETCHES, VIEWS, SCENARIO))
    assert figures.net == pytest.approx((1 - 2) / 5) and figures.hits_per_100 == pytest.approx(20)
    assert figures.unused_per_view == pytest.approx(0.4) and figures.precision == pytest.approx(1 / 3)
    assert figures.recall == pytest.approx(1 / 3)
    assert figures.byte_precision == pytest.approx(2000 / 7000)
    assert figures.traffic_increase == pytest.approx(5000 / 12000)
    assert figures.bytes_fetched_per_view == pytest.approx(1400)
    assert figures.bytes_wasted_per_view == pytest.approx(1000)
    assert figures.ms_saved_per_view == pytest.approx((170 + 16 / 9) / 5)  # b is there long before the click
    assert figures.contention_ms_per_view == 0 and (figures.top1, figures.top3) == (None, None)
    assert figures.assumed == ("dwell", "network")


def test_top_shares_by_hand():
    # a is followed by b (rank 1: found), b by c (rank 2), a by c (rank 4: not among three); ends do not count.
    top = pd.DataFrame(
        {"view_id": [0, 1, 1, 2, 3, 4], "page": list("bacdcb"), "rank": [1, 1, 2, 1, 4, 1], "chance": 0.2}
    )
    assert top_shares(top, VIEWS) == pytest.approx((1 / 3, 2 / 3))
    figures = replay.summarise_prefetch(replay_prefetch(FETCHES, VIEWS, SCENARIO), top, VIEWS)
    assert (figures.top1, figures.top3) == pytest.approx((1 / 3, 2 / 3))


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


@pytest.mark.parametrize("hover", [None, Hover(share=0.4)])
@pytest.mark.parametrize("cache", [True, False])
def test_the_frontier_is_a_replay_at_every_limit(cache, hover):
    rng = np.random.default_rng(1)
    scenario = PrefetchScenario(cache=cache, k=3, lifetime_views=3, on_hover=hover)
    views = random_views(rng)
    top = random_top(rng, views, 5)  # more pages than a view may fetch
    points = replay.trace_frontier(top.sample(frac=1, random_state=0), views, scenario)
    by_view = replay.count_by_view(top, replay.read_ground(views, scenario), points["limit"].to_numpy())
    for (_, point), (hits, unused) in zip(points.iterrows(), by_view, strict=True):
        outcomes = replay_prefetch(fetches_at(top, point["limit"], 3), views, scenario)
        assert point["hits"] == pytest.approx(outcomes["hits"].mean())
        assert point["unused"] == pytest.approx(outcomes["unused"].mean())
        assert point["net"] == pytest.approx(outcomes["net"].mean())
        assert hits.tolist() == pytest.approx(outcomes["hits"].tolist())
        assert unused.tolist() == pytest.approx(outcomes["unused"].tolist())


@pytest.mark.parametrize("lifetime_views", [1, 2, 5, 100])
@pytest.mark.parametrize("cache", [True, False])
def test_a_higher_limit_never_fetches_more(cache, lifetime_views):
    scenario = PrefetchScenario(cache=cache, lifetime_views=lifetime_views)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        views = random_views(rng)
        frontier = replay.trace_frontier(random_top(rng, views, 3), views, scenario)
        fetched = frontier["hits"] + frontier["unused"]
        assert (np.diff(fetched) <= 1e-12).all()
        # Hits may rise where pages go stale: what is fetched later is fresh at the click.
        if not cache or lifetime_views == 100:
            assert (np.diff(frontier["hits"]) <= 1e-9).all()


@pytest.mark.parametrize("break_even", [0.15, 0.3, 0.005, 0.95])
def test_the_break_even_is_one_of_25_limits(break_even):
    limits = replay.prefetch_limits(PrefetchScenario(break_even=break_even))
    assert len(limits) == 25 and break_even in limits
    assert (np.diff(limits) > 0).all()


def frontier(limit, unused, hits, net=None):
    """Hits are of 100 views."""
    return pd.DataFrame(
        {"limit": limit, "hits": np.array(hits) / 100, "unused": unused, "net": net or [0.0] * len(hits)}
    )


def test_the_limit_with_the_largest_net_is_taken_among_equals_the_nearest_to_the_break_even():
    points = frontier([0.1, 0.2, 0.4], [0] * 3, [0] * 3, [0.1, 0.05, 0.100001])
    assert replay.best_prefetch_limit(points, PrefetchScenario()) == 0.4
    # As a ratio .12 lies nearer to .15 than .2 does: .15 / .12 = 1.25, .2 / .15 = 1.33.
    equal = frontier([0.01, 0.12, 0.2, 0.8], [0] * 4, [0] * 4, [0.2, 0.3, 0.3, 0.3])
    assert replay.best_prefetch_limit(equal, PrefetchScenario()) == 0.12


def test_hits_at_a_number_of_unused_prefetches():
    points = frontier([0.1, 0.3, 0.6], [1.0, 0.4, 0.2], [30.0, 20.0, 10.0])
    assert hits_at_unused(points, 0.4) == 20 and hits_at_unused(points, 0.7) == 25
    assert hits_at_unused(points, 0.1) == 5  # half the views as at the highest limit, half without
    assert hits_at_unused(points, 1.0) == 30 and hits_at_unused(points, 1.1) is None
    assert hits_at_unused(points, -0.1) is None


def test_fetching_more_for_fewer_hits_is_not_read_as_a_loss():
    points = frontier([0.1, 0.2, 0.3], [1.0, 0.5, 0.5], [15.0, 20.0, 18.0])
    assert hits_at_unused(points, 0.5) == 20 and hits_at_unused(points, 1.0) == 20
