import gzip

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.cards import Card
from workbench.datasets.readers import add_local_hour, read_csv, read_msnbc, read_wikispeedia, to_canonical
from workbench.errors import WorkbenchError


def test_every_cell_is_text_and_only_an_empty_one_is_missing(tmp_path):
    (tmp_path / "a.csv").write_text("asn,country,note\n007,NA,nan\n15169,,null\n", encoding="utf-8-sig")
    frame = read_csv(tmp_path / "a.csv")
    assert frame["asn"].tolist() == ["007", "15169"]
    assert frame["country"].fillna("(missing)").tolist() == ["NA", "(missing)"]
    assert frame["note"].tolist() == ["nan", "null"]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n3,4,5\n", b"\xff\xfe\x00\x01"])
def test_what_is_no_csv_is_refused_by_name_in_one_line(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(WorkbenchError, match=r"^a\.csv is not a CSV file in UTF-8: ") as caught:
        read_csv(tmp_path / "a.csv")
    assert "\n" not in str(caught.value)


def test_missing_markers_are_blanked_before_values_are_mapped():
    source = pd.DataFrame({"isp": ["a", "unknown", "b", None, "c"]})
    before = source.copy(deep=True)
    card = Card(name="ours", missing=("unknown",), values={"isp": {"a": "b", "b": "a"}})  # swapped, not chained
    assert to_canonical(source, card)["isp"].fillna("(missing)").tolist() == ["b", "(missing)", "a", "(missing)", "c"]
    pd.testing.assert_frame_equal(source, before)


@pytest.mark.parametrize(
    ("versions", "major"),
    [
        (["11.0.2", " 9", "130.0.6723.58", "R", None], [11, 9, 130, np.nan, np.nan]),
        ([11, 12.0, "13.1", None], [11, 12, 13, np.nan]),
        (pd.Series([11, 12], dtype=object), [11, 12]),
        ([11.0, np.nan], [11, np.nan]),
        ([None, None], [np.nan, np.nan]),
    ],
)
def test_the_major_version_is_the_leading_number(versions, major):
    got = to_canonical(pd.DataFrame({"os_major": versions, "browser_major": versions}), Card(name="ours"))
    for name in got:
        np.testing.assert_array_equal(got[name].to_numpy(float), np.array(major, float))


def test_constants_hold_for_every_row_and_a_files_own_come_last():
    card = Card(name="ours", constants={"country": "CN", "isp": "x"})
    got = to_canonical(pd.DataFrame({"rtt_ms": [1, 2]}), card, {"isp": "y", "access_technology": "5g"})
    expected = {"country": "CN", "isp": "y", "access_technology": "5g"}
    assert got.to_dict("records") == [{"rtt_ms": 1, **expected}, {"rtt_ms": 2, **expected}]


def test_a_column_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(WorkbenchError) as caught:
        to_canonical(pd.DataFrame({"RTT": [1], "land": ["DE"]}), Card(name="ours", columns={"Land": "country"}))
    assert str(caught.value) == ("ours: expected a column 'Land' (for country); got RTT, land. Did you mean 'land'?")


def test_values_for_a_column_that_nothing_gives_are_refused():
    with pytest.raises(WorkbenchError, match="values are mapped for 'isp', which no column gives; got rtt_ms"):
        to_canonical(pd.DataFrame({"rtt_ms": [1]}), Card(name="ours", values={"isp": {"a": "b"}}))


@pytest.mark.parametrize("name", ["rtt_ms", "os_major"])
def test_two_columns_cannot_become_one(name):
    source = pd.DataFrame({"a": ["1"], name: ["2"]})
    with pytest.raises(WorkbenchError, match=f"each column may come once; '{name}' came more often"):
        to_canonical(source, Card(name="ours", columns={"a": name}, values={name: {"1": "3"}}))


@pytest.mark.parametrize(
    ("utc", "offset_h", "hour"),
    [
        ("12:00", 0, 12),
        ("18:30", 5.5, 0),  # India, midnight sharp
        ("00:10", -5, 19),
        ("18:14", 5.75, 23),  # Nepal
        ("18:15", 5.75, 0),
        ("12:00", 14, 2),
        ("12:00", np.nan, np.nan),
    ],
)
def test_the_local_hour_follows_from_utc_and_offset(utc, offset_h, hour):
    frame = pd.DataFrame({"measured_at": pd.to_datetime([f"2026-03-01T{utc}Z"]), "utc_offset_h": [offset_h]})
    np.testing.assert_array_equal(add_local_hour(frame)["local_hour"], [hour])


def test_a_local_hour_that_was_given_stays_and_none_is_made_up():
    at = pd.to_datetime(["2026-03-01T12:00Z"])
    given = pd.DataFrame({"measured_at": at, "utc_offset_h": [0.0], "local_hour": [7.0]})
    assert add_local_hour(given)["local_hour"].tolist() == [7]
    assert "local_hour" not in add_local_hour(given[["measured_at"]])


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
