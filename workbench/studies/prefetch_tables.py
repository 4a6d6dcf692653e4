"""The tables of a comparison of prefetching; cells are text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from workbench.decisions.prefetch.replay import PrefetchFigures
from workbench.studies.comparison import Comparison, PolicyResult

FIGURES = tuple(PrefetchFigures.__dataclass_fields__)


def key_figures(figures: PrefetchFigures) -> dict[str, str]:
    """One policy of 1,000 views, in words of the person who decides."""
    return {
        "pages there at the click": f"{10 * figures.hits_per_100:,.0f}",
        "fetched for nothing": f"{1000 * figures.unused_per_view:,.0f}",
        "waiting saved": f"{figures.ms_saved_per_view:,.0f} s",  # 1,000 views, and 1,000 ms in a second
        "data wasted": f"{figures.bytes_wasted_per_view / 1000:,.0f} MB",  # 1,000 views, and 10^6 bytes in a MB
    }


def policy_row(policy: PolicyResult, *, every_column: bool = False) -> dict[str, str]:
    """One policy in the table of all: five columns, or every one."""
    figures: PrefetchFigures = policy.figures
    row = {
        "net per 100": f"{100 * figures.net:.2f}",
        "hits per 100": f"{figures.hits_per_100:.1f}",
        "unused per 100": f"{100 * figures.unused_per_view:.1f}",
        "precision %": _percent(figures.precision),
        "saved": f"{figures.ms_saved_per_view:,.0f} ms",
    }
    if every_column:
        row |= {
            "recall %": _percent(figures.recall),
            "top 1 %": _percent(figures.top1),
            "top 3 %": _percent(figures.top3),
            "byte precision %": _percent(figures.byte_precision),
            "traffic %": f"{100 * figures.traffic_increase:+.1f}",
            "slowed": f"{figures.contention_ms_per_view:,.0f} ms",
            "kB wasted": f"{figures.bytes_wasted_per_view / 1000:,.0f}",
        }
    return row


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def about_data(result: Comparison) -> dict[str, Any]:
    """What ``to_dict`` tells about the data of this decision alone."""
    return {"session_end_share": result.prefetch.end_share}


def about_evidence(result: Comparison) -> dict[str, Any]:
    """What ``to_dict`` tells beside the verdict, for this decision alone."""
    return {"break_even": result.scenario.break_even, "unused_price": result.scenario.unused_price}


def about_frontier(result: Comparison) -> dict[str, Any]:
    """What ``to_dict`` tells about hits at given numbers of unused prefetches, for this decision alone."""
    table = result.prefetch.hits_at
    records = table.astype(object).where(table.notna(), None).to_dict("index")
    return {
        "hits_per_100_at_unused": {name: {f"{at:g}": hits for at, hits in row.items()} for name, row in records.items()}
    }


def about_model(result: Comparison) -> dict[str, Any]:
    """What ``to_dict`` tells about the model, for this decision alone."""
    return {"ranking": {name: asdict(rank) for name, rank in result.prefetch.ranking.items()}}


def hits_table(result: Comparison) -> pd.DataFrame:
    """Hits per 100 views at given numbers of unused prefetches a view, the key policies; cells are text."""
    table = result.prefetch.hits_at
    cells = table.map(lambda hits: "" if pd.isna(hits) else f"{hits:.1f}")
    return cells.set_axis([f"{at:g} unused a view" for at in table.columns], axis=1).rename_axis("hits per 100 views")
