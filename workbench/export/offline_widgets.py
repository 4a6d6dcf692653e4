"""Widgets in a page without a kernel: their modules inlined and hashed, their state as data, a small shim.

The scripts of a page come from the package's own files; the notebook provides data only.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from workbench.errors import WorkbenchError
from workbench.widgets.explorer import FORBIDDEN, MODULES, module_source, style_sheet

SHIM = Path(__file__).with_name("offline.js")
VIEW = "application/vnd.jupyter.widget-view+json"
STATES = "application/vnd.jupyter.widget-state+json"
POLICY = "default-src 'none'; {scripts}style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
LIVE_ONLY = '<p class="live-only">This control needs the live notebook.</p>'
STILL = (
    "An explorer with sliders stands here where the browser runs scripts. The figures and tables of this page show "
    "its base case."
)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
_OWN = re.compile(r"workbench\.widgets\.(\w+)\.\w+")
# These mean something to an HTML parser or end a line of JavaScript; JSON may escape any of them.
_ESCAPES = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}


@dataclass(frozen=True)
class OfflineWidget:
    """A widget in a page: the module that draws it, and the choices and data that it starts with."""

    module: str
    state: Mapping[str, Any]


def place_widgets(notebook: NotebookNode) -> list[OfflineWidget]:
    """Replace each displayed widget of an executed notebook by a place for it; returns those of the package, in order.

    A place has a sentence for readers without scripts; boxes are unpacked; all other widgets become one line, "needs
    the live notebook".
    """
    states = notebook.metadata.get("widgets", {}).get(STATES, {}).get("state", {})
    found: list[OfflineWidget] = []
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    for output in (output for output in outputs if VIEW in output.get("data", {})):
        places = []
        for widget in _unpack(output.data[VIEW].get("model_id", ""), states):
            if widget is None:
                places += [LIVE_ONLY] if LIVE_ONLY not in places else []
                continue
            found.append(widget)
            target = f'data-widget="{widget.module}" data-state="widget-{len(found)}"'
            places.append(f'<div class="widget" {target}><p class="note">{STILL}</p></div>')
        output.data = NotebookNode({"text/html": "\n".join(places)})
    return found


def _unpack(model_id: str, states: Mapping[str, Any]) -> Iterator[OfflineWidget | None]:
    """The widget itself, or those inside a box; None for a control that needs a kernel."""
    state = states.get(model_id, {}).get("state", {})
    children = [child.removeprefix("IPY_MODEL_") for child in state.get("children", [])]
    own = _OWN.fullmatch(state.get("_anywidget_id", ""))
    if own and own[1] in MODULES:
        # Names with an underscore are the widget's own code, which a page takes from the package; other models, such as
        # the layout, are of no use there.
        models = {name for name, value in state.items() if isinstance(value, str) and value.startswith("IPY_MODEL_")}
        plain = {name: value for name, value in state.items() if value is not None and name not in models}
        shown = {name: value for name, value in plain.items() if not name.startswith("_")}
        # A page has no kernel: the widget leaves out what needs one.
        shown |= {"live": False} if "live" in shown else {}
        yield OfflineWidget(own[1], shown)
    elif children:
        for child in children:
            yield from _unpack(child, states)
    else:
        yield None


def widget_blocks(widgets: Iterable[OfflineWidget]) -> str:
    """The end of a page: the state of each widget, each module once, and the shim; empty without widgets."""
    widgets = list(widgets)
    if not widgets:
        return ""
    data = [
        f'<script type="application/json" id="widget-{number}">{to_safe_json(widget.state)}</script>'
        for number, widget in enumerate(widgets, start=1)
    ]
    scripts = scripts_of(widget.module for widget in widgets)
    modules = [f'<script type="module">{script}</script>' for script in scripts]
    return "\n".join([f"<style>{style_sheet()}</style>", *data, *modules, ""])


def policy_of(scripts: Iterable[str]) -> str:
    """The policy of a page: nothing from outside, and no scripts but these, in this order.

    >>> policy_of([]).split("; ")[:2]
    ["default-src 'none'", "style-src 'unsafe-inline'"]
    """
    named = " ".join(f"'{script_hash(script)}'" for script in scripts)
    return POLICY.format(scripts=f"script-src {named}; " if named else "")


def script_hash(script: str) -> str:
    """A script's hash as a Content-Security-Policy names it.

    >>> script_hash("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@functools.cache
def page_script(module: str) -> str:
    """A widget's module as a page holds it: ``export default`` becomes an assignment.

    Under the policy, modules of a page cannot import each other, so each puts itself where the shim finds it.
    """
    source = module_source(module)
    parts = _DEFAULT.split(source)
    if len(parts) != 2 or re.search(r"^(import|export) ", "".join(parts), re.MULTILINE):
        raise WorkbenchError(f"{module}.js must have one `export default` and neither other exports nor imports.")
    return f"{parts[0]}(globalThis.workbenchWidgets ??= {{}}).{module} = {parts[1]}"


@functools.cache
def _shim() -> str:
    text = SHIM.read_text(encoding="utf-8")
    assert not any(mark in text.lower() for mark in FORBIDDEN)
    return text


def scripts_of(modules: Iterable[str]) -> list[str]:
    """What draws the widgets of these modules in a page: each module once, and the shim; none without widgets."""
    distinct = dict.fromkeys(modules)
    return [*map(page_script, distinct), _shim()] if distinct else []


def to_safe_json(state: Mapping[str, Any]) -> str:
    r"""JSON that stays data anywhere in a page: no character in it can open or close an element.

    >>> to_safe_json({"name": "</script><b>"})
    '{"name":"\\u003c/script\\u003e\\u003cb\\u003e"}'
    """
    return json.dumps(state, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_ESCAPES)
