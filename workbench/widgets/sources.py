"""The scripts and the style sheet of the widgets, and the choices they refuse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError, did_you_mean
from workbench.plotting.labels import PARTS
from workbench.plotting.style import WORDS


def check_number(name: str, value: float, allowed: Sequence[float]) -> float:
    """The allowed number that is meant.

    Raises
    ------
    WorkbenchError
        With those that are allowed.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    for each in allowed:
        if is_number and math.isclose(value, each):
            return each
    came = f"{value:g}" if is_number else repr(value)
    raise WorkbenchError(f"{name} must be one of {', '.join(f'{each:g}' for each in allowed)}; got {came}.")


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


STATIC = Path(__file__).with_name("static")
COMMON, STYLE = "common.js", "widgets.css"
# One a widget: its own file, and the name of its Python module.
MODULES = ("explorer", "decision_inspector")
COLOURED = ("model", "best rule", "perfect knowledge")  # today takes the colour of the text around it
FORBIDDEN = ("</script", "<!--", "</style")


def module_source(name: str) -> str:
    """The script of a widget: what all share, then its own.

    Parameters
    ----------
    name : str
        One of ``MODULES``.

    Returns
    -------
    str
        An ES module with one default export, the same on every system: line endings are those of Unix.

    Raises
    ------
    WorkbenchError
        Where a file holds what would end a script element early.
    """
    return _read(COMMON) + "\n" + _read(f"{name}.js")


def style_sheet() -> str:
    """The style of all widgets, the palette of the pictures in front of it as CSS variables."""
    colours = []
    for part in COLOURED:
        name, colour = f"--wb-{part.replace(' ', '-')}", str(PARTS[part]["color"])
        colours += [f"{name}-plain: {colour};", f"{name}: {colour};", f"{name}-words: {WORDS[colour]};"]
    return f".wb {{ {' '.join(colours)} }}\n{_read(STYLE)}"


def _read(file: str) -> str:
    # read_text turns CRLF, which a checkout may have brought, into LF: a page hashes this text.
    text = (STATIC / file).read_text(encoding="utf-8")
    found = [mark for mark in FORBIDDEN if mark in text.lower()]
    if found:
        raise WorkbenchError(
            f"{file} holds {found[0]!r}, which would end its element in a page: write it in two parts."
        )
    return text
