"""The inspector of one decision: an archetype, what model and rules do with it, and why. Live, values change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import anywidget
import pandas as pd
import traitlets

from workbench.delivery import ImageScenario
from workbench.explanation.decision import (
    change_context,
    check_inspectable,
    find_archetypes,
    inspect_decision,
    inspector_data,
)
from workbench.models import NetworkQuality
from workbench.widgets.choices import check_change, check_name
from workbench.widgets.sources import module_source, style_sheet


class DecisionInspector(anywidget.AnyWidget):
    """Pick an archetype; see the model's chances, what pushes them, what each policy does, and why they differ.

    An archetype is nobody: its values are shared by 20 users or more. In JupyterLab its values can be changed, and the
    model is asked again; a rendered page shows the archetypes alone.

    Parameters
    ----------
    model : NetworkQuality
        Trained.
    rules : iterable of callables
        Such as ``wb.image_rules(split)``; those with limits act by the ones they come with.
    frame : DataFrame
        Canonical measurements, such as ``split.train``: from it come archetypes and values to choose from.
    scenario : ImageScenario, optional
    **choices
        ``archetype`` to begin with, ``changes`` (column to value; None is unknown).

    Raises
    ------
    WorkbenchError
        Where the model is no trained network-quality model, the frame has fewer than 20 users, or a choice is not
        among those offered.
    """

    _esm = module_source("decision_inspector")
    _css = style_sheet()
    data = traitlets.Dict().tag(sync=True)
    archetype = traitlets.Unicode().tag(sync=True)
    changes = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    live = traitlets.Bool(default_value=True).tag(sync=True)

    def __init__(
        self,
        model: NetworkQuality,
        rules: Iterable[Callable[..., Any]],
        frame: pd.DataFrame,
        *,
        scenario: ImageScenario | None = None,
        **choices: Any,
    ) -> None:
        check_inspectable(model)
        listed, plan = tuple(rules), scenario or ImageScenario()
        self._contexts = find_archetypes(model, frame)
        self._inspect = lambda context: inspect_decision(model, listed, context, plan)
        data = inspector_data(model, frame, plan, self._contexts, self._inspect)
        super().__init__(data=data, **{"archetype": next(iter(self._contexts))} | choices)

    @property
    def archetypes(self) -> list[str]:
        """Names that ``archetype`` may take."""
        return list(self._contexts)

    @traitlets.validate("archetype")
    def _check_archetype(self, proposal: dict[str, Any]) -> str:
        return check_name("archetype", proposal["value"], self.archetypes)

    @traitlets.validate("changes")
    def _check_changes(self, proposal: dict[str, Any]) -> dict[str, Any]:
        fields = {field["name"]: field for field in self.data["fields"]}
        return {name: check_change(name, value, fields) for name, value in proposal["value"].items()}

    @traitlets.observe("archetype", "changes")
    def _ask_again(self, change: object) -> None:
        context = change_context(self._contexts[self.archetype], self.changes)
        self.answer = self._inspect(context) | {"archetype": self.archetype, "changes": self.changes}
