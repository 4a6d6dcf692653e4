"""From an executed notebook to the text of one HTML page, by the project's own nbconvert template."""

import re
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from workbench.export.offline_widgets import (
    LIVE_ONLY,
    VIEW,
    content_security_policy,
    place_widgets,
    widget_blocks,
)

TEMPLATES = Path(__file__).parent / "templates"
IMAGES = ("image/svg+xml", "image/png", "image/jpeg")
FEWEST_IN_CONTENTS = 3
SHOWN = ("text/html", "text/markdown", *IMAGES, "text/plain")
# What `wb.plotting` returns, shown by Jupyter as text beside the figure itself; and a progress bar.
DRAWING = re.compile(r"<(Axes|Figure|seaborn\.|matplotlib\.)[^\n]*>")
BAR = re.compile(r"[^\n]*\d+(%\||it \[)[^\n]*\]")
HEADING = re.compile("^h[1-6]$")
NUMBER = re.compile(r"[-+\u2212]?\d[\d.,]*(e[-+]?\d+)?(\s?%|\s\S{1,4})?|nan|none|<na>|-|\u2013|\u2014|", re.IGNORECASE)


def notebook_to_html(notebook: NotebookNode, *, name: str, provenance: str) -> str:
    """Return one self-contained page: nothing loaded, code folded, widgets alive by scripts of the package alone.

    Parameters
    ----------
    notebook : NotebookNode
        Executed. It is changed on the way: pass a copy where it is needed afterwards.
    name : str
        The title where the notebook has no first-level heading.
    provenance : str
        Plain text for the line at the foot of the page.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_litter(output)]
    widgets = place_widgets(notebook)
    _mark_live_controls(notebook)
    _describe_figures(notebook)
    exporter = HTMLExporter(
        template_name="proposal", extra_template_basedirs=[str(TEMPLATES)], exclude_anchor_links=True
    )
    resources = {
        "page": {
            "title": page_title(notebook) or name.replace("_", " "),
            "policy": content_security_policy(widgets),
            "provenance": provenance,
            "code_style": HtmlFormatter(style="default").get_style_defs(".highlight"),
        }
    }
    html, _ = exporter.from_notebook_node(notebook, resources=resources)
    page = BeautifulSoup(html, "html.parser")
    _arrange_tables(page)
    _add_contents(page)
    before, end, after = str(page).rpartition("</body>")
    # As text, after all else is done: what is hashed must not be written anew.
    return before + widget_blocks(widgets) + end + after


def page_title(notebook: NotebookNode) -> str:
    """Return the text of the first first-level heading, or an empty string."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return next((text for source in sources for level, text in markdown_headings(source) if level == "h1"), "")


def _mark_live_controls(notebook: NotebookNode) -> None:
    """Replace what only a running notebook can show (scripts, foreign formats) by one line."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    for output in outputs:
        dead = any("javascript" in kind for kind in output.data)
        if dead or not any(kind in output.data for kind in SHOWN):
            output.data = NotebookNode({"text/html": LIVE_ONLY})


def _is_litter(output: NotebookNode) -> bool:
    """What says nothing in a file: ``<Axes: xlabel=...>`` after a plotting call, and tqdm's widgets."""
    data = output.get("data", {})
    text = data.get("text/plain", "").strip()
    if VIEW in data:
        return BAR.fullmatch(text) is not None
    return list(data) == ["text/plain"] and DRAWING.fullmatch(text) is not None


def _describe_figures(notebook: NotebookNode) -> None:
    """Give every figure an alternative text: its own, its cell's, else the heading that it stands under."""
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = next((text for _, text in reversed(markdown_headings(cell.source))), heading)
            continue
        fallback = cell.metadata.get("alt") or (f"Figure: {heading}" if heading else "")
        for output in cell.get("outputs", []):
            for kind in IMAGES:
                if kind in output.get("data", {}):
                    own = output.metadata.setdefault(kind, NotebookNode())
                    own["alt"] = own.get("alt") or output.metadata.get("alt") or fallback


def markdown_headings(markdown: str) -> list[tuple[str, str]]:
    """Level (``h1``) and text of the headings in a markdown cell; a code block in it may hold comments."""
    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    return html_headings(MarkdownWithMath(renderer=renderer).render(markdown))


def html_headings(html: str) -> list[tuple[str, str]]:
    """Level and text of the headings in a piece of HTML."""
    found = BeautifulSoup(html, "html.parser").find_all(HEADING)
    texts = [(heading.name, " ".join(heading.get_text().split())) for heading in found]
    return [(level, text) for level, text in texts if text]


def _add_contents(page: BeautifulSoup) -> None:
    """Name each second-level heading and list them in ``nav``, which the template leaves empty."""
    nav = page.find("nav")
    headings = page.select("main h2")
    if not isinstance(nav, Tag):
        return
    if len(headings) < FEWEST_IN_CONTENTS:
        nav.decompose()
        return
    entries = page.new_tag("ol")
    for number, heading in enumerate(headings, start=1):
        heading["id"] = heading.get("id") or f"part-{number}"
        link = page.new_tag("a", href=f"#{heading['id']}")
        link.string = heading.get_text(" ", strip=True)
        entry = page.new_tag("li")
        entry.append(link)
        entries.append(entry)
    (nav.details or nav).append(entries)


def _arrange_tables(page: BeautifulSoup) -> None:
    """Let each table scroll in a box of its own, and align the columns of pandas' tables."""
    for style in page.select("style[scoped]"):
        style.decompose()  # pandas repeats it in front of every table; browsers apply it to the whole page
    for table in page.find_all("table"):
        del table["border"]
        if "dataframe" in table.get_attribute_list("class"):
            _align_columns(table)
        if table.find_parent("table") is None:
            heading = table.caption or table.find_previous(HEADING)
            label = f"Table: {heading.get_text(' ', strip=True)}" if heading else "Table"
            # Focusable, so that it can be scrolled from the keyboard.
            box = {"class": "scroll", "tabindex": "0", "role": "group", "aria-label": label}
            table.wrap(page.new_tag("div", attrs=box))


def _align_columns(table: Tag) -> None:
    """Mark the columns of words: numbers stay on the right, words and the index go to the left."""
    rows = [row.find_all("td") for row in table.find_all("tr")]
    rows = [row for row in rows if row]
    width = max((len(row) for row in rows), default=0)
    heads = [row.find_all("th") for row in table.select("thead tr")]
    heads = [head for head in heads if len(head) >= width]
    words = [cell for head in heads for cell in head[: len(head) - width]]
    for column in range(width):
        cells = [row[column] for row in rows if len(row) == width]
        if not all(NUMBER.fullmatch(cell.get_text(strip=True)) for cell in cells):
            words += [*cells, *(head[column - width] for head in heads)]
    for cell in words:
        cell["class"] = " ".join([*filter(None, cell.get_attribute_list("class")), "words"])
