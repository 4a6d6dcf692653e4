"""The people of the simulated site: what they hold, when they come, and the pages that they open."""

import numpy as np
import pandas as pd

from workbench.datasets import synthetic_network_facts as people_facts
from workbench.datasets import synthetic_site_facts as facts
from workbench.datasets.synthetic_network_facts import shares
from workbench.datasets.synthetic_network_world import pick, pick_alike
from workbench.datasets.synthetic_site_world import KINDS, NOBODY, Site, in_planted_cell, state_of

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def draw_users(sessions: int, site: Site, rng: np.random.Generator) -> pd.DataFrame:
    """Draw as many people as ``sessions`` need: one row each, with a country, a machine and their own pages."""
    counts = np.ceil(rng.lognormal(facts.SESSIONS_LOG_MEAN, facts.SESSIONS_LOG_SPREAD, sessions)).astype(int)
    number = int(np.searchsorted(np.cumsum(counts), sessions)) + 1
    country = pick_alike(rng, [c.user_share for c in people_facts.COUNTRIES], number)
    desktops = shares(people_facts.DESKTOP_WEIGHTS)
    chances = [
        [c.phone_share * c.ios_share, c.phone_share * (1 - c.ios_share), *((1 - c.phone_share) * desktops)]
        for c in people_facts.COUNTRIES
    ]
    system = pick(rng, np.array(chances), country)
    users = pd.DataFrame({"sessions": counts[:number], "country": country})
    users["os_family"] = np.array([s.name for s in people_facts.SYSTEMS], dtype=object)[system]
    for column, field in (("browser", "browsers"), ("device", "devices")):
        users[column] = _draw_named([getattr(s, field) for s in people_facts.SYSTEMS], system, rng)
    users["device"] = users["device"].map(facts.DEVICE_OF).fillna("phone").astype(object)
    chromium = users["browser"].isin(people_facts.CHROMIUM)
    saves = rng.random(number) < users["os_family"].map(people_facts.SAVE_DATA_SHARE).fillna(0.0)
    users["save_data"] = saves.astype("boolean").where(chromium)
    for kind, name in enumerate(KINDS):
        users[f"own_{name}"] = pick(rng, site.popularity, np.full(number, kind))
    return users


def _draw_named(options: list[dict[str, float]], group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one name for each element of ``group``, by the relative weights of its group."""
    chances = np.zeros((len(options), max(map(len, options))))
    names = np.empty(chances.shape, dtype=object)
    for row, weights in enumerate(options):
        chances[row, : len(weights)] = shares(weights.values())
        names[row, : len(weights)] = list(weights)
    return names[group, pick(rng, chances, group)]


def draw_sessions(number: int, users: pd.DataFrame, site: Site, rng: np.random.Generator) -> pd.DataFrame:
    """Draw when people come, on which link, and where they begin: one row a session, by person and then by time."""
    user = np.repeat(np.arange(len(users)), users["sessions"])[:number]
    sessions = users.iloc[user].reset_index(drop=True).assign(user=user)
    time_of_day = pick_alike(rng, people_facts.HOUR_WEIGHTS, number) * HOUR_MS + rng.integers(0, HOUR_MS, number)
    offset_h = np.array([c.utc_offset_h for c in people_facts.COUNTRIES])[sessions["country"]]
    sessions["offset"] = (offset_h * HOUR_MS).astype(np.int64)
    # A session that begins outside the span in UTC is moved by the whole span, which keeps its local hour.
    local = rng.integers(0, people_facts.DAYS, number) * DAY_MS + time_of_day
    sessions["start"] = (local - sessions["offset"]) % (people_facts.DAYS * DAY_MS)
    phone = (sessions["device"] == "phone").to_numpy()
    home_chance = np.where(people_facts.is_evening(time_of_day / HOUR_MS), *people_facts.HOME_CHANCE_EVENING_AND_DAY)
    away = phone & (rng.random(number) >= home_chance)
    cable = (sessions["os_family"] == "ChromeOS") & (rng.random(number) < people_facts.CHROMEBOOK_ETHERNET_SHARE)
    link = np.select([away, cable], [1, 2], 0)
    sessions["connection_type"] = np.array(facts.LINKS, dtype=object)[link]
    sessions["effective_type"] = _draw_named([facts.EFFECTIVE_TYPES[name] for name in facts.LINKS], link, rng)
    entries = site.pages.get_indexer([facts.KINDS[name].address for name in facts.ENTRIES])
    sessions["entry"] = entries[pick_alike(rng, list(facts.ENTRIES.values()), number)]
    return sessions.sort_values(["user", "start"], kind="stable", ignore_index=True)


def draw_views(
    sessions: pd.DataFrame, site: Site, planted: bool, walk: np.random.Generator, clock: np.random.Generator
) -> pd.DataFrame:
    """Let every session run to its end: ``session, position, page, time`` (ms since the first day), one row a view.

    One step takes all sessions that still run from a view to the next.
    """
    own = sessions[[f"own_{name}" for name in KINDS]].to_numpy()
    device, offset = sessions["device"].to_numpy(dtype=object), sessions["offset"].to_numpy()
    session, page, time = np.arange(len(sessions)), sessions["entry"].to_numpy(), sessions["start"].to_numpy()
    before, quick = np.full(len(sessions), NOBODY), np.ones(len(sessions), dtype=bool)
    steps: list[pd.DataFrame] = []
    while len(session):
        steps.append(pd.DataFrame({"session": session, "position": len(steps), "page": page, "time": time}))
        hour, now = (time + offset[session]) // HOUR_MS % 24, site.kind[page]
        in_cell = planted & in_planted_cell(device[session], hour, quick)
        kind = pick(walk, site.next_kinds, state_of(in_cell, before, now))
        dwell = _draw_dwell(now, clock)
        session, kind, time, dwell, before = (of[kind != NOBODY] for of in (session, kind, time, dwell, now))
        page = pick(walk, site.popularity, kind)
        if planted:
            page = np.where(walk.random(len(page)) < facts.HABIT, own[session, kind], page)
        time, quick = time + dwell, dwell < facts.QUICK_MS
    views = pd.concat(steps, ignore_index=True)
    return views.sort_values(["session", "position"], kind="stable", ignore_index=True)


def _draw_dwell(kind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    scale = np.array([k.dwell_s for k in facts.KINDS.values()])[kind] * 1_000
    dwell = (scale * rng.weibull(facts.DWELL_SHAPE, len(kind))).astype(np.int64)
    return dwell.clip(facts.SHORTEST_DWELL_MS, facts.LONGEST_DWELL_MS)


def keep_apart(views: pd.DataFrame, sessions: pd.DataFrame) -> np.ndarray:
    """Return which sessions (sessions,) begin after half an hour of silence of their person.

    Whether one is left out depends on when it begins and on the sessions before it, not on what is opened in it.
    """
    end = views.groupby("session")["time"].max()
    silent_until = end.groupby(sessions["user"]).cummax().groupby(sessions["user"]).shift() + facts.SILENCE_MS
    return (silent_until.isna() | (sessions["start"] > silent_until)).to_numpy()
