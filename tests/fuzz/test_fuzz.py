"""Bad input of every kind: a right answer or one sentence, never a traceback, a dead process, or wrong numbers.

``make fuzz`` runs many cases: python tests/fuzz/test_fuzz.py [cases] [seed]. A case is a kind and a number, and can be
run again by both.
"""

import bz2
import gzip
import inspect
import json
import lzma
import random
import sys
import tempfile
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.first_card import first_card

LONGEST = 300
ROWS = 60
FEW, MANY = 25, 5_000  # cases of each kind in a test, cases of `make fuzz`
CARD = (
    'columns = { who = "user_id", at = "measured_at", rtt = "rtt_ms", down = "downlink_mbps", land = "country" }\n'
    'lost = { why = ["timeout"] }\nassume = { page_load_ms = [1, 2, 3] }\nlabels = { country = "land" }\n'
    'context.plan = { type = "text", level = "client_js" }\n'
)
PAGES = 'kind = "navigations"\ncolumns = { who = "user_id", at = "viewed_at", url = "page" }\n'
LOG = (
    '198.51.100.{} - - [{:02}/Oct/2025:10:{:02}:{:02} +0000] "GET /p{} HTTP/1.1" 200 5 "-" '
    '"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"\n'
)
WORDS = [
    *(
        "",
        " ",
        "-",
        "NULL",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "-1",
        "0",
        "9" * 400,
        "1e300",
        "1e-300",
        "true",
        "0x1F",
        "1,5",
    ),
    *(
        "\x1b[2J",
        "\x00",
        "\ud800".encode("utf-16", "surrogatepass").decode("latin-1"),
        "\u202e",
        "a" * 5_000,
        "日本",
        "=1+1",
    ),
    *(
        "9999-12-31T23:59:59Z",
        "0001-01-01",
        "1066-10-14",
        "2026-02-30",
        '"',
        "'",
        ",",
        ";",
        "{}",
        "[1]",
        "<script>",
        "../x",
    ),
]
VALUES = [
    *(
        None,
        True,
        False,
        0,
        -1,
        2**31,
        2**64,
        10**400,
        0.5,
        1e300,
        float("nan"),
        float("inf"),
        "",
        "x",
        "\x1b[2J",
        "a" * 5_000,
    ),
    *(b"x", [], [1], {}, {"a": 1}, (), (1, 2), {1}, object(), int, len, np.int64(3), np.array([1.0]), pd.NA, pd.NaT),
    *(pd.Series([1]), pd.DataFrame(), pd.DataFrame({"rtt_ms": [True]}), Path("/no/such"), range(3), pd.Timestamp(0)),
]


def table(draw):
    """A table of known numbers, as CSV or JSON lines."""
    rows = [
        {
            "who": f"u{i}",
            "at": f"2026-01-{1 + i % 28:02}T10:00:00Z",
            "rtt": i + 20,
            "down": i + 5,
            "land": "DE",
            "why": "",
        }
        for i in range(ROWS)
    ]
    if draw.random() < 0.5:
        return "t.csv", "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]) + "\n"
    return "t.jsonl", "\n".join(map(json.dumps, rows)) + "\n"


def mutated(text, draw):
    """A text with one to three changes, and how many lines may differ by them."""
    changes = draw.randint(1, 3)
    for _ in range(changes):
        lines = text.splitlines(keepends=True) or [""]
        at = draw.randrange(len(lines))
        place = draw.randrange(len(text) + 1)
        word = draw.choice(WORDS)
        cells = lines[at].rstrip("\n").split(",")
        cells[draw.randrange(len(cells))] = word
        text = draw.choice(
            [
                "".join([*lines[:at], ",".join(cells) + "\n", *lines[at + 1 :]]),
                "".join([*lines[:at], lines[at].rstrip("\n"), ",", word, "\n", *lines[at + 1 :]]),
                "".join([*lines[:at], lines[at], *lines[at:]]),
                text[:place] + word + text[place:],
                text[:place] + chr(draw.randrange(1, 0x300)) + text[place + 1 :],
                text[:place],
            ]
        )
    return text, changes


def packed(name, content, draw):
    """A file's name and bytes, perhaps compressed, perhaps damaged."""
    ending, pack = draw.choice(
        [("", bytes), ("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
    )
    content = pack(content)
    if draw.random() < 0.2:
        place = draw.randrange(len(content) + 1)
        content = draw.choice(
            [content[:place], content[:place] + bytes([draw.randrange(256)]) + content[place + 1 :], b""]
        )
        return name + ending, content, True
    return name + ending, content, False


def wrong_rows(views):
    """How many rows have other numbers than their user's."""
    user = pd.to_numeric(views["user_id"].astype(str).str.extract(r"^u(\d+)$")[0], errors="coerce").to_numpy(float)
    differ = np.zeros(len(views), bool)
    for name, more in (("rtt_ms", 20), ("downlink_mbps", 5)):
        if name in views:
            values = views[name].to_numpy(float)
            differ |= ~(np.isnan(values) | (values == user + more))
    return int(differ.sum())


def tables(draw, folder):
    """Files of measurements that somebody spoilt."""
    name, text = table(draw)
    text, changes = mutated(text, draw)
    name, content, damaged = packed(
        name, text.encode(draw.choice(["utf-8"] * 8 + ["utf-16", "utf-7"]), "replace"), draw
    )
    (folder / name).write_bytes(content)
    (folder / "c.toml").write_text(CARD + f'[[files]]\nname = "{name}"\n')
    views = wb.load(folder / "c.toml")
    times = views["measured_at"].dropna() if "measured_at" in views else pd.Series(dtype="datetime64[us, UTC]")
    assert damaged or wrong_rows(views) <= 2 * changes, f"{wrong_rows(views)} rows with other numbers"
    assert times.dt.year.between(1990, 2099).all(), "times of other centuries"


def cards(draw, folder):
    """Cards that are not as they should be."""
    (folder / "t.csv").write_text(
        "who,at,rtt,down,land\n" + "".join(f"u{i},2026-01-02,{i + 20},{i + 5},DE\n" for i in range(ROWS))
    )
    text, _ = mutated(CARD + '[[files]]\nname = "t.csv"\n', draw)
    if draw.random() < 0.1:
        text += draw.choice(
            ["a = " + "[" * 50_000, "margin = " + "9" * 5_000, "a." * 5_000 + "b = 1", 'title = "\\u202e"']
        )
    (folder / "c.toml").write_text(text, encoding="utf-8", errors="replace")
    assert len(wb.load(folder / "c.toml"))


def logs(draw, folder):
    """Access logs with broken lines; no word of them may be kept."""
    text = "".join(LOG.format(i % 50, 1 + i // 100, i % 60, i % 7, i % 5) for i in range(300))
    text, _ = mutated(text, draw)
    name, content, damaged = packed("a.log", text.encode("utf-8", "replace"), draw)
    (folder / name).write_bytes(content)
    views = wb.load(folder / name)
    assert damaged or views["viewed_at"].dt.year.between(1990, 2099).all()


def frames(draw, folder):
    """Columns that hold what no network has."""
    frame = pd.DataFrame(
        {"who": [f"u{i}" for i in range(ROWS)], "rtt": np.arange(ROWS) + 20.0, "url": ["/a", "/b"] * (ROWS // 2)}
    )
    frame["at"] = pd.date_range("2026-01-01", periods=ROWS, freq="h", tz="UTC")
    name = draw.choice([*frame])
    values, changes = frame[name].astype(object).tolist(), draw.choice([1, 2, ROWS])
    for at in draw.sample(range(ROWS), changes):
        values[at] = draw.choice([*WORDS, *VALUES])
    frame[name] = pd.Series(values, dtype=object)
    columns = {"who": "user_id", "at": "measured_at", "rtt": "rtt_ms"}
    if draw.random() < 0.5:
        views = wb.navigations(frame, columns={"who": "user_id", "at": "viewed_at", "url": "page"})
        assert views["page"].notna().all()
    else:
        views = wb.measurements(frame, columns=columns, assume={"downlink_mbps": (1, 2, 3)})
        assert wrong_rows(views) <= changes * (name in ("rtt", "who"))


def guesses(draw, folder):
    """Files for which a first card is asked."""
    name, text = table(draw)
    text, _ = mutated(text, draw)
    name, content, _ = packed(name, text.encode("utf-8", "replace"), draw)
    (folder / name).write_bytes(content)
    assert first_card(folder / name)


@cache
def world():
    """What the public functions take, by the name of the argument."""
    views = wb.load("synthetic_measurements", rows=1_500)
    split = wb.split_by_user(views)
    model = wb.train_network_quality(split, max_trees=5)
    result = wb.compare(split, model)
    given = {"views": views, "frame": views, "df": views.drop(columns=["simulated"]), "split": split, "model": model}
    given |= {"result": result, "rule": result.best_rule, "train": split.train, "later": split.validation}
    given |= {"name_or_path": "synthetic_null", "dataset": "synthetic_null", "rows": 300, "columns": ["country"]}
    return given | {
        "name": "rtt_ms",
        "known_by": "first_request",
        "values": np.arange(60.0),
        "users": np.arange(60),
        "effect": 1.0,
    }


SLOW = {
    "study",
    "ablation",
    "redundancy",
    "retraining",
    "importance",
    "drift",
    "dependence",
    "disagreement",
    "Explorer",
}
NO_DOORS = {"WorkbenchError", "datasets", "plotting"}
OWN_FOLDER = {"export_policy", "load_policy", "save_figure"}  # they write


def arguments(draw, folder):
    """Public functions with one argument that is not one."""
    doors = {name: getattr(wb, name) for name in wb.__all__ if callable(getattr(wb, name)) and name not in NO_DOORS}
    doors |= {f"plotting.{name}": getattr(wb.plotting, name) for name in wb.plotting.__all__ if name != "style_context"}
    name = draw.choice([name for name in doors if name not in OWN_FOLDER])
    known = {each.name: each for each in inspect.signature(doors[name]).parameters.values()}
    given = {
        each: world()[each]
        for each, parameter in known.items()
        if each in world() and parameter.default is parameter.empty and parameter.kind != parameter.VAR_POSITIONAL
    }
    bad = draw.choice([each for each in known if known[each].kind not in (2, 4)] or ["x"])
    given[bad] = object() if name in SLOW else draw.choice(VALUES)
    if name in SLOW and "Any" in str(known[bad].annotation):
        return
    doors[name](**given)


def rules(draw, folder):
    """Rules that answer with anything, or fail."""
    answer = draw.choice(VALUES)
    ways = [
        lambda context: answer,
        lambda context: [answer] * len(context),
        lambda context: pd.Series([answer] * len(context)),
    ]
    ways += [lambda context: context["colour"], lambda context: context.nothing, lambda context: 1 / 0, answer]
    rule = draw.choice(ways)
    given = world()
    if callable(rule):
        rule = wb.needs()(partial(rule)) if draw.random() < 0.2 else rule
    wb.compare(given["split"], given["model"], rules=[rule])


KINDS = {kind.__name__: kind for kind in (tables, cards, logs, frames, guesses, arguments, rules)}


def run(kind, number):
    """What comes of a case: "right", "refused", or what is wrong."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            KINDS[kind](random.Random(f"{kind} {number}"), Path(folder))
        except wb.WorkbenchError as err:
            sentence = str(err)
            fine = 0 < len(sentence) <= LONGEST and sentence.isprintable()
            return "refused" if fine else f"{kind} {number}: {len(sentence)} characters: {sentence!r}"
        except Exception as err:
            frames = inspect.trace()
            return f"{kind} {number}: {type(err).__name__} in {frames[-1].function}: {str(err)[:150]!r}"
    overflow = [str(each.message) for each in said if "overflow" in str(each.message)]
    return f"{kind} {number}: {overflow[0]}" if overflow else "right"


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_gets_a_right_answer_or_one_sentence(kind):
    came = [run(kind, number) for number in range(FEW)]
    assert [each for each in came if each not in {"right", "refused"}] == []
    assert "refused" in came


def main(cases=MANY, seed=None):
    """Run cases of all kinds in processes of their own, and print what is wrong."""
    seed = random.randrange(10**6) if seed is None else seed
    print(f"{cases} cases, seed {seed}")
    todo = [([*KINDS][number % len(KINDS)], seed * 10**6 + number) for number in range(cases)]
    counts, wrong = Counter(), []
    while todo:
        with ProcessPoolExecutor(2) as pool:
            jobs = [(case, pool.submit(run, *case)) for case in todo]
            todo = []
            for place, (case, job) in enumerate(jobs):
                try:
                    came = job.result()
                except BrokenProcessPool:
                    came, todo = f"{case}: a dead process", [case for case, _ in jobs[place + 1 :]]
                counts[case[0], came if came in {"right", "refused"} else "wrong"] += 1
                if came not in {"right", "refused"}:
                    wrong.append(came)
                    print(came)
                if todo:
                    break
    for (kind, what), count in sorted(counts.items()):
        print(f"{kind:10} {what:8} {count:,}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
