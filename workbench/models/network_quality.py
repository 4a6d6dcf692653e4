"""Network quality: how likely is this network worse than x, in this context?"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from sklearn.base import BaseEstimator

from workbench.datasets.schema import Column, context_columns, known_context, measured_quantities
from workbench.datasets.splits import Split
from workbench.errors import WorkbenchError, check_whole, did_you_mean
from workbench.features.encoding import Encoding, distinct_rows
from workbench.models.boosting import Boosting, Head, check_device, fit_head

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


class NetworkQuality(BaseEstimator):
    """Chances that a view's network is worse than a threshold, from its context.

    Parameters
    ----------
    known_by : str
        Information set: one of ``datasets.schema.LEVELS``.
    extra : tuple of Column
        Context columns beyond the canonical ones.
    without : tuple of str
        Context columns to leave out (ablations).
    max_depth, min_child_weight, learning_rate, max_trees, patience : numbers
        Of the boosted trees; ``patience`` rounds without gain on ``calibration`` end the training.
    seed : int
    device : str
        ``"cpu"`` or ``"cuda"``.

    Attributes
    ----------
    heads_ : dict of str to Head
        One a measured quantity, after ``fit``.
    train_seconds_ : float or None
        None where the model was loaded: a saved model must not depend on the clock.
    trained_on_ : str
        Hash of the rows it was fitted on; comparisons refuse a model from another split.

    Notes
    -----
    Depth 4 with a minimal child weight of 50 was the best of the depths tried on mobile_bandwidth: shallow trees
    leave the tail of small groups alone.
    """

    heads_: dict[str, Head]
    train_seconds_: float | None
    trained_on_: str

    def __init__(
        self,
        *,
        known_by: str = "first_request",
        extra: tuple[Column, ...] = (),
        without: tuple[str, ...] = (),
        max_depth: int = 4,
        min_child_weight: float = 50,
        learning_rate: float = 0.1,
        max_trees: int = 1000,
        patience: int = 20,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.known_by = known_by
        self.extra = extra
        self.without = without
        self.max_depth = max_depth
        self.min_child_weight = min_child_weight
        self.learning_rate = learning_rate
        self.max_trees = max_trees
        self.patience = patience
        self.seed = seed
        self.device = device

    def fit(self, frame: pd.DataFrame, calibration: pd.DataFrame | None = None) -> NetworkQuality:
        """Fit one head a measured quantity.

        Parameters
        ----------
        frame : DataFrame
            Canonical measurements; context is encoded inside.
        calibration : DataFrame, optional
            Other users, for early stopping and calibration. Without it, or where it holds fewer than 10 users
            with a quantity, out-of-fold predictions serve.

        Returns
        -------
        NetworkQuality
            Itself.

        Raises
        ------
        WorkbenchError
            Where nothing was measured, a quantity never varies or was measured by fewer than 10 users, ``without``
            names a column that is no context, ``seed`` is negative, or ``device`` has no usable GPU.
        """
        check_device(self.device)
        check_whole("seed", self.seed, at_least=0)
        self._check_without()
        quantities = measured_quantities(frame)
        if not quantities:
            raise WorkbenchError("expected a measured column (rtt_ms, downlink_mbps or page_load_ms) with values.")
        started = time.perf_counter()
        self.heads_ = {}
        for quantity in quantities:
            rows = frame[frame[quantity].notna()]
            if rows[quantity].nunique() < 2:
                raise WorkbenchError(f"{quantity} has one value in all rows: there is nothing to predict.")
            self.heads_[quantity] = fit_head(rows, calibration, quantity, self.context, self._boosting())
        self.train_seconds_ = time.perf_counter() - started
        self.trained_on_ = rows_hash(frame)
        return self

    @property
    def quantities(self) -> tuple[str, ...]:
        """Measured quantities that the model answers for."""
        return tuple(self._fitted_heads())

    def context(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The part of a frame that the model looks at."""
        known = known_context(frame, self.known_by, self.extra)
        return known.drop(columns=[name for name in self.without if name in known])

    def encode(self, frame: pd.DataFrame, quantity: str) -> tuple[np.ndarray, np.ndarray]:
        """Distinct encoded rows and, for each row of the frame, which of them it is.

        Returns
        -------
        distinct : ndarray of float32, shape (distinct rows, features)
        which : ndarray of int, shape (rows,)
        """
        return distinct_rows(self._head(quantity).encoding.transform(self.context(frame)))

    def chance_worse(self, context: pd.DataFrame, quantity: str, thresholds: np.ndarray) -> np.ndarray:
        """Calibrated chance that a quantity is worse than each threshold.

        Parameters
        ----------
        context : DataFrame, shape (rows, columns)
            A canonical frame, or the context of one.
        quantity : str
            One of ``quantities``; RTT and load time are worse above, throughput below.
        thresholds : array_like, shape (thresholds,)
            In the quantity's unit, above 0; infinite throughput is certain to be missed.

        Returns
        -------
        ndarray of float, shape (rows, thresholds)
            Monotone along thresholds.

        Raises
        ------
        WorkbenchError
            Where the model does not answer for the quantity, or a threshold is not above 0.
        """
        asked = np.asarray(thresholds, float)
        if asked.ndim != 1 or not (asked > 0).all():
            raise WorkbenchError(f"thresholds of {quantity} must be a list of numbers above 0; got {thresholds!r}.")
        matrix, which = self.encode(context, quantity)
        return self._head(quantity).chances(matrix, asked)[which]

    @property
    def kilobytes(self) -> float:
        """Size of the saved model, kB."""
        heads = self._fitted_heads().values()
        text = len(self._text().encode())
        return (sum(len(head.booster.save_raw("ubj")) for head in heads) + text) / 1000

    @property
    def fields(self) -> tuple[str, ...]:
        """TEMP."""
        return tuple(sorted({name for head in self.heads_.values() for name in head.encoding.sources}))

    @property
    def trees(self) -> int:
        """Trees of all heads together."""
        return sum(head.booster.num_boosted_rounds() for head in self._fitted_heads().values())

    def save(self, folder: str | Path) -> Path:
        """Write ``model.json`` and one UBJ file a head into a folder; same model, same bytes."""
        return write_model(folder, self._text(), self._fitted_heads())

    @classmethod
    def load(cls, folder: str | Path) -> NetworkQuality:
        """Read a model that :meth:`save` wrote.

        Raises
        ------
        WorkbenchError
            Where the folder holds no such model.
        """
        return read_model(folder, cls)

    def _check_without(self) -> None:
        known = context_columns("never", self.extra)
        for name in self.without:
            if name not in known:
                raise WorkbenchError(
                    f"without must name context columns, such as ('asn',); got {name!r}.{did_you_mean(name, known)}"
                )

    def _text(self) -> str:
        heads = self._fitted_heads()
        return describe_model(self.get_params(), self.trained_on_, heads)

    def _boosting(self) -> Boosting:
        return Boosting(
            self.max_depth,
            self.min_child_weight,
            self.learning_rate,
            self.max_trees,
            self.patience,
            self.seed,
            self.device,
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        # scikit-learn's HTML carries a script, which a rendered proposal forbids.
        return {"text/plain": repr(self)}

    def _fitted_heads(self) -> dict[str, Head]:
        if not hasattr(self, "heads_"):
            raise WorkbenchError("this model is not trained yet: call fit(frame), or wb.train_network_quality(split).")
        return self.heads_

    def _head(self, quantity: str) -> Head:
        heads = self._fitted_heads()
        if quantity not in heads:
            raise WorkbenchError(f"the model was trained on {', '.join(heads)}; it cannot answer for {quantity!r}.")
        return heads[quantity]


def train_network_quality(split: Split, *, known_by: str | None = None, **parameters: Any) -> NetworkQuality:
    """Train the network-quality model on a split.

    Parameters
    ----------
    split : Split
        ``train`` fits, ``calibration`` stops and calibrates; ``validation`` and ``test`` are not touched.
    known_by : str, optional
        Information set; default the card's.
    **parameters
        Of :class:`NetworkQuality`.

    Returns
    -------
    NetworkQuality
    """
    model = NetworkQuality(known_by=known_by or split.card.known_by, extra=split.card.context, **parameters)
    return model.fit(split.train, split.calibration)


def rows_hash(frame: pd.DataFrame) -> str:
    """Hash of a part's index and measured values: which rows it holds."""
    rows = pd.util.hash_pandas_object(frame[measured_quantities(frame)], index=True)
    return hashlib.sha256(rows.to_numpy().tobytes()).hexdigest()
