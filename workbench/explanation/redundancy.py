"""Which features are correlated, and what a model is worth without all but one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from pandas.api.types import is_numeric_dtype
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from workbench.checked import checked
from workbench.datasets.cards import Card
from workbench.datasets.columns import listed
from workbench.datasets.splits import Split, sample_users
from workbench.decisions.decision import Explained, Unit
from workbench.errors import WorkbenchError, check_seed
from workbench.explanation.ablation import EFFECT, Bench
from workbench.explanation.base import as_html, beyond_noise, may_be_missing, net_of
from workbench.progress import with_bar

# Half of the variance of the ranks is shared from here on: 0.7 squared is 0.49.
CORRELATED = 0.7
VIEWS_COMPARED = 4_000  # of navigations about 20 rows each
FEWEST_ROWS = 50  # in which both features have a value; from fewer, nothing is said about a pair
ALL, ALL_BUT_ONE = "all of them", "all but one"
NO_EFFECT = dict.fromkeys(EFFECT)


@dataclass(frozen=True, repr=False)
class Groups:
    """Features, how correlated they are, and how they fall into groups.

    ``correlation``, shape (features, features), is the size of Spearman's rank correlation; ``tree``, shape (features -
    1, 4), scipy's linkage (complete) on 1 minus the correlation, cut at ``alike``: every two features of a group
    correlate at least so much. ``groups`` are those of two features and more, the largest first.
    """

    features: tuple[str, ...]
    correlation: np.ndarray
    tree: np.ndarray
    alike: float
    groups: tuple[tuple[str, ...], ...]

    def representative(self, members: tuple[str, ...]) -> str:
        """The member that correlates most with the others, on average."""
        at = [self.features.index(name) for name in members]
        return members[int(np.argmax(self.correlation[np.ix_(at, at)].mean(axis=1)))]

    def __repr__(self) -> str:
        return f"{len(self.groups)} groups among {len(self.features)} features"


@dataclass(frozen=True, repr=False)
class Redundancy:
    """Groups of correlated features, and what a model is worth on ``validation`` without them.

    ``costs`` has two rows a group, all but one feature left out, then all; one row where some cannot be left out:
    ``group`` (its number from 0), ``features``, ``what`` (``"all but one"`` or ``"all of them"``), ``kept`` and
    ``dropped`` (tuples of features), ``net, net_low, net_high`` (retrained minus as trained), ``trees_saved,
    kilobytes_saved``. Numbers are missing where nothing can be left out. Policies decide on ``views`` of ``users`` of
    ``validation``.
    """

    groups: Groups
    costs: pd.DataFrame
    unit: Unit
    views: int
    users: int
    card: Card = field(repr=False)

    @property
    def finding(self) -> str:
        """In one line, how many groups of features are correlated."""
        count = len(self.groups.groups)
        if not count:
            return "No features are strongly correlated"
        which = "One group of features is" if count == 1 else f"{count} groups of features are"
        return f"{which} strongly correlated"

    @property
    def sentences(self) -> tuple[str, ...]:
        """One sentence a group, with what leaving features out costs; or that there is none."""
        threshold = f"{self.groups.alike:g} or more"
        if not self.groups.groups:
            return (f"No two features have a rank correlation of {threshold}.",)
        return tuple(
            f"{listed(members)}: rank correlation {threshold}. "
            + " ".join(self._cost(row) for _, row in self.costs[self.costs["group"] == place].iterrows())
            for place, members in enumerate(self.groups.groups)
        )

    def _cost(self, row: pd.Series) -> str:
        if not row["dropped"]:
            return "The model cannot be trained without them."
        net = net_of(row)
        sure = {0: "within noise", 1: "a gain", -1: "a loss"}[beyond_noise(self.unit, net.low, net.high)]
        return f"Without {listed(row['dropped'])}: {self.unit.span(net)} {self.unit.name}, {sure}."

    def to_frame(self) -> pd.DataFrame:
        """The costs, one row a training."""
        named = self.costs.assign(**{name: self.costs[name].map(", ".join) for name in ("features", "kept", "dropped")})
        return named.set_index(["group", "what"])

    def __repr__(self) -> str:
        return "\n".join([f"{self.finding}.", *self.sentences])

    def _repr_html_(self) -> str:
        return as_html(self.finding, self.sentences)


@may_be_missing
@checked
def redundancy(
    model: Any, split: Split, *, scenario: Any = None, seed: int = 0, alike: float = CORRELATED
) -> Redundancy:
    """Find correlated features, and what a model is worth without them.

    Features fall into groups by their rank correlation (:func:`group_features`). For each group the model is trained
    again twice: without all but one of its members ("need we collect them all?"), and without any ("does what they say
    matter?"). It decides at the declared price, no limit is tuned. The member that stays is the one that correlates
    most with the others; where some cannot be left out, these stay, and there is one training. What a lone feature is
    worth is for permutation importance to say. Exploratory: ``validation`` is used, ``test`` is not read.

    Parameters
    ----------
    model : estimator
    split : Split
        What it was trained on: it is trained again on the same parts, which takes more than one frame.
    scenario, missing_ok
        As for ``wb.importance``.
    seed : int
        Random seed of the drawn rows and the resampling.
    alike : float
        Size of the correlation that every two members of a group reach at least.

    Raises
    ------
    WorkbenchError
        Where the model was not trained on the split, has under two features, or ``alike`` is not between 0 and 1.

    >>> wb.redundancy(model, split)  # doctest: +SKIP
    """
    check_seed(seed)
    bench = Bench.of(split, model, scenario)
    train = split.train if len(split.train) <= VIEWS_COMPARED else sample_users(split.train, VIEWS_COMPARED, seed)
    train.attrs["card"] = split.card
    groups = group_features(bench.here.decision.explained(model, train, bench.here.scenario, all_rows=True), alike)
    tasks = [task for place, members in enumerate(groups.groups) for task in _tasks(place, members, groups, bench)]
    rows = []
    for task in with_bar(tasks, "retraining"):
        rows.append(task | (bench.without(task["dropped"], seed) if task["dropped"] else NO_EFFECT))
    return Redundancy(
        groups=groups,
        costs=pd.DataFrame(rows, columns=["group", "features", "what", "kept", "dropped", *EFFECT]),
        unit=bench.here.decision.unit,
        views=len(bench.net),
        users=len(np.unique(bench.here.users)),
        card=split.card,
    )


def group_features(explained: Explained, alike: float = CORRELATED) -> Groups:
    """Group features by their rank correlation.

    Spearman's correlation of the numbers that stand for the features, over the rows in which both have one, its sign
    left out; where fewer than 50 rows have both, none is assumed. A number stands for itself, a level of text for the
    model's mean answer in the rows that share it. Groups come from hierarchical clustering with complete linkage
    (scipy), cut so that every two members correlate at least ``alike``.
    """
    if not 0 < alike < 1:
        raise WorkbenchError(f"alike must be a correlation between 0 and 1, such as {CORRELATED:g}; got {alike!r}.")
    features = tuple(map(str, explained.shown.columns))
    if len(features) < 2:
        raise WorkbenchError("redundancy is found among two features and more; the model has fewer.")
    margin = explained.booster.predict(xgboost.DMatrix(explained.matrix), output_margin=True)
    numbers = pd.DataFrame({name: _as_number(explained.shown[name], margin) for name in features})
    correlation = numbers.corr(method="spearman", min_periods=FEWEST_ROWS).fillna(0).abs().to_numpy(copy=True)
    np.fill_diagonal(correlation, 1.0)
    tree = linkage(squareform(1 - correlation.clip(max=1.0), checks=False), method="complete")
    of = fcluster(tree, 1 - alike, criterion="distance")
    members = (tuple(name for name, group in zip(features, of, strict=True) if group == each) for each in np.unique(of))
    groups = sorted((group for group in members if len(group) > 1), key=lambda group: (-len(group), group))
    return Groups(features, correlation, tree, alike, tuple(groups))


def _as_number(values: pd.Series, margin: np.ndarray) -> np.ndarray:
    if is_numeric_dtype(values.dtype):
        return values.to_numpy(float, na_value=np.nan)
    codes = pd.factorize(values.astype(object), use_na_sentinel=False)[0]
    return (np.bincount(codes, margin) / np.bincount(codes))[codes]


def _tasks(place: int, members: tuple[str, ...], groups: Groups, bench: Bench) -> Iterator[dict[str, Any]]:
    """All but one, and all; where some cannot be left out, both are the same."""
    must_stay = tuple(name for name in members if name not in bench.names)
    kept = must_stay or (groups.representative(members),)
    cases = ((ALL_BUT_ONE, must_stay),) if must_stay else ((ALL_BUT_ONE, kept), (ALL, ()))
    for what, stay in cases:
        dropped = tuple(name for name in members if name not in stay)
        yield {"group": place, "features": members, "what": what, "kept": stay, "dropped": dropped}
