"""The house has an order: data flows one way, and each library has one home (CONTRIBUTING.md, "The house").

The checks are functions of a module's name and its source, so that a broken source can be shown to fail them.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

# In the order of the data: a module imports from its own area and from those before it.
AREAS = [
    "errors",
    "delivery",
    "datasets",
    "features",
    "models",
    "policies",
    "evaluation",
    "studies",
    "explanation",
    "plotting",
    "widgets",
    "export",
]
OUTSIDE_THE_ORDER = {"__init__", "__main__", "cli"}
AREAS_WITH_ROOMS = {"features", "models", "policies", "evaluation", "studies", "widgets"}
ROOMS = {"images": ("image", "network"), "prefetch": ("prefetch", "navigation", "next_page")}
HOMES = {"matplotlib": "plotting", "seaborn": "plotting", "anywidget": "widgets", "click": "cli"}
SLOW = {"shap", "xgboost"}
SLOW_AREAS = {"models", "explanation"}


class Import(NamedTuple):
    """One imported name, written out in full, and whether it is imported with the module itself."""

    name: str
    at_top: bool


def imports(module: str, source: str) -> Iterator[Import]:
    """Yield what a module imports; `from a import b` may mean the module `a.b`, so it gives `a.b`."""
    tree = ast.parse(source)
    later = {inner for node in ast.walk(tree) if runs_later(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node not in later) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*base, node.module] if node.module else base)
            yield from (Import(f"{origin}.{alias.name}", node not in later) for alias in node.names)


def runs_later(node: ast.AST) -> bool:
    """Tell whether importing the module leaves the inside of this statement alone."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test).endswith("TYPE_CHECKING")
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def area_of(module: str) -> str:
    """Return the part of the name below `workbench`, or "" for the root package."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def room_of(module: str) -> str | None:
    """Return images or prefetch for a module of an area that has these rooms, else None."""
    parts = module.split(".")
    if len(parts) < 3 or parts[1] not in AREAS_WITH_ROOMS:
        return None
    return next((room for room, starts in ROOMS.items() if parts[2].startswith(starts)), None)


def own_name(module: str) -> str:
    return module.rpartition(".")[2]


def against_the_order(module: str, source: str) -> list[str]:
    """Say which imports look downstream, or at the root package."""
    if own_name(module) in OUTSIDE_THE_ORDER:
        return []
    area = area_of(module)
    if area not in AREAS:
        return [f"{module}: {area} is no area of the house"]
    allowed = AREAS[: AREAS.index(area) + 1]
    own = [each.name for each in imports(module, source) if each.name.split(".")[0] == "workbench"]
    return [f"{module} imports {name}" for name in own if area_of(name) not in allowed]


def across_rooms(module: str, source: str) -> list[str]:
    """Say where the images room imports from the prefetch room, or the other way."""
    room = room_of(module)
    if room is None:
        return []
    return [
        f"{module} ({room}) imports {each.name}"
        for each in imports(module, source)
        if each.name.startswith("workbench.") and room_of(each.name) not in {None, room}
    ]


def away_from_home(module: str, source: str) -> list[str]:
    """Say which libraries are imported outside the one area that owns them."""
    libraries = ((each.name.split(".")[0], each.name) for each in imports(module, source))
    return [
        f"{module} imports {name}"
        for library, name in libraries
        if HOMES.get(library, area_of(module)) != area_of(module)
    ]


def slow_at_the_top(module: str, source: str) -> list[str]:
    """Say which slow libraries are imported before anybody needs them."""
    if area_of(module) in SLOW_AREAS:
        return []
    return [
        f"{module} imports {each.name} at the top"
        for each in imports(module, source)
        if each.at_top and each.name.split(".")[0] in SLOW
    ]


def named_as_its_module(module: str, source: str) -> list[str]:
    """Say which function would hide its own module, once its package re-exports it."""
    functions = (node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    return [f"{module} defines {name}" for name in functions if name == own_name(module)]


CHECKS = [against_the_order, across_rooms, away_from_home, slow_at_the_top, named_as_its_module]

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "workbench").rglob("*.py"))
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house_is_in_order(check):
    assert MODULES, "workbench/ holds no module"
    assert [fault for module, source in MODULES.items() for fault in check(module, source)] == []


@pytest.mark.parametrize(
    ("check", "module", "source"),
    [
        (against_the_order, "workbench.features.network", "from workbench.models import network_quality"),
        (
            against_the_order,
            "workbench.features.network",
            "def f():\n    from ..models.network_quality import train",
        ),
        (against_the_order, "workbench.plotting.data", "import workbench"),
        (against_the_order, "workbench.plotting.data", "from workbench import load"),
        (against_the_order, "workbench.plotting.data", "from .. import load"),
        (against_the_order, "workbench.export.notebooks", "from workbench.cli import main"),
        (against_the_order, "workbench.utils", ""),
        (across_rooms, "workbench.decisions.images.rules", "from workbench.features.pages import counts"),
        (across_rooms, "workbench.models.next_page", "from workbench.features import network"),
        (across_rooms, "workbench.decisions.prefetch.replay", "from . import image_replay"),
        (away_from_home, "workbench.decisions.images.replay", "import matplotlib.pyplot as plt"),
        (away_from_home, "workbench.explanation.data_checks", "def f():\n    from seaborn import heatmap"),
        (away_from_home, "workbench.export.notebooks", "import anywidget"),
        (away_from_home, "workbench.studies.report", "import click"),
        (away_from_home, "workbench.__init__", "import matplotlib"),
        (slow_at_the_top, "workbench.studies.image_delivery", "import xgboost as xgb"),
        (slow_at_the_top, "workbench.plotting.explanation", "if True:\n    from shap import Explanation"),
        (named_as_its_module, "workbench.evidence.verdict", "def verdict(): ..."),
    ],
)
def test_a_fault_is_found(check, module: str, source: str):
    assert len(check(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "workbench.studies.report",
            "from workbench.errors import WorkbenchError\nfrom .sensitivity import rows",
        ),
        ("workbench.decisions.images.rules", "from workbench.features import network\nfrom . import expected_value"),
        ("workbench.datasets.synthetic_site", "from . import synthetic_network"),
        ("workbench.datasets.__init__", "from .cards import load"),
        ("workbench.plotting.comparison", "import seaborn as sns\nfrom matplotlib.axes import Axes"),
        ("workbench.plotting.explanation", "def draw():\n    import shap"),
        ("workbench.studies.report", "if TYPE_CHECKING:\n    from shap import Explanation"),
        ("workbench.models.next_page", "import xgboost"),
        ("workbench.cli", "import click\nfrom workbench import studies"),
        ("workbench.evidence.verdict", "def decide(): ...\nclass Verdict:\n    def verdict(self): ..."),
    ],
)
def test_what_is_in_order_passes(module: str, source: str):
    assert [fault for check in CHECKS for fault in check(module, source)] == []


HEAVY = {"pandas", "numpy", "xgboost", "shap", "matplotlib"}


def loaded_by(statement: str) -> set[str]:
    """Return which heavy libraries a fresh interpreter holds after the statement."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return HEAVY & set(answer.stdout.split())


def test_importing_the_workbench_loads_nothing_heavy():
    assert loaded_by("import workbench") == set()
    assert loaded_by("import pandas") == {"pandas", "numpy"}, "the check itself sees nothing"
