"""A logistic regression in place of trees: planted weights, missing numbers, and a model that uses it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.models.linear import LOG_FLOOR, MOST_ROWS, Linear


def odds(chance):
    return np.log(chance / (1 - chance))


def test_planted_weights_come_back():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(50_000, 2)).astype(np.float32)
    truth = 0.5 + 1.5 * matrix[:, 0] - 0.7 * matrix[:, 1]
    fitted = Linear.fit(matrix, rng.random(50_000) < 1 / (1 + np.exp(-truth)), seed=0)
    assert np.abs(fitted.inplace_predict(matrix) - truth).mean() < 0.05


def test_it_is_scikit_learns_regression_of_standard_columns_whatever_their_units():
    rng = np.random.default_rng(1)
    matrix = rng.normal(3, 2, size=(2_000, 3)).astype(np.float32)
    answer = rng.random(2_000) < 1 / (1 + np.exp(-matrix[:, 0] + 3))
    standard = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    theirs = LogisticRegression(tol=1e-8).fit(standard, answer).decision_function(standard)
    for unit in (1, 1000):
        assert Linear.fit(matrix * unit, answer, 0).inplace_predict(matrix * unit) == pytest.approx(theirs, abs=1e-3)


def test_a_chance_enters_with_its_logarithm_and_a_missing_number_with_a_flag():
    rng = np.random.default_rng(2)
    matrix = np.column_stack([rng.uniform(0, 0.2, 40_000) ** 2, rng.normal(size=40_000)])
    known = matrix[:, 0] + LOG_FLOOR
    matrix[rng.random(40_000) < 0.5, 1] = np.nan
    gone = np.isnan(matrix[:, 1])
    truth = np.log(known) + 3 * gone
    fitted = Linear.fit(matrix, rng.random(40_000) < 1 / (1 + np.exp(-truth)), seed=0)
    assert np.corrcoef(fitted.inplace_predict(matrix), truth)[0, 1] > 0.99
    assert fitted.logged.tolist() == [0] and fitted.flagged.tolist() == [1]
    assert np.isfinite(fitted.inplace_predict(np.full((1, 2), np.nan))).all()


def test_many_rows_are_drawn_by_seed():
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(MOST_ROWS + 1_000, 1))
    answer = rng.random(len(matrix)) < 0.3
    one, same, other = (Linear.fit(matrix, answer, seed).weights for seed in (0, 0, 1))
    assert (one == same).all() and (one != other).any()


@pytest.mark.parametrize("name", ["synthetic_measurements", "synthetic_navigations"])
def test_a_linear_model_has_the_models_features_and_can_be_saved(name, tmp_path):
    views = wb.load(name, rows=2_000)
    train = wb.train_network_quality if name.endswith("measurements") else wb.train_next_page
    split = wb.split_by_user(views)
    model = train(split, max_trees=5)
    linear = model.fit_linear(split)
    assert linear.fields == model.fields and linear.trees == 0 and model.trees > 0
    assert linear.kilobytes < model.kilobytes + 20
    again = type(model).load(linear.save(tmp_path))
    assert again.score(split.test) == linear.score(split.test) != model.score(split.test)


def test_trees_alone_have_shap_values():
    split = wb.split_by_user(wb.load("synthetic_measurements", rows=1_000))
    linear = wb.train_network_quality(split, linear=True)
    with pytest.raises(WorkbenchError, match="explain trees"):
        wb.shap_values(linear, split.test)
