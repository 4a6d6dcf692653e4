"""Performance Workbench: is the model better than the rules, by how much, for whom, why, and is it worth it?

Nothing heavy is imported here; each name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from workbench.completion import complete_dataset_names

_HOME = {
    "WorkbenchError": "workbench.errors",
    "ImageScenario": "workbench.decisions.images.scenario",
    "PrefetchScenario": "workbench.decisions.prefetch.scenario",
    "load": "workbench.datasets",
    "make_measurements": "workbench.datasets",
    "make_navigations": "workbench.datasets",
    "measurements": "workbench.datasets",
    "navigations": "workbench.datasets",
    "Mask": "workbench.datasets",
    "split_by_time": "workbench.datasets",
    "split_by_user": "workbench.datasets",
    "NetworkQuality": "workbench.models",
    "NextPage": "workbench.models",
    "train_network_quality": "workbench.models",
    "train_next_page": "workbench.models",
    "needs": "workbench.decisions.decision",
    "compare": "workbench.studies",
    "rules": "workbench.studies",
    "study": "workbench.studies",
    "shap_values": "workbench.explanation",
    "importance": "workbench.explanation",
    "disagreement": "workbench.explanation",
    "dependence": "workbench.explanation",
    "redundancy": "workbench.explanation",
    "drift": "workbench.explanation",
    "ablation": "workbench.explanation",
    "Explorer": "workbench.widgets",
    "DecisionInspector": "workbench.widgets",
}
_AREAS = ("datasets", "plotting")

__all__ = [*_HOME, *_AREAS]  # noqa: PLE0604 - names, fetched lazily


def __getattr__(name: str) -> Any:
    if name in _AREAS:
        return import_module(f"workbench.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'workbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


complete_dataset_names()
