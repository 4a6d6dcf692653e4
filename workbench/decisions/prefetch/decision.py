"""Prefetch: which next pages to fetch ahead of the click, by predicted navigation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.schema import LEVELS, NAVIGATION_HISTORY, known_context, label
from workbench.datasets.sessions import share_of_session_ends
from workbench.datasets.splits import (
    Split,
    card_of,
    check_page_views,
    people_in,
    split_by_time,
    split_by_user,
    users_of,
)
from workbench.decisions.decision import (
    PERFECT_KNOWLEDGE,
    Axis,
    Change,
    Decision,
    Finding,
    Grid,
    Plan,
    PolicyResult,
    Stage,
    Unit,
    group_changes,
    information_changes,
    other_split,
    seed_changes,
)
from workbench.decisions.policy import Policy, Situations, missing_columns, traits_of
from workbench.decisions.prefetch import answers, explain, explorer, replay, report, ship
from workbench.decisions.prefetch.cache import MS_PER_S, read_visits
from workbench.decisions.prefetch.explorer import replay_example_session
from workbench.decisions.prefetch.markov import (
    WeighsPages,
    fetches_at,
)
from workbench.decisions.prefetch.rules import (
    Never,
    PrefetchPolicy,
    model_policy,
    prefetch_rules,
    smooth_rules,
    true_next,
)
from workbench.decisions.prefetch.scenario import Hover, PrefetchScenario
from workbench.evidence.bootstrap import LEVEL, Interval, bootstrap_means, cluster_interval
from workbench.evidence.segments import level_names, two_levels
from workbench.evidence.verdict import Differing, count_differing, slowest_fifth
from workbench.features.page_features import CONTEXT, GROUPS_LEFT_OUT, HISTORY
from workbench.models.next_page import NextPage, train_next_page

USER_HISTORY = tuple(column.name for column in NAVIGATION_HISTORY)
HOVER, LCP = "fetching on hover alone", "lcp_ms"
UNUSED_A_VIEW = (0.1, 0.25, 0.5, 1.0)
BREAK_EVENS = (0.15, 0.30, 0.45, 0.60)  # Guess.js on 4g, 3g, 2g, slow-2g
PAGES_A_VIEW = (1, 5)
LONG = 6.0  # times as long a lifetime: half an hour instead of five minutes
PLACES = {"first view": 1, "2nd and 3rd": 3, "4th to 6th": 6, "7th and later": np.inf}  # up to


@dataclass(frozen=True)
class HoverCase:
    """Model against best rule on a site that fetches on hover, or on the same site without.

    ``figures``: nothing fetched early (under hover: hover alone), best rule, model, perfect knowledge, each as it is in
    this case, limits tuned and the best rule picked again. ``difference``: model minus best rule, in net;
    ``differing``: how many users met a different outcome.
    """

    scenario: PrefetchScenario = field(repr=False)
    best_rule: str
    difference: Interval
    differing: Differing
    figures: Mapping[str, replay.PrefetchFigures] = field(repr=False)


@dataclass(frozen=True)
class PrefetchDetail:
    """What only a comparison of prefetching has.

    ``ranking`` judges each policy that answers with chances, by name; ``hits_at`` holds hits per 100 views at given
    numbers of unused prefetches a view, read from the frontiers (one row a policy, missing where a frontier does not
    reach); ``end_share`` is the share of the views that end a session; ``session`` is an example session, no real
    person's, with what rule and model fetch in it, one row a view. ``cases`` is the site without hover, then with it;
    ``hover_first`` the seconds saved for each unused page by hover alone minus those by the model alone, None where
    either wastes no page.
    """

    ranking: Mapping[str, answers.Ranking]
    hits_at: pd.DataFrame = field(repr=False)
    end_share: float
    session: pd.DataFrame = field(repr=False)
    cases: tuple[HoverCase, HoverCase]
    hover_first: Interval | None


class Prefetch(Decision):
    """Which next pages to fetch ahead of the click."""

    name = "prefetch"
    title = "PREFETCH"
    table = "navigations"
    unit = Unit("net hits per 100 views", "net hits per 100 views", 100.0, 2)
    margin = 0.005  # net hits a navigation
    scenario_type = PrefetchScenario
    train_call = "wb.train_next_page(split)"
    axes = (
        Axis("unused", "Unused prefetches a view", digits=2),
        Axis("hits", "Hits per 100 views", factor=100.0),
    )
    operating_point = "number of unused prefetches"
    stop = "pages load more slowly"
    served = "prefetched"
    effects = (
        Axis("hits", "Hits per 100 views", 100.0),
        Axis("unused", "Unused prefetches a view", digits=2),
        Axis("saved_ms", "Time saved (ms a view)"),
        Axis("fetched_bytes", "Fetched ahead (kB a view)", 1e-3),
        Axis(LCP, "Largest contentful paint (ms)"),
    )
    report = report

    def scenario(self, card: Card, scenario: PrefetchScenario | None = None) -> PrefetchScenario:
        """No cache where pages are sections, and what the card assumes, where the scenario says nothing."""
        assume = {name: values[1] for name, values in card.assume.items()}
        return (scenario or PrefetchScenario()).completed(assume, sections=card.sections)

    def check(self, frame: pd.DataFrame) -> None:
        """Refuse what holds no page views."""
        check_page_views(card_of(frame))

    def plan(self, views: pd.DataFrame, scenario: PrefetchScenario, seed: int) -> Plan:
        """By time, or by the order of the file where it stands for time."""
        return Plan(scenario, seed, split="time", known_by=card_of(views).known_by)

    def prepare(self, views: pd.DataFrame, plan: Plan) -> Split:
        """Leave out what nobody has; whole sessions, by time or by user."""
        views = views.drop(columns=[name for name in plan.without if name in views])
        return split_by_time(views, plan.seed) if plan.split == "time" else split_by_user(views, plan.seed)

    def train(self, split: Split, plan: Plan) -> NextPage:
        """The next-page model."""
        return train_next_page(split, known_by=plan.known_by, seed=plan.model_seed, without=plan.without)

    def rules(self, split: Split, known_by: str | None = None, without: Sequence[str] = ()) -> tuple[Policy, ...]:
        """Nothing, the most popular page, Markov chains, similar sessions, Guess.js, quicklink, user history."""
        check_page_views(split.card)
        return prefetch_rules(split, known_by or split.card.known_by, without)

    def settle_rules(self, rules: tuple[Policy, ...], split: Split, scenario: PrefetchScenario) -> tuple[Policy, ...]:
        """Smooth Markov rules and similar sessions by net on all that is held out before test."""
        return smooth_rules(rules, split, scenario)

    def model_policy(self, model: Any, card: Card) -> PrefetchPolicy[NextPage]:
        """The model's likeliest pages, at the break-even; a policy that holds a model stays as it is."""
        return model_policy(model)

    def today(self, split: Split) -> Policy:
        """Nothing is fetched."""
        return Never()

    def truth(self, card: Card) -> Policy | None:
        """True chances of the simulated site."""
        return true_next(card)

    def references(self, situations: Situations, scenario: PrefetchScenario) -> Iterator[tuple[str, pd.DataFrame]]:
        """Fetching on hover, where it does not run under every policy anyway."""
        if scenario.on_hover is None:
            answer = Never()(situations.context)
            yield HOVER, self.outcomes(answer, situations, replace(scenario, on_hover=Hover()))

    def situations(
        self, part: pd.DataFrame, card: Card, cluster: str, known_by: str, scenario: PrefetchScenario
    ) -> Situations:
        """Every view, in whole sessions."""
        context = known_context(part, known_by, card.context)
        cluster = cluster if cluster in part else "session_id"
        return Situations(part, context, users_of(part, cluster), people_in(part, cluster), card, known_by)

    def later_context(self, situations: Situations) -> Situations:
        """Nothing is known later than when the page is viewed."""
        return situations

    def why_unavailable(self, policy: Policy, situations: Situations) -> str:
        """What the policy says of itself, or a column that is not there."""
        traits = traits_of(policy)
        if traits.unavailable:
            return traits.unavailable
        if any(column not in situations.context for column in traits.needs if column in USER_HISTORY):
            return "no user history in this data"
        return missing_columns(policy, situations.context)

    def ask(self, policy: Policy, situations: Situations, scenario: PrefetchScenario) -> pd.DataFrame:
        """The pages to fetch: ``view_id, page, rank``; without a limit, what reaches the break-even."""
        top = self.weigh(policy, situations, scenario)
        if top is None:
            return answers.ask_prefetch(policy, situations.context, scenario)
        limit = traits_of(policy).limit
        return fetches_at(top, scenario.break_even if limit is None else limit, scenario.k)

    def weigh(self, policy: Policy, situations: Situations, scenario: PrefetchScenario) -> pd.DataFrame | None:
        """The likeliest next pages of each view, for policies that answer with chances."""
        if not is_dataclass(policy) or not isinstance(policy, WeighsPages):
            return None  # what is no dataclass has no limit that could be moved: it is asked as it is
        pages = max(answers.PAGES_ASKED, scenario.k)
        return situations.remember(policy, pages, lambda: answers.ask_chances(policy, situations.context, pages))

    def tune(self, policy: Any, situations: Situations, scenario: PrefetchScenario) -> Any:
        """The limit with the largest net."""
        top = self.weigh(policy, situations, scenario)
        if top is None:
            return policy
        return replace(policy, limit=replay.best_prefetch_limit(self.frontier(top, situations, scenario), scenario))

    def outcomes(self, answer: pd.DataFrame, situations: Situations, scenario: PrefetchScenario) -> pd.DataFrame:
        """Hits, unused prefetches, time and bytes, one row a view."""
        return replay.replay_prefetch(answer, situations.frame, scenario)

    def logged(self, log: pd.DataFrame) -> np.ndarray:
        """Every view: where no page is named, none was fetched."""
        return np.ones(len(log), bool)

    def basis(self, log: pd.DataFrame) -> str:
        """Counts are measured, and times where the log has them."""
        paints = "; paint times are measured" if LCP in log and log[LCP].notna().any() else ""
        return f"Hits and unused pages are counted from what was fetched and opened{paints}; all else is worked out."

    def as_sent(self, answer: pd.DataFrame, situations: Situations, scenario: PrefetchScenario) -> list[str]:
        """Lists of the pages, by rank."""
        ranked = answer.sort_values(["view_id", "rank"])
        lists = ranked["page"].astype(str).groupby(ranked["view_id"]).agg(lambda pages: json.dumps(pages.tolist()))
        return situations.frame["view_id"].map(lists).astype(object).fillna("[]").tolist()

    def measured(self, situations: Situations, scenario: PrefetchScenario) -> pd.DataFrame:
        """The pages that a log says were fetched, replayed over its sessions, and how fast pages painted."""
        answer = answers.read_logged(situations.frame[self.served], situations.frame["view_id"])
        k = max(scenario.k, int(answer["rank"].max()) if len(answer) else 0)
        outcomes = self.outcomes(answer, situations, replace(scenario, k=k))
        return outcomes.assign(**{LCP: situations.frame[LCP].to_numpy()}) if LCP in situations.frame else outcomes

    def hindsight(self, situations: Situations, scenario: PrefetchScenario) -> pd.DataFrame:
        """Exactly the pages that will be hits."""
        return replay.perfect_knowledge_fetches(situations.frame, scenario)

    def figures(
        self, outcomes: pd.DataFrame, situations: Situations, scenario: PrefetchScenario, expected: Any = None
    ) -> replay.PrefetchFigures:
        """Sums over views, divided by their number."""
        return replay.summarise_prefetch(outcomes, expected, situations.frame)

    def frontier(
        self,
        expected: pd.DataFrame,
        situations: Situations,
        scenario: PrefetchScenario,
        limits: np.ndarray | None = None,
    ) -> pd.DataFrame:
        """Hits against unused prefetches as the limit moves."""
        return replay.trace_frontier(at_most(expected, scenario.k), situations.frame, scenario, limits)

    def trade(
        self, expected: pd.DataFrame, situations: Situations, scenario: PrefetchScenario, limits: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Unused prefetches and hits (per 100) of each view at each limit."""
        ground = replay.read_ground(situations.frame, scenario)
        for hits, unused in replay.count_by_view(at_most(expected, scenario.k), ground, limits):
            yield unused, 100 * hits

    def slowest(self, situations: Situations, scenario: PrefetchScenario) -> np.ndarray:
        """Views of the fifth of users whose pages load slowest; all, where all pages are taken to load alike."""
        visits = read_visits(situations.frame, scenario)
        loads = replay.read_loads(situations.frame, visits, scenario)
        load = loads.load_ms(np.arange(len(visits)), visits.page)
        return slowest_fifth(load, situations.users) if np.ptp(load) > 0 else np.ones(len(load), bool)

    def wait_ms(self, outcomes: pd.DataFrame, situations: Situations, scenario: PrefetchScenario) -> np.ndarray:
        """Load time of the page opened next (none where the cache holds it), less what was saved, plus contention."""
        visits = read_visits(situations.frame, scenario)
        loads = replay.read_loads(situations.frame, visits, scenario)
        loaded = visits.navigates & ~(np.append(visits.fresh_already[1:], False) & scenario.caches)
        wait = np.zeros(len(visits))
        wait[loaded] = loads.load_ms(np.flatnonzero(loaded), visits.next_page[loaded])
        return (wait + outcomes["contention_ms"] - outcomes["saved_ms"]).to_numpy()

    def headroom(self, hindsight: pd.DataFrame, situations: Situations, scenario: PrefetchScenario) -> float:
        """Net of perfect knowledge over fetching nothing early."""
        nothing = self.outcomes(Never()(situations.context), situations, scenario)
        return float(hindsight["net"].mean() - nothing["net"].mean())

    def largest_difference(self, scenario: PrefetchScenario) -> float:
        """Every page a hit (a session has no more hits than views) against all that may be fetched wasted."""
        return 1 + scenario.k * scenario.unused_price

    def calibration_target(
        self, expected: pd.DataFrame, situations: Situations, scenario: PrefetchScenario
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whether each page named was opened next, and the chance that the model gave it."""
        return answers.pair_chances(at_most(expected, answers.PAGES_ASKED), situations.frame)

    def detail(self, results: Sequence[PolicyResult], settled: Stage, test: Situations) -> PrefetchDetail:
        """Ranking, hits at given numbers of unused prefetches, session ends, an example session, hover or not."""
        asked = [result for result in results if result.expected is not None]
        cases, hover_first = self.both_cases(settled, test)
        parts = [part for _, part in settled.split.parts()]
        return PrefetchDetail(
            ranking={
                result.name: answers.judge_answer(at_most(result.expected, answers.PAGES_ASKED), test.frame)
                for result in asked
            },
            hits_at=_tabulate_hits(results),
            end_share=share_of_session_ends(pd.concat(parts)),
            session=self.example_session(settled),
            cases=cases,
            hover_first=hover_first,
        )

    def both_cases(self, settled: Stage, test: Situations) -> tuple[tuple[HoverCase, HoverCase], Interval | None]:
        """A site without hover and one with it, and what hover alone saves for an unused page beyond the model."""
        here = settled.scenario
        scenarios = replace(here, on_hover=None), replace(here, on_hover=here.on_hover or Hover())
        stages = [settled if scenario == here else settled.under(scenario) for scenario in scenarios]
        outcomes = [self._who(stage, test) for stage in stages]
        without, beside = (self._case(stage, who, test) for stage, who in zip(stages, outcomes, strict=True))
        by_model, alone = outcomes[0][report.MODEL], outcomes[1][report.ALONE]
        return (without, beside), _saved_per_unused(alone, by_model, test.users, settled.split.seed)

    def _case(self, stage: Stage, who: Mapping[str, pd.DataFrame], test: Situations) -> HoverCase:
        gained = (who[report.MODEL]["net"] - who[report.RULE]["net"]).to_numpy()
        return HoverCase(
            scenario=stage.scenario,
            best_rule=traits_of(stage.best_rule).name,
            difference=cluster_interval(gained, test.users, seed=stage.split.seed),
            differing=count_differing(gained, test.users, self.largest_difference(stage.scenario)),
            figures={name: replay.summarise_prefetch(each) for name, each in who.items()},
        )

    def _who(self, stage: Stage, test: Situations) -> dict[str, pd.DataFrame]:
        """Outcomes on test of nothing fetched early, the best rule, the model and perfect knowledge."""
        policies: dict[str, Policy] = {report.ALONE: Never(), report.RULE: stage.best_rule, report.MODEL: stage.ours}
        known = self.outcomes(self.hindsight(test, stage.scenario), test, stage.scenario)
        return {name: stage.replay(policy, test) for name, policy in policies.items()} | {PERFECT_KNOWLEDGE: known}

    def example_session(self, settled: Stage) -> pd.DataFrame:
        """What the best rule and the model of a settled comparison fetch in an example session."""
        split, scenario, known_by = settled.split, settled.scenario, settled.model.known_by

        def asks(policy: Policy) -> Any:
            def ask(frame: pd.DataFrame, context: pd.DataFrame) -> pd.DataFrame:
                nobody = np.zeros(len(frame), np.int64)
                views = Situations(frame, context, nobody, "sessions", split.card, known_by)
                return self.ask(policy, views, scenario)

            return ask, scenario

        who = {"rule": asks(settled.best_rule), "model": asks(settled.ours)}
        return replay_example_session(
            split.train, who, cluster=split.cluster, known_by=known_by, extra=split.card.context, seed=split.seed
        )

    def changes(self, views: pd.DataFrame, plan: Plan) -> Iterator[Change]:
        """Break-even, hover, cache, pages a view, repeats, information set, what is left out, split, seed."""
        yield from _scenario_changes(plan)
        yield Change("repeats", "kept", plan, load={"keep_repeats": True})
        yield from information_changes(views, plan, card_of(views), LEVELS[: LEVELS.index("native_app")])
        groups = list(group_changes(views, plan))
        yield from groups
        there = {HISTORY: "user_id" in views, CONTEXT: len(groups) > 1}
        for what, title in GROUPS_LEFT_OUT.items():
            if there.get(what, True):
                yield Change("without", title, replace(plan, without=(what,)))
        yield other_split(plan, "users" if "user_id" in views else "sessions")
        yield from seed_changes(plan)

    def segments(self, situations: Situations, scenario: PrefetchScenario) -> dict[str, pd.Series]:
        """Country, device, connection, NetInfo, page, place in the session, returning users."""
        views = situations.frame
        columns = "country", "device", "connection_type", "effective_type"
        found = level_names(views, columns, situations.card)
        found[label("page", situations.card)] = views["page"].astype(str)
        found[label("position", situations.card)] = pd.cut(
            views["position"], [0, *PLACES.values()], right=False, labels=list(PLACES)
        )
        if "earlier_views" in views and views["earlier_views"].notna().any():
            before = (views["earlier_views"] > views["position"]).to_numpy()
            found["user"] = two_levels(before, "came before", "first session", views.index)
        return found

    def first_step(self, finding: Finding) -> str:
        """Fetch on hover, where that alone saves more than the model."""
        return report.first_step(finding)

    def grid(self, result: Finding) -> Grid:
        """Break-evens, the price of a second and of a GB, and an example session."""
        return explorer.grid(result, self.example_session)

    shipped = ship.shipped

    explained, shuffled = explain.explained, explain.shuffled
    contrast, inspected = explain.contrast, explain.inspected


def _saved_per_unused(one: pd.DataFrame, other: pd.DataFrame, users: np.ndarray, seed: int) -> Interval | None:
    """Seconds saved for each unused page, contention taken off, of one policy minus another's; users resampled."""
    columns = np.column_stack([each[name] for each in (one, other) for name in ("added_wait_ms", "unused")])

    def per_unused(means: np.ndarray) -> np.ndarray:
        saved = -means[:, ::2] / MS_PER_S / means[:, 1::2]
        return saved[:, 0] - saved[:, 1]

    means = bootstrap_means(columns, users, seed=seed)
    if not means[:, 1::2].all():
        return None
    low, high = np.quantile(per_unused(means), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    (estimate,) = per_unused(columns.mean(axis=0, keepdims=True))
    return Interval(float(estimate), float(low), float(high), len(np.unique(users)))


def at_most(top: pd.DataFrame, k: int) -> pd.DataFrame:
    """The ``k`` likeliest pages of each view."""
    return top[top["rank"] <= k]


def _tabulate_hits(results: Sequence[PolicyResult]) -> pd.DataFrame:
    """Hits per 100 views at 0.1 to 1 unused prefetch a view, a row a policy; missing where a frontier ends before."""
    rows = {
        result.name: [replay.hits_at_unused(result.frontier, unused) for unused in UNUSED_A_VIEW]
        for result in results
        if result.frontier is not None
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(UNUSED_A_VIEW), dtype=float)


def _scenario_changes(plan: Plan) -> Iterator[Change]:
    scenario = plan.scenario

    def under(group: str, name: str, other: PrefetchScenario) -> Change:
        return Change(group, name, replace(plan, scenario=other), refit=False)

    for value in BREAK_EVENS:
        if value != scenario.break_even:
            yield under("break-even", f"{value:.2f}", scenario.with_break_even(value))
    beside = "off" if scenario.on_hover else "on"
    yield under("hover", beside, replace(scenario, on_hover=None if scenario.on_hover else Hover()))
    yield under("cache", "off" if scenario.cache else "on", replace(scenario, cache=not scenario.cache))
    if scenario.cache:
        lifetime_s, lifetime_views = LONG * scenario.lifetime_s, round(LONG * scenario.lifetime_views)
        longer = replace(scenario, lifetime_s=lifetime_s, lifetime_views=lifetime_views)
        yield under("cache", f"{LONG:g} times as long", longer)
    for k in PAGES_A_VIEW:
        if k != scenario.k:
            yield under("pages a view", f"up to {k}", replace(scenario, k=k))


DECISION = Prefetch()
