"""Segments: who gains and who loses. Exploratory: no verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.splits import FEWEST_USERS
from workbench.evidence.bootstrap import LEVEL, bootstrap_means

MOST_LEVELS = 8
OTHER, NO_VALUE = "other", "no value"
NETWORKS = ("isp", "asn")  # the first that holds values: a provider's name says more than its number
PLACES = ((1, "first view"), (3, "2nd and 3rd"), (6, "4th to 6th"), (np.inf, "7th and later"))  # up to, name
HOUR_BANDS = ((6, "00-05 h"), (12, "06-11 h"), (18, "12-17 h"), (24, "18-23 h"))  # up to, name
COLUMNS = [
    "dimension",
    "level",
    "users",
    "views",
    "difference",
    "low",
    "high",
    "added_wait_ms",
    "added_wait_low",
    "added_wait_high",
]


def image_segments(
    views: pd.DataFrame,
    difference: np.ndarray,
    users: np.ndarray,
    *,
    added_wait_ms: np.ndarray,
    slow: np.ndarray,
    seed: int = 0,
) -> pd.DataFrame:
    """Model minus best rule in each segment of the views, with 95 % intervals from resampled users.

    The dimensions are country, device, network (provider, else ASN), connection, system, NetInfo (measured or not),
    history (measured before or not), speed (slowest fifth of users or not) and local hour, as far as the views have
    them. Of each, the eight levels
    with most users stand by themselves; the rest, and every level under 20 users, are one level "other", which is
    left out where it is under 20 users too. A dimension that leaves a single level says nothing and is left out.

    Parameters
    ----------
    views : DataFrame
        Canonical measurements of the views compared; may hold columns that no policy saw.
    difference : ndarray of float, shape (rows,)
        Net, model minus best rule, points.
    users : ndarray of int, shape (rows,)
        Who each view belongs to.
    added_wait_ms : ndarray of float, shape (rows,)
        Excess wait, model minus best rule.
    slow : ndarray of bool, shape (rows,)
        Views of the slowest fifth of users.
    seed : int
        Of the resampling.

    Returns
    -------
    DataFrame
        One row a segment, dimension by dimension, most users first and "other" last (hours in the order of the day):
        ``dimension, level, users, views``; ``difference, low, high`` in points a view; ``added_wait_ms,
        added_wait_low, added_wait_high`` in ms a view. A user may have views in several levels.
    """
    values = np.column_stack([difference, added_wait_ms])
    return pd.DataFrame(_rows(_image_dimensions(views, slow), values, users, seed), columns=COLUMNS)


def image_segment_members(
    views: pd.DataFrame, users: np.ndarray, slow: np.ndarray
) -> dict[tuple[str, str], np.ndarray]:
    """Which views are in which segment of :func:`image_segments`.

    Parameters
    ----------
    views : DataFrame
        Canonical measurements.
    users : ndarray of int, shape (rows,)
    slow : ndarray of bool, shape (rows,)
        Views of the slowest fifth of users.

    Returns
    -------
    dict of ndarray of bool, shape (rows,)
        By (dimension, level), in the order of the table; none is under 20 users.
    """
    return _members(_image_dimensions(views, slow), users)


def prefetch_segments(views: pd.DataFrame, difference: np.ndarray, users: np.ndarray, *, seed: int = 0) -> pd.DataFrame:
    """Model minus best rule in each segment of the page views, with 95 % intervals from resampled users.

    The dimensions are country, device, connection, NetInfo, page (the page that the view is of), place in the session
    and returning users, as far as the views have them; levels as in :func:`image_segments`.

    Parameters
    ----------
    views : DataFrame
        Canonical navigations; may hold columns that no policy saw.
    difference : ndarray of float, shape (rows,)
        Net, model minus best rule, hits.
    users : ndarray of int, shape (rows,)
        Who each view belongs to; the session where there are no users.
    seed : int
        Of the resampling.

    Returns
    -------
    DataFrame
        One row a segment: ``dimension, level, users, views``; ``difference, low, high`` in net hits a view.
    """
    rows = _rows(_prefetch_dimensions(views), difference[:, None], users, seed)
    return pd.DataFrame(rows, columns=COLUMNS[: len(COLUMNS) - 3])


def prefetch_segment_members(views: pd.DataFrame, users: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    """Which views are in which segment of :func:`prefetch_segments`.

    Parameters
    ----------
    views : DataFrame
        Canonical navigations.
    users : ndarray of int, shape (rows,)

    Returns
    -------
    dict of ndarray of bool, shape (rows,)
        By (dimension, level), in the order of the table; none is under 20 users (or sessions).
    """
    return _members(_prefetch_dimensions(views), users)


def _rows(dimensions: dict[str, pd.Series], values: np.ndarray, users: np.ndarray, seed: int) -> list[tuple[Any, ...]]:
    """One row a segment: dimension, level, users, views, then mean, low and high of each column of ``values``."""
    members = _members(dimensions, users)
    bounds = segment_intervals(values, users, list(members.values()), seed=seed)
    return [
        (*name, *_count(users[inside]), *(float(number) for number in interval))
        for (name, inside), interval in zip(members.items(), bounds, strict=True)
    ]


def _members(dimensions: dict[str, pd.Series], users: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    """Which views are in which segment, by dimension and level; a dimension with a single level is left out."""
    found = {dimension: _merge_small(column, users) for dimension, column in dimensions.items()}
    return {
        (dimension, level): inside
        for dimension, levels in found.items()
        if len(levels) > 1
        for level, inside in levels.items()
    }


def _prefetch_dimensions(views: pd.DataFrame) -> dict[str, pd.Series]:
    """The level of each page view, by dimension."""
    found = _named_levels(views, {"country": "country", "device": "device", "connection_type": "connection"})
    if _has_values(views, "effective_type"):
        found["NetInfo"] = _named_levels(views, {"effective_type": "NetInfo"})["NetInfo"]
    found["page"] = views["page"].astype(str)
    ends, names = zip(*PLACES, strict=True)
    found["place in the session"] = pd.cut(views["position"], [0, *ends], right=False, labels=list(names))
    if _has_values(views, "earlier_views"):
        before = (views["earlier_views"] > views["position"]).to_numpy()
        found["user"] = _either(before, "came before", "first session", views.index)
    return found


def _named_levels(views: pd.DataFrame, named: dict[str, str]) -> dict[str, pd.Series]:
    """Columns that hold values as texts, by their titles."""
    return {
        title: views[name].astype(object).where(views[name].notna(), NO_VALUE).map(str)
        for name, title in named.items()
        if _has_values(views, name)
    }


def _image_dimensions(views: pd.DataFrame, slow: np.ndarray) -> dict[str, pd.Series]:
    """The level of each view, by dimension; a categorical's categories are in the order in which they are shown."""
    network = next((name for name in NETWORKS if _has_values(views, name)), NETWORKS[0])
    named = {
        "country": "country",
        "device": "device",
        network: "network",
        "connection_type": "connection",
        "os_family": "system",
    }
    found = _named_levels(views, named)
    if _has_values(views, "effective_type"):
        found["NetInfo"] = _either(views["effective_type"].notna().to_numpy(), "measured", "not measured", views.index)
    if _has_values(views, "last_age_s"):
        found["history"] = _either(
            views["last_age_s"].notna().to_numpy(), "measured before", "never before", views.index
        )
    found["speed"] = _either(slow, "slowest fifth", "all others", views.index)
    if _has_values(views, "local_hour"):
        ends, names = zip(*HOUR_BANDS, strict=True)
        found["local hour"] = pd.cut(views["local_hour"], [0, *ends], right=False, labels=list(names))
    return found


def _has_values(views: pd.DataFrame, name: str) -> bool:
    return name in views and bool(views[name].notna().any())


def _either(answer: np.ndarray, yes: str, no: str, index: pd.Index) -> pd.Series:
    return pd.Series(np.where(answer, yes, no), index)


def _merge_small(column: pd.Series, users: np.ndarray) -> dict[str, np.ndarray]:
    """Which views are in each level that is shown (boolean, shape (rows,)), in the order in which they are shown."""
    column = column.reset_index(drop=True)
    crowd = pd.Series(users).groupby(column, observed=True).nunique().drop(OTHER, errors="ignore")
    # By users, ties by name, so that the order of the rows does not matter.
    kept = crowd[crowd >= FEWEST_USERS].sort_index().nlargest(MOST_LEVELS).index
    shown = [level for level in column.cat.categories if level in kept] if hasattr(column, "cat") else list(kept)
    levels = {level: (column == level).to_numpy() for level in shown}
    rest = (column.notna() & ~column.isin(shown)).to_numpy()
    if len(np.unique(users[rest])) >= FEWEST_USERS:
        levels[OTHER] = rest
    return levels


def _count(users: np.ndarray) -> tuple[int, int]:
    return len(np.unique(users)), len(users)


def segment_intervals(values: np.ndarray, users: np.ndarray, members: list[np.ndarray], *, seed: int = 0) -> np.ndarray:
    """Mean, low and high of quantities in each segment; 95 % intervals from resampled users.

    All segments are resampled together, one row a user: a segment's mean is what its views add up to over how many
    they are, and the number of users drawn cancels.

    Parameters
    ----------
    values : ndarray of float, shape (rows, columns)
    users : ndarray of int, shape (rows,)
    members : list of ndarray of bool, shape (rows,)
    seed : int

    Returns
    -------
    ndarray of float, shape (segments, 3 * columns)
    """
    if not members:
        return np.empty((0, 3 * values.shape[1]))
    _, who = np.unique(users, return_inverse=True)
    weights = np.column_stack([values, np.ones(len(values))])
    sums = np.column_stack([np.bincount(who, column * inside) for inside in members for column in weights.T])
    drawn = bootstrap_means(sums, np.arange(len(sums)), seed=seed).reshape(-1, len(members), weights.shape[1])
    bounds = np.quantile(drawn[..., :-1] / drawn[..., -1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    means = np.array([values[inside].mean(axis=0) for inside in members])
    return np.stack([means, *bounds], axis=-1).reshape(len(members), -1)


@dataclass(frozen=True)
class TypicalView:
    """What a group of people gets: the rendition (number) of most views, its share of them, and the median load time.

    ``load_ms`` is over all views of the group as they are sent, so that policies are compared on the same views.
    """

    rendition: int
    share: float
    load_ms: float


def typical_view(outcomes: pd.DataFrame, members: np.ndarray) -> TypicalView:
    """Take the rendition that most views of a group get, the smaller in a tie.

    Parameters
    ----------
    outcomes : DataFrame
        One policy's, from ``replay_images``: ``rendition`` and ``load_ms``.
    members : ndarray of bool, shape (rows,)
        Views of the group, one at least.
    """
    group = outcomes[members]
    shares = group["rendition"].value_counts(normalize=True).sort_index()
    rendition = int(shares.idxmax())
    return TypicalView(rendition, float(shares[rendition]), float(group["load_ms"].median()))
