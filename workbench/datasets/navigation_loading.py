"""The way in for navigations: from source rows to sessions in order, and a person's own frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from workbench.datasets.canonical import add_local_hour, to_canonical
from workbench.datasets.card_checks import low_base_high
from workbench.datasets.cards import Card
from workbench.datasets.columns import as_category
from workbench.datasets.navigation_schema import NAVIGATION_COLUMNS, check_navigations
from workbench.datasets.page_links import PageLinks, tidy_links
from workbench.datasets.sessions import GAP_MIN, collapse_repeats, order_views
from workbench.errors import WorkbenchError


def navigations(
    df: pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    values: Mapping[str, Mapping[str, str]] | None = None,
    links: pd.DataFrame | None = None,
    known_by: str = "client_js",
    session_gap_min: float = GAP_MIN,
    keep_repeats: bool = False,
    name: str = "your data",
    simulated: bool = False,
    margin: float | None = None,
    assume: Mapping[str, Sequence[float]] | None = None,
) -> pd.DataFrame:
    """Bring any DataFrame of page views into canonical form, with the checks that cards get.

    Parameters
    ----------
    df : DataFrame
        One row a page view: ``page``, and ``session_id`` or ``user_id`` with ``viewed_at``.
    columns : mapping, optional
        Your column name to the canonical one.
    values : mapping, optional
        Canonical column to a mapping of your values to canonical ones.
    links : DataFrame, optional
        Links between pages, ``from_page`` and ``to_page``: what can be opened from where.
    known_by : str
        What is known when pages are fetched ahead (one of ``columns.LEVELS``).
    session_gap_min : float
        Minutes of silence that end a session, where there is no ``session_id``.
    keep_repeats : bool
        Whether a view of the page that the session is on already counts (a reload does not, by default).
    name : str
        What reports call it.
    simulated : bool
        Whether the rows are simulated; reports then say so.
    margin : float, optional
        Smallest difference in net hits per navigation worth having.
    assume : mapping, optional
        ``page_bytes``, ``page_load_ms`` or ``dwell_s`` to (low, base, high), where the data do not tell.

    Returns
    -------
    DataFrame
        As from :func:`workbench.datasets.load`.

    Raises
    ------
    WorkbenchError
        With the column, the count and the first bad rows, where the frame breaks the contract.

    Examples
    --------
    >>> clicks = pd.DataFrame({"who": ["a", "a", "a", "b"], "url": ["/", "/", "/cart", "/"]})
    >>> views = navigations(clicks, columns={"who": "session_id", "url": "page"})
    >>> views["page"].tolist(), views["position"].tolist(), views.attrs["dropped"]["repeats"]
    (['/', '/cart', '/'], [0, 1, 0], 1)
    """
    if not isinstance(df, pd.DataFrame):
        raise WorkbenchError(f"{name}: expected a pandas DataFrame; got {type(df).__name__}.")
    card = Card(
        name=name,
        title=name,
        kind="navigations",
        known_by=known_by,
        simulated=simulated,
        columns=dict(columns or {}),
        values=dict(values or {}),
        assume=low_base_high(name, assume or {}),
        margin=margin,
        session_gap_min=session_gap_min,
    )
    return finish_navigations(to_canonical(df, card), card, links, keep_repeats=keep_repeats)


def finish_navigations(
    source: pd.DataFrame,
    card: Card,
    links: pd.DataFrame | None = None,
    dropped: Mapping[str, int] | None = None,
    *,
    keep_repeats: bool = False,
) -> pd.DataFrame:
    """Check page views, put them in order, number sessions and views; the card and links then ride in ``attrs``.

    Parameters
    ----------
    source : DataFrame
        Canonical names, rows as the source has them.
    card : Card
    links : DataFrame, optional
        ``from_page, to_page``.
    dropped : mapping, optional
        What was dropped before, by reason.
    keep_repeats : bool

    Returns
    -------
    DataFrame
    """
    checked = check_navigations(source, card.name, card.context)
    try:
        ordered = order_views(checked, by_time=card.order != "file", gap_min=card.session_gap_min)
    except WorkbenchError as err:
        raise WorkbenchError(f"{card.name}: {err}") from err
    kept = ordered if keep_repeats else collapse_repeats(ordered)
    views = in_contract_order(add_local_hour(kept.assign(view_id=range(len(kept))), card.facts.time), card)
    if "simulated" in views and views["simulated"].any():
        card = replace(card, simulated=True)
    views.attrs = {name: source.attrs[name] for name in ("broken_lines",) if name in source.attrs}
    views.attrs.update(card=card, dropped={**(dropped or {}), "repeats": len(ordered) - len(kept)})
    if links is not None:
        views.attrs["links"] = PageLinks(tidy_links(links, card.name))
    return views


def renumbered(views: pd.DataFrame) -> pd.DataFrame:
    """Some sessions of a frame as a frame of its own: views, sessions and pages are those that are left."""
    sessions = pd.factorize(views["session_id"])[0]
    fresh = views.reset_index(drop=True)
    return fresh.assign(view_id=range(len(fresh)), session_id=sessions, page=as_category(fresh["page"]))


def in_contract_order(views: pd.DataFrame, card: Card) -> pd.DataFrame:
    """Columns in the order of the contract, the card's own last."""
    names = [column.name for column in (*NAVIGATION_COLUMNS, *card.context)]
    return views[[name for name in names if name in views]]
