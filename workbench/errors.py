"""The one error type that people see, and the checks that raise it everywhere."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any


class WorkbenchError(Exception):
    """Something that a person can put right: what was expected, what came, what to try.

    The command line prints its message alone and exits with code 2.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, else an empty string.

    >>> did_you_mean("mobile_bandwith", ["mobile_bandwidth", "ofcom_panel"])
    " Did you mean 'mobile_bandwidth'?"
    >>> did_you_mean("zzz", ["mobile_bandwidth"])
    ''
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def check_whole(name: str, value: object, at_least: int) -> None:
    """Refuse what is not a whole number, or is too small."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < at_least:
        raise WorkbenchError(f"{name} must be a whole number from {at_least}; got {value!r}.")


def check_above_0(name: str, value: Any) -> Any:
    """The number itself; what is no finite number above 0 is refused."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < math.inf:
        raise WorkbenchError(f"{name} must be a number above 0; got {value!r}.")
    return value


def not_one_of(what: str, value: object, known: Iterable[str]) -> str:
    """What a value must be, and which of the known ones is nearest."""
    known = list(known)
    shown = [repr(each) if " " in each else each for each in known]
    return f"{what} must be one of {', '.join(shown)}; got {value!r}.{did_you_mean(str(value), known)}"


def check_one_of(what: str, value: Any, known: Iterable[str]) -> Any:
    """The value itself; one that is not among those known is refused."""
    if value not in (known := list(known)):
        raise WorkbenchError(not_one_of(what, value, known))
    return value
