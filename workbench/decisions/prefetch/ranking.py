"""How good a source of next-page chances is: does it name the page, and do its chances hold?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.evidence.calibration import reliability
from workbench.features.pages import encode, next_codes, vocabulary

PAGES_ASKED = 10
BINS = 10


@dataclass(frozen=True)
class Ranking:
    """How well a source names the next page.

    Session ends are left out of the first four, as in published next-page studies: there is no page to be found. They
    are in the last two. All are None where nothing can be divided.

    Parameters
    ----------
    views : int
        Views asked about: the denominator of ``brier``.
    navigations : int
        Those of them that have a next page: the denominator of ``recall``, ``top1``, ``top3`` and ``mrr``.
    pairs : int
        Pages named, over all views: the denominator of ``ece``.
    recall : float or None
        Share of navigations whose page was named at all.
    top1, top3 : float or None
        Share of navigations whose page was the likeliest, or among the three likeliest.
    mrr : float or None
        Mean of 1 / rank of the page that was opened, 0 where it was not named.
    brier : float or None
        Squared difference between chance and what happened, summed over the pages of a view and averaged over views; a
        page that was not named has chance 0 (Brier 1950, without the class "no page").
    ece : float or None
        Mean distance between chance and share, over ten bins of equally many pairs (expected calibration error, Naeini
        et al. 2015, with equal sizes).
    """

    views: int
    navigations: int
    pairs: int
    recall: float | None
    top1: float | None
    top3: float | None
    mrr: float | None
    brier: float | None
    ece: float | None


def judge_ranking(source: Any, context: pd.DataFrame, views: pd.DataFrame, k: int = PAGES_ASKED) -> Ranking:
    """Ask a source about views and judge its answer.

    Parameters
    ----------
    source : object
        With ``next_pages(context, k)``, to ``view_id, page, rank, chance``: a model, a Markov rule, the truth of a
        simulated site.
    context : DataFrame
        What the source may see of the views.
    views : DataFrame
        The views themselves: ``view_id, session_id, page``.
    k : int
        Most pages a view.

    Returns
    -------
    Ranking
    """
    return judge_answer(source.next_pages(context, k), views)


def judge_answer(top: pd.DataFrame, views: pd.DataFrame) -> Ranking:
    """Judge an answer that was given: ``view_id, page, rank, chance`` about these views."""
    row, clicked = _match(top, views)
    rank, chance = top["rank"].to_numpy(), top["chance"].to_numpy(float)
    coming = _coming(views) != -1
    navigations = int(coming.sum())
    missed = navigations - int(clicked.sum())
    squared = float(((chance - clicked) ** 2).sum()) + missed
    return Ranking(
        views=len(views),
        navigations=navigations,
        pairs=len(row),
        recall=_share(clicked.sum(), navigations),
        top1=_share((clicked & (rank == 1)).sum(), navigations),
        top3=_share((clicked & (rank <= 3)).sum(), navigations),
        mrr=_share((clicked / rank).sum(), navigations),
        brier=_share(squared, len(views)),
        ece=_calibration_error(clicked, chance),
    )


def pair_chances(top: pd.DataFrame, views: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """What happened to each page that a source named, and the chance it gave.

    Parameters
    ----------
    top : DataFrame
        ``view_id, page, chance``.
    views : DataFrame
        ``view_id, session_id, page``: whole sessions in order.

    Returns
    -------
    clicked : ndarray of bool, shape (pairs,)
        Whether the page was opened next.
    chance : ndarray of float, shape (pairs,)
    """
    return _match(top, views)[1], top["chance"].to_numpy(float)


def _match(top: pd.DataFrame, views: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Place of each pair's view (int64), and whether its page was opened next (boolean), each of shape (pairs,)."""
    row = pd.Index(views["view_id"]).get_indexer(top["view_id"])
    coming = np.append(_coming(views), -1)  # the last one answers for views that are not there
    return row, (encode(top, vocabulary(views)) == coming[row]) & (coming[row] >= 0)


def _coming(views: pd.DataFrame) -> np.ndarray:
    return next_codes(views, encode(views, vocabulary(views)))


def _calibration_error(clicked: np.ndarray, chance: np.ndarray) -> float | None:
    if not len(chance):
        return None
    table = reliability(clicked, chance, BINS)
    return float(np.average((table["chance"] - table["share"]).abs(), weights=table["rows"]))


def _share(part: float, whole: int) -> float | None:
    return float(part / whole) if whole else None
