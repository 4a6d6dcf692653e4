import errno
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from workbench.errors import WorkbenchError
from workbench.writing import as_file_name, as_path, scratch_beside, write_file, write_folder

OLD, NEW = ({name: letter * 200_000 for name in ("a.json", "b/c.ubj")} for letter in (b"1", b"2"))


def held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("content", [b"\xff\x00", "a 漢\n"])
def test_a_file_replaces_an_older_one(tmp_path, content):
    target = tmp_path / "new" / "deep" / "file.txt"
    for written in (b"older", content):
        assert write_file(target, written) == target
    assert target.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert list(target.parent.iterdir()) == [target]


def test_files_and_folders_are_for_whom_the_system_says(tmp_path):
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "file", b"")
        write_folder(tmp_path / "folder", NEW)
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("file", "folder", "folder/b", "folder/b/c.ubj")]
    assert modes == [0o640, 0o750, 0o750, 0o640]


@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.parametrize("through", ["folder", "link"])
def test_a_folder_replaces_an_older_one_whole_also_through_a_link(tmp_path, monkeypatch, exchange, through):
    if not exchange:
        monkeypatch.setattr(sys, "platform", "other")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for files in (OLD, {"only": b"x"}, NEW):
        assert write_folder(tmp_path / through, files) == tmp_path / through
        assert held(tmp_path / "folder") == files
    assert (tmp_path / "link").is_symlink() and {path.name for path in tmp_path.iterdir()} == {"folder", "link"}


WRITER = """
import sys
from pathlib import Path
from tests_of_writing import NEW, OLD
from workbench.writing import write_folder
print("ready", flush=True)
while True:
    for files in (NEW, OLD):
        write_folder(Path(sys.argv[1]), files)
""".replace("tests_of_writing", Path(__file__).stem)


@pytest.mark.parametrize("kills", [int(os.environ.get("WORKBENCH_KILLS", "10"))])
def test_a_killed_writer_leaves_the_old_or_the_new_folder_every_time(tmp_path, kills):
    target, chance = tmp_path / "model", random.Random(0)
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""), *sys.path])
    write_folder(target, OLD)
    left = 0
    for _ in range(kills):
        command = [sys.executable, "-c", WRITER, str(target)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
            threading.Event().wait(chance.uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
        assert held(target) in (OLD, NEW)
        left += len(list(tmp_path.iterdir())) > 1
    assert left > 0  # some were killed at work
    write_folder(target, NEW)
    assert list(tmp_path.iterdir()) == [target]


def test_the_scratch_folder_of_a_running_writer_stays_and_that_of_a_dead_one_goes(tmp_path):
    (tmp_path / ".writing-dead").mkdir()
    with scratch_beside(tmp_path / "one") as one:
        assert sorted(tmp_path.iterdir()) == [one]
        with scratch_beside(tmp_path / "two") as two:
            assert sorted(tmp_path.iterdir()) == sorted([one, two])
    assert list(tmp_path.iterdir()) == []


def test_two_writers_at_once_leave_one_whole_folder(tmp_path):
    def write(files):
        for _ in range(20):
            write_folder(tmp_path / "model", files)

    writers = [threading.Thread(target=write, args=(files,)) for files in (OLD, NEW)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert held(tmp_path / "model") in (OLD, NEW) and [path.name for path in tmp_path.iterdir()] == ["model"]


WRITE = {"file": lambda target: write_file(target, b"new"), "folder": lambda target: write_folder(target, NEW)}


def fails(number: int):
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("kind", WRITE)
@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("os.fsync", errno.ENOSPC),
        ("os.fsync", errno.EIO),
        ("tempfile.mkdtemp", errno.EROFS),
        ("tempfile.mkdtemp", errno.EACCES),
        ("pathlib.Path.write_bytes", errno.EDQUOT),
    ],
)
def test_what_the_system_refuses_is_a_sentence_and_the_older_one_stays(tmp_path, monkeypatch, kind, call, number):
    target = tmp_path / "target"
    older = WRITE[kind](target)
    before = older.read_bytes() if kind == "file" else held(older)
    with monkeypatch.context() as broken:
        broken.setattr(call, fails(number))
        for refused in (target, tmp_path / "new" / "deep"):
            with pytest.raises(WorkbenchError) as caught:
                WRITE[kind](refused)
            assert f"could not write {refused}: {os.strerror(number)}; nothing was changed" in str(caught.value)
            assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == [target]
    assert (target.read_bytes() if kind == "file" else held(target)) == before


@pytest.mark.parametrize("kind", WRITE)
def test_a_place_where_nothing_can_be_is_refused(tmp_path, kind):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder" / "full").mkdir(parents=True)
    (tmp_path / "loop").symlink_to("loop")
    wrong = "folder" if kind == "file" else "file"
    for place in (wrong, "file/below", "x" * 300, "y/" + "x" * 300, "loop/x"):
        with pytest.raises(WorkbenchError, match="could not write"):
            WRITE[kind](tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder", "full", "loop"]


FULL = """
import resource, sys
from workbench.errors import WorkbenchError
from workbench.writing import write_folder, write_file
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for write, target, content in (write_file, sys.argv[1], bytes(2000)), (write_folder, sys.argv[2], {"a": bytes(2000)}):
    try:
        write(target, content)
    except WorkbenchError as err:
        print(err)
"""


def test_a_file_that_the_system_cuts_never_takes_its_name(tmp_path):
    file, folder = write_file(tmp_path / "file", b"old"), write_folder(tmp_path / "folder", OLD)
    done = subprocess.run([sys.executable, "-c", FULL, file, folder], capture_output=True, text=True, check=True)
    assert done.stdout.count("File too large; nothing was changed there.") == 2
    assert file.read_bytes() == b"old" and held(folder) == OLD and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("given", [None, 5, "~nobody-such/x", "a\0b", ["a"]])
def test_what_is_no_path_is_refused(given):
    with pytest.raises(WorkbenchError, match="expected the path of a folder; got"):
        as_path(given, "a folder")
    assert as_path("~/x") == Path.home() / "x"


@pytest.mark.parametrize(
    ("name", "file"),
    [("a.b/c d", "a-b-c-d"), ("../..", ""), ("通販 2026", "通販-2026"), ("under_score", "under_score")],
)
def test_a_name_becomes_that_of_a_file(name, file):
    assert as_file_name(name) == file
