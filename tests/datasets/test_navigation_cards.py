import pytest

from workbench.datasets.cards import Card, find_card, read_card
from workbench.datasets.download import fetch_file
from workbench.errors import WorkbenchError

MEASURED = 'kind = "measurements"\n'
CLICKS = 'kind = "navigations"\n'


def read(tmp_path, text: str) -> Card:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return read_card(path)


def test_every_field_of_a_card_of_navigations_is_read(tmp_path):
    card = read(
        tmp_path,
        """
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
        """,
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
        (
            CLICKS + 'lost = { sent = ["0"] }',
            "lost is for cards of measurements; this one is of navigations. Le",
        ),
        (CLICKS + 'skip = { sent = ["0"] }', "skip is for cards of measurements"),
        (CLICKS + 'require = ["rtt_ms"]', "require is for cards of measurements"),
        (MEASURED + 'order = "file"', "order is for cards of navigations; this one is of measurements. Leave"),
        (MEASURED + "sections = true", "sections is for cards of navigations"),
        (MEASURED + "percent_encoded = true", "percent_encoded is for cards of navigations"),
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
        (CLICKS + 'columns = { n = "last_next" }', "canonical column must be one of user_id, .*; got 'last_next'"),
        (CLICKS + 'constants = { page = "/" }', "page differs from row to row; name its column under columns"),
        (CLICKS + 'constants = { user_id = "me" }', "user_id differs from row to row"),
        (CLICKS + "assume = { rtt_ms = [1, 2, 3] }", "assumed quantity must be one of page_bytes, .*; got 'rtt_ms'"),
        (MEASURED + "assume = { page_bytes = [1, 2, 3] }", "assumed quantity must be one of rtt_ms, .*; got 'page_byt"),
        (CLICKS + "assume = { dwell_s = [3, 2, 1] }", r"assume.dwell_s must be three rising numbers above 0"),
        (CLICKS + 'order = "time"', "order must be one of file; got 'time'"),
        (CLICKS + "order = true", "order must be one of file; got True"),
        (CLICKS + 'sections = "yes"', "sections must be true or false; got 'yes'"),
        (CLICKS + "session_gap_min = 0", "session_gap_min must be a number above 0; got 0"),
        (CLICKS + 'session_gap_min = "30"', "session_gap_min must be a number above 0; got '30'"),
        (CLICKS + 'date = "day"', "date must be a list; got 'day'"),
        (CLICKS + 'date = ["y", "m"]', r"date must be three columns \(year, month, day\); got \['y', 'm'\]"),
        (
            CLICKS + 'date = ["y", "m", "d"]\ncolumns = { at = "viewed_at" }',
            "date and a column of viewed_at both give the time; name one",
        ),
        (
            CLICKS + 'context = { usual_next = { type = "text", level = "first_request" } }',
            "'usual_next' is canonical; give yours its own name",
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
    ],
)
def test_a_bad_card_is_refused_in_one_sentence_that_names_what_was_expected(tmp_path, text, expected):
    with pytest.raises(WorkbenchError, match=expected) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith("mine: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["eshop2008", "msnbc", "wikispeedia"])
def test_the_real_sets_are_pinned_to_a_commit_and_their_hash(name, mirror):
    card = find_card(name)
    assert (card.kind, card.known_by) == ("navigations", "client_js")
    assert not card.mirror_only
    for file in card.files:
        assert file.url.startswith("https://raw.githubusercontent.com/")
        assert len(file.url.split("/")[5]) == 40
        assert file.url.rpartition("/")[2].replace("%2B", "+") == file.name
        assert fetch_file(card, file).is_file()


def test_an_access_log_needs_no_card(tmp_path):
    (tmp_path / "access.log.1.gz").write_bytes(b"")
    card = find_card(tmp_path / "access.log.1.gz")
    assert (card.kind, card.reader, card.name) == ("navigations", "access_log", "access.log.1.gz")
    assert (card.folder, card.files[0].name) == (tmp_path.resolve(), "access.log.1.gz")
    (tmp_path / "our site.log").write_bytes(b"")
    assert find_card(tmp_path / "our site.log").name == "access_log"
    with pytest.raises(WorkbenchError, match=r"no access log at .*gone\.log: expected a file in common or combined"):
        find_card(tmp_path / "gone.log")
