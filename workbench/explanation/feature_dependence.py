"""How an answer depends on one feature: the mean push of each of its values, beside the truth where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.splits import FEWEST_USERS, card_of, users_of
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError, check_whole, did_you_mean
from workbench.evidence.segments import segment_intervals
from workbench.explanation.acting import act_on
from workbench.explanation.feature_pairs import groups_of, levels_of, strongest_interaction
from workbench.explanation.levels import MOST_LEVELS, OTHER
from workbench.explanation.planted_truth import true_log_odds, true_next_log_odds, true_push
from workbench.explanation.questions import late_question
from workbench.explanation.shap_by_feature import THE_QUESTION, readable, shap_values
from workbench.explanation.shap_next_page import SHARES
from workbench.models import NetworkQuality, NextPage

if TYPE_CHECKING:
    import shap

PUSHES = ("push", "together")


@dataclass(frozen=True)
class Dependence:
    """Mean SHAP value of a feature at each of its levels.

    Parameters
    ----------
    feature : str
        As a reader knows it.
    by : str
        The feature that splits the views; empty where none does.
    question : str
        What the values push, in words.
    points : DataFrame
        A row a level, or a group and a level: ``group, level, users, views``; ``push, push_low, push_high``, the mean
        of the feature's SHAP values in log-odds; ``together, together_low, together_high``, the mean of the raw
        margin, all features together, less its mean over all views. ``true_push`` and ``true_together`` are the same
        of the simulation's own chances; missing where there is no truth.
    numeric : bool
        Whether levels are bins of numbers, in order.
    left_out : int
        Views in no row: their level has under 20 users.
    people : str
        What those are who were resampled.
    unit : str
        Of the levels, where they are shares: ``"%"``.
    card : Card
    """

    feature: str
    by: str
    question: str
    points: pd.DataFrame = field(repr=False)
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
        """The levels that push most up and most down, in words; of each group, where views are split."""
        named = self.points[~self.points["level"].isin([OTHER])]
        told = [self._extremes(str(group), rows) for group, rows in named.groupby("group", sort=False, observed=True)]
        truth = self._truth_in_words()
        return [f"Push of {self.feature} on the {self.question}: {'; '.join(told)}.{truth}"]

    def _extremes(self, group: str, rows: pd.DataFrame) -> str:
        top, bottom = (rows.loc[pick(rows["push"])] for pick in (pd.Series.idxmax, pd.Series.idxmin))
        said = f"most at {top['level']}, {_span(top)}"
        if bottom["level"] != top["level"]:
            said += f", least at {bottom['level']}, {_span(bottom)}"
        return f"{self.by} {group}: {said}" if group else said

    def _truth_in_words(self) -> str:
        there = self.points.dropna(subset=["true_push"])
        if there.empty:
            return ""
        same = (np.sign(there["push"]) == np.sign(there["true_push"])).sum()
        return f" Of {len(there)} points, {same} have the planted sign."


def dependence(
    model: NetworkQuality | NextPage,
    frame: pd.DataFrame,
    feature: str | None = None,
    *,
    by: str | None = None,
    bins: int | Sequence[float] = MOST_LEVELS,
    quantity: str | None = None,
    scenario: ImageScenario | PrefetchScenario | None = None,
    seed: int = 0,
) -> Dependence:
    """Tell how a model's answer depends on one feature.

    SHAP values of the question of :func:`workbench.explanation.shap_values`, averaged at each level of the feature:
    bins of numbers, the largest levels of a category. Levels of fewer than 20 users are merged into "other", and
    crossings with ``by`` of fewer are left out. Intervals resample users, and hold the model as it is.

    Where the data are simulated the truth stands beside it. A SHAP value shares out credit among features, so two
    truths are told: the true share of the feature (Shapley value of the true log-odds; only for local hour and
    operating system, which no other column stands in for), and the true mean of the log-odds with all features
    together, beside the model's own. The latter moves with whatever goes along with the feature, in both alike.

    Parameters
    ----------
    model : NetworkQuality or NextPage
    frame : DataFrame
        Canonical measurements or navigations (whole sessions), with their card, such as ``split.validation``. Of images
        those views count that come without a signal: in the others no model is asked.
    feature : str, optional
        A column, or the name of the feature in an explanation. Without one, the two features are shown whose picture
        depends most on one another (:func:`workbench.explanation.feature_pairs.strongest_interaction`).
    by : str, optional
        Another one: the views are split by its three largest levels.
    bins : int or sequence of float
        Of numbers: how many bins, or where bins begin.
    quantity, scenario
        As for ``shap_values``.
    seed : int
        Of the resampling, and of the views drawn for a next-page model.

    Returns
    -------
    Dependence

    Raises
    ------
    WorkbenchError
        Where the model has no such feature, no level has 20 users, or no view is without a signal.
    """
    card = card_of(frame)
    check_whole("seed", seed, at_least=0)
    if isinstance(model, NetworkQuality):
        frame = act_on(model, frame, scenario).frame
    frame = frame.reset_index(drop=True)
    explanation = shap_values(model, frame, quantity=quantity, scenario=scenario, seed=seed)
    views = frame.loc[explanation.index]
    cluster = "session_id" if isinstance(model, NextPage) and "user_id" not in frame else "user_id"
    users = users_of(views, cluster)
    place, split_at = _places_of(feature, by, explanation, users)
    levels, numeric = levels_of(explanation, place, users, bins)
    name, groups = explanation.feature_names[place], groups_of(explanation, split_at, users)
    together = np.asarray(explanation.values).sum(axis=1) + explanation.base_values
    if isinstance(model, NextPage):
        truths = _truths_of_pages(model, frame, views)
    else:
        truths = _truths_of_networks(model, views, name, quantity, scenario)
    values = np.column_stack([explanation.values[:, place], together - together.mean(), truths])
    points = _points(levels, groups, values, users, seed)
    if points.empty:
        raise WorkbenchError(f"no level of {name} has {FEWEST_USERS} users, so none can be shown. Take more rows.")
    return Dependence(
        feature=name,
        by="" if split_at is None else explanation.feature_names[split_at],
        question=str(explanation.output_names),
        points=points,
        numeric=numeric,
        left_out=len(views) - int(points["views"].sum()),
        people=cluster.removesuffix("_id") + "s" if cluster in frame else "views",
        unit="%" if name in SHARES else "",
        card=card,
    )


def _places_of(
    feature: str | None, by: str | None, explanation: shap.Explanation, users: np.ndarray
) -> tuple[int, int | None]:
    """Places of a feature and of the one that splits the views."""
    if feature is not None:
        return _place_of(feature, explanation), None if by is None else _place_of(by, explanation)
    if by is not None:
        raise WorkbenchError(f"by={by!r} splits the views of a feature: expected its name too, or neither.")
    return strongest_interaction(explanation, users)


def _place_of(feature: str, explanation: shap.Explanation) -> int:
    names = list(explanation.feature_names)
    for name in (feature, readable(feature)):
        if name in names and name != THE_QUESTION:
            return names.index(name)
    known = [name for name in names if name != THE_QUESTION]
    raise WorkbenchError(
        f"the model has no feature {feature!r}; it has {', '.join(known)}.{did_you_mean(feature, known)}"
    )


def _truths_of_networks(
    model: NetworkQuality, views: pd.DataFrame, feature: str, quantity: str | None, scenario: Any
) -> np.ndarray:
    """True push of a feature, and true log-odds less their mean; missing where there is none: shape (rows, 2)."""
    card, asked = card_of(views), late_question(model, views, quantity, scenario or ImageScenario())
    quantity, edge = asked.quantity, asked.edge
    column = {readable(name): name for name in views}.get(feature, "")
    push, together = true_push(views, card, quantity, edge, column), true_log_odds(views, card, quantity, edge)
    nothing = np.full(len(views), np.nan)
    return np.column_stack(
        [nothing if push is None else push, nothing if together is None else together - together.mean()]
    )


def _truths_of_pages(model: NextPage, frame: pd.DataFrame, views: pd.DataFrame) -> np.ndarray:
    """The same of page views: only all features together, for the sessions that are explained."""
    sessions = frame[frame["session_id"].isin(views["session_id"])]
    truth = true_next_log_odds(model.context(sessions), card_of(frame), model)
    if truth is None:
        return np.full((len(views), 2), np.nan)
    together = truth[sessions.index.get_indexer(views.index)]
    return np.column_stack([np.full(len(views), np.nan), together - together.mean()])


def _points(levels: pd.Series, groups: pd.Series, values: np.ndarray, users: np.ndarray, seed: int) -> pd.DataFrame:
    """One row a group and level with 20 users at least; values are push, together, and the truths of both."""
    rows: list[dict[str, Any]] = []
    members = []
    for group in groups.cat.categories:
        here = (groups == group).to_numpy()
        for level in levels.cat.categories:
            inside = here & (levels == level).to_numpy()
            crowd = len(np.unique(users[inside]))
            if crowd >= FEWEST_USERS:
                members.append(inside)
                rows.append({"group": group, "level": level, "users": crowd, "views": int(inside.sum())})
    bounds = segment_intervals(values[:, :2], users, members, seed=seed)
    columns = [f"{name}{end}" for name in PUSHES for end in ("", "_low", "_high")]
    means = np.array([values[inside, 2:].mean(axis=0) for inside in members]).reshape(-1, 2)
    points = pd.DataFrame(rows, columns=["group", "level", "users", "views"])
    ordered = {"group": groups.cat.categories, "level": levels.cat.categories}
    return points.assign(
        **{
            name: pd.Categorical(points[name], [each for each in known if each in set(points[name])], ordered=True)
            for name, known in ordered.items()
        },
        **dict(zip(columns, bounds.T, strict=True)),
        true_push=means[:, 0],
        true_together=means[:, 1],
    )


def _span(row: pd.Series) -> str:
    return f"{row['push']:+.2f} ({row['push_low']:+.2f} to {row['push_high']:+.2f})"
