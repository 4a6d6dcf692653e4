"""The inspector of one decision: an archetype, what model and rules do with it, and why. Live, values change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import anywidget
import pandas as pd
import traitlets

from workbench.explanation.example_context import (
    answer_of,
    change_context,
    find_examples,
    inspection_of,
    inspector_data,
)
from workbench.widgets.sources import check_change, check_name, module_source, style_sheet


class DecisionInspector(anywidget.AnyWidget):
    """Pick an archetype; see the model's chances, what pushes them, what each policy does, and why they differ.

    An archetype is nobody: its values are shared by 20 users or more. In JupyterLab its values can be changed, and the
    model is asked again; a rendered page shows the archetypes alone.

    Parameters
    ----------
    model : estimator
        Trained.
    rules : iterable of callables
        Such as ``wb.rules(split)``; those with limits act by the ones they come
        with, without one by the scenario's price.
    frame : DataFrame
        Canonical measurements or navigations, such as ``split.train``: from it come archetypes and values to choose
        from.
    scenario : object, optional
    **choices
        ``archetype`` to begin with, ``changes`` (column to value; None is unknown).

    Raises
    ------
    WorkbenchError
        Where model, frame and scenario do not belong to one decision, the frame has fewer than 20 users, or a choice is
        not among those offered.
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
        model: Any,
        rules: Iterable[Callable[..., Any]],
        frame: pd.DataFrame,
        *,
        scenario: Any = None,
        **choices: Any,
    ) -> None:
        self._inspection = inspection_of(model, rules, frame, scenario)
        self._views = find_examples(self._inspection)
        data = inspector_data(self._inspection, self._views)
        super().__init__(data=data, **{"archetype": next(iter(self._views))} | choices)

    @property
    def archetypes(self) -> list[str]:
        """Names that ``archetype`` may take."""
        return list(self._views)

    @traitlets.validate("archetype")
    def _check_archetype(self, proposal: dict[str, Any]) -> str:
        return check_name("archetype", proposal["value"], self.archetypes)

    @traitlets.validate("changes")
    def _check_changes(self, proposal: dict[str, Any]) -> dict[str, Any]:
        fields = {field["name"]: field for field in self.data["fields"]}
        return {name: check_change(name, value, fields) for name, value in proposal["value"].items()}

    @traitlets.observe("archetype", "changes")
    def _ask_again(self, change: object) -> None:
        view = change_context(self._views[self.archetype], self.changes)
        self.answer = answer_of(self._inspection, view) | {"archetype": self.archetype, "changes": self.changes}
