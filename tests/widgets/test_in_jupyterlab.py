"""The shipped notebooks, and the widgets, in a real JupyterLab on this machine, driven through a real browser."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from workbench.export.notebooks import declared_parameters

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OURS = re.compile(r"wb\.(?:Explorer|DecisionInspector)\b")
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
PATIENCE_MS, PATIENCE_S = 300_000, 60
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false"},
    # Else cells below the window are not there to be looked at.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
# Before that, running brings up a dialog that asks for a kernel.
READY = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
RUN_ALL = "void window.jupyterapp.commands.execute('notebook:run-all-cells').finally(() => { window.allRan = true; })"
CELLS = """[...window.jupyterapp.shell.currentWidget.content.model.cells].map(cell => cell.toJSON())
    .filter(cell => cell.cell_type === "code")"""
CHANGED = "([explorer, before]) => explorer.innerText !== before"
TINY = [
    "import ipywidgets\nimport workbench as wb\n\n"
    "result = wb.study('synthetic_measurements', rows=6000)\nexplorer = wb.Explorer(result)",
    "seen = ipywidgets.Label('nothing yet', description='seen')\n"
    "explorer.observe(lambda change: setattr(seen, 'value', f'seen {change.new[\"budget_ms\"]:g}'), 'values')\n"
    "people = ipywidgets.Dropdown(options=explorer.segments, description='People')\n"
    "ipywidgets.link((people, 'value'), (explorer, 'segment'))\n"
    "ipywidgets.VBox([seen, people, explorer])",
    "asked = ipywidgets.Label('not yet')\n"
    "inspector = wb.DecisionInspector(result.model, wb.rules(result.split), result.split.train)\n"
    "inspector.observe(lambda change: setattr(asked, 'value', f'asked {change.new}'), 'changes')\n"
    "ipywidgets.VBox([asked, inspector])",
    "site = wb.study('synthetic_navigations', rows=4000)\n"
    "wb.DecisionInspector(site.model, wb.rules(site.split), site.split.train)",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The shipped notebooks on small data, their figures saved here, and a tiny one."""
    folder = tmp_path_factory.mktemp("lab")
    for path in NOTEBOOKS:
        write_small(path, folder)
    cells = [new_code_cell(cell) for cell in TINY]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), folder / "tiny.ipynb")
    return folder


def write_small(path, folder):
    """Copy a notebook; in its cell of parameters the data become few, and figures go where no person keeps theirs."""
    given = {name: in_place(value) for name, value in declared_parameters(path).items()}
    given |= {"rows": 6000} if "rows" in given else {}
    lines = [f"{name} = {value!r}" for name, value in given.items()]
    lines += ["import pathlib, workbench.plotting.style as s", f"s.CHECKOUT = pathlib.Path({str(folder)!r})"]
    notebook = nbformat.read(path, as_version=4)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    cell.source = "\n".join(lines)
    nbformat.write(notebook, folder / path.name)


def in_place(value):
    """A path that leads from the notebooks' folder, as one that leads from anywhere."""
    return str(ROOT / "notebooks" / value) if str(value).startswith("../") else value


@pytest.fixture(scope="module")
def lab(folder, tmp_path_factory, kernels_share_studies):
    """Start a JupyterLab on that folder; its address."""
    runtime = tmp_path_factory.mktemp("runtime")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0"]
    command += ["--expose-app-in-browser", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    environment = os.environ | {"JUPYTER_RUNTIME_DIR": str(runtime), "JUPYTERLAB_SETTINGS_DIR": str(runtime)}
    for name, settings in SETTINGS.items():
        (runtime / name).parent.mkdir(parents=True, exist_ok=True)
        (runtime / f"{name}.jupyterlab-settings").write_text(json.dumps(settings))
    with subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.DEVNULL) as server:
        try:
            yield wait_for_address(runtime, server)
        finally:
            server.terminate()


def wait_for_address(runtime, server):
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            with suppress(ValueError):  # half written
                return json.loads(file.read_text())["url"]
        time.sleep(0.1)
    pytest.fail("JupyterLab did not start")


@pytest.fixture(scope="module")
def pages(lab, folder, browser):
    """Every notebook in a window of its own, all of its cells asked to run: file name to page.

    They run side by side, so that no core waits for another notebook.
    """
    opened = {path.name: open_and_run(f"{lab}lab/tree/{path.name}?reset", browser) for path in folder.glob("*.ipynb")}
    yield opened
    for page in opened.values():
        page.context.close()


def open_and_run(address, browser):
    page = browser.new_context(viewport={"width": 1280, "height": 1400}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.wait_for_function(READY)
    page.evaluate(RUN_ALL)
    return page


def troubles(cells):
    """What went wrong in cells: not run, failed, or a word on standard error."""
    shown = [(cell, output) for cell in cells for output in cell["outputs"]]
    return [
        *(f"not run: {cell['source']}" for cell in cells if not cell["execution_count"]),
        *(f"{o['ename']}: {o['evalue']}, in {cell['source']}" for cell, o in shown if o["output_type"] == "error"),
        *(f"{o['text']}, in {cell['source']}" for cell, o in shown if o.get("name") == "stderr"),
    ]


def test_trouble_in_a_cell_is_found():
    fine = {"output_type": "stream", "name": "stdout", "text": "fine"}
    warned = {"output_type": "stream", "name": "stderr", "text": "a warning"}
    failed = {"output_type": "error", "ename": "ValueError", "evalue": "no"}
    counts, outputs = (1, 2, 3, None), ([fine], [warned], [failed], [])
    cells = [{"execution_count": n, "source": "1", "outputs": out} for n, out in zip(counts, outputs, strict=True)]
    assert troubles(cells) == ["not run: 1", "ValueError: no, in 1", "a warning, in 1"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_shipped_notebook_runs_and_its_widgets_react(pages, path):
    page = pages[path.name]
    page.wait_for_function("window.allRan")
    assert troubles(page.evaluate(CELLS)) == []
    shown = sum(len(OURS.findall(cell.source)) for cell in nbformat.read(path, as_version=4).cells)
    explorers = page.locator(".jp-OutputArea .wb")
    if shown:
        explorers.nth(shown - 1).wait_for()
    assert explorers.count() == shown
    for explorer in explorers.all():
        for control in explorer.locator(".wb-controls input, .wb-controls select").all()[:2]:
            before = explorer.inner_text()
            is_list = control.evaluate("control => control.tagName === 'SELECT'")
            control.press("ArrowDown" if is_list else "ArrowRight")
            page.wait_for_function(CHANGED, arg=[explorer.element_handle(), before])


def test_it_appears_reacts_and_tells_python(pages):
    page = pages["tiny.ipynb"]
    page.locator(".wb-frontier").wait_for()
    before = page.locator(".wb-tiles").inner_text()
    page.get_by_label("Images should be there in").focus()
    page.keyboard.press("ArrowRight")  # Lab would take the key, did the slider not forbid it
    page.get_by_text("seen 1500").wait_for()
    assert page.locator(".wb-tiles").inner_text() != before

    people = page.locator(".widget-dropdown select")
    people.select_option(index=1)
    named = people.input_value()
    page.wait_for_function("name => document.querySelector('.wb select').value === name", arg=named)
    page.get_by_label("Views of", exact=True).select_option(index=0)
    page.wait_for_function("document.querySelector('.widget-dropdown select').value === 'all'")

    of_images, of_pages = (page.get_by_label("Inspector of one decision").nth(place) for place in (0, 1))
    drawn = change_and_redraw(of_images, "operating system", label="iOS")
    page.get_by_text("asked {'os_family':").wait_for()
    of_images.get_by_role("button", name="Undo the changes").click()
    page.get_by_text("asked {}").wait_for()
    assert of_images.locator(".wb-waterfall").inner_html() == drawn
    change_and_redraw(of_pages, "page", index=2)

    page.evaluate("void window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
    colour = page.locator(".wb-finding").first.evaluate("words => getComputedStyle(words).color")
    assert min(int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]) > 200


def change_and_redraw(inspector, field, **value):
    """Change a value of an inspector's view; what was drawn before the model was asked again."""
    push = inspector.locator(".wb-waterfall")
    push.wait_for()
    drawn = push.inner_html()
    inspector.get_by_label(field, exact=True).select_option(**value)
    inspector.get_by_text("Values were changed: an invented view.").wait_for()
    assert push.inner_html() != drawn
    return drawn
