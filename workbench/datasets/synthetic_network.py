"""The simulated world of networks: its providers, users, views, and the true chances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from workbench.checked import checked
from workbench.datasets import synthetic_facts as facts
from workbench.errors import WorkbenchError, check_one_of, check_seed, check_whole

MOST_ROWS = 100_000_000  # which take some 10 GB of memory
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


def stream(seed: int, step: str, steps: Sequence[str] = STREAMS) -> np.random.Generator:
    """The random numbers of one of the steps of one world."""
    return np.random.default_rng([seed, steps.index(step)])


def make_world(seed: int) -> World:
    """The networks of a seed: each provider in each country, with its own AS number and character."""
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
    """Which views (rows,) lie where congestion is planted: iOS in the evening, all other systems at other hours."""
    in_turn = facts.is_evening(local_hour) == (os_family == facts.PLANTED_EVENING_SYSTEM)
    return world.planted[network] & in_turn


def component_weights(world: World, network: np.ndarray, in_cell: np.ndarray) -> np.ndarray:
    """Chance (rows, 4) of each component: the technologies of the network, then congestion."""
    congestion = np.where(in_cell, facts.PLANTED_CONGESTION, world.congestion[network])[:, None]
    return np.hstack([(1 - congestion) * world.technology_shares[network], congestion])


def pick(rng: np.random.Generator, chances: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Draw one option for each element of ``group``, with the chances (groups, options) of its group.

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


KINDS = ("home", "mobile")  # in the order of TECHNOLOGIES and of Provider.kind


def draw_users(rows: int, world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Draw as many users as ``rows`` views need: one row a user, networks and places as positions."""
    counts = np.ceil(rng.lognormal(facts.VIEWS_LOG_MEAN, facts.VIEWS_LOG_SPREAD, rows)).astype(int)
    number = int(np.searchsorted(np.cumsum(counts), rows)) + 1
    country = pick_alike(rng, [c.user_share for c in facts.COUNTRIES], number)
    users = pd.DataFrame({"views": counts[:number], "country": country})
    for kind, name in enumerate(KINDS):
        here = world.country == np.arange(len(facts.COUNTRIES))[:, None]
        size = np.where(here & (world.kind == kind), world.size, 0)
        users[name] = pick(rng, size / size.sum(axis=1, keepdims=True), country)
        users[f"{name}_technology"] = pick(rng, world.technology_shares, users[name].to_numpy())
        for quantity in QUANTITIES:
            users[f"{name}_{quantity}"] = rng.normal(size=number)
    users["region"] = pick_alike(rng, [1 / (1 + rank) for rank in range(len(facts.REGIONS))], number)
    users["city"] = pick_alike(rng, [1 / (1 + rank) for rank in range(facts.CITIES_PER_REGION)], number)
    return users.join(_draw_machines(country, rng))


def _draw_machines(country: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Draw operating system and browser with their major versions, device and Save-Data."""
    fields = {"os_major": "majors", "browser": "browsers", "device": "devices"}
    machines = draw_systems(country, fields, rng).astype({"os_major": float})
    lag = np.minimum(rng.geometric(facts.BROWSER_LAG, len(machines)) - 1, facts.LARGEST_BROWSER_LAG)
    newest = machines["browser"].map(facts.NEWEST_MAJOR) - lag
    # Only Chromium names the phone (Sec-CH-UA-Model), and Safari on iOS carries the version of iOS.
    unnamed = (machines["os_family"] == "Android") & ~machines["browser"].isin(facts.CHROMIUM)
    return machines.assign(
        browser_major=newest.mask(machines["os_family"] == "iOS", machines["os_major"]).astype(float),
        save_data=draw_save_data(machines, rng),
        device=machines["device"].mask(unnamed, "Android phone"),
    )


def draw_systems(country: np.ndarray, fields: Mapping[str, str], rng: np.random.Generator) -> pd.DataFrame:
    """Draw an operating system (``os_family``) for each user, and columns from the fields of ``System`` named here."""
    desktops = facts.shares(facts.DESKTOP_WEIGHTS)
    chances = [
        [c.phone_share * c.ios_share, c.phone_share * (1 - c.ios_share), *((1 - c.phone_share) * desktops)]
        for c in facts.COUNTRIES
    ]
    system = pick(rng, np.array(chances), country)
    drawn = {"os_family": _names(s.name for s in facts.SYSTEMS)[system]}
    for column, field in fields.items():
        drawn[column] = draw_named([getattr(s, field) for s in facts.SYSTEMS], system, rng)
    return pd.DataFrame(drawn)


def draw_named(options: Sequence[Mapping[Any, float]], group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one name for each element of ``group``, by the relative weights of its group."""
    chances = np.zeros((len(options), max(map(len, options))))
    names = np.empty(chances.shape, dtype=object)
    for row, weights in enumerate(options):
        chances[row, : len(weights)] = facts.shares(weights.values())
        names[row, : len(weights)] = list(weights)
    return names[group, pick(rng, chances, group)]


def draw_save_data(machines: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """Draw who asks for less data, by operating system; missing outside Chromium."""
    saves = rng.random(len(machines)) < machines["os_family"].map(facts.SAVE_DATA_SHARE).fillna(0.0)
    return saves.astype("boolean").where(machines["browser"].isin(facts.CHROMIUM))


def draw_views(rows: int, users: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Draw when each user comes and over which network: the users' columns, one row a view, by time."""
    user = np.repeat(np.arange(len(users)), users["views"])[:rows]
    views = users.iloc[user].reset_index(drop=True).assign(user=user)
    second_of_day = pick_alike(rng, facts.HOUR_WEIGHTS, rows) * 3600 + rng.integers(0, 3600, rows)
    offset_h = np.array([c.utc_offset_h for c in facts.COUNTRIES])[views["country"]]
    # A view that falls outside the span in UTC is moved by the whole span, which keeps its local hour.
    local = rng.integers(0, facts.DAYS, rows) * 86_400 + second_of_day
    views["second"] = (local - (offset_h * 3600).astype(int)) % (facts.DAYS * 86_400)
    views["utc_offset_h"], views["local_hour"] = offset_h, second_of_day / 3600
    phone = views["os_family"].isin(facts.PHONE_SYSTEMS)
    home_chance = np.where(facts.is_evening(views["local_hour"]), *facts.HOME_CHANCE_EVENING_AND_DAY)
    home = rng.random(rows) < np.where(phone, home_chance, 1.0)
    views["is_home"] = home
    views["network"] = np.where(home, views["home"], views["mobile"])
    for part in ("technology", *QUANTITIES):
        views[f"user_{part}"] = np.where(home, views[f"home_{part}"], views[f"mobile_{part}"])
    return views.sort_values(["second", "user"], kind="stable", ignore_index=True)


def draw_lines_anew(views: pd.DataFrame, world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Give every view a technology and user effects of its own, from the distributions that users have theirs from."""
    lines = {f"user_{quantity}": rng.normal(size=len(views)) for quantity in QUANTITIES}
    technology = pick(rng, world.technology_shares, views["network"].to_numpy())
    return views.assign(user_technology=technology, **lines)


@checked
def make_measurements(rows: int = 60_000, seed: int = 0, *, planted: bool = True) -> pd.DataFrame:
    """Draw simulated measurements: several views each of people with a home and a mobile network.

    Throughput and the mix of technologies are Ofcom's and the OECD's, round trips Chromium's, desktop systems and
    iPhones StatCounter's, NetInfo as the WICG's draft and MDN describe it, and 80 % of it "4g" as LinkedIn reports;
    speeds of countries, congestion, spreads of round trips and the planted effect are chosen. Every constant is in
    ``workbench.datasets.synthetic_facts``, with its source. Raises a WorkbenchError if ``rows`` or ``seed`` is out of
    range.

    Parameters
    ----------
    rows : int
        Number of rows, from 1, met exactly; about six views a user. The networks do not depend on it.
    seed : int
        From 0; the same seed gives the same bytes.
    planted : bool
        Whether the largest provider of each country has the planted effect (on its two networks iOS meets congestion in
        the evening, all other systems at other hours), and users have lines that last. Otherwise it is a null world:
        the same users, networks and visits, but every view draws its line anew.

    Returns
    -------
    pandas.DataFrame
        One row per view, by time over 28 days, in canonical columns: text as ``str`` (missing: NaN), ``measured_at`` as
        ``datetime64[us, UTC]``, ``save_data`` and ``simulated`` as nullable ``boolean``, the rest ``float64``.
        ``access_technology`` is the line or radio of the view, even if it met congestion. NetInfo describes an earlier
        moment, and knows nothing of the planted effect; in a null world that moment had a line of its own.

    Examples
    --------
    >>> views = make_measurements(rows=1_000, seed=7)
    >>> len(views), bool(views["simulated"].all())
    (1000, True)
    """
    check_whole("rows", rows, at_least=1, at_most=MOST_ROWS)
    check_seed(seed)
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
    """Exact chance, shape (rows, thresholds), that a quantity is worse than each threshold, given the first request.

    The context is one view's own (``asn``, ``os_family``, ``local_hour``): nothing is learnt from a user's other views.
    The chance is the mixture ``sum_k P(k | asn, local_hour, os_family) * Phi((log(threshold) - location_k) /
    spread_k)`` for a throughput strictly below the threshold, its complement for an RTT strictly above it. The two
    quantities share a view's component, so they are not quite independent given the context. ``seed`` and ``planted``
    are those of the world that the views came from.

    >>> views = make_measurements(rows=5, seed=7).assign(local_hour=20.0)
    >>> true_chance_worse(views, "rtt_ms", np.array([50, 200]), seed=7).shape
    (5, 2)
    """
    check_seed(seed)
    check_one_of("quantity", quantity, QUANTITIES)
    check_complete(context, ("asn", "local_hour", "os_family"))
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
    """``exp(location + user effect + noise)`` of each view."""
    network, user = views["network"].to_numpy(), views[f"user_{quantity}"].to_numpy()
    spread = np.sqrt(facts.USER_VARIANCE_SHARE) * world.spread[quantity][network, component]
    return np.exp(world.location[quantity][network, component] + spread * user + noise)


def _net_info(views: pd.DataFrame, world: World, rng: np.random.Generator) -> dict[str, np.ndarray | pd.Series]:
    """What NetInfo says: an earlier, noisy estimate, rounded and capped, on Chromium only."""
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
    """The context columns that are known of every view, positions replaced by names."""
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


def check_complete(context: pd.DataFrame, names: Iterable[str]) -> None:
    """Refuse a context without these columns, or with missing values in them."""
    for name in names:
        if name not in context:
            got = ", ".join(map(str, context.columns))
            raise WorkbenchError(f"true chances need column {name!r}; got {got}. Load the views with it.")
        missing = int(context[name].isna().sum())
        if missing:
            raise WorkbenchError(
                f"true chances need {name!r} in every row; {missing:,} rows have none. Leave them out."
            )
