"""Another policy's value from a log: by hand, against a known truth, and refused where the log cannot know."""

import numpy as np
import pandas as pd
import pytest

from workbench.errors import WorkbenchError
from workbench.evidence.off_policy import expected_rewards, off_policy_value

WORTH = np.array([[0.0, 4.0, 1.0], [5.0, 2.0, 0.0]])  # of each option, by kind of view
CHANCES = np.array([[0.7, 0.1, 0.2], [0.2, 0.3, 0.5]])


def draw_log(users, seed):
    """Views of two kinds, three a user, with a reward of the user's own luck; option drawn by kind."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(users), 3)
    kind = rng.integers(0, 2, len(who))
    taken = (CHANCES[kind].cumsum(axis=1) < rng.random((len(who), 1))).sum(axis=1)
    reward = WORTH[kind, taken] + rng.normal(0, 2, users)[who] + rng.normal(0, 1, len(who))
    return kind, taken, reward, CHANCES[kind, taken], who


def test_the_three_estimates_by_hand():
    """200 views, half of each option; weights 1 / 0.5 on the option wanted."""
    taken = np.tile([0, 1], 100)
    reward, expected = np.where(taken == 1, 6.0, 1.0), np.full((200, 2), 5.0)
    found = off_policy_value(reward, taken, np.ones(200, int), np.full(200, 0.5), np.arange(200), expected)
    assert found.logged.estimate == 3.5 and found.ips.estimate == found.snips.estimate == 6.0
    assert found.doubly_robust.estimate == 6.0  # 5 expected, and 2 * (6 - 5) off in half of the views
    assert (found.effective_views, found.heaviest, found.followed, found.mean_weight.estimate) == (100.0, 2.0, 0.5, 1.0)


def test_the_policy_that_ran_earns_what_was_logged():
    kind, taken, reward, propensity, who = draw_log(500, 0)
    found = off_policy_value(reward, taken, CHANCES[kind], propensity, who)
    assert found.ips == found.snips == found.logged and found.effective_views == len(reward)


def test_estimates_are_right_on_average_and_their_intervals_hold_the_truth():
    """The best option of each kind: 4 and 5, 4.5 on average; what is expected is wrong, and does no harm."""
    found, refused = {name: [] for name in ("ips", "snips", "doubly_robust")}, 0
    for seed in range(300):
        kind, taken, reward, propensity, who = draw_log(600, seed)
        wrong = np.tile([3.0, 3.0, -1.0], (len(kind), 1))
        try:
            value = off_policy_value(reward, taken, np.array([1, 0])[kind], propensity, who, wrong)
        except WorkbenchError:  # the weights of a few logs are far from 1 by chance
            refused += 1
            continue
        for name, every in found.items():
            every.append(getattr(value, name))
    assert refused <= 4
    for name, every in found.items():
        estimates = np.array([each.estimate for each in every])
        assert abs(estimates.mean() - 4.5) < 4 * estimates.std() / np.sqrt(300), name
        held = np.mean([each.low <= 4.5 <= each.high for each in every])
        assert 0.91 <= held <= 0.99, name


def test_expected_rewards_are_learnt_and_make_the_estimate_steadier():
    kind, taken, reward, propensity, who = draw_log(2_000, 1)
    context = pd.DataFrame({"kind": pd.Series(["a", "b"])[kind].to_numpy(), "empty": np.nan})
    expected = expected_rewards(context, reward, taken, 3, who)
    for each in (0, 1):
        assert expected[kind == each].mean(axis=0) == pytest.approx(WORTH[each], abs=0.4)
    value = off_policy_value(reward, taken, np.array([1, 0])[kind], propensity, who, expected)
    assert value.doubly_robust.half_width < 0.8 * value.ips.half_width
    assert value.doubly_robust.low < 4.5 < value.doubly_robust.high


def test_a_users_own_reward_is_not_in_what_is_expected_of_it():
    """Each user has a context and a reward of its own: nothing can be learnt for others."""
    rng = np.random.default_rng(2)
    reward, who = rng.normal(0, 1, 400), np.arange(400)
    expected = expected_rewards(pd.DataFrame({"name": who.astype(str)}), reward, np.zeros(400, int), 1, who)
    assert abs(np.corrcoef(expected[:, 0], reward)[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"wanted": np.tile([2, 1], 200)}, "50.0 % of the views"),  # never sent
        ({"propensity": np.where(np.arange(400) < 40, 1.0, 0.5), "wanted": np.zeros(400, int)}, "5.0 % of the views"),
        ({"propensity": np.full(400, 0.8)}, "average 0.625"),
        ({"propensity": np.append(np.full(399, 0.5), 0.0)}, "1 of 400 views"),
        ({"propensity": np.append(np.full(399, 0.5), np.nan)}, "1 of 400 views"),
        ({"taken": np.where(np.arange(400) < 80, 0, np.tile([0, 1], 200))}, "average 0.800"),  # never drawn in a fifth
    ],
)
def test_what_a_log_cannot_tell_is_refused(change, says):
    taken = np.tile([0, 1], 200)
    given = {"taken": taken, "wanted": np.ones(400, int), "propensity": np.full(400, 0.5)} | change
    with pytest.raises(WorkbenchError, match=says):
        off_policy_value(reward=np.ones(400), users=np.arange(400), **given)


def test_too_few_views_that_count_are_refused():
    taken = np.append(np.zeros(390, int), np.ones(10, int))
    with pytest.raises(WorkbenchError, match="count as 10 equal ones, 100"):
        off_policy_value(np.ones(400), taken, np.ones(400, int), np.where(taken, 0.025, 0.975), np.arange(400))


def test_a_policy_that_picks_what_context_says_was_never_sent_is_refused():
    """Kind "b" was never sent option 2, whatever the propensities say; the policy sends it to all."""
    rng = np.random.default_rng(4)
    kind = (rng.random(4_000) < 0.05).astype(int)
    taken = np.where(kind == 1, rng.integers(0, 2, 4_000), rng.integers(0, 3, 4_000))
    propensity, who = np.where(kind == 1, 1 / 2, 1 / 3), np.arange(4_000)
    always, context = np.full(4_000, 2), pd.DataFrame({"kind": pd.Series(["a", "b"])[kind].to_numpy()})
    weight = np.where(taken == always, 1 / propensity, 0.0)
    usual = expected_rewards(context, weight, np.zeros(4_000, int), 1, who)[:, 0]
    share = 100 * kind.mean()
    with pytest.raises(WorkbenchError, match=f"in {share:.1f} % of the views it picks what was sent there 0.00 times"):
        off_policy_value(np.ones(4_000), taken, always, propensity, who, usual=usual)
    off_policy_value(np.ones(4_000), taken, always * 0, propensity, who, usual=np.ones(4_000))
