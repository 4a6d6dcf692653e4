import numpy as np
import pandas as pd
import pytest

from workbench.datasets import known_context, measurements
from workbench.datasets.schema import has_signal
from workbench.errors import WorkbenchError


def loaded(**columns: object) -> pd.DataFrame:
    """Measurements with these columns, as many rows as they have."""
    rows = len(next(iter(columns.values())))
    return measurements(pd.DataFrame({"rtt_ms": np.full(rows, 50.0), **columns}))


def read(name: str, values: list) -> list:
    """What a column's values become; missing ones are None."""
    got = loaded(**{name: values})[name]
    return got.astype(object).where(got.notna(), None).tolist()


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("effective_type", ["4g", "4G", " 3g ", "slow_2g", "slow-2g", "Slow 2G"], ["4g", "4g", "3g", *["slow-2g"] * 3]),
        ("effective_type", ['"4g"', "unknown", "offline", "", "null", "undefined"], ["4g", *[None] * 5]),
        (
            "connection_type",
            ["WIFI", "wi-fi", "none", "other", "wimax", "mixed"],
            ["wifi"] * 2 + [None] + ["unknown"] * 3,
        ),
        ("connection_type", ["unknown", "cellular", "4g", None], ["unknown", "cellular", "4g", None]),
        ("netinfo_rtt_ms", ["0", "50", "-1", "null", "undefined", ""], [None, 50, None, None, None, None]),
        ("netinfo_rtt_ms", [0, 50, 25.0], [None, 50, 25]),
        ("netinfo_downlink_mbps", ["Infinity", "0", "10", "0.025"], [None, None, 10, 0.025]),
        ("netinfo_downlink_mbps", [np.inf, 0.0, 1.5], [None, None, 1.5]),
        ("save_data", ["?1", "?0", "on", "On", "", "undefined", "yes"], [True, False, True, True, None, None, True]),
        ("save_data", [True, False, None], [True, False, None]),
        ("os_family", ['"Android"', "Android", '""', "null"], ["Android", "Android", None, None]),
        ("device", ['"Pixel 7"', "Pixel 7"], ["Pixel 7", "Pixel 7"]),
        ("browser", ['"Chromium";v="1", "Brave";v="1"', '"Edge"'], ['"Chromium";v="1", "Brave";v="1"', "Edge"]),
        ("os_major", ['"13.0.1"', "14"], [13, 14]),
        ("isp", ["null", "None", '"A"'], ["null", "None", '"A"']),  # a provider may be called so
    ],
)
def test_what_browsers_send_is_read_in_their_spellings(name, given, expected):
    assert read(name, given) == expected


def test_a_browser_that_knows_nothing_gives_no_signal():
    frame = loaded(
        netinfo_rtt_ms=["0", "0", "50", "0"],
        netinfo_downlink_mbps=["0", "Infinity", "0", "0"],
        effective_type=["unknown", "offline", "", "4g"],
    )
    assert has_signal(known_context(frame, "client_js")).tolist() == [False, False, True, True]


def test_a_value_that_a_column_cannot_have_is_missing_up_to_one_row_in_a_hundred():
    values = ["4g"] * 198 + ["5g", "fast"]
    frame = loaded(effective_type=values)
    assert frame["effective_type"].isna().sum() == 2 and frame["effective_type"].dropna().eq("4g").all()
    (said,) = frame.attrs["warnings"]
    assert "2 values" in said and "5g" in said and "fast" not in said  # a word may be a name
    with pytest.raises(WorkbenchError, match="'effective_type' must be one of slow-2g, 2g, 3g, 4g; 3 values differ"):
        loaded(effective_type=[*values[1:], "lte"])
    for name in ("netinfo_rtt_ms", "save_data", "local_hour"):
        frame = loaded(**{name: ["1"] * 5 + ["-3 maybe"]})
        assert frame[name].isna().sum() == 1 and "maybe" not in frame.attrs["warnings"][0]
        with pytest.raises(WorkbenchError, match=f"'{name}' must be .*; 2 values differ, first row 4: '-3 maybe'"):
            loaded(**{name: ["1"] * 4 + ["-3 maybe"] * 2})
