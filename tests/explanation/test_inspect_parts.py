import numpy as np
import pandas as pd
import pytest
import shap
from workbench.explanation.inspect_parts import as_plain, lacks, largest_levels, listed, readable, said, strongest
from workbench.explanation.shap_by_feature import THE_QUESTION

from workbench.decisions.decision import needs


def test_values_become_plain():
    assert [as_plain(value) for value in (np.int64(3), np.float64(1.23456), np.nan, None, pd.NA, True, "a")] == [
        3,
        1.23,
        None,
        None,
        None,
        True,
        "a",
    ]
    assert [said(value) for value in (None, 12.0, "iOS")] == ["unknown", "12", "iOS"]
    assert [readable(name) for name in ("asn", "page_before", "listing_page")] == ["ASN", "page before", "listing page"]


def test_levels_of_a_crowd_come_largest_first():
    who = np.repeat(np.arange(60), 2)
    values = pd.Series(np.where(who < 19, "few", np.where(who < 39, "some", "many")))
    assert largest_levels(values, who) == ["many", "some"]
    assert largest_levels(pd.Series(who.astype(float)), who) == []


def test_a_rule_lacks_what_is_not_known():
    @needs("device")
    def rule(context):
        return context

    assert lacks(rule, {"country"})
    assert not lacks(rule, {"country", "device"})


@pytest.mark.parametrize(("names", "words"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_names_are_listed(names, words):
    assert listed(names) == words


def test_the_strongest_come_first_and_all_add_up():
    values = np.r_[THE_QUESTION == "", np.linspace(-1, 1, 12)]
    names = [THE_QUESTION, *(f"f{i}" for i in range(12))]
    explanation = shap.Explanation(
        values=np.stack([np.zeros(13), values]),
        base_values=np.array([9.0, 0.5]),
        display_data=np.full((2, 13), "x", object),
        feature_names=names,
    )
    told = strongest(explanation, 1, "why")
    assert told["features"][0] == ["f0", "x", -1.0]
    assert told["features"][-1][0] == "5 others"
    assert told["answer"] == pytest.approx(0.5 + sum(push for _, _, push in told["features"]), abs=0.01)
