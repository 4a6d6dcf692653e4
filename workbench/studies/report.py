"""The only place that formats a result: as a dictionary, as text, as HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from workbench.evaluation.bootstrap import RESAMPLES, Interval
from workbench.evaluation.image_summary import ImageFigures
from workbench.evaluation.verdict import TEST_MODEL
from workbench.studies.comparison import Comparison, PolicyResult

OFFLINE = "Offline replay is an estimate until an A/B test confirms it."
DEFAULT_COLUMNS = ("large %", "late %", "extra wait", "slowest fifth", "MB per 1,000")
COLOURS = {"better": "#009e73", "worse": "#d55e00", "equivalent": "#0072b2", "inconclusive": "#666666"}


def to_dict(result: Comparison) -> dict[str, Any]:
    """Everything that ``--json`` prints, field by field."""
    return {
        "dataset": result.split.card.name,
        "decision": result.decision,
        "simulated": result.split.card.simulated,
        "rows": {name: len(part) for name, part in result.split.parts()}
        | {"dropped": sum(result.split.dropped.values())},
        "split": {"how": result.split.how, "seed": result.split.seed},
        "known_by": result.known_by,
        "signal_free_share": result.signal_free_share,
        "today": result.of("today").name,
        "best_rule": result.of("best_rule").name,
        "policies": [_policy_dict(policy) for policy in result.results],
        "model_vs_best_rule": {
            "metric": "net",
            "difference": result.difference.estimate,
            "interval": [result.difference.low, result.difference.high],
            "margin": result.margin,
            "verdict": result.verdict,
            "safety": result.safety.word,
            "users_to_settle": result.users_to_settle,
            "quality_at_rules_wait": result.quality_at_rules_wait,
        },
        "recommendation": result.recommendation.text,
        "policies_vs_best_rule": {
            name: {"difference": other.estimate, "interval": [other.low, other.high]}
            for name, other in result.against_best_rule.items()
        },
        "headroom": result.headroom,
        "headroom_by_budget": [{"budget_ms": budget, "net": net} for budget, net in result.headroom_by_budget.items()],
        "model": {
            "trees": result.cost.trees,
            "kilobytes": result.cost.kilobytes,
            "us_per_decision": result.cost.us_per_decision,
            "train_seconds": result.cost.train_seconds,
            "fields": list(result.cost.fields),
            "log_loss": result.calibration.log_loss,
            "auc": result.calibration.auc,
            "calibration": {"slope": result.calibration.slope, "intercept": result.calibration.intercept},
        },
        "assumptions": assumptions(result),
        "provenance": dict(result.provenance),
        "seconds": result.seconds,
    }


def _policy_dict(policy: PolicyResult) -> dict[str, Any]:
    figures = asdict(policy.figures) if policy.figures else dict.fromkeys(ImageFigures.__dataclass_fields__)
    return {
        "name": policy.name,
        "kind": policy.kind,
        "available": policy.available,
        "reason": policy.reason or None,
        **figures,
        "kilobytes": policy.kilobytes if policy.available else None,
        "limit": policy.limit if policy.available else None,
    }


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
    units = {"rtt_ms": ("A round trip", "ms"), "downlink_mbps": ("Throughput", "Mbit/s")}
    frame, scenario = result.split.train, result.scenario
    sentences = []
    for quantity, (low, base, high) in result.split.card.assume.items():
        if quantity in frame or quantity not in units:
            continue
        what, unit = units[quantity]
        sentences.append(f"{what} was not measured: {base:g} {unit} is assumed (low {low:g}, high {high:g}).")
        if quantity == "rtt_ms" and scenario.connection_rtts * base >= scenario.budget_ms:
            sentences.append("The assumed round trips alone take the whole budget.")
    if "rtt_ms" in frame:
        share = float((scenario.connection_rtts * frame["rtt_ms"] > scenario.budget_ms).mean())
        if share >= 0.01:
            sentences.append(f"In {100 * share:.0f} % of views the round trips alone are past the budget.")
    return sentences


def to_text(result: Comparison, *, every_column: bool = False) -> str:
    """The first screen, for the person who decides, and the table of policies below it."""
    screen = first_screen(result)
    table = table_of(result, every_column=every_column)
    return "\n".join(
        [
            screen["title"],
            f"RECOMMENDATION: {screen['recommendation']}   [{result.verdict.upper()}]",
            *_align(key_table(result)),
            screen["difference"],
            screen["views"],
            screen["cost"],
            *(["Safety: " + screen["safety"]] if screen["safety"] else []),
            f"Next: {screen['next']} {OFFLINE}",
            "",
            *_align(table),
            *(f"not available: {policy.name}: {policy.reason}" for policy in result.results if policy.reason),
            "",
            "Assumptions",
            *(f"- {sentence}" for sentence in assumptions(result)),
        ]
    )


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
        "difference": f"Model against best rule ({rule.name}): {_points(result.difference)} points "
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
    if result.verdict == "inconclusive" and result.recommendation.action == "collect":
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


def key_table(result: Comparison) -> pd.DataFrame:
    """Today, best rule, model and perfect knowledge, in words of the person who decides; cells are text."""
    columns = {}
    for title, which in (
        ("today", "today"),
        ("best rule", "best_rule"),
        ("model", "model"),
        ("perfect knowledge", "oracle"),
    ):
        figures = result.of(which).figures
        assert figures is not None
        columns[title] = [
            f"{1000 * figures.large_share:,.0f}",
            f"{1000 * figures.late_share:,.0f}",
            f"{figures.slowest_fifth_wait_ms:,.0f} ms",
            f"{figures.mb_per_1000:,.0f} MB",
        ]
    index = pd.Index(["large images", "late", "wait, slowest fifth", "data sent"], name="of 1,000 views")
    return pd.DataFrame(columns, index=index)


def table_of(result: Comparison, *, every_column: bool = False) -> pd.DataFrame:
    """All available policies, best net first; cells are text.

    The default five columns are those of a decision; ``every_column`` adds net, quality and load times.
    """
    rows = []
    available = [policy for policy in result.results if policy.figures is not None]
    for policy in sorted(available, key=lambda p: -p.figures.net if p.figures else 0.0):
        figures = policy.figures
        assert figures is not None
        row = {
            "policy": policy.name + _mark(result, policy),
            "large %": f"{100 * figures.large_share:.1f}",
            "late %": f"{100 * figures.late_share:.1f}",
            "extra wait": f"{figures.excess_wait_ms:,.0f} ms",
            "slowest fifth": f"{figures.slowest_fifth_wait_ms:,.0f} ms",
            "MB per 1,000": f"{figures.mb_per_1000:,.0f}",
        }
        if every_column:
            row |= {
                "kind": policy.kind,
                "net": f"{figures.net:.2f}",
                "quality": f"{figures.quality:.1f}",
                "load p50": f"{figures.load_ms_p50:,.0f} ms",
                "load p75": f"{figures.load_ms_p75:,.0f} ms",
                "load p95": f"{figures.load_ms_p95:,.0f} ms",
                "kB": f"{policy.kilobytes:,.0f}",
                "limit": "" if policy.limit is None else f"{policy.limit:.2f}",
            }
        rows.append(row)
    return pd.DataFrame(rows).set_index("policy")


def _mark(result: Comparison, policy: PolicyResult) -> str:
    marks = []
    if policy.policy is not None and policy.policy is result.best_rule:
        marks.append("best rule")
    if policy.policy is not None and policy.policy is result.today and not policy.name.startswith("today"):
        marks.append("today")
    if policy.kind == "reference":
        marks.append("reference")
    return f" [{', '.join(marks)}]" if marks else ""


def to_html(result: Comparison) -> str:
    """The first screen and the table of policies as HTML; names from data are escaped."""
    screen = {key: html.escape(text) for key, text in first_screen(result).items()}
    badge = (
        f'<span class="badge" style="background:{COLOURS[result.verdict]};color:#fff;padding:.1em .6em;'
        f'border-radius:.3em;font-weight:600">{result.verdict.upper()}</span>'
    )
    simulated = '<strong class="simulated">SIMULATED</strong> ' if result.split.card.simulated else ""
    return (
        f'<section class="verdict {result.verdict}">'
        f"<p>{simulated}{screen['title']}</p>"
        f'<p style="font-size:1.25em"><strong>{screen["recommendation"]}</strong> {badge}</p>'
        f"{_html_table(key_table(result))}"
        f"<p><strong>{screen['difference']}</strong> {screen['safety'][:1].upper()}{screen['safety'][1:]}</p>"
        f'<p class="note">{screen["views"]} {screen["cost"]}</p>'
        f'<p class="note">Next: {screen["next"]} {OFFLINE}</p>'
        "</section>"
    )


def policies_html(result: Comparison, *, every_column: bool = False) -> str:
    """The table of policies, and why a rule is not in it."""
    missing = "".join(
        f'<p class="note">Not available: {html.escape(policy.name)} ({html.escape(policy.reason)}).</p>'
        for policy in result.results
        if policy.reason
    )
    return _html_table(table_of(result, every_column=every_column)) + missing


def assumptions_html(result: Comparison) -> str:
    """Assumptions and provenance as lists."""
    origin: Mapping[str, Any] = result.provenance
    packages = ", ".join(f"{name} {version}" for name, version in origin["packages"].items())
    facts = [
        f"Data: {result.split.card.title} ({result.split.card.citation or 'no citation'}; licence: "
        f"{result.split.card.licence or 'not stated'})",
        f"sha256 of the canonical rows: {origin['frame_sha256']}",
        f"Code: workbench {origin['workbench']}, commit {origin['commit'] or 'unknown'}; Python {origin['python']}; "
        f"{packages}; seed {origin['split_seed']}",
    ]
    return f"{_html_list(assumptions(result))}<h3>Provenance</h3>{_html_list(facts)}"


def _html_table(table: pd.DataFrame) -> str:
    head = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in [table.index.name, *table.columns])
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{html.escape(str(name))}</th>'
        + "".join(f"<td>{html.escape(str(cell)).replace(' ', '&nbsp;')}</td>" for cell in cells)
        + "</tr>"
        for name, cells in zip(table.index, table.itertuples(index=False), strict=True)
    )
    return f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _html_list(sentences: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def _align(table: pd.DataFrame) -> list[str]:
    """Text columns: names to the left, numbers to the right."""
    cells = [
        [str(table.index.name), *table.columns],
        *([str(n), *map(str, row)] for n, row in zip(table.index, table.itertuples(index=False), strict=True)),
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join(cell.rjust(width + 2) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in cells
    ]


def _points(interval: Interval) -> str:
    return f"{interval.estimate:+.1f} ({interval.low:+.1f} to {interval.high:+.1f})"


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s" if milliseconds % 1000 == 0 else f"{milliseconds / 1000:g} s"
