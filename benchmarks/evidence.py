"""Evidence about the evidence: would other seeds, less data, or worlds with nothing in them lead to the same words?

``make evidence`` runs some hundreds of studies and writes one table, ``benchmarks/evidence.csv``, which README and the
notebook ``04_where_ml_pays`` show. Each trial is kept in ``datasets/cache/evidence`` under a hash of code, cards and
libraries: a run that was stopped goes on where it was, and one after a change of the code begins anew.

Questions (column ``question``):

- ``real``: every real set and both simulated ones, under several seeds of split, mask and model, every policy;
- ``settings``: the same with those settings of the trees that fit validation best, of a grid that all sets share;
- ``information``: the same by what is known when the decision is taken;
- ``amount``: the same by the share of the training users;
- ``null worlds``: worlds with nothing planted, each of another seed: how often is the model called better?
- ``harm``: how often is it called harmful there, as it is tuned and at the best rule's own operating point?
- ``coverage``: users drawn from a set's test part: how often does the interval hold the mean of all of them, where the
  number of users whose outcomes differ lets a word through? ``power``: how often is the word better?
- ``retraining``: what model and best rule lose by the days that they are older than freshly trained ones;
- ``false alarms``: the same where the true difference is below the margin: how often is the word better all the same?
- ``swaps``: outcomes of model and best rule swapped at random, user by user: how often does the interval exclude 0?
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from scipy.stats import binomtest
from sklearn.base import clone
from tqdm import tqdm

import workbench as wb
from workbench.datasets.cards import card_folder
from workbench.datasets.columns import LEVELS
from workbench.datasets.splits import card_of, sample_users
from workbench.decisions import find_decision
from workbench.decisions.decision import Stage
from workbench.evidence.bootstrap import cluster_intervals
from workbench.evidence.verdict import BETTER, FEWEST_DIFFERING, judge, judge_rivals
from workbench.explanation.retraining import LEAD, Retraining
from workbench.studies.comparison import code_commit
from workbench.studies.study import judge_model, look_at_the_slowest, settle

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "benchmarks" / "evidence.csv"
KEPT = ROOT / "datasets" / "cache" / "evidence"
IMAGES = ("mobile_bandwidth", "ofcom_panel", "ofcom_hours", "atlas_pings", "synthetic_measurements")
PAGES = ("eshop2008", "wikispeedia", "msnbc", "synthetic_navigations")
MOST_ROWS = {"msnbc": 400_000}  # of 4.7 million views: whole sessions, drawn by the trial's seed
SEEDS, UNSEEN = range(5), (101, 102, 103)  # the unseen ones were not looked at while the code was written
SIMULATED = ("synthetic_measurements", "synthetic_navigations")  # each seed is another world
NULLS = {"synthetic_null": (20_000, 60_000), "synthetic_navigations_null": (20_000, 60_000)}
WORLDS, FIRST_WORLD = 100, 1000  # worlds 0 to 99 were looked at while the code was written
POINTS = ("as tuned", "at the rule's operating point")  # where safety is judged
AGING = ("eshop2008", "wikispeedia", "atlas_pings", "synthetic_measurements", "synthetic_navigations")  # have times
SHARES = (0.03, 0.1, 0.3)
SETTINGS = ({"max_depth": 3}, {"max_depth": 8})  # beside the model's own
USERS = (50, 100, 200, 500, 1000, 2000, 5000)
DRAWS, MANY_DRAWS, SWAPS, COLUMNS = 300, 1000, 1000, 50  # many of up to 1,000 users
FEWEST_JUDGED = 100  # draws that the guard lets through: of fewer, no share is reported
CODE = ("datasets", "features", "models", "decisions", "evidence", "studies", "explanation")
LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Trial:
    """One study; ``world`` is the seed of a simulated world (None: the card's), ``share`` that of training users."""

    question: str
    dataset: str
    seed: int = 0
    rows: int | None = None
    known_by: str = ""
    share: float = 1.0
    world: int | None = None

    @property
    def setting(self) -> str:
        """What is special about it, as the table calls it."""
        special = {"information": self.known_by, "amount": f"{self.share:g}", "null worlds": f"{self.rows}"}
        return special.get(self.question, "")


def trials(seeds: Iterable[int], worlds: int) -> Iterator[Trial]:
    """Every study, those that take longest first."""
    names = sorted((*PAGES, *IMAGES), key=lambda name: name != "msnbc")
    for name in names:
        for seed in seeds:
            yield Trial("real", name, seed, MOST_ROWS.get(name), world=seed if name in SIMULATED else None)
    for name in names:
        for known_by in LEVELS:
            yield Trial("information", name, rows=MOST_ROWS.get(name), known_by=known_by)
        for share in SHARES:
            yield Trial("amount", name, rows=MOST_ROWS.get(name), share=share)
    for name in AGING:
        yield Trial("retraining", name)
    for name, sizes in NULLS.items():
        for rows in sorted(sizes, reverse=True):
            for world in range(FIRST_WORLD, FIRST_WORLD + worlds):
                yield Trial("null worlds", name, world, rows, world=world)


def run_trial(trial: Trial) -> dict[str, Any]:
    """Study one dataset; the rows of the table, and what each user of test gained (sum) in how many views."""
    views = _load(trial)
    card = card_of(views)
    decision = find_decision(None, card)
    if trial.question == "retraining":
        return {"rows": _age(trial, wb.retraining(views, seed=trial.seed), decision.name)}
    plan = decision.plan(views, decision.scenario(card), trial.seed)
    if trial.known_by:
        gained = [c for c in decision.changes(views, plan) if c.group == "known" and c.plan.known_by == trial.known_by]
        if not gained:
            return {"rows": []}  # the same as what the base case knows, or as another moment
        plan = gained[0].plan
    split = decision.prepare(views, plan)
    if trial.share < 1:
        split = replace(split, train=sample_users(split.train, round(trial.share * len(split.train)), trial.seed))
    ours, rules = decision.train(split, plan), decision.rules(split, plan.known_by)
    if trial.question == "null worlds":
        return {"rows": _judge(trial, settle(decision, split, ours, rules, plan.scenario))}
    result = wb.compare(split, ours, rules, plan.scenario)
    model, rule = result.of("model"), result.of("best_rule")
    net = model.outcomes["net"]
    gains = [(net - result.of(each).outcomes["net"]).to_numpy() for each in (result.best_rule, *result.rivals)]
    test = decision.situations(split.test, card, split.cluster, plan.known_by, plan.scenario)
    users = np.unique(test.users, return_inverse=True)[1]
    about = {"question": trial.question, "decision": decision.name, "dataset": trial.dataset}
    about |= {"setting": trial.setting, "seed": trial.seed, "margin": result.margin}
    found = [
        about
        | {"policy": policy.name, "kind": policy.kind, "best_rule": policy is rule, "value": policy.figures.net}
        | _span(result.against_best_rule.get(policy.name))
        for policy in result.results
        if policy.figures is not None
    ]
    headline = {"policy": "model minus best rule", "kind": "difference", "word": result.verdict}
    found.append(
        about | headline | {"value": result.difference.estimate, "n": result.test_users} | _span(result.difference)
    )
    kept = {"gains": [np.bincount(users, each).tolist() for each in gains], "views": np.bincount(users).tolist()}
    kept |= {"largest": decision.largest_difference(plan.scenario)}
    if trial.question != "real":
        return {"rows": found}
    tried = {"default": ours} | {named(each): clone(ours).set_params(**each).fit_split(split) for each in SETTINGS}
    best = max(tried, key=lambda name: tried[name].score(split.validation))
    found += [
        row | {"question": "settings", "setting": best}
        for row in _judge(trial, settle(decision, split, tried[best], rules, plan.scenario))
        if row["kind"] == "difference"
    ]
    return {"rows": found, **kept}


def named(settings: dict[str, Any]) -> str:
    """What the table calls settings: ``max_depth 3``."""
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _judge(trial: Trial, stage: Stage) -> list[dict[str, Any]]:
    """The verdict, that against the best rule alone, and the words for safety: no other figures of a comparison."""
    test, margin = stage.test(), stage.decision.smallest_gain(stage.split.card)
    ours, rule = (stage.replay(policy, test) for policy in (stage.ours, stage.best_rule))
    net = ours["net"].to_numpy()
    verdict = judge_model(stage, test.users, margin, lambda rule: net - stage.replay(rule, test)["net"].to_numpy())
    safety, at_rule, _ = look_at_the_slowest(stage, test, ours, rule, rule)
    about = {"question": trial.question, "decision": stage.decision.name, "dataset": trial.dataset}
    about |= {"setting": trial.setting, "seed": trial.seed, "margin": margin}
    alone = verdict.over_best
    seen = {"value": alone.difference.estimate, "n": alone.differing.of} | _span(alone.difference)
    headline = {"policy": "model minus best rule", "kind": "difference", "word": verdict.settled.word} | seen
    rows = [headline, {"policy": "best rule alone", "kind": "alone", "word": alone.word}]
    points = zip(POINTS, (safety.word, at_rule.word), strict=True)
    rows += [{"kind": "harm", "policy": point, "word": word} for point, word in points]
    return [about | row for row in rows]


def _age(trial: Trial, aged: Retraining, decision: str) -> list[dict[str, Any]]:
    """A row a policy and age, in days; the value is what age costs in net."""
    about = {"question": trial.question, "decision": decision, "dataset": trial.dataset, "seed": trial.seed}
    named = {"age_days": "setting", "net": "value", "net_low": "low", "net_high": "high", "users": "n"}
    lost = aged.table[aged.table["policy"] != LEAD].drop(columns="views").rename(columns=named)
    rows = lost.assign(margin=aged.margin, word=aged.finding)
    return [about | row for row in rows.to_dict("records")]


def _load(trial: Trial) -> pd.DataFrame:
    if trial.world is None:
        return wb.load(trial.dataset, rows=trial.rows, seed=trial.seed)
    text = (card_folder() / f"{trial.dataset}.toml").read_text(encoding="utf-8")
    if text.count("seed = 0") != 1:
        raise ValueError(f"{trial.dataset}.toml does not say seed = 0 once, so its seed cannot be replaced")
    with tempfile.TemporaryDirectory() as folder:
        card = Path(folder) / f"{trial.dataset}.toml"
        card.write_text(text.replace("seed = 0", f"seed = {trial.world}"), encoding="utf-8")
        return wb.load(card, rows=trial.rows)


def _span(interval: Any) -> dict[str, float]:
    return {} if interval is None else {"low": interval.low, "high": interval.high}


def check(trial: Trial, kept: dict[str, Any]) -> list[dict[str, Any]]:
    """Coverage, power and swaps on the users of one trial's test part, whose gains are known."""
    about = {"decision": kept["rows"][-1]["decision"], "dataset": trial.dataset, "seed": trial.seed}
    margin, largest = kept["rows"][-1]["margin"], kept["largest"]
    gains, views = np.array(kept["gains"]), np.array(kept["views"])
    gain, rng, found = gains[0], np.random.default_rng(trial.seed), []
    truth = gain.sum() / views.sum()
    power = "power" if gains.sum(axis=1).min() / views.sum() >= margin else "false alarms"
    for users in (n for n in USERS if n <= 2 * len(gain)):
        judged, draws = [], DRAWS if users > 1000 else MANY_DRAWS
        for _ in range(draws):
            drawn, seed = rng.integers(0, len(gain), users), int(rng.integers(2**31))
            against = (judge(*_as_rows(each[drawn], views[drawn]), margin, largest, seed) for each in gains)
            judged.append(judge_rivals(against))
        let_through = [
            each.over_best.difference.low <= truth <= each.over_best.difference.high
            for each in judged
            if each.over_best.differing.users >= FEWEST_DIFFERING
        ]
        about_users = about | {"setting": users}
        if len(let_through) >= FEWEST_JUDGED:
            found.append(about_users | {"question": "coverage"} | _share(sum(let_through), len(let_through)))
        better = sum(each.settled.word == BETTER for each in judged)
        found.append(about_users | {"question": power} | _share(better, draws))
    if np.count_nonzero(gain) < FEWEST_DIFFERING:
        return found
    sides = rng.choice([-1.0, 1.0], (SWAPS, len(gain)))
    rows_of = [_as_rows(gain * side, views) for side in sides]
    intervals = [
        each
        for start in range(0, SWAPS, COLUMNS)
        for each in cluster_intervals(
            np.column_stack([rows for rows, _ in rows_of[start : start + COLUMNS]]), rows_of[0][1], seed=start
        )
    ]
    excludes = sum(each.low > 0 or each.high < 0 for each in intervals)
    return [*found, about | {"question": "swaps", "setting": ""} | _share(excludes, SWAPS)]


def _as_rows(gain: np.ndarray, views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One row a view, each with its user's mean: sums and numbers of views of every user stay what they are."""
    return np.repeat(gain / views, views), np.repeat(np.arange(len(gain)), views)


def _share(hits: int, of: int) -> dict[str, float]:
    """A share with its 95 % interval (Wilson 1927)."""
    span = binomtest(hits, of).proportion_ci(method="wilson")
    return {"value": hits / of, "low": span.low, "high": span.high, "n": of}


def hash_of_code() -> str:
    """What figures depend on: code, cards and libraries; not reports, plots and widgets."""
    digest = hashlib.sha256(f"{sys.version} {xgboost.__version__}".encode() + Path(__file__).read_bytes())
    for library in LIBRARIES:
        digest.update(metadata.version(library).encode())
    files = [path for name in CODE for path in sorted((ROOT / "workbench" / name).rglob("*.py"))]
    for path in (*files, *sorted((ROOT / "datasets").glob("*.toml"))):
        if path.name != "report.py":
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def kept_or_run(trial: Trial, folder: Path) -> dict[str, Any]:
    """What a trial found: read from its file, else worked out and kept there, whole or not at all."""
    path = folder / f"{hashlib.sha256(repr(asdict(trial)).encode()).hexdigest()[:16]}.json"
    if not path.exists():
        started = time.perf_counter()
        found = run_trial(trial) | {"trial": asdict(trial)}
        if "gains" in found and trial.seed == min(SEEDS):
            found["checks"] = check(trial, found)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(found | {"seconds": time.perf_counter() - started}), encoding="utf-8")
        part.rename(path)
    return json.loads(path.read_text(encoding="utf-8"))


def run_all(asked: list[Trial], folder: Path, workers: int) -> pd.DataFrame:
    """Every trial, side by side, one thread each; the table in the order of the trials."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # before the workers begin
    found: dict[Trial, dict[str, Any]] = {}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(kept_or_run, trial, folder): trial for trial in asked}
        try:
            for done in tqdm(as_completed(running), total=len(asked), unit="trial"):
                found[running[done]] = done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)  # what was kept is kept; the next run goes on there
            raise
    return as_table([found[trial] for trial in asked])


def as_table(found: list[dict[str, Any]]) -> pd.DataFrame:
    """What trials found, as one table: a row a policy, a difference or a share; null worlds are counted by word."""
    rows = [row for each in found for row in (*each["rows"], *each.get("checks", ()))]
    worlds = [row for row in rows if row["question"] == "null worlds"]
    return pd.DataFrame([*(row for row in rows if row["question"] != "null worlds"), *_null_shares(worlds)])


def _null_shares(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Of worlds with nothing planted, how many were called what: one row a dataset, size and word."""
    if not rows:
        return
    questions = {"difference": "null worlds", "alone": "null worlds, best rule alone", "harm": "harm"}
    by = ["kind", "decision", "dataset", "setting", "policy"]
    for (kind, decision, dataset, setting, policy), worlds in pd.DataFrame(rows).groupby(by):
        about = {"question": questions[kind], "decision": decision, "dataset": dataset, "setting": setting}
        about |= {"policy": policy}
        for word, count in worlds["word"].value_counts().items():
            yield about | {"word": word} | _share(int(count), len(worlds))


def in_words(table: pd.DataFrame) -> dict[str, list[str]]:
    """Words and range of model minus best rule, as README shows them: seeds 0 to 4, unseen ones, settings picked."""
    studies = table[table["kind"].eq("difference")]
    real, fair = (studies[studies["question"] == question] for question in ("real", "settings"))
    said = {}
    for name, own in real.groupby("dataset", sort=False):
        unseen = own["seed"].isin(UNSEEN)
        parts = own[~unseen], own[unseen], fair[fair["dataset"].eq(name) & ~fair["seed"].isin(UNSEEN)]
        said[str(name)] = [_in_words(part) for part in parts]
    return said


def _in_words(studies: pd.DataFrame) -> str:
    if studies.empty:
        return ""
    unit = find_decision(name=studies["decision"].iloc[0]).unit
    counts = studies["word"].value_counts()
    words = ", ".join(str(word) if len(counts) == 1 else f"{word} ({count})" for word, count in counts.items())
    return f"{words}: {unit.signed(studies['value'].min())} to {unit.signed(studies['value'].max())}"


def main(arguments: list[str] | None = None) -> int:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--unseen", action="store_true", help="add the seeds that nobody has looked at before")
    parser.add_argument("--worlds", type=int, default=WORLDS, help="null worlds of each kind and size")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    seeds = (*SEEDS, *UNSEEN) if given.unseen else SEEDS
    table = run_all(list(trials(seeds, given.worlds)), KEPT / hash_of_code(), given.workers)
    table["commit"] = code_commit()
    table.round(6).to_csv(TABLE, index=False)
    worlds = f"{FIRST_WORLD} to {FIRST_WORLD + given.worlds - 1}"
    for name, cells in in_words(table).items():
        print(f"{name}: {' | '.join(cells)}")
    print(f"{len(table):,} rows in {TABLE.name}; seeds {', '.join(map(str, seeds))}, null worlds {worlds}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
