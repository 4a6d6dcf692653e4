"""The people of the simulated world: where they live, what they hold, when and how they come."""

import numpy as np
import pandas as pd

from workbench.datasets import synthetic_network_facts as facts
from workbench.datasets.synthetic_network_world import QUANTITIES, World, pick, pick_alike

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
    machines = _draw_systems(country, rng)
    system, chromium = machines["os_family"], machines["browser"].isin(facts.CHROMIUM)
    lag = np.minimum(rng.geometric(facts.BROWSER_LAG, len(machines)) - 1, facts.LARGEST_BROWSER_LAG)
    newest = machines["browser"].map(facts.NEWEST_MAJOR) - lag
    saves = pd.Series(rng.random(len(machines)) < system.map(facts.SAVE_DATA_SHARE).fillna(0.0))
    # Only Chromium names the phone (Sec-CH-UA-Model), and Safari on iOS carries the version of iOS.
    unnamed = (system == "Android") & ~chromium
    return machines.assign(
        browser_major=newest.mask(system == "iOS", machines["os_major"]).astype(float),
        save_data=saves.astype("boolean").where(chromium),
        device=machines["device"].mask(unnamed, "Android phone"),
    )


def _draw_systems(country: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Draw operating system, its major version, browser and device."""
    desktops = facts.shares(facts.DESKTOP_WEIGHTS)
    systems = [
        [c.phone_share * c.ios_share, c.phone_share * (1 - c.ios_share), *((1 - c.phone_share) * desktops)]
        for c in facts.COUNTRIES
    ]
    system = pick(rng, np.array(systems), country)
    drawn = {"os_family": np.array([s.name for s in facts.SYSTEMS], dtype=object)[system]}
    for column, field in (("os_major", "majors"), ("browser", "browsers"), ("device", "devices")):
        options = [getattr(s, field) for s in facts.SYSTEMS]
        chances = np.zeros((len(options), max(map(len, options))))
        names = np.empty(chances.shape, dtype=object)
        for row, weights in enumerate(options):
            chances[row, : len(weights)] = facts.shares(weights.values())
            names[row, : len(weights)] = list(weights)
        drawn[column] = names[system, pick(rng, chances, system)]
    return pd.DataFrame(drawn).astype({"os_major": float})


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
