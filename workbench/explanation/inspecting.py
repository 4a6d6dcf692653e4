"""One decision taken apart: archetypes to look at, what may be changed in them, and what model and rules then do."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.splits import FEWEST_USERS
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.explanation.inspect_images import ImageInspection
from workbench.explanation.inspect_pages import PageInspection
from workbench.explanation.inspect_parts import (
    Inspection,
    Policy,
    as_plain,
    is_number,
    largest_levels,
    readable,
)
from workbench.models import NetworkQuality, NextPage

MOST_ARCHETYPES, MOST_LEVELS = 6, 20
COMMON = "the most common view"
BOUNDS = (0.05, 0.95)  # quantiles of the values between which a number may be set


def inspection_of(
    model: NetworkQuality | NextPage,
    rules: Iterable[Policy],
    frame: pd.DataFrame,
    scenario: ImageScenario | PrefetchScenario | None = None,
) -> ImageInspection | PageInspection:
    """Set model and rules beside each other, to be asked about single views.

    Parameters
    ----------
    model : NetworkQuality or NextPage
        Trained.
    rules : iterable of callables
        Those with a limit act by the one they come with; without one, at the scenario's price.
    frame : DataFrame
        Canonical measurements or navigations (whole sessions), with their card: whose archetypes are looked at.
    scenario : ImageScenario or PrefetchScenario, optional
        Default that of the decision.

    Raises
    ------
    WorkbenchError
        Where model, frame and scenario do not belong to one decision, or the frame carries no card.
    """
    if isinstance(model, NetworkQuality):
        return ImageInspection.of(model, rules, frame, scenario)
    if isinstance(model, NextPage):
        return PageInspection.of(model, rules, frame, scenario)
    raise WorkbenchError(
        "expected a model, as from wb.train_network_quality(split) or wb.train_next_page(split); "
        f"got {str(model)[:80]}."
    )


def inspector_data(inspection: Inspection, archetypes: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """What an inspector shows: where the data come from, what may be changed, and each archetype with its answer."""
    return {
        "dataset": inspection.card.name,
        "simulated": bool(inspection.card.simulated),
        "people": inspection.people,
        "words": dict(inspection.words),
        "fields": describe_fields(inspection, archetypes),
        "archetypes": [
            {"name": name, "users": view.attrs["users"], "context": _plain(view), "answer": inspection.answer(view)}
            for name, view in archetypes.items()
        ],
    }


def find_archetypes(inspection: Inspection) -> dict[str, pd.DataFrame]:
    """The most common view, and the most common ones within the largest levels of some columns; nobody's own.

    Returns
    -------
    dict of DataFrame, shape (1, columns)
        Up to six, by name, each as from ``common``; equal ones appear once.
    """
    table, who = inspection.table, inspection.who
    found = {COMMON: inspection.common(np.ones(len(table), bool))}
    crowds = {name: largest_levels(table[name], who) for name in inspection.dimensions if name in table}
    in_turn = itertools.zip_longest(*([(name, level) for level in levels] for name, levels in crowds.items()))
    for name, level in filter(None, itertools.chain.from_iterable(in_turn)):
        if len(found) == MOST_ARCHETYPES:
            break
        common = inspection.common((table[name] == level).to_numpy(bool, na_value=False))
        if _has_what_it_must(inspection, common) and not any(common.equals(other) for other in found.values()):
            found[f"{readable(name)}: {level}"] = common
    return found


def _has_what_it_must(inspection: Inspection, view: pd.DataFrame) -> bool:
    """Whether nothing is missing that must be there: few people may share a level, and none of its pages."""
    return not any(inspection.unknown(str(name)) is None and values.isna().all() for name, values in view.items())


def describe_fields(inspection: Inspection, archetypes: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """What of a view may be changed, and to what; only values that at least 20 users share are named.

    Returns
    -------
    list of dict
        One a column: ``name, label, unknown`` (what a missing value is called; None where there must be one) and either
        ``options`` (values, most users first, those of the archetypes among them) or ``low, high, whole``.
    """
    fields: list[dict[str, Any]] = []
    for name, values in inspection.table.items():
        about = {"name": str(name), "label": readable(str(name)), "unknown": inspection.unknown(str(name))}
        if not is_number(values):
            held = [view[name].iloc[0] for view in archetypes.values()]
            levels = largest_levels(values, inspection.who)
            options = [level for place, level in enumerate(levels) if place < MOST_LEVELS or level in held]
            fields += [about | {"options": [as_plain(level) for level in options]}] if options else []
        elif len(np.unique(inspection.who[values.notna()])) >= FEWEST_USERS:
            whole = bool((values.dropna() % 1 == 0).all())
            low, high = (round(float(bound), 0 if whole else 2) for bound in values.quantile(list(BOUNDS)))
            fields.append(about | {"low": low, "high": high, "whole": whole})
    return fields


def change_context(view: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """The same view with other values; None is unknown."""
    new = {name: pd.Series([value], view.index).astype(view[name].dtype) for name, value in values.items()}
    changed = view.assign(**new)
    changed.attrs |= view.attrs
    return changed


def _plain(view: pd.DataFrame) -> dict[str, Any]:
    """A view of one row as plain values; None where unknown."""
    return {str(name): as_plain(view[name].iloc[0]) for name in view}
