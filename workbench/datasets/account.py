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
    "feed": "web feeds",
    "no_user": "no user",
}
# Reasons that leave out many rows of sound data too: nothing to doubt.
USUAL = ("repeats", "static", "skipped", "not_get", "redirect", "prefetch")
WHAT_TO_WRITE = {
    "broken": "If the format is another one, name it: format = ...",
    "feed": "If these are pages, write static = true under [pages].",
    "no_user": 'unknown_user = "separate" keeps them.',
}
# From here on a share is worth a warning. The thresholds are ours.
MANY_LEFT_OUT = 0.1  # of the rows
BUSY, BUSY_VIEWS, BUSY_TIMES = 0.05, 100, 5  # one visitor: share of the views, views, times the average visitor
ONCE_PAGES, ONCE_VIEWS = 0.5, 0.1  # pages viewed once: share of the pages, and of the views


def warn(frame: pd.DataFrame, sentences: Iterable[str]) -> None:
    """Add sentences to ``attrs["warnings"]``, each once; summary, command line and report show them."""
    frame.attrs["warnings"] = tuple(dict.fromkeys([*frame.attrs.get("warnings", ()), *sentences]))


def doubts(frame: pd.DataFrame) -> list[str]:
    """Sentences on what looks wrong in a canonical table, with what to write: many rows left out, one visitor with many
    of the views, most pages viewed once.
    """
    found = _many_left_out(frame.attrs["dropped"], len(frame))
    return [*found, *_busy_visitor(frame), *_viewed_once(frame)] if "page" in frame else found


def _many_left_out(dropped: Mapping[str, int], kept: int) -> list[str]:
    total = kept + sum(dropped.values())
    many = {why: count for why, count in dropped.items() if why not in USUAL and count > MANY_LEFT_OUT * total}
    if not many:
        return []
    advice = "".join(f" {WHAT_TO_WRITE[why]}" for why in many if why in WHAT_TO_WRITE)
    return [
        f"Many of the {total:,} rows were left out: {', '.join(left_out(many, total - sum(many.values())))}.{advice}"
    ]


def _busy_visitor(views: pd.DataFrame) -> list[str]:
    counts = views["user_id" if "user_id" in views else "session_id"].value_counts()
    most, total = int(counts.iloc[0]), len(views)
    if most < BUSY_VIEWS or most <= max(BUSY, BUSY_TIMES / len(counts)) * total:
        return []
    return [
        f"One visitor has {most:,} of the {total:,} views ({_share(most, total)}): a program, or an address that many "
        "people share? Leave that visitor out (skip), or name a column that tells people apart."
    ]


def _viewed_once(views: pd.DataFrame) -> list[str]:
    counts = views["page"].value_counts()
    once, pages = int(counts.eq(1).sum()), int(counts.gt(0).sum())
    if once <= ONCE_PAGES * pages or once <= ONCE_VIEWS * len(views):
        return []
    says = views.attrs["card"].pages
    advice = "patterns" if says.ids else 'ids = "auto" or patterns'
    return [
        f"Most pages ({once:,} of {pages:,}) are viewed once: nothing can be learnt about them. If their "
        f"addresses hold ids, write {advice} under [pages]."
    ]


def left_out(dropped: Mapping[str, int], kept: int) -> list[str]:
    """One phrase for each reason for which rows were left out, the most frequent first, with the share of all rows.

    >>> left_out({"static": 25, "repeats": 0, "bot_crawler": 5}, kept=70)
    ['25 static files (25 %)', '5 bot crawler (5 %)']
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
