import warnings
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import shap
import xgboost

import workbench as wb
from workbench.decisions.prefetch.explain import PAGE_BEFORE, PAGE_NOW, QUESTION, USER_HISTORY, source_of
from workbench.explanation.shap_values import THRESHOLD, check_sum, strongest

LARGE, MEDIUM, SMALL = (wb.ImageScenario().view_bytes[size] for size in (-1, 1, 0))


@pytest.fixture(scope="module")
def trained():
    """Throughput depends on the provider and, much less, on the version; never on the browser."""
    rng = np.random.default_rng(0)
    n = 3000
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
    return split, wb.train_network_quality(split, max_trees=40)


@pytest.fixture(scope="module")
def explanation(trained):
    return wb.shap_values(trained[1], trained[0].validation)


def edge_of(explanation) -> float:
    return float(explanation.display_data[0, explanation.feature_names.index(THRESHOLD)])


def by_name(explanation, what="values"):
    return dict(zip(explanation.feature_names, getattr(explanation, what).T, strict=True))


@pytest.mark.parametrize("quantity", ["downlink_mbps", "rtt_ms"])
def test_values_add_up_to_the_raw_margin(trained, quantity):
    split, model = trained
    found, head = wb.shap_values(model, split.validation, quantity=quantity), model.heads_[quantity]
    rows = head.encoding.transform(model.context(split.validation))
    margin = head.margins(rows, np.log([edge_of(found)]))[:, 0]
    assert found.values.sum(axis=1) + found.base_values == pytest.approx(margin, abs=1e-4)


def test_values_equal_those_of_the_shap_library(trained):
    split, model = trained
    head, few = model.heads_["downlink_mbps"], split.validation.head(40)
    ours = wb.shap_values(model, few)
    rows = head.encoding.transform(model.context(few))
    asked = np.column_stack([rows, np.full(len(rows), np.log(edge_of(ours)))])
    theirs = shap.TreeExplainer(head.booster)(asked).values
    sources = np.array([*head.encoding.sources, THRESHOLD])
    for feature, column in (("provider", "isp"), ("city", "city"), ("system version", "os_major")):
        expected = theirs[:, sources == column].sum(axis=1)
        assert by_name(ours)[feature] == pytest.approx(expected, abs=1e-4)
    assert (sources == "city").sum() == 2


def test_the_planted_order_comes_back(trained, explanation):
    first, second, *_, others = strongest(explanation, 1, most=2)
    assert abs(first[2]) >= abs(second[2]) and others[0].endswith(" others")
    assert first[2] + second[2] + others[2] == pytest.approx(explanation.values[1].sum())
    strength = {name: abs(values).mean() for name, values in by_name(explanation).items()}
    assert strength["provider"] > 3 * strength["system version"] > 3 * strength.get("browser", 0)
    mean = pd.Series(by_name(explanation)["provider"]).groupby(trained[0].validation["isp"].to_numpy()).mean()
    assert mean["a"] > mean["b"] > mean["c"]


def test_readers_see_their_own_values_also_those_that_the_model_never_saw(trained):
    split, model = trained
    views = split.validation.head(4).assign(city=["0", "1", "no such town", None])
    found = wb.shap_values(model, views)
    assert by_name(found, "display_data")["provider"].tolist() == views["isp"].tolist()
    assert by_name(found, "display_data")["city"].tolist() == ["0", "1", "no such town", "unknown"]
    assert "city" not in found.coded and set(found.coded) == {"provider", "browser"} & set(found.feature_names)
    nobody = wb.shap_values(model, views.head(1).assign(isp=pd.Series(None, dtype="str"), os_major=np.nan))
    assert {by_name(nobody, "display_data")[name][0] for name in ("provider", "system version")} == {"unknown"}


def test_whole_users_are_drawn_by_seed(trained, explanation, small_site, small_site_model):
    split, model = trained
    few = wb.shap_values(model, split.validation, views=50, seed=3)
    assert explanation.index.equals(split.validation.index) and len(few.values) == 50
    assert (few.values == explanation.values[split.validation.index.get_indexer(few.index)]).all()
    assert not few.index.equals(wb.shap_values(model, split.validation, views=50, seed=4).index)
    some = wb.shap_values(small_site_model, small_site.validation, views=150)
    users = small_site.validation["user_id"]
    assert len(some.values) == users.isin(users[some.index]).sum() <= 150


def test_the_question_is_where_the_largest_images_that_can_be_in_time_are_just_late(trained):
    split, model = trained
    views, (speed, rtt) = (
        split.validation.head(5),
        (model.heads_[name].levels[50] for name in ("downlink_mbps", "rtt_ms")),
    )
    usual = wb.shap_values(model, views, scenario=wb.ImageScenario(budget_ms=1500))
    assert 4 * rtt + 8 * LARGE / (1000 * edge_of(usual)) == pytest.approx(1500, rel=1e-4)
    assert usual.output_names == f"log-odds that throughput is below {edge_of(usual):.1f} Mbit/s"
    # At 600 ms, twelve trips of some 55 ms are too many: no throughput helps, a short trip does.
    trips = wb.shap_values(model, views, scenario=wb.ImageScenario(budget_ms=600, connection_rtts=12))
    assert "the round trip is above" in trips.output_names
    within = 1.1 * 8 * MEDIUM / (1000 * speed)
    medium = wb.shap_values(model, views, quantity="rtt_ms", scenario=wb.ImageScenario(budget_ms=within))
    assert 4 * edge_of(medium) == pytest.approx(within / 11, rel=1e-4)
    assert medium.output_names.endswith("the limit of medium")


def test_what_has_no_answer_is_refused(trained):
    split, model = trained
    with pytest.raises(wb.WorkbenchError, match="views must be a whole number from 1; got 0"):
        wb.shap_values(model, split.validation, views=0)
    with pytest.raises(wb.WorkbenchError, match="it cannot answer for 'page_load_ms'"):
        wb.shap_values(model, split.validation, quantity="page_load_ms")
    hasty = wb.ImageScenario(budget_ms=0.9 * 8 * SMALL / (1000 * model.heads_["downlink_mbps"].levels[50]))
    with pytest.raises(wb.WorkbenchError, match="even small is late whatever rtt_ms is"):
        wb.shap_values(model, split.validation, quantity="rtt_ms", scenario=hasty)
    parts = [part.drop(columns="rtt_ms") for part in (split.train, split.calibration, split.validation)]
    model = wb.NetworkQuality(max_trees=5).fit(*parts[:2])
    parts[2].attrs["card"] = replace(split.card, assume={})
    with pytest.raises(wb.WorkbenchError, match="rtt_ms is neither measured nor assumed"):
        wb.shap_values(model, parts[2])


@pytest.fixture(scope="module")
def of_pages(small_site, small_site_model):
    return wb.shap_values(small_site_model, small_site.validation)


def test_of_pages_the_first_choice_is_explained_each_row_by_itself(small_site, small_site_model, of_pages):
    """By another road: the largest margin of each view, no row is shared, features are summed one by one."""
    model, views = small_site_model, small_site.validation
    pairs = model.describe(views)
    margins = model.booster_.inplace_predict(pairs.matrix, predict_type="margin")
    places = pd.Series(margins).groupby(pairs.row).idxmax().to_numpy()
    margin, page = margins[places], pairs.page[places]
    assert of_pages.values.sum(axis=1) + of_pages.base_values == pytest.approx(margin, abs=1e-4)
    assert of_pages.output_names == QUESTION
    top = model.next_pages(views, 1)
    ties = pd.Series(np.round(margin, 6)).duplicated(keep=False).to_numpy()
    assert (np.array(model.layout_.pages)[page] == top["page"].astype(str).to_numpy())[~ties].all()
    alone = model.booster_.predict(xgboost.DMatrix(pairs.matrix[places]), pred_contribs=True)
    assert {source_of(name) for name in model.names_} == set(of_pages.feature_names)
    for feature, values in by_name(of_pages).items():
        columns = [i for i, name in enumerate(model.names_) if source_of(name) == feature]
        assert values == pytest.approx(alone[:, columns].sum(axis=1), abs=1e-4)
    dear = wb.shap_values(model, views, scenario=wb.PrefetchScenario(break_even=0.5))
    assert (dear.values == of_pages.values).all()  # what a prefetch is worth changes no chance


def test_features_have_a_readers_names_and_values(small_site, of_pages):
    shown = by_name(of_pages, "display_data")
    assert {PAGE_NOW, PAGE_BEFORE, USER_HISTORY, "device"} <= set(shown)
    assert not any("_" in name or name.startswith(("first ", "second ")) for name in shown)
    assert shown["device"].tolist() == small_site.validation["device"].tolist()
    assert set(shown[USER_HISTORY]) == {"yes", "no"} and all(share.endswith(" %") for share in shown[PAGE_NOW])
    assert set(of_pages.coded) >= {"device", "device and hour"} and of_pages.units[PAGE_NOW] == "%"
    assert (source_of("list_position"), source_of("links_back")) == ("list position", "links of the page")


def test_of_plain_data_only_what_there_is_is_explained():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"session_id": np.arange(1500) // 5, "page": rng.choice(list("abcdef"), 1500)})
    split = wb.split_by_time(wb.navigations(frame, name="plain"))
    found = wb.shap_values(wb.train_next_page(split, max_trees=20, without=("second order",)), split.validation)
    assert PAGE_NOW in found.feature_names
    assert not {USER_HISTORY, "device", PAGE_BEFORE} & set(found.feature_names)


def test_shaps_own_plots_draw_both_without_a_warning(explanation, of_pages):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for each in (explanation, of_pages):
            shap.plots.heatmap(each[:100], show=False)
        shap.plots.scatter(of_pages[:, "device and hour"], show=False)
    plt.close("all")


def test_shares_that_do_not_add_up_are_refused():
    check_sum(np.array([[1.0, 2.0]]), np.array([3.00005]))
    with pytest.raises(AssertionError, match=r"must add up to the margin; they are off by up to 0\.0002"):
        check_sum(np.array([[1.0, 2.0]]), np.array([3.0002]))
    with pytest.raises(AssertionError, match="off by up to nan"):
        check_sum(np.array([[1.0, np.nan]]), np.array([3.0]))
