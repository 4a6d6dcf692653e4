"""What all widgets refuse: choices that were not counted beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.errors import WorkbenchError, did_you_mean


def check_number(name: str, value: float, allowed: Sequence[float]) -> float:
    """The allowed number that is meant.

    Raises
    ------
    WorkbenchError
        With those that are allowed.
    """
    for each in allowed:
        if math.isclose(value, each):
            return each
    raise WorkbenchError(f"{name} must be one of {', '.join(f'{each:g}' for each in allowed)}; got {value:g}.")


def check_name(name: str, value: str, allowed: Sequence[str]) -> str:
    """The name itself, where it is allowed.

    Raises
    ------
    WorkbenchError
        With those that are allowed.
    """
    if value not in allowed:
        raise WorkbenchError(
            f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}.{did_you_mean(value, list(allowed))}"
        )
    return value


def check_change(name: str, value: Any, fields: Mapping[str, Mapping[str, Any]]) -> Any:
    """The value of one field of a context, where it may be set so; None is unknown.

    Parameters
    ----------
    name : str
    value : object
    fields : mapping
        Name to ``options`` (a list), or to ``low`` and ``high``; and to ``unknown``, None where there must be a value.

    Raises
    ------
    WorkbenchError
        With the fields, or the values, that are allowed.
    """
    check_name("a changed field", name, list(fields))
    field = fields[name]
    if (value is None and field["unknown"] is not None) or value in field.get("options", ()):
        return value
    if "options" in field:
        check_name(name, str(value), [str(option) for option in field["options"]])
        return next(option for option in field["options"] if str(option) == str(value))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not field["low"] <= value <= field["high"]:
        raise WorkbenchError(f"{name} must be a number from {field['low']:g} to {field['high']:g}; got {value!r}.")
    return float(value)
