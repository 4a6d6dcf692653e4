"""A field of a context as its type: a number, or a text, true or false being texts too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

FIRST = np.zeros(1, int)
LARGEST_WHOLE = 2**53 - 1  # of JavaScript, which reads the same contexts


class Read:
    """A field of many contexts: ``numbers`` (float64, NaN where missing), or texts, each once, and which each row has.

    Of texts, ``texts`` holds the distinct ones, None where missing, and ``code`` is int, shape (rows,).
    """

    def __init__(
        self, numbers: np.ndarray | None = None, code: np.ndarray | None = None, texts: Sequence[str | None] = ()
    ) -> None:
        self.numbers, self.texts = numbers, texts
        self.code = np.zeros(0, int) if code is None else code

    def by_text(self, value: Callable[[str | None], Any], dtype: Any) -> np.ndarray:
        """What is said of each text, for every row."""
        return np.array([value(text) for text in self.texts], dtype)[self.code]

    def is_text(self, wanted: str) -> np.ndarray:
        """Where it is this text: bool, shape (rows,)."""
        return self.by_text(lambda text: text == wanted, bool)


def read_field(values: Any, rows: int, field: Mapping[str, Any]) -> Read:
    """Read one field of many contexts as its type; all missing where ``values`` is None."""
    number = field["type"] == "number"
    if values is None:
        values = [None] * rows
    kind = str(getattr(values, "dtype", "object"))
    if number and kind.startswith(("float", "int", "Float", "Int", "uint", "UInt")):
        numbers = values.to_numpy(float, na_value=np.nan) if hasattr(values, "to_numpy") else np.asarray(values, float)
    elif number:
        numbers = np.array([as_number(value) for value in values], float)
    if number:
        inside = (numbers >= field.get("low", -math.inf)) & (numbers <= field.get("high", math.inf))
        return Read(numbers=np.where(inside, numbers, math.nan))
    read = as_flag if field["type"] == "flag" else lambda value: as_text(value, field)
    if hasattr(values, "dtype") and kind != "object":
        import pandas as pd

        code, found = pd.factorize(values)
        return Read(code=np.where(code < 0, len(found), code), texts=[*map(read, found), None])
    texts: dict[str | None, int] = {}
    code = np.array([texts.setdefault(read(value), len(texts)) for value in values], int)
    return Read(code=code, texts=list(texts))


def read_one(value: Any, field: Mapping[str, Any]) -> Read:
    """Read the field of one context."""
    found = read_value(value, field)
    return Read(numbers=np.array([found])) if field["type"] == "number" else Read(code=FIRST, texts=[found])


def as_number(value: Any) -> float:
    """A number as it is, huge ones infinite; NaN for all else."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def as_text(value: Any, field: Mapping[str, Any]) -> str | None:
    """A text, or a whole number as text, of those allowed; None for all else, an empty text too."""
    number = as_number(value)
    if number.is_integer() and abs(number) <= LARGEST_WHOLE:
        value = str(int(number))
    if not isinstance(value, str) or not value or ("allowed" in field and value not in field["allowed"]):
        return None
    return field.get("as", {}).get(value, value)


def as_flag(value: Any) -> str | None:
    """The level of true and false; None for all else."""
    return str(bool(value)) if isinstance(value, (bool, np.bool_)) else None


def read_value(value: Any, field: Mapping[str, Any]) -> Any:
    """One value as its field's type: a float (NaN where missing, or outside of the field's bounds), or text or None."""
    if field["type"] == "number":
        number = as_number(value)
        return number if field.get("low", -math.inf) <= number <= field.get("high", math.inf) else math.nan
    if field["type"] == "page":
        return value if isinstance(value, str) else None
    return as_flag(value) if field["type"] == "flag" else as_text(value, field)
