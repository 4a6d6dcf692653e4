"""The account of what was read: rows left out, by reason, and warnings with what to write."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from workbench.datasets.schema import MEASURED, SIGNALS, label, unit

# Why rows are left out, as people read it; reasons of ``attrs["dropped"]`` that do not stand here are read as they are.
REASONS = {
    "duplicates": "copies of another row",
    "unmeasured": "nothing measured",
    "skipped": "left out by skip or keep",
    "repeats": "repeats of the current page, since a reload is no navigation",
    "broken": "broken lines",
    "not_get": "no GET",
    "prefetch": "fetched ahead of a click",
    "redirect": "redirects",
    "error": "errors",
    "static": "static files",
    "no_user": "no user",
}


def warn(frame: pd.DataFrame, sentences: Iterable[str]) -> None:
    """Add sentences to ``attrs["warnings"]``, each once; summary, command line and report show them."""
    frame.attrs["warnings"] = tuple(dict.fromkeys([*frame.attrs.get("warnings", ()), *sentences]))


def left_out(dropped: Mapping[str, int], kept: int) -> str:
    """Which of the rows read were left out, the most frequent reason first; empty where none were.

    >>> left_out({"static": 25, "repeats": 0, "bot_crawler": 5}, kept=70)
    'Of 100 rows read, 30 were left out: 25 static files (25 %), 5 bot crawler (5 %).'
    """
    out = sum(dropped.values())
    if not out:
        return ""
    reasons = ", ".join(
        f"{count:,} {REASONS.get(reason, reason.replace('_', ' '))} ({_share(count, kept + out)})"
        for reason, count in sorted(dropped.items(), key=lambda pair: -pair[1])
        if count
    )
    return f"Of {kept + out:,} rows read, {out:,} {'were' if out > 1 else 'was'} left out: {reasons}."


def sentences(of: Mapping[str, Any]) -> list[str]:
    """What was left out, and the warnings, of the ``attrs`` of a loaded frame."""
    out = left_out(of.get("dropped", {}), of.get("kept", 0))
    return [*([out] if out else []), *of.get("warnings", ())]


class Views(pd.DataFrame):
    """A loaded table, which says above its rows what was left out; whatever is made from it is a plain DataFrame."""

    def __repr__(self) -> str:
        return "\n".join([*sentences(self.attrs), super().__repr__()])

    def _repr_html_(self) -> str:
        above = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences(self.attrs))
        return f"{above}{super()._repr_html_()}"


def loaded(frame: pd.DataFrame) -> Views:
    """The frame as :class:`Views`, with its ``attrs`` and how many rows were kept, before any sample is drawn."""
    views = Views(frame)
    views.attrs = {"kept": len(frame), **frame.attrs}
    return views


def _share(count: int, total: int) -> str:
    share = 100 * count / total
    return "under 1 %" if share < 1 else f"{share:.0f} %"


def understood(views: pd.DataFrame) -> str:
    """What loading made of a source, for the person who wrote its card: size, time, medians, warnings, first rows.

    ``views`` comes from :func:`workbench.datasets.load`. Users are counted, not shown.
    """
    card = views.attrs["card"]
    counts = {name: views[f"{name}_id"].nunique() for name in ("user", "session") if f"{name}_id" in views}
    size = [f"{len(views):,} rows", *(f"{count:,} {name}s" for name, count in counts.items())]
    lines = [f"{card.name}: {card.facts.rows}{', SIMULATED' if card.simulated else ''}.", f"{', '.join(size)}."]
    time = card.facts.time
    if time in views and views[time].notna().any():
        first, last = (views[time].agg(end).strftime("%Y-%m-%d %H:%M:%S") for end in ("min", "max"))
        lines.append(f"From {first} to {last} (UTC).")
    if "page" in views:
        lines.append(
            f"{views['page'].nunique():,} pages; most viewed: {', '.join(views['page'].value_counts().index[:5])}."
        )
    numbers = [name for name in (*MEASURED, *SIGNALS, "page_bytes") if name in views and unit(name)]
    medians = [f"{label(name, card)} {views[name].median():,.4g} {unit(name)}" for name in numbers]
    lines += [f"Medians: {', '.join(medians)}."] if medians else []
    lines += sentences(views.attrs)
    hidden = [name for name in ("user_id",) if name in views]
    return "\n".join([*lines, views.head(3).drop(columns=hidden).T.to_string(header=False)])
