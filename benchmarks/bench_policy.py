"""Does an exported policy decide as the workbench does, how fast, and how large is it?

For each dataset and policy, 100,000 contexts (from data field by field, and strange ones) are asked of the workbench,
of ``wb.load_policy`` and of ``policy.js`` in Node and in Chromium: no decision may differ, and chances by at most one
in a million. Then decisions are timed after that warm-up (the mean of batches of 50 in JavaScript, the 99th percentile
of single ones; of each the fastest of five, so that other programs do not count; the page is cross-origin isolated, its
clock ticks every 5 us), and the files weighed. ``--rows N`` takes N contexts.
"""

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

import workbench as wb
from workbench.export.policy import bundle
from workbench.export.policy.cases import as_canonical, draw_contexts

CASES = {"synthetic_measurements": ("model", "best_rule"), "mobile_bandwidth": ("model", "best_rule")}
CASES |= {"eshop2008": ("model", "fourth-order Markov with back-off"), "wikispeedia": ("model", "quicklink")}
CASES |= {"synthetic_navigations": ("model", "user history, else Markov", "Guess.js", "never")}
CASES |= {"atlas_pings": ("model", "always medium"), "ofcom_panel": ("model", "best_rule")}
LIMITS = {"mean": 50, "p99": 100, "load_policy": 300, "kB": 300}  # us, us, us, kB gzipped
ASK = """
export function ask(decide, contexts) {
  const answers = contexts.map((context) => decide(context));
  const timed = contexts.slice(0, 5000);
  function fastest(size) {
    const took = [];
    for (let round = 0; round < 5; round++) {
      for (let at = 0; at < timed.length; at += size) {
        const start = performance.now();
        for (let i = at; i < at + size; i++) decide(timed[i % timed.length]);
        took[at / size] = Math.min(took[at / size] ?? Infinity, (1000 * (performance.now() - start)) / size);
      }
    }
    return took.sort((a, b) => a - b);
  }
  const batches = fastest(50), single = fastest(1), mean = batches.reduce((a, b) => a + b) / batches.length;
  return JSON.stringify({ answers, mean, p99: single[Math.floor(0.99 * single.length)] });
}
"""
NODE = """
import fs from "node:fs";
import { load } from "./policy.js";
import { ask } from "./ask.js";
const read = (name) => JSON.parse(fs.readFileSync(name));
fs.writeFileSync("answers.json", ask(load(read("policy.json")), read("contexts.json")));
"""
PAGE = """async () => {
  const read = async (name) => (await fetch(name)).json();
  const { load } = await import("./policy.js"), { ask } = await import("./ask.js");
  if (!crossOriginIsolated) throw new Error("expected a cross-origin isolated page");
  return ask(load(await read("policy.json")), await read("contexts.json"));
}"""


class Isolated(SimpleHTTPRequestHandler):
    """Files of a folder, with the headers of a cross-origin isolated page, and nothing logged."""

    def end_headers(self) -> None:
        """Send the two headers with the others."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def opened(folder: Path) -> Iterator[Page]:
    """A page of a loopback server that serves the folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Isolated, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        own = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=own, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        yield page
        browser.close()
    server.shutdown()


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


def in_javascript(folder: Path, contexts: list[dict]) -> dict[str, dict]:
    """What policy.js decides in Node and in Chromium, and how long it takes, us."""
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        for name in ("policy.js", "policy.json"):
            shutil.copy(folder / name, work)
        files = {"ask.js": ASK, "node.js": NODE, "package.json": '{"type": "module"}', "index.html": "<!doctype html>"}
        for name, text in (files | {"contexts.json": json.dumps(contexts)}).items():
            (work / name).write_text(text)
        subprocess.run(["node", "node.js"], cwd=work, check=True)
        with opened(work) as page:
            return {
                "Node": json.loads((work / "answers.json").read_text()),
                "Chromium": json.loads(page.evaluate(PAGE)),
            }


def main() -> int:
    """Print a line a policy; 1 where one decides otherwise, or is too slow or too large (all trees may be)."""
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
    """Ask all of them, print what was found, and tell whether they agree within the limits of time and size."""
    wb.export_policy(result, folder, policy, full=full)
    loaded, picked = wb.load_policy(folder), result.of(policy)
    shipped, _, _ = bundle._content(result, picked, full)
    contexts = draw_contexts(loaded.content, result.split.train, rows, seed=1)
    frame = as_canonical(contexts, loaded.fields)
    with np.errstate(over="ignore", divide="ignore"):
        workbench = shipped.answers(frame)
    started = time.process_time()
    python = in_python(loaded, contexts, frame)
    batch_us = (time.process_time() - started) / rows * 1e6
    single = [loaded.decide(context) for context in contexts[:2000]]
    timed = [min(timeit.repeat(partial(loaded.decide, each), number=1, repeat=5)) for each in contexts[:2000]]
    one_us = np.mean(timed) * 1e6
    scripts = in_javascript(folder, contexts)
    differ = {name: compared(workbench, found["answers"]) for name, found in scripts.items()}
    differ |= {"Python": compared(workbench, python), "Python one by one": compared(workbench[:2000], single)}
    kept = sum(len(gzip.compress((folder / name).read_bytes())) for name in ("policy.json", "policy.js")) / 1000
    agrees = all(count == 0 and most <= bundle.NEAR for count, most in differ.values())
    numbers = {"load_policy": one_us, "kB": kept}
    numbers |= {key: max(found[key] for found in scripts.values()) for key in ("mean", "p99")}
    over = [key for key, limit in LIMITS.items() if numbers[key] >= limit and not full]
    times = (f"{name} mean {each['mean']:.1f} us, p99 {each['p99']:.1f} us" for name, each in scripts.items())
    print(
        f"{result.split.card.name}, {picked.name}{', all trees' * full}: {rows:,} contexts, different decisions: "
        + ", ".join(f"{name} {count} (chances by {most:.0e})" for name, (count, most) in differ.items())
        + f"; {'; '.join(times)}; load_policy one {one_us:.0f} us, in batches {batch_us:.0f} us; {kept:.1f} kB gzip"
        + f"; OVER THE LIMIT: {', '.join(over)}" * bool(over),
        flush=True,
    )
    return agrees and not over


if __name__ == "__main__":
    sys.exit(main())
