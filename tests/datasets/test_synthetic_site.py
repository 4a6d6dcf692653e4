import numpy as np
import pandas as pd
import pytest

from workbench.datasets import known_context, links_of, load
from workbench.datasets import synthetic_facts as facts
from workbench.datasets.synthetic_site import KINDS, NOBODY, make_navigations, make_site, true_next_chances
from workbench.errors import WorkbenchError

ROWS = 120_000
WORLDS = {"planted": True, "null": False}


@pytest.fixture(scope="module")
def worlds() -> dict[str, pd.DataFrame]:
    return {name: with_next(make_navigations(ROWS, seed=3, planted=planted)) for name, planted in WORLDS.items()}


@pytest.fixture(scope="module")
def truths(worlds) -> dict[str, pd.DataFrame]:
    return {name: true_next_chances(worlds[name], {"planted": planted}, k=50) for name, planted in WORLDS.items()}


def with_next(views: pd.DataFrame) -> pd.DataFrame:
    """Pages as text, the page before and after (empty: none), and seconds on the page before."""
    page, sessions = views["page"].astype("str"), views["session_id"]
    before, after = (page.groupby(sessions).shift(back).fillna("") for back in (1, -1))
    waited = views.groupby("session_id")["viewed_at"].diff().dt.total_seconds()
    return views.assign(page=page, before=before, after=after, waited=waited)


def bytes_of(views: pd.DataFrame) -> bytes:
    return pd.util.hash_pandas_object(views).to_numpy().tobytes()


def kind_of(pages: pd.Series) -> pd.Series:
    site = make_site()
    return pages.map(dict(zip(site.pages, np.array(KINDS)[site.kind], strict=True)))


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    first, again, other = (make_navigations(5_000, seed=seed) for seed in (1, 1, 2))
    assert bytes_of(first) == bytes_of(again) != bytes_of(other)


@pytest.mark.parametrize("planted", [True, False])
def test_the_frame_keeps_the_contract(planted):
    views = make_navigations(8_000, seed=5, planted=planted)
    assert views.index.equals(pd.RangeIndex(len(views)))
    dtypes = dict.fromkeys(("view_id", "session_id", "position"), "int64") | {
        "page": "category",
        "local_hour": "float64",
    }
    dtypes |= {"viewed_at": "datetime64[us, UTC]", "user_id": "str", "page_bytes": "float64", "simulated": "boolean"}
    assert {name: str(views[name].dtype) for name in dtypes} == dtypes
    sessions = views.groupby("session_id")
    start = sessions["viewed_at"].min()
    assert start.index.tolist() == list(range(len(start))) and start.is_monotonic_increasing
    assert views["session_id"].is_monotonic_increasing and (views["position"] == sessions.cumcount()).all()
    assert sessions[["user_id", "device", "country", "browser"]].nunique(dropna=False).eq(1).all(axis=None)
    pages = views["page"].cat.categories
    assert pages.dtype == "str" and pages.is_monotonic_increasing and 40 <= len(pages) <= 60
    always = ["user_id", "device", "country", "os_family", "browser", "local_hour", "page_bytes"]
    assert views[always].notna().all(axis=None) and views["local_hour"].isin(range(24)).all()
    assert views["simulated"].all()


def test_no_page_follows_itself_and_silence_ends_a_session(worlds):
    views = worlds["planted"]
    assert (views["page"] != views["after"]).all() and views["waited"].min() >= 1
    assert views["waited"].max() < 1_800
    sessions = views.groupby("session_id").agg(
        user=("user_id", "first"), start=("viewed_at", "min"), end=("viewed_at", "max")
    )
    sessions = sessions.sort_values(["user", "start"])
    silence = sessions["start"] - sessions.groupby("user")["end"].shift()
    assert silence.dropna().min() > pd.Timedelta(minutes=30)


def test_a_switch_of_worlds_changes_no_person_and_no_visit(worlds):
    of_person = ["country", "device", "os_family", "browser"]
    visits = [
        views[views["position"] == 0].set_index(["user_id", "viewed_at"])[[*of_person, "page", "effective_type"]]
        for views in worlds.values()
    ]
    shared = visits[0].index.intersection(visits[1].index)
    assert len(shared) > 0.95 * len(visits[0])  # a longer session before may swallow one
    pd.testing.assert_frame_equal(visits[0].loc[shared], visits[1].loc[shared])


@pytest.mark.parametrize("world", WORLDS)
def test_times_and_lengths_are_as_stated(worlds, world):
    views = worlds[world]
    assert views["waited"].mean() == pytest.approx(49, abs=3)
    assert views["waited"].gt(120).mean() == pytest.approx(0.10, abs=0.02)
    feed = views.loc[views["before"] == "/feed", "waited"]
    assert np.log(2) ** (1 / 0.8) * 55 == pytest.approx(feed.median(), rel=0.05)  # Weibull's median
    lengths = views.groupby("session_id").size()
    assert lengths.mean() == pytest.approx(6.4, abs=0.3)
    assert lengths.eq(1).mean() == pytest.approx(0.16, abs=0.01)
    at = views.sort_values("viewed_at")
    assert at.groupby(["user_id", "page"]).cumcount().gt(0).mean() == pytest.approx(0.61, abs=0.03)
    assert views["page_bytes"].median() == pytest.approx(2.1e6, abs=2e5)
    chromium = views["browser"].isin(["Chrome", "Samsung Internet", "Edge"])
    assert (views["effective_type"].notna() == chromium).all()
    assert views.loc[chromium, "effective_type"].eq("4g").mean() == pytest.approx(0.80, abs=0.02)
    assert set(views["device"]) == {"phone", "tablet", "desktop"}
    evening = views["local_hour"].ge(17)
    assert evening.mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("world", WORLDS)
def test_sessions_end_with_the_chance_of_their_kind_and_nothing_else(worlds, world):
    views = worlds[world]
    chance = kind_of(views["page"]).map({name: kind.exit_chance for name, kind in facts.KINDS.items()})
    surprise = views["after"].eq("") - chance
    assert surprise.mean() == pytest.approx(0, abs=4 * np.sqrt((chance * (1 - chance)).mean() / len(views)))
    for keys in (["page"], ["device", "local_hour"], ["effective_type"], ["position"]):
        assert_no_group_differs(surprise, chance * (1 - chance), views[keys])


def assert_no_group_differs(surprise: pd.Series, variance: pd.Series, keys: pd.DataFrame):
    by = [key.astype("str").fillna("") for _, key in keys.items()]
    groups = pd.DataFrame({"surprise": surprise, "variance": variance}).groupby(by).sum()
    groups = groups[groups["variance"] > 5]
    chi2 = (groups["surprise"] ** 2 / groups["variance"]).sum()
    assert abs(chi2 - len(groups)) < 4 * np.sqrt(2 * len(groups)), (list(keys), chi2, len(groups))


def test_the_law_is_whole_and_every_step_is_a_link(worlds):
    site = make_site()
    assert np.allclose(site.next_kinds.sum(axis=1)[site.next_kinds[:, :NOBODY].sum(axis=1) > 0], 1)
    assert np.allclose(site.popularity.sum(axis=1), 1)
    stated = {(KINDS.index(now), KINDS.index(before)) for now, before in facts.READ}
    hubs = {KINDS.index(name) for name in facts.HUBS}
    follows = site.next_kinds.reshape(2, NOBODY + 1, NOBODY, NOBODY + 1)[..., :NOBODY].max(axis=(0, 1)) > 0
    possible = {(now, before) for before, now in zip(*np.nonzero(follows), strict=True) if now not in hubs}
    assert possible == stated
    assert all(before in hubs for _, before in stated), "the proof of the chances needs a hub between pages to read"
    for views in worlds.values():
        links = set(map(tuple, links_of(views).to_numpy()))
        steps = views.loc[views["after"] != "", ["page", "after"]].drop_duplicates()
        assert set(map(tuple, steps.to_numpy())) <= links and len(links) < len(make_site().pages) * 10


@pytest.mark.parametrize("world", WORLDS)
def test_chances_come_in_the_form_of_an_answer(worlds, truths, world):
    views, truth = worlds[world], truths[world]
    assert truth.dtypes.astype("str").tolist() == ["int64", "str", "int64", "float64"]
    assert truth["view_id"].is_monotonic_increasing
    assert (truth["rank"] == truth.groupby("view_id").cumcount() + 1).all() and truth["chance"].gt(0).all()
    assert truth.groupby("view_id")["chance"].diff().dropna().le(0).all()
    assert (truth["page"] != truth["view_id"].map(views["page"])).all()
    total = truth.groupby("view_id")["chance"].sum()
    stays = 1 - kind_of(views["page"]).map({name: kind.exit_chance for name, kind in facts.KINDS.items()})
    assert np.allclose(total.reindex(views.index), stays)
    few = true_next_chances(views.head(1_000), {"planted": WORLDS[world]}, k=2)
    shuffled = true_next_chances(views.head(1_000).sample(frac=1, random_state=0), {"planted": WORLDS[world]}, k=2)
    assert shuffled.sort_values(["view_id", "rank"], ignore_index=True).equals(few)
    assert few.equals(truth[(truth["view_id"] < 1_000) & (truth["rank"] <= 2)].reset_index(drop=True))


@pytest.mark.parametrize("world", WORLDS)
def test_what_is_drawn_has_the_true_chances(worlds, truths, world):
    views, truth = worlds[world], truths[world]
    of_view = views[["user_id", "before", "page", "after"]].rename(columns={"page": "now"})
    of_view["evening"], of_view["phone"] = views["local_hour"] >= 17, views["device"] == "phone"
    of_view["quick"] = ~(views["waited"] >= 30)
    asked = truth.join(of_view, on="view_id")
    asked["surprise"] = (asked["page"] == asked["after"]) - asked["chance"]
    z = scores_of(asked, ["before", "now", "page", "evening", "phone", "quick"])
    assert len(z) > 400 and z.abs().max() < 5 and z.pow(2).mean() == pytest.approx(1, abs=0.25)
    asked = asked[asked["page"].str.fullmatch(r".*\d+") & (kind_of(asked["page"]) == kind_of(asked["before"]))]
    z = scores_of(asked.assign(again=asked["page"] == asked["before"]), ["now", "again"])
    assert len(z) > 10 and z.abs().max() < 3.5


def scores_of(asked: pd.DataFrame, keys: list[str]) -> pd.Series:
    """How far groups are from their chances, in standard errors of sums over people, whose habits last."""
    sums = asked.groupby([*keys, "user_id"])[["surprise", "chance"]].sum()
    groups = sums.assign(square=sums["surprise"] ** 2).groupby(keys).sum()
    groups = groups[groups["chance"] > 40]
    return groups["surprise"] / np.sqrt(groups["square"])


def test_in_a_null_world_nothing_else_tells_of_the_next_page(worlds, truths):
    views, truth = worlds["null"], truths["null"]
    best = truth[truth["rank"] == 1].set_index("view_id").reindex(views.index)
    surprise = best["page"].eq(views["after"]) - best["chance"]
    variance = best["chance"] * (1 - best["chance"])
    more = views.assign(
        quick=views["waited"] < 30,
        day=views["viewed_at"].dt.day_of_year,
        third=views.groupby("session_id")["page"].shift(2),
        before_last=views.groupby(["user_id", "page"])["after"].shift(),
    )
    asked = ["local_hour", "device", "quick", "day", "country", "browser", "effective_type", "save_data", "third"]
    for keys in [*([name] for name in asked), ["device", "local_hour", "quick"], ["page", "before_last"], ["user_id"]]:
        assert_no_group_differs(surprise, variance, more[keys])


@pytest.mark.parametrize("card", ["synthetic_navigations", "synthetic_navigations_null"])
def test_the_cards_load_with_links_and_the_same_chances(card):
    views = load(card, rows=2_000, seed=1)
    generate = views.attrs["card"].generate
    drawn = make_navigations(**generate)
    assert views.attrs["card"].simulated and views.attrs["dropped"]["repeats"] == 0
    assert links_of(views).equals(links_of(drawn))
    pd.testing.assert_frame_equal(views.assign(page=drawn["page"])[list(drawn)], drawn)
    context = known_context(views, "client_js")
    assert true_next_chances(context, generate, 3).equals(true_next_chances(drawn, generate, 3))


def test_true_chances_say_what_they_need(worlds):
    views = worlds["planted"].head(50)
    with pytest.raises(WorkbenchError, match="need column 'device'"):
        true_next_chances(views.drop(columns="device"), {}, k=3)
    with pytest.raises(WorkbenchError, match="'local_hour' in every row; 50 rows"):
        true_next_chances(views.assign(local_hour=np.nan), {}, k=3)
    with pytest.raises(WorkbenchError, match="pages of the simulated site; got '/elsewhere'"):
        true_next_chances(views.assign(page="/elsewhere"), {}, k=3)
    with pytest.raises(WorkbenchError, match="need the view before each view"):
        true_next_chances(views[views["position"] != 1], {}, k=3)
    with pytest.raises(WorkbenchError, match="k must be a whole number from 1"):
        true_next_chances(views, {}, k=0)
