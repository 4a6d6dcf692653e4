"""The tested habits of tabular work, as named steps, each with its effect on ``validation``.

After Howard and Gugger, Deep Learning for Coders with fastai and PyTorch (2020), ch. 9: leave out columns of little
importance, then redundant ones, then those that tell the period; and look at single rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.splits import Split
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval
from workbench.explanation.acting import ImagesActing, PagesActing
from workbench.explanation.data_checks import drift
from workbench.explanation.feature_groups import group_features, representative
from workbench.explanation.feature_importance import Importance
from workbench.explanation.feature_importance import importance as importance_of
from workbench.explanation.importance_words import beyond_noise
from workbench.explanation.retraining import Model, Scenario, effect_columns, prepare_retraining, removable
from workbench.explanation.shap_exact import with_bar
from workbench.explanation.single_rows import COLUMNS, look_at_rows
from workbench.studies.comparison import Unit

WEAK, REDUNDANT, SHIFTED, ROWS = (
    "drop weak columns",
    "drop redundant columns",
    "drop what tells choose from train",
    "look at single rows",
)
USED_UP = (
    "Steps are picked on validation and told on validation, which flatters them: only test can say what one is worth, "
    "and it is read once."
)
SAID = 3
CROSSING = " and "  # in the name of a feature that is made of two columns


@dataclass(frozen=True)
class Habits:
    """What each step does.

    Parameters
    ----------
    table : DataFrame
        A row a step: ``step, dropped`` (tuple of features), ``net, net_low, net_high`` (retrained minus as trained, on
        ``validation``), ``trees_saved, kilobytes_saved, said``. Numbers are missing where nothing was trained again.
    rows : DataFrame
        Of the last step: as from :func:`workbench.explanation.single_rows.look_at_rows`.
    unit : Unit
        How the net is told.
    views, users : int
        Of ``validation``, on which policies act.
    card : Card
    """

    table: pd.DataFrame
    rows: pd.DataFrame = field(repr=False)
    unit: Unit
    views: int
    users: int
    card: Card = field(repr=False)

    @property
    def finding(self) -> str:
        """In one line, whether a step changes anything."""
        tried = self.table.dropna(subset=["net"])
        if tried.empty:
            return "No habit of tabular work had anything to drop"
        sure = [
            beyond_noise(self.unit, low, high) for low, high in zip(tried["net_low"], tried["net_high"], strict=True)
        ]
        told = [
            f"{step} {'gains' if way > 0 else 'costs'} net"
            for step, way in zip(tried["step"], sure, strict=True)
            if way
        ]
        if not told:
            return "No habit of tabular work changes the net beyond chance"
        return f"Of the habits of tabular work, {' and '.join(told)}"

    @property
    def sentences(self) -> tuple[str, ...]:
        """One sentence a step, and what may not be concluded."""
        return (*(self._sentence(row) for _, row in self.table.iterrows()), USED_UP)

    def _sentence(self, row: pd.Series) -> str:
        begin = f"{row['step'][:1].upper()}{row['step'][1:]}"
        if not row["dropped"]:
            return f"{begin}: {row['said']}."
        net = Interval(row["net"], row["net_low"], row["net_high"], 0)
        chance = "" if beyond_noise(self.unit, net.low, net.high) else ", within chance"
        size = _saved(row["kilobytes_saved"])
        return f"{begin} ({', '.join(row['dropped'])}): {self.unit.span(net)} {self.unit.name}{chance}, {size}."


def try_habits(
    split: Split,
    model: Model,
    scenario: Scenario | None = None,
    *,
    importance: Importance | None = None,
    seed: int = 0,
) -> Habits:
    """Try the habits of tabular work, each by itself, and tell what it does on ``validation``.

    - *drop weak columns*: those whose permutation importance in net has an interval that does not lie above zero, or
      that no tree uses;
    - *drop redundant columns*: of each group that says the same, all but one (as ``redundancy`` does);
    - *drop what tells choose from train*: columns without which ``drift(split.train, split.validation)`` sees clearly
      less, history and signals left aside;
    - *look at single rows*: what the views have in common that the model is most wrong about; nothing is trained.

    A step trains the model again without its columns; both act at the declared price, no limit is tuned. Steps are
    picked on ``validation`` (redundant columns on ``train``) and told on ``validation``, which flatters them. A step
    that the data do not allow, such as a shift between parts of few users, says why in ``said``.

    Parameters
    ----------
    split : Split
    model : NetworkQuality or NextPage
        Trained on it.
    scenario : ImageScenario or PrefetchScenario, optional
    importance : Importance, optional
        ``wb.importance(model, split.validation, scenario=scenario)``, where it is there already; else it is worked out.
    seed : int

    Returns
    -------
    Habits

    Raises
    ------
    WorkbenchError
        Where the model was not trained on the split, or does not belong to the scenario.
    """
    bench, names = prepare_retraining(split, model, scenario), removable(model)
    # Before anything is trained: what fails must not take results with it.
    worst, said_of_rows = _worst(bench.here, seed)

    def weak() -> tuple[str, ...]:
        ranked = importance or importance_of(model, split.validation, scenario=bench.here.scenario, seed=seed)
        return _weak(ranked.table, names, bench.here.unit)

    picked = {
        WEAK: _unless_refused(weak),
        REDUNDANT: _unless_refused(lambda: _redundant(split, model, names, seed)),
        SHIFTED: _unless_refused(lambda: _telling(split, model, names, seed)),
    }
    rows = []
    for step, (dropped, refused) in with_bar(list(picked.items()), "retraining"):
        all_of_them = len(dropped) == len(names)
        said = (refused or NOTHING[step]) if not dropped else "that would be every column" if all_of_them else ""
        effect = bench.without([names[name] for name in dropped], seed) if dropped and not all_of_them else None
        rows.append({"step": step, "dropped": () if all_of_them else dropped} | effect_columns(effect) | {"said": said})
    rows.append({"step": ROWS, "dropped": ()} | effect_columns(None) | {"said": said_of_rows})
    users = len(np.unique(bench.here.users))
    return Habits(pd.DataFrame(rows), worst, bench.here.unit, len(bench.net), users, split.card)


NOTHING = {
    WEAK: "no column is weak",
    REDUNDANT: "no two columns say the same",
    SHIFTED: "no column tells choose from train",
}


def _unless_refused(pick: Callable[[], tuple[str, ...]]) -> tuple[tuple[str, ...], str]:
    """What a step drops; or nothing, and why the step cannot be taken."""
    try:
        return pick(), ""
    except WorkbenchError as refused:
        return (), _refusal(refused)


def _worst(here: ImagesActing | PagesActing, seed: int) -> tuple[pd.DataFrame, str]:
    """The worst views, and what they share in words; or no rows, and why not."""
    try:
        rows = look_at_rows(here, seed)
    except WorkbenchError as refused:
        return pd.DataFrame(columns=COLUMNS), _refusal(refused)
    return rows, _shared_in_words(rows)


def _refusal(refused: WorkbenchError) -> str:
    """Its first sentence; the next ones advise those who called the check by itself."""
    return f"could not be tried ({str(refused).split('. ')[0].rstrip('.')})"


def _weak(table: pd.DataFrame, names: Mapping[str, str], unit: Unit) -> tuple[str, ...]:
    """Columns without a share in any feature that is missed: "device and hour" needs both."""
    strong = [row.feature for row in table.itertuples() if beyond_noise(unit, row.net_low, row.net_high) > 0]
    needed = {part for feature in strong for part in (feature, *str(feature).split(CROSSING))}
    return tuple(name for name in names if name not in needed)


def _redundant(split: Split, model: Model, names: Mapping[str, str], seed: int) -> tuple[str, ...]:
    groups, dropped = group_features(split, model, seed=seed), []
    for members in groups.groups:
        stays = [name for name in members if name not in names] or [representative(members, groups)]
        dropped += [name for name in members if name not in stays]
    return tuple(dropped)


def _telling(split: Split, model: Model, names: Mapping[str, str], seed: int) -> tuple[str, ...]:
    found = drift(split.train, split.validation, known_by=model.known_by, without=model.without, seed=seed)
    return tuple(feature for feature in found.telling["feature"] if feature in names)


def _shared_in_words(rows: pd.DataFrame) -> str:
    above = rows[rows["low"] > rows.attrs["share"]].head(SAID)
    if above.empty:
        return "the views that the model is most wrong about have nothing in common that 20 users share"
    told = (
        f"{each.share:.0%} of those with {each.feature} {each.value}".replace("%", " %") for each in above.itertuples()
    )
    return f"{rows.attrs['share']:.0%} of all views are the worst, but ".replace("%", " %") + ", ".join(told)


def _saved(kilobytes: float) -> str:
    return f"{abs(kilobytes):,.0f} kB {'saved' if kilobytes >= 0 else 'more'}"
