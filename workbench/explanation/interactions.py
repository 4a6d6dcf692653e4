"""Features of an explanation as levels, and the two of them whose effects depend most on one another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.splits import FEWEST_USERS
from workbench.explanation.shap_values import features_of
from workbench.features.levels import MOST_LEVELS, OTHER, UNKNOWN, name_levels, number_levels

MOST_GROUPS = 3
ALL = ""  # the one group where nothing splits the views


def strongest_interaction(explanation: Any, users: np.ndarray) -> tuple[int, int | None]:
    """Find the two features of which one, at the same level, has the most different SHAP values by the other.

    Judged by the root mean square, over views, of the mean SHAP value in a cell of both, less the mean at the level:
    what no picture of the first alone could show. Cells under 20 users, and "other" levels, do not count.
    Exploratory: it is the largest of many.

    Parameters
    ----------
    explanation : shap.Explanation, shape (views, features)
    users : ndarray of int, shape (views,)
        Who each view belongs to.

    Returns
    -------
    feature, by : int
        Places in ``feature_names``. Where no pair has a cell of 20 users, the strongest feature and the next one; of
        a model with one feature that one, and None.
    """
    values = np.asarray(explanation.values)
    places = sorted(features_of(explanation), key=lambda place: -abs(values[:, place]).mean())
    if len(places) < 2:
        return places[0], None
    levels = {i: _codes(levels_of(explanation, i, users)[0]) for i in places}
    groups = {i: _codes(groups_of(explanation, i, users)) for i in places}

    def strength(pair: tuple[int, int]) -> float:
        feature, by = pair
        cells = pd.DataFrame({"level": levels[feature], "group": groups[by], "user": users, "shap": values[:, feature]})
        cells = cells[(cells["level"] >= 0) & (cells["group"] >= 0)]
        away = cells["shap"] - cells.groupby("level")["shap"].transform("mean")
        found = away.groupby([cells["level"], cells["group"]]).agg(["mean", "size"])
        found = found[cells.groupby(["level", "group"])["user"].nunique() >= FEWEST_USERS]
        return float(np.sqrt((found["size"] * found["mean"] ** 2).sum() / len(values)))

    return max(permutations(places, 2), key=strength)


def _codes(levels: pd.Series) -> np.ndarray:
    """Levels as codes; -1 for other, which is no level."""
    return np.where(levels == OTHER, -1, levels.cat.codes)


def levels_of(
    explanation: Any,
    place: int,
    users: np.ndarray,
    bins: int | Sequence[float] = MOST_LEVELS,
    *,
    most: int = MOST_LEVELS,
    with_unit: bool = False,
) -> tuple[pd.Series, bool]:
    """Level of each view, and whether levels are bins of numbers; the unit is in their names where it is asked for."""
    shown, data = explanation.display_data[:, place], np.asarray(explanation.data[:, place], float)
    unit = explanation.units.get(explanation.feature_names[place], "")
    known = shown != UNKNOWN
    if not unit and not all(isinstance(value, (float, np.floating)) for value in shown[known]):
        return name_levels(shown, users, most), False
    if not known.any():
        return name_levels(shown, users, most), False
    return number_levels(np.where(known, data, np.nan), users, bins, unit if with_unit else ""), True


def groups_of(explanation: Any, split_at: int | None, users: np.ndarray) -> pd.Series:
    """Group of each view: level of the feature that splits them, or one for all."""
    if split_at is None:
        return pd.Series(pd.Categorical([ALL] * len(users)))
    return levels_of(explanation, split_at, users, MOST_GROUPS, most=MOST_GROUPS, with_unit=True)[0]
