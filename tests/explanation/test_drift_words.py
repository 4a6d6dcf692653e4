"""Whether two parts differ, in words that the interval carries."""

import pandas as pd
import pytest
from workbench.explanation.data_checks import Drift

from workbench.datasets.cards import Card
from workbench.evidence.bootstrap import Interval


def told(estimate, low, high, **changes):
    table = pd.DataFrame([{"column": "isp", "feature": "provider", "fall": 0.1, "low": 0.05, "high": 0.2}])
    given = {"features": table, "views": (1000, 900), "users": 900, "fewest": 400, "people": "users"} | changes
    return Drift(auc=Interval(estimate, low, high, 900), card=Card("world"), **given)


@pytest.mark.parametrize(
    ("auc", "finding"),
    [
        ((0.50, 0.45, 0.56), "The second part looks like the first"),
        ((0.56, 0.47, 0.65), "It cannot be told whether the parts differ"),
        ((0.54, 0.52, 0.56), "The second part hardly differs from the first"),
        ((0.70, 0.65, 0.75), "The second part differs from the first"),
        ((0.50, 0.50, 0.50), "Too few views to tell whether the parts differ"),
        ((1.00, 1.00, 1.00), "The second part differs from the first"),
    ],
)
def test_the_finding_says_what_the_interval_carries(auc, finding):
    assert told(*auc).finding == finding


def test_a_wide_interval_about_a_coin_tells_nothing():
    (said,) = told(0.56, 0.47, 0.65, fewest=48).sentences
    assert said == (
        "With 48 users in the smaller part it cannot be told whether the parts differ: AUC 0.56 (0.47 to 0.65; 0.50 is "
        "a coin); that allows for none and for a plain difference."
    )


def test_small_shifts_are_called_small_and_great_ones_plain():
    (small,) = told(0.54, 0.52, 0.56, features=told(0.5, 0.4, 0.6).features.assign(low=0.0)).sentences
    assert "only a little better than a coin" in small and "No single feature gives it away" in small
    (great,) = told(0.7, 0.65, 0.75).sentences
    assert "from the first plainly: AUC 0.70" in great and great.endswith("Most is given away by provider.")


def test_what_was_left_aside_is_named():
    assert told(0.5, 0.45, 0.55, left_aside=("last RTT", "earlier views")).sentences[1] == (
        "History and signals left aside: last RTT and earlier views."
    )


@pytest.mark.parametrize("auc", [(0.5, 0.45, 0.56), (0.56, 0.47, 0.65), (0.7, 0.65, 0.75), (0.5, 0.5, 0.5)])
def test_no_part_is_called_later(auc):
    found = told(*auc)
    assert "later" not in " ".join((found.finding, *found.sentences))
