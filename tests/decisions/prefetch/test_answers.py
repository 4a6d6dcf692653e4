import numpy as np
import pandas as pd
import pytest

from workbench.datasets.schema import known_context
from workbench.decisions.prefetch.answers import ask_chances, ask_prefetch, cut_sessions
from workbench.decisions.prefetch.replay import replay_prefetch
from workbench.decisions.prefetch.scenario import PrefetchScenario
from workbench.errors import WorkbenchError

PAGES = list("abcd")
VIEWS = pd.DataFrame(
    {
        "view_id": np.arange(100, 108),
        "user_id": "u",
        "session_id": [0, 0, 0, 0, 1, 1, 1, 1],
        "position": [0, 1, 2, 3] * 2,
        "page": pd.Categorical(list("abcdabca"), categories=PAGES),
        "page_bytes": 1000.0,
    }
)
TWO = PrefetchScenario(k=2)


def answer(view_id, page, rank):
    return pd.DataFrame({"view_id": view_id, "page": page, "rank": rank})


def says(*columns):
    """A policy that gives the same answer for the views that are there."""

    def stubborn(context):
        said = answer(*columns)
        return said[said["view_id"].isin(context["view_id"]) | ~said["view_id"].isin(VIEWS["view_id"])]

    return stubborn


def replay(policy, views, scenario, **more):
    said = ask_prefetch(policy, known_context(views, "client_js"), scenario, **more)
    return replay_prefetch(said, views, scenario)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (([100, 100, 100], ["b", "c", "d"], [1, 2, 3]), "at most k = 2 pages a view; got ranks 1, 2, 3 for view 100"),
        (([100, 7], ["b", "b"], [1, 1]), "1 of 2 are of no such view, first 7"),
        (([100, 100], ["b", "b"], [1, 2]), "each page once a view; got 'b' twice for view 100"),
        (([100], ["b"], [0]), "ranks 1, 2, ... within each view; got ranks 0 for view 100"),
        (([100, 100], ["b", "c"], [1, 1]), "ranks 1, 2, ... within each view; got ranks 1, 1 for view 100"),
        (([100, 100], ["b", "c"], [2, 3]), "got ranks 2, 3 for view 100"),
        (([100], ["b"], ["first"]), "got ranks nan for view 100"),
        (([100, 100], ["b", None], [1, 2]), "a page in every row; 1 of 2 are missing"),
        (([100], [["b", "c"]], [1]), r"pages by their names, as text; got \['b', 'c'\]"),
        (([100], [3], [1]), "pages by their names, as text; got 3"),
    ],
)
def test_a_wrong_answer_is_named(columns, said):
    with pytest.raises(WorkbenchError, match=f"stubborn: expected .*{said}"):
        replay(says(*columns), VIEWS, TWO)
    with pytest.raises(WorkbenchError, match=f"fetches: expected .*{said}"):
        replay_prefetch(answer(*columns), VIEWS, TWO)


@pytest.mark.parametrize(
    ("given", "came"),
    [
        (["b"] * 8, r"\['b', 'b'"),
        (None, "None"),
        (pd.DataFrame({"view_id": [100], "page": ["b"]}), "columns view_id, page"),
    ],
)
def test_something_else_than_such_a_frame_is_named(given, came):
    with pytest.raises(WorkbenchError, match=f"odd: expected a DataFrame with the columns view_id.*got {came}"):
        replay(type("Odd", (), {"name": "odd", "__call__": lambda self, context: given})(), VIEWS, TWO)


def test_order_of_rows_and_kind_of_text_do_not_matter():
    plain = answer([100, 100, 105], ["b", "c", "d"], [1, 2, 1])
    shuffled = plain.iloc[[2, 1, 0]].astype({"page": "category", "rank": float})
    pd.testing.assert_frame_equal(replay_prefetch(plain, VIEWS, TWO), replay_prefetch(shuffled, VIEWS, TWO))


def by_user(context):
    return context.groupby("user_id").first()


def by_size(context):
    return context.page_bytes


@pytest.mark.parametrize(("policy", "column"), [(by_user, "user_id"), (by_size, "page_bytes")])
def test_a_policy_that_reads_what_it_may_not_see_raises(policy, column):
    with pytest.raises(WorkbenchError, match=f"{policy.__name__} reads '{column}', which is not known when the dec"):
        replay(policy, VIEWS, TWO)


def fetch(context, page):
    known = page.notna().to_numpy()
    return answer(context["view_id"].to_numpy()[known], page[known].astype(str).to_numpy(), 1)


def the_next_row(context):
    """Reads the answer: the page of the next row of the session."""
    return fetch(context, context.groupby("session_id")["page"].shift(-1))


def the_length_of_the_session(context):
    """Reads no page of the future, but how long the session will be."""
    length = context.groupby("session_id")["page"].transform("size")
    return fetch(context, pd.Series("d", context.index).where(length > 3))


def the_batch(context):
    """Reads other sessions, of which some are later."""
    return fetch(context, pd.Series(context["page"].mode()[0], context.index).where(context["page"] != "b"))


@pytest.mark.parametrize("policy", [the_next_row, the_length_of_the_session])
def test_a_policy_that_reads_the_future_raises(policy):
    with pytest.raises(WorkbenchError, match=f"{policy.__name__} reads the future: where sessions are cut short, it"):
        replay(policy, VIEWS, TWO)


def test_a_policy_that_reads_other_sessions_raises():
    views = VIEWS.assign(page=pd.Categorical(list("abdcadcd"), categories=PAGES))
    with pytest.raises(WorkbenchError, match="the_batch reads the future"):
        replay(the_batch, views, TWO, seed=1)


def test_a_policy_that_throws_dice_raises():
    rng = np.random.default_rng(0)

    def dice(context):
        return fetch(context, pd.Series(rng.choice(PAGES, len(context)), context.index))

    with pytest.raises(WorkbenchError, match="must answer the same when asked again"):
        replay(dice, VIEWS, TWO)


def test_the_guard_can_fail(monkeypatch):
    """Broken on purpose: where sessions stay whole, reading the future goes unnoticed."""
    monkeypatch.setattr(
        "workbench.decisions.prefetch.answers.cut_sessions", lambda context, seed, most: np.ones(len(context), bool)
    )
    assert replay(the_next_row, VIEWS, TWO)["hits"].sum() > 0


def test_earlier_views_of_the_session_may_be_read():
    def back_again(context):
        return fetch(context, context.groupby("session_id")["page"].shift(2))

    assert replay(back_again, VIEWS, PrefetchScenario(lifetime_views=2, k=1))["fetched"].sum() == 0
    assert replay(back_again, VIEWS, PrefetchScenario(lifetime_views=1))["fetched"].sum() == 4


def test_only_so_many_sessions_are_asked_about_again():
    views = pd.DataFrame({"session_id": np.repeat(np.arange(30), 3)})
    cut = cut_sessions(views, seed=0, most=10)
    assert views.loc[cut, "session_id"].nunique() == 10


class Source:
    """Gives every view the same pages and chances."""

    name = "the source"

    def __init__(self, chance, pages="bc"):
        self.chance, self.pages = chance, list(pages)

    def next_pages(self, context, k):
        n = len(self.chance)
        top = answer(np.repeat(context["view_id"], n).to_numpy(), self.pages[:n] * len(context), 0)
        return top.assign(rank=list(range(1, n + 1)) * len(context), chance=self.chance * len(context))


CONTEXT = VIEWS.drop(columns=["user_id", "page_bytes"])


@pytest.mark.parametrize(
    ("chance", "said"), [([0.9, 0.2], "sums up to 1.1"), ([0.2, 0.3], "8 that rise"), ([0.2, 0.0], "chances from 0")]
)
def test_chances_that_cannot_be_are_refused(chance, said):
    with pytest.raises(WorkbenchError, match=f"the source: expected chances above 0 that fall with .*{said}"):
        ask_chances(Source(chance), CONTEXT, 2)


def test_a_source_of_chances_that_reads_the_future_raises():
    class Peeking(Source):
        def next_pages(self, context, k):
            return the_next_row(context).assign(chance=0.5)

    with pytest.raises(WorkbenchError, match="the source reads the future"):
        ask_chances(Peeking([0.5]), CONTEXT, 2)
    with pytest.raises(WorkbenchError, match="expected a column chance"):
        ask_chances(
            type("Mute", (Source,), {"next_pages": lambda self, context, k: answer([], [], [])})([]), CONTEXT, 2
        )
