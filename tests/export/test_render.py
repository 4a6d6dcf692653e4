"""Whole renderings, each with a kernel of its own (some seconds): few, and shared where that is possible."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from workbench.errors import WorkbenchError
from workbench.export import render_notebook

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
PARAMETERS = 'dataset = "synthetic"\nbudget_ms = 1000'
FIGURE = """
import pandas as pd, matplotlib.pyplot as plt
from tqdm.auto import tqdm
for _ in tqdm(range(3)):
    pass
fig, ax = plt.subplots(figsize=(12, 3))
ax.plot([1, 2, 4])
ax"""
TABLE = """
row = {"page": "<script>window.hacked = 1</script>"} | {f"column_{i}": i / 3 for i in range(12)}
pd.DataFrame([row])"""
PLACE = """
import os
print(os.getcwd(), os.environ["WORKBENCH_MIRROR"], os.environ["WORKBENCH_DATASETS"])
print(dataset, budget_ms)"""


def write_notebook(folder: Path, name: str, *cells: str) -> Path:
    """Write a notebook: a cell that starts with # is markdown, the first code cell holds the parameters."""
    made = [new_markdown_cell(cell) if cell.startswith("#") else new_code_cell(cell) for cell in cells]
    tagged = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=[tagged, *made], metadata=KERNEL), folder / f"{name}.ipynb")
    return folder


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    folder = write_notebook(
        root / "notebooks",
        "01_demo",
        "# A *finding*",
        "## Evenings are slow",
        FIGURE,
        "## Pages",
        TABLE,
        PLACE,
    )
    card = root / "cards" / "my card.toml"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_MIRROR", "mirror/data")
        patch.setenv("WORKBENCH_DATASETS", "datasets")
        patch.setenv("MPLBACKEND", "Agg")
        values = {"dataset": str(card), "budget_ms": 1500}
        page = render_notebook("demo", values, folder=folder, output=root / "out", commit="abc1234")
        assert os.environ["WORKBENCH_MIRROR"] == "mirror/data"
        assert os.environ["MPLBACKEND"] == "Agg"
        assert "TQDM_DISABLE" not in os.environ
    return page


@pytest.fixture(scope="module")
def soup(rendered) -> BeautifulSoup:
    return BeautifulSoup(rendered.read_text(), "html.parser")


def test_the_file_is_named_after_notebook_and_dataset_and_stands_alone(rendered):
    assert rendered.name == "01_demo-my-card.html"
    assert [path.name for path in rendered.parent.iterdir()] == [rendered.name]


def test_the_kernel_runs_beside_the_notebook_with_absolute_folders(rendered, soup):
    root = rendered.parent.parent
    where, values = soup.find("pre", class_="stdout").string.splitlines()
    assert where == f"{root / 'notebooks'} {root / 'mirror' / 'data'} {Path.cwd() / 'datasets'}"
    assert values == "../cards/my card.toml 1500"


def test_figure_table_and_nothing_else_are_shown(soup):
    assert soup.title.string == "A finding"
    assert [image["alt"] for image in soup.find_all("img")] == ["Figure: Evenings are slow"]
    assert soup.table.find("td").string == "<script>window.hacked = 1</script>"
    assert "Axes" not in soup.main.get_text()
    assert soup.find(class_="live-only") is None


def test_provenance_names_notebook_parameters_code_and_time(soup):
    line = soup.find(class_="provenance").string
    assert line.startswith("Notebook 01_demo, dataset = my card, budget_ms = 1500. performance-workbench ")
    assert re.search(r"\(commit abc1234\)\. Rendered \d{4}-\d\d-\d\d \d\d:\d\d UTC\.$", line)


def test_the_file_works_from_disk_without_a_network(rendered, browser):
    context = browser.new_context(viewport={"width": 390, "height": 800}, offline=True)
    page = context.new_page()
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(rendered.as_uri(), wait_until="networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    wide = page.locator(".scroll")
    assert wide.evaluate("box => box.scrollWidth > box.clientWidth")
    code = page.locator("details.code .highlight").first
    assert not code.is_visible()
    page.locator("details.code summary").first.click()
    assert code.is_visible()
    assert [url for url in requests if not url.startswith("data:")] == [rendered.as_uri()]
    assert complaints == []
    assert page.evaluate("window.hacked") is None
    context.close()


def test_a_failing_cell_is_one_paragraph_and_leaves_the_good_page(tmp_path, capfd):
    out = tmp_path / "out"
    folder = write_notebook(tmp_path / "notebooks", "01_demo", "# T", "## The model", "1 / 1", "{}['isp']")
    out.mkdir()
    (out / "01_demo.html").write_text("the good one")
    with pytest.raises(WorkbenchError) as caught:
        render_notebook("demo", folder=folder, output=out, progress=False)
    message = str(caught.value)
    assert message.startswith("01_demo failed in cell [3] under \"The model\": KeyError: 'isp'. No page was written")
    assert str(out / "01_demo.failed.ipynb") in message
    assert "\n" not in message
    assert "\x1b" not in message
    assert (out / "01_demo.html").read_text() == "the good one"
    assert sorted(path.name for path in out.iterdir()) == ["01_demo.failed.ipynb", "01_demo.html"]
    assert "KeyError" in (out / "01_demo.failed.ipynb").read_text()
    assert capfd.readouterr().err == ""

    write_notebook(folder, "01_demo", "# T", "1 / 1")
    assert render_notebook("demo", folder=folder, output=out) == out / "01_demo.html"
    assert [path.name for path in out.iterdir()] == ["01_demo.html"]


def test_a_heading_that_a_cell_writes_places_a_failure_too(tmp_path):
    heading = "from IPython.display import HTML\nHTML('<h2>The model &amp; its <em>chances</em></h2><p>text</p>')"
    own = "HTML('<h2>Later</h2>')\n1 / 0"
    folder = write_notebook(tmp_path / "notebooks", "a", "# T", "## Before", heading, own, "HTML('<h2>Last</h2>')")
    with pytest.raises(
        WorkbenchError, match=r'^a failed in cell \[3\] under "The model & its chances": ZeroDivisionError'
    ):
        render_notebook("a", folder=folder, output=tmp_path)


def test_a_warning_is_not_shipped(tmp_path):
    folder = write_notebook(tmp_path / "notebooks", "a", "# T", "import warnings\nwarnings.warn('old data')")
    with pytest.raises(WorkbenchError, match=r"wrote to standard error: .*UserWarning: old data"):
        render_notebook("a", folder=folder, output=tmp_path)
    assert not (tmp_path / "a.html").exists()
    assert (tmp_path / "a.failed.ipynb").exists()


def test_a_kernel_that_dies_is_said_in_words(tmp_path):
    folder = write_notebook(tmp_path / "notebooks", "a", "# T", "import os\nos._exit(1)")
    with pytest.raises(WorkbenchError, match=r"a: the kernel stopped \(.*try fewer rows"):
        render_notebook("a", folder=folder, output=tmp_path)


def test_an_undeclared_parameter_is_refused_before_anything_runs(tmp_path):
    folder = write_notebook(tmp_path / "notebooks", "a", "# T")
    with pytest.raises(WorkbenchError, match=r"no parameter 'budget'\. Did you mean 'budget_ms'\?"):
        render_notebook("a", {"budget": 1}, folder=folder, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_progress_is_shown_on_the_terminal_only(tmp_path, capfd):
    folder = write_notebook(tmp_path / "notebooks", "a", "# T", "1 / 1")
    render_notebook("a", {"dataset": "synthetic"}, folder=folder, output=tmp_path, progress=True)
    shown = capfd.readouterr()
    assert "4 of 4 cells" in shown.err  # parameters, those injected, the heading, the division
    assert "without encryption" not in shown.err
    assert shown.out == ""
    assert (tmp_path / "a.html").exists()  # the default dataset, though given, leaves no suffix
