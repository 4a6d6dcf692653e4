"""Permutation importance in net: what decisions lose where one feature is dealt out anew among the views.

Breiman 2001 (Random Forests, section 10), with the net of the decisions in place of the error of the predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench.decisions.decision import call_policy
from workbench.decisions.prefetch.rules import fetches_at
from workbench.explanation.acting import ImagesActing, PagesActing
from workbench.explanation.shap_by_feature import readable
from workbench.explanation.shap_exact import with_bar
from workbench.explanation.shap_next_page import source_of
from workbench.features.candidates import as_answer
from workbench.features.page_features import DWELL, Pairs, previous_dwell
from workbench.models.next_page import as_chances

Rngs = Sequence[np.random.Generator]  # one a repeat
# Of each repeat, one feature dealt out anew: the net of each view, and whether another decision is taken in it.
Redealt = Callable[[Rngs], list[tuple[np.ndarray, np.ndarray]]]
GROUPED = " by "  # in the name of a feature that a group of views has its own counts for
CROSSED = " x "


class Lost(NamedTuple):
    """What decisions lose without each feature.

    ``features`` are those that the trees use, as a reader knows them; ``net`` is the net lost in each view, ``turned``
    the share of repeats in which another decision is taken in it: ndarray of float, shape (views, features).
    """

    features: list[str]
    net: np.ndarray
    turned: np.ndarray


def net_lost(acting: ImagesActing | PagesActing, repeats: int, seed: int) -> Lost:
    """Net as it is minus net with one feature permuted, and how often the decision turns, averaged over repeats.

    Of images a context column is dealt out anew among the views, and the policy is asked again where that changes
    something; Save-Data is heeded as it really is.

    Of pages the columns that make up a reader's feature are dealt out anew together, candidates staying what they are:
    what a view's own context says of its candidates is worked out again, as if it had another view's context; other
    columns that are one number a view (such as the place in the session) become another view's; those that differ from
    candidate to candidate change places among the candidates of the view.

    Parameters
    ----------
    acting : ImagesActing or PagesActing
        Views, and the policy at work on them.
    repeats : int
        How often each feature is dealt out.
    seed : int

    Returns
    -------
    Lost
    """
    answer = acting.ask(acting.ours)
    as_is = acting.net(answer)
    redealt = _of_images(acting, answer) if isinstance(acting, ImagesActing) else _of_pages(acting, answer)
    lost, turned = [np.empty((len(as_is), 0))], [np.empty((len(as_is), 0))]
    for place, anew in enumerate(with_bar(list(redealt.values()), "permuted features")):
        told = anew([np.random.default_rng([seed, place, i]) for i in range(repeats)])
        lost.append(np.mean([as_is - net for net, _ in told], axis=0)[:, None])
        turned.append(np.mean([other for _, other in told], axis=0)[:, None])
    return Lost(list(redealt), np.hstack(lost), np.hstack(turned))


def _of_images(acting: ImagesActing, real: np.ndarray) -> dict[str, Redealt]:
    as_is = np.asarray(acting.scenario.ladder.names, dtype=object)[real]

    def without(column: str, rngs: Rngs) -> list[tuple[np.ndarray, np.ndarray]]:
        values = acting.context[column]
        dealt = [values.iloc[rng.permutation(len(values))].set_axis(values.index) for rng in rngs]
        changed = [_differs(values, other) for other in dealt]
        shown = [acting.context.assign(**{column: other})[rows] for other, rows in zip(dealt, changed, strict=True)]
        # Asked all at once: repeats have contexts in common, and each is worked out once.
        said = _say(acting, pd.concat(shown, ignore_index=True))
        ends = np.cumsum([rows.sum() for rows in changed])[:-1]
        return [decided(rows, part) for rows, part in zip(changed, np.split(said, ends), strict=True)]

    def decided(rows: np.ndarray, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        answer = as_is.copy()
        answer[rows] = said
        # The context that is asked about stays the real one, and with it the views that save data.
        sent = acting.ask(lambda context: answer)
        return acting.net(sent), sent != real

    used = {source for head in acting.model.heads_.values() for source in _used(head.booster, head.encoding.sources)}
    return {readable(column): _bound(without, column) for column in acting.context if column in used}


def _differs(values: pd.Series, other: pd.Series) -> np.ndarray:
    same = (values == other).fillna(False).astype(bool) | (values.isna() & other.isna())
    return ~same.to_numpy(bool)


def _say(acting: ImagesActing, context: pd.DataFrame) -> np.ndarray:
    """Names of the renditions that the policy sends."""
    if not len(context):
        return np.empty(0, dtype=object)
    return np.asarray(call_policy(acting.ours, context, acting.scenario), dtype=object)


def _bound(without: Callable[[str, Rngs], list[tuple[np.ndarray, np.ndarray]]], feature: str) -> Redealt:
    return lambda rngs: without(feature, rngs)


def _used(booster: object, sources: Sequence[str]) -> set[str]:
    """Sources of the columns that at least one tree splits on."""
    scores = booster.get_score(importance_type="weight")  # type: ignore[attr-defined]
    return {source for i, source in enumerate(sources) if f"f{i}" in scores}


@dataclass(frozen=True)
class _Candidates:
    """The candidates of all views, what the trees know of them, and which columns are one number a view."""

    acting: PagesActing
    pairs: Pairs
    of_view: np.ndarray
    real: pd.DataFrame  # what is fetched as it is

    def columns_of(self, feature: str) -> list[int]:
        return [i for i, name in enumerate(self.pairs.names) if source_of(name) == feature]

    def decided(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Chances, fetches, replay: net of each view, and whether other pages are fetched in it."""
        model, limit, scenario = self.acting.model, self.acting.ours.limit, self.acting.scenario
        margin = model.booster_.inplace_predict(matrix, predict_type="margin")
        chance = as_chances(margin, self.pairs.row, model.platt_, len(self.acting.context))
        pages = model.counts_.pages.pages
        top = as_answer(self.acting.context, pages, (self.pairs.row, self.pairs.page), chance, scenario.k)
        fetched = fetches_at(top, scenario.break_even if limit is None else limit, scenario.k)
        both = pd.concat([answer[["view_id", "page"]].astype(str) for answer in (self.real, fetched)])
        other = both.drop_duplicates(keep=False)["view_id"]  # a view and page that only one of them fetches
        turned = self.acting.frame["view_id"].astype(str).isin(set(other)).to_numpy()
        return self.acting.net(fetched), turned

    def without(self, feature: str, rngs: Rngs) -> list[tuple[np.ndarray, np.ndarray]]:
        """What is decided in each repeat, a feature dealt out anew."""
        return [self.decided(self._dealt(feature, rng)) for rng in rngs]

    def _dealt(self, feature: str, rng: np.random.Generator) -> np.ndarray:
        columns = self.columns_of(feature)
        matrix = self.pairs.matrix.copy(order="F")
        groups = [self.pairs.names[i].partition(GROUPED)[2] for i in columns if GROUPED in self.pairs.names[i]]
        if groups:
            dealt = _dealt_context(self.acting.context, groups[0].split(CROSSED), rng)
            matrix[:, columns] = self.acting.model.describe(dealt).matrix[:, columns]
            return matrix
        shuffled, other = self._among_candidates(rng), self._of_other_views(rng)
        for i in columns:
            matrix[:, i] = self.pairs.matrix[other if self.of_view[i] else shuffled, i]
        return matrix

    def _among_candidates(self, rng: np.random.Generator) -> np.ndarray:
        """Places of the pairs, shuffled within each view."""
        return np.lexsort((rng.random(len(self.pairs.row)), self.pairs.row))

    def _of_other_views(self, rng: np.random.Generator) -> np.ndarray:
        """For each pair, the place of a pair of the view whose numbers its own view gets."""
        views, first, view = np.unique(self.pairs.row, return_index=True, return_inverse=True)
        return first[rng.permutation(len(views))][view]


def _of_pages(acting: PagesActing, real: pd.DataFrame) -> dict[str, Redealt]:
    pairs = acting.model.describe(acting.context)
    _, first, view = np.unique(pairs.row, return_index=True, return_inverse=True)
    of_view = [_same(column, column[first][view]) for column in pairs.matrix.T]
    candidates = _Candidates(acting, pairs, np.array(of_view), real)
    sources = [source_of(name) for name in pairs.names]
    used = _used(acting.model.booster_, sources)
    return {feature: _bound(candidates.without, feature) for feature in dict.fromkeys(sources) if feature in used}


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))


def _dealt_context(context: pd.DataFrame, group: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """Views with columns of other views, the same ones for all columns of the group."""
    if group == [DWELL]:
        return context.assign(viewed_at=_dealt_times(context, rng))
    order = rng.permutation(len(context))
    return context.assign(**{name: context[name].iloc[order].set_axis(context.index) for name in group})


def _dealt_times(context: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """Times under which each view but the first of a session comes as long after the one before as another view did."""
    dwell = previous_dwell(context)
    follows = ~np.isnan(dwell)
    dwell[follows] = rng.permutation(dwell[follows])
    since = pd.Series(np.nan_to_num(dwell), context.index).groupby(np.cumsum(~follows)).cumsum()
    began = context["viewed_at"].groupby(np.cumsum(~follows)).transform("first")
    return began.dt.floor("s") + pd.to_timedelta(since, unit="s")
