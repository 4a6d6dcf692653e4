"""The finding: one frozen object that every report, plot and widget reads."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import pandas as pd

from workbench.datasets.cards import CHECKOUT
from workbench.datasets.splits import Split
from workbench.decisions.decision import Decision, Unit, policy_name
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval
from workbench.evidence.calibration import Calibration
from workbench.evidence.verdict import Recommendation, Safety
from workbench.studies import report


@dataclass(frozen=True)
class PolicyResult:
    """One policy in a comparison.

    ``kind`` is ``rule``, ``today`` (where it is none of the rules), ``model``, ``reference`` (shown, never "best rule")
    or ``oracle``. ``policy`` is the callable as it was replayed, its limit tuned (None for the oracle). ``reason`` says
    why it is not available, and is empty where it is; ``reads_later``, whether it reads columns that are known later
    than the comparison's. ``figures`` and ``outcomes`` (a DataFrame, one row a view) are on the views of test that are
    compared. Of a policy that weighs chances, ``expected`` is what it expected, ``limit`` where its decision turns, and
    ``frontier`` what it trades as the limit moves.
    """

    name: str
    kind: str
    policy: Callable[..., Any] | None = None
    reason: str = ""
    reads_later: bool = False
    figures: Any = None
    outcomes: Any = field(default=None, repr=False)
    expected: Any = field(default=None, repr=False)
    frontier: pd.DataFrame | None = field(default=None, repr=False)
    limit: float | None = None
    kilobytes: float = 0.0

    @property
    def available(self) -> bool:
        """Whether it could be replayed."""
        return not self.reason


@dataclass(frozen=True)
class ModelCost:
    """What having the model costs: its size, the time of one decision (taken in batches), and of one training."""

    trees: int
    kilobytes: float
    us_per_decision: float
    train_seconds: float | None
    fields: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Comparison:
    """Model, rules, today and perfect knowledge on the same views.

    ``best_rule`` and ``today`` are policies (callables); ``results`` holds every policy's figures, on the views of
    test that are compared (of images, those without a signal). ``difference`` is model minus best rule in net,
    ``rule_gain`` best rule minus today's, ``against_best_rule`` every other policy minus the best rule, by name,
    ``trees_gain`` the model minus a logistic regression on its features.
    ``segments`` is exploratory. What only this decision has is in ``detail``.
    """

    decision: Decision
    split: Split = field(repr=False)
    model: Any = field(repr=False)
    results: tuple[PolicyResult, ...]
    best_rule: Callable[..., Any]
    today: Callable[..., Any]
    scenario: Any
    known_by: str
    difference: Interval
    rule_gain: Interval
    against_best_rule: Mapping[str, Interval]
    trees_gain: Interval
    margin: float
    verdict: str
    safety: Safety
    users_to_settle: int
    headroom: float
    recommendation: Recommendation
    test_users: int
    cost: ModelCost
    calibration: Calibration
    detail: Any = field(repr=False)
    reliability: pd.DataFrame = field(repr=False)
    segments: pd.DataFrame = field(repr=False)
    provenance: Mapping[str, Any] = field(repr=False)
    seconds: float
    sensitivity: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def unit(self) -> Unit:
        """How the net is shown."""
        return self.decision.unit

    @property
    def people(self) -> str:
        """What those are called who are resampled: users, sessions or views."""
        return self.split.people

    @property
    def rules(self) -> tuple[Callable[..., Any], ...]:
        """The rules that could be replayed, their limits tuned."""
        return tuple(each.policy for each in self.results if each.kind == "rule" and each.policy and each.available)

    def of(self, policy: Callable[..., Any] | str) -> PolicyResult:
        """The result of a policy, of its name, or of ``"model"``, ``"best_rule"``, ``"today"``, ``"oracle"``.

        An unknown one is a WorkbenchError that names those there are.
        """
        if policy in ("model", "oracle"):
            return next(result for result in self.results if result.kind == policy)
        wanted = {"best_rule": self.best_rule, "today": self.today}.get(policy, policy)  # type: ignore[arg-type]
        name = wanted if isinstance(wanted, str) else policy_name(wanted)
        same = [result for result in self.results if result.policy is wanted]
        named = [result for result in self.results if result.name == name]
        if same or named:
            return (same or named)[0]
        raise WorkbenchError(
            f"no policy {name!r} in this comparison; there are {', '.join(result.name for result in self.results)}."
        )

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
