"""The shipped notebooks: their form, and their pages, each rendered once for all checks."""

import ast
import json
import re
from pathlib import Path

import pytest

from workbench.export.notebooks import declared_parameters, render_notebook

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_CODE_CELLS, MOST_LINES, MOST_FIGURES, NARROW_PX = 25, 8, 8, 390
NO_PROPOSAL = ("00", "04")  # an exploration, and a look at all sets
EXPLORERS = {"00": 2, "01": 1, "02": 1, "03": 1}
NUMBERS = ".wb-tiles, .wb-finding, .wb-policies, .wb-context"
PICTURES = ".wb-frontier, .wb-money, .wb-chances, .wb-waterfall"


def code_cells(path):
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


def test_notebooks_have_no_outputs_and_few_short_cells(notebook):
    cells = code_cells(notebook)
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
    assert len(cells) <= MOST_CODE_CELLS and max(len(source(cell).splitlines()) for cell in cells) <= MOST_LINES


def test_a_proposal_defines_nothing_but_its_parameters(notebook):
    if notebook.stem.startswith("00"):
        pytest.skip("a person's own notebook may define a rule")
    for cell in code_cells(notebook):
        if "parameters" not in cell["metadata"].get("tags", []):
            nodes = ast.walk(ast.parse(source(cell)))
            assert not [n for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef, ast.Lambda))]


def few_rows(path):
    return {"rows": 6000} if "rows" in declared_parameters(path) else {}


@pytest.fixture(scope="module", params=[path.stem for path in NOTEBOOKS] + ["01_image_delivery on real data"])
def page(request, tmp_path_factory, mirror, kernels_share_studies):
    folder = tmp_path_factory.mktemp("rendered")
    stem, _, on_real_data = request.param.partition(" ")
    path = ROOT / "notebooks" / f"{stem}.ipynb"
    given = {"dataset": "mobile_bandwidth"} if on_real_data else few_rows(path)
    return render_notebook(path, given, folder=path.parent, output=folder)


def test_a_page_has_few_figures_and_says_what_they_show(page):
    alts = re.findall(r'<img[^>]*\balt="([^"]*)"', page.read_text("utf-8"))
    assert 1 <= len(alts) <= MOST_FIGURES
    assert all(len(alt) > 20 for alt in alts), alts
    assert len(set(alts)) == len(alts)


def shown(page) -> str:
    """A page without its scripts and its list of contents."""
    return re.sub(r"<(script|nav)\b.*?</\1>", "", page.read_text("utf-8"), flags=re.DOTALL)


def test_what_is_simulated_says_so(page):
    said = shown(page)
    assert ("SIMULATED" in said) == ("mobile_bandwidth" not in page.stem)


def test_a_proposal_begins_with_the_recommendation(page):
    if page.stem.startswith(NO_PROPOSAL):
        pytest.skip("it proposes nothing")
    said = shown(page)
    assert 0 < said.index('<section class="verdict') < said.index("The question")
    assert "estimate until an A/B test confirms it" in said


def shown_by(explorer):
    pictures = explorer.locator(PICTURES).evaluate_all("all => all.map(each => each.innerHTML)")
    return explorer.locator(NUMBERS).all_inner_texts(), pictures


def test_a_page_fits_a_phone_without_a_network_and_its_widgets_move(page, browser):
    context = browser.new_context(offline=True, viewport={"width": NARROW_PX, "height": 800})
    opened = context.new_page()
    trouble, asked = [], []
    opened.on("console", lambda message: trouble.append(message.text))
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(page.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") <= NARROW_PX
    assert opened.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    explorers = opened.locator("[data-widget]")
    assert explorers.count() == EXPLORERS.get(page.stem[:2], 0)
    names = opened.locator("[id]").evaluate_all("all => all.map(each => each.id)")
    assert len(set(names)) == len(names)  # or labels would name the controls of another widget
    for explorer in explorers.all():
        for control in explorer.locator(".wb-controls input, .wb-controls select").all():
            is_list = control.evaluate("control => control.tagName === 'SELECT'")
            before = shown_by(explorer)
            control.press("ArrowDown" if is_list else "ArrowRight")
            after = shown_by(explorer)
            assert before[0] != after[0] and before[1] != after[1]
    assert opened.evaluate("document.documentElement.scrollWidth") <= NARROW_PX
    outside = [url for url in asked if not url.startswith(("file:", "data:"))]
    assert (trouble, outside) == ([], [])
    context.close()


# Text of under 4.5 to 1 against what is behind it (WCAG 2.2, 1.4.3).
FAINT = """() => {
  const numbers = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return colour.startsWith("color(") ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a];
  };
  const linear = (x) => (x / 255 <= 0.04045 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) + 0.05;
  const behind = (each) => {
    const colour = each ? numbers(getComputedStyle(each).backgroundColor) : [255, 255, 255, 1];
    return colour[3] > 0.5 ? colour : behind(each.parentElement);
  };
  for (const each of document.querySelectorAll("details")) each.open = true;
  const shown = [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility()
    && [...each.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
  const faint = shown.filter((each) => {
    const style = getComputedStyle(each);
    const pair = [light(numbers(each instanceof SVGElement ? style.fill : style.color)), light(behind(each))];
    return Math.max(...pair) / Math.min(...pair) < 4.5;
  });
  return [shown.length, faint.map((each) => `${each.tagName} ${each.className}: ${each.textContent}`)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(page, browser, scheme):
    context = browser.new_context(offline=True, color_scheme=scheme)
    opened = context.new_page()
    opened.goto(page.as_uri())
    shown, faint = opened.evaluate(FAINT)
    assert shown > 50 and faint == []
    back = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 18, 18)"}[scheme]
    turned = opened.locator("main figure img").first.evaluate("image => getComputedStyle(image).filter")
    assert (turned == "none") == (scheme == "light")
    opened.emulate_media(media="print")
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    context.close()


def test_without_scripts_a_page_still_shows_verdict_figures_and_tables(page, browser):
    context = browser.new_context(offline=True, java_script_enabled=False)
    opened = context.new_page()
    opened.goto(page.as_uri())
    assert page.stem.startswith("04") or opened.locator("section.verdict").first.is_visible()
    assert opened.locator("main figure img").first.is_visible()
    assert opened.locator("main table").first.is_visible()
    assert opened.get_by_text("An explorer with sliders stands here").count() == EXPLORERS.get(page.stem[:2], 0)
    context.close()
