"""Who a person is: ids that name no one, and rows without a user."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from workbench.datasets.account import count_out
from workbench.datasets.cards import Card
from workbench.datasets.columns import as_text, distinct

# What programs write where there is no value, in small letters; the last two are MySQL's.
MISSING_WORDS = (
    *("", "-", "undefined", "null", "none", "nan", "na", "n/a", "nil", "(not set)", "not set", "(none)", "(null)"),
    *("<null>", "0000-00-00", "0000-00-00 00:00:00"),
)
# What trackers send where they know no one: as an id it would be one person who is many.
NOBODY = (*MISSING_WORDS, "unknown", "anonymous", "guest", "00000000-0000-0000-0000-000000000000")


def no_value(values: pd.Series, words: Collection[str] = MISSING_WORDS) -> np.ndarray:
    """Whether each value is missing, or one of the words that stand for none (boolean, shape (rows,))."""
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return values.isna().to_numpy(bool)
    codes, given = distinct(values)
    gone = as_text(given).str.strip().str.lower().isin(words).to_numpy(bool)
    return np.append(gone, True)[codes]


def of_sessions(frame: pd.DataFrame) -> pd.DataFrame:
    """Users and sessions without ids such as "undefined", and the rows that have a session, where some have one."""
    names = [name for name in ("user_id", "session_id") if name in frame]
    frame = frame.assign(**{name: frame[name].mask(no_value(frame[name], NOBODY)) for name in names})
    if "session_id" not in frame:
        return frame
    known = frame["session_id"].notna()
    return count_out(frame, ~known, "no_session") if known.any() else frame.drop(columns="session_id")


def of_known_users(frame: pd.DataFrame, card: Card) -> pd.DataFrame:
    """Rows with a user, where some have one: all others as one person, or each as one, would be wrong numbers."""
    if "user_id" not in frame or card.unknown_user == "separate":
        return frame
    if "session_id" in frame:  # who logs in during a session is known from then on
        of_session = frame.groupby("session_id", observed=True)["user_id"]
        alone = frame["user_id"].isna() & of_session.transform("nunique").eq(1)
        frame = frame.assign(user_id=frame["user_id"].where(~alone, of_session.transform("first")))
    known = frame["user_id"].notna()
    return count_out(frame, ~known, "no_user") if known.any() else frame.drop(columns="user_id")
