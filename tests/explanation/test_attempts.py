"""Asking where the data may be too few to answer."""

import pytest

import workbench as wb
from workbench.explanation import attempt
from workbench.studies.report import told_html


def test_what_can_be_told_is_told():
    assert attempt(sorted, [2, 1], reverse=True) == [2, 1]


def test_what_is_refused_says_why_where_a_finding_would_stand():
    untold = attempt(wb.importance, 3, None)
    assert not untold
    assert told_html(untold).startswith("<h2>These data cannot tell</h2><ul><li>expected a trained model, ")


def test_a_fault_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 / 0)
