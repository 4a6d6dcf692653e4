"""Small studies and the widgets that show them, shared by all; and a widget in a page of its own."""

from contextlib import contextmanager

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import workbench as wb
from workbench.export.page import check_page, notebook_to_html

VIEW, STATES = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"
STUDIED = {"images": ("synthetic_measurements", 6000), "prefetch": ("synthetic_navigations", 4000)}


@pytest.fixture(scope="session")
def results(studied):
    return {name: studied(dataset, rows=rows) for name, (dataset, rows) in STUDIED.items()}


@pytest.fixture(scope="session")
def explorers(results, counted):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbench.widgets.explorer.explorer_data", counted)
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
    def open_page(path, **options):
        """A page whose every complaint and every request for something outside is a failure."""
        context = browser.new_context(offline=True, **options)
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
