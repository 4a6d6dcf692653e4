import copy

import pytest
from axe_playwright_python.sync_playwright import Axe

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 800}
SECOND, GIGABYTE = "Value of a second saved", "Price of a GB sent"
# Which numbers and pictures follow each control: 1 the frontier, 2 the bars of money.
MOVES = {
    "images": {"Images should be there in": [1], "Delay that makes large images not worth it": [1], "Views of": [1]},
    "prefetch": {"Worth fetching from a chance of": [1, 2], SECOND: [2], GIGABYTE: [2], "Views of": [1, 2]},
}
HOSTILE = [
    "country: </script><script>window.hacked = 1</script>",
    "device: <!--<script>",
    'system: "><img src=x onerror="window.hacked = 1">',
    "network: \u2028${window.hacked = 1}`&lt;&#x27;",
]
DARK_LAB = """document.body.dataset.jpThemeLight = "false";
document.body.style.cssText = `background: #111; --jp-content-font-color1: #fff; --jp-content-font-color2: #ffffffb3;
  --jp-border-color2: #616161; --jp-layout-color0: #111; --jp-layout-color2: #424242`"""


@pytest.fixture(scope="session", params=["explorer", "inspector", "live inspector"])
def widget(request):
    return request.param


@pytest.fixture(scope="module")
def files(explorers, inspectors, page_with, tmp_path_factory):
    """A page for each widget and decision; ``live`` looks as in JupyterLab, without the kernel behind it."""
    folder = tmp_path_factory.mktemp("pages")
    for decision in explorers:
        inspector = page_with(inspectors[decision].get_state())
        pages = {"explorer": page_with(explorers[decision].get_state()), "inspector": inspector}
        pages["live inspector"] = inspector.replace('"live":false', '"live":true')
        for name, page in pages.items():
            (folder / f"{name} {decision}.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture
def opened(open_offline, files, decision):
    return lambda widget="explorer", **options: open_offline(files / f"{widget} {decision}.html", **options)


def seen(page):
    """Numbers and pictures of an explorer, as far as they depend on the choices."""
    pictures = [page.locator(name) for name in (".wb-frontier", ".wb-money")]
    return page.locator(".wb-tiles").inner_text(), *(each.inner_html() for each in pictures if each.count())


def value(page, tile, part):
    return page.get_by_role("group", name=tile).locator(f".wb-{part} .wb-value").inner_text()


def test_it_fits_on_a_phone(opened, widget):
    with opened(widget, viewport=NARROW) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
        if widget == "explorer":
            drawn = page.locator(".wb-frontier")
            assert drawn.bounding_box()["width"] <= NARROW["width"]
            size = page.locator(".wb-names text").first.evaluate("text => getComputedStyle(text).fontSize")
            narrow = drawn.get_attribute("viewBox")
            assert size == "12px"
            page.set_viewport_size(WIDE)
            page.wait_for_function(
                "narrow => document.querySelector('.wb-frontier').getAttribute('viewBox') !== narrow", arg=narrow
            )


def test_axe_finds_no_barrier(opened, widget):
    with opened(widget) as page:
        for context in (None, ".wb"):
            found = Axe().run(page, context=context)
            assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []
            page.evaluate(DARK_LAB)


@pytest.fixture
def hostile_page(open_offline, page_with, tmp_path):
    def open_page(made, change):
        state = copy.deepcopy({name: value for name, value in made.get_state().items() if name != "layout"})
        change(state)
        path = tmp_path / "hostile.html"
        path.write_text(page_with(state), encoding="utf-8")
        return open_offline(path)

    return open_page


def test_it_shows_the_numbers_of_image_delivery(open_offline, files, results):
    with open_offline(files / "explorer images.html") as page:
        ours = results["images"].of("model").figures
        assert value(page, "large images, of 1,000 views", "model") == f"{1000 * ours.large_share:,.0f}"
        assert value(page, "cost of sending", "model") == f"{round(ours.mb_per_1000) * 0.085:,.0f}"
        assert page.locator(".wb-photos img").evaluate_all("all => all.every(each => each.naturalWidth > 0)")
        assert page.get_by_label("Images should be there in").get_attribute("aria-valuetext") == "1.0 s"


def test_it_shows_the_numbers_of_prefetching(open_offline, files, results):
    with open_offline(files / "explorer prefetch.html") as page:
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


def test_the_keyboard_moves_each_control_and_numbers_and_pictures_follow(opened, decision, result):
    with opened() as page:
        assert f"Verdict: {result.verdict}." in page.locator(".wb-finding").inner_text()
        assert page.get_by_text("An explorer with sliders stands here").count() == 0
        assert page.get_by_role("button", name="Back to the base case").is_disabled()
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


def test_hostile_names_stay_text_in_an_explorer(hostile_page, made):
    def change(state):
        data = state["data"]
        for segment, name in zip(data["segments"][1:], HOSTILE, strict=False):
            segment["name"] = name
        data["dataset"] = data["today"] = data["title"] = HOSTILE[0]
        data["rules"] = HOSTILE * 5
        data["about"] = [HOSTILE[3] for _ in data["about"]]
        data["tiles"][0]["title"] = data["sliders"][0]["label"] = HOSTILE[2]
        for views in data["panels"].get("session", {"settings": []})["settings"]:
            views[0] |= {"page": HOSTILE[1], "rule": [[HOSTILE[2], True]], "model": [[HOSTILE[3], False]]}

    with hostile_page(made, change) as page:
        select = page.get_by_label("Views of")
        offered = select.locator("option").evaluate_all("all => all.map(each => each.value)")
        assert offered[1:5] == HOSTILE
        for name in HOSTILE:
            select.select_option(name)
        assert page.get_by_text(HOSTILE[0]).first.is_visible() and page.evaluate("window.hacked") is None


def test_in_a_page_examples_can_be_picked_and_values_not_changed(opened, inspector):
    with opened("inspector") as page:
        assert page.get_by_text("Changing values needs the live notebook.").is_visible()
        assert page.locator(".wb-controls input, .wb-controls select").count() == 1
        control = page.get_by_label("A view like")
        pictures = set()
        for each in inspector.data["examples"]:
            control.select_option(each["name"])
            pictures.add(tuple(page.locator(picture).inner_html() for picture in (".wb-chances", ".wb-waterfall")))
            assert page.locator(".wb-finding").inner_text().replace("\u00a0", " ") == each["answer"]["finding"]
        assert len(pictures) == len(inspector.examples)
    with opened("live inspector") as page:
        assert page.get_by_label(inspector.data["fields"][0]["label"], exact=True).count() == 1


def test_hostile_names_stay_text_in_an_inspector(hostile_page, inspector):
    def change(state):
        for each, name in zip(state["data"]["examples"], HOSTILE, strict=False):
            each |= {"name": name, "context": {name: name}}
            each["answer"] |= {"why": [name], "finding": name, "columns": [name, name]}
            each["answer"]["chances"][0] |= {"name": name, "said": name}
            each["answer"]["policies"][1] |= {"name": name, "does": name, "expects": name}
            each["answer"]["shap"]["features"][0][:2] = [name, name]
        state["example"] = HOSTILE[0]

    with hostile_page(inspector, change) as page:
        for name in HOSTILE[: len(inspector.examples)]:
            page.get_by_label("A view like").select_option(name)
            assert page.locator(".wb-why").get_by_text(name).first.is_visible()
        assert page.evaluate("window.hacked") is None
