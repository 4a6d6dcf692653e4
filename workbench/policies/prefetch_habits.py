"""What a person usually opens next: the strong simple rule where people come back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd

from workbench.delivery import PrefetchScenario
from workbench.features.navigation import encode, next_codes
from workbench.features.navigation_candidates import as_answer
from workbench.policies.prefetch_chances import Markov, decide_by_chance, not_fitted

HABITS = ("usual_next", "last_next")
HERE_BEFORE = (1.5, 2.5, 4.5, 9.5)  # earlier views of the page: 1, 2, 3 to 4, 5 to 9, 10 and more
USUAL_SHARE = (0.3, 0.5, 0.7, 0.9)
N_CELLS = (len(HERE_BEFORE) + 1) * (len(USUAL_SHARE) + 1) * 2
CELL_SMOOTHING = 20.0  # views


@dataclass(frozen=True)
class UsualNext:
    """A person's own habit on top of what everybody does.

    With some chance she opens what she usually opened after this page, with another what she opened the last time;
    else she does as everybody: ``chance = habit + (1 - all habits) * chance of the other rule``. How strong the habit
    is depends on how often she was here before, the usual page's share, and whether the last time was as usual; it is
    what, in training, such views opened the page more often than the other rule says.

    Parameters
    ----------
    everybody : Markov
        Fitted; decides alone for views without a habit.
    limit : float, optional
        Chance from which a page is fetched; without one, the scenario's break-even.
    habit : ndarray of float, shape (cells, 2)
        Strength of the usual page and of the last one, where that is another; after :meth:`fit`.
    """

    everybody: Markov
    limit: float | None = None
    habit: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)), compare=False, repr=False)
    name: str = "the person's habits, else Markov"
    kind: str = "rule"
    needs: tuple[str, ...] = ("usual_next",)
    reads: str = "history"

    @property
    def kilobytes(self) -> float:
        """Size of the other rule and of the cells, kB; what is kept of each person is not counted."""
        return self.everybody.kilobytes + self.habit.size / 1000

    def fit(self, train: pd.DataFrame) -> Self:
        """Count how often habits held, beyond what everybody does; returns a fitted copy."""
        pages, cell = self._habits(train)
        coming = next_codes(train, encode(train, self.everybody.pages))
        held = (pages == coming[:, None]) & (pages >= 0)
        alike = self._alike(train, pages)
        has = pages[:, 0] >= 0
        seen = np.bincount(cell[has], minlength=N_CELLS)[:, None]
        held_share, alike_share = (_smooth_shares(values[has], cell[has], seen) for values in (held, alike))
        all_alike = alike_share.sum(axis=1, keepdims=True)
        rest = np.clip((1 - held_share.sum(axis=1, keepdims=True)) / np.maximum(1 - all_alike, 1e-9), 0, 1)
        habit = np.clip(held_share - rest * alike_share, 0, None)
        return replace(self, habit=habit / np.maximum(1, habit.sum(axis=1, keepdims=True)))

    def next_pages(self, context: pd.DataFrame, k: int) -> pd.DataFrame:
        """The likeliest next pages of each view: ``view_id, page, rank, chance``."""
        if not len(self.habit):
            raise not_fitted(self.name)
        pages, cell = self._habits(context)
        habit = np.where(pages >= 0, self.habit[cell], 0.0)
        rest = 1 - habit.sum(axis=1)
        chances = habit + rest[:, None] * self._alike(context, pages)
        top = self.everybody.next_pages(context, k + len(HABITS))
        row, page = pd.Index(context["view_id"]).get_indexer(top["view_id"]), encode(top, self.everybody.pages)
        other = (pages[row] != page[:, None]).all(axis=1)
        view, which = np.nonzero(pages >= 0)
        pairs = (np.concatenate([view, row[other]]), np.concatenate([pages[view, which], page[other]]))
        both = np.concatenate([chances[view, which], (top["chance"].to_numpy() * rest[row])[other]])
        return as_answer(context, self.everybody.pages, pairs, both, k)

    def __call__(self, context: pd.DataFrame, scenario: PrefetchScenario) -> pd.DataFrame:
        return decide_by_chance(self, context, scenario, self.limit)

    def _habits(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Codes of the usual and the last page, -1 where there is none, (rows, 2); how settled that is, (rows,)."""
        known = self.everybody.pages
        usual, last = (encode(frame, known, name) if name in frame else np.full(len(frame), -1) for name in HABITS)
        often = np.digitize(_numbers(frame, "here_before"), HERE_BEFORE)
        sure = np.digitize(_numbers(frame, "usual_share"), USUAL_SHARE)
        cell = (often * (len(USUAL_SHARE) + 1) + sure) * 2 + (usual == last)
        pages = np.column_stack([usual, np.where(last == usual, -1, last)])
        pages[(usual < 0) | (pages == encode(frame, known)[:, None]).any(axis=1)] = -1
        return pages, cell

    def _alike(self, frame: pd.DataFrame, pages: np.ndarray) -> np.ndarray:
        """Chances that everybody gives the habits' pages, 0 where there is none: float, shape (rows, 2)."""
        return np.column_stack([np.where(page >= 0, self.everybody.chance_of(frame, page), 0.0) for page in pages.T])


def _smooth_shares(values: np.ndarray, cell: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Mean of each column in each cell, leaning on the mean of all: float, shape (cells, columns)."""
    sums = np.column_stack([np.bincount(cell, column, minlength=N_CELLS) for column in values.T])
    overall = values.mean(axis=0) if len(values) else np.zeros(values.shape[1])
    return (sums + CELL_SMOOTHING * overall) / (seen + CELL_SMOOTHING)


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    return frame[name].fillna(0).to_numpy(float) if name in frame else np.zeros(len(frame))
