"""The account of what was read: rows left out, by reason, and warnings with what to write."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.columns import as_text
from workbench.datasets.schema import MEASURED, SIGNALS, label, unit

# Why rows are left out, as people read it; reasons of ``attrs["dropped"]`` that do not stand here are read as they are.
REASONS = {
    "duplicates": "copies of another row",
    "unmeasured": "nothing measured",
    "skipped": "left out by skip or keep",
    "implausible": "with a value or time that cannot be",
    "clock_change": "at a local time that comes twice or never",
    "repeats": "repeats of the current page, since a reload is no navigation",
    "broken": "broken lines",
    "not_get": "no GET",
    "prefetch": "fetched ahead of a click",
    "redirect": "redirects",
    "no_content": "answers without content",
    "error": "errors",
    "static": "static files",
    "feed": "web feeds",
    "script": "requests of scripts",
    "no_user": "no user",
    "no_session": "no session",
    "bad_time": "no time, or none that can be read",
    "no_page": "no page",
    "bot_crawler": "crawlers",
    "bot_ai": "AI crawlers and fetchers",
    "bot_feed": "feed readers",
    "bot_health": "health checks",
    "bot_preview": "link previews",
    "bot_library": "network libraries and scripts",
    "bot_unknown": "unknown programs",
    "no_agent": "no user agent",
}
# What to write where a reason left out many rows; other reasons leave out many rows of sound data too.
WHAT_TO_WRITE = {
    "broken": "if the log has another format, name it (format)",
    "script": "if these are pages, write static = true under [pages]",
    "no_user": "unknown_user = 'separate' keeps them",
    **dict.fromkeys(("no_page", "bad_time"), "check the column"),
    "no_session": "without a column of sessions, they are made of users and times",
    "unmeasured": "check which columns are named as what, and require",
}
# From here on a share is worth a warning. The thresholds are ours.
MANY_LEFT_OUT = 0.1  # of the rows read, for one reason
BUSY, BUSY_VIEWS, BUSY_TIMES = 0.05, 100, 5  # one visitor: share of the views, views, times the average visitor
MOST = 0.5  # one user: share of the rows
ROUNDED = 0.1  # of the users, with an id in scientific notation
ONCE_PAGES, ONCE_VIEWS, ONCE = 0.5, 0.1, 10  # pages viewed once: share of the pages, of the views, and how many


def warn(frame: pd.DataFrame, sentences: Iterable[str]) -> None:
    """Add sentences to ``attrs["warnings"]``, each once; summary, command line and report show them."""
    frame.attrs["warnings"] = tuple(dict.fromkeys([*frame.attrs.get("warnings", ()), *sentences]))


def count_out(frame: pd.DataFrame, out: np.ndarray | pd.Series, reason: str) -> pd.DataFrame:
    """The rows that stay; ``attrs["dropped"]`` counts those that are ``out`` (boolean, shape (rows,))."""
    left = np.asarray(out, bool)
    kept = frame[~left]
    if left.any():
        dropped = Counter(frame.attrs.get("dropped", {}))
        dropped[reason] += int(left.sum())
        kept.attrs = {**frame.attrs, "dropped": dict(dropped)}
    return kept


def left_out(dropped: Mapping[str, int], kept: int) -> str:
    """Which of the rows read were left out, the most frequent reason first; empty where none were.

    >>> left_out({"static": 25, "repeats": 0, "bot_crawler": 5}, kept=70)
    'Of 100 rows read, 30 were left out: 25 static files (25 %), 5 crawlers (5 %).'
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

    def _repr_html_(self) -> str | None:
        above = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences(self.attrs))
        table = super()._repr_html_()
        return table and f"{above}{table}"

    def to_parquet(self, *args: Any, **kwargs: Any) -> Any:
        """As of any DataFrame, without ``attrs``, which the file could hold as plain JSON only."""
        return pd.DataFrame(self).to_parquet(*args, **kwargs)

    def to_feather(self, *args: Any, **kwargs: Any) -> None:
        """As :meth:`to_parquet`."""
        pd.DataFrame(self).to_feather(*args, **kwargs)


def loaded(frame: pd.DataFrame) -> Views:
    """The frame as :class:`Views`, with how many rows were kept and what looks wrong, before any sample is drawn."""
    views = as_views(frame)
    views.attrs = {"kept": len(frame), **views.attrs}
    warn(views, doubts(views))
    return views


def as_views(frame: pd.DataFrame) -> Views:
    """The frame as :class:`Views`, with its ``attrs``."""
    views = Views(frame)
    views.attrs = dict(frame.attrs)
    return views


def doubts(frame: pd.DataFrame) -> list[str]:
    """Sentences on what looks wrong in a canonical table, with what to write: a reason that left out many rows, ids
    that lost their last digits, one user or visitor with many of the rows, most pages viewed once.
    """
    found = [*_many_left_out(frame.attrs.get("dropped", {}), len(frame)), *_rounded_ids(frame)]
    own = (_busy_visitor, _viewed_once) if "page" in frame else (_busy_user,)
    return [*found, *(sentence for doubt in own for sentence in doubt(frame))]


def _many_left_out(dropped: Mapping[str, int], kept: int) -> list[str]:
    many = MANY_LEFT_OUT * (kept + sum(dropped.values()))
    return [
        f"Over {100 * MANY_LEFT_OUT:g} % of the rows ({REASONS[why]}) were left out: {advice}."
        for why, advice in WHAT_TO_WRITE.items()
        if dropped.get(why, 0) > many
    ]


def _rounded_ids(frame: pd.DataFrame) -> list[str]:
    users = as_text(pd.Series(frame["user_id"].unique() if "user_id" in frame else [], dtype=object).dropna())
    rounded = int(users.str.fullmatch(r"\d(?:[.,]\d+)?[eE]\+?\d+").sum())
    if rounded <= ROUNDED * len(users):
        return []
    return [
        f"Ids of {rounded:,} of {len(users):,} users are numbers in scientific notation, as spreadsheets round them, "
        "so different people may share one: export them as text."
    ]


def _busy_user(frame: pd.DataFrame) -> list[str]:
    counts = frame["user_id"].value_counts() if "user_id" in frame else pd.Series(dtype=int)
    most, total = int(counts.max()) if len(counts) else 0, len(frame)
    if most < BUSY_VIEWS or most <= MOST * total:
        return []
    return [
        f"One user has {most:,} of the {total:,} rows ({_share(most, total)}), so the result is mostly about that "
        "user: is it a marker for unknown ones? Write it under missing."
    ]


def _busy_visitor(views: pd.DataFrame) -> list[str]:
    counts = views["user_id" if "user_id" in views else "session_id"].value_counts()
    most, total = int(counts.iloc[0]), len(views)
    if most < BUSY_VIEWS or most <= min(max(BUSY, BUSY_TIMES / len(counts)), MOST) * total:
        return []
    return [
        f"One visitor has {most:,} of the {total:,} views ({_share(most, total)}): a program, or an address that many "
        "people share? Name a column that tells people apart, or leave the visitor out, as in skip = { address = "
        '["..."] } for a log.'
    ]


def _viewed_once(views: pd.DataFrame) -> list[str]:
    counts = views["page"].value_counts()
    once, pages = int(counts.eq(1).sum()), int(counts.gt(0).sum())
    if once < ONCE or once <= ONCE_PAGES * pages or once <= ONCE_VIEWS * len(views):
        return []
    advice = "patterns" if views.attrs["card"].pages.ids else "ids = 'auto' or patterns"
    return [
        f"Most pages ({once:,} of {pages:,}) are viewed once, so nothing can be learnt about them. If their addresses "
        f"hold ids, write {advice} under [pages]."
    ]


def _share(count: int, total: int) -> str:
    share = 100 * count / total
    return "under 1 %" if share < 1 else f"{share:.0f} %"


def understood(views: pd.DataFrame) -> str:
    """What loading made of a source, for the person who wrote its card: size, columns with their units, times, medians,
    lost and missing values, what is assumed, warnings, first rows.

    ``views`` comes from :func:`workbench.datasets.load`. Users are counted, not shown.
    """
    card = views.attrs["card"]
    counts = {"row": len(views)}
    counts |= {name: views[f"{name}_id"].nunique() for name in ("user", "session") if f"{name}_id" in views}
    size = [f"{count:,} {name}{'s' * (count != 1)}" for name, count in counts.items()]
    lines = [f"{card.name}: {card.facts.rows}{', SIMULATED' if card.simulated else ''}.", f"{', '.join(size)}."]
    lines += [f"Columns: {'; '.join(_readings(card))}."] if card.columns or card.date else []
    time = card.facts.time
    if time in views and views[time].notna().any():
        first, last = (views[time].agg(end).strftime("%Y-%m-%d %H:%M:%S") for end in ("min", "max"))
        lines.append(f"From {first} to {last} (UTC).")
    if "page" in views:
        lines.append(
            f"{views['page'].nunique():,} pages; most viewed: {', '.join(views['page'].value_counts().index[:5])}."
        )
    numbers = [
        name
        for name in (*MEASURED, *SIGNALS, "page_bytes", "ttfb_ms")
        if unit(name) and name in views and views[name].notna().any()
    ]
    medians = [f"{label(name, card)} {views[name].median():,.4g} {unit(name)}" for name in numbers]
    lines += [f"Medians: {', '.join(medians)}."] if medians else []
    if lost := views.attrs.get("lost", 0):
        lines.append(f"Lost probes, which count as slower than any other: {lost:,} ({_share(lost, len(views))}).")
    missing = views.isna().sum()
    gaps = [f"{label(name, card)} {count:,} ({_share(count, len(views))})" for name, count in missing.items() if count]
    lines += [f"Missing values: {', '.join(gaps)}."] if gaps else []
    assumed = [
        f"{label(name, card)} {base:g} {unit(name)} ({low:g} to {high:g})"
        for name, (low, base, high) in card.assume.items()
    ]
    lines += [f"Assumed, not measured: {', '.join(assumed)}."] if assumed else []
    lines += [*sentences(views.attrs), *_unfiltered(card)]
    rows = views.head(3).drop(columns="user_id", errors="ignore")
    return "\n".join([*lines, rows.T.to_string(header=False)])


def _unfiltered(card: Card) -> list[str]:
    """Which requests of an export stay, since no column tells what they were."""
    given = {*card.columns.values()}
    unknown = [name for name in ("status", "method") if name not in given]
    if not given & {"user_agent", "address"} or not unknown:
        return []
    return [
        f"No column is named as {' or '.join(unknown)}, so requests that are no page views (errors, redirects, POST) "
        "may be among the rows: name one under columns."
    ]


def _readings(card: Card) -> Iterator[str]:
    """Each column of a source: what it is, in which unit, and how it is converted."""
    mapped = {**({" and ".join(card.date): card.facts.time} if card.date else {}), **card.columns}
    for source, name in mapped.items():
        said = [label(name, card)]
        if name == card.facts.time:
            form = card.time_unit or (f"written as {card.time_format}" if card.time_format else "ISO 8601")
            said.append(f"{form}{f', of {card.time_zone}' if card.time_zone else ''}")
        elif unit(name):
            said.append(f"in {unit(name)}{f' once multiplied by {card.scale[name]:g}' if name in card.scale else ''}")
        yield f"{source} is {', '.join(said)}"
