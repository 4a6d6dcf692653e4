"""Which features say the same: rank correlations of what the trees see, and groups of those that go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from workbench.datasets.splits import Split, sample_users
from workbench.errors import WorkbenchError
from workbench.explanation.shap_by_feature import readable
from workbench.explanation.shap_next_page import SHOWN, source_of
from workbench.models import NetworkQuality, NextPage

# Half of the variance of the ranks is shared from here on: 0.7 squared is 0.49.
ALIKE = 0.7
VIEWS_DESCRIBED = 4_000  # of a next-page model, about 20 pairs each
FEWEST_ROWS = 50  # in which both features have a value; from fewer, nothing is said about a pair


@dataclass(frozen=True)
class Groups:
    """Features, how alike they are, and how they fall into groups.

    Parameters
    ----------
    features : tuple of str
        As a reader knows them.
    correlation : ndarray of float, shape (features, features)
        Size of Spearman's rank correlation.
    tree : ndarray of float, shape (features - 1, 4)
        scipy's linkage (complete) on 1 minus the correlation.
    alike : float
        Where the tree is cut: every two features of a group correlate at least so much.
    groups : tuple of tuple of str
        Those of two features and more, the largest first.
    """

    features: tuple[str, ...]
    correlation: np.ndarray
    tree: np.ndarray
    alike: float
    groups: tuple[tuple[str, ...], ...]


def group_features(split: Split, model: NetworkQuality | NextPage, alike: float = ALIKE, seed: int = 0) -> Groups:
    """Group the features that say the same on ``train``.

    Spearman's correlation of the numbers that stand for the features (:func:`reader_numbers`), over the rows in which
    both have one, its sign left aside; where fewer than 50 rows have both, none is assumed. Of a model with two
    measured quantities, the smaller correlation counts: features are alike where they are so for both. Groups come
    from hierarchical clustering with complete linkage (scipy), cut so that every two members correlate at least
    ``alike``.

    Raises
    ------
    WorkbenchError
        Where ``alike`` is not between 0 and 1, or the model has fewer than two features.
    """
    if not 0 < alike < 1:
        raise WorkbenchError(f"alike must be a correlation between 0 and 1, such as {ALIKE:g}; got {alike!r}.")
    views = reader_numbers(split, model, seed)
    features = tuple(next(iter(views.values())))
    if len(features) < 2:
        raise WorkbenchError("redundancy is found among two features and more; the model has fewer.")
    found = [numbers.corr(method="spearman", min_periods=FEWEST_ROWS) for numbers in views.values()]
    correlation = np.minimum.reduce([each.fillna(0).abs().to_numpy() for each in found])
    np.fill_diagonal(correlation, 1.0)
    tree = linkage(squareform(1 - correlation.clip(max=1.0), checks=False), method="complete")
    of = fcluster(tree, 1 - alike, criterion="distance")
    members = (tuple(name for name, group in zip(features, of, strict=True) if group == each) for each in np.unique(of))
    groups = sorted((group for group in members if len(group) > 1), key=lambda group: (-len(group), group))
    return Groups(features, correlation, tree, alike, tuple(groups))


def representative(members: tuple[str, ...], groups: Groups) -> str:
    """The member that correlates most with the others, on average."""
    at = [groups.features.index(name) for name in members]
    return members[int(np.argmax(groups.correlation[np.ix_(at, at)].mean(axis=1)))]


def reader_numbers(split: Split, model: NetworkQuality | NextPage, seed: int = 0) -> Mapping[str, pd.DataFrame]:
    """The number that stands for each feature that a reader knows, row by row of ``train``.

    Of a network-quality model, one table a measured quantity, a row a view: a number is itself, a category the mean
    of the log of the quantity over the rows of ``train`` that share it (as the encoding has it, where it has one).
    Of a next-page model, a row a pair of a view (some are drawn) and a candidate: the number that the waterfall
    prints for the feature, categories as codes, the most frequent first, as the trees see them.

    Returns
    -------
    mapping of str to DataFrame, shape (rows, features)
    """
    if isinstance(model, NextPage):
        return {"pages": _of_pairs(split, model, seed)}
    return {quantity: _of_views(split.train, model, quantity) for quantity in model.quantities}


def _of_views(train: pd.DataFrame, model: NetworkQuality, quantity: str) -> pd.DataFrame:
    rows = train[train[quantity].notna()]
    context, encoding = model.context(rows), model.heads_[quantity].encoding
    matrix, names = encoding.transform(context), encoding.features
    log = np.log(rows[quantity].to_numpy(float).clip(max=float(model.heads_[quantity].levels[-1])))
    found = {}
    for source in dict.fromkeys(encoding.sources):
        name = next((name for name in (source, f"{source}|log") if name in names), None)
        if name is not None:
            found[readable(source)] = matrix[:, names.index(name)].astype(float)
        else:
            codes = pd.factorize(context[source], use_na_sentinel=False)[0]
            found[readable(source)] = (np.bincount(codes, log) / np.bincount(codes))[codes]
    return pd.DataFrame(found)


def _of_pairs(split: Split, model: NextPage, seed: int) -> pd.DataFrame:
    train = split.train
    drawn = train if len(train) <= VIEWS_DESCRIBED else sample_users(train, VIEWS_DESCRIBED, seed)
    pairs = model.describe(model.context(drawn))
    sources = [source_of(name) for name in pairs.names]
    found = {}
    for feature in dict.fromkeys(sources):
        shown = SHOWN.get(feature, feature)
        exact = [name for name in (shown, feature.replace(" ", "_")) if name in pairs.names]
        own = [name for name, source in zip(pairs.names, sources, strict=True) if source == feature]
        # A column of context by itself, not the share that it bends.
        plain = [name for name in own if " by " not in name]
        name = (exact or plain or own)[0]
        found[feature] = pairs.matrix[:, pairs.names.index(name)].astype(float)
    return pd.DataFrame(found)
