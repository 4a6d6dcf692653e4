"""The explorer of image delivery: budget, price and segment to choose, everything counted beforehand."""

from __future__ import annotations

import base64
from typing import Any

import anywidget
import traitlets

from workbench.decisions.images.scenario import WIDTHS, encode_photo, photo_as_sent
from workbench.errors import WorkbenchError
from workbench.studies.comparison import Comparison
from workbench.studies.image_explorer_data import explorer_data
from workbench.widgets.sources import check_name, check_number, module_source, style_sheet

# Rows and columns of the photograph that are shown, about one pixel of it in one of the page: smaller than in the
# figure, or medium could not be told from large.
DETAIL = (slice(110, 270), slice(165, 405))


class ImageExplorer(anywidget.AnyWidget):
    """Move the budget, the price of waiting and the segment; see what each policy does there.

    Every setting is what ``compare`` prints for it: limits are tuned again on ``validation``, the best rule is picked
    again. Only the base case has a verdict.

    Parameters
    ----------
    result : Comparison
        Of image delivery.
    **choices
        ``budget_ms``, ``cancelling_wait_ms``, ``segment`` to begin with; default the base case, all views.

    Raises
    ------
    WorkbenchError
        Where the result is no comparison of image delivery, or a choice is not among those counted.
    """

    _esm = module_source("image_explorer")
    _css = style_sheet()
    data = traitlets.Dict().tag(sync=True)
    photos = traitlets.Dict().tag(sync=True)
    budget_ms = traitlets.Float().tag(sync=True)
    cancelling_wait_ms = traitlets.Float().tag(sync=True)
    segment = traitlets.Unicode().tag(sync=True)

    def __init__(self, result: Comparison, **choices: Any) -> None:
        if not isinstance(result, Comparison):
            raise WorkbenchError(f"expected a comparison, as from wb.compare_images; got {result!r}.")
        names = result.scenario.ladder.names if result.image else ()
        data = explorer_data(result)
        first = data["base"] | {"segment": data["segments"][0]["name"]}
        super().__init__(data=data, photos=_photos(names), **first | choices)

    @property
    def segments(self) -> list[str]:
        """Names that ``segment`` may take."""
        return [segment["name"] for segment in self.data["segments"]]

    @traitlets.validate("budget_ms", "cancelling_wait_ms")
    def _check_number(self, proposal: dict[str, Any]) -> float:
        name = proposal["trait"].name
        return check_number(name, proposal["value"], self.data[f"{name.removesuffix('_ms')}s_ms"])

    @traitlets.validate("segment")
    def _check_segment(self, proposal: dict[str, Any]) -> str:
        return check_name("segment", proposal["value"], self.segments)


def _photos(renditions: tuple[str, ...]) -> dict[str, str]:
    """A detail of the photograph as each rendition arrives, as data addresses; empty where a width is not known."""
    if not set(renditions) <= WIDTHS.keys():
        return {}
    details = {name: photo_as_sent(name)[DETAIL] for name in renditions}
    encoded = {name: base64.b64encode(encode_photo(each, each.shape[1])) for name, each in details.items()}
    return {name: f"data:image/webp;base64,{text.decode()}" for name, text in encoded.items()}
