import json

import pytest

import workbench as wb
from workbench.errors import WorkbenchError

MOST_BYTES = 300_000
OWN = ("data", "example", "changes", "answer", "live")


def test_examples_are_a_handful_and_nobody(inspector, result):
    assert inspector.example == "the most common view" and 2 < len(inspector.examples) <= 6
    assert all(each["users"] >= 20 for each in inspector.data["examples"])
    shown = json.dumps(inspector.data)
    assert not [user for user in result.split.train["user_id"].unique() if f'"{user}"' in shown]
    state = inspector.get_state()
    assert len(json.dumps({name: state[name] for name in OWN}, separators=(",", ":"), allow_nan=False)) < MOST_BYTES


def test_a_changed_value_moves_the_prediction_and_tells_python(inspector):
    name = "asn" if "asn" in inspector.data["examples"][0]["context"] else "page"
    field = next(field for field in inspector.data["fields"] if field["name"] == name)
    seen = []
    inspector.observe(lambda change: seen.append(json.dumps(change["new"]["chances"])), "answer")
    for option in field["options"][:4]:
        inspector.changes = {name: option}
    assert len(set(seen)) > 1 and inspector.answer["changes"] == inspector.changes
    inspector.unobserve_all("answer")


def test_values_that_20_users_share_are_offered_with_those_of_the_examples(inspector, result):
    train = result.split.train
    for field in inspector.data["fields"]:
        column = {"page_before": "page"}.get(field["name"], field["name"])
        if "options" in field:
            held = {each["context"][field["name"]] for each in inspector.data["examples"]}
            assert held <= {None, *field["options"]}
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
    with pytest.raises(WorkbenchError, match="images needs measurements of the network"):
        wb.DecisionInspector(prefetch.model, [], prefetch.split.train, scenario=wb.ImageScenario())
