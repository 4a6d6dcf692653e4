"""A model trained again without some of its columns, beside itself."""

import pytest
from workbench.explanation.acting import act_on
from workbench.explanation.retraining import effect_columns, prepare_retraining, removable

import workbench as wb


@pytest.fixture(scope="module")
def bench(few, few_model):
    return prepare_retraining(few, few_model)


def test_without_nothing_more_nothing_changes(bench):
    effect = bench.without(())
    assert (effect.net.estimate, effect.net.low, effect.net.high) == (0, 0, 0)
    assert (effect.trees_saved, effect.kilobytes_saved) == (0, 0)


def test_the_effect_is_that_of_a_model_trained_without_it(bench):
    effect = bench.without(("isp", "isp"))
    bare = wb.train_network_quality(bench.split, max_trees=40, without=(*bench.model.without, "isp"))
    there = act_on(bare, bench.split.validation)
    difference = there.net(there.ask(there.ours)).mean() - bench.net.mean()
    assert effect.net.estimate == pytest.approx(difference)
    assert effect.net.low <= difference <= effect.net.high
    assert effect.kilobytes_saved == pytest.approx(bench.model.kilobytes - bare.kilobytes)
    assert effect_columns(effect)["net_high"] == effect.net.high


def test_what_can_be_left_out_has_a_readers_name(few_model, small_site_model):
    assert dict(removable(few_model)) == {
        "local hour": "local_hour",
        "operating system": "os_family",
        "provider": "isp",
        "region": "region",
    }
    of_pages = removable(small_site_model)
    assert (of_pages["the person's habits"], of_pages["the page before"]) == ("history", "second order")
    assert "popularity" not in of_pages and "what follows this page" not in of_pages


def test_a_model_from_another_split_is_refused(few_model, small_site):
    other = wb.split_by_user(wb.load("synthetic_measurements", rows=1000), seed=3)
    with pytest.raises(wb.WorkbenchError, match="trained on other rows than this split's train part"):
        prepare_retraining(other, few_model)
    with pytest.raises(wb.WorkbenchError, match="expected a trained model"):
        prepare_retraining(small_site, "a model")
