"""pyproject.toml, environment.yml and requirements.lock speak of the same packages."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
# What pip adds to conda's packages, in order; the last is the workbench itself.
BY_PIP = next(each["pip"] for each in ENVIRONMENT["dependencies"] if isinstance(each, dict))

# Where conda-forge calls a package by another name. `matplotlib-base` comes without Qt.
CONDA_NAMES = {
    "backports-zstd": "backports.zstd",
    "matplotlib": "matplotlib-base",
    "pandera": "pandera-pandas",
    "playwright": "playwright-python",
    "xgboost": "py-xgboost",
    "xgboost-cpu": "py-xgboost",
}
PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
}
PYTHONS = ["3.12", "3.13", "3.14"]


def declared(*extras: str) -> list[Requirement]:
    of_extras = [text for extra in extras for text in PROJECT["optional-dependencies"][extra]]
    return [Requirement(text) for text in PROJECT["dependencies"] + of_extras]


def locked(lock: str) -> list[Requirement]:
    """The pins of a lock, without their hashes and remarks."""
    pins = [line.removesuffix("\\") for line in lock.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    return [Requirement(pin) for pin in pins]


def applies(requirement: Requirement, platform: str, python: str) -> bool:
    machine = PLATFORMS[platform] | {"python_version": python, "python_full_version": f"{python}.0"}
    return requirement.marker is None or requirement.marker.evaluate(machine)


def test_conda_and_pip_name_the_same_packages_and_bounds():
    texts = [text for text in ENVIRONMENT["dependencies"] if isinstance(text, str)]
    offered = {each.name: each.specifier for each in map(Requirement, [*texts, *BY_PIP[:-1]])}
    assert offered.pop("python") == SpecifierSet(PROJECT["requires-python"])
    offered.pop("pip")
    named = declared("cpu", "gpu", "dev")
    assert offered == {CONDA_NAMES.get(each.name, each.name): each.specifier for each in named}
    assert CONDA_NAMES.keys() <= {each.name for each in named}, "the map of names holds something stale"


def test_the_lock_and_the_bounds_are_tried_on_the_oldest_python():
    named = re.findall(r"--python(?:-version)? (3\.\d+)|PYENV_VERSION=(3\.\d+)", (ROOT / "Makefile").read_text())
    assert {f">={''.join(each)}" for each in named} == {PROJECT["requires-python"]} and len(named) == 3


def test_a_bound_that_is_named_twice_is_the_same_and_conda_takes_the_package_itself_from_here():
    assert len({each.specifier for each in declared("cpu", "gpu") if each.name.startswith("xgboost")}) == 1
    assert set(PROJECT["optional-dependencies"]["parquet"]) <= set(PROJECT["optional-dependencies"]["dev"])
    assert ENVIRONMENT["channels"] == ["conda-forge", "nodefaults"] and BY_PIP[-1] == "-e ."


def test_the_lock_is_tied_to_no_host_and_every_pin_has_a_hash():
    assert not re.search(r"://|^--?(index|extra|find|f\b|i\b|trusted)", LOCK, flags=re.MULTILINE)
    blocks = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) > 100
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_gives_every_declared_package_one_fitting_version(platform: str, python: str):
    """And no GPU package: `xgboost` and `xgboost-cpu` are one module and break each other; the first brings CUDA."""
    pins: dict[str, list[str]] = {}
    for pin in locked(LOCK):
        if applies(pin, platform, python):
            pins.setdefault(pin.name, []).append(str(pin.specifier).removeprefix("=="))
    for requirement in declared("cpu", "dev"):
        if applies(requirement, platform, python):
            assert len(pins.get(requirement.name, [])) == 1, f"{requirement.name}: {pins.get(requirement.name)}"
            assert requirement.specifier.contains(pins[requirement.name][0]), f"{requirement} against {pins}"
    if platform == "linux":
        assert "xgboost-cpu" in pins
        assert not {name for name in pins if name == "xgboost" or name.startswith("nvidia")}
