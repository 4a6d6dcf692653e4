"""How a source writes numbers: with a decimal point or comma, and marks between thousands."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.datasets.columns import as_text, bad_values, distinct
from workbench.errors import WorkbenchError

NUMERAL = r"[+-]?[\d.,]+(?:[eE][+-]?\d+)?"
SPACES = " '’\u00a0\u202f"  # between thousands, whatever the decimal mark is
SPACED = rf"[+-]?[1-9]\d{{0,2}}(?:[{SPACES}]\d{{3}})+(?:[.,]\d+)?"


def as_points(values: pd.Series, decimal: str, thousands: str = "") -> pd.Series:
    """Numbers with a decimal point and no marks between thousands, as ``pd.to_numeric`` reads them.

    ``decimal`` is "." or ",", ``thousands`` the other mark where a card says that it stands between thousands. Else it
    does where every value that has it is so written ("1.234,5" of a decimal comma). A column without the decimal mark,
    but with points elsewhere ("12.5"), has decimal points. Of a decimal point, commas stand between thousands if some
    value tells ("1,234,567", "1,234.5"), or if all numbers without one are below 1,000; else "1,100" might be 1.1, and
    stays for the check to refuse, as does whatever is no number. Raises a WorkbenchError if points are decimal marks in
    a column that has decimal commas.

    >>> as_points(pd.Series(["1.234,5", "0,25"]), ",").tolist(), as_points(pd.Series(["1,100", "950"]), ".").tolist()
    (['1234.5', '0.25'], ['1100', '950'])
    """
    if pd.api.types.is_numeric_dtype(values):
        return values
    if decimal == "." and not thousands and (pd.to_numeric(values, errors="coerce").notna() | values.isna()).all():
        return values
    codes, given = distinct(values)
    texts = as_text(given).str.strip()
    spaced = texts.str.fullmatch(SPACED).astype(bool)
    texts = texts.where(~spaced, texts.str.replace(f"[{SPACES}]", "", regex=True))
    read = _read(texts, decimal, thousands, values)
    return pd.Series(np.append(read.to_numpy(object), np.nan)[codes], values.index, name=values.name)


def _read(texts: pd.Series, decimal: str, thousands: str, values: pd.Series) -> pd.Series:
    other = "," if decimal == "." else "."
    numeral = texts.str.fullmatch(NUMERAL).astype(bool)
    marked = numeral & texts.str.contains(other, regex=False)
    grouped = texts.str.fullmatch(rf"[+-]?[1-9]\d{{0,2}}(?:[{other}]\d{{3}})+(?:[{decimal}]\d+)?").astype(bool)
    pointed = texts.where(~numeral, texts.str.replace(other, "", regex=False).str.replace(",", ".", regex=False))
    if not (marked & ~grouped).any():
        sure = decimal == "," or thousands or _between_thousands(texts[grouped], texts[numeral & ~marked])
        return pointed if sure else texts
    if decimal == "," and (numeral & texts.str.contains(",", regex=False)).any():
        bad = values[as_text(values).str.strip().isin(texts[marked & ~grouped])]
        raise WorkbenchError(
            f"{bad_values(str(values.name), 'numbers with a decimal comma', bad)} Write one or the other."
        )
    return texts


def _between_thousands(grouped: pd.Series, plain: pd.Series) -> bool:
    """Whether commas in numbers such as "1,100" stand between thousands for sure."""
    if not len(grouped):
        return False
    told = grouped.str.contains(r",.*[,.]").any()
    return bool(told or (len(plain) and pd.to_numeric(plain, errors="coerce").abs().lt(1_000).all()))
