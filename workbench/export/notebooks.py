"""Notebooks: found by name, their parameters read, run in a kernel, rendered to a page."""

from __future__ import annotations

import ast
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import nbformat
import papermill
import zmq
from jupyter_client.kernelspec import NoSuchKernel
from nbconvert.filters import strip_ansi
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from workbench.errors import WorkbenchError, did_you_mean
from workbench.export.page import check_page, html_headings, markdown_headings, notebook_to_html


def find_notebook(name: str, folder: Path) -> Path:
    """Return the notebook that a person means.

    Parameters
    ----------
    name : str
        With or without its number, with or without ``.ipynb`` ("image_delivery", "01_image_delivery.ipynb"),
        or the path of a notebook anywhere.
    folder : Path
        Where the project's notebooks are.

    Raises
    ------
    WorkbenchError
        If there is no such notebook, or several; the message names what there is.
    """
    path = Path(name).expanduser()
    if path.suffix == ".ipynb" and path.is_file():
        return path.resolve()
    notebooks = {found.stem: found.resolve() for found in sorted(Path(folder).glob("*.ipynb"))}
    wanted = name.removesuffix(".ipynb").replace("-", "_")
    matches = [stem for stem in notebooks if wanted in (stem, _without_number(stem))]
    if wanted in matches or len(matches) == 1:
        return notebooks[wanted if wanted in matches else matches[0]]
    if matches:
        raise WorkbenchError(f"{name!r} could be any of {', '.join(matches)}: give the number too.")
    hint = did_you_mean(_without_number(wanted), [_without_number(stem) for stem in notebooks])
    held = ", ".join(notebooks) or "no notebooks"
    raise WorkbenchError(f"There is no notebook {name!r}.{hint} {folder} holds {held}.")


def declared_parameters(notebook: Path) -> dict[str, object]:
    """Return the parameters of a notebook and their defaults, in the order of its cell tagged ``parameters``.

    A default that is not a plain value (``date.today()``) comes back as None: its type is not known.

    Raises
    ------
    WorkbenchError
        If the file is not a notebook that can be read.
    """
    try:
        found = papermill.inspect_notebook(str(notebook))
    except Exception as err:  # papermill lets through whatever json, nbformat and its translators raise
        raise WorkbenchError(
            f"{notebook.name} could not be read as a notebook ({_one_paragraph(str(err), 200)}): "
            "open it in JupyterLab, choose the Python 3 kernel, and save it."
        ) from err
    return {name: _plain_value(parameter["default"]) for name, parameter in found.items()}


def parse_parameters(pairs: Iterable[tuple[str, str]], declared: Mapping[str, object]) -> dict[str, object]:
    """Turn ``-p name text`` pairs into values of the types that the notebook declares.

    Parameters
    ----------
    pairs : iterable of (name, text)
        As typed; the last one wins where a name comes twice.
    declared : mapping of name to default
        What `declared_parameters` returns. Where the default is None, a number is read as a number.

    Raises
    ------
    WorkbenchError
        If a name is not declared, or a text is not of the type of its default.

    Examples
    --------
    >>> parse_parameters([("budget_ms", "1500"), ("dataset", "mine")], {"budget_ms": 1000, "dataset": "x"})
    {'budget_ms': 1500, 'dataset': 'mine'}
    """
    pairs = list(pairs)
    _check_names([name for name, _ in pairs], declared)
    return {name: _parse_value(name, text, declared[name]) for name, text in pairs}


def _check_names(names: Iterable[str], declared: Mapping[str, object]) -> None:
    """Refuse the first name that is not declared: papermill would only log it."""
    for name in names:
        if name not in declared:
            known = f"It declares {', '.join(declared)}." if declared else "It declares none."
            raise WorkbenchError(f"The notebook has no parameter {name!r}.{did_you_mean(name, list(declared))} {known}")


def _parse_value(name: str, text: str, default: object) -> object:
    kinds = {bool: "true or false", int: "a whole number", float: "a number"}
    kind = type(default)
    if kind is str:
        return text
    if default is None:
        return next((value for value in _tried(text, int, _finite)), text)
    if kind not in kinds:
        raise WorkbenchError(f"{name} is a {kind.__name__} and can only be changed in the notebook itself.")
    converters: dict[type, Callable[[str], object]] = {bool: _truth, int: int, float: _finite}
    for value in _tried(text, converters[kind]):
        return value
    raise WorkbenchError(f"{name} is {kinds[kind]} (such as {default}), not {text!r}.")


def _tried(text: str, *converters: Callable[[str], object]) -> Iterator[object]:
    """What each converter makes of a text, where it can."""
    for convert in converters:
        with suppress(KeyError, ValueError):
            yield convert(text)


def _truth(text: str) -> bool:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError("not finite")
    return value


def _plain_value(source: str) -> object:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return None


def _without_number(stem: str) -> str:
    return re.sub(r"^\d+[_-]", "", stem)


def execute(
    notebook: Path, executed: Path, parameters: Mapping[str, object], *, root: Path, progress: bool | None = None
) -> nbformat.NotebookNode:
    """Execute a notebook in its own folder, with its outputs; ``executed`` is written also where a cell fails.

    Raises
    ------
    WorkbenchError
        If a cell fails or the kernel dies: one paragraph, without traceback.
    """
    # "auto", not "required": a kernelspec written by an older ipykernel does not declare encryption and would not start
    # at all. Without encryption ipykernel 7.4 prints an alarming warning at each start.
    encrypted = {"KernelManager": {"transport_encryption": "auto"}} if zmq.has("curve") else {}
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
                config=Config(encrypted),
                # All outputs are there by then; a kernel that is asked to stop may still complain of the interruption.
                shutdown_kernel="immediate",
            )
    except PapermillExecutionError as err:
        raise WorkbenchError(_failed_cell(err, notebook, executed)) from None
    except (RuntimeError, NoSuchKernel) as err:  # nbclient's DeadKernelError is a RuntimeError
        raise WorkbenchError(
            f"{notebook.stem}: the kernel stopped ({_one_paragraph(str(err))}). "
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
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        for name in changes.keys() - before.keys():
            del os.environ[name]
        os.environ.update({name: before[name] for name in changes.keys() & before.keys()})


def _bar(name: str, progress: bool | None) -> dict[str, object] | bool:
    if not (sys.stderr.isatty() if progress is None else progress):
        return False
    look = "{desc} |{bar}| {n_fmt} of {total_fmt} cells, {elapsed}"
    # "disable" is said here because TQDM_DISABLE, meant for the kernel, is set in this process meanwhile.
    return {"desc": name, "ncols": 79, "bar_format": look, "disable": False}


def _failed_cell(err: PapermillExecutionError, notebook: Path, executed: Path) -> str:
    heading = _heading_above(executed, err.exec_count)
    where = f' under "{heading}"' if heading else ""
    number = f"cell [{err.exec_count}]" if err.exec_count else "a cell"
    message = _one_paragraph(err.evalue or "")
    return f"{notebook.stem} failed in {number}{where}: {err.ename}{': ' if message else ''}{message}"


def _heading_above(executed: Path, execution_count: int | None) -> str:
    """The last heading before a cell: in markdown, or, where it states a finding, in a cell's HTML output."""
    heading = ""
    for cell in nbformat.read(str(executed), as_version=4).cells:
        if cell.cell_type == "code" and cell.get("execution_count") == execution_count:
            break
        shown = "".join(str(output.get("data", {}).get("text/html", "")) for output in cell.get("outputs", ()))
        found = markdown_headings(cell.source) if cell.cell_type == "markdown" else html_headings(shown)
        heading = found[-1][1] if found else heading
    return heading


def _one_paragraph(text: str, limit: int = 600) -> str:
    """Return a message without colour codes and line breaks, cut after `limit` characters."""
    flat = " ".join(strip_ansi(text).split())
    return flat if len(flat) <= limit else f"{flat[:limit].rstrip()} ..."


def render_notebook(
    notebook: str | Path,
    parameters: Mapping[str, object] | None = None,
    *,
    folder: Path,
    output: Path,
    progress: bool | None = None,
    commit: str | None = None,
) -> Path:
    """Execute a notebook and write it as one self-contained HTML file.

    Parameters
    ----------
    notebook : str or Path
        A name as `find_notebook` takes it, or a path.
    parameters : mapping, optional
        Of those that the notebook declares. ``dataset`` may be the path of a card, from the current directory; a
        dataset other than the default becomes part of the file's name.
    folder : Path
        The folder of notebooks; its parent is the repository.
    output : Path
        The folder to write into; made where it does not exist.
    progress : bool, optional
        Show a bar over the cells on standard error; by default where that is a terminal.
    commit : str, optional
        The commit of the code, for the line at the foot of the page.

    Returns
    -------
    Path
        ``<output>/<notebook>[-<dataset>].html``. It appears complete or not at all: an earlier file stays
        as it is until the new one has passed `check_page`.

    Raises
    ------
    WorkbenchError
        If the notebook or a parameter is unknown, a cell fails, or the page is refused. In the last two cases
        the executed notebook is kept beside as ``<name>.failed.ipynb``.
    """
    folder, output = Path(folder).resolve(), Path(output).resolve()
    source = find_notebook(str(notebook), folder)
    declared = declared_parameters(source)
    given = _with_portable_card(dict(parameters or {}), source.parent)
    _check_names(given, declared)
    name = source.stem + _dataset_suffix(given, declared)
    output.mkdir(parents=True, exist_ok=True)
    # Inside the output folder, so that the last step is a rename on one file system.
    with tempfile.TemporaryDirectory(prefix=".rendering-", dir=output) as scratch:
        executed, page = Path(scratch, "executed.ipynb"), Path(scratch, "page.html")
        try:
            node = execute(source, executed, given, root=folder.parent, progress=progress)
            html = notebook_to_html(node, name=source.stem, provenance=_provenance(source, given, declared, commit))
            check_page(html)
        except WorkbenchError as err:
            raise _keep_failed(err, executed, output / f"{name}.failed.ipynb") from err
        page.write_text(html, encoding="utf-8")
        os.replace(page, output / f"{name}.html")
    (output / f"{name}.failed.ipynb").unlink(missing_ok=True)
    return output / f"{name}.html"


def _keep_failed(err: WorkbenchError, executed: Path, kept: Path) -> WorkbenchError:
    if not executed.is_file():
        return err
    os.replace(executed, kept)
    sentence = str(err).rstrip(".")
    return WorkbenchError(f"{sentence}. No page was written; the notebook as far as it ran is {kept}.")


def _with_portable_card(parameters: dict[str, object], working_directory: Path) -> dict[str, object]:
    """Make a card's path hold from the kernel's working directory; a relative one names no home folder."""
    dataset = parameters.get("dataset")
    if isinstance(dataset, str | Path) and str(dataset).endswith(".toml"):
        parameters["dataset"] = os.path.relpath(Path(dataset).expanduser().resolve(), working_directory)
    return parameters


def _dataset_suffix(given: Mapping[str, object], declared: Mapping[str, object]) -> str:
    if "dataset" not in given or given["dataset"] == declared["dataset"]:
        return ""
    return "-" + re.sub(r"[^A-Za-z0-9_]+", "-", _dataset_name(given["dataset"])).strip("-")


def _dataset_name(dataset: object) -> str:
    return Path(str(dataset)).stem if str(dataset).endswith(".toml") else str(dataset)


def _provenance(source: Path, given: Mapping[str, object], declared: Mapping[str, object], commit: str | None) -> str:
    shown = {name: value for name, value in {**declared, **given}.items() if name in ("dataset", *given)}
    if "dataset" in shown:
        shown["dataset"] = _dataset_name(shown["dataset"])
    values = ", ".join(f"{name} = {value}" for name, value in shown.items())
    try:
        code = f"performance-workbench {version('performance-workbench')}"
    except PackageNotFoundError:
        code = "performance-workbench, not installed"
    code += f" (commit {commit})" if commit else ""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"Notebook {source.stem}{f', {values}' if values else ''}. {code}. Rendered {now}."
