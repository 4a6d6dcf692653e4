"""The one error type that people see."""


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
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
