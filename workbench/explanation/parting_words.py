"""The sentences of a disagreement. Numbers in, words out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.evidence.bootstrap import Interval
from workbench.explanation.parting_tables import OTHERWISE
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
    """Where, how often, in which direction, and what it is worth there."""
    where = f"Where {leaf.condition}" if leaf.conditions else "Everywhere else" if not leaf.way else "Everywhere"
    does = f"{leaf.way}{f' (most often: {leaf.doing})' if leaf.doing else ''}" if leaf.way else "they disagree"
    return (
        f"{where}: {percent(leaf.coverage)} of the views; in {percent(leaf.precision)} of them {does}; model minus "
        f"rule there {leaf.unit.span(leaf.net)} {leaf.unit.per_view}."
    )


def finding_of(result: Disagreement) -> str:
    """In one line, how often they disagree, and in which direction most.

    No net: it would be taken for that of the verdict, which is of other views.
    """
    if not result.share.estimate:
        return "Model and rule do the same everywhere"
    often = f"Model and rule disagree in {percent(result.share.estimate)} of the views"
    most = next(iter(result.directions["direction"]), SAME)
    return often if most in (SAME, OTHERWISE) else f"{often}, most often so: {most}"


def share_sentence(result: Disagreement) -> str:
    """How often they disagree."""
    share = result.share
    if not share.estimate:
        return f"Model and rule ({result.rule_name}) do the same in all {result.views:,} views."
    return (
        f"Model and rule ({result.rule_name}) disagree in {percent(share.estimate)} of {result.views:,} views "
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
    """Where they disagree, a sentence a leaf, and everywhere else."""
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
    """The feature whose SHAP values separate each direction most, and beyond noise, from the views where they agree."""
    table = result.separating
    if table.empty:
        return []
    beyond = table[(table["low"] > 0) | (table["high"] < 0)]
    if beyond.empty:
        return ["No feature's SHAP values separate the views where they disagree from the others beyond noise."]
    features, question = table["feature"].nunique(), table.attrs["question"]
    return [
        f"What separates the views where {row.direction}: {row.feature} pushes the {question} by "
        f"{_gap(row.difference, row.low, row.high)} than where they do the same, the most beyond noise of {features} "
        "features."
        for row in beyond.groupby("direction", sort=False).head(1).head(TOLD).itertuples()
    ]


def _gap(difference: float, low: float, high: float) -> str:
    """A difference beyond noise, as a reader says it.

    Examples
    --------
    >>> _gap(1.2, 0.5, 2.0), _gap(-1.86, -2.5, -1.0)
    ('1.20 (0.50 to 2.00) more', '1.86 (1.00 to 2.50) less')
    """
    near, far = sorted((abs(low), abs(high)))
    return f"{abs(difference):.2f} ({near:.2f} to {far:.2f}) {'more' if difference > 0 else 'less'}"


def capital(sentence: str) -> str:
    """The same with a capital letter."""
    return sentence[:1].upper() + sentence[1:]
