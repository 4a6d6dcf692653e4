"""Why model and rule disagree: how often, who is right, and a shallow tree of where.

The tree is shown what may be known of a view and what both policies do, never what came of it: it tells where they
disagree, not where that pays. What it pays is told on users that the tree did not see, and the tree is itself a rule
that can be entered into a comparison.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.splits import FEWEST_USERS, card_of
from workbench.decisions.decision import policy_name
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError, check_whole
from workbench.evidence.bootstrap import Interval, cluster_interval, cluster_intervals
from workbench.explanation.acting import ImagesActing, PagesActing, act_on
from workbench.explanation.parting_leaves import Leaf, find_leaves
from workbench.explanation.parting_rule import Policy
from workbench.explanation.parting_tables import directions_of, separating_features
from workbench.explanation.parting_views import Parting, side_by_side
from workbench.explanation.parting_words import (
    direction_sentences,
    finding_of,
    leaf_sentences,
    separating_sentences,
    share_sentence,
    tree_sentence,
)
from workbench.studies import image_stage, prefetch_stage
from workbench.studies.comparison import Unit
from workbench.studies.image_stage import Views
from workbench.studies.prefetch_stage import PrefetchViews
from workbench.studies.wording import OFFLINE

EXPLORATORY = (
    "Exploratory: no verdict rests on this, and its views are not those of the verdict (on validation, limits were "
    "tuned and the best rule was picked). The tree saw what may be known and what both do, not what came of it."
)
NOWHERE = "Nothing that a policy may know tells where they disagree."
NEARLY = 0.9  # of the views: from this share on they disagree nearly everywhere
NEARLY_EVERYWHERE = "They disagree nearly everywhere, and nothing that a policy may know tells where they agree."


@dataclass(frozen=True)
class Disagreement:
    """Where model and rule disagree, which is to act differently, and what that is worth.

    Parameters
    ----------
    card : Card
    decision : str
        ``image`` or ``prefetch``.
    rule_name : str
    views, users : int
        Views looked at (of images those without a signal), and whose they are.
    people : str
        What those are called who are resampled: users, sessions or views.
    share : Interval
        Share of the views in which they disagree.
    difference : Interval
        The model's net minus the rule's, over all views.
    directions, separating : DataFrame
        As from :mod:`workbench.explanation.parting_tables`.
    leaves : tuple of Leaf
        Of the tree, where they disagree in most views first; those where they seldom do are ``elsewhere``.
    elsewhere : Leaf or None
        All other views together; None where these are of fewer than 20 users.
    rule : callable or None
        The tree as a rule, for ``rules=[...]`` of a comparison; None where no leaf is a candidate.
    gains : mapping
        Mean net of a view, on the half that the tree did not grow on: ``rule over base`` (the tree minus the rule),
        ``model over base``, ``model over rule`` (the model minus the tree). Empty without a rule.
    no_tree : str
        Why there is no leaf; empty where there is one.
    unit : Unit
        How the net is told.
    """

    card: Card = field(repr=False)
    decision: str
    rule_name: str
    views: int
    users: int
    people: str
    share: Interval
    difference: Interval
    directions: pd.DataFrame = field(repr=False)
    separating: pd.DataFrame = field(repr=False)
    leaves: tuple[Leaf, ...] = field(repr=False)
    elsewhere: Leaf | None = field(repr=False)
    rule: Policy | None = field(repr=False)
    gains: Mapping[str, Interval] = field(repr=False)
    no_tree: str
    unit: Unit = field(repr=False)

    @property
    def finding(self) -> str:
        """In one line, how often they disagree, and in which direction most."""
        return finding_of(self)

    @property
    def sentences(self) -> list[str]:
        """How often they disagree, who is right, what the tree brings as a rule, what separates; not the leaves."""
        if not self.share.estimate:
            return [share_sentence(self)]
        told = [share_sentence(self), *direction_sentences(self), tree_sentence(self), *separating_sentences(self)]
        return [*filter(None, told), EXPLORATORY]

    @property
    def written(self) -> str:
        """The tree as a rule, line by line as one would write it down; a sentence where there is none."""
        if not self.share.estimate:
            return share_sentence(self)
        return tree_sentence(self) if self.rule is None else str(self.rule)

    def __str__(self) -> str:
        return "\n".join([*self.sentences, *leaf_sentences(self), OFFLINE])

    def _repr_html_(self) -> str:
        first, *rest = self.sentences
        items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in [*rest, *leaf_sentences(self), OFFLINE])
        written = f"<pre>{html.escape(str(self.rule))}</pre>" if self.rule is not None else ""
        return f"<p><strong>{html.escape(first)}</strong></p>{f'<ul>{items}</ul>' if items else ''}{written}"


def disagreement(
    model: Any,
    rule: Policy,
    frame: pd.DataFrame,
    *,
    scenario: ImageScenario | PrefetchScenario | None = None,
    seed: int = 0,
) -> Disagreement:
    """Find out where and why a model and a rule disagree: where they act differently.

    A decision tree (scikit-learn: depth 3, leaves of 20 users and more) grows on one half of the users, drawn by seed,
    to tell in which direction they disagree; coverage, precision and net of its leaves are told on the other half. It
    sees what a policy may know and what both do, never an outcome.

    Parameters
    ----------
    model : NetworkQuality or NextPage, or a policy that holds one
        A model acts at the declared price; the policy of a comparison, ``result.of("model").policy``, by its limit.
    rule : callable
        Such as ``result.best_rule``.
    frame : DataFrame
        Canonical, with its card, such as ``split.validation``; not the test part, which is read once.
    scenario : ImageScenario or PrefetchScenario, optional
        Default that of the decision.
    seed : int
        Of the halves, of the views explained, of the resampling.

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
    at_work = act_on(model, frame, scenario)
    _check_available(rule, at_work)
    users, people = at_work.users, at_work.people
    _check_enough(users, people, at_work.frame)
    parting = side_by_side(at_work, rule)
    share = cluster_interval(parting.parts.astype(float), users, seed=seed)
    grows = _half(users, seed)
    why_not = _too_few(parting, grows, people)
    leaves, elsewhere = ((), None) if why_not else find_leaves(parting, grows, seed=seed)
    branches = tuple((leaf.conditions, leaf.action) for leaf in leaves if leaf.action)
    tree = parting.rule_of(branches) if branches else None
    return Disagreement(
        card=card_of(frame),
        decision="image" if isinstance(at_work, ImagesActing) else "prefetch",
        rule_name=policy_name(rule),
        views=len(users),
        users=len(np.unique(users)),
        people=people,
        share=share,
        difference=cluster_interval(parting.difference, users, seed=seed),
        directions=directions_of(parting, seed=seed),
        separating=separating_features(parting, seed=seed),
        leaves=leaves,
        elsewhere=elsewhere,
        rule=tree,
        gains=_gains(parting, tree, ~grows, seed) if tree is not None else {},
        no_tree="" if leaves else why_not or (NEARLY_EVERYWHERE if share.estimate >= NEARLY else NOWHERE),
        unit=at_work.unit,
    )


def _check_available(rule: Policy, at_work: ImagesActing | PagesActing) -> None:
    if isinstance(at_work, ImagesActing):
        views = Views(at_work.frame, at_work.context, at_work.outcomes, at_work.users)
        reason = image_stage.why_not(rule, views, at_work.model.known_by)
    else:
        reason = prefetch_stage.why_not(rule, PrefetchViews(at_work.frame, at_work.context, at_work.users))
    if reason:
        raise WorkbenchError(
            f"{card_of(at_work.frame).name}: expected a rule that is available on these views; {policy_name(rule)} is "
            f"not: {reason}. Take another, such as result.best_rule."
        )


def _check_enough(users: np.ndarray, people: str, frame: pd.DataFrame) -> None:
    found = len(np.unique(users))
    if found < FEWEST_USERS:
        raise WorkbenchError(
            f"{card_of(frame).name}: expected views of {FEWEST_USERS} {people} or more, to tell where model and rule "
            f"disagree; these are of {found}. Take a larger part, or load more rows."
        )


def _half(users: np.ndarray, seed: int) -> np.ndarray:
    """Views of one half of the users: bool, shape (rows,)."""
    everybody = np.random.default_rng(seed).permutation(np.unique(users))
    return np.isin(users, everybody[: len(everybody) // 2])


def _too_few(parting: Parting, grows: np.ndarray, people: str) -> str:
    """Why no tree can grow; empty where one can."""
    users, parts = parting.acting.users, parting.parts
    if min(len(np.unique(users[parts & half])) for half in (grows, ~grows)) >= FEWEST_USERS:
        return ""
    return (
        f"They disagree for too few {people} to say where: a tree needs {FEWEST_USERS} of them in each of its "
        "two halves."
    )


def _gains(parting: Parting, tree: Policy, told: np.ndarray, seed: int) -> dict[str, Interval]:
    """The tree as a rule, entered beside rule and model."""
    at_work = parting.acting
    net_of_tree = at_work.net(at_work.ask(tree))
    pairs = {
        "rule over base": net_of_tree - parting.net_of_rule,
        "model over base": parting.difference,
        "model over rule": parting.net_of_model - net_of_tree,
    }
    columns = np.column_stack([difference[told] for difference in pairs.values()])
    return dict(zip(pairs, cluster_intervals(columns, at_work.users[told], seed=seed), strict=True))
