from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.schema import (
    BY_NAME,
    COLUMNS,
    LEVELS,
    MEASURED,
    Column,
    check_measurements,
    context_columns,
    has_signal,
    known_context,
    measured_quantities,
)
from workbench.errors import WorkbenchError


def checked(**columns: object) -> pd.DataFrame:
    """Three rows with an RTT, and the columns in question, held against the contract."""
    return check_measurements(pd.DataFrame({"rtt_ms": [10.0, 20.0, 30.0], **columns}), "mine")


def refusal(**columns: object) -> str:
    with pytest.raises(WorkbenchError) as caught:
        checked(**columns)
    return str(caught.value)


RTT = "above 0, or infinite where the probe was lost"


@pytest.mark.parametrize(
    ("column", "values", "sentence"),
    [
        ("rtt_ms", [10, 0, -5], f"{RTT}; 2 values differ, first row 1: 0.0; row 2: -5.0"),
        ("rtt_ms", [10, np.inf, -np.inf], f"{RTT}; 1 value differs, first row 2: -inf"),
        ("downlink_mbps", [np.inf, 1, 0], "above 0 and finite; 2 values differ, first row 0: inf; row 2: 0.0"),
        ("page_load_ms", [1, 2, -np.inf], "above 0 and finite; 1 value differs, first row 2: -inf"),
        ("rtt_ms", ["1", "fast", "2"], "numbers; 1 value differs, first row 1: 'fast'"),
        ("os_major", [11, -1, None], "0 or above, and finite; 1 value differs, first row 1: -1.0"),
        ("browser_major", [np.inf, 1, 2], "0 or above, and finite; 1 value differs, first row 0: inf"),
        ("netinfo_rtt_ms", [0, -25, 50], "0 or above, and finite; 1 value differs, first row 1: -25.0"),
        ("local_hour", [0, 24, 23], "from 0 to 23; 1 value differs, first row 1: 24.0"),
        ("utc_offset_h", [-13, 0, 15], "from -12 to 14; 2 values differ, first row 0: -13.0; row 2: 15.0"),
        ("effective_type", ["4g", "5g", None], "one of slow-2g, 2g, 3g, 4g; 1 value differs, first row 1: '5g'"),
        (
            "connection_type",
            ["WIFI", "lte", "wifi"],
            "one of wifi, ethernet, bluetooth, cellular, unknown, 2g, 3g, 4g, 5g; 2 values differ, "
            "first row 0: 'WIFI'; row 1: 'lte'",
        ),
        ("save_data", ["on", "maybe", None], "true or false; 1 value differs, first row 1: 'maybe'"),
        ("simulated", [0, 1, 2], "true or false; 1 value differs, first row 2: 2"),
        (
            "measured_at",
            ["2026-01-31T18:00Z", "yesterday", None],
            "times (ISO 8601, as in 2026-01-31T18:00Z); 1 value differs, first row 1: 'yesterday'",
        ),
    ],
)
def test_a_bad_value_is_refused_with_column_count_and_rows(column, values, sentence):
    assert refusal(**{column: values}) == f"mine: column {column!r} must be {sentence}."


def test_only_the_first_three_bad_rows_are_shown_in_their_order_by_their_own_labels():
    frame = pd.DataFrame({"rtt_ms": [1.0, -1, -np.inf, -3, 0, 2]}, index=list("fedcba"))
    with pytest.raises(WorkbenchError) as caught:
        check_measurements(frame, "mine")
    assert str(caught.value).endswith("; 4 values differ, first row e: -1.0; row d: -inf; row c: -3.0.")


def test_a_bad_text_among_thousands_is_counted_in_full():
    frame = pd.DataFrame({"rtt_ms": ["x"] * 5_000})
    with pytest.raises(WorkbenchError, match="5,000 values differ, first row 0: 'x'; row 1: 'x'; row 2: 'x'"):
        check_measurements(frame, "mine")


def test_an_empty_table_is_refused():
    with pytest.raises(WorkbenchError, match=r"^mine: expected at least one row; got an empty table"):
        check_measurements(pd.DataFrame({"rtt_ms": []}), "mine")


def test_a_table_in_which_nothing_is_measured_is_told_how_to_name_its_column():
    with pytest.raises(WorkbenchError) as caught:
        check_measurements(pd.DataFrame({"RTT": [1.0], "country": ["DE"]}), "mine")
    assert "one measured column of rtt_ms, downlink_mbps, page_load_ms; got RTT, country." in str(caught.value)
    assert "columns={'<yours>': 'rtt_ms'}" in str(caught.value)


def test_a_column_that_comes_twice_is_refused():
    frame = pd.DataFrame([[1.0, 2.0, "DE"]], columns=["rtt_ms", "rtt_ms", "country"])
    with pytest.raises(WorkbenchError, match="each column may come once; 'rtt_ms' came more often"):
        check_measurements(frame, "mine")


@pytest.mark.parametrize(
    "values",
    [
        [15169, 3320, 701],
        [15169.0, 3320.0, 701.0],
        pd.array([15169, 3320, 701], "Int64"),
        pd.Series([15169.0, 3320, "701"], dtype=object),
        ["15169", "3320", "701"],
        pd.Categorical([15169, 3320, 701]),
    ],
)
def test_an_asn_is_digits_however_it_was_read(values):
    asn = checked(asn=values)["asn"]
    assert asn.tolist() == ["15169", "3320", "701"]
    assert asn.dtype == "str"


def test_an_asn_beside_missing_ones_is_digits_still():
    assert checked(asn=[15169.0, np.nan, 701.0])["asn"].dropna().tolist() == ["15169", "701"]
    assert checked(asn=pd.Series([15169.0, None, 701], dtype=object))["asn"].dropna().tolist() == ["15169", "701"]


def test_na_is_namibia_and_not_missing():
    country = checked(country=["NA", None, "DE"])["country"]
    assert country.iloc[0] == "NA"
    assert country.isna().tolist() == [False, True, False]


@pytest.mark.parametrize("values", [["true", "False", None], ["on", "off", None], ["1", " 0", None], [1, 0, None]])
def test_flags_are_read_from_the_words_of_csv_files_and_headers(values):
    flag = checked(save_data=values)["save_data"]
    assert flag.dtype == "boolean"
    assert flag.iloc[:2].tolist() == [True, False]
    assert flag.isna().tolist() == [False, False, True]


def test_times_are_utc_whatever_their_offset_and_form():
    noon = pd.Timestamp("2026-01-31T12:00Z")
    texts = ["2026-01-31T12:00Z", "2026-01-31 12:00:00", "2026-01-31T13:30+01:30"]
    zoned = pd.Series([noon] * 3).dt.tz_convert("Asia/Tokyo")
    naive = pd.Series([noon] * 3).dt.tz_localize(None).astype("datetime64[ns]")
    for values in (texts, zoned, naive):
        at = checked(measured_at=values)["measured_at"]
        assert at.tolist() == [noon] * 3
        assert at.dtype == "datetime64[us, UTC]"
    assert checked(measured_at=[date(2026, 1, 31), None, None])["measured_at"].iloc[0] == pd.Timestamp(
        "2026-01-31", tz=0
    )


@pytest.mark.parametrize("values", [[1_769_860_800, 1, 2], [1.7e12, np.nan, 1.8e12], ["01/02/2026 12:00", None, None]])
def test_a_time_that_could_mean_two_things_is_refused(values):
    assert "column 'measured_at' must be times (ISO 8601" in refusal(measured_at=values)


def test_columns_outside_the_contract_are_dropped_and_the_rest_is_in_its_order():
    frame = checked(colour="red", user_id=[1, 2, 3], country="DE")
    assert list(frame) == ["country", "user_id", "rtt_ms"]
    assert frame["user_id"].tolist() == ["1", "2", "3"]


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


def test_the_frame_given_is_left_as_it_was():
    frame = pd.DataFrame({"rtt_ms": ["1", "2"], "asn": [1.0, None], "save_data": ["on", None]})
    before = frame.copy(deep=True)
    check_measurements(frame, "mine")
    pd.testing.assert_frame_equal(frame, before)


def test_each_level_knows_what_the_one_before_it_knows_and_more():
    known = [set(context_columns(level)) for level in LEVELS]
    assert all(earlier <= later for earlier, later in pairwise(known))
    assert known[1] - known[0] == {"device", "effective_type", "netinfo_rtt_ms", "netinfo_downlink_mbps"}
    assert known[2] - known[1] == {"connection_type"}
    assert known[3] == known[2]
    assert known[4] - known[3] == {"access_technology"}


def test_no_level_knows_who_when_or_what_was_measured():
    assert not {*MEASURED, "user_id", "measured_at", "utc_offset_h", "simulated"} & set(context_columns("never"))


def test_an_unknown_level_is_answered_with_those_that_exist():
    with pytest.raises(WorkbenchError, match=r"one of first_request, .*; got 'first_reqest'. Did you mean 'first_req"):
        context_columns("first_reqest")


LINKS = ["wifi", "2g", "3g", "4g", "5g", "ethernet", "cellular", "unknown", None]


def test_a_browser_script_sees_cellular_where_an_app_sees_the_generation():
    frame = pd.DataFrame({"connection_type": pd.Series(LINKS, dtype="str")})
    script = known_context(frame, "client_js")["connection_type"]
    cellular = ["cellular"] * 4
    assert script.fillna("missing").tolist() == ["wifi", *cellular, "ethernet", "cellular", "unknown", "missing"]
    pd.testing.assert_series_equal(known_context(frame, "native_app")["connection_type"], frame["connection_type"])
    assert "connection_type" not in known_context(frame, "after_accept_ch")


@pytest.mark.parametrize("level", LEVELS)
def test_columns_known_by_then_but_absent_are_all_missing_in_their_own_type(level):
    frame = pd.DataFrame({"rtt_ms": [1.0, 2.0]}, index=[7, 9])
    known = known_context(frame, level, [Column("plan", "str", "first_request", "")])
    assert list(known) == [*context_columns(level), "plan"]
    assert known.isna().all(axis=None)
    assert list(known.index) == [7, 9]
    for name in known:
        assert str(known[name].dtype) == (BY_NAME[name].dtype if name in BY_NAME else "str"), name


def test_cutting_a_context_twice_changes_nothing():
    frame = checked(country="DE", connection_type=["4g", "wifi", None], device="Pixel 9", access_technology="wifi6")
    for level in LEVELS:
        once = known_context(frame, level)
        pd.testing.assert_frame_equal(known_context(once, level), once)


def test_any_netinfo_value_that_is_visible_is_a_signal():
    frame = pd.DataFrame(
        {
            "effective_type": ["4g", None, None, None],
            "netinfo_rtt_ms": [np.nan, 25, np.nan, np.nan],
            "netinfo_downlink_mbps": [np.nan, np.nan, 0, np.nan],
            "connection_type": ["wifi"] * 4,
        }
    )
    assert has_signal(frame).tolist() == [True, True, True, False]
    assert has_signal(known_context(frame, "after_accept_ch")).tolist() == [True, True, True, False]
    assert has_signal(known_context(frame, "first_request")).tolist() == [False] * 4


def test_a_measured_quantity_counts_where_it_has_a_value():
    frame = pd.DataFrame({"page_load_ms": [None, 900.0], "rtt_ms": [np.nan, np.nan], "downlink_mbps": [1.0, 2.0]})
    assert measured_quantities(frame) == ["downlink_mbps", "page_load_ms"]
