"""The explorer in a finished page: a real browser, opened from disk, without a network or a kernel."""

import copy
from functools import partial

import pytest
from axe_playwright_python.sync_playwright import Axe

NARROW = {"width": 390, "height": 800}
MOST_MS = 50


@pytest.fixture(scope="module")
def file(made, page_with, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page_with(made.get_state()), encoding="utf-8")
    return path


@pytest.fixture
def opened(open_offline, file):
    return partial(open_offline, file)


def seen(page):
    """Numbers, words and picture, as far as they depend on the choices."""
    return page.locator(".wb-tiles").inner_text(), page.locator(".wb-frontier").inner_html()


def test_it_shows_the_numbers_of_the_base_case(opened, made, result):
    with opened() as page:
        model = page.get_by_role("group", name="large images, of 1,000 views").locator(".wb-model .wb-value")
        assert model.inner_text() == f"{1000 * result.of('model').figures.large_share:,.0f}"
        assert f"Verdict: {result.verdict}." in page.locator(".wb-finding").inner_text()
        assert page.locator(".wb-photos img").evaluate_all("all => all.every(each => each.naturalWidth > 0)")
        assert page.get_by_label("Images should be there in").get_attribute("aria-valuetext") == "1.0 s"
        assert page.get_by_text("An explorer with sliders stands here").count() == 0
        assert page.get_by_role("button", name="Back to the base case").is_disabled()


@pytest.mark.parametrize("name", ["Images should be there in", "Wait that cancels the largest image", "Views of"])
def test_the_keyboard_moves_each_control_and_numbers_and_picture_follow(opened, name):
    with opened() as page:
        before = seen(page)
        control = page.get_by_label(name, exact=True)
        assert control.get_attribute("data-lm-suppress-shortcuts") == "true"
        control.focus()
        page.keyboard.press("ArrowDown" if name == "Views of" else "ArrowRight")
        after = seen(page)
        assert before[0] != after[0]
        assert before[1] != after[1]
        assert "Exploratory" in page.locator(".wb-finding").inner_text()
        page.get_by_role("button", name="Back to the base case").click()
        assert seen(page) == before


def test_a_redraw_takes_a_moment(opened, redraw_ms):
    with opened() as page:
        for control in page.locator(".wb-controls input, .wb-controls select").all():
            assert redraw_ms(control, ".wb-frontier") <= MOST_MS


@pytest.mark.parametrize("width", [360, 390])
def test_it_fits_on_a_phone(opened, width):
    with opened(viewport=NARROW | {"width": width}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        drawn = page.locator(".wb-frontier").bounding_box()
        assert drawn["width"] <= width
        assert page.locator(".wb-names text").first.evaluate("text => getComputedStyle(text).fontSize") == "12px"


def test_it_is_drawn_anew_for_another_width(opened):
    with opened() as page:
        wide = page.locator(".wb-frontier").get_attribute("viewBox")
        page.set_viewport_size(NARROW)
        page.wait_for_function(
            "wide => document.querySelector('.wb-frontier').getAttribute('viewBox') !== wide", arg=wide
        )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_barrier(opened, darken, dark):
    with opened() as page:
        if dark:
            darken(page)
        found = Axe().run(page, context=".wb" if dark else None)
        assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []


def test_without_scripts_a_sentence_stands_in_its_place(opened):
    with opened(java_script_enabled=False) as page:
        assert page.get_by_text("An explorer with sliders stands here").is_visible()
        assert page.get_by_text("The verdict: use the table").is_visible()


def test_names_from_data_stay_text(open_offline, hostile, made, page_with, tmp_path):
    state = copy.deepcopy({name: value for name, value in made.get_state().items() if name != "layout"})
    for segment, name in zip(state["data"]["segments"][1:], hostile, strict=False):
        segment["name"] = name
    state["data"]["dataset"] = state["data"]["today"] = hostile[0]
    state["data"]["rules"] = hostile * 5
    path = tmp_path / "hostile.html"
    path.write_text(page_with(state), encoding="utf-8")
    with open_offline(path) as page:
        select = page.get_by_label("Views of")
        offered = select.locator("option").evaluate_all("all => all.map(each => each.value)")
        assert offered[1:5] == hostile
        for name in hostile:
            select.select_option(name)
        assert page.get_by_text(hostile[0]).first.is_visible()
        assert page.evaluate("window.hacked") is None


def test_a_script_of_the_notebook_never_reaches_the_page(made, page_with):
    state = made.get_state() | {"_esm": "export default { render() { window.hacked = 1 } }"}
    assert "hacked" not in page_with(state)
