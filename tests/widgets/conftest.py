"""Small studies and the widgets that show them, shared by all; and a widget in a page of its own."""

from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import workbench as wb
from workbench.export.page import check_page, notebook_to_html

VIEW, STATES = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"
WIDE = {"width": 1280, "height": 900}
HOSTILE = [
    "country: </script><script>window.hacked = 1</script>",
    "device: <!--<script>",
    'system: "><img src=x onerror="window.hacked = 1">',
    "network: \u2028${window.hacked = 1}`&lt;&#x27;",
]
# Ten redraws to a reading: the browser's clock ticks too coarsely for one.
REDRAWS = """(control, picture) => {
  const readings = [];
  for (let batch = 0; batch < 9; batch += 1) {
    const from = performance.now();
    for (let i = 0; i < 10; i += 1) {
      if (control.tagName === "SELECT") control.selectedIndex = i % control.options.length;
      else control.value = i % (Number(control.max) + 1);
      control.dispatchEvent(new Event(control.tagName === "SELECT" ? "change" : "input"));
      document.querySelector(picture).getBBox();
      document.querySelector(".wb").offsetHeight;
    }
    readings.push((performance.now() - from) / 10);
  }
  return readings.sort((one, other) => one - other)[4];
}"""
LABS_DARK = """document.body.dataset.jpThemeLight = "false";
document.body.style.cssText = `background: #111; --jp-content-font-color1: #fff; --jp-content-font-color2: #ffffffb3;
  --jp-border-color2: #616161; --jp-layout-color0: #111; --jp-layout-color2: #424242`"""


STUDIED = {"images": ("synthetic_measurements", 4000), "prefetch": ("synthetic_navigations", 3000)}


@pytest.fixture(scope="session")
def results():
    """One comparison a decision, by name."""
    return {name: wb.study(dataset, rows=rows) for name, (dataset, rows) in STUDIED.items()}


@pytest.fixture(scope="session")
def explorers(results):
    """The explorer of each."""
    return {name: wb.Explorer(result) for name, result in results.items()}


@pytest.fixture(scope="session", params=STUDIED)
def decision(request):
    return request.param


@pytest.fixture(scope="session")
def made(explorers, decision):
    return explorers[decision]


@pytest.fixture(scope="session")
def result(results, decision):
    return results[decision]


@pytest.fixture
def explorer(made):
    """The explorer, as it was at first."""
    yield made
    made.unobserve_all()
    made.set(segment="all", **{slider["name"]: slider["base"] for slider in made.data["sliders"]})


@pytest.fixture(scope="session")
def inspectors(results):
    """The inspector of each decision, by name."""
    return {
        name: wb.DecisionInspector(result.model, wb.rules(result.split), result.split.train)
        for name, result in results.items()
    }


@pytest.fixture
def inspector(inspectors, decision):
    """The inspector, as it was at first."""
    yield inspectors[decision]
    inspectors[decision].unobserve_all("answer")
    inspectors[decision].changes, inspectors[decision].example = {}, inspectors[decision].examples[0]


@pytest.fixture(scope="session")
def tiny_world():
    """Eighty people of one country with ten views each, whose network nothing but chance decides."""
    rng = np.random.default_rng(0)
    n = 800
    return pd.DataFrame(
        {
            "user_id": [f"u{i % 80}" for i in range(n)],
            "country": "FR",
            "os_family": rng.choice(["iOS", "Android"], n),
            "rtt_ms": rng.lognormal(4, 0.5, n),
            "downlink_mbps": rng.lognormal(2, 1, n),
        }
    )


@pytest.fixture(scope="session")
def page_with():
    """A finished page that shows a widget with this state."""

    def build(state: dict) -> str:
        output = new_output("display_data", {VIEW: {"model_id": "a"}, "text/plain": "Widget()"})
        notebook = new_notebook(
            cells=[
                new_markdown_cell("# The verdict: use the table\n\n## Try it"),
                new_code_cell("wb.Widget(result)", outputs=[output]),
            ],
            metadata={"widgets": {STATES: {"state": {"a": {"state": state}}}}},
        )
        html = notebook_to_html(NotebookNode(notebook), name="a", provenance="here")
        check_page(html)
        return html

    return build


@pytest.fixture
def open_offline(browser):
    @contextmanager
    def open_page(path, viewport=WIDE, **options):
        """A page whose every complaint and every request for something outside is a failure."""
        context = browser.new_context(offline=True, viewport=viewport, **options)
        page = context.new_page()
        trouble = []
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda request: trouble.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        yield page
        context.close()
        assert trouble == []

    return open_page


@pytest.fixture
def redraw_ms():
    """Median time of a redraw as a control moves, ms."""
    return lambda control, picture: control.evaluate(REDRAWS, picture)


@pytest.fixture
def darken():
    """Give a page the colours of JupyterLab's dark theme."""
    return lambda page: page.evaluate(LABS_DARK)


@pytest.fixture
def hostile():
    """Names that would run, were they ever anything but text."""
    return list(HOSTILE)
