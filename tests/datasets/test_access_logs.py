"""Access logs: what counts as a page view of a person, what is left out and why, and what hostile lines do."""

import gzip
import html
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.access_logs import RULES, number_visitors, read_access_log
from workbench.datasets.loading import load
from workbench.datasets.schema import known_context
from workbench.datasets.sessions import dwell_s
from workbench.datasets.splits import split_by_time
from workbench.errors import WorkbenchError

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Mobile/15E148 Safari/604.1"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
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
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def test_a_combined_line_becomes_a_view(tmp_path):
    views = read_access_log(log(tmp_path, line("GET /jobs?q=secret#x HTTP/1.1", clock="31/Jan/2026:14:30:00 +0230")))
    assert views.drop(columns="user_id").iloc[0].to_dict() == {
        "viewed_at": pd.Timestamp("2026-01-31T12:00:00Z"),
        "page": "/jobs",
        "page_bytes": 1234,
        "device": "desktop",
        "os_family": "Windows",
        "browser": "Chrome",
    }
    assert views.attrs["dropped"] == NOTHING
    assert views.attrs["broken_lines"] == ()


def test_a_common_line_tells_no_device(tmp_path):
    lines = line(agent=None), line(agent=None, address="2001:db8::1", size="-")
    views = read_access_log(log(tmp_path, *lines))
    assert list(views) == ["user_id", "viewed_at", "page", "page_bytes"]
    assert views["user_id"].nunique() == 2
    assert np.isnan(views["page_bytes"][1])


@pytest.mark.parametrize(
    ("rule", "left_out"),
    [
        ("broken", "not a line of a log"),
        ("broken", line(clock="31/Feb/2026:12:00:00 +0000")),
        ("broken", line(clock="yesterday, about noon, I think")),
        ("broken", line()[:60]),
        ("broken", line(size="big")),
        ("not_get", line("POST /login HTTP/1.1")),
        ("not_get", line("HEAD / HTTP/1.1")),
        ("not_get", line("OPTIONS * HTTP/1.1", status=204)),
        ("not_get", line("-", status=408)),
        ("not_get", line(r"\x16\x03\x01\x02", status=400)),
        ("not_get", line("GET * HTTP/1.1")),
        ("not_get", line("CONNECT example.org:443 HTTP/1.1", status=405)),
        ("prefetch", line(more=' "prefetch"')),
        ("prefetch", line(more=' "prefetch;prerender"')),
        ("prefetch", line(more=' "-" "Prefetch"')),
        ("prefetch", line(more=' 0.012 Purpose="prefetch"')),
        ("prefetch", line(more=' "preview"')),
        ("redirect", line(status=301)),
        ("redirect", line(status=307)),
        ("error", line(status=404)),
        ("error", line(status=500)),
        ("error", line(status=101)),
        ("static", line("GET /theme.css?v=3 HTTP/1.1")),
        ("static", line("GET /app.min.JS HTTP/1.1")),
        ("static", line("GET /favicon.ico HTTP/1.1", status=304)),
        ("static", line("GET /robots.txt HTTP/1.1", agent=GOOGLEBOT)),
        ("bot", line(agent=GOOGLEBOT)),
        ("bot", line(agent="curl/8.5.0")),
        ("bot", line(agent="-")),
        ("bot", line(agent="")),
    ],
)
def test_each_rule_leaves_out_its_lines_and_counts_them(tmp_path, rule, left_out):
    views = read_access_log(log(tmp_path, line(), left_out, line("GET /jobs HTTP/2.0")))
    assert views["page"].tolist() == ["/", "/jobs"]
    assert views.attrs["dropped"] == {**NOTHING, rule: 1}


@pytest.mark.parametrize(
    ("kept", "page"),
    [
        (line(status=304), "/"),
        (line(more=' "-"'), "/"),
        (line(more=' "198.51.100.4" 0.003 0.002'), "/"),
        (line(more=' "https://example.org/prefetch"'), "/"),
        (line("GET /prefetch HTTP/1.1"), "/prefetch"),
        (line("GET http://example.org/deep/page?x HTTP/1.1"), "/deep/page"),
        (line("GET /a page with spaces HTTP/1.1"), "/a page with spaces"),
        (line("GET /no/protocol"), "/no/protocol"),
        (line("GET /css HTTP/1.1"), "/css"),
        (line(agent="Mozilla/5.0 (Linux; Android 9; CUBOT X19) Chrome/126.0.0.0 Mobile Safari/537.36"), "/"),
    ],
)
def test_what_is_a_page_view_stays(tmp_path, kept, page):
    assert read_access_log(log(tmp_path, kept))["page"].tolist() == [page]


def test_what_was_unchanged_tells_no_size(tmp_path):
    views = read_access_log(log(tmp_path, line(status=304, size="0"), line()))
    np.testing.assert_array_equal(views["page_bytes"], [np.nan, 1234])


def test_a_log_without_a_page_view_says_what_became_of_its_lines(tmp_path):
    with pytest.raises(WorkbenchError) as caught:
        read_access_log(log(tmp_path, line(status=404), "10.0.0.1 hello", line(agent=GOOGLEBOT)))
    assert str(caught.value) == (
        "access.log: expected page views in common or combined log format; all 3 lines were left out: 1 broken, "
        "1 error, 1 bot. First broken line: '(visitor) hello'."
    )
    with pytest.raises(WorkbenchError, match=r"access\.log: expected an access log; it holds no line"):
        read_access_log(log(tmp_path, "", ""))


def test_a_cut_gzip_file_is_refused(tmp_path):
    path = log(tmp_path, *[line()] * 99, name="access.log.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(WorkbenchError, match=r"access\.log\.gz cannot be unpacked: "):
        read_access_log(path)


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
    assert views.attrs["broken_lines"] == ("broken",)
    assert "local_hour" not in views
    context = known_context(views, "client_js")
    assert context["local_hour"].isna().all()
    assert set(context["os_family"]) == {"Windows", "iOS"}


def test_a_card_joins_files_of_one_log_and_knows_a_visitor_again(tmp_path):
    log(tmp_path, line(clock="30/Jan/2026:12:00:00 +0000"), "x", name="access.log.2.gz")
    log(tmp_path, line("GET /jobs HTTP/1.1"), "y", name="access.log.1")
    card = tmp_path / "ours.toml"
    card.write_text(
        'title = "Ours"\nkind = "navigations"\nsession_gap_min = 10\n'
        '[[files]]\nname = "access.log.2.gz"\n[[files]]\nname = "access.log.1"\n'
    )
    views = load(card)
    assert views["user_id"].tolist() == ["visitor 1"] * 2
    assert views["page"].tolist() == ["/", "/jobs"]
    assert views.attrs["dropped"]["broken"] == 2
    assert views.attrs["broken_lines"] == ("x", "y")


def test_no_address_and_no_name_is_in_the_frame_or_beside_it(tmp_path):
    lines = [line(f"GET /p{i % 3} HTTP/1.1", address=f"192.0.2.{i}") for i in range(50)]
    lines += ["192.0.2.99 broken", "from 198.51.100.4 and 2001:db8::17", line(address="2001:db8::9")]
    views = load(log(tmp_path, *lines))
    told = views.to_csv() + repr(views.attrs)
    for secret in ("192.0.2", "198.51", "2001:db8", "frank", "example.org", "Mozilla"):
        assert secret not in told
    assert views.attrs["broken_lines"][1] == "(visitor) (address) and (address)"


def test_numbers_of_visitors_follow_their_first_view():
    assert number_visitors(pd.Series(["z", "a", "z"])).tolist() == ["visitor 1", "visitor 2", "visitor 1"]


HOSTILE = {
    "markup": b"/<script>alert(1)</script>",
    "quotes": b'/it\'s-\\"quoted\\"',
    "long": b"/" + b"a" * 10_000,
    "no_utf8": b"/\xff\xfe\x80",
    "escaped": b"/\\xff\\x22",
    "utf8": "/bücher/日本".encode(),
    "line_separators": "/a\u2028b\x0bc\x85".encode(),
    "nul": b"/a\x00b",
    "formula": b"/=cmd|' /C calc'!A0",
    "right_to_left": "/\u202egnp.exe".encode(),
}


def test_hostile_paths_survive_as_text(tmp_path):
    lines = [b'192.0.2.7 - - [31/Jan/2026:12:00:00 +0000] "GET %s HTTP/1.1" 200 5 "-" "%s"' % (path, CHROME.encode())
             for path in HOSTILE.values()]  # fmt: skip
    views = load(log(tmp_path, *lines))
    pages = dict(zip(HOSTILE, views["page"], strict=True))
    assert views.attrs["dropped"]["broken"] == 0
    assert pages["markup"] == "/<script>alert(1)</script>"
    assert pages["quotes"] == r"/it's-\"quoted\""
    assert len(pages["long"]) == 10_001
    assert pages["no_utf8"] == r"/\xff\xfe\x80"
    assert pages["escaped"] == r"/\xff\x22"
    assert pages["utf8"] == "/bücher/日本"
    assert pages["line_separators"] == "/a\u2028b\x0bc\x85"
    assert pages["nul"] == "/a\x00b"
    assert "<script" not in html.escape(views.to_string())
    assert all(page.encode() for page in views["page"])


def test_broken_lines_are_shown_escaped_and_cut(tmp_path):
    broken = [b"\xff<b>\t\x1b[31m" + b"x" * 500, b"\x00", "日本 </script>".encode(), b"fourth"]
    views = read_access_log(log(tmp_path, line(), *broken))
    assert views.attrs["dropped"]["broken"] == 4
    shown = views.attrs["broken_lines"]
    assert len(shown) == 3
    assert all(each.isascii() and each.isprintable() and len(each) <= 80 for each in shown)
    assert shown[0].startswith(r"\\xff<b>\t\x1b[31mxxx")
    assert shown[1:] == (r"\x00", "(visitor) </script>")


@pytest.mark.parametrize(
    "hostile",
    [
        b'1 - - [31/Jan/2026:12:00:00 +0000] "' + b"\\" * 10_000,
        b'1 - - [31/Jan/2026:12:00:00 +0000] "' + b'GET " ' * 2_000,
        b"[" * 10_000,
        b"1 - - " + b"[ " * 5_000,
        line().encode() + b' "' * 5_000,
        line().encode() + b" x" * 5_000 + b' "',
        line("GET " + " HTTP/1." * 1_500).encode(),
    ],
)
def test_no_line_takes_long(tmp_path, hostile):
    path = log(tmp_path, line(), *[hostile] * 50)
    begin = time.perf_counter()
    assert len(read_access_log(path)) >= 1
    assert time.perf_counter() - begin < 5


def test_a_log_in_blocks_is_the_log_at_once(tmp_path, monkeypatch):
    lines = [line(f"GET /p{i % 7} HTTP/1.1", address=f"192.0.2.{i % 5}") for i in range(300)]
    path = log(tmp_path, *lines, "x", b"\xef\xbb\xbf")
    whole = load(path, keep_repeats=True)
    monkeypatch.setattr("workbench.datasets.access_logs.BLOCK_BYTES", 1_000)
    pd.testing.assert_frame_equal(load(path, keep_repeats=True), whole)


def test_windows_line_ends_and_a_mark_in_front_do_no_harm(tmp_path):
    path = tmp_path / "access.log"
    path.write_bytes(b"\xef\xbb\xbf" + line().encode() + b"\r\n" + line("GET /jobs HTTP/1.1").encode() + b"\r\n")
    assert read_access_log(path)["page"].tolist() == ["/", "/jobs"]


def test_a_log_can_be_split(tmp_path):
    clocks = [f"31/Jan/2026:{i // 60:02d}:{i % 60:02d}:00 +0000" for i in range(400)]
    lines = [
        line(f"GET /p{i % 4} HTTP/1.1", address=f"192.0.2.{i // 8}", clock=clock) for i, clock in enumerate(clocks)
    ]
    split = split_by_time(load(log(tmp_path, *lines)))
    assert (split.how, split.cluster) == ("by time", "user_id")
    assert sum(len(part) for _, part in split.parts()) == 400


def test_every_rule_is_explained():
    assert all(RULES.values())
    assert list(RULES) == ["broken", "not_get", "prefetch", "redirect", "error", "static", "bot"]
