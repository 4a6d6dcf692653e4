"""Similar sessions by hand and against a plain loop; what they know that Markov chains do not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn.exceptions

import workbench as wb
from workbench.decisions.prefetch.answers import ask_chances
from workbench.decisions.prefetch.markov import Markov
from workbench.decisions.prefetch.neighbours import BACK, FADES, IN_PLACE, LATEST, NOT_NOTHING, SimilarSessions


def fitted(train, **settings):
    return SimilarSessions(Markov(order=1, smoothing=(1.0,)).fit(train), **settings).fit(train)


def test_those_who_came_the_same_way_have_the_say(sessions):
    """After x or y, then m, users go on to a or b: a chain of one page sees a coin, a chain of two does not; here the
    page that tells lies two views back."""
    train = sessions(*["xpmaq"] * 30, *["ypmbq"] * 30, letters="abmpqxy")
    top = fitted(train, neighbours=20, smoothing=0.01).next_pages(sessions("xpm", "ypm", letters="abmpqxy"), 2)
    first = top[top["rank"] == 1].set_index("view_id")
    assert first.loc[[2, 5], "page"].astype(str).tolist() == ["a", "b"]
    assert (first.loc[[2, 5], "chance"] > 0.95).all()
    alone = Markov(order=2).fit(train).next_pages(sessions("xpm", "ypm", letters="abmpqxy"), 2)
    assert alone.set_index("view_id").loc[2, "chance"].to_numpy() == pytest.approx([0.45, 0.45], abs=0.06)


def plain(rule, train, context, k):
    """The same chances, one view after the other."""
    earlier = [(i, list(s["page"].astype(str))) for i, (_, s) in enumerate(train.groupby("session_id"))]
    seen = [
        (path[at], path[:at][::-1][:BACK], path[at + 1] if at + 1 < len(path) else None)
        for _, path in earlier
        for at in range(len(path))
    ]
    answers = []
    for _, session in context.groupby("session_id"):
        path = list(session["page"].astype(str))
        for at, page in enumerate(path):
            mine = path[:at][::-1][:BACK]
            found = []
            for _, its, coming in [each for each in seen if each[0] == page][::-1][:LATEST]:
                weight = NOT_NOTHING + sum(FADES**back * (one in its) for back, one in enumerate(mine))
                weight += IN_PLACE * (mine[:1] == its[:1])
                found.append((weight, coming))
            found = sorted(found, key=lambda each: -each[0])[: rule.neighbours]
            row = np.array([len(answers)])
            total = sum(weight for weight, _ in found) + rule.smoothing
            chances = {}
            for code, name in enumerate(rule.everybody.pages):
                votes = sum(weight for weight, coming in found if coming == name)
                prior = rule.everybody.chances(
                    [state[row] for state in rule.everybody.states(context)], np.array([code])
                )[0]
                if name != page:
                    chances[name] = (votes + rule.smoothing * prior) / total
            answers.append(sorted(chances.items(), key=lambda each: -each[1])[:k])
    return answers


def test_it_equals_a_plain_loop(sessions):
    rng = np.random.default_rng(0)
    train = sessions(*("".join(rng.choice(list("abcdef"), rng.integers(1, 9))) for _ in range(120)), letters="abcdef")
    context = sessions(*("".join(rng.choice(list("abcdef"), rng.integers(1, 7))) for _ in range(12)), letters="abcdef")
    rule = fitted(train, neighbours=7, smoothing=2.0)
    top, expected = rule.next_pages(context, 3), plain(rule, train, context, 3)
    for view, chances in enumerate(expected):
        assert top.loc[top["view_id"] == view, "chance"].tolist() == pytest.approx([chance for _, chance in chances])


def test_it_answers_as_the_contract_says_and_reads_no_later_view():
    split = wb.split_by_time(wb.load("synthetic_navigations", rows=4000))
    context = split.test.drop(columns=["user_id", "page_bytes"])
    top = ask_chances(fitted(split.train), context, 3)
    assert top["rank"].max() == 3 and len(top) > len(context)


def test_what_was_never_viewed_is_left_to_markov(sessions):
    rule = fitted(sessions("ab", "ac", letters="abcz"))
    pd.testing.assert_frame_equal(
        rule.next_pages(sessions("z", letters="abcz"), 2), rule.everybody.next_pages(sessions("z", letters="abcz"), 2)
    )


def test_it_says_where_it_has_remembered_nothing(sessions):
    rule = replace(fitted(sessions("ab")), remembered=None)
    with pytest.raises(sklearn.exceptions.NotFittedError, match="similar sessions"):
        rule.next_pages(sessions("a"), 1)
