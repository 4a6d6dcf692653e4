import math
from dataclasses import replace

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from workbench.decisions.images import scenario
from workbench.decisions.images.scenario import WIDTHS, ImageScenario, Ladder, load_ladder, load_photo, photo_as_sent
from workbench.errors import WorkbenchError

NUMBERS = ["budget_ms", "cancelling_wait_ms", "images_per_view", "connection_rtts", "cap_ms"]


def test_load_times_are_judged_as_by_hand():
    ladder = Ladder(("small", "medium", "large"), (1, 2, 3), (0.5, 0.6, 0.9))  # worth 0, 25 and 100 points
    scenario = ImageScenario(budget_ms=1000, cancelling_wait_ms=400, cap_ms=2000, ladder=ladder)
    load_ms = np.array([[200.0, 1000, 1100], [2999, 3000, 50_000]])
    excess_wait_ms, quality, net = scenario.judge(load_ms)
    assert excess_wait_ms == pytest.approx(np.array([[0, 0, 100], [1999, 2000, 2000]]))
    # At the cap the view is abandoned, whatever was sent.
    assert quality == pytest.approx(np.array([[0, 25, 100], [0, 0, 0]]))
    assert net == pytest.approx(np.array([[0, 25, 75], [-499.75, -500, -500]]))


def test_another_budget_moves_a_default_cap_and_keeps_a_chosen_one():
    assert ImageScenario().with_budget(3000).longest_wait_ms == 6000
    assert ImageScenario(budget_ms=3000).with_budget(500).longest_wait_ms == 2000
    assert ImageScenario(cap_ms=700).with_budget(3000).longest_wait_ms == 700
    assert replace(ImageScenario(), budget_ms=3000).longest_wait_ms == 6000
    assert replace(ImageScenario(cap_ms=2000), budget_ms=3000).longest_wait_ms == 2000


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [0, math.inf, "1000", True])
def test_a_number_that_cannot_be_is_refused_by_name(name, value):
    with pytest.raises(WorkbenchError, match="budget_ms must be a number above 0; got nan"):
        ImageScenario(budget_ms=math.nan)
    with pytest.raises(WorkbenchError) as caught:
        ImageScenario(**{name: value})
    assert str(caught.value) == f"{name} must be a number above 0; got {value!r}."


@pytest.fixture(scope="module")
def china() -> np.ndarray:
    return load_photo()


def test_the_committed_ladder_is_what_the_photograph_gives_within_3_percent(china):
    committed = load_ladder()
    assert committed.names == tuple(WIDTHS) == ("small", "medium", "large")
    encoded = [scenario.encode_photo(china, width) for width in WIDTHS.values()]
    assert [len(each) for each in encoded] == pytest.approx(committed.image_bytes, rel=0.03)
    shown = [scenario.decode_photo(each, china.shape[:2]) for each in encoded]
    likeness = [structural_similarity(china, each, channel_axis=2) for each in shown]
    assert likeness == pytest.approx(committed.ssim, rel=0.03)


def test_the_renditions_are_worth_0_about_42_and_100_points():
    small, medium, large = load_ladder().quality
    assert (small, large) == (0, 100) and medium == pytest.approx(42, abs=1)


@pytest.mark.parametrize(
    ("names", "sizes", "ssim", "words"),
    [
        ((), (), (), "two or more renditions.* 0 names"),
        (("a", "b"), (1, 2, 3), (0.5, 0.6), "got 2 names, 3 sizes, 2 SSIM values"),
        (("a", "b"), (0, 2), (0.5, 0.6), "bytes above 0"),
        (("a", "b"), (2, 2), (0.5, 0.6), "increasing"),
        (("a", "b"), (1, 2), (0.6, math.nan), "SSIM increasing"),
        (("a", "b"), (math.nan, 2), (0.5, 0.6), "bytes above 0"),
        (("a", "b"), (1, math.inf), (0.5, 0.6), "increasing"),
    ],
)
def test_a_ladder_that_does_not_rise_is_refused(names, sizes, ssim, words):
    with pytest.raises(WorkbenchError, match=words):
        Ladder(names, sizes, ssim)


@pytest.mark.parametrize("rendition", WIDTHS)
def test_what_is_shown_has_the_display_size_and_the_likeness_of_the_ladder(china, rendition):
    shown = photo_as_sent(rendition)
    assert (shown.shape, shown.dtype) == (china.shape, np.uint8)
    ladder = load_ladder()
    likeness = structural_similarity(china, shown, channel_axis=2)
    assert likeness == pytest.approx(ladder.ssim[ladder.names.index(rendition)], rel=0.03)


def test_ones_own_photograph_at_ones_own_widths():
    photo = np.zeros((30, 40, 3), np.uint8)
    photo[:, 20:] = 255
    shown = photo_as_sent("tiny", photo, widths={"tiny": 4})
    assert shown.shape == photo.shape and shown[:, :5].mean() < 40 and shown[:, -5:].mean() > 215
    assert np.ptp(shown[15, 15:25].astype(int), axis=0).max() < 255, "an edge does not survive four pixels"


def test_an_unknown_rendition_is_refused():
    with pytest.raises(WorkbenchError, match=r"one of small, medium, large; got 'meduim'.*medium"):
        photo_as_sent("meduim")
