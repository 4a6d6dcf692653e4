"""Does an exported policy decide as the workbench does, how fast, and how large is it?

For each dataset and policy, 100,000 contexts (from data field by field, and strange ones) are asked of the workbench,
of ``wb.load_policy`` and of ``policy.js`` in Node: no decision may differ, and chances by at most one in a million.
Then single decisions are timed (processor time; the 99th percentile is of the fastest of five, so that other programs
do not count), and the files weighed. ``--rows N`` takes N contexts.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import workbench as wb
from workbench.export.policy import bundle
from workbench.export.policy.cases import as_canonical, draw_contexts

CASES = {"synthetic_measurements": ("model", "best_rule"), "mobile_bandwidth": ("model", "best_rule")}
CASES |= {"eshop2008": ("model", "fourth-order Markov with back-off"), "wikispeedia": ("model", "quicklink")}
CASES |= {"synthetic_navigations": ("model", "user history, else Markov", "Guess.js", "never")}
CASES |= {"atlas_pings": ("model", "always medium"), "ofcom_panel": ("model", "best_rule")}
NODE = """
import fs from "node:fs";
import { load } from "./policy.js";
const decide = load(JSON.parse(fs.readFileSync("policy.json")));
const contexts = JSON.parse(fs.readFileSync(process.argv[2]));
const answers = contexts.map((context) => decide(context));
const timed = contexts.slice(0, 5000), took = timed.map(() => Infinity), used = process.cpuUsage();
for (let round = 0; round < 5; round++) {
  timed.forEach((context, i) => {
    const start = process.hrtime.bigint();
    decide(context);
    took[i] = Math.min(took[i], Number(process.hrtime.bigint() - start) / 1000);
  });
}
const { user, system } = process.cpuUsage(used), mean = (user + system) / timed.length / 5;
took.sort((a, b) => a - b);
fs.writeFileSync(process.argv[3], JSON.stringify({ answers, mean, p99: took[Math.floor(0.99 * took.length)] }));
"""


def compared(answers: list, others: list) -> tuple[int, float]:
    """How many decisions differ, and the largest difference of chances."""
    differ, most = 0, 0.0
    for one, other in zip(map(split_chances, answers), map(split_chances, others), strict=True):
        differ += one[0] != other[0]
        most = max([most, *(abs(a - b) for a, b in zip(one[1], other[1], strict=False))])
    return differ, most


def split_chances(answer: dict | list) -> tuple[list, list[float]]:
    """What was decided, and the chances behind it."""
    if isinstance(answer, list):
        return [each["page"] for each in answer], [each["chance"] or 0.0 for each in answer]
    return [value for name, value in answer.items() if name != "chances"], list((answer["chances"] or {}).values())


def in_node(folder: Path, contexts: list[dict]) -> dict:
    """What policy.js decides in Node, and how long it takes, us."""
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        for name in ("policy.js", "policy.json"):
            (work / name).write_bytes((folder / name).read_bytes())
        (work / "ask.mjs").write_text(NODE)
        (work / "contexts.json").write_text(json.dumps(contexts))
        subprocess.run(["node", "--no-warnings", "ask.mjs", "contexts.json", "out.json"], cwd=work, check=True)
        return json.loads((work / "out.json").read_text())


def main() -> int:
    """Print a line a policy; 1 where one decides otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("datasets", nargs="*", default=list(CASES))
    asked, failed = parser.parse_args(), 0
    for dataset in asked.datasets:
        result = wb.study(dataset)
        for policy in CASES[dataset]:
            with tempfile.TemporaryDirectory() as place:
                failed += not measure(result, policy, Path(place, "policy"), asked.rows)
                if policy == "model":
                    failed += not measure(result, policy, Path(place, "all trees"), asked.rows, full=True)
    return 1 if failed else 0


def in_python(loaded, contexts: list[dict], frame) -> list:
    """What ``wb.load_policy`` decides: all at once, where it can."""
    if not loaded.options:
        return [loaded.decide(context) for context in contexts]
    found = loaded.decide(frame)
    late = found.filter(like="chance_").to_numpy()
    chances = [None if np.isnan(row).any() else dict(zip(loaded.options, row, strict=True)) for row in late]
    returns = loaded.content["returns"]
    return [{returns: one, "chances": each} for one, each in zip(found[returns], chances, strict=True)]


def measure(result, policy: str, folder: Path, rows: int, *, full: bool = False) -> bool:
    """Ask all three, print what was found, and tell whether they agree."""
    wb.export_policy(result, folder, policy, full=full)
    loaded, picked = wb.load_policy(folder), result.of(policy)
    shipped, _ = bundle._content(result, picked, full)
    contexts = draw_contexts(loaded.content, result.split.train, rows, seed=1)
    frame = as_canonical(contexts, loaded.fields)
    with np.errstate(over="ignore", divide="ignore"):
        workbench = shipped.answers(frame)
    started = time.process_time()
    python = in_python(loaded, contexts, frame)
    batch_us = (time.process_time() - started) / rows * 1e6
    single = [loaded.decide(context) for context in contexts[:2000]]
    started = time.process_time()
    for context in contexts[:2000]:
        loaded.decide(context)
    one_us = (time.process_time() - started) / 2000 * 1e6
    node = in_node(folder, contexts)
    sides = {"load_policy": python, "node": node["answers"]}
    differ = {name: compared(workbench, answers) for name, answers in sides.items()}
    differ["load_policy, one by one"] = compared(workbench[:2000], single)
    kept = sum(len(gzip.compress((folder / name).read_bytes())) for name in ("policy.json", "policy.js")) / 1000
    name = f"{result.split.card.name}, {picked.name}{', all trees' * full}"
    says = "; ".join(f"{name} {count} differ, chances by {most:.1e}" for name, (count, most) in differ.items())
    print(
        f"{name}: {rows:,} contexts: {says}; policy.js mean {node['mean']:.1f} us, "
        f"p99 {node['p99']:.1f} us; load_policy one {one_us:.0f} us, in batches {batch_us:.0f} us; {kept:.1f} kB gzip",
        flush=True,
    )
    return all(count == 0 and most <= bundle.NEAR for count, most in differ.values())


if __name__ == "__main__":
    sys.exit(main())
