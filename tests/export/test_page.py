"""Pages from notebooks whose outputs are written out here: no kernel is needed."""

import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from workbench.errors import WorkbenchError
from workbench.export.page import NUMBER, check_page, notebook_to_html, page_title

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def shown(data, metadata=None):
    return new_output("display_data", data=data, metadata=metadata or {})


def page_of(*cells) -> BeautifulSoup:
    html = notebook_to_html(new_notebook(cells=list(cells)), name="01_demo", provenance="here & now")
    return BeautifulSoup(html, "html.parser")


def cell_with(*outputs, source="1 + 1", **metadata):
    return new_code_cell(source, outputs=list(outputs), metadata=metadata)


def test_the_title_is_the_first_heading_not_a_comment_in_code():
    cells = [
        new_markdown_cell("```\n# a comment\n```\n\n## Later"),
        new_markdown_cell("The *result* & more\n==="),
    ]
    assert page_title(new_notebook(cells=cells)) == "The result & more"
    assert page_of(*cells).title.string == "The result & more"
    assert page_of(new_markdown_cell("words")).title.string == "01 demo"


def test_a_figure_takes_its_own_words_then_its_cells_then_the_heading_above():
    png = {"image/png": PNG}
    page = page_of(
        new_markdown_cell("# T\n\n## Evenings are *slow*"),
        cell_with(shown(png, {"image/png": {"alt": 'Own "words"', "width": 600, "height": 400}})),
        cell_with(shown(png), alt="The cell's words"),
        cell_with(shown({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>", **png})),
    )
    images = page.find_all("img")
    assert [image["alt"] for image in images] == [
        'Own "words"',
        "The cell's words",
        "Figure: Evenings are slow",
    ]
    assert (images[0]["width"], images[0]["height"]) == ("600", "400")
    assert images[2]["src"].startswith("data:image/svg+xml;base64,")
    check_page(str(page))


def test_a_figure_without_any_words_is_refused():
    with pytest.raises(WorkbenchError, match="a figure has no alternative text"):
        check_page(str(page_of(cell_with(shown({"image/png": PNG})))))


def test_code_is_folded_after_its_output_and_silent_cells_share_a_fold():
    page = page_of(
        new_markdown_cell("# T"),
        new_code_cell("import this"),
        cell_with(new_output("stream", name="stdout", text="a < b\n"), source="print('a < b')"),
    )
    assert page.find("pre", class_="stdout").string == "a < b\n"
    (fold,) = page.find_all("details", class_="code")
    assert not fold.has_attr("open")
    assert fold.summary.string == "Code"
    assert [block.get_text().strip() for block in fold.find_all("pre")] == ["import this", "print('a < b')"]
    assert page.find("pre", class_="stdout").find_next("details") is fold


def test_controls_and_foreign_formats_become_one_line():
    widget = {
        "application/vnd.jupyter.widget-view+json": {"model_id": "a"},
        "text/plain": "IntSlider(value=0)",
    }
    page = page_of(
        cell_with(shown(widget)),
        cell_with(shown({"application/javascript": "alert(1)"})),
        cell_with(shown({"application/vnd.plotly.v1+json": {}})),
    )
    lines = [line.string for line in page.find_all(class_="live-only")]
    assert lines == ["This control needs the live notebook."] * 3
    check_page(str(page))


@pytest.mark.parametrize(
    "data",
    [
        {"text/plain": "<Axes: title={'center': 'wait'}, xlabel='x', ylabel='y'>"},
        {"text/plain": "<Figure size 640x480 with 0 Axes>"},
        {
            "text/plain": "  0%|          | 0/3 [00:00<?, ?it/s]",
            "application/vnd.jupyter.widget-view+json": {"model_id": "a"},
        },
    ],
)
def test_names_of_drawings_and_progress_bars_are_left_out(data):
    page = page_of(cell_with(shown(data)))
    assert page.find(class_="output") is None
    assert page.find(class_="live-only") is None


def test_tables_scroll_in_a_named_box_and_words_stand_left():
    table = (
        "<div><style scoped>.dataframe thead th { text-align: right; }</style>"
        '<table border="1" class="dataframe">'
        '<thead><tr style="text-align: right;"><th></th><th>net</th><th>policy</th></tr></thead><tbody>'
        "<tr><th>0</th><td>-1.5</td><td>today</td></tr><tr><th>1</th><td>NaN</td><td>model</td></tr></tbody></table>"
    )
    page = page_of(new_markdown_cell("# T\n\n## Who wins"), cell_with(shown({"text/html": table})))
    box = page.table.parent
    assert (box["class"], box["tabindex"], box["aria-label"]) == (["scroll"], "0", "Table: Who wins")
    assert page.select("style[scoped]") == []
    assert [cell.string for cell in page.select("td.words")] == ["today", "model"]
    assert [cell.string for cell in page.select("thead th.words")] == [None, "policy"]


def test_headings_are_listed_at_the_side_once_there_are_three():
    cells = [new_markdown_cell(f"## Finding <em>{n}</em> & more") for n in range(3)]
    page = page_of(new_markdown_cell("# T"), *cells)
    links = page.nav.find_all("a")
    assert [link.string for link in links] == [f"Finding {n} & more" for n in range(3)]
    assert [page.find(id=link["href"][1:]).name for link in links] == ["h2"] * 3
    check_page(str(page))
    assert page_of(new_markdown_cell("# T"), *cells[:2]).nav is None


def test_the_foot_says_where_the_page_comes_from():
    assert page_of(new_markdown_cell("# T")).find(class_="provenance").string == "here & now"


@pytest.mark.parametrize("text", ["-1.5", "1,512 ms", "23 %", "7%", "1e-05", "NaN", "\u22123", ""])
def test_numbers_are_told_from_words(text):
    assert NUMBER.fullmatch(text)


def test_a_network_class_is_a_word():
    assert not NUMBER.fullmatch("4g")


@pytest.mark.parametrize(
    "cell",
    [
        new_markdown_cell("# T\n\n<script>window.hacked = 1</script>"),
        new_markdown_cell("<details open ontoggle='window.hacked = 1'>x</details>"),
        new_markdown_cell("[x](javascript:window.hacked=1)"),
        cell_with(shown({"text/html": "<svg aria-label='x' onload='window.hacked = 1'></svg>"})),
        cell_with(shown({"text/markdown": "<script>window.hacked = 1</script>"})),
    ],
)
def test_a_script_is_refused_and_would_not_run(cell, browser, tmp_path):
    html = str(page_of(cell))
    with pytest.raises(WorkbenchError):
        check_page(html)
    path = tmp_path / "page.html"
    path.write_text(html)
    page = browser.new_page()
    page.goto(path.as_uri())
    for link in page.locator("main a").all():
        link.click()
    assert page.evaluate("window.hacked") is None
    page.close()


def test_hostile_text_stays_text():
    hostile = "<script>window.hacked = 1</script>"
    page = page_of(
        cell_with(new_output("stream", name="stdout", text=hostile), source=f"print('{hostile}')"),
        cell_with(shown({"text/plain": hostile})),
        cell_with(shown({"image/png": PNG}, {"image/png": {"alt": f'"{hostile}'}})),
    )
    check_page(str(page))
    assert page.find("script") is None
