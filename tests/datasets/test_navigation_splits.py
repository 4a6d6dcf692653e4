import itertools

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.history import NAMES, Mask, add_navigation_history
from workbench.datasets.loading import navigations
from workbench.datasets.splits import Split, sample_users, split_by_time, split_by_user, users_of
from workbench.errors import WorkbenchError


def views_of(sessions: int = 3_000, users: int = 900, *, times: bool = True, seed: int = 0) -> pd.DataFrame:
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
    for one, other in itertools.combinations(parts, 2):
        assert not set(one["session_id"]) & set(other["session_id"])
    rows = pd.concat(parts).sort_index()
    assert rows.index.equals(views.index)
    assert (rows["view_id"] == rows.index).all()
    pd.testing.assert_frame_equal(rows[list(views)], views)
    for part in parts:
        assert part["page"].dtype == views["page"].dtype
        assert part["session_id"].is_monotonic_increasing


@pytest.mark.parametrize("seed", range(3))
def test_by_time_sixty_twenty_twenty_of_the_sessions_never_cut(seed):
    views = views_of(seed=seed)
    split = split_by_time(views, seed)
    check_partition(split, views)
    assert split.train["session_id"].max() == 1_799
    assert split.test["session_id"].min() == 2_400
    assert (split.how, split.cluster, split.seed) == ("by time", "user_id", seed)
    assert not set(split.calibration["user_id"]) & set(split.validation["user_id"])
    assert split.test["viewed_at"].min() > split.train["viewed_at"].max()


def test_by_time_users_return():
    split = split_by_time(views_of())
    assert set(split.test["user_id"]) & set(split.train["user_id"])


def test_by_time_without_users_validation_is_halved_by_session():
    views = views_of(users=0)
    split = split_by_time(views)
    check_partition(split, views)
    assert [part["session_id"].nunique() for _, part in split.parts()] == [1_800, 300, 300, 600]
    assert split.cluster == "session_id"
    assert not set(NAMES) & set(split.test)
    assert len(np.unique(users_of(split.test, split.cluster))) == 600


def test_without_times_the_order_of_the_frame_stands_for_time():
    views = views_of(users=0, times=False)
    split = split_by_time(views)
    check_partition(split, views)
    assert split.how == "by order"
    assert split.test["session_id"].min() == 2_400


def test_tune_joins_train_where_it_would_be_small():
    views = views_of(sessions=500, users=0)
    split = split_by_time(views)
    check_partition(split, views)
    assert [part["session_id"].nunique() for _, part in split.parts()] == [350, 0, 50, 100]
    assert list(split.calibration) == list(split.train)


@pytest.mark.parametrize(("users", "cluster", "how"), [(900, "user_id", "by user"), (0, "session_id", "by session")])
def test_by_user_nobody_is_on_two_sides(users, cluster, how):
    views = views_of(users=users)
    split = split_by_user(views, seed=1)
    check_partition(split, views)
    assert (split.cluster, split.how) == (cluster, how)
    for (_, one), (_, other) in itertools.combinations(split.parts(), 2):
        assert not set(one[cluster]) & set(other[cluster])


def test_history_is_made_over_the_whole_frame_before_it_is_split():
    views = views_of()
    whole = add_navigation_history(views)
    for split in (split_by_time(views), split_by_user(views)):
        pd.testing.assert_frame_equal(split.test, whole.loc[split.test.index])
    assert split_by_time(views).test["here_before"].max() > 0
    assert not set(NAMES) & set(split_by_time(views, history=False).test)


def test_links_card_and_counts_come_along():
    views = views_of(sessions=100)
    for split in (split_by_time(views), split_by_user(views)):
        assert split.links.to_numpy().tolist() == [["/1", "/2"]]
        assert split.card == views.attrs["card"]
        assert split.dropped == views.attrs["dropped"]


def test_the_same_seed_splits_alike():
    views = views_of()
    for (_, one), (_, two) in zip(split_by_time(views, 4).parts(), split_by_time(views, 4).parts(), strict=True):
        pd.testing.assert_frame_equal(one, two)
    assert set(split_by_time(views, 4).calibration.index) != set(split_by_time(views, 5).calibration.index)


def test_too_few_sessions_or_users_are_refused():
    with pytest.raises(WorkbenchError, match="site: a split by time needs at least 20 sessions; got 19"):
        split_by_time(views_of(sessions=19, users=5))
    with pytest.raises(WorkbenchError, match="site: a split by session needs at least 20 sessions; got 19"):
        split_by_user(views_of(sessions=19, users=0))


def test_a_mask_is_for_measurements():
    with pytest.raises(WorkbenchError, match="site: a mask takes network signals from measurements; leave it out here"):
        split_by_time(views_of(sessions=100), mask=Mask())


def test_a_sample_holds_whole_sessions_where_there_are_no_users():
    views = views_of(users=0)
    drawn = sample_users(views, 500, seed=2)
    assert 490 < len(drawn) <= 500
    sizes = views.groupby("session_id").size()
    assert drawn.groupby("session_id").size().equals(sizes[drawn["session_id"].unique()])
