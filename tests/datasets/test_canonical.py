import numpy as np
import pandas as pd
import pytest

from workbench.datasets.cards import Card
from workbench.datasets.readers import add_local_hour, drop_unmeasured, to_canonical
from workbench.errors import WorkbenchError


def test_source_columns_become_canonical_ones(tmp_path):
    source = pd.DataFrame({"RTT": ["40"], "land": ["DE"], "unused": ["x"]})
    card = Card(name="ours", columns={"RTT": "rtt_ms", "land": "country"}, folder=tmp_path)
    assert to_canonical(source, card).to_dict("records") == [{"rtt_ms": "40", "country": "DE"}]


def test_columns_that_a_card_does_not_map_are_left_out_and_those_of_a_persons_own_frame_kept(tmp_path):
    source = pd.DataFrame({"RTT": [40], "country": ["DE"]})
    mapped = {"RTT": "rtt_ms"}
    assert list(to_canonical(source, Card(name="ours", columns=mapped, folder=tmp_path))) == ["rtt_ms"]
    assert list(to_canonical(source, Card(name="ours", columns=mapped))) == ["rtt_ms", "country"]


def test_missing_markers_are_blanked_before_values_are_mapped():
    source = pd.DataFrame({"connection_type": ["WIFI", "unknown", "4G", None, "ethernet"]})
    card = Card(name="ours", missing=("unknown",), values={"connection_type": {"WIFI": "wifi", "4G": "4g"}})
    canonical = to_canonical(source, card)["connection_type"]
    assert canonical.fillna("(missing)").tolist() == ["wifi", "(missing)", "4g", "(missing)", "ethernet"]


def test_values_are_swapped_and_not_chained():
    source = pd.DataFrame({"isp": ["a", "b", "c"]})
    card = Card(name="ours", values={"isp": {"a": "b", "b": "a"}})
    assert to_canonical(source, card)["isp"].tolist() == ["b", "a", "c"]


@pytest.mark.parametrize("name", ["os_major", "browser_major"])
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
def test_the_major_version_is_the_leading_number(name, versions, major):
    got = to_canonical(pd.DataFrame({name: versions}), Card(name="ours"))[name]
    np.testing.assert_array_equal(got.to_numpy(float), np.array(major, float))


def test_constants_hold_for_every_row_and_a_files_own_come_last():
    card = Card(name="ours", constants={"country": "CN", "isp": "x"})
    got = to_canonical(pd.DataFrame({"rtt_ms": [1, 2]}), card, {"isp": "y", "access_technology": "5g"})
    expected = {"country": "CN", "isp": "y", "access_technology": "5g"}
    assert got.to_dict("records") == [{"rtt_ms": 1, **expected}, {"rtt_ms": 2, **expected}]


def test_the_source_is_left_as_it_was():
    source = pd.DataFrame({"os_major": ["11.2", None], "isp": ["a", "?"]})
    before = source.copy(deep=True)
    to_canonical(source, Card(name="ours", missing=("?",), values={"isp": {"a": "b"}}, constants={"country": "DE"}))
    pd.testing.assert_frame_equal(source, before)


def test_a_column_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(WorkbenchError) as caught:
        to_canonical(pd.DataFrame({"RTT": [1], "land": ["DE"]}), Card(name="ours", columns={"Land": "country"}))
    assert str(caught.value) == ("ours: expected a column 'Land' (for country); got RTT, land. Did you mean 'land'?")


def test_values_for_a_column_that_nothing_gives_are_refused():
    with pytest.raises(WorkbenchError, match="values are mapped for 'isp', which no column gives; got rtt_ms"):
        to_canonical(pd.DataFrame({"rtt_ms": [1]}), Card(name="ours", values={"isp": {"a": "b"}}))


@pytest.mark.parametrize("name", ["rtt_ms", "os_major"])
def test_two_columns_cannot_become_one(name):
    source = pd.DataFrame({"a": ["1"], name: ["2"]})
    with pytest.raises(WorkbenchError, match=f"each column may come once; '{name}' came more often"):
        to_canonical(source, Card(name="ours", columns={"a": name}, values={name: {"1": "3"}}))


def test_rows_in_which_nothing_was_measured_are_dropped():
    frame = pd.DataFrame({"rtt_ms": [None, 1.0, None], "downlink_mbps": [2.0, None, None], "isp": list("abc")})
    kept = drop_unmeasured(frame)
    assert kept["isp"].tolist() == ["a", "b"]
    assert kept.index.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("utc", "offset_h", "hour"),
    [
        ("12:00", 0, 12),
        ("23:59", 0, 23),
        ("18:30", 5.5, 0),  # India, midnight sharp
        ("18:29", 5.5, 23),
        ("00:10", -5, 19),
        ("18:14", 5.75, 23),  # Nepal
        ("18:15", 5.75, 0),
        ("12:00", 14, 2),
    ],
)
def test_the_local_hour_follows_from_utc_and_offset(utc, offset_h, hour):
    frame = pd.DataFrame({"measured_at": pd.to_datetime([f"2026-03-01T{utc}Z"]), "utc_offset_h": [offset_h]})
    assert add_local_hour(frame)["local_hour"].tolist() == [hour]


def test_the_local_hour_is_missing_where_time_or_offset_is():
    at = pd.to_datetime(["2026-03-01T12:00Z", None, "2026-03-01T12:00Z"])
    frame = pd.DataFrame({"measured_at": at, "utc_offset_h": [1.0, 1.0, None]})
    assert add_local_hour(frame)["local_hour"].isna().tolist() == [False, True, True]


def test_a_local_hour_that_was_given_stays_and_none_is_made_up():
    at = pd.to_datetime(["2026-03-01T12:00Z"])
    given = pd.DataFrame({"measured_at": at, "utc_offset_h": [0.0], "local_hour": [7.0]})
    assert add_local_hour(given)["local_hour"].tolist() == [7]
    assert "local_hour" not in add_local_hour(given[["measured_at"]])
