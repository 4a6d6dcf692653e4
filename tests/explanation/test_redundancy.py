import numpy as np
import pandas as pd
import pytest
import xgboost

import workbench as wb
from workbench.decisions.decision import Explained
from workbench.explanation import redundancy
from workbench.explanation.redundancy import ALL, ALL_BUT_ONE, group_features


def test_losing_one_of_a_column_and_its_copy_costs_nothing_and_both_costs_much(few, few_model):
    found = redundancy(few_model, few, alike=0.95)
    groups = found.groups
    assert groups.groups == (("provider", "region"),)
    one, other = (groups.features.index(name) for name in ("provider", "region"))
    assert groups.correlation[one, other] == pytest.approx(1, abs=0.01)
    assert groups.representative(("provider", "region")) in ("provider", "region")
    assert found.costs["what"].tolist() == [ALL_BUT_ONE, ALL]
    one, both = (row for _, row in found.costs.iterrows())
    assert one["net_low"] <= 0 <= one["net_high"] and abs(one["net"]) < 1.5
    assert both["net"] < one["net"] and both["dropped"] == ("provider", "region") and both["kept"] == ()
    assert len(one["dropped"]) == len(one["kept"]) == 1
    (sentence,) = found.sentences
    assert sentence.startswith("provider and region") and "0.95" in sentence
    assert sentence.count("within noise") + sentence.count("a loss") + sentence.count("a gain") == 2
    assert "One group" in found.finding and sentence in repr(found)
    assert found.to_frame().loc[(0, ALL), "dropped"] == "provider, region"


def test_of_pages_what_cannot_be_left_out_stays(small_site):
    model = wb.train_next_page(small_site, max_trees=5)
    costs = redundancy(model, small_site).costs
    (row,) = (row for _, row in costs.iterrows() if "the page before" in row["features"])
    assert row["what"] == ALL_BUT_ONE and "what follows this page" in row["kept"]
    assert row["dropped"] == ("the page before",)


def test_where_no_features_are_correlated_nothing_is_trained(few, few_model, monkeypatch):
    model = wb.train_network_quality(few, max_trees=3, without=(*few_model.without, "region"))
    monkeypatch.setattr(wb.NetworkQuality, "refit", None)
    none = redundancy(model, few, alike=0.99)
    assert none.costs.empty and "0.99" in none.sentences[0] and "No features" in none._repr_html_()


@pytest.fixture(scope="module")
def rows():
    """Numbers a and b say the same, with opposite signs; the levels of c order the answer as a does; d is noise."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=2000)
    matrix = np.column_stack([a, -a, a > 0, rng.normal(size=2000)]).astype(np.float32)
    booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(matrix, label=a), 20)
    shown = pd.DataFrame({"a": a, "b": -a, "c": np.where(a > 0, "up", "down"), "d": matrix[:, 3].astype(float)})
    return Explained(booster, matrix, tuple("abcd"), shown, "q", np.arange(2000))


def test_numbers_count_by_rank_and_levels_by_the_models_mean_answer(rows):
    found = group_features(rows, 0.8)
    assert found.groups == (("a", "b", "c"),)
    at = {name: i for i, name in enumerate(found.features)}
    assert found.correlation[at["a"], at["b"]] == pytest.approx(1)
    coarse = pd.Series(rows.shown["a"]).corr(pd.Series(rows.shown["a"] > 0).astype(float), method="spearman")
    assert found.correlation[at["a"], at["c"]] == pytest.approx(coarse)
    assert found.correlation[at["d"]].max() == 1 and np.sort(found.correlation[at["d"]])[-2] < 0.1
    for members in group_features(rows, 0.05).groups:
        places = [at[name] for name in members]
        assert found.correlation[np.ix_(places, places)].min() >= 0.05


def test_bad_input_is_refused(few, few_model, rows):
    with pytest.raises(wb.WorkbenchError, match=r"a correlation between 0 and 1, such as 0\.7; got 1"):
        redundancy(few_model, few, alike=1)
    with pytest.raises(
        wb.WorkbenchError, match=r"expected a split, as from wb\.split_by_time\(views\); got a NetworkQuality"
    ):
        redundancy(few, few_model)
    with pytest.raises(wb.WorkbenchError, match="fewer"):
        group_features(Explained(rows.booster, rows.matrix, rows.sources, rows.shown[["a"]], "q", rows.view))
