"""The explorer of prefetching: break-evens, the price of a second and of a GB, and an example session."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbench.decisions.decision import Grid, Panel, Setting, Slider, Tile, values_with

BREAK_EVENS = (0.05, 0.10, 0.15, 0.30, 0.45, 0.60)  # 0.15 to 0.60: Guess.js on 4g, 3g, 2g, slow-2g
NO_CLAIM = 0.0
USD_PER_SECOND = (NO_CLAIM, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03)
USD_PER_GB = (0.02, 0.05, 0.085, 0.15, 0.5, 2.0, 5.0)  # from a bulk price of sending to what some visitors pay
MONEY = {"tile": "money", "second": "usd_per_second", "gigabyte": "usd_per_gb"}
DIMENSIONS = ("country", "device", "connection", "NetInfo", "user", "place in the session", "page")


def grid(result: Any) -> Grid:
    """What the explorer of a comparison of prefetching moves and shows.

    Parameters
    ----------
    result : Comparison
        Its own break-even and prices are among those shown.
    """
    decision, scenario = result.decision, result.scenario
    end = f"{round(100 * result.detail.end_share)}\u00a0% of all views end a session; they count."

    def session(setting: Setting, segments: Any) -> list[dict[str, Any]]:
        return _as_rows(decision.example_session(setting.stage))

    return Grid(
        sliders=_sliders(scenario),
        tiles=_tiles(),
        scenario_at=lambda values: scenario.with_break_even(values["break_even"]),
        panels={"money": Panel(MONEY), "session": Panel(at=session)},
        dimensions=DIMENSIONS,
        slope=lambda at: 100 * at.unused_price,
        about=lambda at: f"{at.price_in_words[0].upper()}{at.price_in_words[1:]}. {end}",
        digits=(5, 3),
    )


def _sliders(scenario: Any) -> tuple[Slider, ...]:
    second, gigabyte = float(scenario.usd_per_second or NO_CLAIM), float(scenario.usd_per_gb)
    break_evens = tuple(sorted({*BREAK_EVENS, float(scenario.break_even)}))
    seconds = tuple(sorted({*USD_PER_SECOND, second}))
    gigabytes = values_with(gigabyte, USD_PER_GB)
    return (
        Slider(
            name="break_even",
            label="Worth fetching from a chance of",
            values=break_evens,
            texts=tuple(_percent(chance) for chance in break_evens),
            base=float(scenario.break_even),
        ),
        Slider(
            name="usd_per_second",
            label="Value of a second saved",
            values=seconds,
            texts=tuple(_dollars(value) if value else "no claim" for value in seconds),
            base=second,
            settles=False,
        ),
        Slider(
            name="usd_per_gb",
            label="Price of a GB sent",
            values=gigabytes,
            texts=tuple(_dollars(value) for value in gigabytes),
            base=gigabyte,
            settles=False,
        ),
    )


def _percent(chance: float) -> str:
    percent = 100 * chance
    return f"{percent:.{0 if abs(percent - round(percent)) < 1e-9 else 1}f} %"


def _dollars(value: float) -> str:
    return f"{np.format_float_positional(value, trim='-')} USD"


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
