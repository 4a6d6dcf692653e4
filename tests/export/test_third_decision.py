import re
from pathlib import Path

import nbformat

from workbench.export.notebooks import render_notebook

HOME = Path(__file__).parent.parent / "decisions"
CELLS = (
    "import sys\n\nsys.path.insert(0, folder)\nimport video_start\n\nimport workbench as wb",
    "data, scenario = 'synthetic_measurements', video_start.VideoScenario()\n"
    "result = wb.study(data, rows=6_000, scenario=scenario)\nresult",
    "result.heading('rules', table='policies')",
    "wb.plotting.frontier(result);",
    "wb.Explorer(result)",
    "result.table('assumptions')",
)


def test_a_third_decision_is_rendered(tmp_path):
    parameters = nbformat.v4.new_code_cell('folder = "."', metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[parameters, *map(nbformat.v4.new_code_cell, CELLS)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# At which bitrate should a video start?"))
    nbformat.write(notebook, tmp_path / "video.ipynb")
    page = render_notebook(tmp_path / "video.ipynb", {"folder": str(HOME)}, folder=tmp_path, output=tmp_path / "out")
    text = page.read_text("utf-8")
    assert "VIDEO START - synthetic_measurements - SIMULATED" in text
    assert re.search(r"<td>\d+\.\d\d</td>", text)  # a net in the table of policies
    assert "Points that a stall costs" in text  # the explorer's slider
    assert text.count("<img") == 1
