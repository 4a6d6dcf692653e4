from dataclasses import replace

import numpy as np
import pytest

from workbench import plotting
from workbench.decisions.images.scenario import photo_as_sent
from workbench.errors import WorkbenchError
from workbench.plotting.images import DETAIL

WHICH = ("today", "best_rule", "model")


def captions(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("result", ["planted", "real"], indirect=True)
def test_each_cell_shows_what_most_views_of_the_group_get(result, draw):
    """By another road: count renditions with NumPy, compare pixels."""
    ax = draw(plotting.what_users_see, result)
    names = result.scenario.ladder.names
    policies = {result.of(which).name: result.of(which) for which in WHICH}
    groups = (result.detail.slow, result.detail.fast)
    cells = [(policy.outcomes, group) for group in groups for policy in policies.values()]
    assert len(ax.images) == len(cells)
    expected = []
    for image, (outcomes, group) in zip(ax.images, cells, strict=True):
        counts = np.bincount(outcomes["rendition"].to_numpy()[group], minlength=len(names))
        name, share = names[counts.argmax()], counts.max() / counts.sum()
        assert (image.get_array() == photo_as_sent(name)[DETAIL]).all()
        median = np.median(outcomes["load_ms"].to_numpy()[group])
        late = "late: " if median > result.scenario.budget_ms else ""
        expected += [f"{name}: {100 * share:.0f} % of views", f"{late}median {median:,.0f} ms"]
    assert captions(ax) == expected and plotting.alt_text(ax).count("median") == len(cells)


def test_late_is_said(planted):
    tight = replace(planted, scenario=replace(planted.scenario, budget_ms=50))
    assert sum(text.startswith("late: median") for text in captions(plotting.what_users_see(tight))) == 6


def test_one_column_where_todays_rule_is_the_best(planted, draw):
    ax = draw(plotting.what_users_see, replace(planted, today=planted.best_rule))
    assert len(ax.images) == 4
    assert ax.get_xticklabels()[0].get_text().replace("\n", " ").startswith("best rule and today")


def test_a_long_name_can_be_read(planted, draw):
    long = "last measurement up to 24 h, else most fitting size per connection and provider"
    results = tuple(replace(each, name=long) if each is planted.of("best_rule") else each for each in planted.results)
    for picture in (plotting.what_users_see, plotting.who_gains, plotting.frontier):
        draw(picture, replace(planted, results=results))


def test_what_is_not_shown_is_said(planted, site):
    with pytest.raises(WorkbenchError, match="a fifth of the 20 users of test is under 5"):
        plotting.what_users_see(replace(planted, test_users=20))
    with pytest.raises(WorkbenchError, match=r"image delivery; this one is of prefetch"):
        plotting.what_users_see(site)
