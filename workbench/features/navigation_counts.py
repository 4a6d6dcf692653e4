"""All that is counted over some sessions for the features of later ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.features.navigation import (
    PageCounts,
    Transitions,
    count_transitions,
    encode,
    next_codes,
    previous_codes,
    session_numbers,
)
from workbench.features.navigation_candidates import link_table
from workbench.features.navigation_layout import Layout

LATEST_SHARE = 0.1  # of the sessions, the last of them tell what is popular now
ARRAYS = ("states", "start", "page", "count", "total")


@dataclass(frozen=True)
class NavigationCounts:
    """All that is counted, over some sessions, for the features of later ones.

    Parameters
    ----------
    pages : PageCounts
        What followed nothing, the page, and the last two pages.
    latest : Transitions
        As order 0, over the latest tenth of the sessions.
    skipping : Transitions
        What was opened one view later than next: the state is the page before the current one.
    groups : mapping
        Name of a group of views to what followed each page there.
    links : Transitions or None
        What each page links to.
    """

    pages: PageCounts
    latest: Transitions
    skipping: Transitions
    groups: Mapping[str, Transitions]
    links: Transitions | None

    @classmethod
    def fit(cls, frame: pd.DataFrame, layout: Layout, links: pd.DataFrame | None = None) -> NavigationCounts:
        """Count a frame of whole sessions in the order of their start."""
        vocabulary = pd.Index(layout.pages, dtype="str")
        n_pages = len(vocabulary)
        codes = encode(frame, vocabulary)
        nxt, before = next_codes(frame, codes), previous_codes(frame, codes)
        pages = PageCounts.fit(frame, vocabulary)
        sessions = session_numbers(frame)
        late = sessions >= (1 - LATEST_SHARE) * (sessions.max(initial=0) + 1)
        nothing = np.zeros(len(frame), np.int64)
        groups = {}
        for group in layout.groups:
            of_view, _ = layout.group_codes(frame, group)
            groups[name_of(group)] = count_transitions(group_state(of_view, codes, n_pages), nxt, n_pages)
        return cls(
            pages=pages,
            latest=count_transitions(nothing[late], nxt[late], n_pages),
            skipping=count_transitions(before, nxt, n_pages),
            groups=groups,
            links=None if links is None else link_table(links, pages),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, without the vocabulary, which the layout holds."""
        return {
            "orders": [write_transitions(counts) for counts in self.pages.orders],
            "latest": write_transitions(self.latest),
            "skipping": write_transitions(self.skipping),
            "groups": {name: write_transitions(counts) for name, counts in self.groups.items()},
            "links": None if self.links is None else write_transitions(self.links),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any], layout: Layout) -> NavigationCounts:
        """Bring back what :meth:`to_dict` wrote."""
        zeroth, first, second = (read_transitions(counts) for counts in saved["orders"])
        return cls(
            pages=PageCounts(pd.Index(layout.pages, dtype="str"), (zeroth, first, second)),
            latest=read_transitions(saved["latest"]),
            skipping=read_transitions(saved["skipping"]),
            groups={name: read_transitions(counts) for name, counts in saved["groups"].items()},
            links=None if saved["links"] is None else read_transitions(saved["links"]),
        )


def write_transitions(counts: Transitions) -> dict[str, Any]:
    """Plain lists and numbers; :func:`read_transitions` brings them back."""
    return {name: getattr(counts, name).tolist() for name in ARRAYS} | {"n_pages": counts.n_pages}


def read_transitions(saved: Mapping[str, Any]) -> Transitions:
    """Bring back what :func:`write_transitions` wrote."""
    return Transitions(**{name: np.array(saved[name], np.int64) for name in ARRAYS}, n_pages=saved["n_pages"])


def name_of(group: tuple[str, ...]) -> str:
    """How a group of views is called: ``device x local_hour``."""
    return " x ".join(group)


def group_state(of_view: np.ndarray, codes: np.ndarray, n_pages: int) -> np.ndarray:
    """State of a page within a group of views, -1 where one of them is unknown: int64, shape (views,)."""
    return np.where((of_view >= 0) & (codes >= 0), of_view * n_pages + codes, -1)
