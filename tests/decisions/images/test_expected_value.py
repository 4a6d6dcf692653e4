import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from workbench.decisions.images.scenario import ImageScenario, Prospects, image_prospects
from workbench.decisions.load_time import load_ms
from workbench.errors import WorkbenchError

MEDIAN = {"rtt_ms": 80.0, "downlink_mbps": 6.0}
SPREAD = {"rtt_ms": 0.4, "downlink_mbps": 0.9}


class LogNormal:
    """Chances of a log-normal network, the same for every view; `shift` moves the throughput of a view."""

    def __init__(self, *quantities):
        self.quantities = quantities

    def context(self, frame):
        return frame[["shift"]]

    def chance_worse(self, context, quantity, thresholds):
        with np.errstate(divide="ignore"):
            z = np.log(np.asarray(thresholds) / MEDIAN[quantity]) / SPREAD[quantity]
        if quantity == "rtt_ms":
            return np.tile(norm.sf(z), (len(context), 1))
        return norm.cdf(z[None, :] - context["shift"].to_numpy()[:, None])


def simulate(scenario, shift, quantities, assume, draws=400_000):
    """Draw networks, load every rendition, take means: the same numbers by another road."""
    rng = np.random.default_rng(1)
    drawn = {
        name: MEDIAN[name] * np.exp(SPREAD[name] * (rng.normal(size=draws) + (shift if name == "downlink_mbps" else 0)))
        if name in quantities
        else np.full(draws, assume[name])
        for name in MEDIAN
    }
    load = load_ms(
        scenario.view_bytes, drawn["rtt_ms"][:, None], drawn["downlink_mbps"][:, None], scenario.connection_rtts
    )
    excess = np.clip(load - scenario.budget_ms, 0, scenario.longest_wait_ms)
    return (load > scenario.budget_ms).mean(0), (excess >= scenario.longest_wait_ms).mean(0), excess.mean(0)


@pytest.mark.parametrize("quantities", [("rtt_ms", "downlink_mbps"), ("downlink_mbps",), ("rtt_ms",)])
@pytest.mark.parametrize("budget_ms", [600, 1000, 2500])
def test_prospects_equal_a_simulation_of_the_same_network(quantities, budget_ms):
    scenario, assume = ImageScenario(budget_ms=budget_ms), {"rtt_ms": 115.0, "downlink_mbps": 5.0}
    context = pd.DataFrame({"shift": [0.0, 1.5, 0.0]})
    prospects = image_prospects(LogNormal(*quantities), context, scenario, assume)
    for row, shift in enumerate(context["shift"]):
        late, abandoned, excess = simulate(scenario, shift, quantities, assume)
        assert prospects.late[row] == pytest.approx(late, abs=0.025)
        assert prospects.abandoned[row] == pytest.approx(abandoned, abs=0.015)
        assert prospects.excess_wait_ms[row] == pytest.approx(excess, rel=0.06, abs=4)


def test_page_load_alone_cannot_decide_images():
    source = LogNormal("page_load_ms")
    with pytest.raises(WorkbenchError, match="only page_load_ms was measured"):
        image_prospects(source, pd.DataFrame({"shift": [0.0]}), ImageScenario(), {})


def test_the_best_rendition_by_hand():
    # Price 0.25 points a ms; quality 0, about 42, 100.
    prospects = Prospects(
        late=np.zeros((3, 3)),
        abandoned=np.array([[0, 0, 0], [0, 0, 0.5], [0, 0, 0]]),
        excess_wait_ms=np.array([[0, 0, 0], [0, 0, 100], [0, 100, 500]]),
    )
    # Row 1: 42 against 50 - 25. Row 2: 42 - 25 = 17 against 0 and 100 - 125.
    assert prospects.best(ImageScenario()).tolist() == [2, 1, 1]


def test_ties_go_to_the_smaller_rendition():
    everything_abandoned = Prospects(np.ones((1, 3)), np.ones((1, 3)), np.full((1, 3), 2000.0))
    assert everything_abandoned.best(ImageScenario()).tolist() == [0]


def test_a_dearer_wait_never_sends_a_larger_rendition():
    rng = np.random.default_rng(0)
    abandoned = np.sort(rng.random((500, 3)), axis=1)
    prospects = Prospects(abandoned, abandoned, np.sort(rng.random((500, 3)) * 500, axis=1))
    chosen = [prospects.best(ImageScenario(), limit) for limit in (0.25, 1, 4)]
    assert (chosen[0] >= chosen[1]).all() and (chosen[1] >= chosen[2]).all() and (chosen[0] > chosen[2]).any()
