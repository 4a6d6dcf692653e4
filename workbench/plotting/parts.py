"""The parts that policies play in a comparison, and how each is drawn and named."""

from __future__ import annotations

from typing import Any

from workbench.plotting.style import BLUE, GREEN, GREY, INK, PURPLE, VERMILLION
from workbench.studies.comparison import Comparison, PolicyResult

# Shape and colour, so that neither has to carry it alone; the most important first.
PARTS: dict[str, dict[str, Any]] = {
    "model": {"color": BLUE, "marker": "o", "markersize": 10},
    "best rule": {"color": VERMILLION, "marker": "s", "markersize": 9},
    "today": {"color": INK, "marker": "^", "markersize": 9},
    "perfect knowledge": {"color": GREEN, "marker": "*", "markersize": 14},
    "reference": {"color": PURPLE, "marker": "D", "markersize": 7},
    "other": {"color": GREY, "marker": "o", "markersize": 6},
}
KEY_PARTS = ("model", "best rule")


def part_of(result: Comparison, policy: PolicyResult) -> str:
    """Which part a policy plays in a comparison: one of ``PARTS``."""
    if policy.kind == "model":
        return "model"
    if policy.kind == "oracle":
        return "perfect knowledge"
    if policy.policy is result.best_rule:
        return "best rule"
    if policy.policy is result.today:
        return "today"
    return "reference" if policy.kind == "reference" else "other"


def name_of(result: Comparison, policy: PolicyResult) -> str:
    """A policy's name, with the part that it plays where the name does not tell."""
    part = part_of(result, policy)
    if policy.policy is result.best_rule and result.best_rule is result.today:
        part = "best rule and today"
    told = part == "other" or policy.name.startswith(part)
    return policy.name if told else f"{part}: {policy.name}"
