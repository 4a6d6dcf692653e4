"""The tested habits of tabular work, as named steps, each with its effect on ``choose``.

After Howard and Gugger, Deep Learning for Coders with fastai and PyTorch (2020), ch. 9: leave out columns of little
importance, then redundant ones, then those that tell the period; and look at single rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.navigation_schema import NAVIGATION_HISTORY
from workbench.datasets.splits import Split
from workbench.evaluation.bootstrap import Interval
from workbench.explanation.data_checks import drift, spokesman
from workbench.explanation.feature_groups import group_features
from workbench.explanation.feature_importance import Importance
from workbench.explanation.feature_importance import importance as importance_of
from workbench.explanation.retraining import Model, Scenario, effect_columns, open_workshop, removable
from workbench.explanation.shap_exact import with_bar
from workbench.explanation.shap_next_page import HABITS
from workbench.explanation.single_rows import look_at_rows
from workbench.models import NextPage
from workbench.studies.comparison import Unit

WEAK, REDUNDANT, PERIOD, ROWS = (
    "drop weak columns",
    "drop redundant columns",
    "drop what tells the period",
    "look at single rows",
)
USED_UP = (
    "Whoever picks a step by its effect on choose has used choose up: only test can say what the step is worth, and it "
    "is read once."
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
        ``choose``), ``trees_saved, kilobytes_saved, said``. Numbers are missing where nothing was trained again.
    rows : DataFrame
        Of the last step: as from :func:`workbench.explanation.single_rows.look_at_rows`.
    unit : Unit
        How the net is told.
    views, users : int
        Of ``choose``, on which policies act.
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
        telling = tried[(tried["net_low"] > 0) | (tried["net_high"] < 0)]
        if telling.empty:
            return "No habit of tabular work changes the net beyond chance"
        told = [f"{row['step']} {'gains' if row['net'] > 0 else 'costs'} net" for _, row in telling.iterrows()]
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
        chance = ", within chance" if net.low <= 0 <= net.high else ""
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
    """Try the habits of tabular work, each by itself, and tell what it does on ``choose``.

    - *drop weak columns*: those whose permutation importance in net has an interval that does not lie above zero, or
      that no tree uses;
    - *drop redundant columns*: of each group that says the same, all but one (as ``redundancy`` does);
    - *drop what tells the period*: columns without which ``drift(split.train, split.choose)`` sees clearly less;
    - *look at single rows*: what the views have in common that the model is most wrong about; nothing is trained.

    A step trains the model again without its columns; both act at the declared price, no limit is tuned. The columns
    of the first and the third step are picked by looking at ``choose``, so their effect there flatters a little.

    Parameters
    ----------
    split : Split
    model : NetworkQuality or NextPage
        Trained on it.
    scenario : ImageScenario or PrefetchScenario, optional
    importance : Importance, optional
        ``wb.importance(model, split.choose, scenario=scenario)``, where it is there already; else it is worked out.
    seed : int

    Returns
    -------
    Habits

    Raises
    ------
    WorkbenchError
        Where the model was not trained on the split, or choose or train are too small to be told apart.
    """
    shop, names = open_workshop(split, model, scenario), removable(model)
    ranked = importance or importance_of(model, split.choose, scenario=shop.here.scenario, seed=seed)
    picked = {
        WEAK: _weak(ranked.table, names),
        REDUNDANT: _redundant(split, model, names, seed),
        PERIOD: _telling(split, model, names, seed),
    }
    rows = []
    for step, dropped in with_bar(list(picked.items()), "retraining"):
        all_of_them = len(dropped) == len(names)
        said = NOTHING[step] if not dropped else "that would be every column" if all_of_them else ""
        effect = shop.without([names[name] for name in dropped], seed) if dropped and not all_of_them else None
        rows.append({"step": step, "dropped": () if all_of_them else dropped} | effect_columns(effect) | {"said": said})
    worst = look_at_rows(shop.here, seed)
    rows.append({"step": ROWS, "dropped": ()} | effect_columns(None) | {"said": _shared_in_words(worst)})
    users = len(np.unique(shop.here.users))
    return Habits(pd.DataFrame(rows), worst, shop.here.unit, len(shop.net), users, split.card)


NOTHING = {
    WEAK: "no column is weak",
    REDUNDANT: "no two columns say the same",
    PERIOD: "no column tells the period",
}


def _weak(table: pd.DataFrame, names: Mapping[str, str]) -> tuple[str, ...]:
    """Columns without a share in any feature that is missed: "device and hour" needs both."""
    strong = table.loc[table["net_low"] > 0, "feature"]
    needed = {part for feature in strong for part in (feature, *str(feature).split(CROSSING))}
    return tuple(name for name in names if name not in needed)


def _redundant(split: Split, model: Model, names: Mapping[str, str], seed: int) -> tuple[str, ...]:
    groups, dropped = group_features(split, model, seed=seed), []
    for members in groups.groups:
        stays = [name for name in members if name not in names] or [spokesman(members, groups)]
        dropped += [name for name in members if name not in stays]
    return tuple(dropped)


def _telling(split: Split, model: Model, names: Mapping[str, str], seed: int) -> tuple[str, ...]:
    found = drift(split.train, split.choose, known_by=model.known_by, without=model.without, seed=seed)
    history = {column.name for column in NAVIGATION_HISTORY} if isinstance(model, NextPage) else set()
    told = [HABITS if each.column in history else each.feature for each in found.giveaways.itertuples()]
    return tuple(dict.fromkeys(name for name in told if name in names))


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
