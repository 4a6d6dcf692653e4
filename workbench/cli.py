"""The command line: it calls studies, datasets and export, and computes nothing itself."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click

from workbench.errors import WorkbenchError, check_one_of, check_seed
from workbench.progress import stopped_at
from workbench.writing import as_path, write_file

AT_ONCE = 2  # notebooks, which share the cores
WORDS = {bool: "true or false", int: "a whole number", float: "a number"}


class Refusal(click.ClickException):
    """A sentence on stderr, and exit code 2."""

    exit_code = 2


class Stopped(click.ClickException):
    """A sentence on stderr, and the exit code of Ctrl-C."""

    exit_code = 128 + signal.SIGINT


class Commands(click.Group):
    """A group that says a WorkbenchError in one sentence and exits with 2, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except WorkbenchError as err:
            raise Refusal(str(err)) from err
        except KeyboardInterrupt as err:
            where = stopped_at()
            raise Stopped(f"stopped{f' at {where}' if where else ''}; nothing was left half written.") from err
        except OSError as err:
            if isinstance(err, BrokenPipeError) or not err.strerror:
                raise
            raise Refusal(f"{err.filename or 'the output'}: {err.strerror}.") from err


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="performance-workbench", prog_name="workbench")
def main() -> None:
    """Is the model better than the rules, by how much, for whom, why, and is it worth it?

    \b
    workbench datasets                                     what there is
    workbench card rum.csv                                 a first card for your own data, to be corrected
    workbench check rum.toml                               what is understood of it
    workbench compare mobile_bandwidth                     the answer, as text: which images to send
    workbench compare eshop2008                            the same for fetching pages ahead of the click
    workbench render image_delivery                        the answer, as a proposal to share
    workbench export mobile_bandwidth --out policy         the policy, as a folder that a site runs
    workbench experiment test.toml                         the A/B test of it, read back
    """  # noqa: D301 - \b is click's mark for lines to keep


@main.command()
def datasets() -> None:
    """List the datasets, their licences and origins."""
    from workbench.datasets.cards import list_cards

    for card in list_cards():
        origin = "generated" if card.generator else "mirror only" if card.mirror_only else "downloads"
        simulated = " SIMULATED" if card.simulated else ""
        click.echo(f"{card.name}: {card.title}.\n    {card.kind}, {origin}, licence {card.licence}{simulated}")


@main.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def fetch(names: tuple[str, ...]) -> None:
    """Download and verify the files of datasets.

    NAME is a dataset's name, or the path of a card.
    """
    from workbench.datasets.cards import find_card
    from workbench.datasets.download import fetch_file

    cards = [find_card(name) for name in names]
    for card in cards:
        if card.generator:
            click.echo(f"{card.name}: generated, nothing to fetch.")
        for file in card.files:
            click.echo(f"{card.name}: {fetch_file(card, file, progress=sys.stderr.isatty())}")


@main.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def card(file: Path) -> None:
    """Write a first card for a file, to be corrected.

    FILE is a table (CSV, JSON, Parquet) or an access log. Columns, units and times are guessed from names and values;
    the card lands beside the file, under its name with the ending .toml, and says what is left to fill in.
    """
    from workbench.datasets.first_card import FILL_IN, card_name, first_card

    target = file.with_name(f"{card_name(file)}.toml")
    if target.exists():
        raise WorkbenchError(f"{_short(target)} is there already; correct it, or give it another name first.")
    text = first_card(file)
    write_file(target, text)
    if FILL_IN in text:
        click.echo(f"{FILL_IN}.")
    click.echo(f"{_short(target)}: correct it, then run: workbench check {_short(target)}")


@main.command()
@click.argument("card", metavar="CARD")
def check(card: str) -> None:
    """Load a dataset and print what was understood.

    CARD is the path of a card or access log, or a dataset's name. Printed are rows, users, sessions, columns with their
    units, times, medians, lost and missing values, what was assumed, what was left out and why, warnings with what to
    write, and the first three rows.
    """
    from workbench.datasets import load
    from workbench.datasets.account import understood

    click.echo(understood(load(card)))


@main.command()
@click.argument("dataset", metavar="DATASET")
@click.option("--decision", metavar="NAME", help="Decision to compare for.  [default: that of the dataset's table]")
@click.option("--rows", type=int, help="About how many rows to take, whole users drawn by seed.  [default: all]")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@click.option("-p", "pairs", nargs=2, multiple=True, metavar="KEY VALUE", help="Set an assumption of the scenario.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--all", "every_column", is_flag=True, help="Print every column of the table of policies.")
@click.option("--quick", is_flag=True, help="Leave out the sensitivity rows, some twenty further studies.")
def compare(
    dataset: str,
    *,
    decision: str | None,
    rows: int | None,
    seed: int,
    pairs: tuple[tuple[str, str], ...],
    as_json: bool,
    every_column: bool,
    quick: bool,
) -> None:
    """Compare the model with the rules on a dataset.

    DATASET is a dataset's name, or the path of a card. Assumptions are set by name, as in -p budget_ms 1500 or
    -p break_even 0.3.
    """
    from workbench.datasets import find_card
    from workbench.decisions import find_decision
    from workbench.studies import study
    from workbench.studies.report import to_text

    check_seed(seed)
    found = find_decision(card=find_card(dataset), name=decision)
    scenario = _scenario(found.scenario_type, dict(pairs))
    result = study(dataset, rows=rows, seed=seed, scenario=scenario, sensitivity=not quick)
    click.echo(json.dumps(result.to_dict(), indent=1) if as_json else to_text(result, every_column=every_column))


@main.command()
@click.argument("dataset", metavar="DATASET")
@click.option("--out", "folder", required=True, metavar="FOLDER", help="Folder to write, new or an earlier export.")
@click.option(
    "--policy",
    metavar="NAME",
    default="recommended",
    show_default=True,
    help="What to export: recommended, model, best_rule, today, or a name in the table of policies.",
)
@click.option("--full", is_flag=True, help="Keep all trees of a model, even where fewer do as well.")
@click.option("--rows", type=int, help="About how many rows to take, whole users drawn by seed.  [default: all]")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@click.option("-p", "pairs", nargs=2, multiple=True, metavar="KEY VALUE", help="Set an assumption of the scenario.")
def export(
    dataset: str,
    *,
    folder: str,
    policy: str,
    full: bool,
    rows: int | None,
    seed: int,
    pairs: tuple[tuple[str, str], ...],
) -> None:
    """Compare, and write a policy as a folder that a site runs.

    DATASET is a dataset's name, or the path of a card. The folder holds policy.json, policy.js, vectors.json,
    estimates.json, README.md and manifest.json; it appears whole or not at all.
    """
    from workbench.datasets import find_card
    from workbench.decisions import find_decision
    from workbench.export.policy.bundle import export_policy
    from workbench.export.policy.loaded import EXPORT, load_policy
    from workbench.studies import study

    EXPORT.refuse_other(as_path(folder))  # said before a study has run
    scenario = _scenario(find_decision(card=find_card(dataset)).scenario_type, dict(pairs))
    result = study(dataset, rows=rows, seed=seed, scenario=scenario)
    click.echo(f"Exported: {export_policy(result, folder, policy, full=full)}")
    changed = load_policy(folder).content["against_compared"]
    if changed["decided_otherwise"]:
        share = f"{100 * changed['decided_otherwise']:.1f} % of the views of test"
        net = f"{result.unit.signed(changed['net'])} {result.unit.per_view}"
        click.echo(f"It decides otherwise than the compared policy in {share}, net {net}: its README says why.")


@main.command()
@click.argument("log", metavar="CARD")
@click.option("--policy", metavar="FILE", help="What had been estimated: a file of compare --json, or an export.")
@click.option("--ran", nargs=2, multiple=True, metavar="ARM POLICY", help="Name in it of the policy that an arm ran.")
@click.option("--by", default="arm", show_default=True, metavar="COLUMN", help="Column of arms.")
@click.option("--control", default="control", show_default=True, metavar="ARM", help="Arm to compare with.")
@click.option(
    "--planned", nargs=2, multiple=True, metavar="ARM SHARE", help="Planned share of users.  [default: equal]"
)
@click.option("--start", metavar="TIME", help="Views before it are history, which sharpens the intervals.")
@click.option("--before", metavar="CARD", help="Further views from before the test.")
@click.option("-p", "pairs", nargs=2, multiple=True, metavar="KEY VALUE", help="Set an assumption of the scenario.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def experiment(
    log: str,
    *,
    ran: tuple[tuple[str, str], ...],
    planned: tuple[tuple[str, str], ...],
    pairs: tuple[tuple[str, str], ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Read the log of an A/B test back.

    Was it drawn as planned, what did each arm change, did the offline estimate hold? CARD is the path of a card of the
    log: one row a view, with user_id, arm, and rendition_served or prefetched.
    """
    from workbench.datasets import find_card
    from workbench.decisions import find_decision
    from workbench.studies.experiment import experiment as read_back

    scenario = _scenario(find_decision(card=find_card(log)).scenario_type, dict(pairs))
    shares = {arm: _as_number(f"planned {arm}", share, float) for arm, share in planned} or None
    result = read_back(log, ran=dict(ran), planned=shares, scenario=scenario, **options)
    click.echo(json.dumps(result.to_dict(), indent=1) if as_json else str(result))


def _scenario(kind: type, given: dict[str, str]) -> Any:
    """The scenario with what was given as text; all else keeps its default."""
    hints = {name: get_args(hint) or (hint,) for name, hint in get_type_hints(kind).items()}
    known = {name: types[0] for name, types in hints.items() if types[0] in WORDS}
    values = {}
    for name, text in given.items():
        check_one_of("an assumption", name, known)
        values[name] = _as_number(name, text, known[name])
    return kind(**values)


def _as_number(name: str, text: str, kind: type) -> Any:
    try:
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError) as err:
        raise WorkbenchError(f"{name} must be {WORDS[kind]}; got {text!r}.") from err


@main.command()
@click.argument("notebook", required=False)
@click.option("--all", "everything", is_flag=True, help="Render every notebook, on its default data.")
@click.option("--dataset", metavar="NAME_OR_CARD", help="Data to run it on.  [default: the notebook's own]")
@click.option("-p", "pairs", nargs=2, multiple=True, metavar="KEY VALUE", help="Set a parameter of the notebook.")
def render(notebook: str | None, everything: bool, dataset: str | None, pairs: tuple[tuple[str, str], ...]) -> None:
    """Run a notebook and write it as one HTML file.

    NOTEBOOK is a name, with or without its number; the file lands in notebooks/rendered/.
    """
    from workbench.datasets.cards import CHECKOUT, find_card
    from workbench.export.notebooks import declared_parameters, find_notebook, parse_parameters
    from workbench.studies.comparison import code_commit

    folder = CHECKOUT / "notebooks"
    if everything == bool(notebook):
        raise WorkbenchError("name one notebook, or take --all for every one of them.")
    if everything and (dataset or pairs):
        raise WorkbenchError("--all renders each notebook on its default data; name one notebook to set parameters.")
    # By code cells, the most first: a long one that began last would keep one core busy while the others rest.
    cells = {path: path.read_text("utf-8").count('"cell_type": "code"') for path in sorted(folder.glob("*.ipynb"))}
    chosen = sorted(cells, key=lambda path: -cells[path]) if everything else [find_notebook(str(notebook), folder)]
    if dataset:
        find_card(dataset)  # a wrong name is said at once, before a kernel starts
        pairs = (("dataset", dataset), *pairs)
    work = partial(_render, folder=folder, output=folder / "rendered", commit=code_commit())
    jobs = {path: parse_parameters(pairs, declared_parameters(path)) for path in chosen}
    at_once = min(AT_ONCE, len(jobs))
    # More threads than cores do the same work more slowly.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // at_once)))
    with ProcessPoolExecutor(at_once, initializer=_end_when_told) as pool:
        started = []
        try:
            for line, (path, parameters) in enumerate(jobs.items()):
                click.echo(f"{path.name} ...", err=True)
                started.append(pool.submit(work, path, parameters, line=line))
            wait(started)
        except KeyboardInterrupt as err:
            for child in multiprocessing.active_children():
                child.terminate()
            done = sum(each.done() for each in started)
            raise Stopped(
                f"stopped after {done} of {len(jobs)} notebooks; the pages of the others are as before."
            ) from err
    failed = []
    for rendering in started:
        try:
            click.echo(f"Rendered: {_short(rendering.result())}")
        except WorkbenchError as err:
            failed.append(str(err))
    if failed:
        raise Refusal("\n".join(failed))
    if everything:
        command = _short(Path(sys.prefix) / "bin" / "workbench")
        click.echo(f"The same on real data: {command} render image_delivery --dataset mobile_bandwidth")


def _end_when_told() -> None:
    """Let a process that renders end its kernel and remove what it began when its parent says so, by SIGTERM.

    Ctrl-C in a terminal reaches it too; what to do then is the parent's choice.
    """

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ending already
        raise SystemExit(Stopped.exit_code)

    with suppress(ValueError):  # in a thread
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, end)


def _render(path: Path, parameters: dict[str, object], **options: Any) -> Path:
    """Render in a process of its own, and end that where it is told to: else it would begin the next notebook."""
    from workbench.export.notebooks import render_notebook

    try:
        return render_notebook(path, parameters, **options)
    except SystemExit:
        os._exit(Stopped.exit_code)


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
