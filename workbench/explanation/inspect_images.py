"""One decision about images taken apart: how likely each rendition is late, and what each policy sends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.splits import card_of, users_of
from workbench.decisions.images.expected_value import Decider, Prospects
from workbench.decisions.images.replay import decide
from workbench.decisions.images.rules import ImagePolicy, base_assumptions
from workbench.decisions.images.scenario import ImageScenario
from workbench.errors import WorkbenchError
from workbench.explanation.archetype import common_context
from workbench.explanation.inspect_parts import UNKNOWN, Policy, begin, lacks, listed, named, strongest
from workbench.explanation.shap_by_feature import shap_values
from workbench.models import NetworkQuality

WORDS = {
    "acts": "What each policy sends",
    "chances": "The model's chances of being late",
    "example": "Nobody's view: each value is shared by at least 20 users, or is their median; what would single out "
    "fewer is unknown.",
}


@dataclass(frozen=True)
class ImageInspection:
    """A network-quality model and rules, to be asked about single views of a frame."""

    model: NetworkQuality
    ours: ImagePolicy
    rules: tuple[Policy, ...]
    frame: pd.DataFrame
    table: pd.DataFrame
    who: np.ndarray
    scenario: ImageScenario
    card: Card
    people: str = "users"
    # Each gives its largest level, then its second largest, until there are enough archetypes.
    dimensions: Sequence[str] = ("connection_type", "country", "device", "os_family", "isp", "asn")

    @classmethod
    def of(cls, model: NetworkQuality, rules: Iterable[Policy], frame: pd.DataFrame, scenario: Any) -> ImageInspection:
        """Set model and rules to work on a frame of measurements.

        Raises
        ------
        WorkbenchError
            Where the frame carries no card, or the scenario is of another decision.
        """
        card, plan = card_of(frame), scenario or ImageScenario()
        if not isinstance(plan, ImageScenario):
            raise WorkbenchError(f"a network-quality model takes a wb.ImageScenario; got {scenario!r}.")
        ours = ImagePolicy(model, assume=base_assumptions(card))
        return cls(model, ours, tuple(rules), frame, model.context(frame), users_of(frame), plan, card)

    @property
    def words(self) -> Mapping[str, str]:
        """Headings."""
        return WORDS

    def common(self, rows: np.ndarray) -> pd.DataFrame:
        """The context that the most users share, of the views asked for."""
        return common_context(self.model, self.frame[rows])

    def unknown(self, name: str) -> str:
        """Every value may be unknown."""
        return UNKNOWN

    def answer(self, view: pd.DataFrame) -> dict[str, Any]:
        """What the model and each rule send, and why.

        The model weighs chances at the declared price of waiting, a rule at the limit it comes with.
        """
        scenario, names = self.scenario, self.scenario.ladder.names
        expected = self.ours.prospects(view, scenario)
        sends = int(decide(self.ours, view, scenario)[0])
        late = _late(expected)
        net = (scenario.ladder.quality * (1 - expected.abandoned) - scenario.wait_price * expected.excess_wait_ms)[0]
        policies: tuple[Policy, ...] = (self.ours, *self.rules)
        judged = [self._judge(policy, view) for policy in policies]
        return {
            "finding": f"The model sends {names[sends]}: late in {late[sends]} % of such views, images due in "
            f"{scenario.budget_ms / 1000:g} s.",
            "chances": [
                {"name": name, "percent": late[i], "said": f"{late[i]} % late, net {net[i]:.1f}", "taken": i == sends}
                for i, name in enumerate(names)
            ],
            "limit": None,
            "columns": ["sends", f"expects {names[-1]} late"],
            "policies": [self._told(*each, sends) for each in zip(policies, judged, strict=True)],
            "why": list(self._differences((sends, late), judged[1:])),
            "push": self._push(view),
        }

    def _judge(self, policy: Policy, view: pd.DataFrame) -> tuple[int, list[int] | None] | None:
        """What a rule sends, and how likely it expects each rendition to be late, where it weighs chances."""
        if lacks(policy, set(self.table)):
            return None
        late = _late(policy.prospects(view, self.scenario)) if isinstance(policy, Decider) else None
        return int(decide(policy, view, self.scenario)[0]), late

    def _told(self, policy: Policy, judged: tuple[int, list[int] | None] | None, ours: int) -> dict[str, Any]:
        if judged is None:
            return named(policy)
        sends, late = judged
        expects = f"{late[-1]} %" if late else "weighs no chances"
        does = self.scenario.ladder.names[sends]
        return named(policy) | {"does": does, "expects": expects, "differs": sends != ours}

    def _differences(
        self, ours: tuple[int, list[int]], rules: Sequence[tuple[int, list[int] | None] | None]
    ) -> Iterable[str]:
        """Sentences on the rules that send something else than the model: one each, those without chances together."""
        names = self.scenario.ladder.names
        sends, expected = ours
        called = [named(rule)["name"] for rule in self.rules]
        differing = [(name, *each) for name, each in zip(called, rules, strict=True) if each and each[0] != sends]
        for name, other, late in differing:
            larger = max(other, sends)
            if late:
                yield begin(
                    f"{name} sends {names[other]}: it expects {names[larger]} late in {late[larger]} % of such views, "
                    f"the model in {expected[larger]} %."
                )
        for other, sent in enumerate(names):
            blunt = [name for name, action, late in differing if action == other and not late]
            if blunt:
                larger = max(other, sends)
                yield begin(
                    f"{listed(blunt, between='; ')} {'sends' if len(blunt) == 1 else 'send'} {sent} without weighing "
                    f"chances; the model expects {names[larger]} late in {expected[larger]} % of such views."
                )

    def _push(self, view: pd.DataFrame) -> dict[str, Any]:
        try:
            explanation = shap_values(self.model, view, scenario=self.scenario)
        except WorkbenchError as err:  # the budget cannot be met, whatever the network
            return {"question": str(err), "base": 0.0, "answer": 0.0, "features": []}
        return strongest(explanation, 0, str(explanation.output_names))


def _late(expected: Prospects) -> list[int]:
    """Chance of missing the budget, percent, a rendition."""
    return [round(100 * float(chance)) for chance in expected.late[0]]
