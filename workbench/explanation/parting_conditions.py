"""Conditions on facts of a view that can be read: what is told is what is done.

A leaf is its conditions, thresholds rounded as they are printed, and whether a view belongs is worked out from these
alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.explanation.parting_facts import RULE_FETCHES, RULE_SENDS
from workbench.explanation.shap_by_feature import READABLE
from workbench.studies.wording import short_name

LEVELS_TOLD = 3  # of a group of levels
UNITS = {
    READABLE["last_rtt_ms"]: " ms",
    READABLE["last_downlink_mbps"]: " Mbit/s",
    READABLE["last_age_s"]: " s",
    READABLE["netinfo_rtt_ms"]: " ms",
    READABLE["netinfo_downlink_mbps"]: " Mbit/s",
}
WITH_A_VERB = (RULE_SENDS, RULE_FETCHES)
NAME_WIDTH = 32  # characters of a level


@dataclass(frozen=True)
class Among:
    """A text fact is one of some levels, or none of them; those that most people share come first."""

    fact: str
    levels: tuple[str, ...]
    inside: bool = True

    def holds(self, facts: pd.DataFrame) -> np.ndarray:
        """Which views it is true of: bool, shape (rows,)."""
        return facts[self.fact].isin(self.levels).to_numpy() == self.inside

    def merge(self, other: Among) -> Among:
        """Both at once: what it is says more than what it is not."""
        if not self.inside and not other.inside:
            return replace(self, levels=tuple(dict.fromkeys((*self.levels, *other.levels))))
        first, second = (self, other) if self.inside else (other, self)
        return replace(first, levels=tuple(x for x in first.levels if (x in second.levels) == second.inside))

    def __str__(self) -> str:
        return self.told(LEVELS_TOLD)

    def told(self, most: int | None) -> str:
        """In words, naming at most so many levels, or all of them in full."""
        shorten = most is not None
        most = None if most is not None and len(self.levels) == most + 1 else most  # as long as "one of 1 others"
        named = [short_name(level, NAME_WIDTH if shorten else len(level) + 1) for level in self.levels[:most]]
        more = len(self.levels) - len(named)
        named += [f"one of {more} others"] if more else []
        listed = f"{', '.join(named[:-1])} or {named[-1]}" if len(named) > 1 else named[0]
        verb = "" if self.fact in WITH_A_VERB else "is "
        return f"{self.fact} {verb}{'' if self.inside else 'not '}{listed}"


@dataclass(frozen=True)
class Between:
    """A number is above one bound and at most another; views without a number belong where ``unknown``.

    ``whole`` and ``gaps`` say whether the numbers are whole, and whether some are missing, for the words only.
    """

    fact: str
    above: float = -np.inf
    up_to: float = np.inf
    unknown: bool = False
    whole: bool = False
    gaps: bool = False

    def holds(self, facts: pd.DataFrame) -> np.ndarray:
        """Which views it is true of: bool, shape (rows,)."""
        value = facts[self.fact].to_numpy(float)
        return np.where(np.isnan(value), self.unknown, (value > self.above) & (value <= self.up_to))

    def merge(self, other: Between) -> Between:
        """Both at once."""
        above, up_to = max(self.above, other.above), min(self.up_to, other.up_to)
        return replace(self, above=above, up_to=up_to, unknown=self.unknown and other.unknown)

    def __str__(self) -> str:
        return self.told(LEVELS_TOLD)

    def told(self, _most: int | None) -> str:
        """In words."""
        low, high = np.isfinite(self.above), np.isfinite(self.up_to)
        if self.unknown and self.above >= self.up_to:
            return f"{self.fact} is unknown"
        if not low and not high:
            return f"{self.fact} is known"
        gap = " (or unknown)" if self.unknown and self.gaps else ""
        first, last = self._bound(self.above, 1), self._bound(self.up_to, 0)
        if low and high:
            told = f"is {first}" if first == last else f"is {first} to {last}"
            return f"{self.fact} {told if self.whole else f'is above {first}, up to {last}'}{gap}"
        if high:
            return f"{self.fact} is {last} or less{gap}"
        return f"{self.fact} is {f'{first} or more' if self.whole else f'above {first}'}{gap}"

    def _bound(self, value: float, further: int) -> str:
        told = f"{np.floor(value) + further:,.0f}" if self.whole else f"{value:,g}"
        return told + UNITS.get(self.fact, "")


Condition = Among | Between
Conditions = tuple[Condition, ...]


def belongs(conditions: Conditions, facts: pd.DataFrame) -> np.ndarray:
    """Views of which all conditions are true: bool, shape (rows,).

    Examples
    --------
    >>> facts = pd.DataFrame({"page": ["a", "b", "b"], "hour": [3.0, 4.0, np.nan]})
    >>> belongs((Among("page", ("b",)), Between("hour", above=2, unknown=True)), facts).tolist()
    [False, True, True]
    """
    return np.logical_and.reduce([condition.holds(facts) for condition in conditions] or [np.ones(len(facts), bool)])


def in_words(conditions: Conditions, most: int | None = LEVELS_TOLD) -> str:
    """Conditions as one phrase; of a long list of names, at most so many.

    Examples
    --------
    >>> in_words((Among("operating system", ("iOS",)), Between("local hour", above=16.5, whole=True)))
    'operating system is iOS and local hour is 17 or more'
    """
    return " and ".join(condition.told(most) for condition in conditions) or "anywhere"


def simplify(path: Sequence[Condition]) -> Conditions:
    """One condition a fact, in the order in which the tree asked.

    Examples
    --------
    >>> told = simplify(
    ...     (Between("hour", above=16.5, whole=True), Among("page", ("a",), False), Between("hour", up_to=20))
    ... )
    >>> in_words(told)
    'hour is 17 to 20 and page is not a'
    """
    merged: dict[str, Any] = {}
    for condition in path:
        merged[condition.fact] = merged[condition.fact].merge(condition) if condition.fact in merged else condition
    return tuple(merged.values())
