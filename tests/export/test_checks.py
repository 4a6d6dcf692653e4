import pytest

from workbench.errors import WorkbenchError
from workbench.export.offline_widgets import page_script, policy_of, script_hash
from workbench.export.page import check_page

META = f'<meta http-equiv="Content-Security-Policy" content="{policy_of([])}">'
OWN = page_script("explorer")
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def page(body: str = "", head: str = META) -> str:
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
    check_page(page(body))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<script>alert(1)</script>", "holds a <script> element"),
        ("<script type=module>alert(1)</script>", "holds a <script> element that is not the package's own"),
        (f"<script type=module src='data:,1'>{OWN}</script>", "holds a <script> element that is not the package's own"),
        (f"<script>{OWN}</script>", "holds a <script> element that is not the package's own"),
        ("<p>x</p><script>alert(1)", "holds a <script> element that is not the package's own"),
        ('<script type="application/json" id="a">{"n": "<b>"}</script>', "holds a '<' that is not escaped"),
        ('<script type="application/json" id="a">x = 1</script>', "a widget's data is not JSON"),
        (
            '<script type="application/json" id="a">{"rows": [{"user_id": 7}]}</script>',
            "data identifies somebody: user_id",
        ),
        ("<table><tr><th>session_id</th></tr></table>", "table identifies somebody: the column session_id"),
        ("<p>seen from 10.1.22.3.</p>", r"an IP address is in the text: '10\.1\.22\.3'"),
        ("<SCRIPT src='data:,x'></SCRIPT>", "holds a <script> element"),
        ("<svg aria-label='x'><script>1</script></svg>", "holds a <script> element"),
        ('<iframe srcdoc="x"></iframe>', "holds a <iframe> element"),
        ('<base href="#">', "holds a <base> element"),
        ("<form></form>", "holds a <form> element"),
        ('<meta http-equiv="refresh" content="0;url=https://a.b">', "holds a <meta http-equiv='refresh'>"),
        ('<p onclick="alert(1)">x</p>', "<p> has an inline handler, onclick"),
        (f'<img src="{PIXEL}" alt="x" OnLoad="alert(1)">', "inline handler, onload"),
        ('<img src="https://a.b/c.png" alt="x">', "<img> loads 'https://a.b/c.png' from outside"),
        ('<img src="figures/c.png" alt="x">', "<img> loads 'figures/c.png' from outside"),
        (f'<img src="{PIXEL}" srcset="//a.b/c.png 2x" alt="x">', "<img> loads '//a.b/c.png 2x' from outside"),
        ('<link rel="stylesheet" href="https://a.b/c.css">', "<link> loads 'https://a.b/c.css' from outside"),
        ('<link rel="preconnect" href="//a.b">', "<link> loads '//a.b' from outside"),
        ('<svg aria-label="x"><image xlink:href="http://a.b/c.png"/></svg>', "<image> loads 'http://a.b/c.png'"),
        ('<style>@import "https://a.b/c.css";</style>', "a style refers outside: '@import'"),
        ("<style>p { background: url( 'https://a.b/c' ) }</style>", "a style refers outside: 'https://a.b/"),
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
        check_page(page(body))


@pytest.mark.parametrize(
    "head",
    [
        "",
        "<title>x</title>" + META,  # too late: what stands before it is not covered
        META.replace("default-src 'none'", "default-src *"),
        META.replace("Content-Security-Policy", "Content-Type"),
    ],
)
def test_a_page_without_its_policy_in_front_is_refused(head):
    with pytest.raises(WorkbenchError, match="Content-Security-Policy is missing"):
        check_page(page(head=head))


def test_a_policy_after_the_body_began_is_refused():
    with pytest.raises(WorkbenchError, match="Content-Security-Policy is missing"):
        check_page(f"<html><p>x</p><head>{META}</head></html>")


def test_all_defects_are_listed_in_one_message():
    with pytest.raises(WorkbenchError) as caught:
        check_page(page('<script></script><p onclick="x">'))
    assert "<script>" in str(caught.value)
    assert "onclick" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_policy_names_the_scripts_that_stand_there_and_no_more():
    script = f'<script type="module">{OWN}</script>'
    named = META.replace(policy_of([]), policy_of([script_hash(OWN)]))
    check_page(page(script, named))
    for head, body in ((META, script), (named, "")):
        with pytest.raises(WorkbenchError, match="Content-Security-Policy is missing"):
            check_page(page(body, head))


def test_numbers_of_two_cells_are_no_address():
    cells = "".join(f"<td>{number}</td>" for number in ("40.12", "0.0", "1.2", "7"))
    check_page(page(f"<table><tr>{cells}</tr></table>"))
    with pytest.raises(WorkbenchError, match="an IP address is in the text"):
        check_page(page("<p>from <b>40</b>.12.0.7</p>"))
