"""Asking where the data may be too few to answer: a proposal then says why, and goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class Untold:
    """What stands in for a result that could not be had; false, where a result is true.

    Parameters
    ----------
    reason : str
        One sentence.
    """

    reason: str

    @property
    def finding(self) -> str:
        """What a heading says."""
        return "These data cannot tell"

    @property
    def sentences(self) -> tuple[str, ...]:
        """The reason."""
        return (self.reason,)

    def __bool__(self) -> bool:
        return False


def attempt(ask: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
    """Ask for an explanation; where the data are refused, an :class:`Untold` says why.

    Parameters
    ----------
    ask : callable
        Such as ``wb.importance``.
    *args, **keywords
        Of the call.

    Returns
    -------
    object
        What ``ask`` returns, or an :class:`Untold`; any error but a WorkbenchError is raised.

    Examples
    --------
    >>> def of_few_users(frame):
    ...     raise WorkbenchError("expected views of 20 users or more; these are of 5.")
    >>> told = attempt(of_few_users, None)
    >>> bool(told), told.finding, told.sentences
    (False, 'These data cannot tell', ('expected views of 20 users or more; these are of 5.',))
    """
    try:
        return ask(*args, **keywords)
    except WorkbenchError as err:
        return Untold(str(err))
