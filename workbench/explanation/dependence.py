"""How an answer depends on one feature: the mean SHAP value at each of its levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from workbench.checked import checked
from workbench.datasets.cards import Card
from workbench.datasets.schema import label
from workbench.datasets.splits import FEWEST_USERS
from workbench.errors import WorkbenchError, check_seed, did_you_mean
from workbench.evidence.segments import segment_intervals
from workbench.explanation.base import apply_model, as_html, may_be_missing
from workbench.explanation.shap_values import explain_drawn, features_of
from workbench.features.levels import MOST_LEVELS, OTHER, UNKNOWN, name_levels, number_levels

VIEWS_EXPLAINED = 8_000  # levels are crossed with groups, and each cell needs users
MEANS = ("shap", "margin")


@dataclass(frozen=True, repr=False)
class Dependence:
    """Mean SHAP value of a feature at each of its levels.

    ``by`` is the feature that splits the views, empty where none does. ``points`` has a row a level, or a group and a
    level: ``group, level, users, views``; ``shap, shap_low, shap_high``, the mean of the feature's SHAP values in
    log-odds; ``margin, margin_low, margin_high``, the mean of the raw margin, all features together, less its mean over
    all views. ``numeric`` levels are bins of numbers, in order, ``unit`` is ``"%"`` where they are shares; ``left_out``
    views are in no row, since their level has under 20 users.
    """

    feature: str
    by: str
    question: str
    points: pd.DataFrame
    numeric: bool
    left_out: int
    people: str
    unit: str
    card: Card = field(repr=False)

    @property
    def finding(self) -> str:
        """In one line, what is shown."""
        split = f", by {self.by}" if self.by else ""
        return f"How the answer depends on {self.feature}{split}"

    @property
    def sentences(self) -> list[str]:
        """The levels with the largest and the smallest mean; of each group, where views are split."""
        named = self.points[~self.points["level"].isin([OTHER])]
        groups = named.groupby("group", sort=False, observed=True)
        said = "; ".join(self._extremes(str(group), rows) for group, rows in groups)
        return [f"Mean SHAP value of {self.feature} ({self.question}): {said}."]

    def _extremes(self, group: str, rows: pd.DataFrame) -> str:
        top, bottom = rows.loc[rows["shap"].idxmax()], rows.loc[rows["shap"].idxmin()]
        said = f"largest at {top['level']}, {_span(top)}"
        if bottom["level"] != top["level"]:
            said += f", smallest at {bottom['level']}, {_span(bottom)}"
        return f"{self.by} {group}: {said}" if group else said

    def to_frame(self) -> pd.DataFrame:
        """The points, one row a level (of a group)."""
        return self.points.set_index(["group", "level"] if self.by else "level")

    def __repr__(self) -> str:
        return f"{self.finding}.\n{self._short().to_string(index=False)}"

    def _repr_html_(self) -> str:
        return as_html(self.finding, self.sentences, self._short())

    def _short(self) -> pd.DataFrame:
        points = self.points[["group", "level", "users"] if self.by else ["level", "users"]]
        spans = [_span(row) for _, row in self.points.iterrows()]
        return points.rename(columns={"group": self.by, "level": self.feature}).assign(**{"mean SHAP value": spans})


@may_be_missing
@checked
def dependence(
    model: Any,
    frame: pd.DataFrame,
    feature: str | None = None,
    *,
    scenario: Any = None,
    seed: int = 0,
    by: str | None = None,
    bins: int | Sequence[float] = MOST_LEVELS,
    **question: Any,
) -> Dependence:
    """Show how a model's answer depends on one feature.

    SHAP values of the question of :func:`workbench.explanation.shap_values`, averaged at each level of the feature:
    bins of numbers, the largest levels of a category. Levels of fewer than 20 users are merged into "other", and
    crossings with ``by`` of fewer are left out. Intervals resample users, and hold the model as it is.

    Parameters
    ----------
    model, frame, scenario, missing_ok
        As for ``wb.importance``; about 8,000 views, whole users drawn by seed, are explained at most.
    feature : str, optional
        A column, or the name of the feature in an explanation. Without one, the two features are shown whose effects
        depend most on one another (:func:`workbench.explanation.dependence.strongest_interaction`).
    seed : int
        Random seed of the draw and of the resampling.
    by : str, optional
        Another one: the views are split by its three largest levels.
    bins : int or sequence of float
        How many bins a number is put in, or where they begin.
    **question
        As for ``shap_values``, such as ``quantity="rtt_ms"``.

    Raises
    ------
    WorkbenchError
        Where the model has no such feature, no level has 20 users, or no view is without a signal.

    >>> wb.dependence(model, split.validation, "local_hour", by="os_family")  # doctest: +SKIP
    """
    check_seed(seed)
    applied = apply_model(model, frame, scenario)
    explanation, users = explain_drawn(applied, VIEWS_EXPLAINED, seed, **question)
    card = applied.situations.card
    place, split_at = _places_of(feature, by, explanation, users, card)
    levels, numeric = levels_of(explanation, place, users, bins)
    name, groups = explanation.feature_names[place], groups_of(explanation, split_at, users)
    margin = np.asarray(explanation.values).sum(axis=1) + explanation.base_values
    values = np.column_stack([explanation.values[:, place], margin - margin.mean()])
    points = _points(levels, groups, values, users, seed)
    if points.empty:
        raise WorkbenchError(f"no level of {name} has {FEWEST_USERS} users, so none can be shown. Take more rows.")
    return Dependence(
        feature=name,
        by="" if split_at is None else explanation.feature_names[split_at],
        question=str(explanation.output_names),
        points=points,
        numeric=numeric,
        left_out=len(users) - int(points["views"].sum()),
        people=applied.situations.people,
        unit=explanation.units.get(name, ""),
        card=card,
    )


def _places_of(
    feature: str | None, by: str | None, explanation: Any, users: np.ndarray, card: Card
) -> tuple[int, int | None]:
    """Places of a feature and of the one that splits the views."""
    if feature is not None:
        return _place_of(feature, explanation, card), None if by is None else _place_of(by, explanation, card)
    if by is not None:
        raise WorkbenchError(f"by={by!r} splits the views of a feature: expected its name too, or neither.")
    return strongest_interaction(explanation, users)


def _place_of(feature: str, explanation: Any, card: Card) -> int:
    names = {explanation.feature_names[place]: place for place in features_of(explanation)}
    for name in (feature, label(feature, card)):
        if name in names:
            return names[name]
    raise WorkbenchError(
        f"the model has no feature {feature!r}; it has {', '.join(names)}.{did_you_mean(feature, list(names))}"
    )


def _points(levels: pd.Series, groups: pd.Series, values: np.ndarray, users: np.ndarray, seed: int) -> pd.DataFrame:
    """One row a group and level with 20 users at least."""
    cells = pd.DataFrame({"group": groups, "level": levels, "user": users}).groupby(["group", "level"], observed=True)
    points = cells["user"].agg(users="nunique", views="size")
    points = points[points["users"] >= FEWEST_USERS].reset_index()
    for name in ("group", "level"):
        points[name] = points[name].cat.remove_unused_categories()
    members = [
        ((groups == group) & (levels == level)).to_numpy()
        for group, level in zip(points["group"], points["level"], strict=True)
    ]
    bounds = segment_intervals(values, users, members, seed=seed)
    columns = [f"{name}{end}" for name in MEANS for end in ("", "_low", "_high")]
    return points.assign(**dict(zip(columns, bounds.T, strict=True)))


def _span(row: pd.Series) -> str:
    return f"{row['shap']:+.2f} ({row['shap_low']:+.2f} to {row['shap_high']:+.2f})"


MOST_GROUPS = 3
ALL = ""  # the one group where nothing splits the views


def strongest_interaction(explanation: Any, users: np.ndarray) -> tuple[int, int | None]:
    """Find the two features of which one, at the same level, has the most different SHAP values by the other.

    Judged by the root mean square, over views, of the mean SHAP value in a cell of both, less the mean at the level:
    what no picture of the first alone could show. Cells under 20 users, and "other" levels, do not count.
    Exploratory: it is the largest of many. Where no pair has a cell of 20 users, it is the strongest feature and the
    next one; of a model with one feature that one, and None. Both are places in ``feature_names``.
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
    numeric = unit or all(isinstance(value, (float, np.floating)) for value in shown[known])
    if not numeric or not known.any():
        return name_levels(shown, users, most), False
    return number_levels(np.where(known, data, np.nan), users, bins, unit if with_unit else ""), True


def groups_of(explanation: Any, split_at: int | None, users: np.ndarray) -> pd.Series:
    """Group of each view: level of the feature that splits them, or one for all."""
    if split_at is None:
        return pd.Series(pd.Categorical([ALL] * len(users), ordered=True))
    return levels_of(explanation, split_at, users, MOST_GROUPS, most=MOST_GROUPS, with_unit=True)[0]
