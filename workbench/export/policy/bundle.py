"""An exported policy as a folder: what a site runs, what it must answer, how to call it, and a hash of each file."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from workbench.checked import checked
from workbench.decisions.decision import Finding, PolicyResult, Shipped
from workbench.errors import WorkbenchError
from workbench.evidence.verdict import SHIP_RULE, TEST_MODEL
from workbench.export.policy.card import readme
from workbench.export.policy.cases import as_canonical, draw_contexts, usual_values
from workbench.export.policy.loaded import FORMAT, MANIFEST, POLICY, LoadedPolicy, check_manifest, describe_file
from workbench.export.policy.speculation import SiteRules

CASES = 200
NEAR = 1e-6  # of chances
COMMENT = re.compile(r"^ *(?:/\*\*(?:.|\n)*?\*/|//.*)\n", re.MULTILINE)  # on lines of its own
TEXTS = re.compile(r"""(/\*(?:.|\n)*?\*/|"(?:[^"\\]|\\.)*"|`[^`]*`)""")  # the head comment, texts and templates
RECOMMENDED = "recommended"
OF_PAGES = ("pages", "ranker")


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
        The folder: ``policy.json``, ``policy.js``, ``vectors.json``, ``README.md`` and ``manifest.json``; of pages
        that are paths, ``speculation-rules/<page>.json`` too.

    Raises
    ------
    WorkbenchError
        Where the folder holds anything else, the policy is unknown or not available, or a site cannot run its kind;
        where that is the recommended one, the error names the best of those that it can.

    Notes
    -----
    Groups, levels, pages and sequences of pages that fewer than 20 users of the training part are in are not exported:
    what is above them answers. The README says in which share of test views that changes the decision.

    >>> wb.export_policy(result, "policy/")  # doctest: +SKIP
    """
    folder = Path(folder)
    refuse_other(folder)
    try:
        shipped, content = _content(result, _pick(result, policy), full)
    except WorkbenchError as err:
        other = _next_best(result) if policy == RECOMMENDED else ""
        if not other:
            raise
        raise WorkbenchError(
            f"The recommendation cannot be exported. {err} Of those that a site can run, policy={other!r} has the "
            "largest net."
        ) from err
    files = {POLICY: _json(content), "policy.js": policy_script(shipped.content)}
    content = json.loads(files[POLICY])
    if shipped.content["kind"] in OF_PAGES:
        files |= {name: _json(rules) for name, rules in SiteRules(content).files().items()}
    vectors = _vectors(result, shipped, content)
    files["vectors.json"] = _json({"format": FORMAT, "version": content["version"], "cases": vectors})
    files["README.md"] = readme(result, shipped, content, _example(result, content)).encode()
    files[MANIFEST] = _json({"format": FORMAT, "files": {name: describe_file(text) for name, text in files.items()}})
    write_folder(folder, files)
    return folder


def policy_script(content: Mapping[str, Any]) -> bytes:
    """The ES module that decides for the kinds of policy that one holds: without spaces, and comments but the first."""
    kind = content["kind"]
    names = ["fields", "session", kind] if kind in OF_PAGES else ["fields", *dict.fromkeys(_kinds(content)), "options"]
    folder = resources.files("workbench.export.policy")
    texts = [folder.joinpath(f"{name}.js").read_text(encoding="utf-8").replace("\r\n", "\n") for name in names]
    return tightened(COMMENT.sub("", "".join(texts))).encode()


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
    yield content["kind"]
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
            _content(result, each, full=True)
        except WorkbenchError:
            continue
        return each.name
    return ""


def _content(result: Finding, picked: PolicyResult, full: bool = False) -> tuple[Shipped, dict[str, Any]]:
    """The policy as a site runs it, and all that ``policy.json`` holds."""
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
        "format": FORMAT,
        "name": picked.name,
        "role": picked.kind,
        "decision": decision.name,
        "data": split.card.name,
        "simulated": split.card.simulated,
        "known_by": known_by,
        "scenario": asdict(scenario),
        **shipped.content,
    }
    content["against_compared"] = {"views": len(test), "decided_otherwise": float(other.mean()), "net": difference}
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
    return replace(shipped, merged=(len(test), float(other.mean()), difference)), content


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
    context = {name: values[len(values) // 2] for name, values in usual.items() if values}
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


def refuse_other(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier export."""
    if not folder.exists() and not folder.is_symlink():
        return
    advice = "Name a new folder, or one that an earlier export wrote."
    if folder.is_symlink() or not folder.is_dir():
        raise WorkbenchError(f"{folder} is not a folder. {advice}")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    if not found:
        return
    try:
        known = {MANIFEST, *check_manifest(folder)}
    except WorkbenchError as err:
        raise WorkbenchError(
            f"{folder} holds files that are no earlier export, or one that was changed. {advice}"
        ) from err
    if found - known:
        raise WorkbenchError(f"{folder} holds {min(found - known)}, which no export wrote. {advice}")


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files or none: into a folder beside it, which then takes its name."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as beside:
        new, old = Path(beside, "new"), Path(beside, "old")
        for name, content in files.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    shutil.rmtree(beside, ignore_errors=True)
