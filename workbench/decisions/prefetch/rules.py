"""The rules of prefetching: nothing, site libraries, counted transitions; model and simulated truth as policies.

A rule is a callable: context frame in, a frame ``view_id, page, rank`` out, 0 to k rows a view. Those with a ``limit``
and ``next_pages`` weigh chances; comparisons tune their limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.schema import navigation_context_columns, saves_data
from workbench.datasets.splits import Split, sample_users, users_of
from workbench.datasets.synthetic_site import NEEDED, true_next_chances
from workbench.decisions.policy import BEST_POSSIBLE, Policy, kilobytes_of, traits_of
from workbench.decisions.prefetch.markov import (
    BEGIN,
    HIGHEST,
    Markov,
    NextPages,
    UserHistory,
    decide_by_chance,
    not_fitted,
    popular,
)
from workbench.decisions.prefetch.neighbours import SimilarSessions
from workbench.decisions.prefetch.replay import Ground, count_by_view, prefetch_limits, read_ground
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import one_standard_error
from workbench.features.pages import (
    PageCounts,
    Transitions,
    as_answer,
    count_transitions,
    encode,
    next_codes,
    rank_within,
)
from workbench.models.next_page import NextPage

# Guess.js, github.com/guess-js/guess, packages/guess-webpack/src: utils.ts at commit 043043e (defaultPrefetchConfig);
# an unknown class counts as 3g (runtime/guess.ts at commit 55edfe0, getEffectiveType).
GUESS_JS_LIMITS = {"4g": 0.15, "3g": 0.30, "2g": 0.45, "slow-2g": 0.60}
GUESS_JS_UNKNOWN = "3g"
# quicklink fetches nothing on these, nor with Save-Data (github.com/GoogleChromeLabs/quicklink).
SLOW = ("slow-2g", "2g")
SMOOTHINGS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)  # views
OF_VOTES = {"smoothing": (10.0, 30.0, 100.0, 300.0), "neighbours": (50, 100, 200)}  # of similar sessions, in turn
VIEWS_TRIED = 30_000  # at most about so many views held out, whole users or sessions


@dataclass(frozen=True)
class Never:
    """Fetch nothing: what most sites do."""

    name: str = "never"

    def __call__(self, context: pd.DataFrame) -> pd.DataFrame:
        nothing = {"view_id": np.zeros(0, np.int64), "page": pd.array([], "str"), "rank": np.zeros(0, np.int64)}
        return pd.DataFrame(nothing)


@dataclass(frozen=True)
class GuessJs:
    """Guess.js: shares of what was opened next, and its own limit for each class of network.

    As the library counts (``buildMap``, and ``normalize`` in packages/ga): the share among onward clicks, session ends
    and reloads left out, nothing smoothed. Its ``limits`` (effective type to share) are never tuned; a missing class
    counts as ``unknown``. It takes every page that reaches the limit; here at most the scenario's ``k``. Where the
    effective type is not known by then (``class_known``), its name says so.
    """

    limits: Mapping[str, float] = field(default_factory=lambda: dict(GUESS_JS_LIMITS), hash=False)
    unknown: str = GUESS_JS_UNKNOWN
    class_known: bool = True
    counts: PageCounts | None = field(default=None, compare=False, repr=False)
    reads: str = "context"

    @property
    def name(self) -> str:
        """What tables call it."""
        return "Guess.js" if self.class_known else f"Guess.js (every network counts as {self.unknown})"

    @property
    def kilobytes(self) -> float:
        """As of ``Markov``: the library ships its shares."""
        return Markov(order=1, counts=self.counts).kilobytes

    def fit(self, train: pd.DataFrame) -> Self:
        """Count training views; returns a fitted copy."""
        counts = PageCounts.fit(train)
        orders = counts.orders[0], self.onward(train, counts.pages), counts.orders[2]
        return replace(self, counts=replace(counts, orders=orders))

    def onward(self, train: pd.DataFrame, pages: pd.Index) -> Transitions:
        """What followed each page, among the clicks that led to another of these pages."""
        codes = encode(train, pages)
        coming = next_codes(train, codes)
        return count_transitions(np.where((coming >= 0) & (coming != codes), codes, -1), coming, len(pages))

    def __call__(self, context: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
        if self.counts is None:
            raise not_fitted(self.name)
        first, codes = self.counts.orders[1], encode(context, self.counts.pages)
        row, page, count = first.top(codes, scenario.k)
        share = count / np.maximum(first.total_of(codes), 1)[row]
        taken = share >= self._limit(context)[row]
        top = as_answer(context, self.counts.pages, (row[taken], page[taken]), share[taken], scenario.k)
        return top.drop(columns="chance")

    def _limit(self, context: pd.DataFrame) -> np.ndarray:
        unknown = self.limits[self.unknown]
        if "effective_type" not in context:
            return np.full(len(context), unknown)
        return context["effective_type"].astype(object).map(self.limits).fillna(unknown).to_numpy(float)


@dataclass(frozen=True)
class Quicklink:
    """quicklink: the links of the page, in their order, none on 2g or with Save-Data.

    The library takes the links in the viewport, which no log tells: here the first ``k`` of the page stand for them.
    ``links`` are ``from_page, to_page`` in the order of the page; without them the rule is not available.
    """

    links: pd.DataFrame | None = field(default=None, compare=False, repr=False)
    name: str = "quicklink"
    reads: str = "context"

    @property
    def unavailable(self) -> str:
        """Why it cannot be used; empty where it can."""
        return "these views have no page links" if self.links is None else ""

    def __call__(self, context: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
        if self.links is None:
            raise WorkbenchError("quicklink needs the links of each page, as in Quicklink(split.links); got none.")
        links = self.links[["from_page", "to_page"]].drop_duplicates()
        links = links[links["from_page"] != links["to_page"]]
        pages = pd.Index(pd.unique(links["from_page"]))
        source = pages.get_indexer(links["from_page"])
        order = np.argsort(source, kind="stable")
        begin = np.searchsorted(source[order], np.arange(len(pages) + 1))
        code = np.where(self._holds_back(context), -1, pages.get_indexer(context["page"].astype(object)))
        size = np.minimum(np.append(np.diff(begin), 0)[code], scenario.k)
        row = np.repeat(np.arange(len(context)), size)
        rank = rank_within(row)
        place = order[begin[code[row]] + rank - 1]
        view_id = context["view_id"].to_numpy()[row]
        return pd.DataFrame({"view_id": view_id, "page": links["to_page"].to_numpy()[place], "rank": rank})

    def _holds_back(self, context: pd.DataFrame) -> np.ndarray:
        held = np.zeros(len(context), bool)
        if "effective_type" in context:
            held |= context["effective_type"].isin(SLOW).to_numpy()
        return held | saves_data(context)


@dataclass(frozen=True)
class PrefetchPolicy[Source: NextPages]:
    """Any source of chances as a policy: the model, or the truth of a simulated site.

    ``limit`` is the chance from which a page is fetched, by default the scenario's break-even.
    """

    source: Source
    name: str = "model"
    limit: float | None = None

    @property
    def kilobytes(self) -> float:
        """Size of the source where it has one, kB."""
        return kilobytes_of(self.source)

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns that the source cannot do without."""
        return traits_of(self.source).needs

    def next_pages(self, context: pd.DataFrame, k: int) -> pd.DataFrame:
        """The likeliest next pages of each view: ``view_id, page, rank, chance``."""
        return self.source.next_pages(context, k)

    def __call__(self, context: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
        return decide_by_chance(self.source, context, scenario, self.limit)


def model_policy(model: Any) -> PrefetchPolicy[NextPage]:
    """A trained model as a policy that fetches from the break-even on; a policy that holds one stays as it is."""
    if isinstance(model, PrefetchPolicy):
        return model
    if not isinstance(model, NextPage):
        raise WorkbenchError(
            f"prefetch takes a trained next-page model, as from {NextPage.train_call}, or its policy in a comparison, "
            f"result.of('model').policy; got {str(model)[:80]}."
        )
    model.check_fitted()
    return PrefetchPolicy(model)


@dataclass(frozen=True)
class TrueNext:
    """The true chances of a simulated site's next page, worked out from its law."""

    generate: Mapping[str, Any] = field(default_factory=dict, hash=False)
    needs: ClassVar[tuple[str, ...]] = NEEDED

    def next_pages(self, context: pd.DataFrame, k: int) -> pd.DataFrame:
        """The likeliest next pages of each view: ``view_id, page, rank, chance``."""
        return true_next_chances(context, self.generate, k)


def true_next(card: Card) -> PrefetchPolicy[TrueNext] | None:
    """The reference policy of a simulated card; None where nature does not tell."""
    if card.generator != "synthetic_site":
        return None
    return PrefetchPolicy(TrueNext(card.generate), name=BEST_POSSIBLE)


def prefetch_rules(split: Split, known_by: str, without: Sequence[str] = ()) -> tuple[Policy, ...]:
    """The rules of prefetching, from the plainest on, counted on ``train``; add one here.

    A rule that lacks what it needs on this data is listed too; comparisons print it as "not available". A rule that
    reads what is left out by ``without`` (``"history"``, ``"second order"``, ``"session"``, ``"context"``) is not; one
    that reads the session reads the page before, too. Where the effective type is not known, Guess.js counts every view
    as 3g and says so.
    """
    counts = PageCounts.fit(split.train, highest=HIGHEST)
    first, second, *longer = (Markov(order=order, counts=counts) for order in range(1, HIGHEST + 1))
    known = "effective_type" in navigation_context_columns(known_by) and "effective_type" in split.train
    rules: tuple[Any, ...] = (
        Never(),
        replace(popular(), counts=counts),
        first,
        second,
        *longer,
        SimilarSessions(longer[-1]).fit(split.train),
        GuessJs(class_known=known and bool(split.train["effective_type"].notna().any())).fit(split.train),
        Quicklink(split.links),
        UserHistory(first if "second order" in without else second).fit(split.train),
    )
    gone = {*without, "session"} if "second order" in without else set(without)
    return tuple(rule for rule in rules if traits_of(rule).reads not in gone)


def smooth_rules(rules: tuple[Any, ...], split: Split, scenario: PrefetchScenario) -> tuple[Any, ...]:
    """Give each Markov rule the smoothing that serves best on all that is held out, its limit at its best each time.

    By net, not by log-loss, which makes a weaker rule: it pays for the many states seen once, which a limit leaves
    alone. Of smoothings within one standard error of the best, the one nearest 10 views, as a ratio: that default was
    set before any data were seen, so that noise cannot move it, while the largest net may lie anywhere on a flat top.
    A rule that holds a Markov rule (user history, similar sessions) gets the smoothed one; similar sessions get their
    number of neighbours and their own smoothing in the same way.
    """
    held_out = split.held_out
    if len(held_out) > VIEWS_TRIED:
        held_out = sample_users(held_out, VIEWS_TRIED, split.seed)
    users = users_of(held_out, split.cluster if split.cluster in held_out else "session_id")
    picker = _Picker(split, users, read_ground(held_out, scenario))
    return tuple(picker.smoothed(rule) for rule in rules)


@dataclass(frozen=True)
class _Picker:
    """Tries variants of rules on views that are held out; ``done`` remembers Markov rules by order and counts."""

    split: Split
    users: np.ndarray
    ground: Ground
    done: dict[tuple[int, int], Markov] = field(default_factory=dict)

    def smoothed(self, rule: Any) -> Any:
        if isinstance(rule, UserHistory):
            return replace(rule, everybody=self.smoothed(rule.everybody)).fit(self.split.train)
        if isinstance(rule, SimilarSessions):
            rule = replace(rule, everybody=self.smoothed(rule.everybody))
            for name, values in OF_VOTES.items():
                tried = [replace(rule, **{name: value}) for value in values]
                rule = self._pick(tried, _ratio(values, getattr(SimilarSessions, name)))
            return rule
        if not isinstance(rule, Markov) or not rule.order or rule.counts is None:
            return rule
        key = rule.order, id(rule.counts)
        if key not in self.done:
            smoothing, moved = (BEGIN,) * rule.order, range(rule.order)
            if rule.order > 2:  # all but the last as the rule of one order less has them
                below = self.smoothed(replace(rule, order=rule.order - 1))
                smoothing, moved = (*below.smoothing[: rule.order - 1], BEGIN), range(rule.order - 1, rule.order)
            self.done[key] = self._smooth(rule, smoothing, moved)
        return self.done[key]

    def _smooth(self, rule: Markov, smoothing: tuple[float, ...], moved: range) -> Markov:
        """Move one order's smoothing at a time, the highest first, from the same place wherever the rule was before."""
        for order in reversed(moved):
            tried = [_with(smoothing, order, value) for value in SMOOTHINGS]
            picked = self._pick([replace(rule, smoothing=each) for each in tried], _ratio(SMOOTHINGS, BEGIN))
            smoothing = picked.smoothing
        return rule if smoothing == rule.smoothing[: rule.order] else replace(rule, smoothing=smoothing)

    def _pick(self, tried: Sequence[Any], distance: np.ndarray) -> Any:
        """The variant nearest the default, of those whose net cannot be told apart from the best."""
        nets = np.array([self._net_of(one.next_pages(self.ground.views, self.ground.scenario.k)) for one in tried])
        return tried[one_standard_error(nets, self.users, distance)]

    def _net_of(self, top: pd.DataFrame) -> np.ndarray:
        """Net of each view at the limit where a source of chances has most: float, shape (views,)."""
        scenario = self.ground.scenario
        counted = count_by_view(top, self.ground, prefetch_limits(scenario))
        return max((hits - scenario.unused_price * unused for hits, unused in counted), key=np.mean)


def _ratio(values: Sequence[float], default: float) -> np.ndarray:
    """How far values are from a default, whether larger or smaller: float, shape (values,)."""
    return np.abs(np.log(np.array(values) / default))


def _with(smoothing: tuple[float, ...], order: int, value: float) -> tuple[float, ...]:
    return (*smoothing[:order], value, *smoothing[order + 1 :])
