"""The scripts and the style sheet of the widgets, each as one text: what JupyterLab runs, and what a page inlines."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.plotting.parts import PARTS
from workbench.plotting.style import WORDS

STATIC = Path(__file__).with_name("static")
COMMON, STYLE = "common.js", "widgets.css"
# One a widget: its own file, and the name of its Python module.
MODULES = ("image_explorer", "prefetch_explorer", "decision_inspector")
COLOURED = ("model", "best rule", "perfect knowledge")  # today takes the colour of the text around it
FORBIDDEN = ("</script", "<!--", "</style")


def module_source(name: str) -> str:
    """The script of a widget: what all share, then its own.

    Parameters
    ----------
    name : str
        One of ``MODULES``.

    Returns
    -------
    str
        An ES module with one default export, the same on every system: line endings are those of Unix.

    Raises
    ------
    WorkbenchError
        Where a file holds what would end a script element early.
    """
    return _read(COMMON) + "\n" + _read(f"{name}.js")


def style_sheet() -> str:
    """The style of all widgets, the palette of the pictures in front of it as CSS variables."""
    colours = []
    for part in COLOURED:
        name, colour = f"--wb-{part.replace(' ', '-')}", str(PARTS[part]["color"])
        colours += [f"{name}-plain: {colour};", f"{name}: {colour};", f"{name}-words: {WORDS[colour]};"]
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
