"""The only place that formats a result: as a dictionary, a frame, text, Markdown, HTML.

What is a decision's own comes from its ``report``.
"""

from __future__ import annotations

import html
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from workbench.datasets.account import sentences
from workbench.datasets.columns import WHEN_KNOWN
from workbench.datasets.splits import describe_size
from workbench.decisions.decision import TRAINING_SEED, Finding, PolicyResult
from workbench.decisions.policy import LINEAR, policy_name
from workbench.errors import check_one_of
from workbench.evidence.bootstrap import RESAMPLES, Interval
from workbench.evidence.verdict import (
    BETTER,
    COLLECT,
    EQUIVALENT,
    FEWEST_DIFFERING,
    HARMFUL,
    LITTLE_TO_WIN,
    NOT_SHOWN,
    SAFE,
    SHIP_RULE,
    TEST_MODEL,
    TOO_FEW,
    TOO_LITTLE,
    UNSETTLED,
    WORSE,
    Judgement,
    Safety,
    tolerated_ms,
)

OFFLINE = "Offline replay is an estimate until an A/B test confirms it."
LEVEL_WIDTH = 40  # characters
KEY_POLICIES = {"today": "today", "best rule": "best_rule", "model": "model", "perfect knowledge": "oracle"}
# Dark enough for white words (contrast of 4.5 and more).
COLOURS = {
    "better": "#00795a",
    "open": "#8a5a00",
    "worse": "#b84f00",
    "equivalent": "#0072b2",
    "inconclusive": "#59636e",
}
UNBROKEN = "\u00a0"
ABOUT_WIDTH, TEXT_WIDTH = 13, 120  # characters, of the decision box as text


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


def first_screen(result: Finding) -> dict[str, str]:
    """The decision box: a title, then one entry a question of the person who decides, in the order of the questions."""
    card, report = result.split.card, result.decision.report
    source = "SIMULATED" if card.simulated else "REAL"
    title = f"{result.decision.title} - {card.name} - {source} data, {describe_size(result.split)}"
    return {
        "title": f"{title} - {report.headline(result)}",
        "PROPOSED": proposal(result),
        "GAIN": " ".join(filter(None, [_rule_gain(result), difference_sentence(result), report.trade_off(result)])),
        "COST": " ".join(filter(None, [report.cost(result), _size_sentence(result)])),
        "RISK": _risk(result),
        "ROBUST": " ".join(filter(None, [robustness(result), trainings(result)]))
        or "Not checked: assumptions were not changed (sensitivity=True changes them).",
        "TEST": _test_sentence(result),
        "RESTS ON": f"{report.views_sentence(result)} {OFFLINE}",
    }


def proposal(result: Finding) -> str:
    """Both answers of the recommendation: ship the best rule in place of today's, and test the model?"""
    said = result.decision.first_step(result), _ship_sentence(result), _model_sentence(result)
    return " ".join(filter(None, said))


def _ship_sentence(result: Finding) -> str:
    rule, today = (f'"{policy_name(policy)}"' for policy in (result.best_rule, result.today))
    if result.best_rule is result.today:
        return f"Keep today's {today}: no rule beats it."
    if result.recommendation.ship == SHIP_RULE:
        added, limit = result.slowest.rule_added_wait, tolerated_ms(result.slowest.today_ms)
        who = result.decision.report.who_waits(result)
        waits = f" {capital(who)} then wait {added.estimate:,.0f} ms longer: decide whether that is acceptable."
        return f"Ship {rule} in place of today's {today}." + waits * (added.low > limit)
    if policy_name(result.best_rule) == policy_name(result.today):
        rule = "the same rule with its limit tuned"
    few = f"too few {result.people} met a different outcome to tell it from {rule}"
    if result.rule_over_today.word == TOO_FEW:
        return f"Keep today's {today}: {few}."
    words = {WORSE: "does worse"} | dict.fromkeys((EQUIVALENT, TOO_LITTLE), "gains too little over it")
    why = words.get(result.rule_over_today.word, "is not shown to gain enough over it")
    return f"Keep today's {today}: {rule} {why}."


def _model_sentence(result: Finding) -> str:
    """What to do about the model, and why."""
    action, word = result.recommendation.action, result.verdict
    named = result.recommendation.ship == SHIP_RULE or result.best_rule is result.today
    best, settles = f'"{policy_name(result.best_rule)}"', f'"{policy_name(result.settled_by)}"'
    rule = "that rule" if named and result.settled_by is result.best_rule else settles
    if action == TEST_MODEL:
        if result.recommendation.ship != SHIP_RULE and result.best_rule is not result.today:
            rule = f'today\'s "{policy_name(result.today)}"'
        return f"A/B test the model against {rule}."
    if action == COLLECT:
        few = f"{result.split.count_people():,} {result.people} are too few to tell it from {rule}"
        enough = f"about {result.users_to_settle:,} would settle it in four of five studies"
        return f"Measure more before testing the model: {few}; {enough}, were the difference what it seems."
    if action == LITTLE_TO_WIN:
        why = f"even perfect knowledge beats {best} by less than the smallest gain that matters"
    elif result.safety.word == HARMFUL:
        why = "with it, those who wait longest wait longer"
    elif not result.settled.differing.users:
        why = f"it decided as {rule} did for all {result.test_users:,} {result.people}"
    else:
        does = {EQUIVALENT: f"as well as {rule}, not better", WORSE: f"worse than {rule}"}
        why = f"it does {does[word]}" if word in does else "it is better, but by too little to matter"
    return f"Do not test the model: {why}."


def _rule_gain(result: Finding) -> str:
    if result.best_rule is result.today:
        return ""
    gain, differing = result.rule_over_today.difference, result.rule_over_today.differing
    said = f"Best rule minus today: {result.unit.seen(gain, differing)} {result.unit.name}"
    few = f" (only {differing.users:,} of {differing.of:,} {result.people} met a different outcome)"
    return f"{said}{few if differing.users < FEWEST_DIFFERING else ''}."


def difference_sentence(result: Finding) -> str:
    """Model minus best rule, with its interval where enough users met a different outcome to trust one."""
    unit, differing = result.unit, result.differing
    met = f"{differing.users:,} of {differing.of:,} {result.people} met a different outcome"
    matters = f"smallest gain that matters: {unit.factor * result.margin:g}"
    if differing.users >= FEWEST_DIFFERING:
        return f"Model minus best rule: {result.gain} {unit.name}; {matters}; {met}.{rival_sentence(result)}"
    seen = f"Model minus best rule: {result.gain} {unit.name} in these views; {matters}"
    bound = f", so that it lies within \u00b1{unit.amount(differing.bound)}" if result.verdict == EQUIVALENT else ""
    return f"{seen}. Only {met}{bound or ', too few for an interval'}."


def rival_sentence(result: Finding) -> str:
    """Against which rule the gain does not stand, where the verdict is not that against the best rule."""
    if result.settled_by is result.best_rule:
        return ""
    seen = result.unit.seen(result.settled.difference, result.settled.differing)
    rule = policy_name(result.settled_by)
    return f' That does not stand against "{rule}", as good before test: {seen}, {result.verdict}.'


def _verdict_against(result: Finding) -> str:
    """The verdict, and against which rule where that is not the best one."""
    if result.settled_by is result.best_rule:
        return result.verdict
    return f'{result.verdict} against "{policy_name(result.settled_by)}", as good before test'


def _size_sentence(result: Finding) -> str:
    rule, cost = result.of("best_rule"), result.cost
    size = f"{rule.kilobytes:,.0f} kB" if rule.kilobytes else "no data, a line of code"
    return f"Model: {cost.kilobytes:,.0f} kB, {cost.us_per_decision:,.0f} us per decision. Best rule: {size}."


def _risk(result: Finding) -> str:
    """What may go wrong for those who wait longest: with the rule where it is to be shipped, and with the model."""
    slowest, who = result.slowest, result.decision.report.who_waits(result)
    shipped = f"With the best rule, {who} wait {slowest.rule_ms:,.0f} ms instead of {slowest.today_ms:,.0f} today"
    said = [f"{shipped}: {_milliseconds(slowest.rule_added_wait)}."] if result.recommendation.ship == SHIP_RULE else []
    said.append(_safety_sentence(result, who))
    if _slowest_lose(result):
        said.append(f"Their net falls with the model: {result.unit.span(slowest.gain)} {result.unit.name}.")
    return " ".join(said)


def _milliseconds(added: Interval) -> str:
    return f"{added.estimate:+,.0f} ms a view ({added.low:+,.0f} to {added.high:+,.0f})"


def _slowest_lose(result: Finding) -> bool:
    return result.slowest.gain.high < 0


def _test_sentence(result: Finding) -> str:
    """The A/B test to ask for; where none is needed, its size all the same."""
    size, unit, people = result.ab_test, result.unit, result.people
    about = f"primary metric net ({unit.per_view}), smallest effect {unit.factor * size.effect:g}, "
    about += f"power {100 * size.power:.0f} %, alpha {100 * size.alpha:.0f} %"
    days = "1 day" if size.days == 1 else f"{size.days or 0:,} days"
    days = f", {days} at {size.users_a_day:,.0f} a day here" if size.days else ""
    said = f"{size.users:,} {people} in two groups{days}"
    if size.users_with_history is not None:
        said += f"; with CUPED on earlier views {size.users_with_history:,}"
    if result.recommendation.action == TEST_MODEL:
        return f"{capital(about)}: {said}. Stop if {result.decision.stop}."
    asked = "Not yet" if result.recommendation.action == COLLECT else "None needed"
    return f"{asked}. It would take {said} ({about})."


def findings(result: Finding) -> dict[str, str]:
    """One sentence for each heading of a proposal, by what it is about."""
    unit = result.unit
    room = result.headroom_over_rule
    worth = "enough to matter" if room >= result.margin else "too little to matter"
    return {
        "rules": f'The best rule is "{result.of("best_rule").name}"',
        "verdict": f"Model minus best rule: {result.gain} {unit.name}, {_verdict_against(result)}",
        "linear": features_or_trees(result),
        "sensitivity": re.split("[;.]", robustness(result))[0] or "No assumption was changed",
        "headroom": f"Perfect knowledge would gain {unit.amount(room)} {unit.name} over the best rule "
        f"({unit.amount(result.headroom)} over one choice for all): {worth}",
        **result.decision.report.findings(result),
    }


def features_or_trees(result: Finding) -> str:
    """Whether the model's features or its trees gain, by a logistic regression on the same features (exploratory)."""
    unit, trees, features = result.unit, result.trees_gain, result.against_best_rule[LINEAR]
    if result.differing.users < FEWEST_DIFFERING:
        return (
            f"Features or trees: too few {result.people} met a different outcome to tell; logistic regression on the "
            f"model's features minus best rule {unit.signed(features.estimate)} {unit.name}"
        )
    by_features, by_trees = (each.low > 0 and each.estimate >= result.margin for each in (features, trees))
    words = {
        (True, True): "Both features and trees gain",
        (True, False): "The features gain; the trees are not shown to add to them",
        (False, True): "The trees gain; the features alone are not shown to",
        (False, False): "Neither features nor trees are shown to gain enough to matter",
    }
    return (
        f"{words[by_features, by_trees]}: logistic regression on the model's features minus best rule "
        f"{unit.span(features)} {unit.name}; model minus that regression {unit.span(trees)}; exploratory"
    )


def assumptions(result: Finding) -> list[str]:
    """What the figures rest on, one sentence each."""
    card, split = result.split.card, result.split
    simulated = ["SIMULATED: the rows come from a simulated world, not from people."] if card.simulated else []
    return [
        *simulated,
        *sentences(split.account),
        *result.decision.report.assumptions(result),
        f"Policies see what is known {WHEN_KNOWN[result.known_by]}; the split is {split.how}, seed {split.seed}.",
        "The model's limit was picked on validation, those of rules (the best of them, or what is done today) on "
        "calibration and validation together; nothing was tuned or picked on test.",
        f"Intervals are 95 %: at each end the wider of {RESAMPLES:,} paired resamples of {result.test_users:,} "
        f"{result.people} and the normal one. Two questions get a verdict, neither corrected for the other: model "
        "against best rule (a gain has to stand against every rule that cannot be told from the best one before test), "
        "and best rule against today's. All else is exploratory.",
        *([f"About the data: {card.note}"] if card.note else []),
        OFFLINE,
    ]


def _safety_sentence(result: Finding, who: str) -> str:
    """What the model does to those who wait longest, and whether that comes from how much it does at all."""
    added, limit = result.safety.added_wait, f"{result.safety.tolerance_ms:,.0f} ms"
    if result.safety.word == SAFE:
        return f"Waiting of {who} with the model, not the rule: {_milliseconds(added)}, within the limit of {limit}."
    operating = result.decision.operating_point
    point = f"at the rule's own {operating}"
    there = f"{point} it is {_milliseconds(result.safety_at_rule.added_wait)}"
    differing = result.safety.differing
    if result.safety.word == NOT_SHOWN and added.high < result.safety.tolerance_ms:
        few = f"of {who}, only {differing.users:,} of {differing.of:,} wait otherwise than with the rule"
        few += f", {FEWEST_DIFFERING} are needed"
        if differing.of < FEWEST_DIFFERING:
            few = f"{who} are only {differing.of:,}, {FEWEST_DIFFERING} are needed"
        if not differing.users:
            few = f"none of {who} waits otherwise than with the rule, but they are only {differing.of:,}"
        return f"Not shown to be safe: {few}. In these views: {_milliseconds(added)}, limit {limit}."
    if result.safety.word == NOT_SHOWN:
        said = f"Open risk: {who} may wait up to {added.high:,.0f} ms longer with the model (limit {limit})"
        return f"{said}; {there}."
    causes = {HARMFUL: "The predictions do it", SAFE: f"That is gone {point}"}
    cause = causes.get(result.safety_at_rule.word, f"Whether the predictions or the {operating} do it is not shown")
    said = f"HARMFUL: with the model, {who} wait longer: {_milliseconds(added)}, limit {limit}"
    few = f" (only {differing.users:,} of {differing.of:,} wait otherwise: a warning more than a measurement)"
    return f"{said}{few if differing.users < FEWEST_DIFFERING else ''}. {cause}: {there}."


def failing_checks(result: Finding) -> list[str]:
    """Checks that a model which is better does not pass, in a few words each."""
    flipped = _flipped(result)
    named = [f"{len(flipped)} of {len(flipped.attrs['ran'])} changed assumptions"] if len(flipped) else []
    waits = ["waiting of the slowest"] if result.safety.word != SAFE else []
    return [*named, *waits, *(["net of the slowest"] if _slowest_lose(result) else [])]


def verdict_word(result: Finding) -> str:
    """The verdict in large letters, with harm or a failing check beside it where there is any."""
    if result.safety.word == HARMFUL:
        return f"{result.verdict.upper()}, BUT HARMFUL"
    failing = result.verdict == BETTER and failing_checks(result)
    return result.verdict.upper() + (", NOT IN EVERY CHECK" if failing else "")


def verdict_tone(result: Finding) -> str:
    """Which of ``COLOURS`` the verdict has: green only where every check is passed."""
    if result.safety.word == HARMFUL:
        return "worse"
    tones = {TOO_LITTLE: "equivalent", TOO_FEW: "inconclusive"}
    failing = result.verdict == BETTER and failing_checks(result)
    return "open" if failing else tones.get(result.verdict, result.verdict)


def _flipped(result: Finding) -> pd.DataFrame:
    """Changed assumptions with another verdict; ``attrs["ran"]`` holds all that could be tried."""
    changed = pd.DataFrame({"verdict": []}) if result.sensitivity is None else result.sensitivity.iloc[1:]
    ran = changed[changed["verdict"] != ""]
    flipped = ran[ran["verdict"] != result.verdict]
    flipped.attrs["ran"] = ran.index
    return flipped


def robustness(result: Finding) -> str:
    """In how many changed assumptions the verdict holds, and in which not; empty where none was changed."""
    if result.sensitivity is None:
        return ""
    flipped = _flipped(result)
    ran, unsettled = len(flipped.attrs["ran"]), result.verdict in UNSETTLED
    if unsettled:  # one word for not knowing in place of the other settles nothing
        flipped = flipped[~flipped["verdict"].isin(UNSETTLED)]
    named = "; ".join(
        f"{row.change if str(row.change).startswith(row.group) else f'{row.group} {row.change}'}: {row.verdict}"
        + (f' against "{row.settled_by}"' if row.settled_by != row.best_rule else "")
        for row in flipped.itertuples()
    )
    same = int((result.sensitivity.loc[flipped.attrs["ran"], "best_rule"] == policy_name(result.best_rule)).sum())
    rule = f" The same rule is best in {same} of them."
    if not ran:
        return f"None of {len(result.sensitivity) - 1} checks could be run."
    if unsettled:
        return f"Model against rule is settled in {len(flipped)} of {ran} checks{f': {named}' if named else ''}.{rule}"
    if flipped.empty:
        return f"The verdict is the same in all {ran} checks: {result.verdict}.{rule}"
    return f"Robust in {ran - len(flipped)} of {ran} checks; not under: {named}.{rule}"


def trainings(result: Finding) -> str:
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


def to_dict(result: Finding) -> dict[str, Any]:
    """What ``--json`` prints: plain dictionaries, lists and numbers."""
    own = result.decision.report.to_dict(result)
    return {
        "dataset": result.split.card.name,
        "decision": result.decision.name,
        "simulated": result.split.card.simulated,
        "rows": {name: len(part) for name, part in result.split.parts()} | {"masked": result.split.masked_rows},
        "dropped": dict(result.split.account.get("dropped", {})),
        "warnings": list(result.split.account.get("warnings", ())),
        "split": {"how": result.split.how, "seed": result.split.seed},
        "known_by": result.known_by,
        **own["data"],
        "today": result.of("today").name,
        "best_rule": result.of("best_rule").name,
        "policies": [_policy_dict(policy, result) for policy in result.results],
        "model_vs_best_rule": _evidence_dict(result) | own["evidence"],
        "best_rule_vs_today": _rule_dict(result),
        "recommendation": proposal(result),
        "answers": asdict(result.recommendation),
        "decision_box": first_screen(result) | {"badge": verdict_word(result)},
        "ab_test": asdict(result.ab_test),
        "model_vs_linear": interval_dict(result.trees_gain),
        "policies_vs_best_rule": {name: interval_dict(other) for name, other in result.against_best_rule.items()},
        "headroom": result.headroom,
        "headroom_over_best_rule": result.headroom_over_rule,
        **own["frontier"],
        "sensitivity": _records(result.sensitivity),
        "segments": _records(result.segments),
        "model": _model_dict(result) | own["model"],
        "assumptions": assumptions(result),
        "provenance": dict(result.provenance),
        "seconds": result.seconds,
    }


def _evidence_dict(result: Finding) -> dict[str, Any]:
    difference, at_rule = result.difference, result.safety_at_rule
    return {
        "metric": "net",
        "difference": difference.estimate,
        "interval": [difference.low, difference.high],
        "margin": result.margin,
        "verdict": result.verdict,
        "interval_trusted": result.differing.users >= FEWEST_DIFFERING,
        "settled_by": {"rule": policy_name(result.settled_by), **_judgement_dict(result.settled)},
        "failing_checks": failing_checks(result),
        "differing": {"users": result.differing.users, "of": result.differing.of, "bound": result.differing.bound},
        **_safety_dict(result.safety),
        "at_rules_operating_point": {"what": result.decision.operating_point, **_safety_dict(at_rule)},
        "net_of_the_slowest": interval_dict(result.slowest.gain),
        "users_to_settle": result.users_to_settle,
    }


def _safety_dict(safety: Safety) -> dict[str, Any]:
    added = safety.added_wait
    return {
        "safety": safety.word,
        "added_wait_slowest_fifth_ms": added.estimate,
        "added_wait_interval": [added.low, added.high],
        "tolerated_wait_ms": safety.tolerance_ms,
        "waiting_otherwise": {"users": safety.differing.users, "of": safety.differing.of},
    }


def _rule_dict(result: Finding) -> dict[str, Any]:
    slowest = result.slowest
    return {
        **_judgement_dict(result.rule_over_today),
        "wait_slowest_fifth_ms": {"today": slowest.today_ms, "best_rule": slowest.rule_ms, "model": slowest.model_ms},
        "added_wait_slowest_fifth_ms": interval_dict(slowest.rule_added_wait),
    }


def _judgement_dict(judged: Judgement) -> dict[str, Any]:
    users = {"users": judged.differing.users, "of": judged.differing.of}
    trusted = judged.differing.users >= FEWEST_DIFFERING
    about = {"verdict": judged.word, "differing": users, "interval_trusted": trusted}
    return interval_dict(judged.difference) | about


def interval_dict(interval: Interval) -> dict[str, Any]:
    """A difference and its interval, as ``--json`` prints them."""
    return {"difference": interval.estimate, "interval": [interval.low, interval.high]}


def _model_dict(result: Finding) -> dict[str, Any]:
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


def _policy_dict(policy: PolicyResult, result: Finding) -> dict[str, Any]:
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


def to_frame(result: Finding) -> pd.DataFrame:
    """The table of policies as numbers: one row a policy, by name; best net first, missing where not available."""
    table = pd.DataFrame([_policy_dict(policy, result) for policy in result.results]).set_index("name")
    for name in table:
        if all(isinstance(value, (int, float, type(None))) and value is not True for value in table[name]):
            table[name] = pd.to_numeric(table[name])
    return table.sort_values("net", ascending=False, kind="stable")


def to_line(result: Finding) -> str:
    """A result in one line: its short ``repr``."""
    word = verdict_word(result) + _verdict_against(result).removeprefix(result.verdict)
    about = f"{result.decision.name} on {result.split.card.name}"
    return f"<Comparison of {about}: {word}, model minus best rule {result.gain} {result.unit.name}>"


def to_text(result: Finding, *, every_column: bool = False) -> str:
    """The decision box, for the person who decides, and the table of policies below it."""
    return "\n".join(
        [
            *text_box(first_screen(result), verdict_word(result)),
            *align(key_table(result)),
            "",
            *align(table_of(result, every_column=every_column)),
            f"{features_or_trees(result)}.",
            *(f"not available: {policy.name}: {policy.reason}" for policy in result.results if policy.reason),
            "",
            "Assumptions",
            *(f"- {sentence}" for sentence in assumptions(result)),
        ]
    )


def text_box(screen: dict[str, str], word: str) -> list[str]:
    """The lines of a decision box: the title, then what each is about in capital letters, and the sentences."""
    (_, title), (first, said), *rest = screen.items()
    badged = {first: f"{said} [{word.upper().replace(' ', UNBROKEN)}]"} | dict(rest)
    wrapped = [
        textwrap.wrap(
            f"{about:{ABOUT_WIDTH}}{text}", TEXT_WIDTH, subsequent_indent=" " * ABOUT_WIDTH, break_on_hyphens=False
        )
        for about, text in badged.items()
    ]
    return [title, *(line.replace(UNBROKEN, " ") for lines in wrapped for line in lines)]


def to_markdown(result: Finding) -> str:
    """The decision box and the table of policies in Markdown."""
    screen = first_screen(result)
    title = screen.pop("title")
    screen["PROPOSED"] += f" **[{verdict_word(result)}]**"
    return "\n\n".join(
        [
            f"**{title}**",
            "\n".join(f"- **{about}** {text}" for about, text in screen.items()),
            markdown_table(key_table(result)),
            markdown_table(table_of(result)),
        ]
    )


def key_table(result: Finding) -> pd.DataFrame:
    """Today, best rule, model and perfect knowledge, in words of the person who decides; cells are text."""
    figures = {title: result.of(which).figures for title, which in KEY_POLICIES.items()}
    report, unit = result.decision.report, result.unit
    columns = {
        title: report.key_figures(each) | {f"net ({unit.per_view})": unit.amount(each.net)}
        for title, each in figures.items()
    }
    return pd.DataFrame(columns).rename_axis("of 1,000 views")


def table_of(result: Finding, *, every_column: bool = False) -> pd.DataFrame:
    """All available policies, best net first; cells are text.

    The default columns are those of a decision; ``every_column`` adds the rest.
    """
    rows = []
    available = [policy for policy in result.results if policy.figures is not None]
    for policy in sorted(available, key=lambda p: -p.figures.net):
        row = {"policy": policy.name + _mark(result, policy), "net": f"{result.unit.factor * policy.figures.net:.2f}"}
        row |= result.decision.report.policy_row(policy.figures, every_column)
        if every_column:
            limit = "" if policy.limit is None else f"{policy.limit:.2f}"
            row |= {"kind": policy.kind, "kB": f"{policy.kilobytes:,.0f}", "limit": limit}
        rows.append(row)
    return pd.DataFrame(rows).set_index("policy")


def _mark(result: Finding, policy: PolicyResult) -> str:
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


def to_html(result: Finding) -> str:
    """The first screen as HTML; names from data are escaped."""
    word, tone = verdict_word(result), verdict_tone(result)
    return html_box(first_screen(result), word, tone, key_table(result), simulated=result.split.card.simulated)


def html_box(screen: dict[str, str], word: str, tone: str, table: pd.DataFrame, *, simulated: bool) -> str:
    """A decision box as HTML, with a table below it: ``title``, then what comes first with a badge, then the rest."""
    escaped = {key: html.escape(text) for key, text in screen.items()}
    badge = (
        f'<span class="badge" style="background:{COLOURS[tone]};color:#fff;padding:.1em .6em;border-radius:.3em;'
        f'font-weight:600">{word.upper()}</span>'
    )
    mark = '<strong class="simulated">SIMULATED</strong> ' if simulated else ""
    (_, title), (about_first, first), *rest = escaped.items()
    rows = "".join(
        '<div style="display:flex;flex-wrap:wrap;gap:0 1em;margin:.5em 0">'
        f'<dt style="flex:0 0 6em;font-weight:600;white-space:nowrap">{about}</dt>'
        f'<dd style="flex:1 1 18em;margin:0">{text}</dd></div>'
        for about, text in rest
    )
    return (
        f'<section class="verdict {tone}">'
        f"<p>{mark}{title}</p>"
        f'<p style="font-size:1.25em">{about_first}: <strong>{first}</strong> {badge}</p>'
        f"<dl>{rows}</dl>"
        f"{html_table(table)}"
        "</section>"
    )


def finding_html(result: Finding, about: str) -> str:
    """A heading that states a finding."""
    known = findings(result)
    below = sentences(result.split.account) if about == "data" else []
    paragraphs = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in below)
    return f"<h2>{html.escape(known[check_one_of('finding', about, known)])}</h2>{paragraphs}"


def table_html(result: Finding, name: str, **options: Any) -> str:
    """A table of a proposal by name: those of every decision, then the decision's own."""
    every = {"policies": policies_html, "segments": segments_html, "assumptions": assumptions_html}
    own = {} if name in every else result.decision.report.tables(result)
    shown = (every | own)[check_one_of("table", name, every | own)]
    return html_table(shown) if name in own else shown(result, **options)


def segments_html(result: Finding, most: int = 4) -> str:
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
    return html_table(table)


def policies_html(result: Finding, *, every_column: bool = False) -> str:
    """The table of policies, and why a rule is not in it."""
    missing = "".join(
        f'<p class="note">Not available: {html.escape(policy.name)} ({html.escape(policy.reason)}).</p>'
        for policy in result.results
        if policy.reason
    )
    return html_table(table_of(result, every_column=every_column)) + missing


def assumptions_html(result: Finding) -> str:
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


def html_table(table: pd.DataFrame) -> str:
    """A table whose cells are text, as HTML; names from data are escaped."""
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


def align(table: pd.DataFrame) -> list[str]:
    """Text columns: names to the left, numbers to the right."""
    cells = _cells(table)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join(cell.rjust(width + 2) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in cells
    ]


def markdown_table(table: pd.DataFrame) -> str:
    """A table whose cells are text, in Markdown."""
    titles, *rows = _cells(table)
    rows = [titles, ["---", *["---:"] * len(table.columns)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


class Html(str):
    """HTML that a notebook shows as such."""

    def _repr_html_(self) -> str:
        return str(self)
