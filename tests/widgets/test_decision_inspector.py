"""The inspector of one decision: examples, changes through the model, and the same in a page without a kernel."""

import copy
import json

import pytest
from axe_playwright_python.sync_playwright import Axe

import workbench as wb
from workbench.errors import WorkbenchError

MOST_BYTES = 300_000
MOST_MS = 50
OWN = ("data", "example", "changes", "answer", "live")
PICTURES = (".wb-chances", ".wb-waterfall")


def test_examples_are_a_handful_and_nobody(inspector, result):
    assert inspector.example == "the most common view"
    assert 2 < len(inspector.examples) <= 6
    assert all(each["users"] >= 20 for each in inspector.data["examples"])
    shown = json.dumps(inspector.data)
    assert not [user for user in result.split.train["user_id"].unique() if f'"{user}"' in shown]


def test_its_state_is_small_and_plain(inspector):
    state = inspector.get_state()
    assert len(json.dumps({name: state[name] for name in OWN}, separators=(",", ":"), allow_nan=False)) < MOST_BYTES


def test_what_an_example_is_can_be_chosen_too(inspector):
    for field in inspector.data["fields"]:
        held = [each["context"][field["name"]] for each in inspector.data["examples"]]
        if "options" in field:
            assert set(held) <= {None, *field["options"]}


def test_a_changed_value_moves_the_prediction_and_tells_python(inspector):
    name = "asn" if "asn" in inspector.data["examples"][0]["context"] else "page"
    field = next(field for field in inspector.data["fields"] if field["name"] == name)
    seen = []
    inspector.observe(lambda change: seen.append(json.dumps(change["new"]["chances"])), "answer")
    for option in field["options"][:4]:
        inspector.changes = {name: option}
    assert len(set(seen)) > 1
    assert inspector.answer["changes"] == inspector.changes
    inspector.unobserve_all("answer")


def test_only_values_that_20_users_share_are_offered(inspector, result):
    train = result.split.train
    for field in inspector.data["fields"]:
        column = {"page_before": "page"}.get(field["name"], field["name"])
        for option in field.get("options", ()):
            assert train.loc[train[column].astype(str) == str(option), "user_id"].nunique() >= 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contry": "US"}, r"a changed field must be one of .*got 'contry'\. Did you mean 'country'\?"),
        ({"country": "Atlantis"}, r"country must be one of .*got 'Atlantis'"),
        ({"local_hour": 99}, r"local_hour must be a number from \d+ to \d+; got 99\."),
        ({"local_hour": "noon"}, r"local_hour must be a number from .*; got 'noon'\."),
    ],
)
def test_a_change_that_is_not_offered_is_refused(inspectors, changes, message):
    with pytest.raises(WorkbenchError, match=message):
        inspectors["images"].changes = changes
    assert inspectors["images"].changes == {}


def test_a_page_is_needed_and_one_before_is_not(inspectors):
    inspector = inspectors["prefetch"]
    with pytest.raises(WorkbenchError, match=r"page must be one of .*got 'None'"):
        inspector.changes = {"page": None}
    inspector.changes = {"page_before": None}
    assert inspector.answer["finding"].startswith("The model fetches")
    inspector.changes = {}


def test_what_cannot_be_inspected_is_refused(results):
    images, prefetch = results["images"], results["prefetch"]
    with pytest.raises(WorkbenchError, match=r"takes a trained network-quality model, as from .*; got 3"):
        wb.DecisionInspector(3, [], images.split.train)
    with pytest.raises(WorkbenchError, match="example must be one of 'the most common view'"):
        wb.DecisionInspector(images.model, [], images.split.train, example="me")
    with pytest.raises(WorkbenchError, match="prefetch is decided on navigations"):
        wb.DecisionInspector(images.model, [], images.split.train, scenario=wb.PrefetchScenario())
    with pytest.raises(WorkbenchError, match="images is decided on measurements"):
        wb.DecisionInspector(prefetch.model, [], prefetch.split.train, scenario=wb.ImageScenario())


@pytest.fixture(scope="module")
def files(inspectors, page_with, tmp_path_factory):
    """A page for each decision, by its name."""
    folder = tmp_path_factory.mktemp("pages")
    for name, made in inspectors.items():
        (folder / f"{name}.html").write_text(page_with(made.get_state()), encoding="utf-8")
    return folder


@pytest.fixture
def opened(open_offline, files, decision, tmp_path):
    """Open the page; ``live`` as it looks in JupyterLab, without the kernel behind it."""

    def open_page(*, live=False, **options):
        path = tmp_path / "page.html"
        html = (files / f"{decision}.html").read_text("utf-8")
        path.write_text(html.replace('"live":false', '"live":true') if live else html, encoding="utf-8")
        return open_offline(path, **options)

    return open_page


def test_in_a_page_examples_can_be_picked_and_values_not_changed(opened, inspector, redraw_ms):
    with opened() as page:
        assert page.get_by_text("Changing values needs the live notebook.").is_visible()
        assert page.locator(".wb-controls input, .wb-controls select").count() == 1
        control = page.get_by_label("A view like")
        pictures = set()
        for each in inspector.data["examples"]:
            control.select_option(each["name"])
            pictures.add(tuple(page.locator(picture).inner_html() for picture in PICTURES))
            assert page.locator(".wb-finding").inner_text().replace("\u00a0", " ") == each["answer"]["finding"]
        assert len(pictures) == len(inspector.examples)
        assert redraw_ms(control, ".wb-waterfall") <= MOST_MS


@pytest.mark.parametrize("width", [360, 390])
@pytest.mark.parametrize("live", [False, True], ids=["page", "live"])
def test_it_fits_on_a_phone(opened, width, live):
    with opened(live=live, viewport={"width": width, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("live", [False, True], ids=["page", "live"])
def test_axe_finds_no_barrier(opened, darken, inspector, live):
    label = inspector.data["fields"][0]["label"]
    with opened(live=live) as page:
        assert (page.get_by_label(label, exact=True).count() == 1) == live
        for context in (None, ".wb"):
            found = Axe().run(page, context=context)
            assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []
            darken(page)


def test_names_from_data_stay_text(open_offline, hostile, inspector, page_with, tmp_path):
    state = copy.deepcopy({name: value for name, value in inspector.get_state().items() if name != "layout"})
    for each, name in zip(state["data"]["examples"], hostile, strict=False):
        each |= {"name": name, "context": {name: name}}
        each["answer"] |= {"why": [name], "finding": name, "columns": [name, name]}
        each["answer"]["chances"][0] |= {"name": name, "said": name}
        each["answer"]["policies"][1] |= {"name": name, "does": name, "expects": name}
        each["answer"]["shap"]["features"][0][:2] = [name, name]
    path = tmp_path / "hostile.html"
    path.write_text(page_with(state | {"example": hostile[0]}), encoding="utf-8")
    with open_offline(path) as page:
        for name in hostile[: len(state["data"]["examples"])]:
            page.get_by_label("A view like").select_option(name)
            assert page.locator(".wb-why").get_by_text(name).first.is_visible()
        assert page.evaluate("window.hacked") is None
