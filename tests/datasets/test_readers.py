import bz2
import gzip
import io
import json
import lzma
import zipfile

import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from workbench.datasets.cards import Card
from workbench.datasets.columns import bad_values, check_columns
from workbench.datasets.readers import as_pandas, read_csv, read_json, read_parquet
from workbench.errors import WorkbenchError

OURS = Card(name="ours")


def test_every_cell_is_text_and_only_an_empty_one_is_missing(tmp_path):
    (tmp_path / "a.csv").write_text("asn,country,note\n007,NA,nan\n15169,,null\n", encoding="utf-8-sig")
    frame = read_csv(tmp_path / "a.csv", OURS)
    assert frame["asn"].tolist() == ["007", "15169"]
    assert frame["country"].fillna("(missing)").tolist() == ["NA", "(missing)"]
    assert frame["note"].tolist() == ["nan", "null"]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n3,4,5\n", b"\xff\x00\x01"])
def test_what_is_no_csv_is_refused_by_name_in_one_line(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(WorkbenchError, match=r"^a\.csv is not a CSV file in UTF-8: ") as caught:
        read_csv(tmp_path / "a.csv", OURS)
    assert "\n" not in str(caught.value)


def table(tmp_path, content: str | bytes, name: str = "a.csv", **entries) -> dict[str, list]:
    """The columns of a file's table, missing cells as None."""
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    reader = read_csv if ".csv" in name or ".tsv" in name else read_json
    frame = reader(tmp_path / name, Card(name="ours", **entries)).astype(object)
    return frame.where(frame.notna(), None).to_dict("list")


def zipped(text: str) -> bytes:
    with zipfile.ZipFile(held := io.BytesIO(), "w") as archive:
        archive.writestr("inner.csv", text)
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "entries"),
    [
        ("user,rtt\nä,40\n", "a.csv", {}),
        ("user,rtt\nä,40\n".encode("utf-8-sig"), "a.csv", {}),
        ("user,rtt\nä,40\n".encode("utf-16"), "a.csv", {}),
        (b"\xfe\xff" + "user,rtt\nä,40\n".encode("utf-16-be"), "a.csv", {}),
        ("user,rtt\nä,40\n".encode("latin-1"), "a.csv", {"encoding": "latin-1"}),
        ("user\trtt\nä\t40\n", "a.tsv", {}),
        ("user;rtt\nä;40\n", "a.csv", {"separator": ";"}),
        ("sep=;\r\nuser;rtt\r\nä;40\r\n".encode("utf-16"), "a.csv", {}),
        ('"user", "rtt"\n"ä", "40"\n', "a.csv", {}),
        ("sep=\t\nuser\trtt\nä\t40\n", "a.csv", {}),
        ("# made today\nuser,rtt\n# by us\nä,40\n", "a.csv", {"comment": "#"}),
        (bz2.compress("user,rtt\nä,40\n".encode()), "a.csv.bz2", {}),
        (lzma.compress("user,rtt\nä,40\n".encode("utf-16")), "a.csv.xz", {}),
        ('[{"user": "ä", "rtt": 40}]', "a.json", {}),
        ('{"user": "ä",\n "rtt": 40}\n', "a.json", {}),
        ('{"user": "ä", "rtt": 40}'.encode("utf-16"), "a.json", {}),
        ('{"user": "ä", "rtt": 40}'.encode("latin-1"), "a.json", {"encoding": "latin-1"}),
        ('{"status": [200], "data": {"runs": [{"user": "ä", "rtt": 40}]}}', "a.json", {"records": "data.runs"}),
        ("Export\n\nuser,rtt\nä,40\n", "a.csv", {"skip_lines": 2}),
        ("sep=;\n# by us\nuser;rtt\n# x\nä;40\n", "a.csv", {"comment": "#"}),
        (gzip.compress("user,rtt\nä,40\n".encode(), mtime=0), "a.csv", {}),
        (bz2.compress('{"user": "ä", "rtt": 40}'.encode()), "a.json", {}),
        (zipped("user,rtt\nä,40\n"), "a.csv", {}),
        ('{"data": {"runs": {"1": {"user": "ä", "rtt": 40}}}}', "a.json", {"records": "data.runs"}),
    ],
)
def test_one_table_in_many_forms(tmp_path, content, name, entries):
    assert table(tmp_path, content, name, **entries) == {"user": ["ä"], "rtt": ["40"]}


def test_a_comment_is_a_line_that_begins_so_not_what_follows_the_character(tmp_path):
    assert table(tmp_path, "page\n#x\n/a#top\n", comment="#") == {"page": ["/a#top"]}


@pytest.mark.parametrize(
    ("content", "pages"),
    [
        ('page,n\n"/a\n#b",1\n#gone,2\n/c,3\n', ["/a\n#b", "/c"]),
        ('page,n\n"/a ""x"",\n#b",1\n#gone ",2\n/c,3\n', ['/a "x",\n#b', "/c"]),
        ('page,n\n/5",1\n#gone,2\n/c,"3,"\n#gone\n', ['/5"', "/c"]),
    ],
)
def test_a_comment_does_not_begin_within_a_cell_of_several_lines(tmp_path, content, pages):
    assert table(tmp_path, content, comment="#")["page"] == pages


def test_the_header_behind_comments_is_checked_for_columns_that_come_twice(tmp_path):
    content = "# rtt,rtt\nrtt,user\n40,u0\n"
    assert table(tmp_path, content, comment="#", columns={"rtt": "rtt_ms"})["rtt"] == ["40"]
    with pytest.raises(WorkbenchError, match="'rtt' came more often"):
        table(tmp_path, content.replace("user", "rtt"), comment="#", columns={"rtt": "rtt_ms"})


def test_rows_in_lists_of_rows_keep_what_stands_around_them(tmp_path):
    visits = [
        {
            "id": "v1",
            "user": {"land": "DE"},
            "at": "1",
            "tags": [1],
            "steps": [{"url": "/a", "at": "2"}, {"url": "/b"}],
        },
        {"id": "v2", "user": {"land": "FR"}, "at": "3", "steps": [{"url": "/c", "at": "4"}]},
        {"id": "v3", "steps": []},
        {"id": "v4"},
    ]
    expected = {
        "id": ["v1", "v1", "v2"],
        "user.land": ["DE", "DE", "FR"],
        "outer.at": ["1", "1", "3"],  # also of the row whose own is missing
        "url": ["/a", "/b", "/c"],
        "at": ["2", None, "4"],
    }
    assert table(tmp_path, json.dumps(visits), "a.json", records="steps") == expected
    lines = "\n".join(map(json.dumps, visits[:3]))
    assert table(tmp_path, lines, "a.jsonl", records="steps") == expected
    days = json.dumps({"days": [{"day": 1, "at": 9, "visits": visits}]})
    assert table(tmp_path, days, "a.json", records="days.visits.steps") == {
        "day": ["1"] * 3,
        "outer.outer.at": ["9"] * 3,
        **expected,
    }


def test_columns_without_a_header_are_numbered_from_one(tmp_path):
    assert table(tmp_path, "u0,40\nu1,41\n", header=False) == {"1": ["u0", "u1"], "2": ["40", "41"]}


@pytest.mark.parametrize(
    ("content", "entries", "sentence"),
    [
        ("user;rtt\nu0;40\n", {}, 'Write separator = ";"'),
        ("user;rtt\nu0;40,5\nu1;41,5\n", {}, 'Write separator = ";"'),
        ("user\trtt\nu0\t40\n", {}, r'Write separator = "\t"'),
        ("user,rtt\nu0,40,\nu1,41,\n", {}, "rows as long as the first line, of 2 cells; they have 3"),
        ("user\nä\n".encode("latin-1"), {}, 'Write in the card how it was saved, such as encoding = "latin-1"'),
        ("# x\nuser,rtt\nu0,40\n", {}, 'Write comment = "#"'),
        ("rtt,user,rtt\n40,u0,900\n", {"columns": {"rtt": "rtt_ms"}}, "each column may come once; 'rtt' came more"),
        ("#Version: 1.0\n#Fields: date time\n2026-01-03,10:00\n", {}, 'reader = "access_log"'),
    ],
)
def test_a_csv_file_of_another_form_is_refused_with_what_to_write(tmp_path, content, entries, sentence):
    with pytest.raises(WorkbenchError) as caught:
        table(tmp_path, content, **entries)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv.zst", b"(\xb5/\xfd", "cannot be unpacked"),
        ("a.csv.bz2", b"x", "a.csv.bz2 cannot be unpacked"),
        ("a.json.xz", b"x", "a.json.xz cannot be unpacked"),
        ("a.json", b'{"user": "\\ud800"}', "a.json holds text that is no Unicode"),
    ],
)
def test_a_file_that_cannot_be_unpacked_or_holds_no_text_is_refused(tmp_path, name, content, sentence):
    with pytest.raises(WorkbenchError) as caught:
        table(tmp_path, content, name)
    assert sentence in str(caught.value)


def test_json_of_any_depth_becomes_columns_by_path(tmp_path):
    lines = (
        '{"a": {"b": {"c": {"d": 1.50}}}, "tags": ["x", "y"], "on": true, "none": null}\n'
        '\n  {"a": {"b": {"c": {"d": ""}}, "e": NaN}} {"a": 7, "tags": []}'
    )
    assert table(tmp_path, lines, "a.ndjson") == {
        "a.b.c.d": ["1.50", None, None],
        "tags": ['["x", "y"]', None, "[]"],
        "on": ["true", None, None],
        "none": [None, None, None],
        "a.e": [None, None, None],
        "a": [None, None, "7"],
    }


def test_a_list_of_keys_and_values_becomes_a_column_a_key(tmp_path):
    pair = '{"key": "%s", "value": %s}'
    values = {
        "page": '{"string_value": "/a", "int_value": null}',
        "session": '{"string_value": null, "int_value": "12"}',
        "open": '{"boolValue": true}',
        "plain": "3",
        "nothing": "{}",
        "other": '{"x": 1}',
    }
    pairs = ", ".join(pair % each for each in values.items())
    assert table(tmp_path, f'{{"p": [{pairs}], "q": {{"r": [{pair % ("k", "4")}]}}}}', "a.jsonl") == {
        "p[page]": ["/a"],
        "p[session]": ["12"],
        "p[open]": ["true"],
        "p[plain]": ["3"],
        "p[nothing]": [None],
        "p[other]": ['{"x": "1"}'],
        "q.r[k]": ["4"],
    }


@pytest.mark.parametrize(
    ("content", "records", "sentence"),
    [
        ('{"data": {"rows": [], "meta": 1}}', "data.runs", "expected 'runs' on the way to records .*; got rows, meta"),
        ('{"ann@example.org": {}}', "data", r"expected 'data' .*; got \(hidden\)\."),
        ('[{"a": 1}]', "data", "expected 'data' on the way to records = 'data'; got a"),
        ("[1]", "data", "expected 'data' on the way to records = 'data'; got a text or number"),
        ('{"a.b": 1, "a": {"b": 2}}', "", r"'a\.b' comes twice in a row"),
        ('{"a": {"b": 2}, "a.b": 1}', "", r"'a\.b' comes twice in a row"),
        ('{"data": {"runs": [1, 2]}}', "data.runs", "expected an object a row, .*; got a text or number"),
        ('{"a": 1}\n\n{"a": }\n', "", "line 3, where a value begins: Expecting value"),
    ],
)
def test_json_without_rows_where_they_should_be_is_refused(tmp_path, content, records, sentence):
    with pytest.raises(WorkbenchError, match=sentence):
        table(tmp_path, content, "a.json", records=records)


def test_inner_values_of_parquet_are_named_as_in_json(tmp_path):
    rows = [{"net": {"rtt": 40.5}, "p": [{"key": "page", "value": {"string_value": "/a", "int_value": None}}], "n": 1}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert read_parquet(tmp_path / "a.parquet", OURS).to_dict("list") == {
        "net.rtt": [40.5],
        "p[page]": ["/a"],
        "n": [1],
    }


def test_long_whole_numbers_beside_a_null_stay_as_they_are(tmp_path):
    ids = [10**18, 10**18 + 3, None]
    table = pyarrow.table({"id": ids, "rtt": [1, 2, None]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    for frame in (read_parquet(tmp_path / "a.parquet", OURS), as_pandas(table, "ours")):
        assert frame["id"].tolist() == ids


def test_an_archive_is_refused_however_it_is_packed(tmp_path):
    with pytest.raises(WorkbenchError, match=r"Unpack it\."):
        read_csv(tmp_path / "a.tar.gz", OURS)


@pytest.mark.parametrize(
    "value",
    ["a" * 201, "ann@example.org", "203.0.113.7", "2001:db8:0:1::7", "Ann Miller", "Müller, Anna", "+49 170 1234567"],
)
def test_what_may_be_a_persons_is_not_shown_in_an_error(value):
    assert bad_values("rtt_ms", "numbers", pd.Series([value])).endswith("first row 0: '(hidden)'.")


@pytest.mark.parametrize(
    "value", ["a" * 200, "Mon Jan 5 2026", "31.12.2026 10:00", "-3,5", "n/a", "No Answer Yet", 203.0113]
)
def test_what_helps_to_mend_a_value_is_shown(value):
    assert repr(value) in bad_values("rtt_ms", "numbers", pd.Series([value], dtype=object))


def test_names_of_columns_are_shown():
    names = pd.DataFrame(columns=["Client Address", "@timestamp", "Average round-trip time to server (ms)"])
    with pytest.raises(WorkbenchError, match="got Client Address, @timestamp, Average"):
        check_columns(names, {"page": "page"}, "ours")


@pytest.mark.parametrize(
    ("content", "rtts"),
    [
        ({"a1": {"user": "u", "rtt": 40}, "a2": {"user": "v", "rtt": 50}}, {"rtt": ["40", "50"]}),
        ({"a1": {"rtt": 40, "x": 1, "y": 2}, "a2": {"rtt": 50, "x": 1}}, {"rtt": ["40", "50"]}),
        ({"net": {"rtt": 40}, "geo": {"country": "DE"}}, {"net.rtt": ["40"], "geo.country": ["DE"]}),
        ({"a1": {"rtt": 40}}, {"a1.rtt": ["40"]}),
    ],
)
def test_objects_that_are_alike_are_rows_by_their_ids(tmp_path, content, rtts):
    read = table(tmp_path, json.dumps(content), "a.json")
    assert {name: read[name] for name in rtts} == rtts


def test_a_parquet_file_that_was_cut_is_refused_without_its_folder(tmp_path):
    pd.DataFrame({"rtt": range(99)}).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:200])
    with pytest.raises(WorkbenchError, match=r"a\.parquet is not a Parquet file") as caught:
        read_parquet(tmp_path / "a.parquet", OURS)
    assert str(tmp_path) not in str(caught.value)
