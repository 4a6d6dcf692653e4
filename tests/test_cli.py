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
