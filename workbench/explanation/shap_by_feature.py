"""Exact SHAP values of one named question, by the features that a reader knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.delivery import ImageScenario, longest_rtt_ms, slowest_downlink_mbps
from workbench.errors import WorkbenchError
from workbench.explanation.shap_next_page import explain_next_page
from workbench.models import NetworkQuality, NextPage
from workbench.policies.images import base_assumptions

if TYPE_CHECKING:
    import shap

THE_QUESTION = "the question itself"
ROWS_A_BATCH = 20_000
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
    scenario: ImageScenario | None = None,
) -> shap.Explanation:
    """Explain one question: how likely is the network worse than the edge at which the large images are just late?

    Of a next-page model the question is another: why is its first choice the likeliest next page
    (:func:`workbench.explanation.shap_next_page.explain_next_page`)?

    Exact values from XGBoost (Lundberg et al. 2020, TreeSHAP), worked out once per distinct encoded row. Encoded
    columns are summed to their source feature, the threshold's share is one bar of its own.

    Parameters
    ----------
    model : NetworkQuality or NextPage
    frame : DataFrame, shape (rows, columns)
        Canonical measurements or context; for a next-page model canonical navigations.
    quantity : str, optional
        Measured quantity asked about; default throughput where the model knows it, else RTT. The other one is taken
        at its median in training, or at its assumed value.
    scenario : ImageScenario, optional
        Whose budget and images set the edge.

    Returns
    -------
    shap.Explanation
        ``values`` (rows, features) in log-odds of the raw margin, ``base_values`` (rows,); together they add up to
        the margin. ``data`` holds numbers (a text feature's past mean of the log quantity, where it has one),
        ``display_data`` the values as a reader knows them ("unknown" where there is none), ``output_names`` the
        question in words, ``card`` the frame's card.

    Raises
    ------
    WorkbenchError
        Where the model does not know the quantity, or the budget cannot be met whatever it is.
    """
    import shap

    if isinstance(model, NextPage):
        if quantity is not None or scenario is not None:
            raise WorkbenchError("a next-page model answers one question; leave quantity and scenario out.")
        return explain_next_page(model, frame)
    quantity = quantity or ("downlink_mbps" if "downlink_mbps" in model.quantities else model.quantities[0])
    edge = late_edge(model, frame, quantity, scenario or ImageScenario())
    matrix, which = model.encode(frame, quantity)
    contributions = _contributions(model, quantity, matrix, edge)
    encoding = model.heads_[quantity].encoding
    sources = [*encoding.sources, THE_QUESTION]
    features = list(dict.fromkeys(sources))
    columns = [[i for i, source in enumerate(sources) if source == feature] for feature in features]
    values = np.column_stack([contributions[:, ids].sum(axis=1) for ids in columns])
    context = model.context(frame)
    numbers, shown = [], []
    for feature in features:
        numbers.append(_as_numbers(matrix, encoding.features, feature, edge)[which])
        shown.append(_as_read(context[feature]) if feature in context else np.full(len(frame), edge, object))
    explanation = shap.Explanation(
        values=values[which],
        base_values=contributions[which, -1],
        data=np.column_stack(numbers),
        display_data=np.column_stack(shown),
        feature_names=[READABLE.get(feature, feature) for feature in features],
        output_names=_in_words(quantity, edge),
    )
    explanation.card = frame.attrs.get("card")
    return explanation


def late_edge(model: NetworkQuality, frame: pd.DataFrame, quantity: str, scenario: ImageScenario) -> float:
    """Value of a quantity beyond which the large images are late, the other quantity at its usual value.

    Raises
    ------
    WorkbenchError
        Where there is no such value: the budget is missed or met whatever the quantity is.
    """
    card = frame.attrs.get("card")
    usual = base_assumptions(card) if card else {}
    usual |= {name: float(head.levels[50]) for name, head in model.heads_.items()}
    large = scenario.view_bytes[-1]
    if quantity == "downlink_mbps":
        edge = float(
            slowest_downlink_mbps(large, _usual(usual, "rtt_ms"), scenario.budget_ms, scenario.connection_rtts)
        )
    elif quantity == "rtt_ms":
        usual_mbps = _usual(usual, "downlink_mbps")
        edge = float(longest_rtt_ms(large, usual_mbps, scenario.budget_ms, scenario.connection_rtts))
    else:
        edge = scenario.budget_ms
    if not 0 < edge < np.inf:
        raise WorkbenchError(
            f"at a budget of {scenario.budget_ms:g} ms the large images are late whatever {quantity} is; take a larger "
            "budget."
        )
    return edge


def _usual(usual: dict[str, float], quantity: str) -> float:
    if quantity not in usual:
        raise WorkbenchError(
            f"{quantity} is neither predicted nor assumed: pass a frame from wb.load() or wb.measurements(df, "
            f"assume={{{quantity!r}: (low, base, high)}})."
        )
    return usual[quantity]


def _contributions(model: NetworkQuality, quantity: str, matrix: np.ndarray, edge: float) -> np.ndarray:
    """SHAP values of encoded rows, shape (rows, features + threshold + base)."""
    import xgboost

    asked = np.column_stack([matrix, np.full(len(matrix), np.log(edge), np.float32)])
    booster = model.heads_[quantity].booster
    batches = [
        booster.predict(xgboost.DMatrix(asked[start : start + ROWS_A_BATCH]), pred_contribs=True)
        for start in range(0, len(asked), ROWS_A_BATCH)
    ]
    return np.vstack(batches).astype(float)


def _as_numbers(matrix: np.ndarray, encoded: list[str], feature: str, edge: float) -> np.ndarray:
    """A feature as one number a row, for colour: itself, or its past mean of the log; missing where it has neither."""
    for name in (feature, f"{feature}|log"):
        if name in encoded:
            return matrix[:, encoded.index(name)].astype(float)
    return np.full(len(matrix), edge if feature == THE_QUESTION else np.nan)


def _as_read(values: pd.Series) -> np.ndarray:
    return values.astype(object).where(values.notna(), "unknown").to_numpy(object)


def _in_words(quantity: str, edge: float) -> str:
    what = {
        "downlink_mbps": f"throughput is below {edge:.1f} Mbit/s",
        "rtt_ms": f"the round trip is above {edge:.0f} ms",
        "page_load_ms": f"the page takes longer than {edge:.0f} ms",
    }[quantity]
    return f"log-odds that {what}"
