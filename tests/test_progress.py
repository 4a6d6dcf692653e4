import pytest

from workbench import progress
from workbench.progress import bar, showing_steps, stopped_at, with_bar


def watch(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr(progress, "QUICK_S", 0.0)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)


def test_nothing_is_written_where_nobody_watches_or_the_work_is_quick(capsys, monkeypatch):
    monkeypatch.setattr(progress, "QUICK_S", 0.0)
    assert list(with_bar(range(3), "work")) == [0, 1, 2] and capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "QUICK_S", 2.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert list(with_bar(range(3), "work")) == [0, 1, 2] and "work" not in capsys.readouterr().err


def test_on_a_terminal_long_work_shows_one_bar_the_outer(capsys, monkeypatch):
    watch(monkeypatch)
    assert [list(with_bar(range(2), "inner")) for _ in with_bar(range(3), "outer")] == [[0, 1]] * 3
    shown = capsys.readouterr().err
    assert "outer" in shown and "0/3" in shown and "inner" not in shown
    assert list(with_bar(range(2), "alone")) == [0, 1] and "alone" in capsys.readouterr().err


def test_steps_are_shown_and_passed_on(capsys, monkeypatch):
    watch(monkeypatch)

    @showing_steps
    def work(times, *, progress=None):
        for i in range(times):
            progress(f"step {i}")
        return times

    heard = []
    assert work(2, progress=heard.append) == 2 and heard == ["step 0", "step 1"]
    assert work(2) == 2 and "step 1" in capsys.readouterr().err


def test_where_it_was_stopped_is_known(monkeypatch):
    watch(monkeypatch)

    @showing_steps
    def work(*, progress=None):
        progress("train")
        with bar("trees"):
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            work()
        assert stopped_at() == "train: trees"
    assert list(with_bar([1], "next")) == [1] and stopped_at() == ""
