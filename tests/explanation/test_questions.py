"""The question about images that are late: the large ones, or where these always are, the largest that are not."""

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.acting import act_on
from workbench.explanation.feature_dependence import dependence
from workbench.explanation.feature_importance import importance
from workbench.explanation.inspect_images import ImageInspection
from workbench.explanation.questions import LateQuestion, late_question
from workbench.explanation.single_rows import look_at_rows

import workbench as wb

LARGE, MEDIUM, SMALL = (wb.ImageScenario().view_bytes[size] for size in (-1, 1, 0))


@pytest.fixture(scope="module")
def trained():
    """A round trip of about 100 ms and about 20 Mbit/s, both by provider."""
    rng = np.random.default_rng(0)
    n = 2_000
    isp = rng.choice(["a", "b"], n)
    slow = np.where(isp == "a", 0.3, -0.3)
    views = pd.DataFrame(
        {
            "isp": isp,
            "browser": rng.choice(["x", "y"], n),
            "rtt_ms": 100 * np.exp(slow + rng.normal(0, 0.3, n)),
            "downlink_mbps": 20 * np.exp(-slow + rng.normal(0, 0.3, n)),
        }
    )
    split = wb.split_by_user(wb.measurements(views))
    return split, wb.train_network_quality(split, max_trees=10)


def usual(model, quantity):
    return model.heads_[quantity].levels[50]


def test_the_question_is_where_large_images_are_just_late(trained):
    split, model = trained
    asked = late_question(model, split.validation, None, wb.ImageScenario(budget_ms=1500))
    took = 4 * usual(model, "rtt_ms") + 8 * LARGE / (1000 * asked.edge)
    assert (asked.quantity, asked.images) == ("downlink_mbps", "")
    assert took == pytest.approx(1500, rel=1e-6)
    assert asked.words == f"log-odds that throughput is below {asked.edge:.1f} Mbit/s"


def test_where_round_trips_take_the_time_they_are_asked_about(trained):
    """At 300 ms, four trips of some 100 ms are too many: no throughput helps, a short trip does."""
    split, model = trained
    scenario = wb.ImageScenario(budget_ms=300)
    asked = late_question(model, split.validation, None, scenario)
    assert (asked.quantity, asked.images) == ("rtt_ms", "")
    took = 4 * asked.edge + 8 * LARGE / (1000 * usual(model, "downlink_mbps"))
    assert took == pytest.approx(300, rel=1e-6)


def test_where_large_images_are_always_late_it_is_about_the_largest_that_are_not(trained):
    split, model = trained
    within = 1.1 * 8 * MEDIUM / (1000 * usual(model, "downlink_mbps"))
    asked = late_question(model, split.validation, "rtt_ms", wb.ImageScenario(budget_ms=within))
    assert asked.images == "medium"
    assert 4 * asked.edge == pytest.approx(within / 11, rel=1e-6)
    assert asked.words == f"log-odds that the round trip is above {asked.edge:.0f} ms, where medium images are late"
    told = wb.shap_values(model, split.validation.head(5), scenario=wb.ImageScenario(budget_ms=within))
    assert told.output_names == asked.words


def test_a_budget_that_no_image_meets_is_said(trained):
    split, model = trained
    within = 0.9 * 8 * SMALL / (1000 * usual(model, "downlink_mbps"))
    scenario = wb.ImageScenario(budget_ms=within)
    with pytest.raises(wb.WorkbenchError, match="even the small images are late whatever downlink_mbps is; take"):
        wb.shap_values(model, split.validation, scenario=scenario)
    with pytest.raises(wb.WorkbenchError, match="late whatever rtt_ms is"):
        late_question(model, split.validation, "rtt_ms", scenario)
    push = ImageInspection.of(model, (), split.validation, scenario)._push(model.context(split.validation).head(1))
    assert push["features"] == []


def test_a_tight_budget_stops_no_explanation(trained):
    """A comparison answers at any budget, and so do those that explain it."""
    split, model = trained
    scenario = wb.ImageScenario(budget_ms=200)
    asked = late_question(model, split.validation, None, scenario)
    assert wb.shap_values(model, split.validation, scenario=scenario).output_names == asked.words
    assert importance(model, split.validation, scenario=scenario).question == asked.words
    assert dependence(model, split.validation, "isp", scenario=scenario).question == asked.words
    assert len(look_at_rows(act_on(model, split.validation, scenario)))
    view = model.context(split.validation).head(1)
    push = ImageInspection.of(model, (), split.validation, scenario)._push(view)
    assert push["question"] == asked.words and push["features"]


def test_what_is_neither_predicted_nor_assumed_is_said(trained):
    split, _ = trained
    views = split.validation.drop(columns="rtt_ms")
    model = wb.NetworkQuality(max_trees=5).fit(
        split.train.drop(columns="rtt_ms"), split.calibration.drop(columns="rtt_ms")
    )
    views.attrs.clear()
    with pytest.raises(wb.WorkbenchError, match="rtt_ms is neither predicted nor assumed"):
        late_question(model, views, None, wb.ImageScenario())


def test_each_quantity_is_told_in_its_unit():
    assert LateQuestion("page_load_ms", 900.0).words == "log-odds that the page takes longer than 900 ms"
