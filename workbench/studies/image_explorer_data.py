"""What the explorer of image delivery shows, counted beforehand: segments, budgets and prices, and nobody's rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.datasets.splits import FEWEST_USERS
from workbench.decisions.images.replay import saves_data
from workbench.decisions.images.scenario import USD_PER_GB
from workbench.evidence.segments import image_segment_members, segment_intervals
from workbench.evidence.verdict import SLOWEST_SHARE
from workbench.studies.comparison import Comparison
from workbench.studies.explorer_parts import ALL, Means, flat, means_over, pick_segments, values_with
from workbench.studies.image_grid import PARTS, BudgetRow, Candidate, Setting, rule_names, settle_budgets

BUDGETS_MS = (500.0, 1000.0, 1500.0, 2000.0, 3000.0)
CANCELLING_WAITS_MS = (50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 600.0, 800.0, 1200.0, 1600.0, 2400.0, 3200.0)
# In this order each dimension gives its largest level, then its second largest, until there are enough.
DIMENSIONS = ("country", "device", "connection", "NetInfo", "system", "history", "network")
GROUPS = ("slow", "middle", "fast")
SHOWN_TO = ("today", "best rule", "model")
FEWEST_IN_A_GROUP = 5
CURVE_POINTS = 13
CURVE_REACH = 8.0  # a line goes from an eighth of the declared price to eight times it, as in a comparison


@dataclass(frozen=True)
class Crowd:
    """A segment of the views of test: its name, which views, and those of its slow, middle and fast members."""

    name: str
    inside: np.ndarray
    groups: Mapping[str, np.ndarray]


def explorer_data(result: Comparison) -> dict[str, Any]:
    """Count everything that the explorer can show.

    Parameters
    ----------
    result : Comparison
        Of image delivery. Its own budget and price are among those shown.

    Returns
    -------
    dict
        Plain lists, numbers and texts, rounded to what is shown. Lists of numbers are flat, in the order segment,
        budget, price, then what they hold: ``figures`` one a policy of ``policies`` (large and late views of 1,000,
        MB of 1,000 views, slowest fifth's wait and wait in ms, quality in points); ``difference`` estimate, low, high
        in net; ``bars`` low and high of wait, then of quality, for the model, then for today's policy, each minus the
        best rule's; ``members`` rendition number, percent of views and median load in ms (null where lost) for a
        slow, a middle and a fast member, by each of the first three policies.
    """
    budgets = values_with(result.scenario.budget_ms, BUDGETS_MS)
    waits = values_with(result.scenario.cancelling_wait_ms, CANCELLING_WAITS_MS)
    rows = settle_budgets(result, budgets, waits)
    test = rows[0].settings[0].test
    crowds = _crowds(result, rows[0].settings[0])
    users = [len(np.unique(test.users[crowd.inside])) for crowd in crowds]
    settings = [setting for row in rows for setting in row.settings]
    return {
        "dataset": result.split.card.name,
        "simulated": bool(result.split.card.simulated),
        "budgets_ms": budgets,
        "cancelling_waits_ms": waits,
        "base": {"budget_ms": result.scenario.budget_ms, "cancelling_wait_ms": result.scenario.cancelling_wait_ms},
        "segments": [{"name": c.name, "users": n} for c, n in zip(crowds, users, strict=True)],
        "policies": list(PARTS),
        "renditions": list(result.scenario.ladder.names),
        "images_per_view": result.scenario.images_per_view,
        "usd_per_gb": USD_PER_GB,
        "margin": result.margin,
        "verdict": result.verdict,
        "today": result.of("today").name.removeprefix("today: "),
        "rules": rule_names(result),
        "best_rule": [setting.rule for setting in settings],
        "figures": _figures(settings, crowds),
        **_intervals(result, rows, crowds),
        "members": _members(settings, crowds),
        "curves": [_curves(row, crowds) for row in rows],
    }


def _crowds(result: Comparison, setting: Setting) -> list[Crowd]:
    """All views, then the segments, dimension by dimension; each of 20 users or more."""
    test, slow, fast = setting.test, result.image.slow, result.image.fast
    load, everyone = test.outcomes.load_ms[:, 0], np.ones(len(test.users), bool)
    groups = _speed_groups(load, test.users, everyone)
    crowds = [Crowd(ALL, everyone, groups | {"slow": slow, "fast": fast} if groups else {"slow": slow})]
    members = image_segment_members(test.frame, test.users, slow)
    for dimension, level in pick_segments(list(members), DIMENSIONS):
        inside = members[dimension, level]
        crowds.append(Crowd(f"{dimension}: {level}", inside, _speed_groups(load, test.users, inside)))
    return crowds


def _speed_groups(load_ms: np.ndarray, users: np.ndarray, inside: np.ndarray) -> dict[str, np.ndarray]:
    """Views of the slowest, the middle and the fastest fifth of a segment's users; empty under 20 users.

    By the mean load time of the smallest rendition: no policy enters. A lost probe counts as the longest load.
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


def _figures(settings: Iterable[Setting], crowds: Sequence[Crowd]) -> dict[str, list[float | None]]:
    over_all = means_over([crowd.inside for crowd in crowds])
    over_slow = means_over([crowd.groups["slow"] for crowd in crowds])
    found: dict[str, list[np.ndarray]] = {}
    for setting in settings:
        scenario, row = setting.scenario, np.arange(len(setting.test.users))
        action = np.column_stack([setting.actions[part] for part in PARTS])
        wait = setting.test.outcomes.excess_wait_ms[row[:, None], action]
        largest = len(scenario.ladder.names) - 1
        told = {
            "large": 1000 * over_all(action == largest),
            "late": 1000 * over_all(setting.test.outcomes.late[row[:, None], action]),
            "slowest_wait": over_slow(wait),
            "megabytes": over_all(scenario.view_bytes[action]) * 1000 / 1e6,
            "wait": over_all(wait),
            "quality": over_all(setting.test.outcomes.quality[row[:, None], action]),
        }
        for name, values in told.items():
            found.setdefault(name, []).append(values)
    digits = {"wait": 1, "quality": 1}
    return {name: flat(np.stack(values, axis=1), digits.get(name, 0)) for name, values in found.items()}


def _intervals(result: Comparison, rows: Sequence[BudgetRow], crowds: Sequence[Crowd]) -> dict[str, Any]:
    """Differences from the best rule with 95 % intervals; the same users are drawn for every setting and segment."""
    users, inside = rows[0].settings[0].test.users, [crowd.inside for crowd in crowds]
    found = []
    for budget in rows:
        columns = np.column_stack([_differences(setting) for setting in budget.settings])
        bounds = segment_intervals(columns, users, inside, seed=result.split.seed)
        found.append(bounds.reshape(len(crowds), len(budget.settings), -1, 3))
    table = np.stack(found, axis=1)  # segment, budget, price, quantity, (estimate, low, high)
    return {"difference": flat(table[..., 0, :], 2), "bars": flat(table[..., 1:, 1:], 1)}


def _differences(setting: Setting) -> np.ndarray:
    """Shape (rows, 5): the model's net, its wait and quality, today's wait and quality, each minus the best rule's."""
    row, outcomes = np.arange(len(setting.test.users)), setting.test.outcomes
    net, wait, quality = (
        {part: values[row, setting.actions[part]] for part in SHOWN_TO}
        for values in (outcomes.net, outcomes.excess_wait_ms, outcomes.quality)
    )
    columns = [net["model"] - net["best rule"]]
    for part in ("model", "today"):
        columns += [wait[part] - wait["best rule"], quality[part] - quality["best rule"]]
    return np.column_stack(columns)


def _members(settings: Sequence[Setting], crowds: Sequence[Crowd]) -> list[float | None]:
    """What a slow, a middle and a fast member of each segment typically get; nulls where nobody may be shown."""
    told: list[float | None] = []
    for crowd in crowds:
        groups = [np.flatnonzero(crowd.groups[name]) for name in GROUPS if len(crowd.groups) == len(GROUPS)]
        for setting in settings:
            for group in groups:
                for part in SHOWN_TO:
                    told += _typical(setting.actions[part][group], setting.test.outcomes.load_ms[group])
            if not groups:
                told += [None] * 3 * len(GROUPS) * len(SHOWN_TO)
    return told


def _typical(action: np.ndarray, load_ms: np.ndarray) -> list[float | None]:
    """The rendition that most views get (the smaller in a tie), its percent, and the median load of all views, ms."""
    counts = np.bincount(action)
    usual = int(np.argmax(counts))
    median = float(np.median(load_ms[np.arange(len(action)), action]))
    return [usual, round(100 * float(counts[usual]) / len(action)), round(median) if np.isfinite(median) else None]


def _curves(row: BudgetRow, crowds: Sequence[Crowd]) -> list[dict[str, Any]]:
    """At one budget: what the model, and each rule that is ever best here, trade as their price of waiting moves."""
    over_all = means_over([crowd.inside for crowd in crowds])
    declared = [setting.scenario.wait_price for setting in row.settings]
    coarse = np.geomspace(min(declared) / CURVE_REACH, max(declared) * CURVE_REACH, CURVE_POINTS)
    lines = []
    for position, candidate in enumerate(row.candidates):
        is_model = position == len(row.candidates) - 1
        part = "model" if is_model else "best rule"
        chosen = [s.prices[part] for s in row.settings if part in s.prices and (is_model or s.rule == position)]
        if candidate.on_test is not None and chosen:
            prices = np.unique([*coarse, *chosen])
            wait, quality = _trade(candidate, row.settings[0], prices, over_all)
            lines.append(
                {
                    "rule": None if is_model else position,
                    "prices": [float(f"{price:.5g}") for price in prices],
                    "wait": flat(wait, 1),
                    "quality": flat(quality, 1),
                }
            )
    return lines


def _trade(
    candidate: Candidate, setting: Setting, prices: np.ndarray, over_all: Means
) -> tuple[np.ndarray, np.ndarray]:
    """Mean wait and quality at each price acted by, shape (segments, prices) each."""
    assert candidate.on_test is not None
    test, row, scenario = setting.test, np.arange(len(setting.test.users)), setting.scenario
    frugal = saves_data(test.context)
    actions = [np.where(frugal, 0, candidate.on_test.best(scenario, price / scenario.wait_price)) for price in prices]
    chosen = row[:, None], np.column_stack(actions)
    return over_all(test.outcomes.excess_wait_ms[chosen]), over_all(test.outcomes.quality[chosen])
