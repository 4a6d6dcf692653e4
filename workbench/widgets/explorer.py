"""The explorer of a comparison: assumptions and a segment to choose, everything counted beforehand."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from workbench.errors import WorkbenchError
from workbench.studies.comparison import Comparison
from workbench.studies.scenario_grid import explorer_data
from workbench.widgets.sources import check_name, check_number, module_source, style_sheet


class Explorer(anywidget.AnyWidget):
    """Move a comparison's assumptions and pick a segment; see what each policy does there.

    Every setting shows what ``wb.compare`` prints for it: limits are tuned again on ``validation``, the best rule is
    picked again. Some assumptions, such as a price of bytes, weigh the figures and change no decision. Only the base
    case has a verdict.

    Parameters
    ----------
    result : Comparison
    **choices
        Values of sliders by name (:attr:`sliders`), and ``segment``; default the base case, all views.

    Raises
    ------
    WorkbenchError
        Where the result is no comparison, or a choice is not among those counted.

    Examples
    --------
    >>> explorer = wb.Explorer(result, budget_ms=1500)  # doctest: +SKIP
    >>> explorer.set(cancelling_wait_ms=800, segment="country: DE")  # doctest: +SKIP
    >>> explorer.observe(print, ["values", "segment"])  # doctest: +SKIP
    """

    _esm = module_source("explorer")
    _css = style_sheet()
    data = traitlets.Dict().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)
    segment = traitlets.Unicode().tag(sync=True)

    def __init__(self, result: Comparison, **choices: Any) -> None:
        if not isinstance(result, Comparison):
            raise WorkbenchError(f"expected a comparison, as from wb.compare or wb.study; got {result!r}.")
        data = explorer_data(result)
        super().__init__(data=data, segment=data["segments"][0]["name"], values=self._base(data))
        self.set(**choices)

    @property
    def segments(self) -> list[str]:
        """Names that ``segment`` may take."""
        return [segment["name"] for segment in self.data["segments"]]

    @property
    def sliders(self) -> dict[str, tuple[float, ...]]:
        """Names that ``values`` may have, and the values that each may take."""
        return {slider["name"]: tuple(slider["values"]) for slider in self.data["sliders"]}

    def set(self, **choices: Any) -> None:
        """Set sliders by name, and ``segment``; the others stay as they are.

        Raises
        ------
        WorkbenchError
            Where a name or a value is not among those counted; nothing changes then.
        """
        for name in choices:
            check_name("a choice", name, [*self.sliders, "segment"])
        segment = check_name("segment", choices.pop("segment", self.segment), self.segments)
        self.values = choices
        self.segment = segment

    @staticmethod
    def _base(data: dict[str, Any]) -> dict[str, float]:
        return {slider["name"]: slider["base"] for slider in data["sliders"]}

    @traitlets.validate("values")
    def _check_values(self, proposal: dict[str, Any]) -> dict[str, float]:
        sliders = self.sliders
        for name in proposal["value"]:
            check_name("a slider", name, list(sliders))
        values = self._base(self.data) | self.values | proposal["value"]
        return {name: check_number(name, value, sliders[name]) for name, value in values.items()}

    @traitlets.validate("segment")
    def _check_segment(self, proposal: dict[str, Any]) -> str:
        return check_name("segment", proposal["value"], self.segments)
