"""Which features matter: how far each moves the answer (SHAP), beside what decisions lose without it (net)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.checked import checked
from workbench.datasets.cards import Card
from workbench.datasets.columns import listed
from workbench.decisions.decision import Unit
from workbench.explanation.ablation import removable
from workbench.explanation.base import (
    Applied,
    apply_model,
    as_html,
    beyond_noise,
    check_users,
    count_views,
    draw_users,
    interval_columns,
    may_be_missing,
    net_of,
)
from workbench.explanation.shap_values import VIEWS_EXPLAINED, explain_drawn, features_of
from workbench.progress import with_bar
from workbench.studies.report import short_name

REPLAYED_VIEWS = 3_000  # decided again for each feature: more take minutes
REPEATS = 2  # views vary more than permutations do, and each costs all decisions anew
NAMED, SHOWN, HEADED = 5, 12, 3
NAME_WIDTH = 40  # characters
STRONG_SHARE = 0.1  # of the strongest feature's SHAP: a weaker one is not expected to cost anything
SELDOM = 0.05  # of the views: a feature without which fewer decisions change
STEPS_APART = 2  # places by which the two rankings differ before a sentence says so
IDLE = (
    "High SHAP, no detectable effect on net: {features}. Such a feature moves the chance, but seldom across the "
    "decision's limit: permuting it changes {changed} of the decisions."
)
UNCLEAR = (
    "High SHAP, effect on net not settled: {features}. Permuting changes {changed} of the decisions, and the interval "
    "of the net includes zero."
)
AHEAD = (
    "Ranked higher by net than by SHAP: {features}. Such a feature moves the chance less, but near the decision's "
    "limit or where much is at stake."
)
HARMFUL = (
    "Net rises where these are permuted: {features}. Possible overfitting, or chance: {tested} intervals were tested, "
    "and about 1 in 20 misses."
)
CORRELATED = "Correlated features share credit and mask each other: see wb.redundancy(model, split)."


@dataclass(frozen=True, repr=False)
class Importance:
    """The features of a model, by how far they move its answer, and what its decisions lose without them.

    ``table`` has one row a feature, the strongest first: ``feature``; ``shap, shap_low, shap_high``, mean size of its
    SHAP values, log-odds; ``net, net_low, net_high``, net lost a view where the feature is permuted (in net; times
    ``unit.factor`` as it is shown); ``turned``, the share of views in which another decision is taken then.
    ``question`` is what the SHAP values explain; they rest on ``rows`` views of ``users``, the net on ``replayed``
    views of ``replayed_users``. ``removable`` are features without which the model can be trained.
    """

    table: pd.DataFrame
    question: str
    rows: int
    users: int
    replayed: int
    replayed_users: int
    unit: Unit
    people: str
    card: Card = field(repr=False)
    removable: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[str, ...]:
        """Features whose permutation costs net beyond noise (:func:`beyond_noise`), costliest first."""
        return tuple(_costly(self)["feature"])

    @property
    def weak(self) -> tuple[str, ...]:
        """Features that could be left out, and whose permutation has no detectable cost: for ``wb.ablation``.

        A feature that is made of two columns ("device and hour") needs both.
        """
        parts = {part for feature in self.needed for part in (feature, *feature.split(" and "))}
        return tuple(name for name in self.removable if name not in parts)

    @property
    def finding(self) -> str:
        """In one line, what decisions cannot do without."""
        named = list(_costly(self)["title"][:HEADED])
        if not named:
            return "Permuting any single feature has no detectable effect on net"
        return f"Decisions depend most on {listed(named)}" if len(named) > 1 else f"Decisions depend on {named[0]}"

    @property
    def sentences(self) -> list[str]:
        """What moves the answer, what decisions lose, and what it means where the two rankings differ."""
        return [_moves(self), _loses(self), *_differ(self), CORRELATED]

    def to_frame(self) -> pd.DataFrame:
        """The table, one row a feature."""
        return self.table.set_index("feature")

    def __repr__(self) -> str:
        return f"{self.finding}.\n{_short(self).to_string(index=False)}"

    def _repr_html_(self) -> str:
        return as_html(self.finding, self.sentences, _short(self))


@may_be_missing
@checked
def importance(model: Any, frame: pd.DataFrame, *, scenario: Any = None, seed: int = 0, **question: Any) -> Importance:
    """Rank features by how far they move the answer, beside what decisions lose without each.

    SHAP: mean size of the values of :func:`workbench.explanation.shap_values` on about 4,000 views, whole users drawn
    by seed. Net: how much a view's net falls where the feature is shuffled across views and the policy decides again
    (permutation importance, Breiman 2001, Random Forests, section 10, with the net of decisions in place of the error
    of predictions), on about 3,000 views, the mean of 2 permutations; and the share of views in which another decision
    is taken. Both with 95 % intervals, users resampled (20 at least): they cover other users, not other permutations.

    Both describe what this model does with what it was given, not a model trained without the feature
    (:func:`workbench.explanation.ablation`). Exploratory: there is no verdict, and among many intervals some miss.

    Parameters
    ----------
    model : estimator, or a policy that holds one
        Such as ``result.model``, or ``result.of("model").policy``: a model acts at the declared price, a policy by its
        own limit.
    frame : DataFrame
        Canonical, with its card, such as ``split.validation``; of navigations whole sessions. Of measurements those
        views count that come without a signal.
    scenario : object, optional
        Says which decision is meant; default that of the frame's table.
    seed : int
        Random seed of the draws, the permutations and the resamples.
    **question
        As for :func:`workbench.explanation.shap_values`, such as ``quantity="rtt_ms"``.
    missing_ok : bool
        Whether a refusal comes back as :class:`workbench.explanation.Unavailable`.

    Raises
    ------
    WorkbenchError
        Where model, frame and scenario do not belong to one decision, the frame carries no card, no view is without a
        signal, or the views are of fewer than 20 users.

    >>> wb.importance(model, split.validation)  # doctest: +SKIP
    """
    applied = apply_model(model, frame, scenario)
    people, card = applied.situations.people, applied.situations.card
    check_users(applied.users, people, card, "importance")
    explanation, users = explain_drawn(applied, VIEWS_EXPLAINED, seed, **question)
    replayed = applied.situations.frame[draw_users(applied.users, REPLAYED_VIEWS, seed)]
    decided = apply_model(applied.policy, replayed, applied.scenario)
    return Importance(
        table=_table(explanation, users, decided, seed),
        question=str(explanation.output_names),
        rows=len(users),
        users=len(np.unique(users)),
        replayed=len(replayed),
        replayed_users=len(np.unique(decided.users)),
        unit=applied.decision.unit,
        people=people,
        card=card,
        removable=tuple(removable(applied.policy.source, card)),
    )


def net_lost(applied: Applied, repeats: int, seed: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Net as it is minus net with one feature permuted, and how often the decision changes, averaged over repeats.

    Features are those that the trees use, as a reader knows them; both arrays have shape (views, features).
    """
    answer = applied.ask()
    as_is = applied.net(answer)
    shuffled = applied.decision.shuffled(applied.policy, applied.situations, applied.scenario, answer)
    net, turned = np.empty((len(as_is), len(shuffled))), np.empty((len(as_is), len(shuffled)))
    for place, shuffle in enumerate(with_bar(list(shuffled.values()), "permuted features")):
        found = shuffle([np.random.default_rng([seed, place, i]) for i in range(repeats)])
        net[:, place] = np.mean([as_is - after for after, _ in found], axis=0)
        turned[:, place] = np.mean([other for _, other in found], axis=0)
    return list(shuffled), net, turned


def _table(explanation: Any, users: np.ndarray, decided: Applied, seed: int) -> pd.DataFrame:
    """Both intervals of each feature, by SHAP; 0 where no tree of the question, or no tree at all, uses it."""
    places, (features, lost, turned) = features_of(explanation), net_lost(decided, REPEATS, seed)
    moved = interval_columns("shap", abs(explanation.values[:, places]), users, seed)
    cost = interval_columns("net", lost, decided.users, seed).assign(turned=turned.mean(axis=0))
    moved.index, cost.index = pd.Index([explanation.feature_names[i] for i in places]), pd.Index(features)
    table = moved.join(cost, how="outer").fillna(0.0).rename_axis("feature").reset_index()
    return table.sort_values(["shap", "net"], ascending=False, ignore_index=True)


def _ranked(result: Importance) -> pd.DataFrame:
    """Features with both ranks from 1, whether net is beyond noise (1, 0, -1), and name and net in words."""
    table, rows = result.table, result.table.to_dict("records")
    by = {f"by_{name}": table[name].rank(ascending=False, method="first").astype(int) for name in ("shap", "net")}
    return table.assign(
        **by,
        sure=[beyond_noise(result.unit, row["net_low"], row["net_high"]) for row in rows],
        title=[short_name(str(row["feature"]), NAME_WIDTH) for row in rows],
        cost=[result.unit.span(net_of(row)) for row in rows],
    )


def _costly(result: Importance) -> pd.DataFrame:
    ranked = _ranked(result)
    return ranked[ranked["sure"] > 0].sort_values("net", ascending=False)


def _moves(result: Importance) -> str:
    strong = _ranked(result)[result.table["shap"] > 0].head(NAMED)
    if strong.empty:
        return "No feature moves the answer."
    each = ", ".join(
        f"{row.title} {row.shap:.2f} ({row.shap_low:.2f} to {row.shap_high:.2f})" for row in strong.itertuples()
    )
    on = count_views(result.rows, result.users, result.people)
    return f"Largest mean |SHAP| for the {result.question}, on {on}: {each}."


def _loses(result: Importance) -> str:
    on = f"Permuted across {count_views(result.replayed, result.replayed_users, result.people)}"
    costly = _costly(result).head(NAMED)
    if costly.empty:
        return f"{on}, no single feature has a detectable effect on net."
    each = ", ".join(costly["title"] + " " + costly["cost"])
    return f"{on}, these features cost net: {each} {result.unit.per_view} (exploratory)."


def _differ(result: Importance) -> list[str]:
    """What it means where a feature is strong in one ranking and weak in the other."""
    ranked = _ranked(result)
    strong = ranked[(ranked["by_shap"] <= NAMED) & (ranked["shap"] >= STRONG_SHARE * ranked["shap"].max())]
    unneeded = strong[(strong["shap"] > 0) & (strong["sure"] == 0)]
    idle, unclear = unneeded[unneeded["turned"] < SELDOM], unneeded[unneeded["turned"] >= SELDOM]
    ahead = ranked[(ranked["by_net"] <= NAMED) & (ranked["sure"] > 0)]
    ahead = ahead[ahead["by_shap"] - ahead["by_net"] >= STEPS_APART].sort_values("by_net")
    cases = {IDLE: idle, UNCLEAR: unclear, AHEAD: ahead, HARMFUL: ranked[ranked["sure"] < 0]}
    said = [
        words.format(features=_places(rows), changed=_turned(rows), tested=len(ranked))
        for words, rows in cases.items()
        if len(rows)
    ]
    return said or ["Both rankings agree."]


def _places(rows: pd.DataFrame) -> str:
    return ", ".join(
        f"{row.title} (rank {row.by_shap} by SHAP, {row.by_net} by net: {row.cost})" for row in rows.itertuples()
    )


def _turned(rows: pd.DataFrame) -> str:
    low, high = (f"{100 * share:.1f}" for share in (rows["turned"].min(), rows["turned"].max()))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _short(result: Importance) -> pd.DataFrame:
    """The first features, each with its intervals."""
    shown = _ranked(result).head(SHOWN)
    sizes = [f"{row.shap:.3f} ({row.shap_low:.3f} to {row.shap_high:.3f})" for row in shown.itertuples()]
    lost = f"net lost when permuted, {result.unit.per_view}"
    return pd.DataFrame({"feature": shown["title"], "mean |SHAP|": sizes, lost: shown["cost"]})
