"""Train, calibration, validation and test: parts of a table, by user or by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.checked import checked
from workbench.datasets.cards import Card
from workbench.datasets.history import Mask, add_history, add_navigation_history, apply_mask, has_past, has_time
from workbench.datasets.readers import links_of
from workbench.errors import WorkbenchError, check_seed, check_whole

TRAIN_SHARE, VALIDATION_SHARE = 0.6, 0.2
FEWEST_CALIBRATION_USERS = 200
FEWEST_USERS = 20


@checked
@dataclass(frozen=True, repr=False)
class Split:
    """A table in four parts, and the card that came with it.

    ``train`` fits models and rules; ``calibration`` stops and calibrates the model (empty if it would hold under 200
    users: it is then part of train, and out-of-fold predictions serve); ``validation`` picks the best rule, smoothing
    and limits; ``test`` is read once. ``masked_rows`` were left out of ``train`` and ``calibration``; those that belong
    to calibration are in ``masked``. ``cluster`` is the column that is kept whole and resampled: users, or sessions of
    navigations that know no users. ``links`` are a site's links between pages (``from_page, to_page``), if the source
    of navigations has them. ``account`` is what loading left out and warned of, for :func:`account.sentences`.
    """

    train: pd.DataFrame
    calibration: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    card: Card
    how: str
    seed: int
    account: Mapping[str, Any] = field(default_factory=dict)
    cluster: str = "user_id"
    mask: Mask | None = None
    masked_rows: int = 0
    links: pd.DataFrame | None = None
    masked: pd.DataFrame | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        rows = ", ".join(f"{name} {len(part):,}" for name, part in self.parts())
        return f"Split({self.card.name}, {self.how}: {rows} views; seed {self.seed})"

    @property
    def people(self) -> str:
        """What is split and resampled: "users", "sessions", ...; "views" where users are unknown."""
        return people_in(self.test, self.cluster)

    def count_people(self) -> int:
        """How many users (sessions, views) the parts hold together, each counted once."""
        return len(np.unique(users_of(pd.concat([part for _, part in self.parts()]), self.cluster)))

    @property
    def held_out(self) -> pd.DataFrame:
        """Calibration and validation together: what rules, which need no calibration, are tuned and picked on.

        Masked users are among them, as among those of test: without them most views without a signal would be of
        browsers that never have one.
        """
        return pd.concat([self.calibration, *([] if self.masked is None else [self.masked]), self.validation])

    def parts(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Name and frame of each part, in the order of use."""
        for name in ("train", "calibration", "validation", "test"):
            yield name, getattr(self, name)


def people_in(frame: pd.DataFrame, cluster: str) -> str:
    """What the rows of a frame are grouped by: "users", "sessions", ...; "views" where it has no such column."""
    return f"{_word(cluster)}s" if cluster in frame else "views"


def describe_size(split: Split) -> str:
    """The size of a split's table: "12,000 views of 3,000 users", "165,474 views in 24,026 sessions", "500 views"."""
    views = f"{sum(len(part) for _, part in split.parts()):,} views"
    within = {"views": "", "sessions": f" in {split.count_people():,} sessions"}
    return views + within.get(split.people, f" of {split.count_people():,} {split.people}")


def users_of(frame: pd.DataFrame, cluster: str = "user_id") -> np.ndarray:
    """User of each row (or level of another column) as codes, shape (rows,); a row without a user is one of its own."""
    if cluster not in frame:
        return np.arange(len(frame))
    codes = pd.factorize(frame[cluster])[0]
    alone = codes < 0
    return np.where(alone, codes.max(initial=-1) + np.cumsum(alone), codes)


def shuffle_users(users: np.ndarray, seed: int) -> np.ndarray:
    """The distinct users of some rows, in an order drawn by seed."""
    return np.random.default_rng(seed).permutation(np.unique(users))


@checked
def split_by_user(
    frame: pd.DataFrame, seed: int = 0, *, mask: Mask | None = None, cluster: str = "user_id", history: bool = True
) -> Split:
    """Split 60 / 20 / 20 of the users by seed; no user is in two parts.

    ``frame`` comes from ``load``, ``measurements`` or ``navigations``. A ``mask`` hides signals first, and its rows are
    left out of ``train`` and ``calibration``; then, with ``history``, views learn what earlier views of their user
    measured, or where these led, if the data show it. The held-out fifth is halved by user into ``calibration`` and
    ``validation``. ``cluster`` is the column that is kept whole: ``user_id``, or ``asn`` for claims about networks
    never seen. Measurements without a user count as users of their own, and are drawn view by view: with times,
    ``split_by_time`` is more honest. Navigations without users are split by session. Raises a WorkbenchError if the
    frame carries no card, holds fewer than 20 users, or the seed is negative.
    """
    card = card_of(frame)
    check_seed(seed)
    cluster = cluster_of(frame, card, cluster)
    frame, hidden = _prepare(frame, card, mask, history)
    users = users_of(frame, cluster)
    order = shuffle_users(users, seed)
    n = len(order)
    if n < FEWEST_USERS:
        raise WorkbenchError(
            f"{card.name}: a split by {_word(cluster)} needs at least {FEWEST_USERS} {_word(cluster)}s; got {n}. Take "
            "more rows, or name the column of users under columns, as user_id."
        )
    ends = np.round(np.array([TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE / 2, TRAIN_SHARE + VALIDATION_SHARE]) * n)
    train, calibration, validation, test = np.split(order, ends.astype(int))
    if len(calibration) < FEWEST_CALIBRATION_USERS:
        train, calibration = np.concatenate([train, calibration]), calibration[:0]
    places = [np.isin(users, part) for part in (train, calibration, validation, test)]
    how = f"by {_word(cluster)}" if cluster in frame else "of views drawn at random"
    return _split(frame, card, hidden, places, how=how, seed=seed, cluster=cluster, mask=mask)


@checked
def split_by_time(frame: pd.DataFrame, seed: int = 0, *, mask: Mask | None = None, history: bool = True) -> Split:
    """Split 60 / 20 / 20 by time: what comes first trains, what comes last tests. Users may return, as in life.

    ``frame`` comes from ``load`` or ``navigations``, or is measurements with ``measured_at`` in every row; users need
    not be known. Sessions of navigations are never cut: the shares are of sessions, in the order of their starts (of
    the frame, without times). The held-out fifth is halved by user (else by session, else by row), with ``seed``, into
    ``calibration`` and ``validation``. ``mask`` and ``history`` are as for :func:`split_by_user`, and come before the
    split. Raises a WorkbenchError if the frame carries no card, has no times or all at one moment, or fewer than 20
    sessions.
    """
    card = card_of(frame)
    check_seed(seed)
    early, late = _sessions_in_time(frame, card) if card.kind == "navigations" else _moments(frame, card)
    cluster = cluster_of(frame, card, "user_id")
    frame, hidden = _prepare(frame, card, mask, history)
    places = _halve_between(users_of(frame, cluster), early, ~early & ~late, late, seed)
    how = "by time" if card.facts.time in frame else "by order"
    return _split(frame, card, hidden, places, how=how, seed=seed, cluster=cluster, mask=mask)


@checked
def split_by_period(
    frame: pd.DataFrame, periods: int, window: int, seed: int = 0, *, mask: Mask | None = None
) -> tuple[list[Split], pd.DataFrame]:
    """Split at each of several origins in time, all models with equally long training (rolling window, Tashman 2000).

    The time from the first view to the last is cut into ``periods`` of equal length; a session belongs to the one in
    which it begins. Before each origin lie ``window`` periods: the last is halved by user into ``calibration`` and
    ``validation``, those before it train; ``test`` is all that comes later. ``mask`` and history come first, as in
    :func:`split_by_time`.

    Returns
    -------
    list of Split
        ``periods - window`` of them, the earliest origin first: that is the beginning of period ``window``.
    DataFrame
        ``period`` and ``user`` (int) of each view, indexed like the parts.

    Raises
    ------
    WorkbenchError
        Where there are not times in every row, fewer than two periods to train on or one to test on, or a part of
        fewer than 20 users (else sessions, else views).
    """
    card = card_of(frame)
    check_whole("window", window, at_least=2)
    check_whole("periods", periods, at_least=window + 1)
    check_seed(seed)
    if card.facts.time not in frame or frame[card.facts.time].isna().any():
        raise WorkbenchError(f"{card.name}: periods need {card.facts.time} in every row.")
    cluster = cluster_of(frame, card, "user_id")
    frame, hidden = _prepare(frame, card, mask, history=True)
    begins = frame[card.facts.time]
    if card.kind == "navigations":
        begins = begins.groupby(frame["session_id"]).transform("min")
    share = (begins - begins.min()) / (begins.max() - begins.min())
    period, users = np.minimum(periods * share, periods - 1).astype(int).to_numpy(), users_of(frame, cluster)
    splits = []
    for origin in range(window, periods):
        learnt = (period >= origin - window) & (period < origin - 1)
        places = _halve_between(users, learnt, period == origin - 1, period >= origin, seed)
        for place in (*places[:1], *places[2:]):
            if len(np.unique(users[place])) < FEWEST_USERS:
                people = people_in(frame, cluster)
                raise WorkbenchError(f"{card.name}: a period has fewer than {FEWEST_USERS} {people}; ask for fewer.")
        how = f"by period {origin + 1} of {periods}"
        splits.append(_split(frame, card, hidden, places, how=how, seed=seed, cluster=cluster, mask=mask))
    return splits, pd.DataFrame({"period": period, "user": users}, index=frame.index)


def _halve_between(
    users: np.ndarray, early: np.ndarray, between: np.ndarray, late: np.ndarray, seed: int
) -> list[np.ndarray]:
    """Places of the four parts: what lies between is halved by user, or calibrates nothing if the half is small."""
    order = shuffle_users(users[between], seed)
    half = order[: len(order) // 2]
    calibrates = between & np.isin(users, half)
    validates = between & ~calibrates
    if len(half) < FEWEST_CALIBRATION_USERS:
        early, calibrates = early | calibrates, np.zeros(len(users), bool)
    return [early, calibrates, validates, late]


def _split(frame: pd.DataFrame, card: Card, hidden: np.ndarray, places: list[np.ndarray], **about: Any) -> Split:
    """The parts at their places; hidden rows are left out of what is learnt from, and counted."""
    train, calibration, validation, test = places
    return Split(
        train=frame[train & ~hidden],
        calibration=frame[calibration & ~hidden],
        validation=frame[validation],
        test=frame[test],
        card=card,
        account={name: frame.attrs[name] for name in ("dropped", "kept", "warnings") if name in frame.attrs},
        masked_rows=int(hidden[train | calibration].sum()),
        masked=frame[calibration & hidden],
        links=links_of(frame),
        **about,
    )


def _moments(frame: pd.DataFrame, card: Card) -> tuple[np.ndarray, np.ndarray]:
    """Rows before the first 60 % of all measurements in time are over, and rows after the first 80 %."""
    if not has_time(frame):
        raise WorkbenchError(
            f"{card.name}: a split by time needs measured_at in every row. Take split_by_user instead."
        )
    moment = frame["measured_at"]
    first, second = moment.quantile([TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE])
    early, late = (moment < first).to_numpy(), (moment >= second).to_numpy()
    if not early.any() or (early | late).all():
        raise WorkbenchError(f"{card.name}: a split by time needs views at different times; too many share one moment.")
    return early, late


def _sessions_in_time(frame: pd.DataFrame, card: Card) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the first 60 % of the sessions, and of the last 20 %; sessions are numbered in order of their starts."""
    named = not pd.api.types.is_numeric_dtype(frame["session_id"])  # names have no order but that of the rows
    place, sessions = pd.factorize(frame["session_id"], sort=not named)
    if len(sessions) < FEWEST_USERS:
        raise WorkbenchError(
            f"{card.name}: a split by time needs at least {FEWEST_USERS} sessions; got {len(sessions)}. Take more rows."
        )
    first, second = np.round(np.array([TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE]) * len(sessions))
    return place < first, place >= second


def cluster_of(frame: pd.DataFrame, card: Card, cluster: str) -> str:
    """The column that is kept whole and resampled: sessions, where navigations have no users."""
    without_users = cluster == "user_id" and "user_id" not in frame
    return "session_id" if card.kind == "navigations" and without_users else cluster


def _word(cluster: str) -> str:
    return cluster.removesuffix("_id")


def card_of(frame: pd.DataFrame) -> Card:
    """The card that a frame carries; a WorkbenchError says what to call if it carries none."""
    card = frame.attrs.get("card")
    if not isinstance(card, Card):
        raise WorkbenchError(
            "expected a frame from wb.load(), which carries its card; got a frame without one. Pass your own through "
            "wb.measurements(df) or wb.navigations(df); if merge or concat lost the card, through "
            "wb.measurements(df, like=views) or wb.navigations(df, like=views)."
        )
    return card


def _prepare(frame: pd.DataFrame, card: Card, mask: Mask | None, history: bool) -> tuple[pd.DataFrame, np.ndarray]:
    """Mask, then history: the masked frame with its history, and the rows that models must not learn from."""
    hidden = np.zeros(len(frame), bool)
    if not frame.index.is_unique:  # as after pd.concat: everything after the split may find rows by their index
        frame = frame.reset_index(drop=True)
    if card.kind == "navigations":
        if mask is not None:
            raise WorkbenchError(f"{card.name}: a mask takes network signals from measurements; leave it out here.")
        return (add_navigation_history(frame) if history and "user_id" in frame else frame), hidden
    if mask is not None:
        if "user_id" not in frame:
            raise WorkbenchError("a mask takes the signal from whole users; this data has no user_id.")
        frame, hidden = apply_mask(frame, mask)
    if history and has_past(frame):
        frame = add_history(frame, hidden)
    return frame, hidden


def sample_users(frame: pd.DataFrame, rows: int, seed: int = 0) -> pd.DataFrame:
    """Draw whole users by seed until about this many rows are reached (at most, but at least one user).

    Without users, whole sessions are drawn; without sessions, rows. ``rows`` is a whole number from 1, ``seed`` one
    from 0, or a WorkbenchError is raised.
    """
    check_whole("rows", rows, at_least=1)
    check_seed(seed)
    users = users_of(frame, "user_id" if "user_id" in frame or "session_id" not in frame else "session_id")
    order = shuffle_users(users, seed)
    total = np.cumsum(np.bincount(users)[order])
    drawn = order[: max(1, int(np.searchsorted(total, rows, side="right")))]
    return frame[np.isin(users, drawn)]


def check_page_views(card: Card) -> None:
    """Raise a WorkbenchError if the data are no page views, on which prefetching is decided."""
    if card.kind != "navigations":
        raise WorkbenchError(
            f"{card.name}: prefetching is decided on page views (kind navigations); this data holds {card.kind}."
        )
