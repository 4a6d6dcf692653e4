"""The most common context shared by at least 20 users, as an example that is no real person's; what inspectors show."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.schema import label
from workbench.datasets.splits import FEWEST_USERS, card_of
from workbench.decisions import find_decision
from workbench.decisions.inspection import Inspection
from workbench.decisions.policy import Policy, policy_name
from workbench.errors import WorkbenchError
from workbench.explanation.shap_values import shap_values, strongest
from workbench.features.levels import UNKNOWN, is_number, largest_levels

MOST_EXAMPLES, MOST_OPTIONS = 6, 20
COMMON = "the most common view"
BOUNDS = (0.05, 0.95)  # quantiles of the values between which a number may be set
DIGITS = 2  # of numbers in a context


def common_view(
    table: pd.DataFrame, who: np.ndarray, *, users: int = FEWEST_USERS, first: Sequence[str] = ()
) -> pd.DataFrame:
    """The most common view of a table, as one row: each value shared by at least ``users`` users, or their median.

    Starting from all users, the value that most of them share is fixed, then the next one among those who share it, as
    long as at least ``users`` remain; the columns in ``first`` come before all others. What fewer share stays missing.
    Float columns are numbers: medians of those who remain, whole ones rounded down; missing where half of the views or
    too many users have none. ``who`` holds codes of the users (or sessions), ``attrs["users"]`` how many it stands for.
    """
    if len(np.unique(who)) < users:
        raise WorkbenchError(f"a common context stands for at least {users} users; got {len(np.unique(who))} in all.")
    numbers = [name for name in table if is_number(table[name])]
    left = {name: pd.factorize(table[name], use_na_sentinel=False)[0] for name in table if name not in numbers}
    rows, turn = np.ones(len(table), bool), [name for name in first if name in left]
    while left:
        shared = {name: _most_shared(left[name], who, rows) for name in turn[:1] or left}
        name = max(shared, key=lambda name: shared[name][1])
        value, sharing = shared[name]
        if sharing >= users:
            rows &= left.pop(name) == value
        elif not turn:
            break
        turn = turn[1:]
    common = table[rows].iloc[[0]].reset_index(drop=True)
    common = common.assign(**{name: common[name].mask([True]) for name in left})
    common = common.assign(**{name: _middle(table.loc[rows, name], who[rows], users) for name in numbers})
    common.attrs = {"users": len(np.unique(who[rows]))}
    return common


def _most_shared(codes: np.ndarray, who: np.ndarray, rows: np.ndarray) -> tuple[int, int]:
    """The value that the most users have in some rows, and how many they are."""
    users = int(who.max()) + 1
    pairs = np.unique(codes[rows].astype(np.int64) * users + who[rows])
    count = np.bincount(pairs // users)
    return int(np.argmax(count)), int(count.max())


def _middle(values: pd.Series, who: np.ndarray, users: int) -> float:
    """Median of those that are there, if they are the most and of enough users."""
    there = values.dropna()
    if 2 * len(there) <= len(values) or len(np.unique(who[values.notna()])) < users:
        return float("nan")
    median = float(there.median())
    return float(np.floor(median)) if (there % 1 == 0).all() else median


def inspection_of(model: Any, rules: Iterable[Policy], frame: pd.DataFrame, scenario: Any = None) -> Inspection:
    """Set model and rules beside each other, to be asked about single views; examples come from the frame.

    Rules with a limit act by the one they come with; without one, at the scenario's price. Refused where model, frame
    and scenario do not belong to one decision, or no example can be made.
    """
    card = card_of(frame)
    decision = find_decision(scenario, card)
    policies = {"model": decision.model_policy(model, card)} | {policy_name(rule): rule for rule in rules}
    return decision.inspected(policies, frame, card, decision.scenario(card, scenario))


def find_examples(inspection: Inspection) -> dict[str, pd.DataFrame]:
    """The most common view, and the most common ones within the largest levels of some columns: up to six, by name.

    Each is as from :func:`common_view`; equal ones appear once.
    """
    table, who = inspection.table, inspection.situations.users
    found = {COMMON: _example(inspection, np.ones(len(table), bool))}
    largest = {name: largest_levels(table[name], who) for name in inspection.dimensions if name in table}
    in_turn = itertools.zip_longest(*([(name, level) for level in levels] for name, levels in largest.items()))
    for name, level in filter(None, itertools.chain.from_iterable(in_turn)):
        if len(found) == MOST_EXAMPLES:
            break
        view = _example(inspection, (table[name] == level).to_numpy(bool, na_value=False))
        needed = [column for column in view if inspection.missing.get(str(column), UNKNOWN) is None]
        if view[needed].notna().all(axis=None) and not any(view.equals(other) for other in found.values()):
            found[f"{label(name, inspection.situations.card)}: {level}"] = view
    return found


def _example(inspection: Inspection, rows: np.ndarray) -> pd.DataFrame:
    common = common_view(inspection.table[rows], inspection.situations.users[rows], first=inspection.first)
    view = inspection.complete(common)
    view.attrs |= common.attrs
    return view


def answer_of(inspection: Inspection, view: pd.DataFrame) -> dict[str, Any]:
    """What each policy does in one view, and the SHAP values of the model's answer, as an inspector shows them.

    ``finding`` (a sentence on what the model does); ``chances`` (``name, percent, said, taken``), ``limit`` (the
    percentage from which one is taken; None where there is none); ``columns`` and ``policies`` (``name, does``: None
    where not available, ``expects, differs``), the model first; ``why`` sentences on those that differ; ``shap``:
    ``question, base, answer`` and ``features`` (name, value in words, SHAP value), in log-odds.
    """
    answer = inspection.answer(view)
    about, model = answer.pop("about"), next(iter(inspection.policies.values()))
    try:
        explanation = shap_values(model, inspection.views(view), scenario=inspection.scenario)
    except WorkbenchError as err:  # no question: every option is late whatever the network
        return answer | {"shap": {"question": str(err), "base": 0.0, "answer": 0.0, "features": []}}
    base = float(np.ravel(explanation.base_values)[-1])
    shown = {
        "question": f"{explanation.output_names}{about and f': {about}'}",
        "base": round(base, 3),
        "answer": round(base + float(explanation.values[-1].sum()), 3),
        "features": [[name, said, round(value, 3)] for name, said, value in strongest(explanation, -1)],
    }
    return answer | {"shap": shown}


def inspector_data(inspection: Inspection, examples: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """What an inspector shows: where the data come from, what may be changed, and each example with its answer."""
    return {
        "dataset": inspection.situations.card.name,
        "simulated": bool(inspection.situations.card.simulated),
        "people": inspection.situations.people,
        "words": dict(inspection.words),
        "fields": describe_fields(inspection, examples),
        "examples": [
            {
                "name": name,
                "users": view.attrs["users"],
                "context": {str(column): as_plain(view[column].iloc[0]) for column in view},
                "answer": answer_of(inspection, view),
            }
            for name, view in examples.items()
        ],
    }


def describe_fields(inspection: Inspection, examples: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """What of a view may be changed, and to what; only values that at least 20 users share are named.

    One a column: ``name, label, unknown`` (what a missing value is called; None where there must be one) and either
    ``options`` (values, most users first, those of the examples among them) or ``low, high, whole``.
    """
    fields: list[dict[str, Any]] = []
    users, card = inspection.situations.users, inspection.situations.card
    for column, values in inspection.table.items():
        name = str(column)
        about = {"name": name, "label": label(name, card), "unknown": inspection.missing.get(name, UNKNOWN)}
        if not is_number(values):
            held = [view[name].iloc[0] for view in examples.values()]
            levels = largest_levels(values, users)
            options = [level for place, level in enumerate(levels) if place < MOST_OPTIONS or level in held]
            fields += [about | {"options": [as_plain(level) for level in options]}] if options else []
        elif len(np.unique(users[values.notna()])) >= FEWEST_USERS:
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


def as_plain(value: Any) -> Any:
    """A value as JSON knows it; None where it is missing."""
    if pd.isna(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, DIGITS)
    return value if isinstance(value, (bool, int)) else str(value)
