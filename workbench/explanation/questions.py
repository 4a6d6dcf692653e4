"""The question that SHAP values of a network-quality model explain: is the network too slow for the images?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.decisions.images.rules import base_assumptions
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.load_time import longest_rtt_ms, slowest_downlink_mbps
from workbench.errors import WorkbenchError
from workbench.models import NetworkQuality


@dataclass(frozen=True)
class LateQuestion:
    """How likely is a quantity worse than the edge at which images are just late?

    Parameters
    ----------
    quantity : str
    edge : float
        In the quantity's unit.
    images : str
        Which images, where it is not the large ones; empty where it is.
    """

    quantity: str
    edge: float
    images: str = ""

    @property
    def words(self) -> str:
        """What the SHAP values are about."""
        what = {
            "downlink_mbps": f"throughput is below {self.edge:.1f} Mbit/s",
            "rtt_ms": f"the round trip is above {self.edge:.0f} ms",
            "page_load_ms": f"the page takes longer than {self.edge:.0f} ms",
        }[self.quantity]
        return f"log-odds that {what}" + (f", where {self.images} images are late" if self.images else "")


def late_question(
    model: NetworkQuality, frame: pd.DataFrame, quantity: str | None, scenario: ImageScenario
) -> LateQuestion:
    """The question about the large images, or where these are always late, about the largest that are not.

    The other quantity is at its median in training, or at its assumed value.

    Parameters
    ----------
    model : NetworkQuality
    frame : DataFrame
        Its card holds what is assumed.
    quantity : str, optional
        Without one, throughput where the model knows it; where the budget leaves it no edge (the round trips alone take
        the time, so that no throughput is enough), another that the model knows.
    scenario : ImageScenario

    Raises
    ------
    WorkbenchError
        Where there is no such question: even the smallest images are late whatever the quantity is.
    """
    card = frame.attrs.get("card")
    usual = base_assumptions(card) if card else {}
    usual |= {name: float(head.levels[50]) for name, head in model.heads_.items()}
    asked = [quantity] if quantity else sorted(model.quantities, key=lambda name: name != "downlink_mbps")
    names = scenario.ladder.names
    for name in asked:
        for size in reversed(range(len(names))):
            edge = _edge(name, float(scenario.view_bytes[size]), usual, scenario)
            if 0 < edge < np.inf:
                return LateQuestion(name, edge, "" if size == len(names) - 1 else names[size])
    raise WorkbenchError(
        f"at a budget of {scenario.budget_ms:g} ms even the {names[0]} images are late whatever {asked[0]} is; take a "
        "larger budget."
    )


def _edge(quantity: str, view_bytes: float, usual: dict[str, float], scenario: ImageScenario) -> float:
    """Value of a quantity beyond which images are late; not above 0 or infinite where they always are."""
    within, rtts = scenario.budget_ms, scenario.connection_rtts
    if quantity == "downlink_mbps":
        return float(slowest_downlink_mbps(view_bytes, _usual(usual, "rtt_ms"), within, rtts))
    if quantity == "rtt_ms":
        return float(longest_rtt_ms(view_bytes, _usual(usual, "downlink_mbps"), within, rtts))
    return within


def _usual(usual: dict[str, float], quantity: str) -> float:
    if quantity not in usual:
        raise WorkbenchError(
            f"{quantity} is neither predicted nor assumed: pass a frame from wb.load() or wb.measurements(df, "
            f"assume={{{quantity!r}: (low, base, high)}})."
        )
    return usual[quantity]
