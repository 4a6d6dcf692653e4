"""An exported policy as a folder: what a site runs, what it must answer, how to call it, and a hash of each file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.checked import checked
from workbench.datasets.schema import SIGNALS
from workbench.decisions.decision import Finding, PolicyResult, Shipped
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import cluster_intervals
from workbench.evidence.verdict import SHIP_RULE, TEST_MODEL
from workbench.export.policy.card import OF_PAGES, readme
from workbench.export.policy.cases import as_canonical, draw_contexts, usual_values
from workbench.export.policy.loaded import EXPORT, LoadedPolicy
from workbench.export.policy.speculation import FOLDER, SiteRules
from workbench.manifest import describe_file
from workbench.studies.experiment import ESTIMATES
from workbench.studies.report import interval_dict
from workbench.writing import as_path, write_folder

CASES = 200
MOST_SCRIPT = 8000  # bytes, of policy.js
NEAR = 1e-6  # of chances
COMMENT = re.compile(r"^ *(?:/\*\*(?:.|\n)*?\*/|//.*)\n", re.MULTILINE)  # on lines of its own
TEXTS = re.compile(r"""(/\*(?:.|\n)*?\*/|"(?:[^"\\]|\\.)*"|`[^`]*`)""")  # the head comment, texts and templates
RECOMMENDED = "recommended"
# Scripts of a kind that needs more than its own.
NEEDS = {
    "trees": ("trees", "worth"),
    "linear": ("linear", "worth", "lines"),
    "ranker": ("walker", "ranker"),
    "line ranker": ("linear", "ranker"),
}


@checked
def export_policy(result: Finding, folder: str | Path, policy: str = RECOMMENDED, *, full: bool = False) -> Path:
    """Write a policy of a comparison as a folder that a site runs.

    Parameters
    ----------
    result : Comparison
        From :func:`compare` or :func:`study`.
    folder : path
        A new one, or an earlier export, which is replaced; it appears whole or not at all.
    policy : str
        ``"recommended"``: the model where it is to be tested, else the best rule where it is to be shipped, else
        today's; or ``"model"``, ``"best_rule"``, ``"today"``, or a policy's name in the table.
    full : bool
        All trees of a model. Without it, the fewest whose net on validation is within the smallest gain that matters.

    Returns
    -------
    Path
        The folder: ``policy.json``, ``policy.js``, ``vectors.json``, ``README.md``, ``estimates.json`` (every other
        policy against this one on test, for :func:`experiment`) and ``manifest.json``; of pages that are paths,
        ``speculation-rules/index.json``, which names the file of each page, and these files too.

    Raises
    ------
    WorkbenchError
        Where the folder holds anything else, the policy is unknown or not available, or a site cannot run its kind;
        where that is the recommended one, the error names the best of those that it can.

    Notes
    -----
    No group of fewer than 20 users of the training part is exported. Levels and groups of context are none in training
    already; pages, and sequences of pages, are left out here, and what is above them answers. Where the exported policy
    so decides otherwise than the compared one, or has fewer trees, the README says in which share of test views, and
    what it gains as exported.

    >>> wb.export_policy(result, "policy/")  # doctest: +SKIP
    """
    folder = as_path(folder, "a folder")
    EXPORT.refuse_other(folder)
    try:
        picked = _pick(result, policy)
        shipped, content, outcomes = _content(result, picked, full)
    except WorkbenchError as err:
        other = _next_best(result) if policy == RECOMMENDED else ""
        if not other:
            raise
        raise WorkbenchError(
            f"The recommendation cannot be exported. {err} Of those that a site can run, policy={other!r} has the "
            "largest net."
        ) from err
    files = {EXPORT.main: _json(content), "policy.js": policy_script(shipped.content)}
    content = json.loads(files[EXPORT.main])
    if shipped.content["kind"] in OF_PAGES:
        files |= {name: _json(rules) for name, rules in SiteRules(content).files().items()}
    vectors = _vectors(result, shipped, content)
    files["vectors.json"] = _json({"format": EXPORT.format, "version": content["version"], "cases": vectors})
    has_rules = f"{FOLDER}/index.json" in files
    estimates = _estimates(result, picked, outcomes, of_pages=shipped.content["kind"] in OF_PAGES)
    text = readme(result, shipped, content, estimates, _example(result, content), has_rules=has_rules)
    files |= {"README.md": text.encode(), ESTIMATES: _json(estimates)}
    types = {name: field["type"] for name, field in content["fields"].items()}
    return write_folder(folder, EXPORT.sealed(files, types))


def policy_script(content: Mapping[str, Any]) -> bytes:
    """The ES module that decides for the kinds of policy that one holds: without spaces, and comments but the first."""
    kind = content["kind"]
    needed = [*dict.fromkeys(name for each in _kinds(content) for name in NEEDS.get(each, (each,)))]
    names = ["fields", "session", *needed] if kind in OF_PAGES else ["fields", *needed, "options"]
    folder = resources.files("workbench.export.policy")
    texts = [folder.joinpath(f"{name}.js").read_text(encoding="utf-8").replace("\r\n", "\n") for name in names]
    script = tightened(COMMENT.sub("", "".join(texts))).encode()
    if len(script) >= MOST_SCRIPT:
        raise WorkbenchError(
            f"its policy.js would have {len(script):,} bytes, and the most is {MOST_SCRIPT:,}: the policy leaves views "
            "to another, which leaves them to a third. Export one of these, with policy=."
        )
    return script


def tightened(script: str) -> str:
    """A script without the space that only readers need, and without brackets around a single argument.

    >>> tightened("const twice = (x) => { return 2 * x; };")
    'const twice=x=>{return 2*x};'
    """
    parts = TEXTS.split(script)
    for i in range(0, len(parts), 2):
        code = re.sub(r"\((\w+)\) =>", r"\1 =>", re.sub(r"\n\s+", "\n", parts[i]))
        code = re.sub(r" *([-=+*/<>?:,;{}()\[\]&|!%]+) *", r"\1", code)
        parts[i] = re.sub(r"(?<=[;{,(\[])\n|[;\n]+(?=})", "", code)
    return "".join(parts)


def _kinds(content: Mapping[str, Any]) -> Iterator[str]:
    """The kind of a policy, and of those that it leaves views to."""
    yield "line ranker" if "weights" in content.get("trees", ()) else content["kind"]
    for name in ("otherwise", "base"):
        if name in content:
            yield from _kinds(content[name])


def _pick(result: Finding, policy: str) -> PolicyResult:
    if policy == RECOMMENDED:
        advice = result.recommendation
        policy = "model" if advice.action == TEST_MODEL else "best_rule" if advice.ship == SHIP_RULE else "today"
    picked = result.of(policy)
    if picked.policy is None or not picked.available:
        raise WorkbenchError(
            f"{picked.name!r} cannot be exported: {picked.reason or 'it knows what came later'}. Take policy='model' "
            "or 'best_rule'."
        )
    return picked


def _next_best(result: Finding) -> str:
    """The policy of the largest net among those that a site can run; empty where there is none."""
    there = [each for each in result.results if each.policy and each.available and each.kind != "reference"]
    for each in sorted(there, key=lambda one: -one.figures.net):
        try:
            shipped, _, _ = _content(result, each, full=True)
            policy_script(shipped.content)
        except WorkbenchError:
            continue
        return each.name
    return ""


def _content(result: Finding, picked: PolicyResult, full: bool = False) -> tuple[Shipped, dict[str, Any], pd.DataFrame]:
    """The policy as a site runs it, all that ``policy.json`` holds, and its outcomes on test."""
    decision, split, scenario = result.decision, result.split, result.scenario
    assert picked.policy is not None  # of an available one
    known_by = "native_app" if picked.reads_later else result.known_by
    within = 0.0 if full else result.margin
    shipped = decision.shipped(picked.policy, split, scenario, known_by, within=within)
    test = decision.situations(split.test, split.card, split.cluster, result.known_by, scenario)
    test = decision.later_context(test) if picked.reads_later else test
    outcomes = decision.outcomes(decision.ask(shipped.policy, test, scenario), test, scenario)
    other = (outcomes.ne(picked.outcomes) & ~(outcomes.isna() & picked.outcomes.isna())).any(axis=1)
    difference = float((outcomes["net"] - picked.outcomes["net"]).mean())
    content = {
        "format": EXPORT.format,
        "name": picked.name,
        "role": picked.kind,
        "decision": decision.name,
        "data": split.card.name,
        "simulated": split.card.simulated,
        "known_by": known_by,
        "scenario": asdict(scenario),
        **shipped.content,
    }
    heads = shipped.content.get("heads", {"": shipped.content.get("trees", {})}).values()
    content["against_compared"] = {
        "views": len(test),
        "decided_otherwise": float(other.mean()),
        "net": difference,
        "fewer_trees": 0 < sum(len(head.get("roots", ())) for head in heads) < result.model.trees,
    }
    content = json.loads(_json(content))
    load = {"policy": shipped.requests(outcomes)}
    if content["kind"] in OF_PAGES:
        shares = split.train["page"].astype(str).value_counts(normalize=True)
        load |= {"speculation_rules": SiteRules(content).requests(shares)}
    if load["policy"]:
        content["per_1000_views"] = {
            who: {name: round(1000 * number, 1) for name, number in each.items()} for who, each in load.items()
        }
    content["version"] = describe_file(_json(content))["sha256"][:12]
    return shipped, content, outcomes


def _estimates(result: Finding, picked: PolicyResult, outcomes: pd.DataFrame, *, of_pages: bool) -> dict[str, Any]:
    """Net of every other policy minus that of the exported one on test, with intervals, each as a site can run it."""
    decision, split, scenario = result.decision, result.split, result.scenario
    others = [each for each in result.results if each.outcomes is not None and each is not picked]
    test = decision.situations(split.test, split.card, split.cluster, result.known_by, scenario)

    def net(each: PolicyResult) -> pd.Series:
        assert each.outcomes is not None
        if each.policy is None or not of_pages:  # of images, small groups are none in training already
            return each.outcomes["net"]
        try:
            policy = decision.shipped(each.policy, split, scenario, result.known_by).policy
        except WorkbenchError:  # no site can run it
            return each.outcomes["net"]
        return decision.outcomes(decision.ask(policy, test, scenario), test, scenario)["net"]

    values = np.column_stack([net(each) - outcomes["net"] for each in others])
    intervals = cluster_intervals(values, test.users, seed=result.split.seed)
    return {
        "format": EXPORT.format,
        "decision": result.decision.name,
        "known_by": result.known_by,
        "policy": picked.name,
        **{name: result.of(name).name for name in ("best_rule", "today")},
        "others_vs_policy": {each.name: interval_dict(one) for each, one in zip(others, intervals, strict=True)},
    }


def _vectors(result: Finding, shipped: Shipped, content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Contexts and what the workbench decides in them; refused where the exported policy would decide otherwise."""
    contexts = draw_contexts(content, result.split.train, CASES, seed=result.split.seed)
    with np.errstate(over="ignore", divide="ignore"):  # huge numbers are infinite to the trees
        answers = shipped.answers(as_canonical(contexts, content["fields"]))
    loaded = LoadedPolicy(dict(content))
    wrong = [i for i, context in enumerate(contexts) if not same_answer(loaded.decide(context), answers[i])]
    if wrong:
        raise WorkbenchError(
            f"{content['name']!r} was not exported: in {len(wrong)} of {len(contexts)} contexts the exported policy "
            "decides otherwise than the workbench. Please report this, with the versions of XGBoost and NumPy."
        )
    return [{"context": context, "decision": answer} for context, answer in zip(contexts, answers, strict=True)]


def same_answer(one: Any, other: Any) -> bool:
    """Whether two answers pick the same, with chances within one in a million."""
    if isinstance(one, list):
        pages, theirs = ([each["page"] for each in answer] for answer in (one, other))
        pairs = zip(*([each["chance"] for each in answer] for answer in (one, other)), strict=False)
        return pages == theirs and all(a is b if None in (a, b) else abs(a - b) <= NEAR for a, b in pairs)
    chances, others = one.get("chances") or {}, other.get("chances") or {}
    near = chances.keys() == others.keys() and all(abs(chances[name] - others[name]) <= NEAR for name in chances)
    rest = ({name: value for name, value in each.items() if name != "chances"} for each in (one, other))
    return near and next(rest) == next(rest)


def _example(result: Finding, content: Mapping[str, Any]) -> dict[str, Any]:
    """A context of usual values, made up field by field, and the answer to it."""
    fields = {name: field for name, field in content["fields"].items() if name != "pages"}
    usual = {name: usual_values(content, name, field, result.split.train) for name, field in fields.items()}
    # Only views without a signal are compared, and asked about.
    context = {name: values[len(values) // 2] for name, values in usual.items() if values and name not in SIGNALS}
    if "pages" in content["fields"]:
        popular: list[int] = next(iter(content["orders"][0].values()), [])[1:4:2]
        context["pages"] = [content["names"][place] for place in popular] or content["names"][:2]
    return {"context": context, "decision": LoadedPolicy(dict(content)).decide(context)}


def _json(content: Any) -> bytes:
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
    return (text + "\n").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise WorkbenchError(f"a scenario of plain numbers and texts can be exported; got {type(value).__name__}.")
