import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri
from scipy.stats import ks_2samp

from workbench.datasets import synthetic_facts as facts
from workbench.datasets.schema import BY_NAME, check_measurements
from workbench.datasets.synthetic_network import make_measurements, make_world, true_chance_worse
from workbench.errors import WorkbenchError

ROWS = 60_000
# All that tells views apart, but for the finest versions and NetInfo's numbers; hours come in bands of three.
COLUMNS = ["country", "asn", "isp", "region", "os_family", "os_major", "browser", "device", "save_data", "hours"]
TABLES = [[name] for name in COLUMNS] + [list(pair) for pair in itertools.combinations(COLUMNS, 2)]
MEASURED = ["rtt_ms", "downlink_mbps"]
MOBILE = ["3g", "4g", "5g"]


def with_hour(views: pd.DataFrame) -> pd.DataFrame:
    at = views["measured_at"].dt
    return views.assign(local_hour=(at.hour + at.minute / 60 + at.second / 3600 + views["utc_offset_h"]) % 24)


@pytest.fixture(scope="module")
def views() -> pd.DataFrame:
    return with_hour(make_measurements(ROWS, seed=3))


@pytest.fixture(scope="module")
def null_views() -> pd.DataFrame:
    return with_hour(make_measurements(ROWS, seed=3, planted=False))


def in_planted_cell(views: pd.DataFrame) -> pd.Series:
    world = make_world(3)
    in_turn = views["local_hour"].ge(17) == views["os_family"].eq("iOS")
    return views["asn"].isin(world.asn[world.planted]) & in_turn


def bytes_of(views: pd.DataFrame) -> bytes:
    return pd.util.hash_pandas_object(views).to_numpy().tobytes()


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    first, again, other = (make_measurements(5_000, seed=seed) for seed in (1, 1, 2))
    assert bytes_of(first) == bytes_of(again) != bytes_of(other)


def test_the_frame_keeps_the_contract(views):
    made = views.drop(columns="local_hour")  # the loader's to derive
    checked = check_measurements(made, "synthetic")
    assert len(checked) == ROWS and set(checked) == set(made)
    for name in checked:
        assert views[name].dtype == BY_NAME[name].dtype, name
    assert views["asn"].str.fullmatch(r"\d+").all()
    always = [*MEASURED, "user_id", "measured_at", "asn", "isp", "city", "os_family", "browser", "device"]
    assert views[always].notna().all(axis=None)


def test_networks_do_not_depend_on_the_number_of_rows():
    few, many = make_measurements(2_001, seed=4), make_measurements(20_000, seed=4)
    assert (len(few), len(many)) == (2_001, 20_000)
    isp = many.drop_duplicates("asn").set_index("asn")["isp"]
    assert 60 <= len(isp) <= 100 and (isp.reindex(few["asn"]).to_numpy() == few["isp"].to_numpy()).all()


def test_a_null_world_has_the_same_people_and_visits(views, null_views):
    of_the_line = [*MEASURED, "access_technology", "effective_type", "netinfo_rtt_ms", "netinfo_downlink_mbps"]
    pd.testing.assert_frame_equal(views.drop(columns=of_the_line), null_views.drop(columns=of_the_line))
    inside = in_planted_cell(views)
    assert views.loc[inside, "downlink_mbps"].median() < null_views.loc[inside, "downlink_mbps"].median() / 3


@pytest.mark.parametrize("column", [*MEASURED, "netinfo_rtt_ms", "netinfo_downlink_mbps"])
@pytest.mark.parametrize("kind", ["home", "mobile"])
def test_a_null_world_keeps_the_distribution_of_every_quantity(views, null_views, column, kind):
    outside = ~in_planted_cell(views) & (views["access_technology"].isin(MOBILE) == (kind == "mobile"))
    lasting, anew = (frame.loc[outside, column].dropna() for frame in (views, null_views))
    # Kolmogorov's distance: up to 0.022 by chance in six worlds, as few users' lines are behind many views.
    assert ks_2samp(lasting, anew).statistic < 0.022
    of_log = [np.log(values.clip(lower=1)).std() for values in (lasting, anew)]
    assert of_log[0] == pytest.approx(of_log[1], rel=0.04)


def surprise(views: pd.DataFrame, column: str) -> pd.Series:
    """How high a value lies in its network: normal scores, of the congested and the quick alike."""
    rank = views.groupby("asn")[column].rank() / (views.groupby("asn")[column].transform("count") + 1)
    return pd.Series(ndtri(rank), views.index)


@pytest.mark.parametrize("column", MEASURED)
def test_in_a_null_world_nothing_that_was_measured_before_tells_of_now(views, null_views, column):
    def correlation(frame):
        scores = frame.assign(now=surprise(frame, column))
        scores["before"] = scores.groupby(["user_id", "asn"])["now"].shift()
        both = scores.dropna(subset=["before"])
        return both["now"].corr(both["before"]) * np.sqrt(len(both))

    assert correlation(views) > 50  # in standard errors
    assert abs(correlation(null_views)) < 3


@pytest.mark.parametrize("column", MEASURED)
def test_in_a_null_world_no_context_tells_more_than_the_network(null_views, column):
    at = null_views["measured_at"].dt
    coarse = null_views.assign(
        now=surprise(null_views, column),
        hour=null_views["local_hour"] // 3,
        day=at.day_of_year,
        netinfo=null_views["netinfo_rtt_ms"] // 50,
        come=null_views.groupby("user_id").cumcount().clip(upper=20),
    )
    asked = ["hour", "day", "netinfo", "effective_type", "come", "os_family", "os_major", "browser", "device", "city"]
    asked += ["save_data", "connection_type", "user_id"]
    for keys in [*([name] for name in asked), ["asn", "os_family", "hour"], ["asn", "region"]]:
        groups = coarse.groupby(keys)["now"].agg(["sum", "count"])
        # Sum over groups of the squared mean in standard errors: chi-squared, one degree a group.
        chi2 = (groups["sum"] ** 2 / groups["count"]).sum()
        assert abs(chi2 - len(groups)) < 4 * np.sqrt(2 * len(groups)), (keys, chi2, len(groups))


def test_netinfo_speaks_on_chromium_only_and_is_blunt(views):
    netinfo = ["effective_type", "netinfo_rtt_ms", "netinfo_downlink_mbps"]
    chromium = ~views["browser"].isin(["Safari", "Firefox"])
    assert views.loc[chromium, netinfo].notna().all(axis=None)
    assert views.loc[~chromium, [*netinfo, "connection_type", "save_data"]].isna().all(axis=None)
    assert (views.loc[views["os_family"] == "iOS", "browser"] == "Safari").all()
    link = views["connection_type"]
    assert (link.notna() == (views["os_family"].isin(["Android", "ChromeOS"]) & chromium)).all()
    assert (link.dropna().eq("cellular") == views.loc[link.notna(), "access_technology"].isin(MOBILE)).all()
    told = views[chromium]
    assert told["netinfo_downlink_mbps"].max() == 10 and told["netinfo_rtt_ms"].max() <= 3000
    assert 0.6 < chromium.mean() < 0.8 and (told["netinfo_rtt_ms"] % 25 == 0).all()
    steps = told["netinfo_downlink_mbps"] / 0.025
    assert np.allclose(steps, steps.round())


def test_effective_type_follows_the_specification_and_is_mostly_4g(views):
    told = views.dropna(subset=["effective_type"])
    assert 0.77 <= (told["effective_type"] == "4g").mean() <= 0.83  # LinkedIn, TPAC 2021: 80 %
    rtt, downlink = told["netinfo_rtt_ms"], told["netinfo_downlink_mbps"]
    # The class comes from the estimate before rounding: half a step on either side is open.
    surely_4g = (rtt + 12.5 < 270) & (downlink - 0.0125 >= 0.7)
    surely_not_4g = (rtt - 12.5 >= 270) | (downlink + 0.0125 < 0.7)
    assert (told.loc[surely_4g, "effective_type"] == "4g").all()
    assert (told.loc[surely_not_4g, "effective_type"] != "4g").all()
    assert set(told["effective_type"]) == {"slow-2g", "2g", "3g", "4g"}


def test_people_come_several_times_from_two_networks_most_in_the_evening(views):
    counts = views.groupby("user_id").size()
    assert 5 < counts.mean() < 7
    assert counts.median() < counts.mean()  # skewed
    assert views.groupby("user_id")["asn"].nunique().max() == 2
    assert views.groupby("user_id")[["country", "city", "device", "browser"]].nunique().max().max() == 1
    assert np.floor(views["local_hour"]).mode()[0] in (20, 21)  # the peak time of Ofcom
    evening = views["local_hour"].between(17, 24, inclusive="left").mean()
    assert 0.40 < evening < 0.60  # seven hours of 24 would be 0.29
    span = views["measured_at"].max() - views["measured_at"].min()
    assert pd.Timedelta(days=27.9) < span < pd.Timedelta(days=28)
    assert views["measured_at"].is_monotonic_increasing


def without_speed_factors(views: pd.DataFrame) -> pd.Series:
    """Throughput as at a provider of speed 1 in the United Kingdom, where Ofcom's figures come from."""
    countries = {c.code: c.speed for c in facts.COUNTRIES}
    kinds = [views["access_technology"].isin(MOBILE).astype(int), views["isp"].str.split(n=1).str[1]]
    providers = pd.MultiIndex.from_arrays(kinds).map({(p.kind, p.name): p.speed for p in facts.PROVIDERS})
    return views["downlink_mbps"] / (views["country"].map(countries).to_numpy() * providers.to_numpy())


def test_throughput_is_what_ofcom_measured(null_views):
    # Home Broadband Performance, March 2023; Mobile Matters 2024 (a file of 16 Mbit). Congestion lowers them here.
    mbps = without_speed_factors(null_views).groupby(null_views["access_technology"])
    median = pd.Series({"fibre": 149.2, "cable": 270.6, "dsl": 11.9, "5g": 16 / 0.3, "4g": 16 / 0.8, "3g": 16 / 4.3})
    off = mbps.median()[median.index] / median - 1
    assert off.drop("3g").abs().max() < 0.15
    assert abs(off["3g"]) < 0.25  # few users
    slow = mbps.agg(lambda values: (values < 2).mean())  # Mobile Matters 2024: below 2 Mbit/s
    assert slow[["5g", "4g"]].tolist() == pytest.approx([0.01, 0.05], abs=0.02)
    assert slow["3g"] == pytest.approx(0.22, abs=0.08)


def test_round_trips_lines_and_radios_are_the_published_ones(null_views):
    mobile = null_views["access_technology"].isin(MOBILE)
    median = null_views.groupby(null_views["access_technology"].where(mobile, "home"))["rtt_ms"].median()
    # Chromium's ObtainDefaultObservations: WiFi, 4G and 3G. Congestion lies above the first two, below 3g.
    assert median[["home", "4g"]].tolist() == pytest.approx([66, 80], rel=0.1)
    assert median["3g"] == pytest.approx(209, rel=0.2)
    line = null_views.groupby("access_technology")["rtt_ms"].median()
    assert line["fibre"] < line["cable"] < line["dsl"]  # Ofcom's panel, 2023: 6.6, 14.2, 26.0 ms
    users = null_views.drop_duplicates(["user_id", "asn"])
    home, radio = (users.loc[of, "access_technology"].value_counts(normalize=True) for of in (~mobile, mobile))
    assert home[["fibre", "dsl"]].tolist() == pytest.approx([0.42, 0.20], abs=0.03)  # OECD, end of 2023
    assert radio[["4g", "5g", "3g"]].tolist() == pytest.approx([0.78, 0.20, 0.02], abs=0.03)  # Mobile Matters 2024
    phone = null_views["os_family"].isin(["iOS", "Android"])
    assert (~mobile)[phone].mean() == pytest.approx(0.623, abs=0.02)  # Mobile Matters 2023: time on WiFi


def test_systems_have_the_published_mix(views):
    users = views.drop_duplicates("user_id")
    desktops = users.loc[~users["os_family"].isin(["iOS", "Android"]), "os_family"].value_counts(normalize=True)
    published = pd.Series({"Windows": 72.72, "macOS": 16.38, "Linux": 3.83, "ChromeOS": 2.42})  # StatCounter, 2023-12
    pd.testing.assert_series_equal(
        desktops[published.index], published / published.sum(), atol=0.03, rtol=0, check_names=False
    )
    phones = users[users["os_family"].isin(["iOS", "Android"])]
    ios = phones["os_family"].eq("iOS").groupby(phones["country"]).mean()
    for country, share in {"US": 0.578, "GB": 0.536, "BR": 0.224}.items():  # StatCounter
        assert ios[country] == pytest.approx(share, abs=0.06), country
    assert 0.017 < views["save_data"].fillna(False).mean() < 0.04  # DebugBear


@pytest.mark.parametrize("planted", [True, False])
@pytest.mark.parametrize(("quantity", "sign"), [("rtt_ms", 1), ("downlink_mbps", -1)])
def test_true_chances_are_those_of_the_frame(views, null_views, quantity, sign, planted):
    frame = views if planted else null_views
    thresholds = frame[quantity].quantile([0.02, 0.1, 0.3, 0.7, 0.95]).to_numpy()
    chance = true_chance_worse(frame, quantity, thresholds, seed=3, planted=planted)
    worse = sign * frame[quantity].to_numpy()[:, None] > sign * thresholds
    cell, mobile = in_planted_cell(frame), frame["access_technology"].isin(MOBILE)
    strata = {
        "all": cell | True,
        "planted cells": cell,
        "planted, iOS": cell & (frame["os_family"] == "iOS"),
        "planted, Android": cell & (frame["os_family"] == "Android"),
        "planted, desktops": cell & (frame["device"] == "desktop"),
        "the same hours elsewhere": ~cell & (frame["local_hour"] >= 17),
        "desktops": frame["device"] == "desktop",
        "mobile": mobile,
        "rural lines": frame["isp"].str.contains("Rural"),
        "incumbents": frame["isp"].str.contains("Telecom"),
        "saving data": frame["save_data"].fillna(False),
        "NetInfo missing": frame["effective_type"].isna(),
    }
    for name, stratum in strata.items():
        rows = stratum.to_numpy(dtype=bool)
        # A user's views share a user effect: users, not views, are independent. Where an outcome never came
        # its error cannot be seen, and the chances' own (of independent views) is the least. 220 looks: 4.5
        # errors.
        per_user = pd.DataFrame((worse - chance)[rows]).groupby(frame["user_id"].to_numpy()[rows]).sum()
        variance = np.maximum((per_user**2).sum(axis=0), (chance * (1 - chance))[rows].sum(axis=0))
        assert (per_user.sum(axis=0).abs() < 4.5 * np.sqrt(variance)).all(), name


def test_chances_read_the_first_request_only(views):
    few = views.tail(300)
    known = few[["asn", "local_hour", "os_family"]]
    lies = few.assign(rtt_ms=1.0, downlink_mbps=1.0, effective_type="2g", access_technology="3g", isp="x")
    whole_hours = known.assign(local_hour=np.floor(known["local_hour"]))
    first, *others = (
        true_chance_worse(frame, "rtt_ms", np.array([50.0, 150.0]), seed=3) for frame in (few, known, lies, whole_hours)
    )
    for other in others:
        np.testing.assert_array_equal(first, other)


def net_of_renditions(rtt_ms: np.ndarray, downlink_mbps: np.ndarray) -> np.ndarray:
    """Net (..., 3) of small, medium and large images: 12 a view, budget 1,000 ms, 100 points for 400 ms."""
    kilobytes = 12 * np.array([5.5, 18.0, 51.6])
    load_ms = 4 * rtt_ms[..., None] + 8 * kilobytes / downlink_mbps[..., None]
    excess = np.clip(load_ms - 1000, 0, 2000)
    return np.where(excess < 2000, [0, 42, 100], 0) - 100 / 400 * excess


def true_best_renditions(views: pd.DataFrame, planted: bool) -> np.ndarray:
    """Best rendition for each view: expected net over 25 x 25 quantiles of the true chances."""
    shares = (np.arange(25) + 0.5) / 25
    contexts = [views["asn"], views["os_family"], views["local_hour"] >= 17]
    group = views.groupby(contexts, sort=False).ngroup().to_numpy()
    distinct = views.iloc[np.unique(group, return_index=True)[1]]
    quantiles = []
    for quantity in MEASURED:
        grid = np.geomspace(0.01, 10_000, 400)
        chance = true_chance_worse(distinct, quantity, grid, seed=3, planted=planted)
        below = 1 - chance if quantity == "rtt_ms" else chance
        quantiles.append(np.array([np.exp(np.interp(shares, row, np.log(grid))) for row in below]))
    rtt, downlink = quantiles
    both = np.broadcast_arrays(rtt[:, :, None], downlink[:, None, :])
    return net_of_renditions(*both).mean(axis=(1, 2)).argmax(axis=1)[group]


def advantage_of_truth(views: pd.DataFrame, planted: bool, tables=TABLES) -> dict[str, float]:
    """Net of the true chances minus that of each table, on users that no table has seen.

    Each table answers with the rendition that did best in its group: as good as a table of distributions can
    be.
    """
    net = pd.DataFrame(net_of_renditions(*(views[name].to_numpy() for name in MEASURED)))
    seen = views["user_id"].str[-1].astype(int) < 6
    truth = true_best_renditions(views, planted)
    advantage = {}
    banded = views.assign(hours=views["local_hour"] // 3)
    for keys in tables:
        group = banded.groupby(keys, dropna=False).ngroup()
        choice = net[seen].groupby(group[seen]).mean().idxmax(axis=1)
        table = group.map(choice).fillna(net[seen].mean().idxmax()).astype(int).to_numpy()
        rows = np.arange(len(views))
        difference = net.to_numpy()[rows, truth] - net.to_numpy()[rows, table]
        advantage["/".join(keys)] = difference[~seen].mean()
    return advantage


def test_the_planted_effect_is_worth_more_than_3_points_over_every_table_by_two_columns(views):
    advantage = advantage_of_truth(views, planted=True)
    assert min(advantage.values()) > 3, advantage
    net = net_of_renditions(*(views[name].to_numpy() for name in MEASURED))
    assert net.max(axis=1).mean() - net.mean(axis=0).max() > 5  # headroom of perfect knowledge


def test_a_context_that_the_world_does_not_know_is_refused(views):
    few, edges = views.head(20), np.array([50.0])
    with pytest.raises(WorkbenchError, match="quantity must be one of rtt_ms, downlink_mbps; got 'rtt'"):
        true_chance_worse(few, "rtt", edges, seed=3)
    with pytest.raises(WorkbenchError, match="with seed=3; 20 rows differ, first '1'"):
        true_chance_worse(few.assign(asn="1"), "rtt_ms", edges, seed=3)
    with pytest.raises(WorkbenchError, match="Ask with the seed that the views were made with"):
        true_chance_worse(few, "rtt_ms", edges, seed=4)
    with pytest.raises(WorkbenchError, match="need column 'local_hour'"):
        true_chance_worse(few.drop(columns="local_hour"), "rtt_ms", edges, seed=3)
    with pytest.raises(WorkbenchError, match="need 'os_family' in every row; 20 rows have none"):
        true_chance_worse(few.assign(os_family=np.nan), "rtt_ms", edges, seed=3)
