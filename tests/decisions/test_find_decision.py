"""Which decision a call is about."""

import pandas as pd
import pytest

import workbench as wb
from workbench.decisions import find_decision
from workbench.studies import study


def test_what_a_dataset_holds_tells_the_decision():
    images, pages = (study(name, rows=1500) for name in ("synthetic_measurements", "synthetic_navigations"))
    assert (images.decision.name, pages.decision.name) == ("images", "prefetch")


def test_it_is_the_same_study():
    views = wb.load("synthetic_measurements", rows=1500)
    scenario = wb.ImageScenario(budget_ms=1500)
    one, other = study(views, seed=1, scenario=scenario), wb.study(views, seed=1, scenario=scenario)
    assert (one.difference, one.scenario) == (other.difference, scenario)


def test_the_other_decisions_scenario_is_refused():
    with pytest.raises(
        wb.WorkbenchError, match="synthetic_navigations holds navigations; images is decided on measure"
    ):
        study("synthetic_navigations", scenario=wb.ImageScenario())
    with pytest.raises(
        wb.WorkbenchError, match="synthetic_measurements holds measurements; prefetch is decided on nav"
    ):
        study("synthetic_measurements", scenario=wb.PrefetchScenario())


@pytest.mark.parametrize("scenario", [object(), "images", 1000.0])
def test_what_is_no_scenario_is_refused(scenario):
    with pytest.raises(wb.WorkbenchError, match=r"scenario must be one of wb\.ImageScenario, wb\.PrefetchScenario"):
        study("synthetic_measurements", scenario=scenario)


def test_a_decision_is_found_by_its_name():
    assert find_decision(name="images").table == "measurements"
    with pytest.raises(wb.WorkbenchError, match=r"decision must be one of images, prefetch.*Did you mean 'images'"):
        find_decision(name="image")


def test_a_frame_without_a_card_is_refused():
    with pytest.raises(wb.WorkbenchError, match=r"expected a frame from wb.load\(\)"):
        study(pd.DataFrame({"rtt_ms": [1.0]}))
