"""Network quality: how likely is this network worse than x, in this context? One binary XGBoost over thresholds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import GroupKFold

from workbench.checked import checked
from workbench.datasets.history import HISTORY
from workbench.datasets.schema import context_columns, known_context, measured_quantities
from workbench.datasets.splits import Split, users_of
from workbench.errors import WorkbenchError
from workbench.features.encoding import FOLDS, Encoding, distinct_rows, fit_encoding
from workbench.features.network import WORSE_IS_HIGH, came_back, worse_than, worst_fifth
from workbench.flat_trees import Trees
from workbench.models.boosting import (
    LEAF,
    SMALLEST_CHANCE,
    BoostedModel,
    check_without,
    fit_platt,
    flat_trees,
    rows_hash,
)
from workbench.models.linear import Linear

REPEATS, REPEATED_ROWS = 4, 500_000  # every row meets 4 thresholds, up to half a million rows in all
ROWS_A_BATCH = 400_000
FEWEST_ASKED_AT_ONCE = 500  # rows, from which laying out the trees pays
WORST_TENTH = 0.1
FEWEST_USERS = 2 * FOLDS  # folds within folds, each with users of its own
ASKED = -2  # in place of a feature: the node splits on the threshold asked about
SCORED = slice(5, 100, 5)  # percentiles of the training values at which a model is scored


@checked
@dataclass(kw_only=True, eq=False, repr=False)
class NetworkQuality(BoostedModel):
    """Chances that a view's network is worse than a threshold, from its context.

    Parameters
    ----------
    known_by : str
        Information set: one of ``datasets.columns.LEVELS``.
    extra : tuple of Column
        Context columns beyond the canonical ones.
    without : tuple of str
        Context columns to leave out.
    max_depth, min_child_weight, learning_rate, max_trees, patience : numbers
        Settings of the boosted trees; ``patience`` rounds without gain on ``calibration`` end the training.
    seed : int
    device : str
        ``"cpu"`` or ``"cuda"``.
    linear : bool
        Whether a logistic regression on the same features takes the place of the trees.

    Attributes
    ----------
    heads_ : dict of str to Head
        One for each measured quantity.

    Notes
    -----
    Depth 4 with a minimal child weight of 50 was the best of the depths tried on mobile_bandwidth: shallow trees
    leave the tail of small groups alone.

    It works in scikit-learn's ``cross_val_score(model, frame)`` and ``GridSearchCV(model, {...}).fit(frame)``, without
    ``y``. These split rows, so that a user's other views would be in the training part: pass ``cv=GroupKFold()`` and
    ``groups=frame["user_id"]``.
    """

    known_by: str = "first_request"
    max_depth: int = 4
    min_child_weight: float = 50
    learning_rate: float = 0.1
    max_trees: int = 1000
    patience: int = 20

    train_call: ClassVar[str] = "wb.train_network_quality(split)"
    heads_: dict[str, Head] = field(init=False)

    def fit(self, frame: pd.DataFrame, calibration: pd.DataFrame | None = None, *, y: None = None) -> Self:
        """Fit encoding, trees and calibration for each measured quantity.

        Parameters
        ----------
        frame : DataFrame
            Canonical measurements; context is encoded inside.
        calibration : DataFrame, optional
            Other users, for early stopping and calibration. Without it, or where it holds fewer than 10 users
            with a quantity, out-of-fold predictions serve.
        y : None
            For scikit-learn's tools: what is predicted is read from the frame.

        Raises
        ------
        WorkbenchError
            Where nothing was measured, a quantity never varies or was measured by fewer than 10 users, ``without``
            names a column that is no context, ``seed`` is negative, or ``device`` has no usable GPU.
        """
        self._check_settings(calibration, y)
        check_without(self.without, context_columns("never", self.extra), "context columns, such as ('asn',)")
        quantities = measured_quantities(frame)
        if not quantities:
            raise WorkbenchError("expected a measured column (rtt_ms, downlink_mbps or page_load_ms) with values.")
        started = time.perf_counter()
        heads = {}
        for quantity in quantities:
            rows = frame[frame[quantity].notna()]
            if rows[quantity].nunique() < 2:
                raise WorkbenchError(f"{quantity} has one value in all rows: there is nothing to predict.")
            heads[quantity] = fit_head(self, rows, calibration, quantity)
        self.heads_ = heads
        self.train_seconds_ = time.perf_counter() - started
        self.trained_on_ = rows_hash(frame, calibration)
        return self

    def fit_split(self, split: Split) -> Self:
        """Train on ``split.train``; ``split.calibration`` ends the training and calibrates."""
        return self.fit(split.train, split.calibration)

    @property
    def quantities(self) -> tuple[str, ...]:
        """Measured quantities that the model answers for."""
        self.check_fitted()
        return tuple(self.heads_)

    def context(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The part of a frame that the model reads."""
        known = known_context(frame, self.known_by, self.extra)
        return known.drop(columns=[name for name in self.without if name in known])

    def encode(self, frame: pd.DataFrame, quantity: str) -> tuple[np.ndarray, np.ndarray]:
        """Distinct encoded rows, float32, shape (distinct rows, features), and which of them each row is."""
        return distinct_rows(self._head(quantity).encoding.transform(self.context(frame)))

    def chance_worse(self, context: pd.DataFrame, quantity: str, thresholds: ArrayLike) -> np.ndarray:
        """Calibrated chance that a quantity is worse than each threshold.

        Parameters
        ----------
        context : DataFrame, shape (rows, columns)
            A canonical frame, or the context of one.
        quantity : str
            One of ``quantities``; RTT and load time are worse above, throughput below.
        thresholds : float or array_like, shape (thresholds,)
            In the quantity's unit, above 0; infinite throughput is certain to be missed.

        Returns
        -------
        ndarray of float, shape (rows, thresholds); shape (rows,) for a single number
            Monotone along thresholds.

        Raises
        ------
        WorkbenchError
            Where the model does not answer for the quantity, or a threshold is not above 0.
        """
        asked = np.asarray(thresholds, float)
        if asked.ndim > 1 or not (asked > 0).all():
            expected = "must be a number above 0, or a list of them"
            raise WorkbenchError(f"thresholds of {quantity} {expected}; got {thresholds!r}.")
        matrix, which = self.encode(context, quantity)
        chance = self.heads_[quantity].chances(matrix, np.atleast_1d(asked))[which]
        return chance if asked.ndim else chance[:, 0]

    def predict(self, frame: pd.DataFrame, quantity: str | None = None) -> np.ndarray:
        """The predicted median of a quantity, by default of the first: it is as likely to be worse as better.

        ``frame`` is canonical, or the context of one. The medians, float, shape (rows,), are in the quantity's unit,
        interpolated in its logarithm between percentiles of the training values, and never beyond the smallest and the
        largest of them.
        """
        quantity = self.quantities[0] if quantity is None else quantity
        matrix, which = self.encode(frame, quantity)
        head = self.heads_[quantity]
        levels = np.unique(head.levels)
        worse = head.chances(matrix, levels)
        below = 1 - worse if WORSE_IS_HIGH[quantity] else worse
        place = np.clip((below < 0.5).sum(axis=1), 1, max(len(levels) - 1, 1)) - 1
        after = np.minimum(place + 1, len(levels) - 1)
        low, high = (np.take_along_axis(below, at[:, None], axis=1)[:, 0] for at in (place, after))
        share = np.clip((0.5 - low) / np.maximum(high - low, 1e-12), 0, 1)
        return np.exp((1 - share) * np.log(levels[place]) + share * np.log(levels[after]))[which]

    def score(self, frame: pd.DataFrame, y: None = None) -> float:
        """Negative log-loss: the higher, the better the chances fit what was measured.

        The mean over rows, over the 5th, 10th, ... 95th percentile of the training values as thresholds (was the row
        worse than it?), then over the quantities that model and frame both have; a frame of canonical measurements with
        none of them is a WorkbenchError. Rows without a quantity do not count for it. A lost probe is worse than all; a
        chance below one in a million counts as that.
        """
        measured = [quantity for quantity in self.quantities if quantity in measured_quantities(frame)]
        if not measured:
            raise WorkbenchError(f"expected a measured column ({', '.join(self.quantities)}) with values.")
        scores = []
        for quantity in measured:
            rows = frame[frame[quantity].notna()]
            thresholds = self.heads_[quantity].levels[SCORED]
            worse = worse_than(rows[quantity].to_numpy(float)[:, None], thresholds, quantity)
            chance = self.chance_worse(rows, quantity, thresholds)
            scores.append(np.log(np.where(worse, chance, 1 - chance).clip(SMALLEST_CHANCE)).mean())
        return float(np.mean(scores))

    def shortened(self, share: float, split: Split) -> Self:
        """The first trees alone, a share of them, calibrated again on ``split.calibration``."""

        def first(head: Head) -> Head:
            booster = head.booster[: max(1, round(share * head.booster.num_boosted_rounds()))]
            rows = split.calibration[split.calibration[head.quantity].notna()]
            matrix = head.encoding.transform(self.context(rows))
            sample = came_back(split.train[head.quantity].dropna().to_numpy(float))
            remembered = [i for i, source in enumerate(head.encoding.sources) if source in HISTORY]
            measured = rows[head.quantity].to_numpy(float)
            asked, answer = ask(matrix, measured, sample, head.quantity, self.seed + 1, remembered=remembered)
            slope, intercept = fit_platt(booster.inplace_predict(asked, predict_type="margin"), answer)
            return replace(head, booster=booster, slope=slope, intercept=intercept)

        return self._with_heads(first)

    def _with_heads(self, change: Callable[[Head], Head]) -> Self:
        other = clone(self)
        other.heads_ = {quantity: change(head) for quantity, head in self.heads_.items()}
        other.trained_on_, other.train_seconds_ = self.trained_on_, self.train_seconds_
        return other

    @property
    def fields(self) -> tuple[str, ...]:
        """Columns that the model reads, sorted."""
        return tuple(sorted(self.removable()))

    @property
    def trees(self) -> int:
        """Trees of all quantities together."""
        self.check_fitted()
        return sum(head.booster.num_boosted_rounds() for head in self.heads_.values())

    def removable(self) -> tuple[str, ...]:
        """Columns that the model reads, in its own order: each can be left out."""
        self.check_fitted()
        return tuple(dict.fromkeys(name for head in self.heads_.values() for name in head.encoding.sources))

    def _head(self, quantity: str) -> Head:
        self.check_fitted()
        if quantity not in self.heads_:
            trained = ", ".join(self.heads_)
            raise WorkbenchError(f"the model was trained on {trained}; it cannot answer for {quantity!r}.")
        return self.heads_[quantity]

    def _state(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        described = {
            quantity: {
                "encoding": head.encoding.to_dict(),
                "slope": head.slope,
                "intercept": head.intercept,
                "levels": head.levels.tolist(),
            }
            for quantity, head in self.heads_.items()
        }
        trees = {f"{quantity}.ubj": bytes(head.booster.save_raw("ubj")) for quantity, head in self.heads_.items()}
        return {"heads": described}, trees

    def _restore(self, saved: dict[str, Any], read: Callable[[str], bytes]) -> None:
        self.heads_ = {}
        for quantity, head in saved["heads"].items():
            encoding = Encoding(**{**head["encoding"], "numbers": tuple(head["encoding"]["numbers"])})
            booster = self._read_trees(read(f"{quantity}.ubj"))
            levels = np.asarray(head["levels"])
            self.heads_[quantity] = Head(quantity, encoding, booster, head["slope"], head["intercept"], levels)


@checked
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

    >>> model = wb.train_network_quality(split, known_by="first_request")  # doctest: +SKIP
    """
    model = NetworkQuality(known_by=known_by or split.card.known_by, extra=split.card.context, **parameters)
    return model.fit_split(split)


@dataclass(frozen=True)
class Head:
    """One fitted quantity: its encoding, its trees, and the Platt map on their margin.

    ``levels`` are the training values at the 0th to 100th percentile, shape (101,): what "median" means later. A lost
    probe counts as the largest value that came back.
    """

    quantity: str
    encoding: Encoding
    booster: Any
    slope: float
    intercept: float
    levels: np.ndarray

    def margins(self, matrix: np.ndarray, log_x: np.ndarray) -> np.ndarray:
        """Raw margins of encoded rows at the logarithms of thresholds, shape (rows, thresholds).

        Of many rows, each tree is asked once about all thresholds, which adds up to the same float32 as XGBoost's.
        """
        if len(matrix) >= FEWEST_ASKED_AT_ONCE and len(log_x) > 1 and not isinstance(self.booster, Linear):
            asked, which = np.unique(log_x.astype(np.float32), return_inverse=True)
            used, trees = self.asking(asked)
            return Trees(trees).margins(matrix[:, used].astype(np.float32))[:, which]
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
        margin = self.margins(matrix, np.log(thresholds[finite])).astype(float)
        chance[:, finite] = 1 / (1 + np.exp(-(self.slope * margin + self.intercept)))
        return chance

    def shipped(self, thresholds: np.ndarray) -> dict[str, Any]:
        """The head as plain lists, for a site that asks it about these thresholds and no others.

        ``thresholds`` rise and are finite: float, shape (asked,). ``features`` are the encoded columns that trees split
        on; a node that splits on the threshold has the feature -2, and its value is how many thresholds go left. A
        linear head holds all features, its weights, and the logarithms of the thresholds.
        """
        if isinstance(self.booster, Linear):
            logs = np.log(thresholds).astype(np.float32).tolist()
            numbers = {"features": list(self.encoding.columns()), "logs": logs, "line": self.booster.shipped()}
            return numbers | {"slope": self.slope, "intercept": self.intercept}
        used, trees = self.asking(np.log(thresholds).astype(np.float32))
        columns = self.encoding.columns()
        numbers = {"features": [columns[each] for each in used], **trees}
        return numbers | {"slope": self.slope, "intercept": self.intercept}

    def asking(self, asked: np.ndarray) -> tuple[list[int], dict[str, Any]]:
        """Encoded columns that trees split on, and the trees that ask these, and about ``asked``: logarithms of
        thresholds, float32, rising, shape (asked,). For :class:`workbench.flat_trees.Trees`.
        """
        trees, about_threshold = self._flat, len(self.encoding.features)
        used = sorted({each for each in trees["feature"] if 0 <= each < about_threshold})
        place = {LEAF: LEAF, about_threshold: ASKED} | {each: i for i, each in enumerate(used)}
        value = [
            int(np.searchsorted(asked, np.float32(number))) if feature == about_threshold else number
            for feature, number in zip(trees["feature"], trees["value"], strict=True)
        ]
        feature = [place[each] for each in trees["feature"]]
        return used, {"asked": len(asked), **trees, "feature": feature, "value": value}

    @cached_property
    def _flat(self) -> dict[str, Any]:
        return flat_trees(self.booster)


def fit_head(model: NetworkQuality, rows: pd.DataFrame, stop: pd.DataFrame | None, quantity: str) -> Head:
    """Fit encoding, trees and the Platt map for one quantity, which every row of ``rows`` holds.

    ``stop``, rows of other users, ends the training and calibrates. Where it is None, or holds fewer than 10 users with
    the quantity, out-of-fold predictions serve, in folds by user.
    """
    users = _count_users(rows[np.isfinite(rows[quantity])])
    if users < FEWEST_USERS:
        raise WorkbenchError(
            f"{quantity}: a model needs at least {FEWEST_USERS} users whose probes came back; got {users}."
        )
    stop = None if stop is None or quantity not in stop else stop[stop[quantity].notna()]
    if stop is not None and _count_users(stop) >= FEWEST_USERS:
        head, margin, answer = _grow(model, rows, stop, quantity)
    else:
        folds = [_grow(model, fit, held_out, quantity) for fit, held_out in _user_folds(rows, model.seed)]
        trees = round(np.mean([head.booster.num_boosted_rounds() for head, _, _ in folds]))
        margin, answer = (np.concatenate([fold[i] for fold in folds]) for i in (1, 2))
        head, _, _ = _grow(model, rows, None, quantity, max(1, trees))
    words = "worse" if answer[0] else "better"
    alike = (
        f"{quantity}: all rows that calibrate the model are {words} than every threshold (an outage, or a cap on what "
        "was measured?). Leave that time out, or take more rows."
    )
    slope, intercept = fit_platt(margin, answer, alike)
    return replace(head, slope=slope, intercept=intercept)


def _grow(
    model: NetworkQuality, rows: pd.DataFrame, stop: pd.DataFrame | None, quantity: str, max_trees: int | None = None
) -> tuple[Head, np.ndarray, np.ndarray]:
    """Fit encoding and trees; return the margins and answers of the rows that stopped the training."""
    values, seed = rows[quantity].to_numpy(float), model.seed
    sample = came_back(values)
    encoding, matrix = fit_encoding(model.context(rows), _targets(values, quantity), users_of(rows), seed)
    remembered = [i for i, source in enumerate(encoding.sources) if source in HISTORY]
    asked, answer = ask(matrix, values, sample, quantity, seed, remembered=remembered)
    monotone = [0] * matrix.shape[1] + [-1 if WORSE_IS_HIGH[quantity] else 1]
    levels = np.quantile(np.minimum(values, sample.max()), np.linspace(0, 1, 101))
    held_out = None
    if stop is not None:
        unseen, measured = encoding.transform(model.context(stop)), stop[quantity].to_numpy(float)
        held_out = ask(unseen, measured, sample, quantity, seed + 1, remembered=remembered)
    booster, margin = model._grow(asked, answer, held_out, monotone=monotone, max_trees=max_trees)
    return Head(quantity, encoding, booster, 1.0, 0.0, levels), margin, np.empty(0) if held_out is None else held_out[1]


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
    history (``remembered``: its columns): the views that need a prediction most are those of users without history.

    ``values`` are what was measured, shape (rows,); ``sample``, where thresholds are drawn from, the training values
    without lost probes. Gives the encoded rows with log x as the last column, float32, shape (rows * repeats,
    features + 1), and 1 where the value is worse than x.
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
    """What each level of a column is encoded by: the mean of the log, and the share in the worst tenth.

    A lost probe counts as the largest value that came back.
    """
    high = WORSE_IS_HIGH[quantity]
    values = np.minimum(values, came_back(values).max())
    edge = np.quantile(values, 1 - WORST_TENTH if high else WORST_TENTH)
    return {"log": np.log(values), "tail": (values >= edge if high else values <= edge).astype(float)}


def _count_users(rows: pd.DataFrame) -> int:
    return len(np.unique(users_of(rows)))


def _user_folds(rows: pd.DataFrame, seed: int) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed).split(rows, groups=users_of(rows))
    return [(rows.iloc[fit], rows.iloc[held_out]) for fit, held_out in folds]
