"""The simulated site: its pages, its links, and the law of the next page that every step is drawn from."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from workbench.datasets import synthetic_site_facts as facts
from workbench.datasets.synthetic_network_facts import is_evening, shares

KINDS = tuple(facts.KINDS)
NOBODY = len(KINDS)  # in the place of the kind before: the session begins here; of the kind after: it ends here


@dataclass(frozen=True)
class Site:
    """The pages, and the chance of each next kind. It has no seed: every world has the same site."""

    pages: pd.Index  # addresses, sorted
    kind: np.ndarray  # (pages,), position in KINDS
    popularity: np.ndarray  # (kinds, pages), of each page within its kind, else 0
    next_kinds: np.ndarray  # (states of `state_of`, kinds + 1), last the chance that the session ends


@cache
def make_site() -> Site:
    """Return the site."""
    addresses = [kind.address.format(n) for kind in facts.KINDS.values() for n in range(1, kind.pages + 1)]
    kind = np.repeat(np.arange(NOBODY), [k.pages for k in facts.KINDS.values()])
    rank = np.concatenate([np.arange(1, k.pages + 1) for k in facts.KINDS.values()])
    order = np.argsort(addresses)
    weight = np.where(kind == np.arange(NOBODY)[:, None], rank**-facts.POPULARITY_POWER, 0)[:, order]
    return Site(
        pages=pd.Index(addresses, dtype="str")[order],
        kind=kind[order],
        popularity=weight / weight.sum(axis=1, keepdims=True),
        next_kinds=_next_kinds(),
    )


def state_of(in_cell: np.ndarray, before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return the row of ``Site.next_kinds``, by planted cell or not, the kind before (or ``NOBODY``), the kind now."""
    return (in_cell.astype(np.int64) * (NOBODY + 1) + before) * NOBODY + now


def _next_kinds() -> np.ndarray:
    table = np.zeros((2, NOBODY + 1, NOBODY, NOBODY + 1))
    for name, chances in facts.HUBS.items():
        now, after = KINDS.index(name), [KINDS.index(kind) for kind in chances]
        table[:, :, now, after] = shares(chances.values())
        if name in facts.SWAPPED:
            first, last = after[0], after[-1]
            table[1][:, now, [first, last]] = table[1][:, now, [last, first]]
    for (name, before), chances in facts.READ.items():
        after = [KINDS.index(kind) for kind in chances]
        table[:, KINDS.index(before), KINDS.index(name), after] = shares(chances.values())
    exit_chance = np.array([kind.exit_chance for kind in facts.KINDS.values()])
    table *= 1 - exit_chance[:, None]
    table[..., NOBODY] = exit_chance
    return table.reshape(-1, NOBODY + 1)


def next_page_chances(site: Site, in_cell: np.ndarray, before: np.ndarray, now: np.ndarray, habit: float) -> np.ndarray:
    """Return the chance of each page to come next, habits averaged over people.

    Parameters
    ----------
    site : Site
    in_cell : numpy.ndarray
        Shape (rows,), bool: whether the view lies in the planted cell.
    before, now : numpy.ndarray
        Shape (rows,), int64, positions in ``site.pages``; ``before`` is -1 where the session begins.
    habit : float
        Chance that who opens a page of a kind opens their own one.

    Returns
    -------
    numpy.ndarray
        Shape (rows, pages), float64; what a row lacks to 1 is the chance that the session ends.

    Notes
    -----
    Within a kind, page ``c`` has its popularity ``q_c``. Of a person who opened page ``b`` of that kind just before,
    the own page is ``f`` with ``P(f | b) = (1 - h) q_f + h [f = b]`` (Bayes: own pages are drawn by ``q`` too), so the
    next of the kind is ``c`` with ``(1 - h^2) q_c + h^2 [c = b]``. Which kinds people open does not depend on their own
    pages, and nobody goes from a page to another of its kind, so the view and the one before tell no more of them.
    """
    kind_before = np.where(before < 0, NOBODY, site.kind[before])
    kinds = site.next_kinds[state_of(in_cell, kind_before, site.kind[now])][:, site.kind]
    within = np.tile(site.popularity.sum(axis=0), (len(now), 1))
    again = np.arange(len(site.pages)) == before[:, None]
    of_kind_before = site.kind == kind_before[:, None]
    return kinds * np.where(of_kind_before, (1 - habit**2) * within + habit**2 * again, within)


def in_planted_cell(device: np.ndarray, local_hour: np.ndarray, quick: np.ndarray) -> np.ndarray:
    """Return which views (rows,) follow a quick one, on a phone in the evening or on another device by day."""
    return quick & ((device == "phone") == is_evening(local_hour))


def page_links(site: Site) -> pd.DataFrame:
    """Return the links, ``from_page`` and ``to_page`` (str): every step that some law allows.

    >>> page_links(make_site()).query("from_page == '/search'")["to_page"].tolist()
    ['/feed', '/search/results']
    """
    steps = site.next_kinds.reshape(-1, NOBODY, NOBODY + 1).max(axis=0) > 0
    start, end = np.nonzero(steps[site.kind][:, site.kind])
    return pd.DataFrame({"from_page": site.pages[start], "to_page": site.pages[end]})
