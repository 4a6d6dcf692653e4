"""What the worst views share; never a person."""

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.acting import act_on
from workbench.explanation.questions import late_question
from workbench.explanation.single_rows import log_losses, look_at_rows

import workbench as wb


@pytest.fixture(scope="module")
def noisy():
    """Nobody can say what provider b will be; a is always fast."""
    rng = np.random.default_rng(0)
    isp = np.where(rng.random(4000) < 0.25, "b", "a")
    fast = np.where(isp == "a", 1, rng.random(4000) < 0.5)
    views = {
        "user_id": (np.arange(4000) // 4).astype(str),
        "isp": isp,
        "os_major": rng.integers(8, 15, 4000),
        "downlink_mbps": np.where(fast, 80, 0.5) * rng.lognormal(0, 0.2, 4000),
        "rtt_ms": rng.lognormal(4, 0.1, 4000),
    }
    split = wb.split_by_user(wb.measurements(pd.DataFrame(views)))
    return act_on(wb.train_network_quality(split, max_trees=40), split.validation)


def test_the_provider_that_cannot_be_told_is_named_first(noisy):
    rows = look_at_rows(noisy)
    assert rows.loc[0, ["feature", "value"]].tolist() == ["provider", "b"]
    assert rows["low"].iloc[0] > 2 * rows.attrs["share"]
    assert rows.attrs["share"] == pytest.approx(0.1, abs=0.02)
    assert not ((rows["feature"] == "provider") & (rows["value"] == "a")).any() or rows["share"].iloc[-1] < 0.1


def test_losses_are_those_of_the_question(noisy):
    edge = late_question(noisy.model, noisy.frame, None, noisy.scenario).edge
    chance = noisy.model.chance_worse(noisy.context, "downlink_mbps", [edge])[:, 0]
    late = (noisy.frame["downlink_mbps"] < edge).to_numpy()
    assert log_losses(noisy) == pytest.approx(-np.log(np.where(late, chance, 1 - chance)))


def test_a_value_that_fewer_than_20_users_share_is_not_named(noisy):
    rows = look_at_rows(noisy)
    assert (rows["users"] >= 20).all()
    assert (rows["views"] >= rows["users"]).all()
    assert len(rows) <= 12


def test_of_pages_the_chance_of_what_came_counts(small_site, small_site_model):
    here = act_on(small_site_model, small_site.validation)
    losses = log_losses(here)
    assert len(losses) == len(here.frame) and (losses >= 0).all()
    answers = small_site_model.next_pages(small_site.validation, 100)
    view = here.frame["view_id"].iloc[0]
    given = answers[answers["view_id"] == view].astype({"page": str}).set_index("page")["chance"]
    opened = str(here.frame["page"].iloc[1])
    assert here.frame["session_id"].iloc[0] == here.frame["session_id"].iloc[1]
    assert losses[0] == pytest.approx(-np.log(max(given.get(opened, 0.0), 1e-4)))
    rows = look_at_rows(here)
    assert set(rows["feature"]).isdisjoint({"view id", "session id", "user id"})
