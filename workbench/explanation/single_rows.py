"""The views that a model is most wrong about, and what they have in common; never a person."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.datasets.splits import FEWEST_USERS, card_of
from workbench.decisions.images.scenario import ImageScenario
from workbench.evidence.segments import segment_intervals
from workbench.explanation.acting import ImagesActing, PagesActing
from workbench.explanation.levels import OTHER, name_levels, number_levels
from workbench.explanation.periods import column_in_words, period_context
from workbench.explanation.questions import late_question
from workbench.features.network import worse_than
from workbench.features.pages import NO_PAGE, encode, next_codes
from workbench.models import NetworkQuality, NextPage

WORST = 0.1  # of the views
LEAST_CHANCE = 1e-4  # what a page that is no candidate counts as, so that its log-loss has an end
SHOWN = 12
COLUMNS = ["feature", "value", "views", "users", "share", "low", "high"]


def look_at_rows(here: ImagesActing | PagesActing, seed: int = 0) -> pd.DataFrame:
    """What the worst tenth of the views have in common.

    Views are ranked by log-loss: of the answer to "is the network worse than the edge at which the images are just
    late?" (:func:`workbench.explanation.questions.late_question`), or of the chance that the model gave to the page
    that was opened next (or to the end). Those that are as wrong as the last of the tenth are among the worst too: all
    views, it may be, whose next page was no candidate.

    Parameters
    ----------
    here : ImagesActing or PagesActing
    seed : int

    Returns
    -------
    DataFrame
        A row a value of a feature (numbers in bins), those most common among the worst first, at most twelve:
        ``feature, value``; ``views, users`` of the value among the worst; ``share, low, high``, the share of the
        value's views that are among the worst, users resampled; ``attrs["share"]`` is that of all views. No value is
        named that fewer than 20 users among the worst share.
    """
    losses = log_losses(here)
    judged = ~np.isnan(losses)
    frame, users, losses = here.frame[judged], here.users[judged], losses[judged]
    worst = losses >= np.quantile(losses, 1 - WORST)
    card = card_of(here.frame)
    context = period_context(frame, card.kind, here.model.known_by, here.model.extra)
    rows, members = [], []
    for name in context:
        levels = _levels(context[name], users)
        for level in levels.cat.categories.drop(OTHER, errors="ignore"):
            inside = (levels == level).to_numpy()
            crowd = len(np.unique(users[inside & worst]))
            if crowd >= FEWEST_USERS:
                members.append(inside)
                rows.append((column_in_words(name, card.kind), level, int((inside & worst).sum()), crowd))
    bounds = segment_intervals(worst[:, None].astype(float), users, members, seed=seed)
    table = pd.DataFrame([(*row, *bound) for row, bound in zip(rows, bounds, strict=True)], columns=COLUMNS)
    table = table.sort_values(["low", "views"], ascending=False, ignore_index=True).head(SHOWN)
    table.attrs["share"] = float(worst.mean())
    return table


def log_losses(here: ImagesActing | PagesActing) -> np.ndarray:
    """Log-loss of each view, missing where nothing was measured: float, shape (rows,)."""
    if isinstance(here.model, NextPage):
        return _of_pages(here.model, here.context)
    assert isinstance(here.scenario, ImageScenario)
    return _of_networks(here.model, here.frame, here.context, here.scenario)


def _of_networks(
    model: NetworkQuality, frame: pd.DataFrame, context: pd.DataFrame, scenario: ImageScenario
) -> np.ndarray:
    asked = late_question(model, frame, None, scenario)
    quantity, edge = asked.quantity, asked.edge
    chance = model.chance_worse(context, quantity, np.array([edge]))[:, 0]
    values = frame[quantity].to_numpy(float)
    right = np.where(worse_than(values, np.array(edge), quantity), chance, 1 - chance)
    return np.where(np.isnan(values), np.nan, -np.log(right.clip(min=LEAST_CHANCE)))


def _of_pages(model: NextPage, context: pd.DataFrame) -> np.ndarray:
    row, page, chance = model.candidate_chances(context)
    codes = encode(context, model.counts_.pages.pages)
    opened = next_codes(context, codes)
    hit = opened[row] == page
    given = np.bincount(row[hit], chance[hit], len(context))
    ends = 1 - np.bincount(row, chance, len(context))
    return -np.log(np.where(opened == NO_PAGE, ends, given).clip(LEAST_CHANCE, 1))


def _levels(values: pd.Series, users: np.ndarray) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return number_levels(values.to_numpy(float, na_value=np.nan), users)
    return name_levels(values.to_numpy(object), users)
