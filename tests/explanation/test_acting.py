"""A policy at work on given views: the same answers and the same worth as in a comparison."""

import numpy as np
import pytest
from workbench.explanation.acting import act_on

import workbench as wb
from workbench.datasets.schema import has_signal, known_context
from workbench.studies import image_stage, prefetch_stage


@pytest.fixture(scope="module")
def images():
    split = wb.split_by_time(wb.load("synthetic_measurements", rows=3000), mask=wb.Mask())
    return image_stage.settle(split, wb.train_network_quality(split))


@pytest.fixture(scope="module")
def pages():
    split = wb.split_by_time(wb.load("synthetic_navigations", rows=3000))
    return prefetch_stage.settle(split, wb.train_next_page(split))


def test_of_images_only_views_without_a_signal_are_looked_at(images):
    validation = images.split.validation
    validation = validation.assign(last_rtt_ms=50.0, last_age_s=np.arange(len(validation)) % 2 * 3600.0)
    expected = ~has_signal(known_context(validation, images.model.known_by, ()))
    assert 0 < expected.sum() < len(validation)
    assert act_on(images.model, validation).frame.index.equals(validation.index[expected])


def test_a_tuned_policy_is_worth_what_it_is_in_a_comparison(images):
    scene = act_on(images.ours, images.split.validation, images.scenario)
    for policy in (images.ours, images.best_rule):
        expected = image_stage.replay(policy, images.validation, images.scenario)
        np.testing.assert_array_equal(scene.net(scene.ask(policy)), expected["net"])


def test_a_tuned_policy_of_pages_is_worth_what_it_is_in_a_comparison(pages):
    scene = act_on(pages.ours, pages.split.validation, pages.scenario)
    for policy in (pages.ours, pages.best_rule):
        expected = prefetch_stage.replay(policy, pages.validation, pages.scenario)
        np.testing.assert_array_equal(scene.net(scene.ask(policy)), expected["net"])


def test_a_model_acts_at_the_declared_price(images, pages):
    assert act_on(images.model, images.split.validation).ours.limit == 1
    scene = act_on(pages.model, pages.split.validation, wb.PrefetchScenario(break_even=0.4))
    taken = scene.ask(scene.ours).merge(pages.model.next_pages(scene.context, 3), on=["view_id", "page"])
    assert taken["chance"].min() >= 0.4
    assert len(taken) == (pages.model.next_pages(scene.context, 3)["chance"] >= 0.4).sum()


def test_what_is_no_model_or_of_the_other_decision_is_refused(images, pages):
    with pytest.raises(wb.WorkbenchError, match=r"expected a trained model, .* got 3"):
        act_on(3, images.split.validation)
    with pytest.raises(wb.WorkbenchError, match=r"a network-quality model takes a wb\.ImageScenario"):
        act_on(images.model, images.split.validation, wb.PrefetchScenario())
    with pytest.raises(wb.WorkbenchError, match=r"a next-page model takes a wb\.PrefetchScenario"):
        act_on(pages.model, pages.split.validation, wb.ImageScenario())
    with pytest.raises(wb.WorkbenchError, match="expected a frame from"):
        act_on(
            images.model,
            images.split.validation.drop(columns="asn").set_axis(range(len(images.split.validation))).pipe(bare),
        )
    with pytest.raises(wb.WorkbenchError, match=r"every view shows a signal by first_request"):
        act_on(images.model, images.split.validation.assign(last_rtt_ms=50.0, last_age_s=1.0))


def bare(frame):
    frame.attrs.clear()
    return frame
