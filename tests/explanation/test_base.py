import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.schema import has_signal, known_context
from workbench.decisions import find_decision
from workbench.decisions.chances import OneOption
from workbench.explanation.base import Unavailable, apply_model, draw_users, may_be_missing
from workbench.studies.study import settle


def test_of_measurements_only_views_without_a_signal_are_looked_at(few, few_model):
    validation = few.validation
    validation = validation.assign(last_rtt_ms=50.0, last_age_s=np.arange(len(validation)) % 2 * 3600.0)
    expected = ~has_signal(known_context(validation, few_model.known_by, ()))
    assert 0 < expected.sum() < len(validation)
    assert apply_model(few_model, validation).situations.frame.index.equals(validation.index[expected])
    with pytest.raises(wb.WorkbenchError, match="every view shows a signal by first_request"):
        apply_model(few_model, validation.assign(last_rtt_ms=50.0, last_age_s=1.0))


@pytest.mark.parametrize("kind", ["few", "small_site"])
def test_a_tuned_policy_is_worth_what_it_is_in_a_comparison(kind, request):
    split, model = request.getfixturevalue(kind), request.getfixturevalue(f"{kind}_model")
    decision = find_decision(None, split.card)
    stage = settle(decision, split, model, None, decision.scenario(split.card))
    applied = apply_model(stage.ours, stage.split.validation, stage.scenario)
    for policy in (stage.ours, stage.best_rule):
        expected = stage.replay(policy, stage.validation)
        np.testing.assert_array_equal(applied.net(applied.ask(policy)), expected["net"])


def test_a_model_decides_at_the_declared_price(few, few_model, small_site, small_site_model):
    assert apply_model(few_model, few.validation).policy.limit == 1
    applied = apply_model(small_site_model, small_site.validation, wb.PrefetchScenario(break_even=0.4))
    top = small_site_model.next_pages(applied.situations.context, 3)
    taken = applied.ask().merge(top, on=["view_id", "page"])
    assert taken["chance"].min() >= 0.4 and len(taken) == (top["chance"] >= 0.4).sum()


def test_whole_users_are_drawn_and_at_least_20():
    users = np.random.default_rng(0).integers(0, 100, 2000)
    drawn = draw_users(users, 500, seed=1)
    assert 400 < drawn.sum() <= 500 and not set(users[drawn]) & set(users[~drawn])
    assert len(set(users[draw_users(users, 1, seed=1)])) == 20 and draw_users(users, 10_000, seed=1).all()


def test_a_refusal_may_come_back_as_a_false_result():
    @may_be_missing
    def explain(rows):
        if rows < 20:
            raise wb.WorkbenchError("expected 20 rows <b>.")
        return rows / (rows - 20)

    missing = explain(3, missing_ok=True)
    assert isinstance(missing, Unavailable) and not missing
    assert missing.sentences == ("expected 20 rows <b>.",) and missing.finding
    assert "&lt;b&gt;" in missing._repr_html_() and explain(30, missing_ok=True) == 3
    with pytest.raises(wb.WorkbenchError, match="expected 20 rows"):
        explain(3)
    with pytest.raises(ZeroDivisionError):  # a fault of ours is not hidden
        explain(20, missing_ok=True)


def test_every_explanation_of_too_little_data_may_be_missing(few, few_model):
    views = few.validation.head(5)
    found = [
        wb.importance(few_model, views, missing_ok=True),
        wb.dependence(few_model, views, "isp", missing_ok=True),
        wb.disagreement(few_model, OneOption("small"), views, missing_ok=True),
        wb.drift(views, views, missing_ok=True),
        wb.redundancy(few_model, few, alike=2, missing_ok=True),
        wb.ablation(few, few_model, (), missing_ok=True),
    ]
    assert all(isinstance(each, Unavailable) for each in found)


def test_no_explanation_is_a_dump_of_numbers(few, few_model):
    views = few.validation.head(300)
    results = [
        wb.importance(few_model, views),
        wb.dependence(few_model, views, "isp"),
        wb.disagreement(few_model, OneOption("small"), views),
        wb.drift(few.train.head(300), views),
    ]
    for result in results:
        assert result.finding in repr(result) and len(repr(result)) < 3000
        assert result.sentences and isinstance(result.to_frame(), pd.DataFrame)
        assert result.finding in result._repr_html_() and "<script" not in result._repr_html_()
