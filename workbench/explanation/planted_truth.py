"""What a simulation says of the question that SHAP values explain: the true log-odds, and each feature's true share."""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.synthetic_network import true_chance_worse
from workbench.datasets.synthetic_site import true_next_chances
from workbench.models import NextPage

# All that the simulated network depends on, given the first request; other columns only go along with these.
LAW = ("asn", "local_hour", "os_family")
# Features that nothing else in the context stands in for: a model cannot credit others with what they say.
OF_ITS_OWN = ("local_hour", "os_family")
FLOOR = 1e-3  # chances below it count as it: log-odds of what is impossible have no end
EVERY_PAGE = 1_000


def true_log_odds(context: pd.DataFrame, card: Card, quantity: str, edge: float) -> np.ndarray | None:
    """True log-odds that a quantity is worse than an edge, given the first request: float, shape (rows,).

    None where the data are not those of the simulated network, or lack what its law needs. What a user's earlier
    views tell is averaged over: a model that knows the history may know more.
    """
    if card.generator != "synthetic_network" or not _has_law(context):
        return None
    chance = true_chance_worse(context, quantity, np.array([edge]), seed=_seed(card), planted=_planted(card))
    return _log_odds(chance[:, 0])


def true_push(context: pd.DataFrame, card: Card, quantity: str, edge: float, column: str) -> np.ndarray | None:
    """True share of a column in the log-odds, on the scale of SHAP values: float, shape (rows,).

    The Shapley value of the true log-odds as a function of ASN, local hour and operating system, the columns that are
    left open drawn together from the rows themselves (Lundberg & Lee 2017; Janzing et al. 2020 for drawing them
    whatever the others are). TreeSHAP, which lets trees weigh what is left open, may differ a little.

    None where there is no truth, or no single one: what the network says is shared by a model among ASN, provider,
    country, region and city, in a way that the law does not fix; and only hour and system stand for themselves.
    """
    if column not in OF_ITS_OWN or card.generator != "synthetic_network" or not _has_law(context):
        return None
    codes, values = zip(*(pd.factorize(context[name], sort=True) for name in LAW), strict=True)
    sizes = tuple(map(len, values))
    grid = pd.MultiIndex.from_product(values, names=LAW).to_frame(index=False)
    truth = true_log_odds(grid, card, quantity, edge)
    assert truth is not None
    weights = np.bincount(np.ravel_multi_index(codes, sizes), minlength=int(np.prod(sizes))).reshape(sizes)
    share = _shapley(truth.reshape(sizes), weights / weights.sum(), LAW.index(column))
    return share[codes]


def true_next_log_odds(context: pd.DataFrame, card: Card, model: NextPage) -> np.ndarray | None:
    """True log-odds that the model's first choice is the next page: float, shape (views,).

    Known are the page, the one before, how long that was looked at, device and hour; habits are averaged over people,
    so a model that knows the history may know more. Chances under 0.001 count as that. None where the data are not
    those of the simulated site.
    """
    if card.generator != "synthetic_site":
        return None
    first = model.next_pages(context, 1)[["view_id", "page"]].astype({"page": str})
    chances = true_next_chances(context, card.generate, EVERY_PAGE)
    found = first.merge(chances, on=["view_id", "page"], how="left").set_index("view_id")["chance"]
    return _log_odds(found.reindex(context["view_id"]).fillna(0.0).to_numpy(float))


def _shapley(values: np.ndarray, weights: np.ndarray, player: int) -> np.ndarray:
    """Shapley value of one axis of a table of values; open axes are averaged by their joint weights."""
    axes = range(values.ndim)
    share = np.zeros(values.shape)
    for order in permutations(axes):
        before = order[: order.index(player)]
        share += _known(values, weights, (*before, player)) - _known(values, weights, before)
    return share / factorial(values.ndim)


def _known(values: np.ndarray, weights: np.ndarray, known: tuple[int, ...]) -> np.ndarray:
    """Mean of the values where only some axes are known, the others drawn together whatever those are."""
    if len(known) == values.ndim:
        return values
    left = tuple(axis for axis in range(values.ndim) if axis not in known)
    joint = weights.sum(axis=known, keepdims=True)
    return np.broadcast_to((values * joint).sum(axis=left, keepdims=True), values.shape)


def _has_law(context: pd.DataFrame) -> bool:
    return all(name in context and bool(context[name].notna().all()) for name in LAW)


def _log_odds(chance: np.ndarray) -> np.ndarray:
    chance = chance.clip(FLOOR, 1 - FLOOR)
    return np.log(chance / (1 - chance))


def _seed(card: Card) -> int:
    return int(card.generate.get("seed", 0))


def _planted(card: Card) -> bool:
    return bool(card.generate.get("planted", True))
