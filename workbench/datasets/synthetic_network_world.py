"""The networks of the simulated world, and the mixture that every measured value is drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.datasets import synthetic_network_facts as facts

QUANTITIES = ("rtt_ms", "downlink_mbps")
CONGESTED = 3  # the component after the three technologies of a network
# One random stream a step, so that no step can move another: the planted switch moves no user and no visit.
STREAMS = ("world", "users", "views", "measured", "netinfo", "lines", "earlier lines")


@dataclass(frozen=True)
class World:
    """The networks: one row of an array is one ASN, columns of the wide ones are the mixture's components."""

    asn: np.ndarray  # str, digits
    country: np.ndarray  # position in COUNTRIES
    provider: np.ndarray  # position in PROVIDERS
    kind: np.ndarray  # 0 fixed line, 1 mobile
    size: np.ndarray  # relative, within a country and kind
    planted: np.ndarray  # bool
    congestion: np.ndarray  # share of views, outside the planted cells
    technology_shares: np.ndarray  # (networks, 3)
    location: dict[str, np.ndarray]  # quantity -> (networks, 4), natural log of the median
    spread: dict[str, np.ndarray]  # quantity -> (networks, 4), standard deviation of the natural log


def stream(seed: int, step: str) -> np.random.Generator:
    """Return the random numbers of one step of one world."""
    return np.random.default_rng([seed, STREAMS.index(step)])


def make_world(seed: int) -> World:
    """Return the networks of a seed: each provider in each country, with its own AS number and character."""
    rng = stream(seed, "world")
    networks = len(facts.COUNTRIES) * len(facts.PROVIDERS)
    country, provider = np.divmod(np.arange(networks), len(facts.PROVIDERS))
    fields = facts.Provider._fields
    of = {name: np.array([getattr(p, name) for p in facts.PROVIDERS])[provider] for name in fields}
    speed = np.log(of["speed"] * np.array([c.speed for c in facts.COUNTRIES])[country])
    shift = {
        "rtt_ms": rng.normal(0, facts.NETWORK_RTT_SPREAD, networks),
        "downlink_mbps": speed + rng.normal(0, facts.NETWORK_DOWNLINK_SPREAD, networks),
    }
    location, spread = {}, {}
    for quantity in QUANTITIES:
        medians, spreads = facts.component_table(quantity)
        location[quantity] = np.log(medians)[of["kind"]]
        location[quantity][:, :CONGESTED] += shift[quantity][:, None]
        spread[quantity] = spreads[of["kind"]]
    asns = rng.choice(np.arange(facts.FIRST_ASN, facts.LAST_ASN + 1), networks, replace=False)
    return World(
        asn=asns.astype(str).astype(object),
        country=country,
        provider=provider,
        kind=of["kind"],
        size=np.exp(rng.normal(0, facts.NETWORK_SIZE_JITTER, networks)) / of["rank"],
        planted=of["planted"],
        congestion=of["congestion"],
        technology_shares=of["technology_shares"],
        location=location,
        spread=spread,
    )


def in_planted_cell(world: World, network: np.ndarray, local_hour: np.ndarray, os_family: np.ndarray) -> np.ndarray:
    """Return which views (rows,) lie where congestion is planted: iOS in the evening, Android otherwise."""
    slow = np.where(
        facts.is_evening(local_hour),
        os_family == facts.PLANTED_EVENING_SYSTEM,
        os_family == facts.PLANTED_DAY_SYSTEM,
    )
    return world.planted[network] & slow


def component_weights(world: World, network: np.ndarray, in_cell: np.ndarray) -> np.ndarray:
    """Return the chance (rows, 4) of each component: the technologies of the network, then congestion."""
    congestion = np.where(in_cell, facts.PLANTED_CONGESTION, world.congestion[network])[:, None]
    return np.hstack([(1 - congestion) * world.technology_shares[network], congestion])


def pick(rng: np.random.Generator, chances: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Draw one option for each element of ``group``, with the chances (groups, options) of its group.

    Examples
    --------
    >>> pick(np.random.default_rng(0), np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1, 0])).tolist()
    [1, 0, 1]
    """
    groups, options = chances.shape
    edges = np.cumsum(chances, axis=1) + np.arange(groups)[:, None]
    found = np.searchsorted(edges.ravel(), rng.random(len(group)) + group, side="right") - group * options
    return np.clip(found, 0, options - 1)


def pick_alike(rng: np.random.Generator, weights: Sequence[float], number: int) -> np.ndarray:
    """Draw ``number`` options with the same relative weights."""
    return pick(rng, facts.shares(weights)[None], np.zeros(number, dtype=int))
