"""The explorer of prefetching: break-even, prices and segment to choose, everything counted beforehand."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from workbench.errors import WorkbenchError
from workbench.studies.comparison import Comparison
from workbench.studies.prefetch_explorer_data import explorer_data
from workbench.widgets.sources import check_name, check_number, module_source, style_sheet

# Name of each trait that is a number to the list of what it may be.
NUMBERS = {"break_even": "break_evens", "value_of_second": "usd_per_second", "usd_per_gb": "usd_per_gb"}


class PrefetchExplorer(anywidget.AnyWidget):
    """Move the break-even, the prices and the segment; see what each policy does there.

    Every break-even is what ``compare prefetch`` prints for it: limits are tuned again on ``validation``, the best
    rule is picked again. Prices change the money alone. Only the base case has a verdict.

    Parameters
    ----------
    result : Comparison
        Of prefetching.
    **choices
        ``break_even``, ``value_of_second`` (USD; 0 makes no claim), ``usd_per_gb``, ``segment`` to begin with; default
        the base case, all views.

    Raises
    ------
    WorkbenchError
        Where the result is no comparison of prefetching, or a choice is not among those counted.
    """

    _esm = module_source("prefetch_explorer")
    _css = style_sheet()
    data = traitlets.Dict().tag(sync=True)
    break_even = traitlets.Float().tag(sync=True)
    value_of_second = traitlets.Float().tag(sync=True)
    usd_per_gb = traitlets.Float().tag(sync=True)
    segment = traitlets.Unicode().tag(sync=True)

    def __init__(self, result: Comparison, **choices: Any) -> None:
        if not isinstance(result, Comparison):
            raise WorkbenchError(f"expected a comparison, as from wb.compare_prefetch; got {result!r}.")
        data = explorer_data(result)
        first = data["base"] | {"segment": data["segments"][0]["name"]}
        super().__init__(data=data, **first | choices)

    @property
    def segments(self) -> list[str]:
        """Names that ``segment`` may take."""
        return [segment["name"] for segment in self.data["segments"]]

    @traitlets.validate(*NUMBERS)
    def _check_number(self, proposal: dict[str, Any]) -> float:
        name = proposal["trait"].name
        return check_number(name, proposal["value"], self.data[NUMBERS[name]])

    @traitlets.validate("segment")
    def _check_segment(self, proposal: dict[str, Any]) -> str:
        return check_name("segment", proposal["value"], self.segments)
