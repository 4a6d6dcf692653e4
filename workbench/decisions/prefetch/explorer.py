"""The explorer of prefetching: break-evens, the price of a second and of a GB, and an example session."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.columns import Column
from workbench.datasets.schema import NAVIGATION_HISTORY, known_context, label
from workbench.datasets.sessions import dwell_s, ends_session, has_dwell
from workbench.datasets.splits import FEWEST_USERS, users_of
from workbench.decisions.decision import (
    Finding,
    Grid,
    Panel,
    Segment,
    Setting,
    Slider,
    Stage,
    Tile,
    make_slider,
    values_with,
)
from workbench.decisions.prefetch.replay import trace_fetches
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.features.levels import largest_levels

BREAK_EVENS = (0.05, 0.10, 0.15, 0.30, 0.45, 0.60)  # 0.15 to 0.60: Guess.js on 4g, 3g, 2g, slow-2g
NO_CLAIM = 0.0
USD_PER_SECOND = (NO_CLAIM, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03)
USD_PER_GB = (0.02, 0.05, 0.085, 0.15, 0.5, 2.0, 5.0)  # from a bulk price of sending to what some visitors pay
MONEY = {"tile": "money", "second": "usd_per_second", "gigabyte": "usd_per_gb"}
DIMENSIONS = ("country", "device", "connection_type", "effective_type", "user", "position", "page")


def grid(result: Finding, example_session: Callable[[Stage], pd.DataFrame]) -> Grid:
    """What the explorer of a comparison of prefetching moves and shows; its own break-even and prices are among the
    values.
    """
    scenario: PrefetchScenario = result.scenario
    end = f"{round(100 * result.detail.end_share)}\u00a0% of all views end a session; they count."

    def session(setting: Setting, segments: Sequence[Segment]) -> list[dict[str, Any]]:
        return _as_rows(example_session(setting.stage))

    return Grid(
        sliders=_sliders(scenario),
        tiles=_tiles(),
        scenario_at=lambda values: scenario.with_break_even(values["break_even"]),
        panels={"money": Panel(MONEY), "session": Panel(at=session)},
        dimensions=tuple(label(name, result.split.card) for name in DIMENSIONS),
        slope=lambda at: 100 * at.unused_price,
        about=lambda at: f"{at.price_in_words[0].upper()}{at.price_in_words[1:]}. {end}",
        digits=(5, 3),
    )


def _sliders(scenario: PrefetchScenario) -> tuple[Slider, ...]:
    second, gigabyte = float(scenario.usd_per_second or NO_CLAIM), float(scenario.usd_per_gb)
    break_evens = tuple(sorted({*BREAK_EVENS, float(scenario.break_even)}))
    seconds = tuple(sorted({*USD_PER_SECOND, second}))
    gigabytes = values_with(gigabyte, USD_PER_GB)
    return (
        make_slider("break_even", "Worth fetching from a chance of", break_evens, scenario.break_even, _percent),
        make_slider("usd_per_second", "Value of a second saved", seconds, second, _dollars, settles=False),
        make_slider("usd_per_gb", "Price of a GB sent", gigabytes, gigabyte, _dollars, settles=False),
    )


def _percent(chance: float) -> str:
    percent = 100 * chance
    return f"{percent:.{0 if abs(percent - round(percent)) < 1e-9 else 1}f} %"


def _dollars(value: float) -> str:
    return f"{np.format_float_positional(value, trim='-')} USD" if value else "no claim"


def _tiles() -> tuple[Tile, ...]:
    def mean_of(column: str) -> Any:
        return lambda outcomes, scenario: outcomes[column]

    # A page that prefetches slowed has lost what it lost. Ms a view are seconds of 1,000 views.
    money = (
        ("saved_ms", "usd_per_second", 1.0),
        ("slowed_ms", "usd_per_second", -1.0),
        ("wasted_mb", "usd_per_gb", -1e-3),
    )
    return (
        Tile("hits", "pages ready at the click", mean_of("hits"), 1000.0, kept=2, unit="of 1,000 views"),
        Tile("unused", "unused prefetches", mean_of("unused"), 1000.0, kept=2, unit="for 1,000 views"),
        Tile("saved_ms", "waiting saved", mean_of("saved_ms"), kept=1, unit="ms a view"),
        Tile("slowed_ms", "current page slowed", mean_of("contention_ms"), kept=1, unit="ms a view"),
        Tile("wasted_mb", "MB wasted", mean_of("wasted_bytes"), 1000 / 1e6, kept=1, unit="for 1,000 views"),
        Tile("money", "money", digits=3, unit="USD for 1,000 views", terms=money, signed=True),
    )


def _as_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The example session, view by view: page, seconds since it began, and what rule and model fetch, opened or not."""
    return [
        {
            "page": row["page"],
            "at_s": round(row["at_s"]) if np.isfinite(row["at_s"]) else None,
            **{who: [[page, page in row[f"{who}_hits"]] for page in row[f"{who}_pages"]] for who in ("rule", "model")},
        }
        for row in table.to_dict("records")
    ]


Ask = tuple[Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame], Any]

LONGEST = 6  # views
RARE = "a rare page"  # one that fewer than 20 users (or sessions) viewed


def replay_example_session(
    train: pd.DataFrame, ask: Mapping[str, Ask], *, cluster: str, known_by: str, extra: Sequence[Column], seed: int
) -> pd.DataFrame:
    """Replay policies in a session put together from steps that many users took.

    ``ask`` maps who to a callable, from frame and context of the session to ``view_id, page, rank``, and the scenario.
    Returns one row a view: ``page``, ``at_s`` (seconds since the session began; NaN where no dwell is known), and for
    each ``who`` ``<who>_pages`` (what the view fetches, a list) and ``<who>_hits`` (which of them are opened in time).
    Pages that fewer than 20 users (or sessions) viewed are not named.
    """
    session = example_session(train, cluster, seed=seed)
    context = known_context(session, known_by, extra)
    known = set(largest_levels(train["page"], users_of(train, cluster)))
    table = pd.DataFrame({"page": _named(session["page"], known), "at_s": _seconds(session)})
    for who, (answer_of, scenario) in ask.items():
        fetched = trace_fetches(answer_of(session, context), session, scenario)
        hit = fetched[fetched["hit_view_id"] >= 0]
        for what, rows in (("pages", fetched), ("hits", hit)):
            lists = rows.groupby("view_id")["page"].agg(lambda pages: _named(pages, known))
            table[f"{who}_{what}"] = [lists.get(view, []) for view in session["view_id"]]
    return table


def example_session(train: pd.DataFrame, cluster: str, *, seed: int = 0) -> pd.DataFrame:
    """Draw a session from counts: a first page and steps that at least 20 users (or sessions) took each.

    It is no real person's: up to 6 views, fewer where no step was taken by so many. What is known beside the pages is
    what most views have; the user has no history.
    """
    rng = np.random.default_rng(seed)
    page, people = train["page"].cat.codes.to_numpy(), users_of(train, cluster)
    first = (train["position"] == 0).to_numpy()
    goes_on = ~ends_session(train)[:-1]
    steps = _common_steps(page[:-1][goes_on], page[1:][goes_on], people[:-1][goes_on])
    starts = _common_steps(np.zeros(first.sum(), np.int64), page[first], people[first])
    path: list[int] = []
    options = starts
    while len(path) < LONGEST and len(options := options[~options["to"].isin(path)]):
        path.append(int(rng.choice(options["to"], p=options["times"] / options["times"].sum())))
        options = steps[steps["from"] == path[-1]]
    return _as_views(path or [int(pd.Series(page).mode()[0])], train)


def _common_steps(begin: np.ndarray, end: np.ndarray, people: np.ndarray) -> pd.DataFrame:
    """Steps that enough people took: ``from, to, times``."""
    steps = pd.DataFrame({"from": begin, "to": end, "who": people})
    times = steps.groupby(["from", "to"]).size().rename("times")
    users = steps.drop_duplicates().groupby(["from", "to"]).size()
    return times[users >= FEWEST_USERS].reset_index()


def _named(pages: pd.Series, known: set[str]) -> list[str]:
    return [page if page in known else RARE for page in pages]


def _as_views(path: list[int], train: pd.DataFrame) -> pd.DataFrame:
    """A path of page codes as canonical navigations, with the most common context."""
    row = np.arange(len(path))
    pages = train["page"].cat.categories
    views = pd.DataFrame({"view_id": row, "session_id": 0, "position": row})
    views["page"] = pd.Categorical.from_codes(path, categories=pages)
    if "viewed_at" in train:
        dwell = float(np.nanmedian(dwell_s(train))) if has_dwell(train) else 0.0
        begin = train["viewed_at"].quantile(0.5, interpolation="nearest")
        views["viewed_at"] = begin + pd.to_timedelta(row * round(dwell), unit="s")
    history = [column.name for column in NAVIGATION_HISTORY]
    for name in train.columns.difference([*views.columns, "user_id", "simulated", *history]):
        common = train[name].mode()
        views[name] = pd.Series(common.iloc[0] if len(common) else None, views.index).astype(train[name].dtype)
    for name in train.columns.intersection(history):
        empty = 0.0 if name in ("earlier_views", "here_before") else None
        views[name] = pd.Series(empty, views.index).astype(train[name].dtype)
    return views


def _seconds(session: pd.DataFrame) -> np.ndarray:
    if not has_dwell(session):
        return np.full(len(session), np.nan)
    return (session["viewed_at"] - session["viewed_at"].iloc[0]).dt.total_seconds().to_numpy()
