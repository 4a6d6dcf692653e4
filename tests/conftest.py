"""What tests share: a clean home for Jupyter and Matplotlib, a browser, real data, and studies that are walked once."""

import fcntl
import hashlib
import importlib.util
import io
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Browser, sync_playwright

import workbench as wb

ROOT = Path(__file__).parent.parent
LONGEST = (
    *("test_notebooks.py", "test_in_jupyterlab.py", "test_study.py", "test_sensitivity.py", "test_report.py"),
    *("test_explorer.py", "test_in_a_page.py", "prefetch/test_decision.py", "test_disagreement.py", "test_readme.py"),
    *("test_site.py", "test_hostile_names.py"),
)
# Of the sets that notebooks study; with fewer measurements the model is calibrated in folds, which is slower.
FEW_ROWS = {"synthetic_measurements": 6000, "synthetic_navigations": 4000, "mobile_bandwidth": 4000}
CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}


def pytest_configure(config: pytest.Config) -> None:
    """Keep the person's own settings out of the tests, and the tests out of the person's settings.

    A hook and not a fixture: Matplotlib reads its folder while test modules are imported, and the doctests in
    workbench/ see no fixture of this folder.
    """
    home = tempfile.TemporaryDirectory(prefix="workbench-", ignore_cleanup_errors=True)
    config.add_cleanup(home.cleanup)
    for variable in "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "MPLCONFIGDIR":
        folder = Path(home.name) / variable.removesuffix("DIR").lower()
        folder.mkdir()
        os.environ[variable] = str(folder)
    # Not MPLBACKEND=Agg: kernels would inherit it, and their figures would vanish from the notebooks.
    os.environ.pop("MPLBACKEND", None)
    Path(os.environ["MPLCONFIGDIR"], "matplotlibrc").write_text("backend: Agg\n")
    os.environ.pop("WORKBENCH_DATASETS", None)
    # Idle threads of XGBoost sleep instead of spinning: on busy cores the spinning takes minutes.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # there is a worker for each core


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker is left with them at the end."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONGEST))


def missing(what: str) -> NoReturn:
    """Fail under CI, where everything must be there; skip on a person's machine."""
    if CI:
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def mirror() -> Iterator[Path]:
    """Real data: the folder of $WORKBENCH_MIRROR, which is made absolute for kernels and subprocesses."""
    named = os.environ.get("WORKBENCH_MIRROR") or "../shared/data"
    folder = (ROOT / Path(named).expanduser()).resolve()
    if not folder.is_dir():
        missing(f"No real data: {folder} is not there. Name the folder that holds it in WORKBENCH_MIRROR.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_MIRROR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def once(pytestconfig: pytest.Config) -> Callable[[str, Callable[[], Any]], Any]:
    """``once(name, make)``: what ``make()`` gives, worked out by one worker and read from a file by all others.

    The file lies in pytest's cache under a hash of the code, the cards and the libraries, so that a second run on the
    same code need not work it out again.
    """
    folder, held = kept_studies(pytestconfig), {}

    def remember(name: str, make: Callable[[], Any]) -> Any:
        if name not in held:
            held[name] = read_or_make(folder, name, make)
        return held[name]

    return remember


def kept_studies(config: pytest.Config) -> Path:
    code, cache = hash_of_code(), getattr(config, "cache", None)  # none under -p no:cacheprovider
    folder = cache.mkdir("studies") if cache else Path(tempfile.gettempdir(), "workbench-studies")
    folder.mkdir(exist_ok=True)
    for other in folder.iterdir():
        if other.name != code:
            shutil.rmtree(other, ignore_errors=True)
    (folder / code).mkdir(exist_ok=True)
    return folder / code


@pytest.fixture(scope="module")
def kernels_share_studies(pytestconfig: pytest.Config) -> Iterator[None]:
    """Kernels that begin meanwhile take few rows; each study and explorer is worked out once, for tests too."""
    startup = Path(os.environ["IPYTHONDIR"], "profile_default", "startup", "studies.py")
    startup.parent.mkdir(parents=True, exist_ok=True)
    startup.write_text(STARTUP.format(here=__file__, folder=str(kept_studies(pytestconfig))))
    yield
    startup.unlink()


STARTUP = """
import importlib.util
import pathlib
import workbench.studies
import workbench.widgets.explorer
spec = importlib.util.spec_from_file_location("kept", {here!r})
kept = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kept)
workbench.studies.study = kept.shared(workbench.studies.study, pathlib.Path({folder!r}))
explorer = workbench.widgets.explorer
explorer.explorer_data = kept.shared_explorer(explorer.explorer_data, pathlib.Path({folder!r}))
"""


def shared(walk: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    def study(dataset: str, **options: Any) -> Any:
        options = {"rows": FEW_ROWS.get(dataset)} | {name: value for name, value in options.items() if value}
        if "scenario" in options and options["scenario"] == type(options["scenario"])():
            del options["scenario"]
        return read_or_make(folder, f"{dataset} {sorted(options.items())}", lambda: walk(dataset, **options))

    return study


def shared_explorer(count: Callable[[Any], Any], folder: Path) -> Callable[[Any], Any]:
    return lambda result: read_or_make(folder, explorer_name(result), lambda: count(result))


def explorer_name(result: Any) -> str:
    policies = [each.name for each in result.results]
    return f"explorer {result.provenance} {result.scenario} {result.known_by} {policies} {result.difference}"


@pytest.fixture(scope="session")
def counted(once: Callable[..., Any]) -> Callable[[Any], Any]:
    """``counted(result)`` is ``explorer_data(result)``, counted once a run."""
    from workbench.studies.scenario_grid import explorer_data

    return lambda result: once(explorer_name(result), lambda: explorer_data(result))


@pytest.fixture(scope="session")
def studied(once, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """``studied(name, **options)`` is ``wb.study(name, **options)``, walked once a run; nobody may change it."""
    from workbench.datasets import find_card

    def study(name: str, **options: Any) -> Any:
        if not find_card(name).generator:
            request.getfixturevalue("mirror")
        return once(f"{name} {sorted(options.items())}", lambda: wb.study(name, **options))

    return study


def hash_of_code() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for package in ("numpy", "pandas", "scikit-learn", "scipy"):
        digest.update(metadata.version(package).encode())
    kept = {".py", ".csv", ".json", ".toml"}
    files = [*(ROOT / "workbench").rglob("*"), *(ROOT / "datasets").glob("*")]
    for path in sorted(path for path in files if path.suffix in kept):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def read_or_make(folder: Path, name: str, make: Callable[[], Any]) -> Any:
    path = folder / hashlib.sha256(name.encode()).hexdigest()[:16]
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # freed when a worker dies, too
        if not path.exists():
            stream = io.BytesIO()
            DecisionsByName(stream, protocol=5).dump(make())
            path.with_suffix(".part").write_bytes(stream.getvalue())
            path.with_suffix(".part").rename(path)
    return FindDecisions(io.BytesIO(path.read_bytes())).load()


class DecisionsByName(pickle.Pickler):
    """There is one of each decision: its name stands for it."""

    def persistent_id(self, each: Any) -> str | None:
        from workbench.decisions import decisions

        return next((known.name for known in decisions() if known is each), None)


class FindDecisions(pickle.Unpickler):
    """Name to decision."""

    def persistent_load(self, name: str) -> Any:
        from workbench.decisions import find_decision

        return find_decision(name=name)


@pytest.fixture(scope="module")
def video() -> Iterator[Any]:
    """The module of a third decision, which is known while the tests of one file run."""
    place = ROOT / "tests" / "decisions" / "video_start.py"
    spec = importlib.util.spec_from_file_location("video_start", place)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbench.decisions._REGISTERED", [])
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="session")
def node_program() -> str:
    return shutil.which("node") or missing("No Node: install Node.js 20 or newer.")


@pytest.fixture(scope="session")
def chromium() -> str:
    found = find_browser()
    if not found and CI and os.geteuid() == 0 and shutil.which("apt-get"):
        install_browser()
        found = find_browser()
    return found or missing("No browser: install Chromium or Chrome, or run .venv/bin/playwright install chromium.")


def find_browser() -> str | None:
    on_path = shutil.which("chromium") or shutil.which("google-chrome")
    if on_path:
        return on_path
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def install_browser() -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in ["update"], ["install", "--yes", "--no-install-recommends", "chromium"]:
        subprocess.run(["apt-get", "--quiet", *arguments], env=environment, check=True)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """Open a headless browser on a fresh profile; it asks nothing of the network by itself."""
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    quiet += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=quiet)
        yield opened
        opened.close()
