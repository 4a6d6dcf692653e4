"""The leaves of a tree of disagreement: grown on one half of the users, told on the other, candidates for a rule."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from workbench.datasets.splits import FEWEST_USERS
from workbench.evidence.bootstrap import Interval
from workbench.evidence.segments import segment_intervals
from workbench.explanation.parting_conditions import Condition, Conditions, belongs, in_words
from workbench.explanation.parting_facts import UNKNOWN
from workbench.explanation.parting_rule import Action, action_in_words
from workbench.explanation.parting_tree import grow_leaves
from workbench.explanation.parting_views import SAME, Parting
from workbench.explanation.parting_words import leaf_sentence
from workbench.explanation.shap_by_feature import READABLE
from workbench.studies.comparison import Unit

# A candidate does what the model does in most of a leaf's views, and in so many more of them than the rule.
MOSTLY, WORTH = 0.5, 0.1
SMALLEST_SHARE = 0.01  # of the views: a smaller leaf is no rule that anyone would keep
OFTEN = 1.5  # a leaf in which they disagree so many times as often as in all views is told


@dataclass(frozen=True)
class Leaf:
    """One leaf of the tree; its figures are of the users that the tree did not grow on.

    Parameters
    ----------
    conditions : tuple of Condition
        None at all for "everywhere else".
    way : str
        In which direction they disagree there, on the whole.
    doing : str
        What the model does there in most of the views in which they disagree so; empty where that is not told.
    action : str, tuple of str or None
        What the tree as a rule does there; None: as the rule does.
    coverage : float
        The leaf's share of the views.
    precision : float
        Share of its views in which they disagree in its direction.
    net : Interval
        The model's net minus the rule's, for each of its views.
    views, users : int
    unit : Unit
        How the net is told.
    """

    conditions: Conditions
    way: str
    doing: str
    action: Action | None
    coverage: float
    precision: float
    net: Interval
    views: int
    users: int
    unit: Unit = field(repr=False)

    @property
    def condition(self) -> str:
        """Its conditions as a phrase."""
        return in_words(self.conditions)

    @property
    def sentence(self) -> str:
        """Where, how often, in which direction, and what it is worth."""
        return leaf_sentence(self)

    @property
    def as_rule(self) -> str:
        """The leaf as one would write it down; empty where it is no candidate."""
        return f"if {in_words(self.conditions, None)}: {action_in_words(self.action)}" if self.action else ""


def find_leaves(parting: Parting, grows: np.ndarray, *, seed: int = 0) -> tuple[tuple[Leaf, ...], Leaf | None]:
    """Grow the tree, keep the leaves where they disagree, and sum up the others.

    A leaf is kept where it is a candidate: another action than the rule's is the model's in most of its views, and in a
    tenth more of them than the rule's; or where they disagree half as often again as in all views (where they disagree
    in most: agree at most half as often). One leaf of all views that is no candidate tells nothing.

    Parameters
    ----------
    parting : Parting
    grows : ndarray of bool, shape (rows,)
        Views of the users that the tree grows on.
    seed : int

    Returns
    -------
    tuple of Leaf
        Where they disagree in most views first.
    Leaf or None
        Everywhere else; None where that is of fewer than 20 users.
    """
    users, told = parting.acting.users, ~grows
    often = _often(parting.parts[grows].mean())

    def change(inside: np.ndarray) -> tuple[Action | None, str]:
        seen = inside & grows
        if not seen.any():
            return None, ""
        action = _action(parting, seen)
        return action, _way(parting, seen) if action or parting.parts[seen].mean() >= often else ""

    found = [leaf for stratum in parting.strata for leaf in _grow(parting, stratum, grows, change, seed)]
    members = [belongs(conditions, parting.facts) for conditions in found]
    changes = [change(inside) for inside in members]
    kept = [i for i, (action, way) in enumerate(changes) if action or (way and not members[i].all())]
    rest = np.logical_and.reduce([~members[i] for i in kept]) if kept else np.ones(len(users), bool)
    sets = [*(members[i] for i in kept), *([rest] if len(np.unique(users[rest & told])) >= FEWEST_USERS else [])]
    bounds = segment_intervals(
        parting.difference[told, None], users[told], [inside[told] for inside in sets], seed=seed
    )
    leaves = [
        _leaf(parting, found[i], changes[i], inside=members[i], grows=grows, bounds=bounds[place])
        for place, i in enumerate(kept)
    ]
    leaves.sort(key=lambda leaf: leaf.coverage * leaf.precision, reverse=True)
    elsewhere = (
        _leaf(parting, (), (None, ""), inside=rest, grows=grows, bounds=bounds[-1]) if len(sets) > len(kept) else None
    )
    return tuple(leaves), elsewhere


def _grow(
    parting: Parting, stratum: Condition, grows: np.ndarray, change: Callable[[np.ndarray], Hashable], seed: int
) -> list[Conditions]:
    """Leaves of the tree for views in which the rule does one thing; none where they are of too few users."""
    users, here = parting.acting.users, stratum.holds(parting.facts)
    if min(len(np.unique(users[here & half])) for half in (grows, ~grows)) < FEWEST_USERS:
        return []

    def change_here(inside: np.ndarray) -> Hashable:
        everywhere = np.zeros(len(users), bool)
        everywhere[here] = inside
        return change(everywhere)

    size = max(FEWEST_USERS, int(SMALLEST_SHARE * grows.sum()))
    facts, way = _asked(parting.facts[here]).reset_index(drop=True), parting.way[here]
    leaves = grow_leaves(facts, way, users[here], grows[here], size=size, change=change_here, same=SAME, seed=seed)
    return [(stratum, *leaf) for leaf in leaves]


def _asked(facts: pd.DataFrame) -> pd.DataFrame:
    """All facts but the number of a network that has a name."""
    provider, number = (READABLE[name] for name in ("isp", "asn"))
    named = provider in facts and (facts[provider] != UNKNOWN).any()
    return facts.drop(columns=number, errors="ignore") if named else facts


def _often(overall: float) -> float:
    """Share of a leaf's views from which it is told, where they disagree in this share of all.

    Examples
    --------
    >>> _often(0.25), _often(0.8)
    (0.375, 0.9)
    """
    return min(OFTEN * overall, (1 + overall) / 2)


def _action(parting: Parting, inside: np.ndarray) -> Action | None:
    """What agrees most often with the model in these views; None where that is seldom, or hardly more than the rule."""
    ours = parting.ours[inside]
    agreement = {name: float((does[inside] == ours).mean()) for name, does in parting.nameable(inside).items()}
    best = max(agreement, key=lambda name: agreement[name])
    rules = float((parting.theirs[inside] == ours).mean())
    return best if agreement[best] >= max(MOSTLY, rules + WORTH) else None


def _way(parting: Parting, inside: np.ndarray) -> str:
    """In which direction they disagree in most of these views; empty where they never do."""
    ways = pd.Series(parting.way[inside & parting.parts]).value_counts()
    return str(ways.index[0]) if len(ways) else ""


def _leaf(
    parting: Parting,
    conditions: Conditions,
    change: tuple[Action | None, str],
    *,
    inside: np.ndarray,
    grows: np.ndarray,
    bounds: np.ndarray,
) -> Leaf:
    action, way = change
    told, users = inside & ~grows, parting.acting.users
    there = told & ((parting.way == way) if way else parting.parts)
    most = pd.Series(parting.direction[inside & grows & (parting.way == way)]).value_counts()
    estimate, low, high = map(float, bounds)
    return Leaf(
        conditions=conditions,
        way=way,
        doing=str(most.index[0]) if len(most) and most.index[0] != way else "",
        action=action,
        coverage=float(told.sum() / (~grows).sum()),
        precision=float(there.sum() / told.sum()),
        net=Interval(estimate, low, high, len(np.unique(users[told]))),
        views=int(told.sum()),
        users=len(np.unique(users[told])),
        unit=parting.acting.unit,
    )
