"""Which features matter: how far each moves the answer (SHAP), beside what decisions lose without it (net)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.splits import FEWEST_USERS, card_of
from workbench.decisions.images.rules import ImagePolicy
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.prefetch.rules import PrefetchPolicy
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import LEVEL, bootstrap_means, cluster_intervals
from workbench.explanation.acting import ImagesActing, PagesActing, act_on
from workbench.explanation.importance_words import NAMED, to_finding, to_html, to_missed, to_sentences, to_text
from workbench.explanation.permuted_net import Lost, net_lost
from workbench.explanation.shap_by_feature import THE_QUESTION, shap_values
from workbench.models import NetworkQuality, NextPage
from workbench.studies.comparison import Unit

# What a reader takes along; beyond it features are weak, and pairs of weak ones take any number of rows to tell apart.
TOP = NAMED
FIRST_ROWS = 1_000  # doubled until the order is settled or no rows are left
# An order still open then is one of features that matter alike; more take time, and memory, to say just that.
MOST_ROWS = 50_000
REPLAYED_VIEWS = 3_000  # decided again for each feature: more take minutes
REPEATS = 2  # views vary more than permutations do, and each costs all decisions anew


@dataclass(frozen=True)
class Importance:
    """The features of a model, by how far they move its answer, and what its decisions lose without them.

    Parameters
    ----------
    table : DataFrame
        One row a feature, the strongest first: ``feature``; ``shap, shap_low, shap_high``, mean size of its SHAP
        values, log-odds; ``net, net_low, net_high``, net lost a view with the feature permuted (in net; times
        ``unit.factor`` as it is told); ``turned``, the share of views in which another decision is taken then. The
        question itself, which no column holds, stands last, without a net.
    question : str
        What the SHAP values explain.
    rows, users : int
        How many views and users the SHAP values rest on; users are sessions, or views, where ``people`` says so.
    left_out : int
        How many views were not drawn.
    looks : int
        How often it was asked whether the order is settled, each time with more views.
    settled : bool
        Whether the order of the first features by SHAP, five at most, is settled.
    open_pairs : tuple of (str, str)
        Neighbours in it that could not be told apart.
    replayed, replayed_users : int
        How many views, and of how many users, were decided anew.
    unit : Unit
        How net is told.
    people : str
        What those are called who were resampled.
    card : Card
    """

    table: pd.DataFrame = field(repr=False)
    question: str
    rows: int
    users: int
    left_out: int
    looks: int
    settled: bool
    open_pairs: tuple[tuple[str, str], ...]
    replayed: int
    replayed_users: int
    unit: Unit
    people: str
    card: Card = field(repr=False)

    @property
    def missed(self) -> tuple[str, ...]:
        """Features that cost net beyond noise where they are permuted, costliest first.

        Heading, sentences and picture go by the same test,
        :func:`workbench.explanation.importance_words.beyond_noise`.
        """
        return to_missed(self)

    @property
    def finding(self) -> str:
        """In one line, what decisions cannot do without."""
        return to_finding(self)

    @property
    def sentences(self) -> list[str]:
        """The finding in plain words, and what it means where the two orders differ."""
        return to_sentences(self)

    def __str__(self) -> str:
        return to_text(self)

    def _repr_html_(self) -> str:
        return to_html(self)


@dataclass(frozen=True)
class _Strength:
    """Sizes of SHAP values of some views, shape (views, features), and whose they are; how they were drawn."""

    question: str
    features: list[str]
    sizes: np.ndarray
    users: np.ndarray
    looks: int = 1
    left_out: int = 0

    def open_pairs(self, seed: int) -> tuple[tuple[str, str], ...]:
        """Neighbours among the first five, the sixth included, that swap places in more than 5 % of the resamples."""
        means = bootstrap_means(self.sizes, self.users, seed=seed)
        strength = self.sizes.mean(axis=0)
        order = [i for i in np.argsort(-strength) if strength[i] > 0 and self.features[i] != THE_QUESTION][: TOP + 1]
        return tuple(
            (self.features[one], self.features[other])
            for one, other in pairwise(order)
            if (means[:, one] > means[:, other]).mean() < LEVEL
        )


def importance(
    model: NetworkQuality | NextPage | ImagePolicy | PrefetchPolicy,
    frame: pd.DataFrame,
    *,
    scenario: ImageScenario | PrefetchScenario | None = None,
    quantity: str | None = None,
    seed: int = 0,
) -> Importance:
    """Rank features by how far they move the answer, and tell what decisions lose without each.

    SHAP: mean size of the values of :func:`workbench.explanation.shap_values`, with intervals over users. Whole users
    are drawn, 1,000 views of them, then twice as many, until the order of the first five features is settled: each is
    ahead of the next one in at least 95 % of 2,000 resamples of users. Each look is one more chance to call an order
    settled that is not: the 95 % are those of one look, and the result says at which look they were reached (the
    seventh is the last). Where the order is still open when no views are left, or at about 50,000, the result names
    those that could not be told apart.

    Net: how much a view's net falls where the feature is permuted and the policy decides again
    (:func:`workbench.explanation.permuted_net.net_lost`), on about 3,000 views at most (whole users, 20 at least), the
    mean of 2 permutations, with intervals over users, paired by view (they tell how other users would differ, not
    other permutations); and the share of views in which another decision is taken. The policy acts at the declared
    price, or by its own limit.

    Both say what this model does with what it was given, and neither what would become of a model trained without the
    feature. Exploratory: there is no verdict, and among many intervals some miss.

    Parameters
    ----------
    model : NetworkQuality or NextPage, or a policy that holds one
        Such as ``result.model``, or ``result.of("model").policy``.
    frame : DataFrame
        Canonical measurements or navigations (whole sessions), with their card, such as ``split.validation``. Of images
        those views count that come without a signal.
    scenario : ImageScenario or PrefetchScenario, optional
        Default that of the decision.
    quantity : str, optional
        Measured quantity that the SHAP values ask about; see :func:`workbench.explanation.shap_values`.
    seed : int
        Of the draws, the permutations and the resamples.

    Returns
    -------
    Importance

    Raises
    ------
    WorkbenchError
        Where model, frame and scenario do not belong to one decision, the frame carries no card, or no view is
        without a signal; where the views that count are of fewer than 20 users.
    """
    at_work = act_on(model, frame, scenario)
    _check_crowd(at_work)
    strength, open_pairs = _settle(at_work, quantity, seed)
    replayed = act_on(model, at_work.frame[_draw(at_work.users, seed)], scenario)
    lost = net_lost(replayed, REPEATS, seed)
    return Importance(
        table=_table(strength, lost, replayed.users, seed),
        question=strength.question,
        rows=len(strength.sizes),
        users=len(np.unique(strength.users)),
        left_out=strength.left_out,
        looks=strength.looks,
        settled=not open_pairs,
        open_pairs=open_pairs,
        replayed=len(replayed.frame),
        replayed_users=len(np.unique(replayed.users)),
        unit=at_work.unit,
        people=at_work.people,
        card=card_of(frame),
    )


def _check_crowd(at_work: ImagesActing | PagesActing) -> None:
    crowd = len(np.unique(at_work.users))
    if crowd < FEWEST_USERS:
        raise WorkbenchError(
            f"importance resamples whole {at_work.people}, so it expected views of at least {FEWEST_USERS}; got "
            f"{len(at_work.frame):,} views of {crowd}. Pass a larger part, such as split.validation, or load more rows."
        )


def _settle(
    at_work: ImagesActing | PagesActing, quantity: str | None, seed: int
) -> tuple[_Strength, tuple[tuple[str, str], ...]]:
    """Explain more and more views until the order of the first features is settled."""
    sizes: list[np.ndarray] = []
    users: list[np.ndarray] = []
    left = len(at_work.users)
    for look, rows in enumerate(_growing_batches(at_work.users, seed), start=1):
        left -= int(rows.sum())
        part = at_work.frame[rows].reset_index(drop=True)
        told = shap_values(at_work.model, part, quantity=quantity, scenario=at_work.scenario, views=len(part))
        sizes.append(abs(told.values))
        users.append(at_work.users[rows][told.index])
        found = _Strength(
            told.output_names, list(told.feature_names), np.vstack(sizes), np.concatenate(users), look, left
        )
        open_pairs = found.open_pairs(seed)
        if not open_pairs and len(np.unique(found.users)) >= FEWEST_USERS:
            break
    return found, open_pairs


def _growing_batches(users: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Rows of whole users that come next: about 1,000, then as many again as there were, until 50,000 or the last."""
    place, total = _in_turn(users, seed)
    last = _first_places(total, MOST_ROWS)
    begun, wanted = 0, FIRST_ROWS
    while begun < last:
        until = min(last, max(begun + 1, _first_places(total, wanted)))
        yield (begun <= place) & (place < until)
        begun, wanted = until, 2 * wanted


def _draw(users: np.ndarray, seed: int) -> np.ndarray:
    """Rows of whole users that are decided again."""
    place, total = _in_turn(users, seed)
    return place < _first_places(total, REPLAYED_VIEWS)


def _in_turn(users: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The place of each row's user in an order drawn by seed, and how many rows the users up to each place have."""
    _, codes = np.unique(users, return_inverse=True)
    place = np.random.default_rng(seed).permutation(codes.max() + 1)[codes]
    return place, np.cumsum(np.bincount(place))


def _first_places(total: np.ndarray, rows: int) -> int:
    """How many users have about so many rows at most, or 20, where a few have more."""
    return min(len(total), max(FEWEST_USERS, int(np.searchsorted(total, rows, side="right"))))


def _table(strength: _Strength, lost: Lost, users: np.ndarray, seed: int) -> pd.DataFrame:
    """Both intervals of each feature, by SHAP; the question itself last."""
    moved = _intervals("shap", strength.features, strength.sizes, strength.users, seed)
    cost = _intervals("net", lost.features, lost.net, users, seed).assign(turned=lost.turned.mean(axis=0))
    table = moved.join(cost, how="outer").reset_index(names="feature")
    # What no tree of the question asks for does not move it, and what no tree at all asks for can be permuted at no
    # cost; the question itself is no column, and cannot be permuted.
    last = table["feature"] == THE_QUESTION
    table = table.fillna(dict.fromkeys(table.columns[1:], 0.0))
    table.loc[last, ["net", "net_low", "net_high", "turned"]] = np.nan
    order = table.assign(last=last).sort_values(["last", "shap", "net"], ascending=[True, False, False]).index
    return table.loc[order].reset_index(drop=True)


def _intervals(name: str, features: list[str], values: np.ndarray, users: np.ndarray, seed: int) -> pd.DataFrame:
    found = cluster_intervals(values, users, seed=seed) if features else []
    rows = [(interval.estimate, interval.low, interval.high) for interval in found]
    return pd.DataFrame(rows, index=features, columns=[name, f"{name}_low", f"{name}_high"], dtype=float)
