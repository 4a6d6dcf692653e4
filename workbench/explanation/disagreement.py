"""Where and why model and rule differ: how often, who is right, and a surrogate tree of where.

The tree is shown what may be known of a view and what both policies do, never what came of it: it predicts where they
differ, not where that pays. What it pays is measured on users that the tree was not fitted to, and the tree is itself
a rule that can be entered into a comparison.
"""

from __future__ import annotations

import html
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.checked import checked
from workbench.datasets.cards import Card
from workbench.datasets.splits import FEWEST_USERS, shuffle_users
from workbench.decisions.decision import Contrast, Unit
from workbench.decisions.policy import Policy, policy_name
from workbench.errors import WorkbenchError, check_seed
from workbench.evidence.bootstrap import Interval, cluster_interval, cluster_intervals
from workbench.evidence.segments import segment_intervals
from workbench.explanation.base import (
    Applied,
    apply_model,
    as_html,
    check_users,
    interval_columns,
    may_be_missing,
    net_of,
    percent,
)
from workbench.explanation.surrogate_tree import Among, Condition, Conditions, grow_leaves
from workbench.studies.report import OFFLINE, capital

EXPLORATORY = (
    "Exploratory: no verdict rests on this, and its views are not those of the verdict (on validation, limits were "
    "tuned and the best rule was picked). The tree was fitted to where they differ, not to what came of it."
)
TOO_FEW = f"They differ for too few {{}} to say where: a tree needs {FEWEST_USERS} in each of its two halves."
NOWHERE = "No available feature predicts where they differ."
NEARLY = 0.9  # of the views: from this share on they differ nearly everywhere
NEARLY_EVERYWHERE = "They differ nearly everywhere, and no available feature predicts where they agree."
SAME, OTHERWISE = "the same", "other differences (few users)"
SHOWN = 3  # directions in sentences; the table holds all
# A candidate does what the model does in most of a leaf's views, and in so many more of them than the rule.
MOSTLY, WORTH = 0.5, 0.1
SMALLEST_SHARE = 0.01  # of the views: a smaller leaf is no rule that anyone would keep
OFTEN = 1.5  # a leaf in which they differ so many times as often as in all views is shown


@dataclass(frozen=True)
class Leaf:
    """One leaf of the tree; its figures are of users that the tree was not fitted to.

    No ``conditions`` at all: everywhere else. ``way`` is the direction in which they differ there, on the whole,
    ``doing`` what the model does in most of these views, where that says more; ``action`` is what the tree as a rule
    does there, empty where it does as the rule. ``coverage`` is the leaf's share of the views, ``precision`` the share
    of its views in which they differ in its direction, ``net`` the model's net minus the rule's, for each of its views.
    """

    conditions: Conditions
    way: str
    doing: str
    action: str
    coverage: float
    precision: float
    net: Interval
    views: int
    users: int
    unit: Unit = field(repr=False)

    @property
    def condition(self) -> str:
        """Its conditions as a phrase."""
        return self.conditions.in_words()

    @property
    def sentence(self) -> str:
        """Where, how often, in which direction, and what it is worth there."""
        where = f"Where {self.condition}" if self.conditions else "Everywhere" if self.way else "Everywhere else"
        doing = f" (most often: {self.doing})" if self.doing else ""
        does = f"{self.way}{doing}" if self.way else "they differ"
        return (
            f"{where}: {percent(self.coverage)} of the views; in {percent(self.precision)} of them {does}; model minus "
            f"rule there {self.unit.span(self.net)} {self.unit.per_view}."
        )


@dataclass(frozen=True, repr=False)
class Disagreement:
    """Where model and rule act differently, and what that is worth.

    ``views`` were looked at (of measurements those without a signal); ``share`` of them differ; ``difference`` is the
    model's net minus the rule's over all of them. Intervals are 95 %, users resampled.

    ``directions`` has one row a direction of at least 20 users, most views first; smaller ones are merged, and the
    views in which both do the same come last: there the net differs too where a decision has an effect on later views,
    as a prefetch has. ``direction, views, users``; ``share, share_low, share_high`` of all views; ``model_right,
    rule_right, equal`` (shares of its views in which the net of one is larger); ``net, net_low, net_high`` (model minus
    rule, for each of its views); ``contribution, contribution_low, contribution_high`` (the same, for each of all
    views: they add up to the whole difference, but for what is left out).

    ``leaves`` are those of the tree, where they differ in most views first; all other views together are ``elsewhere``,
    None for fewer than 20 users. ``rule`` is the tree as a rule, for ``rules=[...]`` of a comparison, None where no
    leaf is a candidate; ``gains`` are then its mean nets a view on the half that it was not fitted to: ``rule over
    base`` (the tree minus the rule), ``model over base``, ``model over rule`` (the model minus the tree). ``no_tree``
    says why there is no leaf.
    """

    card: Card
    rule_name: str
    views: int
    users: int
    people: str
    share: Interval
    difference: Interval
    directions: pd.DataFrame
    leaves: tuple[Leaf, ...]
    elsewhere: Leaf | None
    rule: Policy | None
    gains: Mapping[str, Interval]
    no_tree: str
    unit: Unit

    @property
    def finding(self) -> str:
        """In one line, how often they differ, and in which direction most.

        No net: it would be taken for that of the verdict, which is of other views.
        """
        if not self.share.estimate:
            return "Model and rule do the same everywhere"
        often = f"Model and rule differ in {percent(self.share.estimate)} of the views"
        most = next(iter(self.directions["direction"]), SAME)
        return often if most in (SAME, OTHERWISE) else f"{often}, most often: {most}"

    @property
    def sentences(self) -> list[str]:
        """How often they differ, who is right, and what the tree brings as a rule; not the leaves."""
        share, unit = self.share, self.unit
        if not share.estimate:
            return [f"Model and rule ({self.rule_name}) do the same in all {self.views:,} views."]
        differing = self.directions[self.directions["direction"] != SAME].head(SHOWN)
        return [
            f"Model and rule ({self.rule_name}) differ in {percent(share.estimate)} of {self.views:,} views "
            f"({percent(share.low)} to {percent(share.high)}); model minus rule over all of them "
            f"{unit.span(self.difference)} {unit.per_view}.",
            *(
                f"{capital(row['direction'])}: {percent(row['share'])} of the views; the model is right in "
                f"{percent(row['model_right'])} of them, the rule in {percent(row['rule_right'])}; model minus rule "
                f"there {unit.span(net_of(row))} {unit.per_view}."
                for row in differing.to_dict("records")
            ),
            self._tree_sentence(),
            EXPLORATORY,
        ]

    def to_frame(self) -> pd.DataFrame:
        """The directions, one row each."""
        return self.directions.set_index("direction")

    def __repr__(self) -> str:
        without = self._tree_sentence() if self.share.estimate else self.sentences[0]
        return f"{self.finding}.\n{without if self.rule is None else self.rule}"

    def _repr_html_(self) -> str:
        rest = [self.elsewhere] if self.elsewhere is not None and self.leaves else []
        sentences = [*self.sentences, *(leaf.sentence for leaf in (*self.leaves, *rest)), OFFLINE]
        written = f"<pre>{html.escape(str(self.rule))}</pre>" if self.rule is not None else ""
        return as_html(self.finding, sentences) + written

    def _tree_sentence(self) -> str:
        if not self.leaves:
            return self.no_tree
        if self.rule is None:
            return (
                "No simple rule can be copied: in no leaf does one action match the model far more often than the rule."
            )
        tree, model, left = (
            self.unit.span(self.gains[name]) for name in ("rule over base", "model over base", "model over rule")
        )
        return (
            f"A simple rule copied from the model, on unseen {self.people}: {tree} {self.unit.per_view} against "
            f"{self.rule_name}; the model {model}; model minus simple rule {left}."
        )


@may_be_missing
@checked
def disagreement(model: Any, rule: Policy, frame: pd.DataFrame, *, scenario: Any = None, seed: int = 0) -> Disagreement:
    """Find out where and why a model and a rule differ: where they act differently.

    A decision tree (scikit-learn's, depth 3, leaves of 20 users and more) is fitted to one half of the users, drawn by
    seed, to predict in which direction they differ; coverage, precision and net of its leaves are measured on the other
    half. It sees what a policy may know and what both do, never an outcome.

    Parameters
    ----------
    model : estimator, or a policy that holds one
        A model acts at the declared price; the policy of a comparison, ``result.of("model").policy``, by its limit.
    rule : callable
        Such as ``result.best_rule``.
    frame : DataFrame
        Canonical, with its card, such as ``split.validation``; not the test part, which is read once.
    scenario, missing_ok
        As for ``wb.importance``.
    seed : int
        Random seed of the halves and of the resampling.

    Raises
    ------
    WorkbenchError
        Where the rule is none or not available on these views, where model, frame and scenario do not belong to one
        decision, or where the views are of fewer than 20 users.

    >>> wb.disagreement(model, result.best_rule, split.validation)  # doctest: +SKIP
    """
    check_seed(seed)
    applied = apply_model(model, frame, scenario)
    here, users = applied.situations, applied.users
    reason = applied.decision.why_unavailable(rule, here)
    if reason:
        raise WorkbenchError(
            f"{here.card.name}: expected a rule that is available on these views; {policy_name(rule)} is not: "
            f"{reason}. Take another, such as result.best_rule."
        )
    check_users(users, here.people, here.card, "a contrast of model and rule")
    pair = compare(applied, rule, seed)
    share = cluster_interval(pair.differs.astype(float), users, seed=seed)
    leaves: tuple[Leaf, ...] = ()
    elsewhere, no_tree = None, TOO_FEW.format(here.people)
    if pair.can_grow(pair.differs):
        leaves, elsewhere = find_leaves(pair)
        nothing = NEARLY_EVERYWHERE if share.estimate >= NEARLY else NOWHERE
        no_tree = "" if leaves else nothing
    branches = [(leaf.conditions, leaf.action) for leaf in leaves if leaf.action]
    tree = pair.contrast.entered(branches) if branches else None
    return Disagreement(
        card=here.card,
        rule_name=policy_name(rule),
        views=len(users),
        users=len(np.unique(users)),
        people=here.people,
        share=share,
        difference=cluster_interval(pair.difference, users, seed=seed),
        directions=_directions(pair),
        leaves=leaves,
        elsewhere=elsewhere,
        rule=tree,
        gains=_gains(applied, pair, tree) if tree is not None else {},
        no_tree=no_tree,
        unit=pair.unit,
    )


@dataclass(frozen=True)
class Pair:
    """Model and rule on the same views, arrays of shape (rows,); the tree is fitted to those that ``grows`` names.

    ``difference`` is the model's net minus the rule's, ``net_of_rule`` the rule's; ``seed`` is that of ties and of the
    resampling.
    """

    contrast: Contrast
    users: np.ndarray
    grows: np.ndarray
    difference: np.ndarray
    net_of_rule: np.ndarray
    unit: Unit
    seed: int = 0

    @property
    def differs(self) -> np.ndarray:
        """Views in which they act differently: bool, shape (rows,)."""
        return self.contrast.way != ""

    def can_grow(self, inside: np.ndarray) -> bool:
        """Whether some views are of 20 users in either half."""
        return all(len(np.unique(self.users[inside & half])) >= FEWEST_USERS for half in (self.grows, ~self.grows))


def compare(applied: Applied, rule: Policy, seed: int) -> Pair:
    """Ask model and rule about the same views; the tree is fitted to those of one half of the users."""
    ours, theirs = applied.ask(), applied.ask(rule)
    contrast = applied.decision.contrast(ours, theirs, rule, applied.situations, applied.scenario)
    net_of_rule, users = applied.net(theirs), applied.users
    everybody = shuffle_users(users, seed)
    grows = np.isin(users, everybody[: len(everybody) // 2])
    return Pair(contrast, users, grows, applied.net(ours) - net_of_rule, net_of_rule, applied.decision.unit, seed)


def _gains(applied: Applied, pair: Pair, tree: Policy) -> dict[str, Interval]:
    """The tree as a rule, beside rule and model, on users that it was not fitted to."""
    over_base = applied.net(applied.ask(tree)) - pair.net_of_rule
    pairs = {
        "rule over base": over_base,
        "model over base": pair.difference,
        "model over rule": pair.difference - over_base,
    }
    columns = np.column_stack([difference[~pair.grows] for difference in pairs.values()])
    return dict(zip(pairs, cluster_intervals(columns, pair.users[~pair.grows], seed=pair.seed), strict=True))


def _directions(pair: Pair) -> pd.DataFrame:
    """In which direction they differ, how often, who is right, and what it is worth; no row where none has 20 users."""
    users, difference = pair.users, pair.difference
    direction = np.where(pair.contrast.detail == "", SAME, pair.contrast.detail)
    count = pd.Series(users).groupby(direction).nunique()
    few = count[count < FEWEST_USERS].index.difference([SAME])
    direction = np.where(np.isin(direction, few), OTHERWISE, direction)
    names = [*pd.Series(direction[direction != SAME]).value_counts().index, SAME]
    members = {name: inside for name in names if len(np.unique(users[inside := direction == name])) >= FEWEST_USERS}
    inside = np.column_stack([np.empty((len(users), 0), bool), *members.values()])
    there = [(name, each.sum(), len(np.unique(users[each]))) for name, each in members.items()]
    right = [[side(difference[each], 0).mean() for side in (np.greater, np.less, np.equal)] for each in inside.T]
    bounds = segment_intervals(difference[:, None], users, list(members.values()), seed=pair.seed)
    parts = [
        pd.DataFrame(there, columns=["direction", "views", "users"]),
        interval_columns("share", inside, users, pair.seed),
        pd.DataFrame(right, columns=["model_right", "rule_right", "equal"]),
        pd.DataFrame(bounds, columns=["net", "net_low", "net_high"]),
        interval_columns("contribution", difference[:, None] * inside, users, pair.seed),
    ]
    return pd.concat(parts, axis=1)


def find_leaves(pair: Pair) -> tuple[tuple[Leaf, ...], Leaf | None]:
    """Fit the tree, keep the leaves where they differ, and sum up the others.

    The first question is what the rule does; below it grows a tree of its own. A leaf is kept where it is a candidate
    for a rule (:func:`_action`), or where they differ half as often again as in all views (where they differ in most:
    agree at most half as often). One leaf of all views that is no candidate says nothing. The leaf where they differ in
    most views comes first; all other views are one more, or None where they are of fewer than 20 users.
    """
    facts = pair.contrast.facts
    strata = [Among(str(facts.columns[0]), (str(does),)) for does in np.unique(pair.contrast.rule_does.astype(str))]
    leaves, rest = [], np.ones(len(facts), bool)
    for conditions in (leaf for stratum in strata for leaf in _grow(pair, stratum)):
        inside = conditions(facts)
        action, way = _change(pair, inside)
        if action or (way and not inside.all()):
            leaves.append(_leaf(pair, conditions, inside, action, way))
            rest &= ~inside
    leaves.sort(key=lambda leaf: leaf.coverage * leaf.precision, reverse=True)
    enough = len(np.unique(pair.users[rest & ~pair.grows])) >= FEWEST_USERS
    return tuple(leaves), _leaf(pair, Conditions(), rest) if enough else None


def _grow(pair: Pair, stratum: Condition) -> list[Conditions]:
    """Leaves of the tree for views in which the rule does one thing; none where they are of too few users."""
    here = stratum.holds(pair.contrast.facts)
    if not pair.can_grow(here):
        return []

    def change_here(inside: np.ndarray) -> Hashable:
        everywhere = np.zeros(len(here), bool)
        everywhere[here] = inside
        return _change(pair, everywhere)

    size = max(FEWEST_USERS, int(SMALLEST_SHARE * pair.grows.sum()))
    facts, way = pair.contrast.facts[here].reset_index(drop=True), pair.contrast.way[here]
    leaves = grow_leaves(facts, way, pair.users[here], pair.grows[here], size=size, change=change_here, seed=pair.seed)
    return [Conditions((stratum, *leaf)) for leaf in leaves]


def _change(pair: Pair, inside: np.ndarray) -> tuple[str, str]:
    """The action that matches the model in these views, and how they differ; empty where they seldom do."""
    seen = inside & pair.grows
    if not seen.any():
        return "", ""
    overall = float(pair.differs[pair.grows].mean())
    action, often = _action(pair, seen), min(OFTEN * overall, (1 + overall) / 2)
    shown = action or pair.differs[seen].mean() >= often
    return action, _most(pair.contrast.way[seen & pair.differs]) if shown else ""


def _action(pair: Pair, inside: np.ndarray) -> str:
    """What matches the model most often: in most of these views, and in a tenth more than the rule does; else empty."""
    agreement = {name: float(same[inside].mean()) for name, same in pair.contrast.agrees.items()}
    best = max(agreement, key=lambda name: agreement[name])
    rules = float((~pair.differs[inside]).mean())
    return best if agreement[best] >= max(MOSTLY, rules + WORTH) else ""


def _most(values: np.ndarray) -> str:
    """The most frequent value; empty where there is none."""
    return str(next(iter(pd.Series(values).value_counts().index), ""))


def _leaf(pair: Pair, conditions: Conditions, inside: np.ndarray, action: str = "", way: str = "") -> Leaf:
    unseen = inside & ~pair.grows
    so = (pair.contrast.way == way) if way else pair.differs
    doing = _most(pair.contrast.detail[inside & pair.grows & so]) if way else ""
    return Leaf(
        conditions=conditions,
        way=way,
        doing="" if doing == way else doing,
        action=action,
        coverage=float(unseen.sum() / (~pair.grows).sum()),
        precision=float((unseen & so).sum() / unseen.sum()),
        net=cluster_interval(pair.difference[unseen], pair.users[unseen], seed=pair.seed),
        views=int(unseen.sum()),
        users=len(np.unique(pair.users[unseen])),
        unit=pair.unit,
    )
