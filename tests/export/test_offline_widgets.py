import base64
import hashlib
import json
import re

import pytest
from bs4 import BeautifulSoup
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from workbench.errors import WorkbenchError
from workbench.export import offline_widgets
from workbench.export.offline_widgets import page_script, to_safe_json
from workbench.export.page import check_page, notebook_to_html
from workbench.widgets.explorer import MODULES

OWN = {"_anywidget_id": "workbench.widgets.explorer.Explorer", "_esm": "window.hacked = 1"}
STRANGE = {"_anywidget_id": "elsewhere.Gauge", "_esm": "window.hacked = 1"}
LIVE_ONLY = "This control needs the live notebook."


def page_of(states: dict, *shown: str) -> str:
    """A page whose only cell shows the widgets of these names."""
    outputs = [new_output("display_data", {offline_widgets.VIEW: {"model_id": name}}) for name in shown]
    kept = {name: {"state": state} for name, state in states.items()}
    notebook = new_notebook(
        cells=[new_markdown_cell("# T"), new_code_cell("x", outputs=outputs)],
        metadata={"widgets": {offline_widgets.STATES: {"state": kept}}},
    )
    return notebook_to_html(NotebookNode(notebook), name="a", provenance="here")


def scripts_of(html: str, kind: str) -> list:
    return BeautifulSoup(html, "html.parser").find_all("script", type=kind)


def test_a_displayed_widget_brings_its_data_and_the_packages_script():
    html = page_of({"a": OWN | {"data": {"n": 1}, "layout": "IPY_MODEL_b", "tooltip": None}, "hidden": OWN}, "a")
    check_page(html)
    (data,) = scripts_of(html, "application/json")
    assert json.loads(data.string) == {"data": {"n": 1}}
    place = BeautifulSoup(html, "html.parser").find(attrs={"data-widget": True})
    assert (place["data-widget"], place["data-state"]) == ("explorer", data["id"]) and "hacked" not in html


def test_the_policy_allows_these_scripts_and_no_others():
    html = page_of({"a": OWN}, "a")
    policy = BeautifulSoup(html, "html.parser").meta["content"]
    allowed = re.search(r"script-src ([^;]*);", policy)[1].split()
    digests = [hashlib.sha256(script.string.encode()).digest() for script in scripts_of(html, "module")]
    assert allowed == [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")
    assert policy.startswith("default-src 'none'; ")


def test_two_widgets_share_one_module():
    html = page_of({"a": OWN | {"data": 1}, "b": OWN | {"data": 2}}, "a", "b")
    check_page(html)
    assert len(scripts_of(html, "module")) == len(["the widget's", "the shim's"])
    assert [json.loads(each.string)["data"] for each in scripts_of(html, "application/json")] == [1, 2]


@pytest.mark.parametrize("state", [STRANGE, {"value": 3}, {"_anywidget_id": "workbench.widgets.other.Other"}])
def test_what_needs_a_kernel_becomes_one_line(state):
    html = page_of({"a": state}, "a")
    check_page(html)
    assert html.count(LIVE_ONLY) == 1 and "hacked" not in html


def test_a_box_is_unpacked_and_its_controls_share_one_line():
    box = {"children": ["IPY_MODEL_inner", "IPY_MODEL_slider"]}
    states = {"box": box, "inner": {"children": ["IPY_MODEL_a", "IPY_MODEL_slider"]}, "slider": {"value": 1}, "a": OWN}
    html = page_of(states, "box")
    check_page(html)
    assert html.count(LIVE_ONLY) == 1 and html.count("data-widget=") == 1
    assert LIVE_ONLY in page_of({}, "gone"), "a widget whose state was not kept"
    assert "script" not in page_of({})


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "a\u2028b", "&lt;", "]]>"])
def test_data_holds_no_mark_that_a_parser_knows(text):
    safe = to_safe_json({"name": text, text: 1})
    assert json.loads(safe) == {"name": text, text: 1} and not re.search("[<>&\u2028\u2029]", safe)
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_safe_json({"x": float("nan")})


@pytest.mark.parametrize("module", MODULES)
def test_a_module_becomes_an_assignment(module):
    script = page_script(module)
    assert f"(globalThis.workbenchWidgets ??= {{}}).{module} = {{ render }};" in script
    assert not re.search(r"^(export|import)\b", script, re.MULTILINE)


@pytest.mark.parametrize(
    "source", ["const a = 1;\n", "export default a;\nexport default b;\n", "import a\nexport default a"]
)
def test_a_module_that_cannot_be_inlined_is_refused(monkeypatch, source):
    monkeypatch.setattr(offline_widgets, "module_source", lambda module: source)
    page_script.cache_clear()
    with pytest.raises(WorkbenchError, match=r"strange\.js must have one `export default`"):
        page_script("strange")
    page_script.cache_clear()
