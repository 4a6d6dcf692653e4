import errno
import gzip
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from workbench.datasets.cards import CHECKOUT, Card, SourceFile
from workbench.datasets.download import cache_folder, fetch_file
from workbench.errors import WorkbenchError

GOOD = b"rtt_ms\n40\n900\n"
SHA = hashlib.sha256(GOOD).hexdigest()


@dataclass
class Upstream:
    """A server on the loopback: what it answers under a path, and what it was asked."""

    address: str
    answers: dict[str, tuple[int, bytes, int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def holds(self, path: str, body: bytes = GOOD, *, status: int = 200, promised: int | None = None) -> str:
        self.answers[path] = status, body, len(body) if promised is None else promised
        return self.address + path


@pytest.fixture
def upstream(monkeypatch) -> Iterator[Upstream]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.asked.append(self.path)
            status, body, promised = known.answers.get(self.path, (404, b"no", 2))
            self.send_response(status)
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known = Upstream(f"http://127.0.0.1:{server.server_port}")
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield known
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def cards(tmp_path: Path, monkeypatch) -> Path:
    folder = tmp_path / "cards"
    folder.mkdir()
    monkeypatch.setenv("WORKBENCH_DATASETS", str(folder))
    monkeypatch.delenv("WORKBENCH_MIRROR", raising=False)
    return folder


def card_of(file: SourceFile, folder: Path) -> Card:
    return Card(name="ours", files=(file,), folder=folder)


def in_cache() -> list[Path]:
    return [path for path in cache_folder().rglob("*") if path.is_file()]


def refusal(file: SourceFile, cards: Path) -> str:
    with pytest.raises(WorkbenchError) as caught:
        fetch_file(card_of(file, cards), file, progress=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("sha256", [SHA, ""])
def test_a_good_file_is_fetched_once_into_the_cache(upstream, cards, sha256):
    file = SourceFile("a.csv", upstream.holds("/a.csv"), sha256)
    first = fetch_file(card_of(file, cards), file, progress=False)
    assert first == cards / "cache" / "ours" / "a.csv" and first.read_bytes() == GOOD
    assert in_cache() == [first] and fetch_file(card_of(file, cards), file, progress=False) == first
    assert upstream.asked == ["/a.csv"]


BAD_ANSWERS = {
    "another content": ({"body": b"something else"}, SHA, "gave another file than the card describes: its sha256"),
    "not found": ({"status": 404}, SHA, "the server answered 404. Try again, or set WORKBENCH_MIRROR"),
    "an error": ({"status": 500}, "", "the server answered 500. Try again"),
    "half a file": ({"body": GOOD[:5], "promised": len(GOOD)}, SHA, "the server cannot be reached, or broke off. Try"),
    "half a file, no sha256": ({"body": GOOD[:5], "promised": len(GOOD)}, "", "cannot be reached, or broke off. Try"),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_a_bad_answer_is_told_and_not_kept_and_the_next_try_can_succeed(upstream, cards, answer):
    given, sha256, expected = BAD_ANSWERS[answer]
    file = SourceFile("a.csv", upstream.holds("/a.csv", **given), sha256)
    said = refusal(file, cards)
    assert expected in said and file.url in said and in_cache() == []
    upstream.holds("/a.csv")
    assert fetch_file(card_of(file, cards), file, progress=False).read_bytes() == GOOD


KINDS = {
    "nothing": ("a.csv", b"", "an empty file"),
    "blanks": ("a.csv", b" \n\n", "an empty file"),
    "a login page": ("a.csv", b"\n<!DOCTYPE html><title>Log in</title>", "a web page, perhaps a login,"),
    "a login page, named a log": ("access.log", b"<HTML><body>x</body>", "a web page, perhaps a login,"),
    "an error in XML": ("a.jsonl", b"<?xml version='1.0'?><Error>AccessDenied</Error>", "a web page"),
    "a packed page": ("a.csv.gz", gzip.compress(b"<html>", mtime=0), "a web page"),
    "a page for a packed file": ("a.csv.gz", b"<html>", "was not kept: a.csv.gz cannot be unpacked"),
    "a page for a zip file": ("a.zip", b"<html>", "was not kept: a.zip is not a zip file"),
    "words for JSON": ("a.json", b"not found", "another format"),
    "JSON for Parquet": ("a.parquet", b"{}", "another format"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_sha256_what_came_is_checked_for_its_format(upstream, cards, kind):
    name, body, said = KINDS[kind]
    file = SourceFile(name, upstream.holds(f"/{name}", body))
    assert said in refusal(file, cards) and file.url in refusal(file, cards) and in_cache() == []


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.csv", "a,b\n<1,2\n".encode("utf-16")),
        ("a.json.gz", gzip.compress(b" [1]", mtime=0)),
        ("a.log", b"<34>1 2026-01-01"),
    ],
)
def test_without_a_sha256_what_may_be_its_format_is_kept(upstream, cards, name, body):
    file = SourceFile(name, upstream.holds(f"/{name}", body))
    assert fetch_file(card_of(file, cards), file, progress=False).read_bytes() == body


def fails_with(number: int):
    def fails(*args: object, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    return fails


class FullAfterFourBytes(io.FileIO):
    def write(self, data: bytes) -> None:
        super().write(data[:4])
        fails_with(errno.ENOSPC)()


class InterruptedAfterFourBytes(io.FileIO):
    def write(self, data: bytes) -> None:
        super().write(data[:4])
        raise KeyboardInterrupt


def copy_that_breaks_off(source: str, target: str, **kwargs: object) -> None:
    Path(target).write_bytes(Path(source).read_bytes()[:4])
    fails_with(errno.ENOSPC)()


# What the system refuses, step by step; permission bits alone do not bind everybody (not root).
FAULTS = {
    "a folder on a read-only disk": {"pathlib.Path.mkdir": fails_with(errno.EROFS)},
    "a file in a folder that is not ours": {"tempfile.NamedTemporaryFile": fails_with(errno.EACCES)},
    "the fifth byte": {"pooch.downloaders.open": FullAfterFourBytes},
    "Ctrl-C": {"pooch.downloaders.open": InterruptedAfterFourBytes},
    "the move": {"os.rename": fails_with(errno.EACCES), "shutil.copyfile": copy_that_breaks_off},
}
IN_WORDS = [os.strerror(number) for number in (errno.EROFS, errno.EACCES, errno.ENOSPC)]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_read_only_or_full_cache_is_told_in_a_sentence_and_the_next_try_succeeds(upstream, cards, monkeypatch, fault):
    file = SourceFile("a.csv", upstream.holds("/a.csv"), "" if fault == "the move" else SHA)
    if not fault.startswith("a folder"):
        (cards / "cache" / "ours").mkdir(parents=True)
    with monkeypatch.context() as broken:
        for name, refused in FAULTS[fault].items():
            broken.setattr(name, refused, raising=False)
        if fault == "Ctrl-C":
            with pytest.raises(KeyboardInterrupt):
                fetch_file(card_of(file, cards), file, progress=False)
        else:
            assert_says_how_to_go_on(refusal(file, cards), cards)
    assert in_cache() == [] and fetch_file(card_of(file, cards), file, progress=False).read_bytes() == GOOD


def assert_says_how_to_go_on(said: str, cards: Path) -> None:
    begin, end = f"could not write {cards / 'cache' / 'ours' / 'a.csv'}: ", "; nothing was kept. Make room there or "
    assert said.startswith(begin) and said.removeprefix(begin).split(end)[0] in IN_WORDS
    assert said.endswith("make the folder writable and try again, or put a.csv beside the card.")


@pytest.mark.parametrize("step", ["pooch.file_hash", "pathlib.Path.is_file"])
def test_a_local_file_that_cannot_be_read_is_named(upstream, cards, monkeypatch, step):
    (cards / "a.csv").write_bytes(GOOD)
    file = SourceFile("a.csv", upstream.holds("/a.csv"), SHA)
    with monkeypatch.context() as broken:
        broken.setattr(step, fails_with(errno.EACCES))
        said = refusal(file, cards)
    assert said == f"could not read {cards / 'a.csv'}: Permission denied. Make it readable and try again."
    assert fetch_file(card_of(file, cards), file, progress=False) == cards / "a.csv" and upstream.asked == []


def test_beside_the_card_comes_before_cache_mirror_and_upstream(upstream, cards, tmp_path, monkeypatch):
    file = SourceFile("a.csv", upstream.holds("/a.csv", b"upstream"))
    places = {
        "beside": cards / "a.csv",
        "cache": cards / "cache" / "ours" / "a.csv",
        "mirror": tmp_path / "mirror" / "ours" / "a.csv",
    }
    for name, path in places.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    monkeypatch.setenv("WORKBENCH_MIRROR", str(tmp_path / "mirror"))
    for name, path in places.items():
        found = fetch_file(card_of(file, cards), file, progress=False)
        assert (found, found.read_text()) == (path, name)
        path.unlink()
    assert upstream.asked == []
    assert fetch_file(card_of(file, cards), file, progress=False).read_text() == "upstream"
    monkeypatch.setenv("WORKBENCH_DATASETS", str(cards / "gone"))  # without cards: the user's own cache
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "performance-workbench" in str(cache_folder())


def test_a_relative_mirror_counts_from_the_checkout_wherever_one_stands(cards, tmp_path, monkeypatch):
    (tmp_path / "mirror" / "ours").mkdir(parents=True)
    (tmp_path / "mirror" / "ours" / "a.csv").write_bytes(GOOD)
    relative = os.path.relpath(tmp_path / "mirror", CHECKOUT)
    monkeypatch.setenv("WORKBENCH_MIRROR", relative)
    monkeypatch.chdir(cards)
    file = SourceFile("a.csv", "", SHA)
    assert fetch_file(card_of(file, cards), file, progress=False) == tmp_path / "mirror" / "ours" / "a.csv"


def test_a_mirror_at_an_address_is_asked_before_upstream_which_serves_what_it_lacks(upstream, cards, monkeypatch):
    monkeypatch.setenv("WORKBENCH_MIRROR", f"{upstream.address}/mirror/")
    upstream.holds("/mirror/ours/a.csv", b"mirror")
    files = [SourceFile(name, upstream.holds(f"/{name}", b"upstream")) for name in ("a.csv", "b.csv")]
    found = [fetch_file(card_of(file, cards), file, progress=False).read_text() for file in files]
    assert found == ["mirror", "upstream"]
    assert upstream.asked == ["/mirror/ours/a.csv", "/mirror/ours/b.csv", "/b.csv"]
    upstream.holds("/mirror/ours/c.csv", status=503)  # fails otherwise: told, and not passed over
    file = SourceFile("c.csv", upstream.holds("/c.csv"))
    assert f"from {upstream.address}/mirror/ours/c.csv: the server answered 503" in refusal(file, cards)


def test_a_file_without_an_address_says_where_to_put_it(cards, upstream, monkeypatch):
    file = SourceFile("a.csv")
    expected = (
        "ours: a.csv has no public address. Put it beside the card, or set WORKBENCH_MIRROR to a folder that holds "
        "ours/a.csv."
    )
    assert refusal(file, cards) == expected
    monkeypatch.setenv("WORKBENCH_MIRROR", str(cards))  # a folder without it
    assert refusal(file, cards) == expected


@pytest.mark.parametrize("place", [("a.csv",), ("cache", "ours", "a.csv")])
def test_a_local_file_with_another_content_is_named_and_left_alone(upstream, cards, place):
    path = cards.joinpath(*place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("edited")
    file = SourceFile("a.csv", upstream.holds("/a.csv"), SHA)
    assert refusal(file, cards) == (
        f"{path} is not the file that the card describes: its sha256 differs (expected {SHA[:12]}...). "
        "Delete it, or correct the card."
    )
    assert path.read_text() == "edited"


def test_the_progress_bar_is_drawn_on_stderr_and_can_be_switched_off(upstream, cards, capfd):
    drawn = {}
    for name, progress in {"a.csv": True, "b.csv": False}.items():
        file = SourceFile(name, upstream.holds(f"/{name}"), SHA)
        fetch_file(card_of(file, cards), file, progress=progress)
        drawn[name] = capfd.readouterr()
    assert "100%" in drawn["a.csv"].err and drawn["b.csv"].err == ""
    assert drawn["a.csv"].out == drawn["b.csv"].out == ""
