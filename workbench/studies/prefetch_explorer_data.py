"""What the explorer of prefetching shows, counted beforehand: segments and break-evens, and nobody's session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.decisions.decision import policy_name
from workbench.decisions.prefetch.replay import count_by_view, prefetch_limits
from workbench.evidence.segments import prefetch_segment_members, segment_intervals
from workbench.studies.comparison import Comparison
from workbench.studies.explorer_parts import ALL, Means, flat, means_over, pick_segments, values_with
from workbench.studies.prefetch_session import replay_typical_session
from workbench.studies.prefetch_stage import (
    PrefetchStage,
    PrefetchViews,
    at_most,
    has_chances,
    replay,
    settle,
    views_of,
)

PARTS = ("today", "best rule", "model", "perfect knowledge")
BREAK_EVENS = (0.05, 0.10, 0.15, 0.30, 0.45, 0.60)  # 0.15 to 0.60: Guess.js on 4g, 3g, 2g, slow-2g
NO_CLAIM = 0.0
USD_PER_SECOND = (NO_CLAIM, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03)
USD_PER_GB = (0.02, 0.05, 0.085, 0.15, 0.5, 2.0, 5.0)  # from a bulk price of sending to what some visitors pay
# In this order each dimension gives its largest level, then its second largest, until there are enough.
DIMENSIONS = ("country", "device", "connection", "NetInfo", "user", "place in the session", "page")
# What a tile tells of 1,000 views, or of one: column of the outcomes, factor, decimals.
FIGURES = {
    "hits": ("hits", 1000.0, 2),
    "unused": ("unused", 1000.0, 2),
    "saved_ms": ("saved_ms", 1.0, 1),
    "slowed_ms": ("contention_ms", 1.0, 1),
    "wasted_mb": ("wasted_bytes", 1000 / 1e6, 1),
}


@dataclass(frozen=True)
class Setting:
    """One break-even, settled on ``validation`` and replayed on ``test``.

    ``rule`` is the position of the best rule; ``outcomes`` holds one row a view of test for each of ``PARTS``.
    """

    stage: PrefetchStage
    rule: int
    outcomes: Mapping[str, pd.DataFrame]


def explorer_data(result: Comparison) -> dict[str, Any]:
    """Count everything that the explorer can show.

    Parameters
    ----------
    result : Comparison
        Of prefetching. Its own break-even and prices are among those shown.

    Returns
    -------
    dict
        Plain lists, numbers and texts, rounded to what is shown. Lists of numbers are flat, in the order segment,
        break-even, then what they hold: ``figures`` one a policy of ``policies`` (hits and unused of 1,000 views, ms
        saved and slowed a view, MB wasted of 1,000 views); ``difference`` estimate, low, high in net hits per 100
        views; ``bars`` low and high of unused a view, then of hits per 100, for the model, then for today's policy,
        each minus the best rule's. ``sessions`` holds the example session at each break-even.
    """
    detail, scenario = result.prefetch, result.scenario
    break_evens = sorted({*BREAK_EVENS, float(scenario.break_even)})
    test = views_of(result.split.test, result.split, result.known_by, scenario)
    settings = _settle_all(result, break_evens, test)
    crowds = _crowds(test)
    inside = list(crowds.values())
    seconds = {*USD_PER_SECOND, *([scenario.usd_per_second] if scenario.usd_per_second else [])}
    return {
        "dataset": result.split.card.name,
        "simulated": bool(result.split.card.simulated),
        "who": result.split.people,
        "break_evens": break_evens,
        "usd_per_second": sorted(map(float, seconds)),
        "usd_per_gb": values_with(scenario.usd_per_gb, USD_PER_GB),
        "base": {
            "break_even": float(scenario.break_even),
            "value_of_second": float(scenario.usd_per_second or NO_CLAIM),
            "usd_per_gb": float(scenario.usd_per_gb),
        },
        "segments": [{"name": name, "users": len(np.unique(test.users[who]))} for name, who in crowds.items()],
        "policies": list(PARTS),
        "end_percent": round(100 * detail.end_share),
        "margin": 100 * result.margin,
        "verdict": result.verdict,
        "today": result.of("today").name.removeprefix("today: "),
        "rules": [policy_name(rule) for rule in settings[0].stage.tuned],
        "best_rule": [setting.rule for setting in settings],
        "figures": _figures(settings, means_over(inside)),
        **_intervals(settings, test.users, inside, result.split.seed),
        "curves": _curves(settings, test, means_over(inside)),
        "sessions": [_session(replay_typical_session(setting.stage)) for setting in settings],
    }


def _settle_all(result: Comparison, break_evens: Sequence[float], test: PrefetchViews) -> list[Setting]:
    """Settle as a comparison does, at every break-even; the model is asked once for its chances."""
    split, known = result.split, result.of("oracle").outcomes
    assert known is not None  # in every comparison
    validation = views_of(split.validation, split, result.known_by, result.scenario)
    # What is done now is one of the rules, settled like them, or a policy of its own.
    available = [
        one.policy for one in result.results if one.kind == "rule" and one.policy is not None and one.available
    ]
    now = next((i for i, rule in enumerate(available) if rule is result.today), None)
    settings = []
    for break_even in break_evens:
        scenario = result.scenario.with_break_even(break_even)
        stage = settle(split, result.model, available, scenario, validation)
        best = next(i for i, rule in enumerate(stage.tuned) if rule is stage.best_rule)
        today = result.today if now is None else stage.tuned[now]
        acting = {"today": today, "best rule": stage.best_rule, "model": stage.ours}
        outcomes = {part: replay(policy, test, scenario) for part, policy in acting.items()}
        settings.append(Setting(stage, best, outcomes | {"perfect knowledge": known}))
    return settings


def _crowds(test: PrefetchViews) -> dict[str, np.ndarray]:
    """All views, then the segments, dimension by dimension; each of 20 users (or sessions) or more."""
    members = prefetch_segment_members(test.frame, test.users)
    picked = pick_segments(list(members), DIMENSIONS)
    crowds = {f"{dimension}: {level}": members[dimension, level] for dimension, level in picked}
    return {ALL: np.ones(len(test.users), bool)} | crowds


def _figures(settings: Sequence[Setting], over_all: Means) -> dict[str, list[float | None]]:
    found = {}
    for name, (column, factor, digits) in FIGURES.items():
        values = [over_all(np.column_stack([setting.outcomes[part][column] for part in PARTS])) for setting in settings]
        found[name] = flat(factor * np.stack(values, axis=1), digits)
    return found


def _intervals(
    settings: Sequence[Setting], users: np.ndarray, inside: list[np.ndarray], seed: int
) -> dict[str, list[float | None]]:
    """Differences from the best rule with 95 % intervals; the same users are drawn for every setting and segment."""
    found = [segment_intervals(_differences(setting), users, inside, seed=seed) for setting in settings]
    table = np.stack(found, axis=1).reshape(len(inside), len(settings), -1, 3)
    return {"difference": flat(table[..., 0, :], 2), "bars": flat(table[..., 1:, 1:], 3)}


def _differences(setting: Setting) -> np.ndarray:
    """Shape (rows, 5): the model's net, its unused and hits, today's unused and hits, each minus the best rule's.

    Net and hits of 100 views, unused of one.
    """
    of_rule = setting.outcomes["best rule"]
    columns = [100 * (setting.outcomes["model"]["net"] - of_rule["net"])]
    for part in ("model", "today"):
        less = setting.outcomes[part][["unused", "hits"]] - of_rule[["unused", "hits"]]
        columns += [less["unused"], 100 * less["hits"]]
    return np.column_stack(columns)


def _curves(settings: Sequence[Setting], test: PrefetchViews, over_all: Means) -> list[dict[str, Any]]:
    """What the model, and the best rule of each break-even where it has a limit, trade as the limit moves.

    A rule may be smoothed otherwise at another break-even: then it has a line for each.
    """
    scenario = settings[0].stage.scenario
    shared: dict[tuple[int | None, Any], dict[int, Any]] = {}  # settings by rule, whatever its limit
    for at, setting in enumerate(settings):
        acting: list[tuple[int | None, Any]] = [(None, setting.stage.ours), (setting.rule, setting.stage.best_rule)]
        for rule, policy in acting:
            if has_chances(policy):
                shared.setdefault((rule, replace(policy, limit=None)), {})[at] = policy
    lines = []
    for (rule, _), policies in shared.items():
        # A line passes through every limit that was chosen.
        limits = np.unique([*prefetch_limits(scenario), *(policy.limit for policy in policies.values())])
        top = at_most(test.top(next(iter(policies.values()))), scenario.k)
        counted = count_by_view(top, test.frame, scenario, limits)
        means = np.stack([over_all(np.column_stack(pair)) for pair in counted], axis=1)
        points = {"hits": flat(100 * means[..., 0], 3), "unused": flat(means[..., 1], 4)}
        lines.append({"rule": rule, "settings": list(policies), "points": len(limits), **points})
    return lines


def _session(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The example session, view by view: page, seconds since it began, and what rule and model fetch, opened or not."""
    return [
        {
            "page": row["page"],
            "at_s": round(row["at_s"]) if np.isfinite(row["at_s"]) else None,
            **{who: [[page, page in row[f"{who}_hits"]] for page in row[f"{who}_pages"]] for who in ("rule", "model")},
        }
        for row in table.to_dict("records")
    ]
