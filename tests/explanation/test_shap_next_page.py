"""Why the model takes its first choice: exact values, summed to what a reader knows."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xgboost
from workbench.explanation.shap_next_page import HABITS, PAGE_BEFORE, PAGE_NOW, QUESTION, explain_next_page, source_of
from workbench.studies.wording import finding_from_shap

import workbench as wb
from workbench.datasets.splits import sample_users
from workbench.explanation import shap_exact, shap_next_page


@pytest.fixture(scope="module")
def split():
    return wb.split_by_time(wb.load("synthetic_navigations", rows=5000))


@pytest.fixture(scope="module")
def model(split):
    return wb.train_next_page(split)


@pytest.fixture(scope="module")
def explanation(model, split):
    return wb.shap_values(model, split.validation)


@pytest.fixture(scope="module")
def first(model, split):
    """The pair of each view with the largest margin, by a plain loop over views."""
    pairs = model.describe(split.validation)
    margin = model.booster_.inplace_predict(pairs.matrix, predict_type="margin")
    places = pd.Series(margin).groupby(pairs.row).idxmax().to_numpy()
    return pairs.matrix[places], margin[places], pairs.page[places], pairs.row[places]


def test_values_add_up_to_the_margin_of_the_first_choice(explanation, first):
    _, margin, _, _ = first
    assert explanation.values.sum(axis=1) + explanation.base_values == pytest.approx(margin, abs=1e-4)
    assert explanation.output_names == QUESTION


def test_the_page_explained_is_the_likeliest(model, split, first):
    _, margin, page, row = first
    top = model.next_pages(split.validation, 1)
    assert row.tolist() == list(range(len(split.validation)))
    ties = pd.Series(np.round(margin, 6)).duplicated(keep=False).to_numpy()
    pages = np.array(model.layout_.pages)[page]
    assert (pages == top["page"].astype(str).to_numpy())[~ties].all()


def test_each_row_worked_out_by_itself_says_the_same(model, explanation, first):
    """By another road: no row is shared, and features are summed one by one."""
    matrix, _, _, _ = first
    alone = model.booster_.predict(xgboost.DMatrix(matrix), pred_contribs=True)
    for place, feature in enumerate(explanation.feature_names):
        of_feature = [i for i, name in enumerate(model.names_) if source_of(name) == feature]
        assert of_feature
        assert explanation.values[:, place] == pytest.approx(alone[:, of_feature].sum(axis=1), abs=1e-4)


def test_every_feature_of_the_trees_is_in_a_bar(model, explanation):
    assert {source_of(name) for name in model.names_} == set(explanation.feature_names)
    assert len(set(explanation.feature_names)) == len(explanation.feature_names)
    shape = (len(explanation.base_values), len(explanation.feature_names))
    assert explanation.values.shape == explanation.data.shape == explanation.display_data.shape == shape


def test_no_reader_meets_the_trees_names(explanation):
    for name in explanation.feature_names:
        assert "_" not in name
        assert not name.startswith(("first ", "second "))
    assert {PAGE_NOW, PAGE_BEFORE, HABITS, "device", "hour"} <= set(explanation.feature_names)


def test_values_are_shown_as_a_reader_knows_them(explanation, split):
    shown = dict(zip(explanation.feature_names, explanation.display_data.T, strict=True))
    assert set(shown["device"]) == set(split.validation["device"])
    assert shown["device"].tolist() == split.validation["device"].tolist()
    assert set(shown[HABITS]) == {"yes", "no"}
    assert all(share.endswith(" %") for share in shown[PAGE_NOW])
    assert set(shown["hour"]) == {f"{hour:g}" for hour in split.validation["local_hour"]}


def test_no_more_views_than_asked_for_and_whole_people(model, split):
    few = explain_next_page(model, split.validation, views=150, seed=4)
    drawn = sample_users(split.validation, 150, 4)
    assert len(few.values) == len(drawn) <= 150
    alone = explain_next_page(model, drawn)
    assert few.values == pytest.approx(alone.values)
    other = explain_next_page(model, split.validation, views=150, seed=5)
    assert len(other.values) != len(few.values) or not np.allclose(other.values, few.values)
    with pytest.raises(wb.WorkbenchError, match="views must be a whole number from 1"):
        explain_next_page(model, split.validation, views=0)


def test_by_default_about_2000_views_are_explained(model, split):
    many = wb.shap_values(model, split.train)
    assert len(split.train) > 2000 >= len(many.values) > 1500


def test_the_question_is_the_models_own(model, split):
    with pytest.raises(wb.WorkbenchError, match="a next-page model answers one question"):
        wb.shap_values(model, split.validation, quantity="rtt_ms")
    with pytest.raises(wb.WorkbenchError, match=r"takes a wb\.PrefetchScenario, or none; got ImageScenario"):
        wb.shap_values(model, split.validation, scenario=wb.ImageScenario())


def test_what_a_prefetch_is_worth_changes_no_chance(model, split, explanation):
    dear = wb.shap_values(model, split.validation, scenario=wb.PrefetchScenario(break_even=0.5))
    assert (dear.values == explanation.values).all()


def test_batches_of_sessions_say_the_same(model, split, explanation, monkeypatch):
    monkeypatch.setattr(shap_next_page, "VIEWS_A_BATCH", 60)
    monkeypatch.setattr(shap_exact, "ROWS_A_BATCH", 100)
    in_parts = wb.shap_values(model, split.validation)
    assert (in_parts.values == explanation.values).all()
    assert in_parts.index.equals(explanation.index)


def test_shaps_own_plots_draw_it_without_a_word(explanation):
    import shap

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shap.plots.beeswarm(explanation, show=False)
        shap.plots.heatmap(explanation[:100], show=False)
        for name in ("device", "device and hour", PAGE_BEFORE):
            shap.plots.scatter(explanation[:, name], show=False)
    plt.close("all")
    assert set(explanation.coded) >= {"device", "device and hour"}
    assert set(explanation.display_data[:, explanation.feature_names.index("device and hour")]) <= {
        f"{device}, {band}"
        for device in ("phone", "tablet", "desktop")
        for band in ("night", "morning", "afternoon", "evening")
    }


def test_a_sum_that_is_off_is_no_explanation(model, split, monkeypatch):
    """The check itself is tested: tolerance below what rounding brings."""
    monkeypatch.setattr(shap_exact, "TOLERANCE", -1.0)
    with pytest.raises(AssertionError, match="must add up to the margin"):
        wb.shap_values(model, split.validation)


def test_of_plain_data_only_what_there_is_is_explained():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"session_id": np.arange(1500) // 5, "page": rng.choice(list("abcdef"), 1500)})
    split = wb.split_by_time(wb.navigations(frame, name="plain"))
    told = wb.shap_values(wb.train_next_page(split), split.validation)
    assert PAGE_NOW in told.feature_names
    assert HABITS not in told.feature_names and "device" not in told.feature_names
    without = wb.train_next_page(split, without=("second order",))
    assert PAGE_BEFORE not in wb.shap_values(without, split.validation).feature_names


def test_the_finding_is_about_the_next_page(explanation):
    said = finding_from_shap(explanation)
    assert said.endswith(tuple(explanation.feature_names))
    assert "about the next page, then " in said
    strength = dict(zip(explanation.feature_names, np.abs(explanation.values).mean(axis=0), strict=True))
    assert said.lower().startswith(max(strength, key=strength.get).lower())


def test_pictures_of_it_are_drawn(explanation):
    for picture in (wb.plotting.beeswarm, wb.plotting.bar):
        words = wb.plotting.alt_text(picture(explanation))
        assert PAGE_NOW in words
    assert wb.plotting.alt_text(wb.plotting.waterfall(explanation, row=0))
    plt.close("all")


@pytest.mark.parametrize(
    ("name", "feature"),
    [
        ("first_rank", PAGE_NOW),
        ("second_count", PAGE_BEFORE),
        ("first_chance by device x local_hour", "device and hour"),
        ("first_chance by connection_type", "connection"),
        ("list_position", "list position"),
        ("links_back", "links of the page"),
    ],
)
def test_sources(name, feature):
    assert source_of(name) == feature
