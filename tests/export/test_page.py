import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from workbench.errors import WorkbenchError
from workbench.export.offline_widgets import page_script, policy_of
from workbench.export.page import check_page, notebook_to_html

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
META = f'<meta http-equiv="Content-Security-Policy" content="{policy_of([])}">'
OWN = page_script("explorer")
OWN_NAMED = META.replace(policy_of([]), policy_of([OWN]))
PIXEL = f"data:image/png;base64,{PNG}"


def shown(data, metadata=None):
    return new_output("display_data", data=data, metadata=metadata or {})


def page_of(*cells) -> BeautifulSoup:
    html = notebook_to_html(new_notebook(cells=list(cells)), name="01_demo", provenance="here & now")
    return BeautifulSoup(html, "html.parser")


def cell_with(*outputs, source="1 + 1", **metadata):
    return new_code_cell(source, outputs=list(outputs), metadata=metadata)


def test_the_title_is_the_first_heading_not_a_comment_in_code():
    cells = [new_markdown_cell("```\n# a comment\n```\n\n## Later"), new_markdown_cell("The *result* & more\n===")]
    assert page_of(*cells).title.string == "The result & more"
    untitled = page_of(new_markdown_cell("words"))
    assert untitled.title.string == "01 demo" and untitled.find(class_="provenance").string == "here & now"


def test_a_figure_takes_its_own_words_then_its_cells_then_the_heading_above():
    png = {"image/png": PNG}
    page = page_of(
        new_markdown_cell("# T\n\n## Evenings are *slow*"),
        cell_with(shown(png, {"image/png": {"alt": 'Own "words"', "width": 600, "height": 400}})),
        cell_with(shown(png), alt="The cell's words"),
        cell_with(shown({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>", **png})),
    )
    images = page.find_all("img")
    assert [image["alt"] for image in images] == ['Own "words"', "The cell's words", "Figure: Evenings are slow"]
    assert (images[0]["width"], images[0]["height"]) == ("600", "400")
    assert images[2]["src"].startswith("data:image/svg+xml;base64,")
    check_page(str(page))
    with pytest.raises(WorkbenchError, match="a figure has no alternative text"):
        check_page(str(page_of(cell_with(shown(png)))))


def test_code_is_folded_after_its_output_and_silent_cells_share_a_fold():
    page = page_of(
        new_markdown_cell("# T"),
        new_code_cell("import this"),
        cell_with(new_output("stream", name="stdout", text="a < b\n"), source="print('a < b')"),
    )
    assert page.find("pre", class_="stdout").string == "a < b\n"
    (fold,) = page.find_all("details", class_="code")
    assert not fold.has_attr("open") and fold.summary.string == "Code"
    assert [block.get_text().strip() for block in fold.find_all("pre")] == ["import this", "print('a < b')"]
    assert page.find("pre", class_="stdout").find_next("details") is fold


def test_controls_and_foreign_formats_become_one_line():
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}, "text/plain": "IntSlider(value=0)"}
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
    assert page.find(class_="output") is None and page.find(class_="live-only") is None


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


def bare(body: str = "", head: str = META) -> str:
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body><main>{body}</main></body></html>'


@pytest.mark.parametrize(
    "body",
    [
        '<a href="https://www.w3.org/TR/CSP3/">a citation</a> <a href="#below">below</a>',
        f'<img src="{PIXEL}" alt="Two lines that cross at 1.0 s">',
        '<style>td { background: url(data:image/png;base64,aa) } a { fill: url("#g") } /* //a.b */</style>',
        '<svg role="img" aria-label="A line"><use href="#g"/></svg><svg><title>Named</title></svg>',
        "<p>Warning: these are estimates. &lt;script&gt;alert(1)&lt;/script&gt; https://example.org</p>",
        '<details class="code"><summary>Code</summary><pre>x.py:3: UserWarning: quoted</pre></details>',
        '<script type="application/json" id="a">{"users": 20, "name": "\\u003c/script>"}</script>',
        "<p>Python 3.13.0, numpy 2.4.1; a user_id splits; version 1.2.3.4567 and 999.1.1.1</p>",
    ],
)
def test_a_sound_page_passes(body):
    check_page(bare(body))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<script type=module>alert(1)</script>", "holds a <script> element that is not the package's own"),
        (f"<script type=module src='data:,1'>{OWN}</script>", "holds a <script> element that is not the package's own"),
        (f"<script>{OWN}</script>", "holds a <script> element that is not the package's own"),
        ("<p>x</p><script>alert(1)", "holds a <script> element that is not the package's own"),
        ('<script type="application/json" id="a">{"n": "<b>"}</script>', "holds a '<' that is not escaped"),
        ('<script type="application/json" id="a">x = 1</script>', "a widget's data is not JSON"),
        ('<script type="application/json" id="a">{"rows": [{"user_id": 7}]}</script>', "identifies somebody: user_id"),
        ("<table><tr><th>session_id</th></tr></table>", "table identifies somebody: the column session_id"),
        ("<table><tr><th>viewed_at</th></tr></table>", "shows when single views were: the column viewed_at"),
        ("<p>seen from 2001:db8::42:7.</p>", "an IPv6 address is in the text"),
        ("<p>ann@example.org asked</p>", "a mail address is in the text: 'ann@example.org'"),
        ("<p>seen from 10.1.22.3.</p>", r"an IP address is in the text: '10\.1\.22\.3'"),
        ("<svg aria-label='x'><script>1</script></svg>", "holds a <script> element"),
        ('<img src="https://a.b/c.png" src="data:," alt="x">', "<img> loads 'https://a.b/c.png' from outside"),
        ('<iframe srcdoc="x"></iframe>', "holds a <iframe> element"),
        ('<base href="#">', "holds a <base> element"),
        ("<form></form>", "holds a <form> element"),
        ('<meta http-equiv="refresh" content="0;url=https://a.b">', "holds a <meta http-equiv='refresh'>"),
        ('<p onclick="alert(1)">x</p>', "<p> has an inline handler, onclick"),
        (f'<img src="{PIXEL}" srcset="//a.b/c.png 2x" alt="x">', "<img> loads '//a.b/c.png 2x' from outside"),
        ('<link rel="stylesheet" href="https://a.b/c.css">', "<link> loads 'https://a.b/c.css' from outside"),
        ('<svg aria-label="x"><image xlink:href="http://a.b/c.png"/></svg>', "<image> loads 'http://a.b/c.png'"),
        ('<style>@import "https://a.b/c.css";</style>', "a style refers outside: '@import'"),
        (r"<style>p { background: u\72l(https://a.b/c.png) }</style>", "a style refers outside: 'https://a.b/"),
        ('<style>p { background: image-set("//a.b/c.png" 1x) }</style>', "a style refers outside: '//a.b/c"),
        ('<p style="background: url(c.png)">x</p>', "the style of a <p> refers outside: 'c.png'"),
        ('<a href="javascript:alert(1)">x</a>', "a link leads to 'javascript:alert"),
        ('<a href="java&#10;script:alert(1)">x</a>', "a link leads to 'java script:alert"),
        ('<a href="02_prefetch.ipynb">x</a>', "a link leads to '02_prefetch.ipynb'"),
        (f'<img src="{PIXEL}">', "a figure has no alternative text"),
        (f'<img src="{PIXEL}" alt=" ">', "a figure has no alternative text"),
        (f'<img src="{PIXEL}" alt="No description has been provided for this image">', "no alternative text"),
        ("<svg><path d='M0 0'/></svg>", r"a drawing \(svg\) has no title"),
        ('<pre class="output stderr">low memory</pre>', "wrote to standard error: 'low memory'"),
        ("<pre>/a/b.py:12: FutureWarning: old\n</pre>", r"Python warning .* '\.py:12: FutureWarning: old'"),
        ("<pre>Traceback (most recent call last)</pre>", "traceback is in the text"),
        ("<p>" + "x" * 5_000_001 + "</p>", r"it is 5\.0 MB, over 5 MB"),
    ],
)  # fmt: skip
def test_each_defect_is_refused(body, message):
    with pytest.raises(WorkbenchError, match=message):
        check_page(bare(body))


@pytest.mark.parametrize(
    "html",
    [
        bare(head=""),
        bare(head="<title>x</title>" + META),  # too late: what stands before it is not covered
        bare(head=META.replace("default-src 'none'", "default-src *")),
        bare(head=META.replace("Content-Security-Policy", "Content-Type")),
        f"<html><p>x</p><head>{META}</head></html>",
        bare(f'<script type="module">{OWN}</script>'),
        bare(head=OWN_NAMED),
    ],
    ids=["none", "late", "lax", "other", "in the body", "script not named", "no such script"],
)
def test_a_page_needs_the_policy_of_its_own_scripts_in_front(html):
    with pytest.raises(WorkbenchError, match="Content-Security-Policy is missing"):
        check_page(html)
    check_page(bare(f'<script type="module">{OWN}</script>', OWN_NAMED))


def test_all_defects_are_listed_in_one_message():
    with pytest.raises(WorkbenchError) as caught:
        check_page(bare("<script></script>" + '<p onclick="x">' * 7))
    assert "<script>" in str(caught.value) and "onclick" in str(caught.value)
    assert "and 2 more" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["/download/1.2.3.4/setup", "see /v/10.0.19.2.", "/v1.2.3.4", "a/9.0.0.1"])
def test_a_version_in_a_path_is_no_address(path):
    check_page(bare(f"<p>{path}</p>"))


@pytest.mark.parametrize("text", ["http://10.0.0.1/x", "/of/81.2.69.142/x", "user 1.2.3.4", "//1.2.3.4"])
def test_an_address_in_a_path_is_one(text):
    with pytest.raises(WorkbenchError, match="an IP address is in the text"):
        check_page(bare(f"<p>{text}</p>"))


def test_numbers_of_two_cells_are_no_address():
    cells = "".join(f"<td>{number}</td>" for number in ("40.12", "0.0", "1.2", "7"))
    check_page(bare(f"<table><tr>{cells}</tr></table>"))
    with pytest.raises(WorkbenchError, match="an IP address is in the text"):
        check_page(bare("<p>from <b>40</b>.12.0.7</p>"))
