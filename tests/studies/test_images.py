"""The whole path: planted and null worlds, real data, a person's own data and rule."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions.chances import OneOption
from workbench.decisions.decision import call_policy
from workbench.decisions.images.rules import EffectiveType


def net(result, which):
    return result.of(which).figures.net


def test_on_the_planted_world_the_model_is_better_and_below_perfect_knowledge(planted):
    assert planted.verdict == "better"
    assert planted.recommendation.action == "test_model"
    assert net(planted, "best_rule") < net(planted, "model") < net(planted, "oracle")


def test_on_strangers_the_model_is_better_and_nobody_beats_the_true_chances(strangers):
    truth = strangers.of("true chances")
    assert truth.kind == "reference"
    assert strangers.verdict == "better"
    gain = {name: strangers.against_best_rule[name].estimate for name in ("model", "true chances")}
    assert gain["model"] < gain["true chances"]
    assert truth.figures.net == pytest.approx(net(strangers, "model") - gain["model"] + gain["true chances"])


def test_the_null_world_is_studied_as_any_data_are(null):
    assert (null.split.how, null.split.mask.users) == ("by time", 0.3)
    assert null.split.test["last_rtt_ms"].notna().any()


def test_on_the_null_world_the_model_is_not_better(null):
    assert null.verdict != "better"
    assert null.recommendation.action != "test_model"


def test_real_data_get_a_verdict_that_the_recommendation_repeats(real):
    d, margin = real.difference, real.margin
    word = "better" if d.low > 0 else "worse" if d.high < 0 else "inconclusive"
    assert real.verdict == ("equivalent" if -margin < d.low and d.high < margin else word)
    assert (real.safety.word, real.headroom > margin, real.rule_gain.high > margin) == ("safe", True, True)
    actions = {"equivalent": "use_rule", "worse": "use_rule", "inconclusive": "collect", "better": "test_model"}
    assert real.recommendation.action == actions[real.verdict]
    assert not real.split.card.simulated


def test_at_least_five_rules_apply_to_real_data(real):
    available = {result.name for result in real.results if result.kind == "rule" and result.available}
    assert {
        "table by (connection_type, isp)",
        "table by (device)",
        "Chromium's defaults by connection type",
    } <= available
    assert len(available) >= 5
    reasons = {result.name: result.reason for result in real.results if result.reason}
    assert reasons["NetInfo effective type"] == "these views have no effective_type"


def plain(policy, scenario):
    """A policy as a function of its own, which weighs nothing that anybody could remember."""
    return lambda context: call_policy(policy, context, scenario)


@pytest.mark.parametrize("study", ["planted", "real"])
def test_figures_are_those_of_a_plain_replay(study, request):
    """The same numbers by another road: replay each tuned policy over the test part by itself."""
    result = request.getfixturevalue(study)
    card = result.split.card
    for policy in result.results:
        if policy.policy is None or not policy.available:
            continue
        decision, test = result.decision, result.split.test
        here = decision.situations(test, card, result.split.cluster, result.known_by, result.scenario)
        here = decision.later_context(here) if policy.reads_later else here
        # A function of its own: what it expects is asked anew, and its answer is checked.
        answer = decision.ask(plain(policy.policy, result.scenario), here, result.scenario)
        alone = decision.outcomes(answer, here, result.scenario)
        assert alone["net"].mean() == pytest.approx(policy.figures.net), policy.name


def test_the_best_rule_and_the_limits_do_not_depend_on_test(little):
    shuffled = little.split.test.copy()
    for name in ("rtt_ms", "downlink_mbps"):
        shuffled[name] = shuffled[name].to_numpy()[::-1]
    again = wb.compare(replace(little.split, test=shuffled), little.model)
    assert again.of("best_rule").name == little.of("best_rule").name
    assert [r.limit for r in again.results] == [r.limit for r in little.results]
    assert again.difference != little.difference


def test_references_are_never_the_best_rule(planted):
    assert net(planted, "best_rule") < max(r.figures.net for r in planted.results if r.kind == "reference")
    assert planted.of("best_rule").kind == "rule"


def test_today_is_the_netinfo_class_where_the_data_have_it_and_reads_it_though_it_comes_later(planted, real):
    today = planted.of("today")
    assert isinstance(planted.today, EffectiveType)
    assert (today.kind, today.reads_later) == ("reference", True)
    assert real.today == OneOption("medium")
    assert real.of("today").kind == "rule"


def test_views_with_a_signal_are_left_out(little):
    model = wb.train_network_quality(little.split, known_by="after_accept_ch", max_trees=10)
    result = wb.compare(little.split, model)

    def shows(part):
        return part["effective_type"].notna() | (part["last_age_s"] < 600)

    carries = shows(little.split.test)
    assert 0.2 < carries.mean() < 0.9
    assert len(result.of("model").outcomes) == (~carries).sum()
    parts = pd.concat([shows(part) for _, part in little.split.parts()])
    assert result.detail.signal_free_share == pytest.approx(1 - parts.mean())


def ours(context):
    return context["os_family"].isin(["iOS"]).map({True: "large", False: "medium"})


@pytest.fixture(scope="module")
def own_data():
    rng = np.random.default_rng(5)
    n = 4000
    provider = rng.integers(0, 8, n)
    return pd.DataFrame(
        {
            "who": rng.integers(0, 900, n),
            "provider": np.array(list("abcdefgh"))[provider],
            "OS": rng.choice(["iOS", "Android"], n),
            "RTT": np.exp(rng.normal(4, 0.5, n) + provider / 6),
        }
    )


def test_a_persons_own_frame_and_rule(own_data):
    views = wb.measurements(
        own_data,
        columns={"RTT": "rtt_ms", "provider": "isp", "OS": "os_family", "who": "user_id"},
        assume={"downlink_mbps": (2, 10, 50)},
        name="our RUM",
    )
    split = wb.split_by_user(views, seed=0)
    model = wb.train_network_quality(split)
    result = wb.compare(split, model, rules=[ours, *wb.rules(split)])
    mine = next(r for r in result.results if r.name == "ours")
    assert mine.kind == "rule"
    assert mine.figures.large_share == pytest.approx((split.test["os_family"] == "iOS").mean())
    assert result.to_dict()["dataset"] == "our RUM"


def test_a_rule_that_peeks_raises(little):
    def peeks(context):
        return context["downlink_mbps"].gt(5).map({True: "large", False: "small"})

    with pytest.raises(wb.WorkbenchError, match="peeks reads 'downlink_mbps'"):
        wb.compare(little.split, little.model, rules=[peeks])


def test_a_rule_that_sorts_its_views_is_read_by_its_index(little):
    def sorts(context):
        return ours(context.sort_values("browser"))

    one, other = (wb.compare(little.split, little.model, rules=[rule]) for rule in (ours, sorts))
    assert one.of("ours").figures == other.of("sorts").figures


def test_a_rule_cannot_find_its_views_again(little):
    frame = little.split.test

    def remembers(context):
        return frame.loc[context.index, "rtt_ms"].gt(100).map({True: "small", False: "large"})

    with pytest.raises((wb.WorkbenchError, KeyError)):
        wb.compare(little.split, little.model, rules=[remembers])


def test_a_model_from_another_split_is_refused(little):
    views = wb.load("synthetic_measurements", rows=6000)
    stranger = wb.train_network_quality(wb.split_by_user(views, seed=5), max_trees=5)
    for split in (little.split, wb.split_by_time(views, seed=5)):
        with pytest.raises(wb.WorkbenchError, match="trained on other rows than this split"):
            wb.compare(split, stranger)


def test_what_is_no_rule_is_refused(little):
    for rules in (ours, ["medium"], "medium", []):
        with pytest.raises(wb.WorkbenchError, match="rules must be a list of callables"):
            wb.compare(little.split, little.model, rules=rules)
    with pytest.raises(wb.WorkbenchError, match="'ours' came more than once"):
        wb.compare(little.split, little.model, rules=[ours, ours])
    with pytest.raises(wb.WorkbenchError, match="expected one of small, medium, large for each"):
        wb.compare(little.split, little.model, rules=[lambda context: "large"])


def test_page_loads_alone_cannot_decide_images():
    views = wb.measurements(pd.DataFrame({"page_load_ms": np.arange(1.0, 500), "isp": ["a"] * 499}))
    with pytest.raises(wb.WorkbenchError, match="images cannot be decided on this data"):
        wb.study(views)


@pytest.mark.parametrize("margin", [0, -1.0])
def test_a_margin_is_above_zero(little, margin):
    with pytest.raises(wb.WorkbenchError, match="margin must be a number above 0"):
        wb.compare(little.split, little.model, margin=margin)


def test_a_policy_is_found_by_itself_or_its_name(little):
    result = wb.compare(little.split, little.model, rules=[ours, *wb.rules(little.split)])
    assert result.of(ours) is result.of("ours")
    with pytest.raises(wb.WorkbenchError, match="no policy 'nope' in this comparison; there are ours"):
        result.of("nope")


def test_a_rule_says_what_it_needs(little):
    @wb.needs("device")
    def by_device(context):
        return pd.Series("large", context.index)

    result = wb.compare(little.split, little.model, rules=[by_device, OneOption()])
    told = next(r for r in result.results if r.name == "by_device")
    assert (told.available, told.reason) == (False, "device is known by after_accept_ch, not by first_request")


def test_without_any_rule_there_is_nothing_to_compare_with(little):
    with pytest.raises(wb.WorkbenchError, match="no rule is available"):
        wb.compare(little.split, little.model, rules=[EffectiveType()])


def test_a_dearer_wait_sends_no_more_large_images(little):
    dear = wb.compare(little.split, little.model, scenario=wb.ImageScenario(cancelling_wait_ms=100))
    assert dear.of("model").figures.large_share < little.of("model").figures.large_share
    assert dear.of("model").figures.excess_wait_ms < little.of("model").figures.excess_wait_ms


def test_the_same_seed_gives_the_same_study(little):
    again = wb.study("synthetic_measurements", rows=6000)
    timed = ("seconds", "model")
    one, other = ({k: v for k, v in r.to_dict().items() if k not in timed} for r in (little, again))
    assert one == other
    assert wb.study("synthetic_measurements", rows=6000, seed=1).difference != little.difference


def test_users_of_the_four_parts_are_strangers(strangers, real):
    for result in (strangers, real):
        seen = [set(part["user_id"]) for _, part in result.split.parts()]
        assert sum(map(len, seen)) == len(set.union(*seen))


def test_studies_go_by_time_and_mask_where_they_can(planted, real):
    assert (planted.split.how, planted.split.mask.users) == ("by time", 0.3)
    assert (real.split.how, real.split.mask) == ("by user", None)
