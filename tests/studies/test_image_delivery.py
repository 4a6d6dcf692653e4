"""The whole path: planted and null worlds, real data, a person's own data and rule."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.evaluation.image_replay import replay_images
from workbench.policies.images import EffectiveType, OneRendition, base_assumptions


def net(result, which):
    return result.of(which).figures.net


def test_on_the_planted_world_the_model_is_better_and_below_perfect_knowledge(planted):
    assert planted.verdict == "better"
    assert planted.recommendation.action == "test_model"
    assert net(planted, "best_rule") < net(planted, "model") < net(planted, "oracle")


def test_on_the_planted_world_nobody_beats_the_true_chances(planted):
    truth = next(result for result in planted.results if result.name == "true chances")
    assert truth.kind == "reference"
    difference = planted.against_best_rule["model"].estimate - planted.against_best_rule["true chances"].estimate
    assert difference < 0
    assert truth.figures.net == pytest.approx(net(planted, "model") - difference)


def test_on_the_null_world_the_model_is_not_better(null):
    assert null.verdict != "better"
    assert null.recommendation.action != "test_model"


def test_real_data_get_a_verdict_that_the_recommendation_repeats(real):
    assert real.verdict in ("equivalent", "worse", "inconclusive", "better")
    actions = {"equivalent": "use_rule", "worse": "use_rule", "inconclusive": "collect", "better": "test_model"}
    assert real.recommendation.action == actions[real.verdict]
    assert not real.split.card.simulated
    assert {result.name for result in real.results if result.reason} == {
        "NetInfo effective type",
        "table by (country, asn)",
    }


@pytest.mark.parametrize("study", ["planted", "real"])
def test_figures_are_those_of_a_plain_replay(study, request):
    """The same numbers by another road: replay each tuned policy over the test part by itself."""
    result = request.getfixturevalue(study)
    card = result.split.card
    for policy in result.results:
        if policy.policy is None or not policy.available:
            continue
        known_by = policy.sees or result.known_by
        alone = replay_images(
            policy.policy, result.split.test, result.scenario, known_by=known_by, assume=base_assumptions(card)
        )
        assert alone["net"].mean() == pytest.approx(policy.figures.net), policy.name


def test_the_best_rule_and_the_limits_do_not_depend_on_test(planted):
    shuffled = planted.split.test.copy()
    for name in ("rtt_ms", "downlink_mbps"):
        shuffled[name] = shuffled[name].to_numpy()[::-1]
    again = wb.compare_images(replace(planted.split, test=shuffled), planted.model)
    assert again.of("best_rule").name == planted.of("best_rule").name
    assert [r.limit for r in again.results] == [r.limit for r in planted.results]
    assert again.difference != planted.difference


def test_references_are_never_the_best_rule(planted):
    assert net(planted, "best_rule") < max(r.figures.net for r in planted.results if r.kind == "reference")
    assert planted.of("best_rule").kind == "rule"


def test_today_is_the_netinfo_class_where_the_data_have_it_and_reads_it_though_it_comes_later(planted, real):
    today = planted.of("today")
    assert isinstance(planted.today, EffectiveType)
    assert (today.kind, today.sees) == ("reference", "native_app")
    assert real.today == OneRendition("medium")
    assert real.of("today").kind == "rule"


def test_views_with_a_signal_are_left_out(planted):
    model = wb.train_network_quality(planted.split, known_by="after_accept_ch", max_trees=10)
    result = wb.compare_images(planted.split, model)
    carries = planted.split.test["effective_type"].notna()
    assert 0.2 < carries.mean() < 0.9
    assert len(result.of("model").outcomes) == (~carries).sum()
    parts = pd.concat([part["effective_type"] for _, part in planted.split.parts()])
    assert result.signal_free_share == pytest.approx(parts.isna().mean())


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
    result = wb.compare_images(split, model, rules=[ours, *wb.image_rules(split)])
    mine = next(r for r in result.results if r.name == "ours")
    assert mine.kind == "rule"
    assert mine.figures.large_share == pytest.approx((split.test["os_family"] == "iOS").mean())
    assert result.to_dict()["dataset"] == "our RUM"


def test_a_rule_that_peeks_raises(planted):
    def peeks(context):
        return context["downlink_mbps"].gt(5).map({True: "large", False: "small"})

    with pytest.raises(wb.WorkbenchError, match="peeks reads 'downlink_mbps'"):
        wb.compare_images(planted.split, planted.model, rules=[peeks])


def test_a_rule_says_what_it_needs(planted):
    @wb.needs("device")
    def by_device(context):
        return pd.Series("large", context.index)

    result = wb.compare_images(planted.split, planted.model, rules=[by_device, OneRendition()])
    told = next(r for r in result.results if r.name == "by_device")
    assert (told.available, told.reason) == (False, "device is known by after_accept_ch, not by first_request")


def test_without_any_rule_there_is_nothing_to_compare_with(planted):
    with pytest.raises(wb.WorkbenchError, match="no rule is available"):
        wb.compare_images(planted.split, planted.model, rules=[EffectiveType()])


def test_a_dearer_wait_sends_no_more_large_images(planted):
    dear = wb.compare_images(planted.split, planted.model, scenario=wb.ImageScenario(cancelling_wait_ms=100))
    assert dear.of("model").figures.large_share < planted.of("model").figures.large_share
    assert dear.of("model").figures.excess_wait_ms < planted.of("model").figures.excess_wait_ms


def test_the_same_seed_gives_the_same_study(null):
    again = wb.study_images("synthetic_null", rows=30_000)
    timed = ("seconds", "model")
    one, other = ({k: v for k, v in r.to_dict().items() if k not in timed} for r in (null, again))
    assert one == other
    assert wb.study_images("synthetic_null", rows=30_000, seed=1).difference != null.difference


def test_users_of_the_four_parts_are_strangers(planted):
    seen = [set(part["user_id"]) for _, part in planted.split.parts()]
    assert sum(map(len, seen)) == len(set.union(*seen))
