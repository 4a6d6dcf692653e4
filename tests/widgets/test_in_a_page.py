"""The explorer in a finished page: a real browser, opened from disk, without a network or a kernel."""

import copy
from functools import partial

import pytest
from axe_playwright_python.sync_playwright import Axe

NARROW = {"width": 390, "height": 800}
MOST_MS = 50
SECOND, GIGABYTE = "Value of a second saved", "Price of a GB sent"
# Which numbers and pictures follow each control: 1 the frontier, 2 the bars of money.
MOVES = {
    "images": {"Images should be there in": [1], "Delay that makes large images not worth it": [1], "Views of": [1]},
    "prefetch": {"Worth fetching from a chance of": [1, 2], SECOND: [2], GIGABYTE: [2], "Views of": [1, 2]},
}


@pytest.fixture(scope="module")
def files(explorers, page_with, tmp_path_factory):
    """A page for each decision, by its name."""
    folder = tmp_path_factory.mktemp("pages")
    for name, made in explorers.items():
        (folder / f"{name}.html").write_text(page_with(made.get_state()), encoding="utf-8")
    return folder


@pytest.fixture
def opened(open_offline, files, decision):
    return partial(open_offline, files / f"{decision}.html")


def seen(page):
    """Numbers and pictures, as far as they depend on the choices."""
    pictures = [page.locator(name) for name in (".wb-frontier", ".wb-money")]
    return page.locator(".wb-tiles").inner_text(), *(each.inner_html() for each in pictures if each.count())


def value(page, tile, part):
    return page.get_by_role("group", name=tile).locator(f".wb-{part} .wb-value").inner_text()


def test_it_shows_the_finding_of_the_base_case(opened, result):
    with opened() as page:
        assert f"Verdict: {result.verdict}." in page.locator(".wb-finding").inner_text()
        assert page.get_by_text("An explorer with sliders stands here").count() == 0
        assert page.get_by_role("button", name="Back to the base case").is_disabled()


def test_it_shows_the_numbers_of_image_delivery(open_offline, files, results):
    with open_offline(files / "images.html") as page:
        ours = results["images"].of("model").figures
        assert value(page, "large images, of 1,000 views", "model") == f"{1000 * ours.large_share:,.0f}"
        assert value(page, "cost of sending", "model") == f"{round(ours.mb_per_1000) * 0.085:,.0f}"
        assert page.locator(".wb-photos img").evaluate_all("all => all.every(each => each.naturalWidth > 0)")
        assert page.get_by_label("Images should be there in").get_attribute("aria-valuetext") == "1.0 s"


def test_it_shows_the_numbers_of_prefetching(open_offline, files, results):
    with open_offline(files / "prefetch.html") as page:
        result = results["prefetch"]
        ours = result.of("model").figures
        gigabytes = ours.bytes_wasted_per_view / 1e6
        assert value(page, "pages ready at the click", "model") == f"{10 * ours.hits_per_100:,.0f}"
        assert value(page, "waiting saved", "model") == f"{ours.ms_saved_per_view:,.0f}"
        assert value(page, "money", "model") == f"{-0.085 * gigabytes:+.3f}"
        assert page.locator(".wb-session tbody tr").count() == len(result.detail.session)
        assert page.get_by_text("Beyond the picture: perfect knowledge").is_visible()
        for _ in range(3):
            page.get_by_label(SECOND).press("ArrowRight")
        expected = 0.001 * (ours.ms_saved_per_view - ours.contention_ms_per_view) - 0.085 * gigabytes
        assert value(page, "money", "model") == f"{expected:+.3f}"


def test_the_keyboard_moves_each_control_and_numbers_and_pictures_follow(opened, decision):
    with opened() as page:
        for name, moved in MOVES[decision].items():
            before = seen(page)
            control = page.get_by_label(name, exact=True)
            assert control.get_attribute("data-lm-suppress-shortcuts") == "true"
            control.focus()
            page.keyboard.press("ArrowDown" if name == "Views of" else "ArrowRight")
            after = seen(page)
            assert before[0] != after[0]
            assert [i for i in range(1, len(before)) if before[i] != after[i]] == moved
            settled = "Exploratory" not in page.locator(".wb-finding").inner_text()
            assert settled == (name in (SECOND, GIGABYTE))  # prices of time and bytes are no part of the verdict
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
    data = state["data"]
    for segment, name in zip(data["segments"][1:], hostile, strict=False):
        segment["name"] = name
    data["dataset"] = data["today"] = data["title"] = hostile[0]
    data["rules"] = hostile * 5
    data["about"] = [hostile[3] for _ in data["about"]]
    data["tiles"][0]["title"] = data["sliders"][0]["label"] = hostile[2]
    for views in data["panels"].get("session", {"settings": []})["settings"]:
        views[0] |= {"page": hostile[1], "rule": [[hostile[2], True]], "model": [[hostile[3], False]]}
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
