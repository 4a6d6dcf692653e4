"""From rows to canonical navigations: a person's own frame, and cards in each format."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.loading import load, navigations
from workbench.datasets.readers import links_of
from workbench.errors import WorkbenchError

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
CARD = """
title = "Our shop's clicks"
kind = "navigations"

[columns]
who = "user_id"
at = "viewed_at"
url = "page"
size = "page_bytes"
land = "country"

[[files]]
name = "{file}"
"""


def card_for(path: Path, text: str = CARD) -> Path:
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
    assert str(views["viewed_at"].dtype) == "datetime64[us, UTC]"
    assert views.attrs["dropped"] == {"repeats": 1}
    card = views.attrs["card"]
    assert (card.kind, card.name, card.known_by, card.simulated) == ("navigations", "your data", "client_js", False)


def test_repeats_can_be_kept():
    views = navigations(CLICKS, columns=NAMES, keep_repeats=True)
    assert len(views) == len(CLICKS)
    assert views["position"].tolist() == [0, 1, 2, 0, 1, 0, 0]
    assert views.attrs["dropped"] == {"repeats": 0}


def test_silence_that_ends_a_session_is_a_parameter():
    assert navigations(CLICKS, columns=NAMES, session_gap_min=60)["session_id"].nunique() == 3
    with pytest.raises(WorkbenchError, match="your data: session_gap_min must be a number above 0; got -1"):
        navigations(CLICKS, columns=NAMES, session_gap_min=-1)


def test_what_is_said_of_the_data_rides_in_its_card():
    views = navigations(
        CLICKS,
        columns=NAMES,
        values={"page": {"/mail": "/messages"}},
        known_by="first_request",
        name="shop",
        margin=0.01,
        assume={"page_load_ms": (300, 800, 2_000)},
        simulated=True,
    )
    card = views.attrs["card"]
    assert (card.name, card.known_by, card.margin, card.simulated) == ("shop", "first_request", 0.01, True)
    assert card.assume == {"page_load_ms": (300.0, 800.0, 2_000.0)}
    assert "/messages" in views["page"].cat.categories


def test_rows_that_say_simulated_make_a_simulated_card():
    assert navigations(CLICKS.assign(simulated=True), columns=NAMES).attrs["card"].simulated


def test_canonical_views_go_through_unchanged():
    views = navigations(CLICKS, columns=NAMES)
    pd.testing.assert_frame_equal(navigations(views), views)


def test_the_local_hour_follows_from_time_and_offset():
    views = navigations(CLICKS.assign(utc_offset_h=5.5), columns=NAMES)
    assert views["local_hour"].tolist() == [17, 17, 17, 17, 17, 18]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"columns": {"url": "page"}}, "expected a column session_id, or user_id and viewed_at"),
        ({"columns": {**NAMES, "link": "page"}}, "expected a column 'link' (for page); got who, at,"),
        ({"columns": {**NAMES, "url": "rtt_ms"}}, "canonical column must be one of user_id, session_id, viewed_at,"),
        ({"columns": {**NAMES, "url": "usual_next"}}, "canonical column must be one of"),
        ({"columns": NAMES, "known_by": "now"}, "known_by must be one of first_request,"),
        ({"columns": NAMES, "assume": {"rtt_ms": (1, 2, 3)}}, "assumed quantity must be one of page_bytes, page_load_"),
        ({"columns": NAMES, "margin": -1}, "margin must be a number above 0; got -1"),
        (
            {"columns": NAMES, "links": pd.DataFrame({"from": ["/"]})},
            "links must be a DataFrame with columns from_page",
        ),
        (
            {"columns": NAMES, "links": [("/", "/jobs")]},
            "links must be a DataFrame with columns from_page and to_page;",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(given, sentence):
    with pytest.raises(WorkbenchError) as caught:
        navigations(CLICKS, **given)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("your data: ")


def test_something_else_than_a_frame_is_refused():
    with pytest.raises(WorkbenchError, match="your data: expected a pandas DataFrame; got list"):
        navigations([1, 2])


def test_links_ride_along_and_survive_what_pandas_does_with_attributes():
    links = pd.DataFrame({"from_page": ["/", "/", "/", None], "to_page": ["/jobs", "/jobs", "/mail", "/"], "x": 1})
    views = navigations(CLICKS, columns=NAMES, links=links)
    expected = pd.DataFrame({"from_page": ["/", "/"], "to_page": ["/jobs", "/mail"]}, dtype="str")
    pd.testing.assert_frame_equal(links_of(views), expected)
    both = pd.concat([views[:3], views[3:].copy()])
    assert links_of(both) is links_of(views)
    assert links_of(navigations(CLICKS, columns=NAMES)) is None


@pytest.mark.parametrize("name", ["clicks.csv", "clicks.csv.gz", "clicks.csv.zip", "clicks.jsonl", "clicks.parquet"])
def test_every_format_gives_the_table_of_the_frame(name, tmp_path):
    path = tmp_path / name
    if ".parquet" in name:
        CLICKS.to_parquet(path)
    elif ".jsonl" in name:
        CLICKS.to_json(path, orient="records", lines=True)
    else:
        CLICKS.to_csv(path, index=False)
    views = load(card_for(path))
    pd.testing.assert_frame_equal(views, navigations(CLICKS, columns=NAMES))
    assert views.attrs["dropped"] == {"duplicates": 0, "repeats": 1}
    assert len(load(card_for(path), keep_repeats=True)) == 7


def zipped(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__slash__", "/"), text)
    return path


def test_the_one_file_in_a_zip_file_is_found_beside_what_macos_adds(tmp_path):
    text = io.StringIO()
    CLICKS.to_csv(text, index=False)
    members = {"data__slash__clicks.csv": text.getvalue(), "__MACOSX__slash__._clicks.csv": "x", "data__slash__": ""}
    assert len(load(card_for(zipped(tmp_path / "clicks.zip", **members)))) == 6


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({}, "clicks.zip: expected one file in the zip file; got none. Unpack it"),
        ({"a.csv": "x", "b.csv": "y"}, "clicks.zip: expected one file in the zip file; got a.csv, b.csv. Unpack it"),
    ],
)
def test_a_zip_file_with_several_files_or_none_is_refused(tmp_path, members, sentence):
    with pytest.raises(WorkbenchError) as caught:
        load(card_for(zipped(tmp_path / "clicks.zip", **members)))
    assert sentence in str(caught.value)


def test_a_zip_file_that_was_cut_is_refused(tmp_path):
    path = zipped(tmp_path / "clicks.zip", **{"a.csv": "x" * 999})
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(WorkbenchError, match=r"clicks\.zip is not a zip file that can be read: File is not a zip"):
        load(card_for(path))


def test_a_card_tells_dates_order_links_and_encoding(tmp_path):
    (tmp_path / "a.csv").write_text(
        "s;y;m;d;n;p\n1;2008;4;1;2;b%C3%BC\n1;2008;4;1;1;a\n2;2008;4;2;1;a\n2;2008;4;2;2;c%2Fd\n", encoding="utf-8"
    )
    (tmp_path / "l.tsv").write_text("x\ty\na\tb%C3%BC\na\tb%C3%BC\nc%2Fd\ta\n", encoding="utf-8")
    card = tmp_path / "ours.toml"
    card.write_text(
        'kind = "navigations"\nseparator = ";"\ndate = ["y", "m", "d"]\npercent_encoded = true\nsections = true\n'
        '[columns]\ns = "session_id"\nn = "position"\np = "page"\n[[files]]\nname = "a.csv"\n'
    )
    views = load(card)
    assert views["page"].tolist() == ["a", "bü", "a", "c/d"]
    assert views["viewed_at"].dt.strftime("%F %T").tolist() == ["2008-04-01 00:00:00"] * 2 + ["2008-04-02 00:00:00"] * 2
    assert views.attrs["card"].sections
    assert links_of(views) is None
    card.write_text(
        card.read_text().replace('separator = ";"', "")
        + '[[files]]\nname = "l.tsv"\nlinks = { x = "from_page", y = "to_page" }\n'
    )
    (tmp_path / "a.csv").write_text((tmp_path / "a.csv").read_text(encoding="utf-8").replace(";", ","), "utf-8")
    assert links_of(load(card)).to_numpy().tolist() == [["a", "bü"], ["c/d", "a"]]
    card.write_text(card.read_text().replace("x = ", "X = "))
    with pytest.raises(WorkbenchError, match=r"ours: expected a column 'X' \(for from_page\) in l\.tsv; got x, y"):
        load(card)


def test_a_date_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("s,y,m,d,p\n1,2008,2,28,a\n1,2008,2,30,b\n")
    card = tmp_path / "ours.toml"
    card.write_text(
        'kind = "navigations"\ndate = ["y", "m", "d"]\n'
        '[columns]\ns = "session_id"\np = "page"\n[[files]]\nname = "a.csv"'
    )
    with pytest.raises(WorkbenchError, match=r"'viewed_at' must be a year, month and day; .* first row 1: '2008-2-30'"):
        load(card)


def test_by_order_of_the_file_times_that_run_backwards_are_refused(tmp_path):
    CLICKS.assign(who="s").to_csv(tmp_path / "a.csv", index=False)
    card = card_for(tmp_path / "a.csv", 'order = "file"\n' + CARD.replace('"user_id"', '"session_id"'))
    with pytest.raises(WorkbenchError, match="our_shop: column 'viewed_at' must be in order within each session"):
        load(card)


def test_a_draw_keeps_whole_users_and_numbers_everything_anew(tmp_path):
    rng = np.random.default_rng(0)
    users = np.repeat([f"u{i}" for i in range(50)], 8)
    pages = np.where(np.arange(400) % 8 == 0, users, rng.choice(list("abc"), 400))
    table = pd.DataFrame({"who": users, "at": 60_000 * np.arange(400), "url": pages, "size": 1, "land": "DE"})
    table["at"] = pd.to_datetime(table["at"], unit="ms", utc=True).astype(str)
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


def test_without_users_whole_sessions_are_drawn(tmp_path):
    pd.DataFrame({"s": np.repeat(range(40), 5), "p": list("abcde") * 40}).to_csv(tmp_path / "a.csv", index=False)
    card = tmp_path / "ours.toml"
    card.write_text('kind = "navigations"\n[columns]\ns = "session_id"\np = "page"\n[[files]]\nname = "a.csv"\n')
    assert load(card, rows=52)["session_id"].tolist() == np.repeat(range(10), 5).tolist()


def test_repeats_are_a_matter_of_navigations():
    with pytest.raises(WorkbenchError, match="synthetic_measurements: keep_repeats is for navigations; these are meas"):
        load("synthetic_measurements", rows=100, keep_repeats=True)
