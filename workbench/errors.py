"""The one error type that people see, and the checks that raise it everywhere."""

import difflib
from numbers import Integral


class WorkbenchError(Exception):
    """Something that a person can put right: what was expected, what came, what to try.

    The command line prints its message alone and exits with code 2.
    """


def did_you_mean(name: str, known: "list[str] | tuple[str, ...]") -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, else an empty string.

    Examples
    --------
    >>> did_you_mean("mobile_bandwith", ["mobile_bandwidth", "ofcom_panel"])
    " Did you mean 'mobile_bandwidth'?"
    >>> did_you_mean("zzz", ["mobile_bandwidth"])
    ''
    """
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def check_whole(name: str, value: object, at_least: int) -> None:
    """Refuse what is not a whole number, or is too small."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < at_least:
        raise WorkbenchError(f"{name} must be a whole number from {at_least}; got {value!r}.")
