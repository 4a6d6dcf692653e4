"""The order of the house (CONTRIBUTING.md, "The house"): imports, size, and that no stage asks which decision it has.

The checks are functions of a module's source, so that a broken source can be shown to fail them.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.decisions import decisions
from workbench.decisions.policy import Traits

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "workbench"
# The house was 176 modules and 25,146 lines. Lower these with each cut; only what a later plan adds raises them: so did
# types for what stood behind Any (policies, single views); hover, similar sessions, searched tables and a linear
# reference as rivals; A/B test size; the decision box; retraining; pictures of many studies; a table over all views;
# rivals of a gain.
MOST_MODULES, MOST_LINES = 134, 30_300  # what the house holds, and a little room
# Written once, over `Decision`. What is drawn of one decision alone has a module of its own in plotting.
ONCE = ("studies", "evidence", "explanation", "plotting", "widgets", "export", "cli.py")
OF_ONE_DECISION = ("plotting/images.py", "plotting/pages.py")
NAMES = {"image", "images", "prefetch", "IMAGES", "PREFETCH", "navigations", "measurements"} | {
    each.name for each in decisions()
}
CLASSES = {
    *("Images", "Prefetch", "OptionDecision", "ImageScenario", "PrefetchScenario", "NetworkQuality", "NextPage"),
    *("ChancePolicy", "PrefetchPolicy", "Lookup", "Markov", "Prospects", "ImageFigures", "PrefetchFigures"),
    *("ImageDetail", "PrefetchDetail"),
}


POLICIES = {"policy", "rule", "today", "now", "ours", "theirs", "source", "scenario"}


def branches(source: str) -> Iterator[str]:
    """Say where code asks which decision it has, or knows one by name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            named = {ast.unparse(each).split(".")[-1] for argument in node.args[1:] for each in ast.walk(argument)}
            if node.func.id in ("isinstance", "issubclass") and named & CLASSES:
                yield f"line {node.lineno}: {node.func.id} of {', '.join(sorted(named & CLASSES))}"
        for each in compared(node):
            if each.value in NAMES:
                yield f"line {each.lineno}: compares with {each.value}"
        if isinstance(node, ast.Compare):
            sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
            if any(side.endswith(("decision.name", ".scenario_type", "type(decision)")) for side in sides):
                yield f"line {node.lineno}: compares {' with '.join(sides)}"
        if isinstance(node, ast.ImportFrom | ast.Import):
            base = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for name in (base + alias.name for alias in node.names):
                if name.startswith(("workbench.decisions.images", "workbench.decisions.prefetch")):
                    yield f"line {node.lineno}: imports {name}"


def compared(node: ast.AST) -> list[ast.Constant]:
    """Constants in a comparison, in a case of ``match``, or among the keys of a dictionary."""
    parts: list[ast.AST] = []
    if isinstance(node, ast.Compare):
        parts = [node.left, *node.comparators]
    elif isinstance(node, ast.match_case):
        parts = [node.pattern]
    elif isinstance(node, ast.Dict):
        parts = [key for key in node.keys if key is not None]
    return [each for part in parts for each in ast.walk(part) if isinstance(each, ast.Constant)]


def guesses(source: str) -> Iterator[str]:
    """Say where code guesses what a policy is, instead of reading its traits."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr"):
            guessed = node.func.id == "hasattr" or len(node.args) > 2
            texts = {each.value for each in node.args[1:2] if isinstance(each, ast.Constant)}
            whose = ast.unparse(node.args[0]).split(".")[-1]
            if guessed and (whose in POLICIES or texts & {*Traits._fields, "prospects", "next_pages", "source"}):
                yield f"line {node.lineno}: {ast.unparse(node)}"


def slow_at_the_top(source: str) -> list[str]:
    return re.findall(r"^(?:import|from) (?:shap|xgboost)\b.*", source, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        (branches, "if isinstance(model, NextPage): pass"),
        (branches, "if isinstance(model, models.NextPage): pass"),
        (branches, "x = 1 if isinstance(scenario, (ImageScenario, int)) else 2"),
        (branches, "if result.decision.name == 'prefetch': pass"),
        (branches, "if result.decision.name != other: pass"),
        (branches, "if kind in ('images', 'video'): pass"),
        (branches, "match name:\n    case 'prefetch': pass"),
        (branches, "draw = {'images': one, 'prefetch': two}[name]"),
        (branches, "from workbench.decisions.images.scenario import ImageScenario"),
        (branches, "def f():\n    from workbench.decisions import prefetch"),
        (guesses, "limit = getattr(policy, 'limit', None)"),
        (guesses, "size = getattr(result.policy, name, 0)"),
        (guesses, "if hasattr(policy, 'prospects'): pass"),
        (slow_at_the_top, "x = 1\nfrom xgboost import Booster"),
    ],
)
def test_a_fault_is_found(check, broken):
    assert list(check(broken))


def test_what_is_sound_is_no_fault():
    sound = """
if isinstance(dataset, str) and verdict == "better":
    values = [getattr(card, name) for name in fields]
from workbench.decisions.decision import Decision
"""
    assert not [fault for check in (branches, guesses) for fault in check(sound)]


def faults(check, places) -> list[str]:
    found = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
    assert found
    texts = {place: path.read_text(encoding="utf-8") for place, path in found.items() if places(place)}
    return [f"{place}, {fault}" for place, text in texts.items() for fault in check(text)]


def test_no_stage_asks_which_decision_it_has():
    assert faults(branches, lambda place: place.split("/")[0] in ONCE and place not in OF_ONE_DECISION) == []


def test_what_a_policy_is_is_read_in_one_place():
    assert faults(guesses, lambda place: place != "decisions/policy.py") == []


def test_slow_libraries_are_imported_where_they_are_used():
    assert faults(slow_at_the_top, lambda place: place.split("/")[0] not in ("models", "explanation")) == []


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_imports_keep_the_order_of_the_house():
    """Layers, independent decisions, no circle: the contracts in pyproject.toml."""
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_a_circle_is_found(tmp_path):
    """Broken on purpose, the circle hidden behind TYPE_CHECKING."""
    package = tmp_path / "circular"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("from circular import two\n")
    hidden = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from circular import one\n"
    (package / "two.py").write_text(hidden)
    contract = "[importlinter:contract:1]\nname = x\ntype = acyclic_siblings\nancestors =\n    circular\n"
    (tmp_path / ".importlinter").write_text(f"[importlinter]\nroot_package = circular\n\n{contract}")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "1 broken" in done.stdout


def test_the_house_keeps_its_size():
    modules = list(PACKAGE.rglob("*.py"))
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in modules)
    assert len(modules) <= MOST_MODULES
    assert lines <= MOST_LINES


HEAVY = {"numpy", "pandas", "xgboost", "shap", "matplotlib", "sklearn"}


def loaded_by(statement: str) -> set[str]:
    """Which heavy libraries a fresh interpreter holds after a statement."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return HEAVY & set(done.stdout.split())


def test_nothing_heavy_is_imported_before_it_is_used():
    assert loaded_by("import workbench, workbench.cli") == set()
    assert loaded_by("import pandas") == {"pandas", "numpy"}, "the check itself sees nothing"
    prepared = "import workbench as wb; wb.split_by_user(wb.load('synthetic_null', rows=500))"
    assert loaded_by(prepared) == {"pandas", "numpy"}
    assert "shap" not in loaded_by("import workbench.explanation, workbench.export")
