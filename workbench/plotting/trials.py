"""Pictures of many studies at once, from the table that ``make evidence`` writes."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from workbench.checked import checked
from workbench.errors import WorkbenchError
from workbench.evidence.verdict import BETTER
from workbench.plotting.style import MUTED, axes_or_new, log_axis, note_below, percent, set_alt_text, style_context

BOUNDS = ["low", "value", "high"]
AS_GIVEN = {"estimator": "median", "errorbar": ("pi", 100)}  # of low, value and high: the value, from low to high


@checked
@style_context()
def verdicts(trials: pd.DataFrame, *, by: str = "seed", ax: Axes | None = None) -> Axes:
    """Model minus best rule of many studies, with 95 % intervals, in smallest differences that matter.

    Parameters
    ----------
    trials : DataFrame
        One row a study: ``dataset, value, low, high`` (net), ``margin, word``, and the column ``by``, which tells the
        studies of one dataset apart.

    Returns
    -------
    Axes
        x: difference over margin, so that images and pages share an axis; one row a dataset, one colour a ``by``.
    """
    _check_rows(trials)
    names = list(dict.fromkeys(trials["dataset"]))
    ax = axes_or_new(ax, 1.9 + 0.55 * len(names))
    long = trials.melt(["dataset", "margin", by], BOUNDS, value_name="net")
    long["margins"] = long["net"] / long["margin"]
    shades = sns.color_palette("viridis", long[by].nunique())
    ax.axvspan(-1, 1, color=MUTED, alpha=0.15, linewidth=0)
    ax.axvline(0, color=MUTED, linewidth=1)
    sns.pointplot(
        long, x="margins", y="dataset", hue=by, order=names, dodge=0.5, linestyle="none", markersize=5,
        err_kws={"linewidth": 1.5}, palette=shades, ax=ax, **AS_GIVEN,
    )  # fmt: skip
    ax.set(xlabel="Model minus best rule, in smallest differences that matter", ylabel="")
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1, 1), title=by)
    note_below(ax, "shaded: too small to matter; bars: 95 % intervals")
    above = (trials["word"] == BETTER).groupby(trials["dataset"], sort=False).agg(["sum", "size"])
    each = "; ".join(f"{row.Index}: {row.sum} of {row.size}" for row in above.itertuples())
    return set_alt_text(ax, f'Studies called "{BETTER}", by dataset: {each}.')


@checked
@style_context()
def shares(trials: pd.DataFrame, label: str, *, aim: tuple[float, float] | None = None, ax: Axes | None = None) -> Axes:
    """A share of trials by the number of users, one line a dataset, with 95 % intervals.

    Parameters
    ----------
    trials : DataFrame
        ``dataset``, ``setting`` (users), ``value, low, high`` (shares from 0 to 1).
    label : str
        What it is a share of, for the axis.
    aim : (low, high), optional
        Where the share should lie: shaded.

    Returns
    -------
    Axes
        x: users, logarithmic; y: share.
    """
    _check_rows(trials)
    ax = axes_or_new(ax, 4.6)
    long = trials.melt(["dataset", "setting"], BOUNDS, value_name="share").astype({"setting": float})
    if aim is not None:
        ax.axhspan(*aim, color=MUTED, alpha=0.15, linewidth=0)
    sns.lineplot(long, x="setting", y="share", hue="dataset", err_style="bars", marker="o", ax=ax, **AS_GIVEN)
    log_axis(ax)
    ax.set(xlabel="Users", ylabel=label)
    ax.yaxis.set_major_formatter(percent())
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1, 1), title="")
    most = trials.loc[trials["setting"].astype(float).groupby(trials["dataset"], sort=False).idxmax()]
    each = "; ".join(f"{row.dataset} {100 * row.value:.0f} % at {float(row.setting):,.0f}" for row in most.itertuples())
    return set_alt_text(ax, f"{label}, by dataset, at the most users: {each}.")


@checked
@style_context()
def aging(trials: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """What age costs models and best rules, in smallest differences that matter, with 95 % intervals.

    Parameters
    ----------
    trials : DataFrame
        ``dataset``, ``policy``, ``setting`` (days older than one freshly trained), ``value, low, high`` (net lost) and
        ``margin``.

    Returns
    -------
    Axes
        x: days, logarithmic; y: net lost over margin; one colour a dataset, one kind of line a policy.
    """
    _check_rows(trials)
    ax = axes_or_new(ax, 4.6)
    long = trials.melt(["dataset", "policy", "setting", "margin"], BOUNDS, value_name="net").astype({"setting": float})
    long["margins"] = long["net"] / long["margin"]
    ax.axhspan(-1, 1, color=MUTED, alpha=0.15, linewidth=0)
    ax.axhline(0, color=MUTED, linewidth=1)
    by = {"hue": "dataset", "style": "policy", "markers": True, "err_style": "bars"}
    sns.lineplot(long, x="setting", y="margins", ax=ax, **by, **AS_GIVEN)
    log_axis(ax)
    ax.set(xlabel="Days older than a freshly trained one", ylabel="Net lost, in smallest differences that matter")
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1, 1), title="")
    note_below(ax, "shaded: too small to matter; bars: 95 % intervals")
    oldest = trials.loc[
        trials["setting"].astype(float).groupby([trials["dataset"], trials["policy"]], sort=False).idxmax()
    ]
    each = "; ".join(f"{row.dataset}, {row.policy} {row.value / row.margin:.1f}" for row in oldest.itertuples())
    return set_alt_text(ax, f"Net lost at the greatest age, in smallest differences that matter: {each}.")


def _check_rows(trials: pd.DataFrame) -> None:
    if trials.empty:
        raise WorkbenchError("there are no trials to draw; run make evidence, or pick a question that the table holds.")
