"""What columns are worth: the model is trained again without them, and decides on ``validation`` beside itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.checked import checked
from workbench.datasets.cards import Card
from workbench.datasets.columns import listed
from workbench.datasets.schema import label
from workbench.datasets.splits import Split
from workbench.decisions.decision import Unit
from workbench.decisions.policy import Model
from workbench.errors import WorkbenchError, check_seed, did_you_mean
from workbench.evidence.bootstrap import cluster_interval
from workbench.explanation.base import Applied, apply_model, as_html, beyond_noise, may_be_missing, net_of
from workbench.models.boosting import check_trained_on

EFFECT = ("net", "net_low", "net_high", "trees_saved", "kilobytes_saved")
NOT_FINAL = (
    "Measured on validation: where the columns were picked there too, this flatters them. Only test can say what they "
    "are worth, and it is read once."
)


@dataclass(frozen=True, repr=False)
class Ablation:
    """What leaving ``columns`` out does to the net on ``validation``.

    ``effect`` holds ``net, net_low, net_high`` (net of a view, retrained minus as trained, users resampled) and
    ``trees_saved, kilobytes_saved`` (below 0 where the retrained model is the larger one); both models decide on
    ``views`` of ``users``.
    """

    columns: tuple[str, ...]
    effect: Mapping[str, float]
    unit: Unit
    views: int
    users: int
    people: str
    card: Card = field(repr=False)

    @property
    def finding(self) -> str:
        """In one line, what removing the columns does."""
        what = "this column" if len(self.columns) == 1 else f"these {len(self.columns)} columns"
        sure = beyond_noise(self.unit, self.effect["net_low"], self.effect["net_high"])
        does = {0: "has no detectable effect on", 1: "raises", -1: "lowers"}
        return f"Removing {what} {does[sure]} net"

    @property
    def sentences(self) -> tuple[str, ...]:
        """The effect on net and on the model's size, and what may not be concluded."""
        saved = self.effect["kilobytes_saved"]
        size = f"{abs(saved):,.0f} kB {'smaller' if saved >= 0 else 'larger'}"
        net = f"{self.unit.span(net_of(self.effect))} {self.unit.per_view}"
        return f"Retrained without {listed(self.columns)}: {net}; the model is {size}.", NOT_FINAL

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        return pd.DataFrame([{"columns": ", ".join(self.columns), **self.effect}]).set_index("columns")

    def __repr__(self) -> str:
        return f"{self.finding}: {self.unit.span(net_of(self.effect))} {self.unit.per_view}."

    def _repr_html_(self) -> str:
        return as_html(self.finding, self.sentences)


@may_be_missing
@checked
def ablation(
    split: Split, model: Any, columns: str | Sequence[str], *, scenario: Any = None, seed: int = 0
) -> Ablation:
    """Measure what leaving columns out does to the net of decisions on ``validation``.

    The model is trained again without the columns; both decide at the declared price, no limit is tuned. The interval
    resamples users, paired by view, and holds the two trained models as they are.

    Parameters
    ----------
    split : Split
    model : estimator
        Trained on it.
    columns : str or sequence of str
        Columns of context, or features as a reader knows them; all are left out together.
    scenario, missing_ok
        As for ``wb.importance``.
    seed : int
        Random seed of the resampling.

    Raises
    ------
    WorkbenchError
        Where the model was not trained on the split, ``columns`` names none of its columns, or names all of them.

    >>> wb.ablation(split, model, ["isp", "asn"])  # doctest: +SKIP
    """
    check_seed(seed)
    bench = Bench.of(split, model, scenario)
    names = bench.names
    wanted = (columns,) if isinstance(columns, str) else tuple(columns)
    by_column = {column: feature for feature, column in names.items()}
    left_out = tuple(dict.fromkeys(by_column.get(name, name) for name in wanted))
    for name in left_out:
        if name not in names:
            raise WorkbenchError(
                f"{split.card.name}: the model cannot be trained without {name!r}; columns that can be left out are "
                f"{', '.join(names)}.{did_you_mean(str(name), [*names, *names.values()])}"
            )
    if not left_out or len(left_out) == len(names):
        which = "every column" if left_out else "no column"
        raise WorkbenchError(f"{split.card.name}: expected some of the model's columns to leave out; got {which}.")
    return Ablation(
        columns=left_out,
        effect=bench.without(left_out, seed),
        unit=bench.here.decision.unit,
        views=len(bench.net),
        users=len(np.unique(bench.here.users)),
        people=bench.here.situations.people,
        card=split.card,
    )


@dataclass(frozen=True)
class Bench:
    """A trained model on the views of ``validation``, beside which models without some columns are measured.

    ``net`` is that of the model as trained in each view, ``names`` what can be left out, as from :func:`removable`.
    """

    split: Split
    model: Model
    here: Applied
    net: np.ndarray
    names: Mapping[str, str]

    @classmethod
    def of(cls, split: Split, model: Model, scenario: Any = None) -> Bench:
        """Apply a model to ``validation``; refused where it was not trained on the split."""
        here = apply_model(model, split.validation, scenario)
        check_trained_on(model, split, here.decision.train_call)
        return cls(split, model, here, here.net(here.ask()), removable(model, split.card))

    def without(self, features: Sequence[str], seed: int = 0) -> dict[str, Any]:
        """Train again without features, and measure the effect on net and size: the columns of ``EFFECT``."""
        bare = self.model.refit(self.split, without=tuple(self.names[name] for name in features))
        there = apply_model(bare, self.split.validation, self.here.scenario)
        net = cluster_interval(there.net(there.ask()) - self.net, self.here.users, seed=seed)
        saved = self.model.trees - bare.trees, self.model.kilobytes - bare.kilobytes
        return dict(zip(EFFECT, (net.estimate, net.low, net.high, *saved), strict=True))


def removable(model: Model, card: Card) -> dict[str, str]:
    """What a model can be trained without: the feature that a reader knows, and what ``without=`` calls it."""
    return {model.group_labels.get(name) or label(name, card): name for name in model.removable()}
