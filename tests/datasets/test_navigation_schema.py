import numpy as np
import pandas as pd
import pytest

from workbench.datasets.columns import Column
from workbench.datasets.schema import (
    BY_NAME,
    EXPECTED,
    NAVIGATION_COLUMNS,
    NAVIGATION_HISTORY,
    check_navigations,
    known_context,
    navigation_context_columns,
)
from workbench.errors import WorkbenchError

NEVER_SHOWN = {"user_id", "page_bytes", "utc_offset_h", "simulated"}


def checked(**columns: object) -> pd.DataFrame:
    return check_navigations(pd.DataFrame({"page": ["a", "b", "a"], "session_id": [1, 1, 2], **columns}), "mine")


def refusal(**columns: object) -> str:
    with pytest.raises(WorkbenchError) as caught:
        checked(**columns)
    return str(caught.value)


@pytest.mark.parametrize(
    ("column", "values", "sentence"),
    [
        ("page", ["a", None, np.nan], "there in every row; 2 values differ, first row 1: nan; row 2: nan"),
        ("session_id", [1, None, 2], "there in every row; 1 value differs, first row 1: nan"),
        ("viewed_at", ["2026-01-31", None, "2026-02-01"], "there in every row; 1 value differs, first row 1: NaT"),
        ("viewed_at", ["2026-01-31", "noon", "2026-02-01"], "times (ISO 8601, as in 2026-01-31T18:00Z); 1 value diff"),
        ("page_bytes", [10, -1, None], "0 or above, and finite; 1 value differs, first row 1: -1.0"),
        ("page_bytes", [10, "big", None], "numbers; 1 value differs, first row 1: 'big'"),
        ("local_hour", [0, 24, 23], "from 0 to 23; 1 value differs, first row 1: 24.0"),
        ("effective_type", ["4g", "5g", None], "one of slow-2g, 2g, 3g, 4g; 1 value differs, first row 1: '5g'"),
        ("position", [0, "first", 1], "numbers; 1 value differs, first row 1: 'first'"),
    ],
)
def test_a_bad_value_is_refused_with_column_count_and_rows(column, values, sentence):
    assert refusal(**{column: values}).startswith(f"mine: column {column!r} must be {sentence}")


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ({"page": []}, "mine: expected at least one page view; got an empty table."),
        ({"url": ["a"]}, "mine: expected a column page; got url. Name yours with columns={'<yours>': 'page'}."),
        ({"page": ["a", "b"]}, "mine: expected a column session_id, or user_id and viewed_at, from which sessions are"),
        ({"page": ["a", "b"], "user_id": ["u", "u"]}, "made; got page, user_id. Name yours with columns={'<yours>': "),
        (
            {"page": ["a", "a"], "session_id": [1, 2]},
            "views of at least two pages, or there is nothing to predict; all",
        ),
    ],
)
def test_a_table_that_says_too_little_is_refused_with_what_is_missing(frame, sentence):
    with pytest.raises(WorkbenchError) as caught:
        check_navigations(pd.DataFrame(frame), "mine")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_that_comes_twice_is_refused():
    frame = pd.DataFrame([["a", "b", 1]], columns=["page", "page", "session_id"])
    with pytest.raises(WorkbenchError, match="each column may come once; 'page' came more often"):
        check_navigations(frame, "mine")


@pytest.mark.parametrize("values", [[2, 10, 2], [2.0, 10.0, 2.0], ["2", "10", "2"], pd.Categorical(["2", "10", "2"])])
def test_pages_are_texts_in_sorted_categories_that_occur_however_they_were_read(values):
    page = checked(page=values)["page"]
    assert page.cat.categories.tolist() == ["10", "2"]
    assert page.cat.categories.dtype == "str"
    assert page.tolist() == ["2", "10", "2"]


def test_categories_without_a_view_are_dropped():
    page = checked(page=pd.Categorical(["b", "c", "b"], categories=["a", "b", "c"]))["page"]
    assert page.cat.categories.tolist() == ["b", "c"]


def test_columns_outside_the_contract_are_dropped_and_measured_ones_are_none_of_it():
    assert list(checked(rtt_ms=[1, 2, 3], other=1, country="DE")) == ["session_id", "page", "country"]


def test_context_columns_are_the_same_objects_as_for_measurements():
    for column in NAVIGATION_COLUMNS:
        if column.level and column not in NAVIGATION_HISTORY:
            assert column is BY_NAME[column.name]
    assert {column.level for column in NAVIGATION_HISTORY} == {"first_request"}
    assert len({column.name for column in NAVIGATION_COLUMNS}) == len(NAVIGATION_COLUMNS)


def views() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "view_id": [0, 1],
            "user_id": ["u", "u"],
            "session_id": [0, 0],
            "viewed_at": pd.to_datetime(["2026-01-31T12:00Z", "2026-01-31T12:01Z"]),
            "position": [0, 1],
            "page": pd.Categorical(["a", "b"]),
            "country": ["DE", "DE"],
            "asn": ["1", "1"],
            "connection_type": ["4g", "wifi"],
            "device": ["phone", "phone"],
            "plan": ["large", "small"],
            "page_bytes": [10.0, 20.0],
            "simulated": [False, False],
            **{column.name: [0.0, 1.0] for column in NAVIGATION_HISTORY},
        },
        index=[7, 8],
    )


def test_a_policy_never_sees_who_it_is_or_what_comes_later():
    for level in ("first_request", "after_accept_ch", "client_js", "native_app", "never"):
        context = known_context(views(), level)
        assert not NEVER_SHOWN & set(context)
        assert context.index.tolist() == [7, 8]
        assert list(context)[:5] == ["view_id", "session_id", "position", "page", "viewed_at"]
        assert list(context)[-5:] == [column.name for column in NAVIGATION_HISTORY]


def test_context_grows_with_what_is_known_and_a_script_sees_no_generation():
    assert "device" not in known_context(views(), "first_request")
    assert "connection_type" not in known_context(views(), "after_accept_ch")
    assert known_context(views(), "client_js")["connection_type"].tolist() == ["cellular", "wifi"]
    assert known_context(views(), "native_app")["connection_type"].tolist() == ["4g", "wifi"]


def test_known_columns_that_the_source_lacks_are_all_missing():
    context = known_context(views(), "client_js")
    assert {*EXPECTED} <= set(context)
    for name in ("os_family", "browser", "save_data", "local_hour", "effective_type"):
        assert context[name].isna().all()
        assert context[name].dtype == BY_NAME[name].dtype
    assert "asn" in context
    assert "isp" not in context
    assert "viewed_at" not in known_context(views().drop(columns="viewed_at"), "client_js")


def test_columns_of_the_card_come_with_their_level():
    plan = Column("plan", "str", "after_accept_ch", "what is paid for")
    assert "plan" not in known_context(views(), "first_request", (plan,))
    assert known_context(views(), "client_js", (plan,))["plan"].tolist() == ["large", "small"]
    assert navigation_context_columns("client_js", (plan,))[-1] == "plan"
    assert "earlier_views" not in navigation_context_columns("client_js")


def test_a_context_can_be_cut_again():
    context = known_context(views(), "client_js")
    pd.testing.assert_frame_equal(known_context(context, "client_js"), context)


def test_an_unknown_level_is_refused():
    with pytest.raises(WorkbenchError, match=r"known_by must be one of first_request, .*; got 'server'"):
        known_context(views(), "server")
