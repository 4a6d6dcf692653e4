"""From an executed notebook to the text of one HTML page, by the project's own nbconvert template."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from workbench.errors import WorkbenchError
from workbench.export.offline_widgets import (
    LIVE_ONLY,
    VIEW,
    content_security_policy,
    known_hashes,
    place_widgets,
    policy_of,
    script_hash,
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


MAX_MB = 5

_Attributes = dict[str, str]
_FORBIDDEN = ("iframe", "frame", "frameset", "object", "embed", "applet", "base", "form", "portal")
_VOID = ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
_APART = ("td", "th", "tr", "li", "p", "div", "pre", "h1", "h2", "h3")
_LOADS = ("src", "srcset", "href", "xlink:href", "poster", "background", "data", "ping", "imagesrcset")
_METAS = ("content-security-policy", "content-type")
_STYLES = ("style", "fill", "stroke", "filter", "mask", "clip-path", "cursor")
_LINKS = ("https://", "http://", "mailto:", "#")
_NO_ALT = "No description has been provided for this image"  # what nbconvert writes where there is none
# Columns that identify somebody, however they came into a table or into a widget's data.
_PRIVATE = frozenset({"user_id", "session_id", "ip", "ip_address", "client_ip", "remote_addr"})
_ADDRESS = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.]*\w)")
_CSS_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})\s?")
_CSS_URL = re.compile(r"url\(\s*(\"[^\"]*\"|'[^']*'|[^)]*)\s*\)?", re.IGNORECASE)
_WARNING = re.compile(r"\.py:\d+: \w*Warning: .*|Traceback \(most recent call last\).*")


def check_page(html: str) -> None:
    """Refuse a page that should not be passed on.

    Parameters
    ----------
    html : str
        The finished file.

    Raises
    ------
    WorkbenchError
        If the page holds a script other than the package's own or an inline handler, refers to anything outside
        itself (ordinary links to web pages are fine), names a user, a session or an IP address, has a figure without
        alternative text, holds standard error or a Python warning, lacks the Content-Security-Policy that allows its
        scripts and no others, or is larger than 5 MB. The message lists what was found.
    """
    reader = _PageReader()
    reader.feed(html)
    reader.close()
    problems = [*reader.first_problems(), *reader.problems]
    megabytes = len(html.encode()) / 1e6
    if megabytes > MAX_MB:
        problems.append(f"it is {megabytes:.1f} MB, over {MAX_MB} MB: fewer figures, or fewer dots per inch")
    if problems:
        more = f"; and {len(problems) - 6} more" if len(problems) > 6 else ""
        raise WorkbenchError(f"Export checks failed: {'; '.join(problems[:6])}{more}.")


class _PageReader(HTMLParser):
    """Walks through the page once and notes each problem as a phrase."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self._first: list[tuple[str, _Attributes]] = []
        self._open: list[tuple[str, str]] = []  # (tag, class) of the elements around the current place
        self._prose: list[str] = []
        self._stderr: list[str] = []
        self._script: tuple[_Attributes, list[str]] | None = None
        self._hashes: list[str] = []
        self._unnamed_svg: list[bool] = []

    def first_problems(self) -> list[str]:
        """Return the problems that only the whole page shows."""
        problems = []
        policy = {"http-equiv": "Content-Security-Policy", "content": policy_of(self._hashes)}
        # Right after <head>: the browser does not apply it to what stands before it.
        if [tag for tag, _ in self._first] != ["html", "head", "meta"] or self._first[2][1] != policy:
            problems.append("the Content-Security-Policy is missing from the start of its head")
        address = _ADDRESS.search("".join(self._prose))
        if address:
            problems.append(f"an IP address is in the text: {_quote(address[0])}")
        if self._stderr:
            problems.append(f"a cell wrote to standard error: {_quote(' '.join(self._stderr))}")
        warning = _WARNING.search("".join(self._prose))
        if warning:
            problems.append(f"a Python warning or traceback is in the text: {_quote(warning[0])}")
        return problems

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if len(self._first) < 3:
            self._first.append((tag, attributes))
        if tag not in _VOID:
            self._open.append((tag, attributes.get("class", "")))
        self.problems += _element_problems(tag, attributes)
        if tag == "script":
            self._script = (attributes, [])
        if tag == "svg":
            named = attributes.get("aria-label") or attributes.get("aria-labelledby")
            self._unnamed_svg.append(not named and attributes.get("aria-hidden") != "true")
        elif tag == "title" and self._unnamed_svg:
            self._unnamed_svg[-1] = False

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._script is not None:
            self._end_script(self._script[0], "".join(self._script[1]))
            self._script = None
        if tag == "svg" and self._unnamed_svg and self._unnamed_svg.pop():
            self.problems.append("a drawing (svg) has no title or aria-label")
        if tag in _APART:
            self._prose.append(" ")  # numbers of two cells are not one address
        if any(tag == open_tag for open_tag, _ in self._open):
            while self._open.pop()[0] != tag:
                pass

    def _end_script(self, attributes: _Attributes, text: str) -> None:
        if attributes == {"type": "module"} and script_hash(text) in known_hashes():
            self._hashes.append(script_hash(text))
        elif attributes.keys() == {"type", "id"} and attributes["type"] == "application/json":
            self.problems += _data_problems(text)
        else:
            self.problems.append("it holds a <script> element that is not the package's own")

    def close(self) -> None:
        super().close()
        if self._script is not None:  # never closed, so its text is all that follows
            self._end_script(self._script[0], "".join(self._script[1]) + "?")

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self._script[1].append(data)
        elif self._open and self._open[-1][0] == "style":
            self.problems += [f"a style refers outside: {_quote(url)}" for url in _outside_in_css(data)]
        elif any("stderr" in css_class.split() for _, css_class in self._open):
            self._stderr += data.split()
        elif ("details", "code") not in self._open:
            self._prose.append(data)
            if data.strip() in _PRIVATE and self._open and self._open[-1][0] == "th":
                self.problems.append(f"a table identifies somebody: the column {data.strip()}")


def _data_problems(text: str) -> list[str]:
    """A widget's state: JSON that cannot end its element, without a name of a person or of a visit."""
    try:
        state = json.loads(text)
    except ValueError:
        return ["a widget's data is not JSON"]
    if "<" in text:
        return ["a widget's data holds a '<' that is not escaped"]
    return [f"a widget's data identifies somebody: {name}" for name in sorted(_PRIVATE & set(_names_in(state)))]


def _names_in(value: object) -> Iterator[str]:
    inner = value if isinstance(value, list) else []
    if isinstance(value, dict):
        yield from value
        inner = list(value.values())
    for each in inner:
        yield from _names_in(each)


def _element_problems(tag: str, attributes: _Attributes) -> list[str]:
    problems = []
    if tag in _FORBIDDEN:
        problems.append(f"it holds a <{tag}> element")
    if tag == "meta" and attributes.get("http-equiv", "content-type").lower() not in _METAS:
        problems.append(f"it holds a <meta http-equiv={_quote(attributes['http-equiv'])}>")
    if tag == "img" and attributes.get("alt", "").strip() in ("", _NO_ALT):
        problems.append(
            'a figure has no alternative text: put {"alt": ...} in its output metadata, or a heading above it'
        )
    for name, value in attributes.items():
        problems += _attribute_problems(tag, name, value.strip())
    return problems


def _attribute_problems(tag: str, name: str, value: str) -> list[str]:
    if name.startswith("on"):
        return [f"<{tag}> has an inline handler, {name}"]
    if name in _STYLES:
        return [f"the {name} of a <{tag}> refers outside: {_quote(url)}" for url in _outside_in_css(value)]
    if name not in _LOADS:
        return []
    is_link = tag in ("a", "area") and name in ("href", "xlink:href")
    if value.lower().startswith(_LINKS if is_link else ("data:", "#")):
        return []
    if is_link:
        return [f"a link leads to {_quote(value)}: only web addresses and places in the page work in one file"]
    return [f"<{tag}> loads {_quote(value)} from outside the file"]


def _outside_in_css(css: str) -> list[str]:
    """Return what a style sheet or a style attribute would load: imports, and addresses that are not data."""
    css = _CSS_ESCAPE.sub(lambda escape: chr(min(int(escape[1], 16), 0x10FFFF)), css)
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    urls = [url.strip("\"' ") for url in _CSS_URL.findall(css)]
    outside = [url for url in urls if not url.lower().startswith(("data:", "#"))]
    rest = _CSS_URL.sub("", css)
    if "@import" in rest.lower():
        outside.append("@import")
    return outside + re.findall(r"(?:https?:)?//[^\s\"')]+", rest)


def _quote(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 120 else text[:120] + "...")
