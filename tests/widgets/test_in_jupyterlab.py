"""The explorer in a real JupyterLab on this machine, driven through a real browser."""

import json
import os
import subprocess
import sys
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
PATIENCE_MS, PATIENCE_S = 90_000, 60
# Running earlier than this brings up a dialog that asks for a kernel.
READY = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
NO_NEWS = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"
CELLS = [
    "import ipywidgets\nimport workbench as wb\n\n"
    "result = wb.study_images('synthetic_measurements', rows=1500)\nexplorer = wb.ImageExplorer(result)",
    "seen = ipywidgets.Label('nothing yet', description='seen')\n"
    "explorer.observe(lambda change: setattr(seen, 'value', f'seen {change.new:g}'), 'budget_ms')\n"
    "people = ipywidgets.Dropdown(options=explorer.segments, description='People')\n"
    "ipywidgets.link((people, 'value'), (explorer, 'segment'))\n"
    "ipywidgets.VBox([seen, people, explorer])",
    "asked = ipywidgets.Label('not yet')\n"
    "inspector = wb.DecisionInspector(result.model, wb.image_rules(result.split), result.split.train)\n"
    "inspector.observe(lambda change: setattr(asked, 'value', f'asked {change.new}'), 'changes')\n"
    "ipywidgets.VBox([asked, inspector])",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Start a JupyterLab that holds one notebook; its address, which opens that notebook."""
    folder, runtime = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("runtime")
    cells = [new_code_cell(cell) for cell in CELLS]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), folder / "tiny.ipynb")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0"]
    command += ["--expose-app-in-browser", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    environment = os.environ | {"JUPYTER_RUNTIME_DIR": str(runtime), "JUPYTERLAB_SETTINGS_DIR": str(runtime)}
    (runtime / NO_NEWS).parent.mkdir(parents=True)
    (runtime / NO_NEWS).write_text('{"fetchNews": "false"}')
    with subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.DEVNULL) as server:
        try:
            yield f"{wait_for_address(runtime, server)}lab/tree/tiny.ipynb?reset"
        finally:
            server.terminate()


def wait_for_address(runtime, server):
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                return json.loads(file.read_text())["url"]
            except ValueError:  # half written
                continue
        time.sleep(0.1)
    pytest.fail("JupyterLab did not start")


def test_it_appears_reacts_and_tells_python(lab, browser):
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(lab)
    page.wait_for_function(READY)
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
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
    page.get_by_label("Views of").select_option(index=0)
    page.wait_for_function("document.querySelector('.widget-dropdown select').value === 'all'")

    push = page.locator(".wb-waterfall")
    push.wait_for()
    drawn = push.inner_html()
    page.get_by_label("operating system", exact=True).select_option(label="iOS")
    page.get_by_text("Values were changed: an invented view.").wait_for()
    page.get_by_text("asked {'os_family':").wait_for()
    assert push.inner_html() != drawn
    page.get_by_role("button", name="Undo the changes").click()
    page.get_by_text("asked {}").wait_for()
    assert push.inner_html() == drawn

    page.evaluate("void window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
    colour = page.locator(".wb-finding").first.evaluate("words => getComputedStyle(words).color")
    assert min(int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]) > 200
    context.close()
