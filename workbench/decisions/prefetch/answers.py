"""Asking a prefetch policy from context alone, and refusing answers that cannot be or that know what comes later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.schema import NAVIGATION_COLUMNS
from workbench.decisions.decision import call_policy, policy_name
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError, did_you_mean
from workbench.features.candidates import rank_within

ANSWER = ("view_id", "page", "rank")
CUT_SESSIONS = 20_000  # asked about a second time; more tell no more, and the model's time counts
ROUNDING = 1e-6


@dataclass(frozen=True)
class Proposals:
    """Pages that a policy wants to fetch, checked, by view and rank.

    Parameters
    ----------
    row : ndarray of int64, shape (proposals,)
        Place of the view among those asked about; rising.
    page : ndarray of int64, shape (proposals,)
        Place of the page in ``names``.
    rank : ndarray of int64, shape (proposals,)
    names : Index of str
    order : ndarray of int64, shape (proposals,)
        Place of each proposal in the answer as it came.
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

    Parameters
    ----------
    policy : callable
        ``policy(context)`` or ``policy(context, scenario=...)``, to ``view_id, page, rank``.
    context : DataFrame
        What is known, as from ``known_navigation_context``; the policy gets a copy.
    scenario : PrefetchScenario
    seed : int
        Of the cuts.

    Returns
    -------
    DataFrame
        ``view_id, page, rank`` as answered.

    Raises
    ------
    WorkbenchError
        Where the policy reads a column that it may not see, answers with something else than pages for these views,
        or reads the future.
    """
    return _ask_twice(partial(call_policy, policy, scenario=scenario), context, scenario.k, policy_name(policy), seed)


def ask_chances(source: Any, context: pd.DataFrame, k: int, *, seed: int = 0) -> pd.DataFrame:
    """Ask a source of chances for the likeliest next pages; the same checks as of :func:`ask_prefetch`.

    Parameters
    ----------
    source : object
        With ``next_pages(context, k)``, to ``view_id, page, rank, chance``.
    context, seed
        As of :func:`ask_prefetch`.
    k : int
        Most pages a view.

    Raises
    ------
    WorkbenchError
        Also where a chance is not between 0 and 1, those of a view sum to more than 1, or rise with the rank.
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
    """Hold an answer against the contract.

    Parameters
    ----------
    answer : DataFrame
        ``view_id, page, rank``, in any order.
    views : DataFrame
        Those that were asked about, with ``view_id``.
    k : int
        Most pages a view.
    name : str
        What errors call the policy.

    Returns
    -------
    Proposals

    Raises
    ------
    WorkbenchError
        With the policy's name, what was expected and what came.
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
    answer = _call(question, context, name)
    proposals = check_answer(answer, context, k, name)
    cut = cut_sessions(context, seed, CUT_SESSIONS)
    again = check_answer(_call(question, context[cut], name), context[cut], k, name)
    _refuse_the_future(name, proposals, again, np.flatnonzero(cut))
    return answer


def _call(question: Callable[[pd.DataFrame], Any], context: pd.DataFrame, name: str) -> Any:
    shown = context.reset_index(drop=True)  # a copy, and no way back to the rows it came from
    try:
        return question(shown)
    except (KeyError, AttributeError) as err:
        asked = err.name if isinstance(err, AttributeError) else err.args[0]
        if asked not in {column.name for column in NAVIGATION_COLUMNS} - set(shown.columns):
            raise  # not a column: the rule's own mistake
        raise WorkbenchError(
            f"{name} reads {asked!r}, which is not known when the decision is taken; known are "
            f"{', '.join(shown.columns)}.{did_you_mean(str(asked), list(shown.columns))}"
        ) from err


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
