"""The sentences of a finding about images: first screen, headings, assumptions. Numbers in, words out."""

from __future__ import annotations

from workbench.datasets.schema import count_lost, measured_quantities
from workbench.evidence.bootstrap import RESAMPLES
from workbench.evidence.verdict import HARMFUL, NOT_SHOWN
from workbench.studies.comparison import Comparison
from workbench.studies.wording import OFFLINE, cost_sentence, difference_sentence, flips, next_step, verdict_finding

NO_SIGNAL = "This data carries no signal, so masking does not apply."
QUANTITIES = {"rtt_ms": "round trip", "downlink_mbps": "throughput", "page_load_ms": "page load"}
UNITS = {"rtt_ms": "ms", "downlink_mbps": "Mbit/s", "page_load_ms": "ms"}


def first_screen(result: Comparison) -> dict[str, str]:
    """The sentences of the first screen, by what they tell."""
    card = result.split.card
    source = "SIMULATED views" if card.simulated else "REAL measurements"
    people = sum(part["user_id"].nunique() for _, part in result.split.parts() if "user_id" in part)
    who = f"{people:,} users" if people else f"{sum(len(part) for _, part in result.split.parts()):,} views"
    return {
        "title": f"IMAGE DELIVERY - {card.name} - {source}, {who} - images should be there in "
        f"{_seconds(result.scenario.budget_ms)}",
        "recommendation": result.recommendation.text,
        "difference": difference_sentence(result),
        "views": f"Views without a signal: {100 * result.image.signal_free_share:.0f} % of all; all figures are for "
        "them.",
        "cost": cost_sentence(result),
        "safety": _safety_sentence(result),
        "next": next_step(result),
    }


def _safety_sentence(result: Comparison) -> str:
    added, tolerance = result.safety.added_wait, result.safety.tolerance_ms
    span = f"{added.low:+,.0f} to {added.high:+,.0f}"
    wait = f"{added.estimate:+,.0f} ms a view ({span}; tolerated: {tolerance:,.0f})"
    slowest = f"the slowest fifth of {result.split.people}"
    if result.safety.word == HARMFUL:
        return f"HARMFUL: the model makes {slowest} wait longer: {wait}."
    if result.safety.word == NOT_SHOWN:
        return f"it is not shown that {slowest} wait no longer than tolerated: {wait}."
    if added.high < 0:
        return f"{slowest} wait less with the model: {wait}."
    return f"{slowest} wait no longer than tolerated: {wait}."


def findings(result: Comparison) -> dict[str, str]:
    """One sentence for each heading of a proposal, by what it is about."""
    late = result.calibration.share
    rule = result.of("best_rule")
    return {
        "data": f"{_medians(result)}; the large images would be late in {100 * late:.0f} % of the views",
        "netinfo": _netinfo_finding(result),
        "model": _calibration_finding(result),
        "calibration": _calibration_finding(result),
        "rules": f'The best rule is "{rule.name}"',
        "frontier": _frontier_finding(result.image.quality_at_rules_wait),
        "sensitivity": flips(result).split(":")[0].rstrip(".") or "No assumption was changed",
        "verdict": verdict_finding(result),
        "headroom": f"Perfect knowledge would gain {result.headroom:.1f} points over one rendition for all: "
        + ("there is something to win" if result.headroom >= result.margin else "there is little to win"),
    }


def _frontier_finding(gain: float | None) -> str:
    if gain is None:
        return "The model's frontier does not reach the rule's waiting"
    if abs(gain) < 0.05:
        return "At the rule's waiting, the model reaches the same quality"
    return f"At the rule's waiting, the model {'gains' if gain > 0 else 'loses'} {abs(gain):.1f} points of quality"


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
    bins = result.reliability
    expected = float((bins["chance"] * bins["rows"]).sum() / bins["rows"].sum())
    return (
        f"The model expected the large images to be late in {100 * expected:.0f} % of the views; "
        f"they were in {100 * result.calibration.share:.0f} %"
    )


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
        *_signal_sentences(result),
        *_lost_sentence(result),
        "Limits and the best rule were picked on other views: of limits that cannot be told apart there (one standard "
        "error), the one nearest the declared price.",
        f"Intervals are 95 %, from {RESAMPLES:,} paired resamples of {result.test_users:,} {split.people}. Only model "
        "against best rule gets a verdict; all else is exploratory.",
    ]
    if {"rtt_ms", "downlink_mbps"} <= set(result.model.quantities):
        sentences.append("Round-trip time and throughput are taken as independent given the context.")
    if card.simulated:
        sentences.insert(0, "SIMULATED: the rows come from a simulated world, not from people.")
    if card.note:
        sentences.append(f"About the data: {card.note}")
    return [*sentences, OFFLINE]


def _signal_sentences(result: Comparison) -> list[str]:
    mask, train = result.split.mask, result.split.train
    share = f"{100 * result.image.signal_free_share:.0f} %"
    sentences = [f"{share} of all views come without a signal: no NetInfo value, no measurement younger than 600 s."]
    if mask is None:
        sentences.append("Nobody's signal was masked." if "last_age_s" in train else NO_SIGNAL)
    else:
        biased = ", slow ones more often" if mask.slow_biased else ""
        first = " and from first views" if mask.first_views else ""
        sentences.append(
            f"The signal was taken from {100 * mask.users:.0f} % of the users{biased}{first}; nothing is learnt from "
            "what masked users measured."
        )
    if "last_age_s" in train:
        sentences.append("Views know what earlier views of their user measured, unless masked.")
    return sentences


def _lost_sentence(result: Comparison) -> list[str]:
    views = sum(len(part) for _, part in result.split.parts())
    lost = sum(count_lost(part) for _, part in result.split.parts())
    if not lost:
        return []
    return [
        f"In {100 * lost / views:.1f} % of the views ({lost:,}) the probe was lost: they count as abandoned whatever "
        "is sent, for leaving them out would count survivors only."
    ]


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


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s" if milliseconds % 1000 == 0 else f"{milliseconds / 1000:g} s"
