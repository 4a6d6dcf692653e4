"""What both models share: boosted trees, their settings and calibration, saving and loading."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import sklearn.exceptions
import xgboost
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression

from workbench.checked import check_fields
from workbench.datasets.columns import Column
from workbench.datasets.schema import COLUMNS, NAVIGATION_COLUMNS, measured_quantities
from workbench.datasets.splits import Split
from workbench.errors import WorkbenchError, check_seed, check_whole, did_you_mean
from workbench.manifest import Kind
from workbench.models.linear import Linear
from workbench.progress import bar
from workbench.writing import as_path, write_folder

# Format 1 lost the order of quantities and columns, 2 had no manifest.
SAVED = Kind("saved model", "model.json", 3, "model.save", "Train the model and save it again")
DEEPEST = 30  # a level more may double the trees; at 30 each row can have a leaf of its own
LEAF = -1  # in place of a feature
SMALLEST_CHANCE = 1e-6  # a smaller one counts as this much in a log-loss, as in that of the lookup tables


class NotFittedError(WorkbenchError, sklearn.exceptions.NotFittedError):
    """A model or rule was used before its ``fit``; also scikit-learn's ``NotFittedError``."""


def fit_platt(margin: np.ndarray, answer: np.ndarray, all_alike: str = "all answers are alike.") -> tuple[float, float]:
    """Slope and intercept of the map from margins to log-odds (Platt 1999), fitted on rows the trees have not seen.

    Raises a WorkbenchError, with the sentence ``all_alike``, where all answers are the same.
    """
    if answer.min() == answer.max():
        raise WorkbenchError(all_alike)
    platt = LogisticRegression(C=np.inf).fit(margin[:, None], answer)
    return float(platt.coef_[0, 0]), float(platt.intercept_[0])


def check_device(device: str) -> None:
    """Refuse a GPU that cannot be used, where XGBoost would only warn and train on the CPU."""
    if device == "cpu":
        return
    if device != "cuda":
        raise WorkbenchError(f"device must be 'cpu' or 'cuda'; got {device!r}.")
    if not xgboost.build_info().get("USE_CUDA"):
        raise WorkbenchError(
            "device='cuda' needs XGBoost with CUDA; this one has none. Install the extra 'gpu' instead of 'cpu', or "
            "use device='cpu'."
        )
    try:
        xgboost.train({"device": device}, xgboost.DMatrix(np.eye(2), label=[0, 1]), 1)
    except xgboost.core.XGBoostError as err:
        raise WorkbenchError(f"device={device!r}: no usable GPU was found. Use device='cpu'.") from err


def check_without(without: Sequence[str], known: Sequence[str], what: str) -> None:
    """Refuse to leave out what is not among the known names; the error says what can be left out."""
    for name in without:
        if name not in known:
            nearest = did_you_mean(str(name), list(known))
            raise WorkbenchError(f"without must name {what}; got {name!r}.{nearest}")


def rows_hash(*parts: pd.DataFrame | None) -> str:
    """Hash of which rows parts hold: their index, and sessions and pages, or the measured values."""
    digest = hashlib.sha256()
    for frame in (part for part in parts if part is not None):
        page_views = {"session_id", "page"} <= set(frame)
        columns = ["session_id", "page"] if page_views else measured_quantities(frame)
        digest.update(pd.util.hash_pandas_object(frame[columns], index=True).to_numpy().tobytes())
    return digest.hexdigest()


def check_trained_on(model: Any, split: Split, how: str) -> None:
    """Refuse a model that is not trained, or was trained on other rows; ``how`` is the call that trains one."""
    trained_on = getattr(model, "trained_on_", None)
    if trained_on is None:
        error = NotFittedError if isinstance(model, BoostedModel) else WorkbenchError
        raise error(f"expected a trained model, as from {how}; got {str(model)[:80]}.")
    if trained_on not in (rows_hash(split.train), rows_hash(split.train, split.calibration)):
        raise WorkbenchError(
            "the model was trained on other rows than this split's train part, perhaps on users of its test part. "
            f"Train it on this split: {how}."
        )


def used_sources(booster: xgboost.Booster, sources: Iterable[str]) -> set[str]:
    """Sources of the columns that at least one tree splits on."""
    scores = booster.get_score(importance_type="weight")
    return {source for i, source in enumerate(sources) if f"f{i}" in scores}


def flat_trees(booster: Any) -> dict[str, Any]:
    """Trees as lists: each node before its left, then its right branch, so that a left child follows its parent.

    ``roots`` are the places of the first nodes; of each node, ``feature`` is the column that it splits on (-1: a leaf),
    ``value`` the number below which a row goes left, or the leaf's, ``right`` the place of the right child, and
    ``missing_left`` whether a missing number goes left. ``start`` is the margin before the first tree. All numbers are
    float32; margins are their float32 sum in the order of the trees.
    """
    saved = json.loads(bytes(booster.save_raw("json")))["learner"]
    flat: dict[str, list[Any]] = {name: [] for name in ("roots", "feature", "value", "right", "missing_left")}
    for tree in saved["gradient_booster"]["model"]["trees"]:
        flat["roots"].append(len(flat["feature"]))
        waiting: list[tuple[int, int | None]] = [(0, None)]  # node, and the place of the parent whose right child it is
        while waiting:
            node, parent = waiting.pop()
            place, left = len(flat["feature"]), tree["left_children"][node]
            if parent is not None:
                flat["right"][parent] = place
            flat["feature"].append(LEAF if left < 0 else tree["split_indices"][node])
            flat["value"].append(tree["split_conditions"][node])
            flat["missing_left"].append(tree["default_left"][node])
            flat["right"].append(place)
            if left >= 0:
                waiting += [(tree["right_children"][node], place), (left, None)]
    return flat | {"start": _start(booster, float(json.loads(saved["learner_model_param"]["base_score"])[0]))}


def without_codes(booster: Any, kept: Mapping[int, Sequence[int]]) -> Any:
    """The same trees for columns of codes of which only some are left, under new numbers that rise as the old ones did.

    ``kept`` holds, by the place of a column, the old codes that stay. Every row that had one of them goes the same way.
    """
    saved = json.loads(bytes(booster.save_raw("json")))
    for tree in saved["learner"]["gradient_booster"]["model"]["trees"]:
        for node, left in enumerate(tree["left_children"]):
            codes = kept.get(tree["split_indices"][node]) if left >= 0 else None
            if codes is not None:
                tree["split_conditions"][node] = float(np.searchsorted(codes, tree["split_conditions"][node]))
    return xgboost.Booster(model_file=bytearray(json.dumps(saved).encode()))


def _start(booster: Any, chance: float) -> float:
    """The float32 log-odds that XGBoost starts from: those whose sum with the first tree's leaves is what it answers.

    Its own logarithm may differ from NumPy's in the last place.
    """
    rows = np.random.default_rng(0).normal(0, 5, (256, booster.num_features())).astype(np.float32)
    first = booster[:1]
    saved = json.loads(bytes(first.save_raw("json")))["learner"]["gradient_booster"]["model"]["trees"][0]
    reached = first.predict(xgboost.DMatrix(rows), pred_leaf=True).astype(int).ravel()
    leaves = np.array(saved["split_conditions"], np.float32)[reached]
    answered = first.inplace_predict(rows, predict_type="margin")
    near = np.float32(-np.log(np.float32(1) / np.float32(chance) - np.float32(1)))
    for steps in (0, 1, -1, 2, -2, 3, -3):
        start = near
        for _ in range(abs(steps)):
            start = np.nextafter(start, np.float32(np.copysign(np.inf, steps)))
        if (start + leaves == answered).all():
            return shortest(start)
    raise WorkbenchError("the trees do not add up as float32 sums do: this version of XGBoost cannot be exported.")


def shortest(number: Any) -> float:
    """The number with the fewest digits that is this float32."""
    return float(str(np.float32(number)))


class Rounds(xgboost.callback.TrainingCallback):
    """Draw a bar of the rounds of training."""

    def __init__(self, drawn: Any) -> None:
        super().__init__()
        self.drawn = drawn

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Go on."""
        self.drawn.update()
        return False


@dataclass(kw_only=True, eq=False, repr=False)
class BoostedModel(BaseEstimator):
    """An estimator of boosted trees, and the parameters that both models have.

    ``linear`` puts a logistic regression on the same features in place of the trees: :mod:`workbench.models.linear`.
    After ``fit``, ``trained_on_`` is the :func:`rows_hash` of the training rows, by which comparisons refuse a model
    from another split, and ``train_seconds_`` the training time (None where the model was loaded: a saved model must
    not depend on the clock). ``fields`` are the columns that the model reads, ``removable()`` those that it can be
    trained without.

    Notes
    -----
    One setting serves all data; only the number of trees is found on each. To pick among this and five others (depth 3
    or 6 with a minimal child weight of 20 or 100 at a rate of 0.1, and 6, 100, 0.05) by log-loss on ``validation`` was
    tried on seven real sets, seed 0. It takes six to twelve times as long, lowers the log-loss of test, and moves net
    by less than its interval everywhere (points, or hits per 100 views):

    ================  =====  ==============  ======================
    set               pick   log-loss, test  net over this setting
    ================  =====  ==============  ======================
    mobile_bandwidth  3, 20  0.444 to 0.444  -0.61 (-1.57 to +0.30)
    atlas_pings       6, 20  0.175 to 0.166  +0.16 (-0.01 to +0.39)
    ofcom_panel       6, 20  0.419 to 0.415  +1.22 (-0.20 to +2.83)
    ofcom_hours       6, 20  0.372 to 0.372  0.00, as the same is sent
    eshop2008         0.05   1.840 to 1.829  +0.06 (-0.10 to +0.21)
    wikispeedia       6, 20  2.075 to 2.067  -0.05 (-0.30 to +0.19)
    msnbc (300,000)   6, 20  1.679 to 1.671  +0.04 (-0.04 to +0.12)
    ================  =====  ==============  ======================
    """

    known_by: str
    extra: tuple[Column, ...] = ()
    without: tuple[str, ...] = ()
    max_depth: int
    min_child_weight: float
    learning_rate: float
    max_trees: int
    patience: int
    seed: int = 0
    device: str = "cpu"
    linear: bool = False

    train_call: ClassVar[str]
    group_labels: ClassVar[Mapping[str, str]] = {}  # what readers see of a group of columns that can be left out
    trained_on_: str = field(init=False)
    train_seconds_: float | None = field(init=False)

    @property
    @abstractmethod
    def trees(self) -> int:
        """Number of trees."""

    @abstractmethod
    def fit_split(self, split: Split) -> Self:
        """Train on ``split.train``; ``split.calibration`` ends the training and calibrates."""

    @abstractmethod
    def _state(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """What ``model.json`` holds besides the parameters, and the other files."""

    @abstractmethod
    def _restore(self, saved: dict[str, Any], read: Callable[[str], bytes]) -> None:
        """Bring back what :meth:`_state` gave; ``read`` reads one of the other files."""

    def refit(self, split: Split, without: Sequence[str] = ()) -> Self:
        """Train a new model on a split, with the same parameters and the columns in ``without`` left out too."""
        left_out = tuple(dict.fromkeys((*self.without, *without)))
        return clone(self).set_params(without=left_out).fit_split(split)

    def fit_linear(self, split: Split) -> Self:
        """Fit a logistic regression to the same rows and features, calibrated alike: the model without its trees."""
        return clone(self).set_params(linear=True).fit_split(split)

    @property
    def kilobytes(self) -> float:
        """Size of the saved model without its manifest, kB."""
        return sum(map(len, self._files().values())) / 1000

    def save(self, folder: str | Path) -> Path:
        """Write a folder of ``model.json``, ``manifest.json`` and the files beside them; same model, same bytes.

        An earlier model there is replaced in one step: whoever reads or kills meanwhile finds one of the two, whole.

        Raises
        ------
        WorkbenchError
            Where the folder holds anything else, or cannot be written; what was there is left.
        """
        files, folder = self._files(), as_path(folder, "a folder")
        SAVED.refuse_other(folder, known=tuple(files))
        types = {each.name: each.dtype for each in (*NAVIGATION_COLUMNS, *COLUMNS, *self.extra)}
        return write_folder(folder, SAVED.sealed(files, {name: types[name] for name in self.fields}))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a model that :meth:`save` wrote.

        Raises
        ------
        WorkbenchError
            Where the folder holds no such model, or one of another format; where a file is missing, cut or changed,
            which is found before XGBoost reads it.
        """
        folder = as_path(folder, "a folder")
        files = SAVED.read(folder)
        saved = SAVED.parse(files[SAVED.main], folder / SAVED.main)
        try:
            params = saved["params"]
            extra = tuple(Column(**{**column, "allowed": tuple(column["allowed"])}) for column in params["extra"])
            model = cls(**{**params, "extra": extra, "without": tuple(params["without"])})
            model._restore(saved, files.__getitem__)
            model.trained_on_, model.train_seconds_ = saved["trained_on"], None
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as err:
            raise WorkbenchError(f"{folder} holds no saved {cls.__name__}. {SAVED.again}.") from err
        return model

    def __repr__(self) -> str:
        usual = {each.name: each.default for each in fields(self)}
        params = {name: value for name, value in self.get_params().items() if value != usual[name]}
        if "extra" in params:
            params["extra"] = tuple(column.name for column in self.extra)
        given = ", ".join(f"{name}={value!r}" for name, value in params.items())
        state = f"{self.trees} trees" if hasattr(self, "trained_on_") else "not trained"
        return f"{type(self).__name__}({given}): {state}"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        # scikit-learn's HTML carries a script, which a rendered proposal forbids.
        return {"text/plain": repr(self)}

    def _files(self) -> dict[str, bytes]:
        self.check_fitted()
        described, files = self._state()
        params = {**self.get_params(), "extra": [asdict(column) for column in self.extra]}
        saved = {"params": params, "trained_on": self.trained_on_, **described}
        return {SAVED.main: json.dumps(saved, indent=1).encode(), **files}

    def _grow(
        self,
        matrix: np.ndarray,
        answer: np.ndarray,
        held_out: tuple[np.ndarray, np.ndarray] | None = None,
        *,
        monotone: Sequence[int] = (),
        max_trees: int | None = None,
    ) -> tuple[Any, np.ndarray]:
        """Grow trees for a yes-or-no answer (or fit weights); also return the raw margins of the held-out rows.

        Trees up to the best round on the held-out matrix and answer are kept; without these, all ``max_trees`` are.
        ``monotone`` is 1 where the chance may only rise with a feature, -1 where it may only fall, else 0.
        """
        if self.linear:
            weights = Linear.fit(matrix, answer, self.seed)
            return weights, np.empty(0) if held_out is None else weights.inplace_predict(held_out[0])
        names = ("max_depth", "min_child_weight", "learning_rate", "seed", "device")
        settings = {"objective": "binary:logistic"} | {name: getattr(self, name) for name in names}
        if monotone:
            settings["monotone_constraints"] = tuple(monotone)
        train = xgboost.QuantileDMatrix(matrix, label=answer)
        rounds = self.max_trees if max_trees is None else max_trees
        if held_out is None:
            return xgboost.train(settings, train, rounds), np.empty(0, np.float32)
        # A plain matrix: rounds are evaluated on it five times as fast as on one of quantiles, with the same trees.
        stop = [(xgboost.DMatrix(held_out[0], label=held_out[1]), "stop")]
        until = {"evals": stop, "early_stopping_rounds": self.patience, "verbose_eval": False}
        with bar("trees", rounds, unit="tree") as drawn:
            booster = xgboost.train(settings, train, rounds, **until, callbacks=[Rounds(drawn)])
        booster = booster[: booster.best_iteration + 1]
        return booster, booster.inplace_predict(held_out[0], predict_type="margin")

    def _read_trees(self, content: bytes) -> Any:
        """Bring back the trees, or weights, that ``save_raw`` wrote."""
        if self.linear:
            return Linear.load(content)
        if not content.startswith(b"{"):  # of anything else XGBoost ends the process
            raise ValueError("no trees")
        return xgboost.Booster(model_file=bytearray(content))

    def _check_settings(self, calibration: Any, y: Any) -> None:
        """Refuse settings that cannot be, and answers given apart from the frame, as ``fit(X, y)`` would."""
        check_fields(self)
        check_device(self.device)
        check_whole("max_depth", self.max_depth, at_least=1, at_most=DEEPEST)
        for name in ("max_trees", "patience"):
            check_whole(name, getattr(self, name), at_least=1)
        if not 0 < self.learning_rate <= 1:
            raise WorkbenchError(f"learning_rate must be above 0 and at most 1; got {self.learning_rate!r}.")
        if not 0 <= self.min_child_weight < np.inf:
            raise WorkbenchError(f"min_child_weight must be a number from 0; got {self.min_child_weight!r}.")
        check_seed(self.seed)
        if y is not None or not isinstance(calibration, pd.DataFrame | None):
            came = type(calibration if y is None else y).__name__
            raise WorkbenchError(
                f"expected a second frame for calibration, or none; got {came}. Leave y out: what is predicted is read "
                "from the frame itself."
            )

    def check_fitted(self) -> None:
        if not hasattr(self, "trained_on_"):
            raise NotFittedError(f"this model is not trained yet: call fit(frame), or {self.train_call}.")
