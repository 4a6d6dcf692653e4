"""What a policy may know of a view, as a reader would say it: what a tree of disagreement may ask about.

Columns of context keep their values and get a reader's name; what the rule does joins them. No outcome is among them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

from workbench.datasets.schema import NAVIGATION_HISTORY, OF_THE_SESSION
from workbench.explanation.shap_by_feature import READABLE

UNKNOWN = "unknown"
KNOWN = "known"
FLAGS = {True: "on", False: "off"}
RULE_SENDS, RULE_FETCHES = "the rule sends", "the rule fetches"
RULE_CHANCE, RULE_FIRST = "chance of the rule's first choice (%)", "the rule's first choice"
NOTHING, SOMETHING = "nothing", "one page or more"
PAGE, PAGE_BEFORE, PLACE = "page", "page before", "place in the session"
USUAL, ANOTHER, NONE = "the person's usual next page", "another page", "none (the session begins)"
HISTORY = {
    "here_before": "earlier views of this page by the person",
    "earlier_views": "earlier views by the person",
}
# Columns of a view that are no facts: numbers of rows and times, and history that is told in other words.
NOT_FACTS = {*OF_THE_SESSION, *(column.name for column in NAVIGATION_HISTORY)}


def image_facts(context: pd.DataFrame, sent: np.ndarray) -> pd.DataFrame:
    """Facts of views without a signal.

    Parameters
    ----------
    context : DataFrame, shape (rows, columns)
        From ``known_context``.
    sent : ndarray of str, shape (rows,)
        Renditions that the rule sends.

    Returns
    -------
    DataFrame
        A range index; numbers as float, missing where unknown; all else as text.
    """
    facts = {RULE_SENDS: pd.Series(sent, dtype=object)}
    return pd.DataFrame(facts | _of_context(context))


def page_facts(context: pd.DataFrame, answer: pd.DataFrame, top: pd.DataFrame | None) -> pd.DataFrame:
    """Facts of page views: each depends on its own session up to it.

    Parameters
    ----------
    context : DataFrame, shape (rows, columns)
        From ``known_navigation_context``.
    answer : DataFrame
        What the rule fetches: ``view_id, page, rank``.
    top : DataFrame, optional
        ``view_id, page, rank, chance`` of a rule that weighs chances.

    Returns
    -------
    DataFrame
        As of :func:`image_facts`.
    """
    view_id, page = context["view_id"].to_numpy(), context["page"].astype(object)
    before = page.groupby(context["session_id"].to_numpy()).shift()
    fetches = np.isin(view_id, answer["view_id"].to_numpy())
    facts = {
        RULE_FETCHES: pd.Series(np.where(fetches, SOMETHING, NOTHING), dtype=object),
        PAGE: pd.Series(page.map(str).to_numpy(object)),
        PAGE_BEFORE: pd.Series(before.where(before.notna(), NONE).map(str).to_numpy(object)),
        PLACE: pd.Series(1.0 + context["position"].to_numpy(float)),
    }
    usual = context["usual_next"].astype(object) if "usual_next" in context else None
    if usual is not None:
        facts[USUAL] = pd.Series(np.where(usual.notna(), KNOWN, UNKNOWN), dtype=object)
        facts |= {
            name: pd.Series(context[column].to_numpy(float)) for column, name in HISTORY.items() if column in context
        }
    if top is not None:
        first = top[top["rank"] == 1].set_index("view_id").reindex(view_id)
        facts[RULE_CHANCE] = pd.Series(100 * first["chance"].to_numpy(float))
        if usual is not None:
            same = first["page"].astype(object).to_numpy() == usual.to_numpy()
            facts[RULE_FIRST] = pd.Series(np.where(same, USUAL, ANOTHER), dtype=object)
    others = context[[name for name in context if name not in NOT_FACTS]]
    return pd.DataFrame(facts | _of_context(others))


def _of_context(context: pd.DataFrame) -> dict[str, pd.Series]:
    """Columns under a reader's names; times of a view are no facts."""
    return {
        READABLE.get(name, str(name).replace("_", " ")): _as_fact(values)
        for name, values in context.items()
        if not is_datetime64_any_dtype(values.dtype)
    }


def _as_fact(values: pd.Series) -> pd.Series:
    if is_numeric_dtype(values.dtype) and not is_bool_dtype(values.dtype):
        numbers = values.to_numpy(float, na_value=np.nan)
        return pd.Series(np.where(np.isinf(numbers), np.nan, numbers))  # a lost probe says nothing
    texts = values.astype(object)
    texts = texts.map(FLAGS) if is_bool_dtype(values.dtype) else texts.map(str, na_action="ignore")
    return pd.Series(texts.where(values.notna(), UNKNOWN).to_numpy(object), dtype=object)
