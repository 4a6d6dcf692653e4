import json
import time

import pandas as pd
import pytest

from workbench.datasets.access_logs import read_access_log
from workbench.datasets.log_formats import KNOWN, find_format, plain_addresses, read_clients
from workbench.errors import WorkbenchError

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
MOMENT = pd.Timestamp("2026-01-31T12:00:00Z")
CLF, ISO, EPOCH = "31/Jan/2026:14:30:00 +0230", "2026-01-31T13:00:00+01:00", 1769860800
TAIL = f'"GET /jobs?id=7 HTTP/1.1" 200 512 "https://example.org/" "{CHROME}"'
NGINX = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
W3C = "#Version: 1.0\n#Fields: "


def read(tmp_path, text, log_format="", client="", time_zone=""):
    path = tmp_path / "access.log"
    path.write_text(text + "\n")
    return read_access_log(path, log_format, client, time_zone)


def request_of(address):
    """A request as Caddy writes it."""
    headers = {"User-Agent": [CHROME], "X-Forwarded-For": ["198.51.100.4"]}
    return {"remote_ip": address, "method": "GET", "host": "Shop.Example:443", "uri": "/jobs?id=7", "headers": headers}


# Each is the same view: GET /jobs by 203.0.113.9 at noon UTC, 512 bytes; and the site, where the line has it.
DETECTED = {
    "combined": (f"203.0.113.9 - - [{CLF}] {TAIL}", None),
    "port": (f"203.0.113.9:41000 - - [{CLF}] {TAIL}", None),
    "user with spaces": (f"203.0.113.9 - anna von lind [{CLF}] {TAIL}", None),
    "user in quotes": (f'203.0.113.9 - "" [{CLF}] {TAIL}', None),
    "two forwarded in front": (f"203.0.113.9, 10.0.0.1 - - [{CLF}] {TAIL}", None),
    "an unknown one in front": (f"unknown, 203.0.113.9,10.0.0.1 - - [{CLF}] {TAIL}", None),
    "a list in quotes": (f'"203.0.113.9, 10.0.0.1" 10.0.0.1 - - [{CLF}] {TAIL}', None),
    "S3's": (
        f"0f3e bucket [{CLF}] 203.0.113.9 - 3E57 REST.GET.OBJECT jobs {TAIL.replace('512', '512 - 9 70 10')}",
        None,
    ),
    "none forwarded": (f"- 203.0.113.9 - - [{CLF}] {TAIL}", None),
    "a container in front": (f"web-1  | 203.0.113.9 - - [{CLF}] {TAIL}", None),
    "syslog in front": (f"Jan 31 12:00:00 web1 nginx: 203.0.113.9 - - [{CLF}] {TAIL}", None),
    "a container's time in front": (f"2026-01-31T12:00:00.00Z stdout F 203.0.113.9 - - [{CLF}] {TAIL}", None),
    "site and port in front": (f"shop.example:443 203.0.113.9 - - [{CLF}] {TAIL}", "shop.example"),
    "site in front, then a list": (f"Shop.Example 203.0.113.9, 10.0.0.1 - - [{CLF}] {TAIL}", "shop.example"),
    "site for ident": (f"203.0.113.9 shop.example - [{CLF}] {TAIL}", "shop.example"),
    "proxy": (f'203.0.113.9 - - [{CLF}] "GET http://shop.example:80/jobs HTTP/1.1" 200 512', "shop.example"),
    "ISO time": (f"203.0.113.9 - - [{ISO}] {TAIL}", None),
    "bare ISO time with fractions": (f"203.0.113.9 - - 2026-01-31T12:00:00.000Z {TAIL}", None),
    "time first": (f"[{CLF}] 203.0.113.9 - - {TAIL}", None),
    "fields between": (f"203.0.113.9 - - [{CLF}] [0.003] (a=b) {TAIL}", None),
    "field before the status": (f"203.0.113.9 - - [{CLF}] {TAIL.replace(' 200 ', ' 0.113 200 ')}", None),
    "field after the size": (f"203.0.113.9 - - [{CLF}] {TAIL.replace(' 512 ', ' 512 0.113 rt=0.2 ')}", None),
    "fields behind": (f'203.0.113.9 - - [{CLF}] {TAIL} rt=0.113 uht="0.1, 0.2" "-" [upstream] a="b c"', None),
    "Traefik's common": (f'203.0.113.9 - - [{CLF}] {TAIL} 5 "router@docker" "http://10.0.0.1:80" 12ms', None),
    "ALB": (
        f"https 2026-01-31T12:00:00.000000Z app/web/50 203.0.113.9:2817 10.0.0.1:80 0.1 0.2 0.0 200 200 34 512 "
        f'"GET https://shop.example:443/jobs?id=7 HTTP/1.1" "{CHROME}" ECDHE TLSv1.2 arn:aws "Root=1" "shop.example"',
        "shop.example",
    ),
    "Caddy": (
        json.dumps({"ts": EPOCH + 0.0, "request": request_of("203.0.113.9"), "size": 512, "status": 200}),
        "shop.example",
    ),
    "Traefik": (
        json.dumps(
            {"ClientHost": "203.0.113.9", "RequestMethod": "GET", "RequestPath": "/jobs?id=7", "DownstreamStatus": 200}
            | {"DownstreamContentSize": 512, "StartUTC": "2026-01-31T12:00:00.000000000Z", "Duration": 12}
            | {"RequestHost": "shop.example", "OriginStatus": 500, "request_User-Agent": CHROME}
        ),
        "shop.example",
    ),
    "nginx JSON": (
        json.dumps(
            {"time_local": CLF, "remote_addr": "203.0.113.9", "request": "GET /jobs?id=7 HTTP/2.0", "status": "200"}
            | {"body_bytes_sent": "512", "http_user_agent": CHROME, "request_time": "0.113"}
        ),
        None,
    ),
    "Elastic's JSON": (
        json.dumps(
            {"@timestamp": ISO, "client": {"ip": "203.0.113.9"}, "user_agent": {"original": CHROME}}
            | {"url": {"path": "/jobs", "query": "id=7"}, "http": {"request": {"method": "GET"}}}
            | {"http.response": {"status_code": 200, "bytes": 512}}
        ),
        None,
    ),
    "CloudFront": (
        W3C
        + "date time sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(User-Agent) cs-uri-query "
        + "x-host-header\n"
        + "2026-01-31\t12:00:00\t512\t203.0.113.9\tGET\td1.cloudfront.example\t/jobs\t200\t"
        + CHROME.replace(" ", "%20")
        + "\tid=7\tshop.example",
        "shop.example",
    ),
    "IIS": (
        W3C
        + "date time s-ip cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) sc-status sc-bytes time-taken\n"
        + "2026-01-31 12:00:00 10.0.0.1 GET /jobs - 203.0.113.9 "
        + CHROME.replace(" ", "+")
        + " 200 512 15\r",
        None,
    ),
}
BY_STRING = {
    NGINX: f"203.0.113.9 - anna lind [{CLF}] {TAIL}",
    f"log_format main '$remote_addr - $remote_user [$time_iso8601] '\n '{NGINX[41:]}';": (
        f"203.0.113.9 - - [{ISO}] {TAIL}"
    ),
    r'LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\" %D" timed': (
        f"203.0.113.9 - - [{CLF}] {TAIL} 98"
    ),
    r"%{X-Forwarded-For}i %l %u %t %D \"%m %U%q %H\" %s %B": (
        f'203.0.113.9, 10.0.0.1 - - [{CLF}] 98 "GET /jobs?id=7 HTTP/1.1" 200 512'
    ),
    "$msec|$remote_addr|$request_method|$request_uri|$status|$bytes_sent|$http_user_agent|": (
        f"{EPOCH}.000|203.0.113.9|GET|/jobs?id=7|200|512|{CHROME}|"
    ),
    r"time:%{%d.%m.%Y %H:%M:%S %z}t\thost:%a\treq:%r\tstatus:%s\tsize:%b\tua:%{User-Agent}i": (
        "time:31.01.2026 12:00:00 +0000\thost:203.0.113.9\treq:GET /jobs?id=7 HTTP/1.1\tstatus:200\tsize:512"
        f"\tua:{CHROME}"
    ),
    r"%{usec}t %a %r %s %b": f"{EPOCH}000000 203.0.113.9 GET /jobs HTTP/1.1 200 512",
    '$upstream_response_time $remote_addr [$time_local] "$request" $status ${bytes_sent}': (
        f'0.1, 0.2 203.0.113.9 [{CLF}] "GET /jobs HTTP/1.1" 200 512'
    ),
    '{"t":"$time_iso8601","ip":"$remote_addr","r":"$request","s":$status,"n":$bytes_sent}': (
        f'{{"t":"{ISO}","ip":"203.0.113.9","r":"GET /jobs HTTP/1.1","s":200,"n":512}}'
    ),
}


def check_the_view(views):
    assert len(views) == 1
    view = views.iloc[0]
    assert (view["viewed_at"], view["page"].partition("?")[0], view["page_bytes"]) == (MOMENT, "/jobs", 512)


@pytest.mark.parametrize(("line", "site"), DETECTED.values(), ids=DETECTED.keys())
def test_what_a_line_says_is_told_from_the_line(tmp_path, line, site):
    views = read(tmp_path, line)
    check_the_view(views)
    assert ("host" in views) == (site is not None) and (not site or views["host"].tolist() == [site])
    assert views["address"].tolist() == ["203.0.113.9"] and views.get("user_agent", [CHROME])[0] == CHROME


@pytest.mark.parametrize(("log_format", "line"), BY_STRING.items())
def test_a_format_string_says_where_things_stand(tmp_path, log_format, line):
    views = read(tmp_path, line, log_format)
    check_the_view(views)
    assert views["address"].tolist() == ["203.0.113.9"] and ("user_agent" in views) == (CHROME in line)


@pytest.mark.parametrize(
    ("log_format", "line"),
    [
        (f'{NGINX} "$http_x_forwarded_for"', f'10.0.0.1 - - [{CLF}] {TAIL} "203.0.113.9, 10.0.0.2"'),
        ("", f'10.0.0.1 - - [{CLF}] {TAIL} 0.1 "203.0.113.9, 10.0.0.2"'),
        ("", f'10.0.0.1 - - [{CLF}] {TAIL} "[203.0.113.9]:80"'),
        ("caddy", json.dumps({"ts": EPOCH, "request": request_of("10.0.0.1"), "size": 512, "status": 200})),
        (
            "w3c",
            f"{W3C}date time c-ip x-forwarded-for cs-uri-stem cs(User-Agent)\n"
            f"2026-01-31 12:00:00 10.0.0.1 203.0.113.9 /jobs {CHROME.replace(' ', '+')}",
        ),
    ],
)
def test_the_forwarded_address_is_the_client_where_the_card_says_so(tmp_path, log_format, line):
    forwarded = "198.51.100.4" if log_format == "caddy" else "203.0.113.9"
    line += "\n" + line.replace(f"{forwarded}, 10.0.0.2", "-") if log_format.startswith("$") else ""
    views = read(tmp_path, line, log_format, "forwarded")
    assert views["address"].tolist() == [forwarded, "10.0.0.1"][: len(views)]  # a direct request has none forwarded
    assert read(tmp_path, line, log_format)["address"].tolist() == ["10.0.0.1"] * len(views)


def test_a_forwarded_address_that_the_format_lacks_is_asked_for(tmp_path):
    with pytest.raises(WorkbenchError, match=r"X-Forwarded-For.*leave client out"):
        read(tmp_path, f"203.0.113.9 - - [{CLF}] {TAIL}", client="forwarded")


@pytest.mark.parametrize(
    ("log_format", "words"),
    [
        ("combyned", r"one of common, .*got 'combyned'.*Did you mean 'combined'"),
        ("%h %u", r"the time .* and the request .*got '%h %u'"),
        ("$status", r"the client's address .* and the time .* and the request"),
        (r"%h [%{%Q}t] \"%r\"", r"a time as Python's strptime knows it.*'%Q'"),
    ],
)
def test_a_format_that_is_none_is_refused(log_format, words):
    with pytest.raises(WorkbenchError, match=words):
        find_format(log_format, "")


@pytest.mark.parametrize("name", KNOWN)
def test_lines_of_another_format_show_their_shape_and_what_to_write(tmp_path, name):
    with pytest.raises(WorkbenchError) as caught:
        read(tmp_path, "03:04:05 Anna.Lind@shop.example token=s3cr3t", name)
    text = str(caught.value)
    assert "'0:0:0 a.a@a.a a=a0a0a'" in text and f"in {name} log format" in text and "format = " in text


@pytest.mark.parametrize(
    ("log_format", "line"),
    [
        (r'%{c}a [%{%d/%b/%Y %T}t] "%r" %>s %b', '203.0.113.9 [31/Jan/2026 12:00:00] "GET /jobs HTTP/1.1" 200 512'),
        (r'%{c}a %a [%{%s}t] "%r" %>s %b', '10.0.0.9 203.0.113.9 [1769860800] "GET /jobs HTTP/1.1" 200 512'),
        (
            r'%h [%{%F %T}t.%{msec_frac}t] "%r" %>s %b',
            '203.0.113.9 [2026-01-31 12:00:00.250] "GET /jobs HTTP/1.1" 200 512',
        ),
    ],
)
def test_addresses_and_times_of_apache_in_other_words(tmp_path, log_format, line):
    row = read(tmp_path, line, log_format).iloc[0]
    assert (row["address"], str(row["viewed_at"])[:19]) == ("203.0.113.9", "2026-01-31 12:00:00")


def test_a_w3c_log_without_the_address_says_which_field_is_missing(tmp_path):
    with pytest.raises(WorkbenchError, match=r"no client \(c-ip\); found the fields date, time, cs-uri-stem"):
        read(tmp_path, "#Fields: date time cs-uri-stem\n2026-01-31 12:00:00 /jobs")
    fields = "#Fields: date time cs(X-Forwarded-For) cs-uri-stem\n"
    assert read(tmp_path, f"{fields}2026-01-31 12:00:00 203.0.113.9 /jobs")["address"].tolist() == ["203.0.113.9"]


@pytest.mark.parametrize("half", [r"\ud83d", r"\uDE00 "])
def test_half_of_a_surrogate_pair_in_a_json_log_is_a_mark(tmp_path, half):
    lines = [
        f'{{"ip": "203.0.113.9", "ts": 1769860800, "url": "/{page}", "ua": "{CHROME}{page}"}}' for page in ("a", half)
    ]
    views = read(tmp_path, "\n".join(lines))
    assert views["page"].str.strip().tolist() == ["/a", "/\ufffd\ufffd\ufffd"]
    assert views["user_agent"].str.strip().str.endswith(("a", "\ufffd")).all()


def test_a_line_whose_address_or_time_alone_is_bad_shows_its_shape(tmp_path):
    lines = [
        f"{client} - - [{at}] {TAIL}"
        for client, at in [("Jan 31 12:00 nginx:", CLF), ("203.0.113.9", CLF.replace("Jan", "Foo"))]
    ]
    with pytest.raises(WorkbenchError, match=r"2 broken lines.*shape 'a 0 0:0 a: - - 0/a/0:0:0'"):
        read(tmp_path, "\n".join(lines))


def test_local_times_are_of_the_time_zone(tmp_path):
    line = '203.0.113.9 [2026-07-31 14:00:00] "GET /jobs HTTP/1.1" 200 512'
    moments = [
        read(tmp_path, line, r"%h [%{%Y-%m-%d %H:%M:%S}t] \"%r\" %s %b", time_zone=zone)["viewed_at"][0]
        for zone in ("", "Europe/Berlin")
    ]
    assert moments == [pd.Timestamp("2026-07-31T14:00:00Z"), pd.Timestamp("2026-07-31T12:00:00Z")]


def test_w3c_logs_may_change_their_fields_and_lose_a_line(tmp_path):
    rows = ["2026-01-31 12:00:00 203.0.113.9 /jobs", "#Fields: c-ip date cs-uri-stem time"]
    rows += ["203.0.113.8 2026-01-31 /mail 12:00:01", "203.0.113.8 2026-01-31 /cut"]
    views = read(tmp_path, "\n".join(["#Software: a server", "#Fields: date time c-ip cs-uri-stem", *rows]))
    assert views["page"].tolist() == ["/jobs", "/mail"] and views.attrs["dropped"]["broken"] == 1
    assert views.attrs["broken_lines"] == ("0.0.0.0 0-0-0 /a",)


def test_w3c_logs_go_on_in_the_next_block(tmp_path, monkeypatch):
    text = W3C + "date time c-ip cs-uri-stem\n" + "2026-01-31 12:00:00 203.0.113.9 /jobs\n" * 99
    monkeypatch.setattr("workbench.datasets.access_logs.BLOCK_BYTES", 1_000)
    assert len(read(tmp_path, text)) == 99


def test_a_w3c_log_of_header_lines_holds_no_line(tmp_path):
    with pytest.raises(WorkbenchError, match="it holds no line"):
        read(tmp_path, f"{W3C}date time c-ip cs-uri-stem")


@pytest.mark.parametrize("cells", ["2026-01-31 - 203.0.113.9 /x", "- 12:00:00 203.0.113.9 /x", "- - - -"])
def test_a_w3c_line_without_its_time_is_broken(tmp_path, cells):
    views = read(tmp_path, f"{W3C}date time c-ip cs-uri-stem\n{cells}\n2026-01-31 12:00:00 203.0.113.9 /jobs")
    assert views["page"].tolist() == ["/jobs"] and views.attrs["dropped"]["broken"] == 1


def test_a_w3c_log_without_dates_is_of_the_day_above(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.datasets.access_logs.BLOCK_BYTES", 60)
    fields, row = "#Fields: time c-ip cs-uri-stem", "12:00:00 203.0.113.9 /jobs"
    days = [f"#Date: 2026-01-{day} 00:00:02\n{fields}\n{row}\n{row}\n{row}" for day in (30, 31)]
    views = read(tmp_path, "\n".join(["#Software: a server", *days]))
    assert views["viewed_at"].tolist() == [MOMENT - pd.Timedelta(1, "D")] * 3 + [MOMENT] * 3
    with pytest.raises(WorkbenchError, match=r"names no day.*#Date"):
        read(tmp_path, f"{fields}\n{row}")


@pytest.mark.parametrize(
    ("header", "clocks", "days"),
    [
        ("2026-01-30 22:00:00", ["22:00:01", "23:59:59", "00:00:01", "13:00:00", "00:30:00"], [30, 30, 31, 31, 32]),
        ("2026-01-30 23:59:59", ["00:00:01", "00:00:00"], [31, 31]),  # a line may come a second late
        ("2026-01-30", ["12:00:00", "-", "11:00:00"], [30, 30]),
    ],
)
def test_past_midnight_a_w3c_log_without_dates_is_of_the_next_day(tmp_path, monkeypatch, header, clocks, days):
    rows = [f"{clock} 203.0.113.9 /jobs" for clock in clocks]
    for block in (60, 10_000):
        monkeypatch.setattr("workbench.datasets.access_logs.BLOCK_BYTES", block)
        views = read(tmp_path, "\n".join([f"#Date: {header}", "#Fields: time c-ip cs-uri-stem", *rows]))
        first = pd.Timestamp("2026-01-01T00:00Z")
        assert ((views["viewed_at"].dt.normalize() - first).dt.days + 1).tolist() == days


def test_a_log_that_changes_its_format_is_read_on(tmp_path):
    names = ["combined", "ISO time", "site and port in front", "syslog in front"]
    views = read(tmp_path, "\n".join(DETECTED[name][0] for name in names))
    assert views["viewed_at"].tolist() == [MOMENT] * 4 and views["address"].nunique() == 1
    assert not views.attrs["warnings"]


@pytest.mark.parametrize("name", ["combined", "Caddy", "ALB", "CloudFront"])
def test_a_log_may_begin_with_empty_lines(tmp_path, name):
    check_the_view(read(tmp_path, f"\n \n{DETECTED[name][0]}"))


def test_a_comment_makes_no_w3c_log(tmp_path):
    views = read(tmp_path, f"# rotated\n{DETECTED['combined'][0]}")
    check_the_view(views)
    assert views.attrs["dropped"]["broken"] == 1


def test_many_lines_of_another_format_are_warned_of(tmp_path):
    line = DETECTED["combined"][0]
    (said,) = read(tmp_path, "\n".join([line] * 8 + ["anna lind"])).attrs["warnings"]
    assert "1 lines are not in common or combined log format" in said and "'a a'" in said and "format = " in said
    assert not read(tmp_path, "\n".join([line] * 9 + ["anna lind"])).attrs["warnings"]


@pytest.mark.parametrize(
    ("first", "second", "log_format"),
    [
        ("combined", "Caddy", ""),
        ("Caddy", "combined", ""),
        ("combined", "Caddy", "combined"),
        ("ALB", "combined", "alb"),
    ],
)
def test_lines_of_a_second_format_are_not_lost_without_a_word(tmp_path, first, second, log_format):
    lines = [DETECTED[first][0]] * 500 + [DETECTED[second][0]] * 11
    views = read(tmp_path, "\n".join(lines), log_format)
    assert len(views) == 500 and views.attrs["dropped"]["broken"] == 11
    (said,) = views.attrs["warnings"]
    assert "11 lines are not in" in said and "make two files" in said


def test_a_named_format_of_the_common_family_reads_the_site_in_front(tmp_path):
    lines = [DETECTED[name][0] for name in ("combined", "site and port in front")]
    assert read(tmp_path, "\n".join(lines), "combined")["address"].tolist() == ["203.0.113.9"] * 2


def test_a_json_log_with_names_of_its_own_says_the_way_out(tmp_path):
    with pytest.raises(WorkbenchError, match=r'reader = "jsonl", columns = \{.*= "viewed_at".*= "address"'):
        read(tmp_path, json.dumps({"peer": "203.0.113.9", "when": CLF, "line": "GET / HTTP/1.1"}))


def test_a_value_with_hyphens_stays_in_the_query(tmp_path):
    row = {"ip": "203.0.113.9", "time": CLF, "path": "/jobs"}
    lines = [json.dumps(row | {"query": query}) for query in ("id=a-b", "-", "?id=7", None)]
    assert read(tmp_path, "\n".join(lines))["page"].tolist() == ["/jobs?id=a-b", "/jobs", "/jobs?id=7", "/jobs"]


def test_a_line_that_is_no_object_is_broken(tmp_path):
    line = DETECTED["nginx JSON"][0]
    views = read(tmp_path, "\n".join([line, line[:-9], "[1, 2]", line]))
    assert len(views) == 2 and views.attrs["dropped"]["broken"] == 2


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("198.51.100.7:41000", "198.51.100.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:0DB8::0001", "2001:db8::1"),
        ("2001:db8:0:0:0:0:0:1:443", "2001:db8::1"),
        ("2001:db8::1:443", "2001:db8::1:443"),  # seven groups may be meant
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        (' "198.51.100.7, 10.0.0.1"', "198.51.100.7"),
        ("unknown, 10.0.0.1", "10.0.0.1"),
        ("10.0.0.1, 198.51.100.7, 198.51.100.8", "198.51.100.7"),
        ("172.31.0.1, 100.64.0.1, fd00::1, fe80::1, 192.168.0.1, 127.0.0.1, 2001:db8::1", "2001:db8::1"),
        ("172.32.0.1, 198.51.100.7", "172.32.0.1"),
        ("10.0.0.1, 192.168.0.1", "10.0.0.1"),
        ("pc7.example.net", "pc7.example.net"),
        ("-", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_has_no_port(written, plain):
    read = plain_addresses(pd.Series([written, written], dtype=object))
    assert read.where(read.notna(), None).tolist() == [plain, plain]


@pytest.mark.parametrize(
    ("words", "address", "host"),
    [
        ("pc7.example.net - -", "pc7.example.net", None),
        ("pc7.example.net - anna lind", "pc7.example.net", None),
        ("www.shop.example pc7.example.net - -", "pc7.example.net", "www.shop.example"),
        ("2001:db8::7 - anna@shop.example", "2001:db8::7", None),
        ("default:80 2001:db8::7 - -", "2001:db8::7", "default:80"),
        ("[2001:db8::7]:443 - -", "[2001:db8::7]:443", None),
        ("2001:0db8:0:0:0:0:0:7 - -", "2001:0db8:0:0:0:0:0:7", None),
        ("pc7 - -", "pc7", None),
        ("Jan 31 12:00:00 web1 nginx:", None, None),  # rather broken than one person for all
        ("", None, None),
    ],
)
def test_the_words_before_the_time_name_client_and_site(words, address, host):
    read = read_clients(pd.Series([words], dtype=object)).iloc[0]
    assert read.where(read.notna(), None).tolist() == [address, host, None]


BUDGET_S = 2  # what is quadratic in 40,000 characters takes some ten times as long
HOSTILE = [
    "a " * 20_000,
    "$ - " * 9_000,
    '"' * 40_000,
    "\\" * 40_000,
    f"[{CLF}] " * 2_000,
    "1.1.1.1, " * 5_000,
    "{" * 40_000,
    '{"a":' * 500 + "1" + "}" * 500,
    '{"a":' * 50_000 + "1" + "}" * 50_000,
]


@pytest.mark.parametrize("log_format", ["", "alb", "w3c", "caddy", next(iter(BY_STRING))])
@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_a_line_made_to_take_long_is_broken(tmp_path, log_format, hostile):
    began = time.perf_counter()
    with pytest.raises(WorkbenchError, match="all 1 lines were left out: 1 broken lines"):
        read(tmp_path, hostile, log_format)
    assert time.perf_counter() - began < BUDGET_S
