"""pyproject.toml, environment.yml and requirements.lock speak of the same packages."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent

# Where conda-forge calls a package by another name. `matplotlib-base` comes without Qt.
CONDA_NAMES = {
    "matplotlib": "matplotlib-base",
    "pandera": "pandera-pandas",
    "playwright": "playwright-python",
    "xgboost": "py-xgboost",
    "xgboost-cpu": "py-xgboost",
}
CONDA_ONLY = {"python", "pip"}

PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
}
PYTHONS = ["3.12", "3.13", "3.14"]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def environment() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def declared(project: dict, *extras: str) -> list[Requirement]:
    """Return the core requirements and those of the extras."""
    texts = project["dependencies"] + [t for extra in extras for t in project["optional-dependencies"][extra]]
    return [Requirement(text) for text in texts]


def by_pip(environment: dict) -> list[str]:
    """Return what pip adds to conda's packages, in order; the last is the workbench itself."""
    return next(each["pip"] for each in environment["dependencies"] if isinstance(each, dict))


def conda_bounds(environment: dict) -> dict[str, SpecifierSet]:
    texts = [text for text in environment["dependencies"] if isinstance(text, str)]
    requirements = [Requirement(text) for text in [*texts, *by_pip(environment)[:-1]]]
    return {requirement.name: requirement.specifier for requirement in requirements}


def locked(lock: str) -> list[Requirement]:
    """Return the pins of a lock, without their hashes and remarks."""
    pins = [line.removesuffix("\\") for line in lock.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    return [Requirement(pin) for pin in pins]


def applies(requirement: Requirement, platform: str, python: str) -> bool:
    machine = PLATFORMS[platform] | {"python_version": python, "python_full_version": f"{python}.0"}
    return requirement.marker is None or requirement.marker.evaluate(machine)


def test_conda_and_pip_name_the_same_packages_and_bounds():
    named = declared(project(), "cpu", "gpu", "dev")
    offered = conda_bounds(environment())
    assert offered["python"] == SpecifierSet(project()["requires-python"])
    bounds = {name: bound for name, bound in offered.items() if name not in CONDA_ONLY}
    assert bounds == {CONDA_NAMES.get(each.name, each.name): each.specifier for each in named}
    assert CONDA_NAMES.keys() <= {each.name for each in named}, "the map of names holds something stale"


def test_the_lock_and_the_bounds_are_tried_on_the_oldest_python():
    named = re.findall(r"--python(?:-version)? (3\.\d+)|PYENV_VERSION=(3\.\d+)", (ROOT / "Makefile").read_text())
    assert {f">={''.join(each)}" for each in named} == {project()["requires-python"]}
    assert len(named) == 3


def test_cpu_and_gpu_have_the_same_bound():
    """Otherwise the last of the two would speak for both in the comparison with conda."""
    bounds = {each.specifier for each in declared(project(), "cpu", "gpu") if each.name.startswith("xgboost")}
    assert len(bounds) == 1


def test_parquet_is_tested_at_the_bound_that_its_extra_names():
    dev, parquet = (project()["optional-dependencies"][extra] for extra in ("dev", "parquet"))
    assert set(parquet) <= set(dev)


def test_conda_takes_the_package_itself_from_here_and_nothing_from_the_default_channel():
    assert environment()["channels"] == ["conda-forge", "nodefaults"]
    assert by_pip(environment())[-1] == "-e ."


def test_the_lock_is_tied_to_no_host():
    lock = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"://|^--?(index|extra|find|f\b|i\b|trusted)", lock, flags=re.MULTILINE)


def test_every_pin_has_a_hash():
    lock = (ROOT / "requirements.lock").read_text()
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert len(blocks) > 100
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_gives_every_declared_package_one_fitting_version(platform: str, python: str):
    pins: dict[str, list[str]] = {}
    for pin in locked((ROOT / "requirements.lock").read_text()):
        if applies(pin, platform, python):
            pins.setdefault(pin.name, []).append(str(pin.specifier).removeprefix("=="))
    for requirement in declared(project(), "cpu", "dev"):
        if applies(requirement, platform, python):
            assert len(pins.get(requirement.name, [])) == 1, f"{requirement.name}: {pins.get(requirement.name)}"
            assert requirement.specifier.contains(pins[requirement.name][0]), f"{requirement} against {pins}"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_brings_no_gpu_package_to_linux(python: str):
    """`xgboost` and `xgboost-cpu` are one module and break each other; the first brings 430 MB of CUDA."""
    names = {pin.name for pin in locked((ROOT / "requirements.lock").read_text()) if applies(pin, "linux", python)}
    assert "xgboost-cpu" in names
    assert {name for name in names if name == "xgboost" or name.startswith("nvidia")} == set()


def test_a_lock_is_read_as_it_is_written():
    lock = """# This file was made by uv
click==8.2 ; sys_platform == 'linux' \\
    --hash=sha256:00 \\
    --hash=sha256:01
    # via papermill
numpy==2.2 \\
    --hash=sha256:02
"""
    click, numpy = locked(lock)
    assert (click.name, str(click.specifier), numpy.name) == ("click", "==8.2", "numpy")
    assert applies(click, "linux", "3.13") and not applies(click, "macos", "3.13")
