"""The sentences of a finding: first screen, headings, assumptions. Numbers in, words out."""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbench.datasets.schema import measured_quantities
from workbench.evaluation.bootstrap import RESAMPLES, Interval
from workbench.evaluation.verdict import COLLECT, TEST_MODEL
from workbench.studies.comparison import Comparison

OFFLINE = "Offline replay is an estimate until an A/B test confirms it."
QUANTITIES = {"rtt_ms": "round trip", "downlink_mbps": "throughput", "page_load_ms": "page load"}
UNITS = {"rtt_ms": "ms", "downlink_mbps": "Mbit/s", "page_load_ms": "ms"}
CALIBRATED_SLOPE, CALIBRATED_INTERCEPT = (0.8, 1.25), 0.25  # beyond these, headings call chances "off"


def first_screen(result: Comparison) -> dict[str, str]:
    """The sentences of the first screen, by what they tell."""
    card = result.split.card
    rule = result.of("best_rule")
    source = "SIMULATED views" if card.simulated else "REAL measurements"
    people = sum(part["user_id"].nunique() for _, part in result.split.parts() if "user_id" in part)
    who = f"{people:,} users" if people else f"{sum(len(part) for _, part in result.split.parts()):,} views"
    size = f"{rule.kilobytes:,.0f} kB" if rule.kilobytes else "no data, a line of code"
    return {
        "title": f"IMAGE DELIVERY - {card.name} - {source}, {who} - images should be there in "
        f"{_seconds(result.scenario.budget_ms)}",
        "recommendation": result.recommendation.text,
        "difference": f"Model against best rule ({rule.name}): {points(result.difference)} points "
        f"(worth having from {result.margin:g}).",
        "views": f"Views without a signal: {100 * result.signal_free_share:.0f} % of all; all figures are for them.",
        "cost": f"Running the model: {result.cost.kilobytes:,.0f} kB, {result.cost.us_per_decision:,.0f} us a decision "
        f"(in batches). The best rule: {size}.",
        "safety": _safety_sentence(result),
        "next": _next_step(result),
    }


def _next_step(result: Comparison) -> str:
    if result.recommendation.action == TEST_MODEL:
        return "run the A/B test."
    if result.recommendation.action == COLLECT:
        return f"measure until about {result.users_to_settle:,} users are in the test part."
    return "no test needed."


def _safety_sentence(result: Comparison) -> str:
    added = result.safety.added_wait
    wait = f"{added.estimate:+,.0f} ms a view ({added.low:+,.0f} to {added.high:+,.0f})"
    words = {
        "safe": f"the model does not make the slowest fifth of users wait longer: {wait}.",
        "not_shown": f"it is not shown that the model spares the slowest fifth of users: {wait}.",
        "harmful": f"HARMFUL: the model makes the slowest fifth of users wait longer: {wait}.",
    }
    return words[result.safety.word]


def findings(result: Comparison) -> dict[str, str]:
    """One sentence for each heading of a proposal, by what it is about."""
    late = result.calibration.share
    rule = result.of("best_rule")
    gain = result.quality_at_rules_wait
    return {
        "data": f"{_medians(result)}; the large images would be late in {100 * late:.0f} % of the views",
        "netinfo": _netinfo_finding(result),
        "model": _calibration_finding(result),
        "rules": f"The best rule is the {rule.name}",
        "frontier": "The model's frontier does not reach the rule's waiting"
        if gain is None
        else f"At the rule's waiting, the model sends {gain:+.1f} points of quality",
        "verdict": f"Model against best rule: {points(result.difference)} points, {result.verdict}",
        "headroom": f"Perfect knowledge would gain {result.headroom:.1f} points over one rendition for all: "
        + ("there is something to win" if result.headroom >= result.margin else "there is little to win"),
    }


def finding_from_shap(explanation: Any) -> str:
    """Name the two features with the largest mean |SHAP|, the question itself aside."""
    strength = pd.Series(abs(explanation.values).mean(axis=0), index=explanation.feature_names)
    first, second = strength.drop("the question itself").nlargest(2).index
    return f"{first} says most about the network, then {second}"


def _medians(result: Comparison) -> str:
    frame = result.split.train
    parts = [
        f"median {QUANTITIES[name]} {frame[name].median():,.0f} {UNITS[name]}" for name in measured_quantities(frame)
    ]
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]


def _netinfo_finding(result: Comparison) -> str:
    frame = result.split.train
    if "effective_type" not in frame or frame["effective_type"].isna().all():
        return "This data carries no NetInfo value: nothing but context tells the network's quality"
    known = frame["effective_type"].dropna()
    return (
        f'NetInfo says "4g" for {100 * (known == "4g").mean():.0f} % of the views that carry it, and nothing for '
        f"{100 * (1 - len(known) / len(frame)):.0f} % of all"
    )


def _calibration_finding(result: Comparison) -> str:
    slope, intercept = result.calibration.slope, result.calibration.intercept
    if slope is None or intercept is None:
        return "Calibration cannot be judged: the large images are always, or never, late"
    low, high = CALIBRATED_SLOPE
    well = low <= slope <= high and abs(intercept) <= CALIBRATED_INTERCEPT
    verb = "come true" if well else "are off"
    return f"The model's chances {verb}: calibration slope {slope:.2f}, intercept {intercept:+.2f}"


def assumptions(result: Comparison) -> list[str]:
    """What the figures rest on, one sentence each."""
    scenario, card, split = result.scenario, result.split.card, result.split
    sentences = [
        f"A view loads {scenario.images_per_view} images and should have them in {_seconds(scenario.budget_ms)}; "
        f"{scenario.cancelling_wait_ms:g} ms of waiting beyond that cancel the gain of the largest image, and "
        f"{_seconds(scenario.cap_ms)} beyond it the view is abandoned.",
        f"Load time is {scenario.connection_rtts:g} round trips plus the bytes at the measured throughput.",
        *_assumed_sentences(result),
        f"Policies see what is known by {result.known_by}; the split is {split.how}, seed {split.seed}.",
        f"{100 * result.signal_free_share:.0f} % of all views come without a NetInfo value at that point; no masking "
        "and no history are used.",
        f"Intervals are 95 %, from {RESAMPLES:,} paired resamples of {result.test_users:,} users. Only model against "
        "best rule gets a verdict; all else is exploratory.",
    ]
    if {"rtt_ms", "downlink_mbps"} <= set(result.model.quantities):
        sentences.append("Round-trip time and throughput are taken as independent given the context.")
    if card.simulated:
        sentences.insert(0, "SIMULATED: the rows come from a simulated world, not from people.")
    if card.note:
        sentences.append(f"About the data: {card.note}")
    return [*sentences, OFFLINE]


def _assumed_sentences(result: Comparison) -> list[str]:
    frame, scenario = result.split.train, result.scenario
    sentences = []
    for quantity, (low, base, high) in result.split.card.assume.items():
        if quantity in frame:
            continue
        sentences.append(
            f"No {QUANTITIES[quantity]} was measured: {base:g} {UNITS[quantity]} is assumed "
            f"(low {low:g}, high {high:g})."
        )
        if quantity == "rtt_ms" and scenario.connection_rtts * base >= scenario.budget_ms:
            sentences.append("The assumed round trips alone take the whole budget.")
    if "rtt_ms" in frame:
        share = float((scenario.connection_rtts * frame["rtt_ms"] > scenario.budget_ms).mean())
        if share >= 0.01:
            sentences.append(f"In {100 * share:.0f} % of views the round trips alone are past the budget.")
    return sentences


def points(interval: Interval) -> str:
    """A difference and its interval: ``+0.2 (-0.4 to +0.8)``."""
    return f"{interval.estimate:+.1f} ({interval.low:+.1f} to {interval.high:+.1f})"


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s" if milliseconds % 1000 == 0 else f"{milliseconds / 1000:g} s"
