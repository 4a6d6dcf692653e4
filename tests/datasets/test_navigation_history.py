from collections import Counter

import numpy as np
import pandas as pd
import pytest

from workbench.datasets import history as navigation_history
from workbench.datasets.history import NAMES, add_navigation_history
from workbench.datasets.loading import navigations


def views_of(*rows: tuple[str, str, float, str]) -> pd.DataFrame:
    """Canonical views of (user, session, minute, page)."""
    table = pd.DataFrame(rows, columns=["user_id", "session_id", "minute", "page"])
    times = pd.Timestamp("2026-01-31T12:00Z") + pd.to_timedelta(table.pop("minute"), unit="min")
    return navigations(table.assign(viewed_at=times))


def random_views(seed: int, overlap: bool) -> pd.DataFrame:
    """Few users on few pages; with overlap the sessions of a user run side by side, as in two tabs."""
    rng = np.random.default_rng(seed)
    n = 250
    user = rng.integers(0, 4, n)
    minute = np.sort(rng.integers(0, 200, n)).astype(float)
    session = user * 100 + (rng.integers(0, 4, n) if overlap else (minute // 25).astype(int))
    page = rng.choice(list("pqrst"), n)
    return views_of(*zip(user.astype(str), session.astype(str), minute, page, strict=True))


def looped(views: pd.DataFrame) -> pd.DataFrame:
    """The same history by a plain loop over pairs of views."""
    user, session, page = (views[name].tolist() for name in ("user_id", "session_id", "page"))
    order = views.sort_values(["viewed_at", "view_id"], kind="stable").index.tolist()
    when = {view: place for place, view in enumerate(order)}
    rows = []
    for view in range(len(views)):
        earlier = [i for i in order if when[i] < when[view] and user[i] == user[view]]
        here = [i for i in earlier if page[i] == page[view]]
        goes_on = [i for i in here if i + 1 < len(views) and session[i + 1] == session[i]]
        made = sorted((i for i in goes_on if when[i + 1] <= when[view]), key=lambda i: when[i + 1])
        counts: Counter[str] = Counter()
        usual, last = None, None
        for last in (page[i + 1] for i in made):
            counts[last] += 1
            usual = last if counts[last] >= max(counts.values()) else usual
        share = counts[usual] / len(here) if made else None
        rows.append((len(earlier), len(here), last, usual, share))
    return pd.DataFrame(rows, columns=list(NAMES), dtype=object)


def comparable(history: pd.DataFrame) -> list[list]:
    return history[list(NAMES)].astype(object).where(history[list(NAMES)].notna(), None).to_numpy().tolist()


def texts(pages: pd.Series) -> list[str]:
    return pages.astype(object).where(pages.notna(), "").tolist()


def test_a_returning_user_by_hand():
    views = views_of(
        ("a", "1", 0, "home"),  # nothing is known
        ("a", "1", 1, "jobs"),
        ("a", "1", 2, "home"),  # home -> jobs was made within this session
        ("a", "1", 3, "mail"),
        ("a", "2", 100, "home"),  # jobs and mail once each: mail came last
        ("a", "2", 101, "jobs"),
        ("a", "3", 200, "home"),  # jobs twice of three
        ("b", "4", 300, "home"),  # another user
    )
    history = add_navigation_history(views)
    assert history["earlier_views"].tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    assert history["here_before"].tolist() == [0, 0, 1, 0, 2, 1, 3, 0]
    assert texts(history["last_next"]) == ["", "", "jobs", "", "mail", "home", "jobs", ""]
    assert texts(history["usual_next"]) == ["", "", "jobs", "", "mail", "home", "jobs", ""]
    np.testing.assert_array_equal(
        history["usual_share"], [np.nan, np.nan, 1, np.nan, 1 / 2, 1, 2 / 3, np.nan], strict=True
    )
    assert history["last_next"].cat.categories.equals(views["page"].cat.categories)
    assert history["usual_next"].dtype == views["page"].dtype


def test_views_that_ended_a_session_lower_the_usual_share():
    views = views_of(("a", "1", 0, "x"), ("a", "1", 1, "y"), ("a", "2", 100, "x"), ("a", "3", 200, "x"))
    assert add_navigation_history(views)["usual_share"].tolist()[2:] == [1, 1 / 2]


def test_in_two_tabs_only_clicks_already_made_are_known():
    views = views_of(
        ("a", "tab1", 0, "x"),
        ("a", "tab1", 20, "y"),  # the click on y comes at minute 20
        ("a", "tab2", 10, "x"),  # and is not known at minute 10
        ("a", "tab2", 30, "z"),
        ("a", "tab3", 25, "x"),  # here it is, but tab2's click of minute 30 is not
    )
    history = add_navigation_history(views)
    assert history["here_before"].tolist() == [0, 0, 1, 0, 2]
    assert history["earlier_views"].tolist() == [0, 2, 1, 4, 3]
    assert texts(history["last_next"]) == ["", "", "", "", "y"]


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_plain_loop_says_the_same(seed, overlap):
    views = random_views(seed, overlap)
    assert comparable(add_navigation_history(views)) == comparable(looped(views))


def knows_the_future(views: pd.DataFrame) -> bool:
    """Whether history changes where every later click is another: views are cut off one after the other."""
    whole = add_navigation_history(views)
    order = views.sort_values(["viewed_at", "view_id"], kind="stable").index
    for cut in range(20, len(views), 40):
        seen = views.loc[sorted(order[:cut])]
        if comparable(add_navigation_history(seen)) != comparable(whole.loc[seen.index]):
            return True
    return False


@pytest.mark.parametrize("overlap", [False, True])
def test_nothing_that_comes_later_changes_what_is_known(overlap):
    assert not knows_the_future(random_views(1, overlap))


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_the_guard_sees_a_view_that_knows_its_own_next_page(monkeypatch):
    monkeypatch.setattr(navigation_history, "_known_at", lambda rank, goes_on: rank[goes_on])
    assert knows_the_future(random_views(1, overlap=False))


def test_no_view_ever_knows_its_own_next_page_from_itself():
    pairs = views_of(("a", "1", 0, "x"), ("a", "1", 1, "y"), ("b", "2", 5, "x"), ("b", "2", 6, "z"))
    assert add_navigation_history(pairs)[["last_next", "usual_next", "usual_share"]].isna().all(axis=None)


def test_without_times_the_order_of_the_frame_stands():
    table = pd.DataFrame({"user_id": list("aaaa"), "session_id": [1, 1, 2, 2], "page": list("xyxz")})
    history = add_navigation_history(navigations(table))
    assert texts(history["last_next"]) == ["", "", "y", ""]


def test_a_frame_of_single_views_has_history_of_views_only():
    table = pd.DataFrame({"user_id": list("aab"), "session_id": [1, 2, 3], "page": list("xxy")})
    history = add_navigation_history(navigations(table))
    assert history["here_before"].tolist() == [0, 1, 0]
    assert history["last_next"].isna().all()
