import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from workbench.datasets.cards import (
    CHECKOUT,
    Bounds,
    Card,
    SourceFile,
    card_folder,
    find_card,
    list_cards,
    read_card,
    table_of_entries,
)
from workbench.datasets.schema import Column
from workbench.errors import WorkbenchError

SHA = "0123456789abcdef" * 4
MEASURED, CLICKS = 'kind = "measurements"\n', 'kind = "navigations"\n'


@pytest.fixture
def card_of(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_shipped_cards_parse_and_say_what_they_are():
    cards = {card.name: card for card in list_cards()}
    assert {"atlas_pings", "mobile_bandwidth", "msnbc", "wikispeedia"} <= set(cards) and len(cards) == 11
    for card in cards.values():
        assert card.title and card.licence and card.citation and card.folder == CHECKOUT / "datasets"
        urls = [file.url for file in card.files if file.url]
        assert card.mirror_only == (bool(card.files) and not urls)
        assert all(len(file.sha256) == 64 for file in card.files)
        assert all(re.match(r"https://raw\.githubusercontent\.com/.+/[0-9a-f]{40}/", url) for url in urls)
    origins = [cards[name].origin for name in ("ofcom_panel", "msnbc", "synthetic_null")]
    assert origins == ["mirror only", "downloaded", "generated"]
    planted = {name: card.generate["planted"] for name, card in cards.items() if card.simulated}
    assert len(planted) == 4 and all(value == ("null" not in name) for name, value in planted.items())


TESTS = f"""
title = "Ours"
citation = "us"
licence = "ours"
note = "beware"
simulated = true
known_by = "client_js"
mirror_only = true
missing = ["", "n/a", -1]
reader = "csv"
separator = ";"
time_unit = "unix_ms"
require = ["rtt_ms"]
drop_duplicates = true
margin = 2
assume = {{ downlink_mbps = [2, 10, 50] }}
constants = {{ country = "NA" }}
columns = {{ tariff = "plan", RTT = "rtt_ms" }}
scale = {{ rtt_ms = 1000 }}
lost = {{ received = [0, ""] }}
skip = {{ sent = ["0"] }}
keep = {{ load = {{ below = 60000 }} }}
header = false
decimal = ","
thousands = "."
encoding = "latin-1"
comment = "#"
skip_lines = 2
records = "data.runs"
time_format = "%d.%m.%Y"
time_zone = "Europe/Berlin"
plausible = false
unknown_user = "separate"
values = {{ plan = {{ A = "large" }} }}
context = {{ plan = {{ type = "text", level = "client_js", meaning = "what is paid for" }} }}
labels = {{ plan = "tariff" }}
[[files]]
name = "a.csv"
url = "https://example.org/a.csv"
sha256 = "{SHA}"
constants = {{ access_technology = "5g" }}
folder = "theirs"
"""
VIEWS = """
kind = "navigations"
order = "file"
sections = true
session_gap_min = 15
percent_encoded = true
format = "combined"
client = "forwarded"
pages = { keep_query = ["id"], patterns = { "/user/<id>" = '^/user/[0-9]+$' } }
date = ["year", "month", "day"]
generator = "synthetic_site"
generate = { rows = 5 }
files = [{ name = "links.tsv", links = { a = "from_page", b = "to_page" } }]
"""


def test_every_field_of_a_card_is_read(card_of):
    tests, views = read_card(card_of(TESTS)), read_card(card_of(VIEWS))
    empty = Card(name="empty")
    names = [each.name for each in fields(Card)]
    assert {name for name in names for card in (tests, views) if getattr(card, name) != getattr(empty, name)} == {
        *names
    }
    assert (tests.missing, tests.lost) == ({"*": ("", "n/a", "-1")}, {"received": ("0", "")})
    assert (tests.skip, tests.keep) == ({"sent": ("0",)}, {"load": Bounds(below=60000)})
    assert tests.context == (Column("plan", "str", "client_js", "what is paid for"),)
    assert tests.files == (
        SourceFile("a.csv", "https://example.org/a.csv", SHA, {"access_technology": "5g"}, "theirs"),
    )
    assert tests.assume == {"downlink_mbps": (2.0, 10.0, 50.0)}
    assert (views.date, views.session_gap_min, views.files[0].links["b"]) == (("year", "month", "day"), 15, "to_page")
    assert (tests.known_by, views.known_by, empty.known_by) == ("client_js", "client_js", "first_request")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("title = ", "mine.toml is not a card: expected TOML"),
        ('titel = "x"', r"an entry must be one of title, .*; got 'titel'\. Did you mean 'title'\?"),
        ('kind = "traces"', "kind must be one of measurements, navigations; got 'traces'"),
        ('separator = "::"', "separator must be one character; got '::'"),
        ("scale = { rtt = 1000 }", "scaled column must be one of .*; got 'rtt'. Did you mean 'rtt_ms'"),
        ("scale = { rtt_ms = 0 }", "scale.rtt_ms must be a number above 0; got 0"),
        ('lost = ["0"]', r"lost must be a table; got \['0'\]"),
        ("skip = { sent = 0 }", r"skip.sent must be a list of texts, or a table such as \{ above = 60000 \}; got 0"),
        (
            "skip = { sent = { over = 0 } }",
            r"skip.sent must be a list of texts, or a table such as .*; got \{'over': 0\}",
        ),
        ("kind = 'navigations'\npages = { id = 'auto' }", "pages: an entry must be one of .*; got 'id'"),
        (
            "kind = 'navigations'\npages = { patterns = { a = '(' } }",
            r"patterns.a must be a regular expression; got '\('",
        ),
        ('encoding = "utf-9"', "encoding must be one that Python knows, such as 'latin-1'; got 'utf-9'"),
        ('time_zone = "Berlin"', "time_zone must be one of the IANA database, such as 'Europe/Berlin'; got 'Berlin'"),
        ('time_format = "%Q"', "time_format must be one of Python's strptime, .*; got '%Q'"),
        ('missing = { rtt = ["-"] }', "canonical column must be one of .*; got 'rtt'. Did you mean 'rtt_ms'"),
        ('lost = { rcvd = ["0"] }', "a lost probe is an infinite rtt_ms, which no column gives"),
        ('require = ["downlink_mbps"]\ncolumns = { RTT = "rtt_ms" }', "quantity must be one of rtt_ms; got 'downlink"),
        ('[[files]]\nname = "a"\nfolder = "../x"', r"a plain name, without folders or '\.\.'; got '\.\./x'"),
        ('simulated = "yes"', "simulated must be true or false; got 'yes'"),
        ('columns = { RTT = "rtt" }', "canonical column must be one of .*; got 'rtt'. Did you mean 'rtt_ms'"),
        ('constants = { country = ["DE"] }', r"constants.country must be one text, number.*; got \['DE'\]"),
        ("constants = { rtt_ms = 50 }", "rtt_ms is measured, not constant; state it under assume"),
        ("assume = { rtt = [1, 2, 3] }", "assumed quantity must be one of rtt_ms, .*; got 'rtt'"),
        ("assume = { rtt_ms = 50 }", "assume.rtt_ms must be three rising numbers above 0 .*; got 50"),
        ('context = { plan = { type = "text" } }', "context column 'plan': level must be given"),
        ('context = { user_id = { type = "text", level = "never" } }', "'user_id' is canonical; give yours its"),
        ("generate = { row = 5 }", "entry of .generate. must be one of rows, .*; got 'row'. Did you mean 'rows'"),
        ("generate = { rows = 1.5 }", "generate.rows must be a whole number from 0; got 1.5"),
        ('files = "a.csv"', "files must be a list; got 'a.csv'"),
        ('files = ["a.csv"]', "files.0 must be a table; got 'a.csv'"),
        ('[[files]]\nurl = "https://x.org"', "name must be given"),
        ('[[files]]\nname = "a"\nsize = 5', "file 'a': an entry must be one of name, url, .*; got 'size'"),
        ('[[files]]\nname = "a"\nurl = "ftp://x.org/a"', "file 'a': url must be an address .*https://; got 'ftp://"),
        ('[[files]]\nname = "a"\nsha256 = "md5"', "file 'a': sha256 must be 64 digits of 0 to 9 and a to f; got 'md5'"),
        (CLICKS + 'lost = { sent = ["0"] }', "lost is for cards of measurements; this one is of navigations. Le"),
        (MEASURED + 'order = "file"', "order is for cards of navigations; this one is of measurements. Leave"),
        (MEASURED + 'reader = "msnbc"', "reader must be one of csv, jsonl, parquet; got 'msnbc'"),
        (MEASURED + 'generator = "synthetic_site"', "generator must be one of synthetic_network; got 'synthetic_site'"),
        (CLICKS + 'columns = { rtt = "rtt_ms" }', "canonical column must be one of user_id, .*; got 'rtt_ms'"),
        (CLICKS + 'constants = { page = "/" }', "page differs from row to row; name its column under columns"),
        (CLICKS + 'order = "time"', "order must be one of file; got 'time'"),
        (
            CLICKS + 'date = ["y", "m", "d", "h"]',
            r"date must be two columns .* three .*; got \['y', 'm', 'd', 'h'\]",
        ),
        (CLICKS + 'date = ["y", "m", "d"]\ncolumns = { at = "viewed_at" }', "date and a column of viewed_at both give"),
        (CLICKS + '[[files]]\nname = "a"\nlinks = "b"', "file 'a': links must be a table; got 'b'"),
        (CLICKS + 'files = [{ name = "a", links = { b = "from_page" } }]', "file 'a': links must name the columns"),
        (MEASURED + '[[files]]\nname = "a"\nlinks = { b = "from_page", c = "to_page" }', "links of pages are for c"),
        (CLICKS + "scale = { page = 2 }", "scaled column must be one of position, .*, ttfb_ms; got 'page'"),
        ("labels = { rtt_ms = 5 }", "labels.rtt_ms must be text; got 5"),
    ],
)
def test_a_bad_card_is_refused_in_one_sentence_that_names_what_was_expected(card_of, text, expected):
    with pytest.raises(WorkbenchError, match=expected) as caught:
        read_card(card_of(text))
    message = str(caught.value)
    assert message.startswith("mine") and "\n" not in message


def test_a_card_from_a_windows_editor_is_read_and_a_plain_file_name_taken(card_of):
    for name in ("a.csv", "..a.csv", "a..b.csv", "speed tests (2021).csv", ".hidden"):
        card = read_card(card_of(f"\ufefftitle = 'Ours'\r\n[[files]]\nname = '{name}'"))
        assert (card.title, card.files[0].name) == ("Ours", name)
    (path := card_of("")).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WorkbenchError, match=r"mine\.toml is not a card: expected TOML"):
        read_card(path)


def test_a_file_name_that_leads_elsewhere_is_refused(card_of):
    for name in ("", "..", "../a.csv", "sub/a.csv", "/etc/passwd", "..\\a.csv", "\\\\server\\share", "C:a.csv", "a:x"):
        with pytest.raises(WorkbenchError, match=r"a plain name, without folders or '\.\.'; got "):
            read_card(card_of(f"[[files]]\nname = '{name}'"))


def test_a_card_is_found_by_its_path_anywhere(card_of, monkeypatch, tmp_path):
    path = card_of('title = "Ours"')
    assert find_card(path).title == find_card(str(path)).title == "Ours"
    monkeypatch.chdir(tmp_path)
    found = find_card("mine.toml")
    assert (found.name, found.folder) == ("mine", tmp_path.resolve())
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_card("~/mine.toml").title == "Ours"
    with pytest.raises(WorkbenchError, match=r"no card at .*nothing\.toml: expected a TOML file"):
        find_card(tmp_path / "nothing.toml")


@pytest.mark.parametrize("name", ["mobile_bandwith", "Mobile_Bandwidth", "", "../datasets/mobile_bandwidth", "zzz"])
def test_a_name_that_is_none_is_answered_with_the_nearest(name):
    nearest = r"\. Did you mean 'mobile_band" if name.lower().startswith("mobile") else ""
    with pytest.raises(WorkbenchError, match=rf"^unknown dataset .* mobile_bandwidth, msnbc, ofcom_hours, .*{nearest}"):
        find_card(name)


def test_a_team_keeps_its_cards_in_a_folder_of_its_own(card_of, tmp_path, monkeypatch):
    card_of('title = "Ours"')
    monkeypatch.setenv("WORKBENCH_DATASETS", str(tmp_path))
    assert card_folder() == tmp_path and [card.name for card in list_cards()] == ["mine"]
    assert find_card("mine").title == "Ours"
    with pytest.raises(WorkbenchError, match="unknown dataset 'mobile_bandwidth': expected one of mine,"):
        find_card("mobile_bandwidth")


def test_without_cards_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DATASETS", str(tmp_path / "gone"))
    with pytest.raises(WorkbenchError, match=r"expected a folder at .*gone\. Set WORKBENCH_DATASETS"):
        list_cards()
    monkeypatch.delenv("WORKBENCH_DATASETS")
    monkeypatch.setattr("workbench.datasets.cards.CHECKOUT", tmp_path)
    with pytest.raises(WorkbenchError, match="Set WORKBENCH_DATASETS to the folder of your cards, or give the path"):
        find_card("mobile_bandwidth")


@pytest.mark.parametrize("name", ["...toml", "-x.toml", "a b.toml"])
def test_a_card_whose_name_would_lead_elsewhere_is_refused(tmp_path, name):
    (tmp_path / name).write_text("")
    with pytest.raises(WorkbenchError, match="a card's file name must begin with a letter or digit"):
        read_card(tmp_path / name)


def test_an_access_log_needs_no_card(tmp_path):
    (tmp_path / "access.log.1.gz").write_bytes(b"")
    card = find_card(tmp_path / "access.log.1.gz")
    assert (card.kind, card.reader, card.name) == ("navigations", "access_log", "access.log.1.gz")
    assert (card.folder, card.files[0].name) == (tmp_path.resolve(), "access.log.1.gz")
    (tmp_path / "our site.log").write_bytes(b"")
    assert find_card(tmp_path / "our site.log").name == "access_log"
    with pytest.raises(WorkbenchError, match=r"no access log at .*gone\.log: expected a file in common or combined"):
        find_card(tmp_path / "gone.log")


def test_contributing_lists_every_entry_as_the_schema_has_it():
    assert table_of_entries() in (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert all(meaning for meaning in re.findall(r"\| ([^|]*) \|$", table_of_entries(), re.MULTILINE))


@pytest.mark.parametrize("name", ["access-2026-01-31T10:00.log", "access_log"])
def test_a_log_may_have_a_time_of_day_in_its_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert find_card(tmp_path / name).files[0].name == name


def test_a_file_name_that_is_refused_is_named_however_it_is_given():
    for given in ({"name": "a\\b.csv"}, ("a\\b.csv",)):
        with pytest.raises(WorkbenchError, match="name must be a plain name"):
            SourceFile(**given) if isinstance(given, dict) else SourceFile(*given)


@pytest.mark.parametrize("encoding", ["base64", "rot13", "no-such"])
def test_an_encoding_of_no_text_is_refused(encoding):
    with pytest.raises(WorkbenchError, match="encoding must be one that Python knows"):
        Card(name="ours", encoding=encoding)
