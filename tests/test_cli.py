"""The command line: what it prints, and one sentence with exit code 2 where something is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from workbench.cli import main


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
    done = workbench("compare", "image", "--dataset", "synthetic_measurements", "--rows", 4000, "--json", "--quick")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["dataset"] == "synthetic_measurements"
    assert told["simulated"] is True
    assert sum(told["rows"].values()) == 4000


def test_options_reach_the_study():
    plain, dear = (
        json.loads(
            workbench(
                *("compare", "image", "--dataset", "synthetic_null", "--rows", 4000, "--seed", 3, "--json", "--quick"),
                *more,
            ).stdout
        )
        for more in ([], ["--budget-ms", 1500, "--cancelling-wait-ms", 100])
    )
    assert plain["split"]["seed"] == 3
    assert "1.5 s; 100 ms of waiting" in " ".join(dear["assumptions"])
    assert dear["policies"] != plain["policies"]


def test_compare_prints_the_first_screen_and_all_prints_more():
    few = workbench("compare", "image", "--dataset", "synthetic_null", "--rows", 4000, "--quick")
    every = workbench("compare", "image", "--dataset", "synthetic_null", "--rows", 4000, "--all", "--quick")
    assert few.stdout.startswith("IMAGE DELIVERY - synthetic_null - SIMULATED")
    assert "load p95" not in few.stdout
    assert "load p95" in every.stdout


def test_real_rows_are_whole_users(mirror):
    done = workbench("compare", "image", "--dataset", "mobile_bandwidth", "--rows", 3000, "--json", "--quick")
    rows = json.loads(done.stdout)["rows"]
    assert 2900 < sum(rows.values()) - rows["dropped"] <= 3000


def test_unknown_dataset():
    said = refusal("compare", "image", "--dataset", "mobile_bandwith")
    assert "unknown dataset 'mobile_bandwith'" in said
    assert "Did you mean 'mobile_bandwidth'?" in said


@pytest.mark.parametrize("rows", [0, -5])
def test_too_few_rows(rows):
    assert "rows must be a whole number from 1" in refusal(
        "compare", "image", "--dataset", "synthetic_null", "--rows", rows
    )


def test_negative_budget_and_seed():
    base = ["compare", "image", "--dataset", "synthetic_null"]
    assert "budget_ms must be a number above 0; got -1.0" in refusal(*base, "--budget-ms", -1)
    assert "budget_ms must be a number above 0; got nan" in refusal(*base, "--budget-ms", "nan")
    assert "seed must be a whole number from 0" in refusal(*base, "--seed", -1)


PREFETCH = ("compare", "prefetch", "--dataset", "synthetic_navigations", "--rows", 3000, "--quick")


def test_compare_prefetch_prints_one_json_object():
    done = workbench(*PREFETCH, "--seed", 2, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["decision"], told["dataset"], told["simulated"]) == ("prefetch", "synthetic_navigations", True)
    assert told["split"]["seed"] == 2
    assert 2000 < sum(told["rows"].values()) <= 4000
    image = json.loads(
        workbench("compare", "image", "--dataset", "synthetic_null", "--rows", 4000, "--json", "--quick").stdout
    )
    assert set(image) - set(told) <= {"signal_free_share", "lost_probes", "headroom_by_budget"}
    assert set(told) - set(image) == {"session_end_share", "hits_per_100_at_unused"}
    assert {"quality_at_rules_wait"} == set(image["model_vs_best_rule"]) - set(told["model_vs_best_rule"])


def test_options_of_prefetch_reach_the_study():
    told = json.loads(workbench(*PREFETCH, "--break-even", 0.4, "--k", 1, "--json").stdout)
    assert told["model_vs_best_rule"]["break_even"] == 0.4
    said = " ".join(told["assumptions"])
    assert "one hit is worth 1.5 unused prefetches (a break-even of 0.4)" in said
    assert "Up to 1 page is fetched a view" in said


def test_compare_prefetch_prints_the_first_screen_and_all_prints_more():
    few, every = workbench(*PREFETCH), workbench(*PREFETCH, "--all")
    assert few.stdout.startswith("PREFETCH - synthetic_navigations - SIMULATED views, ")
    assert "byte precision %" not in few.stdout
    assert "byte precision %" in every.stdout
    assert max(map(len, few.stdout.splitlines()[:12])) < 200


def test_changed_assumptions_are_told_unless_quick_is_asked_for(monkeypatch):
    from workbench.studies import prefetch_sensitivity

    monkeypatch.setattr(prefetch_sensitivity, "changes", lambda views, plan: iter(()))
    said = [workbench(*arguments).stdout for arguments in (PREFETCH, [a for a in PREFETCH if a != "--quick"])]
    assert ["under all 0 changed assumptions" in text for text in said] == [False, True]


@pytest.mark.parametrize("value", [0, 1, 1.5, -0.2, "nan"])
def test_a_break_even_is_a_chance(value):
    assert "break_even must be a chance between 0 and 1, both excluded" in refusal(*PREFETCH, "--break-even", value)


@pytest.mark.parametrize("k", [0, -3])
def test_k_is_a_number_of_pages(k):
    assert "k must be a whole number from 1" in refusal(*PREFETCH, "--k", k)


def test_each_decision_refuses_the_others_data(mirror):
    said = refusal("compare", "prefetch", "--dataset", "mobile_bandwidth", "--rows", 2000)
    assert "prefetching is decided on page views (kind navigations); this data holds none" in said
    assert "images cannot be decided on this data" in refusal(
        "compare", "image", "--dataset", "synthetic_navigations", "--rows", 500
    )


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
    said = refusal("compare", "image", "--dataset", card('[[files]]\nname = "../speeds.csv"'))
    assert "without folders or '..'; got '../speeds.csv'" in said


def test_a_missing_column(card):
    path = card('[columns]\nspeed_mbps = "downlink_mbps"\n[[files]]\nname = "speeds.csv"')
    said = refusal("compare", "image", "--dataset", path)
    assert "expected a column 'speed_mbps' (for downlink_mbps); got isp, speed" in said


def test_too_few_users(card):
    path = card('[columns]\nspeed = "downlink_mbps"\n[assume]\nrtt_ms = [50, 50, 50]\n[[files]]\nname = "speeds.csv"')
    assert "needs at least 20 users; got 1" in refusal("compare", "image", "--dataset", path)


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
