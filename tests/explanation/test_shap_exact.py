"""Exact SHAP values: each distinct row once, in batches of bounded size, held against the margin."""

import numpy as np
import pytest
import xgboost
from workbench.explanation.shap_exact import check_sum, exact_shap, slices, unite, with_bar

from workbench.explanation import shap_exact
from workbench.features.encoding import distinct_rows

SOURCES = ("a", "b", "a", "c")


@pytest.fixture(scope="module")
def booster():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2_000, 4)).astype(np.float32)
    answer = (rows[:, 0] + rows[:, 1] * rows[:, 3] + rng.normal(size=2_000) > 0).astype(float)
    return xgboost.train({"objective": "binary:logistic", "max_depth": 4}, xgboost.DMatrix(rows, label=answer), 30)


@pytest.fixture
def rows():
    return np.random.default_rng(1).normal(size=(500, 4)).astype(np.float32)


@pytest.fixture
def asked(monkeypatch):
    """How many rows each call of XGBoost explains."""
    counts, predict = [], xgboost.Booster.predict

    def counting(self, data, **keywords):
        if keywords.get("pred_contribs"):
            counts.append(data.num_row())
        return predict(self, data, **keywords)

    monkeypatch.setattr(xgboost.Booster, "predict", counting)
    return counts


def test_columns_of_one_source_are_one_share(booster, rows):
    shares = exact_shap(booster, rows, SOURCES)
    alone = booster.predict(xgboost.DMatrix(rows), pred_contribs=True).astype(float)
    assert shares.features == ("a", "b", "c")
    assert shares.values == pytest.approx(np.column_stack([alone[:, 0] + alone[:, 2], alone[:, 1], alone[:, 3]]))
    assert shares.base == pytest.approx(alone[:, 4])


def test_shares_add_up_far_closer_than_is_asked(booster, rows):
    shares = exact_shap(booster, rows, SOURCES)
    margin = booster.predict(xgboost.DMatrix(rows), output_margin=True)
    assert shares.values.sum(axis=1) + shares.base == pytest.approx(margin, abs=1e-5)


def test_shares_that_do_not_add_up_are_refused():
    check_sum(np.array([[1.0, 2.0]]), np.array([3.00005]))
    with pytest.raises(AssertionError, match=r"must add up to the margin; they are off by up to 0\.0002"):
        check_sum(np.array([[1.0, 2.0]]), np.array([3.0002]))
    with pytest.raises(AssertionError, match="off by up to nan"):
        check_sum(np.array([[1.0, np.nan]]), np.array([3.0]))


def test_a_booster_that_lies_is_found_out(booster, rows, monkeypatch):
    predict = xgboost.Booster.predict

    def lying(self, data, **keywords):
        told = predict(self, data, **keywords)
        return told + 1e-3 * keywords.get("pred_contribs", False)

    monkeypatch.setattr(xgboost.Booster, "predict", lying)
    with pytest.raises(AssertionError, match="must add up to the margin"):
        exact_shap(booster, rows, SOURCES)


def test_no_call_explains_more_than_a_batch(booster, rows, asked, monkeypatch):
    whole = exact_shap(booster, rows, SOURCES)
    monkeypatch.setattr(shap_exact, "ROWS_A_BATCH", 64)
    in_parts = exact_shap(booster, rows, SOURCES)
    assert asked == [500, 64, 64, 64, 64, 64, 64, 64, 52]
    assert (in_parts.values == whole.values).all()


def test_batches_have_their_rows_in_common():
    matrix = np.random.default_rng(0).integers(0, 3, (100, 2)).astype(np.float32)
    distinct, which = unite(distinct_rows(matrix[part]) for part in slices(100, 7))
    assert len(distinct) == 9
    assert (distinct[which] == matrix).all()


def test_quick_work_writes_nothing_and_long_work_a_bar(capsys, monkeypatch):
    assert list(with_bar(range(3), "work")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(shap_exact, "QUICK_S", 0.0)
    assert list(with_bar(range(3), "work")) == [0, 1, 2]
    assert "work" in capsys.readouterr().err
    assert list(with_bar(range(1), "work")) == [0]
    assert capsys.readouterr().err == ""
