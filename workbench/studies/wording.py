"""Sentences that both decisions share: verdict, cost, what changed assumptions change, what to do next."""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbench.evidence.verdict import COLLECT, HARMFUL, TEST_MODEL
from workbench.studies.comparison import Comparison

OFFLINE = "Offline replay is an estimate until an A/B test confirms it."


def short_name(name: str, most: int) -> str:
    """A name from data, fit to be read: what cannot be printed becomes a space, underscores too, and it is cut.

    Examples
    --------
    >>> short_name("United_States", 22), short_name("/a/very/long/path", 8)
    ('United States', '/a/very\u2026')
    """
    readable = " ".join("".join(sign if sign.isprintable() else " " for sign in name[: 10 * most]).split())
    readable = readable.replace("_", " ") or "(no name)"
    return readable if len(readable) <= most else readable[: most - 1] + "\u2026"


def difference_sentence(result: Comparison) -> str:
    """Model minus best rule, with its interval and the margin."""
    unit = result.unit
    return (
        f"Model against best rule ({result.of('best_rule').name}): {unit.span(result.difference)} {unit.name} "
        f"(worth having from {unit.factor * result.margin:g})."
    )


def verdict_finding(result: Comparison) -> str:
    """The same as a heading, with the verdict."""
    return f"Model against best rule: {result.unit.span(result.difference)} {result.unit.name}, {result.verdict}"


def cost_sentence(result: Comparison) -> str:
    """What having the model costs, and what the best rule does."""
    rule, cost = result.of("best_rule"), result.cost
    size = f"{rule.kilobytes:,.0f} kB" if rule.kilobytes else "no data, a line of code"
    return (
        f"Running the model: {cost.kilobytes:,.0f} kB, {cost.us_per_decision:,.0f} us a decision (in batches). "
        f"The best rule: {size}."
    )


def next_step(result: Comparison) -> str:
    """What to do next, in a few words."""
    if result.safety.word == HARMFUL:
        return "keep the model away from people until this is mended."
    if result.recommendation.action == TEST_MODEL:
        return "run the A/B test."
    if result.recommendation.action == COLLECT:
        return "measure more people, then compare again."
    return "no test needed."


def verdict_word(result: Comparison) -> str:
    """The verdict in large letters, with harm beside it where there is any."""
    return result.verdict.upper() + (", BUT HARMFUL" if result.safety.word == HARMFUL else "")


def flips(result: Comparison) -> str:
    """Which changed assumptions change the verdict word; empty where sensitivity was not asked for."""
    if result.sensitivity is None:
        return ""
    changed = result.sensitivity.iloc[1:]
    ran = changed[changed["verdict"] != ""]
    flipped = ran[ran["verdict"] != result.verdict]
    if flipped.empty:
        return f"The verdict stays {result.verdict} under all {len(ran)} changed assumptions."
    named = "; ".join(
        f"{row.change if str(row.change).startswith(row.group) else f'{row.group} {row.change}'}: {row.verdict}"
        for row in flipped.itertuples()
    )
    return f"The verdict changes under {len(flipped)} of {len(ran)} changed assumptions: {named}."


def finding_from_shap(explanation: Any) -> str:
    """Name the two features with the largest mean |SHAP|, the question itself aside."""
    about = "the next page" if "next page" in str(explanation.output_names) else "the network"
    strength = pd.Series(abs(explanation.values).mean(axis=0), index=explanation.feature_names)
    names = list(strength.drop("the question itself", errors="ignore").nlargest(2).index)
    if not names:
        return f"Nothing that is known says anything about {about}"
    sentence = f"{names[0]} says most about {about}" + (f", then {names[1]}" if len(names) > 1 else "")
    return sentence[:1].upper() + sentence[1:]
