import bz2
import gzip
import json
import lzma
import re
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.access_logs import read_access_log
from workbench.datasets.cards import Card
from workbench.datasets.loading import load
from workbench.datasets.page_views import RULES, name_people
from workbench.datasets.schema import known_context
from workbench.datasets.sessions import dwell_s
from workbench.errors import WorkbenchError

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1 Version/17 Mobile/15E148 Safari/604.1"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
NOTHING = dict.fromkeys(RULES, 0)


def line(
    request: str = "GET / HTTP/1.1",
    *,
    address: str = "192.0.2.7",
    clock: str = "31/Jan/2026:12:00:00 +0000",
    status: int = 200,
    size: str = "1234",
    agent: str | None = CHROME,
    more: str = "",
) -> str:
    combined = "" if agent is None else f' "https://example.org/from" "{agent}"'
    return f'{address} - frank [{clock}] "{request}" {status} {size}{combined}{more}'


def log(tmp_path: Path, *lines: str | bytes, name: str = "access.log") -> Path:
    path = tmp_path / name
    content = b"\n".join(each if isinstance(each, bytes) else each.encode() for each in lines) + b"\n"
    path.write_bytes(COMPRESS.get(path.suffix, bytes)(content))
    return path


def read(path: Path, *args: str, **more: str | bool) -> pd.DataFrame:
    return name_people(read_access_log(path, *args, **more), Card(name="log", kind="navigations"))


def test_a_combined_line_becomes_a_view(tmp_path):
    views = read(log(tmp_path, line("GET /jobs?q=secret#x HTTP/1.1", clock="31/Jan/2026:14:30:00 +0230")))
    assert views.drop(columns="user_id").iloc[0].to_dict() == {
        "viewed_at": pd.Timestamp("2026-01-31T12:00:00Z"),
        "page": "/jobs?q=secret#x",
        "page_bytes": 1234,
        "device": "desktop",
        "os_family": "Windows",
        "browser": "Chrome",
    }
    assert views.attrs["dropped"] == NOTHING and views.attrs["broken_lines"] == ()


def test_a_common_line_tells_no_device(tmp_path):
    lines = line(agent=None), line(agent=None, address="2001:db8::1", size="-")
    views = read(log(tmp_path, *lines))
    assert list(views) == ["viewed_at", "page", "page_bytes", "user_id"]
    assert views["user_id"].nunique() == 2 and np.isnan(views["page_bytes"][1])


@pytest.mark.parametrize(
    ("rule", "left_out"),
    [
        ("broken", "not a line of a log"),
        ("broken", line(clock="31/Feb/2026:12:00:00 +0000")),
        ("broken", line(size="big")),
        ("not_get", line("POST /login HTTP/1.1")),
        ("not_get", line("-", status=408)),
        ("not_get", line("GET jobs HTTP/1.1")),
        ("no_content", line(status=204)),
        ("not_get", line(r"\x16\x03\x01\x02", status=400)),
        ("prefetch", line(more=' "prefetch"')),
        ("prefetch", line(more=' 0.012 Purpose="prefetch"')),
        ("redirect", line(status=301)),
        ("error", line(status=404)),
        ("prefetch", line(more=' "prefetch;prerender"')),
        ("prefetch", line(more=' "prefetch;anonymous-client-ip"')),
        ("bot_crawler", line(agent=GOOGLEBOT)),
        ("bot_unknown", line(agent="Foo/1.2")),
        ("no_agent", line(agent="-")),
        ("no_agent", line(agent="")),
    ],
)
def test_each_rule_leaves_out_its_lines_and_counts_them(tmp_path, rule, left_out):
    views = read(log(tmp_path, line(), left_out, line("GET /jobs HTTP/2.0")))
    assert views["page"].tolist() == ["/", "/jobs"] and views.attrs["dropped"] == {**NOTHING, rule: 1}


@pytest.mark.parametrize(
    ("kept", "page"),
    [
        (line(status=304, size="0"), "/"),
        (line(more=' "198.51.100.4" 0.003 0.002'), "/"),
        (line(more=' "https://example.org/prefetch"'), "/"),
        (line(more=' "preview.shop.example" "-"'), "/"),
        (line(more=' cache="prefetch"'), "/"),
        (line("GET http://example.org/deep/page?x HTTP/1.1"), "/deep/page?x"),
        (line("GET /a page with spaces HTTP/1.1"), "/a page with spaces"),
        (line("GET /no/protocol"), "/no/protocol"),
        (line(agent="Mozilla/5.0 (Linux; Android 9; CUBOT X19) Chrome/126.0.0.0 Mobile Safari/537.36"), "/"),
    ],
)
def test_what_is_a_page_view_stays(tmp_path, kept, page):
    views = read(log(tmp_path, kept))
    assert views["page"].tolist() == [page]
    assert ("page_bytes" in views) == (" 304 " not in kept)  # what was unchanged has no size


def test_a_log_without_a_page_view_says_what_became_of_its_lines(tmp_path):
    with pytest.raises(WorkbenchError) as caught:
        read(log(tmp_path, line(status=404), "10.0.0.1 hello", line(agent=GOOGLEBOT)))
    text = str(caught.value)
    assert "common or combined log format; all 3 lines were left out: 1 broken lines, 1 errors, 1 crawlers." in text
    assert "shape '0.0.0.0 a'" in text and "format = " in text
    with pytest.raises(WorkbenchError, match=r"access\.log: expected an access log; it holds no line"):
        read(log(tmp_path, "", ""))


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_a_compressed_log_is_read_and_a_cut_one_refused(tmp_path, ending, monkeypatch):
    if ending == ".zst":
        monkeypatch.setitem(COMPRESS, ".zst", pytest.importorskip("backports.zstd").compress)
    path = log(
        tmp_path, *[line(f"GET /p{i} HTTP/1.1", address=f"192.0.2.{i}") for i in range(99)], name=f"a.log{ending}"
    )
    assert load(path)["page"].nunique() == 99
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(WorkbenchError, match=rf"a\.log{ending} cannot be unpacked: "):
        read(path)


def test_zst_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(WorkbenchError, match=r"\.zst needs Python 3\.14.*pip install backports\.zstd"):
        read(log(tmp_path, line(), name="access.log.zst"))


def test_loading_makes_sessions_of_visitors(tmp_path):
    lines = [
        line(address="192.0.2.1", clock="31/Jan/2026:12:00:00 +0000"),
        line(address="192.0.2.2", clock="31/Jan/2026:12:00:10 +0000"),
        line("GET /jobs HTTP/1.1", address="192.0.2.1", clock="31/Jan/2026:12:00:40 +0000"),
        line("GET /mail HTTP/1.1", address="192.0.2.1", clock="31/Jan/2026:12:00:50 +0000", agent=IPHONE),
        line("GET /jobs HTTP/1.1", address="192.0.2.1", clock="31/Jan/2026:12:01:00 +0000"),
        line(address="192.0.2.1", clock="31/Jan/2026:13:00:00 +0000"),
        "broken",
    ]
    views = load(log(tmp_path, *lines))
    assert views["user_id"].tolist() == ["visitor 1", "visitor 1", "visitor 2", "visitor 3", "visitor 1"]
    assert views["session_id"].tolist() == [0, 0, 1, 2, 3]
    assert views["page"].tolist() == ["/", "/jobs", "/", "/mail", "/"]
    assert views["device"].tolist() == ["desktop", "desktop", "desktop", "phone", "desktop"]
    np.testing.assert_array_equal(dwell_s(views), [40, np.nan, np.nan, np.nan, np.nan])
    assert views.attrs["dropped"] == {"duplicates": 0, **NOTHING, "broken": 1, "repeats": 1}
    assert views.attrs["broken_lines"] == ("a",) and "local_hour" not in views
    context = known_context(views, "client_js")
    assert context["local_hour"].isna().all() and set(context["os_family"]) == {"Windows", "iOS"}


def test_a_card_joins_files_of_one_log_and_knows_a_visitor_again(tmp_path):
    log(tmp_path, line(clock="30/Jan/2026:12:00:00 +0000"), "x", name="access.log.2.gz")
    log(tmp_path, line("GET /jobs HTTP/1.1"), "y", name="access.log.1")
    card = tmp_path / "ours.toml"
    card.write_text(
        'title = "Ours"\nkind = "navigations"\nsession_gap_min = 10\n'
        '[[files]]\nname = "access.log.2.gz"\n[[files]]\nname = "access.log.1"\n'
    )
    views = load(card)
    assert views["user_id"].tolist() == ["visitor 1"] * 2 and views["page"].tolist() == ["/", "/jobs"]
    assert views.attrs["dropped"]["broken"] == 2 and views.attrs["broken_lines"] == ("a", "a")


def test_no_address_and_no_name_is_in_the_frame_or_beside_it(tmp_path):
    lines = [line(f"GET /p{i % 3}?token=s3cr3t HTTP/1.1", address=f"192.0.2.{i}") for i in range(50)]
    lines += ["192.0.2.99 broken", "from 198.51.100.4 and 2001:db8::17", line(address="2001:db8::9")]
    lines += ['192.0.2.9 - anna lind "GET /reset?mail=anna.lind@shop.example&token=s3cr3t HTTP/1.1" 200 5']
    lines += [line(agent=f"frank@example.org/{i}") for i in range(3)]
    views = load(log(tmp_path, *lines))
    told = views.to_csv() + repr(views.attrs)
    for secret in ("192.0.2", "198.51", "2001:db8", "db8", "frank", "example.org", "Mozilla", "anna", "lind", "s3cr3t"):
        assert secret not in told
    assert views.attrs["broken_lines"] == (
        "0.0.0.0 a",
        "a 0.0.0.0 a 0:a0::0",
        '0.0.0.0 - a a "a /a?a=a.a@a.a&a=a0a0a a/0.0" 0 0',
    )


def test_several_sites_are_told_apart(tmp_path):
    lines = [f"{host}:443 {line(address='192.0.2.1')}" for host in ("a.example", "B.example")]
    assert read(log(tmp_path, *lines))["host"].tolist() == ["a.example", "b.example"]


def agents_at(address: str, many: int, views: int = 1) -> list[str]:
    return [line(address=address, agent=f"{CHROME} x/{i}") for i in range(many)] * views


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (agents_at("198.51.100.1", 9) + agents_at("198.51.100.2", 9), "100 % .* from 2 of 2 addresses"),
        (agents_at("198.51.100.1", 9) + agents_at("198.51.100.2", 3), "75 % .* from 1 of 2 addresses"),
        (agents_at("10.0.0.7", 1, views=9) + agents_at("198.51.100.2", 1), "90 % .* from 1 of 2 addresses"),
        (agents_at("198.51.100.1", 3, views=9) + agents_at("198.51.100.2", 3), "90 % .* from 1 of 2 addresses"),
        (agents_at("198.51.100.1", 3) + agents_at("198.51.100.2", 3), ""),  # households
        ([each for i in range(9) for each in agents_at(f"198.51.100.{i}", 9)], ""),
        ([each for i in range(9) for each in agents_at(f"198.51.100.{i}", 11)], "100 % .* from 9 of 9 addresses"),
        (agents_at("198.51.100.1", 1), ""),
    ],
)
def test_few_addresses_of_many_people_may_be_a_proxy(tmp_path, lines, words):
    said = " ".join(read(log(tmp_path, *lines)).attrs["warnings"])
    assert re.search(rf"{words}.*client = \"forwarded\"", said) if words else not said


def test_lines_that_name_no_user_agent_are_warned_of(tmp_path):
    said = " ".join(read(log(tmp_path, line(agent=None), line())).attrs["warnings"])
    assert "1 of 2 page views name no user agent" in said and "programs" in said


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        (f' "{CHROME}"', ""),
        (f' "https://shop.example/?q="x"" "{CHROME}" "198.51.100.4"', ""),
        (' "curl/8.0"', "bot_library"),
        (' "https://shop.example/bot" "a "b" c" "curl/8.0"', "bot_library"),
    ],
)
@pytest.mark.parametrize("log_format", ["", "common"])
def test_the_last_quoted_field_is_the_agent_where_it_looks_like_one(tmp_path, more, rule, log_format):
    views = read(log(tmp_path, line(), line("GET /x HTTP/1.1", agent=None, more=more)), log_format)
    assert (views["user_id"].nunique(), len(views)) == (1, 1 if rule else 2) and not views.attrs["warnings"]
    assert views.attrs["dropped"] == {**NOTHING, **({rule: 1} if rule else {})}


@pytest.mark.parametrize("more", ['"https://news.example/feed/1"', '"fetch/me"', '"198.51.100.4"'])
def test_a_quoted_field_that_is_no_agent_is_none(tmp_path, more):
    views = read(log(tmp_path, line(agent=None, more=f" {more}")))
    assert "browser" not in views and "no user agent" in views.attrs["warnings"][0]


@pytest.mark.parametrize(
    ("first", "second", "people"),
    [
        (["10.0.0.5"] * 3, ["192.0.2.1", "192.0.2.2", "192.0.2.1"], 2),
        (["192.0.2.1", "192.0.2.2", "192.0.2.3"], ["10.0.0.5"] * 3, 3),
        (["192.0.2.1", "192.0.2.2", "192.0.2.2"], ["192.0.2.7", "192.0.2.8", "192.0.2.9"], 2),
    ],
)
def test_behind_the_one_address_of_the_server_stands_the_client(tmp_path, first, second, people):
    views = read(
        log(tmp_path, *(f"{a} {line(address=b)}".replace(" - frank", " -") for a, b in zip(first, second, strict=True)))
    )
    assert views["user_id"].nunique() == people
    assert any("taken as the client" in said for said in views.attrs["warnings"]) == (len(set(first)) == 1)


def test_a_forwarded_address_in_another_block_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.datasets.access_logs.BLOCK_BYTES", 100)
    path = log(
        tmp_path, line(), line(), line(more=' "10.1.2.3, 198.51.100.4, 192.0.2.1"'), line(address="198.51.100.4")
    )
    views = read(path, client="forwarded")
    assert views["user_id"].nunique() == 2 and views["user_id"][2] == views["user_id"][3]


def test_a_local_time_that_comes_twice_is_counted_as_a_clock_change(tmp_path):
    lines = [line(clock=f"2026-10-25 0{hour}:30:00") for hour in (1, 2, 3)]  # 02:00 to 03:00 comes twice in Berlin
    views = read(log(tmp_path, *lines, "x"), time_zone="Europe/Berlin")
    assert views["viewed_at"].dt.strftime("%H:%M").tolist() == ["23:30", "02:30"]
    assert views.attrs["dropped"] == {**NOTHING, "clock_change": 1, "broken": 1}


def test_one_line_with_a_zone_moves_no_other_and_local_times_are_told(tmp_path):
    lines = [
        f'{{"ip": "192.0.2.7", "url": "/{at[-1]}", "time": "{at}"}}'
        for at in ("-", "2026-01-31 12:00:00", "2026-01-31 12:00:00Z", "1769860800")
    ]
    views = read(log(tmp_path, *lines), time_zone="Europe/Berlin")
    assert views["viewed_at"].dt.hour.tolist() == [11, 12, 12] and views.attrs["dropped"]["broken"] == 1
    assert not any("time_zone" in each for each in views.attrs["warnings"])
    assert any("time_zone" in each for each in read(log(tmp_path, *lines)).attrs["warnings"])


def test_one_file_of_several_may_hold_no_view(tmp_path):
    empty = read(log(tmp_path, line(status=404)), allow_empty=True)
    assert len(empty) == 0 and empty.attrs["dropped"] == {**NOTHING, "error": 1} and "page" in empty
    assert read(log(tmp_path), allow_empty=True).attrs["dropped"] == NOTHING


def test_unknown_programs_are_counted_and_named(tmp_path):
    lines = [line(), *[line(agent="Foo/1.2")] * 3, line(agent="Anna Lind")]
    path = log(tmp_path, *lines, line("GET /jobs HTTP/1.1"))
    assert {*read(path).attrs["warnings"]} <= {*load(path).attrs["warnings"]}
    said = load(path).attrs["warnings"][0]
    assert "4 requests" in said and "Foo" in said and "Anna" not in said


def test_a_card_says_format_client_and_time_zone(tmp_path):
    log(tmp_path, '10.0.0.1 192.0.2.7 [2026-07-31 14:00:00] "GET / HTTP/1.1"', name="log.txt")
    log(tmp_path, '10.0.0.1 192.0.2.8 [2026-07-31 14:00:00] "GET /jobs HTTP/1.1"', name="log2.txt")
    card = tmp_path / "ours.toml"
    card.write_text(
        'title = "Ours"\nkind = "navigations"\nclient = "forwarded"\ntime_zone = "Europe/Berlin"\n'
        "format = '%h %{X-Forwarded-For}i [%{%Y-%m-%d %H:%M:%S}t] \"%r\"'\n"
        '[[files]]\nname = "log.txt"\n[[files]]\nname = "log2.txt"\n'
    )
    views = load(card)
    assert views["user_id"].nunique() == 2 and views["viewed_at"].eq(pd.Timestamp("2026-07-31T12:00:00Z")).all()


HOSTILE = {
    b"/<script>alert(1)</script>": "/<script>alert(1)</script>",
    b'/it\'s-\\"quoted\\"': r"/it's-\"quoted\"",
    b"/" + b"a" * 10_000: "/" + "a" * 10_000,
    b"/\xff\xfe\x80": r"/\xff\xfe\x80",
    b"/\\xff\\x22": r"/\xff\x22",
    "/bücher/日本".encode(): "/bücher/日本",
    "/a\u2028b\x0bc\x85".encode(): "/a%E2%80%A8b%0Bc%C2%85",  # what cannot be shown is encoded
    b"/a\x00b": "/a%00b",
    b"/=cmd|' /C calc'!A0": "/=cmd|' /C calc'!A0",
    "/\u202egnp.exes".encode(): "/%E2%80%AEgnp.exes",
}


def test_hostile_paths_survive_as_text(tmp_path):
    form = b'192.0.2.7 - - [31/Jan/2026:12:00:00 +0000] "GET %s HTTP/1.1" 200 5 "-" "%s"'
    views = load(log(tmp_path, *(form % (path, CHROME.encode()) for path in HOSTILE)))
    assert views.attrs["dropped"]["broken"] == 0 and views["page"].tolist() == list(HOSTILE.values())


def test_broken_lines_are_shown_by_their_shape_and_cut(tmp_path):
    broken = [b"\xff<b>\t\x1b[31m" + b"x-" * 500, b"\x00", "日本 </script>".encode(), b"fourth"]
    views = read(log(tmp_path, line(), *broken))
    assert views.attrs["dropped"]["broken"] == 4
    shown = views.attrs["broken_lines"]
    assert len(shown) == 3 and all(each.isascii() and each.isprintable() and len(each) <= 80 for each in shown)
    assert shown[0].startswith(r"\a<a> ?[0a-a-a-a") and shown[1:] == ("?", "a </a>")


@pytest.mark.parametrize(
    "hostile",
    [
        b'1 - - [31/Jan/2026:12:00:00 +0000] "' + b"\\" * 10_000,
        b"[" * 10_000,
        line().encode() + b' "' * 5_000,
        line().encode() + b" x" * 5_000 + b' "',
        line("GET " + " HTTP/1." * 1_500).encode(),
    ],
)
def test_a_line_made_to_take_long_is_read(tmp_path, hostile):
    began = time.perf_counter()
    assert len(read(log(tmp_path, line(), *[hostile] * 50))) >= 1
    assert time.perf_counter() - began < 2  # what is quadratic takes some ten times as long


def test_a_log_in_blocks_is_the_log_at_once(tmp_path, monkeypatch):
    lines = [line(f"GET /p{i % 7} HTTP/1.1", address=f"192.0.2.{i % 5}") for i in range(300)]
    lines[0] = "\ufeff" + lines[0] + "\r"  # from a Windows editor
    path = log(tmp_path, *lines, "x")
    whole = load(path, keep_repeats=True)
    assert len(whole) == 300
    monkeypatch.setattr("workbench.datasets.access_logs.BLOCK_BYTES", 5_000)
    pd.testing.assert_frame_equal(load(path, keep_repeats=True), whole)


TAIL = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
ROW = {"ip": "192.0.2.7", "time": "2026-01-31T12:00:00Z", "path": "/", "status": 200, "ua": CHROME}
FIELD_NAMES = "#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent) time-taken"
IIS = f"{FIELD_NAMES}\n2026-01-31 12:00:00 192.0.2.7 GET / 200 {CHROME.replace(' ', '+')} "


@pytest.mark.parametrize(
    ("log_format", "text", "milliseconds"),
    [
        (f"{TAIL} %D", line(more=" 25000"), 25),
        (f"{TAIL} %{{ms}}T", line(more=" 25"), 25),
        (
            '$remote_addr $time_iso8601 "$request" $request_time',
            '192.0.2.7 2026-01-31T12:00:00Z "GET / HTTP/1.1" 0.025',
            25,
        ),
        ("traefik", json.dumps(ROW | {"Duration": 25_000_000}), 25),
        ("", json.dumps(ROW | {"duration": 0.025}), 25),
        ("w3c", f"{IIS}25", 25),
        ("w3c", f"{IIS}0.025", 25),
        ("", line(more=" 25"), None),
    ],
)
def test_how_long_the_server_took_is_kept_where_the_format_names_it(tmp_path, log_format, text, milliseconds):
    views = read(log(tmp_path, text), log_format)
    assert views.get("ttfb_ms", pd.Series([None])).tolist() == [milliseconds]


@pytest.mark.parametrize(
    ("entry", "pages", "said"),
    [
        ('skip = { address = ["192.0.2.1"] }', ["/", "/jobs", "/mail"], ""),
        (f'skip = {{ user_agent = ["{IPHONE}"] }}', ["/", "/jobs", "/jobs", "/mail"], ""),
        ('keep = { status = ["304"] }', ["/jobs", "/mail"], ""),
        ('skip = { address = ["192.0.2.1"], user_agent = ["x"] }', ["/", "/jobs", "/mail"], "'user_agent' fits no row"),
    ],
)
def test_a_card_leaves_out_visitors_by_address_agent_and_status(tmp_path, entry, pages, said):
    lines = [
        line(address="192.0.2.1:41000"),
        line("GET /jobs HTTP/1.1", address="192.0.2.1:41001", status=304),
        line(address="192.0.2.2", agent=IPHONE),
        line("GET /jobs HTTP/1.1", address="192.0.2.3"),
        line("GET /mail HTTP/1.1", address="192.0.2.3", status=304),
    ]
    log(tmp_path, *lines)
    card = tmp_path / "ours.toml"
    card.write_text(f'kind = "navigations"\n{entry}\n[[files]]\nname = "access.log"\n')
    views = load(card)
    assert sorted(views["page"]) == pages and views.attrs["dropped"]["skipped"] == 5 - len(pages)
    assert said in " ".join(views.attrs["warnings"]) and "192.0" not in repr(views.attrs["warnings"])


def test_an_address_left_out_by_the_card_is_no_proxy(tmp_path):
    lines = [line(f"GET /p{i} HTTP/1.1", address="10.0.0.7") for i in range(30)]
    log(tmp_path, *lines, *[line(f"GET /p{i} HTTP/1.1", address=f"192.0.2.{i}") for i in range(9)])
    card, text = tmp_path / "ours.toml", 'kind = "navigations"\n[[files]]\nname = "access.log"\n'
    card.write_text(text)
    assert any("a proxy" in said for said in load(card).attrs["warnings"])
    card.write_text(f'skip = {{ address = ["10.0.0.7"] }}\n{text}')
    assert not any("a proxy" in said for said in load(card).attrs["warnings"])
