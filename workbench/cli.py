"""The command line: it calls studies, datasets and export, and computes nothing itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable

REAL_EXAMPLE = "workbench render image_delivery --dataset mobile_bandwidth"


class Refusal(click.ClickException):
    """A sentence on stderr, and exit code 2."""

    exit_code = 2


class Commands(click.Group):
    """A group that says a WorkbenchError in one sentence and exits with 2, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except WorkbenchError as err:
            raise Refusal(str(err)) from err


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="performance-workbench", prog_name="workbench")
def main() -> None:
    """Is the model better than the rules, by how much, for whom, why, and is it worth it?

    \b
    workbench datasets                                     what there is
    workbench compare image --dataset mobile_bandwidth     the answer, as text
    workbench compare prefetch --dataset eshop2008         the same for fetching pages ahead of the click
    workbench render image_delivery                        the answer, as a proposal to share
    """  # noqa: D301 - \b is click's mark for lines to keep


@main.command()
def datasets() -> None:
    """List the datasets, their licences and origins."""
    from workbench.datasets import list_cards

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
    from workbench.datasets import fetch_file, find_card

    cards = [find_card(name) for name in names]
    for card in cards:
        if card.generator:
            click.echo(f"{card.name}: generated, nothing to fetch.")
        for file in card.files:
            click.echo(f"{card.name}: {fetch_file(card, file, progress=sys.stderr.isatty())}")


@main.group(cls=Commands)
def compare() -> None:
    """Compare the model with the rules."""


def _comparison(command: Callable[..., None]) -> Callable[..., None]:
    """The options that both comparisons take."""
    options = (
        click.option(
            "--dataset", required=True, metavar="NAME_OR_CARD", help="A dataset's name, or the path of a card."
        ),
        click.option(
            "--rows", type=int, help="About how many rows to take, whole users drawn by seed.  [default: all]"
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="Of the draw, the split and the model."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option("--all", "every_column", is_flag=True, help="Print every column of the table of policies."),
        click.option("--quick", is_flag=True, help="Leave out the sensitivity rows, some twenty further studies."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@compare.command("image")
@_comparison
@click.option("--budget-ms", type=float, help="Time in which the images should be there.  [default: 1000]")
@click.option("--cancelling-wait-ms", type=float, help="Wait that cancels the largest image's gain.  [default: 400]")
def compare_image(*, as_json: bool, every_column: bool, **asked: Any) -> None:
    """Which rendition of the images to send, by predicted network quality."""
    from workbench.decisions.images.scenario import ImageScenario
    from workbench.studies import study_images

    scenario = _scenario(ImageScenario, asked, "budget_ms", "cancelling_wait_ms")
    _study(study_images, scenario, asked, as_json=as_json, every_column=every_column)


@compare.command("prefetch")
@_comparison
@click.option("--break-even", type=float, help="Chance from which fetching a page pays.  [default: 0.15]")
@click.option("--k", type=int, help="Pages that one view may fetch.  [default: 3]")
def compare_prefetch(*, as_json: bool, every_column: bool, **asked: Any) -> None:
    """Which next pages to fetch ahead of the click, by predicted navigation."""
    from workbench.decisions.prefetch.scenario import PrefetchScenario
    from workbench.studies import study_prefetch

    scenario = _scenario(PrefetchScenario, asked, "break_even", "k")
    _study(study_prefetch, scenario, asked, as_json=as_json, every_column=every_column)


def _scenario(kind: Callable[..., Any], asked: dict[str, Any], *names: str) -> Any:
    """The scenario asked for; what was not given keeps its default."""
    return kind(**{name: asked[name] for name in names if asked[name] is not None})


def _study(
    study: Callable[..., Any], scenario: Any, asked: dict[str, Any], *, as_json: bool, every_column: bool
) -> None:
    """Run a study and print what it found."""
    from workbench.studies.report import to_text

    if asked["seed"] < 0:
        raise WorkbenchError(f"seed must be a whole number from 0; got {asked['seed']}.")
    with _progress() as tell:
        result = study(
            asked["dataset"],
            rows=asked["rows"],
            seed=asked["seed"],
            scenario=scenario,
            sensitivity=not asked["quick"],
            progress=tell,
        )
    click.echo(json.dumps(result.to_dict(), indent=1) if as_json else to_text(result, every_column=every_column))


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
    from workbench.export import declared_parameters, find_notebook, parse_parameters, render_notebook
    from workbench.studies.provenance import code_commit

    folder = CHECKOUT / "notebooks"
    if everything == bool(notebook):
        raise WorkbenchError("name one notebook, or take --all for every one of them.")
    if everything and (dataset or pairs):
        raise WorkbenchError("--all renders each notebook on its default data; name one notebook to set parameters.")
    chosen = sorted(folder.glob("*.ipynb")) if everything else [find_notebook(str(notebook), folder)]
    if dataset:
        find_card(dataset)  # a wrong name is said at once, before a kernel starts
        pairs = (("dataset", dataset), *pairs)
    pages = []
    for path in chosen:
        parameters = parse_parameters(pairs, declared_parameters(path))
        click.echo(f"{path.name} ...", err=True)
        pages.append(render_notebook(path, parameters, folder=folder, output=folder / "rendered", commit=code_commit()))
    click.echo("\n".join(f"Rendered: {_short(page)}" for page in pages))
    if everything:
        click.echo(f"The same on real data: {_short(Path(sys.prefix) / 'bin')}/{REAL_EXAMPLE}")


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@contextmanager
def _progress() -> Iterator[Callable[[str], None] | None]:
    """The step at work and the time since the start, on a terminal's stderr; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(bar_format="{n} steps, {elapsed}: {desc}", leave=False) as bar:

        def tell(step: str) -> None:
            bar.update()
            bar.set_description_str(step)

        yield tell
