"""Checks that cards are held against, each with a sentence that names the card."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from workbench.errors import WorkbenchError, did_you_mean

SCALARS = (str, int, float, bool)
KINDS_IN_WORDS = {
    str: "text",
    bool: "true or false",
    dict: "a table",
    list: "a list",
    SCALARS: "one text, number, true or false",
}


def check_one_of(card: str, what: str, value: object, known: Sequence[str]) -> None:
    """Refuse a value that is not one of those known, and name the nearest."""
    if value not in known:
        hint = did_you_mean(str(value), list(known))
        raise WorkbenchError(f"{card}: {what} must be one of {', '.join(known)}; got {value!r}.{hint}")


def check_type(card: str, what: str, value: object, kind: type | tuple[type, ...]) -> None:
    """Refuse a value of another type than a card's field has."""
    if not isinstance(value, kind):
        raise WorkbenchError(f"{card}: {what} must be {KINDS_IN_WORDS[kind]}; got {value!r}.")


def check_above_zero(card: str, what: str, value: object) -> None:
    """Refuse what is not a finite number above 0."""
    if not (is_number(value) and 0 < value < math.inf):  # type: ignore[operator]
        raise WorkbenchError(f"{card}: {what} must be a number above 0; got {value!r}.")


def check_assumed(card: str, quantity: str, values: tuple[float, ...]) -> None:
    """Refuse what is not three rising numbers above 0."""
    if len(values) != 3 or not 0 < values[0] <= values[1] <= values[2] < math.inf:
        raise not_rising(card, quantity, tuple(values))


def check_date(card: str, date: Sequence[str], time: str, given: Collection[str]) -> None:
    """Refuse a date that is not told by three columns, or a time that is told twice."""
    if date and len(date) != 3:
        raise WorkbenchError(f"{card}: date must name three columns (year, month, day); got {list(date)!r}.")
    if date and time in given:
        raise WorkbenchError(f"{card}: date and a column of {time} both tell the time; name one.")


def low_base_high(card: str, assume: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """What is assumed, as numbers.

    Raises
    ------
    WorkbenchError
        Where an entry is not a list of numbers.
    """
    for quantity, values in assume.items():
        if isinstance(values, str) or not isinstance(values, Iterable) or not all(map(is_number, values)):
            raise not_rising(card, quantity, values)
    return {quantity: tuple(map(float, values)) for quantity, values in assume.items()}


def not_rising(card: str, quantity: str, values: object) -> WorkbenchError:
    """The error for an assumption that is not low, base, high."""
    return WorkbenchError(
        f"{card}: what is assumed for {quantity} must be three rising numbers above 0 (low, base, high); "
        f"got {values!r}."
    )


def is_number(value: object) -> bool:
    """Whether a value is a number; true and false are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_plain(name: str) -> bool:
    """Whether a file's name leads nowhere else."""
    return name not in ("", ".", "..") and not set(name) & set("/\\:\0")
