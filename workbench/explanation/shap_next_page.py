"""Exact SHAP values of the next-page model: why it takes its first choice for the next page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.datasets.splits import sample_users
from workbench.errors import check_whole
from workbench.models import NextPage

if TYPE_CHECKING:
    import shap

VIEWS_EXPLAINED = 2_000
QUESTION = "log-odds that the model's first choice is the next page"
TOLERANCE = 1e-3  # of the margins, which are sums of float32
PAGE_NOW, PAGE_BEFORE, POPULARITY = "what follows this page", "the page before", "popularity"
HABITS, SEEN, LINKS = "the person's habits", "seen in this session", "links of the page"
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
    "device x local_hour": "device and hour",
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
SHARES = (PAGE_NOW, PAGE_BEFORE, POPULARITY)


def explain_next_page(
    model: NextPage, frame: pd.DataFrame, *, views: int = VIEWS_EXPLAINED, seed: int = 0
) -> shap.Explanation:
    """Explain the model's first choice in each view: what makes that page the likeliest next one?

    Exact values from XGBoost (Lundberg et al. 2020, TreeSHAP), worked out once per distinct feature row; features
    that count the same thing are summed to the one that a reader knows.

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
        the margin. ``data`` holds numbers, ``display_data`` what a reader knows, ``output_names`` the question,
        ``card`` the frame's card.
    """
    import shap
    import xgboost

    check_whole("views", views, at_least=1)
    drawn = frame if len(frame) <= views else sample_users(frame, views, seed)
    context = model.context(drawn)
    pairs = model.describe(context)
    margin = model.booster_.inplace_predict(pairs.matrix, predict_type="margin")
    first = _first_choice(pairs.row, margin)
    rows, which = np.unique(np.ascontiguousarray(pairs.matrix[first]), axis=0, return_inverse=True)
    contributions = model.booster_.predict(xgboost.DMatrix(rows), pred_contribs=True).astype(float)[which.ravel()]
    _check_sum(contributions, margin[first])
    sources = [source_of(name) for name in pairs.names]
    features = list(dict.fromkeys(sources))
    columns = [[i for i, source in enumerate(sources) if source == feature] for feature in features]
    asked = context.iloc[pairs.row[first]]
    numbers = {feature: _number(feature, pairs.names, pairs.matrix[first]) for feature in features}
    explanation = shap.Explanation(
        values=np.column_stack([contributions[:, ids].sum(axis=1) for ids in columns]),
        base_values=contributions[:, -1],
        data=np.column_stack(list(numbers.values())),
        display_data=np.column_stack([_as_read(feature, asked, numbers[feature]) for feature in features]),
        feature_names=features,
        output_names=QUESTION,
    )
    explanation.card = frame.attrs.get("card")
    return explanation


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


def _check_sum(contributions: np.ndarray, margin: np.ndarray) -> None:
    worst = float(np.abs(contributions.sum(axis=1) - margin).max(initial=0.0))
    if worst > TOLERANCE:
        raise AssertionError(f"SHAP values must add up to the margin; they are off by up to {worst:g}.")


def _number(feature: str, names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
    for name in (SHOWN.get(feature), feature, feature.replace(" ", "_")):
        if name in names:
            return matrix[:, names.index(name)].astype(float)
    return np.full(len(matrix), np.nan)


def _as_read(feature: str, context: pd.DataFrame, number: np.ndarray) -> np.ndarray:
    """Values as a reader knows them: names, shares in percent, yes and no; "unknown" where there is none."""
    column = next((name for name in context if source_of(name) == feature), None)
    if feature in SHARES:
        shown = [f"{100 * value:.0f} %" for value in number]
    elif feature in (HABITS, LINKS):
        shown = ["yes" if value > 0 else "no" for value in number]
    elif column is not None and feature not in SHOWN:
        values = context[column]
        return values.astype(object).where(values.notna(), "unknown").to_numpy(object)
    else:
        shown = ["unknown" if np.isnan(value) else f"{value:g}" for value in number]
    return np.array(shown, dtype=object)
