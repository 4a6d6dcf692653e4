"""Image replay: a policy decides from context alone; only then is it shown what each rendition would have cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.datasets.schema import BY_NAME, MEASURED, Column, known_context
from workbench.decisions.decision import call_policy, policy_name
from workbench.decisions.images.expected_value import Prospects
from workbench.decisions.images.scenario import ImageScenario
from workbench.decisions.load_time import load_ms
from workbench.errors import WorkbenchError, did_you_mean


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


HEADROOM_BUDGETS_MS = (500.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0)


@dataclass(frozen=True)
class ImageFigures:
    """Means over views, but for the quantiles of load time.

    Points (``net, quality``), shares in [0, 1] (``large_share, late_share``), milliseconds a view
    (``excess_wait_ms``, and ``slowest_fifth_wait_ms`` among the slowest fifth of users), megabytes
    (``mb_per_1000`` views; 1 MB is 10^6 bytes). A quantile of load time is infinite where that many probes were lost.
    """

    net: float
    quality: float
    large_share: float
    excess_wait_ms: float
    late_share: float
    slowest_fifth_wait_ms: float
    mb_per_1000: float
    load_ms_p50: float
    load_ms_p75: float
    load_ms_p95: float


def summarise_images(outcomes: pd.DataFrame, slow: np.ndarray, scenario: ImageScenario) -> ImageFigures:
    """Add up one policy's outcomes.

    Parameters
    ----------
    outcomes : DataFrame
        From ``replay_images``.
    slow : ndarray of bool, shape (rows,)
        Views of the slowest fifth of users.
    scenario : ImageScenario
    """
    p50, p75, p95 = (_quantile(outcomes["load_ms"].to_numpy(), share) for share in (0.5, 0.75, 0.95))
    return ImageFigures(
        net=float(outcomes["net"].mean()),
        quality=float(outcomes["quality"].mean()),
        large_share=float((outcomes["rendition"] == len(scenario.ladder.names) - 1).mean()),
        excess_wait_ms=float(outcomes["excess_wait_ms"].mean()),
        late_share=float(outcomes["late"].mean()),
        slowest_fifth_wait_ms=float(outcomes["excess_wait_ms"][slow].mean()),
        mb_per_1000=float(outcomes["bytes"].mean()) * 1000 / 1e6,
        load_ms_p50=p50,
        load_ms_p75=p75,
        load_ms_p95=p95,
    )


def _quantile(load_ms: np.ndarray, share: float) -> float:
    """NumPy's interpolated quantile, but infinite, not undefined, between infinite values."""
    came = np.isfinite(load_ms)
    return float(np.quantile(load_ms, share)) if came.all() else float(np.quantile(load_ms, share, method="higher"))


def headroom(outcomes: RenditionOutcomes, context: pd.DataFrame) -> float:
    """Net of perfect knowledge minus net of the best constant rendition: all there is to win, in points a view."""
    net = outcomes.net[~saves_data(context)]
    if not len(net):
        return 0.0
    return float((net.max(axis=1).mean() - net.mean(axis=0).max()) * len(net) / len(context))


# How dear waiting is to a policy, as a multiple of the declared price; 1 is the price itself.
IMAGE_LIMITS = np.geomspace(1 / 8, 8, 25)


def image_frontier(
    prospects: Prospects, outcomes: RenditionOutcomes, context: pd.DataFrame, scenario: ImageScenario
) -> pd.DataFrame:
    """Replay one policy's expectations at every limit.

    Parameters
    ----------
    prospects : Prospects
        What the policy expects of each rendition.
    outcomes : RenditionOutcomes
        What each rendition brought about, same rows.
    context : DataFrame
        Same rows; tells who saves data.
    scenario : ImageScenario

    Returns
    -------
    DataFrame
        One row a limit: ``limit, quality, excess_wait_ms, net``, means over views.
    """
    frugal = saves_data(context)
    row = np.arange(len(frugal))
    points = []
    for limit in IMAGE_LIMITS:
        action = np.where(frugal, 0, prospects.best(scenario, limit))
        chosen = [values[row, action].mean() for values in (outcomes.quality, outcomes.excess_wait_ms, outcomes.net)]
        points.append((limit, *chosen))
    return pd.DataFrame(points, columns=["limit", "quality", "excess_wait_ms", "net"])


def best_limit(
    prospects: Prospects,
    outcomes: RenditionOutcomes,
    context: pd.DataFrame,
    scenario: ImageScenario,
    users: np.ndarray,
) -> float:
    """The limit with the largest net; among those that cannot be told from it, the one nearest the declared price.

    "Cannot be told" is the one-standard-error rule (Breiman et al. 1984; Hastie et al. 2009, section 7.10), with the
    error of the paired difference clustered by user. Taking the largest outright follows the noise of a few slow
    views.

    Parameters
    ----------
    prospects, outcomes, context, scenario
        As for :func:`image_frontier`.
    users : ndarray of int, shape (rows,)
        Who each view belongs to.

    Returns
    -------
    float
        One of ``IMAGE_LIMITS``.
    """
    frugal = saves_data(context)
    row = np.arange(len(frugal))
    nets = np.array([outcomes.net[row, np.where(frugal, 0, prospects.best(scenario, limit))] for limit in IMAGE_LIMITS])
    short = nets[np.argmax(nets.mean(axis=1))] - nets
    settled = [difference.mean() <= _clustered_error(difference, users) for difference in short]
    candidates = IMAGE_LIMITS[settled]
    return float(candidates[np.argmin(np.abs(np.log(candidates)))])


def _clustered_error(values: np.ndarray, users: np.ndarray) -> float:
    """Standard error of a mean over rows whose users come as wholes."""
    sums = np.bincount(users, values - values.mean())
    return float(np.sqrt(np.sum(sums**2)) / len(values))


def quality_at_wait(frontier: pd.DataFrame, wait_ms: float) -> float | None:
    """Quality that a frontier reaches at a given mean excess wait; None outside of what it covers."""
    by_wait = frontier.sort_values("excess_wait_ms")
    if not by_wait["excess_wait_ms"].iloc[0] <= wait_ms <= by_wait["excess_wait_ms"].iloc[-1]:
        return None
    return float(np.interp(wait_ms, by_wait["excess_wait_ms"], by_wait["quality"].cummax()))
