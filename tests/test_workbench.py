"""The promise: what a person types."""

import subprocess
import sys

import pytest

import workbench as wb


@pytest.mark.parametrize("name", wb.__all__)
def test_every_promised_name_is_there(name):
    assert getattr(wb, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        wb.lode  # noqa: B018


def test_nothing_heavy_is_imported_until_it_is_used():
    heavy = ["pandas", "numpy", "xgboost", "shap", "matplotlib", "sklearn"]
    code = f"import sys, workbench, workbench.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
