"""A third decision, whole: at which bitrate a video starts, decided from the same measurements as image delivery."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from workbench.decisions import register
from workbench.decisions.chances import OneOption, ask_distinct, fit_tables
from workbench.decisions.decision import Axis, Change, Grid, Report, Slider, Tile, Unit
from workbench.decisions.options import OptionDecision, measured_or_assumed

SEGMENT_MS, LONGEST_STALL_MS = 2_000, 10_000  # of video in one download; after that the user leaves


@dataclass(frozen=True)
class Stalls:
    """The chance that each bitrate stalls, shape (rows, bitrates)."""

    late: np.ndarray

    def best(self, scenario: "VideoScenario", limit: float = 1.0) -> np.ndarray:
        """The bitrate with the largest expected value."""
        return np.argmax(scenario.quality - limit * scenario.stall_price * self.late, axis=1)


@dataclass(frozen=True)
class VideoScenario:
    """A higher bitrate looks better, and stalls where the network is slower than it."""

    stall_price: float = 150.0  # points of quality
    bitrates_mbps: tuple[float, ...] = (0.7, 2.5, 5.0)
    options: tuple[str, ...] = ("low", "middle", "high")

    @property
    def quality(self) -> np.ndarray:
        """Points of quality: 0 for the lowest bitrate, 100 for the highest, by its logarithm."""
        logs = np.log(self.bitrates_mbps)
        return 100 * (logs - logs[0]) / (logs[-1] - logs[0])

    def prospects(self, source, context: pd.DataFrame, assume: Mapping[str, float]) -> Stalls:
        """What a source of chances expects of each bitrate."""
        distinct, which = ask_distinct(source, context)
        return Stalls(source.chance_worse(distinct, "downlink_mbps", np.array(self.bitrates_mbps))[which])

    def shipped(self, quantities, assume) -> dict:
        asked = {"downlink_mbps": np.array([self.bitrates_mbps])}
        return {"quality": self.quality, "price": self.stall_price, "asked": asked}


@dataclass(frozen=True)
class VideoFigures:
    """Means over views."""

    net: float
    quality: float
    high_share: float
    stalled_share: float
    added_wait_ms: float


class VideoReport(Report):
    """What a report says of this decision alone."""

    event = "the highest bitrate stalls"

    def headline(self, result) -> str:
        return f"one of {len(result.scenario.options)} bitrates to start with"

    def key_figures(self, figures: VideoFigures) -> dict[str, str]:
        high, stalled = (f"{1000 * share:,.0f}" for share in (figures.high_share, figures.stalled_share))
        return {"highest bitrate": high, "stalled": stalled}

    def policy_row(self, figures: VideoFigures, every_column: bool) -> dict[str, str]:
        row = {"high %": f"{100 * figures.high_share:.1f}"}
        return row | {"stalled %": f"{100 * figures.stalled_share:.1f}", "wait": f"{figures.added_wait_ms:,.0f} ms"}

    def views_sentence(self, result) -> str:
        return "A video starts before the network is known."

    def who_waits(self, result) -> str:
        return f"the slowest fifth of {result.people}"

    def findings(self, result) -> dict[str, str]:
        stalled = result.of("model").figures.stalled_share
        return {"stalls": f"With the model {100 * stalled:.0f} % of videos stall at the start"}

    def assumptions(self, result) -> list[str]:
        return [f"A stall costs {result.scenario.stall_price:g} points of quality."]

    def to_dict(self, result) -> dict[str, dict]:
        return {"data": {}, "evidence": {"stall_price": result.scenario.stall_price}, "frontier": {}, "model": {}}

    def tables(self, result) -> dict[str, pd.DataFrame]:
        return {}


class VideoStart(OptionDecision):
    """At which bitrate a video starts."""

    name, title, unit, margin = "video", "VIDEO START", Unit("points", "points a view", 1.0, 1), 1.0
    scenario_type, report, stop = VideoScenario, VideoReport(), "stalls rise"
    axes = (Axis("added_wait_ms", "Waiting at the start (ms a view)", digits=0), Axis("quality", "Quality (points)"))
    option_column, does = "bitrate", "starts"
    more, less = "the model starts at a higher bitrate", "the model starts at a lower bitrate"

    def payoffs(self, frame, scenario, assume):
        """A bitrate above the throughput stalls until the first segment is there."""
        rate, speed = np.array(scenario.bitrates_mbps), measured_or_assumed(frame, "downlink_mbps", assume)[:, None]
        late = rate > speed
        wait = np.where(late, np.minimum(SEGMENT_MS * (rate / speed - 1), LONGEST_STALL_MS), 0.0)
        quality = np.broadcast_to(scenario.quality, late.shape)
        return {"net": quality - scenario.stall_price * late, "added_wait_ms": wait, "quality": quality, "late": late}

    def edges(self, quantity, usual, scenario):
        """Throughput at which each bitrate just does not stall; no other quantity matters."""
        return np.array(scenario.bitrates_mbps) if quantity == "downlink_mbps" else np.full(3, np.nan)

    def prices_aside(self, scenario):
        """Chances do not depend on what a stall costs."""
        return replace(scenario, stall_price=1.0)

    def rules(self, split, known_by=None, without=()):
        """One bitrate for all, and two lookup tables."""
        tables = fit_tables(split, [("country", "asn"), ("connection_type", "isp")], known_by or split.card.known_by)
        return (*(OneOption(name) for name in VideoScenario().options), *tables)

    def today(self, split):
        return OneOption("middle")

    def figures(self, outcomes, situations, scenario, expected=None) -> VideoFigures:
        mean, high = outcomes.mean(), (outcomes["bitrate"] == len(scenario.options) - 1).mean()
        return VideoFigures(mean["net"], mean["quality"], float(high), mean["late"], mean["added_wait_ms"])

    def scenario_changes(self, plan) -> Iterator[Change]:
        """Half and double the price of a stall."""
        for factor in (0.5, 2.0):
            dear = replace(plan.scenario, stall_price=factor * plan.scenario.stall_price)
            yield Change("stall price", f"{dear.stall_price:g} points", replace(plan, scenario=dear), refit=False)

    def grid(self, result) -> Grid:
        """The explorer moves the price of a stall."""
        base, values = result.scenario.stall_price, (75.0, 150.0, 300.0)
        slider = Slider("stall_price", "Points that a stall costs", values, tuple(f"{v:g}" for v in values), base)
        tile = Tile("stalled", "Stalled, of 1,000", lambda outcomes, scenario: outcomes["late"], factor=1000.0)
        return Grid((slider,), (tile,), lambda at: replace(result.scenario, stall_price=at["stall_price"]))


DECISION = register(VideoStart())
