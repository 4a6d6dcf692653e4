"""The explorer of prefetching in a finished page: a real browser, opened from disk, without a network or a kernel."""

import copy
from functools import partial

import pytest
from axe_playwright_python.sync_playwright import Axe

NARROW = {"width": 390, "height": 800}
MOST_MS = 50
BREAK_EVEN, SECOND, GIGABYTE = "Worth fetching from a chance of", "Value of a second saved", "Price of a GB sent"


@pytest.fixture(scope="module")
def file(prefetch_made, page_with, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page_with(prefetch_made.get_state()), encoding="utf-8")
    return path


@pytest.fixture
def opened(open_offline, file):
    return partial(open_offline, file)


def seen(page):
    """Numbers, and the two pictures, as far as they depend on the choices."""
    pictures = [page.locator(name).inner_html() for name in (".wb-frontier", ".wb-money")]
    return page.locator(".wb-tiles").inner_text(), *pictures


def value(page, tile, part):
    return page.get_by_role("group", name=tile).locator(f".wb-{part} .wb-value").inner_text()


def test_it_shows_the_numbers_of_the_base_case(opened, prefetch_result):
    with opened() as page:
        ours = prefetch_result.of("model").figures
        assert value(page, "pages there at the click", "model") == f"{10 * ours.hits_per_100:,.0f}"
        assert value(page, "waiting saved", "model") == f"{ours.ms_saved_per_view:,.0f}"
        gigabytes = ours.bytes_wasted_per_view / 1e6
        assert value(page, "money", "model") == f"{-0.085 * gigabytes:+.3f}"
        assert f"Verdict: {prefetch_result.verdict}." in page.locator(".wb-finding").inner_text()
        assert page.locator(".wb-session tbody tr").count() == len(prefetch_result.detail.session)
        assert page.get_by_text("Beyond the picture: perfect knowledge").is_visible()
        assert page.get_by_role("button", name="Back to the base case").is_disabled()


@pytest.mark.parametrize(
    ("name", "key", "moved"),
    [(BREAK_EVEN, "Right", (1, 2)), (SECOND, "Right", (2,)), (GIGABYTE, "Right", (2,)), ("Views of", "Down", (1, 2))],
)
def test_the_keyboard_moves_each_control_and_numbers_and_picture_follow(opened, name, key, moved):
    with opened() as page:
        before = seen(page)
        control = page.get_by_label(name, exact=True)
        assert control.get_attribute("data-lm-suppress-shortcuts") == "true"
        control.focus()
        page.keyboard.press(f"Arrow{key}")
        after = seen(page)
        assert before[0] != after[0]
        assert [i for i in (1, 2) if before[i] != after[i]] == list(moved)
        settled = "Exploratory" not in page.locator(".wb-finding").inner_text()
        assert settled == (name in (SECOND, GIGABYTE))  # prices of time and bytes are no part of the verdict
        page.get_by_role("button", name="Back to the base case").click()
        assert seen(page) == before


def test_money_is_seconds_times_their_value_less_bytes_times_theirs(opened, prefetch_result):
    with opened() as page:
        for _ in range(3):
            page.get_by_label(SECOND).press("ArrowRight")
        ours = prefetch_result.of("model").figures
        seconds = ours.ms_saved_per_view - ours.contention_ms_per_view
        expected = 0.001 * seconds - 0.085 * ours.bytes_wasted_per_view / 1e6
        assert value(page, "money", "model") == f"{expected:+.3f}"


def test_a_redraw_takes_a_moment(opened, redraw_ms):
    with opened() as page:
        for control in page.locator(".wb-controls input, .wb-controls select").all():
            assert redraw_ms(control, ".wb-frontier") <= MOST_MS


@pytest.mark.parametrize("width", [360, 390])
def test_it_fits_on_a_phone(opened, width):
    with opened(viewport=NARROW | {"width": width}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.locator(".wb-names text").first.evaluate("text => getComputedStyle(text).fontSize") == "12px"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_barrier(opened, darken, dark):
    with opened() as page:
        if dark:
            darken(page)
        found = Axe().run(page, context=".wb" if dark else None)
        assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []


def test_names_from_data_stay_text(open_offline, hostile, prefetch_made, page_with, tmp_path):
    state = copy.deepcopy({name: value for name, value in prefetch_made.get_state().items() if name != "layout"})
    data = state["data"]
    for segment, name in zip(data["segments"][1:], hostile, strict=False):
        segment["name"] = name
    data["dataset"] = data["today"] = hostile[0]
    data["rules"] = hostile * 5
    for views in data["sessions"]:
        views[0] |= {"page": hostile[1], "rule": [[hostile[2], True]], "model": [[hostile[3], False]]}
    path = tmp_path / "hostile.html"
    path.write_text(page_with(state), encoding="utf-8")
    with open_offline(path) as page:
        select = page.get_by_label("Views of")
        assert select.locator("option").evaluate_all("all => all.map(each => each.value)")[1:5] == hostile
        for name in hostile:
            select.select_option(name)
        assert page.get_by_text(hostile[1]).first.is_visible()
        assert page.evaluate("window.hacked") is None
