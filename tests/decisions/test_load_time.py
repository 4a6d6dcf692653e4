import numpy as np
import pytest

from workbench.decisions.load_time import load_ms, slowest_downlink_mbps


def test_round_trips_and_bytes_add_up():
    # 4 x 100 ms, and 1,000 kB = 8,000 kbit at 2,000 kbit/s = 4 s.
    assert load_ms(1_000_000, 100, 2, connection_rtts=4) == pytest.approx(400 + 4000)
    assert load_ms(1_000_000, 100, 2, connection_rtts=1) == pytest.approx(100 + 4000)


@pytest.fixture(scope="module")
def networks() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "view_bytes": rng.uniform(1e3, 1e7, 10_000),
        "rtt_ms": rng.lognormal(4, 1, 10_000),
        "within_ms": rng.uniform(1, 5_000, 10_000),
    }


@pytest.mark.parametrize("connection_rtts", [1.0, 4.0])
def test_the_slowest_throughput_takes_exactly_the_time_there_is(networks, connection_rtts):
    slowest = slowest_downlink_mbps(**networks, connection_rtts=connection_rtts)
    possible = connection_rtts * networks["rtt_ms"] < networks["within_ms"]
    assert 0.2 < possible.mean() < 0.999
    took = load_ms(networks["view_bytes"], networks["rtt_ms"], slowest, connection_rtts)
    np.testing.assert_allclose(took[possible], networks["within_ms"][possible], rtol=1e-9)
    assert np.isinf(slowest[~possible]).all()


def test_the_bracket_at_zero_is_certain_to_be_late_without_a_warning():
    with np.errstate(all="raise"):
        assert np.isinf(slowest_downlink_mbps(1000, [250.0, 251.0], 1000, connection_rtts=4)).all()
