"""The command line: what it prints, and one sentence with exit code 2 where something is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from workbench.cli import main
from workbench.decisions.prefetch.decision import Prefetch


def workbench(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refusal(*arguments):
    """The one sentence on stderr."""
    done = workbench(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.output
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("Error: ")
    return lines[0]


def test_compare_prints_one_json_object():
    done = workbench("compare", "synthetic_measurements", "--rows", 4000, "--json", "--quick")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["dataset"] == "synthetic_measurements"
    assert told["simulated"] is True
    assert sum(told["rows"].values()) == 4000


def test_options_reach_the_study():
    plain, dear = (
        json.loads(
            workbench(
                *("compare", "synthetic_null", "--rows", 4000, "--seed", 3, "--json", "--quick"),
                *more,
            ).stdout
        )
        for more in ([], ["-p", "budget_ms", 1500, "-p", "cancelling_wait_ms", 100])
    )
    assert plain["split"]["seed"] == 3
    assert "in 1.5 s; a delay of 100 ms" in " ".join(dear["assumptions"])
    assert dear["policies"] != plain["policies"]


def test_compare_prints_the_first_screen_and_all_prints_more():
    few = workbench("compare", "synthetic_null", "--rows", 4000, "--quick")
    every = workbench("compare", "synthetic_null", "--rows", 4000, "--all", "--quick")
    assert few.stdout.startswith("IMAGE DELIVERY - synthetic_null - SIMULATED")
    assert "load p95" not in few.stdout
    assert "load p95" in every.stdout


def test_real_rows_are_whole_users(mirror):
    done = workbench("compare", "mobile_bandwidth", "--rows", 3000, "--json", "--quick")
    rows = json.loads(done.stdout)["rows"]
    assert 2900 < sum(rows.values()) - rows["dropped"] <= 3000


def test_unknown_dataset():
    said = refusal("compare", "mobile_bandwith")
    assert "unknown dataset 'mobile_bandwith'" in said
    assert "Did you mean 'mobile_bandwidth'?" in said


@pytest.mark.parametrize("rows", [0, -5])
def test_too_few_rows(rows):
    assert "rows must be a whole number from 1" in refusal("compare", "synthetic_null", "--rows", rows)


def test_negative_budget_and_seed():
    base = ["compare", "synthetic_null"]
    assert "budget_ms must be a number above 0; got -1.0" in refusal(*base, "-p", "budget_ms", -1)
    assert "budget_ms must be a number above 0; got nan" in refusal(*base, "-p", "budget_ms", "nan")
    assert "seed must be a whole number from 0" in refusal(*base, "--seed", -1)


PREFETCH = ("compare", "synthetic_navigations", "--rows", 3000, "--quick")


def test_compare_prefetch_prints_one_json_object():
    done = workbench(*PREFETCH, "--seed", 2, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["decision"], told["dataset"], told["simulated"]) == ("prefetch", "synthetic_navigations", True)
    assert told["split"]["seed"] == 2
    assert 2000 < sum(told["rows"].values()) <= 4000
    image = json.loads(workbench("compare", "synthetic_null", "--rows", 4000, "--json", "--quick").stdout)
    assert set(image) - set(told) <= {"signal_free_share", "lost_probes", "headroom_by_budget"}
    assert set(told) - set(image) == {"session_end_share", "hits_per_100_at_unused"}
    assert {"quality_at_rules_wait"} == set(image["model_vs_best_rule"]) - set(told["model_vs_best_rule"])


def test_options_of_prefetch_reach_the_study():
    told = json.loads(workbench(*PREFETCH, "-p", "break_even", 0.4, "-p", "k", 1, "--json").stdout)
    assert told["model_vs_best_rule"]["break_even"] == 0.4
    said = " ".join(told["assumptions"])
    assert "one hit is worth 1.5 unused prefetches (a break-even of 0.4)" in said
    assert "Up to 1 page is fetched a view" in said


def test_compare_prefetch_prints_the_first_screen_and_all_prints_more():
    few, every = workbench(*PREFETCH), workbench(*PREFETCH, "--all")
    assert few.stdout.startswith("PREFETCH - synthetic_navigations - SIMULATED data, ")
    assert "byte precision %" not in few.stdout
    assert "byte precision %" in every.stdout
    assert max(map(len, few.stdout.splitlines()[:12])) < 200


def test_changed_assumptions_are_shown_unless_quick_is_asked_for(monkeypatch):
    monkeypatch.setattr(Prefetch, "changes", lambda self, views, plan: iter(()))
    quick, full = (workbench(*given).stdout for given in (PREFETCH, [word for word in PREFETCH if word != "--quick"]))
    assert "in all 0 checks" not in quick
    assert "in all 0 checks" in full


@pytest.mark.parametrize("value", [0, 1, 1.5, -0.2, "nan"])
def test_a_break_even_is_a_chance(value):
    assert "break_even must be a chance between 0 and 1, both excluded" in refusal(*PREFETCH, "-p", "break_even", value)


@pytest.mark.parametrize("k", [0, -3])
def test_k_is_a_number_of_pages(k):
    assert "k must be a whole number from 1" in refusal(*PREFETCH, "-p", "k", k)


def test_each_decision_refuses_the_others_data(mirror):
    said = refusal("compare", "mobile_bandwidth", "--rows", 2000, "--decision", "prefetch")
    assert "mobile_bandwidth holds measurements; prefetch is decided on navigations" in said
    said = refusal("compare", "synthetic_navigations", "--rows", 500, "--decision", "images")
    assert "synthetic_navigations holds navigations; images is decided on measurements" in said


def test_an_unknown_decision_or_assumption_names_those_there_are():
    said = refusal("compare", "synthetic_null", "--decision", "image")
    assert "decision must be one of images, prefetch" in said
    assert "Did you mean 'images'?" in said
    said = refusal("compare", "synthetic_null", "-p", "budget", 900)
    assert "an assumption must be one of budget_ms, cancelling_wait_ms" in said
    assert "Did you mean 'budget_ms'?" in said
    assert "budget_ms must be a number; got 'fast'." in refusal("compare", "synthetic_null", "-p", "budget_ms", "fast")


@pytest.fixture
def card(tmp_path):
    """Write a card and its CSV file, both as given."""

    def write(text, csv="isp,speed\na,1\n"):
        (tmp_path / "speeds.csv").write_text(csv)
        path = tmp_path / "ours.toml"
        path.write_text(text)
        return path

    return write


def test_a_card_whose_file_climbs_out(card):
    said = refusal("compare", card('[[files]]\nname = "../speeds.csv"'))
    assert "without folders or '..'; got '../speeds.csv'" in said


def test_a_missing_column(card):
    path = card('[columns]\nspeed_mbps = "downlink_mbps"\n[[files]]\nname = "speeds.csv"')
    said = refusal("compare", path)
    assert "expected a column 'speed_mbps' (for downlink_mbps); got isp, speed" in said


def test_too_few_users(card):
    path = card('[columns]\nspeed = "downlink_mbps"\n[assume]\nrtt_ms = [50, 50, 50]\n[[files]]\nname = "speeds.csv"')
    assert "needs at least 20 users; got 1" in refusal("compare", path)


def test_render_names_what_there_is():
    assert "image_delivery" in refusal("render", "imag_delivery")
    assert "name one notebook, or take --all" in refusal("render")
    assert "--all renders each notebook on its default data" in refusal(
        "render", "--all", "--dataset", "synthetic_null"
    )
    assert "budget_m" in refusal("render", "image_delivery", "-p", "budget_m", "3")


def test_datasets_lists_every_card():
    said = workbench("datasets").stdout
    for card in Path("datasets").glob("*.toml"):
        assert f"{card.stem}: " in said
    assert "SIMULATED" in said


def test_fetch_says_where_files_are(mirror):
    said = workbench("fetch", "mobile_bandwidth", "synthetic_null").stdout
    assert said.count(f"mobile_bandwidth: {mirror}") == 5
    assert "synthetic_null: generated, nothing to fetch." in said
    assert "unknown dataset 'nope'" in refusal("fetch", "nope")


def test_help_reads_without_cut_sentences():
    said = workbench("--help").stdout
    assert "\\b" not in said
    assert "\n  workbench datasets      " in said
    assert said.count("...") == 1  # of the usage line; none cuts a sentence short
    assert all(command in said for command in ("datasets", "fetch", "compare", "render"))


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "workbench", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("workbench, version ")
