import numpy as np
import pandas as pd
import pytest

from workbench.datasets.columns import Column
from workbench.features import page_features
from workbench.features import pages as navigation_candidates
from workbench.features.page_features import GROUP_SMOOTHING, SMOOTHING, Layout, Pairs, fit_layout, previous_dwell

EXTRA = (Column("shelf", "str", "first_request", "where on the list"),)


def visits(*sessions: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "view_id": np.arange(sum(map(len, sessions))),
            "session_id": np.repeat(np.arange(len(sessions)), [len(session) for session in sessions]),
            "position": [i for session in sessions for i in range(len(session))],
            "page": pd.Categorical([page for session in sessions for page in session]),
        }
    )


def rich_visits(sessions: int = 200, seed: int = 0, pages: str = "abcdefgh") -> pd.DataFrame:
    """Random sessions with times, users, context and history columns, as a loaded set has them."""
    rng = np.random.default_rng(seed)
    words = []
    for _ in range(sessions):
        draws = rng.choice(list(pages), rng.integers(1, 9))
        words.append("".join(page for i, page in enumerate(draws) if i == 0 or page != draws[i - 1]))
    frame = visits(*words)
    n = len(frame)
    kinds = frame["page"].cat.categories
    return frame.assign(
        user_id=[f"u{i % 17}" for i in frame["session_id"]],
        viewed_at=pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(np.cumsum(rng.integers(1, 90, n)), unit="s"),
        device=rng.choice(["phone", "desktop"], n),
        local_hour=rng.integers(0, 24, n).astype(float),
        save_data=pd.array(rng.choice([True, False], n), dtype="boolean"),
        country="se",
        shelf=rng.choice(list("123"), n),
        page_bytes=rng.uniform(1e4, 1e6, n),
        earlier_views=rng.integers(0, 30, n).astype(float),
        here_before=rng.integers(0, 3, n).astype(float),
        last_next=pd.Categorical(np.where(rng.random(n) < 0.5, rng.choice(list(pages), n), None), kinds),
        usual_next=pd.Categorical(rng.choice(list(pages), n), kinds),
        usual_share=rng.random(n),
    )


def described(train: pd.DataFrame, frame: pd.DataFrame, *, without=(), links=None) -> tuple[Layout, Pairs]:
    layout = fit_layout(train, "client_js", EXTRA, without)
    return layout, page_features.describe_pairs(layout, page_features.NavigationCounts.fit(train, layout, links), frame)


def as_table(layout: Layout, pairs: Pairs) -> pd.DataFrame:
    table = pd.DataFrame(pairs.matrix, columns=pairs.names)
    return table.assign(row=pairs.row, candidate=np.array(layout.pages)[pairs.page])


def compared(sessions: int = 20, **how) -> tuple[pd.DataFrame, pd.DataFrame, Pairs, pd.DataFrame]:
    """Training views, other views, the pairs of these, and their features as a table."""
    train, frame = rich_visits(), rich_visits(sessions, **{"seed": 1, **how})
    layout, pairs = described(train, frame)
    return train, frame, pairs, as_table(layout, pairs)


@pytest.fixture(scope="module")
def tiny() -> pd.DataFrame:
    """Features of the views of "abab", one row a pair, after four counted sessions."""
    train = visits("abc", "abd", "acb", "b")
    layout, pairs = described(train, visits("abab"))
    return as_table(layout, pairs).set_index(["row", "candidate"])


def test_counts_shares_and_popularity_by_hand(tiny):
    pairs = [*((0, c) for c in "bcd"), *((1, c) for c in "acd"), *((2, c) for c in "bcd"), *((3, c) for c in "acd")]
    assert list(tiny.index) == pairs  # every page but the current one
    first = tiny.loc[0]
    assert first["first_views"].tolist() == [3, 3, 3] and first["first_count"].tolist() == [2, 1, 0]
    assert first["first_share"].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert first["second_count"].tolist() == [2, 1, 0]  # of sessions that begin with a
    last = tiny.loc[3]
    assert (last["first_views"].tolist(), last["first_count"].tolist()) == ([4] * 3, [0, 1, 1])
    assert (last["second_views"].tolist(), last["second_count"].tolist()) == ([2] * 3, [0, 1, 1])
    assert tiny.loc[2]["second_views"].tolist() == [0] * 3  # nobody went from b to a
    assert first["popularity"].tolist() == pytest.approx([3 / 10, 2 / 10, 1 / 10])
    assert (first["popularity_rank"].tolist(), first["current_popularity_rank"].tolist()) == ([0, 1, 2], [3] * 3)
    assert (first["first_rank"].tolist(), last["position"].tolist()) == ([1, 2, 3], [3] * 3)
    assert tiny["popularity_now"].eq(0).all()  # the last tenth of four sessions is "b", which went nowhere
    # One view later than next: after a, past b or c, came c, d and b, once each.
    s1, second = SMOOTHING[0], tiny.loc[1]
    assert second["skipping_chance"].tolist() == pytest.approx([0, (1 + s1 * 0.2) / (3 + s1), (1 + s1 * 0.1) / 23])
    assert second["previous_page"].tolist() == [0] * 3


def test_links_by_hand():
    links = pd.DataFrame({"from_page": ["a", "c", "x"], "to_page": ["b", "a", "a"]})
    layout, pairs = described(visits("abc", "abd"), visits("a"), links=links)
    table = as_table(layout, pairs).set_index("candidate")
    assert table["linked"].to_dict() == {"b": 1, "c": 0, "d": 0}
    assert table["links_back"].to_dict() == {"b": 0, "c": 1, "d": 0}


def test_a_group_leans_on_all_views_as_a_loop_says():
    train, frame, _, table = compared()
    coming = train.groupby("session_id")["page"].shift(-1)
    for i in range(0, len(table), 37):
        pair = table.iloc[i]
        view = frame.iloc[int(pair["row"])]
        same = (train["page"] == view["page"]) & (train["device"] == view["device"])
        evening = same & (train["local_hour"] // 6 == view["local_hour"] // 6)
        for name, group in (("device", same), ("device x local_hour", evening)):
            n, hits = group.sum(), (coming[group] == pair["candidate"]).sum()
            expected = (hits + GROUP_SMOOTHING * pair["first_chance"]) / (n + GROUP_SMOOTHING)
            assert pair[f"first_chance by {name}"] == pytest.approx(expected, rel=1e-5)


def test_times_seen_and_views_ago_as_a_loop_says():
    _, frame, pairs, table = compared(40, pages="abc")
    pages, sessions = frame["page"].astype(str).to_numpy(), frame["session_id"].to_numpy()
    for column in ("last_next", "usual_next"):
        remembered = frame[column].astype(object).to_numpy()[pairs.row]
        np.testing.assert_array_equal(table[f"is_{column}"], remembered == table["candidate"])
    for row, candidate, times, ago in table[["row", "candidate", "times_seen", "views_ago"]].itertuples(index=False):
        before = [j for j in range(row) if sessions[j] == sessions[row] and pages[j] == candidate]
        assert times == len(before)
        assert np.isnan(ago) if not before else ago == row - before[-1]


@pytest.mark.parametrize("small", [True, False])
def test_features_of_a_view_do_not_depend_on_later_views(monkeypatch, small):
    if not small:
        monkeypatch.setattr(navigation_candidates, "SMALL_VOCABULARY", 3)
    train, frame = rich_visits(), rich_visits(40, seed=1)
    kept = frame["position"].to_numpy() < 3
    _, whole = described(train, frame)
    _, cut = described(train, frame[kept])
    np.testing.assert_array_equal(cut.matrix, whole.matrix[kept[whole.row]])


def test_user_names_sizes_and_constants_are_no_features():
    train = rich_visits()
    _, pairs = described(train, train.head(30))
    _, other = described(train.assign(user_id="x", page_bytes=1.0), train.head(30).assign(user_id="y"))
    np.testing.assert_array_equal(pairs.matrix, other.matrix)
    assert not {"country", "user_id", "page_bytes", "view_id", "session_id"} & set(pairs.names)
    assert len(set(pairs.names)) == len(pairs.names) == pairs.matrix.shape[1]
    assert pairs.matrix.dtype == np.float32


def test_what_is_left_out_leaves_no_trace():
    train, frame = rich_visits(), rich_visits(20, seed=1)
    _, everything = described(train, frame)

    def left(*without: str) -> set[str]:
        return set(everything.names) - set(described(train, frame, without=without)[1].names)

    history = {"earlier_views", "here_before", "usual_share", "is_last_next", "is_usual_next"}
    assert left("history") == history and left("last_next") == {"is_last_next"}
    second = {"second_views", "second_count", "second_share", "second_chance", "second_rank"}
    assert left("second order") == second | {"skipping_chance", "previous_page"}
    by = {f"first_chance by {group}" for group in ("device", "local_hour", "device x local_hour", "save_data", "shelf")}
    assert left("context") == by | {"device", "local_hour", "save_data", "shelf"}
    assert left("device") == {"device", "first_chance by device", "first_chance by device x local_hour"}
    lies = frame.assign(**{name: frame[name].iloc[::-1].to_numpy() for name in ("last_next", "usual_next", "device")})
    for kind in (("history", "context"), ("last_next", "usual_next", "device")):
        np.testing.assert_array_equal(
            described(train, frame, without=kind)[1].matrix, described(train, lies, without=kind)[1].matrix
        )


def test_times_within_a_session_give_the_dwell_on_the_page_before():
    frame = visits("abc", "a").assign(
        viewed_at=pd.to_datetime([900, 31_899, 91_900, 500_000], unit="ms", utc=True).astype("datetime64[us, UTC]")
    )
    np.testing.assert_array_equal(previous_dwell(frame), [np.nan, 30, 60, np.nan])
    assert fit_layout(frame, "client_js").dwell_edges == [36, 42, 48, 54]
    for times in (frame["viewed_at"].iloc[0], pd.NaT):
        assert fit_layout(frame.assign(viewed_at=times), "client_js").dwell_edges == []
    assert np.isnan(previous_dwell(frame.drop(columns="viewed_at"))).all()


def test_bands_and_groups_by_hand():
    frame = visits("ab", "cd").assign(device=["phone", "phone", "desktop", None], local_hour=[0.0, 6, 23, 12])
    layout = fit_layout(frame, "client_js")
    assert not fit_layout(frame, "first_request").levels  # the device is known later
    assert layout.groups == (("device",), ("local_hour",), ("device", "local_hour"))
    assert layout.levels == {"device": ["phone", "desktop"]}
    assert layout.group_codes(layout.bands(frame), ("device",)).tolist() == [0, 0, 1, -1]
    assert layout.group_codes(layout.bands(frame), ("local_hour",)).tolist() == [0, 1, 3, 2]
    assert layout.group_codes(layout.bands(frame), ("device", "local_hour")).tolist() == [0, 1, 7, -1]


def test_rare_levels_are_one():
    frame = visits("ab" * 60).assign(device=[f"model {min(i, 40):02}" for i in range(120)])
    layout = fit_layout(frame, "client_js")
    assert layout.levels["device"][:2] == ["model 40", "model 00"]
    assert (len(layout.levels["device"]), layout.group_codes(layout.bands(frame), ("device",)).max()) == (20, 20)
