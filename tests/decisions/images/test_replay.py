import numpy as np
import pandas as pd
import pytest

from workbench.datasets.schema import known_context
from workbench.decisions.chances import OneOption
from workbench.decisions.images.decision import DECISION as IMAGES
from workbench.decisions.images.replay import quality_at_wait, rendition_payoffs, summarise_images, typical_view
from workbench.decisions.images.scenario import ImageScenario, Ladder
from workbench.decisions.options import measured_or_assumed
from workbench.decisions.policy import Situations
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
    saves = pd.DataFrame({"save_data": pd.array([True, False, None, True], dtype="boolean")})
    assert IMAGES.hindsight(at(VIEWS, context=saves), BY_HAND).tolist() == [0, 1, 0, 0]


def test_replay_reads_the_outcome_of_the_rendition_sent():
    replayed = replay(OneOption("m"), VIEWS)
    assert replayed["net"].tolist() == pytest.approx([50, 50, 50 - 450 / 4, -500])
    assert replayed["bytes"].tolist() == [50e3] * 4
    assumed = replay(OneOption("m"), VIEWS[["downlink_mbps"]], assume={"rtt_ms": 200.0})  # it was not measured
    assert assumed["net"].tolist() == replayed["net"].tolist()


def test_summary_by_hand():
    figures = summarise_images(replay(OneOption("m"), VIEWS), np.array([False, False, True, True]), BY_HAND)
    assert figures.quality == pytest.approx(150 / 4) and figures.late_share == 0.5
    assert figures.large_share == 0 and figures.excess_wait_ms == pytest.approx(2450 / 4)
    assert figures.slowest_fifth_wait_ms == pytest.approx(2450 / 2) and figures.mb_per_1000 == pytest.approx(50)


def test_headroom_by_hand():
    # Perfect: 100 + 50 + 0 - 500. Constants: small 0 + 0 + 0 - 500; medium 50 + 50 - 62.5 - 500; large is worse.
    assert IMAGES.headroom(None, at(VIEWS), BY_HAND) == pytest.approx((-350 - (-462.5)) / 4)
    nobody_left = pd.DataFrame({"save_data": pd.array([True] * 4, dtype="boolean")})
    assert IMAGES.headroom(None, at(VIEWS, context=nobody_left), BY_HAND) == 0


def test_the_typical_view_is_the_majoritys_and_its_time_the_median():
    outcomes = pd.DataFrame({"rendition": [2, 2, 1, 0, 2], "load_ms": [100.0, 300, 500, 700, 9000]})
    view = typical_view(outcomes, np.array([True, True, True, True, False]))
    assert (view.rendition, view.share, view.load_ms) == (2, 0.5, 400)


def test_quality_at_wait_reads_between_points_and_not_beyond():
    frontier = pd.DataFrame({"added_wait_ms": [10.0, 20, 30], "quality": [40.0, 60, 70]})
    assert quality_at_wait(frontier, 15) == 50 and quality_at_wait(frontier, 5) is None
    assert quality_at_wait(frontier, 31) is None


def test_a_lost_probe_needs_no_throughput_and_any_other_gap_is_refused_with_the_way_out():
    frame = pd.DataFrame({"rtt_ms": [np.inf, 40.0, 50.0], "downlink_mbps": [np.nan, 8.0, 4.0]})
    assert measured_or_assumed(frame, "downlink_mbps", {}).tolist() == [6.0, 8.0, 4.0]
    with pytest.raises(WorkbenchError, match=r'missing in 1 of 3 views.*require = \["downlink_mbps"\]'):
        measured_or_assumed(frame.assign(rtt_ms=40.0), "downlink_mbps", {})
