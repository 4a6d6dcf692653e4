"""The account of what was read: rows left out, by reason, and warnings with what to write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

# Why rows are left out, as people read it; reasons of ``attrs["dropped"]`` that do not stand here are read as they are.
REASONS = {
    "duplicates": "copies of another row",
    "unmeasured": "nothing measured",
    "skipped": "left out by skip or keep",
    "repeats": "repeats of the current page",
    "broken": "broken lines",
    "not_get": "no GET",
    "prefetch": "fetched ahead of a click",
    "redirect": "redirects",
    "error": "errors",
    "static": "static files",
    "no_user": "no user",
    "bot_crawler": "crawlers",
    "bot_ai": "AI crawlers and fetchers",
    "bot_feed": "feed readers",
    "bot_health": "health checks",
    "bot_preview": "link previews",
    "bot_library": "network libraries and scripts",
    "bot_unknown": "unknown programs",
    "no_agent": "no user agent",
}


def warn(frame: pd.DataFrame, sentences: Iterable[str]) -> None:
    """Add sentences to ``attrs["warnings"]``, each once; summary, command line and report show them."""
    frame.attrs["warnings"] = tuple(dict.fromkeys([*frame.attrs.get("warnings", ()), *sentences]))


def left_out(dropped: Mapping[str, int], kept: int) -> list[str]:
    """One phrase for each reason for which rows were left out, the most frequent first, with the share of all rows.

    >>> left_out({"static": 25, "repeats": 0, "bot_crawler": 5}, kept=70)
    ['25 static files (25 %)', '5 crawlers (5 %)']
    """
    total = kept + sum(dropped.values())
    ranked = sorted(dropped.items(), key=lambda pair: -pair[1])
    return [
        f"{count:,} {REASONS.get(reason, reason.replace('_', ' '))} ({_share(count, total)})"
        for reason, count in ranked
        if count
    ]


def _share(count: int, total: int) -> str:
    share = 100 * count / total
    return "under 1 %" if share < 1 else f"{share:.0f} %"
