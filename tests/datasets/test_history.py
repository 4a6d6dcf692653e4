from collections import Counter

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.history import HISTORY, Mask, add_history, add_navigation_history, apply_mask, masked_users
from workbench.datasets.loading import navigations
from workbench.datasets.schema import NAVIGATION_HISTORY
from workbench.errors import WorkbenchError


def views(rows):
    frame = pd.DataFrame(rows, columns=["user_id", "second", "rtt_ms"])
    frame["measured_at"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(frame.pop("second"), unit="s")
    return frame


BY_HAND = [
    # user, second, rtt         last_rtt, last_age, earlier
    ("a", 100, 10.0),  # first: nothing
    ("b", 110, 20.0),  # first of another
    ("a", 200, np.nan),  # 10, 100 s, 1
    ("a", 300, 30.0),  # the one before measured nothing: 10, 200 s, 1
    ("a", 300, 40.0),  # at the same moment: the same as the row above
    ("a", 50, 50.0),  # out of order in the file, first in time
    ("a", 400, 60.0),  # 40 (the later row of the moment), 100 s, 4
]


def test_history_by_hand():
    told = add_history(views(BY_HAND))
    assert told["last_rtt_ms"].tolist() == pytest.approx([50, np.nan, 10, 10, 10, np.nan, 40], nan_ok=True)
    assert told["last_age_s"].tolist() == pytest.approx([50, np.nan, 100, 200, 200, np.nan, 100], nan_ok=True)
    assert told["earlier_views"].tolist() == [1, 0, 2, 2, 2, 0, 4]


def many(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": rng.integers(0, 200, n).astype(str),
            "measured_at": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 90_000, n), unit="s"),
            "rtt_ms": rng.gamma(2, 40, n),
            "downlink_mbps": rng.gamma(2, 5, n),
            "effective_type": rng.choice(["4g", "3g"], n),
        }
    )


def plainly(frame, hidden):
    """The same by a plain loop over rows."""
    told = []
    for row in frame.itertuples():
        seen = frame[(frame["user_id"] == row.user_id) & (frame["measured_at"] < row.measured_at) & ~hidden]
        last = seen.sort_values("measured_at", kind="stable").tail(1)
        told.append((*last["rtt_ms"], len(seen)) if len(last) else (np.nan, 0))
    return np.array(told)


def test_history_equals_a_plain_loop():
    frame, hidden = many(400), np.arange(400) % 7 == 0
    told = add_history(frame, hidden)
    assert told[["last_rtt_ms", "earlier_views"]].to_numpy() == pytest.approx(plainly(frame, hidden), nan_ok=True)


def test_the_future_does_not_reach_back():
    frame = many()
    later = frame["measured_at"] > frame["measured_at"].median()
    changed = frame.assign(rtt_ms=frame["rtt_ms"].mask(later, 9999.0))
    before, after = (add_history(f)[list(HISTORY)][~later] for f in (frame, changed))
    pd.testing.assert_frame_equal(before, after)


def test_the_guard_against_the_future_can_fail(monkeypatch):
    """Broken on purpose: where time runs backwards, what comes later reaches back, and the check above sees it."""
    asof = pd.merge_asof
    monkeypatch.setattr(pd, "merge_asof", lambda *frames, **how: asof(*frames, direction="forward", **how))
    with pytest.raises(AssertionError):
        test_the_future_does_not_reach_back()


def test_masked_users_leave_no_trace():
    frame = many()
    masked, hidden = apply_mask(frame, Mask(users=0.4, first_views=False))
    told = add_history(masked, hidden)
    assert told.loc[hidden, list(HISTORY)[:3]].isna().all(axis=None)
    assert (told.loc[hidden, "earlier_views"] == 0).all() and masked.loc[hidden, "effective_type"].isna().all()
    assert masked.loc[~hidden, "effective_type"].notna().all()
    assert masked["rtt_ms"].equals(frame["rtt_ms"])  # replay still needs it
    leaky, hidden = apply_mask(add_history(frame), Mask(users=0.4))  # broken on purpose: history before the mask
    assert leaky.loc[hidden, "last_rtt_ms"].notna().any()


def test_whole_users_are_masked():
    frame = many()
    hidden = masked_users(frame, Mask(users=0.25))
    shares = pd.Series(hidden).groupby(frame["user_id"].to_numpy()).mean()
    assert set(shares) == {0.0, 1.0} and shares.mean() == 0.25
    assert (masked_users(frame, Mask(users=0.25)) == hidden).all()
    assert (masked_users(frame, Mask(users=0.25, seed=1)) != hidden).any()


def test_first_views_lose_their_netinfo_only():
    frame = many()
    masked, hidden = apply_mask(frame, Mask(users=0.0))
    first = frame["measured_at"] == frame.groupby("user_id")["measured_at"].transform("min")
    assert not hidden.any() and (masked["effective_type"].isna() == first).all()


def test_slow_biased_masks_fall_on_slow_users():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user_id": np.arange(2000).astype(str), "rtt_ms": rng.gamma(2, 40, 2000)})
    plain, biased = (masked_users(frame, Mask(users=0.3, slow_biased=b)) for b in (False, True))
    median = frame["rtt_ms"].median()
    assert abs((frame["rtt_ms"][plain] > median).mean() - 0.5) < 0.06
    assert (frame["rtt_ms"][biased] > median).mean() > 0.6


def test_a_lost_probe_is_not_remembered_as_a_number():
    told = add_history(views([("a", 0, 10.0), ("a", 10, np.inf), ("a", 20, 30.0)]))
    assert told["last_rtt_ms"].tolist() == pytest.approx([np.nan, 10, 10], nan_ok=True)


@pytest.mark.parametrize("users", [1.0, -0.1])
def test_a_mask_of_everybody_is_refused(users):
    with pytest.raises(WorkbenchError, match="from 0 to below 1"):
        Mask(users=users)


NAMES = [column.name for column in NAVIGATION_HISTORY]


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
    return pd.DataFrame(rows, columns=NAMES, dtype=object)


def comparable(history: pd.DataFrame) -> list[list]:
    return history[NAMES].astype(object).where(history[NAMES].notna(), None).to_numpy().tolist()


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_plain_loop_says_the_same(seed, overlap):
    views = random_views(seed, overlap)
    history = add_navigation_history(views)
    assert comparable(history) == comparable(looped(views))
    assert history["last_next"].dtype == history["usual_next"].dtype == views["page"].dtype


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


def test_the_guard_sees_a_view_that_knows_its_own_next_page(monkeypatch):
    monkeypatch.setattr("workbench.datasets.history._known_at", lambda rank, goes_on: rank[goes_on])
    assert knows_the_future(random_views(1, overlap=False))
