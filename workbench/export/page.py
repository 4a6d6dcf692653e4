"""From an executed notebook to the text of one HTML page, by the project's own nbconvert template."""

import re
from html.parser import HTMLParser
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
    _drop_litter(notebook)
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
    before, end, after = _arrange(html).rpartition("</body>")
    # As text, after all else is done: what is hashed must not be written anew.
    return before + widget_blocks(widgets) + end + after


def page_title(notebook: NotebookNode) -> str:
    """Return the text of the first first-level heading, or an empty string."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for level, text in _headings(cell.source):
                if level == "h1":
                    return text
    return ""


def _mark_live_controls(notebook: NotebookNode) -> None:
    """Replace what only a running notebook can show (scripts, foreign formats) by one line."""
    for output in _outputs(notebook):
        dead = any("javascript" in kind for kind in output.data)
        if dead or not any(kind in output.data for kind in SHOWN):
            output.data = NotebookNode({"text/html": LIVE_ONLY})


def _drop_litter(notebook: NotebookNode) -> None:
    """Drop what says nothing in a file: ``<Axes: xlabel=...>`` after a plotting call, and tqdm's widgets."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_litter(output)]


def _is_litter(output: NotebookNode) -> bool:
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
            heading = next((text for _, text in reversed(_headings(cell.source))), heading)
            continue
        fallback = cell.metadata.get("alt") or (f"Figure: {heading}" if heading else "")
        for output in cell.get("outputs", []):
            for kind in IMAGES:
                if kind in output.get("data", {}):
                    own = output.metadata.setdefault(kind, NotebookNode())
                    own["alt"] = own.get("alt") or output.metadata.get("alt") or fallback


def _outputs(notebook: NotebookNode) -> list[NotebookNode]:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [output for cell in cells for output in cell.outputs if "data" in output]


class _HeadingReader(HTMLParser):
    """Collects (tag, text) of the headings in a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if re.fullmatch("h[1-6]", tag):
            self.found.append((tag, ""))
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        if re.fullmatch("h[1-6]", tag):
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            tag, text = self.found[-1]
            self.found[-1] = (tag, text + data)


def _headings(markdown: str) -> list[tuple[str, str]]:
    # Read from the HTML, not by "#": a code block in the cell may hold comments.
    reader = _HeadingReader()
    reader.feed(MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render(markdown))
    return [(tag, " ".join(text.split())) for tag, text in reader.found if text.strip()]


def _arrange(html: str) -> str:
    """Arrange the tables, and list the headings at the side."""
    page = BeautifulSoup(html, "html.parser")
    _arrange_tables(page)
    _add_contents(page)
    return str(page)


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
            heading = table.caption or table.find_previous(re.compile("^h[1-6]$"))
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
