"""Notebooks: found by name, their parameters read, run in a kernel, rendered to a page."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import nbformat
import papermill
import zmq
from jupyter_client.kernelspec import NoSuchKernel
from nbconvert.filters import strip_ansi
from papermill.exceptions import PapermillExecutionError
from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError
from traitlets.config import Config

from workbench.datasets.cards import LOG_NAME, find_card
from workbench.errors import WorkbenchError, did_you_mean
from workbench.export.page import check_page, html_headings, markdown_headings, notebook_to_html
from workbench.writing import as_file_name, scratch_beside, write_file, writing

# What a parameter is called, and how its text is read, by the type of its default.
KINDS: dict[type, tuple[str, TypeAdapter[Any]]] = {
    bool: ("true or false", TypeAdapter(bool)),
    int: ("a whole number", TypeAdapter(int)),
    float: ("a number", TypeAdapter(FiniteFloat)),
    str: ("a text", TypeAdapter(str)),
    type(None): ("anything", TypeAdapter(Annotated[int | FiniteFloat | str, Field(union_mode="left_to_right")])),
}


def find_notebook(name: str, folder: Path) -> Path:
    """Find a notebook of a folder by its name, or anywhere by its path.

    A name may lack its number and its ending: "image_delivery", "01_image_delivery.ipynb".
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
    """The parameters of a notebook and their defaults, in the order of its cell tagged ``parameters``.

    A default that is not a literal (``date.today()``) becomes None: its type is not known.
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
    """Turn ``-p name text`` pairs into values of the types that the notebook declares; the last of a name wins.

    If the default is None, a number is read as a number.

    >>> parse_parameters([("budget_ms", "1500"), ("dataset", "mine")], {"budget_ms": 1000, "dataset": "x"})
    {'budget_ms': 1500, 'dataset': 'mine'}
    """
    pairs = list(pairs)
    _check_names([name for name, _ in pairs], declared)
    return {name: _parse_value(name, text, declared[name]) for name, text in pairs}


def _check_names(names: Iterable[str], declared: Mapping[str, object]) -> None:
    """Refuse a name that is not declared: papermill would only log it."""
    for name in names:
        if name not in declared:
            known = f"It declares {', '.join(declared)}." if declared else "It declares none."
            raise WorkbenchError(f"The notebook has no parameter {name!r}.{did_you_mean(name, list(declared))} {known}")


def _parse_value(name: str, text: str, default: object) -> object:
    kind = type(default)
    if kind not in KINDS:
        raise WorkbenchError(f"{name} is a {kind.__name__} and can only be changed in the notebook itself.")
    kind_name, reader = KINDS[kind]
    try:
        return reader.validate_python(text)
    except ValidationError:
        raise WorkbenchError(f"{name} is {kind_name} (such as {default}), not {text!r}.") from None


def _plain_value(source: str) -> object:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return None


def _without_number(stem: str) -> str:
    return re.sub(r"^\d+[_-]", "", stem)


def execute(
    notebook: Path, executed: Path, parameters: Mapping[str, object], *, root: Path, line: int = 0
) -> nbformat.NotebookNode:
    """Execute a notebook in its own folder; ``executed`` is written even if a cell fails.

    If a cell fails or the kernel dies, the error is one paragraph, without traceback.
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
                progress_bar=_bar(notebook.stem, line),
                config=Config(encrypted),
                # All outputs are there by then; a kernel that is asked to stop may complain of the interruption.
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
    """Set the environment that the kernel inherits, and restore this process's own afterwards."""
    changes = {
        # An inherited MPLBACKEND (Agg on many servers) would leave the notebook without its figures.
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # In a notebook, progress bars are widgets that a page cannot show.
        "TQDM_DISABLE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    # The kernel's working directory is the notebook's folder, so relative paths would point elsewhere.
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


def _bar(name: str, line: int) -> dict[str, object] | bool:
    if not sys.stderr.isatty():
        return False
    look = "{desc} |{bar}| {n_fmt} of {total_fmt} cells, {elapsed}"
    # "disable" is explicit because TQDM_DISABLE, meant for the kernel, is set in this process too.
    return {"desc": name, "ncols": 79, "bar_format": look, "disable": False, "position": line}


def _failed_cell(err: PapermillExecutionError, notebook: Path, executed: Path) -> str:
    heading = _heading_above(executed, err.exec_count)
    where = f' under "{heading}"' if heading else ""
    number = f"cell [{err.exec_count}]" if err.exec_count else "a cell"
    message = _one_paragraph(err.evalue or "")
    return f"{notebook.stem} failed in {number}{where}: {err.ename}{': ' if message else ''}{message}"


def _heading_above(executed: Path, execution_count: int | None) -> str:
    """The last heading before a cell: in markdown, or in the HTML output of a cell that states a finding."""
    heading = ""
    for cell in nbformat.read(str(executed), as_version=4).cells:
        if cell.cell_type == "code" and cell.get("execution_count") == execution_count:
            break
        shown = "".join(str(output.get("data", {}).get("text/html", "")) for output in cell.get("outputs", ()))
        found = markdown_headings(cell.source) if cell.cell_type == "markdown" else html_headings(shown)
        heading = found[-1][1] if found else heading
    return heading


def _one_paragraph(text: str, limit: int = 600) -> str:
    """A message without colour codes and line breaks, cut after ``limit`` characters."""
    flat = " ".join(strip_ansi(text).split())
    return flat if len(flat) <= limit else f"{flat[:limit].rstrip()} ..."


def render_notebook(
    notebook: str | Path,
    parameters: Mapping[str, object] | None = None,
    *,
    folder: Path,
    output: Path,
    commit: str | None = None,
    line: int = 0,
) -> Path:
    """Execute a notebook of ``folder`` (in the repository) and write it as ``<output>/<notebook>[-<dataset>].html``.

    The file is complete or not written at all: an earlier one is replaced only once the new one has passed
    ``check_page``. If a cell fails or the page is refused, the executed notebook is kept as ``<name>.failed.ipynb``.

    Of the parameters, ``dataset`` may be the path of a card, from the current directory; one other than the default
    becomes part of the file's name. ``commit`` is for the line at the foot of the page; progress is drawn on a ``line``
    of the terminal.
    """
    folder, output = Path(folder).resolve(), Path(output).resolve()
    source = find_notebook(str(notebook), folder)
    declared = declared_parameters(source)
    given = _with_portable_card(dict(parameters or {}), source.parent)
    _check_names(given, declared)
    name = source.stem + _dataset_suffix(given, declared)
    kept = output / f"{name}.failed.ipynb"
    with ExitStack() as stack:
        with writing(output):
            executed = stack.enter_context(scratch_beside(kept, ".rendering-")) / "executed.ipynb"
        try:
            node = execute(source, executed, given, root=folder.parent, line=line)
            _hide_folder(node, given.get("dataset"))
            html = notebook_to_html(node, name=source.stem, provenance=_provenance(source, given, declared, commit))
            check_page(html, _private_columns(given.get("dataset", declared.get("dataset")), source.parent))
        except WorkbenchError as err:
            if not executed.is_file():
                raise
            write_file(kept, executed.read_bytes())
            kept_as = f"No page was written; the notebook as far as it ran is {kept}."
            raise WorkbenchError(f"{str(err).rstrip('.')}. {kept_as}") from err
    page = write_file(output / f"{name}.html", html)
    kept.unlink(missing_ok=True)
    return page


def _private_columns(dataset: object, working_directory: Path) -> list[str]:
    """Names that the source has for users and sessions, where a card maps them."""
    if not isinstance(dataset, str):
        return []
    try:
        card = find_card(working_directory / dataset if _is_path(dataset) else dataset)
    except WorkbenchError:  # what is no card, the notebook has not read
        return []
    return [str(name) for name, known in card.columns.items() if known in {"user_id", "session_id"}]


def _with_portable_card(parameters: dict[str, object], working_directory: Path) -> dict[str, object]:
    """Make the path of a card or log valid from the kernel's working directory; a relative one names no home folder."""
    dataset = parameters.get("dataset")
    if isinstance(dataset, str | Path) and _is_path(dataset):
        parameters["dataset"] = os.path.relpath(Path(dataset).expanduser().resolve(), working_directory)
    return parameters


def _hide_folder(node: nbformat.NotebookNode, dataset: object) -> None:
    """Leave of a dataset's path only the file's name in the cell of parameters: a page is shared."""
    for cell in node.cells:
        if "injected-parameters" in cell.metadata.get("tags", ()) and _is_path(dataset):
            cell.source = cell.source.replace(str(dataset), Path(str(dataset)).name)


def _is_path(dataset: object) -> bool:
    return str(dataset).endswith(".toml") or LOG_NAME.search(str(dataset)) is not None


def _dataset_suffix(given: Mapping[str, object], declared: Mapping[str, object]) -> str:
    """The end of a file's name that tells a dataset other than the default; else empty."""
    if "dataset" not in given or given["dataset"] == declared["dataset"]:
        return ""
    return f"-{as_file_name(_dataset_name(given['dataset']))}"


def _dataset_name(dataset: object) -> str:
    return Path(str(dataset)).name.removesuffix(".toml") if _is_path(dataset) else str(dataset)


def _provenance(source: Path, given: Mapping[str, object], declared: Mapping[str, object], commit: str | None) -> str:
    shown = {name: value for name, value in {**declared, **given}.items() if name in ("dataset", *given)}
    if "dataset" in shown:
        shown["dataset"] = _dataset_name(shown["dataset"])
    values = ", ".join(f"{name} = {value}" for name, value in shown.items())
    code = f"performance-workbench {version('performance-workbench')}" + (f" (commit {commit})" if commit else "")
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"Notebook {source.stem}{f', {values}' if values else ''}. {code}. Rendered {now}."
