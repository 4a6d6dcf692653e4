"""Where model and rule disagree, in figures: directions, who is right, features whose SHAP values separate them.

Exploratory: intervals, no verdicts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.splits import FEWEST_USERS, sample_users
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import LEVEL, bootstrap_means, cluster_intervals
from workbench.evidence.segments import segment_intervals
from workbench.explanation.acting import ImagesActing, PagesActing
from workbench.explanation.parting_views import SAME, Parting
from workbench.explanation.shap_by_feature import THE_QUESTION, shap_values
from workbench.explanation.shap_next_page import explain_next_page

OTHERWISE = "otherwise (few users)"
VIEWS_EXPLAINED = 2_000
SEPARATING = ["direction", "views", "feature", "there", "where alike", "difference", "low", "high"]
NET_BOUNDS = ["net", "net_low", "net_high"]
DIRECTIONS = [
    *("direction", "views", "users", "share", "share_low", "share_high", "model_right", "rule_right", "equal"),
    *NET_BOUNDS,
    *("contribution", "contribution_low", "contribution_high"),
]


def directions_of(parting: Parting, *, seed: int = 0) -> pd.DataFrame:
    """In which direction model and rule disagree, how often, who is right, and what it is worth.

    Directions under 20 users are told together, and left out where they are under 20 still. The last row is the views
    in which both do the same: of prefetching these differ in net too, where the caches differ.

    Parameters
    ----------
    parting : Parting
    seed : int
        Of the resampling.

    Returns
    -------
    DataFrame
        One row a direction, most views first, none where none has 20 users: ``direction, views, users``; ``share,
        share_low, share_high`` of all views; ``model_right, rule_right, equal`` (shares of its views in which the net
        of one is larger); ``net, net_low, net_high`` (model minus rule, for each of its views); ``contribution,
        contribution_low, contribution_high`` (the same, for each of all views: they add up to the whole difference,
        but for what is left out). Intervals are 95 %,
        users resampled.
    """
    users, difference = parting.acting.users, parting.difference
    direction = _merge_few(parting.direction, users)
    counts = pd.Series(direction[direction != SAME]).value_counts()
    names = [name for name in [*counts.index, SAME] if len(np.unique(users[direction == name])) >= FEWEST_USERS]
    members = [direction == name for name in names]
    net = segment_intervals(difference[:, None], users, members, seed=seed)
    rows: list[dict[str, Any]] = []
    for name, inside, bounds in zip(names, members, net, strict=True):
        share, part = cluster_intervals(np.column_stack([inside, difference * inside]), users, seed=seed)
        there = difference[inside]
        right, wrong = float((there > 0).mean()), float((there < 0).mean())
        row = {"direction": name, "views": int(inside.sum()), "users": len(np.unique(users[inside]))}
        row |= {"share": share.estimate, "share_low": share.low, "share_high": share.high}
        row |= {"model_right": right, "rule_right": wrong, "equal": float((there == 0).mean())}
        row |= dict(zip(NET_BOUNDS, map(float, bounds), strict=True))
        rows.append(row | {"contribution": part.estimate, "contribution_low": part.low, "contribution_high": part.high})
    return pd.DataFrame(rows, columns=DIRECTIONS)


def _merge_few(direction: np.ndarray, users: np.ndarray) -> np.ndarray:
    crowd = pd.Series(users).groupby(direction).nunique()
    few = crowd[crowd < FEWEST_USERS].index.difference([SAME])
    return np.where(np.isin(direction, few), OTHERWISE, direction)


def separating_features(parting: Parting, *, seed: int = 0) -> pd.DataFrame:
    """Features whose SHAP values differ most between views where they disagree and views where they do the same.

    At most about 2,000 views of whole users, drawn by seed, are explained: of images the question is whether the
    network is worse than the edge at which the large images are just late, of pages whether the model's first choice
    is the next page (views without any candidate are left out).

    Parameters
    ----------
    parting : Parting
    seed : int
        Of the draw and of the resampling.

    Returns
    -------
    DataFrame
        A row a direction and feature, largest differences of a direction first: ``direction, views, feature``;
        ``there, where alike`` (mean SHAP values, log-odds) and ``difference, low, high`` with 95 % interval, users
        resampled. Empty where fewer than 20 users disagree or agree in the views explained, or there is no question.
        ``attrs["question"]`` is the question in words.
    """
    acting = parting.acting
    drawn = np.sort(_draw(acting.frame, seed)) if len(parting.way) > VIEWS_EXPLAINED else np.arange(len(parting.way))
    views, way, users = acting.frame.iloc[drawn].reset_index(drop=True), parting.way[drawn], acting.users[drawn]
    explained = _explain(acting, views) if _told_apart(way, users) else None
    if explained is None or not _told_apart(way[explained.index], users[explained.index]):
        return pd.DataFrame(columns=SEPARATING)
    way, users = way[explained.index], users[explained.index]
    kept = [i for i, name in enumerate(explained.feature_names) if name != THE_QUESTION]
    names, values = [explained.feature_names[i] for i in kept], np.asarray(explained.values)[:, kept]
    tables = []
    for name in _told_apart(way, users):
        table = _gaps(values, way == name, way == SAME, users, seed)
        told = table.assign(direction=name, views=int((way == name).sum()), feature=names)
        tables.append(told.sort_values("difference", key=abs, ascending=False, kind="stable"))
    table = pd.concat(tables, ignore_index=True)[SEPARATING]
    table.attrs["question"] = explained.output_names
    return table


def _explain(acting: ImagesActing | PagesActing, views: pd.DataFrame) -> Any:
    """SHAP values of all these views; None where the budget cannot be met, whatever the network: no question to ask."""
    if isinstance(acting, PagesActing):
        return explain_next_page(acting.model, views, views=len(views))
    try:
        return shap_values(acting.model, views, scenario=acting.scenario)
    except WorkbenchError:
        return None


def _told_apart(way: np.ndarray, users: np.ndarray) -> list[str]:
    """Ways of 20 users and more, most views first; none where fewer do the same."""
    ways = [name for name in pd.Series(way).value_counts().index if len(np.unique(users[way == name])) >= FEWEST_USERS]
    return [name for name in ways if name != SAME] if SAME in ways else []


def _draw(frame: pd.DataFrame, seed: int) -> np.ndarray:
    """Places of about 2,000 views, whole users drawn."""
    return sample_users(frame.reset_index(drop=True), VIEWS_EXPLAINED, seed).index.to_numpy()


def _gaps(values: np.ndarray, there: np.ndarray, alike: np.ndarray, users: np.ndarray, seed: int) -> pd.DataFrame:
    """Mean of each column in two sets of views, and their difference with its interval."""
    features = values.shape[1]
    columns = np.column_stack([values * there[:, None], values * alike[:, None], there, alike])
    means = bootstrap_means(columns, users, seed=seed)
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample may hold none of few users
        gaps = means[:, :features] / means[:, [-2]] - means[:, features:-2] / means[:, [-1]]
    low, high = np.nanquantile(gaps, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    here, else_where = values[there].mean(axis=0), values[alike].mean(axis=0)
    return pd.DataFrame(
        {"there": here, "where alike": else_where, "difference": here - else_where, "low": low, "high": high}
    )
