"""The importance of features in words and in a short table."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pandas as pd

from workbench.evidence.bootstrap import Interval
from workbench.studies.comparison import Unit
from workbench.studies.wording import short_name

if TYPE_CHECKING:
    from workbench.explanation.feature_importance import Importance

NAMED, SHOWN, HEADED = 5, 12, 3
NAME_WIDTH = 40  # characters
STRONG_SHARE = 0.1  # of the strongest feature's SHAP: a weaker one is not expected to cost anything
SELDOM = 0.05  # of the views: a feature without which fewer decisions turn is called idle
STEPS_APART = 2  # places by which the two orders differ before a word is lost on it
SHARED = (
    "Features that say the same share their credit, and one stands in for another that is permuted: see "
    "wb.redundancy(split, model) before one of them is called useless."
)


def to_finding(result: Importance) -> str:
    """In one line, what decisions cannot do without."""
    missed = result.missed
    if not missed:
        return "No feature is missed beyond noise: permuted, none costs net"
    first, *more = [_name(feature) for feature in missed[:HEADED]]
    named = f"{', '.join([first, *more[:-1]])} and {more[-1]}" if more else first
    return (
        f"Decisions need {named} most" if len(missed) > 1 else f"Decisions need {named}, and nothing else beyond noise"
    )


def to_missed(result: Importance) -> tuple[str, ...]:
    """Features that cost net beyond noise, costliest first."""
    return tuple(_costly(_ranked(result))["feature"])


def to_sentences(result: Importance) -> list[str]:
    """The finding: who moves the answer, how sure that is, what decisions lose, where the two orders differ."""
    ranked = _ranked(result)
    return [
        each
        for each in (_moves(result, ranked), _sure(result), _loses(result, ranked), *_differ(result, ranked))
        if each
    ]


def to_text(result: Importance) -> str:
    """A short table and the sentences."""
    return "\n".join([_short(result).to_string(index=False), "", *result.sentences])


def to_html(result: Importance) -> str:
    """The same as HTML."""
    table = _short(result).to_html(index=False, border=0, escape=True)
    return f"{table}<ul>{''.join(f'<li>{html.escape(each)}</li>' for each in result.sentences)}</ul>"


def beyond_noise(unit: Unit, low: float, high: float) -> int:
    """1 where an interval lies above zero, -1 where below, 0 where it holds zero, in the decimals that are told.

    Examples
    --------
    >>> beyond_noise(Unit("points", "points a view", 1.0, 1), 0.2, 0.4)
    1
    >>> beyond_noise(Unit("points", "points a view", 1.0, 1), 0.02, 0.4)
    0
    """
    told_low, told_high = round(unit.factor * low, unit.digits), round(unit.factor * high, unit.digits)
    return 1 if told_low > 0 else -1 if told_high < 0 else 0


def _short(result: Importance) -> pd.DataFrame:
    """The first features, each with its intervals."""
    table = result.table.head(SHOWN)
    return pd.DataFrame(
        {
            "feature": [_name(feature) for feature in table["feature"]],
            "mean |SHAP|": [
                f"{row.shap:.3f} ({row.shap_low:.3f} to {row.shap_high:.3f})" for row in table.itertuples()
            ],
            f"lost when permuted, {result.unit.per_view}": [
                "cannot be permuted" if pd.isna(row.net) else _cost(result, row._asdict()) for row in table.itertuples()
            ],
        }
    )


def _ranked(result: Importance) -> pd.DataFrame:
    """Features that can be permuted, with their places in both orders from 1, and whether their net is sure."""
    table = result.table[result.table["net"].notna()]
    by = {f"by_{name}": table[name].rank(ascending=False, method="first").astype(int) for name in ("shap", "net")}
    sure = [beyond_noise(result.unit, row.net_low, row.net_high) for row in table.itertuples()]
    return table.assign(**by, sure=sure)


def _costly(ranked: pd.DataFrame) -> pd.DataFrame:
    return ranked[ranked["sure"] > 0].sort_values("net", ascending=False)


def _moves(result: Importance, ranked: pd.DataFrame) -> str:
    strong = _strong(ranked)
    if strong.empty:
        return "No feature moves the answer."
    each = [
        f"{_name(row.feature)} {row.shap:.2f} ({row.shap_low:.2f} to {row.shap_high:.2f})"
        for row in strong.itertuples()
    ]
    return f"What moves the {result.question} most, up or down, in the mean over views: {', '.join(each)}."


def ordered(result: Importance) -> int:
    """How many features the order is about: those that move the answer, five at most."""
    return len(_strong(_ranked(result)))


def _strong(ranked: pd.DataFrame) -> pd.DataFrame:
    return ranked[ranked["shap"] > 0].head(NAMED)


def _sure(result: Importance) -> str:
    on = _on(result, result.rows, result.users)
    order = f"The order of the first {ordered(result)} is"
    if ordered(result) < 2:
        return f"This rests on {on}."
    if result.settled:
        looks = f" (at look {result.looks}; each look is one more chance to be wrong)" if result.looks > 1 else ""
        return f"{order} settled: on {on} each of them is ahead of the next in at least 95 % of the resamples{looks}."
    pairs = "; nor ".join(f"{_name(one)} and {_name(other)}" for one, other in result.open_pairs)
    seen = f"the {on} looked at ({result.left_out:,} more were not)" if result.left_out else f"all {on}"
    return f"{order} not settled: on {seen}, {pairs} cannot be told apart."


def _on(result: Importance, views: int, people: int) -> str:
    return f"{views:,} views" + ("" if result.people == "views" else f" of {people:,} {result.people}")


def _loses(result: Importance, ranked: pd.DataFrame) -> str:
    on = f"Permuted among {_on(result, result.replayed, result.replayed_users)}"
    costly = _costly(ranked).head(NAMED)
    if costly.empty:
        return f"{on}, no feature costs net beyond noise."
    each = ", ".join(f"{_name(row['feature'])} {_cost(result, row)}" for row in costly.to_dict("records"))
    return f"{on}, these cost net: {each} {result.unit.per_view} (exploratory)."


def _differ(result: Importance, ranked: pd.DataFrame) -> list[str]:
    """What it means where a feature is strong in one order and weak in the other."""
    strong = (ranked["by_shap"] <= NAMED) & (ranked["shap"] >= STRONG_SHARE * ranked["shap"].max())
    unmissed = ranked[strong & (ranked["shap"] > 0) & (ranked["sure"] == 0)]
    idle, unclear = unmissed[unmissed["turned"] < SELDOM], unmissed[unmissed["turned"] >= SELDOM]
    ahead = ranked[(ranked["by_net"] <= NAMED) & (ranked["sure"] > 0)]
    ahead = ahead[ahead["by_shap"] - ahead["by_net"] >= STEPS_APART].sort_values("by_net")
    harmful = ranked[ranked["sure"] < 0]
    said = []
    if len(idle):
        said.append(
            f"{_listed(result, idle)}: strong by SHAP, no net beyond noise. Such a feature moves the chance, but "
            f"seldom past the point where the decision turns: permuted, it turns {_turned(idle)} of the decisions."
        )
    if len(unclear):
        said.append(
            f"{_listed(result, unclear)}: strong by SHAP, no net beyond noise, though {_turned(unclear)} of the "
            "decisions turn with it permuted. Whether they are worth less then is not shown either way."
        )
    if len(ahead):
        said.append(
            f"{_listed(result, ahead)}: further ahead in net than by SHAP. Such a feature moves the chance less, but "
            "where the decision turns or where much is at stake."
        )
    if len(harmful):
        said.append(
            f"{_listed(result, harmful)}: decisions were worth more with it permuted. On these views the model takes "
            "it for more than it says, or this is chance: about 1 interval in 20 misses, and here are "
            f"{len(ranked)}."
        )
    if not said:
        said.append(
            "The two orders agree: what is strong by SHAP costs net, and what costs net is not far behind by SHAP."
        )
    return [*said, SHARED]


def _listed(result: Importance, rows: pd.DataFrame) -> str:
    return ", ".join(
        f"{_name(row['feature'])} (place {row['by_shap']} by SHAP, {row['by_net']} by net: {_cost(result, row)})"
        for row in rows.to_dict("records")
    )


def _turned(rows: pd.DataFrame) -> str:
    """Shares of decisions that turn, percent: the smallest and the largest."""
    low, high = (f"{100 * share:.1f}" for share in (rows["turned"].min(), rows["turned"].max()))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _cost(result: Importance, row: dict[str, float]) -> str:
    return result.unit.span(Interval(row["net"], row["net_low"], row["net_high"], result.replayed_users))


def _name(feature: str) -> str:
    return short_name(str(feature), NAME_WIDTH)
