"""Walk the whole way from a notebook's name to a finished HTML file."""

import os
import re
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.export.checks import check_page
from workbench.export.execution import execute
from workbench.export.notebooks import check_names, declared_parameters, find_notebook, parse_parameters
from workbench.export.page import notebook_to_html

__all__ = ["find_notebook", "parse_parameters", "render_notebook"]


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
        Values for parameters that the notebook declares. ``dataset`` may be the path of a card, from the
        current directory; a dataset other than the default becomes part of the file's name.
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
    check_names(given, declared)
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
    text = str(dataset)
    return Path(text).stem if text.endswith(".toml") else text


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
