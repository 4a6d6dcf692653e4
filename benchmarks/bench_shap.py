"""Is exact SHAP by distinct rows worth it? Beside ``shap.TreeExplainer(model)(X)``, on the very same feature rows.

First-request columns (of mobile_bandwidth, which comes from an app: the app's). The speed-up must reach 0.8 x rows /
distinct rows, and all values must agree to 1e-5. The peer explains at most 20,000 rows, drawn by seed, and its time is
taken to grow with the rows. One thread for both, the best of five runs each, by turns. The columns of LinkedIn's model
(github.com/linkedin/performance-quality-models: country, ASN, system, browser and their versions) are a case of their
own: it is the hour and the city that make nearly every context of the simulated world another. The next-page model is
shown for orientation: hardly any of its rows are alike.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shap
import xgboost

import workbench as wb
from workbench.datasets.splits import sample_users
from workbench.decisions import find_decision
from workbench.decisions.decision import Explained
from workbench.explanation.shap_values import exact_shap
from workbench.features.encoding import distinct_rows

ROWS, PEER_ROWS, RUNS, TOLERANCE, LEAST = 60_000, 20_000, 5, 1e-5, 0.8
NOT_IN_THE_CONTRACT = ("isp", "region", "city", "save_data", "local_hour")


@dataclass(frozen=True)
class Case:
    """The feature rows to explain, each column a feature of its own; whether the benchmark fails on it."""

    name: str
    rows: Explained
    counts: bool = True


def network_case(name: str, dataset: str, counts: bool = True, **parameters: Any) -> Case:
    """All views of a dataset as the network-quality model sees them, its question in the last column."""
    views = wb.load(dataset, rows=ROWS) if dataset.startswith("synthetic") else wb.load(dataset)
    model = wb.train_network_quality(wb.split_by_user(views, history=False), **parameters)
    return Case(name, _every_column(find_decision(name="images").explained(model, views, wb.ImageScenario())), counts)


def next_page_case() -> Case:
    """The model's candidates in some views of the simulated site."""
    split = wb.split_by_time(wb.load("synthetic_navigations"))
    model = wb.train_next_page(split)
    drawn = sample_users(split.validation, 600, 0)
    rows = find_decision(name="prefetch").explained(model, drawn, wb.PrefetchScenario(), all_rows=True)
    return Case("synthetic_navigations", _every_column(rows), False)


def _every_column(rows: Explained) -> Explained:
    """The same rows, each column a feature."""
    return replace(rows, sources=tuple(map(str, range(rows.matrix.shape[1]))))


def side_by_side(*calls: Callable[[], np.ndarray]) -> list[tuple[np.ndarray, float]]:
    """What each call gives, and the shortest of its times; taken by turns, so that others disturb them alike."""
    seconds = np.empty((RUNS, len(calls)))
    values: list[np.ndarray] = []
    for run in range(RUNS):
        values.clear()
        for place, call in enumerate(calls):
            started = time.perf_counter()
            values.append(call())
            seconds[run, place] = time.perf_counter() - started
    return list(zip(values, seconds.min(axis=0).tolist(), strict=True))


def report(case: Case) -> bool:
    """Print both times side by side; whether speed-up and values are as they must be."""
    matrix, booster = case.rows.matrix, case.rows.booster
    drawn = np.random.default_rng(0).permutation(len(matrix))[:PEER_ROWS]
    (ours, seconds), (theirs, peer_seconds) = side_by_side(
        lambda: exact_shap(case.rows)[1], lambda: shap.TreeExplainer(booster)(matrix[drawn]).values
    )
    peer_seconds *= len(matrix) / len(drawn)
    alike = len(matrix) / len(distinct_rows(matrix)[0])
    speed_up, apart = peer_seconds / seconds, np.abs(ours[drawn] - theirs).max()
    print(
        f"{case.name:34} {len(matrix):7,} rows, {alike:5.2f} to a distinct one, "
        f"{booster.num_boosted_rounds():3} trees: shap {peer_seconds:5.2f} s, ours {seconds:5.2f} s, "
        f"speed-up {speed_up:5.2f} ({speed_up / alike:.2f} x rows / distinct rows), values within {apart:.0e}",
        flush=True,
    )
    return bool(apart <= TOLERANCE) and (not case.counts or speed_up >= LEAST * alike)


def main() -> int:
    """Report each case; 1 where one falls short."""
    with xgboost.config_context(nthread=1):
        cases = (
            network_case("synthetic_measurements, LinkedIn's", "synthetic_measurements", without=NOT_IN_THE_CONTRACT),
            network_case("synthetic_measurements, all", "synthetic_measurements"),
            network_case("mobile_bandwidth", "mobile_bandwidth"),
            next_page_case(),
        )
        enough = [report(case) for case in cases]
    print("all as they must be" if all(enough) else f"{enough.count(False)} of {len(enough)} fall short")
    return 0 if all(enough) else 1


if __name__ == "__main__":
    sys.exit(main())
