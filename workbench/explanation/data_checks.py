"""Checks of the data behind a model: features that say the same, and whether two periods can be told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.history import HISTORY
from workbench.datasets.navigation_schema import NAVIGATION_HISTORY
from workbench.datasets.splits import Split, card_of, sample_users, users_of
from workbench.errors import WorkbenchError, check_whole
from workbench.evaluation.bootstrap import Interval
from workbench.explanation.feature_groups import ALIKE, Groups, group_features
from workbench.explanation.periods import auc_intervals, column_in_words, period_context, score_periods
from workbench.explanation.retraining import Model, Scenario, effect_columns, open_workshop, removable
from workbench.explanation.shap_exact import with_bar
from workbench.studies.comparison import Unit

ROWS_TOLD_APART = 20_000  # of each period, about
FEWEST_USERS_A_PERIOD = 20
A_COIN, A_LITTLE = 0.5, 0.6  # AUC; up to the second, chosen, periods differ little
GIVES_AWAY = 0.005  # fall in AUC, chosen: what a shift must cost to be named
NAMED = 3
FEW_USERS = 200  # in trials without any shift, intervals of 50 to 90 users missed 0.5 in 3 of 10, of 400 in none of 28
OF_HISTORY = {*HISTORY, *(column.name for column in NAVIGATION_HISTORY)}
ALL, ALL_BUT_SOME = "all of them", "all but some"


@dataclass(frozen=True)
class Redundancy:
    """Groups of features that say the same, and what a model is worth on ``choose`` without them.

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
        Of ``choose``, on which the policies act.
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
    group: what it is worth is for permutation importance to say. Exploratory: ``choose`` is used, ``test`` is not
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
    shop = open_workshop(split, model, scenario)
    groups = group_features(split, model, alike, seed)
    tasks = [task for place, members in enumerate(groups.groups) for task in _tasks(place, members, groups, model)]
    names = removable(model)
    rows = []
    for task in with_bar(tasks, "retraining"):
        effect = shop.without([names[name] for name in task["dropped"]], seed) if task["dropped"] else None
        rows.append(task | effect_columns(effect))
    columns = ["group", "features", "what", "kept", "dropped", *effect_columns(None)]
    return Redundancy(
        groups=groups,
        costs=pd.DataFrame(rows, columns=columns),
        unit=shop.here.unit,
        views=len(shop.net),
        users=len(np.unique(shop.here.users)),
        card=split.card,
    )


def _tasks(place: int, members: tuple[str, ...], groups: Groups, model: Model) -> Iterator[dict[str, Any]]:
    """All but one, and all; where some cannot be left out, both are the same."""
    names = removable(model)
    must_stay = tuple(name for name in members if name not in names)
    kept = must_stay or (spokesman(members, groups),)
    cases = ((ALL_BUT_SOME, must_stay),) if must_stay else ((ALL_BUT_SOME, kept), (ALL, ()))
    for what, stay in cases:
        dropped = tuple(name for name in members if name not in stay)
        yield {"group": place, "features": members, "what": what, "kept": stay, "dropped": dropped}


def spokesman(members: tuple[str, ...], groups: Groups) -> str:
    """The member that correlates most with the others, on average."""
    at = [groups.features.index(name) for name in members]
    return members[int(np.argmax(groups.correlation[np.ix_(at, at)].mean(axis=1)))]


def _cost_in_words(row: pd.Series, unit: Unit) -> str:
    if not row["dropped"]:
        return "The model cannot be trained without them."
    net = Interval(row["net"], row["net_low"], row["net_high"], 0)
    small = "within chance" if net.low <= 0 <= net.high else "gained" if net.low > 0 else "lost"
    return f"With {listed(row['dropped'])} left out: {unit.span(net)} {unit.name}, {small}."


def listed(names: tuple[str, ...]) -> str:
    """Names in a row: ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


@dataclass(frozen=True)
class Drift:
    """How well context alone tells which of two parts, such as periods, a view is from.

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
    """

    auc: Interval
    features: pd.DataFrame = field(repr=False)
    views: tuple[int, int]
    users: int
    fewest: int
    people: str
    card: Card = field(repr=False)

    @property
    def giveaways(self) -> pd.DataFrame:
        """The features without which the periods are harder to tell apart, beyond chance and by 0.005 at least."""
        telling = self.features[self.features["low"] > GIVES_AWAY]
        return telling if self.auc.low > A_COIN else telling.head(0)

    @property
    def finding(self) -> str:
        """In one line, whether the periods differ."""
        if self.auc.low <= A_COIN:
            return "The later views look like the earlier ones"
        if self._by_history_alone:
            return "Only history, which grows with time, tells later views from earlier ones"
        return f"The later views {'differ' if self.auc.high > A_LITTLE else 'hardly differ'} from the earlier ones"

    @property
    def sentences(self) -> tuple[str]:
        """What it means for what was learnt on the first part."""
        return (self._sentence(),)

    @property
    def _by_history_alone(self) -> bool:
        return len(self.giveaways) > 0 and set(self.giveaways["column"]) <= OF_HISTORY

    def _sentence(self) -> str:
        auc = f"AUC {self.auc.estimate:.2f} ({self.auc.low:.2f} to {self.auc.high:.2f}; 0.50 is a coin)"
        if self.auc.low <= A_COIN:
            return f"From context alone nobody can tell the second part from the first: {auc}."
        how = "only a little better than a coin" if self.auc.high <= A_LITTLE else "plainly"
        named = list(self.giveaways["feature"][:NAMED])
        by = f" Most is given away by {listed(tuple(named))}." if named else " No single feature gives it away."
        if self._by_history_alone:
            by += " That is history, which grows with time by its nature: look again without it."
        meaning = (
            "what was learnt on the first need not hold on the second"
            if self.auc.high > A_LITTLE
            else "what the model sees has hardly changed"
        )
        if self.fewest < FEW_USERS:
            by += f" With {self.fewest} {self.people} in the smaller part, chance may do this more often than it says."
        return f"Context alone tells the second part from the first {how}: {auc}; {meaning}.{by}"


def drift(
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    known_by: str | None = None,
    without: Sequence[str] = (),
    rows: int = ROWS_TOLD_APART,
    seed: int = 0,
) -> Drift:
    """Try to tell two periods apart by what a model sees of each view.

    A small XGBoost learns to tell them, in five folds grouped by user, from context alone: never from what was measured
    or opened next, nor from times and running numbers. So ``drift(split.train, split.choose)`` takes no look at
    ``test``; of a split by user it should find nothing. History is context too, and grows with time by its nature:
    leave its columns out with ``without`` to see what else has changed.

    Parameters
    ----------
    train, test : DataFrame
        Earlier and later canonical views, with their card.
    known_by : str, optional
        Information set; default the card's.
    without : sequence of str
        Columns of context that are left aside.
    rows : int
        About how many views of each period are compared at most; whole users are drawn by ``seed``.
    seed : int

    Returns
    -------
    Drift

    Raises
    ------
    WorkbenchError
        Where a frame carries no card, both do not come from one dataset, a period has under 20 users, or no context
        differs between views.
    """
    card, other = card_of(train), card_of(test)
    check_whole("rows", rows, at_least=1)
    if card.name != other.name:
        raise WorkbenchError(
            f"drift compares two periods of one dataset, such as split.train and split.choose; got {card.name} and "
            f"{other.name}."
        )
    parts = [part if len(part) <= rows else sample_users(part, rows, seed) for part in (train, test)]
    cluster = "session_id" if card.kind == "navigations" and "user_id" not in train else "user_id"
    fewest = _count_fewest(parts, cluster, card)
    both = pd.concat(parts)
    later = np.repeat([False, True], [len(part) for part in parts])
    context = period_context(both, card.kind, known_by or card.known_by, card.context)
    context = context.drop(columns=[name for name in without if name in context])
    if context.empty:
        raise WorkbenchError(f"{card.name}: no context differs between views, so nothing can tell periods apart.")
    scores = score_periods(context, later, users_of(both, cluster), seed)
    auc, falls = auc_intervals(scores, seed=seed)
    table = pd.DataFrame(
        [
            {
                "column": name,
                "feature": column_in_words(name, card.kind),
                "fall": each.estimate,
                "low": each.low,
                "high": each.high,
            }
            for name, each in falls.items()
        ]
    ).sort_values("fall", ascending=False, ignore_index=True)
    people = cluster.removesuffix("_id") + "s" if cluster in both else "views"
    return Drift(auc, table, (len(parts[0]), len(parts[1])), auc.clusters, fewest, people, card)


def _count_fewest(parts: list[pd.DataFrame], cluster: str, card: Card) -> int:
    """Users of the smaller part."""
    fewest = min(len(np.unique(users_of(part, cluster))) for part in parts)
    if fewest < FEWEST_USERS_A_PERIOD:
        raise WorkbenchError(
            f"{card.name}: a period of fewer than {FEWEST_USERS_A_PERIOD} users says nothing about a shift; got "
            f"{fewest}. Take more rows, or split.train and split.choose."
        )
    return fewest
