"""Asking a prefetch policy from context alone, and refusing answers that cannot be or that know what comes later."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from workbench.decisions.policy import ask_blind, call_policy, policy_name
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.evidence.calibration import reliability
from workbench.features.pages import encode, next_codes, rank_within, vocabulary

ANSWER = ("view_id", "page", "rank")
CUT_SESSIONS = 20_000  # asked about a second time; more tell no more, and the model's time counts
ROUNDING = 1e-6


@dataclass(frozen=True)
class Proposals:
    """Pages that a policy wants to fetch, checked, by view and rank; arrays are int64, shape (proposals,).

    ``row`` is the place of the view among those asked about, rising; ``page`` the place of the page in ``names``;
    ``order`` the place of each proposal in the answer as it came.
    """

    row: np.ndarray
    page: np.ndarray
    rank: np.ndarray
    names: pd.Index
    order: np.ndarray

    def codes(self, pages: pd.Index) -> np.ndarray:
        """Code of each page in a vocabulary; pages outside of it get codes of their own above: int64."""
        known = pages.get_indexer(self.names)
        return np.where(known < 0, len(pages) + np.arange(len(known)), known)[self.page]


def ask_prefetch(
    policy: Callable[..., Any], context: pd.DataFrame, scenario: PrefetchScenario, *, seed: int = 0
) -> pd.DataFrame:
    """Ask a policy what to fetch, twice: over whole sessions, and over sessions cut at a random view.

    The policy gets a copy of the context; its answer is ``view_id, page, rank``. A WorkbenchError where it reads a
    column that it may not see, answers with something else than pages for these views, or reads the future.
    """
    return _ask_twice(partial(call_policy, policy, scenario=scenario), context, scenario.k, policy_name(policy), seed)


def ask_chances(source: Any, context: pd.DataFrame, k: int, *, seed: int = 0) -> pd.DataFrame:
    """Ask a source of chances for the ``k`` likeliest next pages: ``view_id, page, rank, chance``.

    The same checks as of :func:`ask_prefetch`; a WorkbenchError also where a chance is not between 0 and 1, those of a
    view sum to more than 1, or rise with the rank.
    """
    name = policy_name(source)
    top = _ask_twice(partial(source.next_pages, k=k), context, k, name, seed)
    if "chance" not in top:
        raise WorkbenchError(f"{name}: expected a column chance beside view_id, page and rank; it is not there.")
    proposals = check_answer(top, context, k, name)
    chance = top["chance"].to_numpy(float)[proposals.order]
    sums = np.bincount(proposals.row, chance, minlength=1)
    rises = (np.diff(chance) > ROUNDING) & (np.diff(proposals.row) == 0)
    if not (chance > 0).all() or sums.max() > 1 + ROUNDING or rises.any():
        raise WorkbenchError(
            f"{name}: expected chances above 0 that fall with the rank and sum to at most 1 a view; got chances from "
            f"{chance.min():g}, sums up to {sums.max():g}, and {rises.sum():,} that rise."
        )
    return top


def read_logged(prefetched: pd.Series, view_id: pd.Series) -> pd.DataFrame:
    """The pages that a log says were fetched in each view, as an answer: ``view_id, page, rank``.

    ``prefetched`` (str) holds JSON lists, missing or empty where nothing was fetched; a WorkbenchError for all else. A
    page that comes twice in a list counts once.
    """
    codes, texts = pd.factorize(prefetched)
    lists = pd.Series([*map(_listed, texts), []], dtype=object)
    if lists.isna().any():
        bad = int(np.isin(codes, np.flatnonzero(lists.isna())).sum())
        raise WorkbenchError(
            f'prefetched must be a JSON list of pages, such as ["/a", "/b"]; {bad:,} of {len(codes):,} views differ.'
        )
    found = pd.DataFrame({"view_id": view_id.to_numpy(), "page": lists.to_numpy()[codes]}).explode("page").dropna()
    return found.assign(rank=found.groupby("view_id").cumcount() + 1).astype({"page": str})


def _listed(text: str) -> list[str] | None:
    try:
        pages = json.loads(text or "[]")
    except ValueError:
        return None
    return (
        list(dict.fromkeys(pages)) if isinstance(pages, list) and all(isinstance(page, str) for page in pages) else None
    )


def cut_sessions(context: pd.DataFrame, seed: int, most: int | None = None) -> np.ndarray:
    """Cut every session at a random view, which stays as its last: boolean, shape (rows,).

    Where there are more than ``most`` sessions, so many are drawn and the others are left out.
    """
    codes = pd.factorize(context["session_id"])[0]
    place = context.groupby(codes).cumcount().to_numpy()
    lengths = np.bincount(codes)
    rng = np.random.default_rng(seed)
    kept = rng.integers(1, lengths + 1)
    if most is not None and len(lengths) > most:
        kept[rng.permutation(len(lengths))[most:]] = 0
    return place < kept[codes]


def check_answer(answer: Any, views: pd.DataFrame, k: int, name: str) -> Proposals:
    """Hold an answer (``view_id, page, rank``, in any order, at most ``k`` a view) against the views that were asked
    about.

    Raises a WorkbenchError with the policy's name, what was expected and what came.
    """
    if not isinstance(answer, pd.DataFrame) or not set(ANSWER) <= set(answer.columns):
        came = f"columns {', '.join(map(str, answer))}" if isinstance(answer, pd.DataFrame) else repr(answer)
        raise WorkbenchError(
            f"{name}: expected a DataFrame with the columns {', '.join(ANSWER)}, 0 to k rows a view; got {came[:200]}."
        )
    view_id = answer["view_id"].to_numpy()
    row = pd.Index(views["view_id"]).get_indexer(view_id)
    if (row < 0).any():
        raise WorkbenchError(
            f"{name}: expected view_id of the views asked about; {(row < 0).sum():,} of {len(row):,} are of no such "
            f"view, first {view_id[row < 0].tolist()[0]!r}."
        )
    page, names = _name_pages(answer["page"], name)
    rank = pd.to_numeric(answer["rank"], errors="coerce").to_numpy(float, na_value=np.nan)
    order = np.lexsort((rank, row))
    row, page, rank, view_id = row[order], page[order], rank[order], view_id[order]
    _refuse_wrong_ranks(row, rank, k, name, view_id)
    _refuse_repeats(row * len(names) + page, name, view_id, names[page])
    return Proposals(row, page, rank.astype(np.int64), names, order)


def _name_pages(page: pd.Series, name: str) -> tuple[np.ndarray, pd.Index]:
    if isinstance(page.dtype, pd.CategoricalDtype):
        number, names = page.cat.codes.to_numpy().astype(np.int64), page.cat.categories
    else:
        try:
            number, names = pd.factorize(page)
        except TypeError as err:
            raise WorkbenchError(f"{name}: expected pages by their names, as text; got {page.iloc[0]!r}.") from err
    if (number < 0).any():
        raise WorkbenchError(
            f"{name}: expected a page in every row; {(number < 0).sum():,} of {len(number):,} are missing. Leave such "
            "rows out: a view may fetch nothing."
        )
    strange = [value for value in names if not isinstance(value, str)]
    if strange:
        raise WorkbenchError(f"{name}: expected pages by their names, as text; got {strange[0]!r}.")
    return number, pd.Index(names, dtype="str")


def _refuse_wrong_ranks(row: np.ndarray, rank: np.ndarray, k: int, name: str, view_id: np.ndarray) -> None:
    place = rank_within(row)
    faults = (place > k, f"at most k = {k} pages a view"), (place != rank, "ranks 1, 2, ... within each view")
    for wrong, said in faults:
        if wrong.any():
            here = row == row[wrong][0]
            ranks = ", ".join(f"{value:g}" for value in rank[here])
            raise WorkbenchError(f"{name}: expected {said}; got ranks {ranks} for view {view_id[here][0]}.")


def _refuse_repeats(key: np.ndarray, name: str, view_id: np.ndarray, pages: pd.Index) -> None:
    order = np.argsort(key, kind="stable")
    twice = order[1:][np.diff(key[order]) == 0]
    if len(twice):
        raise WorkbenchError(
            f"{name}: expected each page once a view; got {pages[twice[0]]!r} twice for view {view_id[twice[0]]}."
        )


def _ask_twice(
    question: Callable[[pd.DataFrame], Any], context: pd.DataFrame, k: int, name: str, seed: int
) -> pd.DataFrame:
    answer = ask_blind(question, name, context)
    proposals = check_answer(answer, context, k, name)
    cut = cut_sessions(context, seed, CUT_SESSIONS)
    again = check_answer(ask_blind(question, name, context[cut]), context[cut], k, name)
    _refuse_the_future(name, proposals, again, np.flatnonzero(cut))
    return answer


def _refuse_the_future(name: str, first: Proposals, again: Proposals, remaining: np.ndarray) -> None:
    """Compare what is said of the views that remain, given as their places among all views."""
    pages = first.names.union(again.names)
    ranks = 1 + max(first.rank.max(initial=0), again.rank.max(initial=0))

    def pack(said: Proposals, row: np.ndarray) -> np.ndarray:
        return (row * len(pages) + pages.get_indexer(said.names)[said.page]) * ranks + said.rank

    before = pack(first, first.row)[np.isin(first.row, remaining)]
    after = pack(again, remaining[again.row])
    if np.array_equal(before, after):
        return
    changed = np.unique(np.setxor1d(before, after) // (len(pages) * ranks))
    raise WorkbenchError(
        f"{name} reads the future: where sessions are cut short, it answers otherwise for {len(changed):,} of "
        f"{len(remaining):,} views that remain. A policy may read a view and the earlier views of its session, not "
        "later ones nor other sessions, and must answer the same when asked again."
    )


PAGES_ASKED = 10
BINS = 10


@dataclass(frozen=True)
class Ranking:
    """How well a source names the next page; None where nothing can be divided.

    ``views``: those asked about. ``navigations``: those of them that have a next page, the denominator of ``recall``
    (its page was named at all), ``top1``, ``top3`` (it was the likeliest, or among three) and ``mrr`` (mean of 1 /
    rank, 0 where not named); session ends are left out there, as in published next-page studies. ``brier``: squared
    difference between chance and what happened, summed over the pages of a view, averaged over views; a page not named
    has chance 0 (Brier 1950, without the class "no page"). ``ece``: mean distance between chance and share over ten
    bins of equally many of the ``pairs`` named (expected calibration error, Naeini et al. 2015, with equal sizes).
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
        recall=share_of(int(clicked.sum()), navigations),
        top1=_named_among(1, rank, clicked, navigations),
        top3=_named_among(3, rank, clicked, navigations),
        mrr=share_of(float((clicked / rank).sum()), navigations),
        brier=share_of(squared, len(views)),
        ece=_calibration_error(clicked, chance),
    )


def top_shares(top: pd.DataFrame, views: pd.DataFrame) -> tuple[float | None, float | None]:
    """``top1`` and ``top3`` of a ranking alone; what ``top`` says nothing of counts as missed."""
    rank, clicked = top["rank"].to_numpy(), _match(top, views)[1]
    navigations = int((_coming(views) != -1).sum())
    return _named_among(1, rank, clicked, navigations), _named_among(3, rank, clicked, navigations)


def _named_among(likeliest: int, rank: np.ndarray, clicked: np.ndarray, navigations: int) -> float | None:
    return share_of(int((clicked & (rank <= likeliest)).sum()), navigations)


def pair_chances(top: pd.DataFrame, views: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Whether each page that a source named was opened next (bool), and the chance it gave: shape (pairs,) each."""
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


def share_of(part: float, whole: float) -> float | None:
    """A share, None where nothing can be divided."""
    return float(part / whole) if whole > 0 else None
