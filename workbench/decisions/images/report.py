"""The rows and sentences of a report that are image delivery's own. Numbers in, words out."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from workbench.datasets.schema import count_lost, label, measured_quantities, unit
from workbench.decisions.decision import USD_PER_GB, WHO, Finding, cost_sentence, more_or_fewer
from workbench.decisions.images.replay import ImageFigures
from workbench.evidence.bootstrap import Interval

event = "the large images are late"
# Rows of the table over all views: a measurement decides where there is one.
HYBRID_RULE, HYBRID_MODEL = "measurement, else best rule", "measurement, else model"
EVERYWHERE = "model on every view"


def headline(result: Finding) -> str:
    """What the first line asks for."""
    return f"images should be there in {_seconds(result.scenario.budget_ms)}"


def key_figures(figures: ImageFigures) -> dict[str, str]:
    """One policy of 1,000 views, in words of the person who decides."""
    return {
        "large images": f"{1000 * figures.large_share:,.0f}",
        "late": f"{1000 * figures.late_share:,.0f}",
        "wait, slowest fifth": f"{figures.slowest_fifth_wait_ms:,.0f} ms",
        "MB sent": f"{figures.mb_per_1000:,.0f}",
    }


def policy_row(figures: ImageFigures, every_column: bool) -> dict[str, str]:
    """One policy in the table of all: six columns, or every one."""
    row = {
        "large %": f"{100 * figures.large_share:.1f}",
        "late %": f"{100 * figures.late_share:.1f}",
        "extra wait": f"{figures.excess_wait_ms:,.0f} ms",
        "slowest fifth": f"{figures.slowest_fifth_wait_ms:,.0f} ms",
        "MB per 1,000": f"{figures.mb_per_1000:,.0f}",
    }
    if every_column:
        row |= {
            "quality": f"{figures.quality:.1f}",
            "load p50": _arrives(figures.load_ms_p50),
            "load p75": _arrives(figures.load_ms_p75),
            "load p95": _arrives(figures.load_ms_p95),
        }
    return row


def _arrives(load_ms: float) -> str:
    """A quantile of load time; where that many probes were lost, their images never come."""
    return f"{load_ms:,.0f} ms" if math.isfinite(load_ms) else "never"


def views_sentence(result: Finding) -> str:
    """Which views are counted."""
    share = result.detail.signal_free_share
    if share >= 0.995:  # what would be written as 100 %
        return "All decisions here are made before the network is known."
    return f"Only views without a network signal are counted: {100 * share:.0f} % of all."


def cost(result: Finding) -> str:
    """Bytes, and what sending them costs."""
    return cost_sentence("sent", [result.of(which).figures.mb_per_1000 for which in WHO], USD_PER_GB)


def trade_off(result: Finding) -> str:
    """Large images and late ones, model against best rule."""
    model, rule = (result.of(which).figures for which in ("model", "best_rule"))
    large = more_or_fewer(1000 * (model.large_share - rule.large_share), "large images")
    late = more_or_fewer(1000 * (model.late_share - rule.late_share), "late views")
    return f"Per 1,000 views the model sends {large} and has {late}."


def who_waits(result: Finding) -> str:
    """Whose waiting the safety check looks at."""
    return f"the slowest fifth of {result.people}"


def findings(result: Finding) -> dict[str, str]:
    """One sentence for each heading that is the decision's own."""
    late = result.calibration.share
    calibration = _calibration_finding(result)
    return {
        "data": f"{_medians(result)}; the large images would be late in {100 * late:.0f} % of views",
        "netinfo": _netinfo_finding(result),
        "model": calibration,
        "calibration": calibration,
        "frontier": _frontier_finding(result.detail.quality_at_rules_wait),
        "all views": _site_finding(result),
    }


def _frontier_finding(gain: float | None) -> str:
    if gain is None:
        return "The model's frontier does not reach the waiting of the best rule"
    if abs(gain) < 0.05:
        return "At the waiting of the best rule, the model reaches the same quality"
    better = "higher" if gain > 0 else "lower"
    return f"At the waiting of the best rule, quality alone is {abs(gain):.1f} points {better} with the model"


def _site_finding(result: Finding) -> str:
    """What the site as a whole gains, by the model in place of the best rule."""
    signal = 1 - result.detail.signal_free_share
    gain, unit = result.detail.all_views.loc[HYBRID_MODEL], result.unit
    everywhere = unit.signed(result.detail.all_views.at[EVERYWHERE, "over_best_rule"])
    span = _gain(gain, "best_rule", result)
    if signal < 0.005:  # what would be written as 0 %
        return f"No view carries a measurement: over the whole site, too, the model gains {span} {unit.name}"
    return (
        f"Over the whole site, where {100 * signal:.0f} % of views carry a measurement, the model in place of the best "
        f"rule gains {span} {unit.name}; asked on every view, measured or not, it gains {everywhere}"
    )


def _gain(row: pd.Series, over: str, result: Finding) -> str:
    """A gain over all views and its interval."""
    estimate, low, high = (float(row[name]) for name in (f"over_{over}", f"over_{over}_low", f"over_{over}_high"))
    return result.unit.span(Interval(estimate, low, high, result.test_users))


def _medians(result: Finding) -> str:
    frame, card = result.split.train, result.split.card
    text = ", ".join(
        f"median {label(name, card)} {frame[name].median():,.0f} {unit(name)}" for name in measured_quantities(frame)
    )
    return text[:1].upper() + text[1:]


def _netinfo_finding(result: Finding) -> str:
    frame = result.split.train
    if "effective_type" not in frame or frame["effective_type"].isna().all():
        return "This data has no NetInfo value: only the context predicts the network"
    known = frame["effective_type"].dropna()
    return (
        f'NetInfo says "4g" for {100 * (known == "4g").mean():.0f} % of the views that carry it, and nothing for '
        f"{100 * (1 - len(known) / len(frame)):.0f} % of all views"
    )


def _calibration_finding(result: Finding) -> str:
    bins = result.reliability
    expected = float((bins["chance"] * bins["rows"]).sum() / bins["rows"].sum())
    return (
        f"The model predicted that the large images are late in {100 * expected:.0f} % of views; "
        f"they were in {100 * result.calibration.share:.0f} %"
    )


def assumptions(result: Finding) -> list[str]:
    """What the figures rest on, beyond what every decision says."""
    scenario = result.scenario
    sentences = [
        f"A view loads {scenario.images_per_view} images and should have them in {_seconds(scenario.budget_ms)}; a "
        f"delay of {scenario.cancelling_wait_ms:g} ms beyond that makes large images not worth it, and after "
        f"{_seconds(scenario.longest_wait_ms)} the view is abandoned.",
        f"Load time is {scenario.connection_rtts:g} round trips plus the bytes at the measured throughput.",
        *_assumed_sentences(result),
        *_signal_sentences(result),
        *_lost_sentence(result),
        "Each policy has the limit nearest the declared price among those within one standard error of the best.",
    ]
    if {"rtt_ms", "downlink_mbps"} <= set(measured_quantities(result.split.train)):
        sentences.append("Round-trip time and throughput are taken as independent given the context.")
    return sentences


def _signal_sentences(result: Finding) -> list[str]:
    mask, train = result.split.mask, result.split.train
    share = f"{100 * result.detail.signal_free_share:.0f} %"
    sentences = [f"{share} of all views come without a signal: no NetInfo value, no measurement younger than 600 s."]
    if mask is None and "last_age_s" not in train:
        sentences.append("This data has no signal, so none was masked.")
    elif mask is None:
        sentences.append("No signal was masked.")
    else:
        biased = " (slow ones more often)" if mask.slow_biased else ""
        first = " and from every first view" if mask.first_views else ""
        sentences.append(
            f"The signal was removed from {100 * mask.users:.0f} % of users{biased}{first}; what masked users measured "
            "is not used for training."
        )
    if "last_age_s" in train:
        sentences.append("Earlier measurements of the same user are known, unless masked.")
    return sentences


def _lost_sentence(result: Finding) -> list[str]:
    views = sum(len(part) for _, part in result.split.parts())
    lost = sum(count_lost(part) for _, part in result.split.parts())
    if not lost:
        return []
    return [
        f"In {100 * lost / views:.1f} % of views ({lost:,}) the probe was lost: they count as abandoned whatever is "
        "sent. Leaving them out would be survivorship bias."
    ]


def _assumed_sentences(result: Finding) -> list[str]:
    frame, scenario, card = result.split.train, result.scenario, result.split.card
    sentences = []
    for quantity, (low, base, high) in card.assume.items():
        if quantity in frame:
            continue
        sentences.append(
            f"No {label(quantity, card)} was measured: {base:g} {unit(quantity)} is assumed (low {low:g}, "
            f"high {high:g})."
        )
        if quantity == "rtt_ms" and scenario.connection_rtts * base >= scenario.budget_ms:
            sentences.append("The assumed round trips alone take the whole budget.")
    if "rtt_ms" in frame:
        share = float((scenario.connection_rtts * frame["rtt_ms"] > scenario.budget_ms).mean())
        if share >= 0.01:
            sentences.append(f"In {100 * share:.0f} % of views the round trips alone take longer than the budget.")
    return sentences


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s" if milliseconds % 1000 == 0 else f"{milliseconds / 1000:g} s"


def to_dict(result: Finding) -> dict[str, dict[str, Any]]:
    """What ``--json`` adds about data, evidence, frontier and model."""
    detail, table = result.detail, result.detail.calibration_by_budget
    by_budget = [{"budget_ms": budget, "net": net} for budget, net in detail.headroom_by_budget.items()]
    return {
        "data": {
            "lost_probes": sum(count_lost(part) for _, part in result.split.parts()),
            "signal_free_share": detail.signal_free_share,
        },
        "evidence": {
            "quality_at_rules_wait": detail.quality_at_rules_wait,
            "all_views": detail.all_views.reset_index().to_dict("records"),
        },
        "frontier": {"headroom_by_budget": by_budget},
        "model": {"calibration_by_budget": table.astype(object).where(table.notna(), None).to_dict("records")},
    }


def tables(result: Finding) -> dict[str, pd.DataFrame]:
    """What the site gains, what perfect knowledge gains by budget, and whether chances hold; cells are text."""
    by_budget = {f"{at / 1000:g} s": f"{net:.1f}" for at, net in result.detail.headroom_by_budget.items()}
    table = result.detail.calibration_by_budget
    late = [f"{100 * share:.0f} %" for share in table["share"]]
    slope, intercept = (["" if pd.isna(x) else f"{x:.2f}" for x in table[name]] for name in ("slope", "intercept"))
    rows = [f"{row.budget_ms / 1000:g} s, {row.rendition}" for row in table.itertuples()]
    return {
        "all views": _all_views(result),
        "headroom": pd.DataFrame([by_budget], index=pd.Index(["headroom, points"], name="budget")),
        "calibration": pd.DataFrame(
            {"late": late, "slope": slope, "intercept": intercept}, index=pd.Index(rows, name="budget, images")
        ),
    }


def _all_views(result: Finding) -> pd.DataFrame:
    found = result.detail.all_views
    shown = {"net": [result.unit.amount(net) for net in found["net"]]}
    for title, over in (("over today's", "today"), ('over "else best rule"', "best_rule")):
        same = found[f"over_{over}_low"].eq(0) & found[f"over_{over}_high"].eq(0)
        shown[title] = ["" if same[name] else _gain(row, over, result) for name, row in found.iterrows()]
    return pd.DataFrame(shown, index=pd.Index(found.index, name="all views"))
