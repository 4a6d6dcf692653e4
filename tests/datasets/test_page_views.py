import csv
import io
import json

import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.cards import Card
from workbench.datasets.page_views import first_rule, name_people, of_people

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1 Version/17 Mobile/15E148 Safari/604.1"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
CLF = "%d/%b/%Y:%H:%M:%S %z"
# Time of day, client, request, status, user agent: two people on two pages, and what is no page view of a person.
REQUESTS = [
    ("12:00:00", "203.0.113.7:41000", "GET", "/jobs", 200, CHROME),
    ("12:00:10", "203.0.113.7:41001", "GET", "/mail", 304, CHROME),
    ("12:00:20", "203.0.113.7:41002", "GET", "/jobs", 200, IPHONE),
    ("12:00:30", "203.0.113.7:41003", "POST", "/jobs", 200, CHROME),
    ("12:00:40", "203.0.113.7:41004", "GET", "/old", 301, CHROME),
    ("12:00:50", "203.0.113.7:41005", "GET", "/none", 404, CHROME),
    ("12:01:00", "198.51.100.4:80", "GET", "/jobs", 200, GOOGLEBOT),
    ("12:01:10", "198.51.100.5:80", "GET", "/jobs", 200, "Foo/1.2"),
    ("12:01:20", "198.51.100.6:80", "GET", "/jobs", 200, ""),
]
LEFT_OUT = {"not_get": 1, "redirect": 1, "error": 1, "bot_crawler": 1, "bot_unknown": 1, "no_agent": 1}
COLUMNS = {"@timestamp": "viewed_at", "source.address": "address", "verb": "method", "url": "page"}
COLUMNS |= {"response": "status", "agent": "user_agent"}


def table(**others):
    rows = [
        {"@timestamp": f"2026-01-31T{clock}Z", "source.address": address, "verb": method, "url": page}
        | {"response": status, "agent": agent}
        for clock, address, method, page, status, agent in REQUESTS
    ]
    return pd.DataFrame(rows).assign(**others)


def written(tmp_path, name, text, columns, *entries):
    (tmp_path / name).write_text(text)
    given = ", ".join(f'"{source}" = "{known}"' for source, known in columns.items())
    lines = ['kind = "navigations"', f"columns = {{ {given} }}", *entries, "[[files]]", f'name = "{name}"']
    path = tmp_path / "ours.toml"
    path.write_text("\n".join(lines))
    return path


def check_the_views(views):
    assert views["page"].tolist() == ["/jobs", "/mail", "/jobs"]
    assert views["user_id"].tolist() == ["visitor 1", "visitor 1", "visitor 2"]
    assert views["device"].tolist() == ["desktop", "desktop", "phone"] and views["browser"][0] == "Chrome"
    assert {why: count for why, count in views.attrs["dropped"].items() if count} == LEFT_OUT
    assert any("1 requests" in said and "Foo" in said for said in views.attrs["warnings"])
    assert not {"user_agent", "status", "method", "address"} & {*views}
    assert "203.0" not in views.to_csv() + repr(views.attrs["warnings"])


def test_a_log_exported_as_csv_is_read_by_the_rules_of_logs(tmp_path):
    out = io.StringIO()
    table().to_csv(out, index=False, quoting=csv.QUOTE_MINIMAL)
    check_the_views(wb.load(written(tmp_path, "export.csv", out.getvalue(), COLUMNS)))


@pytest.mark.parametrize(
    ("form", "entry"),
    [("%Y-%m-%dT%H:%M:%S.000000000Z", ""), (CLF, f'time_format = "{CLF}"'), ("unix_ms", 'time_unit = "unix_ms"')],
)
def test_a_json_log_with_names_of_its_own_is_read_by_the_rules_of_logs(tmp_path, form, entry):
    lines = []
    for clock, address, method, page, status, agent in REQUESTS:
        at = pd.Timestamp(f"2026-01-31T{clock}Z")
        when = at.value // 10**6 if form == "unix_ms" else at.strftime(form)
        row = {"at": when, "peer": {"ip": f"{address}, 10.0.0.1"}, "line": f"{method} {page}?x=1 HTTP/1.1"}
        lines.append(json.dumps(row | {"rc": f"{status}.0", "ua": agent or None}))
    columns = {"at": "viewed_at", "peer.ip": "address", "line": "page", "rc": "status", "ua": "user_agent"}
    card = written(tmp_path, "access.log", "\n".join(lines), columns, 'reader = "jsonl"', entry)
    check_the_views(wb.load(card))


@pytest.mark.parametrize("status", [lambda code: code, float, str, lambda code: f"{code} Some Words", "{}.0".format])
def test_a_status_is_a_number_or_a_text(status):
    frame = table()
    check_the_views(
        wb.navigations(frame.assign(response=[status(code) for code in frame["response"]]), columns=COLUMNS)
    )


def test_ids_and_devices_of_the_source_go_before_those_of_the_request():
    frame = table(who="anna", kind="watch")
    views = wb.navigations(frame, columns={**COLUMNS, "who": "user_id", "kind": "device"})
    assert (
        {*views["user_id"]} == {"anna"}
        and {*views["device"]} == {"watch"}
        and {*views["os_family"]} == {"Windows", "iOS"}
    )
    views = wb.navigations(frame, columns={**COLUMNS, "who": "session_id"})
    assert "user_id" not in views and views["session_id"].nunique() == 1


def test_of_what_was_unchanged_no_byte_was_sent():
    views = wb.navigations(table(page_bytes=500.0), columns=COLUMNS)
    assert views["page_bytes"].fillna(-1).tolist() == [500, -1, 500]


def test_a_row_without_an_address_has_no_user():
    frame = table()
    frame.loc[1, "source.address"] = None
    views = wb.navigations(frame, columns=COLUMNS)
    assert views["page"].tolist() == ["/jobs", "/jobs"] and views.attrs["dropped"]["no_user"] == 1


def test_addresses_as_ids_of_users_lose_their_ports():
    columns = {"@timestamp": "viewed_at", "source.address": "user_id", "url": "page"}
    users = [*wb.navigations(table(), columns=columns)["user_id"].unique()]
    assert users == ["203.0.113.7", "198.51.100.4", "198.51.100.5", "198.51.100.6"]
    names = table().assign(**{"source.address": [f"ann:{i}" for i in range(len(REQUESTS))]})
    assert wb.navigations(names, columns=columns)["user_id"].nunique() == len(REQUESTS)


@pytest.mark.parametrize(
    ("first", "second", "users"),
    [
        ("203.0.113.1, 10.0.0.7", "203.0.113.1, 10.0.0.8", 1),
        ("10.0.0.7, 203.0.113.1", "10.0.0.7, 203.0.113.2", 2),
        ("2001:db8:0:0:0:0:0:1:40001", "2001:db8::1", 1),
        ("2001:0db8::0001", "[2001:DB8::1]:443", 1),
        ("anna, lind", "anna, berg", 2),
    ],
)
def test_forwarded_lists_and_spellings_of_an_address_are_one_user(first, second, users):
    views = pd.DataFrame({"user_id": [first, second] * 2, "page": ["/a", "/b", "/c", "/d"]})
    views["viewed_at"] = pd.Timestamp("2026-01-31T12:00Z") + pd.to_timedelta(range(4), unit="min")
    assert wb.navigations(views)["user_id"].nunique() == users


@pytest.mark.parametrize(
    ("name", "source"), [("status", "verb"), ("method", "response"), ("address", "agent"), ("user_agent", "verb")]
)
def test_a_column_that_holds_something_else_is_refused_without_its_values(name, source):
    columns = {"@timestamp": "viewed_at", "url": "page", "who": "user_id", source: name}
    with pytest.raises(wb.WorkbenchError, match=rf"'{name}' must hold .*Name another") as caught:
        wb.navigations(table(who="anna"), columns=columns)
    assert "POST" not in str(caught.value) and "Mozilla" not in str(caught.value)


def test_an_unmapped_column_is_used_only_if_it_holds_what_its_name_says():
    columns = {"@timestamp": "viewed_at", "url": "page", "who": "user_id"}
    frame = table(who="anna", status="member", method=table()["verb"])
    views = wb.navigations(frame, columns=columns)
    assert views.attrs["dropped"] == {"not_get": 1, "repeats": 2}
    assert any("status holds no HTTP status" in said for said in views.attrs["warnings"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user_agent", "mobile"),
        ("user_agent", "text/html"),
        ("address", "Berlin"),
        ("address", "12:30"),
        ("status", "7"),
    ],
)
def test_a_column_that_only_has_the_name_leaves_every_row(name, value):
    frame = pd.DataFrame({"session_id": [1, 1, 2], "page": ["/a", "/b", "/a"], name: value})
    views = wb.navigations(frame)
    assert len(views) == 3 and any(f"Column {name} holds no" in said for said in views.attrs["warnings"])


def test_an_address_may_be_its_hash_where_the_card_says_so():
    frame = table(**{"source.address": [f"h{'ab'[i % 2]}" for i in range(len(REQUESTS))]})
    assert wb.navigations(frame, columns=COLUMNS)["user_id"].tolist() == ["visitor 1", "visitor 2", "visitor 3"]


def test_a_context_column_of_the_card_is_no_status_of_a_request():
    context = {"status": {"type": "text", "level": "client_js"}}
    frame = table(who="anna", status="404")
    columns = {"@timestamp": "viewed_at", "url": "page", "who": "user_id"}
    assert {*wb.navigations(frame, columns=columns, context=context)["status"]} == {"404"}


def test_a_table_of_programs_says_what_became_of_its_rows():
    with pytest.raises(wb.WorkbenchError, match=r"all 2 rows were left out: 2 crawlers"):
        wb.navigations(table(agent=GOOGLEBOT).iloc[:2], columns=COLUMNS)


def test_few_addresses_of_many_people_may_be_a_proxy_in_a_table_too():
    frame = table(response=200, verb="GET", agent=[f"{CHROME} x/{i}" for i in range(len(REQUESTS))])
    views = wb.navigations(frame.assign(**{"source.address": "10.0.0.1"}), columns=COLUMNS)
    assert any("100 % of the page views come from 1 of 1 addresses" in said for said in views.attrs["warnings"])


def test_the_first_rule_counts_then_the_program():
    requests = pd.DataFrame(
        {
            "status": ["404", "301", None, "", "304", "200"],
            "method": ["HEAD", "GET", "GET", None, "GET", "GET"],
            "agent": [GOOGLEBOT, GOOGLEBOT, GOOGLEBOT, None, CHROME, "-"],
        }
    )
    assert first_rule(requests).tolist() == ["not_get", "redirect", "bot_crawler", "", "", "no_agent"]
    assert first_rule(requests, {"broken": requests["status"].eq("304")})[4] == "broken"


def test_a_table_that_says_nothing_of_requests_stays_as_it_is():
    frame, card = pd.DataFrame({"page": ["/a", "/b"], "user_id": ["anna", "bob"]}), Card(name="c", kind="navigations")
    pd.testing.assert_frame_equal(name_people(of_people(frame, card), card), frame)
