"""Cards for the exports of common tools, each on a small file as the tool writes it."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from workbench.datasets import load

EXAMPLES = Path(__file__).parents[2] / "datasets" / "examples"
NDT = """\
{"id": "a", "date": "2026-01-03", "a": {"UUID": "a", "TestTime": "2026-01-03 10:00:00.5 UTC", "MinRTT": 18.1, \
"MeanThroughputMbps": 20.5}, "client": {"Geo": {"CountryCode": "DE", "City": "Ulm"}, \
"Network": {"ASNumber": "64500", "ASName": "Alpha"}}}
{"id": "b", "date": "2026-01-03", "a": {"UUID": "b", "TestTime": "2026-01-03 10:01:00 UTC", "MinRTT": 31, \
"MeanThroughputMbps": 4.25}, "client": {"Geo": {"CountryCode": "NA", "City": null}, \
"Network": {"ASNumber": "64501", "ASName": "Beta"}}}
"""
OOKLA_CSV = """\
"server name","server id","idle latency","idle jitter","packet loss","download","upload","download bytes","upload bytes"
"Alpha - Ulm","1","19.083","0.5","0","10000000","5793680","94691176","79544133"
"Beta - Ulm","2","20.5","0.5","N/A","2500000","5793680","94691176","79544133"
"""
OOKLA_JSON = [
    {"type": "log", "timestamp": "2026-01-03T10:00:00Z", "level": "error", "message": "Cannot open socket"},
    {
        "type": "result",
        "timestamp": "2026-01-03T10:05:00Z",
        "ping": {"jitter": 0.5, "latency": 19.083},
        "download": {"bandwidth": 10000000, "bytes": 94691176, "elapsed": 9000},
        "upload": {"bandwidth": 5793680, "bytes": 79544133, "elapsed": 9000},
        "isp": "Alpha",
        "interface": {"externalIp": "192.0.2.7", "isVpn": False},
        "server": {"id": 1, "name": "Alpha", "country": "Germany"},
    },
]
WEBPAGETEST = {
    "statusCode": 200,
    "data": {
        "id": "260103_AB_1",
        "runs": {
            number: {"firstView": {"date": 1767434400.5, "loadTime": load_ms, "TTFB": 200, "browser_name": "Chrome"}}
            for number, load_ms in (("1", 2310), ("2", 2250))
        },
        "median": {"firstView": {"loadTime": 2310}},
    },
}
LIGHTHOUSE = {
    "lighthouseVersion": "12.0.0",
    "fetchTime": "2026-01-03T10:00:00.123Z",
    "audits": {"network-rtt": {"id": "network-rtt", "numericValue": 40.1, "details": {"items": [{"rtt": 40.1}]}}},
}


def visit(number: int, visitor: str, actions: list[tuple[str, int, str]]) -> dict:
    """A visit in a reply of Matomo's Live.getLastVisitsDetails, with (type, second, address) of its actions."""
    return {
        "idVisit": number,
        "visitorId": visitor,
        "visitIp": "192.0.2.0",
        "serverTimestamp": 1_767_434_400,
        "type": "new",
        "countryCode": "de",
        "city": None,
        "deviceType": "Desktop",
        "operatingSystemName": "Windows",
        "browserName": "Firefox",
        "actionDetails": [
            {"type": kind, "url": f"https://shop.example{page}", "timestamp": 1_767_434_400 + second, "pageId": second}
            for kind, second, page in actions
        ],
        "dimensions": [],
    }


MATOMO = [
    visit(2, "b", [("action", 90, "/a")]),
    visit(1, "a", [("action", 0, "/a"), ("download", 5, "/a.pdf"), ("action", 40, "/b?pk_campaign=x")]),
]


def event(name: str, user: str, seconds: int, page: str) -> dict:
    """A row of an export of Google Analytics 4, as BigQuery writes it in JSON: whole numbers are texts."""
    return {
        "event_name": name,
        "event_timestamp": str(1_767_434_400_000_000 + seconds * 1_000_000),
        "user_id": None,
        "user_pseudo_id": user,
        "event_params": [
            {"key": "engaged_session_event", "value": {"string_value": None, "int_value": "1", "float_value": None}},
            {"key": "page_location", "value": {"string_value": page, "int_value": None, "float_value": None}},
            {"key": "ga_session_id", "value": {"string_value": None, "int_value": "1767434400"}},
        ],
        "device": {"category": "mobile", "operating_system": "Android", "web_info": {"browser": "Chrome"}},
        "geo": {"country": "Germany", "city": ""},
        "items": [],
    }


GA4 = [
    event("page_view", "1.1", 0, "/a"),
    event("scroll", "1.1", 5, "/a"),
    event("page_view", "1.1", 40, "/b"),
    event("page_view", "2.2", 41, "/a"),
]


def loaded(name: str, file: str, content: object, folder: Path) -> pd.DataFrame:
    shutil.copy(EXAMPLES / f"{name}.toml", folder)
    (folder / file).write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return load(folder / f"{name}.toml")


@pytest.mark.parametrize(
    ("name", "file", "content", "expected"),
    [
        (
            "ndt",
            "ndt.jsonl",
            NDT,
            {
                "country": ["DE", "NA"],
                "asn": ["64500", "64501"],
                "isp": ["Alpha", "Beta"],
                "city": ["Ulm", None],
                "measured_at": pd.to_datetime(["2026-01-03T10:00:00.500Z", "2026-01-03T10:01:00.000Z"]).tolist(),
                "rtt_ms": [18.1, 31],
                "downlink_mbps": [20.5, 4.25],
            },
        ),
        ("ookla_csv", "speedtest.csv", OOKLA_CSV, {"rtt_ms": [19.083, 20.5], "downlink_mbps": [80, 20]}),
        (
            "ookla_json",
            "speedtest.json",
            "\n".join(map(json.dumps, OOKLA_JSON)),
            {
                "isp": ["Alpha"],
                "measured_at": [pd.Timestamp("2026-01-03T10:05Z")],
                "rtt_ms": [19.083],
                "downlink_mbps": [80],
            },
        ),
        (
            "webpagetest",
            "webpagetest.json",
            WEBPAGETEST,
            {
                "browser": ["Chrome"] * 2,
                "measured_at": [pd.Timestamp("2026-01-03T10:00:00.5Z")] * 2,
                "page_load_ms": [2310, 2250],
            },
        ),
        (
            "lighthouse",
            "lighthouse.json",
            LIGHTHOUSE,
            {"measured_at": [pd.Timestamp("2026-01-03T10:00:00.123Z")], "rtt_ms": [40.1]},
        ),
        (
            "matomo",
            "visits.json",
            MATOMO,
            {
                "user_id": ["a", "a", "b"],
                "session_id": [0, 0, 1],
                "viewed_at": [pd.Timestamp(f"2026-01-03T10:0{clock}Z") for clock in ("0:00", "0:40", "1:30")],
                "page": ["/a", "/b", "/a"],
                "country": ["de"] * 3,
                "device": ["Desktop"] * 3,
                "browser": ["Firefox"] * 3,
            },
        ),
        (
            "ga4",
            "events.jsonl",
            "\n".join(map(json.dumps, GA4)),
            {
                "user_id": ["1.1", "1.1", "2.2"],
                "session_id": [0, 0, 1],
                "viewed_at": [pd.Timestamp(f"2026-01-03T10:00:{seconds}Z") for seconds in ("00", "40", "41")],
                "page": ["/a", "/b", "/a"],
                "device": ["mobile"] * 3,
                "os_family": ["Android"] * 3,
                "browser": ["Chrome"] * 3,
                "country": ["Germany"] * 3,
            },
        ),
    ],
)
def test_an_export_is_read_by_its_example_card(name, file, content, expected, tmp_path):
    views = loaded(name, file, content, tmp_path)
    for column, values in expected.items():
        got = views[column].astype(object)
        assert got.where(got.notna(), None).tolist() == values, column
    assert views.attrs["dropped"].get("skipped", 0) == {"ga4": 1, "ookla_json": 1, "matomo": 1}.get(name, 0)


def test_every_example_card_is_tried_here():
    marks = test_an_export_is_read_by_its_example_card.pytestmark
    tried = {case[0] for mark in marks for case in mark.args[1]}
    assert tried == {path.stem for path in EXAMPLES.glob("*.toml")}
