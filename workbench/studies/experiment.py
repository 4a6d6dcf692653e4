"""An A/B test's log read back: the verdict, whether the offline estimate held, and what another policy would earn."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from workbench.checked import checked
from workbench.datasets.account import sentences
from workbench.datasets.cards import Card
from workbench.datasets.columns import listed, showable
from workbench.datasets.loading import load
from workbench.datasets.schema import known_context
from workbench.datasets.splits import card_of
from workbench.decisions import find_decision
from workbench.decisions.decision import Decision, Finding
from workbench.decisions.policy import Situations, as_rule
from workbench.errors import WorkbenchError, check_above_0, check_seed, not_one_of
from workbench.evidence.bootstrap import LEVEL, Interval, cluster_interval
from workbench.evidence.experiment import (
    FEWEST_USERS,
    MISMATCH,
    Effect,
    compare_estimate,
    count_effective,
    measure_effect,
    sample_ratio,
)
from workbench.evidence.off_policy import OffPolicy, expected_rewards, off_policy_value
from workbench.evidence.verdict import (
    BETTER,
    EQUIVALENT,
    TOO_FEW,
    TOO_LITTLE,
    WORSE,
    Differing,
    judge_difference,
    users_to_settle,
)
from workbench.manifest import EXPORT
from workbench.studies import report

type Log = str | os.PathLike[str] | pd.DataFrame
NET, USER, PROPENSITY = "net", "user_id", "propensity"
MOST_ARMS = 20
COUNT = " views"  # after the name of an outcome: in how many views it is known
ESTIMATES = "estimates.json"  # in an exported folder
NO_VERDICT = "no verdict"
ONE_LOOK = "Intervals hold for one look, at the end that was planned."


@dataclass(frozen=True)
class Arm:
    """An arm against control: ``effects`` by column of outcomes, ``net`` first, and the word for the net.

    ``estimate`` is what was to be expected of net, ``gap`` what was measured in the same kind of views minus that, and
    ``held`` the word for it; None and empty where an arm has under 100 users with such views.
    """

    name: str
    effects: Mapping[str, Effect]
    word: str
    users_to_settle: int | None
    estimate: Interval | None = None
    gap: Interval | None = None
    held: str = ""


@dataclass(frozen=True, repr=False)
class Experiment:
    """An A/B test read back.

    ``users`` and ``planned`` go by arm; ``p_value`` is that of the sample ratio, and where it is under 0.001 there are
    no ``arms``: no verdict. Nor are there where views were measured otherwise in one arm, which ``unlike`` then says.
    ``left_out`` are sentences about views that do not count; ``comparable`` is the
    share of views like those of the estimate (of images, without a signal).
    """

    decision: Decision
    card: Card = field(repr=False)
    control: str
    users: Mapping[str, int]
    planned: Mapping[str, float]
    views: int
    p_value: float
    margin: float
    arms: tuple[Arm, ...]
    basis: str
    left_out: tuple[str, ...]
    comparable: float = 1.0
    unlike: str = ""

    @property
    def verdict(self) -> str:
        """The word for each arm, or that there is none."""
        return " / ".join(arm.word for arm in self.arms) or NO_VERDICT

    def to_frame(self) -> pd.DataFrame:
        """One row an arm and effect: mean of control, difference and its interval, variance saved; means a view."""
        rows = [
            {"arm": arm.name, "effect": name, "control": each.control}
            | {key: value for key, value in asdict(each.difference).items() if key != "clusters"}
            | {"variance_saved": each.variance_saved}
            for arm in self.arms
            for name, each in arm.effects.items()
        ]
        columns = ["control", "estimate", "low", "high", "variance_saved"]
        return pd.DataFrame(rows, columns=["arm", "effect", *columns]).set_index(["arm", "effect"])

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` prints: plain dictionaries, lists and numbers."""
        plain = ("control", "users", "planned", "views", "margin", "comparable")
        return {
            "dataset": self.card.name,
            "decision": self.decision.name,
            "simulated": self.card.simulated,
            **{name: getattr(self, name) for name in plain},
            "sample_ratio": {"p_value": self.p_value, "mismatch": self.p_value < MISMATCH},
            "unlike": self.unlike,
            "verdict": self.verdict,
            "arms": [asdict(arm) for arm in self.arms],
            "basis": self.basis,
            "left_out": list(self.left_out),
        }

    def __repr__(self) -> str:
        return f"<Experiment on {self.card.name}: {self.verdict.upper()}>"

    def __str__(self) -> str:
        table = report.align(self._table()) if self.arms else []
        return "\n".join([*report.text_box(self._screen(), self.verdict), *table])

    def _repr_html_(self) -> str:
        tones = [arm.word if arm.word in report.COLOURS else "inconclusive" for arm in self.arms]
        tone = tones[0] if len(tones) == 1 else "inconclusive" if tones else "worse"
        return report.html_box(self._screen(), self.verdict, tone, self._table(), simulated=self.card.simulated)

    def _screen(self) -> dict[str, str]:
        source = "SIMULATED" if self.card.simulated else "REAL"
        size = f"{self.views:,} views of {sum(self.users.values()):,} users"
        return {
            "title": f"{self.decision.title}, A/B TEST - {self.card.name} - {source} data, {size}",
            "PROPOSED": " ".join(self._advice(arm) for arm in self.arms) or self.unlike or self._mismatch(),
            **({"GAIN": " ".join(map(self._gain, self.arms)), "OFFLINE": self._offline()} if self.arms else {}),
            "USERS": self._ratio(),
            "RESTS ON": " ".join([self._history(), self.basis, ONE_LOOK, *self.left_out]).strip(),
        }

    def _advice(self, arm: Arm) -> str:
        name, control = (f'"{_short(each)}"' for each in (arm.name, self.control))
        if arm.word == TOO_FEW:
            return f"Keep {control} for now: a few users have so many of the views that no interval can be trusted."
        words = {WORSE: "it does worse", EQUIVALENT: "it does as well, not better", TOO_LITTLE: "it gains too little"}
        if arm.word == BETTER:
            return f"Ship {name} in place of {control}."
        if arm.word in words:
            return f"Keep {control}, not {name}: {words[arm.word]}."
        enough = (
            f" with about {arm.users_to_settle:,} users in both arms, which would settle it"
            if arm.users_to_settle
            else ""
        )
        return f"Keep {control} for now. Plan a new test of {name}{enough}: a longer look at this one finds chance."

    def _mismatch(self) -> str:
        return (
            f"Trust no difference between these arms: so uneven a split comes by chance in {self.p_value:.1g} of tests "
            f"(under {MISMATCH:g}). Look for views lost in one arm, redirects, bots, and changes of the assignment."
        )

    def _gain(self, arm: Arm) -> str:
        unit, net = self.decision.unit, arm.effects[NET].difference
        name, control = (_short(each) for each in (arm.name, self.control))
        matters = f"smallest gain that matters: {unit.factor * self.margin:g}"
        return f"{name} minus {control}: {unit.span(net)} {unit.per_view}; {matters}."

    def _offline(self) -> str:
        unit, share = self.decision.unit, self.comparable
        where = f" in the {100 * share:.0f} % of views like its own" if share < 1 else ""
        few = f"too few users to tell whether it held: each arm needs {FEWEST_USERS}{where}."
        said = [
            f"Estimated for {_short(arm.name)}: {unit.span(arm.estimate)} {unit.name}; "
            + (f"measured{where} minus estimated {unit.span(arm.gap)}: the estimate {arm.held}." if arm.gap else few)
            for arm in self.arms
            if arm.estimate
        ]
        return " ".join(said) or "No offline estimate was given to compare with (policy=)."

    def _ratio(self) -> str:
        total = sum(self.planned.values())
        shares = {name: f"planned {100 * share / total:.3g} %" for name, share in self.planned.items()}
        arms = [f"{users:,} in {_short(name)} ({shares[name]})" for name, users in self.users.items()]
        fits = "SAMPLE RATIO MISMATCH" if self.p_value < MISMATCH else "no sign of a fault"
        return f"{listed(arms)}; sample ratio p = {self.p_value:.2g}: {fits}."

    def _history(self) -> str:
        saved = [arm.effects[NET].variance_saved for arm in self.arms]
        if not saved or saved[0] is None:
            return ""
        return f"Earlier views of the same users take {100 * saved[0]:.0f} % off the variance (CUPED)."

    def _table(self) -> pd.DataFrame:
        """One row an effect; cells are text."""
        unit = self.decision.unit
        shown = [(NET, f"net ({unit.per_view})", unit.factor, unit.digits)]
        there = [axis for axis in self.decision.effects if all(axis.column in arm.effects for arm in self.arms)]
        shown += [(axis.column, axis.label, axis.factor, axis.digits) for axis in there]
        table = pd.DataFrame(index=pd.Index([label for _, label, _, _ in shown], name="a view"))
        for arm in self.arms:
            name, control = (_short(each) for each in (arm.name, self.control))
            every = [(arm.effects[column], factor, digits) for column, _, factor, digits in shown]
            table[control] = [f"{factor * each.control:,.{digits}f}" for each, factor, digits in every]
            table[f"{name} minus {control}"] = [
                "{:+,.{d}f} ({:+,.{d}f} to {:+,.{d}f})".format(*(factor * bound for bound in bounds), d=digits)
                for each, factor, digits in every
                for *bounds, _ in [astuple(each.difference)]
            ]
        return table


def _short(name: str) -> str:
    return report.short_name(name, report.LEVEL_WIDTH)


@checked
def experiment(
    log: Log,
    policy: Finding | str | os.PathLike[str] | None = None,
    *,
    by: str = "arm",
    control: str = "control",
    planned: Mapping[str, float] | None = None,
    ran: Mapping[str, str] | None = None,
    start: Any = None,
    before: Log | None = None,
    scenario: Any = None,
    margin: float | None = None,
) -> Experiment:
    """Read an A/B test back: sample ratio first, then each arm against control, then whether the estimate held.

    Parameters
    ----------
    log : str, path or DataFrame
        One row a view, as ``load``, ``measurements`` or ``navigations`` give it, with ``user_id``, the arm, and what
        was sent: ``rendition_served`` (images), or ``prefetched``, a JSON list of pages (prefetching). Where an image
        log has ``lcp_ms`` and ``page_bytes``, waiting and data are as measured.
    policy : Comparison or path, optional
        What had been estimated: a comparison, the file that ``workbench compare --json`` printed, or an exported
        folder.
    by : str
        The column of arms, one for all views of a user.
    control : str
        The arm that others are compared with.
    planned : mapping, optional
        Arm to its planned share of users; default: equal shares.
    ran : mapping, optional
        Arm to the name in the comparison of the policy that ran in it; default: its own name. Of an exported folder,
        "treatment" is the exported policy and "control" today's.
    start : time, optional
        Views before it are history.
    before : str, path or DataFrame, optional
        Further views from before the test, with what was sent then. History sharpens the intervals (CUPED).
    scenario : object, optional
        What was in force; default that of the log's table.
    margin : float, optional
        Smallest difference in net that matters; default the card's, else the decision's.

    Returns
    -------
    Experiment
        All views count, those that show a signal too; the estimate is compared on views like its own. With several
        arms, intervals are wider, so that all hold together in 95 % of tests (Bonferroni).

    Raises
    ------
    WorkbenchError
        Where columns or arms are missing, users are in two arms, an arm has under 100 users, or net never varies.

    >>> wb.experiment("our_test.toml", result, ran={"control": "today", "treatment": "model"})  # doctest: +SKIP
    """
    views = _loaded(log)
    card = card_of(views)
    decision = find_decision(scenario, card)
    scenario, margin = decision.scenario(card, scenario), decision.smallest_gain(card, margin)
    control = str(control)
    _check_columns(views, card, {by: "the arm", USER: "who was drawn", decision.served: "what was sent"})
    views, past, gone = _divide(views, card, start)
    past += [] if before is None else [_earlier(_loaded(before), views, card)]
    test, outcomes, left_out = _measured(decision, views, card, scenario, needs=(by, USER))
    arms = test.frame[by].astype(str)
    by_user = _add_up(outcomes, test.frame[USER], arms)
    users = _count_arms(by_user["arm"], arms.groupby(test.frame[USER]).nunique(), control, by)
    found: dict[str, Any] = {"decision": decision, "card": card, "control": control, "users": users}
    found["planned"] = _check_planned(planned, users)
    found |= {"views": len(test), "margin": margin, "basis": decision.basis(test.frame)}
    found |= {"left_out": (*gone, *left_out, *sentences(views.attrs))}
    found["p_value"] = sample_ratio(list(users.values()), list(found["planned"].values()))
    if found["p_value"] < MISMATCH:
        return Experiment(arms=(), **found)
    _check_enough(users)
    if unlike := _measured_otherwise(decision, views, by, control):
        return Experiment(arms=(), unlike=unlike, **found)
    history = pd.concat([_history(decision, each, scenario) for each in past]).groupby(level=0).sum() if past else None
    comparable = by_user
    if policy is not None:
        known_by, between = offline_estimates(policy, decision)
        inside = decision.compared(known_context(test.frame, known_by, card.context))
        found["comparable"] = float(inside.mean())
        comparable = _add_up(outcomes[inside], test.frame[USER][inside], arms[inside])
    columns = [NET, *(axis.column for axis in decision.effects if _is_told(by_user, axis.column, users))]
    errors = float(norm.ppf(1 - (1 - LEVEL) / 2 / (len(users) - 1)))
    results = []
    for name in (each for each in users if each != control):
        _check_before(by_user, history, columns, name, control)
        effects = {each: _effect(by_user, each, name, control, history, errors) for each in columns}
        net = effects[NET].difference
        weighing = min(count_effective(by_user.loc[by_user["arm"] == arm, NET + COUNT]) for arm in (name, control))
        differing = Differing(int(weighing), net.clusters, decision.largest_difference(scenario))
        about: dict[str, Any] = {}
        if policy is not None:
            pair = [(ran or {}).get(each, each) for each in (name, control)]
            about["estimate"] = between(*pair)
            if _is_told(comparable, NET, (name, control)):
                same = _effect(comparable, NET, name, control, history, errors).difference
                about["gap"], about["held"] = compare_estimate(same, about["estimate"], margin)
        word, needed = judge_difference(net, margin, differing), users_to_settle(net, margin, differing)
        results.append(Arm(name, effects, word, needed, **about))
    if all(not arm.effects[NET].difference.half_width and not arm.effects[NET].difference.estimate for arm in results):
        raise WorkbenchError("net is the same in every view of every arm: nothing can be told.")
    return Experiment(arms=tuple(results), **found)


def offline_estimates(
    policy: Finding | str | os.PathLike[str], decision: Decision
) -> tuple[str, Callable[[str, str], Interval]]:
    """What a comparison, or one that was saved, estimates: when its context was known, and the net of one policy minus
    that of another, a view, by their names.

    A saved comparison holds the difference of every policy to the best rule alone, an export that to the exported
    policy, where "treatment" is that policy and "control" today's; a WorkbenchError for other pairs.
    """
    if isinstance(policy, Finding):
        return policy.known_by, lambda treated, control: _replayed(policy, treated, control)
    path = Path(policy)
    if path.is_dir():
        EXPORT.read(path)
        path = path / ESTIMATES
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        names = {name: str(saved[name]) for name in ("best_rule", "today")}
        known_by, base = str(saved["known_by"]), str(saved.get("policy", names["best_rule"]))
        if "policy" in saved:
            names |= {"treatment": base, "control": names["today"]}
        every = saved["others_vs_policy" if "policy" in saved else "policies_vs_best_rule"].items()
        against = {name: _as_interval(each["difference"], *each["interval"]) for name, each in every}
        about = str(saved["decision"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise WorkbenchError(
            f"{path.name} gives no estimates: expected an exported folder, or a file of what workbench compare --json "
            "prints. Or pass the comparison itself."
        ) from err

    if find_decision(name=about) is not decision:
        raise WorkbenchError(
            f"{path.name} estimates policies of the decision {about}; this log is one of {decision.name}."
        )

    def between(treated: str, control: str) -> Interval:
        ours, theirs = (names.get(name, name) for name in (treated, control))
        if theirs == base and ours in against:
            return against[ours]
        if ours == base and theirs in against:
            return Interval(-against[theirs].estimate, -against[theirs].high, -against[theirs].low, 0)
        raise WorkbenchError(
            f"{path.name} holds no interval for {treated!r} minus {control!r}: one must be {base!r}, the other "
            "another policy of the comparison. Say with ran= which policy ran in an arm."
        )

    return known_by, between


def _as_interval(estimate: float, low: float, high: float) -> Interval:
    found = Interval(float(estimate), float(low), float(high), 0)
    if not -np.inf < found.low <= found.estimate <= found.high < np.inf:
        raise ValueError("no interval")
    return found


def _replayed(result: Finding, treated: str, control: str) -> Interval:
    split, ours, theirs = result.split, result.of(treated).outcomes, result.of(control).outcomes
    if ours is None or theirs is None:
        raise WorkbenchError(f"no estimate for {treated!r} minus {control!r}: one of them could not be replayed.")
    test = result.decision.situations(split.test, split.card, split.cluster, result.known_by, result.scenario)
    return cluster_interval((ours[NET] - theirs[NET]).to_numpy(), test.users, seed=split.seed)


def _loaded(log: Log) -> pd.DataFrame:
    if isinstance(log, pd.DataFrame):
        return log.reset_index(drop=True)
    if not isinstance(log, (str, os.PathLike)):
        raise WorkbenchError(f"expected a log: a card, a path or a DataFrame; got {type(log).__name__}.")
    return load(log)


def _check_columns(views: pd.DataFrame, card: Card, purposes: Mapping[str, str]) -> None:
    for column, purpose in purposes.items():
        if column not in views or views[column].isna().all():
            raise WorkbenchError(
                f"{card.name}: expected a column {column} ({purpose}) in the log; it is not there or empty. Name yours "
                f"with columns = {{ yours = {column!r} }}."
            )


def _without_repeats(views: pd.DataFrame, card: Card) -> tuple[pd.DataFrame, list[str]]:
    """Views that came once, and a sentence about repeats: the same in all that it says, its time included."""
    if card.facts.time not in views:
        return views, []
    again = views.duplicated().to_numpy()
    if "view_id" in views and views.loc[~again, "view_id"].duplicated().any():
        raise WorkbenchError(
            f"{card.name}: view_id must be another in each view. Load the logs with one card, as one table."
        )
    return views[~again], _left_out(again.sum(), len(views), "that came more than once")


def _earlier(past: pd.DataFrame, views: pd.DataFrame, card: Card) -> pd.DataFrame:
    """The views of before=; refused where they are of another kind, or from after the test began."""
    other, time = card_of(past), card.facts.time
    if other.kind != card.kind:
        raise WorkbenchError(f"before= must hold {card.kind} as the log does; {other.name} holds {other.kind}.")
    if time in past and time in views and past[time].max() >= views[time].min():
        raise WorkbenchError(
            "before= must hold views from before the test; some are later than its first view, of "
            f"{views[time].min():%Y-%m-%d %H:%M}. Take these out."
        )
    return past


def _measured_otherwise(decision: Decision, views: pd.DataFrame, by: str, control: str) -> str:
    """A sentence where one arm lacks measurements more often than control (p under 0.001, users as wholes); else ""."""
    views = views[views[[by, USER]].notna().all(axis=1).to_numpy() & decision.logged(views)]
    arms, told = views[by].astype(str), pd.DataFrame(decision.measurements(views), index=views.index)
    by_user = _add_up(told, views[USER], arms)
    others = [arm for arm in by_user["arm"].unique() if arm != control]
    errors = float(norm.ppf(1 - MISMATCH / 2 / len(others) / len(told.columns)))
    for arm in others:
        for what in told:
            share = _effect(by_user, what, arm, control, None, errors)
            if share.difference.low > 0 or share.difference.high < 0:
                has, other = (
                    f"{100 * each:.1f} %" for each in (share.control + share.difference.estimate, share.control)
                )
                return (
                    f"Trust no difference between these arms: {what} is in {has} of the views of {_short(arm)!r}, "
                    f"in {other} of {_short(control)!r} (p under {MISMATCH:g}). Measure both arms alike."
                )
    return ""


def _divide(views: pd.DataFrame, card: Card, start: Any) -> tuple[pd.DataFrame, list[pd.DataFrame], list[str]]:
    """Views of the test, those from before its start, and sentences about repeats and views without a time."""
    views, gone = _without_repeats(views, card)
    if start is None:
        return views, [], gone
    _check_columns(views, card, {card.facts.time: "to tell what came before the test"})
    try:
        moment = pd.NaT if isinstance(start, (int, float)) else pd.Timestamp(start)
    except (ValueError, TypeError):
        moment = pd.NaT
    if moment is pd.NaT:
        raise WorkbenchError(f"start must be a time, as in 2026-01-31T18:00Z; got {start!r}.")
    times, moment = views[card.facts.time], moment.tz_localize("UTC") if moment.tz is None else moment
    later, earlier = views[times.ge(moment)], views[times.lt(moment)]
    if later.empty:
        raise WorkbenchError(f"{card.name}: no view is from {start} or later. Give the true start of the test.")
    return later, [earlier], [*gone, *_left_out(times.isna().sum(), len(views), "without a time")]


def _measured(
    decision: Decision, views: pd.DataFrame, card: Card, scenario: Any, needs: Sequence[str]
) -> tuple[Situations, pd.DataFrame, list[str]]:
    """The views that count and what came of them, and sentences about the others."""
    known = views[list(needs)].notna().all(axis=1).to_numpy()
    sent = decision.logged(views)
    if not (known & sent).any():
        raise WorkbenchError(f"{card.name}: no view says both {listed(needs)} and {decision.served}.")
    test = decision.every_view(views[known & sent & decision.judged(views)], card, USER, card.known_by, scenario)
    gone = {
        f"without {' or '.join(needs)}": (~known).sum(),
        f"without {decision.served}": (known & ~sent).sum(),
        "without a full measurement": (known & sent).sum() - len(test),
    }
    left_out = [sentence for why, count in gone.items() for sentence in _left_out(count, len(views), why)]
    return test, decision.measured(test, scenario), left_out


def _left_out(count: int, of: int, why: str) -> list[str]:
    return [f"Left out: {count:,} of {of:,} views {why}."] if count else []


def _history(decision: Decision, past: pd.DataFrame, scenario: Any) -> pd.DataFrame:
    """Sums by user over views from before the test; none where they do not say what was sent."""
    if not len(past) or not {USER, decision.served} <= set(past.columns) or not past[USER].notna().any():
        return pd.DataFrame()
    if not (decision.logged(past) & past[USER].notna()).any():
        return pd.DataFrame()
    test, outcomes, _ = _measured(decision, past, card_of(past), scenario, needs=(USER,))
    return _add_up(outcomes, test.frame[USER])


def _add_up(outcomes: pd.DataFrame, users: pd.Series, arms: pd.Series | None = None) -> pd.DataFrame:
    """Sums by user of every outcome, of how many views have it (``COUNT``), and ``arm`` where there are arms."""
    numbers = outcomes.select_dtypes(["number", "bool"]).astype(float).groupby(users)
    sums = numbers.sum().join(numbers.count().astype(float).add_suffix(COUNT))
    return sums if arms is None else sums.assign(arm=arms.groupby(users).first())


def _is_told(by_user: pd.DataFrame, column: str, arms: Iterable[str]) -> bool:
    """Whether enough users of each arm have an outcome."""
    if column not in by_user:
        return False
    having = by_user.loc[by_user[column + COUNT].gt(0), "arm"].value_counts()
    return all(having.get(arm, 0) >= FEWEST_USERS for arm in arms)


def _effect(  # noqa: PLR0917 - two arms and their history
    by_user: pd.DataFrame, column: str, name: str, control: str, history: pd.DataFrame | None, errors: float
) -> Effect:
    counted = [column, column + COUNT]
    both = by_user[by_user["arm"].isin([name, control]) & by_user[column + COUNT].gt(0)]
    earlier = None
    if history is not None and {*counted} <= {*history}:
        past = history.reindex(both.index)[counted].fillna(0.0).to_numpy()
        earlier = past[:, 0], past[:, 1]
    (totals, views), treated = both[counted].to_numpy().T, both["arm"].eq(name).to_numpy()
    return measure_effect(totals, views, treated, earlier, errors=errors)


def _check_before(
    by_user: pd.DataFrame, history: pd.DataFrame | None, columns: Sequence[str], name: str, control: str
) -> None:
    """Refuse arms that differed before the test began, which is when nothing can have told them apart."""
    if history is None or not len(history):
        return
    earlier = history.join(by_user["arm"], how="inner")
    if earlier["arm"].isin([name, control]).sum() < FEWEST_USERS or not {name, control} <= set(earlier["arm"]):
        return
    columns = [column for column in columns if _is_told(earlier, column, (name, control))]
    errors = float(norm.ppf(1 - MISMATCH / 2 / max(len(columns), 1)))
    found = {column: _effect(earlier, column, name, control, None, errors).difference for column in columns}
    apart = [column for column, each in found.items() if each.low > 0 or each.high < 0]
    if apart:
        raise WorkbenchError(
            f"{name!r} and {control!r} differed before the test began, in {listed(apart)} (p under {MISMATCH:g}): the "
            "arms ran already, or users were not drawn at random. Give the true start of the test."
        )


def _count_arms(arm_of: pd.Series, arms_of_user: pd.Series, control: str, by: str) -> dict[str, int]:
    """Users in each arm, control first; refused where they can't be compared."""
    counts = {str(name): int(users) for name, users in arm_of.value_counts().sort_index().items()}
    if not 2 <= len(counts) <= MOST_ARMS:
        raise WorkbenchError(f"{by} must name 2 to {MOST_ARMS} arms; got {len(counts):,}. Name the column with by=.")
    if control not in counts:
        known = [str(showable(name)) for name in counts]
        raise WorkbenchError(f"{not_one_of('control', control, known)} Name the arm to compare with: control=.")
    crossed = int(arms_of_user.gt(1).sum())
    if crossed:
        raise WorkbenchError(
            f"each user must be in one arm; {crossed:,} of {len(arms_of_user):,} are in two or more. See that the arm "
            "depends on the user alone, and pass the views of one test, from its start on."
        )
    return {control: counts[control]} | counts


def _check_enough(counts: Mapping[str, int]) -> None:
    small = {str(showable(name)): users for name, users in counts.items() if users < FEWEST_USERS}
    if small:
        said = listed([f"{name!r} has {users:,}" for name, users in small.items()])
        raise WorkbenchError(f"each arm needs {FEWEST_USERS} users; {said}. Let the test run on.")


def _check_planned(planned: Mapping[str, float] | None, users: Mapping[str, int]) -> dict[str, float]:
    if planned is None:
        return dict.fromkeys(users, 1.0)
    if set(planned) != set(users):
        raise WorkbenchError(
            f"planned must give a share for each arm: {listed([repr(showable(name)) for name in users])}; got "
            f"{listed([repr(name) for name in planned] or ['none'])}."
        )
    return {name: float(check_above_0(f"planned[{name!r}]", planned[name])) for name in users}


@checked
def off_policy(log: Log, policy: Any, *, scenario: Any = None, seed: int = 0) -> OffPolicy:
    """Estimate what a policy would earn, from a log of options that were drawn with known chances.

    Parameters
    ----------
    log : str, path or DataFrame
        One row a view, with what was sent (``rendition_served``) and ``propensity``, the chance with which that was
        drawn, and ``user_id``. Views without one of these are left out, which ``left_out`` counts.
    policy : callable or loaded policy
        A rule, a policy of a comparison (``result.of("model").policy``), or ``wb.load_policy(folder)``. It sees the
        log's context; history that the log does not hold is missing to it.
    scenario : object, optional
        What was in force; default that of the log's table.
    seed : int
        Which half of the users each expected reward is learnt on.

    Raises
    ------
    WorkbenchError
        Where nothing was drawn, the policy picks what could not be drawn there, or propensities do not fit.

    >>> wb.off_policy(log, result.of("model").policy)  # doctest: +SKIP
    """
    views = _loaded(log)
    card = card_of(views)
    decision = find_decision(scenario, card)
    scenario = decision.scenario(card, scenario)
    needs = {
        USER: "whose view it is",
        decision.served: "what was sent",
        PROPENSITY: "the chance that it was drawn with",
    }
    _check_columns(views, card, needs)
    test, outcomes, left_out = _measured(decision, views, card, scenario, needs=(PROPENSITY, USER))
    check_seed(seed)
    rule = as_rule(policy)
    taken = decision.options_sent(test.frame, scenario)
    wanted = np.asarray(decision.ask(rule, test, scenario), int)
    reward, drawn = outcomes[NET].to_numpy(float), test.frame[PROPENSITY].to_numpy(float)
    weight = np.where(wanted == taken, 1 / drawn, 0.0)
    usual = expected_rewards(test.context, weight, np.zeros(len(weight), int), 1, test.users, seed=seed)[:, 0]
    expected = expected_rewards(test.context, reward, taken, len(scenario.options), test.users, seed=seed)
    return replace(
        off_policy_value(reward, taken, wanted, drawn, test.users, expected, usual), left_out=tuple(left_out)
    )
