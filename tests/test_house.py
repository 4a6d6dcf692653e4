"""The order of the house (CONTRIBUTING.md, "The house"): imports, size, and that no stage asks which decision it has.

The checks are functions of a module's source, so that a broken source can be shown to fail them.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.decisions import decisions
from workbench.decisions.decision import Traits

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "workbench"
MOST_MODULES, MOST_LINES = 90, 19_000
# Written once, over `Decision`. What is drawn of one decision alone has a module of its own in plotting.
ONCE = ("studies", "evidence", "explanation", "plotting", "widgets", "export", "cli.py")
OF_ONE_DECISION = ("plotting/images.py", "plotting/pages.py")
NAMES = {"image", "images", "prefetch", "IMAGES", "PREFETCH"} | {each.name for each in decisions()}
CLASSES = {
    *("Images", "Prefetch", "OptionDecision", "ImageScenario", "PrefetchScenario", "NetworkQuality", "NextPage"),
    *("ChancePolicy", "PrefetchPolicy", "Lookup", "Markov", "Prospects", "ImageFigures", "PrefetchFigures"),
    *("ImageDetail", "PrefetchDetail"),
}


def branches(source: str) -> Iterator[str]:
    """Say where code asks which decision it has, or what a policy is."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            named = {each.id for argument in node.args[1:] for each in ast.walk(argument) if isinstance(each, ast.Name)}
            if node.func.id in ("isinstance", "issubclass") and named & CLASSES:
                yield f"line {node.lineno}: {node.func.id} of {', '.join(sorted(named & CLASSES))}"
            texts = {each.value for each in node.args[1:2] if isinstance(each, ast.Constant)}
            if node.func.id in ("getattr", "hasattr") and texts & (set(Traits._fields) | {"prospects", "next_pages"}):
                yield f"line {node.lineno}: {node.func.id} of {', '.join(texts)}"
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            texts = {each.value for side in sides for each in ast.walk(side) if isinstance(each, ast.Constant)}
            if texts & NAMES:
                yield f"line {node.lineno}: compares with {', '.join(sorted(texts & NAMES))}"


@pytest.mark.parametrize(
    "broken",
    [
        "if isinstance(model, NextPage): pass",
        "x = 1 if isinstance(scenario, (ImageScenario, int)) else 2",
        "if result.decision.name == 'prefetch': pass",
        "if kind in ('images', 'video'): pass",
        "limit = getattr(policy, 'limit', None)",
        "if hasattr(policy, 'prospects'): pass",
    ],
)
def test_a_branch_on_the_decision_is_found(broken):
    assert list(branches(broken))


@pytest.mark.parametrize("sound", ["if isinstance(dataset, str): pass", "if verdict == 'better': pass"])
def test_other_branches_are_no_fault(sound):
    assert not list(branches(sound))


def test_no_stage_asks_which_decision_it_has():
    faults = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place.split("/")[0] in ONCE and place not in OF_ONE_DECISION:
            faults += [f"{place}, {fault}" for fault in branches(path.read_text(encoding="utf-8"))]
    assert faults == []


def test_imports_keep_the_order_of_the_house():
    """Layers, independent decisions, no circle: the contracts in pyproject.toml."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_a_circle_is_found(tmp_path):
    """Broken on purpose, the circle hidden behind TYPE_CHECKING."""
    package = tmp_path / "circular"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("from circular import two\n")
    (package / "two.py").write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from circular import one\n"
    )
    (tmp_path / ".importlinter").write_text(
        "[importlinter]\nroot_package = circular\n\n[importlinter:contract:1]\nname = x\ntype = acyclic_siblings\n"
        "ancestors =\n    circular\n"
    )
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1 broken" in done.stdout


def test_the_house_keeps_its_size():
    modules = list(PACKAGE.rglob("*.py"))
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in modules)
    assert len(modules) <= MOST_MODULES
    assert lines <= MOST_LINES


def test_nothing_heavy_is_imported_before_it_is_used():
    code = "import sys, workbench; print(sorted({'pandas', 'xgboost', 'shap', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("slow", ["shap", "xgboost", "matplotlib"])
def test_slow_libraries_are_imported_where_they_are_used(slow):
    """Loading and splitting data needs none of them."""
    code = "import sys, workbench as wb; wb.split_by_user(wb.load('synthetic_null', rows=500)); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert slow not in done.stdout.split()
