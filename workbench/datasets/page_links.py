"""Links between pages, where a source has them: each page's real candidates."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from workbench.datasets.canonical import decoded
from workbench.datasets.card_entries import LINK_COLUMNS
from workbench.datasets.columns import as_text
from workbench.errors import WorkbenchError


@dataclass(frozen=True, eq=False)
class PageLinks:
    """Page links on their way in ``attrs["links"]``, where pandas copies and compares what it finds.

    A frame cannot lie there by itself: pandas would copy it with every selection, and fail to compare two.
    """

    frame: pd.DataFrame

    def __deepcopy__(self, memo: dict) -> PageLinks:
        return self


def links_of(frame: pd.DataFrame) -> pd.DataFrame | None:
    """Links between pages that a frame of navigations carries: ``from_page, to_page`` (str); None where it has none."""
    held = frame.attrs.get("links")
    return held.frame if isinstance(held, PageLinks) else held


def tidy_links(links: pd.DataFrame, name: str, percent_encoded: bool = False) -> pd.DataFrame:
    """Page links as texts, each pair once, in the order given; a page may link to itself.

    Raises
    ------
    WorkbenchError
        Where there is no frame with columns ``from_page`` and ``to_page``.
    """
    if not isinstance(links, pd.DataFrame) or not set(LINK_COLUMNS) <= set(links.columns):
        got = ", ".join(map(str, links.columns)) if isinstance(links, pd.DataFrame) else type(links).__name__
        raise WorkbenchError(f"{name}: links must be a DataFrame with columns {' and '.join(LINK_COLUMNS)}; got {got}.")
    both = links[list(LINK_COLUMNS)].dropna()
    texts = pd.DataFrame({side: as_text(decoded(both[side]) if percent_encoded else both[side]) for side in both})
    return texts.drop_duplicates().reset_index(drop=True)
