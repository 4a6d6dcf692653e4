import gzip

import pytest

from workbench.datasets.published import read_msnbc, read_wikispeedia
from workbench.errors import WorkbenchError

HEADER = "% Different categories found in input file:\n\nnews tech front\n\n\n% Sequences:\n\n"


def msnbc(tmp_path, text: str):
    path = tmp_path / "a.seq"
    path.write_bytes(text.encode())
    return read_msnbc(path)


def test_a_line_of_section_numbers_is_a_session(tmp_path):
    text = HEADER.replace("front", "front s04 s05 s06 s07 s08 s09 s10")
    views = msnbc(tmp_path, text + "3 1 1 \n2 \n\n1 10\r\n3")
    assert views["session"].tolist() == [0, 0, 0, 1, 2, 2, 3]
    assert views["page"].tolist() == ["front", "news", "news", "tech", "news", "s10", "front"]
    assert views["page"].cat.categories[[0, 1, -1]].tolist() == ["front", "news", "tech"]


def test_sequences_may_be_gzipped(tmp_path):
    path = tmp_path / "a.seq.gz"
    path.write_bytes(gzip.compress((HEADER + "1 2\n").encode()))
    assert len(read_msnbc(path)) == 2
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(WorkbenchError, match=r"a\.seq\.gz cannot be unpacked"):
        read_msnbc(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 2 3\n", "is not msnbc's file of sequences: expected names of sections, then the line '% Sequences:'"),
        ("news news\n% Sequences:\n1 2\n", "is not msnbc's file of sequences"),
        (HEADER, "expected numbers of sections from 1 to 3 after '% Sequences:'; got none"),
        (HEADER + "1 4\n", "expected numbers of sections from 1 to 3 after '% Sequences:'; got others"),
        (HEADER + "1 0\n", "got others"),
    ],
)
def test_another_file_is_refused(tmp_path, text, sentence):
    with pytest.raises(WorkbenchError) as caught:
        msnbc(tmp_path, text)
    assert sentence in str(caught.value)


def pages_of(tmp_path, *paths: str) -> list[str]:
    """Pages of each game, joined by ";"."""
    file = tmp_path / "paths.tsv"
    file.write_text(
        "# a comment at the head\n\n"
        + "".join(f"p{i}\t129705493{i}\t99\t{path}\tGoal\ttimeout\n" for i, path in enumerate(paths))
    )
    views = read_wikispeedia(file)
    assert views["game"].is_monotonic_increasing and (views["player"] == "p" + views["game"].astype(str)).all()
    return [";".join(pages) for _, pages in views.groupby("game")["page"]]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("A;B;C", "A;B;C"),
        ("A;B;<", "A;B;A"),
        ("A;B;<;B;C;<;<;D", "A;B;A;B;C;B;A;D"),
        ("A;B;C;<;D;E;<;<", "A;B;C;B;D;E;D;B"),
        ("A", "A"),
    ],
)
def test_a_back_click_is_a_view_of_the_page_that_it_returns_to(tmp_path, path, shown):
    assert pages_of(tmp_path, path, "X;Y;<", path) == [shown, "X;Y;X", shown]


def test_a_path_cannot_go_back_beyond_its_start(tmp_path):
    with pytest.raises(WorkbenchError, match="cannot go back beyond its first page; line 2 does"):
        pages_of(tmp_path, "A;B", "A;<;B")


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.tsv").write_text("a\tb\n")
    with pytest.raises(WorkbenchError, match=r"expected player, started_s, .*, separated by tabs; got 2 columns"):
        read_wikispeedia(tmp_path / "a.tsv")
    (tmp_path / "a.tsv").write_text("")
    with pytest.raises(WorkbenchError, match=r"a\.tsv is not a file of Wikispeedia paths: No columns to parse"):
        read_wikispeedia(tmp_path / "a.tsv")
