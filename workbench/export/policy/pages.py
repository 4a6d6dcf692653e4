"""An exported rule that names pages decides in Python: counts of what followed what, and a user's own history."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from workbench.export.policy.fields import as_flag, as_number, as_text

NONE, UNKNOWN = -1, -2  # no page: the session had not begun; a page that the policy does not know
FOLLOWERS = 10

Pair = tuple[int, float]
State = tuple[int, dict[int, int]]  # how often it was seen, and what followed how often, the most frequent first
NEVER_SEEN: State = (0, {})


class ByPages:
    """The pages worth fetching; ``policy.json`` holds, of each order, what followed which pages, and how often."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.names: list[str] = content["names"]
        self.place = {name: i for i, name in enumerate(self.names)}
        self.orders = [read_states(order) for order in content["orders"]]
        self.smoothing, self.limit = content["smoothing"], content["limit"]
        self.limits, self.saves_data = content.get("limits"), content.get("saves_data")
        self.listed, self.habit, self.fields = content["listed"], content.get("habit"), content["fields"]

    def weigh(self, context: Mapping[str, Any]) -> tuple[list[Pair], float]:
        """The likeliest pages, by their codes, with their chances; and the chance from which a page is fetched."""
        limit, codes = self._limit(context), read_session(context, self.place)
        if self.saves_data and as_flag(context.get(self.saves_data)) == "True":
            return [], limit
        states, current = self._states(codes), max(codes[-1], NONE)
        found = self._habits(context, states, current) if self.habit else self._everybody(states, current, self.listed)
        return found, limit

    def after(self, page: str) -> list[Pair]:
        """The likeliest pages after one, whatever came before it: as many as were compared, whatever their chance."""
        code = self.place.get(page, NONE)
        return self._everybody(self._states([code])[:2], code, self.listed)

    def _limit(self, context: Mapping[str, Any]) -> float:
        if not self.limits:
            return self.limit
        name = self.limits["field"]
        return self.limits["of"].get(as_text(context.get(name), self.fields[name]), self.limits["otherwise"])

    def _states(self, codes: Sequence[int]) -> list[State]:
        """What is known of the last pages, an order each; the first order of which nothing is known ends it."""
        found, key, known = [], "", True
        for i, order in enumerate(self.orders):
            if i:
                page = codes[-i] if i <= len(codes) else NONE
                known = known and page != UNKNOWN
                key = f"{page},{key}" if i > 1 else str(page)
            state = order.get(key) if known else None
            known = known and (i == 0 or state is not None)
            found.append(NEVER_SEEN if state is None else state)
        return found

    def _chance(self, page: int, states: Sequence[State]) -> float:
        (total, counts), *above = states
        chance = counts.get(page, 0) / max(total, 1)
        for (total, counts), s in zip(above, self.smoothing, strict=False):  # of as many orders as are asked
            chance = (counts.get(page, 0) + s * chance) / (total + s)
        return chance

    def _everybody(self, states: Sequence[State], current: int, count: int) -> list[Pair]:
        most = max(FOLLOWERS, count + 1)
        found = {page for _, counts in states for page in islice(counts, most)} - {current}
        return likeliest([(page, self._chance(page, states)) for page in sorted(found)], count)

    def _habits(self, context: Mapping[str, Any], states: Any, current: int) -> list[Pair]:
        """What the user opened from here before, on top of what everybody does."""
        habit = self.habit or {}
        usual, last = (as_code(context.get(name), self.place) for name in ("usual_next", "last_next"))
        often, sure = (_above(context.get(name), habit[name]) for name in ("here_before", "usual_share"))
        shares = habit["cells"][(often * (len(habit["usual_share"]) + 1) + sure) * 2 + (usual == last)]
        pages = [usual, NONE if usual == last else last]
        if usual < 0 or current in pages:
            pages = [NONE, NONE]
        own = [share if page >= 0 else 0.0 for page, share in zip(pages, shares, strict=True)]
        rest = 1 - (own[0] + own[1])
        there = [(page, share) for page, share in zip(pages, own, strict=True) if page >= 0]
        kept = [(page, share + rest * self._chance(page, states)) for page, share in there]
        others = [pair for pair in self._everybody(states, current, self.listed + 2) if pair[0] not in pages]
        return likeliest([*kept, *((page, chance * rest) for page, chance in others)], self.listed)


def read_states(order: Mapping[str, Sequence[int]]) -> dict[str, State]:
    """States by their key, from ``[total, page, count, page, count, ...]``."""
    return {key: (total, dict(zip(pairs[::2], pairs[1::2], strict=True))) for key, (total, *pairs) in order.items()}


def read_session(context: Mapping[str, Any], place: Mapping[str, int]) -> list[int]:
    """Codes of a session's pages, the current one last; an unknown page where the context names none."""
    pages = context.get("pages")
    codes = [as_code(page, place, UNKNOWN) for page in pages] if isinstance(pages, (list, tuple)) else []
    return codes or [UNKNOWN]


def as_code(page: Any, place: Mapping[str, int], otherwise: int = NONE) -> int:
    """Code of a page, or another number where it is unknown."""
    return place.get(page, otherwise) if isinstance(page, str) else otherwise


def likeliest(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """The pairs of largest chance; those that differ by less than a billionth keep their order."""
    there = [pair for pair in pairs if pair[1] > 0]
    return sorted(there, key=fallen)[:most]


def fallen(pair: Pair) -> int:
    """A whole number that falls as a pair's chance rises."""
    return math.floor((1 - pair[1]) * 2**30 + 0.5)


def _above(number: Any, edges: Sequence[float]) -> int:
    known = as_number(number)
    return sum(edge <= (0 if math.isnan(known) else known) for edge in edges)
