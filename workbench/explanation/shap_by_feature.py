"""Exact SHAP values of one named question, by the features that a reader knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.explanation.questions import LateQuestion, late_question
from workbench.explanation.shap_exact import as_codes, as_read, exact_shap, slices, unite
from workbench.explanation.shap_next_page import VIEWS_EXPLAINED, draw_views, explain_next_page
from workbench.models import NetworkQuality, NextPage

if TYPE_CHECKING:
    import shap

THE_QUESTION = "the question itself"
ROWS_A_BATCH = 50_000  # encoded at a time
READABLE = {
    "asn": "ASN",
    "isp": "provider",
    "os_family": "operating system",
    "os_major": "system version",
    "browser_major": "browser version",
    "save_data": "Save-Data",
    "local_hour": "local hour",
    "last_rtt_ms": "last RTT",
    "last_downlink_mbps": "last throughput",
    "last_age_s": "age of the last measurement",
    "earlier_views": "earlier views",
    "connection_type": "connection type",
    "effective_type": "NetInfo class",
    "netinfo_rtt_ms": "NetInfo RTT",
    "netinfo_downlink_mbps": "NetInfo downlink",
}


def shap_values(
    model: NetworkQuality | NextPage,
    frame: pd.DataFrame,
    *,
    quantity: str | None = None,
    scenario: ImageScenario | PrefetchScenario | None = None,
    views: int | None = None,
    seed: int = 0,
) -> shap.Explanation:
    """Explain one question, for each view: what pushes the model's answer up or down?

    The question to a network-quality model: how likely is a quantity worse than the edge at which the large images are
    just late? Where the budget is so tight that these always are, it is about the largest images that are not, and says
    so (:func:`workbench.explanation.questions.late_question`). To a next-page model: how likely is its first choice the
    next page (:func:`workbench.explanation.shap_next_page.explain_next_page`)?

    Exact values from XGBoost (Lundberg et al. 2020, TreeSHAP), worked out once per distinct encoded row and in batches;
    a bar shows where that takes a while. Batches bound what is encoded and explained at a time; what is kept grows with
    the views: the distinct rows, and three tables of views by features that are given back (take fewer ``views`` where
    they are millions). Encoded columns are summed to their source feature, the threshold's share is one bar of its own.
    Each view's values are held against the margin that the model predicts.

    Parameters
    ----------
    model : NetworkQuality or NextPage
    frame : DataFrame, shape (rows, columns)
        Canonical measurements or context; for a next-page model canonical navigations, whole sessions.
    quantity : str, optional
        Measured quantity asked about; default throughput where the model knows it and the budget leaves it a limit,
        else RTT. The other one is taken at its median in training, or at its assumed value. A next-page model has none
        to ask about.
    scenario : ImageScenario or PrefetchScenario, optional
        Of images: whose budget and images set the edge. A next page is as likely whatever a prefetch is worth, so that
        a prefetch scenario is taken and changes nothing.
    views : int, optional
        About how many views are explained at most; whole users (or sessions) are drawn by ``seed``. Default all for a
        network-quality model, among whose rows many are alike, and 2,000 for a next-page model, where hardly any are.
    seed : int

    Returns
    -------
    shap.Explanation
        ``values`` (views, features) in log-odds of the raw margin, ``base_values`` (views,); together they add up to
        the margin within 1e-4. ``data`` holds numbers (of text, the past mean of the log quantity, where the model has
        one, else a number for each name: those features are in ``coded``), ``display_data`` the values as a reader
        knows them ("unknown" where there is none), ``output_names`` the question in words, ``card`` the frame's card,
        ``index`` which rows of the frame were explained. Shap's own plots draw it.

    Raises
    ------
    WorkbenchError
        Where the model is none, does not know the quantity, or takes another scenario; where even the smallest
        images are late whatever the quantity is.
    AssertionError
        Where values do not add up to the margin.
    """
    if isinstance(model, NextPage):
        _refuse_other_questions(quantity, scenario)
        return explain_next_page(model, frame, views=VIEWS_EXPLAINED if views is None else views, seed=seed)
    if not isinstance(model, NetworkQuality):
        raise WorkbenchError(
            "expected a trained model, as from wb.train_network_quality(split) or wb.train_next_page(split); got "
            f"{model!r}."
        )
    if scenario is not None and not isinstance(scenario, ImageScenario):
        raise WorkbenchError(f"a network-quality model takes a wb.ImageScenario; got {scenario!r}.")
    drawn = frame if views is None else draw_views(frame, views, seed)
    return _explain_network(model, drawn, late_question(model, drawn, quantity, scenario or ImageScenario()))


def _refuse_other_questions(quantity: str | None, scenario: object) -> None:
    if quantity is not None:
        raise WorkbenchError(
            f"a next-page model answers one question, which page is next; leave quantity out; got {quantity!r}."
        )
    if scenario is not None and not isinstance(scenario, PrefetchScenario):
        raise WorkbenchError(f"a next-page model takes a wb.PrefetchScenario, or none; got {scenario!r}.")


def _explain_network(model: NetworkQuality, frame: pd.DataFrame, question: LateQuestion) -> shap.Explanation:
    """Encode batch by batch, explain each distinct row, and tell it for every view."""
    import shap

    quantity, edge = question.quantity, question.edge
    parts = slices(len(frame), ROWS_A_BATCH)
    encoded = (model.encode(frame.iloc[part], quantity) for part in parts or [slice(0, 0)])
    matrix, which = unite(encoded)
    head = model.heads_[quantity]
    asked = np.column_stack([matrix, np.full(len(matrix), np.log(edge), np.float32)])
    shares = exact_shap(head.booster, asked, [*head.encoding.sources, THE_QUESTION])
    context = model.context(frame)
    numbers, shown, coded = [], [], []
    for feature in shares.features:
        shown.append(as_read(context[feature]) if feature in context else np.full(len(frame), edge, object))
        numbers.append(_as_numbers(matrix, head.encoding.features, feature, edge)[which])
        if np.isnan(numbers[-1]).all():
            numbers[-1] = as_codes(shown[-1])
            coded.append(readable(feature))
    explanation = shap.Explanation(
        values=shares.values[which],
        base_values=shares.base[which],
        data=np.column_stack(numbers),
        display_data=np.column_stack(shown),
        feature_names=[readable(feature) for feature in shares.features],
        output_names=question.words,
    )
    explanation.card, explanation.index, explanation.coded = frame.attrs.get("card"), frame.index, tuple(coded)
    return explanation


def readable(column: str) -> str:
    """What a reader calls a context column.

    Examples
    --------
    >>> readable("os_family"), readable("my_column")
    ('operating system', 'my column')
    """
    return READABLE.get(column, column.replace("_", " "))


def _as_numbers(matrix: np.ndarray, encoded: list[str], feature: str, edge: float) -> np.ndarray:
    """A feature as one number a row, for colour: itself, or its past mean of the log; missing where it has neither."""
    for name in (feature, f"{feature}|log"):
        if name in encoded:
            return matrix[:, encoded.index(name)].astype(float)
    return np.full(len(matrix), edge if feature == THE_QUESTION else np.nan)
