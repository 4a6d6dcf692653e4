"""`.ci/find-python` among interpreters that fail, lack modules or are too old, played by small scripts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FIND_PYTHON = Path(__file__).parent.parent / ".ci" / "find-python"


@pytest.fixture
def machine(tmp_path: Path):
    """Return a function that puts a program on the machine, and one that runs the finder there."""

    def put(path: str, script: str) -> Path:
        program = tmp_path / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    def find(*folders: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(str(tmp_path / folder) for folder in folders)
        environment = {"PATH": path, "PYENV_ROOT": str(tmp_path / "pyenv"), "HOME": str(tmp_path)}
        command = ["/bin/sh", str(FIND_PYTHON)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return put, find


def test_3_13_then_3_14_then_3_12_wherever_they_are(machine):
    put, find = machine
    put("bin/python3.12", "echo 3.12 - /twelve")
    assert find("bin").stdout == "/twelve\n"
    put("other bin/python3.14", "echo 3.14 - /fourteen")
    assert find("bin", "other bin").stdout == "/fourteen\n"
    put("other bin/python3", "echo 3.13 - '/with a space/thirteen'")
    assert find("bin", "other bin").stdout == "/with a space/thirteen\n"


def test_a_shim_that_fails_is_passed_over_for_what_lies_behind_it(machine):
    put, find = machine
    put("shims/python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    put("pyenv/versions/3.13.0/bin/python3.13", "echo 3.13 - /behind")
    assert find("shims").stdout == "/behind\n"


def test_helpers_with_similar_names_are_not_run(machine, tmp_path: Path):
    put, find = machine
    for name in "python3-config", "python3.13-config", "python3.13t", "python3.13-intel64":
        put(f"bin/{name}", f"touch {tmp_path}/ran; echo 3.13 - /{name}")
    assert find("bin").returncode == 2
    assert not (tmp_path / "ran").exists()


def test_where_there_is_none_one_sentence_says_what_to_do(machine):
    put, find = machine
    put("bin/python3", "echo 3.11 - /eleven")
    answer = find("bin")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.count("\n") == 1
    assert "needs Python 3.13" in answer.stderr and "install Python 3.13 from python.org" in answer.stderr


def test_an_incomplete_python_is_named_with_what_it_lacks(machine):
    put, find = machine
    put("bin/python3", "echo 3.12 ensurepip,ssl /usr/bin/python3")
    assert "/usr/bin/python3 is 3.12 but lacks ensurepip,ssl" in find("bin").stderr


def test_a_real_interpreter_understands_the_question(machine, tmp_path: Path):
    """The fakes above only echo: this one answers for itself, from the environment that runs the tests."""
    _, find = machine
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(os.path.realpath(sys.executable))
    answer = find("bin")
    assert Path(answer.stdout.strip()).exists(), answer.stderr
