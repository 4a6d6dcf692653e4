"""The tables of a comparison of image delivery; cells are text."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from workbench.datasets.schema import count_lost
from workbench.decisions.images.replay import ImageFigures
from workbench.studies.comparison import Comparison, PolicyResult

FIGURES = tuple(ImageFigures.__dataclass_fields__)


def key_figures(figures: ImageFigures) -> dict[str, str]:
    """One policy of 1,000 views, in words of the person who decides."""
    return {
        "large images": f"{1000 * figures.large_share:,.0f}",
        "late": f"{1000 * figures.late_share:,.0f}",
        "wait, slowest fifth": f"{figures.slowest_fifth_wait_ms:,.0f} ms",
        "data sent": f"{figures.mb_per_1000:,.0f} MB",
    }


def policy_row(policy: PolicyResult, *, every_column: bool = False) -> dict[str, str]:
    """One policy in the table of all: five columns, or every one."""
    figures: ImageFigures = policy.figures
    row = {
        "large %": f"{100 * figures.large_share:.1f}",
        "late %": f"{100 * figures.late_share:.1f}",
        "extra wait": f"{figures.excess_wait_ms:,.0f} ms",
        "slowest fifth": f"{figures.slowest_fifth_wait_ms:,.0f} ms",
        "MB per 1,000": f"{figures.mb_per_1000:,.0f}",
    }
    if every_column:
        row |= {
            "net": f"{figures.net:.2f}",
            "quality": f"{figures.quality:.1f}",
            "load p50": _arrives(figures.load_ms_p50),
            "load p75": _arrives(figures.load_ms_p75),
            "load p95": _arrives(figures.load_ms_p95),
        }
    return row


def _arrives(load_ms: float) -> str:
    """A quantile of load time; where that many probes were lost, their images never come."""
    return f"{load_ms:,.0f} ms" if math.isfinite(load_ms) else "never"


def about_data(result: Comparison) -> dict[str, Any]:
    """What ``to_dict`` tells about the data of this decision alone."""
    return {
        "lost_probes": sum(count_lost(part) for _, part in result.split.parts()),
        "signal_free_share": result.image.signal_free_share,
    }


def about_evidence(result: Comparison) -> dict[str, Any]:
    """What ``to_dict`` tells beside the verdict, for this decision alone."""
    return {"quality_at_rules_wait": result.image.quality_at_rules_wait}


def about_frontier(result: Comparison) -> dict[str, Any]:
    """What ``to_dict`` tells about all there is to win, for this decision alone."""
    by_budget = result.image.headroom_by_budget
    return {"headroom_by_budget": [{"budget_ms": budget, "net": net} for budget, net in by_budget.items()]}


def about_model(result: Comparison) -> dict[str, Any]:
    """What ``to_dict`` tells about the model, for this decision alone."""
    table = result.image.calibration_by_budget
    return {"calibration_by_budget": table.astype(object).where(table.notna(), None).to_dict("records")}


def headroom_table(result: Comparison) -> pd.DataFrame:
    """What perfect knowledge gains over one rendition for all, by budget."""
    points = {f"{budget / 1000:g} s": f"{net:.1f}" for budget, net in result.image.headroom_by_budget.items()}
    return pd.DataFrame([points], index=pd.Index(["points to win"], name="budget"))


def calibration_table(result: Comparison) -> pd.DataFrame:
    """Whether chances of being late come true, by budget and rendition; cells are text."""
    table = result.image.calibration_by_budget
    late = [f"{100 * share:.0f} %" for share in table["share"]]
    slope, intercept = (["" if pd.isna(x) else f"{x:.2f}" for x in table[name]] for name in ("slope", "intercept"))
    index = [f"{row.budget_ms / 1000:g} s, {row.rendition}" for row in table.itertuples()]
    return pd.DataFrame(
        {"late": late, "slope": slope, "intercept": intercept}, index=pd.Index(index, name="budget, images")
    )
