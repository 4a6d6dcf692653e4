"""What tests share: a clean home for Jupyter and Matplotlib, a browser, and real data."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
LONGEST = ("test_notebooks.py", "test_in_jupyterlab.py")
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker is left with them at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


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
def chromium() -> str:
    """Return the path of a Chromium or Chrome."""
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
    quiet = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=quiet)
        yield opened
        opened.close()
