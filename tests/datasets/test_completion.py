import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from workbench import complete_dataset_names


@pytest.fixture(scope="module")
def shell() -> InteractiveShell:
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    complete_dataset_names(shell)
    return shell


def completed(shell: InteractiveShell, text: str) -> set[str]:
    with provisionalcompleter():
        return {found.text for found in shell.Completer.completions(text, len(text))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('wb.load("ofc', {"ofcom_hours", "ofcom_panel"}),
        ("views = workbench.load( 'ms", {"msnbc"}),
        ('results = [wb.study("esh', {"eshop2008"}),
        ('json.load("ms', set()),
        ('mywb.load("ms', set()),
        ('wb.load("msnbc", seed="ms', set()),
    ],
)
def test_names_of_datasets_are_completed(shell, text, expected):
    assert completed(shell, text) & {"eshop2008", "msnbc", "ofcom_hours", "ofcom_panel"} == expected


def test_without_cards_nothing_is_completed_and_nothing_breaks(shell, monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_DATASETS", str(tmp_path / "gone"))
    assert "msnbc" not in completed(shell, 'wb.load("ms')


def test_outside_ipython_nothing_happens(monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    assert complete_dataset_names() is None
