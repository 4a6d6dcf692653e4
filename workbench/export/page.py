"""From an executed notebook to one HTML page, by the project's own nbconvert template; what a page must not hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Set
from html import escape
from ipaddress import IPv6Address
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from workbench.errors import WorkbenchError
from workbench.export.offline_widgets import LIVE_ONLY, VIEW, place_widgets, policy_of, scripts_of, widget_blocks
from workbench.widgets.explorer import MODULES

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
    """One self-contained page of an executed notebook, which is changed: nothing loaded, code folded, widgets alive.

    ``name`` is the title if the notebook has no first-level heading; ``provenance`` is the line at the foot.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_litter(output)]
    widgets = place_widgets(notebook)
    _mark_live_controls(notebook)
    _describe_figures(notebook)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    titles = [text for source in sources for level, text in markdown_headings(source) if level == "h1"]
    exporter = HTMLExporter(
        template_name="proposal", extra_template_basedirs=[str(TEMPLATES)], exclude_anchor_links=True
    )
    resources = {
        "page": {
            "title": titles[0] if titles else name.replace("_", " "),
            "policy": policy_of(scripts_of(widget.module for widget in widgets)),
            "provenance": provenance,
            "code_style": f"{_code_style('xcode')} @media screen and (prefers-color-scheme: dark) "
            f"{{ {_code_style('github-dark')} }}",
        }
    }
    html, _ = exporter.from_notebook_node(notebook, resources=resources)
    page = BeautifulSoup(html, "html.parser")
    _arrange_tables(page)
    _add_contents(page)
    before, end, after = str(page).rpartition("</body>")
    # As text, after all else is done: what is hashed must not be written anew.
    return before + widget_blocks(widgets) + end + after


def _code_style(name: str) -> str:
    return HtmlFormatter(style=name, nobackground=True).get_style_defs(".highlight")


def _mark_live_controls(notebook: NotebookNode) -> None:
    """Replace what only a live notebook can show (scripts, foreign formats) by one line."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    for output in outputs:
        dead = any("javascript" in kind for kind in output.data)
        if dead or not any(kind in output.data for kind in SHOWN):
            output.data = NotebookNode({"text/html": LIVE_ONLY})


def _is_litter(output: NotebookNode) -> bool:
    """Whether an output is of no use in a page: ``<Axes: xlabel=...>`` after a plotting call, or tqdm's widgets."""
    data = output.get("data", {})
    text = data.get("text/plain", "").strip()
    if VIEW in data:
        return BAR.fullmatch(text) is not None
    return list(data) == ["text/plain"] and DRAWING.fullmatch(text) is not None


def _describe_figures(notebook: NotebookNode) -> None:
    """Give every figure an alternative text: its own, its cell's, else the heading above it."""
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
    """Level (``h1``) and text of the headings in a markdown cell, without comments in its code blocks."""
    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    return html_headings(MarkdownWithMath(renderer=renderer).render(markdown))


def html_headings(html: str) -> list[tuple[str, str]]:
    """Level and text of the headings in a piece of HTML."""
    found = BeautifulSoup(html, "html.parser").find_all(HEADING)
    texts = [(heading.name, " ".join(heading.get_text().split())) for heading in found]
    return [(level, text) for level, text in texts if text]


def _add_contents(page: BeautifulSoup) -> None:
    """Give each second-level heading an id and list them in ``nav``, which the template leaves empty."""
    nav = page.find("nav")
    headings = page.select("main h2")
    if not isinstance(nav, Tag):
        return
    if len(headings) < FEWEST_IN_CONTENTS:
        nav.decompose()
        return
    entries = []
    for number, heading in enumerate(headings, start=1):
        heading["id"] = heading.get("id") or f"part-{number}"
        text = escape(heading.get_text(" ", strip=True))
        entries.append(f'<li><a href="#{escape(str(heading["id"]))}">{text}</a></li>')
    (nav.details or nav).append(BeautifulSoup(f"<ol>{''.join(entries)}</ol>", "html.parser"))


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
MOST_LISTED = 6  # problems in one message

_FORBIDDEN = ("iframe", "frame", "frameset", "object", "embed", "applet", "base", "form", "portal")
_APART = ("td", "th", "tr", "li", "p", "div", "pre", "h1", "h2", "h3")
_LOADS = ("src", "srcset", "href", "xlink:href", "poster", "background", "data", "ping", "imagesrcset")
_METAS = ("content-security-policy", "content-type")
_STYLES = ("style", "fill", "stroke", "filter", "mask", "clip-path", "cursor")
_LINKS = ("https://", "http://", "mailto:", "#")
_NO_ALT = "No description has been provided for this image"  # what nbconvert writes if there is none
# Columns that identify somebody, in a table or in a widget's data.
_EXACT = frozenset({"measured_at", "viewed_at"})  # times of single views
_PRIVATE = frozenset({"user_id", "session_id", "ip", "ip_address", "client_ip", "remote_addr"})
# Within a path, four numbers below 100 are a version: /download/1.2.3.4/setup.
_VERSION = r"(?!(?<=[^/]/)(?:\d?\d\.){3}\d?\d(?!\d))"
_ADDRESS = re.compile(
    rf"(?<![\w.]){_VERSION}(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){{3}}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.]*\w)"
)
_IPV6 = re.compile(r"(?<![\w:.])[0-9a-fA-F]{1,4}(?:::?[0-9a-fA-F]{1,4}){2,7}(?![\w:])")
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")  # linear also on one long run of letters
_CSS_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})\s?")
_CSS_URL = re.compile(r"url\(\s*(\"[^\"]*\"|'[^']*'|[^)]*)\s*\)?", re.IGNORECASE)
_WARNING = re.compile(r"\.py:\d+: \w*Warning: .*|Traceback \(most recent call last\).*")


def check_page(html: str, private: Iterable[str] = ()) -> None:
    """Refuse a page that should not be passed on; the error lists what was found.

    ``private`` names columns that identify somebody, beyond those of canonical tables.

    It must hold no scripts but the package's own, with the Content-Security-Policy that allows these and no others; no
    inline handlers; no reference outside the page but links; no user, session or IP address; no figure without
    alternative text; no standard error or Python warning; and at most 5 MB.
    """
    # Of an attribute that comes twice, browsers take the first.
    page = BeautifulSoup(html, "html.parser", on_duplicate_attribute="ignore", multi_valued_attributes=None)
    problems = _policy_problems(page)
    for element in page.find_all(True):
        problems += _element_problems(element)
    problems += _text_problems(page, _PRIVATE | set(private))
    megabytes = len(html.encode()) / 1e6
    if megabytes > MAX_MB:
        problems.append(f"it is {megabytes:.1f} MB, over {MAX_MB} MB: fewer figures, or fewer dots per inch")
    if problems:
        more = f"; and {len(problems) - MOST_LISTED} more" if len(problems) > MOST_LISTED else ""
        raise WorkbenchError(f"Export checks failed: {'; '.join(problems[:MOST_LISTED])}{more}.")


def _is_own(script: Tag) -> bool:
    return script.attrs == {"type": "module"} and script.get_text() in scripts_of(MODULES)


def _policy_problems(page: BeautifulSoup) -> list[str]:
    """The policy must allow the page's own scripts and come first: it does not apply to what precedes it."""
    own = [script.get_text() for script in page.find_all("script") if _is_own(script)]
    policy = {"http-equiv": "Content-Security-Policy", "content": policy_of(own)}
    first = page.find_all(True, limit=3)
    if [element.name for element in first] == ["html", "head", "meta"] and first[-1].attrs == policy:
        return []
    return ["the Content-Security-Policy is missing from the start of its head"]


def _text_problems(page: BeautifulSoup, private: Set[str]) -> list[str]:
    """What the visible text must not say; elements are taken out of the page on the way."""
    problems = []
    stderr = " ".join(element.extract().get_text() for element in page.select(".stderr"))
    if stderr.strip():
        problems.append(f"a cell wrote to standard error: {_quote(stderr)}")
    for code in page.select('details[class="code"]'):
        code.extract()
    named = {text.strip() for head in page.find_all("th") for text in head.strings}
    problems += [f"a table identifies somebody: the column {name}" for name in sorted(named & private)]
    problems += [f"a table shows when single views were: the column {name}" for name in sorted(named & _EXACT)]
    for element in page.find_all(_APART):
        element.append(" ")  # numbers of two cells are not one address
    text = page.get_text()
    if address := _ADDRESS.search(text):
        problems.append(f"an IP address is in the text: {_quote(address[0])}")
    if any(map(_is_ipv6, _IPV6.findall(text))):
        problems.append("an IPv6 address is in the text")
    if mail := _MAIL.search(text):
        problems.append(f"a mail address is in the text: {_quote(mail[0])}")
    if warning := _WARNING.search(text):
        problems.append(f"a Python warning or traceback is in the text: {_quote(warning[0])}")
    return problems


def _is_ipv6(text: str) -> bool:
    try:
        return IPv6Address(text).version > 0
    except ValueError:
        return False


def _data_problems(text: str) -> list[str]:
    """A widget's state must be JSON that cannot end its element, and identify neither a person nor a visit."""
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


def _element_problems(element: Tag) -> list[str]:
    tag, attributes = element.name, {name: str(value) for name, value in element.attrs.items()}
    problems = []
    if tag in _FORBIDDEN:
        problems.append(f"it holds a <{tag}> element")
    if tag == "script" and attributes.keys() == {"type", "id"} and attributes["type"] == "application/json":
        problems += _data_problems(element.get_text())
    elif tag == "script" and not _is_own(element):
        problems.append("it holds a <script> element that is not the package's own")
    if tag == "style":
        problems += [f"a style refers outside: {_quote(url)}" for url in _outside_in_css(element.get_text())]
    if tag == "meta" and attributes.get("http-equiv", "content-type").lower() not in _METAS:
        problems.append(f"it holds a <meta http-equiv={_quote(attributes['http-equiv'])}>")
    if tag == "img" and attributes.get("alt", "").strip() in ("", _NO_ALT):
        problems.append(
            'a figure has no alternative text: put {"alt": ...} in its output metadata, or a heading above it'
        )
    if tag == "svg" and not _is_named(element):
        problems.append("a drawing (svg) has no title or aria-label")
    for name, value in attributes.items():
        problems += _attribute_problems(tag, name, value.strip())
    return problems


def _is_named(svg: Tag) -> bool:
    """Whether a drawing has a name of its own, or is hidden from those who cannot see it."""
    if svg.get("aria-label") or svg.get("aria-labelledby") or svg.get("aria-hidden") == "true":
        return True
    return any(title.find_parent("svg") is svg for title in svg.find_all("title"))


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
    """What a style sheet or style attribute would load: imports, and addresses that are not data."""
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
