"""What holds for every decision, and which decision a call is about."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.decisions import find_decision
from workbench.decisions.policy import Situations, call_policy, known_rules, same_policy, traits_of
from workbench.studies.report import findings
from workbench.studies.study import settle

DATA = {"images": ("synthetic_measurements", 6000), "prefetch": ("synthetic_navigations", 4000)}


@pytest.fixture(params=DATA)
def result(request, studied):
    name, rows = DATA[request.param]
    return studied(name, rows=rows)


@pytest.fixture
def decision(result):
    return result.decision


@pytest.fixture
def test(result):
    split = result.split
    return result.decision.situations(split.test, split.card, split.cluster, result.known_by, result.scenario)


def test_what_a_dataset_holds_and_a_name_tell_the_decision(result):
    assert find_decision(card=result.split.card) is find_decision(name=result.decision.name) is result.decision
    assert find_decision(result.scenario) is result.decision
    with pytest.raises(wb.WorkbenchError, match=r"decision must be one of images, prefetch.*Did you mean 'images'"):
        find_decision(name="image")


@pytest.mark.parametrize(
    ("dataset", "scenario", "said"),
    [
        ("synthetic_navigations", wb.ImageScenario(), "holds page views; images needs measurements of the net"),
        (
            "synthetic_measurements",
            wb.PrefetchScenario(),
            "holds measurements of the network; prefetch needs page views",
        ),
    ],
)
def test_the_other_decisions_scenario_is_refused(dataset, scenario, said):
    for given in (dataset, wb.load(dataset, rows=500)):
        with pytest.raises(wb.WorkbenchError, match=f"{dataset} {said}"):
            wb.study(given, scenario=scenario)


@pytest.mark.parametrize("scenario", [object(), "images", 1000.0])
def test_what_is_no_scenario_is_refused(scenario):
    with pytest.raises(wb.WorkbenchError, match=r"scenario must be one of wb\.ImageScenario, wb\.PrefetchScenario"):
        wb.study("synthetic_measurements", scenario=scenario)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "expected a dataset's name, the path of a card, or a DataFrame; got None"),
        (pd.DataFrame({"rtt_ms": [1.0]}), r"expected a frame from wb.load\(\)"),
        (pd.DataFrame({"page": ["a", "b"]}), r"wb\.navigations\(df\)"),
    ],
)
def test_what_is_no_dataset_is_refused(given, said):
    with pytest.raises(wb.WorkbenchError, match=said):
        wb.study(given)


def replayed(decision, policy, test, scenario):
    return decision.outcomes(decision.ask(policy, test, scenario), test, scenario)


def test_outcomes_are_one_row_a_view_and_the_same_by_another_road(result, decision, test):
    """As a function of its own, a policy weighs nothing that could be remembered: it is asked anew, and checked."""
    for policy in (each for each in result.results if each.policy is not None and each.available):
        seen = decision.later_context(test) if policy.reads_later else test
        plain = replayed(
            decision,
            lambda context, own=policy.policy: call_policy(own, context, result.scenario),
            seen,
            result.scenario,
        )
        pd.testing.assert_frame_equal(plain, policy.outcomes)
        assert plain.index.equals(test.frame.index) and plain[["net", "added_wait_ms"]].notna().all(axis=None)
        assert plain["net"].mean() == pytest.approx(policy.figures.net), policy.name


def test_nobody_beats_perfect_knowledge(result, decision, test):
    known = decision.outcomes(decision.hindsight(test, result.scenario), test, result.scenario)
    nets = [policy.figures.net for policy in result.results if policy.figures]
    assert max(nets) == pytest.approx(known["net"].mean()) == pytest.approx(result.of("oracle").figures.net)
    assert 0 < result.headroom <= max(nets) - min(nets)


def test_the_frontier_is_a_replay_at_every_limit(result, decision, test):
    model = result.of("model")
    limits = model.frontier["limit"].to_numpy()[::6]
    columns = [axis.column for axis in decision.axes]
    points = decision.frontier(model.expected, test, result.scenario, limits)
    pd.testing.assert_frame_equal(points, model.frontier.iloc[::6].reset_index(drop=True))
    traded = list(decision.trade(model.expected, test, result.scenario, limits))
    for i, limit in enumerate(limits):
        alone = replayed(decision, replace(model.policy, limit=float(limit)), test, result.scenario)
        assert points.loc[i, "net"] == pytest.approx(alone["net"].mean())
        assert points.loc[i, columns].tolist() == pytest.approx(alone[columns].mean().tolist())
        for axis, shown in zip(decision.axes, traded[i], strict=True):
            assert shown == pytest.approx(axis.factor * alone[axis.column].to_numpy())


def test_tuning_does_not_depend_on_the_limit_that_a_policy_came_with(result, decision, test):
    limits = {
        decision.tune(replace(result.of("model").policy, limit=limit), test, result.scenario).limit
        for limit in (0.2, 0.7)
    }
    assert len(limits) == 1


def test_each_change_changes_one_thing(result, decision):
    views = wb.load(result.split.card.name, rows=1500)
    plan = decision.plan(views, result.scenario, 0)
    listed = list(decision.changes(views, plan))
    for change in listed:
        differs = [name for name in vars(plan) if getattr(plan, name) != getattr(change.plan, name)]
        assert len(differs) + len(change.load) == 1, change
        assert change.refit == (differs != ["scenario"])
    names = [(change.group, change.change) for change in listed]
    assert len(set(names)) == len(names) > 10 and ("seed", "seed 1") in names


def test_every_view_is_in_a_segment_of_each_dimension_and_every_chance_is_one(result, decision, test):
    for title, levels in decision.segments(test, result.scenario).items():
        assert levels.index.equals(test.frame.index) and levels.nunique() > 0, title
    event, chance = decision.calibration_target(result.of("model").expected, test, result.scenario)
    assert event.shape == chance.shape
    assert ((chance >= 0) & (chance <= 1)).all() and set(np.unique(event)) == {0, 1}


def test_other_prices_change_the_net_and_not_the_views(result, decision, test):
    views = wb.load(result.split.card.name, rows=1500)
    changes = decision.changes(views, decision.plan(views, result.scenario, 0))
    cheap = next(change.plan.scenario for change in changes if not change.refit)
    there = decision.under(test, cheap)
    policy = result.best_rule
    assert there.frame is test.frame
    assert not replayed(decision, policy, there, cheap)["net"].equals(
        replayed(decision, policy, test, result.scenario)["net"]
    )


@pytest.mark.parametrize("model", [None, "model", object()])
def test_what_is_no_model_of_the_decision_is_refused(decision, result, model):
    with pytest.raises(wb.WorkbenchError, match=rf"{decision.name} takes a trained .*{decision.train_call[:8]}"):
        decision.model_policy(model, result.split.card)
    own = result.of("model").policy
    assert decision.model_policy(own, result.split.card) is own


@pytest.fixture(scope="module")
def video_study(video):
    """With three rows of the sensitivity figure, of which one fits again."""

    def few(self, views, plan, every=video.VideoStart.changes):
        return (change for change in every(self, views, plan) if change.change == "seed 1" or not change.refit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(video.VideoStart, "changes", few)
        return wb.study("synthetic_measurements", rows=6000, scenario=video.VideoScenario(), sensitivity=True)


def test_a_third_decision_needs_one_file_of_150_lines(video, video_study):
    assert len(Path(video.__file__).read_text().splitlines()) <= 150
    assert find_decision(name="video") is video_study.decision is video.DECISION
    assert video_study.of("best_rule").figures.net < video_study.of("oracle").figures.net
    assert video_study.of("model").figures.stalled_share < video_study.of("always high").figures.stalled_share
    assert "VIDEO START" in str(video_study) and "of videos stall" in findings(video_study)["stalls"]
    assert video_study.to_dict()["decision"] == "video" and len(video_study.segments) > 5


def test_a_third_decision_is_changed_one_assumption_at_a_time(video, video_study):
    rows = video_study.sensitivity.set_index("change")
    assert list(rows.index) == ["base case", "75 points", "300 points", "seed 1"]
    dear = wb.compare(video_study.split, video_study.model, scenario=video.VideoScenario(stall_price=300.0))
    assert rows.loc["300 points", "difference"] == pytest.approx(dear.difference.estimate)
    assert dear.of("model").figures.stalled_share <= video_study.of("model").figures.stalled_share


def test_a_third_decision_is_explained_drawn_and_explored(video_study):
    policy, scenario, validation = video_study.of("model").policy, video_study.scenario, video_study.split.validation
    ranked = wb.importance(policy, validation, scenario=scenario)
    assert "region" in repr(ranked)
    parted = wb.disagreement(policy, video_study.best_rule, validation, scenario=scenario)
    assert 0 < parted.share.estimate < 0.5
    axes = wb.plotting.frontier(video_study)
    assert axes.get_xlabel() == "Waiting at the start (ms a view)"
    plt.close(axes.figure)
    explorer = wb.Explorer(video_study, stall_price=300.0)
    assert explorer.values == {"stall_price": 300.0}


def ours(context):
    return ["small"] * len(context)


@dataclass(frozen=True)
class Counts:
    """A rule with something that it counted, which does not show in its name."""

    name: str = "counts"
    limit: float = 1.0
    table: list = field(default_factory=list, compare=False)

    def __call__(self, context):
        return ours(context)


def test_a_policy_says_of_itself_what_it_wants_to():
    assert traits_of(ours)[:3] == ("ours", (), "")
    assert (traits_of(Counts()).name, traits_of(Counts()).limit) == ("counts", 1.0)
    assert traits_of(wb.needs("os_family")(lambda context: context)).needs == ("os_family",)


def test_a_policy_is_itself_where_it_is_equal_and_counted_on_the_same_views():
    table = [1]
    assert same_policy(Counts(table=table), Counts(table=table))
    assert not same_policy(Counts(table=table), Counts(table=[1]))
    assert not same_policy(Counts(table=table), Counts(limit=2.0, table=table))
    assert same_policy(ours, ours) and not same_policy(ours, lambda context: context)


def test_expectations_are_worked_out_once_for_a_policy_whatever_its_limit():
    here = Situations(pd.DataFrame(), pd.DataFrame(), np.array([]), "views", None, "first_request")
    asked, rule = [], Counts(table=[1])

    def ask(policy):
        return here.remember(policy, "key", lambda: asked.append(policy) or len(asked))

    assert [ask(rule), ask(replace(rule, limit=3.0)), ask(replace(rule, table=[1])), ask(rule)] == [1, 1, 2, 1]
    assert here.remember(rule, "another key", lambda: "anew") == "anew"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (ours, "rules must be a list of callables, such as wb.rules"),
        (["medium"], "rules must be a list of callables"),
        ([], "rules must be a list of callables"),
        ([ours, ours], "'ours' came more than once"),
        ([replace(Counts(), name="model")], "a rule cannot be called 'model'"),
        ([replace(Counts(), name="perfect knowledge")], "cannot be called 'perfect knowledge'"),
    ],
)
def test_what_is_no_list_of_rules_is_refused(rules, said):
    with pytest.raises(wb.WorkbenchError, match=said):
        known_rules(rules, "first_request")


def test_a_rule_fitted_on_other_knowledge_than_the_model_is_refused(result):
    class Later:
        known_by = "native_app"

        def __call__(self, context):
            raise AssertionError

    with pytest.raises(wb.WorkbenchError, match="fitted on what is known by native_app, the model by"):
        settle(result.decision, result.split, result.model, [Later()], result.scenario)
