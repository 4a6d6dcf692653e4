"""A probe without answer, through the whole path: worse than any threshold, abandoned, counted."""

import json

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.schema import count_lost
from workbench.errors import WorkbenchError
from workbench.evidence.verdict import slowest_fifth
from workbench.features.network import count_chances, interpolate_chance, threshold_grid
from workbench.models.network_quality import ask
from workbench.studies.report import assumptions

LOST = 0.2
HUGE = np.array([1e4, 1e6, np.inf])


def rum(rows: int = 3000) -> pd.DataFrame:
    """Two providers; one loses a fifth of its probes, the other none."""
    rng = np.random.default_rng(0)
    bad = np.arange(rows) % 2 == 0
    rtt = rng.lognormal(np.log(60), 0.5, rows)
    rtt[bad & (rng.random(rows) < LOST)] = np.inf
    return pd.DataFrame(
        {
            "rtt_ms": rtt,
            "isp": np.where(bad, "lossy", "sound"),
            "region": "here",
            "user_id": [f"u{number % 600}" for number in range(rows)],
        }
    )


@pytest.fixture(scope="module")
def views():
    return wb.measurements(rum(), assume={"downlink_mbps": (2, 10, 50)}, name="lossy world")


@pytest.fixture(scope="module")
def study(views):
    return wb.study(views)


def test_only_a_round_trip_can_be_lost():
    with pytest.raises(WorkbenchError, match="'downlink_mbps' must be from 1e-05 to 400,000 Mbit/s"):
        wb.measurements(pd.DataFrame({"downlink_mbps": [1.0, np.inf]}))
    with pytest.raises(WorkbenchError, match="expected probes that came back; all 2 were lost"):
        wb.measurements(pd.DataFrame({"rtt_ms": [np.inf, np.inf]}))


def test_thresholds_come_from_what_came_back_and_lost_probes_are_worse_than_all():
    values = np.array([10.0, 20, np.inf, 40])
    grid = threshold_grid(values, "rtt_ms")
    np.testing.assert_array_equal(grid, threshold_grid(np.array([10.0, 20, 40]), "rtt_ms"))
    frame = pd.DataFrame({"isp": list("aabb") * 10, "rtt_ms": np.tile(values, 10)})
    table = count_chances(frame, ("isp",), "rtt_ms", np.arange(len(frame)))
    shares = table.shares(0.0)
    read = interpolate_chance(table.grid, shares, np.array([5.0, 30, *HUGE]), "rtt_ms")
    np.testing.assert_allclose(read[:, 0], 1)
    np.testing.assert_allclose(read[:, 2:], [[0.25, 0.25, 0], [0, 0, 0], [0.5, 0.5, 0]])


def test_every_question_about_a_lost_probe_is_answered_with_worse():
    values = np.array([10.0, 20, np.inf, 40] * 50)
    came = values[np.isfinite(values)]
    asked, answer = ask(np.arange(200, dtype=np.float32)[:, None], values, came, "rtt_ms", seed=0)
    assert np.isfinite(asked).all() and (answer[np.isinf(values)[asked[:, 0].astype(int)]] == 1).all()


@pytest.mark.parametrize("which", ["model", "most fitting size per provider and region"])
def test_chances_stay_at_the_lost_share_however_huge_the_threshold(study, which):
    source = study.model if which == "model" else next(r.policy for r in study.results if r.name == which)
    assert np.isfinite(study.model.heads_["rtt_ms"].levels).all()
    two = pd.DataFrame({"isp": ["lossy", "sound"], "region": ["here", "here"]}).astype("str")
    chance = source.chance_worse(two, "rtt_ms", HUGE)
    np.testing.assert_allclose(chance[0, :2], LOST, atol=0.06)
    assert (chance[1, :2] < 0.05).all()
    np.testing.assert_array_equal(chance[:, 2], 0)


def test_a_lost_view_is_abandoned_whatever_is_sent(study):
    test = study.split.test
    lost = np.isinf(test["rtt_ms"])
    assert 0.05 < lost.mean() < 0.15
    cap = study.scenario.longest_wait_ms
    for result in study.results:
        if result.outcomes is None:
            continue
        gone = result.outcomes[lost]
        assert (gone["added_wait_ms"] == cap).all() and (gone["quality"] == 0).all()
        np.testing.assert_allclose(gone["net"], -study.scenario.wait_price * cap)
        assert np.isfinite(result.outcomes["net"]).all()
    assert (study.of("oracle").outcomes["rendition"][lost] == 0).all()


def test_the_report_survives_and_counts(study, views):
    told = study.to_dict()
    text = json.dumps(told, allow_nan=False)
    assert "Infinity" not in text
    assert told["lost_probes"] == views.attrs["lost"] == count_lost(views) == np.isinf(rum()["rtt_ms"]).sum()
    always = next(policy for policy in told["policies"] if policy["name"] == "always large")
    assert always["load_ms_p95"] is None  # a tenth of all views was lost
    assert always["load_ms_p50"] == pytest.approx(
        np.quantile(study.of("oracle").outcomes["load_ms"].replace(np.inf, 1e9), 0.5), rel=0.5
    )
    said = " ".join(assumptions(study))
    assert f"({views.attrs['lost']:,}) the probe was lost: they count as abandoned" in said


def test_the_slowest_fifth_is_not_everyone_who_lost_one_probe():
    load = np.array([100.0, 100, np.inf, 100, 900, 900, 100, 100, 100, 100, 100, 100])
    users = np.repeat(np.arange(6), 2)
    assert users[slowest_fifth(load, users)].tolist() == [2, 2]
    assert slowest_fifth(np.full(4, np.inf), np.arange(4)).sum() == 1
