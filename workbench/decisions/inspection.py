"""A single view as an inspector shows it: what each policy does there, what it expects, and why rules differ."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from workbench.decisions.policy import Policy, Situations

EXAMPLE = (
    "Not a real view: each value is shared by at least 20 {people}, or is their median; what fewer share is shown as "
    "unknown."
)


@dataclass(frozen=True)
class Action:
    """What one policy does in one view: the options or pages that it takes.

    ``chances`` are those of options or pages, where it weighs any, shown in percent with so many ``digits``; ``limit``
    is the chance from which it acts, None where that is the scenario's.
    """

    name: str
    takes: tuple[str, ...] = ()
    chances: Mapping[str, float] = field(default_factory=dict)
    limit: float | None = None
    digits: int | None = None

    def percent(self, of: str) -> float:
        """The chance of an option or a page; of a page that is not among the likeliest, that of the last of them."""
        return round(100 * self.chances.get(of, min(self.chances.values())), self.digits)

    def expects(self, of: str) -> str:
        """The same in words."""
        if not self.chances:
            return "fixed rule"
        return f"{'' if of in self.chances else 'under '}{self.percent(of)} %"

    def differs(self, other: Action) -> bool:
        """Whether it takes something else than another policy."""
        return set(self.takes) != set(other.takes)


@dataclass(frozen=True)
class Inspection:
    """Policies, the model's first, to be asked about single views; each decision adds what it says of one.

    ``table`` holds what may be known of each of the ``situations``, one row a view: float columns are numbers, all
    others have values to share. ``words`` are headings. ``dimensions`` are the columns whose largest levels make
    examples, ``first`` those whose values are fixed first in one; ``missing`` says what a missing value of a column
    means where that is not "unknown" (None where there must be a value).
    """

    policies: Mapping[str, Policy]
    situations: Situations
    table: pd.DataFrame
    scenario: Any
    words: Mapping[str, str]
    dimensions: tuple[str, ...]
    first: tuple[str, ...] = ()
    missing: Mapping[str, str | None] = field(default_factory=dict)

    def complete(self, view: pd.DataFrame) -> pd.DataFrame:
        """An example without values that mean nothing in it."""
        return view

    @abstractmethod
    def views(self, view: pd.DataFrame) -> pd.DataFrame:
        """What policies and SHAP values are asked about; its last row is the view."""

    @abstractmethod
    def act(self, name: str, policy: Policy, views: pd.DataFrame) -> Action | None:
        """What a policy does in the last of these views: the model at the declared price, a rule at its own limit.

        None where it is not available.
        """

    @abstractmethod
    def describe(self, ours: Action, others: Sequence[Action]) -> dict[str, Any]:
        """What is the decision's own in an answer: ``finding, limit, columns, why, about``.

        ``others`` do something else than the model. Its chances are shown of what ``likely`` names; ``of`` is the
        option or page whose chance every policy is asked for.
        """

    def names(self, taken: Sequence[str]) -> str:
        """Options or pages as a sentence lists them."""
        return ", ".join(taken)

    def answer(self, view: pd.DataFrame) -> dict[str, Any]:
        """What each policy does in one view, what it expects, and why rules differ from the model."""
        views = self.views(view)
        found_acts = ((name, self.act(name, policy, views)) for name, policy in self.policies.items())
        acts = {name: act for name, act in found_acts if act is not None}
        ours = acts[next(iter(self.policies))]
        found = self.describe(ours, [each for each in acts.values() if each.differs(ours)])
        of, likely = found.pop("of"), found.pop("likely")
        policies = [
            {
                "name": name,
                "does": self.names(acts[name].takes) if name in acts else None,
                "expects": acts[name].expects(of) if name in acts else None,
                "differs": name in acts and acts[name].differs(ours),
            }
            for name in self.policies
        ]
        chances = [
            {"name": self.names([each]), "percent": ours.percent(each), "said": said, "taken": each in ours.takes}
            for each, said in likely.items()
        ]
        return found | {"chances": chances, "policies": policies}
