import pytest

from workbench.errors import WorkbenchError
from workbench.widgets.explorer import check_name, check_number


def test_a_number_may_be_off_by_its_last_digit():
    assert check_number("wait", 0.1 + 0.2, [0.3, 0.6]) == 0.3
    with pytest.raises(WorkbenchError, match=r"wait must be one of 0\.3, 0\.6; got 0\.31\."):
        check_number("wait", 0.31, [0.3, 0.6])


def test_a_name_is_taken_as_it_is():
    assert check_name("segment", "all", ["all"]) == "all"
    with pytest.raises(WorkbenchError, match=r"segment must be one of 'all'; got 'al'\. Did you mean 'all'\?"):
        check_name("segment", "al", ["all"])
