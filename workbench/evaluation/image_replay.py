"""Image replay: a policy decides from context alone; only then is it shown what each rendition would have cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.schema import BY_NAME, MEASURED, Column, known_context
from workbench.delivery import ImageScenario, load_ms
from workbench.errors import WorkbenchError, did_you_mean
from workbench.policies.calling import call_policy, policy_name


@dataclass(frozen=True)
class RenditionOutcomes:
    """What every rendition would bring about in every view; each array has shape (rows, renditions).

    ``load_ms``, ``excess_wait_ms`` (capped), ``late`` (beyond the budget), ``quality`` (0 where abandoned), ``net``
    in points.
    """

    load_ms: np.ndarray
    excess_wait_ms: np.ndarray
    late: np.ndarray
    quality: np.ndarray
    net: np.ndarray


def rendition_outcomes(frame: pd.DataFrame, scenario: ImageScenario, assume: Mapping[str, float]) -> RenditionOutcomes:
    """Work out every rendition's outcome from what the views measured.

    Parameters
    ----------
    frame : DataFrame
        With ``rtt_ms`` or ``downlink_mbps``; the other is assumed where it was not measured.
    scenario : ImageScenario
    assume : mapping
        Base value of a quantity that was not measured.

    Returns
    -------
    RenditionOutcomes

    Raises
    ------
    WorkbenchError
        Where a quantity is neither measured nor assumed, or missing in some rows.
    """
    load = load_ms(
        scenario.view_bytes,
        _realised(frame, "rtt_ms", assume)[:, None],
        _realised(frame, "downlink_mbps", assume)[:, None],
        scenario.connection_rtts,
    )
    excess, quality, net = scenario.judge(load)
    return RenditionOutcomes(load, excess, load > scenario.budget_ms, quality, net)


def _realised(frame: pd.DataFrame, quantity: str, assume: Mapping[str, float]) -> np.ndarray:
    if quantity in frame and frame[quantity].notna().any():
        missing = int(frame[quantity].isna().sum())
        if missing:
            raise WorkbenchError(
                f"{quantity} is missing in {missing:,} of {len(frame):,} views; a replay needs it in all of them. Drop "
                "those rows, or leave the column out and assume a value."
            )
        return frame[quantity].to_numpy(float)
    if quantity not in assume:
        raise WorkbenchError(
            f"{quantity} is neither measured nor assumed: say what to assume, as in "
            f"wb.measurements(df, assume={{{quantity!r}: (low, base, high)}}), or in the card's [assume]."
        )
    return np.full(len(frame), float(assume[quantity]))


def decide(policy: Callable[..., Any], context: pd.DataFrame, scenario: ImageScenario) -> np.ndarray:
    """Ask a policy, from context alone, and check its answer. Save-Data always gets the smallest rendition.

    Parameters
    ----------
    policy : callable
        ``policy(context)`` or ``policy(context, scenario=...)``, to one rendition name a row.
    context : DataFrame
        What is known; the policy gets a copy.
    scenario : ImageScenario

    Returns
    -------
    ndarray of int, shape (rows,)
        Rendition numbers, 0 the smallest.

    Raises
    ------
    WorkbenchError
        Where the policy reads what the view itself measured, fails, or answers with something else than one known
        rendition a row.
    """
    name = policy_name(policy)
    shown = context.reset_index(drop=True)  # a copy, and no way back to the rows it came from
    try:
        answer = call_policy(policy, shown, scenario)
    except KeyError as err:
        measured = [column for column in MEASURED if column in str(err)]
        if not measured and err.args[0] not in BY_NAME:
            raise  # not a column: the rule's own mistake
        raise WorkbenchError(_explain_missing(name, measured[0] if measured else err.args[0], context)) from err
    except AttributeError as err:
        if getattr(err, "name", None) in MEASURED:
            raise WorkbenchError(_explain_missing(name, err.name, context)) from err
        raise
    names = scenario.ladder.names
    if isinstance(answer, pd.Series) and len(answer) == len(context) and set(answer.index) == set(range(len(context))):
        answer = answer.sort_index()  # a rule may sort or merge; its index still tells which row is meant
    flat = np.asarray(answer, dtype=object)
    if flat.ndim != 1:
        raise WorkbenchError(f"{name}: expected one rendition for each of {len(context):,} views; got {answer!r}.")
    numbers = pd.Series(flat).map({rendition: i for i, rendition in enumerate(names)})
    if len(numbers) != len(context):
        raise WorkbenchError(
            f"{name}: expected one rendition for each of {len(context):,} views; got {len(numbers):,}."
        )
    if numbers.isna().any():
        strange = flat[numbers.isna().to_numpy()][0]
        raise WorkbenchError(
            f"{name}: expected one of {', '.join(names)} for every view; got {strange!r} in "
            f"{int(numbers.isna().sum()):,} of {len(numbers):,} views."
        )
    return np.where(saves_data(context), 0, numbers.to_numpy(int))


def saves_data(context: pd.DataFrame) -> np.ndarray:
    """Views that asked for less data (boolean, shape (rows,)): the Save-Data header, where it is known."""
    if "save_data" not in context:
        return np.zeros(len(context), bool)
    return context["save_data"].fillna(False).to_numpy(bool)


def replay_images(
    policy: Callable[..., Any],
    frame: pd.DataFrame,
    scenario: ImageScenario,
    *,
    known_by: str = "first_request",
    extra: Iterable[Column] = (),
    assume: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Replay one policy over past views.

    The equivalent plain loop: for each view, show the policy what was known before it, take its rendition, then
    look up how long that rendition would have taken on the network that the view measured.

    Assumes that the rendition sent does not change the network, that a view's measured network holds for its whole
    load, and that people behave the same whatever they are sent (but leave at the cap).

    Parameters
    ----------
    policy : callable
    frame : DataFrame
        Canonical measurements.
    scenario : ImageScenario
    known_by : str
        What the policy may see.
    extra : iterable of Column
        Further context that the card declares.
    assume : mapping, optional
        Base value of a quantity that was not measured.

    Returns
    -------
    DataFrame
        Index of ``frame``; columns ``rendition`` (number), ``load_ms, excess_wait_ms, late, quality, net, bytes``.

    Raises
    ------
    WorkbenchError
        Where the policy peeks or answers wrongly, or the outcome cannot be worked out.
    """
    outcomes = rendition_outcomes(frame, scenario, assume or {})
    action = decide(policy, known_context(frame, known_by, extra), scenario)
    return realise(action, outcomes, scenario, frame.index)


def perfect_knowledge(context: pd.DataFrame, outcomes: RenditionOutcomes) -> np.ndarray:
    """The best rendition at each view's realised values, ties to the smaller; Save-Data gets the smallest."""
    return np.where(saves_data(context), 0, np.argmax(outcomes.net, axis=1))


def realise(action: np.ndarray, outcomes: RenditionOutcomes, scenario: ImageScenario, index: pd.Index) -> pd.DataFrame:
    """Outcomes of the renditions chosen, one row a view (columns as in :func:`replay_images`)."""
    row = np.arange(len(action))
    return pd.DataFrame(
        {
            "rendition": action,
            "load_ms": outcomes.load_ms[row, action],
            "excess_wait_ms": outcomes.excess_wait_ms[row, action],
            "late": outcomes.late[row, action],
            "quality": outcomes.quality[row, action],
            "net": outcomes.net[row, action],
            "bytes": scenario.view_bytes[action],
        },
        index=index,
    )


def _explain_missing(name: str, column: Any, context: pd.DataFrame) -> str:
    if column in MEASURED:
        return (
            f"{name} reads {column!r}, which the view itself measured: a decision is taken before that is known. Use "
            "context only, such as country, asn or os_family."
        )
    return (
        f"{name} reads {column!r}, which is not known when the decision is taken; known are "
        f"{', '.join(context.columns)}.{did_you_mean(str(column), list(context.columns))}"
    )
