"""Image delivery as a decision: which views count, what is done today, what only its comparisons have."""

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.chances import OneOption
from workbench.decisions.images.decision import DECISION as IMAGES
from workbench.decisions.images.replay import rendition_payoffs
from workbench.decisions.images.rules import EffectiveType, best_at
from workbench.studies.report import table_html, table_of


@pytest.fixture(scope="module")
def little(studied):
    return studied("synthetic_measurements", rows=6000)


@pytest.fixture(scope="module")
def real(studied):
    return studied("mobile_bandwidth", rows=6000)


@pytest.fixture(scope="module")
def early(little):
    """The same views, decided at the first request."""
    model = wb.train_network_quality(little.split, known_by="first_request", max_trees=10)
    return wb.compare(little.split, model)


def test_today_is_the_netinfo_class_where_the_data_have_it_and_reads_it_though_it_comes_later(little, early, real):
    for result in (little, early):
        assert isinstance(result.today, EffectiveType)
        assert result.of("today").name == "today: NetInfo effective type"
    assert (early.of("today").kind, early.of("today").reads_later) == ("reference", True)
    assert "not usable at this moment" in next(name for name in table_of(early).index if name.startswith("today"))
    # Known in time, but of none of the views that are compared: then it is a rule like any other.
    assert (little.of("today").kind, little.of("today").reads_later) == ("today", False)
    assert little.of("today").figures.net == little.of("always medium").figures.net
    assert real.today == OneOption("medium")
    assert real.of("today").kind == "rule"


def test_rules_without_their_columns_say_so(early, real):
    by_name = {
        name: real.of(name)
        for name in ("most fitting size per connection and provider", "most fitting size per device")
    }
    assert all(policy.kind == "rule" and policy.available for policy in by_name.values())
    assert real.of("NetInfo effective type").reason == "these views have no effective_type"
    assert early.of("most fitting size per device").reason == "device is known only from the second request on"
    assert len(real.rules) >= 5


def shows(part):
    return part["effective_type"].notna() | (part["last_age_s"] < 600)


def test_views_with_a_signal_are_left_out(little):
    carries = shows(little.split.test)
    assert 0.2 < carries.mean() < 0.9
    assert len(little.of("model").outcomes) == (~carries).sum()
    parts = pd.concat([shows(part) for _, part in little.split.parts()])
    assert little.detail.signal_free_share == pytest.approx(1 - parts.mean())


def test_over_all_views_a_measurement_decides_where_there_is_one(little):
    test, table = little.split.test, little.detail.all_views
    given = rendition_payoffs(test, little.scenario, {})["net"]
    young = test["last_age_s"] <= 600
    before = test[["last_rtt_ms", "last_downlink_mbps"]].fillna(1).to_numpy()
    last = best_at(little.scenario, before[:, 0], before[:, 1])
    by_class = test["effective_type"].map({"4g": "large", "3g": "medium", "2g": "small", "slow-2g": "small"})
    measured = pd.Series(last, test.index).where(young, by_class)

    def net(otherwise):
        answer = measured.fillna(otherwise).mask(test["save_data"].fillna(False).astype(bool), "small")
        number = answer.map({"small": 0, "medium": 1, "large": 2})
        return given[np.arange(len(test)), number].mean()

    assert table.loc["measurement, else today's", "net"] == pytest.approx(net("medium"))
    # Elsewhere each does what it does in the views that are compared: the gain is theirs, spread over all views.
    ours, rule = table.loc["measurement, else model"], table.loc["measurement, else best rule"]
    spread = little.difference.estimate * little.of("model").outcomes.shape[0] / len(test)
    assert ours["over_best_rule"] == pytest.approx(spread, abs=0.1)  # but for a view of just 600 s
    assert ours["net"] - rule["net"] == pytest.approx(ours["over_best_rule"])
    assert ours["over_best_rule_low"] < ours["over_best_rule"] < ours["over_best_rule_high"]
    assert table["net"].idxmax() == "perfect knowledge"


def test_what_the_site_gains_is_said_in_table_finding_and_json(little, real):
    ours = little.detail.all_views.loc["measurement, else model"]
    words = little.heading("all views", table="all views")
    span = f"{ours['over_best_rule']:+.1f} ({ours['over_best_rule_low']:+.1f} to {ours['over_best_rule_high']:+.1f})"
    assert words.replace("&nbsp;", " ").count(span) == 2
    signal = 100 * (1 - little.detail.signal_free_share)
    assert f"where {signal:.0f} % of views carry a measurement" in words
    told = little.to_dict()["model_vs_best_rule"]["all_views"]
    assert next(row for row in told if row["policy"] == "measurement, else model")["net"] == ours["net"]
    assert "No view carries a measurement" in real.heading("all views")
    assert real.detail.all_views.loc["measurement, else model", "net"] == pytest.approx(real.of("model").figures.net)


def test_a_dearer_wait_sends_fewer_large_images(little):
    dear = wb.compare(little.split, little.model, scenario=wb.ImageScenario(cancelling_wait_ms=100))
    assert dear.of("model").figures.large_share < little.of("model").figures.large_share
    assert dear.of("model").figures.excess_wait_ms < little.of("model").figures.excess_wait_ms


def test_calibration_is_judged_per_budget_and_rendition(little):
    rows = little.to_dict()["model"]["calibration_by_budget"]
    assert [(row["budget_ms"], row["rendition"]) for row in rows] == [
        (budget, name) for budget in (500, 1000, 2000) for name in ("small", "medium", "large")
    ]
    base = next(row for row in rows if row["budget_ms"] == 1000 and row["rendition"] == "large")
    assert (base["slope"], base["auc"]) == pytest.approx((little.calibration.slope, little.calibration.auc))
    shares = [row["share"] for row in rows if row["rendition"] == "large"]
    assert shares == sorted(shares, reverse=True)
    shown = table_html(little, "calibration")
    assert shown.count("<tr>") == len(rows) + 1
    assert f"1 s, large</th><td>{100 * base['share']:.0f}&nbsp;%</td><td>{base['slope']:.2f}" in shown


def test_headroom_by_budget_is_that_of_a_comparison_at_that_budget(little):
    again = wb.compare(little.split, little.model, scenario=wb.ImageScenario(budget_ms=500))
    assert little.detail.headroom_by_budget[500] == pytest.approx(again.headroom)
    assert little.detail.headroom_by_budget[1000] == pytest.approx(little.headroom)


def test_the_slowest_and_the_fastest_fifth_are_of_users_and_apart(little):
    slow, fast = little.detail.slow, little.detail.fast
    assert not (slow & fast).any()
    users = little.split.test.loc[little.of("model").outcomes.index, "user_id"].to_numpy()
    for members in (slow, fast):
        assert len(np.unique(users[members])) == round(0.2 * little.test_users)
    load = little.of("always small").outcomes["load_ms"]
    assert load[slow].mean() > load.mean() > load[fast].mean()


def test_technologies_are_taken_alone_where_a_real_source_has_several(mirror):
    views = wb.load("mobile_bandwidth", rows=1500)
    plan = IMAGES.plan(views, wb.ImageScenario(), 0)
    alone = [change for change in IMAGES.changes(views, plan) if change.group == "mix of technologies"]
    assert {change.change for change in alone} == {f"{name} alone" for name in views["access_technology"].unique()}
    for change in alone:
        assert (change.only(views) == (views["access_technology"] == change.change.removesuffix(" alone"))).all()


def ours(context):
    return context["os_family"].isin(["iOS"]).map({True: "large", False: "medium"})


def test_a_persons_own_frame_and_rule():
    rng = np.random.default_rng(5)
    provider = rng.integers(0, 8, 4000)
    frame = pd.DataFrame(
        {
            "who": rng.integers(0, 900, 4000),
            "provider": np.array(list("abcdefgh"))[provider],
            "OS": rng.choice(["iOS", "Android"], 4000),
            "RTT": np.exp(rng.normal(4, 0.5, 4000) + provider / 6),
        }
    )
    views = wb.measurements(
        frame,
        columns={"RTT": "rtt_ms", "provider": "isp", "OS": "os_family", "who": "user_id"},
        assume={"downlink_mbps": (2, 10, 50)},
        name="our RUM",
    )
    split = wb.split_by_user(views, seed=0)
    result = wb.compare(split, wb.train_network_quality(split), rules=[ours, *wb.rules(split)])
    mine = result.of(ours)
    assert (mine.kind, mine.name) == ("rule", "ours")
    assert mine.figures.large_share == pytest.approx((split.test["os_family"] == "iOS").mean())
    assert result.to_dict()["dataset"] == "our RUM"


@pytest.fixture(scope="module")
def nobody():
    """Measurements of which nobody knows whose they are; 8 % were lost."""
    rng = np.random.default_rng(0)
    rtt = np.exp(rng.normal(4.5, 1, 3000))
    rtt[::12] = np.inf
    isp = rng.choice(["a", "b", "c"], 3000)
    frame = pd.DataFrame({"rtt_ms": rtt, "downlink_mbps": np.exp(rng.normal(2, 1, 3000)), "isp": isp})
    return wb.study(wb.measurements(frame, name="rows"))


def test_where_nobody_is_known_views_are_counted_not_users(nobody, little):
    assert (nobody.split.people, little.split.people) == ("views", "users")
    said = str(nobody) + table_html(nobody, "segments") + nobody._repr_html_()
    assert "users" not in said
    assert "paired resamples of 600 views" in said
    assert "slowest fifth of views" in said
    assert f"paired resamples of {little.test_users:,} users" in str(little)


def test_what_never_arrives_is_no_number(nobody):
    every = table_of(nobody, every_column=True)
    assert set(every["load p95"]) == {"never"}
    assert every["load p50"].str.endswith(" ms").all()
    assert "8.3 % of views (250)" in str(nobody)


def test_what_was_assumed_is_said(real, little):
    assert "115 ms is assumed (low 50, high 200)" in str(real)
    assert "independent given the context" in str(little)
    assert "independent given the context" not in str(real)
