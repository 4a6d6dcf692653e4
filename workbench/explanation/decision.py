"""One decision about images taken apart: archetypes to look at, and what model and rules make of a context."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype

from workbench.datasets.splits import FEWEST_USERS, card_of, users_of
from workbench.delivery import ImageScenario
from workbench.errors import WorkbenchError
from workbench.evaluation.image_replay import decide
from workbench.explanation.archetype import common_context
from workbench.explanation.shap_by_feature import READABLE, THE_QUESTION, shap_values
from workbench.models import NetworkQuality, NextPage
from workbench.policies.calling import policy_name
from workbench.policies.expected_value import Decider
from workbench.policies.images import ImagePolicy, base_assumptions

Policy = Callable[..., Any]
MOST_ARCHETYPES, MOST_LEVELS, FEATURES_SHOWN = 6, 20, 8
DIGITS = 2  # of numbers in a context
COMMON = "the most common view"
# Each gives its largest level, then its second largest, until there are enough archetypes.
DIMENSIONS = ("connection_type", "country", "device", "os_family", "isp", "asn")
BOUNDS = (0.05, 0.95)  # quantiles of the values between which a number may be set


def check_inspectable(model: object) -> None:
    """Refuse what is no model of networks.

    Raises
    ------
    WorkbenchError
        With what to take instead.
    """
    if isinstance(model, NextPage):
        raise WorkbenchError(
            "the inspector takes a network-quality model; for a next-page model take wb.shap_values(model, frame) and "
            "wb.plotting.waterfall."
        )
    if not isinstance(model, NetworkQuality):
        raise WorkbenchError(f"expected a model, as from wb.train_network_quality(split); got {model!r}.")


def inspector_data(
    model: NetworkQuality,
    frame: pd.DataFrame,
    scenario: ImageScenario,
    contexts: Mapping[str, pd.DataFrame],
    inspect: Callable[[pd.DataFrame], dict[str, Any]],
) -> dict[str, Any]:
    """What an inspector shows: where the data come from, what may be changed, and each archetype with its answer."""
    card = card_of(frame)
    return {
        "dataset": card.name,
        "simulated": bool(card.simulated),
        "renditions": list(scenario.ladder.names),
        "budget_ms": scenario.budget_ms,
        "fields": describe_fields(model, frame),
        "archetypes": [
            {"name": name, "users": each.attrs["users"], "context": _plain(each), "answer": inspect(each)}
            for name, each in contexts.items()
        ],
    }


def find_archetypes(model: NetworkQuality, frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The most common view, and the most common ones within the largest levels of some columns; nobody's own.

    Parameters
    ----------
    model : NetworkQuality
    frame : DataFrame, shape (rows, columns)
        Canonical measurements.

    Returns
    -------
    dict of DataFrame, shape (1, columns)
        Up to six, by name, each as from :func:`common_context`; equal ones appear once.
    """
    found = {COMMON: common_context(model, frame)}
    context, who = model.context(frame), users_of(frame)
    crowds = {name: _largest_levels(context[name], who) for name in DIMENSIONS if name in context}
    in_turn = itertools.zip_longest(*([(name, level) for level in levels] for name, levels in crowds.items()))
    for name, level in filter(None, itertools.chain.from_iterable(in_turn)):
        if len(found) == MOST_ARCHETYPES:
            break
        common = common_context(model, frame[(context[name] == level).to_numpy(bool, na_value=False)])
        if not any(common.equals(other) for other in found.values()):
            found[f"{_readable(name)}: {level}"] = common
    return found


def describe_fields(model: NetworkQuality, frame: pd.DataFrame) -> list[dict[str, Any]]:
    """What of a context may be changed, and to what; only values that at least 20 users share are named.

    Returns
    -------
    list of dict
        One a column: ``name, label`` and either ``options`` (values, most users first) or ``low, high, whole``.
    """
    context, who = model.context(frame), users_of(frame)
    fields: list[dict[str, Any]] = []
    for name, values in context.items():
        about = {"name": str(name), "label": _readable(str(name))}
        if not is_float_dtype(values.dtype):
            options = _largest_levels(values, who)[:MOST_LEVELS]
            fields += [about | {"options": [_as_plain(level) for level in options]}] if options else []
        elif len(np.unique(who[values.notna()])) >= FEWEST_USERS:
            whole = bool((values.dropna() % 1 == 0).all())
            low, high = (round(float(bound), 0 if whole else 2) for bound in values.quantile(list(BOUNDS)))
            fields.append(about | {"low": low, "high": high, "whole": whole})
    return fields


def change_context(context: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """The same context with other values; None is unknown."""
    new = {name: pd.Series([value], context.index).astype(context[name].dtype) for name, value in values.items()}
    changed = context.assign(**new)
    changed.attrs |= context.attrs
    return changed


def inspect_decision(
    model: NetworkQuality, rules: Iterable[Policy], context: pd.DataFrame, scenario: ImageScenario
) -> dict[str, Any]:
    """What the model and each rule make of one context.

    Policies that weigh chances do so at the limit they come with, the model at the declared price of waiting.

    Parameters
    ----------
    model : NetworkQuality
    rules : iterable of callables
    context : DataFrame, shape (1, columns)
        As from :func:`find_archetypes`.
    scenario : ImageScenario

    Returns
    -------
    dict
        Plain. ``late`` (percent) and ``net`` (points) a rendition by the model; ``policies`` (``name``, ``sends``: a
        rendition's number, None where not available, ``late``: percent a rendition, None where it weighs no chances),
        the model first; ``why`` sentences on those that differ; ``push``: question, base, answer and the strongest
        features of the model's answer (name, value, push), in log-odds.
    """
    ours = ImagePolicy(model, assume=base_assumptions(card_of(context)))
    expected = ours.prospects(context, scenario)
    net = scenario.ladder.quality * (1 - expected.abandoned) - scenario.wait_price * expected.excess_wait_ms
    acting: list[Policy] = [ours, *rules]
    policies = [_judge(policy, context, scenario) for policy in acting]
    return {
        "late": [_percent(chance) for chance in expected.late[0]],
        "net": [round(float(value), 1) for value in net[0]],
        "policies": policies,
        "why": list(_differences(policies, scenario.ladder.names)),
        "push": _push(model, context, scenario),
    }


def _plain(context: pd.DataFrame) -> dict[str, Any]:
    """A context of one row as plain values; None where unknown."""
    return {str(name): _as_plain(context[name].iloc[0]) for name in context}


def _as_plain(value: Any) -> Any:
    """A value as JSON knows it; None where it is missing."""
    if pd.isna(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, DIGITS)
    return value if isinstance(value, (bool, int)) else str(value)


def _largest_levels(values: pd.Series, who: np.ndarray) -> list[Any]:
    """Levels that at least 20 users have, most users first, ties by name."""
    if is_float_dtype(values.dtype) and not is_bool_dtype(values.dtype):
        return []
    crowd = pd.Series(who).groupby(values.reset_index(drop=True), observed=True).nunique()
    crowd = crowd[crowd >= FEWEST_USERS].sort_index()
    return list(crowd.sort_values(ascending=False, kind="stable").index)


def _judge(policy: Policy, context: pd.DataFrame, scenario: ImageScenario) -> dict[str, Any]:
    """What a policy sends, and how likely it expects each rendition to be late, where it weighs chances."""
    told: dict[str, Any] = {"name": policy_name(policy), "sends": None, "late": None}
    if any(column not in context for column in getattr(policy, "needs", ())):
        return told
    action = int(decide(policy, context, scenario)[0])
    if isinstance(policy, Decider):
        told["late"] = [_percent(chance) for chance in policy.prospects(context, scenario).late[0]]
    return told | {"sends": action}


def _differences(policies: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterable[str]:
    """Sentences on the rules that send something else than the model: one each, those without chances together."""
    ours, *rules = policies
    chances = [f"{name} late in {late} % of such views" for name, late in zip(names, ours["late"], strict=True)]
    differing = [rule for rule in rules if rule["sends"] not in (None, ours["sends"])]
    for rule in differing:
        if rule["late"]:
            larger = max(rule["sends"], ours["sends"])
            yield (
                f"{rule['name']} sends {names[rule['sends']]}: it expects {names[larger]} late in "
                f"{rule['late'][larger]} % of such views, the model in {ours['late'][larger]} %."
            )
    for sent, name in enumerate(names):
        blunt = [rule["name"] for rule in differing if rule["sends"] == sent and not rule["late"]]
        if blunt:
            send = "sends" if len(blunt) == 1 else "send"
            yield (
                f"{_listed(blunt)} {send} {name} without weighing chances; the model expects "
                f"{chances[max(sent, ours['sends'])]}."
            )


def _listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them, the first with a capital letter."""
    *most, last = names
    said = f"{'; '.join(most)} and {last}" if most else last
    return said[0].upper() + said[1:]


def _push(model: NetworkQuality, context: pd.DataFrame, scenario: ImageScenario) -> dict[str, Any]:
    """The strongest features of the model's answer; the others in one sum."""
    try:
        explanation = shap_values(model, context, scenario=scenario)
    except WorkbenchError as err:  # the budget cannot be met, whatever the network
        return {"question": str(err), "base": 0.0, "answer": 0.0, "features": []}
    values = explanation.values[0]
    order = np.argsort(-abs(values), kind="stable")
    shown, rest = order[:FEATURES_SHOWN], order[FEATURES_SHOWN:]
    names, values_shown = explanation.feature_names, explanation.display_data[0]
    features = [
        [names[i], "" if names[i] == THE_QUESTION else _said(values_shown[i]), _push_of(values[i])] for i in shown
    ]
    if len(rest):
        features.append([f"{len(rest)} others", "", _push_of(values[rest].sum())])
    base = float(explanation.base_values[0])
    answer = base + float(values.sum())
    return {
        "question": explanation.output_names,
        "base": round(base, 3),
        "answer": round(answer, 3),
        "features": features,
    }


def _push_of(value: float) -> float:
    return round(float(value), 3)


def _said(value: Any) -> str:
    plain = _as_plain(value)
    return "unknown" if plain is None else f"{plain:.4g}" if isinstance(plain, float) else str(plain)


def _percent(chance: float) -> int:
    return round(100 * float(chance))


def _readable(name: str) -> str:
    return READABLE.get(name, name.replace("_", " "))
