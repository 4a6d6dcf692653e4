"""An exported policy that names pages decides in Python: counts of what followed what, and a user's own history."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

NONE, UNKNOWN = -1, -2  # no page: the session had not begun; a page that the policy does not know
FOLLOWERS = 10
FOLDER, LONGEST_NAME = "speculation-rules", 120
LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
OTHER = re.compile(r"[?#<>]")  # a query, a fragment, or the name of many pages, such as /product/<id>
NEVER = re.compile(
    r"(?<![a-z])(?:(?:sign|log)[-_]?(?:out|off|in)|session|cart|basket|bag|checkout|order|pay(?:ment)?s?|account|profile"
    r"|admin|api|delete|remove|add|unsubscribe|confirm|verify|reset|token|download|no-?store|private)(?![a-z])",
    re.IGNORECASE,
)

Pair = tuple[int, float]


class ByPages:
    """The pages worth fetching; ``policy.json`` holds, of each order, what followed which pages, and how often."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.names: list[str] = content["names"]
        self.place = {name: i for i, name in enumerate(self.names)}
        self.orders = [
            {key: (total, dict(zip(pairs[::2], pairs[1::2], strict=True))) for key, (total, *pairs) in order.items()}
            for order in content["orders"]
        ]
        self.smoothing, self.limit = content["smoothing"], content["limit"]
        self.most, self.listed, self.habit = content["most"], content["listed"], content.get("habit")

    def decide(self, context: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The pages worth fetching, the likeliest first: ``[{"page": ..., "chance": ...}]``."""
        pages = context.get("pages")
        codes = [self._code(page, UNKNOWN) for page in pages] if isinstance(pages, (list, tuple)) else []
        codes = codes or [UNKNOWN]
        states, current = self._states(codes), max(codes[-1], NONE)
        found = self._habits(context, states, current) if self.habit else self._everybody(states, current, self.listed)
        worth = [(page, chance) for page, chance in found[: self.most] if chance >= self.limit]
        return [{"page": self.names[page], "chance": chance} for page, chance in worth]

    def after(self, page: str) -> list[dict[str, Any]]:
        """The likeliest pages after one, whatever came before it: as many as were compared, whatever their chance."""
        states = self._states([self._code(page, UNKNOWN)])[:2]
        found = self._everybody(states, self._code(page, NONE), self.listed)
        return [{"page": self.names[each], "chance": chance} for each, chance in found]

    def _code(self, page: Any, otherwise: int) -> int:
        return self.place.get(page, otherwise) if isinstance(page, str) else otherwise

    def _states(self, codes: Sequence[int]) -> list[tuple[int, dict[int, int]]]:
        """What is known of the last pages, an order each; the first order of which nothing is known ends it."""
        found, key, known = [], "", True
        for i, order in enumerate(self.orders):
            if i:
                page = codes[-i] if i <= len(codes) else NONE
                known = known and page != UNKNOWN
                key = f"{page},{key}" if i > 1 else str(page)
            state = order.get(key) if known else None
            known = known and (i == 0 or state is not None)
            found.append((0, {}) if state is None else state)
        return found

    def _chance(self, page: int, states: Sequence[tuple[int, dict[int, int]]]) -> float:
        (total, counts), *above = states
        chance = counts.get(page, 0) / max(total, 1)
        for (total, counts), s in zip(above, self.smoothing, strict=False):  # of as many orders as are asked
            chance = (counts.get(page, 0) + s * chance) / (total + s)
        return chance

    def _everybody(self, states: Sequence[tuple[int, dict[int, int]]], current: int, count: int) -> list[Pair]:
        most = max(FOLLOWERS, count + 1)
        found = {page for _, counts in states for page in list(counts)[:most]} - {current}
        return likeliest([(page, self._chance(page, states)) for page in sorted(found)], count)

    def _habits(self, context: Mapping[str, Any], states: Any, current: int) -> list[Pair]:
        """What the user opened from here before, on top of what everybody does."""
        habit = self.habit or {}
        usual, last = self._code(context.get("usual_next"), NONE), self._code(context.get("last_next"), NONE)
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


def speculation_rules(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Speculation Rules of each page (wicg.github.io/nav-speculation/speculation-rules.html), by file name.

    Pages above the limit are fetched at once, the next ones on hover. Only paths of the same origin are named, and none
    that changes something or belongs to one visitor alone: without a query, and without a word of ``NEVER``. The tag
    is the ruleset's: browsers that do not know it drop rules that carry it themselves.
    """
    policy, files = ByPages(content), dict[str, dict[str, Any]]()
    for page in filter(_is_fetchable, content["names"]):
        found = [each for each in policy.after(page) if _is_fetchable(each["page"])]
        at_once = [each for each in found if each["chance"] >= content["limit"]][: content["most"]]
        on_hover = [each for each in found if each not in at_once]
        rules = [
            {"source": "list", "urls": [as_url(each["page"]) for each in pages], "eagerness": eagerness}
            for pages, eagerness in ((at_once, "immediate"), (on_hover, "moderate"))
            if pages
        ]
        if rules:
            files[_file_name(page, files)] = dict(tag=f"workbench-{content['version']}", prefetch=rules)
    return files


def as_url(page: str) -> str:
    """A path as it is written in a URL; what is escaped already stays.

    >>> as_url("/caf\u00e9/100%/a%20b")
    '/caf%C3%A9/100%25/a%20b'
    """
    return quote(LONE_PERCENT.sub("%25", page), safe="/%:@!$&'()*+,;=~")


def _is_fetchable(page: str) -> bool:
    path = page.startswith("/") and not page.startswith(("//", "/\\")) and page.isprintable()
    return path and not OTHER.search(page) and not NEVER.search(page)


def _file_name(page: str, taken: Mapping[str, Any]) -> str:
    name = quote(page, safe="")
    if len(name) > LONGEST_NAME or f"{FOLDER}/{name}.json".lower() in {each.lower() for each in taken}:
        name = f"{name[:LONGEST_NAME]}-{hashlib.sha256(page.encode()).hexdigest()[:8]}"
    return f"{FOLDER}/{name}.json"


def likeliest(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """The pairs of largest chance; those that differ by less than a billionth keep their order."""
    there = [pair for pair in pairs if pair[1] > 0]
    return sorted(there, key=lambda pair: math.floor((1 - pair[1]) * 2**30 + 0.5))[:most]


def _above(number: Any, edges: Sequence[float]) -> int:
    known = isinstance(number, (int, float)) and not isinstance(number, bool) and not math.isnan(number)
    return sum(edge <= (number if known else 0) for edge in edges)
