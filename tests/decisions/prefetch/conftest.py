"""Sessions of one-letter pages, and what is fetched in them."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def sessions():
    """``sessions("abc", "ab")``: one string a session; seconds since each session's start where they are known."""

    def make(*pages, seconds=None, letters="abcdefghij", **columns):
        views = pd.DataFrame(
            {
                "session_id": np.repeat(np.arange(len(pages)), [len(each) for each in pages]),
                "position": np.concatenate([np.arange(len(each)) for each in pages]),
                "page": pd.Categorical(list("".join(pages)), categories=list(letters)),
                **columns,
            }
        )
        if seconds is not None:
            at = pd.to_timedelta(np.concatenate(seconds), unit="s") + pd.Timestamp("2026-01-01", tz="UTC")
            views["viewed_at"] = at.as_unit("us")
        return views.assign(view_id=np.arange(len(views)))

    return make


@pytest.fixture(scope="session")
def fetches():
    """``fetches(v0="bc")`` fetches b, then c, at view 0."""

    def make(**by_view):
        rows = [(int(view[1:]), page, rank) for view, pages in by_view.items() for rank, page in enumerate(pages, 1)]
        return pd.DataFrame(rows, columns=["view_id", "page", "rank"])

    return make


@pytest.fixture(scope="session")
def played():
    """Columns of outcomes as lists of whole numbers, a row a view."""
    return lambda outcomes, *columns: outcomes[list(columns)].astype(int).to_numpy().tolist()


@pytest.fixture(scope="session")
def told():
    """Columns of an answer as a list of tuples."""
    return lambda answer, *columns: list(answer[list(columns)].astype({"page": str}).itertuples(index=False, name=None))
