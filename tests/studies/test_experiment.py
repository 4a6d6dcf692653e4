"""An A/B test's log read back: effects by hand, the estimate beside them, and what is refused."""

import json
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import workbench as wb
from workbench.cli import main
from workbench.decisions import find_decision
from workbench.errors import WorkbenchError

USERS, DAYS = 400, pd.Timestamp("2026-03-01", tz="UTC")
SCENARIO = wb.ImageScenario()
LARGE_KB = SCENARIO.view_bytes[2] / 1000


def rows(seed=0):
    """Two views a user, one before 2 March and one on it; even users are in the arm, which gets large images then."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(USERS), 2)
    in_test, treated = np.tile([False, True], USERS), user % 2 == 0
    return pd.DataFrame(
        {
            "user_id": [f"u{each}" for each in user],
            "measured_at": DAYS + pd.to_timedelta(in_test * 1.5, unit="D"),
            "rtt_ms": 50.0,
            "downlink_mbps": np.repeat(rng.gamma(3, 4, USERS), 2),
            "arm": pd.Series(np.where(treated, "treatment", "control")).where(in_test),
            "rendition_served": np.where(treated & in_test, "large", "small"),
        }
    )


def read(log, **options):
    return wb.experiment(wb.measurements(log), **options)


def by_hand(log, arm):
    """Net of the size that was sent, view by view."""
    log = log[log["arm"] == arm]
    sent = pd.Index(["small", "medium", "large"]).get_indexer(log["rendition_served"])
    load = 4 * log["rtt_ms"] + 8 * SCENARIO.view_bytes[sent] / (1000 * log["downlink_mbps"])
    _, _, net = SCENARIO.judge(load.to_numpy()[:, None])
    return net[np.arange(len(log)), sent]


def test_an_effect_is_the_difference_of_what_was_sent():
    log = rows()
    result = read(log)
    net = result.to_frame().loc[("treatment", "net")]
    arm, control = (by_hand(log, name) for name in ("treatment", "control"))
    assert net["estimate"] == pytest.approx(arm.mean() - control.mean()) and net["control"] == pytest.approx(
        control.mean()
    )
    error = np.sqrt(arm.var(ddof=1) / 200 + control.var(ddof=1) / 200)
    assert net["high"] - net["estimate"] == pytest.approx(1.96 * error, rel=1e-3)
    assert result.users == {"control": 200, "treatment": 200} and result.views == 400 and result.p_value == 1.0
    data = result.to_frame().loc[("treatment", "bytes"), "estimate"]
    assert data / 1000 == pytest.approx(LARGE_KB - SCENARIO.view_bytes[0] / 1000)
    assert "400 of 800 views without arm or user_id" in str(result)


def test_what_a_log_measured_goes_before_what_is_worked_out():
    log = rows().assign(lcp_ms=500.0, page_bytes=np.nan)
    log.loc[log["arm"].eq("treatment"), "lcp_ms"] = 1200.0
    result = read(log)
    wait = result.to_frame().loc[("treatment", "added_wait_ms")]
    assert wait["control"] == 0 and wait["estimate"] == 200 and "100 % of the views" in result.basis
    # Large is worth 100 points, 200 ms beyond the budget cost 50, and small is worth 0.
    assert result.to_frame().loc[("treatment", "net"), "estimate"] == pytest.approx(50)
    log.loc[::3, "rtt_ms"] = np.nan  # what was measured is enough
    log.loc[1::3, "downlink_mbps"] = np.nan
    alone = read(log)
    assert alone.views == 400 and alone.to_frame().equals(result.to_frame())
    log.loc[1, "lcp_ms"] = np.nan  # and has no throughput
    assert read(log).views == 399


def test_history_sharpens_and_is_no_part_of_the_effect():
    log = rows()
    log["lcp_ms"] = 900 + 20 * log["downlink_mbps"]  # people who always wait as long
    log.loc[log["arm"].eq("treatment"), "rendition_served"] = "small"
    plain, sharper = read(log), read(log, start="2026-03-02")
    frame = sharper.to_frame().loc["treatment"]
    assert frame.loc["net", "variance_saved"] == pytest.approx(1.0) and frame.loc["net", "estimate"] == pytest.approx(
        0, abs=1e-9
    )
    assert plain.to_frame().loc["treatment"]["variance_saved"].isna().all()
    before = wb.measurements(log[log["arm"].isna()])
    apart = read(log[log["arm"].notna()], before=before)
    assert apart.to_frame().loc["treatment"].to_numpy() == pytest.approx(frame.to_numpy(), nan_ok=True)
    assert sharper.verdict == "equivalent" and "100 % off the variance" in str(sharper)


def test_arms_that_differed_before_the_start_are_refused():
    with pytest.raises(WorkbenchError, match="differed before the test began, in net"):
        read(
            rows().assign(
                arm=rows()["arm"].bfill(),
                rendition_served=rows()["rendition_served"].where(rows()["arm"].notna()).bfill(),
            ),
            start="2026-03-02",
        )


def test_a_sample_ratio_mismatch_blocks_the_verdict():
    log = rows()
    lost = log["arm"].eq("treatment") & (np.arange(len(log)) % 12 < 5)
    result = read(log[~lost])
    assert result.verdict == "no verdict" and result.arms == () and result.to_frame().empty and result.p_value < 1e-3
    said = " ".join(str(result).split())
    assert "SAMPLE RATIO MISMATCH" in said and "GAIN" not in said and "NO VERDICT" in result._repr_html_()
    assert json.loads(json.dumps(result.to_dict()))["sample_ratio"]["mismatch"]
    share = result.users["treatment"] / 200
    assert read(log[~lost], planned={"control": 1, "treatment": share}).p_value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda log: log.drop(columns="arm"), {}, "expected a column arm"),
        (lambda log: log.drop(columns="rendition_served"), {}, "expected a column rendition_served"),
        (lambda log: log.drop(columns="user_id"), {}, "expected a column user_id"),
        (lambda log: log.assign(arm=np.where(log.index % 40 == 2, "treatment", log["arm"])), {}, "20 of 400"),
        (lambda log: log.head(380), {}, "'control' has 95 and 'treatment' has 95"),
        (lambda log: log, {"control": "a"}, "one of control, treatment"),
        (lambda log: log, {"by": "user_id"}, "got 400"),
        (lambda log: log, {"by": "variant"}, "expected a column variant"),
        (lambda log: log, {"planned": {"control": 1}}, "a share for each arm"),
        (lambda log: log, {"planned": {"control": 1, "treatment": 0}}, "above 0"),
        (lambda log: log, {"start": "soon"}, "start must be a time"),
        (lambda log: log.assign(rendition_served="huge"), {}, "one of small, medium, large; 400 of 400"),
        (lambda log: log.assign(rendition_served="small", downlink_mbps=9.0), {}, "nothing can be told"),
        (lambda log: log.assign(propensity=1.5), {}, "above 0 to 1"),
    ],
)
def test_what_cannot_be_read_back_is_refused(change, options, says):
    with pytest.raises(WorkbenchError, match=says) as refusal:
        read(change(rows()), **options)
    assert "u17" not in str(refusal.value)


@pytest.fixture(scope="module")
def served(little_images):
    """The views of another draw of users, who get what a policy of the comparison decides."""
    result = little_images
    views = wb.load("synthetic_measurements", rows=30_000, seed=5)
    decision, card = result.decision, views.attrs["card"]
    there = decision.every_view(views, card, "user_id", result.known_by, result.scenario)
    arm = there.users % 2

    def log(policy):
        picked = decision.ask(result.of(policy).policy, there, result.scenario)
        names = np.array(result.scenario.options)[np.where(arm, picked, 1)]
        frame = there.frame.assign(arm=np.where(arm, "model", "always medium"), rendition_served=names)
        return wb.measurements(frame, like=views)

    return result, log


def test_an_estimate_of_the_same_world_is_not_contradicted(served):
    result, log = served
    found = wb.experiment(log("model"), result, control="always medium")
    (arm,) = found.arms
    pair = (result.of(name).outcomes["net"].mean() for name in ("model", "always medium"))
    assert arm.estimate.estimate == pytest.approx(next(pair) - next(pair))
    assert arm.held != "did not hold" and arm.gap.low < 0 < arm.gap.high
    assert 0 < found.comparable < 1 and f"{100 * found.comparable:.0f} % of views like its own" in str(found)


def test_an_estimate_of_something_else_does_not_hold(served):
    """The arm had another policy than the one that was estimated."""
    result, log = served
    found = wb.experiment(log("always small"), result, control="always medium", ran={"model": "model"})
    assert found.arms[0].held == "did not hold" and found.verdict == "worse"


def test_a_saved_estimate_is_the_same(served, tmp_path):
    result, log = served
    best = result.of("best_rule").name
    options = {"control": "always medium", "ran": {"always medium": "best_rule"}}
    compared = tmp_path / "compared.json"
    compared.write_text(json.dumps(result.to_dict()))
    folder = wb.export_policy(result, tmp_path / "rule", "best_rule")
    passed = wb.experiment(log("model"), result, **options).arms[0]
    for place in (compared, folder):
        saved = wb.experiment(log("model"), place, **options).arms[0]
        assert astuple(saved.estimate)[:3] == pytest.approx(astuple(passed.estimate)[:3])
        assert saved.gap.low == pytest.approx(passed.gap.low) and saved.held == passed.held
    turned = wb.experiment(
        log("model"), compared, control="always medium", ran={"model": best, "always medium": "model"}
    )
    assert turned.arms[0].estimate.low == pytest.approx(-passed.estimate.high)
    with pytest.raises(WorkbenchError, match="one must be"):
        wb.experiment(log("model"), compared, control="always medium", ran={"always medium": "nobody"})
    compared.write_text("{}")
    with pytest.raises(WorkbenchError, match="gives no estimates"):
        wb.experiment(log("model"), compared, control="always medium")


def test_an_export_estimates_what_it_decides_itself_against_any_policy(served, tmp_path):
    """An exported model may have fewer trees than the one compared: its own replay counts."""
    result, log = served
    folder = wb.export_policy(result, tmp_path / "model", "model")
    changed = wb.load_policy(folder).content["against_compared"]
    views = log("model").replace({"arm": {"always medium": "control", "model": "treatment"}})
    estimate = wb.experiment(views, folder).arms[0].estimate
    pair = [result.of(name).outcomes["net"].mean() for name in ("model", "today")]
    assert estimate.estimate == pytest.approx(pair[0] + changed["net"] - pair[1])
    assert estimate.low < estimate.estimate < estimate.high


def test_an_estimate_is_compared_in_a_log_that_did_not_measure_everything(served):
    """A view that painted is judged by that, whatever else it lacks."""
    result, log = served
    views = log("model")
    views["lcp_ms"] = 900.0
    views.loc[::3, "downlink_mbps"] = np.nan
    found = wb.experiment(views, result, control="always medium")
    assert found.views == len(views) and found.arms[0].gap is not None


def test_too_few_users_like_those_of_the_estimate_are_not_compared(served):
    result, log = served
    views = log("model")
    signal = views["user_id"].isin(views["user_id"].unique()[10:])
    views["netinfo_rtt_ms"] = views["netinfo_rtt_ms"].where(~signal, 50.0)
    found = wb.experiment(views, result, control="always medium")
    assert found.comparable < 0.1 and found.arms[0].estimate and found.arms[0].gap is None and not found.arms[0].held
    assert "too few users" in str(found) and "NaN" not in json.dumps(found.to_dict())


def test_nobody_is_told_to_look_twice(served):
    _, log = served
    views = log("always medium")
    found = wb.experiment(views.assign(arm=views["arm"].replace({"model": "b"})), control="always medium")
    assert found.arms[0].word not in ("better", "worse") and "Plan a new test" in str(found)


def test_history_and_views_without_a_time_are_told_apart():
    log = rows()
    log.loc[log.index[-30:], "measured_at"] = pd.NaT
    result = read(log, start="2026-03-02")
    assert "30 of" in " ".join(result.left_out) and "without a time" in " ".join(result.left_out)
    with pytest.raises(WorkbenchError, match="no view is from"):
        read(rows(), start="2099-01-01")
    views = wb.navigations(pages([None] * 4))
    with pytest.raises(WorkbenchError, match="before= must hold measurements"):
        wb.experiment(wb.measurements(rows()), before=views, start="2026-03-02")


def test_the_ratio_of_users_comes_before_their_number():
    log = rows()
    few = log["arm"].eq("treatment") & (log.index % 12 != 1)
    result = read(log[~few])
    assert result.users["treatment"] < 100 and result.verdict == "no verdict" and "MISMATCH" in str(result)


@pytest.mark.parametrize("column", ["rtt_ms", "lcp_ms"])
def test_arms_that_were_measured_otherwise_get_no_verdict(column):
    """Slow views of one arm lost a measurement: what is left of it is fast."""
    log = rows().assign(lcp_ms=1000.0 + np.arange(2 * USERS) % 100)
    again = log.assign(measured_at=log["measured_at"] + pd.to_timedelta(1, unit="h"))
    again.loc[log["arm"].eq("treatment") & (np.arange(len(log)) % 10 < 4), [*{"lcp_ms", column}]] = np.nan
    log = pd.concat([log, again], ignore_index=True)
    result = read(log)
    assert result.verdict == "no verdict" and "Measure both arms alike" in " ".join(str(result).split())
    assert not result.to_dict()["sample_ratio"]["mismatch"] and "treatment" in result.unlike


def test_a_few_users_with_most_of_the_views_get_no_interval():
    log = rows()
    heavy = log[log["arm"].eq("treatment")].head(1)
    times = pd.to_timedelta(np.arange(500), unit="s") + heavy["measured_at"].iloc[0]
    many = pd.concat([heavy] * 500, ignore_index=True).assign(measured_at=times)
    result = read(pd.concat([log, many], ignore_index=True))
    assert result.arms[0].word == "too few to tell" and "a few users have so many" in str(result)


def test_an_arm_that_is_the_same_as_control_is_equivalent():
    log = rows().dropna(subset="arm")
    third = log[log["arm"].eq("control")].assign(arm="twin", user_id=lambda frame: frame["user_id"] + "t")
    result = read(pd.concat([log, third], ignore_index=True))
    words = {arm.name: arm.word for arm in result.arms}
    assert words["twin"] == "equivalent" and words["treatment"] != "equivalent"


def test_repeats_count_once_and_are_told():
    log = rows()
    twice, once = read(pd.concat([log, log], ignore_index=True)), read(log)
    assert twice.views == once.views and f"{len(log):,} of {2 * len(log):,} views that came more" in twice.left_out[0]


@pytest.mark.parametrize("start", ["", 20260302, float("nan"), pd.NaT])
def test_what_is_no_start_is_refused(start):
    with pytest.raises(WorkbenchError, match="start must be a time"):
        read(rows(), start=start)


def test_history_from_after_the_start_is_refused():
    with pytest.raises(WorkbenchError, match="some are later"):
        read(rows(), before=wb.measurements(rows().head(50).assign(measured_at=pd.Timestamp("2030-01-01", tz="UTC"))))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"decision": "prefetch"}, "decision prefetch"),
        ({"others": [99.0, 1.0, 2.0]}, "gives no estimates"),
        ({"others": [float("nan")] * 3}, "gives no estimates"),
        ({"others": [1.0, 0.0, 2.0, 3.0]}, "gives no estimates"),
    ],
)
def test_estimates_that_cannot_be_are_refused(served, tmp_path, change, says):
    result, log = served
    saved = result.to_dict()
    if "others" in change:
        estimate, *interval = change.pop("others")
        saved["policies_vs_best_rule"]["model"] = {"difference": estimate, "interval": interval}
    (tmp_path / "compared.json").write_text(json.dumps(saved | change))
    with pytest.raises(WorkbenchError, match=says):
        wb.experiment(log("model"), tmp_path / "compared.json", control="always medium")


def test_several_arms_share_the_doubt():
    """Bonferroni: of three treatments, each interval is that of 98.3 %."""
    rng = np.random.default_rng(1)
    log = rows().dropna(subset="arm").assign(arm=rng.permutation(np.repeat(["control", "a", "b", "c"], 100)))
    result = read(log)
    alone = read(log[log["arm"].isin(["control", "a"])])
    wide, narrow = (each.arms[0].effects["net"].difference for each in (result, alone))
    assert wide.half_width / narrow.half_width == pytest.approx(2.394 / 1.96, rel=1e-3)
    assert [arm.name for arm in result.arms] == ["a", "b", "c"] and result.verdict.count("/") == 2


def pages(fetched):
    """200 users, each from "/" to "/a": what was fetched on "/" in the arm is a hit where it is "/a"."""
    views = pd.DataFrame({"user_id": np.repeat([f"u{i}" for i in range(200)], 2), "page": ["/", "/a"] * 200})
    views["viewed_at"] = DAYS + pd.to_timedelta(np.arange(400) % 2 * 30, unit="s")
    views["arm"] = np.repeat(np.where(np.arange(200) % 2, "treatment", "control"), 2)
    views["prefetched"] = pd.Series(fetched * 100, dtype=object).where(views["arm"] == "treatment")
    return views


@pytest.mark.parametrize("as_text", [json.dumps, list])
def test_pages_fetched_ahead_are_hits_where_they_were_opened(as_text):
    """In the arm one user of two has "/a" fetched (a hit), the other "/b" twice (unused), on the first of two views."""
    fetched = [None, None, as_text(["/a"]), None, None, None, as_text(["/b", "/b"]), None]
    views = pages(fetched[:4] + fetched[4:])
    views.loc[views["user_id"].isin([f"u{i}" for i in range(0, 200, 2)]), "prefetched"] = None
    result = wb.experiment(wb.navigations(views))
    found = result.to_frame().loc["treatment", "estimate"]
    assert found["hits"] == 0.25 and found["unused"] == 0.25 and result.users["control"] == 100
    assert found["net"] == pytest.approx(0.25 - 0.25 * wb.PrefetchScenario().unused_price)


def test_paint_times_are_compared_over_the_views_that_have_them():
    """The second view of each user painted in 900 ms, in the arm in 700; the first has no time."""
    views = pages([None, None, json.dumps(["/a"]), None]).assign(lcp_ms=np.tile([np.nan, 900, np.nan, 700], 100))
    result = wb.experiment(wb.navigations(views))
    row = result.to_frame().loc[("treatment", "lcp_ms")]
    assert (row["control"], row["estimate"]) == (900, -200) and "contentful paint" in str(result)
    few = wb.experiment(wb.navigations(views.assign(lcp_ms=views["lcp_ms"].where(views["user_id"] < "u5"))))
    assert "lcp_ms" not in few.to_frame().loc["treatment"].index and "contentful paint" not in str(few)


def test_a_list_of_pages_that_is_none_is_refused():
    with pytest.raises(WorkbenchError, match=r"JSON list of pages.*100 of 400"):
        wb.experiment(wb.navigations(pages(["/a b", None, "/a b", None])))


def test_the_command_reads_a_card(tmp_path):
    rows().to_csv(tmp_path / "test.csv", index=False)
    (tmp_path / "test.toml").write_text('title = "Our test"\n\n[[files]]\nname = "test.csv"\n')
    run = CliRunner()
    said = run.invoke(main, ["experiment", str(tmp_path / "test.toml"), "--start", "2026-03-02"])
    assert said.exit_code == 0 and "A/B TEST - test - REAL data, 400 views of 400 users" in said.output
    options = ["--json", "--planned", "control", "1", "--planned", "treatment", "1", "-p", "budget_ms", "500"]
    found = json.loads(run.invoke(main, ["experiment", str(tmp_path / "test.toml"), *options]).output)
    expected = wb.experiment(str(tmp_path / "test.toml"), scenario=wb.ImageScenario(budget_ms=500))
    assert found == json.loads(json.dumps(expected.to_dict())) and found["users"] == {"control": 200, "treatment": 200}
    refused = run.invoke(main, ["experiment", str(tmp_path / "test.toml"), "--control", "b"])
    assert refused.exit_code == 2 and "one of control, treatment" in refused.output


def test_what_was_served_is_no_context():
    """No policy may see the arm, or what it led to."""
    from workbench.datasets.schema import known_context

    views = wb.measurements(rows().assign(propensity=0.5, lcp_ms=9.0, page_bytes=9.0))
    assert not {"arm", "rendition_served", "propensity", "lcp_ms", "page_bytes"} & set(known_context(views, "never"))
    assert not {"arm", "prefetched"} & set(known_context(wb.navigations(pages([None] * 4)), "never"))


def test_another_policy_on_a_log_of_drawn_sizes(served):
    """The truth is what every view would have got: worked out from the networks that it measured."""
    result, log = served
    views = log("model")
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 3, len(views))
    propensity = np.where(np.arange(len(views)) % 50 == 0, np.nan, 1 / 3)
    names = np.array(result.scenario.options)[drawn]
    random = wb.measurements(views.assign(rendition_served=names, propensity=propensity), like=views)
    decision = find_decision(result.scenario)
    there = decision.every_view(
        random[random["propensity"].notna()], views.attrs["card"], "user_id", result.known_by, SCENARIO
    )
    policy = result.of("best_rule").policy
    picked = decision.ask(policy, there, SCENARIO)
    truth = there.given["net"][np.arange(len(there)), picked].mean()
    found = wb.off_policy(random, policy).to_frame()
    for name in ("IPS", "self-normalised", "doubly robust"):
        assert found.loc[name, "low"] < truth < found.loc[name, "high"]
    with pytest.raises(WorkbenchError, match="expected a column propensity"):
        wb.off_policy(views, policy)
    always = wb.measurements(random.assign(rendition_served="small", propensity=1.0), like=views)
    with pytest.raises(WorkbenchError, match="no chance of being sent"):
        wb.off_policy(always, lambda context: pd.Series("large", context.index))


def test_many_pages_in_one_view_are_no_matter_of_weights():
    with pytest.raises(WorkbenchError, match="A/B test"):
        wb.off_policy(wb.navigations(pages(["[]"] * 4)).assign(propensity=1.0), lambda context: None)


@pytest.mark.parametrize("arms", [("today", "model"), ("best_rule", "always small")])
def test_a_rehearsal_reads_back_what_was_replayed(little_images, arms):
    """Each view gets what its arm's policy got it in the comparison, and earlier views what control's decides."""
    log = wb.rehearse(little_images, arms, seed=3)
    test = log[log["arm"].notna()].reset_index(drop=True)
    replayed = {name: little_images.of(name).outcomes["net"].to_numpy() for name in arms}
    found = wb.experiment(log, little_images, control=arms[0], start=test["measured_at"].min())
    means = [replayed[name][test["arm"] == name].mean() for name in arms]
    assert found.card.simulated and found.arms[0].effects["net"].control == pytest.approx(means[0])
    plain = wb.experiment(log, control=arms[0]).arms[0].effects["net"].difference
    assert plain.estimate == pytest.approx(means[1] - means[0]) and found.arms[0].held != "did not hold"
    assert found.arms[0].effects["net"].variance_saved > 0
    again = wb.rehearse(little_images, arms, seed=4)
    assert test.groupby("user_id")["arm"].nunique().max() == 1 and not again["arm"].equals(log["arm"])


def test_a_rehearsal_of_pages_has_the_hits_of_the_replay(little_pages):
    log = wb.rehearse(little_pages, ["today", "model"])
    test = log[log["arm"].notna()]
    hits = little_pages.of("model").outcomes["hits"].to_numpy()[(test["arm"] == "model").to_numpy()]
    decision = little_pages.decision
    there = decision.every_view(
        test[test["arm"] == "model"], log.attrs["card"], "user_id", "first_request", little_pages.scenario
    )
    assert decision.measured(there, little_pages.scenario)["hits"].to_numpy() == pytest.approx(hits)


def test_arms_are_drawn_with_their_estimates(little_images):
    log = wb.rehearse(little_images)
    ax = wb.plotting.arms(wb.experiment(log, little_images, control="today"))
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert [each.strip() for each in rows] == ["model", "estimated offline", "measured minus estimated"]
    blocked = wb.experiment(log, control="today", planned={"today": 1, "model": 3})
    with pytest.raises(WorkbenchError, match="planned shares"):
        wb.plotting.arms(blocked)


def test_a_third_decision_reads_its_test_back(video):
    """What it sent is declared by the card, known to no policy; Mbit/s decide which bitrate stalls."""
    own = {"option_served": {"type": "text", "level": "never", "meaning": "bitrate sent"}}
    log = rows().dropna(subset="arm").drop(columns="rendition_served")
    log["option_served"] = np.where(log["arm"] == "treatment", "high", "low")
    scenario = video.VideoScenario()
    found = wb.experiment(wb.measurements(log, context=own), scenario=scenario).to_frame()
    stalls = log["downlink_mbps"][log["arm"] == "treatment"].lt(scenario.bitrates_mbps[2]).mean()
    lowest = log["downlink_mbps"][log["arm"] == "control"].lt(scenario.bitrates_mbps[0]).mean()
    assert found.loc[("treatment", "late"), "estimate"] == pytest.approx(stalls - lowest)
