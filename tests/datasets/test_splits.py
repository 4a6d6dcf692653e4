import itertools

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.loading import measurements, navigations
from workbench.datasets.splits import describe_size, people_of, sample_users, split_by_time, split_by_user, users_of
from workbench.errors import WorkbenchError


def views_of(users: int, seed: int = 0, nobody: int = 0) -> pd.DataFrame:
    """Users with 1 to 9 views each, in mixed order, and some rows without a user."""
    rng = np.random.default_rng(seed)
    who = [f"u{i}" for i in np.repeat(np.arange(users), rng.integers(1, 10, users))] + [None] * nobody
    frame = pd.DataFrame({"user_id": who, "rtt_ms": rng.uniform(1, 100, len(who))})
    return measurements(frame.sample(frac=1, random_state=seed), name="crowd")


@pytest.mark.parametrize("seed", range(8))
def test_no_user_is_on_two_sides_and_no_row_is_lost(seed):
    views = views_of(users=2_500, seed=seed, nobody=300)
    split = split_by_user(views, seed=seed)
    users = {name: set(part["user_id"].dropna()) for name, part in split.parts()}
    for one, other in itertools.combinations(users.values(), 2):
        assert not one & other
    rows = pd.concat([part for _, part in split.parts()])
    assert rows.index.is_unique
    pd.testing.assert_frame_equal(rows.sort_index(), views)


def test_sixty_ten_ten_and_twenty_percent_of_the_users():
    split = split_by_user(views_of(users=4_000))
    assert [part["user_id"].nunique() for _, part in split.parts()] == [2_400, 400, 400, 800]
    assert [name for name, _ in split.parts()] == ["train", "calibration", "validation", "test"]


@pytest.mark.parametrize(
    ("users", "expected"), [(2_000, [1_200, 200, 200, 400]), (1_980, [1_386, 0, 198, 396]), (20, [14, 0, 2, 4])]
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


def test_users_are_drawn_whatever_their_names_and_number_of_views():
    split = split_by_user(views_of(users=4_000))
    named = [part["user_id"].str[1:].astype(int) for part in (split.train, split.test)]
    assert abs(named[0].mean() - named[1].mean()) < 150  # of 4,000; a sorted split would differ by 1,600
    views_each = [part.groupby("user_id").size().mean() for part in (split.train, split.test)]
    assert abs(views_each[0] - views_each[1]) < 0.4


def test_rows_without_a_user_are_users_of_their_own():
    assert users_of(pd.DataFrame({"user_id": ["a", None, "b", None, "a"]})).tolist()[::4] == [0, 0]
    codes = users_of(pd.DataFrame({"user_id": ["a", None, "b", None, "a"]}))
    assert sorted(set(codes)) == [0, 1, 2, 3]
    assert users_of(pd.DataFrame({"user_id": pd.Series([None] * 3, dtype="str")})).tolist() == [0, 1, 2]
    assert users_of(pd.DataFrame({"rtt_ms": [1, 2, 3]})).tolist() == [0, 1, 2]


def test_a_table_without_users_is_split_by_row():
    split = split_by_user(measurements(pd.DataFrame({"rtt_ms": np.arange(1.0, 101.0)})))
    assert [len(part) for _, part in split.parts()] == [70, 0, 10, 20]


def test_fewer_than_20_users_are_refused():
    assert split_by_user(views_of(users=20)).test["user_id"].nunique() == 4
    with pytest.raises(WorkbenchError, match=r"crowd: a split by user needs at least 20 users; got 19\. Take more"):
        split_by_user(views_of(users=19))


def test_a_frame_without_its_card_is_sent_through_measurements():
    with pytest.raises(WorkbenchError, match=r"got a frame without one. Pass your own through wb\.measurements"):
        split_by_user(pd.DataFrame({"rtt_ms": [1.0]}))


def test_a_seed_that_cannot_be_is_refused():
    with pytest.raises(WorkbenchError, match=r"^seed must be a whole number from 0; got -1\.$"):
        split_by_user(views_of(users=30), seed=-1)


def test_the_split_carries_the_card_and_what_was_dropped():
    views = views_of(users=30)
    split = split_by_user(views)
    assert split.card == views.attrs["card"]
    assert split.dropped == views.attrs["dropped"] == {"duplicates": 0, "unmeasured": 0}


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_holds_whole_users_and_about_as_many_rows_as_asked(seed):
    views = views_of(users=400, seed=seed, nobody=40)
    sizes = views.groupby("user_id").size()
    for rows in (10, 100, 1_000):
        drawn = sample_users(views, rows, seed)
        assert rows - 9 < len(drawn) <= rows
        counts = drawn.groupby("user_id").size()
        assert counts.equals(sizes[counts.index])
        pd.testing.assert_frame_equal(drawn, sample_users(views, rows, seed))


def test_a_sample_holds_at_least_one_user_even_where_some_rows_have_none():
    frame = pd.DataFrame({"user_id": ["a"] * 5 + ["b"] * 5 + [None], "rtt_ms": 1.0})
    sizes = {len(sample_users(frame, 1, seed)) for seed in range(50)}
    assert sizes == {1, 5}


def test_every_user_is_drawn_as_often_as_any_other():
    frame = pd.DataFrame({"user_id": ["a", "b", None, "c", None, "d"], "rtt_ms": 1.0})
    drawn = pd.concat([sample_users(frame, 1, seed) for seed in range(3_000)])
    # 3,000 draws of six: 500 each, standard deviation 20.
    assert (abs(drawn.index.value_counts() - 500) < 90).all()


def test_a_sample_of_everything_is_everything():
    views = views_of(users=50)
    pd.testing.assert_frame_equal(sample_users(views, 10_000), views)


@pytest.mark.parametrize(("name", "value"), [("rows", 0), ("rows", 1.5), ("seed", -1)])
def test_a_sample_that_cannot_be_is_refused(name, value):
    with pytest.raises(WorkbenchError, match=rf"^{name} must be a whole number from [01]; got {value}\.$"):
        sample_users(views_of(users=20), **{"rows": 5, "seed": 0, name: value})


def test_users_sessions_and_views_are_named_and_counted_once():
    users = pd.DataFrame({"user_id": ["a", "a", "b", None], "asn": ["1", "1", "1", "2"]})
    assert people_of(users) == ("users", 3)  # a row without a user is a user of its own
    assert people_of(users, "asn") == ("asns", 2)
    assert people_of(users.drop(columns="user_id").assign(session_id=[0, 0, 1, 1])) == ("sessions", 2)
    assert people_of(users[["asn"]]) == ("views", 4)


def test_the_size_of_a_split_and_its_one_line():
    rtt = np.arange(1.0, 241.0)
    named = pd.DataFrame({"rtt_ms": rtt, "user_id": np.repeat(np.arange(60), 4)})
    split = split_by_user(measurements(named, name="ours"), seed=3)
    assert describe_size(split) == "240 views of 60 users"
    assert repr(split) == ("Split(ours, by user: train 168, calibration 0, validation 24, test 48 views; seed 3)")
    assert describe_size(split_by_user(measurements(named[["rtt_ms"]]))) == "240 views"
    pages = pd.DataFrame({"session_id": np.repeat(np.arange(1500), 2), "page": ["/", "/a"] * 1500})
    assert describe_size(split_by_time(navigations(pages))) == "3,000 views in 1,500 sessions"
