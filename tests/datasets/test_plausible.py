import numpy as np
import pandas as pd
import pytest

from workbench.datasets import measurements, navigations
from workbench.errors import WorkbenchError


@pytest.mark.parametrize(
    ("name", "values", "scale", "sentence"),
    [
        ("rtt_ms", [0.04, 0.042, 0.05], {}, r"rtt_ms is 0.042 ms \(seconds\?\).* scale = { rtt_ms = 1000 }"),
        ("rtt_ms", [40_000, 42_000, 50_000], {}, r"rtt_ms is 42,000 ms \(microseconds\?\).* { rtt_ms = 0.001 }"),
        ("rtt_ms", [40_000, 42_000, np.inf], {"rtt_ms": 1000}, r"is 41,000,000 ms \(nanoseconds\?\).* = 0.001 }"),
        ("downlink_mbps", ["25000", "26000"], {}, r"is 25,500 Mbit/s \(kbit/s\?\).* { downlink_mbps = 0.001 }"),
        ("downlink_mbps", [31_269_154.9], {}, r"is 31,269,155 Mbit/s \(bit/s\?\).* { downlink_mbps = 1e-06 }"),
        ("downlink_mbps", [2e-5], {}, r"is 2e-05 Mbit/s, which no network has\. Write plausible = false"),
        ("page_load_ms", [1.2, 2.5], {}, r"is 1.85 ms \(seconds\?\).* scale = { page_load_ms = 1000 }"),
    ],
)
def test_a_median_that_no_network_has_is_refused_with_the_scale_to_write(name, values, scale, sentence):
    frame = pd.DataFrame({name: values})
    with pytest.raises(WorkbenchError, match=sentence):
        measurements(frame, scale=scale)


def test_the_scale_that_is_named_mends_the_frame_and_every_mistaken_unit_is_named():
    frame = pd.DataFrame({"rtt_ms": [0.04, 0.05], "downlink_mbps": [25_000, 30_000]})
    with pytest.raises(WorkbenchError, match=r"scale = { rtt_ms = 1000, downlink_mbps = 0.001 }"):
        measurements(frame)
    mended = measurements(frame, scale={"rtt_ms": 1000, "downlink_mbps": 0.001})
    assert mended["rtt_ms"].tolist() == [40, 50] and mended["downlink_mbps"].tolist() == [25, 30]
    assert measurements(frame, plausible=False)["rtt_ms"].tolist() == [0.04, 0.05]


def failing(*bad: object, rows: int) -> pd.DataFrame:
    return pd.DataFrame({"rtt_ms": [*bad, *[40.0] * (rows - len(bad))], "user_id": "u"}, dtype=object)


@pytest.mark.parametrize("bad", [0.0, -5, "0.0", 1_800_000, "fast", -np.inf])
def test_one_failed_measurement_of_eleven_is_dropped_and_counted(bad):
    views = measurements(failing(bad, rows=11))
    assert len(views) == 10 and views["rtt_ms"].eq(40).all()
    assert views.attrs["dropped"] == {"duplicates": 0, "implausible": 1, "unmeasured": 0}


@pytest.mark.parametrize(("bad", "rows", "loads"), [(1, 9, False), (2, 11, False), (2, 200, True), (3, 200, False)])
def test_up_to_one_row_in_a_hundred_may_have_failed(bad, rows, loads):
    frame = failing(*[0.0] * bad, rows=rows)
    if loads:
        assert measurements(frame).attrs["dropped"]["implausible"] == bad
        return
    with pytest.raises(
        WorkbenchError, match=rf"{bad} values? differs?, first row 0: 0\.0.* {bad} of {rows} measured rows"
    ):
        measurements(frame)


def test_rows_without_a_measurement_do_not_dilute_those_that_failed():
    unmeasured = pd.DataFrame({"rtt_ms": [None] * 980}, dtype=object)
    with pytest.raises(WorkbenchError, match="10 of 20 measured rows"):
        measurements(pd.concat([failing(*[0.0] * 10, rows=20), unmeasured], ignore_index=True))


@pytest.mark.parametrize(
    ("bad", "way_out"),
    [
        ([1_800_000] * 2, r"lost = { ping = { above = 120000 } } if unanswered, skip = { ping = { above"),
        ([0.0] * 2, "skip = { ping = { below = 0.01 } }"),
        (["-"] * 2, "for what stands for no value, or lost"),
        (["40,5"] * 2, 'Write decimal = ","'),
    ],
)
def test_more_are_refused_with_what_to_write(bad, way_out):
    frame = failing(*bad, rows=20).rename(columns={"rtt_ms": "ping"})
    with pytest.raises(WorkbenchError, match=way_out):
        measurements(frame, columns={"ping": "rtt_ms"})


def test_bounds_are_in_the_units_of_the_source():
    frame = failing(*[1_800] * 2, rows=20).assign(rtt_ms=lambda rows: rows["rtt_ms"].replace(40.0, 0.04))
    with pytest.raises(WorkbenchError, match=r"rtt_ms = { above = 120 }"):
        measurements(frame, scale={"rtt_ms": 1000})
    views = measurements(frame, scale={"rtt_ms": 1000}, lost={"rtt_ms": {"above": 120}})
    assert views.attrs["lost"] == 2 and views["rtt_ms"].iloc[2] == 40


def test_lost_probes_and_missing_values_are_no_failures():
    views = measurements(pd.DataFrame({"rtt_ms": [np.inf] * 5 + [None] * 5 + [40.0]}))
    assert views.attrs["dropped"] == {"duplicates": 0, "unmeasured": 5} and views.attrs["lost"] == 5


@pytest.mark.parametrize("scale", [{}, {"rtt_ms": 1.5}])
def test_an_infinite_number_is_lost_but_the_text_of_one_needs_a_card_that_says_so(scale):
    frame = failing(*["1e999"] * 2, rows=20)
    with pytest.raises(WorkbenchError, match=r"2 of 20 measured rows .* Write lost = { rtt_ms = { above = "):
        measurements(frame, scale=scale)
    assert measurements(frame, scale=scale, lost={"rtt_ms": {"above": 1e6}}).attrs["lost"] == 2
    assert measurements(failing(np.inf, np.inf, rows=20), scale=scale).attrs["lost"] == 2


def test_several_quantities_in_one_column_are_refused_with_keep_which_mends_it():
    vitals = pd.DataFrame({"metric": ["LCP", "CLS", "TTFB"] * 4, "value": [1300, 0.01, 200] * 4})
    with pytest.raises(
        WorkbenchError, match=r"4 of 12 measured rows .*keep if a column says which quantity a row holds"
    ):
        measurements(vitals, columns={"value": "page_load_ms"})
    kept = measurements(vitals, columns={"value": "page_load_ms"}, keep={"metric": ["LCP"]})
    assert kept["page_load_ms"].tolist() == [1300] * 4 and kept.attrs["dropped"]["skipped"] == 8


def test_seconds_among_milliseconds_are_doubted():
    mixed = measurements(pd.DataFrame({"rtt_ms": [40.0, 55.0, 0.04, 60.0, 0.05, 70.0]}))
    assert any("33 % of rtt_ms are under 1 ms" in said for said in mixed.attrs["warnings"])
    half = measurements(pd.DataFrame({"rtt_ms": [40.0, 0.055, 20.0, 0.04], "downlink_mbps": [9.0, 11.0, 12_000, 10.0]}))
    assert "50 % of rtt_ms are under 1 ms" in half.attrs["warnings"][0]
    assert "25 % of downlink_mbps are over 2,000 Mbit/s" in half.attrs["warnings"][1]
    near = measurements(pd.DataFrame({"rtt_ms": [40.0, 55.0, 0.6, 60.0, 0.8, 70.0]}))  # of a server next door
    assert not near.attrs.get("warnings")


def test_one_odd_number_of_context_is_missing_and_more_are_refused():
    views = pd.DataFrame({"session_id": range(6), "page": ["/", "/x"] * 3, "page_bytes": [100.0] * 5 + [-1.0]})
    loaded = navigations(views)
    assert loaded["page_bytes"].isna().sum() == 1 and "page size, 1 value" in loaded.attrs["warnings"][0]
    with pytest.raises(WorkbenchError, match="'page_bytes' must be 0 or above"):
        navigations(pd.concat([views, views], ignore_index=True))


def test_a_skip_that_fits_no_row_is_said():
    own = pd.DataFrame({"rtt_ms": [40.0, 50.0, 60.0], "kind": ["a", "b", "a"]})
    assert not measurements(own, skip={"kind": ["b"]}).attrs.get("warnings")
    assert "skip on 'kind' fits no row." in measurements(own, skip={"kind": ["B"]}).attrs["warnings"]
