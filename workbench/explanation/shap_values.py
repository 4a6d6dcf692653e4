"""Exact SHAP values of one named question, by the features that a reader knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from workbench.checked import checked
from workbench.datasets.splits import card_of, sample_users
from workbench.decisions import find_decision
from workbench.decisions.decision import Explained
from workbench.errors import check_seed, check_whole
from workbench.explanation.base import Applied, draw_users
from workbench.features.encoding import distinct_rows
from workbench.features.levels import UNKNOWN
from workbench.progress import with_bar

if TYPE_CHECKING:
    import shap

VIEWS_EXPLAINED = 4_000
ROWS_A_BATCH = 4_000  # explained at a time: a bar moves every few seconds, and no call costs more than it brings
TOLERANCE = 1e-4  # log-odds; XGBoost sums both in float32, which on our models leaves some 1e-6
THRESHOLD = "threshold asked about"


@checked
def shap_values(
    model: Any,
    frame: pd.DataFrame,
    *,
    scenario: Any = None,
    seed: int = 0,
    views: int = VIEWS_EXPLAINED,
    **question: Any,
) -> shap.Explanation:
    """Explain one question for each view: which features raise the model's answer, and which lower it?

    The question is the decision's. A network-quality model is asked how likely the network is too slow for the most
    demanding option (large images, or the largest that are not always late), a next-page model how likely its first
    choice is the next page. Exact values from XGBoost (Lundberg et al. 2020, TreeSHAP); columns of the trees are summed
    to the feature that a reader knows, and each view's values are checked against the margin that the model predicts.

    Parameters
    ----------
    model : estimator, or a policy that holds one
        From ``wb.train_network_quality`` or ``wb.train_next_page``; ``result.of("model").policy``.
    frame : DataFrame, shape (rows, columns)
        Canonical, with its card, such as ``split.validation``; of navigations whole sessions.
    scenario : object, optional
        Says which decision is meant, and what its options need.
    seed : int
        Random seed of the draw.
    views : int
        About how many views are explained at most: whole users (or sessions) are drawn.
    **question
        Further choices of the decision: ``quantity="rtt_ms"``, the measured quantity that a network-quality model is
        asked about.

    Returns
    -------
    shap.Explanation
        ``values`` (views, features) in log-odds of the raw margin, ``base_values`` (views,); together they add up to
        the margin within 1e-4. ``data`` holds numbers: of text the place among its levels, in ``coded`` those whose
        levels have no order; ``display_data`` the values as a reader knows them ("unknown" where there is none),
        ``output_names`` the question in words, ``card`` the frame's card, ``index`` which rows of the frame were
        explained, ``units`` of features that have one. Shap's own plots draw it.

    Raises
    ------
    WorkbenchError
        Where model, frame and scenario do not belong to one decision, the question is none of its, or there is none.
    AssertionError
        Where values do not add up to the margin.

    >>> shap.plots.beeswarm(wb.shap_values(model, split.validation))  # doctest: +SKIP
    """
    import shap

    check_whole("views", views, at_least=1)
    check_seed(seed)
    card = card_of(frame)
    decision = find_decision(scenario, card)
    drawn = frame if len(frame) <= views else sample_users(frame, views, seed)
    found = decision.explained(model, drawn, decision.scenario(card, scenario), **question)
    features, values, base = exact_shap(found)
    shown, units = found.shown, found.shown.attrs.get("units", {})
    if "" in features:
        shown = shown.assign(**{"": np.exp(found.matrix[:, found.sources.index("")].astype(float))})
    explanation = shap.Explanation(
        values=values,
        base_values=base,
        data=np.column_stack([_as_numbers(shown[name]) for name in features]),
        display_data=np.column_stack([_as_read(shown[name], units.get(name, "")) for name in features]),
        feature_names=[name or THRESHOLD for name in features],
        output_names=found.question,
    )
    explanation.card, explanation.index, explanation.units = card, drawn.index[found.view], dict(units)
    explanation.coded = tuple(name for name in found.shown if _has_no_order(found.shown[name]))
    return explanation


def explain_drawn(applied: Applied, most: int, seed: int, **question: Any) -> tuple[shap.Explanation, np.ndarray]:
    """SHAP values of about so many views, whole users drawn by seed, and whose each explained view is."""
    drawn = draw_users(applied.users, most, seed)
    views = applied.situations.frame[drawn].reset_index(drop=True)
    explanation = shap_values(applied.policy, views, scenario=applied.scenario, views=len(views), **question)
    return explanation, applied.users[drawn][explanation.index]


def exact_shap(found: Explained) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Exact SHAP values of rows: features ("" is the threshold asked about), values (rows, features), base (rows,).

    Columns are summed by source in float64, and checked against the margin that XGBoost itself predicts.
    """
    import xgboost

    sources = found.sources
    features = tuple(dict.fromkeys(sources))
    summing = np.zeros((len(sources) + 1, len(features) + 1))
    summing[range(len(sources)), [features.index(source) for source in sources]] = 1
    summing[-1, -1] = 1  # the base, which XGBoost puts last
    rows, which = distinct_rows(found.matrix)
    summed = np.empty((len(rows), len(features) + 1))
    batches = [slice(start, start + ROWS_A_BATCH) for start in range(0, len(rows), ROWS_A_BATCH)]
    for part in with_bar(batches, "SHAP values"):
        matrix = xgboost.DMatrix(rows[part])
        summed[part] = found.booster.predict(matrix, pred_contribs=True).astype(float) @ summing
        check_sum(summed[part], found.booster.predict(matrix, output_margin=True))
    return features, summed[which, :-1], summed[which, -1]


def check_sum(shares: np.ndarray, margin: np.ndarray) -> None:
    """Refuse shares (rows, features and base) that miss the margin (rows,) by more than 1e-4."""
    worst = float(np.abs(shares.sum(axis=1) - margin).max(initial=0.0))
    if not worst <= TOLERANCE:
        raise AssertionError(f"SHAP values must add up to the margin; they are off by up to {worst:g}.")


def features_of(explanation: shap.Explanation) -> list[int]:
    """Places of the features; the threshold asked about is none."""
    return [place for place, name in enumerate(explanation.feature_names) if name != THRESHOLD]


def strongest(explanation: shap.Explanation, row: int, most: int = 8) -> list[tuple[str, str, float]]:
    """The strongest features of one answer, as a waterfall shows them: name, value in words, SHAP value (log-odds).

    The others are one last sum.
    """
    values = explanation.values[row]
    order = np.argsort(-abs(values), kind="stable")
    names, shown = explanation.feature_names, explanation.display_data[row]
    found = [(names[i], "" if names[i] == THRESHOLD else in_words(shown[i]), float(values[i])) for i in order[:most]]
    rest = order[most:]
    return found + ([(f"{len(rest)} others", "", float(values[rest].sum()))] if len(rest) else [])


def in_words(value: Any) -> str:
    """A value as text: numbers with four figures."""
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)


def _has_no_order(column: pd.Series) -> bool:
    ordered = isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered
    return not ordered and not is_numeric_dtype(column.dtype)


def _as_numbers(column: pd.Series) -> np.ndarray:
    """A feature as one number a row: itself, the place among ordered levels, or a number for each level."""
    if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered:
        codes = column.cat.codes.to_numpy(float)
        return np.where(codes < 0, np.nan, codes)
    if _has_no_order(column):
        texts = column.astype(object).where(column.notna(), UNKNOWN).astype(str)
        return pd.factorize(texts, sort=True)[0].astype(float)
    return column.to_numpy(float, na_value=np.nan)


def _as_read(column: pd.Series, unit: str) -> np.ndarray:
    """Values as a reader knows them; "unknown" where there is none: object, shape (rows,)."""
    values = column.map(lambda number: f"{number:.0f} {unit}", na_action="ignore") if unit else column
    return values.astype(object).where(column.notna(), UNKNOWN).to_numpy(object)
