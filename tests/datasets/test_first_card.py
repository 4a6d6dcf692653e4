import json
import time
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.cards import CARD_NAME
from workbench.datasets.first_card import FILL_IN, card_name, first_card
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


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("site.log", LINE),
        ("access_log", LINE),
        ("access_log-20260131", LINE),
        ("site.txt", LINE),
        ("site.jsonl", NGINX),
    ],
)
def test_a_log_is_known_by_its_name_or_by_its_lines(tmp_path, name, line):
    (tmp_path / name).write_text("\n".join(line % (i, i) for i in range(3)) + "\n")
    card, views = card_of(tmp_path / name)
    assert card["kind"] == "navigations" and sorted(views["page"]) == ["/p/0", "/p/1", "/p/2"]


def guessed(tmp_path, content, name="a.csv"):
    (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return tomllib.loads(first_card(tmp_path / name))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(WorkbenchError, match="no file at"):
        first_card(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("x,y\n1,2\n", ["x", "y"]),
        ("ann@example.org,192.0.2.7,40\nbob@example.org,192.0.2.8,50\n", ["1", "2", "3"]),
    ],
)
def test_where_nothing_is_recognised_all_columns_are_left_to_fill_in(tmp_path, content, names):
    card = guessed(tmp_path, content)
    text = first_card(tmp_path / "a.csv")
    assert card["columns"] == {} and FILL_IN in text and all(f'# "{name}" = ""' in text for name in names)
    assert card.get("header", True) == (names[0] == "x") and "example.org" not in text


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [
        (["1,100", "2,350"], None),
        (["1,100", "2,35"], ","),
        (["1,100", "950"], None),
        (["0,040", "0,050"], ","),
        (["1.234,5", "40,2"], ","),
        (["1,234.5", "40.2"], None),
        (["40.5", "41"], None),
    ],
)
def test_a_comma_between_thousands_is_no_decimal_comma(tmp_path, cells, decimal):
    card = guessed(tmp_path, "\n".join(["who;ping", *(f"u{i};{cell}" for i, cell in enumerate(cells))]))
    assert card.get("decimal") == decimal
    if cells[0] == "1,100" and not decimal:
        assert "scale" not in card


@pytest.mark.parametrize(
    ("head", "rows", "entries"),
    [
        ("when,rtt", ["2026-01-31 18:00:05,40"], {"time_format": None, "time_unit": None}),
        ("time,rtt", ["1769882405000000000,40"], {"time_unit": "unix_ns"}),
        ("time,rtt", ["46053.75,40", "46054.5,41"], {"time_unit": "excel_days"}),
        ("time;rtt", ["46053,75;40", "46054,5;41"], {"time_unit": "excel_days", "decimal": ","}),
        ("time,rtt", ["02/28/2026 10:00,40", "03/01/2026 10:00,40"], {"time_format": "%m/%d/%Y %H:%M"}),
        ("time,rtt", ["28/02/2026 10:00,40", "01/03/2026 10:00,40"], {"time_format": "%d/%m/%Y %H:%M"}),
        ("date,time,rtt", ["2026-01-31,18:00:05,40"], {"date": ["date", "time"], "time_format": None}),
        (
            "Datum;Uhrzeit;Latenz (ms)",
            ["31.01.2026;18:00:05;40"],
            {"date": ["Datum", "Uhrzeit"], "time_format": "%d.%m.%Y %H:%M:%S"},
        ),
        ("year,month,day,rtt", ["2026,1,31,40"], {"date": ["year", "month", "day"], "time_format": None}),
    ],
)
def test_times_are_guessed_however_they_are_written(tmp_path, head, rows, entries):
    card = guessed(tmp_path, "\n".join([head, *rows]))
    assert {name: card.get(name) for name in entries} == entries
    assert "rtt_ms" in card["columns"].values()
    if "time" in head or "date" in entries:
        assert wb.load(write_card(tmp_path))["measured_at"].dt.year.eq(2026).all()


def write_card(tmp_path):
    (tmp_path / "first.toml").write_text(first_card(tmp_path / "a.csv"), encoding="utf-8")
    return tmp_path / "first.toml"


@pytest.mark.parametrize(
    ("head", "row", "columns"),
    [
        (
            "Nutzer;Sitzung;Seite;Zeit;Land;Stadt;Gerät",
            "ann;s1;/a;2026-01-31T18:00:05Z;DE;Ulm;mobil",
            ["user_id", "session_id", "page", "viewed_at", "country", "city", "device"],
        ),
        ("Latenz;Download_Mbit/s;Netz", "40;25;Alpha", ["rtt_ms", "downlink_mbps", "isp"]),
        (
            "utilisateur;latence;débit;pays;ville",
            "a;40;25;FR;Lyon",
            ["user_id", "rtt_ms", "downlink_mbps", "country", "city"],
        ),
        ("usuario;latencia;país;fecha", "a;40;ES;2026-01-31", ["user_id", "rtt_ms", "country", "measured_at"]),
        (
            "EdgeStartTimestamp;ClientIP;ClientRequestURI;ClientRequestMethod;EdgeResponseStatus;ClientRequestUserAgent",
            f"2026-01-31T18:00:05Z;192.0.2.7;/a;GET;200;{AGENT.replace(';', '')}",
            ["viewed_at", "address", "page", "method", "status", "user_agent"],
        ),
        (
            "@timestamp;source.ip;url.original;http.request.method;http.response.status_code;user_agent.original",
            f"2026-01-31T18:00:05Z;2001:db8::7;/a;GET;200;{AGENT}",
            ["viewed_at", "address", "page", "method", "status", "user_agent"],
        ),
        (
            "date;time;c-ip;cs-method;cs-uri-stem;sc-status",
            "2026-01-31;18:00:05;192.0.2.7;GET;/a;200",
            ["address", "method", "page", "status"],
        ),
        (
            "request_timestamp;client_address;url;elb_status_code;target_status_code;request_verb;agent",
            f"2026-01-31T18:00:05Z;192.0.2.7;/a;200;200;GET;{AGENT}",
            ["viewed_at", "address", "page", "status", "method", "user_agent"],
        ),
        (
            "timestamp;httpRequest_requestUrl;httpRequest_status;httpRequest_requestMethod;httpRequest_remoteIp",
            "2026-01-31T18:00:05Z;/a;200;GET;192.0.2.7",
            ["viewed_at", "page", "status", "method", "address"],
        ),
        (
            "Zeit;IP-Adresse;Seite;Methode;x",
            "2026-01-31T18:00:05Z;192.0.2.7;/a;GET;200",
            ["viewed_at", "address", "page", "method", "status"],
        ),
        ("time;IP-Adresse;Seite", "2026-01-31T18:00:05Z;192.0.2.7;/a", ["viewed_at", "user_id", "page"]),
        # The upload and a server's address are none of ours.
        ("user;rtt;upload_mbps;server_ip", "u;40;9;192.0.2.7", ["user_id", "rtt_ms"]),
        # An address alone tells people apart as well as it can; a status of words is none.
        ("time;ip;url;status", "2026-01-31T18:00:05Z;192.0.2.7;/a;ok", ["viewed_at", "user_id", "page"]),
    ],
)
def test_columns_are_known_by_the_names_of_tools_and_of_other_languages(tmp_path, head, row, columns):
    given = guessed(tmp_path, f"{head}\n{row}\n")["columns"]
    assert [given[name] for name in head.split(";") if name in given] == columns


def test_an_export_of_requests_is_loaded_as_the_page_views_of_people(tmp_path):
    head = "EdgeStartTimestamp;ClientIP;ClientRequestURI;ClientRequestMethod;EdgeResponseStatus;ClientRequestUserAgent"
    rows = [
        f"{1769882405000000000 + i};192.0.2.{i % 3};/p{i // 3};{'POST' if i == 4 else 'GET'};{404 if i == 5 else 200};"
        + ("Googlebot/2.1 (+http://www.google.com/bot.html)" if i == 7 else AGENT)
        for i in range(12)
    ]
    assert guessed(tmp_path, "\n".join([head, *rows]))["time_unit"] == "unix_ns"
    views = wb.load(write_card(tmp_path))
    dropped = views.attrs["dropped"]
    assert len(views) == 9 and views["user_id"].nunique() == 3
    assert (dropped["not_get"], dropped["error"], dropped["bot_crawler"]) == (1, 1, 1)


def test_of_web_vitals_the_largest_contentful_paint_is_the_load(tmp_path):
    rows = "u1,/a,LCP,1300\nu1,/a,CLS,0.01\nu2,/a,LCP,1500\n"
    card = guessed(tmp_path, f"user,url,name,value\n{rows}")
    assert card["kind"] == "measurements" and card["keep"] == {"name": ["LCP"]}
    assert wb.load(write_card(tmp_path))["page_load_ms"].tolist() == [1300, 1500]


@pytest.mark.parametrize(
    ("content", "records", "columns"),
    [
        ({"runs": {"1": {"rtt": 5}}}, "runs", {"rtt": "rtt_ms"}),
        ({"data": {"rows": [{"rtt": 5}]}}, "data.rows", {"rtt": "rtt_ms"}),
        (
            [{"visitorId": "v", "actionDetails": [{"type": "action", "url": "/a", "timestamp": 1769882405}]}],
            "actionDetails",
            {"visitorId": "user_id", "url": "page", "timestamp": "viewed_at"},
        ),
    ],
)
def test_rows_deeper_inside_are_found(tmp_path, content, records, columns):
    card = guessed(tmp_path, content, "a.json")
    assert card["records"] == records and card["columns"] == columns


@pytest.mark.parametrize(
    "names",
    [
        "http_status_code,http_method",
        "httpStatusCode,httpMethod",
        "httpResponseStatus,httpRequestMethod",
        "sc_status_code,req_method",
        "http_status,http_verb",
        "Antwort-Status,Methode",
        "a,b",
        "outcome,kind",
    ],
)
def test_posts_and_errors_are_no_page_views_whatever_their_columns_are_called(tmp_path, names):
    requests = ["200,GET", "200,GET", "404,GET", "301,GET", "200,POST", "200,GET"]
    rows = [f"2026-01-31T18:0{i}:05Z,s,/{i},{request}" for i, request in enumerate(requests)]
    card = guessed(tmp_path, "\n".join([f"time,session,url,{names}", *rows]))
    assert {"status", "method"} <= {*card["columns"].values()}
    assert wb.load(write_card(tmp_path))["page"].tolist() == ["/0", "/1", "/5"]


def test_numbers_of_three_digits_are_no_status_unless_most_are_200(tmp_path):
    rows = [f"2026-01-31T18:0{i}:05Z,s,/{i},{number}" for i, number in enumerate([120, 350, 200, 120])]
    assert "status" not in guessed(tmp_path, "\n".join(["time,session,url,words", *rows]))["columns"].values()


@pytest.mark.parametrize(
    ("head", "row", "columns"),
    [
        ("navigator.connection.rtt,navigator.connection.downlink", "51,9", ["netinfo_rtt_ms", "netinfo_downlink_mbps"]),
        ("mob.rtt,mob.dl,mob.etype", "51,9,4g", ["netinfo_rtt_ms", "netinfo_downlink_mbps", "effective_type"]),
        ("network_rtt,network_effective_type", "51,4g", ["netinfo_rtt_ms", "effective_type"]),
        ("network_rtt,downlink", "51,9.001", ["rtt_ms", "downlink_mbps"]),
        ("rtt,downlink", "50,9.025", ["netinfo_rtt_ms", "netinfo_downlink_mbps"]),
        ("rtt,downlink", "51,9.025", ["rtt_ms", "downlink_mbps"]),
        ("rtt,downlink", "50,12.5", ["rtt_ms", "downlink_mbps"]),
        ("rtt_ms,downlink_mbps,effective_type", "50,5,4g", ["rtt_ms", "downlink_mbps", "effective_type"]),
        ("netinfo_rtt_ms,rtt_ms,rtt", "50,40,50", ["netinfo_rtt_ms", "rtt_ms"]),
    ],
)
def test_what_a_browser_estimates_is_not_taken_for_measured(tmp_path, head, row, columns):
    given = guessed(tmp_path, "\n".join([f"user,{head}", *(f"u{i},{row}" for i in range(3))]))["columns"]
    assert [given[name] for name in head.split(",") if name in given] == columns
    text = first_card(tmp_path / "a.csv")
    assert ("if it was measured, rtt_ms" in text) == ("netinfo_rtt_ms" in columns)


@pytest.mark.parametrize(
    ("head", "cells", "mbps"),
    [
        ("user;download_kbps", ["40.650", "1.040.650"], [40.65, 1040.65]),
        ("user;download_kbps", ["40.650", "41.5"], [0.04065, 0.0415]),
        ("user,download_kbps", ["40.650", "41.650"], [0.04065, 0.04165]),
    ],
)
def test_points_between_thousands_are_known_in_german_files(tmp_path, head, cells, mbps):
    guessed(tmp_path, "\n".join([head, *(f"u{head[4]}{cell}" for cell in cells)]))
    assert wb.load(write_card(tmp_path))["downlink_mbps"].tolist() == pytest.approx(mbps)


@pytest.mark.parametrize(
    ("name", "canonical", "factor"),
    [
        ("download_kBps", "downlink_mbps", 8e-3),
        ("MBps", "downlink_mbps", 8),
        ("downloadBps", "downlink_mbps", 8e-6),
        ("Download (MB/s)", "downlink_mbps", 8),
        ("DOWNLOAD_KBPS", "downlink_mbps", 1e-3),
        ("throughput_gbps", "downlink_mbps", 1e3),
        ("bits_per_second", "downlink_mbps", 1e-6),
        ("throughput bytes per second", "downlink_mbps", 8e-6),
        ("download_mbit", "downlink_mbps", None),
        ("DOWNLOAD_MEGABITS", "downlink_mbps", None),
        ("Download Mbit/s", "downlink_mbps", None),
        ("rtt_s", "rtt_ms", 1e3),
        ("rtt_seconds", "rtt_ms", 1e3),
        ("latency_ns", "rtt_ms", 1e-6),
        ("srtt_us", "rtt_ms", 1e-3),
        ("rttUs", "rtt_ms", 1e-3),
        ("Ping [ms]", "rtt_ms", None),
        ("idle latency", "rtt_ms", None),
        ("load_time_s", "page_load_ms", 1e3),
        ("Ladezeit (s)", "page_load_ms", 1e3),
    ],
)
def test_the_unit_that_a_name_ends_with_is_the_scale(tmp_path, name, canonical, factor):
    cell = 55 / (factor or 1)
    card = guessed(tmp_path, f"user,{name}\nu,{cell!r}\nv,{cell!r}\n")
    assert card["columns"][name] == canonical
    assert card.get("scale", {}).get(canonical) == (factor and pytest.approx(factor))


@pytest.mark.parametrize("name", ["tcp_rtt_p50_x", "our latency figure", "mapping"])
def test_nothing_is_assumed_where_a_column_sounds_as_if_it_were_measured(tmp_path, name):
    card = guessed(tmp_path, f"user,download,{name}\nu,25,40\n")
    assert ("assume" in card) == (name == "mapping")
    assert (f'is it in "{name}"?' in first_card(tmp_path / "a.csv")) != (name == "mapping")


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        ("country,rtt\nNA,40\nDE,-\n", ["-"]),
        ("country,rtt\nNA,40\nDE,NA\n", {"rtt_ms": ["NA"]}),
        ("isp,rtt\nNA,40\nA,-\n", ["-", "NA"]),
    ],
)
def test_namibia_is_not_missing(tmp_path, content, missing):
    assert guessed(tmp_path, content).get("missing") == missing


@pytest.mark.parametrize("title", ["Speed tests\nall of us\n", "Speed tests;;\n;;\n", ""])
@pytest.mark.parametrize("mark", [";", ","])
def test_titles_above_the_names_are_left_out(tmp_path, title, mark):
    table = "user;rtt;download\nann;40;25\nbob;50;9\n"
    card = guessed(tmp_path, (title + table).replace(";", mark))
    assert card.get("skip_lines", 0) == title.count("\n") and wb.load(write_card(tmp_path))["rtt_ms"].tolist() == [
        40,
        50,
    ]


def test_one_number_in_a_header_is_a_name(tmp_path):
    assert "header" not in guessed(tmp_path, "user,rtt,2025\nu,40,7\n")


def test_the_card_of_a_parquet_file_says_no_encoding(tmp_path):
    pd.DataFrame({"user": ["ä"], "rtt": [40.5]}).to_parquet(tmp_path / "a.parquet")
    card, views = card_of(tmp_path / "a.parquet")
    assert not {"encoding", "separator"} & {*card} and views["rtt_ms"].tolist() == [40.5]


def test_a_file_whose_name_no_card_may_hold_is_refused_at_once(tmp_path):
    (tmp_path / "a\\b.csv").write_text("user,rtt\nu,40\n")
    with pytest.raises(WorkbenchError, match="name must be a plain name"):
        first_card(tmp_path / "a\\b.csv")


@pytest.mark.parametrize(("name", "of_card"), [("-foo.csv", "foo"), ("_a b.csv.gz", "a_b"), ("---.csv", "mine")])
def test_a_card_has_a_name_that_it_may_have(name, of_card):
    assert card_name(Path(name)) == of_card and CARD_NAME.fullmatch(of_card)


def test_a_long_header_of_marks_is_read_at_once(tmp_path):
    began = time.perf_counter()
    guessed(tmp_path, f"user,{'@' * 50_000},{':' * 50_000}g\nu,1,2\n")
    assert time.perf_counter() - began < 5


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
