"""A comparison at every setting of an explorer's sliders: settled again, replayed again, and added up.

What an explorer shows at a setting are the figures that ``compare`` would print there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.decisions.decision import Grid, Segment, Setting, Tile
from workbench.decisions.policy import PERFECT_KNOWLEDGE, Policy, policy_name, traits_of
from workbench.evidence.segments import segment_intervals, segment_members
from workbench.evidence.verdict import FEWEST_DIFFERING
from workbench.features.levels import OTHER
from workbench.progress import with_bar
from workbench.studies.comparison import Comparison
from workbench.studies.report import rival_sentence, verdict_word
from workbench.studies.study import settle

PARTS = ("today", "best rule", "model", PERFECT_KNOWLEDGE)
MOST_SEGMENTS = 12
ALL = "all"
LINE_POINTS = 13  # where the price of a limit differs from setting to setting, besides the limits that were picked
ROUNDING = 1.000125
SETTINGS_A_BATCH = 12  # resampled together; more need more memory


def explorer_data(result: Comparison) -> dict[str, Any]:
    """Count everything that the explorer of a comparison can show, rounded to what is shown.

    A setting is one value of each slider that settles, the last slider's moving fastest. Lists of numbers are flat, in
    the order segment, setting, then what they hold: ``figures`` by tile, a number a policy of ``policies``; ``marks``
    cost and gain a policy; ``difference`` estimate, low, high in net; ``bars`` low and high of cost, then of gain, for
    the model, then for today's policy, each minus the best rule's. ``lines`` are frontiers: ``rule`` is null for the
    model, ``settings`` are (setting, first point, last point + 1), ``cost`` and ``gain`` hold ``points`` numbers a
    segment. ``panels`` hold what is fixed and a list with one entry a setting.
    """
    decision = result.decision
    grid = decision.grid(result)
    replayed = _replay_all(result, grid)
    first = next(replayed)
    segments = _segments(result, grid, first)
    counts = _Counts(grid, segments, decision.axes, decision.unit.factor, result.split.seed)
    for setting in itertools.chain([first], replayed):
        counts.add(setting)
    users, panels = first.test.users, grid.panels.items()
    return {
        "dataset": result.split.card.name,
        "simulated": bool(result.split.card.simulated),
        "title": decision.title.lower(),
        "people": first.test.people,
        "unit": {"name": decision.unit.per_view, "digits": decision.unit.digits},
        "margin": float(f"{decision.unit.factor * result.margin:g}"),
        "verdict": verdict_word(result).lower(),
        "gain": "" if result.differing.users >= FEWEST_DIFFERING else result.gain,
        "rival": rival_sentence(result),
        "today": result.of("today").name.removeprefix("today: "),
        "rules": list(counts.rules),
        "policies": list(PARTS),
        "sliders": [vars(slider) for slider in grid.sliders],
        "segments": [{"name": s.name, "users": len(np.unique(users[s.inside]))} for s in segments],
        "tiles": [_describe(tile) for tile in grid.tiles],
        "axes": [{"label": axis.label, "digits": axis.digits} for axis in decision.axes],
        "gains": grid.gains,
        "panels": {name: {"fixed": panel.fixed, "settings": counts.panels[name]} for name, panel in panels},
        **counts.to_dict(),
    }


def pick_segments(named: Sequence[tuple[str, str]], dimensions: Sequence[str]) -> list[tuple[str, str]]:
    """At most eleven (dimension, level) of ``named``, in its order: the largest of every dimension first.

    In the order of ``dimensions`` each gives its largest level, then its second largest, until there are enough; what
    was merged comes only where room is left.
    """
    levels = [[each for each in named if each[0] == dimension and each[1] != OTHER] for dimension in dimensions]
    in_turn = [each for turn in itertools.zip_longest(*levels) for each in turn if each is not None]
    merged = [each for each in named if each[0] in dimensions and each[1] == OTHER]
    picked = {*[*in_turn, *merged][: MOST_SEGMENTS - 1]}
    return [each for each in named if each in picked]


def _replay_all(result: Comparison, grid: Grid) -> Iterator[Setting]:
    """Settle as a comparison does, and replay test, at every setting; chances are remembered where they stay."""
    decision = result.decision
    moved = [slider for slider in grid.sliders if slider.settles]
    names = [slider.name for slider in moved]
    places = itertools.product(*(slider.values for slider in moved))
    scenarios = [grid.scenario_at(dict(zip(names, place, strict=True))) for place in places]
    stage = settle(decision, result.split, result.model, result.rules, scenarios[0], today=result.today)
    test = stage.test()
    later = decision.later_context(test) if result.of("today").reads_later else test
    for scenario in with_bar(scenarios, "explorer"):
        stage = stage if scenario is scenarios[0] else stage.under(scenario)
        at, later_at = decision.under(test, scenario), decision.under(later, scenario)
        hindsight = decision.outcomes(decision.hindsight(at, scenario), at, scenario)
        outcomes = {
            "today": stage.replay(stage.today, later_at),
            "best rule": stage.replay(stage.best_rule, at),
            "model": stage.replay(stage.ours, at),
            PERFECT_KNOWLEDGE: hindsight,
        }
        yield Setting(scenario, stage, at, outcomes)


def _segments(result: Comparison, grid: Grid, setting: Setting) -> list[Segment]:
    """All views, then the segments, dimension by dimension; each of 20 users or more."""
    test = setting.test
    dimensions = result.decision.segments(test, setting.scenario)
    members = segment_members(dimensions, test.users)
    picked = pick_segments(list(members), grid.dimensions or tuple(dimensions))
    inside = {ALL: np.ones(len(test), bool)} | {f"{name}: {level}": members[name, level] for name, level in picked}
    slow = result.decision.slowest(test, setting.scenario)
    groups = grid.groups or (lambda _, views: {"slow": views & slow})
    return [Segment(name, views, groups(test, views)) for name, views in inside.items()]


@dataclass
class _Line:
    """A frontier that settings share: by whom, what it expects, where it is replayed, and the limits picked there."""

    rule: int | None
    expected: Any
    setting: Setting
    prices: dict[int, float] = field(default_factory=dict)
    picked: list[float] = field(default_factory=list)


class _Counts:
    """Adds up one setting after another, so that one setting's outcomes at a time are held."""

    def __init__(self, grid: Grid, segments: Sequence[Segment], axes: Any, factor: float, seed: int) -> None:
        self.grid, self.segments, self.axes, self.factor, self.seed = grid, segments, axes, factor, seed
        self.over_all = means_over([segment.inside for segment in segments])
        self.over_slow = means_over([segment.groups["slow"] for segment in segments])
        self.figures: dict[str, list[np.ndarray]] = {tile.name: [] for tile in grid.tiles if tile.value}
        self.marks: list[np.ndarray] = []
        self.bounds: list[np.ndarray] = []
        self.waiting: list[np.ndarray] = []
        self.users = np.empty(0, int)
        self.best_rule: list[int] = []
        self.rules: dict[str, int] = {}  # a searched table has another name where it finds other columns
        self.scenarios: list[Any] = []
        self.lines: dict[tuple[int | None, int], _Line] = {}
        self.declared = np.empty(0)
        self.panels: dict[str, list[Any]] = {name: [] for name in grid.panels}

    def add(self, setting: Setting) -> None:
        """Count one setting."""
        outcomes, stage = setting.outcomes, setting.stage
        for tile in self.grid.tiles:
            if tile.value is not None:
                values = [np.asarray(tile.value(outcomes[part], setting.scenario), float) for part in PARTS]
                means = (self.over_slow if tile.slowest else self.over_all)(np.column_stack(values))
                self.figures[tile.name].append(tile.factor * means)
        places = {part: self._places(outcomes[part]) for part in PARTS}
        self.marks.append(self.over_all(np.column_stack([places[part] for part in PARTS])))
        self._resample(setting, places)
        for name, panel in self.grid.panels.items():
            if panel.at is not None:
                self.panels[name].append(panel.at(setting, self.segments))
        best = self.rules.setdefault(policy_name(stage.best_rule), len(self.rules))
        self._add_line(None, stage.ours, setting)
        self._add_line(best, stage.best_rule, setting)
        self.best_rule.append(best)
        self.scenarios.append(setting.scenario)

    def _places(self, outcomes: pd.DataFrame) -> np.ndarray:
        """Cost and gain of each view: shape (rows, 2)."""
        return np.column_stack([axis.factor * outcomes[axis.column].to_numpy(float) for axis in self.axes])

    def _resample(self, setting: Setting, places: Mapping[str, np.ndarray]) -> None:
        """Differences from the best rule; the same users are drawn for every setting and segment."""
        net = {part: setting.outcomes[part]["net"].to_numpy(float) for part in ("model", "best rule")}
        apart = [places[part] - places["best rule"] for part in ("model", "today")]
        self.waiting.append(np.column_stack([self.factor * (net["model"] - net["best rule"]), *apart]))
        self.users = setting.test.users
        if len(self.waiting) == SETTINGS_A_BATCH:
            self._draw()

    def _draw(self) -> None:
        if self.waiting:
            inside = [segment.inside for segment in self.segments]
            bounds = segment_intervals(np.column_stack(self.waiting), self.users, inside, seed=self.seed)
            self.bounds.append(bounds.reshape(len(inside), len(self.waiting), -1, 3))
            self.waiting = []

    def _add_line(self, rule: int | None, policy: Policy, setting: Setting) -> None:
        decision, scenario, limit = setting.stage.decision, setting.scenario, traits_of(policy).limit
        expected = decision.weigh(policy, setting.test, scenario)
        if expected is None or limit is None:
            return
        if not len(self.declared):
            self.declared = decision.frontier(expected, setting.test, scenario)["limit"].to_numpy(float)
        line = self.lines.setdefault((rule, id(expected)), _Line(rule, expected, replace(setting, outcomes={})))
        price = self._price(scenario)
        line.prices[len(self.scenarios)] = price
        line.picked.append(limit * price)

    def _price(self, scenario: Any) -> float:
        return self.grid.price(scenario) if self.grid.price else 1.0

    def _line(self, line: _Line) -> dict[str, Any]:
        """A frontier through every limit that was picked on it, from the lowest limit to the highest."""
        prices = [self._price(scenario) for scenario in self.scenarios]
        lowest, highest = self.declared.min(), self.declared.max()
        coarse = self.declared
        if len(set(prices)) > 1:
            coarse = np.geomspace(lowest * min(prices), highest * max(prices), LINE_POINTS)
        limits = np.unique([*coarse, *line.picked])
        decision, test, scenario = line.setting.stage.decision, line.setting.test, line.setting.scenario
        pairs = decision.trade(line.expected, test, scenario, limits / self._price(scenario))
        means = np.stack([self.over_all(np.column_stack(pair)) for pair in pairs], axis=1)
        ends = np.array([lowest / ROUNDING, highest * ROUNDING])
        settings = [[at, *np.searchsorted(limits, price * ends).tolist()] for at, price in line.prices.items()]
        cost, gain = (flat(means[..., i], self.grid.digits[i]) for i in (0, 1))
        return {"rule": line.rule, "settings": settings, "points": len(limits), "cost": cost, "gain": gain}

    def to_dict(self) -> dict[str, Any]:
        """Everything counted, flat and rounded."""
        self._draw()
        shape = (len(self.segments), len(self.scenarios))
        kept = {tile.name: tile.digits + tile.kept for tile in self.grid.tiles}
        bounds = np.concatenate(self.bounds, axis=1)  # segment, setting, quantity, (estimate, low, high)
        marks = np.stack(self.marks, axis=1).reshape(*shape, len(PARTS), 2)
        digits, slope = np.array(self.grid.digits), self.grid.slope
        return {
            "best_rule": self.best_rule,
            "about": [self.grid.about(scenario) for scenario in self.scenarios],
            "slope": [float(f"{slope(scenario):.8g}") for scenario in self.scenarios] if slope else None,
            "figures": {name: flat(np.stack(each, axis=1), kept[name]) for name, each in self.figures.items()},
            "marks": flat(marks, digits),
            "difference": flat(bounds[..., 0, :], 2),
            "bars": flat(bounds[..., 1:, 1:].reshape(*shape, 2, 2, 2), digits[:, None]),
            "lines": [self._line(line) for line in self.lines.values()],
        }


def means_over(groups: Sequence[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Turn columns of views, shape (rows, columns), into means over groups, shape (groups, columns)."""
    members = np.array(groups, float)
    # Summed first, so that shares of views are exact and round as they do in a comparison.
    return lambda values: members @ values / members.sum(axis=1, keepdims=True)


def flat(values: np.ndarray, digits: int | np.ndarray) -> list[float | None]:
    """Round, and write whole numbers without a point: the page is smaller by a third. NaN becomes None."""
    places = np.broadcast_to(digits, values.shape).ravel()
    rounded = [round(float(value), int(place)) for value, place in zip(values.ravel(), places, strict=True)]
    return [None if np.isnan(value) else int(value) if value.is_integer() else value for value in rounded]


def _describe(tile: Tile) -> dict[str, Any]:
    shown = {"name": tile.name, "title": tile.label, "unit": tile.unit, "digits": tile.digits, "signed": tile.signed}
    return shown | {"terms": [list(term) for term in tile.terms]}
