"""The promise: what a person types."""

from importlib.metadata import version

import pytest

import workbench as wb


@pytest.mark.parametrize("name", wb.__all__)
def test_every_promised_name_is_there(name):
    assert getattr(wb, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        wb.lode  # noqa: B018


def test_the_version_is_that_of_the_package():
    assert wb.__version__ == version("performance-workbench")
