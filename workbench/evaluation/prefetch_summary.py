"""The figures of one prefetch policy: what its views add up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.features.navigation import encode, next_codes


@dataclass(frozen=True)
class PrefetchFigures:
    """Sums over views, session ends included, divided by the number of views, where nothing else is said.

    ``net``: hits minus the price of the unused. ``hits_per_100`` views. ``unused_per_view``. ``top1, top3``: share of
    navigations whose page was the likeliest, or among the three likeliest; None for a policy without chances.
    ``precision``: hits of all pages fetched. ``recall``: hits of all navigations (views with a next page).
    ``byte_precision``: bytes of hits of all bytes fetched. ``traffic_increase``: bytes fetched for nothing over the
    bytes of all pages viewed. Milliseconds and bytes a view. ``assumed`` names what those rest on that was not
    measured. Shares are None where there is nothing to divide by.
    """

    net: float
    hits_per_100: float
    unused_per_view: float
    top1: float | None
    top3: float | None
    precision: float | None
    recall: float | None
    byte_precision: float | None
    traffic_increase: float
    ms_saved_per_view: float
    contention_ms_per_view: float
    bytes_fetched_per_view: float
    bytes_wasted_per_view: float
    assumed: tuple[str, ...] = ()


def summarise_prefetch(
    outcomes: pd.DataFrame, top: pd.DataFrame | None = None, views: pd.DataFrame | None = None
) -> PrefetchFigures:
    """Add up one policy's outcomes.

    Parameters
    ----------
    outcomes : DataFrame
        From ``replay_prefetch``.
    top : DataFrame, optional
        ``view_id, page, rank`` of at least the three likeliest pages of each view, where the policy has chances.
    views : DataFrame, optional
        The views themselves; needed with ``top``.
    """
    top1, top3 = (None, None) if top is None or views is None else top_shares(top, views)
    total = outcomes.drop(columns="hit_next").sum()
    mean = total / max(len(outcomes), 1)
    return PrefetchFigures(
        net=float(mean["net"]),
        hits_per_100=100 * float(mean["hits"]),
        unused_per_view=float(mean["unused"]),
        top1=top1,
        top3=top3,
        precision=_share(total["hits"], total["fetched"]),
        recall=_share(total["hits"], total["navigation"]),
        byte_precision=_share(total["fetched_bytes"] - total["wasted_bytes"], total["fetched_bytes"]),
        traffic_increase=_share(total["wasted_bytes"], total["visited_bytes"]) or 0.0,
        ms_saved_per_view=float(mean["saved_ms"]),
        contention_ms_per_view=float(mean["contention_ms"]),
        bytes_fetched_per_view=float(mean["fetched_bytes"]),
        bytes_wasted_per_view=float(mean["wasted_bytes"]),
        assumed=tuple(outcomes.attrs.get("assumed", ())),
    )


def top_shares(top: pd.DataFrame, views: pd.DataFrame) -> tuple[float | None, float | None]:
    """Share of navigations whose page was the likeliest, and among the three likeliest.

    Session ends are left out, as in published next-page studies: there is no page to be found.

    Parameters
    ----------
    top : DataFrame
        ``view_id, page, rank``; a navigation that ``top`` says nothing of counts as missed.
    views : DataFrame
        ``view_id, session_id, page``.
    """
    pages = pd.Index(views["page"].astype("category").cat.categories).astype("str")
    coming = next_codes(views, encode(views, pages))
    row = pd.Index(views["view_id"]).get_indexer(top["view_id"])
    right = (row >= 0) & (encode(top, pages) == coming[row]) & (coming[row] >= 0)
    rank = top["rank"].to_numpy()
    navigations = float((coming >= 0).sum())
    one, three = (_share(float(np.sum(right & (rank <= most))), navigations) for most in (1, 3))
    return one, three


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole > 0 else None
