"""How often to retrain: what an older model, and older rules, lose on the same views beside freshly trained ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from workbench.checked import checked
from workbench.datasets.cards import Card
from workbench.datasets.splits import Split, card_of, people_in, split_by_period
from workbench.decisions import find_decision
from workbench.decisions.decision import Decision, Plan, Unit
from workbench.evidence.bootstrap import cluster_interval
from workbench.explanation.base import as_html, count_views, may_be_missing, net_of
from workbench.progress import with_bar
from workbench.studies.study import settle

PERIODS, WINDOW = 8, 4  # chosen: four origins, the oldest model three periods older than the freshest
MODEL, RULE, LEAD = "model", "best rule", "model minus best rule"
DAY_S = 86_400


@dataclass(frozen=True, repr=False)
class Retraining:
    """What age costs model and best rule, on the same views.

    ``table`` has a row for each of "model", "best rule" (net lost a view beside the one trained just before the views'
    period) and "model minus best rule" (both of one age) and each age: ``policy, age_days, net, net_low, net_high,
    views, users``. ``trained_days`` is how long a time each was trained and tuned on.
    """

    table: pd.DataFrame
    trained_days: float
    margin: float
    unit: Unit
    people: str
    card: Card = field(repr=False)

    def of(self, policy: str) -> pd.DataFrame:
        """The rows of a policy, the youngest first."""
        return self.table[self.table["policy"] == policy]

    @property
    def finding(self) -> str:
        """In one line, how often the model should be trained again."""
        ages = self.of(MODEL)
        costly = ages[(ages["net_low"] > 0) & (ages["net"] >= self.margin)]
        if len(costly):
            return f"Retrain the model before it is {_days(costly['age_days'].iloc[0])} old"
        if (ages["net_high"] < self.margin).all():
            return f"The model need not be retrained within {_days(ages['age_days'].iloc[-1])}"
        return "Not enough data to tell how fast the model ages"

    @property
    def sentences(self) -> tuple[str, ...]:
        """What age costs model and rule at most, whether the model stays ahead, and how that was measured."""
        oldest, rule = (self.of(policy).iloc[-1] for policy in (MODEL, RULE))
        fresh, old = self.of(LEAD).iloc[0], self.of(LEAD).iloc[-1]
        span, unit, age = self.unit.span, self.unit.per_view, _days(oldest["age_days"])
        return (
            f"{age} older, the model loses {span(net_of(oldest))} {unit}, the best rule {span(net_of(rule))}; a loss "
            f"matters from {self.unit.amount(self.margin)}.",
            f"Model minus best rule, both fresh: {span(net_of(fresh))}; both {age} old: {span(net_of(old))}.",
            f"Each was trained and tuned on {_days(self.trained_days)}, and compared on the same "
            f"{count_views(int(oldest['views']), int(oldest['users']), self.people)} at the greatest age. Exploratory.",
        )

    def to_frame(self) -> pd.DataFrame:
        """The table, one row a policy and age."""
        return self.table.set_index(["policy", "age_days"])

    def __repr__(self) -> str:
        return f"{self.finding}. {self.sentences[0]}"

    def _repr_html_(self) -> str:
        return as_html(self.finding, self.sentences)


@may_be_missing
@checked
def retraining(
    views: pd.DataFrame, *, scenario: Any = None, periods: int = PERIODS, window: int = WINDOW, seed: int = 0
) -> Retraining:
    """Measure how model and rules age: train at several moments, test each on all later periods (rolling origin).

    Time is cut into periods of equal length. At each origin, model and rules are trained and tuned on the ``window``
    periods before it, so that an older one differs by its age and not by how much it was trained on (a rolling window:
    Tashman 2000, Out-of-sample tests of forecasting accuracy, International Journal of Forecasting 16). The net that
    age costs is that of the one trained just before a view's period minus that of an older one, in the same views,
    users resampled; the interval covers other users, not other months or other trainings.

    Parameters
    ----------
    views : DataFrame
        Canonical, with its card and times in every row.
    scenario : object, optional
        Says which decision is meant; default that of the frame's table.
    periods, window : int
        How many periods, and how many of these train and tune each model; at least 2.
    seed : int
        Random seed of the halves that calibrate and validate, the model, and the resampling.
    missing_ok : bool
        As for ``wb.importance``.

    Raises
    ------
    WorkbenchError
        Where there are no times, or a period holds too few views to train or to test on.

    >>> wb.retraining(wb.load("eshop2008"))  # doctest: +SKIP
    """
    card = card_of(views)
    decision = find_decision(scenario, card)
    decision.check(views)
    plan = decision.plan(views, decision.scenario(card, scenario), seed)
    splits, places = split_by_period(views, periods, window, seed, mask=plan.mask)
    found = [_nets(decision, split, plan, places, window + i) for i, split in enumerate(with_bar(splits, "retraining"))]
    times = views[card.facts.time]
    days = (times.max() - times.min()).total_seconds() / DAY_S / periods
    return Retraining(
        table=_table(pd.concat(found), days, seed),
        trained_days=window * days,
        margin=decision.smallest_gain(card),
        unit=decision.unit,
        people=people_in(views, splits[0].cluster),
        card=card,
    )


def _nets(decision: Decision, split: Split, plan: Plan, places: pd.DataFrame, origin: int) -> pd.DataFrame:
    """Net of model and best rule in each later view, and how many periods old they are there."""
    stage = settle(decision, split, decision.train(split, plan), None, plan.scenario)
    test = stage.test()
    nets = {name: stage.replay(each, test)["net"] for name, each in ((MODEL, stage.ours), (RULE, stage.best_rule))}
    found = pd.DataFrame({name: net.to_numpy() for name, net in nets.items()}, index=test.frame.index)
    return found.assign(age=places["period"] - origin, user=places["user"])


def _table(nets: pd.DataFrame, days: float, seed: int) -> pd.DataFrame:
    """What age costs, and what the model is ahead by, at each age."""
    fresh, rows = nets[nets["age"] == 0], []
    for age, old in nets.groupby("age"):
        lost = {name: fresh.loc[old.index, name] - old[name] for name in (MODEL, RULE)} if age else {}
        for policy, values in (lost | {LEAD: old[MODEL] - old[RULE]}).items():
            net = cluster_interval(values.to_numpy(), old["user"].to_numpy(), seed=seed)
            rows.append((policy, age * days, net.estimate, net.low, net.high, len(old), net.clusters))
    columns = ["policy", "age_days", "net", "net_low", "net_high", "views", "users"]
    return pd.DataFrame(rows, columns=columns).sort_values(["policy", "age_days"], ignore_index=True)


def _days(days: float) -> str:
    """A length of time as readers say it.

    >>> _days(18.9), _days(1.0), _days(0.25)
    ('19 days', '1 day', '6 hours')
    """
    amount, unit = (days, "day") if days >= 1 else (24 * days, "hour")
    return f"{amount:.0f} {unit}{'' if round(amount) == 1 else 's'}"
