"""What both studies refuse: margins, models and rules that do not belong to the comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.splits import Split
from workbench.decisions.decision import PERFECT_KNOWLEDGE, policy_name
from workbench.errors import WorkbenchError

Policy = Callable[..., Any]
TAKEN = ("model", "best_rule", "today", "oracle", PERFECT_KNOWLEDGE, "true chances")


def checked_margin(*margins: float | None) -> float:
    """The first margin that is given, in net: the call's, the card's, the default.

    Raises
    ------
    WorkbenchError
        Where it is not above 0.
    """
    margin = next(m for m in margins if m is not None)
    if not isinstance(margin, (int, float)) or not 0 < margin < np.inf:
        raise WorkbenchError(f"margin must be a number above 0; got {margin!r}.")
    return margin


def check_same_split(split: Split, model: Any, rows_hash: Callable[[pd.DataFrame], str], how: str) -> None:
    """Refuse a model that is not trained, or was trained on other rows than the split's train part.

    Raises
    ------
    WorkbenchError
        With ``how`` to train one on this split.
    """
    trained_on = getattr(model, "trained_on_", None)
    if trained_on is None:
        raise WorkbenchError(f"expected a trained model, as from {how}; got {str(model)[:80]}, which is not trained.")
    if trained_on != rows_hash(split.train):
        raise WorkbenchError(
            "the model was trained on other rows than this split's train part, perhaps on people of its test part. "
            f"Train it on this split: {how}."
        )


def checked_rules(rules: Iterable[Policy], known_by: str, maker: str) -> tuple[Policy, ...]:
    """Rules as a tuple, each callable, with a name of its own, and fitted on what the model may see too.

    Raises
    ------
    WorkbenchError
        Where one is not.
    """
    listed: tuple[Any, ...] = () if callable(rules) or isinstance(rules, str) else tuple(rules)
    if not listed or not all(map(callable, listed)):
        raise WorkbenchError(f"rules must be a list of callables, such as {maker}(split); got {rules!r}.")
    names = [policy_name(rule) for rule in listed]
    taken = sorted(set(names) & set(TAKEN))
    if taken:
        raise WorkbenchError(
            f"a rule cannot be called {taken[0]!r}, which a comparison calls something else by. Give it another name: "
            "a function's own, or the field name of a policy."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise WorkbenchError(f"each rule needs a name of its own; {', '.join(map(repr, twice))} came more than once.")
    for rule in listed:
        fitted_by = getattr(rule, "known_by", known_by)
        if fitted_by != known_by:
            raise WorkbenchError(
                f"{policy_name(rule)} was fitted on what is known by {fitted_by}, the model by {known_by}. "
                f"Fit both alike: {maker}(split, known_by=model.known_by)."
            )
    return listed
