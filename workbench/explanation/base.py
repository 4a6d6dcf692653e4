"""What every explanation starts from and ends with: a policy applied to views, results that are missing, few words."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.checked import ArgumentError
from workbench.datasets.cards import Card
from workbench.datasets.splits import FEWEST_USERS, card_of
from workbench.decisions import find_decision
from workbench.decisions.decision import Decision, Unit
from workbench.decisions.policy import ModelPolicy, Policy, Situations
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval, cluster_intervals


@dataclass(frozen=True)
class Applied:
    """A model's policy applied to views: what it decides in each, and the net of that.

    A model acts at the declared price, the policy of a comparison by its own limit.
    """

    decision: Decision
    policy: ModelPolicy = field(repr=False)
    situations: Situations
    scenario: Any

    @property
    def users(self) -> np.ndarray:
        """Whose each view is: int, shape (rows,)."""
        return self.situations.users

    def ask(self, policy: Policy | None = None) -> Any:
        """A policy's answer; the model's without one."""
        return self.decision.ask(policy or self.policy, self.situations, self.scenario)

    def net(self, answer: Any) -> np.ndarray:
        """Net of each view: float, shape (rows,)."""
        return self.decision.outcomes(answer, self.situations, self.scenario)["net"].to_numpy()


def apply_model(model: Any, frame: pd.DataFrame, scenario: Any = None) -> Applied:
    """Apply a model, or a policy that holds one, to a canonical frame with its card.

    Refused where model, frame and scenario do not belong to one decision, or nothing is left to decide.
    """
    card = card_of(frame)
    decision = find_decision(scenario, card)
    policy = decision.model_policy(model, card)
    scenario = decision.scenario(card, scenario)
    decision.check(frame)
    situations = decision.situations(frame, card, "user_id", policy.source.known_by, scenario)
    return Applied(decision, policy, situations, scenario)


def check_users(users: np.ndarray, people: str, card: Card, what: str) -> None:
    """Refuse views of fewer than 20 users."""
    found = len(np.unique(users))
    if found < FEWEST_USERS:
        raise WorkbenchError(
            f"{card.name}: {what} needs views of at least {FEWEST_USERS} {people}; got {len(users):,} views of "
            f"{found}. Take a larger part, such as split.validation, or load more rows."
        )


def draw_users(users: np.ndarray, rows: int, seed: int) -> np.ndarray:
    """Views of whole users, drawn by seed: about so many, and at least 20 users (bool, shape (rows,))."""
    _, codes = np.unique(users, return_inverse=True)
    place = np.random.default_rng(seed).permutation(codes.max() + 1)[codes]
    total = np.cumsum(np.bincount(place))
    return place < max(FEWEST_USERS, int(np.searchsorted(total, rows, side="right")))


@dataclass(frozen=True)
class Unavailable:
    """Stands where a result would, when data are too few for one; false, where a result is true."""

    reason: str

    @property
    def finding(self) -> str:
        """What a heading says."""
        return "Not enough data to tell"

    @property
    def sentences(self) -> tuple[str, ...]:
        """The reason."""
        return (self.reason,)

    def __bool__(self) -> bool:
        return False

    def _repr_html_(self) -> str:
        return as_html(self.finding, self.sentences)


def may_be_missing[**P, Result](explain: Callable[P, Result]) -> Callable[..., Result]:
    """Let an explanation take ``missing_ok=True``: what it refuses then comes back as :class:`Unavailable`.

    >>> @may_be_missing
    ... def count(rows):
    ...     raise WorkbenchError("expected more rows.")
    >>> bool(count(3, missing_ok=True)), count(3, missing_ok=True).sentences
    (False, ('expected more rows.',))
    """

    @functools.wraps(explain)
    def explained(*args: Any, missing_ok: bool = False, **keywords: Any) -> Any:
        try:
            return explain(*args, **keywords)
        except WorkbenchError as err:
            if not missing_ok or isinstance(err, ArgumentError):
                raise
            return Unavailable(str(err))

    return explained


def as_html(finding: str, sentences: Sequence[str], table: pd.DataFrame | None = None) -> str:
    """A finding, sentences and a table."""
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
    shown = "" if table is None else table.to_html(index=False, border=0, escape=True)
    return f"<h2>{html.escape(finding)}</h2>{shown}{f'<ul>{items}</ul>' if items else ''}"


def interval_columns(name: str, values: np.ndarray, users: np.ndarray, seed: int) -> pd.DataFrame:
    """Mean of each column with its 95 % interval, users resampled: columns ``name, name_low, name_high``."""
    found = cluster_intervals(values, users, seed=seed) if values.shape[1] else []
    rows = [(interval.estimate, interval.low, interval.high) for interval in found]
    return pd.DataFrame(rows, columns=[name, f"{name}_low", f"{name}_high"], dtype=float)


def beyond_noise(unit: Unit, low: float, high: float) -> int:
    """1 where an interval lies above zero, -1 where below, 0 where it holds zero, in the decimals that are shown.

    >>> beyond_noise(Unit("points", "points a view", 1.0, 1), 0.2, 0.4)
    1
    """
    shown_low, shown_high = round(unit.factor * low, unit.digits), round(unit.factor * high, unit.digits)
    return 1 if shown_low > 0 else -1 if shown_high < 0 else 0


def net_of(row: Any) -> Interval:
    """The interval in the columns ``net, net_low, net_high`` of a row."""
    return Interval(row["net"], row["net_low"], row["net_high"], 0)


def percent(share: float) -> str:
    """A share as a reader says it.

    >>> percent(0.814), percent(0.004), percent(0.0)
    ('81 %', '0.4 %', '0 %')
    """
    return f"{100 * share:.1f} %" if 0 < share < 0.095 else f"{100 * share:.0f} %"


def count_views(views: int, users: int, people: str) -> str:
    """``3,000 views of 200 users``."""
    return f"{views:,} views" + ("" if people == "views" else f" of {users:,} {people}")
