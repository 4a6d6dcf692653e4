"""One binary XGBoost over thresholds: how likely is a quantity worse than x?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from workbench.datasets.history import HISTORY
from workbench.datasets.splits import users_of
from workbench.errors import WorkbenchError
from workbench.features.encoding import FOLDS, Encoding, fit_encoding
from workbench.features.network import WORSE_IS_HIGH, came_back, worse_than, worst_fifth

REPEATS, REPEATED_ROWS = 4, 500_000  # every row meets 4 thresholds, up to half a million rows in all
ROWS_A_BATCH = 400_000
WORST_TENTH = 0.1
FEWEST_USERS = 2 * FOLDS  # folds within folds, each with users of its own


@dataclass(frozen=True)
class Head:
    """One fitted quantity: its encoding, its trees, and the Platt map on their margin.

    ``levels`` are the training values at the 0th to 100th percentile, shape (101,): what "median" means later. A lost
    probe counts as the largest value that came back.
    """

    quantity: str
    encoding: Encoding
    booster: xgboost.Booster
    slope: float
    intercept: float
    levels: np.ndarray

    def margins(self, matrix: np.ndarray, log_x: np.ndarray) -> np.ndarray:
        """Raw margins of encoded rows at the logarithms of thresholds, shape (rows, thresholds)."""
        step = max(1, ROWS_A_BATCH // max(1, len(log_x)))
        batches = [np.empty((0, len(log_x)), np.float32)]
        for start in range(0, len(matrix), step):
            rows = matrix[start : start + step]
            asked = np.empty((len(rows), len(log_x), matrix.shape[1] + 1), np.float32)
            asked[:, :, :-1] = rows[:, None, :]
            asked[:, :, -1] = log_x
            margin = self.booster.inplace_predict(asked.reshape(-1, asked.shape[-1]), predict_type="margin")
            batches.append(margin.reshape(len(rows), len(log_x)))
        return np.vstack(batches)

    def chances(self, matrix: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """Calibrated chances that encoded rows are worse than thresholds, shape (rows, thresholds)."""
        chance = np.full((len(matrix), len(thresholds)), 0.0 if WORSE_IS_HIGH[self.quantity] else 1.0)
        finite = np.isfinite(thresholds)
        margin = self.margins(matrix, np.log(thresholds[finite]))
        chance[:, finite] = 1 / (1 + np.exp(-(self.slope * margin + self.intercept)))
        return chance


@dataclass(frozen=True)
class Boosting:
    """How trees are grown; ``patience`` rounds without gain on the stopping rows end the training."""

    max_depth: int
    min_child_weight: float
    learning_rate: float
    max_trees: int
    patience: int
    seed: int
    device: str

    def train(self, train: xgboost.DMatrix, stop: xgboost.DMatrix | None, monotone: list[int]) -> Any:
        """Grow trees; with ``stop``, keep those up to the best round."""
        booster = xgboost.train(
            {
                "objective": "binary:logistic",
                "max_depth": self.max_depth,
                "min_child_weight": self.min_child_weight,
                "learning_rate": self.learning_rate,
                "monotone_constraints": tuple(monotone),
                "seed": self.seed,
                "device": self.device,
            },
            train,
            self.max_trees,
            evals=[] if stop is None else [(stop, "stop")],
            early_stopping_rounds=None if stop is None else self.patience,
            verbose_eval=False,
        )
        return booster if stop is None else booster[: booster.best_iteration + 1]


def fit_head(
    rows: pd.DataFrame,
    stop: pd.DataFrame | None,
    quantity: str,
    context_of: Callable[[pd.DataFrame], pd.DataFrame],
    boosting: Boosting,
) -> Head:
    """Fit encoding, trees and the Platt map for one quantity.

    Parameters
    ----------
    rows : DataFrame
        Canonical measurements with the quantity in every row.
    stop : DataFrame or None
        Other users, who end the training and calibrate. Where it is None, or holds fewer than 10 users with the
        quantity, out-of-fold predictions serve, in folds by user.
    quantity : str
    context_of : callable
        Cuts a frame down to what the model may see.
    boosting : Boosting

    Returns
    -------
    Head

    Raises
    ------
    WorkbenchError
        Where ``rows`` holds fewer than 10 users.
    """
    users = _count_users(rows)
    if users < FEWEST_USERS:
        raise WorkbenchError(f"{quantity}: a model needs at least {FEWEST_USERS} users who measured it; got {users}.")
    stop = None if stop is None or quantity not in stop else stop[stop[quantity].notna()]
    if stop is not None and _count_users(stop) >= FEWEST_USERS:
        head, margin, answer = _grow(rows, stop, quantity, context_of, boosting)
    else:
        folds = [
            _grow(fit, held_out, quantity, context_of, boosting) for fit, held_out in _user_folds(rows, boosting.seed)
        ]
        trees = round(np.mean([head.booster.num_boosted_rounds() for head, _, _ in folds]))
        margin, answer = (np.concatenate([fold[i] for fold in folds]) for i in (1, 2))
        head, _, _ = _grow(rows, None, quantity, context_of, replace(boosting, max_trees=max(1, trees)))
    platt = LogisticRegression(C=np.inf).fit(margin[:, None], answer)
    return replace(head, slope=float(platt.coef_[0, 0]), intercept=float(platt.intercept_[0]))


def check_device(device: str) -> None:
    """Refuse a GPU that cannot be used, where XGBoost would only warn and train on the CPU.

    Raises
    ------
    WorkbenchError
        Where ``device`` is neither ``"cpu"`` nor a usable ``"cuda"``.
    """
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


def _grow(
    rows: pd.DataFrame,
    stop: pd.DataFrame | None,
    quantity: str,
    context_of: Callable[[pd.DataFrame], pd.DataFrame],
    boosting: Boosting,
) -> tuple[Head, np.ndarray, np.ndarray]:
    """Fit encoding and trees; return the margins and answers of the rows that stopped the training."""
    values = rows[quantity].to_numpy(float)
    sample = came_back(values)
    encoding, matrix = fit_encoding(context_of(rows), _targets(values, quantity), users_of(rows), boosting.seed)
    remembered = [i for i, source in enumerate(encoding.sources) if source in HISTORY]
    asked, answer = ask(matrix, values, sample, quantity, boosting.seed, remembered=remembered)
    train = xgboost.QuantileDMatrix(asked, label=answer)
    monotone = [0] * matrix.shape[1] + [-1 if WORSE_IS_HIGH[quantity] else 1]
    levels = np.quantile(np.minimum(values, sample.max()), np.linspace(0, 1, 101))
    if stop is None:
        booster = boosting.train(train, None, monotone)
        return Head(quantity, encoding, booster, 1.0, 0.0, levels), np.empty(0), np.empty(0)
    unseen = encoding.transform(context_of(stop))
    stop_asked, stop_answer = ask(
        unseen, stop[quantity].to_numpy(float), sample, quantity, boosting.seed + 1, remembered=remembered
    )
    stop_matrix = xgboost.DMatrix(stop_asked, label=stop_answer)  # same trees as binned, and evaluated sooner
    booster = boosting.train(train, stop_matrix, monotone)
    margin = booster.inplace_predict(stop_asked, predict_type="margin")
    return Head(quantity, encoding, booster, 1.0, 0.0, levels), margin, stop_answer


def ask(
    matrix: np.ndarray,
    values: np.ndarray,
    sample: np.ndarray,
    quantity: str,
    seed: int,
    *,
    remembered: Sequence[int] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Repeat each row with random thresholds: half from all of a sample, half from its worst fifth.

    Each row meets 4 thresholds up to 125,000 rows, then ``max(1, 500,000 // rows)``. Half of the repeats come without
    history: the views that need a prediction most are those of people whom nobody remembers.

    Parameters
    ----------
    matrix : ndarray of float32, shape (rows, features)
    values : ndarray, shape (rows,)
        What was measured.
    sample : ndarray, shape (any,)
        Where thresholds are drawn from: the training values, without lost probes.
    quantity : str
    seed : int
    remembered : sequence of int
        Columns of history.

    Returns
    -------
    asked : ndarray of float32, shape (rows * repeats, features + 1)
        The last column is log x.
    answer : ndarray of float, shape (rows * repeats,)
        1 where the value is worse than x.
    """
    rng = np.random.default_rng([seed, len(values)])
    repeats = REPEATS if len(values) * REPEATS <= REPEATED_ROWS else max(1, REPEATED_ROWS // len(values))
    rows = np.repeat(np.arange(len(values)), repeats)
    # Every other one, counted in random order of the rows: where repeats are odd, no row meets one half alone always.
    turn = np.tile(np.arange(repeats), len(values)) + rng.permutation(len(values))[rows]
    everywhere = rng.choice(sample, len(rows))
    tail = rng.choice(worst_fifth(sample, quantity), len(rows))
    x = np.where(turn % 2 == 0, everywhere, tail)
    asked = np.column_stack([matrix[rows], np.log(x)]).astype(np.float32)
    asked[np.ix_(turn // 2 % 2 == 1, remembered)] = np.nan
    return asked, worse_than(values[rows], x, quantity).astype(float)


def _targets(values: np.ndarray, quantity: str) -> dict[str, np.ndarray]:
    """What a level's past says of a quantity: its middle (mean of the log) and its tail (share in the worst tenth).

    A lost probe counts as the largest value that came back.
    """
    high = WORSE_IS_HIGH[quantity]
    values = np.minimum(values, came_back(values).max())
    edge = np.quantile(values, 1 - WORST_TENTH if high else WORST_TENTH)
    return {"log": np.log(values), "tail": (values >= edge if high else values <= edge).astype(float)}


def _count_users(rows: pd.DataFrame) -> int:
    return len(np.unique(users_of(rows)))


def _user_folds(rows: pd.DataFrame, seed: int) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed).split(rows, groups=users_of(rows))
    for fit, held_out in folds:
        yield rows.iloc[fit], rows.iloc[held_out]


def check_trained_on(model: Any, split: Any, how: str) -> None:
    """TEMP."""
