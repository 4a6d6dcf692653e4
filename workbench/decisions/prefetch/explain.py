"""What explanations ask of prefetching: SHAP rows of first choices, shuffled features, contrasts, single views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.columns import listed
from workbench.datasets.schema import NAVIGATION_HISTORY, OF_THE_SESSION, label
from workbench.datasets.splits import FEWEST_USERS, card_of, sample_users
from workbench.decisions.decision import Contrast, Decision, Explained, Shuffled
from workbench.decisions.inspection import EXAMPLE, Action, Inspection
from workbench.decisions.policy import ModelPolicy, Policy, Situations, TreeRule, call_policy, traits_of, with_context
from workbench.decisions.prefetch.explorer import RARE
from workbench.decisions.prefetch.markov import Markov, UserHistory, WeighsPages, fetches_at
from workbench.decisions.prefetch.replay import trace_fetches
from workbench.decisions.prefetch.rules import Never, model_policy
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.features.encoding import as_shown
from workbench.features.levels import UNKNOWN, largest_levels
from workbench.features.page_features import DWELL, HOURS_A_BAND, Pairs, previous_dwell, session_batches
from workbench.features.pages import as_answer, same_session
from workbench.models.boosting import used_sources
from workbench.models.next_page import NextPage, as_chances

QUESTION = "log-odds that the model's first choice is the next page"
VIEWS_A_BATCH = 4_000  # described at a time, with all their candidates
# What readers call features that are no column of context, and which of the trees' features each is made of.
PAGE_NOW, PAGE_BEFORE, POPULARITY = "what follows this page", "the page before", "popularity"
USER_HISTORY, SEEN, LINKS = "user history", "seen in this session", "links of the page"
DEVICE_AND_HOUR, DWELL_BEFORE, POSITION = "device and hour", label("dwell_before_s"), label("position")
SOURCES = {
    **dict.fromkeys(("page", "popularity", "popularity_rank", "popularity_now"), POPULARITY),
    **dict.fromkeys(("current_page", "current_popularity_rank"), PAGE_NOW),
    **dict.fromkeys(("skipping_chance", "previous_page"), PAGE_BEFORE),
    **dict.fromkeys(("is_last_next", "is_usual_next", "usual_share", "here_before", "earlier_views"), USER_HISTORY),
    **dict.fromkeys(("times_seen", "views_ago"), SEEN),
    **dict.fromkeys(("linked", "links_back"), LINKS),
    **dict.fromkeys(("previous_dwell_s", "dwell"), DWELL_BEFORE),
    "position": POSITION,
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


def explained(
    decision: Decision,
    model: Any,
    frame: pd.DataFrame,
    scenario: PrefetchScenario,
    *,
    quantity: str | None = None,
    all_rows: bool = False,
) -> Explained:
    """The page that the model ranks first in each view (or all candidates); views without candidates are left out.

    Shares are shown in percent; whether a page is linked, or is the user's usual next page, as no and yes.
    """
    if quantity is not None:
        raise WorkbenchError(f"a next-page model predicts no quantity to ask about; got {quantity!r}. Leave it out.")
    source = model_policy(model).source
    card, context = card_of(frame), source.context(frame)
    parts, views = [np.empty((0, len(source.names_)), np.float32)], [np.empty(0, np.int64)]
    for start, part in session_batches(context, VIEWS_A_BATCH):
        pairs = source.describe(part)
        margin = source.booster_.inplace_predict(pairs.matrix, predict_type="margin")
        rows = np.arange(len(margin))
        if not all_rows:
            rows = pd.Series(margin).groupby(pairs.row).idxmax().to_numpy(int)
        parts.append(pairs.matrix[rows])
        views.append(pairs.row[rows] + start)
    matrix, view = np.vstack(parts), np.concatenate(views)
    sources = tuple(source_of(name, card) for name in source.names_)
    shown = _shown(dict.fromkeys(sources), source.names_, matrix, context.iloc[view], card)
    return Explained(source.booster_, matrix, sources, shown, QUESTION, view)


def source_of(name: str, card: Card | None = None) -> str:
    """The feature that a reader knows, of one that the trees know.

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
            found[feature] = number * (100 if feature in SHARES else 1)
            if feature in FLAGS:
                found[feature] = pd.Categorical(np.where(number > 0, "yes", "no"), ["no", "yes"], ordered=True)
    shown = pd.DataFrame(found, index=context.index)
    shown.attrs["units"] = dict.fromkeys(SHARES, "%")
    return shown


def _device_and_hour(context: pd.DataFrame) -> np.ndarray:
    device = context["device"].astype(object).where(context["device"].notna(), UNKNOWN)
    hour = context["local_hour"].to_numpy(float, na_value=np.nan)
    band = [UNKNOWN if np.isnan(each) else BANDS[int(each) // HOURS_A_BAND] for each in hour]
    return np.array([f"{one}, {other}" for one, other in zip(device, band, strict=True)], dtype=object)


def shuffled(
    decision: Decision, policy: ModelPolicy, situations: Situations, scenario: PrefetchScenario, answer: pd.DataFrame
) -> dict[str, Shuffled]:
    """Each feature that the trees use, its columns shuffled together; candidates stay what they are.

    Chances are worked out, pages fetched and visits replayed anew; a decision changes where other pages are fetched.
    """
    model, context = model_policy(policy).source, situations.context
    pairs, view_id = model.describe(context), context["view_id"].to_numpy()
    sources = [source_of(name, situations.card) for name in pairs.names]
    limit = scenario.break_even if policy.limit is None else policy.limit
    as_it_is = page_sets(answer, view_id)[0]

    def replay(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        margin = model.booster_.inplace_predict(matrix, predict_type="margin")
        chance = as_chances(margin, pairs.row, model.platt_, len(context))
        top = as_answer(context, model.counts_.pages.pages, (pairs.row, pairs.page), chance, scenario.k)
        fetched = fetches_at(top, limit, scenario.k)
        net = decision.outcomes(fetched, situations, scenario)["net"].to_numpy()
        return net, page_sets(fetched, view_id)[0] != as_it_is

    def shuffle(feature: str, rngs: Sequence[np.random.Generator]) -> list[tuple[np.ndarray, np.ndarray]]:
        columns = [i for i, source in enumerate(sources) if source == feature]
        return [replay(_shuffle_columns(model, context, pairs, columns, rng)) for rng in rngs]

    used = used_sources(model.booster_, sources)
    return {feature: partial(shuffle, feature) for feature in dict.fromkeys(sources) if feature in used}


def _shuffle_columns(
    model: NextPage, context: pd.DataFrame, pairs: Pairs, columns: Sequence[int], rng: np.random.Generator
) -> np.ndarray:
    """Features of the pairs, some columns of them shuffled.

    What a view's own context says of its candidates is worked out again, as if it had another view's context; other
    columns that are one number a view (such as the place in the session) become another view's; those that differ from
    candidate to candidate change places among the candidates of the view.
    """
    matrix = pairs.matrix.copy(order="F")
    groups = [pairs.names[i].partition(GROUPED)[2] for i in columns if GROUPED in pairs.names[i]]
    if groups:
        shown = _shuffle_context(context, groups[0].split(CROSSED), rng)
        matrix[:, columns] = model.describe(shown).matrix[:, columns]
        return matrix
    among_candidates = np.lexsort((rng.random(len(pairs.row)), pairs.row))
    views, first, view = np.unique(pairs.row, return_index=True, return_inverse=True)
    other_view = first[rng.permutation(len(views))][view]
    for i in columns:
        column = pairs.matrix[:, i]
        of_view = np.array_equal(column, column[first][view], equal_nan=True)
        matrix[:, i] = column[other_view if of_view else among_candidates]
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
Fetch = Callable[[pd.DataFrame, Any, PrefetchScenario], pd.DataFrame]  # of context, the rule's chances, scenario


def contrast(  # noqa: PLR0917 - the arguments of Decision.contrast, and the decision
    decision: Decision,
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
        agrees={name: page_sets(fetch(context, top, scenario), view_id)[0] == mine for name, fetch in fetches.items()},
        entered=lambda branches: PageTreeRule(rule, tuple(branches), situations.card, situations.known_by, fetches),
    )


def page_facts(context: pd.DataFrame, answer: pd.DataFrame, top: pd.DataFrame | None, card: Card) -> pd.DataFrame:
    """What the rule does, then what may be known of each page view: numbers as float, all else as text.

    ``answer`` is what the rule fetches (``view_id, page, rank``), ``top`` what it weighs, with ``chance``, if it does.
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
    found = with_context(facts, context[[name for name in context if name not in NOT_FACTS]], card)
    found.attrs["units"][RULE_CHANCE] = "%"
    return found


def _text(values: Any) -> pd.Series:
    return pd.Series(np.asarray(values, dtype=object), dtype=object)


def _actions(
    ours: pd.DataFrame, sets: np.ndarray, situations: Situations, rule: Policy, top: pd.DataFrame | None
) -> dict[str, Fetch]:
    """What could be fetched that has a name, apart from what the rule fetches.

    Nothing; the rule's pages at another limit; the user's usual page; what most often follows the page, where the rule
    counts that; and the sets of pages that the model itself fetches most often, each for at least 20 users.
    """
    found: dict[str, Fetch] = {NOTHING: lambda context, top, scenario: Never()(context)}
    if top is not None:
        found |= {name: partial(_above, limit) for name, limit in LIMITS.items()}
    if "usual_next" in situations.context:
        found[USUAL] = lambda context, top, scenario: _usual(context)
    counting = rule.everybody if isinstance(rule, UserHistory) else rule
    if isinstance(counting, Markov):
        follower = Markov(order=1, limit=0.0, counts=counting.counts)
        found[FOLLOWER] = lambda context, top, scenario: follower.next_pages(context, 1)[["view_id", "page", "rank"]]
    return found | {", ".join(pages): partial(_pages, pages) for pages in _frequent_sets(ours, sets, situations)}


def _above(limit: float, context: pd.DataFrame, top: Any, scenario: PrefetchScenario) -> pd.DataFrame:
    """What a rule that weighs chances would fetch at another limit."""
    return fetches_at(top, limit, scenario.k)


def _pages(pages: tuple[str, ...], context: pd.DataFrame, top: Any, scenario: PrefetchScenario) -> pd.DataFrame:
    """The same pages in every view, except the page that is open."""
    wanted = pages[: scenario.k]
    view_id, here = context["view_id"].to_numpy(), context["page"].astype(str).to_numpy()
    page = np.repeat(np.array(wanted, dtype=object), len(view_id))
    answer = pd.DataFrame({"view_id": np.tile(view_id, len(wanted)), "page": page})
    answer = answer[np.tile(here, len(wanted)) != page]
    return answer.assign(page=answer["page"].astype("str"), rank=answer.groupby("view_id").cumcount() + 1)


def _usual(context: pd.DataFrame) -> pd.DataFrame:
    usual = context["usual_next"].astype(object)
    there = (usual.notna() & (usual != context["page"].astype(object))).to_numpy()
    return pd.DataFrame({"view_id": context["view_id"].to_numpy()[there], "page": usual.to_numpy()[there], "rank": 1})


def _frequent_sets(ours: pd.DataFrame, sets: np.ndarray, situations: Situations) -> Iterator[tuple[str, ...]]:
    users = pd.Series(situations.users).groupby(sets).nunique()
    frequent = users[(users >= FEWEST_USERS) & (users.index != 0)].sort_index().nlargest(MOST_SETS).index
    first = pd.Series(situations.context["view_id"].to_numpy()).groupby(sets).first()
    shown = ours[ours["view_id"].isin(first[frequent])]
    pages = shown.groupby("view_id")["page"].agg(lambda page: tuple(sorted(page.astype(str))))
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


VIEWS_LOOKED_AT = 200_000  # whole users (or sessions) are drawn where there are more
PAGES_SHOWN, PAGES_ASKED = 6, 20
PREVIOUS, PREVIOUS_DWELL = "page_before", "dwell_before_s"


@dataclass(frozen=True)
class PageInspection(Inspection):
    """Policies that fetch pages; only those in ``named``, which at least 20 users (or sessions) viewed, are named."""

    decision: Decision = field(kw_only=True)
    named: frozenset[str] = field(kw_only=True)

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
        session.attrs["card"] = self.situations.card
        return session

    def act(self, name: str, policy: Policy, views: pd.DataFrame) -> Action | None:
        """What a policy fetches in the last view of a session: not what the visit before keeps fresh."""
        if self.decision.why_unavailable(policy, self.situations):
            return None
        there = Situations(views, views, np.zeros(len(views), int), "sessions", self.situations.card, "")
        answer, last = self.decision.ask(policy, there, self.scenario), len(views) - 1
        fetched = trace_fetches(answer[answer["view_id"] == last], views, self.scenario)
        chances: dict[str, float] = {}
        if isinstance(policy, WeighsPages):
            top = policy.next_pages(views, PAGES_ASKED)
            top = top[top["view_id"] == last]
            chances = dict(zip(top["page"].astype(str), top["chance"], strict=True))
        return Action(name, tuple(map(str, fetched["page"])), chances, traits_of(policy).limit, digits=1)

    def describe(self, ours: Action, others: Sequence[Action]) -> dict[str, Any]:
        """What the model fetches, and the chances of the likeliest pages."""
        likely = list(ours.chances)[:PAGES_SHOWN]
        first = self.names(likely[:1])
        return {
            "finding": self._finding(ours, likely[0]),
            "likely": {page: ours.expects(page) for page in likely},
            "limit": round(100 * self.scenario.break_even, 1),
            "of": likely[0],
            "columns": ["fetches", f"chance of {first}"],
            "why": [self._difference(rule, ours) for rule in others],
            "about": first,
        }

    def names(self, taken: Sequence[str]) -> str:
        """Pages as a sentence lists them; those that few viewed are not named."""
        known = [page for page in taken if page in self.named]
        rare = len(taken) - len(known)
        if rare:
            known.append(RARE if rare == 1 else f"{rare} rare pages")
        return listed(known) if known else NOTHING

    def _finding(self, ours: Action, likeliest: str) -> str:
        pays = f"a prefetch pays from a chance of {100 * self.scenario.break_even:g} %"
        if ours.takes:
            pages = ", ".join(f"{self.names([page])} ({ours.expects(page)})" for page in ours.takes)
            return f"The model fetches {pages}; {pays}."
        cached = ", but is cached already" if ours.chances[likeliest] >= self.scenario.break_even else ""
        return (
            f"The model fetches nothing: {self.names([likeliest])}, the likeliest, has a chance of "
            f"{ours.expects(likeliest)}{cached}; {pays}."
        )

    def _difference(self, rule: Action, ours: Action) -> str:
        """What a rule does otherwise, and the page on which it differs most from the model."""
        more = [page for page in rule.takes if page not in ours.takes]
        less = [page for page in ours.takes if page not in rule.takes]
        page = max([*more, *less], key=lambda page: abs(rule.chances.get(page, 0.0) - ours.chances.get(page, 0.0)))
        does = "fetches nothing" if not rule.takes else f"does not fetch {self.names(less)}"
        if more:
            does = f"fetches {self.names(more)} {f'instead of {self.names(less)}' if less else 'too'}"
        model = ours.expects(page)
        if not rule.chances:
            return f'"{rule.name}" {does}, a fixed rule; the model gives {self.names([page])} a chance of {model}.'
        limit = "" if rule.limit is None else f" It fetches from {100 * rule.limit:.1f} %."
        chance = f"{self.names([page])} a chance of {rule.expects(page)}"
        return f'"{rule.name}" {does}: it gives {chance}, the model {model}.{limit}'


def inspected(
    decision: Decision, policies: Mapping[str, Policy], view: pd.DataFrame, card: Card, scenario: PrefetchScenario
) -> PageInspection:
    """Set policies, the model's first, beside each other; refused where no page was viewed by 20 users."""
    drawn = view if len(view) <= VIEWS_LOOKED_AT else sample_users(view, VIEWS_LOOKED_AT)
    source = model_policy(next(iter(policies.values()))).source
    situations = decision.situations(drawn, card, "user_id", source.known_by, scenario)
    people = situations.people
    named = frozenset(map(str, largest_levels(situations.context[PAGE], situations.users)))
    if not named:
        raise WorkbenchError(
            f"{card.name}: an example views a page that at least {FEWEST_USERS} {people} viewed; there is none. Take "
            "more rows."
        )
    return PageInspection(
        decision=decision,
        policies=policies,
        situations=situations,
        table=_as_table(situations.context),
        scenario=scenario,
        words={
            "acts": "What each policy fetches",
            "chances": "The model's chances of being the next page",
            "example": f"{EXAMPLE.format(people=people)} The session began with the page before.",
        },
        dimensions=(PAGE, PREVIOUS, "device", "usual_next", "country"),
        first=(PAGE, PREVIOUS),
        missing={PAGE: None, PREVIOUS: "none: the first page of a session"},
        named=named,
    )


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
