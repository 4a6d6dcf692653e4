"""The inspector of one decision: archetypes, changes through the model, and the same in a page without a kernel."""

import copy
import json
from functools import partial

import pytest
from axe_playwright_python.sync_playwright import Axe

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.explanation import common_context
from workbench.policies.images import ImagePolicy

MOST_BYTES = 300_000
MOST_MS = 50
OWN = ("data", "archetype", "changes", "answer", "live")
PICTURES = (".wb-chances", ".wb-waterfall")


def test_archetypes_are_a_handful_and_nobody(inspector, result):
    assert inspector.archetype == "the most common view"
    assert 2 < len(inspector.archetypes) <= 6
    assert all(each["users"] >= 20 for each in inspector.data["archetypes"])
    told = json.dumps(inspector.data)
    assert not [user for user in result.split.train["user_id"].unique() if f'"{user}"' in told]


def test_its_state_is_small_and_plain(inspector):
    state = inspector.get_state()
    assert len(json.dumps({name: state[name] for name in OWN}, separators=(",", ":"), allow_nan=False)) < MOST_BYTES


def test_the_answer_is_the_models_own(inspector, result):
    context = common_context(result.model, result.split.train)
    late = ImagePolicy(result.model).prospects(context, result.scenario).late[0]
    assert inspector.answer["late"] == [round(100 * chance) for chance in late]
    push = inspector.answer["push"]
    assert push["answer"] == pytest.approx(push["base"] + sum(each[2] for each in push["features"]), abs=0.01)
    explanation = wb.shap_values(result.model, context)
    assert push["base"] == pytest.approx(explanation.base_values[0], abs=1e-3)
    assert max(push["features"], key=lambda each: abs(each[2])) == push["features"][0]


def test_rules_are_asked_and_those_that_differ_explained(inspector):
    policies = {policy["name"]: policy for policy in inspector.answer["policies"]}
    assert next(iter(policies)) == "model"
    assert [policies[f"always {name}"]["sends"] for name in ("small", "medium", "large")] == [0, 1, 2]
    assert policies["table by (country, asn)"]["late"] is not None
    assert policies["table by (device)"]["sends"] is None  # these views have no device
    assert any(sentence.startswith("Always small") for sentence in inspector.answer["why"])


def test_a_changed_value_moves_the_prediction_and_tells_python(inspector):
    field = next(field for field in inspector.data["fields"] if field["name"] == "asn")
    seen = []
    inspector.observe(lambda change: seen.append(change["new"]["late"]), "answer")
    for network in field["options"][:4]:
        inspector.changes = {"asn": network, "isp": None}
    assert len({tuple(late) for late in seen}) > 1
    assert inspector.answer["changes"] == inspector.changes
    inspector.unobserve_all("answer")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contry": "US"}, r"a changed field must be one of .*got 'contry'\. Did you mean 'country'\?"),
        ({"country": "Atlantis"}, r"country must be one of .*got 'Atlantis'"),
        ({"local_hour": 99}, r"local_hour must be a number from \d+ to \d+; got 99\."),
        ({"local_hour": "noon"}, r"local_hour must be a number from .*; got 'noon'\."),
    ],
)
def test_a_change_that_is_not_offered_is_refused(inspector, changes, message):
    with pytest.raises(WorkbenchError, match=message):
        inspector.changes = changes
    assert inspector.changes == {}


def test_only_values_of_a_crowd_are_offered(inspector, result):
    train = result.split.train
    for field in inspector.data["fields"]:
        for option in field.get("options", ()):
            assert train.loc[train[field["name"]].astype(str) == str(option), "user_id"].nunique() >= 20


def test_what_cannot_be_inspected_is_refused(prefetch_result, result):
    with pytest.raises(WorkbenchError, match=r"takes a network-quality model; for a next-page model take wb\.shap"):
        wb.DecisionInspector(prefetch_result.model, [], prefetch_result.split.train)
    with pytest.raises(WorkbenchError, match=r"expected a model, as from wb\.train_network_quality\(split\); got 3"):
        wb.DecisionInspector(3, [], result.split.train)
    with pytest.raises(WorkbenchError, match="archetype must be one of 'the most common view'"):
        wb.DecisionInspector(result.model, [], result.split.train, archetype="me")


@pytest.fixture(scope="module")
def file(inspector_made, page_with, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page_with(inspector_made.get_state()), encoding="utf-8")
    return path


@pytest.fixture
def opened(open_offline, file):
    return partial(open_offline, file)


def test_in_a_page_archetypes_can_be_picked_and_values_not_changed(opened, inspector, redraw_ms):
    with opened() as page:
        assert page.get_by_text("Changing values needs the live notebook.").is_visible()
        assert page.locator(".wb-controls input, .wb-controls select").count() == 1
        control = page.get_by_label("A view like")
        pictures = set()
        for name in inspector.archetypes:
            control.select_option(name)
            pictures.add(tuple(page.locator(picture).inner_html() for picture in PICTURES))
            answer = next(each["answer"] for each in inspector.data["archetypes"] if each["name"] == name)
            assert f"late in {answer['late'][answer['policies'][0]['sends']]}\u00a0%" in page.locator(
                ".wb-finding"
            ).inner_text().replace(" %", "\u00a0%")
        assert len(pictures) == len(inspector.archetypes)
        assert redraw_ms(control, ".wb-waterfall") <= MOST_MS


@pytest.mark.parametrize("width", [360, 390])
def test_it_fits_on_a_phone(opened, width):
    with opened(viewport={"width": width, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("live", [False, True], ids=["page", "live"])
def test_axe_finds_no_barrier(open_offline, darken, file, tmp_path, live):
    if live:  # as it looks in JupyterLab, without the kernel behind it
        path = tmp_path / "live.html"
        path.write_text(file.read_text("utf-8").replace('"live":false', '"live":true'), encoding="utf-8")
    with open_offline(path if live else file) as page:
        assert (page.get_by_label("country", exact=True).count() == 1) == live
        for context in (None, ".wb"):
            found = Axe().run(page, context=context)
            assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []
            darken(page)


def test_names_from_data_stay_text(open_offline, hostile, inspector_made, page_with, tmp_path):
    state = copy.deepcopy({name: value for name, value in inspector_made.get_state().items() if name != "layout"})
    for each, name in zip(state["data"]["archetypes"], hostile, strict=False):
        each |= {"name": name, "context": {name: name}}
        each["answer"]["why"] = [name]
        each["answer"]["policies"][1]["name"] = name
        each["answer"]["push"]["features"][0][:2] = [name, name]
    path = tmp_path / "hostile.html"
    path.write_text(page_with(state | {"archetype": hostile[0]}), encoding="utf-8")
    with open_offline(path) as page:
        for name in hostile[: len(state["data"]["archetypes"])]:
            page.get_by_label("A view like").select_option(name)
            assert page.locator(".wb-why").get_by_text(name).first.is_visible()
        assert page.evaluate("window.hacked") is None
