"""Decisions: what a page can adapt, each a folder that says for itself what the rest of the house asks.

A new decision is a folder with a class that implements :class:`workbench.decisions.decision.Decision`, and one line in
``_FOLDERS``, or a call of :func:`register`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from workbench.datasets.cards import KINDS, Card
from workbench.decisions.decision import Decision
from workbench.errors import WorkbenchError, check_one_of

# The first decision of a table is its default.
_FOLDERS = ("workbench.decisions.images.decision", "workbench.decisions.prefetch.decision")
_REGISTERED: list[Decision] = []


@cache
def _built_in() -> tuple[Decision, ...]:
    return tuple(import_module(folder).DECISION for folder in _FOLDERS)


def decisions() -> tuple[Decision, ...]:
    """Every decision there is."""
    return (*_built_in(), *_REGISTERED)


def register(decision: Decision) -> Decision:
    """Make a decision known under its name and its scenario's type; one of the same name is replaced."""
    _REGISTERED[:] = [other for other in _REGISTERED if other.name != decision.name]
    _REGISTERED.append(decision)
    return decision


def find_decision(scenario: Any = None, card: Card | None = None, *, name: str | None = None) -> Decision:
    """The decision that a scenario is of, that has a name, or that is the default of a card's table.

    A WorkbenchError where there is none, or the card holds another table than the decision needs.

    >>> find_decision(name="prefetch").table
    'navigations'
    """
    known = decisions()
    if name is not None:
        check_one_of("decision", name, [each.name for each in known])
        found = [each for each in known if each.name == name]
    elif scenario is not None:
        found = [each for each in known if isinstance(scenario, each.scenario_type)]
        if not found:
            kinds = ", ".join(("wb." * (each in _built_in())) + each.scenario_type.__name__ for each in known)
            raise WorkbenchError(f"scenario must be one of {kinds}; got {scenario!r}.")
    else:
        found = [each for each in known if card is None or each.table == card.kind]
    decision = found[0]
    if card is not None and card.kind != decision.table:
        raise WorkbenchError(
            f"{card.name} holds {card.facts.rows}; {decision.name} needs {KINDS[decision.table].rows}. Take another "
            "dataset, or leave decision and scenario out."
        )
    return decision
