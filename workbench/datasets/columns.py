"""What a column of a table is, and how a frame is checked against such columns: shared by both tables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import pandera.errors
import pandera.pandas as pa

from workbench.errors import WorkbenchError, did_you_mean

# Who can know a column, in the order in which it becomes known.
Level = Literal["first_request", "after_accept_ch", "client_js", "native_app", "never"]
LEVELS: tuple[str, ...] = get_args(Level)
IN_WORDS = ("at the first request", "from the second request on", "once JavaScript runs", "in an app", "to no policy")
WHEN_KNOWN = dict(zip(LEVELS, IN_WORDS, strict=True))  # behind the word "known"
TEXT, NUMBER, FLAG, TIME, CATEGORY = "str", "float64", "boolean", "datetime64[us, UTC]", "category"
ANYTHING = "any"  # names of any type, which are soon replaced by numbers
BAD_ROWS_SHOWN, COLUMNS_SHOWN, LONGEST_SHOWN = 3, 12, 200
YES, NO = ("true", "1", "on", "yes", "?1"), ("false", "0", "off", "no", "?0")  # "on": Save-Data's own; "?1": RFC 8941
FLAG_WORDS = {**dict.fromkeys(YES, True), **dict.fromkeys(NO, False)}
# What errors do not show, since it may be a person's: mail and IP addresses, telephone numbers, user agents, tokens,
# whole sentences. Names of columns are sentences too, so less of them is hidden.
PERSONAL = (
    r"[^\s(]@[^\s@]|\b[0-9a-fA-F]{1,4}::[0-9a-fA-F]|(?:[0-9a-fA-F]{1,4}:){4}|\d+\.\d+\.\d+\.\d+|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-"
    r"|(?=(?:[A-Za-z]*\d){4})[0-9A-Za-z]{20}|/\d.*\("
)
HEADER = re.compile(PERSONAL)
PRIVATE = re.compile(
    rf"{PERSONAL}|::|(?:[0-9a-fA-F]*:){{4}}|(?=[A-Za-z]*\d)[0-9A-Za-z]{{20}}"
    r"|(?=.* )(?=.*[A-Za-z]).{33}|\+\d[\d ()/.-]{7}",
    re.DOTALL,
)
# Two capitalised words may be a person's name, where they are not what programs say of a failure.
NAME = re.compile(
    r"^(?!(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|No|Not|Un\w+|Service|Timed?|Request|Connection|Host|Network|Error|Failed)\b)"
    r".{0,40}?\b[^\W\d_a-z]\w+,? [^\W\d_a-z]\w"
)
LARGEST = float(np.finfo(np.float32).max)
HALF_PAIR = re.compile("[\ud800-\udfff]")  # of surrogates, which no Unicode text holds
BLANKS = " \t\r\n\u00a0\ufeff"
VALUE = re.compile(r"[+-]?\d[\d.,:TZ /+-]*")  # a number or time, which no column is called
ZONE = r"\s{0,3}(?:Etc/)?(?:UTC|GMT)$"  # BigQuery and PostgreSQL write it out
KINDS = {
    TEXT: "text",
    NUMBER: "numbers",
    FLAG: "true or false",
    TIME: "times (ISO 8601, as in 2026-01-31T18:00Z), or as time_format says",
    CATEGORY: "text",
}


@dataclass(frozen=True)
class Column:
    """One column of a canonical table.

    ``dtype`` is a pandas dtype. ``level`` says when a server or client can know the value (one of ``LEVELS``); None: it
    is not context. Numbers lie from ``low`` to ``high`` (with ``above``, above ``low``) and are finite, unless
    ``infinite`` says in words when they are not. ``allowed`` is a closed list of values, empty where any will do;
    ``complete`` means that every row needs a value. ``label`` and ``unit`` are what readers see; without a label, the
    name with spaces for underscores.
    """

    name: str
    dtype: str
    level: str | None
    meaning: str
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()
    above: bool = False
    infinite: str = ""
    complete: bool = False
    label: str = ""
    unit: str = ""


def check_table(frame: pd.DataFrame, name: str, columns: Sequence[Column]) -> pd.DataFrame:
    """Check a frame (``name`` in errors) against those of the columns that it has; each gets its dtype, others go.

    Raises a WorkbenchError with the column, the number of bad values, and the first of them.
    """
    refuse_repeated_columns(frame, name)
    refuse_no_numbers(frame, name, columns)
    _refuse_too_large(frame, name, columns)
    contract = pa.DataFrameSchema({column.name: _pandera_column(column) for column in columns})
    readers = {TEXT: as_text, FLAG: _as_flag, TIME: _as_time, CATEGORY: as_category}
    try:
        read = {column.name: readers[column.dtype](frame[column.name]) for column in columns if column.dtype in readers}
        return contract.validate(frame[[column.name for column in columns]].assign(**read), lazy=True)
    except WorkbenchError as err:
        raise WorkbenchError(f"{name}: {err}") from err
    except pandera.errors.SchemaErrors as err:
        kinds = {column.name: KINDS.get(column.dtype, "names") for column in columns}
        raise WorkbenchError(f"{name}: {_first_failure(err.failure_cases, frame.index, kinds)}") from err


def refuse_no_numbers(frame: pd.DataFrame, name: str, columns: Sequence[Column]) -> None:
    """Raise a WorkbenchError where a column of numbers holds what only Python takes for one: True, bytes, complex."""
    for column in columns:
        if column.dtype != NUMBER or column.name not in frame:
            continue
        values = frame[column.name]
        if pd.api.types.infer_dtype(values, skipna=True) in {"floating", "integer", "string", "empty"}:
            continue
        other = values.map(lambda value: isinstance(value, bool | np.bool_ | bytes | complex)).astype(bool)
        if other.any():
            raise WorkbenchError(f"{name}: {bad_values(column.name, KINDS[NUMBER], values[other].astype(object))}")


def _refuse_too_large(frame: pd.DataFrame, name: str, columns: Sequence[Column]) -> None:
    """Refuse numbers that are finite, but not as the float32 that trees are grown on."""
    for column in columns:
        if column.dtype == NUMBER:
            sizes = pd.to_numeric(frame[column.name], errors="coerce").abs().astype(float)
            if (beyond := (sizes > LARGEST) & np.isfinite(sizes)).any():
                words = bad_values(column.name, f"at most {LARGEST:.1e} in size", frame[column.name][beyond])
                raise WorkbenchError(f"{name}: {words}")


def refuse_repeated_columns(frame: pd.DataFrame, name: str) -> None:
    """Raise a WorkbenchError where a column name comes more than once."""
    if frame.columns.duplicated().any():
        twice = sorted(set(frame.columns[frame.columns.duplicated()]))
        raise WorkbenchError(f"{name}: each column may come once; {', '.join(map(repr, twice))} came more often.")


def column_names(frame: pd.DataFrame) -> str:
    """The first of a frame's column names, for an error."""
    return ", ".join(map(header, list(frame.columns)[:COLUMNS_SHOWN]))


def header(name: Any) -> str:
    """The name of a column as an error may show it: where a table has no names, the first row may be a person's."""
    text = str(name)
    return "(hidden)" if len(text) > LONGEST_SHOWN or HEADER.search(text) else text


def showable(value: Any) -> Any:
    """A value as an error may show it: what may be a person's is hidden.

    >>> showable("fast"), showable("ann@example.org")
    ('fast', '(hidden)')
    """
    text = "" if isinstance(value, Number) else str(value)
    return "(hidden)" if len(text) > LONGEST_SHOWN or PRIVATE.search(text) else value


def _cell(value: Any) -> Any:
    """A cell as an error may show it."""
    return "(hidden)" if isinstance(value, str) and NAME.search(value) else showable(value)


def check_columns(frame: pd.DataFrame, purposes: Mapping[Any, str], name: str, place: str = "") -> None:
    """Raise a WorkbenchError where a column is missing that is needed for a purpose."""
    for column, purpose in purposes.items():
        if column not in frame:
            names = [*map(str, frame)]
            got = f"got {column_names(frame)}.{did_you_mean(str(column), [*map(header, names)])}"
            values = [name for name in names if VALUE.fullmatch(name) or HEADER.search(name)]
            if list(frame) != list(map(str, range(1, len(names) + 1))) and values:
                got = "its first row holds values. If it has no names, write header = false and name columns 1, 2, 3."
            raise WorkbenchError(f"{name}: expected a column {column!r} (for {purpose}){place}; {got}")


def as_text(values: pd.Series) -> pd.Series:
    """Text as it is, whole numbers without their ``.0`` (an ASN read beside missing values is a float).

    >>> as_text(pd.Series([15169.0, None])).tolist()
    ['15169', nan]
    """
    if values.dtype == TEXT:
        return values
    return values.astype(object).where(values.notna(), np.nan).map(_text, na_action="ignore").astype(TEXT)


def distinct(values: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Codes (rows,) of a column's values, -1 where missing, and each value once: few are read in place of many rows."""
    try:
        codes, found = pd.factorize(values)
    except TypeError:  # lists and tables have no hash
        codes, found = pd.factorize(as_text(values))
    return codes, pd.Series(found, name=values.name)


def plain_values(values: pd.Series) -> pd.Series:
    """Values of one column as numpy or Python holds them, texts without blanks at their ends, empty ones missing.

    >>> (
    ...     plain_values(pd.Series([" /a", "/a\u00a0", " "])).tolist(),
    ...     plain_values(pd.Series([1, None], dtype="Int64")).tolist(),
    ... )
    (['/a', '/a', nan], [1, nan])
    """
    dtype = values.dtype
    if isinstance(dtype, pd.SparseDtype):
        values = values.sparse.to_dense()
    elif isinstance(dtype, pd.CategoricalDtype) or (
        pd.api.types.is_extension_array_dtype(dtype) and pd.api.types.is_numeric_dtype(dtype) and values.hasnans
    ):
        values = values.astype(object).where(values.notna(), np.nan)
    if not (pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)):
        return values
    codes, given = distinct(values)
    bare = given.astype(object).map(_plain)
    same = bare.isna().to_numpy() | (bare.to_numpy(object) != given.to_numpy(object))
    if not np.any(same):
        return values
    return pd.Series(np.append(bare.to_numpy(object), np.nan)[codes], values.index, name=values.name)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return HALF_PAIR.sub("\N{REPLACEMENT CHARACTER}", value).strip(BLANKS) or np.nan
    return "1e999" if isinstance(value, int) and abs(value) >= 10**300 else value  # beyond any float


def as_category(values: pd.Series) -> pd.Series:
    """Few texts in many rows: categories are texts, sorted, and each occurs.

    >>> as_category(pd.Series(["b", "a", "b"])).cat.codes.tolist()
    [1, 0, 1]
    """
    codes, found = distinct(values)
    names = as_text(found).to_numpy(object)
    texts = pd.Index(sorted(set(names)), dtype=TEXT)
    place = np.append(texts.get_indexer(pd.Index(names, dtype=TEXT)), -1)
    return pd.Series(pd.Categorical.from_codes(place[codes], texts), values.index, name=values.name)


def _text(value: object) -> str:
    if isinstance(value, list):
        return json.dumps(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _as_flag(values: pd.Series) -> pd.Series:
    """Words for yes and no as such (every cell of a CSV file is text); other values as they are."""
    if not (pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)):
        return values
    words = values.astype(object).where(values.notna(), None)
    return words.map(lambda value: FLAG_WORDS.get(value.strip().lower(), value) if isinstance(value, str) else value)


def _as_time(values: pd.Series) -> pd.Series:
    """ISO 8601 texts as times, in UTC unless they have an offset.

    All else is refused: day and month may be swapped, and a bare number has no unit and no origin.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return values
    text = values
    if values.dtype != TEXT:
        text = values.astype(object).map(lambda value: None if isinstance(value, Number) else value)
    times = iso_times(text)
    refused = times.isna() & values.notna()
    if refused.any():
        raise WorkbenchError(bad_values(str(values.name), KINDS[TIME], values[refused]))
    return times


def iso_times(texts: pd.Series) -> pd.Series:
    """Texts in ISO 8601 as times in UTC, also with UTC or GMT behind them; NaT for what is none."""
    times = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce").astype(TIME).array
    unread = times.isna() & texts.notna().to_numpy()
    if unread.any():
        plain = texts[unread].astype(str).str.replace(ZONE, "Z", regex=True)
        times[unread] = pd.to_datetime(plain, utc=True, format="ISO8601", errors="coerce").astype(TIME).array
    return pd.Series(times, texts.index, name=texts.name)


def _pandera_column(column: Column) -> pa.Column:
    checks = []
    if column.dtype == NUMBER:
        checks.append(_range_check(column))
    if column.allowed:
        checks.append(pa.Check.isin(column.allowed, error="one of " + ", ".join(column.allowed)))
    if column.dtype == ANYTHING:
        return pa.Column(None, nullable=not column.complete)
    return pa.Column(column.dtype, checks, nullable=not column.complete, coerce=True)


def _range_check(column: Column) -> pa.Check:
    low, high = -np.inf if column.low is None else column.low, np.inf if column.high is None else column.high
    if column.infinite:
        words = f"above {low:g}, or infinite {column.infinite}"
    elif column.high is not None:
        words = f"{'above' if column.above else 'from'} {low:g} to {high:g}"
    elif column.above:
        words = f"above {low:g} and finite"
    else:
        words = "finite" if column.low is None else f"{low:g} or above, and finite"
    return pa.Check.in_range(
        low,
        high,
        include_min=bool(np.isfinite(low)) and not column.above,
        include_max=bool(np.isfinite(high)) or bool(column.infinite),
        error=words,
    )


def _first_failure(cases: pd.DataFrame, index: pd.Index, kinds: Mapping[str, str]) -> str:
    column = cases["column"].iloc[0]
    bad = cases[cases["column"] == column]
    bad = bad[bad["check"] == bad["check"].iloc[0]]
    expected = str(bad["check"].iloc[0])
    if expected.startswith(("coerce_dtype", "dtype")):
        expected = kinds[column]
    if expected == "not_nullable":
        expected = "there in every row"
    place = {label: position for position, label in enumerate(index)}
    bad = bad.sort_values("index", key=lambda labels: labels.map(place), kind="stable")
    return bad_values(column, expected, bad.set_index("index")["failure_case"])


def bad_values(column: str, expected: str, bad: pd.Series) -> str:
    """Say what a column must be, how many values differ, and the first of them with their row labels."""
    shown = "; ".join(f"row {label}: {_cell(value)!r}" for label, value in bad.head(BAD_ROWS_SHOWN).items())
    count = f"{len(bad):,} values differ" if len(bad) > 1 else "1 value differs"
    return f"column {column!r} must be {expected}; {count}, first {shown}."


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: ``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
