import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.canonical import add_local_hour, to_canonical
from workbench.datasets.cards import Card
from workbench.datasets.loading import measurements, navigations
from workbench.errors import WorkbenchError


def test_missing_markers_are_blanked_before_values_are_mapped():
    source = pd.DataFrame({"isp": ["a", "unknown", "b", None, "c"]})
    before = source.copy(deep=True)
    card = Card(name="ours", missing=("unknown",), values={"isp": {"a": "b", "b": "a"}})  # swapped, not chained
    assert to_canonical(source, card)["isp"].fillna("(missing)").tolist() == ["b", "(missing)", "a", "(missing)", "c"]
    pd.testing.assert_frame_equal(source, before)


@pytest.mark.parametrize(
    ("versions", "major"),
    [
        (["11.0.2", " 9", "130.0.6723.58", "R", None], [11, 9, 130, np.nan, np.nan]),
        ([11, 12.0, "13.1", None], [11, 12, 13, np.nan]),
        (pd.Series([11, 12], dtype=object), [11, 12]),
        ([11.0, np.nan], [11, np.nan]),
        ([None, None], [np.nan, np.nan]),
    ],
)
def test_the_major_version_is_the_leading_number(versions, major):
    got = to_canonical(pd.DataFrame({"os_major": versions, "browser_major": versions}), Card(name="ours"))
    for name in got:
        np.testing.assert_array_equal(got[name].to_numpy(float), np.array(major, float))


def test_constants_hold_for_every_row_and_a_files_own_come_last():
    card = Card(name="ours", constants={"country": "CN", "isp": "x"})
    got = to_canonical(pd.DataFrame({"rtt_ms": [1, 2]}), card, {"isp": "y", "access_technology": "5g"})
    expected = {"country": "CN", "isp": "y", "access_technology": "5g"}
    assert got.to_dict("records") == [{"rtt_ms": 1, **expected}, {"rtt_ms": 2, **expected}]


def test_a_column_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(WorkbenchError) as caught:
        to_canonical(pd.DataFrame({"RTT": [1], "land": ["DE"]}), Card(name="ours", columns={"Land": "country"}))
    assert str(caught.value) == ("ours: expected a column 'Land' (for country); got RTT, land. Did you mean 'land'?")


@pytest.mark.parametrize("row", [["ann", "40"], ["ann", "2026-01-31T18:00:00Z"], ["ann@example.org", "x"]])
def test_a_row_of_values_where_names_should_be_is_not_shown(row):
    with pytest.raises(WorkbenchError, match="write header = false") as caught:
        to_canonical(pd.DataFrame([["bob", "50"]], columns=row), Card(name="ours", columns={"rtt": "rtt_ms"}))
    assert "ann" not in str(caught.value)


def test_values_for_a_column_that_nothing_gives_are_refused():
    with pytest.raises(WorkbenchError, match="values are mapped for 'isp', which no column gives; got rtt_ms"):
        to_canonical(pd.DataFrame({"rtt_ms": [1]}), Card(name="ours", values={"isp": {"a": "b"}}))


@pytest.mark.parametrize("folder", [None, Path("of-a-card")])
def test_a_mapped_column_goes_before_one_of_that_name_and_others_are_used_and_named(folder):
    source = pd.DataFrame({"ping": ["40"], "rtt_ms": ["9999"], "isp": ["Alpha"], "city": [None], "other": ["x"]})
    got = to_canonical(source, Card(name="ours", columns={"ping": "rtt_ms"}, folder=folder))
    assert got["rtt_ms"].tolist() == ["40"] and got["isp"].tolist() == ["Alpha"]
    assert "other" not in got or folder is None
    beaten, used = got.attrs["warnings"]
    assert "rtt_ms" in beaten and "isp" not in beaten
    assert "isp" in used and not re.search("rtt_ms|city|other", used)


def test_two_columns_mapped_to_one_are_refused():
    source = pd.DataFrame({"a": ["1"], "b": ["2"]})
    with pytest.raises(WorkbenchError, match="each column may come once; 'os_major' came more often"):
        to_canonical(source, Card(name="ours", columns={"a": "os_major", "b": "os_major"}))


@pytest.mark.parametrize(
    ("utc", "offset_h", "hour"),
    [
        ("12:00", 0, 12),
        ("18:30", 5.5, 0),  # India, midnight sharp
        ("00:10", -5, 19),
        ("18:14", 5.75, 23),  # Nepal
        ("18:15", 5.75, 0),
        ("12:00", 14, 2),
        ("12:00", np.nan, np.nan),
    ],
)
def test_the_local_hour_follows_from_utc_and_offset(utc, offset_h, hour):
    frame = pd.DataFrame({"measured_at": pd.to_datetime([f"2026-03-01T{utc}Z"]), "utc_offset_h": [offset_h]})
    np.testing.assert_array_equal(add_local_hour(frame)["local_hour"], [hour])


def test_a_local_hour_that_was_given_stays_and_none_is_made_up():
    at = pd.to_datetime(["2026-03-01T12:00Z"])
    given = pd.DataFrame({"measured_at": at, "utc_offset_h": [0.0], "local_hour": [7.0]})
    assert add_local_hour(given)["local_hour"].tolist() == [7]
    assert "local_hour" not in add_local_hour(given[["measured_at"]])


@pytest.mark.parametrize(("given", "file"), [("rtt", " rtt "), (" rtt ", "rtt"), (" rtt ", " rtt ")])
def test_spaces_around_a_column_name_do_not_matter(given, file):
    source = pd.DataFrame({file: ["40"], "rtt2": ["50"]})
    assert to_canonical(source, Card(name="ours", columns={given: "rtt_ms"}))["rtt_ms"].tolist() == ["40"]


FILTERED = pd.DataFrame(
    {"metric": ["LCP", "CLS", "LCP", None, "LCP"], "ms": ["1200", "0.1", "90000", "7", "900"], "bot": [*"01010"]}
)


@pytest.mark.parametrize(
    ("entries", "left"),
    [
        ({"keep": {"metric": ["LCP"]}}, [0, 2, 4]),
        ({"skip": {"metric": ["CLS", ""]}}, [0, 2, 4]),
        ({"skip": {"ms": {"above": 60_000}, "bot": ["1"]}}, [0, 4]),
        ({"keep": {"ms": {"above": 1}}, "skip": {"metric": [""]}}, [0, 2, 4]),
        ({"keep": {"metric": ["LCP"], "ms": {"below": 1000}}}, [4]),
        ({"keep": {"metric": ["FID"]}}, []),
    ],
)
def test_rows_are_left_out_by_values_and_by_bounds_and_counted(entries, left):
    got = to_canonical(FILTERED, Card(name="ours", columns={"ms": "page_load_ms"}, **entries))
    assert got.index.tolist() == left and got.attrs["dropped"] == {"skipped": 5 - len(left)}


def test_when_no_row_is_left_the_columns_to_look_at_are_named():
    with pytest.raises(WorkbenchError, match=r"keep or time_zone leave out all 5\. See which values 'metric' have"):
        measurements(FILTERED, columns={"ms": "page_load_ms"}, keep={"metric": ["FID"]})


def test_a_lost_probe_is_infinite_and_its_zero_throughput_is_missing():
    source = pd.DataFrame({"ping": ["20", "90000", "30"], "mbit": ["5", "0.0", "0.5"]})
    card = Card(name="ours", columns={"ping": "rtt_ms", "mbit": "downlink_mbps"}, lost={"ping": {"above": 60_000}})
    got = to_canonical(source, card)
    assert got["rtt_ms"].astype(float).tolist() == [20, np.inf, 30]
    assert got["downlink_mbps"].fillna("none").tolist() == ["5", "none", "0.5"]


def test_a_decimal_comma_is_read_in_numbers_and_bounds_and_nowhere_else():
    source = pd.DataFrame({"a": ["40,5", "1.234,25", "1.500", "7"], "isp": ["A,5", "B", "1.500", "C"]})
    card = Card(name="ours", columns={"a": "rtt_ms"}, decimal=",", skip={"a": {"below": 10.5}})
    got = to_canonical(source, card)
    assert got["rtt_ms"].astype(float).tolist() == [40.5, 1234.25, 1500] and got["isp"].tolist() == [
        "A,5",
        "B",
        "1.500",
    ]


AT = pd.Timestamp("2026-01-31T18:00:05Z")


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("2026-01-31 18:00:05 UTC", {}),
        ("2026-01-31 18:00:05.000 Etc/UTC", {"time_zone": "Asia/Tokyo"}),
        ("2026-01-31 18:00:05+00", {}),
        ("2026-01-31 18:00:05 GMT", {}),
        ("1769882405000000", {"time_unit": "unix_us"}),
        ("31/01/26, 18:00:05", {"time_format": "%d/%m/%y, %H:%M:%S"}),
        ("31/01/26, 19:00:05", {"time_format": "%d/%m/%y, %H:%M:%S", "time_zone": "Europe/Berlin"}),
        ("31/Jan/2026 20:00:05 +0200", {"time_format": "%d/%b/%Y %H:%M:%S %z", "time_zone": "Asia/Tokyo"}),
        ("2026-01-31 19:00:05", {"time_zone": "Europe/Berlin"}),
        ("2026-01-31T13:00:05-05:00", {"time_zone": "Europe/Berlin"}),  # its own offset goes first
        (pd.Timestamp("2026-01-31T19:00:05"), {"time_zone": "Europe/Berlin"}),
        (AT.tz_convert("Asia/Tokyo"), {"time_zone": "Europe/Berlin"}),
    ],
)
def test_times_are_read_as_the_card_says(text, entries):
    views = measurements(pd.DataFrame({"rtt_ms": [40.0, 41.0], "measured_at": [text, None]}), **entries)
    assert views["measured_at"][0] == AT and pd.isna(views["measured_at"][1])


def test_local_times_that_a_clock_shows_twice_or_never_are_left_out_and_counted():
    """Berlin, 2026: 29 March has no 02:30, 25 October has two; a time with an offset is clear."""
    texts = ["2026-03-29 01:30", "2026-03-29 02:30", "2026-10-25 02:30", "2026-10-25 02:30+01:00", "2026-10-25 03:30"]
    frame = pd.DataFrame({"rtt_ms": [1.0, 2, 3, 4, 5], "measured_at": texts})
    views = measurements(frame, time_zone="Europe/Berlin")
    assert views["rtt_ms"].tolist() == [1, 4, 5] and views.attrs["dropped"]["clock_change"] == 2
    assert views["measured_at"].dt.strftime("%d %H:%M").tolist() == ["29 00:30", "25 01:30", "25 02:30"]


@pytest.mark.parametrize(
    ("times", "entries", "way_out"),
    [
        (["1769882405", "1769882406"], {}, 'Write time_unit = "unix_s"'),
        ([1769882405000, 1769882406000], {}, 'Write time_unit = "unix_ms"'),
        (["1769882405000000"] * 2, {"time_unit": "unix_ms"}, 'Write time_unit = "unix_us"'),
        (["31.01.2026", "2026-01-31"], {}, "or as time_format says; 1 value differs, first row 0: '31.01.2026'"),
        (["31/01/26", "01-31"], {"time_format": "%d/%m/%y"}, "'%d/%m/%y' says; 1 value differs, first row 1: '01-31'"),
        (["2026-01-31", "soon"], {"time_zone": "Europe/Berlin"}, "1 value differs, first row 1: 'soon'"),
    ],
)
def test_a_time_of_another_form_is_refused_with_what_to_write(times, entries, way_out):
    with pytest.raises(WorkbenchError) as caught:
        measurements(pd.DataFrame({"rtt_ms": [40.0, 41.0], "measured_at": times}), **entries)
    assert way_out in str(caught.value)


def test_what_may_be_a_persons_is_not_shown_in_an_error():
    private = [
        "192.0.2.77",
        "fe80::1",
        "ann@example.org",
        "Mozilla/5.0 (X11; Linux)",
        "0b9e1c1e-8f4a-4e0a-9d53-0c1f0f5b2a11",
        "e3b0c44298fc1c149afbf4c8996fb9",
    ]
    for value in private:
        for frame in (
            pd.DataFrame({"rtt_ms": [value] * 2}),
            pd.DataFrame({value: [1.0]}),
            pd.DataFrame({"at": [value]}),
        ):
            with pytest.raises(WorkbenchError) as caught:
                measurements(frame, columns={"at": "measured_at"} if "at" in frame else None)
            assert value not in str(caught.value)


LONG_IDS = [10**18 + 3 * k for k in range(3)]


def test_long_ids_stay_apart_beside_a_marker_of_no_value():
    card = Card(name="ours", missing={"user_id": ["-1"]})
    frame = to_canonical(pd.DataFrame({"user_id": [*LONG_IDS, -1], "rtt_ms": 40}), card)
    assert [*frame["user_id"].dropna()] == LONG_IDS


def test_ids_that_are_floats_too_long_to_tell_apart_are_refused():
    with pytest.raises(WorkbenchError, match=r"'user_id' must be text or whole numbers"):
        to_canonical(pd.DataFrame({"user_id": [float(LONG_IDS[0])], "rtt_ms": 40}), Card(name="ours"))


@pytest.mark.parametrize(
    ("cells", "marker", "left"),
    [
        ([True, False, None], "false", 2),
        ([True, False], "False", 1),
        ([True, False], "0", 1),
        (["-1.0", "3", "x"], "-1", 2),
        ([-1, 3, None], "-1", 2),
        (["007", "7"], "7", 1),
    ],
)
def test_a_marker_fits_truth_values_and_numbers_however_they_are_written(cells, marker, left):
    source = pd.DataFrame({"ok": pd.Series(cells, dtype=object), "rtt_ms": 40})
    assert len(to_canonical(source, Card(name="ours", skip={"ok": [marker]}))) == left
    assert len(to_canonical(source.infer_objects(), Card(name="ours", skip={"ok": [marker]}))) == left


@pytest.mark.parametrize(
    "values",
    [
        pd.array([40, 99_999, None], dtype="Int64"),
        pd.array([40, 99_999, None], dtype="Float64"),
        pd.array([40, 99_999, None], dtype="int64[pyarrow]"),
        pd.Categorical([40, 99_999, None]),
        pd.arrays.SparseArray([40.0, 99_999.0, np.nan]),
        [40, 99_999, ""],
        [" 40", "99999 ", "\u00a0"],
    ],
)
def test_bounds_and_values_see_numbers_in_any_column(values):
    own = pd.DataFrame({"rtt_ms": values, "isp": ["a", " b", "c\u00a0"]})
    for bounds in ({"above": 60_000}, ["99999"]):
        lost = measurements(own, lost={"rtt_ms": bounds})
        assert lost["rtt_ms"].tolist() == [40, np.inf] and lost["isp"].tolist() == ["a", "b"]
    assert measurements(own, skip={"rtt_ms": {"above": 60_000}})["rtt_ms"].tolist() == [40]


@pytest.mark.parametrize("given", [[1, 2, 1], [1.0, 2.0, 1.0], ["1", "2", "1.0"], pd.Categorical([1, 2, 1])])
def test_values_are_mapped_whatever_type_a_column_has(given):
    own = pd.DataFrame({"rtt_ms": [40.0, 41.0, 42.0], "isp": given})
    assert measurements(own, values={"isp": {"1": "One", "2": ""}})["isp"].fillna("-").tolist() == ["One", "-", "One"]


def test_blanks_around_pages_and_users_make_no_others_and_rows_without_a_page_are_counted():
    pages, users = [" /a", "/a ", "/b", "", None, "/a"], ["u", "u ", "\u00a0u", "u", "u", "v"]
    at = pd.date_range("2026-01-31 18:00:05", periods=6, freq="20s", tz="UTC")
    views = navigations(pd.DataFrame({"page": pages, "user_id": users, "viewed_at": at}))
    assert views["page"].tolist() == ["/a", "/b", "/a"] and views["user_id"].tolist() == ["u", "u", "v"]
    assert (views.attrs["dropped"]["no_page"], views.attrs["dropped"]["repeats"]) == (2, 1)


def test_a_number_beyond_any_float_is_one_bad_row():
    own = pd.DataFrame({"rtt_ms": [10**400, *[40] * 11]}, dtype=object)
    assert measurements(own).attrs["dropped"]["implausible"] == 1


def test_half_of_a_surrogate_pair_in_a_frame_is_the_replacement_character():
    own = pd.DataFrame({"page": ["/a\ud83d", "/ä"], "session_id": ["s", "s"]}, dtype=object)
    assert navigations(own)["page"].tolist() == ["/a\N{REPLACEMENT CHARACTER}", "/ä"]
