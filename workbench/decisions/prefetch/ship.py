"""A policy that names pages as plain numbers, for a site that has no workbench.

:class:`workbench.decisions.prefetch.decision.Prefetch` hands its questions on to here. There are two kinds: counts of
what followed what (``pages``), for rules, and trees on such counts (``ranker``), for the model.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card, Pages
from workbench.datasets.schema import NAVIGATION_HISTORY
from workbench.datasets.splits import FEWEST_USERS, Split, users_of
from workbench.decisions.decision import Decision, Shipped
from workbench.decisions.option_ship import fewest_trees, ordered_fields
from workbench.decisions.policy import Policy, Situations, TreeRule, policy_name, traits_of
from workbench.decisions.prefetch import answers
from workbench.decisions.prefetch.markov import HERE_BEFORE, USUAL_SHARE, Markov, UserHistory
from workbench.decisions.prefetch.neighbours import SimilarSessions
from workbench.decisions.prefetch.rules import SLOW, GuessJs, Never, PrefetchPolicy, Quicklink
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.features.page_features import DWELL, GROUP_SMOOTHING, HOUR, HOURS_A_BAND, SMOOTHING, NavigationCounts
from workbench.features.pages import FOLLOWERS, LINKED, POPULAR, RECENT, REMEMBERED, SMALL_VOCABULARY, encode
from workbench.models.boosting import flat_trees
from workbench.models.next_page import NextPage

SAVES_DATA, CLASS = "save_data", "effective_type"
LONGEST_DWELL_S = 1e9
USUAL = 0.9  # of views: pages that are heavier than theirs do not raise the budget
NOTHING = 2.0  # a limit that no chance reaches
HISTORY_FIELDS: dict[str, dict[str, Any]] = {
    column.name: {
        "type": "page" if column.name in REMEMBERED else "number",
        "known": column.level,
        "unit": "",
        "meaning": column.meaning,
    }
    for column in NAVIGATION_HISTORY
}
# What a site must know of a session; types as in the fields of other policies.
PAGES_FIELD: dict[str, Any] = {
    "type": "pages",
    "known": "client_js",
    "unit": "",
    "meaning": "pages of the session in their order, the current one last, without repeats in a row",
}
DWELL_FIELD: dict[str, Any] = {
    "type": "number",
    "known": "client_js",
    "unit": "s",
    "meaning": "time on the page before, of which whole seconds count",
    "low": 0,
    "high": LONGEST_DWELL_S,
}
ADVICE = (
    "Call it once a page is there, and fetch what it names at low priority; a page that the visitor has already, or "
    "that changes with each request, need not be fetched. Fetch nothing with Save-Data, whether the policy is told of "
    "it or not."
)
NOTE = (
    "`chance` is that of the page being opened next (null where the policy weighs none); pages come with the likeliest "
    "first, none below the limit that was compared. A page that `policy.json` does not list counts as unknown."
)


def shipped(
    decision: Decision,
    policy: Policy,
    split: Split,
    scenario: PrefetchScenario,
    known_by: str,
    *,
    within: float = 0.0,
) -> Shipped:
    """The policy as a site runs it, without pages, levels and sequences of pages that fewer than 20 users of
    ``split.train`` met; the model with the fewest trees whose net on validation falls by ``within`` at most, 0: all.

    A WorkbenchError where it is of a kind that a site cannot run.
    """
    merged, content = _content(decision, policy, split, scenario, known_by, within)
    if not content["names"] and not isinstance(policy, Never):
        raise WorkbenchError(
            f"{policy_name(policy)!r} cannot be exported: no page was viewed by {FEWEST_USERS} users of the training "
            "part, and pages that fewer viewed stay out. Take data of more users, or policy='never'."
        )
    names = content.pop("reads")
    own = {"pages": PAGES_FIELD, "dwell_before_s": DWELL_FIELD, **HISTORY_FIELDS}
    fields = {"pages": PAGES_FIELD, **ordered_fields(names - own.keys(), split.card, known_by)}
    if HOUR in fields:
        fields[HOUR] |= {"low": 0, "high": 23}
    fields |= {name: field for name, field in own.items() if name in names}
    does = f"It names up to {scenario.k} pages of {len(content['names']):,} that are worth fetching ahead of the click."
    answer = partial(site_answers, decision, merged, split.card, scenario)
    common: dict[str, Any] = {"most": scenario.k, "listed": max(answers.PAGES_ASKED, scenario.k)}
    common |= {"site": _site(split, scenario, content["names"])}
    return Shipped(merged, {"fields": fields, **common, **content}, answer, does, NOTE, ADVICE, requests=_requests)


def _requests(outcomes: pd.DataFrame) -> dict[str, float]:
    hits, unused = (float(outcomes[name].mean()) for name in ("hits", "unused"))
    return {"fetched": hits + unused, "opened": hits}


def _site(split: Split, scenario: PrefetchScenario, names: list[str]) -> dict[str, Any]:
    """What Speculation Rules need: pages that are never named; ``No-Vary-Search``, where a card cuts queries.

    Where the data have sizes, also those of pages (medians, bytes), and the budget of a view: room for as many pages as
    it may fetch, each as heavy as the page that nine in ten views stay within.
    """
    says, site = split.card.pages, dict[str, Any]()
    if says.never:
        site["never"] = says.never
    if says != Pages() and "*" not in says.keep_query:
        kept = " ".join(f'"{quote(name)}"' for name in says.keep_query)
        site["no_vary_search"] = f"key-order, params, except=({kept})" if kept else "params"
    if "page_bytes" in split.train and split.train["page_bytes"].notna().any():
        size, page = split.train["page_bytes"], split.train["page"].astype(str)
        sizes = size.groupby(page).median()
        site["bytes"] = sizes.reindex(names).fillna(size.median()).round().astype(int).tolist()
        site["byte_budget"] = round(scenario.k * page.map(sizes).quantile(USUAL, interpolation="higher"))
    return site


def site_answers(
    decision: Decision, policy: Policy, card: Card, scenario: PrefetchScenario, context: pd.DataFrame
) -> list[list[dict[str, Any]]]:
    """What to fetch in the last view of each session of a context."""
    there = Situations(context, context, users_of(context, "session_id"), "sessions", card, "client_js")
    taken, top = decision.ask(policy, there, scenario), decision.weigh(policy, there, scenario)
    taken = taken.assign(chance=None) if top is None else taken.merge(top, on=["view_id", "page", "rank"])
    last = context.groupby("session_id", sort=False)["view_id"].last()
    taken = taken[taken["view_id"].isin(last)].sort_values(["view_id", "rank"])
    found = {view: rows[["page", "chance"]].to_dict("records") for view, rows in taken.groupby("view_id")}
    return [found.get(view, []) for view in last]


def _content(  # noqa: PLR0917 - the arguments of shipped
    decision: Decision, policy: Any, split: Split, scenario: PrefetchScenario, known_by: str, within: float
) -> tuple[Policy, dict[str, Any]]:
    """The policy without what few users met, and its numbers; ``reads`` are the names of its fields."""

    def tuned(merged: Any) -> Any:
        """What fewer pages and states are left with has other chances: a limit that was tuned is tuned again."""
        if traits_of(policy).limit is None:
            return merged
        there = decision.situations(split.validation, split.card, split.cluster, known_by, scenario)
        return decision.tune(merged, there, scenario)

    def limit_of(merged: Any) -> dict[str, float]:
        return {"limit": scenario.break_even if merged.limit is None else merged.limit}

    if isinstance(policy, PrefetchPolicy) and isinstance(policy.source, NextPage):
        merged = tuned(replace(policy, source=policy.source.merged(split)))
        fewest = fewest_trees(decision, merged, split, scenario, known_by, within=within)
        return fewest, _ranker(fewest.source) | limit_of(fewest)
    if isinstance(policy, Markov):
        counted = tuned(_without_few(policy, split))
        return counted, _counts(counted) | {"reads": set()} | limit_of(counted)
    if isinstance(policy, UserHistory):
        history = tuned(replace(policy, everybody=_without_few(policy.everybody, split)))
        cells = {"cells": history.habit.tolist(), "here_before": HERE_BEFORE, "usual_share": USUAL_SHARE}
        reads = HISTORY_FIELDS.keys() - {"earlier_views"}
        return history, _counts(history.everybody) | {"habit": cells, "reads": reads} | limit_of(history)
    if isinstance(policy, Never):
        return policy, _weighs_nothing([], {})
    if isinstance(policy, GuessJs):
        return _guess(policy, split)
    if isinstance(policy, Quicklink) and policy.links is not None:
        return policy, _links(policy.links, scenario)
    raise WorkbenchError(f"{policy_name(policy)!r} cannot be exported: {_why_not(policy)}")


def _why_not(policy: Policy) -> str:
    """Why a site cannot run a policy, and what to take instead."""
    if isinstance(policy, SimilarSessions):
        return (
            "it keeps the sessions of single users, and no file may hold these. Take policy='model', or 'fourth-order "
            "Markov with back-off', which it leans on."
        )
    if isinstance(policy, TreeRule):
        return (
            "a site cannot run branches on pages yet. Take the policy that it starts from, "
            f"policy={policy_name(policy.base)!r}, or 'model', which it imitates."
        )
    return (
        "a site can run the model, its linear reference, Markov chains, user history, Guess.js, quicklink and 'never'. "
        "Name one of them with policy=, such as 'model'."
    )


def _users(split: Split) -> np.ndarray:
    return users_of(split.train, split.cluster if split.cluster in split.train else "session_id")


def _without_few(rule: Markov, split: Split) -> Markov:
    assert rule.counts is not None  # rules are counted before they are compared
    return replace(rule, counts=rule.counts.merged(split.train, _users(split), FEWEST_USERS))


def _counts(rule: Markov) -> dict[str, Any]:
    assert rule.counts is not None
    counts = replace(rule.counts, orders=rule.counts.orders[: rule.order + 1])
    smoothing = list(rule.smoothing[: rule.order])
    return {"kind": "pages", "names": counts.pages.tolist(), "orders": counts.to_keys(), "smoothing": smoothing}


def _weighs_nothing(names: list[str], first: dict[str, list[int]]) -> dict[str, Any]:
    """A rule without chances, which takes the first of what its page lists."""
    content = {"kind": "pages", "names": names, "orders": [{}, first], "smoothing": [0.0], "limit": 0.0}
    return content | {"weighs": False, "reads": set()}


def _guess(rule: GuessJs, split: Split) -> tuple[GuessJs, dict[str, Any]]:
    assert rule.counts is not None
    counts = rule.counts.merged(split.train, _users(split), FEWEST_USERS)
    onward = rule.onward(split.train, counts.pages)
    first = onward.without_few(encode(split.train, counts.pages), _users(split), FEWEST_USERS)
    merged = replace(rule, counts=replace(counts, orders=(counts.orders[0], first, counts.orders[2])))
    content = _weighs_nothing(counts.pages.tolist(), first.to_lists()) | {"limit": rule.limits[rule.unknown]}
    if rule.class_known:
        limits = {"field": CLASS, "of": dict(rule.limits), "otherwise": rule.limits[rule.unknown]}
        content |= {"limits": limits, "reads": {CLASS}}
    return merged, content


def _links(links: pd.DataFrame, scenario: PrefetchScenario) -> dict[str, Any]:
    """The first links of each page, as counts that fall in their order."""
    links = links[["from_page", "to_page"]].astype(str).drop_duplicates()
    links = links[links["from_page"] != links["to_page"]]
    links = links[links.groupby("from_page", sort=False).cumcount() < scenario.k]
    names = sorted({*links["from_page"], *links["to_page"]})
    place = {name: i for i, name in enumerate(names)}
    first: dict[str, list[int]] = {}
    for source, target in zip(links["from_page"], links["to_page"], strict=True):
        state = first.setdefault(str(place[source]), [scenario.k * scenario.k])
        state += [place[target], scenario.k - len(state) // 2]
    limits = {"field": CLASS, "of": dict.fromkeys(SLOW, NOTHING), "otherwise": 0.0}
    reads = {CLASS, SAVES_DATA}
    return _weighs_nothing(names, first) | {"limits": limits, "saves_data": SAVES_DATA, "reads": reads}


def _ranker(model: NextPage) -> dict[str, Any]:
    """Trees, and of the counts behind their features those that they ask for."""
    layout, counts = model.layout_, model.counts_
    if model.linear:
        trees, features = model.booster_.shipped(), list(model.names_)
    else:
        trees = flat_trees(model.booster_)
        used = sorted({feature for feature in trees["feature"] if feature >= 0})
        place = {feature: i for i, feature in enumerate(used)}
        features = [model.names_[feature] for feature in used]
        trees["feature"] = [place.get(feature, feature) for feature in trees["feature"]]
    asked = [group for group in layout.groups if f"first_chance by {' x '.join(group)}" in features]
    bands = {name: layout.count_bands(name) for group in asked for name in group}
    reads = {name for name in (*layout.numbers, *layout.levels) if name in {*features, *bands}}
    reads |= {*REMEMBERED, *layout.history} & {*REMEMBERED, *features} if layout.history else set()
    if DWELL in bands or "previous_dwell_s" in features:
        reads.add("dwell_before_s")
    content: dict[str, Any] = {
        "kind": "ranker",
        "names": layout.pages,
        "orders": [order.to_lists() for order in counts.pages.orders],
        "latest": counts.latest.to_lists().get("0", [0]),
        "skipping": counts.skipping.to_lists() if "skipping_chance" in features else {},
        "groups": {" x ".join(group): {"of": group, "counts": _group(counts, group)} for group in asked},
        "bands": bands,
        "levels": {name: layout.levels[name] for name in layout.levels if name in reads},
        "dwell_edges": layout.dwell_edges,
        "hours_a_band": HOURS_A_BAND,
        "smoothing": [*SMOOTHING, GROUP_SMOOTHING],
        "candidates": {"all_up_to": SMALL_VOCABULARY, "followers": FOLLOWERS, "popular": POPULAR, "recent": RECENT},
        "features": features,
        "trees": trees,
        "slope": model.platt_[0],
        "intercept": model.platt_[1],
        "reads": reads,
    }
    if counts.links is not None:
        content["candidates"] |= {"linked": LINKED}
        content["links"] = {state: pages[1::2] for state, pages in counts.links.to_lists().items()}
    return content


def _group(counts: NavigationCounts, group: tuple[str, ...]) -> dict[str, list[int]]:
    return counts.groups[" x ".join(group)].to_lists()
