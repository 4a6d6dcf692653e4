import pandas as pd
import pytest

from workbench.datasets import measurements
from workbench.datasets.numerals import as_points
from workbench.errors import WorkbenchError


@pytest.mark.parametrize(
    ("decimal", "given", "expected"),
    [
        (",", ["1.234,5", "0,25", "7"], [1234.5, 0.25, 7]),
        (",", ["2.125", "1.000.000"], [2125, 1_000_000]),
        (",", ["2.125", "0.042", "12.5"], [2.125, 0.042, 12.5]),  # no comma anywhere, and points that end no thousand
        (",", ["1 234,5", "1\u00a0234", "1'000", "-3,5"], [1234.5, 1234, 1000, -3.5]),
        (",", ["2,5e3", None, "n/a"], [2500, None, None]),
        (".", ["1,100", "950", "12,000"], [1100, 950, 12_000]),
        (".", ["1,234,567", "1,100"], [1_234_567, 1100]),
        (".", ["1,234.5", "1,100", "2000"], [1234.5, 1100, 2000]),
        (".", ["1,100", "1,250"], [None, None]),  # or 1.1 and 1.25: not known
        (".", ["1,100", "2500"], [None, 2500]),
        (".", ["12,5", "950"], [None, 950]),
        (".", ["1 100.5", "0.042"], [1100.5, 0.042]),
        (".", ["0.5", "1e3", "x"], [0.5, 1000, None]),
    ],
)
def test_numbers_are_read_by_their_marks(decimal, given, expected):
    read = pd.to_numeric(as_points(pd.Series(given), decimal), errors="coerce")
    assert read.astype(object).where(read.notna(), None).tolist() == expected


def test_both_marks_as_decimal_marks_are_refused():
    own = pd.DataFrame({"rtt_ms": ["12,5", "0.042", "40,5"]})
    with pytest.raises(
        WorkbenchError, match=r"'rtt_ms' must be numbers with a decimal comma; 1 value .* row 1: '0.042'"
    ):
        measurements(own, decimal=",")
    with pytest.raises(WorkbenchError, match=r"1,100.*decimal = \",\""):
        measurements(pd.DataFrame({"rtt_ms": ["1,100", "1,250"]}))
    assert measurements(pd.DataFrame({"rtt_ms": ["1,100", "1,250"]}), thousands=",")["rtt_ms"].tolist() == [1100, 1250]
    with pytest.raises(WorkbenchError, match="thousands and decimal must be two marks"):
        measurements(pd.DataFrame({"rtt_ms": ["1,100"]}), thousands=".")
    assert measurements(pd.DataFrame({"rtt_ms": ["1,100", "250"]}))["rtt_ms"].tolist() == [1100, 250]
