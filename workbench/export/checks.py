"""What a finished page must not hold: a foreign script, anything from outside, identities, undescribed figures.

The page's Content-Security-Policy makes the browser enforce most of this as well; the check is there so that
no such page is written in the first place.
"""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser

from workbench.errors import WorkbenchError
from workbench.export.offline_widgets import known_hashes, policy_of, script_hash

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
