"""The explorer of a comparison: assumptions and a segment to choose, everything computed beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.checked import checked
from workbench.errors import WorkbenchError, check_one_of
from workbench.plotting.labels import PARTS
from workbench.plotting.style import WORDS
from workbench.studies.comparison import Comparison
from workbench.studies.scenario_grid import explorer_data


def check_number(name: str, value: float, allowed: Sequence[float]) -> float:
    """The allowed number that equals the value but for rounding; an error lists those allowed."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    for each in allowed:
        if is_number and math.isclose(value, each):
            return each
    came = f"{value:g}" if is_number else repr(value)
    raise WorkbenchError(f"{name} must be one of {', '.join(f'{each:g}' for each in allowed)}; got {came}.")


def check_change(name: str, value: Any, fields: Mapping[str, Mapping[str, Any]]) -> Any:
    """The value of one field of a context, as the field allows it; None is unknown.

    A field has ``options`` (a list), or ``low`` and ``high``; its ``unknown`` is None if it must have a value.
    """
    check_one_of("a changed field", name, list(fields))
    field = fields[name]
    if (value is None and field["unknown"] is not None) or value in field.get("options", ()):
        return value
    if "options" in field:
        options = {str(option): option for option in field["options"]}
        return options[check_one_of(name, str(value), list(options))]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not field["low"] <= value <= field["high"]:
        raise WorkbenchError(f"{name} must be a number from {field['low']:g} to {field['high']:g}; got {value!r}.")
    return float(value)


STATIC = Path(__file__).with_name("static")
COMMON, STYLE = "common.js", "widgets.css"
# One a widget: its own file, and the name of its Python module.
MODULES = ("explorer", "decision_inspector")
ON_DARK = 60  # per cent of a colour, the rest is white: light enough on black
COLOURED = ("model", "best rule", "perfect knowledge")  # today takes the colour of the text around it
FORBIDDEN = ("</script", "<!--", "</style")


def module_source(name: str) -> str:
    """The script of a widget, an ES module with one default export: what all share, then its own."""
    return _read(COMMON) + "\n" + _read(f"{name}.js")


def style_sheet() -> str:
    """The style of all widgets, after the palette of the figures as CSS variables."""
    colours = []
    for part in COLOURED:
        name, colour = f"--wb-{part.replace(' ', '-')}", str(PARTS[part]["color"])
        dark = f"color-mix(in srgb, {colour} {ON_DARK}%, #fff)"
        colours += [f"{name}: light-dark({colour}, {dark});", f"{name}-words: light-dark({WORDS[colour]}, {dark});"]
    return f".wb {{ {' '.join(colours)} }}\n{_read(STYLE)}"


def _read(file: str) -> str:
    # read_text turns CRLF, which a checkout may have brought, into LF: a page hashes this text.
    text = (STATIC / file).read_text(encoding="utf-8")
    found = [mark for mark in FORBIDDEN if mark in text.lower()]
    if found:
        raise WorkbenchError(
            f"{file} holds {found[0]!r}, which would end its element in a page: write it in two parts."
        )
    return text


@checked
class Explorer(anywidget.AnyWidget):
    """Change a comparison's assumptions and pick a segment; see what each policy does there.

    Every setting shows what ``wb.compare`` gives for it: limits are tuned again on ``validation``, the best rule is
    picked again. Some assumptions, such as the price of bytes, change the figures but no decision. Only the base case
    has a verdict.

    Parameters
    ----------
    result : Comparison
    **choices
        Values of sliders by name (:attr:`sliders`), and ``segment``; default the base case, all views.

    Raises
    ------
    WorkbenchError
        If the result is no comparison, or a choice is not on offer.

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
        """Set sliders by name, and ``segment``; the others keep their values.

        Raises
        ------
        WorkbenchError
            If a name or a value is not on offer; nothing changes then.
        """
        for name in choices:
            check_one_of("a choice", name, [*self.sliders, "segment"])
        segment = check_one_of("segment", choices.pop("segment", self.segment), self.segments)
        self.values = choices
        self.segment = segment

    @staticmethod
    def _base(data: dict[str, Any]) -> dict[str, float]:
        return {slider["name"]: slider["base"] for slider in data["sliders"]}

    @traitlets.validate("values")
    def _check_values(self, proposal: dict[str, Any]) -> dict[str, float]:
        sliders = self.sliders
        for name in proposal["value"]:
            check_one_of("a slider", name, list(sliders))
        values = self._base(self.data) | self.values | proposal["value"]
        return {name: check_number(name, value, sliders[name]) for name, value in values.items()}

    @traitlets.validate("segment")
    def _check_segment(self, proposal: dict[str, Any]) -> str:
        return check_one_of("segment", proposal["value"], self.segments)
