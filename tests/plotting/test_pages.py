from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench import plotting
from workbench.plotting.pages import ENDS, OTHERS, _steps

HOSTILE = ["<script>alert(1)</script>", "/" + "x" * 10_000, "$a_b$\\frac", "two\nlines", "\x00", "a" * 60, "W" * 60]


of_pages = pytest.mark.parametrize("result", ["site", "letters"], indirect=True)


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def names_of(labels) -> list[str]:
    return [label.get_text() for label in labels]


def sessions(*paths: tuple[str, int]) -> pd.DataFrame:
    every = [path for path, times in paths for _ in range(times)]
    rows = [(i, page) for i, path in enumerate(every) for page in path]
    return wb.navigations(pd.DataFrame(rows, columns=["session_id", "page"]), name="letters")


def told(steps: pd.DataFrame, views: pd.DataFrame) -> dict[tuple[str, str], float]:
    names = dict(enumerate(views["page"].cat.categories)) | {ENDS: "end", OTHERS: "others"}
    return {(names[a], names[b]): steps.loc[a, b] for a in steps.index for b in steps.columns if steps.loc[a, b]}


def test_steps_are_shares_of_the_views_on_the_left():
    views = sessions(("AB", 30), ("AC", 20), ("A", 50))
    # 100 views of A, 30 of B, 20 of C: 150 in all, which all end but for 50.
    assert told(_steps(views), views) == pytest.approx(
        {("A", "B"): 0.2, ("A", "C"): 20 / 150, ("A", "end"): 1 / 3, ("B", "end"): 0.2, ("C", "end"): 20 / 150}
    )
    views = sessions(("AB", 20), ("CA", 20))
    assert not {("B", "A"), ("B", "C")} & set(told(_steps(views), views)), "a session does not lead into the next one"


def test_the_most_frequent_step_of_each_page_is_shown_though_others_are_larger():
    """Nine large goals of A; the only goal of Z is smaller than each of them."""
    letters = "BCDEFGHIJ"
    views = sessions(*[(f"A{letter}", 40) for letter in letters], ("ZY", 39), ("Z", 30))
    found = told(_steps(views), views)
    left = 360 + 69 + 6 * 40  # A, Z, and six of the nine
    assert found["Z", "Y"] == pytest.approx(39 / left) and found["A", "others"] == pytest.approx(2 * 40 / left)


def test_pages_that_few_people_viewed_are_other_pages():
    views = sessions(("AB", 30), ("AX", 19), ("XA", 0))
    found = told(_steps(views), views)
    assert not [pair for pair in found if "X" in pair] and found["A", "others"] == pytest.approx(19 / (49 + 30))
    # One person, many views.
    one = views.assign(user_id="she")
    assert set(told(_steps(one), one)) == {("others", "others"), ("others", "end")}


def test_page_names_may_be_those_of_the_words():
    views = sessions(("AB", 30))
    views["page"] = views["page"].cat.rename_categories({"A": "session ends", "B": "other pages"})
    ax = plotting.main_flows(views)
    assert names_of(ax.get_yticklabels()) == ["session ends (50 %)", "other pages (50 %)"]
    assert names_of(ax.get_xticklabels()) == ["other pages", "session ends"]


@of_pages
def test_main_flows_can_be_read(result, draw):
    ax = draw(plotting.main_flows, result.split.train)
    card = result.split.card
    assert ax.get_title("right") == (f"SIMULATED: {card.name}" if card.simulated else card.name)


def test_main_flows_of_hostile_names_can_be_read(site, draw):
    views = site.split.train.copy()
    busiest = views["page"].value_counts().index
    names = dict(zip(busiest, HOSTILE, strict=False))
    views["page"] = views["page"].cat.rename_categories(names)
    ax = draw(plotting.main_flows, views)
    assert max(map(len, [*texts(ax), *names_of(ax.get_xticklabels()), *names_of(ax.get_yticklabels())])) < 50
    assert len(plotting.alt_text(ax)) < 500


def test_a_row_is_of_100_views_of_a_page():
    ax = plotting.main_flows(sessions(("AB", 60), ("AC", 40)))
    cells = np.asarray(ax.collections[0].get_array()).reshape(len(ax.get_yticks()), -1)
    assert cells.sum(axis=1) == pytest.approx(1)
    assert names_of(ax.get_yticklabels()) == ["A (50 %)", "B (30 %)", "C (20 %)"]
    assert names_of(ax.get_xticklabels()) == ["B", "C", "session ends"]
    assert texts(ax)[:9] == ["60", "40", "", "", "", "100", "", "", "100"]
    alone = plotting.main_flows(sessions(("A", 30), ("B", 30)))
    assert "100 % of these views end the session" in plotting.alt_text(alone)
    said = plotting.alt_text(ax)
    assert "after A 60 % go to B" in said and "50 % of these views end the session" in said


def test_what_holds_no_page_views_is_refused():
    for given in (wb.load("synthetic_measurements", rows=200), None):
        with pytest.raises(wb.WorkbenchError, match=r"expected (page views|a DataFrame)"):
            plotting.main_flows(given)


@of_pages
def test_the_session_can_be_read(result, draw):
    assert "no real session" in draw(plotting.session, result).get_xlabel()


def with_session(result, **columns):
    table = pd.DataFrame(columns)
    return replace(result, detail=replace(result.detail, session=table))


def test_ticks_and_crosses_are_those_of_the_table(site):
    rule = {"rule_pages": [["news", "jobs"], [], ["home"]], "rule_hits": [["news"], [], []]}
    model = {"model_pages": [["mail"], [], []], "model_hits": [["mail"], [], []]}
    ax = plotting.session(with_session(site, page=["home", "news", "mail"], at_s=[0.0, 12.0, 30.0], **rule, **model))
    said = texts(ax)
    marked = [text for text in said if text[0] in "\u2713\u00d7"]
    assert marked == ["\u2713 news", "\u00d7 jobs", "\u00d7 home", "\u2713 mail"]
    assert "best rule\n1 of 3 opened" in said and "model\n1 of 1 opened" in said
    assert "news\n12 s" in said and "fetches 3 pages; opened in time: 1" in plotting.alt_text(ax)


def test_the_longest_session_of_hostile_names_can_be_read(site, draw):
    fetched = {"rule_pages": [HOSTILE[:3]] * 6, "model_pages": [HOSTILE[3:6]] * 6}
    hits = {"rule_hits": [HOSTILE[:1]] * 6, "model_hits": [[]] * 6}
    ax = draw(plotting.session, with_session(site, page=HOSTILE[:6], at_s=[np.nan] * 6, **fetched, **hits))
    assert len(plotting.alt_text(ax)) < 500


def test_a_session_in_which_nothing_is_fetched(site, draw):
    nothing = {name: [[]] for name in ("rule_pages", "rule_hits", "model_pages", "model_hits")}
    ax = draw(plotting.session, with_session(site, page=["a"], at_s=[np.nan], **nothing))
    assert "model\n0 of 0 opened" in texts(ax)


def test_a_session_of_another_decision_is_refused(planted):
    with pytest.raises(wb.WorkbenchError, match=r"prefetching; this one is of images"):
        plotting.session(planted)
