"""Features of an explanation as levels, and the two of them whose picture depends most on one another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.datasets.splits import FEWEST_USERS
from workbench.explanation.levels import MOST_LEVELS, OTHER, UNKNOWN, name_levels, number_levels
from workbench.explanation.shap_by_feature import THE_QUESTION
from workbench.explanation.shap_next_page import SHARES

if TYPE_CHECKING:
    import shap

MOST_GROUPS = 3
NOBODY_ELSE = ""  # the one group where nothing splits the views


def strongest_interaction(explanation: shap.Explanation, users: np.ndarray) -> tuple[int, int | None]:
    """Find the two features of which one, at the same level, pushes most differently by the other.

    Judged by the root mean square, over views, of the mean push in a cell of both, less the mean push at the level:
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
    names, values = explanation.feature_names, np.asarray(explanation.values)
    places = [int(i) for i in np.argsort(-abs(values).mean(axis=0), kind="stable") if names[i] != THE_QUESTION]
    if len(places) < 2:
        return places[0], None
    levels = {i: _codes(levels_of(explanation, i, users)[0]) for i in places}
    groups = {i: _codes(groups_of(explanation, i, users)) for i in places}

    def strength(pair: tuple[int, int]) -> float:
        feature, by = pair
        cells = pd.DataFrame({"level": levels[feature], "group": groups[by], "user": users, "push": values[:, feature]})
        cells = cells[(cells["level"] >= 0) & (cells["group"] >= 0)]
        away = cells["push"] - cells.groupby("level")["push"].transform("mean")
        found = away.groupby([cells["level"], cells["group"]]).agg(["mean", "size"])
        found = found[cells.groupby(["level", "group"])["user"].nunique() >= FEWEST_USERS]
        return float(np.sqrt((found["size"] * found["mean"] ** 2).sum() / len(values)))

    return max(permutations(places, 2), key=strength)


def _codes(levels: pd.Series) -> np.ndarray:
    """Levels as codes; -1 for other, which is no level."""
    return np.where(levels == OTHER, -1, levels.cat.codes)


def levels_of(
    explanation: shap.Explanation,
    place: int,
    users: np.ndarray,
    bins: int | Sequence[float] = MOST_LEVELS,
    *,
    most: int = MOST_LEVELS,
    unit: str = "",
) -> tuple[pd.Series, bool]:
    """Level of each view, and whether levels are bins of numbers."""
    numbers = _numbers(explanation, place)
    if numbers is None:
        return name_levels(explanation.display_data[:, place], users, most), False
    return number_levels(numbers, users, bins, unit), True


def groups_of(explanation: shap.Explanation, split_at: int | None, users: np.ndarray) -> pd.Series:
    """Group of each view: level of the feature that splits them, or one for all."""
    if split_at is None:
        return pd.Series(pd.Categorical([NOBODY_ELSE] * len(users)))
    unit = "%" if explanation.feature_names[split_at] in SHARES else ""
    return levels_of(explanation, split_at, users, MOST_GROUPS, most=MOST_GROUPS, unit=unit)[0]


def _numbers(explanation: shap.Explanation, place: int) -> np.ndarray | None:
    """The values as numbers, where they are numbers to the reader too; a name that stands for a number is none."""
    name, data = explanation.feature_names[place], np.asarray(explanation.data[:, place], float)
    if name in SHARES:
        return 100 * data
    if name in explanation.coded:
        return None
    shown = pd.Series(explanation.display_data[:, place], dtype=object)
    told = shown != UNKNOWN
    if not told.any():
        return None
    parsed = pd.to_numeric(shown.where(told), errors="coerce").to_numpy(float)
    same = np.isclose(parsed[told], data[told], rtol=1e-4, atol=1e-6)
    return np.where(told, data, np.nan) if same.all() else None
