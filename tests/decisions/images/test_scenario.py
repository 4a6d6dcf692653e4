import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from workbench.decisions.images.scenario import ImageScenario, Ladder
from workbench.errors import WorkbenchError

NUMBERS = ["budget_ms", "cancelling_wait_ms", "images_per_view", "connection_rtts", "cap_ms"]


def test_the_defaults_are_those_of_the_design():
    scenario = ImageScenario()
    assert (scenario.budget_ms, scenario.cancelling_wait_ms) == (1000, 400)
    assert (scenario.images_per_view, scenario.connection_rtts) == (12, 4)
    assert scenario.ladder.names == ("small", "medium", "large")


def test_the_cancelling_wait_costs_what_the_largest_image_gains():
    assert ImageScenario(cancelling_wait_ms=800).wait_price * 800 == 100


def test_a_view_loads_all_its_images():
    ladder = Ladder(("a", "b"), (1000, 3000), (0.5, 0.9))
    assert ImageScenario(images_per_view=5, ladder=ladder).view_bytes.tolist() == [5000, 15000]


@pytest.mark.parametrize(("budget_ms", "cap_ms"), [(300, 2000), (1000, 2000), (1001, 2002), (2500, 5000)])
def test_the_cap_is_two_seconds_or_twice_the_budget(budget_ms, cap_ms):
    assert ImageScenario(budget_ms=budget_ms).cap_ms == cap_ms


def test_load_times_are_judged_as_by_hand():
    ladder = Ladder(("small", "medium", "large"), (1, 2, 3), (0.5, 0.6, 0.9))  # worth 0, 25 and 100 points
    scenario = ImageScenario(budget_ms=1000, cancelling_wait_ms=400, cap_ms=2000, ladder=ladder)
    load_ms = np.array([[200.0, 1000, 1100], [2999, 3000, 50_000]])
    excess_wait_ms, quality, net = scenario.judge(load_ms)
    assert excess_wait_ms == pytest.approx(np.array([[0, 0, 100], [1999, 2000, 2000]]))
    # At the cap the view is abandoned, whatever was sent.
    assert quality == pytest.approx(np.array([[0, 25, 100], [0, 0, 0]]))
    assert net == pytest.approx(np.array([[0, 25, 75], [-499.75, -500, -500]]))


def test_the_largest_image_late_by_the_cancelling_wait_is_worth_the_smallest_in_time():
    scenario = ImageScenario(budget_ms=700, cancelling_wait_ms=300)
    _, _, net = scenario.judge(np.array([[700.0, 700, 1000]]))
    assert net[0, 2] == net[0, 0] == 0


def test_another_budget_moves_a_default_cap_and_keeps_a_chosen_one():
    assert ImageScenario().with_budget(3000).cap_ms == 6000
    assert ImageScenario(budget_ms=3000).with_budget(500).cap_ms == 2000
    assert ImageScenario(cap_ms=700).with_budget(3000).cap_ms == 700


def test_another_budget_keeps_everything_else():
    ladder = Ladder(("a", "b"), (1000, 3000), (0.5, 0.9))
    first = ImageScenario(cancelling_wait_ms=123, images_per_view=3, connection_rtts=1, ladder=ladder)
    moved = first.with_budget(1500)
    assert moved == ImageScenario(
        budget_ms=1500, cancelling_wait_ms=123, images_per_view=3, connection_rtts=1, ladder=ladder
    )
    assert first.budget_ms == 1000


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1, 0, math.inf, "1000", None, True])
def test_a_number_that_cannot_be_is_refused_by_name(name, value):
    with pytest.raises(WorkbenchError) as caught:
        ImageScenario(**{name: value})
    assert str(caught.value) == f"{name} must be a number above 0; got {value!r}."


@pytest.mark.parametrize("name", [name for name in NUMBERS if name != "cap_ms"])
def test_a_number_that_is_none_is_refused(name):
    with pytest.raises(WorkbenchError, match=f"{name} must be a number above 0; got nan"):
        ImageScenario(**{name: math.nan})


def test_a_negative_budget_is_refused_on_the_second_way_in_too():
    with pytest.raises(WorkbenchError, match=r"^budget_ms must be a number above 0; got -5\.$"):
        ImageScenario().with_budget(-5)


def test_numbers_of_numpy_are_numbers():
    assert ImageScenario(budget_ms=np.float32(500), images_per_view=np.int64(3)).cap_ms == 2000


def test_a_scenario_cannot_be_changed_behind_a_result():
    with pytest.raises(FrozenInstanceError):
        ImageScenario().budget_ms = 5
