"""Image delivery: which rendition of the images to send, by predicted network quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.schema import has_signal, known_context
from workbench.datasets.splits import Split
from workbench.decisions.chances import OneOption, base_assumptions
from workbench.decisions.decision import Axis, Change, Plan, PolicyResult, Stage, Unit
from workbench.decisions.images import explorer, report
from workbench.decisions.images.replay import ImageFigures, quality_at_wait, rendition_payoffs, summarise_images
from workbench.decisions.images.report import EVERYWHERE, HYBRID_MODEL, HYBRID_RULE
from workbench.decisions.images.rules import EffectiveType, image_rules, measured_first, rule_table
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.load_time import longest_rtt_ms, slowest_downlink_mbps
from workbench.decisions.option_ship import Measured, Table
from workbench.decisions.options import OptionDecision, Payoffs
from workbench.decisions.policy import PERFECT_KNOWLEDGE, Policy, Situations
from workbench.evidence.bootstrap import cluster_intervals
from workbench.evidence.calibration import measure_calibration
from workbench.evidence.verdict import slowest_fifth

HEADROOM_BUDGETS_MS = (500.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0)
CALIBRATION_BUDGETS = (0.5, 1.0, 2.0)
TODAYS = "today's on every view"


@dataclass(frozen=True)
class ImageDetail:
    """What only a comparison of image delivery has.

    ``signal_free_share`` is the share of all views that come without a signal; ``calibration_by_budget`` judges the
    model's chances that each rendition is late, a row a budget and rendition; ``slow`` and ``fast`` are the compared
    views of the slowest and the fastest fifth of users (boolean, shape (rows,)). ``all_views`` says what the site as a
    whole gains, views with a signal included: a row a policy, its net, and its difference to today's and to the best
    rule's, each with its 95 % interval.
    """

    signal_free_share: float
    headroom_by_budget: Mapping[float, float]
    quality_at_rules_wait: float | None
    calibration_by_budget: pd.DataFrame = field(repr=False)
    slow: np.ndarray = field(repr=False)
    fast: np.ndarray = field(repr=False)
    all_views: pd.DataFrame = field(repr=False)


class Images(OptionDecision):
    """Which rendition of the images to send."""

    name = "images"
    title = "IMAGE DELIVERY"
    unit = Unit("points", "points a view", 1.0, 1)
    margin = 1.0  # points
    scenario_type = ImageScenario
    axes = (
        Axis("added_wait_ms", "Waiting beyond the budget (ms a view)", digits=0),
        Axis("quality", "Quality (points)"),
    )
    operating_point = "share of large images"
    stop = "late images rise"
    option_column, chooses, served = "rendition", "size", "rendition_served"
    effects = (*OptionDecision.effects, Axis("bytes", "Data sent (kB a view)", 1e-3))
    more, less, does = "the model sends larger images", "the model sends smaller images", "sends"
    report = report

    def payoffs(self, frame: pd.DataFrame, scenario: ImageScenario, assume: Mapping[str, float]) -> Payoffs:
        """Load time, wait, quality and net of every rendition."""
        return rendition_payoffs(frame, scenario, assume)

    def judged(self, log: pd.DataFrame) -> np.ndarray:
        """Views that measured their waiting, or the network."""
        return super().judged(log) | log.get("lcp_ms", pd.Series(np.nan, log.index)).notna().to_numpy()

    def measurements(self, log: pd.DataFrame) -> dict[str, np.ndarray]:
        """A full measurement, and the largest contentful paint where any view has it."""
        told = super().measurements(log)
        return told | {
            name: log[name].notna().to_numpy() for name in ("lcp_ms",) if name in log and log[name].notna().any()
        }

    def as_logged(self, situations: Situations, scenario: ImageScenario) -> Situations:
        """The images are there at the largest contentful paint, and weigh the page's bytes, where a log has these."""
        frame, given = situations.frame, situations.given
        measured = {
            name: np.where(frame[logged].notna(), frame[logged], given[name].T).T if logged in frame else given[name]
            for name, logged in (("load_ms", "lcp_ms"), ("bytes", "page_bytes"))
        }
        excess, quality, net = scenario.judge(measured["load_ms"])
        late = measured["load_ms"] > scenario.budget_ms
        measured |= {"added_wait_ms": excess, "quality": quality, "net": net, "late": late}
        return replace(situations, given=measured)

    def basis(self, log: pd.DataFrame) -> str:
        """How many views measured their waiting."""
        share = log["lcp_ms"].notna().mean() if "lcp_ms" in log else 0.0
        worked_out = super().basis(log)
        if not share:
            return worked_out
        return f"The largest contentful paint ends the wait in {100 * share:.0f} % of the views; else: {worked_out}"

    def edges(self, quantity: str, usual: Mapping[str, float], scenario: ImageScenario) -> np.ndarray:
        """Value of a quantity at which each rendition is just in time."""
        view_bytes, within, rtts = scenario.view_bytes, scenario.budget_ms, scenario.connection_rtts
        if quantity == "downlink_mbps":
            return slowest_downlink_mbps(view_bytes, usual["rtt_ms"], within, rtts)
        if quantity == "rtt_ms":
            return longest_rtt_ms(view_bytes, usual["downlink_mbps"], within, rtts)
        return np.full(len(view_bytes), within)

    def prices_aside(self, scenario: ImageScenario) -> ImageScenario:
        """Chances do not depend on what waiting costs."""
        return replace(scenario, cancelling_wait_ms=1.0)

    def slowness(self, given: Payoffs) -> np.ndarray:
        """Load time of the smallest rendition."""
        return given["load_ms"][:, 0]

    def rules(self, split: Split, known_by: str | None = None, without: Sequence[str] = ()) -> tuple[Policy, ...]:
        """One rendition for all, rules on a signal, lookup tables, the best by two columns of context."""
        known = known_by or split.card.known_by
        return (*image_rules(split, known), self.best_table(split, known, self.scenario(split.card)))

    def today(self, split: Split) -> Policy:
        """NetInfo's effective type where the data have it, else the middle rendition."""
        has_class = any("effective_type" in part and part["effective_type"].notna().any() for _, part in split.parts())
        return EffectiveType() if has_class else OneOption("medium")

    def figures(
        self, outcomes: pd.DataFrame, situations: Situations, scenario: ImageScenario, expected: Any = None
    ) -> ImageFigures:
        """Means over views, quantiles of load time."""
        return summarise_images(outcomes, self.slowest(situations, scenario), scenario)

    def scenario_changes(self, plan: Plan) -> Iterator[Change]:
        """Budgets from half to three times, half and double the cap, a quarter and four times the delay price."""
        scenario = plan.scenario

        def under(group: str, name: str, other: ImageScenario) -> Change:
            return Change(group, name, replace(plan, scenario=other), refit=False)

        for factor in (0.5, 2.0, 3.0):
            budget = factor * scenario.budget_ms
            yield under("budget", f"{budget / 1000:g} s", scenario.with_budget(budget))
        for factor in (0.25, 4.0):
            wait = factor * scenario.cancelling_wait_ms
            yield under("delay price", f"{wait:g} ms", replace(scenario, cancelling_wait_ms=wait))
        for factor in (0.5, 2.0):
            capped = replace(scenario, cap_ms=factor * scenario.longest_wait_ms)
            yield under("abandoned after", f"{capped.longest_wait_ms / 1000:g} s", capped)

    def detail(self, results: Sequence[PolicyResult], settled: Stage, test: Situations) -> ImageDetail:
        """Views without a signal, headroom and calibration by budget, the slowest and the fastest fifth."""
        scenario, split = settled.scenario, settled.split
        model, rule = (next(r for r in results if r.policy is policy) for policy in (settled.ours, settled.best_rule))
        reached = quality_at_wait(model.frontier, rule.figures.excess_wait_ms)
        load = self.slowness(test.given)  # a lost probe is no faster than the longest load
        budgets = {ms: scenario.with_budget(ms) for ms in sorted({*HEADROOM_BUDGETS_MS, float(scenario.budget_ms)})}
        signals = [has_signal(known_context(part, test.known_by, split.card.context)) for _, part in split.parts()]
        return ImageDetail(
            signal_free_share=float(1 - pd.concat(signals).mean()),
            headroom_by_budget={
                budget: self.headroom(None, self.under(test, at), at) for budget, at in budgets.items()
            },
            quality_at_rules_wait=None if reached is None else reached - rule.figures.quality,
            calibration_by_budget=self._calibration_by_budget(settled.ours, test, scenario),
            slow=self.slowest(test, scenario),
            fast=slowest_fifth(-np.minimum(load, load[np.isfinite(load)].max(initial=0.0)), test.users),
            all_views=self._all_views(settled),
        )

    def _all_views(self, settled: Stage) -> pd.DataFrame:
        """Net over all views of test: where the network is measured by that, else by today's, best rule or model."""
        scenario, split, card = settled.scenario, settled.split, settled.split.card
        measured = split.test[super().judged(split.test)]
        test = self.every_view(measured, card, split.cluster, settled.validation.known_by, scenario)
        later = self.later_context(test) if self.why_unavailable(settled.today, test) else test
        assume = base_assumptions(card)
        small, large = (
            self.ask(measured_first(name, test.context, assume), test, scenario)
            for name in (scenario.options[0], scenario.options[-1])
        )
        today, rule, model = (
            self.ask(policy, there, scenario)
            for policy, there in ((settled.today, later), (settled.best_rule, test), (settled.ours, test))
        )

        def hybrid(otherwise: np.ndarray) -> np.ndarray:
            return np.where(small == large, small, otherwise)

        answers = {
            TODAYS: today,
            "measurement, else today's": hybrid(today),
            HYBRID_RULE: hybrid(rule),
            HYBRID_MODEL: hybrid(model),
            "best rule on every view": rule,
            EVERYWHERE: model,
            PERFECT_KNOWLEDGE: self.hindsight(test, scenario),
        }
        nets = pd.DataFrame({name: test.given["net"][np.arange(len(test)), each] for name, each in answers.items()})
        table = pd.DataFrame({"net": nets.mean()}).rename_axis("policy")
        for over, base in (("today", TODAYS), ("best_rule", HYBRID_RULE)):
            found = cluster_intervals(nets.sub(nets[base], axis=0).to_numpy(), test.users, seed=split.seed)
            bounds = [[interval.estimate, interval.low, interval.high] for interval in found]
            table[[f"over_{over}", f"over_{over}_low", f"over_{over}_high"]] = bounds
        return table

    def _calibration_by_budget(self, ours: Policy, test: Situations, scenario: ImageScenario) -> pd.DataFrame:
        """How good the model's chances are that each rendition is late, at half, once and twice the budget."""
        rows = []
        for factor in CALIBRATION_BUDGETS:
            at = scenario.with_budget(factor * scenario.budget_ms)
            late = self.payoffs(test.frame, at, base_assumptions(test.card))["late"]
            expected = self.weigh(ours, test, at)
            assert expected is not None  # the model weighs chances
            for i, rendition in enumerate(at.options):
                measured = measure_calibration(late[:, i], expected.late[:, i])
                rows.append({"budget_ms": at.budget_ms, "rendition": rendition} | asdict(measured))
        return pd.DataFrame(rows)

    def as_table(self, policy: Policy, scenario: ImageScenario) -> Table | Measured:
        """Rules on one signal, or on the last measurement, too."""
        return rule_table(policy, scenario) or super().as_table(policy, scenario)

    grid = staticmethod(explorer.grid)


DECISION = Images()
