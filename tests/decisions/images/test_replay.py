"""Replay by hand, abandonment, and the guard against peeking."""

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.schema import known_context
from workbench.decisions.chances import OneOption
from workbench.decisions.decision import Situations
from workbench.decisions.images.decision import DECISION as IMAGES
from workbench.decisions.images.replay import rendition_payoffs, summarise_images, typical_view
from workbench.decisions.images.scenario import ImageScenario, Ladder
from workbench.decisions.options import decide
from workbench.errors import WorkbenchError

# One image a view of 10, 50 or 100 kB; quality 0, 50, 100; one round trip; 1 point a 4 ms.
BY_HAND = ImageScenario(
    budget_ms=1000,
    images_per_view=1,
    connection_rtts=1,
    ladder=Ladder(("s", "m", "l"), (10e3, 50e3, 100e3), (0, 0.5, 1)),
)
VIEWS = pd.DataFrame({"rtt_ms": [200.0, 200.0, 200.0, 200.0], "downlink_mbps": [8.0, 0.8, 0.32, 0.02]})
# At 8 Mbit/s: 210, 250, 300 ms. At 0.8: 300, 700, 1200. At 0.32: 450, 1450, 2700. At 0.02: 4200 and more: abandoned.
LOAD_MS = [[210, 250, 300], [300, 700, 1200], [450, 1450, 2700], [4200, 20200, 40200]]


def at(views, known_by="first_request", assume=None, context=None):
    """Views to decide in, each of a user of its own."""
    context = known_context(views, known_by) if context is None else context
    given = rendition_payoffs(views, BY_HAND, assume or {})
    return Situations(views, context, np.arange(len(views)), "views", None, known_by, given)


def replay(policy, views, known_by="first_request", assume=None):
    here = at(views, known_by, assume)
    return IMAGES.outcomes(IMAGES.ask(policy, here, BY_HAND), here, BY_HAND)


def test_outcomes_by_hand():
    outcomes = rendition_payoffs(VIEWS, BY_HAND, {})
    assert outcomes["load_ms"] == pytest.approx(np.array(LOAD_MS))
    assert outcomes["late"].astype(int).tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]]
    assert outcomes["added_wait_ms"] == pytest.approx(
        np.array([[0, 0, 0], [0, 0, 200], [0, 450, 1700], [2000, 2000, 2000]])
    )
    assert outcomes["quality"].tolist() == [[0, 50, 100], [0, 50, 100], [0, 50, 100], [0, 0, 0]]
    assert outcomes["net"][1].tolist() == pytest.approx([0, 50, 100 - 50])
    assert outcomes["net"][3].tolist() == pytest.approx([-500, -500, -500])


def test_perfect_knowledge_takes_the_best_and_among_equals_the_smaller():
    # View 1: medium and large both bring 50, so medium; view 3 is lost anyway, so small.
    assert IMAGES.hindsight(at(VIEWS), BY_HAND).tolist() == [2, 1, 0, 0]


def test_replay_reads_the_outcome_of_the_rendition_sent():
    replayed = replay(OneOption("m"), VIEWS)
    assert replayed["net"].tolist() == pytest.approx([50, 50, 50 - 450 / 4, -500])
    assert replayed["bytes"].tolist() == [50e3] * 4


def test_an_assumed_quantity_stands_for_one_that_was_not_measured():
    assumed = replay(OneOption("m"), VIEWS[["downlink_mbps"]], assume={"rtt_ms": 200.0})
    assert assumed["net"].tolist() == replay(OneOption("m"), VIEWS)["net"].tolist()


def test_a_quantity_neither_measured_nor_assumed_is_asked_for():
    with pytest.raises(WorkbenchError, match="rtt_ms is neither measured nor assumed"):
        replay(OneOption("m"), VIEWS[["downlink_mbps"]])


def test_a_quantity_missing_in_some_views_is_refused():
    with pytest.raises(WorkbenchError, match="rtt_ms is missing in 1 of 4 views"):
        replay(OneOption("m"), VIEWS.assign(rtt_ms=[200, 200, None, 200]))


def peeks_by_key(context):
    return context["downlink_mbps"].gt(1).map({True: "l", False: "s"})


def peeks_by_attribute(context):
    return context.rtt_ms.gt(1).map({True: "l", False: "s"})


@pytest.mark.parametrize(("policy", "column"), [(peeks_by_key, "downlink_mbps"), (peeks_by_attribute, "rtt_ms")])
def test_a_policy_that_reads_its_own_measurement_raises(policy, column):
    with pytest.raises(WorkbenchError, match=f"{policy.__name__} reads '{column}', which the view itself measured"):
        replay(policy, VIEWS)


def test_the_guard_can_fail():
    """Broken on purpose: where the whole frame is handed out, peeking goes unnoticed."""
    assert IMAGES.ask(peeks_by_key, at(VIEWS, context=VIEWS), BY_HAND).tolist() == [2, 0, 0, 0]


def test_what_is_known_later_is_not_shown():
    views = VIEWS.assign(effective_type="4g")

    def by_class(context):
        return context["effective_type"].map({"4g": "l"})

    with pytest.raises(WorkbenchError, match="'effective_type', which is not known when the decision is taken"):
        replay(by_class, views, known_by="first_request")
    assert replay(by_class, views, known_by="after_accept_ch")["rendition"].tolist() == [2] * 4


def test_a_policy_cannot_change_what_others_see():
    context = known_context(VIEWS.assign(country="SE"), "first_request")

    def vandal(context):
        context["country"] = "XX"
        return ["s"] * len(context)

    decide(vandal, context, BY_HAND)
    assert (context["country"] == "SE").all()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (["s", "s"], "expected one of s, m, l for each of 4 views; got 2 answers"),
        (["s", "huge", "s", "huge"], "expected one of s, m, l for each of 4 views; got 'huge' in 2"),
        ([None] * 4, "got None in 4 of them"),
    ],
)
def test_a_wrong_answer_is_named(answer, said):
    with pytest.raises(WorkbenchError, match=said):
        decide(lambda context: answer, pd.DataFrame(index=VIEWS.index), BY_HAND)


def test_save_data_always_gets_the_smallest():
    context = pd.DataFrame({"save_data": pd.array([True, False, None, True], dtype="boolean")})
    assert decide(OneOption("l"), context, BY_HAND).tolist() == [0, 2, 2, 0]
    assert IMAGES.hindsight(at(VIEWS, context=context), BY_HAND).tolist() == [0, 1, 0, 0]


def test_a_policy_that_takes_the_scenario_gets_it():
    def by_budget(context, scenario):
        return ["l" if scenario.budget_ms > 500 else "s"] * len(context)

    assert decide(by_budget, pd.DataFrame(index=[0]), BY_HAND).tolist() == [2]


def test_summary_by_hand():
    figures = summarise_images(replay(OneOption("m"), VIEWS), np.array([False, False, True, True]), BY_HAND)
    assert figures.quality == pytest.approx(150 / 4)
    assert figures.late_share == 0.5
    assert figures.large_share == 0
    assert figures.excess_wait_ms == pytest.approx(2450 / 4)
    assert figures.slowest_fifth_wait_ms == pytest.approx(2450 / 2)
    assert figures.mb_per_1000 == pytest.approx(50)


def test_headroom_by_hand():
    # Perfect: 100 + 50 + 0 - 500. Constants: small 0 + 0 + 0 - 500; medium 50 + 50 - 62.5 - 500; large is worse.
    assert IMAGES.headroom(None, at(VIEWS), BY_HAND) == pytest.approx((-350 - (-462.5)) / 4)
    nobody_left = pd.DataFrame({"save_data": pd.array([True] * 4, dtype="boolean")})
    assert IMAGES.headroom(None, at(VIEWS, context=nobody_left), BY_HAND) == 0


def test_the_typical_view_is_the_majoritys_and_its_time_the_median():
    outcomes = pd.DataFrame({"rendition": [2, 2, 1, 0, 2], "load_ms": [100.0, 300, 500, 700, 9000]})
    view = typical_view(outcomes, np.array([True, True, True, True, False]))
    assert (view.rendition, view.share, view.load_ms) == (2, 0.5, 400)


def test_a_tie_goes_to_the_smaller_rendition():
    outcomes = pd.DataFrame({"rendition": [2, 1], "load_ms": [1.0, 3.0]})
    assert typical_view(outcomes, np.array([True, True])).rendition == 1
