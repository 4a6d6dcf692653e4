import re

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.account import left_out, sentences, understood
from workbench.studies.report import to_text

ROWS = pd.DataFrame({"who": ["ann", "ann", None, "bob", None], "rtt": [10.0, 20.0, 30.0, np.nan, 50.0]})
COLUMNS = {"who": "user_id", "rtt": "rtt_ms"}


def test_what_was_left_out_stands_above_the_rows_and_not_above_what_is_made_of_them():
    views = wb.measurements(ROWS, columns=COLUMNS)
    assert views.attrs["dropped"] == {"duplicates": 0, "no_user": 2, "unmeasured": 1} and len(views) == 2
    told, *advice = sentences(views.attrs)
    assert told.startswith("Of 5 rows read, 3 were left out: 2 ") and "(40 %), 1 " in told
    assert [("separate" in each, "require" in each) for each in advice] == [(True, False), (False, True)]
    assert repr(views).startswith(told) and told in views._repr_html_()
    assert type(views[views["rtt_ms"] > 10]) is pd.DataFrame and left_out({}, 5) == left_out({"no_user": 0}, 5) == ""


def test_rows_of_nobody_are_kept_where_nobody_has_a_name_or_a_card_says_so(tmp_path):
    nameless = wb.measurements(ROWS.assign(who=None), columns=COLUMNS)
    assert len(nameless) == 4 and "user_id" not in nameless
    ROWS.to_csv(tmp_path / "ours.csv", index=False)
    text = 'unknown_user = "separate"\ncolumns = { who = "user_id", rtt = "rtt_ms" }\nfiles = [{ name = "ours.csv" }]'
    (tmp_path / "ours.toml").write_text(text)
    assert wb.load(tmp_path / "ours.toml")["user_id"].isna().sum() == 2


@pytest.mark.parametrize("kind", ["json", "text", "page"])
def test_a_report_tells_what_was_left_out_even_of_a_sample(kind, tmp_path):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"user_id": np.arange(900) // 2, "rtt_ms": rng.uniform(20, 400, 900), "downlink_mbps": 9.0})
    rows.loc[rows.index % 3 == 0, "downlink_mbps"] = rng.uniform(1, 9, 300)
    rows.loc[800:, ["rtt_ms", "downlink_mbps"]] = None
    rows.to_csv(tmp_path / "ours.csv", index=False)
    (tmp_path / "ours.toml").write_text('files = [{ name = "ours.csv" }]')
    result = wb.study(tmp_path / "ours.toml", rows=400)
    told = "Of 900 rows read, 100 were left out: 100 nothing measured (11 %)."
    if kind == "json":
        assert result.to_dict()["dropped"] == {"duplicates": 0, "unmeasured": 100}
    else:
        assert told in (to_text(result) if kind == "text" else result.heading("data"))


def test_who_logs_in_during_a_session_is_known_in_all_of_it():
    rows = pd.DataFrame({"session_id": [1, 1, 2, 3], "user_id": [None, "ann", None, "bob"], "page": list("abcd")})
    views = wb.navigations(rows)
    assert views["user_id"].tolist() == ["ann", "ann", "bob"] and views.attrs["dropped"]["no_user"] == 1


def test_a_sample_is_judged_by_nothing_that_the_whole_does_not_have(tmp_path):
    rows = pd.DataFrame({"user_id": np.arange(1000) // 2, "rtt_ms": np.where(np.arange(1000) % 11, 40.0, np.nan)})
    rows.to_csv(tmp_path / "ours.csv", index=False)
    (tmp_path / "ours.toml").write_text('files = [{ name = "ours.csv" }]')
    whole, sample = wb.load(tmp_path / "ours.toml"), wb.load(tmp_path / "ours.toml", rows=200)
    assert len(sample) < 300 and sentences(sample.attrs) == sentences(whole.attrs) and "(9 %)" in repr(sample)


def test_a_frame_like_another_keeps_the_account_of_it():
    views = wb.measurements(ROWS, columns=COLUMNS)
    again = wb.measurements(views.assign(rtt_ms=1.5), like=views)
    assert sentences(again.attrs) == sentences(views.attrs)


def test_check_says_how_columns_are_read_what_is_lost_and_what_is_missing(tmp_path):
    rows = "at;ping;land\n01/02/2026 10:00;0,04;DE\n01/02/2026 11:00;-1;\n01/03/2026 12:00;0,06;FR\n;0,05;FR\n"
    (tmp_path / "ours.csv").write_text(rows)
    entries = 'separator = ";"\ndecimal = ","\ntime_format = "%m/%d/%Y %H:%M"\ntime_zone = "Europe/Berlin"\n'
    entries += 'lost = { ping = ["-1"] }\nscale = { rtt_ms = 1000 }\nassume = { downlink_mbps = [2, 10, 50] }\n'
    columns = 'columns = { at = "measured_at", ping = "rtt_ms", land = "country" }\nfiles = [{ name = "ours.csv" }]'
    (tmp_path / "ours.toml").write_text(entries + columns)
    said = understood(wb.load(tmp_path / "ours.toml"))
    for told in (
        "4 rows.",
        "at is time of the measurement, written as %m/%d/%Y %H:%M, of Europe/Berlin",
        "ping is round-trip time, in ms once multiplied by 1000; land is country.",
        "From 2026-01-02 09:00:00 to 2026-01-03 11:00:00 (UTC).",
        "round-trip time 55 ms",
        "slower than any other: 1 (25 %)",
        "Missing values: country 1 (25 %), time of the measurement 1 (25 %).",
        "throughput 10 Mbit/s (2 to 50)",
    ):
        assert told in said


def page_rows(once: int, often: int, views_often: int) -> pd.DataFrame:
    pages = [*(f"/once/{i}" for i in range(once)), *(f"/often/{i % often}" for i in range(views_often))]
    return pd.DataFrame({"session_id": range(len(pages)), "page": pages})


@pytest.mark.parametrize(
    ("once", "often", "views_often", "warned"),
    [
        (40, 20, 100, True),  # 40 of 60 pages, 40 of 140 views
        (20, 40, 100, False),  # a third of the pages
        (12, 3, 300, False),  # 12 of 15 pages, but 12 of 312 views
        (9, 3, 20, False),  # too few pages to tell
    ],
)
def test_pages_viewed_once_are_a_warning_where_they_are_most_pages_and_many_views(once, often, views_often, warned):
    views = wb.navigations(page_rows(once, often, views_often))
    said = [sentence for sentence in sentences(views.attrs) if "viewed once" in sentence]
    assert len(said) == warned and all(f"{once:,} of {once + often:,}" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (["9,00720E+17"] * 60 + ["8,00720E+17"] * 60, "2 of 2 users .* scientific notation"),
        (["9.0072e17", *"abcdefghijklm"] * 9, None),
        (["ann"] * 120 + ["bob"] * 100, "One user has 120 of the 220 rows (55 %)"),
        (["ann"] * 100 + ["bob"] * 100, None),
    ],
)
def test_ids_that_a_spreadsheet_rounded_and_a_user_of_most_rows_are_warnings(ids, said):
    frame = wb.measurements(pd.DataFrame({"user_id": ids, "rtt_ms": np.linspace(20, 90, len(ids))}))
    told = " ".join(frame.attrs.get("warnings", ()))
    assert bool(re.search(said.replace("(55 %)", r"\(55 %\)"), told)) if said else "user" not in told
    assert not set(ids) & set(re.split(r"\W+", told))


@pytest.mark.parametrize(
    ("columns", "unknown"), [(["agent", "st"], "method"), (["agent"], "status or method"), ([], "")]
)
def test_check_says_that_requests_are_not_told_from_page_views(tmp_path, columns, unknown):
    agent = "Mozilla/5.0 (Windows NT 10.0) Chrome/130.0"
    (tmp_path / "a.csv").write_text(f"s,page,agent,st\n1,/a,{agent},200\n1,/b,{agent},200\n")
    names = {"s": "session_id", "page": "page", "agent": "user_agent", "st": "status"}
    mapped = ", ".join(f'{name} = "{names[name]}"' for name in ["s", "page", *columns])
    (tmp_path / "a.toml").write_text(f'kind = "navigations"\ncolumns = {{ {mapped} }}\nfiles = [{{ name = "a.csv" }}]')
    said = understood(wb.load(tmp_path / "a.toml"))
    assert (f"named as {unknown}, so" in said) if unknown else ("named as" not in said)


def test_check_shows_the_names_of_columns_that_stand_in_the_card(tmp_path):
    (tmp_path / "a.csv").write_text("@at,Mean download rate of the last hour in Mbps,user\n2026-01-31T18:00Z,40,u\n")
    columns = '"@at" = "measured_at", "Mean download rate of the last hour in Mbps" = "downlink_mbps", user = "user_id"'
    (tmp_path / "a.toml").write_text(f'columns = {{ {columns} }}\nfiles = [{{ name = "a.csv" }}]')
    said = understood(wb.load(tmp_path / "a.toml"))
    assert "@at is" in said and "last hour in Mbps is throughput" in said and "(hidden)" not in said
