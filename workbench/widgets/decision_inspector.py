"""The inspector of one decision: an example context, what model and rules do with it, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import anywidget
import pandas as pd
import traitlets

from workbench.checked import checked
from workbench.errors import check_one_of
from workbench.explanation.example_context import (
    answer_of,
    change_context,
    find_examples,
    inspection_of,
    inspector_data,
)
from workbench.widgets.explorer import check_change, module_source, style_sheet


@checked
class DecisionInspector(anywidget.AnyWidget):
    """Pick an example context; see the model's chances, their SHAP values, what each policy does, and why they differ.

    An example is no real user: at least 20 users share its values. In JupyterLab its values can be changed, and the
    model is asked again; a rendered page shows the examples only.

    Parameters
    ----------
    model : estimator
        Trained, such as ``wb.train_network_quality(split)``; or a policy that holds one.
    rules : iterable of callables
        Such as ``wb.rules(split)``; those with a limit use their own, or else the scenario's price.
    frame : DataFrame
        Canonical, such as ``split.train``: examples and the values to choose from come from it.
    scenario : object, optional
        Says which decision is inspected; default that of the frame's table.
    **choices
        The first ``example``, and ``changes`` (column to value; None is unknown).

    Raises
    ------
    WorkbenchError
        If model, frame and scenario do not belong to one decision, the frame has fewer than 20 users, or a choice is
        not on offer.

    >>> wb.DecisionInspector(model, [result.best_rule], split.validation)  # doctest: +SKIP
    """

    _esm = module_source("decision_inspector")
    _css = style_sheet()
    data = traitlets.Dict().tag(sync=True)
    example = traitlets.Unicode().tag(sync=True)
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
        super().__init__(data=data, **{"example": next(iter(self._views))} | choices)

    @property
    def examples(self) -> list[str]:
        """Names that ``example`` may take."""
        return list(self._views)

    @traitlets.validate("example")
    def _check_example(self, proposal: dict[str, Any]) -> str:
        return check_one_of("example", proposal["value"], self.examples)

    @traitlets.validate("changes")
    def _check_changes(self, proposal: dict[str, Any]) -> dict[str, Any]:
        fields = {field["name"]: field for field in self.data["fields"]}
        return {name: check_change(name, value, fields) for name, value in proposal["value"].items()}

    @traitlets.observe("example", "changes")
    def _ask_again(self, change: object) -> None:
        view = change_context(self._views[self.example], self.changes)
        self.answer = answer_of(self._inspection, view) | {"example": self.example, "changes": self.changes}
