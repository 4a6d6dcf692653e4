import re
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.datasets.cards import CHECKOUT, Card, SourceFile, card_folder, find_card, list_cards, read_card
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
    assert list(cards) == [
        "atlas_pings",
        "eshop2008",
        "mobile_bandwidth",
        "msnbc",
        "ofcom_hours",
        "ofcom_panel",
        "synthetic_measurements",
        "synthetic_navigations",
        "synthetic_navigations_null",
        "synthetic_null",
        "wikispeedia",
    ]
    for card in cards.values():
        assert card.title
        assert card.licence
        assert card.citation
        assert card.folder == CHECKOUT / "datasets"
        urls = [file.url for file in card.files if file.url]
        assert card.mirror_only == (bool(card.files) and not urls)
        assert all(len(file.sha256) == 64 for file in card.files)
        assert all(re.match(r"https://raw\.githubusercontent\.com/.+/[0-9a-f]{40}/", url) for url in urls)
    planted = {name: card.generate["planted"] for name, card in cards.items() if card.simulated}
    assert planted == {
        "synthetic_measurements": True,
        "synthetic_navigations": True,
        "synthetic_navigations_null": False,
        "synthetic_null": False,
    }


def test_every_field_of_a_card_is_read(card_of):
    card = read_card(
        card_of(f"""
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
            [assume]
            rtt_ms = [50, 115, 200]
            [constants]
            country = "NA"
            [columns]
            down = "downlink_mbps"
            tariff = "plan"
            RTT = "rtt_ms"
            [scale]
            rtt_ms = 1000
            [lost]
            received = [0, ""]
            [skip]
            sent = ["0"]
            [values.plan]
            A = "large"
            [context.plan]
            type = "text"
            level = "client_js"
            meaning = "what is paid for"
            [[files]]
            name = "a.csv"
            url = "https://example.org/a.csv"
            sha256 = "{SHA}"
            constants = {{ access_technology = "5g" }}
            folder = "theirs"
        """)
    )
    assert card == Card(
        name="mine",
        title="Ours",
        citation="us",
        licence="ours",
        note="beware",
        simulated=True,
        known_by="client_js",
        mirror_only=True,
        missing=("", "n/a", "-1"),
        drop_duplicates=True,
        margin=2,
        assume={"rtt_ms": (50.0, 115.0, 200.0)},
        constants={"country": "NA"},
        columns={"down": "downlink_mbps", "tariff": "plan", "RTT": "rtt_ms"},
        reader="csv",
        separator=";",
        time_unit="unix_ms",
        require=("rtt_ms",),
        scale={"rtt_ms": 1000},
        lost={"received": ("0", "")},
        skip={"sent": ("0",)},
        values={"plan": {"A": "large"}},
        context=(Column("plan", "str", "client_js", "what is paid for"),),
        files=(SourceFile("a.csv", "https://example.org/a.csv", SHA, {"access_technology": "5g"}, "theirs"),),
        folder=card.folder,
    )


def test_every_field_of_a_card_of_navigations_is_read(card_of):
    card = read_card(
        card_of("""
        kind = "navigations"
        order = "file"
        sections = true
        session_gap_min = 15
        percent_encoded = true
        reader = "wikispeedia"
        date = ["year", "month", "day"]
        [assume]
        page_bytes = [1, 2, 3]
        page_load_ms = [100, 200, 300]
        dwell_s = [1, 10, 60]
        [columns]
        url = "page"
        shop = "shop"
        [context.shop]
        type = "text"
        level = "first_request"
        [[files]]
        name = "links.tsv"
        links = { a = "from_page", b = "to_page" }
        """)
    )
    assert (card.order, card.sections, card.session_gap_min, card.percent_encoded) == ("file", True, 15, True)
    assert card.date == ("year", "month", "day")
    assert card.assume["dwell_s"] == (1, 10, 60)
    assert card.files[0].links == {"a": "from_page", "b": "to_page"}
    assert card.known_by == "client_js"
    assert Card(name="x", kind="navigations", known_by="first_request").known_by == "first_request"
    assert Card(name="x").known_by == "first_request"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("title = ", "mine.toml is not a card: expected TOML"),
        ('titel = "x"', r"an entry must be one of title, .*; got 'titel'\. Did you mean 'title'\?"),
        ('folder = "/etc"', "an entry must be one of"),
        ("title = 5", "title must be text; got 5"),
        ('kind = "traces"', "kind must be one of measurements, navigations; got 'traces'"),
        ('reader = "xml"', "reader must be one of csv, jsonl, parquet; got 'xml'"),
        ('separator = "::"', "separator must be one character; got '::'"),
        ('scale = "ms"', "scale must be a table; got 'ms'"),
        ("scale = { rtt = 1000 }", "scaled column must be one of .*; got 'rtt'. Did you mean 'rtt_ms'"),
        ("scale = { rtt_ms = 0 }", "scale.rtt_ms must be a number above 0; got 0"),
        ("scale = { rtt_ms = inf }", "scale.rtt_ms must be a number above 0; got inf"),
        ('lost = ["0"]', r"lost must be a table; got \['0'\]"),
        ('lost = { rcvd = "0" }', "lost.rcvd must be a list; got '0'"),
        ('lost = { rcvd = ["0"] }', "a lost probe is an infinite rtt_ms, which no column gives"),
        ("skip = { sent = 0 }", "skip.sent must be a list; got 0"),
        ('require = ["downlink_mbps"]\ncolumns = { RTT = "rtt_ms" }', "quantity must be one of rtt_ms; got 'downlink"),
        ('[[files]]\nname = "a"\nfolder = "../x"', r"a plain name, without folders or '\.\.'; got '\.\./x'"),
        ('known_by = "javascript"', "known_by must be one of first_request, .*; got 'javascript'"),
        ('simulated = "yes"', "simulated must be true or false; got 'yes'"),
        ('missing = "NA"', "missing must be a list; got 'NA'"),
        ("margin = nan", "margin must be a number above 0; got nan"),
        ('columns = { RTT = "rtt" }', "canonical column must be one of .*; got 'rtt'. Did you mean 'rtt_ms'"),
        ('constants = { country = ["DE"] }', r"constants.country must be one text, number.*; got \['DE'\]"),
        ("constants = { rtt_ms = 50 }", "rtt_ms is measured, not constant; state it under assume"),
        ('values = { isp = "x" }', "values.isp must be a table; got 'x'"),
        ('values = { ips = { a = "b" } }', "canonical column must be one of .*; got 'ips'. Did you mean 'isp'"),
        ("assume = { rtt = [1, 2, 3] }", "assumed quantity must be one of rtt_ms, .*; got 'rtt'"),
        ("assume = { rtt_ms = 50 }", "assume.rtt_ms must be three rising numbers above 0 .*; got 50"),
        ("assume = { rtt_ms = [3, 2, 1] }", "three rising numbers above 0"),
        ("assume = { rtt_ms = [0, 2, 3] }", "three rising numbers above 0"),
        ("assume = { rtt_ms = [1, 2, inf] }", "three rising numbers above 0"),
        ("context = { plan = 5 }", "context.plan must be a table; got 5"),
        ('context = { plan = { type = "words", level = "never" } }', "'plan': type must be one of text, number, flag"),
        ('context = { plan = { type = "text" } }', "context column 'plan': level must be given"),
        (
            'context = { rtt_ms = { type = "number", level = "first_request" } }',
            "'rtt_ms' is canonical; give yours its",
        ),
        (
            'context = { user_id = { type = "text", level = "first_request" } }',
            "'user_id' is canonical; give yours its",
        ),
        ('generator = "dice"', "generator must be one of synthetic_network; got 'dice'"),
        (
            'generator = "synthetic_network"\ngenerate = { row = 5 }',
            "entry of .generate. must be one of rows, .*; got 'row'. Did you mean 'rows'",
        ),
        ('files = "a.csv"', "files must be a list; got 'a.csv'"),
        ('files = ["a.csv"]', "files.0 must be a table; got 'a.csv'"),
        ('[[files]]\nurl = "https://x.org"', "name must be given"),
        ('[[files]]\nname = "a"\nsize = 5', "file 'a': an entry must be one of name, url, .*; got 'size'"),
        ('[[files]]\nname = "a"\nurl = "ftp://x.org/a"', "file 'a': url must be an address .*https://; got 'ftp://"),
        ('[[files]]\nname = "a"\nsha256 = "md5"', "file 'a': sha256 must be 64 digits of 0 to 9 and a to f; got 'md5'"),
        ('[[files]]\nname = "a"\nconstants = { isp = ["x"] }', "constants.isp must be one text"),
        (CLICKS + 'lost = { sent = ["0"] }', "lost is for cards of measurements; this one is of navigations. Le"),
        (CLICKS + 'skip = { sent = ["0"] }', "skip is for cards of measurements"),
        (MEASURED + 'order = "file"', "order is for cards of navigations; this one is of measurements. Leave"),
        (MEASURED + "sections = true", "sections is for cards of navigations"),
        (MEASURED + "session_gap_min = 10", "session_gap_min is for cards of navigations"),
        (MEASURED + 'reader = "msnbc"', "reader must be one of csv, jsonl, parquet; got 'msnbc'"),
        (MEASURED + 'generator = "synthetic_site"', "generator must be one of synthetic_network; got 'synthetic_site'"),
        (
            CLICKS + 'generator = "synthetic_network"',
            "generator must be one of synthetic_site; got 'synthetic_network'",
        ),
        (MEASURED + 'columns = { url = "page" }', "canonical column must be one of country, .*; got 'page'"),
        (CLICKS + 'columns = { rtt = "rtt_ms" }', "canonical column must be one of user_id, .*; got 'rtt_ms'"),
        (CLICKS + 'columns = { n = "view_id" }', "canonical column must be one of user_id, .*; got 'view_id'"),
        (CLICKS + 'constants = { page = "/" }', "page differs from row to row; name its column under columns"),
        (CLICKS + "assume = { rtt_ms = [1, 2, 3] }", "assumed quantity must be one of page_bytes, .*; got 'rtt_ms'"),
        (CLICKS + "assume = { dwell_s = [3, 2, 1] }", r"assume.dwell_s must be three rising numbers above 0"),
        (CLICKS + 'order = "time"', "order must be one of file; got 'time'"),
        (CLICKS + "session_gap_min = 0", "session_gap_min must be a number above 0; got 0"),
        (CLICKS + 'date = ["y", "m"]', r"date must be three columns \(year, month, day\); got \['y', 'm'\]"),
        (
            CLICKS + 'date = ["y", "m", "d"]\ncolumns = { at = "viewed_at" }',
            "date and a column of viewed_at both give the time; name one",
        ),
        (
            CLICKS + 'context = { rtt_ms = { type = "number", level = "first_request" } }',
            "'rtt_ms' is canonical; give yours its own name",
        ),
        (CLICKS + '[[files]]\nname = "a"\nlinks = "b"', "file 'a': links must be a table; got 'b'"),
        (
            CLICKS + '[[files]]\nname = "a"\nlinks = { b = "from_page" }',
            "file 'a': links must name the columns of from_page and to_page, each once; got {'b': 'from_page'}",
        ),
        (
            MEASURED + '[[files]]\nname = "a"\nlinks = { b = "from_page", c = "to_page" }',
            "links of pages are for cards of navigations; this one is of measurements",
        ),
        (CLICKS + "scale = { page = 2 }", "scaled column must be one of position, .*, page_bytes; got 'page'"),
        ('labels = { rtt = "ping" }', "labelled column must be one of .*; got 'rtt'. Did you mean 'rtt_ms'"),
        ("labels = { rtt_ms = 5 }", "labels.rtt_ms must be text; got 5"),
    ],
)
def test_a_bad_card_is_refused_in_one_sentence_that_names_what_was_expected(card_of, text, expected):
    with pytest.raises(WorkbenchError, match=expected) as caught:
        read_card(card_of(text))
    message = str(caught.value)
    assert message.startswith("mine")
    assert "\n" not in message


def test_a_card_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WorkbenchError, match=r"mine\.toml is not a card: expected TOML"):
        read_card(tmp_path / "mine.toml")


def test_a_card_from_a_windows_editor_is_read(card_of):
    assert read_card(card_of('\ufefftitle = "Ours"\r\n')).title == "Ours"


ELSEWHERE = [
    "",
    ".",
    "..",
    "../a.csv",
    "sub/a.csv",
    "/etc/passwd",
    "..\\a.csv",
    "\\\\server\\share",
    "C:a.csv",
    "a.csv:x",
]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_file_name_that_leads_elsewhere_is_refused(card_of, name):
    with pytest.raises(WorkbenchError, match=r"a plain name, without folders or '\.\.'; got "):
        read_card(card_of(f"[[files]]\nname = '{name}'"))


@pytest.mark.parametrize("name", ["a.csv", "..a.csv", "a..b.csv", "speed tests (2021).csv", ".hidden"])
def test_a_plain_file_name_is_taken(card_of, name):
    assert read_card(card_of(f"[[files]]\nname = '{name}'")).files[0].name == name


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


@pytest.mark.parametrize("name", ["mobile_bandwith", "Mobile_Bandwidth"])
def test_an_unknown_name_is_answered_with_the_nearest(name):
    with pytest.raises(WorkbenchError, match=r"mobile_bandwidth, msnbc, ofcom_hours, .* Did you mean 'mobile_band"):
        find_card(name)


@pytest.mark.parametrize("name", ["", "../datasets/mobile_bandwidth", "zzz", "mobile_bandwidth.csv/.."])
def test_a_name_is_no_path(name):
    with pytest.raises(WorkbenchError, match=r"^unknown dataset "):
        find_card(name)


def test_a_team_keeps_its_cards_in_a_folder_of_its_own(card_of, tmp_path, monkeypatch):
    card_of('title = "Ours"')
    monkeypatch.setenv("WORKBENCH_DATASETS", str(tmp_path))
    assert card_folder() == tmp_path
    assert [card.name for card in list_cards()] == ["mine"]
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


@pytest.mark.parametrize("entry", ['planted = "yes"', "rows = 1.5", "seed = -1"])
def test_what_is_generated_is_checked(tmp_path, entry):
    path = tmp_path / "world.toml"
    path.write_text(f'generator = "synthetic_network"\n[generate]\n{entry}\n')
    with pytest.raises(WorkbenchError, match=r"^world: generate\.\w+ must be .*; got"):
        read_card(path)


def test_an_access_log_needs_no_card(tmp_path):
    (tmp_path / "access.log.1.gz").write_bytes(b"")
    card = find_card(tmp_path / "access.log.1.gz")
    assert (card.kind, card.reader, card.name) == ("navigations", "access_log", "access.log.1.gz")
    assert (card.folder, card.files[0].name) == (tmp_path.resolve(), "access.log.1.gz")
    (tmp_path / "our site.log").write_bytes(b"")
    assert find_card(tmp_path / "our site.log").name == "access_log"
    with pytest.raises(WorkbenchError, match=r"no access log at .*gone\.log: expected a file in common or combined"):
        find_card(tmp_path / "gone.log")
