"""A set that the project does not know, in each format, studied from the command line by a card alone."""

import gzip
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from workbench.cli import main
from workbench.datasets.loading import load
from workbench.datasets.schema import count_lost

CARD = """
title = "Our shop's RUM, one week"
licence = "ours"
time_unit = "unix_ms"

[columns]
visitor = "user_id"
at = "measured_at"
"net.rtt" = "rtt_ms"
"net.as" = "asn"
land = "country"
platform = "os_family"

[scale]
rtt_ms = 1000                 # seconds in the source
[lost]
outcome = ["timeout"]
[assume]
downlink_mbps = [2, 10, 50]
[[files]]
name = "{file}"
"""
FORMATS = ["rum.csv.gz", "rum.tsv", "rum.jsonl", "rum.ndjson.gz", "rum.parquet"]


def rum(users: int = 120, views: int = 10) -> pd.DataFrame:
    """Own names, seconds, Unix times, AS numbers with their prefix; one probe in 20 timed out; Namibia."""
    rng = np.random.default_rng(5)
    user = np.repeat(np.arange(users), views)
    slow = user % 3 == 0
    rtt = np.round(rng.lognormal(np.log(np.where(slow, 0.4, 0.04)), 0.4), 4)
    lost = np.arange(len(user)) % 20 == 7
    return pd.DataFrame(
        {
            "visitor": [f"v{number:03d}" for number in user],
            "at": 1_767_225_600_000 + 3_600_000 * np.arange(len(user)),
            "net.rtt": np.where(lost, np.nan, rtt),
            "net.as": np.where(slow, "AS64500 Slow Net", "as64501"),
            "land": np.where(slow, "NA", "DE"),
            "platform": rng.choice(["iOS", "Android"], len(user)),
            "outcome": np.where(lost, "timeout", "ok"),
            "ignored": 1,
        }
    )


def write(table: pd.DataFrame, path: Path) -> Path:
    if ".parquet" in path.suffixes:
        table.to_parquet(path)
    elif {".csv", ".tsv"} & set(path.suffixes):
        table.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    else:
        lines = "".join(json.dumps(nested(row)) + "\n" for row in table.to_dict("records"))
        path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
    card = path.with_name("our_shop.toml")
    card.write_text(CARD.format(file=path.name))
    return card


def nested(row: dict) -> dict:
    flat = {name: value for name, value in row.items() if "." not in name}
    net = {"rtt": None if np.isnan(row["net.rtt"]) else row["net.rtt"], "as": row["net.as"]}
    return {**flat, "net": net}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_table(name, tmp_path):
    table = rum()
    views = load(write(table, tmp_path / name))
    assert list(views) == ["country", "asn", "os_family", "user_id", "measured_at", "rtt_ms"]
    assert set(views["asn"]) == {"64500", "64501"} and set(views["country"]) == {"NA", "DE"}
    assert views["user_id"].tolist() == table["visitor"].tolist()
    hours = pd.to_timedelta(np.arange(1200), unit="h")
    assert (views["measured_at"] == pd.Timestamp("2026-01-01T00:00Z") + hours).all()
    expected = np.where(table["outcome"] == "timeout", np.inf, 1000 * table["net.rtt"])
    np.testing.assert_allclose(views["rtt_ms"], expected)
    assert count_lost(views) == views.attrs["lost"] == 60
    assert views.attrs["dropped"] == {"duplicates": 0, "unmeasured": 0}


def test_the_command_line_studies_it_without_python(tmp_path):
    card = write(rum(views=5), tmp_path / "rum.parquet")
    done = CliRunner().invoke(main, ["compare", str(card), "--json", "--quick"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert told["dataset"] == "our_shop" and not told["simulated"]
    kept = sum(told["rows"].values())
    assert 400 <= kept <= 600  # a mask may take rows of whole users from training
    assert told["lost_probes"] == pytest.approx(kept / 20, abs=8)
    assert told["model_vs_best_rule"]["verdict"] in {"equivalent", "inconclusive", "too few to tell"}


def refused(card: Path) -> str:
    done = CliRunner().invoke(main, ["compare", str(card), "--json"])
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('land = "country"', 'Land = "country"', "expected a column 'Land' (for country)"),
        ("outcome = [", "outcomes = [", "expected a column 'outcomes' (for lost)"),
        ('"unix_ms"', '"unix_s"', "column 'measured_at' must be unix_s, a number of s since 1970, between 1990 and"),
        ('time_unit = "unix_ms"', "", "column 'measured_at' must be times (ISO 8601"),
        ('"rtt_ms"', '"rtt"', "canonical column must be one of"),
        ('["timeout"]', '["timeout", "ok"]', "expected probes that came back; all 480 were lost"),
        ("[assume]\ndownlink_mbps = [2, 10, 50]", "", "downlink_mbps is neither measured nor assumed"),
        ('visitor = "user_id"', 'land = "user_id"', "Error: our_shop"),
    ],
)
def test_a_bad_card_is_answered_in_one_sentence(old, new, sentence, tmp_path):
    card = write(rum(views=4), tmp_path / "rum.csv")
    text = card.read_text()
    assert old in text
    card.write_text(text.replace(old, new, 1))
    assert sentence in refused(card)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("rum.csv", b"", "rum.csv is not a CSV file in UTF-8"),
        ("rum.csv", b"visitor,at\n", "expected at least one row in rum.csv"),
        (
            "rum.csv.gz",
            gzip.compress(b"visitor,at\n" * 999, mtime=0)[:40],
            "rum.csv.gz cannot be unpacked: it is damaged, cut off",
        ),
        (
            "rum.jsonl",
            b'{"a": 1}\n{"a": \n',
            "rum.jsonl is not JSON, or JSON lines: line 2, where a value begins: Expect",
        ),
        ("rum.json", b"[" * 99_999, "rum.json is not JSON, or JSON lines: line 1, where a value begins: too deep"),
        ("rum.json", b'["ann@example.org"]', "expected an object a row, as in {"),
        ("rum.jsonl", b"\xff", "rum.jsonl is not JSON in UTF-8"),
        ("rum.parquet", b"PAR1, but no more", "rum.parquet is not a Parquet file"),
    ],
)
def test_a_bad_file_is_answered_in_one_sentence(name, content, sentence, tmp_path):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "our_shop.toml").write_text(CARD.format(file=name))
    assert sentence in refused(tmp_path / "our_shop.toml")


def test_the_card_of_the_readme_is_a_card(tmp_path):
    readme = Path(__file__).parents[2] / "README.md"
    shown = re.findall(r"```toml\n(.*?)```", readme.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(shown) == 2  # of measurements, and of an access log
    card = write(rum().rename(columns={"net.as": "as"}), tmp_path / "rum.csv")
    card.write_text(shown[0].replace("rum.jsonl", "rum.csv"))
    views = load(card)
    assert list(views) == ["country", "asn", "user_id", "measured_at", "rtt_ms"] and views.attrs["lost"] == 60
    line = '192.0.2.{} - - [22/Nov/2026:10:0{}:00 +0000] "GET /{} HTTP/1.1" 200 5 "-" "Mozilla/5.0 Firefox/140.0"\n'
    log = [line.format(who, minute, page) for who in (1, 2) for minute, page in enumerate("abc")]
    (tmp_path / "access.log").write_text("".join(log))
    (tmp_path / "our_site.toml").write_text(shown[1])
    assert list(load(tmp_path / "our_site.toml")["page"]) == ["/a", "/b", "/c"] * 2


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    card = write(rum(), tmp_path / "rum.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "reading Parquet needs pyarrow. Install the extra 'parquet'" in refused(card)


def test_the_reader_that_a_card_names_goes_before_the_ending(tmp_path):
    card = write(rum(), tmp_path / "rum.jsonl")
    (tmp_path / "rum.jsonl").rename(tmp_path / "rum.log")
    card.write_text('reader = "jsonl"\n' + CARD.format(file="rum.log"))
    assert len(load(card)) == 1200


def test_cells_of_json_lines_are_the_text_that_stands_there(tmp_path):
    (tmp_path / "rum.jsonl").write_text(
        '\ufeff{"rtt": 40.50, "saver": true, "who": 7, "asn": "NA"}\n\n'
        '{"rtt": NaN, "saver": null, "who": 12345678901234567890, "deep": {"a": {"b": 1}}}\n'
    )
    (tmp_path / "ours.toml").write_text(
        'columns = { rtt = "rtt_ms", saver = "save_data", who = "user_id", asn = "isp" }\n'
        'files = [{ name = "rum.jsonl" }]'
    )
    views = load(tmp_path / "ours.toml")
    assert views.attrs["dropped"]["unmeasured"] == 1
    assert views.iloc[0].to_dict() == {"isp": "NA", "save_data": True, "user_id": "7", "rtt_ms": 40.5}


def test_numbers_of_parquet_meet_the_texts_of_a_card(tmp_path):
    table = pd.DataFrame({"rtt": [40, -1, 90, 50], "got": [1, 0, 1, 1], "link": [1, 2, 1, 2], "sent": [1.0, 1, 0, 1]})
    table.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "ours.toml").write_text(
        'missing = ["-1"]\n[columns]\nrtt = "rtt_ms"\nlink = "connection_type"\n[lost]\ngot = ["0"]\n'
        '[skip]\nsent = ["0"]\n[values.connection_type]\n1 = "wifi"\n2 = ""\n[[files]]\nname = "a.parquet"'
    )
    views = load(tmp_path / "ours.toml")
    assert views["rtt_ms"].tolist() == [40, np.inf, 50]
    assert views["connection_type"].fillna("(missing)").tolist() == ["wifi", "(missing)", "(missing)"]
    assert (views.attrs["lost"], views.attrs["dropped"]) == (1, {"duplicates": 0, "skipped": 1, "unmeasured": 0})


def test_rows_that_lack_a_required_quantity_are_dropped_and_counted(tmp_path):
    (tmp_path / "a.csv").write_text("r;d;p\n1;2;30\n1;;30\n;2;30\n1;2;\n")
    card = tmp_path / "ours.toml"
    card.write_text(
        'separator = ";"\nrequire = ["rtt_ms", "downlink_mbps"]\n'
        '[columns]\nr = "rtt_ms"\nd = "downlink_mbps"\np = "page_load_ms"\n[[files]]\nname = "a.csv"'
    )
    views = load(card)
    assert views["page_load_ms"].fillna(-1).tolist() == [30, -1] and views.attrs["dropped"]["unmeasured"] == 2
    card.write_text(card.read_text().replace('require = ["rtt_ms", "downlink_mbps"]\n', ""))
    assert len(load(card)) == 4
