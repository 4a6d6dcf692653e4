import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.exceptions
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score

from workbench.datasets import add_navigation_history, navigations
from workbench.datasets.columns import Column
from workbench.datasets.splits import split_by_time
from workbench.decisions.prefetch.answers import judge_ranking, pair_chances
from workbench.decisions.prefetch.markov import Markov
from workbench.errors import WorkbenchError
from workbench.evidence.calibration import measure_calibration
from workbench.models import NextPage, train_next_page
from workbench.models.boosting import rows_hash
from workbench.models.next_page import draw_sessions, earlier_and_own

QUICK = {"max_trees": 30, "min_child_weight": 5, "learning_rate": 0.3, "pairs": 40_000}
PAGES = [f"p{i:02}" for i in range(30)]
LINKS = pd.DataFrame({"from_page": PAGES, "to_page": PAGES[1:] + PAGES[:1]})


def make_visits(sessions: int, seed: int = 0, pages: list[str] = PAGES) -> pd.DataFrame:
    """Sessions on a ring of pages: phones mostly step forward, desktops mostly skip one; now and then anywhere."""
    rng = np.random.default_rng(seed)
    n, rows = len(pages), []
    for session in range(sessions):
        device = str(rng.choice(["phone", "desktop"]))
        page = int(rng.integers(n) ** 2 // n)
        for position in range(int(rng.integers(1, 9))):
            rows.append((f"s{session}", f"u{session % 150}", session * 3600 + position * 20, pages[page], device))
            step = 1 if (device == "phone") == (rng.random() < 0.85) else 2
            page = (page + step if rng.random() < 0.6 else page + int(rng.integers(1, n))) % n
    frame = pd.DataFrame(rows, columns=["session_id", "user_id", "seconds", "page", "device"])
    moment = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(frame.pop("seconds"), unit="s")
    return frame.assign(viewed_at=moment.astype("datetime64[us, UTC]"))


@pytest.fixture(scope="module")
def split():
    return split_by_time(navigations(make_visits(4000), name="ring", links=LINKS))


@pytest.fixture(scope="module")
def model(split) -> NextPage:
    return train_next_page(split, pairs=150_000)


@pytest.fixture(scope="module")
def small() -> pd.DataFrame:
    return add_navigation_history(navigations(make_visits(300, seed=5), name="small"))


@pytest.fixture(scope="module")
def quick(small) -> NextPage:
    return NextPage(**QUICK).fit(small)


# What it finds.


def test_it_sees_what_a_markov_rule_cannot(split, model):
    ours = judge_ranking(model, model.context(split.test), split.test)
    rule = judge_ranking(Markov(2, (20, 20)).fit(split.train), split.test, split.test)
    assert ours.top1 > rule.top1 + 0.05
    assert ours.brier < rule.brier
    assert ours.top1 == pytest.approx(0.6 * 0.85 + 0.4 / 29, abs=0.03)  # the truth


def test_its_chances_are_calibrated_on_sessions_never_seen(split, model):
    clicked, chance = pair_chances(model.next_pages(split.test, 10), split.test)
    found = measure_calibration(clicked, chance)
    assert found.slope == pytest.approx(1, abs=0.1)
    assert found.share == pytest.approx(chance.mean(), abs=0.01)
    assert judge_ranking(model, split.test, split.test).ece < 0.01


def test_links_are_candidates(split):
    views = split.test.head(50)
    linked = train_next_page(split, **QUICK)
    unlinked = NextPage(**QUICK).fit(split.train, split.calibration)
    assert "linked" in linked.names_
    assert "linked" not in unlinked.names_
    assert len(linked.candidate_chances(views)[0]) >= len(unlinked.candidate_chances(views)[0])


# What it answers.


def test_answers_are_sorted_ranked_and_sum_to_at_most_one(split, model):
    top = model.next_pages(split.test, 10)
    views = split.test.set_index("view_id")
    place = pd.Series(np.arange(len(views)), views.index)[top["view_id"]].to_numpy()
    assert (np.diff(place * 100 + top["rank"]) > 0).all()
    assert (top["rank"] == top.groupby("view_id").cumcount() + 1).all()
    assert ((top["chance"] > 0) & (top["chance"] <= 1)).all()
    assert (top.groupby("view_id")["chance"].diff().dropna() <= 1e-9).all()
    assert top.groupby("view_id")["chance"].sum().max() <= 1 + 1e-9
    assert (top["page"].astype(str).to_numpy() != views.loc[top["view_id"], "page"].astype(str).to_numpy()).all()
    assert list(top.columns) == ["view_id", "page", "rank", "chance"]
    assert (top["view_id"].dtype, top["rank"].dtype, top["chance"].dtype) == (np.int64, np.int64, float)


def test_chances_above_one_are_scaled_down(split, model):
    sure = clone(model).fit(split.train, split.calibration)
    sure.platt_ = (1.0, 10.0)
    row, _, chance = sure.candidate_chances(split.test.head(100))
    np.testing.assert_allclose(np.bincount(row, chance), 1)


def test_fewer_pages_are_the_first_of_more(quick, small):
    five = quick.next_pages(small, 5)
    pd.testing.assert_frame_equal(five[five["rank"] <= 2].reset_index(drop=True), quick.next_pages(small, 2))


def test_no_view_knows_what_comes_later(split, model):
    views = split.test.head(2000)
    kept = views["position"] < 3
    whole = model.next_pages(views, 10)
    cut = model.next_pages(views[kept], 10)
    expected = whole[whole["view_id"].isin(views.loc[kept, "view_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(cut, expected)


def test_other_sessions_change_nothing(split, model):
    views = split.test.head(2000)
    sessions = views["session_id"].unique()
    turned = pd.concat([views[views["session_id"] == s] for s in sessions[20:0:-1]])
    alone = model.next_pages(turned, 3)
    whole = model.next_pages(views, 3)
    expected = pd.concat([whole[whole["view_id"] == view] for view in turned["view_id"]], ignore_index=True)
    pd.testing.assert_frame_equal(alone, expected)


def test_batches_change_nothing(split, model, monkeypatch):
    whole = model.next_pages(split.test, 3)
    monkeypatch.setattr("workbench.models.next_page.PAIRS_A_BATCH", 700)
    pd.testing.assert_frame_equal(model.next_pages(split.test, 3), whole)


def test_unseen_pages_and_contexts_are_ordinary_input(quick):
    strange = pd.DataFrame(
        {"view_id": [7, 8], "session_id": [3, 3], "position": [0, 1], "page": ["new", "newer"], "device": [None, "tv"]}
    )
    top = quick.next_pages(strange, 3)
    assert top["view_id"].tolist() == [7] * 3 + [8] * 3
    bare = quick.next_pages(strange.drop(columns="device").assign(page="p03"), 3)
    assert ((bare["chance"] > 0) & (bare["page"] != "p03")).all()
    assert len(quick.next_pages(strange.iloc[:0], 3)) == 0


def test_users_sizes_and_later_columns_are_not_looked_at(quick, small):
    lies = small.assign(user_id="x", page_bytes=3.0, access_technology="5g")
    pd.testing.assert_frame_equal(quick.next_pages(lies, 3), quick.next_pages(small.drop(columns="user_id"), 3))


# Whole sessions train it.


def test_stretches_are_counted_on_what_came_before(small):
    stretches = list(earlier_and_own(small, (0.3, 0.6)))
    assert [(len(earlier) + len(own)) for earlier, own in stretches] == [len(stretches[1][0]), len(small)]
    for earlier, own in stretches:
        assert earlier["session_id"].max() < own["session_id"].min()
        assert earlier.index[-1] + 1 == own.index[0]
    assert stretches[0][0]["session_id"].nunique() == 90


def test_whole_sessions_are_drawn(small):
    some = draw_sessions(small, 0.2, seed=0)
    assert some["session_id"].nunique() == 60
    assert len(some) == small["session_id"].isin(some["session_id"]).sum()
    assert draw_sessions(small, 0.2, seed=0).equals(some)
    assert not draw_sessions(small, 0.2, seed=1).equals(some)
    assert draw_sessions(small, 1.5, seed=0) is small


def test_a_tune_part_with_hardly_any_sessions_does_not_count(small, quick):
    few = small[small["session_id"] < 3]
    other = NextPage(**QUICK).fit(small, few)
    assert other.platt_ == quick.platt_
    assert NextPage(**QUICK).fit(small, small[small["session_id"] < 50]).platt_ != quick.platt_


def test_a_view_is_described_as_the_trees_see_it(quick, small):
    pairs = quick.describe(small)
    assert pairs.names == quick.names_
    row, page, _ = quick.candidate_chances(small)
    np.testing.assert_array_equal(pairs.row, row)
    np.testing.assert_array_equal(pairs.page, page)


# Ablations.


@pytest.mark.parametrize(("kind", "gone"), [("history", "is_last_next"), ("second order", "second_chance")])
def test_kinds_can_be_left_out(small, quick, kind, gone):
    model = NextPage(without=(kind,), **QUICK).fit(small)
    assert gone in quick.names_
    assert gone not in model.names_
    lies = small.assign(last_next=small["usual_next"].iloc[::-1].to_numpy(), here_before=7.0)
    assert model.next_pages(lies, 3).equals(model.next_pages(small, 3)) == (kind == "history")


def test_a_context_column_of_the_card_is_learnt_from(small):
    extra = (Column("shelf", "str", "first_request", "where on the list"),)
    frame = small.assign(shelf=pd.Series(np.where(np.arange(len(small)) % 2, "top", "foot"), dtype="str"))
    assert "first_chance by shelf" in NextPage(extra=extra, **QUICK).fit(frame).names_
    assert "first_chance by shelf" not in NextPage(extra=extra, without=("shelf",), **QUICK).fit(frame).names_
    assert "first_chance by shelf" not in NextPage(**QUICK).fit(frame).names_


@pytest.mark.parametrize("name", ["histori", "user_id", "page"])
def test_only_context_history_and_kinds_can_be_left_out(small, name):
    with pytest.raises(WorkbenchError, match=f"without must name context columns, or 'history', .*; got '{name}'"):
        NextPage(without=(name,)).fit(small)


# What it is as an estimator.


def test_it_is_an_estimator_of_scikit_learn(quick, small):
    extra = (Column("shelf", "str", "first_request", ""),)
    model = NextPage(known_by="native_app", extra=extra, without=("history",), seed=7)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(seed=8, max_depth=2) is model
    assert (model.seed, model.max_depth) == (8, 2)
    other = clone(quick)
    for error in (WorkbenchError, sklearn.exceptions.NotFittedError):
        for ask in (
            lambda: other.next_pages(small, 3),
            lambda: other.predict(small),
            lambda: other.score(small),
            other.removable,
            lambda: other.fields,
            lambda: other.save("anywhere"),
        ):
            with pytest.raises(error, match=r"not trained yet: call fit\(frame\), or wb\.train_next_page\(split\)"):
                ask()
    assert list(quick._repr_mimebundle_()) == ["text/plain"]


def test_the_prediction_is_the_first_of_the_next_pages(quick, small):
    first = quick.next_pages(small, 1)
    found = quick.predict(small)
    assert found.index.equals(small.index)
    assert found.tolist() == first["page"].astype(str).tolist()
    views = small.head(9)
    one_page = NextPage(**QUICK).fit(small)
    one_page.candidate_chances = lambda frame: (np.array([0, 0, 4]), np.array([2, 5, 7]), np.array([0.1, 0.2, 0.3]))
    expected = pd.Series(["p05", None, None, None, "p07", *[None] * 4], views.index, "str", name="page")
    pd.testing.assert_series_equal(one_page.predict(views), expected)


def test_its_score_is_the_log_of_the_chance_of_what_came(quick, small):
    views = small.head(200).reset_index(drop=True)
    chance = quick.next_pages(views, 30).set_index(["view_id", "page"])["chance"].to_dict()
    logs = []
    for i, view in views.iterrows():
        left = 1 - sum(p for (shown, _), p in chance.items() if shown == view["view_id"])
        goes_on = i + 1 < len(views) and views["session_id"][i + 1] == view["session_id"]
        came = chance.get((view["view_id"], views["page"][i + 1])) if goes_on else None
        logs.append(np.log(max(left if came is None else came, 1e-6)))
    assert quick.score(views) == pytest.approx(np.mean(logs))


def test_a_model_that_knows_more_scores_higher(split, model):
    less = train_next_page(split, without=("context", "second order"), pairs=150_000)
    assert model.score(split.test) > less.score(split.test) + 0.1


def test_it_goes_through_cross_validation_and_grid_search(small):
    model = NextPage(**{**QUICK, "max_trees": 4, "pairs": 10_000})
    by_session = {"cv": GroupKFold(3), "groups": small["session_id"]}
    scores = cross_val_score(model, small, **by_session)
    folds = GroupKFold(3).split(small, groups=small["session_id"])
    expected = [clone(model).fit(small.iloc[fit]).score(small.iloc[held_out]) for fit, held_out in folds]
    np.testing.assert_allclose(scores, expected)
    assert np.isfinite(cross_val_score(model, small, cv=2, params={"links": LINKS})).all()
    assert len(cross_val_predict(model, small, **by_session)) == len(small)
    search = GridSearchCV(model, {"max_depth": [1, 5]}, cv=2).fit(small)
    assert search.best_estimator_.score(small) == search.score(small)


def test_a_model_says_what_it_reads_and_can_be_trained_without(split):
    model = train_next_page(split, **QUICK)
    assert model.fields[:3] == ("page", "session_id", "device")
    assert {"device", "last_next"} < set(model.fields)
    assert model.removable() == ("device", "history", "second order")
    bare = model.refit(split, without=("history",)).refit(split, without=("device",))
    assert (bare.without, bare.removable()) == (("history", "device"), ("second order",))
    assert "linked" in bare.names_
    assert (model.without, bare.trained_on_) == ((), model.trained_on_)
    with pytest.raises(WorkbenchError, match=r"expected a second frame for calibration, or none; got list\."):
        model.fit(split.train, [1])


def test_train_next_page_takes_the_cards_information_set(split):
    assert train_next_page(split, **QUICK).known_by == split.card.known_by == "client_js"
    model = train_next_page(split, known_by="first_request", **QUICK)
    assert model.known_by == "first_request"
    assert "device" not in model.names_


def test_fitting_leaves_the_frame_as_it_was(small):
    before = small.copy(deep=True)
    NextPage(**QUICK).fit(small)
    pd.testing.assert_frame_equal(small, before)


def test_it_knows_which_rows_it_was_trained_on(split, model):
    assert model.trained_on_ == rows_hash(split.train) != rows_hash(split.test)
    other = split.train.copy()
    other["page"] = other["page"].iloc[::-1].to_numpy()
    assert rows_hash(other) != rows_hash(split.train)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"pairs": 0}, "pairs must be a whole number from 1"),
        ({"device": "tpu"}, "device must be 'cpu' or 'cuda'"),
    ],
)
def test_wrong_parameters_are_refused(small, change, words):
    with pytest.raises(WorkbenchError, match=words):
        NextPage(**change).fit(small)


def test_data_without_a_next_page_are_refused(small, quick):
    with pytest.raises(WorkbenchError, match="at least 20 sessions; got 19"):
        NextPage(**QUICK).fit(small[small["session_id"] < 19])
    with pytest.raises(WorkbenchError, match="every session shows one page"):
        NextPage(**QUICK).fit(small[small["position"] == 0])
    with pytest.raises(WorkbenchError, match="k must be a whole number from 1; got 0"):
        quick.next_pages(small, 0)


# What it saves.


def saved_bytes(model: NextPage, folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in model.save(folder).iterdir()}


def test_a_saved_model_answers_bit_for_bit(split, model, tmp_path):
    read = NextPage.load(model.save(tmp_path / "deep" / "folder"))
    pd.testing.assert_frame_equal(read.next_pages(split.test, 5), model.next_pages(split.test, 5), check_exact=True)
    assert read.get_params() == model.get_params()
    assert (read.trees, read.kilobytes, read.names_) == (model.trees, model.kilobytes, model.names_)
    assert read.trained_on_ == model.trained_on_
    assert (read.train_seconds_, model.train_seconds_ > 0) == (None, True)
    assert saved_bytes(read, tmp_path / "again") == saved_bytes(model, tmp_path / "first")


def test_its_size_is_that_of_its_files_and_they_name_no_user(quick, tmp_path):
    files = saved_bytes(quick, tmp_path)
    assert set(files) == {"model.json", "counts.json", "trees.ubj"}
    assert quick.kilobytes == sum(map(len, files.values())) / 1000
    assert set(json.loads(files["model.json"])) == {"format", "params", "trained_on", "layout", "names", "platt"}
    assert not any(b'"u17"' in content for content in files.values())


@pytest.mark.parametrize("fault", ["no folder", "no trees", "broken trees", "other format", "not json"])
def test_a_folder_without_a_model_is_refused(quick, tmp_path, fault):
    folder = quick.save(tmp_path / "model")
    if fault == "no folder":
        folder = tmp_path / "nowhere"
    elif fault == "no trees":
        (folder / "trees.ubj").unlink()
    elif fault == "broken trees":
        (folder / "trees.ubj").write_bytes(b"{nothing}")
    elif fault == "other format":
        text = (folder / "model.json").read_text().replace('"format": 1', '"format": 99')
        (folder / "model.json").write_text(text)
    else:
        (folder / "counts.json").write_text("{")
    words = (
        "expected model format 1; got 99" if fault == "other format" else "holds no saved model: expected model.json"
    )
    with pytest.raises(WorkbenchError, match=words):
        NextPage.load(folder)


SECOND_PROCESS = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("tests_of_next_page", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
small = module.add_navigation_history(module.navigations(module.make_visits(300, seed=5), name="small"))
module.NextPage(**module.QUICK).fit(small).save(sys.argv[2])
"""


def test_the_same_seed_gives_the_same_bytes_in_another_process(quick, small, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", SECOND_PROCESS, __file__, str(tmp_path / "there")]
    subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2])
    there = {path.name: path.read_bytes() for path in (tmp_path / "there").iterdir()}
    assert there == saved_bytes(quick, tmp_path / "here")
    assert saved_bytes(clone(quick).fit(small), tmp_path / "again") == there
    assert saved_bytes(clone(quick).set_params(seed=1).fit(small), tmp_path / "other") != there
