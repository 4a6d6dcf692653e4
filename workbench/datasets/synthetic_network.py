"""A simulated world of people on networks: its measurements, and the true chance of each outcome.

Two public functions: :func:`make_measurements` draws a frame, :func:`true_chance_worse` gives the exact
chance behind it. The truth is one mixture of normals in the logarithm: ``log(quantity) = location(network,
component) + user + view``. Which component (a technology, or congestion) a view gets depends on its ASN and,
where the effect is planted, on the local hour and the operating system; nothing else in the context says
anything about the network. The constants and their sources are in ``synthetic_network_facts``, the networks
in ``synthetic_network_world``.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.special import ndtr

from workbench.datasets import synthetic_network_facts as facts
from workbench.datasets.synthetic_network_people import draw_lines_anew, draw_users, draw_views
from workbench.datasets.synthetic_network_world import (
    CONGESTED,
    QUANTITIES,
    World,
    component_weights,
    in_planted_cell,
    make_world,
    stream,
)
from workbench.errors import WorkbenchError, check_whole


def make_measurements(rows: int = 60_000, seed: int = 0, *, planted: bool = True) -> pd.DataFrame:
    """Draw simulated measurements: several views each of people with a home and a mobile network.

    Parameters
    ----------
    rows : int
        Number of rows, met exactly; about six views a user. The networks do not depend on it.
    seed : int
        Not negative; the same seed gives the same bytes.
    planted : bool
        Whether two providers of each country have the planted effect (their iOS devices meet congestion in the
        evening, their Android devices at all other hours), and users have lines that last. Otherwise it is a null
        world: the same users, networks and visits, but every view draws its line anew.

    Returns
    -------
    pandas.DataFrame
        One row a view, by time over 28 days, in canonical columns: text as ``str`` (missing: NaN),
        ``measured_at`` as ``datetime64[us, UTC]``, ``save_data`` and ``simulated`` as nullable ``boolean``,
        the rest ``float64``. ``access_technology`` is the line or radio of the view, also where it met
        congestion. NetInfo speaks of an earlier moment, and knows nothing of the planted effect; in a null world
        that moment had a line of its own.

    Notes
    -----
    The parameters that decide most; ``synthetic_network_facts`` has all of them, with the sources in full.

    =================================  =================================  ==================================
    parameter                          value                              source
    =================================  =================================  ==================================
    throughput, fibre, cable, dsl      149.2, 270.6, 11.9 Mbps            Ofcom, Home Broadband, March 2023
    throughput, 5g, 4g, 3g             53.3, 20.0, 3.7 Mbps               Ofcom, Mobile Matters 2024
    slow views, 5g, 4g, 3g             1, 5, 22 % below 2 Mbps            Ofcom, Mobile Matters 2024
    RTT, home, 4g, 3g                  66, 80, 209 ms                     Chromium, defaults of NetInfo
    homes with fibre, dsl              42 %, 20 %                         OECD, broadband, end of 2023
    mobile views on 5g, 4g, 3g         20, 78, 2 % (largest provider)     Ofcom, Mobile Matters 2024
    phones on WiFi                     62.3 % of the views                Ofcom, Mobile Matters 2023
    desktop systems                    Windows 72.7, macOS 16.4, ...      StatCounter, December 2023
    browsers with NetInfo              Chromium's, not Safari, Firefox    MDN, browser-compat-data
    effective types                    270, 1400, 2000 ms; 0.7 Mbps, ...  WICG, Network Information API
    "4g" where there is a type         80 %                               LinkedIn, W3C TPAC 2021
    NetInfo RTT to network RTT         1.75                               Chromium, defaults of NetInfo
    countries' speed, users, phones    see the constants                  chosen
    congestion, spreads of RTT         150 ms, 2.2 Mbps; 0.4 to 0.5       chosen
    planted congestion                 0.65                               chosen
    =================================  =================================  ==================================

    Raises
    ------
    WorkbenchError
        If ``rows`` is not a whole number from 1, or ``seed`` not one from 0.

    Examples
    --------
    >>> views = make_measurements(rows=1_000, seed=7)
    >>> len(views), bool(views["simulated"].all())
    (1000, True)
    >>> bool(views.loc[views["browser"] == "Safari", "effective_type"].isna().all())
    True
    """
    check_whole("rows", rows, at_least=1)
    check_whole("seed", seed, at_least=0)
    world = make_world(seed)
    users = draw_users(rows, world, stream(seed, "users"))
    views = earlier = draw_views(rows, users, stream(seed, "views"))
    if not planted:
        views, earlier = (draw_lines_anew(views, world, stream(seed, step)) for step in ("lines", "earlier lines"))
    measured = _measure(views, world, planted, stream(seed, "measured"))
    netinfo = _net_info(earlier, world, stream(seed, "netinfo"))
    simulated = pd.Series(True, views.index, dtype="boolean")
    return _name_things(views, world).assign(**netinfo, **measured, simulated=simulated)


def true_chance_worse(
    context: pd.DataFrame, quantity: str, thresholds: np.ndarray, *, seed: int, planted: bool = True
) -> np.ndarray:
    """Return the exact chance that a quantity is worse than each threshold, given the first request.

    The context is one view's own: nothing is learnt from a user's other views. The chance is the mixture
    ``sum_k P(k | asn, local_hour, os_family) * Phi((log(threshold) - location_k) / spread_k)``, or its
    complement. The two quantities share a view's component, so they are not quite independent given the
    context.

    Parameters
    ----------
    context : pandas.DataFrame
        Shape (rows, columns): ``asn`` and ``os_family`` (str), ``local_hour`` (hours, whole or not); the rest
        is ignored.
    quantity : {"rtt_ms", "downlink_mbps"}
        Worse is an RTT strictly above the threshold, a throughput strictly below it.
    thresholds : numpy.ndarray
        Shape (thresholds,), float, ms or Mbps.
    seed, planted
        Those of the world that the views came from.

    Returns
    -------
    numpy.ndarray
        Shape (rows, thresholds), float64, in [0, 1].

    Raises
    ------
    WorkbenchError
        If the quantity, a column or an ASN is unknown, or a value of the three columns is missing.

    Examples
    --------
    >>> views = make_measurements(rows=5, seed=7).assign(local_hour=20.0)
    >>> true_chance_worse(views, "rtt_ms", np.array([50, 200]), seed=7).shape
    (5, 2)
    """
    check_whole("seed", seed, at_least=0)
    _check_context(context, quantity)
    world = make_world(seed)
    network = _network_of(context["asn"], world, seed)
    hour, system = context["local_hour"].to_numpy(dtype=float), context["os_family"].to_numpy(dtype=object)
    in_cell = planted & in_planted_cell(world, network, hour, system)
    # Few contexts differ: the mixture is computed once for each.
    distinct, where = np.unique(2 * network + in_cell, return_inverse=True)
    network, in_cell = distinct // 2, distinct % 2 == 1
    with np.errstate(divide="ignore"):
        edges = np.log(np.clip(np.asarray(thresholds, dtype=float), 0, None))
    location, spread = world.location[quantity][network], world.spread[quantity][network]
    score = (edges - location[:, :, None]) / spread[:, :, None]
    worse = ndtr(score if quantity == "downlink_mbps" else -score)
    return np.einsum("nk,nkt->nt", component_weights(world, network, in_cell), worse).clip(0, 1)[where]


def _measure(views: pd.DataFrame, world: World, planted: bool, rng: np.random.Generator) -> dict[str, np.ndarray]:
    network, rows = views["network"].to_numpy(), len(views)
    hour, system = views["local_hour"].to_numpy(), views["os_family"].to_numpy(dtype=object)
    in_cell = planted & in_planted_cell(world, network, hour, system)
    congested = rng.random(rows) < component_weights(world, network, in_cell)[:, CONGESTED]
    component = np.where(congested, CONGESTED, views["user_technology"])
    own = {name: world.spread[name][network, component] * rng.normal(size=rows) for name in QUANTITIES}
    share = np.sqrt(1 - facts.USER_VARIANCE_SHARE)
    return {name: _values(views, world, component, name, share * own[name]) for name in QUANTITIES}


def _values(views: pd.DataFrame, world: World, component: np.ndarray, quantity: str, noise: np.ndarray) -> np.ndarray:
    """Return ``exp(location + user effect + noise)`` of each view."""
    network, user = views["network"].to_numpy(), views[f"user_{quantity}"].to_numpy()
    spread = np.sqrt(facts.USER_VARIANCE_SHARE) * world.spread[quantity][network, component]
    return np.exp(world.location[quantity][network, component] + spread * user + noise)


def _net_info(views: pd.DataFrame, world: World, rng: np.random.Generator) -> dict[str, np.ndarray | pd.Series]:
    """Return what NetInfo says: an earlier, noisy estimate, rounded and capped, on Chromium only."""
    rows, network = len(views), views["network"].to_numpy()
    component = np.where(rng.random(rows) < world.congestion[network], CONGESTED, views["user_technology"])
    server_time = np.log(facts.NETINFO_HTTP_RTT_FACTOR)
    rtt_noise = server_time + facts.NETINFO_RTT_NOISE * rng.normal(size=rows)
    rtt = _values(views, world, component, "rtt_ms", rtt_noise)
    downlink_noise = facts.NETINFO_DOWNLINK_NOISE * rng.normal(size=rows)
    downlink = _values(views, world, component, "downlink_mbps", downlink_noise)
    limits = zip(facts.EFFECTIVE_TYPE_RTT_MS, facts.EFFECTIVE_TYPE_DOWNLINK_MBPS, strict=True)
    at_most = [(rtt >= rtt_ms) | (downlink < mbps) for rtt_ms, mbps in limits]
    effective_type = np.array(facts.EFFECTIVE_TYPES, dtype=object)[len(at_most) - np.sum(at_most, axis=0)]
    chromebook = (views["os_family"] == "ChromeOS") & (rng.random(rows) < facts.CHROMEBOOK_ETHERNET_SHARE)
    link = np.select([~views["is_home"], chromebook], ["cellular", "ethernet"], "wifi").astype(object)
    chromium = views["browser"].isin(facts.CHROMIUM)
    tells_link = chromium & views["os_family"].isin(facts.CONNECTION_TYPE_SYSTEMS)
    rtt = _blunt(rtt, facts.NETINFO_RTT_STEP_MS, facts.NETINFO_RTT_CAP_MS)
    downlink = _blunt(downlink, facts.NETINFO_DOWNLINK_STEP_MBPS, facts.NETINFO_DOWNLINK_CAP_MBPS)
    return {
        "effective_type": pd.Series(effective_type, dtype="str").where(chromium),
        "netinfo_rtt_ms": np.where(chromium, rtt, np.nan),
        "netinfo_downlink_mbps": np.where(chromium, downlink, np.nan),
        "connection_type": pd.Series(link, dtype="str").where(tells_link),
    }


def _blunt(values: np.ndarray, step: float, cap: float) -> np.ndarray:
    return np.round(np.minimum(values, cap) / step) * step


def _name_things(views: pd.DataFrame, world: World) -> pd.DataFrame:
    """Return the context columns that are known of every view, positions replaced by names."""
    network = views["network"].to_numpy()
    country = _names(c.code for c in facts.COUNTRIES)[views["country"]]
    region = country + " " + _names(facts.REGIONS)[views["region"]]
    technologies = np.array([_names(t.name for t in kind) for kind in facts.TECHNOLOGIES])
    text = {
        "user_id": "u" + views["user"].astype("str").str.zfill(6),
        "country": country,
        "asn": world.asn[network],
        "isp": country + " " + _names(p.name for p in facts.PROVIDERS)[world.provider[network]],
        "region": region,
        "city": region + " " + (views["city"] + 1).astype("str").to_numpy(dtype=object),
        **{name: views[name] for name in ("os_family", "browser", "device")},
        "access_technology": technologies[world.kind[network], views["user_technology"]],
    }
    measured_at = pd.Timestamp(facts.FIRST_DAY, tz="UTC") + pd.to_timedelta(views["second"], unit="s")
    return (
        pd.DataFrame(text)
        .astype("str")
        .assign(
            measured_at=measured_at.astype("datetime64[us, UTC]"),
            **{name: views[name] for name in ("utc_offset_h", "os_major", "browser_major", "save_data")},
        )
    )


def _names(names: Iterable[str]) -> np.ndarray:
    return np.array(list(names), dtype=object)


def _network_of(asn: pd.Series, world: World, seed: int) -> np.ndarray:
    network = pd.Index(world.asn).get_indexer(asn.astype(object))
    unknown = network < 0
    if unknown.any():
        raise WorkbenchError(
            f"asn must be one of the simulated world with seed={seed}; {int(unknown.sum()):,} rows differ, "
            f"first {asn[unknown].iloc[0]!r}. Ask with the seed that the views were made with."
        )
    return network


def _check_context(context: pd.DataFrame, quantity: str) -> None:
    if quantity not in QUANTITIES:
        raise WorkbenchError(f"quantity must be one of {', '.join(QUANTITIES)}; got {quantity!r}.")
    for name in ("asn", "local_hour", "os_family"):
        if name not in context:
            got = ", ".join(map(str, context.columns))
            raise WorkbenchError(f"The true chance needs column {name!r}; got {got}. Load the views with it.")
        missing = int(context[name].isna().sum())
        if missing:
            raise WorkbenchError(
                f"The true chance needs {name!r} in every row; {missing:,} rows have none. Leave those out."
            )
