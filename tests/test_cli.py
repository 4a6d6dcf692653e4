"""The command line: what it prints, and one sentence with exit code 2 where something is wrong."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

import workbench.studies
from workbench.cli import main
from workbench.decisions.prefetch.decision import Prefetch
from workbench.errors import WorkbenchError
from workbench.progress import bar

COMPARE = {
    "images": ("compare", "synthetic_null", "--rows", 6000, "--quick"),
    "prefetch": ("compare", "synthetic_navigations", "--rows", 3000, "--quick"),
}
FIRST_LINE = {
    "images": "IMAGE DELIVERY - synthetic_null - SIMULATED",
    "prefetch": "PREFETCH - synthetic_navigations - ",
}
HIDDEN = {"images": "load p95", "prefetch": "byte precision %"}


@pytest.fixture(autouse=True, scope="module")
def studied_once():
    """Each study is walked once, however often it is printed."""
    walk, results = workbench.studies.study, {}

    def study(dataset, **options):
        key = (dataset, *options.items())
        if key not in results:
            results[key] = walk(dataset, **options)
        return results[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbench.studies.study", study)
        yield


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def told(*arguments):
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refusal(*arguments):
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == "" and "Traceback" not in done.output
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Error: ")
    return line


def test_compare_prints_one_json_object():
    image, pages = (told(*COMPARE[name]) for name in ("images", "prefetch"))
    assert (image["decision"], image["dataset"], image["simulated"]) == ("images", "synthetic_null", True)
    assert (pages["decision"], pages["dataset"], pages["simulated"]) == ("prefetch", "synthetic_navigations", True)
    assert sum(image["rows"].values()) == 6000 and 2000 < sum(pages["rows"].values()) <= 4000


def test_options_reach_the_study():
    plain = told(*COMPARE["images"])
    dear = told(*COMPARE["images"], "--seed", 3, "-p", "budget_ms", 1500, "-p", "cancelling_wait_ms", 100)
    assert (plain["split"]["seed"], dear["split"]["seed"]) == (0, 3)
    assert "in 1.5 s; a delay of 100 ms" in " ".join(dear["assumptions"])
    assert dear["policies"] != plain["policies"]
    pages = told(*COMPARE["prefetch"], "-p", "break_even", 0.4, "-p", "k", 1, "-p", "cache", "FALSE")
    assert pages["model_vs_best_rule"]["break_even"] == 0.4
    said = " ".join(pages["assumptions"])
    assert "one hit is worth 1.5 unused prefetches (a break-even of 0.4)" in said
    assert "Up to 1 page is fetched a view" in said


@pytest.mark.parametrize("decision", COMPARE)
def test_compare_prints_the_first_screen_and_all_prints_more(decision):
    few, every = run(*COMPARE[decision]).stdout, run(*COMPARE[decision], "--all").stdout
    assert few.startswith(FIRST_LINE[decision]) and HIDDEN[decision] not in few
    assert HIDDEN[decision] in every and max(map(len, few.splitlines()[:12])) < 200


def test_changed_assumptions_are_shown_unless_quick_is_asked_for(monkeypatch):
    monkeypatch.setattr(Prefetch, "changes", lambda self, views, plan: iter(()))
    quick, full = (run(*given).stdout for given in (COMPARE["prefetch"], COMPARE["prefetch"][:-1]))
    assert "checks could be run" not in quick and "None of 0 checks could be run" in full


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("mobile_bandwith", r"unknown dataset 'mobile_bandwith'.*Did you mean 'mobile_bandwidth'\?"),
        ("synthetic_null --rows 0", "rows must be a whole number from 1; got 0"),
        ("synthetic_null --seed -1", "seed must be a whole number from 0"),
        ("synthetic_null -p budget_ms -1", "budget_ms must be a number above 0; got -1.0"),
        ("synthetic_null -p budget_ms fast", "budget_ms must be a number; got 'fast'"),
        ("synthetic_null -p budget 9", "must be one of budget_ms, cancelling_wait_ms.*Did you mean 'budget_ms'"),
        ("synthetic_null --decision image", "must be one of images, prefetch.*Did you mean 'images'"),
        (
            "synthetic_null --decision prefetch",
            "synthetic_null holds measurements of the network; prefetch needs page views",
        ),
        ("synthetic_navigations --decision images", "holds page views; images needs measurements of the net"),
        ("synthetic_navigations -p k 0", "k must be a whole number from 1"),
        ("synthetic_navigations -p cache maybe", "cache must be true or false; got 'maybe'"),
        ("synthetic_navigations -p break_even nan", "break_even must be a chance between 0 and 1, both excluded"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(arguments, words):
    given = arguments.split()
    rows = [] if "--rows" in given else ["--rows", 500]
    assert re.search(words, refusal("compare", *given, *rows))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("imag_delivery",), "image_delivery"),
        ((), "name one notebook, or take --all"),
        (("--all", "--dataset", "synthetic_null"), "--all renders each notebook on its default data"),
        (("image_delivery", "-p", "budget_m", "3"), "budget_m"),
    ],
)
def test_render_names_what_there_is(arguments, words):
    assert words in refusal("render", *arguments)


@pytest.mark.parametrize("fails", [False, True])
def test_render_says_what_was_written_and_what_failed(monkeypatch, fails):
    def rendered(path, parameters, *, folder, output, commit, line):
        if fails and "prefetch" in path.stem:
            raise WorkbenchError("02_prefetch failed in cell [3]")
        return output / f"{path.stem} of {parameters.get('dataset')}.html"

    monkeypatch.setattr("workbench.cli.ProcessPoolExecutor", ThreadPoolExecutor)
    monkeypatch.setattr("workbench.export.notebooks.render_notebook", rendered)
    done = run("render", "--all")
    assert done.stdout.count("Rendered: notebooks/rendered/") == len(list(Path("notebooks").glob("*.ipynb"))) - fails
    assert (done.exit_code, "Error: 02_prefetch failed" in done.stderr) == ((2, True) if fails else (0, False))
    assert ("render image_delivery --dataset mobile_bandwidth" in done.stdout) == (not fails)
    one = run("render", "image_delivery", "--dataset", "synthetic_null")
    assert one.stdout == "Rendered: notebooks/rendered/01_image_delivery of synthetic_null.html\n"


def test_what_the_system_refuses_is_one_sentence(monkeypatch):
    def refused():
        raise PermissionError(13, "Permission denied", "cards")

    monkeypatch.setattr("workbench.datasets.cards.list_cards", refused)
    assert refusal("datasets") == "Error: cards: Permission denied."


def test_ctrl_c_says_where_it_stopped(monkeypatch):
    def stopped(*_, **__):
        with bar("train the model"):
            raise KeyboardInterrupt

    monkeypatch.setattr("workbench.studies.study", stopped)
    done = run("compare", "synthetic_null", "--quick")
    assert (done.exit_code, done.stdout) == (130, "")
    assert done.stderr == "Error: stopped at train the model; nothing was left half written.\n"


def test_a_card_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "rum.csv").write_text("rtt_ms\n40\n")
    monkeypatch.setattr("os.fsync", full)
    assert "rum.toml: No space left on device; nothing was changed there" in refusal("card", tmp_path / "rum.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["rum.csv"]


def test_datasets_lists_every_card():
    said = run("datasets").stdout
    for card in Path("datasets").glob("*.toml"):
        assert f"{card.stem}: " in said
    assert "SIMULATED" in said


def test_fetch_says_where_files_are(mirror):
    said = run("fetch", "mobile_bandwidth", "synthetic_null").stdout
    assert said.count(f"mobile_bandwidth: {mirror}") == 5
    assert "synthetic_null: generated, nothing to fetch." in said
    assert "unknown dataset 'nope'" in refusal("fetch", "nope")


def test_help_reads_without_cut_sentences():
    said = run("--help").stdout
    assert "\\b" not in said and "\n  workbench datasets      " in said
    assert said.count("...") == 1  # of the usage line; none cuts a sentence short
    assert all(command in said for command in ("datasets", "fetch", "compare", "render"))


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "workbench", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("workbench, version ")


def test_check_tells_what_was_understood_and_shows_no_user(tmp_path):
    rows = ["user,rtt,at", "ann@example.org,40,2026-01-03T10:00:07Z", ",50,2026-01-03T10:05:00Z"]
    (tmp_path / "rum.csv").write_text("\n".join([*rows, "bob,60,2026-01-04T10:05:00Z"]))
    columns = '{ user = "user_id", rtt = "rtt_ms", at = "measured_at" }'
    (tmp_path / "rum.toml").write_text(f'columns = {columns}\nfiles = [{{ name = "rum.csv" }}]')
    said = run("check", str(tmp_path / "rum.toml")).stdout
    for told in (
        "2 rows, 2 users",
        "From 2026-01-03 10:00:07 to 2026-01-04",
        "time 50 ms",
        "3 rows read, 1 was left out",
    ):
        assert told in said
    assert "ann" not in said and "60.0" in said


def test_card_writes_beside_the_file_and_never_over_another(tmp_path):
    (tmp_path / "rum.csv").write_text("user,rtt\nann,40\nbob,50\n")
    assert "workbench check" in run("card", tmp_path / "rum.csv").stdout
    assert "2 rows, 2 users" in run("check", tmp_path / "rum.toml").stdout
    assert "rum.toml is there already" in refusal("card", tmp_path / "rum.csv")


@pytest.mark.parametrize(
    ("name", "made"), [("my rum export.csv", "my_rum_export.toml"), ("2026 (1).csv", "2026_1.toml")]
)
def test_a_card_has_a_name_that_can_be_loaded(tmp_path, name, made):
    (tmp_path / name).write_text("user,rtt\nann,40\nbob,50\n")
    assert f"workbench card {tmp_path / name}" in refusal("check", tmp_path / name)
    assert run("card", tmp_path / name).exit_code == 0
    assert "2 rows" in run("check", tmp_path / made).stdout
