import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.chances import OneOption
from workbench.decisions.images.rules import EffectiveType
from workbench.studies.report import table_html, table_of


@pytest.fixture(scope="module")
def little(studied):
    return studied("synthetic_measurements", rows=6000)


@pytest.fixture(scope="module")
def real(studied):
    return studied("mobile_bandwidth", rows=6000)


def test_today_is_the_netinfo_class_where_the_data_have_it_and_reads_it_though_it_comes_later(little, real):
    today = little.of("today")
    assert isinstance(little.today, EffectiveType) and (today.kind, today.reads_later) == ("reference", True)
    assert "not usable at this moment" in next(name for name in table_of(little).index if name.startswith("today"))
    assert real.today == OneOption("medium") and real.of("today").kind == "rule"


def test_rules_without_their_columns_say_so(little, real):
    by_name = {name: real.of(name) for name in ("table by (connection_type, isp)", "table by (device)")}
    assert all(policy.kind == "rule" and policy.available for policy in by_name.values())
    assert real.of("NetInfo effective type").reason == "these views have no effective_type"
    assert little.of("table by (device)").reason == "device is known only from the second request on"
    assert len(real.rules) >= 5


def test_views_with_a_signal_are_left_out(little):
    model = wb.train_network_quality(little.split, known_by="after_accept_ch", max_trees=10)
    result = wb.compare(little.split, model)

    def shows(part):
        return part["effective_type"].notna() | (part["last_age_s"] < 600)

    carries = shows(little.split.test)
    assert 0.2 < carries.mean() < 0.9 and len(result.of("model").outcomes) == (~carries).sum()
    parts = pd.concat([shows(part) for _, part in little.split.parts()])
    assert result.detail.signal_free_share == pytest.approx(1 - parts.mean())


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
    assert "users" not in said and "paired resamples of 600 views" in said and "slowest fifth of views" in said
    assert f"paired resamples of {little.test_users:,} users" in str(little)


def test_what_never_arrives_is_no_number(nobody):
    every = table_of(nobody, every_column=True)
    assert set(every["load p95"]) == {"never"} and every["load p50"].str.endswith(" ms").all()
    assert "8.3 % of views (250)" in str(nobody)


def test_what_was_assumed_is_said(real, little):
    assert "115 ms is assumed (low 50, high 200)" in str(real)
    assert "independent given the context" in str(little) and "independent given the context" not in str(real)
