"""`.ci/find-python` among interpreters that fail, lack modules or are too old, played by small scripts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIND_PYTHON = Path(__file__).parent.parent / ".ci" / "find-python"


@pytest.fixture
def machine(tmp_path: Path):
    def put(path: str, script: str) -> Path:
        program = tmp_path / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    def find(*folders: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(str(tmp_path / folder) for folder in folders)
        script = tmp_path / ".ci" / "find-python"
        script.parent.mkdir(exist_ok=True)
        shutil.copy(FIND_PYTHON, script)  # what it fetches lands beside its own folder
        environment = {"PATH": path, "PYENV_ROOT": str(tmp_path / "pyenv"), "HOME": str(tmp_path)}
        command = ["/bin/sh", str(script)]
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
    assert find("bin").returncode == 2 and not (tmp_path / "ran").exists()


def test_where_there_is_none_one_sentence_says_what_to_do(machine):
    put, find = machine
    put("bin/python3", "echo 3.11 - /eleven")
    answer = find("bin")
    assert (answer.returncode, answer.stdout) == (2, "") and answer.stderr.count("\n") == 1
    assert "needs Python 3.13" in answer.stderr and "install Python 3.13 from python.org" in answer.stderr


def test_an_incomplete_python_is_named_with_what_it_lacks(machine):
    put, find = machine
    put("bin/python3", "echo 3.12 ensurepip,ssl /usr/bin/python3")
    assert "/usr/bin/python3 is 3.12 but lacks ensurepip,ssl" in find("bin").stderr


# A Python too old for the project that makes environments; pip there brings a uv, which brings a Python.
CARRIER = """
case "$*" in
-I*) echo "3.11 {lacks} $0" ;;
"-m venv"*) eval "folder=\\${{$#}}"; /bin/mkdir -p "$folder/bin"; {pip} ;;
esac
"""
PIP = """
printf '%s\n' '#!/bin/sh' 'echo "$@" >{said}' '{install}' >"$folder/bin/python"
/bin/chmod +x "$folder/bin/python"
"""
UV = """#!/bin/sh
echo "$@" "bin=$UV_PYTHON_INSTALL_BIN" >{said}
[ -z "{fails}" ] || {{ echo "warning: slow"; echo "error: {fails}"; exit 2; }} >&2
/bin/mkdir -p "$UV_PYTHON_INSTALL_DIR/cpython-3.13.9/bin"
/bin/cp {thirteen} "$UV_PYTHON_INSTALL_DIR/cpython-3.13.9/bin/python3.13"
"""


def put_carrier(put, tmp_path: Path, fails: str = "", lacks: str = "-") -> None:
    thirteen = put("away/thirteen", 'echo "3.13 - $0"')
    uv = put("away/uv", "")
    uv.write_text(UV.format(said=tmp_path / "uv-said", fails=fails, thirteen=thirteen))
    pip = PIP.format(said=tmp_path / "pip-said", install=f'/bin/cp {uv} "${{0%/*}}/uv"')
    put("bin/python3.11", CARRIER.format(lacks=lacks, pip=pip))


def test_where_there_is_none_uv_fetches_one_and_the_next_run_finds_it(machine, tmp_path: Path):
    put, find = machine
    put_carrier(put, tmp_path)
    fetched = f"{tmp_path}/.python/cpython-3.13.9/bin/python3.13\n"
    answer = find("bin")
    assert (answer.returncode, answer.stdout) == (0, fetched), answer.stderr
    assert answer.stderr == "No Python 3.12 to 3.14 found: uv fetches 3.13 into .python/ (about 30 MB)\n"
    assert (tmp_path / "pip-said").read_text().split()[-3:] == ["install", "--quiet", "uv"]
    assert (tmp_path / "uv-said").read_text() == "python install --no-progress 3.13 bin=0\n"
    (tmp_path / "uv-said").unlink()
    again = find("bin")
    assert (again.stdout, again.stderr) == (fetched, "") and not (tmp_path / "uv-said").exists()


def test_where_uv_fails_too_one_sentence_says_why_and_what_to_do(machine, tmp_path: Path):
    put, find = machine
    put_carrier(put, tmp_path, fails="no network")
    answer = find("bin")
    assert (answer.returncode, answer.stdout) == (2, "")
    trying, sentence = answer.stderr.splitlines()
    assert trying.startswith("No Python 3.12 to 3.14 found")
    assert "and uv could not fetch one (error: no network): install Python 3.13 from python.org" in sentence


def test_a_python_that_cannot_make_environments_does_not_carry_uv(machine, tmp_path: Path):
    put, find = machine
    put_carrier(put, tmp_path, lacks="ensurepip")
    answer = find("bin")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1) and not (tmp_path / ".python").exists()


def test_a_real_interpreter_understands_the_question(machine, tmp_path: Path):
    """The fakes above only echo: this one answers for itself, from the environment that runs the tests."""
    _, find = machine
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(os.path.realpath(sys.executable))
    answer = find("bin")
    assert Path(answer.stdout.strip()).exists(), answer.stderr
