"""One call for either decision."""

import pandas as pd
import pytest

import workbench as wb
from workbench.studies import study


def test_what_a_dataset_holds_tells_the_decision():
    images, pages = (study(name, rows=1500) for name in ("synthetic_measurements", "synthetic_navigations"))
    assert (images.decision, pages.decision) == ("image", "prefetch")


def test_it_is_the_same_study():
    views = wb.load("synthetic_measurements", rows=1500)
    scenario = wb.ImageScenario(budget_ms=1500)
    one, other = study(views, seed=1, scenario=scenario), wb.study_images(views, seed=1, scenario=scenario)
    assert (one.difference, one.scenario) == (other.difference, scenario)


def test_the_other_decisions_scenario_is_refused():
    with pytest.raises(wb.WorkbenchError, match=r"holds navigations: expected a wb\.PrefetchScenario; got Image"):
        study("synthetic_navigations", scenario=wb.ImageScenario())
    with pytest.raises(wb.WorkbenchError, match=r"holds measurements: expected a wb\.ImageScenario"):
        study("synthetic_measurements", scenario=wb.PrefetchScenario())


def test_a_frame_without_a_card_is_refused():
    with pytest.raises(wb.WorkbenchError, match=r"expected a frame from wb.load\(\)"):
        study(pd.DataFrame({"rtt_ms": [1.0]}))
