"""SHAP values: additive, exact against the shap library, faithful to a planted truth."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xgboost
from workbench.explanation.questions import late_question
from workbench.explanation.shap_by_feature import THE_QUESTION

import workbench as wb
from workbench.explanation import shap_by_feature, shap_exact


@pytest.fixture(scope="module")
def trained():
    """Throughput depends on the provider and, much less, on the version; never on the browser."""
    rng = np.random.default_rng(0)
    n = 6000
    isp = rng.choice(["a", "b", "c"], n)
    version = rng.integers(8, 15, n)
    log_speed = np.array([0.5, 2.0, 3.5])[pd.factorize(isp, sort=True)[0]] + (version - 11) / 10
    views = pd.DataFrame(
        {
            "isp": isp,
            "os_major": version,
            "browser": rng.choice(["x", "y"], n),
            "city": rng.integers(0, 60, n).astype(str),
            "downlink_mbps": np.exp(log_speed + rng.normal(0, 0.7, n)),
            "rtt_ms": np.exp(rng.normal(4, 0.3, n)),
        }
    )
    split = wb.split_by_user(wb.measurements(views))
    return split, wb.train_network_quality(split, max_trees=60)


def test_shares_add_up_to_the_raw_margin(trained):
    split, model = trained
    explanation = wb.shap_values(model, split.validation)
    edge = late_question(model, split.validation, "downlink_mbps", wb.ImageScenario()).edge
    head = model.heads_["downlink_mbps"]
    margin = head.margins(head.encoding.transform(model.context(split.validation)), np.log([edge]))[:, 0]
    assert explanation.values.sum(axis=1) + explanation.base_values == pytest.approx(margin, abs=1e-4)


def test_values_equal_those_of_the_shap_library(trained):
    import shap

    split, model = trained
    head = model.heads_["downlink_mbps"]
    few = split.validation.head(40)
    edge = late_question(model, few, "downlink_mbps", wb.ImageScenario()).edge
    rows = head.encoding.transform(model.context(few))
    asked = np.column_stack([rows, np.full(len(rows), np.log(edge))])
    theirs = shap.TreeExplainer(head.booster)(asked).values
    sources = np.array([*head.encoding.sources, THE_QUESTION])
    ours = wb.shap_values(model, few)
    by_city = theirs[:, sources == "city"].sum(axis=1)
    assert (sources == "city").sum() == 2
    assert ours.values[:, ours.feature_names.index("city")] == pytest.approx(by_city, abs=1e-4)


def test_the_planted_order_comes_back(trained):
    split, model = trained
    explanation = wb.shap_values(model, split.validation)
    strength = dict(zip(explanation.feature_names, np.abs(explanation.values).mean(axis=0), strict=True))
    assert strength["provider"] > 3 * strength["system version"] > 3 * strength.get("browser", 0)
    slow = explanation.values[:, explanation.feature_names.index("provider")]
    by_provider = pd.Series(slow).groupby(split.validation["isp"].to_numpy()).mean()
    assert by_provider["a"] > by_provider["b"] > by_provider["c"]


def test_equal_contexts_get_equal_shares(trained):
    split, model = trained
    row = split.validation.iloc[[3, 3, 3]]
    assert np.ptp(wb.shap_values(model, row).values, axis=0).max() == 0


def test_readers_see_their_own_values(trained):
    split, model = trained
    explanation = wb.shap_values(model, split.validation.head(4))
    shown = explanation.display_data[:, explanation.feature_names.index("provider")]
    assert shown.tolist() == split.validation["isp"].head(4).tolist()
    nobody = wb.shap_values(model, split.validation.head(1).assign(isp=pd.Series(None, dtype="str"), os_major=np.nan))
    told = dict(zip(nobody.feature_names, nobody.display_data[0], strict=True))
    assert (told["provider"], told["system version"]) == ("unknown", "unknown")


def test_each_quantity_has_its_question(trained):
    split, model = trained
    asked = wb.shap_values(model, split.validation.head(50), quantity="rtt_ms")
    edge = late_question(model, split.validation, "rtt_ms", wb.ImageScenario()).edge
    assert asked.output_names == f"log-odds that the round trip is above {edge:.0f} ms"
    head = model.heads_["rtt_ms"]
    margin = head.margins(head.encoding.transform(model.context(split.validation.head(50))), np.log([edge]))[:, 0]
    assert asked.values.sum(axis=1) + asked.base_values == pytest.approx(margin, abs=1e-4)
    with pytest.raises(wb.WorkbenchError, match="it cannot answer for 'page_load_ms'"):
        wb.shap_values(model, split.validation, quantity="page_load_ms")


def test_what_has_no_answer_is_refused(trained):
    split, model = trained
    with pytest.raises(wb.WorkbenchError, match=r"takes a wb\.ImageScenario; got PrefetchScenario"):
        wb.shap_values(model, split.validation, scenario=wb.PrefetchScenario())
    with pytest.raises(wb.WorkbenchError, match=r"expected a trained model, as from wb\.train_network_quality"):
        wb.shap_values("model", split.validation)
    with pytest.raises(wb.WorkbenchError, match="views must be a whole number from 1; got 0"):
        wb.shap_values(model, split.validation, views=0)


def test_views_are_drawn_by_seed_where_asked_for(trained):
    split, model = trained
    whole, few = wb.shap_values(model, split.validation), wb.shap_values(model, split.validation, views=50, seed=3)
    assert whole.index.equals(split.validation.index)
    assert len(few.values) == 50
    places = split.validation.index.get_indexer(few.index)
    assert (few.values == whole.values[places]).all()
    assert not few.index.equals(wb.shap_values(model, split.validation, views=50, seed=4).index)


def test_each_distinct_row_is_explained_once_and_in_batches(trained, monkeypatch):
    split, model = trained
    whole, asked, predict = wb.shap_values(model, split.validation), [], xgboost.Booster.predict

    def counting(self, data, **keywords):
        asked.extend([data.num_row()] * keywords.get("pred_contribs", False))
        return predict(self, data, **keywords)

    monkeypatch.setattr(xgboost.Booster, "predict", counting)
    monkeypatch.setattr(shap_exact, "ROWS_A_BATCH", 100)
    monkeypatch.setattr(shap_by_feature, "ROWS_A_BATCH", 90)
    again = wb.shap_values(model, split.validation)
    assert sum(asked) == len(model.encode(split.validation, "downlink_mbps")[0]) < len(split.validation)
    assert max(asked) <= 100
    assert (again.values == whole.values).all()
    assert (again.data == whole.data).all()


def test_shares_that_miss_the_margin_are_refused(trained, monkeypatch):
    split, model = trained
    monkeypatch.setattr(shap_exact, "TOLERANCE", -1.0)
    with pytest.raises(AssertionError, match="must add up to the margin"):
        wb.shap_values(model, split.validation)


def test_shaps_own_plots_draw_it_without_a_word(trained, capfd):
    import shap

    split, model = trained
    explanation = wb.shap_values(model, split.validation.head(60))
    assert explanation.coded == ("provider", "browser")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shap.plots.beeswarm(explanation, show=False)
        shap.plots.bar(explanation, show=False)
        shap.plots.heatmap(explanation, show=False)
        plt.figure()
        shap.plots.waterfall(explanation[0], show=False)
        for name in explanation.feature_names:
            shap.plots.scatter(explanation[:, name], show=False)
        named = shap.plots.scatter(explanation[:, "provider"], show=False)
    assert sorted(label.get_text() for label in named.get_xticklabels()) == ["a", "b", "c"]
    assert capfd.readouterr() == ("", "")
    plt.close("all")
