import time

import pandas as pd
import pytest

from workbench.datasets import measurements, navigations
from workbench.datasets.times import fitting_formats, log_times
from workbench.errors import WorkbenchError

AT = pd.Timestamp("2026-01-31T18:00:05Z")
NS = str(AT.value)
DAYS = (AT - pd.Timestamp("1899-12-30", tz="UTC")) / pd.Timedelta("1D")  # 46053.750057870


def times(values, **entries) -> pd.DataFrame:
    table = values if isinstance(values, pd.DataFrame) else pd.DataFrame({"measured_at": values})
    return measurements(table.assign(rtt_ms=40.0), **entries)


@pytest.mark.parametrize(
    ("value", "entries"),
    [
        (NS, {"time_unit": "unix_ns"}),
        (int(NS), {"time_unit": "unix_ns"}),
        ("1769882405.000", {"time_unit": "unix_s"}),
        ("1.769.882.405,0", {"time_unit": "unix_s", "decimal": ","}),
        (f"{DAYS:.9f}", {"time_unit": "excel_days"}),
        (f"{DAYS:.9f}".replace(".", ","), {"time_unit": "excel_days", "decimal": ","}),
        (f"{DAYS + 1 / 24:.10f}", {"time_unit": "excel_days", "time_zone": "Europe/Berlin"}),
        ("01/31/2026 6:00:05 PM", {"time_format": "%m/%d/%Y %I:%M:%S %p"}),
    ],
)
def test_numbers_and_forms_are_times(value, entries):
    assert times([value, None, value], **entries)["measured_at"].fillna(AT).tolist() == [AT] * 3


@pytest.mark.parametrize(
    "text", ["2026-01-31T18:00:05Z ", " 20260131T190005+0100", "20260131T180005Z", "2026-01-31 18:00:05,000 UTC"]
)
@pytest.mark.parametrize("word", ["NULL", "undefined", "N/A", "-", " ", "0000-00-00 00:00:00"])
def test_spellings_of_iso_8601_are_times_and_words_for_no_value_are_missing(text, word):
    read = times([text, "2026-01-31T19:00:05", word], time_zone="Europe/Berlin")["measured_at"]
    assert read[:2].tolist() == [AT, AT] and pd.isna(read[2])


def test_each_time_of_a_log_is_read_by_itself():
    given = {
        "-": pd.NaT,
        "2026-01-31 19:00:05": AT,
        "2026-01-31 19:00:05,250": AT + pd.Timedelta("250ms"),
        "2026-01-31 18:00:05 +0000": AT,
        "2026-01-31T18:00:05Z ": AT,
        "31/Jan/2026:17:00:05 -0100": AT,
        "1769882405": AT,
        "1769882405250": AT + pd.Timedelta("250ms"),
        NS: AT,
        "7": pd.NaT,
    }
    read, local = log_times(pd.Series([*given], dtype=object), "", "Europe/Berlin")
    assert local and read["moment"].astype(object).tolist() == [*given.values()] and not read["clock_change"].any()
    read, local = log_times(pd.Series(["2026-03-29 02:30:00", "2026-10-25 02:30:00"]), "", "Europe/Berlin")
    assert read["clock_change"].all() and read["moment"].isna().all()
    assert not log_times(pd.Series(["31/Jan/2026:17:00:05 -0100", NS, "-", None]), "", "")[1]


def test_spaces_before_a_zone_take_no_longer_than_their_number_allows():
    began = time.perf_counter()
    assert log_times(pd.Series(["2026-01-31T18:00:05" + " " * 100_000 + "y"]), "", "")[0]["moment"].isna().all()
    assert time.perf_counter() - began < 1  # a quadratic expression takes over a minute


@pytest.mark.parametrize(
    ("parts", "entries"),
    [
        ({"d": "2026-01-31", "t": "18:00:05"}, {}),
        ({"d": pd.Timestamp("2026-01-31"), "t": "18:00:05"}, {}),
        ({"d": "31.01.2026", "t": " 19:00:05"}, {"time_format": "%d.%m.%Y %H:%M:%S", "time_zone": "Europe/Berlin"}),
        ({"d": "2026-01-31T18:00:05Z"}, {}),
    ],
)
def test_a_day_and_a_time_of_day_in_two_columns_are_one_time(parts, entries):
    table = pd.DataFrame([parts, dict.fromkeys(parts)])
    read = times(table, date=list(parts), **entries)["measured_at"]
    assert read[0] == AT and pd.isna(read[1])


@pytest.mark.parametrize(
    ("value", "entries", "said"),
    [
        ("2026-01-31 18:00:05", {}, True),
        ("31.01.2026 18.00", {"time_format": "%d.%m.%Y %H.%M"}, True),
        (f"{DAYS}", {"time_unit": "excel_days"}, True),
        ("2026-01-31 18:00:05", {"time_zone": "UTC"}, False),
        ("2026-01-31 18:00:05+01:00", {}, False),
        ("2026-01-31", {}, False),
        (NS, {"time_unit": "unix_ns"}, False),
    ],
)
def test_local_times_without_a_time_zone_are_said_to_be_taken_for_utc(value, entries, said):
    assert any("time_zone" in each for each in times([value], **entries).attrs["warnings"]) == said


@pytest.mark.parametrize(
    ("odd", "good", "entries"),
    [
        ("0001-01-01T00:00:00Z", "2026-01-31T18:00:05Z", {}),
        ("9999-12-31", "2026-01-31", {}),
        ("0", "1769882405", {"time_unit": "unix_s"}),
        ("-1", NS, {"time_unit": "unix_ns"}),
        ("0", "46053", {"time_unit": "excel_days"}),
        ("01.01.0001", "31.01.2026", {"time_format": "%d.%m.%Y"}),
    ],
)
def test_a_time_of_an_unset_clock_is_counted_out_and_many_are_refused(odd, good, entries):
    views = times([odd, *[good] * 9], **entries)
    assert len(views) == 9 and views.attrs["dropped"]["implausible"] == 1
    with pytest.raises(WorkbenchError, match=f"between 1990 and 2100; 2 of 10 differ, first row 0: '{odd}'.*missing"):
        times([odd] * 2 + [good] * 8, **entries)


@pytest.mark.parametrize(
    ("values", "entries", "sentence"),
    [
        ([NS], {}, 'Write time_unit = "unix_ns"'),
        ([46053.75], {}, 'Write time_unit = "excel_days"'),
        (["46053"], {"time_unit": "unix_s"}, 'number of s since 1970, .* Write time_unit = "excel_days"'),
        (["soon", NS], {"time_unit": "unix_ns"}, "must be numbers, as time_unit = 'unix_ns' says; 1 value .* 'soon'"),
        (["31.01.2026 18:00", "01.02.2026 07:15"], {}, 'Write time_format = "%d.%m.%Y %H:%M"'),
        ([True, False], {}, "must be times"),
    ],
)
def test_other_times_are_refused_with_what_to_write(values, entries, sentence):
    with pytest.raises(WorkbenchError, match=sentence):
        times(values, **entries)


@pytest.mark.parametrize(
    ("texts", "forms"),
    [
        (["02/28/2026 10:00", "03/01/2026 10:00"], ["%m/%d/%Y %H:%M"]),
        (["28/02/2026", "01/03/2026"], ["%d/%m/%Y"]),
        # Both orders fit; a log of two days in May is likelier than one of two months.
        (["05/06/2026 10:00", "05/07/2026 10:00"], ["%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M"]),
        (["Jan 3, 2026, 6:05 PM", "Jan 4, 2026, 7:00 AM"], ["%b %d, %Y, %I:%M %p"]),
        (["31/Jan/2026:18:00:05 +0100", "01/Feb/2026:18:00:05 +0000"], ["%d/%b/%Y:%H:%M:%S %z"]),
        (["Jan 31, 2026 @ 18:00:05.120"], ["%b %d, %Y @ %H:%M:%S.%f"]),
        (["31.01.2026, 18:00 Uhr"], ["%d.%m.%Y, %H:%M Uhr"]),
        (["yesterday"], []),
    ],
)
def test_day_and_month_are_told_apart_by_the_values(texts, forms):
    assert fitting_formats(pd.Series(texts))[: len(forms) or None] == forms


@pytest.mark.parametrize("word", ["NULL", "-", None])
def test_views_without_a_time_are_counted_out(word):
    views = pd.DataFrame({"session_id": 1, "page": ["/a", "/b", "/c"], "viewed_at": [word, *[AT.isoformat()] * 2]})
    loaded = navigations(views)
    assert loaded["page"].tolist() == ["/b", "/c"] and loaded.attrs["dropped"]["bad_time"] == 1
    assert any("Over 10 %" in said for said in loaded.attrs["warnings"])
    with pytest.raises(WorkbenchError, match="there in every row; 3 values differ"):
        navigations(views.assign(viewed_at=word))


def test_one_value_in_a_hundred_may_be_no_time_and_is_counted():
    times = [f"2026-01-05T10:00:{i:02}Z" for i in range(11)]
    views = pd.DataFrame({"session_id": 1, "page": [f"/{i}" for i in range(12)], "viewed_at": [*times, "soon"]})
    loaded = navigations(views)
    assert len(loaded) == 11 and loaded.attrs["dropped"]["bad_time"] == 1
    with pytest.raises(WorkbenchError, match="2 values differ, first row 10: 'soon'"):
        navigations(views.assign(viewed_at=[*times[:10], "soon", "later"]))
