import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from workbench.datasets import navigations
from workbench.datasets.columns import Column
from workbench.datasets.history import add_navigation_history
from workbench.datasets.splits import split_by_time
from workbench.decisions.prefetch.answers import judge_answer, pair_chances
from workbench.decisions.prefetch.markov import Markov
from workbench.errors import WorkbenchError
from workbench.evidence.calibration import Calibration, measure_calibration
from workbench.features.page_features import fit_layout
from workbench.models import NextPage, next_page, train_next_page
from workbench.models.next_page import Rows, honest_rows, join_rows

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


def test_it_sees_what_a_markov_rule_cannot(split, model):
    ours = judge_answer(model.next_pages(model.context(split.test), 10), split.test)
    rule = judge_answer(Markov(2, (20, 20)).fit(split.train).next_pages(split.test, 10), split.test)
    assert ours.top1 > rule.top1 + 0.05 and ours.brier < rule.brier
    assert ours.top1 == pytest.approx(0.6 * 0.85 + 0.4 / 29, abs=0.03)  # the truth


def test_its_chances_are_calibrated_on_sessions_never_seen(split, model):
    clicked, chance = pair_chances(model.next_pages(split.test, 10), split.test)
    found = measure_calibration(clicked, chance)
    assert found.slope == pytest.approx(1, abs=0.1) and found.share == pytest.approx(chance.mean(), abs=0.01)
    assert judge_answer(model.next_pages(split.test, 10), split.test).ece < 0.01


def test_links_are_candidates_and_go_through_scikit_learn(split, small):
    views = split.test.head(50)
    linked = train_next_page(split, **QUICK)
    unlinked = NextPage(**QUICK).fit(split.train, split.calibration)
    assert "linked" in linked.names_ and "linked" not in unlinked.names_
    assert len(linked.candidate_chances(views)[0]) >= len(unlinked.candidate_chances(views)[0])
    assert "linked" in linked.refit(split, without=("history",)).names_
    assert np.isfinite(cross_val_score(clone(linked), small, cv=2, params={"links": LINKS})).all()


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
    assert top.dtypes.drop("page").to_dict() == {"view_id": np.int64, "rank": np.int64, "chance": float}
    two = model.next_pages(split.test, 2)
    pd.testing.assert_frame_equal(top[top["rank"] <= 2].reset_index(drop=True), two)


def test_chances_above_one_are_scaled_down(split, model):
    sure = clone(model).fit(split.train, split.calibration)
    sure.platt_ = (1.0, 10.0)
    row, _, chance = sure.candidate_chances(split.test.head(100))
    np.testing.assert_allclose(np.bincount(row, chance), 1)


def test_no_view_knows_what_comes_later_or_of_other_sessions(split, model):
    views = split.test.head(2000)
    whole = model.next_pages(views, 3)
    early = views[views["position"] < 3]
    sessions = [part for _, part in views.groupby("session_id", sort=False)]
    for some in (early, pd.concat(sessions[20:0:-1])):
        expected = pd.concat([whole[whole["view_id"] == view] for view in some["view_id"]], ignore_index=True)
        pd.testing.assert_frame_equal(model.next_pages(some, 3), expected)


def test_unseen_pages_and_contexts_are_ordinary_input(quick):
    strange = pd.DataFrame(
        {"view_id": [7, 8], "session_id": [3, 3], "position": [0, 1], "page": ["new", "newer"], "device": [None, "tv"]}
    )
    top = quick.next_pages(strange, 3)
    assert top["view_id"].tolist() == [7] * 3 + [8] * 3
    bare = quick.next_pages(strange.drop(columns="device").assign(page="p03"), 3)
    assert ((bare["chance"] > 0) & (bare["page"] != "p03")).all()
    assert len(quick.next_pages(strange.iloc[:0], 3)) == 0


def test_a_tune_part_with_hardly_any_sessions_does_not_count(small, quick):
    few = small[small["session_id"] < 3]
    other = NextPage(**QUICK).fit(small, few)
    assert other.platt_ == quick.platt_
    assert NextPage(**QUICK).fit(small, small[small["session_id"] < 50]).platt_ != quick.platt_


def test_a_context_column_of_the_card_is_learnt_from(small):
    extra = (Column("shelf", "str", "first_request", "where on the list"),)
    frame = small.assign(shelf=pd.Series(np.where(np.arange(len(small)) % 2, "top", "foot"), dtype="str"))
    for given, learnt in (({"extra": extra}, True), ({"extra": extra, "without": ("shelf",)}, False), ({}, False)):
        assert ("first_chance by shelf" in NextPage(**given, **QUICK).fit(frame).names_) == learnt


def test_the_prediction_is_the_first_of_the_next_pages(quick, small):
    first = quick.next_pages(small, 1)
    found = quick.predict(small)
    assert found.index.equals(small.index) and found.tolist() == first["page"].astype(str).tolist()
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


def test_fields_come_in_the_order_of_their_kinds(split, quick):
    assert "device" not in train_next_page(split, known_by="first_request", **QUICK).fields
    assert quick.fields[:3] == ("page", "session_id", "device")
    assert quick.removable() == ("device", "history", "second order", "session")


def test_data_without_a_next_page_are_refused(small, quick):
    with pytest.raises(WorkbenchError, match="at least 20 sessions; got 19"):
        NextPage(**QUICK).fit(small[small["session_id"] < 19])
    with pytest.raises(WorkbenchError, match="every session shows one page"):
        NextPage(**QUICK).fit(small[small["position"] == 0])
    with pytest.raises(WorkbenchError, match="pairs must be a whole number from 1; got 0"):
        NextPage(pairs=0).fit(small)
    with pytest.raises(WorkbenchError, match="k must be a whole number from 1; got 0"):
        quick.next_pages(small, 0)


# Counts that hold a row's own next page tell the answer: the check, and the same check with the guard broken.
MANY = np.array([f"p{i:03}" for i in range(200)])


def shuffled_site(sessions: int, seed: int) -> pd.DataFrame:
    """Every click goes anywhere: nearly all pairs of pages come once, and tell nothing of what follows."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 8, sessions)
    page = np.cumsum(rng.integers(1, len(MANY), lengths.sum())) % len(MANY)  # never the same page twice running
    return navigations(
        pd.DataFrame({"session_id": np.repeat(np.arange(sessions), lengths), "page": MANY[page]}), name="shuffled"
    )


@pytest.fixture(scope="module")
def train() -> pd.DataFrame:
    return shuffled_site(3000, seed=0)


@pytest.fixture
def leaky(monkeypatch):
    """The guard broken on purpose: each stretch is counted with itself."""
    honest = next_page.earlier_and_own

    def counts_its_own(frame, starts):
        for earlier, own in honest(frame, starts):
            yield pd.concat([earlier, own]), own

    monkeypatch.setattr(next_page, "earlier_and_own", counts_its_own)


def found_again(rows: Rows) -> float:
    """Of the candidates that followed the same two pages before, the share that was opened next."""
    return rows.answer[rows.matrix[:, rows.names.index("second_count")] > 0].mean()


def judged(train: pd.DataFrame) -> Calibration:
    model, unseen = (
        NextPage(max_trees=40, learning_rate=0.3, min_child_weight=5).fit(train),
        shuffled_site(2000, seed=1),
    )
    return measure_calibration(*pair_chances(model.next_pages(unseen, 10), unseen))


def rows_of(train: pd.DataFrame) -> Rows:
    return join_rows(honest_rows(train, fit_layout(train, "client_js"), None, 10**6, 0))


def test_honest_counts_tell_nothing_where_nothing_is_to_be_told(train):
    assert found_again(rows_of(train)) < 3 / len(MANY)
    honest = judged(train)
    assert honest.log_loss < 1.02 * entropy(honest.share)


def test_the_checks_find_a_leak(train, leaky):
    assert found_again(rows_of(train)) > 0.1
    broken = judged(train)
    assert broken.log_loss > 1.2 * entropy(broken.share) and broken.slope < 0.3


def entropy(share: float) -> float:
    """Log-loss of one chance for all pairs: nothing better can be said of a shuffled site."""
    return -(share * np.log(share) + (1 - share) * np.log(1 - share))
