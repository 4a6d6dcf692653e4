"""How a study of image delivery is set up, and the walk from data to a trained model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from workbench.datasets.history import Mask, has_time
from workbench.datasets.schema import SIGNALS, context_columns
from workbench.datasets.splits import Split, card_of, split_by_time, split_by_user
from workbench.decisions.images.scenario import ImageScenario
from workbench.models import NetworkQuality, train_network_quality


@dataclass(frozen=True)
class Plan:
    """Everything a study fixes in advance; a sensitivity row changes one of these.

    Parameters
    ----------
    scenario : ImageScenario
    seed : int
        Of the split and the model.
    split : str
        ``"time"``, ``"user"``, or ``"asn"`` for networks never seen.
    mask : Mask or None
        None where the data have no signal to take.
    known_by : str
        Information set.
    without : tuple of str
        Columns that nobody has: neither model nor rules.
    history : bool
    assume : str
        Which of ``"low"``, ``"base"``, ``"high"`` stands for what was not measured.
    """

    scenario: ImageScenario
    seed: int = 0
    split: str = "user"
    mask: Mask | None = None
    known_by: str = "first_request"
    without: tuple[str, ...] = ()
    history: bool = True
    assume: str = "base"


def default_plan(views: pd.DataFrame, scenario: ImageScenario, seed: int) -> Plan:
    """The headline's plan: by time where there is time, masked where there is a signal."""
    card = card_of(views)
    timed = has_time(views)
    return Plan(
        scenario=scenario,
        seed=seed,
        split="time" if timed else "user",
        mask=Mask(seed=seed) if timed or _shows_netinfo(views, card.known_by) else None,
        known_by=card.known_by,
    )


def prepare(views: pd.DataFrame, plan: Plan) -> Split:
    """Leave out what nobody has, set what is assumed, mask, add history, split.

    Raises
    ------
    WorkbenchError
        Where the frame carries no card, or cannot be split that way.
    """
    card = card_of(views)
    place = {"low": 0, "base": 1, "high": 2}[plan.assume]
    assume = {quantity: (values[0], values[place], values[2]) for quantity, values in card.assume.items()}
    frame = views.drop(columns=[name for name in plan.without if name in views])
    frame.attrs |= {"card": replace(card, assume=assume, known_by=plan.known_by)}
    if plan.split == "time":
        return split_by_time(frame, plan.seed, mask=plan.mask, history=plan.history)
    cluster = "user_id" if plan.split == "user" else plan.split
    return split_by_user(frame, plan.seed, mask=plan.mask, history=plan.history, cluster=cluster)


def train(split: Split, plan: Plan) -> NetworkQuality:
    """The model of a plan."""
    return train_network_quality(split, known_by=plan.known_by, seed=plan.seed)


def _shows_netinfo(views: pd.DataFrame, known_by: str) -> bool:
    visible = [name for name in SIGNALS if name in context_columns(known_by) and name in views]
    return "user_id" in views and bool(views[visible].notna().any().any())
