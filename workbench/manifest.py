"""The manifest of a saved folder: its format, what it reads, what wrote it, and a hash of each file."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.errors import WorkbenchError
from workbench.writing import shown, writing

MANIFEST = "manifest.json"
MOST_BYTES = 10_000_000  # of a manifest, whose size nothing states
PACKAGES = ("numpy", "pandas", "sklearn", "xgboost")  # whose versions are noted, where they are loaded


@dataclass(frozen=True)
class Kind:
    """A kind of saved folder: its name, its main file, its format, who writes one, and what to do where one is spoilt.

    The manifest finds what was changed, cut or exchanged by mistake. It is no signature: whoever can write the folder
    can write the manifest too.
    """

    name: str
    main: str
    format: int
    writer: str
    again: str

    def sealed(self, files: Mapping[str, bytes], fields: Mapping[str, str]) -> dict[str, bytes]:
        """The files and their manifest: format, size and sha256 of each file, fields with types, package versions."""
        loaded = {name: sys.modules[name].__version__ for name in PACKAGES if name in sys.modules}
        manifest = {
            "format": self.format,
            "kind": self.name,
            "files": {name: describe_file(content) for name, content in files.items()},
            "fields": dict(fields),
            "versions": {"performance-workbench": version("performance-workbench"), **loaded},
        }
        return {**files, MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode()}

    def read(self, folder: Path) -> dict[str, bytes]:
        """The files of a folder, by name, all of which its manifest lists, each of the size and sha256 that it says.

        Raises
        ------
        WorkbenchError
            Where the folder is no such thing, a file is missing, cut, changed or not listed, or the format is another.
        """
        try:
            listed = self._listed(folder)
            found = {name: self._read_file(folder, name, each) for name, each in listed.items()}
            others = _names_in(folder) - {MANIFEST, *listed}
        except OSError as err:
            raise WorkbenchError(f"could not read {shown(err.filename)}: {err.strerror}. Make it readable.") from err
        if others:
            raise WorkbenchError(f"{folder} holds {min(others)}, which its {MANIFEST} does not list. {self.again}.")
        return found

    def refuse_other(self, folder: Path, known: tuple[str, ...] = ()) -> None:
        """Refuse to replace a folder that holds what no manifest of this kind lists, and that is not ``known``."""
        advice = f"Name a new folder, or one that {self.writer} wrote."
        with writing(folder):
            if not os.path.lexists(folder):
                return
            if not folder.is_dir():
                raise WorkbenchError(f"{folder} is not a folder. {advice}")
            found = _names_in(folder)
        if others := found - {MANIFEST, *known}:
            try:
                others -= self._listed(folder).keys()
            except WorkbenchError as err:
                raise WorkbenchError(f"{folder} holds files that are no {self.name}. {advice}") from err
        if others:
            raise WorkbenchError(f"{folder} holds {min(others)}, which {self.writer} did not write. {advice}")

    def _listed(self, folder: Path) -> dict[str, Any]:
        path = folder / MANIFEST
        if not path.is_file():
            raise WorkbenchError(f"{folder} holds no {self.name}: expected {MANIFEST} there. {self.writer} writes one.")
        if path.stat().st_size > MOST_BYTES:
            raise WorkbenchError(f"{path} is over {MOST_BYTES:,} bytes: it was changed. {self.again}.")
        manifest = self.parse(path.read_bytes(), path)
        if manifest.get("format") != self.format:
            raise WorkbenchError(
                f"{folder}: expected {self.name} format {self.format}; got {manifest.get('format')!r}"[:200]
                + f". {self.again}."
            )
        files = manifest.get("files")
        if not isinstance(files, dict) or self.main not in files or not all(map(_stays_inside, files)):
            raise WorkbenchError(f"{path} does not list {self.main} and files beside it: it was changed. {self.again}.")
        return files

    def _read_file(self, folder: Path, name: str, listed: Any) -> bytes:
        path, again = folder / name, f"Copy the folder again, or {self.again[0].lower()}{self.again[1:]}."
        size = listed.get("bytes") if isinstance(listed, dict) else None
        if not path.is_file():
            raise WorkbenchError(f"{folder}: {name} is missing. {again}")
        found = path.stat().st_size
        content = path.read_bytes() if found == size else b""
        if describe_file(content) != listed:
            wrong = "was cut" if isinstance(size, int) and found < size else "was changed"
            raise WorkbenchError(
                f"{folder}: {name} {wrong} since it was written ({found:,} bytes, {str(size)[:20]} listed). {again}"
            )
        return content

    def parse(self, content: bytes, path: Path) -> dict[str, Any]:
        """A JSON object of a folder's file."""
        try:
            parsed = json.loads(content)
        except (ValueError, RecursionError) as err:
            raise WorkbenchError(f"{path} is no JSON: it was changed. {self.again}.") from err
        if not isinstance(parsed, dict):
            raise WorkbenchError(f"{path}: expected a JSON object. {self.again}.")
        return parsed


def describe_file(content: bytes) -> dict[str, Any]:
    """What a manifest says of a file."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\\" not in name and "\0" not in name


EXPORT = Kind("exported policy", "policy.json", 1, "wb.export_policy", "Export the policy again")
