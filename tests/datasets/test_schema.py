from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from workbench.datasets import label, measurements, navigations, schema
from workbench.datasets.schema import COLUMNS, LEVELS, Column, check_measurements, check_navigations, known_context
from workbench.errors import WorkbenchError


def checked(**columns: object) -> pd.DataFrame:
    """Three rows with an RTT, and the columns in question, held against the contract."""
    return check_measurements(pd.DataFrame({"rtt_ms": [10.0, 20.0, 30.0], **columns}), "mine")


def checked_views(**columns: object) -> pd.DataFrame:
    """The same for three views of two sessions."""
    return check_navigations(pd.DataFrame({"page": ["a", "b", "a"], "session_id": [1, 1, 2], **columns}), "mine")


RTT = "above 0, or infinite where the probe was lost"


@pytest.mark.parametrize(
    ("check", "column", "values", "sentence"),
    [
        (checked, "rtt_ms", [10, 0, -5], f"{RTT}; 2 values differ, first row 1: 0.0; row 2: -5.0"),
        (checked, "rtt_ms", [10, np.inf, -np.inf], f"{RTT}; 1 value differs, first row 2: -inf"),
        (checked, "downlink_mbps", [np.inf, 1, 0], "above 0 and finite; 2 values differ, first row 0: inf; row 2: 0.0"),
        (checked, "rtt_ms", ["1", "fast", "2"], "numbers; 1 value differs, first row 1: 'fast'"),
        (checked, "os_major", [11, -1, None], "0 or above, and finite; 1 value differs, first row 1: -1.0"),
        (checked, "local_hour", [0, 24, 23], "from 0 to 23; 1 value differs, first row 1: 24.0"),
        (checked, "utc_offset_h", [-13, 0, 15], "from -12 to 14; 2 values differ, first row 0: -13.0; row 2: 15.0"),
        (checked, "effective_type", ["4g", "5g", None], "one of slow-2g, 2g, 3g, 4g; 1 value differs, first row 1: '5"),
        (checked, "connection_type", ["WIFI", "lte", "wifi"], "one of wifi, ethernet, bluetooth, cellular, unknown"),
        (checked, "save_data", ["on", "maybe", None], "true or false; 1 value differs, first row 1: 'maybe'"),
        (checked, "measured_at", ["2026-01-31T18:00Z", "yesterday", None], "times (ISO 8601, as in 2026-01-31T18:00Z)"),
        (checked_views, "page", ["a", None, np.nan], "there in every row; 2 values differ, first row 1: nan; row 2:"),
        (checked_views, "session_id", [1, None, 2], "there in every row; 1 value differs, first row 1: nan"),
        (checked_views, "viewed_at", ["2026-01-31", None, "2026-02-01"], "there in every row; 1 value differs, first"),
        (checked_views, "page_bytes", [10, -1, None], "0 or above, and finite; 1 value differs, first row 1: -1.0"),
        (checked_views, "position", [0, "first", 1], "numbers; 1 value differs, first row 1: 'first'"),
    ],
)
def test_a_bad_value_is_refused_with_column_count_and_rows(check, column, values, sentence):
    with pytest.raises(WorkbenchError) as caught:
        check(**{column: values})
    assert str(caught.value).startswith(f"mine: column {column!r} must be {sentence}")


def test_only_the_first_three_bad_rows_are_shown_in_their_order_by_their_own_labels():
    frame = pd.DataFrame({"rtt_ms": [1.0, -1, -np.inf, -3, 0, 2]}, index=list("fedcba"))
    with pytest.raises(WorkbenchError) as caught:
        check_measurements(frame, "mine")
    assert str(caught.value).endswith("; 4 values differ, first row e: -1.0; row d: -inf; row c: -3.0.")


def test_a_column_that_comes_twice_is_refused():
    frame = pd.DataFrame([[1.0, 2.0, "a", 1]], columns=["rtt_ms", "rtt_ms", "page", "session_id"])
    for check in (check_measurements, check_navigations):
        with pytest.raises(WorkbenchError, match="each column may come once; 'rtt_ms' came more often"):
            check(frame, "mine")


@pytest.mark.parametrize(
    "values",
    [
        [15169, 3320, 701],
        pd.array([15169, 3320, 701], "Int64"),
        pd.Series([15169.0, 3320, "701"], dtype=object),
        ["15169", "3320", "701"],
        pd.Categorical([15169, 3320, 701]),
        [15169.0, 3320.0, 701.0, None],
    ],
)
def test_an_asn_is_digits_however_it_was_read(values):
    asn = check_measurements(pd.DataFrame({"asn": values}).assign(rtt_ms=1.0), "mine")["asn"]
    assert asn.dropna().tolist() == ["15169", "3320", "701"] and asn.dtype == "str"


@pytest.mark.parametrize("values", [["true", "False", None], ["on", "off", None], ["1", " 0", None], [1, 0, None]])
def test_flags_are_read_from_the_words_of_csv_files_and_headers(values):
    flag = checked(save_data=values)["save_data"]
    assert flag.dtype == "boolean" and flag.iloc[:2].tolist() == [True, False]
    assert flag.isna().tolist() == [False, False, True]


def test_times_are_utc_whatever_their_offset_and_form():
    noon = pd.Timestamp("2026-01-31T12:00Z")
    texts = ["2026-01-31T12:00Z", "2026-01-31 12:00:00", "2026-01-31T13:30+01:30"]
    zoned = pd.Series([noon] * 3).dt.tz_convert("Asia/Tokyo")
    naive = pd.Series([noon] * 3).dt.tz_localize(None).astype("datetime64[ns]")
    for values in (texts, zoned, naive):
        at = checked(measured_at=values)["measured_at"]
        assert at.tolist() == [noon] * 3 and at.dtype == "datetime64[us, UTC]"
    day = checked(measured_at=[date(2026, 1, 31), None, None])["measured_at"]
    assert day.iloc[0] == pd.Timestamp("2026-01-31", tz=0)


@pytest.mark.parametrize("values", [[1_769_860_800, 1, 2], [1.7e12, np.nan, 1.8e12], ["01/02/2026 12:00", None, None]])
def test_a_time_that_could_mean_two_things_is_refused(values):
    with pytest.raises(WorkbenchError, match=r"column 'measured_at' must be times \(ISO 8601"):
        checked(measured_at=values)


def test_missing_values_of_every_column_are_welcome():
    nothing = {column.name: [None] * 3 for column in COLUMNS if column.name != "rtt_ms"}
    frame = checked(**nothing)
    assert frame.drop(columns="rtt_ms").isna().all(axis=None)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {c.name: c.dtype for c in COLUMNS}


def test_a_declared_column_is_checked_by_its_own_type():
    frame = pd.DataFrame({"rtt_ms": [1.0, 2.0], "signal_dbm": ["-80", "strong"]})
    extra = [Column("signal_dbm", "float64", "native_app", "")]
    with pytest.raises(WorkbenchError, match="'signal_dbm' must be numbers; 1 value differs, first row 1: 'strong'"):
        check_measurements(frame, "mine", extra)
    frame["signal_dbm"] = [-80.0, np.inf]
    with pytest.raises(WorkbenchError, match="'signal_dbm' must be finite; 1 value differs, first row 1: inf"):
        check_measurements(frame, "mine", extra)
    assert list(check_measurements(frame.head(1), "mine", extra)) == ["rtt_ms", "signal_dbm"]


def test_each_level_knows_what_the_one_before_it_knows_and_more():
    known = [set(schema.context_columns(level)) for level in LEVELS]
    assert all(earlier <= later for earlier, later in pairwise(known))
    assert known[1] - known[0] == {"device", "effective_type", "netinfo_rtt_ms", "netinfo_downlink_mbps"}
    assert known[2] - known[1] == {"connection_type"} and known[3] == known[2]
    assert known[4] - known[3] == {"access_technology"}
    assert not {*schema.MEASURED, "user_id", "measured_at", "utc_offset_h", "simulated"} & known[4]


def test_an_unknown_level_is_answered_with_those_that_exist():
    with pytest.raises(WorkbenchError, match=r"one of first_request, .*; got 'first_reqest'. Did you mean 'first_req"):
        schema.context_columns("first_reqest")


@pytest.mark.parametrize("level", LEVELS)
def test_columns_known_by_then_but_absent_are_all_missing_in_their_own_type(level):
    frame = pd.DataFrame({"rtt_ms": [1.0, 2.0]}, index=[7, 9])
    known = known_context(frame, level, [Column("plan", "str", "first_request", "")])
    assert list(known) == [*schema.context_columns(level), "plan"] and known.isna().all(axis=None)
    assert list(known.index) == [7, 9]
    for name in known:
        assert str(known[name].dtype) == (schema.BY_NAME[name].dtype if name in schema.BY_NAME else "str"), name


def test_any_netinfo_value_that_is_visible_is_a_signal():
    frame = pd.DataFrame(
        {
            "effective_type": ["4g", None, None, None],
            "netinfo_rtt_ms": [np.nan, 25, np.nan, np.nan],
            "netinfo_downlink_mbps": [np.nan, np.nan, 0, np.nan],
            "connection_type": ["wifi"] * 4,
        }
    )
    assert schema.has_signal(frame).tolist() == [True, True, True, False]
    assert schema.has_signal(known_context(frame, "after_accept_ch")).tolist() == [True, True, True, False]
    assert schema.has_signal(known_context(frame, "first_request")).tolist() == [False] * 4


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ({"rtt_ms": []}, "mine: expected at least one row; got an empty table"),
        ({"RTT": [1]}, 'measured column of rtt_ms, downlink_mbps, page_load_ms; got RTT. Name yours under columns: "'),
        ({"page": []}, "mine: expected at least one page view; got an empty table."),
        ({"url": ["a"]}, 'mine: expected a column page; got url. Name yours under columns: "<yours>" = "page".'),
        ({"page": ["a", "b"]}, "mine: expected a column session_id, or user_id and viewed_at, from which sessions are"),
        (
            {"page": ["a", "b"], "user_id": ["u", "u"]},
            'made; got page, user_id. Name yours under columns: "<yours>" = ',
        ),
        ({"page": ["a", "a"], "session_id": [1, 2]}, "views of at least two pages, or there is nothing to predict"),
    ],
)
def test_a_table_that_says_too_little_is_refused_with_what_is_missing(frame, sentence):
    with pytest.raises(WorkbenchError) as caught:
        check = check_measurements if {"rtt_ms", "RTT"} & set(frame) else check_navigations
        check(pd.DataFrame(frame), "mine")
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [[2, 10, 2], [2.0, 10.0, 2.0], ["2", "10", "2"], pd.Categorical(["2", "10", "2"])])
def test_pages_are_texts_in_sorted_categories_that_occur_however_they_were_read(values):
    page = check_navigations(pd.DataFrame({"page": values, "session_id": [1, 1, 2]}), "mine")["page"]
    assert page.cat.categories.tolist() == ["10", "2"] and page.cat.categories.dtype == "str"
    assert page.tolist() == ["2", "10", "2"]


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
            **{column.name: [0.0, 1.0] for column in schema.NAVIGATION_HISTORY},
        },
        index=[7, 8],
    )


def test_a_browser_script_sees_cellular_where_an_app_sees_the_generation():
    links = pd.Series(["wifi", "2g", "5g", "cellular", "unknown", None], dtype="str")
    for frame in (
        pd.DataFrame({"connection_type": links}),
        views().iloc[[0] * 6].assign(connection_type=links.to_numpy()),
    ):
        script = known_context(frame, "client_js")["connection_type"]
        assert script.fillna("").tolist() == ["wifi", "cellular", "cellular", "cellular", "unknown", ""]
        app = known_context(frame, "native_app")["connection_type"]
        pd.testing.assert_series_equal(app, frame["connection_type"])
        assert "connection_type" not in known_context(frame, "after_accept_ch")


def test_a_policy_never_sees_who_it_is_or_what_comes_later():
    for level in LEVELS:
        context = known_context(views(), level)
        assert not {"user_id", "page_bytes", "utc_offset_h", "simulated"} & set(context)
        pd.testing.assert_frame_equal(known_context(context, level), context)
        assert context.index.tolist() == [7, 8]
        assert list(context)[:5] == ["view_id", "session_id", "position", "page", "viewed_at"]
        assert list(context)[-5:] == [column.name for column in schema.NAVIGATION_HISTORY]


def test_known_columns_that_the_source_lacks_are_all_missing():
    context = known_context(views(), "client_js")
    assert {*schema.EXPECTED} <= set(context)
    for name in ("os_family", "browser", "save_data", "local_hour", "effective_type"):
        assert context[name].isna().all() and context[name].dtype == schema.BY_NAME[name].dtype
    assert "asn" in context and "isp" not in context
    plan = Column("plan", "str", "after_accept_ch", "what is paid for")
    assert "plan" not in known_context(views(), "first_request", (plan,))
    assert known_context(views(), "client_js", (plan,))["plan"].tolist() == ["large", "small"]
    assert "viewed_at" not in known_context(views().drop(columns="viewed_at"), "client_js")


def test_every_canonical_column_has_a_label_without_underscores_and_numbers_that_need_it_a_unit():
    for column in (*COLUMNS, *schema.NAVIGATION_COLUMNS):
        assert label(column.name) and "_" not in label(column.name)
    ends = {"_ms": "ms", "_mbps": "Mbit/s", "_s": "s", "_h": "h", "_bytes": "bytes"}
    for column in (*COLUMNS, *schema.NAVIGATION_COLUMNS):
        expected = [said for end, said in ends.items() if column.name.endswith(end) and column.dtype == "float64"]
        assert schema.unit(column.name) == (expected or [""])[0], column.name


def test_the_cards_label_goes_before_the_canonical_one_and_an_unknown_name_is_read_with_spaces():
    card = measurements(pd.DataFrame({"rtt_ms": [1.0]}), labels={"rtt_ms": "ping"}).attrs["card"]
    assert (label("rtt_ms"), label("rtt_ms", card), label("isp", card)) == ("round-trip time", "ping", "provider")
    assert (label("target_region", card), schema.unit("target_region")) == ("target region", "")
    clicks = pd.DataFrame({"session_id": [1, 1], "page": ["/", "/a"]})
    assert label("page", navigations(clicks, labels={"page": "product"}).attrs["card"]) == "product"
