"""One small study and one explorer of it, shared by all; and the explorer in a page of its own."""

import numpy as np
import pandas as pd
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import workbench as wb
from workbench.export.checks import check_page
from workbench.export.page import notebook_to_html

VIEW, STATES = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"


@pytest.fixture(scope="session")
def result():
    return wb.study_images("synthetic_measurements", rows=4000)


@pytest.fixture(scope="session")
def made(result):
    return wb.ImageExplorer(result)


@pytest.fixture
def explorer(made):
    """The explorer, as it was at first."""
    yield made
    made.unobserve_all()
    made.budget_ms, made.cancelling_wait_ms, made.segment = 1000, 400, "all"


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
        output = new_output("display_data", {VIEW: {"model_id": "a"}, "text/plain": "ImageExplorer()"})
        notebook = new_notebook(
            cells=[
                new_markdown_cell("# The verdict: use the table\n\n## Try it"),
                new_code_cell("wb.ImageExplorer(result)", outputs=[output]),
            ],
            metadata={"widgets": {STATES: {"state": {"a": {"state": state}}}}},
        )
        html = notebook_to_html(NotebookNode(notebook), name="a", provenance="here")
        check_page(html)
        return html

    return build
