"""What is known of a user from earlier views, and the mask that hides it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.checked import checked
from workbench.datasets.schema import MEASURED, SIGNALS
from workbench.datasets.sessions import ends_session
from workbench.errors import WorkbenchError, check_seed

REMEMBERED = ("rtt_ms", "downlink_mbps")
HISTORY = ("last_rtt_ms", "last_downlink_mbps", "last_age_s", "earlier_views")


@checked
@dataclass(frozen=True)
class Mask:
    """Which views have their network signal hidden.

    Parameters
    ----------
    users : float
        Share of users, from 0 to below 1, whose network is never visible in time: no NetInfo, no history, no
        measurement to learn from. Browsers differ by user, not by view.
    first_views : bool
        Whether every user's first view comes without NetInfo.
    slow_biased : bool
        Whether slow users are masked more often: drawn at a rate in proportion to the rank of their mean slowness.
    seed : int
    """

    users: float = 0.3
    first_views: bool = True
    slow_biased: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed, "seed of a mask")
        if not 0 <= self.users < 1:
            raise WorkbenchError(f"the masked share of users must be from 0 to below 1; got {self.users!r}.")


def has_time(frame: pd.DataFrame) -> bool:
    """Whether measurements can be put in order: a time in every row."""
    return "measured_at" in frame and bool(frame["measured_at"].notna().all())


def has_past(frame: pd.DataFrame) -> bool:
    """Whether earlier measurements of a view's user can be found: a time and a user in every row."""
    return has_time(frame) and "user_id" in frame and bool(frame["user_id"].notna().all())


def masked_users(frame: pd.DataFrame, mask: Mask) -> np.ndarray:
    """Rows of masked users (boolean, shape (rows,)); whole users are drawn by the mask's seed."""
    codes, users = pd.factorize(frame["user_id"])
    order = np.random.default_rng(mask.seed).random(len(users))
    if mask.slow_biased:
        # Exponential races: twice the rate is drawn twice as often (Efraimidis & Spirakis 2006).
        order = -np.log(order) / _slowness_rank(frame, codes)
    drawn = np.argsort(order, kind="stable")[: round(mask.users * len(users))]
    return np.isin(codes, drawn)


def apply_mask(frame: pd.DataFrame, mask: Mask) -> tuple[pd.DataFrame, np.ndarray]:
    """Blank the signals of masked users and of first views; measured columns stay, for replay.

    Returns the masked copy, and the rows of masked users (boolean), from whose measurements no model may learn.
    """
    hidden = masked_users(frame, mask)
    blank = hidden | (_is_first_view(frame) if mask.first_views else False)
    signals = [name for name in SIGNALS if name in frame]
    return frame.assign(**{name: frame[name].mask(blank) for name in signals}), hidden


def add_history(frame: pd.DataFrame, hidden: np.ndarray | None = None) -> pd.DataFrame:
    """Add what earlier views of the same user measured, strictly earlier in time.

    ``frame`` has ``user_id`` and ``measured_at`` in every row; rows in ``hidden`` (boolean, (rows,)), those of masked
    users, leave no trace. Returns a copy with ``last_rtt_ms, last_downlink_mbps`` (of the last view that measured;
    missing if there is none), ``last_age_s`` (how long ago) and ``earlier_views`` (how many there were), all float64.
    """
    seconds = (frame["measured_at"] - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy()
    views = pd.DataFrame({"user": pd.factorize(frame["user_id"])[0], "at": seconds, "row": np.arange(len(frame))})
    for remembered, name in zip(HISTORY, REMEMBERED, strict=False):
        views[remembered] = frame[name].where(np.isfinite(frame[name])).to_numpy(float) if name in frame else np.nan
    views = views.sort_values("at", kind="stable")
    seen = views[views[list(HISTORY[:2])].notna().any(axis=1) & (True if hidden is None else ~hidden[views["row"]])]
    seen = seen.assign(seen_at=seen["at"], earlier_views=seen.groupby("user").cumcount() + 1.0)
    # Strictly earlier: what happens at the same moment is not yet remembered.
    last = pd.merge_asof(
        views[["user", "at", "row"]], seen.drop(columns="row"), on="at", by="user", allow_exact_matches=False
    ).sort_values("row")
    last["last_age_s"] = last["at"] - last["seen_at"]
    last["earlier_views"] = last["earlier_views"].fillna(0.0)
    return frame.assign(**{name: last[name].to_numpy() for name in HISTORY})


def _is_first_view(frame: pd.DataFrame) -> np.ndarray:
    if "measured_at" not in frame:
        return ~frame["user_id"].duplicated().to_numpy()
    first = frame.groupby("user_id")["measured_at"].transform("min")
    return (frame["measured_at"] == first).to_numpy()


def _slowness_rank(frame: pd.DataFrame, codes: np.ndarray) -> np.ndarray:
    """Rank of each user's mean slowness among users, 0 to 1, summed over the measured quantities."""
    total = np.zeros(codes.max(initial=-1) + 1)
    for name in MEASURED:
        if name in frame:
            slow = -frame[name] if name == "downlink_mbps" else frame[name]
            total += slow.rank(pct=True).groupby(codes).mean().fillna(0.5).to_numpy()
    return pd.Series(total).rank(pct=True).to_numpy()


def add_navigation_history(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what is known from earlier views of the same user: how many, and where they went from this page.

    A view knows the views before it in its user's time, whatever their session, and the onward clicks made by then, but
    never its own next page. ``frame`` holds canonical navigations with ``user_id`` in every row. Returns a copy with
    ``earlier_views`` (the user's views before), ``here_before`` (those of this page), ``last_next`` (the page opened
    from here last time), ``usual_next`` (the page opened most often so far; in a tie, the one that reached the number
    last) and ``usual_share`` (its share of ``here_before``). The last three are missing until the user has gone on from
    this page.
    """
    users, pages = pd.factorize(frame["user_id"])[0], frame["page"].cat.codes.to_numpy().astype(np.int64)
    rank = _rank_in_time(frame, users)
    here = pd.factorize(users * (pages.max(initial=0) + 1) + pages)[0].astype(np.int64)  # a user at a page
    goes_on = np.flatnonzero(~ends_session(frame))
    places, onward = here[goes_on], pages[goes_on + 1]
    known_at = _known_at(rank, goes_on)
    order, usual, count = _most_often_so_far(places, onward, known_at)
    # The latest onward click from the same place that had been made when the view began; -1 where there is none.
    made = places[order] * len(frame) + known_at[order]
    latest = np.searchsorted(made, here * len(frame) + rank, side="right") - 1
    latest = np.where(np.append(places[order], -1)[latest] == here, latest, -1)
    here_before = _earlier(here, rank)
    categories = frame["page"].cat.categories
    return frame.assign(
        earlier_views=_earlier(users, rank).astype(float),
        here_before=here_before.astype(float),
        last_next=pd.Categorical.from_codes(np.append(onward[order], -1)[latest], categories),
        usual_next=pd.Categorical.from_codes(np.append(usual, -1)[latest], categories),
        usual_share=np.append(count, np.nan)[latest] / np.maximum(here_before, 1),
    )


def _rank_in_time(frame: pd.DataFrame, users: np.ndarray) -> np.ndarray:
    """Place of each view (rows,) in the order of users, then time, then the frame."""
    row = np.arange(len(frame))
    moment = frame["viewed_at"].astype("int64").to_numpy() if "viewed_at" in frame else row
    return np.argsort(np.lexsort((row, moment, users)))


def _known_at(rank: np.ndarray, goes_on: np.ndarray) -> np.ndarray:
    """When onward clicks become known: with the view that they lead to."""
    return rank[goes_on + 1]


def _most_often_so_far(
    places: np.ndarray, onward: np.ndarray, known_at: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order of onward clicks by place and time, the page most often clicked so far at each of them, and how often."""
    order = np.lexsort((known_at, places))
    clicks = pd.DataFrame({"place": places[order], "page": onward[order]})
    times = clicks.groupby(["place", "page"]).cumcount().to_numpy() + 1  # of this page here, this click included
    # The most so far at a place: a running maximum that places, which rise, keep apart.
    apart = clicks["place"].to_numpy() * (len(order) + 1)
    most = np.maximum.accumulate(apart + times) - apart
    reached = np.maximum.accumulate(np.where(times == most, np.arange(len(order)), 0))
    return order, clicks["page"].to_numpy()[reached], most


def _earlier(groups: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """How many views of its group came before each view (int64, shape (rows,))."""
    in_time = pd.Series(groups, index=rank).sort_index()
    return in_time.groupby(in_time).cumcount().to_numpy()[rank]
