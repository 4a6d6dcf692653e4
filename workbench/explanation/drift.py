"""Has the traffic changed? A classifier tries to tell later views from the training data by context alone.

Adversarial validation: where it cannot, what was learnt on the first part should hold on the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import rankdata, t
from sklearn.inspection import permutation_importance
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict, cross_validate

from workbench.checked import checked
from workbench.datasets.cards import Card
from workbench.datasets.columns import listed
from workbench.datasets.history import HISTORY
from workbench.datasets.schema import NAVIGATION_HISTORY, SIGNALS, known_context, label
from workbench.datasets.splits import card_of, cluster_of, people_in, sample_users, users_of
from workbench.errors import WorkbenchError, check_seed, check_whole
from workbench.evidence.bootstrap import LEVEL, Interval, bootstrap_means
from workbench.explanation.base import as_html, check_users, may_be_missing
from workbench.features.encoding import is_numeric

ROWS_COMPARED = 20_000  # of each part, about
LEAST_FALL = 0.005  # in AUC, chosen: what shuffling a feature must cost for it to be named
CHANCE, A_LITTLE = 0.5, 0.6  # AUC; up to the second, chosen, parts differ little
FEW_USERS = 200  # chosen: a percentile interval of few users is too narrow
NAMED = 3
HISTORY_AND_SIGNALS = {*HISTORY, *SIGNALS, *(column.name for column in NAVIGATION_HISTORY)}
# What only counts views, or is a clock, gives the period away by itself and is no context.
NOT_CONTEXT = ("view_id", "session_id", "viewed_at")
FOLDS, SHUFFLES = 5, 5  # each feature is shuffled so often in each fold
MOST_LEVELS = 100  # of a category, the most frequent; all others are one
TREES, DEPTH, LEARNING_RATE, LEAST_WEIGHT = 80, 4, 0.1, 20.0  # chosen: small, for it need only see a shift
A_SIDE = round(LEAST_WEIGHT / 0.25)  # views: a view that may be either weighs a quarter at most


@dataclass(frozen=True, repr=False)
class Drift:
    """How well context alone separates two parts, such as train and validation.

    ``auc`` is the chance that a later view scores above an earlier one, users resampled; 0.5 is chance. ``features``
    has a row a column of context, the largest fall first: ``column, feature`` (as a reader knows it), ``fall, low,
    high`` (fall in AUC where it is shuffled, with the interval over five folds). ``views`` counts both parts as
    compared, ``fewest`` the users of the smaller one; ``excluded`` are history and signals that were not compared.
    """

    auc: Interval
    features: pd.DataFrame
    views: tuple[int, int]
    users: int
    fewest: int
    people: str
    card: Card = field(repr=False)
    excluded: tuple[str, ...] = ()

    @property
    def drifted(self) -> pd.DataFrame:
        """Features whose shuffling lowers the AUC beyond chance and by 0.005 at least; none where parts look alike."""
        found = self.features[(self.features["low"] > 0) & (self.features["fall"] >= LEAST_FALL)]
        return found if self.auc.low > CHANCE else found.head(0)

    @property
    def finding(self) -> str:
        """In one line, whether the parts differ."""
        return self._say()[0]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it means for what was learnt on the first part; and what was not compared."""
        said = self._say()[1]
        return (said, f"Not compared: {listed(self.excluded)}.") if self.excluded else (said,)

    def to_frame(self) -> pd.DataFrame:
        """The features, one row a column."""
        return self.features.set_index("column")

    def __repr__(self) -> str:
        return f"{self.finding}. {self._auc_in_words()}."

    def _repr_html_(self) -> str:
        return as_html(self.finding, self.sentences)

    def _auc_in_words(self) -> str:
        return f"AUC {self.auc.estimate:.2f} ({self.auc.low:.2f} to {self.auc.high:.2f}; 0.50 is chance)"

    def _say(self) -> tuple[str, str]:
        """The finding, and the sentence behind it."""
        low, high, auc, (first, second) = self.auc.low, self.auc.high, self._auc_in_words(), self.views
        if low == high == CHANCE:  # an interval of no width at chance: all scores are equal
            few = f"{first:,} and {second:,} views are too few: no split of a tree leaves {A_SIDE} on either side."
            return "Too few views to compare newer traffic with the training data", few
        if low <= CHANCE and high <= A_LITTLE:
            alike = f"Context alone does not separate newer views from the training data: {auc}."
            return "Newer traffic looks like the training data", alike
        if low <= CHANCE:
            smaller = f"{auc}, with {self.fewest:,} {self.people} in the smaller part"
            unsure = f"{smaller}: consistent with no shift and with a clear one."
            return "Not enough data to tell whether newer traffic differs from the training data", unsure
        how, meaning = "somewhat", "what was learnt may not hold"
        if high <= A_LITTLE:
            how, meaning = "barely better than chance", "what the model sees has hardly changed"
        elif low > A_LITTLE:
            how = "clearly"
        named = list(self.drifted["feature"][:NAMED])
        by = f" Largest shift: {listed(named)}." if named else " No single feature explains it."
        if self.fewest < FEW_USERS:
            by += f" With {self.fewest} {self.people} in the smaller part, the interval is too narrow."
        finding = f"Newer traffic {'differs' if high > A_LITTLE else 'hardly differs'} from the training data"
        return finding, f"Context alone separates newer views from the training data {how}: {auc}; {meaning}.{by}"


@may_be_missing
@checked
def drift(
    train: pd.DataFrame,
    later: pd.DataFrame,
    *,
    seed: int = 0,
    known_by: str | None = None,
    without: Sequence[str] = (),
    history: bool = False,
    rows: int = ROWS_COMPARED,
) -> Drift:
    """Try to tell later views from the training data by what a model sees of each (adversarial validation).

    A small XGBoost is cross-validated (scikit-learn, five folds grouped by user) on context alone: never on what was
    measured or opened next, nor on times and running numbers. So ``drift(split.train, split.validation)`` does not read
    ``test``; of a split by user it should find nothing. Each feature is then shuffled in each fold, five times
    (scikit-learn's permutation importance, in AUC); its interval is over folds, that of the AUC over users.
    History and signals are not compared by default: history grows with time by its nature, and a mask blanks both for
    users who are kept in ``validation`` and not in ``train``.

    Parameters
    ----------
    train, later : DataFrame
        Canonical views with their card, such as ``split.train`` and ``split.validation``.
    seed : int
        Random seed of the draw, the folds, the shuffling and the resampling.
    known_by : str, optional
        Information set; default the card's.
    without : sequence of str
        Further columns of context that are not compared.
    history : bool
        Whether history, and the signals of NetInfo, are compared too.
    rows : int
        About how many views of each part are compared at most; whole users are drawn.
    missing_ok : bool
        As for ``wb.importance``.

    Raises
    ------
    WorkbenchError
        Where a frame carries no card, both do not come from one dataset, a part has under 20 users, or no context
        that is compared differs between views.

    >>> wb.drift(split.train, split.validation)  # doctest: +SKIP
    """
    card, other = card_of(train), card_of(later)
    check_whole("rows", rows, at_least=1)
    check_seed(seed)
    if card.name != other.name:
        raise WorkbenchError(
            f"drift compares two parts of one dataset, such as split.train and split.validation; got {card.name} and "
            f"{other.name}."
        )
    parts = [part if len(part) <= rows else sample_users(part, rows, seed) for part in (train, later)]
    cluster = cluster_of(train, card, "user_id")
    people = people_in(train, cluster)
    for part in parts:
        check_users(users_of(part, cluster), people, card, "drift")
    both = pd.concat(parts)
    both.attrs["card"] = card
    is_later = np.repeat([False, True], [len(part) for part in parts])
    context = _context(both, known_by or card.known_by, card).drop(columns=list(without), errors="ignore")
    excluded = [] if history else [name for name in context if name in HISTORY_AND_SIGNALS]
    context = context.drop(columns=excluded)
    if context.empty:
        but = " besides history and signals, which history=True compares" if excluded else ""
        raise WorkbenchError(f"{card.name}: no context differs between views{but}, so nothing can be compared.")
    users = users_of(both, cluster)
    scores, falls = _scores(context, is_later, users, seed)
    auc = auc_interval(scores, is_later, users, seed=seed)
    names = {"column": list(map(str, context)), "feature": [label(str(name), card) for name in context]}
    features = pd.DataFrame(names).join(mean_over_folds(falls))
    return Drift(
        auc=auc,
        features=features.sort_values("fall", ascending=False, ignore_index=True),
        views=(len(parts[0]), len(parts[1])),
        users=auc.clusters,
        fewest=min(len(np.unique(users_of(part, cluster))) for part in parts),
        people=people,
        card=card,
        excluded=tuple(label(name, card) for name in excluded),
    )


def _context(frame: pd.DataFrame, known_by: str, card: Card) -> pd.DataFrame:
    """What a model may see of each view, without clocks, running numbers, and columns that are alike in all views."""
    context = known_context(frame, known_by, card.context).drop(columns=list(NOT_CONTEXT), errors="ignore")
    return context.loc[:, context.nunique(dropna=False) > 1]


def _scores(context: pd.DataFrame, is_later: np.ndarray, users: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Score each view by a classifier that has seen none of its user's: the higher, the later; shape (rows,).

    Scores are places within the fold, from 0 to 1, for those of different classifiers do not compare; then, shape
    (folds, columns), by how much the AUC of a fold falls where a column is shuffled in it.
    """
    from xgboost import XGBClassifier

    # Categories are XGBoost's own: an encoding by the share of later rows, cross-fitted, would put the scores of what
    # says nothing below those of chance.
    classifier = XGBClassifier(
        n_estimators=TREES,
        max_depth=DEPTH,
        learning_rate=LEARNING_RATE,
        min_child_weight=LEAST_WEIGHT,
        enable_categorical=True,
        random_state=seed,
    )
    table = _as_table(context)
    folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(table, is_later, users))
    chance = cross_val_predict(classifier, table, is_later, cv=folds, method="predict_proba")[:, 1]
    trained = cross_validate(classifier, table, is_later, cv=folds, return_estimator=True)["estimator"]
    places, falls = np.zeros(len(table)), []
    for classifier, (_, asked) in zip(trained, folds, strict=True):
        places[asked] = (rankdata(chance[asked]) - 0.5) / len(asked)
        found = permutation_importance(
            classifier,
            table.iloc[asked],
            is_later[asked],
            scoring="roc_auc",
            n_repeats=SHUFFLES,
            random_state=seed,
        )
        falls.append(found.importances_mean)
    return places, np.array(falls)


def _as_table(context: pd.DataFrame) -> pd.DataFrame:
    """Numbers as float, all else as categories: the 100 most frequent levels, the others as one."""
    table = {}
    for name, values in context.items():
        if is_numeric(values):
            table[str(name)] = values.to_numpy(np.float32, na_value=np.nan)
        else:
            text = values.astype(object).where(values.notna(), None).map(str)
            frequent = {level: code for code, level in enumerate(text.value_counts().index[:MOST_LEVELS])}
            codes = text.map(frequent).fillna(len(frequent)).to_numpy(int)
            table[str(name)] = pd.Categorical(codes, range(len(frequent) + 1))
    return pd.DataFrame(table)


def auc_interval(score: np.ndarray, is_later: np.ndarray, users: np.ndarray, *, seed: int = 0) -> Interval:
    """AUC of scores, users resampled with replacement.

    The area under the ROC curve is the chance that a later row scores above an earlier one, ties counting half
    (Hanley & McNeil 1982). It is the mean of the later rows' placements among the earlier ones, and of the earlier
    rows' among the later; users are resampled by these (Obuchowski 1997, Biometrics 53, for clustered data). The
    classifiers are held as they are.
    """
    place = _placements(score, is_later)
    exact = float(place[is_later].mean())
    parts = np.column_stack([place * is_later, place * ~is_later, is_later, ~is_later])
    later, early, of_later, of_early = bootstrap_means(parts, users, seed=seed).T
    drawn = later / of_later + early / of_early - exact
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(exact, float(low), float(high), len(np.unique(users)))


def mean_over_folds(values: np.ndarray) -> pd.DataFrame:
    """Mean of each column over folds, shape (folds, columns), with its 95 % interval: ``fall, low, high``.

    Student's t of the folds' means; as classifiers of different folds share most of their training views, the variance
    is raised by 1 over (folds - 1), the ratio of tested to training views (Nadeau & Bengio 2003, Machine Learning 52).
    """
    folds, mean = len(values), values.mean(axis=0)
    error = np.sqrt(values.var(axis=0, ddof=1) * (1 / folds + 1 / (folds - 1)))
    half = t.ppf((1 + LEVEL) / 2, folds - 1) * error
    return pd.DataFrame({"fall": mean, "low": mean - half, "high": mean + half})


def _placements(score: np.ndarray, is_later: np.ndarray) -> np.ndarray:
    """For each later row, the share of earlier rows that score below it; for each earlier row, of later ones above."""
    ranks, own = rankdata(score), np.zeros(len(score))
    own[is_later], own[~is_later] = rankdata(score[is_later]), rankdata(score[~is_later])
    below = ranks - own  # rows of the other part
    early, late = (~is_later).sum(), is_later.sum()
    return np.where(is_later, below / early, 1 - below / late)
