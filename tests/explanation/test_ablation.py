from dataclasses import replace

import pytest

import workbench as wb
from workbench.decisions.prefetch.explain import PAGE_BEFORE, SEEN, USER_HISTORY
from workbench.explanation import ablation
from workbench.explanation.ablation import removable
from workbench.explanation.base import apply_model


@pytest.fixture(scope="module")
def found(few, few_model):
    return ablation(few, few_model, ["provider", "isp"])  # a column, and what a reader calls it


def test_the_effect_is_that_of_a_model_trained_without_it(few, few_model, found):
    bare = wb.train_network_quality(few, known_by="first_request", max_trees=40, without=(*few_model.without, "isp"))
    here, there = (apply_model(model, few.validation) for model in (few_model, bare))
    difference = there.net(there.ask()).mean() - here.net(here.ask()).mean()
    assert found.columns == ("provider",) and found.effect["net"] == pytest.approx(difference)
    assert found.effect["net_low"] <= difference <= found.effect["net_high"]
    assert found.to_frame().loc["provider", "net"] == found.effect["net"]


def test_losing_all_that_tells_the_network_costs_net(doubled, doubled_model):
    lost = ablation(doubled, doubled_model, ("asn", "isp", "region"))
    assert lost.effect["net_high"] < 0 and "lowers net" in lost.finding
    assert "provider and region" in lost.sentences[0] and f"{lost.effect['net']:+.1f}" in lost.sentences[0]
    assert "validation" in lost.sentences[1]
    none = replace(lost, effect={**lost.effect, "net_low": -1.0, "net_high": 1.0})
    assert "no detectable effect" in none.finding and none.finding in repr(none)
    assert "raises" in replace(lost, effect={**lost.effect, "net_low": 1.0, "net_high": 2.0}).finding


def test_what_can_be_left_out_has_a_readers_name(few, few_model, small_site, small_site_model):
    names = removable(few_model, few.card)
    assert set(names.values()) == set(few_model.removable())
    assert (names["local hour"], names["operating system"], names["provider"]) == ("local_hour", "os_family", "isp")
    of_pages = removable(small_site_model, small_site.card)
    kinds = of_pages[USER_HISTORY], of_pages[PAGE_BEFORE], of_pages[SEEN]
    assert kinds == ("history", "second order", "session")
    assert "popularity" not in of_pages and "what follows this page" not in of_pages


@pytest.mark.parametrize(
    ("columns", "words"),
    [("ispp", "Did you mean"), ((), "got no column"), ("all", "every column")],
)
def test_columns_that_cannot_be_left_out_are_refused(few, few_model, columns, words):
    with pytest.raises(wb.WorkbenchError, match=words):
        ablation(few, few_model, few_model.removable() if columns == "all" else columns)


def test_a_model_from_another_split_is_refused(few_model, small_site):
    other = wb.split_by_user(wb.load("synthetic_measurements", rows=1000), seed=3)
    with pytest.raises(wb.WorkbenchError, match="trained on other rows than this split's train part"):
        ablation(other, few_model, "isp")
    with pytest.raises(wb.WorkbenchError, match="takes a trained next-page model"):
        ablation(small_site, "a model", "device")
