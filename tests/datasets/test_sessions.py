import numpy as np
import pandas as pd
import pytest

from workbench.datasets import navigations, sessions
from workbench.datasets.columns import as_category
from workbench.datasets.sessions import collapse_repeats, dwell_s, ends_session, has_dwell, order_views
from workbench.decisions.prefetch.cache import read_visits
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError


def frame_of(**columns: object) -> pd.DataFrame:
    frame = pd.DataFrame(columns)
    frame["page"] = as_category(frame["page"])
    if "viewed_at" in frame:
        minutes = pd.to_timedelta(frame["viewed_at"], unit="min")
        frame["viewed_at"] = (pd.Timestamp("2026-01-31T12:00Z") + minutes).astype("datetime64[us, UTC]")
    return frame


def shown(frame: pd.DataFrame) -> list[tuple]:
    return list(zip(frame["session_id"], frame["position"], frame["page"], strict=True))


def test_thirty_minutes_of_silence_end_a_session_and_not_one_less():
    frame = frame_of(user_id=["a"] * 4, viewed_at=[0, 30, 60.1, 61], page=list("wxyz"))
    assert shown(order_views(frame)) == [(0, 0, "w"), (0, 1, "x"), (1, 0, "y"), (1, 1, "z")]
    assert order_views(frame, gap_min=29)["session_id"].tolist() == [0, 1, 2, 2]
    assert order_views(frame, gap_min=31)["session_id"].tolist() == [0, 0, 0, 0]


def test_given_sessions_keep_long_silences_and_the_same_name_at_two_users_is_two():
    frame = frame_of(user_id=list("abab"), session_id=[7, 7, 7, 7], viewed_at=[0, 1, 600, 601], page=list("wxyz"))
    assert shown(order_views(frame)) == [(0, 0, "w"), (0, 1, "y"), (1, 0, "x"), (1, 1, "z")]
    assert order_views(frame.drop(columns="user_id"))["session_id"].tolist() == [0] * 4


def test_without_times_the_order_of_the_rows_stands():
    frame = frame_of(session_id=["s2", "s1", "s2", "s1"], page=list("wxyz"))
    assert shown(order_views(frame)) == [(0, 0, "w"), (0, 1, "y"), (1, 0, "x"), (1, 1, "z")]


def test_a_place_in_the_session_orders_views_of_one_moment_and_starts_anew_from_0():
    frame = frame_of(session_id=list("aabb"), viewed_at=[0, 0, 0, 0], position=[5, 3, 1, 2], page=list("wxyz"))
    assert shown(order_views(frame)) == [(0, 0, "x"), (0, 1, "w"), (1, 0, "y"), (1, 1, "z")]


def test_by_the_order_of_the_file_times_may_not_run_backwards_within_a_session():
    frame = frame_of(session_id=list("aabb"), viewed_at=[1, 1, 0, 0], page=list("wxyz"))
    assert order_views(frame, by_time=False)["page"].tolist() == list("wxyz")
    assert order_views(frame)["page"].tolist() == list("yzwx")
    back = frame_of(session_id=list("aaab"), viewed_at=[1, 3, 2, 0], page=list("wxyz"))
    assert order_views(back)["page"].tolist() == ["z", "w", "y", "x"]
    expected = (
        r"^column 'viewed_at' must be in order within each session, as its rows are; 1 value differs, first row 2: "
        r"'2026-01-31 12:02:00\+00:00'\.$"
    )
    with pytest.raises(WorkbenchError, match=expected):
        order_views(back, by_time=False)
    with pytest.raises(WorkbenchError, match="in order within each session"):
        order_views(back.assign(position=[0, 1, 2, 0]))


def test_a_view_without_a_user_belongs_to_a_user_of_its_session_alone():
    frame = frame_of(user_id=["a", None, None, "a"], viewed_at=[0, 1, 2, 3], page=list("wxyz"))
    ordered = order_views(frame)
    assert ordered["session_id"].tolist() == [0, 0, 1, 2]
    assert ordered["user_id"].tolist() == ["a", "a", "session 1", "session 2"]
    given = order_views(frame.assign(session_id=list("pqqp")))
    assert given["user_id"].tolist() == ["a", "a", "session 1", "session 1"]


def test_repeats_of_the_current_page_are_collapsed_to_the_first():
    frame = order_views(frame_of(session_id=list("aaaaab"), page=list("xxyyxx")))
    kept = collapse_repeats(frame)
    assert shown(kept) == [(0, 0, "x"), (0, 1, "y"), (0, 2, "x"), (1, 0, "x")]
    assert kept.index.tolist() == [0, 1, 2, 3]
    pd.testing.assert_frame_equal(collapse_repeats(kept), kept)


def test_dwell_is_the_time_until_the_next_view_of_the_session():
    frame = order_views(frame_of(user_id=list("aaab"), viewed_at=[0.2, 0.7, 2.2, 1.2], page=list("xyzx")))
    np.testing.assert_array_equal(dwell_s(frame), [30, 90, np.nan, np.nan])
    assert has_dwell(frame) and ends_session(frame).tolist() == [False, False, True, True]
    assert sessions.share_of_session_ends(frame) == 0.5


@pytest.mark.parametrize("column", [{}, {"viewed_at": [0, 0, 5, 5]}, {"viewed_at": [720, 2160, 720, 2160]}])
def test_there_is_no_dwell_without_times_within_one_moment_or_by_days(column):
    frame = order_views(frame_of(session_id=list("aabb"), page=list("xyxy"), **column))
    assert not has_dwell(frame) and np.isnan(dwell_s(frame)).all()


@pytest.mark.parametrize("seed", range(3))
def test_order_is_the_plain_loops_on_random_logs(seed):
    rng = np.random.default_rng(seed)
    n = 400
    user, minute = rng.integers(0, 12, n).astype(str), rng.integers(0, 3_000, n)
    frame = frame_of(user_id=user, viewed_at=minute, page=rng.choice(list("pqrs"), n))
    sessions: list[list[int]] = []
    for who in sorted(set(user)):
        rows = sorted(np.flatnonzero(user == who), key=lambda row: (minute[row], row))
        for place, row in enumerate(rows):
            if place == 0 or minute[row] - minute[rows[place - 1]] > 30:
                sessions.append([])
            sessions[-1].append(row)
    sessions.sort(key=lambda rows: (minute[rows[0]], min(rows)))
    ordered = order_views(frame.assign(row=range(n)))
    assert ordered["row"].tolist() == [row for rows in sessions for row in rows]
    assert ordered["session_id"].tolist() == [number for number, rows in enumerate(sessions) for _ in rows]
    assert ordered["position"].tolist() == [place for rows in sessions for place in range(len(rows))]


CLICKS = pd.DataFrame(
    {
        "user_id": ["bob"] * 2 + ["ann"] * 4,
        "viewed_at": pd.to_datetime([f"2026-01-01T10:0{m}Z" for m in (9, 8, 2, 1, 1, 0)]),
        "page": ["away", "home", "pay", "basket", "product", "home"],
    }
)


def test_rows_newest_first_are_read_from_the_last_and_it_is_said():
    views = navigations(CLICKS)
    assert views["page"].tolist() == ["home", "product", "basket", "pay", "home", "away"]
    told = " ".join(views.attrs["warnings"])
    assert "newest first" in told and "1 views have the time" in told
    oldest = navigations(CLICKS[::-1])
    assert oldest["page"].tolist() == views["page"].tolist()
    assert not any("newest" in sentence for sentence in oldest.attrs["warnings"])


@pytest.mark.parametrize(
    ("users", "minutes", "back"),
    [
        ("aaaa", [5, 5, 5, 4], False),  # one step back
        ("aaaa", [5, 5, 4, 3], True),  # the table falls
        ("aaabbb", [3, 2, 1, 9, 8, 7], True),  # the rows of each user fall
        ("aaabbb", [3, 2, 2, 9, 8, 7], False),
        ("aabbcc", [1, 2, 1, 2, 1, 2], False),
        ("a", [1], False),
    ],
)
def test_one_step_back_turns_no_table_round(users, minutes, back):
    assert sessions.newest_first(frame_of(user_id=list(users), viewed_at=minutes, page=list(users))) == back


@pytest.mark.parametrize(("minutes", "fine"), [([1, 2, 3.5], False), ([1, 2.5, 3.5], True), ([1, 2.5], False)])
def test_most_rows_must_have_seconds(minutes, fine):
    assert sessions.has_seconds(frame_of(viewed_at=minutes, page=["x"] * len(minutes))) == fine


@pytest.mark.parametrize(("second", "known"), [(0, False), (7, True)])
def test_whole_minutes_say_nothing_about_the_time_on_a_page(second, known):
    views = navigations(CLICKS.assign(viewed_at=CLICKS["viewed_at"] + pd.Timedelta(second, "s")))
    assert has_dwell(views) == known and read_visits(views, PrefetchScenario()).timed == known
    assert np.isfinite(dwell_s(views)).any() == known
    assert any("whole minutes" in sentence for sentence in views.attrs["warnings"]) != known
