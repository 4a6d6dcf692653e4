"""The finding: one frozen object that every report, plot and widget reads."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from importlib import metadata
from typing import Any

import pandas as pd

from workbench.datasets.cards import CHECKOUT
from workbench.datasets.splits import Split
from workbench.decisions.decision import Finding
from workbench.studies import report


class Comparison(Finding):
    """A finding that shows itself: in a notebook, as text, as tables and headings of a proposal."""

    def heading(self, *about: str, table: str = "") -> report.Html:
        """Findings as headings of a proposal: ``"data"``, ``"rules"``, ``"verdict"``, ...; a table may follow them.

        An unknown one is a WorkbenchError that names those there are.
        """
        headings = "".join(report.finding_html(self, each) for each in about)
        return report.Html(headings + (report.table_html(self, table) if table else ""))

    def table(self, name: str = "policies", **options: Any) -> report.Html:
        """A table of a proposal: ``"policies"``, ``"segments"``, ``"assumptions"``, or one of the decision's own.

        An unknown one is a WorkbenchError that names those there are.
        """
        return report.Html(report.table_html(self, name, **options))

    # As a dictionary (what ``--json`` prints), a frame, Markdown, one line, text and HTML.
    to_dict = report.to_dict
    to_frame = report.to_frame
    to_markdown = report.to_markdown
    __repr__ = report.to_line
    __str__ = report.to_text
    _repr_html_ = report.to_html


PACKAGES = ("numpy", "pandas", "scikit-learn", "shap", "xgboost")


def frame_sha256(frame: pd.DataFrame) -> str:
    """Hash of a canonical frame: column names, dtypes and values, in row order.

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
    command = ["git", "-C", str(CHECKOUT), "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    for name in (package, f"{package}-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None
