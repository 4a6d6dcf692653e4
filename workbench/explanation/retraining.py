"""What a model is worth without some of its features: it is trained again, and acts on ``validation`` beside itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from workbench.datasets.splits import Split
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval, cluster_interval
from workbench.explanation.acting import ImagesActing, PagesActing, act_on
from workbench.explanation.shap_by_feature import readable
from workbench.explanation.shap_next_page import HABITS, PAGE_BEFORE, source_of
from workbench.features.page_features import HISTORY, SECOND
from workbench.models import NetworkQuality, NextPage, network_quality, next_page
from workbench.studies.checks import check_same_split

Model = NetworkQuality | NextPage
Scenario = ImageScenario | PrefetchScenario


@dataclass(frozen=True)
class Effect:
    """What leaving features out does on ``validation``: net of the retrained model minus that of the model as trained.

    ``trees_saved`` and ``kilobytes_saved`` are below 0 where the retrained model is the larger one.
    """

    net: Interval
    trees_saved: int
    kilobytes_saved: float


@dataclass(frozen=True)
class Retraining:
    """A trained model on the views of ``validation``, ready to be compared with what is trained without some features.

    Parameters
    ----------
    split : Split
    model : NetworkQuality or NextPage
    here : ImagesActing or PagesActing
        The views, and the model's policy at the declared price.
    net : ndarray of float, shape (rows,)
        What the model as trained brings about in each view.
    """

    split: Split
    model: Model
    here: ImagesActing | PagesActing
    net: np.ndarray

    def without(self, names: Sequence[str], seed: int = 0) -> Effect:
        """Train again without columns (or kinds of features, as ``without=`` of the model names them).

        Both models act at the declared price, no limit is tuned; the interval resamples users, paired by view, and
        holds the two trained models as they are.
        """
        bare = clone(self.model).set_params(without=tuple(dict.fromkeys((*self.model.without, *names))))
        if isinstance(bare, NextPage):
            bare.fit(self.split.train, self.split.calibration, self.split.links)
        else:
            bare.fit(self.split.train, self.split.calibration)
        there = act_on(bare, self.split.validation, self.here.scenario)
        difference = there.net(there.ask(there.ours)) - self.net
        return Effect(
            net=cluster_interval(difference, self.here.users, seed=seed),
            trees_saved=self.model.trees - bare.trees,
            kilobytes_saved=self.model.kilobytes - bare.kilobytes,
        )


def prepare_retraining(split: Split, model: Model, scenario: Scenario | None = None) -> Retraining:
    """Set a model, as trained, to work on ``validation``.

    Raises
    ------
    WorkbenchError
        Where it is no trained model, was trained on other rows than the split's, or does not belong to the scenario.
    """
    if isinstance(model, NetworkQuality):
        check_same_split(split, model, network_quality.rows_hash, "wb.train_network_quality(split)")
    elif isinstance(model, NextPage):
        check_same_split(split, model, next_page.rows_hash, "wb.train_next_page(split)")
    else:
        raise WorkbenchError(
            "expected a trained model, as from wb.train_network_quality(split) or wb.train_next_page(split); got "
            f"{str(model)[:80]}."
        )
    here = act_on(model, split.validation, scenario)
    return Retraining(split, model, here, here.net(here.ask(here.ours)))


def removable(model: Model) -> Mapping[str, str]:
    """What can be left out: the feature that a reader knows, and what ``without=`` of the model calls it.

    Of a next-page model, habits and the page before go as a whole; what follows a page, popularity, what the session
    has shown, links and places are its ground, and stay.
    """
    if isinstance(model, NetworkQuality):
        columns = dict.fromkeys(name for head in model.heads_.values() for name in head.encoding.sources)
        return {readable(name): name for name in columns}
    layout = model.layout_
    found = {source_of(name): name for name in (*layout.numbers, *layout.levels)}
    if layout.history:
        found[HABITS] = HISTORY
    if layout.second:
        found[PAGE_BEFORE] = SECOND
    return found


def effect_columns(effect: Effect | None) -> dict[str, Any]:
    """An effect as columns of a table; missing where nothing was trained again."""
    if effect is None:
        return {"net": np.nan, "net_low": np.nan, "net_high": np.nan, "trees_saved": pd.NA, "kilobytes_saved": np.nan}
    return {
        "net": effect.net.estimate,
        "net_low": effect.net.low,
        "net_high": effect.net.high,
        "trees_saved": effect.trees_saved,
        "kilobytes_saved": effect.kilobytes_saved,
    }
