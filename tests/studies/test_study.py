import re
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import sklearn.exceptions

import workbench as wb
from workbench.decisions.chances import Lookup
from workbench.decisions.images.rules import EffectiveType
from workbench.decisions.policy import policy_name
from workbench.decisions.prefetch.markov import Markov
from workbench.decisions.prefetch.rules import GuessJs, PrefetchPolicy, Quicklink
from workbench.studies.comparison import frame_sha256, trace_origin
from workbench.studies.study import judge_model, settle


def net(result, which):
    return result.of(which).figures.net


def load_again(result):
    rows = 6000 if result.decision.name == "images" else 4000
    return wb.load(result.split.card.name, rows=rows)


@pytest.mark.parametrize("study", ["planted", "planted_pages"])
def test_on_a_planted_world_the_model_is_better_and_below_perfect_knowledge(study, request):
    result = request.getfixturevalue(study)
    assert result.difference.estimate > result.margin
    rules = [policy.figures.net for policy in result.results if policy.kind == "rule" and policy.available]
    assert net(result, "best_rule") <= max(rules) < net(result, "model") < net(result, "oracle")
    if study == "planted":  # enough users for a verdict and a test
        assert (result.verdict, result.recommendation.action) == ("better", "test_model")


@pytest.mark.parametrize("study", ["strangers", "planted_pages"])
def test_nobody_beats_the_true_chances_which_are_a_reference(study, request):
    result = request.getfixturevalue(study)
    truth = result.of("best possible prediction")
    assert (truth.kind, result.of("best_rule").kind) == ("reference", "rule")
    assert net(result, "best_rule") < net(result, "model") < truth.figures.net < net(result, "oracle")


@pytest.mark.parametrize("study", ["null", "null_pages"])
def test_on_a_null_world_the_model_is_not_better(study, request):
    result = request.getfixturevalue(study)
    assert result.verdict != "better" and result.recommendation.action != "test_model"
    assert net(result, "model") > 0.5 * net(result, "best_rule") > 0


def test_real_data_get_a_verdict_that_the_recommendation_repeats(real):
    d, margin = real.difference, real.margin
    gain = "better" if d.estimate >= margin else "better, but too little to matter"
    word = gain if d.low > 0 else "worse" if d.high < 0 else "inconclusive"
    assert real.differing.users >= 100
    assert real.verdict == ("equivalent" if -margin < d.low and d.high < margin else word)
    added, most = real.safety.added_wait, real.safety.tolerance_ms
    assert added.low < most and real.safety.word in ("safe" if added.high < most else "", "not_shown")
    assert real.headroom_over_rule > margin
    actions = {"inconclusive": "collect", "better": "test_model"}
    assert real.recommendation.action == actions.get(real.verdict, "use_rule")
    assert (real.rule_over_today.word, real.recommendation.ship) == ("better", "ship_rule")
    assert not real.split.card.simulated


@pytest.mark.parametrize("study", ["planted", "planted_pages", "real"])
def test_the_verdict_can_be_worked_out_from_the_outcomes(study, request):
    """Whole users drawn in a plain loop, by other draws than the study's."""
    result = request.getfixturevalue(study)
    model, rule = (result.of(which).outcomes["net"] for which in ("model", "best_rule"))
    users = result.split.test.loc[model.index, "user_id"]
    assert result.difference.estimate == pytest.approx((model - rule).mean())
    assert result.difference.clusters == result.test_users == users.nunique()
    sums = (model - rule).groupby(users).agg(["sum", "size"]).to_numpy()
    rng = np.random.default_rng(99)
    drawn = [sums[rng.integers(0, len(sums), len(sums))].sum(axis=0) for _ in range(1000)]
    low, high = np.quantile([each[0] / each[1] for each in drawn], [0.025, 0.975])
    width = result.difference.high - result.difference.low
    assert (result.difference.low, result.difference.high) == pytest.approx((low, high), abs=0.1 * width)


def test_net_is_what_the_scenario_says(planted_pages, real):
    pages, price = planted_pages.of("model").outcomes, planted_pages.scenario.break_even
    assert pages["net"].mean() == pytest.approx((pages["hits"] - price / (1 - price) * pages["unused"]).mean())
    images, price = real.of("model").outcomes, 100 / real.scenario.cancelling_wait_ms
    assert images["net"].mean() == pytest.approx((images["quality"] - price * images["added_wait_ms"]).mean())


def test_every_other_policy_is_held_against_the_best_rule(little):
    replayed = {policy.name for policy in little.results if policy.available}
    assert set(little.against_best_rule) == replayed - {little.of("best_rule").name}
    for name, interval in little.against_best_rule.items():
        assert interval.estimate == pytest.approx(net(little, name) - net(little, "best_rule"))
        assert interval.low <= interval.estimate <= interval.high
    assert little.against_best_rule["model"] == little.difference
    assert all(little.of(rule).policy is rule for rule in (*little.rules, little.settled_by, *little.rivals))


def test_the_same_seed_gives_the_same_study_of_a_frame_as_of_its_dataset(little):
    """And what the tests keep in files is what a study gives."""
    one, other = (result.to_dict() for result in (little, wb.study(load_again(little))))
    for shown in (one, other):
        for timed in ("us_per_decision", "train_seconds"):
            shown["model"].pop(timed)
        shown["provenance"].pop("commit")
        shown["decision_box"]["COST"] = re.sub(r"[\d,]+ us", "", shown["decision_box"]["COST"])
        shown.pop("seconds")
    assert one == other


def test_studies_go_by_time_and_mask_where_they_can_and_users_are_strangers(planted, null, strangers, real):
    for result in (planted, null):
        assert (result.split.how, result.split.mask.users) == ("by time", 0.3)
        assert result.split.test["last_rtt_ms"].notna().any()
    assert (real.split.how, real.split.mask) == ("by user", None)
    for result in (strangers, real):
        seen = [set(part["user_id"]) for _, part in result.split.parts()]
        assert sum(map(len, seen)) == len(set.union(*seen))


def garbled(part: pd.DataFrame) -> pd.DataFrame:
    changed = [name for name in ("rtt_ms", "downlink_mbps", "page") if name in part]
    return part.assign(**{name: part[name].array[::-1] for name in changed})


def test_the_best_rule_and_the_limits_do_not_depend_on_test(little):
    again = wb.compare(replace(little.split, test=garbled(little.split.test)), little.model)
    assert again.of("best_rule").name == little.of("best_rule").name
    assert [policy.limit for policy in again.results] == [policy.limit for policy in little.results]
    assert {policy.limit for policy in again.results} > {None} and again.difference != little.difference


def test_limits_are_those_that_serve_best_on_validation(little):
    again = wb.compare(replace(little.split, validation=garbled(little.split.validation)), little.model)
    assert [policy.limit for policy in again.results] != [policy.limit for policy in little.results]


def test_the_model_knows_neither_validation_nor_test(little_pages):
    split = little_pages.split
    again = wb.train_next_page(replace(split, validation=garbled(split.validation), test=garbled(split.test)))
    asked = split.validation.head(500)
    pd.testing.assert_frame_equal(again.next_pages(asked, 3), little_pages.model.next_pages(asked, 3))


def test_history_of_the_earlier_parts_does_not_know_the_later_ones(little_pages):
    views = load_again(little_pages)
    late = (views["session_id"] >= 0.8 * views["session_id"].max()).to_numpy()
    pages = views["page"].array.copy()
    pages[late] = pages[late][::-1]
    one, other = (wb.split_by_time(frame) for frame in (views, views.assign(page=pages)))
    for before, after in ((one.train, other.train), (one.validation, other.validation)):
        kept = before["session_id"] < 0.8 * views["session_id"].max()
        pd.testing.assert_frame_equal(before[kept], after[kept])
    assert not one.test["last_next"].equals(other.test["last_next"])


def ours(context):
    return ["medium"] * len(context)


def no_pages(context):
    return pd.DataFrame({"view_id": [], "page": [], "rank": []})


def own_rule(result):
    return ours if result.decision.name == "images" else no_pages


@wb.needs("access_technology")
def needs_too_much(context):
    raise AssertionError("it is never asked")


def test_rules_and_today_may_be_any_policy(little):
    rule = own_rule(little)

    def today(context):
        return rule(context)

    result = wb.compare(little.split, little.model, [rule, needs_too_much, *little.rules], today=today)
    assert result.of(rule) is result.of(rule.__name__)
    assert [policy_name(each) for each in result.rules] == [policy_name(each) for each in (rule, *little.rules)]
    assert result.of("best_rule").name in map(policy_name, little.rules)
    assert result.difference.estimate == pytest.approx(net(result, "model") - net(result, "best_rule"))
    assert (result.of("today").name, result.of("today").kind) == (f"today: {today.__name__}", "today")
    assert result.rule_over_today.difference.estimate == pytest.approx(net(result, "best_rule") - net(result, "today"))
    missing = result.of("needs_too_much")
    assert "access_technology" in missing.reason and not missing.available
    with pytest.raises(wb.WorkbenchError, match=f"no policy 'nope' in this comparison; there are {rule.__name__}"):
        result.of("nope")


@pytest.mark.parametrize("make", [lambda: Markov(order=2, limit=0.1), GuessJs])
def test_a_rule_fitted_elsewhere_is_not_taken_for_the_one_fitted_here(little_pages, make):
    """Both bear one name; each is asked for itself."""
    split, elsewhere = little_pages.split, make().fit(little_pages.split.test.tail(300))
    here = [rule for rule in little_pages.rules if policy_name(rule) == elsewhere.name]
    result = wb.compare(split, little_pages.model, here, today=elsewhere)
    decision, scenario = result.decision, result.scenario
    here = decision.situations(split.test, split.card, split.cluster, result.known_by, scenario)
    alone = decision.outcomes(decision.ask(elsewhere, here, scenario), here, scenario)
    assert net(result, "today") == pytest.approx(alone["net"].mean())
    assert result.of("today").figures != result.of(elsewhere.name).figures


def peeks_at_the_measurement(context):
    return context["downlink_mbps"].gt(5).map({True: "large", False: "small"})


def peeks_at_the_next_page(context):
    coming = context.groupby("session_id")["page"].shift(-1)
    there = coming.notna()
    return pd.DataFrame({"view_id": context["view_id"][there], "page": coming[there].astype(str), "rank": 1})


@pytest.mark.parametrize("place", ["rules", "today"])
def test_a_policy_that_peeks_is_refused(little, place):
    images = little.decision.name == "images"
    peeks = peeks_at_the_measurement if images else peeks_at_the_next_page
    said = "reads 'downlink_mbps'" if images else "reads the future"
    with pytest.raises(wb.WorkbenchError, match=f"{peeks.__name__} {said}"):
        wb.compare(little.split, little.model, **{place: [peeks] if place == "rules" else peeks})


def test_two_sources_of_chances_under_one_name_are_refused(little_pages):
    other = PrefetchPolicy(little_pages.model)
    with pytest.raises(wb.WorkbenchError, match="a rule cannot be called 'model'"):
        wb.compare(little_pages.split, little_pages.model, rules=[other])
    result = wb.compare(little_pages.split, little_pages.model, rules=[replace(other, name="the old model")])
    assert result.difference.estimate == 0


def test_without_any_rule_there_is_nothing_to_compare_with(little):
    rule = EffectiveType() if own_rule(little) is ours else Quicklink()
    with pytest.raises(wb.WorkbenchError, match="no rule is available on this data: these views have"):
        wb.compare(little.split, little.model, rules=[rule])


def test_what_a_rule_may_not_answer_is_refused(little):
    with pytest.raises(wb.WorkbenchError, match=r"expected (one of small, medium, large|a DataFrame with the columns)"):
        wb.compare(little.split, little.model, rules=[lambda context: "home"])


def test_a_model_from_another_split_is_refused(little):
    other = replace(little.split, train=little.split.train.iloc[1:])
    with pytest.raises(wb.WorkbenchError, match=r"trained on other rows than this split.*wb\.train_"):
        wb.compare(other, little.model)


def test_an_untrained_model_is_refused(little):
    untrained = wb.NetworkQuality() if little.decision.name == "images" else wb.NextPage()
    for error in (wb.WorkbenchError, sklearn.exceptions.NotFittedError):
        with pytest.raises(error, match=r"trained.*wb\.train_"):
            wb.compare(little.split, untrained)


@pytest.mark.parametrize("margin", [0, -1.0, float("nan"), "half a hit", True])
def test_a_margin_is_a_number_above_zero(little, margin):
    with pytest.raises(
        wb.WorkbenchError, match=r"margin must be a number above 0; got|\(margin\): expected a number; got"
    ):
        wb.compare(little.split, little.model, margin=margin)


def test_the_margin_given_decides_the_verdict(planted_pages):
    """No policy is two hits a view better than another, however few differ."""
    wide = wb.compare(planted_pages.split, planted_pages.model, [planted_pages.best_rule], margin=2.0)
    assert (wide.verdict, wide.margin, planted_pages.margin) == ("equivalent", 2.0, 0.005)
    assert wide.difference == planted_pages.difference and planted_pages.verdict != "equivalent"


def test_rivals_are_the_rules_that_cannot_be_told_from_the_best_before_test(little):
    stage = settle(little.decision, little.split, little.model, None, little.scenario)
    views = stage.held_out
    nets = pd.DataFrame({place: stage.replay(rule, views)["net"].to_numpy() for place, rule in enumerate(stage.tuned)})
    best = int(nets.mean().argmax())
    assert stage.tuned[best] is stage.best_rule
    short = nets.rsub(nets[best], axis=0)
    apart = (short - short.mean()).groupby(views.users).sum()
    error = np.sqrt((apart**2).sum()) / len(nets)
    near = [place for place in nets if place != best and short[place].mean() <= 1.959964 * error[place]]
    assert [stage.tuned[place] for place in near] == list(stage.rivals)
    assert [policy_name(rule) for rule in little.rivals] == [policy_name(rule) for rule in stage.rivals]


def test_a_gain_that_a_rival_takes_away_is_none(planted):
    """A rule that does on test what the model does, and did as well as the best rule before."""
    stage = settle(planted.decision, planted.split, planted.model, None, planted.scenario)
    twin = replace(stage.ours, name="as good before test")
    rivals, test = replace(stage, rivals=(*stage.rivals, twin)), stage.test()
    ours = stage.replay(stage.ours, test)["net"].to_numpy()

    def gain_over(rule):
        return ours - stage.replay(rule, test)["net"].to_numpy()

    kept = judge_model(stage, test.users, planted.margin, gain_over)
    assert (kept.over_best.difference, kept.settled) == (planted.difference, planted.settled)
    assert kept.settled.word == planted.verdict == "better"
    shaken = judge_model(rivals, test.users, planted.margin, gain_over)
    assert shaken.over_best == kept.over_best and rivals.rivals[shaken.place - 1] is twin
    assert (shaken.settled.word, shaken.settled.differing.users) == ("too few to tell", 0)


def test_users_who_differ_are_counted_and_people_once(little):
    gained = little.of("model").outcomes["net"] - little.of("best_rule").outcomes["net"]
    users = little.split.test.loc[gained.index, "user_id"]
    assert little.differing.users == (gained.groupby(users).sum().abs() > 1e-9).sum()
    assert little.differing.of == users.nunique() == little.test_users
    parts = [set(part["user_id"]) for _, part in little.split.parts()]
    assert sum(map(len, parts)) > little.split.count_people() == len(set.union(*parts))
    assert f" of {len(set.union(*parts)):,} users" in str(little)
    assert little.users_to_settle >= little.split.count_people() * 100 / little.test_users


def test_no_two_policies_differ_by_more_than_the_largest_difference(little):
    largest = little.decision.largest_difference(little.scenario)
    users = little.split.test.loc[little.of("model").outcomes.index, "user_id"]
    nets = pd.DataFrame({each.name: each.outcomes["net"] for each in little.results if each.outcomes is not None})
    by_user = nets.groupby(users).mean()
    assert 0 < (by_user.max(axis=1) - by_user.min(axis=1)).max() <= largest
    if little.decision.name == "images":
        assert largest == pytest.approx(100 + little.scenario.wait_price * little.scenario.longest_wait_ms)


def test_an_ab_test_is_sized_by_the_best_rule_and_its_earlier_views(little):
    decision, split, scenario = little.decision, little.split, little.scenario
    parts = [
        decision.situations(part, split.card, split.cluster, little.known_by, scenario)
        for part in (split.held_out, split.test)
    ]
    nets = [decision.outcomes(decision.ask(little.best_rule, each, scenario), each, scenario)["net"] for each in parts]
    net, frame = pd.concat(nets), pd.concat([each.frame for each in parts])
    earlier, at = np.arange(len(net)) < len(nets[0]), frame[split.card.facts.time]
    sized = wb.sample_size(net.to_numpy(), frame["user_id"], little.margin, at=at, earlier=earlier)
    assert asdict(sized) == pytest.approx(asdict(little.ab_test))
    paired = little.difference.half_width / 1.959964
    assert little.ab_test.users > 4 * 7.849 * little.test_users * (paired / little.margin) ** 2 / 2


def test_safety_is_judged_at_the_rules_own_operating_point_too(little):
    decision, split, scenario = little.decision, little.split, little.scenario
    validation, test = (
        decision.situations(part, split.card, split.cluster, little.known_by, scenario)
        for part in (split.validation, split.test)
    )

    def does(policy, views):
        outcomes = decision.outcomes(decision.ask(policy, views, scenario), views, scenario)
        shown = outcomes["rendition"] == 2 if decision.name == "images" else outcomes["unused"]
        return outcomes, float(shown.mean())

    ours = little.of("model").policy
    there, wanted = does(little.best_rule, validation)
    like = decision.operate_like(ours, there, validation, scenario)
    apart = [
        abs(does(replace(ours, limit=float(limit)), validation)[1] - wanted)
        for limit in little.of("model").frontier["limit"]
    ]
    assert abs(does(like, validation)[1] - wanted) == pytest.approx(min(apart))
    slow = decision.slowest(test, scenario)
    wait = {
        name: decision.wait_ms(does(policy, test)[0], test, scenario)[slow].mean()
        for name, policy in {"like": like, "rule": little.best_rule, "model": ours}.items()
    }
    assert little.safety_at_rule.added_wait.estimate == pytest.approx(wait["like"] - wait["rule"])
    assert (little.slowest.rule_ms, little.slowest.model_ms) == pytest.approx((wait["rule"], wait["model"]))
    added = little.slowest.rule_ms - little.slowest.today_ms
    assert little.slowest.rule_added_wait.estimate == pytest.approx(added)


def test_the_hash_sees_values_names_types_and_order():
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    others = [{"a": [1.0, 3.0]}, {"b": [1.0, 2.0]}, {"a": ["1.0", "2.0"]}, {"a": [2.0, 1.0]}]
    assert len({frame_sha256(each) for each in (frame, frame.copy(), *map(pd.DataFrame, others))}) == 5


def test_provenance_names_data_code_and_packages(little):
    origin, studied = trace_origin(little.split), dict(little.provenance)
    assert set(origin) == set(studied) >= {"dataset", "frame_sha256", "split_seed", "commit"}
    # The study may lie in a file since an earlier commit of the same code.
    assert {name: value for name, value in origin.items() if name != "commit" and studied[name] != value} == {}
    assert all(origin["packages"].values()) and re.fullmatch(r"[0-9a-f]{12,}\+?", origin["commit"])
    assert len(origin["frame_sha256"]) == 64


def test_a_repeated_index_changes_nothing():
    """As after pd.concat: tables that look rows up by their index would count some of them many times."""
    views = wb.load("synthetic_measurements", rows=2000)
    doubled = views.set_axis(np.arange(len(views)) // 2)
    one, other = (wb.split_by_time(frame, mask=wb.Mask()) for frame in (views, doubled))
    counted = [Lookup(("country", "asn")).fit(split.train).tables["rtt_ms"].sizes[0].tolist() for split in (one, other)]
    assert counted[0] == counted[1] == [len(one.train)]
    assert one.train["rtt_ms"].tolist() == other.train["rtt_ms"].tolist() and other.train.index.is_unique


def test_names_of_sessions_do_not_move_the_split():
    views = wb.load("synthetic_navigations", rows=3000)
    named = views.assign(session_id=views["session_id"].astype(str))
    one, other = (wb.split_by_time(frame) for frame in (views, named))
    assert other.train["viewed_at"].max() <= other.test["viewed_at"].min()
    assert one.test["view_id"].tolist() == other.test["view_id"].tolist()


def test_the_linear_reference_stands_in_every_table_and_is_never_the_best_rule(little):
    linear = little.of("linear")
    assert (linear.kind, linear.available) == ("reference", True)
    assert linear.limit is not None and linear.policy is not little.best_rule
    assert linear.policy.source.fields == little.model.fields and linear.policy.source.trees == 0
    apart = net(little, "model") - net(little, "linear")
    assert little.trees_gain.estimate == pytest.approx(apart)
    assert little.trees_gain.low <= apart <= little.trees_gain.high
    assert little.against_best_rule["linear"].estimate == pytest.approx(
        net(little, "linear") - net(little, "best_rule")
    )


def test_its_limit_is_tuned_on_validation_as_the_models(little):
    decision, split, model = little.decision, little.split, little.model
    given = split.card, split.cluster, model.known_by, little.scenario
    tuned = decision.tune(decision.linear(split, model), decision.situations(split.validation, *given), little.scenario)
    assert tuned.limit == little.of("linear").limit


def test_a_policy_and_a_card_are_shown_in_one_line(little):
    for shown in (*map(repr, little.results), repr(little.split.card)):
        assert len(shown) < 160 and "\n" not in shown
    assert "net " in repr(little.of("model")) and little.split.card.name in repr(little.split.card)
