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

from workbench.datasets.cards import Card
from workbench.datasets.splits import FEWEST_USERS
from workbench.decisions.decision import Contrast, Policy, Situations, Unit, policy_name
from workbench.errors import WorkbenchError, check_whole
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
NOWHERE = "No available feature predicts where they differ."
NEARLY = 0.9  # of the views: from this share on they differ nearly everywhere
NEARLY_EVERYWHERE = "They differ nearly everywhere, and no available feature predicts where they agree."
SAME, OTHERWISE = "the same", "other differences (few users)"
SHOWN = 3  # directions in sentences; the table holds all
# A candidate does what the model does in most of a leaf's views, and in so many more of them than the rule.
MOSTLY, WORTH = 0.5, 0.1
SMALLEST_SHARE = 0.01  # of the views: a smaller leaf is no rule that anyone would keep
OFTEN = 1.5  # a leaf in which they differ so many times as often as in all views is shown
NET = ("net", "net_low", "net_high")
DIRECTIONS = (
    *("direction", "views", "users", "share", "share_low", "share_high", "model_right", "rule_right", "equal"),
    *NET,
    *("contribution", "contribution_low", "contribution_high"),
)


@dataclass(frozen=True)
class Leaf:
    """One leaf of the tree; its figures are of users that the tree was not fitted to.

    Parameters
    ----------
    conditions : Conditions
        None at all for everywhere else.
    way : str
        In which direction they differ there, on the whole.
    doing : str
        What the model does there in most of the views in which they differ so; empty where that is not known.
    action : str
        What the tree as a rule does there; empty: as the rule does.
    coverage : float
        The leaf's share of the views.
    precision : float
        Share of its views in which they differ in its direction.
    net : Interval
        The model's net minus the rule's, for each of its views.
    views, users : int
    unit : Unit
        How net is shown.
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

    Parameters
    ----------
    card : Card
    decision : str
        Its name.
    rule_name : str
    views, users : int
        Views looked at (of measurements those without a signal), and of how many users.
    people : str
        What those are called who are resampled: users, sessions or views.
    share : Interval
        Share of the views in which they differ.
    difference : Interval
        The model's net minus the rule's, over all views.
    directions : DataFrame
        As from :func:`directions_of`.
    leaves : tuple of Leaf
        Of the tree, where they differ in most views first; those where they seldom do are ``elsewhere``.
    elsewhere : Leaf or None
        All other views together; None where these are of fewer than 20 users.
    rule : callable or None
        The tree as a rule, for ``rules=[...]`` of a comparison; None where no leaf is a candidate.
    gains : mapping
        Mean net of a view, on the half that the tree was not fitted to: ``rule over base`` (the tree minus the rule),
        ``model over base``, ``model over rule`` (the model minus the tree). Empty without a rule.
    no_tree : str
        Why there is no leaf; empty where there is one.
    unit : Unit
        How net is shown.
    """

    card: Card
    decision: str
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
        if not self.share.estimate:
            return [self._share_sentence()]
        return [self._share_sentence(), *self._direction_sentences(), self._tree_sentence(), EXPLORATORY]

    def to_frame(self) -> pd.DataFrame:
        """The directions, one row each."""
        return self.directions.set_index("direction")

    def __repr__(self) -> str:
        return f"{self.finding}.\n{self._tree_sentence() if self.rule is None else self.rule}"

    def _repr_html_(self) -> str:
        rest = [self.elsewhere] if self.elsewhere is not None and self.leaves else []
        sentences = [*self.sentences, *(leaf.sentence for leaf in (*self.leaves, *rest)), OFFLINE]
        written = f"<pre>{html.escape(str(self.rule))}</pre>" if self.rule is not None else ""
        return as_html(self.finding, sentences) + written

    def _share_sentence(self) -> str:
        share = self.share
        if not share.estimate:
            return f"Model and rule ({self.rule_name}) do the same in all {self.views:,} views."
        return (
            f"Model and rule ({self.rule_name}) differ in {percent(share.estimate)} of {self.views:,} views "
            f"({percent(share.low)} to {percent(share.high)}); model minus rule over all of them "
            f"{self.unit.span(self.difference)} {self.unit.per_view}."
        )

    def _direction_sentences(self) -> list[str]:
        differing = self.directions[self.directions["direction"] != SAME].head(SHOWN)
        return [
            f"{capital(row['direction'])}: {percent(row['share'])} of the views; the model is right in "
            f"{percent(row['model_right'])} of them, the rule in {percent(row['rule_right'])}; model minus rule there "
            f"{self.unit.span(net_of(row))} {self.unit.per_view}."
            for row in differing.to_dict("records")
        ]

    def _tree_sentence(self) -> str:
        if not self.share.estimate:
            return self._share_sentence()
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
    scenario : object, optional
        Says which decision is meant; default that of the frame's table.
    seed : int
        Of the halves and of the resampling.
    missing_ok : bool
        Whether a refusal comes back as :class:`workbench.explanation.Unavailable`.

    Returns
    -------
    Disagreement

    Raises
    ------
    WorkbenchError
        Where the rule is none or not available on these views, where model, frame and scenario do not belong to one
        decision, or where the views are of fewer than 20 users.
    """
    check_whole("seed", seed, at_least=0)
    if not callable(rule):
        raise WorkbenchError(
            f"expected a rule, which is a callable such as result.best_rule; got {str(rule)[:80]!r}. That of another "
            "policy of a comparison is result.of(name).policy."
        )
    applied = apply_model(model, frame, scenario)
    card, users, people = applied.situations.card, applied.users, applied.people
    reason = applied.decision.why_unavailable(rule, applied.situations)
    if reason:
        raise WorkbenchError(
            f"{card.name}: expected a rule that is available on these views; {policy_name(rule)} is not: {reason}. "
            "Take another, such as result.best_rule."
        )
    check_users(users, people, card, "a contrast of model and rule")
    pair = _compare(applied, rule)
    grows = _half(users, seed)
    share = cluster_interval(pair.differs.astype(float), users, seed=seed)
    too_few = _too_few(pair, grows, people)
    leaves, elsewhere = ((), None) if too_few else find_leaves(pair, grows, applied.unit, seed=seed)
    branches = [(leaf.conditions, leaf.action) for leaf in leaves if leaf.action]
    tree = pair.contrast.entered(branches) if branches else None
    return Disagreement(
        card=card,
        decision=applied.decision.name,
        rule_name=policy_name(rule),
        views=len(users),
        users=len(np.unique(users)),
        people=people,
        share=share,
        difference=cluster_interval(pair.difference, users, seed=seed),
        directions=directions_of(pair.contrast.detail, pair.difference, users, seed=seed),
        leaves=leaves,
        elsewhere=elsewhere,
        rule=tree,
        gains=_gains(applied, pair, tree, ~grows, seed) if tree is not None else {},
        no_tree="" if leaves else too_few or (NEARLY_EVERYWHERE if share.estimate >= NEARLY else NOWHERE),
        unit=applied.unit,
    )


@dataclass(frozen=True)
class Pair:
    """Model and rule on the same views; arrays have shape (rows,).

    ``difference`` is the model's net minus the rule's, ``net_of_rule`` the rule's; ``differs`` whether they act
    differently; ``agrees`` says for each action with a name in which views it does what the model does.
    """

    contrast: Contrast
    users: np.ndarray
    difference: np.ndarray
    net_of_rule: np.ndarray
    agrees: Mapping[str, np.ndarray]

    @property
    def differs(self) -> np.ndarray:
        """Views in which they act differently: bool, shape (rows,)."""
        return self.contrast.way != ""


def _compare(applied: Applied, rule: Policy) -> Pair:
    ours, theirs = applied.ask(), applied.ask(rule)
    contrast = applied.decision.contrast(ours, theirs, rule, applied.situations, applied.scenario)
    net_of_rule = applied.net(theirs)
    agrees = {name: same_answer(ours, answer, applied.situations) for name, answer in contrast.actions.items()}
    return Pair(contrast, applied.users, applied.net(ours) - net_of_rule, net_of_rule, agrees)


def same_answer(one: Any, other: Any, situations: Situations) -> np.ndarray:
    """In which views two answers are the same: bool, shape (rows,).

    An answer is an array with a value a view, or a frame with any number of rows a view, told apart by ``view_id``;
    their order (``rank``) does not count.
    """
    if not isinstance(one, pd.DataFrame):
        return np.asarray(one) == np.asarray(other)
    sums = []
    for answer in (one, other):
        said = answer.drop(columns=["view_id", "rank"], errors="ignore").astype(str).astype(object)
        place = pd.Index(situations.frame["view_id"]).get_indexer(answer["view_id"])
        total = np.zeros(len(situations), np.uint64)
        np.add.at(total, place, pd.util.hash_pandas_object(said, index=False).to_numpy())
        sums.append(total)
    return sums[0] == sums[1]


def _half(users: np.ndarray, seed: int) -> np.ndarray:
    """Views of one half of the users: bool, shape (rows,)."""
    everybody = np.random.default_rng(seed).permutation(np.unique(users))
    return np.isin(users, everybody[: len(everybody) // 2])


def _too_few(pair: Pair, grows: np.ndarray, people: str) -> str:
    """Why no tree can be fitted; empty where one can."""
    if min(len(np.unique(pair.users[pair.differs & half])) for half in (grows, ~grows)) >= FEWEST_USERS:
        return ""
    return f"They differ for too few {people} to say where: a tree needs {FEWEST_USERS} in each of its two halves."


def _gains(applied: Applied, pair: Pair, tree: Policy, unseen: np.ndarray, seed: int) -> dict[str, Interval]:
    """The tree as a rule, beside rule and model."""
    over_base = applied.net(applied.ask(tree)) - pair.net_of_rule
    pairs = {
        "rule over base": over_base,
        "model over base": pair.difference,
        "model over rule": pair.difference - over_base,
    }
    columns = np.column_stack([difference[unseen] for difference in pairs.values()])
    return dict(zip(pairs, cluster_intervals(columns, pair.users[unseen], seed=seed), strict=True))


def directions_of(detail: np.ndarray, difference: np.ndarray, users: np.ndarray, *, seed: int = 0) -> pd.DataFrame:
    """In which direction model and rule differ, how often, who is right, and what it is worth.

    Directions under 20 users are merged, and left out where they are under 20 still. The last row is the views in which
    both do the same: where a decision has an effect on later views, as a prefetch has, these differ in net too.

    Parameters
    ----------
    detail : ndarray of str, shape (rows,)
        The direction; "" where they do the same.
    difference : ndarray of float, shape (rows,)
        The model's net minus the rule's.
    users : ndarray of int, shape (rows,)
    seed : int
        Of the resampling.

    Returns
    -------
    DataFrame
        One row a direction, most views first, none where none has 20 users: ``direction, views, users``; ``share,
        share_low, share_high`` of all views; ``model_right, rule_right, equal`` (shares of its views in which the net
        of one is larger); ``net, net_low, net_high`` (model minus rule, for each of its views); ``contribution,
        contribution_low, contribution_high`` (the same, for each of all views: they add up to the whole difference,
        but for what is left out). Intervals are 95 %, users resampled.
    """
    direction = np.where(detail == "", SAME, detail)
    count = pd.Series(users).groupby(direction).nunique()
    few = count[count < FEWEST_USERS].index.difference([SAME])
    direction = np.where(np.isin(direction, few), OTHERWISE, direction)
    names = [*pd.Series(direction[direction != SAME]).value_counts().index, SAME]
    members = {name: inside for name in names if len(np.unique(users[inside := direction == name])) >= FEWEST_USERS}
    if not members:
        return pd.DataFrame(columns=list(DIRECTIONS))
    inside = np.column_stack(list(members.values()))
    there = [difference[each] for each in members.values()]
    table = pd.DataFrame(
        {
            "direction": list(members),
            "views": inside.sum(axis=0),
            "users": [len(np.unique(users[each])) for each in members.values()],
            "model_right": [(values > 0).mean() for values in there],
            "rule_right": [(values < 0).mean() for values in there],
            "equal": [(values == 0).mean() for values in there],
        }
    )
    bounds = segment_intervals(difference[:, None], users, list(members.values()), seed=seed)
    parts = [
        interval_columns("share", inside, users, seed),
        pd.DataFrame(bounds, columns=list(NET)),
        interval_columns("contribution", difference[:, None] * inside, users, seed),
    ]
    return table.join(parts)[list(DIRECTIONS)]


def find_leaves(pair: Pair, grows: np.ndarray, unit: Unit, *, seed: int = 0) -> tuple[tuple[Leaf, ...], Leaf | None]:
    """Fit the tree, keep the leaves where they differ, and sum up the others.

    The first question is what the rule does; below it grows a tree of its own. A leaf is kept where it is a candidate:
    another action than the rule's is the model's in most of its views, and in a tenth more of them than the rule's; or
    where they differ half as often again as in all views (where they differ in most: agree at most half as often). One
    leaf of all views that is no candidate says nothing.

    Parameters
    ----------
    pair : Pair
    grows : ndarray of bool, shape (rows,)
        Views of the users that the tree is fitted to.
    unit : Unit
    seed : int

    Returns
    -------
    tuple of Leaf
        Where they differ in most views first.
    Leaf or None
        Everywhere else; None where that is of fewer than 20 users.
    """
    users, facts, unseen = pair.users, pair.contrast.facts, ~grows
    overall = float(pair.differs[grows].mean())
    often = min(OFTEN * overall, (1 + overall) / 2)

    def change(inside: np.ndarray) -> tuple[str, str]:
        seen = inside & grows
        if not seen.any():
            return "", ""
        action = _action(pair, seen)
        return action, _way(pair, seen) if action or pair.differs[seen].mean() >= often else ""

    strata = [Among(str(facts.columns[0]), (str(does),)) for does in np.unique(pair.contrast.rule_does.astype(str))]
    found = [leaf for stratum in strata for leaf in _grow(pair, stratum, grows, change, seed)]
    members = [leaf(facts) for leaf in found]
    changes = [change(inside) for inside in members]
    kept = [i for i, (action, way) in enumerate(changes) if action or (way and not members[i].all())]
    rest = np.logical_and.reduce([~members[i] for i in kept]) if kept else np.ones(len(users), bool)
    leaves = [_leaf(pair, found[i], changes[i], members[i], grows, unit, seed) for i in kept]
    leaves.sort(key=lambda leaf: leaf.coverage * leaf.precision, reverse=True)
    if len(np.unique(users[rest & unseen])) < FEWEST_USERS:
        return tuple(leaves), None
    return tuple(leaves), _leaf(pair, Conditions(), ("", ""), rest, grows, unit, seed)


def _grow(pair: Pair, stratum: Condition, grows: np.ndarray, change: Any, seed: int) -> list[Conditions]:
    """Leaves of the tree for views in which the rule does one thing; none where they are of too few users."""
    users, here = pair.users, stratum.holds(pair.contrast.facts)
    if min(len(np.unique(users[here & half])) for half in (grows, ~grows)) < FEWEST_USERS:
        return []

    def change_here(inside: np.ndarray) -> Hashable:
        everywhere = np.zeros(len(users), bool)
        everywhere[here] = inside
        return change(everywhere)

    size = max(FEWEST_USERS, int(SMALLEST_SHARE * grows.sum()))
    facts, way = pair.contrast.facts[here].reset_index(drop=True), pair.contrast.way[here]
    leaves = grow_leaves(facts, way, users[here], grows[here], size=size, change=change_here, seed=seed)
    return [Conditions((stratum, *leaf)) for leaf in leaves]


def _action(pair: Pair, inside: np.ndarray) -> str:
    """What matches the model most often in these views; empty where that is seldom, or hardly more than the rule."""
    agreement = {name: float(same[inside].mean()) for name, same in pair.agrees.items()}
    best = max(agreement, key=lambda name: agreement[name])
    rules = float((~pair.differs[inside]).mean())
    return best if agreement[best] >= max(MOSTLY, rules + WORTH) else ""


def _way(pair: Pair, inside: np.ndarray) -> str:
    """In which direction they differ in most of these views; empty where they never do."""
    ways = pd.Series(pair.contrast.way[inside & pair.differs]).value_counts()
    return str(ways.index[0]) if len(ways) else ""


def _leaf(  # noqa: PLR0917 - all of a leaf
    pair: Pair,
    conditions: Conditions,
    change: tuple[str, str],
    inside: np.ndarray,
    grows: np.ndarray,
    unit: Unit,
    seed: int,
) -> Leaf:
    (action, way), unseen = change, inside & ~grows
    there = unseen & ((pair.contrast.way == way) if way else pair.differs)
    most = pd.Series(pair.contrast.detail[inside & grows & (pair.contrast.way == way)]).value_counts()
    doing = str(most.index[0]) if way and len(most) else ""
    return Leaf(
        conditions=conditions,
        way=way,
        doing="" if doing == way else doing,
        action=action,
        coverage=float(unseen.sum() / (~grows).sum()),
        precision=float(there.sum() / unseen.sum()),
        net=cluster_interval(pair.difference[unseen], pair.users[unseen], seed=seed),
        views=int(unseen.sum()),
        users=len(np.unique(pair.users[unseen])),
        unit=unit,
    )
