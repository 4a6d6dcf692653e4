"""The only place that formats a result: as a dictionary, as text, as HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from workbench.studies import image_tables, prefetch_tables
from workbench.studies.comparison import Comparison, PolicyResult
from workbench.studies.sentences import assumptions, findings, first_screen
from workbench.studies.wording import OFFLINE, finding_from_shap, flips, short_name, verdict_word

LEVEL_WIDTH = 40  # characters
TABLES = {"image": image_tables, "prefetch": prefetch_tables}
# Dark enough for white words (contrast of 4.5 and more).
COLOURS = {"better": "#00795a", "worse": "#b84f00", "equivalent": "#0072b2", "inconclusive": "#59636e"}


def to_dict(result: Comparison) -> dict[str, Any]:
    """Everything that ``--json`` prints, field by field."""
    tables = TABLES[result.decision]
    return {
        "dataset": result.split.card.name,
        "decision": result.decision,
        "simulated": result.split.card.simulated,
        "rows": {name: len(part) for name, part in result.split.parts()}
        | {"masked": result.split.masked_rows, "dropped": sum(result.split.dropped.values())},
        "split": {"how": result.split.how, "seed": result.split.seed},
        "known_by": result.known_by,
        **tables.about_data(result),
        "today": result.of("today").name,
        "best_rule": result.of("best_rule").name,
        "policies": [_policy_dict(policy, tables.FIGURES) for policy in result.results],
        "model_vs_best_rule": {
            "metric": "net",
            "difference": result.difference.estimate,
            "interval": [result.difference.low, result.difference.high],
            "margin": result.margin,
            "verdict": result.verdict,
            "safety": result.safety.word,
            "added_wait_slowest_fifth_ms": result.safety.added_wait.estimate,
            "added_wait_interval": [result.safety.added_wait.low, result.safety.added_wait.high],
            "tolerated_wait_ms": result.safety.tolerance_ms,
            "users_to_settle": result.users_to_settle,
            **tables.about_evidence(result),
        },
        "recommendation": result.recommendation.text,
        "policies_vs_best_rule": {
            name: {"difference": other.estimate, "interval": [other.low, other.high]}
            for name, other in result.against_best_rule.items()
        },
        "headroom": result.headroom,
        **tables.about_frontier(result),
        "sensitivity": _records(result.sensitivity),
        "segments": _records(result.segments),
        "model": {
            "trees": result.cost.trees,
            "kilobytes": result.cost.kilobytes,
            "us_per_decision": result.cost.us_per_decision,
            "train_seconds": result.cost.train_seconds,
            "fields": list(result.cost.fields),
            "log_loss": result.calibration.log_loss,
            "auc": result.calibration.auc,
            "calibration": {"slope": result.calibration.slope, "intercept": result.calibration.intercept},
            **tables.about_model(result),
        },
        "assumptions": assumptions(result),
        "provenance": dict(result.provenance),
        "seconds": result.seconds,
    }


def _records(table: pd.DataFrame | None) -> list[dict[str, Any]] | None:
    """Rows of a table as dictionaries, missing numbers as None."""
    if table is None:
        return None
    return table.astype(object).where(table.notna(), None).to_dict("records")


def _policy_dict(policy: PolicyResult, names: Sequence[str]) -> dict[str, Any]:
    figures = asdict(policy.figures) if policy.figures else dict.fromkeys(names)
    return {
        "name": policy.name,
        "kind": policy.kind,
        "available": policy.available,
        "reason": policy.reason or None,
        "reads_later_columns": bool(policy.sees),
        **{
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in figures.items()
        },
        "kilobytes": policy.kilobytes if policy.available else None,
        "limit": policy.limit if policy.available else None,
    }


def to_text(result: Comparison, *, every_column: bool = False) -> str:
    """The first screen, for the person who decides, and the table of policies below it."""
    screen = first_screen(result)
    table = table_of(result, every_column=every_column)
    return "\n".join(
        [
            screen["title"],
            f"RECOMMENDATION: {screen['recommendation']}   [{verdict_word(result)}]",
            *_align(key_table(result)),
            screen["difference"],
            screen["views"],
            screen["cost"],
            *(["Safety: " + screen["safety"]] if screen["safety"] else []),
            f"Next: {screen['next']} {OFFLINE}",
            "",
            *_align(table),
            *([flips(result)] if result.sensitivity is not None else []),
            *(f"not available: {policy.name}: {policy.reason}" for policy in result.results if policy.reason),
            "",
            "Assumptions",
            *(f"- {sentence}" for sentence in assumptions(result)),
        ]
    )


def key_table(result: Comparison) -> pd.DataFrame:
    """Today, best rule, model and perfect knowledge, in words of the person who decides; cells are text."""
    named = {"today": "today", "best rule": "best_rule", "model": "model", "perfect knowledge": "oracle"}
    columns = {title: TABLES[result.decision].key_figures(result.of(which).figures) for title, which in named.items()}
    return pd.DataFrame(columns).rename_axis("of 1,000 views")


def table_of(result: Comparison, *, every_column: bool = False) -> pd.DataFrame:
    """All available policies, best net first; cells are text.

    The default five columns are those of a decision; ``every_column`` adds the rest.
    """
    rows = []
    available = [policy for policy in result.results if policy.figures is not None]
    for policy in sorted(available, key=lambda p: -p.figures.net):
        row = {"policy": policy.name + _mark(result, policy)}
        row |= TABLES[result.decision].policy_row(policy, every_column=every_column)
        if every_column:
            row |= {
                "kind": policy.kind,
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
        marks.append("reference, sees later columns" if policy.sees else "reference")
    return f" [{', '.join(marks)}]" if marks else ""


def to_html(result: Comparison) -> str:
    """The first screen and the table of policies as HTML; names from data are escaped."""
    screen = {key: html.escape(text) for key, text in first_screen(result).items()}
    badge = (
        f'<span class="badge" style="background:{COLOURS[result.verdict]};color:#fff;padding:.1em .6em;'
        f'border-radius:.3em;font-weight:600">{verdict_word(result)}</span>'
    )
    simulated = '<strong class="simulated">SIMULATED</strong> ' if result.split.card.simulated else ""
    return (
        f'<section class="verdict {result.verdict}">'
        f"<p>{simulated}{screen['title']}</p>"
        f'<p style="font-size:1.25em">Recommendation: <strong>{screen["recommendation"]}</strong> {badge}</p>'
        f"{_html_table(key_table(result))}"
        f"<p><strong>{screen['difference']}</strong> {screen['safety'][:1].upper()}{screen['safety'][1:]}</p>"
        f'<p class="note">{screen["views"]} {screen["cost"]}</p>'
        f'<p class="note">Next: {screen["next"]} {OFFLINE}</p>'
        "</section>"
    )


def finding_html(result: Comparison, about: str) -> str:
    """A heading that states a finding (see ``sentences.findings``)."""
    return heading_html(findings(result)[about])


def shap_finding_html(explanation: Any) -> str:
    """A heading that names what drives the model."""
    return heading_html(finding_from_shap(explanation))


def told_html(told: Any) -> str:
    """What an explanation found: its ``finding`` as a heading, its ``sentences`` as a list."""
    return heading_html(told.finding) + _html_list(told.sentences)


def heading_html(sentence: str) -> str:
    """A sentence as a second-level heading."""
    return f"<h2>{html.escape(sentence)}</h2>"


def calibration_html(result: Comparison) -> str:
    """Whether the chances that images are late come true, by budget and rendition."""
    return _html_table(image_tables.calibration_table(result)) + (
        '<p class="note">Log-odds of being late, what happened against what was predicted: a slope of 1 and an '
        "intercept of 0 are perfect. A slope under 1: predicted too boldly.</p>"
    )


def headroom_html(result: Comparison) -> str:
    """What perfect knowledge gains over one rendition for all, by budget."""
    return _html_table(image_tables.headroom_table(result))


def hits_html(result: Comparison) -> str:
    """Hits per 100 views at given numbers of unused prefetches a view, by policy."""
    return _html_table(prefetch_tables.hits_table(result))


def segments_html(result: Comparison, most: int = 4) -> str:
    """Model minus best rule by segment, the largest segments of each dimension; exploratory."""
    largest = result.segments.sort_values("views", ascending=False, kind="stable").groupby("dimension").head(most)
    rows, unit = largest.sort_index(), result.unit
    table = pd.DataFrame(
        {
            result.split.people: [f"{n:,}" for n in rows["users"]],
            "model gains": [f"{unit.factor * d:+.{unit.digits}f}" for d in rows["difference"]],
            "from": [f"{unit.factor * d:+.{unit.digits}f}" for d in rows["low"]],
            "to": [f"{unit.factor * d:+.{unit.digits}f}" for d in rows["high"]],
        },
        index=pd.Index(
            [f"{row.dimension}: {short_name(row.level, LEVEL_WIDTH)}" for row in rows.itertuples()], name="segment"
        ),
    )
    return _html_table(table)


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
