"""The only place that formats a result: as a dictionary, a frame, text, Markdown, HTML.

What is a decision's own comes from its ``report``.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from workbench.datasets.columns import WHEN_KNOWN
from workbench.datasets.splits import describe_size
from workbench.decisions.decision import TRAINING_SEED
from workbench.errors import check_one_of
from workbench.evidence.bootstrap import RESAMPLES
from workbench.evidence.verdict import COLLECT, HARMFUL, NOT_SHOWN, TEST_MODEL

OFFLINE = "Offline replay is an estimate until an A/B test confirms it."
LEVEL_WIDTH = 40  # characters
KEY_POLICIES = {"today": "today", "best rule": "best_rule", "model": "model", "perfect knowledge": "oracle"}
# Dark enough for white words (contrast of 4.5 and more).
COLOURS = {"better": "#00795a", "worse": "#b84f00", "equivalent": "#0072b2", "inconclusive": "#59636e"}

Result = Any  # a Comparison, which formats itself here: its module imports this one


def short_name(name: str, most: int) -> str:
    """A name from data, fit to be read: what cannot be printed becomes a space, underscores too, and it is cut.

    >>> short_name("United_States", 22), short_name("/a/very/long/path", 8)
    ('United States', '/a/very\u2026')
    """
    readable = " ".join("".join(sign if sign.isprintable() else " " for sign in name[: 10 * most]).split())
    readable = readable.replace("_", " ") or "(no name)"
    return readable if len(readable) <= most else readable[: most - 1] + "\u2026"


def capital(sentence: str) -> str:
    """A sentence with a capital letter at its beginning."""
    return sentence[:1].upper() + sentence[1:]


def first_screen(result: Result) -> dict[str, str]:
    """The sentences of the first screen, by what they are about."""
    card, report, unit = result.split.card, result.decision.report, result.unit
    rule, cost, size = result.of("best_rule"), result.cost, describe_size(result.split)
    source = "SIMULATED" if card.simulated else "REAL"
    rule_size = f"{rule.kilobytes:,.0f} kB" if rule.kilobytes else "no data, a line of code"
    return {
        "title": f"{result.decision.title} - {card.name} - {source} data, {size} - {report.headline(result)}",
        "recommendation": result.recommendation.text,
        "difference": f"Model minus best rule ({rule.name}): {unit.span(result.difference)} {unit.name}; smallest gain "
        f"that matters: {unit.factor * result.margin:g}.",
        "views": report.views_sentence(result),
        "cost": f"Model size {cost.kilobytes:,.0f} kB, {cost.us_per_decision:,.0f} us per decision. Best rule: "
        f"{rule_size}.",
        "safety": _safety_sentence(result),
        "next": _next_step(result),
    }


def findings(result: Result) -> dict[str, str]:
    """One sentence for each heading of a proposal, by what it is about."""
    unit = result.unit
    worth = "there is something to win" if result.headroom >= result.margin else "there is little to win"
    return {
        "rules": f'The best rule is "{result.of("best_rule").name}"',
        "verdict": f"Model minus best rule: {unit.span(result.difference)} {unit.name}, {result.verdict}",
        "sensitivity": re.split("[;.]", robustness(result))[0] or "No assumption was changed",
        "headroom": f"Perfect knowledge would gain {unit.amount(result.headroom)} {unit.name}: {worth}",
        **result.decision.report.findings(result),
    }


def assumptions(result: Result) -> list[str]:
    """What the figures rest on, one sentence each."""
    card, split = result.split.card, result.split
    simulated = ["SIMULATED: the rows come from a simulated world, not from people."] if card.simulated else []
    return [
        *simulated,
        *result.decision.report.assumptions(result),
        f"Policies see what is known {WHEN_KNOWN[result.known_by]}; the split is {split.how}, seed {split.seed}.",
        "The model's limit was picked on validation, those of rules (the best of them, or what is done today) on "
        "calibration and validation together; test was read once.",
        f"Intervals are 95 %, from {RESAMPLES:,} paired resamples of {result.test_users:,} {result.people}. Only model "
        "against best rule gets a verdict; all else is exploratory.",
        *([f"About the data: {card.note}"] if card.note else []),
        OFFLINE,
    ]


def _safety_sentence(result: Result) -> str:
    """What the model does to those who wait longest."""
    added, limit = result.safety.added_wait, f"{result.safety.tolerance_ms:,.0f} ms"
    who = result.decision.report.who_waits(result)
    span = f"{added.estimate:+,.0f} ms a view ({added.low:+,.0f} to {added.high:+,.0f})"
    if result.safety.word == HARMFUL:
        return f"HARMFUL: with the model, {who} wait longer: {span}, limit {limit}."
    if result.safety.word == NOT_SHOWN:
        return f"Open risk: {who} may wait up to {added.high:,.0f} ms longer with the model (limit {limit})."
    return f"Waiting of {who}: {span}, within the limit of {limit}."


def _next_step(result: Result) -> str:
    """What to do next, in a few words."""
    if result.safety.word == HARMFUL:
        return "do not ship the model until this is fixed."
    steps = {TEST_MODEL: "run the A/B test.", COLLECT: "collect data from more users, then compare again."}
    return steps.get(result.recommendation.action, "no test needed.")


def verdict_word(result: Result) -> str:
    """The verdict in large letters, with harm beside it where there is any."""
    return result.verdict.upper() + (", BUT HARMFUL" if result.safety.word == HARMFUL else "")


def robustness(result: Result) -> str:
    """In how many changed assumptions the verdict holds, and in which not; empty where none was changed."""
    if result.sensitivity is None:
        return ""
    changed = result.sensitivity.iloc[1:]
    ran = changed[changed["verdict"] != ""]
    flipped = ran[ran["verdict"] != result.verdict]
    if ran.empty:
        return f"None of {len(changed)} checks could be run."
    if flipped.empty:
        return f"The verdict stays {result.verdict} in all {len(ran)} checks."
    named = "; ".join(
        f"{row.change if str(row.change).startswith(row.group) else f'{row.group} {row.change}'}: {row.verdict}"
        for row in flipped.itertuples()
    )
    return f"Robust in {len(ran) - len(flipped)} of {len(ran)} checks; not under: {named}."


def trainings(result: Result) -> str:
    """How far the difference moves from one training of the model to the next; empty where it was trained once."""
    table = result.sensitivity
    again = None if table is None else table[(table["group"].isin(["base", TRAINING_SEED])) & (table["verdict"] != "")]
    if again is None or len(again) < 2:
        return ""
    low, high, n = again["difference"].min(), again["difference"].max(), len(again)
    if low == high:
        return f"{n} training seeds give the same difference: so few views are all used, and none is drawn at random."
    words = " and ".join(f"{word} in {count} of {n}" for word, count in again["verdict"].value_counts().items())
    span = f"{result.unit.signed(low)} to {result.unit.signed(high)} {result.unit.name}"
    return f"Over {n} training seeds, on the same test part: {span}; {words}."


def to_dict(result: Result) -> dict[str, Any]:
    """What ``--json`` prints: plain dictionaries, lists and numbers."""
    own = result.decision.report.to_dict(result)
    return {
        "dataset": result.split.card.name,
        "decision": result.decision.name,
        "simulated": result.split.card.simulated,
        "rows": {name: len(part) for name, part in result.split.parts()}
        | {"masked": result.split.masked_rows, "dropped": sum(result.split.dropped.values())},
        "split": {"how": result.split.how, "seed": result.split.seed},
        "known_by": result.known_by,
        **own["data"],
        "today": result.of("today").name,
        "best_rule": result.of("best_rule").name,
        "policies": [_policy_dict(policy, result) for policy in result.results],
        "model_vs_best_rule": _evidence_dict(result) | own["evidence"],
        "recommendation": result.recommendation.text,
        "policies_vs_best_rule": {
            name: {"difference": other.estimate, "interval": [other.low, other.high]}
            for name, other in result.against_best_rule.items()
        },
        "headroom": result.headroom,
        **own["frontier"],
        "sensitivity": _records(result.sensitivity),
        "segments": _records(result.segments),
        "model": _model_dict(result) | own["model"],
        "assumptions": assumptions(result),
        "provenance": dict(result.provenance),
        "seconds": result.seconds,
    }


def _evidence_dict(result: Result) -> dict[str, Any]:
    difference, added = result.difference, result.safety.added_wait
    return {
        "metric": "net",
        "difference": difference.estimate,
        "interval": [difference.low, difference.high],
        "margin": result.margin,
        "verdict": result.verdict,
        "safety": result.safety.word,
        "added_wait_slowest_fifth_ms": added.estimate,
        "added_wait_interval": [added.low, added.high],
        "tolerated_wait_ms": result.safety.tolerance_ms,
        "users_to_settle": result.users_to_settle,
    }


def _model_dict(result: Result) -> dict[str, Any]:
    cost, calibration = result.cost, result.calibration
    return {
        **asdict(cost),
        "fields": list(cost.fields),
        "log_loss": calibration.log_loss,
        "auc": calibration.auc,
        "calibration": {"slope": calibration.slope, "intercept": calibration.intercept},
    }


def _records(table: pd.DataFrame | None) -> list[dict[str, Any]] | None:
    """Rows of a table as dictionaries, missing numbers as None."""
    if table is None:
        return None
    return table.astype(object).where(table.notna(), None).to_dict("records")


def _policy_dict(policy: Any, result: Result) -> dict[str, Any]:
    names = asdict(result.of("model").figures)
    figures = asdict(policy.figures) if policy.figures else dict.fromkeys(names)
    return {
        "name": policy.name,
        "kind": policy.kind,
        "available": policy.available,
        "reason": policy.reason or None,
        "reads_later_columns": policy.reads_later,
        **{
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in figures.items()
        },
        "kilobytes": policy.kilobytes if policy.available else None,
        "limit": policy.limit if policy.available else None,
    }


def to_frame(result: Result) -> pd.DataFrame:
    """The table of policies as numbers: one row a policy, by name; best net first, missing where not available."""
    table = pd.DataFrame([_policy_dict(policy, result) for policy in result.results]).set_index("name")
    for name in table:
        if all(isinstance(value, (int, float, type(None))) and value is not True for value in table[name]):
            table[name] = pd.to_numeric(table[name])
    return table.sort_values("net", ascending=False, kind="stable")


def to_line(result: Result) -> str:
    """A result in one line: its short ``repr``."""
    return (
        f"<Comparison of {result.decision.name} on {result.split.card.name}: {verdict_word(result)}, model minus best "
        f"rule {result.unit.span(result.difference)} {result.unit.name}>"
    )


def to_text(result: Result, *, every_column: bool = False) -> str:
    """The first screen, for the person who decides, and the table of policies below it."""
    screen = first_screen(result)
    return "\n".join(
        [
            screen["title"],
            f"RECOMMENDATION: {screen['recommendation']}   [{verdict_word(result)}]",
            *_align(key_table(result)),
            screen["difference"],
            screen["views"],
            screen["cost"],
            screen["safety"],
            f"Next: {screen['next']} {OFFLINE}",
            "",
            *_align(table_of(result, every_column=every_column)),
            *filter(None, (robustness(result), trainings(result))),
            *(f"not available: {policy.name}: {policy.reason}" for policy in result.results if policy.reason),
            "",
            "Assumptions",
            *(f"- {sentence}" for sentence in assumptions(result)),
        ]
    )


def to_markdown(result: Result) -> str:
    """The first screen and the table of policies in Markdown."""
    screen = first_screen(result)
    sentences = [screen[name] for name in ("difference", "views", "cost", "safety")]
    return "\n\n".join(
        [
            f"**{screen['title']}**",
            f"{screen['recommendation']} **{verdict_word(result)}**",
            _markdown_table(key_table(result)),
            " ".join(sentences),
            _markdown_table(table_of(result)),
            f"Next: {screen['next']} {OFFLINE}",
        ]
    )


def key_table(result: Result) -> pd.DataFrame:
    """Today, best rule, model and perfect knowledge, in words of the person who decides; cells are text."""
    figures = {title: result.of(which).figures for title, which in KEY_POLICIES.items()}
    columns = {title: result.decision.report.key_figures(each) for title, each in figures.items()}
    return pd.DataFrame(columns).rename_axis("of 1,000 views")


def table_of(result: Result, *, every_column: bool = False) -> pd.DataFrame:
    """All available policies, best net first; cells are text.

    The default columns are those of a decision; ``every_column`` adds the rest.
    """
    rows = []
    available = [policy for policy in result.results if policy.figures is not None]
    for policy in sorted(available, key=lambda p: -p.figures.net):
        row = {"policy": policy.name + _mark(result, policy)}
        row |= result.decision.report.policy_row(policy.figures, every_column)
        if every_column:
            limit = "" if policy.limit is None else f"{policy.limit:.2f}"
            row |= {"kind": policy.kind, "kB": f"{policy.kilobytes:,.0f}", "limit": limit}
        rows.append(row)
    return pd.DataFrame(rows).set_index("policy")


def _mark(result: Result, policy: Any) -> str:
    marks = []
    if policy.policy is not None and policy.policy is result.best_rule:
        marks.append("best rule")
    if policy.policy is not None and policy.policy is result.today and not policy.name.startswith("today"):
        marks.append("today")
    if policy.reads_later:
        marks.append("not usable at this moment; shown for comparison")
    elif policy.kind == "reference":
        marks.append("reference")
    return f" [{', '.join(marks)}]" if marks else ""


def to_html(result: Result) -> str:
    """The first screen as HTML; names from data are escaped."""
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
        f"<p><strong>{screen['difference']}</strong> {screen['safety']}</p>"
        f'<p class="note">{screen["views"]} {screen["cost"]}</p>'
        f'<p class="note">Next: {screen["next"]} {OFFLINE}</p>'
        "</section>"
    )


def finding_html(result: Result, about: str) -> str:
    """A heading that states a finding."""
    known = findings(result)
    return f"<h2>{html.escape(known[check_one_of('finding', about, known)])}</h2>"


def table_html(result: Result, name: str, **options: Any) -> str:
    """A table of a proposal by name: those of every decision, then the decision's own."""
    every = {"policies": policies_html, "segments": segments_html, "assumptions": assumptions_html}
    own = {} if name in every else result.decision.report.tables(result)
    shown = (every | own)[check_one_of("table", name, every | own)]
    return _html_table(shown) if name in own else shown(result, **options)


def segments_html(result: Result, most: int = 4) -> str:
    """Model minus best rule by segment, the largest segments of each dimension; exploratory."""
    largest = result.segments.sort_values("views", ascending=False, kind="stable").groupby("dimension").head(most)
    rows, unit = largest.sort_index(), result.unit
    titles = {"model gains": "difference", "from": "low", "to": "high"}
    names = [f"{row.dimension}: {short_name(row.level, LEVEL_WIDTH)}" for row in rows.itertuples()]
    table = pd.DataFrame(
        {result.people: [f"{n:,}" for n in rows["users"]]}
        | {title: [unit.signed(net) for net in rows[column]] for title, column in titles.items()},
        index=pd.Index(names, name="segment"),
    )
    return _html_table(table)


def policies_html(result: Result, *, every_column: bool = False) -> str:
    """The table of policies, and why a rule is not in it."""
    missing = "".join(
        f'<p class="note">Not available: {html.escape(policy.name)} ({html.escape(policy.reason)}).</p>'
        for policy in result.results
        if policy.reason
    )
    return _html_table(table_of(result, every_column=every_column)) + missing


def assumptions_html(result: Result) -> str:
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


def _cells(table: pd.DataFrame) -> list[list[str]]:
    """A table as texts: the titles, then one list a row, its name first."""
    titles = [str(name) for name in (table.index.name, *table.columns)]
    return [titles, *(list(map(str, row)) for row in table.itertuples())]


def _html_table(table: pd.DataFrame) -> str:
    titles, *rows = _cells(table)
    head = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in titles)
    body = "".join(
        f'<tr><th scope="row" style="text-align:left">{html.escape(name)}</th>'
        + "".join(f"<td>{html.escape(cell).replace(' ', '&nbsp;')}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    return f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _html_list(sentences: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def _align(table: pd.DataFrame) -> list[str]:
    """Text columns: names to the left, numbers to the right."""
    cells = _cells(table)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join(cell.rjust(width + 2) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in cells
    ]


def _markdown_table(table: pd.DataFrame) -> str:
    titles, *rows = _cells(table)
    rows = [titles, ["---", *["---:"] * len(table.columns)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


class Html(str):
    """HTML that a notebook shows as such."""

    def _repr_html_(self) -> str:
        return str(self)
