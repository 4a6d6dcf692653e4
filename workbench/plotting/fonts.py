"""A font of this machine for what the house font cannot write, else the character's code point."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font
from matplotlib.text import Text

HOUSE = "DejaVu Sans"  # comes with Matplotlib
INVISIBLE = re.compile(
    "[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)  # joiners, marks
BREAKS = "\n\r\t"
USUAL = (400, "normal", "regular", "book")  # weights


def make_drawable(figure: Figure) -> None:
    """Let every text of a figure be drawn: by the house font, by others of the machine, or as code points."""
    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    named, texts = [_tick_names(axis) for axis in axes], figure.findobj(Text)
    written = [*(text.get_text() for text in texts), *(name for names in named for name in names.values())]
    strange = {letter for each in written for letter in each} - _letters(HOUSE) - set(BREAKS)
    if not strange:
        return
    families = [HOUSE, *fonts_for(frozenset(strange))]
    for axis, names in zip(axes, named, strict=True):
        names.update({place: drawable(name, families) for place, name in names.items()})
        axis.set_tick_params(labelfontfamily=families)
    for text in texts:
        text.set_text(drawable(text.get_text(), families))
        text.set_fontfamily(families)


def _tick_names(axis: Axis) -> dict[float, str]:
    """The labels that ``set_ticks(places, labels)`` gave an axis, by place, as its formatter holds them."""
    (names, *_) = getattr(getattr(axis.get_major_formatter(), "func", None), "args", ()) or ({},)
    return names if isinstance(names, dict) else {}


def drawable(text: str, families: Iterable[str]) -> str:
    """A text without marks that show nothing, and with code points for letters that no family has.

    >>> drawable("caf\u00e9 \U0001f600", ["DejaVu Sans Mono"])
    'caf\u00e9 U+1F600'
    """
    held = set(BREAKS).union(*map(_letters, families))
    return "".join(each if each in held else f"U+{ord(each):04X}" for each in INVISIBLE.sub("", text))


@cache
def fonts_for(letters: frozenset[str]) -> tuple[str, ...]:
    """Families of this machine that have the letters, those that have most of them first; as few as will do."""
    left, found = set(letters), []
    held = {name: left & _letters(name) for name in _files()}
    while left and held:
        best = max(held, key=lambda name: len(held[name] & left))
        if not held[best] & left:
            break
        left -= held[best]
        found.append(best)
    return tuple(found)


@cache
def _files() -> dict[str, str]:
    """Files of upright fonts of usual weight, by family; not those that draw a box for any letter."""
    fonts = (each for each in fontManager.ttflist if each.style == "normal" and each.weight in USUAL)
    return {each.name: each.fname for each in fonts if "LastResort" not in each.name.replace(" ", "")}


@cache
def _letters(family: str) -> frozenset[str]:
    """What a font can draw; nothing where Matplotlib cannot read it, or it holds pictures of one size."""
    try:
        font = get_font(_files()[family])
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except (KeyError, OSError, RuntimeError):
        return frozenset()
