"""The sentences of a disagreement. Numbers in, words out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.evaluation.bootstrap import Interval
from workbench.explanation.parting_views import SAME

if TYPE_CHECKING:
    from workbench.explanation.model_vs_rule import Disagreement
    from workbench.explanation.parting_leaves import Leaf

TOLD = 3  # directions and features in sentences; tables hold all


def percent(share: float) -> str:
    """A share as a reader says it.

    Examples
    --------
    >>> percent(0.814), percent(0.004), percent(0.0)
    ('81 %', '0.4 %', '0 %')
    """
    return f"{100 * share:.1f} %" if 0 < share < 0.095 else f"{100 * share:.0f} %"


def leaf_sentence(leaf: Leaf) -> str:
    """Where, how often, in which direction, and what it is worth."""
    where = f"Where {leaf.condition}" if leaf.conditions else "Everywhere else" if not leaf.way else "Everywhere"
    does = f"{leaf.way}{f' (most often: {leaf.doing})' if leaf.doing else ''}" if leaf.way else "they act differently"
    return (
        f"{where}: {percent(leaf.coverage)} of the views; in {percent(leaf.precision)} of them {does}; model minus "
        f"rule there {leaf.unit.span(leaf.net)} {leaf.unit.per_view}."
    )


def finding_of(result: Disagreement) -> str:
    """In one line, how often they part, and what that is worth."""
    if not result.share.estimate:
        return "Model and rule do the same everywhere"
    return (
        f"Model and rule part in {percent(result.share.estimate)} of the views; over all of them, model minus "
        f"rule is {result.unit.span(result.difference)} {result.unit.name}"
    )


def share_sentence(result: Disagreement) -> str:
    """How often they act differently."""
    share = result.share
    if not share.estimate:
        return f"Model and rule ({result.rule_name}) do the same in all {result.views:,} views."
    return (
        f"Model and rule ({result.rule_name}) act differently in {percent(share.estimate)} of {result.views:,} views "
        f"({percent(share.low)} to {percent(share.high)}); model minus rule over all of them "
        f"{result.unit.span(result.difference)} {result.unit.per_view}."
    )


def direction_sentences(result: Disagreement) -> list[str]:
    """The most frequent directions: who is right, and what it is worth."""
    parted = result.directions[result.directions["direction"] != SAME].head(TOLD)
    return [
        f"{capital(row.direction)}: {percent(row.share)} of the views; the model is right in "
        f"{percent(row.model_right)} of them, the rule in {percent(row.rule_right)}; model minus rule there "
        f"{result.unit.span(Interval(row.net, row.net_low, row.net_high, row.users))} {result.unit.per_view}."
        for row in parted.itertuples()
    ]


def leaf_sentences(result: Disagreement) -> list[str]:
    """Where they part, a sentence a leaf, and everywhere else."""
    rest = [result.elsewhere] if result.elsewhere is not None and result.leaves else []
    return [leaf.sentence for leaf in (*result.leaves, *rest)]


def tree_sentence(result: Disagreement) -> str:
    """What the tree brings as a rule, or why there is none."""
    if not result.leaves:
        return result.no_tree
    if result.rule is None:
        return "No leaf is a candidate rule: nothing with a name agrees with the model far more often than the rule."
    over_base, model, left = (
        result.unit.span(result.gains[name]) for name in ("rule over base", "model over base", "model over rule")
    )
    return (
        f"The tree as a rule, on {result.people} that it did not grow on: {over_base} {result.unit.per_view} against "
        f"{result.rule_name}; the model {model}; model minus tree {left}."
    )


def separating_sentences(result: Disagreement) -> list[str]:
    """The feature whose SHAP values separate each direction most from the views where they do the same."""
    table = result.separating
    if table.empty:
        return []
    first = table.groupby("direction", sort=False).head(1)
    return [
        f"What separates the views where {row.direction}: {row.feature} pushes the {table.attrs['question']} by "
        f"{row.difference:+.2f} ({row.low:+.2f} to {row.high:+.2f}) more than where they do the same."
        for row in first.head(TOLD).itertuples()
    ]


def capital(sentence: str) -> str:
    """The same with a capital letter."""
    return sentence[:1].upper() + sentence[1:]
