"""A policy of a decision about one option a view as plain numbers, for a site that has no workbench.

:class:`workbench.decisions.options.OptionDecision` hands its questions on to here. There are two kinds: a table, in
which a view finds its answer by a few columns, and trees, whose chances are weighed in each view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.columns import FLAG, NUMBER, TEXT, Column
from workbench.datasets.schema import CELLULAR, COLUMNS, LEVELS, SIGNAL_AGE_S, known_context, label
from workbench.datasets.splits import FEWEST_USERS, Split, users_of
from workbench.decisions.chances import ChancePolicy, Lookup, OneOption
from workbench.decisions.decision import Shipped
from workbench.decisions.policy import FLAGS, Policy, Situations, TreeRule, policy_name
from workbench.errors import WorkbenchError
from workbench.features.network import SEPARATOR
from workbench.models.boosting import shortest
from workbench.models.network_quality import NetworkQuality

Answers = Callable[[pd.DataFrame], list[dict[str, Any]]]
SAVES_DATA, CONNECTION, SCRIPT = "save_data", "connection_type", LEVELS[2]
ADVICE = (
    "Only views without a network signal were compared: no NetInfo value, and no measurement of the same user younger "
    f"than {SIGNAL_AGE_S:g} s. Call it in these. Where a signal is visible, nothing need be predicted: send what "
    "the site sends there today."
)
LAST_MEASURED = {"last_rtt_ms", "last_downlink_mbps", "last_age_s"}
BOUNDS = ("above", "up_to")  # of a number in a branch
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)  # of the trees
TYPES = {TEXT: "text", NUMBER: "number", FLAG: "flag"}


@dataclass(frozen=True)
class Table:
    """A policy that looks its answer up: the option of each value of one column.

    ``of`` maps a value to an option, ``missing`` is the option, or another policy, where there is none, ``otherwise``
    the option of any other value. With ``edges``, the column is a number, and values are the numbers of its bins, as
    text: how many edges are not above it.
    """

    column: str
    of: Mapping[str, str]
    missing: str | Policy
    otherwise: str
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class Measured:
    """A rule that takes the last measurement as if it were now, while it is at most ``max_age_s`` old.

    Where it is older, or a quantity is neither measured nor in ``assume``, ``missing`` decides. ``worth`` holds plain
    numbers: the option with the largest ``quality - price * excess`` is taken, ``excess`` being ``round_trips * rtt_ms
    + bits / (1000 * downlink_mbps) - budget``, from 0 to ``longest``, where ``quality`` is lost.
    """

    max_age_s: float
    assume: Mapping[str, float]
    missing: Policy
    worth: Mapping[str, Any]


@dataclass(frozen=True)
class Worth:
    """What an option is worth, from chances that a measured quantity is worse than thresholds.

    ``quality * (1 - abandoned) - price * wait``, shape (options,). The chance that option ``o`` fails at time ``t`` is
    that of threshold ``asked[quantity][t, o]``, 1 where that is infinite; ``wait`` is their sum by ``weights`` over
    times, ``abandoned`` the chance at the last time, or 0 without ``abandons``; the chance at the first time is shown.

    With ``mixed``, both quantities are asked on a rising grid, shape (points,), and the chance is the mean over as many
    predicted ``quantiles`` of the round-trip time, each read from the grid of throughputs, linearly in its logarithm,
    at ``bits / (1000 * (times - round_trips * rtt_ms))``.
    """

    quality: np.ndarray
    price: float
    asked: Mapping[str, np.ndarray]
    weights: np.ndarray = field(default_factory=lambda: np.ones(1))
    abandons: bool = False
    mixed: Mapping[str, Any] = field(default_factory=dict)


def shipped(
    decision: Any, policy: Policy, split: Split, scenario: Any, known_by: str, *, within: float = 0.0
) -> Shipped:
    """The policy as a site runs it.

    A model has the fewest trees whose net on validation is less than ``within`` below that of all of them; 0 keeps all.
    A WorkbenchError where it is of a kind that a site cannot run yet.
    """
    merged, content, names = _content(decision, policy, split, scenario, known_by, within)
    known = ordered_fields({*names, SAVES_DATA}, split.card, known_by)
    options = {"returns": decision.option_column, "options": list(scenario.options), "saves_data": SAVES_DATA}
    answers = _answers(decision, merged, split.card, scenario, known_by)
    does = f"It picks one of {', '.join(f'`{option}`' for option in scenario.options)}."
    note = f"`chances` are those that an option comes late. Save-Data always gets `{scenario.options[0]}`."
    return Shipped(merged, {**options, "fields": known, **content}, answers, does, note, ADVICE)


def _content(  # noqa: PLR0917 - the arguments of shipped
    decision: Any, policy: Any, split: Split, scenario: Any, known_by: str, within: float
) -> tuple[Policy, dict[str, Any], set[str]]:
    """The policy that is shipped, its numbers, and the names of the columns that it reads."""

    def nested(other: Policy) -> tuple[Policy, dict[str, Any], set[str]]:
        return _content(decision, other, split, scenario, known_by, within)

    if isinstance(policy, ChancePolicy) and isinstance(policy.source, NetworkQuality):
        merged = fewest_trees(decision, policy, split, scenario, known_by, within=within)
        content = _trees(merged, scenario)
        return merged, content, {each["field"] for head in content["heads"].values() for each in head["features"]}
    if isinstance(policy, Lookup):
        return policy, _lookup(decision, policy, scenario, split.card), set(policy.keys)
    if isinstance(policy, TreeRule):
        base, content, names = nested(policy.base)
        branches = _branches(policy, scenario)
        names |= {part["field"] for branch in branches for part in branch["when"] if part["field"]}
        content = {"kind": "branches", "base": content, "branches": branches}
        content |= {"options": list(scenario.options), "saves_data": SAVES_DATA}
        return replace(policy, base=base), content, names  # type: ignore[return-value]
    rule = decision.as_table(policy, scenario)
    content = _rule(rule, scenario)
    names = LAST_MEASURED if isinstance(rule, Measured) else set(content["keys"])
    if isinstance(rule.missing, str):
        return policy, content, names
    otherwise, content["otherwise"], more = nested(rule.missing)
    merged = policy if isinstance(policy.otherwise, str) else replace(policy, otherwise=otherwise)
    return merged, content, names | more


def _branches(policy: TreeRule, scenario: Any) -> list[dict[str, Any]]:
    """The branches with columns in place of their labels; no column stands for what the base does."""
    fields = {label(column.name, policy.card): column for column in (*COLUMNS, *policy.card.context)}

    def plain(part: Any) -> dict[str, Any]:
        column = fields.get(part.fact)
        name = column.name if column else ""
        if hasattr(part, "levels"):
            written = {shown: str(flag) for flag, shown in FLAGS.items()} if column and column.dtype == FLAG else {}
            return {"field": name, "levels": [written.get(x, x) for x in part.levels], "inside": part.inside}
        bounds = {end: bound if np.isfinite(bound) else None for end in BOUNDS for bound in [getattr(part, end)]}
        return {"field": name, **bounds, "unknown": part.unknown}

    return [
        {"when": [plain(part) for part in condition.parts], "option": scenario.options.index(option)}
        for condition, option in policy.branches
    ]


def _answers(decision: Any, policy: Policy, card: Card, scenario: Any, known_by: str) -> Answers:
    def answers(context: pd.DataFrame) -> list[dict[str, Any]]:
        rows = len(context)
        there = Situations(
            context, known_context(context, known_by, card.context), np.arange(rows), "views", card, known_by
        )
        picked = decision.ask(policy, there, scenario)
        expected = decision.weigh(policy, there, scenario)
        late = [None] * rows if expected is None else expected.late.tolist()
        return [
            {
                decision.option_column: scenario.options[option],
                "chances": chances and dict(zip(scenario.options, chances, strict=True)),
            }
            for option, chances in zip(picked, late, strict=True)
        ]

    return answers


def as_table(policy: Policy, scenario: Any) -> Table | Measured:
    """One option for everybody; all else is refused."""
    if isinstance(policy, OneOption):
        return Table("", {}, policy.option, policy.option)
    raise WorkbenchError(
        f"{policy_name(policy)!r} cannot be exported: a site can run the model, its linear reference, lookup tables, "
        "one option for everybody, rules on one signal and on the last measurement, and trees on top of these. Name "
        "one of them with policy=, such as 'model'."
    )


def ordered_fields(names: Iterable[str], card: Card, known_by: str) -> dict[str, dict[str, Any]]:
    """What a site must know of each column, in the order of the table."""
    fields = {}
    for column in (each for each in (*COLUMNS, *card.context) if each.name in names):
        fields[column.name] = _field(column)
        if column.name == CONNECTION and known_by == SCRIPT:
            fields[column.name]["as"] = dict.fromkeys(CELLULAR, "cellular")
    return fields


def _field(column: Column) -> dict[str, Any]:
    if column.dtype not in TYPES:
        raise WorkbenchError(
            f"{column.name} is neither text, number nor flag, so a site cannot be asked for it. Train without it: "
            f"without=({column.name!r},)."
        )
    found = {"type": TYPES[column.dtype], "known": column.level, "meaning": column.meaning, "unit": column.unit}
    return found | ({"allowed": list(column.allowed)} if column.allowed else {})


def fewest_trees(decision: Any, policy: Any, split: Split, scenario: Any, known_by: str, *, within: float) -> Any:
    """The policy with the fewest trees, its limit tuned again, whose net on validation falls by ``within`` at most.

    All of a policy without trees, where ``within`` is 0, or fewer than 20 users are left to calibrate them.
    """
    if not within or not policy.source.trees:
        return policy
    shorter = by_tree_count(decision, policy, split, scenario, known_by, shares=(1, *SHARES))
    _, most = next(shorter)
    return next((fewer for fewer, net in shorter if net >= most - within), policy)


def by_tree_count(  # noqa: PLR0917 - the arguments of shipped
    decision: Any, policy: Any, split: Split, scenario: Any, known_by: str, shares: Iterable[float] = (*SHARES, 1)
) -> Iterator[tuple[Any, float]]:
    """The policy with a share of its trees, its limit tuned again, and its net a view on validation, share by share.

    Only all of them where fewer than 20 users are left to calibrate.
    """
    cluster = split.cluster if split.cluster in split.calibration else "session_id"
    few = len(np.unique(users_of(split.calibration, cluster))) < FEWEST_USERS
    there = decision.situations(split.validation, split.card, split.cluster, known_by, scenario)
    for share in (1,) if few else shares:
        fewer = policy
        if share < 1:
            fewer = decision.tune(replace(policy, source=policy.source.shortened(share, split)), there, scenario)
        yield fewer, float(decision.outcomes(decision.ask(fewer, there, scenario), there, scenario)["net"].mean())


def _trees(policy: ChancePolicy[NetworkQuality], scenario: Any) -> dict[str, Any]:
    model = policy.source
    worth = Worth(**scenario.shipped(model.quantities, policy.assume))
    heads, place = {}, {}
    for quantity, thresholds in worth.asked.items():
        certain = np.isinf(thresholds)
        # Thresholds that are one float32 to the trees are one: the larger of them is not asked about apart.
        _, first, which = np.unique(
            np.log(thresholds[~certain]).astype(np.float32), return_index=True, return_inverse=True
        )
        heads[quantity] = model.heads_[quantity].shipped(thresholds[~certain][first])
        place[quantity] = np.full(thresholds.shape, -1)
        place[quantity][~certain] = which
    numbers = {
        "quality": worth.quality.tolist(),
        "price": policy.limit * worth.price,
        "weights": worth.weights.tolist(),
        "abandons": worth.abandons,
    }
    if worth.mixed:
        mixed = {name: np.asarray(value).tolist() for name, value in worth.mixed.items()}
        numbers["mixed"] = mixed | {"grids": {quantity: grid.tolist() for quantity, grid in worth.asked.items()}}
    else:
        numbers["place"] = {quantity: found.tolist() for quantity, found in place.items()}
    kind = "linear" if model.linear else "trees"
    return {"kind": kind, "limit": policy.limit, "assume": dict(policy.assume), "heads": heads, "worth": numbers}


def _lookup(decision: Any, table: Lookup, scenario: Any, card: Card) -> dict[str, Any]:
    """Every group's answer, asked of the table itself; a group that stops early meets no finer one."""
    labels = list(dict.fromkeys(label for each in table.tables.values() for level in each.groups for label in level))
    parts = [label.split(SEPARATOR)[1:] for label in labels]
    never = max(labels, key=len) + " "  # longer than any part of a label
    rows = pd.DataFrame(
        {key: [part[i] if i < len(part) else never for part in parts] for i, key in enumerate(table.keys)}, dtype=object
    )
    in_bins = replace(table, edges={})  # the rows hold bins already
    expected = in_bins.prospects(rows, scenario)
    picked = expected.best(scenario, table.limit)
    found = {
        label: [int(option), *map(shortest, late)]
        for label, option, late in zip(labels, picked, expected.late, strict=True)
    }
    edges = {key: edges.tolist() for key, edges in table.edges.items()}
    return {"kind": "table", "keys": list(table.keys), "edges": edges, "answers": found, "limit": table.limit}


def _rule(table: Table | Measured, scenario: Any) -> dict[str, Any]:
    """A rule as plain numbers, without the policy that it leaves views to."""
    if isinstance(table, Measured):
        numbers = {"worth": dict(table.worth), "assume": dict(table.assume), "max_age_s": table.max_age_s}
        return {"kind": "last", **numbers}
    number = {option: [place] for place, option in enumerate(scenario.options)}
    if not table.column:
        return {"kind": "table", "keys": [], "edges": {}, "answers": {"": number[table.otherwise]}}
    found = {"": number[table.otherwise]}
    found |= {SEPARATOR: number[table.missing]} if isinstance(table.missing, str) else {}
    found |= {SEPARATOR + value: number[option] for value, option in table.of.items()}
    edges = {table.column: list(table.edges)} if table.edges else {}
    return {"kind": "table", "keys": [table.column], "edges": edges, "answers": found}
