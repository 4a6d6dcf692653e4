"""A saved next-page model: ``model.json``, ``counts.json`` and ``trees.ubj``; same model, same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import xgboost

from workbench.datasets.columns import Column
from workbench.errors import WorkbenchError
from workbench.features.navigation_counts import NavigationCounts
from workbench.features.navigation_layout import Layout

FORMAT = 1


def model_files(model: Any) -> dict[str, bytes]:
    """Name and content of each file of a fitted :class:`~workbench.models.NextPage`."""
    described = {
        "format": FORMAT,
        "params": {**model.get_params(), "extra": [asdict(column) for column in model.extra]},
        "trained_on": model.trained_on_,
        "layout": model.layout_.to_dict(),
        "names": model.names_,
        "platt": model.platt_,
    }
    counts = json.dumps(model.counts_.to_dict(), separators=(",", ":"), sort_keys=True)
    return {
        "model.json": json.dumps(described, indent=1, sort_keys=True).encode(),
        "counts.json": counts.encode(),
        "trees.ubj": bytes(model.booster_.save_raw("ubj")),
    }


def write_files(folder: str | Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder, which is made where it is missing; returns it."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def read_model[Model](folder: str | Path, make: Callable[..., Model]) -> Model:
    """Read the files of a model; ``make`` takes the parameters and gives an unfitted model.

    Raises
    ------
    WorkbenchError
        Where the folder holds no such model.
    """
    folder = Path(folder)
    try:
        saved = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if saved["format"] != FORMAT:
            raise WorkbenchError(f"{folder}: expected model format {FORMAT}; got {saved['format']}. Train it again.")
        params = {**saved["params"], "without": tuple(saved["params"]["without"])}
        model: Any = make(**{**params, "extra": tuple(_read_column(column) for column in params["extra"])})
        model.layout_ = Layout.from_dict(saved["layout"])
        counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
        model.counts_ = NavigationCounts.from_dict(counts, model.layout_)
        model.booster_ = xgboost.Booster()
        model.booster_.load_model(bytearray((folder / "trees.ubj").read_bytes()))
        model.names_, model.platt_ = tuple(saved["names"]), tuple(saved["platt"])
        model.trained_on_, model.train_seconds_ = saved["trained_on"], None
    except (OSError, KeyError, TypeError, ValueError, AttributeError, xgboost.core.XGBoostError) as err:
        raise WorkbenchError(f"{folder} holds no saved model: expected model.json, counts.json and trees.ubj.") from err
    return model


def _read_column(saved: dict[str, Any]) -> Column:
    return Column(**{**saved, "allowed": tuple(saved["allowed"])})
