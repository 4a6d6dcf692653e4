"""SHAP values: additive, exact against the shap library, faithful to a planted truth."""

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.explanation.shap_by_feature import THE_QUESTION, late_edge


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
    explanation = wb.shap_values(model, split.choose)
    edge = late_edge(model, split.choose, "downlink_mbps", wb.ImageScenario())
    head = model.heads_["downlink_mbps"]
    margin = head.margins(head.encoding.transform(model.context(split.choose)), np.log([edge]))[:, 0]
    assert explanation.values.sum(axis=1) + explanation.base_values == pytest.approx(margin, abs=1e-4)


def test_values_equal_those_of_the_shap_library(trained):
    import shap

    split, model = trained
    head = model.heads_["downlink_mbps"]
    few = split.choose.head(40)
    edge = late_edge(model, few, "downlink_mbps", wb.ImageScenario())
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
    explanation = wb.shap_values(model, split.choose)
    strength = dict(zip(explanation.feature_names, np.abs(explanation.values).mean(axis=0), strict=True))
    assert strength["provider"] > 3 * strength["system version"] > 3 * strength.get("browser", 0)
    slow = explanation.values[:, explanation.feature_names.index("provider")]
    by_provider = pd.Series(slow).groupby(split.choose["isp"].to_numpy()).mean()
    assert by_provider["a"] > by_provider["b"] > by_provider["c"]


def test_equal_contexts_get_equal_shares(trained):
    split, model = trained
    row = split.choose.iloc[[3, 3, 3]]
    assert np.ptp(wb.shap_values(model, row).values, axis=0).max() == 0


def test_the_question_is_where_large_images_are_just_late(trained):
    split, model = trained
    scenario = wb.ImageScenario(budget_ms=1500)
    edge = late_edge(model, split.choose, "downlink_mbps", scenario)
    rtt = np.median(split.train["rtt_ms"])
    assert 4 * rtt + 8 * 12 * 51566 / (1000 * edge) == pytest.approx(1500, rel=1e-3)
    assert f"{edge:.1f} Mbit/s" in wb.shap_values(model, split.choose.head(5), scenario=scenario).output_names


def test_a_budget_that_cannot_be_met_is_said(trained):
    split, model = trained
    with pytest.raises(wb.WorkbenchError, match="late whatever downlink_mbps is"):
        wb.shap_values(model, split.choose, scenario=wb.ImageScenario(budget_ms=100))


def test_readers_see_their_own_values(trained):
    split, model = trained
    explanation = wb.shap_values(model, split.choose.head(4))
    shown = explanation.display_data[:, explanation.feature_names.index("provider")]
    assert shown.tolist() == split.choose["isp"].head(4).tolist()
    nobody = wb.shap_values(model, split.choose.head(1).assign(isp=pd.Series(None, dtype="str"), os_major=np.nan))
    told = dict(zip(nobody.feature_names, nobody.display_data[0], strict=True))
    assert (told["provider"], told["system version"]) == ("unknown", "unknown")
