"""An exported policy decides in Python, with NumPy alone: no XGBoost, and pandas only where frames come in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from workbench.errors import WorkbenchError
from workbench.export.policy.fields import Read, read_field, read_one
from workbench.export.policy.lines import Lines
from workbench.export.policy.pages import ByPages
from workbench.export.policy.ranker import DWELL_FIELD, ByRanker
from workbench.flat_trees import Trees
from workbench.manifest import EXPORT
from workbench.writing import as_path

URI = ";,/?:@&=+$-_.!~*'()#"  # what JavaScript's encodeURI leaves
SEPARATOR, MISSING = "\x1f", "(missing)"  # between the parts of a group's label; a level of its own
ROWS_A_BATCH = 100


def load_policy(folder: str | Path) -> LoadedPolicy:
    """Read a policy that :func:`export_policy` wrote; it decides as ``policy.js`` and the workbench do.

    Parameters
    ----------
    folder : path
        Its ``manifest.json`` lists every file, which is checked, by size and sha256, before anything is read.

    Returns
    -------
    LoadedPolicy

    Raises
    ------
    WorkbenchError
        Where the folder holds no export, a file is missing, cut, changed or not listed, or the format is another.
    """
    folder = as_path(folder, "a folder")
    content = EXPORT.parse(EXPORT.read(folder)[EXPORT.main], folder / EXPORT.main)
    try:
        policy = LoadedPolicy(content)
        repr(policy), policy.explain({})  # they read all that any policy holds
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, AssertionError, RecursionError) as err:
        raise WorkbenchError(f"{folder / EXPORT.main} holds no policy. {EXPORT.again}.") from err
    return policy


class LoadedPolicy:
    """A policy as it was exported; ``content`` is what ``policy.json`` holds."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.options: list[str] = content.get("options", [])
        self._answer: Any = KINDS[content["kind"]](content)

    def __repr__(self) -> str:
        return f"LoadedPolicy({self.content['name']!r}, version {self.content['version']})"

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        """What it reads: of each field, its type, its unit, and when it is known."""
        return self.content["fields"]

    def decide(self, context: Any) -> Any:
        """Decide in one context, or in many.

        Parameters
        ----------
        context : mapping, or DataFrame of shape (rows, fields)
            Fields by name; what is missing, or of another type, counts as missing, and other names are not read.

        Returns
        -------
        dict, or DataFrame of shape (rows, 1 + options)
            The option picked, and the chance that each comes late: ``{"rendition": ..., "chances": {...}}``, or the
            columns ``rendition`` and ``chance_<option>``. A table without counts knows no chances: None, or missing.
            Of pages, a list: ``[{"page": ..., "chance": ...}]``; or ``view_id, page, rank, chance``, of each view of a
            frame with ``session_id`` and ``page``, in order, by the session up to it (``view_id``: the index without).

        Raises
        ------
        WorkbenchError
            Where the context is neither.
        """
        if not self.options:
            return self._name_pages(context)
        if isinstance(context, Mapping):
            rows, read = 1, {name: read_one(context.get(name), field) for name, field in self.fields.items()}
        elif hasattr(context, "columns") and hasattr(context, "index"):
            rows, columns = len(context), {name: context[name] for name in self.fields if name in context}
            read = {name: read_field(columns.get(name), rows, field) for name, field in self.fields.items()}
        else:
            raise WorkbenchError(
                f"expected a dict of fields, such as {{{next(iter(self.fields))!r}: ...}}, or a frame with a column "
                f"for each; got {type(context).__name__}."
            )
        option, late = self._answer(read, rows)
        option = np.where(read[self.content["saves_data"]].is_text("True"), 0, option)
        if isinstance(context, Mapping):
            chances = None if late is None else dict(zip(self.options, late[0].tolist(), strict=True))
            return {self.content["returns"]: self.options[option[0]], "chances": chances}
        return self._as_frame(context.index, option, late)

    def explain(self, context: Mapping[str, Any]) -> str:
        """Why it decides so in one context, as a line for a ``Server-Timing`` header: chances, and the limit."""
        if self.options:
            answer = self.decide(context)
            said = [quote(answer[self.content["returns"]], safe=URI)]
            chances = list((answer["chances"] or {}).items())
        else:
            found, limit = self._answer.weigh(context)
            said = []
            chances = [(self.content["names"][page], chance) for page, chance in found[: self.content["most"]]]
            chances.append(("limit", limit))
        words = [*said, *(f"{quote(name, safe=URI)} {chance:.3f}" for name, chance in chances)]
        return f'policy;desc="{" ".join([self.content["version"], *words])}"'

    def after(self, page: str) -> list[dict[str, Any]]:
        """The likeliest pages after one, whatever came before it, with their chances, whatever these are."""
        return self._as_pages(self._answer.after(page))

    def _as_pages(self, pairs: Any) -> list[dict[str, Any]]:
        return [{"page": self.content["names"][page], "chance": chance} for page, chance in pairs]

    def _worth(self, context: Mapping[str, Any]) -> list[dict[str, Any]]:
        found, limit = self._answer.weigh(context)
        worth = self._as_pages(pair for pair in found[: self.content["most"]] if pair[1] >= limit)
        return worth if self.content.get("weighs", True) else [each | {"chance": None} for each in worth]

    def _name_pages(self, context: Any) -> Any:
        """The pages worth fetching in one context; of a frame of page views, in each view, the session up to it."""
        if isinstance(context, Mapping):
            return self._worth(context)
        if not {"session_id", "page"} <= set(getattr(context, "columns", ())):
            raise WorkbenchError(
                "expected a dict of fields, such as {'pages': [...]}, the pages of one session, or a frame of page "
                f"views with the columns session_id and page; got {type(context).__name__}."
            )
        import pandas as pd

        given = context[[name for name in self.fields if name in context and name != "pages"]]
        if DWELL_FIELD in self.fields and "viewed_at" in context and DWELL_FIELD not in given:
            since = context["viewed_at"].groupby(context["session_id"]).diff()
            given = given.assign(**{DWELL_FIELD: since.dt.total_seconds()})
        sessions: dict[Any, list[Any]] = {}
        found, view_id = [], context.get("view_id", context.index)
        views = zip(view_id, context["session_id"], context["page"], given.to_dict("records"), strict=True)
        for view, session, page, known in views:
            pages = sessions.setdefault(session, [])
            pages.append(page)
            answer = self._worth({**known, "pages": pages})
            found += [(view, each["page"], rank, each["chance"]) for rank, each in enumerate(answer, start=1)]
        return pd.DataFrame(found, columns=["view_id", "page", "rank", "chance"])

    def _as_frame(self, index: Any, option: np.ndarray, late: np.ndarray | None) -> Any:
        import pandas as pd

        late = np.full((len(option), len(self.options)), np.nan) if late is None else late
        found = pd.DataFrame(late, index, [f"chance_{name}" for name in self.options])
        found.insert(0, self.content["returns"], np.array(self.options, dtype=object)[option])
        return found


class ByTable:
    """The answer of the finest group that the table knows; where its column is missing, another policy may answer."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.otherwise: Any = _otherwise(content)
        self.keys: list[str] = content["keys"]
        self.edges = {key: np.asarray(edges, float) for key, edges in content["edges"].items()}
        self.place = {label: i for i, label in enumerate(content["answers"])}
        self.answers = np.array(list(content["answers"].values()), float)

    def __call__(self, read: Mapping[str, Read], rows: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Option (int, shape (rows,)) and chances (float, shape (rows, options)), or None."""
        answer, labels, group = np.full(rows, self.place[""]), [""], np.zeros(rows, int)
        for key in self.keys:
            code, parts = self._parts(key, read[key])
            both, group = np.unique(group * len(parts) + code, return_inverse=True)
            labels = [labels[each // len(parts)] + SEPARATOR + parts[each % len(parts)] for each in both.tolist()]
            found = np.array([self.place.get(label, -1) for label in labels], int)[group]
            answer = np.where(found >= 0, found, answer)
        late = self.answers[answer, 1:] if self.answers.shape[1] > 1 else None
        option = self.answers[answer, 0].astype(int)
        if self.otherwise:
            missing = np.array([label == SEPARATOR for label in labels], bool)[group]
            option = np.where(missing, self.otherwise(read, rows)[0], option)
        return option, late

    def _parts(self, key: str, field: Read) -> tuple[np.ndarray, list[str]]:
        if key not in self.edges:
            return field.code, [(text or "").replace(SEPARATOR, " ") for text in field.texts]
        assert field.numbers is not None  # the table puts numbers in bins
        edges, missing = self.edges[key], np.isnan(field.numbers)
        bins = np.searchsorted(edges, field.numbers, side="right")
        return np.where(missing, len(edges) + 1, bins), [*map(str, range(len(edges) + 1)), ""]


def _otherwise(content: Mapping[str, Any]) -> Any:
    """The policy that views are left to; None without one."""
    return KINDS[content["otherwise"]["kind"]](content["otherwise"]) if "otherwise" in content else None


class ByLast:
    """What the last measurement was best for, while it is young, else what another policy answers; no chances."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.otherwise: Any = _otherwise(content)

    def __call__(self, read: Mapping[str, Read], rows: int) -> tuple[np.ndarray, None]:
        """Option, int, shape (rows,)."""
        worth, assume = self.content["worth"], self.content["assume"]
        trip, rate = (
            np.where(np.isnan(numbers := _numbers(read, f"last_{name}")), assume.get(name, np.nan), numbers)[:, None]
            for name in ("rtt_ms", "downlink_mbps")
        )
        young = (_numbers(read, "last_age_s") <= self.content["max_age_s"]) & ~np.isnan(trip + rate)[:, 0]
        with np.errstate(all="ignore"):
            load = worth["round_trips"] * trip + np.array(worth["bits"]) / (1000 * rate)
            excess = np.clip(load - worth["budget"], 0, worth["longest"])
            net = np.where(excess >= worth["longest"], 0, worth["quality"]) - worth["price"] * excess
        return np.where(young, np.argmax(net, axis=1), self.otherwise(read, rows)[0]), None


class ByBranches:
    """What another policy answers, except where a branch holds, the last of them that does; no chances."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content, self.options = content, content["options"]
        self.base: Any = KINDS[content["base"]["kind"]](content["base"])

    def __call__(self, read: Mapping[str, Read], rows: int) -> tuple[np.ndarray, None]:
        """Option, int, shape (rows,)."""
        base = np.where(read[self.content["saves_data"]].is_text("True"), 0, self.base(read, rows)[0])
        option = base
        for branch in self.content["branches"]:
            there = [self._holds(part, read, base) for part in branch["when"]]
            option = np.where(np.logical_and.reduce(there, axis=0), branch["option"], option)
        return option, None

    def _holds(self, part: Mapping[str, Any], read: Mapping[str, Read], base: np.ndarray) -> np.ndarray:
        if "levels" not in part:
            number = _numbers(read, part["field"])
            above, most = (-np.inf if part["above"] is None else part["above"]), part["up_to"]
            inside = (number > above) & (number <= (np.inf if most is None else most))
            return np.where(np.isfinite(number), inside, part["unknown"])
        levels, inside = part["levels"], part["inside"]
        if not part["field"]:
            return np.array([option in levels for option in self.options])[base] == inside
        return read[part["field"]].by_text(lambda text: ((text or "unknown") in levels) == inside, bool)


def _numbers(read: Mapping[str, Read], name: str) -> np.ndarray:
    numbers = read[name].numbers
    assert numbers is not None  # the schema of the workbench says so
    return numbers


class ByTrees:
    """The option of the largest expected value, by the chances of boosted trees, or of lines; ties to the smaller."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        worth = content["worth"]
        source: Any = Lines if content["kind"] == "linear" else Trees
        self.heads = {name: (head, source(head)) for name, head in content["heads"].items()}
        self.quality, self.weights = np.array(worth["quality"]), np.array(worth["weights"])
        self.price, self.abandons = worth["price"], worth["abandons"]
        self.failing = _mixed(worth["mixed"]) if "mixed" in worth else _picked(worth["place"])

    def __call__(self, read: Mapping[str, Read], rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Option (int, shape (rows,)) and chances (float, shape (rows, options))."""
        if rows == 1:
            return self._weigh({name: _encode_one(head["features"], read) for name, (head, _) in self.heads.items()})
        encoded = {
            name: np.column_stack([*(encode(each, read[each["field"]]) for each in head["features"]), np.zeros(rows)])
            for name, (head, _) in self.heads.items()
        }
        bytes_of = np.ascontiguousarray(np.hstack(list(encoded.values())).astype(np.float32))
        _, first, which = np.unique(
            bytes_of.view([("", f"V{bytes_of.shape[1] * 4}")]).ravel(), return_index=True, return_inverse=True
        )
        option, late = np.zeros(len(first), int), np.zeros((len(first), len(self.quality)))
        for at in range(0, len(first), ROWS_A_BATCH):
            part = slice(at, at + ROWS_A_BATCH)
            option[part], late[part] = self._weigh({name: each[first[part]] for name, each in encoded.items()})
        return option[which], late[which]

    def _weigh(self, encoded: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        chances = {}
        for name, (head, trees) in self.heads.items():
            margin = trees.margins(encoded[name].astype(np.float32)).astype(float)
            with np.errstate(over="ignore"):
                chances[name] = 1 / (1 + np.exp(-(head["slope"] * margin + head["intercept"])))
        fails = self.failing(chances)
        abandoned = fails[:, -1] if self.abandons else 0
        wait = self.weights @ fails  # over times
        return np.argmax(self.quality * (1 - abandoned) - self.price * wait, axis=1), fails[:, 0]


def _encode_one(features: Sequence[Mapping[str, Any]], read: Mapping[str, Read]) -> np.ndarray:
    """As :func:`encode`, of one context: float32, shape (1, features)."""
    found = []
    for feature in features:
        field = read[feature["field"]]
        if field.numbers is not None:
            found.append(float(field.numbers[0]))
            continue
        text = field.texts[0] or MISSING
        if "means" in feature:
            found.append(feature["means"].get(text, feature["otherwise"]))
        else:
            found.append(float(text == feature["level"]))
    with np.errstate(over="ignore"):
        return np.array([found]).astype(np.float32)


def encode(feature: Mapping[str, Any], field: Read) -> np.ndarray:
    """A feature of the trees: float32, shape (rows,)."""
    if "means" in feature:
        means = feature["means"]
        return field.by_text(lambda text: means.get(text or MISSING, feature["otherwise"]), np.float32)
    if "level" in feature:
        return field.by_text(lambda text: (text or MISSING) == feature["level"], np.float32)
    assert field.numbers is not None  # the schema of the workbench says so
    with np.errstate(over="ignore"):
        return field.numbers.astype(np.float32)


KINDS: dict[str, Any] = {"trees": ByTrees, "linear": ByTrees, "table": ByTable, "last": ByLast, "branches": ByBranches}
KINDS |= {"pages": ByPages, "ranker": ByRanker}
Failing = Callable[[Mapping[str, np.ndarray]], np.ndarray]  # chances of heads to (rows, times, options)


def _picked(places: Mapping[str, Any]) -> Failing:
    ((quantity, place),) = ((name, np.asarray(each)) for name, each in places.items())
    return lambda chances: np.where(place < 0, 1.0, chances[quantity][:, np.maximum(place, 0)])


def _mixed(mixed: Mapping[str, Any]) -> Failing:
    times, bits = np.array(mixed["times"])[:, None], np.array(mixed["bits"])
    grid, logs = np.array(mixed["grids"]["downlink_mbps"]), np.log(np.array(mixed["grids"]["rtt_ms"]))
    step, last, count = np.log(grid[1] / grid[0]), len(grid) - 1, mixed["quantiles"]

    def failing(chances: Mapping[str, np.ndarray]) -> np.ndarray:
        rtts, slower = quantiles(chances["rtt_ms"], logs, count), chances["downlink_mbps"].ravel()
        row = (last + 1) * np.arange(len(rtts))[:, None, None, None]
        left = times - mixed["round_trips"] * rtts[:, :, None, None]  # (rows, quantiles, times, 1)
        threshold = np.minimum(bits / (1000 * np.where(left > 0, left, 1.0)), grid[last])
        position = np.maximum(np.log(threshold / grid[0]) / step, 0)
        at = np.minimum(position.astype(int), last - 1)
        low, high = slower[row + at], slower[row + at + 1]
        return np.where(left > 0, low + (position - at) * (high - low), 1.0).sum(axis=1) / count

    return failing


def quantiles(above: np.ndarray, logs: np.ndarray, count: int) -> np.ndarray:
    """Values at the middle of equal shares, from chances (rows, points) of exceeding a grid: (rows, count)."""
    below, row = np.maximum.accumulate(1 - above, axis=1), np.arange(len(above))[:, None]
    share = (np.arange(count) + 0.5) / count
    right = np.minimum(np.maximum((below[:, None, :] < share[:, None]).sum(axis=2), 1), len(logs) - 1)
    low, high = below[row, right - 1], below[row, right]
    part = np.minimum(np.maximum((share - low) / np.maximum(high - low, 1e-12), 0), 1)
    return np.exp(logs[right - 1] + part * (logs[right] - logs[right - 1]))
