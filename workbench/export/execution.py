"""Run a notebook in a kernel of its own, and say in one paragraph what went wrong where it fails."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nbformat
import papermill
import zmq
from bs4 import BeautifulSoup
from jupyter_client.kernelspec import NoSuchKernel
from nbconvert.filters import strip_ansi
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from workbench.errors import WorkbenchError


def execute(
    notebook: Path,
    executed: Path,
    parameters: Mapping[str, object],
    *,
    root: Path,
    progress: bool | None = None,
) -> nbformat.NotebookNode:
    """Execute a notebook in its own folder and return it with its outputs.

    Parameters
    ----------
    notebook, executed : Path
        What is run, and where the executed copy is written (also where a cell fails). Absolute.
    parameters : mapping
        Injected after the cell tagged ``parameters``.
    root : Path
        The repository: a relative ``WORKBENCH_MIRROR`` is taken from here.
    progress : bool, optional
        Show a bar over the cells on standard error; by default where that is a terminal.

    Raises
    ------
    WorkbenchError
        If a cell fails or the kernel dies: one paragraph, without traceback.
    """
    try:
        with _kernel_environment(root):
            return papermill.execute_notebook(
                str(notebook),
                str(executed),
                dict(parameters),
                cwd=str(notebook.parent),
                # The kernel is this very Python, whatever kernel the notebook was last saved with.
                kernel_name="python3",
                language="python",
                progress_bar=_bar(notebook.stem, progress),
                config=_kernel_config(),
                # All outputs are there by then; a kernel that is asked to stop may still complain of the interruption.
                shutdown_kernel="immediate",
            )
    except PapermillExecutionError as err:
        raise WorkbenchError(_failed_cell(err, notebook, executed)) from None
    except (RuntimeError, NoSuchKernel) as err:  # nbclient's DeadKernelError is a RuntimeError
        raise WorkbenchError(
            f"{notebook.stem}: the kernel stopped ({one_paragraph(str(err))}). "
            "Memory that ran out is the usual cause: try fewer rows."
        ) from err


@contextmanager
def _kernel_environment(root: Path) -> Iterator[None]:
    """Set what the kernel inherits, and put this process's environment back afterwards."""
    changes = {
        # An inherited MPLBACKEND (Agg on many servers) would leave the notebook without its figures.
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # Bars are for the terminal: in a notebook they are widgets that turn to litter in the file.
        "TQDM_DISABLE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    # The kernel's working directory is the notebook's folder: from there relative paths point elsewhere.
    mirror, cards = os.environ.get("WORKBENCH_MIRROR", ""), os.environ.get("WORKBENCH_DATASETS", "")
    if mirror and "://" not in mirror:
        changes["WORKBENCH_MIRROR"] = str((root / Path(mirror).expanduser()).resolve())
    if cards:
        changes["WORKBENCH_DATASETS"] = str(Path(cards).resolve())
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _kernel_config() -> Config:
    """Encrypt the kernel's sockets: without it ipykernel 7.4 prints an alarming warning at each start.

    "auto", not "required": a kernelspec written by an older ipykernel does not declare encryption and would
    not start at all.
    """
    if not zmq.has("curve"):
        return Config()
    return Config({"KernelManager": {"transport_encryption": "auto"}})


def _bar(name: str, progress: bool | None) -> dict[str, object] | bool:
    if progress is None:
        progress = sys.stderr.isatty()
    if not progress:
        return False
    look = "{desc} |{bar}| {n_fmt} of {total_fmt} cells, {elapsed}"
    # "disable" is said here because TQDM_DISABLE, meant for the kernel, is set in this process meanwhile.
    return {"desc": name, "ncols": 79, "bar_format": look, "disable": False}


def _failed_cell(err: PapermillExecutionError, notebook: Path, executed: Path) -> str:
    heading = _heading_above(executed, err.exec_count)
    where = f' under "{heading}"' if heading else ""
    number = f"cell [{err.exec_count}]" if err.exec_count else "a cell"
    message = one_paragraph(err.evalue or "")
    return f"{notebook.stem} failed in {number}{where}: {err.ename}{': ' if message else ''}{message}"


def _heading_above(executed: Path, execution_count: int | None) -> str:
    heading = ""
    for cell in nbformat.read(str(executed), as_version=4).cells:
        if cell.cell_type == "code" and cell.get("execution_count") == execution_count:
            break
        heading = ([heading, *_headings(cell)])[-1]
    return heading


def _headings(cell: nbformat.NotebookNode) -> list[str]:
    """Headings that a cell writes: in its markdown, or, where they state a finding, in its HTML output."""
    if cell.cell_type == "markdown":
        return re.findall(r"^#{1,6}\s+(.+?)\s*$", cell.source, flags=re.MULTILINE)
    shown = "".join(str(output.get("data", {}).get("text/html", "")) for output in cell.get("outputs", ()))
    return [heading.get_text() for heading in BeautifulSoup(shown, "html.parser").find_all(re.compile("^h[1-6]$"))]


def one_paragraph(text: str, limit: int = 600) -> str:
    """Return a message without colour codes and line breaks, cut after `limit` characters."""
    flat = " ".join(strip_ansi(text).split())
    return flat if len(flat) <= limit else flat[:limit].rstrip() + " ..."
