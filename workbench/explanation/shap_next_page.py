"""Exact SHAP values of the next-page model: why it takes its first choice for the next page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from workbench.datasets.splits import sample_users
from workbench.errors import check_whole
from workbench.explanation.shap_exact import as_codes, as_read, exact_shap, unite, with_bar
from workbench.features.encoding import distinct_rows
from workbench.features.page_features import HOURS_A_BAND, session_batches
from workbench.models import NextPage

if TYPE_CHECKING:
    import shap

VIEWS_EXPLAINED = 2_000
VIEWS_A_BATCH = 4_000  # described at a time, with all their candidates
QUESTION = "log-odds that the model's first choice is the next page"
PAGE_NOW, PAGE_BEFORE, POPULARITY = "what follows this page", "the page before", "popularity"
HABITS, SEEN, LINKS = "the person's habits", "seen in this session", "links of the page"
DEVICE_AND_HOUR = "device and hour"
# Feature of the trees to the feature that a reader knows; those of context are named after their column.
SOURCES = {
    "page": POPULARITY,
    "popularity": POPULARITY,
    "popularity_rank": POPULARITY,
    "popularity_now": POPULARITY,
    "current_page": PAGE_NOW,
    "current_popularity_rank": PAGE_NOW,
    "skipping_chance": PAGE_BEFORE,
    "previous_page": PAGE_BEFORE,
    "position": "place in the session",
    "times_seen": SEEN,
    "views_ago": SEEN,
    "is_last_next": HABITS,
    "is_usual_next": HABITS,
    "usual_share": HABITS,
    "here_before": HABITS,
    "earlier_views": HABITS,
    "linked": LINKS,
    "links_back": LINKS,
    "previous_dwell_s": "time on the page before",
    "dwell": "time on the page before",
    "device x local_hour": DEVICE_AND_HOUR,
    "local_hour": "hour",
    "os_family": "operating system",
    "save_data": "Save-Data",
    "effective_type": "NetInfo class",
    "connection_type": "connection",
}
# The number that stands for a reader's feature: it colours the beeswarm and is printed in the waterfall.
SHOWN = {
    PAGE_NOW: "first_chance",
    PAGE_BEFORE: "second_chance",
    POPULARITY: "popularity",
    SEEN: "times_seen",
    HABITS: "is_usual_next",
    LINKS: "linked",
    "time on the page before": "previous_dwell_s",
    "place in the session": "position",
    "hour": "local_hour",
}
BANDS = ("night", "morning", "afternoon", "evening")  # of six hours each, as the trees know them
SHARES = (PAGE_NOW, PAGE_BEFORE, POPULARITY)


def explain_next_page(
    model: NextPage, frame: pd.DataFrame, *, views: int = VIEWS_EXPLAINED, seed: int = 0
) -> shap.Explanation:
    """Explain the model's first choice in each view: what makes that page the likeliest next one?

    Exact values from XGBoost (Lundberg et al. 2020, TreeSHAP), worked out once per distinct feature row and in batches;
    features that count the same thing are summed to the one that a reader knows. Candidates are described 4,000 views
    at a time; what is kept is one feature row a view, and what is given back.

    Parameters
    ----------
    model : NextPage
    frame : DataFrame
        Canonical navigations, whole sessions.
    views : int
        About how many views are explained at most; whole users (or sessions) are drawn by ``seed``.
    seed : int

    Returns
    -------
    shap.Explanation
        ``values`` (views, features) in log-odds of the raw margin, ``base_values`` (views,); together they add up to
        the margin within 1e-4. ``data`` holds numbers (of text one for each name: those features are in ``coded``),
        ``display_data`` what a reader knows, ``output_names`` the question, ``card`` the frame's card, ``index`` which
        rows of the frame were explained: those drawn, but views without any candidate.

    Raises
    ------
    WorkbenchError
        Where ``views`` is not a whole number from 1, or ``seed`` not one from 0.
    AssertionError
        Where values do not add up to the margin.
    """
    import shap

    drawn = draw_views(frame, views, seed)
    context = model.context(drawn)
    distinct, which, place = _first_choices(model, context)
    shares = exact_shap(model.booster_, distinct, [source_of(name) for name in model.names_])
    asked, matrix = context.iloc[place], distinct[which]
    numbers = {feature: _number(feature, model.names_, matrix) for feature in shares.features}
    shown = {feature: _as_read(feature, asked, numbers[feature]) for feature in shares.features}
    coded = tuple(
        feature for feature in shares.features if _is_text(feature, asked) or np.isnan(numbers[feature]).all()
    )
    numbers |= {feature: as_codes(shown[feature]) for feature in coded}
    explanation = shap.Explanation(
        values=shares.values[which],
        base_values=shares.base[which],
        data=np.column_stack(list(numbers.values())),
        display_data=np.column_stack(list(shown.values())),
        feature_names=list(shares.features),
        output_names=QUESTION,
    )
    explanation.card, explanation.index, explanation.coded = frame.attrs.get("card"), asked.index, coded
    return explanation


def draw_views(frame: pd.DataFrame, views: int, seed: int) -> pd.DataFrame:
    """All views, or whole users (or sessions) drawn by seed where there are more than ``views``.

    Raises
    ------
    WorkbenchError
        Where ``views`` is not a whole number from 1, or ``seed`` not one from 0.
    """
    check_whole("views", views, at_least=1)
    return frame if len(frame) <= views else sample_users(frame, views, seed)


def _first_choices(model: NextPage, context: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct feature rows of the first choices; which of them each is; places of their views in the context."""
    found, places = [], [np.empty(0, np.int64)]
    for start, part in with_bar(list(session_batches(context, VIEWS_A_BATCH)), "candidates"):
        pairs = model.describe(part)
        first = _first_choice(pairs.row, model.booster_.inplace_predict(pairs.matrix, predict_type="margin"))
        found.append(distinct_rows(pairs.matrix[first]))
        places.append(pairs.row[first] + start)
    return *unite(found), np.concatenate(places)


def source_of(name: str) -> str:
    """The feature that a reader knows, of one that the trees know.

    Examples
    --------
    >>> source_of("second_share"), source_of("first_chance by device"), source_of("price_usd")
    ('the page before', 'device', 'price usd')
    """
    if " by " in name:
        name = name.partition(" by ")[2]
    elif name.startswith("first_"):
        return PAGE_NOW
    elif name.startswith("second_"):
        return PAGE_BEFORE
    return SOURCES.get(name, name.replace("_", " "))


def _first_choice(row: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """Place of the pair with the largest margin of each view; rows rise."""
    order = np.lexsort((-margin, row))
    begins = np.r_[True, np.diff(row[order]) > 0]
    return order[begins]


def _number(feature: str, names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
    for name in (SHOWN.get(feature), feature, feature.replace(" ", "_")):
        if name in names:
            return matrix[:, names.index(name)].astype(float)
    return np.full(len(matrix), np.nan)


def _as_read(feature: str, context: pd.DataFrame, number: np.ndarray) -> np.ndarray:
    """Values as a reader knows them: names, shares in percent, yes and no; "unknown" where there is none."""
    if feature in SHARES:
        shown = ["unknown" if np.isnan(value) else f"{100 * value:.0f} %" for value in number]
    elif feature in (HABITS, LINKS):
        shown = ["yes" if value > 0 else "no" for value in number]
    elif feature == DEVICE_AND_HOUR and {"device", "local_hour"} <= set(context):
        device, hour = as_read(context["device"]), as_read(context["local_hour"])
        shown = [f"{one}, {_hour(other)}" for one, other in zip(device, hour, strict=True)]
    elif feature not in SHOWN and (column := _column_of(feature, context)):
        return as_read(context[column])
    else:
        shown = ["unknown" if np.isnan(value) else f"{value:g}" for value in number]
    return np.array(shown, dtype=object)


def _hour(hour: float | str) -> str:
    return "unknown" if isinstance(hour, str) else BANDS[int(hour) // HOURS_A_BAND]


def _column_of(feature: str, context: pd.DataFrame) -> str:
    """The context column that a reader's feature is named after; empty where there is none."""
    return next((name for name in context if source_of(name) == feature), "")


def _is_text(feature: str, context: pd.DataFrame) -> bool:
    column = _column_of(feature, context)
    return bool(column) and feature not in SHOWN and not is_numeric_dtype(context[column])
