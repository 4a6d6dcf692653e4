"""One call for either decision: what a dataset holds tells which one it is about."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pandas as pd

from workbench.datasets.cards import find_card
from workbench.datasets.splits import card_of
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.studies.comparison import Comparison
from workbench.studies.image_delivery import study_images
from workbench.studies.prefetch import study_prefetch


def study(
    dataset: str | os.PathLike[str] | pd.DataFrame,
    *,
    rows: int | None = None,
    seed: int = 0,
    scenario: ImageScenario | PrefetchScenario | None = None,
    sensitivity: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Comparison:
    """Walk the whole path on a dataset: image delivery on measurements, prefetching on navigations.

    Parameters
    ----------
    dataset : str, path or DataFrame
        A card's name, the path of a card, or a frame from ``load``, ``measurements`` or ``navigations``.
    rows, seed, sensitivity, progress
        As of :func:`workbench.studies.study_images`.
    scenario : ImageScenario or PrefetchScenario, optional
        Of the decision that the data are about.

    Returns
    -------
    Comparison

    Raises
    ------
    WorkbenchError
        Where the data cannot be had or decided on, or the scenario is the other decision's.
    """
    card = card_of(dataset) if isinstance(dataset, pd.DataFrame) else find_card(dataset)
    walk: Callable[..., Any] = study_images
    kind: type = ImageScenario
    if card.kind == "navigations":
        walk, kind = study_prefetch, PrefetchScenario
    if scenario is not None and not isinstance(scenario, kind):
        raise WorkbenchError(f"{card.name} holds {card.kind}: expected a wb.{kind.__name__}; got {scenario!r}.")
    return walk(dataset, rows=rows, seed=seed, scenario=scenario, sensitivity=sensitivity, progress=progress)
