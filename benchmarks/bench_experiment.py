"""Do intervals of an A/B test hold the truth, and do estimates of another policy from a log?

Visitors are those of the simulated worlds, whose networks and clicks are known: what every user would have got in
either arm is worked out once, so that the true effect is known; users are then drawn with replacement, and arms drawn
for them. Images arrive with noise of the user and of the view (``lcp_ms``). Bounds: 93 to 97 % of the intervals hold
the truth, at most 5 % of A/A tests find a difference, a lost tenth of an arm is called a mismatch; all within two
standard errors of a share. ``--draws N`` sets how many tests are drawn.
"""

import argparse
import json
import sys
import time

import numpy as np
import pandas as pd

import workbench as wb
from workbench.decisions import find_decision
from workbench.errors import WorkbenchError
from workbench.evidence.experiment import MISMATCH, measure_effect, sample_ratio
from workbench.evidence.off_policy import expected_rewards, off_policy_value
from workbench.studies import experiment

USERS = 2_000  # in a test
SEED = 7
NAMES = np.array(["small", "medium", "large"])
HELD = (0.93, 0.97)


def by_system(context: pd.DataFrame) -> pd.Series:
    """The arm under test: large images for iPhones."""
    return context["os_family"].isin(["iOS"]).map({True: "large", False: "medium"})


def image_log(rows: int, seed: int = SEED) -> pd.DataFrame:
    """Views of the simulated world, without what was sent."""
    return wb.load("synthetic_measurements", rows=rows, seed=seed)


def as_sent(views: pd.DataFrame, served: np.ndarray, seed: int = SEED) -> pd.DataFrame:
    """A log in which the images named were sent, and arrived with noise of the user and of the view."""
    rng = np.random.default_rng(seed)
    scenario, (_, who) = wb.ImageScenario(), np.unique(views["user_id"], return_inverse=True)
    sent = scenario.view_bytes[pd.Index(NAMES).get_indexer(served)]
    load = 4 * views["rtt_ms"] + 8 * sent / (1000 * views["downlink_mbps"])
    noise = rng.normal(0, 0.25, who.max() + 1)[who] + rng.normal(0, 0.35, len(views))
    return wb.measurements(views.assign(rendition_served=served, lcp_ms=load * np.exp(noise)), like=views)


def page_log(rows: int) -> tuple[pd.DataFrame, list[str]]:
    """Views of the simulated site's later part, and what a Markov chain of the earlier part fetches in each."""
    split = wb.split_by_user(wb.load("synthetic_navigations", rows=rows, seed=SEED))
    views = pd.concat([split.calibration, split.validation, split.test]).sort_values("view_id")
    chain = next(rule for rule in wb.rules(split) if "first-order" in rule.name)
    found = chain(views.drop(columns="user_id"), wb.PrefetchScenario())
    lists = found.sort_values(["view_id", "rank"]).groupby("view_id")["page"].agg(lambda pages: json.dumps([*pages]))
    return views, views["view_id"].map(lists).fillna("[]").tolist()


def sums(log: pd.DataFrame) -> pd.DataFrame:
    """What a log adds up to by user: every outcome, and in how many views it is known."""
    decision, card = find_decision(None, log.attrs["card"]), log.attrs["card"]
    test, outcomes, _ = experiment._measured(decision, log, card, decision.scenario(card), needs=("user_id",))
    return experiment._add_up(outcomes, test.frame["user_id"])


def both_arms(control: pd.DataFrame, treatment: pd.DataFrame, before: pd.DataFrame | None = None) -> dict:
    """Sums by user under either arm, and before the test, in one order."""
    theirs = sums(control)
    arms = {"control": theirs, "treatment": sums(treatment).loc[theirs.index]}
    return arms | ({} if before is None else {"before": sums(before).reindex(theirs.index).fillna(0.0)})


def image_world(rows: int) -> dict:
    """A tenth of the month is history; then medium images for all, or large ones for iPhones."""
    views = image_log(rows)
    started = views["measured_at"] > views["measured_at"].quantile(0.4)
    medium = as_sent(views, np.full(len(views), "medium"))
    treated = as_sent(views, by_system(views).to_numpy(object))
    return both_arms(medium[started], treated[started], medium[~started])


def page_world(rows: int) -> dict:
    """Nothing fetched, or what a Markov chain names."""
    views, lists = page_log(rows)
    return both_arms(*(wb.navigations(views.assign(prefetched=each), like=views) for each in ("[]", lists)))


def draw_tests(world: dict, column: str, draws: int, *, same: bool = False, history: bool = False) -> pd.DataFrame:
    """Each test's ``estimate, low, high``, beside the ``truth``; ``same`` gives both arms the policy under test."""
    rng = np.random.default_rng(SEED)
    arms = [world["treatment" if same else "control"], world["treatment"]]
    counted = [column, column + experiment.COUNT]
    values = [each[counted].to_numpy().T for each in arms]
    before = world["before"][counted].to_numpy().T if history else None
    mean = [totals.sum() / views.sum() for totals, views in values]
    found = []
    for _ in range(draws):
        drawn, treated = rng.integers(0, values[0].shape[1], USERS), rng.random(USERS) < 0.5
        totals, views = np.where(treated, values[1][:, drawn], values[0][:, drawn])
        earlier = None if before is None else tuple(before[:, drawn])
        one = measure_effect(totals, views, treated, earlier).difference
        found.append([one.estimate, one.low, one.high, mean[1] - mean[0]])
    return pd.DataFrame(found, columns=["estimate", "low", "high", "truth"])


def holds(tests: pd.DataFrame) -> float:
    """Share of the intervals that hold the truth."""
    return float((tests["low"].le(tests["truth"]) & tests["truth"].le(tests["high"])).mean())


def near(share: float, low: float, high: float, draws: int) -> bool:
    """Whether a share lies between bounds, but for two standard errors: its own, or those of the bound."""
    bound = np.clip(share, low, high)
    noise = 2 * np.sqrt(max(share * (1 - share), bound * (1 - bound)) / draws)
    return low - noise <= share <= high + noise


def call_mismatches(draws: int, lost: float) -> float:
    """Share of tests that are called a mismatch where so many users of one arm are lost."""
    rng = np.random.default_rng(SEED)
    treated = rng.binomial(10_000, 0.5, draws)
    kept = rng.binomial(treated, 1 - lost)
    return float(
        np.mean([sample_ratio([a, 10_000 - b], [1, 1]) < MISMATCH for a, b in zip(kept, treated, strict=True)])
    )


def draw_logs(rows: int, draws: int, *, users: int = 1_000, learn: int = 0) -> pd.DataFrame:
    """Logs of randomly drawn sizes, and estimates of :func:`by_system` from each, beside its true net.

    The running policy draws all three sizes, small ones rather for mobiles. Expected rewards, which the doubly robust
    estimate needs, are learnt on each of the first ``learn`` logs.
    """
    rng = np.random.default_rng(SEED)
    views = image_log(rows)
    card = views.attrs["card"]
    decision, scenario = find_decision(None, card), wb.ImageScenario()
    logs = [as_sent(views, np.full(len(views), name)) for name in NAMES]
    every = [decision.every_view(log, card, "user_id", card.known_by, scenario) for log in logs]
    net = np.column_stack([decision.measured(each, scenario)["net"] for each in every])
    context, whose = every[0].context.reset_index(drop=True), every[0].users
    mobile = context["os_family"].isin(["iOS", "Android"]).to_numpy()
    chances = np.where(mobile[:, None], [0.6, 0.25, 0.15], [0.15, 0.25, 0.6])
    wanted = pd.Index(NAMES).get_indexer(by_system(context))
    truth = net[np.arange(len(net)), wanted].mean()
    found, refused = [], 0
    for draw in range(draws):
        drawn = rng.permutation(whose.max() + 1)[:users]  # each user once: nobody is on both sides of the learning
        rows_of = np.flatnonzero(np.isin(whose, drawn))
        people = whose[rows_of]
        option = (chances[rows_of].cumsum(axis=1) < rng.random((len(rows_of), 1))).sum(axis=1)
        reward, chance = net[rows_of, option], chances[rows_of, option]
        expected = expected_rewards(context.iloc[rows_of], reward, option, 3, people) if draw < learn else None
        try:
            value = off_policy_value(reward, option, wanted[rows_of], chance, people, expected)
        except WorkbenchError:  # weights that are far from 1 by chance
            refused += 1
            continue
        for name in ("ips", "snips", "doubly_robust"):
            if one := getattr(value, name):
                found.append([name, draw, one.estimate, one.low, one.high, truth])
    table = pd.DataFrame(found, columns=["name", "draw", "estimate", "low", "high", "truth"])
    table.attrs["refused"] = refused / draws
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4_000)
    parser.add_argument("--rows", type=int, default=200_000)
    draws, rows = (getattr(parser.parse_args(), name) for name in ("draws", "rows"))
    started, sound = time.perf_counter(), []

    def say(what: str, share: float, low: float, high: float, n: int, more: str = "") -> None:  # noqa: PLR0917
        sound.append(near(share, low, high, n))
        print(f"{what}: {100 * share:.1f} % of {n:,} (bound {100 * low:g} to {100 * high:g} %){more}", flush=True)

    for name, world in (("images", image_world(rows)), ("prefetch", page_world(rows))):
        print(f"{name}: {len(world['control']):,} users in the world, {USERS:,} a test, seed {SEED}")
        for column in ("net", "late", "added_wait_ms", "bytes") if name == "images" else ("net", "hits", "unused"):
            tests = draw_tests(world, column, draws)
            truth = f"; truth {tests['truth'][0]:+.3g}, mean estimate {tests['estimate'].mean():+.3g}"
            say(f"  {column}: intervals that hold the truth", holds(tests), *HELD, draws, truth)
        aa = draw_tests(world, "net", draws, same=True)
        say("  A/A: different", float((aa["low"].gt(0) | aa["high"].lt(0)).mean()), 0, 0.05, draws)
        if "before" in world:
            plain, cuped = (draw_tests(world, "net", draws, history=each) for each in (False, True))
            width = ((cuped["high"] - cuped["low"]) / (plain["high"] - plain["low"])).mean()
            say("  net with CUPED: hold the truth", holds(cuped), *HELD, draws, f"; {width:.2f} times as wide")
            aa = draw_tests(world, "net", draws, same=True, history=True)
            say("  A/A with CUPED: different", float((aa["low"].gt(0) | aa["high"].lt(0)).mean()), 0, 0.05, draws)
    say("mismatches called, none lost, 10,000 users", call_mismatches(draws, 0.0), 0, MISMATCH, draws)
    say("mismatches called, a tenth of one arm lost", call_mismatches(draws, 0.1), 0.9, 1, draws)
    logs = draw_logs(rows, draws // 2, learn=draws // 25)
    say("off-policy: refused, though all is as it should be", logs.attrs["refused"], 0, MISMATCH, draws // 2)
    weighted = logs[logs["name"] == "ips"].set_index("draw")["estimate"]
    for name, each in logs.groupby("name"):
        # On few logs: against IPS on the same ones, or the luck of the draw would hide a bias.
        rival = weighted.reindex(each["draw"]).to_numpy() if name == "doubly_robust" else each["truth"]
        apart, half = each["estimate"] - rival, (each["high"] - each["low"]).mean() / 2
        bias, error = apart.mean(), apart.std() / np.sqrt(len(each))
        more = (
            f"; truth {each['truth'].iloc[0]:.1f}, bias {bias:+.2f} ({error:.2f} standard error), half-width {half:.1f}"
        )
        say(f"off-policy {name}: hold the truth", holds(each), *HELD, len(each), more)
        sound.append(abs(bias) < 3 * error)
    print(f"{time.perf_counter() - started:.0f} s; {'all within bounds' if all(sound) else 'OUT OF BOUNDS'}")
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
