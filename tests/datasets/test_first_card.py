import tomllib

import pytest

import workbench as wb
from workbench.datasets.first_card import first_card
from workbench.errors import WorkbenchError

RUM = """\
visitor;started;ping;download;note
ann;03.01.2026 10:00:07;0,040;25000000;x
bob;03.01.2026 10:05:00;0,050;-;y
"""
GA4 = (
    '{"event_name": "page_view", "event_timestamp": "176740000%d000000", "user_pseudo_id": "1.%d", '
    '"event_params": [{"key": "page_location", "value": {"string_value": "https://shop.example/p/%d?utm_id=7"}}]}'
)
AGENT = "Mozilla/5.0 (Windows NT 10.0) Chrome/130.0"
LINE = f'192.0.2.7 - - [31/Jan/2026:12:00:0%d +0000] "GET /p/%d HTTP/1.1" 200 5 "-" "{AGENT}"'
NGINX = f'{{"time": "2026-01-03T10:00:0%d+01:00", "ip": "192.0.2.7", "path": "/p/%d", "status": 200, "ua": "{AGENT}"}}'


def card_of(path):
    (path.parent / "first.toml").write_text(first_card(path), encoding="utf-8")
    return tomllib.loads(first_card(path)), wb.load(path.parent / "first.toml")


def test_an_export_of_a_speed_test_becomes_measurements_with_units_and_times(tmp_path):
    (tmp_path / "rum.csv").write_text(RUM)
    card, views = card_of(tmp_path / "rum.csv")
    assert card["columns"] == {
        "visitor": "user_id",
        "ping": "rtt_ms",
        "download": "downlink_mbps",
        "started": "measured_at",
    }
    assert (card["separator"], card["decimal"], card["missing"]) == (";", ",", ["-"])
    assert card["scale"] == {"rtt_ms": 1000, "downlink_mbps": 1e-6} and "note" in first_card(tmp_path / "rum.csv")
    assert views["rtt_ms"].tolist() == [40, 50] and views["downlink_mbps"].iloc[0] == 25
    assert str(views["measured_at"].iloc[0]) == "2026-01-03 10:00:07+00:00"


def test_what_was_not_measured_is_assumed_and_said(tmp_path):
    (tmp_path / "a.csv").write_text("user,rtt\nann,40\nbob,50\n")
    card, _ = card_of(tmp_path / "a.csv")
    assert set(card["assume"]) == {"downlink_mbps"} and "known_by" in card


def test_an_export_of_page_views_keeps_events_that_are_some(tmp_path):
    (tmp_path / "ga4.jsonl").write_text("\n".join(GA4 % (i, i % 2, i) for i in range(4)))
    card, views = card_of(tmp_path / "ga4.jsonl")
    assert card["kind"] == "navigations" and card["time_unit"] == "unix_us"
    assert card["keep"] == {"event_name": ["page_view"]}
    assert sorted(views["page"]) == ["/p/0", "/p/1", "/p/2", "/p/3"] and views["user_id"].nunique() == 2


@pytest.mark.parametrize(("name", "line"), [("site.log", LINE), ("site.txt", LINE), ("site.jsonl", NGINX)])
def test_a_log_is_known_by_its_name_or_by_its_lines(tmp_path, name, line):
    (tmp_path / name).write_text("\n".join(line % (i, i) for i in range(3)) + "\n")
    card, views = card_of(tmp_path / name)
    assert card["kind"] == "navigations" and sorted(views["page"]) == ["/p/0", "/p/1", "/p/2"]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.csv", "x,y\n1,2\n", "none of its columns looks like a page or a measurement; got x, y"),
        ("a.csv", None, "no file at"),
        ("a.json", '{"runs": {"1": {"rtt": 5}}}', "one object, with rows deeper inside .*records"),
    ],
)
def test_a_file_that_tells_nothing_is_refused(tmp_path, name, text, sentence):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(WorkbenchError, match=sentence):
        first_card(tmp_path / name)


def test_the_numbers_of_a_browser_are_no_measurements(tmp_path):
    (tmp_path / "rum.csv").write_text("session,url,effectiveType,rtt,downlink\ns,/a,4g,50,10\ns,/b,4g,50,10\n")
    card, views = card_of(tmp_path / "rum.csv")
    assert card["kind"] == "navigations" and views["page"].tolist() == ["/a", "/b"]


def test_an_empty_column_of_users_is_not_taken_for_the_users(tmp_path):
    rows = [f"{'ann' if i < 2 else ''},p{i % 5},/{i % 3},2026-01-03T10:0{i % 9}:05Z" for i in range(20)]
    (tmp_path / "ga.csv").write_text("\n".join(["user_id,user_pseudo_id,page_location,event_timestamp", *rows]))
    assert "user_pseudo_id" in card_of(tmp_path / "ga.csv")[0]["columns"]


@pytest.mark.parametrize(
    ("names", "cells", "scale"),
    [
        ("rtt_us,download_kbps", "40000,25000", {"rtt_ms": 1e-3, "downlink_mbps": 1e-3}),
        ("latency,download,download bytes", "40,3125000,9", {"downlink_mbps": 8e-6}),
        ("ping_ms,bps", "40,25000000", {"downlink_mbps": 1e-6}),
    ],
)
def test_units_are_read_from_names(tmp_path, names, cells, scale):
    (tmp_path / "a.csv").write_text(f"{names}\n{cells}\n{cells}\n")
    card, views = card_of(tmp_path / "a.csv")
    assert card["scale"] == pytest.approx(scale) and "assume" not in card
    assert views[["rtt_ms", "downlink_mbps"]].iloc[0].tolist() == pytest.approx([40, 25])
