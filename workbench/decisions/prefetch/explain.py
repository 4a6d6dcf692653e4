"""What explanations ask of prefetching: SHAP rows of first choices, shuffled features, contrasts, single views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.schema import NAVIGATION_HISTORY, OF_THE_SESSION, label
from workbench.datasets.splits import FEWEST_USERS, card_of, sample_users
from workbench.decisions.decision import (
    Contrast,
    Explained,
    Policy,
    Shuffled,
    Situations,
    call_policy,
    traits_of,
)
from workbench.decisions.option_explain import TreeRule, as_shown, context_facts, used_sources, with_units
from workbench.decisions.prefetch.explorer import RARE
from workbench.decisions.prefetch.markov import Markov, UserHistory, WeighsPages, fetches_at
from workbench.decisions.prefetch.replay import trace_fetches
from workbench.decisions.prefetch.rules import Never, PrefetchPolicy
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.features.levels import UNKNOWN, largest_levels
from workbench.features.page_features import DWELL, HOURS_A_BAND, Pairs, previous_dwell, session_batches
from workbench.features.pages import as_answer, same_session
from workbench.models.next_page import as_chances

QUESTION = "log-odds that the model's first choice is the next page"
VIEWS_A_BATCH = 4_000  # described at a time, with all their candidates
# What readers call features that are no column of context, and which of the trees' features each is made of.
PAGE_NOW, PAGE_BEFORE, POPULARITY = "what follows this page", "the page before", "popularity"
USER_HISTORY, SEEN, LINKS = "user history", "seen in this session", "links of the page"
DEVICE_AND_HOUR, DWELL_BEFORE, POSITION = "device and hour", "time on the page before", "place in the session"
SOURCES = {
    "page": POPULARITY,
    "popularity": POPULARITY,
    "popularity_rank": POPULARITY,
    "popularity_now": POPULARITY,
    "current_page": PAGE_NOW,
    "current_popularity_rank": PAGE_NOW,
    "skipping_chance": PAGE_BEFORE,
    "previous_page": PAGE_BEFORE,
    "position": POSITION,
    "times_seen": SEEN,
    "views_ago": SEEN,
    "is_last_next": USER_HISTORY,
    "is_usual_next": USER_HISTORY,
    "usual_share": USER_HISTORY,
    "here_before": USER_HISTORY,
    "earlier_views": USER_HISTORY,
    "linked": LINKS,
    "links_back": LINKS,
    "previous_dwell_s": DWELL_BEFORE,
    "dwell": DWELL_BEFORE,
    "device x local_hour": DEVICE_AND_HOUR,
}
# The number that stands for a feature: it colours the beeswarm and is printed in the waterfall.
STANDS_FOR = {
    PAGE_NOW: "first_chance",
    PAGE_BEFORE: "second_chance",
    POPULARITY: "popularity",
    SEEN: "times_seen",
    USER_HISTORY: "is_usual_next",
    LINKS: "linked",
    DWELL_BEFORE: "previous_dwell_s",
    POSITION: "position",
}
SHARES, FLAGS = (PAGE_NOW, PAGE_BEFORE, POPULARITY), (USER_HISTORY, LINKS)
BANDS = ("night", "morning", "afternoon", "evening")  # of six hours each, as the trees know them
GROUPED, CROSSED = " by ", " x "  # in the names of features that are counted apart for groups of views


# --------------------------------------------------------------------------------------------- SHAP values


def explained(model: Any, frame: pd.DataFrame, *, all_rows: bool = False) -> Explained:
    """The page that the model ranks first in each view, and why; views without candidates are left out.

    Parameters
    ----------
    model : NextPage, or a policy that holds one
    frame : DataFrame
        Canonical navigations, whole sessions.
    all_rows : bool
        Whether every candidate is a row, and not only the one that is ranked first.

    Returns
    -------
    Explained
        Shares in percent; whether a page is linked, or is the user's usual next page, as no and yes.
    """
    source: Any = model.source if isinstance(model, PrefetchPolicy) else model
    card, context = card_of(frame), source.context(frame)
    parts, views = [np.empty((0, len(source.names_)), np.float32)], [np.empty(0, np.int64)]
    for start, part in session_batches(context, VIEWS_A_BATCH):
        pairs = source.describe(part)
        margin = source.booster_.inplace_predict(pairs.matrix, predict_type="margin")
        rows = np.arange(len(margin)) if all_rows else _first_choice(pairs.row, margin)
        parts.append(pairs.matrix[rows])
        views.append(pairs.row[rows] + start)
    matrix, view = np.vstack(parts), np.concatenate(views)
    sources = tuple(source_of(name, card) for name in source.names_)
    shown = _shown(dict.fromkeys(sources), source.names_, matrix, context.iloc[view], card)
    return Explained(source.booster_, matrix, sources, shown, QUESTION, view)


def source_of(name: str, card: Card | None = None) -> str:
    """The feature that a reader knows, of one that the trees know.

    Examples
    --------
    >>> source_of("second_share"), source_of("first_chance by device x local_hour")
    ('the page before', 'device and hour')
    """
    if GROUPED in name:
        name = name.partition(GROUPED)[2]
    elif name.startswith("first_"):
        return PAGE_NOW
    elif name.startswith("second_"):
        return PAGE_BEFORE
    return SOURCES.get(name) or label(name, card)


def _first_choice(row: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """Place of the pair with the largest margin of each view; rows rise."""
    order = np.lexsort((-margin, row))
    begins = np.r_[True, np.diff(row[order]) > 0] if len(order) else np.empty(0, bool)
    return order[begins]


def _shown(
    features: Mapping[str, Any], names: Sequence[str], matrix: np.ndarray, context: pd.DataFrame, card: Card
) -> pd.DataFrame:
    columns = {source_of(name, card): name for name in context if name not in SOURCES}
    found = {}
    for feature in features:
        if feature == DEVICE_AND_HOUR:
            found[feature] = _device_and_hour(context)
        elif feature in columns:
            found[feature] = as_shown(context[columns[feature]]).to_numpy()
        else:
            name = STANDS_FOR.get(feature)
            number = matrix[:, names.index(name)].astype(float) if name in names else np.full(len(matrix), np.nan)
            found[feature] = _as_flags(number) if feature in FLAGS else number * (100 if feature in SHARES else 1)
    shown = pd.DataFrame(found, index=context.index)
    shown.attrs["units"] = dict.fromkeys(SHARES, "%")
    return shown


def _as_flags(number: np.ndarray) -> pd.Categorical:
    return pd.Categorical(np.where(number > 0, "yes", "no"), ["no", "yes"], ordered=True)


def _device_and_hour(context: pd.DataFrame) -> np.ndarray:
    device = context["device"].astype(object).where(context["device"].notna(), UNKNOWN)
    hour = context["local_hour"].to_numpy(float, na_value=np.nan)
    band = [UNKNOWN if np.isnan(each) else BANDS[int(each) // HOURS_A_BAND] for each in hour]
    return np.array([f"{one}, {other}" for one, other in zip(device, band, strict=True)], dtype=object)


# ---------------------------------------------------------------------------------- permutation importance


def shuffled(
    decision: Any, policy: Any, situations: Situations, scenario: PrefetchScenario, answer: pd.DataFrame
) -> dict[str, Shuffled]:
    """Each feature that the trees use, its columns shuffled together; candidates stay what they are.

    What a view's own context says of its candidates is worked out again, as if it had another view's context; other
    columns that are one number a view (such as the place in the session) become another view's; those that differ from
    candidate to candidate change places among the candidates of the view.
    """
    pairs = policy.source.describe(situations.context)
    _, first, view = np.unique(pairs.row, return_index=True, return_inverse=True)
    of_view = [np.array_equal(column, column[first][view], equal_nan=True) for column in pairs.matrix.T]
    sources = [source_of(name, situations.card) for name in pairs.names]
    candidates = _Candidates(decision, policy, situations, scenario, answer, pairs, tuple(of_view), tuple(sources))
    used = used_sources(policy.source.booster_, sources)
    return {feature: _bound(candidates, feature) for feature in dict.fromkeys(sources) if feature in used}


def _bound(candidates: _Candidates, feature: str) -> Shuffled:
    return lambda rngs: [candidates.replay(candidates.shuffle(feature, rng)) for rng in rngs]


@dataclass(frozen=True)
class _Candidates:
    """The candidates of all views, what the trees know of them, and which columns are one number a view."""

    decision: Any
    policy: Any
    situations: Situations
    scenario: PrefetchScenario
    answer: pd.DataFrame
    pairs: Pairs
    of_view: tuple[bool, ...]
    sources: tuple[str, ...]

    def replay(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Chances, fetches, replay: net of each view, and whether other pages are fetched in it."""
        model, context, pairs = self.policy.source, self.situations.context, self.pairs
        limit = self.scenario.break_even if self.policy.limit is None else self.policy.limit
        margin = model.booster_.inplace_predict(matrix, predict_type="margin")
        chance = as_chances(margin, pairs.row, model.platt_, len(context))
        top = as_answer(context, model.counts_.pages.pages, (pairs.row, pairs.page), chance, self.scenario.k)
        fetched = fetches_at(top, limit, self.scenario.k)
        view_id = context["view_id"].to_numpy()
        turned = page_sets(fetched, view_id)[0] != page_sets(self.answer, view_id)[0]
        return self.decision.outcomes(fetched, self.situations, self.scenario)["net"].to_numpy(), turned

    def shuffle(self, feature: str, rng: np.random.Generator) -> np.ndarray:
        """Features of the pairs, those of one reader's feature shuffled."""
        pairs = self.pairs
        columns = [i for i, source in enumerate(self.sources) if source == feature]
        matrix = pairs.matrix.copy(order="F")
        groups = [pairs.names[i].partition(GROUPED)[2] for i in columns if GROUPED in pairs.names[i]]
        if groups:
            context = _shuffle_context(self.situations.context, groups[0].split(CROSSED), rng)
            matrix[:, columns] = self.policy.source.describe(context).matrix[:, columns]
            return matrix
        among_candidates = np.lexsort((rng.random(len(pairs.row)), pairs.row))
        views, first, view = np.unique(pairs.row, return_index=True, return_inverse=True)
        other_view = first[rng.permutation(len(views))][view]
        for i in columns:
            matrix[:, i] = pairs.matrix[other_view if self.of_view[i] else among_candidates, i]
        return matrix


def _shuffle_context(context: pd.DataFrame, group: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """Views with columns of other views, the same ones for all columns of the group."""
    if group == [DWELL]:
        return context.assign(viewed_at=_shuffle_times(context, rng))
    order = rng.permutation(len(context))
    return context.assign(**{name: context[name].iloc[order].set_axis(context.index) for name in group})


def _shuffle_times(context: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """Times under which each view but the first of a session comes as long after the one before as another view did."""
    dwell = previous_dwell(context)
    follows = ~np.isnan(dwell)
    dwell[follows] = rng.permutation(dwell[follows])
    since = pd.Series(np.nan_to_num(dwell), context.index).groupby(np.cumsum(~follows)).cumsum()
    began = context["viewed_at"].groupby(np.cumsum(~follows)).transform("first")
    return began.dt.floor("s") + pd.to_timedelta(since, unit="s")


def page_sets(answer: pd.DataFrame, view_id: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which pages are fetched in each view, whatever their order, as one number a set; and how many they are.

    Both of shape (rows,). The number is the sum of 64-bit hashes of the pages' names: 0 where none is fetched.
    """
    place = pd.Index(view_id).get_indexer(answer["view_id"])
    hashed = pd.util.hash_array(answer["page"].astype(str).to_numpy(object))
    sets = np.zeros(len(view_id), np.uint64)
    np.add.at(sets, place, hashed)
    return sets, np.bincount(place, minlength=len(view_id))


# ------------------------------------------------------------------------------------- model against rule

RULE_FETCHES, NOTHING, SOMETHING = "the rule fetches", "nothing", "one page or more"
ONLY_MODEL, ONLY_RULE = "the model fetches, the rule does not", "the rule fetches, the model does not"
MORE, FEWER = "both fetch, the model more pages", "both fetch, the model fewer pages"
OTHERS = "both fetch as many pages, not the same"
PAGE, BEFORE, THIS_IS = "page", "page before", "this is"
FIRST, LATER = "the first page of a session", "a later page of a session"
RULE_CHANCE, RULE_FIRST = "chance of the rule's first choice", "the rule's first choice"
USUAL, ANOTHER = "the user's usual next page", "another page"
FOLLOWER = "the page that most often follows this one"
LIMITS = {f"what the rule gives a chance of {limit} % or more": limit / 100 for limit in (5, 10, 15, 20, 30, 50)}
NUMBERS_OF_HISTORY = ("here_before", "earlier_views")
MOST_SETS = 60  # sets of pages that the model fetches most often, each an action with a name
NOT_FACTS = {*OF_THE_SESSION, *(column.name for column in NAVIGATION_HISTORY)}  # numbered, or shown in other words
Fetch = Callable[[pd.DataFrame, "pd.DataFrame | None", PrefetchScenario], pd.DataFrame]


def contrast(  # noqa: PLR0917 - the arguments of Decision.contrast, and the decision
    decision: Any,
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    rule: Policy,
    situations: Situations,
    scenario: PrefetchScenario,
) -> Contrast:
    """Where the model fetches more, fewer or other pages than the rule."""
    context = situations.context
    view_id = context["view_id"].to_numpy()
    (mine, many), (its, few) = page_sets(ours, view_id), page_sets(theirs, view_id)
    top = decision.weigh(rule, situations, scenario)
    ways = [mine == its, few == 0, many == 0, many > few, many < few]
    way = np.select(ways, ["", ONLY_MODEL, ONLY_RULE, MORE, FEWER], OTHERS).astype(object)
    facts = page_facts(context, theirs, top, situations.card)
    fetches = _actions(ours, mine, situations, rule, top)
    return Contrast(
        way=way,
        detail=way,
        facts=facts,
        rule_does=facts[RULE_FETCHES].to_numpy(object),
        actions={name: fetch(context, top, scenario) for name, fetch in fetches.items()},
        entered=lambda branches: PageTreeRule(rule, tuple(branches), situations.card, situations.known_by, fetches),
    )


def page_facts(context: pd.DataFrame, answer: pd.DataFrame, top: pd.DataFrame | None, card: Card) -> pd.DataFrame:
    """What the rule does, then what may be known of each page view, from its own session up to it.

    Parameters
    ----------
    context : DataFrame, shape (rows, columns)
        From ``known_context``.
    answer : DataFrame
        What the rule fetches: ``view_id, page, rank``.
    top : DataFrame or None
        ``view_id, page, rank, chance`` of a rule that weighs chances.
    card : Card

    Returns
    -------
    DataFrame, shape (rows, facts)
        Numbers as float, all else as text.
    """
    view_id, page = context["view_id"].to_numpy(), context["page"].astype(object)
    before = page.groupby(context["session_id"].to_numpy()).shift()
    fetches = np.isin(view_id, answer["view_id"].to_numpy())
    facts = {
        RULE_FETCHES: _text(np.where(fetches, SOMETHING, NOTHING)),
        PAGE: _text(page.map(str)),
        THIS_IS: _text(np.where(before.isna(), FIRST, LATER)),
        BEFORE: _text(before.map(str, na_action="ignore")),
        POSITION: pd.Series(1.0 + context["position"].to_numpy(float)),
    }
    history = [name for name in NUMBERS_OF_HISTORY if name in context and "usual_next" in context]
    facts |= {label(name, card): pd.Series(context[name].to_numpy(float)) for name in history}
    if top is not None:
        first = top[top["rank"] == 1].set_index("view_id").reindex(view_id)
        facts[RULE_CHANCE] = pd.Series(100 * first["chance"].to_numpy(float))
        if "usual_next" in context:
            same = first["page"].astype(object).to_numpy() == context["usual_next"].astype(object).to_numpy()
            facts[f"{RULE_FIRST} is"] = _text(np.where(same, USUAL, ANOTHER))
    others = context[[name for name in context if name not in NOT_FACTS]]
    found = with_units(pd.DataFrame(facts | context_facts(others, card)), others, card)
    found.attrs["units"][RULE_CHANCE] = "%"
    return found


def _text(values: Any) -> pd.Series:
    return pd.Series(np.asarray(values, dtype=object), dtype=object)


def _actions(
    ours: pd.DataFrame, sets: np.ndarray, situations: Situations, rule: Any, top: pd.DataFrame | None
) -> dict[str, Fetch]:
    """What could be fetched that has a name, apart from what the rule fetches.

    Nothing; the rule's pages at another limit; the user's usual page; what most often follows the page, where the rule
    counts that; and the sets of pages that the model itself fetches most often, each for at least 20 users.
    """
    found: dict[str, Fetch] = {NOTHING: lambda context, top, scenario: Never()(context)}
    if top is not None:
        found |= {name: _at_limit(limit) for name, limit in LIMITS.items()}
    if "usual_next" in situations.context:
        found[USUAL] = lambda context, top, scenario: _usual(context)
    counts = _counts_of(rule)
    if counts is not None:
        follower = Markov(order=1, limit=0.0, counts=counts)
        found[FOLLOWER] = lambda context, top, scenario: follower.next_pages(context, 1)[["view_id", "page", "rank"]]
    named = [tuple(sorted(pages)) for pages in _frequent_sets(ours, sets, situations)]
    return found | {", ".join(pages): _pages(pages) for pages in named}


def _counts_of(rule: Any) -> Any:
    """What a counting rule has counted; None of another."""
    if isinstance(rule, UserHistory):
        rule = rule.everybody
    return rule.counts if isinstance(rule, Markov) else None


def _at_limit(limit: float) -> Fetch:
    def fetch(context: pd.DataFrame, top: pd.DataFrame | None, scenario: PrefetchScenario) -> pd.DataFrame:
        assert top is not None  # named only where the rule weighs chances
        return fetches_at(top, limit, scenario.k)

    return fetch


def _pages(pages: tuple[str, ...]) -> Fetch:
    """The same pages in every view, except the page that is open."""

    def fetch(context: pd.DataFrame, top: pd.DataFrame | None, scenario: PrefetchScenario) -> pd.DataFrame:
        wanted = pages[: scenario.k]
        view_id, here = context["view_id"].to_numpy(), context["page"].astype(str).to_numpy()
        page = np.repeat(np.array(wanted, dtype=object), len(view_id))
        answer = pd.DataFrame({"view_id": np.tile(view_id, len(wanted)), "page": page})
        answer = answer[np.tile(here, len(wanted)) != page]
        return answer.assign(page=answer["page"].astype("str"), rank=answer.groupby("view_id").cumcount() + 1)

    return fetch


def _usual(context: pd.DataFrame) -> pd.DataFrame:
    usual = context["usual_next"].astype(object)
    there = (usual.notna() & (usual != context["page"].astype(object))).to_numpy()
    return pd.DataFrame({"view_id": context["view_id"].to_numpy()[there], "page": usual.to_numpy()[there], "rank": 1})


def _frequent_sets(ours: pd.DataFrame, sets: np.ndarray, situations: Situations) -> Iterator[list[str]]:
    users = pd.Series(situations.users).groupby(sets).nunique()
    frequent = users[(users >= FEWEST_USERS) & (users.index != 0)].sort_index().nlargest(MOST_SETS).index
    first = pd.Series(situations.context["view_id"].to_numpy()).groupby(sets).first()
    shown = ours[ours["view_id"].isin(first[frequent])]
    pages = shown.groupby("view_id")["page"].agg(lambda page: list(page.astype(str)))
    yield from (pages[first[each]] for each in frequent)


@dataclass(frozen=True)
class PageTreeRule(TreeRule):
    """Fetches what another rule fetches, except in some branches; ``fetches`` says how each action is found."""

    fetches: Mapping[str, Fetch] = field(repr=False, compare=False)

    def __call__(self, context: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
        answer = call_policy(self.base, context, scenario)
        top = self.base.next_pages(context, scenario.k) if isinstance(self.base, WeighsPages) else None
        facts, view_id = page_facts(context, answer, top, self.card), context["view_id"].to_numpy()
        parts, left = [], np.ones(len(context), bool)
        for condition, action in self.branches:
            inside = condition(facts)
            parts.append(_of_views(self.fetches[action](context, top, scenario), view_id[inside & left]))
            left &= ~inside
        return pd.concat([_of_views(answer, view_id[left]), *parts], ignore_index=True)


def _of_views(answer: pd.DataFrame, view_id: np.ndarray) -> pd.DataFrame:
    return answer.loc[answer["view_id"].isin(view_id), ["view_id", "page", "rank"]].astype({"page": "str"})


# ----------------------------------------------------------------------------------------------- one view

VIEWS_LOOKED_AT = 200_000  # whole users (or sessions) are drawn where there are more
PAGES_SHOWN, PAGES_ASKED = 6, 20
PREVIOUS, PREVIOUS_DWELL = "page_before", "dwell_before_s"
EXAMPLE = (
    "Not a real view: each value is shared by at least 20 {people}, or is their median; what fewer share is shown as "
    "unknown. The session began with the page before."
)


@dataclass(frozen=True)
class Fetching:
    """What one policy fetches in one view; ``chances`` by page, the likeliest first, where it weighs any.

    ``limit`` is the chance from which it fetches, None where that is the scenario's break-even.
    """

    name: str
    fetches: tuple[str, ...] = ()
    chances: Mapping[str, float] = field(default_factory=dict)
    limit: float | None = None

    def chance(self, page: str) -> float:
        """Its chance of a page, 0 where that is not among the likeliest."""
        return self.chances.get(page, 0.0)

    def expects(self, page: str) -> str:
        """The same in words: a page that is not among the likeliest has less than the last of them."""
        if not self.chances:
            return "fixed rule"
        known = self.chances.get(page)
        return f"{100 * known:.1f} %" if known is not None else f"under {100 * min(self.chances.values()):.1f} %"

    def differs(self, other: Fetching) -> bool:
        """Whether it fetches other pages than another policy."""
        return set(self.fetches) != set(other.fetches)


@dataclass(frozen=True)
class PageInspection:
    """Policies, the model's first, to be asked about single views of a table.

    Fields as of :class:`workbench.decisions.option_explain.OptionInspection`; ``named`` are the pages that at least 20
    users (or sessions) viewed, the only ones that are named.
    """

    decision: Any
    policies: Mapping[str, Policy]
    situations: Situations
    table: pd.DataFrame
    scenario: PrefetchScenario
    named: frozenset[str]
    first: tuple[str, ...] = (PAGE, PREVIOUS)
    missing: Mapping[str, str | None] = field(
        default_factory=lambda: {PAGE: None, PREVIOUS: "none: the first page of a session"}
    )
    dimensions: tuple[str, ...] = (PAGE, PREVIOUS, "device", "usual_next", "country")

    @property
    def card(self) -> Card:
        """Where the views come from."""
        return self.situations.card

    @property
    def users(self) -> np.ndarray:
        """Whose each view is, shape (rows,)."""
        return self.situations.users

    @property
    def people(self) -> str:
        """What those are called."""
        return self.situations.people

    @property
    def words(self) -> Mapping[str, str]:
        """Headings."""
        return {
            "acts": "What each policy fetches",
            "chances": "The model's chances of being the next page",
            "example": EXAMPLE.format(people=self.people),
        }

    def complete(self, view: pd.DataFrame) -> pd.DataFrame:
        """An example without values that mean nothing because what they are of is missing."""
        meaningless = {"usual_share": "usual_next", PREVIOUS_DWELL: PREVIOUS}
        gone = {what: np.nan for what, of in meaningless.items() if what in view and view[of].isna().all()}
        return view.assign(**gone)

    def views(self, view: pd.DataFrame) -> pd.DataFrame:
        """The view after the page before, as canonical context: a session of one or two views, the view last."""
        context, of_view = self.situations.context, view.iloc[0]
        pages = [page for page in (of_view[PREVIOUS], of_view[PAGE]) if not pd.isna(page)]
        place = np.arange(len(pages))
        session = context.iloc[np.zeros(len(pages), int)].reset_index(drop=True)
        for name in context.columns.intersection(view.columns):
            session[name] = pd.Series([of_view[name]] * len(pages)).astype(context[name].dtype)
        page = pd.Series(pages).astype(context[PAGE].dtype)
        session = session.assign(page=page, view_id=place, session_id=0, position=place)
        if "viewed_at" in session:
            dwell = of_view.get(PREVIOUS_DWELL, 0.0)
            seconds = self.table[PREVIOUS_DWELL].median() if pd.isna(dwell) else dwell
            begin = context["viewed_at"].quantile(0.5, interpolation="nearest")
            session["viewed_at"] = begin + pd.to_timedelta((place - place[-1]) * round(seconds), unit="s")
        session.attrs["card"] = self.card
        return session

    def answer(self, view: pd.DataFrame) -> dict[str, Any]:
        """What each policy fetches in one view, its chances, and why rules differ from the model.

        The model fetches from the break-even on, a rule from the limit that it comes with, else the break-even too.
        """
        session, break_even = self.views(view), self.scenario.break_even
        asked = {
            name: self._ask(name, policy, session)
            for name, policy in self.policies.items()
            if not self.decision.why_unavailable(policy, self.situations)
        }
        ours = asked[next(iter(self.policies))]
        likeliest = list(ours.chances)[:PAGES_SHOWN]
        first = likeliest[0]
        return {
            "finding": self._finding(ours, first),
            "chances": [
                {
                    "name": self._names([page]),
                    "percent": round(100 * ours.chance(page), 1),
                    "said": ours.expects(page),
                    "taken": page in ours.fetches,
                }
                for page in likeliest
            ],
            "limit": round(100 * break_even, 1),
            "columns": ["fetches", f"chance of {self._names([first])}"],
            "policies": [self._row(name, asked.get(name), ours, first) for name in self.policies],
            "why": [self._difference(each, ours) for each in asked.values() if each.differs(ours)],
            "about": self._names([first]),
        }

    def _ask(self, name: str, policy: Policy, session: pd.DataFrame) -> Fetching:
        """What a policy fetches in the last view of a session: not what the visit before keeps fresh."""
        there = Situations(session, session, np.zeros(len(session), int), "sessions", self.card, "")
        answer, last = self.decision.ask(policy, there, self.scenario), len(session) - 1
        fetched = trace_fetches(answer[answer["view_id"] == last], session, self.scenario)
        chances: dict[str, float] = {}
        if isinstance(policy, WeighsPages):
            top = policy.next_pages(session, PAGES_ASKED)
            top = top[top["view_id"] == last]
            chances = dict(zip(top["page"].astype(str), top["chance"], strict=True))
        return Fetching(name, tuple(map(str, fetched["page"])), chances, traits_of(policy).limit)

    def _names(self, pages: Sequence[str]) -> str:
        """Pages as a sentence lists them; those that few viewed are not named."""
        known = [page for page in pages if page in self.named]
        rare = len(pages) - len(known)
        every = [*known, *([RARE] if rare == 1 else [f"{rare} rare pages"] if rare else [])]
        return " and ".join(filter(None, [", ".join(every[:-1]), every[-1]])) if every else NOTHING

    def _row(self, name: str, asked: Fetching | None, ours: Fetching, page: str) -> dict[str, Any]:
        if asked is None:
            return {"name": name, "does": None, "expects": None, "differs": False}
        does, expects = self._names(asked.fetches), asked.expects(page)
        return {"name": name, "does": does, "expects": expects, "differs": asked.differs(ours)}

    def _finding(self, ours: Fetching, likeliest: str) -> str:
        pays = f"a prefetch pays from a chance of {100 * self.scenario.break_even:g} %"
        if ours.fetches:
            pages = ", ".join(f"{self._names([page])} ({ours.expects(page)})" for page in ours.fetches)
            return f"The model fetches {pages}; {pays}."
        cached = ", but is cached already" if ours.chance(likeliest) >= self.scenario.break_even else ""
        return (
            f"The model fetches nothing: {self._names([likeliest])}, the likeliest, has a chance of "
            f"{ours.expects(likeliest)}{cached}; {pays}."
        )

    def _difference(self, rule: Fetching, ours: Fetching) -> str:
        """What a rule does otherwise, and the page on which it differs most from the model."""
        more = [page for page in rule.fetches if page not in ours.fetches]
        less = [page for page in ours.fetches if page not in rule.fetches]
        page = max([*more, *less], key=lambda page: abs(rule.chance(page) - ours.chance(page)))
        does = "fetches nothing" if not rule.fetches else f"does not fetch {self._names(less)}"
        if more:
            does = f"fetches {self._names(more)} {f'instead of {self._names(less)}' if less else 'too'}"
        if not rule.chances:
            return (
                f'"{rule.name}" {does}, a fixed rule; the model gives {self._names([page])} a chance of '
                f"{ours.expects(page)}."
            )
        limit = "" if rule.limit is None else f" It fetches from {100 * rule.limit:.1f} %."
        return (
            f'"{rule.name}" {does}: it gives {self._names([page])} a chance of {rule.expects(page)}, the model '
            f"{ours.expects(page)}.{limit}"
        )


def inspected(
    decision: Any, policies: Mapping[str, Policy], view: pd.DataFrame, card: Card, scenario: PrefetchScenario
) -> PageInspection:
    """Set policies, the model's first, beside each other, to be asked about views like those of a frame.

    Raises
    ------
    WorkbenchError
        Where no page was viewed by 20 users (or sessions).
    """
    drawn = view if len(view) <= VIEWS_LOOKED_AT else sample_users(view, VIEWS_LOOKED_AT)
    ours: Any = next(iter(policies.values()))
    situations = decision.situations(drawn, card, "user_id", ours.source.known_by, scenario)
    named = frozenset(map(str, largest_levels(situations.context[PAGE], situations.users)))
    if not named:
        raise WorkbenchError(
            f"{card.name}: an example views a page that at least {FEWEST_USERS} {situations.people} viewed; there is "
            "none. Take more rows."
        )
    return PageInspection(decision, policies, situations, _as_table(situations.context), scenario, named)


def _as_table(context: pd.DataFrame) -> pd.DataFrame:
    """What may be known of each view, one row each, without columns that nobody has."""
    page, began = context[PAGE], same_session(context, 1)
    before = np.full(len(context), -1)
    before[1:][began] = page.cat.codes.to_numpy()[:-1][began]
    table = context.drop(columns=[name for name in OF_THE_SESSION if name in context and name != PAGE])
    table = table.loc[:, table.notna().any()].drop(columns=PAGE)
    dwell = previous_dwell(context)
    first = {PAGE: page, PREVIOUS: pd.Categorical.from_codes(before, categories=page.cat.categories)}
    if (dwell > 0).any():  # sources with days, or one time a session, have none
        first[PREVIOUS_DWELL] = dwell
    return pd.DataFrame(first, index=context.index).join(table)
