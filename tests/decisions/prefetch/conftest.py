"""Sessions of one-letter pages, and what is fetched in them."""

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.policy import call_policy


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
            at = pd.to_timedelta(np.concatenate(seconds), unit="s") + pd.Timestamp("2026-01-01T00:00:07", tz="UTC")
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
    return lambda answer, *columns: list(answer[list(columns)].astype({"page": str}).itertuples(index=False, name=None))


@pytest.fixture(scope="session")
def little(studied):
    return studied("synthetic_navigations", rows=4000)


@pytest.fixture(scope="session")
def ring(once):
    """Own data without users, times and context: pages that follow one another in a ring, and some strays."""

    def make():
        rng = np.random.default_rng(3)
        session = np.repeat(np.arange(400), rng.integers(2, 9, 400))
        step = np.where(rng.random(len(session)) < 0.8, 1, rng.integers(2, 6, len(session)))
        page = (np.cumsum(step) % 7).astype(str)
        return wb.study(wb.navigations(pd.DataFrame({"session_id": session, "page": page}), name="a ring"))

    return once("a ring", make)


@pytest.fixture(scope="session")
def replayed():
    """A policy asked about whole sessions as a function of its own, and its answer replayed."""

    def replay(policy, part, result):
        decision, scenario = result.decision, result.scenario
        here = decision.situations(part, result.split.card, result.split.cluster, result.known_by, scenario)
        answer = decision.ask(lambda context: call_policy(policy, context, scenario), here, scenario)
        return decision.outcomes(answer, here, scenario)

    return replay
