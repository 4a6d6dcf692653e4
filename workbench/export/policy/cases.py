"""Contexts to ask a policy about: what its data held, each field by itself, and what no data should hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from workbench.export.policy.fields import read_value
from workbench.export.policy.loaded import SEPARATOR
from workbench.export.policy.ranker import DWELL_FIELD

ABSENT = object()
# Never seen, none, of another type, huge, tiny, negative, and names that JavaScript gives a meaning of its own.
STRANGE: tuple[Any, ...] = (
    *(ABSENT, None, "", " ", "never seen", "(missing)", "nan", "__proto__", "constructor", "\u00e9\u4e2d\U0001f600"),
    *(0, -0.0, -1, 7, 15169, 3.5, -2.5, 1e9, -1e9, 1e300, -1e300, 5e-324, 2**53 + 2, 1e21, True, False, [], [1], {}),
    SEPARATOR,
)
NO_TEXT = "\x00"  # in place of a page that is no text: no page is called so
DIGITS = 3  # of numbers from data: a middle of many, nobody's own
PER_CENT = np.arange(5, 100, 5)  # the smallest and the largest may be one person's
DTYPES = {"number": "float64", "flag": "boolean", "text": "str"}


def draw_contexts(content: Mapping[str, Any], train: pd.DataFrame, rows: int, seed: int = 0) -> list[dict[str, Any]]:
    """Draw contexts for a policy: a list of ``rows`` dictionaries, plain as JSON.

    Each field is drawn by itself, so that no context is a person's: four times in five from what the policy tells apart
    (levels of at least 20 users, thresholds) and percentiles of ``train``, once in five from what is strange or absent.
    """
    rng = np.random.default_rng(seed)
    columns = {}
    for name, field in content["fields"].items():
        usual = walks(content, rows, seed) if field["type"] == "pages" else usual_values(content, name, field, train)
        choices = [*usual, *STRANGE]
        strange = rng.integers(len(usual), len(choices), rows)
        picked = np.where(rng.random(rows) < 0.8, rng.integers(0, max(len(usual), 1), rows), strange)
        columns[name] = [choices[place] for place in picked]
    return [
        {name: value for name, value in zip(columns, values, strict=True) if value is not ABSENT}
        for values in zip(*columns.values(), strict=True)
    ]


def usual_values(content: Mapping[str, Any], name: str, field: Mapping[str, Any], train: pd.DataFrame) -> list[Any]:
    """What a policy tells apart in a field, and percentiles of its numbers in the data."""
    if field["type"] == "flag":
        return [True, False, False]
    if field["type"] == "page":
        return content["names"]
    if field["type"] == "text":
        return sorted({*_levels(content, name), *field.get("allowed", ())})
    known = train[name].dropna().to_numpy(float) if name in train else np.zeros(0)
    known = known[np.isfinite(known)]
    found = [float(f"{number:.{DIGITS}g}") for number in np.percentile(known, PER_CENT)] if len(known) else []
    return sorted({*found, *_thresholds(content, name)})


def walks(content: Mapping[str, Any], rows: int, seed: int) -> list[list[Any]]:
    """Sessions of one to six pages, most steps among the likeliest that follow; now and then a page never seen."""
    rng, names = np.random.default_rng(seed), content["names"] or ["/"]
    followed = content["orders"][min(1, len(content["orders"]) - 1)]
    found: list[list[Any]] = []
    for length in rng.integers(1, 7, rows):
        at, walk = int(rng.integers(len(names))), list[Any]()
        while len(walk) < length:
            walk.append(names[at] if rng.random() < 0.95 else "/never seen")
            likeliest = followed.get(str(at), [0])[1:7:2]
            at = int(rng.choice(likeliest)) if likeliest and rng.random() < 0.8 else int(rng.integers(len(names)))
        found.append(walk)
    return [*found, [], [None], [5, names[0]], [names[0], True], [names[0], ""], ["__proto__", names[-1]]]


def _levels(content: Mapping[str, Any], name: str) -> Iterable[str]:
    for nested in (content[each] for each in ("otherwise", "base") if each in content):
        yield from _levels(nested, name)
    for part in (part for branch in content.get("branches", ()) for part in branch["when"]):
        yield from part.get("levels", ()) if part["field"] == name else ()
    for head in content.get("heads", {}).values():
        for feature in head["features"]:
            if feature["field"] == name:
                yield from feature.get("means", ())
                yield from [feature["level"]] if "level" in feature else []
    yield from content.get("levels", {}).get(name, ())
    yield from content.get("limits", {}).get("of", ()) if name == content.get("limits", {}).get("field") else ()
    if name in content.get("keys", ()):
        place = content["keys"].index(name) + 1
        for label in content["answers"]:
            yield from label.split(SEPARATOR)[place : place + 1]


def _thresholds(content: Mapping[str, Any], name: str) -> Iterable[float]:
    for nested in (content[each] for each in ("otherwise", "base") if each in content):
        yield from _thresholds(nested, name)
    for part in (part for branch in content.get("branches", ()) for part in branch["when"] if part["field"] == name):
        yield from (bound for bound in (part.get("above"), part.get("up_to")) if bound is not None)
    yield from [content["max_age_s"]] if name == "last_age_s" and "max_age_s" in content else []
    yield from content.get("edges", {}).get(name, ())
    yield from content.get("dwell_edges", ()) if name == DWELL_FIELD else ()
    trees, column = content.get("trees", {}), "previous_dwell_s" if name == DWELL_FIELD else name
    for feature, value in zip(trees.get("feature", ()), trees.get("value", ()), strict=True):
        if feature >= 0 and content["features"][feature] == column:
            yield value
    for head in content.get("heads", {}).values():
        fields = [feature["field"] for feature in head["features"]]
        for feature, value in zip(head.get("feature", ()), head.get("value", ()), strict=True):
            if feature >= 0 and fields[feature] == name:
                yield value


def as_canonical(contexts: Iterable[Mapping[str, Any]], fields: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The same contexts as the workbench knows them: a column for each field, missing where the type is another."""
    contexts = list(contexts)
    if "pages" in fields:
        return _as_sessions(contexts, fields)
    return _columns(contexts, fields)


def _as_sessions(contexts: list[Mapping[str, Any]], fields: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """A session for each context, whose last view knows the other fields."""
    given = [context.get("pages") for context in contexts]
    sessions = [pages if isinstance(pages, list) and pages else [None] for pages in given]
    session = np.repeat(np.arange(len(sessions)), [len(pages) for pages in sessions])
    pages = [page if isinstance(page, str) else NO_TEXT for session_pages in sessions for page in session_pages]
    views = pd.DataFrame(
        {"view_id": np.arange(len(pages)), "session_id": session, "page": pd.Series(pages, dtype="str")}
    )
    views["position"] = views.groupby("session_id").cumcount()
    known = _columns(contexts, {name: field for name, field in fields.items() if name != "pages"})
    last = np.flatnonzero(np.diff(session, append=-1))
    if DWELL_FIELD in known:
        seconds = np.zeros(len(views))
        seconds[last] = known.pop(DWELL_FIELD)
        views["viewed_at"] = pd.to_datetime(seconds, unit="s", utc=True)
    known.index = pd.Index(last)
    return views.join(known)


def _columns(contexts: list[Mapping[str, Any]], fields: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    columns = {}
    for name, field in fields.items():
        read = [read_value(context.get(name), field) for context in contexts]
        flags = [None if value is None else value == "True" for value in read] if field["type"] == "flag" else read
        columns[name] = pd.Series(flags, dtype=DTYPES.get(field["type"], "str"))
    return pd.DataFrame(columns, index=pd.RangeIndex(len(contexts)))
