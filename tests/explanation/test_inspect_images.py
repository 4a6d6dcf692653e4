"""One decision about images: the model's own chances, and why rules send something else."""

import pytest
from workbench.explanation.inspect_images import ImageInspection

import workbench as wb
from workbench.decisions.images.rules import ChancePolicy
from workbench.explanation import common_context


@pytest.fixture(scope="module")
def split():
    return wb.split_by_user(wb.load("synthetic_measurements", rows=4000))


@pytest.fixture(scope="module")
def inspection(split):
    model = wb.train_network_quality(split, max_trees=30)
    return ImageInspection.of(model, wb.rules(split), split.train, None)


@pytest.fixture(scope="module")
def view(inspection, split):
    return common_context(inspection.model, split.train)


@pytest.fixture(scope="module")
def answer(inspection, view):
    return inspection.answer(view)


def test_the_answer_is_the_models_own(inspection, view, answer):
    late = ChancePolicy(inspection.model).prospects(view, inspection.scenario).late[0]
    assert [each["percent"] for each in answer["chances"]] == [round(100 * chance) for chance in late]
    taken = [each["name"] for each in answer["chances"] if each["taken"]]
    assert answer["finding"].startswith(f"The model sends {taken[0]}: late in ")
    push, explanation = answer["push"], wb.shap_values(inspection.model, view)
    assert push["base"] == pytest.approx(explanation.base_values[0], abs=1e-3)
    assert push["answer"] == pytest.approx(push["base"] + sum(each[2] for each in push["features"]), abs=0.01)


def test_rules_are_asked_and_those_that_differ_explained(answer):
    policies = {policy["name"]: policy for policy in answer["policies"]}
    assert next(iter(policies)) == "model"
    assert [policies[f"always {name}"]["does"] for name in ("small", "medium", "large")] == ["small", "medium", "large"]
    assert policies["table by (country, asn)"]["expects"].endswith(" %")
    assert policies["always small"]["expects"] == "weighs no chances"
    assert policies["table by (device)"]["does"] is None  # these views have no device
    assert any(sentence.startswith("Always small") for sentence in answer["why"])
    assert not any("device" in sentence for sentence in answer["why"])


def test_a_budget_that_no_network_meets_is_said_instead_of_explained(inspection, split, view):
    hasty = ImageInspection.of(inspection.model, [], split.train, wb.ImageScenario(budget_ms=1))
    told = hasty.answer(view)["push"]
    assert told["features"] == []
    assert "whatever downlink_mbps is" in told["question"]
