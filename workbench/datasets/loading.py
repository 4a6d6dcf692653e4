"""The ways in: a card's dataset of any kind, a person's own frame of measurements."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from workbench.datasets.access_logs import number_visitors
from workbench.datasets.canonical import add_local_hour, drop_unmeasured, to_canonical
from workbench.datasets.card_checks import low_base_high
from workbench.datasets.cards import Card, find_card
from workbench.datasets.download import fetch_file
from workbench.datasets.navigation_loading import finish_navigations, renumbered
from workbench.datasets.page_links import links_of
from workbench.datasets.schema import LOSABLE, check_measurements, count_lost, measured_quantities
from workbench.datasets.sources import read_links, read_source, reader_of
from workbench.datasets.splits import sample_users
from workbench.datasets.synthetic_network import make_measurements
from workbench.datasets.synthetic_site import make_navigations
from workbench.errors import WorkbenchError, check_whole


def load(
    name_or_path: str | os.PathLike[str], *, rows: int | None = None, seed: int = 0, keep_repeats: bool = False
) -> pd.DataFrame:
    """Load a dataset by its card's name, or by the path of a card or an access log anywhere.

    Files are fetched and verified where they are not here yet.

    Parameters
    ----------
    name_or_path : str or path
    rows : int, optional
        About how many rows to keep, whole users (where there are none, whole sessions) drawn by ``seed``; a simulated
        set is generated at this size. All rows by default.
    seed : int
        Seed of the draw.
    keep_repeats : bool
        Navigations only: whether a view of the page that the session is on already counts.

    Returns
    -------
    DataFrame
        Canonical columns (``schema.COLUMNS`` or ``navigation_schema.NAVIGATION_COLUMNS``), one row a view; the card in
        ``attrs["card"]``, counts of dropped rows in ``attrs["dropped"]``. Measurements: lost probes, which stay, are
        counted in ``attrs["lost"]``. Navigations: links between pages, where the source has them, from
        :func:`workbench.datasets.links_of`; the first broken lines of an access log in ``attrs["broken_lines"]``.

    Raises
    ------
    WorkbenchError
        Where there is no such card, a file cannot be had or read, or the rows break the contract.
    """
    if rows is not None:
        check_whole("rows", rows, at_least=1)
    check_whole("seed", seed, at_least=0)
    card = find_card(name_or_path)
    if card.generator and rows is not None:
        card = replace(card, generate={**card.generate, "rows": rows})
    if card.kind == "navigations":
        views = _load_navigations(card, keep_repeats)
    elif keep_repeats:
        raise WorkbenchError(f"{card.name}: keep_repeats is for navigations; these are {card.kind}. Leave it out.")
    else:
        views = _finish(make_measurements(**card.generate), card) if card.generator else _finish(*_read_files(card))
    if rows is None or card.generator:
        return views
    drawn = sample_users(views, rows, seed)
    return renumbered(drawn) if card.kind == "navigations" else drawn.reset_index(drop=True)


def measurements(
    df: pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    assume: Mapping[str, Sequence[float]] | None = None,
    values: Mapping[str, Mapping[str, str]] | None = None,
    known_by: str = "first_request",
    name: str = "your data",
    simulated: bool = False,
    margin: float | None = None,
) -> pd.DataFrame:
    """Bring any DataFrame of measurements into canonical form, with the checks that cards get.

    Parameters
    ----------
    df : DataFrame
        One row a view or test.
    columns : mapping, optional
        Your column name to the canonical one.
    assume : mapping, optional
        Quantity that was not measured (``rtt_ms`` or ``downlink_mbps``) to (low, base, high).
    values : mapping, optional
        Canonical column to a mapping of your values to canonical ones.
    known_by : str
        What is known when the images are chosen (one of ``schema.LEVELS``).
    name : str
        What reports call it.
    simulated : bool
        Whether the rows are simulated; reports then say so.
    margin : float, optional
        Smallest difference in net worth having, in points.

    Returns
    -------
    DataFrame
        As from :func:`load`.

    Raises
    ------
    WorkbenchError
        With the column, the count and the first bad rows, where the frame breaks the contract.

    Examples
    --------
    >>> views = measurements(
    ...     pd.DataFrame({"RTT": [40.0, 900.0]}), columns={"RTT": "rtt_ms"}, assume={"downlink_mbps": (2, 10, 50)}
    ... )
    >>> list(views.columns), views.attrs["card"].assume["downlink_mbps"]
    (['rtt_ms'], (2.0, 10.0, 50.0))
    """
    if not isinstance(df, pd.DataFrame):
        raise WorkbenchError(f"{name}: expected a pandas DataFrame; got {type(df).__name__}.")
    card = Card(
        name=name,
        title=name,
        known_by=known_by,
        simulated=simulated,
        columns=dict(columns or {}),
        values=dict(values or {}),
        assume=low_base_high(name, assume or {}),
        margin=margin,
    )
    return _finish(to_canonical(df, card), card)


def _load_navigations(card: Card, keep_repeats: bool) -> pd.DataFrame:
    if card.generator:
        views = make_navigations(**card.generate)
        return finish_navigations(views, card, links_of(views), keep_repeats=keep_repeats)
    source, _, dropped = _read_files(card)
    if "user_id" in source and any(reader_of(Path(file.name), card) == "access_log" for file in card.files):
        source["user_id"] = number_visitors(source["user_id"])
    links = [read_links(fetch_file(card, file), card, file) for file in card.files if file.links]
    joined = pd.concat(links, ignore_index=True) if links else None
    return finish_navigations(source, card, joined, dropped, keep_repeats=keep_repeats)


def _read_files(card: Card) -> tuple[pd.DataFrame, Card, Counter[str]]:
    """Rows of all files in canonical names, and how many were dropped on the way, by reason."""
    frames, dropped = [], Counter(duplicates=0)
    shown: tuple[str, ...] = ()
    for file in card.files:
        if file.links:
            continue
        source = read_source(fetch_file(card, file), card)
        dropped.update(source.attrs.get("dropped", {}))
        shown += source.attrs.get("broken_lines", ())
        if card.drop_duplicates:
            distinct = source.drop_duplicates()
            dropped["duplicates"] += len(source) - len(distinct)
            source = distinct
        if not len(source):
            raise WorkbenchError(f"{card.name}: expected at least one row in {file.name}; it holds none.")
        frames.append(to_canonical(source, card, file.constants))
    if not frames:
        raise WorkbenchError(f"{card.name}: the card names no file and no generator; add a [[files]] entry.")
    rows = pd.concat(frames, ignore_index=True)
    if shown:
        rows.attrs["broken_lines"] = shown
    return rows, card, dropped


def _finish(source: pd.DataFrame, card: Card, dropped: Mapping[str, int] | None = None) -> pd.DataFrame:
    checked = check_measurements(source, card.name, card.context)
    frame = add_local_hour(drop_unmeasured(checked, card.require))
    if not len(frame):
        raise WorkbenchError(f"{card.name}: expected measured rows; every row lacks its measurement.")
    if count_lost(frame) == len(frame) and measured_quantities(frame) == [LOSABLE]:
        raise WorkbenchError(f"{card.name}: expected probes that came back; all {len(frame):,} were lost.")
    if "simulated" in frame and frame["simulated"].any():
        card = replace(card, simulated=True)
    before = dict(dropped or {"duplicates": 0})
    frame.attrs.update(card=card, dropped={**before, "unmeasured": len(checked) - len(frame)})
    frame.attrs["lost"] = count_lost(frame)
    return frame
