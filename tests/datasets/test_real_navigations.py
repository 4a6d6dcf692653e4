"""The three public sets of navigations through their cards, against the raw files counted by another road."""

import csv
import io
import zipfile
from collections import Counter
from itertools import pairwise
from urllib.parse import unquote

import numpy as np
import pytest

from workbench.datasets.loading import load
from workbench.datasets.readers import links_of
from workbench.datasets.schema import known_context
from workbench.datasets.sessions import has_dwell, share_of_session_ends
from workbench.datasets.splits import split_by_time


def raw_clicks(mirror) -> list[dict[str, str]]:
    with zipfile.ZipFile(mirror / "eshop2008" / "clickstream+data+for+online+shopping.zip") as archive:
        text = archive.read("e-shop clothing 2008.csv").decode()
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def raw_sequences(mirror) -> list[list[str]]:
    with zipfile.ZipFile(mirror / "msnbc" / "msnbc990928.zip") as archive:
        lines = archive.read("msnbc990928.seq").decode().split("\n")
    names = lines[2].split()
    return [[names[int(number) - 1] for number in line.split()] for line in lines[7:] if line.strip()]


def raw_games(mirror) -> list[list[str]]:
    lines = (mirror / "wikispeedia" / "paths_unfinished.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def test_the_shop_keeps_every_click_in_order(mirror):
    rows = raw_clicks(mirror)
    views = load("eshop2008", keep_repeats=True)
    assert len(views) == len(rows) == 165_474
    assert views["session_id"].nunique() == 24_026
    assert len(views["page"].cat.categories) == 217
    assert views["page"].tolist() == [row["page 2 (clothing model)"] for row in rows]
    assert (views["position"] + 1).tolist() == [int(row["order"]) for row in rows]
    assert views["viewed_at"].dt.strftime("%Y-%-m-%-d").tolist() == [
        f"{row['year']}-{row['month']}-{row['day']}" for row in rows
    ]
    assert views["price_usd"].tolist() == [float(row["price"]) for row in rows]


def test_the_shop_collapses_repeats_and_has_neither_users_nor_dwell(mirror):
    views = load("eshop2008")
    assert (len(views), views.attrs["dropped"]) == (157_889, {"duplicates": 0, "repeats": 7_585})
    assert share_of_session_ends(views) == pytest.approx(24_026 / 157_889)
    assert "user_id" not in views
    assert not has_dwell(views)


def test_the_shops_countries_are_iso_codes_and_domains_are_none(mirror):
    rows = raw_clicks(mirror)
    views = load("eshop2008", keep_repeats=True)
    codes = Counter(row["country"] for row in rows)
    counted = views["country"].value_counts()
    assert counted["PL"] == codes["29"] == 133_963
    assert (counted["CZ"], counted["GB"], counted["DE"]) == (codes["9"], codes["41"], codes["16"])
    assert views["country"].isna().sum() == sum(codes[code] for code in ("12", "43", "44", "45", "46", "47"))
    assert len(counted) == len(codes) - 6 == 41
    assert counted.index.str.fullmatch("[A-Z]{2}").all()


def test_the_shops_listing_is_context_of_the_view(mirror):
    views = load("eshop2008")
    context = known_context(views, "first_request", views.attrs["card"].context)
    assert {"category", "colour", "location", "photograph", "price_usd", "listing_page"} <= set(context)
    assert set(context["category"]) == {"trousers", "skirts", "blouses", "sale"}
    assert context["location"].nunique() == 6
    assert context["colour"].nunique() == 14


def test_msnbc_has_every_sequence(mirror):
    sequences = raw_sequences(mirror)
    views = load("msnbc", keep_repeats=True)
    assert len(sequences) == views["session_id"].nunique() == 989_818
    assert len(views) == 4_698_794
    assert Counter(views["page"].astype(object)) == Counter(page for pages in sequences for page in pages)
    ends = np.flatnonzero(np.diff(views["session_id"], append=-1))
    assert views["position"].to_numpy()[ends].tolist() == [len(pages) - 1 for pages in sequences]
    assert views["page"].astype(object).to_numpy()[ends].tolist() == [pages[-1] for pages in sequences]


def test_msnbc_pages_are_sections_that_mostly_repeat(mirror):
    views = load("msnbc")
    assert views.attrs["dropped"]["repeats"] == 4_698_794 - len(views) == 2_428_198
    assert views.attrs["dropped"]["repeats"] / 4_698_794 == pytest.approx(0.52, abs=0.005)
    assert len(views["page"].cat.categories) == 17
    assert (views.attrs["card"].sections, views.attrs["card"].order) == (True, "file")
    assert list(views) == ["view_id", "session_id", "position", "page"]


def test_msnbc_is_drawn_by_sessions(mirror):
    views = load("msnbc", rows=20_000, seed=1)
    assert 19_000 < len(views) <= 20_000
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
    assert views["page"].tolist() == expected
    assert sum(game[3].split(";").count("<") for game in games) == 12_907
    assert len(views["page"].cat.categories) == len(set(expected)) == 4_061


def test_wikispeedia_has_one_time_a_game_and_links_of_its_articles(mirror):
    views = load("wikispeedia")
    assert views.groupby("session_id")["viewed_at"].nunique().max() == 1
    assert views["viewed_at"].dt.year.agg(["min", "max"]).tolist() == [2011, 2014]
    assert not has_dwell(views)
    links = links_of(views)
    assert len(links) == 119_882
    assert "Áedán_mac_Gabráin" in set(links["from_page"])
    forward = views["session_id"].diff().eq(0).to_numpy()
    pairs = set(zip(links["from_page"], links["to_page"], strict=True))
    page = views["page"].astype(object).to_numpy()
    linked = np.array([pair in pairs for pair in pairwise(page)])[forward[1:]]
    assert linked.mean() > 0.85  # the rest are back clicks, and articles that changed since
    split = split_by_time(views)
    assert split.cluster == "user_id"
    assert len(split.links) == 119_882
    assert split.test["earlier_views"].max() > 100
