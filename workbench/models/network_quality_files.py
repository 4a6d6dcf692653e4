"""A saved network-quality model: ``model.json`` and one UBJ file a head; same model, same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from workbench.datasets.schema import Column
from workbench.errors import WorkbenchError
from workbench.features.encoding import Encoding
from workbench.models.threshold_trees import Head

FORMAT = 1


def describe_model(params: Mapping[str, Any], trained_on: str, heads: Mapping[str, Head]) -> str:
    """What ``model.json`` holds: all of a model but its trees."""
    described = {
        quantity: {
            "encoding": head.encoding.to_dict(),
            "slope": head.slope,
            "intercept": head.intercept,
            "levels": head.levels.tolist(),
        }
        for quantity, head in heads.items()
    }
    params = {**params, "extra": [asdict(column) for column in params["extra"]]}
    saved = {"format": FORMAT, "params": params, "trained_on": trained_on, "heads": described}
    return json.dumps(saved, indent=1, sort_keys=True)


def write_model(folder: str | Path, text: str, heads: Mapping[str, Head]) -> Path:
    """Write a model's description and the trees of its heads; returns the folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for quantity, head in heads.items():
        (folder / f"{quantity}.ubj").write_bytes(head.booster.save_raw("ubj"))
    (folder / "model.json").write_text(text, encoding="utf-8")
    return folder


def read_model[Model](folder: str | Path, make: Callable[..., Model]) -> Model:
    """Read what :func:`write_model` wrote; ``make`` takes the parameters and gives an unfitted model.

    Raises
    ------
    WorkbenchError
        Where the folder holds no such model.
    """
    try:
        saved = json.loads((Path(folder) / "model.json").read_text(encoding="utf-8"))
        if saved["format"] != FORMAT:
            raise WorkbenchError(f"{folder}: expected model format {FORMAT}; got {saved['format']}. Train it again.")
        params = {**saved["params"], "without": tuple(saved["params"]["without"])}
        model: Any = make(**{**params, "extra": tuple(_read_column(column) for column in params["extra"])})
        model.trained_on_ = saved["trained_on"]
        model.heads_ = {name: _read_head(Path(folder), name, head) for name, head in saved["heads"].items()}
        model.train_seconds_ = None
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as err:
        raise WorkbenchError(f"{folder} holds no saved model: expected model.json and its .ubj files.") from err
    return model


def _read_column(saved: dict[str, Any]) -> Column:
    return Column(**{**saved, "allowed": tuple(saved["allowed"])})


def _read_head(folder: Path, quantity: str, saved: dict[str, Any]) -> Head:
    booster = xgboost.Booster()
    booster.load_model(bytearray((folder / f"{quantity}.ubj").read_bytes()))
    encoding = Encoding(**{**saved["encoding"], "numbers": tuple(saved["encoding"]["numbers"])})
    return Head(quantity, encoding, booster, saved["slope"], saved["intercept"], np.asarray(saved["levels"]))
