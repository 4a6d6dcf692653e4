"""One decision about prefetching taken apart: how likely each page is the next one, and what each policy fetches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.splits import card_of, sample_users
from workbench.decisions.prefetch.replay import trace_fetches
from workbench.errors import WorkbenchError
from workbench.explanation.acting import PagesActing, act_on
from workbench.explanation.archetype import common_view
from workbench.explanation.inspect_fetching import Fetching, Telling
from workbench.explanation.inspect_parts import (
    DWELL_BEFORE,
    PAGE_BEFORE,
    UNKNOWN,
    Policy,
    lacks,
    largest_levels,
    named,
    strongest,
)
from workbench.explanation.shap_by_feature import shap_values
from workbench.features.page_features import previous_dwell
from workbench.features.pages import same_session
from workbench.models import NextPage
from workbench.studies.prefetch_stage import has_chances

VIEWS_LOOKED_AT = 200_000  # whole users (or sessions) are drawn where there are more
PAGES_SHOWN, PAGES_ASKED = 6, 20
OF_THE_SESSION = ("view_id", "session_id", "position", "viewed_at")
NONE_BEFORE = "none: the session begins here"
EXAMPLE = (
    "Nobody's view: each value is shared by at least 20 {people}, or is their median; what would single out fewer is "
    "unknown. The session began with the page before."
)


@dataclass(frozen=True)
class PageInspection:
    """A next-page model and rules, to be asked about single views; ``crowded`` are the pages that may be named."""

    views: PagesActing
    rules: tuple[Policy, ...]
    table: pd.DataFrame
    crowded: frozenset[str]
    people: str
    # Each gives its largest level, then its second largest, until there are enough archetypes.
    dimensions: Sequence[str] = ("page", PAGE_BEFORE, "device", "usual_next", "country")

    @classmethod
    def of(cls, model: NextPage, rules: Iterable[Policy], frame: pd.DataFrame, scenario: Any) -> PageInspection:
        """Set model and rules to work on navigations.

        Raises
        ------
        WorkbenchError
            Where the frame carries no card or holds no page views, the scenario is of another decision, or no page was
            viewed by 20 users (or sessions).
        """
        drawn = frame if len(frame) <= VIEWS_LOOKED_AT else sample_users(frame, VIEWS_LOOKED_AT)
        views = cast("PagesActing", act_on(model, drawn, scenario))
        people = "users" if "user_id" in frame else "sessions"
        crowded = frozenset(map(str, largest_levels(views.context["page"], views.users)))
        if not crowded:
            raise WorkbenchError(f"an archetype views a page that at least 20 {people} viewed; there is none here.")
        return cls(views, tuple(rules), _as_table(views.context), crowded, people)

    @property
    def who(self) -> np.ndarray:
        """Who each view belongs to."""
        return self.views.users

    @property
    def card(self) -> Card:
        """Where the views come from."""
        return card_of(self.views.frame)

    @property
    def words(self) -> Mapping[str, str]:
        """Headings."""
        return {
            "acts": "What each policy fetches",
            "chances": "The model's chances of being the next page",
            "example": EXAMPLE.format(people=self.people),
        }

    def common(self, rows: np.ndarray) -> pd.DataFrame:
        """The view that the most people share, of those asked for; its page and the one before are fixed first."""
        common = common_view(self.table[rows], self.who[rows], first=("page", PAGE_BEFORE))
        meaningless = {"usual_share": "usual_next", DWELL_BEFORE: PAGE_BEFORE}
        gone = {what: np.nan for what, of in meaningless.items() if what in common and common[of].isna().all()}
        return common.assign(**gone)

    def unknown(self, name: str) -> str | None:
        """There is always a page; without one before, the session begins."""
        return {"page": None, PAGE_BEFORE: NONE_BEFORE}.get(name, UNKNOWN)

    def answer(self, view: pd.DataFrame) -> dict[str, Any]:
        """What the model and each rule fetch, and why; pages that fewer than 20 people viewed are not named.

        The model fetches from the break-even on, a rule from the limit it comes with, else the break-even too.
        """
        session, break_even = self._as_session(view), self.views.scenario.break_even
        asked: tuple[Policy, ...] = (self.views.ours, *self.rules)
        ours, *rules = [self._ask(policy, session) for policy in asked]
        telling = Telling(self.crowded, break_even)
        likeliest = list(ours.chances or {})[:PAGES_SHOWN]
        first = likeliest[0]
        explanation = shap_values(self.views.model, session)
        question = f"{explanation.output_names}: {telling.names([first])}"
        return {
            "finding": telling.finding(ours, first),
            "chances": telling.chances(ours, likeliest),
            "limit": round(100 * break_even, 1),
            "columns": ["fetches", f"chance of {telling.names([first])}"],
            "policies": [telling.row(each, ours, first) for each in (ours, *rules)],
            "why": [telling.difference(each, ours) for each in rules if each.differs(ours)],
            "push": strongest(explanation, -1, question),
        }

    def _as_session(self, view: pd.DataFrame) -> pd.DataFrame:
        """The view after the page before, as canonical context: a session of one or two views."""
        context, of_view = self.views.context, view.iloc[0]
        pages = [page for page in (of_view[PAGE_BEFORE], of_view["page"]) if not pd.isna(page)]
        place = np.arange(len(pages))
        session = context.iloc[np.zeros(len(pages), int)].reset_index(drop=True)
        for name in context.columns.intersection(view.columns):
            session[name] = pd.Series([of_view[name]] * len(pages)).astype(context[name].dtype)
        page = pd.Series(pages).astype(context["page"].dtype)
        session = session.assign(page=page, view_id=place, session_id=0, position=place)
        if "viewed_at" in session:
            dwell = of_view.get(DWELL_BEFORE, 0.0)
            seconds = self.table[DWELL_BEFORE].median() if pd.isna(dwell) else dwell
            begin = context["viewed_at"].quantile(0.5, interpolation="nearest")
            session["viewed_at"] = begin + pd.to_timedelta((place - place[-1]) * round(seconds), unit="s")
        session.attrs["card"] = self.card
        return session

    def _ask(self, policy: Policy, session: pd.DataFrame) -> Fetching:
        """What a policy fetches in the last view of a session: not what the visit before keeps fresh."""
        name, there = named(policy)["name"], self.views.context.notna().any()
        if lacks(policy, there.index[there]):
            return Fetching(name, available=False)
        last, scenario = len(session) - 1, self.views.scenario
        answer = self.views.ask(policy, session)
        fetched = trace_fetches(answer[answer["view_id"] == last], session, scenario)
        chances = None
        if has_chances(policy):
            top = cast("Any", policy).next_pages(session, PAGES_ASKED)
            top = top[top["view_id"] == last]
            chances = dict(zip(top["page"].astype(str), top["chance"], strict=True))
        return Fetching(name, tuple(map(str, fetched["page"])), chances, getattr(policy, "limit", None))


def _as_table(context: pd.DataFrame) -> pd.DataFrame:
    """What may be known of each view, one row each, without columns that nobody has."""
    page, began = context["page"], same_session(context, 1)
    before = np.full(len(context), -1)
    before[1:][began] = page.cat.codes.to_numpy()[:-1][began]
    table = context.drop(columns=[name for name in OF_THE_SESSION if name in context])
    table = table.loc[:, table.notna().any()].drop(columns="page")
    dwell = previous_dwell(context)
    first = {"page": page, PAGE_BEFORE: pd.Categorical.from_codes(before, categories=page.cat.categories)}
    if (dwell > 0).any():  # sources with days, or one time a session, have none
        first[DWELL_BEFORE] = dwell
    return pd.DataFrame(first, index=context.index).join(table)
