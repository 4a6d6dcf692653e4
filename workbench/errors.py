"""The one error type that people see, and the checks that raise it everywhere."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

LONGEST = 300  # characters of a sentence
LARGEST_SEED = 2**31 - 1  # seeds that are counted up from it still fit scikit-learn's 32 bits


class WorkbenchError(Exception):
    r"""Something that a person can put right: what was expected, what came, what to try.

    The command line prints its message alone and exits with code 2. It is one line of at most 300 characters: control
    characters, which may come from data, are written out, and the middle of a longer one is left out.

    >>> str(WorkbenchError("got \x1b[2J.\nMend it."))
    'got \\x1b[2J. Mend it.'
    """

    def __init__(self, sentence: str = "") -> None:
        written = "".join(_written(character) for character in sentence)
        cut = written if len(written) <= LONGEST else f"{written[: LONGEST * 2 // 3]} ... {written[5 - LONGEST // 3 :]}"
        super().__init__(cut)


def _written(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else ascii(character)[1:-1]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, else an empty string.

    >>> did_you_mean("mobile_bandwith", ["mobile_bandwidth", "ofcom_panel"])
    " Did you mean 'mobile_bandwidth'?"
    >>> did_you_mean("zzz", ["mobile_bandwidth"])
    ''
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def check_whole(name: str, value: object, at_least: int, at_most: float = math.inf) -> None:
    """Refuse what is not a whole number, or is too small or too large."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not at_least <= int(value) <= at_most:
        upper = f" to {at_most:,}" if at_most < math.inf else ""
        raise WorkbenchError(f"{name} must be a whole number from {at_least}{upper}; got {_shown(value)}.")


def check_seed(seed: object, name: str = "seed") -> None:
    """Refuse what cannot be a random seed of NumPy, scikit-learn and XGBoost alike."""
    check_whole(name, seed, at_least=0, at_most=LARGEST_SEED)


def _shown(value: object) -> str:
    """A value as an error shows it; Python refuses to write out numbers of thousands of digits."""
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number of more than 20 digits"
    return repr(value)


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
