"""How long bytes take on a network, and the formula's inverses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

BITS_PER_BYTE = 8


def load_ms(view_bytes: ArrayLike, rtt_ms: ArrayLike, downlink_mbps: ArrayLike, connection_rtts: float) -> np.ndarray:
    """Milliseconds until all images of a view are there: float, broadcast from the arguments.

    ``connection_rtts * rtt_ms + 8 * bytes / (1000 * downlink_mbps)``: round trips to set up the connection and ask
    (DNS, TCP, TLS 1.3, request: 4 cold, 1 warm; Grigorik 2013, High Performance Browser Networking, ch. 2 to 4), then
    the bytes at the measured throughput. Slow start and loss are left out: throughput is what a test saw.

    >>> float(load_ms(500_000, rtt_ms=50, downlink_mbps=8, connection_rtts=4))
    700.0
    """
    transfer = BITS_PER_BYTE * np.asarray(view_bytes, float) / (1000 * np.asarray(downlink_mbps, float))
    return connection_rtts * np.asarray(rtt_ms, float) + transfer


def longest_rtt_ms(
    view_bytes: ArrayLike, downlink_mbps: ArrayLike, within_ms: ArrayLike, connection_rtts: float
) -> np.ndarray:
    """Round trip above which the images are not there in time: an inverse of :func:`load_ms`.

    At or below 0 where the bytes alone take the time, so that "longer than this" is certain.

    >>> float(longest_rtt_ms(500_000, downlink_mbps=8, within_ms=700, connection_rtts=4))
    50.0
    """
    return (np.asarray(within_ms, float) - load_ms(view_bytes, 0, downlink_mbps, 0)) / connection_rtts


def slowest_downlink_mbps(
    view_bytes: ArrayLike, rtt_ms: ArrayLike, within_ms: ArrayLike, connection_rtts: float
) -> np.ndarray:
    """Throughput below which the images are not there in time: the other inverse of :func:`load_ms`.

    Infinite where the round trips alone take the time, so that "slower than this" is certain.

    >>> float(slowest_downlink_mbps(500_000, rtt_ms=50, within_ms=700, connection_rtts=4))
    8.0
    """
    left_ms = np.asarray(within_ms, float) - connection_rtts * np.asarray(rtt_ms, float)
    bits = BITS_PER_BYTE * np.asarray(view_bytes, float)
    with np.errstate(divide="ignore"):
        return np.where(left_ms > 0, bits / (1000 * np.maximum(left_ms, 0)), np.inf)
