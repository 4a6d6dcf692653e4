"""The real sets through their cards, against the raw files counted by another road."""

import csv
import gzip
import io
import zipfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from workbench.datasets.cards import find_card
from workbench.datasets.loading import load
from workbench.datasets.readers import links_of
from workbench.datasets.schema import known_context
from workbench.datasets.sessions import has_dwell, share_of_session_ends
from workbench.datasets.splits import split_by_time


def raw(path: Path) -> list[dict[str, str]]:
    """The cells of a CSV file, without pandas."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def atlas(mirror):
    return load("atlas_pings"), raw(mirror / "atlas_pings" / "atlas_pings.csv.gz")


@pytest.fixture(scope="module")
def panel(mirror):
    return load("ofcom_panel"), raw(mirror / "ofcom_panel" / "ofcom_panel_all_waves.csv")


@pytest.fixture(scope="module")
def hours(mirror):
    return load("ofcom_hours"), raw(mirror / "ofcom_panel" / "ofcom_download_by_hour_band.csv")


def test_atlas_keeps_every_ping_that_was_sent_and_counts_the_lost_ones(atlas):
    views, rows = atlas
    sent = [row for row in rows if row["sent"] != "0"]
    lost = [row["rcvd"] == "0" for row in sent]
    assert len(views) == len(sent) == 38_726
    assert views.attrs["dropped"] == {"duplicates": 0, "skipped": len(rows) - len(sent), "unmeasured": 0}
    np.testing.assert_array_equal(np.isinf(views["rtt_ms"]), lost)
    assert views.attrs["lost"] == sum(lost) == 804 and np.mean(lost) == pytest.approx(0.02, abs=0.002)
    assert all((row["rtt_min"] == "-1.0") == gone for row, gone in zip(sent, lost, strict=True))
    came = [float(row["rtt_avg"]) for row in sent if row["rcvd"] != "0"]
    np.testing.assert_allclose(views["rtt_ms"][~np.array(lost)], came)


def test_atlas_knows_probes_networks_regions_and_times(atlas):
    views, rows = atlas
    sent = [row for row in rows if row["sent"] != "0"]
    assert views["user_id"].nunique() == 466
    for name, column in (("asn", "asn"), ("country", "country"), ("target_region", "target_region")):
        assert views[name].fillna("").tolist() == [row[column] for row in sent]
    seconds = (views["measured_at"] - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    assert seconds.tolist() == [int(row["ts"]) for row in sent]
    assert views["measured_at"].dt.strftime("%F").agg(["min", "max"]).tolist() == ["2023-02-11", "2023-02-18"]
    assert Counter(views["access_technology"]) == Counter(
        {"sl": "starlink"}.get(row["access"], row["access"]) for row in sent
    )
    assert "local_hour" not in views
    known = known_context(views, "first_request", views.attrs["card"].context)
    assert known["target_region"].nunique() == 6 and "access_technology" not in known


def test_namibia_is_a_country_wherever_a_file_says_so(atlas, mirror, tmp_path):
    """The extract lost it (one probe of AS33763 has no country): put back, it arrives."""
    _, rows = atlas
    orphans = {row["asn"] for row in rows if not row["country"] and row["asn"]}
    assert orphans == {"33763"}
    table = pd.read_csv(mirror / "atlas_pings" / "atlas_pings.csv.gz", dtype=str, keep_default_na=False)
    table.loc[table["asn"] == "33763", "country"] = "NA"
    table.to_csv(tmp_path / "atlas_pings.csv.gz", index=False)
    card = (find_card("atlas_pings").folder / "atlas_pings.toml").read_text()
    lines = [line for line in card.splitlines() if not line.startswith("sha256")]
    (tmp_path / "atlas.toml").write_text("\n".join(lines))
    assert (load(tmp_path / "atlas.toml")["country"] == "NA").sum() == 153


def test_the_panel_keeps_households_with_both_quantities(panel):
    views, rows = panel
    both = [row for row in rows if row["latency_24h_ms"] and row["dl_24h_mbps"]]
    assert (len(rows), len(views)) == (13_129, len(both))
    assert views.attrs["dropped"]["unmeasured"] == len(rows) - len(both) == 239
    for name, column in (
        ("rtt_ms", "latency_24h_ms"),
        ("downlink_mbps", "dl_24h_mbps"),
        ("page_load_ms", "web_24h_ms"),
        ("package_down_mbps", "package_down_mbps"),
    ):
        np.testing.assert_allclose(views[name], [float(row[column] or "nan") for row in both])
    assert views["user_id"].tolist() == [row["unit_id"] for row in both]
    assert set(views["country"]) == {"GB"} and views.attrs["lost"] == 0


def test_a_provider_has_one_name_and_a_technology_is_none(panel, hours):
    for views, rows in (panel, hours):
        isps = set(views["isp"].dropna())
        assert {"Virgin", "Kcom", "Zen"} <= isps
        assert isps.isdisjoint({"Virgin Media", "KCOM", "Karoo", "Zen Internet", "SKY", "FTTC", "FTTP"})
        assert "FTTC" in set(views["access_technology"])
        known = known_context(views, "native_app", views.attrs["card"].context)  # what a site may know of a household
        assert {"isp", "region", "nation"} <= set(known)
        assert set(known).isdisjoint({"package_down_mbps", "market", "rurality", "access_technology"})
        assert len(isps) > 30 and len(rows) > len(views) - 1


def test_the_hours_are_the_starts_of_their_bands(hours):
    views, rows = hours
    assert len(views) == len(rows) == 51_480
    assert views["local_hour"].tolist() == [int(row["hour_band"][:2]) for row in rows]
    np.testing.assert_allclose(views["downlink_mbps"], [float(row["dl_mbps"]) for row in rows])
    assert views["user_id"].nunique() == len({row["unit_id"] for row in rows}) and "rtt_ms" not in views


def test_the_assumed_round_trips_are_the_panels_quartiles(panel, hours):
    quartiles = panel[0]["rtt_ms"].quantile([0.25, 0.5, 0.75])
    np.testing.assert_allclose(hours[0].attrs["card"].assume["rtt_ms"], quartiles, atol=0.5)


def test_mobile_bandwidth_has_the_rows_of_its_files(mirror):
    views = load("mobile_bandwidth")
    lines = [{**row, "file": path.stem} for path in mirror.glob("mobile_bandwidth/*.csv") for row in raw(path)]
    distinct = list({tuple(line.values()): line for line in lines}.values())
    assert len(lines) == 50_000 and len(views) == len(distinct) == 49_915
    assert views.attrs["dropped"] == {"duplicates": 85, "unmeasured": 0}
    assert views["user_id"].nunique() == len({line["user_uid"] for line in lines}) == 26_645
    assert Counter(views["access_technology"]) == Counter(line["file"].lower() for line in distinct)
    assert sorted(views["downlink_mbps"]) == sorted(float(line["bandwidth_Mbps"]) for line in distinct)
    providers = {"China Telecom", "China Mobile", "China Unicom"}
    assert set(views["isp"].dropna()) == providers
    assert views["isp"].isna().sum() == sum(line["user_isp_id"] not in providers for line in distinct) > 0
    assert views.attrs["card"].known_by == "native_app"
    assert set(views["connection_type"].dropna()) == {"wifi", "3g", "4g", "5g"}
    assert views["connection_type"].isna().sum() == 4  # three "unknown", one "NONE"
    assert set(views["country"]) == {"CN"} and views["os_major"].between(4, 13).mean() > 0.99


@pytest.fixture(scope="module")
def shop(mirror):
    """Every click of the shop, repeats included, and the raw rows."""
    return load("eshop2008", keep_repeats=True), raw_clicks(mirror)


def raw_clicks(mirror) -> list[dict[str, str]]:
    with zipfile.ZipFile(mirror / "eshop2008" / "clickstream+data+for+online+shopping.zip") as archive:
        text = archive.read("e-shop clothing 2008.csv").decode()
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def raw_sequences(mirror) -> tuple[list[int], list[str]]:
    """How many pages each visitor viewed, and all pages one after the other."""
    with zipfile.ZipFile(mirror / "msnbc" / "msnbc990928.zip") as archive:
        lines = archive.read("msnbc990928.seq").decode().split("\n")
    names = dict(enumerate(lines[2].split(), 1))
    sequences = [line.split() for line in lines[7:] if line.strip()]
    return [len(each) for each in sequences], [names[int(number)] for each in sequences for number in each]


def raw_games(mirror) -> list[list[str]]:
    lines = (mirror / "wikispeedia" / "paths_unfinished.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def test_the_shop_keeps_every_click_in_order(shop):
    views, rows = shop
    assert len(views) == len(rows) == 165_474 and views["session_id"].nunique() == 24_026
    assert len(views["page"].cat.categories) == 217
    assert views["page"].tolist() == [row["page 2 (clothing model)"] for row in rows]
    assert (views["position"] + 1).tolist() == [int(row["order"]) for row in rows]
    assert views["viewed_at"].dt.strftime("%Y-%-m-%-d").tolist() == [
        f"{row['year']}-{row['month']}-{row['day']}" for row in rows
    ]
    assert views["price_usd"].tolist() == [float(row["price"]) for row in rows]


def test_the_shop_collapses_repeats_has_no_users_and_its_listing_is_context(mirror):
    views = load("eshop2008")
    assert (len(views), views.attrs["dropped"]) == (157_889, {"duplicates": 0, "repeats": 7_585})
    assert share_of_session_ends(views) == pytest.approx(24_026 / 157_889) and "user_id" not in views
    assert not has_dwell(views)
    context = known_context(views, "first_request", views.attrs["card"].context)
    assert {"category", "colour", "location", "photograph", "price_usd", "listing_page"} <= set(context)
    assert set(context["category"]) == {"trousers", "skirts", "blouses", "sale"}
    assert (context["location"].nunique(), context["colour"].nunique()) == (6, 14)


def test_the_shops_countries_are_iso_codes_and_domains_are_none(shop):
    views, rows = shop
    codes = Counter(row["country"] for row in rows)
    counted = views["country"].value_counts()
    assert counted["PL"] == codes["29"] == 133_963
    assert (counted["CZ"], counted["GB"], counted["DE"]) == (codes["9"], codes["41"], codes["16"])
    assert views["country"].isna().sum() == sum(codes[code] for code in ("12", "43", "44", "45", "46", "47"))
    assert len(counted) == len(codes) - 6 == 41 and counted.index.str.fullmatch("[A-Z]{2}").all()


def test_msnbc_has_every_sequence(mirror):
    lengths, pages = raw_sequences(mirror)
    views = load("msnbc", keep_repeats=True)
    assert len(lengths) == views["session_id"].nunique() == 989_818 and len(views) == 4_698_794
    assert views["page"].value_counts().to_dict() == Counter(pages)
    ends = np.flatnonzero(np.diff(views["session_id"], append=-1))
    np.testing.assert_array_equal(views["position"].to_numpy()[ends] + 1, lengths)
    last = np.array(pages, object)[np.cumsum(lengths) - 1]
    assert (views["page"].astype(object).to_numpy()[ends] == last).all()


def test_msnbc_pages_are_sections_that_mostly_repeat(mirror):
    views = load("msnbc", rows=20_000, seed=1)
    repeats = views.attrs["dropped"]["repeats"]  # of the whole set
    assert repeats == 2_428_198 and 19_000 < len(views) <= 20_000
    assert (views.attrs["card"].sections, views.attrs["card"].order) == (True, "file")
    assert list(views) == ["view_id", "session_id", "position", "page"]
    split = split_by_time(views)
    assert (split.how, split.cluster) == ("by order", "session_id")


def test_wikispeedia_resolves_every_back_click(mirror):
    games = raw_games(mirror)
    views = load("wikispeedia", keep_repeats=True)
    assert len(games) == views["session_id"].nunique() == 24_875
    assert len(views) == sum(len(game[3].split(";")) for game in games) == 129_295
    assert views["user_id"].nunique() == 11_485
    expected = []
    for game in games:
        pile = []
        for click in game[3].split(";"):
            pile = pile[:-1] if click == "<" else [*pile, unquote(click)]
            expected.append(pile[-1])
    assert views["page"].tolist() == expected and sum(game[3].split(";").count("<") for game in games) == 12_907
    assert len(views["page"].cat.categories) == len(set(expected)) == 4_061


def test_wikispeedia_has_one_time_a_game_and_links_of_its_articles(mirror):
    views = load("wikispeedia")
    assert views.groupby("session_id")["viewed_at"].nunique().max() == 1
    assert views["viewed_at"].dt.year.agg(["min", "max"]).tolist() == [2011, 2014] and not has_dwell(views)
    links = links_of(views)
    assert len(links) == 119_882 and "Áedán_mac_Gabráin" in set(links["from_page"])
    forward = views["session_id"].diff().eq(0).to_numpy()
    pairs = set(zip(links["from_page"], links["to_page"], strict=True))
    page = views["page"].astype(object).to_numpy()
    linked = np.array([pair in pairs for pair in pairwise(page)])[forward[1:]]
    assert linked.mean() > 0.85  # the rest are back clicks, and articles that changed since
    split = split_by_time(views)
    assert split.cluster == "user_id" and len(split.links) == 119_882
    assert split.test["earlier_views"].max() > 100
