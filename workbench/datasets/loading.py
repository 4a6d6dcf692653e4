"""From a source table to a canonical one: measurements, navigations, and what a card names."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import pandas as pd

from workbench.checked import checked
from workbench.datasets import published, readers
from workbench.datasets.access_logs import read_access_log
from workbench.datasets.account import as_views, count_out, loaded, warn
from workbench.datasets.canonical import add_local_hour, drop_unmeasured, to_canonical
from workbench.datasets.cards import Card, Pages, SourceFile, find_card
from workbench.datasets.columns import as_category, check_columns, showable
from workbench.datasets.download import fetch_file
from workbench.datasets.page_views import name_people, of_people
from workbench.datasets.people import of_known_users, of_sessions
from workbench.datasets.plausible import blank_odd, drop_implausible
from workbench.datasets.readers import PageLinks, links_of
from workbench.datasets.schema import (
    LOSABLE,
    NAVIGATION_COLUMNS,
    REQUEST_COLUMNS,
    check_measurements,
    check_navigations,
    count_lost,
    measured_quantities,
)
from workbench.datasets.sessions import about_times, collapse_repeats, newest_first, order_views
from workbench.datasets.splits import card_of, sample_users
from workbench.datasets.synthetic_network import make_measurements
from workbench.datasets.synthetic_site import make_navigations
from workbench.datasets.urls import OF_REQUESTS, normal_pages
from workbench.errors import WorkbenchError, check_one_of, check_seed, check_whole
from workbench.progress import bar

ACCOUNT = ("dropped", "warnings", "broken_lines")  # in attrs
YOURS = "your data"  # a frame without a name
ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
NAMED: dict[str, Callable[[Path, Card], pd.DataFrame]] = {
    "access_log": lambda path, card: read_access_log(
        path, card.format, card.client, card.time_zone, allow_empty=len(card.files) > 1
    ),
    "csv": readers.read_csv,
    "jsonl": readers.read_json,
    "msnbc": lambda path, card: published.read_msnbc(path),
    "parquet": readers.read_parquet,
    "wikispeedia": lambda path, card: published.read_wikispeedia(path),
}
LARGE_MB = 20  # reading a smaller file takes a second or two
BEGINS = {b"{": "jsonl", b"[": "jsonl", b"PAR1": "parquet"}  # of files whose ending tells nothing


def read_source(path: Path, card: Card) -> pd.DataFrame:
    """One file of a card, by the reader that the card names, else by the name's ending, else by the first bytes."""
    reader = _reader_of(path, card)
    if not reader:
        first = readers.first_bytes(path)
        reader = next((reader for mark, reader in BEGINS.items() if first.startswith(mark)), "csv")
    megabytes = path.stat().st_size / 1e6
    if megabytes < LARGE_MB:
        return NAMED[reader](path, card)
    with bar(f"reading {path.name}, {megabytes:,.0f} MB", delay=0, bar_format="{desc}"):
        return NAMED[reader](path, card)


class Written(TypedDict, total=False):
    """Entries of a card (:class:`Card`) for a frame of your own: how values are written, and which rows count."""

    scale: Mapping[str, float]
    missing: Sequence[str] | Mapping[str, Sequence[str]]
    lost: Mapping[str, Any]
    skip: Mapping[str, Any]
    keep: Mapping[str, Any]
    decimal: str
    thousands: str
    time_unit: str
    time_format: str
    time_zone: str
    date: Sequence[str]
    constants: Mapping[str, Any]
    context: Mapping[str, Mapping[str, str]]
    require: Sequence[str]
    plausible: bool
    unknown_user: str
    percent_encoded: bool


def _reader_of(path: Path, card: Card) -> str:
    if card.format and not card.reader:
        return "access_log"
    endings = [ending.lower() for ending in path.suffixes]
    known = {**ENDINGS, ".log": "access_log"} if card.kind == "navigations" else ENDINGS
    return card.reader or next((known[ending] for ending in reversed(endings) if ending in known), "")


def _read_links(path: Path, card: Card, file: SourceFile) -> pd.DataFrame:
    """A CSV file of page links: ``from_page, to_page`` (str), each pair once."""
    source = readers.read_csv(path, card)
    check_columns(source, file.links, card.name, f" in {file.name}")
    return readers.tidy_links(source.rename(columns=dict(file.links)), card.name, card.percent_encoded)


@checked
def navigations(
    df: Any,
    *,
    columns: Mapping[str, str] | None = None,
    values: Mapping[str, Mapping[str, str]] | None = None,
    links: Any = None,
    pages: Mapping[str, Any] | Pages | None = None,
    known_by: str = "",
    session_gap_min: float | None = None,
    keep_repeats: bool = False,
    name: str = "",
    simulated: bool = False,
    margin: float | None = None,
    assume: Mapping[str, Sequence[float]] | None = None,
    labels: Mapping[str, str] | None = None,
    like: pd.DataFrame | None = None,
    **entries: Unpack[Written],
) -> pd.DataFrame:
    """Bring any DataFrame of page views into canonical form, with the checks that cards get.

    Returns what :func:`load` returns. Raises a WorkbenchError with the column, the count and the first bad rows if the
    frame breaks the contract.

    Parameters
    ----------
    df : DataFrame
        One row per page view (of pandas, polars or Arrow): ``page``, and ``session_id`` or ``user_id`` with
        ``viewed_at``.
    links : DataFrame, optional
        Links between pages, ``from_page`` and ``to_page``: what can be opened from where.
    pages : mapping or Pages, optional
        What a page is, where pages are addresses: entries of :class:`workbench.datasets.cards.Pages`, such as
        ``{"keep_query": ["id"]}``. By default addresses lose their query, and files (pictures, feeds) are left out. A
        column ``host`` is the host of addresses that are paths.
    session_gap_min : float, optional
        Minutes without a view that end a session, if there is no ``session_id``; default 30.
    keep_repeats : bool
        Whether another view of the page that the session is on counts (a reload does not, by default).
    margin : float, optional
        Smallest difference in net hits per navigation that matters.
    assume : mapping, optional
        ``page_bytes``, ``page_load_ms`` or ``dwell_s`` to (low, base, high), if the data do not say.
    columns, values, known_by, name, simulated, labels, like, **entries
        As for :func:`measurements`; ``known_by`` is by default ``client_js``.

    Examples
    --------
    >>> clicks = pd.DataFrame({"who": ["a", "a", "a", "b"], "url": ["/", "/", "/cart", "/"]})
    >>> views = navigations(clicks, columns={"who": "session_id", "url": "page"})
    >>> views["page"].tolist(), views["position"].tolist(), views.attrs["dropped"]["repeats"]
    (['/', '/cart', '/'], [0, 1, 0], 1)
    """
    given: dict[str, Any] = {"columns": columns, "values": values, "labels": labels, "assume": assume, "margin": margin}
    given |= {"known_by": known_by, "session_gap_min": session_gap_min, "simulated": simulated, "pages": pages}
    card = _own_card("navigations", name, like, given, entries)
    df = readers.as_pandas(df, card.name)
    if like is not None:
        source = _with_card(df, card)
        links = links_of(like) if links is None else links
        return _with_account_of(like, _finish_navigations(source, card, links, keep_repeats=True))
    return _name_pages(_sound(to_canonical(df, card), card), card, links, keep_repeats)


def _with_account_of(like: pd.DataFrame, views: pd.DataFrame) -> pd.DataFrame:
    """Views with what loading left out of the frame that they are like, and its warnings beside their own."""
    warn(views, like.attrs.get("warnings", ()))
    views.attrs |= {name: like.attrs[name] for name in ("dropped", "kept") if name in like.attrs}
    return views


def _name_pages(source: pd.DataFrame, card: Card, links: pd.DataFrame | None, keep_repeats: bool) -> pd.DataFrame:
    """Give addresses the names of their pages, then finish the table."""
    tidy = None if links is None else readers.tidy_links(links, card.name)
    named, tidy, no_pages = normal_pages(source, card, tidy)
    dropped = Counter(source.attrs.get("dropped", {}))
    dropped.update(no_pages)
    named.attrs["dropped"] = dict(dropped)
    return _finish_navigations(named, card, tidy, keep_repeats)


def _finish_navigations(
    source: pd.DataFrame, card: Card, links: pd.DataFrame | None, keep_repeats: bool
) -> pd.DataFrame:
    """Check page views, put them in order, number sessions and views; card and links are kept in ``attrs``."""
    checked = check_navigations(source, card.name, card.context)
    checked.attrs = {name: source.attrs[name] for name in ACCOUNT if name in source.attrs}
    known = of_known_users(checked, card)
    oldest_first = known[::-1] if newest_first(known) else known
    try:
        ordered = order_views(oldest_first, by_time=card.order != "file", gap_min=card.session_gap_min)
    except WorkbenchError as err:
        raise WorkbenchError(f"{card.name}: {err}") from err
    kept = ordered if keep_repeats else collapse_repeats(ordered)
    views = add_local_hour(kept.assign(view_id=range(len(kept))), card.facts.time)
    names = [column.name for column in (*NAVIGATION_COLUMNS, *card.context)]
    views = views[[name for name in names if name in views]]
    if "simulated" in views and views["simulated"].any():
        card = replace(card, simulated=True)
    views.attrs = known.attrs | {"card": card}
    views.attrs["dropped"] = {**known.attrs.get("dropped", {}), "repeats": len(ordered) - len(kept)}
    if links is not None:
        views.attrs["links"] = PageLinks(readers.tidy_links(links, card.name))
    warn(views, about_times(known, by_time=card.order != "file"))
    return loaded(views)


@checked
def load(
    name_or_path: str | os.PathLike[str], *, rows: int | None = None, seed: int = 0, keep_repeats: bool = False
) -> pd.DataFrame:
    """Load a dataset by its card's name, or by the path of a card or an access log; fetch and verify missing files.

    Raises a WorkbenchError if there is no such card, a file cannot be fetched or read, or the rows break the contract.

    Parameters
    ----------
    name_or_path : str or path
    rows : int, optional
        About how many rows to keep: whole users (without users, whole sessions) drawn by ``seed``. A simulated set is
        generated at this size. All rows by default.
    seed : int
        Seed of the draw.
    keep_repeats : bool
        Navigations only: whether another view of the page that the session is on counts.

    Returns
    -------
    DataFrame
        Canonical columns (``schema.COLUMNS`` or ``schema.NAVIGATION_COLUMNS``), one row per view; the card in
        ``attrs["card"]``, counts of dropped rows in ``attrs["dropped"]``. Measurements: lost probes, which stay, are
        counted in ``attrs["lost"]``. Navigations: links between pages, if the source has them, from
        :func:`workbench.datasets.links_of`; the shape of broken lines of an access log in ``attrs["broken_lines"]``.
    """
    if rows is not None:
        check_whole("rows", rows, at_least=1)
    check_seed(seed)
    card = find_card(name_or_path)
    if card.generator and rows is not None:
        card = replace(card, generate={**card.generate, "rows": int(rows)})
    if card.kind == "navigations":
        views = _load_navigations(card, keep_repeats)
    elif keep_repeats:
        raise WorkbenchError(f"{card.name}: keep_repeats is for navigations; these are {card.kind}. Leave it out.")
    elif card.generator:
        views = _finish(make_measurements(**card.generate), card)
    else:
        views = _finish(_read_files(card), card)
    if rows is None or card.generator:
        return views
    drawn = sample_users(views, rows, seed).reset_index(drop=True)
    if card.kind == "navigations":
        sessions = pd.factorize(drawn["session_id"])[0]
        drawn = drawn.assign(view_id=range(len(drawn)), session_id=sessions, page=as_category(drawn["page"]))
    return as_views(drawn)


@checked
def measurements(
    df: Any,
    *,
    columns: Mapping[str, str] | None = None,
    assume: Mapping[str, Sequence[float]] | None = None,
    values: Mapping[str, Mapping[str, str]] | None = None,
    known_by: str = "",
    name: str = "",
    simulated: bool = False,
    margin: float | None = None,
    labels: Mapping[str, str] | None = None,
    like: pd.DataFrame | None = None,
    **entries: Unpack[Written],
) -> pd.DataFrame:
    """Bring any DataFrame of measurements into canonical form, with the checks that cards get.

    Returns what :func:`load` returns. Raises a WorkbenchError with the column, the count and the first bad rows if the
    frame breaks the contract.

    Parameters
    ----------
    df : DataFrame
        One row per view or test: of pandas, polars or Arrow.
    columns, values : mapping, optional
        Your column name to the canonical one; canonical column to a mapping of your values to canonical ones.
    assume : mapping, optional
        Quantity that was not measured (``rtt_ms`` or ``downlink_mbps``) to (low, base, high).
    known_by : str
        What is known when the decision is made (one of ``columns.LEVELS``); default ``first_request``.
    name, simulated : str, bool
        The name in reports, default "your data"; whether the rows are simulated, which reports then say.
    margin : float, optional
        Smallest difference in net that matters, in points.
    labels : mapping, optional
        Canonical column to what readers see for it.
    like : DataFrame, optional
        A frame whose card is true of ``df`` too, which is canonical already (``merge`` or ``pd.concat`` made it). Only
        the frame is checked; nothing else may be given. Columns that the card does not know are left out, and named in
        ``attrs["warnings"]``.
    **entries
        Further entries of a card, as :class:`Card` describes them: ``scale``, ``missing``, ``lost``, ``skip``,
        ``keep``, ``decimal``, ``thousands``, ``time_unit``, ``time_format``, ``time_zone``, ``date``, ``constants``,
        ``context``, ``require``, ``plausible``, ``unknown_user``, ``percent_encoded``.

    Examples
    --------
    >>> own = pd.DataFrame({"RTT": [40.0, 900.0]})
    >>> views = measurements(own, columns={"RTT": "rtt_ms"}, assume={"downlink_mbps": (2, 10, 50)})
    >>> list(views.columns), views.attrs["card"].assume["downlink_mbps"]
    (['rtt_ms'], (2.0, 10.0, 50.0))
    """
    given: dict[str, Any] = {"columns": columns, "values": values, "labels": labels, "assume": assume, "margin": margin}
    given |= {"known_by": known_by, "simulated": simulated}
    card = _own_card("measurements", name, like, given, entries)
    df = readers.as_pandas(df, card.name)
    if like is not None:
        return _with_account_of(like, _finish(_with_card(df, card), card))
    return _finish(_sound(to_canonical(df, card), card), card)


def _with_card(df: pd.DataFrame, card: Card) -> pd.DataFrame:
    """A canonical frame, with a warning that names the columns which its card does not know."""
    known = {*card.facts.reserved, *(column.name for column in card.context)}
    unknown = [showable(str(name)) for name in df if name not in known]
    source = df.copy(deep=False)
    source.attrs = {}
    if unknown:
        left_out = f"Columns {', '.join(unknown)} are left out: no card of this frame knows them."
        warn(source, [f"{left_out} Give the whole table to wb.{card.kind} with context= for them, instead of like=."])
    return source


def _sound(source: pd.DataFrame, card: Card, of_log: bool = False) -> pd.DataFrame:
    """The rows that are left, with ids of persons only, and values that columns of their kind have.

    ``of_log``: of requests, only page views of people are left already.

    Raises a WorkbenchError where skip and keep leave out every row.
    """
    dropped = source.attrs.get("dropped", {})
    if not len(source) and dropped:
        named = ", ".join(map(repr, {**card.skip, **card.keep}))
        raise WorkbenchError(
            f"{card.name}: expected rows to keep; skip, keep or time_zone leave out all {sum(dropped.values()):,}. See "
            f"which values {named or 'the times'} have."
        )
    warn(source, (f"skip on {showable(name)!r} fits no row." for name in sorted(source.attrs.pop("idle", ()))))
    views = of_sessions(_whole(source) if card.kind == "navigations" else source)
    views = views if of_log else of_people(views, card)
    named = name_people(views, card)
    named.attrs[OF_REQUESTS] = of_log or bool({*(column.name for column in REQUEST_COLUMNS)} & {*views})
    return drop_implausible(blank_odd(named, card), card)


def _whole(views: pd.DataFrame) -> pd.DataFrame:
    """The views with a page, and with a time where others have one; the others are counted."""
    for name, why in (("page", "no_page"), ("viewed_at", "bad_time")):
        if name in views and views[name].notna().any():
            views = count_out(views, views[name].isna(), why)
    return views


def _own_card(
    kind: str, name: str, like: pd.DataFrame | None, entries: Mapping[str, Any], written: Mapping[str, Any]
) -> Card:
    """The card of a person's own frame: that of the frame it is like, or one of these entries."""
    for entry in written:
        check_one_of("an argument", entry, [*entries, *Written.__annotations__])
    given = {entry: value for entry, value in {**entries, **written}.items() if value is not None and value != ""}
    if like is None:
        return Card(name=name or YOURS, title=name or YOURS, **{"kind": kind, **given})
    card = card_of(like)
    said = [entry for entry, value in {"name": name, **given}.items() if value is not False and value != ""]
    if said:
        raise WorkbenchError(f"{card.name}: like= takes its card as it is; leave out {', '.join(said)}.")
    if card.kind != kind:
        raise WorkbenchError(f"{card.name}: like= is of {card.kind}; take wb.{card.kind}(df, like=views).")
    return card


def _load_navigations(card: Card, keep_repeats: bool) -> pd.DataFrame:
    if card.generator:
        views = make_navigations(**card.generate)
        return _finish_navigations(views, card, links_of(views), keep_repeats)
    source = _read_files(card)
    links = [_read_links(fetch_file(card, file), card, file) for file in card.files if file.links]
    joined = pd.concat(links, ignore_index=True) if links else None
    return _name_pages(source, card, joined, keep_repeats)


def _read_files(card: Card) -> pd.DataFrame:
    """Rows of all files in canonical names; ``attrs`` have the account of what was left out."""
    frames, dropped, said = [], Counter(duplicates=0), []
    shown: tuple[str, ...] = ()
    for file in card.files:
        if file.links:
            continue
        source = read_source(fetch_file(card, file), card)
        dropped.update(source.attrs.get("dropped", {}))
        shown += source.attrs.get("broken_lines", ())
        said += source.attrs.get("warnings", ())
        if card.drop_duplicates:
            distinct = source.drop_duplicates()
            dropped["duplicates"] += len(source) - len(distinct)
            source = distinct
        if not len(source) and len(card.files) > 1 and _reader_of(Path(file.name), card) == "access_log":
            continue
        if not len(source):
            raise WorkbenchError(f"{card.name}: expected at least one row in {file.name}; it holds none.")
        frames.append(to_canonical(source, card, file.constants))
        dropped.update(frames[-1].attrs["dropped"])
        said += frames[-1].attrs["warnings"]
    if not frames and dropped.total():
        raise WorkbenchError(f"{card.name}: expected page views; none of its files holds any.")
    if not frames:
        raise WorkbenchError(f"{card.name}: the card names no file and no generator; add a [[files]] entry.")
    rows = pd.concat(frames, ignore_index=True)
    idle = set.intersection(*(frame.attrs["idle"] for frame in frames))
    rows.attrs = {"dropped": dict(dropped), "idle": idle} | ({"broken_lines": shown} if shown else {})
    warn(rows, said)
    return _sound(rows, card, of_log=any(_reader_of(Path(file.name), card) == "access_log" for file in card.files))


def _finish(source: pd.DataFrame, card: Card) -> pd.DataFrame:
    """Check measurements; card, account and the number of lost probes are kept in ``attrs``."""
    checked = check_measurements(source, card.name, card.context)
    checked.attrs = {name: source.attrs[name] for name in ACCOUNT if name in source.attrs}
    known = of_known_users(checked, card)
    frame = add_local_hour(drop_unmeasured(known, card.require))
    if not len(frame):
        raise WorkbenchError(f"{card.name}: expected measured rows; every row lacks its measurement.")
    if count_lost(frame) == len(frame) and measured_quantities(frame) == [LOSABLE]:
        raise WorkbenchError(f"{card.name}: expected probes that came back; all {len(frame):,} were lost.")
    if "simulated" in frame and frame["simulated"].any():
        card = replace(card, simulated=True)
    dropped = {"duplicates": 0, **known.attrs.get("dropped", {}), "unmeasured": len(known) - len(frame)}
    frame.attrs = known.attrs | {"card": card, "dropped": dropped, "lost": count_lost(frame)}
    return loaded(frame)
