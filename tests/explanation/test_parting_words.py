"""The sentences of a disagreement: no second verdict in a heading, no difference within noise told as a finding."""

from types import SimpleNamespace

import pandas as pd
import pytest
from workbench.explanation.parting_tables import OTHERWISE
from workbench.explanation.parting_views import SAME
from workbench.explanation.parting_words import finding_of, separating_sentences

from workbench.evidence.bootstrap import Interval

WAY, OTHER_WAY = "the model sends smaller images", "the model sends larger images"


def with_directions(*names, share=0.32):
    found = Interval(share, share / 2, 2 * share, 50)
    return SimpleNamespace(share=found, directions=pd.DataFrame({"direction": list(names)}))


def with_gaps(*rows):
    table = pd.DataFrame(rows, columns=["direction", "feature", "difference", "low", "high"])
    table.attrs["question"] = "log-odds that it is slow"
    return SimpleNamespace(separating=table)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["rule medium, model small", SAME], ", most often so: rule medium, model small"),
        ([OTHERWISE, "rule medium, model small", SAME], ""),
        ([SAME], ""),
        ([], ""),
    ],
)
def test_the_heading_tells_how_often_and_in_which_direction_most_and_no_net(names, said):
    assert finding_of(with_directions(*names)) == f"Model and rule disagree in 32 % of the views{said}"


def test_gaps_are_more_or_less_and_of_how_many_features():
    told = separating_sentences(
        with_gaps(
            (WAY, "hour", -1.86, -2.5, -1.0),
            (WAY, "network", 0.5, 0.4, 0.6),
            (OTHER_WAY, "network", 0.9, 0.5, 1.25),
            (OTHER_WAY, "hour", 0.1, -0.1, 0.2),
        )
    )
    assert told == [
        f"What separates the views where {WAY}: hour pushes the log-odds that it is slow by 1.86 (1.00 to 2.50) less "
        "than where they do the same, the most beyond noise of 2 features.",
        f"What separates the views where {OTHER_WAY}: network pushes the log-odds that it is slow by 0.90 (0.50 to "
        "1.25) more than where they do the same, the most beyond noise of 2 features.",
    ]


def test_a_gap_within_noise_is_not_told():
    (told,) = separating_sentences(with_gaps((WAY, "hour", 3.0, -1.0, 6.0), (WAY, "network", 0.5, 0.4, 0.6)))
    assert "network" in told and "hour" not in told
    (told,) = separating_sentences(with_gaps((WAY, "hour", 3.0, -1.0, 6.0), (WAY, "network", 0.0, 0.0, 0.0)))
    assert told == "No feature's SHAP values separate the views where they disagree from the others beyond noise."
    assert separating_sentences(with_gaps()) == []
