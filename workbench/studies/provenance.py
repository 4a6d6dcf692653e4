"""Where a figure comes from: the hash of the rows, the versions of the code."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from importlib import metadata
from typing import Any

import pandas as pd

from workbench.datasets.cards import CHECKOUT
from workbench.datasets.splits import Split

PACKAGES = ("numpy", "pandas", "scikit-learn", "shap", "xgboost")


def frame_sha256(frame: pd.DataFrame) -> str:
    """Hash of a canonical frame: column names, dtypes and values, in row order.

    Examples
    --------
    >>> frame_sha256(pd.DataFrame({"rtt_ms": [1.0]}))[:8] == frame_sha256(pd.DataFrame({"rtt_ms": [2.0]}))[:8]
    False
    """
    digest = hashlib.sha256(repr([(name, str(dtype)) for name, dtype in frame.dtypes.items()]).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def trace_origin(split: Split) -> dict[str, Any]:
    """What is needed to make a figure again: data, seed, code and packages."""
    frame = pd.concat([part for _, part in split.parts()]).sort_index()
    return {
        "dataset": split.card.name,
        "frame_sha256": frame_sha256(frame),
        "split_seed": split.seed,
        "workbench": metadata.version("performance-workbench"),
        "commit": code_commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def code_commit() -> str | None:
    """Commit of the checkout that the code runs from, with ``+`` where files differ from it; None elsewhere."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(CHECKOUT), *words], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def _version(package: str) -> str | None:
    for name in (package, f"{package}-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None
