import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pytest

from workbench.datasets.loading import load, measurements, navigations
from workbench.datasets.readers import links_of
from workbench.errors import WorkbenchError

CARD = """
title = "Ours"
known_by = "client_js"
missing = ["?"]
drop_duplicates = true
margin = 2.5
assume = { downlink_mbps = [2, 10, 50] }
constants = { country = "NA" }
columns = { RTT = "rtt_ms", who = "user_id", asn = "asn", saver = "save_data", tariff = "plan" }
context = { plan = { type = "text", level = "first_request" } }
[[files]]
name = "wifi.csv"
constants = { connection_type = "wifi" }
[[files]]
name = "mobile.csv"
constants = { connection_type = "4g" }
"""
WIFI = """\
RTT,who,asn,saver,tariff,unused
10,ann,0064,on,A,1
20,ann,15169,,?,2
20,ann,15169,,?,2
,bob,15169,off,B,3
"""
MOBILE = """\
RTT,who,asn,saver,tariff,unused
20,ann,15169,,?,2
90,?,701,,B,4
"""
MEASURED = pd.DataFrame({"rtt_ms": [1.0, 2.0, 3.0]})
CLICKED = pd.DataFrame({"session_id": [1, 1, 1], "page": ["/", "/a", "/"]})


@pytest.fixture
def card(tmp_path: Path) -> Path:
    (tmp_path / "ours.toml").write_text(CARD)
    (tmp_path / "wifi.csv").write_text(WIFI)
    (tmp_path / "mobile.csv").write_text(MOBILE)
    return tmp_path / "ours.toml"


def test_a_card_brings_files_into_one_canonical_table(card):
    views = load(card)
    assert views.attrs["dropped"] == {"duplicates": 1, "no_user": 1, "unmeasured": 1}  # a row in two files is two views
    expected = pd.DataFrame(
        {
            "country": ["NA"] * 3,
            "asn": ["0064", "15169", "15169"],
            "save_data": pd.array([True, None, None], "boolean"),
            "connection_type": ["wifi", "wifi", "4g"],
            "user_id": ["ann", "ann", "ann"],
            "rtt_ms": [10.0, 20.0, 20.0],
            "plan": ["A", None, None],
        }
    ).astype(dict.fromkeys(["country", "asn", "connection_type", "user_id", "plan"], "str"))
    pd.testing.assert_frame_equal(views, expected)


def test_repeated_rows_are_views_where_the_card_does_not_call_them_copies(card):
    card.write_text(CARD.replace("drop_duplicates = true\n", ""))
    views = load(card)
    assert len(views) == 4 and views.attrs["dropped"] == {"duplicates": 0, "no_user": 1, "unmeasured": 1}


def test_a_missing_file_is_told_with_the_name_of_the_card(card, monkeypatch):
    monkeypatch.delenv("WORKBENCH_MIRROR", raising=False)
    (card.parent / "wifi.csv").unlink()
    with pytest.raises(WorkbenchError, match=r"^ours: wifi\.csv has no public address"):
        load(card)


def test_a_card_without_files_and_a_table_without_measurements_are_refused(card):
    with pytest.raises(WorkbenchError, match="synthetic_null: keep_repeats is for navigations; these are measurements"):
        load("synthetic_null", rows=100, keep_repeats=True)
    (card.parent / "empty.toml").write_text('title = "Empty"')
    with pytest.raises(WorkbenchError, match="empty: the card names no file and no generator"):
        load(card.parent / "empty.toml")
    for name in ("wifi.csv", "mobile.csv"):
        (card.parent / name).write_text(WIFI.replace("10,ann", ",ann").replace("20,ann", ",ann"))
    with pytest.raises(WorkbenchError, match="ours: expected measured rows; every row lacks its measurement"):
        load(card)


def test_a_simulated_set_is_made_at_the_size_that_is_asked_for():
    views = load("synthetic_null", rows=300)
    assert len(views) == 300 and views.attrs["card"].simulated
    assert views.attrs["card"].generate == {"rows": 300, "seed": 0, "planted": False}
    assert views["local_hour"].between(0, 23).all()


@pytest.mark.parametrize("given", [{"rows": 0}, {"rows": 2.5}, {"rows": "10"}, {"rows": True}, {"seed": -1}])
def test_a_number_that_cannot_be_is_refused(card, given):
    (name, value), *_ = given.items()
    with pytest.raises(
        WorkbenchError,
        match=rf"^(load\({name}\): expected|{name} must be) a whole number( from [01]\b.*)?; got {value!r}\.$",
    ):
        load(card, **given)


@pytest.mark.parametrize(("wrap", "frame"), [(measurements, MEASURED), (navigations, CLICKED)])
def test_any_row_that_says_it_is_simulated_makes_a_simulated_card(wrap, frame):
    assert wrap(frame.assign(simulated=[False, True, None])).attrs["card"].simulated
    assert not wrap(frame.assign(simulated=False)).attrs["card"].simulated
    with pytest.raises(WorkbenchError, match=r"^your data: expected a DataFrame of pandas, .* Arrow; got list\.$"):
        wrap([1, 2])


def test_a_persons_own_frame_gets_the_same_checks():
    own = pd.DataFrame({"RTT": [40, 900], "kind": ["WLAN", "LTE"], "asn": [15169.0, None], "mine": 1}, index=[5, 5])
    views = measurements(
        own,
        columns={"RTT": "rtt_ms", "kind": "connection_type"},
        values={"connection_type": {"WLAN": "wifi", "LTE": "4g"}},
        assume={"downlink_mbps": (2, 10, 50)},
        known_by="native_app",
        name="our RUM",
        simulated=True,
        margin=0.5,
    )
    assert list(views) == ["asn", "connection_type", "rtt_ms"]
    assert views["connection_type"].tolist() == ["wifi", "4g"] and views.index.tolist() == [0, 1]
    card = views.attrs["card"]
    assert (card.name, card.known_by, card.simulated, card.margin) == ("our RUM", "native_app", True, 0.5)
    assert card.assume == {"downlink_mbps": (2.0, 10.0, 50.0)}
    with pytest.raises(WorkbenchError, match=r"our RUM: column 'rtt_ms' must be from 0.01 to 120,000 ms; 1 value diff"):
        measurements(own.assign(RTT=[0, 1]), columns={"RTT": "rtt_ms"}, name="our RUM")


class ArrowStream:
    """Any table that hands over Arrow data, as one of polars does."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.table = pyarrow.Table.from_pandas(frame)

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("kind", [pyarrow.Table.from_pandas, ArrowStream])
def test_tables_of_other_libraries_are_taken(kind):
    at = pd.to_datetime(["2026-01-31T12:00Z", None])
    tests = pd.DataFrame({"rtt_ms": [40.0, 50.0], "at": at, "country": pd.Categorical(["NA", None]), "asn": [7, None]})
    given = {"columns": {"at": "measured_at"}}
    pd.testing.assert_frame_equal(measurements(kind(tests), **given), measurements(tests, **given))
    pd.testing.assert_frame_equal(navigations(kind(CLICKED)), navigations(CLICKED))


@pytest.mark.parametrize(
    "table", [pyarrow.chunked_array([[1.0]]), pd.Series([1.0], name="rtt_ms"), {"rtt_ms": [1.0]}, None]
)
def test_what_is_no_table_is_refused(table):
    with pytest.raises(WorkbenchError, match=f"expected a DataFrame of .*; got {type(table).__name__}"):
        measurements(table)


def test_a_frame_takes_the_entries_that_say_how_it_is_written():
    own = pd.DataFrame(
        {
            "s": ["0,04", "0,9", "-", "70", "0,05"],
            "at": ["31.01.26 13:00"] * 5,
            "bot": [*"00001"],
            "plan": [*"ABABA"],
            "land": ["?", "DE", "DE", "DE", "DE"],
        }
    )
    views = measurements(
        own,
        columns={"s": "rtt_ms", "at": "measured_at", "land": "country"},
        decimal=",",
        scale={"rtt_ms": 1000},
        missing={"rtt_ms": ["-"], "country": ["?"]},
        lost={"s": {"above": 60}},
        skip={"bot": ["1"]},
        time_format="%d.%m.%y %H:%M",
        time_zone="Europe/Berlin",
        context={"plan": {"type": "text", "level": "first_request"}},
        constants={"os_family": "Android"},
    )
    assert views["rtt_ms"].tolist() == [40, 900, np.inf] and views["plan"].tolist() == [*"ABB"]
    assert views["country"].fillna("none").tolist() == ["none", "DE", "DE"] and set(views["os_family"]) == {"Android"}
    assert set(views["measured_at"]) == {pd.Timestamp("2026-01-31T12:00Z")}
    assert views.attrs["dropped"] == {"duplicates": 0, "skipped": 1, "unmeasured": 1} and views.attrs["lost"] == 1
    clicks = pd.DataFrame(
        {"page": ["/", "/a", "/b"], "user_id": "u", "viewed_at": [1767434400500, 1767434401000, None]}
    )
    seen = navigations(clicks, time_unit="unix_ms", keep={"page": ["/", "/a"]})
    assert seen["viewed_at"].dt.strftime("%T.%f").tolist() == ["10:00:00.500000", "10:00:01.000000"]
    assert seen.attrs["dropped"]["skipped"] == 1
    with pytest.raises(
        WorkbenchError, match=r"an argument must be one of columns, .*; got 'scales'. Did you mean 'scale'"
    ):
        measurements(own, scales={})
    with pytest.raises(WorkbenchError, match=r"your data: canonical column must be one of .*; got 'rtt'"):
        measurements(own, missing={"rtt": ["-"]})


@pytest.mark.parametrize(("wrap", "frame"), [(measurements, MEASURED), (navigations, CLICKED)])
def test_columns_that_the_card_of_like_does_not_know_are_named_with_the_way_to_keep_them(wrap, frame):
    known = wrap(frame)
    again = wrap(known.assign(plan="A", isp="Alpha"), like=known)
    (said,) = again.attrs["warnings"]
    assert "plan" in said and "isp" not in said and "context=" in said and "plan" not in again
    assert not wrap(known, like=known).attrs.get("warnings")
    context = {"plan": {"type": "text", "level": "first_request"}}
    assert set(wrap(known.assign(plan="A"), context=context)["plan"]) == {"A"}


CLICKS = pd.DataFrame(
    {
        "who": ["a", "a", "b", "a", "b", "a", "c"],
        "at": [f"2026-01-31T12:{minute:02d}:00Z" for minute in (0, 1, 2, 3, 4, 50, 5)],
        "url": ["/", "/", "/", "/jobs", "/mail", "/", "/jobs"],
        "size": [100, 100, 100, 300, 200, 100, 300],
        "land": ["NA", "NA", "DE", "NA", "DE", "NA", None],
    }
)
NAMES = {"who": "user_id", "at": "viewed_at", "url": "page", "size": "page_bytes", "land": "country"}
SHOP = """
title = "Our shop's clicks"
kind = "navigations"
columns = {{ who = "user_id", at = "viewed_at", url = "page", size = "page_bytes", land = "country" }}
files = [{{ name = "{file}" }}]
"""


def card_for(path: Path, text: str = SHOP) -> Path:
    card = path.with_name("our_shop.toml")
    card.write_text(text.format(file=path.name), encoding="utf-8")
    return card


def test_a_frame_of_clicks_becomes_sessions_in_order():
    views = navigations(CLICKS, columns=NAMES)
    assert list(views) == ["view_id", "user_id", "session_id", "viewed_at", "position", "page", "country", "page_bytes"]
    assert views["user_id"].tolist() == ["a", "a", "b", "b", "c", "a"]
    assert views["session_id"].tolist() == [0, 0, 1, 1, 2, 3]
    assert views["position"].tolist() == [0, 1, 0, 1, 0, 0]
    assert views["page"].tolist() == ["/", "/jobs", "/", "/mail", "/jobs", "/"]
    assert views["page"].cat.categories.tolist() == ["/", "/jobs", "/mail"]
    assert views["view_id"].tolist() == views.index.tolist() == [0, 1, 2, 3, 4, 5]
    assert [str(views[name].dtype) for name in ("view_id", "session_id", "position")] == ["int64"] * 3
    assert str(views["viewed_at"].dtype) == "datetime64[us, UTC]" and views.attrs["dropped"] == {"repeats": 1}
    pd.testing.assert_frame_equal(navigations(views), views)
    card = views.attrs["card"]
    assert (card.kind, card.name, card.known_by, card.simulated) == ("navigations", "your data", "client_js", False)


def test_what_is_said_of_the_views_is_heeded():
    kept = navigations(
        CLICKS.assign(utc_offset_h=5.5),
        columns=NAMES,
        values={"page": {"/mail": "/messages"}},
        keep_repeats=True,
        session_gap_min=60,
    )
    assert "/messages" in kept["page"].cat.categories and kept["position"].tolist() == [0, 1, 2, 3, 0, 1, 0]
    assert kept["local_hour"].tolist() == [17, 17, 17, 18, 17, 17, 17]
    assert kept.attrs["dropped"] == {"repeats": 0}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"columns": {"url": "page"}}, "expected a column session_id, or user_id and viewed_at"),
        ({"columns": {**NAMES, "link": "page"}}, "expected a column 'link' (for page); got who, at,"),
        ({"known_by": "clientjs"}, "known_by must be one of first_request, after_accept_ch, client_js"),
        ({"assume": {"rtt_ms": (1, 2, 3)}}, "assumed quantity must be one of page_bytes, page_load_"),
        ({"assume": {"dwell_s": (3, 2, 1)}}, "assume.dwell_s must be three rising numbers above 0"),
        ({"session_gap_min": -1}, "session_gap_min must be a number above 0; got -1"),
        ({"links": pd.DataFrame({"from": ["/"]})}, "links must be a DataFrame with columns from_page"),
        ({"links": [("/", "/jobs")]}, "links must be a DataFrame with columns from_page and to_page;"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(given, sentence):
    with pytest.raises(WorkbenchError) as caught:
        navigations(CLICKS, **{"columns": NAMES, **given})
    assert sentence in str(caught.value) and str(caught.value).startswith("your data: ")


def test_links_ride_along_and_survive_what_pandas_does_with_attributes():
    links = pd.DataFrame({"from_page": ["/", "/", "/", None], "to_page": ["/jobs", "/jobs", "/mail", "/"], "x": 1})
    views = navigations(CLICKS, columns=NAMES, links=links)
    expected = pd.DataFrame({"from_page": ["/", "/"], "to_page": ["/jobs", "/mail"]}, dtype="str")
    pd.testing.assert_frame_equal(links_of(views), expected)
    both = pd.concat([views[:3], views[3:].copy()])
    assert links_of(both) is links_of(views) and links_of(navigations(CLICKS, columns=NAMES)) is None


def zipped(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__slash__", "/"), text)
    return path


def test_a_zip_file_gives_the_table_of_the_frame_whatever_macos_adds(tmp_path):
    path = tmp_path / "clicks.zip"
    zipped(path, data__slash__a=CLICKS.to_csv(index=False), __MACOSX__slash__a="x", data__slash__="")
    views = load(card_for(path))
    pd.testing.assert_frame_equal(views, navigations(CLICKS, columns=NAMES))
    assert views.attrs["dropped"] == {"duplicates": 0, "repeats": 1}


def test_a_zip_file_with_several_files_or_none_or_cut_is_refused(tmp_path):
    path = tmp_path / "clicks.zip"
    for members, got in (({}, "none"), ({"a.csv": "x", "b.csv": "y"}, "a.csv, b.csv")):
        with pytest.raises(WorkbenchError, match=f"clicks.zip: expected one file in the zip file; got {got}. Unp"):
            load(card_for(zipped(path, **members)))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(WorkbenchError, match=r"clicks\.zip is not a zip file that can be read: it is damaged"):
        load(card_for(path))


def test_a_card_tells_dates_order_links_and_encoding(tmp_path):
    views = "s,y,m,d,n,p\n1,2008,4,1,2,b%C3%BC\n1,2008,4,1,1,a\n2,2008,4,2,1,a\n2,2008,4,2,2,c%2Fd\n"
    (tmp_path / "a.csv").write_text(views, encoding="utf-8")
    (tmp_path / "l.tsv").write_text("x\ty\na\tb%C3%BC\na\tb%C3%BC\nc%2Fd\ta\n", encoding="utf-8")
    card = tmp_path / "ours.toml"
    card.write_text(
        'kind = "navigations"\ndate = ["y", "m", "d"]\npercent_encoded = true\n'
        'columns = { s = "session_id", n = "position", p = "page" }\n[[files]]\nname = "a.csv"\n'
    )
    views = load(card)
    assert views["page"].tolist() == ["a", "bü", "a", "c/d"]
    assert views["viewed_at"].dt.strftime("%F %T").tolist() == ["2008-04-01 00:00:00"] * 2 + ["2008-04-02 00:00:00"] * 2
    assert links_of(views) is None
    card.write_text(card.read_text() + '[[files]]\nname = "l.tsv"\nlinks = { x = "from_page", y = "to_page" }\n')
    assert links_of(load(card)).to_numpy().tolist() == [["a", "bü"], ["c/d", "a"]]
    card.write_text(card.read_text().replace("x = ", "X = "))
    with pytest.raises(WorkbenchError, match=r"ours: expected a column 'X' \(for from_page\) in l\.tsv; got x, y"):
        load(card)
    (tmp_path / "a.csv").write_text("s,y,m,d,n,p\n1,2008,2,28,1,a\n1,2008,2,30,2,b\n")
    with pytest.raises(WorkbenchError, match=r"'viewed_at' must be a year, month and day; .* row 1: '2008-02-30'"):
        load(card)


def test_by_order_of_the_file_times_that_run_backwards_are_refused(tmp_path):
    CLICKS.assign(who="s").to_csv(tmp_path / "a.csv", index=False)
    card = card_for(tmp_path / "a.csv", 'order = "file"\n' + SHOP.replace('"user_id"', '"session_id"'))
    with pytest.raises(WorkbenchError, match="our_shop: column 'viewed_at' must be in order within each session"):
        load(card)


def test_a_draw_keeps_whole_users_and_numbers_everything_anew(tmp_path):
    rng = np.random.default_rng(0)
    users = np.repeat([f"u{i}" for i in range(50)], 8)
    pages = np.where(np.arange(400) % 8 == 0, users, rng.choice(list("abc"), 400))
    table = pd.DataFrame({"who": users, "at": 60_000 * np.arange(400), "url": pages, "size": 1, "land": "DE"})
    table["at"] = (pd.Timestamp("2026-01-31", tz="UTC") + pd.to_timedelta(table["at"], unit="ms")).astype(str)
    table.to_csv(tmp_path / "a.csv", index=False)
    card = card_for(tmp_path / "a.csv")
    views, whole = load(card, rows=100, seed=3), load(card)
    assert 80 < len(views) <= 100
    sizes = whole.groupby("user_id").size()
    assert views.groupby("user_id").size().to_dict() == sizes[views["user_id"].unique()].to_dict()
    assert views["view_id"].tolist() == views.index.tolist() == list(range(len(views)))
    assert sorted(set(views["session_id"])) == list(range(views["session_id"].nunique()))
    assert set(views["page"].cat.categories) == set(views["page"])
    assert views.attrs["card"] == whole.attrs["card"]
    pd.testing.assert_frame_equal(views, load(card, rows=100, seed=3))


def test_a_file_without_a_known_ending_tells_what_it_is(tmp_path):
    card = tmp_path / "ours.toml"
    card.write_text('columns = { rtt = "rtt_ms" }\nfiles = [{ name = "export" }]')
    for content in (b"rtt\n40\n", b'\xef\xbb\xbf {"rtt": 40}', b'[{"rtt": 40}]'):
        (tmp_path / "export").write_bytes(content)
        assert load(card)["rtt_ms"].tolist() == [40]
    pd.DataFrame({"rtt": [40]}).to_parquet(tmp_path / "export")
    assert load(card)["rtt_ms"].tolist() == [40]
    zipped(tmp_path / "export", **{"xl/workbook.xml": "<x/>"})
    with pytest.raises(WorkbenchError, match=r"export looks like an Excel workbook; .* Export it as CSV"):
        load(card)


def test_what_files_say_and_drop_is_told_once_for_all_of_them(tmp_path):
    card = tmp_path / "ours.toml"
    card.write_text(
        'columns = { ms = "rtt_ms" }\nskip = { bot = ["1"] }\n'
        '[[files]]\nname = "a.csv"\n[[files]]\nname = "b.csv"\n[[files]]\nname = "c.csv"\n'
    )
    rows = ["40,0,Alpha\n"] * 6
    (tmp_path / "a.csv").write_text("ms,bot,isp\n" + "".join([*rows, "0,0,Alpha\n"]))
    (tmp_path / "b.csv").write_text("ms,bot,isp\n" + "".join([*rows, "50,1,Beta\n"]))
    (tmp_path / "c.csv").write_text("ms,bot,isp\n50,1,Beta\n")  # an hour of nothing but programs
    views = load(card)
    assert len(views) == 12 and set(views["isp"]) == {"Alpha"}
    assert views.attrs["dropped"] == {"duplicates": 0, "skipped": 2, "implausible": 1, "unmeasured": 0}
    (said,) = views.attrs["warnings"]
    assert "isp" in said
