"""The explorer of image delivery: budgets and delay prices, and the photograph as users get it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.datasets.schema import label
from workbench.datasets.splits import FEWEST_USERS
from workbench.decisions.decision import (
    USD_PER_GB,
    Finding,
    Grid,
    Panel,
    Segment,
    Setting,
    Tile,
    make_slider,
    values_with,
)
from workbench.decisions.images.replay import typical_view
from workbench.decisions.images.scenario import WIDTHS, ImageScenario, encode_photo, photo_as_sent
from workbench.decisions.policy import Situations
from workbench.evidence.verdict import SLOWEST_SHARE

BUDGETS_MS = (500.0, 1000.0, 1500.0, 2000.0, 3000.0)
CANCELLING_WAITS_MS = (50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0)
DIMENSIONS = ("country", "device", "connection_type", "effective_type", "os_family", "history", "isp", "asn")
GROUPS = ("slow", "middle", "fast")
SENT_BY = ("today", "best rule", "model")
FEWEST_IN_A_GROUP = 5
# Rows and columns of the photograph that are shown, about one pixel of it in one of the page: smaller than in the
# figure, or medium could not be told from large.
DETAIL = (slice(110, 270), slice(165, 405))


def grid(result: Finding) -> Grid:
    """What the explorer of a comparison of image delivery moves and shows; its own budget and price are among the
    values.
    """
    scenario: ImageScenario = result.scenario

    def at(values: Mapping[str, float]) -> ImageScenario:
        return replace(scenario.with_budget(values["budget_ms"]), cancelling_wait_ms=values["cancelling_wait_ms"])

    def groups(test: Situations, inside: np.ndarray) -> dict[str, np.ndarray]:
        found = speed_groups(test.given["load_ms"][:, 0], test.users, inside)
        if inside.all():
            return (found | {"fast": result.detail.fast} if found else {}) | {"slow": result.detail.slow}
        return found

    wait = scenario.cancelling_wait_ms
    budgets, waits = values_with(scenario.budget_ms, BUDGETS_MS), values_with(wait, CANCELLING_WAITS_MS)
    return Grid(
        sliders=(
            make_slider("budget_ms", "Images should be there in", budgets, scenario.budget_ms, _seconds),
            make_slider("cancelling_wait_ms", "Delay that makes large images not worth it", waits, wait, _milliseconds),
        ),
        tiles=_tiles(),
        scenario_at=at,
        panels={"photos": Panel(_photos(scenario), _what_users_see)},
        dimensions=tuple(label(name, result.split.card) for name in DIMENSIONS),
        groups=groups,
        price=lambda at: at.wait_price,
        slope=lambda at: at.wait_price,
        gains=(0.0, 100.0),
        digits=(1, 1),
    )


def _milliseconds(ms: float) -> str:
    return f"{ms:,.0f} ms"


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.{1 if ms % 100 == 0 else 2}f} s"


def _tiles() -> tuple[Tile, ...]:
    views = "of 1,000 views"
    return (
        Tile("large", "large images", lambda out, at: out["rendition"] == len(at.options) - 1, 1000.0, unit=views),
        Tile("late", "late", lambda out, at: out["late"], 1000.0, unit=views),
        Tile(
            "slowest_wait", "wait, slowest fifth", lambda out, at: out["added_wait_ms"], unit="ms a view", slowest=True
        ),
        Tile("megabytes", "MB sent", lambda out, at: out["bytes"] * 1000 / 1e6, unit="for 1,000 views"),
        # One MB for 1,000 views is one GB for a million.
        Tile("money", "cost of sending", unit="USD a million views", terms=(("megabytes", "", USD_PER_GB),)),
    )


def speed_groups(load_ms: np.ndarray, users: np.ndarray, inside: np.ndarray) -> dict[str, np.ndarray]:
    """Views of the slowest, the middle and the fastest fifth of a segment's users (bool, shape (rows,)); none under 20
    users.

    ``load_ms`` is that of the smallest rendition, so that no policy enters; a lost probe counts as the longest load.
    ``inside`` (bool, shape (rows,)) marks the segment.
    """
    names, codes = np.unique(users[inside], return_inverse=True)
    if len(names) < FEWEST_USERS:
        return {}
    longest = load_ms[np.isfinite(load_ms)].max(initial=0.0)
    mean = np.bincount(codes, np.minimum(load_ms[inside], longest)) / np.bincount(codes)
    slowest_first = names[np.argsort(-mean, kind="stable")]
    size = max(FEWEST_IN_A_GROUP, round(SLOWEST_SHARE * len(names)))
    middle = (len(names) - size) // 2
    starts = dict(zip(GROUPS, (0, middle, len(names) - size), strict=True))
    return {name: inside & np.isin(users, slowest_first[at : at + size]) for name, at in starts.items()}


def _what_users_see(setting: Setting, segments: Sequence[Segment]) -> dict[str, Any]:
    """What a slow, a middle and a fast user of each segment typically get; nulls where nobody may be shown.

    ``seen`` is flat, in the order segment, group, policy: rendition number, percent of views, median load (ms, null
    where lost).
    """
    seen: list[float | None] = []
    for segment in segments:
        groups = [segment.groups[name] for name in GROUPS if len(segment.groups) == len(GROUPS)]
        for group in groups:
            for part in SENT_BY:
                view = typical_view(setting.outcomes[part], group)
                load_ms = round(view.load_ms) if np.isfinite(view.load_ms) else None
                seen += [view.rendition, round(100 * view.share), load_ms]
        if not groups:
            seen += [None] * 3 * len(GROUPS) * len(SENT_BY)
    return {"budget_ms": setting.scenario.budget_ms, "seen": seen}


def _photos(scenario: ImageScenario) -> dict[str, Any]:
    """A detail of the photograph as each rendition arrives, as data addresses; empty where a width is not known."""
    shown: dict[str, str] = {}
    if set(scenario.options) <= WIDTHS.keys():
        details = {name: photo_as_sent(name)[DETAIL] for name in scenario.options}
        encoded = {name: base64.b64encode(encode_photo(each, each.shape[1])) for name, each in details.items()}
        shown = {name: f"data:image/webp;base64,{text.decode()}" for name, text in encoded.items()}
    return {"renditions": list(scenario.options), "images_per_view": scenario.images_per_view, "photos": shown}
