"""Find a notebook by the name a person types, and read the parameters that it declares."""

import ast
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import papermill

from workbench.errors import WorkbenchError, did_you_mean


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
            f"{notebook.name} could not be read as a notebook ({_one_line(str(err))}): "
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
    check_names([name for name, _ in pairs], declared)
    return {name: _parse_value(name, text, declared[name]) for name, text in pairs}


def check_names(names: Iterable[str], declared: Mapping[str, object]) -> None:
    """Raise WorkbenchError for the first name that is not declared: papermill would only log it."""
    for name in names:
        if name not in declared:
            known = f"It declares {', '.join(declared)}." if declared else "It declares none."
            raise WorkbenchError(f"The notebook has no parameter {name!r}.{did_you_mean(name, list(declared))} {known}")


def _parse_value(name: str, text: str, default: object) -> object:
    kinds = {bool: "true or false", int: "a whole number", float: "a number"}
    kind = type(default)
    try:
        if default is None:
            return _number_or_text(text)
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        if kind is int:
            return int(text)
        if kind is float:
            return _finite(float(text))
    except (KeyError, ValueError) as err:
        raise WorkbenchError(f"{name} is {kinds[kind]} (such as {default}), not {text!r}.") from err
    if kind is str:
        return text
    raise WorkbenchError(f"{name} is a {kind.__name__} and can only be changed in the notebook itself.")


def _number_or_text(text: str) -> object:
    for convert in (int, lambda text: _finite(float(text))):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def _plain_value(source: str) -> object:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return None


def _without_number(stem: str) -> str:
    return re.sub(r"^\d+[_-]", "", stem)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200].rstrip(".")
