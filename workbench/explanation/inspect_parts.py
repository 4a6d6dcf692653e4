"""What one decision taken apart is made of, whichever decision it is: plain values, and the strongest features."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype

from workbench.datasets.cards import Card
from workbench.datasets.splits import FEWEST_USERS
from workbench.decisions.decision import policy_name
from workbench.explanation.shap_by_feature import READABLE, THE_QUESTION

if TYPE_CHECKING:
    import shap

Policy = Callable[..., Any]
FEATURES_SHOWN = 8
DIGITS = 2  # of numbers in a context
UNKNOWN = "unknown"
PAGE_BEFORE, DWELL_BEFORE = "page_before", "dwell_before_s"
LABELS = READABLE | {
    PAGE_BEFORE: "page before",
    DWELL_BEFORE: "seconds on the page before",
    "here_before": "views of this page before",
    "last_next": "next page the last time",
    "usual_next": "usual next page",
    "usual_share": "share of the usual next page",
}


class Inspection(Protocol):
    """Views as a table of what may be known of each, and a way to ask model and rules about one of them."""

    @property
    def card(self) -> Card:
        """Where the views come from."""
        ...

    @property
    def table(self) -> pd.DataFrame:
        """One row a view, shape (rows, columns): float columns are numbers, all others have values to share."""
        ...

    @property
    def who(self) -> np.ndarray:
        """Who each view belongs to, as codes (rows,)."""
        ...

    @property
    def people(self) -> str:
        """What they are: ``users`` or ``sessions``."""
        ...

    @property
    def dimensions(self) -> Sequence[str]:
        """Columns whose largest levels make archetypes, in turn."""
        ...

    @property
    def words(self) -> Mapping[str, str]:
        """Headings: ``acts`` (what policies do), ``chances`` (of what), ``example`` (what an archetype is)."""
        ...

    def common(self, rows: np.ndarray) -> pd.DataFrame:
        """The view that the most people share among some rows (boolean, shape (rows,)): one row."""
        ...

    def unknown(self, name: str) -> str | None:
        """What a missing value of a column means; None where it may not be missing."""
        ...

    def answer(self, view: pd.DataFrame) -> dict[str, Any]:
        """What model and rules make of one view, in plain values and sentences.

        ``finding`` (a sentence on what the model does); ``chances`` (``name, percent, said, taken``), ``limit`` (the
        percentage from which one is taken; None where there is none); ``columns`` and ``policies`` (``name, does``:
        None where not available, ``expects, differs``), the model first; ``why`` sentences on those that differ;
        ``push`` as from :func:`strongest`.
        """
        ...


def strongest(explanation: shap.Explanation, row: int, question: str) -> dict[str, Any]:
    """The strongest features of one answer, as a waterfall shows them; the others in one sum.

    Returns
    -------
    dict
        ``question``, ``base``, ``answer`` and ``features`` (name, value in words, push), in log-odds.
    """
    values = explanation.values[row]
    order = np.argsort(-abs(values), kind="stable")
    shown, rest = order[:FEATURES_SHOWN], order[FEATURES_SHOWN:]
    names, told = explanation.feature_names, explanation.display_data[row]
    features = [[names[i], "" if names[i] == THE_QUESTION else said(told[i]), _push(values[i])] for i in shown]
    if len(rest):
        features.append([f"{len(rest)} others", "", _push(values[rest].sum())])
    base = float(np.ravel(explanation.base_values)[row])
    return {"question": question, "base": _push(base), "answer": _push(base + values.sum()), "features": features}


def largest_levels(values: pd.Series, who: np.ndarray) -> list[Any]:
    """Levels that at least 20 users have, most users first, ties by name; none of a column of numbers."""
    if is_number(values):
        return []
    crowd = pd.Series(who).groupby(values.reset_index(drop=True), observed=True).nunique()
    crowd = crowd[crowd >= FEWEST_USERS].sort_index()
    return list(crowd.sort_values(ascending=False, kind="stable").index)


def is_number(values: pd.Series) -> bool:
    """Whether a column of context holds numbers, which have a middle, and not values to share."""
    return is_float_dtype(values.dtype) and not is_bool_dtype(values.dtype)


def as_plain(value: Any) -> Any:
    """A value as JSON knows it; None where it is missing."""
    if pd.isna(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, DIGITS)
    return value if isinstance(value, (bool, int)) else str(value)


def said(value: Any) -> str:
    """A value in words."""
    plain = as_plain(value)
    return UNKNOWN if plain is None else f"{plain:.4g}" if isinstance(plain, float) else str(plain)


def readable(name: str) -> str:
    """What a reader calls a column."""
    return LABELS.get(name, name.replace("_", " "))


def lacks(policy: Policy, known: Container[str]) -> bool:
    """Whether a policy cannot act on views for want of a column."""
    needed = getattr(policy, "needs", ())
    return bool(getattr(policy, "unavailable", "")) or any(name not in known for name in needed)


def listed(names: Sequence[str], *, between: str = ", ") -> str:
    """Names as a sentence lists them.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *most, last = names
    return f"{between.join(most)} and {last}" if most else last


def begin(sentence: str) -> str:
    """A sentence with a capital letter."""
    return sentence[:1].upper() + sentence[1:]


def named(policy: Policy) -> dict[str, Any]:
    """A policy of which nothing is known yet but its name."""
    return {"name": policy_name(policy), "does": None, "expects": None, "differs": False}


def _push(value: float) -> float:
    return round(float(value), 3)
