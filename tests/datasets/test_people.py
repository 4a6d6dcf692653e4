import pandas as pd
import pytest

from workbench.datasets import measurements, navigations
from workbench.errors import WorkbenchError

AT = pd.Timestamp("2026-01-05T10:00:07Z")
NOBODY = ["undefined", "(not set)", "00000000-0000-0000-0000-000000000000", "NULL", "", None]


@pytest.mark.parametrize("word", NOBODY)
def test_ids_that_name_no_one_are_no_person(word):
    views = pd.DataFrame({"user_id": ["a", "a", "b", "b", word, word], "page": ["/", "/x"] * 3})
    views["viewed_at"] = AT + pd.to_timedelta(range(6), unit="min")
    loaded = navigations(views)
    assert loaded["user_id"].nunique() == 2 and loaded.attrs["dropped"]["no_user"] == 2
    separate = navigations(views, unknown_user="separate")
    assert separate["user_id"].nunique() == 4 and len(separate) == 6
    tests = measurements(pd.DataFrame({"user_id": views["user_id"], "rtt_ms": 40.0}))
    assert len(tests) == 4 and tests.attrs["dropped"]["no_user"] == 2


@pytest.mark.parametrize("word", NOBODY)
def test_views_without_a_session_are_left_out_where_others_have_one(word):
    views = pd.DataFrame({"session_id": ["s", "s", word, "t", "t"], "page": ["/", "/x", "/", "/", "/y"]})
    loaded = navigations(views)
    assert loaded["session_id"].tolist() == [0, 0, 1, 1] and loaded.attrs["dropped"]["no_session"] == 1


@pytest.mark.parametrize("word", ["anonymous", None])
def test_without_users_and_sessions_the_way_out_is_said(word):
    views = pd.DataFrame({"user_id": [word] * 3, "page": ["/", "/x", "/"]})
    views["viewed_at"] = AT + pd.to_timedelta(range(3), unit="min")
    with pytest.raises(WorkbenchError, match=r'column of sessions or.*unknown_user = "separate"'):
        navigations(views)
    assert navigations(views, unknown_user="separate")["user_id"].nunique() == 3


def test_without_any_session_sessions_are_made_of_users_and_times():
    views = pd.DataFrame({"session_id": "(not set)", "user_id": ["a", "a", "b"], "page": ["/", "/x", "/"]})
    views["viewed_at"] = AT + pd.to_timedelta(range(3), unit="min")
    assert navigations(views)["session_id"].tolist() == [0, 0, 1]
