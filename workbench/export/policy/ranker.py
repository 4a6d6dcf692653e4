"""The exported next-page model decides in Python: candidates, their features, and trees; NumPy for the trees alone.

What each feature means stands in :mod:`workbench.features.page_features`, which works them out for many views at once.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate, islice
from typing import Any, NamedTuple

import numpy as np

from workbench.export.policy.fields import read_value
from workbench.export.policy.lines import Line
from workbench.export.policy.pages import (
    NEVER_SEEN,
    NONE,
    UNKNOWN,
    Pair,
    State,
    as_code,
    fallen,
    likeliest,
    read_session,
    read_states,
)
from workbench.flat_trees import PlainTrees

HOUR, DWELL, DWELL_FIELD = "local_hour", "dwell", "dwell_before_s"


class Asked(NamedTuple):
    """One view, and its candidates' chances by the first order (``first``) and the second (``second``)."""

    codes: list[int]
    current: int
    before: int
    pages: list[int]
    states: tuple[State, State]
    first: list[float]
    second: list[float]
    given: Mapping[str, Any]
    bands: Mapping[str, int]


Values = Sequence[float] | float  # of each candidate, or of all


class ByRanker:
    """The pages worth fetching, by trees on counts of what followed what."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content, self.fields = content, content["fields"]
        self.names: list[str] = content["names"]
        self.place = {name: i for i, name in enumerate(self.names)}
        self.count = len(self.names)
        zeroth, self.first, self.second = map(_states, content["orders"])
        self.everybody = zeroth.get(0, NEVER_SEEN)
        latest = content["latest"]
        self.popularity = _shares(self.everybody, self.count)
        self.now = _shares((latest[0], dict(zip(latest[1::2], latest[2::2], strict=True))), self.count)
        order = sorted(range(self.count), key=lambda page: -self.popularity[page])
        self.rank = [0.0] * self.count
        for rank, page in enumerate(order):
            self.rank[page] = float(rank)
        self.skipping = _states(content["skipping"])
        self.groups = {name: (group["of"], _states(group["counts"])) for name, group in content["groups"].items()}
        self.levels = {name: {level: i for i, level in enumerate(levels)} for name, levels in content["levels"].items()}
        self.links = {int(page): pages for page, pages in content.get("links", {}).items()}
        trees = content["trees"]
        self.trees: Any = Line(trees) if "weights" in trees else PlainTrees(trees, len(content["features"]))
        self.columns = [self._column(name) for name in content["features"]]

    def weigh(self, context: Mapping[str, Any]) -> tuple[list[Pair], float]:
        """The likeliest pages, by their codes, with their chances; and the chance from which a page is fetched."""
        return self._found(context), self.content["limit"]

    def after(self, page: str) -> list[Pair]:
        """The likeliest pages after one, an unknown page before it: as many as were compared, whatever their chance."""
        return self._found({"pages": [None, page]})

    def _found(self, context: Mapping[str, Any]) -> list[Pair]:
        asked = self._ask(context)
        if not asked.pages:
            return []
        matrix = np.empty((len(self.columns), len(asked.pages)), np.float32)
        with np.errstate(over="ignore"):
            for place, column in enumerate(self.columns):
                matrix[place] = column(asked)
        slope, intercept = self.content["slope"], self.content["intercept"]
        chances = [_logistic(slope * margin + intercept) for margin in self.trees.margins(matrix.T).tolist()]
        *_, total = accumulate(chances)
        scale = max(total, 1.0)
        pairs = [(page, chance / scale) for page, chance in zip(asked.pages, chances, strict=True)]
        return likeliest(pairs, self.content["listed"])

    def _ask(self, context: Mapping[str, Any]) -> Asked:
        codes = read_session(context, self.place)
        current, before = codes[-1], codes[-2] if len(codes) > 1 else NONE
        given = {name: read_value(context.get(name), field) for name, field in self.fields.items() if name != "pages"}
        if DWELL_FIELD in given:
            dwell = given[DWELL_FIELD]
            given[DWELL_FIELD] = math.nan if len(codes) < 2 or math.isnan(dwell) else float(math.floor(dwell))
        pair = (before + 1) * self.count + current if current >= 0 and before >= NONE else NONE
        states = self.first.get(current, NEVER_SEEN), self.second.get(pair, NEVER_SEEN)
        pages = self._candidates(codes, states, given)
        one, two, _ = self.content["smoothing"]
        first = _lean(states[0], pages, [self.popularity[page] for page in pages], one)
        second = _lean(states[1], pages, first, two)
        bands = {name: self._band(name, given) for name in self.content["bands"] | self.levels}
        return Asked(codes, current, before, pages, states, first, second, given, bands)

    def _candidates(self, codes: list[int], states: Iterable[State], given: Mapping[str, Any]) -> list[int]:
        says, current = self.content["candidates"], codes[-1]
        if self.count <= says["all_up_to"]:
            return [page for page in range(self.count) if page != current]
        found = {page for _, counts in states for page in islice(counts, says["followers"])}
        found.update(islice(self.everybody[1], says["popular"]), codes[-1 - says["recent"] : -1])
        found.update(as_code(given.get(name), self.place) for name in ("last_next", "usual_next"))
        found.update(self.links.get(current, [])[: says.get("linked", 0)])
        return sorted(found - {current, NONE, UNKNOWN})

    def _band(self, name: str, given: Mapping[str, Any]) -> int:
        if name == HOUR:
            return NONE if math.isnan(given[HOUR]) else int(given[HOUR] // self.content["hours_a_band"])
        if name == DWELL:
            dwell = given[DWELL_FIELD]
            return NONE if math.isnan(dwell) else bisect_right(self.content["dwell_edges"], dwell)
        levels, value = self.levels[name], given[name]
        return NONE if value is None else levels.get(value, len(levels))

    def _column(self, name: str) -> Callable[[Asked], Values]:
        """How a feature is worked out."""
        columns: dict[str, Callable[[Asked], Values]] = {
            "page": lambda asked: asked.pages,
            "current_page": lambda asked: _or_missing(asked.current),
            "previous_page": lambda asked: _or_missing(asked.before),
            "popularity": lambda asked: [self.popularity[page] for page in asked.pages],
            "popularity_rank": lambda asked: [self.rank[page] for page in asked.pages],
            "current_popularity_rank": lambda asked: self.rank[asked.current] if asked.current >= 0 else math.nan,
            "popularity_now": lambda asked: [self.now[page] for page in asked.pages],
            "skipping_chance": self._skipping,
            "position": lambda asked: len(asked.codes) - 1,
            "times_seen": lambda asked: [asked.codes.count(page) for page in asked.pages],
            "views_ago": lambda asked: [_views_ago(asked.codes, page) for page in asked.pages],
            "is_last_next": partial(self._is, "last_next"),
            "is_usual_next": partial(self._is, "usual_next"),
            "previous_dwell_s": lambda asked: asked.given[DWELL_FIELD],
            "linked": lambda asked: [page in self.links.get(asked.current, ()) for page in asked.pages],
            "links_back": lambda asked: [asked.current in self.links.get(page, ()) for page in asked.pages],
            "first_chance": lambda asked: asked.first,
            "second_chance": lambda asked: asked.second,
            "first_rank": lambda asked: _ranks(asked.first),
            "second_rank": lambda asked: _ranks(asked.second),
        }
        for order, place in (("first", 0), ("second", 1)):
            columns[f"{order}_views"] = partial(_views, place)
            columns[f"{order}_count"] = partial(_counts, place)
            columns[f"{order}_share"] = partial(_shares_after, place)
        columns |= {f"first_chance by {group}": partial(self._by_group, group) for group in self.groups}
        if name not in columns and name in self.levels:
            return lambda asked: _or_missing(asked.bands[name])
        return columns.get(name, lambda asked: asked.given[name])

    def _is(self, name: str, asked: Asked) -> list[bool]:
        code = as_code(asked.given[name], self.place)
        return [page == code for page in asked.pages]

    def _skipping(self, asked: Asked) -> list[float]:
        state = self.skipping.get(asked.before, NEVER_SEEN)
        return _lean(state, asked.pages, [self.popularity[page] for page in asked.pages], self.content["smoothing"][0])

    def _by_group(self, name: str, asked: Asked) -> list[float]:
        of, states = self.groups[name]
        code, *others = [asked.bands[each] for each in of]
        for each, band in zip(of[1:], others, strict=True):
            code = code * self.content["bands"][each] + band if min(code, band) >= 0 else NONE
        key = code * self.count + asked.current if min(code, asked.current) >= 0 else NONE
        return _lean(states.get(key, NEVER_SEEN), asked.pages, asked.first, self.content["smoothing"][2])


def _states(order: Mapping[str, Sequence[int]]) -> dict[int, State]:
    return {int(key): state for key, state in read_states(order).items()}


def _shares(state: State, count: int) -> list[float]:
    return [_share(state, page) for page in range(count)]


def _share(state: State, page: int) -> float:
    return state[1].get(page, 0) / max(state[0], 1)


def _views(order: int, asked: Asked) -> float:
    return asked.states[order][0]


def _counts(order: int, asked: Asked) -> list[float]:
    return [asked.states[order][1].get(page, 0) for page in asked.pages]


def _shares_after(order: int, asked: Asked) -> list[float]:
    return [_share(asked.states[order], page) for page in asked.pages]


def _lean(state: State, pages: Sequence[int], priors: Sequence[float], s: float) -> list[float]:
    total, counts = state
    return [(counts.get(page, 0) + s * prior) / (total + s) for page, prior in zip(pages, priors, strict=True)]


def _ranks(chances: Sequence[float]) -> list[int]:
    ranks = [0] * len(chances)
    for rank, place in enumerate(sorted(range(len(chances)), key=lambda i: fallen((i, chances[i]))), start=1):
        ranks[place] = rank
    return ranks


def _views_ago(codes: Sequence[int], page: int) -> float:
    return codes[::-1].index(page) if page in codes else math.nan


def _or_missing(code: int) -> float:
    return code if code >= 0 else math.nan


def _logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
