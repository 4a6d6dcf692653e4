"""Every promise in README.md is kept: its Python runs, its commands exist, its links lead somewhere.

Blocks marked `python` run in the order of the page, in one session, on the embedded data. One that cannot
says why in a comment on the line before it: `<!-- not run: needs your own log -->`. Blocks marked `console`
hold commands; where some lines begin with `$`, the others are output.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import matplotlib.pyplot as plt
import pytest

import workbench as wb
from workbench.cli import main
from workbench.datasets.schema import label

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"

LANGUAGES = {"python", "console", "text", "toml", "json", "html", "js"}
# What a reader may be told to type that is not ours to check.
NOT_OURS = {"cd", "conda", "git", "open", "xdg-open"}


class Block(NamedTuple):
    """A fenced block: its language, its text, the line its text begins at, and why it is not run (or "")."""

    language: str
    text: str
    line: int
    not_run: str


def blocks(page: str) -> list[Block]:
    fences = re.finditer(
        r"^(?:<!-- not run: (?P<why>[^\n]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
        page,
        flags=re.MULTILINE | re.DOTALL,
    )
    return [Block(f["language"], f["text"], page.count("\n", 0, f.start("text")) + 1, f["why"] or "") for f in fences]


def prose(page: str) -> str:
    """Return the page without its code, where brackets and hashes mean other things."""
    without_blocks = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]+`", "", without_blocks)


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command in a console block, without prompts, remarks, output and variables."""
    lines = text.replace("\\\n", " ").splitlines()
    prompted = [line[1:] for line in lines if line.startswith("$")]
    for line in prompted or lines:
        for single in re.split(r"&&|;|\|", line):
            words = shlex.split(single, comments=True)
            while words and re.fullmatch(r"\w+=.*", words[0]):
                words.pop(0)
            if words:
                yield words


def make_targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))


def command_fault(words: list[str]) -> str:
    """Say what the real command line has against a command, or "": it reads the words and runs nothing."""
    context = click.Context(main)
    try:
        name, command, given = main.resolve_command(context, words)
        command.make_context(name, given, parent=context)
    except click.exceptions.Exit:  # after --help
        return ""
    except click.ClickException as err:
        return err.format_message()
    return ""


def links(page: str) -> list[str]:
    text = prose(page)
    return re.findall(r"\]\(([^)\s]+)", text) + re.findall(r"""(?:src|href)=["']([^"']+)""", text)


def anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ +(.+?) *#*$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_nowhere(link: str, page: str, root: Path) -> bool:
    if re.match(r"[a-z]+:", link):
        return False
    path, _, anchor = link.partition("#")
    if not path:
        return anchor not in anchors(page)
    return not (root / path).exists()


@pytest.fixture(scope="module")
def page() -> str:
    return README.read_text(encoding="utf-8")


def test_every_block_says_what_it_is(page: str):
    found = blocks(page)
    assert {"python", "console"} <= {block.language for block in found} <= LANGUAGES
    assert page.count("\n```") == 2 * len(found), "a fence is indented, unclosed, or has more than one word"
    python = [block for block in found if block.language == "python"]
    assert sum(bool(block.not_run) for block in python) <= len(python) / 2


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_python_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = (ROOT / name).read_text(encoding="utf-8")
    session = [block for block in blocks(text) if block.language == "python" and not block.not_run]
    assert session, f"{name} shows no Python that runs"
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme"}
    for block in session:
        # The empty lines in front give a traceback the line numbers of the page.
        text = re.sub(r"rows=(20|8)_000", "rows=6_000", block.text)
        exec(compile("\n" * (block.line - 1) + text, name, "exec"), names)
    plt.close("all")


def test_the_card_of_contributing_is_a_dataset(tmp_path: Path):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (card,) = (block.text for block in blocks(text) if block.language == "toml")
    (tmp_path / "our_speed_tests.toml").write_text(card)
    views = wb.make_measurements(rows=2000, seed=1)
    named = {"user_id": "who", "rtt_ms": "ms", "downlink_mbps": "mbit", "isp": "provider"}
    views[list(named)].rename(columns=named).to_csv(tmp_path / "our_speed_tests.csv", index=False)
    read = wb.load(tmp_path / "our_speed_tests.toml")
    assert len(read) == 2000 and label("isp", read.attrs["card"]) == "internet provider"


def test_the_commands_exist(page: str):
    targets = make_targets((ROOT / "Makefile").read_text())
    typed = [words for block in blocks(page) if block.language == "console" for words in commands(block.text)]
    assert ["make", "run"] in typed and ["make", "test"] in typed
    for name, *words in typed:
        line = shlex.join([name, *words])
        if name == "make":
            assert {word for word in words if "=" not in word} <= targets, line
        elif Path(name).name == "workbench":
            assert command_fault(words) == "", line
        else:
            assert name in NOT_OURS, f"{line}: say it with make or workbench, or add {name} to NOT_OURS"


def test_the_links_lead_somewhere(page: str):
    assert [link for link in links(page) if leads_nowhere(link, page, ROOT)] == []


def test_what_a_page_holds_is_found(tmp_path: Path):
    page = "# One page: *short*\n\n![a](b.png) [c](LICENSE), `not[a](link)`\n\n```python\n# no heading\n```\n"
    page += "<!-- not run: needs your own log -->\n```python\nx\n```\n"
    expected = [Block("python", "# no heading\n", 6, ""), Block("python", "x\n", 10, "needs your own log")]
    assert (blocks(page), links(page), anchors(page)) == (expected, ["b.png", "LICENSE"], {"one-page-short"})
    (tmp_path / "here.txt").touch()
    lead = {"here.txt", "here.txt#part", "#one-page-short", "https://example.org/x"}
    assert {link for link in lead | {"gone.txt", "#two"} if not leads_nowhere(link, page, tmp_path)} == lead


def test_commands_are_read_without_what_surrounds_them():
    prompted = "$ cd here && make run   # a minute\nrendered: 2\n$ A=b .venv/bin/workbench render \\\n  x -p 'k v'\n"
    expected = [["cd", "here"], ["make", "run"], [".venv/bin/workbench", "render", "x", "-p", "k v"]]
    assert list(commands(prompted)) == expected
    assert list(commands("# remark\nmake test\n")) == [["make", "test"]]
    assert make_targets("X := 1\nrun: .venv/ready ## go\n\tcmd a: b\n.venv/ready: x\n") == {"run"}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("compare x --rows 5 --all -p a b -p c d", ""),
        ("compare --help", ""),
        ("compare x --rows five", "'five' is not a valid integer"),
        ("compare --rows 5", "Missing argument"),
        ("comprae x", "No such command"),
    ],
)
def test_a_command_line_is_held_against_the_real_commands(line: str, fault: str, capsys):
    found = command_fault(shlex.split(line))
    assert fault in found and bool(fault) == bool(found)
