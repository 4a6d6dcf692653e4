"""A simulated site: the paths that people take through it, and the true chance of each next page.

Two public functions: :func:`make_navigations` draws a frame, :func:`true_next_chances` gives the exact chances
behind it. The constants and their sources are in ``synthetic_site_facts``, the pages and the law in
``synthetic_site_world``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets import synthetic_network_facts as people_facts
from workbench.datasets import synthetic_site_facts as facts
from workbench.datasets.page_links import PageLinks
from workbench.datasets.synthetic_site_people import HOUR_MS, draw_sessions, draw_users, draw_views, keep_apart
from workbench.datasets.synthetic_site_world import Site, in_planted_cell, make_site, next_page_chances, page_links
from workbench.errors import WorkbenchError, check_whole

# One random stream a step, so that no step can move another: the planted switch moves no person and no session.
STREAMS = ("users", "sessions", "walk", "clock")
VIEWS_A_SESSION = 5.0  # at least so many on average; only how many sessions are drawn depends on it
NEEDED = ("view_id", "session_id", "position", "page", "viewed_at", "device", "local_hour")


def make_navigations(rows: int = 40_000, seed: int = 0, *, planted: bool = True) -> pd.DataFrame:
    """Draw simulated navigations: sessions of people on a site like a professional network's.

    Parameters
    ----------
    rows : int
        About how many views: whole sessions are drawn until there are as many, so at most a session more. The site
        does not depend on it.
    seed : int
        Not negative; of people and draws. The site and its law are the same in every world.
    planted : bool
        Whether habits and the planted effect are in the world, or neither.

    Returns
    -------
    pandas.DataFrame
        One row a view, sessions by their start over 28 days, in canonical columns: ``view_id``, ``session_id`` and
        ``position`` ``int64``, ``viewed_at`` ``datetime64[us, UTC]``, ``page`` a category of all pages of the site,
        ``local_hour`` (whole) and ``page_bytes`` ``float64``, ``save_data`` and ``simulated`` nullable ``boolean``,
        the rest ``str`` (missing: NaN). ``device`` is ``phone``, ``tablet`` or ``desktop``. No page follows itself,
        and a session of a person begins after half an hour of silence. The page links: ``links_of(frame)``.

    Notes
    -----
    **The null world** (``planted=False``). The next page depends on the page and the one before, and on nothing else:
    not on hour, device, network, time on a page, position or person; people are alike but for what they hold and how
    often they come. Each visit of a page ends the session with the chance of its kind. At the pages where sessions
    begin, the page before does not matter either, so a second-order Markov rule holds all there is, also at starts.

    **The planted world** (``planted=True``). For people in haste (who left the page before within half a minute, or
    have just come) on a phone in the evening, or on another device by day, the first and the last choice of six hubs
    change places. No listed rule can hold it: popular, first-order Markov and Guess.js know its average over all
    views of a page, second-order Markov little more (which page came before tells a little of the haste), and
    quicklink fetches both. Besides, each person has a lasting own page of each kind to read, which half of the visits
    to the kind go to, and the other half by popularity: second-order Markov holds that people return to the page
    before, only a person's history holds the rest. How often sessions end is as in the null world.

    In both, the law is the same on every day.

    Sizes, in net hits a view by which the true chances lead second-order Markov, at break-even 0.15: one page fetched
    where its chance is at least 0.15, and no cache: 0.07 planted, null under 0.005. Replayed through the session
    cache, up to three pages a view, both limits tuned, cards' rows split by time, mean of twelve seeds: 0.033 planted
    (0.029 to 0.037) and 0.002 null (0.000 to 0.005); in the null world it is the sampling error of the counts.

    The parameters that decide most; ``synthetic_site_facts`` has all of them, with the sources in full.

    =================================  =================================  ==================================
    parameter                          value                              source
    =================================  =================================  ==================================
    time on a page                     Weibull, shape below 1             Liu, White, Dumais 2010
    its mean                           49 s                               Nielsen 2011: under a minute
    its shape                          0.8                                chosen
    views a session                    nearly geometric, about 6          chosen; Huberman et al. 1998
    revisits of a person               61 % of the views                  Tauscher, Greenberg 1997: 58 %
    page weight                        median 2.1 MB                      chosen; Web Almanac 2024: 2.3 MB
    sessions a person                  about 5 in 28 days                 chosen
    countries, hours, machines         as in ``synthetic_network``        see there
    "4g" where there is a type         80 %                               LinkedIn, W3C TPAC 2021
    pages, links and their law         44 pages of 24 kinds               chosen
    habit                              0.5                                chosen
    planted cell                       in haste, device by hour           chosen
    =================================  =================================  ==================================

    Raises
    ------
    WorkbenchError
        If ``rows`` is not a whole number from 1, or ``seed`` not one from 0.

    Examples
    --------
    >>> views = make_navigations(rows=1_000, seed=7)
    >>> len(views) >= 1_000, views["page"].cat.categories[-3:].tolist()
    (True, ['/search/results', '/settings', '/settings/privacy'])
    """
    check_whole("rows", rows, at_least=1)
    check_whole("seed", seed, at_least=0)
    site = make_site()
    number = int(rows / VIEWS_A_SESSION) + 100
    users = draw_users(number, site, _stream(seed, "users"))
    sessions = draw_sessions(number, users, site, _stream(seed, "sessions"))
    views = draw_views(sessions, site, planted, _stream(seed, "walk"), _stream(seed, "clock"))
    kept = _first_rows(views[keep_apart(views, sessions)[views["session"]]], rows)
    frame = _name_things(kept, sessions, site)
    frame.attrs["links"] = PageLinks(page_links(site))
    return frame


def true_next_chances(context: pd.DataFrame, generate: Mapping[str, Any], k: int) -> pd.DataFrame:
    """Return the exact chances of the next page, given the view and those before it in its session.

    They are computed from the law of the site, never read from a frame. Known are the page, the page before, how long
    that one was looked at, the device and the local hour; further back and the other columns tell nothing more, but
    for habits: a person's own pages are averaged over all people (exactly, with what the page before tells of them).
    So who learns from a person's earlier sessions can be better than this reference in the planted world; in the null
    world nobody can.

    Parameters
    ----------
    context : pandas.DataFrame
        Shape (rows, columns): ``view_id, session_id, position, page, viewed_at, device, local_hour``, in any order;
        sessions from their beginning. The rest is ignored.
    generate : mapping
        Arguments of :func:`make_navigations` that the views came from, as a card holds them; ``planted`` (by default
        true) decides.
    k : int
        Most pages a view.

    Returns
    -------
    pandas.DataFrame
        Columns ``view_id`` (int64), ``page`` (str), ``rank`` (int64, from 1) and ``chance`` (float64, above 0), views
        in the order of the context, then by rank; ties by the page's name. Over all pages, a view's chances sum to 1
        less the chance that the session ends.

    Raises
    ------
    WorkbenchError
        If a column or a value of it is missing, a page is none of the site's, or a view's predecessor is not there.

    Examples
    --------
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
    """Return (rows, 3): whether a view lies in the planted cell, the page before (-1: none) and the page now."""
    _check_context(context)
    now = site.pages.get_indexer(context["page"].astype("str"))
    if (now < 0).any():
        first = context["page"].iloc[int(np.argmax(now < 0))]
        raise WorkbenchError(
            f"The true chances need pages of the simulated site; got {first!r}. Ask with views that "
            "make_navigations drew."
        )
    views = context[["session_id", "position", "viewed_at"]].assign(now=now).reset_index(drop=True)
    ordered = views.sort_values(["session_id", "position"], kind="stable")
    earlier = ordered.groupby("session_id")[["position", "now", "viewed_at"]].shift().reindex(views.index)
    missing = (views["position"] > 0) & (earlier["position"] != views["position"] - 1)
    if missing.any():
        raise WorkbenchError(
            f"The true chances need the view before each view; {int(missing.sum()):,} views lack theirs. Ask with "
            "sessions from their beginning."
        )
    quick = ~((views["viewed_at"] - earlier["viewed_at"]) >= pd.Timedelta(milliseconds=facts.QUICK_MS))
    device, hour = context["device"].to_numpy(dtype=object), context["local_hour"].to_numpy(dtype=float)
    in_cell = planted & in_planted_cell(device, hour, quick.to_numpy())
    return np.column_stack([in_cell, earlier["now"].fillna(-1), now]).astype(np.int64)


def _check_context(context: pd.DataFrame) -> None:
    for name in NEEDED:
        if name not in context:
            got = ", ".join(map(str, context.columns))
            raise WorkbenchError(f"The true chances need column {name!r}; got {got}. Load the views with it.")
        missing = int(context[name].isna().sum())
        if missing:
            raise WorkbenchError(
                f"The true chances need {name!r} in every row; {missing:,} rows have none. Leave their sessions out."
            )


def _stream(seed: int, step: str) -> np.random.Generator:
    return np.random.default_rng([seed, STREAMS.index(step)])


def _first_rows(views: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return whole sessions, person by person, until there are ``rows`` views."""
    last = views["session"].iloc[min(rows, len(views)) - 1]
    return views[views["session"] <= last]


def _name_things(views: pd.DataFrame, sessions: pd.DataFrame, site: Site) -> pd.DataFrame:
    """Return the canonical frame: sessions by start, positions replaced by names."""
    start = sessions["start"].rank(method="first").to_numpy()
    views = views.assign(order=start[views["session"]]).sort_values(["order", "position"], ignore_index=True)
    of = sessions.iloc[views["session"]].reset_index(drop=True)
    first_day = pd.Timestamp(people_facts.FIRST_DAY, tz="UTC")
    countries = np.array([c.code for c in people_facts.COUNTRIES], dtype=object)
    kilobytes = np.array([kind.kilobytes for kind in facts.KINDS.values()])
    chromium = of["browser"].isin(people_facts.CHROMIUM)
    tells_link = chromium & of["os_family"].isin(people_facts.CONNECTION_TYPE_SYSTEMS)
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
