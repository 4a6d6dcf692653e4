"""The tree of disagreement as a rule: does what another rule does, but for the leaves where it follows the model.

A team can write it down (``print(rule)``) and enter it into a comparison like any other rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.decisions.decision import call_policy, policy_name
from workbench.decisions.images.replay import decide
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.prefetch.rules import Markov, Never, fetches_at
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.explanation.parting_conditions import Conditions, belongs, in_words
from workbench.explanation.parting_facts import image_facts, page_facts

Policy = Callable[..., Any]
Action = str | tuple[str, ...]  # a rendition; what is fetched, by its name or page by page
Branch = tuple[Conditions, Action]  # a leaf, and what is done there
LIMITS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)  # chances that a person would name
FETCH_NOTHING, FETCH_USUAL, FETCH_FOLLOWER = (
    "nothing",
    "the person's usual next page",
    "the page that most often follows this one",
)
FETCH_FROM = {f"what the rule gives a chance of {100 * limit:.0f} % or more": limit for limit in LIMITS}


def as_text(branches: tuple[Branch, ...], base: Policy) -> str:
    """Branches as plain lines, as one would write them down."""
    lines = [f"if {in_words(conditions, None)}: {action_in_words(action)}" for conditions, action in branches]
    otherwise = f"as {policy_name(base)} does"
    return "\nel".join([*lines, f"se: {otherwise}"]) if lines else otherwise


def action_in_words(action: Action) -> str:
    """A rendition, a name of what is fetched, or the pages themselves."""
    return action if isinstance(action, str) else ", ".join(action)


@dataclass(frozen=True)
class ImageTreeRule:
    """Sends what another rule sends; in some leaves one rendition, the one that agrees most with the model's.

    Parameters
    ----------
    base : callable
        The rule that it starts from.
    branches : tuple
        Leaves and the rendition sent there.
    known_by : str
        When what it reads is known.
    """

    base: Policy
    branches: tuple[Branch, ...]
    known_by: str = "first_request"
    kind: str = "rule"

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{policy_name(self.base)} + tree of disagreement"

    @property
    def needs(self) -> tuple[str, ...]:
        """What the rule that it starts from cannot do without."""
        return tuple(getattr(self.base, "needs", ()))

    @property
    def kilobytes(self) -> float:
        """Size of the rule that it starts from, and of the written leaves, kB."""
        return _kilobytes(self.base) + len(str(self).encode()) / 1000

    def __call__(self, context: pd.DataFrame, scenario: ImageScenario) -> np.ndarray:
        sent = np.asarray(scenario.ladder.names, dtype=object)[decide(self.base, context, scenario)]
        facts = image_facts(context, sent)
        for conditions, rendition in self.branches:
            sent = np.where(belongs(conditions, facts), rendition, sent)
        return sent

    def __str__(self) -> str:
        return as_text(self.branches, self.base)


@dataclass(frozen=True)
class PageTreeRule:
    """Fetches what another rule fetches; in some leaves what else can be named that agrees most with the model.

    Parameters
    ----------
    base : callable
        The rule that it starts from.
    branches : tuple
        Leaves and what is fetched there: pages, or one of :func:`fetch_options`.
    follower : Markov, optional
        First order, fitted: what most often follows a page.
    known_by : str
        When what it reads is known.
    """

    base: Policy
    branches: tuple[Branch, ...]
    follower: Markov | None = field(default=None, compare=False, repr=False)
    known_by: str = "client_js"
    kind: str = "rule"

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{policy_name(self.base)} + tree of disagreement"

    @property
    def needs(self) -> tuple[str, ...]:
        """What the rule that it starts from cannot do without."""
        return tuple(getattr(self.base, "needs", ()))

    @property
    def kilobytes(self) -> float:
        """Size of the rule that it starts from, of the counts that it reads, and of the written leaves, kB."""
        counts = FETCH_FOLLOWER in [action for _, action in self.branches] and self.follower
        return _kilobytes(self.base) + (_kilobytes(counts) if counts else 0.0) + len(str(self).encode()) / 1000

    def __call__(self, context: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
        answer = call_policy(self.base, context, scenario)
        top = chances_of(self.base, context, scenario)
        facts = page_facts(context, answer, top)
        named = {action for _, action in self.branches if isinstance(action, str)}
        options = fetch_options(context, top, self.follower, scenario, named)
        view_id, parts, left = context["view_id"].to_numpy(), [], np.ones(len(context), bool)
        for conditions, action in self.branches:
            inside = belongs(conditions, facts)
            if isinstance(action, str):
                parts.append(_of_views(options[action], view_id[inside]))
            else:
                parts.append(_fetch_pages(context[inside], action[: scenario.k]))
            left &= ~inside
        return pd.concat([_of_views(answer, view_id[left]), *parts], ignore_index=True)

    def __str__(self) -> str:
        return as_text(self.branches, self.base)


def chances_of(rule: Policy, context: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame | None:
    """The likeliest next pages by a rule that weighs chances; None of another."""
    return rule.next_pages(context, scenario.k) if hasattr(rule, "next_pages") else None


def fetch_options(
    context: pd.DataFrame,
    top: pd.DataFrame | None,
    follower: Markov | None,
    scenario: PrefetchScenario,
    wanted: set[str] | None = None,
) -> Mapping[str, pd.DataFrame]:
    """What can be fetched and named, apart from what the rule fetches.

    Parameters
    ----------
    context : DataFrame
    top : DataFrame, optional
        Chances of the rule, where it weighs any: its pages at another limit are options.
    follower : Markov, optional
        What most often follows a page.
    scenario : PrefetchScenario
    wanted : set of str, optional
        Names of those asked for; default all that there are.

    Returns
    -------
    dict of DataFrame
        ``view_id, page, rank`` by name.
    """
    found = {FETCH_NOTHING: Never()(context)}
    if top is not None:
        found |= {name: fetches_at(top, limit, scenario.k) for name, limit in FETCH_FROM.items()}
    if "usual_next" in context:
        found[FETCH_USUAL] = _usual(context)
    if follower is not None and (wanted is None or FETCH_FOLLOWER in wanted):
        found[FETCH_FOLLOWER] = follower.next_pages(context, 1)[["view_id", "page", "rank"]]
    return {name: answer for name, answer in found.items() if wanted is None or name in wanted}


def _usual(context: pd.DataFrame) -> pd.DataFrame:
    usual = context["usual_next"].astype(object)
    there = (usual.notna() & (usual != context["page"].astype(object))).to_numpy()
    return pd.DataFrame({"view_id": context["view_id"].to_numpy()[there], "page": usual.to_numpy()[there], "rank": 1})


def _fetch_pages(context: pd.DataFrame, pages: tuple[str, ...]) -> pd.DataFrame:
    """The same pages in every view, but for the page that is open."""
    view_id, here = context["view_id"].to_numpy(), context["page"].astype(str).to_numpy()
    view, page = np.tile(view_id, len(pages)), np.repeat(np.array(pages, dtype=object), len(view_id))
    answer = pd.DataFrame({"view_id": view, "page": page})[np.tile(here, len(pages)) != page]
    return answer.assign(page=answer["page"].astype("str"), rank=answer.groupby("view_id").cumcount() + 1)


def _of_views(answer: pd.DataFrame, view_id: np.ndarray) -> pd.DataFrame:
    return answer.loc[answer["view_id"].isin(view_id), ["view_id", "page", "rank"]].astype({"page": "str"})


def _kilobytes(policy: Any) -> float:
    return float(getattr(policy, "kilobytes", None) or 0.0)
