"""``make evidence`` in small: a few studies, kept by content, in one table."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PLACE = Path(__file__).parent.parent / "benchmarks" / "evidence.py"


@pytest.fixture(scope="module")
def evidence():
    spec = importlib.util.spec_from_file_location("evidence", PLACE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["evidence"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["evidence"]


@pytest.fixture(scope="module")
def table(evidence, tmp_path_factory):
    asked = [
        evidence.Trial("real", "synthetic_navigations", rows=4000),
        evidence.Trial("amount", "synthetic_measurements", rows=6000, share=0.3),
        evidence.Trial("information", "synthetic_navigations", rows=4000, known_by="client_js"),
        *(evidence.Trial("null worlds", "synthetic_navigations_null", world, 3000, world=world) for world in range(2)),
    ]
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "MANY_DRAWS", 20)
        patch.setattr(evidence, "SWAPS", 60)
        patch.setattr(evidence, "SETTINGS", ({"learning_rate": 1e-6}, {"max_depth": 3}))
        found = [evidence.kept_or_run(trial, folder) for trial in asked]
        patch.setattr(evidence, "run_trial", None)  # a second run reads what is kept
        assert [evidence.kept_or_run(trial, folder) for trial in asked] == found
        with pytest.raises(TypeError):
            evidence.kept_or_run(evidence.Trial("real", "synthetic_navigations", seed=1, rows=4000), folder)
    return evidence.as_table(found)


def test_every_policy_of_every_study_is_in_the_table(table):
    real = table[table["question"] == "real"]
    assert {"rule", "model", "reference", "oracle", "difference"} <= set(real["kind"])
    headline = real[real["kind"] == "difference"].iloc[0]
    net = real.set_index("policy")["value"]
    best = real.loc[real["best_rule"].eq(True), "policy"].item()
    assert headline["value"] == pytest.approx(net["model"] - net[best])
    assert headline["low"] < headline["value"] < headline["high"] and headline["word"]


def test_settings_are_picked_by_validation_from_the_grid_and_judged_on_test(table, evidence):
    picked = table[table["question"] == "settings"].squeeze()
    headline = table[(table["question"] == "real") & (table["kind"] == "difference")].squeeze()
    assert picked["setting"] in {"default", "max_depth 3"}  # the other setting learns nothing
    same = picked[["value", "low", "high", "word"]].equals(headline[["value", "low", "high", "word"]])
    assert same == (picked["setting"] == "default")


def test_what_changes_nothing_is_left_out_and_less_data_is_a_study_of_its_own(table):
    assert "information" not in set(table["question"])  # client_js is what the card says anyway
    amount = table[(table["question"] == "amount") & (table["kind"] == "difference")]
    assert amount["setting"].tolist() == ["0.3"]


def test_shares_of_trials_come_with_intervals_and_counts(table):
    null = table[table["question"] == "null worlds"]
    assert null["value"].sum() == pytest.approx(1) and null["n"].eq(2).all()
    harm = table[table["question"] == "harm"].groupby("policy")["value"].sum()
    assert harm.index.tolist() == ["as tuned", "at the rule's operating point"] and harm.tolist() == [1, 1]
    assert "swaps" not in set(table["question"])  # 80 users are too few to tell


def test_coverage_counts_only_draws_that_the_guard_lets_through(evidence):
    """Users of one view each, who all differ: 50 of them are too few for any word, 200 are enough."""
    gain = np.random.default_rng(0).normal(0.5, 1, 400)
    rows = [{"decision": "images", "margin": 0.1}]
    kept = {"rows": rows, "gains": [gain.tolist()], "views": [1] * 400, "largest": 10.0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "MANY_DRAWS", 100)
        patch.setattr(evidence, "SWAPS", 400)
        found = pd.DataFrame(evidence.check(evidence.Trial("real", "mobile_bandwidth"), kept))
    held = found[found["question"] == "coverage"].set_index("setting")["value"]
    power = found[found["question"] == "power"].set_index("setting")["value"]
    assert held.index.min() == 100 and held.loc[200] > 0.85
    assert power.loc[50] == 0 and power.loc[500] > 0.95
    swaps = found[found["question"] == "swaps"].squeeze()
    assert 0.01 < swaps["value"] < 0.1 and swaps["low"] < swaps["value"] < swaps["high"] and swaps["n"] == 400


def test_power_counts_rivals_and_is_a_false_alarm_where_one_of_them_does_as_well(evidence):
    gain = np.random.default_rng(0).normal(0.5, 1, 400)
    kept = {"rows": [{"decision": "images", "margin": 0.1}], "views": [1] * 400, "largest": 10.0}
    kept |= {"gains": [gain.tolist(), (gain - gain.mean()).tolist()]}  # the model is as good as the second
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "MANY_DRAWS", 100)
        patch.setattr(evidence, "SWAPS", 60)
        found = pd.DataFrame(evidence.check(evidence.Trial("real", "mobile_bandwidth"), kept))
    assert "power" not in set(found["question"])
    alarms = found[found["question"] == "false alarms"].set_index("setting")["value"]
    assert alarms.loc[500] < 0.1


def test_null_worlds_are_counted_by_word(evidence):
    about = {"question": "null worlds", "decision": "images", "dataset": "x", "setting": "9", "policy": "p"}
    words = ["better", "better", "equivalent", "better"]
    rows = [about | {"kind": "difference", "word": word} for word in words] + [about | {"kind": "harm", "word": "safe"}]
    counted = evidence.as_table([{"rows": rows}]).set_index(["question", "word"])
    assert counted.loc[("null worlds", "better"), ["value", "n"]].tolist() == [0.75, 4]
    assert counted.loc[("harm", "safe"), ["value", "n"]].tolist() == [1, 1]


def test_readme_shows_every_seed_that_was_run(evidence):
    page = (evidence.ROOT / "README.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| `")]
    shown = {name.strip("`"): cells for name, _, *cells in rows}  # before: of an earlier commit
    assert shown == evidence.in_words(pd.read_csv(evidence.TABLE))
