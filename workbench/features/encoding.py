"""Context to numbers: a fitted encoding that can be saved as plain dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import TargetEncoder

from workbench.datasets.splits import FEWEST_USERS

ONE_HOT_LEVELS = 20  # more levels than this are target-encoded
FOLDS = 5
MISSING = "(missing)"
FEW = "(too few users)"  # the level of all values that fewer than 20 users share, and of values never seen


@dataclass(frozen=True)
class Encoding:
    """How each context column becomes numbers.

    ``numbers`` are columns taken as they are (XGBoost learns a direction for missing ones); ``levels``: column to the
    levels with a one-hot column of their own, where any other level is all zeros; ``means``: ``"column|target"`` to the
    shrunken mean of the target for each level; ``defaults``: target to its overall mean. A level of fewer than 20 users
    is none: it is ``FEW``, as is a level never seen.
    """

    numbers: tuple[str, ...]
    levels: Mapping[str, list[str]]
    means: Mapping[str, Mapping[str, float]]
    defaults: Mapping[str, float]

    @property
    def features(self) -> list[str]:
        """Names of the encoded columns, in order: ``column``, ``column=level`` or ``column|target``."""
        one_hot = [f"{name}={level}" for name, levels in self.levels.items() for level in levels]
        return [*self.numbers, *one_hot, *self.means]

    @property
    def sources(self) -> list[str]:
        """Context column behind each encoded column, in the order of ``features``."""
        one_hot = [name for name, levels in self.levels.items() for _ in levels]
        return [*self.numbers, *one_hot, *(key.rsplit("|", 1)[0] for key in self.means)]

    def columns(self) -> list[dict[str, Any]]:
        """The encoded columns in the order of ``features``, as a site works them out.

        Each is of a ``field``: its number; 1 where it is ``level``, else 0; or what ``means`` says of its level, else
        ``otherwise``. Numbers are float32, with the fewest digits.
        """
        found: list[dict[str, Any]] = [{"field": name} for name in self.numbers]
        found += [{"field": name, "level": level} for name, levels in self.levels.items() for level in levels]
        for key, means in self.means.items():
            name, target = key.rsplit("|", 1)
            numbers = {level: float(str(np.float32(mean))) for level, mean in means.items()}
            otherwise = numbers.pop(FEW, float(str(np.float32(self.defaults[target]))))
            found.append({"field": name, "means": numbers, "otherwise": otherwise})
        return found

    def transform(self, context: pd.DataFrame) -> np.ndarray:
        """Encode a context: float32, shape (rows, len(features)). Columns it lacks are missing."""
        columns = [read_numbers(context, name, np.float32) for name in self.numbers]
        for name, levels in self.levels.items():
            code, texts = _levels_of(context, name)
            columns += [np.array([text == level for text in texts], np.float32)[code] for level in levels]
        coded = {name: _levels_of(context, name) for name in dict.fromkeys(key.rsplit("|", 1)[0] for key in self.means)}
        for key, means in self.means.items():
            name, target = key.rsplit("|", 1)
            code, texts = coded[name]
            few = means.get(FEW, self.defaults[target])
            columns.append(np.array([means.get(text, few) for text in texts], np.float32)[code])
        return np.column_stack(columns).astype(np.float32) if columns else np.empty((len(context), 0), np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; ``Encoding(**d)`` brings it back."""
        return asdict(self)


def distinct_rows(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row of a matrix once, and which of them every row is: float32 (distinct rows, features) and int (rows,).

    Rows are compared by a 64-bit hash; among a million rows, two collide with a chance of 3e-8.

    >>> distinct, which = distinct_rows(np.array([[1.0], [2.0], [1.0]]))
    >>> distinct[which].ravel().tolist(), len(distinct)
    ([1.0, 2.0, 1.0], 2)
    """
    hashed = pd.util.hash_pandas_object(pd.DataFrame(matrix), index=False)
    _, first, which = np.unique(hashed, return_index=True, return_inverse=True)
    return matrix[first], which


def is_numeric(values: pd.Series) -> bool:
    """Whether a column holds numbers; flags are none."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def read_numbers(frame: pd.DataFrame, name: str, dtype: DTypeLike = float) -> np.ndarray:
    """Numbers of a column, shape (rows,); all missing where the frame lacks it."""
    if name not in frame:
        return np.full(len(frame), np.nan, dtype)
    return frame[name].to_numpy(dtype, na_value=np.nan)


def fit_encoding(
    context: pd.DataFrame, targets: Mapping[str, np.ndarray], users: np.ndarray, seed: int = 0
) -> tuple[Encoding, np.ndarray]:
    """Fit an encoding on all rows, and cross-fit these rows themselves: float32 (rows, features).

    Levels of fewer than 20 users are one, so that a saved model tells nothing of a few people, and what is compared is
    what ships. Columns with more than 20 levels are target-encoded (scikit-learn's empirical-Bayes ``TargetEncoder``)
    in folds grouped by user: with ungrouped folds a user's other rows would reveal the answer. Constant and all-missing
    columns are left out. ``targets`` maps names to numbers (rows,); ``seed`` draws the folds.
    """
    numbers, levels, coded = [], {}, []
    texts = [name for name in context if not is_numeric(context[name])]
    context = context.assign(**{name: _common(context[name], users) for name in texts})
    for name in context:
        known = context[name].dropna()
        if known.nunique() + (len(known) < len(context)) < 2:
            continue
        if is_numeric(context[name]):
            numbers.append(name)
        elif known.nunique() > ONE_HOT_LEVELS:
            coded.append(name)
        else:
            levels[name] = sorted({*context[name].fillna(MISSING)} - {FEW})
    means, crossed = _target_means(context, coded, targets, users, seed)
    defaults = {target: float(np.mean(values)) for target, values in targets.items()}
    encoding = Encoding(tuple(numbers), levels, means, defaults)
    matrix = encoding.transform(context)
    if coded:
        matrix[:, -crossed.shape[1] :] = crossed
    return encoding, matrix


def as_shown(values: pd.Series, encoding: Encoding | None = None) -> pd.Series:
    """Numbers as numbers; text in the order of what its levels measured in the past, where the model knows that."""
    if is_numeric(values):
        return values.astype(float)
    known = encoding.means.get(f"{values.name}|log") if encoding else None
    if encoding is None or known is None:
        return values.astype(object)
    few = known.get(FEW, encoding.defaults["log"])
    levels = sorted(values.dropna().unique(), key=lambda level: known.get(str(level), few))
    return values.astype(object).astype(pd.CategoricalDtype(levels, ordered=True))


def _target_means(
    context: pd.DataFrame, coded: list[str], targets: Mapping[str, np.ndarray], users: np.ndarray, seed: int
) -> tuple[dict[str, dict[str, float]], np.ndarray]:
    means: dict[str, dict[str, float]] = {}
    crossed = []
    if not coded:
        return means, np.empty((len(context), 0))
    folds = list(GroupKFold(FOLDS, shuffle=True, random_state=seed).split(context, groups=users))
    found = {name: _levels_of(context, name) for name in coded}
    text = pd.DataFrame(
        {name: np.array(texts, dtype=object)[code] for name, (code, texts) in found.items()}, dtype=object
    )
    for target, values in targets.items():
        encoder = TargetEncoder(target_type="continuous", cv=folds)
        crossed.append(encoder.fit_transform(text, np.asarray(values, float)))
        for name, known, fitted in zip(coded, encoder.categories_, encoder.encodings_, strict=True):
            means[f"{name}|{target}"] = dict(zip(known, fitted.tolist(), strict=True))
    return means, np.hstack(crossed)


def _common(values: pd.Series, users: np.ndarray) -> pd.Series:
    """Levels as text; those of fewer than 20 users are ``FEW``."""
    code, found = pd.factorize(values)
    count = pd.Series(users).groupby(code).nunique().reindex(range(len(found)), fill_value=0)
    texts = np.array([*map(str, found), None], dtype=object)
    texts[:-1][count.to_numpy() < FEWEST_USERS] = FEW
    return pd.Series(texts[code], values.index)


def _levels_of(context: pd.DataFrame, name: str) -> tuple[np.ndarray, list[str]]:
    """Number of each row's level, shape (rows,), and the levels as text; -1 finds the last one: what is missing."""
    if name not in context:
        return np.full(len(context), -1), [MISSING]
    code, found = pd.factorize(context[name])
    return code, [*map(str, found), MISSING]
