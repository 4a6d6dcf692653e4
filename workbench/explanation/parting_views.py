"""Model and rule side by side on the same views: what each does, in which direction they disagree, what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.splits import FEWEST_USERS
from workbench.decisions.prefetch.rules import Markov
from workbench.explanation.acting import ImagesActing, PagesActing
from workbench.explanation.parting_conditions import Among
from workbench.explanation.parting_facts import (
    NOTHING,
    RULE_FETCHES,
    RULE_SENDS,
    SOMETHING,
    image_facts,
    page_facts,
)
from workbench.explanation.parting_rule import Action, ImageTreeRule, PageTreeRule, chances_of, fetch_options

Policy = Callable[..., Any]
SAME = "the same"
LARGER, SMALLER = "the model sends larger images", "the model sends smaller images"
ONLY_MODEL, ONLY_RULE = "the model fetches, the rule does not", "the rule fetches, the model does not"
MORE, FEWER, OTHERS = (
    "both fetch, the model more pages",
    "both fetch, the model fewer pages",
    "both fetch as many pages, not the same",
)
BETWEEN_PAGES = "\n"


@dataclass(frozen=True)
class Parting:
    """What model and rule do in each view; every array has shape (rows,).

    ``net_of_model`` and ``net_of_rule`` are what each is worth; ``way`` is what a tree tells apart, ``direction`` the
    same more closely, ``SAME`` where they do the same. ``ours`` and ``theirs`` are what each does, in words;
    ``options`` what else could be done that has a name, in words. ``facts`` is what may be known, ``strata`` what the
    rule does: the first question of the tree; ``rule_of`` makes a rule of leaves.
    """

    acting: ImagesActing | PagesActing
    net_of_model: np.ndarray
    net_of_rule: np.ndarray
    way: np.ndarray
    direction: np.ndarray
    ours: np.ndarray
    theirs: np.ndarray
    options: Mapping[str, np.ndarray]
    facts: pd.DataFrame
    strata: tuple[Among, ...]
    rule_of: Callable[[tuple[Any, ...]], Policy]
    page_by_page: bool = False

    def nameable(self, inside: np.ndarray) -> dict[Action, np.ndarray]:
        """What could be done in some views that has a name, and what that is in each view: str, shape (rows,).

        Of pages also those that the model fetches most often there, where it fetches them for 20 users and more.
        """
        found: dict[Action, np.ndarray] = {name: does for name, does in self.options.items()}
        most = pd.Series(self.ours[inside]).value_counts().index[0]
        users = self.acting.users[inside & (self.ours == most)]
        if self.page_by_page and most != NOTHING and len(np.unique(users)) >= FEWEST_USERS:
            found[tuple(most.split(BETWEEN_PAGES))] = np.full(len(self.ours), most, object)
        return found

    @property
    def difference(self) -> np.ndarray:
        """The model's net minus the rule's: float, shape (rows,)."""
        return self.net_of_model - self.net_of_rule

    @property
    def parts(self) -> np.ndarray:
        """Views in which they act differently: bool, shape (rows,)."""
        return self.way != SAME


def side_by_side(acting: ImagesActing | PagesActing, rule: Policy) -> Parting:
    """Ask model and rule about the same views."""
    return _of_images(acting, rule) if isinstance(acting, ImagesActing) else _of_pages(acting, rule)


def _of_images(acting: ImagesActing, rule: Policy) -> Parting:
    names = np.asarray(acting.scenario.ladder.names, dtype=object)
    ours, theirs = acting.ask(acting.ours), acting.ask(rule)
    sends = np.array([[f"rule {there}, model {here}" for here in names] for there in names], dtype=object)
    known_by = acting.model.known_by
    return Parting(
        acting=acting,
        net_of_model=acting.net(ours),
        net_of_rule=acting.net(theirs),
        way=np.select([ours > theirs, ours < theirs], [LARGER, SMALLER], SAME).astype(object),
        direction=np.where(ours == theirs, SAME, sends[theirs, ours]),
        ours=names[ours],
        theirs=names[theirs],
        options={str(name): np.full(len(ours), name, object) for name in names},
        facts=image_facts(acting.context, names[theirs]),
        strata=tuple(Among(RULE_SENDS, (name,)) for name in names),
        rule_of=lambda branches: ImageTreeRule(rule, branches, known_by),
    )


def _of_pages(acting: PagesActing, rule: Policy) -> Parting:
    view_id = acting.frame["view_id"].to_numpy()
    ours, theirs = acting.ask(acting.ours), acting.ask(rule)
    top = chances_of(rule, acting.context, acting.scenario)
    follower = Markov(order=1, limit=0.0, counts=acting.model.counts_.pages)
    options = fetch_options(acting.context, top, follower, acting.scenario)
    mine, its = pages_in_words(ours, view_id), pages_in_words(theirs, view_id)
    more = _count(mine) - _count(its)
    ways = [mine == its, its == NOTHING, mine == NOTHING, more > 0, more < 0]
    way = np.select(ways, [SAME, ONLY_MODEL, ONLY_RULE, MORE, FEWER], OTHERS).astype(object)
    known_by = acting.model.known_by
    return Parting(
        acting=acting,
        net_of_model=acting.net(ours),
        net_of_rule=acting.net(theirs),
        way=way,
        direction=way,
        ours=mine,
        theirs=its,
        options={name: pages_in_words(answer, view_id) for name, answer in options.items()},
        page_by_page=True,
        facts=page_facts(acting.context, theirs, top),
        strata=tuple(Among(RULE_FETCHES, (what,)) for what in (NOTHING, SOMETHING)),
        rule_of=lambda branches: PageTreeRule(rule, branches, follower, known_by),
    )


def pages_in_words(answer: pd.DataFrame, view_id: np.ndarray) -> np.ndarray:
    """Pages fetched in each view, whatever their order: sorted, joined; ``nothing``: str, shape (rows,).

    Words are written once for each set of pages, as most views share theirs with many others.
    """
    words = np.full(len(view_id), NOTHING, object)
    place = pd.Index(view_id).get_indexer(answer["view_id"])
    code, names = pd.factorize(answer["page"].astype(str).to_numpy(object), sort=True)
    order = np.lexsort((code, place))
    place, code = place[order], code[order]
    begins = np.flatnonzero(np.diff(place, prepend=-1))
    nth = np.arange(len(place)) - np.repeat(begins, np.diff(begins, append=len(place)))
    sets = np.zeros(len(view_id), np.int64)
    for i in range(nth.max(initial=-1) + 1):  # the first page of each view, the second, ...: as many as are fetched
        pages = np.zeros(len(view_id), np.int64)
        pages[place[nth == i]] = code[nth == i] + 1
        sets = pd.factorize(sets * (len(names) + 1) + pages)[0]
    one_each = place[begins][np.unique(sets[place[begins]], return_index=True)[1]]
    shown = np.isin(place, one_each)
    written = pd.Series(names[code[shown]], dtype=object).groupby(sets[place[shown]]).agg(BETWEEN_PAGES.join)
    words[place[begins]] = written.to_numpy(object)[np.searchsorted(written.index, sets[place[begins]])]
    return words


def _count(pages: np.ndarray) -> np.ndarray:
    """How many pages are named in each view."""
    return pd.Series(pages).str.count(BETWEEN_PAGES).to_numpy()
