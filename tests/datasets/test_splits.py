import itertools

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.history import HISTORY, Mask, add_navigation_history, masked_users
from workbench.datasets.loading import load, measurements, navigations
from workbench.datasets.splits import Split, describe_size, sample_users, split_by_time, split_by_user, users_of
from workbench.errors import WorkbenchError


def views_of(users: int, seed: int = 0, nobody: int = 0) -> pd.DataFrame:
    """Users with 1 to 9 views each, in mixed order, and some rows without a user."""
    rng = np.random.default_rng(seed)
    who = [f"u{i}" for i in np.repeat(np.arange(users), rng.integers(1, 10, users))] + [None] * nobody
    frame = pd.DataFrame({"user_id": who, "rtt_ms": rng.uniform(1, 100, len(who))})
    return measurements(frame.sample(frac=1, random_state=seed), name="crowd")


@pytest.mark.parametrize("seed", range(3))
def test_no_user_is_on_two_sides_and_no_row_is_lost(seed):
    views = views_of(users=2_500, seed=seed, nobody=300)
    split = split_by_user(views, seed=seed)
    users = {name: set(part["user_id"].dropna()) for name, part in split.parts()}
    for one, other in itertools.combinations(users.values(), 2):
        assert not one & other
    rows = pd.concat([part for _, part in split.parts()])
    assert rows.index.is_unique
    pd.testing.assert_frame_equal(views, rows.sort_index())


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        (4_000, [2_400, 400, 400, 800]),
        (2_000, [1_200, 200, 200, 400]),
        (1_980, [1_386, 0, 198, 396]),
        (20, [14, 0, 2, 4]),
    ],
)
def test_tune_joins_train_where_it_would_hold_under_200_users(users, expected):
    split = split_by_user(views_of(users))
    assert [part["user_id"].nunique() for _, part in split.parts()] == expected
    assert list(split.calibration) == list(split.train)


def test_choose_and_test_do_not_depend_on_whether_tune_joins_train(monkeypatch):
    views = views_of(users=1_000)
    joined = split_by_user(views)
    monkeypatch.setattr("workbench.datasets.splits.FEWEST_CALIBRATION_USERS", 1)
    apart = split_by_user(views)
    assert len(apart.calibration) > 0 == len(joined.calibration)
    pd.testing.assert_frame_equal(joined.validation, apart.validation)
    pd.testing.assert_frame_equal(joined.test, apart.test)


def test_the_same_seed_splits_alike_and_another_does_not():
    views = views_of(users=500)
    first, again, other = (split_by_user(views, seed=seed) for seed in (3, 3, 4))
    assert (first.seed, first.how) == (3, "by user")
    for (_, one), (_, two) in zip(first.parts(), again.parts(), strict=True):
        pd.testing.assert_frame_equal(one, two)
    assert set(first.test["user_id"]) != set(other.test["user_id"])


def test_rows_without_a_user_are_users_of_their_own():
    assert users_of(pd.DataFrame({"user_id": ["a", None, "b", None, "a"]})).tolist()[::4] == [0, 0]
    codes = users_of(pd.DataFrame({"user_id": ["a", None, "b", None, "a"]}))
    assert sorted(set(codes)) == [0, 1, 2, 3]
    assert users_of(pd.DataFrame({"user_id": pd.Series([None] * 3, dtype="str")})).tolist() == [0, 1, 2]
    assert users_of(pd.DataFrame({"rtt_ms": [1, 2, 3]})).tolist() == [0, 1, 2]


@pytest.mark.parametrize("seed", range(2))
def test_a_sample_holds_whole_users_and_about_as_many_rows_as_asked(seed):
    views = views_of(users=400, seed=seed, nobody=40)
    sizes = views.groupby("user_id").size()
    for rows in (10, 100, 1_000):
        drawn = sample_users(views, rows, seed)
        assert rows - 9 < len(drawn) <= rows
        counts = drawn.groupby("user_id").size()
        assert counts.equals(sizes[counts.index])
        pd.testing.assert_frame_equal(drawn, sample_users(views, rows, seed))


def test_every_user_is_drawn_as_often_as_any_other():
    frame = pd.DataFrame({"user_id": ["a", "b", None, "c", None, "d"], "rtt_ms": 1.0})
    drawn = np.concatenate([sample_users(frame, 1, seed).index for seed in range(600)])
    # 600 draws of six: 100 each, standard deviation 9.
    assert (abs(np.bincount(drawn) - 100) < 40).all()


@pytest.mark.parametrize(("name", "value"), [("rows", 0), ("rows", 1.5), ("seed", -1)])
def test_a_sample_that_cannot_be_is_refused(name, value):
    with pytest.raises(WorkbenchError, match=rf"^{name} must be a whole number from [01]\b.*; got {value}\.$"):
        sample_users(views_of(users=20), **{"rows": 5, "seed": 0, name: value})


def test_the_size_of_a_split_and_its_one_line():
    rtt = np.arange(1.0, 241.0)
    named = pd.DataFrame({"rtt_ms": rtt, "user_id": np.repeat(np.arange(60), 4)})
    split = split_by_user(measurements(named, name="ours"), seed=3)
    assert describe_size(split) == "240 views of 60 users"
    assert repr(split) == ("Split(ours, by user: train 168, calibration 0, validation 24, test 48 views; seed 3)")
    assert describe_size(split_by_user(measurements(named[["rtt_ms"]]))) == "240 views"
    pages = pd.DataFrame({"session_id": np.repeat(np.arange(1500), 2), "page": ["/", "/a"] * 1500})
    assert describe_size(split_by_time(navigations(pages))) == "3,000 views in 1,500 sessions"


def sessions_of(sessions: int = 3_000, users: int = 900, *, times: bool = True, seed: int = 0) -> pd.DataFrame:
    """Sessions of 1 to 6 views; users return; times rise from session to session."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 7, sessions)
    session = np.repeat(np.arange(sessions), sizes)
    table = pd.DataFrame({"session_id": session, "page": rng.choice([f"/{i}" for i in range(30)], len(session))})
    if users:
        table["user_id"] = pd.Series(rng.integers(0, users, sessions)[session]).map("u{}".format)
    if times:
        within = np.arange(len(session)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        table["viewed_at"] = pd.Timestamp("2026-01-01T00:00Z") + pd.to_timedelta(session * 600 + within * 40, unit="s")
    links = pd.DataFrame({"from_page": ["/1"], "to_page": ["/2"]})
    return navigations(table, name="site", links=links)


def check_partition(split: Split, views: pd.DataFrame) -> None:
    parts = [part for _, part in split.parts()]
    assert split.links.to_numpy().tolist() == [["/1", "/2"]]
    assert (split.card, split.account["dropped"]) == (views.attrs["card"], views.attrs["dropped"])
    for one, other in itertools.combinations(parts, 2):
        assert not set(one["session_id"]) & set(other["session_id"])
    rows = pd.concat(parts).sort_index()
    assert rows.index.equals(views.index) and (rows["view_id"] == rows.index).all()
    pd.testing.assert_frame_equal(views, rows[list(views)])
    for part in parts:
        assert part["page"].dtype == views["page"].dtype and part["session_id"].is_monotonic_increasing


@pytest.mark.parametrize("seed", range(2))
def test_by_time_sixty_twenty_twenty_of_the_sessions_never_cut(seed):
    views = sessions_of(seed=seed)
    split = split_by_time(views, seed)
    check_partition(split, views)
    assert split.train["session_id"].max() == 1_799 and split.test["session_id"].min() == 2_400
    assert (split.how, split.cluster, split.seed) == ("by time", "user_id", seed)
    assert not set(split.calibration["user_id"]) & set(split.validation["user_id"])
    assert split.test["viewed_at"].min() > split.train["viewed_at"].max()


@pytest.mark.parametrize(
    ("given", "how", "expected"),
    [
        ({}, "by time", [1_800, 300, 300, 600]),
        ({"times": False}, "by order", [1_800, 300, 300, 600]),  # of the frame, which stands for time
        ({"sessions": 500}, "by time", [350, 0, 50, 100]),  # too few for a calibration part
    ],
)
def test_by_time_without_users_validation_is_halved_by_session(given, how, expected):
    views = sessions_of(users=0, **given)
    split = split_by_time(views)
    check_partition(split, views)
    assert [part["session_id"].nunique() for _, part in split.parts()] == expected
    assert (split.how, split.cluster) == (how, "session_id")
    assert split.test["session_id"].min() > split.train["session_id"].max()
    assert "here_before" not in split.test and list(split.calibration) == list(split.train)
    assert len(np.unique(users_of(split.test, split.cluster))) == expected[-1]


@pytest.mark.parametrize(("users", "cluster", "how"), [(900, "user_id", "by user"), (0, "session_id", "by session")])
def test_by_user_nobody_is_on_two_sides(users, cluster, how):
    views = sessions_of(users=users)
    split = split_by_user(views, seed=1)
    check_partition(split, views)
    assert (split.cluster, split.how) == (cluster, how)
    for (_, one), (_, other) in itertools.combinations(split.parts(), 2):
        assert not set(one[cluster]) & set(other[cluster])


def test_history_is_made_over_the_whole_frame_before_it_is_split():
    views = sessions_of()
    whole = add_navigation_history(views)
    for split in (split_by_time(views), split_by_user(views)):
        pd.testing.assert_frame_equal(split.test, whole.loc[split.test.index])
    assert split_by_time(views).test["here_before"].max() > 0
    assert "here_before" not in split_by_time(views, history=False).test


@pytest.fixture(scope="module")
def world():
    return load("synthetic_measurements", rows=8_000)


def test_parts_follow_each_other_in_time(world):
    split = split_by_time(world)
    assert split.how == "by time"
    between = pd.concat([split.calibration, split.validation])["measured_at"]
    assert split.train["measured_at"].max() <= between.min()
    assert between.max() <= split.test["measured_at"].min()
    assert not set(HISTORY) & set(split_by_time(world, history=False).train)
    sizes = np.array([len(part) for _, part in split.parts()]) / len(world)
    assert sizes == pytest.approx([0.6, 0.1, 0.1, 0.2], abs=0.02)


def test_views_of_nobody_are_split_by_time_and_in_no_other_way_unless_asked(world):
    views = world.drop(columns="user_id").sample(frac=1, random_state=0)
    split = split_by_time(views)
    assert (split.how, split.people, split.mask) == ("by time", "views", None)
    between = pd.concat([split.calibration, split.validation])["measured_at"]
    assert split.train["measured_at"].max() < between.min() <= between.max() < split.test["measured_at"].min()
    assert not set(HISTORY) & set(split.test)  # whose past would it be?
    rows = pd.concat([part for _, part in split.parts()])
    assert sorted(rows.index) == sorted(views.index)
    drawn = split_by_user(views)
    assert drawn.how == "of views drawn at random"
    assert drawn.train["measured_at"].max() > drawn.test["measured_at"].min()


def test_a_returning_users_history_serves(world):
    split = split_by_time(world)
    returning = split.test["user_id"].isin(split.train["user_id"])
    assert returning.any() and split.test.loc[returning, "last_rtt_ms"].notna().all()
    newcomers = ~returning & ~split.test["user_id"].isin(pd.concat([split.calibration, split.validation])["user_id"])
    first = newcomers & ~split.test["user_id"].duplicated(keep=False)
    assert first.any() and split.test.loc[first, "last_rtt_ms"].isna().all()


@pytest.mark.parametrize("how", [split_by_time, split_by_user])
def test_nothing_is_learnt_from_masked_users(world, how):
    mask = Mask(users=0.5)
    split = how(world, mask=mask)
    hidden = set(world["user_id"][masked_users(world, mask)])
    shown = set(split.train["user_id"]) | set(split.calibration["user_id"])
    assert shown.isdisjoint(hidden)
    tested = split.test[split.test["user_id"].isin(hidden)]
    assert 0.4 < len(tested) / len(split.test) < 0.6 and tested["effective_type"].isna().all()
    assert tested["last_rtt_ms"].isna().all()


def test_what_cannot_be_split_is_refused(world):
    assert split_by_user(views_of(users=20)).test["user_id"].nunique() == 4
    views, rows = sessions_of(sessions=100), measurements(pd.DataFrame({"rtt_ms": np.arange(1.0, 50)}))
    one_moment = measurements(world.assign(measured_at=world["measured_at"].iloc[0]))
    for split, expected in (
        (lambda: split_by_user(views_of(users=19)), r"crowd: a split by user needs at least 20 users; got 19\. Take"),
        (lambda: split_by_user(sessions_of(19, users=0)), "site: a split by session needs at least 20 sessions; got"),
        (lambda: split_by_time(sessions_of(19, users=5)), "site: a split by time needs at least 20 sessions; got 19"),
        (lambda: split_by_time(measurements(world.drop(columns="measured_at"))), "needs measured_at in every"),
        (lambda: split_by_time(one_moment), "too many share one moment"),
        (lambda: split_by_time(views, mask=Mask()), "site: a mask takes network signals from measurements; leave it"),
        (lambda: split_by_user(rows, mask=Mask()), "no user_id"),
        (lambda: split_by_user(rows, seed=-1), r"^seed must be a whole number from 0 to 2,147,483,647; got -1\.$"),
    ):
        with pytest.raises(WorkbenchError, match=expected):
            split()
