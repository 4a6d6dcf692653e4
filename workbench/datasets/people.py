"""Who a person is: ids that name no one, and rows without a user."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.datasets.account import count_out
from workbench.datasets.cards import Card
from workbench.datasets.columns import as_text, distinct

# What trackers send where they know no one: as an id it would be one person who is many.
NOBODY = (
    *("", "-", "undefined", "null", "none", "nan", "na", "n/a", "nil", "unknown", "anonymous", "guest", "(not set)"),
    *("not set", "(none)", "(null)", "<null>", "00000000-0000-0000-0000-000000000000"),
)


def of_sessions(frame: pd.DataFrame) -> pd.DataFrame:
    """Users and sessions without ids such as "undefined", and the rows that have a session, where some have one."""
    for name in ("user_id", "session_id"):
        if name in frame and not pd.api.types.is_numeric_dtype(frame[name]):
            codes, given = distinct(frame[name])
            nobody = as_text(given).str.strip().str.lower().isin(NOBODY).to_numpy(bool)
            frame = frame.assign(**{name: frame[name].mask(np.append(nobody, False)[codes])})
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
