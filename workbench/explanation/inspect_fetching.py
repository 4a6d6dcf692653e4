"""What one policy fetches in one view, and the sentences that tell it: pages and chances in, words out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.explanation.inspect_parts import listed
from workbench.studies.prefetch_session import RARE

NOTHING = "nothing"


@dataclass(frozen=True)
class Fetching:
    """What one policy fetches in one view; ``chances`` by page, the likeliest first, where it weighs any.

    ``limit`` is the chance from which it fetches, None where that is the scenario's break-even.
    """

    name: str
    fetches: tuple[str, ...] = ()
    chances: Mapping[str, float] | None = None
    limit: float | None = None
    available: bool = True

    def chance(self, page: str) -> float:
        """Its chance of a page, 0 where that is not among the likeliest."""
        return (self.chances or {}).get(page, 0.0)

    def chance_in_words(self, page: str) -> str:
        """The same as a reader is told: a page not among the likeliest has less than the last of them."""
        if not self.chances:
            return "weighs no chances"
        known = self.chances.get(page)
        return f"{100 * known:.1f} %" if known is not None else f"under {100 * min(self.chances.values()):.1f} %"

    def differs(self, other: Fetching) -> bool:
        """Whether it fetches other pages than another policy."""
        return self.available and set(self.fetches) != set(other.fetches)


@dataclass(frozen=True)
class Telling:
    """Tells what policies fetch; only ``crowded`` pages, which at least 20 people viewed, are named."""

    crowded: frozenset[str]
    break_even: float

    def names(self, pages: Sequence[str]) -> str:
        """Pages as a sentence lists them."""
        known = [page for page in pages if page in self.crowded]
        rare = len(pages) - len(known)
        every = [*known, *([RARE] if rare == 1 else [f"{rare} rare pages"] if rare else [])]
        return listed(every) if every else NOTHING

    def chances(self, ours: Fetching, pages: Sequence[str]) -> list[dict[str, Any]]:
        """The model's chance of each page."""
        return [
            {
                "name": self.names([page]),
                "percent": round(100 * ours.chance(page), 1),
                "said": ours.chance_in_words(page),
                "taken": page in ours.fetches,
            }
            for page in pages
        ]

    def row(self, each: Fetching, ours: Fetching, page: str) -> dict[str, Any]:
        """A policy as a table shows it, with its chance of one page."""
        return {
            "name": each.name,
            "does": self.names(each.fetches) if each.available else None,
            "expects": each.chance_in_words(page),
            "differs": each.differs(ours),
        }

    def finding(self, ours: Fetching, likeliest: str) -> str:
        """What the model fetches."""
        pays = f"fetching pays from a chance of {100 * self.break_even:g} %"
        if ours.fetches:
            pages = listed([f"{self.names([page])} ({ours.chance_in_words(page)})" for page in ours.fetches])
            return f"The model fetches {pages}; {pays}."
        fresh = ours.chance(likeliest) >= self.break_even
        return (
            f"The model fetches nothing: {self.names([likeliest])}, the likeliest, has a chance of "
            f"{ours.chance_in_words(likeliest)}{', but is there already' if fresh else ''}; {pays}."
        )

    def difference(self, rule: Fetching, ours: Fetching) -> str:
        """What a rule does otherwise, and the page on which it differs most from the model."""
        more = [page for page in rule.fetches if page not in ours.fetches]
        less = [page for page in ours.fetches if page not in rule.fetches]
        page = max([*more, *less], key=lambda page: abs(rule.chance(page) - ours.chance(page)))
        does = f'"{rule.name}" {self._does(rule, more, less)}'
        told = f"{self.names([page])} a chance of"
        models = ours.chance_in_words(page)
        if not rule.chances:
            return f"{does} without weighing chances; the model gives {told} {models}."
        limit = "" if rule.limit is None else f" It fetches from {100 * rule.limit:.1f} %."
        return f"{does}: it gives {told} {rule.chance_in_words(page)}, the model {models}.{limit}"

    def _does(self, rule: Fetching, more: Sequence[str], less: Sequence[str]) -> str:
        if not rule.fetches:
            return "fetches nothing"
        if not more:
            return f"leaves out {self.names(less)}"
        return f"fetches {self.names(more)} {f'instead of {self.names(less)}' if less else 'too'}"
