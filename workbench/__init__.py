"""Performance Workbench: is the model better than the rules, by how much, for whom, why, and is it worth it?

Nothing heavy is imported here; each name is fetched when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any

_NAMES = {
    "errors": ("WorkbenchError",),
    "decisions.images.scenario": ("ImageScenario",),
    "decisions.prefetch.scenario": ("Hover", "PrefetchScenario"),
    "datasets": ("load", "make_measurements", "make_navigations", "measurements", "navigations"),
    "datasets.history": ("Mask",),
    "datasets.splits": ("split_by_time", "split_by_user"),
    "models": ("NetworkQuality", "NextPage", "train_network_quality", "train_next_page"),
    "decisions.policy": ("needs",),
    "evidence.sample_size": ("sample_size",),
    "studies": ("compare", "rules", "study"),
    "studies.experiment": ("experiment", "off_policy"),
    "studies.rehearsal": ("rehearse",),
    "explanation": ("shap_values", "importance", "disagreement", "dependence", "redundancy", "drift", "ablation"),
    "explanation.retraining": ("retraining",),
    "widgets": ("Explorer", "DecisionInspector"),
    "export.policy.bundle": ("export_policy",),
    "export.policy.loaded": ("load_policy",),
}
_HOME = {name: f"workbench.{module}" for module, names in _NAMES.items() for name in names}
_AREAS = ("datasets", "plotting")

# The text before the cursor, up to an open quote that begins the first argument.
ASKS_FOR_A_NAME = r"(?:.*[^\w.])?(?:wb|workbench)\.(?:load|study)\(\s*[\"'][^\"']*$"

__all__ = [*_HOME, *_AREAS]  # noqa: PLE0604 - names, fetched lazily


def __getattr__(name: str) -> Any:
    if name in _AREAS:
        return import_module(f"workbench.{name}")
    if name == "__version__":
        return version("performance-workbench")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'workbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def complete_dataset_names(shell: Any = None) -> None:
    """Register the names with a running IPython (default: the one that this code runs in); without one, do nothing."""
    if shell is None and "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
    if shell is not None:
        shell.set_hook("complete_command", _names, re_key=ASKS_FOR_A_NAME)


def _names(shell: Any, event: Any) -> list[str]:
    from workbench.datasets.cards import card_folder
    from workbench.errors import WorkbenchError

    try:
        return sorted(path.stem for path in card_folder().glob("*.toml"))
    except WorkbenchError:  # no cards here, and no place for a message either
        return []


complete_dataset_names()
