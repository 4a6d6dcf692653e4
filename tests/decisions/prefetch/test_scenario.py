import math
from dataclasses import FrozenInstanceError

import pandas as pd
import pytest

from workbench.decisions.prefetch.scenario import DWELL_S, NETWORKS, PAGE_BYTES, Hover, PrefetchScenario
from workbench.errors import WorkbenchError

NUMBERS = ["lifetime_s", "page_bytes", "dwell_s", "connection_rtts", "usd_per_gb", "usd_per_second"]


@pytest.mark.parametrize("break_even", [0.15, 0.3, 0.45, 0.6])
def test_at_the_break_even_fetching_brings_what_it_costs(break_even):
    price = PrefetchScenario(break_even=break_even).unused_price
    assert break_even * 1 - (1 - break_even) * price == pytest.approx(0)


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, math.nan, "0.15", None, True])
def test_a_break_even_that_is_no_chance_is_refused(value):
    with pytest.raises(WorkbenchError) as caught:
        PrefetchScenario(break_even=value)
    assert str(caught.value).startswith(f"break_even must be a chance between 0 and 1, both excluded; got {value!r}.")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, "1", True])
def test_a_number_that_cannot_be_is_refused_by_name(name, value):
    with pytest.raises(WorkbenchError) as caught:
        PrefetchScenario(**{name: value})
    assert str(caught.value) == f"{name} must be a number above 0; got {value!r}."


@pytest.mark.parametrize("name", ["k", "lifetime_views"])
@pytest.mark.parametrize("value", [0, 2.5, "3", True])
def test_what_is_counted_is_a_whole_number(name, value):
    with pytest.raises(WorkbenchError, match=f"{name} must be a whole number from 1; got"):
        PrefetchScenario(**{name: value})


def test_a_cache_is_there_or_not():
    with pytest.raises(WorkbenchError, match="cache must be True or False; got 'off'"):
        PrefetchScenario(cache="off")


def test_every_class_of_network_needs_its_numbers():
    with pytest.raises(WorkbenchError, match="slow-2g is missing"):
        PrefetchScenario(networks={name: NETWORKS[name] for name in ("4g", "3g", "2g")})
    with pytest.raises(WorkbenchError, match=r"networks\['3g'\] must be \(round trip in ms, Mbit/s\); got 1.6"):
        PrefetchScenario(networks=NETWORKS | {"3g": 1.6})
    with pytest.raises(WorkbenchError, match=r"each number of networks\['3g'\] must be a number above 0; got 0"):
        PrefetchScenario(networks=NETWORKS | {"3g": (300, 0)})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"share": 1.2}, "share of wb.Hover must be a number from 0 to 1; got 1.2"),
        ({"share": "all"}, "share of wb.Hover must be a number from 0 to 1; got 'all'"),
        ({"precision": 0}, "precision of wb.Hover must be above 0 and at most 1; got 0"),
        ({"precision": math.nan}, "precision of wb.Hover must be above 0 and at most 1; got nan"),
        ({"precision": True}, "precision of wb.Hover must be above 0 and at most 1; got True"),
        ({"lead_ms": -1}, "lead_ms of wb.Hover must be a number above 0; got -1"),
    ],
)
def test_a_hover_that_cannot_be_is_refused(given, said):
    with pytest.raises(WorkbenchError, match=said):
        Hover(**given)


def test_what_is_no_hover_is_refused():
    with pytest.raises(
        WorkbenchError, match=r"on_hover must be wb\.Hover\(share=, precision=, lead_ms=\), or None.*True"
    ):
        PrefetchScenario(on_hover=True)


def test_what_was_given_wins_even_where_it_is_the_default():
    assume = {"dwell_s": 40.0, "page_bytes": 1e6}
    unset = PrefetchScenario().with_break_even(0.3).completed(assume, sections=True)
    assert (unset.dwell_s, unset.page_bytes, unset.cache) == (40.0, 1e6, False)
    given = PrefetchScenario(dwell_s=DWELL_S, page_bytes=PAGE_BYTES, cache=True).completed(assume, sections=True)
    assert (given.dwell_s, given.page_bytes, given.cache) == (DWELL_S, PAGE_BYTES, True)
    plain = PrefetchScenario().completed({})
    assert (plain.dwell_s, plain.page_bytes, plain.cache) == (DWELL_S, PAGE_BYTES, True)


def test_an_unknown_network_is_the_fastest():
    kinds = pd.Series(["3g", None, "5g", "4g"], dtype="str")
    rtt_ms, downlink_mbps = PrefetchScenario().network(kinds)
    assert rtt_ms.tolist() == [300, 170, 170, 170] and downlink_mbps.tolist() == [1.6, 9, 9, 9]


def test_a_scenario_is_a_value():
    assert hash(PrefetchScenario()) == hash(PrefetchScenario())
    with pytest.raises(FrozenInstanceError):
        PrefetchScenario().k = 5
