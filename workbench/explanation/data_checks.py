"""Checks of the data behind a model: features that say the same, and whether two parts can be told apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.history import HISTORY
from workbench.datasets.schema import NAVIGATION_HISTORY, SIGNALS
from workbench.datasets.splits import Split, card_of, sample_users, users_of
from workbench.errors import WorkbenchError, check_whole
from workbench.evidence.bootstrap import Interval
from workbench.explanation.drift_words import A_COIN, to_finding, to_sentences
from workbench.explanation.feature_groups import ALIKE, Groups, group_features, representative
from workbench.explanation.importance_words import beyond_noise
from workbench.explanation.inspect_parts import listed
from workbench.explanation.periods import auc_intervals, column_in_words, period_context, score_periods
from workbench.explanation.retraining import Model, Scenario, effect_columns, prepare_retraining, removable
from workbench.explanation.shap_exact import with_bar
from workbench.studies.comparison import Unit

ROWS_TOLD_APART = 20_000  # of each part, about
FEWEST_USERS_A_PART = 20
LEAST_FALL = 0.005  # in AUC, chosen: what a feature must give away to be named
HISTORY_AND_SIGNALS = {*HISTORY, *SIGNALS, *(column.name for column in NAVIGATION_HISTORY)}
ALL, ALL_BUT_SOME = "all of them", "all but some"


@dataclass(frozen=True)
class Redundancy:
    """Groups of features that say the same, and what a model is worth on ``validation`` without them.

    Parameters
    ----------
    groups : Groups
        Features, their correlations, the tree of them, and the groups.
    costs : DataFrame
        Two rows a group, all but one feature dropped, then all; one row where some cannot be left out: ``group`` (its
        number from 0), ``features``, ``what`` (``"all but some"`` or ``"all of them"``), ``kept`` and ``dropped``
        (tuples of features), ``net, net_low, net_high`` (retrained minus as trained), ``trees_saved,
        kilobytes_saved``. Numbers are missing where nothing can be left out.
    unit : Unit
        How the net is told.
    views, users : int
        Of ``validation``, on which the policies act.
    card : Card
    """

    groups: Groups
    costs: pd.DataFrame = field(repr=False)
    unit: Unit
    views: int
    users: int
    card: Card = field(repr=False)

    @property
    def finding(self) -> str:
        """In one line, whether features stand in for one another."""
        count = len(self.groups.groups)
        if not count:
            return "No features move together"
        return "One group of features moves together" if count == 1 else f"{count} groups of features move together"

    @property
    def sentences(self) -> tuple[str, ...]:
        """One sentence a group, with what dropping costs; or that there is none."""
        alike = f"correlate at {self.groups.alike:g} or more"
        if not self.groups.groups:
            return (f"No two features {alike}: none stands in for another.",)
        return tuple(
            f"{listed(members)} {alike}. {' '.join(_cost_in_words(row, self.unit) for row in rows)}"
            for members, rows in self._by_group()
        )

    def _by_group(self) -> Iterator[tuple[tuple[str, ...], list[pd.Series]]]:
        for place, members in enumerate(self.groups.groups):
            yield members, [row for _, row in self.costs[self.costs["group"] == place].iterrows()]


def redundancy(
    split: Split, model: Model, scenario: Scenario | None = None, *, alike: float = ALIKE, seed: int = 0
) -> Redundancy:
    """Find features that say the same, and what a model is worth without them.

    Features fall into groups by Spearman's correlation of the numbers that stand for them
    (:func:`workbench.explanation.feature_groups.group_features`). For each group the model is trained again twice:
    without all but one of its members, which answers "need we collect them all?", and without any, "does what they
    say matter?". It acts at the declared price, no limit is tuned. The member that stays is the one that correlates
    most with the others; where some cannot be left out, these stay, and there is one training. A lone feature is no
    group: what it is worth is for permutation importance to say. Exploratory: ``validation`` is used, ``test`` is not
    read.

    Parameters
    ----------
    split : Split
    model : NetworkQuality or NextPage
        Trained on it.
    scenario : ImageScenario or PrefetchScenario, optional
    alike : float
        Size of the correlation that every two members of a group reach at least.
    seed : int
        Of the drawn rows and the resampling.

    Returns
    -------
    Redundancy

    Raises
    ------
    WorkbenchError
        Where the model was not trained on the split, has under two features, or ``alike`` is not between 0 and 1.
    """
    bench = prepare_retraining(split, model, scenario)
    groups = group_features(split, model, alike, seed)
    tasks = [task for place, members in enumerate(groups.groups) for task in _tasks(place, members, groups, model)]
    names = removable(model)
    rows = []
    for task in with_bar(tasks, "retraining"):
        effect = bench.without([names[name] for name in task["dropped"]], seed) if task["dropped"] else None
        rows.append(task | effect_columns(effect))
    columns = ["group", "features", "what", "kept", "dropped", *effect_columns(None)]
    return Redundancy(
        groups=groups,
        costs=pd.DataFrame(rows, columns=columns),
        unit=bench.here.unit,
        views=len(bench.net),
        users=len(np.unique(bench.here.users)),
        card=split.card,
    )


def _tasks(place: int, members: tuple[str, ...], groups: Groups, model: Model) -> Iterator[dict[str, Any]]:
    """All but one, and all; where some cannot be left out, both are the same."""
    names = removable(model)
    must_stay = tuple(name for name in members if name not in names)
    kept = must_stay or (representative(members, groups),)
    cases = ((ALL_BUT_SOME, must_stay),) if must_stay else ((ALL_BUT_SOME, kept), (ALL, ()))
    for what, stay in cases:
        dropped = tuple(name for name in members if name not in stay)
        yield {"group": place, "features": members, "what": what, "kept": stay, "dropped": dropped}


def _cost_in_words(row: pd.Series, unit: Unit) -> str:
    if not row["dropped"]:
        return "The model cannot be trained without them."
    net = Interval(row["net"], row["net_low"], row["net_high"], 0)
    sure = {0: "within chance", 1: "gained", -1: "lost"}[beyond_noise(unit, net.low, net.high)]
    return f"With {listed(row['dropped'])} left out: {unit.span(net)} {unit.name}, {sure}."


@dataclass(frozen=True)
class Drift:
    """How well context alone tells which of two parts, such as train and validation, a view is from.

    Parameters
    ----------
    auc : Interval
        Chance that a view of the second part scores above one of the first, users resampled; 0.5 is a coin.
    features : DataFrame
        A row a column of context, those that give most away first: ``column, feature`` (as a reader knows it),
        ``fall, low, high`` (fall in AUC where it is shuffled).
    views : tuple of int
        Of the first and the second part, as compared.
    users : int
        Of both parts.
    fewest : int
        Users of the smaller part.
    people : str
        What those are who were resampled.
    card : Card
    left_aside : tuple of str
        History and signals that were not looked at, as a reader knows them.
    """

    auc: Interval
    features: pd.DataFrame = field(repr=False)
    views: tuple[int, int]
    users: int
    fewest: int
    people: str
    card: Card = field(repr=False)
    left_aside: tuple[str, ...] = ()

    @property
    def telling(self) -> pd.DataFrame:
        """The features without which the parts are harder to tell apart, beyond chance and by 0.005 at least."""
        telling = self.features[self.features["low"] > LEAST_FALL]
        return telling if self.auc.low > A_COIN else telling.head(0)

    @property
    def finding(self) -> str:
        """In one line, whether the parts differ."""
        return to_finding(self)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it means for what was learnt on the first part; and what was not looked at."""
        return to_sentences(self)


def drift(
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    known_by: str | None = None,
    without: Sequence[str] = (),
    history: bool = False,
    rows: int = ROWS_TOLD_APART,
    seed: int = 0,
) -> Drift:
    """Try to tell two parts apart by what a model sees of each view.

    A small XGBoost learns to tell them, in five folds grouped by user, from context alone: never from what was measured
    or opened next, nor from times and running numbers. So ``drift(split.train, split.validation)`` takes no look at
    ``test``; of a split by user it should find nothing. History and signals are left aside by default: history grows
    with time by its nature, and a mask blanks both for users who are kept in ``validation`` and not in ``train``.

    Parameters
    ----------
    train, test : DataFrame
        First and second part, such as earlier and later canonical views, with their card.
    known_by : str, optional
        Information set; default the card's.
    without : sequence of str
        Further columns of context that are left aside.
    history : bool
        Whether history, and the signals that NetInfo tells, are compared too.
    rows : int
        About how many views of each part are compared at most; whole users are drawn by ``seed``.
    seed : int

    Returns
    -------
    Drift

    Raises
    ------
    WorkbenchError
        Where a frame carries no card, both do not come from one dataset, a part has under 20 users, or no context
        that is compared differs between views.
    """
    card, other = card_of(train), card_of(test)
    check_whole("rows", rows, at_least=1)
    if card.name != other.name:
        raise WorkbenchError(
            f"drift compares two parts of one dataset, such as split.train and split.validation; got {card.name} and "
            f"{other.name}."
        )
    parts = [part if len(part) <= rows else sample_users(part, rows, seed) for part in (train, test)]
    cluster = "session_id" if card.kind == "navigations" and "user_id" not in train else "user_id"
    fewest = _count_fewest(parts, cluster)
    both = pd.concat(parts)
    second = np.repeat([False, True], [len(part) for part in parts])
    context = period_context(both, card.kind, known_by or card.known_by, card.context)
    context = context.drop(columns=[name for name in without if name in context])
    aside = [] if history else [name for name in context if name in HISTORY_AND_SIGNALS]
    context = context.drop(columns=aside)
    if context.empty:
        raise WorkbenchError(_nothing_differs(card, aside))
    auc, falls = auc_intervals(score_periods(context, second, users_of(both, cluster), seed), seed=seed)
    people = cluster.removesuffix("_id") + "s" if cluster in both else "views"
    left_aside = tuple(column_in_words(name, card.kind) for name in aside)
    views = (len(parts[0]), len(parts[1]))
    return Drift(auc, _falls_table(falls, card.kind), views, auc.clusters, fewest, people, card, left_aside)


def _falls_table(falls: Mapping[str, Interval], kind: str) -> pd.DataFrame:
    """A row a column, those that give most away first."""
    rows = [(name, column_in_words(name, kind), each.estimate, each.low, each.high) for name, each in falls.items()]
    table = pd.DataFrame(rows, columns=["column", "feature", "fall", "low", "high"])
    return table.sort_values("fall", ascending=False, ignore_index=True)


def _nothing_differs(card: Card, aside: Sequence[str]) -> str:
    if aside:
        return (
            f"{card.name}: but for history and signals, which are left aside, no context differs between views, so "
            "nothing can tell the parts apart. Take them in with history=True."
        )
    return f"{card.name}: no context differs between views, so nothing can tell the parts apart."


def _count_fewest(parts: list[pd.DataFrame], cluster: str) -> int:
    """Users of the smaller part."""
    fewest = min(len(np.unique(users_of(part, cluster))) for part in parts)
    if fewest < FEWEST_USERS_A_PART:
        raise WorkbenchError(
            f"a part of fewer than {FEWEST_USERS_A_PART} users says nothing about a shift; got {fewest}. Take more "
            "rows, or split.train and split.validation."
        )
    return fewest
