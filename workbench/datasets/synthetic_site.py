"""The simulated site: its pages, people, sessions, and the true chances of the next page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from workbench.checked import checked
from workbench.datasets import synthetic_facts as facts
from workbench.datasets.readers import PageLinks
from workbench.datasets.synthetic_facts import is_evening, shares
from workbench.datasets.synthetic_network import (
    MOST_ROWS,
    check_complete,
    draw_named,
    draw_save_data,
    draw_systems,
    pick,
    pick_alike,
    stream,
)
from workbench.errors import WorkbenchError, check_seed, check_whole

KINDS = tuple(facts.KINDS)
NOBODY = len(KINDS)  # in the place of the kind before: the session begins here; of the kind after: it ends here


@dataclass(frozen=True)
class Site:
    """The pages, and the chance of each next kind. It has no seed: every world has the same site."""

    pages: pd.Index  # addresses, sorted
    kind: np.ndarray  # (pages,), position in KINDS
    popularity: np.ndarray  # (kinds, pages), of each page within its kind, else 0
    next_kinds: np.ndarray  # (states of `state_of`, kinds + 1), last the chance that the session ends


@cache
def make_site() -> Site:
    """The site, which no seed changes."""
    addresses = [kind.address.format(n) for kind in facts.KINDS.values() for n in range(1, kind.pages + 1)]
    kind = np.repeat(np.arange(NOBODY), [k.pages for k in facts.KINDS.values()])
    rank = np.concatenate([np.arange(1, k.pages + 1) for k in facts.KINDS.values()])
    order = np.argsort(addresses)
    weight = np.where(kind == np.arange(NOBODY)[:, None], rank**-facts.POPULARITY_POWER, 0)[:, order]
    return Site(
        pages=pd.Index(addresses, dtype="str")[order],
        kind=kind[order],
        popularity=weight / weight.sum(axis=1, keepdims=True),
        next_kinds=_next_kinds(),
    )


def state_of(in_cell: np.ndarray, before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Row of ``Site.next_kinds``, by planted cell or not, the kind before (or ``NOBODY``), the kind now."""
    return (in_cell.astype(np.int64) * (NOBODY + 1) + before) * NOBODY + now


def _next_kinds() -> np.ndarray:
    table = np.zeros((2, NOBODY + 1, NOBODY, NOBODY + 1))
    for name, chances in facts.HUBS.items():
        now, after = KINDS.index(name), [KINDS.index(kind) for kind in chances]
        table[:, :, now, after] = shares(chances.values())
        if name in facts.SWAPPED:
            first, last = after[0], after[-1]
            table[1][:, now, [first, last]] = table[1][:, now, [last, first]]
    for (name, before), chances in facts.READ.items():
        after = [KINDS.index(kind) for kind in chances]
        table[:, KINDS.index(before), KINDS.index(name), after] = shares(chances.values())
    exit_chance = np.array([kind.exit_chance for kind in facts.KINDS.values()])
    table *= 1 - exit_chance[:, None]
    table[..., NOBODY] = exit_chance
    return table.reshape(-1, NOBODY + 1)


def next_page_chances(site: Site, in_cell: np.ndarray, before: np.ndarray, now: np.ndarray, habit: float) -> np.ndarray:
    """Chance (rows, pages) of each page to come next, averaged over people's habits; the rest to 1: the session ends.

    ``before`` and ``now`` are positions in ``site.pages``, ``before`` -1 where the session begins. Within a kind, page
    ``c`` has its popularity ``q_c``. Of a person who opened page ``b`` of that kind just before, the own page is ``f``
    with ``P(f | b) = (1 - h) q_f + h [f = b]``, where ``h`` is the ``habit`` (Bayes: own pages are drawn by ``q`` too),
    so the next of the kind is ``c`` with ``(1 - h^2) q_c + h^2 [c = b]``. Which kinds people open does not depend on
    their own pages, and nobody goes from a page to another of its kind, so the view and the one before tell no more of
    them.
    """
    kind_before = np.where(before < 0, NOBODY, site.kind[before])
    kinds = site.next_kinds[state_of(in_cell, kind_before, site.kind[now])][:, site.kind]
    within = np.tile(site.popularity.sum(axis=0), (len(now), 1))
    again = np.arange(len(site.pages)) == before[:, None]
    of_kind_before = site.kind == kind_before[:, None]
    return kinds * np.where(of_kind_before, (1 - habit**2) * within + habit**2 * again, within)


def in_planted_cell(device: np.ndarray, local_hour: np.ndarray, quick: np.ndarray) -> np.ndarray:
    """Which views (rows,) follow a quick one, on a phone in the evening or on another device by day."""
    return quick & ((device == "phone") == is_evening(local_hour))


def page_links(site: Site) -> pd.DataFrame:
    """The links, ``from_page`` and ``to_page`` (str): every step that the site allows in some state."""
    steps = site.next_kinds.reshape(-1, NOBODY, NOBODY + 1).max(axis=0) > 0
    start, end = np.nonzero(steps[site.kind][:, site.kind])
    return pd.DataFrame({"from_page": site.pages[start], "to_page": site.pages[end]})


HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def draw_users(sessions: int, site: Site, rng: np.random.Generator) -> pd.DataFrame:
    """Draw as many people as ``sessions`` need: one row each, with a country, a machine and their own pages."""
    counts = np.ceil(rng.lognormal(facts.SESSIONS_LOG_MEAN, facts.SESSIONS_LOG_SPREAD, sessions)).astype(int)
    number = int(np.searchsorted(np.cumsum(counts), sessions)) + 1
    country = pick_alike(rng, [c.user_share for c in facts.COUNTRIES], number)
    users = pd.DataFrame({"sessions": counts[:number], "country": country})
    users = users.join(draw_systems(country, {"browser": "browsers", "device": "devices"}, rng))
    users["device"] = users["device"].map(facts.DEVICE_OF).fillna("phone").astype(object)
    users["save_data"] = draw_save_data(users, rng)
    for kind, name in enumerate(KINDS):
        users[f"own_{name}"] = pick(rng, site.popularity, np.full(number, kind))
    return users


def draw_sessions(number: int, users: pd.DataFrame, site: Site, rng: np.random.Generator) -> pd.DataFrame:
    """Draw when people come, on which link, and where they begin: one row a session, by person and then by time."""
    user = np.repeat(np.arange(len(users)), users["sessions"])[:number]
    sessions = users.iloc[user].reset_index(drop=True).assign(user=user)
    time_of_day = pick_alike(rng, facts.HOUR_WEIGHTS, number) * HOUR_MS + rng.integers(0, HOUR_MS, number)
    offset_h = np.array([c.utc_offset_h for c in facts.COUNTRIES])[sessions["country"]]
    sessions["offset"] = (offset_h * HOUR_MS).astype(np.int64)
    # A session that begins outside the span in UTC is moved by the whole span, which keeps its local hour.
    local = rng.integers(0, facts.DAYS, number) * DAY_MS + time_of_day
    sessions["start"] = (local - sessions["offset"]) % (facts.DAYS * DAY_MS)
    phone = (sessions["device"] == "phone").to_numpy()
    home_chance = np.where(facts.is_evening(time_of_day / HOUR_MS), *facts.HOME_CHANCE_EVENING_AND_DAY)
    away = phone & (rng.random(number) >= home_chance)
    cable = (sessions["os_family"] == "ChromeOS") & (rng.random(number) < facts.CHROMEBOOK_ETHERNET_SHARE)
    link = np.select([away, cable], [1, 2], 0)
    sessions["connection_type"] = np.array(facts.LINKS, dtype=object)[link]
    sessions["effective_type"] = draw_named([facts.LINK_EFFECTIVE_TYPES[name] for name in facts.LINKS], link, rng)
    entries = site.pages.get_indexer([facts.KINDS[name].address for name in facts.ENTRIES])
    sessions["entry"] = entries[pick_alike(rng, list(facts.ENTRIES.values()), number)]
    return sessions.sort_values(["user", "start"], kind="stable", ignore_index=True)


def draw_views(
    sessions: pd.DataFrame, site: Site, planted: bool, walk: np.random.Generator, clock: np.random.Generator
) -> pd.DataFrame:
    """Run every session to its end: ``session, position, page, time`` (ms since the first day), one row per view.

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
    """Which sessions (sessions,) begin after half an hour of silence of their person.

    Whether one is left out depends on when it begins and on the sessions before it, not on what is opened in it.
    """
    end = views.groupby("session")["time"].max()
    silent_until = end.groupby(sessions["user"]).cummax().groupby(sessions["user"]).shift() + facts.SILENCE_MS
    return (silent_until.isna() | (sessions["start"] > silent_until)).to_numpy()


# One random stream a step, so that no step can move another: the planted switch moves no person and no session.
STREAMS = ("users", "sessions", "walk", "clock")
VIEWS_A_SESSION = 5.0  # at least so many on average; only how many sessions are drawn depends on it
NEEDED = ("view_id", "session_id", "position", "page", "viewed_at", "device", "local_hour")


@checked
def make_navigations(rows: int = 40_000, seed: int = 0, *, planted: bool = True) -> pd.DataFrame:
    """Draw simulated navigations: sessions of people on a site like a professional network's.

    Raises a WorkbenchError if ``rows`` is not a whole number from 1, or ``seed`` not one from 0.

    Parameters
    ----------
    rows : int
        About how many views: whole sessions are drawn until there are as many, so at most one session more. The site
        does not depend on it.
    seed : int
        For people and draws. The site and its probabilities are the same in every world, on every day.
    planted : bool
        Whether habits and the planted effect are in the world, or neither.

    Returns
    -------
    pandas.DataFrame
        One row per view, sessions by their start over 28 days, in canonical columns: ``view_id``, ``session_id`` and
        ``position`` ``int64``, ``viewed_at`` ``datetime64[us, UTC]``, ``page`` a category of all pages of the site,
        ``local_hour`` (whole) and ``page_bytes`` ``float64``, ``save_data`` and ``simulated`` nullable ``boolean``,
        the rest ``str`` (missing: NaN). ``device`` is ``phone``, ``tablet`` or ``desktop``. No page follows itself,
        and a session of a person begins after half an hour of silence. The page links: ``links_of(frame)``.

    Notes
    -----
    **The null world** (``planted=False``). The next page depends on the page and the one before, and on nothing else:
    not on hour, device, network, time on a page, position or person; people differ only in their machines and in how
    often they come. Each visit of a page ends the session with the chance of its kind. At the pages where sessions
    begin, the page before does not matter either, so a second-order Markov rule can learn all there is, also at starts.

    **The planted world** (``planted=True``). For people in haste (who left the page before within half a minute, or
    have just come) on a phone in the evening, or on another device by day, the first and the last choice of six hubs
    change places. No listed rule can learn it: popular, first-order Markov and Guess.js know its average over all views
    of a page, second-order Markov little more (the page before says a little about the haste), and quicklink fetches
    both. Besides, half of the visits to a kind of page to read go to a lasting own page of the person, the other half
    by popularity: second-order Markov learns that people return to the page before, only a person's history the rest.
    How often sessions end is as in the null world.

    The true chances lead second-order Markov, at break-even 0.15 and with one page fetched where its chance is at least
    0.15, by 0.07 net hits a view in the planted world and under 0.005 in the null world. Replayed through the session
    cache, up to three pages a view, both limits tuned, cards' rows split by time, mean of twelve seeds: 0.033 (0.029 to
    0.037) and 0.002 (0.000 to 0.005, the sampling error of the counts).

    Times on a page follow Liu, White and Dumais (2010), page weights the Web Almanac (2024), people's machines
    ``make_measurements``; 61 % of the views are revisits of a person (Tauscher and Greenberg 1997: 58 %). The 44 pages,
    their links and probabilities, habits and the planted effect are chosen. Every constant is in
    ``workbench.datasets.synthetic_facts``, with its source.

    Examples
    --------
    >>> views = make_navigations(rows=1_000, seed=7)
    >>> len(views) >= 1_000, views["page"].cat.categories[-3:].tolist()
    (True, ['/search/results', '/settings', '/settings/privacy'])
    """
    check_whole("rows", rows, at_least=1, at_most=MOST_ROWS)
    check_seed(seed)
    site = make_site()
    number = int(rows / VIEWS_A_SESSION) + 100
    users = draw_users(number, site, stream(seed, "users", STREAMS))
    sessions = draw_sessions(number, users, site, stream(seed, "sessions", STREAMS))
    views = draw_views(sessions, site, planted, stream(seed, "walk", STREAMS), stream(seed, "clock", STREAMS))
    views = views[keep_apart(views, sessions)[views["session"]]]
    last = views["session"].iloc[min(rows, len(views)) - 1]
    frame = _name_things(views[views["session"] <= last], sessions, site)
    frame.attrs["links"] = PageLinks(page_links(site))
    return frame


def true_next_chances(context: pd.DataFrame, generate: Mapping[str, Any], k: int) -> pd.DataFrame:
    """Exact chances of the ``k`` likeliest next pages, given the view and those before it in its session.

    They are computed from the site's probabilities, never read from a frame. Known are the page, the page before, how
    long that one was looked at, the device and the local hour; further back and the other columns say nothing more, but
    for habits: a person's own pages are averaged over all people (exactly, with what the page before says about them).
    So a model that learns from a person's earlier sessions can beat this reference in the planted world, in the null
    world not.

    ``context`` holds the columns ``NEEDED`` of sessions from their beginning, in any order; ``generate`` the arguments
    of :func:`make_navigations` that the views came from. Returns ``view_id`` (int64), ``page`` (str), ``rank`` (int64,
    from 1) and ``chance`` (float64, above 0), views in the order of the context, then by rank; ties by the page's name.
    Over all pages, a view's chances sum to 1 less the chance that the session ends.

    >>> views = make_navigations(rows=1, seed=7, planted=False)
    >>> true_next_chances(views.head(1), {"planted": False}, k=2)[["page", "chance"]].round(3)
                  page  chance
    0   /notifications   0.437
    1     /articles/01   0.135
    """
    check_whole("k", k, at_least=1)
    planted = bool(generate.get("planted", True))
    site = make_site()
    state = _states(context, site, planted)
    # Few states differ: the chances are computed once for each.
    distinct, where = np.unique(state, axis=0, return_inverse=True)
    in_cell, before, now = distinct[:, 0] == 1, distinct[:, 1], distinct[:, 2]
    chances = next_page_chances(site, in_cell, before, now, facts.HABIT if planted else 0.0)
    best = np.argsort(-chances, axis=1, kind="stable")[:, :k]
    chance = np.take_along_axis(chances, best, axis=1)[where]
    view, place = np.nonzero(chance > 0)
    return pd.DataFrame(
        {
            "view_id": context["view_id"].to_numpy()[view],
            "page": site.pages[best[where][view, place]],
            "rank": place + 1,
            "chance": chance[view, place],
        }
    )


def _states(context: pd.DataFrame, site: Site, planted: bool) -> np.ndarray:
    """Columns (rows, 3): whether a view lies in the planted cell, the page before (-1: none) and the page now."""
    check_complete(context, NEEDED)
    now = site.pages.get_indexer(context["page"].astype("str"))
    if (now < 0).any():
        first = context["page"].iloc[int(np.argmax(now < 0))]
        raise WorkbenchError(
            f"true chances need pages of the simulated site; got {first!r}. Ask with views that make_navigations drew."
        )
    views = context[["session_id", "position", "viewed_at"]].assign(now=now).reset_index(drop=True)
    ordered = views.sort_values(["session_id", "position"], kind="stable")
    earlier = ordered.groupby("session_id")[["position", "now", "viewed_at"]].shift().reindex(views.index)
    missing = (views["position"] > 0) & (earlier["position"] != views["position"] - 1)
    if missing.any():
        raise WorkbenchError(
            f"true chances need the view before each view; {int(missing.sum()):,} views lack theirs. Ask with "
            "sessions from their beginning."
        )
    quick = ~((views["viewed_at"] - earlier["viewed_at"]) >= pd.Timedelta(milliseconds=facts.QUICK_MS))
    device, hour = context["device"].to_numpy(dtype=object), context["local_hour"].to_numpy(dtype=float)
    in_cell = planted & in_planted_cell(device, hour, quick.to_numpy())
    return np.column_stack([in_cell, earlier["now"].fillna(-1), now]).astype(np.int64)


def _name_things(views: pd.DataFrame, sessions: pd.DataFrame, site: Site) -> pd.DataFrame:
    """The canonical frame: sessions by start, positions replaced by names."""
    start = sessions["start"].rank(method="first").to_numpy()
    views = views.assign(order=start[views["session"]]).sort_values(["order", "position"], ignore_index=True)
    of = sessions.iloc[views["session"]].reset_index(drop=True)
    first_day = pd.Timestamp(facts.FIRST_DAY, tz="UTC")
    countries = np.array([c.code for c in facts.COUNTRIES], dtype=object)
    kilobytes = np.array([kind.kilobytes for kind in facts.KINDS.values()])
    chromium = of["browser"].isin(facts.CHROMIUM)
    tells_link = chromium & of["os_family"].isin(facts.CONNECTION_TYPE_SYSTEMS)
    return pd.DataFrame(
        {
            "view_id": np.arange(len(views)),
            "user_id": ("u" + of["user"].astype("str").str.zfill(6)).astype("str"),
            "session_id": pd.factorize(views["order"])[0].astype(np.int64),
            "viewed_at": (first_day + pd.to_timedelta(views["time"], unit="ms")).astype("datetime64[us, UTC]"),
            "position": views["position"].astype("int64"),
            "page": pd.Categorical.from_codes(views["page"], site.pages),
            "country": pd.Series(countries[of["country"]], dtype="str"),
            "device": of["device"].astype("str"),
            "os_family": of["os_family"].astype("str"),
            "browser": of["browser"].astype("str"),
            "connection_type": of["connection_type"].astype("str").where(tells_link),
            "effective_type": of["effective_type"].astype("str").where(chromium),
            "save_data": of["save_data"].astype("boolean"),
            "local_hour": ((views["time"] + of["offset"]) // HOUR_MS % 24).astype(float),
            "page_bytes": kilobytes[site.kind[views["page"]]] * 1_000.0,
            "simulated": pd.Series(True, views.index, dtype="boolean"),
        }
    )
