import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.loading import load, measurements
from workbench.datasets.schema import Column, known_context
from workbench.errors import WorkbenchError

CARD = """
title = "Ours"
known_by = "client_js"
missing = ["?"]
drop_duplicates = true
margin = 2.5
[assume]
downlink_mbps = [2, 10, 50]
[constants]
country = "NA"
[columns]
RTT = "rtt_ms"
who = "user_id"
asn = "asn"
saver = "save_data"
tariff = "plan"
[context.plan]
type = "text"
level = "first_request"
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


@pytest.fixture
def card(tmp_path: Path) -> Path:
    (tmp_path / "ours.toml").write_text(CARD)
    (tmp_path / "wifi.csv").write_text(WIFI)
    (tmp_path / "mobile.csv").write_text(MOBILE)
    return tmp_path / "ours.toml"


def test_a_card_brings_files_into_one_canonical_table(card):
    views = load(card)
    expected = pd.DataFrame(
        {
            "country": ["NA"] * 4,
            "asn": ["0064", "15169", "15169", "701"],
            "save_data": pd.array([True, None, None, None], "boolean"),
            "connection_type": ["wifi", "wifi", "4g", "4g"],
            "user_id": ["ann", "ann", "ann", None],
            "rtt_ms": [10.0, 20.0, 20.0, 90.0],
            "plan": ["A", None, None, "B"],
        }
    ).astype(dict.fromkeys(["country", "asn", "connection_type", "user_id", "plan"], "str"))
    pd.testing.assert_frame_equal(views, expected)


def test_what_was_dropped_is_counted_and_the_same_row_in_two_files_is_two_views(card):
    assert load(card).attrs["dropped"] == {"duplicates": 1, "unmeasured": 1}


def test_repeated_rows_are_views_where_the_card_does_not_call_them_copies(card):
    card.write_text(CARD.replace("drop_duplicates = true\n", ""))
    views = load(card)
    assert len(views) == 5
    assert views.attrs["dropped"] == {"duplicates": 0, "unmeasured": 1}


def test_the_card_rides_along_with_its_facts(card):
    facts = load(card).attrs["card"]
    assert (facts.name, facts.title, facts.known_by, facts.margin) == ("ours", "Ours", "client_js", 2.5)
    assert facts.assume == {"downlink_mbps": (2, 10, 50)}
    assert facts.context == (Column("plan", "str", "first_request", ""),)
    assert not facts.simulated


def test_a_context_column_of_the_card_is_known_at_its_level(card):
    views = load(card)
    known = known_context(views, "client_js", views.attrs["card"].context)
    assert known["plan"].fillna("(missing)").tolist() == ["A", "(missing)", "(missing)", "B"]
    assert set(known["connection_type"]) == {"wifi", "cellular"}


def test_rows_draws_whole_users_by_seed(card):
    everyone = load(card)
    drawn = [load(card, rows=3, seed=seed) for seed in range(10)]
    assert {len(frame) for frame in drawn} == {1, 3}
    for frame in drawn:
        assert frame.index.tolist() == list(range(len(frame)))
        assert frame.attrs["card"] == everyone.attrs["card"]
        assert frame.attrs["dropped"] == everyone.attrs["dropped"]


def test_a_missing_file_is_told_with_the_name_of_the_card(card, monkeypatch):
    monkeypatch.delenv("WORKBENCH_MIRROR", raising=False)
    (card.parent / "wifi.csv").unlink()
    with pytest.raises(WorkbenchError, match=r"^ours: wifi\.csv has no public address"):
        load(card)


def test_a_card_without_files_and_a_table_without_measurements_are_refused(card):
    (card.parent / "empty.toml").write_text('title = "Empty"')
    with pytest.raises(WorkbenchError, match="empty: the card names no file and no generator"):
        load(card.parent / "empty.toml")
    for name in ("wifi.csv", "mobile.csv"):
        (card.parent / name).write_text(WIFI.replace("10,ann", ",ann").replace("20,ann", ",ann"))
    with pytest.raises(WorkbenchError, match="ours: expected measured rows; every row lacks its measurement"):
        load(card)


def test_a_simulated_set_is_made_at_the_size_that_is_asked_for():
    views = load("synthetic_null", rows=300)
    assert len(views) == 300
    assert views.attrs["card"].simulated
    assert views.attrs["card"].generate == {"rows": 300, "seed": 0, "planted": False}
    assert views["local_hour"].between(0, 23).all()


@pytest.mark.parametrize("rows", [0, -1, 2.5, "10", True])
def test_a_number_of_rows_that_cannot_be_is_refused(card, rows):
    with pytest.raises(WorkbenchError, match=rf"^rows must be a whole number from 1; got {rows!r}\.$"):
        load(card, rows=rows)


def test_a_seed_that_cannot_be_is_refused(card):
    with pytest.raises(WorkbenchError, match=r"^seed must be a whole number from 0; got -1\.$"):
        load(card, rows=3, seed=-1)


def test_numbers_of_numpy_are_numbers(card):
    assert len(load(card, rows=np.int64(4), seed=np.int64(1))) == 4


# A person's own frame.


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
    assert views["connection_type"].tolist() == ["wifi", "4g"]
    assert views.index.tolist() == [0, 1]
    card = views.attrs["card"]
    assert (card.name, card.known_by, card.simulated, card.margin) == ("our RUM", "native_app", True, 0.5)
    assert card.assume == {"downlink_mbps": (2.0, 10.0, 50.0)}
    with pytest.raises(
        WorkbenchError, match=r"our RUM: column 'rtt_ms' must be above 0, or infinite .*; 1 value differs"
    ):
        measurements(own.assign(RTT=[0, 1]), columns={"RTT": "rtt_ms"}, name="our RUM")


def test_a_frame_that_says_it_is_simulated_is_so():
    frame = pd.DataFrame({"rtt_ms": [1.0, 2.0, 3.0], "simulated": [False, True, None]})
    assert measurements(frame).attrs["card"].simulated
    assert not measurements(frame.head(1)).attrs["card"].simulated


@pytest.mark.parametrize("assumed", [10, "abc", (1, 2), (3, 2, 1), ("a", 2, 3), (1, 2, np.inf), (0, 1, 2)])
def test_what_is_assumed_must_rise(assumed):
    with pytest.raises(WorkbenchError, match=r"^your data: assume\.downlink_mbps must be three rising numb"):
        measurements(pd.DataFrame({"rtt_ms": [1.0]}), assume={"downlink_mbps": assumed})


def test_a_quantity_or_level_that_does_not_exist_is_answered_with_the_nearest():
    frame = pd.DataFrame({"rtt_ms": [1.0]})
    with pytest.raises(WorkbenchError, match="Did you mean 'downlink_mbps'"):
        measurements(frame, assume={"downlink": (1, 2, 3)})
    with pytest.raises(WorkbenchError, match="Did you mean 'client_js'"):
        measurements(frame, known_by="clientjs")


def test_what_is_no_frame_is_refused():
    with pytest.raises(WorkbenchError, match=r"^your data: expected a pandas DataFrame; got list\.$"):
        measurements([1, 2])


# Real data: 50,000 mobile speed tests.


@pytest.fixture(scope="module")
def tests_of_china(mirror: Path) -> pd.DataFrame:
    return load("mobile_bandwidth")


@pytest.fixture(scope="module")
def lines(mirror: Path) -> list[dict[str, str]]:
    """The lines of the files as they are, by the csv module; ``file`` tells which."""
    found = []
    for path in sorted((mirror / "mobile_bandwidth").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found += [{**line, "file": path.name} for line in csv.DictReader(file)]
    return found


def test_mobile_bandwidth_has_the_rows_and_users_of_its_files(tests_of_china, lines):
    distinct = {tuple(line.values()) for line in lines}
    assert len(lines) == 50_000
    assert len(tests_of_china) == len(distinct) == 49_915
    assert tests_of_china.attrs["dropped"] == {"duplicates": 85, "unmeasured": 0}
    assert tests_of_china["user_id"].nunique() == len({line["user_uid"] for line in lines}) == 26_645


def test_mobile_bandwidth_tells_the_access_technology_by_the_file(tests_of_china, lines):
    counts = tests_of_china["access_technology"].value_counts()
    for name, technology in {"4G": "4g", "5G": "5g", "wifi4": "wifi4", "wifi5": "wifi5", "wifi6": "wifi6"}.items():
        assert counts[technology] == len({tuple(line.values()) for line in lines if line["file"] == f"{name}.csv"})


def test_mobile_bandwidth_keeps_its_speeds(tests_of_china, lines):
    distinct = {tuple(line.values()): float(line["bandwidth_Mbps"]) for line in lines}
    assert sorted(tests_of_china["downlink_mbps"]) == sorted(distinct.values())


def test_mobile_bandwidth_leaves_an_unknown_provider_missing(tests_of_china, lines):
    providers = {"China Telecom", "China Mobile", "China Unicom"}
    unknown = {tuple(line.values()) for line in lines if line["user_isp_id"] not in providers}
    assert tests_of_china["isp"].isna().sum() == len(unknown) > 0
    assert set(tests_of_china["isp"].dropna()) == providers


def test_mobile_bandwidth_is_known_by_an_app(tests_of_china):
    assert tests_of_china.attrs["card"].known_by == "native_app"
    assert set(tests_of_china["connection_type"].dropna()) == {"wifi", "3g", "4g", "5g"}
    assert tests_of_china["connection_type"].isna().sum() == 4  # three "unknown", one "NONE"
    assert set(tests_of_china["country"]) == {"CN"}
    assert tests_of_china["os_major"].between(4, 13).mean() > 0.99
