"""Files and folders that appear whole or not at all; the older one stays until then."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from workbench.errors import WorkbenchError

try:
    import fcntl
except ImportError:  # on Windows, where no left-over folder is removed
    fcntl = None  # type: ignore[assignment]

SCRATCH = ".writing-"
RENAME_EXCHANGE, AT_FDCWD = 2, -100  # of Linux: renameat2(2)
MOST_SAID = 120  # characters of a path in a sentence


def as_path(path: str | os.PathLike[str], what: str = "a file or folder") -> Path:
    """The path with ``~`` expanded.

    Raises a WorkbenchError for what is no path, or a home folder that there is none of.
    """
    try:
        if "\0" in os.fspath(path):
            raise ValueError("NUL")
        return Path(path).expanduser()
    except (TypeError, RuntimeError, ValueError) as err:
        raise WorkbenchError(f"expected the path of {what}; got {str(path)[:MOST_SAID]!r}.") from err


def as_file_name(name: str) -> str:
    """A name without what a file's name cannot or should not hold: letters, digits and ``_`` stay, all else is ``-``.

    >>> as_file_name("our shop/2026.toml")
    'our-shop-2026-toml'
    """
    return re.sub(r"\W+", "-", name).strip("-")


def write_file(target: str | os.PathLike[str], content: bytes | str) -> Path:
    """Write a file, UTF-8 where it is text, and return its path.

    Raises
    ------
    WorkbenchError
        Where the system refuses: a full disk, a read-only folder, a name too long. What was there before is left.
    """
    path = as_path(target, "a file")
    with writing(path), scratch_beside(path) as scratch:
        made = scratch / "file"
        made.write_bytes(content.encode() if isinstance(content, str) else content)
        return put(made, path)


def put(made: Path, target: Path) -> Path:
    """Flush a file of a scratch folder to the disk and move it to its place; return that, or raise an OSError."""
    _flush(made)
    os.replace(made, target)
    return target


def write_folder(target: str | os.PathLike[str], files: Mapping[str, bytes]) -> Path:
    """Write a folder of files, by their paths in it, in place of an earlier one, and return it; errors as write_file.

    On Linux the two folders are exchanged in one step. Where the system cannot, a process that is killed between two
    steps leaves the earlier one as ``.<name>.old``.
    """
    path = as_path(target, "a folder")
    folder = Path(os.path.realpath(path))  # through a link, to the folder itself
    with writing(path), scratch_beside(folder) as scratch:
        new = scratch / "new"
        for name, content in files.items():
            made = new / name
            made.parent.mkdir(parents=True, exist_ok=True)
            made.write_bytes(content)
            _flush(made)
        try:
            os.rename(new, folder)  # to a new name, or an empty folder
        except OSError:
            if not folder.is_dir():
                raise
            _exchange(new, folder)
    return path


def shown(path: object) -> str:
    """A path as a sentence names it: the end of a long one."""
    return str(path) if len(str(path)) <= MOST_SAID else f"...{str(path)[-MOST_SAID:]}"


@contextmanager
def scratch_beside(target: Path, prefix: str = SCRATCH) -> Iterator[Path]:
    """A temporary folder beside a file or folder that is to be written; those of ended processes are removed.

    A process holds a lock on its own, which the system lets go when it ends, however it ends. Raises an OSError.
    """
    parent = target.parent
    missing = [folder for folder in (parent, *parent.parents) if not os.path.lexists(folder)]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            with _locked(parent):  # nobody else takes a new folder for a left-over one before it is locked
                for left in parent.glob(f"{prefix}*"):
                    with _locked(left, wait=False) as free:
                        if free:
                            shutil.rmtree(left, ignore_errors=True)
                made = tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True)
                scratch = Path(stack.enter_context(made))
                stack.enter_context(_locked(scratch))
            yield scratch
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Say what the system refuses as one sentence."""
    try:
        yield
    except OSError as err:
        reason = err.strerror or str(err)
        raise WorkbenchError(
            f"could not write {shown(target)}: {reason}; nothing was changed there. Make room or the folder writable, "
            "or name another place."
        ) from err


@contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock on a folder; without ``wait``, whether it was free. Without locks, a folder counts as taken."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        free = True
    except (OSError, AttributeError):
        free = False
    try:
        yield free
    finally:
        os.close(handle)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _exchange(new: Path, folder: Path) -> None:
    """Let two folders take each other's name."""
    if sys.platform == "linux":
        swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
        names = os.fsencode(new), os.fsencode(folder)
        if swap and swap(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0:
            return
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    os.rename(folder, old)
    try:
        os.rename(new, folder)
    except BaseException:
        os.rename(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
