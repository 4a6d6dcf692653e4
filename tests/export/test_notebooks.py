import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from workbench.errors import WorkbenchError
from workbench.export.notebooks import declared_parameters, find_notebook, parse_parameters, render_notebook

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
DRAWN = """
import workbench as wb
wb.plotting.measured(wb.measurements(pd.DataFrame({"rtt_ms": range(1, 102)}), name="ours"))"""
TABLE = """
row = {"page": "<script>window.hacked = 1</script>"} | {f"column_{i}": i / 3 for i in range(12)}
pd.DataFrame([row])"""
PLACE = """
import os
print(os.getcwd(), os.environ["WORKBENCH_MIRROR"], os.environ["WORKBENCH_DATASETS"])
print(dataset, budget_ms)"""
DECLARED = {"dataset": "x", "budget_ms": 1000, "price": 0.5, "quick": False, "rows": None, "levels": [1, 2]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("00_explore", "01_image_delivery", "02_prefetch", "03_prefetch"):
        nbformat.write(new_notebook(), tmp_path / f"{name}.ipynb")
    return tmp_path


def test_a_notebook_is_found_by_any_of_its_names_or_its_path(folder, tmp_path_factory):
    for name in ("image_delivery", "01_image_delivery", "image_delivery.ipynb", "01_image_delivery.ipynb"):
        assert find_notebook(name, folder) == folder / "01_image_delivery.ipynb"
    assert find_notebook("image-delivery", folder) == folder / "01_image_delivery.ipynb"
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "mine.ipynb"
    nbformat.write(new_notebook(), elsewhere)
    assert find_notebook(str(elsewhere), folder) == elsewhere


def test_an_unknown_notebook_names_what_there_is(folder):
    with pytest.raises(WorkbenchError, match=r"no notebook 'image_delivry'.*Did you mean 'image_delivery'\?"):
        find_notebook("image_delivry", folder)
    with pytest.raises(WorkbenchError, match="holds 00_explore, 01_image_delivery, 02_prefetch"):
        find_notebook("../secrets", folder)
    with pytest.raises(WorkbenchError, match="02_prefetch, 03_prefetch: give the number"):
        find_notebook("prefetch", folder)


def test_declared_parameters_come_with_their_defaults(tmp_path):
    source = 'dataset = "synthetic"  # a card\nbudget_ms: int = 1000\nprice = 0.5\nrows = None\nday = date.today()'
    cells = [new_markdown_cell("# T"), new_code_cell(source, metadata={"tags": ["parameters"]})]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), tmp_path / "a.ipynb")
    expected = {"dataset": "synthetic", "budget_ms": 1000, "price": 0.5, "rows": None, "day": None}
    assert declared_parameters(tmp_path / "a.ipynb") == expected
    (tmp_path / "a.ipynb").write_text("not json")
    with pytest.raises(WorkbenchError, match=r"a\.ipynb could not be read as a notebook"):
        declared_parameters(tmp_path / "a.ipynb")


def test_texts_become_values_of_the_declared_type():
    texts = [("dataset", "1500"), ("budget_ms", "1500"), ("price", "2"), ("quick", "True"), ("rows", "5000")]
    expected = {"dataset": "1500", "budget_ms": 1500, "price": 2.0, "quick": True, "rows": 5000}
    parsed = parse_parameters(texts, DECLARED)
    assert parsed == expected
    assert [type(value) for value in parsed.values()] == [type(value) for value in expected.values()]
    assert parse_parameters([("quick", "yes"), ("quick", "no"), ("rows", "0.5")], DECLARED) == {
        "quick": False,
        "rows": 0.5,
    }
    assert parse_parameters([("rows", "all")], DECLARED) == {"rows": "all"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("budget_ms", "fast", r"budget_ms is a whole number \(such as 1000\), not 'fast'"),
        ("price", "nan", r"price is a number \(such as 0.5\), not 'nan'"),
        ("quick", "perhaps", "quick is true or false"),
        ("levels", "3", "levels is a list"),
        ("budget", "1", r"no parameter 'budget'\. Did you mean 'budget_ms'\? It declares dataset, budget_ms"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(name, text, message):
    with pytest.raises(WorkbenchError, match=message):
        parse_parameters([(name, text)], DECLARED)


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
    cells = ["# A *finding*", "## Evenings are slow", FIGURE, DRAWN, "## Pages", TABLE, PLACE]
    folder = write_notebook(root / "notebooks", "01_demo", *cells)
    card = root / "cards" / "my card.toml"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_MIRROR", "mirror/data")
        patch.setenv("WORKBENCH_DATASETS", "datasets")
        patch.setenv("MPLBACKEND", "Agg")
        values = {"dataset": str(card), "budget_ms": 1500}
        page = render_notebook("demo", values, folder=folder, output=root / "out", commit="abc1234")
        assert os.environ["WORKBENCH_MIRROR"] == "mirror/data" and os.environ["MPLBACKEND"] == "Agg"
        assert "TQDM_DISABLE" not in os.environ
    return page


@pytest.fixture(scope="module")
def soup(rendered) -> BeautifulSoup:
    return BeautifulSoup(rendered.read_text(), "html.parser")


def test_the_file_stands_alone_and_names_notebook_parameters_code_and_time(rendered, soup):
    assert rendered.name == "01_demo-my-card.html"
    assert [path.name for path in rendered.parent.iterdir()] == [rendered.name]
    line = soup.find(class_="provenance").string
    assert line.startswith("Notebook 01_demo, dataset = my card, budget_ms = 1500. performance-workbench ")
    assert re.search(r"\(commit abc1234\)\. Rendered \d{4}-\d\d-\d\d \d\d:\d\d UTC\.$", line)


def test_the_kernel_runs_beside_the_notebook_with_absolute_folders(rendered, soup):
    root = rendered.parent.parent
    where, values = soup.find("pre", class_="stdout").string.splitlines()
    assert where == f"{root / 'notebooks'} {root / 'mirror' / 'data'} {Path.cwd() / 'datasets'}"
    assert values == "../cards/my card.toml 1500"


def test_a_page_names_the_file_of_its_data_and_no_folder(rendered, tmp_path):
    assert rendered.read_text().count("cards/my card") == 1  # what its code prints
    folder = write_notebook(tmp_path / "notebooks", "02_log", "import os\nos.path.isfile(dataset)")
    log = tmp_path / "secret" / "site.log.1.gz"
    log.parent.mkdir()
    log.write_text("")
    page = render_notebook("log", {"dataset": log}, folder=folder, output=tmp_path / "out")
    assert page.name == "02_log-site-log-1-gz.html" and "secret" not in page.read_text() and "True" in page.read_text()


def test_figures_table_and_nothing_else_are_shown(soup):
    assert soup.title.string == "A finding"
    plain, ours = [image["alt"] for image in soup.find_all("img")]
    assert plain == "Figure: Evenings are slow" and "101 views" in ours and "51.0" in ours
    assert soup.table.find("td").string == "<script>window.hacked = 1</script>"
    assert "Axes" not in soup.main.get_text() and soup.find(class_="live-only") is None


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
    assert code.is_visible() and [url for url in requests if not url.startswith("data:")] == [rendered.as_uri()]
    assert complaints == [] and page.evaluate("window.hacked") is None
    context.close()


def test_a_failing_cell_is_one_paragraph_and_leaves_the_good_page_until_there_is_another(tmp_path, capfd, monkeypatch):
    out = tmp_path / "out"
    folder = write_notebook(tmp_path / "notebooks", "01_demo", "# T", "## The model", "1 / 1", "{}['isp']")
    out.mkdir()
    (out / "01_demo.html").write_text("the good one")
    with pytest.raises(WorkbenchError) as caught:
        render_notebook("demo", folder=folder, output=out)
    message = str(caught.value)
    assert message.startswith("01_demo failed in cell [3] under \"The model\": KeyError: 'isp'. No page was written")
    assert str(out / "01_demo.failed.ipynb") in message and "\n" not in message
    assert "\x1b" not in message and (out / "01_demo.html").read_text() == "the good one"
    assert sorted(path.name for path in out.iterdir()) == ["01_demo.failed.ipynb", "01_demo.html"]
    assert "KeyError" in (out / "01_demo.failed.ipynb").read_text() and capfd.readouterr().err == ""

    write_notebook(folder, "01_demo", "# T", "1 / 1")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    given = {"dataset": "synthetic"}  # the default dataset, though given, leaves no suffix
    assert render_notebook("demo", given, folder=folder, output=out) == out / "01_demo.html"
    assert [path.name for path in out.iterdir()] == ["01_demo.html"]
    shown = capfd.readouterr()
    assert "4 of 4 cells" in shown.err  # parameters, those injected, the heading, the division
    assert "without encryption" not in shown.err and shown.out == ""


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
    assert not (tmp_path / "a.html").exists() and (tmp_path / "a.failed.ipynb").exists()


def test_a_kernel_that_dies_is_said_in_words(tmp_path):
    folder = write_notebook(tmp_path / "notebooks", "a", "# T", "import os\nos._exit(1)")
    with pytest.raises(WorkbenchError, match=r"a: the kernel stopped \(.*try fewer rows"):
        render_notebook("a", folder=folder, output=tmp_path)


def test_what_a_dead_rendering_left_goes_and_what_the_data_are_called_may_be_in_any_script(tmp_path):
    folder, out = write_notebook(tmp_path / "notebooks", "a", "# T", "dataset"), tmp_path / "out"
    (out / ".rendering-dead" / "deep").mkdir(parents=True)
    page = render_notebook("a", {"dataset": "../通販 2026.toml"}, folder=folder, output=out)
    assert [path.name for path in out.iterdir()] == [page.name] == ["a-通販-2026.html"]


def test_a_page_that_cannot_be_written_is_a_sentence_and_leaves_the_older_one(tmp_path, monkeypatch):
    folder, out = write_notebook(tmp_path / "notebooks", "a", "# T", "1"), tmp_path / "out"
    out.mkdir()
    (out / "a.html").write_text("older")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WorkbenchError, match=r"could not write .*a\.html: No space left on device"):
        render_notebook("a", folder=folder, output=out)
    assert [path.read_text() for path in out.iterdir()] == ["older"]


# A shell's background jobs, which the tests may be, hand down that Ctrl-C is ignored.
STOPPED = """
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from workbench.datasets import cards
cards.CHECKOUT = Path(sys.argv[1])
from workbench.cli import main
main(["render", "--all"])
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("told", ["the parent alone", "all, as a terminal does"])
def test_ctrl_c_ends_every_process_of_a_rendering_and_leaves_nothing(tmp_path, told):
    sleeps = "import os, time, pathlib\npathlib.Path(f'{os.getpid()}.{os.getppid()}.pid').touch()\ntime.sleep(100)"
    for name in ("a", "b", "c"):
        folder = write_notebook(tmp_path / "notebooks", name, "# T", sleeps)
    command = [sys.executable, "-c", STOPPED, str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as rendering:
        until = time.monotonic() + 60
        while len(found := list(folder.glob("*.pid"))) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        end = os.kill if told == "the parent alone" else os.killpg
        end(rendering.pid, signal.SIGINT)
        _, said = rendering.communicate(timeout=60)
    assert rendering.returncode == 130 and "Error: stopped after 0 of 3 notebooks" in said
    assert "Traceback" not in said and list(folder.glob("rendered/*")) == []
    pids = [int(pid) for path in found for pid in path.stem.split(".")]
    assert len(pids) == 4 and not any(map(is_alive, pids))
