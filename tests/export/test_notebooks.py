from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from workbench.errors import WorkbenchError
from workbench.export import declared_parameters, find_notebook, parse_parameters

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
DECLARED = {"dataset": "x", "budget_ms": 1000, "price": 0.5, "quick": False, "rows": None, "levels": [1, 2]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("00_explore", "01_image_delivery", "02_prefetch", "03_prefetch"):
        nbformat.write(new_notebook(), tmp_path / f"{name}.ipynb")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "image_delivery",
        "01_image_delivery",
        "image_delivery.ipynb",
        "01_image_delivery.ipynb",
        "image-delivery",
    ],
)
def test_a_notebook_is_found_by_any_of_its_names(folder, name):
    assert find_notebook(name, folder) == folder / "01_image_delivery.ipynb"


def test_a_path_is_taken_as_it_is(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "mine.ipynb"
    nbformat.write(new_notebook(), elsewhere)
    assert find_notebook(str(elsewhere), folder) == elsewhere


def test_an_unknown_notebook_names_what_there_is(folder):
    with pytest.raises(WorkbenchError, match=r"no notebook 'image_delivry'.*Did you mean 'image_delivery'\?"):
        find_notebook("image_delivry", folder)
    with pytest.raises(WorkbenchError, match="holds 00_explore, 01_image_delivery, 02_prefetch"):
        find_notebook("../secrets", folder)


def test_a_name_that_fits_two_notebooks_asks_for_the_number(folder):
    with pytest.raises(WorkbenchError, match="02_prefetch, 03_prefetch: give the number"):
        find_notebook("prefetch", folder)


def test_declared_parameters_come_with_their_defaults(tmp_path):
    source = 'dataset = "synthetic"  # a card\nbudget_ms: int = 1000\nprice = 0.5\nrows = None\nday = date.today()'
    cells = [new_markdown_cell("# T"), new_code_cell(source, metadata={"tags": ["parameters"]})]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), tmp_path / "a.ipynb")
    expected = {"dataset": "synthetic", "budget_ms": 1000, "price": 0.5, "rows": None, "day": None}
    assert declared_parameters(tmp_path / "a.ipynb") == expected


def test_a_file_that_is_no_notebook_is_said_to_be_none(tmp_path):
    (tmp_path / "a.ipynb").write_text("not json")
    with pytest.raises(WorkbenchError, match=r"a\.ipynb could not be read as a notebook"):
        declared_parameters(tmp_path / "a.ipynb")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("dataset", "1500", "1500"),
        ("budget_ms", "1500", 1500),
        ("price", "2", 2.0),
        ("quick", "True", True),
        ("quick", "no", False),
        ("rows", "5000", 5000),
        ("rows", "0.5", 0.5),
        ("rows", "all", "all"),
    ],
)
def test_texts_become_values_of_the_declared_type(name, text, value):
    parsed = parse_parameters([(name, text)], DECLARED)
    assert parsed == {name: value}
    assert type(parsed[name]) is type(value)


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
